//! The UART bridge: the interface chip's UART, its interrupt handler and the firmware's ring buffers.
//!
//! The handler runs whatever the main loop is doing, so this part belongs to the chip and not to the firmware's task:
//! the chip hands it the characters that begin on its RX pin and the time ([`Uart::receive`], [`Uart::advance`]), the
//! firmware writes and reads bytes. Both hold a handle on the same machine.
//!
//! A received character is a waveform ([`SerialFrame`]) that the receiver samples in the middle of its own bits. With
//! another baud rate it finds other bits, a stop bit that is 0, or several characters in one, by arithmetic.
//!
//! There is no flow control. The receive buffer keeps 19 bytes free for the marker `<DAPLink:Overflow>`; when only
//! those are left the marker is written (if overflow detection is on) and what comes after is lost.
//!
//! Interface chips have different UARTs, and the firmware a driver for each: a [`UartTable`] tells them apart.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{Edge, SerialFrame, Signal};

use super::config::NonVolatile;
use super::dap::timing::PinTiming;
use super::shared::pins;

/// Bytes that a ring buffer of 512 holds.
pub const BUFFER: usize = 511;

/// What marks lost bytes.
pub const OVERFLOW: &[u8] = b"<DAPLink:Overflow>\n";

/// Data bits of a character; the drivers take no other number.
const DATA_BITS: u8 = 8;

/// An interface chip's UART, and its driver in the firmware.
#[derive(Clone, Copy, Debug)]
pub struct UartTable {
    /// The registers that a format comes to; none if the driver or the UART cannot do it.
    line: fn(Format) -> Option<Line>,
    /// What it cannot do is refused, and the transmitter goes on as before; else the UART stands still.
    refuses: bool,
    /// A format that was asked for last changes nothing when it is asked for again.
    keeps_unchanged: bool,
    /// Characters with a stop bit that is 0 are dropped.
    checks_stop: bool,
    /// Without overflow detection the oldest byte makes room for the newest.
    drops_oldest: bool,
    /// From the end of one character to the start of the next.
    gap: Span,
}

/// The UARTE of an nRF52820, and the driver of 0257: one transmit interrupt between two characters.
pub const NRF52820: UartTable = UartTable {
    line: nrf52820_line,
    refuses: true,
    keeps_unchanged: true,
    checks_stop: false,
    drops_oldest: false,
    gap: PinTiming::NRF52820.cycles(128),
};

/// UART1 of a KL26Z, and the driver of 0253: the transmitter holds the next character while it sends one.
pub const KL26: UartTable = UartTable {
    line: kl26_line,
    refuses: false,
    keeps_unchanged: false,
    checks_stop: true,
    drops_oldest: true,
    gap: Span::ZERO,
};

/// Baud rates that the nRF52820's driver knows, with their values for the register BAUDRATE.
const BAUD_RATES: [(u32, u32); 18] = [
    (1_200, 0x0004_f000),
    (2_400, 0x0009_d000),
    (4_800, 0x0013_b000),
    (9_600, 0x0027_5000),
    (14_400, 0x003a_f000),
    (19_200, 0x004e_a000),
    (28_800, 0x0075_c000),
    (31_250, 0x0080_0000),
    (38_400, 0x009d_0000),
    (56_000, 0x00e5_0000),
    (57_600, 0x00eb_0000),
    (76_800, 0x013a_9000),
    (115_200, 0x01d6_0000),
    (230_400, 0x03b0_0000),
    (250_000, 0x0400_0000),
    (460_800, 0x0740_0000),
    (921_600, 0x0f00_0000),
    (1_000_000, 0x1000_0000),
];

/// Stop bits, in the coding of CDC (PSTN120 table 17).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StopBits {
    /// One.
    #[default]
    One,
    /// One and a half.
    OneAndAHalf,
    /// Two.
    Two,
}

