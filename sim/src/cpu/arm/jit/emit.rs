//! From a block to code of the host: what is around the instructions, and how blocks lead to each other.
//!
//! Within a block everything is as in the interpreter's inner loop, but for two things. The limit is asked for once, at
//! the beginning, for all instructions; so what they cost must be known, and an instruction that may cost more
//! ([`Emitter::aside`]) asks again. And the cycle count is R12 plus what the instructions so far cost, which is known while
//! translating: `Here::before`.

use std::mem::offset_of;

use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};

use super::super::op::{Op, kind};
use super::super::registers::{Flags, it_advanced};
use super::super::{Core, config::Timing};
use super::aside::ELSEWHERE;
use super::block::{Block, Instruction};
use super::code::{AT_PC, Assembler, BRANCHED, LATE, field};
use crate::cpu::memory::{Memory, Window};

/// Offset of a register in [`Core`].
pub(super) const fn r(index: usize) -> i8 {
    (offset_of!(Core, regs.r) + 4 * (index & 15)) as i8
}

/// Offsets of the flags and of the state of an IT block.
pub(super) const N: i8 = (offset_of!(Core, regs.flags) + offset_of!(Flags, n)) as i8;
pub(super) const Z: i8 = (offset_of!(Core, regs.flags) + offset_of!(Flags, z)) as i8;
pub(super) const C: i8 = (offset_of!(Core, regs.flags) + offset_of!(Flags, c)) as i8;
/// Of the byte with bit 31.
pub(super) const N_TOP: i8 = N + 3;
pub(super) const V_TOP: i8 = (offset_of!(Core, regs.flags) + offset_of!(Flags, v)) as i8 + 3;
const ITSTATE: i8 = offset_of!(Core, regs.itstate) as i8;
const IT_EXECUTED: i8 = offset_of!(Core, regs.it_executed) as i8;
const LIMIT: i32 = offset_of!(Core, limit) as i32;
const PC: i32 = offset_of!(Core, pc) as i32;
const CYCLE: i32 = offset_of!(Core, cycle) as i32;
/// All of them are behind a displacement of one byte.
const _: () =
    assert!(offset_of!(Core, regs.it_executed) < 128 && offset_of!(Core, regs.flags) + size_of::<Flags>() < 128);

/// What an operand is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operand {
    Imm(u32),
    /// It is in EDX.
    Edx,
}

/// What the instruction before left in the host's registers, so that a condition need not be looked up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fresh {
    Nothing,
    /// The flags are those of EAX minus this.
    Difference(Operand),
    /// N and Z are those of EAX.
    Result,
}

/// The instruction in hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    pub pc: u32,
    pub op: Op,
    /// Cycles of the block before it and after it.
    pub before: u32,
    pub after: u32,
    /// Cycles from after it to the last instruction's beginning, or [`ELSEWHERE`].
    pub rest: u32,
    /// Where the block goes on.
    pub end: DynamicLabel,
}

/// Code for what is rare, behind the block.
#[derive(Debug)]
pub(super) enum Cold {
    /// A load that is not in RAM: perhaps it is in flash (its address is in EAX), of so many bytes as a power of two.
    Load { label: DynamicLabel, here: Here, loaded: DynamicLabel, shift: u8, signed: bool },
    /// The instruction is executed otherwise.
    Aside { label: DynamicLabel, here: Here },
    /// A way out of the block.
    Out { label: DynamicLabel, target: u32, cycles: u32 },
    /// A condition failed in an IT block, and a NOP costs so many cycles less.
    Less { label: DynamicLabel, cycles: u32, back: DynamicLabel },
}

/// Makes code for one block.
pub(super) struct Emitter<'a> {
    pub ops: Assembler,
    pub timing: &'a Timing,
    pub memory: &'a Memory,
    pub flash: Window,
    pub fresh: Fresh,
    pub cold: Vec<Cold>,
    first_link: usize,
    /// Where the block's links lead.
    links: Vec<u32>,
    /// Shared ways out: nothing is left to do but to answer.
    at_pc: DynamicLabel,
    branched: DynamicLabel,
}

/// A translated block.
pub(super) struct Translated {
    pub code: Vec<u8>,
    /// Cycles before its last instruction.
    pub cycles: u32,
    /// Where its links lead, from the first one on.
    pub links: Vec<u32>,
}

