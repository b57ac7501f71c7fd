//! What goes wrong in the firmware of an emulated interface chip, of whichever family: the core stands still, or trips, and the
//! flash is another one.

use twinboard_sim::chip::Chip;
use twinboard_sim::cpu::arm::{Core, Register, State};
use twinboard_sim::fault::SharedFault;
use twinboard_sim::time::Time;

use super::firmware_image::ImageFaults;
use crate::image::interface::InterfaceChip;

/// EPSR.T and IPSR in xPSR.
const THUMB: u32 = 1 << 24;
const EXCEPTION: u32 = 0x1FF;

/// A chip whose firmware faults may strike.
pub(crate) trait FirmwareCore: Chip {
    /// The core as it stands, which may be parked.
    fn bare_core(&mut self) -> &mut Core;

    /// Whether something keeps the core from executing.
    fn is_stopped(&self) -> bool;

    /// What can be wrong with its flash, and its flash.
    fn image(&self) -> (Option<&ImageFaults>, &[u8]);

    /// The former, to be changed.
    fn image_faults(&mut self) -> &mut Option<ImageFaults>;

    /// From now until `until`, or until a reset, the core executes nothing; everything else goes on.
    fn stall(&mut self, until: Time);

    /// Arms a fault on the flash of a chip that is the interface chip `layout`. It is found at a start, and power-on is one
    /// if no time has passed yet.
    fn arm_image(&mut self, layout: &'static InterfaceChip, fault: &SharedFault) {
        self.image_faults().get_or_insert_with(|| ImageFaults::new(layout)).add(fault.clone());
        if self.now() == Time::ZERO {
            self.find_damage();
        }
    }

    /// The chip starts: its flash is as faults have made it.
    fn find_damage(&mut self) {
        let at = self.now();
        let next = |(faults, flash): (Option<&ImageFaults>, &[u8])| faults?.damage(at, flash);
        while let Some(change) = next(self.image()) {
            self.bare_core().memory_mut().write_bytes(change.address, &change.bytes());
        }
    }

    /// Where the core is, if it executes a program or sleeps in one.
    fn executes_at(&mut self) -> Option<u32> {
        let stopped = self.is_stopped();
        let core = self.bare_core();
        core.unpark();
        (!stopped && core.state() != State::Halted).then(|| core.register(Register::PC))
    }

    /// Where the core is, if it executes in Thread mode and the chip is on the USB, as DAPLink is once it has initialized
    /// everything.
    fn trips_at(&mut self) -> Option<u32> {
        let pc = self.executes_at()?;
        let core = self.bare_core();
        let in_thread = core.state() == State::Running && core.register(Register::XPSR) & EXCEPTION == 0;
        let attached = self.usb().is_some_and(|port| port.attached());
        (in_thread && attached).then_some(pc)
    }

    /// Clears EPSR.T: the core takes a fault instead of the next instruction.
    fn trip(&mut self) {
        let core = self.bare_core();
        core.unpark();
        let xpsr = core.register(Register::XPSR);
        core.set_register(Register::XPSR, xpsr & !THUMB);
    }
}
