//! LSM303AGR, the motion sensor of the micro:bit V2: accelerometer (I2C 0x19) and magnetometer (0x1E).
//!
//! The first byte of a write chooses a register; bit 7 makes further bytes go to the registers after it. A sample is
//! ready once per period of the output data rate; reading it makes the sensor wait for the next.

use twinboard_sim::time::{Span, Time};

use super::i2c::{I2cBus, I2cDevice};

/// Registers that both halves decode.
const REGISTERS: usize = 0x80;
const AUTO_INCREMENT: u8 = 0x80;

/// What distinguishes the two halves of the chip.
#[derive(Clone, Copy, Debug)]
struct Half {
    address: u8,
    who_am_i: (u8, u8),
    status: u8,
    /// First of the six output registers.
    out: u8,
    /// The register and bit that put data-ready on the interrupt line.
    interrupt: (u8, u8),
}

const ACCELEROMETER: Half =
    Half { address: 0x19, who_am_i: (0x0F, 0x33), status: 0x27, out: 0x28, interrupt: (0x22, 0x10) };
const MAGNETOMETER: Half =
    Half { address: 0x1E, who_am_i: (0x4F, 0x40), status: 0x67, out: 0x68, interrupt: (0x62, 0x01) };

const CTRL_REG1_A: u8 = 0x20;
const CFG_REG_A_M: u8 = 0x60;
/// STATUS: new data on all axes.
const ZYXDA: u8 = 1 << 3;

/// Output data rates of the accelerometer in hertz, by CTRL_REG1_A\[7:4\]; 0 is power-down.
const ACCELEROMETER_HZ: [u64; 10] = [0, 1, 10, 25, 50, 100, 200, 400, 1_620, 1_344];
/// Output data rates of the magnetometer in hertz, by CFG_REG_A_M\[3:2\].
const MAGNETOMETER_HZ: [u64; 4] = [10, 20, 50, 100];

/// One half of the sensor.
#[derive(Debug)]
pub struct Lsm303Agr {
    half: Half,
    registers: [u8; REGISTERS],
    pointer: u8,
    expects_pointer: bool,
    /// The three axes as the output registers show them.
    axes: [i16; 3],
    /// Sampling began, or the last sample was read.
    since: Option<Time>,
}

impl Lsm303Agr {
    /// The accelerometer of a board that lies flat on the table: 1 g down, that is −1024 in units of 1/1024 g at ±2 g.
    #[must_use]
    pub fn accelerometer() -> Lsm303Agr {
        Lsm303Agr::new(ACCELEROMETER, [0, 0, -16_384])
    }

    /// The magnetometer in a field of 30 µT along X and 40 µT down (1 LSB is 0.15 µT).
    #[must_use]
    pub fn magnetometer() -> Lsm303Agr {
        Lsm303Agr::new(MAGNETOMETER, [200, 0, -267])
    }

    fn new(half: Half, axes: [i16; 3]) -> Lsm303Agr {
        let mut sensor =
            Lsm303Agr { half, registers: [0; REGISTERS], pointer: 0, expects_pointer: false, axes, since: None };
        sensor.power_cycle();
        sensor
    }

    /// Time between samples; `None` while powered down.
    fn period(&self) -> Option<Span> {
        let hz = if self.half.address == ACCELEROMETER.address {
            *ACCELEROMETER_HZ.get(usize::from(self.registers[usize::from(CTRL_REG1_A)] >> 4))?
        } else {
            let cfg = self.registers[usize::from(CFG_REG_A_M)];
            if cfg & 3 == 0 { MAGNETOMETER_HZ[usize::from(cfg >> 2 & 3)] } else { 0 }
        };
        (hz > 0).then(|| Span::period(hz))
    }

    fn ready_at(&self) -> Time {
        self.since.zip(self.period()).map_or(Time::NEVER, |(since, period)| since + period)
    }

    fn advance(&mut self) {
        if self.pointer & AUTO_INCREMENT != 0 {
            self.pointer = AUTO_INCREMENT | self.pointer.wrapping_add(1);
        }
    }

    fn read_register(&mut self, now: Time, register: u8) -> u8 {
        let last = self.half.out + 5;
        if register == self.half.who_am_i.0 {
            self.half.who_am_i.1
        } else if register == self.half.status {
            if self.ready_at() <= now { ZYXDA } else { 0 }
        } else if (self.half.out..=last).contains(&register) {
            let byte = usize::from(register - self.half.out);
            if register == last && self.ready_at() <= now {
                self.since = Some(now);
            }
            self.axes[byte / 2].to_le_bytes()[byte % 2]
        } else {
            self.registers[usize::from(register) % REGISTERS]
        }
    }
}

