//! From a board file to a board under power.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use twinboard_sim::activity::Activity;
use twinboard_sim::board::{Builder, Driver, NetId, Promise, PromisingWire, SharedChip, Tap, Terminal};
use twinboard_sim::debug::SwdWire;
use twinboard_sim::wire::{Drive, PinId, Signal};

use super::control::{Looks, Plan};
use super::ether::Antenna;
use super::faults::Faults;
use super::file::{BoardError, BoardFile, ChipEntry, JumperState, MatrixEntry, NetEntry, PressedLevel, Pull};
use super::interface::{self, Found, InterfaceProgram, Made};
use super::powered::{Button, Model, Net, Powered};
use super::supply::Supplies;
use super::wild::Wild;
use super::wire_faults::OnWires;
use crate::debug::link::{Observer, SwdLink};
use crate::debug::open::open_wire;
use crate::image::interface::InterfaceChip;
use crate::image::{BlockIds, Image, Start};
use crate::nordic::{BuildCode, CHIPS, ChipTable, Nrf5, Options};
use crate::parts::led_matrix::{LedMatrix, MAX_LINES, MAX_WINDOW, Picture, SIZE, STRAIGHT, SharedLedMatrix, WINDOW};
use crate::parts::supply::SharedSupply;
use crate::parts::world::SharedWorld;

/// Boards stand so far from each other if nothing is said, in metres.
const DISTANCE: f64 = 1.0;

/// What is decided when a board is powered, beside its file.
#[derive(Debug, Default)]
pub struct PowerOn<'a> {
    /// How the chips run.
    pub driver: Driver,
    /// Which specimen of the board this is, from 0: it has its own serial number.
    pub specimen: u32,
    /// What the target's flash holds.
    pub target: Option<&'a Image>,
    /// What the interface chip runs. None: native firmware.
    pub interface: Option<InterfaceProgram<'a>>,
    /// Whether somebody wants to see the debug wires' edges: they cost time.
    pub watch_wires: bool,
}

/// The settings of a chip of the nRF5 family.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NrfSettings {
    seed: u64,
    device_id: Option<[u32; 2]>,
    build_code: Option<String>,
    /// How far the board is from others in metres, 1 if nothing is said.
    radio_distance: Option<f64>,
    /// The part of all packets that arrive damaged.
    radio_loss: f64,
}

