//! Decoding of the DSP and saturating instructions to the functions of [`super::dsp`] (ARMv7-M ARM A5.3.3,
//! A5.3.11 to A5.3.17).

use super::Core;
use super::data::shift_c;
use super::decode::shift;
use super::dsp::{self, Flagged, Half, Lanes, Variant};
use super::faults::Fault;
use super::op::Op;

/// Top or bottom half-word by one bit.
fn half(bit: u32) -> Half {
    if bit & 1 == 1 { Half::Top } else { Half::Bottom }
}

impl Core {
    /// `DSP`: imm is the encoding.
    pub(super) fn dsp(&mut self, op: Op) -> Result<u32, Fault> {
        let raw = op.imm();
        let result = match raw >> 24 {
            // PKHBT and PKHTB share the space of data processing with shifted registers.
            0xEA => self.pack(raw),
            0xF3 | 0xF7 => self.saturate(raw),
            0xFA => self.parallel(raw),
            0xFB if raw >> 23 & 1 == 0 => self.multiply(raw),
            0xFB => self.multiply_long(raw),
            _ => None,
        };
        result.ok_or(Fault::Undefined)?;
        Ok(1)
    }

    /// A register by the field of the encoding that starts at `low`.
    fn field_register(&self, raw: u32, low: u32) -> u32 {
        self.regs.r[(raw >> low & 15) as usize]
    }

    fn set_d(&mut self, raw: u32, value: u32) {
        self.regs.set((raw >> 8 & 15) as usize, value);
    }

    fn set_d_flagged(&mut self, raw: u32, result: Flagged) {
        self.regs.q |= result.q;
        self.set_d(raw, result.value);
    }

    fn pack(&mut self, raw: u32) -> Option<()> {
        let amount = (raw >> 12 & 7) << 2 | raw >> 6 & 3;
        let (n, m) = (self.field_register(raw, 16), self.field_register(raw, 0));
        let value = match raw >> 4 & 3 {
            0 => dsp::pkhbt(n, m << amount),
            2 => dsp::pkhtb(n, shift_c(m, shift::ASR, if amount == 0 { 32 } else { amount }, false).0),
            _ => return None,
        };
        self.set_d(raw, value);
        Some(())
    }

    /// SSAT, USAT and their two-lane forms.
    fn saturate(&mut self, raw: u32) -> Option<()> {
        let amount = (raw >> 12 & 7) << 2 | raw >> 6 & 3;
        let n = self.field_register(raw, 16);
        let bits = raw & 31;
        let arithmetic = raw >> 21 & 1 == 1;
        let operand = if arithmetic { (n as i32 >> amount) as u32 } else { n << amount };
        let lanes = arithmetic && amount == 0;
        let result = match (raw >> 23 & 1 == 1, lanes) {
            (false, false) => dsp::ssat(operand, bits + 1),
            (false, true) => dsp::ssat16(n, (bits & 15) + 1),
            (true, false) => dsp::usat(operand, bits),
            (true, true) => dsp::usat16(n, bits & 15),
        };
        self.set_d_flagged(raw, result);
        Some(())
    }

    /// Extensions with addition, parallel additions and subtractions, QADD and its like, SEL.
    fn parallel(&mut self, raw: u32) -> Option<()> {
        let (op1, op2) = (raw >> 20 & 15, raw >> 4 & 15);
        let (n, m) = (self.field_register(raw, 16), self.field_register(raw, 0));
        let rotated = m.rotate_right((op2 & 3) << 3);
        let alone = raw >> 16 & 15 == 15;
        let value = match (op1, op2) {
            (0, 8..=11) => n.wrapping_add(rotated as i16 as u32),
            (1, 8..=11) => n.wrapping_add(rotated & 0xFFFF),
            (2, 8..=11) if alone => dsp::sxtb16(rotated),
            (2, 8..=11) => dsp::sxtab16(n, rotated),
            (3, 8..=11) if alone => dsp::uxtb16(rotated),
            (3, 8..=11) => dsp::uxtab16(n, rotated),
            (4, 8..=11) => n.wrapping_add(rotated as i8 as u32),
            (5, 8..=11) => n.wrapping_add(rotated & 0xFF),
            (8, 8..=11) => {
                let operation = [dsp::qadd, dsp::qdadd, dsp::qsub, dsp::qdsub][(op2 & 3) as usize];
                self.set_d_flagged(raw, operation(m, n));
                return Some(());
            }
            (10, 8) => dsp::sel(n, m, self.regs.ge),
            (8.., 0..=7) => {
                let variant = Variant::from_bits(op2)?;
                let lanes = Lanes::from_op1(op1 & 7)?;
                dsp::parallel(lanes, variant, n, m, &mut self.regs.ge)
            }
            _ => return None,
        };
        self.set_d(raw, value);
        Some(())
    }

    /// Multiplications with a 32-bit result (A5.3.16).
    fn multiply(&mut self, raw: u32) -> Option<()> {
        let (op1, op2) = (raw >> 20 & 7, raw >> 4 & 15);
        let (n, m) = (self.field_register(raw, 16), self.field_register(raw, 0));
        let accumulate = raw >> 12 & 15 != 15;
        let a = if accumulate { self.field_register(raw, 12) } else { 0 };
        let low = op2 & 1 == 1;
        if op2 > 3 {
            return None;
        }
        let plain = |value| Flagged { value, q: false };
        let (n_half, m_half) = (half(op2 >> 1), half(op2));
        let result = match (op1, accumulate) {
            (1, false) => plain(dsp::smul(n, n_half, m, m_half)),
            (1, true) => dsp::smla(n, n_half, m, m_half, a),
            _ if op2 > 1 => return None,
            (2, false) => dsp::smuad(n, m, low),
            (2, true) => dsp::smlad(n, m, a, low),
            (3, false) => plain(dsp::smulw(n, m, half(op2))),
            (3, true) => dsp::smlaw(n, m, half(op2), a),
            (4, false) => plain(dsp::smusd(n, m, low)),
            (4, true) => dsp::smlsd(n, m, a, low),
            (5, false) => plain(dsp::smmul(n, m, low)),
            (5, true) => plain(dsp::smmla(n, m, a, low)),
            (6, _) => plain(dsp::smmls(n, m, self.field_register(raw, 12), low)),
            (7, false) if !low => plain(dsp::usad8(n, m)),
            (7, true) if !low => plain(dsp::usada8(n, m, a)),
            _ => return None,
        };
        self.set_d_flagged(raw, result);
        Some(())
    }

    /// Multiplications that accumulate in 64 bits (A5.3.17).
    fn multiply_long(&mut self, raw: u32) -> Option<()> {
        let (op1, op2) = (raw >> 20 & 7, raw >> 4 & 15);
        let (n, m) = (self.field_register(raw, 16), self.field_register(raw, 0));
        let (low, high) = (self.field_register(raw, 12), self.field_register(raw, 8));
        let sum = u64::from(high) << 32 | u64::from(low);
        let exchange = op2 & 1 == 1;
        let result = match (op1, op2) {
            (4, 8..=11) => dsp::smlal(n, half(op2 >> 1), m, half(op2), sum),
            (4, 12 | 13) => dsp::smlald(n, m, sum, exchange),
            (5, 12 | 13) => dsp::smlsld(n, m, sum, exchange),
            (6, 6) => dsp::umaal(n, m, high, low),
            _ => return None,
        };
        self.regs.set((raw >> 12 & 15) as usize, result as u32);
        self.set_d(raw, (result >> 32) as u32);
        Some(())
    }
}
