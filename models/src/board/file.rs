//! Board files: chips, wires, buttons and lamps as TOML. Anybody can write one.
//!
//! ```toml
//! name = "my-board"
//! title = "My board"
//!
//! [[chip]]
//! name = "interface"
//! model = "daplink"          # native interface firmware
//! settings = { automation = true }
//!
//! [[chip]]
//! name = "target"
//! model = "nrf52833"
//! probe = "interface"        # whose SWD wires go to this chip
//!
//! [[net]]
//! name = "UART_RX"
//! pins = ["interface.UART_TX", "target.P1.08"]
//!
//! [[button]]
//! name = "A"
//! net = "BUTTON_A"
//! pressed = "low"
//! ```

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::i2c::I2cEntry;
use super::parts::{MicrophoneEntry, SpeakerEntry, TouchEntry};

/// A board file as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardFile {
    /// Short name, as used on the command line.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// The chips.
    #[serde(rename = "chip")]
    pub chips: Vec<ChipEntry>,
    /// The wires.
    #[serde(default, rename = "net")]
    pub nets: Vec<NetEntry>,
    /// The I2C buses with their sensors.
    #[serde(default)]
    pub i2c: Vec<I2cEntry>,
    /// The buttons.
    #[serde(default, rename = "button")]
    pub buttons: Vec<ButtonEntry>,
    /// The jumpers, and other places where a person connects a wire to ground.
    #[serde(default, rename = "jumper")]
    pub jumpers: Vec<JumperEntry>,
    /// The contacts of the edge connector: the name as printed on the board, and the pin behind it as `chip.pin`.
    #[serde(default, rename = "edge-connector")]
    pub edge: BTreeMap<String, Spanned<String>>,
    /// The speaker.
    pub speaker: Option<SpeakerEntry>,
    /// The microphone.
    pub microphone: Option<MicrophoneEntry>,
    /// The touch pads.
    pub touch: Option<TouchEntry>,
    /// The LEDs that stand alone.
    #[serde(default, rename = "led")]
    pub leds: Vec<LedEntry>,
    /// The lamps that form a picture.
    #[serde(rename = "led-matrix")]
    pub matrix: Option<MatrixEntry>,
}

/// A chip.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChipEntry {
    /// Name on this board.
    pub name: Spanned<String>,
    /// Which model it is.
    pub model: Spanned<String>,
    /// The chip whose SWD wires go to this one.
    pub probe: Option<Spanned<String>>,
    /// Settings of the model; `--set CHIP.KEY=VALUE` overrides them.
    #[serde(default)]
    pub settings: BTreeMap<String, Spanned<toml::Value>>,
    /// The chip that native firmware stands for: it takes the native one's place when it is given a program.
    pub emulated: Option<EmulatedEntry>,
}

/// The chip that native firmware stands for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmulatedEntry {
    /// Which model it is.
    pub model: Spanned<String>,
    /// Which of its pins each signal is on: the native chip's pins, and those that only the emulated one has.
    pub pins: BTreeMap<String, Spanned<String>>,
    /// The divider through which it measures the battery, between the pins of RUN_VBAT_SENSE and VMON_BAT.
    pub battery: Option<BatteryEntry>,
}

/// A divider that is switched on by a pin, with a capacitor behind it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatteryEntry {
    /// The battery's voltage over that behind the divider.
    pub divider: f64,
    /// Its resistance times the capacitance, in microseconds.
    pub time_constant_us: u32,
}

/// An LED of the board.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedEntry {
    /// Name, as people call it.
    pub name: Spanned<String>,
    /// Its colour.
    pub colour: String,
    /// The pin that lights it, as `chip.pin`.
    pub pin: Spanned<String>,
    /// The level at which it is lit.
    pub lit: PressedLevel,
}

/// A wire.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetEntry {
    /// Name, as in the schematic.
    pub name: Spanned<String>,
    /// The pins on it, each as `chip.pin`.
    pub pins: Vec<Spanned<String>>,
    /// A resistor on the board.
    pub pull: Option<Pull>,
}

/// Where a resistor pulls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pull {
    /// To the supply.
    Up,
    /// To ground.
    Down,
}

/// A button, or anything else that a person switches.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ButtonEntry {
    /// Name, as printed on the board.
    pub name: Spanned<String>,
    /// The wire it sits on.
    pub net: Spanned<String>,
    /// What it does to the wire while pressed.
    pub pressed: PressedLevel,
}

/// A jumper, or a test point that a person grounds. Unlike a button it is as it is when the board gets its power.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JumperEntry {
    /// Name, as printed on the board; `--set NAME=STATE` sets it.
    pub name: Spanned<String>,
    /// The wire it sits on.
    pub net: Spanned<String>,
    /// Where it is at power-on.
    #[serde(default)]
    pub state: JumperState,
}

