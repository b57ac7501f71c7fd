//! SIM — system integration module (reference manual, chapter of that name): clock gates and dividers, choices of clock
//! sources, what the chip is, and the COP.

use twinboard_sim::bus::Size;
use twinboard_sim::time::Time;

use super::clock::{Clocks, Rate, Sources};
use super::cop::Cop;
use super::peripheral::{Cx, Peripheral, Request, Reset, merged};

const SOPT1: u32 = 0x0000;
const SOPT1CFG: u32 = 0x0004;
const SOPT2: u32 = 0x1004;
const SOPT4: u32 = 0x100C;
const SOPT5: u32 = 0x1010;
const SOPT7: u32 = 0x1018;
const SDID: u32 = 0x1024;
const SCGC4: u32 = 0x1034;
const SCGC7: u32 = 0x1040;
const CLKDIV1: u32 = 0x1044;
const FCFG1: u32 = 0x104C;
const FCFG2: u32 = 0x1050;
const UIDMH: u32 = 0x1058;
const UIDML: u32 = 0x105C;
const UIDL: u32 = 0x1060;
const COPC: u32 = 0x1100;
const SRVCOP: u32 = 0x1104;

/// FOPT\[LPBOOT\], bits 4 and 0: the divider of the core clock after reset.
const FOPT: u32 = 0x40D;
/// FCFG1\[FLASHDIS, FLASHDOZE\].
const FCFG1_BITS: u32 = 0b11;
/// SOPT1CFG\[URWE, UVSWE, USSWE\].
const SOPT1CFG_BITS: u32 = 0b111 << 24;

/// What differs from chip to chip.
#[derive(Clone, Copy, Debug)]
pub struct SimSpec {
    /// SDID.
    pub sdid: u32,
    /// FCFG1 and FCFG2: sizes.
    pub fcfg: [u32; 2],
    /// Writable bits of SOPT1, SOPT2, SOPT4, SOPT5, SOPT7.
    pub sopt: [u32; 5],
    /// SCGC4 to SCGC7: writable bits, and values after reset.
    pub scgc: [(u32, u32); 4],
}

/// The register machine.
#[derive(Debug)]
pub struct Sim {
    spec: SimSpec,
    uid: [u32; 3],
    sopt1: u32,
    sopt1cfg: u32,
    sopt: [u32; 4],
    scgc: [u32; 4],
    clkdiv1: u32,
    fcfg1: u32,
    cop: Cop,
}

impl Sim {
    /// The SIM of a chip whose unique id is `uid`: UIDMH, UIDML, UIDL.
    #[must_use]
    pub fn new(spec: SimSpec, uid: [u32; 3]) -> Sim {
        Sim {
            spec,
            uid: [uid[0] & 0xFFFF, uid[1], uid[2]],
            sopt1: 0,
            sopt1cfg: 0,
            sopt: [0; 4],
            scgc: spec.scgc.map(|(_, reset)| reset),
            clkdiv1: 0,
            fcfg1: 0,
            cop: Cop::new(Time::ZERO, Rate::LPO),
        }
    }

    /// SOPT2.
    #[must_use]
    pub fn sopt2(&self) -> u32 {
        self.sopt[0]
    }

    /// Stops the COP, or starts it as a reset does.
    pub fn run_cop(&mut self, now: Time, bus: Rate, runs: bool) {
        self.cop = Cop::new(now, bus);
        if !runs {
            self.cop.stop();
        }
    }

    /// Whether the clock gate `bit` of SCGC`register` (4 to 7) is open.
    #[inline]
    #[must_use]
    pub fn open(&self, register: u8, bit: u8) -> bool {
        self.scgc[usize::from(register - 4) & 3] >> bit & 1 == 1
    }

    /// What the dividers make of the generator's clocks.
    #[must_use]
    pub fn clocks(&self, sources: Sources) -> Clocks {
        let core = sources.out.divided((self.clkdiv1 >> 28) + 1);
        // OSC32KSEL: the system oscillator, if its crystal is such a one; RTC_CLKIN, where nobody brings a clock; the LPO.
        let erclk32k = match self.sopt1 >> 18 & 3 {
            0 => sources.external.filter(|rate| *rate == Rate::hz(32_768)),
            3 => Some(Rate::LPO),
            _ => None,
        };
        Clocks { sources, core, bus: core.divided((self.clkdiv1 >> 16 & 7) + 1), erclk32k }
    }
}

