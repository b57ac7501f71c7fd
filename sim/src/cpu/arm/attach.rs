//! A core together with what is on its bus, as an outside debugger drives it.

use super::{Core, Register, State};
use crate::bus::{BusFault, Size};
use crate::cpu::{Cpu, Mmio, Stop, Watch};

/// A core and its bus.
#[derive(Debug)]
pub struct Attached<'a, M> {
    core: &'a mut Core,
    mmio: &'a mut M,
}

impl Core {
    /// The core with its bus, for a debugger outside the chip.
    pub fn attach<'a, M: Mmio>(&'a mut self, mmio: &'a mut M) -> Attached<'a, M> {
        self.unpark();
        self.disturb();
        Attached { core: self, mmio }
    }
}

impl<M: Mmio> Cpu for Attached<'_, M> {
    fn cycle(&self) -> u64 {
        self.core.cycle()
    }

    fn register(&self, number: u8) -> u32 {
        self.core.register(Register(number))
    }

    fn set_register(&mut self, number: u8, value: u32) {
        self.core.set_register(Register(number), value);
    }

    fn read_memory(&mut self, address: u32, size: Size) -> Result<u32, BusFault> {
        self.core.debug_read(self.mmio, address, size)
    }

    fn write_memory(&mut self, address: u32, size: Size, value: u32) -> Result<(), BusFault> {
        self.core.debug_write(self.mmio, address, size, value)
    }

    fn set_observed(&mut self, observed: bool) {
        self.core.debug.observed = observed;
    }

    fn set_breakpoint(&mut self, address: u32, set: bool) {
        self.core.breakpoints.retain(|at| *at != address);
        if set {
            self.core.breakpoints.push(address);
        }
        self.core.breakpoints_changed();
    }

    fn set_watchpoint(&mut self, watch: Watch, set: bool) {
        self.core.watches.retain(|other| *other != watch);
        if set {
            self.core.watches.push(watch);
        }
        self.core.close_fast_windows();
    }

    fn watch_hit(&self) -> Option<Watch> {
        self.core.debug.watch_hit
    }

    fn halted(&self) -> bool {
        self.core.state() == State::Halted
    }

    fn halt(&mut self) {
        self.core.finish_reset();
        if self.core.state() != State::Halted {
            self.core.halt(super::scb::dfsr::HALTED);
        }
    }

    fn resume(&mut self, step: bool) {
        self.core.resume(step);
    }

    fn run(&mut self, until: u64) -> Stop {
        self.core.run(self.mmio, until)
    }

    fn pend_interrupt(&mut self, irq: u8) {
        self.core.pend(super::nvic::IRQ0 + u16::from(irq));
    }

    fn set_spin_skipping(&mut self, on: bool) {
        self.core.set_spin_skipping(on);
    }
}
