//! The virtual host controller: turns URBs into transactions on the USB socket of a board.
//!
//! As a real one does, it sends a start of frame every millisecond, gives each interrupt endpoint its turn every
//! bInterval frames, and shares what is left of a frame among control and bulk endpoints in turn. A transaction takes
//! its time on the bus ([`bus`]). A NAK is no result: the transfer waits, and is tried again once the device says that
//! something changed. A STALL halts a bulk or interrupt endpoint: every transfer queued on it ends with
//! [`Status::Stall`] until CLEAR_FEATURE(ENDPOINT_HALT), SET_CONFIGURATION, SET_INTERFACE or a reset. The controller
//! sees these requests go by, and SET_ADDRESS, and keeps its toggles, packet sizes and the device's address in step.
//!
//! ```text
//! submit ─► queue of an endpoint ─► transactions while `run` makes time pass ─► pop
//!                   └────────────── cancel ─────────────────────────────────► the URB, and no completion
//! ```

pub mod bus;
mod enumerate;
mod log;
mod pipe;
mod record;
mod schedule;
mod state;
#[cfg(test)]
mod tests;
mod urb;

use std::collections::VecDeque;

use twinboard_sim::machine::Machine;
use twinboard_sim::pace::HostState;
use twinboard_sim::time::Time;
use twinboard_sim::usb::UsbPort;

pub use enumerate::{EnumerateError, Enumerated};
pub use log::BusActivity;
use pipe::{Pipe, Transfer};
use schedule::next_frame;
use state::PATIENCE;
pub use urb::{Completion, Status, Urb, UrbId};

use crate::descriptor::{Configuration, TransferType};
use crate::pcap::Tap;

/// Endpoint numbers 0–15 OUT, then 0–15 IN. Control endpoints use the OUT half for both directions.
const PIPES: usize = 32;

/// See the module's description.
#[derive(Debug)]
pub struct Vhc {
    socket: usize,
    pipes: [Pipe; PIPES],
    /// Pipes (by bit) with a transfer in their queue.
    pending: u32,
    /// Pipes whose device said NAK, and nothing changed since.
    waiting: u32,
    /// Interrupt pipes.
    periodic: u32,
    /// Interrupt pipes whose turn it is in this frame.
    due: u32,
    /// The pipe that had the last turn among control and bulk ones.
    turn: u32,
    /// The pipe whose token is on the bus, and when the device's answer is due.
    chosen: Option<(usize, Time)>,
    address: u8,
    configurations: Vec<Configuration>,
    /// The host's end of the cable is plugged in, and the board's end as far as the host has noticed.
    plugged: [bool; 2],
    connected: bool,
    connections: u64,
    /// The bus was reset since the device connected.
    enabled: bool,
    /// Between a reset and the new address nothing but endpoint 0 is served.
    addressing: bool,
    attention: u64,
    now: Time,
    bus_free: Time,
    /// No transactions before this time: the device recovers.
    quiet_until: Time,
    next_sof: Time,
    frame_full: bool,
    done: VecDeque<Completion>,
    /// Where drivers in this process leave what they submit.
    tap: Option<Box<Tap>>,
    log: Option<Box<log::Log>>,
}

fn pipe_index(endpoint: u8) -> usize {
    usize::from(endpoint & 0x0f) | usize::from(endpoint & 0x80) >> 3
}

fn urb_pipe(urb: &Urb) -> usize {
    pipe_index(if urb.setup.is_some() { urb.endpoint & 0x0f } else { urb.endpoint })
}

fn bits(mut mask: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (mask != 0).then(|| mask.trailing_zeros() as usize)?;
        mask &= mask - 1;
        Some(bit)
    })
}

