//! UART — universal asynchronous receiver/transmitter (reference manual, chapters "Universal Asynchronous
//! Receiver/Transmitter (UART0)" and "(UART1 and UART2)").
//!
//! UART1 and UART2 count 16 bus clocks for a sample of their baud rate generator, SBR of them for a bit; UART0 has a clock
//! source and an oversampling ratio of its own, and clears its flags by writing ones to them. A character takes the
//! wire for its real time, and the receiver samples the line, so a wrong baud rate gives wrong bytes.

use twinboard_sim::bus::Size;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{PinId, SerialFrame};

use super::clock::Rate;
use super::peripheral::{Cx, Peripheral, Reset};
use crate::nordic::line::{Format, LineReceiver, Received, Wave};

const BDH: u32 = 0x0;
const BDL: u32 = 0x1;
const C1: u32 = 0x2;
const C2: u32 = 0x3;
const S1: u32 = 0x4;
const S2: u32 = 0x5;
const C3: u32 = 0x6;
const D: u32 = 0x7;
/// UART1 and UART2.
const C4: u32 = 0x8;
/// UART0.
const MA1: u32 = 0x8;
const MA2: u32 = 0x9;
const UART0_C4: u32 = 0xA;
const UART0_C5: u32 = 0xB;

const C1_PT: u8 = 1;
const C1_PE: u8 = 1 << 1;
const C1_M: u8 = 1 << 4;
const C1_LOOPS: u8 = 1 << 7;

const C2_RE: u8 = 1 << 2;
const C2_TE: u8 = 1 << 3;

const S1_PF: u8 = 1;
const S1_FE: u8 = 1 << 1;
const S1_OR: u8 = 1 << 3;
const S1_IDLE: u8 = 1 << 4;
const S1_RDRF: u8 = 1 << 5;
const S1_TC: u8 = 1 << 6;
const S1_TDRE: u8 = 1 << 7;
const S1_ERRORS: u8 = 0x1F;

/// S2\[LBKDIF, RXEDGIF\] are cleared by ones; the rest is configuration, RAF apart.
const S2_BITS: u8 = 0x3E;
const C3_BITS: u8 = 0x7F;
const C3_R8: u8 = 1 << 7;
const C3_T8: u8 = 1 << 6;

/// SIM_SOPT2\[UART0SRC\] and \[PLLFLLSEL\].
const SOPT2_UART0SRC: u32 = 26;
const SOPT2_PLLFLLSEL: u32 = 16;

/// Where a signal may be, as pin and PCR\[MUX\].
pub type Places = &'static [(u16, u32)];

/// One of the UARTs.
#[derive(Clone, Copy, Debug)]
pub struct UartSpec {
    /// It is UART0.
    pub first: bool,
    /// Where its output may be.
    pub tx: Places,
    /// Where its input may be.
    pub rx: Places,
}

/// The register machine.
#[derive(Debug)]
pub struct Uart {
    spec: UartSpec,
    bdh: u8,
    bdl: u8,
    c1: u8,
    c2: u8,
    c3: u8,
    s1: u8,
    s2: u8,
    /// C4 (UART1, UART2), or MA1, MA2, C4, C5 (UART0).
    more: [u8; 4],
    /// The flags that a read of S1 showed: reading or writing D then clears them.
    shown: u8,
    received: u8,
    /// The character that waits for the shift register.
    holding: Option<u8>,
    /// The end of the character on the wire.
    tx_due: Time,
    /// The end of the first character time in which the line stays idle after a character.
    idle_due: Time,
    line: Option<LineReceiver>,
    format: Option<Format>,
}

impl Uart {
    /// A UART at its reset values.
    #[must_use]
    pub fn new(spec: UartSpec) -> Uart {
        Uart {
            spec,
            bdh: 0,
            bdl: 0x04,
            c1: 0,
            c2: 0,
            c3: 0,
            s1: S1_TDRE | S1_TC,
            s2: 0,
            more: if spec.first { [0, 0, 0x0F, 0] } else { [0; 4] },
            shown: 0,
            received: 0,
            holding: None,
            tx_due: Time::NEVER,
            idle_due: Time::NEVER,
            line: None,
            format: None,
        }
    }

    fn sbr(&self) -> u32 {
        u32::from(self.bdh & 0x1F) << 8 | u32::from(self.bdl)
    }

