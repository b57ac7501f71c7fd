//! The core's side of a session: what GDB has set, and why the core stands still.

use std::sync::mpsc::Sender;

use gdbstub::target::ext::breakpoints::WatchKind;

use super::arch::{Place, RegisterSet};
use crate::bus::Size;
use crate::cpu::{Cpu, Watch};

/// Why a core stands still.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Halted {
    /// The one instruction that was to be executed was.
    Step,
    /// A watchpoint matched; the PC is past the access.
    Watchpoint {
        /// The watched address.
        address: u32,
        /// What was watched for.
        kind: WatchKind,
    },
    /// A breakpoint, a BKPT instruction, a vector catch, or a debugger at the chip's debug port.
    Other,
}

/// Debug Fault Status Register (ARM DDI 0403E, C1.6.1): why the core halted; writing a one clears a bit.
const DFSR: u32 = 0xE000_ED30;
const DFSR_DWTTRAP: u32 = 1 << 2;
/// Application Interrupt and Reset Control Register (B3.2.6), and what requests a reset of the chip there.
const AIRCR: u32 = 0xE000_ED0C;
const SYSRESETREQ: u32 = 0x05FA_0004;
/// CPUID; its PARTNO is 0xC2x or 0xC6x on ARMv6-M.
const CPUID: u32 = 0xE000_ED00;
/// Media and VFP Feature Register 0; zero without an FPU.
const MVFR0: u32 = 0xE000_EF40;
/// Where the first instruction's address is after a reset (B1.5.3).
const RESET_VECTOR: u32 = 4;

/// What there is of a session on the core's side.
#[derive(Debug, Default)]
pub struct Session {
    /// Where to send the notice that the core halted, if GDB waits for one.
    notice: Option<Sender<Halted>>,
    stepping: bool,
    breakpoints: Vec<u32>,
    watchpoints: Vec<(Watch, WatchKind)>,
    /// The breakpoint at which the core halts when it comes out of reset.
    reset_catch: Option<u32>,
}

impl Session {
    /// GDB comes: the core halts.
    pub fn begin(&mut self, cpu: &mut dyn Cpu) -> RegisterSet {
        cpu.set_observed(true);
        cpu.halt();
        let part = cpu.read_memory(CPUID, Size::Word).unwrap_or(0) >> 4 & 0xFFF;
        let fpu = cpu.read_memory(MVFR0, Size::Word).unwrap_or(0) != 0;
        RegisterSet { v7: !matches!(part, 0xC20 | 0xC60), fpu }
    }

    /// GDB goes: what it set is cleared, and the core runs.
    pub fn end(&mut self, cpu: &mut dyn Cpu) {
        let session = std::mem::take(self);
        for address in session.breakpoints.into_iter().chain(session.reset_catch) {
            cpu.set_breakpoint(address, false);
        }
        for (watch, _) in session.watchpoints {
            cpu.set_watchpoint(watch, false);
        }
        cpu.set_observed(false);
        if cpu.halted() {
            cpu.resume(false);
        }
    }

    /// Lets the core go; GDB waits for `notice`.
    pub fn go(&mut self, cpu: &mut dyn Cpu, step: bool, notice: Sender<Halted>) {
        self.notice = Some(notice);
        self.stepping = step;
        // So that the next reason is the next halt's. Every core has the register.
        let _ = cpu.write_memory(DFSR, Size::Word, DFSR_DWTTRAP);
        cpu.resume(step);
    }

    /// Ctrl-C: GDB no longer waits.
    pub fn stop(&mut self, cpu: &mut dyn Cpu) {
        self.notice = None;
        cpu.halt();
    }

    /// Tells GDB if the core has halted since it was let go.
    pub fn look(&mut self, cpu: &mut dyn Cpu) {
        if !cpu.halted() {
            return;
        }
        if let Some(address) = self.reset_catch.take().filter(|address| !self.breakpoints.contains(address)) {
            cpu.set_breakpoint(address, false);
        }
        if let Some(notice) = self.notice.take() {
            // If the session is over, nobody needs to know.
            let _ = notice.send(self.reason(cpu));
        }
    }