impl Vhc {
    /// A controller for USB socket `socket` (0-based) of a board, nothing plugged in.
    #[must_use]
    pub fn new(socket: usize) -> Vhc {
        Vhc {
            socket,
            pipes: std::array::from_fn(|index| Pipe::new(index as u8 & 0x0f)),
            pending: 0,
            waiting: 0,
            periodic: 0,
            due: 0,
            turn: 0,
            chosen: None,
            address: 0,
            configurations: Vec::new(),
            plugged: [false; 2],
            connected: false,
            connections: 0,
            enabled: false,
            addressing: false,
            attention: 0,
            now: Time::ZERO,
            bus_free: Time::ZERO,
            quiet_until: Time::ZERO,
            next_sof: Time::NEVER,
            frame_full: false,
            done: VecDeque::new(),
            tap: None,
            log: None,
        }
    }

    /// Plugs the host's end of the cable in: VBUS is there, if the other end is in the board's socket
    /// ([`Machine::plugged`]).
    pub fn plug<M: Machine + ?Sized>(&mut self, machine: &mut M) {
        self.plugged = [true, machine.plugged(self.socket)];
        self.vbus(machine);
    }

    /// Pulls the host's end of the cable out. Every URB ends with [`Status::Shutdown`].
    pub fn unplug<M: Machine + ?Sized>(&mut self, machine: &mut M) {
        self.plugged[0] = false;
        self.vbus(machine);
    }

    fn vbus<M: Machine + ?Sized>(&mut self, machine: &mut M) {
        let present = self.plugged == [true; 2];
        self.with_port(machine, |vhc, port| {
            port.vbus(vhc.now, present);
            if present {
                vhc.notice_connection(port);
            } else {
                vhc.disconnect();
            }
        });
    }

    /// Whether a device shows itself on the bus (pulls D+ up).
    #[must_use]
    pub fn connected(&self) -> bool {
        self.connected
    }

    /// How often a device has connected so far. If it changed, the device re-enumerates, however short it was gone.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// The USB address in use; 0 after a reset.
    #[must_use]
    pub fn address(&self) -> u8 {
        self.address
    }

    /// Resets the bus: 10 ms of SE0, 10 ms of recovery. Every URB in flight ends with [`Status::Shutdown`]. With an
    /// address, SET_ADDRESS follows before anything that is submitted later.
    pub fn reset<M: Machine + ?Sized>(&mut self, machine: &mut M, address: Option<u8>) {
        self.with_port(machine, |vhc, port| {
            vhc.shut_down();
            vhc.address = 0;
            for pipe in &mut vhc.pipes {
                *pipe = Pipe::new(pipe.number);
            }
            vhc.periodic = 0;
            port.bus_reset(vhc.now);
            vhc.enabled = vhc.connected;
            vhc.next_sof = next_frame(vhc.now + bus::RESET);
            vhc.quiet_until = vhc.now + bus::RESET + bus::RESET_RECOVERY;
            vhc.addressing = address.is_some();
            if let Some(address) = address
                && vhc.connected
            {
                vhc.enqueue(Urb::control_in(0, [0x00, 0x05, address & 0x7f, 0, 0, 0, 0, 0]), true);
            }
        });
    }

    /// Puts a URB into the queue of its endpoint. It may end at once: see [`Vhc::pop`].
    pub fn submit(&mut self, urb: Urb) {
        self.enqueue(urb, false);
    }

    /// Takes a URB back, wherever it stands. The answer is the URB, which then will not complete; or nothing, if it has
    /// completed already or never was.
    pub fn cancel(&mut self, id: UrbId) -> Option<Urb> {
        for index in bits(self.pending) {
            let queue = &mut self.pipes[index].queue;
            if let Some(place) = queue.iter().position(|t| t.urb.id == id && !t.internal) {
                let transfer = queue.remove(place)?;
                // Who takes a read back has stopped reading.
                self.pipes[index].read_until = Time::ZERO;
                if place == 0 {
                    self.head_changed(index);
                }
                return Some(transfer.urb);
            }
        }
        None
    }

    /// Takes back every URB in flight and forgets the completions that nobody fetched.
    pub fn cancel_all(&mut self) {
        for index in bits(self.pending) {
            self.pipes[index].queue.retain(|t| t.internal);
            self.head_changed(index);
        }
        self.done.clear();
    }

