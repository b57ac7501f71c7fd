//! I2C — inter-integrated circuit, as a slave (KL27 reference manual, chapter of that name).
//!
//! After each byte, address bytes included, the slave holds SCL low until software has dealt with it: it reads D to
//! receive the next byte, or writes D to send one.

use std::collections::VecDeque;

use twinboard_sim::bus::Size;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{I2cSignal, PinId};

use super::peripheral::{Cx, Peripheral, Reset};
use crate::parts::i2c_slave::{Heard, I2cSlave, Reply};

const A1: u32 = 0x0;
const F: u32 = 0x1;
const C1: u32 = 0x2;
const S: u32 = 0x3;
const D: u32 = 0x4;
const C2: u32 = 0x5;
const FLT: u32 = 0x6;
const RA: u32 = 0x7;
const SMB: u32 = 0x8;
const A2: u32 = 0x9;
const SLTH: u32 = 0xA;
const SLTL: u32 = 0xB;
const S2: u32 = 0xC;

const C1_IICEN: u8 = 1 << 7;
const C1_IICIE: u8 = 1 << 6;
const C1_MST: u8 = 1 << 5;
const C1_TX: u8 = 1 << 4;
const C1_TXAK: u8 = 1 << 3;
const C1_RSTA: u8 = 1 << 2;
const S_TCF: u8 = 1 << 7;
const S_IAAS: u8 = 1 << 6;
const S_BUSY: u8 = 1 << 5;
const S_ARBL: u8 = 1 << 4;
const S_RAM: u8 = 1 << 3;
const S_SRW: u8 = 1 << 2;
const S_IICIF: u8 = 1 << 1;
const S_RXAK: u8 = 1;
const C2_GCAEN: u8 = 1 << 7;
const C2_ADEXT: u8 = 1 << 6;
const C2_RMEN: u8 = 1 << 3;
const FLT_STOPF: u8 = 1 << 6;
const FLT_SSIE: u8 = 1 << 5;
const FLT_STARTF: u8 = 1 << 4;
/// SMB: FACK, SIICAEN: SMBus's way of acknowledging and its second address.
const SMB_UNMODELLED: u8 = 1 << 7 | 1 << 5;
const S2_EMPTY: u8 = 1;

/// Start condition, eight bits and acknowledge.
const START_CLOCKS: u64 = 10;
/// Eight bits and acknowledge.
const BYTE_CLOCKS: u64 = 9;

/// Which I2C.
#[derive(Clone, Copy, Debug)]
pub struct I2cSpec {
    /// Pins that can be SDA, with their PCR\[MUX\].
    pub sda: &'static [(PinId, u8)],
    /// S2 exists.
    pub s2: bool,
}

/// A byte on its way: what it is, and whether the master is still to be answered at its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Byte {
    /// An address and the direction.
    Address(u8),
    Written {
        byte: u8,
        answer: bool,
    },
    /// The byte that software wrote goes out and is given to the master at its end.
    Given(u8),
}

/// What the master did while software still held SCL low.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waiting {
    Start { byte: u8, mine: bool },
    Stop,
    Write(u8),
    Read,
}

/// The register machine, and its end of the bus.
#[derive(Debug)]
pub struct I2c {
    spec: I2cSpec,
    a1: u8,
    f: u8,
    c1: u8,
    s: u8,
    c2: u8,
    flt: u8,
    ra: u8,
    smb: u8,
    a2: u8,
    slt: [u8; 2],
    /// What D gives: the last byte that came.
    received: u8,
    /// What was written to D in TX mode.
    to_send: Option<u8>,
    addressed: bool,
    /// SCL is held low until software has read D, or switched to TX and written it.
    holding: bool,
    slave: I2cSlave,
    /// Length of a clock of this transfer.
    bit: Span,
    coming: Option<(Byte, Time)>,
    waiting: VecDeque<Waiting>,
}

impl I2c {
    /// The I2C that `spec` describes.
    #[must_use]
    pub fn new(spec: I2cSpec) -> I2c {
        I2c {
            spec,
            a1: 0,
            f: 0,
            c1: 0,
            s: S_TCF,
            c2: 0,
            flt: 0,
            ra: 0,
            smb: 0,
            a2: 0xC2,
            slt: [0; 2],
            received: 0,
            to_send: None,
            addressed: false,
            holding: false,
            slave: I2cSlave::default(),
            bit: Span::ZERO,
            coming: None,
            waiting: VecDeque::with_capacity(4),
        }
    }

