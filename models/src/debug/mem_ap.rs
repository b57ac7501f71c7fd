//! A memory access port, the AHB-AP: a bus master whose registers a debugger reads and writes (Arm IHI 0031, "The
//! Memory Access Port"; Cortex-M3 TRM, "AHB-AP").

use twinboard_sim::bus::Size;
use twinboard_sim::debug::DebugTarget;
use twinboard_sim::time::Time;

use super::table::MemApTable;

const CSW: u8 = 0x00;
const TAR: u8 = 0x04;
const DRW: u8 = 0x0C;
const BD0: u8 = 0x10;
const BD3: u8 = 0x1C;
const CFG: u8 = 0xF4;
const BASE: u8 = 0xF8;
const IDR: u8 = 0xFC;

/// CSW.Size, bits [2:0].
const SIZE: u32 = 0b111;
const SIZE_WORD: u32 = 2;
/// CSW.AddrInc, bits [5:4].
const ADDR_INC_SINGLE: u32 = 1;
const ADDR_INC_PACKED: u32 = 2;
/// CSW.DeviceEn, read-only: the port can reach its bus.
const DEVICE_EN: u32 = 1 << 6;

/// The access port's transaction failed; the debug port sets STICKYERR.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("access port fault")]
pub struct ApFault;

/// The registers of one AHB-AP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemAp {
    table: MemApTable,
    csw: u32,
    tar: u32,
}

impl MemAp {
    /// The port as it is at power-on.
    #[must_use]
    pub fn new(table: MemApTable) -> MemAp {
        MemAp { table, csw: table.csw_reset, tar: 0 }
    }

    /// The address on the bus that an access to `register` reaches, if it is one that does.
    #[must_use]
    pub fn bus_address(&self, register: u8) -> Option<u32> {
        match register {
            DRW => Some(self.tar),
            BD0..=BD3 => Some(self.tar & !0xF | u32::from(register & 0xC)),
            _ => None,
        }
    }

    /// Reads `register` (0x00–0xFC). Registers that do not exist read 0.
    ///
    /// # Errors
    /// [`ApFault`] if the bus answers with an error or the port is disabled.
    pub fn read<T>(&mut self, at: Time, register: u8, target: &mut T) -> Result<u32, ApFault>
    where
        T: DebugTarget + ?Sized,
    {
        match register {
            CSW if target.mem_enabled(at) => Ok(self.csw | DEVICE_EN),
            CSW => Ok(self.csw),
            TAR => Ok(self.tar),
            DRW => {
                let mut data = 0;
                self.transfer(at, target, |target, address, size, lane| {
                    data |= target.mem_read(at, address, size).map_err(|_| ApFault)? << lane;
                    Ok(())
                })?;
                Ok(data)
            }
            BD0..=BD3 => {
                enabled(at, target)?;
                let address = self.tar & !0xF | u32::from(register & 0xC);
                target.mem_read(at, address, Size::Word).map_err(|_| ApFault)
            }
            CFG => Ok(self.table.cfg),
            BASE => Ok(self.table.base),
            IDR => Ok(self.table.idr),
            _ => Ok(0),
        }
    }

    /// Writes `register` (0x00–0xFC). Registers that do not exist or are read-only ignore it.
    ///
    /// # Errors
    /// [`ApFault`] if the bus answers with an error or the port is disabled.
    pub fn write<T>(&mut self, at: Time, register: u8, value: u32, target: &mut T) -> Result<(), ApFault>
    where
        T: DebugTarget + ?Sized,
    {
        match register {
            CSW => self.csw = self.next_csw(value),
            TAR => self.tar = value,
            DRW => {
                return self.transfer(at, target, |target, address, size, lane| {
                    let mask = u32::MAX >> (32 - 8 * size.bytes());
                    target.mem_write(at, address, size, value >> lane & mask).map_err(|_| ApFault)
                });
            }
            BD0..=BD3 => {
                enabled(at, target)?;
                let address = self.tar & !0xF | u32::from(register & 0xC);
                return target.mem_write(at, address, Size::Word, value).map_err(|_| ApFault);
            }
            _ => {}
        }
        Ok(())
    }

    /// CSW after `value` is written: what this variant does not implement keeps its value, and a size that it does not
    /// implement reads back as a word.
    fn next_csw(&self, value: u32) -> u32 {
        let writable = self.table.csw_writable;
        let csw = self.csw & !writable | value & writable;
        if csw & SIZE > SIZE_WORD { csw & !SIZE | SIZE_WORD } else { csw }
    }

