//! The settings of `--what-if`.

use std::fmt;
use std::str::FromStr;

use twinboard_sim::time::Span;
use twinboard_usbip::host::flasher::{Erase, Strategy};

use super::Way;

/// SWCLK, if nothing else is said: what pyOCD, OpenOCD and probe-rs set.
const SWD_CLOCK: u32 = 1_000_000;

/// The first version whose firmware knows the vendor command SelectEraseMode.
const ERASE_MODE_SINCE: u32 = 255;

/// One setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhatIf {
    /// SWCLK, hertz.
    SwdClock(u32),
    /// What carries CMSIS-DAP: HID or bulk.
    Transport(Way),
    /// Commands on their way at once.
    PacketCount(u8),
    /// What is erased when.
    Erase(Erase),
    /// The routine waits for READYNEXT.
    ReadyNext(bool),
    /// There are two buffers.
    DoubleBuffering(bool),
    /// The delay before each URB.
    HostLatency(Span),
}

impl FromStr for WhatIf {
    type Err = String;

    fn from_str(text: &str) -> Result<WhatIf, String> {
        let (key, value) = text.split_once('=').ok_or("KEY=VALUE was expected")?;
        let on = || match value {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(format!("on or off was expected, not {value}")),
        };
        Ok(match key {
            "swd-clock" => {
                let hz = number(value, &[("MHz", 1_000_000), ("kHz", 1_000), ("Hz", 1), ("", 1)]);
                let hz = hz.and_then(|hz| u32::try_from(hz).ok()).filter(|hz| (10_000..=50_000_000).contains(hz));
                WhatIf::SwdClock(hz.ok_or(format!("10 kHz to 50 MHz, as 4MHz, was expected, not {value}"))?)
            }
            "transport" => WhatIf::Transport(match value {
                "hid" => Way::Hid,
                "bulk" => Way::Bulk,
                _ => return Err(format!("hid or bulk was expected, not {value}")),
            }),
            "packet-count" => {
                let count = value.parse().ok().filter(|count| (1..=8).contains(count));
                WhatIf::PacketCount(count.ok_or(format!("1 to 8 was expected, not {value}"))?)
            }
            "erase" => WhatIf::Erase(match value {
                "page" => Erase::Pages,
                "chip" => Erase::Chip,
                _ => return Err(format!("page or chip was expected, not {value}")),
            }),
            "readynext" => WhatIf::ReadyNext(on()?),
            "double-buffering" => WhatIf::DoubleBuffering(on()?),
            "host-latency" => {
                let span = number(value, &[("us", 1), ("ms", 1_000)]).filter(|span| *span <= 1_000_000);
                WhatIf::HostLatency(Span::us(span.ok_or(format!("a time as 100us or 1ms was expected, not {value}"))?))
            }
            _ => {
                return Err("swd-clock, transport, packet-count, erase, readynext, double-buffering or host-latency \
                            was expected"
                    .into());
            }
        })
    }
}

/// A whole number with one of the units, times its factor.
fn number(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

impl fmt::Display for WhatIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |on| if on { "on" } else { "off" };
        match *self {
            WhatIf::SwdClock(hz) => write!(f, "swd-clock={hz}Hz"),
            WhatIf::Transport(way) => write!(f, "transport={}", if way == Way::Hid { "hid" } else { "bulk" }),
            WhatIf::PacketCount(count) => write!(f, "packet-count={count}"),
            WhatIf::Erase(erase) => write!(f, "erase={}", if erase == Erase::Pages { "page" } else { "chip" }),
            WhatIf::ReadyNext(yes) => write!(f, "readynext={}", on(yes)),
            WhatIf::DoubleBuffering(yes) => write!(f, "double-buffering={}", on(yes)),
            WhatIf::HostLatency(span) => write!(f, "host-latency={}us", span.0 / 1_000_000),
        }
    }
}

/// What a row is measured of.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// How the program gets there.
    pub way: Way,
    /// The interface chip is the native model.
    pub native: bool,
    /// The firmware's version as a number.
    pub version: u32,
    /// The target is an nRF52.
    pub nrf52: bool,
}

impl WhatIf {
    /// Whether the setting changes anything for such a row.
    pub fn reaches(self, row: &Reach) -> bool {
        let dap = row.way != Way::Drop;
        match self {
            WhatIf::SwdClock(_) => dap || row.native,
            WhatIf::Transport(_) | WhatIf::PacketCount(_) | WhatIf::DoubleBuffering(_) => dap,
            WhatIf::Erase(_) => dap || row.version >= ERASE_MODE_SINCE,
            WhatIf::ReadyNext(_) => dap && row.nrf52,
            WhatIf::HostLatency(_) => true,
        }
    }
}

/// Everything that can be set, as the settings leave it.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// How CMSIS-DAP programs. The page size is the target's, filled in later.
    pub strategy: Strategy,
    /// SWCLK of native firmware's own access; none is the board's.
    pub own_clock: Option<u32>,
    /// DAP_PACKET_COUNT of native firmware; none is the board's.
    pub packet_count: Option<u8>,
    /// How the firmware erases for a drag-and-drop; none leaves it as it is at power-on.
    pub drop_erase: Option<Erase>,
    /// The delay before each URB.
    pub host_latency: Span,
}

impl Conditions {
    /// `settings` over the defaults, the later over the earlier.
    pub fn of(settings: &[WhatIf]) -> Conditions {
        let mut conditions = Conditions {
            strategy: Strategy {
                clock: SWD_CLOCK,
                packet_count: None,
                erase: Erase::Pages,
                ready_next: false,
                double_buffering: true,
                page: 0,
            },
            own_clock: None,
            packet_count: None,
            drop_erase: None,
            host_latency: Span::ZERO,
        };
        let strategy = &mut conditions.strategy;
        for setting in settings {
            match *setting {
                WhatIf::SwdClock(hz) => (strategy.clock, conditions.own_clock) = (hz, Some(hz)),
                // Which rows there are.
                WhatIf::Transport(_) => {}
                WhatIf::PacketCount(count) => {
                    (strategy.packet_count, conditions.packet_count) = (Some(count.into()), Some(count));
                }
                WhatIf::Erase(erase) => (strategy.erase, conditions.drop_erase) = (erase, Some(erase)),
                WhatIf::ReadyNext(on) => strategy.ready_next = on,
                WhatIf::DoubleBuffering(on) => strategy.double_buffering = on,
                WhatIf::HostLatency(latency) => conditions.host_latency = latency,
            }
        }
        conditions
    }
}
