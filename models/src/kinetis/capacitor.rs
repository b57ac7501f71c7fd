//! A capacitor to ground on a pin, charged through a resistor by whatever drives the pin.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{Drive, PinId};

use crate::parts::analog::decay;

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
        decay(self.before, toward, now.since(self.since), self.tau)
    }

    /// The chip, supplied with `vdd` microvolts, changes what it does to the pin.
    pub fn drive(&mut self, now: Time, drive: Drive, vdd: u32) {
        (self.before, self.since) = (self.voltage(now), now);
        self.toward = match drive {
            Drive::High => Some(vdd),
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
        capacitor.drive(Time::ZERO, Drive::High, 3_300_000);
        for us in [10, 100, 470, 1_000, 5_000] {
            let exact = 3_300_000.0 * (1.0 - (-(us as f64) / 470.0).exp());
            let model = f64::from(capacitor.voltage(Time::ZERO + Span::us(us)));
            assert!((model - exact).abs() < 300.0, "{us} µs: {model} µV instead of {exact} µV");
        }
        capacitor.drive(Time::ZERO + Span::us(100), Drive::Released, 3_300_000);
        let kept = capacitor.voltage(Time::ZERO + Span::us(100));
        assert_eq!(capacitor.voltage(Time::ZERO + Span::ms(100)), kept);
        capacitor.drive(Time::ZERO + Span::ms(100), Drive::Low, 3_300_000);
        assert_eq!(capacitor.voltage(Time::ZERO + Span::ms(110)), 0);
    }
}
