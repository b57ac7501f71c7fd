//! Native firmware as straight-line code in virtual time.
//!
//! A native model of a chip does what its firmware's main loop does: wait for something, work for a while, wait again.
//! It is written as an `async` function; [`TaskClock`] gives it its only way to let time pass. A wait that ends within
//! the span that the chip may run costs nothing but an addition; one that does not suspends the task, and the chip's
//! next `advance` goes on where it stopped, so that a power cut, an unplug or an unlink can fall between any two steps.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use crate::time::{Span, Time};

#[derive(Debug, Default)]
struct Shared {
    now: AtomicU64,
    until: AtomicU64,
    wake_at: AtomicU64,
    notified: AtomicBool,
    /// The task waits for a notice, and not (only) for a time: a notice during a sleep must not wake it.
    listening: AtomicBool,
}

/// The task's clock, shared between a chip and its task. Clones are the same clock.
#[derive(Clone, Debug, Default)]
pub struct TaskClock(Arc<Shared>);

// One thread at a time uses a chip and the chip's task with it, so the orderings carry no data: Relaxed is enough.
const R: Ordering = Ordering::Relaxed;

impl TaskClock {
    /// The task's time.
    #[must_use]
    pub fn now(&self) -> Time {
        Time(self.0.now.load(R))
    }

    /// Lets `span` of the task's time pass.
    pub fn sleep(&self, span: Span) -> Sleep<'_> {
        Sleep { clock: self, until: self.now() + span }
    }

    /// Waits until `at`; returns at once if it is past.
    pub fn sleep_until(&self, at: Time) -> Sleep<'_> {
        Sleep { clock: self, until: at }
    }

    /// Waits for [`TaskClock::notify`]. A notice given since the last wait counts.
    pub fn notified(&self) -> Notified<'_> {
        Notified { clock: self, deadline: Time::NEVER }
    }

    /// Waits for a notice, at the longest until `deadline`. True if a notice came.
    pub fn notified_until(&self, deadline: Time) -> Notified<'_> {
        Notified { clock: self, deadline }
    }

    /// Tells the task that something happened (a packet, a pin, a button).
    pub fn notify(&self) {
        self.0.notified.store(true, R);
    }
}

/// See [`TaskClock::sleep`].
#[derive(Debug)]
pub struct Sleep<'a> {
    clock: &'a TaskClock,
    until: Time,
}

impl Future for Sleep<'_> {
    type Output = ();
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let shared = &self.clock.0;
        if self.until.0 <= shared.now.load(R) {
            Poll::Ready(())
        } else if self.until.0 <= shared.until.load(R) {
            shared.now.store(self.until.0, R);
            Poll::Ready(())
        } else {
            shared.wake_at.store(self.until.0, R);
            Poll::Pending
        }
    }
}

/// See [`TaskClock::notified`].
#[derive(Debug)]
pub struct Notified<'a> {
    clock: &'a TaskClock,
    deadline: Time,
}

impl Future for Notified<'_> {
    type Output = bool;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<bool> {
        let shared = &self.clock.0;
        if shared.notified.swap(false, R) {
            return Poll::Ready(true);
        }
        if self.deadline.0 <= shared.until.load(R) {
            shared.now.fetch_max(self.deadline.0, R);
            return Poll::Ready(false);
        }
        shared.wake_at.store(self.deadline.0, R);
        shared.listening.store(true, R);
        Poll::Pending
    }
}

/// A task and its clock, as the chip holds them.
pub struct Task {
    clock: TaskClock,
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    done: bool,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("now", &self.clock.now()).field("done", &self.done).finish_non_exhaustive()
    }
}

impl Task {
    /// A task that starts at `start`; `make` gets its clock.
    pub fn new<F>(start: Time, make: impl FnOnce(TaskClock) -> F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let clock = TaskClock::default();
        clock.0.now.store(start.0, R);
        clock.0.until.store(start.0, R);
        // Wake at once: the first `advance` starts the task.
        clock.0.wake_at.store(start.0, R);
        Task { future: Box::pin(make(clock.clone())), clock, done: false }
    }

    /// The task's clock.
    #[must_use]
    pub fn clock(&self) -> &TaskClock {
        &self.clock
    }

    /// When the task goes on by itself.
    #[must_use]
    pub fn next_event(&self) -> Time {
        if self.done {
            Time::NEVER
        } else if self.clock.0.listening.load(R) && self.clock.0.notified.load(R) {
            self.clock.now()
        } else {
            Time(self.clock.0.wake_at.load(R))
        }
    }

    /// Runs the task until it waits for something later than `until`; its clock then stands at `until` at least.
    pub fn advance(&mut self, until: Time) {
        self.clock.0.until.fetch_max(until.0, R);
        while !self.done && self.next_event() <= until {
            self.clock.0.wake_at.store(Time::NEVER.0, R);
            self.clock.0.listening.store(false, R);
            self.done = self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        }
        self.clock.0.now.fetch_max(until.0, R);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    type Log = Arc<Mutex<Vec<u64>>>;

    fn blinker(log: Log) -> Task {
        Task::new(Time::ZERO, move |clock| async move {
            for _ in 0..3 {
                clock.sleep(Span::us(10)).await;
                log.lock().expect("log").push(clock.now().as_micros());
            }
            if clock.notified_until(Time::ZERO + Span::us(100)).await {
                log.lock().expect("log").push(1_000 + clock.now().as_micros());
            }
        })
    }

    #[test]
    fn slicing_does_not_change_when_a_task_acts() {
        for slice in [1, 3, 7, 10, 50] {
            let log = Log::default();
            let mut task = blinker(log.clone());
            let mut at = 0;
            while at < 50 {
                at += slice;
                task.advance(Time::ZERO + Span::us(at));
            }
            assert_eq!(*log.lock().expect("log"), [10, 20, 30]);
        }
    }

    #[test]
    fn a_notice_wakes_the_task_at_the_time_it_was_given() {
        let log = Log::default();
        let mut task = blinker(log.clone());
        task.advance(Time::ZERO + Span::us(60));
        assert_eq!(task.next_event(), Time::ZERO + Span::us(100));
        task.clock().notify();
        task.advance(Time::ZERO + Span::us(61));
        assert_eq!(log.lock().expect("log").last(), Some(&1_060));
        assert_eq!(task.next_event(), Time::NEVER);
    }

    #[test]
    fn a_notice_during_a_sleep_waits_until_the_task_listens() {
        let log = Log::default();
        let mut task = blinker(log.clone());
        task.advance(Time::ZERO + Span::us(5));
        task.clock().notify();
        assert_eq!(task.next_event(), Time::ZERO + Span::us(10));
        task.advance(Time::ZERO + Span::us(50));
        assert_eq!(*log.lock().expect("log"), [10, 20, 30, 1_030]);
    }
}
