//! Skipping of loops that only wait.
//!
//! Firmware polls status registers, and flags in RAM that its interrupt handlers set. If a whole turn of a loop changed
//! nothing in memory, read nothing that could change before the next event, and left all registers as it found them,
//! then every further turn until that event does exactly the same; so they are passed at once, by arithmetic on the
//! cycle count. (Whatever else writes to RAM, be it EasyDMA or a debugger, does so in an event or disturbs the turn.)
//!
//! Looking costs time: the core then executes instruction by instruction, past everything that sees its accesses. So
//! it looks only where waiting is likely: at an instruction that makes a steady read
//! ([`crate::cpu::MmioContext::steady`]) for the second time within a short while, and now and then anywhere: less and
//! less often as long as that brings nothing.

use super::Core;
use super::registers::Registers;

/// Instructions that are looked at before giving up.
const PATIENCE: u32 = 128;
/// Instructions that a turn may have.
const TURN: u32 = 40;
/// Cycles before looking again after giving up.
const PAUSE: u64 = 2_000;
/// The same for looking anywhere: twice as many with each failure in a row, up to these.
const DOUBLINGS: u32 = 9;
/// Cycles before looking again after turns were skipped up to an event: its handler comes first.
const AFTER_EVENT: u64 = 200;
/// A second read of the same register within so many cycles is polling.
const NEARBY: u64 = 250;

/// The core at the end of a loop's turn.
#[derive(Clone, Debug)]
struct Turn {
    /// Where the loop begins.
    start: u32,
    cycle: u64,
    /// What was left of [`Spin::patience`].
    patience: u32,
    regs: Registers,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Spin {
    watching: bool,
    /// Something happened in this turn that forbids skipping.
    disturbed: bool,
    /// Instructions still to be looked at.
    patience: u32,
    /// Not to be looked at before this cycle.
    paused_until: u64,
    /// Where a steady read was made, and when.
    polled_at: u32,
    polled_cycle: u64,
    /// When to look anywhere, and failures in a row of that.
    next_look: u64,
    failures: u32,
    /// Looking anywhere.
    anywhere: bool,
    /// Where the last instruction was.
    last_pc: u32,
    turn: Option<Turn>,
    /// For comparisons: never look.
    pub disabled: bool,
}

impl Spin {
    #[inline(always)]
    pub fn watching(&self) -> bool {
        self.watching
    }

    /// When to look next, whatever the core does.
    #[inline]
    pub fn next_look(&self) -> u64 {
        if self.disabled { u64::MAX } else { self.next_look }
    }

    /// A store, a read with side effects, an exception, a special register: this turn is not like the next.
    #[inline(always)]
    pub fn disturb(&mut self) {
        self.disturbed = true;
    }

    /// Stops looking.
    pub fn stop(&mut self) {
        self.watching = false;
        self.turn = None;
    }
}

impl Core {
    /// A steady read happened.
    #[inline(always)]
    pub(super) fn saw_steady_read(&mut self) {
        let spin = &mut self.spin;
        if spin.watching || spin.disabled || self.cycle < spin.paused_until {
            return;
        }
        if self.pc == spin.polled_at && self.cycle - spin.polled_cycle < NEARBY {
            spin.anywhere = false;
            self.begin_watching();
        } else if self.cycle - spin.polled_cycle >= NEARBY {
            (spin.polled_at, spin.polled_cycle) = (self.pc, self.cycle);
        }
    }

    /// The core has executed instructions for a while.
    #[inline]
    pub(super) fn look_around(&mut self) {
        if self.cycle >= self.spin.next_look() && !self.spin.watching {
            self.spin.anywhere = true;
            self.begin_watching();
        }
    }

    #[cold]
    fn begin_watching(&mut self) {
        self.spin.watching = true;
        self.spin.turn = None;
        self.spin.patience = PATIENCE;
        self.spin.last_pc = self.pc;
        self.close_fast_windows();
        self.attend();
    }

    /// Looks at the instruction just executed. Turns are skipped up to `limit`.
    pub(super) fn watch_turn(&mut self, limit: u64) {
        let backward = self.pc <= self.spin.last_pc;
        self.spin.last_pc = self.pc;
        self.spin.patience = self.spin.patience.saturating_sub(1);
        if self.spin.patience == 0 {
            self.spin.stop();
            if self.spin.anywhere {
                self.spin.next_look = self.cycle + (PAUSE << self.spin.failures);
                self.spin.failures = (self.spin.failures + 1).min(DOUBLINGS);
            } else {
                self.spin.paused_until = self.cycle + PAUSE;
            }
            return;
        }
        if !backward {
            return;
        }
        let disturbed = self.spin.disturbed;
        let left = self.spin.patience;
        if let Some(turn) = &self.spin.turn
            && turn.start != self.pc
            && turn.patience - left < TURN
        {
            // Inside the loop: the return from a function, or a loop of its own.
            return;
        }
        self.spin.disturbed = false;
        if let Some(turn) = &self.spin.turn
            && turn.start == self.pc
            && !disturbed
            && turn.regs.same(&self.regs)
        {
            let length = self.cycle - turn.cycle;
            self.cycle += limit.saturating_sub(self.cycle) / length.max(1) * length;
            self.spin.stop();
            (self.spin.failures, self.spin.next_look) = (0, self.cycle + AFTER_EVENT);
            return;
        }
        self.spin.turn = Some(Turn { start: self.pc, cycle: self.cycle, patience: left, regs: self.regs.clone() });
    }

    /// Switches the skipping of waiting loops, which is on unless switched off. Results are the same either way.
    pub fn set_spin_skipping(&mut self, on: bool) {
        self.spin.disabled = !on;
        if !on {
            self.spin.stop();
        }
    }
}
