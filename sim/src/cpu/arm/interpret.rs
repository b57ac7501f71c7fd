//! The interpreter's inner loop.
//!
//! PC and cycle count live in local variables here; they are in [`Core`] whenever anything else runs. Frequent
//! instructions are done in place, the others by [`Core::execute_slow`].

use super::Core;
use super::loadstore::{Addressing, Width};
use super::op::{Op, kind};
use super::slow::is_plain_target;
use crate::cpu::Mmio;

/// Where the inner loop is.
#[derive(Clone, Copy, Debug)]
struct Place {
    pc: u32,
    cycle: u64,
    /// From the PC to its place in the memory's arena; see [`Core::distance`].
    distance: u64,
}

/// The distance from a PC that no window is open for: no instruction is decoded so far out.
const CLOSED: u64 = 1 << 62;

/// [`CLOSED`]. A call that the compiler cannot see through, so that it branches here: a distance that it chooses by
/// arithmetic would keep the host from fetching the next instruction before the branch is worked out.
#[cold]
#[inline(never)]
fn closed() -> u64 {
    std::hint::black_box(CLOSED)
}

impl Core {
    /// From `pc` to its place in the memory's arena, if the fetch window is open there.
    ///
    /// It stays the same from one instruction to the next, and there is nothing decoded beyond the window's end. So
    /// only where the program branches the inner loop has to ask whether the window is left.
    #[inline(always)]
    fn distance(&self, pc: u32) -> u64 {
        let fetch = &self.fast.fetch;
        if pc.wrapping_sub(fetch.base) < fetch.len {
            u64::from(fetch.start).wrapping_sub(fetch.base.into())
        } else {
            closed()
        }
    }

    /// Executes instructions until the cycle count reaches `limit`, at least one.
    pub(super) fn interpret<M: Mmio>(&mut self, mmio: &mut M) {
        let mut place = Place { pc: self.pc, cycle: self.cycle, distance: self.distance(self.pc) };
        loop {
            let mut op = Op(self.memory.slot(u64::from(place.pc).wrapping_add(place.distance)));
            // With the length as a constant, and so predicted, the address of the next instruction does not wait for
            // the decoded form of this one. That is half of the inner loop's speed.
            place = loop {
                if op.is_narrow() {
                    break self.execute_one::<M, 2>(mmio, op, place);
                }
                if op.kind() > kind::IT_BODY {
                    break self.execute_one::<M, 4>(mmio, op, place);
                }
                (self.pc, self.cycle) = (place.pc, place.cycle);
                if op.kind() == kind::COMPILED && self.regs.itstate == 0 {
                    if place.cycle + u64::from(op.imm() >> 16) < self.limit && self.run_translated(mmio, op) {
                        break Place { pc: self.pc, cycle: self.cycle, distance: self.distance(self.pc) };
                    }
                    // Perhaps all blocks were given up.
                    op = self.jit.instruction(Op(self.memory.slot(u64::from(place.pc).wrapping_add(place.distance))));
                    continue;
                }
                if op.kind() == kind::IT_BODY && self.regs.itstate != 0 {
                    op = self.inside_it(op);
                    continue;
                }
                match self.resolve() {
                    Some(resolved) => op = resolved,
                    None => return,
                }
                place.distance = self.distance(place.pc);
            };
            if place.cycle >= self.limit {
                break;
            }
        }
        (self.pc, self.cycle) = (place.pc, place.cycle);
    }

