//! SMC, PMC and LLWU — power modes, the regulator, and what wakes the chip (reference manual, chapters "System Mode
//! Controller", "Power Management Controller", "Low-Leakage Wakeup Unit").
//!
//! In WAIT, STOP and VLPS the core sleeps and everything else goes on. VLLS is being off: the only way out is a wake-up
//! through the LLWU, which is a reset.

use twinboard_sim::bus::Size;
use twinboard_sim::wire::PinId;

use super::peripheral::{Cx, Peripheral, Request, Reset};

/// The SMC's registers.
mod smc {
    pub const PMPROT: u32 = 0;
    pub const PMCTRL: u32 = 1;
    pub const STOPCTRL: u32 = 2;
    pub const PMSTAT: u32 = 3;

    pub const PMPROT_AVLLS: u8 = 1 << 1;
    pub const PMPROT_ALLS: u8 = 1 << 3;
    pub const PMPROT_AVLP: u8 = 1 << 5;
    pub const STOPM_VLPS: u8 = 2;
    pub const STOPM_LLS: u8 = 3;
    pub const STOPM_VLLS: u8 = 4;
    pub const RUN: u8 = 0x01;
    pub const VLPR: u8 = 0x04;
}

/// SMC.
#[derive(Clone, Copy, Debug)]
pub struct Smc {
    pmprot: Option<u8>,
    pmctrl: u8,
    stopctrl: u8,
}

impl Default for Smc {
    fn default() -> Smc {
        Smc { pmprot: None, pmctrl: 0, stopctrl: 3 }
    }
}

impl Smc {
    fn allows(&self, mode: u8) -> bool {
        let needed = match mode {
            smc::STOPM_VLPS => smc::PMPROT_AVLP,
            smc::STOPM_LLS => smc::PMPROT_ALLS,
            smc::STOPM_VLLS => smc::PMPROT_AVLLS,
            _ => 0,
        };
        self.pmprot.unwrap_or(0) & needed == needed
    }
}

impl Peripheral for Smc {
    fn width(&self) -> Size {
        Size::Byte
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(u32::from(match offset {
            smc::PMPROT => self.pmprot.unwrap_or(0),
            smc::PMCTRL => self.pmctrl,
            smc::STOPCTRL => self.stopctrl,
            smc::PMSTAT => {
                if self.pmctrl >> 5 & 3 == 2 {
                    smc::VLPR
                } else {
                    smc::RUN
                }
            }
            _ => return None,
        }))
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32, _: u32) -> Option<()> {
        let value = value as u8;
        match offset {
            // Once after each reset.
            smc::PMPROT => _ = self.pmprot.get_or_insert(value & 0x2A),
            smc::PMCTRL => {
                let run = if self.pmprot.unwrap_or(0) & smc::PMPROT_AVLP != 0 { 0x60 } else { 0 };
                // A stop mode that PMPROT forbids is not stored.
                let stop = if self.allows(value & 7) { value & 7 } else { 0 };
                self.pmctrl = value & run | stop;
            }
            smc::STOPCTRL => self.stopctrl = value & 0xE7,
            smc::PMSTAT => {}
            _ => return None,
        }
        Some(())
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        *self = Smc::default();
    }

    fn steady(&self, _: u32) -> bool {
        true
    }

    fn sleeps_deeply(&mut self, cx: &mut Cx<'_>) {
        if self.pmctrl & 7 == smc::STOPM_VLLS {
            cx.ask(Request::PowerDown);
        }
    }
}

const LVDSC1: u32 = 0;
const LVDSC2: u32 = 1;
const REGSC: u32 = 2;
const REGSC_ACKISO: u8 = 1 << 3;
const REGSC_REGONS: u8 = 1 << 2;

/// PMC. The supply never sags.
#[derive(Clone, Copy, Debug)]
pub struct Pmc {
    lvdsc: [u8; 2],
    regsc: u8,
}

impl Default for Pmc {
    fn default() -> Pmc {
        Pmc { lvdsc: [0x10, 0], regsc: REGSC_REGONS }
    }
}