/// A configuration of the UART, as far as a driver looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// Baud rate.
    pub baud: u32,
    /// Data bits; all but 5, 6 and 7 are 8.
    pub data_bits: u8,
    /// Parity in the coding of CDC: none (0), odd (1) and even (2); all else is none.
    pub parity: u8,
    /// Stop bits.
    pub stop_bits: StopBits,
}

/// A parity bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Parity {
    Odd,
    Even,
}

/// The registers that a [`Format`] comes to.
#[derive(Clone, Copy, Debug)]
struct Line {
    bit: Span,
    parity: Option<Parity>,
    stop_bits: u8,
}

/// 5, 6 and 7 data bits and one and a half stop bits are refused; parity is accepted, and never sent or checked.
fn nrf52820_line(format: Format) -> Option<Line> {
    let stop_bits = match format.stop_bits {
        StopBits::One => 1,
        StopBits::Two => 2,
        StopBits::OneAndAHalf => return None,
    };
    if matches!(format.data_bits, 5..=7) {
        return None;
    }
    let (_, register) = BAUD_RATES.iter().find(|(baud, _)| *baud == format.baud)?;
    // The divider counts whole cycles of 16 MHz.
    let divider = (1u64 << 32) / u64::from(*register);
    Some(Line { bit: Span::ps(62_500) * divider, parity: None, stop_bits })
}

/// Any baud rate comes to the divider below it; with a divider of 0 the UART has no clock. Data bits are always 8, and
/// there is always one stop bit.
fn kl26_line(format: Format) -> Option<Line> {
    const CORE_CLOCK: u32 = 48_000_000;
    // SBR has 13 bits and divides the bus clock, half the core's, by 16 times its value.
    let divisor = (CORE_CLOCK.checked_div(format.baud.wrapping_mul(16)).unwrap_or(0) / 2) & 0x1fff;
    let parity = match format.parity {
        1 => Some(Parity::Odd),
        2 => Some(Parity::Even),
        _ => None,
    };
    let bit = Span::ps(u64::from(divisor) * 16 * 1_000_000 / 24);
    (divisor > 0).then_some(Line { bit, parity, stop_bits: 1 })
}

impl Line {
    fn frame(self, byte: u8) -> SerialFrame {
        let (mut bits, mut count) = (u16::from(byte) << 1, 1 + DATA_BITS);
        if let Some(parity) = self.parity {
            let odd = byte.count_ones() % 2 == 1;
            bits |= u16::from(odd != (parity == Parity::Odd)) << count;
            count += 1;
        }
        let stop = (1u16 << self.stop_bits) - 1;
        SerialFrame { bit: self.bit, bits: bits | stop << count, count: count + self.stop_bits }
    }

    /// The same made from a clock that is fast by so many parts per million.
    fn offset(self, ppm: i32) -> Line {
        Line { bit: shortened(self.bit, ppm), ..self }
    }

    /// From the start of a character to the middle of its stop bit.
    fn until_stop(self) -> Span {
        let before = 1 + DATA_BITS + u8::from(self.parity.is_some());
        self.bit * u64::from(before) + self.bit / 2
    }
}

/// What takes `span` takes with a clock that is fast by so many parts per million, to the nearest picosecond.
fn shortened(span: Span, ppm: i32) -> Span {
    let million = 1_000_000u128;
    let parts = u128::try_from(1_000_000 + i64::from(ppm)).unwrap_or(0).max(1);
    Span(u64::try_from((u128::from(span.0) * million + parts / 2) / parts).unwrap_or(u64::MAX))
}

/// What was seen on the RX line lately.
#[derive(Debug, Default)]
struct Waveform(VecDeque<(Time, SerialFrame)>);

impl Waveform {
    fn level(&self, at: Time) -> bool {
        let frame = self.0.iter().rev().find(|(start, _)| *start <= at);
        frame.is_none_or(|(start, frame)| frame.level_at(at.since(*start)))
    }

