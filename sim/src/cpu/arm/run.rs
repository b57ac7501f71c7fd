//! Running: what goes on between stretches of the inner loop.

use super::bus::Rights;
use super::faults::Fault;
use super::nvic::{HARD_FAULT, SV_CALL, SYS_TICK};
use super::scb::dfsr;
use super::{Core, State};
use crate::bus::{BusFault, Size};
use crate::cpu::memory::Kind;
use crate::cpu::{Mmio, Stop};

impl Core {
    /// Runs until the cycle count reaches `until` (the last instruction may go a little beyond), or until something
    /// happens that the chip has to know of. Running in slices gives exactly what running at once gives.
    pub fn run<M: Mmio>(&mut self, mmio: &mut M, until: u64) -> Stop {
        let stop = self.run_or_park(mmio, until);
        self.unpark();
        stop
    }

    /// Goes on for a while towards `until`, unless there is something to tell.
    pub(super) fn go_on<M: Mmio>(&mut self, mmio: &mut M, until: u64) -> Option<Stop> {
        let stop = self.prepare(mmio, until);
        match stop {
            None => self.advance(mmio, until),
            // What was raised just now ends a sleep now, and not with the next event.
            Some(_) if self.is_asleep() && self.wakes() => self.state = State::Running,
            Some(_) => {}
        }
        stop
    }

    /// Executes one instruction, or takes one exception, or (asleep, halted) lets one cycle pass.
    pub fn step<M: Mmio>(&mut self, mmio: &mut M) -> Stop {
        self.run(mmio, self.cycle + 1)
    }

    /// The cycle at which the core does anything if left alone: now while it runs, else the next event's.
    #[must_use]
    pub fn next_event(&self) -> u64 {
        let external = self.signals.deadline.max(self.cycle);
        match self.state {
            State::Running if self.stalled_until > self.cycle => external.min(self.stalled_until),
            State::Running => self.cycle,
            _ if self.debug.halt_untold || self.debug.locked_up => self.cycle,
            // Somebody raised something since the core last looked.
            _ if self.signals.irq.levels != self.nvic.levels || self.signals.send_event => self.cycle,
            _ => external.min(self.systick.next_event()),
        }
    }

    /// The next cycle at which something other than the core acts.
    pub(super) fn next_deadline(&self, until: u64) -> u64 {
        until.min(self.signals.deadline).min(self.systick.next_event())
    }

    /// Runs what is due at the present cycle.
    pub(super) fn pass_events<M: Mmio>(&mut self, mmio: &mut M) {
        while self.signals.deadline <= self.cycle {
            self.signals.deadline = u64::MAX;
            self.disturb();
            mmio.event(&mut self.context(false));
        }
        if self.systick.next_event() <= self.cycle && self.systick.pass(self.cycle) {
            self.disturb();
            self.pend(SYS_TICK);
        }
        self.sample_lines();
    }

    /// Takes over what the chip did to the core's lines.
    fn sample_lines(&mut self) {
        if self.signals.irq.levels != self.nvic.levels && self.nvic.sample(self.signals.irq.levels) {
            self.became_pending();
        }
        self.event |= std::mem::take(&mut self.signals.send_event);
        let stall = std::mem::take(&mut self.signals.stall);
        if stall != 0 {
            self.stalled_until = self.stalled_until.max(self.cycle) + stall;
        }
        self.notice_flash();
    }

    /// Brings the core to the point where it can execute an instruction or wait, or tells why not.
    fn prepare<M: Mmio>(&mut self, mmio: &mut M, until: u64) -> Option<Stop> {
        self.finish_reset();
        self.pass_events(mmio);
        let signals = &mut self.signals;
        if std::mem::take(&mut signals.reset) {
            return Some(Stop::Reset);
        }
        if self.debug.halt_requested && self.state != State::Halted {
            self.halt(dfsr::HALTED);
        }
        if std::mem::take(&mut self.debug.halt_untold) {
            return Some(Stop::Halted);
        }
        if std::mem::take(&mut self.debug.locked_up) {
            return Some(Stop::LockedUp);
        }
        if std::mem::take(&mut self.signals.yield_now) {
            return Some(Stop::Yielded);
        }
        (self.cycle >= until).then_some(Stop::Reached)
    }

