//! LSM303AGR: accelerometer (I2C 0x19) and magnetometer (0x1E) in one package; micro:bit V2 and V1.5.
//!
//! Bit 7 of the register's number makes further bytes go to the registers after it. A sample is ready once in each
//! period of the output data rate, whether or not the last one was read. The outputs INT_1_XL and INT_MAG are push-pull
//! and, unless CTRL_REG6_A says otherwise, high while they have something to tell.
//!
//! On both boards the chip sits so that its X is the board's X, its Y the board's Y turned round, its Z the board's Z.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;

use super::i2c::{RegisterMap, Registers};
use super::sampler::Sampler;
use super::world::{Axes, SharedWorld};

/// Addresses of the two halves.
pub const ACCELEROMETER: u8 = 0x19;
/// See [`ACCELEROMETER`].
pub const MAGNETOMETER: u8 = 0x1E;

const AUTO_INCREMENT: u8 = 0x80;

/// From the board's axes to the chip's.
fn to_chip([x, y, z]: Axes) -> Axes {
    [x, -y, z]
}

fn drive(active: bool) -> Drive {
    if active { Drive::High } else { Drive::Low }
}

fn after(pointer: u8) -> u8 {
    if pointer & AUTO_INCREMENT != 0 { AUTO_INCREMENT | pointer.wrapping_add(1) } else { pointer }
}

/// The six output registers: latched by axis from the first byte that is read until both are, if BDU is set.
#[derive(Clone, Copy, Debug, Default)]
struct Outputs {
    held: [Option<i16>; 3],
}

impl Outputs {
    /// Reads byte `index` (0 to 5); `sample` is what the axis is now. True: the axis has been read.
    fn read(&mut self, index: usize, sample: i16, block_update: bool, big_endian: bool) -> (u8, bool) {
        let (axis, high) = (index / 2, (index % 2 == 1) != big_endian);
        let value = self.held[axis].unwrap_or(sample);
        let second = index % 2 == 1;
        self.held[axis] = (block_update && !second).then_some(value);
        (value.to_le_bytes()[usize::from(high)], second)
    }
}

fn saturated(value: i64) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

mod accelerometer {
    pub const OUT_TEMP_L: u8 = 0x0C;
    pub const WHO_AM_I: u8 = 0x0F;
    pub const TEMP_CFG_REG: u8 = 0x1F;
    pub const CTRL_REG1: u8 = 0x20;
    pub const CTRL_REG3: u8 = 0x22;
    pub const CTRL_REG4: u8 = 0x23;
    pub const CTRL_REG5: u8 = 0x24;
    pub const CTRL_REG6: u8 = 0x25;
    pub const STATUS: u8 = 0x27;
    pub const OUT_X_L: u8 = 0x28;
    pub const OUT_Z_H: u8 = 0x2D;
    /// First and last register that can be written.
    pub const WRITABLE: std::ops::RangeInclusive<u8> = 0x1E..=0x3F;
}

/// The accelerometer's registers.
#[derive(Debug)]
pub struct Accelerometer {
    world: SharedWorld,
    registers: [u8; 0x40],
    sampler: Sampler,
    outputs: Outputs,
}

impl Accelerometer {
    /// At its address, in these surroundings.
    #[must_use]
    pub fn device(world: SharedWorld) -> Registers<Accelerometer> {
        let mut map =
            Accelerometer { world, registers: [0; 0x40], sampler: Sampler::default(), outputs: Outputs::default() };
        map.reset();
        Registers::new(ACCELEROMETER, map)
    }

    fn register(&self, register: u8) -> u8 {
        self.registers[usize::from(register)]
    }

    fn low_power(&self) -> bool {
        self.register(accelerometer::CTRL_REG1) & 1 << 3 != 0
    }

