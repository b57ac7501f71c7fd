//! Data accesses: fast through the open windows, else one by one past everything that wants to see them.

use super::dwt::DataAccess;
use super::faults::Fault;
use super::{Core, Fast};
use crate::bus::{BusFault, Size};
use crate::cpu::memory::{Kind, Stored, Window};
use crate::cpu::{Mmio, MmioContext};

/// The peripheral region of the memory map (B3.1), in eighths of the address space.
const PERIPHERAL_REGION: u32 = 2;

/// Where a Cortex-M0+ has its single-cycle I/O port, if its chip wires one (Cortex-M0+ Technical Reference Manual, 3.5), in
/// thirty-seconds of the address space. Nothing of a core's own answers there.
const IO_PORT: u32 = 0x1F;

/// What an access is, beyond its address and size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rights {
    pub privileged: bool,
    /// The debug port makes the access: no MPU, no watchpoint, and registers answer as to a debugger.
    pub debugger: bool,
}

impl Rights {
    pub const DEBUGGER: Rights = Rights { privileged: true, debugger: true };
    pub const PRIVILEGED: Rights = Rights { privileged: true, debugger: false };
    pub const UNPRIVILEGED: Rights = Rights { privileged: false, debugger: false };
}

impl Core {
    /// What a peripheral sees of the core.
    #[inline(always)]
    pub(super) fn context(&mut self, debugger: bool) -> MmioContext<'_> {
        let signals = &mut self.signals;
        MmioContext {
            cycle: self.cycle,
            memory: &mut self.memory,
            irq: &mut signals.irq,
            deadline: &mut signals.deadline,
            stall: &mut signals.stall,
            steady: &mut signals.steady,
            yield_now: &mut signals.yield_now,
            reset: &mut signals.reset,
            send_event: &mut signals.send_event,
            flash_busy_until: &mut signals.flash_busy_until,
            debugger,
        }
    }

    /// Looks at what a peripheral did to the core's lines during an access.
    #[inline(always)]
    fn after_peripheral(&mut self) {
        let signals = &self.signals;
        let attention = signals.yield_now
            | signals.reset
            | signals.send_event
            | (signals.stall != 0)
            | (signals.irq.levels != self.nvic.levels)
            | (signals.deadline < self.limit)
            | (signals.flash_busy_until > self.cycle && signals.flash_busy_until != self.closed_until);
        if attention {
            self.attend();
        }
    }

    /// The current mode's rights.
    pub(super) fn rights(&self) -> Rights {
        Rights { privileged: self.regs.privileged(), debugger: false }
    }

    /// `N` naturally aligned bytes, if a window is open there.
    #[inline(always)]
    pub(super) fn fast_load<const N: usize>(&self, address: u32) -> Option<[u8; N]> {
        if N > 1 && address & (N as u32 - 1) != 0 {
            return None;
        }
        let at = match self.fast.ram.offset(address) {
            Some(at) => at,
            None => self.fast.flash.offset(address)?,
        };
        self.memory.load(at)
    }

    /// The same for a word that lies beside the program, which is mostly in flash.
    #[inline(always)]
    pub(super) fn fast_load_literal(&self, address: u32) -> Option<[u8; 4]> {
        match self.fast.flash.offset(address) {
            Some(at) if address & 3 == 0 => self.memory.load(at),
            _ => self.fast_load(address),
        }
    }

    /// Stores `N` naturally aligned bytes and tells whether a window was open there.
    #[inline(always)]
    pub(super) fn fast_store<const N: usize>(&mut self, address: u32, value: [u8; N]) -> bool {
        if N > 1 && address & (N as u32 - 1) != 0 {
            return false;
        }
        match self.fast.stores.offset(address) {
            Some(at) => match self.memory.store(at, value) {
                Stored::Done => true,
                Stored::Nowhere => false,
                Stored::Watched => {
                    self.watched_store();
                    true
                }
            },
            None => false,
        }
    }

    /// A store went to bytes that the chip watches: it is told after the instruction.
    #[cold]
    pub(super) fn watched_store(&mut self) {
        self.disturb_itself();
        self.signals.deadline = self.signals.deadline.min(self.cycle);
        self.attend();
    }

    /// Whether an aligned access goes straight to the chip.
    #[inline(always)]
    pub(super) fn straight_to_peripheral(&self, address: u32, size: Size) -> bool {
        self.fast.peripherals
            && (address >> 29 == PERIPHERAL_REGION || address >> 27 == IO_PORT)
            && address & (size.bytes() - 1) == 0
    }

    /// An access went to a peripheral: the next one may go straight there, if nobody wants to see it.
    fn open_peripherals(&mut self) {
        self.fast.peripherals =
            self.data_windows_may_open() && !self.config.bit_band && !self.memory.reaches_eighth(PERIPHERAL_REGION);
    }

    /// Sends every fetch and data access the slow way, until windows open again by themselves.
    pub(super) fn close_fast_windows(&mut self) {
        self.fast = Fast::CLOSED;
    }

    /// Closes the windows once if the flash has become busy: those to it stay closed until it answers again.
    pub(super) fn notice_flash(&mut self) {
        let until = if self.flash_busy() { self.signals.flash_busy_until } else { 0 };
        if self.closed_until != until {
            self.closed_until = until;
            if until != 0 {
                self.close_fast_windows();
            }
        }
    }

    pub(super) fn flash_busy(&self) -> bool {
        self.cycle < self.signals.flash_busy_until
    }

    pub(super) fn data_windows_may_open(&self) -> bool {
        !self.mpu.enabled() && !self.dwt.watches_data() && self.watches.is_empty()
    }

    /// MemA and MemU with the current mode's rights: a load that may be unaligned.
    pub(super) fn load<M: Mmio>(&mut self, mmio: &mut M, address: u32, size: Size) -> Result<u32, Fault> {
        let rights = self.rights();
        self.load_as(mmio, address, size, rights)
    }

    /// A load through an open window, of any size.
    #[inline(always)]
    fn fast_load_sized(&self, address: u32, size: Size) -> Option<u32> {
        match size {
            Size::Byte => self.fast_load(address).map(|[byte]| u32::from(byte)),
            Size::Half => self.fast_load(address).map(|bytes| u32::from(u16::from_le_bytes(bytes))),
            Size::Word => self.fast_load(address).map(u32::from_le_bytes),
        }
    }

    /// A store through an open window, of any size; false if there is none.
    #[inline(always)]
    fn fast_store_sized(&mut self, address: u32, size: Size, value: u32) -> bool {
        match size {
            Size::Byte => self.fast_store(address, [value as u8]),
            Size::Half => self.fast_store(address, (value as u16).to_le_bytes()),
            Size::Word => self.fast_store(address, value.to_le_bytes()),
        }
    }

    /// A load with other rights than the current mode's.
    pub(super) fn load_as<M: Mmio>(
        &mut self,
        mmio: &mut M,
        address: u32,
        size: Size,
        rights: Rights,
    ) -> Result<u32, Fault> {
        // While the MPU is on, which is who asks for rights, no window is open.
        if let Some(value) = self.fast_load_sized(address, size) {
            return Ok(value);
        }
        let bytes = size.bytes();
        if address & (bytes - 1) == 0 {
            return self.load_aligned(mmio, address, size, rights);
        }
        self.check_unaligned(address)?;
        let mut value = 0;
        for i in 0..bytes {
            value |= self.load_aligned(mmio, address.wrapping_add(i), Size::Byte, rights)? << (8 * i);
        }
        Ok(value)
    }

    /// MemA and MemU with the current mode's rights: a store that may be unaligned.
    pub(super) fn store<M: Mmio>(&mut self, mmio: &mut M, address: u32, size: Size, value: u32) -> Result<(), Fault> {
        let rights = self.rights();
        self.store_as(mmio, address, size, value, rights)
    }

    /// A store with other rights than the current mode's.
    pub(super) fn store_as<M: Mmio>(
        &mut self,
        mmio: &mut M,
        address: u32,
        size: Size,
        value: u32,
        rights: Rights,
    ) -> Result<(), Fault> {
        if self.fast_store_sized(address, size, value) {
            return Ok(());
        }
        let bytes = size.bytes();
        if address & (bytes - 1) == 0 {
            return self.store_aligned(mmio, address, size, value, rights);
        }
        self.check_unaligned(address)?;
        for i in 0..bytes {
            self.store_aligned(mmio, address.wrapping_add(i), Size::Byte, value >> (8 * i) & 0xFF, rights)?;
        }
        Ok(())
    }

    /// ARMv6-M has no unaligned accesses, ARMv7-M none to the private peripheral bus (A3.2.1).
    fn check_unaligned(&self, address: u32) -> Result<(), Fault> {
        if !self.config.v7() || self.scb.unalign_trap() || address >> 29 == 0b111 {
            return Err(Fault::Unaligned);
        }
        Ok(())
    }

    /// A naturally aligned load.
    pub(super) fn load_aligned<M: Mmio>(
        &mut self,
        mmio: &mut M,
        address: u32,
        size: Size,
        rights: Rights,
    ) -> Result<u32, Fault> {
        if self.mpu.enabled() && !rights.debugger && !self.mpu_allows_data(address, false, rights.privileged) {
            return Err(Fault::DataAccess(address));
        }
        let value = match self.memory.window(address) {
            Some(window) => {
                if window.kind == Kind::Flash && !rights.debugger && self.flash_busy() {
                    return Err(Fault::Wait);
                }
                if self.data_windows_may_open() {
                    match window.kind {
                        Kind::Ram => self.open_ram(window),
                        Kind::Flash if self.flash_busy() => {}
                        Kind::Flash => self.fast.flash = window,
                    }
                }
                self.memory.read(address, size).ok_or(Fault::DataBus(address))?
            }
            None if address >> 29 == 0b111 && address >> 27 != IO_PORT => match self.ppb_read(address, size, rights)? {
                Some(value) => value,
                None => self.peripheral_read(mmio, address, size, rights.debugger)?,
            },
            None => match self.bit_band(address, size) {
                Some((target, bit)) => self.load_aligned(mmio, target, size, rights)? >> bit & 1,
                None => {
                    self.open_peripherals();
                    self.peripheral_read(mmio, address, size, rights.debugger)?
                }
            },
        };
        self.watch(DataAccess { address, size, write: false, value }, rights);
        Ok(value)
    }

    /// A naturally aligned store.
    pub(super) fn store_aligned<M: Mmio>(
        &mut self,
        mmio: &mut M,
        address: u32,
        size: Size,
        value: u32,
        rights: Rights,
    ) -> Result<(), Fault> {
        if self.mpu.enabled() && !rights.debugger && !self.mpu_allows_data(address, true, rights.privileged) {
            return Err(Fault::DataAccess(address));
        }
        match self.memory.window(address) {
            Some(window) if window.kind == Kind::Ram => {
                if self.data_windows_may_open() {
                    self.open_ram(window);
                }
                if !self.store_in_ram(window, address, size, value) {
                    return Err(Fault::DataBus(address));
                }
                if self.memory.has_watched_store() {
                    self.watched_store();
                }
            }
            Some(_) => self.peripheral_write(mmio, address, size, value, rights.debugger)?,
            None if address >> 29 == 0b111 && address >> 27 != IO_PORT => {
                if !self.ppb_write(address, size, value, rights)? {
                    self.peripheral_write(mmio, address, size, value, rights.debugger)?;
                }
            }
            None => match self.bit_band(address, size) {
                Some((target, bit)) => {
                    let old = self.load_aligned(mmio, target, size, rights)?;
                    self.store_aligned(mmio, target, size, old & !(1 << bit) | (value & 1) << bit, rights)?;
                }
                None => {
                    self.open_peripherals();
                    self.peripheral_write(mmio, address, size, value, rights.debugger)?;
                }
            },
        }
        self.watch(DataAccess { address, size, write: true, value }, rights);
        Ok(())
    }

    /// Loads from `window` go straight there from now on; stores do if they need to leave no trail.
    fn open_ram(&mut self, window: Window) {
        self.fast.ram = window;
        if !self.spin.watching() {
            self.fast.stores = window;
        }
    }

    /// An aligned store to RAM; false if it crosses the window's end.
    fn store_in_ram(&mut self, window: Window, address: u32, size: Size, value: u32) -> bool {
        if !self.spin.watching() {
            return self.memory.write(address, size, value);
        }
        let Some(at) = window.offset(address & !3) else { return false };
        let before = self.memory.word(at);
        let written = self.memory.write(address, size, value);
        if !self.spin.note_store(at, before, self.memory.word(at)) {
            self.disturb_itself();
        }
        written
    }

    /// Shows an access to the watchpoint comparators.
    fn watch(&mut self, access: DataAccess, rights: Rights) {
        if rights.debugger {
            return;
        }
        let outside = self.watches.iter().find(|watch| watch.matches(access.address, access.size, access.write));
        if let Some(watch) = outside {
            self.debug.watch_hit = Some(*watch);
        }
        if outside.is_some() || (self.dwt.watches_data() && self.dwt.access(&access)) {
            self.watchpoint_hit();
        }
    }

    /// The word or half-word or byte, and the bit in it, that a bit-band alias address stands for (B3.1.1).
    fn bit_band(&self, address: u32, size: Size) -> Option<(u32, u32)> {
        if !self.config.bit_band || !matches!(address >> 25, 0x11 | 0x21) {
            return None;
        }
        let bit = address >> 2 & 0x7F_FFFF;
        let width = size.bytes() * 8;
        Some(((address & 0xE000_0000) + bit / width * size.bytes(), bit % width))
    }

    #[inline(always)]
    pub(super) fn peripheral_read<M: Mmio>(
        &mut self,
        mmio: &mut M,
        address: u32,
        size: Size,
        debugger: bool,
    ) -> Result<u32, BusFault> {
        self.signals.steady = false;
        let result = mmio.read(&mut self.context(debugger), address, size);
        if !debugger {
            if self.signals.steady {
                self.saw_steady_read(result.unwrap_or(0));
            } else {
                self.disturb_itself();
            }
        }
        self.after_peripheral();
        result
    }

    #[inline(always)]
    pub(super) fn peripheral_write<M: Mmio>(
        &mut self,
        mmio: &mut M,
        address: u32,
        size: Size,
        value: u32,
        debugger: bool,
    ) -> Result<(), BusFault> {
        self.signals.steady = false;
        let result = mmio.write(&mut self.context(debugger), address, size, value);
        if !self.signals.steady {
            self.disturb_itself();
        }
        self.after_peripheral();
        result
    }
}
