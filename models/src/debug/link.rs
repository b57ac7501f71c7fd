//! The wires between a probe and a chip's debug port.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::activity::Activity;
use twinboard_sim::bus::{BusFault, Size};
use twinboard_sim::debug::{DebugTarget, SwdAck, SwdRequest, SwdTiming, SwdTransfer, SwdWire};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;

use super::dp::Dp;
use super::fault::{WireFaults, resolve};
use super::line::{DATA_PHASE, SwdLine, encode, with_parity};
use super::table::DapTable;

/// More clocks than any transfer takes: request, acknowledge, data, two turnarounds of at most 4, at most 255 idle clocks.
const LONGEST_TRANSFER: u64 = 8 + 3 + 33 + 2 * 4 + 255;

/// A change on the wires, as an observer (a VCD writer) sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct SwdLevels {
    /// When. Never earlier than the change before.
    pub at: Time,
    /// The level of SWCLK.
    pub swclk: bool,
    /// The level of SWDIO as the probe sees it.
    pub swdio: bool,
    /// Whether the probe pulls the chip's reset pin.
    pub reset: bool,
}

/// Sees every change on the wires.
pub type Observer = Box<dyn FnMut(SwdLevels) + Send>;

/// The probe's end of the wires to a chip whose debug port is described by a [`DapTable`].
///
/// The debug port belongs to the chip, but it is clocked by the probe, so it lives here. What it reaches inside the
/// chip is shared with whoever runs the chip; it is locked only while an access port really touches it.
pub struct SwdLink<T: DebugTarget + ?Sized> {
    table: DapTable,
    line: SwdLine,
    dp: Dp,
    target: Shared<T>,
    faults: WireFaults,
    reset: bool,
    trace: Option<Trace>,
    activity: Activity,
    burst: Burst,
}

impl<T: DebugTarget + ?Sized> fmt::Debug for SwdLink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwdLink").field("line", &self.line).field("dp", &self.dp).finish_non_exhaustive()
    }
}

impl<T: DebugTarget + ?Sized> SwdLink<T> {
    /// Wires to `target`, whose debug port has just been powered on.
    #[must_use]
    pub fn new(table: &DapTable, target: Arc<Mutex<T>>) -> SwdLink<T> {
        SwdLink {
            table: *table,
            line: SwdLine::new(table.pins),
            dp: Dp::new(table),
            target: Shared(target),
            faults: WireFaults::default(),
            reset: false,
            trace: None,
            activity: Activity::default(),
            burst: Burst::default(),
        }
    }

    /// From now on `observer` sees every change on the wires, also those inside whole transfers.
    pub fn observe(&mut self, observer: Observer) {
        self.trace = Some(Trace { observer, low: DEFAULT_LOW, last: Time::ZERO });
    }

    /// From now on notes in `activity` when the wires are clocked.
    pub fn note_in(&mut self, activity: Activity) {
        self.activity = activity;
    }

    /// What is wrong with the wires.
    #[must_use]
    pub fn faults(&self) -> WireFaults {
        self.faults.clone()
    }

    /// A transfer as the probe's firmware clocks it out (CMSIS-DAP, `SW_DP.c`).
    fn clock_transfer(&mut self, at: Time, timing: &SwdTiming, request: SwdRequest, data: u32) -> (SwdTransfer, u64) {
        let mut probe = Clocking { link: self, at, period: timing.period, clocks: 0 };
        let turnaround = u32::from(timing.turnaround);
        let data_bits = u32::from(DATA_PHASE);
        probe.write(u64::from(encode(request)), 8);
        // What the probe samples before an edge is what the line became after the one before.
        let first = probe.skip(turnaround, Drive::Released);
        let (ack, next) = probe.read(first, 3);
        let ack = SwdAck(ack as u8);
        let mut result = SwdTransfer { ack, data: 0, parity_ok: true };
        match ack {
            SwdAck::OK if request.read => {
                let (bits, _) = probe.read(next, data_bits);
                result.data = bits as u32;
                result.parity_ok = bits == with_parity(result.data);
                probe.skip(turnaround, Drive::Released);
                probe.skip(u32::from(timing.idle), Drive::Low);
            }
            SwdAck::OK => {
                probe.skip(turnaround, Drive::Released);
                probe.write(with_parity(data), data_bits);
                probe.skip(u32::from(timing.idle), Drive::Low);
            }
            SwdAck::WAIT | SwdAck::FAULT => {
                if timing.data_phase && request.read {
                    probe.skip(data_bits, Drive::Released);
                }
                probe.skip(turnaround, Drive::Released);
                if timing.data_phase && !request.read {
                    probe.skip(data_bits, Drive::Low);
                }
            }
            // Nobody, or nonsense: enough clocks to get a target that did understand out of its data phase.
            _ => {
                probe.skip(turnaround + data_bits, Drive::Released);
            }
        }
        let clocks = probe.clocks;
        (result, clocks)
    }
}

