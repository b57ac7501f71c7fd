//! TWIS — I2C slave with EasyDMA and two addresses (PS chapter "TWIS").
//!
//! The address is acknowledged at once. After that a program prepares a buffer, beforehand or when READ or WRITE tells it
//! to; until it has, and while it is suspended, SCL is held low. What a byte does to memory and registers, it does when it
//! is over on the wire.

use twinboard_sim::bus::Size;
use twinboard_sim::wire::I2cSignal;

use super::inert::Inert;
use super::peripheral::{Cx, NEVER, PCLK16M, Psel, SHORTS};
use crate::parts::i2c_slave::{Heard, I2cSlave, Reply};

const STOP: u32 = 0x014;
const SUSPEND: u32 = 0x01C;
const RESUME: u32 = 0x020;
const PREPARERX: u32 = 0x030;
const PREPARETX: u32 = 0x034;

const STOPPED: u32 = 1;
const ERROR: u32 = 9;
const RXSTARTED: u32 = 19;
const TXSTARTED: u32 = 20;
const WRITE: u32 = 25;
const READ: u32 = 26;

const WRITE_SUSPEND: u32 = 1 << 13;
const READ_SUSPEND: u32 = 1 << 14;

/// ERRORSRC of this personality.
pub const ERRORSRC: u32 = 0x4D0;
pub const MATCH: u32 = 0x4D4;
const PSEL_SDA: u32 = 0x50C;
const RXD_PTR: u32 = 0x534;
const RXD_AMOUNT: u32 = 0x53C;
const TXD_PTR: u32 = 0x544;
const TXD_AMOUNT: u32 = 0x54C;
const ADDRESS: [u32; 2] = [0x588, 0x58C];
const CONFIG: u32 = 0x594;
const ORC: u32 = 0x5C0;

const OVERFLOW: u32 = 1;
const OVERREAD: u32 = 1 << 3;

/// A buffer in RAM that EasyDMA works on.
#[derive(Clone, Copy, Default, Debug)]
struct Buffer {
    prepared: bool,
    ptr: u32,
    maxcnt: u32,
    amount: u32,
}

/// What happens at the end of what is on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Over {
    /// The address; the master wants to read, or to write.
    Address { read: bool },
    /// This byte is the program's.
    Written(u8),
    /// A byte has gone to the master.
    Sent,
}

/// What the master waits for, and when its byte would be over.
#[derive(Clone, Copy, Debug)]
enum Question {
    Take(u8, u64),
    Give(u64),
}

/// The register machine, without the registers: those are the page's.
#[derive(Debug)]
pub struct Twis {
    slave: I2cSlave,
    /// The direction of the transfer whose address is over.
    reading: Option<bool>,
    rx: Buffer,
    tx: Buffer,
    suspended: bool,
    question: Option<Question>,
    over: Option<(u64, Over)>,
    /// Events on their way, and when they arrive.
    pending: u32,
    pending_due: u64,
}

impl Default for Twis {
    fn default() -> Twis {
        Twis {
            slave: I2cSlave::default(),
            reading: None,
            rx: Buffer::default(),
            tx: Buffer::default(),
            suspended: false,
            question: None,
            over: None,
            pending: 0,
            pending_due: NEVER,
        }
    }
}

/// Which of the two addresses `address` is, if CONFIG enables it.
fn matching(registers: &Inert, address: u8) -> Option<u32> {
    let config = registers.get(CONFIG);
    let is = |n: u32| config >> n & 1 == 1 && registers.get(ADDRESS[n as usize]) & 0x7F == u32::from(address);
    (0..2).find(|&n| is(n))
}

impl Twis {
    fn soon(&mut self, now: u64, event: u32) {
        self.pending |= 1 << event;
        self.pending_due = self.pending_due.min(now + PCLK16M);
    }

