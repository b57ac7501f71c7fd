//! RCM — reset control module (reference manual, chapter of that name): why the chip was reset.

use twinboard_sim::bus::Size;

use super::peripheral::{Cx, Peripheral, Reset};

const SRS0: u32 = 0;
const SRS1: u32 = 1;
const RPFC: u32 = 4;
const RPFW: u32 = 5;
/// Of chips with a boot loader in ROM.
const FM: u32 = 6;
const MR: u32 = 7;

/// FM\[FORCEROM\] and MR\[BOOTROM\] are both bits 2:1.
const ROM_SHIFT: u8 = 1;
const ROM_BITS: u8 = 0b11 << ROM_SHIFT;

const SRS0_WAKEUP: u8 = 1;
const SRS0_LVD: u8 = 1 << 1;
const SRS0_WDOG: u8 = 1 << 5;
const SRS0_PIN: u8 = 1 << 6;
const SRS0_POR: u8 = 1 << 7;
const SRS1_LOCKUP: u8 = 1 << 1;
const SRS1_SW: u8 = 1 << 2;

/// The register machine.
#[derive(Clone, Copy, Default, Debug)]
pub struct Rcm {
    srs: [u8; 2],
    rpfc: u8,
    rpfw: u8,
    /// FM and MR, if the chip has them.
    rom: Option<[u8; 2]>,
}

impl Rcm {
    /// The RCM of a chip with a boot loader in ROM.
    #[must_use]
    pub fn with_rom() -> Rcm {
        Rcm { rom: Some([0; 2]), ..Rcm::default() }
    }

    /// FM\[FORCEROM\].
    #[must_use]
    pub fn force_rom(&self) -> u8 {
        self.rom.map_or(0, |[fm, _]| fm >> ROM_SHIFT & 3)
    }

    /// The chip has booted from ROM, because of `mode` (MR\[BOOTROM\]).
    pub fn booted_from_rom(&mut self, mode: u8) {
        if let Some([_, mr]) = &mut self.rom {
            *mr = mode << ROM_SHIFT & ROM_BITS;
        }
    }
}

impl Peripheral for Rcm {
    fn width(&self) -> Size {
        Size::Byte
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(u32::from(match offset {
            SRS0 | SRS1 => self.srs[offset as usize],
            RPFC => self.rpfc,
            RPFW => self.rpfw,
            FM | MR => self.rom?[usize::from(offset == MR)],
            _ => return None,
        }))
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32, _: u32) -> Option<()> {
        match offset {
            SRS0 | SRS1 => {}
            RPFC => self.rpfc = value as u8 & 0x07,
            RPFW => self.rpfw = value as u8 & 0x1F,
            FM => self.rom.as_mut()?[0] = value as u8 & ROM_BITS,
            // Written with 1, a bit is cleared.
            MR => self.rom.as_mut()?[1] &= !(value as u8),
            _ => return None,
        }
        Some(())
    }

    fn reset(&mut self, _: &mut Cx<'_>, reset: Reset) {
        self.srs = match reset {
            Reset::PowerOn => [SRS0_POR | SRS0_LVD, 0],
            Reset::LowVoltage => [SRS0_LVD, 0],
            Reset::Pin => [SRS0_PIN, 0],
            Reset::Watchdog => [SRS0_WDOG, 0],
            Reset::Software => [0, SRS1_SW],
            Reset::Lockup => [0, SRS1_LOCKUP],
            Reset::Wakeup => [SRS0_WAKEUP, 0],
        };
        if reset == Reset::PowerOn {
            (self.rpfc, self.rpfw) = (0, 0);
        }
        if let Some([fm, mr]) = &mut self.rom {
            (*fm, *mr) = (if reset == Reset::PowerOn { 0 } else { *fm }, 0);
        }
    }

    fn steady(&self, _: u32) -> bool {
        true
    }

    fn rcm(&mut self) -> Option<&mut Rcm> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    #[test]
    fn why_the_chip_booted_from_rom_stands_until_a_one_is_written_or_the_next_reset() {
        let (mut bench, mut rcm) = (Bench::default(), Rcm::with_rom());
        rcm.booted_from_rom(3);
        assert_eq!(bench.read(&mut rcm, MR), 0x06);
        bench.write(&mut rcm, MR, 0x02);
        assert_eq!(bench.read(&mut rcm, MR), 0x04);
        bench.write(&mut rcm, FM, 0xFF);
        assert_eq!((bench.read(&mut rcm, FM), rcm.force_rom()), (0x06, 3));
        rcm.reset(&mut bench.cx(), Reset::Software);
        assert_eq!((bench.read(&mut rcm, FM), bench.read(&mut rcm, MR)), (0x06, 0));
        rcm.reset(&mut bench.cx(), Reset::PowerOn);
        assert_eq!(bench.read(&mut rcm, FM), 0);
    }

    #[test]
    fn each_reset_leaves_its_reason_and_no_other() {
        let (mut bench, mut rcm) = (Bench::default(), Rcm::default());
        for (reset, reason) in [
            (Reset::PowerOn, (0x82, 0)),
            (Reset::LowVoltage, (0x02, 0)),
            (Reset::Software, (0, 0x04)),
            (Reset::Watchdog, (0x20, 0)),
            (Reset::Pin, (0x40, 0)),
            (Reset::Lockup, (0, 0x02)),
            (Reset::Wakeup, (0x01, 0)),
        ] {
            rcm.reset(&mut bench.cx(), reset);
            assert_eq!((bench.read(&mut rcm, SRS0), bench.read(&mut rcm, SRS1)), reason, "{reset:?}");
        }
    }
}