impl BoardFile {
    /// Builds the board and powers it.
    ///
    /// # Errors
    /// What is wrong with the file, and where.
    pub fn power_on(&self, options: &PowerOn<'_>) -> Result<Powered, BoardError> {
        self.check_probes()?;
        if options.interface.is_some() && self.emulated_interface().is_none() {
            return Err(BoardError::anywhere("this board has no interface chip that could run a program"));
        }
        // Who grounds a pin that only the emulated chip has wants that chip, with nothing in its flash.
        let nothing = Image::default();
        let blank = InterfaceProgram { image: &nothing, start: Start::Reset };
        let interface = options.interface.or(self.grounds_emulated_pin().then_some(blank));
        let options = &PowerOn { interface, ..*options };
        let mut builder = Builder::default();
        let world = SharedWorld::default();
        let supply = SharedSupply::default();
        let swd_activity = Activity::default();
        let mut chips: Vec<(String, Model)> = Vec::new();
        let mut indices: BTreeMap<&str, usize> = BTreeMap::new();
        let mut relays = BTreeMap::new();
        let mut on_wires = OnWires::default();
        let swd = [builder.net("SWCLK", &[], Drive::Released), builder.net("SWDIO", &[], Drive::PullUp)];
        // A probe holds its end of the target's wire, so targets are made first; on the board, probes come first.
        let mut targets: BTreeMap<&str, Arc<Mutex<Nrf5>>> = BTreeMap::new();
        for entry in &self.chips {
            if let Some(table) = nordic_chip(entry.model.as_ref()) {
                let chip = nrf5(table, entry, options, world.clone())?;
                targets.insert(entry.name.as_ref(), Arc::new(Mutex::new(chip)));
            }
        }
        for entry in &self.chips {
            let name: &str = entry.name.as_ref();
            let probe = entry.probe.as_ref().and_then(|probe| indices.get(probe.as_ref() as &str).copied());
            let (model, shared, promise): (Model, SharedChip, Option<Promise>) = match entry.model.as_ref().as_str() {
                "daplink" => {
                    let promise = Promise::default();
                    let mut on_wire = self.chips.iter().filter(|other| is(other.probe.as_ref(), name));
                    let wire: Box<dyn SwdWire> = match on_wire.next() {
                        Some(target) => {
                            let chip = targets[target.name.as_ref() as &str].clone();
                            let dap = chip.lock().table().dap;
                            let mut link = SwdLink::new(dap, chip);
                            on_wires.debug.push(link.faults());
                            link.note_in(swd_activity.clone());
                            if options.watch_wires {
                                link.observe(tap_wires(builder.tap(), swd));
                            }
                            Box::new(link)
                        }
                        None => open_wire(),
                    };
                    let wire = Box::new(PromisingWire::new(wire, promise.clone()));
                    let Made { model, chip, relay } = interface::build(entry, options, wire, &supply)?;
                    if let Some(relay) = relay {
                        relays.insert(name, relay);
                    }
                    (model, chip, Some(promise))
                }
                other => {
                    let Some(chip) = targets.get(name).cloned() else {
                        let known: Vec<_> = CHIPS.iter().map(|table| table.name).collect();
                        let message =
                            format!("daplink or {} was expected, there is no model {other}", known.join(" or "));
                        return Err(BoardError::at(&entry.model, message));
                    };
                    (Model::Nrf5(chip.clone()), chip, None)
                }
            };
            indices.insert(name, builder.chip(name, shared, promise, probe));
            chips.push((name.into(), model));
        }
        let find = |pin: &Spanned<String>| {
            let absent = || BoardError::at(pin, "a pin that the native interface firmware has was expected");
            self.terminal(&indices, options, pin)?.ok_or_else(absent)
        };
        let mut exported: BTreeMap<usize, Vec<PinId>> = BTreeMap::new();
        let mut nets: BTreeMap<&str, (NetId, Drive)> = BTreeMap::new();
        let mut wires = Vec::new();
        let mut serial_net = None;
        for entry in &self.nets {
            // Native firmware lacks some of the chip's pins.
            let ends = entry.pins.iter().filter_map(|pin| self.terminal(&indices, options, pin).transpose());
            let mut ends = ends.collect::<Result<Vec<_>, _>>()?;
            // The chip that may take a native one's place is on the net, too.
            ends.extend(entry.pins.iter().filter_map(|place| {
                let (chip, pin) = place.as_ref().split_once('.')?;
                relays.get(chip)?;
                let entry = self.chips.iter().find(|entry| entry.name.as_ref() == chip)?;
                Some(Terminal { chip: *indices.get(chip)?, pin: interface::successor_pin(entry, pin)? })
            }));
            // What a pin does that no other chip sees need not leave its chip, unless somebody records the wires.
            if ends.len() > 1 || options.watch_wires {
                for end in &ends {
                    exported.entry(end.chip).or_default().push(end.pin);
                }
            }
            let pull = match entry.pull {
                Some(Pull::Up) => Drive::PullUp,
                Some(Pull::Down) => Drive::PullDown,
                None => Drive::Released,
            };
            let grounded = self.grounded_nets().any(|net| net == entry.name.as_ref());
            let id = builder.net(entry.name.as_ref(), &ends, if grounded { Drive::Low } else { pull });
            nets.insert(entry.name.as_ref(), (id, pull));
            let serial = entry.pins.iter().any(|pin| self.is_serial(pin, &["UART_RX", "UART_TX"]));
            wires.push(Net { name: entry.name.as_ref().clone(), id, released: pull, serial });
            if entry.pins.iter().any(|pin| self.is_serial(pin, &["UART_RX"])) {
                serial_net = Some(id);
            }
        }
        for (index, (_, model)) in chips.iter().enumerate() {
            model.export_pins(&exported.remove(&index).unwrap_or_default());
        }
        let contacts = self.attach_edge(&mut builder, &nets, find)?;
        on_wires.buses = self.attach_buses(&chips, &world, find)?;
        for ((_, sda), entry) in on_wires.buses.iter_mut().zip(&self.i2c) {
            let on = |net: &&NetEntry| net.pins.iter().any(|pin| pin.as_ref() == entry.sda.as_ref());
            *sda = self.nets.iter().find(on).and_then(|net| nets.get(net.name.as_ref() as &str)).map(|(id, _)| *id);
        }
        let speaker = self.attach_parts(&chips, &world, find)?;
        let leds = self.attach_leds(options, &chips)?;
        for (name, relay) in &relays {
            if let Some(&index) = indices.get(name) {
                relay.lock().observe(leds.iter().filter_map(|led| led.successor_of(index)).collect());
            }
        }
        let matrix = self.matrix.as_ref().map(|entry| led_matrix(entry, &chips, find)).transpose()?;
        let buttons = self
            .buttons
            .iter()
            .filter_map(|button| {
                let &(net, released) = nets.get(button.net.as_ref() as &str)?;
                let pressed = match button.pressed {
                    PressedLevel::Low => Drive::Low,
                    PressedLevel::High => Drive::High,
                };
                Some(Button {
                    name: button.name.as_ref().clone(),
                    net,
                    released,
                    pressed,
                    pressed_now: false,
                    press: 0,
                })
            })
            .collect();
        let board = builder.power_on(options.driver);
        Ok(Powered {
            name: self.name.clone(),
            title: self.title.clone(),
            faults: Faults::new(board.stop(), on_wires),
            board,
            chips,
            world,
            antenna: self.antenna(options)?,
            buttons,
            matrix,
            nets: wires,
            serial_net,
            tap: None,
            supplies: Supplies::default(),
            supply,
            regulated: self.emulated_interface().is_some_and(|entry| entry.battery.is_some()),
            leds,
            plan: Plan::default(),
            looks: Looks::default(),
            wild: Wild::default(),
            swd_activity,
            speaker,
            contacts,
            relay: relays.into_values().next(),
            target: self.chips.iter().position(|entry| nordic_chip(entry.model.as_ref()).is_some()),
            emulated: self.chips.iter().enumerate().find_map(|(index, entry)| {
                let model: &str = interface::in_force(entry, options)?.model.as_ref();
                Some((index, InterfaceChip::of(model)?))
            }),
        })
    }

