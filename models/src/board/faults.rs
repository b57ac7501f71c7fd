//! Faults on a board: which points it offers, and where each is armed.

use twinboard_sim::fault::{ArmError, SharedFault};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::Time;

use super::powered::Powered;
use crate::fault::usb::UsbFaults;

/// Everything that is armed on a board.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// At the USB socket.
    pub(super) usb: UsbFaults,
}

impl Faults {
    /// When time alone changes something.
    pub(super) fn next(&self) -> Time {
        self.usb.next()
    }

    /// It is `now`.
    pub(super) fn pass(&mut self, now: Time) {
        self.usb.pass(now);
    }
}

impl Powered {
    /// Arms a fault on this board.
    ///
    /// # Errors
    /// [`ArmError`] if the board has no such point, or a parameter does not fit it.
    pub fn arm(&mut self, fault: &SharedFault) -> Result<(), ArmError> {
        let point = fault.point();
        let missing = |reason: &str| ArmError::NotHere { point: point.name.into(), reason: reason.into() };
        let family = point.name.split_once('.').map_or(point.name, |(family, _)| family);
        match family {
            "usb" if self.ports() > 0 => {
                self.faults.usb.add(fault.clone());
                Ok(())
            }
            "usb" => Err(missing("it has no USB socket")),
            _ => Err(missing("it belongs to something that is not on it")),
        }
    }
}
