//! Memory for translated code, and the way into it and out.
//!
//! Translated code keeps to this: RBX points to the [`Core`], R15 to the [`Links`]; R12 is the cycle count at the block's
//! beginning plus what the block has added; R13 points to the bytes of the open window of RAM, R14 to the marks of its
//! blocks ([`crate::cpu::memory::Memory`]), EBP is its base address. The others are scratch.

use std::io;
use std::mem::offset_of;

use dynasmrt::mmap::ExecutableBuffer;
use dynasmrt::x64::X64Relocation;
use dynasmrt::{AssemblyOffset, DynasmApi, VecAssembler, dynasm};

use super::super::Core;
use crate::cpu::memory::{Memory, Window};

pub(super) type Assembler = VecAssembler<X64Relocation>;

/// Bytes of a piece of executable memory, and how many there are at most; then everything is translated anew.
const PIECE: usize = 1 << 16;
const PIECES: usize = 32;
/// Ways from one block to the next, and places where blocks begin.
pub(super) const LINKS: usize = 16_384;
pub(super) const ENTRIES: usize = 8_192;

/// What translated code answers, beyond the number of a link that leads nowhere yet: the PC is in place.
pub(super) const AT_PC: u32 = u32::MAX;
/// The same, and the program branched there by a register.
pub(super) const BRANCHED: u32 = u32::MAX - 1;
/// The PC is in place, for the block there is too long for the limit.
pub(super) const LATE: u32 = u32::MAX - 2;

/// Offsets of what translated code finds behind R15.
pub(super) mod field {
    /// Where translated code goes when it is done; its answer is in EAX.
    pub const LEAVE: i32 = 0;
    /// The function that executes one instruction otherwise.
    pub const ASIDE: i32 = 8;
    /// The bus, for that function.
    pub const BUS: i32 = 16;
    pub const RAM_BYTES: i32 = 24;
    pub const RAM_MARKS: i32 = 32;
    pub const RAM_BASE: i32 = 40;
    /// The window's length in bytes, half-words, words: shifted right by 0, 1, 2.
    pub const RAM_LEN: i32 = 48;
    pub const FLASH_BYTES: i32 = 72;
    /// Decoded instructions of the flash.
    pub const SLOTS: i32 = 80;
    /// Code addresses by the number of the entry.
    pub const ENTRIES: i32 = 88;
    /// Code addresses by the number of the link.
    pub const LINKS: i32 = 96;
}

/// The number of the word at an offset in [`Links`].
fn word(offset: i32) -> usize {
    offset as usize / 8
}

/// What translated code finds behind R15.
#[derive(Debug)]
pub(super) struct Links(Box<[u64]>);

impl Links {
    pub fn new() -> Links {
        Links(vec![0; word(field::LINKS) + LINKS].into_boxed_slice())
    }

    fn set(&mut self, offset: i32, value: u64) {
        self.0[word(offset)] = value;
    }

    pub fn set_link(&mut self, link: usize, address: u64) {
        self.0[word(field::LINKS) + link] = address;
    }

    pub fn leave(&self) -> u64 {
        self.0[word(field::LEAVE)]
    }

    /// What R15 is to point to.
    pub fn as_ptr(&self) -> *const u64 {
        self.0.as_ptr()
    }

    /// Puts everything in place that is not the same each time.
    pub fn prepare(&mut self, memory: &mut Memory, ram: Window, flash: Window, entries: &[u64], aside: u64, bus: u64) {
        let raw = memory.raw();
        self.set(field::ASIDE, aside);
        self.set(field::BUS, bus);
        self.set(field::RAM_BYTES, raw.bytes as u64 + u64::from(ram.start));
        self.set(field::RAM_MARKS, raw.marks as u64 + (u64::from(ram.start) >> Memory::MARK_SHIFT));
        self.set(field::RAM_BASE, ram.base.into());
        for shift in 0..3 {
            self.set(field::RAM_LEN + 8 * shift, u64::from(ram.len) >> shift);
        }
        self.set(field::FLASH_BYTES, raw.bytes as u64 + u64::from(flash.start));
        self.set(field::SLOTS, raw.slots as u64 + 4 * u64::from(flash.start));
        self.set(field::ENTRIES, entries.as_ptr() as u64);
    }
}

