//! One client, from its greeting to its end.

use std::convert::Infallible;
use std::io::{self, BufReader, Write};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;
use twinboard_models::board::control::{
    Answer, Condition, Event, Failed, Happening, Hello, Listener, MAX_LINE, Message, Order, Request, Response, VERSION,
    Wait, What, nanoseconds,
};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::server::{Exported, Stopped};

use super::Boards;
use super::lines::{self, Line};
use crate::setup::Desk;

/// A client that takes nothing for so long is gone.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// How often a waiting client is looked after.
const LOOK: Duration = Duration::from_millis(100);
/// Happenings that wait for a client to take them.
const QUEUE: usize = 256;

type Board = Arc<Exported<Desk>>;

/// The way back to the client, for all that has to tell it something.
#[derive(Clone)]
struct Writer(Arc<Mutex<Socket>>);

impl Writer {
    fn send(&self, message: &Message) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(message.to_line().as_bytes())
    }
}

/// Tells a client that is not served why.
pub(super) fn turn_away(socket: &Socket, why: &str) {
    let response = refused(None, why.into(), None);
    // The client sees the end of the connection in any case.
    let _ = socket.set_write_timeout(Some(LOOK)).and_then(|()| {
        let mut socket = socket;
        socket.write_all(Message::Response(response).to_line().as_bytes())
    });
}

fn refused(id: Option<u64>, message: String, column: Option<usize>) -> Response {
    Response { id, board: None, time_ns: None, ok: None, error: Some(Failed { message, column }) }
}

/// See the module's documentation.
pub(super) struct Session {
    socket: Socket,
    writer: Writer,
    boards: Boards,
    /// What is to be forgotten when the client leaves.
    watches: Vec<(Board, u64)>,
    /// Holds the events of a new watch back until its response is out: a client may leave out what comes before.
    held_back: Option<SyncSender<Infallible>>,
}

impl Session {
    pub(super) fn new(socket: Socket, boards: Boards) -> io::Result<Session> {
        let back = socket.try_clone()?;
        back.set_write_timeout(Some(WRITE_PATIENCE))?;
        Ok(Session { socket, writer: Writer(Arc::new(Mutex::new(back))), boards, watches: Vec::new(), held_back: None })
    }

    /// Serves the client until it leaves.
    pub(super) fn serve(&mut self) {
        // An error is the client's end.
        let _ = self.converse();
        for (board, watch) in self.watches.drain(..) {
            // A board that has stopped has forgotten it.
            let _ = board.with(move |desk| desk.powered.forget(watch));
        }
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    fn converse(&mut self) -> io::Result<()> {
        self.writer.send(&Message::Hello(Hello { version: VERSION, boards: self.boards.names() }))?;
        let mut input = BufReader::new(self.socket.try_clone()?);
        while let Some(line) = lines::read(&mut input, MAX_LINE)? {
            let response = match line {
                Line::TooLong => refused(None, format!("a line of at most {MAX_LINE} bytes was expected"), None),
                Line::Whole(line) if line.iter().all(u8::is_ascii_whitespace) => continue,
                Line::Whole(line) => match Request::parse(&line) {
                    Ok(request) => self.respond(request),
                    Err(error) => refused(None, error.message, error.column),
                },
            };
            self.writer.send(&Message::Response(response))?;
            self.held_back = None;
        }
        Ok(())
    }

    fn respond(&mut self, request: Request) -> Response {
        let id = request.id;
        let (name, board) = match self.boards.find(request.board.as_ref()) {
            Ok((name, board)) => (name.name.clone(), board.clone()),
            Err(message) => return refused(id, message, None),
        };
        let done = match request.order {
            Order::Do(action) => board.with(move |desk| {
                let answer = desk.act(&action).map_err(|error| error.to_string());
                (desk.now(), answer)
            }),
            Order::Wait(wait) => self.wait(&board, wait),
            Order::Watch(what) => self.watch(&board, &name, id, what),
        };
        let board = Some(name);
        match done {
            Err(Stopped) => Response { board, ..refused(id, "the board has stopped".into(), None) },
            Ok((at, Ok(answer))) => {
                Response { id, board, time_ns: Some(nanoseconds(at)), ok: Some(answer), error: None }
            }
            Ok((at, Err(message))) => Response { board, time_ns: Some(nanoseconds(at)), ..refused(id, message, None) },
        }
    }

    /// Waits in the board's time; ends early if the client leaves.
    fn wait(&self, board: &Board, wait: Wait) -> Result<(Time, Result<Answer, String>), Stopped> {
        let (sender, ended) = sync_channel(1);
        let limit = Span::ms(wait.ms.into());
        let (condition, from): (Option<Condition>, _) = (wait.condition, wait.from);
        let begun = board.with(move |desk| {
            let waiter = Box::new(move |at, met| {
                // The client may have left.
                let _ = sender.try_send((at, met));
            });
            (desk.now(), desk.powered.wait(condition, limit, from, waiter))
        })?;
        let number = match begun {
            (_, Ok(number)) => number,
            (at, Err(error)) => return Ok((at, Err(error.to_string()))),
        };
        loop {
            match ended.recv_timeout(LOOK) {
                Ok((at, true)) => return Ok((at, Ok(Answer::Met))),
                Ok((at, false)) => return Ok((at, Ok(Answer::NotMet))),
                Err(RecvTimeoutError::Timeout) if self.is_there() => {}
                Err(RecvTimeoutError::Timeout) => {
                    board.with(move |desk| desk.powered.forget(number))?;
                    return Err(Stopped);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
            }
        }
    }

    /// Whether the client still holds its end of the connection.
    fn is_there(&self) -> bool {
        let mut fds = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        poll(&mut fds, Some(&now)).is_ok() && !fds[0].revents().intersects(gone)
    }

    fn watch(
        &mut self,
        board: &Board,
        name: &str,
        id: Option<u64>,
        what: Vec<What>,
    ) -> Result<(Time, Result<Answer, String>), Stopped> {
        let (sender, happenings) = sync_channel::<(Time, Happening)>(QUEUE);
        let (writer, name) = (self.writer.clone(), name.to_string());
        let (held_back, released) = sync_channel(0);
        self.held_back = Some(held_back);
        let pump = std::thread::Builder::new().name("control-watch".into()).spawn(move || {
            // Nothing is ever sent: what is waited for is that the sender is gone.
            let _: Result<Infallible, _> = released.recv();
            for (at, event) in happenings {
                let event = Event { id, board: name.clone(), time_ns: nanoseconds(at), event };
                if writer.send(&Message::Event(event)).is_err() {
                    return;
                }
            }
        });
        if let Err(error) = pump {
            return board.with(move |desk| (desk.now(), Err(error.to_string())));
        }
        let listener = listener(sender);
        let (at, watch) = board.with(move |desk| (desk.now(), desk.powered.watch(what, listener)))?;
        Ok((
            at,
            match watch {
                Ok(number) => {
                    self.watches.push((board.clone(), number));
                    Ok(Answer::Watching)
                }
                Err(error) => Err(error.to_string()),
            },
        ))
    }
}

/// Puts what happens into a client's queue; what does not fit is counted.
fn listener(sender: SyncSender<(Time, Happening)>) -> Listener {
    let mut lost = 0;
    Box::new(move |at, happening| {
        if lost > 0 {
            match sender.try_send((at, Happening::Lost(lost))) {
                Ok(()) => lost = 0,
                Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
        match sender.try_send((at, happening)) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                lost += 1;
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    })
}
