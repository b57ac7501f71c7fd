//! ADC — 16-bit successive approximation converter (KL27 reference manual, chapter "Analog-to-Digital Converter").
//!
//! A write to SC1A starts a conversion of one channel, whose result is in RA when COCO is set. The result is the
//! voltage of the moment at which the conversion ends, against VREFH − VREFL.

use twinboard_sim::bus::Size;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::PinId;

use super::clock::Rate;
use super::peripheral::{Cx, Peripheral, Reset, merged};

const SC1A: u32 = 0x00;
const SC1B: u32 = 0x04;
const CFG1: u32 = 0x08;
const CFG2: u32 = 0x0C;
const RA: u32 = 0x10;
const RB: u32 = 0x14;
const CV1: u32 = 0x18;
const CV2: u32 = 0x1C;
const SC2: u32 = 0x20;
const SC3: u32 = 0x24;
const OFS: u32 = 0x28;
const CLM0: u32 = 0x6C;

const SC1_COCO: u32 = 1 << 7;
const SC1_AIEN: u32 = 1 << 6;
const SC1_DIFF: u32 = 1 << 5;
const CFG2_MUXSEL: u32 = 1 << 4;
const CFG2_ADLSTS: u32 = 3;
const SC2_ADACT: u32 = 1 << 7;
/// ADTRG, ACFE, DMAEN: hardware triggers, the compare function and DMA are not modelled.
const SC2_UNMODELLED: u32 = 1 << 6 | 1 << 5 | 1 << 2;
const SC3_CAL: u32 = 1 << 7;
const SC3_CALF: u32 = 1 << 6;
const SC3_ADCO: u32 = 1 << 3;
const SC3_AVGE: u32 = 1 << 2;

/// Channels inside the chip.
const TEMPERATURE: u32 = 26;
const BANDGAP: u32 = 27;
const VREFH: u32 = 29;
const VREFL: u32 = 30;
const OFF: u32 = 31;

/// The PMC's bandgap (data sheet, "V_BG": 1.00 V typical).
const BANDGAP_UV: u32 = 1_000_000;
/// The temperature sensor at 25 °C (data sheet, "VTEMP25": 719 mV typical).
const VTEMP25_UV: u32 = 719_000;
/// ADACK, the converter's own clock (data sheet: 5.2 MHz typical with ADLPC = 0, ADHSC = 0... 2.4 MHz with ADLPC = 1).
const ADACK: [Rate; 2] = [Rate::hz(5_200_000), Rate::hz(2_400_000)];
/// Conversion cycles by CFG1[MODE], without sample time (manual, "Sample time and total conversion time": BCT).
const BCT: [u64; 4] = [17, 20, 20, 25];
/// Cycles that a long sample adds, by CFG2[ADLSTS] (LSTAdder).
const LST: [u64; 4] = [20, 12, 6, 2];
/// Cycles to begin (SFCAdder with ADACK already on).
const SFC: u64 = 5;
/// Calibration takes some 14000 cycles with 32 averages; with fewer, proportionally less.
const CALIBRATION: u64 = 450;

/// OFS, PG, MG, CLPD to CLP0, (a gap), CLMD to CLM0 after reset (manual, register descriptions).
const CALIBRATION_RESET: [u32; 18] = [
    0x0004, 0x8200, 0x8200, 0x000A, 0x0020, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0, 0x000A, 0x0020, 0x0200, 0x0100,
    0x0080, 0x0040, 0x0020,
];

/// What is on the converter's inputs.
#[derive(Clone, Copy, Debug)]
pub struct AdcSpec {
    /// Channel, whether it is one of the "b" set (CFG2\[MUXSEL\]), pin.
    pub channels: &'static [(u8, bool, PinId)],
}

/// The register machine.
#[derive(Debug)]
pub struct Adc16 {
    spec: AdcSpec,
    sc1: [u32; 2],
    cfg: [u32; 2],
    result: [u32; 2],
    cv: [u32; 2],
    sc2: u32,
    sc3: u32,
    calibration: [u32; 18],
    /// The end of the conversion or calibration.
    due: Time,
    calibrating: bool,
}

impl Adc16 {
    /// A converter whose inputs are as `spec` says.
    #[must_use]
    pub fn new(spec: AdcSpec) -> Adc16 {
        Adc16 {
            spec,
            sc1: [OFF; 2],
            cfg: [0; 2],
            result: [0; 2],
            cv: [0; 2],
            sc2: 0,
            sc3: 0,
            calibration: CALIBRATION_RESET,
            due: Time::NEVER,
            calibrating: false,
        }
    }

    /// ADCK.
    fn clock(&self, cx: &Cx<'_>) -> Rate {
        let low_power = (self.cfg[0] >> 7 & 1) as usize;
        let input = match self.cfg[0] & 3 {
            0 => cx.clocks.bus,
            1 => cx.clocks.bus.divided(2),
            2 => cx.clocks.sources.external.unwrap_or(Rate::LPO),
            _ => ADACK[low_power],
        };
        input.divided(1 << (self.cfg[0] >> 5 & 3))
    }

