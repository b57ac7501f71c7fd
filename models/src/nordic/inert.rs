//! A peripheral whose registers are there but which does nothing: configuration is kept, events can be enabled, and
//! its tasks are reported as not modelled.

use super::peripheral::{Cx, Events, Peripheral, Reset};

/// Where a peripheral's registers begin after SHORTS.
const FIRST: u32 = 0x200;
const WORDS: usize = (0x1000 - FIRST as usize) / 4;

/// The registers of a peripheral that is not modelled.
#[derive(Clone, Copy, Debug)]
pub struct InertSpec {
    /// The events it has.
    pub events: u32,
    /// Its registers from SHORTS on: first and last offset of each contiguous run.
    pub registers: &'static [(u32, u32)],
    /// Reset values other than 0.
    pub resets: &'static [(u32, u32)],
    /// Registers that have a SET register 4 bytes on and a CLR register 8 bytes on.
    pub set_clear: &'static [u32],
}

impl InertSpec {
    /// No registers and no events.
    pub const EMPTY: InertSpec = InertSpec { events: 0, registers: &[], resets: &[], set_clear: &[] };
}

/// The register machine.
#[derive(Debug)]
pub struct Inert {
    spec: InertSpec,
    events: Events,
    words: Box<[u32; WORDS]>,
}

impl Inert {
    /// A peripheral with these registers.
    #[must_use]
    pub fn new(spec: InertSpec) -> Inert {
        let mut inert = Inert { spec, events: Events::new(spec.events), words: Box::new([0; WORDS]) };
        inert.load_resets();
        inert
    }

    /// What it was made from.
    #[must_use]
    pub fn spec(&self) -> InertSpec {
        self.spec
    }

    fn load_resets(&mut self) {
        self.words.fill(0);
        for &(offset, value) in self.spec.resets {
            self.words[(offset - FIRST) as usize / 4] = value;
        }
    }

    /// The value of the register at `offset`, which must be one of the specification's.
    #[must_use]
    pub fn get(&self, offset: u32) -> u32 {
        self.words[(offset - FIRST) as usize / 4]
    }

    /// Changes the register at `offset`, which must be one of the specification's.
    pub fn set(&mut self, offset: u32, value: u32) {
        self.words[(offset - FIRST) as usize / 4] = value;
    }

    /// All events of `mask` happen.
    pub fn raise(&mut self, mask: u32) {
        self.events.raise_all(mask);
    }

    fn word(&mut self, offset: u32) -> Option<&mut u32> {
        let known = self.spec.registers.iter().any(|&(first, last)| (first..=last).contains(&offset));
        self.words.get_mut(offset.checked_sub(FIRST)? as usize / 4).filter(|_| known && offset.is_multiple_of(4))
    }

    /// The register behind `offset`, and its distance to it: 0, 4 (SET) or 8 (CLR).
    fn resolve(&self, offset: u32) -> (u32, u32) {
        let base = self.spec.set_clear.iter().copied().find(|&base| (base..base + 12).contains(&offset));
        base.map_or((offset, 0), |base| (base, offset - base))
    }
}

impl Peripheral for Inert {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        let (register, _) = self.resolve(offset);
        self.word(register).map(|word| *word)
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        let (register, distance) = self.resolve(offset);
        self.word(register).map(|word| match distance {
            0 => *word = value,
            4 => *word |= value,
            _ => *word &= !value,
        })
    }

    fn task(&mut self, _: &mut Cx<'_>, _: u32) -> Option<()> {
        None
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        self.events.reset();
        self.load_resets();
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    #[test]
    fn known_registers_keep_what_is_written_and_others_do_not_exist() {
        let spec = InertSpec { events: 0b11, registers: &[(0x500, 0x508)], resets: &[(0x504, 7)], ..InertSpec::EMPTY };
        let (mut bench, mut inert) = (Bench::default(), Inert::new(spec));
        assert_eq!(inert.read(&mut bench.cx(), 0x504), Some(7));
        inert.write(&mut bench.cx(), 0x504, 1);
        assert_eq!(inert.read(&mut bench.cx(), 0x504), Some(1));
        assert_eq!(inert.write(&mut bench.cx(), 0x50C, 1), None);
        inert.reset(&mut bench.cx(), Reset::Soft);
        assert_eq!(inert.read(&mut bench.cx(), 0x504), Some(7));
        assert_eq!(inert.task(&mut bench.cx(), 0), None);
    }

    #[test]
    fn set_and_clear_registers_change_bits_of_the_register_before_them() {
        let spec = InertSpec { registers: &[(0x510, 0x518)], set_clear: &[0x510], ..InertSpec::EMPTY };
        let (mut bench, mut inert) = (Bench::default(), Inert::new(spec));
        inert.write(&mut bench.cx(), 0x510, 0b0011);
        inert.write(&mut bench.cx(), 0x514, 0b0100);
        inert.write(&mut bench.cx(), 0x518, 0b0001);
        assert_eq!(inert.read(&mut bench.cx(), 0x514), Some(0b0110));
    }
}