impl Peripheral for Pmc {
    fn width(&self) -> Size {
        Size::Byte
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(u32::from(match offset {
            LVDSC1 | LVDSC2 => self.lvdsc[offset as usize],
            REGSC => self.regsc,
            _ => return None,
        }))
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32, _: u32) -> Option<()> {
        let value = value as u8;
        match offset {
            LVDSC1 => self.lvdsc[0] = value & 0x33,
            LVDSC2 => self.lvdsc[1] = value & 0x23,
            // BGEN and BGBE are kept, a 1 acknowledges the isolation.
            REGSC => self.regsc = value & 0x11 | REGSC_REGONS | self.regsc & REGSC_ACKISO & !value,
            _ => return None,
        }
        Some(())
    }

    fn reset(&mut self, _: &mut Cx<'_>, reset: Reset) {
        *self = Pmc::default();
        if reset == Reset::Wakeup {
            self.regsc |= REGSC_ACKISO;
        }
    }

    fn steady(&self, _: u32) -> bool {
        true
    }
}

const PE1: u32 = 0;
const ME: u32 = 4;
const F1: u32 = 5;
const F2: u32 = 6;
const F3: u32 = 7;
const FILT1: u32 = 8;
const FILT2: u32 = 9;
const FILT_FILTF: u8 = 1 << 7;

/// LLWU: which pins are its inputs, LLWU_P0 to LLWU_P15.
#[derive(Clone, Copy, Debug)]
pub struct LlwuSpec {
    /// The pin behind each input.
    pub inputs: [Option<PinId>; 16],
}

/// LLWU.
#[derive(Clone, Copy, Debug)]
pub struct Llwu {
    spec: LlwuSpec,
    pe: [u8; 4],
    me: u8,
    flags: [u8; 2],
    filt: [u8; 2],
    /// The chip is off and the LLWU watches.
    armed: bool,
}

impl Llwu {
    /// The wake-up unit with these inputs.
    #[must_use]
    pub fn new(spec: LlwuSpec) -> Llwu {
        Llwu { spec, pe: [0; 4], me: 0, flags: [0; 2], filt: [0; 2], armed: false }
    }

    /// PEn\[WUPEn\] of an input: 1 rising, 2 falling, 3 any.
    fn edge(&self, input: usize) -> u8 {
        self.pe[(input / 4) & 3] >> (2 * (input % 4)) & 3
    }
}

impl Peripheral for Llwu {
    fn width(&self) -> Size {
        Size::Byte
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(u32::from(match offset {
            PE1..ME => self.pe[offset as usize],
            ME => self.me,
            F1 | F2 => self.flags[(offset - F1) as usize],
            F3 => 0,
            FILT1 | FILT2 => self.filt[(offset - FILT1) as usize],
            _ => return None,
        }))
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32, _: u32) -> Option<()> {
        let value = value as u8;
        let mut known = true;
        match offset {
            PE1..ME => self.pe[offset as usize] = value,
            ME => {
                // No module wakes.
                self.me = value;
                known = value == 0;
            }
            F1 | F2 => self.flags[(offset - F1) as usize] &= !value,
            F3 => {}
            FILT1 | FILT2 => {
                self.filt[(offset - FILT1) as usize] = value & !FILT_FILTF;
                known = value & 0x60 == 0;
            }
            _ => return None,
        }
        known.then_some(())
    }

    fn reset(&mut self, _: &mut Cx<'_>, reset: Reset) {
        self.armed = false;
        // What woke the chip is still to be read.
        if reset != Reset::Wakeup {
            *self = Llwu::new(self.spec);
        }
    }

    fn irq(&self) -> bool {
        self.flags != [0; 2]
    }

    fn steady(&self, _: u32) -> bool {
        true
    }

    fn powers_down(&mut self, _: &mut Cx<'_>) {
        self.armed = true;
    }