    /// CTRL_REG1_A: ODR\[7:4\], LPen\[3\].
    fn period(&self) -> Option<Span> {
        let hz = match (self.register(accelerometer::CTRL_REG1) >> 4, self.low_power()) {
            (1, _) => 1,
            (2, _) => 10,
            (3, _) => 25,
            (4, _) => 50,
            (5, _) => 100,
            (6, _) => 200,
            (7, _) => 400,
            (8, true) => 1_620,
            (9, true) => 5_376,
            (9, false) => 1_344,
            _ => return None,
        };
        Some(Span::period(hz))
    }

    /// The newest sample as the output registers show it: left-aligned, with 8, 10 or 12 bits that count.
    fn sample(&self, now: Time, axis: usize) -> i16 {
        let Some(at) = self.sampler.newest(now) else { return 0 };
        if self.register(accelerometer::CTRL_REG1) >> axis & 1 == 0 {
            return 0;
        }
        let control = self.register(accelerometer::CTRL_REG4);
        // Sixteenths of a digit of 12 bits: 1, 2, 4 and 12 mg at ±2, ±4, ±8 and ±16 g, of which 1 g has 1024, … digits.
        let digits_per_g = [1_024, 512, 256, 85][usize::from(control >> 4 & 3)];
        let mg = i64::from(to_chip(self.world.lock().acceleration_at(at))[axis]);
        let value = saturated(mg * digits_per_g * 16 / 1_000);
        let unused = match (self.low_power(), control & 1 << 3 != 0) {
            (true, _) => 8,
            (false, true) => 4,
            (false, false) => 6,
        };
        value >> unused << unused
    }
}

impl RegisterMap for Accelerometer {
    fn read(&mut self, now: Time, pointer: u8) -> u8 {
        use accelerometer::{OUT_TEMP_L, OUT_X_L, OUT_Z_H, STATUS, TEMP_CFG_REG, WHO_AM_I};
        let register = pointer & !AUTO_INCREMENT;
        match register {
            WHO_AM_I => 0x33,
            STATUS => self.sampler.st_status(now),
            OUT_X_L..=OUT_Z_H => {
                let index = usize::from(register - OUT_X_L);
                let control = self.register(accelerometer::CTRL_REG4);
                let sample = self.sample(now, index / 2);
                let (byte, done) = self.outputs.read(index, sample, control & 1 << 7 != 0, control & 1 << 6 != 0);
                if done {
                    self.sampler.take(now, index / 2);
                }
                byte
            }
            // The change from 25 °C in degrees, left-aligned.
            0x0D if self.register(TEMP_CFG_REG) >> 6 == 3 => (self.world.lock().temperature / 4 - 25) as u8,
            OUT_TEMP_L => 0,
            _ => self.registers.get(usize::from(register)).copied().unwrap_or(0),
        }
    }

    fn write(&mut self, now: Time, pointer: u8, value: u8) {
        let register = pointer & !AUTO_INCREMENT;
        if !accelerometer::WRITABLE.contains(&register) || register == accelerometer::STATUS {
            return;
        }
        let before = self.period();
        self.registers[usize::from(register)] = value;
        if register == accelerometer::CTRL_REG5 && value & 1 << 7 != 0 {
            // BOOT: trimming values are loaded again, which ends at once and leaves the rest as it is.
            self.registers[usize::from(register)] &= !(1 << 7);
        }
        let period = self.period();
        if period != before {
            self.sampler.run(now, period);
        }
    }

    fn after(&self, pointer: u8) -> u8 {
        after(pointer)
    }

    /// Output 0 is INT_1_XL: I1_ZYXDA in CTRL_REG3_A.
    fn output(&self, now: Time, output: usize) -> Drive {
        let tells = output == 0 && self.register(accelerometer::CTRL_REG3) & 1 << 4 != 0 && self.sampler.all_ready(now);
        let active_low = self.register(accelerometer::CTRL_REG6) & 1 << 1 != 0;
        drive(tells != active_low)
    }

    fn next_event(&self, now: Time) -> Time {
        self.sampler.next_event(now)
    }

