//! The interface chip of a board: native firmware, or the chip that it stands for, running a program.

use std::sync::Arc;

use parking_lot::Mutex;
use toml::Spanned;
use twinboard_sim::board::SharedChip;
use twinboard_sim::debug::SwdWire;
use twinboard_sim::wire::PinId;

use super::build::{PowerOn, over_defaults, settings};
use super::file::{BoardError, BoardFile, ChipEntry, EmulatedEntry};
use super::powered::Model;
use crate::daplink::{DapLink, DapLinkConfig, pins};
use crate::image::{Image, Start};
use crate::kinetis::{self, Kinetis};
use crate::parts::swd_pins::SwdPins;

/// What the interface chip runs instead of native firmware.
#[derive(Clone, Copy, Debug)]
pub struct InterfaceProgram<'a> {
    /// The contents of its flash.
    pub image: &'a Image,
    /// Where it begins.
    pub start: Start,
}

impl BoardFile {
    /// The interface chip of the board, if it has one that can run a program.
    #[must_use]
    pub fn emulated_interface(&self) -> Option<&EmulatedEntry> {
        self.chips.iter().find_map(|entry| entry.emulated.as_ref())
    }
}

/// The emulated chip that takes the place of the native one, if it does.
pub(super) fn in_force<'a>(entry: &'a ChipEntry, options: &PowerOn<'_>) -> Option<&'a EmulatedEntry> {
    entry.emulated.as_ref().filter(|_| options.interface.is_some())
}

/// Makes the interface chip, at its end of the SWD wire `wire`. `shared_reset`: the target's reset input is SWDIO.
pub(super) fn build(
    entry: &ChipEntry,
    options: &PowerOn<'_>,
    wire: Box<dyn SwdWire>,
    shared_reset: bool,
) -> Result<(Model, SharedChip), BoardError> {
    let config = config(entry, options)?;
    if let (Some(place), Some(program)) = (in_force(entry, options), options.interface) {
        return emulated(place, &config, program, wire, shared_reset);
    }
    let chip = Arc::new(Mutex::new(DapLink::new(config, wire)));
    Ok((Model::DapLink(chip.clone()), chip))
}

/// Makes the chip that native firmware stands for, running `program`.
fn emulated(
    entry: &EmulatedEntry,
    config: &DapLinkConfig,
    program: InterfaceProgram<'_>,
    wire: Box<dyn SwdWire>,
    shared_reset: bool,
) -> Result<(Model, SharedChip), BoardError> {
    let model: &str = entry.model.as_ref();
    if let Some(table) = kinetis_chip(model) {
        let [low, middle, high, _] = config.device_id;
        let options = kinetis::Options {
            unique_id: [high, middle, low],
            start: program.start,
            image: contents(program.image),
            ..kinetis::Options::default()
        };
        let mut chip = Kinetis::new(table, &options);
        let [swclk, swdio] = swd_pins(entry)?;
        chip.attach_probe(SwdPins::new(wire).with_shared_reset(shared_reset), swclk, swdio);
        let chip = Arc::new(Mutex::new(chip));
        return Ok((Model::Kinetis(chip.clone()), chip));
    }
    Err(BoardError::at(&entry.model, format!("there is no interface chip {model}")))
}

/// The bytes of an image and their addresses.
fn contents(image: &Image) -> Vec<(u32, Vec<u8>)> {
    image.segments.iter().map(|segment| (segment.address, segment.bytes.clone())).collect()
}

/// SWCLK and SWDIO of an emulated chip.
fn swd_pins(entry: &EmulatedEntry) -> Result<[PinId; 2], BoardError> {
    let pin = |signal: &str| {
        let place = entry.pins.get(signal);
        let place = place.ok_or_else(|| BoardError::at(&entry.model, format!("a pin for {signal} was expected")))?;
        let model: &str = entry.model.as_ref();
        let unknown = || BoardError::at(place, format!("{model} has no pin {}", place.as_ref()));
        chip_pin(entry, place).ok_or_else(unknown)
    };
    Ok([pin("SWCLK")?, pin("SWDIO")?])
}

fn kinetis_chip(model: &str) -> Option<&'static kinetis::ChipTable> {
    kinetis::CHIPS.iter().copied().find(|table| table.name == model)
}

/// What the native firmware is told; an emulated chip takes its unique id from it.
pub(super) fn config(entry: &ChipEntry, options: &PowerOn<'_>) -> Result<DapLinkConfig, BoardError> {
    let given: DapLinkConfig = settings(entry)?;
    let mut config = over_defaults(entry, &DapLinkConfig::of(given.board))?;
    if !entry.settings.contains_key("device_id") {
        config.device_id[2] = config.device_id[2].wrapping_add(options.specimen);
    }
    Ok(config)
}

/// What a name on the interface chip is.
pub(super) enum Found {
    /// This pin.
    Pin(PinId),
    /// A pin of the emulated chip, which is not there now.
    Elsewhere,
}

/// The pin of the interface chip that `name` means: a signal of the native firmware or of the emulated chip's table.
pub(super) fn pin(entry: &ChipEntry, options: &PowerOn<'_>, name: &str) -> Result<Option<Found>, BoardError> {
    let signal = entry.emulated.as_ref().and_then(|emulated| emulated.pins.get(name));
    let Some(emulated) = in_force(entry, options) else {
        return Ok(native_pin(name).map(Found::Pin).or(signal.map(|_| Found::Elsewhere)));
    };
    let Some(place) = signal else {
        // The native firmware may have a pin that the chip has nothing for.
        return Ok(native_pin(name).map(|_| Found::Elsewhere));
    };
    let pin = chip_pin(emulated, place)
        .ok_or_else(|| BoardError::at(place, format!("{} has no pin {}", emulated.model.as_ref(), place.as_ref())))?;
    Ok(Some(Found::Pin(pin)))
}

/// A pin of the emulated chip by the name that its manual gives it.
fn chip_pin(emulated: &EmulatedEntry, name: &Spanned<String>) -> Option<PinId> {
    if kinetis_chip(emulated.model.as_ref()).is_some() {
        return kinetis::pin_by_name(name.as_ref());
    }
    super::build::nordic_chip(emulated.model.as_ref()).and_then(|table| super::build::nrf5_pin(table, name.as_ref()))
}

fn native_pin(name: &str) -> Option<PinId> {
    Some(match name {
        "RESET_BUTTON" => pins::RESET_BUTTON,
        "UART_RX" => pins::UART_RX,
        "UART_TX" => pins::UART_TX,
        "LED" => pins::LED,
        "POWER_LED" => pins::POWER_LED,
        _ => return None,
    })
}
