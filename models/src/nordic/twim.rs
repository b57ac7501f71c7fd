//! TWIM — I2C master with EasyDMA (PS chapter "TWIM").
//!
//! A transfer is an address and then bytes, each in its time on the wire. LASTTX and LASTRX come when the last byte
//! begins; the shorts from them act when it has ended. A start task during a suspension waits for RESUME, and is then a
//! repeated start. The page is shared with SPI, SPIM, SPIS, TWI and TWIS: ENABLE chooses, and those do nothing.
//!
//! An address that no device of the board's bus has may be another chip's. Then every step goes out on SDA when it begins,
//! and the other chip's answer comes over the wire while the byte is on it. Nobody is there if none has come when the
//! byte is over. A slave that holds SCL low is waited for, as long as it takes: the chapter knows no time-out, and drivers
//! that have one disable the master.

use twinboard_sim::bus::Size;
use twinboard_sim::time::Span;
use twinboard_sim::wire::I2cSignal;

use super::clock::LfClk;
use super::inert::{Inert, InertSpec};
use super::peripheral::{Cx, Events, NEVER, PCLK16M, Peripheral, Psel, Reset, SHORTS};

const STARTRX: u32 = 0x000;
const STARTTX: u32 = 0x008;
const STOP: u32 = 0x014;
const SUSPEND: u32 = 0x01C;
const RESUME: u32 = 0x020;

const STOPPED: u32 = 1;
const ERROR: u32 = 9;
const SUSPENDED: u32 = 18;
const RXSTARTED: u32 = 19;
const TXSTARTED: u32 = 20;
const LASTRX: u32 = 23;
const LASTTX: u32 = 24;

const ERRORSRC: u32 = 0x4C4;
const ENABLE: u32 = 0x500;
const PSEL_SCL: u32 = 0x508;
const PSEL_SDA: u32 = 0x50C;
const FREQUENCY: u32 = 0x524;
const RXD_PTR: u32 = 0x534;
const RXD_MAXCNT: u32 = 0x538;
const RXD_AMOUNT: u32 = 0x53C;
const TXD_PTR: u32 = 0x544;
const TXD_MAXCNT: u32 = 0x548;
const TXD_AMOUNT: u32 = 0x54C;
const ADDRESS: u32 = 0x588;

const ENABLED_TWIM: u32 = 6;
const ANACK: u32 = 1 << 1;
const DNACK: u32 = 1 << 2;

/// Start condition, address, direction and acknowledge.
const ADDRESS_CLOCKS: u64 = 10;
/// Eight bits and acknowledge.
const BYTE_CLOCKS: u64 = 9;

/// Which way a transfer goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Direction {
    Rx,
    Tx,
}

impl Direction {
    /// STARTED and LAST events, AMOUNT register.
    fn ends(self) -> (u32, u32, u32) {
        match self {
            Direction::Rx => (RXSTARTED, LASTRX, RXD_AMOUNT),
            Direction::Tx => (TXSTARTED, LASTTX, TXD_AMOUNT),
        }
    }

    /// Shorts from LASTTX or LASTRX: to a start in the other direction, to SUSPEND, to STOP.
    fn shorts(self) -> [u32; 3] {
        match self {
            Direction::Tx => [1 << 7, 1 << 8, 1 << 9],
            Direction::Rx => [1 << 10, 1 << 11, 1 << 12],
        }
    }
}

/// Who has the address of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slave {
    /// This device of the board's bus.
    Device(usize),
    /// A chip on the wires, or nobody.
    Chip,
}

/// What a chip on the wires has said to the byte that is on them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    /// Nothing.
    None,
    /// It holds SCL low.
    Hold,
    /// Whether it acknowledges.
    Acknowledge(bool),
    /// The byte that is clocked.
    Data(u8),
}

#[derive(Clone, Copy, Debug)]
struct Transfer {
    direction: Direction,
    ptr: u32,
    maxcnt: u32,
    amount: u32,
    slave: Slave,
    /// The address is acknowledged.
    addressed: bool,
}

