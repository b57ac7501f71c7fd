//! nRF52833: Cortex-M4F at 64 MHz, 512 KB flash, 128 KB RAM, 42 pins; the micro:bit V2's target.
//!
//! Register names and offsets are those of the nRF52833 product specification.

use std::sync::LazyLock;

use twinboard_sim::cpu::arm::{CoreConfig, config};

use super::ccm_aar;
use super::comp::CompSpec;
use super::inert::InertSpec;
use super::nvmc::FlashSpec;
use super::peripheral::us;
use super::radio::registers;
use super::table::PeripheralKind::{
    CcmAar, Comp, Ecb, Egu, Inert, Pwm, Radio, Rng, Rtc, Saadc, Temp, Timer, Twim, Uarte, Usbd, Wdt,
};
use super::table::{Channels, ChipTable, PeripheralEntry, Protection, ResetPin, Series};
use super::timer::TimerSpec;
use crate::debug::{rom_table, table as dap};
use crate::image::MICROBIT_V2;

fn core() -> CoreConfig {
    static WORDS: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| rom_table::words(rom_table::NRF52833));
    CoreConfig { ppb: &WORDS, ..config::M4F }
}

/// The chip.
pub const NRF52833: ChipTable = ChipTable {
    name: "nrf52833",
    series: Series::Nrf52,
    core,
    core_divider: 0,
    dap: &dap::NRF52833,
    ram: 0x2_0000,
    code_ram: Some(0x0080_0000),
    flash: FlashSpec {
        size: 0x8_0000,
        page: 0x1000,
        uicr: 0x1000_1000,
        uicr_size: 0x1000,
        t_write: 2_720, // 42.5 µs
        t_erasepage: us(87_500),
        t_eraseall: us(173_000),
        halts_core: false,
    },
    ports: [32, 10],
    block_ids: MICROBIT_V2,
    reset_pin: ResetPin::Selected(18),
    protection: Protection::ApProtect,
    channels: Channels { gpiote: 8, ppi: 20, groups: 6 },
    ficr: &[
        (0x010, 0x1000),      // CODEPAGESIZE
        (0x014, 0x80),        // CODESIZE
        (0x100, 0x0005_2833), // INFO.PART
        (0x108, 0x2004),      // INFO.PACKAGE: QI
        (0x10C, 128),         // INFO.RAM
        (0x110, 512),         // INFO.FLASH
        (0x130, 0x0D),        // part code that start-up code tests for errata
        (0x350, 0xBB42_319F), // PRODTEST
        (0x354, 0xBB42_319F),
        (0x358, 0xBB42_319F),
        (0x450, 0xFFFF_FF5F), // NFC.TAGHEADER0
    ],
    peripherals: PERIPHERALS,
    undocumented: &[
        0x4000_0504,
        0x4000_0514,
        0x4000_053C,
        0x4000_054C,
        0x4000_0608,
        0x4000_0C34,
        0x4000_0E00,
        0x4000_0E04,
        0x4000_0E08,
        0x4000_0E0C,
        0x4000_0E10,
        0x4000_0E14,
        0x4000_0E18,
        0x4000_0E1C,
        0x4000_0E20,
        0x4000_0E24,
        0x4000_0E28,
        0x4000_0E2C,
        0x4000_0E30,
        0x4000_0E34,
        0x4000_0EE4,
        0x4000_173C,
        0x4000_1740,
        0x4000_1778,
        0x4000_177C,
        0x4000_1788,
        0x4000_5610,
        0x4000_5614,
        0x4000_5618,
        0x4000_5688,
        0x4000_568C,
        0x4000_8150, // TIMER0: S113 clears COMPARE[4], COMPARE[5] and their CC
        0x4000_8154,
        0x4000_8550,
        0x4000_8554,
        0x4000_8C0C,
        0x4000_AC0C,
        0x4000_C504,
        0x4001_3540,
        0x4002_7C1C,
        0x4002_9640,
        0x4006_EC00,
        0x4006_EC14,
        0x4006_ED14,
        0x4007_C074,
    ],
};

