//! Translation of hot code to code of the host.
//!
//! What a program executes often in flash is translated *block* by block ([`block`]): up to some dozens of instructions
//! along unconditional branches and calls, with ways out where a condition may lead elsewhere. A block keeps registers,
//! flags and cycles exactly as the interpreter would; what it cannot do through the open windows ([`access`]) or has not
//! learned ([`data`]) is done by the interpreter's own functions ([`aside`]), one instruction at a time. Blocks lead to
//! each other without coming back here.
//!
//! Nothing of this can be seen but the time it takes: a block is executed only if the limit lies behind the beginning of its
//! last instruction, while windows are open and nobody looks at single instructions. Everything else, and all code in RAM,
//! is the interpreter's.
//!
//! A block begins where an operation of its own ([`kind::COMPILED`]) lies in the cache of decoded instructions. Such places
//! are found by counting: where the interpreter stops for an event, and where blocks lead to that are not translated yet.

mod access;
mod aside;
mod block;
mod code;
mod data;
mod emit;

use super::op::{Op, kind};
use super::{Core, Window};
use crate::cpu::Mmio;
use crate::cpu::memory::Kind;
use code::{AT_PC, BRANCHED, Code, ENTRIES, LATE, LINKS, Links};
use emit::Emitter;

/// How often a place must be seen before it is translated. What translating costs must come back.
const HOT: u16 = 24;
/// What a sample of the interpreter counts: there are few of them.
const SAMPLE: u16 = 6;
/// How much hotter than that a place in the middle of a block must be to become the beginning of another one.
const MIDDLE: u16 = 8;
/// Cycles from one sample to the next at least, and while they only show what is translated.
const PAUSE: u64 = 1 << 10;
const LONGEST_PAUSE: u64 = 1 << 16;
/// Places whose visits are counted.
const PLACES: usize = 1024;

/// A place where a block begins.
#[derive(Clone, Copy, Debug)]
struct Entry {
    pc: u32,
    /// Its place in the memory's arena, and the instruction there.
    at: u32,
    op: u64,
    /// Cycles before the block's last instruction.
    cycles: u16,
}

/// A way out of a block.
#[derive(Clone, Copy, Debug)]
struct Link {
    target: u32,
    visits: u16,
}

/// What is translated.
#[derive(Debug)]
pub(super) struct Jit {
    /// `None` before the first block, and if there is no executable memory.
    code: Option<Code>,
    links: Links,
    ways: Vec<Link>,
    entries: Vec<Entry>,
    /// Half-words of the flash at which a block has an instruction, a bit for each.
    covered: Vec<u64>,
    /// Code addresses of the entries. Translated code knows where they are: they never move.
    addresses: Vec<u64>,
    /// What the blocks were made for: the flash's contents and window, and the window of RAM.
    flash_changes: u64,
    flash: Window,
    ram: Window,
    /// Blocks are not to be used any more; their operations may be gone from the cache.
    forgotten: bool,
    /// When the interpreter is to stop for a sample next, and how long after the one before.
    next_look: u64,
    pause: u64,
    /// The PC and how often it was seen.
    places: Vec<(u32, u16)>,
    /// Visits that make a place hot: [`HOT`], but in tests.
    pub hot: u16,
    /// Cycles that translated code took.
    pub executed: u64,
    pub disabled: bool,
}

impl Default for Jit {
    /// Nothing is translated. Everything but executable memory is allocated here.
    fn default() -> Jit {
        Jit {
            code: None,
            links: Links::new(),
            ways: Vec::with_capacity(LINKS),
            entries: Vec::with_capacity(ENTRIES),
            covered: Vec::new(),
            addresses: Vec::with_capacity(ENTRIES),
            flash_changes: 0,
            flash: Window::EMPTY,
            ram: Window::EMPTY,
            forgotten: false,
            next_look: 0,
            pause: PAUSE,
            places: vec![(u32::MAX, 0); PLACES],
            hot: HOT,
            executed: 0,
            disabled: false,
        }
    }
}

impl Jit {
    /// `op`, or the instruction that is there if a block begins there.
    pub fn instruction(&self, op: Op) -> Op {
        if op.kind() != kind::COMPILED {
            return op;
        }
        self.entries.get(number(op)).map_or(op, |entry| Op(entry.op))
    }

    /// When the interpreter is to stop for a sample.
    #[inline]
    pub fn next_look(&self) -> u64 {
        if self.disabled { u64::MAX } else { self.next_look }
    }

    /// The core slept for so many cycles: that is no program to look at.
    pub fn sleep(&mut self, cycles: u64) {
        self.next_look = self.next_look.saturating_add(cycles);
    }

    /// Forgets all blocks, whose operations are gone from the cache.
    pub fn forget(&mut self) {
        self.forgotten = true;
    }

