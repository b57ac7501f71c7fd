//! Several boards within earshot, as one machine with one time.
//!
//! Radios are slow to start and preambles are long: what one board sends cannot act on another one before a known
//! time ([`Powered::silent_until`] and [`Transmission::SOONEST`] behind it). So the boards run in *windows* that end
//! before that time, one after the other, and between windows hand each other what they sent. The windows depend on
//! the boards' own state only, and nothing that happens depends on where a window ends: the same boards with the same
//! input always do the same.

use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::UsbPort;

use super::powered::Powered;
use crate::parts::air::Transmission;

/// A chip may run beyond the end of a window by its last instruction.
const OVERSHOOT: Span = Span::us(1);

/// See the module's documentation. Its USB sockets are those of the boards, in their order.
#[derive(Debug)]
pub struct Room {
    boards: Vec<Powered>,
    now: Time,
    /// Board and its own socket, by socket.
    sockets: Vec<(usize, usize)>,
    sent: Vec<Transmission>,
}

impl Room {
    /// Boards that were powered together.
    #[must_use]
    pub fn new(mut boards: Vec<Powered>) -> Room {
        let now = boards.iter().map(Machine::now).max().unwrap_or(Time::ZERO);
        for board in &mut boards {
            run_to(board, now);
        }
        let sockets = boards.iter().enumerate();
        let sockets = sockets.flat_map(|(index, board)| (0..board.ports()).map(move |port| (index, port))).collect();
        Room { boards, now, sockets, sent: Vec::new() }
    }

    /// The boards. Whoever makes the time of one of them pass alone takes it out of the room.
    pub fn boards(&mut self) -> &mut [Powered] {
        &mut self.boards
    }

    /// Up to here the boards may run apart from each other.
    fn horizon(&self) -> Time {
        let silent = self.boards.iter().map(Powered::silent_until).min().unwrap_or(Time::NEVER);
        if silent == Time::NEVER { silent } else { silent + (Transmission::SOONEST - OVERSHOOT) }
    }

    /// Hands out what was sent.
    fn exchange(&mut self) {
        for from in 0..self.boards.len() {
            self.boards[from].take_sent(&mut self.sent);
            let distance = self.boards[from].antenna.distance;
            for transmission in self.sent.drain(..) {
                for (to, board) in self.boards.iter_mut().enumerate() {
                    if to != from {
                        board.hear(distance, transmission.clone());
                    }
                }
            }
        }
    }
}

/// Runs a board until `end`, whatever its sockets ask for. Whether they did.
fn run_to(board: &mut Powered, end: Time) -> bool {
    let mut asked = false;
    while board.now() < end {
        board.advance(end);
        asked |= board.now() < end;
    }
    asked
}

impl Machine for Room {
    fn now(&self) -> Time {
        self.now
    }

    fn next_event(&self) -> Time {
        self.boards.iter().map(Machine::next_event).min().unwrap_or(Time::NEVER).max(self.now)
    }

    /// A socket that asks for attention gets it when all boards have come to the end of their window, at the latest
    /// some 200 us later.
    fn advance(&mut self, until: Time) {
        while self.now < until {
            let end = until.min(self.horizon());
            let mut asked = false;
            for board in &mut self.boards {
                asked |= run_to(board, end);
            }
            self.now = end;
            self.exchange();
            if asked {
                return;
            }
        }
    }

    fn ports(&self) -> usize {
        self.sockets.len()
    }

    fn with_port(&mut self, index: usize, f: &mut dyn FnMut(&mut dyn UsbPort)) {
        let (board, port) = self.sockets[index];
        self.boards[board].with_port(port, f);
    }
}