    fn enabled(&self) -> bool {
        self.c1 & C1_IICEN != 0
    }

    fn transmits(&self) -> bool {
        self.c1 & C1_TX != 0
    }

    fn sda(&self, cx: &Cx<'_>) -> Option<PinId> {
        self.spec.sda.iter().find(|(pin, mux)| cx.pins.mux(*pin) == u32::from(*mux)).map(|(pin, _)| *pin)
    }

    fn say(&mut self, cx: &mut Cx<'_>, reply: Reply) {
        if let (Some(step), Some(pin)) = (self.slave.answer(reply), self.sda(cx)) {
            cx.pins.send_i2c(cx.now, pin, step);
        }
    }

    /// Whether the seven bits of `byte` are an address of the slave (manual, "Address matching").
    fn matches(&self, byte: u8) -> bool {
        let address = byte >> 1;
        let (primary, range) = (self.a1 >> 1, self.ra >> 1);
        (address == primary && primary != 0)
            || (range != 0 && address == range)
            || (range != 0 && self.c2 & C2_RMEN != 0 && (primary..=range).contains(&address))
            || (byte == 0 && self.c2 & C2_GCAEN != 0)
    }

    fn flag(&mut self, which: u8) {
        self.flt |= which;
        if self.flt & FLT_SSIE != 0 {
            self.s |= S_IICIF;
        }
    }

    /// A byte is over: software has the word.
    fn hold(&mut self) {
        self.s |= S_TCF | S_IICIF;
        self.holding = true;
    }

    fn acknowledge(&self) -> Reply {
        if self.c1 & C1_TXAK == 0 && !self.transmits() { Reply::Ack } else { Reply::Nack }
    }

    /// Something that the master did is the slave's turn now.
    fn take(&mut self, cx: &mut Cx<'_>, what: Waiting) {
        match what {
            Waiting::Start { byte, mine } => {
                self.s |= S_BUSY;
                self.flag(FLT_STARTF);
                (self.addressed, self.to_send) = (mine, None);
                if mine {
                    self.say(cx, Reply::Ack);
                    self.coming = Some((Byte::Address(byte), cx.now + self.bit * START_CLOCKS));
                }
            }
            Waiting::Stop => {
                self.s &= !S_BUSY;
                self.addressed = false;
                self.flag(FLT_STOPF);
            }
            // The clocks of a byte that was held up come only now.
            Waiting::Write(byte) => {
                self.coming = Some((Byte::Written { byte, answer: true }, cx.now + self.bit * BYTE_CLOCKS));
            }
            Waiting::Read => {
                let byte = if self.transmits() { self.to_send.take().unwrap_or(0xFF) } else { 0xFF };
                self.coming = Some((Byte::Given(byte), cx.now + self.bit * BYTE_CLOCKS));
            }
        }
    }

    /// What is on its way has arrived.
    fn arrive(&mut self, cx: &mut Cx<'_>) {
        let Some((byte, _)) = self.coming.take_if(|(_, at)| *at <= cx.now) else { return };
        match byte {
            Byte::Address(byte) => {
                let read = byte & 1 == 1;
                // RXAK: in the ninth clock it sees its own acknowledge.
                self.s = self.s & !(S_SRW | S_RAM | S_RXAK) | S_IAAS | if read { S_SRW } else { 0 };
                if self.ra != 0 && self.c2 & C2_RMEN != 0 {
                    self.s |= S_RAM;
                }
                self.received = byte;
                self.hold();
            }
            Byte::Written { byte, answer } => {
                if answer {
                    self.say(cx, self.acknowledge());
                }
                let refused = self.acknowledge() == Reply::Nack;
                self.s = self.s & !S_RXAK | if refused { S_RXAK } else { 0 };
                self.received = byte;
                self.hold();
            }
            Byte::Given(byte) => self.say(cx, Reply::Data(byte)),
        }
    }

    /// Software has let SCL go: what waited for that goes on.
    fn release(&mut self, cx: &mut Cx<'_>) {
        self.holding = false;
        self.s &= !S_TCF;
        while !self.holding
            && self.coming.is_none()
            && let Some(what) = self.waiting.pop_front()
        {
            self.take(cx, what);
        }
    }

