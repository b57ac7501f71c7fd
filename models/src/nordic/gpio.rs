//! GPIO — general purpose input/output (PS chapter "GPIO"): two ports, P0 with 32 pins and P1 with 10 or 16.
//!
//! Each port is a block of registers 0x300 apart from the next. DIR and PIN_CNF.DIR are the same bit. A pin whose level
//! is the one that SENSE waits for raises its bit in LATCH, and DETECT, which GPIOTE turns into its PORT event and
//! which wakes the chip from System OFF.

use super::peripheral::index;
use super::pins::{PinCnf, Pins};
use super::ppi::bits;

const OUT: u32 = 0x504;
const OUTSET: u32 = 0x508;
const OUTCLR: u32 = 0x50C;
const IN: u32 = 0x510;
const DIR: u32 = 0x514;
const DIRSET: u32 = 0x518;
const DIRCLR: u32 = 0x51C;
const LATCH: u32 = 0x520;
const DETECTMODE: u32 = 0x524;
const PIN_CNF: u32 = 0x700;

/// Where a port's registers begin, from its own base.
const FIRST: u32 = 0x500;
/// Distance between the register blocks of two ports.
const PORT_STRIDE: u32 = 0x300;

/// The registers of all ports.
#[derive(Debug)]
pub struct Gpio {
    out: u64,
    latch: u64,
    detectmode: [u32; 2],
    /// How many pins each port has.
    ports: [u8; 2],
    /// LATCH and DETECTMODE are there.
    latches: bool,
}

impl Gpio {
    /// The GPIO block of a chip whose ports have `ports` pins; with LATCH and DETECTMODE if it `latches`.
    #[must_use]
    pub fn new(ports: [u8; 2], latches: bool) -> Gpio {
        Gpio { out: 0, latch: 0, detectmode: [0; 2], ports, latches }
    }

    /// The port and register at `offset` from P0's base. A port's registers begin at 0x500 from its own base.
    #[inline]
    fn locate(&self, offset: u32) -> Option<(u32, u32)> {
        let port = u32::from(offset >= FIRST + PORT_STRIDE);
        (offset >= FIRST && self.ports[port as usize] > 0).then_some((port, offset - port * PORT_STRIDE))
    }

    /// Reads the register at `offset` from P0's base address.
    #[must_use]
    pub fn read(&self, all: &Pins, now: u64, offset: u32) -> Option<u32> {
        let (port, register) = self.locate(offset)?;
        let collect = |f: &dyn Fn(u8) -> bool| {
            (0..self.ports[port as usize]).fold(0, |word, n| word | u32::from(f(port as u8 * 32 + n)) << n)
        };
        Some(match register {
            OUT | OUTSET | OUTCLR => (self.out >> (32 * port)) as u32,
            IN => (all.inputs(now) >> (32 * port)) as u32,
            DIR | DIRSET | DIRCLR => collect(&|pin| all.cnf(pin).output()),
            LATCH | DETECTMODE if !self.latches => return None,
            LATCH => (self.latch >> (32 * port)) as u32,
            DETECTMODE => self.detectmode[port as usize],
            _ => {
                let n = index(register, PIN_CNF, 4, 32)?;
                all.cnf(port as u8 * 32 + n as u8).0
            }
        })
    }

    /// Writes the register at `offset` from P0's base address. Whether that can change what is sensed, other than by a pin's
    /// level.
    #[inline]
    pub fn write(&mut self, all: &mut Pins, now: u64, offset: u32, value: u32) -> Option<bool> {
        let (port, register) = self.locate(offset)?;
        let (shift, pins) = (32 * port, u32::from(self.ports[port as usize]));
        let present = if pins == 32 { u32::MAX } else { (1 << pins) - 1 };
        let out = (self.out >> shift) as u32;
        match register {
            OUT => self.set_out(all, now, port, value & present),
            OUTSET => self.set_out(all, now, port, (out | value) & present),
            OUTCLR => self.set_out(all, now, port, out & !value),
            DIR => set_dir(all, now, port, value, present),
            DIRSET => set_dir(all, now, port, value, value & present),
            DIRCLR => set_dir(all, now, port, 0, value & present),
            LATCH | DETECTMODE if !self.latches => return None,
            LATCH => {
                self.latch &= !(u64::from(value) << shift);
                // "The LATCH bit is set again at once if the condition is still met."
                self.sense(all, now, u64::from(value) << shift);
            }
            DETECTMODE => self.detectmode[port as usize] = value & 1,
            IN => {}
            _ => {
                // Start-up code writes all 32, also where the package has no pin.
                let pin = shift as usize + index(register, PIN_CNF, 4, 32)?;
                if present >> (pin % 32) & 1 == 1 {
                    all.set_cnf(now, pin as u8, PinCnf(value & 0x0003_070F));
                    self.sense(all, now, 1 << pin);
                }
            }
        }
        Some(register >= LATCH)
    }

