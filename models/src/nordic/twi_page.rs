//! The page that TWIM and TWIS share, with their registers: ENABLE chooses. Its other personalities (SPI, SPIM, SPIS, TWI)
//! keep their registers and do nothing.

use twinboard_sim::wire::I2cSignal;

use super::clock::LfClk;
use super::inert::InertSpec;
use super::peripheral::{Cx, Events, Peripheral, Psel, Reset};
use super::twim::Twim;
use super::twis::{self, Twis};

const ENABLE: u32 = 0x500;
const PSEL_SDA: u32 = 0x50C;
const ENABLED_TWIS: u32 = 9;

/// The page.
#[derive(Debug)]
pub struct TwiPage {
    /// The master has the page's registers.
    twim: Twim,
    twis: Twis,
}

impl TwiPage {
    /// A page with these registers.
    #[must_use]
    pub fn new(spec: InertSpec) -> TwiPage {
        TwiPage { twim: Twim::new(spec), twis: Twis::default() }
    }

    fn is_slave(&self) -> bool {
        self.twim.registers.get(ENABLE) == ENABLED_TWIS
    }
}

impl Peripheral for TwiPage {
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        self.twim.read(cx, offset)
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        match offset {
            twis::ERRORSRC => {
                let left = self.twim.registers.get(offset) & !value;
                self.twim.registers.set(offset, left);
                return Some(());
            }
            twis::MATCH => return Some(()),
            ENABLE if self.is_slave() && value != ENABLED_TWIS => self.twis.leave(cx, &self.twim.registers),
            _ => {}
        }
        self.twim.write(cx, offset, value)
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        if self.is_slave() { self.twis.task(cx, &mut self.twim.registers, offset) } else { self.twim.task(cx, offset) }
    }

    fn events(&mut self) -> &mut Events {
        self.twim.events()
    }

    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset) {
        self.twis.leave(cx, &self.twim.registers);
        self.twim.reset(cx, reset);
    }

    fn next(&self, lfclk: &LfClk) -> u64 {
        self.twim.next(lfclk).min(self.twis.next())
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.twim.run(cx);
        self.twis.run(cx, &mut self.twim.registers);
    }

    fn i2c(&mut self, cx: &mut Cx<'_>, pin: u8, step: I2cSignal) {
        if !self.is_slave() {
            self.twim.i2c(cx, pin, step);
        } else if Psel(self.twim.registers.get(PSEL_SDA)).pin() == Some(pin) {
            self.twis.hear(cx, &mut self.twim.registers, step);
        }
    }
}
