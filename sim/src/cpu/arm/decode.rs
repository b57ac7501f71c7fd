//! Decoding of 16-bit Thumb instructions (ARMv7-M ARM A5.2) and the choice of operation for data processing.

use super::config::CoreConfig;
use super::op::{Op, kind};

/// Whether an instruction that starts with `first` is 32 bits long (A5.1).
pub(super) fn is_wide(first: u32) -> bool {
    first >> 11 >= 0b11101
}

/// Sign-extends the low `bits` bits.
pub(super) const fn sign_extend(value: u32, bits: u32) -> u32 {
    ((value << (32 - bits)) as i32 >> (32 - bits)) as u32
}

/// Operation numbers of data processing, as in bits 8:5 of the 32-bit encodings (A5.3.1).
pub(super) mod dp {
    pub const AND: u32 = 0;
    pub const BIC: u32 = 1;
    /// MOV with Rn = 15.
    pub const ORR: u32 = 2;
    /// MVN with Rn = 15.
    pub const ORN: u32 = 3;
    pub const EOR: u32 = 4;
    pub const ADD: u32 = 8;
    pub const ADC: u32 = 10;
    pub const SBC: u32 = 11;
    pub const SUB: u32 = 13;
    pub const RSB: u32 = 14;
}

/// Shift types (A7.4.2).
pub(super) mod shift {
    pub const LSL: u32 = 0;
    pub const LSR: u32 = 1;
    pub const ASR: u32 = 2;
    /// RRX if the amount is 0.
    pub const ROR: u32 = 3;
}

/// An undefined instruction; `imm` keeps the encoding.
pub(super) fn undefined(raw: u32, len: u32) -> Op {
    Op::new(kind::UDF, len).with_imm(raw)
}

/// An operation on registers d and n, with m unshifted. n is 15 for MOV and MVN.
pub(super) fn dp_register(operation: u32, s: bool, d: u32, n: u32, m: u32, len: u32) -> Op {
    let moves = matches!(operation, dp::ORR | dp::ORN) && n == 15;
    let compares = s && d == 15;
    let special = m == 15 || (n == 15 && !moves) || (!compares && (d == 13 || d == 15));
    let kind = match (operation, s) {
        _ if special => return dp_shifted(operation, s, d, n, m, shift::LSL, 0, len),
        (dp::ORR, false) if moves => kind::MOV_REG,
        (dp::ORR, true) if moves => kind::MOVS_REG,
        (dp::ORN, false) if moves => kind::MVN_REG,
        (dp::ORN, true) if moves => kind::MVNS_REG,
        (dp::AND, true) if compares => kind::TST_REG,
        (dp::ADD, true) if compares => kind::CMN_REG,
        (dp::SUB, true) if compares => kind::CMP_REG,
        (dp::AND, false) => kind::AND_REG,
        (dp::AND, true) => kind::ANDS_REG,
        (dp::BIC, false) => kind::BIC_REG,
        (dp::BIC, true) => kind::BICS_REG,
        (dp::ORR, false) => kind::ORR_REG,
        (dp::ORR, true) => kind::ORRS_REG,
        (dp::EOR, false) => kind::EOR_REG,
        (dp::EOR, true) if !compares => kind::EORS_REG,
        (dp::ADD, false) => kind::ADD_REG,
        (dp::ADD, true) => kind::ADDS_REG,
        (dp::SUB, false) => kind::SUB_REG,
        (dp::SUB, true) => kind::SUBS_REG,
        (dp::ADC, true) => kind::ADCS_REG,
        (dp::SBC, true) => kind::SBCS_REG,
        _ => return dp_shifted(operation, s, d, n, m, shift::LSL, 0, len),
    };
    Op::new(kind, len).with_a(d).with_b(n).with_c(m)
}

