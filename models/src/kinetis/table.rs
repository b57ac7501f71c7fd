//! How a chip of the family is described: a table of what it has, and the options of one specimen.

use std::sync::LazyLock;

use twinboard_sim::cpu::arm::{CoreConfig, config};
use twinboard_sim::wire::PinId;

use super::adc16::{Adc16, AdcSpec};
use super::boot::RomSpec;
use super::flexio::{Flexio, FlexioSpec};
use super::ftfa::FlashSpec;
use super::i2c::{I2c, I2cSpec};
use super::low_power::{Llwu, LlwuSpec, Pmc, Smc};
use super::lptmr::Lptmr;
use super::lpuart::{Lpuart, LpuartSpec};
use super::mcg::Mcg;
use super::mcg_lite::McgLite;
use super::peripheral::Peripheral;
use super::pins::PORTS;
use super::pit::Pit;
use super::rcm::Rcm;
use super::registers::{Registers, RegistersSpec};
use super::rtc::Rtc;
use super::sim::SimSpec;
use super::tpm::{Tpm, TpmSpec};
use super::uart::{Uart, UartSpec};
use super::usb0::{Usb0, UsbSpec};
use crate::image::Start;

/// A clock gate: the number of its SCGC register (4 to 7), and the bit there.
pub type Gate = (u8, u8);

/// A chip of the family.
#[derive(Debug)]
pub struct ChipTable {
    /// Its name in reports.
    pub name: &'static str,
    /// Its core.
    pub core: fn() -> CoreConfig,
    /// First address and bytes of its RAM.
    pub ram: (u32, u32),
    /// Its flash.
    pub flash: FlashSpec,
    /// The interrupt of the flash controller.
    pub flash_irq: u8,
    /// Pins that the package has, by port.
    pub ports: [u32; PORTS],
    /// The interrupt of each port, if it has one. Several may share it.
    pub port_irqs: [Option<u8>; PORTS],
    /// The pin that is RESET_b after reset.
    pub reset_pin: PinId,
    /// Its boot loader in ROM, if it has one.
    pub rom: Option<&'static RomSpec>,
    /// What its SIM has.
    pub sim: SimSpec,
    /// All peripherals besides SIM, PORT, FTFA, GPIO and MCM.
    pub peripherals: &'static [PeripheralEntry],
    /// Slots of the peripheral bridge that the chip has and no model covers: name, slot, gate. Accesses are counted,
    /// reads give 0.
    pub unmodelled: &'static [(&'static str, u8, Option<Gate>)],
}

/// One slot of 4 KB of the peripheral bridge.
#[derive(Clone, Copy, Debug)]
pub struct PeripheralEntry {
    /// Its name as in the manual.
    pub name: &'static str,
    /// Its slot: 0x4000_0000 + 4 KB times this is its address.
    pub slot: u8,
    /// Its interrupt.
    pub irq: Option<u8>,
    /// The other one of a peripheral that has two.
    pub second_irq: Option<u8>,
    /// Its clock gate; without a clock, an access is a bus error.
    pub gate: Option<Gate>,
    /// What it is.
    pub kind: PeripheralKind,
}

impl PeripheralEntry {
    /// One that always has its clock.
    pub(super) const fn always(name: &'static str, slot: u8, irq: Option<u8>, kind: PeripheralKind) -> PeripheralEntry {
        PeripheralEntry { name, slot, irq, second_irq: None, gate: None, kind }
    }

    /// One with an interrupt and a clock gate.
    pub(super) const fn gated(
        name: &'static str,
        slot: u8,
        irq: u8,
        gate: Gate,
        kind: PeripheralKind,
    ) -> PeripheralEntry {
        PeripheralEntry { name, slot, irq: Some(irq), second_irq: None, gate: Some(gate), kind }
    }

    /// The same with a second interrupt.
    pub(super) const fn with_second_irq(self, irq: u8) -> PeripheralEntry {
        PeripheralEntry { second_irq: Some(irq), ..self }
    }
}

