//! Stretches of a program that only look, and find what they found before.
//!
//! Firmware that wakes for a moment goes through its lists again and again: which component wants a tick, who listens to
//! this event. Such a *stretch* changes nothing but registers, so if the registers it depends on and every word it loaded
//! are what they were (its own instructions among them), it ends as it ended. Then the outcome is put in place, with its
//! cycles: looking at a word costs a fraction of the instructions that load and compare it.
//!
//! Where to do that is found by looking at the program now and then: if what follows from there is a long stretch, its
//! first instruction becomes a *site*, by an operation of its own in the cache of decoded instructions. A site knows the
//! outcomes of several stretches. It lives on their success: one that mostly has to find out again goes away.
//!
//! Nothing of this can be seen but the time it takes. A stretch is recalled only if the interpreter would have executed
//! all of it at once: before [`Core::limit`], and through windows that are open.

use super::effects::{C, Effects, NZ, V};
use super::op::{Op, kind};
use super::registers::Flags;
use super::{Core, State};
use crate::cpu::Mmio;
use crate::cpu::memory::{Kind, Memory};

/// Sites there can be, and stretches of each.
const SITES: usize = 16;
const STRETCHES: usize = 24;
/// Words that a stretch depends on at most.
const WORDS: usize = 96;
/// Back at the site, a stretch ends if it depends on so many already.
const ENOUGH: usize = 64;
/// So many words are looked through for one that is known already.
const RECENT: usize = 4;
/// Instructions of a stretch at most.
const LONGEST: u32 = 768;
/// Instructions that make a site worth it.
const WORTH: u32 = 24;
/// Cycles from one look for sites to the next; twice as many with each look that found none, up to [`DOUBLINGS`].
const PAUSE: u64 = 2_048;
const DOUBLINGS: u32 = 5;
/// The credit of a site, in instructions: at first, and at most. What a record costs beyond executing.
const CREDIT: i32 = 6_000;
const MOST_CREDIT: i32 = 20_000;
const RECORD_COSTS: i32 = 6;
/// Places that were sites and brought nothing.
const REFUSED: usize = 16;

/// A word of memory: its offset in the arena, and the bits that count.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    at: u32,
    mask: u32,
    value: u32,
}

/// R0 to R15, or what of them counts.
type File = [u32; 16];

/// What a stretch depends on and what comes of it.
#[derive(Clone, Debug)]
struct Stretch {
    /// Registers at the beginning, and which count.
    before: File,
    needs: File,
    /// Registers at the end, and which it wrote.
    after: File,
    wrote: File,
    flags_before: Flags,
    flags_after: Flags,
    /// Flags among both, as in [`Effects`].
    needs_flags: u32,
    wrote_flags: u32,
    /// Where it ends.
    pc: u32,
    cycles: u32,
    instructions: u32,
    /// It loads from RAM, from flash.
    ram: bool,
    flash: bool,
    used: usize,
    words: [Word; WORDS],
}

impl Stretch {
    const EMPTY: Stretch = Stretch {
        before: [0; 16],
        needs: [0; 16],
        after: [0; 16],
        wrote: [0; 16],
        flags_before: Flags { n: 0, z: 0, c: false, v: 0 },
        flags_after: Flags { n: 0, z: 0, c: false, v: 0 },
        needs_flags: 0,
        wrote_flags: 0,
        pc: 0,
        cycles: 0,
        instructions: 0,
        ram: false,
        flash: false,
        used: 0,
        words: [Word { at: 0, mask: 0, value: 0 }; WORDS],
    };

    /// Whether registers and flags are those of the beginning, as far as they count.
    #[inline(always)]
    fn begins_with(&self, r: &File, flags: &Flags) -> bool {
        let differs = |i: usize| (r[i] ^ self.before[i]) & self.needs[i];
        (0..16).fold(0, |all, i| all | differs(i)) == 0 && (self.needs_flags == 0 || self.has_flags(flags))
    }

    /// Whether every word is what it was, as far as it counts.
    #[inline(always)]
    fn sees_the_same(&self, memory: &Memory) -> bool {
        self.words.iter().take(self.used).all(|word| (memory.word(word.at) ^ word.value) & word.mask == 0)
    }

    fn has_flags(&self, flags: &Flags) -> bool {
        let (needs, before) = (self.needs_flags, &self.flags_before);
        (needs & NZ == 0 || (flags.n, flags.z) == (before.n, before.z))
            && (needs & C == 0 || flags.c == before.c)
            && (needs & V == 0 || flags.v == before.v)
    }

