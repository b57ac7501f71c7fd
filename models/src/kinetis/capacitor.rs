//! A capacitor to ground on a pin, charged through a resistor by whatever drives the pin.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{Drive, PinId};

use crate::parts::analog::SUPPLY_UV;

/// Steps of the curve in one time constant.
const STEPS: u64 = 64;
/// e^(-1/64) in units of 2^-32.
const DECAY: u64 = 4_228_379_644;
/// After so many time constants nothing is left that a converter could tell.
const SETTLED: u64 = 16;

/// A capacitor behind a resistor.
#[derive(Clone, Copy, Debug)]
pub struct Capacitor {
    /// The pin that it is on.
    pub pin: PinId,
    /// Resistance times capacitance.
    tau: Span,
    /// The voltage (microvolts) at `since`.
    before: u32,
    since: Time,
    /// What it is being charged to; none while nobody drives it.
    toward: Option<u32>,
}

impl Capacitor {
    /// An empty capacitor on `pin` with the time constant `tau`.
    #[must_use]
    pub fn new(pin: PinId, tau: Span) -> Capacitor {
        Capacitor { pin, tau, before: 0, since: Time::ZERO, toward: None }
    }

    /// The voltage across it, in microvolts.
    #[must_use]
    pub fn voltage(&self, now: Time) -> u32 {
        let Some(toward) = self.toward else { return self.before };
        let (elapsed, tau) = (now.since(self.since).0, self.tau.0.max(1));
        if elapsed / tau >= SETTLED {
            return toward;
        }
        // What is left of the difference: whole steps of the curve, then a straight line to the next one.
        let (whole, rest) = (elapsed * STEPS / tau, elapsed * STEPS % tau);
        let left = (0..whole).fold(1u64 << 32, |left, _| (left * DECAY) >> 32);
        let next = (left * DECAY) >> 32;
        let left = left - ((u128::from(left - next) * u128::from(rest)) / u128::from(tau)) as u64;
        let difference = i128::from(self.before) - i128::from(toward);
        (i128::from(toward) + ((difference * i128::from(left)) >> 32)).max(0) as u32
    }

    /// The chip changes what it does to the pin.
    pub fn drive(&mut self, now: Time, drive: Drive) {
        (self.before, self.since) = (self.voltage(now), now);
        self.toward = match drive {
            Drive::High => Some(SUPPLY_UV),
            Drive::Low => Some(0),
            Drive::Released | Drive::PullUp | Drive::PullDown => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_follows_the_exponential_and_stays_when_nobody_drives() {
        // 4.7 kΩ and 100 nF.
        let mut capacitor = Capacitor::new(PinId(0), Span::us(470));
        capacitor.drive(Time::ZERO, Drive::High);
        for us in [10, 100, 470, 1_000, 5_000] {
            let exact = 3_300_000.0 * (1.0 - (-(us as f64) / 470.0).exp());
            let model = f64::from(capacitor.voltage(Time::ZERO + Span::us(us)));
            assert!((model - exact).abs() < 300.0, "{us} µs: {model} µV instead of {exact} µV");
        }
        capacitor.drive(Time::ZERO + Span::us(100), Drive::Released);
        let kept = capacitor.voltage(Time::ZERO + Span::us(100));
        assert_eq!(capacitor.voltage(Time::ZERO + Span::ms(100)), kept);
        capacitor.drive(Time::ZERO + Span::ms(100), Drive::Low);
        assert_eq!(capacitor.voltage(Time::ZERO + Span::ms(110)), 0);
    }
}
