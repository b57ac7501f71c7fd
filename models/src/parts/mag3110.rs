//! MAG3110: the magnetometer of the micro:bit V1.3 (I2C 0x0E).
//!
//! Samples of 16 bits in units of 0.1 µT stand big-endian in OUT_X_MSB and the registers after it. INT1 is high from a
//! sample until it is read. On the board the chip's axes are the board's turned round.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;

use super::i2c::{RegisterMap, Registers};
use super::sampler::Sampler;
use super::world::SharedWorld;

/// The address.
pub const ADDRESS: u8 = 0x0E;

const DR_STATUS: u8 = 0x00;
const OUT_X_MSB: u8 = 0x01;
const OUT_Z_LSB: u8 = 0x06;
const WHO_AM_I: u8 = 0x07;
const SYSMOD: u8 = 0x08;
const OFF_X_MSB: u8 = 0x09;
const OFF_Z_LSB: u8 = 0x0E;
const DIE_TEMP: u8 = 0x0F;
const CTRL_REG1: u8 = 0x10;
const CTRL_REG2: u8 = 0x11;

/// CTRL_REG1: AC\[0\] continuous, TM\[1\] one measurement, OS\[4:3\], DR\[7:5\].
const AC: u8 = 1;
const TM: u8 = 1 << 1;
/// CTRL_REG2: RAW\[5\].
const RAW: u8 = 1 << 5;

/// The registers.
#[derive(Debug)]
pub struct Mag3110 {
    world: SharedWorld,
    registers: [u8; 0x12],
    sampler: Sampler,
}

impl Mag3110 {
    /// At its address, in these surroundings.
    #[must_use]
    pub fn device(world: SharedWorld) -> Registers<Mag3110> {
        Registers::new(ADDRESS, Mag3110 { world, registers: [0; 0x12], sampler: Sampler::default() })
    }

    fn register(&self, register: u8) -> u8 {
        self.registers.get(usize::from(register)).copied().unwrap_or(0)
    }

    /// 80 Hz, halved by every step of DR and of OS.
    fn period(&self) -> Span {
        let control = self.register(CTRL_REG1);
        Span::us(12_500 << (control >> 5) << (control >> 3 & 3))
    }

    /// The newest sample, less the user's offset (15 bits, left-aligned) unless RAW.
    fn sample(&self, now: Time, axis: usize) -> i16 {
        if self.sampler.newest(now).is_none() {
            return 0;
        }
        let at = OFF_X_MSB + 2 * axis as u8;
        let offset = match self.register(CTRL_REG2) & RAW {
            0 => i16::from_be_bytes([self.register(at), self.register(at + 1)]) >> 1,
            _ => 0,
        };
        let tenths_of_ut = -self.world.lock().magnetic_field[axis] / 100;
        (tenths_of_ut - i32::from(offset)).clamp(-30_000, 30_000) as i16
    }
}

impl RegisterMap for Mag3110 {
    fn read(&mut self, now: Time, register: u8) -> u8 {
        match register {
            DR_STATUS => self.sampler.nxp_status(now),
            OUT_X_MSB..=OUT_Z_LSB => {
                let index = usize::from(register - OUT_X_MSB);
                let byte = self.sample(now, index / 2).to_be_bytes()[index % 2];
                if index % 2 == 1 {
                    self.sampler.take(now, index / 2);
                }
                byte
            }
            WHO_AM_I => 0xC4,
            // Standby, active and raw, active.
            SYSMOD if self.register(CTRL_REG1) & AC == 0 => 0,
            SYSMOD => {
                if self.register(CTRL_REG2) & RAW != 0 {
                    1
                } else {
                    2
                }
            }
            DIE_TEMP => (self.world.lock().temperature / 4).clamp(-128, 127) as u8,
            _ => self.register(register),
        }
    }

    fn write(&mut self, now: Time, register: u8, value: u8) {
        match register {
            OFF_X_MSB..=OFF_Z_LSB | CTRL_REG2 => self.registers[usize::from(register)] = value,
            CTRL_REG1 => {
                let before = std::mem::replace(&mut self.registers[usize::from(register)], value & !TM);
                if value & AC == 0 && value & TM != 0 {
                    self.sampler.once(now, self.period());
                } else if before & AC != value & AC {
                    self.sampler.run(now, (value & AC != 0).then(|| self.period()));
                }
            }
            _ => {}
        }
    }

    fn after(&self, pointer: u8) -> u8 {
        pointer.wrapping_add(1)
    }

    /// Output 0 is INT1.
    fn output(&self, now: Time, output: usize) -> Drive {
        if output == 0 && self.sampler.any_ready(now) { Drive::High } else { Drive::Low }
    }

    fn next_event(&self, now: Time) -> Time {
        self.sampler.next_event(now)
    }

    fn reset(&mut self) {
        (self.registers, self.sampler) = ([0; 0x12], Sampler::default());
    }
}

#[cfg(test)]
mod tests {
    use super::super::i2c::I2cDevice;
    use super::super::i2c::testing::{ms, read, write};
    use super::*;

    #[test]
    fn as_dal_uses_it_a_sample_comes_ten_times_a_second_and_raises_int1() {
        // nrf-target.md, 5.2: 10=00, SYSMOD until 0, 11=A0, 10=61.
        let world = SharedWorld::default();
        world.lock().magnetic_field = [20_000, -10_000, 44_000];
        let mut sensor = Mag3110::device(world);
        assert_eq!(read(&mut sensor, ms(0), 0x07), [0xC4]);
        write(&mut sensor, ms(0), &[0x10, 0x00]);
        assert_eq!(read(&mut sensor, ms(0), 0x08), [0]);
        write(&mut sensor, ms(0), &[0x11, 0xA0]);
        write(&mut sensor, ms(0), &[0x10, 0x61]);
        assert_eq!(read(&mut sensor, ms(1), 0x08), [1]);
        assert_eq!((sensor.output(ms(99), 0), sensor.next_event(ms(99))), (Drive::Low, ms(100)));
        assert_eq!(sensor.output(ms(100), 0), Drive::High);
        let bytes: [u8; 6] = read(&mut sensor, ms(101), 0x01);
        let axes = [0, 2, 4].map(|i| i16::from_be_bytes([bytes[i], bytes[i + 1]]));
        assert_eq!(axes, [-200, 100, -440]);
        assert_eq!((sensor.output(ms(102), 0), sensor.next_event(ms(102))), (Drive::Low, ms(200)));
    }

    #[test]
    fn the_users_offset_is_subtracted_unless_raw() {
        let world = SharedWorld::default();
        world.lock().magnetic_field = [0, 0, 44_000];
        let mut sensor = Mag3110::device(world);
        write(&mut sensor, ms(0), &[0x0D, 0xFF, 0x38]); // −100 << 1
        write(&mut sensor, ms(0), &[0x10, 0x01]); // 80 Hz
        assert_eq!(read(&mut sensor, ms(20), 0x05), (-340i16).to_be_bytes());
    }

    #[test]
    fn one_measurement_can_be_triggered_in_standby() {
        let mut sensor = Mag3110::device(SharedWorld::default());
        write(&mut sensor, ms(0), &[0x10, 0x02]);
        assert_eq!((sensor.output(ms(12), 0), sensor.output(ms(13), 0)), (Drive::Low, Drive::High));
        let _: [u8; 6] = read(&mut sensor, ms(13), 0x01);
        assert_eq!(sensor.next_event(ms(50)), Time::NEVER);
    }
}
