//! A page that SPI, TWI and (with number 1) SPIS of the nRF51 share: ENABLE chooses which of them lives. SPIS is
//! registers only.

use super::clock::LfClk;
use super::inert::{Inert, InertSpec};
use super::peripheral::{Cx, Events, Peripheral, Reset};
use super::spi::Spi;
use super::twi::Twi;

const ERRORSRC: u32 = 0x4C4;
const ENABLE: u32 = 0x500;
const RXD: u32 = 0x518;
const TXD: u32 = 0x51C;

const ENABLED_SPI: u32 = 1;
const ENABLED_TWI: u32 = 5;

/// The register machine.
#[derive(Debug)]
pub struct SpiTwi {
    registers: Inert,
    spi: Spi,
    twi: Twi,
}

impl SpiTwi {
    /// A page with these registers.
    #[must_use]
    pub fn new(spec: InertSpec) -> SpiTwi {
        SpiTwi { registers: Inert::new(spec), spi: Spi::default(), twi: Twi::default() }
    }

    fn enabled(&self) -> u32 {
        self.registers.get(ENABLE) & 7
    }
}

impl Peripheral for SpiTwi {
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        match (offset, self.enabled()) {
            (RXD, ENABLED_SPI) => Some(self.spi.read_rxd(&mut self.registers)),
            (RXD, ENABLED_TWI) => Some(self.twi.read_rxd(&self.registers, cx.now)),
            _ => self.registers.read(cx, offset),
        }
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        match (offset, self.enabled()) {
            (ERRORSRC, _) => self.registers.set(ERRORSRC, self.registers.get(ERRORSRC) & !value),
            (TXD, ENABLED_SPI) => self.spi.write_txd(&self.registers, cx.now),
            (TXD, ENABLED_TWI) => self.twi.write_txd(&self.registers, cx.now, value as u8),
            (ENABLE, before) => {
                self.registers.set(ENABLE, value & 7);
                if value & 7 != before {
                    (self.spi, self.twi) = (Spi::default(), Twi::default());
                }
            }
            _ => return self.registers.write(cx, offset, value),
        }
        Some(())
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        if self.enabled() == ENABLED_TWI { self.twi.task(&self.registers, cx.now, offset) } else { None }
    }

    fn events(&mut self) -> &mut Events {
        self.registers.events()
    }

    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset) {
        self.registers.reset(cx, reset);
        (self.spi, self.twi) = (Spi::default(), Twi::default());
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.spi.next().min(self.twi.next())
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.spi.run(&mut self.registers, cx);
        self.twi.run(&mut self.registers, cx);
    }

    fn steady(&self, offset: u32) -> bool {
        offset != RXD
    }
}

#[cfg(test)]
#[path = "spi_twi_tests.rs"]
mod tests;