    fn averages(&self) -> u64 {
        if self.sc3 & SC3_AVGE != 0 { 4 << (self.sc3 & 3) } else { 1 }
    }

    /// How long a conversion takes.
    fn conversion(&self, cx: &Cx<'_>) -> Span {
        let long = if self.cfg[0] >> 4 & 1 == 1 { LST[(self.cfg[1] & CFG2_ADLSTS) as usize] } else { 0 };
        let cycles = BCT[(self.cfg[0] >> 2 & 3) as usize] + long;
        self.clock(cx).span(SFC + self.averages() * cycles)
    }

    /// The voltage on a channel, in microvolts.
    fn voltage(&self, cx: &Cx<'_>, channel: u32) -> Option<u32> {
        match channel {
            TEMPERATURE => Some(VTEMP25_UV),
            BANDGAP => Some(BANDGAP_UV),
            VREFH => Some(cx.pins.vdd()),
            VREFL => Some(0),
            _ => {
                let b = self.cfg[1] & CFG2_MUXSEL != 0;
                let fits = |(of, in_b, _): &&(u8, bool, PinId)| {
                    u32::from(*of) == channel && (!(4..=7).contains(&channel) || *in_b == b)
                };
                let (.., pin) = self.spec.channels.iter().find(fits)?;
                Some(cx.pins.voltage(cx.now, *pin).unwrap_or(0))
            }
        }
    }

    fn start(&mut self, cx: &Cx<'_>) {
        let idle = self.sc1[0] & OFF == OFF;
        self.due = if idle { Time::NEVER } else { cx.now + self.conversion(cx) };
    }

    fn finish(&mut self, cx: &Cx<'_>) {
        if self.calibrating {
            self.calibrating = false;
            self.sc3 &= !SC3_CAL;
            self.due = Time::NEVER;
        } else {
            let bits = [8, 12, 10, 16][(self.cfg[0] >> 2 & 3) as usize];
            let microvolts = self.voltage(cx, self.sc1[0] & OFF).unwrap_or(0);
            let full = (1u64 << bits) - 1;
            let code = (u64::from(microvolts) << bits) / u64::from(cx.pins.vdd().max(1));
            self.result[0] = code.min(full) as u32;
            self.due = if self.sc3 & SC3_ADCO != 0 { cx.now + self.conversion(cx) } else { Time::NEVER };
        }
        self.sc1[0] |= SC1_COCO;
    }
}

