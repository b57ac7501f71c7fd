//! What can be wrong with the debug wires, for scenarios: the damage is done to the levels, and everything that
//! follows (no acknowledge, parity errors, a silent target) is the state machines' own doing.

use twinboard_sim::wire::{Drive, Level};

/// Something wrong with the wires between probe and target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum WireFault {
    /// All is well.
    #[default]
    None,
    /// SWDIO is interrupted: each end sees its own pull-up.
    DataOpen,
    /// SWCLK is interrupted, or the target has no power: the target sees no edge.
    ClockOpen,
    /// SWDIO is shorted to ground.
    DataLow,
    /// SWDIO is shorted to the supply.
    DataHigh,
}

/// Damages levels, and counts how often that made a difference.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Saboteur {
    fault: WireFault,
    /// Edges from now until SWDIO is read inverted once by the target; 0 is never.
    flip: u64,
    /// How many edges were not as they would have been on good wires.
    effects: u64,
}

impl Saboteur {
    /// Breaks or repairs the wires.
    pub fn set(&mut self, fault: WireFault) {
        self.fault = fault;
    }

    /// Makes the target read SWDIO inverted at the `edge`-th edge from now (1 is the next), once.
    pub fn flip(&mut self, edge: u64) {
        self.flip = edge;
    }

    /// How many edges the faults have really changed.
    #[must_use]
    pub fn effects(&self) -> u64 {
        self.effects
    }

    /// Whether the wires are good, now and at every edge to come.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.fault == WireFault::None && self.flip == 0
    }

    /// The bit that the target samples at an edge; none if it sees no edge.
    pub fn target_sees(&mut self, probe: Drive, target: Drive) -> Option<bool> {
        let good = resolve([probe, target]);
        let mut seen = match self.fault {
            WireFault::None => Some(good),
            WireFault::DataOpen => Some(resolve([Drive::Released, target])),
            WireFault::ClockOpen => None,
            WireFault::DataLow => Some(false),
            WireFault::DataHigh => Some(true),
        };
        if self.flip > 0 {
            self.flip -= 1;
            if self.flip == 0 {
                seen = seen.map(|bit| !bit);
            }
        }
        if seen != Some(good) {
            self.effects += 1;
        }
        seen
    }

    /// The level that the probe reads.
    #[must_use]
    pub fn probe_sees(&self, probe: Drive, target: Drive) -> bool {
        match self.fault {
            WireFault::None => resolve([probe, target]),
            WireFault::DataOpen | WireFault::ClockOpen => resolve([probe, Drive::Released]),
            WireFault::DataLow => false,
            WireFault::DataHigh => true,
        }
    }
}

/// The level of SWDIO: it has a pull-up on the target's side, and one in the probe. Two strong drivers that disagree
/// give no level, which reads 0.
fn resolve([probe, target]: [Drive; 2]) -> bool {
    match (probe, target) {
        (Drive::Low, _) | (_, Drive::Low) => false,
        (Drive::High, _) | (_, Drive::High) => true,
        _ => Level::resolve([probe, target, Drive::PullUp]).bit(),
    }
}
