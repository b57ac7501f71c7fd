//! The target's end of the SWD line, clock by clock (Arm IHI 0031, "SWD protocol operation").
//!
//! SWDIO is sampled at the rising edge of SWCLK, and what the target drives changes right after one. With a
//! turnaround of n clocks a packet is
//!
//! | edges | driven by | |
//! |---|---|---|
//! | 1–8 | probe | start, APnDP, RnW, A2, A3, parity, stop, park |
//! | n | nobody | turnaround |
//! | 3 | target | acknowledge |
//! | 33, n | target, nobody | data and parity of a read, turnaround |
//! | n, 33 | nobody, probe | turnaround, data and parity of a write |
//!
//! 46 edges with the usual n = 1. A malformed request is not answered, nor is anything else until a line reset: at
//! least 50 edges with SWDIO high. After that, at least two with SWDIO low, then a read of DPIDR must follow.

use twinboard_sim::debug::{DebugTarget, SwdAck, SwdRequest, SwdTiming, SwdTransfer};
use twinboard_sim::time::Time;
use twinboard_sim::wire::Drive;

use super::dp::{Answer, Dp};
use super::select::{Protocol, Selector};
use super::table::PinProtocols;

/// The one request that is answered after a line reset.
const READ_DPIDR: SwdRequest = SwdRequest { ap: false, read: true, address: 0 };
/// Bits of data and parity.
pub const DATA_PHASE: u8 = 33;
/// Low bits that a line reset ends with.
const RESET_ZEROS: u8 = 2;

/// The request as it goes over the line, start bit in bit 0.
#[must_use]
pub fn encode(request: SwdRequest) -> u8 {
    let SwdRequest { ap, read, address } = request;
    let fields = u8::from(ap) | u8::from(read) << 1 | (address & 0xC);
    let parity = (fields.count_ones() & 1) as u8;
    1 | fields << 1 | parity << 5 | 1 << 7
}

/// The request that `bits` are, if start, parity, stop and park are right.
fn decode(bits: u8) -> Option<SwdRequest> {
    let request = SwdRequest { ap: bits & 2 != 0, read: bits & 4 != 0, address: bits >> 1 & 0xC };
    (encode(request) == bits).then_some(request)
}

/// Data with its parity bit as bit 32.
#[must_use]
pub fn with_parity(data: u32) -> u64 {
    u64::from(data) | u64::from(data.count_ones() & 1) << 32
}

/// Where the target is in a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// After a malformed request, or power-on: silent until a line reset.
    Silent,
    /// SWDIO was high for a line reset; then so many zeros came.
    Reset { zeros: u8 },
    /// Between packets.
    Idle,
    /// Taking a request.
    Request { bits: u8, count: u8 },
    /// The turnaround before the acknowledge.
    Turnaround { request: SwdRequest, left: u8 },
    /// Driving the acknowledge; `sent` bits are out.
    Acknowledge { request: SwdRequest, answer: Answer, sent: u8 },
    /// Driving data and parity; `sent` bits are out.
    ReadData { bits: u64, sent: u8 },
    /// The turnaround before written data.
    WriteTurnaround { request: SwdRequest, left: u8 },
    /// Taking data and parity.
    WriteData { request: SwdRequest, bits: u64, count: u8 },
    /// Clocks that mean nothing: the last turnaround, a data phase without data.
    Pass { left: u8 },
}

/// The target's end of the line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SwdLine {
    selector: Selector,
    phase: Phase,
    /// After a line reset only DPIDR may be read.
    identify_first: bool,
    out: Drive,
}

impl SwdLine {
    /// As at power-on.
    #[must_use]
    pub fn new(pins: PinProtocols) -> SwdLine {
        SwdLine { selector: Selector::new(pins), phase: Phase::Silent, identify_first: true, out: Drive::Released }
    }

    /// What the target does to SWDIO.
    #[must_use]
    pub fn drive(&self) -> Drive {
        self.out
    }

    /// The request that the target answers at the next edge.
    #[must_use]
    pub fn answers_next(&self) -> Option<SwdRequest> {
        if let Phase::Turnaround { request, left: 0..=1 } = self.phase { Some(request) } else { None }
    }

    /// The target takes the parity bit of written data at the next edge.
    #[must_use]
    pub fn takes_parity_next(&self) -> bool {
        matches!(self.phase, Phase::WriteData { count, .. } if count + 1 == DATA_PHASE)
    }

    /// The target drives the parity bit of the data that it sends.
    #[must_use]
    pub fn sends_parity(&self) -> bool {
        matches!(self.phase, Phase::ReadData { sent: DATA_PHASE, .. })
    }

    /// Half of the 32 data bits of a transfer have just been sent or taken.
    #[must_use]
    pub fn is_half_way(&self) -> bool {
        matches!(self.phase, Phase::ReadData { sent: 16, .. } | Phase::WriteData { count: 16, .. })
    }

    /// A rising edge of SWCLK at `at`, with SWDIO sampled as `bit`.
    pub fn clock<T>(&mut self, at: Time, bit: bool, dp: &mut Dp, target: &mut T)
    where
        T: DebugTarget + ?Sized,
    {
        self.out = Drive::Released;
        if self.selector.clock(bit) || self.selector.protocol() != Protocol::Swd {
            self.phase = Phase::Silent;
        } else if self.selector.is_line_reset() {
            self.phase = Phase::Reset { zeros: 0 };
            self.identify_first = true;
            dp.line_reset();
        } else {
            self.phase = self.step(at, bit, dp, target);
        }
    }

