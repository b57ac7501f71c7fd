//! POWER — power supply and reset (PS chapter "POWER"): reset reasons, retained registers, RAM power, System OFF.
//!
//! The supply of a simulated board never sags, so POFWARN never comes.

use super::peripheral::{Cx, NEVER, Request, Reset, index, us};
use super::table::Series;

const CONSTLAT: u32 = 0x078;
const LOWPWR: u32 = 0x07C;

/// All events of this block: POFWARN, and on the nRF52 SLEEPENTER, SLEEPEXIT, USBDETECTED, USBREMOVED, USBPWRRDY.
#[must_use]
pub fn event_mask(series: Series) -> u32 {
    match series {
        Series::Nrf51 => 1 << 2,
        Series::Nrf52 => 1 << 2 | 0x1F << 5,
    }
}

/// Events of the USB supply.
const USBDETECTED: u32 = 7;
const USBREMOVED: u32 = 8;
const USBPWRRDY: u32 = 9;

/// From VBUS to the output of its regulator, in cycles. The PS gives no figure.
const T_USBPWRRDY: u64 = us(1_000);

const RESETREAS: u32 = 0x400;
const RAMSTATUS: u32 = 0x428;
const USBREGSTATUS: u32 = 0x438;
const SYSTEMOFF: u32 = 0x500;
const POFCON: u32 = 0x510;
const GPREGRET: u32 = 0x51C;
const GPREGRET2: u32 = 0x520;
const DCDCEN: u32 = 0x578;
const MAINREGSTATUS: u32 = 0x640;
const RAM_POWER: u32 = 0x900;
const RAM_POWERSET: u32 = 0x904;
const RAM_POWERCLR: u32 = 0x908;
const RAM_STRIDE: u32 = 0x10;
const RAM_BLOCKS: u32 = 9;
// nRF51 only.
const RAMON: u32 = 0x524;
const RESET: u32 = 0x544;
const RAMONB: u32 = 0x554;
const DCDCFORCE: u32 = 0xA08;

/// The register machine.
#[derive(Debug)]
pub struct Power {
    series: Series,
    resetreas: u32,
    gpregret: [u32; 2],
    pofcon: u32,
    dcdcen: u32,
    ram: [u32; RAM_BLOCKS as usize],
    /// nRF51: RAMON and RAMONB, RESET, DCDCFORCE.
    ramon: [u32; 2],
    reset: u32,
    dcdcforce: u32,
    /// VBUS is there; when its regulator's output is ready.
    vbus: bool,
    usbpwrrdy_due: u64,
    usbpwrrdy: bool,
}

impl Power {
    /// The power control of a chip of `series` at power-on.
    #[must_use]
    pub fn new(series: Series) -> Power {
        Power {
            series,
            resetreas: 0,
            gpregret: [0; 2],
            pofcon: 0,
            dcdcen: 0,
            ram: [0xFFFF; RAM_BLOCKS as usize],
            ramon: [3; 2],
            reset: 0,
            dcdcforce: 0,
            vbus: false,
            usbpwrrdy_due: NEVER,
            usbpwrrdy: false,
        }
    }

    /// Whether VBUS is there.
    #[must_use]
    pub fn vbus(&self) -> bool {
        self.vbus
    }

    /// VBUS comes or goes at `now`; which events happen.
    pub fn set_vbus(&mut self, now: u64, present: bool) -> u32 {
        if std::mem::replace(&mut self.vbus, present) == present {
            return 0;
        }
        self.usbpwrrdy = false;
        self.usbpwrrdy_due = if present { now + T_USBPWRRDY } else { NEVER };
        1 << if present { USBDETECTED } else { USBREMOVED }
    }

