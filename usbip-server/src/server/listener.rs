//! The door of the server: connections until they have listed, or until their import is handed to a board.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::channel::{Received, receive, send};
use super::registry::{Import, Registry};
use super::wake::Mailbox;
use crate::proto::{Command, Decoder};

/// Connections that may dawdle at the door; one more, and the oldest has to go.
const MAX_VISITORS: usize = 64;
/// How long one may.
const PATIENCE: Duration = Duration::from_secs(10);

struct Visitor {
    socket: OwnedFd,
    decoder: Decoder,
    out: Vec<u8>,
    /// Close when `out` is sent.
    leaving: bool,
    deadline: Instant,
}

/// Serves `listener` until a message comes.
pub(super) fn listen(listener: &TcpListener, registry: &Arc<Registry>, stop: &Mailbox<()>) {
    let mut visitors: Vec<Visitor> = Vec::new();
    while stop.next().is_none() {
        let ready = match wait(listener, &visitors, stop) {
            Ok(ready) => ready,
            Err(error) => {
                tracing::error!(%error, "the USB/IP listener stops");
                return;
            }
        };
        stop.silence();
        let mut index = 0;
        let now = Instant::now();
        visitors = visitors
            .into_iter()
            .filter_map(|visitor| {
                index += 1;
                let asked = ready.get(index).is_some_and(|flags| !flags.is_empty());
                if asked { visitor.serve(registry) } else { Some(visitor).filter(|v| now < v.deadline) }
            })
            .collect();
        if ready.first().is_some_and(|flags| !flags.is_empty()) {
            match admit(listener) {
                Ok(visitor) => {
                    if visitors.len() == MAX_VISITORS {
                        visitors.remove(0);
                    }
                    visitors.push(visitor);
                }
                Err(error) => tracing::debug!(%error, "a connection failed"),
            }
        }
    }
}

/// Waits for something to happen: to the listener (first) or to a visitor (the others).
fn wait(listener: &TcpListener, visitors: &[Visitor], stop: &Mailbox<()>) -> io::Result<Vec<PollFlags>> {
    let mut fds = vec![PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
    fds.extend(visitors.iter().map(|visitor| {
        let flags = if visitor.out.is_empty() { PollFlags::IN } else { PollFlags::OUT };
        PollFd::from_borrowed_fd(visitor.socket.as_fd(), flags)
    }));
    fds.push(PollFd::from_borrowed_fd(stop.bell(), PollFlags::IN));
    let until = visitors.iter().map(|visitor| visitor.deadline).min();
    let timeout = until.map(|at| {
        let rest = at.saturating_duration_since(Instant::now());
        Timespec { tv_sec: rest.as_secs() as i64, tv_nsec: i64::from(rest.subsec_nanos()) }
    });
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(fds.iter().map(PollFd::revents).collect()),
        Err(error) => Err(error.into()),
    }
}

fn admit(listener: &TcpListener) -> io::Result<Visitor> {
    let (socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    Ok(Visitor {
        socket: socket.into(),
        decoder: Decoder::new(),
        out: Vec::new(),
        leaving: false,
        deadline: Instant::now() + PATIENCE,
    })
}

impl Visitor {
    /// Takes what came and sends what can be sent; the visitor if it stays.
    fn serve(mut self, registry: &Registry) -> Option<Visitor> {
        if self.out.is_empty() {
            let mut buffer = [0; 256];
            let mut input = match receive(&self.socket, &mut buffer) {
                Received::Bytes(count) => &buffer[..count],
                Received::Nothing => return Some(self),
                Received::End => return None,
            };
            loop {
                match self.decoder.decode(&mut input) {
                    Ok(Some(Command::List)) => registry.list(&mut self.out),
                    Ok(Some(Command::Import(busid))) => {
                        let early = input.to_vec();
                        let import =
                            Import { socket: self.socket, busid, decoder: self.decoder, early, answered: true };
                        let (socket, out) = registry.import(import).err()?;
                        self = Visitor { socket, decoder: Decoder::new(), out, leaving: true, deadline: self.deadline };
                        break;
                    }
                    Ok(Some(Command::Submit(_) | Command::Unlink { .. })) => return None,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::debug!(%error, "a client was turned away");
                        return None;
                    }
                }
            }
        }
        let sent = send(&self.socket, &self.out)?;
        self.out.drain(..sent);
        (!self.leaving || !self.out.is_empty()).then_some(self)
    }
}
