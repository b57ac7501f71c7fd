//! A board under power: chips, the nets between them, and the driver that makes time pass.
//!
//! Time passes in *windows*. A window is no longer than the shortest lookahead of any chip, that is: than the shortest
//! time in which something one chip does can be seen by another. So the chips of a board can run through a window
//! apart from each other, in any order or at the same time, and nobody receives something from its past. Between
//! windows everything that the chips did is sorted by time, put on the nets, and told to the other ends. When
//! everybody sleeps, the window starts at the next event: waiting costs no work. When all chips but one sleep, the
//! window is as long as their sleep, or as it takes until they can see what the one chip did; see [`alone`].
//!
//! A probe's SWD wire is the exception: it reaches into the target within the window. Therefore a probe runs before
//! its targets (one thread), or its targets follow the [`Promise`] it gives (several threads); see [`threads`].

mod alone;
mod net;
mod promise;
mod stop;
mod tamper;
mod threads;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use parking_lot::Mutex;

pub use net::{NetId, Terminal};
pub use promise::{Promise, PromisingWire};
pub use stop::Stop;
pub use tamper::{Condition, Fate, NetState, Tamper};

use crate::chip::Chip;
use crate::machine::Machine;
use crate::report::Report;
use crate::time::{Span, Time};
use crate::trace::{Sink, Sinks};
use crate::usb::{NoPort, UsbPort};
use crate::wire::{Drive, Edge, Level, PinId, Signal};
use net::Net;
use threads::Threads;

/// A chip as the board and whoever clocks its debug port share it.
pub type SharedChip = Arc<Mutex<dyn Chip>>;

/// How the chips of a board run through a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Driver {
    /// One after the other on the calling thread.
    #[default]
    Stepped,
    /// Each on its own thread. Same results, to the picosecond.
    Threaded,
}

/// Edges that did not come through a chip's outbox (a debug wire that is clocked within a window), for the sinks only.
pub type Tap = Arc<Mutex<Vec<(Time, NetId, Signal)>>>;

struct Slot {
    name: String,
    chip: SharedChip,
    /// Edges of this chip are seen this much later.
    latency: Span,
    /// Net of each pin, by pin number.
    routes: Vec<Option<NetId>>,
    outbox: Vec<Edge>,
    /// The probe whose promise bounds this chip.
    follows: Option<Promise>,
}

/// Something on its way to the nets; ordered by time, then by who did it, then by when it was done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: Time,
    source: usize,
    sequence: u64,
}

#[derive(Clone, Copy)]
enum What {
    Pin(Terminal, Signal),
    /// What was postponed: nobody is asked about it again.
    Late(Terminal, Signal),
    Tapped(NetId, Signal),
}

/// See the module's documentation.
pub struct Board {
    slots: Vec<Slot>,
    /// The order in which one thread runs the chips: probes first.
    order: Vec<usize>,
    /// Chips that clock somebody's debug port, by index.
    probes: Vec<bool>,
    nets: Vec<Net>,
    now: Time,
    window: Span,
    /// What happened and is not on the nets yet, earliest first.
    queue: BinaryHeap<Reverse<(Event, Detail)>>,
    sequence: u64,
    /// How many in the queue were postponed.
    late: usize,
    tap: Tap,
    sinks: Sinks,
    /// Chips with a USB socket, and the attention count each was last seen with.
    ports: Vec<(usize, u64)>,
    threads: Option<Threads>,
    powered: bool,
    stop: Stop,
}

/// Details never decide the order: the sequence number is unique.
#[derive(Clone, Copy)]
struct Detail(What);

impl PartialEq for Detail {
    fn eq(&self, _: &Detail) -> bool {
        true
    }
}

impl Eq for Detail {}

impl PartialOrd for Detail {
    fn partial_cmp(&self, other: &Detail) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Detail {
    fn cmp(&self, _: &Detail) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let chips: Vec<_> = self.slots.iter().map(|slot| &slot.name).collect();
        f.debug_struct("Board").field("now", &self.now).field("chips", &chips).finish_non_exhaustive()
    }
}

/// A board while it is put together.
#[derive(Default)]
pub struct Builder {
    slots: Vec<Slot>,
    nets: Vec<Net>,
    tap: Tap,
    promises: Vec<Promise>,
    probe_of: Vec<Option<usize>>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("chips", &self.slots.len()).field("nets", &self.nets.len()).finish()
    }
}

