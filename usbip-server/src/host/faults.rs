//! `host.*`: a host with bad manners.
//!
//! These points belong to the in-process host, not to the board: [`Host::arm`] takes them. Where an opportunity concerns
//! blocks of the drive, the plan's address range is one of block numbers. `endpoint` is the URB's: 0 for control transfers.

use twinboard_sim::fault::{ArmError, Param, PointSpec, SharedFault};
use twinboard_sim::time::{Span, Time};

use super::Host;
use super::orders::Run;
use super::volume::SECTOR;

/// The family's points.
pub static POINTS: &[PointSpec] = &[
    PointSpec {
        name: "host.slow",
        what: "the host waits for `delay` before it submits a URB",
        opportunity: "a URB that a driver waits for; enumeration up to SET_CONFIGURATION has none",
        params: &[Param::Delay.needed(), Param::Endpoint.optional()],
    },
    PointSpec {
        name: "host.give-up",
        what: "a URB that is not done after `delay` is cancelled (UNLINK), and its driver sees a time-out",
        opportunity: "a URB that is not done after `delay`",
        params: &[Param::Delay.needed(), Param::Endpoint.optional()],
    },
    PointSpec {
        name: "host.reorder",
        what: "a WRITE (10) command of a copy changes places with the one that follows it",
        opportunity: "a WRITE (10) of a copy that another one follows, and that has not changed places yet",
        params: &[],
    },
    PointSpec {
        name: "host.drop-write",
        what: "a WRITE (10) is not sent, while the host takes it for done",
        opportunity: "a WRITE (10)",
        params: &[],
    },
];

/// The point called `name`.
#[must_use]
pub fn point(name: &str) -> Option<&'static PointSpec> {
    POINTS.iter().find(|point| point.name == name)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Slow,
    GiveUp,
    Reorder,
    DropWrite,
}

impl Kind {
    fn of(point: &PointSpec) -> Option<Kind> {
        Some(match point.name {
            "host.slow" => Kind::Slow,
            "host.give-up" => Kind::GiveUp,
            "host.reorder" => Kind::Reorder,
            "host.drop-write" => Kind::DropWrite,
            _ => return None,
        })
    }
}

/// What is armed on a host.
#[derive(Debug, Default)]
pub(super) struct HostFaults {
    faults: Vec<(Kind, SharedFault)>,
}

fn endpoint(address: u8) -> String {
    format!("endpoint {} {}", address & 0xf, if address & 0x80 != 0 { "IN" } else { "OUT" })
}

fn blocks(run: &Run) -> std::ops::Range<u32> {
    run.lba..run.lba.saturating_add((run.data.len() / SECTOR) as u32)
}

fn name(blocks: &std::ops::Range<u32>) -> String {
    format!("WRITE of blocks {} to {}", blocks.start, blocks.end.saturating_sub(1))
}

impl HostFaults {
    fn of(&self, kind: Kind) -> impl Iterator<Item = &SharedFault> {
        self.faults.iter().filter(move |(other, _)| *other == kind).map(|(_, fault)| fault)
    }

    /// How long the host waits before it submits a URB.
    pub(super) fn wait_before(&self, at: Time, address: u8) -> Option<Span> {
        self.of(Kind::Slow).find_map(|fault| {
            let mut fault = fault.lock();
            let concerned = fault.params().endpoint.is_none_or(|wanted| wanted == address);
            concerned.then_some(())?;
            let tell = |span: &Span| (endpoint(address), format!("a URB was submitted {} µs late", span.0 / 1_000_000));
            fault.strike(at, |params, _| params.delay.filter(|span| *span > Span::ZERO), tell)
        })
    }

    /// After a URB has not been done for `waited`: the next length of time at which somebody may lose patience.
    pub(super) fn patience(&self, at: Time, address: u8, waited: Option<Span>) -> Option<Span> {
        let patience = self.of(Kind::GiveUp).filter_map(|fault| {
            let fault = fault.lock();
            let concerned = fault.is_live(at) && fault.params().endpoint.is_none_or(|wanted| wanted == address);
            fault.params().delay.filter(|delay| concerned && waited.is_none_or(|waited| *delay > waited))
        });
        patience.min()
    }

    /// A URB has not been done for `patience`: whether the host gives it up.
    pub(super) fn gives_up(&self, at: Time, address: u8, patience: Span) -> bool {
        self.of(Kind::GiveUp).any(|fault| {
            let mut fault = fault.lock();
            let concerned = fault.params().endpoint.is_none_or(|wanted| wanted == address);
            if !concerned || fault.params().delay != Some(patience) {
                return false;
            }
            let tell =
                |(): &()| (endpoint(address), format!("a URB was cancelled after {} µs", patience.0 / 1_000_000));
            fault.strike(at, |_, _| Some(()), tell).is_some()
        })
    }

    /// Whether the first of these WRITEs of a copy is sent after the second.
    pub(super) fn swaps(&self, at: Time, first: &Run, second: &Run) -> bool {
        self.of(Kind::Reorder).any(|fault| {
            let tell = |(): &()| (name(&blocks(first)), format!("was sent after the {}", name(&blocks(second))));
            fault.lock().strike_in(at, Some(blocks(first)), |_, _| (first != second).then_some(()), tell).is_some()
        })
    }

    /// Whether the WRITE of `count` blocks from `lba` on is left out.
    pub(super) fn drops(&self, at: Time, lba: u32, count: usize) -> bool {
        let blocks = lba..lba.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.of(Kind::DropWrite).any(|fault| {
            let tell = |(): &()| (name(&blocks), "was not sent".into());
            fault.lock().strike_in(at, Some(blocks.clone()), |_, _| Some(()), tell).is_some()
        })
    }
}

impl<M> Host<M> {
    /// Arms a fault of this family.
    ///
    /// # Errors
    /// [`ArmError::NotHere`] if it is none.
    pub fn arm(&mut self, fault: &SharedFault) -> Result<(), ArmError> {
        let point = fault.point();
        let Some(kind) = Kind::of(point) else {
            let reason = "it is not the host's".into();
            return Err(ArmError::NotHere { point: point.name.into(), reason });
        };
        self.faults.faults.push((kind, fault.clone()));
        Ok(())
    }
}
