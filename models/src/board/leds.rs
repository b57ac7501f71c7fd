//! The LEDs of a board that stand alone.

use toml::Spanned;
use twinboard_sim::machine::Machine;
use twinboard_sim::time::Time;
use twinboard_sim::wire::PinId;

use super::build::PowerOn;
use super::file::{BoardError, BoardFile, PressedLevel};
use super::interface::{self, Found};
use super::powered::{Model, Powered};
use crate::parts::led::{Led, LedOnPin, SharedLed};

/// An LED of a board under power.
#[derive(Clone, Debug)]
pub(super) struct BoardLed {
    pub(super) name: String,
    pub(super) colour: String,
    pub(super) led: SharedLed,
    /// The chip that lights it.
    chip: usize,
    /// The pin that it is on; none if the chip has it only when it is emulated.
    pin: Option<PinId>,
    /// The pin of the chip that may take the native one's place.
    successor: Option<PinId>,
}

impl BoardFile {
    /// Makes the LEDs and puts them on the pins of chips that are numbered as in `chips`.
    pub(super) fn attach_leds(
        &self,
        options: &PowerOn<'_>,
        chips: &[(String, Model)],
    ) -> Result<Vec<BoardLed>, BoardError> {
        let leds = self.leds.iter().map(|entry| {
            let lit_high = entry.lit == PressedLevel::High;
            let (chip, pin, successor) = self.led_pin(options, chips, &entry.pin)?;
            let led = BoardLed {
                name: entry.name.as_ref().clone(),
                colour: entry.colour.clone(),
                led: SharedLed::new(Led::new(lit_high)),
                chip,
                pin,
                successor,
            };
            if let (Some(end), Some((_, model))) = (led.end(), chips.get(chip)) {
                model.observe(end);
            }
            Ok(led)
        });
        leds.collect()
    }

    /// The chip of the pin that `place` names, the pin, and that of the chip's successor.
    fn led_pin(
        &self,
        options: &PowerOn<'_>,
        chips: &[(String, Model)],
        place: &Spanned<String>,
    ) -> Result<(usize, Option<PinId>, Option<PinId>), BoardError> {
        let expected = || BoardError::at(place, "a pin as CHIP.PIN was expected");
        let (name, pin) = place.as_ref().split_once('.').ok_or_else(expected)?;
        let chip = chips.iter().position(|(chip, _)| chip == name);
        let entry = self.chips.iter().find(|entry| entry.name.as_ref() == name);
        let (Some(chip), Some(entry)) = (chip, entry) else {
            return Err(BoardError::at(place, format!("there is no chip {name}")));
        };
        let found = match entry.model.as_ref().as_str() {
            "daplink" => interface::pin(entry, options, pin)?,
            model => {
                super::build::nordic_chip(model).and_then(|table| super::build::nrf5_pin(table, pin)).map(Found::Pin)
            }
        };
        match found {
            Some(Found::Pin(pin_id)) => Ok((chip, Some(pin_id), interface::successor_observed(entry, pin))),
            Some(Found::Elsewhere) => Ok((chip, None, interface::successor_observed(entry, pin))),
            None => Err(BoardError::at(place, format!("{} has no pin {pin}", entry.model.as_ref()))),
        }
    }
}

impl BoardLed {
    fn end(&self) -> Option<LedOnPin> {
        Some(self.led.on(self.pin?))
    }

    /// Its end on the chip that may take the place of chip number `chip`.
    pub(super) fn successor_of(&self, chip: usize) -> Option<LedOnPin> {
        Some(self.led.on(self.successor.filter(|_| chip == self.chip)?))
    }
}

impl Powered {
    /// The LEDs that stand alone: name, colour, and the part of the last moments that each was lit, in thousandths.
    pub fn leds(&self) -> impl Iterator<Item = (&str, &str, u16)> {
        let now = self.board.now();
        self.leds.iter().map(move |led| (led.name.as_str(), led.colour.as_str(), led.led.permille(now)))
    }

    /// They go out with the power.
    pub(super) fn darken_leds(&self, at: Time) {
        for led in &self.leds {
            led.led.release(at);
        }
    }
}