impl Builder {
    /// The place where debug wires report their edges.
    #[must_use]
    pub fn tap(&self) -> Tap {
        self.tap.clone()
    }

    /// Adds a chip; the answer is its index. `promise` is what a probe made its debug wires with, `probe` the index of
    /// the chip that clocks this chip's debug port, which must have been added with a promise.
    pub fn chip(&mut self, name: &str, chip: SharedChip, promise: Option<Promise>, probe: Option<usize>) -> usize {
        let latency = chip.lock().lookahead();
        let follows = probe.and_then(|index| self.promises.get(index).cloned());
        self.slots.push(Slot { name: name.into(), chip, latency, routes: Vec::new(), outbox: Vec::new(), follows });
        self.promises.push(promise.unwrap_or_default());
        self.probe_of.push(probe);
        self.slots.len() - 1
    }

    /// Wires pins together. `outside` is what is on the net besides (a pull-up resistor, an open button).
    pub fn net(&mut self, name: &str, ends: &[Terminal], outside: Drive) -> NetId {
        let id = NetId(self.nets.len());
        self.nets.push(Net::new(name, ends, outside));
        for end in ends {
            let Some(slot) = self.slots.get_mut(end.chip) else { continue };
            let pin = usize::from(end.pin.0);
            if slot.routes.len() <= pin {
                slot.routes.resize(pin + 1, None);
            }
            slot.routes[pin] = Some(id);
        }
        id
    }

    /// Powers the board.
    #[must_use]
    pub fn power_on(mut self, driver: Driver) -> Board {
        let window = self.slots.iter().map(|slot| slot.latency).min().unwrap_or(Span::ms(1));
        let mut order: Vec<usize> = (0..self.slots.len()).collect();
        order.sort_by_key(|&index| (self.probe_of[index].is_some(), index));
        let probes = (0..self.slots.len()).map(|index| self.probe_of.contains(&Some(index))).collect();
        let mut ports = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let mut chip = slot.chip.lock();
            if let Some(port) = chip.usb() {
                ports.push((index, port.attention()));
            }
        }
        let threads = (driver == Driver::Threaded).then(|| {
            Threads::start(self.slots.iter().zip(&self.promises).map(|(slot, promise)| threads::Job {
                chip: slot.chip.clone(),
                promise: promise.clone(),
                follows: slot.follows.clone(),
            }))
        });
        let mut board = Board {
            slots: self.slots,
            order,
            probes,
            nets: self.nets,
            now: Time::ZERO,
            window,
            queue: BinaryHeap::new(),
            sequence: 0,
            late: 0,
            tap: self.tap,
            sinks: Sinks::default(),
            ports,
            threads,
            powered: true,
            stop: Stop::default(),
        };
        board.tell_levels();
        board
    }
}

impl Board {
    /// Adds a sink; it sees what happens from now on, first the level of every net.
    pub fn add_sink(&mut self, mut sink: Box<dyn Sink>) {
        for (index, net) in self.nets.iter().enumerate() {
            sink.net(self.now, NetId(index), Signal::Drive(net.level().into()));
        }
        self.sinks.0.push(sink);
    }

    /// The nets' names, in the order of their ids.
    #[must_use]
    pub fn net_names(&self) -> Vec<String> {
        self.nets.iter().map(|net| net.name.clone()).collect()
    }

    /// The net called `name`.
    #[must_use]
    pub fn net(&self, name: &str) -> Option<NetId> {
        self.nets.iter().position(|net| net.name == name).map(NetId)
    }

    /// The level of a net.
    #[must_use]
    pub fn level(&self, net: NetId) -> Level {
        self.nets.get(net.0).map_or(Level::Unknown, Net::level)
    }

    /// Somebody outside the chips (a finger, a jumper, a fault) drives a net from now on.
    pub fn drive(&mut self, net: NetId, drive: Drive) {
        let now = self.now;
        let Some(wire) = self.nets.get_mut(net.0) else { return };
        let changed = wire.drive_outside(now, drive);
        self.tell_net(net, changed);
    }

    /// From now on `tamper` is asked about everything that happens on `net`.
    pub fn tamper(&mut self, net: NetId, tamper: Box<dyn Tamper>) {
        if let Some(wire) = self.nets.get_mut(net.0) {
            wire.set_tamper(tamper);
        }
    }

    /// What is wrong with `net` may have changed now, though nobody did anything.
    pub fn look_at(&mut self, net: NetId) {
        let now = self.now;
        let Some(wire) = self.nets.get_mut(net.0) else { return };
        let changed = wire.look(now);
        self.tell_net(net, changed);
    }

