//! TWI — I2C master without EasyDMA (nRF51 reference manual, chapter "TWI"): the program moves every byte.
//!
//! STARTTX and STARTRX send a start condition and the address. While transmitting, each byte goes when TXD has been
//! written, and TXDSENT tells that it is over. While receiving, RXDREADY tells of a byte in RXD. The byte boundary BB
//! comes between a byte's eighth bit and its acknowledge: what SUSPEND or STOP (by short or PPI) ask for then, happens
//! when the byte is over. A byte before a stop is not acknowledged. Without either, the next byte comes when RXD has
//! been read.

use twinboard_sim::time::Span;

use super::inert::Inert;
use super::peripheral::{Cx, NEVER, PCLK16M, Psel, SHORTS};

const STARTRX: u32 = 0x000;
const STARTTX: u32 = 0x008;
const STOP: u32 = 0x014;
const SUSPEND: u32 = 0x01C;
const RESUME: u32 = 0x020;

const STOPPED: u32 = 1;
const RXDREADY: u32 = 2;
const TXDSENT: u32 = 7;
const ERROR: u32 = 9;
const BB: u32 = 14;
const SUSPENDED: u32 = 18;

const SHORT_BB_SUSPEND: u32 = 1 << 0;
const SHORT_BB_STOP: u32 = 1 << 1;

const ERRORSRC: u32 = 0x4C4;
const PSEL_SCL: u32 = 0x508;
const PSEL_SDA: u32 = 0x50C;
const FREQUENCY: u32 = 0x524;
const ADDRESS: u32 = 0x588;

const OVERRUN: u32 = 1 << 0;
const ANACK: u32 = 1 << 1;
const DNACK: u32 = 1 << 2;

/// Start condition, address, direction and acknowledge.
const ADDRESS_CLOCKS: u64 = 10;
/// The bits of a byte, up to the byte boundary.
const BITS_CLOCKS: u64 = 8;
/// The acknowledge.
const ACK_CLOCKS: u64 = 1;

/// What the master is doing on the bus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing; the bus may still be held after a transfer without a stop.
    Idle,
    /// Start condition and address.
    Address { read: bool },
    /// Between bytes: for TXD to be written, for RXD to be read, or for RESUME.
    Waiting { read: bool, device: usize },
    /// The bits of a byte.
    Bits { read: bool, device: usize },
    /// The acknowledge of a byte.
    Ack { read: bool, device: usize },
}

/// The state beside the registers, which the page's personalities share.
#[derive(Debug)]
pub struct Twi {
    phase: Phase,
    /// End of the phase.
    due: u64,
    /// TXD, written and not sent yet.
    txd: Option<u8>,
    rxd: u8,
    /// RXD holds a byte that has not been read.
    unread: bool,
    suspended: bool,
    suspending: bool,
    stopping: bool,
    /// SCL has been held low for as long as a fault wanted.
    stretched: bool,
    /// Events on their way, and when they arrive.
    pending: u32,
    pending_due: u64,
}

impl Default for Twi {
    fn default() -> Twi {
        Twi {
            phase: Phase::Idle,
            due: NEVER,
            txd: None,
            rxd: 0,
            unread: false,
            suspended: false,
            suspending: false,
            stopping: false,
            stretched: false,
            pending: 0,
            pending_due: NEVER,
        }
    }
}

impl Twi {
    fn soon(&mut self, now: u64, event: u32) {
        self.pending |= 1 << event;
        self.pending_due = self.pending_due.min(now + PCLK16M);
    }

    /// RXD, which makes place for the next byte.
    pub fn read_rxd(&mut self, registers: &Inert, now: u64) -> u32 {
        self.unread = false;
        self.go_on(registers, now);
        self.rxd.into()
    }

    /// TXD is written.
    pub fn write_txd(&mut self, registers: &Inert, now: u64, byte: u8) {
        self.txd = Some(byte);
        self.go_on(registers, now);
    }

    /// Triggers a task.
    pub fn task(&mut self, registers: &Inert, now: u64, offset: u32) -> Option<()> {
        let between = matches!(self.phase, Phase::Idle | Phase::Waiting { .. });
        match offset {
            STARTRX | STARTTX => {
                (self.suspended, self.stretched) = (false, false);
                self.unread = false;
                self.enter(registers, now, Phase::Address { read: offset == STARTRX }, ADDRESS_CLOCKS);
            }
            STOP if between => self.stop(now),
            STOP => self.stopping = true,
            SUSPEND if between => {
                self.suspended = true;
                self.soon(now, SUSPENDED);
            }
            SUSPEND => self.suspending = true,
            RESUME => {
                self.suspended = false;
                self.go_on(registers, now);
            }
            _ => return None,
        }
        Some(())
    }