    /// Puts the outcome in place.
    #[inline(always)]
    fn conclude(&self, r: &mut File, flags: &mut Flags) {
        *r = std::array::from_fn(|i| r[i] ^ (r[i] ^ self.after[i]) & self.wrote[i]);
        if self.wrote_flags & NZ != 0 {
            (flags.n, flags.z) = (self.flags_after.n, self.flags_after.z);
        }
        if self.wrote_flags & C != 0 {
            flags.c = self.flags_after.c;
        }
        if self.wrote_flags & V != 0 {
            flags.v = self.flags_after.v;
        }
    }

    /// Adds bits of the word at arena offset `at`, which is `value`. False if there is no room.
    fn depend_on(&mut self, at: u32, mask: u32, value: u32) -> bool {
        // Mostly it is one of the last, or none: known twice does no harm.
        let recent = self.used.saturating_sub(RECENT);
        if let Some(word) = self.words[recent..self.used].iter_mut().rev().find(|word| word.at == at) {
            word.mask |= mask;
            return true;
        }
        let Some(word) = self.words.get_mut(self.used) else { return false };
        *word = Word { at, mask, value };
        self.used += 1;
        true
    }
}

/// A place in the program where stretches begin.
#[derive(Debug, Default)]
struct Site {
    pc: u32,
    /// Its place in the memory's arena, and the instruction there; not in use if that is not decoded.
    at: u32,
    op: u64,
    credit: i32,
    /// The registers that the first stretch depended on.
    key: File,
    /// For each stretch what [`Site::signature`] was at its beginning: most others are told apart by that.
    signatures: [u32; STRETCHES],
    stretches: Vec<Stretch>,
    /// The stretch that is looked at first: what follows the last one.
    next: usize,
    /// The stretch to be overwritten next.
    oldest: usize,
}

/// What came of recalling.
enum Known {
    Done,
    /// No stretch may be recalled as a whole.
    NotNow,
    /// None of the stretches begins like this.
    Unknown,
}

impl Site {
    #[inline(always)]
    fn signature(&self, r: &File) -> u32 {
        (0..16).fold(0u32, |all, i| {
            all.wrapping_add((r[i] & self.key[i]).wrapping_mul(0x9E37_79B1u32.rotate_left(2 * i as u32)))
        })
    }

    /// Keeps a stretch, in the place of another one if there is no room.
    fn keep(&mut self, stretch: &Stretch) {
        let number = if self.stretches.len() < STRETCHES {
            self.stretches.push(stretch.clone());
            self.stretches.len() - 1
        } else {
            let oldest = self.oldest;
            self.stretches[oldest].clone_from(stretch);
            self.oldest = (oldest + 1) % STRETCHES;
            oldest
        };
        self.signatures[number] = self.signature(&stretch.before);
        self.next = (number + 1) % self.stretches.len();
    }
}

#[derive(Debug)]
pub(super) struct Recall {
    sites: Vec<Site>,
    /// [`Memory::flash_changes`] when the sites were found: stretches do not look at flash again.
    flash_changes: u64,
    /// A stretch that is being executed for the first time.
    fresh: Option<Box<Stretch>>,
    /// When to look for a site next.
    next_look: u64,
    failures: u32,
    refused: [u32; REFUSED],
    refusals: usize,
    /// Cycles that were not executed one by one.
    pub recalled: u64,
    /// For comparisons: never.
    pub disabled: bool,
}

impl Default for Recall {
    /// Knows nothing. Everything is allocated here: nothing is while the core runs.
    fn default() -> Recall {
        let site = || Site { stretches: Vec::with_capacity(STRETCHES), ..Site::default() };
        Recall {
            sites: (0..SITES).map(|_| site()).collect(),
            flash_changes: 0,
            fresh: Some(Box::new(Stretch::EMPTY)),
            next_look: 0,
            failures: 0,
            refused: [u32::MAX; REFUSED],
            refusals: 0,
            recalled: 0,
            disabled: false,
        }
    }
}

impl Recall {
    /// When the core is to look for a site.
    #[inline]
    pub fn next_look(&self) -> u64 {
        if self.disabled { u64::MAX } else { self.next_look }
    }

    /// The core slept for so many cycles: that is no program to look at.
    pub fn sleep(&mut self, cycles: u64) {
        self.next_look = self.next_look.saturating_add(cycles);
    }

    /// `op`, or the instruction that is there if it is a site.
    pub fn instruction(&self, op: Op) -> Op {
        if op.kind() != kind::SITE {
            return op;
        }
        self.sites.get(op.imm() as usize).map_or(op, |site| Op(site.op))
    }