/// The register machine.
#[derive(Debug)]
pub struct Twim {
    /// The page's registers.
    pub(super) registers: Inert,
    transfer: Option<Transfer>,
    /// A transfer that waits for RESUME.
    waiting: Option<Transfer>,
    suspended: bool,
    stopping: bool,
    suspending: bool,
    /// End of the byte on the wire.
    byte_due: u64,
    /// What the chip on the wires said to it.
    answer: Answer,
    /// The byte would be over, but the slave holds SCL low.
    held: bool,
    /// SCL has been held low for as long as a fault wanted.
    stretched: bool,
    /// Chips on the wires have seen a start without a stop.
    open: bool,
    /// Events on their way, and when they arrive.
    pending: u32,
    pending_due: u64,
}

impl Twim {
    /// A master on a page with these registers.
    #[must_use]
    pub fn new(spec: InertSpec) -> Twim {
        Twim {
            registers: Inert::new(spec),
            transfer: None,
            waiting: None,
            suspended: false,
            stopping: false,
            suspending: false,
            byte_due: NEVER,
            answer: Answer::None,
            held: false,
            stretched: false,
            open: false,
            pending: 0,
            pending_due: NEVER,
        }
    }

    fn soon(&mut self, now: u64, event: u32) {
        self.pending |= 1 << event;
        self.pending_due = self.pending_due.min(now + PCLK16M);
    }

    /// Core cycles of one clock on the bus. FREQUENCY is a fraction of 16 MHz over 2^32.
    fn clock(&self) -> u64 {
        (1 << 32) / u64::from(self.registers.get(FREQUENCY).max(1)) * PCLK16M
    }

    /// Whether this master's pins are those of the board's bus.
    fn is_on(&self, cx: &Cx<'_>) -> bool {
        let pin = |offset| Psel(self.registers.get(offset)).pin();
        cx.i2c.pins.is_some() && pin(PSEL_SCL).zip(pin(PSEL_SDA)) == cx.i2c.pins
    }

    /// A step for the chips on the wires.
    fn send(&self, cx: &mut Cx<'_>, step: I2cSignal) {
        if let Some(sda) = Psel(self.registers.get(PSEL_SDA)).pin() {
            cx.pins.send_i2c(cx.now, sda, step);
        }
    }

    fn start(&mut self, cx: &mut Cx<'_>, direction: Direction) {
        let (ptr, maxcnt) = match direction {
            Direction::Rx => (RXD_PTR, RXD_MAXCNT),
            Direction::Tx => (TXD_PTR, TXD_MAXCNT),
        };
        let (ptr, maxcnt) = (self.registers.get(ptr), self.registers.get(maxcnt) & 0xFFFF);
        let transfer = Transfer { direction, ptr, maxcnt, amount: 0, slave: Slave::Chip, addressed: false };
        if self.suspended {
            self.waiting = Some(transfer);
        } else {
            self.begin(cx, transfer);
        }
    }

    fn begin(&mut self, cx: &mut Cx<'_>, mut transfer: Transfer) {
        let (started, _, amount) = transfer.direction.ends();
        self.registers.set(amount, 0);
        self.soon(cx.now, started);
        let address = (self.registers.get(ADDRESS) & 0x7F) as u8;
        let device = if self.is_on(cx) { cx.i2c.find(address) } else { None };
        transfer.slave = device.map_or(Slave::Chip, Slave::Device);
        // A chip that is in the middle of a transfer sees that it is over, also if the next one is none of its.
        if transfer.slave == Slave::Chip || self.open {
            self.open = transfer.slave == Slave::Chip;
            let bit = cx.pins.hfclk.span(self.clock());
            self.send(cx, I2cSignal::Start { address, read: transfer.direction == Direction::Rx, bit });
        }
        self.transfer = Some(transfer);
        self.await_byte(cx.now, ADDRESS_CLOCKS);
    }