    /// The master does something: it is taken now, or waits until software has let SCL go.
    fn queue(&mut self, cx: &mut Cx<'_>, what: Waiting) {
        if self.holding || self.coming.is_some() || !self.waiting.is_empty() {
            // A master that is not held up stops and starts again at most.
            if self.waiting.len() < 4 {
                self.waiting.push_back(what);
            }
            if what != Waiting::Stop {
                self.say(cx, Reply::Hold);
            }
        } else {
            self.take(cx, what);
        }
    }

    /// The module is switched off or reset: it lets go of the bus.
    fn leave(&mut self, cx: &mut Cx<'_>) {
        if let (Some(step), Some(pin)) = (self.slave.leave(), self.sda(cx)) {
            cx.pins.send_i2c(cx.now, pin, step);
        }
        (self.addressed, self.holding, self.coming, self.to_send) = (false, false, None, None);
        self.waiting.clear();
    }
}

impl Peripheral for I2c {
    fn width(&self) -> Size {
        Size::Byte
    }

    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(u32::from(match offset {
            A1 => self.a1,
            F => self.f,
            C1 => self.c1,
            S => self.s,
            D => {
                // In receive mode this begins the next byte.
                let byte = self.received;
                if !self.transmits() {
                    self.release(cx);
                }
                byte
            }
            C2 => self.c2,
            FLT => self.flt,
            RA => self.ra,
            SMB => self.smb,
            A2 => self.a2,
            SLTH | SLTL => self.slt[(offset - SLTH) as usize],
            S2 if self.spec.s2 => {
                if self.to_send.is_none() {
                    S2_EMPTY
                } else {
                    0
                }
            }
            _ => return None,
        }))
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, _: u32) -> Option<()> {
        let value = value as u8;
        let mut known = true;
        match offset {
            A1 => self.a1 = value & 0xFE,
            F => self.f = value,
            C1 => {
                self.c1 = value & !C1_RSTA;
                // Writing C1 clears IAAS.
                self.s &= !S_IAAS;
                if !self.enabled() {
                    self.leave(cx);
                    self.s = S_TCF;
                }
                known = value & (C1_MST | C1_RSTA) == 0;
            }
            S => self.s &= !(value & (S_ARBL | S_IICIF)),
            D => {
                if self.transmits() {
                    self.to_send = Some(value);
                    self.release(cx);
                }
            }
            C2 => {
                self.c2 = value;
                known = value & C2_ADEXT == 0;
            }
            FLT => {
                let flags = self.flt & !value & (FLT_STOPF | FLT_STARTF);
                self.flt = value & !(FLT_STOPF | FLT_STARTF) | flags;
            }
            RA => self.ra = value & 0xFE,
            SMB => {
                self.smb = value & 0xF1;
                known = value & SMB_UNMODELLED == 0;
            }
            A2 => self.a2 = value & 0xFE,
            SLTH | SLTL => self.slt[(offset - SLTH) as usize] = value,
            S2 if self.spec.s2 => {}
            _ => return None,
        }
        known.then_some(())
    }

    fn reset(&mut self, cx: &mut Cx<'_>, _: Reset) {
        self.leave(cx);
        *self = I2c::new(self.spec);
    }

    fn next(&self) -> Time {
        self.coming.map_or(Time::NEVER, |(_, at)| at)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.arrive(cx);
        if !self.holding {
            // Nothing is in software's hands: what the master did meanwhile is next.
            while self.coming.is_none()
                && let Some(what) = self.waiting.pop_front()
            {
                self.take(cx, what);
            }
        }
    }

    fn i2c(&mut self, cx: &mut Cx<'_>, pin: PinId, step: I2cSignal) {
        if !self.enabled() || self.sda(cx) != Some(pin) {
            return;
        }
        self.arrive(cx);
        if let I2cSignal::Start { bit, .. } = step {
            self.bit = bit;
        }
        let was_selected = self.slave.is_selected();
        let mut slave = self.slave;
        let heard = slave.hear(cx.now, step, |address| self.matches(address << 1));
        self.slave = slave;
        match (heard, step) {
            (Some(Heard::Addressed { address, read, .. }), _) => {
                self.queue(cx, Waiting::Start { byte: address << 1 | u8::from(read), mine: true });
            }
            (_, I2cSignal::Start { .. }) => self.queue(cx, Waiting::Start { byte: 0, mine: false }),
            (_, I2cSignal::Stop) => self.queue(cx, Waiting::Stop),
            (Some(Heard::Written { byte, over }), _) => {
                if self.holding || self.coming.is_some() {
                    self.queue(cx, Waiting::Write(byte));
                } else {
                    self.say(cx, self.acknowledge());
                    self.coming = Some((Byte::Written { byte, answer: false }, over));
                }
            }
            (Some(Heard::Wanted { .. }), _) => match self.to_send.filter(|_| self.transmits() && !self.holding) {
                Some(byte) => {
                    self.to_send = None;
                    self.say(cx, Reply::Data(byte));
                }
                None => self.queue(cx, Waiting::Read),
            },
            (Some(Heard::Acknowledged(more)), _) => {
                self.s = self.s & !S_RXAK | if more { 0 } else { S_RXAK };
                self.hold();
            }
            _ => debug_assert!(!was_selected || heard.is_none()),
        }
    }

    fn irq(&self) -> bool {
        self.c1 & C1_IICIE != 0 && self.s & S_IICIF != 0
    }

    fn steady(&self, offset: u32) -> bool {
        offset != D
    }
}

