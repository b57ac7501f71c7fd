//! KL26Z: MKL26Z128VFM4, Cortex-M0+ up to 48 MHz, 128 KB flash, 16 KB RAM, 32 pins; the interface chip of the micro:bit
//! V1.
//!
//! Addresses, interrupts, gates and reset values are those of the KL26 Sub-Family Reference Manual (KL26P121M48SF4RM);
//! times are those of the data sheet (KL26P121M48SF4).

use twinboard_sim::time::Span;
use twinboard_sim::wire::PinId;

use super::adc16::AdcSpec;
use super::ftfa::FlashSpec;
use super::i2c::I2cSpec;
use super::registers::{LLWU, OSC, PMC, SMC};
use super::sim::SimSpec;
use super::table::PeripheralKind::{Adc, I2c, Lptmr, Mcg, Pit, Rcm, Registers, Rtc, Tpm, Uart, Usb};
use super::table::{ChipTable, PeripheralEntry, core};
use super::tpm::TpmSpec;
use super::uart::UartSpec;
use super::usb0::UsbSpec;

/// 128 KB in one block of 1 KB sectors.
pub(super) const FLASH: FlashSpec = FlashSpec {
    size: 0x2_0000,
    block: 0x2_0000,
    sector: 0x400,
    t_rd1blk: Span::us(1_700),
    t_check: Span::us(30),
    t_pgm4: Span::us(65),
    t_ersscr: Span::ms(14),
    t_ersblk: Span::ms(88),
    t_ersall: Span::ms(88),
    has_unsecure: false,
};

/// The chip.
pub const KL26Z: ChipTable = ChipTable {
    name: "kl26z",
    core,
    ram: (0x1FFF_F000, 0x4000),
    flash: FLASH,
    flash_irq: 5,
    // The 32-pin package.
    ports: [0x0014_001F, 0x0000_0003, 0x0000_00FE, 0x0000_00F0, 0x6101_0003],
    port_irqs: [Some(30), None, Some(31), Some(31), None],
    reset_pin: PinId(20),
    rom: None,
    sim: SimSpec {
        // FAMID 2, SUBFAMID 6, SERIESID 1, SRAMSIZE 5 (16 KB), PINID 2 (32 pins).
        sdid: 0x2615_0002,
        // PFSIZE 7 (128 KB); MAXADDR0 in units of 8 KB.
        fcfg: [0x0700_0000, 0x1080_0000],
        sopt: [0xE00C_0000, 0x0F05_00F0, 0x0700_0000, 0x0007_7FF7, 0x0000_009F],
        scgc: [(0x00CC_1CC0, 0xF000_0030), (0x0000_3E21, 0x0000_0182), (0xAF80_8003, 0x0000_0001), (0x100, 0x100)],
    },
    peripherals: PERIPHERALS,
    unmodelled: &[
        ("DMA", 8, Some((7, 8))),
        ("DMAMUX0", 33, Some((6, 1))),
        ("I2S0", 47, Some((6, 15))),
        ("DAC0", 63, Some((6, 31))),
        ("system register file", 65, None),
        ("TSI0", 69, Some((5, 5))),
        ("CMP0", 115, Some((4, 19))),
        ("SPI0", 118, Some((4, 22))),
        ("SPI1", 119, Some((4, 23))),
    ],
};

const fn pin(port: u8, number: u16) -> u16 {
    (port - b'A') as u16 * 32 + number
}

const fn at(port: u8, number: u16) -> PinId {
    PinId(pin(port, number))
}

