//! Debug wires that end nowhere: a socket without a chip.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::bus::{BusFault, Size};
use twinboard_sim::debug::{DebugTarget, SwdWire};
use twinboard_sim::time::Time;

use super::fault::WireFault;
use super::link::SwdLink;
use super::table::NRF52833;

/// The far end of an open wire. Nothing ever reaches it.
struct Nobody;

impl DebugTarget for Nobody {
    fn mem_read(&mut self, _: Time, address: u32, _: Size) -> Result<u32, BusFault> {
        Err(BusFault { address })
    }

    fn mem_write(&mut self, _: Time, address: u32, _: Size, _: u32) -> Result<(), BusFault> {
        Err(BusFault { address })
    }

    fn mem_enabled(&mut self, _: Time) -> bool {
        false
    }

    fn power_request(&mut self, _: Time, _: bool, _: bool) {}

    fn vendor_read(&mut self, _: Time, _: u8, _: u8) -> u32 {
        0
    }

    fn vendor_write(&mut self, _: Time, _: u8, _: u8, _: u32) {}

    fn reset_pin(&mut self, _: Time, _: bool) {}
}

/// The probe's end of wires that nobody is on: every request goes unanswered, in the time that takes.
#[must_use]
pub fn open_wire() -> Box<dyn SwdWire> {
    let mut link = SwdLink::new(&NRF52833, Arc::new(Mutex::new(Nobody)));
    link.faults().set(WireFault::ClockOpen);
    Box::new(link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinboard_sim::debug::{SwdAck, SwdRequest, SwdTiming};
    use twinboard_sim::time::Span;

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