impl Peripheral for Adc16 {
    fn width(&self) -> Size {
        Size::Word
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(match offset {
            SC1A | SC1B => self.sc1[(offset - SC1A) as usize / 4],
            CFG1 | CFG2 => self.cfg[(offset - CFG1) as usize / 4],
            RA | RB => {
                let index = (offset - RA) as usize / 4;
                self.sc1[index] &= !SC1_COCO;
                self.result[index]
            }
            CV1 | CV2 => self.cv[(offset - CV1) as usize / 4],
            SC2 => self.sc2 | if self.due == Time::NEVER { 0 } else { SC2_ADACT },
            SC3 => self.sc3,
            OFS..=CLM0 => self.calibration[(offset - OFS) as usize / 4],
            _ => return None,
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, lanes: u32) -> Option<()> {
        match offset {
            SC1A => {
                let old = self.sc1[0] & !SC1_COCO;
                self.sc1[0] = merged(old, value, lanes & (SC1_AIEN | SC1_DIFF | OFF));
                // A calibration in progress fails.
                if std::mem::take(&mut self.calibrating) {
                    self.sc3 = self.sc3 & !SC3_CAL | SC3_CALF;
                }
                self.start(cx);
                let known = self.sc1[0] & SC1_DIFF == 0 || self.sc1[0] & OFF == OFF;
                return known.then_some(());
            }
            SC1B => self.sc1[1] = merged(self.sc1[1], value, lanes & (SC1_AIEN | SC1_DIFF | OFF)),
            CFG1 | CFG2 => {
                let kept = &mut self.cfg[(offset - CFG1) as usize / 4];
                *kept = merged(*kept, value, lanes & if offset == CFG1 { 0xFF } else { 0x1F });
            }
            RA | RB => {}
            CV1 | CV2 => {
                let kept = &mut self.cv[(offset - CV1) as usize / 4];
                *kept = merged(*kept, value, lanes & 0xFFFF);
            }
            SC2 => {
                self.sc2 = merged(self.sc2, value, lanes & 0x7F);
                return (self.sc2 & SC2_UNMODELLED == 0).then_some(());
            }
            SC3 => {
                let value = value & lanes;
                self.sc3 = merged(self.sc3, value, lanes & 0x0F) & !(value & SC3_CALF);
                if value & SC3_CAL != 0 {
                    self.sc3 |= SC3_CAL;
                    self.sc1[0] &= !SC1_COCO;
                    self.calibrating = true;
                    self.due = cx.now + self.clock(cx).span(CALIBRATION * self.averages());
                }
            }
            OFS..=CLM0 => {
                let kept = &mut self.calibration[(offset - OFS) as usize / 4];
                *kept = merged(*kept, value, lanes & 0xFFFF);
            }
            _ => return None,
        }
        Some(())
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        *self = Adc16::new(self.spec);
    }

    fn irq(&self) -> bool {
        self.sc1.iter().any(|sc1| sc1 & (SC1_COCO | SC1_AIEN) == SC1_COCO | SC1_AIEN)
    }

    fn next(&self) -> Time {
        self.due
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.due <= cx.now {
            self.finish(cx);
        }
    }

    fn steady(&self, offset: u32) -> bool {
        offset != RA && offset != RB
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    const SPEC: AdcSpec = AdcSpec { channels: &[(9, false, PinId(33))] };

    /// 12 bits, ADACK, as DAPLink sets it up.
    fn bench() -> (Bench, Adc16) {
        let (mut bench, mut adc) = (Bench::default(), Adc16::new(SPEC));
        bench.write(&mut adc, CFG1, 0x07);
        bench.write(&mut adc, CFG2, 0x08);
        (bench, adc)
    }

    fn convert(bench: &mut Bench, adc: &mut Adc16, channel: u32) -> u32 {
        bench.write(adc, SC1A, channel);
        assert_eq!(bench.read(adc, SC1A) & SC1_COCO, 0);
        let until = bench.now + Span::us(100);
        bench.run_to(adc, until);
        assert_eq!(bench.read(adc, SC1A) & SC1_COCO, SC1_COCO);
        bench.read(adc, RA)
    }

    #[test]
    fn registers_have_their_reset_values() {
        let (mut bench, mut adc) = (Bench::default(), Adc16::new(SPEC));
        let values = [SC1A, SC2, SC3, OFS, 0x2C, 0x4C, CLM0].map(|at| bench.read(&mut adc, at));
        assert_eq!(values, [0x1F, 0, 0, 4, 0x8200, 0x20, 0x20]);
    }

    #[test]
    fn the_references_convert_to_their_share_of_the_full_scale() {
        let (mut bench, mut adc) = bench();
        assert_eq!(convert(&mut bench, &mut adc, VREFH), 0xFFF);
        assert_eq!(convert(&mut bench, &mut adc, VREFL), 0);
        // 1 V of 3.3 V.
        assert_eq!(convert(&mut bench, &mut adc, BANDGAP), 4096 * 10 / 33);
    }

    #[test]
    fn a_pin_converts_to_the_voltage_that_is_held_against_it() {
        let (mut bench, mut adc) = bench();
        assert_eq!(convert(&mut bench, &mut adc, 9), 0);
        bench.pins.hold(PinId(33), Some(1_650_000));
        assert_eq!(convert(&mut bench, &mut adc, 9), 0x800);
        bench.write(&mut adc, CFG1, 0x0F);
        assert_eq!(convert(&mut bench, &mut adc, 9), 0x8000, "16 bits");
        bench.write(&mut adc, CFG2, CFG2_MUXSEL);
        assert_eq!(
            convert(&mut bench, &mut adc, 9),
            0x8000,
            "MUXSEL chooses between the inputs of channels 4 to 7 only"
        );
    }

    #[test]
    fn reading_the_result_clears_coco() {
        let (mut bench, mut adc) = bench();
        bench.write(&mut adc, SC1A, SC1_AIEN | VREFH);
        bench.run_to(&mut adc, Time::ZERO + Span::us(100));
        assert!(adc.irq());
        bench.read(&mut adc, RA);
        assert!(!adc.irq());
        assert_eq!(bench.read(&mut adc, SC1A) & SC1_COCO, 0);
    }

    #[test]
    fn calibration_ends_with_coco_and_without_calf_unless_it_is_disturbed() {
        let (mut bench, mut adc) = bench();
        bench.write(&mut adc, SC3, SC3_CAL | SC3_CALF | SC3_AVGE | 1);
        assert_eq!(bench.read(&mut adc, SC3), SC3_CAL | SC3_AVGE | 1);
        bench.run_to(&mut adc, Time::ZERO + Span::ms(5));
        assert_eq!((bench.read(&mut adc, SC3), bench.read(&mut adc, SC1A) & SC1_COCO), (SC3_AVGE | 1, SC1_COCO));
        bench.write(&mut adc, SC3, SC3_CAL);
        bench.write(&mut adc, SC1A, VREFH);
        assert_eq!(bench.read(&mut adc, SC3) & (SC3_CAL | SC3_CALF), SC3_CALF);
    }
}
