//! The sensors that can be on a board's I2C bus, by the names that board files call them.

use std::ops::RangeInclusive;

use super::fxos8700::{self, Fxos8700};
use super::i2c::I2cDevice;
use super::lsm303agr;
use super::mag3110::{self, Mag3110};
use super::mma8653::{self, Mma8653};
use super::world::SharedWorld;

/// A kind of sensor.
#[derive(Debug)]
pub struct SensorModel {
    /// Its name.
    pub name: &'static str,
    /// The addresses it can have; the first unless the board says otherwise.
    pub addresses: RangeInclusive<u8>,
    /// Its interrupt outputs: name, which of its devices has it, and its number there.
    pub outputs: &'static [(&'static str, usize, usize)],
    build: fn(u8, SharedWorld) -> Vec<Box<dyn I2cDevice>>,
}

/// All kinds.
pub const MODELS: &[SensorModel] = &[
    SensorModel {
        name: "lsm303agr",
        addresses: lsm303agr::ACCELEROMETER..=lsm303agr::ACCELEROMETER,
        outputs: &[("INT_1_XL", 0, 0), ("INT_2_XL", 0, 1), ("INT_MAG", 1, 0)],
        build: |_, world| {
            let accelerometer = lsm303agr::Accelerometer::device(world.clone());
            vec![Box::new(accelerometer), Box::new(lsm303agr::Magnetometer::device(world))]
        },
    },
    SensorModel {
        name: "fxos8700",
        addresses: fxos8700::ADDRESSES,
        outputs: &[("INT1", 0, 0), ("INT2", 0, 1)],
        build: |address, world| vec![Box::new(Fxos8700::device(address, world))],
    },
    SensorModel {
        name: "mma8653",
        addresses: mma8653::ADDRESS..=mma8653::ADDRESS,
        outputs: &[("INT1", 0, 0), ("INT2", 0, 1)],
        build: |_, world| vec![Box::new(Mma8653::device(world))],
    },
    SensorModel {
        name: "mag3110",
        addresses: mag3110::ADDRESS..=mag3110::ADDRESS,
        outputs: &[("INT1", 0, 0)],
        build: |_, world| vec![Box::new(Mag3110::device(world))],
    },
];

impl SensorModel {
    /// The kind called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static SensorModel> {
        MODELS.iter().find(|model| model.name == name)
    }

    /// A sensor of this kind in these surroundings: one device for each of its addresses.
    #[must_use]
    pub fn build(&self, address: u8, world: SharedWorld) -> Vec<Box<dyn I2cDevice>> {
        (self.build)(address, world)
    }

    /// The output called `name`: which of the sensor's devices has it, and its number there.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<(usize, usize)> {
        self.outputs.iter().find(|output| output.0 == name).map(|&(_, device, number)| (device, number))
    }
}
