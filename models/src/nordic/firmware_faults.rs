//! What goes wrong in the firmware of an interface chip: the core stands still, or trips, and the flash is another one.

use twinboard_sim::chip::Chip;
use twinboard_sim::cpu::arm::{Register, State};
use twinboard_sim::fault::SharedFault;
use twinboard_sim::time::Time;

use super::chip::{Nrf5, Stopped};
use crate::fault::firmware_image::ImageFaults;
use crate::image::interface::InterfaceChip;

/// EPSR.T and IPSR in xPSR.
const THUMB: u32 = 1 << 24;
const EXCEPTION: u32 = 0x1FF;

impl Nrf5 {
    /// Arms a fault on the flash of a chip that is the interface chip `layout`. It is found at a start, and power-on is one
    /// if no time has passed yet.
    pub fn arm_image(&mut self, layout: &'static InterfaceChip, fault: &SharedFault) {
        self.image_faults.get_or_insert_with(|| ImageFaults::new(layout)).add(fault.clone());
        if Chip::now(self) == Time::ZERO {
            self.find_damage();
        }
    }

    /// The chip starts: its flash is as faults have made it.
    pub(super) fn find_damage(&mut self) {
        let at = Chip::now(self);
        while let Some(change) = self.image_faults.as_ref().and_then(|faults| faults.damage(at, self.flash())) {
            self.core.memory_mut().write_bytes(change.address, &change.bytes());
        }
    }

    /// Where the core is, if it executes a program or sleeps in one.
    pub fn executes_at(&mut self) -> Option<u32> {
        let pc = self.core().register(Register::PC);
        (self.stopped == Stopped::No && self.core.state() != State::Halted).then_some(pc)
    }

    /// From now until `until`, or until a reset, the core executes nothing; everything else goes on.
    pub fn stall(&mut self, until: Time) {
        self.stopped = Stopped::Stalled(self.soc.pins.hfclk.cycle(until));
    }

    /// Where the core is, if it executes in Thread mode and the chip is on the USB, as DAPLink is once it has initialized
    /// everything.
    pub fn trips_at(&mut self) -> Option<u32> {
        let pc = self.executes_at()?;
        let in_thread = self.core.state() == State::Running && self.core.register(Register::XPSR) & EXCEPTION == 0;
        let attached = self.usb().is_some_and(|port| port.attached());
        (in_thread && attached).then_some(pc)
    }

    /// Clears EPSR.T: the core takes a fault instead of the next instruction.
    pub fn trip(&mut self) {
        let xpsr = self.core().register(Register::XPSR);
        self.core.set_register(Register::XPSR, xpsr & !THUMB);
    }
}
