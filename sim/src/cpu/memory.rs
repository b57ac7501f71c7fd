//! A core's memories: RAM and flash, as the core and the chip's bus masters see them.
//!
//! All regions lie one after the other in one *arena* of bytes. A cache of decoded instructions runs beside it, one
//! slot per half-word, so that an offset into the arena is all that is needed to find bytes and decoded instruction
//! alike. Whatever changes bytes drops the decoded instructions that were made from them.

use std::ops::Range;

use crate::bus::Size;

/// What a core's store to a region does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Stores write.
    Ram,
    /// Stores go to the chip's [`super::Mmio::write`]; only [`Memory::write`] changes the contents.
    Flash,
}

/// Names a region of a [`Memory`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegionId(usize);

#[derive(Debug)]
struct Region {
    kind: Kind,
    start: u32,
    len: u32,
}

/// A stretch of the address space that shows a stretch of the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// First address.
    pub base: u32,
    /// Length in bytes; 0 for a window that contains nothing.
    pub len: u32,
    /// Offset of the first byte in the arena.
    pub start: u32,
    /// What stores do.
    pub kind: Kind,
}

impl Window {
    /// Contains no address.
    pub const EMPTY: Window = Window { base: 0, len: 0, start: 0, kind: Kind::Flash };

    /// Whether both show the same at the same addresses.
    #[inline(always)]
    pub fn is(&self, other: &Window) -> bool {
        (self.base, self.len, self.start) == (other.base, other.len, other.start)
    }

    /// The arena offset of `address`, if the window contains it.
    #[inline(always)]
    pub fn offset(&self, address: u32) -> Option<u32> {
        let offset = address.wrapping_sub(self.base);
        (offset < self.len).then(|| self.start.wrapping_add(offset))
    }

    /// The arena offset of `address`, if the window contains `len` bytes from there on.
    #[inline(always)]
    pub fn span(&self, address: u32, len: u32) -> Option<u32> {
        let offset = address.wrapping_sub(self.base);
        (offset < self.len && self.len - offset >= len).then(|| self.start.wrapping_add(offset))
    }
}

/// What became of a store through an open window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stored {
    /// It is beyond the arena.
    Nowhere,
    /// The bytes are written.
    Done,
    /// The bytes are written, and some of them are watched ([`Memory::watch`]).
    Watched,
}

/// Bytes (as a power of two) that share one "holds decoded instructions" mark.
const BLOCK_SHIFT: u32 = 6;

/// An IT instruction (ARMv7-M ARM A7.3) changes how up to four instructions after it are decoded.
const IT_REACH: usize = 2 + 4 * 4;

/// Little-endian memories at fixed addresses; one region may show at several addresses.
#[derive(Debug, Default)]
pub struct Memory {
    bytes: Vec<u8>,
    /// Decoded instructions by arena offset / 2; 0 is "not decoded".
    slots: Vec<u64>,
    /// Blocks of the arena from which instructions were decoded, or in which bytes are watched: stores there look twice.
    decoded: Vec<bool>,
    /// Watched bytes, as arena offsets; empty if there are none.
    watched: Range<usize>,
    /// A watched byte was written.
    watched_store: bool,
    /// How often something in flash was changed.
    flash_changes: u64,
    regions: Vec<Region>,
    windows: Vec<Window>,
    /// Which eighths of the address space have windows, so that accesses elsewhere are told at once.
    eighths: u8,
}

/// Addresses in the host's memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw {
    /// The arena.
    pub bytes: *mut u8,
    /// For each `1 << MARK_SHIFT` bytes of it one byte, not 0 if stores there are to look twice.
    pub marks: *const bool,
    /// Decoded instructions, 8 bytes for 2 of the arena.
    pub slots: *const u64,
}

impl Memory {
    /// Bytes of the arena (as a power of two) that share one mark of [`Raw`].
    pub(super) const MARK_SHIFT: u32 = BLOCK_SHIFT;

    /// Where things are, until another region is added.
    pub(super) fn raw(&mut self) -> Raw {
        Raw { bytes: self.bytes.as_mut_ptr(), marks: self.decoded.as_ptr(), slots: self.slots.as_ptr() }
    }

    /// Adds `len` bytes, all `fill`, at `base`.
    pub fn add(&mut self, kind: Kind, base: u32, len: u32, fill: u8) -> RegionId {
        // Between two regions nothing is ever decoded: execution that runs off the end of one is noticed.
        let gap = if self.regions.is_empty() { 0 } else { IT_REACH as u32 };
        let start = (self.bytes.len() as u32 + gap).next_multiple_of(1 << BLOCK_SHIFT);
        self.bytes.resize(start as usize, 0);
        self.bytes.resize((start + len) as usize, fill);
        // A fresh allocation of zeros costs no memory until it is used.
        self.slots = vec![0; self.bytes.len() / 2 + 1];
        self.decoded = vec![false; (self.bytes.len() >> BLOCK_SHIFT) + 1];
        self.regions.push(Region { kind, start, len });
        let id = RegionId(self.regions.len() - 1);
        self.alias(id, base);
        id
    }

