//! ADC — analogue-to-digital converter of the nRF51 (reference manual, chapter "ADC"): one conversion at a time, of one
//! input, with 8, 9 or 10 bits.

use super::clock::LfClk;
use super::peripheral::{Cx, Events, NEVER, PCLK16M, Peripheral, Reset, us};

const START: u32 = 0x000;
const STOP: u32 = 0x004;
const END: u32 = 0;

const BUSY: u32 = 0x400;
const ENABLE: u32 = 0x500;
const CONFIG: u32 = 0x504;
const RESULT: u32 = 0x508;

/// CONFIG at reset: input and reference of one third, 8 bits.
const CONFIG_RESET: u32 = 0x18;

/// The pins of AIN0 to AIN7.
const INPUTS: [u8; 8] = [26, 27, 1, 2, 3, 4, 5, 6];
/// VBG, the internal reference, in microvolts.
const VBG: u32 = 1_200_000;

/// Conversions with 8, 9 and 10 bits: 20, 36 and 68 µs.
const CONVERSION: [u64; 4] = [us(20), us(36), us(68), us(68)];

/// The register machine.
#[derive(Debug)]
pub struct Adc {
    events: Events,
    enable: u32,
    config: u32,
    result: u32,
    due: u64,
    end_due: u64,
}

impl Default for Adc {
    fn default() -> Adc {
        Adc { events: Events::new(1 << END), enable: 0, config: CONFIG_RESET, result: 0, due: NEVER, end_due: NEVER }
    }
}

impl Adc {
    /// What is converted, as a fraction of the reference: numerator, denominator, both in microvolts. An
    /// input that nobody drives is at 0.
    fn ratio(&self, cx: &Cx<'_>) -> (u64, u64) {
        let (inpsel, refsel) = (self.config >> 2 & 7, self.config >> 5 & 3);
        let psel = self.config >> 8 & 0xFF;
        let vdd = cx.pins.vdd();
        let voltage = |pin: u8| cx.pins.voltage(cx.now, pin).unwrap_or(0);
        let input = |n: u32| INPUTS.get(n as usize).map_or(0, |&pin| voltage(pin));
        let pin = if psel == 0 { 0 } else { input(psel.trailing_zeros()) };
        // Prescaling of the input, in sixths.
        let (of, sixths) = match inpsel {
            0 => (pin, 6),
            1 => (pin, 4),
            2 => (pin, 2),
            5 => (vdd, 4),
            6 => (vdd, 2),
            _ => (0, 6),
        };
        // EXTREFSEL: AREF0 is P0.00, AREF1 is P0.06.
        let external = match self.config >> 16 & 3 {
            1 => voltage(0),
            2 => voltage(6),
            _ => 0,
        };
        let reference = match refsel {
            0 => VBG,
            1 => external,
            2 => vdd / 2,
            _ => vdd / 3,
        };
        (u64::from(of) * sixths / 6, u64::from(reference.max(1)))
    }
}

impl Peripheral for Adc {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(match offset {
            BUSY => (self.due != NEVER).into(),
            ENABLE => self.enable,
            CONFIG => self.config,
            RESULT => self.result,
            _ => return None,
        })
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        match offset {
            ENABLE => self.enable = value & 3,
            CONFIG => self.config = value & 0x3_FF7F,
            BUSY | RESULT => {}
            _ => return None,
        }
        Some(())
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        match offset {
            START if self.enable == 1 => self.due = cx.now + CONVERSION[self.config as usize & 3],
            START => {}
            STOP => self.due = NEVER,
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        let mut events = std::mem::take(&mut self.events);
        events.reset();
        *self = Adc { events, ..Adc::default() };
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.due.min(self.end_due)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.end_due <= cx.now {
            self.end_due = NEVER;
            self.events.raise(END);
        }
        if self.due <= cx.now {
            self.due = NEVER;
            let full = 256 << (self.config & 3).min(2);
            let (input, reference) = self.ratio(cx);
            self.result = (input * full / reference).min(full - 1) as u32;
            self.end_due = cx.now + PCLK16M;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;
    use twinboard_sim::wire::Drive;

    /// The result of a conversion with `config` while P0.03 (AIN4) is at the supply, and how long it took.
    fn convert(config: u32) -> (u32, u64) {
        let (mut bench, mut adc) = (Bench::default(), Adc::default());
        bench.pins.outside(3, Drive::High);
        adc.write(&mut bench.cx(), ENABLE, 1);
        adc.write(&mut bench.cx(), CONFIG, config);
        adc.task(&mut bench.cx(), START);
        assert_eq!(adc.read(&mut bench.cx(), BUSY), Some(1));
        let end = bench.wait(&mut adc, END, us(100)).expect("END");
        (adc.read(&mut bench.cx(), RESULT).expect("RESULT"), end)
    }

    #[test]
    fn a_third_of_the_input_against_a_third_of_the_supply_is_full_scale() {
        // Reference manual, CONFIG: INPSEL 2 = AnalogInputOneThirdPrescaling, REFSEL 3 = SupplyOneThirdPrescaling.
        let config = 2 << 2 | 3 << 5 | 1 << (8 + 4);
        assert_eq!(convert(config | 2), (1_023, us(68) + PCLK16M), "10 bits take 68 µs");
        assert_eq!(convert(config | 1).0, 511);
        assert_eq!(convert(config), (255, us(20) + PCLK16M));
    }

    #[test]
    fn an_input_at_ground_and_no_input_convert_to_0() {
        let config = 2 | 2 << 2 | 3 << 5;
        assert_eq!(convert(config | 1 << 8).0, 0, "AIN0 is P0.26");
        assert_eq!(convert(config).0, 0);
    }

    #[test]
    fn a_voltage_on_a_pin_is_converted() {
        // A third of 1.65 V against a third of 3.3 V, and of 1.8 V against VBG.
        for (microvolts, config, result) in [(1_650_000, 2 | 2 << 2 | 3 << 5, 512), (1_800_000, 2 | 2 << 2, 512)] {
            let (mut bench, mut adc) = (Bench::default(), Adc::default());
            bench.pins.hold(2, Some(microvolts)); // AIN3
            adc.write(&mut bench.cx(), ENABLE, 1);
            adc.write(&mut bench.cx(), CONFIG, config | 1 << (8 + 3));
            adc.task(&mut bench.cx(), START);
            bench.wait(&mut adc, END, us(100)).expect("END");
            assert_eq!(adc.read(&mut bench.cx(), RESULT), Some(result));
        }
    }

    #[test]
    fn the_supply_can_be_measured_against_the_internal_reference() {
        // INPSEL 6 = SupplyOneThirdPrescaling, REFSEL 0 = VBG: 1.1 V of 1.2 V.
        assert_eq!(convert(2 | 6 << 2).0, 1_100 * 1_024 / 1_200);
    }
}
