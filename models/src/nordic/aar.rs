//! AAR — accelerated address resolver (PS chapter "AAR"): which of several keys a resolvable private address was made
//! with (core specification, volume 6 part B, 1.3.2.3).

use twinboard_sim::cpu::memory::Memory;

use super::ecb::encrypt;
use super::peripheral::{Cx, Events, NEVER, us};

pub(super) const START: u32 = 0x000;
pub(super) const STOP: u32 = 0x008;
pub(super) const END: u32 = 0;
pub(super) const RESOLVED: u32 = 1;
pub(super) const NOTRESOLVED: u32 = 2;

/// Time for one key.
const KEY: u64 = us(6);
/// ADDRPTR points to a packet; S0, LENGTH and S1 come before the address.
const HEADER: u32 = 3;

/// The registers that AAR works with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Registers {
    pub nirk: u32,
    pub irkptr: u32,
    pub addrptr: u32,
}

/// The unit; its registers are in the page that it shares.
#[derive(Debug)]
pub(super) struct Aar {
    due: u64,
    result: Option<u32>,
    /// STATUS: the number of the key.
    pub status: u32,
}

impl Default for Aar {
    fn default() -> Aar {
        Aar { due: NEVER, result: None, status: 0 }
    }
}

impl Aar {
    pub fn next(&self) -> u64 {
        self.due
    }

    pub fn task(&mut self, cx: &mut Cx<'_>, registers: &Registers, offset: u32) -> Option<()> {
        match offset {
            START => {
                let keys = registers.nirk & 0x1F;
                self.result = resolve(cx.memory, registers, keys);
                let tried = self.result.map_or(keys, |n| n + 1);
                self.due = cx.now + u64::from(tried.max(1)) * KEY;
            }
            STOP => self.due = NEVER,
            _ => return None,
        }
        Some(())
    }

    pub fn run(&mut self, cx: &mut Cx<'_>, events: &mut Events) {
        if self.due > cx.now {
            return;
        }
        self.due = NEVER;
        match self.result {
            Some(n) => {
                self.status = n;
                events.raise(RESOLVED);
            }
            None => events.raise(NOTRESOLVED),
        }
        events.raise(END);
    }
}

/// The first key whose hash of prand is the address's.
fn resolve(memory: &Memory, registers: &Registers, keys: u32) -> Option<u32> {
    let address: [u8; 6] = memory.read_bytes(registers.addrptr.wrapping_add(HEADER), 6)?.try_into().ok()?;
    (0..keys).find(|n| {
        let key = memory.read_bytes(registers.irkptr.wrapping_add(16 * n), 16).and_then(|key| key.try_into().ok());
        key.is_some_and(|key| hash(key, [address[5], address[4], address[3]]) == [address[2], address[1], address[0]])
    })
}

/// The random address hash function `ah` (core specification, volume 3 part H, 2.2.2); all most significant first.
fn hash(key: [u8; 16], prand: [u8; 3]) -> [u8; 3] {
    let mut block = [0; 16];
    block[13..].copy_from_slice(&prand);
    let [.., a, b, c] = encrypt(key, block);
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::super::ccm_aar::testing::*;
    use super::*;

    /// Core specification, volume 3 part H, appendix D.7.
    const IRK: [u8; 16] =
        [0xEC, 0x02, 0x34, 0xA3, 0x57, 0xC8, 0xAD, 0x05, 0x34, 0x10, 0x10, 0xA6, 0x0A, 0x39, 0x7D, 0x9B];
    const PRAND: [u8; 3] = [0x70, 0x81, 0x94];
    const HASH: [u8; 3] = [0x0D, 0xFB, 0xAA];

    #[test]
    fn the_hash_is_that_of_the_core_specification() {
        assert_eq!(hash(IRK, PRAND), HASH);
    }

    #[test]
    fn the_key_of_an_address_is_found_after_6_us_for_each() {
        let address = [0xAA, 0xFB, 0x0D, 0x94, 0x81, 0x70];
        assert_eq!(run_aar(&[[1; 16], [2; 16], IRK, [3; 16]], address), (Some(2), us(18)));
        assert_eq!(run_aar(&[[1; 16], [2; 16]], address), (None, us(12)));
        assert_eq!(run_aar(&[IRK], [0xAB, 0xFB, 0x0D, 0x94, 0x81, 0x70]), (None, us(6)));
    }
}
