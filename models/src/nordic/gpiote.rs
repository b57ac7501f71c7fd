//! GPIOTE — GPIO tasks and events (PS chapter "GPIOTE"): channels, each bound to one pin: eight, or four
//! without SET and CLR on the nRF51.
//!
//! In event mode the pin is an input, whatever DIR says, and an edge on it raises IN\[n\]. In task mode the channel takes the pin from the GPIO registers and
//! drives OUTINIT at once; the tasks OUT\[n\], SET\[n\] and CLR\[n\] change it. Every write of CONFIG in task mode
//! applies OUTINIT again. PORT is DETECT of the GPIO block going up.

use super::peripheral::{Cx, Events, Peripheral, Reset, index};

const OUT: u32 = 0x000;
const SET: u32 = 0x030;
const CLR: u32 = 0x060;
const CONFIG: u32 = 0x510;
const CHANNELS: u32 = 8;
/// The fewest channels; a GPIOTE that has no more has no SET and CLR tasks.
const FEWEST: u32 = 4;
const PORT: u32 = 31;

const MODE_EVENT: u32 = 1;
const MODE_TASK: u32 = 3;
const LO_TO_HI: u32 = 1;
const HI_TO_LO: u32 = 2;
const TOGGLE: u32 = 3;

#[derive(Clone, Copy, Default, Debug)]
struct Config(u32);

impl Config {
    fn mode(self) -> u32 {
        self.0 & 3
    }
    fn pin(self) -> u8 {
        (self.0 >> 8 & 0x3F) as u8
    }
    fn polarity(self) -> u32 {
        self.0 >> 16 & 3
    }
    fn outinit(self) -> bool {
        self.0 >> 20 & 1 == 1
    }
}

/// The register machine.
#[derive(Debug)]
pub struct Gpiote {
    events: Events,
    channels: u32,
    config: [Config; CHANNELS as usize],
    detect: bool,
}

impl Gpiote {
    /// A GPIOTE with `channels` channels, 4 or 8.
    #[must_use]
    pub fn new(channels: u32) -> Gpiote {
        let events = Events::new(((1 << channels) - 1) | 1 << PORT);
        Gpiote { events, channels, config: Default::default(), detect: false }
    }

    /// DETECT is now `detect`; its rising edge is the PORT event.
    pub fn set_detect(&mut self, detect: bool) {
        if detect && !self.detect {
            self.events.raise(PORT);
        }
        self.detect = detect;
    }

    fn configure(&mut self, cx: &mut Cx<'_>, n: usize, value: u32) {
        let (old, new) = (self.config[n], Config(value & 0x0013_3F03));
        self.config[n] = new;
        let bound = |config: Config| matches!(config.mode(), MODE_EVENT | MODE_TASK);
        if bound(old) && (!bound(new) || new.pin() != old.pin()) {
            cx.pins.release(cx.now, old.pin());
        }
        match new.mode() {
            MODE_TASK => cx.pins.take(cx.now, new.pin(), new.outinit()),
            MODE_EVENT => cx.pins.listen(cx.now, new.pin()),
            _ => {}
        }
    }
}

impl Peripheral for Gpiote {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(self.config[index(offset, CONFIG, 4, self.channels)?].0)
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        let n = index(offset, CONFIG, 4, self.channels)?;
        self.configure(cx, n, value);
        Some(())
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        let (n, polarity) = if let Some(n) = index(offset, OUT, 4, self.channels) {
            (n, self.config[n].polarity())
        } else if self.channels == FEWEST {
            return None;
        } else if let Some(n) = index(offset, SET, 4, self.channels) {
            (n, LO_TO_HI)
        } else {
            (index(offset, CLR, 4, self.channels)?, HI_TO_LO)
        };
        let config = self.config[n];
        if config.mode() == MODE_TASK {
            let high = match polarity {
                LO_TO_HI => true,
                HI_TO_LO => false,
                TOGGLE => cx.pins.taken(config.pin()) == Some(false),
                _ => return Some(()),
            };
            cx.pins.take(cx.now, config.pin(), high);
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, cx: &mut Cx<'_>, _: Reset) {
        self.events.reset();
        for config in self.config.iter().filter(|config| config.mode() == MODE_TASK) {
            cx.pins.release(cx.now, config.pin());
        }
        self.config = Default::default();
        self.detect = false;
    }

