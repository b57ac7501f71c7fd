//! What a probe promises to its targets: "I will not reach into you before this time".

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::debug::{SwdRequest, SwdTiming, SwdTransfer, SwdWire};
use crate::time::{Span, Time};
use crate::wire::Drive;

/// A lower bound on the time of a probe's next access, shared between the probe and the threads of its targets. It
/// never goes back.
#[derive(Clone, Debug, Default)]
pub struct Promise(Arc<AtomicU64>);

impl Promise {
    /// The promised time.
    #[must_use]
    pub fn get(&self) -> Time {
        // Acquire: pairs with `raise`, so that a target that sees the promise sees what the probe did before it.
        Time(self.0.load(Ordering::Acquire))
    }

    /// Promises not to reach into any target before `at`. Only the thread that runs the probe does: what it reads here is
    /// what it wrote last.
    #[inline]
    pub fn raise(&self, at: Time) {
        if self.0.load(Ordering::Relaxed) < at.0 {
            self.0.store(at.0, Ordering::Release);
        }
    }
}

/// An SWD wire that keeps its probe's promise up to date: each use says that there will be none before it.
pub struct PromisingWire {
    inner: Box<dyn SwdWire>,
    promise: Promise,
}

impl std::fmt::Debug for PromisingWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PromisingWire").field("promise", &self.promise).finish_non_exhaustive()
    }
}

impl PromisingWire {
    /// `inner`, promising by `promise`.
    #[must_use]
    pub fn new(inner: Box<dyn SwdWire>, promise: Promise) -> PromisingWire {
        PromisingWire { inner, promise }
    }
}

impl SwdWire for PromisingWire {
    fn clock(&mut self, at: Time, swdio: Drive) -> bool {
        self.promise.raise(at);
        self.inner.clock(at, swdio)
    }

    fn write_bits(&mut self, at: Time, period: Span, bits: u64, count: u32) {
        self.promise.raise(at);
        self.inner.write_bits(at, period, bits, count);
    }

    fn transfer(&mut self, at: Time, timing: &SwdTiming, request: SwdRequest, data: u32) -> (SwdTransfer, Span) {
        self.promise.raise(at);
        self.inner.transfer(at, timing, request, data)
    }

    fn reset_pin(&mut self, at: Time, asserted: bool) {
        self.promise.raise(at);
        self.inner.reset_pin(at, asserted);
    }

    fn power_cycle(&mut self) {
        self.inner.power_cycle();
    }

    fn level(&mut self, swdio: Drive) -> bool {
        self.inner.level(swdio)
    }
}