const PERIPHERALS: &[PeripheralEntry] = &[
    PeripheralEntry::new("RADIO", 0x01, Radio(&registers::NRF52833)).with_power(),
    PeripheralEntry::new("UARTE0", 0x02, Uarte),
    PeripheralEntry::new("SPIM0/TWIM0", 0x03, Twim(SERIAL)),
    PeripheralEntry::new("SPIM1/TWIM1", 0x04, Twim(SERIAL)),
    PeripheralEntry::new("NFCT", 0x05, Inert(NFCT)),
    PeripheralEntry::new("SAADC", 0x07, Saadc(SAADC)),
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
    PeripheralEntry::new("COMP/LPCOMP", 0x13, Comp(CompSpec { registers: COMP, seventh: Some(31) })),
    PeripheralEntry::new("EGU0", 0x14, Egu),
    PeripheralEntry::new("EGU1", 0x15, Egu),
    PeripheralEntry::new("EGU2", 0x16, Egu),
    PeripheralEntry::new("EGU3", 0x17, Egu),
    PeripheralEntry::new("EGU4", 0x18, Egu),
    PeripheralEntry::new("EGU5", 0x19, Egu),
    PeripheralEntry::new("TIMER3", 0x1A, Timer(SIX_CC)),
    PeripheralEntry::new("TIMER4", 0x1B, Timer(SIX_CC)),
    PeripheralEntry::new("PWM0", 0x1C, Pwm(PWM)),
    PeripheralEntry::new("PDM", 0x1D, Inert(PDM)),
    PeripheralEntry::new("MWU", 0x20, Inert(MWU)),
    PeripheralEntry::new("PWM1", 0x21, Pwm(PWM)),
    PeripheralEntry::new("PWM2", 0x22, Pwm(PWM)),
    PeripheralEntry::new("SPIM2", 0x23, Inert(SERIAL)),
    PeripheralEntry::new("RTC2", 0x24, Rtc(4)),
    PeripheralEntry::new("I2S", 0x25, Inert(I2S)),
    PeripheralEntry::new("FPU", 0x26, Inert(InertSpec::EMPTY)),
    PeripheralEntry::new("USBD", 0x27, Usbd),
    PeripheralEntry::new("UARTE1", 0x28, Uarte),
    PeripheralEntry::new("PWM3", 0x2D, Pwm(PWM)),
    PeripheralEntry::new("SPIM3", 0x2F, Inert(SERIAL)),
];

const FOUR_CC: TimerSpec = TimerSpec { cc: 4, bits: 32 };
const SIX_CC: TimerSpec = TimerSpec { cc: 6, bits: 32 };

const DISCONNECTED: u32 = u32::MAX;

/// SPI, SPIM, SPIS, TWI, TWIM and TWIS share their pages; ENABLE chooses.
pub(super) const SERIAL: InertSpec = InertSpec {
    events: 0x07DC_43D7,
    registers: &[
        (0x200, 0x200),
        (0x400, 0x400),
        (0x4C4, 0x4C4),
        (0x4D0, 0x4D4),
        (0x500, 0x500),
        (0x508, 0x518),
        (0x51C, 0x524),
        (0x534, 0x554),
        (0x560, 0x570),
        (0x588, 0x58C),
        (0x594, 0x594),
        (0x5C0, 0x5C0),
    ],
    resets: &[
        (0x508, DISCONNECTED),
        (0x50C, DISCONNECTED),
        (0x510, DISCONNECTED),
        (0x514, DISCONNECTED),
        (0x524, 0x0400_0000),
        (0x560, 2),
        (0x564, 2),
        (0x56C, DISCONNECTED),
        (0x594, 1),
    ],
    set_clear: &[],
};

