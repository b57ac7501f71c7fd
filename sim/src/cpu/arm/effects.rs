//! What an instruction needs and what it changes, for those that touch nothing but registers, flags, and memory that
//! they load from.

use super::loadstore::Addressing;
use super::op::{Op, kind};
use super::registers::Registers;
use super::slow::is_plain_target;

/// N and Z; the bits below are R0 to R14.
pub(super) const NZ: u32 = 1 << 16;
pub(super) const C: u32 = 1 << 17;
pub(super) const V: u32 = 1 << 18;
const FLAGS: u32 = NZ | C | V;

/// Registers and flags, as masks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Effects {
    /// What the instruction's outcome depends on.
    pub reads: u32,
    /// What it may change.
    pub writes: u32,
    /// The address and the size in bytes of what it loads.
    pub load: Option<(u32, u32)>,
}

impl Effects {
    /// The effects of `op`, decoded from the instruction at `pc`, in a core with these registers. `None` for instructions
    /// that have others, and for some that are rare.
    pub fn of(op: Op, pc: u32, regs: &Registers) -> Option<Effects> {
        let (a, b, c, d) = (1 << op.a(), 1 << op.b(), 1 << op.c(), 1 << (op.imm() & 15));
        let r = &regs.r;
        let at_imm = r[op.b()].wrapping_add(op.imm());
        let at_reg = r[op.b()].wrapping_add(r[op.c()] << (op.imm() & 3));
        let (reads, writes, load) = match op.kind() {
            kind::MOV_IMM | kind::ADR => (0, a, None),
            kind::MOVS_IMM => (0, a | NZ, None),
            kind::MOV_REG | kind::MVN_REG => (c, a, None),
            kind::MOVS_REG | kind::MVNS_REG => (c, a | NZ, None),
            kind::MOVT | kind::BFC => (a, a, None),
            kind::ADD_IMM | kind::SUB_IMM | kind::RSB_IMM => (b, a, None),
            kind::ADDS_IMM | kind::SUBS_IMM | kind::RSBS_IMM => (b, a | FLAGS, None),
            kind::ADD_REG | kind::SUB_REG | kind::ADD_LSL | kind::SUB_LSL => (b | c, a, None),
            kind::ADDS_REG | kind::SUBS_REG => (b | c, a | FLAGS, None),
            kind::ADCS_REG | kind::SBCS_REG => (b | c | C, a | FLAGS, None),
            kind::CMP_IMM => (b, FLAGS, None),
            kind::CMP_REG | kind::CMN_REG => (b | c, FLAGS, None),
            kind::AND_IMM | kind::BIC_IMM | kind::ORR_IMM | kind::EOR_IMM => (b, a, None),
            kind::ANDS_IMM => (b, a | NZ, None),
            kind::AND_REG | kind::BIC_REG | kind::ORR_REG | kind::EOR_REG => (b | c, a, None),
            kind::ANDS_REG | kind::BICS_REG | kind::ORRS_REG | kind::EORS_REG => (b | c, a | NZ, None),
            kind::TST_IMM => (b, NZ, None),
            kind::TST_REG => (b | c, NZ, None),
            kind::LSL_IMM | kind::LSR_IMM | kind::ASR_IMM => (c, a, None),
            kind::LSLS_IMM | kind::LSRS_IMM | kind::ASRS_IMM => (c, a | NZ | C, None),
            kind::SXTB | kind::SXTH | kind::UXTB | kind::UXTH => (c, a, None),
            kind::REV | kind::REV16 | kind::CLZ => (c, a, None),
            kind::UBFX | kind::SBFX => (b, a, None),
            kind::BFI => (a | b, a, None),
            kind::MUL => (b | c, a, None),
            kind::MULS => (b | c, a | NZ, None),
            kind::MLA | kind::MLS => (b | c | d, a, None),
            kind::UMULL => (b | c, a | d, None),
            kind::LDR_IMM => (b, a, Some((at_imm, 4))),
            kind::LDRH_IMM | kind::LDRSH_IMM => (b, a, Some((at_imm, 2))),
            kind::LDRB_IMM | kind::LDRSB_IMM => (b, a, Some((at_imm, 1))),
            kind::LDR_REG => (b | c, a, Some((at_reg, 4))),
            kind::LDRH_REG | kind::LDRSH_REG => (b | c, a, Some((at_reg, 2))),
            kind::LDRB_REG | kind::LDRSB_REG => (b | c, a, Some((at_reg, 1))),
            kind::LDR_LIT => (0, a, Some(((pc.wrapping_add(4) & !3).wrapping_add(op.imm()), 4))),
            kind::LDR_MOVE | kind::LDRH_MOVE | kind::LDRB_MOVE => {
                let moved = r[op.b()].wrapping_add(op.imm() as i16 as u32);
                let address = if Addressing(op.imm()).indexes() { moved } else { r[op.b()] };
                let size = match op.kind() {
                    kind::LDR_MOVE => 4,
                    kind::LDRH_MOVE => 2,
                    _ => 1,
                };
                (b, a | b, Some((address, size)))
            }
            kind::B | kind::NOP | kind::YIELD => (0, 0, None),
            kind::BEQ | kind::BNE | kind::BMI | kind::BPL => (NZ, 0, None),
            kind::BCS | kind::BCC => (C, 0, None),
            kind::BVS | kind::BVC => (V, 0, None),
            kind::BHI | kind::BLS => (NZ | C, 0, None),
            kind::BGE | kind::BLT | kind::BGT | kind::BLE => (NZ | V, 0, None),
            kind::CBZ | kind::CBNZ => (a, 0, None),
            kind::BL => (0, 1 << 14, None),
            // What the inner loop does in place.
            kind::BX if is_plain_target(r[op.c()]) => (c, 0, None),
            kind::BLX if is_plain_target(r[op.c()]) => (c, 1 << 14, None),
            _ => return None,
        };
        // R15 is scratch.
        ((reads | writes) & 1 << 15 == 0).then_some(Effects { reads, writes, load })
    }
}
