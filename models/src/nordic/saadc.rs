//! SAADC — analogue-to-digital converter (PS chapter "SAADC"): eight channels over the voltages on the chip's pins.
//!
//! SAMPLE converts all channels with an input, one after the other, each in its acquisition time and 2 µs. With
//! OVERSAMPLE, 2^n conversions are averaged into one result; a channel with BURST makes them all on one SAMPLE. The
//! results go to RAM from RESULT.PTR on; RESULT.MAXCNT of them are END. In timer mode (SAMPLERATE) one SAMPLE is followed
//! by others until STOP.

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
/// CH\[0\].LIMITH; LIMITL and the other channels' follow.
const LIMITH: u32 = 6;

const STATUS: u32 = 0x400;
const ENABLE: u32 = 0x500;
const CH_PSELP: u32 = 0x510;
const CH_PSELN: u32 = 0x514;
const CH_CONFIG: u32 = 0x518;
const CH_LIMIT: u32 = 0x51C;
const CH_STRIDE: u32 = 0x10;
const CHANNELS: u32 = 8;
const RESOLUTION: u32 = 0x5F0;
const OVERSAMPLE: u32 = 0x5F4;
const SAMPLERATE: u32 = 0x5F8;
const RESULT_PTR: u32 = 0x62C;
const RESULT_MAXCNT: u32 = 0x630;
const RESULT_AMOUNT: u32 = 0x634;

/// t_CONV.
const CONVERSION: u64 = us(2);
/// CONFIG.TACQ in microseconds.
const ACQUISITION_US: [u64; 6] = [3, 5, 10, 15, 20, 40];
/// Offset calibration.
const CALIBRATION: u64 = us(100);

/// The pins of AIN0 to AIN7.
const AIN: [u8; 8] = [2, 3, 4, 5, 28, 29, 30, 31];
/// PSEL of the supply and of VDDH / 5.
const VDD: u32 = 9;
const VDDHDIV5: u32 = 0x0D;

/// The internal reference, in microvolts.
const REFERENCE_UV: i64 = 600_000;

/// CH\[n\].CONFIG: RESP\[1:0\], RESN\[5:4\], GAIN\[10:8\], REFSEL\[12\], TACQ\[18:16\], MODE\[20\], BURST\[24\].
#[derive(Clone, Copy)]
struct Config(u32);

impl Config {
    fn acquisition(self) -> u64 {
        us(ACQUISITION_US[(self.0 >> 16 & 7).min(5) as usize])
    }

    /// GAIN as numerator and denominator.
    fn gain(self) -> (i64, i64) {
        [(1, 6), (1, 5), (1, 4), (1, 3), (1, 2), (1, 1), (2, 1), (4, 1)][(self.0 >> 8 & 7) as usize]
    }

    fn reference(self, vdd: u32) -> i64 {
        if self.0 >> 12 & 1 == 1 { i64::from(vdd) / 4 } else { REFERENCE_UV }
    }

    fn differential(self) -> bool {
        self.0 >> 20 & 1 == 1
    }

    fn burst(self) -> bool {
        self.0 >> 24 & 1 == 1
    }

    /// "RESULT = (V(P) – V(N)) × GAIN / REFERENCE × 2^(RESOLUTION – m)", m = 1 if differential; clipped to the range.
    fn result(self, positive: i64, negative: i64, bits: u32, vdd: u32) -> i64 {
        let (numerator, denominator) = self.gain();
        let full = 1i64 << (bits - u32::from(self.differential()));
        let scaled = (positive - negative) * numerator * full;
        scaled.div_euclid(self.reference(vdd) * denominator).clamp(-full, full - 1)
    }
}

