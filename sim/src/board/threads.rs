//! One thread per chip, in step by windows.
//!
//! Hand-overs spin for a moment before they block: a window is worth a few microseconds of work, a blocking hand-over
//! costs 20–40 µs, a spinning one 75 ns. Chips whose debug port somebody clocks follow their probe's promise through
//! the window, so both run at the same time and the target is never ahead of an access.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};

use super::{Promise, SharedChip};
use crate::time::Time;
use crate::wire::Edge;

/// How often a waiting thread looks before it blocks: some 20 µs.
const SPINS: u32 = 5_000;

/// What one thread runs.
pub(super) struct Job {
    pub(super) chip: SharedChip,
    pub(super) promise: Promise,
    pub(super) follows: Option<Promise>,
}

/// A number that goes up, and threads that wait for it.
#[derive(Default)]
struct Counter {
    value: AtomicU64,
    waiting: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Counter {
    fn raise(&self, value: u64) {
        self.value.store(value, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) {
            let _guard = self.lock.lock();
            self.changed.notify_all();
        }
    }

    fn wait_for(&self, value: u64) {
        for _ in 0..SPINS {
            if self.value.load(Ordering::Acquire) >= value {
                return;
            }
            std::hint::spin_loop();
        }
        let mut guard = self.lock.lock();
        while {
            // Announce the wait before the last look: the raiser stores first and looks for waiters second.
            self.waiting.store(true, Ordering::SeqCst);
            self.value.load(Ordering::SeqCst) < value
        } {
            self.changed.wait(&mut guard);
        }
        self.waiting.store(false, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Shared {
    /// Windows ordered so far; [`STOP`] ends the thread.
    ordered: Counter,
    /// Windows done.
    done: Counter,
    end: AtomicU64,
    outbox: Mutex<Vec<Edge>>,
}

const STOP: u64 = u64::MAX;

struct Worker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// The threads of a board.
pub(super) struct Threads {
    workers: Vec<Worker>,
    windows: u64,
}

impl Threads {
    pub(super) fn start(jobs: impl Iterator<Item = Job>) -> Threads {
        let workers = jobs
            .map(|job| {
                let shared = Arc::new(Shared::default());
                let its = shared.clone();
                Worker { shared, thread: Some(thread::spawn(move || work(&job, &its))) }
            })
            .collect();
        Threads { workers, windows: 0 }
    }

    /// Runs every chip to `end`; what they did goes to `outboxes`, in the order of the chips.
    pub(super) fn run<'a>(&mut self, end: Time, outboxes: impl Iterator<Item = &'a mut Vec<Edge>>) {
        self.windows += 1;
        for worker in &self.workers {
            worker.shared.end.store(end.0, Ordering::Relaxed);
            worker.shared.ordered.raise(self.windows);
        }
        for (worker, outbox) in self.workers.iter().zip(outboxes) {
            worker.shared.done.wait_for(self.windows);
            outbox.append(&mut worker.shared.outbox.lock());
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.shared.ordered.raise(STOP);
            if let Some(thread) = worker.thread.take() {
                // A chip that panicked has said so already.
                let _ = thread.join();
            }
        }
    }
}

fn work(job: &Job, shared: &Shared) {
    // A chip that panics must not leave the board waiting for ever.
    struct Finish<'a>(&'a Shared, &'a Promise);
    impl Drop for Finish<'_> {
        fn drop(&mut self) {
            self.1.raise(Time::NEVER);
            self.0.done.raise(STOP);
        }
    }
    let _finish = Finish(shared, &job.promise);
    for window in 1.. {
        shared.ordered.wait_for(window);
        if shared.ordered.value.load(Ordering::Acquire) == STOP {
            return;
        }
        let end = Time(shared.end.load(Ordering::Relaxed));
        let mut outbox = shared.outbox.lock();
        run_chip(job, end, &mut outbox);
        drop(outbox);
        job.promise.raise(end);
        shared.done.raise(window);
    }
}

fn run_chip(job: &Job, end: Time, outbox: &mut Vec<Edge>) {
    let mut idle = 0;
    loop {
        let promised = job.follows.as_ref().map_or(Time::NEVER, Promise::get);
        let limit = end.min(promised);
        {
            let mut chip = job.chip.lock();
            while chip.next_event() < limit && chip.now() < limit {
                chip.advance(limit, outbox);
                idle = 0;
            }
        }
        if limit >= end {
            return;
        }
        idle += 1;
        if idle < SPINS { std::hint::spin_loop() } else { thread::yield_now() }
    }
}