/// An operation on registers d and n, with m shifted by `amount` (0 to 32, RRX for ROR by 0).
#[allow(clippy::too_many_arguments)] // the fields of the encoding
pub(super) fn dp_shifted(operation: u32, s: bool, d: u32, n: u32, m: u32, shift: u32, amount: u32, len: u32) -> Op {
    let op = |kind| Op::new(kind, len).with_a(d).with_b(n).with_c(m).with_s(s);
    let plain = |r: u32| r != 13 && r != 15;
    if plain(d) && plain(m) && (plain(n) || n == 15) && amount != 0 {
        let kind = match (operation, s, shift) {
            (dp::ORR, false, shift::LSL) if n == 15 => Some(kind::LSL_IMM),
            (dp::ORR, true, shift::LSL) if n == 15 => Some(kind::LSLS_IMM),
            (dp::ORR, false, shift::LSR) if n == 15 => Some(kind::LSR_IMM),
            (dp::ORR, true, shift::LSR) if n == 15 => Some(kind::LSRS_IMM),
            (dp::ORR, false, shift::ASR) if n == 15 => Some(kind::ASR_IMM),
            (dp::ORR, true, shift::ASR) if n == 15 => Some(kind::ASRS_IMM),
            (dp::ADD, false, shift::LSL) if n != 15 => Some(kind::ADD_LSL),
            (dp::SUB, false, shift::LSL) if n != 15 => Some(kind::SUB_LSL),
            _ => None,
        };
        if let Some(kind) = kind {
            return op(kind).with_imm(amount);
        }
    }
    op(kind::DP_SHIFT).with_imm(operation | shift << 4 | amount << 8)
}

/// An operation with an immediate that leaves the carry as it is, or (with `carry`) sets it to bit 31 of `imm`.
pub(super) fn dp_immediate(operation: u32, s: bool, d: u32, n: u32, imm: u32, carry: bool, len: u32) -> Op {
    let moves = matches!(operation, dp::ORR | dp::ORN) && n == 15;
    let compares = s && d == 15;
    let sp_step = n == 13 && imm & 3 == 0 && !s;
    let generic = || {
        let kind = if carry && s { kind::DP_IMM_C } else { kind::DP_IMM };
        Op::new(kind, len).with_a(d).with_b(n).with_c(operation).with_s(s).with_imm(imm)
    };
    let plain_destination = compares || (d != 15 && (d != 13 || sp_step));
    if !plain_destination || (n == 15 && !moves) {
        return generic();
    }
    let kind = match (operation, s) {
        (dp::ADD, false) => kind::ADD_IMM,
        (dp::ADD, true) if !compares => kind::ADDS_IMM,
        (dp::SUB, false) => kind::SUB_IMM,
        (dp::SUB, true) if compares => kind::CMP_IMM,
        (dp::SUB, true) => kind::SUBS_IMM,
        (dp::RSB, false) => kind::RSB_IMM,
        (dp::RSB, true) => kind::RSBS_IMM,
        (dp::ORR, false) if moves => kind::MOV_IMM,
        (dp::ORR, true) if moves && !carry => kind::MOVS_IMM,
        (dp::AND, false) => kind::AND_IMM,
        (dp::AND, true) if compares && !carry => kind::TST_IMM,
        (dp::AND, true) if !carry => kind::ANDS_IMM,
        (dp::BIC, false) => kind::BIC_IMM,
        (dp::ORR, false) => kind::ORR_IMM,
        (dp::EOR, false) => kind::EOR_IMM,
        _ => return generic(),
    };
    Op::new(kind, len).with_a(d).with_b(n).with_imm(imm)
}

