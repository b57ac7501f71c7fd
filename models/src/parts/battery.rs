//! How an interface chip measures the battery: a divider that one pin switches on, and a capacitor behind it at another.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{Drive, Edge, PinId, Signal};

use super::PinObserver;
use super::analog::{AnalogPart, ChipPins, decay};
use super::supply::SharedSupply;

/// What such a divider is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatterySense {
    /// The pin that switches it on while high (RUN_VBAT_SENSE).
    pub switch: PinId,
    /// The pin that it ends at (VMON_BAT).
    pub output: PinId,
    /// The battery's voltage over that at `output`, in thousandths.
    pub ratio: u32,
    /// Its resistance times the capacitance.
    pub time_constant: Span,
}

#[derive(Debug)]
struct State {
    /// The voltage at the output at `since`, in microvolts.
    before: u32,
    since: Time,
    on: bool,
}

/// The divider. Clones are the same one: one watches the switch, the other makes the voltage.
#[derive(Clone, Debug)]
pub struct BatteryMonitor {
    sense: BatterySense,
    supply: SharedSupply,
    state: Arc<Mutex<State>>,
}

impl BatteryMonitor {
    /// A divider between the battery of `supply` and a chip.
    #[must_use]
    pub fn new(sense: BatterySense, supply: SharedSupply) -> BatteryMonitor {
        BatteryMonitor { sense, supply, state: Arc::new(Mutex::new(State { before: 0, since: Time::ZERO, on: false })) }
    }

    /// The voltage at the output at `at`, in microvolts.
    #[must_use]
    pub fn output(&self, at: Time) -> u32 {
        self.voltage_of(&self.state.lock(), at)
    }

    /// The capacitor goes towards the divided voltage, or empties through its lower resistor.
    fn voltage_of(&self, state: &State, at: Time) -> u32 {
        let toward = match state.on {
            true => (u64::from(self.supply.battery_uv()) * 1_000 / u64::from(self.sense.ratio.max(1))) as u32,
            false => 0,
        };
        decay(state.before, toward, at.since(state.since), self.sense.time_constant)
    }
}

impl PinObserver for BatteryMonitor {
    fn watches(&self, pin: PinId) -> bool {
        pin == self.sense.switch
    }

    fn edge(&mut self, edge: &Edge) {
        let Signal::Drive(drive) = edge.signal else { return };
        let mut state = self.state.lock();
        let before = self.voltage_of(&state, edge.at);
        *state = State { before, since: edge.at, on: drive == Drive::High };
    }
}

impl AnalogPart for BatteryMonitor {
    fn voltage(&self, _: &dyn ChipPins, pin: u8, at: Time) -> Option<u32> {
        (u16::from(pin) == self.sense.output.0).then(|| self.output(at))
    }

    fn rise(&self, _: &dyn ChipPins, _: u8, _: Time) -> Option<Span> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_divided_voltage_is_there_some_time_constants_after_the_switch() {
        let supply = SharedSupply::default();
        supply.set(true, 3_300_000);
        let sense = BatterySense { switch: PinId(2), output: PinId(3), ratio: 11_000, time_constant: Span::ms(1) };
        let mut monitor = BatteryMonitor::new(sense, supply.clone());
        let edge = |ms, drive| Edge { at: Time::ZERO + Span::ms(ms), pin: PinId(2), signal: Signal::Drive(drive) };
        let at = |monitor: &BatteryMonitor, ms| monitor.output(Time::ZERO + Span::ms(ms));
        assert_eq!(at(&monitor, 5), 0);
        monitor.edge(&edge(10, Drive::High));
        // 300 mV × (1 − e^−3), and all of it.
        assert!(at(&monitor, 13).abs_diff(285_064) < 50, "{}", at(&monitor, 13));
        assert_eq!(at(&monitor, 50), 300_000);
        monitor.edge(&edge(50, Drive::Low));
        assert!(at(&monitor, 51).abs_diff(110_364) < 50);
        supply.set(true, 0);
        monitor.edge(&edge(100, Drive::High));
        assert_eq!(at(&monitor, 120), 0, "no battery");
    }
}
