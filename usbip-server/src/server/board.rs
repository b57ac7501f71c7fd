//! The thread of one board: it owns the machine, and everything that happens to the board happens here.
//!
//! A URB passes through no other thread: read from the socket, onto the bus, the answer back to the socket, and only
//! then, with everything written, sleep.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use twinboard_sim::machine::Machine;
use twinboard_sim::pace::{ClockMode, Pace, Step};
use twinboard_sim::time::{Span, Time};

use super::channel::{Received, receive, send, set_patience, wait_to_receive};
use super::link::Link;
use super::registry::{BUS, Door, Import, Registry, device_record};
use super::wake::Mailbox;
use crate::pcap::{Capture, Tap};
use crate::proto::wire::{DeviceRecord, ST_DEV_BUSY, ST_NODEV};
use crate::proto::{BusId, answer};
use crate::vhc::Vhc;

/// How long the board may run on while answers wait to be sent: several URBs in flight share a system call.
const GATHER: Duration = Duration::from_micros(50);
/// Answers that are sent at once.
const GATHER_BYTES: usize = 64 << 10;
/// How much is read from a socket at once.
const READ_SIZE: usize = 64 << 10;
/// The longest wait on a busy client's socket alone, deaf to the mailbox.
const DEAF: Duration = Duration::from_millis(2);
/// Pause before a device that did not enumerate is tried again.
const RETRY: Span = Span::secs(1);

/// What others ask of a board's thread.
pub(super) enum Message<M> {
    Import(Box<Import>),
    Do(Box<dyn FnOnce(&mut M) + Send>),
    Stop,
}

struct Client {
    socket: OwnedFd,
    link: Link,
    /// Waiting on the socket alone has its time-out.
    patient: bool,
}

/// One USB socket of the board.
struct Socket {
    busid: BusId,
    address: u8,
    vhc: Vhc,
    tap: Option<Tap>,
    record: Option<DeviceRecord>,
    /// The connection ([`Vhc::connections`]) that was enumerated last, or tried.
    seen: u64,
    retry_at: Time,
    client: Option<Client>,
}

pub(super) struct Board<M> {
    machine: M,
    sockets: Vec<Socket>,
    pace: Pace,
    started: Instant,
    registry: Arc<Registry>,
    door: Door,
    mailbox: Mailbox<Message<M>>,
    input: Vec<u8>,
    /// Something came from a client the last time we looked.
    busy: bool,
}

impl<M: Machine> Board<M> {
    pub(super) fn new(
        machine: M,
        mode: ClockMode,
        capture: Option<&Capture>,
        registry: Arc<Registry>,
        door: Door,
        mailbox: Mailbox<Message<M>>,
    ) -> Board<M> {
        let sockets = (0..machine.ports()).map(|index| {
            let (busid, address) = registry.new_device();
            Socket {
                busid,
                address,
                vhc: Vhc::new(index),
                tap: capture.map(|capture| capture.tap(BUS, address)),
                record: None,
                seen: 0,
                retry_at: Time::NEVER,
                client: None,
            }
        });
        let sockets = sockets.collect();
        let pace = Pace::new(mode, machine.now(), Span::ZERO);
        let started = Instant::now();
        Board { machine, sockets, pace, started, registry, door, mailbox, input: vec![0; READ_SIZE], busy: false }
    }

    /// The names of the board's USB sockets on the server.
    pub(super) fn busids(&self) -> Vec<BusId> {
        self.sockets.iter().map(|socket| socket.busid).collect()
    }

