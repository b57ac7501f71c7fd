//! Nets: which pins are wired together, and what the wire then is.

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

#[derive(Debug)]
pub(super) struct Net {
    pub(super) name: String,
    ends: Vec<(Terminal, Drive)>,
    /// Everything on the net that is not a chip's pin: a button, a resistor, a finger.
    outside: Drive,
    level: Level,
}

impl Net {
    pub(super) fn new(name: &str, ends: &[Terminal], outside: Drive) -> Net {
        let mut net = Net {
            name: name.into(),
            ends: ends.iter().map(|&end| (end, Drive::Released)).collect(),
            outside,
            level: Level::Unknown,
        };
        net.level = net.resolve();
        net
    }

    pub(super) fn level(&self) -> Level {
        self.level
    }

    pub(super) fn ends(&self) -> impl Iterator<Item = Terminal> + '_ {
        self.ends.iter().map(|&(end, _)| end)
    }

    fn resolve(&self) -> Level {
        Level::resolve(self.ends.iter().map(|&(_, drive)| drive).chain([self.outside]))
    }

    /// What is not a chip's pin changes what it does. True if the level changed.
    pub(super) fn drive_outside(&mut self, drive: Drive) -> bool {
        self.outside = drive;
        self.update()
    }

    /// All chips let go of the net. True if the level changed.
    pub(super) fn release(&mut self) -> bool {
        for (_, drive) in &mut self.ends {
            *drive = Drive::Released;
        }
        self.update()
    }

    fn update(&mut self) -> bool {
        let level = self.resolve();
        std::mem::replace(&mut self.level, level) != level
    }

    /// `from` does `signal` at `at`. What the other ends see of it goes to `tell`, without the wire's latency.
    pub(super) fn signal(
        &mut self,
        id: NetId,
        at: Time,
        from: Terminal,
        signal: Signal,
        sink: &mut dyn Sink,
        mut tell: impl FnMut(Terminal, Edge),
    ) {
        let seen = match signal {
            Signal::Serial(_) => signal,
            Signal::Drive(drive) => {
                if let Some((_, slot)) = self.ends.iter_mut().find(|(end, _)| *end == from) {
                    *slot = drive;
                }
                if !self.update() {
                    return;
                }
                Signal::Drive(self.level.into())
            }
        };
        sink.net(at, id, seen);
        for &(end, _) in self.ends.iter().filter(|(end, _)| *end != from) {
            tell(end, Edge { at, pin: end.pin, signal: seen });
        }
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