/// The core of all chips of the family.
pub(super) fn core() -> CoreConfig {
    static WORDS: LazyLock<Vec<(u32, u32)>> = LazyLock::new(Vec::new);
    CoreConfig { ppb: &WORDS, ..config::M0PLUS }
}

/// The register machine behind a slot.
#[derive(Clone, Copy, Debug)]
pub enum PeripheralKind {
    /// MCG with FLL and PLL.
    Mcg,
    /// RCM.
    Rcm,
    /// UART0, UART1, UART2.
    Uart(UartSpec),
    /// MCG_Lite.
    McgLite,
    /// USB0.
    Usb(UsbSpec),
    /// LPUART.
    Lpuart(LpuartSpec),
    /// I2C.
    I2c(I2cSpec),
    /// ADC.
    Adc(AdcSpec),
    /// FlexIO.
    Flexio(FlexioSpec),
    /// TPM.
    Tpm(TpmSpec),
    /// PIT.
    Pit,
    /// LPTMR.
    Lptmr,
    /// RTC.
    Rtc,
    /// SMC.
    Smc,
    /// PMC.
    Pmc,
    /// LLWU.
    Llwu(LlwuSpec),
    /// RCM of a chip with a boot loader in ROM.
    RcmWithRom,
    /// Registers only.
    Registers(RegistersSpec),
}

impl PeripheralKind {
    /// Makes the register machine.
    #[must_use]
    pub fn build(self, options: &Options) -> Box<dyn Peripheral> {
        match self {
            PeripheralKind::Mcg => Box::new(Mcg::new(options.crystal)),
            PeripheralKind::Rcm => Box::new(Rcm::default()),
            PeripheralKind::Uart(spec) => Box::new(Uart::new(spec)),
            PeripheralKind::McgLite => Box::new(McgLite::new(options.crystal)),
            PeripheralKind::Usb(spec) => Box::new(Usb0::new(spec)),
            PeripheralKind::Lpuart(spec) => Box::new(Lpuart::new(spec)),
            PeripheralKind::I2c(spec) => Box::new(I2c::new(spec)),
            PeripheralKind::Adc(spec) => Box::new(Adc16::new(spec)),
            PeripheralKind::Flexio(spec) => Box::new(Flexio::new(spec)),
            PeripheralKind::Tpm(spec) => Box::new(Tpm::new(spec)),
            PeripheralKind::Pit => Box::new(Pit::new()),
            PeripheralKind::Lptmr => Box::new(Lptmr::new()),
            PeripheralKind::Rtc => Box::new(Rtc::new()),
            PeripheralKind::Smc => Box::new(Smc::default()),
            PeripheralKind::Pmc => Box::new(Pmc::default()),
            PeripheralKind::Llwu(spec) => Box::new(Llwu::new(spec)),
            PeripheralKind::RcmWithRom => Box::new(Rcm::with_rom()),
            PeripheralKind::Registers(spec) => Box::new(Registers::new(spec)),
        }
    }
}

/// What distinguishes one specimen from the next.
#[derive(Clone, Debug)]
pub struct Options {
    /// SIM_UIDMH (of which the chip has 16 bits), SIM_UIDML, SIM_UIDL.
    pub unique_id: [u32; 3],
    /// Seed of everything that is random on silicon.
    pub seed: u64,
    /// The crystal between EXTAL0 and XTAL0, in hertz.
    pub crystal: Option<u32>,
    /// Where the chip begins to run its image.
    pub start: Start,
    /// Bytes to find in flash at the first power-on: address, contents.
    pub image: Vec<(u32, Vec<u8>)>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            unique_id: [0x002E, 0x1234_5678, 0x9ABC_DEF0],
            seed: 0,
            crystal: Some(16_000_000),
            start: Start::Reset,
            image: Vec::new(),
        }
    }
}