#[cfg(test)]
mod tests {
    use twinboard_sim::wire::Signal;

    use super::super::peripheral::testing::Bench;
    use super::*;

    const SDA: PinId = PinId(66);
    const SPEC: I2cSpec = I2cSpec { sda: &[(SDA, 2)], s2: true };
    const BIT: Span = Span::us(10);

    /// A slave and the master that talks to it.
    struct Bus {
        bench: Bench,
        i2c: I2c,
    }

    impl Bus {
        /// Range 0x70 to 0x72, interrupts for bytes, starts and stops: as DAPLink sets it up.
        fn new() -> Bus {
            let mut bus = Bus { bench: Bench::default(), i2c: I2c::new(SPEC) };
            bus.bench.pins.ports[2].pcr[2] = 2 << 8;
            bus.bench.pins.configured(Time::ZERO, 2, 1 << 2);
            for (at, value) in [(A1, 0xE0), (RA, 0xE4), (C2, 0x08), (FLT, 0x20), (C1, 0xC2)] {
                bus.write(at, value);
            }
            bus
        }

        fn write(&mut self, at: u32, value: u32) {
            self.bench.write(&mut self.i2c, at, value);
        }

        fn read(&mut self, at: u32) -> u32 {
            self.bench.read(&mut self.i2c, at)
        }

        /// The master does a step; what the slave said by the end of a byte's time.
        fn step(&mut self, step: I2cSignal) -> Vec<I2cSignal> {
            self.i2c.i2c(&mut self.bench.cx(), SDA, step);
            self.wait()
        }

        fn wait(&mut self) -> Vec<I2cSignal> {
            let until = self.bench.now + BIT * 10;
            self.bench.run_to(&mut self.i2c, until);
            let said = self.bench.pins.edges().drain(..);
            said.filter_map(|edge| if let Signal::I2c(step) = edge.signal { Some(step) } else { None }).collect()
        }

        fn start(&mut self, byte: u8) -> Vec<I2cSignal> {
            self.step(I2cSignal::Start { address: byte >> 1, read: byte & 1 == 1, bit: BIT })
        }

        /// Takes note of a start or stop as a driver does: the flag first, IICIF then.
        fn clear(&mut self) {
            let flt = self.read(FLT);
            self.write(FLT, flt);
            self.write(S, 0x02);
        }
    }

    #[test]
    fn registers_have_their_reset_values() {
        let (mut bench, mut i2c) = (Bench::default(), I2c::new(SPEC));
        assert_eq!([A1, C1, S, C2, FLT, A2, S2].map(|at| bench.read(&mut i2c, at)), [0, 0, 0x80, 0, 0, 0xC2, 0x01]);
    }

    #[test]
    fn a_range_of_addresses_is_acknowledged_and_its_neighbours_are_not() {
        for (address, mine) in [(0x6F, false), (0x70, true), (0x71, true), (0x72, true), (0x73, false), (0, false)] {
            let said = Bus::new().start(address << 1);
            assert_eq!(said, if mine { vec![I2cSignal::Answer(true)] } else { vec![] }, "{address:#x}");
        }
    }

