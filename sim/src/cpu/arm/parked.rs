//! Time that passes for a core in a known loop.
//!
//! A core whose loop is known to end every turn as it began it ([`super::spin`]) is *parked*: its registers and its
//! memory stay what they were at the beginning of a turn, and only its cycle count goes on. Whoever wants more of it
//! than that unparks it first: it executes what is missing of the turn in hand, with the values that its reads of
//! peripherals gave in the recorded turn (they are steady, so they would give them again).

use super::Core;
use crate::bus::{BusFault, Size};
use crate::cpu::{Mmio, MmioContext, Stop};

/// No single step of a core (an instruction, an exception's entry) takes so many cycles. A core is unparked so long
/// before the next event at the latest, so that the rest of a turn cannot run into it unseen.
pub(super) const MARGIN: u64 = 64;

/// A known loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loop {
    /// The cycle at which the registers and the memory are what they are.
    pub since: u64,
    /// Cycles of a turn.
    pub turn: u64,
}

/// The peripherals as a recorded turn saw them.
struct Recorded<'a> {
    reads: std::slice::Iter<'a, u32>,
}

impl Mmio for Recorded<'_> {
    fn read(&mut self, cx: &mut MmioContext<'_>, address: u32, _: Size) -> Result<u32, BusFault> {
        *cx.steady = true;
        self.reads.next().copied().ok_or(BusFault { address })
    }

    /// What is written in a loop has no effect, or it would not be parked.
    fn write(&mut self, cx: &mut MmioContext<'_>, _: u32, _: Size, _: u32) -> Result<(), BusFault> {
        *cx.steady = true;
        Ok(())
    }

    fn event(&mut self, _: &mut MmioContext<'_>) {
        debug_assert!(false, "a core is unparked before the next event");
    }
}

impl Core {
    /// As [`Core::run`], but the core may be left *parked* in a loop that changes nothing: then its registers and its
    /// memory lie behind its cycle count, by less than what [`Core::run`] would have executed. [`Core::unpark`]
    /// brings them up to it, and so does everything that changes the core or lets somebody look through it
    /// ([`Core::with_context`], [`Core::attach`], [`Core::debug_read`] and so on).
    pub fn run_or_park<M: Mmio>(&mut self, mmio: &mut M, until: u64) -> Stop {
        loop {
            if self.spin.is_parked()
                && let Some(stop) = self.stay_parked(until)
            {
                return stop;
            }
            if let Some(stop) = self.go_on(mmio, until) {
                return stop;
            }
        }
    }

    /// The cycle before which the core does nothing that anybody could see, if left alone. Later than
    /// [`Core::next_event`] for a parked core.
    #[must_use]
    pub fn quiet_until(&self) -> u64 {
        if self.spin.is_parked() { self.unparks_at().max(self.cycle) } else { self.next_event() }
    }

    /// When a parked core has to execute again.
    fn unparks_at(&self) -> u64 {
        self.next_change().saturating_sub(MARGIN)
    }

    /// When something other than the core acts, or the flash answers again.
    pub(super) fn next_change(&self) -> u64 {
        let busy_until = self.signals.flash_busy_until;
        self.next_deadline(if busy_until > self.cycle { busy_until } else { u64::MAX })
    }

    /// Lets time pass for a parked core until `until`, or unparks it when it has to go on.
    fn stay_parked(&mut self, until: u64) -> Option<Stop> {
        let end = self.unparks_at();
        let before = self.cycle;
        self.cycle = self.cycle.max(until.min(end));
        self.note_idle(before);
        if until <= end {
            return Some(Stop::Reached);
        }
        self.unpark();
        None
    }

    /// From now on keeps when the core sleeps or is parked, or does not any more.
    pub fn record_idle(&mut self, on: bool) {
        self.idle = on.then(Vec::new);
    }

    /// The stretches, in cycles, in which the core slept or was parked since the last call. Which loops it is parked in
    /// depends on what was found to be one, so the rest is what the core executed, and at most what it had to do.
    pub fn take_idle(&mut self) -> Vec<(u64, u64)> {
        self.idle.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The core was idle from cycle `before` until now.
    #[inline]
    pub(super) fn note_idle(&mut self, before: u64) {
        if let Some(idle) = &mut self.idle
            && before < self.cycle
        {
            match idle.last_mut() {
                Some((_, end)) if *end == before => *end = self.cycle,
                _ => idle.push((before, self.cycle)),
            }
        }
    }

    /// Brings the registers and the memory of a parked core up to its cycle count; others are left alone.
    #[inline]
    pub fn unpark(&mut self) {
        if self.spin.is_parked() {
            self.leave_loop();
        }
    }

    #[cold]
    fn leave_loop(&mut self) {
        let Some(known) = self.spin.leave() else { return };
        let until = self.cycle;
        self.cycle = until - (until - known.since) % known.turn;
        let reads = std::mem::take(&mut self.spin.reads);
        let mut recorded = Recorded { reads: reads.iter() };
        self.spin.quiet = true;
        while self.cycle < until {
            self.advance(&mut recorded, until);
        }
        self.spin.quiet = false;
        self.spin.reads = reads;
        self.wait_for_loop(known.turn);
    }
}
