//! WDT — watchdog timer (PS chapter "WDT"): resets the chip unless all enabled reload registers are written in time.
//!
//! Once started it cannot be stopped or reconfigured, except by a reset that reaches it. It brings its own 32.768 kHz
//! clock up.

use super::clock::LfClk;
use super::peripheral::{Cx, Events, NEVER, Peripheral, Request, Reset, index};

const START: u32 = 0x000;
const RUNSTATUS: u32 = 0x400;
const REQSTATUS: u32 = 0x404;
const CRV: u32 = 0x504;
const RREN: u32 = 0x508;
const CONFIG: u32 = 0x50C;
const RR: u32 = 0x600;
const TIMEOUT: u32 = 0;

/// The only value that counts as a reload.
const RELOAD: u32 = 0x6E52_4635;
/// CONFIG.HALT: keep running while the core is halted.
const HALT_RUN: u32 = 1 << 3;
/// From TIMEOUT to the reset: two periods of the 32.768 kHz clock.
const GRACE: u64 = 2 * 15_625 / 8;

/// The register machine.
#[derive(Debug)]
pub struct Wdt {
    events: Events,
    running: bool,
    crv: u32,
    rren: u32,
    config: u32,
    /// Reload registers that have not been written since the last reload.
    missing: u32,
    timeout: u64,
    reset_at: u64,
    /// While the core is halted and CONFIG.HALT = Pause: cycles that were left to the timeout and to the reset.
    paused: Option<(u64, u64)>,
}

impl Default for Wdt {
    fn default() -> Wdt {
        Wdt {
            events: Events::new(1 << TIMEOUT),
            running: false,
            crv: u32::MAX,
            rren: 1,
            config: 1,
            missing: 1,
            timeout: NEVER,
            reset_at: NEVER,
            paused: None,
        }
    }
}

impl Wdt {
    fn reload(&mut self, now: u64) {
        self.missing = self.rren;
        let period = ((u64::from(self.crv) + 1) * 15_625).div_ceil(8);
        match &mut self.paused {
            Some((timeout, _)) => *timeout = period,
            None => self.timeout = now + period,
        }
    }
}

