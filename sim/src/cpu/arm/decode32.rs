//! Decoding of 32-bit Thumb instructions (ARMv7-M ARM A5.3; ARMv6-M has only branches and miscellaneous control).

use super::config::{CoreConfig, Profile};
use super::decode::{CONDITIONAL, branch, dp, dp_immediate, dp_register, dp_shifted, shift, sign_extend, undefined};
use super::loadstore::Addressing;
use super::op::{Op, kind};

/// Decodes the instruction with the half-words `first` and `second`.
pub(super) fn decode32(config: &CoreConfig, first: u32, second: u32) -> Op {
    let raw = first << 16 | second;
    let instruction = Wide { raw, n: first & 15, t: second >> 12, d: second >> 8 & 15, m: second & 15 };
    let control = first >> 11 == 0b11110 && second >> 15 == 1;
    if !config.v7() && !control {
        return undefined(raw, 4);
    }
    let op2 = first >> 4 & 0x7F;
    let op = match first >> 11 & 3 {
        1 if op2 & 0x64 == 0 => instruction.multiple(),
        1 if op2 & 0x64 == 4 => instruction.dual_exclusive_table(),
        1 if op2 & 0x60 == 0x20 => instruction.shifted_register(config),
        2 if control => instruction.branch_and_control(config),
        2 if op2 & 0x20 == 0 => instruction.modified_immediate(),
        2 => instruction.plain_immediate(config),
        3 if op2 & 0x60 == 0 => instruction.single(),
        3 if op2 & 0x70 == 0x20 => instruction.register_form(config),
        3 if op2 & 0x78 == 0x30 => instruction.multiply(config),
        3 if op2 & 0x78 == 0x38 => instruction.long_multiply(config),
        _ => instruction.coprocessor(config),
    };
    if names_the_pc(op) { undefined(raw, 4) } else { op }
}

/// Whether an instruction has the PC where that is UNPREDICTABLE; R15 is not in place for those that are done fast.
fn names_the_pc(op: Op) -> bool {
    let (a, b, c, d) = (op.a() == 15, op.b() == 15, op.c() == 15, op.imm() & 15 == 15);
    match op.kind() {
        kind::MUL | kind::MULS => a || b || c,
        kind::MLA | kind::MLS | kind::UMULL..=kind::SMLAL => a || b || c || d,
        kind::SXTB..=kind::UXTH | kind::REV..=kind::CLZ => a || c,
        kind::UBFX | kind::SBFX | kind::BFI => a || b,
        kind::MOVT | kind::BFC | kind::MOV_IMM | kind::ADR => a,
        kind::LSLS_REG..=kind::SHIFT_REG => a || b || c,
        _ => false,
    }
}

/// ThumbExpandImm_C (A5.3.2): the value, and whether it was rotated and so sets the carry.
fn expand_immediate(imm12: u32) -> (u32, bool) {
    let imm8 = imm12 & 0xFF;
    match imm12 >> 8 {
        0 => (imm8, false),
        1 => (imm8 * 0x0001_0001, false),
        2 => (imm8 * 0x0100_0100, false),
        3 => (imm8 * 0x0101_0101, false),
        _ => ((imm8 | 0x80).rotate_right(imm12 >> 7), true),
    }
}

/// A 32-bit instruction and its commonest fields.
struct Wide {
    /// First half-word in the upper half.
    raw: u32,
    /// Bits 3:0 of the first half-word.
    n: u32,
    /// Bits 15:12 of the second half-word.
    t: u32,
    /// Bits 11:8 of the second half-word.
    d: u32,
    /// Bits 3:0 of the second half-word.
    m: u32,
}

impl Wide {
    fn op(&self, kind: u8) -> Op {
        Op::new(kind, 4)
    }

    fn undefined(&self) -> Op {
        undefined(self.raw, 4)
    }

    fn bit(&self, index: u32) -> bool {
        self.raw >> index & 1 == 1
    }

    fn field(&self, low: u32, bits: u32) -> u32 {
        self.raw >> low & ((1 << bits) - 1)
    }

    fn dsp(&self, config: &CoreConfig) -> Op {
        if config.profile == Profile::Armv7EM { self.op(kind::DSP).with_imm(self.raw) } else { self.undefined() }
    }

    /// i:imm3:imm8.
    fn imm12(&self) -> u32 {
        self.field(26, 1) << 11 | self.field(12, 3) << 8 | self.field(0, 8)
    }

    /// imm3:imm2.
    fn imm5(&self) -> u32 {
        self.field(12, 3) << 2 | self.field(6, 2)
    }

    /// Load multiple and store multiple (A5.3.5).
    fn multiple(&self) -> Op {
        let down = match self.field(23, 2) {
            1 => 0,
            2 => 1,
            _ => return self.undefined(),
        };
        let kind = if self.bit(20) { kind::LDM } else { kind::STM };
        self.op(kind).with_b(self.n).with_imm(self.raw & 0xFFFF | self.field(21, 1) << 16 | down << 17)
    }