    /// The first falling edge at `from` or later.
    fn falling_edge(&self, from: Time) -> Option<Time> {
        self.0.iter().find_map(|(start, frame)| {
            (0..frame.count)
                .filter(|&i| frame.bits >> i & 1 == 0 && (i == 0 || frame.bits >> (i - 1) & 1 == 1))
                .map(|i| *start + frame.bit * u64::from(i))
                .find(|&edge| edge >= from)
        })
    }

    fn forget_before(&mut self, at: Time) {
        while self.0.front().is_some_and(|(start, frame)| *start + frame.duration() < at) {
            self.0.pop_front();
        }
    }
}

#[derive(Debug)]
struct Machine {
    table: &'static UartTable,
    settings: NonVolatile,
    /// The last configuration that was asked for, accepted or not.
    asked: Option<Format>,
    /// The transmitter's registers; kept when a new configuration is refused.
    registers: Option<Line>,
    /// What comes of them with the chip's clock.
    line: Option<Line>,
    /// By how many parts per million that is fast.
    ppm: i32,
    receiving: bool,
    seen: Waveform,
    /// The start edge of the character being received.
    receive_start: Option<Time>,
    received: VecDeque<u8>,
    to_send: VecDeque<u8>,
    /// When the transmitter takes the next byte; none while it is idle.
    send_next: Option<Time>,
    out: Vec<Edge>,
}

impl Machine {
    fn set_line(&mut self, registers: Option<Line>) {
        self.registers = registers;
        self.line = registers.map(|line| line.offset(self.ppm));
    }

    fn clear(&mut self) {
        self.received.clear();
        self.to_send.clear();
    }

    /// The end of the character being received: the middle of its stop bit.
    fn receive_end(&self) -> Option<Time> {
        Some(self.receive_start? + self.line?.until_stop())
    }

    fn next_event(&self) -> Time {
        let receive = self.receive_end().unwrap_or(Time::NEVER);
        receive.min(self.send_next.unwrap_or(Time::NEVER))
    }

    /// Runs the interrupt handlers that are due.
    fn advance(&mut self, until: Time) {
        while let Some(end) = self.receive_end().filter(|end| *end <= until) {
            self.receive(end);
        }
        while let Some(at) = self.send_next.filter(|at| *at <= until) {
            self.send(at);
        }
    }

    /// A character is complete. A stop bit that is 0 is an error event that some drivers do not look at: the byte counts
    /// all the same.
    fn receive(&mut self, end: Time) {
        let (Some(line), Some(start)) = (self.line, self.receive_start.take()) else { return };
        let bit = |i: u8| self.seen.level(start + line.bit * u64::from(1 + i) + line.bit / 2);
        if self.seen.level(start + line.bit / 2) {
            // Too short for a start bit: a character at a much higher baud rate.
            self.receive_start = self.seen.falling_edge(start + line.bit / 2);
            return;
        }
        let byte = (0..DATA_BITS).fold(0, |byte, i| byte | u8::from(bit(i)) << i);
        if !self.table.checks_stop || self.seen.level(end) {
            self.keep(byte);
        }
        self.receive_start = self.seen.falling_edge(end);
        self.seen.forget_before(end);
    }

    /// Puts a received byte into the buffer.
    fn keep(&mut self, byte: u8) {
        let free = BUFFER - self.received.len();
        if free > OVERFLOW.len() {
            self.received.push_back(byte);
        } else if self.settings.settings().overflow_detect {
            if free == OVERFLOW.len() {
                self.received.extend(OVERFLOW);
            }
        } else if self.table.drops_oldest {
            self.received.pop_front();
            self.received.push_back(byte);
        }
    }

    fn send(&mut self, at: Time) {
        self.send_next = None;
        let Some(line) = self.line else { return };
        if let Some(byte) = self.to_send.pop_front() {
            let frame = line.frame(byte);
            self.out.push(Edge { at, pin: pins::UART_TX, signal: Signal::Serial(frame) });
            self.send_next = Some(at + frame.duration() + shortened(self.table.gap, self.ppm));
        }
    }
}