    #[test]
    fn the_master_waits_until_software_has_read_each_byte() {
        let mut bus = Bus::new();
        bus.start(0xE0);
        assert!(bus.i2c.irq());
        assert_eq!(bus.read(S), u32::from(S_TCF | S_IAAS | S_BUSY | S_RAM | S_IICIF));
        assert_eq!(bus.step(I2cSignal::Write(0x10)), [I2cSignal::Hold]);
        bus.clear();
        bus.write(C1, 0xC2);
        assert_eq!(bus.read(S) & u32::from(S_IAAS), 0, "a write to C1 clears IAAS");
        assert_eq!(bus.read(D), 0xE0, "the address that matched");
        assert!(!bus.i2c.irq());
        assert_eq!(bus.wait(), [I2cSignal::Answer(true)]);
        assert!(bus.i2c.irq());
        bus.write(S, 0x02);
        assert_eq!(bus.read(D), 0x10);
        // Nothing is in the way of the next byte.
        assert_eq!(bus.step(I2cSignal::Write(0x11)), [I2cSignal::Answer(true)]);
        bus.write(S, 0x02);
        // The stop comes only when the last byte has been read.
        bus.step(I2cSignal::Stop);
        assert_eq!(bus.read(FLT) & u32::from(FLT_STOPF), 0);
        assert_eq!(bus.read(D), 0x11);
        assert_eq!((bus.read(FLT) & u32::from(FLT_STOPF), bus.read(S) & u32::from(S_BUSY)), (u32::from(FLT_STOPF), 0));
        assert!(bus.i2c.irq());
        bus.clear();
        assert!(!bus.i2c.irq());
    }

    #[test]
    fn a_byte_that_software_writes_is_sent_and_rxak_tells_of_the_last_one() {
        let mut bus = Bus::new();
        bus.start(0xE5);
        assert_eq!(bus.read(S) & u32::from(S_SRW), u32::from(S_SRW));
        assert_eq!(bus.step(I2cSignal::Read), [I2cSignal::Hold]);
        bus.write(C1, 0xD2);
        assert_eq!(bus.read(D), 0xE5);
        assert_eq!(bus.wait(), [], "in TX mode only a write goes on");
        bus.write(D, 0x20);
        assert_eq!(bus.wait(), [I2cSignal::Data(0x20)]);
        bus.write(S, 0x02);
        bus.step(I2cSignal::Acknowledge(true));
        assert!(bus.i2c.irq());
        assert_eq!(bus.read(S) & u32::from(S_TCF | S_RXAK), u32::from(S_TCF));
        bus.write(D, 0x39);
        assert_eq!(bus.step(I2cSignal::Read), [I2cSignal::Data(0x39)]);
        bus.step(I2cSignal::Acknowledge(false));
        assert_eq!(bus.read(S) & u32::from(S_RXAK), u32::from(S_RXAK));
        // Software goes back to receiving, and a read of D lets the bus go.
        bus.write(C1, 0xC2);
        bus.read(D);
        bus.step(I2cSignal::Stop);
        assert_eq!(bus.read(FLT) & u32::from(FLT_STOPF), u32::from(FLT_STOPF));
        // The next address is acknowledged, by the slave itself.
        bus.start(0xE0);
        assert_eq!(bus.read(S) & u32::from(S_RXAK), 0);
    }

    #[test]
    fn others_starts_and_stops_interrupt_only_with_ssie() {
        let mut bus = Bus::new();
        bus.write(FLT, 0x00);
        assert_eq!(bus.start(0x20), []);
        assert_eq!((bus.read(FLT), bus.i2c.irq()), (FLT_STARTF.into(), false));
        bus.step(I2cSignal::Stop);
        assert!(!bus.i2c.irq());
    }

    #[test]
    fn a_slave_that_is_switched_off_lets_go_of_the_clock_and_answers_nobody() {
        let mut bus = Bus::new();
        bus.start(0xE0);
        assert_eq!(bus.step(I2cSignal::Write(1)), [I2cSignal::Hold]);
        bus.write(C1, 0x00);
        assert_eq!(bus.wait(), [I2cSignal::Answer(false)]);
        assert_eq!(bus.start(0xE0), []);
    }
}
