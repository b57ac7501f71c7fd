//! Loads and stores through the open windows.
//!
//! The window of RAM is in registers, and bytes, half-words and words are found by their number in it: what is not aligned
//! has one that is too great. What is not in RAM may be in flash; everything else is executed otherwise.

use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};

use super::super::loadstore::Addressing;
use super::super::multiple;
use super::super::op::{Op, kind};
use super::code::field;
use super::emit::{Cold, Emitter, Fresh, Here, r};
use crate::cpu::memory::Memory;

/// A single load or store that is translated.
#[derive(Clone, Copy, Debug)]
struct Access {
    load: bool,
    /// Its bytes, as a power of two.
    shift: u8,
    signed: bool,
}

fn access(op: Op) -> Option<Access> {
    let access = |load, shift, signed| Some(Access { load, shift, signed });
    match op.kind() {
        kind::LDR_IMM | kind::LDR_REG | kind::LDR_LIT | kind::LDR_MOVE => access(true, 2, false),
        kind::LDRH_IMM | kind::LDRH_REG | kind::LDRH_MOVE => access(true, 1, false),
        kind::LDRB_IMM | kind::LDRB_REG | kind::LDRB_MOVE => access(true, 0, false),
        kind::LDRSH_IMM | kind::LDRSH_REG => access(true, 1, true),
        kind::LDRSB_IMM | kind::LDRSB_REG => access(true, 0, true),
        kind::STR_IMM | kind::STR_REG | kind::STR_MOVE => access(false, 2, false),
        kind::STRH_IMM | kind::STRH_REG | kind::STRH_MOVE => access(false, 1, false),
        kind::STRB_IMM | kind::STRB_REG | kind::STRB_MOVE => access(false, 0, false),
        _ => None,
    }
}

