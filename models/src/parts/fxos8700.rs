//! FXOS8700CQ: accelerometer and magnetometer in one, on some micro:bit V1.5 (I2C 0x1E) and early V2.0 (0x1F).
//!
//! Samples stand left-aligned and big-endian. In hybrid mode both sensors are sampled one after the other, at half the
//! rate, and with hyb_autoinc_mode one read of twelve bytes from OUT_X_MSB on goes from the acceleration to the field.
//! On the boards the chip is turned by half a turn: its X and Y are the board's turned round.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;

use super::i2c::{RegisterMap, Registers};
use super::mma8653::{PERIODS_US, interrupt, to_chip};
use super::sampler::Sampler;
use super::world::SharedWorld;

/// The addresses that its two address pins can choose.
pub const ADDRESSES: std::ops::RangeInclusive<u8> = 0x1C..=0x1F;

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
const M_DR_STATUS: u8 = 0x32;
const M_OUT_X_MSB: u8 = 0x33;
const M_OUT_Z_LSB: u8 = 0x38;
const CMP_X_MSB: u8 = 0x39;
const CMP_Z_LSB: u8 = 0x3E;
const M_OFF_X_MSB: u8 = 0x3F;
const TEMP: u8 = 0x51;
const M_CTRL_REG1: u8 = 0x5B;
const M_CTRL_REG2: u8 = 0x5C;
const LAST: u8 = 0x78;

/// M_CTRL_REG1.m_hms: which sensors are sampled.
const ACCELEROMETER_ONLY: u8 = 0;
const HYBRID: u8 = 3;

/// The registers.
#[derive(Debug)]
pub struct Fxos8700 {
    world: SharedWorld,
    registers: [u8; LAST as usize + 1],
    acceleration: Sampler,
    field: Sampler,
}

impl Fxos8700 {
    /// At `address`, in these surroundings.
    #[must_use]
    pub fn device(address: u8, world: SharedWorld) -> Registers<Fxos8700> {
        let (acceleration, field) = (Sampler::default(), Sampler::default());
        Registers::new(address, Fxos8700 { world, registers: [0; LAST as usize + 1], acceleration, field })
    }

    fn register(&self, register: u8) -> u8 {
        self.registers.get(usize::from(register)).copied().unwrap_or(0)
    }

    fn active(&self) -> bool {
        self.register(CTRL_REG1) & 1 != 0
    }

    fn mode(&self) -> u8 {
        self.register(M_CTRL_REG1) & 3
    }

    fn start(&mut self, now: Time) {
        let us = PERIODS_US[usize::from(self.register(CTRL_REG1) >> 3 & 7)];
        let period = self.active().then_some(Span::us(if self.mode() == HYBRID { 2 * us } else { us }));
        let mode = self.mode();
        self.acceleration.run(now, period.filter(|_| mode == ACCELEROMETER_ONLY || mode == HYBRID));
        self.field.run(now, period.filter(|_| mode != ACCELEROMETER_ONLY));
    }

    /// 14 bits, left-aligned: 4096, 2048 or 1024 digits for 1 g, plus the offset (2 mg per step).
    fn accelerated(&self, now: Time, axis: usize) -> i16 {
        let Some(at) = self.acceleration.newest(now) else { return 0 };
        let digits_per_g = 4_096 >> (self.register(XYZ_DATA_CFG) & 3).min(2);
        let offset = i64::from(self.register(OFF_X + axis as u8) as i8) * 2;
        let mg = i64::from(to_chip(self.world.lock().acceleration_at(at))[axis]) + offset;
        ((mg * digits_per_g / 1_000).clamp(-8_192, 8_191) as i16) << 2
    }

    /// Units of 0.1 µT, less the user's offset (15 bits, left-aligned).
    fn magnetic(&self, now: Time, axis: usize) -> i16 {
        if self.field.newest(now).is_none() {
            return 0;
        }
        let at = M_OFF_X_MSB + 2 * axis as u8;
        let offset = i16::from_be_bytes([self.register(at), self.register(at + 1)]) >> 1;
        let tenths_of_ut = to_chip(self.world.lock().magnetic_field)[axis] / 100;
        (tenths_of_ut - i32::from(offset)).clamp(i16::MIN.into(), i16::MAX.into()) as i16
    }

    fn data_ready(&self, now: Time) -> bool {
        self.acceleration.any_ready(now) || self.field.any_ready(now)
    }
}

impl RegisterMap for Fxos8700 {
    fn read(&mut self, now: Time, register: u8) -> u8 {
        match register {
            STATUS => self.acceleration.nxp_status(now),
            OUT_X_MSB..=OUT_Z_LSB => {
                let index = usize::from(register - OUT_X_MSB);
                let byte = self.accelerated(now, index / 2).to_be_bytes()[index % 2];
                if index % 2 == 1 {
                    self.acceleration.take(now, index / 2);
                }
                byte
            }
            CMP_X_MSB..=CMP_Z_LSB => {
                let index = usize::from(register - CMP_X_MSB);
                (self.accelerated(now, index / 2) >> 2).to_be_bytes()[index % 2]
            }
            M_DR_STATUS => self.field.nxp_status(now),
            M_OUT_X_MSB..=M_OUT_Z_LSB => {
                let index = usize::from(register - M_OUT_X_MSB);
                let byte = self.magnetic(now, index / 2).to_be_bytes()[index % 2];
                if index % 2 == 1 {
                    self.field.take(now, index / 2);
                }
                byte
            }
            SYSMOD => self.active().into(),
            INT_SOURCE => self.data_ready(now).into(),
            WHO_AM_I => 0xC7,
            // 0.96 °C per step.
            TEMP => (self.world.lock().temperature * 25 / 96).clamp(-128, 127) as u8,
            _ => self.register(register),
        }
    }