/// A handle on the UART; clones are the same UART.
#[derive(Clone, Debug)]
pub struct Uart(Arc<Mutex<Machine>>);

impl Uart {
    /// A UART that is not configured yet.
    #[must_use]
    pub fn new(table: &'static UartTable, settings: NonVolatile) -> Uart {
        Uart(Arc::new(Mutex::new(Machine {
            table,
            settings,
            asked: None,
            registers: None,
            line: None,
            ppm: 0,
            receiving: false,
            seen: Waveform::default(),
            receive_start: None,
            received: VecDeque::with_capacity(BUFFER),
            to_send: VecDeque::with_capacity(BUFFER),
            send_next: None,
            out: Vec::new(),
        })))
    }

    /// A character begins on the RX pin at `at` (chip's side).
    pub fn receive(&self, at: Time, frame: SerialFrame) {
        let mut machine = self.0.lock();
        if machine.receiving {
            machine.seen.0.push_back((at, frame));
            if machine.receive_start.is_none() {
                machine.receive_start = Some(at);
            }
        }
    }

    /// From `at` on, the chip's clock is fast by so many parts per million. A character on its way keeps its length.
    pub fn set_clock_offset(&self, at: Time, ppm: i32) {
        let mut machine = self.0.lock();
        machine.advance(at);
        machine.ppm = ppm;
        let registers = machine.registers;
        machine.set_line(registers);
    }

    /// When the UART does anything by itself (chip's side).
    #[must_use]
    pub fn next_event(&self) -> Time {
        self.0.lock().next_event()
    }

    /// Runs until `until`; what goes out on the TX pin is put into `out` (chip's side).
    pub fn advance(&self, until: Time, out: &mut Vec<Edge>) {
        let mut machine = self.0.lock();
        machine.advance(until);
        out.append(&mut machine.out);
    }

    /// Configures the UART and clears its buffers; some drivers do nothing if nothing changes. False if the driver refuses
    /// the format: the receiver is off then.
    pub fn configure(&self, now: Time, format: Format) -> bool {
        let mut machine = self.0.lock();
        machine.advance(now);
        let table = machine.table;
        if table.keeps_unchanged && machine.asked == Some(format) {
            return true;
        }
        machine.asked = Some(format);
        machine.clear();
        machine.receiving = false;
        machine.receive_start = None;
        machine.seen = Waveform::default();
        let line = (table.line)(format);
        machine.receiving = line.is_some();
        if line.is_some() || !table.refuses {
            machine.set_line(line);
            machine.send_next = machine.send_next.filter(|_| line.is_some());
        }
        line.is_some() || !table.refuses
    }

    /// Whether the UART can do a format.
    #[must_use]
    pub fn can(&self, format: Format) -> bool {
        (self.0.lock().table.line)(format).is_some()
    }