impl<'a> Emitter<'a> {
    /// An emitter whose first link has this number.
    pub fn new(timing: &'a Timing, memory: &'a Memory, flash: Window, first_link: usize) -> Emitter<'a> {
        let mut ops = Assembler::new(0);
        let (at_pc, branched) = (ops.new_dynamic_label(), ops.new_dynamic_label());
        Emitter {
            ops,
            timing,
            memory,
            flash,
            fresh: Fresh::Nothing,
            cold: Vec::new(),
            first_link,
            links: Vec::new(),
            at_pc,
            branched,
        }
    }

    /// Translates a block; `None` if the assembler refuses.
    pub fn translate(mut self, block: &Block) -> Option<Translated> {
        let start = block.instructions.first()?.pc;
        let all: u32 = block.instructions.iter().map(|instruction| instruction.cost).sum();
        let to_last = all - block.instructions.last()?.cost;
        let late = self.ops.new_dynamic_label();
        dynasm!(self.ops
            ; .arch x64
            ; lea rax, [r12 + to_last as i32]
            ; cmp rax, [rbx + LIMIT]
            ; jae =>late
        );
        let mut before = 0;
        for (number, instruction) in block.instructions.iter().enumerate() {
            let after = before + instruction.cost;
            let end = self.ops.new_dynamic_label();
            let is_last = number + 1 == block.instructions.len() && block.next.is_none();
            let rest = if is_last { ELSEWHERE } else { to_last.saturating_sub(after) };
            self.instruction(instruction, Here { pc: instruction.pc, op: instruction.op, before, after, rest, end });
            dynasm!(self.ops ; .arch x64 ; =>end);
            before = after;
        }
        if let Some(next) = block.next {
            self.leave_for(next, before);
        }
        self.cold_code();
        let (at_pc, branched) = (self.at_pc, self.branched);
        dynasm!(self.ops
            ; .arch x64
            ; =>late
            ; mov DWORD [rbx + PC], start as i32
            ; mov eax, LATE as i32
            ; jmp QWORD [r15 + field::LEAVE]
            ; =>at_pc
            ; mov eax, AT_PC as i32
            ; jmp QWORD [r15 + field::LEAVE]
            ; =>branched
            ; mov eax, BRANCHED as i32
            ; jmp QWORD [r15 + field::LEAVE]
        );
        Some(Translated { code: self.ops.finalize().ok()?, cycles: to_last, links: self.links })
    }

    fn instruction(&mut self, instruction: &Instruction, here: Here) {
        if instruction.it == 0 {
            return self.operation(here);
        }
        // As `Core::inside_it` does.
        let it = instruction.it;
        dynasm!(self.ops
            ; .arch x64
            ; mov BYTE [BYTE rbx + ITSTATE], it_advanced(it) as i8
            ; mov BYTE [BYTE rbx + IT_EXECUTED], it as i8
        );
        let condition = u32::from(it >> 4);
        if condition < 14 {
            let failed = if instruction.cost == 1 { here.end } else { self.ops.new_dynamic_label() };
            self.jump_if(condition ^ 1, failed);
            if instruction.cost != 1 {
                self.cold.push(Cold::Less { label: failed, cycles: instruction.cost - 1, back: here.end });
            }
        }
        self.operation(here);
        self.fresh = Fresh::Nothing;
    }

    /// One instruction.
    fn operation(&mut self, here: Here) {
        let Here { op, pc, .. } = here;
        let fresh = self.fresh;
        if !matches!(op.kind(), kind::B_BACK..=kind::BLE | kind::IT | kind::NOP | kind::YIELD) {
            self.fresh = Fresh::Nothing;
        }
        match op.kind() {
            kind::IT | kind::NOP | kind::YIELD => self.fresh = fresh,
            // What follows is the target, but in an IT block.
            kind::B if here.op.is_in_it() => self.leave_for(pc.wrapping_add(op.imm()), here.after),
            kind::B => {}
            kind::BL => {
                dynasm!(self.ops ; .arch x64 ; mov DWORD [BYTE rbx + r(14)], (pc.wrapping_add(4) | 1) as i32);
                if here.op.is_in_it() {
                    self.leave_for(pc.wrapping_add(op.imm()), here.after);
                }
            }
            kind::BEQ..=kind::BLE => {
                let taken = self.way_out(here);
                self.jump_if(u32::from(op.kind() - kind::BEQ), taken);
            }
            // Taken, it is a delay loop.
            kind::B_BACK => {
                let taken = self.otherwise(here);
                self.jump_if(op.b() as u32, taken);
            }
            kind::CBZ | kind::CBNZ => {
                let taken = self.way_out(here);
                dynasm!(self.ops ; .arch x64 ; cmp DWORD [BYTE rbx + r(op.a())], 0);
                if op.kind() == kind::CBZ {
                    dynasm!(self.ops ; .arch x64 ; je =>taken);
                } else {
                    dynasm!(self.ops ; .arch x64 ; jne =>taken);
                }
            }
            kind::BX | kind::BLX => {
                let otherwise = self.otherwise(here);
                dynasm!(self.ops ; .arch x64 ; mov ecx, [BYTE rbx + r(op.c())]);
                self.check_target(otherwise);
                if op.kind() == kind::BLX {
                    dynasm!(self.ops ; .arch x64 ; mov DWORD [BYTE rbx + r(14)], (pc.wrapping_add(2) | 1) as i32);
                }
                self.leave_by_ecx(here.after);
            }
            kind::LDR_IMM..=kind::STRH_MOVE if self.access(here) => {}
            kind::LDRD..=kind::PUSH if self.several(here) => {}
            _ if self.data(here) => {}
            _ => self.aside(here),
        }
    }

    /// Where a conditional branch goes if it is taken.
    fn way_out(&mut self, here: Here) -> DynamicLabel {
        let label = self.ops.new_dynamic_label();
        let cycles = here.before + u32::from(self.timing.branch);
        self.cold.push(Cold::Out { label, target: here.pc.wrapping_add(here.op.imm()), cycles });
        label
    }

    /// A label where the instruction is executed otherwise.
    pub(super) fn otherwise(&mut self, here: Here) -> DynamicLabel {
        let label = self.ops.new_dynamic_label();
        self.cold.push(Cold::Aside { label, here });
        label
    }

    /// Goes to `otherwise` unless a branch to ECX is nothing more.
    pub(super) fn check_target(&mut self, otherwise: DynamicLabel) {
        dynasm!(self.ops
            ; .arch x64
            ; test cl, 1
            ; jz =>otherwise
            ; cmp ecx, 0xF000_0000u32 as i32
            ; jae =>otherwise
        );
    }

    /// Leaves the block for a known place, after so many cycles.
    fn leave_for(&mut self, target: u32, cycles: u32) {
        let number = self.first_link + self.links.len();
        self.links.push(target);
        dynasm!(self.ops
            ; .arch x64
            ; add r12, cycles as i32
            ; mov eax, number as i32
            ; jmp QWORD [r15 + field::LINKS + 8 * number as i32]
        );
    }

    /// Leaves the block for where ECX says, after so many cycles.
    pub(super) fn leave_by_ecx(&mut self, cycles: u32) {
        dynasm!(self.ops
            ; .arch x64
            ; add r12, cycles as i32
            ; and ecx, -2
            ; mov [rbx + PC], ecx
        );
        self.look_up();
    }

    /// Goes to the block at ECX, which is the PC, if there is one.
    fn look_up(&mut self) {
        let branched = self.branched;
        if self.flash.base != 0 {
            dynasm!(self.ops ; .arch x64 ; sub ecx, self.flash.base as i32);
        }
        dynasm!(self.ops
            ; .arch x64
            ; cmp ecx, self.flash.len as i32
            ; jae =>branched
            ; mov rdx, [r15 + field::SLOTS]
            ; mov rdx, [rdx + rcx * 4]
            ; cmp dl, kind::COMPILED as i8
            ; jne =>branched
            ; shr rdx, 32
            ; movzx edx, dx
            ; mov rcx, [r15 + field::ENTRIES]
            ; jmp QWORD [rcx + rdx * 8]
        );
    }

    /// Has the instruction executed by [`super::aside`], and goes on if that was all.
    pub(super) fn aside(&mut self, here: Here) {
        let ends = here.rest == ELSEWHERE;
        dynasm!(self.ops
            ; .arch x64
            ; add r12, here.before as i32
            ; mov [rbx + CYCLE], r12
            ; mov DWORD [rbx + PC], here.pc as i32
            ; mov rdi, rbx
            ; mov rsi, r15
            ; mov rdx, QWORD here.op.0 as i64
            ; mov ecx, here.rest as i32
            ; call QWORD [r15 + field::ASIDE]
            ; mov r12, [rbx + CYCLE]
            ; test al, al
        );
        let at_pc = self.at_pc;
        dynasm!(self.ops ; .arch x64 ; jz =>at_pc);
        if ends {
            dynasm!(self.ops ; .arch x64 ; mov ecx, [rbx + PC]);
            self.look_up();
        } else {
            dynasm!(self.ops ; .arch x64 ; sub r12, here.after as i32);
        }
    }

    fn cold_code(&mut self) {
        // What is pushed while this goes on are more of the same.
        while let Some(cold) = self.cold.pop() {
            match cold {
                Cold::Load { label, here, loaded, shift, signed } => {
                    self.load_from_flash(label, here, loaded, shift, signed)
                }
                Cold::Aside { label, here } => {
                    dynasm!(self.ops ; .arch x64 ; =>label);
                    self.aside(here);
                    dynasm!(self.ops ; .arch x64 ; jmp =>here.end);
                }
                Cold::Out { label, target, cycles } => {
                    dynasm!(self.ops ; .arch x64 ; =>label);
                    self.leave_for(target, cycles);
                }
                Cold::Less { label, cycles, back } => dynasm!(self.ops
                    ; .arch x64
                    ; =>label
                    ; sub r12, cycles as i32
                    ; jmp =>back
                ),
            }
        }
    }

    /// Goes to `label` if the condition (A7.3.1, 0 to 13) holds.
    fn jump_if(&mut self, condition: u32, label: DynamicLabel) {
        let ops = &mut self.ops;
        macro_rules! go {
            ($jump:ident) => {
                dynasm!(ops ; .arch x64 ; $jump =>label)
            };
        }
        match self.fresh {
            Fresh::Difference(y) => {
                match y {
                    Operand::Imm(imm) => dynasm!(ops ; .arch x64 ; cmp eax, imm as i32),
                    Operand::Edx => dynasm!(ops ; .arch x64 ; cmp eax, edx),
                }
                return match condition {
                    0 => go!(je),
                    1 => go!(jne),
                    2 => go!(jae),
                    3 => go!(jb),
                    4 => go!(js),
                    5 => go!(jns),
                    6 => go!(jo),
                    7 => go!(jno),
                    8 => go!(ja),
                    9 => go!(jbe),
                    10 => go!(jge),
                    11 => go!(jl),
                    12 => go!(jg),
                    _ => go!(jle),
                };
            }
            Fresh::Result if matches!(condition, 0 | 1 | 4 | 5) => {
                dynasm!(ops ; .arch x64 ; test eax, eax);
                return match condition {
                    0 => go!(je),
                    1 => go!(jne),
                    4 => go!(js),
                    _ => go!(jns),
                };
            }
            _ => {}
        }
        let is_zero = |ops: &mut Assembler| dynasm!(ops ; .arch x64 ; cmp DWORD [BYTE rbx + Z], 0);
        let has_carry = |ops: &mut Assembler| dynasm!(ops ; .arch x64 ; cmp BYTE [BYTE rbx + C], 0);
        let is_less = |ops: &mut Assembler| {
            dynasm!(ops
                ; .arch x64
                ; mov cl, [BYTE rbx + N_TOP]
                ; xor cl, [BYTE rbx + V_TOP]
            );
        };
        match condition {
            0 | 1 => is_zero(ops),
            2 | 3 => has_carry(ops),
            4 | 5 => dynasm!(ops ; .arch x64 ; cmp BYTE [BYTE rbx + N_TOP], 0),
            6 | 7 => dynasm!(ops ; .arch x64 ; cmp BYTE [BYTE rbx + V_TOP], 0),
            10 | 11 => is_less(ops),
            _ => {}
        }
        let skip = ops.new_dynamic_label();
        match condition {
            0 => go!(je),
            1 | 2 => go!(jne),
            3 => go!(je),
            4 | 6 | 11 => go!(js),
            5 | 7 | 10 => go!(jns),
            // HI: C is set and Z is not.
            8 => {
                has_carry(ops);
                dynasm!(ops ; .arch x64 ; je =>skip);
                is_zero(ops);
                go!(jne);
            }
            9 => {
                has_carry(ops);
                go!(je);
                is_zero(ops);
                go!(je);
            }
            // GT: neither less nor equal.
            12 => {
                is_zero(ops);
                dynasm!(ops ; .arch x64 ; je =>skip);
                is_less(ops);
                go!(jns);
            }
            _ => {
                is_zero(ops);
                go!(je);
                is_less(ops);
                go!(js);
            }
        }
        dynasm!(ops ; .arch x64 ; =>skip);
    }
}
