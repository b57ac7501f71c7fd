//! The kinds of boards whose DAPLink is known, and what makes them differ: a table for each.
//!
//! [`super::DapLinkConfig`] is one specimen's identity, which a board file may change field by field; a [`Personality`]
//! is what the build of the firmware and the board's circuit decide.

use serde::{Deserialize, Serialize};

use super::config::{DapLinkConfig, Settings};

/// A kind of board.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Board {
    /// micro:bit V1.3: KL26Z, DAPLink 0253, target nRF51822.
    MicrobitV1,
    /// micro:bit V2.2: nRF52820, DAPLink 0257, target nRF52833.
    #[default]
    MicrobitV2,
}

impl Board {
    /// Its table.
    #[must_use]
    pub const fn personality(self) -> &'static Personality {
        match self {
            Board::MicrobitV1 => &MICROBIT_V1,
            Board::MicrobitV2 => &MICROBIT_V2,
        }
    }
}

/// What the firmware of one kind of board is.
#[derive(Debug)]
pub struct Personality {
    /// Identity and settings of a board as it is sold.
    pub config: fn() -> DapLinkConfig,
}

/// DAPLink 0253 on a micro:bit V1.3.
pub static MICROBIT_V1: Personality = Personality { config: microbit_v1 };

/// DAPLink 0257 on a micro:bit V2.2.
pub static MICROBIT_V2: Personality = Personality { config: microbit_v2 };

fn microbit_v1() -> DapLinkConfig {
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
        drive_name: "MICROBIT   ".into(),
        url: "https://microbit.org/device/?id=".into(),
        target_flash: (0, 0x4_0000),
        target_ram: (0x2000_0000, 0x2000_4000),
        // 85 ms for the supplies to settle come before the first tick.
        connect_delay_ms: 1_016,
        // The interface replaces the configuration page of 0234 by its own defaults.
        settings: Settings::default(),
    }
}

fn microbit_v2() -> DapLinkConfig {
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
        settings: Settings::FACTORY,
    }
}
