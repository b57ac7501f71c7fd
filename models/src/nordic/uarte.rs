//! UART and UARTE — universal asynchronous receiver/transmitter, without and with EasyDMA (PS chapters "UART", "UARTE").
//!
//! Both personalities share the page; ENABLE chooses. A character takes the wire for its real time. The receiver samples
//! the line, so a wrong baud rate gives wrong bytes. Hardware flow control is not modelled.

use twinboard_sim::bus::Size;
use twinboard_sim::wire::SerialFrame;

use super::clock::LfClk;
use super::line::{Format, LineReceiver, Received, Wave};
use super::peripheral::{CYCLE_PS, Cx, Events, NEVER, PCLK16M, Peripheral, Psel, Reset, SHORTS};

const STARTRX: u32 = 0x000;
const STOPRX: u32 = 0x004;
const STARTTX: u32 = 0x008;
const STOPTX: u32 = 0x00C;
const SUSPEND: u32 = 0x01C;
const FLUSHRX: u32 = 0x02C;

const RXDRDY: u32 = 2;
const ENDRX: u32 = 4;
const TXDRDY: u32 = 7;
const ENDTX: u32 = 8;
const ERROR: u32 = 9;
const RXTO: u32 = 17;
const RXSTARTED: u32 = 19;
const TXSTARTED: u32 = 20;
const TXSTOPPED: u32 = 22;
/// CTS, NCTS and those that also the nRF51's UART has.
const UART_EVENTS: u32 = 0b11 | 1 << RXDRDY | 1 << TXDRDY | 1 << ERROR | 1 << RXTO;
const UARTE_EVENTS: u32 = 1 << ENDRX | 1 << ENDTX | 1 << RXSTARTED | 1 << TXSTARTED | 1 << TXSTOPPED;

const SHORT_ENDRX_STARTRX: u32 = 1 << 5;
const SHORT_ENDRX_STOPRX: u32 = 1 << 6;

const ERRORSRC: u32 = 0x480;
const ENABLE: u32 = 0x500;
const PSEL_RTS: u32 = 0x508;
const PSEL_TXD: u32 = 0x50C;
const PSEL_CTS: u32 = 0x510;
const PSEL_RXD: u32 = 0x514;
const RXD: u32 = 0x518;
const TXD: u32 = 0x51C;
const BAUDRATE: u32 = 0x524;
const RXD_PTR: u32 = 0x534;
const RXD_MAXCNT: u32 = 0x538;
const RXD_AMOUNT: u32 = 0x53C;
const TXD_PTR: u32 = 0x544;
const TXD_MAXCNT: u32 = 0x548;
const TXD_AMOUNT: u32 = 0x54C;
const CONFIG: u32 = 0x56C;

const OVERRUN: u32 = 1;
const PARITY: u32 = 1 << 1;
const FRAMING: u32 = 1 << 2;
const BREAK: u32 = 1 << 3;

const ENABLED_UART: u32 = 4;
const ENABLED_UARTE: u32 = 8;

/// Bytes that the receiver holds: UART six, UARTE four.
const FIFO_UART: usize = 6;
const FIFO_UARTE: usize = 4;
/// After STOPRX, so many characters may still arrive before RXTO.
const RXTO_CHARACTERS: u64 = 5;

/// A buffer in RAM that EasyDMA works on.
#[derive(Clone, Copy, Default, Debug)]
struct Buffer {
    ptr: u32,
    maxcnt: u32,
    amount: u32,
    active: bool,
}

#[derive(Clone, Copy, Debug)]
struct Fifo {
    bytes: [u8; FIFO_UART],
    len: usize,
}

impl Fifo {
    fn pop(&mut self) -> Option<u8> {
        let first = *self.bytes[..self.len].first()?;
        self.bytes.copy_within(1.., 0);
        self.len -= 1;
        Some(first)
    }

    /// False if `capacity` bytes are already there.
    fn push(&mut self, byte: u8, capacity: usize) -> bool {
        let fits = self.len < capacity;
        if fits {
            self.bytes[self.len] = byte;
            self.len += 1;
        }
        fits
    }
}

/// The register machine.
#[derive(Debug)]
pub struct Uarte {
    /// EasyDMA is there.
    has_dma: bool,
    events: Events,
    shorts: u32,
    errorsrc: u32,
    enable: u32,
    psel: [Psel; 4],
    baudrate: u32,
    config: u32,
    /// RXD.PTR/MAXCNT and TXD.PTR/MAXCNT as written; a start task latches them.
    rxd: (u32, u32),
    txd: (u32, u32),
    /// Events on their way, and when they arrive.
    pending: u32,
    pending_due: u64,