    /// Load and store dual or exclusive, table branch (A5.3.6).
    fn dual_exclusive_table(&self) -> Op {
        let exclusive = || self.op(kind::EXCLUSIVE).with_imm(self.raw);
        match (self.field(23, 2), self.field(20, 2), self.field(4, 4)) {
            (0, 0 | 1, _) | (1, 0 | 1, 4 | 5) => exclusive(),
            (1, 1, 0) => self.op(kind::TBB).with_b(self.n).with_c(self.m),
            (1, 1, 1) => self.op(kind::TBH).with_b(self.n).with_c(self.m),
            (1, 0 | 1, _) => self.undefined(),
            _ => {
                let magnitude = (self.field(0, 8) << 2) as i32;
                let offset = if self.bit(23) { magnitude } else { -magnitude };
                let addressing = Addressing::new(offset, self.bit(24), self.bit(21));
                let literal = if self.n == 15 { Addressing::LITERAL } else { 0 };
                let kind = if self.bit(20) { kind::LDRD } else { kind::STRD };
                self.op(kind).with_a(self.t).with_b(self.n).with_c(self.d).with_imm(addressing.0 | literal)
            }
        }
    }

    /// Data processing, shifted register (A5.3.11).
    fn shifted_register(&self, config: &CoreConfig) -> Op {
        let operation = self.field(21, 4);
        let (s, amount) = (self.bit(20), self.imm5());
        match operation {
            dp::AND..=dp::EOR | dp::ADD | dp::ADC | dp::SBC | dp::SUB | dp::RSB => {}
            6 => return self.dsp(config),
            _ => return self.undefined(),
        }
        match (self.field(4, 2), amount) {
            (shift::LSL, 0) => dp_register(operation, s, self.d, self.n, self.m, 4),
            (kind @ (shift::LSR | shift::ASR), 0) => dp_shifted(operation, s, self.d, self.n, self.m, kind, 32, 4),
            (kind, amount) => dp_shifted(operation, s, self.d, self.n, self.m, kind, amount, 4),
        }
    }

    /// Data processing, modified immediate (A5.3.1).
    fn modified_immediate(&self) -> Op {
        let (imm, carry) = expand_immediate(self.imm12());
        match self.field(21, 4) {
            operation @ (dp::AND..=dp::EOR | dp::ADD | dp::ADC | dp::SBC | dp::SUB | dp::RSB) => {
                dp_immediate(operation, self.bit(20), self.d, self.n, imm, carry, 4)
            }
            _ => self.undefined(),
        }
    }

    /// Data processing, plain binary immediate (A5.3.3).
    fn plain_immediate(&self, config: &CoreConfig) -> Op {
        let imm12 = self.imm12();
        let imm16 = self.n << 12 | imm12;
        let (lsb, msb) = (self.imm5(), self.field(0, 5));
        let field = |kind, unused: u32| self.op(kind).with_a(self.d).with_b(self.n).with_imm(lsb | unused << 8);
        match self.field(20, 5) {
            0 => dp_immediate(dp::ADD, false, self.d, self.n, imm12, false, 4),
            4 => self.op(kind::MOV_IMM).with_a(self.d).with_imm(imm16),
            10 => dp_immediate(dp::SUB, false, self.d, self.n, imm12, false, 4),
            12 => self.op(kind::MOVT).with_a(self.d).with_imm(imm16),
            16 | 24 => self.op(kind::DSP).with_imm(self.raw),
            // A shift by ASR #0 is SSAT16 and USAT16.
            18 | 26 if lsb != 0 => self.op(kind::DSP).with_imm(self.raw),
            18 | 26 => self.dsp(config),
            20 if lsb + msb < 32 => field(kind::SBFX, 31 - msb),
            28 if lsb + msb < 32 => field(kind::UBFX, 31 - msb),
            22 if msb >= lsb => field(if self.n == 15 { kind::BFC } else { kind::BFI }, 31 - (msb - lsb)),
            _ => self.undefined(),
        }
    }

    /// Branches and miscellaneous control (A5.3.4).
    fn branch_and_control(&self, config: &CoreConfig) -> Op {
        let (s, j1, j2) = (self.field(26, 1), self.field(13, 1), self.field(11, 1));
        let far = || {
            let (i1, i2) = (!(j1 ^ s) & 1, !(j2 ^ s) & 1);
            let imm = s << 24 | i1 << 23 | i2 << 22 | self.field(16, 10) << 12 | self.field(0, 11) << 1;
            sign_extend(imm, 25).wrapping_add(4)
        };
        match (self.bit(14), self.bit(12)) {
            (true, true) => self.op(kind::BL).with_imm(far()),
            (false, true) if config.v7() => branch(far(), 4),
            (false, false) if self.field(23, 3) != 7 && config.v7() => {
                let imm = s << 20 | j2 << 19 | j1 << 18 | self.field(16, 6) << 12 | self.field(0, 11) << 1;
                self.op(CONDITIONAL[self.field(22, 4).min(13) as usize]).with_imm(sign_extend(imm, 21).wrapping_add(4))
            }
            (false, false) => self.control(config),
            _ => self.undefined(),
        }
    }

