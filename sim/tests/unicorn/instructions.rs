//! The instructions of each profile, as the encoding diagrams of ARM DDI 0403E, A7.7 have them (and ARM DDI 0419E, A6.7
//! for ARMv6-M), without those that branch, change the mode, wait, or are UNPREDICTABLE.

use crate::template::Template;

/// The profiles that have an oracle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Profile {
    /// ARMv6-M: Cortex-M0.
    V6M,
    /// ARMv7-M: Cortex-M3.
    V7M,
    /// ARMv7E-M with FPv4-SP: Cortex-M4F.
    V7EMF,
}

type Row = (&'static str, &'static str, fn(u32) -> bool);

fn any(_: u32) -> bool {
    true
}

/// Bits `high` to `low` of an encoding.
fn bits(code: u32, high: u32, low: u32) -> u32 {
    code >> low & ((1 << (high - low + 1)) - 1)
}

/// ThumbExpandImm: a repeated byte must not be zero (A5.3.2).
fn expandable(code: u32) -> bool {
    let repeated = bits(code, 26, 26) == 0 && bits(code, 14, 14) == 0 && bits(code, 13, 12) != 0;
    !repeated || bits(code, 7, 0) != 0
}

/// imm12 is a multiple of four.
fn words(code: u32) -> bool {
    code & 3 == 0
}

/// imm12 or imm8 is even.
fn halves(code: u32) -> bool {
    code & 1 == 0
}

/// P and W are not both zero, and it is not the unprivileged form (P, U, W = 1, 1, 0); the base is not the data; a
/// multiple of four, so that the base stays aligned.
fn indexed(code: u32) -> bool {
    let mode = bits(code, 10, 8);
    mode & 0b101 != 0 && mode != 0b110 && bits(code, 19, 16) != bits(code, 15, 12) && words(code)
}

/// P and W of a doubleword access are not both zero, and the base is not the data.
fn indexed_double(code: u32) -> bool {
    let base = bits(code, 19, 16);
    bits(code, 24, 24) | bits(code, 21, 21) != 0 && base != bits(code, 15, 12) && base != bits(code, 11, 8)
}

/// lsb + widthminus1 stay in the word.
fn field(code: u32) -> bool {
    bits(code, 14, 12) * 4 + bits(code, 7, 6) + bits(code, 4, 0) <= 31
}

/// msb is not below lsb.
fn insertion(code: u32) -> bool {
    bits(code, 4, 0) >= bits(code, 14, 12) * 4 + bits(code, 7, 6)
}

/// A shift amount that is not zero.
fn shifted(code: u32) -> bool {
    bits(code, 14, 12) * 4 + bits(code, 7, 6) != 0
}

/// Both copies of Rm are the same.
fn same_operands(code: u32) -> bool {
    bits(code, 19, 16) == bits(code, 3, 0)
}

/// imm8 registers from Sd on: at least one, none past S31, and at most 16 to keep to the memory.
fn single_list(code: u32) -> bool {
    let first = bits(code, 15, 12) << 1 | bits(code, 22, 22);
    let count = bits(code, 7, 0);
    (1..=16).contains(&count) && first + count <= 32
}

/// imm8 / 2 doubles from Dd on, with an even imm8.
fn double_list(code: u32) -> bool {
    let count = bits(code, 7, 0);
    count.is_multiple_of(2) && (2..=16).contains(&count) && bits(code, 15, 12) + count / 2 <= 16
}

/// A pair of singles that does not run past S31.
fn single_pair(code: u32) -> bool {
    bits(code, 3, 0) != 15 || bits(code, 5, 5) == 0
}

/// A fixed-point format has as many fraction bits as bits, or less.
fn fraction(code: u32) -> bool {
    bits(code, 7, 7) == 1 || bits(code, 3, 0) * 2 + bits(code, 5, 5) <= 16
}

