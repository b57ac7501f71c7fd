//! Nets: which pins are wired together, and what the wire then is.

use super::tamper::{Condition, Fate, NetState, Tamper};
use crate::time::Time;
use crate::trace::Sink;
use crate::wire::{Drive, Edge, Level, PinId, Signal};

/// Names a net of a board.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct NetId(pub usize);

/// One end of a net: a pin of a chip.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Terminal {
    /// Index of the chip on the board.
    pub chip: usize,
    /// The pin, in that chip's numbering.
    pub pin: PinId,
}

#[derive(Clone, Copy, Debug)]
struct End {
    at: Terminal,
    /// What the pin does to the net.
    drive: Drive,
    /// What it was last told of the rest of the net.
    told: Drive,
}

pub(super) struct Net {
    pub(super) name: String,
    ends: Vec<End>,
    /// Everything on the net that is not a chip's pin: a button, a resistor, a finger.
    outside: Drive,
    /// What of that stays when the net is open: a resistor.
    resistor: Drive,
    level: Level,
    condition: Condition,
    /// Who does damage to it.
    tamper: Option<Box<dyn Tamper>>,
}

impl Net {
    pub(super) fn new(name: &str, ends: &[Terminal], outside: Drive) -> Net {
        let mut net = Net {
            name: name.into(),
            ends: ends.iter().map(|&at| End { at, drive: Drive::Released, told: Drive::Released }).collect(),
            outside,
            resistor: if matches!(outside, Drive::Low | Drive::High) { Drive::Released } else { outside },
            level: Level::Unknown,
            condition: Condition::Good,
            tamper: None,
        };
        net.level = net.resolve();
        net
    }

    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// From now on `tamper` is asked.
    pub(super) fn set_tamper(&mut self, tamper: Box<dyn Tamper>) {
        self.tamper = Some(tamper);
    }

    fn resolve(&self) -> Level {
        match self.condition {
            Condition::Good => self.good(),
            Condition::Open => Level::resolve([self.resistor]),
            Condition::Stuck(high) => Level::from_bit(high),
        }
    }

    /// The level if nothing were wrong.
    fn good(&self) -> Level {
        Level::resolve(self.ends.iter().map(|end| end.drive).chain([self.outside]))
    }

    /// What the rest of the net does to the end number `index`, if nothing is wrong.
    fn others(&self, index: usize) -> Drive {
        let others = self.ends.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, end)| end.drive);
        Drive::joined(others.chain([self.outside]))
    }

    /// Asks what the net is like.
    fn examine(&mut self, at: Time, edge: bool) {
        let Some(mut tamper) = self.tamper.take() else { return };
        let open_matters = self.ends.iter().enumerate().any(|(index, end)| {
            Level::resolve([self.others(index), end.drive]) != Level::resolve([self.resistor, end.drive])
        });
        self.condition = tamper.level(at, NetState { edge, good: self.good(), open_matters });
        self.tamper = Some(tamper);
    }

    /// What the rest of the net does to each end, told to all of them.
    pub(super) fn tell_all(&mut self, mut tell: impl FnMut(Terminal, Drive)) {
        self.tell(true, None, &mut tell);
    }

    /// Told to those for whom it has changed.
    pub(super) fn tell_changes(&mut self, mut tell: impl FnMut(Terminal, Drive)) {
        self.tell(false, None, &mut tell);
    }

    fn tell(&mut self, all: bool, except: Option<Terminal>, tell: &mut dyn FnMut(Terminal, Drive)) {
        for index in 0..self.ends.len() {
            let seen = match self.condition {
                Condition::Good => self.others(index),
                Condition::Open => self.resistor,
                Condition::Stuck(high) => Level::from_bit(high).into(),
            };
            let end = &mut self.ends[index];
            if Some(end.at) != except && (all || end.told != seen) {
                end.told = seen;
                tell(end.at, seen);
            }
        }
    }

    /// What is not a chip's pin changes what it does. True if the level changed.
    pub(super) fn drive_outside(&mut self, at: Time, drive: Drive) -> bool {
        self.outside = drive;
        self.examine(at, true);
        self.update()
    }

    /// Time may have changed what is wrong with it. True if the level changed.
    pub(super) fn look(&mut self, at: Time) -> bool {
        self.examine(at, false);
        self.update()
    }

    /// All chips let go of the net. True if the level changed.
    pub(super) fn release(&mut self) -> bool {
        for end in &mut self.ends {
            end.drive = Drive::Released;
        }
        self.update()
    }

    fn update(&mut self) -> bool {
        let level = self.resolve();
        std::mem::replace(&mut self.level, level) != level
    }

    /// What `from` does at `at` passes by whoever does damage. What the other ends see of it goes to `tell`, without the
    /// wire's latency; the answer is what is to be put on the net later.
    pub(super) fn signal(
        &mut self,
        id: NetId,
        at: Time,
        from: Terminal,
        signal: Signal,
        sink: &mut dyn Sink,
        tell: impl FnMut(Terminal, Edge),
    ) -> Option<(Time, Signal)> {
        let fate = match (&mut self.tamper, signal) {
            (None, _) | (_, Signal::Drive(_)) => Fate::Pass,
            (Some(tamper), signal) => tamper.signal(at, signal),
        };
        let (now, later) = match fate {
            Fate::Pass => (Some(signal), None),
            Fate::Drop => (None, None),
            Fate::Change(other) => (Some(other), None),
            Fate::Postpone { now, at, later } => (now, Some((at, later))),
        };
        if let Some(signal) = now {
            self.put(id, at, from, signal, sink, tell);
        }
        later
    }

    /// `from` does `signal` at `at`, and nobody is asked about it.
    pub(super) fn put(
        &mut self,
        id: NetId,
        at: Time,
        from: Terminal,
        signal: Signal,
        sink: &mut dyn Sink,
        mut tell: impl FnMut(Terminal, Edge),
    ) {
        match signal {
            Signal::Serial(_) | Signal::I2c(_) => {
                sink.net(at, id, signal);
                for end in self.ends.iter().filter(|end| end.at != from) {
                    tell(end.at, Edge { at, pin: end.at.pin, signal });
                }
            }
            Signal::Drive(drive) => {
                if let Some(end) = self.ends.iter_mut().find(|end| end.at == from) {
                    end.drive = drive;
                }
                self.examine(at, true);
                if self.update() {
                    sink.net(at, id, Signal::Drive(self.level.into()));
                }
                self.tell(false, Some(from), &mut |end, seen| {
                    tell(end, Edge { at, pin: end.pin, signal: Signal::Drive(seen) });
                });
            }
        }
    }
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("name", &self.name).field("level", &self.level).finish_non_exhaustive()
    }
}

impl From<Level> for Drive {
    /// The level as a receiver is told it: a net of unknown level is like one that nobody drives.
    fn from(level: Level) -> Drive {
        match level {
            Level::Low => Drive::Low,
            Level::High => Drive::High,
            Level::Unknown => Drive::Released,
        }
    }
}