    /// Something outside the chips changed `net`, and its level if `changed`.
    fn tell_net(&mut self, net: NetId, changed: bool) {
        let (now, wire) = (self.now, &mut self.nets[net.0]);
        if changed {
            self.sinks.net(now, net, Signal::Drive(wire.level().into()));
        }
        if !self.powered {
            return;
        }
        let slots = &self.slots;
        wire.tell_changes(|end, seen| {
            slots[end.chip].chip.lock().receive(Edge { at: now, pin: end.pin, signal: Signal::Drive(seen) });
        });
    }

    /// The chips' names, in the order of their indices.
    pub fn chip_names(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().map(|slot| slot.name.as_str())
    }

    /// The chip called `name`, brought to the board's time.
    #[must_use]
    pub fn chip(&mut self, name: &str) -> Option<SharedChip> {
        let index = self.slots.iter().position(|slot| slot.name == name)?;
        self.bring(index);
        Some(self.slots[index].chip.clone())
    }

    /// Takes the board off its supply and puts it back.
    pub fn power_cycle(&mut self) {
        self.power_off();
        self.power_on();
    }

    /// Where the board stops because of something in it.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Whether the board is on its supply.
    #[must_use]
    pub fn is_powered(&self) -> bool {
        self.powered
    }

    /// Takes the board off its supply: the chips let go of their nets, and nothing happens on the board any more,
    /// while time goes on. Whoever is outside may still drive its nets.
    pub fn power_off(&mut self) {
        if !self.powered {
            return;
        }
        self.queue.clear();
        self.late = 0;
        let mut lost = Vec::new();
        for index in 0..self.slots.len() {
            self.bring(index);
            self.slots[index].outbox.clear();
            let mut chip = self.slots[index].chip.lock();
            chip.power_cycle(self.now);
            // What its pins do because of that is what all pins do below.
            chip.advance(self.now, &mut lost);
        }
        self.tap.lock().clear();
        let Board { nets, sinks, now, .. } = self;
        for (index, net) in nets.iter_mut().enumerate() {
            if net.release() {
                sinks.net(*now, NetId(index), Signal::Drive(net.level().into()));
            }
        }
        self.powered = false;
    }

    /// Puts the board back on its supply, if it is not.
    pub fn power_on(&mut self) {
        if self.powered {
            return;
        }
        self.powered = true;
        for slot in &mut self.slots {
            slot.chip.lock().power_cycle(self.now);
        }
        self.tell_levels();
    }

