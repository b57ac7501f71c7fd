//! micro:bit V2.2: DAPLink 0257 on an nRF52820, Cortex-M4 at 64 MHz.

use super::{
    DapTable, DriveTable, FlashTable, Info, LampTable, Personality, PinTable, SerialTable, TargetTable, UsbTable,
};
use crate::daplink::bootloader::{BootloaderTable, BootloaderUrl, Mode};
use crate::daplink::config::{DapLinkConfig, Settings};
use crate::daplink::dap::timing::PinTiming;
use crate::daplink::drive::Assert;
use crate::daplink::drive::actions::{Action, ActionFile};
use crate::daplink::drive::hex::HexRules;
use crate::daplink::drive::texts::Detail;
use crate::daplink::error::{Error, ErrorTable};
use crate::daplink::flash::algorithm;
use crate::daplink::personality::Board;
use crate::daplink::storage;
use crate::daplink::swd_host::{ResetLine, TargetState};
use crate::daplink::timing::CpuTiming;
use crate::daplink::uart::NRF52820;

use twinboard_sim::time::Span;

/// DAPLink 0257 on a micro:bit V2.2.
pub static MICROBIT_V2: Personality = Personality {
    config,
    usb: UsbTable {
        manufacturer: "Arm",
        product: "BBC micro:bit CMSIS-DAP",
        hid: "CMSIS-DAP v1",
        bulk: Some("CMSIS-DAP v2"),
    },
    dap: DapTable {
        info: &[
            // 01, the vendor, is empty.
            (0x02, Info::Text("DAPLink CMSIS-DAP")),
            (0x03, Info::Serial),
            (0x04, Info::Text("2.1.0")),
            (0x05, Info::Text("NordicSemiconductor")),
            (0x06, Info::Text("nRF52833_xxAA")),
            (0x07, Info::Text("Micro:bit Educational Foundation")),
            (0x08, Info::Text("BBC micro:bit V2")),
            (0x09, Info::Version),
            // SWD, atomic commands, test domain timer; no JTAG, no SWO, no UART.
            (0xf0, Info::Bytes(&[0x31])),
            // The counter is DWT CYCCNT at 64 MHz, but this is what the firmware says.
            (0xf1, Info::Bytes(&100_000_000u32.to_le_bytes())),
            (0xfe, Info::PacketCount),
            (0xff, Info::Bytes(&64u16.to_le_bytes())),
        ],
        packets: 8,
        swd_sequence: true,
        timestamps: true,
        erase_mode: true,
        hid_overflow: Assert { file: "../../../source/usb/hid/usbd_user_hid.c", line: 134 },
    },
    pins: PinTable { timing: PinTiming::NRF52820, nreset: false, reset_on_swdio: false },
    target: TargetTable { reset: ResetLine::CtrlAp, drops_power: true, button: TargetState::ResetProgram },
    flash: FlashTable {
        algorithm: &algorithm::NRF52,
        sector: 4096,
        init_once: false,
        mismatch: Error::WriteVerify,
        ascending: None,
        shows_errors: true,
    },
    drive: DriveTable {
        banner: "# DAPLink Firmware - see https://daplink.io",
        details: DETAILS,
        actions: ACTIONS,
        hex: HexRules { universal: true, at_line_end: false },
        test_assert: Assert { file: "../../../source/daplink/drag-n-drop/vfs_user.c", line: 226 },
    },
    errors: ErrorTable { absent: &[], wording: &[] },
    serial: SerialTable { baud: 115_200, control_lines_clear: true, uart: NRF52820 },
    lamp: LampTable { lit: true, needs_host: true },
    bootloader: BOOTLOADER,
    storage: Some(&storage::NRF52820),
    timing: CpuTiming::NRF52820,
};