/// Executable memory: pieces that are filled one after the other. A piece cannot be executed while it is written to, and to
/// change that costs more the larger it is.
#[derive(Debug)]
pub(super) struct Code {
    pieces: Vec<ExecutableBuffer>,
    /// The way in.
    start: ExecutableBuffer,
    /// Bytes of the last piece that are in use.
    used: usize,
}

impl Code {
    /// Executable memory with the way in, and [`field::LEAVE`] in `links`.
    pub fn new(links: &mut Links) -> io::Result<Code> {
        let mut ops = Assembler::new(0);
        dynasm!(ops
            ; .arch x64
            ; push rbx
            ; push rbp
            ; push r12
            ; push r13
            ; push r14
            ; push r15
            ; sub rsp, 8
            ; mov rbx, rdi
            ; mov r15, rsi
            ; mov r12, [rbx + offset_of!(Core, cycle) as i32]
            ; mov r13, [r15 + field::RAM_BYTES]
            ; mov r14, [r15 + field::RAM_MARKS]
            ; mov ebp, [r15 + field::RAM_BASE]
            ; jmp rdx
        );
        let leave = ops.offset().0;
        dynasm!(ops
            ; .arch x64
            ; mov [rbx + offset_of!(Core, cycle) as i32], r12
            ; add rsp, 8
            ; pop r15
            ; pop r14
            ; pop r13
            ; pop r12
            ; pop rbp
            ; pop rbx
            ; ret
        );
        let bytes = ops.finalize().map_err(|error| io::Error::other(format!("{error:?}")))?;
        let (start, way_in) = written(ExecutableBuffer::new(bytes.len())?, 0, &bytes)?;
        links.set(field::LEAVE, way_in + leave as u64);
        Ok(Code { pieces: Vec::with_capacity(PIECES), start, used: PIECE })
    }

    /// Forgets all blocks.
    pub fn clear(&mut self) {
        self.pieces.clear();
        self.used = PIECE;
    }

    /// Whether there is room for another block.
    pub fn has_room(&self) -> bool {
        self.pieces.len() < PIECES
    }

    /// Adds position-independent code and gives its address.
    ///
    /// # Errors
    /// If the system does not give executable memory, or code is larger than a piece of it.
    pub fn add(&mut self, bytes: &[u8]) -> io::Result<u64> {
        if bytes.len() > PIECE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut at = self.used.next_multiple_of(16);
        if at + bytes.len() > PIECE {
            self.pieces.push(ExecutableBuffer::new(PIECE)?);
            at = 0;
        }
        let piece = self.pieces.pop().ok_or(io::ErrorKind::NotFound)?;
        let (piece, address) = written(piece, at, bytes)?;
        self.pieces.push(piece);
        self.used = at + bytes.len();
        Ok(address)
    }

    /// The way in.
    pub fn way_in(&self) -> WayIn {
        let start = self.start.ptr(AssemblyOffset(0));
        // SAFETY: this is what `new` put there, by this calling convention.
        unsafe { std::mem::transmute::<*const u8, WayIn>(start) }
    }
}

/// Executable memory with `bytes` at `at`, and their address.
fn written(buffer: ExecutableBuffer, at: usize, bytes: &[u8]) -> io::Result<(ExecutableBuffer, u64)> {
    let mut buffer = buffer.make_mut()?;
    let end = at + bytes.len();
    buffer.set_len(end);
    buffer[at..end].copy_from_slice(bytes);
    let buffer = buffer.make_exec()?;
    let address = buffer.ptr(AssemblyOffset(at)) as u64;
    Ok((buffer, address))
}

/// Executes the translated code at the address of a block until it leaves, and gives its answer.
///
/// # Safety
/// The block is an address that [`Code::add`] gave since the last [`Code::clear`], and code is neither added nor cleared
/// meanwhile. The links are this core's, and [`Links::prepare`] was called for the core as it is now: the windows lie in its
/// memory, and nothing moved that.
pub(super) type WayIn = unsafe extern "sysv64" fn(core: *mut Core, links: *const u64, block: u64) -> u32;
