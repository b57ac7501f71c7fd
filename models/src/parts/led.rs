//! A single LED on a chip's pin, as the eye sees it.
//!
//! The eye averages over some moments: three whole turns of the slowest PWM that dims one here (20.4 ms, the red LED of
//! a micro:bit V2.2x). Pulses that a chip tells one by one and pulses that it tells as period and high time count alike.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{Drive, Edge, PinId, Signal};

use super::PinObserver;
use super::led_matrix::seen;

/// What the eye averages over.
const WINDOW: Span = Span::us(61_200);
/// The window is cut into so many bins; one more is being filled.
const BINS: u64 = 60;
const BIN: u64 = WINDOW.0 / BINS;
/// An LED that is lit all the time.
const FULL: u64 = 1_000_000;

/// An LED, fed with what its pin does.
#[derive(Debug)]
pub struct Led {
    /// The level at which it is lit.
    lit_high: bool,
    /// The part of the time that it is lit now, in millionths.
    light: u64,
    /// Light is added up until here, in ps.
    since: u64,
    /// Millionths of picoseconds lit, by bin.
    bins: [u64; BINS as usize + 1],
}

impl Led {
    /// A dark LED between a pin and ground, or between the supply and a pin (`lit_high` = false).
    #[must_use]
    pub fn new(lit_high: bool) -> Led {
        Led { lit_high, light: 0, since: 0, bins: [0; BINS as usize + 1] }
    }

    /// Its pin does this from `at` on.
    pub fn drive(&mut self, at: Time, drive: Drive) {
        self.pass(at);
        let lit = drive == if self.lit_high { Drive::High } else { Drive::Low };
        self.light = if lit { FULL } else { 0 };
    }

    /// From `at` on its pin is high for `high` of each `period`.
    pub fn pulses(&mut self, at: Time, period: Span, high: Span) {
        self.pass(at);
        let high = (u128::from(high.0.min(period.0)) * u128::from(FULL) / u128::from(period.0.max(1))) as u64;
        self.light = if self.lit_high { high } else { FULL - high };
    }

    /// The part of the time until `at` that it was lit, in thousandths.
    pub fn permille(&mut self, at: Time) -> u16 {
        self.pass(at);
        let filling = (self.since / BIN % (BINS + 1)) as usize;
        let bins = self.bins.iter().enumerate().filter(|(bin, _)| *bin != filling);
        let lit: u64 = bins.map(|(_, lit)| lit).sum();
        ((lit + BIN * BINS / 2 * (FULL / 1_000)) / (BIN * BINS * (FULL / 1_000))) as u16
    }

    /// Adds up light until `at`. The bin of the present is always clean from its beginning.
    fn pass(&mut self, at: Time) {
        let bins = BINS + 1;
        if at.0.saturating_sub(self.since) > bins * BIN {
            // What is older than the window does not matter any more.
            self.since = at.0 - bins * BIN;
            self.bins[(self.since / BIN % bins) as usize] = 0;
        }
        while self.since < at.0 {
            let bin = self.since / BIN;
            let end = at.0.min((bin + 1) * BIN);
            self.bins[(bin % bins) as usize] += (end - self.since) * self.light;
            if end == (bin + 1) * BIN {
                self.bins[((bin + 1) % bins) as usize] = 0;
            }
            self.since = end;
        }
    }
}

/// What the eye sees of an LED that is lit for so many thousandths of the time: 0 (dark) to 9.
#[must_use]
pub fn level(permille: u16) -> u8 {
    seen(u64::from(permille) * 1_000, FULL)
}

/// An LED that a chip's thread feeds and others look at. Clones are the same LED.
#[derive(Clone, Debug)]
pub struct SharedLed(Arc<Mutex<Led>>);

impl SharedLed {
    /// Shares `led`.
    #[must_use]
    pub fn new(led: Led) -> SharedLed {
        SharedLed(Arc::new(Mutex::new(led)))
    }

    /// See [`Led::permille`].
    #[must_use]
    pub fn permille(&self, at: Time) -> u16 {
        self.0.lock().permille(at)
    }

    /// Nothing drives its pin any more.
    pub fn release(&self, at: Time) {
        self.0.lock().drive(at, Drive::Released);
    }

    /// An end of it on this pin of a chip.
    #[must_use]
    pub fn on(&self, pin: PinId) -> LedOnPin {
        LedOnPin { led: self.clone(), pin }
    }
}

/// An LED on a pin.
#[derive(Clone, Debug)]
pub struct LedOnPin {
    led: SharedLed,
    /// Which pin it is on.
    pub pin: PinId,
}

impl PinObserver for LedOnPin {
    fn watches(&self, pin: PinId) -> bool {
        pin == self.pin
    }

    fn edge(&mut self, edge: &Edge) {
        if let Signal::Drive(drive) = edge.signal {
            self.led.0.lock().drive(edge.at, drive);
        }
    }

    fn pulses(&mut self, at: Time, _: PinId, period: Span, high: Span) {
        self.led.0.lock().pulses(at, period, high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Time {
        Time::ZERO + Span::ms(ms)
    }

    #[test]
    fn pulses_told_one_by_one_and_told_as_a_duty_cycle_look_alike() {
        let (mut edges, mut duty) = (Led::new(true), Led::new(true));
        // 50 of 255 parts of 20.4 ms.
        for turn in 0..10u64 {
            let start = Time::ZERO + Span::us(20_400 * turn);
            edges.drive(start, Drive::High);
            edges.drive(start + Span::ms(4), Drive::Low);
        }
        duty.pulses(Time::ZERO, Span::us(20_400), Span::ms(4));
        for at in 170..190 {
            assert!(edges.permille(ms(at)).abs_diff(196) <= 17, "{at}: one bin of the window");
            assert_eq!(duty.permille(ms(at)), 196);
        }
        assert_eq!(level(196), 4, "((4 - 0.5) / 9)^2.2 = 0.125, ((5 - 0.5) / 9)^2.2 = 0.218");
    }

    #[test]
    fn an_led_to_the_supply_is_lit_by_a_low_pin_and_dark_without_anybody() {
        let mut led = Led::new(false);
        led.drive(Time::ZERO, Drive::Low);
        assert_eq!(led.permille(ms(100)), 1_000);
        led.drive(ms(100), Drive::High);
        assert_eq!(led.permille(ms(200)), 0);
        led.pulses(ms(200), Span::us(100), Span::us(25));
        assert_eq!(led.permille(ms(300)), 750);
        led.drive(ms(300), Drive::Released);
        assert_eq!(led.permille(ms(5_000)), 0);
    }

    #[test]
    fn light_fades_with_the_window_behind_the_eye() {
        let mut led = Led::new(true);
        led.drive(Time::ZERO, Drive::High);
        led.drive(ms(100), Drive::Low);
        assert!(led.permille(ms(130)).abs_diff(510) <= 18, "half of the last 61 ms");
        assert_eq!(led.permille(ms(163)), 0);
    }
}
