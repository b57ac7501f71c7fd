//! The page that CCM and AAR share: ENABLE says which of them is there.
//!
//! Tasks, events and registers lie at the same offsets; only the meaning of some differs.

use super::aar::{self, Aar};
use super::ccm::{self, Ccm};
use super::clock::LfClk;
use super::inert::{Inert, InertSpec};
use super::peripheral::{Cx, Events, Peripheral, Reset, SHORTS};

const STATUS: u32 = 0x400;
const ENABLE: u32 = 0x500;
/// MODE of CCM, NIRK of AAR.
const MODE: u32 = 0x504;
/// CNFPTR of CCM, IRKPTR of AAR.
const CNFPTR: u32 = 0x508;
const INPTR: u32 = 0x50C;
/// OUTPTR of CCM, ADDRPTR of AAR.
const OUTPTR: u32 = 0x510;
const RATEOVERRIDE: u32 = 0x51C;
const HEADERMASK: u32 = 0x520;

/// Bits of the first byte that are not protected by the MIC: NESN, SN and MD.
const HEADERMASK_RESET: u32 = 0xE3;

/// The nRF52833's page.
pub const NRF52833: InertSpec = InertSpec {
    events: 0b111,
    registers: &[(0x200, 0x200), (0x500, 0x520)],
    resets: &[(MODE, 1), (0x518, 0xFB), (HEADERMASK, HEADERMASK_RESET)],
    set_clear: &[],
};

