//! RADIO's registers, events, tasks and shorts, as in the PS chapter "RADIO"; and what differs between the chips.

use super::super::inert::InertSpec;
use super::super::peripheral::us;
use crate::parts::air::Modulation;

/// Tasks.
pub mod task {
    pub const TXEN: u32 = 0x000;
    pub const RXEN: u32 = 0x004;
    pub const START: u32 = 0x008;
    pub const STOP: u32 = 0x00C;
    pub const DISABLE: u32 = 0x010;
    pub const RSSISTART: u32 = 0x014;
    pub const RSSISTOP: u32 = 0x018;
    pub const BCSTART: u32 = 0x01C;
    pub const BCSTOP: u32 = 0x020;
    pub const EDSTART: u32 = 0x024;
    pub const EDSTOP: u32 = 0x028;
    pub const CCASTART: u32 = 0x02C;
    pub const CCASTOP: u32 = 0x030;
}

/// Events by number.
pub mod event {
    pub const READY: u32 = 0;
    pub const ADDRESS: u32 = 1;
    pub const PAYLOAD: u32 = 2;
    pub const END: u32 = 3;
    pub const DISABLED: u32 = 4;
    pub const DEVMATCH: u32 = 5;
    pub const DEVMISS: u32 = 6;
    pub const RSSIEND: u32 = 7;
    pub const BCMATCH: u32 = 10;
    pub const CRCOK: u32 = 12;
    pub const CRCERROR: u32 = 13;
    pub const FRAMESTART: u32 = 14;
    pub const EDEND: u32 = 15;
    pub const EDSTOPPED: u32 = 16;
    pub const CCAIDLE: u32 = 17;
    pub const CCABUSY: u32 = 18;
    pub const CCASTOPPED: u32 = 19;
    pub const TXREADY: u32 = 21;
    pub const RXREADY: u32 = 22;
    pub const PHYEND: u32 = 27;
}

/// Bits of SHORTS.
pub mod short {
    pub const READY_START: u32 = 1 << 0;
    pub const END_DISABLE: u32 = 1 << 1;
    pub const DISABLED_TXEN: u32 = 1 << 2;
    pub const DISABLED_RXEN: u32 = 1 << 3;
    pub const ADDRESS_RSSISTART: u32 = 1 << 4;
    pub const END_START: u32 = 1 << 5;
    pub const ADDRESS_BCSTART: u32 = 1 << 6;
    pub const DISABLED_RSSISTOP: u32 = 1 << 8;
    pub const RXREADY_CCASTART: u32 = 1 << 11;
    pub const CCAIDLE_TXEN: u32 = 1 << 12;
    pub const CCABUSY_DISABLE: u32 = 1 << 13;
    pub const FRAMESTART_BCSTART: u32 = 1 << 14;
    pub const READY_EDSTART: u32 = 1 << 15;
    pub const EDEND_DISABLE: u32 = 1 << 16;
    pub const CCAIDLE_STOP: u32 = 1 << 17;
    pub const TXREADY_START: u32 = 1 << 18;
    pub const RXREADY_START: u32 = 1 << 19;
    pub const PHYEND_DISABLE: u32 = 1 << 20;
    pub const PHYEND_START: u32 = 1 << 21;
}

pub const CRCSTATUS: u32 = 0x400;
pub const RXMATCH: u32 = 0x408;
pub const RXCRC: u32 = 0x40C;
pub const DAI: u32 = 0x410;
pub const PACKETPTR: u32 = 0x504;
pub const FREQUENCY: u32 = 0x508;
pub const TXPOWER: u32 = 0x50C;
pub const MODE: u32 = 0x510;
pub const PCNF0: u32 = 0x514;
pub const PCNF1: u32 = 0x518;
pub const BASE0: u32 = 0x51C;
pub const BASE1: u32 = 0x520;
pub const PREFIX0: u32 = 0x524;
pub const PREFIX1: u32 = 0x528;
pub const TXADDRESS: u32 = 0x52C;
pub const RXADDRESSES: u32 = 0x530;
pub const CRCCNF: u32 = 0x534;
pub const CRCPOLY: u32 = 0x538;
pub const CRCINIT: u32 = 0x53C;
pub const TIFS: u32 = 0x544;
pub const RSSISAMPLE: u32 = 0x548;
pub const STATE: u32 = 0x550;
pub const DATAWHITEIV: u32 = 0x554;
pub const BCC: u32 = 0x560;
pub const DAB: u32 = 0x600;
pub const DAP: u32 = 0x620;
pub const DACNF: u32 = 0x640;
pub const MODECNF0: u32 = 0x650;
pub const SFD: u32 = 0x660;
pub const EDCNT: u32 = 0x664;
pub const EDSAMPLE: u32 = 0x668;
pub const CCACTRL: u32 = 0x66C;

