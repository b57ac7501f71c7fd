//! CCM — AES CCM mode encryption (PS chapter "CCM"): Bluetooth's link layer packets, on their way to or from RADIO.
//!
//! KSGEN prepares the key stream, CRYPT works through the packet at the rate at which the radio sends or receives it.
//! Packets are S0, LENGTH, S1 and payload in RAM; a MIC of four bytes follows the payload of an encrypted one.

use aes::Aes128;
use ccm::aead::AeadInPlace;
use ccm::aead::generic_array::GenericArray;
use ccm::consts::{U4, U13};
use ccm::{Ccm as Mode, KeyInit};
use twinboard_sim::cpu::memory::Memory;

use super::peripheral::{Cx, Events, NEVER, us};

pub(super) const KSGEN: u32 = 0x000;
pub(super) const CRYPT: u32 = 0x004;
pub(super) const STOP: u32 = 0x008;
pub(super) const RATEOVERRIDE_TASK: u32 = 0x00C;
pub(super) const ENDKSGEN: u32 = 0;
pub(super) const ENDCRYPT: u32 = 1;
const ENDKSGEN_CRYPT: u32 = 1;

/// The key stream of a packet of 27 bytes is ready within this time.
const KEY_STREAM: u64 = us(50);
/// CRYPT is so far behind the radio.
const BEHIND: u64 = us(2);
const MIC: usize = 4;
/// S0, LENGTH, S1.
const HEADER: usize = 3;

/// Offsets in the structure that CNFPTR points to.
mod cnf {
    pub const PKTCTR: usize = 16;
    pub const DIRECTION: usize = 24;
    pub const IV: usize = 25;
    pub const SIZE: usize = 33;
}

/// The registers that CCM works with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Registers {
    pub shorts: u32,
    pub mode: u32,
    pub cnfptr: u32,
    pub inptr: u32,
    pub outptr: u32,
    pub header_mask: u32,
    /// RATEOVERRIDE, once its task has been triggered.
    pub rate: Option<u32>,
}

impl Registers {
    /// Cycles for a byte.
    fn byte(&self) -> u64 {
        match self.rate.unwrap_or(self.mode >> 16) & 0b11 {
            0 => us(8),
            1 => us(4),
            2 => us(64),
            _ => us(16),
        }
    }

    fn decrypts(&self) -> bool {
        self.mode & 1 == 1
    }

    /// The LENGTH of the packet at INPTR; short packets have a field of five bits.
    fn length(&self, memory: &Memory) -> usize {
        let length = memory.read_bytes(self.inptr.wrapping_add(1), 1).map_or(0, |byte| byte[0]);
        usize::from(if self.mode >> 24 & 1 == 1 { length } else { length & 0x1F })
    }
}

/// The unit at work.
#[derive(Clone, Copy, Debug, Default)]
enum Work {
    #[default]
    Idle,
    KeyStream(u64),
    /// Waits for the header of a packet that is being received.
    Header(u64),
    Packet(u64, usize),
}

/// The unit; its registers are in the page that it shares.
#[derive(Debug, Default)]
pub(super) struct Ccm {
    work: Work,
    /// MICSTATUS.
    pub mic_ok: bool,
}

impl Ccm {
    pub fn next(&self) -> u64 {
        match self.work {
            Work::Idle => NEVER,
            Work::KeyStream(at) | Work::Header(at) | Work::Packet(at, _) => at,
        }
    }

    pub fn task(&mut self, cx: &mut Cx<'_>, registers: &Registers, offset: u32) -> Option<()> {
        match offset {
            KSGEN => self.work = Work::KeyStream(cx.now + KEY_STREAM),
            CRYPT => self.work = Work::Header(cx.now + 2 * registers.byte() + BEHIND),
            STOP => self.work = Work::Idle,
            _ => return None,
        }
        Some(())
    }

    pub fn run(&mut self, cx: &mut Cx<'_>, registers: &Registers, events: &mut Events) {
        match self.work {
            Work::KeyStream(at) if at <= cx.now => {
                self.work = Work::Idle;
                events.raise(ENDKSGEN);
                if registers.shorts & ENDKSGEN_CRYPT != 0 {
                    self.task(cx, registers, CRYPT);
                }
            }
            Work::Header(at) if at <= cx.now => {
                let length = registers.length(cx.memory);
                self.work = Work::Packet(cx.now + length as u64 * registers.byte(), length);
            }
            Work::Packet(at, length) if at <= cx.now => {
                self.work = Work::Idle;
                if let Some(ok) = crypt(cx.memory, registers, length) {
                    self.mic_ok = ok;
                }
                events.raise(ENDCRYPT);
            }
            _ => {}
        }
    }
}

/// Nonce of a packet (core specification, volume 6 part E, 2.1).
fn nonce(cnf: &[u8; cnf::SIZE]) -> [u8; 13] {
    let mut nonce = [0; 13];
    nonce[..5].copy_from_slice(&cnf[cnf::PKTCTR..cnf::PKTCTR + 5]);
    nonce[4] = nonce[4] & 0x7F | cnf[cnf::DIRECTION] << 7;
    nonce[5..].copy_from_slice(&cnf[cnf::IV..]);
    nonce
}