    tx_on: bool,
    tx_stopping: bool,
    tx: Buffer,
    /// UART: the byte that waits for the shift register.
    holding: Option<u8>,
    /// The end of the character on the wire.
    tx_due: u64,

    line: Option<LineReceiver>,
    rx: Buffer,
    rxto_due: u64,
    fifo: Fifo,
}

impl Default for Uarte {
    fn default() -> Uarte {
        Uarte {
            has_dma: true,
            events: Events::new(UART_EVENTS | UARTE_EVENTS),
            shorts: 0,
            errorsrc: 0,
            enable: 0,
            psel: [Psel::default(); 4],
            baudrate: 0x0400_0000,
            config: 0,
            rxd: (0, 0),
            txd: (0, 0),
            pending: 0,
            pending_due: NEVER,
            tx_on: false,
            tx_stopping: false,
            tx: Buffer::default(),
            holding: None,
            tx_due: NEVER,
            line: None,
            rx: Buffer::default(),
            rxto_due: NEVER,
            fifo: Fifo { bytes: [0; FIFO_UART], len: 0 },
        }
    }
}

impl Uarte {
    /// The UART of the nRF51: without EasyDMA.
    #[must_use]
    pub fn without_dma() -> Uarte {
        Uarte { has_dma: false, events: Events::new(UART_EVENTS), baudrate: 0, ..Uarte::default() }
    }

    /// Reset values of this kind.
    fn fresh(&self) -> Uarte {
        if self.has_dma { Uarte::default() } else { Uarte::without_dma() }
    }

    fn dma(&self) -> bool {
        self.enable == ENABLED_UARTE
    }

    fn txd_pin(&self) -> Option<u8> {
        self.psel[1].pin().filter(|_| matches!(self.enable, ENABLED_UART | ENABLED_UARTE))
    }

    fn rxd_pin(&self) -> Option<u8> {
        self.psel[3].pin()
    }

    /// Length of a bit in core cycles. BAUDRATE is a fraction of 16 MHz over 2^32, rounded down to whole periods of it.
    fn bit_cycles(&self) -> u64 {
        ((1 << 32) / u64::from(self.baudrate.max(1))).max(1) * PCLK16M
    }

    fn format(&self) -> Format {
        let parity = (self.config >> 1 & 7 == 7).then_some(self.config >> 8 & 1 == 1);
        Format { bit: self.bit_cycles() * CYCLE_PS, parity, stop: 1 + (self.config >> 4 & 1) as u8 }
    }

    fn character_cycles(&self) -> u64 {
        self.bit_cycles() * u64::from(self.format().bits())
    }

    fn soon(&mut self, now: u64, event: u32) {
        self.pending |= 1 << event;
        self.pending_due = self.pending_due.min(now + PCLK16M);
    }

    /// Puts the next character on the wire, if there is one and the wire is free.
    fn transmit(&mut self, cx: &mut Cx<'_>) {
        if !self.tx_on || self.tx_due != NEVER {
            return;
        }
        let byte = if !self.dma() {
            self.holding.take()
        } else if self.tx.active && !self.tx_stopping && self.tx.amount < self.tx.maxcnt {
            let byte = cx.memory.read(self.tx.ptr.wrapping_add(self.tx.amount), Size::Byte).unwrap_or(0);
            self.tx.amount += 1;
            Some(byte as u8)
        } else {
            None
        };
        if let Some(byte) = byte {
            self.tx_due = cx.now + self.character_cycles();
            if let Some(pin) = self.txd_pin() {
                cx.pins.send(cx.now, pin, self.format().frame(byte));
            }
        } else if self.dma() {
            self.end_transmission(cx.now);
        }
    }

    /// EasyDMA: the buffer is sent, or the stop task has been seen.
    fn end_transmission(&mut self, now: u64) {
        if std::mem::take(&mut self.tx.active) {
            self.soon(now, ENDTX);
        }
        if std::mem::take(&mut self.tx_stopping) {
            self.tx_on = false;
            self.soon(now, TXSTOPPED);
        }
    }

    /// Listens anew, with the pin and the format of now.
    fn listen(&mut self, cx: &Cx<'_>) {
        let level = self.rxd_pin().is_none_or(|pin| cx.pins.level(cx.now, pin));
        self.line = Some(LineReceiver::new(self.format(), level));
    }

    /// The pin or the format changes; drivers do that also while the receiver is on.
    fn configured(&mut self, cx: &Cx<'_>) {
        if self.line.is_some() {
            self.listen(cx);
        }
    }

