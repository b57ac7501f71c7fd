//! LPUART — low-power UART with a clock of its own (KL27 reference manual, chapter "Low Power Universal asynchronous
//! receiver/transmitter").
//!
//! Transmitter and receiver have one character of buffer each. A character takes the wire for its real time; the
//! receiver samples the line with its own bit time.

use twinboard_sim::bus::Size;
use twinboard_sim::time::Time;
use twinboard_sim::wire::{PinId, SerialFrame};

use super::clock::Rate;
use super::peripheral::{Cx, Peripheral, Reset, merged};
use crate::nordic::line::{Format, LineReceiver, Wave};

const BAUD: u32 = 0x00;
const STAT: u32 = 0x04;
const CTRL: u32 = 0x08;
const DATA: u32 = 0x0C;
const MATCH: u32 = 0x10;

const BAUD_SBNS: u32 = 1 << 13;
/// OSR 15 (16 times), SBR 4.
const BAUD_RESET: u32 = 0x0F00_0004;

const STAT_TDRE: u32 = 1 << 23;
const STAT_TC: u32 = 1 << 22;
const STAT_RDRF: u32 = 1 << 21;
const STAT_IDLE: u32 = 1 << 20;
const STAT_OR: u32 = 1 << 19;
const STAT_NF: u32 = 1 << 18;
const STAT_FE: u32 = 1 << 17;
const STAT_PF: u32 = 1 << 16;
/// Flags that a 1 clears: LBKDIF, RXEDGIF, IDLE, OR, NF, FE, PF, MA1F, MA2F.
const STAT_W1C: u32 = 0xC01F_C000;
/// MSBF, RXINV, RWUID, BRK13, LBKDE: kept.
const STAT_KEPT: u32 = 0x3E00_0000;

const CTRL_TE: u32 = 1 << 19;
const CTRL_RE: u32 = 1 << 18;
const CTRL_M: u32 = 1 << 4;
const CTRL_PE: u32 = 1 << 1;
const CTRL_PT: u32 = 1;
/// TXINV, SBK, LOOPS, RSRC, RWU: nothing of the kind is modelled.
const CTRL_UNMODELLED: u32 = 0x1003_00A0;
/// Interrupt enables in CTRL, and the flags that they let through.
const INTERRUPTS: [(u32, u32); 8] = [
    (1 << 27, STAT_OR),
    (1 << 26, STAT_NF),
    (1 << 25, STAT_FE),
    (1 << 24, STAT_PF),
    (1 << 23, STAT_TDRE),
    (1 << 22, STAT_TC),
    (1 << 21, STAT_RDRF),
    (1 << 20, STAT_IDLE),
];

const DATA_RXEMPT: u32 = 1 << 12;
const DATA_FRETSC: u32 = 1 << 13;
const DATA_PARITYE: u32 = 1 << 14;

/// Which LPUART.
#[derive(Clone, Copy, Debug)]
pub struct LpuartSpec {
    /// Where its field of SOPT2 begins.
    pub source: u8,
    /// Pins that can be LPUART_RX, with their PCR\[MUX\].
    pub rx: &'static [(PinId, u8)],
    /// Pins that can be LPUART_TX.
    pub tx: &'static [(PinId, u8)],
}

/// The register machine.
#[derive(Debug)]
pub struct Lpuart {
    spec: LpuartSpec,
    baud: u32,
    stat: u32,
    ctrl: u32,
    r#match: u32,
    clock: Option<Rate>,
    /// What DATA gives, and the errors that came with it.
    received: u32,
    holding: Option<u8>,
    /// The end of the character on the wire.
    tx_due: Time,
    line: Option<LineReceiver>,
}

impl Lpuart {
    /// The LPUART that `spec` describes.
    #[must_use]
    pub fn new(spec: LpuartSpec) -> Lpuart {
        Lpuart {
            spec,
            baud: BAUD_RESET,
            stat: STAT_TDRE | STAT_TC,
            ctrl: 0,
            r#match: 0,
            clock: None,
            received: DATA_RXEMPT,
            holding: None,
            tx_due: Time::NEVER,
            line: None,
        }
    }