const V6M: &[Row] = &[
    ("LSL (immediate)", "00000 iiiii mmm ddd", any),
    ("LSR (immediate)", "00001 iiiii mmm ddd", any),
    ("ASR (immediate)", "00010 iiiii mmm ddd", any),
    ("ADD (register) T1", "0001100 mmm nnn ddd", any),
    ("SUB (register) T1", "0001101 mmm nnn ddd", any),
    ("ADD (immediate) T1", "0001110 iii nnn ddd", any),
    ("SUB (immediate) T1", "0001111 iii nnn ddd", any),
    ("MOV (immediate) T1", "00100 ddd iiiiiiii", any),
    ("CMP (immediate) T1", "00101 nnn iiiiiiii", any),
    ("ADD (immediate) T2", "00110 ddd iiiiiiii", any),
    ("SUB (immediate) T2", "00111 ddd iiiiiiii", any),
    ("AND", "0100000000 mmm ddd", any),
    ("EOR", "0100000001 mmm ddd", any),
    ("LSL (register)", "0100000010 mmm ddd", any),
    ("LSR (register)", "0100000011 mmm ddd", any),
    ("ASR (register)", "0100000100 mmm ddd", any),
    ("ADC", "0100000101 mmm ddd", any),
    ("SBC", "0100000110 mmm ddd", any),
    ("ROR", "0100000111 mmm ddd", any),
    ("TST", "0100001000 mmm nnn", any),
    ("RSB", "0100001001 nnn ddd", any),
    ("CMP (register) T1", "0100001010 mmm nnn", any),
    ("CMN", "0100001011 mmm nnn", any),
    ("ORR", "0100001100 mmm ddd", any),
    ("MUL", "0100001101 nnn ddd", any),
    ("BIC", "0100001110 mmm ddd", any),
    ("MVN", "0100001111 mmm ddd", any),
    ("ADD (register) T2", "01000100 d mmmm ddd", any),
    ("ADD (SP plus register) T1", "01000100 d 1101 ddd", any),
    ("ADD (PC plus register)", "01000100 d 1111 ddd", any),
    ("CMP (register) T2", "01000101 1 mmmm hhh", any),
    ("MOV (register) T1", "01000110 d mmmm ddd", any),
    ("MOV from SP", "01000110 d 1101 ddd", any),
    ("MOV from PC", "01000110 d 1111 ddd", any),
    ("LDR (literal) T1", "01001 ttt iiiiiiii", any),
    ("STR (register) T1", "0101000 101 110 nnn", any),
    ("STRH (register) T1", "0101001 101 110 nnn", any),
    ("STRB (register) T1", "0101010 101 110 nnn", any),
    ("LDRSB (register) T1", "0101011 101 110 ttt", any),
    ("LDR (register) T1", "0101100 101 110 ttt", any),
    ("LDRH (register) T1", "0101101 101 110 ttt", any),
    ("LDRB (register) T1", "0101110 101 110 ttt", any),
    ("LDRSH (register) T1", "0101111 101 110 ttt", any),
    ("STR (immediate) T1", "01100 iiiii 110 nnn", any),
    ("LDR (immediate) T1", "01101 iiiii 110 ttt", any),
    ("STRB (immediate) T1", "01110 iiiii 110 nnn", any),
    ("LDRB (immediate) T1", "01111 iiiii 110 ttt", any),
    ("STRH (immediate) T1", "10000 iiiii 110 nnn", any),
    ("LDRH (immediate) T1", "10001 iiiii 110 ttt", any),
    ("STR (immediate) T2", "10010 nnn iiiiiiii", any),
    ("LDR (immediate) T2", "10011 ttt iiiiiiii", any),
    ("ADR T1", "10100 ddd iiiiiiii", any),
    ("ADD (SP plus immediate) T1", "10101 ddd iiiiiiii", any),
    ("ADD (SP plus immediate) T2", "101100000 00iiiii", any),
    ("SUB (SP minus immediate) T1", "101100001 00iiiii", any),
    ("SXTH", "1011001000 mmm ddd", any),
    ("SXTB", "1011001001 mmm ddd", any),
    ("UXTH", "1011001010 mmm ddd", any),
    ("UXTB", "1011001011 mmm ddd", any),
    ("PUSH", "1011010 i xxxxxxx1", any),
    ("POP", "1011110 0 pppppppp", any),
    ("REV", "1011101000 mmm ddd", any),
    ("REV16", "1011101001 mmm ddd", any),
    ("REVSH", "1011101011 mmm ddd", any),
    ("NOP", "1011111100000000", any),
    ("STM T1", "11000 110 qqqqqqqq", any),
    ("LDM T1", "11001 110 pppppppp", any),
    ("MRS APSR", "1111001111101111 1000 dddd 00000000", any),
    ("MSR APSR_nzcvq", "111100111000 nnnn 1000100000000000", any),
    ("DSB", "1111001110111111 1000111101001111", any),
    ("DMB", "1111001110111111 1000111101011111", any),
];

