//! SAADC — analogue-to-digital converter (PS chapter "SAADC"), with nothing connected to its inputs.
//!
//! Conversions take their time and fill the result buffer; every input is at 0 V, so every result is 0. LIMIT events
//! and the internal sample timer are not modelled.

use twinboard_sim::bus::Size;

use super::clock::LfClk;
use super::inert::{Inert, InertSpec};
use super::peripheral::{Cx, Events, NEVER, PCLK16M, Peripheral, Reset, us};

const START: u32 = 0x000;
const SAMPLE: u32 = 0x004;
const STOP: u32 = 0x008;
const CALIBRATEOFFSET: u32 = 0x00C;

const STARTED: u32 = 0;
const END: u32 = 1;
const DONE: u32 = 2;
const RESULTDONE: u32 = 3;
const CALIBRATEDONE: u32 = 4;
const STOPPED: u32 = 5;

const STATUS: u32 = 0x400;
const ENABLE: u32 = 0x500;
const CH0_PSELP: u32 = 0x510;
const CH_STRIDE: u32 = 0x10;
const CHANNELS: u32 = 8;
const OVERSAMPLE: u32 = 0x5F4;
const RESULT_PTR: u32 = 0x62C;
const RESULT_MAXCNT: u32 = 0x630;
const RESULT_AMOUNT: u32 = 0x634;

/// t_CONV, and the shortest acquisition time with it: 2 µs + 3 µs.
const CONVERSION: u64 = us(5);
/// Offset calibration.
const CALIBRATION: u64 = us(100);

/// The register machine.
#[derive(Debug)]
pub struct Saadc {
    registers: Inert,
    /// Events on their way, and when they arrive.
    pending: u32,
    pending_due: u64,
    sample_due: u64,
    calibration_due: u64,
    /// RESULT.PTR and MAXCNT as START latched them, and results so far.
    buffer: Option<(u32, u32, u32)>,
    /// Samples that OVERSAMPLE still wants for the next result.
    oversampled: u32,
}

impl Saadc {
    /// A converter on a page with these registers.
    #[must_use]
    pub fn new(spec: InertSpec) -> Saadc {
        Saadc {
            registers: Inert::new(spec),
            pending: 0,
            pending_due: NEVER,
            sample_due: NEVER,
            calibration_due: NEVER,
            buffer: None,
            oversampled: 0,
        }
    }

    fn soon(&mut self, now: u64, event: u32) {
        self.pending |= 1 << event;
        self.pending_due = self.pending_due.min(now + PCLK16M);
    }

    /// Channels with an input.
    fn channels(&self) -> u32 {
        (0..CHANNELS).filter(|n| self.registers.get(CH0_PSELP + CH_STRIDE * n) != 0).count() as u32
    }

    /// One conversion of all channels is over.
    fn sampled(&mut self, cx: &mut Cx<'_>) {
        self.events().raise(DONE);
        self.oversampled += 1;
        if self.oversampled < 1 << self.registers.get(OVERSAMPLE).min(8) {
            return;
        }
        self.oversampled = 0;
        self.events().raise(RESULTDONE);
        let channels = self.channels();
        if let Some((ptr, maxcnt, amount)) = &mut self.buffer {
            for _ in 0..channels.min(*maxcnt - *amount) {
                cx.memory.write(ptr.wrapping_add(2 * *amount), Size::Half, 0);
                *amount += 1;
            }
            let (amount, full) = (*amount, *amount == *maxcnt);
            self.registers.set(RESULT_AMOUNT, amount);
            if full {
                self.buffer = None;
                self.events().raise(END);
            }
        }
    }
}

