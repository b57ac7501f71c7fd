//! MMA8653FC: the accelerometer of the micro:bit V1.3 (I2C 0x1D).
//!
//! Samples of 10 bits stand left-aligned and big-endian in OUT_X_MSB and the registers after it. The outputs INT1 and
//! INT2 are low while they have something to tell, unless CTRL_REG3.IPOL says otherwise, and open drain if it says so.
//! On the board the chip is turned by half a turn: its X and Y are the board's turned round.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;

use super::i2c::{RegisterMap, Registers};
use super::sampler::Sampler;
use super::world::{Axes, SharedWorld};

/// The address.
pub const ADDRESS: u8 = 0x1D;

const STATUS: u8 = 0x00;
const OUT_X_MSB: u8 = 0x01;
const OUT_Z_LSB: u8 = 0x06;
const SYSMOD: u8 = 0x0B;
const INT_SOURCE: u8 = 0x0C;
const WHO_AM_I: u8 = 0x0D;
const XYZ_DATA_CFG: u8 = 0x0E;
const CTRL_REG1: u8 = 0x2A;
const CTRL_REG2: u8 = 0x2B;
const CTRL_REG3: u8 = 0x2C;
const CTRL_REG4: u8 = 0x2D;
const CTRL_REG5: u8 = 0x2E;
const OFF_X: u8 = 0x2F;
const LAST: u8 = 0x31;

/// CTRL_REG1.DR: periods of the output data rates 800, 400, 200, 100, 50, 12.5, 6.25 and 1.56 Hz in microseconds.
pub(super) const PERIODS_US: [u64; 8] = [1_250, 2_500, 5_000, 10_000, 20_000, 80_000, 160_000, 640_000];

/// From the board's axes to the chip's.
pub(super) fn to_chip([x, y, z]: Axes) -> Axes {
    [-x, -y, z]
}

/// What an NXP sensor's interrupt output does: CTRL_REG3 has PP_OD\[0\] and IPOL\[1\].
pub(super) fn interrupt(tells: bool, ctrl_reg3: u8) -> Drive {
    let (open_drain, active_high) = (ctrl_reg3 & 1 != 0, ctrl_reg3 & 2 != 0);
    match (tells == active_high, open_drain) {
        (true, false) => Drive::High,
        (false, false) => Drive::Low,
        // Open drain pulls in one direction only, that of IPOL.
        (true, true) if active_high => Drive::High,
        (false, true) if !active_high => Drive::Low,
        (_, true) => Drive::Released,
    }
}

/// The registers.
#[derive(Debug)]
pub struct Mma8653 {
    world: SharedWorld,
    registers: [u8; 0x32],
    sampler: Sampler,
}

impl Mma8653 {
    /// At its address, in these surroundings.
    #[must_use]
    pub fn device(world: SharedWorld) -> Registers<Mma8653> {
        Registers::new(ADDRESS, Mma8653 { world, registers: [0; 0x32], sampler: Sampler::default() })
    }

    fn register(&self, register: u8) -> u8 {
        self.registers.get(usize::from(register)).copied().unwrap_or(0)
    }

    fn active(&self) -> bool {
        self.register(CTRL_REG1) & 1 != 0
    }

    /// F_READ: only the upper bytes are read.
    fn fast_read(&self) -> bool {
        self.register(CTRL_REG1) & 2 != 0
    }

    /// The newest sample, left-aligned: 256, 128 or 64 digits of 10 bits for 1 g, plus the offset (1.96 mg per step).
    fn sample(&self, now: Time, axis: usize) -> i16 {
        let Some(at) = self.sampler.newest(now) else { return 0 };
        let digits_per_g = 256 >> (self.register(XYZ_DATA_CFG) & 3).min(2);
        let offset = i64::from(self.register(OFF_X + axis as u8) as i8) * 196;
        let mg = i64::from(to_chip(self.world.lock().acceleration_at(at))[axis]) * 100 + offset;
        ((mg * digits_per_g / 100_000).clamp(-512, 511) as i16) << 6
    }

    fn tells(&self, now: Time) -> bool {
        self.register(CTRL_REG4) & 1 != 0 && self.sampler.any_ready(now)
    }
}

impl RegisterMap for Mma8653 {
    fn read(&mut self, now: Time, register: u8) -> u8 {
        match register {
            STATUS => self.sampler.nxp_status(now),
            OUT_X_MSB..=OUT_Z_LSB => {
                let index = usize::from(register - OUT_X_MSB);
                let byte = self.sample(now, index / 2).to_be_bytes()[index % 2];
                if index % 2 == 1 || self.fast_read() {
                    self.sampler.take(now, index / 2);
                }
                byte
            }
            SYSMOD => self.active().into(),
            INT_SOURCE => self.sampler.any_ready(now).into(),
            WHO_AM_I => 0x5A,
            _ => self.register(register),
        }
    }