/// What a chip's RADIO has of its own.
#[derive(Debug)]
pub struct RadioSpec {
    /// Registers and events.
    pub registers: InertSpec,
    /// The tasks and shorts from EDSTART and RXREADY_CCASTART on are there.
    pub ieee802154: bool,
    /// MODE: what its values stand for.
    pub modes: &'static [(u32, Modulation)],
    /// TXEN or RXEN to READY, in cycles; MODECNF0.RU can shorten it where there is one.
    pub ramp_up: u64,
    /// The same with MODECNF0.RU = Fast.
    pub fast_ramp_up: Option<u64>,
    /// DISABLE to DISABLED from a transmitting state, in cycles.
    pub tx_disable: u64,
    /// RSSISTART to RSSIEND, in cycles.
    pub rssi: u64,
    /// The weakest signal that is received at 1 Mbit/s, in dBm.
    pub sensitivity: i16,
}

/// RADIO of the nRF52833.
pub const NRF52833: RadioSpec = RadioSpec {
    registers: InertSpec {
        events: 0x1CFF_F4FF,
        registers: &[
            (0x200, 0x200),
            (0x400, 0x400),
            (0x408, 0x414),
            (0x44C, 0x44C),
            (0x458, 0x458),
            (0x504, 0x53C),
            (0x544, 0x548),
            (0x550, 0x554),
            (0x560, 0x560),
            (0x600, 0x650),
            (0x660, 0x66C),
            (0x900, 0x904),
            (0x910, 0x914),
            (0x928, 0x958),
        ],
        resets: &[
            (0x508, 0x2),
            (0x554, 0x40),
            (0x650, 0x200),
            (0x660, 0xA7),
            (0x66C, 0x052D_0000),
            (0x904, 0x2800),
            (0x910, 0x2_3282),
            (0x930, u32::MAX),
            (0x934, u32::MAX),
            (0x938, u32::MAX),
            (0x93C, u32::MAX),
            (0x940, u32::MAX),
            (0x944, u32::MAX),
            (0x948, u32::MAX),
            (0x94C, u32::MAX),
            (0x954, 0x1000),
        ],
        set_clear: &[],
    },
    ieee802154: true,
    modes: &[
        (0, Modulation::Nrf1Mbit),
        (1, Modulation::Nrf2Mbit),
        (3, Modulation::Ble1Mbit),
        (4, Modulation::Ble2Mbit),
        (5, Modulation::BleLr125Kbit),
        (6, Modulation::BleLr500Kbit),
        (15, Modulation::Ieee802154),
    ],
    ramp_up: us(140),
    fast_ramp_up: Some(us(40)),
    tx_disable: us(6),
    rssi: 16, // 0.25 us
    sensitivity: -96,
};

/// RADIO of the nRF51.
pub const NRF51: RadioSpec = RadioSpec {
    registers: InertSpec {
        events: 0x0000_04FF,
        registers: &[
            (0x200, 0x200),
            (0x400, 0x400),
            (0x408, 0x410),
            (0x504, 0x53C),
            (0x540, 0x548),
            (0x550, 0x554),
            (0x560, 0x560),
            (0x600, 0x640),
            (0x724, 0x734),
        ],
        resets: &[(0x508, 0x2), (0x554, 0x40)],
        set_clear: &[],
    },
    ieee802154: false,
    modes: &[
        (0, Modulation::Nrf1Mbit),
        (1, Modulation::Nrf2Mbit),
        (2, Modulation::Nrf250Kbit),
        (3, Modulation::Ble1Mbit),
    ],
    ramp_up: us(140),
    fast_ramp_up: None,
    tx_disable: us(4),
    rssi: 564, // 8.8 us
    sensitivity: -93,
};
