//! Data processing, as the interpreter's inner loop and `super::super::data` do it.

use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};

use super::super::decode::{dp, shift};
use super::super::op::{Op, kind};
use super::emit::{C, Emitter, Fresh, Here, N, Operand, V_TOP, Z, r};

impl Emitter<'_> {
    /// EAX is register `index`.
    fn take(&mut self, index: usize) {
        dynasm!(self.ops ; .arch x64 ; mov eax, [BYTE rbx + r(index)]);
    }

    /// EDX is register `index`.
    fn take_second(&mut self, index: usize) -> Operand {
        dynasm!(self.ops ; .arch x64 ; mov edx, [BYTE rbx + r(index)]);
        Operand::Edx
    }

    /// Register `index` is EAX.
    fn give(&mut self, index: usize) {
        dynasm!(self.ops ; .arch x64 ; mov [BYTE rbx + r(index)], eax);
    }

    /// Register `index` is EAX, and so are N and Z.
    fn give_nz(&mut self, index: usize) {
        self.give(index);
        self.set_nz();
    }

    /// N and Z are those of EAX. Flags of the host stay.
    fn set_nz(&mut self) {
        dynasm!(self.ops
            ; .arch x64
            ; mov [BYTE rbx + N], eax
            ; mov [BYTE rbx + Z], eax
        );
        self.fresh = Fresh::Result;
    }

    /// After an addition: all flags, of the result in EAX. Register `to` is the result.
    fn added(&mut self, to: Option<usize>) {
        if let Some(to) = to {
            self.give(to);
        }
        self.set_nz();
        dynasm!(self.ops
            ; .arch x64
            ; setb BYTE [BYTE rbx + C]
            ; seto cl
            ; shl cl, 7
            ; mov [BYTE rbx + V_TOP], cl
        );
    }

    /// EAX + `y` with all flags.
    fn adds(&mut self, to: Option<usize>, y: Operand) {
        match y {
            Operand::Imm(imm) => dynasm!(self.ops ; .arch x64 ; add eax, imm as i32),
            Operand::Edx => dynasm!(self.ops ; .arch x64 ; add eax, edx),
        }
        self.added(to);
    }

    /// EAX + EDX + C with all flags.
    fn adcs(&mut self, to: Option<usize>) {
        dynasm!(self.ops
            ; .arch x64
            ; cmp BYTE [BYTE rbx + C], 1
            ; cmc
            ; adc eax, edx
        );
        self.added(to);
    }

    /// EAX - `y` with all flags.
    fn subs(&mut self, to: Option<usize>, y: Operand) {
        let ops = &mut self.ops;
        dynasm!(ops ; .arch x64 ; mov ecx, eax);
        match y {
            Operand::Imm(imm) => dynasm!(ops ; .arch x64 ; sub ecx, imm as i32),
            Operand::Edx => dynasm!(ops ; .arch x64 ; sub ecx, edx),
        }
        if let Some(to) = to {
            dynasm!(ops ; .arch x64 ; mov [BYTE rbx + r(to)], ecx);
        }
        dynasm!(ops
            ; .arch x64
            ; mov [BYTE rbx + N], ecx
            ; mov [BYTE rbx + Z], ecx
            ; setae BYTE [BYTE rbx + C]
            ; seto cl
            ; shl cl, 7
            ; mov [BYTE rbx + V_TOP], cl
        );
        self.fresh = Fresh::Difference(y);
    }

    /// Any data processing that can be translated; false (and nothing done) for what cannot.
    pub(super) fn data(&mut self, here: Here) -> bool {
        let op = here.op;
        let (a, b, c, d) = (op.a(), op.b(), op.c(), op.imm() as usize & 15);
        let imm = op.imm();
        let y_imm = Operand::Imm(imm);
        macro_rules! eax {
            ($($code:tt)*) => { dynasm!(self.ops ; .arch x64 ; $($code)*) };
        }
        match op.kind() {
            kind::MOV_IMM => eax!(mov DWORD [BYTE rbx + r(a)], imm as i32),
            kind::ADR => {
                let value = (here.pc.wrapping_add(4) & !3).wrapping_add(imm);
                eax!(mov DWORD [BYTE rbx + r(a)], value as i32);
            }
            kind::MOVS_IMM => {
                eax!(mov eax, imm as i32);
                self.give_nz(a);
            }
            kind::MOV_REG | kind::MOVS_REG | kind::MVN_REG | kind::MVNS_REG => {
                self.take(c);
                if matches!(op.kind(), kind::MVN_REG | kind::MVNS_REG) {
                    eax!(not eax);
                }
                self.give_with(a, matches!(op.kind(), kind::MOVS_REG | kind::MVNS_REG));
            }
            kind::MOVT => {
                self.take(a);
                eax!(and eax, 0xFFFF);
                eax!(or eax, (imm << 16) as i32);
                self.give(a);
            }
            kind::ADD_IMM
            | kind::SUB_IMM
            | kind::AND_IMM
            | kind::ANDS_IMM
            | kind::BIC_IMM
            | kind::ORR_IMM
            | kind::EOR_IMM => {
                self.take(b);
                match op.kind() {
                    kind::ADD_IMM => eax!(add eax, imm as i32),
                    kind::SUB_IMM => eax!(sub eax, imm as i32),
                    kind::AND_IMM | kind::ANDS_IMM => eax!(and eax, imm as i32),
                    kind::BIC_IMM => eax!(and eax, !imm as i32),
                    kind::ORR_IMM => eax!(or eax, imm as i32),
                    _ => eax!(xor eax, imm as i32),
                }
                self.give_with(a, op.kind() == kind::ANDS_IMM);
            }
            kind::ADDS_IMM => {
                self.take(b);
                self.adds(Some(a), y_imm);
            }
            kind::SUBS_IMM | kind::CMP_IMM => {
                self.take(b);
                self.subs((op.kind() == kind::SUBS_IMM).then_some(a), y_imm);
            }
            kind::RSB_IMM | kind::RSBS_IMM => {
                eax!(mov eax, imm as i32);
                let y = self.take_second(b);
                if op.kind() == kind::RSBS_IMM {
                    self.subs(Some(a), y);
                } else {
                    eax!(sub eax, edx);
                    self.give(a);
                }
            }
            kind::ADDS_REG | kind::CMN_REG => {
                self.take(b);
                let y = self.take_second(c);
                self.adds((op.kind() == kind::ADDS_REG).then_some(a), y);
            }
            kind::SUBS_REG | kind::CMP_REG => {
                self.take(b);
                let y = self.take_second(c);
                self.subs((op.kind() == kind::SUBS_REG).then_some(a), y);
            }
            kind::ADCS_REG | kind::SBCS_REG => {
                self.take(b);
                self.take_second(c);
                if op.kind() == kind::SBCS_REG {
                    eax!(not edx);
                }
                self.adcs(Some(a));
            }
            kind::ADD_REG | kind::SUB_REG | kind::ADD_LSL | kind::SUB_LSL => {
                self.take(b);
                self.take_second(c);
                if matches!(op.kind(), kind::ADD_LSL | kind::SUB_LSL) {
                    eax!(shl edx, (imm & 31) as i8);
                }
                if matches!(op.kind(), kind::ADD_REG | kind::ADD_LSL) {
                    eax!(add eax, edx);
                } else {
                    eax!(sub eax, edx);
                }
                self.give(a);
            }
            kind::AND_REG | kind::ANDS_REG | kind::BIC_REG | kind::BICS_REG | kind::TST_REG => {
                self.take(b);
                self.take_second(c);
                if matches!(op.kind(), kind::BIC_REG | kind::BICS_REG) {
                    eax!(not edx);
                }
                eax!(and eax, edx);
                match op.kind() {
                    kind::TST_REG => self.set_nz(),
                    kind => self.give_with(a, matches!(kind, kind::ANDS_REG | kind::BICS_REG)),
                }
            }
            kind::TST_IMM => {
                self.take(b);
                eax!(and eax, imm as i32);
                self.set_nz();
            }
            kind::ORR_REG | kind::ORRS_REG | kind::EOR_REG | kind::EORS_REG => {
                self.take(b);
                self.take_second(c);
                if matches!(op.kind(), kind::ORR_REG | kind::ORRS_REG) {
                    eax!(or eax, edx);
                } else {
                    eax!(xor eax, edx);
                }
                self.give_with(a, matches!(op.kind(), kind::ORRS_REG | kind::EORS_REG));
            }
            kind::LSL_IMM..=kind::ASRS_IMM => return self.shift(op),
            kind::LSLS_REG..=kind::SHIFT_REG => return self.shift_by_register(here),
            kind::SXTB | kind::SXTH | kind::UXTB | kind::UXTH => {
                self.take(c);
                if imm & 31 != 0 {
                    eax!(ror eax, (imm & 31) as i8);
                }
                match op.kind() {
                    kind::SXTB => eax!(movsx eax, al),
                    kind::SXTH => eax!(movsx eax, ax),
                    kind::UXTB => eax!(movzx eax, al),
                    _ => eax!(movzx eax, ax),
                }
                self.give(a);
            }
            kind::UBFX | kind::SBFX => {
                let (lsb, rest) = ((imm & 31) as i8, (imm >> 8 & 31) as i8);
                self.take(b);
                eax!(shr eax, lsb);
                eax!(shl eax, rest);
                if op.kind() == kind::UBFX {
                    eax!(shr eax, rest);
                } else {
                    eax!(sar eax, rest);
                }
                self.give(a);
            }
            kind::BFI | kind::BFC => {
                let mask = u32::MAX >> (imm >> 8 & 31) << (imm & 31);
                self.take(a);
                eax!(and eax, !mask as i32);
                if op.kind() == kind::BFI {
                    self.take_second(b);
                    eax!(shl edx, (imm & 31) as i8);
                    eax!(and edx, mask as i32);
                    eax!(or eax, edx);
                }
                self.give(a);
            }
            kind::REV | kind::REV16 => {
                self.take(c);
                eax!(bswap eax);
                if op.kind() == kind::REV16 {
                    eax!(ror eax, 16);
                }
                self.give(a);
            }
            kind::CLZ => {
                self.take_second(c);
                eax!(mov ecx, 63);
                eax!(bsr eax, edx);
                eax!(cmovz eax, ecx);
                eax!(xor eax, 31);
                self.give(a);
            }
            kind::MUL | kind::MULS => {
                self.take(b);
                eax!(imul eax, [BYTE rbx + r(c)]);
                self.give_with(a, op.kind() == kind::MULS);
            }
            kind::MLA | kind::MLS => {
                self.take_second(b);
                eax!(imul edx, [BYTE rbx + r(c)]);
                self.take(d);
                if op.kind() == kind::MLA {
                    eax!(add eax, edx);
                } else {
                    eax!(sub eax, edx);
                }
                self.give(a);
            }
            kind::UMULL | kind::SMULL => {
                self.take(b);
                if op.kind() == kind::UMULL {
                    eax!(mul DWORD [BYTE rbx + r(c)]);
                } else {
                    eax!(imul DWORD [BYTE rbx + r(c)]);
                }
                self.give(a);
                eax!(mov [BYTE rbx + r(d)], edx);
            }
            kind::DP_IMM | kind::DP_IMM_C | kind::DP_SHIFT => return self.processing(op),
            _ => return false,
        }
        true
    }

    /// Register `index` is EAX; with `s` N and Z are as well.
    fn give_with(&mut self, index: usize, s: bool) {
        if s { self.give_nz(index) } else { self.give(index) }
    }

    /// A shift by a constant, 1 to 31 or for right shifts 32. The host's carry is Arm's.
    fn shift(&mut self, op: Op) -> bool {
        let (a, imm) = (op.a(), op.imm());
        let amount = (imm & 31) as i8;
        let left = matches!(op.kind(), kind::LSL_IMM | kind::LSLS_IMM);
        if imm == 0 || imm > 32 || left && imm == 32 {
            return false;
        }
        self.take(op.c());
        match op.kind() {
            kind::LSL_IMM | kind::LSLS_IMM => dynasm!(self.ops ; .arch x64 ; shl eax, amount),
            kind::LSR_IMM | kind::LSRS_IMM if imm == 32 => dynasm!(self.ops ; .arch x64 ; shr eax, 31 ; shr eax, 1),
            kind::LSR_IMM | kind::LSRS_IMM => dynasm!(self.ops ; .arch x64 ; shr eax, amount),
            _ if imm == 32 => dynasm!(self.ops ; .arch x64 ; sar eax, 31 ; sar eax, 1),
            _ => dynasm!(self.ops ; .arch x64 ; sar eax, amount),
        }
        let s = matches!(op.kind(), kind::LSLS_IMM | kind::LSRS_IMM | kind::ASRS_IMM);
        if s {
            dynasm!(self.ops ; .arch x64 ; setb BYTE [BYTE rbx + C]);
        }
        self.give_with(a, s);
        true
    }

    /// A shift by a register; by 0 or more than 31 it is executed otherwise where the flags depend on that.
    fn shift_by_register(&mut self, here: Here) -> bool {
        let op = here.op;
        if op.a() == 13 {
            return false;
        }
        let s = op.kind() != kind::SHIFT_REG || op.s();
        let otherwise = self.otherwise(here);
        dynasm!(self.ops ; .arch x64 ; mov ecx, [BYTE rbx + r(op.c())]);
        if s {
            dynasm!(self.ops ; .arch x64 ; lea edx, [rcx - 1] ; cmp dl, 31);
        } else {
            dynasm!(self.ops ; .arch x64 ; cmp cl, 32);
        }
        dynasm!(self.ops ; .arch x64 ; jae =>otherwise);
        self.take(op.b());
        match op.imm() {
            shift::LSL => dynasm!(self.ops ; .arch x64 ; shl eax, cl),
            shift::LSR => dynasm!(self.ops ; .arch x64 ; shr eax, cl),
            shift::ASR => dynasm!(self.ops ; .arch x64 ; sar eax, cl),
            _ => dynasm!(self.ops ; .arch x64 ; ror eax, cl),
        }
        if s {
            dynasm!(self.ops ; .arch x64 ; setb BYTE [BYTE rbx + C]);
        }
        self.give_with(op.a(), s);
        // After what is executed otherwise, EAX is not the result.
        self.fresh = Fresh::Nothing;
        true
    }

    /// `DP_IMM`, `DP_IMM_C` and `DP_SHIFT` with neither SP (but as the first operand) nor the PC.
    fn processing(&mut self, op: Op) -> bool {
        let (d, n, s) = (op.a(), op.b(), op.s());
        let shifted = op.kind() == kind::DP_SHIFT;
        let operation = if shifted { op.imm() & 15 } else { op.c() as u32 };
        let moves = matches!(operation, dp::ORR | dp::ORN) && n == 15;
        let compares = d == 15 && s;
        let (how, amount) = (op.imm() >> 4 & 3, op.imm() >> 8 & 0x3F);
        let special = n == 15 && !moves || matches!(d, 13 | 15) && !compares;
        if special || shifted && (matches!(op.c(), 13 | 15) || amount > 31 || how == shift::ROR && amount == 0) {
            return false;
        }
        let arithmetic = matches!(operation, dp::ADD | dp::ADC | dp::SBC | dp::SUB | dp::RSB);
        let sets_carry = s && !arithmetic;
        let y = if shifted {
            let y = self.take_second(op.c());
            let by = amount as i8;
            match how {
                _ if amount == 0 => {}
                shift::LSL => dynasm!(self.ops ; .arch x64 ; shl edx, by),
                shift::LSR => dynasm!(self.ops ; .arch x64 ; shr edx, by),
                shift::ASR => dynasm!(self.ops ; .arch x64 ; sar edx, by),
                _ => dynasm!(self.ops ; .arch x64 ; ror edx, by),
            }
            if sets_carry && amount != 0 {
                dynasm!(self.ops ; .arch x64 ; setb BYTE [BYTE rbx + C]);
            }
            y
        } else {
            dynasm!(self.ops ; .arch x64 ; mov edx, op.imm() as i32);
            if sets_carry && op.kind() == kind::DP_IMM_C {
                dynasm!(self.ops ; .arch x64 ; mov BYTE [BYTE rbx + C], (op.imm() >> 31) as i8);
            }
            Operand::Edx
        };
        if !moves {
            self.take(n);
        }
        let to = (!compares).then_some(d);
        match operation {
            dp::AND => dynasm!(self.ops ; .arch x64 ; and eax, edx),
            dp::BIC => dynasm!(self.ops ; .arch x64 ; not edx ; and eax, edx),
            dp::ORR if moves => dynasm!(self.ops ; .arch x64 ; mov eax, edx),
            dp::ORR => dynasm!(self.ops ; .arch x64 ; or eax, edx),
            dp::ORN if moves => dynasm!(self.ops ; .arch x64 ; mov eax, edx ; not eax),
            dp::ORN => dynasm!(self.ops ; .arch x64 ; not edx ; or eax, edx),
            dp::EOR => dynasm!(self.ops ; .arch x64 ; xor eax, edx),
            dp::ADD if s => self.adds(to, y),
            dp::ADD => dynasm!(self.ops ; .arch x64 ; add eax, edx),
            dp::SUB if s => self.subs(to, y),
            dp::SUB => dynasm!(self.ops ; .arch x64 ; sub eax, edx),
            dp::RSB => {
                dynasm!(self.ops ; .arch x64 ; xchg eax, edx);
                if s {
                    self.subs(to, y);
                } else {
                    dynasm!(self.ops ; .arch x64 ; sub eax, edx);
                }
            }
            dp::ADC | dp::SBC => {
                if operation == dp::SBC {
                    dynasm!(self.ops ; .arch x64 ; not edx);
                }
                if s {
                    self.adcs(to);
                } else {
                    dynasm!(self.ops ; .arch x64 ; cmp BYTE [BYTE rbx + C], 1 ; cmc ; adc eax, edx);
                }
            }
            // Not defined: as the interpreter has it.
            _ => return false,
        }
        if arithmetic && s {
            return true;
        }
        match to {
            Some(d) => self.give_with(d, s),
            None => self.set_nz(),
        }
        true
    }
}
