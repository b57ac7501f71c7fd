//! CLOCK — clock control (PS chapter "CLOCK"): starts and stops the crystal oscillators and calibrates the RC one.
//!
//! The CPU and all 16 MHz peripherals run from the internal RC oscillator until HFCLKSTART has brought up the crystal;
//! the difference is accuracy, which is not modelled. The 32.768 kHz clock runs only after LFCLKSTART; RTCs need it.

use twinboard_sim::fault::SharedFault;

use super::peripheral::{Cx, NEVER, us};
use super::table::Series;
use crate::fault::clock::ClockFaults;

pub const HFCLKSTART: u32 = 0x000;
pub const HFCLKSTOP: u32 = 0x004;
pub const LFCLKSTART: u32 = 0x008;
pub const LFCLKSTOP: u32 = 0x00C;
pub const CAL: u32 = 0x010;
pub const CTSTART: u32 = 0x014;
pub const CTSTOP: u32 = 0x018;

/// Event numbers.
pub const HFCLKSTARTED: u32 = 0;
pub const LFCLKSTARTED: u32 = 1;
pub const DONE: u32 = 3;
pub const CTTO: u32 = 4;
pub const CTSTARTED: u32 = 10;
pub const CTSTOPPED: u32 = 11;
/// The events of this block that all chips have, and those of the nRF52.
const COMMON_EVENTS: u32 = 1 << HFCLKSTARTED | 1 << LFCLKSTARTED | 1 << DONE | 1 << CTTO;
const NRF52_EVENTS: u32 = 1 << CTSTARTED | 1 << CTSTOPPED;

/// All events of this block.
#[must_use]
pub fn event_mask(series: Series) -> u32 {
    match series {
        Series::Nrf51 => COMMON_EVENTS,
        Series::Nrf52 => COMMON_EVENTS | NRF52_EVENTS,
    }
}

const HFCLKRUN: u32 = 0x408;
const HFCLKSTAT: u32 = 0x40C;
const LFCLKRUN: u32 = 0x414;
const LFCLKSTAT: u32 = 0x418;
const LFCLKSRCCOPY: u32 = 0x41C;
const LFCLKSRC: u32 = 0x518;
const HFXODEBOUNCE: u32 = 0x528;
const LFXODEBOUNCE: u32 = 0x52C;
const CTIV: u32 = 0x538;
const TRACECONFIG: u32 = 0x55C;
/// nRF51 only.
const XTALFREQ: u32 = 0x550;

const STATE_RUNNING: u32 = 1 << 16;
const SRC_RC: u32 = 0;
const SRC_XTAL: u32 = 1;

/// Start-up of the nRF52's 32 MHz crystal oscillator: 0.36 ms, and of the nRF51's 16 MHz one: 0.8 ms.
const HFXO_START: [u64; 2] = [us(800), us(360)];
/// Start-up of the nRF52's 32.768 kHz RC oscillator: 0.6 ms, and of the nRF51's: 0.5 ms.
const LFRC_START: [u64; 2] = [us(500), us(600)];
/// Start-up of the 32.768 kHz crystal oscillator: 0.25 s.
const LFXO_START: u64 = us(250_000);
/// Calibration of the RC oscillator: 16 periods of it, and what is around them.
const CAL_TIME: u64 = us(1_000);

/// The 32.768 kHz clock as its users see it: a count of edges that stands still while the clock does.
#[derive(Clone, Copy, Default, Debug)]
pub struct LfClk {
    counted: u64,
    since: Option<u64>,
}

impl LfClk {
    /// Edges up to cycle `now`.
    #[must_use]
    pub fn edges(&self, now: u64) -> u64 {
        // 64 MHz / 32.768 kHz = 15625 / 8.
        self.counted + self.since.map_or(0, |since| now.saturating_sub(since) * 8 / 15_625)
    }

    /// The cycle of edge number `edge`, if the clock goes on; [`NEVER`] while it stands still.
    #[must_use]
    pub fn cycle_of(&self, edge: u64) -> u64 {
        match self.since {
            Some(since) => since.saturating_add(edge.saturating_sub(self.counted).saturating_mul(15_625).div_ceil(8)),
            None => NEVER,
        }
    }

    fn start(&mut self, now: u64) {
        self.since.get_or_insert(now);
    }

    fn stop(&mut self, now: u64) {
        self.counted = self.edges(now);
        self.since = None;
    }
}

/// What a chip's clocks have on their pins.
#[derive(Clone, Copy, Debug)]
pub struct Crystals {
    /// A 32.768 kHz crystal is fitted. Without one the source XTAL never starts.
    pub lfxo: bool,
}

