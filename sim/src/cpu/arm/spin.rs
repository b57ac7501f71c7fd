//! Skipping of loops that only wait.
//!
//! Firmware polls status registers. If a whole turn of a loop stored nothing, read nothing that could change before
//! the next event, and left all registers as it found them, then every further turn until that event does exactly the
//! same; so they are passed at once, by arithmetic on the cycle count.
//!
//! Only a steady read ([`crate::cpu::MmioContext::steady`]) makes the core look: it then executes instruction by
//! instruction until a taken backward branch comes to the same place twice with nothing in between.

use super::Core;
use super::registers::Registers;

/// Instructions that are looked at before giving up.
const PATIENCE: u32 = 96;
/// Cycles before looking again after giving up.
const PAUSE: u64 = 2_000;

/// The core at the end of a loop's turn.
#[derive(Clone, Debug)]
struct Turn {
    /// Where the loop begins.
    start: u32,
    cycle: u64,
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
        if !self.spin.watching && self.cycle >= self.spin.paused_until && !self.spin.disabled {
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
            self.spin.paused_until = self.cycle + PAUSE;
            return;
        }
        if !backward {
            return;
        }
        let disturbed = std::mem::take(&mut self.spin.disturbed);
        if let Some(turn) = &self.spin.turn
            && turn.start == self.pc
            && !disturbed
            && turn.regs.same(&self.regs)
        {
            let length = self.cycle - turn.cycle;
            self.cycle += limit.saturating_sub(self.cycle) / length.max(1) * length;
            self.spin.stop();
            return;
        }
        self.spin.turn = Some(Turn { start: self.pc, cycle: self.cycle, regs: self.regs.clone() });
    }

    /// Switches the skipping of waiting loops, which is on unless switched off. Results are the same either way.
    pub fn set_spin_skipping(&mut self, on: bool) {
        self.spin.disabled = !on;
        if !on {
            self.spin.stop();
        }
    }
}