/// The register machine.
#[derive(Debug)]
pub struct Saadc {
    registers: Inert,
    /// Events on their way, and when they arrive.
    pending: u32,
    pending_due: u64,
    sample_due: u64,
    calibration_due: u64,
    /// When the timer of SAMPLERATE triggers the next SAMPLE.
    timer_due: u64,
    /// RESULT.PTR and MAXCNT as START latched them, and results so far.
    buffer: Option<(u32, u32, u32)>,
    /// Samples that have been added up for the next result, and their sums.
    oversampled: u32,
    sums: [i64; CHANNELS as usize],
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
            timer_due: NEVER,
            buffer: None,
            oversampled: 0,
            sums: [0; CHANNELS as usize],
        }
    }

    fn enabled(&self) -> bool {
        self.registers.get(ENABLE) & 1 == 1
    }

    fn soon(&mut self, now: u64, event: u32) {
        self.pending |= 1 << event;
        self.pending_due = self.pending_due.min(now + PCLK16M);
    }

    /// Channels with an input, lowest first.
    fn channels(&self) -> impl Iterator<Item = u32> + use<> {
        let used = (0..CHANNELS).filter(|n| self.registers.get(CH_PSELP + CH_STRIDE * n) != 0);
        let mut mask = used.fold(0u32, |mask, n| mask | 1 << n);
        std::iter::from_fn(move || {
            let n = (mask != 0).then(|| mask.trailing_zeros())?;
            mask &= mask - 1;
            Some(n)
        })
    }

    fn config(&self, channel: u32) -> Config {
        Config(self.registers.get(CH_CONFIG + CH_STRIDE * channel))
    }

    /// Conversions that make one result.
    fn averaged(&self) -> u32 {
        1 << self.registers.get(OVERSAMPLE).min(8)
    }

    fn burst(&self) -> bool {
        self.channels().any(|n| self.config(n).burst())
    }

    /// How long a SAMPLE takes.
    fn duration(&self) -> u64 {
        let once: u64 = self.channels().map(|n| self.config(n).acquisition() + CONVERSION).sum();
        let times = if self.burst() { self.averaged() } else { 1 };
        once.max(CONVERSION) * u64::from(times)
    }

    /// The voltage at an input, in microvolts. `bias` is RESP or RESN: what an input has that nobody drives.
    fn input(cx: &Cx<'_>, psel: u32, bias: u32) -> i64 {
        let voltage = match psel {
            0 => Some(0),
            1..=8 => cx.pins.voltage(cx.now, AIN[psel as usize - 1]),
            VDD => Some(cx.pins.vdd()),
            VDDHDIV5 => Some(cx.pins.vddh() / 5),
            _ => None,
        };
        let undriven = match bias {
            2 => cx.pins.vdd(),
            3 => cx.pins.vdd() / 2,
            _ => 0,
        };
        voltage.unwrap_or(undriven).into()
    }

    fn convert(&self, cx: &Cx<'_>, channel: u32) -> i64 {
        let (config, at) = (self.config(channel), CH_STRIDE * channel);
        let positive = Saadc::input(cx, self.registers.get(CH_PSELP + at) & 0x1F, config.0 & 3);
        let negative = match self.registers.get(CH_PSELN + at) & 0x1F {
            psel if config.differential() => Saadc::input(cx, psel, config.0 >> 4 & 3),
            _ => 0,
        };
        let bits = 8 + 2 * self.registers.get(RESOLUTION).min(3);
        config.result(positive, negative, bits, cx.pins.vdd())
    }

    /// One conversion of all channels is over.
    fn sampled(&mut self, cx: &mut Cx<'_>) {
        self.events().raise(DONE);
        for channel in self.channels() {
            let result = self.convert(cx, channel);
            self.sums[channel as usize] += result;
        }
        self.oversampled += 1;
        // All conversions of a burst are alike: they take a few microseconds.
        let count = if self.burst() { 1 } else { self.averaged() };
        if self.oversampled < count {
            return;
        }
        self.oversampled = 0;
        let sums = std::mem::take(&mut self.sums);
        self.events().raise(RESULTDONE);
        for channel in self.channels() {
            let result = sums[channel as usize].div_euclid(count.into()) as i16;
            self.check_limits(channel, result);
            self.store(cx, result);
        }
    }

    fn check_limits(&mut self, channel: u32, result: i16) {
        let limit = self.registers.get(CH_LIMIT + CH_STRIDE * channel);
        let (low, high) = (limit as i16, (limit >> 16) as i16);
        if result >= high {
            self.events().raise(LIMITH + 2 * channel);
        }
        if result <= low {
            self.events().raise(LIMITH + 2 * channel + 1);
        }
    }

    fn store(&mut self, cx: &mut Cx<'_>, result: i16) {
        let Some((ptr, maxcnt, amount)) = self.buffer else { return };
        if amount < maxcnt {
            cx.memory.write(ptr.wrapping_add(2 * amount), Size::Half, u32::from(result as u16));
            self.buffer = Some((ptr, maxcnt, amount + 1));
        }
        if amount + 1 >= maxcnt {
            self.close();
            self.events().raise(END);
        }
    }

    /// The buffer is full or given up. "RESULT.AMOUNT can be read after an END or STOPPED event": it stays when the next
    /// START follows at once.
    fn close(&mut self) {
        if let Some((_, _, amount)) = self.buffer.take() {
            self.registers.set(RESULT_AMOUNT, amount);
        }
    }

    /// The period of SAMPLERATE's timer, if it is on: CC\[10:0\], MODE\[12\].
    fn timer(&self) -> Option<u64> {
        let rate = self.registers.get(SAMPLERATE);
        (rate >> 12 & 1 == 1).then(|| u64::from((rate & 0x7FF).max(80)) * PCLK16M)
    }

    fn sample(&mut self, now: u64) {
        if self.buffer.is_some() && self.sample_due == NEVER {
            self.sample_due = now + self.duration();
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
        match offset {
            START | SAMPLE | STOP | CALIBRATEOFFSET if !self.enabled() => {}
            START => {
                self.buffer = Some((self.registers.get(RESULT_PTR), self.registers.get(RESULT_MAXCNT) & 0x7FFF, 0));
                (self.oversampled, self.sums) = (0, [0; CHANNELS as usize]);
                self.soon(cx.now, STARTED);
            }
            SAMPLE => {
                self.sample(cx.now);
                self.timer_due = self.timer().map_or(NEVER, |period| cx.now + period);
            }
            STOP => {
                // A buffer that is not full ends, too: programs let END start the next one by PPI.
                if self.buffer.is_some() {
                    self.close();
                    self.soon(cx.now, END);
                }
                (self.sample_due, self.timer_due) = (NEVER, NEVER);
                self.soon(cx.now, STOPPED);
            }
            CALIBRATEOFFSET => self.calibration_due = cx.now + CALIBRATION,
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        self.registers.events()
    }

    fn ignores(&self, offset: u32) -> bool {
        offset == SAMPLE && (!self.enabled() || self.buffer.is_none())
    }

    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset) {
        self.registers.reset(cx, reset);
        (self.pending, self.oversampled, self.buffer, self.sums) = (0, 0, None, [0; CHANNELS as usize]);
        (self.pending_due, self.sample_due, self.calibration_due, self.timer_due) = (NEVER, NEVER, NEVER, NEVER);
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.pending_due.min(self.sample_due).min(self.calibration_due).min(self.timer_due)
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
        if self.timer_due <= cx.now {
            self.timer_due = self.timer().map_or(NEVER, |period| cx.now + period);
            self.sample(cx.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::nrf52833::SAADC;
    use super::super::peripheral::testing::Bench;
    use super::*;
    use twinboard_sim::wire::Drive;

    const RAM: u32 = 0x2000_0000;
    /// PSELP of AIN3.
    const AIN3: u32 = 4;
    /// Gain 1/4 and VDD/4 as reference: the range is the supply.
    const RAIL_TO_RAIL: u32 = 2 << 8 | 1 << 12;

    fn started(bench: &mut Bench, registers: &[(u32, u32)]) -> Saadc {
        let mut saadc = Saadc::new(SAADC);
        let common = [(ENABLE, 1), (CH_PSELP, AIN3), (CH_CONFIG, RAIL_TO_RAIL), (RESULT_PTR, RAM), (RESULT_MAXCNT, 1)];
        for (offset, value) in common.iter().chain(registers) {
            saadc.write(&mut bench.cx(), *offset, *value).expect("a register");
        }
        bench.memory.write_bytes(RAM, &[0xAA; 8]);
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

    fn result(bench: &Bench, index: u32) -> i16 {
        bench.memory.read(RAM + 2 * index, Size::Half).expect("RAM") as u16 as i16
    }

    #[test]
    fn a_buffer_of_results_ends_with_end() {
        let mut bench = Bench::default();
        let mut saadc = started(&mut bench, &[(RESULT_MAXCNT, 2)]);
        sample(&mut bench, &mut saadc);
        assert!(saadc.events().is_set(RESULTDONE) && !saadc.events().is_set(END));
        sample(&mut bench, &mut saadc);
        assert!(saadc.events().is_set(END));
        assert_eq!(bench.memory.read_bytes(RAM, 5), Some(&[0, 0, 0, 0, 0xAA][..]));
        saadc.task(&mut bench.cx(), START);
        assert_eq!(saadc.read(&mut bench.cx(), RESULT_AMOUNT), Some(2), "of the buffer that has ended");
        sample(&mut bench, &mut saadc);
        saadc.events().write(0x104, 0);
        saadc.task(&mut bench.cx(), STOP);
        assert_eq!(saadc.read(&mut bench.cx(), RESULT_AMOUNT), Some(1));
        let end = bench.now + us(1);
        bench.run_to(&mut saadc, end);
        assert!(saadc.events().is_set(END) && saadc.events().is_set(STOPPED), "STOP ends the buffer, too");
    }

    #[test]
    fn a_result_is_the_voltage_times_gain_over_reference() {
        // 1.1 V of 3.3 V; the internal reference and a gain of 1/6 have a range of 3.6 V.
        let cases = [
            (RAIL_TO_RAIL, 3, 1_100_000, 5_461),
            (RAIL_TO_RAIL, 1, 1_100_000, 341),
            (0, 2, 1_800_000, 2_048),
            (7 << 8 | 1 << 12, 3, 103_125, 8_192),
            (RAIL_TO_RAIL, 0, 3_300_000, 255),
        ];
        for (config, resolution, microvolts, expected) in cases {
            let mut bench = Bench::default();
            bench.pins.hold(5, Some(microvolts));
            let mut saadc = started(&mut bench, &[(CH_CONFIG, config), (RESOLUTION, resolution)]);
            sample(&mut bench, &mut saadc);
            assert_eq!(result(&bench, 0), expected, "{config:#x} {microvolts}");
        }
    }

    #[test]
    fn a_differential_result_may_be_negative() {
        let mut bench = Bench::default();
        bench.pins.hold(5, Some(300_000));
        bench.pins.hold(28, Some(600_000));
        // AIN3 less AIN4 at gain 1 and 0.6 V: half of the negative range of 13 bits.
        let config = 5 << 8 | 1 << 20;
        let mut saadc = started(&mut bench, &[(CH_PSELN, 5), (CH_CONFIG, config), (RESOLUTION, 3)]);
        sample(&mut bench, &mut saadc);
        assert_eq!(result(&bench, 0), -4_096);
    }

    #[test]
    fn an_input_that_nobody_drives_is_where_its_resistor_pulls_it() {
        for (resp, expected) in [(0, 0), (1, 0), (2, 1_023), (3, 512)] {
            let mut bench = Bench::default();
            let mut saadc = started(&mut bench, &[(CH_CONFIG, RAIL_TO_RAIL | resp)]);
            sample(&mut bench, &mut saadc);
            assert_eq!(result(&bench, 0), expected, "RESP {resp}");
        }
        let mut bench = Bench::default();
        bench.pins.outside(5, Drive::High);
        let mut saadc = started(&mut bench, &[]);
        sample(&mut bench, &mut saadc);
        assert_eq!(result(&bench, 0), 1_023, "a level is a voltage, too");
    }

    #[test]
    fn channels_are_converted_one_after_the_other_each_in_its_time() {
        let mut bench = Bench::default();
        bench.pins.hold(5, Some(825_000));
        bench.pins.hold(2, Some(1_650_000));
        // AIN3 with 3 µs, AIN0 with 40 µs.
        let second = [(CH_PSELP + 0x10, 1), (CH_CONFIG + 0x10, RAIL_TO_RAIL | 5 << 16), (RESULT_MAXCNT, 2)];
        let mut saadc = started(&mut bench, &second);
        saadc.task(&mut bench.cx(), SAMPLE);
        let start = bench.now;
        assert_eq!(bench.wait(&mut saadc, END, us(1_000)), Some(start + us(3 + 2 + 40 + 2)));
        assert_eq!([result(&bench, 0), result(&bench, 1)], [256, 512]);
    }

    #[test]
    fn oversampling_averages_a_power_of_two_of_samples() {
        let mut bench = Bench::default();
        let mut saadc = started(&mut bench, &[(OVERSAMPLE, 2)]);
        for (n, microvolts) in [0, 3_300_000, 0, 3_300_000].into_iter().enumerate() {
            assert!(!saadc.events().is_set(END), "before sample {n} of 4");
            bench.pins.hold(5, Some(microvolts));
            sample(&mut bench, &mut saadc);
        }
        assert!(saadc.events().is_set(END));
        assert_eq!(result(&bench, 0), 511);
    }

    #[test]
    fn a_burst_makes_all_samples_of_a_result_on_one_task() {
        let mut bench = Bench::default();
        let mut saadc = started(&mut bench, &[(OVERSAMPLE, 3), (CH_CONFIG, RAIL_TO_RAIL | 1 << 24)]);
        saadc.task(&mut bench.cx(), SAMPLE);
        let start = bench.now;
        assert_eq!(bench.wait(&mut saadc, END, us(1_000)), Some(start + us(8 * 5)));
    }

    #[test]
    fn results_at_or_beyond_a_limit_raise_its_event() {
        let mut bench = Bench::default();
        let mut saadc = started(&mut bench, &[(CH_LIMIT, 600 << 16 | 200), (RESULT_MAXCNT, 9)]);
        for (microvolts, high, low) in [(1_300_000, false, false), (2_000_000, true, false), (500_000, false, true)] {
            saadc.events().write(0x118, 0);
            saadc.events().write(0x11C, 0);
            bench.pins.hold(5, Some(microvolts));
            sample(&mut bench, &mut saadc);
            assert_eq!((saadc.events().is_set(LIMITH), saadc.events().is_set(LIMITH + 1)), (high, low));
        }
    }

    #[test]
    fn in_timer_mode_one_task_starts_a_row_of_samples() {
        let mut bench = Bench::default();
        // 1600 cycles of 16 MHz: 10 kHz.
        let mut saadc = started(&mut bench, &[(SAMPLERATE, 1 << 12 | 1_600), (RESULT_MAXCNT, 3)]);
        saadc.task(&mut bench.cx(), SAMPLE);
        let start = bench.now;
        assert_eq!(bench.wait(&mut saadc, END, us(1_000)), Some(start + us(205)));
        saadc.task(&mut bench.cx(), STOP);
        bench.run_to(&mut saadc, us(400));
        assert_eq!(saadc.next(&bench.lfclk), NEVER);
    }

    #[test]
    fn a_disabled_converter_ignores_its_tasks() {
        let (mut bench, mut saadc) = (Bench::default(), Saadc::new(SAADC));
        assert_eq!(saadc.task(&mut bench.cx(), SAMPLE), Some(()));
        assert_eq!(saadc.next(&bench.lfclk), NEVER);
    }
}