/// Decodes a 16-bit instruction. Inside an IT block (`in_it`) the arithmetic ones leave the flags alone.
pub(super) fn decode16(config: &CoreConfig, raw: u32, in_it: bool) -> Op {
    let s = !in_it;
    let (low, middle, high) = (raw & 7, raw >> 3 & 7, raw >> 6 & 7);
    let (imm5, imm8, r8) = (raw >> 6 & 31, raw & 0xFF, raw >> 8 & 7);
    let op = |kind| Op::new(kind, 2);
    let offset = |kind, imm| op(kind).with_a(low).with_b(middle).with_imm(imm);
    match raw >> 11 {
        0b00000 if imm5 == 0 => dp_register(dp::ORR, s, low, 15, middle, 2),
        0b00000 => dp_shifted(dp::ORR, s, low, 15, middle, shift::LSL, imm5, 2),
        0b00001 => dp_shifted(dp::ORR, s, low, 15, middle, shift::LSR, if imm5 == 0 { 32 } else { imm5 }, 2),
        0b00010 => dp_shifted(dp::ORR, s, low, 15, middle, shift::ASR, if imm5 == 0 { 32 } else { imm5 }, 2),
        0b00011 => match raw >> 9 & 3 {
            0 => dp_register(dp::ADD, s, low, middle, high, 2),
            1 => dp_register(dp::SUB, s, low, middle, high, 2),
            2 => dp_immediate(dp::ADD, s, low, middle, high, false, 2),
            _ => dp_immediate(dp::SUB, s, low, middle, high, false, 2),
        },
        0b00100 => dp_immediate(dp::ORR, s, r8, 15, imm8, false, 2),
        0b00101 => dp_immediate(dp::SUB, true, 15, r8, imm8, false, 2),
        0b00110 => dp_immediate(dp::ADD, s, r8, r8, imm8, false, 2),
        0b00111 => dp_immediate(dp::SUB, s, r8, r8, imm8, false, 2),
        0b01000 if raw >> 10 & 1 == 0 => register_form(raw >> 6 & 15, s, low, middle),
        0b01000 => high_registers(raw),
        0b01001 => op(kind::LDR_LIT).with_a(r8).with_imm(imm8 << 2),
        0b01010 | 0b01011 => {
            let kind = [
                kind::STR_REG,
                kind::STRH_REG,
                kind::STRB_REG,
                kind::LDRSB_REG,
                kind::LDR_REG,
                kind::LDRH_REG,
                kind::LDRB_REG,
                kind::LDRSH_REG,
            ][(raw >> 9 & 7) as usize];
            op(kind).with_a(low).with_b(middle).with_c(high)
        }
        0b01100 => offset(kind::STR_IMM, imm5 << 2),
        0b01101 => offset(kind::LDR_IMM, imm5 << 2),
        0b01110 => offset(kind::STRB_IMM, imm5),
        0b01111 => offset(kind::LDRB_IMM, imm5),
        0b10000 => offset(kind::STRH_IMM, imm5 << 1),
        0b10001 => offset(kind::LDRH_IMM, imm5 << 1),
        0b10010 => op(kind::STR_IMM).with_a(r8).with_b(13).with_imm(imm8 << 2),
        0b10011 => op(kind::LDR_IMM).with_a(r8).with_b(13).with_imm(imm8 << 2),
        0b10100 => op(kind::ADR).with_a(r8).with_imm(imm8 << 2),
        0b10101 => op(kind::ADD_IMM).with_a(r8).with_b(13).with_imm(imm8 << 2),
        0b10110 | 0b10111 => miscellaneous(config, raw),
        // Write-back of LDM only if the base is not loaded (A7.7.41).
        0b11000 => op(kind::STM).with_b(r8).with_imm(imm8 | 1 << 16),
        0b11001 => op(kind::LDM).with_b(r8).with_imm(imm8 | u32::from(imm8 >> r8 & 1 == 0) << 16),
        0b11010 | 0b11011 => conditional_branch(raw),
        _ => branch(sign_extend(raw << 1, 12).wrapping_add(4), 2),
    }
}

/// B with the offset from the instruction itself.
pub(super) fn branch(offset: u32, len: u32) -> Op {
    Op::new(if offset == 0 { kind::B_SELF } else { kind::B }, len).with_imm(offset)
}

/// The conditional branches in the order of their conditions (A7.3).
pub(super) const CONDITIONAL: [u8; 14] = [
    kind::BEQ,
    kind::BNE,
    kind::BCS,
    kind::BCC,
    kind::BMI,
    kind::BPL,
    kind::BVS,
    kind::BVC,
    kind::BHI,
    kind::BLS,
    kind::BGE,
    kind::BLT,
    kind::BGT,
    kind::BLE,
];

/// From an instruction to the half-word before it.
const BACK: u32 = 2u32.wrapping_neg();

/// Conditional branch, and supervisor call (A5.2.6).
fn conditional_branch(raw: u32) -> Op {
    match (raw >> 8 & 15) as usize {
        15 => Op::new(kind::SVC, 2).with_imm(raw & 0xFF),
        14 => undefined(raw, 2),
        condition => match sign_extend(raw << 1, 9).wrapping_add(4) {
            BACK => Op::new(kind::B_BACK, 2).with_b(condition as u32),
            offset => Op::new(CONDITIONAL[condition], 2).with_imm(offset),
        },
    }
}

