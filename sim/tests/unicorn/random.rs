//! Seeded random numbers, with a taste for the corners.

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    /// 32 even random bits.
    pub fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as u32
    }

    /// 0 to `bound` - 1.
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.next()) * u64::from(bound)) >> 32) as u32
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u32) as usize]
    }

    /// A register's contents: often a number at which something overflows, carries or saturates.
    pub fn word(&mut self) -> u32 {
        match self.below(8) {
            0 => *self.pick(&[0, 1, 2, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0xFFFF_FFFF, 0xFFFF_FFFE]),
            1 => *self.pick(&[0x7FFF_7FFF, 0x8000_8000, 0x7F80_807F, 0xFF00_00FF, 0x0001_FFFF, 0xFFFF_8000]),
            2 => self.below(34),
            3 => 1 << self.below(32),
            4 => (1u32 << self.below(32)).wrapping_neg(),
            _ => self.next(),
        }
    }

    /// A single: often zero, infinite, NaN, denormal, at a range's end, or near one so that sums cancel.
    pub fn single(&mut self) -> u32 {
        let sign = self.next() & 1 << 31;
        match self.below(10) {
            0 => sign | *self.pick(&[0, 0x7F80_0000, 0x7FC0_0000, 0x7F80_0001, 0x7FFF_FFFF, 0x3F80_0000, 0x7F7F_FFFF]),
            1 => sign | *self.pick(&[1, 0x007F_FFFF, 0x0080_0000, 0x0080_0001, 0x4F00_0000, 0x4EFF_FFFF, 0x4F80_0000]),
            2 => sign | self.below(0x0080_0000),
            3 | 4 => sign | (120 + self.below(16)) << 23 | self.below(1 << 23),
            5 => sign | (120 + self.below(16)) << 23 | (self.next() << self.below(24)) & 0x7F_FFFF,
            6 => sign | (127 + self.below(35)) << 23 | self.below(1 << 23),
            7 => sign | (40 + self.below(40)) << 23 | self.below(1 << 23),
            _ => self.next(),
        }
    }

    /// An FPSCR: any flags and modes, most often the default ones.
    pub fn fpscr(&mut self) -> u32 {
        let modes = if self.below(2) == 0 { 0 } else { self.next() & 0x07C0_0000 };
        modes | self.next() & 0xF000_009F & if self.below(2) == 0 { 0 } else { u32::MAX }
    }
}
