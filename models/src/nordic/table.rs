//! How a chip of the family is described: a table of what it has, and the options of one specimen.

use twinboard_sim::cpu::arm::CoreConfig;

use super::adc::Adc;
use super::ccm_aar::CcmAar;
use super::clock::Crystals;
use super::comp::{Comp, CompSpec};
use super::ecb::Ecb;
use super::egu::Egu;
use super::inert::{Inert, InertSpec};
use super::nvmc::FlashSpec;
use super::peripheral::{Peripheral, Reset};
use super::pwm::Pwm;
use super::radio::Radio;
use super::radio::registers::RadioSpec;
use super::rng::Rng;
use super::rtc::Rtc;
use super::saadc::Saadc;
use super::spi_twi::SpiTwi;
use super::temp::Temp;
use super::timer::{Timer, TimerSpec};
use super::twi_page::TwiPage;
use super::uarte::Uarte;
use super::usbd::Usbd;
use super::wdt::Wdt;
use crate::debug::table::DapTable;
use crate::image::{BlockIds, Start};
use crate::parts::world::SharedWorld;

/// A generation of the family: the registers of the blocks that all its chips share (CLOCK, POWER, NVMC, GPIO, GPIOTE,
/// PPI) and the reach of its resets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Series {
    /// Cortex-M0, 16 MHz.
    Nrf51,
    /// Cortex-M4, 64 MHz.
    Nrf52,
}

impl Series {
    /// Whether `reset` reaches the core's debug components.
    #[must_use]
    pub fn resets_debug(self, reset: Reset) -> bool {
        match self {
            Series::Nrf51 => matches!(reset, Reset::PowerOn | Reset::Pin),
            Series::Nrf52 => matches!(reset, Reset::PowerOn | Reset::Pin | Reset::Watchdog),
        }
    }

    /// Whether `reset` clears GPREGRET.
    #[must_use]
    pub fn clears_retained(self, reset: Reset) -> bool {
        match self {
            Series::Nrf51 => reset == Reset::PowerOn,
            Series::Nrf52 => matches!(reset, Reset::PowerOn | Reset::Pin | Reset::Watchdog),
        }
    }
}

/// How a chip is reset by a pin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetPin {
    /// A pin of P0 or P1 that UICR.PSELRESET can make nRESET.
    Selected(u8),
    /// SWDIO is nRESET too, until a probe talks on it; then only while POWER.RESET says so.
    Swdio,
}

/// How a chip is closed to debuggers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    /// UICR.APPROTECT closes the memory access port; CTRL-AP opens it again.
    ApProtect,
    /// UICR.RBPCONF closes everything behind the access port besides NVMC, POWER.RESET and the core's own registers.
    Rbpconf,
}

/// Channels of the GPIOTE and the PPI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Channels {
    /// Channels of the GPIOTE, at most 8.
    pub gpiote: u32,
    /// PPI channels whose ends can be chosen, at most 20. Channels 20 to 31 are fixed.
    pub ppi: u32,
    /// PPI channel groups, at most 6.
    pub groups: u32,
}

/// A chip of the family.
#[derive(Debug)]
pub struct ChipTable {
    /// Its name in reports.
    pub name: &'static str,
    /// Its generation.
    pub series: Series,
    /// Its core.
    pub core: fn() -> CoreConfig,
    /// The core's clock is 64 MHz divided by 2 to this power.
    pub core_divider: u32,
    /// Its debug port.
    pub dap: &'static DapTable,
    /// Bytes of RAM at 0x2000_0000.
    pub ram: u32,
    /// Where code in RAM is fetched from, besides its data address.
    pub code_ram: Option<u32>,
    /// Its flash.
    pub flash: FlashSpec,
    /// Pins of P0 and P1.
    pub ports: [u8; 2],
    /// Which part of a Universal Hex is for it: the ids of the boards that carry it.
    pub block_ids: BlockIds,
    /// How a pin resets it.
    pub reset_pin: ResetPin,
    /// How it is closed to debuggers.
    pub protection: Protection,
    /// Channels of the GPIOTE and the PPI.
    pub channels: Channels,
    /// FICR words that all specimens share: offset, value.
    pub ficr: &'static [(u32, u32)],
    /// All peripherals besides CLOCK, POWER, NVMC, PPI, GPIO and GPIOTE.
    pub peripherals: &'static [PeripheralEntry],
    /// Addresses without a documented meaning that official code uses; they keep what is written.
    pub undocumented: &'static [u32],
}

impl ChipTable {
    /// Pins, numbered through both ports.
    #[must_use]
    pub fn pins(&self) -> usize {
        if self.ports[1] > 0 { 32 + usize::from(self.ports[1]) } else { self.ports[0].into() }
    }
}

/// One page of the peripheral bus.
#[derive(Clone, Copy, Debug)]
pub struct PeripheralEntry {
    /// Its name as in the manual.
    pub name: &'static str,
    /// Its id: page number on the bus and interrupt number.
    pub id: u8,
    /// What it is.
    pub kind: PeripheralKind,
    /// It looks at pins.
    pub watches_pins: bool,
    /// It has the register POWER at 0xFFC (nRF51).
    pub has_power: bool,
}

impl PeripheralEntry {
    /// A peripheral that looks at no pins.
    #[must_use]
    pub const fn new(name: &'static str, id: u8, kind: PeripheralKind) -> PeripheralEntry {
        PeripheralEntry {
            name,
            id,
            kind,
            watches_pins: matches!(kind, PeripheralKind::Uarte | PeripheralKind::Uart),
            has_power: false,
        }
    }

