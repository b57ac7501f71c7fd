//! ECB — AES electronic codebook encryption (PS chapter "ECB"): one block of AES-128.
//!
//! ECBDATAPTR points to 48 bytes: key, clear text, and the place for the cipher text, all in the byte order of
//! FIPS-197.

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};

use super::clock::LfClk;
use super::peripheral::{Cx, Events, NEVER, PCLK16M, Peripheral, Reset};

const STARTECB: u32 = 0x000;
const STOPECB: u32 = 0x004;
const ECBDATAPTR: u32 = 0x504;
const ENDECB: u32 = 0;
const ERRORECB: u32 = 1;

const CLEAR: u32 = 16;
const CIPHER: u32 = 32;

/// One block, in place.
pub(super) fn encrypt(key: [u8; 16], block: [u8; 16]) -> [u8; 16] {
    let mut block = block.into();
    Aes128::new(&key.into()).encrypt_block(&mut block);
    block.into()
}

/// The register machine.
#[derive(Debug)]
pub struct Ecb {
    events: Events,
    pointer: u32,
    /// Cycles for a block.
    block: u64,
    due: u64,
    /// When ERRORECB follows STOPECB.
    stopped: u64,
}

impl Ecb {
    /// A unit that takes `block` cycles for a block.
    #[must_use]
    pub fn new(block: u64) -> Ecb {
        Ecb { events: Events::new(1 << ENDECB | 1 << ERRORECB), pointer: 0, block, due: NEVER, stopped: NEVER }
    }
}

impl Peripheral for Ecb {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        (offset == ECBDATAPTR).then_some(self.pointer)
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        (offset == ECBDATAPTR).then(|| self.pointer = value)
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        match offset {
            // A block that is under way is finished first.
            STARTECB if self.due == NEVER => self.due = cx.now + self.block,
            STARTECB => {}
            STOPECB if self.due != NEVER => (self.due, self.stopped) = (NEVER, cx.now + PCLK16M),
            STOPECB => {}
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        self.events.reset();
        (self.pointer, self.due, self.stopped) = (0, NEVER, NEVER);
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.due.min(self.stopped)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.stopped <= cx.now {
            self.stopped = NEVER;
            self.events.raise(ERRORECB);
        }
        if self.due > cx.now {
            return;
        }
        self.due = NEVER;
        let block = |at| cx.memory.read_bytes(self.pointer.wrapping_add(at), 16)?.try_into().ok();
        if let (Some(key), Some(clear)) = (block(0), block(CLEAR)) {
            cx.memory.write_bytes(self.pointer.wrapping_add(CIPHER), &encrypt(key, clear));
        }
        self.events.raise(ENDECB);
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::super::peripheral::us;
    use super::*;

    const DATA: u32 = 0x2000_0100;

    fn started() -> (Bench, Ecb) {
        let (mut bench, mut ecb) = (Bench::default(), Ecb::new(us(7)));
        let bytes: Vec<u8> = (0..16).chain((0..16).map(|n| n * 0x11)).collect();
        bench.memory.write_bytes(DATA, &bytes);
        ecb.write(&mut bench.cx(), ECBDATAPTR, DATA);
        ecb.task(&mut bench.cx(), STARTECB);
        (bench, ecb)
    }

    #[test]
    fn the_example_of_fips_197_comes_out() {
        // FIPS-197, appendix C.1.
        let (mut bench, mut ecb) = started();
        assert_eq!(bench.wait(&mut ecb, ENDECB, NEVER - 1), Some(us(7)));
        let expected = [0x69, 0xC4, 0xE0, 0xD8, 0x6A, 0x7B, 0x04, 0x30, 0xD8, 0xCD, 0xB7, 0x80, 0x70, 0xB4, 0xC5, 0x5A];
        assert_eq!(bench.memory.read_bytes(DATA + CIPHER, 16), Some(&expected[..]));
    }

    #[test]
    fn a_block_that_is_stopped_leaves_an_error_and_no_cipher_text() {
        let (mut bench, mut ecb) = started();
        ecb.task(&mut bench.cx(), STOPECB);
        assert!(!ecb.events().is_set(ERRORECB), "not in the write that stops it");
        bench.run_to(&mut ecb, us(20));
        assert_eq!((ecb.events().is_set(ERRORECB), ecb.events().is_set(ENDECB)), (true, false));
        assert_eq!(bench.memory.read_bytes(DATA + CIPHER, 16), Some(&[0; 16][..]));
    }

    #[test]
    fn a_reset_forgets_everything() {
        let (mut bench, mut ecb) = started();
        ecb.reset(&mut bench.cx(), Reset::Soft);
        assert_eq!((ecb.next(&LfClk::default()), ecb.read(&mut bench.cx(), ECBDATAPTR)), (NEVER, Some(0)));
    }
}
