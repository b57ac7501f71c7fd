//! RCM — reset control module (reference manual, chapter of that name): why the chip was reset.

use twinboard_sim::bus::Size;

use super::peripheral::{Cx, Peripheral, Reset};

const SRS0: u32 = 0;
const SRS1: u32 = 1;
const RPFC: u32 = 4;
const RPFW: u32 = 5;

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
            _ => return None,
        }))
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32, _: u32) -> Option<()> {
        match offset {
            SRS0 | SRS1 => {}
            RPFC => self.rpfc = value as u8 & 0x07,
            RPFW => self.rpfw = value as u8 & 0x1F,
            _ => return None,
        }
        Some(())
    }

    fn reset(&mut self, _: &mut Cx<'_>, reset: Reset) {
        self.srs = match reset {
            Reset::PowerOn => [SRS0_POR | SRS0_LVD, 0],
            Reset::Pin => [SRS0_PIN, 0],
            Reset::Watchdog => [SRS0_WDOG, 0],
            Reset::Software => [0, SRS1_SW],
            Reset::Lockup => [0, SRS1_LOCKUP],
            Reset::Wakeup => [SRS0_WAKEUP, 0],
        };
        if reset == Reset::PowerOn {
            (self.rpfc, self.rpfw) = (0, 0);
        }
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
    fn each_reset_leaves_its_reason_and_no_other() {
        let (mut bench, mut rcm) = (Bench::default(), Rcm::default());
        for (reset, reason) in [
            (Reset::PowerOn, (0x82, 0)),
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