const NFCT: InertSpec = InertSpec {
    events: 0x001C_5CFF,
    registers: &[
        (0x200, 0x200),
        (0x404, 0x404),
        (0x40C, 0x410),
        (0x420, 0x420),
        (0x43C, 0x43C),
        (0x504, 0x52C),
        (0x538, 0x538),
        (0x590, 0x5A4),
    ],
    resets: &[
        (0x504, 0x480),
        (0x508, 0x1000),
        (0x50C, 1),
        (0x518, 0x17),
        (0x520, 0x15),
        (0x52C, 1),
        (0x538, DISCONNECTED),
        (0x590, 0x6363),
        (0x59C, 2),
        (0x5A0, 1),
    ],
    set_clear: &[],
};

pub(super) const SAADC: InertSpec = InertSpec {
    events: 0x003F_FFFF,
    registers: &[(0x400, 0x400), (0x500, 0x500), (0x510, 0x58C), (0x5F0, 0x5F8), (0x62C, 0x634)],
    resets: &[
        (0x518, 0x2_0000),
        (0x51C, 0x7FFF_8000),
        (0x528, 0x2_0000),
        (0x52C, 0x7FFF_8000),
        (0x538, 0x2_0000),
        (0x53C, 0x7FFF_8000),
        (0x548, 0x2_0000),
        (0x54C, 0x7FFF_8000),
        (0x558, 0x2_0000),
        (0x55C, 0x7FFF_8000),
        (0x568, 0x2_0000),
        (0x56C, 0x7FFF_8000),
        (0x578, 0x2_0000),
        (0x57C, 0x7FFF_8000),
        (0x588, 0x2_0000),
        (0x58C, 0x7FFF_8000),
        (0x5F0, 1),
    ],
    set_clear: &[],
};

pub(super) const QDEC: InertSpec = InertSpec {
    events: 0b1_1111,
    registers: &[(0x200, 0x200), (0x500, 0x528), (0x540, 0x548)],
    resets: &[(0x51C, DISCONNECTED), (0x520, DISCONNECTED), (0x524, DISCONNECTED), (0x540, 0x10)],
    set_clear: &[],
};

pub(super) const COMP: InertSpec = InertSpec {
    events: 0b1111,
    registers: &[(0x200, 0x200), (0x400, 0x400), (0x500, 0x50C), (0x520, 0x520), (0x530, 0x538)],
    resets: &[(0x508, 4)],
    set_clear: &[],
};

pub(super) const PWM: InertSpec = InertSpec {
    events: 0b1111_1110,
    registers: &[(0x200, 0x200), (0x500, 0x514), (0x520, 0x52C), (0x540, 0x54C), (0x560, 0x56C)],
    resets: &[
        (0x508, 0x3FF),
        (0x528, 1),
        (0x548, 1),
        (0x560, DISCONNECTED),
        (0x564, DISCONNECTED),
        (0x568, DISCONNECTED),
        (0x56C, DISCONNECTED),
    ],
    set_clear: &[],
};

const PDM: InertSpec = InertSpec {
    events: 0b111,
    registers: &[(0x500, 0x508), (0x518, 0x520), (0x540, 0x544), (0x560, 0x564)],
    resets: &[(0x504, 0x0840_0000), (0x518, 0x28), (0x51C, 0x28), (0x540, DISCONNECTED), (0x544, DISCONNECTED)],
    set_clear: &[],
};

const MWU: InertSpec = InertSpec {
    events: 0x0F00_00FF,
    registers: &[(0x320, 0x328), (0x400, 0x40C), (0x510, 0x518), (0x600, 0x63C), (0x6C0, 0x6DC)],
    resets: &[],
    set_clear: &[0x320, 0x510],
};

const I2S: InertSpec = InertSpec {
    events: 0b10_0110,
    registers: &[(0x500, 0x528), (0x538, 0x538), (0x540, 0x540), (0x550, 0x550), (0x560, 0x570)],
    resets: &[
        (0x50C, 1),
        (0x510, 1),
        (0x514, 0x2000_0000),
        (0x518, 6),
        (0x51C, 1),
        (0x560, DISCONNECTED),
        (0x564, DISCONNECTED),
        (0x568, DISCONNECTED),
        (0x56C, DISCONNECTED),
        (0x570, DISCONNECTED),
    ],
    set_clear: &[],
};