    /// One access to DRW: one bus access, or as many as fill a word if transfers are packed. Data lies on the byte
    /// lanes of its address. TAR moves past what succeeded.
    fn transfer<T>(
        &mut self,
        at: Time,
        target: &mut T,
        mut access: impl FnMut(&mut T, u32, Size, u32) -> Result<(), ApFault>,
    ) -> Result<(), ApFault>
    where
        T: DebugTarget + ?Sized,
    {
        enabled(at, target)?;
        let size = match self.csw & SIZE {
            0 => Size::Byte,
            1 => Size::Half,
            _ => Size::Word,
        };
        let (accesses, increment) = match self.csw >> 4 & 0b11 {
            ADDR_INC_SINGLE => (1, size.bytes()),
            ADDR_INC_PACKED => (4 / size.bytes(), size.bytes()),
            _ => (1, 0),
        };
        for _ in 0..accesses {
            let address = self.tar & !(size.bytes() - 1);
            access(target, address, size, 8 * (address & 3))?;
            let block = self.table.wrap - 1;
            self.tar = self.tar & !block | self.tar.wrapping_add(increment) & block;
        }
        Ok(())
    }
}

fn enabled<T: DebugTarget + ?Sized>(at: Time, target: &mut T) -> Result<(), ApFault> {
    if target.mem_enabled(at) { Ok(()) } else { Err(ApFault) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::debug::scripted::{Event, ScriptedTarget};
    use crate::debug::table::{ApTable, NRF51822, NRF52833};

    const AT: Time = Time(1_000);

    fn ap(aps: &[(u8, ApTable)]) -> MemAp {
        let &[(0, ApTable::Mem(table)), ..] = aps else { panic!("access port 0 is an AHB-AP") };
        MemAp::new(table)
    }

    fn m4() -> (MemAp, ScriptedTarget) {
        (ap(NRF52833.aps), ScriptedTarget::default())
    }

    fn m0() -> (MemAp, ScriptedTarget) {
        (ap(NRF51822.aps), ScriptedTarget::default())
    }

    #[test]
    fn csw_reads_its_power_on_value_with_device_en() {
        // Reference 3.1.
        let (mut ap, mut target) = m4();
        assert_eq!(ap.read(AT, CSW, &mut target), Ok(0x2300_0040));
        let (mut ap, mut target) = m0();
        assert_eq!(ap.read(AT, CSW, &mut target), Ok(0x0300_0040));
        target.enabled = false;
        assert_eq!(ap.read(AT, CSW, &mut target), Ok(0x0300_0000));
    }

    #[test]
    fn hprot_bit_0_stays_set_and_only_bit_1_is_writable_on_an_m4() {
        // Reference 3.2, HPROT.
        let (mut ap, mut target) = m4();
        ap.write(AT, CSW, u32::MAX, &mut target).expect("CSW takes anything");
        assert_eq!(ap.read(AT, CSW, &mut target).expect("CSW reads") >> 24 & 0xF, 0b0011);
        ap.write(AT, CSW, 0, &mut target).expect("CSW takes anything");
        assert_eq!(ap.read(AT, CSW, &mut target).expect("CSW reads") >> 24 & 0xF, 0b0001);
    }

    #[test]
    fn an_unimplemented_size_or_increment_reads_back_as_something_else() {
        // Reference 3.2: hosts test by write and read back.
        for (mut ap, mut target) in [m4(), m0()] {
            ap.write(AT, CSW, 0x2300_0013, &mut target).expect("CSW takes anything");
            assert_ne!(ap.read(AT, CSW, &mut target).expect("CSW reads") & SIZE, 3);
        }
        let packed = |(mut ap, mut target): (MemAp, ScriptedTarget)| {
            ap.write(AT, CSW, 0xA200_0020, &mut target).expect("CSW takes anything");
            ap.read(AT, CSW, &mut target).expect("CSW reads") & 0x20 != 0
        };
        assert!(packed(m4()));
        assert!(!packed(m0()));
    }

    #[test]
    fn bytes_and_halfwords_lie_on_their_lanes_both_ways() {
        // Reference 3.2, byte lanes.
        for (csw, offset, read, written) in [
            (0, 1, 0x0000_2200, 0x4433_BB11),
            (0, 3, 0x4400_0000, 0xDD33_2211),
            (1, 2, 0x4433_0000, 0xDDCC_2211),
            (1, 0, 0x0000_2211, 0x4433_BBAA),
        ] {
            let (mut ap, mut target) = m4();
            target.poke(0x2000_0000, 0x4433_2211);
            ap.write(AT, CSW, csw, &mut target).expect("CSW takes anything");
            ap.write(AT, TAR, 0x2000_0000 + offset, &mut target).expect("TAR takes anything");
            assert_eq!(ap.read(AT, DRW, &mut target), Ok(read));
            ap.write(AT, DRW, 0xDDCC_BBAA, &mut target).expect("RAM takes it");
            assert_eq!(target.peek(0x2000_0000), written);
        }
    }

    #[test]
    fn a_packed_transfer_is_as_many_accesses_as_fill_a_word() {
        let (mut ap, mut target) = m4();
        ap.write(AT, CSW, 0x2300_0020, &mut target).expect("CSW takes anything");
        ap.write(AT, TAR, 0x2000_0004, &mut target).expect("TAR takes anything");
        ap.write(AT, DRW, 0x4433_2211, &mut target).expect("RAM takes it");
        let written: Vec<(u32, u32)> = target
            .events
            .iter()
            .filter_map(|e| if let Event::Write { address, value, .. } = *e { Some((address, value)) } else { None })
            .collect();
        assert_eq!(written, [(0x2000_0004, 0x11), (0x2000_0005, 0x22), (0x2000_0006, 0x33), (0x2000_0007, 0x44)]);
        assert_eq!(ap.read(AT, TAR, &mut target), Ok(0x2000_0008));
    }

    #[test]
    fn tar_wraps_at_4_kb_on_an_m4_and_at_1_kb_on_an_m0() {
        // Reference 3.2, TAR auto-increment wrap.
        let after = |(mut ap, mut target): (MemAp, ScriptedTarget), tar| {
            ap.write(AT, CSW, 0x2300_0012, &mut target).expect("CSW takes anything");
            ap.write(AT, TAR, tar, &mut target).expect("TAR takes anything");
            ap.write(AT, DRW, 0, &mut target).expect("RAM takes it");
            ap.read(AT, TAR, &mut target)
        };
        assert_eq!(after(m4(), 0x2000_07FC), Ok(0x2000_0800));
        assert_eq!(after(m4(), 0x2000_0FFC), Ok(0x2000_0000));
        assert_eq!(after(m0(), 0x2000_07FC), Ok(0x2000_0400));
    }

    #[test]
    fn a_fault_leaves_tar_alone() {
        // Reference 3.2, increment on fault.
        let (mut ap, mut target) = m4();
        target.faulty = 0x3E00_0000..0x3F00_0000;
        ap.write(AT, CSW, 0x2300_0012, &mut target).expect("CSW takes anything");
        ap.write(AT, TAR, 0x3E00_0000, &mut target).expect("TAR takes anything");
        assert_eq!(ap.read(AT, DRW, &mut target), Err(ApFault));
        assert_eq!(ap.write(AT, DRW, 1, &mut target), Err(ApFault));
        assert_eq!(ap.read(AT, TAR, &mut target), Ok(0x3E00_0000));
    }

    #[test]
    fn banked_data_registers_reach_the_four_words_around_tar() {
        // Reference 3.2, BD0-BD3.
        let (mut ap, mut target) = m4();
        ap.write(AT, CSW, 0x2300_0010, &mut target).expect("CSW takes anything");
        ap.write(AT, TAR, 0x2000_0017, &mut target).expect("TAR takes anything");
        ap.write(AT, 0x1C, 0xDEAD_BEEF, &mut target).expect("RAM takes it");
        assert_eq!(target.peek(0x2000_001C), 0xDEAD_BEEF);
        assert_eq!(ap.read(AT, 0x1C, &mut target), Ok(0xDEAD_BEEF));
        assert_eq!(ap.read(AT, TAR, &mut target), Ok(0x2000_0017));
    }

    #[test]
    fn a_disabled_port_still_identifies_itself_but_faults_on_data() {
        // Reference 3.3, locked AHB-AP.
        let (mut ap, mut target) = m4();
        target.enabled = false;
        assert_eq!(ap.read(AT, IDR, &mut target), Ok(0x2477_0011));
        assert_eq!(ap.read(AT, BASE, &mut target), Ok(0xE00F_F003));
        assert_eq!(ap.read(AT, DRW, &mut target), Err(ApFault));
        assert_eq!(ap.write(AT, BD0, 0, &mut target), Err(ApFault));
        assert!(target.events.is_empty());
    }
}
