//! The shift registers that all bits of a packet pass through: CRC and whitening (PS "RADIO", "CRC" and "Data
//! whitening").

/// The CRC generator: CRCPOLY, CRCINIT and CRCCNF.LEN.
#[derive(Clone, Copy, Debug)]
pub struct Crc {
    register: u32,
    polynomial: u32,
    bits: u32,
}

impl Crc {
    /// A generator of `bytes` bytes, 0 to 3. Bit *n* of `polynomial` is the term x^*n*; the constant term is always
    /// there.
    #[must_use]
    pub fn new(bytes: u32, polynomial: u32, init: u32) -> Crc {
        let bits = 8 * bytes;
        let mask = (1 << bits) - 1;
        Crc { register: init & mask, polynomial: (polynomial | 1) & mask, bits }
    }

    /// Its length in bits.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// The next bit in the order in which they are on air.
    pub fn feed(&mut self, bit: bool) {
        if self.bits == 0 {
            return;
        }
        let feedback = (self.register >> (self.bits - 1) & 1 == 1) != bit;
        self.register = self.register << 1 & ((1 << self.bits) - 1);
        if feedback {
            self.register ^= self.polynomial;
        }
    }

    /// The remainder. It is sent most significant bit first.
    #[must_use]
    pub fn value(&self) -> u32 {
        self.register
    }
}

/// The whitening generator, x^7 + x^4 + 1, begun with DATAWHITEIV.
#[derive(Clone, Copy, Debug)]
pub struct Whitening(u8);

impl Whitening {
    /// Position 0 of the generator is 1 whatever is written; bit 0 of `iv` is its position 6, bit 5 its position 1.
    #[must_use]
    pub fn new(iv: u32) -> Whitening {
        Whitening((iv as u8 & 0x3F) | 0x40)
    }
}

impl Iterator for Whitening {
    type Item = bool;

    /// The bit that the next bit of the packet is combined with. Never ends.
    fn next(&mut self) -> Option<bool> {
        // Bit 0 of the word is position 6, the output; position 0 takes it in, and it is added on the way to 4.
        let out = self.0 & 1;
        self.0 = self.0 >> 1 | out << 6;
        self.0 ^= out << 2;
        Some(out == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crc(mut crc: Crc, bytes: &[u8], lsb_first: bool) -> u32 {
        for byte in bytes {
            (0..8).for_each(|n| crc.feed(byte >> if lsb_first { n } else { 7 - n } & 1 == 1));
        }
        crc.value()
    }

    #[test]
    fn the_crcs_are_those_of_the_catalogue() {
        // The catalogue of parametrised CRC algorithms, check values over "123456789".
        let digits = b"123456789";
        assert_eq!(crc(Crc::new(2, 0x1_1021, 0xFFFF), digits, false), 0x29B1, "CRC-16/IBM-3740");
        // Reflected there: CRC-16/MCRF4XX has 0x6F91, CRC-24/BLE 0xC25A56.
        let reflected = |value: u32, bits: u32| value.reverse_bits() >> (32 - bits);
        assert_eq!(reflected(crc(Crc::new(2, 0x1021, 0xFFFF), digits, true), 16), 0x6F91);
        assert_eq!(reflected(crc(Crc::new(3, 0x65B, 0x55_5555), digits, true), 24), 0xC2_5A56);
        assert_eq!(crc(Crc::new(0, 0x65B, 1), digits, true), 0, "no CRC");
    }

    #[test]
    fn the_whitening_of_advertising_channels_is_bluetooths() {
        // Core specification, volume 6 part B, 3.2: position 0 is 1, positions 1 to 6 the channel index.
        let bytes = |channel: u32| {
            let mut generator = Whitening::new(channel);
            [0; 4].map(|_: u8| (0..8).fold(0, |byte, n| byte | u8::from(generator.next() == Some(true)) << n))
        };
        assert_eq!(bytes(37), [0x8D, 0xD2, 0x57, 0xA1]);
        assert_eq!(bytes(38), [0xD6, 0xC5, 0x44, 0x20]);
        assert_eq!(bytes(39), [0x1F, 0x37, 0x4A, 0x5F]);
    }
}