/// The internal I2C bus of the micro:bit V2: SCL P0.08, SDA P0.16, interrupt P0.25, with the sensor at rest.
#[must_use]
pub fn microbit_v2_bus() -> I2cBus {
    I2cBus {
        pins: Some((8, 16)),
        interrupt_pin: Some(25),
        devices: vec![Box::new(Lsm303Agr::accelerometer()), Box::new(Lsm303Agr::magnetometer())],
    }
}

impl I2cDevice for Lsm303Agr {
    fn address(&self) -> u8 {
        self.half.address
    }

    fn start(&mut self) {
        self.expects_pointer = true;
    }

    fn write(&mut self, now: Time, byte: u8) -> bool {
        if std::mem::take(&mut self.expects_pointer) {
            self.pointer = byte;
        } else {
            let before = self.period();
            self.registers[usize::from(self.pointer) % REGISTERS] = byte;
            if self.period() != before {
                self.since = self.period().map(|_| now);
            }
            self.advance();
        }
        true
    }

    fn read(&mut self, now: Time) -> u8 {
        let value = self.read_register(now, self.pointer & !AUTO_INCREMENT);
        self.advance();
        value
    }

    fn interrupts(&self, now: Time) -> bool {
        let (register, bit) = self.half.interrupt;
        self.registers[usize::from(register)] & bit != 0 && self.ready_at() <= now
    }

    fn next_event(&self, now: Time) -> Time {
        let ready = self.ready_at();
        if ready > now { ready } else { Time::NEVER }
    }

    fn power_cycle(&mut self) {
        self.registers = [0; REGISTERS];
        self.registers[usize::from(CFG_REG_A_M)] = 0x03; // idle
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Time {
        Time::ZERO + Span::ms(ms)
    }

    fn write(sensor: &mut Lsm303Agr, now: Time, bytes: &[u8]) {
        sensor.start();
        assert!(bytes.iter().all(|&byte| sensor.write(now, byte)));
    }

    fn read(sensor: &mut Lsm303Agr, now: Time, register: u8, len: usize) -> Vec<u8> {
        write(sensor, now, &[register]);
        sensor.start();
        (0..len).map(|_| sensor.read(now)).collect()
    }

    #[test]
    fn both_halves_say_who_they_are() {
        assert_eq!(read(&mut Lsm303Agr::accelerometer(), ms(0), 0x0F, 1), [0x33]);
        assert_eq!(read(&mut Lsm303Agr::magnetometer(), ms(0), 0x4F, 1), [0x40]);
    }

    #[test]
    fn at_50_hz_a_sample_is_ready_every_20_ms_and_pulls_the_line_until_it_is_read() {
        let mut sensor = Lsm303Agr::accelerometer();
        write(&mut sensor, ms(0), &[0x22, 0x10]);
        write(&mut sensor, ms(0), &[0x20, 0x47]);
        assert_eq!((sensor.interrupts(ms(19)), sensor.next_event(ms(19))), (false, ms(20)));
        assert!(sensor.interrupts(ms(20)));
        assert_eq!(read(&mut sensor, ms(21), 0x27, 1), [ZYXDA]);
        // 1 g down: −16384, low byte first.
        assert_eq!(read(&mut sensor, ms(21), 0x28 | AUTO_INCREMENT, 6), [0, 0, 0, 0, 0x00, 0xC0]);
        assert_eq!((sensor.interrupts(ms(22)), sensor.next_event(ms(22))), (false, ms(41)));
    }

    #[test]
    fn without_the_increment_bit_the_same_register_is_read_again() {
        let mut sensor = Lsm303Agr::accelerometer();
        write(&mut sensor, ms(0), &[0x23 | AUTO_INCREMENT, 0x80, 0x81]);
        assert_eq!(read(&mut sensor, ms(0), 0x23, 2), [0x80, 0x80]);
        assert_eq!(read(&mut sensor, ms(0), 0x23 | AUTO_INCREMENT, 2), [0x80, 0x81]);
    }

    #[test]
    fn powered_down_it_never_has_a_sample() {
        let sensor = Lsm303Agr::magnetometer();
        assert_eq!((sensor.interrupts(ms(500)), sensor.next_event(ms(500))), (false, Time::NEVER));
    }
}
