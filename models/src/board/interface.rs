//! The interface chip of a board: native firmware, or the chip that it stands for, running a program.

use std::sync::Arc;

use parking_lot::Mutex;
use toml::Spanned;
use twinboard_sim::board::SharedChip;
use twinboard_sim::debug::SwdWire;
use twinboard_sim::time::Span;
use twinboard_sim::wire::PinId;

use super::build::{PowerOn, nordic_chip, nrf5_pin, over_defaults, settings};
use super::file::{BoardError, BoardFile, ChipEntry, EmulatedEntry};
use super::powered::Model;
use super::relay::{Relay, Successor, shifted};
use crate::daplink::shared::SharedWire;
use crate::daplink::{Board, DapLink, DapLinkConfig, pins};
use crate::debug::open::open_wire;
use crate::image::interface::{BOOTLOADER_END, InterfaceChip};
use crate::image::{Image, Start};
use crate::kinetis::{self, Kinetis};
use crate::nordic::{ChipTable, Nrf5, Options};
use crate::parts::battery::{BatteryMonitor, BatterySense};
use crate::parts::supply::SharedSupply;
use crate::parts::swd_pins::SwdPins;

/// 4.7 kΩ and 100 nF: how the boards of the V2.00 tell firmware what they are (dossier 7.2).
const BOARD_TYPE_RC: Span = Span::us(470);

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

/// An interface chip.
pub(super) struct Made {
    pub(super) model: Model,
    pub(super) chip: SharedChip,
    /// It may go on as another one.
    pub(super) relay: Option<Arc<Mutex<Relay>>>,
}

/// Makes the interface chip, at its end of the SWD wire `wire`.
pub(super) fn build(
    entry: &ChipEntry,
    options: &PowerOn<'_>,
    wire: Box<dyn SwdWire>,
    supply: &SharedSupply,
) -> Result<Made, BoardError> {
    let config = config(entry, options)?;
    if let (Some(place), Some(program)) = (in_force(entry, options), options.interface) {
        let (model, chip) = emulated(place, &config, program, wire, supply)?;
        return Ok(Made { model, chip, relay: None });
    }
    let successor = entry.emulated.as_ref().and_then(|place| successor(place, &config, supply));
    let (Some(make), Some(layout)) = (successor, InterfaceChip::with_id(config.hic_id)) else {
        let chip = Arc::new(Mutex::new(DapLink::new(config, wire)));
        return Ok(Made { model: Model::DapLink(chip.clone()), chip, relay: None });
    };
    let wire: SharedWire = Arc::new(Mutex::new(wire));
    let native = Arc::new(Mutex::new(DapLink::relayed(config, wire.clone())));
    let relay = Arc::new(Mutex::new(Relay::new(native.clone(), layout, wire, make)));
    Ok(Made { model: Model::DapLink(native), chip: relay.clone(), relay: Some(relay) })
}

/// What makes the emulated chip when the native bootloader starts an image; none if there is no model of it.
fn successor(entry: &EmulatedEntry, config: &DapLinkConfig, supply: &SharedSupply) -> Option<Successor> {
    let (entry, config, supply) = (entry.clone(), config.clone(), supply.clone());
    let make: Successor = Box::new(move |image, wire| {
        let program = InterfaceProgram { image, start: Start::Handover(BOOTLOADER_END) };
        emulated(&entry, &config, program, wire, &supply).ok()
    });
    make(&Image::default(), open_wire()).is_some().then_some(make)
}

/// The pin of the emulated chip that may take the native one's place for the signal `name`, as the board knows it.
pub(super) fn successor_pin(entry: &ChipEntry, name: &str) -> Option<PinId> {
    successor_observed(entry, name).map(shifted)
}

/// The same pin, as that chip knows it.
pub(super) fn successor_observed(entry: &ChipEntry, name: &str) -> Option<PinId> {
    let emulated = entry.emulated.as_ref()?;
    emulated.pins.get(name).and_then(|place| chip_pin(emulated, place))
}

/// Makes the chip that native firmware stands for, running `program`.
fn emulated(
    entry: &EmulatedEntry,
    config: &DapLinkConfig,
    program: InterfaceProgram<'_>,
    wire: Box<dyn SwdWire>,
    supply: &SharedSupply,
) -> Result<(Model, SharedChip), BoardError> {
    let model: &str = entry.model.as_ref();
    let monitor = battery_monitor(entry, supply)?;
    if let Some(table) = kinetis_chip(model) {
        let mut chip = kinetis(table, entry, program, config, wire)?;
        if let Some(monitor) = monitor {
            chip.observe(Box::new(monitor.clone()));
            chip.add_part(Box::new(monitor));
        }
        chip.set_supply(supply.vdd_uv());
        let chip = Arc::new(Mutex::new(chip));
        return Ok((Model::Kinetis(chip.clone()), chip));
    }
    if let Some(table) = nordic_chip(model) {
        let mut chip = nordic(table, entry, program, config, wire)?;
        if let Some(monitor) = monitor {
            chip.observe(Box::new(monitor.clone()));
            chip.add_part(Box::new(monitor));
        }
        chip.set_supply(supply.vdd_uv());
        let chip = Arc::new(Mutex::new(chip));
        return Ok((Model::Nrf5(chip.clone()), chip));
    }
    Err(BoardError::at(&entry.model, format!("there is no interface chip {model}")))
}

