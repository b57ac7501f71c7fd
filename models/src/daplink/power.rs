//! Where the board's power comes from, as the interface chip can measure it, and the red LED that shows how awake it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a battery and a USB cable have, in microvolts. The supplies of these boards are exact, see `docs/fidelity.md`.
const BATTERY_UV: u32 = 3_000_000;
const USB_UV: u32 = 5_000_000;

/// The board's supplies as the chip's pins tell them. Clones are the same.
#[derive(Clone, Debug)]
pub struct PowerPins(Arc<[AtomicBool; 2]>);

impl Default for PowerPins {
    /// On a cable, without a battery.
    fn default() -> PowerPins {
        PowerPins(Arc::new([AtomicBool::new(true), AtomicBool::new(false)]))
    }
}

impl PowerPins {
    /// There is a cable, and there is a battery.
    pub fn set(&self, usb: bool, battery: bool) {
        self.0[0].store(usb, Ordering::Relaxed);
        self.0[1].store(battery, Ordering::Relaxed);
    }

    /// There is power on the USB socket.
    #[must_use]
    pub fn usb(&self) -> bool {
        self.0[0].load(Ordering::Relaxed)
    }

    fn battery(&self) -> bool {
        self.0[1].load(Ordering::Relaxed)
    }

    /// 0: none, 1: USB, 2: battery, 3: both.
    #[must_use]
    pub fn source(&self) -> u8 {
        u8::from(self.usb()) | u8::from(self.battery()) << 1
    }

    /// The battery's voltage in microvolts.
    #[must_use]
    pub fn battery_uv(&self) -> u32 {
        if self.battery() { BATTERY_UV } else { 0 }
    }

    /// The voltage of the USB socket in microvolts.
    #[must_use]
    pub fn input_uv(&self) -> u32 {
        if self.usb() { USB_UV } else { 0 }
    }
}

/// The red LED, looked after every 30 ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PowerLed {
    /// Lit.
    #[default]
    On,
    /// Dark for five ticks after a short press, once five lit ones have passed: so many ticks are left.
    Once(u8),
    /// The target asked for power down, but a host is there: eleven ticks dark, eleven lit. The tick within these.
    Standby(u8),
}

/// Ticks that the LED is lit, and then dark, in standby.
const STANDBY: u8 = 11;

impl PowerLed {
    /// After a press of the reset button that was too short to mean anything else.
    #[must_use]
    pub fn once() -> PowerLed {
        PowerLed::Once(10)
    }

    /// A tick has passed: whether the LED is lit until the next one.
    pub fn tick(&mut self) -> bool {
        match *self {
            PowerLed::On => true,
            PowerLed::Once(0) => {
                *self = PowerLed::On;
                true
            }
            PowerLed::Once(left) => {
                *self = PowerLed::Once(left - 1);
                left > 5
            }
            PowerLed::Standby(tick) => {
                *self = PowerLed::Standby((tick + 1) % (2 * STANDBY));
                tick >= STANDBY
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_short_press_the_led_is_dark_for_150_ms_and_lit_again() {
        let mut led = PowerLed::once();
        let ticks: Vec<bool> = (0..12).map(|_| led.tick()).collect();
        assert_eq!(ticks.iter().filter(|lit| !**lit).count(), 5);
        assert_eq!((ticks[4], ticks[5], ticks[9], ticks[10]), (true, false, false, true));
    }

    #[test]
    fn in_standby_the_led_blinks_without_end() {
        let mut led = PowerLed::Standby(0);
        let ticks: Vec<bool> = (0..44).map(|_| led.tick()).collect();
        assert_eq!(ticks[..22], ticks[22..]);
        assert_eq!(ticks.iter().position(|lit| *lit), Some(11));
    }

    #[test]
    fn the_power_source_counts_cable_and_battery() {
        let pins = PowerPins::default();
        assert_eq!((pins.source(), pins.input_uv(), pins.battery_uv()), (1, 5_000_000, 0));
        pins.set(false, true);
        assert_eq!((pins.source(), pins.input_uv(), pins.battery_uv()), (2, 0, 3_000_000));
        pins.set(true, true);
        assert_eq!(pins.source(), 3);
    }
}