    fn start_receiver(&mut self, cx: &mut Cx<'_>) {
        self.rxto_due = NEVER;
        if self.line.is_none() {
            self.listen(cx);
        }
        if self.dma() {
            self.rx = Buffer { ptr: self.rxd.0, maxcnt: self.rxd.1, amount: 0, active: true };
            self.soon(cx.now, RXSTARTED);
            self.drain(cx);
        } else if self.fifo.len > 0 {
            self.soon(cx.now, RXDRDY);
        }
    }

    fn stop_receiver(&mut self, now: u64) {
        if self.line.is_some() && self.rxto_due == NEVER {
            self.rxto_due = now + RXTO_CHARACTERS * self.character_cycles();
            if std::mem::take(&mut self.rx.active) {
                self.soon(now, ENDRX);
            }
        }
    }

    /// EasyDMA: moves what has been received into the buffer.
    fn drain(&mut self, cx: &mut Cx<'_>) {
        while self.rx.active && self.rx.amount < self.rx.maxcnt {
            let Some(byte) = self.fifo.pop() else { break };
            cx.memory.write(self.rx.ptr.wrapping_add(self.rx.amount), Size::Byte, byte.into());
            self.rx.amount += 1;
        }
        if self.rx.active && self.rx.amount == self.rx.maxcnt {
            self.rx.active = false;
            self.soon(cx.now, ENDRX);
        }
    }

    fn received(&mut self, cx: &mut Cx<'_>, received: Received) {
        let capacity = if self.dma() { FIFO_UARTE } else { FIFO_UART };
        let mut errors = 0;
        if self.fifo.push(received.byte, capacity) {
            self.events.raise(RXDRDY);
        } else {
            errors |= OVERRUN;
        }
        if received.parity_error {
            errors |= PARITY;
        }
        if received.framing_error {
            errors |= FRAMING | if received.is_break { BREAK } else { 0 };
        }
        if errors != 0 {
            self.errorsrc |= errors;
            self.events.raise(ERROR);
        }
        if self.dma() {
            self.drain(cx);
        }
    }

    /// Something that decides who drives the TXD pin changes: gives the old pin back and takes the new one.
    fn reconnect(&mut self, cx: &mut Cx<'_>, change: impl FnOnce(&mut Uarte)) {
        let old = self.txd_pin();
        change(self);
        let new = self.txd_pin();
        if old != new {
            if let Some(pin) = old {
                cx.pins.release(cx.now, pin);
            }
            if let Some(pin) = new {
                cx.pins.take(cx.now, pin, true);
            }
        }
    }

    fn set_enable(&mut self, cx: &mut Cx<'_>, value: u32) {
        self.reconnect(cx, |uarte| uarte.enable = value & if uarte.has_dma { 0xF } else { 7 });
        if self.enable == 0 {
            // Everything on its way is dropped; the configuration stays.
            let Uarte { shorts, psel, baudrate, config, rxd, txd, .. } = *self;
            let events = std::mem::take(&mut self.events);
            *self = Uarte { events, shorts, psel, baudrate, config, rxd, txd, ..self.fresh() };
        }
    }

    fn deliver_pending(&mut self, cx: &mut Cx<'_>) {
        let events = std::mem::take(&mut self.pending);
        self.pending_due = NEVER;
        self.events.raise_all(events);
        if events >> ENDRX & 1 == 1 {
            if self.shorts & SHORT_ENDRX_STARTRX != 0 && self.rxto_due == NEVER {
                self.start_receiver(cx);
            }
            if self.shorts & SHORT_ENDRX_STOPRX != 0 {
                self.stop_receiver(cx.now);
            }
        }
        if events >> TXSTARTED & 1 == 1 {
            self.transmit(cx);
        }
    }
}

