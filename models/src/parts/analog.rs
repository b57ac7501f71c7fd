//! Parts that make voltages on a chip's pins, and nets that take their time.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;

use super::world::SharedWorld;

/// The boards' supply, in microvolts.
pub const SUPPLY_UV: u32 = 3_300_000;

/// Steps of the exponential curve in one time constant.
const STEPS: u64 = 64;
/// e^(-1/64) in units of 2^-32.
const DECAY: u64 = 4_228_379_644;
/// After so many time constants nothing is left that a converter could tell.
const SETTLED: u64 = 16;

/// The voltage (µV) across a capacitor with the time constant `tau` that was at `before` and has gone towards `toward`
/// for `elapsed`.
#[must_use]
pub fn decay(before: u32, toward: u32, elapsed: Span, tau: Span) -> u32 {
    let (elapsed, tau) = (elapsed.0, tau.0.max(1));
    if elapsed / tau >= SETTLED {
        return toward;
    }
    // What is left of the difference: whole steps of the curve, then a straight line to the next one.
    let (whole, rest) = (elapsed * STEPS / tau, elapsed * STEPS % tau);
    let left = (0..whole).fold(1u64 << 32, |left, _| (left * DECAY) >> 32);
    let next = (left * DECAY) >> 32;
    let left = left - ((u128::from(left - next) * u128::from(rest)) / u128::from(tau)) as u64;
    let difference = i128::from(before) - i128::from(toward);
    (i128::from(toward) + ((difference * i128::from(left)) >> 32)).max(0) as u32
}

/// What a chip does to its pins.
pub trait ChipPins {
    /// What it does to the net of `pin`, in the chip's numbering.
    fn drive(&self, pin: u8) -> Drive;
}

/// A part on a chip's pins that is more than a level.
pub trait AnalogPart: Send {
    /// The voltage that the part makes on `pin` at `at`, in microvolts, while the chip does not drive the pin; `None` if
    /// it makes none there.
    fn voltage(&self, pins: &dyn ChipPins, pin: u8, at: Time) -> Option<u32>;

    /// The chip held `pin` low and lets it go at `at`: how long it takes until the net is high by the part's doing.
    /// `None` if the part does nothing there.
    fn rise(&self, pins: &dyn ChipPins, pin: u8, at: Time) -> Option<Span>;
}

/// A touch pad: a resistor of 10 MΩ to the supply charges the pad's capacitance, which a finger increases.
///
/// Who touches it also connects it to ground through the body; then it does not rise at all, which is a level.
#[derive(Clone, Copy, Debug)]
pub struct TouchPad {
    /// The pin that it is on.
    pub pin: u8,
}

/// 10 MΩ and 15 pF up to 0.55 of the supply. CODAL takes more than 219 µs for a touch.
const UNTOUCHED: Span = Span::us(120);

impl AnalogPart for TouchPad {
    fn voltage(&self, _: &dyn ChipPins, _: u8, _: Time) -> Option<u32> {
        None
    }

    fn rise(&self, _: &dyn ChipPins, pin: u8, _: Time) -> Option<Span> {
        (pin == self.pin).then_some(UNTOUCHED)
    }
}

/// The LEDs of a matrix as light sensors: reverse-biased, each is a photodiode.
///
/// - micro:bit V2: all columns are held high; the first row, held low and let go, is charged by the photocurrent, the
///   faster the brighter it is. The time is linear in the light, such that CODAL's `readLightLevel` shows it: it
///   measures for four times 1/360 s and takes that for darkness.
/// - micro:bit V1: a column that was high is let go while the rows are low, and discharged. What is left after the
///   4 ms that DAL waits is linear in the light, such that DAL's reading, 75 to 338 of 1023 at the supply, shows it.
#[derive(Debug)]
pub struct LightSensor {
    /// The matrix's rows and columns.
    pub rows: Vec<u8>,
    /// See `rows`.
    pub columns: Vec<u8>,
    /// Where the light is.
    pub world: SharedWorld,
}

/// CODAL's measurement: four strobes of 1/360 s.
const DARK: Span = Span::us(11_111);
/// In the brightest light: the program lets go of the row a moment before it starts its timer.
const BRIGHT: Span = Span::us(30);
/// DAL's readings in the dark and in the brightest light, in microvolts.
const DARK_UV: u32 = 338 * (SUPPLY_UV / 1_023);
const BRIGHT_UV: u32 = 75 * (SUPPLY_UV / 1_023);

impl AnalogPart for LightSensor {
    fn voltage(&self, pins: &dyn ChipPins, pin: u8, _: Time) -> Option<u32> {
        let dark_rows = self.rows.iter().all(|&row| pins.drive(row) == Drive::Low);
        if !dark_rows || !self.columns.contains(&pin) {
            return None;
        }
        let light = u32::from(self.world.lock().light);
        Some(DARK_UV - (DARK_UV - BRIGHT_UV) / 255 * light)
    }

    fn rise(&self, pins: &dyn ChipPins, pin: u8, _: Time) -> Option<Span> {
        let lit = self.columns.iter().all(|&column| pins.drive(column) == Drive::High);
        if !lit || !self.rows.contains(&pin) {
            return None;
        }
        let darkness = 255 - u64::from(self.world.lock().light);
        Some(Span(DARK.0 / 255 * darkness) + BRIGHT)
    }
}