    /// Forgets all sites, whose operations are gone from the cache.
    pub fn forget(&mut self) {
        for site in &mut self.sites {
            site.op = 0;
        }
    }

    fn refuse(&mut self, pc: u32) {
        self.refused[self.refusals % REFUSED] = pc;
        self.refusals += 1;
    }
}

impl Core {
    /// Whether a stretch may begin here: nobody wants to see what the core does one by one, or puts its own marks.
    fn may_recall(&self) -> bool {
        self.limit != 0 && self.regs.itstate == 0 && !self.spin.looks()
    }

    /// The operation at the PC is the site `index`. True if a stretch from there was recalled, or executed.
    #[inline(never)]
    pub(super) fn recall<M: Mmio>(&mut self, mmio: &mut M, index: usize) -> bool {
        match self.recall_known(index) {
            Known::Done => return true,
            Known::NotNow => return false,
            Known::Unknown => {}
        }
        let executed = self.record(mmio);
        self.recorded(index, executed);
        executed > 0
    }

    /// Recalls a stretch of the site `index` that begins as things are now.
    fn recall_known(&mut self, index: usize) -> Known {
        if !self.may_recall() {
            return Known::NotNow;
        }
        if self.recall.flash_changes != self.memory.flash_changes() {
            self.close_sites();
            return Known::NotNow;
        }
        let Core { recall, regs, memory, fast, .. } = self;
        let Some(site) = recall.sites.get_mut(index).filter(|site| site.pc == self.pc) else { return Known::NotNow };
        let known = site.stretches.len();
        let signature = site.signature(&regs.r);
        let mut number = site.next;
        for _ in 0..known {
            let this = number;
            number = if number + 1 < known { number + 1 } else { 0 };
            if site.signatures[this] != signature {
                continue;
            }
            let stretch = &site.stretches[this];
            if !stretch.begins_with(&regs.r, &regs.flags) || !stretch.sees_the_same(memory) {
                continue;
            }
            let end = self.cycle + u64::from(stretch.cycles);
            if end > self.limit || stretch.ram && fast.ram.len == 0 || stretch.flash && fast.flash.len == 0 {
                return Known::NotNow;
            }
            stretch.conclude(&mut regs.r, &mut regs.flags);
            (self.pc, self.cycle) = (stretch.pc, end);
            site.credit = (site.credit + stretch.instructions as i32).min(MOST_CREDIT);
            site.next = number;
            recall.recalled += u64::from(stretch.cycles);
            return Known::Done;
        }
        Known::Unknown
    }

    /// So many instructions of an unknown stretch of the site `index` were executed and recorded.
    #[inline(never)]
    fn recorded(&mut self, index: usize, executed: u32) {
        let site = &mut self.recall.sites[index];
        site.credit -= RECORD_COSTS * (executed as i32 + 2);
        if site.credit < 0 {
            let pc = site.pc;
            self.recall.refuse(pc);
            self.close_site(index);
        } else if executed > 0 {
            self.keep(index);
        }
    }

    fn keep(&mut self, index: usize) {
        let Recall { sites, fresh, .. } = &mut self.recall;
        if let Some(fresh) = fresh {
            sites[index].keep(fresh);
        }
    }

    /// Executes a stretch from the PC on, and takes down what it depends on and what comes of it in [`Recall::fresh`]. The
    /// number of instructions that were executed.
    fn record<M: Mmio>(&mut self, mmio: &mut M) -> u32 {
        let (start, began, limit) = (self.pc, self.cycle, self.limit);
        let Some(mut fresh) = self.recall.fresh.take() else { return 0 };
        fresh.used = 0;
        (fresh.ram, fresh.flash) = (false, false);
        (fresh.before, fresh.flags_before) = (self.regs.r, self.regs.flags);
        let (mut needs, mut wrote, mut executed) = (0, 0, 0);
        // One instruction at a time.
        self.limit = 0;
        while self.cycle < limit && executed < LONGEST && !(executed > 0 && self.pc == start && fresh.used >= ENOUGH) {
            let Some(effects) = self.harmless(&mut fresh) else { break };
            needs |= effects.reads & !wrote;
            wrote |= effects.writes;
            self.interpret(mmio);
            executed += 1;
        }
        self.limit = limit;
        let file = |mask: u32| std::array::from_fn(|i| if mask >> i & 1 == 1 { u32::MAX } else { 0 });
        (fresh.needs, fresh.wrote) = (file(needs & 0xFFFF), file(wrote & 0xFFFF));
        (fresh.needs_flags, fresh.wrote_flags) = (needs & !0xFFFF, wrote & !0xFFFF);
        (fresh.after, fresh.flags_after) = (self.regs.r, self.regs.flags);
        (fresh.pc, fresh.cycles, fresh.instructions) = (self.pc, (self.cycle - began) as u32, executed);
        self.recall.fresh = Some(fresh);
        executed
    }