    /// From now on keeps what the bus is at, or does not any more.
    pub fn record_activity(&mut self, on: bool) {
        self.log = on.then(Box::default);
        self.note_state();
    }

    /// What the bus was at since the last call; nothing if that is not kept.
    pub fn take_activity(&mut self) -> BusActivity {
        self.log.as_mut().map(|log| log.take(self.now)).unwrap_or_default()
    }

    fn note_state(&mut self) {
        if let Some(log) = &mut self.log {
            log.state(self.now, self.pending & !self.waiting != 0, self.pending == 0);
        }
    }

    /// The next URB that has ended.
    pub fn pop(&mut self) -> Option<Completion> {
        self.done.pop_front()
    }

    /// Makes time pass until `until`, or until a URB has ended or the device came or went.
    pub fn run<M: Machine + ?Sized>(&mut self, machine: &mut M, until: Time) {
        let (connected, connections) = (self.connected, self.connections);
        loop {
            self.service(machine);
            if !self.done.is_empty()
                || self.now >= until
                || (connected, connections) != (self.connected, self.connections)
            {
                return;
            }
            machine.advance(self.next_event().min(until));
        }
    }

    /// Makes time pass until the URB `id` has ended, at the longest until `until`. Others that end stay to be popped.
    pub fn wait<M: Machine + ?Sized>(&mut self, machine: &mut M, id: UrbId, until: Time) -> Option<Completion> {
        loop {
            self.service(machine);
            if let Some(place) = self.done.iter().position(|c| c.urb.id == id) {
                return self.done.remove(place);
            }
            if self.now >= until {
                return None;
            }
            machine.advance(self.next_event().min(until));
        }
    }

    /// Does what is due at the machine's present time and lets no time pass: for those who drive several sockets of
    /// one machine. [`Vhc::next_event`] then says when to come back.
    pub fn service<M: Machine + ?Sized>(&mut self, machine: &mut M) {
        let plugged = machine.plugged(self.socket);
        if std::mem::replace(&mut self.plugged[1], plugged) != plugged && self.plugged[0] {
            self.vbus(machine);
        }
        self.with_port(machine, Vhc::serve);
    }

    /// When the controller has something to do, if the device changes nothing before.
    #[must_use]
    pub fn next_event(&self) -> Time {
        match self.chosen {
            _ if !self.enabled => Time::NEVER,
            Some((_, at)) => at.min(self.next_sof),
            None if !self.frame_full && self.runnable() != 0 => self.now,
            None => self.next_sof,
        }
    }

    /// When the next token is due on the bus, or [`Time::NEVER`]. Unlike [`Vhc::next_event`] leaves out starts of frames.
    #[must_use]
    pub fn next_token(&self) -> Time {
        match self.chosen {
            Some((_, at)) => at,
            None if !self.enabled || self.runnable() == 0 => Time::NEVER,
            None => self.next_event(),
        }
    }

    /// How the endpoint of a URB transfers, and every how many frames it is polled if it is an interrupt endpoint.
    #[must_use]
    pub fn endpoint(&self, urb: &Urb) -> (TransferType, u64) {
        let pipe = &self.pipes[urb_pipe(urb)];
        (pipe.kind, pipe.interval)
    }

    /// Bytes that the device took on the OUT endpoint `endpoint` since the last bus reset.
    #[must_use]
    pub fn taken(&self, endpoint: u8) -> u64 {
        self.pipes[usize::from(endpoint & 0xf)].taken
    }