/// The divider through which the chip measures the battery, if the board has one.
fn battery_monitor(entry: &EmulatedEntry, supply: &SharedSupply) -> Result<Option<BatteryMonitor>, BoardError> {
    let pins = (signal_pin(entry, "RUN_VBAT_SENSE")?, signal_pin(entry, "VMON_BAT")?);
    let (Some(battery), (Some(switch), Some(output))) = (entry.battery, pins) else { return Ok(None) };
    let ratio = (battery.divider * 1_000.0).round() as u32;
    let time_constant = Span::us(battery.time_constant_us.into());
    Ok(Some(BatteryMonitor::new(BatterySense { switch, output, ratio, time_constant }, supply.clone())))
}

/// An interface chip of the nRF5 family with its program.
fn nordic(
    table: &'static ChipTable,
    emulated: &EmulatedEntry,
    program: InterfaceProgram<'_>,
    config: &DapLinkConfig,
    wire: Box<dyn SwdWire>,
) -> Result<Nrf5, BoardError> {
    let pin = |signal: &str| signal_pin(emulated, signal);
    // What the firmware reads as its unique id: the part, DEVICEID, 0.
    let [_, low, high, _] = config.device_id;
    let mut chip = Nrf5::new(
        table,
        &Options {
            device_id: u64::from(high) << 32 | u64::from(low),
            usb_socket: true,
            start: program.start,
            image: program.image.placed(),
            ..Options::default()
        },
    );
    if let (Some(swclk), Some(swdio)) = (pin("SWCLK")?, pin("SWDIO")?) {
        chip.attach_probe(SwdPins::new(wire), swclk, swdio);
    }
    if let Some(pin) = pin("VBUS_ABSENT")? {
        chip.wire_vbus_absent(pin);
    }
    Ok(chip)
}

/// An interface chip of the Kinetis L family with its program.
fn kinetis(
    table: &'static kinetis::ChipTable,
    emulated: &EmulatedEntry,
    program: InterfaceProgram<'_>,
    config: &DapLinkConfig,
    wire: Box<dyn SwdWire>,
) -> Result<Kinetis, BoardError> {
    let pin = |signal: &str| signal_pin(emulated, signal);
    // What the firmware reads as its unique id: SIM_UIDL, SIM_UIDML, SIM_UIDMH, 0.
    let [low, middle, high, _] = config.device_id;
    let options = kinetis::Options {
        unique_id: [high, middle, low],
        start: program.start,
        image: program.image.placed(),
        ..kinetis::Options::default()
    };
    let mut chip = Kinetis::new(table, &options);
    if let (Some(swclk), Some(swdio)) = (pin("SWCLK")?, pin("SWDIO")?) {
        // The nRF51 of the V1 has SWDIO for its reset input.
        let wires = SwdPins::new(wire).with_shared_reset(config.board == Board::MicrobitV1);
        chip.attach_probe(wires, swclk, swdio);
    }
    if let Some(pin) = pin("BOARD_TYPE_RC")? {
        chip.add_capacitor(pin, BOARD_TYPE_RC);
    }
    if let Some(pin) = pin("WAKE_ON_EDGE")? {
        chip.wire_vbus_absent(pin);
    }
    Ok(chip)
}

fn kinetis_chip(model: &str) -> Option<&'static kinetis::ChipTable> {
    kinetis::CHIPS.iter().copied().find(|table| table.name == model)
}

/// The pin of the emulated chip that the board file gives the signal `name`, if it does.
fn signal_pin(emulated: &EmulatedEntry, name: &str) -> Result<Option<PinId>, BoardError> {
    let Some(place) = emulated.pins.get(name) else { return Ok(None) };
    let wrong = || BoardError::at(place, format!("{} has no pin {}", emulated.model.as_ref(), place.as_ref()));
    chip_pin(emulated, place).map(Some).ok_or_else(wrong)
}

/// What the native firmware is told; an emulated chip takes its unique id from it.
pub(super) fn config(entry: &ChipEntry, options: &PowerOn<'_>) -> Result<DapLinkConfig, BoardError> {
    let given: DapLinkConfig = settings(entry)?;
    let mut config = over_defaults(entry, &DapLinkConfig::of(given.board))?;
    // Also a file's own id is that of its first specimen only: two boards never have the same serial number.
    config.device_id[2] = config.device_id[2].wrapping_add(options.specimen);
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
    if let Some(emulated) = in_force(entry, options) {
        // The native firmware may have a pin that the chip has nothing for.
        let absent = native_pin(name).map(|_| Found::Elsewhere);
        return Ok(signal_pin(emulated, name)?.map(Found::Pin).or(absent));
    }
    let elsewhere = entry.emulated.as_ref().is_some_and(|emulated| emulated.pins.contains_key(name));
    Ok(native_pin(name).map(Found::Pin).or(elsewhere.then_some(Found::Elsewhere)))
}

/// A pin of the emulated chip by the name that its manual gives it.
fn chip_pin(emulated: &EmulatedEntry, name: &Spanned<String>) -> Option<PinId> {
    if kinetis_chip(emulated.model.as_ref()).is_some() {
        return kinetis::pin_by_name(name.as_ref());
    }
    nordic_chip(emulated.model.as_ref()).and_then(|table| nrf5_pin(table, name.as_ref()))
}

fn native_pin(name: &str) -> Option<PinId> {
    Some(match name {
        "RESET_BUTTON" => pins::RESET_BUTTON,
        "UART_RX" => pins::UART_RX,
        "UART_TX" => pins::UART_TX,
        "LED" => pins::LED,
        "POWER_LED" => pins::POWER_LED,
        "I2C_SCL" => pins::I2C_SCL,
        "I2C_SDA" => pins::I2C_SDA,
        "COMBINED_SENSOR_INT" => pins::COMBINED_SENSOR_INT,
        _ => return None,
    })
}