    /// The nets that a jumper grounds.
    fn grounded_nets(&self) -> impl Iterator<Item = &String> {
        let grounded = self.jumpers.iter().filter(|jumper| jumper.state == JumperState::Ground);
        grounded.map(|jumper| jumper.net.as_ref())
    }

    /// Whether a jumper grounds a pin of an interface chip that native firmware has nothing for.
    fn grounds_emulated_pin(&self) -> bool {
        let native = PowerOn::default();
        self.grounded_nets().any(|name| {
            let net = self.nets.iter().find(|net| net.name.as_ref() == name);
            net.into_iter().flat_map(|net| &net.pins).any(|place| {
                let Some((chip, pin)) = place.as_ref().split_once('.') else { return false };
                let entry = self.chips.iter().find(|entry| entry.name.as_ref() == chip);
                entry.is_some_and(|entry| matches!(interface::pin(entry, &native, pin), Ok(Some(Found::Elsewhere))))
            })
        })
    }

    /// Puts the I2C buses on their masters' pins; the masters' indices, with a place for the net of SDA.
    fn attach_buses(
        &self,
        chips: &[(String, Model)],
        world: &SharedWorld,
        find: impl Fn(&Spanned<String>) -> Result<Terminal, BoardError>,
    ) -> Result<Vec<(usize, Option<NetId>)>, BoardError> {
        let mut masters = Vec::new();
        for entry in &self.i2c {
            let (index, bus) = entry.build(world, &find)?;
            let Some((name, Model::Nrf5(chip))) = chips.get(index) else {
                return Err(BoardError::at(&entry.scl, "a bus on a chip that runs a program was expected"));
            };
            if masters.contains(&(index, None)) {
                return Err(BoardError::at(&entry.scl, format!("{name} has an I2C bus already")));
            }
            masters.push((index, None));
            chip.lock().attach_i2c(bus);
        }
        Ok(masters)
    }