impl Peripheral for Saadc {
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        match offset {
            STATUS => Some((self.sample_due != NEVER || self.calibration_due != NEVER).into()),
            _ => self.registers.read(cx, offset),
        }
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        self.registers.write(cx, offset, value)
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        let enabled = self.registers.get(ENABLE) & 1 == 1;
        match offset {
            START if enabled => {
                self.buffer = Some((self.registers.get(RESULT_PTR), self.registers.get(RESULT_MAXCNT) & 0x7FFF, 0));
                self.oversampled = 0;
                self.soon(cx.now, STARTED);
            }
            SAMPLE if enabled && self.buffer.is_some() && self.sample_due == NEVER => {
                self.sample_due = cx.now + CONVERSION * u64::from(self.channels().max(1));
            }
            STOP if enabled => {
                (self.buffer, self.sample_due) = (None, NEVER);
                self.soon(cx.now, STOPPED);
            }
            CALIBRATEOFFSET if enabled => self.calibration_due = cx.now + CALIBRATION,
            START | SAMPLE | STOP | CALIBRATEOFFSET => {}
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        self.registers.events()
    }

    fn ignores(&self, offset: u32) -> bool {
        offset == SAMPLE && (self.registers.get(ENABLE) & 1 == 0 || self.buffer.is_none())
    }

    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset) {
        self.registers.reset(cx, reset);
        (self.pending, self.oversampled, self.buffer) = (0, 0, None);
        (self.pending_due, self.sample_due, self.calibration_due) = (NEVER, NEVER, NEVER);
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.pending_due.min(self.sample_due).min(self.calibration_due)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.pending_due <= cx.now {
            self.pending_due = NEVER;
            let events = std::mem::take(&mut self.pending);
            self.events().raise_all(events);
        }
        if self.sample_due <= cx.now {
            self.sample_due = NEVER;
            self.sampled(cx);
        }
        if self.calibration_due <= cx.now {
            self.calibration_due = NEVER;
            self.events().raise(CALIBRATEDONE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::nrf52833::SAADC;
    use super::super::peripheral::testing::Bench;
    use super::*;

    fn started(bench: &mut Bench, maxcnt: u32, oversample: u32) -> Saadc {
        let mut saadc = Saadc::new(SAADC);
        let registers =
            [(ENABLE, 1), (CH0_PSELP, 4), (OVERSAMPLE, oversample), (RESULT_PTR, 0x2000_0000), (RESULT_MAXCNT, maxcnt)];
        for (offset, value) in registers {
            saadc.write(&mut bench.cx(), offset, value).expect("a register");
        }
        bench.memory.write_bytes(0x2000_0000, &[0xAA; 8]);
        saadc.task(&mut bench.cx(), START);
        bench.run_to(&mut saadc, us(1));
        assert!(saadc.events().is_set(STARTED));
        saadc
    }

    fn sample(bench: &mut Bench, saadc: &mut Saadc) {
        saadc.task(&mut bench.cx(), SAMPLE);
        let end = bench.now + us(6);
        bench.run_to(saadc, end);
    }

    #[test]
    fn a_buffer_of_results_ends_with_end() {
        let mut bench = Bench::default();
        let mut saadc = started(&mut bench, 2, 0);
        sample(&mut bench, &mut saadc);
        assert!(saadc.events().is_set(RESULTDONE) && !saadc.events().is_set(END));
        sample(&mut bench, &mut saadc);
        assert!(saadc.events().is_set(END));
        assert_eq!(bench.memory.read_bytes(0x2000_0000, 5), Some(&[0, 0, 0, 0, 0xAA][..]));
        assert_eq!(saadc.read(&mut bench.cx(), RESULT_AMOUNT), Some(2));
    }

    #[test]
    fn oversampling_takes_a_power_of_two_of_samples_for_one_result() {
        let mut bench = Bench::default();
        let mut saadc = started(&mut bench, 1, 2);
        for n in 1..=4 {
            assert!(!saadc.events().is_set(END), "before sample {n} of 4");
            sample(&mut bench, &mut saadc);
        }
        assert!(saadc.events().is_set(END));
    }

    #[test]
    fn a_disabled_converter_ignores_its_tasks() {
        let (mut bench, mut saadc) = (Bench::default(), Saadc::new(SAADC));
        assert_eq!(saadc.task(&mut bench.cx(), SAMPLE), Some(()));
        assert_eq!(saadc.next(&bench.lfclk), NEVER);
    }
}
