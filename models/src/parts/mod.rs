//! Parts of a board that are not chips: they watch pins or push on them.

pub mod air;
pub mod analog;
pub mod battery;
pub mod cycles;
pub mod fxos8700;
pub mod i2c;
pub mod i2c_slave;
pub mod led;
pub mod led_matrix;
pub mod lsm303agr;
pub mod mag3110;
pub mod mma8653;
mod sampler;
pub mod sensors;
pub mod sound;
pub mod speaker;
pub mod supply;
pub mod swd_pins;
pub mod world;

use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{Edge, PinId};

/// Sees what a chip's own pins do, at the time they do it (a lamp, a trace).
pub trait PinObserver: Send {
    /// Whether it wants to know of this pin; asked once.
    fn watches(&self, pin: PinId) -> bool;

    /// A pin that it watches did something.
    fn edge(&mut self, edge: &Edge);

    /// From `at` on a pin that it watches, driven by the chip, is high for `high` of each `period`, again and again, until its next
    /// edge or the next call: pulses too short to be told one by one. `high` is 0 or `period` for a constant level.
    fn pulses(&mut self, at: Time, pin: PinId, period: Span, high: Span) {
        let _ = (at, pin, period, high);
    }
}