    /// SOPT2\[LPUARTnSRC\].
    fn source(&self, cx: &Cx<'_>) -> Option<Rate> {
        match cx.sopt2 >> self.spec.source & 3 {
            1 => cx.clocks.sources.fast[0],
            2 => cx.clocks.sources.external,
            3 => cx.clocks.sources.internal,
            _ => None,
        }
    }

    /// Takes over the clock that SOPT2 and the clock generator give now.
    fn reclock(&mut self, cx: &Cx<'_>) {
        let clock = self.source(cx);
        if std::mem::replace(&mut self.clock, clock) != clock {
            self.listen(cx);
        }
    }

    /// How characters are framed; none without a clock.
    fn format(&self) -> Option<Format> {
        let (sbr, osr) = (self.baud & 0x1FFF, (self.baud >> 24 & 0x1F) + 1);
        let bit = self.clock?.span(u64::from(sbr * osr));
        let parity = (self.ctrl & CTRL_PE != 0).then_some(self.ctrl & CTRL_PT != 0);
        let stop = if self.baud & BAUD_SBNS != 0 { 2 } else { 1 };
        (sbr != 0).then_some(Format { bit: bit.0, parity, stop })
    }

    fn pin(pins: &'static [(PinId, u8)], cx: &Cx<'_>) -> Option<PinId> {
        pins.iter().find(|(pin, mux)| cx.pins.mux(*pin) == u32::from(*mux)).map(|(pin, _)| *pin)
    }

    /// Listens anew, with the pin and the format of now.
    fn listen(&mut self, cx: &Cx<'_>) {
        let format = self.format().filter(|_| self.ctrl & CTRL_RE != 0);
        self.line = format.map(|format| {
            let level = Self::pin(self.spec.rx, cx).is_none_or(|pin| cx.pins.level(pin));
            LineReceiver::new(format, level)
        });
    }

    /// Puts the next character on the wire, if there is one and the wire is free.
    fn transmit(&mut self, cx: &mut Cx<'_>) {
        if self.tx_due == Time::NEVER
            && self.ctrl & CTRL_TE != 0
            && let Some(format) = self.format()
            && let Some(byte) = self.holding.take()
        {
            self.stat = self.stat & !STAT_TC | STAT_TDRE;
            let frame = format.frame(byte);
            self.tx_due = cx.now + frame.duration();
            if let Some(pin) = Self::pin(self.spec.tx, cx) {
                cx.pins.send(cx.now, pin, frame);
            }
        }
    }

    /// TE decides whether TX holds its pins.
    fn hold_pins(&self, cx: &mut Cx<'_>) {
        let level = (self.ctrl & CTRL_TE != 0).then_some(true);
        for (pin, mux) in self.spec.tx {
            cx.pins.offer(cx.now, *pin, (*mux).into(), level);
        }
    }

    fn receive(&mut self, now: Time) {
        let Some(received) = self.line.as_mut().and_then(|line| line.take(now.0)) else { return };
        // While OR is set nothing more is stored.
        if self.stat & (STAT_RDRF | STAT_OR) != 0 {
            self.stat |= STAT_OR;
            return;
        }
        let flag = |set: bool, bit: u32| if set { bit } else { 0 };
        let errors = (received.framing_error, received.parity_error);
        self.stat |= STAT_RDRF | flag(errors.0, STAT_FE) | flag(errors.1, STAT_PF);
        self.received = u32::from(received.byte) | flag(errors.0, DATA_FRETSC) | flag(errors.1, DATA_PARITYE);
    }

    fn write_ctrl(&mut self, cx: &mut Cx<'_>, new: u32) -> bool {
        let changed = std::mem::replace(&mut self.ctrl, new) ^ new;
        if changed & CTRL_TE != 0 {
            self.hold_pins(cx);
            if new & CTRL_TE == 0 {
                self.holding = None;
                self.stat |= STAT_TDRE;
            }
        }
        if changed & (CTRL_RE | CTRL_M | CTRL_PE | CTRL_PT) != 0 {
            self.listen(cx);
        }
        self.transmit(cx);
        // Eight data bits: nine bits with parity, or eight without.
        let width = (new & CTRL_M != 0) == (new & CTRL_PE != 0);
        new & CTRL_UNMODELLED == 0 && (width || new & (CTRL_TE | CTRL_RE) == 0)
    }
}