/// A microphone with a power pin: the sound around a bias voltage.
#[derive(Debug)]
pub struct Microphone {
    /// The pin that its output is on.
    pub output: u8,
    /// The pin that powers it while high.
    pub power: u8,
    /// What is heard.
    pub world: SharedWorld,
}

/// The output in silence, and what the loudest sound adds or takes, in microvolts: an ADC with a gain of 4 and a quarter
/// of the supply as its reference has a range of 206 mV.
const BIAS_UV: i32 = 100_000;
/// See [`BIAS_UV`].
const LOUDEST_UV: i32 = 100_000;

impl AnalogPart for Microphone {
    fn voltage(&self, pins: &dyn ChipPins, pin: u8, at: Time) -> Option<u32> {
        if pin != self.output {
            return None;
        }
        if pins.drive(self.power) != Drive::High {
            return Some(0);
        }
        let sound = i64::from(self.world.lock().sound_at(at)) * i64::from(LOUDEST_UV) / 32_768;
        u32::try_from(i64::from(BIAS_UV) + sound).ok()
    }

    fn rise(&self, _: &dyn ChipPins, _: u8, _: Time) -> Option<Span> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::nordic::pins::{PinCnf, Pins};
    use crate::parts::sound::Sound;

    const OUTPUT: PinCnf = PinCnf(1);
    const INPUT: PinCnf = PinCnf(0);
    const CYCLES_PER_US: u64 = 64;

    /// P0 with pin 1 as a row and pins 2 and 3 as columns, driven as given.
    fn matrix(light: u8, row: bool, columns: bool) -> Pins {
        let world = SharedWorld::default();
        world.lock().light = light;
        let mut pins = Pins::new(32);
        pins.add_part(Box::new(LightSensor { rows: vec![1], columns: vec![2, 3], world }));
        for (pin, high) in [(1, row), (2, columns), (3, columns)] {
            pins.set_out(0, pin, high);
            pins.set_cnf(0, pin, OUTPUT);
        }
        pins
    }

    #[test]
    fn a_row_rises_the_faster_the_more_light_there_is() {
        let mut last = u64::MAX;
        for (light, us) in [(0, 11_141), (128, 5_563), (255, 30)] {
            let mut pins = matrix(light, false, true);
            pins.set_cnf(100, 1, INPUT);
            let at = pins.next_rise();
            assert!((at - 100) / CYCLES_PER_US <= us + 1 && (at - 100) / CYCLES_PER_US + 1 >= us, "{light}: {at}");
            assert!(at < last && !pins.level(at - 1, 1));
            pins.rise(at);
            assert!(pins.level(at, 1), "and stays high");
            last = at;
        }
    }

    #[test]
    fn a_row_that_is_let_go_while_the_matrix_shows_something_does_not_rise() {
        let mut pins = matrix(128, false, false);
        pins.set_cnf(100, 1, INPUT);
        assert_eq!(pins.next_rise(), u64::MAX);
    }

    #[test]
    fn a_column_that_is_let_go_has_the_voltage_that_dal_measures() {
        // nrf-target.md, 2.15, and DAL's limits of 75 and 338; its range is the supply.
        for (light, reading) in [(0u8, 338u32), (255, 75)] {
            let mut pins = matrix(light, false, true);
            assert_eq!(pins.voltage(0, 2), Some(SUPPLY_UV), "driven");
            pins.set_cnf(100, 2, INPUT);
            let counts = pins.voltage(100, 2).expect("a voltage") / (SUPPLY_UV / 1_023);
            assert!(counts.abs_diff(reading) <= 1, "{light}: {counts}");
        }
    }

    #[test]
    fn a_touch_pad_rises_after_a_while_unless_somebody_holds_it_to_ground() {
        let mut pins = Pins::new(32);
        pins.add_part(Box::new(TouchPad { pin: 4 }));
        pins.outside(4, Drive::PullUp);
        pins.set_cnf(0, 4, OUTPUT);
        pins.set_cnf(0, 4, INPUT);
        assert_eq!((pins.level(0, 4), pins.next_rise()), (false, 120 * CYCLES_PER_US));
        pins.rise(120 * CYCLES_PER_US);
        assert!(pins.level(120 * CYCLES_PER_US, 4));
        pins.outside(4, Drive::Low);
        assert!(!pins.level(130 * CYCLES_PER_US, 4));
    }

    #[test]
    fn a_microphone_gives_the_sound_around_its_bias_while_it_has_power() {
        let world = SharedWorld::default();
        let sound = Sound::new(1_000, vec![i16::MIN, 0, i16::MAX], false);
        world.lock().hear(Some(Arc::new(sound)), Time::ZERO);
        let mut pins = Pins::new(32);
        pins.add_part(Box::new(Microphone { output: 5, power: 20, world }));
        assert_eq!(pins.voltage(0, 5), Some(0));
        pins.set_out(0, 20, true);
        pins.set_cnf(0, 20, OUTPUT);
        let ms = |ms: u64| pins.voltage(ms * 1_000 * CYCLES_PER_US, 5).expect("a voltage");
        assert_eq!((ms(0), ms(1)), (0, 100_000));
        assert!(ms(2).abs_diff(200_000) < 10);
        assert_eq!(ms(3), 100_000, "silence");
    }
}