/// DETAILS.TXT, of the interface and of the bootloader.
const DETAILS: &[Detail] = &[
    Detail::BuildId,
    Detail::UniqueId,
    Detail::HicId,
    Detail::AutoReset,
    Detail::Automation,
    Detail::Overflow,
    Detail::Compatibility,
    Detail::PageErase,
    Detail::Mode,
    Detail::OwnVersion,
    Detail::OtherVersion,
    Detail::GitSha,
    Detail::LocalMods,
    Detail::UsbInterfaces,
    Detail::BootloaderCrc,
    Detail::InterfaceCrc,
    Detail::RemountCount,
    Detail::Url,
];

/// The bootloader 0257 of a micro:bit V2.2.
const BOOTLOADER: BootloaderTable = BootloaderTable {
    version: 257,
    url: BootloaderUrl::Noted,
    details: DETAILS,
    actions: &[
        (b"START_IFACT", Action::Refresh),
        (b"ASSERT  ACT", Action::Assert),
        (b"REFRESH ACT", Action::Refresh),
        (b"AUTO_RSTCFG", Action::AutoReset(true)),
        (b"HARD_RSTCFG", Action::AutoReset(false)),
        (b"AUTO_ON CFG", Action::Automation(true)),
        (b"AUTO_OFFCFG", Action::Automation(false)),
        (b"OVFL_ON CFG", Action::Overflow(true)),
        (b"OVFL_OFFCFG", Action::Overflow(false)),
        (b"COMP_ON CFG", Action::Compatibility(true)),
        (b"COMP_OFFCFG", Action::Compatibility(false)),
        (b"PAGE_ON ACT", Action::PageErase(true)),
        (b"PAGE_OFFACT", Action::PageErase(false)),
    ],
    // nRF52820 product specification, NVMC: tERASEPAGE and tWRITE.
    erase: Span::us(87_500),
    word: Span::us(42),
};

const ACTIONS: &[ActionFile] = &[
    (b"START_BLACT", Action::StartBootloader),
    (b"ASSERT  ACT", Action::Assert),
    (b"REFRESH ACT", Action::Refresh),
    (b"ERASE   ACT", Action::Erase),
    (b"AUTO_RSTCFG", Action::AutoReset(true)),
    (b"HARD_RSTCFG", Action::AutoReset(false)),
    (b"AUTO_ON CFG", Action::Automation(true)),
    (b"AUTO_OFFCFG", Action::Automation(false)),
    (b"OVFL_ON CFG", Action::Overflow(true)),
    (b"OVFL_OFFCFG", Action::Overflow(false)),
    (b"MSD_ON  CFG", Action::Drive(true)),
    (b"MSD_OFF CFG", Action::Drive(false)),
    (b"COMP_ON CFG", Action::Compatibility(true)),
    (b"COMP_OFFCFG", Action::Compatibility(false)),
    (b"PAGE_ON ACT", Action::PageErase(true)),
    (b"PAGE_OFFACT", Action::PageErase(false)),
];

fn config() -> DapLinkConfig {
    DapLinkConfig {
        board: Board::MicrobitV2,
        version: 257,
        bootloader_version: Some(257),
        build_id: "v0257-gc782a5ba (gcc)".into(),
        git_sha: "c782a5ba907377658bc28aa8d132a0fa44543687".into(),
        interface_crc: 0xe561_f1de,
        bootloader_crc: 0x725b_ea7d,
        board_id: 0x9906,
        default_board_id: 0x9903,
        family_id: 0x3602,
        hic_id: 0x6e05_2820,
        device_id: [0x0005_2820, 0x7477_6962, 0x6e62_6f78, 0],
        max_power_ma: 500,
        drive_name: "MICROBIT".into(),
        url: "https://microbit.org/device/?id=".into(),
        target_flash: (0, 0x8_0000),
        target_ram: (0x2000_0000, 0x2002_0000),
        connect_delay_ms: 930,
        swj_clock: None,
        packet_count: None,
        settings: Settings::FACTORY,
        bootloader_board_id: 0x9905,
        mode: Mode::Interface,
        interface_version: 0,
    }
}