    fn reset(&mut self) {
        self.registers = [0; 0x40];
        self.registers[usize::from(accelerometer::CTRL_REG1)] = 0x07;
        (self.sampler, self.outputs) = (Sampler::default(), Outputs::default());
    }
}

mod magnetometer {
    pub const OFFSET_X_L: u8 = 0x45;
    pub const WHO_AM_I: u8 = 0x4F;
    pub const CFG_REG_A: u8 = 0x60;
    pub const CFG_REG_C: u8 = 0x62;
    pub const INT_CRTL_REG: u8 = 0x63;
    pub const STATUS: u8 = 0x67;
    pub const OUTX_L: u8 = 0x68;
    pub const OUTZ_H: u8 = 0x6D;
}

/// The magnetometer's registers.
#[derive(Debug)]
pub struct Magnetometer {
    world: SharedWorld,
    registers: [u8; 0x80],
    sampler: Sampler,
    outputs: Outputs,
}

impl Magnetometer {
    /// At its address, in these surroundings.
    #[must_use]
    pub fn device(world: SharedWorld) -> Registers<Magnetometer> {
        let mut map =
            Magnetometer { world, registers: [0; 0x80], sampler: Sampler::default(), outputs: Outputs::default() };
        map.reset();
        Registers::new(MAGNETOMETER, map)
    }

    fn register(&self, register: u8) -> u8 {
        self.registers[usize::from(register) & 0x7F]
    }

    /// The newest sample: 1 LSB is 1.5 mG, that is 150 nT; the hard-iron offsets are subtracted.
    fn sample(&self, now: Time, axis: usize) -> i16 {
        let Some(at) = self.sampler.newest(now) else { return 0 };
        let _ = at;
        let field = i64::from(to_chip(self.world.lock().magnetic_field)[axis]);
        let offset = magnetometer::OFFSET_X_L + 2 * axis as u8;
        let offset = i16::from_le_bytes([self.register(offset), self.register(offset + 1)]);
        saturated(field / 150 - i64::from(offset))
    }

    /// CFG_REG_A_M: ODR\[3:2\], MD\[1:0\].
    fn configure(&mut self, now: Time, value: u8) {
        let period = Span::period([10, 20, 50, 100][usize::from(value >> 2 & 3)]);
        match value & 3 {
            0 if self.register(magnetometer::CFG_REG_A) & 0x0F == value & 0x0F && self.sampler.period().is_some() => {}
            0 => self.sampler.run(now, Some(period)),
            1 => self.sampler.once(now, period),
            _ => self.sampler.run(now, None),
        }
    }
}

impl RegisterMap for Magnetometer {
    fn read(&mut self, now: Time, pointer: u8) -> u8 {
        use magnetometer::{CFG_REG_C, OUTX_L, OUTZ_H, STATUS, WHO_AM_I};
        let register = pointer & !AUTO_INCREMENT;
        match register {
            WHO_AM_I => 0x40,
            STATUS => self.sampler.st_status(now),
            OUTX_L..=OUTZ_H => {
                let index = usize::from(register - OUTX_L);
                let control = self.register(CFG_REG_C);
                let sample = self.sample(now, index / 2);
                let (byte, done) = self.outputs.read(index, sample, control & 1 << 4 != 0, control & 1 << 3 != 0);
                if done {
                    self.sampler.take(now, index / 2);
                }
                byte
            }
            _ => self.register(register),
        }
    }

    fn write(&mut self, now: Time, pointer: u8, value: u8) {
        let register = pointer & !AUTO_INCREMENT;
        match register {
            magnetometer::CFG_REG_A if value & 1 << 5 != 0 => self.reset(), // SOFT_RST
            magnetometer::CFG_REG_A => {
                self.configure(now, value);
                self.registers[usize::from(register)] = value & !(1 << 6);
            }
            0x45..=0x4A | 0x61..=0x63 | 0x65 | 0x66 => self.registers[usize::from(register)] = value,
            _ => {}
        }
    }

    fn after(&self, pointer: u8) -> u8 {
        after(pointer)
    }