impl Peripheral for Lpuart {
    fn width(&self) -> Size {
        Size::Word
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(match offset {
            BAUD => self.baud,
            STAT => self.stat,
            CTRL => self.ctrl,
            DATA => {
                self.stat &= !STAT_RDRF;
                let value = self.received;
                self.received |= DATA_RXEMPT;
                value
            }
            MATCH => self.r#match,
            _ => return None,
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, lanes: u32) -> Option<()> {
        self.reclock(cx);
        match offset {
            BAUD => {
                self.baud = merged(self.baud, value, lanes & 0xFFEF_FFFF);
                self.listen(cx);
            }
            STAT => {
                self.stat &= !(value & lanes & STAT_W1C);
                self.stat = merged(self.stat, value, lanes & STAT_KEPT);
            }
            CTRL => return self.write_ctrl(cx, merged(self.ctrl, value, lanes & 0xFFFF_C7FF)).then_some(()),
            DATA => {
                self.holding = Some(value as u8);
                self.stat &= !(STAT_TDRE | STAT_TC);
                self.transmit(cx);
            }
            MATCH => self.r#match = merged(self.r#match, value, lanes & 0x03FF_03FF),
            _ => return None,
        }
        Some(())
    }

    fn reset(&mut self, cx: &mut Cx<'_>, _: Reset) {
        *self = Lpuart::new(self.spec);
        self.clock = self.source(cx);
        self.hold_pins(cx);
    }

    fn irq(&self) -> bool {
        INTERRUPTS.iter().any(|(enable, flag)| self.ctrl & enable != 0 && self.stat & flag != 0)
    }

    fn next(&self) -> Time {
        let received = self.line.as_ref().and_then(LineReceiver::complete_at).map_or(Time::NEVER, Time);
        self.tx_due.min(received)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.tx_due <= cx.now {
            self.tx_due = Time::NEVER;
            if self.holding.is_none() {
                self.stat |= STAT_TC;
            }
            self.transmit(cx);
        }
        self.receive(cx.now);
    }

    fn steady(&self, offset: u32) -> bool {
        offset != DATA
    }

    fn reclocked(&mut self, cx: &mut Cx<'_>) {
        self.reclock(cx);
        self.transmit(cx);
    }

    fn levels_changed(&mut self, cx: &mut Cx<'_>, port: usize, changed: u32) {
        self.reclock(cx);
        if let (Some(pin), Some(line)) = (Self::pin(self.spec.rx, cx), &mut self.line)
            && usize::from(pin.0 / 32) == port
            && changed >> (pin.0 % 32) & 1 == 1
        {
            line.change(cx.now.0, Wave::Level(cx.pins.level(pin)));
        }
    }

    fn serial(&mut self, cx: &mut Cx<'_>, pin: PinId, start: Time, frame: SerialFrame) {
        self.reclock(cx);
        if let Some(line) = &mut self.line
            && Self::pin(self.spec.rx, cx) == Some(pin)
        {
            line.change(start.0, Wave::Frame(start.0, frame));
        }
    }
}

#[cfg(test)]
mod tests {
    use twinboard_sim::time::Span;
    use twinboard_sim::wire::Signal;

    use super::super::peripheral::testing::Bench;
    use super::*;

    const RX: PinId = PinId(18);
    const TX: PinId = PinId(19);
    const SPEC: LpuartSpec = LpuartSpec { source: 28, rx: &[(RX, 3)], tx: &[(TX, 3)] };

    /// 115385 baud: 48 MHz / (16 * 26), 8N1, both directions on, on its pins.
    fn bench() -> (Bench, Lpuart) {
        let (mut bench, mut uart) = (Bench { sopt2: 1 << 28, ..Bench::default() }, Lpuart::new(SPEC));
        for pin in [18, 19] {
            bench.pins.ports[0].pcr[pin] = 3 << 8;
        }
        bench.pins.configured(Time::ZERO, 0, 3 << 18);
        uart.reset(&mut bench.cx(), Reset::PowerOn);
        bench.write(&mut uart, BAUD, 0x0F00_001A);
        bench.write(&mut uart, CTRL, CTRL_TE | CTRL_RE);
        (bench, uart)
    }

    /// How long a character of ten bits takes.
    fn character(baud: u64) -> Span {
        Span(10_000_000_000_000 / baud)
    }

    #[test]
    fn registers_have_their_reset_values() {
        let (mut bench, mut uart) = (Bench::default(), Lpuart::new(SPEC));
        assert_eq!([BAUD, STAT, CTRL].map(|at| bench.read(&mut uart, at)), [0x0F00_0004, 0x00C0_0000, 0]);
    }

    #[test]
    fn a_character_is_on_the_wire_for_its_time_and_a_second_waits_in_the_buffer() {
        let (mut bench, mut uart) = bench();
        bench.write(&mut uart, DATA, 0x55);
        assert_eq!(bench.read(&mut uart, STAT) & (STAT_TDRE | STAT_TC), STAT_TDRE);
        bench.write(&mut uart, DATA, 0xAA);
        assert_eq!(bench.read(&mut uart, STAT) & (STAT_TDRE | STAT_TC), 0);
        let end = character(115_384);
        bench.run_to(&mut uart, Time::ZERO + end);
        assert_eq!(bench.read(&mut uart, STAT) & (STAT_TDRE | STAT_TC), STAT_TDRE);
        bench.run_to(&mut uart, Time::ZERO + end * 2);
        assert_eq!(bench.read(&mut uart, STAT) & STAT_TC, STAT_TC);
        let sent: Vec<_> =
            bench.pins.edges().iter().filter(|e| matches!(e.signal, Signal::Serial(_))).copied().collect();
        assert_eq!(sent.len(), 2);
        // A start bit, 0x55 with the lowest bit first, a stop bit.
        assert!(matches!(sent[0].signal, Signal::Serial(SerialFrame { bits: 0b10_1010_1010, count: 10, .. })));
        assert_eq!(sent[0].pin, TX);
    }

    #[test]
    fn a_received_character_interrupts_until_it_is_read() {
        let (mut bench, mut uart) = bench();
        bench.write(&mut uart, CTRL, CTRL_TE | CTRL_RE | 1 << 21);
        let frame = Format { bit: 8_680_555, parity: None, stop: 1 }.frame(b'U');
        uart.serial(&mut bench.cx(), RX, Time(1_000_000), frame);
        assert!(!uart.irq());
        bench.run_to(&mut uart, Time::ZERO + Span::us(100));
        assert!(uart.irq());
        assert_eq!(bench.read(&mut uart, DATA), u32::from(b'U'));
        assert!(!uart.irq());
        assert_eq!(bench.read(&mut uart, DATA) & DATA_RXEMPT, DATA_RXEMPT);
    }

    #[test]
    fn a_character_that_finds_the_buffer_full_is_lost_and_sets_or_until_it_is_cleared() {
        let (mut bench, mut uart) = bench();
        let format = Format { bit: 8_680_555, parity: None, stop: 1 };
        for (n, byte) in (0u64..).zip(*b"abc") {
            uart.serial(&mut bench.cx(), RX, Time(100_000_000 * n), format.frame(byte));
            bench.run_to(&mut uart, Time(100_000_000 * (n + 1)));
        }
        assert_eq!(bench.read(&mut uart, STAT) & STAT_OR, STAT_OR);
        assert_eq!(bench.read(&mut uart, DATA) & 0xFF, u32::from(b'a'));
        bench.write(&mut uart, STAT, STAT_OR);
        assert_eq!(bench.read(&mut uart, STAT) & (STAT_OR | STAT_RDRF), 0);
    }

    #[test]
    fn without_a_clock_source_nothing_is_sent() {
        let (mut bench, mut uart) = bench();
        bench.sopt2 = 0;
        uart.reclocked(&mut bench.cx());
        bench.write(&mut uart, DATA, 1);
        assert_eq!(uart.next(), Time::NEVER);
    }
}