/// Where a jumper is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JumperState {
    /// It connects nothing.
    #[default]
    Open,
    /// It connects the wire to ground.
    Ground,
}

/// What a pressed button does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PressedLevel {
    /// Connects the wire to ground.
    Low,
    /// Connects the wire to the supply.
    High,
}

/// An LED matrix: an LED between each row (anode) and each column (cathode).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatrixEntry {
    /// Row pins from top to bottom, each as `chip.pin`.
    pub rows: Vec<Spanned<String>>,
    /// Column pins from left to right, each as `chip.pin`.
    pub columns: Vec<Spanned<String>>,
    /// Where the LEDs of the picture are, if its rows and columns are not the matrix's: lines from top to bottom, each
    /// from left to right, as `ROW.COLUMN` counted from 1.
    pub leds: Option<Vec<Vec<Spanned<String>>>>,
    /// How many milliseconds the eye averages over: whole turns of the usual programs. Default: 50.
    pub average_ms: Option<Spanned<u64>>,
}

/// What is wrong with a board file, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct BoardError {
    /// What is wrong and what was expected.
    pub message: String,
    /// The place: a range of bytes of the file's text. None for what came from elsewhere (`--set`).
    pub span: Option<Range<usize>>,
}

impl BoardError {
    pub(super) fn at<T>(place: &Spanned<T>, message: impl Into<String>) -> BoardError {
        BoardError { message: message.into(), span: Some(place.span()) }
    }

    pub(super) fn anywhere(message: impl Into<String>) -> BoardError {
        BoardError { message: message.into(), span: None }
    }
}

/// The largest board file, in bytes.
pub const MAX_FILE: usize = 1 << 20;

/// The most chips that a board can have.
pub const MAX_CHIPS: usize = 16;