    /// Shows `region` at `base` too.
    pub fn alias(&mut self, region: RegionId, base: u32) {
        let Region { kind, start, len } = self.regions[region.0];
        self.windows.push(Window { base, len, start, kind });
        for eighth in base >> 29..=base.wrapping_add(len.max(1) - 1) >> 29 {
            self.eighths |= 1 << eighth;
        }
    }

    /// The bytes of a region.
    #[must_use]
    pub fn region(&self, region: RegionId) -> &[u8] {
        let region = &self.regions[region.0];
        &self.bytes[region.start as usize..][..region.len as usize]
    }

    /// Replaces the contents of a region of flash; what `contents` does not cover is erased, what does not fit is dropped.
    pub fn refill(&mut self, id: RegionId, contents: &[u8]) {
        let region = self.region_mut(id);
        let len = contents.len().min(region.len());
        let (filled, rest) = region.split_at_mut(len);
        filled.copy_from_slice(&contents[..len]);
        rest.fill(0xFF);
    }

    /// The bytes of a region, to be changed.
    pub fn region_mut(&mut self, region: RegionId) -> &mut [u8] {
        let Region { kind, start, len } = self.regions[region.0];
        let (start, len) = (start as usize, len as usize);
        self.flash_changes += u64::from(kind == Kind::Flash);
        self.forget_decoded(start, len);
        &mut self.bytes[start..][..len]
    }

    /// The window that contains `address`.
    #[inline]
    pub(super) fn window(&self, address: u32) -> Option<Window> {
        if self.eighths >> (address >> 29) & 1 == 0 {
            return None;
        }
        self.windows.iter().copied().find(|w| w.offset(address).is_some())
    }

    /// Whether any region shows in the given eighth of the address space.
    pub(super) fn reaches_eighth(&self, eighth: u32) -> bool {
        self.eighths >> eighth & 1 == 1
    }

    /// Every address that shows arena offset `at`.
    pub(super) fn aliases(&self, at: u32) -> impl Iterator<Item = u32> {
        self.windows.iter().filter_map(move |w| {
            let offset = at.wrapping_sub(w.start);
            (offset < w.len).then(|| w.base.wrapping_add(offset))
        })
    }

    fn find(&self, address: u32, len: usize) -> Option<usize> {
        let window = self.window(address)?;
        let offset = address.wrapping_sub(window.base) as usize;
        (offset + len <= window.len as usize).then_some(window.start as usize + offset)
    }

    /// The kind of the region at `address`, if there is one.
    #[must_use]
    pub fn kind(&self, address: u32) -> Option<Kind> {
        self.window(address).map(|w| w.kind)
    }

    /// Watches `len` bytes at `address` from now on, instead of what was watched before. A store of the core to any of
    /// them brings on [`super::Mmio::event`] after the instruction, where [`Memory::take_watched_store`] tells of it.
    /// This is how a bus master that looks at structures in RAM learns of them without looking again and again.
    ///
    /// Nothing is watched if no region contains all of the bytes.
    pub fn watch(&mut self, address: u32, len: u32) {
        self.watched = self.find(address, len as usize).map_or(0..0, |at| at..at + len as usize);
        self.mark_watched();
    }

    /// Whether a watched byte was written since the last call.
    pub fn take_watched_store(&mut self) -> bool {
        std::mem::take(&mut self.watched_store)
    }

    pub(super) fn has_watched_store(&self) -> bool {
        self.watched_store
    }

    fn mark_watched(&mut self) {
        if !self.watched.is_empty() {
            let (first, last) = (self.watched.start >> BLOCK_SHIFT, (self.watched.end - 1) >> BLOCK_SHIFT);
            self.decoded[first..=last].fill(true);
        }
    }

    /// Notes a write of `len` bytes at arena offset `at`, and tells whether one of them is watched.
    fn note_write(&mut self, at: usize, len: usize) -> bool {
        let watched = at < self.watched.end && self.watched.start < at + len;
        self.watched_store |= watched;
        watched
    }

    /// Reads one little-endian value; `None` outside every region or across its end.
    #[must_use]
    pub fn read(&self, address: u32, size: Size) -> Option<u32> {
        let at = self.find(address, size.bytes() as usize)?;
        match size {
            Size::Byte => self.load::<1>(at as u32).map(|[b]| u32::from(b)),
            Size::Half => self.load(at as u32).map(|b| u32::from(u16::from_le_bytes(b))),
            Size::Word => self.load(at as u32).map(u32::from_le_bytes),
        }
    }

