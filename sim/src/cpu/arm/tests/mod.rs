//! Small programs, assembled by hand, on a core with a little bus.

mod debugging;
mod exceptions;
mod idle;
mod incidents;
#[cfg(all(target_arch = "x86_64", unix))]
mod jit;
mod memory;
mod slicing;
mod thumb;

use super::config::{self, CoreConfig};
use super::{Core, Register};
use crate::bus::{BusFault, Size};
use crate::cpu::memory::{Kind, Memory};
use crate::cpu::{Mmio, MmioContext};

/// Where programs begin; the vector table is below.
pub(super) const CODE: u32 = 0x400;
pub(super) const RAM: u32 = 0x2000_0000;
/// Initial stack pointer.
pub(super) const STACK: u32 = RAM + 0x2000;
/// The bus's device.
pub(super) const DEVICE: u32 = 0x4000_0000;

/// A device with registers for everything that the contract with the core has.
#[derive(Debug, Default)]
pub(super) struct Device {
    /// DEVICE + 0: reads as written. Also keeps what was written, with the cycle.
    pub log: Vec<(u64, u32)>,
    /// When line 0 rises, periodically; 0: never. Written at DEVICE + 4 in cycles from now.
    pub alarm: u64,
    pub period: u64,
    /// DEVICE + 8 reads 1 from this cycle on; steady.
    pub ready_at: u64,
    pub reads: u64,
    /// The cycles at which it was told of a store to watched memory.
    pub told: Vec<u64>,
}

impl Device {
    fn schedule(&self, cx: &mut MmioContext<'_>) {
        for at in [self.alarm, self.ready_at] {
            if at > cx.cycle {
                *cx.deadline = (*cx.deadline).min(at);
            }
        }
    }
}

impl Mmio for Device {
    fn read(&mut self, cx: &mut MmioContext<'_>, address: u32, _: Size) -> Result<u32, BusFault> {
        self.reads += 1;
        match address.wrapping_sub(DEVICE) {
            0 => Ok(self.log.last().map_or(0, |entry| entry.1)),
            8 => {
                *cx.steady = true;
                Ok(u32::from(cx.cycle >= self.ready_at))
            }
            _ => Err(BusFault { address }),
        }
    }

    fn write(&mut self, cx: &mut MmioContext<'_>, address: u32, _: Size, value: u32) -> Result<(), BusFault> {
        match address.wrapping_sub(DEVICE) {
            0 => self.log.push((cx.cycle, value)),
            // Starts the alarm.
            4 => {
                self.period = value.into();
                self.alarm = cx.cycle + self.period;
            }
            // Busy for so many cycles.
            8 => self.ready_at = cx.cycle + u64::from(value),
            // Acknowledges the interrupt.
            0xC => cx.irq.set(0, false),
            0x10 => *cx.reset = true,
            0x14 => *cx.stall += u64::from(value),
            0x18 => *cx.flash_busy_until = cx.cycle + u64::from(value),
            // Does nothing.
            0x1C => *cx.steady = true,
            _ => return Err(BusFault { address }),
        }
        self.schedule(cx);
        Ok(())
    }

    fn event(&mut self, cx: &mut MmioContext<'_>) {
        if cx.memory.take_watched_store() {
            self.told.push(cx.cycle);
        }
        if self.alarm != 0 && cx.cycle >= self.alarm {
            cx.irq.set(0, true);
            self.alarm += self.period;
        }
        self.schedule(cx);
    }
}

/// A core, its device, and a program.
#[derive(Debug)]
pub(super) struct Bench {
    pub core: Core,
    pub device: Device,
}

impl Bench {
    /// `code` at [`CODE`] of the flash, every vector but reset at `CODE + 0x200`.
    pub fn new(config: CoreConfig, code: &[u16]) -> Bench {
        let mut memory = Memory::default();
        memory.add(Kind::Flash, 0, 0x1000, 0xFF);
        memory.add(Kind::Ram, RAM, 0x4000, 0);
        memory.write(0, Size::Word, STACK);
        for vector in 1..64 {
            memory.write(vector * 4, Size::Word, CODE + 0x200 + 1);
        }
        memory.write(4, Size::Word, CODE + 1);
        let mut bench = Bench { core: Core::new(config, memory), device: Device::default() };
        bench.place(CODE, code);
        bench
    }

    pub fn v6m(code: &[u16]) -> Bench {
        Bench::new(config::M0PLUS, code)
    }

    pub fn v7em(code: &[u16]) -> Bench {
        Bench::new(config::M4F, code)
    }

    /// Puts instructions at `address`.
    pub fn place(&mut self, address: u32, code: &[u16]) {
        for (at, half) in (address..).step_by(2).zip(code) {
            self.core.memory_mut().write(at, Size::Half, (*half).into());
        }
    }

    pub fn r(&self, index: u8) -> u32 {
        self.core.register(Register(index))
    }

    pub fn set(&mut self, index: u8, value: u32) {
        self.core.set_register(Register(index), value);
    }

    /// Executes `count` instructions or exception entries; a fault's entry belongs to the instruction.
    pub fn steps(&mut self, count: u32) -> &mut Bench {
        for _ in 0..count {
            self.core.step(&mut self.device);
        }
        self
    }

    pub fn word(&self, address: u32) -> u32 {
        self.core.memory().read(address, Size::Word).expect("memory")
    }

    pub fn read(&mut self, address: u32) -> u32 {
        self.core.debug_read(&mut self.device, address, Size::Word).expect("no bus fault")
    }

    pub fn write(&mut self, address: u32, value: u32) {
        self.core.debug_write(&mut self.device, address, Size::Word, value).expect("no bus fault");
    }
}