/// Data processing on two low registers (A5.2.2).
fn register_form(operation: u32, s: bool, d: u32, m: u32) -> Op {
    let shift_register = |kind, shift| {
        let op = Op::new(if s { kind } else { kind::SHIFT_REG }, 2);
        op.with_a(d).with_b(d).with_c(m).with_imm(shift)
    };
    match operation {
        0 => dp_register(dp::AND, s, d, d, m, 2),
        1 => dp_register(dp::EOR, s, d, d, m, 2),
        2 => shift_register(kind::LSLS_REG, shift::LSL),
        3 => shift_register(kind::LSRS_REG, shift::LSR),
        4 => shift_register(kind::ASRS_REG, shift::ASR),
        5 => dp_register(dp::ADC, s, d, d, m, 2),
        6 => dp_register(dp::SBC, s, d, d, m, 2),
        7 => shift_register(kind::RORS_REG, shift::ROR),
        8 => dp_register(dp::AND, true, 15, d, m, 2),
        9 => dp_immediate(dp::RSB, s, d, m, 0, false, 2),
        10 => dp_register(dp::SUB, true, 15, d, m, 2),
        11 => dp_register(dp::ADD, true, 15, d, m, 2),
        12 => dp_register(dp::ORR, s, d, d, m, 2),
        13 => Op::new(if s { kind::MULS } else { kind::MUL }, 2).with_a(d).with_b(d).with_c(m),
        14 => dp_register(dp::BIC, s, d, d, m, 2),
        _ => dp_register(dp::ORN, s, d, 15, m, 2),
    }
}

/// Special data instructions and branch and exchange (A5.2.3).
fn high_registers(raw: u32) -> Op {
    let d = raw & 7 | raw >> 4 & 8;
    let m = raw >> 3 & 15;
    match raw >> 8 & 3 {
        0 => dp_register(dp::ADD, false, d, d, m, 2),
        1 => dp_register(dp::SUB, true, 15, d, m, 2),
        2 => dp_register(dp::ORR, false, d, 15, m, 2),
        _ if raw & 7 != 0 => undefined(raw, 2),
        _ => Op::new(if raw & 0x80 == 0 { kind::BX } else { kind::BLX }, 2).with_c(m),
    }
}

/// Miscellaneous 16-bit instructions (A5.2.5).
fn miscellaneous(config: &CoreConfig, raw: u32) -> Op {
    let op = |kind| Op::new(kind, 2);
    let (low, middle) = (raw & 7, raw >> 3 & 7);
    match raw >> 8 & 15 {
        0 if raw & 0x80 == 0 => op(kind::ADD_IMM).with_a(13).with_b(13).with_imm((raw & 0x7F) << 2),
        0 => op(kind::SUB_IMM).with_a(13).with_b(13).with_imm((raw & 0x7F) << 2),
        1 | 3 | 9 | 11 if config.v7() => {
            let offset = (raw >> 3 & 31) << 1 | (raw >> 9 & 1) << 6;
            op(if raw & 0x800 == 0 { kind::CBZ } else { kind::CBNZ }).with_a(low).with_imm(offset + 4)
        }
        2 => op([kind::SXTH, kind::SXTB, kind::UXTH, kind::UXTB][(raw >> 6 & 3) as usize]).with_a(low).with_c(middle),
        4 | 5 => op(kind::PUSH).with_imm(raw & 0xFF | (raw & 0x100) << 6),
        6 if raw & 0xE0 == 0x60 => op(kind::CPS).with_imm(raw & 0x1F),
        10 if raw >> 6 & 3 != 2 => {
            op([kind::REV, kind::REV16, kind::UDF, kind::REVSH][(raw >> 6 & 3) as usize]).with_a(low).with_c(middle)
        }
        12 | 13 => op(kind::POP).with_imm(raw & 0xFF | (raw & 0x100) << 7),
        14 => op(kind::BKPT).with_imm(raw & 0xFF),
        15 if raw & 15 != 0 && config.v7() => op(kind::IT).with_imm(raw & 0xFF),
        15 if raw & 15 == 0 => match raw >> 4 & 15 {
            1 => op(kind::YIELD),
            2 => op(kind::WFE),
            3 => op(kind::WFI),
            4 => op(kind::SEV),
            _ => op(kind::NOP),
        },
        _ => undefined(raw, 2),
    }
}
