//! USB0 behind its slot of the peripheral bridge.

use twinboard_sim::bus::Size;

use super::peripheral::{Cx, Peripheral, Reset};
use super::usb0::Usb0;

impl Peripheral for Usb0 {
    fn width(&self) -> Size {
        Size::Byte
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Usb0::read(self, offset).map(u32::from)
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, _: u32) -> Option<()> {
        Usb0::write(self, cx.memory, offset, value as u8)
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        Usb0::reset(self);
    }

    fn irq(&self) -> bool {
        Usb0::irq(self)
    }

    /// Only software and the host change anything, and the host acts between two runs of the core.
    fn steady(&self, _: u32) -> bool {
        true
    }
}
