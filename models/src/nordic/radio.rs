//! RADIO — 2.4 GHz radio (PS chapter "RADIO").
//!
//! ```text
//! TXEN ─► TXRU ─READY─► TXIDLE ─START─► TX ─ADDRESS─PAYLOAD─END─► TXIDLE
//! RXEN ─► RXRU ─READY─► RXIDLE ─START─► RX ─ADDRESS─PAYLOAD─END─► RXIDLE       DISABLE ─► DISABLED
//! ```
//!
//! A packet leaves as a [`Transmission`] at START, complete with its times; whoever shares the ether with the chip
//! takes it from [`Radio::take_sent`] and hands it to the other chips ([`Radio::hear`]), where nothing happens before
//! its address has come. What is on air are the real bits: address, header, payload and CRC, whitened.

mod channel;
mod crc;
mod format;
mod reception;
pub mod registers;

use twinboard_sim::time::Span;

use super::clock::LfClk;
use super::inert::Inert;
use super::peripheral::{CYCLE_PS, Cx, Events, NEVER, PCLK16M, Peripheral, Reset, SHORTS, us};
use super::rng::Noise;
use crate::parts::air::{Modulation, Transmission};
use format::{Format, Layout, MAX_RAM};
use reception::{Heard, Incoming};
use registers::*;

/// DISABLE to DISABLED from a state that does not transmit, in cycles.
const RX_DISABLE: u64 = us(1);
/// The most transmissions that are kept track of at once.
const MOST_HEARD: usize = 32;

/// STATE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Disabled = 0,
    RxRu = 1,
    RxIdle = 2,
    Rx = 3,
    RxDisable = 4,
    TxRu = 9,
    TxIdle = 10,
    Tx = 11,
    TxDisable = 12,
}

/// What happens by itself. Of those at the same cycle the first one here is first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moment {
    Heard,
    Ready,
    Address,
    Header,
    BitCount,
    DeviceAddress,
    Payload,
    End,
    Disabled,
    Rssi,
    Energy,
    Channel,
    EnergyStopped,
    ChannelStopped,
}

const MOMENTS: [Moment; 14] = [
    Moment::Heard,
    Moment::Ready,
    Moment::Address,
    Moment::Header,
    Moment::BitCount,
    Moment::DeviceAddress,
    Moment::Payload,
    Moment::End,
    Moment::Disabled,
    Moment::Rssi,
    Moment::Energy,
    Moment::Channel,
    Moment::EnergyStopped,
    Moment::ChannelStopped,
];

/// The packet that is being sent or received.
#[derive(Clone, Copy, Debug)]
struct Current {
    /// The cycle at which its preamble began.
    start: u64,
    modulation: Modulation,
    preamble: u32,
    layout: Layout,
    /// PACKETPTR at START.
    pointer: u32,
}

impl Current {
    /// The cycle at which the bit number `bits` behind the preamble ends.
    fn at(&self, bits: u32) -> u64 {
        self.start + cycles(self.modulation.span(self.preamble, self.layout.address, bits))
    }
}

fn cycles(span: Span) -> u64 {
    span.0.div_ceil(CYCLE_PS)
}

/// The register machine.
#[derive(Debug)]
pub struct Radio {
    spec: &'static RadioSpec,
    events: Events,
    registers: Inert,
    state: State,
    at: [u64; MOMENTS.len()],
    current: Option<Current>,
    incoming: Option<Box<Incoming>>,
    heard: Vec<Heard>,
    sent: Vec<Transmission>,
    /// PACKETPTR at START, and when that was.
    listening: (u32, u64),
    /// When BCSTART was, while the bit counter runs.
    counting: Option<u64>,
    /// When the last packet ended.
    last_end: u64,
    noise: Noise,
}

