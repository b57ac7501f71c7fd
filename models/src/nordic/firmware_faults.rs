//! What faults of firmware need of the chip.

use twinboard_sim::cpu::arm::Core;
use twinboard_sim::time::Time;

use super::chip::{Nrf5, Stopped};
use crate::fault::firmware_core::FirmwareCore;
use crate::fault::firmware_image::ImageFaults;

impl FirmwareCore for Nrf5 {
    fn bare_core(&mut self) -> &mut Core {
        &mut self.core
    }

    fn is_stopped(&self) -> bool {
        self.stopped != Stopped::No
    }

    fn image(&self) -> (Option<&ImageFaults>, &[u8]) {
        (self.image_faults.as_ref(), self.flash())
    }

    fn image_faults(&mut self) -> &mut Option<ImageFaults> {
        &mut self.image_faults
    }

    fn stall(&mut self, until: Time) {
        self.stopped = Stopped::Stalled(self.soc.pins.hfclk.cycle(until));
    }
}
