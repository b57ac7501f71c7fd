//! The reset button, and what wakes a chip that is powered down.

use twinboard_sim::wire::{Drive, Signal};

use super::power::LONG;
use super::shared::{Core, pins};

/// What a person did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Press {
    Began,
    /// It goes on; it had lasted for so many ticks before.
    Lasts(u16),
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
                Some(Press::Lasts(held))
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
        self.io.pwm(pins::POWER_LED, if self.requests.dark_asleep { 0 } else { 255 });
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
            for held in 0..ticks - 1 {
                assert_eq!(button.tick(true), Some(Press::Lasts(held)));
            }
            assert_eq!(button.tick(false), Some(Press::Ended { long }));
            assert_eq!(button.tick(false), None);
        }
    }
}
