//! PWM — pulse width modulation (PS chapter "PWM"): four outputs whose duty cycles come from sequences in RAM.
//!
//! A wave counter counts PCLK16M divided by 2^PRESCALER up to COUNTERTOP (MODE 0), or up and down again (MODE 1). Each
//! output changes where the counter meets its compare value; bit 15 of the value says that it is high first. The values
//! of a sequence are loaded one after the other from SEQ\[n\].PTR by EasyDMA, each for REFRESH + 1 periods. Without LOOP
//! one sequence is played and its last value stays; with LOOP, sequences 0 and 1 are played in turn, LOOP.CNT times.
//!
//! An output with a long period is driven edge by edge. One with a short period is not: whoever watches pins is told its
//! pulses' length with each new value, which is all that a speaker makes of them.

use twinboard_sim::bus::Size;

use super::clock::LfClk;
use super::inert::{Inert, InertSpec};
use super::peripheral::{Cx, Events, NEVER, PCLK16M, Peripheral, Psel, Reset, SHORTS, us};

const STOP: u32 = 0x004;
const SEQSTART0: u32 = 0x008;
const SEQSTART1: u32 = 0x00C;
const NEXTSTEP: u32 = 0x010;

const STOPPED: u32 = 1;
const SEQSTARTED0: u32 = 2;
const SEQEND0: u32 = 4;
const PWMPERIODEND: u32 = 6;
const LOOPSDONE: u32 = 7;

const SEQEND0_STOP: u32 = 1 << 0;
const LOOPSDONE_SEQSTART0: u32 = 1 << 2;
const LOOPSDONE_SEQSTART1: u32 = 1 << 3;
const LOOPSDONE_STOP: u32 = 1 << 4;

const ENABLE: u32 = 0x500;
const MODE: u32 = 0x504;
const COUNTERTOP: u32 = 0x508;
const PRESCALER: u32 = 0x50C;
const DECODER: u32 = 0x510;
const LOOP: u32 = 0x514;
const SEQ_PTR: u32 = 0x520;
const SEQ_CNT: u32 = 0x524;
const SEQ_REFRESH: u32 = 0x528;
const SEQ_ENDDELAY: u32 = 0x52C;
const SEQ_STRIDE: u32 = 0x20;
const PSEL_OUT: u32 = 0x560;

const OUTPUTS: usize = 4;
/// DECODER.LOAD.
const WAVEFORM: u32 = 3;

/// Outputs with a shorter period are not driven edge by edge: 31.25 kHz, above what is heard and what motors want.
const FOLLOWED: u64 = us(32);

/// A sequence that is being played.
#[derive(Clone, Copy, Debug)]
struct Playing {
    /// Which: 0 or 1.
    sequence: u32,
    /// SEQ\[n\].PTR and CNT as its start latched them.
    ptr: u32,
    count: u32,
    /// Halfwords loaded so far.
    loaded: u32,
    /// Sequences to play after this one.
    left: u32,
    /// All values have been played; ENDDELAY passes.
    ending: bool,
}

/// The register machine.
#[derive(Debug)]
pub struct Pwm {
    registers: Inert,
    playing: Option<Playing>,
    /// The wave counter runs since this cycle.
    since: Option<u64>,
    /// End of the present value's last period.
    step_due: u64,
    /// The next edge of a followed output, and the next end of a period that somebody waits for.
    edge_due: u64,
    period_due: u64,
    stop_due: u64,
    /// Events on their way, and when they arrive.
    pending: u32,
    pending_due: u64,
    /// Compare values, and COUNTERTOP as the wave counter uses it.
    values: [u16; OUTPUTS],
    top: u32,
    /// Pins that are driven.
    pins: [Option<u8>; OUTPUTS],
    /// Somebody polls PWMPERIODEND.
    polled: bool,
}

