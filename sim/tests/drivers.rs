//! Threaded and stepped runs of the same board give identical traces, however the run is sliced.

use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;
use twinboard_sim::board::{Board, Builder, Driver, Promise, terminal};
use twinboard_sim::chip::Chip;
use twinboard_sim::machine::Machine;
use twinboard_sim::report::Report;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::trace::TraceHash;
use twinboard_sim::wire::{Drive, Edge, I2cSignal, PinId, SerialFrame, Signal};

/// A chip that talks: at times and with contents that depend on everything it has heard so far.
struct Talker {
    now: Time,
    next: Time,
    state: u64,
    heard: Vec<Edge>,
    /// The chip whose debug port it clocks, and its promise.
    target: Option<(Arc<Mutex<Talker>>, Promise)>,
    /// The longest debug access, in picoseconds, as a mask.
    transfer: u64,
    /// Edges that a debug access made it send.
    pending: Vec<Edge>,
}

impl Talker {
    fn new(seed: u64, target: Option<(Arc<Mutex<Talker>>, Promise)>) -> Talker {
        Talker {
            now: Time::ZERO,
            next: Time(seed % 9_000_000),
            state: seed,
            heard: Vec::new(),
            target,
            transfer: 0,
            pending: vec![],
        }
    }

    fn mix(&mut self, word: u64) -> u64 {
        self.state = (self.state ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        self.state
    }

    fn hear(&mut self) {
        while let Some(index) = self.heard.iter().position(|edge| edge.at <= self.now) {
            let edge = self.heard.remove(index);
            self.mix(edge.at.0);
            self.mix(match edge.signal {
                Signal::Drive(drive) => drive as u64,
                Signal::Serial(frame) => u64::from(frame.bits),
                Signal::I2c(I2cSignal::Write(byte)) => u64::from(byte) << 16,
                Signal::I2c(_) => 1,
            });
        }
    }

    fn run(&mut self, until: Time, out: &mut Vec<Edge>) {
        out.append(&mut self.pending);
        loop {
            let heard = self.heard.iter().map(|edge| edge.at).min().unwrap_or(Time::NEVER);
            let due = self.next.min(heard);
            if due >= until {
                break;
            }
            self.now = self.now.max(due);
            self.hear();
            if self.next <= self.now {
                let roll = self.mix(1);
                self.next = self.now + Span(100_000 + roll % 40_000_000);
                let signal = match roll % 4 {
                    0 => Signal::Serial(SerialFrame { bit: Span::us(1), bits: (roll >> 8) as u16, count: 10 }),
                    1 => Signal::Drive(Drive::Low),
                    2 => Signal::I2c(I2cSignal::Write((roll >> 8) as u8)),
                    _ => Signal::Drive(Drive::High),
                };
                out.push(Edge { at: self.now, pin: PinId((roll >> 4 & 1) as u16), signal });
                if let Some((target, promise)) = self.target.clone() {
                    promise.raise(self.now);
                    // A transfer takes its time on the wire, and may end beyond the window.
                    let end = self.now + Span(roll >> 32 & self.transfer);
                    self.next = self.next.max(end);
                    let answer = target.lock().access(end);
                    self.mix(answer);
                }
            }
        }
        self.now = self.now.max(until);
    }

    /// A debug access: brings the chip to `at`, reads and changes its state.
    fn access(&mut self, at: Time) -> u64 {
        let mut out = std::mem::take(&mut self.pending);
        if self.now < at {
            self.run(at, &mut out);
        }
        self.pending = out;
        self.mix(7)
    }
}

impl Chip for Talker {
    fn now(&self) -> Time {
        self.now
    }
    fn next_event(&self) -> Time {
        let heard = self.heard.iter().map(|edge| edge.at).min().unwrap_or(Time::NEVER);
        if self.pending.is_empty() { self.next.min(heard) } else { self.now }
    }
    fn lookahead(&self) -> Span {
        Span::us(10)
    }
    fn advance(&mut self, until: Time, out: &mut Vec<Edge>) {
        // Event by event, to return right after an edge.
        let before = out.len();
        out.append(&mut self.pending);
        while self.now < until && out.len() == before {
            let next = self.next_event().max(self.now) + Span(1);
            self.run(next.min(until), out);
        }
    }
    fn receive(&mut self, edge: Edge) {
        self.heard.push(edge);
    }
    fn power_cycle(&mut self, _: Time) {}
    fn report(&self, _: &mut Report) {}
}

fn board(seeds: [u64; 3], driver: Driver, transfer: u64) -> (Board, Arc<Mutex<TraceHash>>) {
    let promise = Promise::default();
    let target = Arc::new(Mutex::new(Talker::new(seeds[0], None)));
    let probe = Talker { transfer, ..Talker::new(seeds[1], Some((target.clone(), promise.clone()))) };
    let probe = Arc::new(Mutex::new(probe));
    let third = Arc::new(Mutex::new(Talker::new(seeds[2], None)));
    let mut builder = Builder::default();
    let probe = builder.chip("probe", probe, Some(promise), None);
    let target = builder.chip("target", target, None, Some(probe));
    let third = builder.chip("third", third, None, None);
    builder.net("A", &[terminal(probe, 0), terminal(target, 0), terminal(third, 0)], Drive::PullUp);
    builder.net("B", &[terminal(probe, 1), terminal(target, 1), terminal(third, 1)], Drive::Released);
    let mut board = builder.power_on(driver);
    let hash = Arc::new(Mutex::new(TraceHash::default()));
    board.add_sink(Box::new(hash.clone()));
    (board, hash)
}

fn run(seeds: [u64; 3], driver: Driver, slices: &[u64], transfer: u64) -> TraceHash {
    let (mut board, hash) = board(seeds, driver, transfer);
    let end = Time::ZERO + Span::ms(2);
    let mut slices = slices.iter().cycle();
    while board.now() < end {
        let step = Span::us(*slices.next().expect("slices"));
        let until = end.min(board.now() + step);
        board.advance(until);
    }
    let guard = hash.lock();
    *guard
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn threads_and_slices_do_not_change_the_trace(
        seeds: [u64; 3],
        slices in prop::collection::vec(1u64..300, 1..8),
    ) {
        let whole = run(seeds, Driver::Stepped, &[2_000], 0);
        prop_assert!(whole.edges() > 20, "the board was silent");
        prop_assert_eq!(whole, run(seeds, Driver::Stepped, &slices, 0));
        prop_assert_eq!(whole, run(seeds, Driver::Threaded, &slices, 0));
    }

    /// Then the target is ahead of its window, and what it sent meanwhile must not depend on which thread was first.
    #[test]
    fn threads_do_not_change_the_trace_if_an_access_ends_beyond_its_window(
        seeds: [u64; 3],
        slices in prop::collection::vec(1u64..300, 1..8),
    ) {
        const TRANSFER: u64 = 0xFF_FFFF;
        let stepped = run(seeds, Driver::Stepped, &slices, TRANSFER);
        prop_assert_eq!(stepped, run(seeds, Driver::Threaded, &slices, TRANSFER));
    }
}