    /// Whether `pin` is one of an interface chip's with a name of `names`: its end of its target's serial port.
    fn is_serial(&self, pin: &Spanned<String>, names: &[&str]) -> bool {
        let Some((chip, name)) = pin.as_ref().split_once('.') else { return false };
        names.contains(&name)
            && self.chips.iter().any(|entry| entry.name.as_ref() == chip && entry.model.as_ref() == "daplink")
    }

    /// The board's antenna, as the settings of its chip with a radio say.
    fn antenna(&self, options: &PowerOn<'_>) -> Result<Antenna, BoardError> {
        let Some(entry) = self.chips.iter().find(|entry| nordic_chip(entry.model.as_ref()).is_some()) else {
            return Ok(Antenna::new(DISTANCE, 0.0, 0));
        };
        let given: NrfSettings = settings(entry)?;
        let distance = given.radio_distance.unwrap_or(DISTANCE);
        for (key, value, most) in [("radio_distance", distance, 1e6), ("radio_loss", given.radio_loss, 1.0)] {
            if !(0.0..=most).contains(&value) {
                let message =
                    format!("setting {key} of {}: 0 to {most} was expected, not {value}", entry.name.as_ref());
                return Err(match entry.settings.get(key) {
                    Some(place) if !place.span().is_empty() => BoardError::at(place, message),
                    _ => BoardError::anywhere(message),
                });
            }
        }
        Ok(Antenna::new(distance, given.radio_loss, given.seed ^ u64::from(options.specimen)))
    }

    /// Which part of a Universal Hex is for this board's target; none of it if there is no target.
    #[must_use]
    pub fn block_ids(&self) -> BlockIds {
        let target = self.chips.iter().find_map(|chip| nordic_chip(chip.model.as_ref()));
        target.map_or(BlockIds(&[]), |table| table.block_ids)
    }

    /// A debug wire goes from an interface chip to one chip with a debug port.
    fn check_probes(&self) -> Result<(), BoardError> {
        for (index, entry) in self.chips.iter().enumerate() {
            let Some(place) = &entry.probe else { continue };
            let model = |name: &str| {
                self.chips.iter().find(|chip| chip.name.as_ref() == name).map(|chip| chip.model.as_ref().as_str())
            };
            if nordic_chip(entry.model.as_ref()).is_none() {
                return Err(BoardError::at(place, format!("{} has no debug port", entry.model.as_ref())));
            }
            if model(place.as_ref()) != Some("daplink") {
                return Err(BoardError::at(
                    place,
                    format!("a chip that is a probe was expected, not {}", place.as_ref()),
                ));
            }
            if self.chips[..index].iter().any(|other| is(other.probe.as_ref(), place.as_ref())) {
                return Err(BoardError::at(place, format!("{} has a chip on its wires already", place.as_ref())));
            }
        }
        Ok(())
    }

    /// The pin that `chip.pin` names; none if the interface chip has it only when it is emulated, or only when it is not.
    fn terminal(
        &self,
        indices: &BTreeMap<&str, usize>,
        options: &PowerOn<'_>,
        place: &Spanned<String>,
    ) -> Result<Option<Terminal>, BoardError> {
        let text: &str = place.as_ref();
        let expected = || BoardError::at(place, "a pin as CHIP.PIN was expected");
        let (chip, pin) = text.split_once('.').ok_or_else(expected)?;
        let entry = self.chips.iter().find(|entry| entry.name.as_ref() == chip);
        let (Some(entry), Some(&index)) = (entry, indices.get(chip)) else {
            return Err(BoardError::at(place, format!("there is no chip {chip}")));
        };
        let found = match entry.model.as_ref().as_str() {
            "daplink" => interface::pin(entry, options, pin)?,
            model => nordic_chip(model).and_then(|table| nrf5_pin(table, pin)).map(Found::Pin),
        };
        match found {
            Some(Found::Pin(pin)) => Ok(Some(Terminal { chip: index, pin })),
            Some(Found::Elsewhere) => Ok(None),
            None => Err(BoardError::at(place, format!("{} has no pin {pin}", entry.model.as_ref()))),
        }
    }
}

