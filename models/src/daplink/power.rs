//! The red LED of a micro:bit V2, which shows where the power comes from and how awake the board is.
//!
//! It is looked after every 30 ms. Its brightness is a number up to 255, of which the PWM gets the cube, as the eye
//! wants it (DAPLink `microbitv2.c`).

use super::i2c::comms::UsbState;

/// With a host.
const MOST: u8 = 255;
/// On a battery.
const ON_BATTERY: u8 = 100;
/// While the reset button is held, from the first moment until the press counts as a long one.
const FADE: [u8; 2] = [200, 80];
/// So many ticks make a press a long one; so many more, and the LED fades out.
pub(super) const LONG: u16 = 80;
const FADES_OUT: u16 = 120;
/// Ticks of a blink, and those at its end that are dark.
const BLINK: [u8; 2] = [10, 5];
/// In standby the brightness counts down by so many from the most, and up by so many from dark.
const STANDBY: u8 = 10;

/// What the LED shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shows {
    /// Nothing in particular.
    Power,
    /// A finger is on the button, since so many ticks; none if it is just there.
    Press(Option<u16>),
    /// A press that was too short to mean anything is over: so many ticks are left, or it has not begun to blink.
    Blink(Option<u8>),
    /// The target asked for power down, but a host is there.
    Standby,
}

/// The red LED.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PowerLed {
    shows: Shows,
    /// Its brightness while it shows nothing in particular.
    most: u8,
    brightness: u8,
    /// What is left of the PWM's duty when a very long press fades it out.
    fading: u8,
}

/// What the PWM gets for a brightness, of 255.
fn duty(brightness: u8) -> u8 {
    let cube = u32::from(brightness).pow(3);
    ((cube + 255 * 255 / 2) / (255 * 255)) as u8
}

impl PowerLed {
    /// The LED of a chip that starts on a battery alone, or not.
    #[must_use]
    pub fn new(on_battery: bool) -> PowerLed {
        let most = if on_battery { ON_BATTERY } else { MOST };
        PowerLed { shows: Shows::Power, most, brightness: most, fading: 0 }
    }

    /// The PWM's duty now, of 255.
    #[must_use]
    pub fn duty(&self) -> u8 {
        match self.shows {
            Shows::Press(Some(ticks)) if ticks > FADES_OUT => self.fading,
            _ => duty(self.brightness),
        }
    }

    /// Nothing in particular is to be shown any more.
    pub fn awake(&mut self) {
        self.shows = Shows::Power;
    }

    /// The reset button is held, and was for `ticks` before this one; none: it was just pressed.
    pub fn hold(&mut self, ticks: Option<u16>) {
        self.shows = Shows::Press(ticks.map(|ticks| ticks.saturating_add(1)));
    }

    /// The reset button was let go.
    pub fn release(&mut self, long: bool) {
        self.shows = if long { Shows::Power } else { Shows::Blink(None) };
    }

    /// The target asked for power down, but a host is there.
    pub fn stand_by(&mut self) {
        self.shows = Shows::Standby;
    }

    /// A tick has passed; the PWM's duty until the next one, of 255.
    pub fn tick(&mut self, usb: UsbState) -> u8 {
        match usb {
            UsbState::Connected => self.most = MOST,
            UsbState::Disconnected => self.most = ON_BATTERY,
            UsbState::Connecting | UsbState::Checking => {}
        }
        match self.shows {
            Shows::Power => self.brightness = self.most,
            Shows::Press(None) => self.brightness = FADE[0],
            Shows::Press(Some(ticks)) if ticks <= LONG => {
                let faded = ticks * u16::from(FADE[0] - FADE[1]) / LONG;
                self.brightness = FADE[0] - faded as u8;
            }
            Shows::Press(Some(ticks)) if ticks <= FADES_OUT => {
                self.brightness = FADE[1];
                self.fading = duty(FADE[1]);
            }
            Shows::Press(Some(_)) => self.fading = self.fading.saturating_sub(1),
            Shows::Blink(None) => {
                self.brightness = MOST;
                self.shows = Shows::Blink(Some(BLINK[0]));
            }
            Shows::Blink(Some(left)) => {
                if left - 1 == BLINK[1] {
                    self.brightness = 0;
                }
                self.shows = if left > 1 { Shows::Blink(Some(left - 1)) } else { Shows::Power };
            }
            Shows::Standby => {
                self.brightness = match self.brightness {
                    0..STANDBY => self.brightness + 1,
                    STANDBY => MOST,
                    dim if dim <= MOST - STANDBY => 0,
                    bright => bright - 1,
                };
                if usb == UsbState::Disconnected {
                    self.shows = Shows::Power;
                }
            }
        }
        self.duty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(led: &mut PowerLed, count: usize) -> Vec<u8> {
        (0..count).map(|_| led.tick(UsbState::Connected)).collect()
    }

    #[test]
    fn after_a_short_press_the_led_is_dark_for_150_ms_and_lit_again() {
        let mut led = PowerLed::new(false);
        led.release(false);
        let ticks = ticks(&mut led, 13);
        assert_eq!(ticks.iter().filter(|duty| **duty == 0).count(), 6);
        assert_eq!((ticks[4], ticks[5], ticks[10], ticks[11]), (255, 0, 0, 255));
    }

    #[test]
    fn in_standby_the_led_blinks_without_end() {
        let mut led = PowerLed::new(false);
        led.stand_by();
        let ticks = ticks(&mut led, 65);
        // Lit while the brightness goes from 254, later from 255, to 245, dark while it goes from 0 to 10.
        let lit = |part: &[u8]| part.iter().all(|duty| *duty > 220);
        let dark = |part: &[u8]| part.iter().all(|duty| *duty == 0);
        assert!(lit(&ticks[..10]) && dark(&ticks[10..21]) && lit(&ticks[21..32]) && dark(&ticks[32..43]));
        assert_eq!(ticks[21..43], ticks[43..65]);
    }

    #[test]
    fn a_press_fades_from_200_to_80_in_2_4_seconds_and_out_after_3_6() {
        let mut led = PowerLed::new(false);
        led.hold(None);
        assert_eq!(led.tick(UsbState::Connected), 123, "200^3 / 255^2");
        let mut seen = Vec::new();
        for held in 0..140 {
            led.hold(Some(held));
            seen.push(led.tick(UsbState::Connected));
        }
        assert!(seen.is_sorted_by(|a, b| a >= b));
        assert_eq!((seen[39], seen[79], seen[119], seen[120], seen[139]), (42, 8, 8, 7, 0), "140, 80 of 255");
    }

    #[test]
    fn on_a_battery_it_is_dim() {
        let mut led = PowerLed::new(true);
        assert_eq!((led.duty(), led.tick(UsbState::Checking)), (15, 15), "100^3 / 255^2");
        assert_eq!(led.tick(UsbState::Connected), 255);
        assert_eq!(led.tick(UsbState::Disconnected), 15);
    }
}
