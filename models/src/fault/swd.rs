//! `swd.*`: what goes wrong on the debug wires between the probe and the target.
//!
//! Levels are damaged, and what the target finds; everything that follows (no acknowledge, parity errors, a target that is
//! silent until a line reset) is the doing of [`crate::debug`], whichever way the probe's firmware came to the wires.

use twinboard_sim::fault::{Param, PointSpec};

const EDGE: &str = "a rising edge of SWCLK";

/// The family's points.
pub static POINTS: &[PointSpec] = &[
    PointSpec {
        name: "swd.swdio-open",
        what: "SWDIO is interrupted, so that probe and target each see their own pull-up",
        opportunity: EDGE,
        params: &[],
    },
    PointSpec {
        name: "swd.swclk-open",
        what: "SWCLK is interrupted, so that the target sees no edge",
        opportunity: EDGE,
        params: &[],
    },
    PointSpec {
        name: "swd.swdio-stuck",
        what: "SWDIO is shorted to ground or to the supply, as `level` says",
        opportunity: EDGE,
        params: &[Param::Level.needed()],
    },
    PointSpec {
        name: "swd.swclk-stuck",
        what: "SWCLK is shorted to ground or to the supply, as `level` says, so that the target sees no edge",
        opportunity: EDGE,
        params: &[Param::Level.needed()],
    },
    PointSpec {
        name: "swd.swapped",
        what: "SWDIO and SWCLK are exchanged, so that the target is clocked by the probe's data",
        opportunity: EDGE,
        params: &[],
    },
    PointSpec {
        name: "swd.noise",
        what: "a bit on SWDIO is read inverted, with the probability `rate`",
        opportunity: "a bit that the probe or the target drives onto SWDIO",
        params: &[Param::Rate.needed()],
    },
    PointSpec {
        name: "swd.wait",
        what: "the target answers WAIT, its access port being busy with the last access still",
        opportunity: "a request after an access to an access port, the first or a repeated one, that would be done \
                      and that silicon may answer with WAIT",
        params: &[],
    },
    PointSpec {
        name: "swd.fault",
        what: "the target answers FAULT, its access port's last access having failed (STICKYERR)",
        opportunity: "a request after an access to an access port that would be done and that silicon may answer with \
                      FAULT",
        params: &[],
    },
    PointSpec {
        name: "swd.parity",
        what: "the parity bit of a read's or a write's data is inverted",
        opportunity: "the parity bit of a data phase",
        params: &[],
    },
    PointSpec {
        name: "swd.target-reset",
        what: "the target's supply dips and resets it, debug port and all, in the middle of a transfer",
        opportunity: "the sixteenth data bit of a transfer",
        params: &[],
    },
];

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    DataOpen,
    ClockOpen,
    DataStuck { high: bool },
    ClockStuck { high: bool },
    Swapped,
    Noise,
    Wait,
    Fault,
    Parity,
    TargetReset,
}

impl Kind {
    /// What the fault on `point` does; none if that is of another family.
    pub(crate) fn of(point: &PointSpec, level: Option<bool>) -> Option<Kind> {
        let high = level.unwrap_or_default();
        Some(match point.name {
            "swd.swdio-open" => Kind::DataOpen,
            "swd.swclk-open" => Kind::ClockOpen,
            "swd.swdio-stuck" => Kind::DataStuck { high },
            "swd.swclk-stuck" => Kind::ClockStuck { high },
            "swd.swapped" => Kind::Swapped,
            "swd.noise" => Kind::Noise,
            "swd.wait" => Kind::Wait,
            "swd.fault" => Kind::Fault,
            "swd.parity" => Kind::Parity,
            "swd.target-reset" => Kind::TargetReset,
            _ => return None,
        })
    }

    /// Whether it is a state of the wires, which every edge meets.
    pub(crate) fn is_of_wires(self) -> bool {
        !matches!(self, Kind::Noise | Kind::Wait | Kind::Fault | Kind::Parity | Kind::TargetReset)
    }
}
