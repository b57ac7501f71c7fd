//! The I2C buses of a board file, and the sensors on them.

use serde::Deserialize;
use toml::Spanned;
use twinboard_sim::board::Terminal;

use super::file::BoardError;
use crate::parts::i2c::{I2cBus, InterruptLine};
use crate::parts::sensors::{MODELS, SensorModel};
use crate::parts::world::SharedWorld;

/// An I2C bus.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct I2cEntry {
    /// Name on this board.
    pub name: Spanned<String>,
    /// The master's clock pin, as `chip.pin`.
    pub scl: Spanned<String>,
    /// The master's data pin.
    pub sda: Spanned<String>,
    /// The name of the set of sensors that is fitted; by default the first. `--set NAME.fitted=SET` overrides it.
    pub fitted: Option<Spanned<String>>,
    /// The sets of sensors that the board's revisions have.
    #[serde(default, rename = "set")]
    pub sets: Vec<SensorSet>,
}

/// Sensors that are fitted together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorSet {
    /// Name of the set.
    pub name: Spanned<String>,
    /// The sensors, each as `model` or `model@address`.
    pub sensors: Vec<Spanned<String>>,
    /// Their interrupt lines.
    #[serde(default)]
    pub interrupts: Vec<InterruptEntry>,
}

/// An interrupt line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterruptEntry {
    /// The pin of the master's chip, as `chip.pin`.
    pub pin: Spanned<String>,
    /// The outputs on the line, each as `model.output`.
    pub from: Vec<Spanned<String>>,
    /// A transistor stands behind each output: a high output pulls the line low.
    #[serde(default)]
    pub inverted: bool,
}

/// The most sensors on a bus.
const MAX_SENSORS: usize = 32;

impl I2cEntry {
    /// Makes the bus; the answer has the index of the chip that is its master.
    pub(super) fn build(
        &self,
        world: &SharedWorld,
        find: impl Fn(&Spanned<String>) -> Result<Terminal, BoardError>,
    ) -> Result<(usize, I2cBus), BoardError> {
        let (scl, sda) = (find(&self.scl)?, find(&self.sda)?);
        let master = scl.chip;
        let on_master = |end: Terminal, place: &Spanned<String>| match u8::try_from(end.pin.0) {
            Ok(pin) if end.chip == master => Ok(pin),
            _ => Err(BoardError::at(place, "all pins of a bus on one chip were expected")),
        };
        let mut bus =
            I2cBus { pins: Some((on_master(scl, &self.scl)?, on_master(sda, &self.sda)?)), ..I2cBus::default() };
        let Some(set) = self.fitted_set()? else { return Ok((master, bus)) };
        if let Some(sensor) = set.sensors.get(MAX_SENSORS) {
            return Err(BoardError::at(sensor, format!("{MAX_SENSORS} sensors at most were expected")));
        }
        let mut fitted: Vec<(&SensorModel, usize)> = Vec::new();
        for place in &set.sensors {
            let (model, address) = sensor(place)?;
            let devices = model.build(address, world.clone());
            if let Some(taken) = devices.iter().find(|device| bus.find(device.address()).is_some()) {
                let message = format!("there is a sensor at address {:#04x} already", taken.address());
                return Err(BoardError::at(place, message));
            }
            fitted.push((model, bus.devices.len()));
            bus.devices.extend(devices);
        }
        for line in &set.interrupts {
            let pin = on_master(find(&line.pin)?, &line.pin)?;
            let from = line.from.iter().map(|place| output(&fitted, place)).collect::<Result<_, _>>()?;
            bus.lines.push(InterruptLine { pin, from, inverted: line.inverted });
        }
        Ok((master, bus))
    }

    fn fitted_set(&self) -> Result<Option<&SensorSet>, BoardError> {
        let Some(place) = &self.fitted else { return Ok(self.sets.first()) };
        let name: &str = place.as_ref();
        if let Some(set) = self.sets.iter().find(|set| set.name.as_ref() == name) {
            return Ok(Some(set));
        }
        let known: Vec<_> = self.sets.iter().map(|set| set.name.as_ref().as_str()).collect();
        let message =
            format!("a set of sensors of bus {} was expected ({}), not {name}", self.name.as_ref(), known.join(", "));
        // What came from the command line has no place in the file.
        Err(if place.span().is_empty() { BoardError::anywhere(message) } else { BoardError::at(place, message) })
    }
}