impl Peripheral for Uarte {
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(match offset {
            SHORTS => self.shorts,
            ERRORSRC => self.errorsrc,
            ENABLE => self.enable,
            PSEL_RTS | PSEL_TXD | PSEL_CTS | PSEL_RXD => self.psel[(offset - PSEL_RTS) as usize / 4].0,
            RXD if !self.dma() => {
                let byte = self.fifo.pop().unwrap_or(0);
                if self.fifo.len > 0 {
                    self.soon(cx.now, RXDRDY);
                }
                byte.into()
            }
            RXD | TXD => 0,
            BAUDRATE => self.baudrate,
            RXD_PTR..=TXD_AMOUNT if !self.has_dma => return None,
            RXD_PTR => self.rxd.0,
            RXD_MAXCNT => self.rxd.1,
            RXD_AMOUNT => self.rx.amount,
            TXD_PTR => self.txd.0,
            TXD_MAXCNT => self.txd.1,
            TXD_AMOUNT => self.tx.amount,
            CONFIG => self.config,
            _ => return None,
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        match offset {
            SHORTS => self.shorts = value,
            ERRORSRC => self.errorsrc &= !value,
            ENABLE => self.set_enable(cx, value),
            PSEL_RTS | PSEL_TXD | PSEL_CTS | PSEL_RXD => {
                self.reconnect(cx, |uarte| uarte.psel[(offset - PSEL_RTS) as usize / 4] = Psel(value));
                self.configured(cx);
            }
            TXD if !self.dma() => {
                self.holding = Some(value as u8);
                self.transmit(cx);
            }
            BAUDRATE => {
                self.baudrate = value;
                self.configured(cx);
            }
            RXD_PTR..=TXD_AMOUNT if !self.has_dma => return None,
            RXD_PTR => self.rxd.0 = value,
            RXD_MAXCNT => self.rxd.1 = value & 0xFFFF,
            TXD_PTR => self.txd.0 = value,
            TXD_MAXCNT => self.txd.1 = value & 0xFFFF,
            CONFIG => {
                self.config = value & 0x11F;
                self.configured(cx);
            }
            RXD | TXD | RXD_AMOUNT | TXD_AMOUNT => {}
            _ => return None,
        }
        Some(())
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        match offset {
            _ if !matches!(self.enable, ENABLED_UART | ENABLED_UARTE) => {}
            STARTRX => self.start_receiver(cx),
            STOPRX => self.stop_receiver(cx.now),
            STARTTX => {
                self.tx_on = true;
                if self.dma() {
                    self.tx = Buffer { ptr: self.txd.0, maxcnt: self.txd.1, amount: 0, active: true };
                    self.tx_stopping = false;
                    self.soon(cx.now, TXSTARTED);
                } else {
                    self.transmit(cx);
                }
            }
            STOPTX | SUSPEND => {
                if self.dma() {
                    self.tx_stopping = true;
                    if self.tx_due == NEVER {
                        self.end_transmission(cx.now);
                    }
                } else {
                    self.tx_on = false;
                }
            }
            FLUSHRX if self.dma() => {
                self.rx = Buffer { ptr: self.rxd.0, maxcnt: self.rxd.1, amount: 0, active: true };
                self.drain(cx);
                if std::mem::take(&mut self.rx.active) {
                    self.soon(cx.now, ENDRX);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, cx: &mut Cx<'_>, _: Reset) {
        self.reconnect(cx, |uarte| uarte.enable = 0);
        let mut events = std::mem::take(&mut self.events);
        events.reset();
        *self = Uarte { events, ..self.fresh() };
    }

    fn next(&self, _: &LfClk) -> u64 {
        let received = self.line.as_ref().and_then(LineReceiver::complete_at).map_or(NEVER, |ps| ps.div_ceil(CYCLE_PS));
        self.pending_due.min(self.tx_due).min(self.rxto_due).min(received)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.pending_due <= cx.now {
            self.deliver_pending(cx);
        }
        if self.tx_due <= cx.now {
            self.tx_due = NEVER;
            self.events.raise(TXDRDY);
            self.transmit(cx);
        }
        if let Some(received) = self.line.as_mut().and_then(|line| line.take(cx.now * CYCLE_PS)) {
            self.received(cx, received);
        }
        if self.rxto_due <= cx.now {
            self.rxto_due = NEVER;
            self.line = None;
            self.events.raise(RXTO);
        }
    }

    fn steady(&self, offset: u32) -> bool {
        offset != RXD
    }

    fn levels_changed(&mut self, cx: &mut Cx<'_>, changed: u64) {
        if let (Some(pin), Some(line)) = (self.psel[3].pin(), &mut self.line)
            && changed >> pin & 1 == 1
        {
            line.change(cx.now * CYCLE_PS, Wave::Level(cx.pins.level(cx.now, pin)));
        }
    }

    fn serial(&mut self, _: &mut Cx<'_>, pin: u8, start_ps: u64, frame: SerialFrame) {
        if let Some(line) = &mut self.line
            && self.psel[3].pin() == Some(pin)
        {
            line.change(start_ps, Wave::Frame(start_ps, frame));
        }
    }
}

#[cfg(test)]
#[path = "uarte_tests.rs"]
mod tests;