    fn write(&mut self, now: Time, register: u8, value: u8) {
        if register == CTRL_REG2 && value & 1 << 6 != 0 {
            return self.reset(); // rst
        }
        let read_only = matches!(register, STATUS..=OUT_Z_LSB | SYSMOD..=WHO_AM_I | M_DR_STATUS..=CMP_Z_LSB | TEMP);
        if read_only || register > LAST {
            return;
        }
        let before = (self.register(CTRL_REG1) & 0x39, self.mode());
        self.registers[usize::from(register)] = value;
        if (self.register(CTRL_REG1) & 0x39, self.mode()) != before {
            self.start(now);
        }
    }

    fn after(&self, pointer: u8) -> u8 {
        let hybrid = self.register(M_CTRL_REG2) & 1 << 5 != 0;
        match pointer {
            OUT_Z_LSB if hybrid => M_OUT_X_MSB,
            OUT_Z_LSB => STATUS,
            M_OUT_Z_LSB if hybrid => OUT_X_MSB,
            _ => pointer.wrapping_add(1),
        }
    }

    /// Outputs 0 and 1 are INT1 and INT2: CTRL_REG5.int_cfg_drdy chooses.
    fn output(&self, now: Time, output: usize) -> Drive {
        let routed = if self.register(CTRL_REG5) & 1 != 0 { 0 } else { 1 };
        let tells = output == routed && self.register(CTRL_REG4) & 1 != 0 && self.data_ready(now);
        interrupt(tells, self.register(CTRL_REG3))
    }

    fn next_event(&self, now: Time) -> Time {
        self.acceleration.next_event(now).min(self.field.next_event(now))
    }

    fn reset(&mut self) {
        self.registers = [0; LAST as usize + 1];
        (self.acceleration, self.field) = (Sampler::default(), Sampler::default());
    }
}

#[cfg(test)]
mod tests {
    use super::super::i2c::I2cDevice;
    use super::super::i2c::testing::{ms, read, write};
    use super::*;

    /// As DAL sets it up (nrf-target.md, 5.2), at 100 Hz, which is 50 Hz in hybrid mode.
    fn started(world: &SharedWorld) -> Registers<Fxos8700> {
        let mut sensor = Fxos8700::device(0x1E, world.clone());
        let init = [[0x2A, 0], [0x5B, 0x1F], [0x5C, 0x20], [0x2C, 1], [0x2D, 1], [0x2E, 1], [0x0E, 0], [0x2A, 0x19]];
        for pair in init {
            write(&mut sensor, ms(0), &pair);
        }
        sensor
    }

    #[test]
    fn it_says_who_it_is() {
        assert_eq!(read(&mut Fxos8700::device(0x1F, SharedWorld::default()), ms(0), 0x0D), [0xC7]);
    }

    #[test]
    fn one_read_of_twelve_bytes_has_acceleration_and_field() {
        let world = SharedWorld::default();
        world.lock().acceleration = [250, -500, -1_000];
        world.lock().magnetic_field = [20_000, -10_000, 44_000];
        let mut sensor = started(&world);
        let bytes: [u8; 12] = read(&mut sensor, ms(20), 0x01);
        let axes = [0, 2, 4, 6, 8, 10].map(|i| i16::from_be_bytes([bytes[i], bytes[i + 1]]));
        assert_eq!(axes, [-4_096, 8_192, -16_384, -200, 100, 440]);
        assert_eq!(read(&mut sensor, ms(20), 0x00), [0], "all have been read");
    }

    #[test]
    fn int1_is_an_open_drain_that_is_low_until_both_have_been_read() {
        let mut sensor = started(&SharedWorld::default());
        assert_eq!((sensor.output(ms(19), 0), sensor.next_event(ms(19))), (Drive::Released, ms(20)));
        assert_eq!(sensor.output(ms(20), 0), Drive::Low);
        assert_eq!(read::<1>(&mut sensor, ms(20), 0x00)[0] & 0x07, 0x07);
        let _: [u8; 6] = read(&mut sensor, ms(20), 0x01);
        assert_eq!(sensor.output(ms(21), 0), Drive::Low, "the field has not");
        let _: [u8; 12] = read(&mut sensor, ms(21), 0x01);
        assert_eq!((sensor.output(ms(22), 0), sensor.next_event(ms(22))), (Drive::Released, ms(40)));
    }

    #[test]
    fn without_hybrid_mode_it_is_an_accelerometer_at_the_full_rate() {
        let mut sensor = Fxos8700::device(0x1E, SharedWorld::default());
        write(&mut sensor, ms(0), &[0x2A, 0x19]);
        assert_eq!(sensor.next_event(ms(0)), ms(10));
        let bytes: [u8; 7] = read(&mut sensor, ms(10), 0x01);
        assert_eq!((bytes[4], bytes[6]), (0xC0, 0), "behind the acceleration comes STATUS again");
    }
}