impl BoardFile {
    /// Parses a board file's text and checks that its names fit together.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<BoardFile, BoardError> {
        if text.len() > MAX_FILE {
            return Err(BoardError::anywhere(format!("a board file of at most {MAX_FILE} bytes was expected")));
        }
        let file: BoardFile = toml::from_str(text)
            .map_err(|error| BoardError { message: error.message().to_string(), span: error.span() })?;
        file.check()?;
        Ok(file)
    }

    fn check(&self) -> Result<(), BoardError> {
        if let Some(chip) = self.chips.get(MAX_CHIPS) {
            return Err(BoardError::at(&chip.name, format!("{MAX_CHIPS} chips at most were expected")));
        }
        unique("chip", self.chips.iter().map(|chip| &chip.name))?;
        unique("chip or bus", self.chips.iter().map(|chip| &chip.name).chain(self.i2c.iter().map(|bus| &bus.name)))?;
        unique("net", self.nets.iter().map(|net| &net.name))?;
        unique("button", self.buttons.iter().map(|button| &button.name))?;
        unique("led", self.leds.iter().map(|led| &led.name))?;
        unique("jumper", self.jumpers.iter().map(|jumper| &jumper.name))?;
        for chip in &self.chips {
            let Some(probe) = &chip.probe else { continue };
            let earlier = self.chips.iter().take_while(|other| other.name.as_ref() != chip.name.as_ref());
            if !earlier.into_iter().any(|other| other.name.as_ref() == probe.as_ref()) {
                let message =
                    format!("a chip that stands before this one was expected, there is no {}", probe.as_ref());
                return Err(BoardError::at(probe, message));
            }
        }
        let mut wired: BTreeMap<&str, &str> = BTreeMap::new();
        for net in &self.nets {
            for pin in &net.pins {
                if let Some(other) = wired.insert(pin.as_ref(), net.name.as_ref()) {
                    return Err(BoardError::at(pin, format!("{} is on net {other} already", pin.as_ref())));
                }
            }
        }
        let buttons = self.buttons.iter().map(|button| &button.net);
        for place in buttons.chain(self.jumpers.iter().map(|jumper| &jumper.net)) {
            if !self.nets.iter().any(|net| net.name.as_ref() == place.as_ref()) {
                return Err(BoardError::at(place, format!("there is no net {}", place.as_ref())));
            }
        }
        Ok(())
    }

    /// Overrides a setting: `CHIP.KEY` = a TOML value, or a string where it is not one; or `BUS.fitted`, which of its sets
    /// of sensors an I2C bus has; or `JUMPER`, `open` or `ground`.
    ///
    /// # Errors
    /// Where `assignment` is not of that form or there is no such chip.
    pub fn set(&mut self, assignment: &str) -> Result<(), BoardError> {
        if let Some((name, state)) = assignment.split_once('=')
            && let Some(jumper) = self.jumpers.iter_mut().find(|jumper| jumper.name.as_ref() == name)
        {
            jumper.state = match state {
                "open" => JumperState::Open,
                "ground" => JumperState::Ground,
                _ => return Err(BoardError::anywhere(format!("{name}: open or ground was expected, not {state}"))),
            };
            return Ok(());
        }
        let parts = assignment.split_once('=').and_then(|(key, value)| Some((key.split_once('.')?, value)));
        let Some(((chip, key), value)) = parts else {
            return Err(BoardError::anywhere(format!("CHIP.KEY=VALUE was expected, not {assignment}")));
        };
        if let Some(bus) = self.i2c.iter_mut().find(|bus| bus.name.as_ref() == chip) {
            if key != "fitted" {
                return Err(BoardError::anywhere(format!("{chip}.fitted was expected, {chip} has no setting {key}")));
            }
            bus.fitted = Some(Spanned::new(0..0, value.into()));
            return Ok(());
        }
        let names: Vec<_> = self.chips.iter().map(|entry| entry.name.as_ref().clone()).collect();
        let Some(entry) = self.chips.iter_mut().find(|entry| entry.name.as_ref() == chip) else {
            return Err(BoardError::anywhere(format!("there is no chip {chip}; this board has {}", names.join(", "))));
        };
        let parsed: Option<toml::Table> = toml::from_str(&format!("value = {value}")).ok();
        let value = parsed
            .and_then(|mut table| if table.len() == 1 { table.remove("value") } else { None })
            .unwrap_or_else(|| toml::Value::String(value.into()));
        entry.settings.insert(key.into(), Spanned::new(0..0, value));
        Ok(())
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a Spanned<String>>) -> Result<(), BoardError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name.as_ref()) {
            return Err(BoardError::at(name, format!("there is a {what} {} already", name.as_ref())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fails(text: &str) -> (String, String) {
        let error = BoardFile::parse(text).expect_err("wrong");
        (error.message, error.span.map(|span| text[span].to_string()).unwrap_or_default())
    }

    #[test]
    fn errors_name_the_place() {
        let head = "name = 'x'\ntitle = 'X'\n";
        let chip = "[[chip]]\nname = 'a'\nmodel = 'nrf52833'\n";
        let (message, place) = fails(&format!("{head}{chip}{chip}"));
        assert_eq!((message.as_str(), place.as_str()), ("there is a chip a already", "'a'"));
        let (message, place) = fails(&format!("{head}{chip}probe = 'b'"));
        assert!(message.contains("there is no b"), "{message}");
        assert_eq!(place, "'b'");
        let (_, place) = fails(&format!("{head}{chip}colour = 1"));
        assert_eq!(place, "colour");
        let (message, place) = fails(&format!("{head}{chip}[[button]]\nname='A'\nnet='N'\npressed='low'"));
        assert_eq!((message.as_str(), place.as_str()), ("there is no net N", "'N'"));
    }

    #[test]
    fn a_setting_is_a_toml_value_or_else_a_string() {
        let mut file =
            BoardFile::parse("name='x'\ntitle='X'\n[[chip]]\nname='a'\nmodel='m'").expect("a valid board file");
        for assignment in ["a.seed=7", "a.on=true", "a.version=0258-beta3"] {
            file.set(assignment).expect("valid");
        }
        let settings = &file.chips[0].settings;
        assert_eq!(settings["seed"].as_ref().as_integer(), Some(7));
        assert_eq!(settings["on"].as_ref().as_bool(), Some(true));
        assert_eq!(settings["version"].as_ref().as_str(), Some("0258-beta3"));
        assert!(file.set("b.x=1").is_err() && file.set("a.x").is_err() && file.set("ax=1").is_err());
    }

    #[test]
    fn a_jumper_is_open_or_grounds_its_net() {
        let head = "name='x'\ntitle='X'\n[[chip]]\nname='a'\nmodel='m'\n";
        let jumper = "[[jumper]]\nname='tp1'\nnet='BOOT'\n";
        let mut file = BoardFile::parse(&format!("{head}[[net]]\nname='BOOT'\npins=[]\n{jumper}")).expect("valid");
        assert_eq!(file.jumpers[0].state, JumperState::Open);
        file.set("tp1=ground").expect("valid");
        assert_eq!(file.jumpers[0].state, JumperState::Ground);
        let error = file.set("tp1=closed").expect_err("wrong");
        assert_eq!(error.message, "tp1: open or ground was expected, not closed");
        let (message, place) = fails(&format!("{head}{jumper}"));
        assert_eq!((message.as_str(), place.as_str()), ("there is no net BOOT", "'BOOT'"));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text: String) {
            let _ = BoardFile::parse(&text);
        }
    }
}