/// The kind and the address that `model` or `model@address` names.
fn sensor(place: &Spanned<String>) -> Result<(&'static SensorModel, u8), BoardError> {
    let text: &str = place.as_ref();
    let (name, address) = text.split_once('@').map_or((text, None), |(name, address)| (name, Some(address)));
    let model = SensorModel::named(name).ok_or_else(|| {
        let known: Vec<_> = MODELS.iter().map(|model| model.name).collect();
        BoardError::at(place, format!("one of {} was expected, there is no sensor {name}", known.join(", ")))
    })?;
    let Some(address) = address else { return Ok((model, *model.addresses.start())) };
    let number = address.strip_prefix("0x").and_then(|digits| u8::from_str_radix(digits, 16).ok());
    number.filter(|address| model.addresses.contains(address)).map(|address| (model, address)).ok_or_else(|| {
        let (first, last) = (model.addresses.start(), model.addresses.end());
        BoardError::at(
            place,
            format!("an address of {name} from {first:#04x} to {last:#04x} was expected, not {address}"),
        )
    })
}

/// The device and the number of the output that `model.output` names.
fn output(fitted: &[(&SensorModel, usize)], place: &Spanned<String>) -> Result<(usize, usize), BoardError> {
    let text: &str = place.as_ref();
    let expected = || BoardError::at(place, "an output as MODEL.OUTPUT was expected");
    let (name, output) = text.split_once('.').ok_or_else(expected)?;
    let (model, first) = fitted
        .iter()
        .find(|(model, _)| model.name == name)
        .ok_or_else(|| BoardError::at(place, format!("there is no {name} in this set")))?;
    let (device, number) =
        model.output(output).ok_or_else(|| BoardError::at(place, format!("{name} has no output {output}")))?;
    Ok((first + device, number))
}

#[cfg(test)]
mod tests {
    use crate::board::{BoardFile, PowerOn};

    const HEAD: &str = "name='x'\ntitle='X'\n[[chip]]\nname='t'\nmodel='nrf52833'\n";
    const BUS: &str = "[[i2c]]\nname='bus'\nscl='t.P0.08'\nsda='t.P0.16'\n";

    fn fails(text: &str) -> (String, String) {
        let error = BoardFile::parse(text).and_then(|file| file.power_on(&PowerOn::default())).expect_err("wrong");
        (error.message, error.span.map(|span| text[span].to_string()).unwrap_or_default())
    }

    #[test]
    fn mistakes_are_shown_at_their_place() {
        let set = "[[i2c.set]]\nname='a'\n";
        let cases = [
            (
                "sensors=['bmp280']",
                "one of lsm303agr, fxos8700, mma8653, mag3110 was expected, there is no sensor bmp280",
            ),
            ("sensors=['fxos8700@0x19']", "an address of fxos8700 from 0x1c to 0x1f was expected, not 0x19"),
            ("sensors=['mma8653@29']", "an address of mma8653 from 0x1d to 0x1d was expected, not 29"),
            ("sensors=['lsm303agr','fxos8700@0x1E']", "there is a sensor at address 0x1e already"),
            (
                "sensors=['lsm303agr']\ninterrupts=[{pin='t.P0.25',from=['lsm303agr.INT1']}]",
                "lsm303agr has no output INT1",
            ),
            (
                "sensors=['mma8653']\ninterrupts=[{pin='t.P0.25',from=['mag3110.INT1']}]",
                "there is no mag3110 in this set",
            ),
            ("sensors=['mma8653']\ninterrupts=[{pin='t.P0.32',from=[]}]", "nrf52833 has no pin P0.32"),
        ];
        for (tail, message) in cases {
            let (found, place) = fails(&format!("{HEAD}{BUS}{set}{tail}\n"));
            assert_eq!(found, message);
            assert!(tail.contains(place.trim_matches('\'')), "{place}");
        }
        let (message, place) = fails(&format!("{HEAD}{BUS}fitted='b'\n{set}sensors=[]\n"));
        assert_eq!((message.as_str(), place.as_str()), ("a set of sensors of bus bus was expected (a), not b", "'b'"));
        let (message, _) = fails(&format!("{HEAD}{BUS}{}", BUS.replace("'bus'", "'other'")));
        assert_eq!(message, "t has an I2C bus already");
    }

    #[test]
    fn the_command_line_chooses_what_is_fitted() {
        let mut file = BoardFile::built_in("microbit-v2").expect("built in");
        file.set("internal.fitted=fxos8700").expect("a bus");
        file.power_on(&PowerOn::default()).expect("a board");
        file.set("internal.fitted=bme280").expect("a bus");
        let error = file.power_on(&PowerOn::default()).expect_err("not a set");
        assert!(error.message.contains("lsm303agr, fxos8700") && error.span.is_none(), "{error:?}");
        assert!(file.set("internal.scl=target.P0.01").is_err());
    }
}
