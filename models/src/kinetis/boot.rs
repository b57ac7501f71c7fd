//! What a chip with a boot loader in ROM does when its reset ends, and how the boot loader reaches the chip.
//!
//! The boot loader is a model ([`super::rom`]), so while it works the core stands still. It leaves by a reset, or by
//! giving the core a program. A function that it calls returns to an address in ROM where an instruction stores to ROM,
//! and that store is how the chip knows.

use twinboard_sim::chip::Chip;
use twinboard_sim::cpu::arm::{Core, Register};
use twinboard_sim::cpu::memory::{Kind, Memory};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::PinId;

use super::chip::{Kinetis, Stopped};
use super::ftfa::MGSTAT0;
use super::peripheral::Reset;
use super::rom::boot::{BootSource, Straps};
use super::rom::chip::{FlashCommand, FlashFault, Layout, RomChip};
use super::rom::config::Fopt;
use super::rom::{End, Rom};
use super::soc::Soc;

/// A chip's boot loader in ROM.
#[derive(Clone, Copy, Debug)]
pub struct RomSpec {
    /// Blocks of flash.
    pub blocks: u32,
    /// Bytes at the start of RAM that it uses itself.
    pub ram_reserved: u32,
    /// BOOTCFG0.
    pub boot_pin: PinId,
    /// Pins of the other peripherals that it listens to, with their bits of `rom::config::peripheral`.
    pub hears: &'static [(PinId, u8)],
}

/// First address of the ROM.
const ROM: u32 = 0x1C00_0000;

/// Where a function that the boot loader called returns to: `str r0, [r1]` after `ldr r1, =RETURNED`, and stay.
const RETURN: u32 = ROM + 0x20;

/// A store here is such a return.
pub(super) const RETURNED: u32 = ROM + 0x2C;

const STUB: [u8; 16] = [
    0x01, 0x49, // ldr r1, [pc, #4]
    0x08, 0x60, // str r0, [r1]
    0xFE, 0xE7, // b .
    0xFE, 0xE7, // b .
    0x2C, 0x00, 0x00, 0x1C, // RETURNED
    0x00, 0x00, 0x00, 0x00,
];

const R0: Register = Register(0);
const SP: Register = Register(13);
const LR: Register = Register(14);
const PC: Register = Register(15);
const XPSR: Register = Register(16);
const XPSR_T: u32 = 1 << 24;

/// Puts what the chip executes of its ROM into its memory.
pub(super) fn add_rom(memory: &mut Memory) {
    memory.add(Kind::Flash, ROM, 0x30, 0);
    memory.write_bytes(RETURN, &STUB);
}

/// The chip as its boot loader reaches it.
struct Reach<'a> {
    core: &'a mut Core,
    soc: &'a mut Soc,
    spec: &'static RomSpec,
    now: Time,
}

impl RomChip for Reach<'_> {
    fn layout(&self) -> Layout {
        let table = self.soc.table;
        Layout {
            flash: table.flash.size,
            sector: table.flash.sector,
            blocks: self.spec.blocks,
            ram: table.ram.0,
            ram_size: table.ram.1,
            ram_reserved: self.spec.ram_reserved,
            sdid: table.sim.sdid,
        }
    }

    fn read(&self, address: u32, bytes: &mut [u8]) -> bool {
        let there = self.core.memory().read_bytes(address, bytes.len());
        there.is_some_and(|there| {
            bytes.copy_from_slice(there);
            true
        })
    }

    fn write_ram(&mut self, address: u32, bytes: &[u8]) -> bool {
        let (start, size) = self.soc.table.ram;
        let within = address.wrapping_sub(start) < size;
        within && self.core.memory_mut().write_bytes(address, bytes)
    }

    fn secured(&self) -> bool {
        self.soc.ftfa.is_secure()
    }

    fn launch(&mut self, command: FlashCommand) -> Result<Span, FlashFault> {
        let (code, address, words) = match command {
            FlashCommand::ProgramLongword { address, value } => (0x06, address, [value, 0]),
            FlashCommand::EraseSector { address } => (0x09, address, [0; 2]),
            FlashCommand::EraseAllBlocks => (0x44, 0, [0; 2]),
            FlashCommand::VerifyBackdoorKey { key: [a, b, c, d, e, f, g, h] } => {
                (0x45, 0, [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])])
            }
            FlashCommand::EraseAllBlocksUnsecure => (0x49, 0, [0; 2]),
        };
        let mut fccob = [0; 12];
        for (place, word) in fccob.as_chunks_mut().0.iter_mut().zip([code << 24 | address, words[0], words[1]]) {
            *place = word.to_be_bytes();
        }
        self.soc.ftfa.launch_at(self.now, self.core.memory(), fccob).map_err(fault)
    }

    fn complete(&mut self, _: FlashCommand) -> Result<(), FlashFault> {
        match self.soc.ftfa.complete(self.core.memory_mut()) {
            0 => Ok(()),
            flags => Err(fault(flags)),
        }
    }
}

