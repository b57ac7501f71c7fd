//! COP — the computer-operating-properly watchdog (reference manual, chapter "System Integration Module").
//!
//! It runs from reset on, with its longest time-out, until the one write that COPC allows.

use twinboard_sim::time::{Span, Time};

use super::clock::Rate;

/// COPC\[COPT\] = 3: 1024 cycles of the LPO.
const RESET: u32 = 0x0C;
const COPC_BITS: u32 = 0x0F;
const COPCLKS: u32 = 1 << 1;
const COPW: u32 = 1;
/// Time-outs by COPT, in cycles of the LPO and of the bus clock.
const LPO_CYCLES: [u64; 4] = [0, 1 << 5, 1 << 8, 1 << 10];
const BUS_CYCLES: [u64; 4] = [0, 1 << 13, 1 << 16, 1 << 18];

/// The register machine.
#[derive(Clone, Copy, Debug)]
pub struct Cop {
    copc: u32,
    written: bool,
    /// 0x55 was written to SRVCOP, 0xAA is to follow.
    half: bool,
    started: Time,
    expires: Time,
    /// How much was left when the core was halted.
    left: Option<Span>,
}

/// Something was written that resets the chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bite;

impl Cop {
    /// After a reset at `now`.
    #[must_use]
    pub fn new(now: Time, bus: Rate) -> Cop {
        let mut cop = Cop { copc: RESET, written: false, half: false, started: now, expires: Time::NEVER, left: None };
        cop.restart(now, bus);
        cop
    }

    fn timeout(&self, bus: Rate) -> Option<Span> {
        let index = (self.copc >> 2 & 3) as usize;
        match index {
            0 => None,
            _ if self.copc & COPCLKS == 0 => Some(Rate::LPO.span(LPO_CYCLES[index])),
            _ => Some(bus.span(BUS_CYCLES[index])),
        }
    }

    fn restart(&mut self, now: Time, bus: Rate) {
        self.started = now;
        self.expires = self.timeout(bus).map_or(Time::NEVER, |span| now + span);
        if let Some(left) = &mut self.left {
            *left = self.expires.since(now);
            self.expires = Time::NEVER;
        }
    }

    /// COPC.
    #[must_use]
    pub fn copc(&self) -> u32 {
        self.copc
    }

    /// Writes COPC; only the first write after a reset counts.
    pub fn write_copc(&mut self, now: Time, bus: Rate, value: u32) {
        if !std::mem::replace(&mut self.written, true) {
            self.copc = value & COPC_BITS;
            self.restart(now, bus);
        }
    }

    /// Writes SRVCOP: 0x55 and then 0xAA start the time-out again, anything else is a reset, and so is (COPW) what
    /// comes before the last quarter of the time-out.
    ///
    /// # Errors
    /// The reset.
    pub fn service(&mut self, now: Time, bus: Rate, value: u32) -> Result<(), Bite> {
        let Some(timeout) = self.timeout(bus) else { return Ok(()) };
        let too_early = self.copc & COPW != 0 && self.copc & COPCLKS != 0 && now.since(self.started) < timeout / 4 * 3;
        match value {
            0x55 if !too_early => self.half = true,
            0xAA if !too_early && self.half => {
                self.half = false;
                self.restart(now, bus);
            }
            _ => return Err(Bite),
        }
        Ok(())
    }

    /// When it runs out.
    #[must_use]
    pub fn expires(&self) -> Time {
        self.expires
    }

    /// It has run out, and resets the chip.
    pub fn stop(&mut self) {
        self.expires = Time::NEVER;
    }

    /// The core was halted, or goes on: the COP stands still meanwhile.
    pub fn set_halted(&mut self, now: Time, halted: bool) {
        if halted {
            if self.expires != Time::NEVER {
                self.left = Some(self.expires.since(now));
                self.expires = Time::NEVER;
            }
        } else if let Some(left) = self.left.take()
            && self.copc >> 2 & 3 != 0
        {
            self.expires = now + left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUS: Rate = Rate::hz(24_000_000);

    #[test]
    fn it_runs_out_after_1024_ms_unless_it_is_serviced_by_both_values_in_order() {
        let mut cop = Cop::new(Time::ZERO, BUS);
        assert_eq!(cop.expires(), Time::ZERO + Span::ms(1024));
        let at = Time::ZERO + Span::ms(1000);
        assert_eq!(cop.service(at, BUS, 0x55), Ok(()));
        assert_eq!(cop.expires(), Time::ZERO + Span::ms(1024));
        assert_eq!(cop.service(at, BUS, 0xAA), Ok(()));
        assert_eq!(cop.expires(), at + Span::ms(1024));
        assert_eq!(cop.service(at, BUS, 0xAA), Err(Bite));
        assert_eq!(cop.service(at, BUS, 0x12), Err(Bite));
    }

    #[test]
    fn copc_is_written_once() {
        let mut cop = Cop::new(Time::ZERO, BUS);
        cop.write_copc(Time::ZERO, BUS, 0);
        cop.write_copc(Time::ZERO, BUS, 0x0C);
        assert_eq!((cop.copc(), cop.expires()), (0, Time::NEVER));
        assert_eq!(cop.service(Time::ZERO, BUS, 0), Ok(()), "nothing while it is off");
    }

    #[test]
    fn in_windowed_mode_it_may_only_be_serviced_in_the_last_quarter() {
        let mut cop = Cop::new(Time::ZERO, BUS);
        cop.write_copc(Time::ZERO, BUS, 0x07);
        let timeout = BUS.span(1 << 13);
        assert_eq!(cop.expires(), Time::ZERO + timeout);
        let mut early = cop;
        assert_eq!(early.service(Time::ZERO + timeout / 2, BUS, 0x55), Err(Bite));
        assert_eq!(cop.service(Time::ZERO + timeout / 8 * 7, BUS, 0x55), Ok(()));
    }

    #[test]
    fn it_stands_still_while_the_core_is_halted() {
        let mut cop = Cop::new(Time::ZERO, BUS);
        cop.set_halted(Time::ZERO + Span::ms(24), true);
        assert_eq!(cop.expires(), Time::NEVER);
        cop.set_halted(Time::ZERO + Span::ms(5_000), false);
        assert_eq!(cop.expires(), Time::ZERO + Span::ms(6_000));
    }
}
