//! Parts of a board that are not chips: they watch pins or push on them.

pub mod air;
pub mod fxos8700;
pub mod i2c;
pub mod led_matrix;
pub mod lsm303agr;
pub mod mag3110;
pub mod mma8653;
mod sampler;
pub mod sensors;
pub mod sound;
pub mod world;

use twinboard_sim::wire::Edge;

/// Sees everything a chip's own pins do, at the time they do it (a lamp, a trace).
pub trait PinObserver: Send {
    /// A pin did something.
    fn edge(&mut self, edge: &Edge);
}
