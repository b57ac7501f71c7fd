//! On hosts that nothing is translated for.

use super::Core;
use super::op::Op;
use crate::cpu::Mmio;

#[derive(Debug, Default)]
pub(super) struct Jit;

impl Jit {
    pub fn instruction(&self, op: Op) -> Op {
        op
    }

    pub fn next_look(&self) -> u64 {
        u64::MAX
    }

    pub fn sleep(&mut self, _: u64) {}

    pub fn forget(&mut self) {}
}

impl Core {
    pub(super) fn run_translated<M: Mmio>(&mut self, _: &mut M, _: Op) -> bool {
        false
    }

    pub(super) fn sample(&mut self) {}

    pub(super) fn restore_entry(&mut self, _: u32) -> Option<usize> {
        None
    }

    pub(super) fn set_translating(&mut self, _: bool) {}
}
