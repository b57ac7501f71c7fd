//! FTFA — flash memory module (reference manual, chapter "Flash Memory Module"): commands that erase, program and check
//! the flash.
//!
//! A command is twelve bytes, FCCOB0 (its code) to FCCOBB. They stand in groups of four whose order is turned round, so
//! that a little-endian word written to FCCOB3..0 has its code in the top byte, and a word written to FCCOB7..4 is
//! programmed as it is. Writing 1 to FSTAT\[CCIF\] starts it; CCIF is 0 until it ends.

use twinboard_sim::bus::Size;
use twinboard_sim::cpu::memory::Memory;
use twinboard_sim::time::{Span, Time};

use super::peripheral::{Cx, Peripheral, Reset};
use crate::fault::flash::{Begin, SharedFlashFaults, Work};

const FSTAT: u32 = 0x00;
const FCNFG: u32 = 0x01;
const FSEC: u32 = 0x02;
const FOPT: u32 = 0x03;
const FCCOB: u32 = 0x04;
const FCCOB_END: u32 = 0x0F;
const FPROT: u32 = 0x10;
const FPROT_END: u32 = 0x13;

const CCIF: u8 = 1 << 7;
const RDCOLERR: u8 = 1 << 6;
const ACCERR: u8 = 1 << 5;
const FPVIOL: u8 = 1 << 4;
pub(super) const MGSTAT0: u8 = 1;

const FCNFG_CCIE: u8 = 1 << 7;
const FCNFG_RDCOLLIE: u8 = 1 << 6;
const FCNFG_ERSAREQ: u8 = 1 << 5;

/// FSEC\[SEC\] of a chip that is not secure.
const UNSECURE: u8 = 0b10;

/// The flash configuration field.
const CONFIG: u32 = 0x400;
const CONFIG_FSEC: u32 = 0x40C;
const CONFIG_FOPT: u32 = 0x40D;

/// Bytes of the program once field and of what Read Resource reads as version id.
const ONCE_WORDS: usize = 16;
const IFR_SIZE: u32 = 0x100;
const IFR_ONCE: u32 = 0xC0;

/// Sizes and times of a chip's flash. Times are the data sheet's typical ones.
#[derive(Clone, Copy, Debug)]
pub struct FlashSpec {
    /// Bytes.
    pub size: u32,
    /// Bytes of a block, the unit of Erase Flash Block.
    pub block: u32,
    /// Bytes of a sector, the unit of erasing.
    pub sector: u32,
    /// Read 1s Block, and All Blocks.
    pub t_rd1blk: Span,
    /// Read 1s Section, Program Check, Read Resource, Read Once, Verify Backdoor Access Key.
    pub t_check: Span,
    /// Program Longword and Program Once.
    pub t_pgm4: Span,
    /// Erase Flash Sector.
    pub t_ersscr: Span,
    /// Erase Flash Block.
    pub t_ersblk: Span,
    /// Erase All Blocks.
    pub t_ersall: Span,
    /// Erase All Blocks Unsecure is there.
    pub has_unsecure: bool,
}

/// A command that runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Command {
    /// Nothing but time; the result is in FCCOB and FSTAT already.
    Check {
        fails: bool,
    },
    Program {
        address: u32,
        word: u32,
    },
    Erase {
        address: u32,
        length: u32,
    },
    /// Erase all; the flash configuration field is left unsecure if `unsecure`.
    EraseAll {
        unsecure: bool,
    },
    ProgramOnce {
        index: usize,
        word: u32,
    },
}

/// What a command is refused for.
type Refused = u8;

/// The register machine. What it keeps without power, besides the flash, is the program once field.
#[derive(Debug)]
pub struct Ftfa {
    spec: FlashSpec,
    fstat: u8,
    fcnfg: u8,
    fsec: u8,
    fopt: u8,
    /// FCCOB0 to FCCOBB, in the order of their numbers.
    fccob: [u8; 12],
    /// FPROT3 (regions 0 to 7) to FPROT0.
    fprot: [u8; 4],
    once: [u32; ONCE_WORDS],
    running: Option<(Command, Time)>,
    /// A wrong backdoor key was shown: there is no second try before the next reset.
    key_refused: bool,
    faults: Option<SharedFlashFaults>,
    /// A command has begun in which power will be lost: the board has to know.
    cut_begun: bool,
}

