//! The secondary on the internal I2C bus by which the target reaches its interface chip (the I2C protocol specification
//! of the Micro:bit Educational Foundation, version 2).
//!
//! A write is a command, at one of two addresses: [`comms`] (properties of the board) and [`flash`] (the data file's
//! storage). It is executed by the main loop. When the response is ready, COMBINED_SENSOR_INT is pulled low; the next
//! read fetches it and lets the line go. A read before that gets the busy pattern.
//!
//! [`I2cPort`] is what the interrupt handler does on the real chip: it works between the steps of the main loop.

pub mod comms;
pub mod flash;

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::I2cSignal;

use super::shared::Core;
use crate::parts::i2c_slave::{Heard, I2cSlave, Reply};

/// Bytes that a command or a response can have.
pub const BUFFER: usize = 1032;

/// From the end of a command to its execution, besides what the main loop has in hand: an interrupt, an event of the
/// operating system and a change of threads.
const HANDLING: Span = Span::us(60);

/// The version of the protocol.
const PROTOCOL_VERSION: u16 = 2;

/// An error at either address.
const ERROR: u8 = 0x20;
/// The error code of a response that is not ready yet.
const BUSY: u8 = 0x39;

/// The response that the next read fetches. Commands write into it as the original does: what a shorter response leaves of
/// the busy pattern stays.
#[derive(Debug)]
pub struct Response {
    bytes: [u8; BUFFER],
    filled: usize,
}

impl Default for Response {
    fn default() -> Response {
        let mut response = Response { bytes: [0; BUFFER], filled: 0 };
        response.clear();
        response
    }
}

impl Response {
    /// No response: the busy pattern.
    fn clear(&mut self) {
        self.bytes[..self.filled].fill(0);
        self.filled = 0;
        self.bytes[..2].copy_from_slice(&[ERROR, BUSY]);
    }

    /// Puts bytes at a position; more than there is room for are ignored all together.
    pub fn fill(&mut self, position: usize, bytes: &[u8]) {
        let end = position + bytes.len();
        if let Some(room) = self.bytes.get_mut(position..end) {
            room.copy_from_slice(bytes);
            self.filled = self.filled.max(end);
        }
    }

    /// Puts the first byte.
    pub fn head(&mut self, byte: u8) {
        self.fill(0, &[byte]);
    }
}

/// A command that waits for the main loop.
#[derive(Debug)]
pub struct Command {
    /// The address it was written to.
    pub address: u8,
    /// How many bytes came, modulo 256: that is all that the original's handlers see of it.
    pub size: u8,
    /// The bytes, followed by what the buffer held before.
    pub bytes: [u8; BUFFER],
}

/// What the master waits for.
#[derive(Clone, Copy, Debug)]
enum Question {
    Address { address: u8, read: bool },
    Take(u8),
    Give,
}

#[derive(Debug)]
struct Port {
    /// The secondary is switched on.
    on: bool,
    slave: I2cSlave,
    address: u8,
    reading: bool,
    /// Bytes that came or went in this transfer.
    count: usize,
    received: [u8; BUFFER],
    response: Response,
    /// Address and size of the command that waits.
    command: Option<(u8, u8)>,
    /// The CPU stands still: what an interrupt would answer has to wait.
    stalled: bool,
    question: Option<Question>,
    /// What the line is to do, if that has changed.
    line: Option<bool>,
}

/// The bus's end in the chip. Clones are the same.
#[derive(Clone, Debug)]
pub struct I2cPort(Arc<Mutex<Port>>);

impl Default for I2cPort {
    fn default() -> I2cPort {
        I2cPort(Arc::new(Mutex::new(Port {
            on: false,
            slave: I2cSlave::default(),
            address: 0,
            reading: false,
            count: 0,
            received: [0; BUFFER],
            response: Response::default(),
            command: None,
            stalled: false,
            question: None,
            line: None,
        })))
    }
}