    /// The operation where the entry `index` begins.
    fn operation(&self, index: usize) -> Op {
        Op::compiled(index as u16, self.entries[index].cycles)
    }

    /// The word of `covered` for `pc`, and the bit in it.
    fn bit(&self, pc: u32) -> (usize, u64) {
        let half = pc.wrapping_sub(self.flash.base) as usize / 2;
        (half / 64, 1 << (half % 64))
    }

    fn cover(&mut self, pc: u32) {
        let (word, bit) = self.bit(pc);
        if let Some(word) = self.covered.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether a block has the instruction at `pc`.
    fn covers(&self, pc: u32) -> bool {
        let (word, bit) = self.bit(pc);
        self.covered.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Notes that the program came to `pc`; true if it is hot now, which takes a count of `hot`.
    fn visit(&mut self, pc: u32, count: u16, hot: u16) -> bool {
        let place = &mut self.places[(pc >> 1) as usize % PLACES];
        if place.0 != pc {
            *place = (pc, 0);
        }
        place.1 = place.1.saturating_add(count);
        let hot = place.1 >= hot;
        if hot {
            place.1 = 0;
        }
        hot
    }
}

/// Which entry an operation is of.
fn number(op: Op) -> usize {
    (op.imm() & 0xFFFF) as usize
}

impl Core {
    /// A block begins at the PC, whose operation is `op`. True if it, or some of it, was executed.
    #[inline(never)]
    pub(super) fn run_translated<M: Mmio>(&mut self, mmio: &mut M, op: Op) -> bool {
        let index = number(op);
        if !self.entry_is_here(index) {
            return false;
        }
        let began = self.cycle;
        let mut block = self.jit.addresses[index];
        let bus = std::ptr::from_mut(mmio) as u64;
        let Jit { links, addresses, ram, flash, .. } = &mut self.jit;
        links.prepare(&mut self.memory, *ram, *flash, addresses, aside::aside::<M> as *const () as u64, bus);
        let executed = loop {
            let Some(enter) = self.jit.code.as_ref().map(Code::way_in) else { return false };
            let links = self.jit.links.as_ptr();
            // SAFETY: `entry_is_here` and `translated_is_valid` say that block and windows are as they were when the block
            // was made, and `prepare` that their addresses are those of this core's memory, which is not moved as long as
            // the core is not. `mmio` is not used otherwise meanwhile.
            let answer = unsafe { enter(std::ptr::from_mut(self), links, block) };
            match self.follow(answer) {
                Some(next) => block = next,
                // A first instruction that faults takes no time either.
                None => break answer != LATE || self.cycle != began,
            }
        };
        if self.regs.itstate != 0 {
            self.prepare_it(self.pc);
        }
        self.jit.executed += self.cycle - began;
        executed
    }

    /// Translated code came to an end with `answer`. The block that it goes on with, if that was just translated.
    fn follow(&mut self, answer: u32) -> Option<u64> {
        let hot = match answer {
            AT_PC | LATE => return None,
            BRANCHED => self.jit.visit(self.pc, 1, self.jit.hot),
            number => {
                let way = &mut self.jit.ways[number as usize];
                self.pc = way.target;
                way.visits = way.visits.saturating_add(1);
                let hot = way.visits >= self.jit.hot;
                if hot {
                    way.visits = 0;
                }
                hot
            }
        };
        if !hot || self.cycle >= self.limit || !self.translated_is_valid() {
            return None;
        }
        self.translate(self.pc)
    }

    /// Whether the entry `index` begins at the PC and may be used.
    fn entry_is_here(&mut self, index: usize) -> bool {
        if self.jit.flash_changes != self.memory.flash_changes() || self.jit.forgotten {
            self.close_entries();
            return false;
        }
        if self.jit.disabled {
            return false;
        }
        self.open_windows();
        let Jit { ram, flash, entries, .. } = &self.jit;
        // Translated code takes the offset in a window for aligned if the address is.
        let aligned = (flash.len | flash.base | ram.len | ram.base) & 3 == 0;
        aligned && entries.get(index).is_some_and(|entry| entry.pc == self.pc) && self.translated_is_valid()
    }

    /// The interpreter stopped at the PC for some event, or because it was time to.
    #[inline]
    pub(super) fn sample(&mut self) {
        if self.cycle >= self.jit.next_look {
            self.jit.pause = if self.jit.covers(self.pc) { (self.jit.pause * 2).min(LONGEST_PAUSE) } else { PAUSE };
            self.jit.next_look = self.cycle + self.jit.pause;
        }
        let fetch = &self.fast.fetch;
        if fetch.kind != Kind::Flash || fetch.offset(self.pc).is_none() || self.jit.disabled {
            return;
        }
        // In the middle of a block only where it mostly stops, after a peripheral that wants attention perhaps.
        let hot = self.jit.hot;
        let (count, hot) = if self.jit.covers(self.pc) { (1, hot.saturating_mul(MIDDLE)) } else { (SAMPLE, hot) };
        if self.jit.visit(self.pc, count, hot) {
            self.consider();
        }
    }

    #[cold]
    fn consider(&mut self) {
        if self.regs.itstate != 0 {
            return;
        }
        // Blocks of one window at a time: there is rarely another one that programs are executed from.
        let moved = !self.jit.flash.is(&self.fast.fetch);
        if moved || self.jit.forgotten || self.jit.flash_changes != self.memory.flash_changes() {
            self.close_entries();
            self.jit.flash = self.fast.fetch;
            self.jit.covered.resize(self.jit.flash.len as usize / 128 + 1, 0);
        }
        self.open_windows();
        if self.translated_is_valid() {
            self.translate(self.pc);
        }
    }

    /// Opens the flash for loads, as the first of them would, and takes over which RAM is open: code does not depend on that.
    fn open_windows(&mut self) {
        if self.data_windows_may_open() && !self.flash_busy() {
            self.fast.flash = self.jit.flash;
        }
        self.jit.ram = self.fast.ram;
    }

    /// Translates what begins at `pc`, and gives its address.
    fn translate(&mut self, pc: u32) -> Option<u64> {
        let at = self.jit.flash.offset(pc)?;
        let there = Op(self.memory.slot(at.into()));
        if there.kind() == kind::COMPILED {
            return self.jit.addresses.get(number(there)).copied();
        }
        if let Some(index) = self.restore_entry(at) {
            return self.jit.addresses.get(index).copied();
        }
        let block = self.block(pc);
        let op = block.instructions.first()?.op;
        let first_link = self.jit.ways.len();
        let emitter = Emitter::new(&self.config.timing, &self.memory, self.jit.flash, first_link);
        let translated = emitter.translate(&block)?;
        if self.jit.code.is_none() {
            self.jit.code = Code::new(&mut self.jit.links).ok();
        }
        self.jit.disabled |= self.jit.code.is_none();
        let code = self.jit.code.as_mut()?;
        let room = code.has_room() && first_link + translated.links.len() <= LINKS && self.jit.entries.len() < ENTRIES;
        if !room {
            self.close_entries();
            return None;
        }
        let Ok(address) = code.add(&translated.code) else {
            self.close_entries();
            self.jit.disabled = true;
            return None;
        };
        for (number, &target) in (first_link..).zip(&translated.links) {
            self.jit.ways.push(Link { target, visits: 0 });
            let block = self.entry_at(target).map_or(self.jit.links.leave(), |entry| self.jit.addresses[entry]);
            self.jit.links.set_link(number, block);
        }
        block.instructions.iter().for_each(|instruction| self.jit.cover(instruction.pc));
        self.jit.entries.push(Entry { pc, at, op: op.0, cycles: translated.cycles as u16 });
        self.memory.set_slot(at, self.jit.operation(self.jit.entries.len() - 1).0);
        self.jit.addresses.push(address);
        let Jit { ways, links, .. } = &mut self.jit;
        for (number, _) in ways.iter().enumerate().filter(|(_, way)| way.target == pc) {
            links.set_link(number, address);
        }
        Some(address)
    }

    /// Puts the operation of the entry at arena offset `at` back, which was lost to somebody's mark there.
    pub(super) fn restore_entry(&mut self, at: u32) -> Option<usize> {
        let index = self.jit.entries.iter().position(|entry| entry.at == at)?;
        if self.jit.forgotten || self.jit.flash_changes != self.memory.flash_changes() {
            return None;
        }
        self.memory.set_slot(at, self.jit.operation(index).0);
        Some(index)
    }

    /// The entry that begins at `pc`.
    fn entry_at(&self, pc: u32) -> Option<usize> {
        let op = Op(self.memory.slot(self.jit.flash.offset(pc)?.into()));
        (op.kind() == kind::COMPILED).then_some(number(op))
    }

    /// Gives all instructions where blocks begin their places back, and begins anew.
    pub(super) fn close_entries(&mut self) {
        for (index, entry) in self.jit.entries.iter().enumerate() {
            if Op(self.memory.slot(entry.at.into())) == self.jit.operation(index) {
                self.memory.set_slot(entry.at, entry.op);
            }
        }
        let jit = &mut self.jit;
        jit.entries.clear();
        jit.addresses.clear();
        jit.covered.fill(0);
        jit.ways.clear();
        jit.forgotten = false;
        jit.flash_changes = self.memory.flash_changes();
        if let Some(code) = &mut jit.code {
            code.clear();
        }
    }

    /// Switches translation, which is on unless switched off. Results are the same either way.
    pub(super) fn set_translating(&mut self, on: bool) {
        self.close_entries();
        self.jit.disabled = !on;
    }
}