fn is(place: Option<&Spanned<String>>, name: &str) -> bool {
    place.is_some_and(|place| place.as_ref() == name)
}

/// Reads a chip's settings into a type, and says which one is wrong.
pub(super) fn settings<T: DeserializeOwned>(entry: &ChipEntry) -> Result<T, BoardError> {
    let mut table = toml::Table::new();
    for (key, value) in &entry.settings {
        let alone = toml::Table::from_iter([(key.clone(), value.as_ref().clone())]);
        if let Err(error) = toml::Value::Table(alone).try_into::<T>() {
            let message = format!("setting {key} of {}: {}", entry.name.as_ref(), error.message());
            // What came from the command line has no place in the file.
            return Err(match value.span() {
                span if span.is_empty() => BoardError::anywhere(message),
                _ => BoardError::at(value, message),
            });
        }
        table.insert(key.clone(), value.as_ref().clone());
    }
    toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| BoardError::at(&entry.name, error.message()))
}

/// A chip's settings, and `defaults` for those that are not given.
pub(super) fn over_defaults<T: Serialize + DeserializeOwned>(entry: &ChipEntry, defaults: &T) -> Result<T, BoardError> {
    let failed = |message: &str| BoardError::at(&entry.name, message);
    let mut table = toml::Table::try_from(defaults).map_err(|error| failed(&error.to_string()))?;
    table.extend(entry.settings.iter().map(|(key, value)| (key.clone(), value.as_ref().clone())));
    toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| failed(error.message()))
}

pub(super) fn nordic_chip(model: &str) -> Option<&'static ChipTable> {
    CHIPS.iter().copied().find(|table| table.name == model)
}

fn nrf5(
    table: &'static ChipTable,
    entry: &ChipEntry,
    options: &PowerOn<'_>,
    world: SharedWorld,
) -> Result<Nrf5, BoardError> {
    let given: NrfSettings = settings(entry)?;
    let mut chip = Options { seed: given.seed ^ u64::from(options.specimen), world, ..Options::default() };
    chip.device_id = match given.device_id {
        Some([low, high]) => u64::from(high) << 32 | u64::from(low),
        None => chip.device_id.wrapping_add(u64::from(options.specimen)),
    };
    if let Some(code) = given.build_code {
        chip.build = match code.as_str() {
            "AAA0" => BuildCode::Aaa0,
            "AAA1" => BuildCode::Aaa1,
            "AAB0" => BuildCode::Aab0,
            _ => return Err(BoardError::at(&entry.name, format!("AAA0, AAA1 or AAB0 was expected, not {code}"))),
        };
    }
    chip.image = options.target.map(Image::placed).unwrap_or_default();
    Ok(Nrf5::new(table, &chip))
}

/// `P0.00`, … and `P1.00`, …, as many as the chip has, numbered on.
pub(super) fn nrf5_pin(table: &ChipTable, name: &str) -> Option<PinId> {
    let (port, pin) = name.strip_prefix('P')?.split_once('.')?;
    let port: usize = port.parse().ok()?;
    let pin: u8 = pin.parse().ok().filter(|_| pin.len() == 2)?;
    (pin < *table.ports.get(port)?).then(|| PinId(port as u16 * 32 + u16::from(pin)))
}

