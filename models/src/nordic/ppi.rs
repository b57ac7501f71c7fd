//! PPI — programmable peripheral interconnect (PS chapter "PPI"): events trigger tasks without the CPU.
//!
//! A channel joins the event whose address is in EEP with the task whose address is in TEP, and with a second one in
//! FORK. The upper twelve channels are fixed. Groups switch several channels at once, also by tasks.

use super::peripheral::{Cx, Events, Peripheral, Reset, index};
use super::table::{Channels, Series};

const CHEN: u32 = 0x500;
const CHENSET: u32 = 0x504;
const CHENCLR: u32 = 0x508;
const CH: u32 = 0x510;
const CHG: u32 = 0x800;
const FORK: u32 = 0x910;

/// The first channel whose ends are fixed.
const FIRST_FIXED: u32 = 20;
const CHANNELS: u32 = 32;
/// The most groups that there are.
const GROUPS: u32 = 6;

const RADIO: u32 = 0x4000_1000;
const TIMER0: u32 = 0x4000_8000;
const RTC0: u32 = 0x4000_B000;
const CCM_AAR: u32 = 0x4000_F000;

/// The fixed channels 20 to 31: event, task.
const FIXED: [(u32, u32); 12] = [
    (TIMER0 + 0x140, RADIO),          // COMPARE[0] → TXEN
    (TIMER0 + 0x140, RADIO + 0x004),  // COMPARE[0] → RXEN
    (TIMER0 + 0x144, RADIO + 0x010),  // COMPARE[1] → DISABLE
    (RADIO + 0x128, CCM_AAR),         // BCMATCH → AAR START
    (RADIO + 0x100, CCM_AAR),         // READY → CCM KSGEN
    (RADIO + 0x104, CCM_AAR + 0x004), // ADDRESS → CCM CRYPT
    (RADIO + 0x104, TIMER0 + 0x044),  // ADDRESS → CAPTURE[1]
    (RADIO + 0x10C, TIMER0 + 0x048),  // END → CAPTURE[2]
    (RTC0 + 0x140, RADIO),            // COMPARE[0] → TXEN
    (RTC0 + 0x140, RADIO + 0x004),    // COMPARE[0] → RXEN
    (RTC0 + 0x140, TIMER0 + 0x00C),   // COMPARE[0] → CLEAR
    (RTC0 + 0x140, TIMER0),           // COMPARE[0] → START
];

/// The register machine.
#[derive(Debug)]
pub struct Ppi {
    events: Events,
    has: Channels,
    /// FORK is there.
    forks: bool,
    chen: u32,
    eep: [u32; CHANNELS as usize],
    tep: [u32; CHANNELS as usize],
    fork: [u32; CHANNELS as usize],
    chg: [u32; GROUPS as usize],
    rewired: bool,
}

impl Ppi {
    /// The PPI of a chip of `series` that has so many channels.
    #[must_use]
    pub fn new(series: Series, has: Channels) -> Ppi {
        let mut ppi = Ppi {
            events: Events::default(),
            has,
            forks: series == Series::Nrf52,
            chen: 0,
            eep: [0; CHANNELS as usize],
            tep: [0; CHANNELS as usize],
            fork: [0; CHANNELS as usize],
            chg: [0; GROUPS as usize],
            rewired: false,
        };
        for (n, (eep, tep)) in (FIRST_FIXED as usize..).zip(FIXED) {
            (ppi.eep[n], ppi.tep[n]) = (eep, tep);
        }
        ppi
    }

    /// The channels that there are, as a mask.
    fn present(&self) -> u32 {
        u32::MAX << FIRST_FIXED | ((1 << self.has.ppi) - 1)
    }

    fn fork(&mut self, offset: u32) -> Option<&mut u32> {
        let n = index(offset, FORK, 4, CHANNELS).filter(|_| self.forks)?;
        Some(&mut self.fork[n])
    }

    /// The enabled channels that the event at `address` drives, as a mask.
    #[must_use]
    pub fn channels(&self, address: u32) -> u32 {
        bits(self.chen).filter(|&n| self.eep[n as usize] == address).fold(0, |mask, n| mask | 1 << n)
    }

    /// The enabled channels.
    pub fn enabled(&self) -> impl Iterator<Item = u32> + use<> {
        bits(self.chen)
    }

    /// The address of the event that drives `channel`: EEP.
    #[must_use]
    pub fn event(&self, channel: u32) -> u32 {
        self.eep[channel as usize & 31]
    }