impl Ftfa {
    /// The flash controller of a chip.
    #[must_use]
    pub fn new(spec: FlashSpec) -> Ftfa {
        Ftfa {
            spec,
            fstat: CCIF,
            fcnfg: 0,
            fsec: 0xFF,
            fopt: 0xFF,
            fccob: [0; 12],
            fprot: [0xFF; 4],
            once: [u32::MAX; ONCE_WORDS],
            running: None,
            key_refused: false,
            faults: None,
            cut_begun: false,
        }
    }

    /// Lets `faults` strike here.
    pub fn set_faults(&mut self, faults: SharedFlashFaults) {
        self.faults = Some(faults);
    }

    /// Whether a command has begun since the last call in which power will be lost.
    pub fn take_cut_begun(&mut self) -> bool {
        std::mem::take(&mut self.cut_begun)
    }

    /// The same, for whoever only wants to know.
    #[must_use]
    pub fn cut_begun(&self) -> bool {
        self.cut_begun
    }

    /// How long `command` takes that begins at `now` and usually takes `usual`, or the flag that refuses it.
    fn takes(&mut self, now: Time, command: Command, usual: Span) -> Result<Span, Refused> {
        let Some(faults) = &self.faults else { return Ok(usual) };
        let work = match command {
            Command::Program { address, .. } => Work::Word(address),
            Command::Erase { address, length } => Work::Erase(address..address + length),
            Command::EraseAll { .. } => Work::Erase(0..self.spec.size),
            Command::Check { .. } | Command::ProgramOnce { .. } => return Ok(usual),
        };
        match faults.lock().begins(now, &work, usual) {
            Begin::Refused => Err(FPVIOL),
            Begin::Takes(span) => Ok(span),
            Begin::Cut(span) => {
                self.cut_begun = true;
                Ok(span)
            }
        }
    }