impl Pwm {
    /// A PWM on a page with these registers.
    #[must_use]
    pub fn new(spec: InertSpec) -> Pwm {
        Pwm {
            registers: Inert::new(spec),
            playing: None,
            since: None,
            step_due: NEVER,
            edge_due: NEVER,
            period_due: NEVER,
            stop_due: NEVER,
            pending: 0,
            pending_due: NEVER,
            values: [0; OUTPUTS],
            top: 0,
            pins: [None; OUTPUTS],
            polled: false,
        }
    }

    fn seq(&self, register: u32, sequence: u32) -> u32 {
        self.registers.get(register + SEQ_STRIDE * sequence)
    }

    fn up_and_down(&self) -> bool {
        self.registers.get(MODE) & 1 == 1
    }

    /// Core cycles of one count.
    fn tick(&self) -> u64 {
        PCLK16M << (self.registers.get(PRESCALER) & 7)
    }

    /// Core cycles of one period of the wave counter.
    fn period(&self) -> u64 {
        let counts = u64::from(self.top.max(1)) * if self.up_and_down() { 2 } else { 1 };
        counts * self.tick()
    }

    fn soon(&mut self, now: u64, event: u32) {
        self.pending |= 1 << event;
        self.pending_due = self.pending_due.min(now + PCLK16M);
    }

    /// Halfwords that are loaded at once.
    fn group(&self) -> u32 {
        [1, 2, 4, 4][(self.registers.get(DECODER) & 3) as usize]
    }

    /// The wave of output `n`.
    fn shape(&self, n: usize) -> Shape {
        let (value, top) = (self.values[n], self.top.max(1));
        let (compare, high_first) = (u32::from(value & 0x7FFF).min(top), value >> 15 == 1);
        let (compare, top) = (u64::from(compare) * self.tick(), u64::from(top) * self.tick());
        let up_and_down = self.up_and_down();
        // The counter is below the compare value from the period's beginning, and up and down also at its end.
        Shape { below: compare, period: if up_and_down { 2 * top } else { top }, again: up_and_down, high_first }
    }

    fn start(&mut self, cx: &mut Cx<'_>, sequence: u32) {
        let loops = self.registers.get(LOOP) & 0xFFFF;
        // "SEQSTART[1] in a loop starts with sequence 1": one sequence less.
        let left = if loops == 0 { 0 } else { 2 * loops - 1 - sequence };
        self.begin(cx, sequence, left);
    }

    fn begin(&mut self, cx: &mut Cx<'_>, sequence: u32, left: u32) {
        let (ptr, count) = (self.seq(SEQ_PTR, sequence), self.seq(SEQ_CNT, sequence) & 0x7FFF);
        if count < self.group() {
            // "CNT = 0: sequence is disabled, and shall not be started as it is empty."
            (self.playing, self.step_due) = (None, NEVER);
            return;
        }
        self.playing = Some(Playing { sequence, ptr, count, loaded: 0, left, ending: false });
        self.soon(cx.now, SEQSTARTED0 + sequence);
        self.step(cx);
    }

    /// The next value is due, or what follows the last one.
    fn step(&mut self, cx: &mut Cx<'_>) {
        let Some(mut playing) = self.playing else { return };
        let group = self.group();
        let (sequence, refresh) = (playing.sequence, self.seq(SEQ_REFRESH, playing.sequence) & 0xFF_FFFF);
        if playing.loaded + group <= playing.count {
            self.load(cx, playing.ptr.wrapping_add(2 * playing.loaded));
            playing.loaded += group;
            self.playing = Some(playing);
            let waits_for_task = self.registers.get(DECODER) >> 8 & 1 == 1;
            self.step_due = if waits_for_task { NEVER } else { cx.now + self.period() * (1 + u64::from(refresh)) };
            return;
        }
        if !playing.ending {
            self.events().raise(SEQEND0 + sequence);
            if self.registers.get(SHORTS) & SEQEND0_STOP << sequence != 0 {
                return self.stopped(cx);
            }
            let delay = self.seq(SEQ_ENDDELAY, sequence) & 0xFF_FFFF;
            if delay > 0 {
                self.playing = Some(Playing { ending: true, ..playing });
                self.step_due = cx.now + self.period() * u64::from(delay);
                return;
            }
        }
        if playing.left > 0 {
            return self.begin(cx, 1 - sequence, playing.left - 1);
        }
        (self.playing, self.step_due) = (None, NEVER);
        if self.registers.get(LOOP) & 0xFFFF != 0 {
            self.events().raise(LOOPSDONE);
            let shorts = self.registers.get(SHORTS);
            if shorts & LOOPSDONE_STOP != 0 {
                self.stopped(cx);
            } else if shorts & LOOPSDONE_SEQSTART0 != 0 {
                self.start(cx, 0);
            } else if shorts & LOOPSDONE_SEQSTART1 != 0 {
                self.start(cx, 1);
            }
        }
    }