impl Peripheral for Wdt {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(match offset {
            RUNSTATUS => self.running.into(),
            REQSTATUS => self.missing,
            CRV => self.crv,
            RREN => self.rren,
            CONFIG => self.config,
            _ => index(offset, RR, 4, 8).map(|_| 0)?,
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        match offset {
            CRV | RREN | CONFIG if self.running => {}
            CRV => self.crv = value.max(0xF),
            RREN => (self.rren, self.missing) = (value & 0xFF, value & 0xFF),
            CONFIG => self.config = value & 9,
            RUNSTATUS | REQSTATUS => {}
            _ => {
                let n = index(offset, RR, 4, 8)?;
                if value == RELOAD && self.running && self.reset_at == NEVER {
                    self.missing &= !(1 << n);
                    if self.missing == 0 {
                        self.reload(cx.now);
                    }
                }
            }
        }
        Some(())
    }

    /// Flash routines feed the watchdog while they wait, whether it runs or not.
    fn drops_writes(&self, offset: u32) -> bool {
        !self.running && index(offset, RR, 4, 8).is_some()
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        if offset == START && !self.running {
            self.running = true;
            self.reload(cx.now);
        }
        (offset == START).then_some(())
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, _: &mut Cx<'_>, reset: Reset) {
        if reset.stops_watchdog() {
            let mut events = std::mem::take(&mut self.events);
            events.reset();
            *self = Wdt { events, ..Wdt::default() };
        } else {
            self.events.reset();
        }
    }

    fn core_halted(&mut self, cx: &mut Cx<'_>, halted: bool) {
        let shift = |at: u64, by: &dyn Fn(u64) -> u64| if at == NEVER { NEVER } else { by(at) };
        if halted && self.config & HALT_RUN == 0 && self.paused.is_none() {
            let left = |at| shift(at, &|at| at.saturating_sub(cx.now));
            self.paused = Some((left(self.timeout), left(self.reset_at)));
            (self.timeout, self.reset_at) = (NEVER, NEVER);
        } else if let Some((timeout, reset_at)) = self.paused.take_if(|_| !halted) {
            let again = |left| shift(left, &|left| cx.now + left);
            (self.timeout, self.reset_at) = (again(timeout), again(reset_at));
        }
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.timeout.min(self.reset_at)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.reset_at <= cx.now {
            self.reset_at = NEVER;
            cx.ask(Request::Reset(Reset::Watchdog));
        } else if self.timeout <= cx.now {
            self.timeout = NEVER;
            self.reset_at = cx.now + GRACE;
            self.events.raise(TIMEOUT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::super::peripheral::us;
    use super::*;

    fn started(bench: &mut Bench, rren: u32) -> Wdt {
        let mut wdt = Wdt::default();
        wdt.write(&mut bench.cx(), CRV, 32_767);
        wdt.write(&mut bench.cx(), RREN, rren);
        wdt.task(&mut bench.cx(), START);
        wdt
    }

    #[test]
    fn it_resets_the_chip_two_low_frequency_periods_after_the_timeout_event() {
        let mut bench = Bench::default();
        let mut wdt = started(&mut bench, 1);
        assert_eq!(bench.wait(&mut wdt, TIMEOUT, NEVER - 1), Some(us(1_000_000)), "(CRV + 1) / 32768 s");
        assert_eq!(bench.request, None);
        bench.run_to(&mut wdt, us(1_000_000) + 3_907);
        assert_eq!(bench.request, Some(Request::Reset(Reset::Watchdog)));
    }

    #[test]
    fn all_enabled_reload_registers_must_be_written_with_the_key() {
        let mut bench = Bench::default();
        let mut wdt = started(&mut bench, 0b11);
        bench.now = us(500_000);
        wdt.write(&mut bench.cx(), RR, RELOAD);
        wdt.write(&mut bench.cx(), RR + 4, RELOAD + 1);
        assert_eq!(wdt.read(&mut bench.cx(), REQSTATUS), Some(0b10));
        assert_eq!(wdt.next(&bench.lfclk), us(1_000_000));
        wdt.write(&mut bench.cx(), RR + 4, RELOAD);
        assert_eq!(wdt.next(&bench.lfclk), us(1_500_000));
    }

    #[test]
    fn a_reload_is_for_one_that_runs() {
        let (mut bench, mut wdt) = (Bench::default(), Wdt::default());
        assert!(wdt.drops_writes(RR) && wdt.drops_writes(RR + 0x1C));
        assert!(!wdt.drops_writes(RR + 0x20) && !wdt.drops_writes(CRV) && !wdt.drops_writes(START));
        wdt.task(&mut bench.cx(), START);
        assert!(!wdt.drops_writes(RR));
    }

    #[test]
    fn it_pauses_while_the_core_is_halted_unless_config_says_run() {
        for (config, expected) in [(1, us(1_500_000)), (1 | HALT_RUN, us(1_000_000))] {
            let (mut bench, mut wdt) = (Bench::default(), Wdt::default());
            wdt.write(&mut bench.cx(), CRV, 32_767);
            wdt.write(&mut bench.cx(), CONFIG, config);
            wdt.task(&mut bench.cx(), START);
            bench.now = us(200_000);
            wdt.core_halted(&mut bench.cx(), true);
            bench.now = us(700_000);
            wdt.core_halted(&mut bench.cx(), false);
            assert_eq!(wdt.next(&bench.lfclk), expected);
        }
    }

    #[test]
    fn it_is_locked_once_started_and_a_soft_reset_does_not_stop_it() {
        let mut bench = Bench::default();
        let mut wdt = started(&mut bench, 1);
        wdt.write(&mut bench.cx(), CRV, 99);
        wdt.reset(&mut bench.cx(), Reset::Soft);
        assert_eq!((wdt.read(&mut bench.cx(), CRV), wdt.read(&mut bench.cx(), RUNSTATUS)), (Some(32_767), Some(1)));
        wdt.reset(&mut bench.cx(), Reset::Pin);
        assert_eq!((wdt.read(&mut bench.cx(), RUNSTATUS), wdt.next(&bench.lfclk)), (Some(0), NEVER));
    }
}