    fn reason(&self, cpu: &mut dyn Cpu) -> Halted {
        let trapped = cpu.read_memory(DFSR, Size::Word).unwrap_or(0) & DFSR_DWTTRAP != 0;
        let hit = cpu.watch_hit().filter(|_| trapped);
        let known = hit.and_then(|hit| self.watchpoints.iter().find(|(watch, _)| *watch == hit));
        match known {
            Some((watch, kind)) => Halted::Watchpoint { address: watch.address, kind: *kind },
            None if self.stepping => Halted::Step,
            None => Halted::Other,
        }
    }

    /// Sets or clears a breakpoint.
    pub fn breakpoint(&mut self, cpu: &mut dyn Cpu, address: u32, set: bool) {
        self.breakpoints.retain(|known| *known != address);
        if set {
            self.breakpoints.push(address);
        }
        cpu.set_breakpoint(address, set);
    }

    /// Sets or clears a watchpoint.
    pub fn watchpoint(&mut self, cpu: &mut dyn Cpu, address: u32, len: u32, kind: WatchKind, set: bool) {
        let watch = Watch { address, len, read: kind != WatchKind::Write, write: kind != WatchKind::Read };
        self.watchpoints.retain(|known| *known != (watch, kind));
        if set {
            self.watchpoints.push((watch, kind));
        }
        cpu.set_watchpoint(watch, set);
    }

    /// Requests a reset of the chip, which happens when time goes on; the core then halts before its first instruction,
    /// and GDB, which waits for `notice`, is told.
    pub fn reset(&mut self, cpu: &mut dyn Cpu, notice: Sender<Halted>) {
        if let Ok(vector) = cpu.read_memory(RESET_VECTOR, Size::Word) {
            let address = vector & !1;
            self.reset_catch = Some(address);
            cpu.set_breakpoint(address, true);
        }
        self.go(cpu, false, notice);
        // Every core has the register.
        let _ = cpu.write_memory(AIRCR, Size::Word, SYSRESETREQ);
    }
}

/// Reads a register as it goes over the wire.
pub fn read_place(cpu: &dyn Cpu, place: Place, bytes: &mut Vec<u8>) {
    let value = cpu.register(place.register());
    match place {
        Place::Whole(_) => bytes.extend(value.to_le_bytes()),
        Place::SpecialByte(shift) => bytes.extend((value >> shift & 0xFF).to_le_bytes()),
        Place::Pair(register) => {
            bytes.extend(value.to_le_bytes());
            bytes.extend(cpu.register(register + 1).to_le_bytes());
        }
    }
}

/// Writes a register as it came over the wire; bytes that are missing change nothing.
pub fn write_place(cpu: &mut dyn Cpu, place: Place, bytes: &[u8]) {
    let word = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes));
    let Some(value) = word(0) else { return };
    match place {
        Place::Whole(register) => cpu.set_register(register, value),
        Place::SpecialByte(shift) => {
            let others = cpu.register(place.register()) & !(0xFF << shift);
            cpu.set_register(place.register(), others | (value & 0xFF) << shift);
        }
        Place::Pair(register) => {
            cpu.set_register(register, value);
            if let Some(high) = word(4) {
                cpu.set_register(register + 1, high);
            }
        }
    }
}

/// The widest aligned access that `len` bytes at `address` allow: registers of peripherals want to be accessed whole.
fn access_size(address: u32, len: usize) -> Size {
    match (address & 3, len) {
        (0, 4..) => Size::Word,
        (0 | 2, 2..) => Size::Half,
        _ => Size::Byte,
    }
}

/// Reads up to `len` bytes; fewer if there is an error on the way.
pub fn read_bytes(cpu: &mut dyn Cpu, address: u32, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let at = address.wrapping_add(bytes.len() as u32);
        let size = access_size(at, len - bytes.len());
        let Ok(value) = cpu.read_memory(at, size) else { break };
        bytes.extend(&value.to_le_bytes()[..size.bytes() as usize]);
    }
    bytes
}

/// Writes bytes; false if there is an error on the way.
pub fn write_bytes(cpu: &mut dyn Cpu, address: u32, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut at = address;
    while !rest.is_empty() {
        let size = access_size(at, rest.len());
        let (head, tail) = rest.split_at(size.bytes() as usize);
        let mut word = [0; 4];
        word[..head.len()].copy_from_slice(head);
        if cpu.write_memory(at, size, u32::from_le_bytes(word)).is_err() {
            return false;
        }
        at = at.wrapping_add(size.bytes());
        rest = tail;
    }
    true
}