    /// When something happens next.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.usbpwrrdy_due
    }

    /// What is due at `now`; which events happen.
    pub fn run(&mut self, now: u64) -> u32 {
        if self.usbpwrrdy_due > now {
            return 0;
        }
        self.usbpwrrdy_due = NEVER;
        self.usbpwrrdy = true;
        1 << USBPWRRDY
    }

    /// RESET: a pin resets the chip also while a probe is connected (nRF51).
    #[must_use]
    pub fn pin_resets_in_debug(&self) -> bool {
        self.reset == 1
    }

    /// Whether this chip has what others have at `offset`.
    fn exists(&self, offset: u32) -> bool {
        match offset {
            RAMON | RESET | RAMONB | DCDCFORCE => self.series == Series::Nrf51,
            USBREGSTATUS | MAINREGSTATUS | GPREGRET2 => self.series == Series::Nrf52,
            _ => self.series == Series::Nrf52 || ram_block(offset).is_none(),
        }
    }

    /// Reads a register of POWER.
    #[must_use]
    pub fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            _ if !self.exists(offset) => return None,
            RAMON => self.ramon[0],
            RAMONB => self.ramon[1],
            RESET => self.reset,
            DCDCFORCE => self.dcdcforce,
            RESETREAS => self.resetreas,
            // Two blocks on the nRF51822, four bits that are always 1 on the nRF52.
            RAMSTATUS if self.series == Series::Nrf51 => self.ramon[0] & 3,
            RAMSTATUS => 0xF,
            USBREGSTATUS => u32::from(self.vbus) | u32::from(self.usbpwrrdy) << 1,
            MAINREGSTATUS | SYSTEMOFF => 0,
            POFCON => self.pofcon,
            GPREGRET => self.gpregret[0],
            GPREGRET2 => self.gpregret[1],
            DCDCEN => self.dcdcen,
            _ => self.ram[ram_block(offset)?],
        })
    }

    /// Writes a register of POWER.
    pub fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        match offset {
            _ if !self.exists(offset) => return None,
            RAMON => self.ramon[0] = value & 0x3_0003,
            RAMONB => self.ramon[1] = value & 0x3_0003,
            RESET => self.reset = value & 1,
            DCDCFORCE => self.dcdcforce = value & 3,
            RESETREAS => self.resetreas &= !value,
            SYSTEMOFF if value & 1 == 1 => cx.ask(Request::SystemOff),
            POFCON => self.pofcon = value & 0xF1F,
            GPREGRET => self.gpregret[0] = value & 0xFF,
            GPREGRET2 => self.gpregret[1] = value & 0xFF,
            DCDCEN => self.dcdcen = value & 1,
            RAMSTATUS | USBREGSTATUS | MAINREGSTATUS | SYSTEMOFF => {}
            _ => {
                let ram = &mut self.ram[ram_block(offset)?];
                match offset & 0xF {
                    0x0 => *ram = value,
                    0x4 => *ram |= value,
                    _ => *ram &= !value,
                }
            }
        }
        Some(())
    }

    /// Triggers a task of POWER. Both only choose between latency and current.
    pub fn task(&mut self, offset: u32) -> Option<()> {
        matches!(offset, CONSTLAT | LOWPWR).then_some(())
    }

    /// Notes the reason of a reset and forgets what does not outlive it.
    pub fn reset(&mut self, reset: Reset) {
        let Power { series, resetreas, gpregret, vbus, usbpwrrdy, usbpwrrdy_due, .. } = *self;
        // The supply is not the chip's to reset.
        *self = Power { vbus, usbpwrrdy, usbpwrrdy_due, ..Power::new(series) };
        if !self.series.clears_retained(reset) {
            self.gpregret = gpregret;
        }
        self.resetreas = match reset {
            Reset::PowerOn => 0,
            Reset::Pin => resetreas | 1 << 0,
            Reset::Watchdog => resetreas | 1 << 1,
            Reset::Soft => resetreas | 1 << 2,
            Reset::Lockup => resetreas | 1 << 3,
            Reset::SystemOff => resetreas | 1 << 16,
            Reset::Vbus => resetreas | 1 << 20,
        };
    }
}