    /// A byte, or the address, is on the wire for so many clocks.
    fn await_byte(&mut self, now: u64, clocks: u64) {
        self.byte_due = now + clocks * self.clock();
        (self.answer, self.held) = (Answer::None, false);
    }

    fn fail(&mut self, cx: &mut Cx<'_>, reason: u32) {
        self.transfer = None;
        self.registers.set(ERRORSRC, self.registers.get(ERRORSRC) | reason);
        self.events().raise(ERROR);
        self.suspending = false;
        if std::mem::take(&mut self.stopping) {
            self.stop(cx);
        }
    }

    /// A byte, or the address, is over on the wire.
    fn byte_done(&mut self, cx: &mut Cx<'_>) {
        let Some(mut transfer) = self.transfer else { return };
        if transfer.slave == Slave::Chip && self.answer == Answer::Hold {
            self.held = true;
            return;
        }
        if let Slave::Device(device) = transfer.slave
            && !std::mem::take(&mut self.stretched)
        {
            let span = cx.i2c.stretch(cx.time(), device);
            if span > Span::ZERO {
                self.stretched = true;
                self.byte_due = cx.now + cx.cycles(span);
                return;
            }
        }
        if !transfer.addressed {
            match transfer.slave {
                Slave::Device(device) if cx.i2c.start(cx.time(), device) => {}
                Slave::Chip if self.answer == Answer::Acknowledge(true) => {}
                _ => return self.fail(cx, ANACK),
            }
            transfer.addressed = true;
        } else {
            let (time, at) = (cx.time(), transfer.ptr.wrapping_add(transfer.amount));
            transfer.amount += 1;
            self.registers.set(transfer.direction.ends().2, transfer.amount);
            match transfer.direction {
                Direction::Rx => {
                    let byte = match (transfer.slave, self.answer) {
                        (Slave::Device(device), _) => cx.i2c.read(time, device),
                        (Slave::Chip, Answer::Data(byte)) => byte,
                        // Nobody pulls SDA low.
                        (Slave::Chip, _) => u8::MAX,
                    };
                    cx.memory.write(at, Size::Byte, byte.into());
                    if transfer.slave == Slave::Chip {
                        let more = transfer.amount < transfer.maxcnt && !self.stopping;
                        self.send(cx, I2cSignal::Acknowledge(more));
                    }
                }
                Direction::Tx => {
                    let acknowledged = match transfer.slave {
                        Slave::Device(device) => {
                            let byte = cx.memory.read(at, Size::Byte).unwrap_or(0) as u8;
                            cx.i2c.write(time, device, byte)
                        }
                        Slave::Chip => self.answer == Answer::Acknowledge(true),
                    };
                    if !acknowledged {
                        return self.fail(cx, DNACK);
                    }
                }
            }
        }
        self.transfer = Some(transfer);
        self.go_on(cx);
    }

    /// Between two bytes: what has been asked for meanwhile, or the next byte.
    fn go_on(&mut self, cx: &mut Cx<'_>) {
        let Some(transfer) = self.transfer else { return };
        let left = transfer.maxcnt - transfer.amount;
        let (_, last, _) = transfer.direction.ends();
        if std::mem::take(&mut self.stopping) {
            self.stop(cx);
        } else if std::mem::take(&mut self.suspending) {
            self.suspended = true;
            self.soon(cx.now, SUSPENDED);
        } else if left > 0 {
            if left == 1 {
                self.events().raise(last);
            }
            if transfer.slave == Slave::Chip {
                let step = match transfer.direction {
                    Direction::Rx => I2cSignal::Read,
                    Direction::Tx => {
                        let at = transfer.ptr.wrapping_add(transfer.amount);
                        I2cSignal::Write(cx.memory.read(at, Size::Byte).unwrap_or(0) as u8)
                    }
                };
                self.send(cx, step);
            }
            self.await_byte(cx.now, BYTE_CLOCKS);
        } else {
            if transfer.maxcnt == 0 {
                self.events().raise(last);
            }
            self.finished(cx, transfer.direction);
        }
    }