    /// FSEC\[SEC\]: whether the chip is secure.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.fsec & 0b11 != UNSECURE
    }

    /// FOPT, as loaded at reset.
    #[must_use]
    pub fn fopt(&self) -> u8 {
        self.fopt
    }

    /// Until when code in the first block has to wait. A command that concerns another block leaves the first one readable:
    /// a KL27Z's program runs on, interrupts and all, while the upper half of its flash is erased.
    #[must_use]
    pub fn busy_until(&self) -> Time {
        let in_one_block = matches!(self.fccob[0], 0x00..=0x02 | 0x06 | 0x08 | 0x09);
        match self.running {
            Some(_) if in_one_block && self.address() >= self.spec.block => Time::ZERO,
            running => running.map_or(Time::ZERO, |(_, end)| end),
        }
    }

    /// Something cuts a running command off: cells that were being changed are left somewhere between. `noise` decides
    /// which bits had come through.
    pub fn cut_off(&mut self, memory: &mut Memory, mut noise: impl FnMut() -> u32) {
        let mut own = self.faults.as_ref().and_then(|faults| faults.lock().take_cut());
        let mut noise = || own.as_mut().map_or_else(&mut noise, |own| own.next());
        let Some((command, _)) = self.running.take() else { return };
        let mut change = |address: u32, f: &mut dyn FnMut(u32) -> u32| {
            let old = memory.read(address, Size::Word).unwrap_or(u32::MAX);
            memory.write(address, Size::Word, f(old));
        };
        let erased = match command {
            Command::Program { address, word } => return change(address, &mut |old| old & (word | noise())),
            Command::ProgramOnce { index, word } => return self.once[index] &= word | noise(),
            Command::Check { .. } => return,
            Command::Erase { address, length } => address..address + length,
            Command::EraseAll { .. } => 0..self.spec.size,
        };
        erased.step_by(4).for_each(|address| change(address, &mut |old| old | noise()));
    }

    /// FCCOB1 to FCCOB3.
    fn address(&self) -> u32 {
        u32::from_be_bytes([0, self.fccob[1], self.fccob[2], self.fccob[3]])
    }

    /// FCCOB`n` to FCCOB`n + 3` as the word that they program.
    fn word(&self, n: usize) -> u32 {
        self.fccob.get(n..n + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
    }

    fn answer(&mut self, word: u32) {
        self.fccob[4..8].copy_from_slice(&word.to_be_bytes());
    }

    /// Whether all bytes of a stretch of flash may be changed: FPROT has a bit for each 32nd of it.
    fn may_change(&self, address: u32, length: u32) -> bool {
        let region = (self.spec.size / 32).max(1);
        let open = u32::from_le_bytes(self.fprot);
        (address / region..=(address + length.max(1) - 1) / region).all(|n| open >> (n & 31) & 1 == 1)
    }

    fn aligned(&self, alignment: u32) -> Result<u32, Refused> {
        let address = self.address();
        if address < self.spec.size && address.is_multiple_of(alignment) { Ok(address) } else { Err(ACCERR) }
    }

    fn is_erased(memory: &Memory, address: u32, length: u32) -> bool {
        memory.read_bytes(address, length as usize).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0xFF))
    }

    /// Read margins: normal, user, factory.
    fn margin(value: u8, least: u8) -> Result<(), Refused> {
        if (least..=2).contains(&value) { Ok(()) } else { Err(ACCERR) }
    }

    /// What FCCOB asks for, and how long it takes; or the error flag that refuses it.
    fn command(&mut self, memory: &Memory) -> Result<(Command, Span), Refused> {
        let spec = self.spec;
        let check = |passes: bool, span| Ok((Command::Check { fails: !passes }, span));
        match self.fccob[0] {
            // Read 1s Block.
            0x00 => {
                Self::margin(self.fccob[4], 0)?;
                let address = self.aligned(4)?;
                check(Self::is_erased(memory, address / spec.block * spec.block, spec.block), spec.t_rd1blk)
            }
            // Read 1s Section.
            0x01 => {
                Self::margin(self.fccob[6], 0)?;
                let address = self.aligned(4)?;
                let length = 4 * u32::from(u16::from_be_bytes([self.fccob[4], self.fccob[5]]));
                let same_block = address / spec.block == (address + length.max(1) - 1) / spec.block;
                if length == 0 || address + length > spec.size || !same_block {
                    return Err(ACCERR);
                }
                check(Self::is_erased(memory, address, length), spec.t_check)
            }
            // Program Check.
            0x02 => {
                Self::margin(self.fccob[4], 1)?;
                let address = self.aligned(4)?;
                check(memory.read(address, Size::Word) == Some(self.word(8)), spec.t_check)
            }
            // Read Resource.
            0x03 => {
                let (address, select) = (self.address(), self.fccob[8]);
                let word = match (address.is_multiple_of(4), select) {
                    (true, 0) if address < IFR_SIZE => {
                        let once = address.checked_sub(IFR_ONCE).map(|offset| self.once[offset as usize / 4]);
                        once.unwrap_or(u32::MAX)
                    }
                    // The version of the flash module; its value is not published.
                    (true, 1) if address < 8 => 0,
                    _ => return Err(ACCERR),
                };
                self.answer(word);
                check(true, spec.t_check)
            }
            // Program Longword.
            0x06 => {
                let address = self.aligned(4)?;
                if !self.may_change(address, 4) {
                    return Err(FPVIOL);
                }
                Ok((Command::Program { address, word: self.word(4) }, spec.t_pgm4))
            }
            // Erase Flash Block.
            0x08 => {
                let address = self.aligned(4)? / spec.block * spec.block;
                if !self.may_change(address, spec.block) {
                    return Err(FPVIOL);
                }
                Ok((Command::Erase { address, length: spec.block }, spec.t_ersblk))
            }
            // Erase Flash Sector.
            0x09 => {
                let address = self.aligned(4)? / spec.sector * spec.sector;
                if !self.may_change(address, spec.sector) {
                    return Err(FPVIOL);
                }
                Ok((Command::Erase { address, length: spec.sector }, spec.t_ersscr))
            }
            // Read 1s All Blocks: an erased chip becomes unsecure.
            0x40 => {
                Self::margin(self.fccob[1], 0)?;
                let erased = Self::is_erased(memory, 0, spec.size);
                if erased {
                    self.fsec = self.fsec & !0b11 | UNSECURE;
                }
                check(erased, spec.t_rd1blk)
            }
            // Read Once.
            0x41 => {
                let word = *self.once.get(usize::from(self.fccob[1])).ok_or(ACCERR)?;
                self.answer(word);
                check(true, spec.t_check)
            }
            // Program Once: each word as long as it is erased.
            0x43 => {
                let index = usize::from(self.fccob[1]);
                if self.once.get(index) != Some(&u32::MAX) {
                    return Err(ACCERR);
                }
                Ok((Command::ProgramOnce { index, word: self.word(4) }, spec.t_pgm4))
            }
            // Erase All Blocks.
            0x44 => {
                if !self.may_change(0, spec.size) {
                    return Err(FPVIOL);
                }
                Ok((Command::EraseAll { unsecure: false }, spec.t_ersall))
            }
            // Verify Backdoor Access Key.
            0x45 => {
                let key: [u8; 8] = memory.read_bytes(CONFIG, 8).and_then(|key| key.try_into().ok()).ok_or(ACCERR)?;
                let enabled = self.fsec >> 6 == 0b10;
                if !enabled || self.key_refused {
                    return Err(ACCERR);
                }
                let words = |at: usize| u32::from_le_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]]);
                let empty = key == [0; 8] || key == [0xFF; 8];
                if empty || [self.word(4), self.word(8)] != [words(0), words(4)] {
                    self.key_refused = true;
                    return Err(ACCERR);
                }
                self.fsec = self.fsec & !0b11 | UNSECURE;
                check(true, spec.t_check)
            }
            // Erase All Blocks Unsecure, whatever is protected.
            0x49 if spec.has_unsecure => Ok((Command::EraseAll { unsecure: true }, spec.t_ersall)),
            _ => Err(ACCERR),
        }
    }

    /// Launches the command that `fccob` describes, for the boot loader in ROM: how long it takes.
    ///
    /// # Errors
    /// The flags of FSTAT that refuse it.
    pub fn launch_at(&mut self, now: Time, memory: &Memory, fccob: [u8; 12]) -> Result<Span, u8> {
        self.fccob = fccob;
        self.fstat &= !MGSTAT0;
        let (command, span) = self.command(memory)?;
        let span = self.takes(now, command, span)?;
        self.fstat &= !CCIF;
        self.running = Some((command, now + span));
        Ok(span)
    }

    /// The time of the command that was launched last is over: MGSTAT0 if it failed, else 0.
    pub fn complete(&mut self, memory: &mut Memory) -> u8 {
        if let Some((command, end)) = self.running.take() {
            self.finish(memory, command, end);
            self.fstat |= CCIF;
        }
        self.fstat & MGSTAT0
    }

    fn launch(&mut self, cx: &mut Cx<'_>) {
        self.fstat &= !MGSTAT0;
        let command = self.command(cx.memory);
        match command.and_then(|(command, span)| Ok((command, self.takes(cx.now, command, span)?))) {
            Ok((command, span)) => {
                self.fstat &= !CCIF;
                self.running = Some((command, cx.now + span));
            }
            Err(flag) => self.fstat |= flag,
        }
    }

    fn finish(&mut self, memory: &mut Memory, command: Command, at: Time) {
        match command {
            Command::Check { fails } => self.fstat |= if fails { MGSTAT0 } else { 0 },
            Command::Program { address, word } => {
                let old = memory.read(address, Size::Word).unwrap_or(u32::MAX);
                let new = match &self.faults {
                    None => old & word,
                    Some(faults) => faults.lock().written(at, address, old, old & word),
                };
                memory.write(address, Size::Word, new);
                // A word that needed a bit set is not what was asked for.
                self.fstat |= if new == word { 0 } else { MGSTAT0 };
            }
            Command::Erase { address, length } => self.erase(memory, at, address, length),
            Command::EraseAll { unsecure } => {
                self.erase(memory, at, 0, self.spec.size);
                if unsecure {
                    memory.write(CONFIG_FSEC, Size::Byte, 0xFE);
                }
                self.fsec = self.fsec & !0b11 | UNSECURE;
                self.fcnfg &= !FCNFG_ERSAREQ;
            }
            Command::ProgramOnce { index, word } => self.once[index] &= word,
        }
    }

    /// Erases, and verifies that it did.
    fn erase(&mut self, memory: &mut Memory, at: Time, address: u32, length: u32) {
        let left = self.faults.as_ref().map(|faults| {
            let old = |address| memory.read(address, Size::Word).unwrap_or(u32::MAX);
            faults.lock().erased(at, address..address + length, old)
        });
        erase(memory, address, length);
        for (address, word) in left.into_iter().flatten() {
            memory.write(address, Size::Word, word);
            self.fstat |= MGSTAT0;
        }
    }
}

