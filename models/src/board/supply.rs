//! Where the board's power comes from.

use super::powered::Powered;
use crate::parts::supply::BATTERY_MV;

/// The board's supplies, as a person handles them. A board has power from its USB cable or from a battery, as long as
/// nobody has switched everything off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Supplies {
    /// The USB cable is plugged into the board.
    pub cable: bool,
    /// A battery is connected.
    pub battery: bool,
    /// The battery's voltage, in millivolts, connected or not.
    pub battery_mv: u16,
    /// The switch before all of it.
    pub switch: bool,
    /// A fault keeps all of it from the board.
    pub failed: bool,
}

impl Default for Supplies {
    /// As boards are used here: on the cable.
    fn default() -> Supplies {
        Supplies { cable: true, battery: false, battery_mv: BATTERY_MV, switch: true, failed: false }
    }
}

impl Supplies {
    /// There is power on the board.
    fn powered(self) -> bool {
        self.switch && !self.failed && (self.cable || self.battery)
    }

    /// There is power on the board's USB socket.
    pub(super) fn usb(self) -> bool {
        self.switch && self.cable
    }
}

impl Powered {
    /// Changes the supplies; the board loses or gets its power at once.
    pub(super) fn supply(&mut self, change: impl FnOnce(&mut Supplies)) {
        change(&mut self.supplies);
        let Supplies { cable, battery, battery_mv, .. } = self.supplies;
        let battery_uv = if battery { u32::from(battery_mv) * 1_000 } else { 0 };
        self.supply.set(cable, battery_uv);
        if let Some(interface) = self.daplink() {
            interface.lock().supplied(cable, battery_uv);
        }
        if self.regulated {
            let vdd = self.supply.vdd_uv();
            self.chips.iter().for_each(|(_, model)| model.set_supply(vdd));
            if let Some(relay) = &self.relay
                && let Some(model) = relay.lock().successor()
            {
                model.set_supply(vdd);
            }
        }
        match (self.board.is_powered(), self.supplies.powered()) {
            (true, false) => {
                self.board.power_off();
                self.darken();
            }
            (false, true) => self.board.power_on(),
            _ => {}
        }
    }
}