    /// Executes `op`, which is `LEN` bytes long.
    #[inline(always)]
    fn execute_one<M: Mmio, const LEN: u32>(&mut self, mmio: &mut M, op: Op, place: Place) -> Place {
        let Place { mut pc, mut cycle, mut distance } = place;
        'executed: {
            // Registers of the instruction in hand.
            macro_rules! a {
                () => {
                    self.regs.r[op.a()]
                };
            }
            macro_rules! b {
                () => {
                    self.regs.r[op.b()]
                };
            }
            macro_rules! c {
                () => {
                    self.regs.r[op.c()]
                };
            }
            // Cycles by the core's table.
            macro_rules! cost {
                ($what:ident) => {
                    u64::from(self.config.timing.$what)
                };
            }
            // Writes register a and sets N and Z.
            macro_rules! set_nz {
                ($result:expr) => {{
                    let result: u32 = $result;
                    self.regs.flags.set_nz(result);
                    a!() = result;
                }};
            }
            // x + y with all flags; the result is the macro's value.
            macro_rules! adds {
                ($x:expr, $y:expr) => {{
                    let (x, y): (u32, u32) = ($x, $y);
                    let (result, carry) = x.overflowing_add(y);
                    self.regs.flags.set_nz(result);
                    self.regs.flags.c = carry;
                    self.regs.flags.v = (x ^ result) & (y ^ result);
                    result
                }};
            }
            // x - y with all flags.
            macro_rules! subs {
                ($x:expr, $y:expr) => {{
                    let (x, y): (u32, u32) = ($x, $y);
                    let (result, borrow) = x.overflowing_sub(y);
                    self.regs.flags.set_nz(result);
                    self.regs.flags.c = !borrow;
                    self.regs.flags.v = (x ^ y) & (x ^ result);
                    result
                }};
            }
            // x + y + C with all flags.
            macro_rules! adcs {
                ($x:expr, $y:expr) => {{
                    let (x, y): (u32, u32) = ($x, $y);
                    let wide = u64::from(x) + u64::from(y) + u64::from(self.regs.flags.c);
                    let result = wide as u32;
                    self.regs.flags.c = wide >> 32 != 0;
                    self.regs.flags.v = (x ^ result) & (y ^ result);
                    set_nz!(result);
                }};
            }
            // Leaves the inner loop's fast part with PC and cycle in place, and takes them back.
            macro_rules! aside {
                ($action:expr) => {{
                    self.pc = pc;
                    self.cycle = cycle;
                    let result = $action;
                    pc = self.pc;
                    cycle = self.cycle;
                    distance = self.distance(pc);
                    result
                }};
            }
            // Goes on elsewhere.
            macro_rules! go_to {
                ($target:expr) => {{
                    pc = $target;
                    if pc.wrapping_sub(self.fast.fetch.base) >= self.fast.fetch.len {
                        distance = closed();
                    }
                }};
            }
            macro_rules! load {
                ($address:expr, $width:expr, $bytes:literal, $convert:expr) => {{
                    let address = $address;
                    load!(address, self.fast_load::<$bytes>(address), $width, $convert)
                }};
                ($address:ident, $loaded:expr, $width:expr, $convert:expr) => {{
                    match $loaded {
                        Some(bytes) => {
                            a!() = $convert(bytes);
                            pc = pc.wrapping_add(LEN);
                            cycle += cost!(load);
                        }
                        None => aside!(self.load_slow(mmio, op, $address, $width)),
                    }
                    break 'executed;
                }};
            }
            // With write-back. A base register that is loaded or a stack pointer goes the slow way.
            macro_rules! moving {
                ($access:ident, $bytes:literal) => {{
                    let base = b!();
                    let moved = base.wrapping_add(op.imm() as i16 as u32);
                    let address = if Addressing(op.imm()).indexes() { moved } else { base };
                    moving!($access, $bytes, address, moved);
                    break 'executed;
                }};
                (load, $bytes:literal, $address:ident, $moved:ident) => {
                    match self.fast_load::<$bytes>($address) {
                        Some(bytes) => {
                            b!() = $moved;
                            let mut word = [0; 4];
                            word[..$bytes].copy_from_slice(&bytes);
                            a!() = u32::from_le_bytes(word);
                            pc = pc.wrapping_add(LEN);
                            cycle += cost!(load);
                        }
                        None => aside!(self.execute_slow(mmio, op)),
                    }
                };
                (store, $bytes:literal, $address:ident, $moved:ident) => {
                    if self.fast_store::<$bytes>($address, *a!().to_le_bytes().first_chunk().unwrap_or(&[0; $bytes])) {
                        b!() = $moved;
                        pc = pc.wrapping_add(LEN);
                        cycle += cost!(store);
                    } else {
                        aside!(self.execute_slow(mmio, op));
                    }
                };
            }
            macro_rules! store {
                ($address:expr, $width:expr, $convert:expr) => {{
                    let address = $address;
                    if self.fast_store(address, $convert(a!())) {
                        pc = pc.wrapping_add(LEN);
                        cycle += cost!(store);
                    } else {
                        aside!(self.store_slow(mmio, op, address, $width));
                    }
                    break 'executed;
                }};
            }
            // After a comparison there is mostly a branch: if it is `$yes` (taken if `$condition`) or `$no` (taken if
            // not), it is executed at once.
            macro_rules! and_branch {
                ($condition:expr, $yes:ident, $no:ident) => {{
                    pc = pc.wrapping_add(LEN);
                    cycle += 1;
                    if cycle < self.limit {
                        let next = Op(self.memory.slot(u64::from(pc).wrapping_add(distance)));
                        let yes = next.is_narrow_and(kind::$yes);
                        if yes || next.is_narrow_and(kind::$no) {
                            let condition: bool = $condition;
                            if condition == yes {
                                go_to!(pc.wrapping_add(next.imm()));
                                cycle += cost!(branch);
                            } else {
                                pc = pc.wrapping_add(2);
                                cycle += 1;
                            }
                        }
                    }
                    break 'executed;
                }};
            }
            macro_rules! branch_if {
                ($condition:expr) => {{
                    if $condition {
                        go_to!(pc.wrapping_add(op.imm()));
                        cycle += cost!(branch);
                        break 'executed;
                    }
                }};
            }
            let offset_imm = || b!().wrapping_add(op.imm());
            let offset_reg = || b!().wrapping_add(c!() << (op.imm() & 3));
            match op.kind() {
                kind::MOV_IMM => a!() = op.imm(),
                kind::MOVS_IMM => set_nz!(op.imm()),
                kind::MOV_REG => a!() = c!(),
                kind::MOVS_REG => set_nz!(c!()),
                kind::MVN_REG => a!() = !c!(),
                kind::MVNS_REG => set_nz!(!c!()),
                kind::MOVT => a!() = a!() & 0xFFFF | op.imm() << 16,
                kind::ADD_IMM => a!() = b!().wrapping_add(op.imm()),
                kind::ADDS_IMM => a!() = adds!(b!(), op.imm()),
                kind::ADD_REG => a!() = b!().wrapping_add(c!()),
                kind::ADDS_REG => a!() = adds!(b!(), c!()),
                kind::ADCS_REG => adcs!(b!(), c!()),
                kind::SUB_IMM => a!() = b!().wrapping_sub(op.imm()),
                kind::SUBS_IMM => a!() = subs!(b!(), op.imm()),
                kind::SUB_REG => a!() = b!().wrapping_sub(c!()),
                kind::SUBS_REG => a!() = subs!(b!(), c!()),
                kind::SBCS_REG => adcs!(b!(), !c!()),
                kind::RSB_IMM => a!() = op.imm().wrapping_sub(b!()),
                kind::RSBS_IMM => a!() = subs!(op.imm(), b!()),
                kind::CMP_IMM => {
                    let difference = subs!(b!(), op.imm());
                    and_branch!(difference == 0, BEQ, BNE)
                }
                kind::CMP_REG => {
                    let difference = subs!(b!(), c!());
                    and_branch!(difference == 0, BEQ, BNE)
                }
                kind::CMN_REG => _ = adds!(b!(), c!()),
                kind::ADD_LSL => a!() = b!().wrapping_add(c!() << (op.imm() & 31)),
                kind::SUB_LSL => a!() = b!().wrapping_sub(c!() << (op.imm() & 31)),
                kind::ADR => a!() = (pc.wrapping_add(4) & !3).wrapping_add(op.imm()),
                kind::AND_IMM => a!() = b!() & op.imm(),
                kind::ANDS_IMM => set_nz!(b!() & op.imm()),
                kind::AND_REG => a!() = b!() & c!(),
                kind::ANDS_REG => set_nz!(b!() & c!()),
                kind::BIC_IMM => a!() = b!() & !op.imm(),
                kind::BIC_REG => a!() = b!() & !c!(),
                kind::BICS_REG => set_nz!(b!() & !c!()),
                kind::ORR_IMM => a!() = b!() | op.imm(),
                kind::ORR_REG => a!() = b!() | c!(),
                kind::ORRS_REG => set_nz!(b!() | c!()),
                kind::EOR_IMM => a!() = b!() ^ op.imm(),
                kind::EOR_REG => a!() = b!() ^ c!(),
                kind::EORS_REG => set_nz!(b!() ^ c!()),
                kind::TST_IMM => {
                    let result = b!() & op.imm();
                    self.regs.flags.set_nz(result);
                    and_branch!(result == 0, BEQ, BNE)
                }
                kind::TST_REG => {
                    let result = b!() & c!();
                    self.regs.flags.set_nz(result);
                    and_branch!(result == 0, BEQ, BNE)
                }
                kind::LSL_IMM => a!() = c!() << (op.imm() & 31),
                kind::LSLS_IMM => {
                    let m = c!();
                    self.regs.flags.c = m >> ((32 - op.imm()) & 31) & 1 == 1;
                    let result = m << (op.imm() & 31);
                    set_nz!(result);
                    and_branch!((result as i32) < 0, BMI, BPL)
                }
                kind::LSR_IMM => a!() = (u64::from(c!()) >> (op.imm() & 63)) as u32,
                kind::LSRS_IMM => {
                    let m = c!();
                    self.regs.flags.c = m >> ((op.imm() - 1) & 31) & 1 == 1;
                    set_nz!((u64::from(m) >> (op.imm() & 63)) as u32);
                }
                kind::ASR_IMM => a!() = (i64::from(c!() as i32) >> (op.imm() & 63)) as u32,
                kind::ASRS_IMM => {
                    let m = c!();
                    self.regs.flags.c = m >> ((op.imm() - 1) & 31) & 1 == 1;
                    set_nz!((i64::from(m as i32) >> (op.imm() & 63)) as u32);
                }
                kind::LSLS_REG..=kind::RORS_REG => self.shift_by_register(op, true),
                kind::SHIFT_REG => self.shift_by_register(op, op.s()),
                kind::SXTB => a!() = c!().rotate_right(op.imm()) as i8 as u32,
                kind::SXTH => a!() = c!().rotate_right(op.imm()) as i16 as u32,
                kind::UXTB => a!() = c!().rotate_right(op.imm()) & 0xFF,
                kind::UXTH => a!() = c!().rotate_right(op.imm()) & 0xFFFF,
                // imm: lsb, and 32 - width in the next byte.
                kind::UBFX => a!() = b!() >> (op.imm() & 31) << (op.imm() >> 8 & 31) >> (op.imm() >> 8 & 31),
                kind::SBFX => {
                    let high = b!() >> (op.imm() & 31) << (op.imm() >> 8 & 31);
                    a!() = (high as i32 >> (op.imm() >> 8 & 31)) as u32;
                }
                kind::BFI => {
                    let mask = u32::MAX >> (op.imm() >> 8 & 31) << (op.imm() & 31);
                    a!() = a!() & !mask | b!() << (op.imm() & 31) & mask;
                }
                kind::BFC => a!() &= !(u32::MAX >> (op.imm() >> 8 & 31) << (op.imm() & 31)),
                kind::REV => a!() = c!().swap_bytes(),
                kind::REV16 => a!() = c!().swap_bytes().rotate_right(16),
                kind::CLZ => a!() = c!().leading_zeros(),
                kind::MUL => a!() = b!().wrapping_mul(c!()),
                kind::MULS => {
                    set_nz!(b!().wrapping_mul(c!()));
                    cycle += cost!(multiply) - 1;
                }
                kind::MLA => a!() = b!().wrapping_mul(c!()).wrapping_add(self.regs.r[op.imm() as usize & 15]),
                kind::MLS => a!() = self.regs.r[op.imm() as usize & 15].wrapping_sub(b!().wrapping_mul(c!())),
                kind::UMULL => {
                    let product = u64::from(b!()) * u64::from(c!());
                    a!() = product as u32;
                    self.regs.r[op.imm() as usize & 15] = (product >> 32) as u32;
                }
                kind::LDR_IMM => load!(offset_imm(), Width::Word, 4, u32::from_le_bytes),
                kind::LDR_REG => load!(offset_reg(), Width::Word, 4, u32::from_le_bytes),
                kind::LDR_LIT => {
                    let address = (pc.wrapping_add(4) & !3).wrapping_add(op.imm());
                    load!(address, self.fast_load_literal(address), Width::Word, u32::from_le_bytes)
                }
                kind::LDRB_IMM => load!(offset_imm(), Width::Byte, 1, |[x]: [u8; 1]| u32::from(x)),
                kind::LDRB_REG => load!(offset_reg(), Width::Byte, 1, |[x]: [u8; 1]| u32::from(x)),
                kind::LDRH_IMM => load!(offset_imm(), Width::Half, 2, |x| u32::from(u16::from_le_bytes(x))),
                kind::LDRH_REG => load!(offset_reg(), Width::Half, 2, |x| u32::from(u16::from_le_bytes(x))),
                kind::LDRSB_IMM => load!(offset_imm(), Width::SignedByte, 1, |[x]: [u8; 1]| x as i8 as u32),
                kind::LDRSB_REG => load!(offset_reg(), Width::SignedByte, 1, |[x]: [u8; 1]| x as i8 as u32),
                kind::LDRSH_IMM => load!(offset_imm(), Width::SignedHalf, 2, |x| i16::from_le_bytes(x) as u32),
                kind::LDRSH_REG => load!(offset_reg(), Width::SignedHalf, 2, |x| i16::from_le_bytes(x) as u32),
                kind::STR_IMM => store!(offset_imm(), Width::Word, u32::to_le_bytes),
                kind::STR_REG => store!(offset_reg(), Width::Word, u32::to_le_bytes),
                kind::STRB_IMM => store!(offset_imm(), Width::Byte, |x| [x as u8]),
                kind::STRB_REG => store!(offset_reg(), Width::Byte, |x| [x as u8]),
                kind::STRH_IMM => store!(offset_imm(), Width::Half, |x| (x as u16).to_le_bytes()),
                kind::STRH_REG => store!(offset_reg(), Width::Half, |x| (x as u16).to_le_bytes()),
                kind::LDRD..=kind::PUSH => {
                    match self.several(op, pc.wrapping_add(LEN)) {
                        Some((next, cycles)) => {
                            go_to!(next);
                            cycle += u64::from(cycles);
                        }
                        None => aside!(self.execute_slow(mmio, op)),
                    }
                    break 'executed;
                }
                kind::LDR_MOVE => moving!(load, 4),
                kind::LDRB_MOVE => moving!(load, 1),
                kind::LDRH_MOVE => moving!(load, 2),
                kind::STR_MOVE => moving!(store, 4),
                kind::STRB_MOVE => moving!(store, 1),
                kind::STRH_MOVE => moving!(store, 2),
                kind::B => {
                    go_to!(pc.wrapping_add(op.imm()));
                    cycle += cost!(branch);
                    break 'executed;
                }
                kind::BEQ => branch_if!(self.regs.flags.zero()),
                kind::BNE => branch_if!(!self.regs.flags.zero()),
                kind::BCS => branch_if!(self.regs.flags.c),
                kind::BCC => branch_if!(!self.regs.flags.c),
                kind::BMI => branch_if!(self.regs.flags.negative()),
                kind::BPL => branch_if!(!self.regs.flags.negative()),
                kind::BVS => branch_if!(self.regs.flags.overflow()),
                kind::BVC => branch_if!(!self.regs.flags.overflow()),
                kind::BHI => branch_if!(self.regs.flags.c && !self.regs.flags.zero()),
                kind::BLS => branch_if!(!self.regs.flags.c || self.regs.flags.zero()),
                kind::BGE => branch_if!(!self.regs.flags.less()),
                kind::BLT => branch_if!(self.regs.flags.less()),
                kind::BGT => branch_if!(!self.regs.flags.less() && !self.regs.flags.zero()),
                kind::BLE => branch_if!(self.regs.flags.less() || self.regs.flags.zero()),
                kind::CBZ => branch_if!(a!() == 0),
                kind::CBNZ => branch_if!(a!() != 0),
                kind::BL => {
                    self.regs.r[14] = pc.wrapping_add(4) | 1;
                    go_to!(pc.wrapping_add(op.imm()));
                    cycle += cost!(branch_link);
                    break 'executed;
                }
                kind::BX | kind::BLX => {
                    let target = c!();
                    if is_plain_target(target) {
                        if op.kind() == kind::BLX {
                            self.regs.r[14] = pc.wrapping_add(2) | 1;
                        }
                        go_to!(target & !1);
                        cycle += cost!(branch_register);
                    } else {
                        aside!(self.execute_slow(mmio, op));
                    }
                    break 'executed;
                }
                kind::IT => {
                    self.begin_it(op.imm() as u8, pc.wrapping_add(2));
                }
                kind::NOP | kind::YIELD => {}
                _ => {
                    aside!(self.execute_slow(mmio, op));
                    break 'executed;
                }
            }
            pc = pc.wrapping_add(LEN);
            cycle += 1;
        }
        Place { pc, cycle, distance }
    }
}