fn erase(memory: &mut Memory, address: u32, length: u32) {
    (address..address + length).step_by(4).for_each(|at| {
        memory.write(at, Size::Word, u32::MAX);
    });
}

impl Peripheral for Ftfa {
    fn width(&self) -> Size {
        Size::Byte
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(u32::from(match offset {
            FSTAT => self.fstat,
            FCNFG => self.fcnfg,
            FSEC => self.fsec,
            FOPT => self.fopt,
            FCCOB..=FCCOB_END => self.fccob[((offset - FCCOB) ^ 3) as usize],
            FPROT..=FPROT_END => self.fprot[(offset - FPROT) as usize],
            _ => return None,
        }))
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, _: u32) -> Option<()> {
        let value = value as u8;
        let ready = self.fstat & CCIF != 0;
        match offset {
            FSTAT => {
                let refused = self.fstat & (ACCERR | FPVIOL) != 0;
                self.fstat &= !(value & (RDCOLERR | ACCERR | FPVIOL));
                if ready && value & CCIF != 0 && !refused {
                    self.launch(cx);
                }
            }
            FCNFG => self.fcnfg = self.fcnfg & FCNFG_ERSAREQ | value & (FCNFG_CCIE | FCNFG_RDCOLLIE),
            FCCOB..=FCCOB_END if ready => self.fccob[((offset - FCCOB) ^ 3) as usize] = value,
            // What is protected stays so until the next reset.
            FPROT..=FPROT_END if ready => self.fprot[(offset - FPROT) as usize] &= value,
            FSEC | FOPT | FCCOB..=FCCOB_END | FPROT..=FPROT_END => {}
            _ => return None,
        }
        Some(())
    }

