//! Two pins of a chip as a probe's end of the SWD wire.
//!
//! Firmware that bangs pins makes a wire of two levels; the wire's contract counts rising edges of SWCLK. This stands
//! between them. What the target drives comes back as the level of SWDIO.

use twinboard_sim::debug::SwdWire;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;

/// What two pins of a chip make of an [`SwdWire`].
pub struct SwdPins {
    wire: Box<dyn SwdWire>,
    /// SWDIO was high at the last change.
    level: bool,
    /// SWCLK is high. Nobody but the probe drives it; a released one is held low by the target's pull-down.
    high: bool,
    swdio: Drive,
    reset: bool,
    /// SWDIO is the target's reset input too.
    shared_reset: bool,
}

/// A target whose reset input is SWDIO is reset when both wires are held low for so long (nRF51 series reference manual,
/// "POWER": at least 100 µs).
pub const SHARED_RESET: Span = Span::us(100);

impl std::fmt::Debug for SwdPins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SwdPins").field("swclk", &self.high).field("swdio", &self.swdio).finish_non_exhaustive()
    }
}

impl SwdPins {
    /// Both pins released, on `wire`.
    #[must_use]
    pub fn new(wire: Box<dyn SwdWire>) -> SwdPins {
        let mut pins =
            SwdPins { wire, level: false, high: false, swdio: Drive::Released, reset: false, shared_reset: false };
        pins.look();
        pins
    }

    /// The same where the target's reset input is SWDIO too: both wires held low for [`SHARED_RESET`] are a reset. Whoever
    /// drives the pins keeps the time.
    #[must_use]
    pub fn with_shared_reset(mut self, shared: bool) -> SwdPins {
        self.shared_reset = shared;
        self
    }

    /// Whether what the pins do now is a reset, if it lasts for [`SHARED_RESET`].
    #[inline]
    #[must_use]
    pub fn may_reset(&self) -> bool {
        self.shared_reset && !self.high && self.swdio == Drive::Low
    }

    /// The wires are not held low any more: a reset that came of that is over.
    #[inline]
    pub fn release_shared_reset(&mut self, at: Time) {
        if self.shared_reset {
            self.reset_pin(at, false);
        }
    }

    /// What the chip does to the two pins from `at` on. If both change at once, the data line's change comes first: the
    /// target's set-up time is not modelled.
    #[inline]
    pub fn drive(&mut self, at: impl FnOnce() -> Time, swclk: Drive, swdio: Drive) {
        let changes = self.swdio != swdio;
        self.swdio = swdio;
        let high = matches!(swclk, Drive::High | Drive::PullUp);
        if high && !self.high {
            self.level = self.wire.clock(at(), swdio);
        } else if changes {
            self.look();
        }
        self.high = high;
    }

    fn look(&mut self) {
        self.level = self.wire.level(self.swdio);
    }

    /// The level of SWDIO as the chip's input sees it now. The target changes what it drives at a rising edge of SWCLK only.
    #[inline]
    pub fn level(&self) -> bool {
        self.level
    }

    /// What the chip does to the target's reset input, where a pin of it is wired there; true holds the target in reset.
    pub fn reset_pin(&mut self, at: Time, asserted: bool) {
        if self.reset != asserted {
            self.reset = asserted;
            self.wire.reset_pin(at, asserted);
        }
    }

    /// Chip and target lost their supply and have it back.
    pub fn power_cycle(&mut self) {
        (self.high, self.swdio, self.reset) = (false, Drive::Released, false);
        self.wire.power_cycle();
        self.look();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use twinboard_sim::debug::{SwdRequest, SwdTiming, SwdTransfer};

    use super::*;

    /// Writes down what it is clocked with; its target drives low all the time.
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<(u64, Drive)>>>);

    impl SwdWire for Notes {
        fn clock(&mut self, at: Time, swdio: Drive) -> bool {
            self.0.lock().push((at.0, swdio));
            self.level(swdio)
        }
        fn transfer(&mut self, _: Time, _: &SwdTiming, _: SwdRequest, _: u32) -> (SwdTransfer, Span) {
            unreachable!("pins do not make transfers")
        }
        fn reset_pin(&mut self, _: Time, _: bool) {}
        fn level(&mut self, swdio: Drive) -> bool {
            swdio == Drive::High
        }
    }

    #[test]
    fn every_rising_edge_clocks_the_wire_once_with_what_the_data_line_is_then() {
        let notes = Notes::default();
        let mut pins = SwdPins::new(Box::new(notes.clone()));
        pins.drive(|| Time(1), Drive::Low, Drive::High);
        pins.drive(|| Time(2), Drive::High, Drive::High);
        pins.drive(|| Time(3), Drive::High, Drive::Low);
        pins.drive(|| Time(4), Drive::Low, Drive::Low);
        pins.drive(|| Time(5), Drive::High, Drive::Released);
        assert_eq!(*notes.0.lock(), [(2, Drive::High), (5, Drive::Released)]);
    }

    #[test]
    fn the_data_line_reads_what_is_on_the_wire() {
        let mut pins = SwdPins::new(Box::new(Notes::default()));
        pins.drive(|| Time(1), Drive::Low, Drive::High);
        assert!(pins.level());
        pins.drive(|| Time(2), Drive::Low, Drive::Released);
        assert!(!pins.level());
    }
}