    /// Runs the board until it is told to stop.
    pub(super) fn serve(mut self) -> M {
        for socket in &mut self.sockets {
            socket.vhc.plug(&mut self.machine);
        }
        loop {
            let rest = self.let_time_pass();
            self.flush();
            match self.look_outside(rest) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(%error, "a board stops");
                    break;
                }
            }
        }
        for socket in &mut self.sockets {
            socket.withdraw(&self.registry);
            socket.vhc.unplug(&mut self.machine);
        }
        self.machine
    }

    /// Runs the board as its pace demands, until there is nothing to do or it is time to look outside. The answer is
    /// how long there is nothing to do.
    fn let_time_pass(&mut self) -> Duration {
        let begin = self.started.elapsed();
        let mut wall = begin;
        loop {
            let host = self.sockets.iter().map(|socket| socket.vhc.host_state()).max().unwrap_or_default();
            let wanted = self.sockets.iter().map(|socket| socket.vhc.next_token()).min().unwrap_or(Time::NEVER);
            match self.pace.decide(self.machine.now(), wall.into(), host, wanted) {
                Step::Run(until) => self.run(until),
                Step::Sleep(span) => return span.into(),
            }
            let gathered = self.sockets.iter().any(|socket| socket.gathered() >= GATHER_BYTES);
            wall = self.started.elapsed();
            if gathered || wall - begin >= GATHER {
                return Duration::ZERO;
            }
        }
    }

    /// Makes the board's time pass until `until`, or until a URB has ended or a device came or went.
    fn run(&mut self, until: Time) {
        loop {
            let mut stop = self.machine.now() >= until;
            let mut next = until;
            for socket in &mut self.sockets {
                socket.vhc.service(&mut self.machine);
                stop |= socket.has_news();
                next = next.min(socket.vhc.next_event());
            }
            if stop {
                break;
            }
            self.machine.advance(next);
        }
        for socket in &mut self.sockets {
            if let Some(client) = &mut socket.client {
                client.link.collect(&mut socket.vhc, &mut socket.tap);
            }
            if socket.connection_changed() {
                socket.reconnect(&mut self.machine, &self.registry, &self.door);
            }
        }
    }

    fn flush(&mut self) {
        for socket in &mut self.sockets {
            if let Some(client) = &mut socket.client
                && !client.flush()
            {
                socket.detach(&self.registry);
            }
        }
    }

    /// Sleeps for `rest` at the longest, and takes what came from outside. False: stop.
    fn look_outside(&mut self, rest: Duration) -> io::Result<bool> {
        if self.busy
            && rest >= DEAF / 2
            && let [socket] = &mut self.sockets[..]
            && socket.client.as_ref().is_some_and(|client| client.patient && client.link.output().is_empty())
        {
            // A client in the middle of something: its next URB is what will come, and it should cost one system call.
            self.busy = socket.receive(&mut self.machine, &mut self.input, &self.registry, wait_to_receive);
            return Ok(self.read_mail());
        }
        let mut fds = Vec::with_capacity(1 + self.sockets.len());
        fds.push(PollFd::from_borrowed_fd(self.mailbox.bell(), PollFlags::IN));
        for client in self.sockets.iter().filter_map(|socket| socket.client.as_ref()) {
            fds.push(PollFd::from_borrowed_fd(client.socket.as_fd(), client.wishes()));
        }
        let timeout = Timespec { tv_sec: rest.as_secs() as i64, tv_nsec: i64::from(rest.subsec_nanos()) };
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(true),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        if !fds[0].revents().is_empty() {
            self.mailbox.silence();
        }
        self.busy = false;
        for socket in &mut self.sockets {
            self.busy |= socket.receive(&mut self.machine, &mut self.input, &self.registry, receive);
        }
        Ok(self.read_mail())
    }

    fn read_mail(&mut self) -> bool {
        while let Some(message) = self.mailbox.next() {
            match message {
                Message::Do(work) => work(&mut self.machine),
                Message::Import(import) => self.import(*import),
                Message::Stop => return false,
            }
        }
        true
    }

    fn import(&mut self, import: Import) {
        let socket = self.sockets.iter_mut().find(|socket| socket.busid == import.busid);
        let status = match socket {
            Some(Socket { client: Some(_), .. }) => ST_DEV_BUSY,
            Some(socket) if socket.record.is_some() => {
                socket.attach(import, &mut self.machine, &self.registry);
                return;
            }
            _ => ST_NODEV,
        };
        let mut out = Vec::new();
        answer::not_imported(&mut out, status);
        // Eight bytes into the empty buffer of a new connection; who does not get them sees the end of it.
        let _ = send(&import.socket, &out);
    }
}