    /// The same with the register POWER.
    #[must_use]
    pub const fn with_power(self) -> PeripheralEntry {
        PeripheralEntry { has_power: true, ..self }
    }

    /// Whether it talks to other chips on the I2C bus.
    #[must_use]
    pub fn hears_i2c(&self) -> bool {
        matches!(self.kind, PeripheralKind::Twim(_))
    }

    /// Whether it talks to the devices on the I2C bus.
    #[must_use]
    pub fn is_i2c_master(&self) -> bool {
        matches!(self.kind, PeripheralKind::Twim(_) | PeripheralKind::SpiTwi(_))
    }
}

/// The register machine behind a page.
#[derive(Clone, Copy, Debug)]
pub enum PeripheralKind {
    /// TIMER.
    Timer(TimerSpec),
    /// RTC with this many CC registers.
    Rtc(u32),
    /// RNG.
    Rng,
    /// TEMP.
    Temp,
    /// WDT.
    Wdt,
    /// EGU, and SWI.
    Egu,
    /// UART and UARTE.
    Uarte,
    /// UART without EasyDMA (nRF51).
    Uart,
    /// SPI and TWI without EasyDMA, and what shares their page (nRF51).
    SpiTwi(InertSpec),
    /// ADC (nRF51).
    Adc,
    /// SAADC.
    Saadc(InertSpec),
    /// PWM.
    Pwm(InertSpec),
    /// TWIM and TWIS, and what shares their page.
    Twim(InertSpec),
    /// RADIO.
    Radio(&'static RadioSpec),
    /// ECB that takes so many cycles for a block.
    Ecb(u64),
    /// CCM and AAR.
    CcmAar(InertSpec),
    /// USBD.
    Usbd,
    /// COMP.
    Comp(CompSpec),
    /// Registers only.
    Inert(InertSpec),
}

impl PeripheralKind {
    /// Makes the register machine.
    #[must_use]
    pub fn build(self, options: &Options) -> Box<dyn Peripheral> {
        match self {
            PeripheralKind::Timer(spec) => Box::new(Timer::new(spec)),
            PeripheralKind::Rtc(channels) => Box::new(Rtc::new(channels)),
            PeripheralKind::Rng => Box::new(Rng::new(options.seed)),
            PeripheralKind::Temp => Box::new(Temp::new(options.world.clone())),
            PeripheralKind::Wdt => Box::new(Wdt::default()),
            PeripheralKind::Egu => Box::new(Egu::default()),
            PeripheralKind::Uarte => Box::new(Uarte::default()),
            PeripheralKind::Uart => Box::new(Uarte::without_dma()),
            PeripheralKind::SpiTwi(spec) => Box::new(SpiTwi::new(spec)),
            PeripheralKind::Adc => Box::new(Adc::default()),
            PeripheralKind::Saadc(spec) => Box::new(Saadc::new(spec)),
            PeripheralKind::Pwm(spec) => Box::new(Pwm::new(spec)),
            PeripheralKind::Twim(spec) => Box::new(TwiPage::new(spec)),
            PeripheralKind::Radio(spec) => Box::new(Radio::new(spec, options.seed)),
            PeripheralKind::Ecb(block) => Box::new(Ecb::new(block)),
            PeripheralKind::CcmAar(spec) => Box::new(CcmAar::new(spec)),
            PeripheralKind::Comp(spec) => Box::new(Comp::new(spec)),
            PeripheralKind::Usbd => Box::new(Usbd::default()),
            PeripheralKind::Inert(spec) => Box::new(Inert::new(spec)),
        }
    }
}

/// Build code of an nRF52833 (FICR.INFO.VARIANT).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BuildCode {
    /// First silicon.
    Aaa0,
    /// First silicon, second build code. An erased UICR.APPROTECT leaves the access port open.
    #[default]
    Aaa1,
    /// Hardened access port protection: an erased chip is closed.
    Aab0,
}

impl BuildCode {
    /// INFO.VARIANT: four ASCII characters, the first in the top byte.
    #[must_use]
    pub fn variant(self) -> u32 {
        u32::from_be_bytes(match self {
            BuildCode::Aaa0 => *b"AAA0",
            BuildCode::Aaa1 => *b"AAA1",
            BuildCode::Aab0 => *b"AAB0",
        })
    }

    /// Whether UICR.APPROTECT must be 0x5A for an open access port.
    #[must_use]
    pub fn hardened(self) -> bool {
        self == BuildCode::Aab0
    }
}

/// What distinguishes one specimen from the next.
#[derive(Clone, Debug)]
pub struct Options {
    /// FICR.DEVICEID: the first word is the low half. Board names and serial numbers come from it.
    pub device_id: u64,
    /// The silicon's build code.
    pub build: BuildCode,
    /// Seed of everything that is random on silicon.
    pub seed: u64,
    /// What is fitted on the board.
    pub crystals: Crystals,
    /// What surrounds the board.
    pub world: SharedWorld,
    /// Its USB pins are wired to a socket.
    pub usb_socket: bool,
    /// How its program begins.
    pub start: Start,
    /// Bytes to find in flash and UICR at the first power-on: address, contents.
    pub image: Vec<(u32, Vec<u8>)>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            device_id: 0x1234_5678_9ABC_DEF0,
            build: BuildCode::default(),
            seed: 0,
            crystals: Crystals { lfxo: false },
            world: SharedWorld::default(),
            usb_socket: false,
            start: Start::Reset,
            image: Vec::new(),
        }
    }
}
