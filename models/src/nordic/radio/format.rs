//! The packet format (PS "RADIO", "Packet configuration"): from bytes in RAM to bits on air and back.
//!
//! | | address | S0 | LENGTH | S1 | payload | CRC |
//! |---|---|---|---|---|---|---|
//! | on air | BALEN + 1 bytes | 0 or 1 byte | LFLEN bits | S1LEN bits | LENGTH + STATLEN bytes | CRCCNF.LEN bytes |
//! | in RAM | – | as on air | 1 byte if there is one | 1 byte if there is one | as on air | – |

use super::crc::{Crc, Whitening};
use super::registers::*;
use crate::nordic::inert::Inert;
use crate::parts::air::{BitOrder, Bits, Modulation};

/// An address as it is on air, lowest bit first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    /// The bits.
    pub value: u64,
    /// How many.
    pub bits: u32,
}

impl Address {
    /// Whether `bits` begins with this address.
    #[must_use]
    pub fn begins(&self, bits: &Bits) -> bool {
        (0..self.bits).all(|n| bits.get(n) == Some(self.value >> n & 1 == 1))
    }
}

/// The most bytes of a packet in RAM: S0, LENGTH, S1 and 255 bytes.
pub const MAX_RAM: usize = 258;

/// A packet in RAM.
#[derive(Clone, Debug)]
pub struct Packet {
    /// S0, LENGTH, S1 and payload, as far as there are.
    pub ram: [u8; MAX_RAM],
    /// How many bytes of `ram` are before the payload.
    pub header: usize,
    /// Length of the payload in bytes.
    pub payload: usize,
}

/// What the configuration registers say about packets.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    pub preamble: u32,
    s0: u32,
    length: u32,
    s1: u32,
    s1_in_ram: bool,
    crc_in_length: bool,
    max: u32,
    fixed: u32,
    order: BitOrder,
    whitening: Option<u32>,
    crc: Crc,
    crc_skips_address: bool,
    crc_skips_length: bool,
}

/// Where a packet is on air, in bits behind the preamble.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Layout {
    /// End of the address.
    pub address: u32,
    /// End of S0, LENGTH and S1.
    pub header: u32,
    /// End of the payload.
    pub payload: u32,
    /// End of the CRC.
    pub end: u32,
}

/// What a receiver made of bits.
#[derive(Clone, Debug)]
pub struct Decoded {
    pub packet: Packet,
    pub layout: Layout,
    /// The CRC as received.
    pub crc: u32,
    pub crc_ok: bool,
}

impl Format {
    /// What the registers say now.
    #[must_use]
    pub fn new(registers: &Inert) -> Format {
        let (pcnf0, pcnf1, crccnf) = (registers.get(PCNF0), registers.get(PCNF1), registers.get(CRCCNF));
        let skip = crccnf >> 8 & 0b11;
        Format {
            preamble: [8, 16, 32, 80][(pcnf0 >> 24 & 0b11) as usize],
            s0: 8 * (pcnf0 >> 8 & 1),
            length: pcnf0 & 0xF,
            s1: pcnf0 >> 16 & 0xF,
            s1_in_ram: pcnf0 >> 20 & 1 == 1 || pcnf0 >> 16 & 0xF != 0,
            crc_in_length: pcnf0 >> 26 & 1 == 1,
            max: pcnf1 & 0xFF,
            fixed: pcnf1 >> 8 & 0xFF,
            order: if pcnf1 >> 24 & 1 == 1 { BitOrder::Big } else { BitOrder::Little },
            whitening: (pcnf1 >> 25 & 1 == 1).then(|| registers.get(DATAWHITEIV)),
            crc: Crc::new(crccnf & 0b11, registers.get(CRCPOLY), registers.get(CRCINIT)),
            crc_skips_address: skip != 0,
            crc_skips_length: skip == 2,
        }
    }

    /// The logical address `n`, 0 to 7 (PS "Address configuration"): the upper BALEN bytes of a base, then a prefix.
    #[must_use]
    pub fn address(registers: &Inert, modulation: Modulation, n: u32) -> Address {
        if modulation == Modulation::Ieee802154 {
            return Address { value: u64::from(registers.get(SFD) & 0xFF), bits: 8 };
        }
        let bytes = (registers.get(PCNF1) >> 16 & 0b111).min(4);
        let base = u64::from(registers.get(if n == 0 { BASE0 } else { BASE1 })) >> (8 * (4 - bytes));
        let prefixes = registers.get(if n < 4 { PREFIX0 } else { PREFIX1 });
        let prefix = u64::from(prefixes >> (8 * (n & 3)) & 0xFF);
        Address { value: base | prefix << (8 * bytes), bits: 8 * (bytes + 1) }
    }

    /// Length of the payload that a LENGTH field of `length` stands for.
    fn payload(&self, length: u32) -> u32 {
        let crc = if self.crc_in_length { self.crc.bits() / 8 } else { 0 };
        (length.saturating_sub(crc) + self.fixed).min(self.max)
    }

