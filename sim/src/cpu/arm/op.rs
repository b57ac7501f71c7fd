//! Decoded instructions: one 64-bit word each.
//!
//! | bits | field | meaning |
//! |---|---|---|
//! | 7:0 | kind | which of [`kind`]'s operations |
//! | 11:8 | a | first register, mostly Rd or Rt |
//! | 15:12 | b | second register, mostly Rn |
//! | 19:16 | c | third register, mostly Rm |
//! | 21 | narrow | 2 bytes long, and to be executed as it stands |
//! | 22 | wide | 4 bytes long |
//! | 23 | s | sets the flags (only where the kind does not say so) |
//! | 31:24 | inner | the kind proper of an instruction inside an IT block |
//! | 63:32 | imm | immediate operand, or the raw encoding |

/// A decoded instruction. Its zero value is "not decoded".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Op(pub u64);

impl Op {
    const NARROW: u64 = 1 << 21;
    const WIDE: u64 = 1 << 22;

    /// The operation that asks again each time what is to be executed.
    pub const BREAK: Op = Op(kind::BREAK as u64);

    /// The operation of a block, with the cycles before its last instruction; see `jit`.
    pub const fn compiled(index: u16, cycles: u16) -> Op {
        Op(kind::COMPILED as u64).with_imm(index as u32 | (cycles as u32) << 16)
    }

    /// An operation of `kind`, `len` (2 or 4) bytes long, without operands.
    pub const fn new(kind: u8, len: u32) -> Op {
        Op(kind as u64 | if len == 4 { Op::WIDE } else { Op::NARROW })
    }

    pub const fn with_a(self, register: u32) -> Op {
        Op(self.0 | (register as u64 & 15) << 8)
    }

    pub const fn with_b(self, register: u32) -> Op {
        Op(self.0 | (register as u64 & 15) << 12)
    }

    pub const fn with_c(self, register: u32) -> Op {
        Op(self.0 | (register as u64 & 15) << 16)
    }

    pub const fn with_s(self, set_flags: bool) -> Op {
        Op(self.0 | (set_flags as u64) << 23)
    }

    pub const fn with_imm(self, imm: u32) -> Op {
        Op(self.0 | (imm as u64) << 32)
    }

    /// The same instruction inside an IT block.
    pub const fn inside_it(self) -> Op {
        Op(self.0 & !(0xFF00_00FF | Op::NARROW) | (self.0 & 0xFF) << 24 | kind::IT_BODY as u64)
    }

    /// An instruction from inside an IT block, with its kind in place; it still tells where it is from.
    pub const fn unwrapped(self) -> Op {
        let narrow = if self.0 & Op::WIDE == 0 { Op::NARROW } else { 0 };
        Op(self.0 & !0xFF | self.0 >> 24 & 0xFF | narrow)
    }

    /// The same, or undefined if it has to be an IT block's last (A7.3.3) and is not, with ITSTATE after it as given: what
    /// goes on elsewhere than behind it, perhaps, or begins an IT block.
    #[inline(always)]
    pub const fn with_it_after(self, it: u8) -> Op {
        let is_last = matches!(self.kind(), kind::B..=kind::IT) || self.writes_pc();
        if it != 0 && is_last { Op(self.0 & !0xFF | kind::UDF as u64) } else { self }
    }

    /// Whether the PC is a destination register like others.
    pub const fn writes_pc(self) -> bool {
        match self.kind() {
            kind::LOAD_STORE => self.a() == 15,
            kind::DP_IMM | kind::DP_IMM_C | kind::DP_SHIFT => self.a() == 15 && !self.s(),
            kind::LDM | kind::POP => self.imm() >> 15 & 1 == 1,
            _ => false,
        }
    }

    /// Whether the instruction is inside an IT block.
    pub const fn is_in_it(self) -> bool {
        self.0 >> 24 & 0xFF != 0
    }

    #[inline(always)]
    pub const fn kind(self) -> u8 {
        self.0 as u8
    }

    #[inline(always)]
    pub const fn a(self) -> usize {
        (self.0 >> 8) as usize & 15
    }

    #[inline(always)]
    pub const fn b(self) -> usize {
        (self.0 >> 12) as usize & 15
    }

    #[inline(always)]
    pub const fn c(self) -> usize {
        (self.0 >> 16) as usize & 15
    }

    /// The length of the instruction in bytes.
    #[inline(always)]
    pub const fn len(self) -> u32 {
        if self.0 & Op::WIDE != 0 { 4 } else { 2 }
    }

    /// Whether the instruction is 2 bytes long and can be executed as it stands.
    #[inline(always)]
    pub const fn is_narrow(self) -> bool {
        self.0 & Op::NARROW != 0
    }

    /// Whether this is a 2 byte long instruction of `kind`.
    #[inline(always)]
    pub const fn is_narrow_and(self, kind: u8) -> bool {
        self.0 & (Op::NARROW | 0xFF) == Op::NARROW | kind as u64
    }

    #[inline(always)]
    pub const fn s(self) -> bool {
        self.0 & 1 << 23 != 0
    }