fn ram_block(offset: u32) -> Option<usize> {
    [RAM_POWER, RAM_POWERSET, RAM_POWERCLR].into_iter().find_map(|base| index(offset, base, RAM_STRIDE, RAM_BLOCKS))
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    #[test]
    fn reset_reasons_add_up_until_they_are_cleared_by_writing_1() {
        let (mut bench, mut power) = (Bench::default(), Power::new(Series::Nrf52));
        power.reset(Reset::Pin);
        power.reset(Reset::Soft);
        assert_eq!(power.read(RESETREAS), Some(0b101));
        power.write(&mut bench.cx(), RESETREAS, 0b100);
        assert_eq!(power.read(RESETREAS), Some(0b001));
        power.reset(Reset::PowerOn);
        assert_eq!(power.read(RESETREAS), Some(0), "power-on leaves none");
    }

    #[test]
    fn gpregret_outlives_a_soft_reset_and_not_a_pin_reset() {
        let (mut bench, mut power) = (Bench::default(), Power::new(Series::Nrf52));
        power.write(&mut bench.cx(), GPREGRET, 0x1B1);
        power.reset(Reset::Soft);
        assert_eq!(power.read(GPREGRET), Some(0xB1));
        power.reset(Reset::Pin);
        assert_eq!(power.read(GPREGRET), Some(0));
    }

    #[test]
    fn ram_sections_are_switched_by_set_and_clear_registers() {
        let (mut bench, mut power) = (Bench::default(), Power::new(Series::Nrf52));
        power.write(&mut bench.cx(), 0x918, 0x3);
        assert_eq!(power.read(0x910), Some(0xFFFC));
        power.write(&mut bench.cx(), 0x914, 0x1);
        assert_eq!(power.read(0x910), Some(0xFFFD));
        assert_eq!(power.read(0x990), None, "there are nine blocks");
    }

    #[test]
    fn ramon_of_the_nrf51_is_on_at_reset_and_there_is_no_second_retained_register() {
        // Appendix A, POWER: RAMON and RAMONB reset to 3.
        let (mut bench, mut power) = (Bench::default(), Power::new(Series::Nrf51));
        assert_eq!([RAMON, RAMONB, RESET].map(|offset| power.read(offset)), [Some(3), Some(3), Some(0)]);
        power.write(&mut bench.cx(), RAMON, 0x3_0003);
        assert_eq!(power.read(RAMON), Some(0x3_0003));
        assert_eq!([GPREGRET2, RAM_POWER, MAINREGSTATUS].map(|offset| power.read(offset)), [None; 3]);
        assert_eq!(Power::new(Series::Nrf52).read(RAMON), None);
    }

    #[test]
    fn gpregret_of_the_nrf51_outlives_all_but_power_on() {
        // Reset table: SYSRESETREQ keeps it; pin and watchdog reset CPU, peripherals, GPIO and debug.
        let (mut bench, mut power) = (Bench::default(), Power::new(Series::Nrf51));
        power.write(&mut bench.cx(), GPREGRET, 0xB1);
        for reset in [Reset::Soft, Reset::Lockup, Reset::Watchdog, Reset::Pin] {
            power.reset(reset);
            assert_eq!(power.read(GPREGRET), Some(0xB1), "{reset:?}");
        }
        assert_eq!(power.read(RESETREAS), Some(0b1111));
        power.reset(Reset::PowerOn);
        assert_eq!((power.read(GPREGRET), power.read(RESETREAS)), (Some(0), Some(0)));
    }

    #[test]
    fn systemoff_asks_the_chip() {
        let (mut bench, mut power) = (Bench::default(), Power::new(Series::Nrf52));
        power.write(&mut bench.cx(), SYSTEMOFF, 1);
        assert_eq!(bench.request, Some(Request::SystemOff));
    }
}