    fn layout(&self, address: u32, payload: u32) -> Layout {
        let header = address + self.s0 + self.length + self.s1;
        let payload = header + 8 * payload;
        Layout { address, header, payload, end: payload + self.crc.bits() }
    }

    /// The packet that begins in RAM with `ram`, as bits on air. Of S0, LENGTH and S1 only the bits that are on air
    /// count.
    #[must_use]
    pub fn encode(&self, address: Address, ram: &[u8; MAX_RAM]) -> (Bits, Layout) {
        let mut bytes = ram.iter().copied().map(u32::from);
        let mut field = |present: bool| if present { bytes.next().unwrap_or(0) } else { 0 };
        let (s0, length, s1) = (field(self.s0 > 0), field(self.length > 0), field(self.s1_in_ram));
        let length = length & ((1 << self.length) - 1);
        let payload = self.payload(length);
        let mut bits = Bits::default();
        let mut out = Out { bits: &mut bits, crc: self.crc, whitening: None };
        for n in 0..address.bits {
            out.push(address.value >> n & 1 == 1, !self.crc_skips_address);
        }
        out.whitening = self.whitening.map(Whitening::new);
        out.value(s0, self.s0, self.order, true);
        out.value(length, self.length, self.order, !self.crc_skips_length);
        out.value(s1, self.s1, self.order, true);
        for byte in bytes.take(payload as usize) {
            out.value(byte, 8, self.order, true);
        }
        let crc = out.crc;
        out.value(crc.value(), crc.bits(), BitOrder::Big, false);
        (bits, self.layout(address.bits, payload))
    }

    /// What a receiver that listens for `address` makes of `bits`. Where they end, `noise` goes on.
    #[must_use]
    pub fn decode(&self, address: Address, bits: &Bits, mut noise: impl FnMut() -> bool) -> Decoded {
        let mut input = In { bits, at: 0, crc: self.crc, whitening: None, noise: &mut noise };
        for _ in 0..address.bits {
            input.next(!self.crc_skips_address);
        }
        input.whitening = self.whitening.map(Whitening::new);
        let mut packet = Packet { ram: [0; MAX_RAM], header: 0, payload: 0 };
        let s0 = input.value(self.s0, self.order, true);
        let length = input.value(self.length, self.order, !self.crc_skips_length);
        let s1 = input.value(self.s1, self.order, true);
        for (value, present) in [(s0, self.s0 > 0), (length, self.length > 0), (s1, self.s1_in_ram)] {
            if present {
                packet.ram[packet.header] = value as u8;
                packet.header += 1;
            }
        }
        let payload = self.payload(length);
        packet.payload = payload as usize;
        for byte in packet.ram.iter_mut().skip(packet.header).take(packet.payload) {
            *byte = input.value(8, self.order, true) as u8;
        }
        let expected = input.crc;
        let crc = input.value(expected.bits(), BitOrder::Big, false);
        Decoded { packet, layout: self.layout(address.bits, payload), crc, crc_ok: crc == expected.value() }
    }

    /// How many bytes of a packet in RAM are there when `bits` bits behind the preamble have been received.
    #[must_use]
    pub fn stored(&self, layout: &Layout, packet: &Packet, bits: u32) -> usize {
        if bits < layout.header { 0 } else { packet.header + ((bits.min(layout.payload) - layout.header) / 8) as usize }
    }
}

struct Out<'a> {
    bits: &'a mut Bits,
    crc: Crc,
    whitening: Option<Whitening>,
}

impl Out<'_> {
    fn push(&mut self, bit: bool, in_crc: bool) {
        if in_crc {
            self.crc.feed(bit);
        }
        let white = self.whitening.as_mut().and_then(Iterator::next).unwrap_or(false);
        self.bits.push(bit != white);
    }

    fn value(&mut self, value: u32, count: u32, order: BitOrder, in_crc: bool) {
        for n in 0..count {
            let place = if order == BitOrder::Little { n } else { count - 1 - n };
            self.push(value >> place & 1 == 1, in_crc);
        }
    }
}

struct In<'a, N> {
    bits: &'a Bits,
    at: u32,
    crc: Crc,
    whitening: Option<Whitening>,
    noise: &'a mut N,
}

impl<N: FnMut() -> bool> In<'_, N> {
    fn next(&mut self, in_crc: bool) -> bool {
        let bit = self.bits.get(self.at).unwrap_or_else(&mut *self.noise);
        self.at += 1;
        let bit = bit != self.whitening.as_mut().and_then(Iterator::next).unwrap_or(false);
        if in_crc {
            self.crc.feed(bit);
        }
        bit
    }

    fn value(&mut self, count: u32, order: BitOrder, in_crc: bool) -> u32 {
        (0..count).fold(0, |value, n| {
            let bit = u32::from(self.next(in_crc));
            if order == BitOrder::Little { value | bit << n } else { value << 1 | bit }
        })
    }
}