impl<T: DebugTarget + ?Sized> SwdWire for SwdLink<T> {
    fn clock(&mut self, at: Time, swdio: Drive) -> bool {
        if self.activity.is_recorded() {
            self.burst.edge(at, &self.activity);
        }
        let before = self.trace.is_some() && self.level(swdio);
        match self.faults.any() {
            None => {
                let bit = resolve([swdio, self.line.drive()]);
                self.line.clock(at, bit, &mut self.dp, &mut self.target);
            }
            Some(mut faults) => {
                faults.clock(at, swdio, &self.table, (&mut self.line, &mut self.dp, &mut self.target));
            }
        }
        let after = self.level(swdio);
        if let Some(trace) = &mut self.trace {
            trace.edge(at, before, after, self.reset);
        }
        after
    }

    fn write_bits(&mut self, at: Time, period: Span, bits: u64, count: u32) {
        Clocking { link: self, at, period, clocks: 0 }.write(bits, count.min(64));
    }

    fn transfer(&mut self, at: Time, timing: &SwdTiming, request: SwdRequest, data: u32) -> (SwdTransfer, Span) {
        let longest = timing.period * LONGEST_TRANSFER;
        let good = || self.faults.any().is_none_or(|mut faults| faults.is_quiet(at, at + longest));
        let whole = if self.trace.is_none() && good() {
            self.line.transfer(at, timing, request, data, &mut self.dp, &mut self.target)
        } else {
            None
        };
        let (result, clocks) = whole.unwrap_or_else(|| self.clock_transfer(at, timing, request, data));
        self.activity.note(at, at + timing.period * clocks);
        (result, timing.period * clocks)
    }

    fn reset_pin(&mut self, at: Time, asserted: bool) {
        self.reset = asserted;
        let broken = asserted && self.table.resets_by_wires;
        if !broken || self.faults.any().is_none_or(|mut faults| faults.lets_reset_through(at)) {
            self.target.reset_pin(at, asserted);
        }
        let swdio = self.level(Drive::Released);
        if let Some(trace) = &mut self.trace {
            trace.emit(SwdLevels { at, swclk: true, swdio, reset: asserted });
        }
    }

    fn power_cycle(&mut self) {
        self.line = SwdLine::new(self.table.pins);
        self.dp = Dp::new(&self.table);
    }

    fn level(&mut self, swdio: Drive) -> bool {
        match self.faults.any() {
            None => resolve([swdio, self.line.drive()]),
            Some(faults) => faults.probe_sees(swdio, self.line.drive()),
        }
    }
}

/// A run of evenly spaced edges.
struct Clocking<'a, T: DebugTarget + ?Sized> {
    link: &'a mut SwdLink<T>,
    /// The first edge.
    at: Time,
    period: Span,
    /// Edges up to now.
    clocks: u64,
}