    #[inline]
    fn set_out(&mut self, all: &mut Pins, now: u64, port: u32, value: u32) {
        let shift = 32 * port;
        let mut changed = (self.out >> shift) as u32 ^ value;
        self.out = self.out & !(u64::from(u32::MAX) << shift) | u64::from(value) << shift;
        while changed != 0 {
            let n = changed.trailing_zeros();
            all.set_out(now, (shift + n) as u8, value >> n & 1 == 1);
            changed &= changed - 1;
        }
    }

    /// The pins in `pins` may have changed their level or their SENSE: latches those that meet it.
    pub fn sense(&mut self, all: &Pins, now: u64, mut pins: u64) {
        pins &= all.sensing();
        while pins != 0 {
            let pin = pins.trailing_zeros() as u8;
            if sensed(all, now, pin) {
                self.latch |= 1 << pin;
            }
            pins &= pins - 1;
        }
    }

    /// DETECT of the whole chip: some pin meets its SENSE (or, with DETECTMODE = LDETECT, has met it).
    #[must_use]
    pub fn detect(&self, pins: &Pins, now: u64) -> bool {
        if pins.sensing() == 0 && self.latch == 0 {
            return false;
        }
        (0..2).any(|port| {
            if self.detectmode[port] == 1 {
                (self.latch >> (32 * port)) as u32 != 0
            } else {
                bits((pins.sensing() >> (32 * port)) as u32).any(|n| sensed(pins, now, (32 * port as u32 + n) as u8))
            }
        })
    }

    /// Reset values; the pins are reset apart from this.
    pub fn reset(&mut self) {
        *self = Gpio::new(self.ports, self.latches);
    }
}

fn sensed(pins: &Pins, now: u64, pin: u8) -> bool {
    pins.cnf(pin).sense().is_some_and(|level| pins.input(now, pin) == level)
}

fn set_dir(all: &mut Pins, now: u64, port: u32, value: u32, mut mask: u32) {
    while mask != 0 {
        let n = mask.trailing_zeros();
        let pin = (32 * port + n) as u8;
        let cnf = all.cnf(pin).0 & !1 | (value >> n & 1);
        all.set_cnf(now, pin, PinCnf(cnf));
        mask &= mask - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinboard_sim::wire::Drive;

    const P1: u32 = 0x300;

    #[test]
    fn dir_mirrors_pin_cnf_both_ways() {
        let (mut pins, mut gpio) = (Pins::new(42), Gpio::new([32, 10], true));
        gpio.write(&mut pins, 0, DIRSET, 1 << 21);
        assert_eq!(gpio.read(&pins, 0, PIN_CNF + 4 * 21), Some(0x3), "reset value 2 and DIR");
        gpio.write(&mut pins, 0, PIN_CNF + 4 * 21, 0x2);
        assert_eq!(gpio.read(&pins, 0, DIR), Some(0));
    }

    #[test]
    fn in_reads_0_until_the_input_buffer_is_connected() {
        let (mut pins, mut gpio) = (Pins::new(42), Gpio::new([32, 10], true));
        pins.outside(33, Drive::High);
        assert_eq!(gpio.read(&pins, 0, P1 + IN), Some(0));
        gpio.write(&mut pins, 0, P1 + PIN_CNF + 4, 0);
        assert_eq!(gpio.read(&pins, 0, P1 + IN), Some(1 << 1));
    }

    #[test]
    fn outset_and_outclr_change_only_the_bits_that_are_written() {
        let (mut pins, mut gpio) = (Pins::new(42), Gpio::new([32, 10], true));
        gpio.write(&mut pins, 0, OUT, 0b1100);
        gpio.write(&mut pins, 0, OUTSET, 0b0001);
        gpio.write(&mut pins, 0, OUTCLR, 0b0100);
        assert_eq!(gpio.read(&pins, 0, OUTSET), Some(0b1001));
    }

    #[test]
    fn a_sensed_level_is_latched_and_latched_again_while_it_lasts() {
        let (mut pins, mut gpio) = (Pins::new(42), Gpio::new([32, 10], true));
        gpio.write(&mut pins, 0, PIN_CNF + 4 * 5, 2 << 16);
        assert!(!gpio.detect(&pins, 0));
        pins.outside(5, Drive::High);
        let changed = pins.take_changed();
        gpio.sense(&pins, 0, changed);
        assert!(gpio.detect(&pins, 0));
        gpio.write(&mut pins, 0, LATCH, 1 << 5);
        assert_eq!(gpio.read(&pins, 0, LATCH), Some(1 << 5), "the condition is still met");
        pins.outside(5, Drive::Low);
        gpio.write(&mut pins, 0, LATCH, 1 << 5);
        assert_eq!(gpio.read(&pins, 0, LATCH), Some(0));
    }

    #[test]
    fn pins_that_the_port_does_not_have_keep_no_value() {
        let (mut pins, mut gpio) = (Pins::new(42), Gpio::new([32, 10], true));
        gpio.write(&mut pins, 0, P1 + OUT, u32::MAX);
        assert_eq!(gpio.read(&pins, 0, P1 + OUT), Some(0x3FF));
        gpio.write(&mut pins, 0, P1 + PIN_CNF + 4 * 10, 1);
        assert_eq!(gpio.read(&pins, 0, P1 + PIN_CNF + 4 * 10), Some(2));
    }
}
