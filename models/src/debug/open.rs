//! Debug wires that end nowhere: a socket without a chip.

use twinboard_sim::debug::{SwdAck, SwdRequest, SwdTiming, SwdTransfer, SwdWire};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;

use super::fault::resolve;
use super::line::DATA_PHASE;

/// Nobody hears the clock, and SWDIO has only the probe's pull-up.
struct OpenWire;

/// The probe's end of wires that nobody is on: every request goes unanswered, in the time that takes.
#[must_use]
pub fn open_wire() -> Box<dyn SwdWire> {
    Box::new(OpenWire)
}

impl SwdWire for OpenWire {
    fn clock(&mut self, _: Time, swdio: Drive) -> bool {
        self.level(swdio)
    }

    fn transfer(&mut self, _: Time, timing: &SwdTiming, _: SwdRequest, _: u32) -> (SwdTransfer, Span) {
        // Request, turnaround, acknowledge, and the data phase that a target in doubt is given.
        let clocks = 8 + 3 + u64::from(DATA_PHASE) + 2 * u64::from(timing.turnaround);
        (SwdTransfer { ack: SwdAck::NONE, data: 0, parity_ok: true }, timing.period * clocks)
    }

    fn reset_pin(&mut self, _: Time, _: bool) {}

    fn level(&mut self, swdio: Drive) -> bool {
        resolve([swdio, Drive::Released])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_acknowledges_on_an_open_wire() {
        let mut wire = open_wire();
        wire.write_bits(Time::ZERO, Span::us(1), u64::MAX, 64);
        let timing = SwdTiming { period: Span::us(1), turnaround: 1, data_phase: false, idle: 0 };
        let dpidr = SwdRequest { ap: false, read: true, address: 0 };
        let (transfer, span) = wire.transfer(Time::ZERO + Span::us(64), &timing, dpidr, 0);
        assert_eq!(transfer.ack, SwdAck::NONE);
        // Request 8, turnaround 1, acknowledge 3, then turnaround and data phase of 34 with SWDIO released.
        assert_eq!(span, Span::us(46));
    }
}
