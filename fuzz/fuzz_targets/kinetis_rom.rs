//! Frames for the boot loader in the KL27Z's ROM: the first byte of each says how long it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twinboard_models::kinetis::rom::chip::{FlashCommand, FlashFault, Layout, RomChip};
use twinboard_models::kinetis::rom::loader::Loader;
use twinboard_sim::time::{Span, Time};

/// A small chip whose flash takes no time, and forgets.
struct Chip(Vec<u8>);

impl RomChip for Chip {
    fn layout(&self) -> Layout {
        Layout {
            flash: 0x8000,
            sector: 0x400,
            blocks: 1,
            ram: 0x1FFF_F000,
            ram_size: 0x2000,
            ram_reserved: 0x400,
            sdid: 0,
        }
    }

    fn read(&self, _: u32, bytes: &mut [u8]) -> bool {
        bytes.fill(0);
        true
    }

    fn write_ram(&mut self, address: u32, bytes: &[u8]) -> bool {
        let at = address.wrapping_sub(0x1FFF_F000) as usize;
        self.0.get_mut(at..at.saturating_add(bytes.len())).is_some_and(|there| {
            there.copy_from_slice(bytes);
            true
        })
    }

    fn secured(&self) -> bool {
        false
    }

    fn launch(&mut self, command: FlashCommand) -> Result<Span, FlashFault> {
        if let FlashCommand::ProgramLongword { address, .. } | FlashCommand::EraseSector { address } = command {
            assert!(address.is_multiple_of(4) && address < 0x8000, "{address:#x}");
        }
        Ok(Span::us(1))
    }

    fn complete(&mut self, _: FlashCommand) -> Result<(), FlashFault> {
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let (mut loader, mut chip) = (Loader::default(), Chip(vec![0; 0x2000]));
    let mut rest = input;
    while let Some((&length, tail)) = rest.split_first() {
        let (frame, tail) = tail.split_at(tail.len().min(usize::from(length)));
        rest = tail;
        loader.frame(Time::ZERO, frame, &mut chip);
        // At the most one step per long-word, and one frame per 32 bytes of what a chip has.
        let mut steps = 0;
        while loader.busy_until().is_some() {
            loader.resume(&mut chip);
            steps += 1;
            assert!(steps <= 0x2000);
        }
        let mut frames = 0;
        while loader.has_frame() {
            assert!(loader.next_frame(&mut chip).is_some());
            frames += 1;
            assert!(frames <= 0x402);
        }
        loader.take_leave();
        assert!(loader.ready());
    }
});