    fn write(&mut self, now: Time, register: u8, value: u8) {
        if !(XYZ_DATA_CFG..=LAST).contains(&register) {
            return;
        }
        if register == CTRL_REG2 && value & 1 << 6 != 0 {
            return self.reset(); // RST
        }
        // All but the ACTIVE bit itself can be changed in standby only.
        if self.active() && register != CTRL_REG1 {
            return;
        }
        let was_active = self.active();
        self.registers[usize::from(register)] = value;
        if register == CTRL_REG1 && self.active() != was_active {
            let period = Span::us(PERIODS_US[usize::from(value >> 3 & 7)]);
            self.sampler.run(now, self.active().then_some(period));
        }
    }

    fn after(&self, pointer: u8) -> u8 {
        match pointer {
            OUT_Z_LSB => STATUS,
            0x05 if self.fast_read() => STATUS,
            0x01 | 0x03 if self.fast_read() => pointer + 2,
            _ => pointer.wrapping_add(1),
        }
    }

    /// Outputs 0 and 1 are INT1 and INT2: CTRL_REG5.INT_CFG_DRDY chooses.
    fn output(&self, now: Time, output: usize) -> Drive {
        let routed = if self.register(CTRL_REG5) & 1 != 0 { 0 } else { 1 };
        interrupt(output == routed && self.tells(now), self.register(CTRL_REG3))
    }

    fn next_event(&self, now: Time) -> Time {
        self.sampler.next_event(now)
    }

    fn reset(&mut self) {
        (self.registers, self.sampler) = ([0; 0x32], Sampler::default());
    }
}

#[cfg(test)]
mod tests {
    use super::super::i2c::I2cDevice;
    use super::super::i2c::testing::{ms, read, write};
    use super::*;

    /// As DAL sets it up (nrf-target.md, 5.2), with CTRL_REG1 = 0x21: 50 Hz.
    fn started(world: &SharedWorld, range: u8) -> Registers<Mma8653> {
        let mut sensor = Mma8653::device(world.clone());
        for pair in [[0x2A, 0], [0x2B, 0x10], [0x2D, 1], [0x2E, 1], [0x0E, range], [0x2A, 0x21]] {
            write(&mut sensor, ms(0), &pair);
        }
        sensor
    }

    #[test]
    fn it_says_who_it_is() {
        assert_eq!(read(&mut Mma8653::device(SharedWorld::default()), ms(0), 0x0D), [0x5A]);
    }

    #[test]
    fn int1_is_low_from_a_sample_until_it_is_read() {
        let mut sensor = started(&SharedWorld::default(), 0);
        assert_eq!((sensor.output(ms(19), 0), sensor.next_event(ms(19))), (Drive::High, ms(20)));
        assert_eq!((sensor.output(ms(20), 0), sensor.output(ms(20), 1)), (Drive::Low, Drive::High));
        // 1 g down: −256 of 10 bits, left-aligned and big-endian.
        assert_eq!(read(&mut sensor, ms(21), 0x01), [0, 0, 0, 0, 0xC0, 0x00]);
        assert_eq!((sensor.output(ms(22), 0), sensor.next_event(ms(22))), (Drive::High, ms(40)));
    }

    #[test]
    fn the_range_scales_and_limits_the_samples() {
        let world = SharedWorld::default();
        world.lock().acceleration = [1_000, 0, -3_000];
        for (range, x, z) in [(0, -256, -512), (1, -128, -384), (2, -64, -192)] {
            let [xh, xl, _, _, zh, zl] = read(&mut started(&world, range), ms(20), 0x01);
            let value = |high, low| i16::from_be_bytes([high, low]) >> 6;
            assert_eq!((value(xh, xl), value(zh, zl)), (x, z), "range {range}; X is the board's turned round");
        }
    }

    #[test]
    fn a_fast_read_has_the_upper_bytes_only() {
        let mut sensor = Mma8653::device(SharedWorld::default());
        write(&mut sensor, ms(0), &[0x2A, 0x23]);
        assert_eq!(read(&mut sensor, ms(20), 0x01), [0, 0, 0xC0]);
        assert_eq!(read(&mut sensor, ms(20), 0x00), [0]);
    }

    #[test]
    fn while_it_is_active_its_configuration_cannot_be_changed() {
        let mut sensor = started(&SharedWorld::default(), 0);
        write(&mut sensor, ms(5), &[0x0E, 2]);
        assert_eq!(read(&mut sensor, ms(5), 0x0E), [0]);
        assert_eq!(read(&mut sensor, ms(5), 0x0B), [1], "SYSMOD: wake");
    }

    #[test]
    fn an_open_drain_output_only_pulls() {
        assert_eq!((interrupt(true, 0x01), interrupt(false, 0x01)), (Drive::Low, Drive::Released));
        assert_eq!((interrupt(true, 0x03), interrupt(false, 0x03)), (Drive::High, Drive::Released));
        assert_eq!((interrupt(true, 0x02), interrupt(false, 0x02)), (Drive::High, Drive::Low));
    }
}