    fn reset(&mut self, cx: &mut Cx<'_>, _: Reset) {
        let byte = |address| cx.memory.read(address, Size::Byte).unwrap_or(0xFF) as u8;
        *self = Ftfa {
            once: self.once,
            faults: self.faults.take(),
            cut_begun: self.cut_begun,
            fsec: byte(CONFIG_FSEC),
            fopt: byte(CONFIG_FOPT),
            fprot: [0, 1, 2, 3].map(|n| byte(CONFIG + 8 + n)),
            ..Ftfa::new(self.spec)
        };
    }

    fn irq(&self) -> bool {
        let (fstat, fcnfg) = (self.fstat, self.fcnfg);
        fstat & CCIF != 0 && fcnfg & FCNFG_CCIE != 0 || fstat & RDCOLERR != 0 && fcnfg & FCNFG_RDCOLLIE != 0
    }

    fn next(&self) -> Time {
        self.running.map_or(Time::NEVER, |(_, end)| end)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if let Some((command, end)) = self.running.take_if(|(_, end)| *end <= cx.now) {
            self.finish(cx.memory, command, end);
            self.fstat |= CCIF;
        }
    }

    fn steady(&self, _: u32) -> bool {
        true
    }
}

#[cfg(test)]
#[path = "ftfa_tests.rs"]
mod tests;
