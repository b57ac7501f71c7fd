//! The control socket: people and their programs act on boards that `run` or `vm` serves.
//!
//! Each client has a thread. It reads a line, has the board's own thread do what the line asks, between two slices of
//! the board's time, and answers with that time. Nothing that a client does holds a board up: what it watches waits in
//! a short queue, and what does not fit is counted and left out. `docs/control.md` is the protocol's description.

pub mod client;
mod endpoint;
mod lines;
mod session;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use socket2::Socket;
use twinboard_models::board::control::{BoardName, BoardRef};
use twinboard_usbip::server::Exported;

use endpoint::Listening;
pub use endpoint::{Endpoint, EndpointError};
use session::Session;

use crate::setup::Desk;

/// The most clients at the same time.
const CLIENTS: usize = 64;

/// The boards that a control server acts on.
#[derive(Clone)]
pub struct Boards(Arc<[(BoardName, Arc<Exported<Desk>>)]>);

impl Boards {
    /// Names `boards`; those of one kind are told apart by their numbers.
    pub fn new(boards: impl IntoIterator<Item = (BoardName, Arc<Exported<Desk>>)>) -> Boards {
        let mut boards: Vec<_> = boards.into_iter().collect();
        let names: Vec<String> = boards.iter().map(|(board, _)| board.name.clone()).collect();
        for (number, (board, _)) in boards.iter_mut().enumerate() {
            if names.iter().filter(|name| **name == board.name).count() > 1 {
                board.name = format!("{}-{number}", board.name);
            }
        }
        Boards(boards.into())
    }

    fn names(&self) -> Vec<BoardName> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The board that a request names, or the only one.
    fn find(&self, wanted: Option<&BoardRef>) -> Result<&(BoardName, Arc<Exported<Desk>>), String> {
        let found = match wanted {
            None if self.0.len() == 1 => self.0.first(),
            None => None,
            Some(BoardRef::Number(number)) => self.0.get(*number),
            Some(BoardRef::Name(name)) => self.0.iter().find(|(board, _)| board.name == *name),
        };
        found.ok_or_else(|| {
            let known: Vec<_> =
                self.0.iter().enumerate().map(|(number, (board, _))| format!("{number} = {}", board.name)).collect();
            let known = if known.is_empty() { "there are none".into() } else { known.join(", ") };
            match wanted {
                None => format!("the name or number of a board was expected: {known}"),
                Some(BoardRef::Number(number)) => format!("there is no board {number}: {known}"),
                Some(BoardRef::Name(name)) => format!("there is no board {name}: {known}"),
            }
        })
    }
}

/// Listens at one endpoint until it is dropped.
pub struct ControlServer {
    listening: Arc<Listening>,
    clients: Arc<Clients>,
    thread: Option<JoinHandle<()>>,
}

/// Those who are connected.
#[derive(Default)]
struct Clients {
    count: AtomicUsize,
    sockets: Mutex<Vec<Socket>>,
}

impl ControlServer {
    /// Listens at `endpoint`.
    ///
    /// # Errors
    /// [`EndpointError`] if it cannot be had.
    pub fn start(endpoint: &Endpoint, boards: Boards) -> Result<ControlServer, EndpointError> {
        let listening = Arc::new(endpoint.listen()?);
        let clients = Arc::new(Clients::default());
        let (its_listening, its_clients) = (listening.clone(), clients.clone());
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || {
                while let Some(socket) = its_listening.accept() {
                    its_clients.admit(socket, &boards);
                }
            })
            .map_err(|source| EndpointError::Listen { endpoint: endpoint.to_string(), source })?;
        Ok(ControlServer { listening, clients, thread: Some(thread) })
    }

    /// The port, if it is a TCP endpoint.
    pub fn port(&self) -> Option<u16> {
        self.listening.port()
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.listening.stop();
        if let Some(thread) = self.thread.take() {
            // A listener that is gone has stopped.
            let _ = thread.join();
        }
        for socket in self.clients.sockets.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Who has left already does not mind.
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Clients {
    /// Gives a client a thread of its own, or turns it away.
    fn admit(self: &Arc<Clients>, socket: Socket, boards: &Boards) {
        let (clients, boards) = (self.clone(), boards.clone());
        if self.count.fetch_add(1, Ordering::Relaxed) >= CLIENTS {
            self.count.fetch_sub(1, Ordering::Relaxed);
            session::turn_away(&socket, &format!("at most {CLIENTS} clients are served at the same time"));
            return;
        }
        let spawned = std::thread::Builder::new().name("control-client".into()).spawn(move || {
            if let Ok(handle) = socket.try_clone() {
                clients.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
            }
            if let Ok(mut session) = Session::new(socket, boards) {
                session.serve();
            }
            clients.left();
        });
        if spawned.is_err() {
            self.left();
        }
    }

    fn left(&self) {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.retain(|socket| socket.peer_addr().is_ok() && socket.take_error().is_ok_and(|error| error.is_none()));
        if self.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            sockets.clear();
        }
    }
}

#[cfg(test)]
mod tests;
