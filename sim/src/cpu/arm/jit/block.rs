//! Which instructions make a block.

use super::super::Core;
use super::super::op::{Op, kind};
use super::super::registers::it_advanced;

/// Instructions of a block, unless an IT block is not at its end yet.
const LONGEST: usize = 48;

/// An instruction of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instruction {
    pub pc: u32,
    pub op: Op,
    /// ITSTATE before it; 0 outside an IT block.
    pub it: u8,
    /// Its cycles, unless a comment in `emit` says otherwise.
    pub cost: u32,
}

/// A block: instructions that are executed one after the other, along unconditional branches and calls.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub instructions: Vec<Instruction>,
    /// Where it goes on after the last one; `None` if that branches elsewhere.
    pub next: Option<u32>,
}

impl Core {
    /// The block that begins at `pc` in the flash; it may be empty.
    pub(super) fn block(&self, pc: u32) -> Block {
        let mut block = Block::default();
        let (mut pc, mut it) = (pc, 0u8);
        loop {
            block.next = Some(pc);
            let full = block.instructions.len() >= LONGEST && it == 0;
            let again = block.instructions.iter().any(|instruction| instruction.pc == pc);
            let Some(op) = (!full && !again).then(|| self.translatable(pc, it != 0)).flatten() else { break };
            let after = pc.wrapping_add(op.len());
            let (before, in_it) = (it, it != 0);
            it = it_advanced(it);
            let op = op.with_it_after(it);
            block.instructions.push(Instruction { pc, op, it: before, cost: self.cost(op) });
            pc = match op.kind() {
                kind::B | kind::BL if !in_it => pc.wrapping_add(op.imm()),
                kind::IT => {
                    it = op.imm() as u8;
                    after
                }
                _ if !in_it && goes_elsewhere(op) => {
                    block.next = None;
                    break;
                }
                _ => after,
            };
        }
        if it != 0 {
            // Something in an IT block cannot be translated: the block ends before that.
            let is_it = |instruction: &Instruction| instruction.op.kind() == kind::IT;
            let end = block.instructions.iter().rposition(is_it).unwrap_or(0);
            block.next = block.instructions.get(end).map(|instruction| instruction.pc);
            block.instructions.truncate(end);
        }
        block
    }

    /// The instruction at `pc`, if it lies in the flash and nobody wants to see it.
    fn translatable(&self, pc: u32, in_it: bool) -> Option<Op> {
        let window = self.fast.flash;
        let at = window.offset(pc)?;
        if self.memory.aliases(at).any(|address| self.is_breakpoint(address)) {
            return None;
        }
        let op = self.decode(window, pc, in_it).ok()?;
        Some(if in_it { op.unwrapped() } else { op })
    }

    fn cost(&self, op: Op) -> u32 {
        let timing = &self.config.timing;
        let list = (op.imm() & 0xFFFF).count_ones();
        match op.kind() {
            kind::LDR_IMM..=kind::LDRSH_IMM | kind::LDR_REG..=kind::LDRSH_REG => timing.load.into(),
            kind::LDR_LIT | kind::LDR_MOVE..=kind::LDRH_MOVE => timing.load.into(),
            kind::STR_IMM..=kind::STRH_IMM | kind::STR_REG..=kind::STRH_REG => timing.store.into(),
            kind::STR_MOVE..=kind::STRH_MOVE => timing.store.into(),
            kind::LDRD | kind::STRD => super::super::loadstore::DUAL_CYCLES,
            kind::LDM..=kind::PUSH => 1 + list + if op.writes_pc() { u32::from(timing.load_pc) } else { 0 },
            kind::MULS => timing.multiply.into(),
            kind::B => timing.branch.into(),
            kind::BL => timing.branch_link.into(),
            kind::BX | kind::BLX => timing.branch_register.into(),
            _ => 1,
        }
    }
}

/// Whether an instruction is mostly not followed by the next one.
fn goes_elsewhere(op: Op) -> bool {
    match op.kind() {
        kind::BX | kind::BLX | kind::TBB | kind::TBH | kind::B_SELF => true,
        kind::SVC | kind::BKPT | kind::UDF | kind::WFE | kind::WFI | kind::COPROCESSOR => true,
        _ => op.writes_pc(),
    }
}