impl Radio {
    /// A radio of a chip whose noise comes from `seed`.
    #[must_use]
    pub fn new(spec: &'static RadioSpec, seed: u64) -> Radio {
        Radio {
            spec,
            events: Events::new(spec.registers.events),
            registers: Inert::new(spec.registers),
            state: State::Disabled,
            at: [NEVER; MOMENTS.len()],
            current: None,
            incoming: None,
            heard: Vec::new(),
            sent: Vec::new(),
            listening: (0, 0),
            counting: None,
            last_end: 0,
            noise: Noise::new(seed ^ 0x5241_4449_4F00),
        }
    }

    /// What was sent since the last call.
    pub fn take_sent(&mut self) -> impl Iterator<Item = Transmission> + '_ {
        self.sent.drain(..)
    }

    /// The first cycle from `now` on at which a packet could begin, if the program does its best.
    #[must_use]
    pub fn silent_until(&self, now: u64) -> u64 {
        match self.state {
            State::TxIdle | State::Tx => now,
            State::TxRu => self.at[Moment::Ready as usize].max(now),
            _ => now + self.spec.fast_ramp_up.unwrap_or(self.spec.ramp_up),
        }
    }

    fn modulation(&self) -> Modulation {
        let mode = self.registers.get(MODE) & 0xF;
        self.spec.modes.iter().find(|known| known.0 == mode).map_or(Modulation::Nrf1Mbit, |known| known.1)
    }

    fn mhz(&self) -> u16 {
        let frequency = self.registers.get(FREQUENCY);
        let base = if self.spec.ieee802154 && frequency >> 8 & 1 == 1 { 2360 } else { 2400 };
        base + (frequency & 0x7F) as u16
    }

    fn format(&self) -> Format {
        Format::new(&self.registers)
    }

    fn short(&self, mask: u32) -> bool {
        self.registers.get(SHORTS) & mask != 0
    }

    fn raise(&mut self, event: u32) {
        self.events.raise_all(1 << event & self.spec.registers.events);
    }

    fn plan(&mut self, moment: Moment, at: u64) {
        self.at[moment as usize] = at;
    }

    fn cancel(&mut self, moments: &[Moment]) {
        for &moment in moments {
            self.plan(moment, NEVER);
        }
    }

    /// Gives up the packet that is being sent or received.
    fn abandon(&mut self) {
        use Moment::{Address, BitCount, DeviceAddress, End, Header, Payload};
        self.cancel(&[Address, Header, BitCount, DeviceAddress, Payload, End]);
        (self.current, self.incoming, self.counting) = (None, None, None);
    }

    /// TXEN or RXEN. Behind a short from DISABLED, TIFS keeps its distance to the packet before.
    fn enable(&mut self, now: u64, ramp_up: State, by_short: bool) {
        if !matches!(self.state, State::Disabled | State::TxIdle | State::RxIdle) {
            return;
        }
        let fast = self.spec.fast_ramp_up.filter(|_| self.registers.get(MODECNF0) & 1 == 1);
        let mut ready = now + fast.unwrap_or(self.spec.ramp_up);
        if by_short {
            ready = ready.max(self.last_end + us(self.registers.get(TIFS).into()));
        }
        self.state = ramp_up;
        self.plan(Moment::Ready, ready);
    }

    fn ready(&mut self, cx: &mut Cx<'_>) {
        self.raise(event::READY);
        let sends = self.state == State::TxRu;
        self.state = if sends { State::TxIdle } else { State::RxIdle };
        self.raise(if sends { event::TXREADY } else { event::RXREADY });
        if self.short(short::READY_START | if sends { short::TXREADY_START } else { short::RXREADY_START }) {
            self.start(cx);
        }
        if !sends && self.short(short::RXREADY_CCASTART) {
            self.task(cx, task::CCASTART);
        }
        if self.short(short::READY_EDSTART) {
            self.task(cx, task::EDSTART);
        }
    }

    fn start(&mut self, cx: &mut Cx<'_>) {
        let pointer = self.registers.get(PACKETPTR);
        match self.state {
            State::TxIdle => self.send(cx, pointer),
            State::RxIdle => {
                self.state = State::Rx;
                self.listening = (pointer, cx.now);
            }
            _ => {}
        }
    }

    fn send(&mut self, cx: &mut Cx<'_>, pointer: u32) {
        let mut ram = [0; MAX_RAM];
        for (byte, address) in ram.iter_mut().zip(pointer..) {
            *byte = cx.memory.read_bytes(address, 1).map_or(0, |byte| byte[0]);
        }
        let (format, modulation) = (self.format(), self.modulation());
        let address = Format::address(&self.registers, modulation, self.registers.get(TXADDRESS) & 0b111);
        let (bits, layout) = format.encode(address, &ram);
        let current = Current { start: cx.now, modulation, preamble: format.preamble, layout, pointer };
        self.state = State::Tx;
        self.plan(Moment::Address, current.at(layout.address));
        self.proceed(&current);
        self.current = Some(current);
        self.sent.push(Transmission {
            start: cx.time(),
            mhz: self.mhz(),
            modulation,
            dbm: self.registers.get(TXPOWER) as u8 as i8,
            preamble: format.preamble,
            address: layout.address,
            bits,
        });
    }

    /// Plans what follows the address.
    fn proceed(&mut self, current: &Current) {
        self.plan(Moment::Header, current.at(current.layout.header));
        self.plan(Moment::Payload, current.at(current.layout.payload));
        self.plan(Moment::End, current.at(current.layout.end));
    }

    /// The address has been sent or received.
    fn address(&mut self, cx: &mut Cx<'_>) {
        if self.modulation() == Modulation::Ieee802154 {
            return;
        }
        self.raise(event::ADDRESS);
        if self.short(short::ADDRESS_RSSISTART) {
            self.task(cx, task::RSSISTART);
        }
        if self.short(short::ADDRESS_BCSTART) {
            self.task(cx, task::BCSTART);
        }
    }

    /// S0, LENGTH and S1 have been sent or received.
    fn header(&mut self, cx: &mut Cx<'_>) {
        if self.state == State::Rx {
            self.store(cx);
        }
        if self.modulation() != Modulation::Ieee802154 {
            return;
        }
        self.raise(event::FRAMESTART);
        if self.short(short::FRAMESTART_BCSTART) {
            self.task(cx, task::BCSTART);
        }
    }

    /// When the bit counter will be at BCC.
    fn plan_bit_count(&mut self, now: u64) {
        let at = match (self.counting, &self.current) {
            (Some(from), Some(current)) => {
                let at = from + u64::from(self.registers.get(BCC)) * cycles(current.modulation.bit());
                if at > now { at } else { NEVER }
            }
            _ => NEVER,
        };
        self.plan(Moment::BitCount, at);
    }

    fn payload(&mut self, cx: &mut Cx<'_>) {
        if self.state == State::Rx {
            self.store(cx);
        }
        self.raise(event::PAYLOAD);
    }

    fn end(&mut self, cx: &mut Cx<'_>) {
        let received = self.state == State::Rx;
        self.state = if received { State::RxIdle } else { State::TxIdle };
        self.last_end = cx.now;
        if received {
            self.judge();
        }
        self.abandon();
        self.raise(event::END);
        self.raise(event::PHYEND);
        if self.short(short::END_DISABLE | short::PHYEND_DISABLE) {
            self.task(cx, task::DISABLE);
        } else if self.short(short::END_START | short::PHYEND_START) {
            self.start(cx);
        }
    }

    fn disable(&mut self, now: u64) {
        let sends = matches!(self.state, State::TxRu | State::TxIdle | State::Tx | State::TxDisable);
        if matches!(self.state, State::TxDisable | State::RxDisable) {
            return;
        }
        self.abandon();
        self.cancel(&[Moment::Ready, Moment::Energy, Moment::Channel]);
        // A radio that is off already says so, too.
        self.plan(Moment::Disabled, now + if sends { self.spec.tx_disable } else { RX_DISABLE });
        self.state = match self.state {
            State::Disabled => State::Disabled,
            _ if sends => State::TxDisable,
            _ => State::RxDisable,
        };
    }

    fn disabled(&mut self, cx: &mut Cx<'_>) {
        self.state = State::Disabled;
        self.raise(event::DISABLED);
        if self.short(short::DISABLED_RSSISTOP) {
            self.task(cx, task::RSSISTOP);
        }
        if self.short(short::DISABLED_TXEN) {
            self.enable(cx.now, State::TxRu, true);
        } else if self.short(short::DISABLED_RXEN) {
            self.enable(cx.now, State::RxRu, true);
        }
    }

    fn switch_off(&mut self) {
        self.abandon();
        // What is on air stays there.
        for moment in MOMENTS.into_iter().filter(|&moment| moment != Moment::Heard) {
            self.plan(moment, NEVER);
        }
        self.state = State::Disabled;
        self.last_end = 0;
        self.events.reset();
        self.registers = Inert::new(self.spec.registers);
    }

    fn next_moment(&self) -> (u64, Moment) {
        MOMENTS
            .into_iter()
            .map(|moment| (self.at[moment as usize], moment))
            .min_by_key(|m| m.0)
            .unwrap_or((NEVER, Moment::Heard))
    }

    fn happen(&mut self, cx: &mut Cx<'_>, moment: Moment) {
        self.plan(moment, NEVER);
        match moment {
            Moment::Heard => self.listen(cx),
            Moment::Ready => self.ready(cx),
            Moment::Address => self.address(cx),
            Moment::Header => self.header(cx),
            Moment::BitCount => {
                if self.state == State::Rx {
                    self.store(cx);
                }
                self.raise(event::BCMATCH);
            }
            Moment::DeviceAddress => self.match_device(),
            Moment::Payload => self.payload(cx),
            Moment::End => self.end(cx),
            Moment::Disabled => self.disabled(cx),
            Moment::Rssi => {
                let sample = (-self.strength(cx.now)).clamp(0, 127);
                self.registers.set(RSSISAMPLE, sample as u32);
                self.raise(event::RSSIEND);
            }
            Moment::Energy => self.energy_detected(cx),
            Moment::Channel => self.channel_assessed(cx),
            Moment::EnergyStopped => self.raise(event::EDSTOPPED),
            Moment::ChannelStopped => self.raise(event::CCASTOPPED),
        }
    }
}

