//! KL27Z: MKL27Z256VFM4, Cortex-M0+ up to 48 MHz, 256 KB flash, 32 KB RAM, 32 pins; the interface chip of the micro:bit
//! V2.00.
//!
//! Addresses, interrupts, gates and reset values are those of the KL27 Sub-Family Reference Manual (KL27P64M48SF6RM);
//! times are those of the data sheet (KL27P64M48SF6).

use twinboard_sim::time::Span;
use twinboard_sim::wire::PinId;

use super::adc16::AdcSpec;
use super::boot::RomSpec;
use super::flexio::FlexioSpec;
use super::ftfa::FlashSpec;
use super::i2c::I2cSpec;
use super::kl26z;
use super::low_power::LlwuSpec;
use super::lpuart::LpuartSpec;
use super::registers::OSC;
use super::rom::config::peripheral;
use super::sim::SimSpec;
use super::table::PeripheralKind::{
    Adc, Flexio, I2c, Llwu, Lptmr, Lpuart, McgLite, Pit, Pmc, RcmWithRom, Registers, Rtc, Smc, Tpm, Usb,
};
use super::table::{ChipTable, PeripheralEntry, core};
use super::tpm::TpmSpec;
use super::usb0::UsbSpec;

/// 256 KB in two blocks of 1 KB sectors.
pub(super) const FLASH: FlashSpec =
    FlashSpec { size: 0x4_0000, t_ersall: Span::ms(175), has_unsecure: true, ..kl26z::FLASH };

const fn a(n: u16) -> PinId {
    PinId(n)
}

const fn b(n: u16) -> PinId {
    PinId(32 + n)
}

const fn c(n: u16) -> PinId {
    PinId(64 + n)
}

const fn d(n: u16) -> PinId {
    PinId(96 + n)
}

const fn e(n: u16) -> PinId {
    PinId(128 + n)
}

/// NMI is BOOTCFG0. LPUART0 and I2C1 are heard.
const ROM: RomSpec = RomSpec {
    blocks: 2,
    ram_reserved: 0x1000,
    boot_pin: a(4),
    hears: &[(a(1), peripheral::LPUART), (c(1), peripheral::I2C), (c(2), peripheral::I2C)],
};

/// The chip.
pub const KL27Z: ChipTable = ChipTable {
    name: "kl27z",
    core,
    ram: (0x1FFF_E000, 0x8000),
    flash: FLASH,
    flash_irq: 5,
    // The 32-pin package.
    ports: [0x001C_001F, 0x0000_0003, 0x0000_00FE, 0x0000_00F0, 0x4000_0003],
    port_irqs: [Some(30), None, Some(31), Some(31), None],
    reset_pin: PinId(20),
    rom: Some(&ROM),
    sim: SimSpec {
        // FAMID 2, SUBFAMID 7, SERIESID 1, SRAMSIZE 6 (32 KB), PINID 2 (32 pins).
        sdid: 0x2716_0002,
        // PFSIZE 9 (256 KB); MAXADDR0 and MAXADDR1 in units of 8 KB.
        fcfg: [0x0900_0000, 0x1090_0000],
        sopt: [0xE00F_0000, 0x3FC4_00F0, 0x0700_0000, 0x0007_0FF7, 0x0000_009F],
        scgc: [(0x00DC_10C0, 0xF000_0030), (0x8030_3E01, 0x0000_0182), (0xAF80_8003, 0x0000_0001), (0x100, 0x100)],
    },
    peripherals: PERIPHERALS,
    unmodelled: &[
        ("DMA", 8, Some((7, 8))),
        ("DMAMUX0", 33, Some((6, 1))),
        ("I2S0", 47, Some((6, 15))),
        ("DAC0", 63, Some((6, 31))),
        ("system register file", 65, None),
        ("UART2", 108, Some((4, 12))),
        ("CMP0", 115, Some((4, 19))),
        ("VREF", 116, Some((4, 20))),
        ("SPI0", 118, Some((4, 22))),
        ("SPI1", 119, Some((4, 23))),
    ],
};

const PERIPHERALS: &[PeripheralEntry] = &[
    PeripheralEntry::gated("PIT", 55, 22, (6, 23), Pit),
    PeripheralEntry::gated("TPM0", 56, 17, (6, 24), Tpm(TpmSpec::kl27(6))),
    PeripheralEntry::gated("TPM1", 57, 18, (6, 25), Tpm(TpmSpec::kl27(2))),
    PeripheralEntry::gated("TPM2", 58, 19, (6, 26), Tpm(TpmSpec::kl27(2))),
    PeripheralEntry::gated("ADC0", 59, 15, (6, 27), Adc(ADC0)),
    PeripheralEntry::gated("RTC", 61, 20, (6, 29), Rtc).with_second_irq(21),
    PeripheralEntry::gated("LPTMR0", 64, 28, (5, 0), Lptmr),
    PeripheralEntry::gated("LPUART0", 84, 12, (5, 20), Lpuart(LPUART0)),
    PeripheralEntry::gated("LPUART1", 85, 13, (5, 21), Lpuart(LPUART1)),
    PeripheralEntry::gated("FLEXIO", 95, 14, (5, 31), Flexio(FLEXIO)),
    PeripheralEntry::always("MCG", 100, None, McgLite),
    PeripheralEntry::always("OSC0", 101, None, Registers(OSC)),
    PeripheralEntry::gated("I2C0", 102, 8, (4, 6), I2c(I2C0)),
    PeripheralEntry::gated("I2C1", 103, 9, (4, 7), I2c(I2C1)),
    PeripheralEntry::gated("USB0", 114, 24, (4, 18), Usb(UsbSpec::KL27)),
    PeripheralEntry::always("LLWU", 124, Some(7), Llwu(LLWU)),
    PeripheralEntry::always("PMC", 125, Some(6), Pmc),
    PeripheralEntry::always("SMC", 126, None, Smc),
    PeripheralEntry::always("RCM", 127, None, RcmWithRom),
];

// Pins by the manual's table "KL27 signal multiplexing and pin assignments".
const LPUART0: LpuartSpec = LpuartSpec { source: 26, rx: &[(a(1), 2), (e(20), 4)], tx: &[(a(2), 2), (e(21), 4)] };
const LPUART1: LpuartSpec =
    LpuartSpec { source: 28, rx: &[(a(18), 3), (c(3), 3), (e(1), 3)], tx: &[(a(19), 3), (c(4), 3), (e(0), 3)] };
const I2C0: I2cSpec = I2cSpec { sda: &[(b(1), 2), (b(3), 2), (a(4), 2)], s2: true };
const I2C1: I2cSpec = I2cSpec { sda: &[(c(2), 2), (d(6), 4), (a(3), 2)], s2: true };
const FLEXIO: FlexioSpec = FlexioSpec { pins: &[(4, d(4), 6), (5, d(5), 6), (6, d(6), 6), (7, d(7), 6)] };
const ADC0: AdcSpec = AdcSpec {
    channels: &[
        (5, true, d(1)),
        (6, true, d(5)),
        (7, true, d(6)),
        (8, false, b(0)),
        (9, false, b(1)),
        (11, false, c(2)),
        (14, false, c(0)),
        (15, false, c(1)),
        (23, false, e(30)),
    ],
};
const LLWU: LlwuSpec = LlwuSpec {
    inputs: [
        None,
        None,
        None,
        None,
        None,
        Some(b(0)),
        Some(c(1)),
        Some(c(3)),
        Some(c(4)),
        Some(c(5)),
        Some(c(6)),
        None,
        None,
        None,
        Some(d(4)),
        Some(d(6)),
    ],
};