    /// Output 0 is INT_MAG, the DRDY pin: INT_MAG in CFG_REG_C_M.
    fn output(&self, now: Time, output: usize) -> Drive {
        drive(output == 0 && self.register(magnetometer::CFG_REG_C) & 1 != 0 && self.sampler.all_ready(now))
    }

    fn next_event(&self, now: Time) -> Time {
        self.sampler.next_event(now)
    }

    fn reset(&mut self) {
        self.registers = [0; 0x80];
        self.registers[usize::from(magnetometer::CFG_REG_A)] = 0x03; // idle
        self.registers[usize::from(magnetometer::INT_CRTL_REG)] = 0xE0;
        (self.sampler, self.outputs) = (Sampler::default(), Outputs::default());
    }
}

#[cfg(test)]
mod tests {
    use super::super::i2c::I2cDevice;
    use super::super::i2c::testing::{ms, read, write};
    use super::*;
    use crate::parts::world::Gesture;

    fn axes(bytes: [u8; 6]) -> [i16; 3] {
        [0, 2, 4].map(|i| i16::from_le_bytes([bytes[i], bytes[i + 1]]))
    }

    /// As the board's programs set it up: BDU, data-ready on INT_1_XL, 50 Hz, all axes (nrf-target.md, 5.2).
    fn started(world: &SharedWorld, range: u8) -> Registers<Accelerometer> {
        let mut sensor = Accelerometer::device(world.clone());
        write(&mut sensor, ms(0), &[0x22, 0x10]);
        write(&mut sensor, ms(0), &[0x23, 0x80 | range]);
        write(&mut sensor, ms(0), &[0x20, 0x47]);
        sensor
    }

    #[test]
    fn both_halves_say_who_they_are() {
        let world = SharedWorld::default();
        assert_eq!(read(&mut Accelerometer::device(world.clone()), ms(0), 0x0F), [0x33]);
        assert_eq!(read(&mut Magnetometer::device(world), ms(0), 0x4F), [0x40]);
    }

    #[test]
    fn at_50_hz_a_sample_is_ready_every_20_ms_and_raises_the_output_until_it_is_read() {
        let mut sensor = started(&SharedWorld::default(), 0);
        assert_eq!((sensor.output(ms(19), 0), sensor.next_event(ms(19))), (Drive::Low, ms(20)));
        assert_eq!((sensor.output(ms(20), 0), sensor.next_event(ms(20))), (Drive::High, Time::NEVER));
        assert_eq!(read(&mut sensor, ms(21), 0x27), [0x0F]);
        assert_eq!(axes(read(&mut sensor, ms(21), 0x28 | AUTO_INCREMENT)), [0, 0, -16_384]);
        assert_eq!((sensor.output(ms(22), 0), sensor.next_event(ms(22))), (Drive::Low, ms(40)));
    }

    #[test]
    fn the_range_scales_the_samples() {
        // LSM303AGR datasheet, table 3: 0.98, 1.95, 3.9 and 11.72 mg per digit of 12 bits.
        for (range, one_g) in [(0x00, 16_384), (0x10, 8_192), (0x20, 4_096), (0x30, 1_365)] {
            let mut sensor = started(&SharedWorld::default(), range);
            let [_, _, z] = axes(read(&mut sensor, ms(20), 0x28 | AUTO_INCREMENT));
            assert!((i32::from(z) + one_g).abs() < 64, "{range:#x}: {z}");
        }
    }

    #[test]
    fn beyond_its_range_a_sample_stays_at_the_end_of_it() {
        let world = SharedWorld::default();
        world.lock().acceleration = [3_000, 0, -5_000];
        let mut sensor = started(&world, 0);
        assert_eq!(axes(read(&mut sensor, ms(20), 0x28 | AUTO_INCREMENT)), [0x7FC0, 0, i16::MIN]);
    }

