//! What goes wrong on the debug wires ([`crate::fault::swd`]), between the levels and the state machines.
//!
//! The damage is done to levels, bit by bit, and to what the target finds when it decides on a request. A wire's faults
//! are asked once for each edge of SWCLK, so that as many edges are opportunities whether the probe's firmware is native
//! or bangs pins; how often a level is read in between makes no difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use twinboard_sim::debug::DebugTarget;
use twinboard_sim::fault::SharedFault;
use twinboard_sim::time::Time;
use twinboard_sim::wire::{Drive, Level};

use super::dp::Dp;
use super::line::SwdLine;
use super::table::DapTable;
use crate::fault::swd::Kind;

/// The faults of the wires to one debug port; clones are of the same wires.
#[derive(Clone, Debug, Default)]
pub struct WireFaults(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// There are any: the one look that good wires cost.
    any: AtomicBool,
    saboteur: Mutex<Saboteur>,
}

impl WireFaults {
    /// Arms a fault of the family `swd`; false if it is none.
    pub fn add(&self, fault: SharedFault) -> bool {
        let kind = Kind::of(fault.point(), fault.lock().params().level);
        let Some(kind) = kind else { return false };
        self.0.saboteur.lock().armed.push(Armed { kind, fault, taken: false, changed: None });
        self.0.any.store(true, Ordering::Release);
        true
    }

    /// Takes all faults off the wires.
    pub fn clear(&self) {
        *self.0.saboteur.lock() = Saboteur::default();
        self.0.any.store(false, Ordering::Release);
    }

    /// The faults, if there are any.
    #[inline]
    pub(super) fn any(&self) -> Option<parking_lot::MutexGuard<'_, Saboteur>> {
        self.0.any.load(Ordering::Acquire).then(|| self.0.saboteur.lock())
    }
}

/// A difference that a fault made at one edge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    NoEdge,
    TargetSaw(bool),
    ProbeRead(bool),
    NoReset,
}

impl Change {
    fn tell(self, kind: Kind) -> (String, String) {
        let place = if matches!(kind, Kind::ClockOpen | Kind::ClockStuck { .. }) { "SWCLK" } else { "SWDIO" };
        let bit = u8::from;
        let effect = match self {
            Change::NoEdge => "the target saw no edge of SWCLK".into(),
            Change::TargetSaw(level) => format!("the target read {} instead of {}", bit(level), bit(!level)),
            Change::ProbeRead(level) => format!("the probe reads {} instead of {}", bit(level), bit(!level)),
            Change::NoReset => "the reset did not reach the target".into(),
        };
        (place.into(), effect)
    }
}

#[derive(Debug)]
struct Armed {
    kind: Kind,
    fault: SharedFault,
    /// The wires are so at this edge.
    taken: bool,
    /// What that changed.
    changed: Option<Change>,
}

/// Does the damage.
#[derive(Debug, Default)]
pub(super) struct Saboteur {
    armed: Vec<Armed>,
    /// What the probe reads is inverted until the next edge.
    inverted: bool,
    /// The probe's SWDIO was low at the last edge.
    was_low: bool,
}

impl Saboteur {
    /// Nothing can go wrong between `from` and `to`: the wires are good, and the state machines may do without edges.
    pub(super) fn is_quiet(&mut self, from: Time, to: Time) -> bool {
        let quiet = !self.armed.iter().any(|armed| armed.fault.lock().may_strike(from, to));
        if quiet {
            self.repair();
        }
        quiet
    }

    fn repair(&mut self) {
        self.inverted = false;
        self.armed.iter_mut().for_each(|armed| (armed.taken, armed.changed) = (false, None));
    }

    /// An edge of SWCLK at `at`, with what the probe does to SWDIO.
    pub(super) fn clock<T: DebugTarget + ?Sized>(
        &mut self,
        at: Time,
        probe: Drive,
        table: &DapTable,
        (line, dp, target): (&mut SwdLine, &mut Dp, &mut T),
    ) {
        self.repair();
        let seen = self.target_sees(at, probe, line);
        if let Some(bit) = seen {
            self.before_answer(at, line, dp, target);
            line.clock(at, bit, dp, target);
            self.brown_out(at, table, line, dp, target);
        }
        self.after_edge(at, probe, line, seen.is_some());
        for armed in self.armed.iter().filter(|armed| armed.taken) {
            if let Some(change) = armed.changed {
                armed.fault.lock().struck(at, || change.tell(armed.kind));
            }
        }
        self.was_low = probe == Drive::Low;
    }

    /// The level of SWDIO as the probe reads it.
    pub(super) fn probe_sees(&self, probe: Drive, target: Drive) -> bool {
        let taken = self.armed.iter().filter(|armed| armed.taken);
        taken.fold(resolve([probe, target]), |level, armed| reads(armed.kind, level, probe)) != self.inverted
    }

    /// The probe holds both wires low to reset the target: whether the target hears of it.
    pub(super) fn lets_reset_through(&mut self, at: Time) -> bool {
        let keeps_away = |kind| match kind {
            Kind::DataOpen | Kind::ClockOpen => true,
            Kind::DataStuck { high } | Kind::ClockStuck { high } => high,
            _ => false,
        };
        !self.armed.iter().filter(|armed| keeps_away(armed.kind)).any(|armed| {
            let mut fault = armed.fault.lock();
            fault.strike(at, |_, _| Some(()), |()| Change::NoReset.tell(armed.kind)).is_some()
        })
    }

