//! A chip for tests: flash as the FTFA chapter of the manual has it, RAM, and nothing else.

use twinboard_sim::time::Span;

use super::chip::{FlashCommand, FlashFault, Layout, RomChip};
use super::config::FCF;

const LAYOUT: Layout = Layout {
    flash: 0x4_0000,
    sector: 0x400,
    blocks: 2,
    ram: 0x1FFF_E000,
    ram_size: 0x8000,
    ram_reserved: 0x1000,
    sdid: 0x2716_1503,
};

pub(super) struct TestChip {
    pub flash: Vec<u8>,
    pub ram: Vec<u8>,
    /// FPROT0 is the first.
    pub fprot: u32,
    pub fsec: u8,
    pub commands: u64,
}

impl TestChip {
    pub fn blank() -> TestChip {
        TestChip { flash: vec![0xFF; 0x4_0000], ram: vec![0; 0x8000], fprot: u32::MAX, fsec: 0xFE, commands: 0 }
    }

    /// As a chip leaves reset with this in flash.
    pub fn with(image: &[u8]) -> TestChip {
        let mut chip = TestChip::blank();
        chip.put(0, image);
        chip.reset();
        chip
    }

    pub fn put(&mut self, address: u32, bytes: &[u8]) {
        self.flash[address as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// FPROT and FSEC are loaded from flash.
    pub fn reset(&mut self) {
        let field = &self.flash[FCF as usize..][..16];
        self.fprot = u32::from_le_bytes([field[8], field[9], field[10], field[11]]);
        self.fsec = field[12];
    }

    fn protected(&self, address: u32) -> bool {
        self.fprot >> (address / (LAYOUT.flash / 32)) & 1 == 0
    }
}

impl RomChip for TestChip {
    fn layout(&self) -> Layout {
        LAYOUT
    }

    fn read(&self, address: u32, bytes: &mut [u8]) -> bool {
        let (memory, at) =
            if address < LAYOUT.ram { (&self.flash, address) } else { (&self.ram, address - LAYOUT.ram) };
        let Some(there) = memory.get(at as usize..at as usize + bytes.len()) else { return false };
        bytes.copy_from_slice(there);
        true
    }

    fn write_ram(&mut self, address: u32, bytes: &[u8]) -> bool {
        let at = address.wrapping_sub(LAYOUT.ram) as usize;
        let Some(there) = self.ram.get_mut(at..at.saturating_add(bytes.len())) else { return false };
        there.copy_from_slice(bytes);
        true
    }

    fn secured(&self) -> bool {
        self.fsec & 3 != 2
    }

    fn launch(&mut self, command: FlashCommand) -> Result<Span, FlashFault> {
        self.commands += 1;
        match command {
            FlashCommand::ProgramLongword { address, .. } if self.protected(address) => Err(FlashFault::Protection),
            FlashCommand::ProgramLongword { .. } => Ok(Span::us(65)),
            FlashCommand::EraseSector { address } if self.protected(address) => Err(FlashFault::Protection),
            FlashCommand::EraseSector { .. } => Ok(Span::ms(14)),
            FlashCommand::EraseAllBlocks if self.fprot != u32::MAX => Err(FlashFault::Protection),
            FlashCommand::EraseAllBlocks | FlashCommand::EraseAllBlocksUnsecure => Ok(Span::ms(140)),
            FlashCommand::VerifyBackdoorKey { key } => {
                let enabled = self.fsec >> 6 == 2;
                if enabled && self.flash[FCF as usize..][..8] == key {
                    Ok(Span::us(30))
                } else {
                    Err(FlashFault::Access)
                }
            }
        }
    }

    fn complete(&mut self, command: FlashCommand) -> Result<(), FlashFault> {
        match command {
            FlashCommand::ProgramLongword { address, value } => {
                let cells = &mut self.flash[address as usize..][..4];
                for (cell, byte) in cells.iter_mut().zip(value.to_le_bytes()) {
                    *cell &= byte;
                }
                if cells != value.to_le_bytes() {
                    return Err(FlashFault::Command);
                }
            }
            FlashCommand::EraseSector { address } => self.flash[address as usize..][..0x400].fill(0xFF),
            FlashCommand::EraseAllBlocks => self.flash.fill(0xFF),
            FlashCommand::EraseAllBlocksUnsecure => {
                self.flash.fill(0xFF);
                self.put(FCF + 12, &[0xFE]);
                self.fsec = 0xFE;
            }
            FlashCommand::VerifyBackdoorKey { .. } => self.fsec = self.fsec & !3 | 2,
        }
        Ok(())
    }
}