    /// What the models were asked for and do not have, so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = Report::default();
        for slot in &self.slots {
            let known = report.incidents.len();
            slot.chip.lock().report(&mut report);
            for incident in &mut report.incidents[known..] {
                incident.chip.clone_from(&slot.name);
            }
        }
        report
    }

    /// In how many places programs went wrong so far; if it changed, [`Board::report`] has more of them.
    #[must_use]
    pub fn incidents(&self) -> usize {
        self.slots.iter().map(|slot| slot.chip.lock().incidents()).sum()
    }

    /// Tells every pin what its net is.
    fn tell_levels(&mut self) {
        let (slots, at) = (&self.slots, self.now);
        for net in &mut self.nets {
            net.tell_all(|end, seen| {
                slots[end.chip].chip.lock().receive(Edge { at, pin: end.pin, signal: Signal::Drive(seen) });
            });
        }
    }

    /// Brings a chip that had nothing to do to the board's time.
    fn bring(&mut self, index: usize) {
        if !self.powered {
            return;
        }
        let slot = &mut self.slots[index];
        let mut chip = slot.chip.lock();
        while chip.now() < self.now {
            chip.advance(self.now, &mut slot.outbox);
        }
    }

    /// One window up to `end`.
    fn run_window(&mut self, end: Time) {
        if let Some(threads) = &mut self.threads {
            threads.run(end, self.slots.iter_mut().map(|slot| &mut slot.outbox));
        } else {
            for &index in &self.order {
                let slot = &mut self.slots[index];
                let mut chip = slot.chip.lock();
                while chip.next_event() < end && chip.now() < end {
                    chip.advance(end, &mut slot.outbox);
                }
            }
        }
        // A probe may have dragged its target beyond the window's end, with edges that nobody has fetched; whether somebody
        // has must not depend on which thread came first.
        for slot in self.slots.iter_mut().filter(|slot| slot.follows.is_some()) {
            let mut chip = slot.chip.lock();
            let now = chip.now();
            chip.advance(now, &mut slot.outbox);
        }
        self.now = end;
        self.collect();
        self.settle();
    }

    /// Takes what the chips did into the queue.
    fn collect(&mut self) {
        let Board { slots, queue, sequence, tap, .. } = self;
        let mut push = |at, source, what| {
            *sequence += 1;
            queue.push(Reverse((Event { at, source, sequence: *sequence }, Detail(what))));
        };
        for (index, slot) in slots.iter_mut().enumerate() {
            for edge in slot.outbox.drain(..) {
                push(edge.at, index, What::Pin(Terminal { chip: index, pin: edge.pin }, edge.signal));
            }
        }
        for (at, net, signal) in tap.lock().drain(..) {
            push(at, usize::MAX, What::Tapped(net, signal));
        }
    }

    /// Puts what happened before now on the nets and tells the other ends. What a chip did beyond now (the last
    /// instruction of a window may overshoot it) waits for its turn.
    fn settle(&mut self) {
        while let Some(Reverse((event, Detail(what)))) = self.queue.peek().copied() {
            if event.at >= self.now {
                break;
            }
            self.queue.pop();
            let (from, signal, late) = match what {
                What::Tapped(net, signal) => {
                    self.sinks.net(event.at, net, signal);
                    continue;
                }
                What::Pin(from, signal) => (from, signal, false),
                What::Late(from, signal) => (from, signal, true),
            };
            self.late -= usize::from(late);
            let Board { slots, nets, sinks, .. } = self;
            let source = &slots[from.chip];
            let Some(&Some(id)) = source.routes.get(usize::from(from.pin.0)) else { continue };
            let latency = source.latency;
            let tell = |end: Terminal, edge: Edge| {
                slots[end.chip].chip.lock().receive(Edge { at: edge.at + latency, ..edge });
            };
            let net = &mut nets[id.0];
            if late {
                net.put(id, event.at, from, signal, sinks, tell);
            } else if let Some((at, signal)) = net.signal(id, event.at, from, signal, sinks, tell) {
                self.late += 1;
                self.sequence += 1;
                let event = Event { at: at.max(event.at), source: from.chip, sequence: self.sequence };
                self.queue.push(Reverse((event, Detail(What::Late(from, signal)))));
            }
        }
    }

    /// Whether a USB port asks to be looked at; remembers that it did.
    fn attention(&mut self) -> bool {
        let mut changed = false;
        for (index, seen) in &mut self.ports {
            if let Some(port) = self.slots[*index].chip.lock().usb() {
                let count = port.attention();
                changed |= std::mem::replace(seen, count) != count;
            }
        }
        changed
    }
}

impl Machine for Board {
    fn now(&self) -> Time {
        self.now
    }

    fn next_event(&self) -> Time {
        if self.powered { self.first_chip().at.max(self.now) } else { Time::NEVER }
    }

    fn advance(&mut self, until: Time) {
        if !self.powered {
            self.now = self.now.max(until);
            return;
        }
        let asked = until;
        while self.now < asked {
            let until = asked.min(self.stop.get());
            if self.now >= until {
                return;
            }
            let first = self.first_chip();
            // An instruction may go a little beyond a window. The next begins there all the same, whatever was executed.
            let start = if first.at < self.now + self.window { self.now } else { first.at };
            if start >= until {
                self.now = until;
                self.settle();
                return;
            }
            let window = start + self.window;
            if first.others > window && until > window && !self.probes[first.index] {
                self.run_alone(first.index, until.min(first.others));
            } else {
                self.run_windows(start, until);
            }
            if self.attention() {
                return;
            }
        }
    }

    fn ports(&self) -> usize {
        self.ports.len()
    }

    fn plugged(&self, _: usize) -> bool {
        self.powered
    }

    fn with_port(&mut self, index: usize, f: &mut dyn FnMut(&mut dyn UsbPort)) {
        let (slot, _) = self.ports[index];
        if !self.powered {
            return f(&mut NoPort);
        }
        self.bring(slot);
        let mut chip = self.slots[slot].chip.lock();
        let Some(port) = chip.usb() else { return };
        f(port);
        self.ports[index].1 = port.attention();
    }
}

/// A pin of chip number `chip`.
#[must_use]
pub fn terminal(chip: usize, pin: u16) -> Terminal {
    Terminal { chip, pin: PinId(pin) }
}