const V7M: &[Row] = &[
    ("AND (immediate)", "11110 i 00000 s nnnn 0 iii dddd iiiiiiii", expandable),
    ("BIC (immediate)", "11110 i 00001 s nnnn 0 iii dddd iiiiiiii", expandable),
    ("ORR (immediate)", "11110 i 00010 s nnnn 0 iii dddd iiiiiiii", expandable),
    ("ORN (immediate)", "11110 i 00011 s nnnn 0 iii dddd iiiiiiii", expandable),
    ("EOR (immediate)", "11110 i 00100 s nnnn 0 iii dddd iiiiiiii", expandable),
    ("ADD (immediate) T3", "11110 i 01000 s nnnn 0 iii dddd iiiiiiii", expandable),
    ("ADC (immediate)", "11110 i 01010 s nnnn 0 iii dddd iiiiiiii", expandable),
    ("SBC (immediate)", "11110 i 01011 s nnnn 0 iii dddd iiiiiiii", expandable),
    ("SUB (immediate) T3", "11110 i 01101 s nnnn 0 iii dddd iiiiiiii", expandable),
    ("RSB (immediate) T2", "11110 i 01110 s nnnn 0 iii dddd iiiiiiii", expandable),
    ("MOV (immediate) T2", "11110 i 00010 s 1111 0 iii dddd iiiiiiii", expandable),
    ("MVN (immediate)", "11110 i 00011 s 1111 0 iii dddd iiiiiiii", expandable),
    ("TST (immediate)", "11110 i 000001 nnnn 0 iii 1111 iiiiiiii", expandable),
    ("TEQ (immediate)", "11110 i 001001 nnnn 0 iii 1111 iiiiiiii", expandable),
    ("CMN (immediate)", "11110 i 010001 nnnn 0 iii 1111 iiiiiiii", expandable),
    ("CMP (immediate) T2", "11110 i 011011 nnnn 0 iii 1111 iiiiiiii", expandable),
    ("ADD (SP plus immediate) T3", "11110 i 01000 s 1101 0 iii dddd iiiiiiii", expandable),
    ("ADD (immediate) T4", "11110 i 100000 nnnn 0 iii dddd iiiiiiii", any),
    ("SUB (immediate) T4", "11110 i 101010 nnnn 0 iii dddd iiiiiiii", any),
    ("ADR T3", "11110 i 100000 1111 0 iii dddd iiiiiiii", any),
    ("ADR T2", "11110 i 101010 1111 0 iii dddd iiiiiiii", any),
    ("MOV (immediate) T3", "11110 i 100100 iiii 0 iii dddd iiiiiiii", any),
    ("MOVT", "11110 i 101100 iiii 0 iii dddd iiiiiiii", any),
    ("SSAT LSL", "1111001100 00 nnnn 0 iii dddd ii 0 iiiii", any),
    ("SSAT ASR", "1111001100 10 nnnn 0 iii dddd ii 0 iiiii", shifted),
    ("USAT LSL", "1111001110 00 nnnn 0 iii dddd ii 0 iiiii", any),
    ("USAT ASR", "1111001110 10 nnnn 0 iii dddd ii 0 iiiii", shifted),
    ("SBFX", "111100110100 nnnn 0 iii dddd ii 0 iiiii", field),
    ("UBFX", "111100111100 nnnn 0 iii dddd ii 0 iiiii", field),
    ("BFI", "111100110110 nnnn 0 iii dddd ii 0 iiiii", insertion),
    ("BFC", "111100110110 1111 0 iii dddd ii 0 iiiii", insertion),
    ("AND (register) T2", "11101010000 s nnnn 0 iii dddd iiii mmmm", any),
    ("BIC (register) T2", "11101010001 s nnnn 0 iii dddd iiii mmmm", any),
    ("ORR (register) T2", "11101010010 s nnnn 0 iii dddd iiii mmmm", any),
    ("ORN (register)", "11101010011 s nnnn 0 iii dddd iiii mmmm", any),
    ("EOR (register) T2", "11101010100 s nnnn 0 iii dddd iiii mmmm", any),
    ("ADD (register) T3", "11101011000 s nnnn 0 iii dddd iiii mmmm", any),
    ("ADC (register) T2", "11101011010 s nnnn 0 iii dddd iiii mmmm", any),
    ("SBC (register) T2", "11101011011 s nnnn 0 iii dddd iiii mmmm", any),
    ("SUB (register) T2", "11101011101 s nnnn 0 iii dddd iiii mmmm", any),
    ("RSB (register)", "11101011110 s nnnn 0 iii dddd iiii mmmm", any),
    ("MOV, LSL, LSR, ASR, ROR, RRX T3", "11101010010 s 1111 0 iii dddd iiii mmmm", any),
    ("MVN (register) T2", "11101010011 s 1111 0 iii dddd iiii mmmm", any),
    ("TST (register) T2", "111010100001 nnnn 0 iii 1111 iiii mmmm", any),
    ("TEQ (register)", "111010101001 nnnn 0 iii 1111 iiii mmmm", any),
    ("CMN (register) T2", "111010110001 nnnn 0 iii 1111 iiii mmmm", any),
    ("CMP (register) T3", "111010111011 nnnn 0 iii 1111 iiii mmmm", any),
    ("shift (register) T2", "111110100 ii s nnnn 1111 dddd 0000 mmmm", any),
    ("SXTH T2", "1111101000001111 1111 dddd 10 ii mmmm", any),
    ("UXTH T2", "1111101000011111 1111 dddd 10 ii mmmm", any),
    ("SXTB T2", "1111101001001111 1111 dddd 10 ii mmmm", any),
    ("UXTB T2", "1111101001011111 1111 dddd 10 ii mmmm", any),
    ("REV, REV16, RBIT, REVSH T2", "111110101001 nnnn 1111 dddd 10 ii mmmm", same_operands),
    ("CLZ", "111110101011 nnnn 1111 dddd 1000 mmmm", same_operands),
    ("MUL T2", "111110110000 nnnn 1111 dddd 0000 mmmm", any),
    ("MLA", "111110110000 nnnn aaaa dddd 0000 mmmm", any),
    ("MLS", "111110110000 nnnn aaaa dddd 0001 mmmm", any),
    ("SMULL", "111110111000 nnnn dddd eeee 0000 mmmm", any),
    ("UMULL", "111110111010 nnnn dddd eeee 0000 mmmm", any),
    ("SMLAL", "111110111100 nnnn dddd eeee 0000 mmmm", any),
    ("UMLAL", "111110111110 nnnn dddd eeee 0000 mmmm", any),
    ("SDIV", "111110111001 nnnn 1111 dddd 1111 mmmm", any),
    ("UDIV", "111110111011 nnnn 1111 dddd 1111 mmmm", any),
    ("STRB (immediate) T2", "111110001000 bbbb nnnn iiiiiiiiiiii", any),
    ("LDRB (immediate) T2", "111110001001 bbbb tttt iiiiiiiiiiii", any),
    ("STRH (immediate) T2", "111110001010 bbbb nnnn iiiiiiiiiiii", halves),
    ("LDRH (immediate) T2", "111110001011 bbbb tttt iiiiiiiiiiii", halves),
    ("STR (immediate) T3", "111110001100 bbbb nnnn iiiiiiiiiiii", words),
    ("LDR (immediate) T3", "111110001101 bbbb tttt iiiiiiiiiiii", words),
    ("LDRSB (immediate) T1", "111110011001 bbbb tttt iiiiiiiiiiii", any),
    ("LDRSH (immediate) T1", "111110011011 bbbb tttt iiiiiiiiiiii", halves),
    ("STRB (immediate) T3", "111110000000 bbbb nnnn 1 www iiiiiiii", indexed),
    ("LDRB (immediate) T3", "111110000001 bbbb tttt 1 www iiiiiiii", indexed),
    ("STRH (immediate) T3", "111110000010 bbbb nnnn 1 www iiiiiiii", indexed),
    ("LDRH (immediate) T3", "111110000011 bbbb tttt 1 www iiiiiiii", indexed),
    ("STR (immediate) T4", "111110000100 bbbb nnnn 1 www iiiiiiii", indexed),
    ("LDR (immediate) T4", "111110000101 bbbb tttt 1 www iiiiiiii", indexed),
    ("LDRSB (immediate) T2", "111110010001 bbbb tttt 1 www iiiiiiii", indexed),
    ("LDRSH (immediate) T2", "111110010011 bbbb tttt 1 www iiiiiiii", indexed),
    ("STRB (register) T2", "111110000000 bbbb nnnn 000000 ii 0101", any),
    ("LDRB (register) T2", "111110000001 bbbb tttt 000000 ii 0101", any),
    ("STRH (register) T2", "111110000010 bbbb nnnn 000000 ii 0101", any),
    ("LDRH (register) T2", "111110000011 bbbb tttt 000000 ii 0101", any),
    ("STR (register) T2", "111110000100 bbbb nnnn 000000 ii 0101", any),
    ("LDR (register) T2", "111110000101 bbbb tttt 000000 ii 0101", any),
    ("LDRSB (register) T2", "111110010001 bbbb tttt 000000 ii 0101", any),
    ("LDRSH (register) T2", "111110010011 bbbb tttt 000000 ii 0101", any),
    ("LDR (literal) T2", "11111000 i 1011111 tttt iiiiiiiiiiii", words),
    ("LDRB (literal)", "11111000 i 0011111 tttt iiiiiiiiiiii", any),
    ("LDRH (literal)", "11111000 i 0111111 tttt iiiiiiiiiiii", halves),
    ("LDRSB (literal)", "11111001 i 0011111 tttt iiiiiiiiiiii", any),
    ("LDRSH (literal)", "11111001 i 0111111 tttt iiiiiiiiiiii", halves),
    ("STRD (immediate)", "1110100 i i 1 i 0 bbbb nnnn mmmm iiiiiiii", indexed_double),
    ("LDRD (immediate)", "1110100 i i 1 i 1 bbbb tttt uuuu iiiiiiii", indexed_double),
    ("LDRD (literal)", "1110100 1 i 101 1111 tttt uuuu iiiiiiii", any),
    ("STM T2", "1110100010 i 0 bbbb 000 lllllllllllll", any),
    ("LDM T2", "1110100010 i 1 bbbb 000 lllllllllllll", any),
    ("STMDB", "1110100100 i 0 bbbb 000 lllllllllllll", any),
    ("LDMDB", "1110100100 i 1 bbbb 000 lllllllllllll", any),
    ("CLREX", "1111001110111111 1000111100101111", any),
];