    /// MSR, MRS, hints and barriers.
    fn control(&self, config: &CoreConfig) -> Op {
        match self.field(20, 7) {
            0b011_1000 | 0b011_1001 => self.op(kind::MSR).with_b(self.n).with_imm(self.raw & 0xFFFF),
            0b011_1110 | 0b011_1111 => self.op(kind::MRS).with_a(self.d).with_imm(self.raw & 0xFFFF),
            0b011_1010 if config.v7() && self.field(8, 3) == 0 => match self.field(0, 8) {
                1 => self.op(kind::YIELD),
                2 => self.op(kind::WFE),
                3 => self.op(kind::WFI),
                4 => self.op(kind::SEV),
                _ => self.op(kind::NOP),
            },
            0b011_1011 => match self.field(4, 4) {
                2 if config.v7() => self.op(kind::CLREX),
                4..=6 => self.op(kind::BARRIER),
                _ => self.undefined(),
            },
            _ => self.undefined(),
        }
    }

    /// A single load or store with write-back.
    fn moving(&self, load: bool, size: u32, signed: bool, addressing: Addressing) -> Op {
        let simple = !signed && self.t != self.n && self.t < 13 && self.n < 13;
        let kind = match (simple, load, size) {
            (true, true, 0) => kind::LDRB_MOVE,
            (true, true, 1) => kind::LDRH_MOVE,
            (true, true, 2) => kind::LDR_MOVE,
            (true, false, 0) => kind::STRB_MOVE,
            (true, false, 1) => kind::STRH_MOVE,
            (true, false, 2) => kind::STR_MOVE,
            _ => kind::LOAD_STORE,
        };
        let imm = addressing.with_access(load, size, signed).0;
        self.op(kind).with_a(self.t).with_b(self.n).with_c(self.m).with_imm(imm)
    }

    /// Single loads and stores (A5.3.7 to A5.3.10).
    fn single(&self) -> Op {
        let (signed, load, size) = (self.bit(24), self.bit(20), self.field(21, 2));
        if size == 3 || (signed && (!load || size == 2)) || (!load && (self.n == 15 || self.t == 15)) {
            return self.undefined();
        }
        let imm12 = self.field(0, 12);
        let general = |addressing: Addressing| {
            let imm = addressing.with_access(load, size, signed).0;
            self.op(kind::LOAD_STORE).with_a(self.t).with_b(self.n).with_c(self.m).with_imm(imm)
        };
        // Loads of bytes and half-words to R15 are preload hints.
        let hint = load && self.t == 15 && size != 2;
        let plain = !(load && matches!(self.t, 13 | 15));
        let kinds = if load {
            match (size, signed) {
                (0, false) => (kind::LDRB_IMM, kind::LDRB_REG),
                (0, true) => (kind::LDRSB_IMM, kind::LDRSB_REG),
                (1, false) => (kind::LDRH_IMM, kind::LDRH_REG),
                (1, true) => (kind::LDRSH_IMM, kind::LDRSH_REG),
                _ => (kind::LDR_IMM, kind::LDR_REG),
            }
        } else {
            [(kind::STRB_IMM, kind::STRB_REG), (kind::STRH_IMM, kind::STRH_REG), (kind::STR_IMM, kind::STR_REG)]
                [size as usize]
        };
        let with_offset = |offset: i32| {
            if plain {
                self.op(kinds.0).with_a(self.t).with_b(self.n).with_imm(offset as u32)
            } else {
                general(Addressing::new(offset, true, false))
            }
        };
        let (index, up, write_back) = (self.bit(10), self.bit(9), self.bit(8));
        let imm8 = self.field(0, 8) as i32;
        let offset8 = if up { imm8 } else { -imm8 };
        if self.n == 15 {
            if hint {
                return self.op(kind::NOP);
            }
            let offset = if self.bit(23) { imm12 as i32 } else { -(imm12 as i32) };
            if plain && size == 2 {
                return self.op(kind::LDR_LIT).with_a(self.t).with_imm(offset as u32);
            }
            return general(Addressing(Addressing::new(offset, true, false).0 | Addressing::LITERAL));
        }
        if self.bit(23) {
            return if hint { self.op(kind::NOP) } else { with_offset(imm12 as i32) };
        }
        if self.bit(11) {
            return match (index, up, write_back) {
                (false, _, false) => self.undefined(),
                (true, false, false) if hint => self.op(kind::NOP),
                (true, true, false) => {
                    general(Addressing(Addressing::new(imm8, true, false).0 | Addressing::UNPRIVILEGED))
                }
                (true, false, false) => with_offset(offset8),
                _ => self.moving(load, size, signed, Addressing::new(offset8, index, write_back)),
            };
        }
        if self.field(6, 5) != 0 {
            return self.undefined();
        }
        let shift = self.field(4, 2);
        match (hint, plain) {
            (true, _) => self.op(kind::NOP),
            (_, true) => self.op(kinds.1).with_a(self.t).with_b(self.n).with_c(self.m).with_imm(shift),
            _ => general(Addressing(Addressing::new(shift as i32, true, false).0 | Addressing::REGISTER)),
        }
    }

