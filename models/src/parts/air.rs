//! What goes over the air between boards: a transmission as its bits, its place in the band, and its strength.
//!
//! The bits are those that a receiver's demodulator would see, whitened and with their CRC, so that two radios
//! understand each other exactly if both are configured alike.

use twinboard_sim::time::{Span, Time};

/// How bits become waves. Radios hear only their own kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Modulation {
    /// Nordic's own, 1 Mbit/s.
    Nrf1Mbit,
    /// Nordic's own, 2 Mbit/s.
    Nrf2Mbit,
    /// Nordic's own, 250 kbit/s (nRF51).
    Nrf250Kbit,
    /// Bluetooth low energy, LE 1M.
    Ble1Mbit,
    /// Bluetooth low energy, LE 2M.
    Ble2Mbit,
    /// Bluetooth low energy, LE Coded, eight symbols a bit.
    BleLr125Kbit,
    /// Bluetooth low energy, LE Coded, two symbols a bit behind the address.
    BleLr500Kbit,
    /// IEEE 802.15.4, O-QPSK at 2.4 GHz.
    Ieee802154,
}

/// LE Coded: preamble (Bluetooth core specification, volume 6 part B, 2.2).
const CODED_PREAMBLE: Span = Span::us(80);
/// LE Coded: coding indicator and first termination, between address and the rest.
const CODED_INDICATOR: Span = Span::us(16 + 24);

impl Modulation {
    /// The length of a bit behind the address.
    #[must_use]
    pub fn bit(self) -> Span {
        match self {
            Modulation::Nrf1Mbit | Modulation::Ble1Mbit => Span::us(1),
            Modulation::Nrf2Mbit | Modulation::Ble2Mbit => Span::ns(500),
            Modulation::Nrf250Kbit | Modulation::Ieee802154 => Span::us(4),
            Modulation::BleLr125Kbit => Span::us(8),
            Modulation::BleLr500Kbit => Span::us(2),
        }
    }

    /// Whether a receiver set to `self` demodulates `other`: the coded rates announce themselves.
    #[must_use]
    pub fn hears(self, other: Modulation) -> bool {
        self == other || self.is_coded() && other.is_coded()
    }

    /// Whether it is one of the coded rates of Bluetooth.
    #[must_use]
    pub fn is_coded(self) -> bool {
        matches!(self, Modulation::BleLr125Kbit | Modulation::BleLr500Kbit)
    }

    /// From the first bit of a preamble of `preamble` bits to the end of the bit number `bits` behind it, of which the
    /// first `address` are the address.
    #[must_use]
    pub fn span(self, preamble: u32, address: u32, bits: u32) -> Span {
        let n = u64::from;
        if !self.is_coded() {
            return self.bit() * n(preamble + bits);
        }
        let head = CODED_PREAMBLE + Span::us(8) * n(bits.min(address));
        if bits <= address { head } else { head + CODED_INDICATOR + self.bit() * n(bits - address) }
    }
}

/// The order in which the bits of a byte go on air.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BitOrder {
    /// Least significant bit first.
    Little,
    /// Most significant bit first.
    Big,
}

/// The most bytes behind the preamble: address, S0, LENGTH, S1, 255 bytes, CRC.
const MAX_BYTES: usize = 272;

/// A string of bits in the order in which they are on air.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bits {
    bytes: [u8; MAX_BYTES],
    len: u32,
}

impl Default for Bits {
    fn default() -> Bits {
        Bits { bytes: [0; MAX_BYTES], len: 0 }
    }
}

impl Bits {
    /// How many bits.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bit at `index`.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<bool> {
        let byte = self.bytes.get(index as usize / 8)?;
        (index < self.len).then_some(byte >> (index % 8) & 1 == 1)
    }

    /// Appends a bit; there is room for every packet that a radio can be configured to send.
    pub fn push(&mut self, bit: bool) {
        if let Some(byte) = self.bytes.get_mut(self.len as usize / 8) {
            *byte |= u8::from(bit) << (self.len % 8);
            self.len += 1;
        }
    }

    /// Appends the lowest `count` bits of `value`.
    pub fn push_value(&mut self, value: u32, count: u32, order: BitOrder) {
        for n in 0..count {
            self.push(value >> if order == BitOrder::Little { n } else { count - 1 - n } & 1 == 1);
        }
    }

    /// Turns the bit at `index` over.
    pub fn flip(&mut self, index: u32) {
        if index < self.len
            && let Some(byte) = self.bytes.get_mut(index as usize / 8)
        {
            *byte ^= 1 << (index % 8);
        }
    }
}

/// One packet on air.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmission {
    /// When the first bit of the preamble leaves the antenna.
    pub start: Time,
    /// Carrier frequency in MHz.
    pub mhz: u16,
    /// How it is modulated.
    pub modulation: Modulation,
    /// Strength at the antenna in dBm.
    pub dbm: i8,
    /// Bits of the preamble.
    pub preamble: u32,
    /// How many of `bits` are the address.
    pub address: u32,
    /// Everything behind the preamble: address, header, payload and CRC, whitened.
    pub bits: Bits,
}

impl Transmission {
    /// No transmission acts on a receiver sooner after its start: eight bits of preamble and the shortest address, at
    /// the highest rate. Boards that share an ether may run so far apart.
    pub const SOONEST: Span = Span::us(16);

    /// When its last bit has left the antenna.
    #[must_use]
    pub fn end(&self) -> Time {
        self.start + self.modulation.span(self.preamble, self.address, self.bits.len())
    }
}

/// A transmission as it arrives at an antenna.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reception {
    /// What arrives; the time is the receiver's, and bits may have been damaged on the way.
    pub transmission: Transmission,
    /// Strength at the receiver's antenna in dBm.
    pub dbm: i16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_of_ble_1m_takes_8_us_a_byte() {
        // Core specification, volume 6 part B, 2.1: an empty packet (preamble, address, header, CRC) lasts 80 us.
        assert_eq!(Modulation::Ble1Mbit.span(8, 32, 32 + 16 + 24), Span::us(80));
        assert_eq!(Modulation::Ble2Mbit.span(16, 32, 32 + 16 + 24), Span::us(44));
    }

    #[test]
    fn a_coded_packet_has_the_length_of_the_core_specification() {
        // Volume 6 part B, 2.2: 80 + 256 + 16 + 24 + N * 64 + 24 * 8 + 24 us for S=8, with TERM2 counted as 3 bits.
        let bits = 32 + 16 + 24 + 3;
        assert_eq!(Modulation::BleLr125Kbit.span(80, 32, bits), Span::us(80 + 256 + 16 + 24 + 128 + 192 + 24));
        assert_eq!(Modulation::BleLr500Kbit.span(80, 32, bits), Span::us(80 + 256 + 16 + 24 + 32 + 48 + 6));
    }

    #[test]
    fn bits_come_out_as_they_went_in() {
        let mut bits = Bits::default();
        bits.push_value(0b1101, 4, BitOrder::Little);
        bits.push_value(0b1101, 4, BitOrder::Big);
        bits.flip(0);
        let all: Vec<_> = (0..9).map(|n| bits.get(n)).collect();
        let expected = [0, 0, 1, 1, 1, 1, 0, 1].map(|bit| Some(bit == 1));
        assert_eq!(all, [&expected[..], &[None]].concat());
    }
}