    fn levels_changed(&mut self, cx: &mut Cx<'_>, port: usize, changed: u32) {
        if !self.armed {
            return;
        }
        for (input, pin) in self.spec.inputs.into_iter().enumerate() {
            let Some(pin) = pin.filter(|pin| usize::from(pin.0 / 32) == port && changed >> (pin.0 % 32) & 1 == 1)
            else {
                continue;
            };
            let wakes = match self.edge(input) {
                1 => cx.pins.level(pin),
                2 => !cx.pins.level(pin),
                edge => edge == 3,
            };
            if wakes {
                self.flags[(input / 8) & 1] |= 1 << (input % 8);
                cx.ask(Request::Reset(Reset::Wakeup));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use twinboard_sim::wire::Drive;

    use super::super::peripheral::testing::Bench;
    use super::*;

    const PTD4: PinId = PinId(100);

    fn llwu() -> Llwu {
        let mut inputs = [None; 16];
        inputs[14] = Some(PTD4);
        Llwu::new(LlwuSpec { inputs })
    }

    #[test]
    fn pmprot_is_written_once_and_forbids_what_it_does_not_allow() {
        let (mut bench, mut smc) = (Bench::default(), Smc::default());
        bench.write(&mut smc, smc::PMCTRL, 4);
        assert_eq!(bench.read(&mut smc, smc::PMCTRL), 0);
        bench.write(&mut smc, smc::PMPROT, 0x2A);
        bench.write(&mut smc, smc::PMPROT, 0x00);
        assert_eq!(bench.read(&mut smc, smc::PMPROT), 0x2A);
        bench.write(&mut smc, smc::PMCTRL, 4);
        assert_eq!(bench.read(&mut smc, smc::PMCTRL), 4);
    }

    #[test]
    fn a_deep_sleep_is_a_power_down_only_in_vlls() {
        let (mut bench, mut smc) = (Bench::default(), Smc::default());
        bench.write(&mut smc, smc::PMPROT, 0x2A);
        bench.write(&mut smc, smc::PMCTRL, 2);
        smc.sleeps_deeply(&mut bench.cx());
        assert_eq!(bench.request, None);
        bench.write(&mut smc, smc::PMCTRL, 4);
        smc.sleeps_deeply(&mut bench.cx());
        assert_eq!(bench.request, Some(Request::PowerDown));
    }

    #[test]
    fn an_edge_on_an_enabled_input_wakes_a_chip_that_is_off_and_leaves_its_flag() {
        let (mut bench, mut llwu) = (Bench::default(), llwu());
        // PE4, WUPE14: falling.
        bench.write(&mut llwu, 3, 2 << 4);
        bench.pins.outside(PTD4, Drive::Low);
        llwu.levels_changed(&mut bench.cx(), 3, 1 << 4);
        assert_eq!(bench.request, None, "the chip is on");
        llwu.powers_down(&mut bench.cx());
        bench.pins.outside(PTD4, Drive::High);
        llwu.levels_changed(&mut bench.cx(), 3, 1 << 4);
        assert_eq!(bench.request, None, "a rising edge");
        bench.pins.outside(PTD4, Drive::Low);
        llwu.levels_changed(&mut bench.cx(), 3, 1 << 4);
        assert_eq!(bench.request, Some(Request::Reset(Reset::Wakeup)));
        llwu.reset(&mut bench.cx(), Reset::Wakeup);
        assert_eq!((bench.read(&mut llwu, F2), llwu.irq()), (0x40, true));
        bench.write(&mut llwu, F2, 0x40);
        assert!(!llwu.irq());
    }

    #[test]
    fn ackiso_is_set_by_a_wake_up_until_it_is_acknowledged() {
        let (mut bench, mut pmc) = (Bench::default(), Pmc::default());
        pmc.reset(&mut bench.cx(), Reset::Wakeup);
        assert_eq!(bench.read(&mut pmc, REGSC), 0x0C);
        bench.write(&mut pmc, REGSC, 0x08);
        assert_eq!(bench.read(&mut pmc, REGSC), 0x04);
    }
}