    /// When something is due.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.due.min(self.pending_due)
    }

    /// Does what is due.
    pub fn run(&mut self, registers: &mut Inert, cx: &mut Cx<'_>) {
        if self.pending_due <= cx.now {
            self.pending_due = NEVER;
            let events = std::mem::take(&mut self.pending);
            registers.raise(events);
        }
        if self.due <= cx.now {
            self.due = NEVER;
            self.phase_done(registers, cx);
        }
    }

    fn enter(&mut self, registers: &Inert, now: u64, phase: Phase, clocks: u64) {
        // FREQUENCY is a fraction of 16 MHz over 2^32.
        let clock = (1 << 32) / u64::from(registers.get(FREQUENCY).max(1)) * PCLK16M;
        self.phase = phase;
        self.due = now + clocks * clock;
    }

    /// Between bytes: the next one begins if there is what it takes.
    fn go_on(&mut self, registers: &Inert, now: u64) {
        if let Phase::Waiting { read, device } = self.phase
            && !self.suspended
            && if read { !self.unread } else { self.txd.is_some() }
        {
            self.enter(registers, now, Phase::Bits { read, device }, BITS_CLOCKS);
        }
    }

    fn stop(&mut self, now: u64) {
        (self.phase, self.due) = (Phase::Idle, NEVER);
        (self.suspended, self.suspending, self.stopping, self.txd) = (false, false, false, None);
        self.stretched = false;
        self.soon(now, STOPPED);
    }

    fn fail(&mut self, registers: &mut Inert, now: u64, reason: u32) {
        self.phase = Phase::Idle;
        self.txd = None;
        registers.set(ERRORSRC, registers.get(ERRORSRC) | reason);
        registers.raise(1 << ERROR);
        if std::mem::take(&mut self.stopping) {
            self.stop(now);
        }
    }

    fn phase_done(&mut self, registers: &mut Inert, cx: &mut Cx<'_>) {
        match self.phase {
            Phase::Idle | Phase::Waiting { .. } => {}
            Phase::Address { read } => {
                let pin = |offset| Psel(registers.get(offset)).pin();
                let is_on = cx.i2c.pins.is_some() && pin(PSEL_SCL).zip(pin(PSEL_SDA)) == cx.i2c.pins;
                let address = (registers.get(ADDRESS) & 0x7F) as u8;
                match if is_on { cx.i2c.find(address) } else { None } {
                    Some(device) if self.stretches(cx, device) => {}
                    Some(device) if cx.i2c.start(cx.time(), device) => {
                        self.byte_over(registers, cx.now, read, device);
                    }
                    _ => self.fail(registers, cx.now, ANACK),
                }
            }
            Phase::Bits { read, device } => {
                registers.raise(1 << BB);
                let shorts = registers.get(SHORTS);
                self.suspending |= shorts & SHORT_BB_SUSPEND != 0;
                self.stopping |= shorts & SHORT_BB_STOP != 0;
                self.enter(registers, cx.now, Phase::Ack { read, device }, ACK_CLOCKS);
            }
            Phase::Ack { read, device } => {
                if self.stretches(cx, device) {
                    return;
                }
                let time = cx.time();
                if read {
                    if std::mem::replace(&mut self.unread, true) {
                        registers.set(ERRORSRC, registers.get(ERRORSRC) | OVERRUN);
                    }
                    self.rxd = cx.i2c.read(time, device);
                    registers.raise(1 << RXDREADY);
                } else {
                    let acknowledged = cx.i2c.write(time, device, self.txd.take().unwrap_or(0));
                    registers.raise(1 << TXDSENT);
                    if !acknowledged {
                        return self.fail(registers, cx.now, DNACK);
                    }
                }
                self.byte_over(registers, cx.now, read, device);
            }
        }
    }

    /// Whether SCL is held low now, before the address or the byte is over.
    fn stretches(&mut self, cx: &Cx<'_>, device: usize) -> bool {
        let over = std::mem::take(&mut self.stretched);
        let span = if over { Span::ZERO } else { cx.i2c.stretch(cx.time(), device) };
        self.stretched = span > Span::ZERO;
        if self.stretched {
            self.due = cx.now + cx.cycles(span);
        }
        self.stretched
    }

    /// A byte, or the address, is over and acknowledged: what has been asked for meanwhile, or the next byte.
    fn byte_over(&mut self, registers: &Inert, now: u64, read: bool, device: usize) {
        self.phase = Phase::Waiting { read, device };
        if self.stopping {
            self.stop(now);
        } else {
            if std::mem::take(&mut self.suspending) {
                self.suspended = true;
                self.soon(now, SUSPENDED);
            }
            self.go_on(registers, now);
        }
    }
}