    /// Executes for a while, or waits.
    pub(super) fn advance<M: Mmio>(&mut self, mmio: &mut M, until: u64) {
        if self.stalled_until > self.cycle {
            self.cycle = self.next_deadline(until).min(self.stalled_until);
            return;
        }
        let asleep = self.is_asleep() && !self.wakes();
        match self.state {
            State::Halted => {
                self.cycle = until.min(self.signals.deadline);
                return;
            }
            _ if asleep || (self.state == State::Lockup && self.exception_to_take().is_none()) => {
                let before = self.cycle;
                let wakes = self.next_deadline(until);
                self.spin.sleep(wakes.saturating_sub(before));
                self.jit.sleep(wakes.saturating_sub(before));
                self.cycle = wakes;
                self.note_idle(before);
                return;
            }
            _ => self.state = State::Running,
        }
        if let Some(exception) = self.exception_to_take() {
            let readable_at = self.vector_readable_at(exception);
            if readable_at > self.cycle {
                self.disturb_itself();
                self.stalled_until = readable_at;
                return;
            }
            self.take_exception(mmio);
            if self.debug.stepping {
                self.halt(dfsr::HALTED);
            }
            return;
        }
        self.execute_until(mmio, until);
    }

    /// Executes instructions until something wants attention.
    fn execute_until<M: Mmio>(&mut self, mmio: &mut M, until: u64) {
        let next_look = self.spin.next_look().min(self.jit.next_look());
        self.limit = self.next_deadline(until).min(next_look.max(self.cycle + 1));
        if self.debug.stepping {
            self.limit = 0;
        }
        let from = self.pc;
        self.interpret(mmio);
        self.sample();
        self.look_around();
        // A core that halted where it was has executed nothing.
        self.debug.retired |= self.pc != from || self.state != State::Halted;
        self.take_watchpoint();
        // A wait for the flash is part of the instruction to come.
        if self.debug.stepping && self.state != State::Halted && self.stalled_until <= self.cycle {
            // So is the entry to the handler of what the instruction itself raised.
            if let Some(exception @ HARD_FAULT..=SV_CALL) = self.exception_to_take()
                && self.vector_readable_at(exception) <= self.cycle
            {
                self.take_exception(mmio);
            }
            self.halt(dfsr::HALTED);
        }
    }

    fn is_asleep(&self) -> bool {
        matches!(self.state, State::WaitingForInterrupt | State::WaitingForEvent)
    }

    /// Whether a sleeping core wakes (B1.5.18, B1.5.19).
    fn wakes(&mut self) -> bool {
        let masked = self.debug.masks_interrupts();
        let Some(exception) = self.nvic.highest_pending(masked) else {
            return self.state == State::WaitingForEvent && std::mem::take(&mut self.event);
        };
        let priority = self.nvic.preemption_priority(exception);
        match self.state {
            // PRIMASK keeps an interrupt from being taken, not from waking.
            State::WaitingForInterrupt => {
                priority < self.nvic.execution_priority(false, self.regs.faultmask, self.regs.basepri)
            }
            _ => priority < self.execution_priority() || std::mem::take(&mut self.event),
        }
    }

    /// Fetches stack pointer and reset vector after a reset (B1.5.5).
    pub(super) fn finish_reset(&mut self) {
        if !std::mem::take(&mut self.scb.reset_pending) {
            return;
        }
        // VTOR is 0 after a reset, unless the chip gave the core other vectors since.
        let vector = |offset| self.memory.read(self.scb.vtor.wrapping_add(offset), Size::Word);
        match (vector(0), vector(4)) {
            (Some(sp), Some(pc)) => {
                self.regs.set_msp(sp);
                self.pc = pc & !1;
                self.regs.arm_state = pc & 1 == 0;
            }
            _ => {
                self.state = State::Lockup;
                self.debug.locked_up = true;
            }
        }
        if self.debug.catches_reset() {
            self.halt(dfsr::VCATCH);
        }
    }

    /// Reads as the debug port does: memory, registers of the core, peripherals. Time does not pass.
    ///
    /// # Errors
    /// [`BusFault`] where the bus answers with an error.
    pub fn debug_read<M: Mmio>(&mut self, mmio: &mut M, address: u32, size: Size) -> Result<u32, BusFault> {
        self.unpark();
        self.finish_reset();
        let address = address & !(size.bytes() - 1);
        self.load_aligned(mmio, address, size, Rights::DEBUGGER).map_err(|_| BusFault { address })
    }

    /// Writes as [`Core::debug_read`] reads. A store to flash goes to the chip, as the core's does.
    ///
    /// # Errors
    /// [`BusFault`] where the bus answers with an error.
    pub fn debug_write<M: Mmio>(&mut self, mmio: &mut M, address: u32, size: Size, value: u32) -> Result<(), BusFault> {
        self.unpark();
        self.finish_reset();
        let address = address & !(size.bytes() - 1);
        if self.memory.kind(address) == Some(Kind::Ram) {
            self.disturb();
            self.memory.write(address, size, value);
            if self.memory.has_watched_store() {
                self.watched_store();
            }
            return Ok(());
        }
        let result = self.store_aligned(mmio, address, size, value, Rights::DEBUGGER);
        self.attend();
        result.map_err(|fault| match fault {
            Fault::DataBus(address) => BusFault { address },
            _ => BusFault { address },
        })
    }
}