impl Emitter<'_> {
    /// A single load or store; false (and nothing done) for one that cannot be translated.
    pub(super) fn access(&mut self, here: Here) -> bool {
        let op = here.op;
        let Some(Access { load, shift, signed }) = access(op) else { return false };
        let mut write_back = None;
        match op.kind() {
            kind::LDR_LIT => return self.literal(here),
            kind::LDR_REG..=kind::STRH_REG => {
                dynasm!(self.ops ; .arch x64 ; mov eax, [BYTE rbx + r(op.c())]);
                if op.imm() & 3 != 0 {
                    dynasm!(self.ops ; .arch x64 ; shl eax, (op.imm() & 3) as i8);
                }
                dynasm!(self.ops ; .arch x64 ; add eax, [BYTE rbx + r(op.b())]);
            }
            kind::LDR_MOVE..=kind::STRH_MOVE => {
                let offset = i32::from(op.imm() as i16);
                dynasm!(self.ops ; .arch x64 ; mov eax, [BYTE rbx + r(op.b())]);
                if Addressing(op.imm()).indexes() {
                    dynasm!(self.ops ; .arch x64 ; add eax, offset);
                }
                write_back = Some(offset);
            }
            _ => {
                dynasm!(self.ops ; .arch x64 ; mov eax, [BYTE rbx + r(op.b())]);
                if op.imm() != 0 {
                    dynasm!(self.ops ; .arch x64 ; add eax, op.imm() as i32);
                }
            }
        }
        let elsewhere = self.ops.new_dynamic_label();
        self.number_in_ram(shift, elsewhere);
        if load {
            let loaded = self.ops.new_dynamic_label();
            self.cold.push(Cold::Load { label: elsewhere, here, loaded, shift, signed });
            match (shift, signed) {
                (2, _) => dynasm!(self.ops ; .arch x64 ; mov edx, [r13 + rcx * 4]),
                (1, false) => dynasm!(self.ops ; .arch x64 ; movzx edx, WORD [r13 + rcx * 2]),
                (1, true) => dynasm!(self.ops ; .arch x64 ; movsx edx, WORD [r13 + rcx * 2]),
                (_, false) => dynasm!(self.ops ; .arch x64 ; movzx edx, BYTE [r13 + rcx]),
                (_, true) => dynasm!(self.ops ; .arch x64 ; movsx edx, BYTE [r13 + rcx]),
            }
            dynasm!(self.ops ; .arch x64 ; =>loaded);
            self.write_back(op, write_back);
            dynasm!(self.ops ; .arch x64 ; mov [BYTE rbx + r(op.a())], edx);
        } else {
            self.cold.push(Cold::Aside { label: elsewhere, here });
            dynasm!(self.ops
                ; .arch x64
                ; mov esi, ecx
                ; shr esi, (Memory::MARK_SHIFT - u32::from(shift)) as i8
                ; cmp BYTE [r14 + rsi], 0
                ; jne =>elsewhere
                ; mov edx, [BYTE rbx + r(op.a())]
            );
            match shift {
                2 => dynasm!(self.ops ; .arch x64 ; mov [r13 + rcx * 4], edx),
                1 => dynasm!(self.ops ; .arch x64 ; mov [r13 + rcx * 2], dx),
                _ => dynasm!(self.ops ; .arch x64 ; mov [r13 + rcx], dl),
            }
            self.write_back(op, write_back);
        }
        true
    }

    fn write_back(&mut self, op: Op, offset: Option<i32>) {
        if let Some(offset) = offset {
            dynasm!(self.ops ; .arch x64 ; add DWORD [BYTE rbx + r(op.b())], offset);
        }
    }

    /// ECX is the number, in the window of RAM, of the byte, half-word or word at EAX; goes to `elsewhere` if it has none.
    fn number_in_ram(&mut self, shift: u8, elsewhere: DynamicLabel) {
        dynasm!(self.ops
            ; .arch x64
            ; mov ecx, eax
            ; sub ecx, ebp
        );
        if shift != 0 {
            dynasm!(self.ops ; .arch x64 ; ror ecx, shift as i8);
        }
        dynasm!(self.ops
            ; .arch x64
            ; cmp ecx, [r15 + field::RAM_LEN + 8 * i32::from(shift)]
            ; jae =>elsewhere
        );
    }

    /// A word beside the program is a constant.
    fn literal(&mut self, here: Here) -> bool {
        let address = (here.pc.wrapping_add(4) & !3).wrapping_add(here.op.imm());
        let Some(at) = self.flash.offset(address) else { return false };
        let value = self.memory.word(at);
        dynasm!(self.ops ; .arch x64 ; mov DWORD [BYTE rbx + r(here.op.a())], value as i32);
        true
    }

    /// The rest of a load that is not in RAM.
    pub(super) fn load_from_flash(
        &mut self,
        label: DynamicLabel,
        here: Here,
        loaded: DynamicLabel,
        shift: u8,
        signed: bool,
    ) {
        let otherwise = self.otherwise(here);
        dynasm!(self.ops
            ; .arch x64
            ; =>label
            ; mov ecx, eax
        );
        if self.flash.base != 0 {
            dynasm!(self.ops ; .arch x64 ; sub ecx, self.flash.base as i32);
        }
        if shift != 0 {
            dynasm!(self.ops ; .arch x64 ; ror ecx, shift as i8);
        }
        dynasm!(self.ops
            ; .arch x64
            ; cmp ecx, (self.flash.len >> shift) as i32
            ; jae =>otherwise
            ; mov rdx, [r15 + field::FLASH_BYTES]
        );
        match (shift, signed) {
            (2, _) => dynasm!(self.ops ; .arch x64 ; mov edx, [rdx + rcx * 4]),
            (1, false) => dynasm!(self.ops ; .arch x64 ; movzx edx, WORD [rdx + rcx * 2]),
            (1, true) => dynasm!(self.ops ; .arch x64 ; movsx edx, WORD [rdx + rcx * 2]),
            (_, false) => dynasm!(self.ops ; .arch x64 ; movzx edx, BYTE [rdx + rcx]),
            (_, true) => dynasm!(self.ops ; .arch x64 ; movsx edx, BYTE [rdx + rcx]),
        }
        dynasm!(self.ops ; .arch x64 ; jmp =>loaded);
    }

    /// ECX is the offset in the window of RAM of `total` bytes at EAX; goes to `elsewhere` if they are not all there, or not
    /// aligned to words.
    fn span_in_ram(&mut self, total: u32, elsewhere: DynamicLabel) {
        dynasm!(self.ops
            ; .arch x64
            ; mov ecx, eax
            ; sub ecx, ebp
            ; lea rdx, [rcx + total as i32]
            ; cmp rdx, [r15 + field::RAM_LEN]
            ; ja =>elsewhere
            ; test cl, 3
            ; jnz =>elsewhere
        );
    }

    /// Goes to `elsewhere` if somebody wants to see stores to `total` bytes (at most as many as share a mark) at offset ECX.
    fn nobody_watches(&mut self, total: u32, elsewhere: DynamicLabel) {
        dynasm!(self.ops
            ; .arch x64
            ; mov edx, ecx
            ; shr edx, Memory::MARK_SHIFT as i8
            ; mov dl, [r14 + rdx]
            ; lea esi, [rcx + total as i32 - 1]
            ; shr esi, Memory::MARK_SHIFT as i8
            ; or dl, [r14 + rsi]
            ; jnz =>elsewhere
        );
    }

    /// Loads and stores of several words; false (and nothing done) for what cannot be translated.
    pub(super) fn several(&mut self, here: Here) -> bool {
        let op = here.op;
        if matches!(op.kind(), kind::LDRD | kind::STRD) {
            return self.dual(here);
        }
        let list = op.imm() & 0xFFFF;
        let total = list.count_ones() * 4;
        let (base, down, write_back) = multiple::base(op);
        let stores = matches!(op.kind(), kind::STM | kind::PUSH);
        if list == 0 || list >> 13 & 1 == 1 || base == 15 || stores && list >> 15 == 1 {
            return false;
        }
        // A stack pointer that is not a multiple of 4 is not one; see `Registers::set`.
        let elsewhere = self.otherwise(here);
        dynasm!(self.ops ; .arch x64 ; mov eax, [BYTE rbx + r(base)]);
        if down {
            dynasm!(self.ops ; .arch x64 ; sub eax, total as i32);
        }
        self.span_in_ram(total, elsewhere);
        let registers = (0..15).filter(|index| list >> index & 1 == 1).zip(0..);
        if stores {
            self.nobody_watches(total, elsewhere);
            for (index, place) in registers {
                dynasm!(self.ops
                    ; .arch x64
                    ; mov edx, [BYTE rbx + r(index)]
                    ; mov [BYTE r13 + rcx + 4 * place], edx
                );
            }
            if write_back {
                self.move_base(base, eax_to_end(down, total));
            }
            return true;
        }
        // The PC is looked at first, then nothing can go wrong any more.
        if op.writes_pc() {
            dynasm!(self.ops ; .arch x64 ; mov edi, [r13 + rcx + total as i32 - 4]);
            dynasm!(self.ops ; .arch x64 ; lea rsi, [r13 + rcx] ; mov ecx, edi);
            self.check_target(elsewhere);
        } else {
            dynasm!(self.ops ; .arch x64 ; lea rsi, [r13 + rcx]);
        }
        if write_back {
            self.move_base(base, eax_to_end(down, total));
        }
        for (index, place) in registers {
            dynasm!(self.ops
                ; .arch x64
                ; mov edx, [BYTE rsi + 4 * place]
                ; mov [BYTE rbx + r(index)], edx
            );
        }
        if op.writes_pc() {
            self.leave_by_ecx(here.after);
        }
        true
    }

    /// Register `base` is EAX plus `end`.
    fn move_base(&mut self, base: usize, end: u32) {
        if end != 0 {
            dynasm!(self.ops ; .arch x64 ; add eax, end as i32);
        }
        dynasm!(self.ops ; .arch x64 ; mov [BYTE rbx + r(base)], eax);
    }

    /// `LDRD` and `STRD`.
    fn dual(&mut self, here: Here) -> bool {
        let op = here.op;
        let special = |index: usize| matches!(index, 13 | 15);
        if op.imm() & Addressing::LITERAL != 0 || op.b() == 15 || special(op.a()) || special(op.c()) {
            return false;
        }
        let addressing = Addressing(op.imm());
        let offset = i32::from(op.imm() as i16);
        if addressing.writes_back() && op.b() == 13 && offset & 3 != 0 {
            return false;
        }
        let elsewhere = self.otherwise(here);
        dynasm!(self.ops ; .arch x64 ; mov eax, [BYTE rbx + r(op.b())]);
        dynasm!(self.ops ; .arch x64 ; lea edi, [rax + offset]);
        if addressing.indexes() {
            dynasm!(self.ops ; .arch x64 ; mov eax, edi);
        }
        self.span_in_ram(8, elsewhere);
        if op.kind() == kind::LDRD {
            dynasm!(self.ops
                ; .arch x64
                ; mov rdx, [r13 + rcx]
                ; mov [BYTE rbx + r(op.a())], edx
                ; shr rdx, 32
                ; mov [BYTE rbx + r(op.c())], edx
            );
        } else {
            self.nobody_watches(8, elsewhere);
            dynasm!(self.ops
                ; .arch x64
                ; mov edx, [BYTE rbx + r(op.a())]
                ; mov [r13 + rcx], edx
                ; mov edx, [BYTE rbx + r(op.c())]
                ; mov [r13 + rcx + 4], edx
            );
        }
        if addressing.writes_back() {
            dynasm!(self.ops ; .arch x64 ; mov [BYTE rbx + r(op.b())], edi);
        }
        self.fresh = Fresh::Nothing;
        true
    }
}

/// From the lowest word to what a base register becomes.
fn eax_to_end(down: bool, total: u32) -> u32 {
    if down { 0 } else { total }
}
