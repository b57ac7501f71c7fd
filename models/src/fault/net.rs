//! What is armed on one net of a board: the board asks about everything that happens there.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::board::{Condition, Fate, NetState, Tamper};
use twinboard_sim::fault::SharedFault;
use twinboard_sim::time::Time;
use twinboard_sim::wire::Signal;

use super::i2c::I2cFaults;
use super::uart::Characters;
use super::wire::Levels;

/// The faults of one net; clones are of the same net.
#[derive(Clone, Default)]
pub struct NetFaults(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    wire: String,
    levels: Levels,
    characters: Characters,
    i2c: I2cFaults,
}

impl fmt::Debug for NetFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetFaults").field("wire", &self.0.lock().wire).finish_non_exhaustive()
    }
}

impl NetFaults {
    /// None yet, on the net called `wire`.
    #[must_use]
    pub fn new(wire: &str) -> NetFaults {
        NetFaults(Arc::new(Mutex::new(Inner { wire: wire.into(), ..Inner::default() })))
    }

    /// Arms a fault of the families `wire` and `uart`; false if it is none.
    pub fn add(&self, fault: &SharedFault) -> bool {
        let mut inner = self.0.lock();
        inner.levels.add(fault) || inner.characters.add(fault)
    }

    /// The net is SDA of the bus on which these faults are.
    pub fn carry(&self, i2c: I2cFaults) {
        self.0.lock().i2c = i2c;
    }

    /// When time alone changes something; now, if it has already.
    #[must_use]
    pub fn next(&self, now: Time) -> Time {
        self.0.lock().levels.next(now)
    }
}

impl Tamper for NetFaults {
    fn level(&mut self, at: Time, state: NetState) -> Condition {
        let mut inner = self.0.lock();
        let Inner { wire, levels, .. } = &mut *inner;
        levels.level(at, state, wire)
    }

    fn signal(&mut self, at: Time, signal: Signal) -> Fate {
        let mut inner = self.0.lock();
        let Inner { wire, levels, characters, i2c } = &mut *inner;
        match signal {
            Signal::Drive(_) => Fate::Pass,
            Signal::Serial(_) if levels.blocks(at, wire, "a character") => Fate::Drop,
            Signal::I2c(_) if levels.blocks(at, wire, "a step of a transfer") => Fate::Drop,
            Signal::Serial(frame) => characters.character(at, frame, wire),
            Signal::I2c(step) => i2c.step(at, step),
        }
    }
}
