//! Wires: what a pin does to a net, and what the net then is.
//!
//! A net has any number of drivers and pulls; its level follows from all of them. Everything that travels over a
//! wire carries its time, and takes at least the wire's latency, so that chips can be simulated apart from each
//! other without anybody receiving something from its past.

use crate::time::{Span, Time};

/// What one pin does to its net.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Drive {
    /// High impedance: an input, or an open drain that is off.
    #[default]
    Released,
    /// A resistor to ground; loses against every strong driver.
    PullDown,
    /// A resistor to the supply; loses against every strong driver.
    PullUp,
    /// Driven to ground.
    Low,
    /// Driven to the supply.
    High,
}

impl Drive {
    /// What several drivers on one net do together: strong ones win, those that fight are as good as none.
    #[must_use]
    pub fn joined(drives: impl IntoIterator<Item = Drive>) -> Drive {
        let (mut strong, mut weak) = (None, None);
        for drive in drives {
            let slot = match drive {
                Drive::Released => continue,
                Drive::Low | Drive::High => &mut strong,
                Drive::PullDown | Drive::PullUp => &mut weak,
            };
            *slot = Some(if slot.is_none_or(|other| other == drive) { drive } else { Drive::Released });
        }
        strong.or(weak).unwrap_or_default()
    }
}

/// What a net is, as a reader sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub enum Level {
    /// Below the input threshold.
    Low,
    /// Above the input threshold.
    High,
    /// Nobody drives or pulls it, or a strong high fights a strong low.
    #[default]
    Unknown,
}

impl Level {
    /// The bit a digital input reads; an unknown level reads 0.
    #[must_use]
    pub fn bit(self) -> bool {
        self == Level::High
    }

    /// The level that stands for `bit`.
    #[must_use]
    pub fn from_bit(bit: bool) -> Level {
        if bit { Level::High } else { Level::Low }
    }

    /// The level of a net with these drivers.
    #[must_use]
    pub fn resolve(drivers: impl IntoIterator<Item = Drive>) -> Level {
        let (mut low, mut high, mut down, mut up) = (false, false, false, false);
        for drive in drivers {
            match drive {
                Drive::Released => {}
                Drive::PullDown => down = true,
                Drive::PullUp => up = true,
                Drive::Low => low = true,
                Drive::High => high = true,
            }
        }
        match (low, high, down, up) {
            (true, false, ..) => Level::Low,
            (false, true, ..) => Level::High,
            (true, true, ..) | (_, _, true, true) | (_, _, false, false) => Level::Unknown,
            (_, _, true, false) => Level::Low,
            (_, _, false, true) => Level::High,
        }
    }
}

/// A pin of a chip, numbered by the chip's own table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct PinId(pub u16);

/// A character on an asynchronous serial line, as the wire carries it: equally long bits, start bit first.
///
/// It is a waveform and not a byte: the receiver samples it with its own bit time, so that a baud rate that is off
/// gives the wrong bits by arithmetic and not by decree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct SerialFrame {
    /// Length of one bit.
    pub bit: Span,
    /// The bits in the order sent, bit 0 first: start (0), data LSB first, parity if any, stop (1). At most 16.
    pub bits: u16,
    /// How many of `bits` count, 1 to 16.
    pub count: u8,
}

impl SerialFrame {
    /// How long the frame occupies the wire.
    #[must_use]
    pub fn duration(&self) -> Span {
        self.bit * u64::from(self.count)
    }

    /// The level `offset` after the start edge; the line idles high after the frame.
    #[must_use]
    pub fn level_at(&self, offset: Span) -> bool {
        let index = offset.0.checked_div(self.bit.0).unwrap_or(u64::MAX);
        index >= u64::from(self.count) || self.bits >> index & 1 == 1
    }
}

/// A step of a transfer on an I2C bus (UM10204, section 3.1), byte by byte. It travels on the net of SDA.
///
/// Whoever sends it begins now, and says at once what will be over at the end of the byte. A master waits for the answer
/// until the byte's ninth clock is over; who has not answered then is not there. So a slave answers in the instant in
/// which it hears of a byte, if only with [`I2cSignal::Hold`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum I2cSignal {
    /// Master: a start or repeated start condition, then address and direction.
    Start {
        /// The 7-bit address.
        address: u8,
        /// The master wants to read.
        read: bool,
        /// Length of one clock of this transfer.
        bit: Span,
    },
    /// Master: a byte for the slave.
    Write(u8),
    /// Master: the clocks for a byte from the slave.
    Read,
    /// Master: whether it acknowledged the byte that it read.
    Acknowledge(bool),
    /// Master: a stop condition.
    Stop,
    /// Slave: whether it acknowledges the address or the byte that is being sent.
    Answer(bool),
    /// Slave: the byte that the master clocks.
    Data(u8),
    /// Slave: it holds SCL low (clock stretching) until it has sent its real answer.
    Hold,
}

/// What a pin puts on its net.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Signal {
    /// The pin changes what it does to the net.
    Drive(Drive),
    /// The pin, idle high, sends one character that starts now.
    Serial(SerialFrame),
    /// The pin, SDA of an I2C bus, does this step of a transfer.
    I2c(I2cSignal),
}

/// Something a pin did, or (on the receiving side) something that happened to the net a pin is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Edge {
    /// When it happened (sender), or when it is seen (receiver: that plus the wire's latency).
    pub at: Time,
    /// The pin, in the numbering of the chip that sends or receives it.
    pub pin: PinId,
    /// What happened.
    pub signal: Signal,
}