    /// When something happens next.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.pending_due.min(self.over.map_or(NEVER, |over| over.0))
    }

    /// Does what is due.
    pub fn run(&mut self, cx: &mut Cx<'_>, registers: &mut Inert) {
        if self.pending_due <= cx.now {
            self.pending_due = NEVER;
            registers.raise(std::mem::take(&mut self.pending));
        }
        if self.over.is_some_and(|over| over.0 <= cx.now) {
            self.is_over(cx, registers);
        }
    }

    /// Back to idle; what SCL is held for is let go.
    pub fn leave(&mut self, cx: &mut Cx<'_>, registers: &Inert) {
        let step = self.slave.leave();
        *self = Twis::default();
        send(cx, registers, step);
    }

    /// A task; none if there is no such one.
    pub fn task(&mut self, cx: &mut Cx<'_>, registers: &mut Inert, offset: u32) -> Option<()> {
        let buffer = |base: u32, registers: &Inert| Buffer {
            prepared: true,
            ptr: registers.get(base),
            maxcnt: registers.get(base + 4) & 0xFFFF,
            amount: 0,
        };
        match offset {
            STOP => {
                self.leave(cx, registers);
                self.soon(cx.now, STOPPED);
            }
            SUSPEND => self.suspended = true,
            RESUME => {
                self.suspended = false;
                self.answer(cx, registers);
            }
            PREPARERX => {
                self.rx = buffer(RXD_PTR, registers);
                self.begin(cx.now, registers, false);
                self.answer(cx, registers);
            }
            PREPARETX => {
                self.tx = buffer(TXD_PTR, registers);
                self.begin(cx.now, registers, true);
                self.answer(cx, registers);
            }
            _ => return None,
        }
        Some(())
    }

    /// Another chip does a step of a transfer on the bus.
    pub fn hear(&mut self, cx: &mut Cx<'_>, registers: &mut Inert, step: I2cSignal) {
        // The byte before is over, whatever the time on the wires says.
        self.is_over(cx, registers);
        let at = cx.time();
        let hfclk = cx.pins.hfclk;
        let Some(heard) = self.slave.hear(at, step, |address| matching(registers, address).is_some()) else { return };
        match heard {
            Heard::Addressed { address, read, over } => {
                self.finish();
                registers.set(MATCH, matching(registers, address).unwrap_or(0));
                let step = self.slave.answer(Reply::Ack);
                send(cx, registers, step);
                self.over = Some((hfclk.cycle(over), Over::Address { read }));
            }
            Heard::Left => self.finish(),
            Heard::Stopped => {
                self.finish();
                self.soon(cx.now, STOPPED);
            }
            Heard::Written { byte, over } => {
                self.question = Some(Question::Take(byte, hfclk.cycle(over)));
                self.answer(cx, registers);
            }
            Heard::Wanted { over } => {
                self.question = Some(Question::Give(hfclk.cycle(over)));
                self.answer(cx, registers);
            }
            Heard::Acknowledged(_) => {}
        }
    }

    /// A transfer is over: its buffer has had its use.
    fn finish(&mut self) {
        match self.reading.take() {
            Some(true) => self.tx.prepared = false,
            Some(false) => self.rx.prepared = false,
            None => {}
        }
        (self.question, self.suspended) = (None, false);
    }

    /// A transfer and a buffer for it have come together.
    fn begin(&mut self, now: u64, registers: &mut Inert, read: bool) {
        let (buffer, started, amount) =
            if read { (self.tx, TXSTARTED, TXD_AMOUNT) } else { (self.rx, RXSTARTED, RXD_AMOUNT) };
        if self.reading == Some(read) && buffer.prepared {
            registers.set(amount, 0);
            self.soon(now, started);
        }
    }

    fn is_over(&mut self, cx: &mut Cx<'_>, registers: &mut Inert) {
        let Some((_, over)) = self.over.take() else { return };
        match over {
            Over::Address { read } => {
                self.reading = Some(read);
                let (event, suspend) = if read { (READ, READ_SUSPEND) } else { (WRITE, WRITE_SUSPEND) };
                registers.raise(1 << event);
                self.suspended |= registers.get(SHORTS) & suspend != 0;
                self.begin(cx.now, registers, read);
            }
            Over::Written(byte) => {
                cx.memory.write(self.rx.ptr.wrapping_add(self.rx.amount), Size::Byte, byte.into());
                self.rx.amount += 1;
                registers.set(RXD_AMOUNT, self.rx.amount);
            }
            Over::Sent => {
                self.tx.amount += 1;
                registers.set(TXD_AMOUNT, self.tx.amount.min(self.tx.maxcnt));
            }
        }
    }

    /// Answers the master's question, if it can be answered.
    fn answer(&mut self, cx: &mut Cx<'_>, registers: &mut Inert) {
        let Some(question) = self.question else { return };
        let ready = match question {
            Question::Take(..) => self.rx.prepared,
            Question::Give(_) => self.tx.prepared,
        };
        let reply = if !ready || self.suspended {
            Reply::Hold
        } else {
            self.question = None;
            match question {
                Question::Take(byte, over) if self.rx.amount < self.rx.maxcnt => {
                    self.over = Some((over.max(cx.now), Over::Written(byte)));
                    Reply::Ack
                }
                Question::Take(..) => {
                    self.fail(cx.now, registers, OVERFLOW);
                    Reply::Nack
                }
                Question::Give(over) => {
                    self.over = Some((over.max(cx.now), Over::Sent));
                    if self.tx.amount < self.tx.maxcnt {
                        let at = self.tx.ptr.wrapping_add(self.tx.amount);
                        Reply::Data(cx.memory.read(at, Size::Byte).unwrap_or(0) as u8)
                    } else {
                        self.fail(cx.now, registers, OVERREAD);
                        Reply::Data(registers.get(ORC) as u8)
                    }
                }
            }
        };
        let step = self.slave.answer(reply);
        send(cx, registers, step);
    }

    fn fail(&mut self, now: u64, registers: &mut Inert, reason: u32) {
        registers.set(ERRORSRC, registers.get(ERRORSRC) | reason);
        self.soon(now, ERROR);
    }
}

fn send(cx: &mut Cx<'_>, registers: &Inert, step: Option<I2cSignal>) {
    if let (Some(step), Some(sda)) = (step, Psel(registers.get(PSEL_SDA)).pin()) {
        cx.pins.send_i2c(cx.now, sda, step);
    }
}

#[cfg(test)]
#[path = "twis_tests.rs"]
mod tests;
