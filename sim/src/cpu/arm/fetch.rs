//! Instruction fetch: the decode cache, breakpoints, and everything that keeps the fetch window closed.

use super::Core;
use super::decode::{decode16, is_wide, undefined};
use super::decode32::decode32;
use super::faults::Fault;
use super::op::{Op, kind};
use super::registers::it_advanced;
use crate::cpu::memory::{Kind, Window};

impl Core {
    /// Closes the fetch window if something wants to see the fetches; it opens again on the next one that may.
    pub(super) fn reconsider_fetch(&mut self) {
        self.fast.fetch = Window::EMPTY;
    }

    /// The instruction at the PC, decoded if need be. `None`: it is not to be executed, and why has been dealt with.
    fn fetch_slow(&mut self) -> Option<Op> {
        match self.try_fetch() {
            Ok(op) => op,
            Err(fault) => {
                self.fault(fault);
                None
            }
        }
    }

    fn try_fetch(&mut self) -> Result<Option<Op>, Fault> {
        let pc = self.pc;
        if self.regs.arm_state {
            return Err(Fault::InvalidState);
        }
        if !self.mpu_allows_fetch(pc) {
            return Err(Fault::FetchAccess);
        }
        let window = self.memory.window(pc).ok_or(Fault::FetchBus)?;
        if window.kind == Kind::Flash && self.flash_busy() {
            return Err(Fault::Wait);
        }
        if self.breakpoint_at(pc) {
            return Ok(None);
        }
        if self.dwt.watches_instructions() {
            if self.dwt.instruction(pc) {
                self.watchpoint_hit();
            }
        } else if !self.mpu.enabled() {
            self.fast.fetch = window;
        }
        let at = window.start.wrapping_add(pc.wrapping_sub(window.base));
        if self.at_mark(at) {
            return Ok(None);
        }
        let in_it = self.regs.itstate != 0;
        let cached = self.jit.instruction(Op(self.memory.slot(at.into())));
        let usable = !matches!(cached.kind(), kind::UNDECODED | kind::BREAK);
        if usable && in_it == (cached.kind() == kind::IT_BODY) {
            return Ok(Some(cached));
        }
        let op = self.decode(window, pc, in_it)?;
        // A place that somebody wants to know of.
        let breaks = self.memory.aliases(at).any(|address| self.is_breakpoint(address)) || self.spin.marks(at);
        self.memory.set_slot(at, if breaks { Op::BREAK.0 } else { op.0 });
        Ok(Some(op))
    }

    pub(super) fn decode(&self, window: Window, pc: u32, in_it: bool) -> Result<Op, Fault> {
        let half = |address: u32| {
            let at = window.offset(address)?;
            self.memory.load(at).map(|bytes| u32::from(u16::from_le_bytes(bytes)))
        };
        let first = half(pc).ok_or(Fault::FetchBus)?;
        let op = if is_wide(first) {
            let second = half(pc.wrapping_add(2)).ok_or(Fault::FetchBus)?;
            decode32(&self.config, first, second)
        } else {
            decode16(&self.config, first, in_it)
        };
        // The inner kind of an instruction in an IT block has no room for one that is not decoded.
        let op = if op.kind() == kind::UNDECODED { undefined(first, 2) } else { op };
        Ok(if in_it { op.inside_it() } else { op })
    }

    /// IT (A7.7.37); the block's first instruction is at `next`.
    // Not inlined: what this needs would otherwise be computed for every instruction of the inner loop.
    #[inline(never)]
    pub(super) fn begin_it(&mut self, itstate: u8, next: u32) {
        self.regs.itstate = itstate;
        self.prepare_it(next);
    }

    /// What is to be executed at the PC where the cache has nothing that can be executed as it stands: it is not decoded
    /// yet, perhaps a breakpoint, or not what it was decoded for. `None`: nothing, and why has been dealt with.
    #[inline(never)]
    pub(super) fn resolve(&mut self) -> Option<Op> {
        let op = self.fetch_slow()?;
        Some(if op.kind() == kind::IT_BODY { self.inside_it(op) } else { op })
    }

    /// What is to be executed where the cache has `op`, which is inside an IT block, and so is the PC.
    #[inline(always)]
    pub(super) fn inside_it(&mut self, op: Op) -> Op {
        let it = self.regs.itstate;
        self.regs.it_executed = it;
        self.regs.itstate = it_advanced(it);
        if self.regs.itstate != 0 {
            self.prepare_it(self.pc.wrapping_add(op.len()));
        }
        if !self.regs.flags.pass(u32::from(it >> 4)) {
            return Op::new(kind::NOP, op.len());
        }
        op.unwrapped().with_it_after(self.regs.itstate)
    }

    /// Makes sure that the instruction at `pc`, which lies in an IT block, is not taken for one outside.
    pub(super) fn prepare_it(&mut self, pc: u32) {
        if let Some(at) = self.fast.fetch.offset(pc)
            && Op(self.memory.slot(at.into())).kind() != kind::IT_BODY
        {
            self.memory.clear_slot(at);
        }
    }

    /// Whether a comparator or an outside debugger wants a halt before the instruction at `address`.
    pub(super) fn is_breakpoint(&self, address: u32) -> bool {
        self.breakpoints.contains(&address) || self.fpb.is_breakpoint(address)
    }

    /// Breakpoints changed: what was decoded may have to break now, or no more.
    pub(super) fn breakpoints_changed(&mut self) {
        self.memory.forget_all_decoded();
        self.jit.forget();
        self.attend();
    }
}