    /// The addresses of the tasks at the end of `channel`: TEP and FORK.
    #[must_use]
    pub fn tasks(&self, channel: u32) -> [u32; 2] {
        [self.tep[channel as usize & 31], self.fork[channel as usize & 31]]
    }

    /// Whether the set of listened events may have changed since the last call.
    pub fn take_rewired(&mut self) -> bool {
        std::mem::take(&mut self.rewired)
    }
}

/// The numbers of the bits that are set in `mask`, lowest first.
pub fn bits(mut mask: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let n = (mask != 0).then(|| mask.trailing_zeros())?;
        mask &= mask - 1;
        Some(n)
    })
}

impl Peripheral for Ppi {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        if let CHEN | CHENSET | CHENCLR = offset {
            return Some(self.chen);
        }
        if let Some(n) = index(offset, CH, 4, 2 * self.has.ppi) {
            return Some(if n % 2 == 0 { self.eep[n / 2] } else { self.tep[n / 2] });
        }
        if let Some(n) = index(offset, CHG, 4, self.has.groups) {
            return Some(self.chg[n]);
        }
        self.fork(offset).map(|fork| *fork)
    }

    fn write(&mut self, _: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        match offset {
            CHEN => self.chen = value & self.present(),
            CHENSET => self.chen |= value & self.present(),
            CHENCLR => self.chen &= !value,
            _ => {
                if let Some(n) = index(offset, CH, 4, 2 * self.has.ppi) {
                    *(if n % 2 == 0 { &mut self.eep[n / 2] } else { &mut self.tep[n / 2] }) = value;
                } else if let Some(n) = index(offset, CHG, 4, self.has.groups) {
                    self.chg[n] = value;
                } else {
                    *self.fork(offset)? = value;
                }
            }
        }
        self.rewired = true;
        Some(())
    }

    fn task(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<()> {
        let n = index(offset, 0, 4, 2 * self.has.groups)?;
        let group = self.chg[n / 2];
        if n % 2 == 0 {
            self.chen |= group & self.present()
        } else {
            self.chen &= !group
        }
        self.rewired = true;
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        let series = if self.forks { Series::Nrf52 } else { Series::Nrf51 };
        *self = Ppi { rewired: true, ..Ppi::new(series, self.has) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    #[test]
    fn an_event_drives_every_enabled_channel_that_names_it() {
        let (mut bench, mut ppi) =
            (Bench::default(), Ppi::new(Series::Nrf52, Channels { gpiote: 8, ppi: 20, groups: 6 }));
        for n in [0, 3] {
            ppi.write(&mut bench.cx(), CH + 8 * n, TIMER0 + 0x140);
            ppi.write(&mut bench.cx(), CH + 8 * n + 4, 0x4000_6000 + 4 * n);
        }
        assert_eq!(ppi.channels(TIMER0 + 0x140), 0);
        ppi.write(&mut bench.cx(), CHENSET, 0b1001 | 1 << 20);
        assert_eq!(ppi.channels(TIMER0 + 0x140), 0b1001 | 1 << 20, "channel 20 is fixed to COMPARE[0]");
        assert_eq!(ppi.tasks(3), [0x4000_600C, 0]);
    }

    #[test]
    fn group_tasks_switch_their_channels() {
        let (mut bench, mut ppi) =
            (Bench::default(), Ppi::new(Series::Nrf52, Channels { gpiote: 8, ppi: 20, groups: 6 }));
        ppi.write(&mut bench.cx(), CHG + 4, 0b110);
        ppi.task(&mut bench.cx(), 0x008); // CHG[1].EN
        assert_eq!(ppi.read(&mut bench.cx(), CHEN), Some(0b110));
        ppi.task(&mut bench.cx(), 0x00C); // CHG[1].DIS
        assert_eq!(ppi.read(&mut bench.cx(), CHEN), Some(0));
    }

    #[test]
    fn the_ends_of_fixed_channels_are_not_registers_but_their_forks_are() {
        let (mut bench, mut ppi) =
            (Bench::default(), Ppi::new(Series::Nrf52, Channels { gpiote: 8, ppi: 20, groups: 6 }));
        assert_eq!(ppi.write(&mut bench.cx(), CH + 8 * 20, 1), None);
        assert_eq!(ppi.write(&mut bench.cx(), FORK + 4 * 31, 7), Some(()));
    }
}