    fn step<T>(&mut self, at: Time, bit: bool, dp: &mut Dp, target: &mut T) -> Phase
    where
        T: DebugTarget + ?Sized,
    {
        match self.phase {
            Phase::Silent => Phase::Silent,
            Phase::Reset { .. } if bit => Phase::Silent,
            Phase::Reset { zeros } if zeros + 1 < RESET_ZEROS => Phase::Reset { zeros: zeros + 1 },
            Phase::Reset { .. } => Phase::Idle,
            Phase::Idle if bit => Phase::Request { bits: 1, count: 1 },
            Phase::Idle => Phase::Idle,
            Phase::Request { bits, count } => {
                let bits = bits | u8::from(bit) << count;
                if count < 7 { Phase::Request { bits, count: count + 1 } } else { self.requested(bits, dp) }
            }
            Phase::Turnaround { request, left } if left > 1 => Phase::Turnaround { request, left: left - 1 },
            Phase::Turnaround { request, .. } => {
                let answer = dp.request(at, request, target);
                self.acknowledge(request, answer, 0)
            }
            Phase::Acknowledge { request, answer, sent } if sent < 3 => self.acknowledge(request, answer, sent),
            Phase::Acknowledge { request, answer, .. } => match (answer.ack, request.read) {
                (SwdAck::OK, true) => self.read_data(with_parity(answer.data), 0),
                (SwdAck::OK, false) => Phase::WriteTurnaround { request, left: dp.turnaround() },
                _ => Phase::Pass { left: dp.turnaround() + if dp.overrun_detect() { DATA_PHASE } else { 0 } },
            },
            Phase::ReadData { bits, sent } if sent < DATA_PHASE => self.read_data(bits, sent),
            Phase::ReadData { .. } => Phase::Pass { left: dp.turnaround() },
            Phase::WriteTurnaround { request, left } if left > 1 => Phase::WriteTurnaround { request, left: left - 1 },
            Phase::WriteTurnaround { request, .. } => Phase::WriteData { request, bits: 0, count: 0 },
            Phase::WriteData { request, bits, count } => {
                let bits = bits | u64::from(bit) << count;
                if count + 1 < DATA_PHASE {
                    return Phase::WriteData { request, bits, count: count + 1 };
                }
                let data = bits as u32;
                if bits == with_parity(data) {
                    dp.write(at, request, data, target);
                } else {
                    dp.write_parity_error();
                }
                Phase::Idle
            }
            Phase::Pass { left } if left > 1 => Phase::Pass { left: left - 1 },
            Phase::Pass { .. } => Phase::Idle,
        }
    }

    fn requested(&mut self, bits: u8, dp: &mut Dp) -> Phase {
        match decode(bits) {
            Some(request) if !self.identify_first || request == READ_DPIDR => {
                self.identify_first = false;
                Phase::Turnaround { request, left: dp.turnaround() }
            }
            _ => {
                dp.protocol_error();
                Phase::Silent
            }
        }
    }

    fn acknowledge(&mut self, request: SwdRequest, answer: Answer, sent: u8) -> Phase {
        self.out = strong(answer.ack.0 >> sent & 1 != 0);
        Phase::Acknowledge { request, answer, sent: sent + 1 }
    }

    fn read_data(&mut self, bits: u64, sent: u8) -> Phase {
        self.out = strong(bits >> sent & 1 != 0);
        Phase::ReadData { bits, sent: sent + 1 }
    }

    /// A whole transfer, first edge at `at`: what the clocked bits would do, at the same times. The answer is what the
    /// probe sampled and the number of clocks. None, with nothing done, where only bits can tell: between a line reset
    /// and the first answer, inside a packet, or when the probe expects other turnarounds or data phases.
    pub fn transfer<T>(
        &mut self,
        at: Time,
        timing: &SwdTiming,
        request: SwdRequest,
        data: u32,
        dp: &mut Dp,
        target: &mut T,
    ) -> Option<(SwdTransfer, u64)>
    where
        T: DebugTarget + ?Sized,
    {
        let turnaround = dp.turnaround();
        let ready = self.phase == Phase::Idle && !self.identify_first && self.selector.is_quiet();
        if !ready || timing.turnaround != turnaround || timing.data_phase != dp.overrun_detect() {
            return None;
        }
        let edge = |number: u64| at + timing.period * (number - 1);
        let turnaround = u64::from(turnaround);
        let answer = dp.request(edge(8 + turnaround), request, target);
        let mut clocks = 8 + turnaround + 3;
        let (data, ones) = match (answer.ack, request.read) {
            (SwdAck::OK, read) => {
                clocks += turnaround + u64::from(DATA_PHASE);
                let bits = with_parity(if read { answer.data } else { data });
                if !read {
                    dp.write(edge(clocks), request, data, target);
                }
                clocks += u64::from(timing.idle);
                // The 33 bits cannot all be ones: the parity of 32 ones is 0.
                let trailing = (bits << (64 - DATA_PHASE)).leading_ones();
                let released = if read { turnaround as u32 } else { 0 };
                let ones = if timing.idle == 0 { trailing + released } else { 0 };
                (if read { answer.data } else { 0 }, ones)
            }
            (ack, read) => {
                clocks += turnaround;
                let last_bit = u32::from(ack.0 >> 2);
                let mut ones = last_bit + turnaround as u32;
                if timing.data_phase {
                    clocks += u64::from(DATA_PHASE);
                    // The probe releases the line in a read's data phase, and drives it low in a write's.
                    ones = if read { ones + u32::from(DATA_PHASE) } else { 0 };
                }
                (0, ones)
            }
        };
        self.selector.skip_packet(ones);
        Some((SwdTransfer { ack: answer.ack, data, parity_ok: true }, clocks))
    }
}

fn strong(bit: bool) -> Drive {
    if bit { Drive::High } else { Drive::Low }
}

#[cfg(test)]
mod tests;
