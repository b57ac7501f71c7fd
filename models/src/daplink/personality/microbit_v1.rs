//! micro:bit V1.3: DAPLink 0253 on a KL26Z128, Cortex-M0+ at 48 MHz.

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
use crate::daplink::swd_host::{ResetLine, TargetState};
use crate::daplink::timing::CpuTiming;
use crate::daplink::uart::KL26;

use twinboard_sim::time::Span;

/// DAPLink 0253 on a micro:bit V1.3.
pub static MICROBIT_V1: Personality = Personality {
    config,
    usb: UsbTable {
        manufacturer: "ARM",
        // The builds of 0251 to 0255 have the quotes in their text.
        product: "\"BBC micro:bit CMSIS-DAP\"",
        hid: "CMSIS-DAP",
        bulk: None,
    },
    dap: DapTable {
        info: &[
            (0x04, Info::Text("1.10")),
            // SWD, atomic commands.
            (0xf0, Info::Bytes(&[0x11])),
            (0xfe, Info::PacketCount),
            (0xff, Info::Bytes(&64u16.to_le_bytes())),
        ],
        packets: 5,
        swd_sequence: false,
        timestamps: false,
        erase_mode: false,
        hid_overflow: Assert { file: ".\\source\\daplink\\cmsis-dap\\usbd_user_hid.c", line: 145 },
    },
    pins: PinTable { timing: PinTiming::KL26, nreset: true, reset_on_swdio: true },
    target: TargetTable { reset: ResetLine::Swdio, drops_power: false, button: TargetState::ResetHold },
    flash: FlashTable {
        algorithm: &algorithm::NRF51,
        sector: 1024,
        init_once: true,
        mismatch: Error::Write,
        ascending: Some(Assert { file: ".\\source\\daplink\\drag-n-drop\\flash_manager.c", line: 131 }),
        shows_errors: false,
    },
    drive: DriveTable {
        banner: "# DAPLink Firmware - see https://mbed.com/daplink",
        details: &[
            Detail::UniqueId,
            Detail::HicId,
            Detail::AutoReset,
            Detail::Automation,
            Detail::Overflow,
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
        ],
        actions: ACTIONS,
        // Universal Hex files came later: what is for other boards is in records of types that are skipped.
        hex: HexRules { universal: false, at_line_end: true },
        test_assert: Assert { file: ".\\source\\daplink\\drag-n-drop\\vfs_user.c", line: 158 },
    },
    errors: ErrorTable {
        absent: &[Error::AlgoMissing, Error::Uninit, Error::WriteVerify, Error::IncompatibleImage],
        wording: &[
            (Error::Reset, "The interface firmware FAILED to reset/halt the target MCU"),
            (
                Error::AlgoDownload,
                "The interface firmware FAILED to download the flash programming algorithms to the target MCU",
            ),
            (
                Error::AlgoDataSequence,
                "The interface firmware FAILED to download the flash data contents to be programmed",
            ),
            (Error::Init, "The interface firmware FAILED to initialize the target MCU"),
            (Error::SecurityBits, "The interface firmware ABORTED programming. Image is trying to set security bits"),
            (Error::Unlock, "The interface firmware FAILED to unlock the target for programming"),
        ],
    },
    serial: SerialTable { baud: 9_600, control_lines_clear: false, uart: KL26 },
    lamp: LampTable { lit: false, needs_host: false },
    bootloader: BOOTLOADER,
    storage: None,
    timing: CpuTiming::KL26,
};

/// The bootloader 0243 of a micro:bit V1.5.
const BOOTLOADER: BootloaderTable = BootloaderTable {
    version: 243,
    url: BootloaderUrl::Plain("https://daplink.io"),
    details: &[
        Detail::UniqueId,
        Detail::HicId,
        Detail::AutoReset,
        Detail::Automation,
        Detail::Overflow,
        Detail::Mode,
        Detail::OwnVersion,
        Detail::OtherVersion,
        Detail::LocalMods,
        Detail::UsbInterfaces,
        Detail::InterfaceCrc,
        Detail::RemountCount,
        Detail::Url,
    ],
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
    ],
    // KL26 sub-family data sheet, flash timing: thersscr and tpgm4 typical.
    erase: Span::ms(14),
    word: Span::us(65),
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
];

fn config() -> DapLinkConfig {
    DapLinkConfig {
        board: Board::MicrobitV1,
        version: 253,
        // The bootloader of this board, 0234, has no build information and so is not shown.
        bootloader_version: None,
        build_id: String::new(),
        git_sha: "64359f5c786363065a41ec15c348e3d53568da03".into(),
        interface_crc: 0x5337_5800,
        bootloader_crc: 0,
        board_id: 0x9900,
        default_board_id: 0x9900,
        // Serial numbers have a family id from 0254 on.
        family_id: 0,
        hic_id: 0x9796_9901,
        device_id: [0x7477_6962, 0x6e62_6f78, 0x0000_3101, 0],
        max_power_ma: 500,
        swj_clock: None,
        packet_count: None,
        drive_name: "MICROBIT   ".into(),
        url: "https://microbit.org/device/?id=".into(),
        target_flash: (0, 0x4_0000),
        target_ram: (0x2000_0000, 0x2000_4000),
        // 85 ms for the supplies to settle come before the first tick.
        connect_delay_ms: 1_016,
        // The interface replaces the configuration page of 0234 by its own defaults.
        settings: Settings::default(),
        bootloader_board_id: 0x0000,
        mode: Mode::Interface,
        interface_version: 0,
    }
}