    #[inline(always)]
    pub const fn imm(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Numbers its names from 0.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u8)]
        enum Number { $($name,)* }
        $($(#[$doc])* pub const $name: u8 = Number::$name as u8;)*
    };
}

/// The operations. Names are the ARM ARM's, with `_IMM` and `_REG` for the last operand; an `S` in the mnemonic sets
/// the flags.
pub(super) mod kind {
    kinds! {
        /// Nothing decoded here yet.
        UNDECODED,
        /// A breakpoint comparator or a debugger's breakpoint may match here; asked again each time.
        BREAK,
        /// A translated block begins here; imm is which one, and its cycles. See `jit`.
        COMPILED,
        /// An instruction inside an IT block; `inner` says which.
        IT_BODY,
        // Moves.
        MOV_IMM, MOVS_IMM, MOV_REG, MOVS_REG, MVN_REG, MVNS_REG, MOVT,
        // Additions and comparisons.
        ADD_IMM, ADDS_IMM, ADD_REG, ADDS_REG, ADCS_REG,
        SUB_IMM, SUBS_IMM, SUB_REG, SUBS_REG, SBCS_REG, RSB_IMM, RSBS_IMM,
        CMP_IMM, CMP_REG, CMN_REG,
        /// ADD a, b, c, LSL #imm.
        ADD_LSL,
        /// SUB a, b, c, LSL #imm.
        SUB_LSL,
        /// ADD a, PC, #imm with the PC word-aligned.
        ADR,
        // Logic.
        AND_IMM, ANDS_IMM, AND_REG, ANDS_REG, BIC_IMM, BIC_REG, BICS_REG, ORR_IMM, ORR_REG, ORRS_REG,
        EOR_IMM, EOR_REG, EORS_REG, TST_IMM, TST_REG,
        // Shifts of c by imm (1 to 31; 32 for the right shifts), and of b by c.
        LSL_IMM, LSLS_IMM, LSR_IMM, LSRS_IMM, ASR_IMM, ASRS_IMM,
        LSLS_REG, LSRS_REG, ASRS_REG, RORS_REG,
        /// Any shift by register; imm is the type.
        SHIFT_REG,
        /// Any data processing operation c with immediate imm, carry unchanged.
        DP_IMM,
        /// The same, carry from imm bit 31.
        DP_IMM_C,
        /// Any data processing operation, operand c shifted: imm[3:0] operation, imm[5:4] type, imm[13:8] amount.
        DP_SHIFT,
        // Bit fields and extensions.
        SXTB, SXTH, UXTB, UXTH, UBFX, SBFX, BFI, BFC, REV, REV16, REVSH, RBIT, CLZ,
        // Multiplication and division. The fourth register is in imm.
        MULS, MUL, MLA, MLS, UMULL, SMULL, UMLAL, SMLAL, UDIV, SDIV,
        // Loads and stores with offset imm.
        LDR_IMM, LDRB_IMM, LDRH_IMM, LDRSB_IMM, LDRSH_IMM, STR_IMM, STRB_IMM, STRH_IMM,
        // The same with offset c, LSL #imm.
        LDR_REG, LDRB_REG, LDRH_REG, LDRSB_REG, LDRSH_REG, STR_REG, STRB_REG, STRH_REG,
        /// LDR a, [PC, #imm].
        LDR_LIT,
        /// Any single load or store: pre- and post-indexed, unprivileged, literal, to the PC; see `loadstore`.
        LOAD_STORE,
        // Those of them that write back a base register with an immediate offset, have no sign, and concern neither
        // the PC nor SP; a and b differ.
        LDR_MOVE, LDRB_MOVE, LDRH_MOVE, STR_MOVE, STRB_MOVE, STRH_MOVE,
        /// Loads of two words: a and c from b, imm as in `LOAD_STORE`.
        LDRD, STRD,
        /// Load multiple: imm[15:0] list, imm[16] write-back, imm[17] decrement before.
        LDM, STM,
        /// POP and PUSH, imm[15:0] list.
        POP, PUSH,
        /// Exclusive accesses and CLREX; imm is the raw encoding.
        EXCLUSIVE,
        // Branches; imm is the offset from the instruction.
        B,
        /// A branch to itself.
        B_SELF,
        /// A conditional branch to the half-word before it; b is the condition. See `delay`.
        B_BACK,
        BEQ, BNE, BCS, BCC, BMI, BPL, BVS, BVC, BHI, BLS, BGE, BLT, BGT, BLE,
        BL, BX, BLX, CBZ, CBNZ, TBB, TBH,
        /// imm is ITSTATE.
        IT,
        // System; imm is the raw encoding or the immediate.
        NOP, SVC, BKPT, UDF, CPS, MRS, MSR, BARRIER, YIELD, WFE, WFI, SEV, CLREX,
        /// SIMD, saturating and DSP multiplications; imm is the raw encoding.
        DSP,
        /// Coprocessors 10 and 11; imm is the raw encoding.
        VFP,
        /// Every other coprocessor; imm is its number.
        COPROCESSOR,
    }
}