/// The nRF51's page.
pub const NRF51: InertSpec = InertSpec {
    events: 0b111,
    registers: &[(0x200, 0x200), (0x500, 0x514)],
    resets: &[(MODE, 1), (HEADERMASK, HEADERMASK_RESET)],
    set_clear: &[],
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Enabled {
    No,
    Ccm,
    Aar,
}

/// The register machine.
#[derive(Debug)]
pub struct CcmAar {
    spec: InertSpec,
    events: Events,
    registers: Inert,
    ccm: Ccm,
    aar: Aar,
    rate_override: bool,
}

impl CcmAar {
    /// The page with the registers of `spec`.
    #[must_use]
    pub fn new(spec: InertSpec) -> CcmAar {
        CcmAar {
            spec,
            events: Events::new(spec.events),
            registers: Inert::new(spec),
            ccm: Ccm::default(),
            aar: Aar::default(),
            rate_override: false,
        }
    }

    fn enabled(&self) -> Enabled {
        match self.registers.get(ENABLE) & 0b11 {
            2 => Enabled::Ccm,
            3 => Enabled::Aar,
            _ => Enabled::No,
        }
    }

    fn ccm_registers(&self) -> ccm::Registers {
        ccm::Registers {
            shorts: self.registers.get(SHORTS),
            mode: self.registers.get(MODE),
            cnfptr: self.registers.get(CNFPTR),
            inptr: self.registers.get(INPTR),
            outptr: self.registers.get(OUTPTR),
            header_mask: self.registers.get(HEADERMASK),
            rate: self.rate_override.then(|| self.registers.get(RATEOVERRIDE)),
        }
    }
}

impl Peripheral for CcmAar {
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        match offset {
            STATUS if self.enabled() == Enabled::Aar => Some(self.aar.status),
            STATUS => Some(u32::from(self.ccm.mic_ok)),
            _ => self.registers.read(cx, offset),
        }
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        match offset {
            STATUS => return Some(()),
            ENABLE if value & 0b11 != self.registers.get(ENABLE) & 0b11 => {
                (self.ccm, self.aar) = (Ccm::default(), Aar::default());
            }
            _ => {}
        }
        self.registers.write(cx, offset, value)
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        if offset == ccm::RATEOVERRIDE_TASK {
            self.rate_override = true;
            return Some(());
        }
        let registers = &self.registers;
        match self.enabled() {
            Enabled::Ccm => {
                self.rate_override &= offset != ccm::KSGEN;
                let registers = self.ccm_registers();
                self.ccm.task(cx, &registers, offset)
            }
            Enabled::Aar => {
                let registers = aar::Registers {
                    nirk: registers.get(MODE),
                    irkptr: registers.get(CNFPTR),
                    addrptr: registers.get(OUTPTR),
                };
                self.aar.task(cx, &registers, offset)
            }
            // Fixed PPI channels trigger the tasks of whoever is not there.
            Enabled::No => matches!(offset, ccm::KSGEN | ccm::CRYPT | ccm::STOP).then_some(()),
        }
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        self.events.reset();
        self.registers = Inert::new(self.spec);
        (self.ccm, self.aar, self.rate_override) = (Ccm::default(), Aar::default(), false);
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.ccm.next().min(self.aar.next())
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        let registers = self.ccm_registers();
        self.ccm.run(cx, &registers, &mut self.events);
        self.aar.run(cx, &mut self.events);
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::super::peripheral::NEVER;
    use super::super::peripheral::testing::Bench;
    use super::*;

    const KEYS: u32 = 0x2000_0000;
    const IN: u32 = 0x2000_0200;
    const OUT: u32 = 0x2000_0400;

    fn unit(enable: u32, mode: u32) -> (Bench, CcmAar) {
        let (mut bench, mut unit) = (Bench::default(), CcmAar::new(NRF52833));
        // MODE.LENGTH = Extended: LENGTH has eight bits.
        for (register, value) in [(ENABLE, enable), (MODE, mode), (CNFPTR, KEYS), (INPTR, IN), (OUTPTR, OUT)] {
            unit.write(&mut bench.cx(), register, value);
        }
        (bench, unit)
    }

    /// Runs a packet through CCM: what is at OUTPTR then, `len` bytes, and MICSTATUS if it decrypted.
    pub fn run_ccm(cnf: &[u8], packet: &[u8], mode: u32, len: usize) -> (Vec<u8>, Option<bool>) {
        let (mut bench, mut unit) = unit(2, mode);
        bench.memory.write_bytes(OUT, &[0xEE; 64]);
        bench.memory.write_bytes(KEYS, cnf);
        bench.memory.write_bytes(IN, packet);
        unit.write(&mut bench.cx(), SHORTS, 1);
        unit.task(&mut bench.cx(), ccm::KSGEN);
        bench.wait(&mut unit, ccm::ENDKSGEN, NEVER - 1).expect("a key stream");
        bench.wait(&mut unit, ccm::ENDCRYPT, NEVER - 1).expect("a packet");
        let out = bench.memory.read_bytes(OUT, len).expect("RAM").to_vec();
        let mic = unit.read(&mut bench.cx(), STATUS).map(|status| status == 1);
        (out, mic.filter(|_| mode & 1 == 1))
    }

    /// Resolves an address (least significant byte first): the number of the key, and the cycle.
    pub fn run_aar(keys: &[[u8; 16]], address: [u8; 6]) -> (Option<u32>, u64) {
        let (mut bench, mut unit) = unit(3, keys.len() as u32);
        bench.memory.write_bytes(KEYS, &keys.concat());
        bench.memory.write_bytes(OUT + 3, &address);
        unit.task(&mut bench.cx(), aar::START);
        let at = bench.wait(&mut unit, aar::END, NEVER - 1).expect("an end");
        let resolved = unit.events().is_set(aar::RESOLVED);
        assert_ne!(resolved, unit.events().is_set(aar::NOTRESOLVED));
        (resolved.then(|| unit.read(&mut bench.cx(), STATUS).expect("STATUS")), at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    #[test]
    fn a_page_without_a_unit_takes_the_tasks_of_the_fixed_ppi_channels_and_does_nothing() {
        let (mut bench, mut unit) = (Bench::default(), CcmAar::new(NRF51));
        assert_eq!(unit.task(&mut bench.cx(), ccm::KSGEN), Some(()));
        assert_eq!(unit.next(&LfClk::default()), u64::MAX);
    }
}