    /// Loads a value for each output from RAM.
    fn load(&mut self, cx: &mut Cx<'_>, at: u32) {
        let half = |n: u32| cx.memory.read(at.wrapping_add(2 * n), Size::Half).unwrap_or(0) as u16;
        let load = self.registers.get(DECODER) & 3;
        let (values, top) = match load {
            0 => ([half(0); OUTPUTS], None),
            1 => ([half(0), half(0), half(1), half(1)], None),
            2 => ([half(0), half(1), half(2), half(3)], None),
            _ => ([half(0), half(1), half(2), self.values[3]], Some(half(3))),
        };
        let top = top.map_or_else(|| self.registers.get(COUNTERTOP), u32::from) & 0x7FFF;
        let same = self.since.is_some() && self.values == values && self.top == top;
        (self.values, self.top) = (values, top);
        if self.since.is_none() || !same {
            // A new value is loaded at the end of a period, which is where the next one begins.
            self.since = Some(cx.now);
            self.show(cx);
        }
        self.plan_period(cx.now);
    }

    /// Drives the pins as the present values say.
    fn show(&mut self, cx: &mut Cx<'_>) {
        self.edge_due = NEVER;
        let Some(since) = self.since else { return };
        let (period, last) = (self.period(), if self.registers.get(DECODER) & 3 == WAVEFORM { 3 } else { OUTPUTS });
        for n in 0..last {
            let Some(pin) = self.pins[n] else { continue };
            let shape = self.shape(n);
            if period >= FOLLOWED {
                let phase = (cx.now - since) % period;
                cx.pins.take(cx.now, pin, shape.level(phase));
                self.edge_due = self.edge_due.min(cx.now.saturating_add(shape.until_edge(phase)));
            } else {
                let high = shape.high();
                cx.pins.take(cx.now, pin, 2 * high >= period);
                cx.pins.pulse(cx.now, pin, period, high);
            }
        }
    }

    fn plan_period(&mut self, now: u64) {
        let wanted = self.registers.events().observed() >> PWMPERIODEND & 1 == 1 || self.polled;
        self.period_due = match self.since {
            Some(since) if wanted => since + ((now - since) / self.period() + 1) * self.period(),
            _ => NEVER,
        };
    }

    /// PSEL and ENABLE decide which pins are the PWM's.
    fn connect(&mut self, cx: &mut Cx<'_>) {
        let enabled = self.registers.get(ENABLE) & 1 == 1 && self.since.is_some();
        for n in 0..OUTPUTS {
            let psel = Psel(self.registers.get(PSEL_OUT + 4 * n as u32));
            let pin = if enabled { psel.pin() } else { None };
            if let Some(old) = self.pins[n].filter(|_| self.pins[n] != pin) {
                cx.pins.pulse(cx.now, old, 1, 0);
                cx.pins.release(cx.now, old);
            }
            self.pins[n] = pin;
        }
        self.show(cx);
    }