const DSP: &[Row] = &[
    ("MSR APSR_g, APSR_nzcvqg", "111100111000 nnnn 1000 i1 0000000000", any),
    ("SSAT16", "111100110010 nnnn 0000 dddd 0000 iiii", any),
    ("USAT16", "111100111010 nnnn 0000 dddd 0000 iiii", any),
    ("PKHBT, PKHTB", "111010101100 nnnn 0 iii dddd ii i 0 mmmm", any),
    ("SXTAH", "111110100000 nnnn 1111 dddd 10 ii mmmm", any),
    ("UXTAH", "111110100001 nnnn 1111 dddd 10 ii mmmm", any),
    ("SXTAB16", "111110100010 nnnn 1111 dddd 10 ii mmmm", any),
    ("UXTAB16", "111110100011 nnnn 1111 dddd 10 ii mmmm", any),
    ("SXTAB", "111110100100 nnnn 1111 dddd 10 ii mmmm", any),
    ("UXTAB", "111110100101 nnnn 1111 dddd 10 ii mmmm", any),
    ("SXTB16", "1111101000101111 1111 dddd 10 ii mmmm", any),
    ("UXTB16", "1111101000111111 1111 dddd 10 ii mmmm", any),
    ("parallel ADD8, SUB8", "11111010 1 i 00 nnnn 1111 dddd 0 iii mmmm", |code| bits(code, 5, 4) != 3),
    ("parallel ADD16, SUB16", "11111010 1 i 01 nnnn 1111 dddd 0 iii mmmm", |code| bits(code, 5, 4) != 3),
    ("parallel ASX, SAX", "11111010 1 i 10 nnnn 1111 dddd 0 iii mmmm", |code| bits(code, 5, 4) != 3),
    ("QADD, QDADD, QSUB, QDSUB", "111110101000 nnnn 1111 dddd 10 ii mmmm", any),
    ("SEL", "111110101010 nnnn 1111 dddd 1000 mmmm", any),
    ("SMLABB to SMLATT", "111110110001 nnnn aaaa dddd 00 ii mmmm", any),
    ("SMULBB to SMULTT", "111110110001 nnnn 1111 dddd 00 ii mmmm", any),
    ("SMLAD", "111110110010 nnnn aaaa dddd 000 i mmmm", any),
    ("SMUAD", "111110110010 nnnn 1111 dddd 000 i mmmm", any),
    ("SMLAWB, SMLAWT", "111110110011 nnnn aaaa dddd 000 i mmmm", any),
    ("SMULWB, SMULWT", "111110110011 nnnn 1111 dddd 000 i mmmm", any),
    ("SMLSD", "111110110100 nnnn aaaa dddd 000 i mmmm", any),
    ("SMUSD", "111110110100 nnnn 1111 dddd 000 i mmmm", any),
    ("SMMLA", "111110110101 nnnn aaaa dddd 000 i mmmm", any),
    ("SMMUL", "111110110101 nnnn 1111 dddd 000 i mmmm", any),
    ("SMMLS", "111110110110 nnnn aaaa dddd 000 i mmmm", any),
    ("USADA8", "111110110111 nnnn aaaa dddd 0000 mmmm", any),
    ("USAD8", "111110110111 nnnn 1111 dddd 0000 mmmm", any),
    ("SMLALBB to SMLALTT", "111110111100 nnnn dddd eeee 10 ii mmmm", any),
    ("SMLALD", "111110111100 nnnn dddd eeee 110 i mmmm", any),
    ("SMLSLD", "111110111101 nnnn dddd eeee 110 i mmmm", any),
    ("UMAAL", "111110111110 nnnn dddd eeee 0110 mmmm", any),
];