/// The register machine. Its events live in the bank that CLOCK shares with POWER.
#[derive(Debug)]
pub struct Clock {
    series: Series,
    crystals: Crystals,
    xtalfreq: u32,
    hfclkrun: bool,
    hf_running: bool,
    lfclkrun: bool,
    lf_running: bool,
    lfclksrc: u32,
    lfclksrccopy: u32,
    hfxodebounce: u32,
    lfxodebounce: u32,
    ctiv: u32,
    traceconfig: u32,
    hf_due: u64,
    lf_due: u64,
    cal_due: u64,
    ct_due: u64,
    /// CTSTARTED and CTSTOPPED on their way.
    ct_pending: u32,
    ct_pending_due: u64,
    faults: ClockFaults,
}

impl Clock {
    /// Reset values.
    #[must_use]
    pub fn new(series: Series, crystals: Crystals) -> Clock {
        Clock {
            series,
            crystals,
            xtalfreq: u32::MAX,
            hfclkrun: false,
            hf_running: false,
            lfclkrun: false,
            lf_running: false,
            lfclksrc: 0,
            lfclksrccopy: 0,
            hfxodebounce: 0x10,
            lfxodebounce: 0,
            ctiv: 0,
            traceconfig: 0,
            hf_due: NEVER,
            lf_due: NEVER,
            cal_due: NEVER,
            ct_due: NEVER,
            ct_pending: 0,
            ct_pending_due: NEVER,
            faults: ClockFaults::default(),
        }
    }

    /// Arms a fault on the crystal.
    pub fn arm(&mut self, fault: SharedFault) {
        self.faults.add(fault);
    }

    /// Whether this chip has what others have at `offset`.
    fn exists(&self, offset: u32) -> bool {
        match offset {
            XTALFREQ => self.series == Series::Nrf51,
            HFXODEBOUNCE | LFXODEBOUNCE | TRACECONFIG => self.series == Series::Nrf52,
            _ => true,
        }
    }