    /// Everything ends now.
    fn stopped(&mut self, cx: &mut Cx<'_>) {
        (self.playing, self.since) = (None, None);
        (self.step_due, self.edge_due, self.period_due, self.stop_due) = (NEVER, NEVER, NEVER, NEVER);
        self.connect(cx);
        self.soon(cx.now, STOPPED);
    }
}

/// An output's wave: below the compare value it has one level, at and above it the other.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Cycles from the period's beginning with the counter below the compare value.
    below: u64,
    period: u64,
    /// Counting down, the counter is below it again as long before the period's end.
    again: bool,
    high_first: bool,
}

impl Shape {
    fn is_below(self, phase: u64) -> bool {
        phase < self.below || self.again && phase >= self.period - self.below
    }

    fn level(self, phase: u64) -> bool {
        self.is_below(phase) == self.high_first
    }

    /// Cycles in which it is high.
    fn high(self) -> u64 {
        let below = (if self.again { 2 * self.below } else { self.below }).min(self.period);
        if self.high_first { below } else { self.period - below }
    }

    /// Cycles until the level next changes; [`NEVER`] if it does not.
    fn until_edge(self, phase: u64) -> u64 {
        if self.below == 0 || self.high() == 0 || self.high() == self.period {
            return NEVER;
        }
        let edges = [self.below, if self.again { self.period - self.below } else { self.period }];
        edges.into_iter().find(|&edge| edge > phase).map_or(self.period + self.below - phase, |edge| edge - phase)
    }
}

impl Peripheral for Pwm {
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        self.registers.read(cx, offset)
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        self.registers.write(cx, offset, value)?;
        match offset {
            ENABLE if value & 1 == 0 && self.since.is_some() => self.stopped(cx),
            ENABLE | PSEL_OUT..=0x56C => self.connect(cx),
            _ => {}
        }
        Some(())
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        let enabled = self.registers.get(ENABLE) & 1 == 1;
        match offset {
            SEQSTART0 | SEQSTART1 if enabled => {
                self.stop_due = NEVER;
                let fresh = self.since.is_none();
                self.start(cx, u32::from(offset == SEQSTART1));
                if fresh {
                    self.connect(cx);
                }
            }
            NEXTSTEP if enabled && self.registers.get(DECODER) >> 8 & 1 == 1 => self.step(cx),
            // "Stops PWM pulse generation on all channels at the end of the current PWM period."
            STOP => {
                self.stop_due = match self.since {
                    Some(since) => since + ((cx.now - since) / self.period() + 1) * self.period(),
                    None => cx.now + PCLK16M,
                }
            }
            SEQSTART0 | SEQSTART1 | NEXTSTEP => {}
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        self.registers.events()
    }

    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset) {
        let spec = self.registers.spec();
        // The pins themselves are reset by their owner, before.
        let mut registers = std::mem::replace(&mut self.registers, Inert::new(InertSpec::EMPTY));
        registers.reset(cx, reset);
        *self = Pwm { registers, ..Pwm::new(spec) };
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.step_due.min(self.edge_due).min(self.period_due).min(self.stop_due).min(self.pending_due)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.pending_due <= cx.now {
            self.pending_due = NEVER;
            let events = std::mem::take(&mut self.pending);
            self.events().raise_all(events);
        }
        if self.period_due <= cx.now {
            self.polled = false;
            self.events().raise(PWMPERIODEND);
            self.plan_period(cx.now);
        }
        if self.stop_due <= cx.now {
            self.stopped(cx);
        }
        if self.step_due <= cx.now {
            self.step_due = NEVER;
            self.step(cx);
        }
        if self.edge_due <= cx.now {
            self.show(cx);
        }
    }

    fn sync(&mut self, cx: &mut Cx<'_>) {
        self.plan_period(cx.now);
    }

    fn polled(&mut self, n: u32) {
        self.polled |= n == PWMPERIODEND;
    }
}

#[cfg(test)]
#[path = "pwm_tests.rs"]
mod tests;