    /// The effects of the instruction at the PC, if it only looks, and what it looks at has room in `fresh`.
    fn harmless(&self, fresh: &mut Stretch) -> Option<Effects> {
        let fetch = self.fast.fetch.offset(self.pc)?;
        let op = self.recall.instruction(Op(self.memory.slot(fetch.into())));
        let effects = Effects::of(op, self.pc, &self.regs)?;
        if self.fast.fetch.kind == Kind::Ram {
            let (at, mask) = if op.len() == 2 { (fetch, 0xFFFF) } else { (fetch, u32::MAX) };
            self.depend(fresh, at, mask)?;
        }
        if let Some((address, size)) = effects.load {
            if address & (size - 1) != 0 {
                return None;
            }
            if let Some(at) = self.fast.ram.offset(address) {
                fresh.ram = true;
                self.depend(fresh, at, u32::MAX >> (32 - 8 * size))?;
            } else {
                self.fast.flash.offset(address)?;
                fresh.flash = true;
            }
        }
        Some(effects)
    }

    /// What is behind `mask` at arena offset `at` counts; half-words may be those of two words.
    fn depend(&self, fresh: &mut Stretch, at: u32, mask: u32) -> Option<()> {
        let mask = u64::from(mask) << (8 * (at & 3));
        for (at, mask) in [(at & !3, mask as u32), ((at & !3).wrapping_add(4), (mask >> 32) as u32)] {
            if mask != 0 && !fresh.depend_on(at, mask, self.memory.word(at)) {
                return None;
            }
        }
        Some(())
    }

    /// Looks whether a long stretch begins at the PC, and makes a site of it.
    #[cold]
    pub(super) fn look_for_site<M: Mmio>(&mut self, mmio: &mut M, until: u64) {
        let found = self.state == State::Running && self.cycle < until && self.find_site(mmio, until);
        let recall = &mut self.recall;
        recall.failures = if found { 0 } else { (recall.failures + 1).min(DOUBLINGS) };
        recall.next_look = self.cycle + (PAUSE << recall.failures);
    }

    fn find_site<M: Mmio>(&mut self, mmio: &mut M, until: u64) -> bool {
        let pc = self.pc;
        self.limit = self.next_deadline(until);
        if !self.may_recall() || self.debug.stepping || self.recall.refused.contains(&pc) {
            return false;
        }
        if self.recall.flash_changes != self.memory.flash_changes() {
            self.close_sites();
        }
        let Some(at) = self.fast.fetch.offset(pc) else { return false };
        let op = Op(self.memory.slot(at.into()));
        if op.kind() <= kind::IT_BODY || self.record(mmio) < WORTH {
            return false;
        }
        let Some(index) = (0..SITES).min_by_key(|&index| self.worth(index)) else { return false };
        self.close_site(index);
        let key = self.recall.fresh.as_ref().map_or([0; 16], |fresh| fresh.needs);
        let site = &mut self.recall.sites[index];
        (site.pc, site.at, site.op, site.credit) = (pc, at, op.0, CREDIT);
        (site.next, site.oldest) = (0, 0);
        site.stretches.clear();
        site.key = key;
        self.memory.set_slot(at, Op::site(index as u32).0);
        self.keep(index);
        true
    }

    /// What it costs to lose a site: nothing if it is not in use, or its operation is not in the cache any more.
    fn worth(&self, index: usize) -> i32 {
        let site = &self.recall.sites[index];
        let alive = site.op != 0 && Op(self.memory.slot(site.at.into())) == Op::site(index as u32);
        if alive { site.credit } else { -1 }
    }

    /// Gives a site's instruction back its place.
    fn close_site(&mut self, index: usize) {
        let site = &mut self.recall.sites[index];
        if site.op != 0 && Op(self.memory.slot(site.at.into())) == Op::site(index as u32) {
            self.memory.set_slot(site.at, site.op);
        }
        site.op = 0;
    }

    /// Begins anew.
    #[cold]
    fn close_sites(&mut self) {
        (0..SITES).for_each(|index| self.close_site(index));
        self.recall.flash_changes = self.memory.flash_changes();
    }

    /// Switches the recalling of stretches, which is on unless switched off. Results are the same either way.
    pub(super) fn set_recalling(&mut self, on: bool) {
        self.close_sites();
        self.recall.disabled = !on;
    }
}
