//! nRF51822 QFAA, revision 3: Cortex-M0 at 16 MHz, 256 KB flash, 16 KB RAM, 31 pins; the micro:bit V1's target.
//!
//! Register names and offsets are those of the nRF51 series reference manual.

use std::sync::LazyLock;

use twinboard_sim::cpu::arm::{CoreConfig, config};

use super::ccm_aar;
use super::inert::InertSpec;
use super::nvmc::FlashSpec;
use super::peripheral::us;
use super::radio::registers;
use super::table::PeripheralKind::{Adc, CcmAar, Ecb, Inert, Radio, Rng, Rtc, SpiTwi, Temp, Timer, Uart, Wdt};
use super::table::{Channels, ChipTable, PeripheralEntry, Protection, ResetPin, Series};
use super::timer::TimerSpec;
use crate::debug::{rom_table, table as dap};
use crate::image::MICROBIT_V1;

fn core() -> CoreConfig {
    static WORDS: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| rom_table::words(rom_table::NRF51822));
    CoreConfig { ppb: &WORDS, ..config::M0 }
}

/// The chip.
pub const NRF51822: ChipTable = ChipTable {
    name: "nrf51822",
    series: Series::Nrf51,
    core,
    core_divider: 2,
    dap: &dap::NRF51822,
    ram: 0x4000,
    code_ram: None,
    flash: FlashSpec {
        size: 0x4_0000,
        page: 0x400,
        uicr: 0x1000_1000,
        uicr_size: 0x400,
        t_write: 2_963, // 46.3 µs
        t_erasepage: us(22_300),
        t_eraseall: us(22_300),
        halts_core: true,
    },
    ports: [31, 0],
    block_ids: MICROBIT_V1,
    reset_pin: ResetPin::Swdio,
    protection: Protection::Rbpconf,
    channels: Channels { gpiote: 4, ppi: 16, groups: 4 },
    ficr: &[
        (0x010, 0x400),       // CODEPAGESIZE
        (0x014, 0x100),       // CODESIZE
        (0x034, 2),           // NUMRAMBLOCK
        (0x038, 0x2000),      // SIZERAMBLOCK[0]
        (0x03C, 0x2000),      // SIZERAMBLOCK[1]
        (0x05C, 0xFFFF_0072), // CONFIGID: HWID of QFAA H0
    ],
    peripherals: PERIPHERALS,
    undocumented: &[
        0x4000_0504,
        0x4000_0514,
        0x4000_5610,
        0x4000_6C18,
        0x4000_8C0C,
        0x4000_9C0C,
        0x4000_AC0C,
        0x4000_C504,
        0x4006_EC00,
        0x4006_EC14,
    ],
};

/// Only TIMER0 counts in 24 and 32 bits.
const TIMER0: TimerSpec = TimerSpec { cc: 4, bits: 32 };
const TIMER12: TimerSpec = TimerSpec { cc: 4, bits: 16 };

const PERIPHERALS: &[PeripheralEntry] = &[
    PeripheralEntry::new("RADIO", 0x01, Radio(&registers::NRF51)).with_power(),
    PeripheralEntry::new("UART0", 0x02, Uart).with_power(),
    PeripheralEntry::new("SPI0/TWI0", 0x03, SpiTwi(SERIAL)).with_power(),
    PeripheralEntry::new("SPI1/TWI1/SPIS1", 0x04, SpiTwi(SERIAL)).with_power(),
    PeripheralEntry::new("ADC", 0x07, Adc).with_power(),
    PeripheralEntry::new("TIMER0", 0x08, Timer(TIMER0)).with_power(),
    PeripheralEntry::new("TIMER1", 0x09, Timer(TIMER12)).with_power(),
    PeripheralEntry::new("TIMER2", 0x0A, Timer(TIMER12)).with_power(),
    PeripheralEntry::new("RTC0", 0x0B, Rtc(3)).with_power(),
    PeripheralEntry::new("TEMP", 0x0C, Temp).with_power(),
    PeripheralEntry::new("RNG", 0x0D, Rng).with_power(),
    PeripheralEntry::new("ECB", 0x0E, Ecb(544)).with_power(),
    PeripheralEntry::new("CCM/AAR", 0x0F, CcmAar(ccm_aar::NRF51)).with_power(),
    PeripheralEntry::new("WDT", 0x10, Wdt).with_power(),
    PeripheralEntry::new("RTC1", 0x11, Rtc(4)).with_power(),
    PeripheralEntry::new("QDEC", 0x12, Inert(QDEC)).with_power(),
    PeripheralEntry::new("LPCOMP", 0x13, Inert(LPCOMP)).with_power(),
    PeripheralEntry::new("SWI0", 0x14, Inert(InertSpec::EMPTY)),
    PeripheralEntry::new("SWI1", 0x15, Inert(InertSpec::EMPTY)),
    PeripheralEntry::new("SWI2", 0x16, Inert(InertSpec::EMPTY)),
    PeripheralEntry::new("SWI3", 0x17, Inert(InertSpec::EMPTY)),
    PeripheralEntry::new("SWI4", 0x18, Inert(InertSpec::EMPTY)),
    PeripheralEntry::new("SWI5", 0x19, Inert(InertSpec::EMPTY)),
];

const DISCONNECTED: u32 = u32::MAX;

/// SPI, TWI and SPIS share their pages; ENABLE chooses.
pub(super) const SERIAL: InertSpec = InertSpec {
    events: 0x4_4696,
    registers: &[
        (0x200, 0x200),
        (0x400, 0x400),
        (0x440, 0x440),
        (0x4C4, 0x4C4),
        (0x500, 0x524),
        (0x534, 0x55C),
        (0x588, 0x588),
        (0x5C0, 0x5C0),
    ],
    resets: &[
        (0x400, 1),
        (0x508, DISCONNECTED),
        (0x50C, DISCONNECTED),
        (0x510, DISCONNECTED),
        (0x514, DISCONNECTED),
        (0x524, 0x0400_0000),
    ],
    set_clear: &[],
};

const QDEC: InertSpec = InertSpec {
    events: 0b111,
    registers: &[(0x200, 0x200), (0x500, 0x528), (0x540, 0x548)],
    resets: &[(0x51C, DISCONNECTED), (0x520, DISCONNECTED), (0x524, DISCONNECTED), (0x540, 0x10)],
    set_clear: &[],
};

const LPCOMP: InertSpec = InertSpec {
    events: 0b1111,
    registers: &[(0x200, 0x200), (0x400, 0x400), (0x500, 0x50C), (0x520, 0x520)],
    ..InertSpec::EMPTY
};

#[cfg(test)]
#[path = "nrf51822_tests.rs"]
mod tests;
