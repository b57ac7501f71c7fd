//! The TCP side: one listener thread, one session at a time.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use gdbstub::conn::ConnectionExt;
use gdbstub::stub::run_blocking::{BlockingEventLoop, Event, WaitForStopReasonError};
use gdbstub::stub::{GdbStub, SingleThreadStopReason};

use super::remote::{Gone, Remote, Request};
use super::session::Session;
use crate::cpu::Cpu;

/// How long the listener and a session sleep between two looks; what a user cannot feel.
const NAP: Duration = Duration::from_millis(2);

/// How long [`GdbServer::poll`] waits for the next request after one: GDB asks in bursts.
const BURST: Duration = Duration::from_micros(500);

/// A GDB server for one core. Dropping it closes the socket and ends the session.
#[derive(Debug)]
pub struct GdbServer {
    address: SocketAddr,
    requests: Receiver<Request>,
    session: Session,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl GdbServer {
    /// Listens at `address`.
    ///
    /// # Errors
    /// What the operating system says about the address.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<GdbServer> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (sender, requests) = channel();
        let closing = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("gdb".into()).spawn({
            let closing = Arc::clone(&closing);
            move || listen(&listener, &sender, &closing)
        })?;
        Ok(GdbServer { address, requests, session: Session::default(), closing, thread: Some(thread) })
    }

    /// The address it listens at, with the port that was chosen if 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does what GDB has asked for since the last call, and tells GDB if the core has halted. Called between slices
    /// of the board's time; costs next to nothing when there is nothing to do.
    pub fn poll(&mut self, cpu: &mut dyn Cpu) {
        self.session.look(cpu);
        let Ok(mut request) = self.requests.try_recv() else { return };
        loop {
            request(cpu, &mut self.session);
            match self.requests.recv_timeout(BURST) {
                Ok(next) => request = next,
                Err(_) => return,
            }
        }
    }
}

impl Drop for GdbServer {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        // Requests of a session still waiting are answered by the channel's end.
        self.requests = channel().1;
        if let Some(thread) = self.thread.take() {
            // The thread has nothing to return; a panic in it has been reported already.
            let _ = thread.join();
        }
    }
}

fn listen(listener: &TcpListener, requests: &Sender<Request>, closing: &Arc<AtomicBool>) {
    while !closing.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, peer)) => {
                tracing::info!(%peer, "GDB connected");
                match session(stream, requests.clone(), closing) {
                    Ok(()) => tracing::info!(%peer, "GDB left"),
                    Err(Gone) => return,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(NAP),
            Err(error) => tracing::warn!(%error, "cannot accept GDB's connection"),
        }
    }
}

/// Serves one GDB until it leaves.
fn session(stream: TcpStream, requests: Sender<Request>, closing: &Arc<AtomicBool>) -> Result<(), Gone> {
    let mut remote = Remote::attach(requests)?;
    let connection = Interruptible { stream, closing: Arc::clone(closing) };
    match GdbStub::new(connection).run_blocking::<EventLoop>(&mut remote) {
        Ok(reason) => tracing::debug!(?reason, "GDB session ended"),
        Err(error) => tracing::debug!(%error, "GDB session broke"),
    }
    remote.detach()
}

/// A TCP stream whose reader gives up when the server closes.
#[derive(Debug)]
struct Interruptible {
    stream: TcpStream,
    closing: Arc<AtomicBool>,
}

impl gdbstub::conn::Connection for Interruptible {
    type Error = io::Error;

    fn write(&mut self, byte: u8) -> io::Result<()> {
        self.write_all(&[byte])
    }

    fn write_all(&mut self, buffer: &[u8]) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        io::Write::write_all(&mut self.stream, buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::Write::flush(&mut self.stream)
    }

    fn on_session_start(&mut self) -> io::Result<()> {
        self.stream.set_read_timeout(Some(NAP))?;
        self.stream.set_nodelay(true)
    }
}

impl ConnectionExt for Interruptible {
    fn read(&mut self) -> io::Result<u8> {
        self.stream.set_nonblocking(false)?;
        let mut byte = [0];
        while !self.closing.load(Ordering::Relaxed) {
            match io::Read::read(&mut self.stream, &mut byte) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => return Ok(byte[0]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        ConnectionExt::peek(&mut self.stream)
    }
}

/// While the core runs: looks for Ctrl-C on the socket and for the core's halt.
enum EventLoop {}

impl BlockingEventLoop for EventLoop {
    type Target = Remote;
    type Connection = Interruptible;
    type StopReason = SingleThreadStopReason<u32>;

    fn wait_for_stop_reason(
        remote: &mut Remote,
        connection: &mut Interruptible,
    ) -> Result<Event<Self::StopReason>, WaitForStopReasonError<Gone, io::Error>> {
        loop {
            if let Some(reason) = remote.stopped().map_err(WaitForStopReasonError::Target)? {
                return Ok(Event::TargetStopped(reason));
            }
            // A peek at a closed connection sees zero bytes and reports one; the read then says what is the matter.
            if connection.peek().map_err(WaitForStopReasonError::Connection)?.is_some() {
                let byte = connection.read().map_err(WaitForStopReasonError::Connection)?;
                return Ok(Event::IncomingData(byte));
            }
            std::thread::sleep(NAP / 4);
        }
    }

    fn on_interrupt(remote: &mut Remote) -> Result<Option<Self::StopReason>, Gone> {
        remote.interrupt().map(Some)
    }
}
