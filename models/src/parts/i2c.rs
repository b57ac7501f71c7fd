//! An I2C bus and the devices on it, byte by byte.
//!
//! The bus is not a net of levels: a master's model has the bus and calls its devices, at the times at which their bytes
//! are over on the wire. Devices may share an interrupt line that each can pull low.

use twinboard_sim::time::Time;

/// A device that answers to one address.
pub trait I2cDevice: Send {
    /// The 7-bit address.
    fn address(&self) -> u8;

    /// A start or repeated start with the device's address.
    fn start(&mut self);

    /// The master writes a byte. False: not acknowledged.
    fn write(&mut self, now: Time, byte: u8) -> bool;

    /// The master reads a byte.
    fn read(&mut self, now: Time) -> u8;

    /// Whether the device pulls the interrupt line low.
    fn interrupts(&self, now: Time) -> bool;

    /// When [`I2cDevice::interrupts`] next changes by itself.
    fn next_event(&self, now: Time) -> Time;

    /// The power went away and came back.
    fn power_cycle(&mut self);
}

/// A bus: its pins on the master, in the master's numbering, and its devices.
#[derive(Default)]
pub struct I2cBus {
    /// Clock and data.
    pub pins: Option<(u8, u8)>,
    /// The pin that the devices' common interrupt line is on.
    pub interrupt_pin: Option<u8>,
    /// The devices.
    pub devices: Vec<Box<dyn I2cDevice>>,
}

impl std::fmt::Debug for I2cBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("I2cBus").field("pins", &self.pins).finish_non_exhaustive()
    }
}

impl I2cBus {
    /// The number of the device that answers to `address`.
    #[must_use]
    pub fn find(&self, address: u8) -> Option<usize> {
        self.devices.iter().position(|device| device.address() == address)
    }

    /// Whether any device pulls the interrupt line low.
    #[must_use]
    pub fn interrupts(&self, now: Time) -> bool {
        self.devices.iter().any(|device| device.interrupts(now))
    }

    /// When the interrupt line may next change by itself.
    #[must_use]
    pub fn next_event(&self, now: Time) -> Time {
        self.devices.iter().map(|device| device.next_event(now)).min().unwrap_or(Time::NEVER)
    }
}
