//! TEMP — temperature sensor (PS chapter "TEMP"): the die's temperature in quarters of a degree.

use super::clock::LfClk;
use super::peripheral::{Cx, Events, NEVER, Peripheral, Reset, us};
use crate::parts::world::SharedWorld;

const START: u32 = 0x000;
const STOP: u32 = 0x004;
const TEMP: u32 = 0x508;
const DATARDY: u32 = 0;

/// t_TEMP.
const CONVERSION: u64 = us(36);

/// First and last of the calibration registers A0–A5, B0–B5, T0–T4, with their reset values in between.
const CALIBRATION: [(u32, u32); 17] = [
    (0x520, 0x326),
    (0x524, 0x348),
    (0x528, 0x3AA),
    (0x52C, 0x40E),
    (0x530, 0x4BD),
    (0x534, 0x5A3), // A
    (0x540, 0x3FEF),
    (0x544, 0x3FBE),
    (0x548, 0x3FBE),
    (0x54C, 0x12),
    (0x550, 0x124),
    (0x554, 0x27C), // B
    (0x560, 0xE2),
    (0x564, 0),
    (0x568, 0x19),
    (0x56C, 0x3C),
    (0x570, 0x50), // T
];

/// The register machine.
#[derive(Debug)]
pub struct Temp {
    events: Events,
    /// The die is as warm as its surroundings.
    world: SharedWorld,
    temp: i32,
    calibration: [(u32, u32); 17],
    due: u64,
}

impl Temp {
    /// A sensor on a die that is as warm as its surroundings.
    #[must_use]
    pub fn new(world: SharedWorld) -> Temp {
        Temp { events: Events::new(1 << DATARDY), world, temp: 0, calibration: CALIBRATION, due: NEVER }
    }
}

impl Peripheral for Temp {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        if offset == TEMP {
            return Some(self.temp as u32);
        }
        self.calibration.iter().find(|r| r.0 == offset).map(|r| r.1)
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        if offset != TEMP {
            self.calibration.iter_mut().find(|r| r.0 == offset)?.1 = value & 0x3FFF;
        }
        Some(())
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        match offset {
            START => self.due = cx.now + CONVERSION,
            STOP => self.due = NEVER,
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        self.events.reset();
        (self.temp, self.calibration, self.due) = (0, CALIBRATION, NEVER);
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.due
    }

    fn run(&mut self, _: &mut Cx<'_>) {
        (self.temp, self.due) = (self.world.lock().temperature, NEVER);
        self.events.raise(DATARDY);
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    fn sensor(temperature: i32) -> Temp {
        let world = SharedWorld::default();
        world.lock().temperature = temperature;
        Temp::new(world)
    }

    #[test]
    fn a_conversion_takes_36_us_and_is_signed() {
        let (mut bench, mut temp) = (Bench::default(), sensor(-10));
        temp.task(&mut bench.cx(), START);
        assert_eq!(bench.wait(&mut temp, DATARDY, NEVER - 1), Some(us(36)));
        assert_eq!(temp.read(&mut bench.cx(), TEMP), Some(0xFFFF_FFF6), "-2.5 degrees");
    }

    #[test]
    fn the_calibration_words_can_be_overwritten() {
        let (mut bench, mut temp) = (Bench::default(), sensor(100));
        assert_eq!(temp.read(&mut bench.cx(), 0x530), Some(0x4BD));
        temp.write(&mut bench.cx(), 0x530, 0xFFFF_FFFF);
        assert_eq!(temp.read(&mut bench.cx(), 0x530), Some(0x3FFF));
        assert_eq!(temp.write(&mut bench.cx(), 0x538, 0), None);
    }
}