impl I2cPort {
    /// Switches the secondary on or off. What is to be sent.
    #[must_use]
    pub fn switch(&self, on: bool) -> Option<I2cSignal> {
        let mut port = self.0.lock();
        port.on = on;
        port.question = None;
        if on { None } else { port.slave.leave() }
    }

    /// A step of a transfer is heard. What the chip answers, and whether there is a command for the main loop.
    pub fn hear(&self, at: Time, step: I2cSignal) -> (Option<I2cSignal>, bool) {
        let mut port = self.0.lock();
        let on = port.on;
        let mine = |address| on && matches!(address, comms::ADDRESS | flash::ADDRESS);
        let answer = match port.slave.hear(at, step, mine) {
            Some(Heard::Addressed { address, read, .. }) => port.ask(Question::Address { address, read }),
            Some(Heard::Written { byte, .. }) => port.ask(Question::Take(byte)),
            Some(Heard::Wanted { .. }) => port.ask(Question::Give),
            Some(Heard::Left | Heard::Stopped) => {
                port.question = None;
                port.finish();
                None
            }
            Some(Heard::Acknowledged(_)) | None => None,
        };
        (answer, port.command.is_some())
    }

    /// The CPU stops for a while, or goes on. What is to be sent.
    #[must_use]
    pub fn stall(&self, stalled: bool) -> Option<I2cSignal> {
        let mut port = self.0.lock();
        port.stalled = stalled;
        if stalled { None } else { port.question.take().and_then(|question| port.ask(question)) }
    }

    /// Takes the command that waits.
    #[must_use]
    pub fn command(&self) -> Option<Command> {
        let mut port = self.0.lock();
        let (address, size) = port.command.take()?;
        Some(Command { address, size, bytes: port.received })
    }

    /// Writes the response.
    pub fn respond(&self, write: impl FnOnce(&mut Response)) {
        write(&mut self.0.lock().response);
    }

    /// Drops response and command.
    pub fn clear(&self) {
        let mut port = self.0.lock();
        port.response.clear();
        port.received.fill(0);
        port.command = None;
    }

    /// What the interrupt handler wants of COMBINED_SENSOR_INT since the last call: pull (true) or let go.
    pub fn take_line(&self) -> Option<bool> {
        self.0.lock().line.take()
    }
}

impl Port {
    fn ask(&mut self, question: Question) -> Option<I2cSignal> {
        if self.stalled {
            self.question = Some(question);
            return self.slave.answer(Reply::Hold);
        }
        let reply = match question {
            Question::Address { address, read } => {
                // A repeated start ends the transfer before it.
                self.finish();
                (self.address, self.reading, self.count) = (address, read, 0);
                Reply::Ack
            }
            Question::Take(byte) => match self.received.get_mut(self.count) {
                Some(place) => {
                    *place = byte;
                    self.count += 1;
                    Reply::Ack
                }
                None => Reply::Nack,
            },
            Question::Give => {
                let byte = self.response.bytes.get(self.count).copied().unwrap_or(0);
                self.count += 1;
                self.reading = true;
                Reply::Data(byte)
            }
        };
        self.slave.answer(reply)
    }

    /// A transfer is over.
    fn finish(&mut self) {
        let address = std::mem::take(&mut self.address);
        if address == 0 {
            return;
        }
        if self.reading {
            self.line = Some(false);
            self.response.clear();
        } else if self.count > 0 && self.received[0] != comms::NOP {
            self.command = Some((address, self.count as u8));
        }
    }
}

/// Executes the command that waits; false if there is none. What it asks for besides its response is left in
/// [`Core::requests`].
pub(super) async fn execute(core: &mut Core) -> bool {
    let Some(command) = core.io.i2c.command() else { return false };
    core.work(HANDLING).await;
    if command.address == comms::ADDRESS {
        comms::execute(core, &command);
    } else {
        flash::execute(core, &command).await;
    }
    true
}

#[cfg(test)]
mod tests;
