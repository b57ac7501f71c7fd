//! The reset button, and what wakes a chip that is powered down.

use twinboard_sim::wire::{Drive, Signal};

use super::shared::{Core, pins};

/// A press of so many ticks of 30 ms is a long one.
const LONG: u16 = 80;

/// What a person did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Press {
    Began,
    Ended {
        /// It was held for 2.4 s or more.
        long: bool,
    },
}

/// The button, looked after every 30 ms.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Button {
    /// Ticks since the press began.
    held: Option<u16>,
}

impl Button {
    /// A tick has passed.
    pub fn tick(&mut self, pressed: bool) -> Option<Press> {
        match (self.held, pressed) {
            (None, true) => {
                self.held = Some(0);
                Some(Press::Began)
            }
            (Some(held), true) => {
                self.held = Some(held.saturating_add(1));
                None
            }
            (Some(held), false) => {
                self.held = None;
                Some(Press::Ended { long: held >= LONG })
            }
            (None, false) => None,
        }
    }
}

/// Why a chip that was powered down starts again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wake {
    /// The reset button.
    Button,
    /// A USB cable was plugged in.
    Usb,
}

impl Core {
    /// Powers the chip down: nothing works but what wakes it.
    pub(super) async fn sleep(&mut self) -> Wake {
        self.io.switch_i2c(false);
        self.io.i2c.clear();
        self.io.interrupt_target(false);
        self.io.send(pins::LED, Signal::Drive(Drive::Released));
        self.io.set(pins::POWER_LED, !self.requests.dark_asleep);
        let was_supplied = self.power.usb();
        loop {
            self.clock.notified().await;
            if self.io.button() {
                return Wake::Button;
            }
            if self.power.usb() && !was_supplied {
                return Wake::Usb;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_of_2_4_seconds_is_a_long_one() {
        for (ticks, long) in [(80, false), (81, true)] {
            let mut button = Button::default();
            assert_eq!(button.tick(true), Some(Press::Began));
            for _ in 1..ticks {
                assert_eq!(button.tick(true), None);
            }
            assert_eq!(button.tick(false), Some(Press::Ended { long }));
            assert_eq!(button.tick(false), None);
        }
    }
}