    /// Data processing, register: shifts, extensions, parallel arithmetic (A5.3.12 to A5.3.15).
    fn register_form(&self, config: &CoreConfig) -> Op {
        if self.t != 15 {
            return self.undefined();
        }
        let (op1, op2) = (self.field(20, 4), self.field(4, 4));
        let unary = |kind| self.op(kind).with_a(self.d).with_c(self.m);
        let rotation = (op2 & 3) << 3;
        match (op1, op2) {
            (0..=7, 0) => {
                let kind = match (op1 >> 1, op1 & 1) {
                    (0, 1) => kind::LSLS_REG,
                    (1, 1) => kind::LSRS_REG,
                    (2, 1) => kind::ASRS_REG,
                    (_, 1) => kind::RORS_REG,
                    _ => kind::SHIFT_REG,
                };
                self.op(kind).with_a(self.d).with_b(self.n).with_c(self.m).with_imm(op1 >> 1)
            }
            (0, 8..) if self.n == 15 => unary(kind::SXTH).with_imm(rotation),
            (1, 8..) if self.n == 15 => unary(kind::UXTH).with_imm(rotation),
            (4, 8..) if self.n == 15 => unary(kind::SXTB).with_imm(rotation),
            (5, 8..) if self.n == 15 => unary(kind::UXTB).with_imm(rotation),
            (9, 8) => unary(kind::REV),
            (9, 9) => unary(kind::REV16),
            (9, 10) => unary(kind::RBIT),
            (9, 11) => unary(kind::REVSH),
            (11, 8) => unary(kind::CLZ),
            _ => self.dsp(config),
        }
    }

    /// Multiply and multiply accumulate (A5.3.16).
    fn multiply(&self, config: &CoreConfig) -> Op {
        let op = |kind| self.op(kind).with_a(self.d).with_b(self.n).with_c(self.m).with_imm(self.t);
        match (self.field(20, 3), self.field(4, 4)) {
            (0, 0) if self.t == 15 => op(kind::MUL),
            (0, 0) => op(kind::MLA),
            (0, 1) => op(kind::MLS),
            _ => self.dsp(config),
        }
    }

    /// Long multiply and divide (A5.3.17).
    fn long_multiply(&self, config: &CoreConfig) -> Op {
        let long = |kind| self.op(kind).with_a(self.t).with_b(self.n).with_c(self.m).with_imm(self.d);
        let divide = |kind| self.op(kind).with_a(self.d).with_b(self.n).with_c(self.m);
        match (self.field(20, 3), self.field(4, 4)) {
            (0, 0) => long(kind::SMULL),
            (1, 15) => divide(kind::SDIV),
            (2, 0) => long(kind::UMULL),
            (3, 15) => divide(kind::UDIV),
            (4, 0) => long(kind::SMLAL),
            (6, 0) => long(kind::UMLAL),
            _ => self.dsp(config),
        }
    }

    /// Coprocessor instructions (A5.3.18); 10 and 11 are the FPU.
    fn coprocessor(&self, config: &CoreConfig) -> Op {
        let number = self.field(8, 4);
        match number {
            10 | 11 if config.fpu => self.op(kind::VFP).with_imm(self.raw),
            _ => self.op(kind::COPROCESSOR).with_imm(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modified_immediates_expand_as_the_table_says() {
        // A5.3.2, table A5-11.
        assert_eq!(expand_immediate(0x0AB), (0x0000_00AB, false));
        assert_eq!(expand_immediate(0x1AB), (0x00AB_00AB, false));
        assert_eq!(expand_immediate(0x2AB), (0xAB00_AB00, false));
        assert_eq!(expand_immediate(0x3AB), (0xABAB_ABAB, false));
        assert_eq!(expand_immediate(0x400), (0x8000_0000, true));
        assert_eq!(expand_immediate(0xFFF), (0x0000_01FE, true));
    }
}