fn led_matrix(
    entry: &MatrixEntry,
    chips: &[(String, Model)],
    find: impl Fn(&Spanned<String>) -> Result<Terminal, BoardError>,
) -> Result<SharedLedMatrix, BoardError> {
    let line = |places: &[Spanned<String>], what: &str| -> Result<Vec<Terminal>, BoardError> {
        let ends = places.iter().map(&find).collect::<Result<Vec<_>, _>>()?;
        let (least, most) = if entry.leds.is_some() { (1, MAX_LINES) } else { (SIZE, SIZE) };
        if (least..=most).contains(&ends.len()) {
            return Ok(ends);
        }
        let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let message = format!("{expected} {what} were expected, there are {}", ends.len());
        Err(places.first().map_or_else(|| BoardError::anywhere(&message), |place| BoardError::at(place, &message)))
    };
    let (rows, columns) = (line(&entry.rows, "rows")?, line(&entry.columns, "columns")?);
    let chip = rows[0].chip;
    if let Some(stray) = rows.iter().chain(&columns).position(|end| end.chip != chip) {
        let place = entry.rows.iter().chain(&entry.columns).nth(stray);
        let message = "all pins of a matrix on one chip were expected";
        return Err(place.map_or_else(|| BoardError::anywhere(message), |place| BoardError::at(place, message)));
    }
    let picture = match &entry.leds {
        Some(leds) => picture(leds, rows.len(), columns.len())?,
        None => STRAIGHT,
    };
    let pins = |ends: Vec<Terminal>| ends.into_iter().map(|end| end.pin).collect();
    let window = match &entry.average_ms {
        Some(ms) if !(1..=MAX_WINDOW).contains(ms.as_ref()) => {
            return Err(BoardError::at(ms, format!("1 to {MAX_WINDOW} ms were expected")));
        }
        given => given.as_ref().map_or(WINDOW, |ms| *ms.as_ref()),
    };
    let matrix = LedMatrix::new(pins(rows), pins(columns), picture).averaged_over(window);
    let matrix = SharedLedMatrix::new(matrix);
    match chips.get(chip) {
        Some((_, Model::Nrf5(driver))) => driver.lock().observe(Box::new(matrix.clone())),
        _ => return Err(BoardError::at(&entry.rows[0], "a matrix on a chip that runs a program was expected")),
    }
    Ok(matrix)
}

/// Between which row and column each LED of the picture is, from `ROW.COLUMN`, counted from 1.
fn picture(leds: &[Vec<Spanned<String>>], rows: usize, columns: usize) -> Result<Picture, BoardError> {
    let wrong = || BoardError::anywhere(format!("leds of {SIZE} lines with {SIZE} places each were expected"));
    let lines = leds.iter().map(|line| -> Result<[(u8, u8); SIZE], BoardError> {
        let places = line.iter().map(|place| {
            let number = |text: &str, most| text.parse::<u8>().ok().filter(|n| (1..=most).contains(&usize::from(*n)));
            let text: &str = place.as_ref();
            let led = text.split_once('.').and_then(|(r, c)| Some((number(r, rows)? - 1, number(c, columns)? - 1)));
            let expected = || format!("ROW.COLUMN of 1 to {rows} and 1 to {columns} was expected, not {text}");
            led.ok_or_else(|| BoardError::at(place, expected()))
        });
        places.collect::<Result<Vec<_>, _>>()?.try_into().map_err(|_| wrong())
    });
    lines.collect::<Result<Vec<_>, _>>()?.try_into().map_err(|_| wrong())
}