    /// Whether a format was accepted since power-on.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.0.lock().line.is_some()
    }

    /// Clears both buffers; a character on its way goes on.
    pub fn clear(&self, now: Time) {
        let mut machine = self.0.lock();
        machine.advance(now);
        machine.clear();
    }

    /// Bytes that [`Uart::write`] would take.
    #[must_use]
    pub fn write_free(&self, now: Time) -> usize {
        let mut machine = self.0.lock();
        machine.advance(now);
        BUFFER - machine.to_send.len()
    }

    /// Queues bytes for sending, as many as there is room for; how many.
    pub fn write(&self, now: Time, data: &[u8]) -> usize {
        let mut machine = self.0.lock();
        machine.advance(now);
        let count = data.len().min(BUFFER - machine.to_send.len());
        machine.to_send.extend(&data[..count]);
        if machine.send_next.is_none() && count > 0 {
            machine.send_next = Some(now);
            machine.advance(now);
        }
        count
    }

    /// Takes received bytes, as many as there are and fit; how many.
    pub fn read(&self, now: Time, data: &mut [u8]) -> usize {
        let mut machine = self.0.lock();
        machine.advance(now);
        let count = data.len().min(machine.received.len());
        for (to, from) in data.iter_mut().zip(machine.received.drain(..count)) {
            *to = from;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Settings;
    use super::*;

    fn uart(settings: Settings) -> Uart {
        Uart::new(&NRF52820, NonVolatile::new(settings))
    }

    /// A KL26Z's UART.
    fn kl26(settings: Settings, format: Format) -> Uart {
        let uart = Uart::new(&KL26, NonVolatile::new(settings));
        assert!(uart.configure(Time::ZERO, format));
        uart
    }

    fn format(baud: u32) -> Format {
        Format { baud, data_bits: 8, parity: 0, stop_bits: StopBits::One }
    }

    /// A UART at 115200 8N1.
    fn configured() -> Uart {
        let uart = uart(Settings::default());
        assert!(uart.configure(Time::ZERO, format(115_200)));
        uart
    }

    /// `bytes` as a sender with bits of `bit` sends them without a pause, from 1 ms on.
    fn feed(uart: &Uart, bytes: &[u8], bit: Span) -> Time {
        let mut at = Time::ZERO + Span::ms(1);
        for byte in bytes {
            uart.advance(at, &mut Vec::new());
            let frame = SerialFrame { bit, bits: 1 << 9 | u16::from(*byte) << 1, count: 10 };
            uart.receive(at, frame);
            at += frame.duration();
        }
        at + Span::ms(1)
    }

    fn read(uart: &Uart, now: Time) -> Vec<u8> {
        let mut data = [0; BUFFER];
        let count = uart.read(now, &mut data);
        data[..count].to_vec()
    }

    fn sent(uart: &Uart, until: Time) -> Vec<(Time, SerialFrame)> {
        let mut out = Vec::new();
        uart.advance(until, &mut out);
        out.into_iter()
            .map(|edge| match edge.signal {
                Signal::Serial(frame) => (edge.at, frame),
                other => panic!("the pin did {other:?}"),
            })
            .collect()
    }

    #[test]
    fn only_the_bauds_of_the_table_are_accepted() {
        let uart = uart(Settings::default());
        for (baud, _) in BAUD_RATES {
            assert!(uart.configure(Time::ZERO, format(baud)), "{baud}");
        }
        for baud in [0, 300, 110, 12_345, 128_000, 2_000_000, u32::MAX] {
            assert!(!uart.configure(Time::ZERO, format(baud)), "{baud}");
        }
    }

    #[test]
    fn a_kl26_takes_every_baud_rate_and_divides_24_mhz_by_16_and_a_whole_number() {
        let bit = |baud| kl26_line(format(baud)).map(|line| line.bit);
        assert_eq!(bit(115_200), Some(Span::ps(13 * 16 * 1_000_000 / 24)), "115 385 baud");
        assert_eq!(bit(9_600), Some(Span::ps(156 * 16 * 1_000_000 / 24)));
        assert_eq!(bit(1_000_000), Some(Span::ps(16 * 1_000_000 / 24)), "one and a half times as fast");
        assert_eq!([bit(0), bit(2_000_000), bit(u32::MAX)], [None; 3]);
        let uart = kl26(Settings::default(), format(2_000_000));
        uart.write(Time::ZERO, b"x");
        assert_eq!(sent(&uart, Time::ZERO + Span::secs(1)).len(), 0, "it has no clock");
        assert!(uart.configure(Time::ZERO + Span::secs(1), format(9_600)));
        uart.write(Time::ZERO + Span::secs(1), b"xy");
        let frames = sent(&uart, Time::ZERO + Span::secs(2));
        assert_eq!(frames[1].0.since(frames[0].0), Span::us(104) * 10, "without a pause");
    }

    #[test]
    fn a_kl26_sends_parity_and_drops_characters_without_a_stop_bit() {
        let even = Format { parity: 2, ..format(115_200) };
        let uart = kl26(Settings::default(), even);
        uart.write(Time::ZERO, &[0x07, 0x03]);
        let bits: Vec<_> = sent(&uart, Time::ZERO + Span::ms(1)).iter().map(|(_, f)| (f.bits, f.count)).collect();
        assert_eq!(bits, [(0b110_0000_1110, 11), (0b100_0000_0110, 11)]);
        let uart = kl26(Settings::default(), format(115_200));
        let end = feed(&uart, &[0x55], Span::ps(2 * 13 * 16 * 1_000_000 / 24));
        assert_eq!(read(&uart, end), [0b1110_0110], "the first character's stop bit was 0");
    }

    #[test]
    fn a_kl26_without_overflow_detection_keeps_the_newest_bytes() {
        let uart = kl26(Settings { overflow_detect: false, ..Settings::default() }, format(115_200));
        let bytes: Vec<u8> = (0..600u32).map(|i| (i % 251) as u8).collect();
        let end = feed(&uart, &bytes, Span::ps(13 * 16 * 1_000_000 / 24));
        assert_eq!(read(&uart, end), bytes[600 - (BUFFER - OVERFLOW.len())..]);
    }

    #[test]
    fn what_was_refused_once_is_accepted_when_it_is_repeated_but_nothing_is_received() {
        let uart = configured();
        assert!(!uart.configure(Time::ZERO, format(12_345)));
        assert!(uart.configure(Time::ZERO, format(12_345)));
        let end = feed(&uart, b"x", Span::us(9));
        assert_eq!(read(&uart, end), b"");
    }

    #[test]
    fn the_bit_times_are_whole_cycles_of_16_mhz() {
        let line = |baud| nrf52820_line(format(baud)).expect("a baud rate").bit;
        assert_eq!(line(115_200), Span::ps(139 * 62_500));
        assert_eq!(line(9_600), Span::ps(1_667 * 62_500));
        assert_eq!(line(1_000_000), Span::us(1));
    }

    #[test]
    fn bytes_at_the_right_baud_rate_arrive() {
        let uart = configured();
        let end = feed(&uart, b"hello", Span::ps(8_680_556));
        assert_eq!(read(&uart, end), b"hello");
    }

    #[test]
    fn a_byte_has_arrived_in_the_middle_of_its_stop_bit_and_not_before() {
        let uart = configured();
        let bit = Span::ps(139 * 62_500);
        feed(&uart, b"x", bit);
        let middle = Time::ZERO + Span::ms(1) + bit * 9 + bit / 2;
        assert_eq!(uart.next_event(), middle);
        assert_eq!(read(&uart, Time(middle.0 - 1)), b"");
        assert_eq!(read(&uart, middle), b"x");
    }

    #[test]
    fn a_sender_at_half_the_baud_rate_is_read_as_doubled_bits() {
        let uart = configured();
        // Twice each: 00 11 00 11 00 11 00 11 00 11. The first character is 0 01100110 with a stop bit of 0; the next
        // falling edge begins 0 0110011 and a bit of the idle line.
        let end = feed(&uart, &[0x55], Span::ps(2 * 139 * 62_500));
        assert_eq!(read(&uart, end), [0b0110_0110, 0b1110_0110]);
    }

    #[test]
    fn a_sender_at_a_much_higher_baud_rate_loses_characters() {
        let uart = configured();
        let end = feed(&uart, &[0xff; 8], Span::us(1));
        assert_eq!(read(&uart, end), b"", "start bits of 1 µs are too short");
    }

    #[test]
    fn a_byte_with_a_framing_error_counts() {
        let uart = configured();
        let frame = SerialFrame { bit: Span::ps(139 * 62_500), bits: 0x41 << 1, count: 10 };
        uart.receive(Time::ZERO, frame);
        assert_eq!(read(&uart, Time::ZERO + Span::ms(1)), [0x41]);
    }

    #[test]
    fn overflow_is_marked_once_and_the_newest_bytes_are_lost() {
        let uart = configured();
        let end = feed(&uart, &[b'x'; 600], Span::ps(139 * 62_500));
        let received = read(&uart, end);
        assert_eq!(received.len(), BUFFER);
        assert_eq!(received[..492], [b'x'; 492]);
        assert_eq!(&received[492..], OVERFLOW);
    }

    #[test]
    fn without_overflow_detection_bytes_are_lost_silently() {
        let uart = uart(Settings { overflow_detect: false, ..Settings::default() });
        uart.configure(Time::ZERO, format(115_200));
        let end = feed(&uart, &[b'x'; 600], Span::ps(139 * 62_500));
        assert_eq!(read(&uart, end), [b'x'; 492]);
    }

    #[test]
    fn bytes_are_sent_one_after_the_other_with_an_interrupt_in_between() {
        let uart = configured();
        assert_eq!(uart.write(Time::ZERO, b"ab"), 2);
        let sent = sent(&uart, Time::ZERO + Span::ms(1));
        let bit = Span::ps(139 * 62_500);
        let frame = |byte: u8| SerialFrame { bit, bits: 1 << 9 | u16::from(byte) << 1, count: 10 };
        assert_eq!(sent, [(Time::ZERO, frame(b'a')), (Time::ZERO + bit * 10 + NRF52820.gap, frame(b'b'))]);
    }

    #[test]
    fn a_clock_that_is_off_shortens_what_is_sent_and_moves_the_samples() {
        // Bit 7 lasts from 8 to 9 bits after the edge, and is looked for after 8.5: a little more than half a bit is too much.
        let bit = Span::ps(8_687_500);
        for (ppm, heard) in [(50_000, 0x55), (-50_000, 0x55), (-62_000, 0xD5), (70_000, 0xD5)] {
            let uart = configured();
            uart.set_clock_offset(Time::ZERO, ppm);
            let now = feed(&uart, &[0x55], bit);
            assert_eq!(read(&uart, now)[0], heard, "{ppm}");
            uart.write(now, b"ab");
            let sent = sent(&uart, now + Span::ms(1));
            let shorter = (8_687_500.0 * 1e6 / (1e6 + f64::from(ppm))).round() as u64;
            assert_eq!(sent[0].1.bit, Span::ps(shorter));
            assert!(sent[1].0 >= sent[0].0 + sent[0].1.duration());
            uart.set_clock_offset(now + Span::ms(2), 0);
            uart.write(now + Span::ms(2), b"c");
            assert_eq!(self::sent(&uart, now + Span::ms(3))[0].1.bit, bit, "right again");
        }
    }

    #[test]
    fn two_stop_bits_lengthen_the_character() {
        let uart = uart(Settings::default());
        assert!(uart.configure(Time::ZERO, Format { stop_bits: StopBits::Two, ..format(9_600) }));
        uart.write(Time::ZERO, b"a");
        assert_eq!(sent(&uart, Time::ZERO)[0].1.count, 11);
        assert!(!uart.configure(Time::ZERO, Format { stop_bits: StopBits::OneAndAHalf, ..format(9_600) }));
        assert!(!uart.configure(Time::ZERO, Format { data_bits: 7, ..format(9_600) }));
    }

    #[test]
    fn the_send_buffer_takes_511_bytes_beside_the_one_on_its_way() {
        let uart = configured();
        assert_eq!(uart.write(Time::ZERO, &[0; 600]), BUFFER);
        assert_eq!(uart.write_free(Time::ZERO), 1);
    }

    #[test]
    fn clearing_drops_what_waits_but_not_what_is_on_its_way() {
        let uart = configured();
        uart.write(Time::ZERO, b"abc");
        uart.clear(Time::ZERO);
        assert_eq!(sent(&uart, Time::ZERO + Span::ms(1)).len(), 1);
    }

    #[test]
    fn the_same_configuration_again_keeps_the_buffers() {
        let uart = configured();
        let end = feed(&uart, b"x", Span::ps(139 * 62_500));
        uart.configure(end, format(115_200));
        assert_eq!(read(&uart, end), b"x");
    }
}