    #[test]
    fn the_resolution_decides_how_many_bits_count() {
        let world = SharedWorld::default();
        world.lock().acceleration = [333, 0, 0];
        // 333 mg are 5455: low power, normal, high resolution.
        for (ctrl1, ctrl4, expected) in [(0x4F, 0x80, 0x1500), (0x47, 0x80, 0x1540), (0x47, 0x88, 0x1540)] {
            let mut sensor = Accelerometer::device(world.clone());
            write(&mut sensor, ms(0), &[0x23, ctrl4]);
            write(&mut sensor, ms(0), &[0x20, ctrl1]);
            assert_eq!(axes(read(&mut sensor, ms(20), 0x28 | AUTO_INCREMENT))[0], expected, "{ctrl1:#x} {ctrl4:#x}");
        }
    }

    #[test]
    fn with_block_data_update_the_halves_of_a_value_belong_together() {
        let world = SharedWorld::default();
        let mut sensor = started(&world, 0);
        let [low] = read(&mut sensor, ms(20), 0x2C);
        world.lock().make(Gesture::FaceDown, ms(25));
        let [high] = read(&mut sensor, ms(45), 0x2D);
        assert_eq!(i16::from_le_bytes([low, high]), -16_384);
        assert_eq!(axes(read(&mut sensor, ms(65), 0x28 | AUTO_INCREMENT))[2], 16_384);
    }

    #[test]
    fn without_the_increment_bit_the_same_register_is_read_again() {
        let mut sensor = Accelerometer::device(SharedWorld::default());
        write(&mut sensor, ms(0), &[0x23 | AUTO_INCREMENT, 0x80, 0x01]);
        assert_eq!(read(&mut sensor, ms(0), 0x23), [0x80, 0x80]);
        assert_eq!(read(&mut sensor, ms(0), 0x23 | AUTO_INCREMENT), [0x80, 0x01]);
    }

    #[test]
    fn the_magnetometer_shows_the_field_in_units_of_150_nt() {
        let world = SharedWorld::default();
        world.lock().magnetic_field = [30_000, -15_000, 45_000];
        let mut sensor = Magnetometer::device(world);
        write(&mut sensor, ms(0), &[0x62, 0x01]);
        write(&mut sensor, ms(0), &[0x60, 0x00]); // continuous, 10 Hz
        assert_eq!(sensor.output(ms(99), 0), Drive::Low);
        assert_eq!(sensor.output(ms(100), 0), Drive::High);
        assert_eq!(axes(read(&mut sensor, ms(100), 0x68 | AUTO_INCREMENT)), [200, 100, 300]);
        assert_eq!(sensor.output(ms(101), 0), Drive::Low);
        write(&mut sensor, ms(102), &[0x45 | AUTO_INCREMENT, 50, 0, 0, 0, 0, 0]);
        assert_eq!(axes(read(&mut sensor, ms(200), 0x68 | AUTO_INCREMENT)), [150, 100, 300], "less the offset");
    }

    #[test]
    fn idle_it_never_has_a_sample_and_single_mode_has_one() {
        let mut sensor = Magnetometer::device(SharedWorld::default());
        assert_eq!((sensor.output(ms(500), 0), sensor.next_event(ms(500))), (Drive::Low, Time::NEVER));
        write(&mut sensor, ms(500), &[0x60, 0x0D]); // single, 100 Hz
        assert_eq!(sensor.next_event(ms(500)), ms(510));
        let _: [u8; 6] = read(&mut sensor, ms(510), 0x68 | AUTO_INCREMENT);
        assert_eq!(sensor.next_event(ms(600)), Time::NEVER);
    }

    #[test]
    fn after_a_power_cycle_everything_is_as_at_first() {
        let mut sensor = started(&SharedWorld::default(), 0x20);
        sensor.power_cycle();
        assert_eq!(read(&mut sensor, ms(100), 0x20), [0x07]);
        assert_eq!((sensor.output(ms(200), 0), sensor.next_event(ms(200))), (Drive::Low, Time::NEVER));
    }
}
