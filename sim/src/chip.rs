//! The contract of a chip: a thing with pins that time passes through.

use crate::cpu::Cpu;
use crate::debug::DebugTarget;
use crate::time::{Span, Time};
use crate::usb::UsbPort;
use crate::wire::Edge;

/// A chip, emulated or native.
///
/// Two laws make whole boards deterministic, threaded or not; the drivers rely on them and a property test holds
/// every chip to them:
///
/// 1. *Slices do not matter*: `advance(a); advance(b)` leaves the chip as `advance(b)` alone does.
/// 2. *Nothing acts on the past*: an edge put into the outbox at `t` carries a time ≥ the chip's time before the call.
pub trait Chip: Send {
    /// The chip's own time. May lie behind the board's, and after an instruction a little ahead of what was asked.
    fn now(&self) -> Time;

    /// The earliest time at which the chip does anything if left alone: [`Chip::now`] for a running core, the next
    /// timer event for a sleeping one, [`Time::NEVER`] for a chip that only answers.
    fn next_event(&self) -> Time;

    /// The earliest time at which the chip does anything that others could see if left alone. Later than
    /// [`Chip::next_event`] for a core that is known to wait in a loop.
    fn quiet_until(&self) -> Time {
        self.next_event()
    }

    /// A lower bound on the time between the cause of an edge inside the chip and the moment its neighbours can see
    /// it (the length of the shortest serial character, for example). Never zero.
    fn lookahead(&self) -> Span;

    /// Runs until `until`, but returns at once (after the instruction in hand) when something was put into `out`: its
    /// neighbours may have to answer.
    fn advance(&mut self, until: Time, out: &mut Vec<Edge>);

    /// Something happened to the net of one of the chip's pins. `edge.at` is not before [`Chip::now`] by more than an
    /// instruction; the chip acts on it when its time comes there.
    fn receive(&mut self, edge: Edge);

    /// The chip's USB socket, if it has one.
    fn usb(&mut self) -> Option<&mut dyn UsbPort> {
        None
    }

    /// What the chip's debug port reaches, if it has one.
    fn debug(&mut self) -> Option<&mut dyn DebugTarget> {
        None
    }

    /// Runs `f` on the chip's core, if it has one that executes instructions: for a debugger outside of the
    /// simulation. False if it has none.
    fn with_cpu(&mut self, f: &mut dyn FnMut(&mut dyn Cpu)) -> bool {
        let _ = f;
        false
    }

    /// The power comes back at `at`: everything volatile is lost. If the chip's time lies before `at`, it was without
    /// power until then, and nothing of what it would have done happens.
    fn power_cycle(&mut self, at: Time);

    /// In how many places its program went wrong so far, each counted once for each kind of accident; [`Chip::report`]
    /// has them. Never goes back.
    fn incidents(&self) -> usize {
        0
    }

    /// Adds what the chip did that its model does not cover (unmodelled registers and the like) to `report`.
    fn report(&self, report: &mut crate::report::Report);
}
