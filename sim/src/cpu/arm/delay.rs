//! Delay loops: `subs r0, #n` and a conditional branch back to it.
//!
//! Vendors' libraries wait for microseconds in them. What so many turns do is known beforehand, so they pass at once,
//! up to the next thing that wants attention; cycles, counter and flags are as if each had been executed.

use super::Core;
use super::op::{Op, kind};

const NE: usize = 1;
const CS: usize = 2;
const PL: usize = 5;
const HI: usize = 8;
const GE: usize = 10;
const GT: usize = 12;

impl Core {
    /// `B_BACK`: a conditional branch to the half-word before it.
    pub(super) fn branch_back(&mut self, op: Op) -> u32 {
        if !self.regs.flags.pass(op.b() as u32) {
            return 1;
        }
        let taken = u32::from(self.config.timing.branch);
        self.pc = self.regs.r[15].wrapping_sub(6);
        if let Some(counting) = self.counting() {
            self.pass_turns(counting, op.b(), taken);
        }
        taken
    }

    /// The instruction at the PC, if it is a decoded `SUBS Rdn, #imm` of 16 bits that nobody wants to see fetched.
    fn counting(&self) -> Option<Op> {
        let op = self.jit.instruction(Op(self.memory.slot(self.fast.fetch.offset(self.pc)?.into())));
        (op.kind() == kind::SUBS_IMM && op.len() == 2 && op.a() == op.b()).then_some(op)
    }

    /// Lets turns pass whose branch is taken for sure: as long as the counter stays above zero.
    fn pass_turns(&mut self, counting: Op, condition: usize, taken: u32) {
        let (count, step) = (self.regs.r[counting.a()], counting.imm());
        let goes_on = match condition {
            NE | CS | HI => true,
            // Signed comparisons, away from the overflow.
            PL | GE | GT => count <= i32::MAX as u32,
            _ => false,
        };
        if !goes_on || step == 0 || count == 0 {
            return;
        }
        let turn = u64::from(1 + taken);
        let room = self.limit.saturating_sub(self.cycle + u64::from(taken)) / turn;
        let turns = u64::from((count - 1) / step).min(room) as u32;
        if turns == 0 {
            return;
        }
        let before = count - (turns - 1) * step;
        let after = before - step;
        self.regs.r[counting.a()] = after;
        let flags = &mut self.regs.flags;
        flags.set_nz(after);
        flags.c = true;
        flags.v = (before ^ step) & (before ^ after);
        self.cycle += u64::from(turns) * turn;
    }
}