/// Manual, chapter "Signal Multiplexing and Signal Descriptions".
pub(super) const UART0: UartSpec = UartSpec {
    first: true,
    tx: &[(pin(b'A', 2), 2), (pin(b'B', 17), 3), (pin(b'D', 7), 3), (pin(b'E', 20), 4)],
    rx: &[(pin(b'A', 1), 2), (pin(b'B', 16), 3), (pin(b'D', 6), 3), (pin(b'E', 21), 4)],
};
pub(super) const UART1: UartSpec = UartSpec {
    first: false,
    tx: &[(pin(b'A', 19), 3), (pin(b'C', 4), 3), (pin(b'E', 0), 3)],
    rx: &[(pin(b'A', 18), 3), (pin(b'C', 3), 3), (pin(b'E', 1), 3)],
};
const UART2: UartSpec = UartSpec {
    first: false,
    tx: &[(pin(b'D', 3), 3), (pin(b'D', 5), 3), (pin(b'E', 16), 3), (pin(b'E', 22), 4)],
    rx: &[(pin(b'D', 2), 3), (pin(b'D', 4), 3), (pin(b'E', 17), 3), (pin(b'E', 23), 4)],
};

const I2C0: I2cSpec = I2cSpec { sda: &[(at(b'B', 1), 2), (at(b'B', 3), 2), (at(b'E', 25), 5)], s2: false };
const I2C1: I2cSpec = I2cSpec { sda: &[(at(b'C', 2), 2), (at(b'A', 4), 2), (at(b'E', 0), 6)], s2: false };
const ADC0: AdcSpec = AdcSpec {
    channels: &[
        (0, false, at(b'E', 20)),
        (3, false, at(b'E', 22)),
        (4, false, at(b'E', 21)),
        (4, true, at(b'E', 29)),
        (5, true, at(b'D', 1)),
        (6, true, at(b'D', 5)),
        (7, false, at(b'E', 23)),
        (7, true, at(b'D', 6)),
        (8, false, at(b'B', 0)),
        (9, false, at(b'B', 1)),
        (11, false, at(b'C', 2)),
        (12, false, at(b'B', 2)),
        (13, false, at(b'B', 3)),
        (14, false, at(b'C', 0)),
        (15, false, at(b'C', 1)),
        (23, false, at(b'E', 30)),
    ],
};

const PERIPHERALS: &[PeripheralEntry] = &[
    PeripheralEntry::gated("PIT", 55, 22, (6, 23), Pit),
    PeripheralEntry::gated("TPM0", 56, 17, (6, 24), Tpm(TpmSpec::kl26(6))),
    PeripheralEntry::gated("TPM1", 57, 18, (6, 25), Tpm(TpmSpec::kl26(2))),
    PeripheralEntry::gated("TPM2", 58, 19, (6, 26), Tpm(TpmSpec::kl26(2))),
    PeripheralEntry::gated("ADC0", 59, 15, (6, 27), Adc(ADC0)),
    PeripheralEntry::gated("RTC", 61, 20, (6, 29), Rtc).with_second_irq(21),
    PeripheralEntry::gated("LPTMR0", 64, 28, (5, 0), Lptmr),
    PeripheralEntry::gated("I2C0", 102, 8, (4, 6), I2c(I2C0)),
    PeripheralEntry::gated("I2C1", 103, 9, (4, 7), I2c(I2C1)),
    PeripheralEntry::gated("UART0", 106, 12, (4, 10), Uart(UART0)),
    PeripheralEntry::gated("UART1", 107, 13, (4, 11), Uart(UART1)),
    PeripheralEntry::gated("UART2", 108, 14, (4, 12), Uart(UART2)),
    PeripheralEntry::gated("USB0", 114, 24, (4, 18), Usb(UsbSpec::KL26)),
    PeripheralEntry::always("MCG", 100, Some(27), Mcg),
    PeripheralEntry::always("OSC0", 101, None, Registers(OSC)),
    PeripheralEntry::always("LLWU", 124, Some(7), Registers(LLWU)),
    PeripheralEntry::always("PMC", 125, Some(6), Registers(PMC)),
    PeripheralEntry::always("SMC", 126, None, Registers(SMC)),
    PeripheralEntry::always("RCM", 127, None, Rcm),
];