/// Puts every change of the debug wires where the board collects them.
fn tap_wires(tap: Tap, nets: [NetId; 2]) -> Observer {
    let mut known = [None; 2];
    Box::new(move |levels| {
        for ((net, level), known) in nets.into_iter().zip([levels.swclk, levels.swdio]).zip(&mut known) {
            if known.replace(level) != Some(level) {
                let drive = if level { Drive::High } else { Drive::Low };
                tap.lock().push((levels.at, net, Signal::Drive(drive)));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::BUILT_IN;
    use crate::daplink::{Board, DapLinkConfig};

    fn fails(text: &str) -> (String, String) {
        let file = BoardFile::parse(text).expect("parses");
        let error = file.power_on(&PowerOn::default()).expect_err("cannot be built");
        (error.message, error.span.map(|span| text[span].to_string()).unwrap_or_default())
    }

    const HEAD: &str = "name='x'\ntitle='X'\n[[chip]]\nname='i'\nmodel='daplink'\n";
    const TARGET: &str = "[[chip]]\nname='t'\nmodel='nrf52833'\nprobe='i'\n";

    #[test]
    fn every_built_in_board_can_be_powered() {
        for (name, text) in BUILT_IN {
            let powered = BoardFile::parse(text).and_then(|file| file.power_on(&PowerOn::default())).expect(name);
            assert_eq!(powered.name, *name);
        }
    }

    #[test]
    fn a_board_may_have_an_interface_chip_and_nothing_else() {
        let powered = BoardFile::parse(HEAD).and_then(|file| file.power_on(&PowerOn::default())).expect("a board");
        assert!(powered.daplink().is_some() && powered.target().is_none());
    }

    #[test]
    fn mistakes_are_shown_at_their_place() {
        let cases = [
            (
                "[[chip]]\nname='u'\nmodel='z80'\n",
                "daplink or nrf52833 or nrf51822 or nrf52820 was expected, there is no model z80",
                "'z80'",
            ),
            ("[[net]]\nname='N'\npins=['t.P0.32']\n", "nrf52833 has no pin P0.32", "'t.P0.32'"),
            ("[[net]]\nname='N'\npins=['q.A']\n", "there is no chip q", "'q.A'"),
            ("[[net]]\nname='N'\npins=['t']\n", "a pin as CHIP.PIN was expected", "'t'"),
            ("[[chip]]\nname='u'\nmodel='nrf52833'\nprobe='i'\n", "i has a chip on its wires already", "'i'"),
            ("[[chip]]\nname='u'\nmodel='nrf52833'\nprobe='t'\n", "a chip that is a probe was expected, not t", "'t'"),
            ("[[chip]]\nname='u'\nmodel='daplink'\nprobe='i'\n", "daplink has no debug port", "'i'"),
            ("[led-matrix]\nrows=['t.P0.21']\ncolumns=['t.P0.28']\n", "5 rows were expected, there are 1", "'t.P0.21'"),
            (
                "[led-matrix]\nrows=['t.P0.21']\ncolumns=['t.P0.28']\nleds=[['1.1','1.2']]\n",
                "ROW.COLUMN of 1 to 1 and 1 to 1 was expected, not 1.2",
                "'1.2'",
            ),
        ];
        for (tail, message, place) in cases {
            assert_eq!(fails(&format!("{HEAD}{TARGET}{tail}")), (message.to_string(), place.to_string()));
        }
    }

    #[test]
    fn the_board_of_an_interface_chip_decides_what_is_not_given() {
        let config = |settings: &str| {
            let file = BoardFile::parse(&format!("{HEAD}settings={{{settings}}}\n")).expect("parses");
            interface::config(&file.chips[0], &PowerOn::default()).expect("settings")
        };
        assert_eq!(config(""), DapLinkConfig::of(Board::MicrobitV2));
        assert_eq!(config("board='microbit-v1'"), DapLinkConfig::of(Board::MicrobitV1));
        let v1_5 = DapLinkConfig { board_id: 0x9901, ..DapLinkConfig::of(Board::MicrobitV1) };
        assert_eq!(config("board_id=0x9901, board='microbit-v1'"), v1_5);
        let (message, place) = fails(&format!("{HEAD}settings={{board='microbit-v3'}}\n"));
        assert!(message.contains("expected `microbit-v1` or `microbit-v2`"), "{message}");
        assert_eq!(place, "'microbit-v3'");
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let (message, place) = fails(&format!("{HEAD}settings={{board_id='red'}}\n"));
        assert!(message.starts_with("setting board_id of i: "), "{message}");
        assert_eq!(place, "'red'");
        let (message, _) = fails(&format!("{HEAD}settings={{colour=1}}\n"));
        assert!(message.contains("unknown field `colour`"), "{message}");
    }
}