impl Client {
    fn wishes(&self) -> PollFlags {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.link.is_open());
        flags.set(PollFlags::OUT, !self.link.output().is_empty());
        flags
    }

    /// False if the client is gone.
    fn flush(&mut self) -> bool {
        let sent = send(&self.socket, self.link.output());
        self.link.consume(sent.unwrap_or(0));
        sent.is_some()
    }
}

impl Socket {
    fn gathered(&self) -> usize {
        self.client.as_ref().map_or(0, |client| client.link.output().len())
    }

    /// Whether what is exported is no longer what is on the bus.
    fn connection_changed(&self) -> bool {
        let (connected, same) = (self.vhc.connected(), self.seen == self.vhc.connections());
        match self.record {
            Some(_) => !connected || !same,
            None => connected && (!same || self.vhc.now() >= self.retry_at),
        }
    }

    fn has_news(&self) -> bool {
        self.vhc.has_ended() || self.connection_changed()
    }

    /// The device came, went, or became another one.
    fn reconnect<M: Machine>(&mut self, machine: &mut M, registry: &Registry, door: &Door) {
        self.withdraw(registry);
        self.seen = self.vhc.connections();
        self.retry_at = Time::NEVER;
        if !self.vhc.connected() {
            return;
        }
        match self.vhc.enumerate(machine, self.address, Span::ZERO) {
            Ok(found) => {
                let record = device_record(self.busid, self.address, &found);
                self.record = Some(record);
                registry.export(record, &found, door.clone());
            }
            Err(error) => {
                tracing::warn!(busid = %self.busid, %error, "a device does not enumerate");
                self.retry_at = machine.now() + RETRY;
            }
        }
        // What the enumeration left behind, if it was broken off.
        self.vhc.cancel_all();
    }

    fn withdraw(&mut self, registry: &Registry) {
        if let Some(client) = &mut self.client {
            // What has ended is answered; the end of the connection answers the rest.
            client.link.collect(&mut self.vhc, &mut self.tap);
            client.flush();
        }
        self.detach(registry);
        if self.record.take().is_some() {
            registry.withdraw(self.busid);
        }
    }

    fn attach<M: Machine>(&mut self, import: Import, machine: &mut M, registry: &Registry) {
        let Some(record) = &self.record else { return };
        let mut decoder = import.decoder;
        decoder.enter_urb_phase();
        let mut link = Link::new(decoder, self.address);
        if import.answered {
            answer::imported(link.output_mut(), record);
        }
        let early = link.receive(&import.early, &mut self.vhc, machine, &mut self.tap);
        let patient = set_patience(&import.socket, DEAF);
        self.client = Some(Client { socket: import.socket, link, patient });
        registry.attached(self.busid);
        if let Err(error) = early {
            tracing::debug!(busid = %self.busid, %error, "a client was turned away");
            self.detach(registry);
        }
    }

    fn detach(&mut self, registry: &Registry) {
        if self.client.take().is_some() {
            self.vhc.cancel_all();
            registry.detached(self.busid);
        }
    }

    /// Takes what came from the client, if there is one. True if something did.
    fn receive<M: Machine>(
        &mut self,
        machine: &mut M,
        input: &mut [u8],
        registry: &Registry,
        receive: impl Fn(&OwnedFd, &mut [u8]) -> Received,
    ) -> bool {
        let Some(client) = &mut self.client else { return false };
        if !client.link.is_open() {
            return false;
        }
        match receive(&client.socket, input) {
            Received::Nothing => false,
            Received::Bytes(count) => {
                let result = client.link.receive(&input[..count], &mut self.vhc, machine, &mut self.tap);
                if let Err(error) = &result {
                    tracing::warn!(busid = %self.busid, %error, "a client's connection is closed");
                    self.detach(registry);
                }
                true
            }
            Received::End => {
                self.detach(registry);
                true
            }
        }
    }
}