    /// Writes one little-endian value, whatever the kind of the region. False outside every region.
    pub fn write(&mut self, address: u32, size: Size, value: u32) -> bool {
        self.write_bytes(address, &value.to_le_bytes()[..size.bytes() as usize])
    }

    /// Reads bytes; `None` outside every region or across its end.
    #[must_use]
    pub fn read_bytes(&self, address: u32, len: usize) -> Option<&[u8]> {
        let at = self.find(address, len)?;
        self.bytes.get(at..at + len)
    }

    /// Writes bytes, whatever the kind of the region. False (and nothing written) outside every region.
    pub fn write_bytes(&mut self, address: u32, bytes: &[u8]) -> bool {
        let Some(window) = self.window(address) else { return false };
        let Some(at) = window.span(address, bytes.len() as u32) else { return false };
        let at = at as usize;
        self.flash_changes += u64::from(window.kind == Kind::Flash);
        self.forget_decoded(at, bytes.len());
        self.note_write(at, bytes.len());
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        true
    }

    /// A count that goes on whenever something in flash is changed.
    pub(super) fn flash_changes(&self) -> u64 {
        self.flash_changes
    }

    /// `N` bytes at arena offset `at`.
    #[inline(always)]
    pub(super) fn load<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        let at = at as usize;
        self.bytes.get(at..at + N)?.first_chunk().copied()
    }

    /// Writes `N` bytes (1, 2 or 4, naturally aligned) at arena offset `at`.
    #[inline(always)]
    pub(super) fn store<const N: usize>(&mut self, at: u32, value: [u8; N]) -> Stored {
        let at = at as usize;
        let Some(bytes) = self.bytes.get_mut(at..at + N) else { return Stored::Nowhere };
        bytes.copy_from_slice(&value);
        if self.decoded.get(at >> BLOCK_SHIFT).is_some_and(|d| *d) {
            self.forget_decoded(at, N);
            if self.note_write(at, N) {
                return Stored::Watched;
            }
        }
        Stored::Done
    }

    /// `len` bytes at arena offset `at`.
    #[inline(always)]
    pub(super) fn run(&self, at: u32, len: u32) -> Option<&[u8]> {
        self.bytes.get(at as usize..)?.get(..len as usize)
    }

    /// `len` bytes at arena offset `at` to be written, if nothing depends on them: neither a decoded instruction nor
    /// somebody who watches.
    #[inline(always)]
    pub(super) fn plain_run_mut(&mut self, at: u32, len: u32) -> Option<&mut [u8]> {
        let (at, len) = (at as usize, len as usize);
        let last = (at + len).saturating_sub(1);
        let blocks = self.decoded.get(at >> BLOCK_SHIFT..=last >> BLOCK_SHIFT)?;
        if blocks.contains(&true) {
            return None;
        }
        self.bytes.get_mut(at..)?.get_mut(..len)
    }

    /// The word at arena offset `at`.
    #[inline]
    pub(super) fn word(&self, at: u32) -> u32 {
        self.load(at).map_or(0, u32::from_le_bytes)
    }

    /// The decoded instruction at arena offset `at`; 0 if there is none, as everywhere outside the regions.
    #[inline(always)]
    pub(super) fn slot(&self, at: u64) -> u64 {
        self.slots.get((at >> 1) as usize).copied().unwrap_or(0)
    }

    /// Keeps the decoded form of an instruction at arena offset `at`.
    pub(super) fn set_slot(&mut self, at: u32, op: u64) {
        let at = at as usize;
        self.slots[at >> 1] = op;
        // Every block whose bytes this slot depends on: the instruction's own four, and what an IT before it reaches.
        for byte in [at.saturating_sub(IT_REACH), at, at + 3] {
            if let Some(mark) = self.decoded.get_mut(byte >> BLOCK_SHIFT) {
                *mark = true;
            }
        }
    }

    /// Drops the decoded form of the instruction at arena offset `at`.
    pub(super) fn clear_slot(&mut self, at: u32) {
        if let Some(slot) = self.slots.get_mut((at >> 1) as usize) {
            *slot = 0;
        }
    }

    /// Drops the decoded instructions that depend on `len` bytes at arena offset `at`.
    fn forget_decoded(&mut self, at: usize, len: usize) {
        let first = at.saturating_sub(2) >> 1;
        let end = ((at + len + IT_REACH) >> 1).min(self.slots.len());
        if let Some(slots) = self.slots.get_mut(first..end) {
            slots.fill(0);
        }
    }

    /// Drops every decoded instruction.
    pub(super) fn forget_all_decoded(&mut self) {
        for (block, mark) in self.decoded.iter_mut().enumerate() {
            if std::mem::take(mark) {
                let first = block << (BLOCK_SHIFT - 1);
                let end = (first + (1 << (BLOCK_SHIFT - 1))).min(self.slots.len());
                self.slots[first..end].fill(0);
            }
        }
        self.mark_watched();
    }
}