fn fault(flags: u8) -> FlashFault {
    const FPVIOL: u8 = 1 << 4;
    match flags {
        MGSTAT0 => FlashFault::Command,
        FPVIOL => FlashFault::Protection,
        _ => FlashFault::Access,
    }
}

impl Kinetis {
    fn reach(&mut self, now: Time) -> Option<(Option<&mut Rom>, Reach<'_>)> {
        let spec = self.soc.table.rom?;
        let Kinetis { core, soc, rom, .. } = self;
        Some((rom.as_mut(), Reach { core, soc, spec, now }))
    }

    /// The reset ends: the core begins with flash or with the boot loader.
    pub(super) fn begin(&mut self) {
        self.stopped = Stopped::No;
        let now = self.now();
        let Some(spec) = self.soc.table.rom.filter(|_| !self.handed_over) else { return };
        let straps = Straps {
            fopt: Fopt(self.soc.ftfa.fopt()),
            boot_pin_low: self.soc.pins.is_held_low(spec.boot_pin),
            force_rom: self.soc.rcm().map_or(0, |rcm| rcm.force_rom()),
        };
        let BootSource::Rom { mode } = straps.boot_source() else { return };
        if let Some(rcm) = self.soc.rcm() {
            rcm.booted_from_rom(mode);
        }
        let Some((_, reach)) = self.reach(now) else { return };
        let rom = Rom::new(now, mode, &reach);
        self.rom = Some(rom);
        self.stopped = Stopped::InRom;
        self.soc.run_cop(now, false);
    }

    /// The boot loader works until now.
    pub(super) fn run_rom(&mut self) {
        let now = self.now();
        let Some((Some(rom), mut reach)) = self.reach(now) else { return };
        let Some((_, end)) = rom.advance(now, &mut reach) else { return };
        match end {
            End::Reset => self.reset(Reset::Software),
            End::Start { address, argument, stack } => {
                self.leave_rom();
                self.soc.run_cop(now, true);
                self.give_core(address, argument);
                self.core.set_register(SP, stack);
                self.stopped = Stopped::No;
            }
            End::Call { address, argument } => {
                let (ram, size) = self.soc.table.ram;
                self.give_core(address, argument);
                self.core.set_register(SP, ram + size);
                self.core.set_register(LR, RETURN | 1);
                self.stopped = Stopped::No;
            }
        }
    }

    /// A function that the boot loader had called is back.
    pub(super) fn returned_to_rom(&mut self) {
        let now = self.now();
        if let Some(rom) = &mut self.rom {
            rom.returned(now);
            self.stopped = Stopped::InRom;
        }
    }

    /// There is traffic on a pin from outside.
    pub(super) fn rom_hears(&mut self, pin: PinId) {
        let (Some(rom), Some(spec)) = (&mut self.rom, self.soc.table.rom) else { return };
        for (_, source) in spec.hears.iter().filter(|(heard, _)| *heard == pin) {
            rom.traffic(*source);
        }
    }

    /// The boot loader is left for good.
    pub(super) fn leave_rom(&mut self) {
        if let Some(rom) = self.rom.take() {
            self.attention_before += rom.attention() + 1;
        }
    }

    fn give_core(&mut self, address: u32, argument: u32) {
        self.core.set_register(R0, argument);
        self.core.set_register(XPSR, XPSR_T);
        self.core.set_register(PC, address & !1);
    }
}
