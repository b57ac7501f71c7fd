//! What happened on the wires: sinks that see every edge, in the order of time.

mod hash;
mod vcd;

pub use hash::TraceHash;
pub use vcd::VcdSink;

use crate::board::NetId;
use crate::time::Time;
use crate::wire::Signal;

/// Sees everything that happens on a board's nets. Calls come in the order of time.
pub trait Sink: Send {
    /// A net changed its level, or carries a character that starts at `at`.
    fn net(&mut self, at: Time, net: NetId, signal: Signal);
}

/// Sees nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn net(&mut self, _: Time, _: NetId, _: Signal) {}
}

/// Several sinks as one.
#[derive(Default)]
pub struct Sinks(pub Vec<Box<dyn Sink>>);

impl std::fmt::Debug for Sinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} sinks", self.0.len())
    }
}

impl Sink for Sinks {
    fn net(&mut self, at: Time, net: NetId, signal: Signal) {
        for sink in &mut self.0 {
            sink.net(at, net, signal);
        }
    }
}

/// A sink that its owner and a board share.
impl<S: Sink> Sink for std::sync::Arc<parking_lot::Mutex<S>> {
    fn net(&mut self, at: Time, net: NetId, signal: Signal) {
        self.lock().net(at, net, signal);
    }
}
