//! What goes wrong on a net: asked by the board about everything that happens there. Good nets have nobody to ask.

use crate::time::Time;
use crate::wire::{Level, Signal};

/// What a net is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Condition {
    /// As it should be.
    #[default]
    Good,
    /// Interrupted at each of its ends: nobody hears of the others, and of the board only its resistor is left.
    Open,
    /// Shorted to ground or (true) to the supply.
    Stuck(bool),
}

/// What the levels of a net are like, when somebody drives it otherwise or time alone changes something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetState {
    /// Somebody drives the net otherwise than before; else time passed.
    pub edge: bool,
    /// The level it would be at if it were good.
    pub good: Level,
    /// Whether some end would notice that it is open.
    pub open_matters: bool,
}

/// What becomes of a character or a step of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It goes on as it is.
    Pass,
    /// Nobody hears of it.
    Drop,
    /// This comes instead.
    Change(Signal),
    /// `now` comes at once, if it is anything, and `later` at the time `at`.
    Postpone {
        /// In the signal's place.
        now: Option<Signal>,
        /// When the rest comes; not before the signal itself.
        at: Time,
        /// What comes then; nobody is asked about it any more.
        later: Signal,
    },
}

/// Somebody who does damage to a net.
pub trait Tamper: Send {
    /// What the net is like from `at` on.
    fn level(&mut self, at: Time, state: NetState) -> Condition;

    /// What becomes of a character or a step of a transfer that begins at `at`.
    fn signal(&mut self, at: Time, signal: Signal) -> Fate;
}