const FPU: &[Row] = &[
    ("VMLA, VMLS", "111011100 x 00 xxxx xxxx 1010 xxx0 xxxx", any),
    ("VNMLA, VNMLS", "111011100 x 01 xxxx xxxx 1010 xxx0 xxxx", any),
    ("VMUL, VNMUL", "111011100 x 10 xxxx xxxx 1010 xxx0 xxxx", any),
    ("VADD, VSUB", "111011100 x 11 xxxx xxxx 1010 xxx0 xxxx", any),
    ("VDIV", "111011101 x 00 xxxx xxxx 1010 x0x0 xxxx", any),
    ("VFNMA, VFNMS", "111011101 x 01 xxxx xxxx 1010 xxx0 xxxx", any),
    ("VFMA, VFMS", "111011101 x 10 xxxx xxxx 1010 xxx0 xxxx", any),
    ("VMOV (immediate)", "111011101 x 11 iiii xxxx 1010 0000 iiii", any),
    ("VMOV (register), VABS", "111011101 x 110000 xxxx 1010 i1x0 xxxx", any),
    ("VNEG, VSQRT", "111011101 x 110001 xxxx 1010 i1x0 xxxx", any),
    ("VCVTB, VCVTT from half", "111011101 x 110010 xxxx 1010 i1x0 xxxx", any),
    ("VCVTB, VCVTT to half", "111011101 x 110011 xxxx 1010 i1x0 xxxx", any),
    ("VCMP, VCMPE", "111011101 x 110100 xxxx 1010 i1x0 xxxx", any),
    ("VCMP, VCMPE with zero", "111011101 x 110101 xxxx 1010 i100 0000", any),
    ("VCVT from integer", "111011101 x 111000 xxxx 1010 i1x0 xxxx", any),
    ("VCVT, VCVTR to integer", "111011101 x 11110 i xxxx 1010 i1x0 xxxx", any),
    ("VCVT from fixed", "111011101 x 11101 i xxxx 1010 i1i0 iiii", fraction),
    ("VCVT to fixed", "111011101 x 11111 i xxxx 1010 i1i0 iiii", fraction),
    ("VMOV Sn, Rt", "111011100000 xxxx nnnn 1010 x0010000", any),
    ("VMOV Rt, Sn", "111011100001 xxxx tttt 1010 x0010000", any),
    ("VMOV Sm, Sm1, Rt, Rt2", "111011000100 nnnn mmmm 1010 00x1 xxxx", single_pair),
    ("VMOV Rt, Rt2, Sm, Sm1", "111011000101 tttt uuuu 1010 00x1 xxxx", single_pair),
    ("VMOV Dm, Rt, Rt2", "111011000100 nnnn mmmm 1011 0001 xxxx", any),
    ("VMOV Rt, Rt2, Dm", "111011000101 tttt uuuu 1011 0001 xxxx", any),
    ("VMOV Dd[x], Rt", "111011100 0 i 0 xxxx nnnn 1011 00010000", any),
    ("VMOV Rt, Dn[x]", "111011100 0 i 1 xxxx tttt 1011 00010000", any),
    ("VMRS Rt", "1110111011110001 tttt 1010 00010000", any),
    ("VMRS APSR_nzcv", "1110111011110001 1111 1010 00010000", any),
    ("VSTR single", "11101101 i x 00 bbbb xxxx 1010 iiiiiiii", any),
    ("VLDR single", "11101101 i x 01 bbbb xxxx 1010 iiiiiiii", any),
    ("VSTR double", "11101101 i 000 bbbb xxxx 1011 iiiiiiii", any),
    ("VLDR double", "11101101 i 001 bbbb xxxx 1011 iiiiiiii", any),
    ("VLDR literal", "11101101 i x 01 1111 xxxx 1010 iiiiiiii", any),
    ("VSTM singles", "11101100 1 x i 0 bbbb xxxx 1010 iiiiiiii", single_list),
    ("VLDM singles", "11101100 1 x i 1 bbbb xxxx 1010 iiiiiiii", single_list),
    ("VSTMDB singles", "11101101 0 x 1 0 bbbb xxxx 1010 iiiiiiii", single_list),
    ("VLDMDB singles", "11101101 0 x 1 1 bbbb xxxx 1010 iiiiiiii", single_list),
    ("VSTM doubles", "11101100 1 0 i 0 bbbb xxxx 1011 iiiiiiii", double_list),
    ("VLDM doubles", "11101100 1 0 i 1 bbbb xxxx 1011 iiiiiiii", double_list),
    ("VSTMDB doubles", "11101101 0 0 1 0 bbbb xxxx 1011 iiiiiiii", double_list),
    ("VLDMDB doubles", "11101101 0 0 1 1 bbbb xxxx 1011 iiiiiiii", double_list),
];

/// Every instruction of `profile` that can be compared.
pub fn templates(profile: Profile) -> Vec<Template> {
    let parts: &[&[Row]] = match profile {
        Profile::V6M => &[V6M],
        Profile::V7M => &[V6M, V7M],
        Profile::V7EMF => &[V6M, V7M, DSP, FPU],
    };
    parts.iter().copied().flatten().map(|(name, pattern, accept)| Template::new(name, pattern, *accept)).collect()
}