impl Peripheral for Radio {
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        match offset {
            STATE => Some(self.state as u32),
            _ => self.registers.read(cx, offset),
        }
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        match offset {
            CRCSTATUS | RXMATCH | RXCRC | DAI | RSSISAMPLE | STATE | EDSAMPLE => {}
            BCC => {
                self.registers.set(BCC, value);
                self.plan_bit_count(cx.now);
            }
            // Position 0 of the generator is 1, whatever is written.
            DATAWHITEIV => self.registers.set(DATAWHITEIV, value & 0x3F | 0x40),
            _ => return self.registers.write(cx, offset, value),
        }
        Some(())
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        match offset {
            task::TXEN => self.enable(cx.now, State::TxRu, false),
            task::RXEN => self.enable(cx.now, State::RxRu, false),
            task::START => self.start(cx),
            task::STOP => match self.state {
                State::Tx => {
                    self.abandon();
                    self.state = State::TxIdle;
                }
                State::Rx => {
                    self.abandon();
                    self.state = State::RxIdle;
                }
                _ => {}
            },
            task::DISABLE => self.disable(cx.now),
            task::RSSISTART => self.plan(Moment::Rssi, cx.now + self.spec.rssi),
            task::RSSISTOP => self.cancel(&[Moment::Rssi]),
            task::BCSTART if self.current.is_some() => {
                self.counting = Some(cx.now);
                self.plan_bit_count(cx.now);
            }
            task::BCSTART => {}
            task::BCSTOP => {
                self.counting = None;
                self.cancel(&[Moment::BitCount]);
            }
            _ if self.spec.ieee802154 => return self.channel_task(cx, offset),
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        self.switch_off();
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.next_moment().0
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        loop {
            let (at, moment) = self.next_moment();
            if at > cx.now {
                break;
            }
            self.happen(cx, moment);
        }
    }

    fn radio(&mut self) -> Option<&mut Radio> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