    /// Reads a register of CLOCK.
    #[must_use]
    pub fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            HFCLKRUN => self.hfclkrun.into(),
            // The CPU runs, so some high frequency clock does.
            HFCLKSTAT => STATE_RUNNING | u32::from(self.hf_running),
            LFCLKRUN => self.lfclkrun.into(),
            LFCLKSTAT if self.lf_running => STATE_RUNNING | self.lfclksrccopy & 3,
            LFCLKSTAT => 0,
            LFCLKSRCCOPY => self.lfclksrccopy & 3,
            LFCLKSRC => self.lfclksrc,
            _ if !self.exists(offset) => return None,
            HFXODEBOUNCE => self.hfxodebounce,
            LFXODEBOUNCE => self.lfxodebounce,
            CTIV => self.ctiv,
            XTALFREQ => self.xtalfreq,
            TRACECONFIG => self.traceconfig,
            _ => return None,
        })
    }

    /// Writes a register of CLOCK.
    pub fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        match offset {
            _ if !self.exists(offset) => return None,
            LFCLKSRC => self.lfclksrc = value & 0x3_0003,
            XTALFREQ => self.xtalfreq = value,
            HFXODEBOUNCE => self.hfxodebounce = value & 0xFF,
            LFXODEBOUNCE => self.lfxodebounce = value & 1,
            CTIV => self.ctiv = value & 0x7F,
            TRACECONFIG => self.traceconfig = value & 0x3_0003,
            HFCLKRUN | HFCLKSTAT | LFCLKRUN | LFCLKSTAT | LFCLKSRCCOPY => {}
            _ => return None,
        }
        Some(())
    }

    /// Triggers a task of CLOCK.
    pub fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        let soon = cx.now + super::peripheral::PCLK16M;
        let (hfxo_start, lfrc_start) = (HFXO_START[self.series as usize], LFRC_START[self.series as usize]);
        match offset {
            HFCLKSTART => {
                // Triggered again while it runs, the event comes again.
                if self.hf_running {
                    self.hf_due = soon;
                } else if !self.hfclkrun {
                    let dead = self.faults.stays_dead(cx.time());
                    self.hf_due = if dead { NEVER } else { cx.now + hfxo_start };
                } else if self.hf_due != NEVER {
                    self.hf_due = cx.now + hfxo_start;
                }
                self.hfclkrun = true;
            }
            HFCLKSTOP => (self.hfclkrun, self.hf_running, self.hf_due) = (false, false, NEVER),
            LFCLKSTART => {
                self.lfclkrun = true;
                self.lfclksrccopy = self.lfclksrc;
                self.lf_due = match self.lfclksrc & 3 {
                    _ if self.lf_running => soon,
                    SRC_XTAL if !self.crystals.lfxo => NEVER,
                    SRC_XTAL => cx.now + LFXO_START,
                    SRC_RC => cx.now + lfrc_start,
                    _ => cx.now + lfrc_start.max(hfxo_start),
                };
            }
            LFCLKSTOP => {
                (self.lfclkrun, self.lf_running, self.lf_due) = (false, false, NEVER);
                cx.lfclk.stop(cx.now);
            }
            CAL => self.cal_due = cx.now + CAL_TIME,
            CTSTART => {
                self.ct_due = cx.now + u64::from(self.ctiv.max(1)) * us(250_000);
                (self.ct_pending, self.ct_pending_due) = (1 << CTSTARTED & event_mask(self.series), soon);
            }
            CTSTOP => {
                self.ct_due = NEVER;
                (self.ct_pending, self.ct_pending_due) = (1 << CTSTOPPED & event_mask(self.series), soon);
            }
            _ => return None,
        }
        Some(())
    }

    /// When something is due.
    #[must_use]
    pub fn next(&self) -> u64 {
        [self.hf_due, self.lf_due, self.cal_due, self.ct_due, self.ct_pending_due].into_iter().min().unwrap_or(NEVER)
    }

    /// Does what is due, and gives the events that happen.
    pub fn run(&mut self, cx: &mut Cx<'_>) -> u32 {
        let now = cx.now;
        let mut events = 0;
        let mut due = |at: &mut u64, mask: u32| {
            let is_due = *at <= now;
            if is_due {
                (*at, events) = (NEVER, events | mask);
            }
            is_due
        };
        self.hf_running |= due(&mut self.hf_due, 1 << HFCLKSTARTED);
        if due(&mut self.lf_due, 1 << LFCLKSTARTED) {
            self.lf_running = true;
            cx.lfclk.start(now);
        }
        due(&mut self.cal_due, 1 << DONE);
        due(&mut self.ct_due, 1 << CTTO);
        due(&mut self.ct_pending_due, self.ct_pending);
        events
    }

    /// Reset values; the 32.768 kHz clock stops.
    pub fn reset(&mut self, cx: &mut Cx<'_>) {
        let faults = std::mem::take(&mut self.faults);
        *self = Clock { faults, ..Clock::new(self.series, self.crystals) };
        cx.lfclk.stop(cx.now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    fn clock() -> Clock {
        Clock::new(Series::Nrf52, Crystals { lfxo: false })
    }

    #[test]
    fn the_crystal_starts_in_0_36_ms_and_says_so_again_when_asked_again() {
        let (mut bench, mut clock) = (Bench::default(), clock());
        clock.task(&mut bench.cx(), HFCLKSTART);
        assert_eq!((clock.read(HFCLKRUN), clock.read(HFCLKSTAT)), (Some(1), Some(STATE_RUNNING)));
        assert_eq!(clock.next(), us(360));
        bench.now = us(360);
        assert_eq!(clock.run(&mut bench.cx()), 1 << HFCLKSTARTED);
        assert_eq!(clock.read(HFCLKSTAT), Some(0x1_0001));
        clock.task(&mut bench.cx(), HFCLKSTART);
        assert!(clock.next() > bench.now && clock.next() < bench.now + us(1));
    }

    #[test]
    fn without_a_crystal_the_low_frequency_clock_starts_from_rc_only() {
        let (mut bench, mut clock) = (Bench::default(), clock());
        clock.write(LFCLKSRC, SRC_XTAL);
        clock.task(&mut bench.cx(), LFCLKSTART);
        assert_eq!((clock.next(), clock.read(LFCLKSRCCOPY)), (NEVER, Some(1)));
        clock.task(&mut bench.cx(), LFCLKSTOP);
        clock.write(LFCLKSRC, SRC_RC);
        clock.task(&mut bench.cx(), LFCLKSTART);
        bench.now = clock.next();
        assert_eq!(bench.now, us(600));
        assert_eq!(clock.run(&mut bench.cx()), 1 << LFCLKSTARTED);
        assert_eq!(clock.read(LFCLKSTAT), Some(0x1_0000));
        assert_eq!(bench.lfclk.edges(bench.now + 64_000_000), 32_768, "one second");
    }

    #[test]
    fn the_calibration_timer_counts_in_quarters_of_a_second() {
        let (mut bench, mut clock) = (Bench::default(), clock());
        clock.write(CTIV, 16);
        clock.task(&mut bench.cx(), CTSTART);
        bench.now = clock.next();
        assert_eq!(clock.run(&mut bench.cx()), 1 << CTSTARTED);
        assert_eq!(clock.next(), us(4_000_000));
    }

    #[test]
    fn the_edges_of_a_stopped_clock_are_kept() {
        let mut lfclk = LfClk::default();
        lfclk.start(0);
        lfclk.stop(15_625);
        assert_eq!((lfclk.edges(1_000_000), lfclk.cycle_of(9)), (8, NEVER));
        lfclk.start(20_000);
        assert_eq!(lfclk.cycle_of(16), 20_000 + 15_625);
        assert_eq!(lfclk.edges(20_000 + 15_625), 16);
        assert_eq!(lfclk.edges(20_000 + 15_624), 15);
    }
}