    fn levels_changed(&mut self, cx: &mut Cx<'_>, changed: u64) {
        for (n, config) in self.config.iter().enumerate() {
            if config.mode() == MODE_EVENT && changed >> config.pin() & 1 == 1 {
                let rising = cx.pins.level(cx.now, config.pin());
                if matches!((config.polarity(), rising), (TOGGLE, _) | (LO_TO_HI, true) | (HI_TO_LO, false)) {
                    self.events.raise(n as u32);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;
    use twinboard_sim::wire::{Drive, Signal};

    fn task_config(pin: u32, polarity: u32, outinit: u32) -> u32 {
        MODE_TASK | pin << 8 | polarity << 16 | outinit << 20
    }

    #[test]
    fn every_write_of_config_in_task_mode_applies_outinit() {
        let (mut bench, mut gpiote) = (Bench::default(), Gpiote::new(8));
        gpiote.write(&mut bench.cx(), CONFIG + 4, task_config(28, LO_TO_HI, 0));
        gpiote.task(&mut bench.cx(), SET + 4);
        gpiote.write(&mut bench.cx(), CONFIG + 4, task_config(28, LO_TO_HI, 0));
        let drives: Vec<_> = bench.pins.edges().iter().map(|e| e.signal).collect();
        assert_eq!(drives, [Drive::Low, Drive::High, Drive::Low].map(Signal::Drive));
    }

    #[test]
    fn the_out_task_does_what_polarity_says() {
        for (polarity, expected) in [(LO_TO_HI, [true, true]), (HI_TO_LO, [false, false]), (TOGGLE, [true, false])] {
            let (mut bench, mut gpiote) = (Bench::default(), Gpiote::new(8));
            gpiote.write(&mut bench.cx(), CONFIG, task_config(37, polarity, 0));
            for high in expected {
                gpiote.task(&mut bench.cx(), OUT);
                assert_eq!(bench.pins.level(0, 37), high, "P1.05, polarity {polarity}");
            }
        }
    }

    #[test]
    fn an_edge_of_the_chosen_polarity_raises_in_n() {
        let (mut bench, mut gpiote) = (Bench::default(), Gpiote::new(8));
        gpiote.write(&mut bench.cx(), CONFIG + 8, MODE_EVENT | 14 << 8 | HI_TO_LO << 16);
        for (drive, raised) in [(Drive::High, false), (Drive::Low, true)] {
            bench.pins.outside(14, drive);
            let changed = bench.pins.take_changed();
            gpiote.levels_changed(&mut bench.cx(), changed);
            assert_eq!(gpiote.events.is_set(2), raised);
        }
    }

    #[test]
    fn in_event_mode_the_pin_is_an_input_whatever_dir_says() {
        let (mut bench, mut gpiote) = (Bench::default(), Gpiote::new(8));
        bench.pins.set_cnf(0, 21, super::super::pins::PinCnf(1));
        bench.pins.outside(21, Drive::PullUp);
        assert!(!bench.pins.level(0, 21), "driven low");
        gpiote.write(&mut bench.cx(), CONFIG, MODE_EVENT | 21 << 8 | LO_TO_HI << 16);
        assert!(bench.pins.level(0, 21));
        gpiote.write(&mut bench.cx(), CONFIG, 0);
        assert!(!bench.pins.level(0, 21));
    }

    #[test]
    fn port_is_the_rising_edge_of_detect() {
        let mut gpiote = Gpiote::new(8);
        gpiote.set_detect(true);
        assert!(gpiote.events.is_set(PORT));
        gpiote.events.write(0x17C, 0);
        gpiote.set_detect(true);
        assert!(!gpiote.events.is_set(PORT));
    }
}