    /// Whether [`Vhc::pop`] has something.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        !self.done.is_empty()
    }

    /// The last time [`Vhc::service`] saw.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Whether any URB is in flight.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.pending != 0
    }

    /// What the host is at. It waits for the board, rather than the board for the host, during a control transfer or an
    /// OUT that is not done, or an IN whose function was sent something before. A read that merely waits for something to
    /// happen is not counted, nor is anything that has not moved for five seconds.
    ///
    /// A host that keeps reading a serial port, and has not yet asked for more, is behind: whatever else it waits for, what
    /// the target says meanwhile would be lost.
    #[must_use]
    pub fn host_state(&self) -> HostState {
        let is_behind = |pipe: &Pipe| pipe.queue.is_empty() && self.now < pipe.read_until;
        if self.pipes[PIPES / 2..].iter().any(is_behind) {
            return HostState::Behind;
        }
        let waits = bits(self.pending).any(|index| {
            let pipe = &self.pipes[index];
            let in_pipe = index >= PIPES / 2;
            if in_pipe {
                self.now < pipe.reply_until
            } else {
                pipe.queue.front().is_some_and(|transfer| self.now < transfer.progress + PATIENCE)
            }
        });
        if waits { HostState::Waiting } else { HostState::Idle }
    }

    fn with_port<M: Machine + ?Sized>(&mut self, machine: &mut M, f: impl Fn(&mut Vhc, &mut dyn UsbPort)) {
        self.now = machine.now();
        machine.with_port(self.socket, &mut |port| f(self, port));
        self.note_state();
    }

    fn serve(&mut self, port: &mut dyn UsbPort) {
        self.notice(port);
        if !self.enabled {
            return;
        }
        if let Some((index, at)) = self.chosen
            && at <= self.now
        {
            self.chosen = None;
            self.transact(port, index);
            self.notice(port);
        }
        if self.next_sof <= self.now {
            self.start_frame(port);
            self.notice(port);
        }
        if self.chosen.is_none() {
            self.choose();
        }
    }

    fn notice(&mut self, port: &mut dyn UsbPort) {
        let attention = port.attention();
        if attention != self.attention {
            self.attention = attention;
            self.waiting = 0;
            self.notice_connection(port);
        }
    }

    fn notice_connection(&mut self, port: &mut dyn UsbPort) {
        match (self.connected, port.attached() && self.plugged == [true; 2]) {
            (false, true) => {
                self.connected = true;
                self.connections += 1;
            }
            (true, false) => self.disconnect(),
            _ => {}
        }
    }

    fn disconnect(&mut self) {
        self.configurations.clear();
        self.connected = false;
        self.enabled = false;
        self.next_sof = Time::NEVER;
        self.shut_down();
    }

    /// Ends every URB.
    fn shut_down(&mut self) {
        for index in bits(self.pending) {
            while !self.pipes[index].queue.is_empty() {
                self.end(index, Status::Shutdown);
            }
        }
        (self.due, self.waiting, self.chosen, self.frame_full) = (0, 0, None, false);
    }

    fn enqueue(&mut self, urb: Urb, internal: bool) {
        let index = urb_pipe(&urb);
        let pipe = &mut self.pipes[index];
        let halted = pipe.halted && urb.setup.is_none();
        pipe.queue.push_back(Transfer::new(urb, self.now, internal, pipe.max_packet));
        self.pending |= 1 << index;
        if !self.connected {
            self.end(index, Status::Shutdown);
        } else if halted {
            self.end(index, Status::Stall);
        }
        self.note_state();
    }

    /// The transfer at the head of a queue has ended.
    fn end(&mut self, index: usize, status: Status) {
        let Some(transfer) = self.pipes[index].queue.pop_front() else { return };
        self.head_changed(index);
        let actual = transfer.actual();
        match transfer.urb.setup {
            Some(setup) if status == Status::Done => self.control_done(setup, &transfer.urb.buffer),
            None if status == Status::Done => self.note_reply(index),
            _ => {}
        }
        if transfer.internal {
            // Should SET_ADDRESS fail, what follows fails as well, and says so.
            self.addressing = false;
        } else {
            self.done.push_back(Completion { urb: transfer.urb, status, actual });
        }
    }

    fn head_changed(&mut self, index: usize) {
        self.waiting &= !(1 << index);
        if self.pipes[index].queue.is_empty() {
            self.pending &= !(1 << index);
        }
        if self.chosen.is_some_and(|(chosen, _)| chosen == index) {
            self.chosen = None;
        }
    }
}
