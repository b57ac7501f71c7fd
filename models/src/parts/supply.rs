//! The board's supplies: a USB cable, a battery, and what the regulator makes of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::analog::SUPPLY_UV;

/// USB 2.0 §7.2.1: a port gives 4.75 to 5.25 V.
pub const VBUS_UV: u32 = 5_000_000;

/// Two cells, in millivolts, unless somebody says otherwise.
pub const BATTERY_MV: u16 = 3_000;

/// Between a battery and the chips of a micro:bit V2 are a diode and the regulator, which keeps 3.3 V as long as it can.
/// The Micro:bit Educational Foundation measured a drop of 210 to 300 mV (microbit-v2-battery-voltage, README).
const DROP_UV: u32 = 250_000;

/// A battery below that is none (DAPLink `nrf52820/pwr_mon.c`).
const PRESENT_UV: u32 = 1_550_000;

/// What a board is supplied with. Clones are the same supply.
#[derive(Clone, Debug)]
pub struct SharedSupply(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    usb: AtomicBool,
    battery_uv: AtomicU32,
}

impl Default for SharedSupply {
    /// A cable, no battery.
    fn default() -> SharedSupply {
        SharedSupply(Arc::new(Inner { usb: AtomicBool::new(true), battery_uv: AtomicU32::new(0) }))
    }
}

impl SharedSupply {
    /// Whether there is a cable, and the battery's voltage in microvolts, 0 if there is none.
    pub fn set(&self, usb: bool, battery_uv: u32) {
        self.0.usb.store(usb, Ordering::Relaxed);
        self.0.battery_uv.store(battery_uv, Ordering::Relaxed);
    }

    /// There is power on the USB socket.
    #[must_use]
    pub fn usb(&self) -> bool {
        self.0.usb.load(Ordering::Relaxed)
    }

    /// The battery's voltage in microvolts, 0 if there is none.
    #[must_use]
    pub fn battery_uv(&self) -> u32 {
        self.0.battery_uv.load(Ordering::Relaxed)
    }

    /// What is at VDDH of an interface chip, in microvolts: VBUS, or what all chips get.
    #[must_use]
    pub fn input_uv(&self) -> u32 {
        if self.usb() { VBUS_UV } else { self.vdd_uv() }
    }

    /// Where the power comes from, as the interface chip of a micro:bit V2 tells it: 1 USB, 2 battery, 3 both, 0 neither.
    #[must_use]
    pub fn source(&self) -> u8 {
        u8::from(self.usb()) | u8::from(self.battery_uv() >= PRESENT_UV) << 1
    }

    /// What the chips of a micro:bit V2 get, in microvolts.
    #[must_use]
    pub fn vdd_uv(&self) -> u32 {
        match (self.usb(), self.battery_uv()) {
            (true, _) | (_, 0) => SUPPLY_UV,
            (false, battery) => battery.saturating_sub(DROP_UV).min(SUPPLY_UV),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_battery_the_chips_get_what_diode_and_regulator_leave_of_it() {
        let supply = SharedSupply::default();
        assert_eq!((supply.vdd_uv(), supply.input_uv(), supply.battery_uv()), (3_300_000, 5_000_000, 0));
        supply.set(false, 3_000_000);
        assert_eq!((supply.vdd_uv(), supply.input_uv(), supply.battery_uv()), (2_750_000, 2_750_000, 3_000_000));
        supply.set(false, 3_600_000);
        assert_eq!(supply.vdd_uv(), 3_300_000);
        supply.set(true, 2_000_000);
        assert_eq!(supply.vdd_uv(), 3_300_000, "the cable has more");
    }

    #[test]
    fn the_power_source_counts_cable_and_battery() {
        let supply = SharedSupply::default();
        let source = |usb, millivolts: u32| {
            supply.set(usb, millivolts * 1_000);
            supply.source()
        };
        assert_eq!([source(true, 0), source(false, 3_000), source(true, 3_000), source(false, 1_500)], [1, 2, 3, 0]);
    }
}