impl<T: DebugTarget + ?Sized> Clocking<'_, T> {
    fn clock(&mut self, swdio: Drive) -> bool {
        if let Some(trace) = &mut self.link.trace {
            trace.low = self.period / 2;
        }
        let at = self.at + self.period * self.clocks;
        self.clocks += 1;
        self.link.clock(at, swdio)
    }

    /// Clocks `count` times with the same drive; the level after the last.
    fn skip(&mut self, count: u32, swdio: Drive) -> bool {
        (0..count).fold(true, |_, _| self.clock(swdio))
    }

    fn write(&mut self, bits: u64, count: u32) {
        for i in 0..count {
            self.clock(if bits >> i & 1 != 0 { Drive::High } else { Drive::Low });
        }
    }

    /// Samples `count` bits, the first of which is on the line already; also the one that is on it then.
    fn read(&mut self, mut level: bool, count: u32) -> (u64, bool) {
        let mut bits = 0;
        for i in 0..count {
            bits |= u64::from(level) << i;
            level = self.clock(Drive::Released);
        }
        (bits, level)
    }
}

/// Edges of SWCLK that belong together, to tell clocking from the pauses in between.
///
/// A burst goes on as long as each edge follows the last one within [`Burst::PAUSE`] times the shortest distance so far;
/// so no clock frequency need be known. It begins with two edges that are at most [`Burst::SLOWEST`] apart.
#[derive(Debug, Default)]
struct Burst {
    last: Option<Time>,
    shortest: Option<Span>,
}

impl Burst {
    /// A turnaround of some firmware takes three clocks.
    const PAUSE: u64 = 4;
    /// 10 kHz.
    const SLOWEST: Span = Span::us(100);

    fn edge(&mut self, at: Time, activity: &Activity) {
        let Some(last) = self.last.replace(at) else { return };
        let distance = at.since(last);
        match self.shortest {
            _ if distance > Burst::SLOWEST => self.shortest = None,
            Some(shortest) if distance > shortest * Burst::PAUSE => self.shortest = None,
            shortest => {
                self.shortest = Some(shortest.map_or(distance, |shortest| shortest.min(distance)));
                activity.note(last, at);
            }
        }
    }
}

/// How long SWCLK is shown low before an edge whose clock period is not known.
const DEFAULT_LOW: Span = Span::ns(500);

/// Turns edges into changes of levels. SWCLK idles high; the probe changes SWDIO when it pulls SWCLK low.
struct Trace {
    observer: Observer,
    low: Span,
    last: Time,
}

impl Trace {
    fn edge(&mut self, at: Time, before: bool, after: bool, reset: bool) {
        let low = self.low.min(at.since(self.last) / 2);
        let fall = Time(at.0 - low.0);
        self.emit(SwdLevels { at: fall, swclk: false, swdio: before, reset });
        self.emit(SwdLevels { at, swclk: true, swdio: after, reset });
    }

    fn emit(&mut self, levels: SwdLevels) {
        self.last = levels.at;
        (self.observer)(levels);
    }
}

/// A target that others use too: locked for each access.
struct Shared<T: ?Sized>(Arc<Mutex<T>>);

impl<T: DebugTarget + ?Sized> DebugTarget for Shared<T> {
    fn mem_read(&mut self, at: Time, address: u32, size: Size) -> Result<u32, BusFault> {
        self.0.lock().mem_read(at, address, size)
    }

    fn mem_write(&mut self, at: Time, address: u32, size: Size, value: u32) -> Result<(), BusFault> {
        self.0.lock().mem_write(at, address, size, value)
    }

    fn mem_ready(&mut self, at: Time, address: u32) -> bool {
        self.0.lock().mem_ready(at, address)
    }

    fn mem_enabled(&mut self, at: Time) -> bool {
        self.0.lock().mem_enabled(at)
    }

    fn power_request(&mut self, at: Time, debug: bool, system: bool) {
        self.0.lock().power_request(at, debug, system);
    }

    fn vendor_read(&mut self, at: Time, ap: u8, register: u8) -> u32 {
        self.0.lock().vendor_read(at, ap, register)
    }

    fn vendor_write(&mut self, at: Time, ap: u8, register: u8, value: u32) {
        self.0.lock().vendor_write(at, ap, register, value);
    }

    fn reset_pin(&mut self, at: Time, asserted: bool) {
        self.0.lock().reset_pin(at, asserted);
    }

    fn brown_out(&mut self, at: Time) {
        self.0.lock().brown_out(at);
    }
}

#[cfg(test)]
mod tests;