    /// All bytes are over: the shorts decide what follows; without one the bus waits.
    fn finished(&mut self, cx: &mut Cx<'_>, direction: Direction) {
        self.transfer = None;
        let shorts = self.registers.get(SHORTS);
        let [start, suspend, stop] = direction.shorts().map(|short| shorts & short != 0);
        if suspend {
            self.suspended = true;
            self.soon(cx.now, SUSPENDED);
        }
        if stop {
            self.stop(cx);
        } else if start {
            self.start(cx, if direction == Direction::Tx { Direction::Rx } else { Direction::Tx });
        }
    }

    fn stop(&mut self, cx: &mut Cx<'_>) {
        self.leave(cx);
        self.soon(cx.now, STOPPED);
    }

    /// Lets go of the bus.
    fn leave(&mut self, cx: &mut Cx<'_>) {
        (self.transfer, self.waiting, self.suspended, self.byte_due) = (None, None, false, NEVER);
        (self.stopping, self.suspending, self.held, self.stretched) = (false, false, false, false);
        if std::mem::take(&mut self.open) {
            self.send(cx, I2cSignal::Stop);
        }
    }

    fn resume(&mut self, cx: &mut Cx<'_>) {
        if std::mem::take(&mut self.suspended) {
            match self.waiting.take() {
                Some(transfer) => self.begin(cx, transfer),
                None => self.go_on(cx),
            }
        }
    }
}

impl Peripheral for Twim {
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        self.registers.read(cx, offset)
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        if offset == ERRORSRC {
            self.registers.set(ERRORSRC, self.registers.get(ERRORSRC) & !value);
            return Some(());
        }
        if offset == ENABLE && value != ENABLED_TWIM && self.registers.get(ENABLE) == ENABLED_TWIM {
            // What was on its way is dropped.
            self.leave(cx);
            (self.pending, self.pending_due) = (0, NEVER);
        }
        self.registers.write(cx, offset, value)
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        if self.registers.get(ENABLE) != ENABLED_TWIM {
            return None;
        }
        let busy = self.byte_due != NEVER || self.held;
        match offset {
            STARTRX => self.start(cx, Direction::Rx),
            STARTTX => self.start(cx, Direction::Tx),
            STOP if busy => self.stopping = true,
            STOP => self.stop(cx),
            SUSPEND if busy => self.suspending = true,
            SUSPEND => {
                self.suspended = true;
                self.soon(cx.now, SUSPENDED);
            }
            RESUME => self.resume(cx),
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        self.registers.events()
    }

    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset) {
        self.registers.reset(cx, reset);
        (self.transfer, self.waiting) = (None, None);
        (self.suspended, self.stopping, self.suspending) = (false, false, false);
        (self.byte_due, self.pending, self.pending_due) = (NEVER, 0, NEVER);
        (self.answer, self.held, self.open, self.stretched) = (Answer::None, false, false, false);
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.pending_due.min(self.byte_due)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.pending_due <= cx.now {
            self.pending_due = NEVER;
            let events = std::mem::take(&mut self.pending);
            self.events().raise_all(events);
        }
        if self.byte_due <= cx.now {
            self.byte_due = NEVER;
            self.byte_done(cx);
        }
    }

    fn i2c(&mut self, cx: &mut Cx<'_>, pin: u8, step: I2cSignal) {
        if Psel(self.registers.get(PSEL_SDA)).pin() != Some(pin) || self.byte_due == NEVER && !self.held {
            return;
        }
        self.answer = match step {
            I2cSignal::Hold => Answer::Hold,
            I2cSignal::Answer(yes) => Answer::Acknowledge(yes),
            I2cSignal::Data(byte) => Answer::Data(byte),
            // Another master; nobody on these boards is one.
            _ => return,
        };
        if self.held && self.answer != Answer::Hold {
            self.held = false;
            self.byte_done(cx);
        }
    }
}

#[cfg(test)]
#[path = "twim_tests.rs"]
mod tests;
