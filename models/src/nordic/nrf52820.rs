//! nRF52820: Cortex-M4 without FPU at 64 MHz, 256 KB flash, 32 KB RAM, USB; the micro:bit V2.2x's interface chip.
//!
//! Register names and offsets are those of the nRF52820 product specification.

use std::sync::LazyLock;

use twinboard_sim::cpu::arm::{CoreConfig, config};

use super::ccm_aar;
use super::comp::CompSpec;
use super::nrf52833::{self, NRF52833, QDEC, SERIAL};
use super::nvmc::FlashSpec;
use super::radio::registers;
use super::table::PeripheralKind::{
    CcmAar, Comp, Ecb, Egu, Inert, Radio, Rng, Rtc, Temp, Timer, Twim, Uarte, Usbd, Wdt,
};
use super::table::{Channels, ChipTable, PeripheralEntry, Protection, ResetPin, Series};
use super::timer::TimerSpec;
use crate::debug::{rom_table, table as dap};
use crate::image::BlockIds;

fn core() -> CoreConfig {
    static WORDS: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| rom_table::words(rom_table::NRF52833));
    CoreConfig { ppb: &WORDS, ..config::M4 }
}

/// The chip.
pub const NRF52820: ChipTable = ChipTable {
    name: "nrf52820",
    series: Series::Nrf52,
    core,
    core_divider: 0,
    // The same debug port and access ports as the nRF52833's.
    dap: &dap::NRF52833,
    ram: 0x8000,
    code_ram: Some(0x0080_0000),
    flash: FlashSpec { size: 0x4_0000, ..NRF52833.flash },
    ports: [32, 0],
    block_ids: BlockIds(&[]),
    reset_pin: ResetPin::Selected(18),
    protection: Protection::ApProtect,
    channels: Channels { gpiote: 8, ppi: 20, groups: 6 },
    ficr: &[
        (0x010, 0x1000),      // CODEPAGESIZE
        (0x014, 0x40),        // CODESIZE
        (0x100, 0x0005_2820), // INFO.PART
        (0x108, 0x2007),      // INFO.PACKAGE: QD
        (0x10C, 32),          // INFO.RAM
        (0x110, 256),         // INFO.FLASH
        (0x130, 0x10),        // part code that start-up code tests for errata
        (0x350, 0xBB42_319F), // PRODTEST
        (0x354, 0xBB42_319F),
        (0x358, 0xBB42_319F),
    ],
    peripherals: PERIPHERALS,
    undocumented: NRF52833.undocumented,
};

const PERIPHERALS: &[PeripheralEntry] = &[
    PeripheralEntry::new("RADIO", 0x01, Radio(&registers::NRF52833)).with_power(),
    PeripheralEntry::new("UARTE0", 0x02, Uarte),
    PeripheralEntry::new("SPIM0/TWIM0", 0x03, Twim(SERIAL)),
    PeripheralEntry::new("SPIM1/TWIM1", 0x04, Twim(SERIAL)),
    PeripheralEntry::new("TIMER0", 0x08, Timer(FOUR_CC)),
    PeripheralEntry::new("TIMER1", 0x09, Timer(FOUR_CC)),
    PeripheralEntry::new("TIMER2", 0x0A, Timer(FOUR_CC)),
    PeripheralEntry::new("RTC0", 0x0B, Rtc(3)),
    PeripheralEntry::new("TEMP", 0x0C, Temp),
    PeripheralEntry::new("RNG", 0x0D, Rng),
    PeripheralEntry::new("ECB", 0x0E, Ecb(460)),
    PeripheralEntry::new("CCM/AAR", 0x0F, CcmAar(ccm_aar::NRF52833)),
    PeripheralEntry::new("WDT", 0x10, Wdt),
    PeripheralEntry::new("RTC1", 0x11, Rtc(4)),
    PeripheralEntry::new("QDEC", 0x12, Inert(QDEC)),
    PeripheralEntry::new("COMP", 0x13, Comp(COMP)),
    PeripheralEntry::new("EGU0", 0x14, Egu),
    PeripheralEntry::new("EGU1", 0x15, Egu),
    PeripheralEntry::new("EGU2", 0x16, Egu),
    PeripheralEntry::new("EGU3", 0x17, Egu),
    PeripheralEntry::new("EGU4", 0x18, Egu),
    PeripheralEntry::new("EGU5", 0x19, Egu),
    PeripheralEntry::new("TIMER3", 0x1A, Timer(SIX_CC)),
    PeripheralEntry::new("USBD", 0x27, Usbd),
];

pub(super) const COMP: CompSpec = CompSpec { registers: nrf52833::COMP, seventh: None };

const FOUR_CC: TimerSpec = TimerSpec { cc: 4, bits: 32 };
const SIX_CC: TimerSpec = TimerSpec { cc: 6, bits: 32 };