    /// What the access port is found doing when the target decides on a request.
    fn before_answer<T: DebugTarget + ?Sized>(&self, at: Time, line: &SwdLine, dp: &mut Dp, target: &mut T) {
        let Some(request) = line.answers_next() else { return };
        for Armed { kind, fault, .. } in &self.armed {
            let (answer, act): (_, fn(&mut Dp)) = match kind {
                Kind::Wait => ("WAIT", Dp::hold_once),
                Kind::Fault => ("FAULT", Dp::bus_error),
                _ => continue,
            };
            if !dp.is_unconfirmed() || !dp.can_refuse(at, request, target) {
                return;
            }
            let what = || {
                let register = if request.ap { "access port's register" } else { "debug port's register" };
                let direction = if request.read { "a read" } else { "a write" };
                (
                    String::from("debug port"),
                    format!("{direction} of the {register} {:#x} got {answer}", request.address),
                )
            };
            if fault.lock().strike(at, |_, _| Some(()), |()| what()).is_some() {
                return act(dp);
            }
        }
    }

    /// The bit that the target samples; none if it sees no edge.
    fn target_sees(&mut self, at: Time, probe: Drive, line: &SwdLine) -> Option<bool> {
        let (driven, was_low) = (matches!(probe, Drive::Low | Drive::High), self.was_low);
        let mut seen = Some(resolve([probe, line.drive()]));
        for armed in &mut self.armed {
            let mut fault = armed.fault.lock();
            armed.taken = armed.kind.is_of_wires() && fault.takes(at, None);
            let new = match armed.kind {
                kind if kind.is_of_wires() && !armed.taken => continue,
                Kind::DataOpen => seen.map(|_| resolve([Drive::Released, line.drive()])),
                Kind::DataStuck { high } => seen.map(|_| high),
                Kind::ClockOpen | Kind::ClockStuck { .. } => None,
                // The probe changes its data before it pulls its clock low.
                Kind::Swapped => (was_low && probe == Drive::High).then_some(true),
                Kind::Noise if driven => seen.map(|bit| bit != noise(&mut fault, at, "target")),
                Kind::Parity if line.takes_parity_next() => {
                    seen.map(|bit| bit != parity(&mut fault, at, "the target read"))
                }
                _ => seen,
            };
            if armed.taken && new != seen {
                armed.changed = Some(new.map_or(Change::NoEdge, Change::TargetSaw));
            }
            seen = new;
        }
        seen
    }

    /// The target is reset in the middle of a transfer.
    fn brown_out<T: DebugTarget + ?Sized>(
        &self,
        at: Time,
        table: &DapTable,
        line: &mut SwdLine,
        dp: &mut Dp,
        target: &mut T,
    ) {
        if !line.is_half_way() {
            return;
        }
        for armed in self.armed.iter().filter(|armed| armed.kind == Kind::TargetReset) {
            let told = || (String::from("target"), String::from("it was reset after 16 data bits"));
            if armed.fault.lock().strike(at, |_, _| Some(()), |()| told()).is_some() {
                (*line, *dp) = (SwdLine::new(table.pins), Dp::new(table));
                target.brown_out(at);
                return;
            }
        }
    }

    /// What the probe reads until the next edge.
    fn after_edge(&mut self, at: Time, probe: Drive, line: &SwdLine, clocked: bool) {
        let mut level = resolve([probe, line.drive()]);
        let driven = matches!(line.drive(), Drive::Low | Drive::High);
        for armed in &mut self.armed {
            let new = match armed.kind {
                Kind::Noise if clocked && driven => {
                    self.inverted ^= noise(&mut armed.fault.lock(), at, "probe");
                    continue;
                }
                Kind::Parity if clocked && line.sends_parity() => {
                    self.inverted ^= parity(&mut armed.fault.lock(), at, "the probe reads");
                    continue;
                }
                _ if !armed.taken => continue,
                kind => reads(kind, level, probe),
            };
            if new != level {
                armed.changed = armed.changed.or(Some(Change::ProbeRead(new)));
            }
            level = new;
        }
    }
}

/// What the probe reads where it would read `level`, on wires with one more fault.
fn reads(kind: Kind, level: bool, probe: Drive) -> bool {
    match kind {
        // The target sees no edge of a broken clock, but its SWDIO is still there.
        Kind::DataOpen | Kind::Swapped => resolve([probe, Drive::Released]),
        Kind::DataStuck { high } => high,
        _ => level,
    }
}

/// Whether noise inverts a bit on its way to `reader`.
fn noise(fault: &mut twinboard_sim::fault::Fault, at: Time, reader: &str) -> bool {
    let told = || (String::from("SWDIO"), format!("a bit was inverted on its way to the {reader}"));
    fault.strike(at, |params, dice| dice.chance(params.rate.unwrap_or(1.0)).then_some(()), |()| told()).is_some()
}

/// Whether a parity bit is inverted.
fn parity(fault: &mut twinboard_sim::fault::Fault, at: Time, reads: &str) -> bool {
    let told = || (String::from("SWDIO"), format!("{reads} the wrong parity"));
    fault.strike(at, |_, _| Some(()), |()| told()).is_some()
}

/// The level of SWDIO: it has a pull-up on the target's side, and one in the probe. Two strong drivers that disagree
/// give no level, which reads 0.
pub(super) fn resolve([probe, target]: [Drive; 2]) -> bool {
    match (probe, target) {
        (Drive::Low, _) | (_, Drive::Low) => false,
        (Drive::High, _) | (_, Drive::High) => true,
        _ => Level::resolve([probe, target, Drive::PullUp]).bit(),
    }
}
