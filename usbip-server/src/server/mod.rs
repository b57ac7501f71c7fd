//! The USB/IP server.
//!
//! A [`Server`] has a list of devices and any number of listening sockets; every board that is exported runs on a
//! thread of its own, from power-on until it is stopped, whether a client is attached or not. When a device lets go of
//! the bus and comes back, perhaps as another one (a bootloader), its client's connection is closed, which is how a
//! USB/IP client learns of an unplug, and the new device is served under the same name.
//!
//! Anybody who can connect can use the devices: there is no authentication in USB/IP. So listen on loopback unless
//! told otherwise, or on nothing, and hand out private sockets with [`Exported::attach`].

mod board;
mod channel;
mod link;
mod listener;
mod registry;
mod wake;

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use twinboard_sim::machine::Machine;
use twinboard_sim::pace::ClockMode;

use board::{Board, Message};
pub use link::Link;
pub use registry::Event;
use registry::{Door, Import, Registry};
use wake::{Mailer, mailbox};

use crate::pcap::Capture;
use crate::proto::{BusId, Decoder};

/// Where a USB/IP server listens unless told otherwise: only this computer can connect.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:3240";

/// The board's thread has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the board has stopped")]
pub struct Stopped;

/// See the module's description. Dropping it closes the listeners; boards go on until they are stopped.
pub struct Server {
    registry: Arc<Registry>,
    listeners: Vec<(Mailer<()>, JoinHandle<()>)>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listeners", &self.listeners.len()).finish_non_exhaustive()
    }
}

impl Server {
    /// A server without devices or listeners. `observer` hears of everything that happens to its devices, on the
    /// threads where it happens, so it should be brief.
    pub fn new(observer: impl Fn(Event) + Send + Sync + 'static) -> Server {
        Server { registry: Arc::new(Registry::new(observer)), listeners: Vec::new() }
    }

    /// Listens for USB/IP clients; the answer is the address, with the port that was given if 0 was asked for.
    ///
    /// # Errors
    /// If the address is no address or cannot be had.
    pub fn listen(&mut self, address: impl ToSocketAddrs) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = mailbox()?;
        let registry = self.registry.clone();
        let thread = std::thread::Builder::new()
            .name("usbip-listener".into())
            .spawn(move || listener::listen(&listener, &registry, &stopped))?;
        self.listeners.push((stop, thread));
        Ok(address)
    }

    /// Powers a board's USB sockets and serves whatever shows itself there. `name` names the thread.
    ///
    /// # Errors
    /// If the system has no more threads or descriptors.
    pub fn export<M: Machine + 'static>(
        &self,
        name: &str,
        machine: M,
        mode: ClockMode,
        capture: Option<&Capture>,
    ) -> io::Result<Exported<M>> {
        let (mailer, mail) = mailbox::<Message<M>>()?;
        let to_board = mailer.clone();
        let door: Door = Arc::new(move |import| {
            to_board.send(Message::Import(Box::new(import))).map_err(|message| match message {
                Message::Import(import) => import,
                Message::Do(_) | Message::Stop => unreachable!("a refused message is the one that was sent"),
            })
        });
        let board = Board::new(machine, mode, capture, self.registry.clone(), door, mail);
        let busids = board.busids();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || board.serve())?;
        Ok(Exported { mailer, busids, thread: Mutex::new(Some(thread)) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for (stop, thread) in self.listeners.drain(..) {
            // A listener that is gone has stopped.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

/// A board on a server. Dropping it leaves the board running.
pub struct Exported<M> {
    mailer: Mailer<Message<M>>,
    busids: Vec<BusId>,
    thread: Mutex<Option<JoinHandle<M>>>,
}

impl<M> std::fmt::Debug for Exported<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exported").field("busids", &self.busids).finish_non_exhaustive()
    }
}

impl<M: Machine + 'static> Exported<M> {
    /// The names of the board's USB sockets on the server, in their order.
    pub fn busids(&self) -> &[BusId] {
        &self.busids
    }

    /// Runs `f` on the machine, between two slices of its time, and waits for the result.
    ///
    /// # Errors
    /// [`Stopped`] if the board was stopped before its turn came.
    pub fn with<R: Send + 'static>(&self, f: impl FnOnce(&mut M) -> R + Send + 'static) -> Result<R, Stopped> {
        let (sender, receiver) = crossbeam::channel::bounded(1);
        let work = Box::new(move |machine: &mut M| {
            // Who asked waits below, unless its thread died.
            let _ = sender.send(f(machine));
        });
        self.mailer.send(Message::Do(work)).map_err(|_| Stopped)?;
        receiver.recv().map_err(|_| Stopped)
    }

    /// Serves the device at `busids()[socket]` on a private stream socket, which is an URB channel from the start: no
    /// import goes before. If there is no such device, or it has a client, an import's refusal is sent and the
    /// socket closed.
    ///
    /// # Errors
    /// [`Stopped`]; also if there is no such socket.
    pub fn attach(&self, socket: usize, fd: OwnedFd) -> Result<(), Stopped> {
        let busid = *self.busids.get(socket).ok_or(Stopped)?;
        let import = Import { socket: fd, busid, decoder: Decoder::new(), early: Vec::new(), answered: false };
        self.mailer.send(Message::Import(Box::new(import))).map_err(|_| Stopped)
    }

    /// Unplugs the board, ends its thread and gives the machine back; `None` if that was done before.
    ///
    /// # Panics
    /// If the board's thread panicked.
    pub fn stop(&self) -> Option<M> {
        let thread = self.thread.lock().take()?;
        // A thread that has ended has stopped.
        let _ = self.mailer.send(Message::Stop);
        Some(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}