/// Works through the packet. True if the MIC is good, or there is none to check; `None` if a pointer leads nowhere.
fn crypt(memory: &mut Memory, registers: &Registers, length: usize) -> Option<bool> {
    let cnf: [u8; cnf::SIZE] = memory.read_bytes(registers.cnfptr, cnf::SIZE)?.try_into().ok()?;
    let mut packet = [0; HEADER + 256 + MIC];
    packet[..HEADER + length].copy_from_slice(memory.read_bytes(registers.inptr, HEADER + length)?);
    let (header, body) = packet.split_at_mut(HEADER);
    let cipher = Mode::<Aes128, U4, U13>::new(GenericArray::from_slice(&cnf[..16]));
    let nonce = GenericArray::from(nonce(&cnf));
    let aad = [header[0] & registers.header_mask as u8];
    let mut good = true;
    // Empty packets are neither encrypted nor have they a MIC.
    let out = if length == 0 {
        0
    } else if registers.decrypts() {
        let text = length.saturating_sub(MIC);
        let mut mic = [0; MIC];
        mic.copy_from_slice(&body[text..text + MIC]);
        // The text comes out whatever the MIC says: encrypting is decrypting.
        let mut cipher_text = [0; 256];
        cipher_text[..text].copy_from_slice(&body[..text]);
        good = cipher.decrypt_in_place_detached(&nonce, &aad, &mut body[..text], &GenericArray::from(mic)).is_ok();
        if !good {
            body[..text].copy_from_slice(&cipher_text[..text]);
            cipher.encrypt_in_place_detached(&nonce, &aad, &mut body[..text]).ok()?;
        }
        text
    } else {
        let mic = cipher.encrypt_in_place_detached(&nonce, &aad, &mut body[..length]).ok()?;
        body[length..length + MIC].copy_from_slice(&mic);
        length + MIC
    };
    header[1] = out as u8;
    memory.write_bytes(registers.outptr, &packet[..HEADER + out]).then_some(good)
}

#[cfg(test)]
mod tests {
    use super::super::ccm_aar::testing::*;

    /// Sample data of the core specification, volume 6 part C, 1.
    fn cnf(counter: u8, to_peripheral: bool) -> Vec<u8> {
        let mut cnf = vec![
            0x99, 0xAD, 0x1B, 0x52, 0x26, 0xA3, 0x7E, 0x3E, 0x05, 0x8E, 0x3B, 0x8E, 0x27, 0xC2, 0xC6, 0x66, // SK
            counter, 0, 0, 0, 0, 0, 0, 0,
        ];
        cnf.push(u8::from(to_peripheral));
        cnf.extend([0x24, 0xAB, 0xDC, 0xBA, 0xBE, 0xBA, 0xAF, 0xDE]);
        cnf
    }

    const DATA_CLEAR: &[u8] = b"\x0E\x1B\0\x17\0\x63\x64\x65\x66\x67\x68\x69\x6A\x6B\x6C\x6D\x6E\x6F\x70\x71\x31\x32\x33\x34\x35\x36\x37\x38\x39\x30";
    const DATA_SECRET: [u8; 34] = [
        0x0E, 0x1F, 0, 0x7A, 0x70, 0xD6, 0x64, 0x15, 0x22, 0x6D, 0xF2, 0x6B, 0x17, 0x83, 0x9A, 0x06, 0x04, 0x05, 0x59,
        0x6B, 0xD6, 0x56, 0x4F, 0x79, 0x6B, 0x5B, 0x9C, 0xE6, 0xFF, 0x32, 0xF7, 0x5A, 0x6D, 0x33,
    ];

    #[test]
    fn the_packets_of_the_core_specification_are_encrypted_as_there() {
        for (cnf, clear, secret) in [
            (cnf(0, true), &[0x0F, 0x01, 0, 0x06][..], &[0x0F, 0x05, 0, 0x9F, 0xCD, 0xA7, 0xF4, 0x48][..]),
            (cnf(0, false), &[0x07, 0x01, 0, 0x06], &[0x07, 0x05, 0, 0xA3, 0x4C, 0x13, 0xA4, 0x15]),
            (cnf(1, true), DATA_CLEAR, &DATA_SECRET),
        ] {
            assert_eq!(run_ccm(&cnf, clear, 0, secret.len()), (secret.to_vec(), None));
            assert_eq!(run_ccm(&cnf, secret, 1, clear.len()), (clear.to_vec(), Some(true)));
        }
    }

    #[test]
    fn a_damaged_packet_fails_its_check_and_comes_out_all_the_same() {
        let mut damaged = DATA_SECRET;
        damaged[5] ^= 1;
        let (out, mic) = run_ccm(&cnf(1, true), &damaged, 1, DATA_CLEAR.len());
        let mut expected = DATA_CLEAR.to_vec();
        expected[5] ^= 1;
        assert_eq!((out, mic), (expected, Some(false)));
    }

    #[test]
    fn an_empty_packet_passes_as_it_is() {
        let (out, _) = run_ccm(&cnf(1, true), &[0x0D, 0, 0], 0, 4);
        assert_eq!(out, [0x0D, 0, 0, 0xEE], "no MIC");
    }
}