    /// The length of a bit; none while there is no clock or SBR is 0, which stops the baud rate generator.
    fn bit(&self, cx: &Cx<'_>) -> Option<Span> {
        let clock: Rate = if self.spec.first {
            let sources = &cx.clocks.sources;
            match cx.sopt2 >> SOPT2_UART0SRC & 3 {
                1 => sources.fast[(cx.sopt2 >> SOPT2_PLLFLLSEL & 1) as usize],
                2 => sources.external,
                3 => sources.internal,
                _ => None,
            }?
        } else {
            cx.clocks.bus
        };
        let oversampling = if self.spec.first { u64::from(self.more[2] & 0x1F) + 1 } else { 16 };
        (self.sbr() != 0).then(|| clock.span(oversampling * u64::from(self.sbr())))
    }

    /// Parity fills the ninth bit of a 9-bit character; without it that bit is R8 and T8.
    fn format_now(&self, cx: &Cx<'_>) -> Option<Format> {
        let parity = (self.c1 & (C1_M | C1_PE) == C1_M | C1_PE).then_some(self.c1 & C1_PT != 0);
        let stop = if self.bdh >> 5 & 1 == 1 { 2 } else { 1 };
        self.bit(cx).map(|bit| Format { bit: bit.0, parity, stop })
    }

    /// The waveform of a character in the present mode.
    fn frame(&self, format: Format, byte: u8) -> SerialFrame {
        match self.c1 & (C1_M | C1_PE) {
            // Seven data bits, and parity in place of the eighth.
            C1_PE => {
                let data = byte & 0x7F;
                let odd = data.count_ones() % 2 == 1;
                format.frame(data | u8::from(odd != (self.c1 & C1_PT != 0)) << 7)
            }
            C1_M => {
                let frame = format.frame(byte);
                let ninth = u16::from(self.c3 & C3_T8 != 0);
                SerialFrame { bits: frame.bits & 0x1FF | ninth << 9 | 0xFC00, count: frame.count + 1, ..frame }
            }
            _ => format.frame(byte),
        }
    }

    /// Who drives the output's pins: they are high while nothing is sent.
    fn offer(&self, cx: &mut Cx<'_>) {
        let level = (self.c2 & C2_TE != 0).then_some(true);
        for (pin, mux) in self.spec.tx {
            cx.pins.offer(cx.now, PinId(*pin), *mux, level);
        }
    }

    /// Puts the next character on the wire, if there is one and the wire is free.
    fn transmit(&mut self, cx: &mut Cx<'_>) {
        let (true, Time::NEVER, Some(format)) = (self.c2 & C2_TE != 0, self.tx_due, self.format_now(cx)) else {
            return;
        };
        let Some(byte) = self.holding.take() else { return };
        self.s1 = self.s1 & !S1_TC | S1_TDRE;
        let frame = self.frame(format, byte);
        self.tx_due = cx.now + frame.duration();
        if self.c1 & C1_LOOPS != 0 {
            self.hear(cx.now, frame);
        }
        for (pin, mux) in self.spec.tx {
            if cx.pins.mux(PinId(*pin)) == *mux {
                cx.pins.send(cx.now, PinId(*pin), frame);
            }
        }
    }

    fn hear(&mut self, start: Time, frame: SerialFrame) {
        if let Some(line) = &mut self.line {
            line.change(start.0, Wave::Frame(start.0, frame));
            self.idle_due = Time::NEVER;
        }
    }

    /// The pin that the receiver listens to.
    fn rx_pin(&self, cx: &Cx<'_>) -> Option<PinId> {
        let places = self.spec.rx.iter().map(|(pin, mux)| (PinId(*pin), *mux));
        places.into_iter().find(|(pin, mux)| cx.pins.mux(*pin) == *mux).map(|(pin, _)| pin)
    }

    /// Enables, format or clock changed: the receiver begins anew if that concerns it.
    fn configured(&mut self, cx: &mut Cx<'_>) {
        let format = self.format_now(cx).filter(|_| self.c2 & C2_RE != 0);
        if format != self.format {
            self.format = format;
            let level = self.rx_pin(cx).is_none_or(|pin| cx.pins.level(pin));
            self.line = format.map(|format| LineReceiver::new(format, level));
            self.idle_due = Time::NEVER;
        }
        self.transmit(cx);
    }

    fn take(&mut self, now: Time, received: Received) {
        if self.s1 & S1_RDRF != 0 {
            // The newer character is lost.
            self.s1 |= S1_OR;
            return;
        }
        let mut byte = received.byte;
        let mut parity_error = received.parity_error;
        if self.c1 & (C1_M | C1_PE) == C1_PE {
            parity_error = (byte.count_ones() % 2 == 1) != (self.c1 & C1_PT != 0);
            byte &= 0x7F;
        }
        self.received = byte;
        self.s1 |= S1_RDRF;
        self.s1 |= if parity_error { S1_PF } else { 0 } | if received.framing_error { S1_FE } else { 0 };
        let bits = self.format.map_or(Span::ZERO, |format| Span(format.bit) * u64::from(format.bits()));
        self.idle_due = now + bits;
    }