impl Peripheral for Sim {
    fn width(&self) -> Size {
        Size::Word
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(match offset {
            SOPT1 => self.sopt1,
            SOPT1CFG => self.sopt1cfg,
            SOPT2 => self.sopt[0],
            SOPT4 => self.sopt[1],
            SOPT5 => self.sopt[2],
            SOPT7 => self.sopt[3],
            SDID => self.spec.sdid,
            SCGC4..=SCGC7 => self.scgc[(offset - SCGC4) as usize / 4],
            CLKDIV1 => self.clkdiv1,
            FCFG1 => self.spec.fcfg[0] | self.fcfg1,
            FCFG2 => self.spec.fcfg[1],
            UIDMH => self.uid[0],
            UIDML => self.uid[1],
            UIDL => self.uid[2],
            COPC => self.cop.copc(),
            SRVCOP => 0,
            _ => return None,
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, lanes: u32) -> Option<()> {
        let keep = |old: &mut u32, bits: u32| *old = merged(*old, value, lanes & bits);
        let sopt = self.spec.sopt;
        match offset {
            SOPT1 => {
                // USBREGEN, USBSSTBY and USBVSTBY change only after SOPT1CFG has allowed it, once.
                let allowed = [(24, 31), (25, 29), (26, 30)]
                    .into_iter()
                    .filter(|(allow, _)| self.sopt1cfg >> allow & 1 == 1)
                    .fold(0, |bits, (_, bit)| bits | 1 << bit);
                keep(&mut self.sopt1, sopt[0] & !(0b111 << 29) | allowed);
                self.sopt1cfg = 0;
            }
            SOPT1CFG => keep(&mut self.sopt1cfg, SOPT1CFG_BITS),
            SOPT2 => keep(&mut self.sopt[0], sopt[1]),
            SOPT4 => keep(&mut self.sopt[1], sopt[2]),
            SOPT5 => keep(&mut self.sopt[2], sopt[3]),
            SOPT7 => keep(&mut self.sopt[3], sopt[4]),
            SCGC4..=SCGC7 => {
                let index = (offset - SCGC4) as usize / 4;
                keep(&mut self.scgc[index], self.spec.scgc[index].0);
            }
            CLKDIV1 => keep(&mut self.clkdiv1, 0xF007_0000),
            FCFG1 => keep(&mut self.fcfg1, FCFG1_BITS),
            COPC => self.cop.write_copc(cx.now, cx.clocks.bus, value & lanes),
            SRVCOP => {
                if self.cop.service(cx.now, cx.clocks.bus, value & 0xFF).is_err() {
                    cx.ask(Request::Reset(Reset::Watchdog));
                }
            }
            SDID | FCFG2 | UIDMH | UIDML | UIDL => {}
            _ => return None,
        }
        Some(())
    }

    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset) {
        if reset.is_of_supply() {
            (self.sopt1, self.sopt1cfg) = (1 << 31, 0);
        }
        self.sopt = [0; 4];
        self.scgc = self.spec.scgc.map(|(_, reset)| reset);
        self.fcfg1 = 0;
        let fopt = cx.memory.read(FOPT, Size::Byte).unwrap_or(0xFF);
        // OUTDIV1 is 7, 3, 1 or 0: the core clock divided by 8, 4, 2 or 1.
        let divider = [7, 3, 1, 0][(fopt >> 3 & 2 | fopt & 1) as usize];
        self.clkdiv1 = divider << 28 | 1 << 16;
        self.cop = Cop::new(cx.now, cx.clocks.bus);
    }

    fn next(&self) -> Time {
        self.cop.expires()
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.cop.expires() <= cx.now {
            self.cop.stop();
            cx.ask(Request::Reset(Reset::Watchdog));
        }
    }

    fn steady(&self, _: u32) -> bool {
        true
    }

    fn core_halted(&mut self, cx: &mut Cx<'_>, halted: bool) {
        self.cop.set_halted(cx.now, halted);
    }
}
