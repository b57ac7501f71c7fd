//! Peripherals whose registers keep what is written and do nothing: reset values and writable bits, as a table.

use twinboard_sim::bus::Size;

use super::peripheral::{Cx, Peripheral, Reset, merged};

/// A register: offset, value after reset, writable bits.
pub type Register = (u32, u32, u32);

/// A peripheral of registers that do nothing.
#[derive(Clone, Copy, Debug)]
pub struct RegistersSpec {
    /// How wide they are.
    pub width: Size,
    /// The registers.
    pub registers: &'static [Register],
}

/// OSC: CR. The crystal oscillator itself is the MCG's.
pub const OSC: RegistersSpec = RegistersSpec { width: Size::Byte, registers: &[(0, 0, 0xAF)] };

/// PMC: LVDSC1, LVDSC2, REGSC. The supply never sags.
pub const PMC: RegistersSpec =
    RegistersSpec { width: Size::Byte, registers: &[(0, 0x10, 0x33), (1, 0, 0x23), (2, 0x04, 0x11)] };

/// SMC: PMPROT, PMCTRL, STOPCTRL, PMSTAT. Run mode is the only one.
pub const SMC: RegistersSpec =
    RegistersSpec { width: Size::Byte, registers: &[(0, 0, 0x2A), (1, 0, 0x67), (2, 0x03, 0x3F), (3, 0x01, 0)] };

/// LLWU: PE1 to PE4, ME, F1 to F3, FILT1, FILT2.
pub const LLWU: RegistersSpec = RegistersSpec {
    width: Size::Byte,
    registers: &[
        (0, 0, 0xFF),
        (1, 0, 0xFF),
        (2, 0, 0xFF),
        (3, 0, 0xFF),
        (4, 0, 0xFF),
        (5, 0, 0),
        (6, 0, 0),
        (7, 0, 0),
        (8, 0, 0x6F),
        (9, 0, 0x6F),
    ],
};

/// The register machine.
#[derive(Debug)]
pub struct Registers {
    spec: RegistersSpec,
    values: Vec<u32>,
}

impl Registers {
    /// Registers with their reset values.
    #[must_use]
    pub fn new(spec: RegistersSpec) -> Registers {
        Registers { spec, values: spec.registers.iter().map(|register| register.1).collect() }
    }

    fn index(&self, offset: u32) -> Option<usize> {
        self.spec.registers.iter().position(|register| register.0 == offset)
    }
}

impl Peripheral for Registers {
    fn width(&self) -> Size {
        self.spec.width
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        self.values.get(self.index(offset)?).copied()
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32, lanes: u32) -> Option<()> {
        let index = self.index(offset)?;
        let kept = &mut self.values[index];
        *kept = merged(*kept, value, lanes & self.spec.registers[index].2);
        Some(())
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        *self = Registers::new(self.spec);
    }

    fn steady(&self, _: u32) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    #[test]
    fn writable_bits_are_kept_until_reset_and_others_do_not_exist() {
        let (mut bench, mut smc) = (Bench::default(), Registers::new(SMC));
        bench.write(&mut smc, 0, 0xFF);
        assert_eq!((bench.read(&mut smc, 0), bench.read(&mut smc, 3)), (0x2A, 1));
        assert_eq!(smc.read(&mut bench.cx(), 4), None);
        smc.reset(&mut bench.cx(), Reset::Pin);
        assert_eq!(bench.read(&mut smc, 0), 0);
    }
}