    fn write_c2(&mut self, cx: &mut Cx<'_>, value: u8) {
        self.c2 = value;
        self.offer(cx);
        self.configured(cx);
    }
}

impl Peripheral for Uart {
    fn width(&self) -> Size {
        Size::Byte
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(u32::from(match offset {
            BDH => self.bdh,
            BDL => self.bdl,
            C1 => self.c1,
            C2 => self.c2,
            S1 => {
                self.shown = self.s1;
                self.s1
            }
            S2 => self.s2,
            C3 => self.c3,
            D => {
                // UART0 wants no read of S1 before, and keeps its error flags.
                let cleared = if self.spec.first { S1_RDRF } else { self.shown & (S1_RDRF | S1_ERRORS) };
                self.s1 &= !cleared;
                self.shown &= !cleared;
                self.received
            }
            C4 if !self.spec.first => self.more[0],
            MA1 | MA2 | UART0_C4 | UART0_C5 if self.spec.first => self.more[(offset - MA1) as usize],
            _ => return None,
        }))
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, _: u32) -> Option<()> {
        let value = value as u8;
        match offset {
            BDH => self.bdh = value,
            BDL => self.bdl = value,
            C1 => self.c1 = value,
            C2 => self.write_c2(cx, value),
            S1 if self.spec.first => self.s1 &= !(value & S1_ERRORS),
            S1 => {}
            S2 => self.s2 = self.s2 & !S2_BITS | value & S2_BITS,
            C3 => self.c3 = self.c3 & C3_R8 | value & C3_BITS,
            D => {
                if self.s1 & S1_TDRE != 0 {
                    self.holding = Some(value);
                    self.s1 &= !(S1_TDRE | S1_TC);
                }
            }
            C4 if !self.spec.first => self.more[0] = value,
            MA1 | MA2 | UART0_C4 | UART0_C5 if self.spec.first => self.more[(offset - MA1) as usize] = value,
            _ => return None,
        }
        self.configured(cx);
        Some(())
    }

    fn reset(&mut self, cx: &mut Cx<'_>, _: Reset) {
        *self = Uart::new(self.spec);
        self.offer(cx);
    }

    fn irq(&self) -> bool {
        // TIE, TCIE, RIE and ILIE stand where their flags do; ORIE to PEIE too.
        self.s1 & self.c2 & (S1_TDRE | S1_TC | S1_RDRF | S1_IDLE) != 0 || self.s1 & self.c3 & 0x0F != 0
    }

    fn next(&self) -> Time {
        let received = self.line.as_ref().and_then(LineReceiver::complete_at).map_or(Time::NEVER, Time);
        self.tx_due.min(received).min(self.idle_due)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.tx_due <= cx.now {
            self.tx_due = Time::NEVER;
            self.transmit(cx);
            if self.tx_due == Time::NEVER {
                self.s1 |= S1_TC;
            }
        }
        if let Some(received) = self.line.as_mut().and_then(|line| line.take(cx.now.0)) {
            self.take(cx.now, received);
        }
        if self.idle_due <= cx.now {
            self.idle_due = Time::NEVER;
            self.s1 |= S1_IDLE;
        }
    }

    fn steady(&self, offset: u32) -> bool {
        offset != D && (offset != S1 || self.shown == self.s1)
    }

    fn reclocked(&mut self, cx: &mut Cx<'_>) {
        self.configured(cx);
    }

    fn levels_changed(&mut self, cx: &mut Cx<'_>, port: usize, changed: u32) {
        let Some(pin) = self.rx_pin(cx) else { return };
        if usize::from(pin.0 / 32) == port
            && changed >> (pin.0 % 32) & 1 == 1
            && let Some(line) = &mut self.line
        {
            line.change(cx.now.0, Wave::Level(cx.pins.level(pin)));
        }
    }

    fn serial(&mut self, cx: &mut Cx<'_>, pin: PinId, start: Time, frame: SerialFrame) {
        if self.rx_pin(cx) == Some(pin) && self.c1 & C1_LOOPS == 0 {
            self.hear(start, frame);
        }
    }
}

#[cfg(test)]
#[path = "uart_tests.rs"]
mod tests;
