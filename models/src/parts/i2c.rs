//! An I2C bus and the devices on it, byte by byte.
//!
//! The bus is not a net of levels: a master's model has the bus and calls its devices, at the times at which their bytes
//! are over on the wire. The devices' interrupt outputs are levels, and are wired to pins of the master's chip.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{Drive, Level};

use crate::fault::i2c::I2cFaults;

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

    /// What the device does to the line at its interrupt output number `output`.
    fn output(&self, now: Time, output: usize) -> Drive;

    /// When an interrupt output next changes by itself.
    fn next_event(&self, now: Time) -> Time;

    /// The power went away and came back.
    fn power_cycle(&mut self);
}

/// An interrupt line: from outputs of devices to a pin of the master's chip.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterruptLine {
    /// The pin, in the chip's numbering.
    pub pin: u8,
    /// The outputs on it: number of the device on the bus, number of its output.
    pub from: Vec<(usize, usize)>,
    /// A transistor stands between each output and the line: a high output pulls the line low, a low one does nothing.
    pub inverted: bool,
}

/// A bus: its pins on the master, in the master's numbering, and its devices.
#[derive(Default)]
pub struct I2cBus {
    /// Clock and data.
    pub pins: Option<(u8, u8)>,
    /// The devices' interrupt lines.
    pub lines: Vec<InterruptLine>,
    /// The devices.
    pub devices: Vec<Box<dyn I2cDevice>>,
    /// What is wrong with the bus.
    pub faults: Option<I2cFaults>,
}

impl std::fmt::Debug for I2cBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("I2cBus").field("pins", &self.pins).field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl I2cBus {
    /// The number of the device that answers to `address`.
    #[must_use]
    pub fn find(&self, address: u8) -> Option<usize> {
        self.devices.iter().position(|device| device.address() == address)
    }

    /// The master's start condition and address are over, and the device acknowledges. Whether the master hears that.
    pub fn start(&mut self, now: Time, device: usize) -> bool {
        let part = &mut self.devices[device];
        part.start();
        self.faults.as_ref().is_none_or(|faults| faults.acknowledges(now, part.address()))
    }

    /// A byte for the device is over. Whether the master hears that it is acknowledged.
    pub fn write(&mut self, now: Time, device: usize, byte: u8) -> bool {
        let part = &mut self.devices[device];
        let Some(faults) = &self.faults else { return part.write(now, byte) };
        let address = part.address();
        part.write(now, faults.carries(now, address, byte)) && faults.acknowledges(now, address)
    }

    /// A byte from the device is over.
    pub fn read(&mut self, now: Time, device: usize) -> u8 {
        let part = &mut self.devices[device];
        let byte = part.read(now);
        self.faults.as_ref().map_or(byte, |faults| faults.carries(now, part.address(), byte))
    }

    /// The address or a byte of the device would be over: for how long SCL is held low before it is.
    #[must_use]
    pub fn stretch(&self, now: Time, device: usize) -> Span {
        let address = || self.devices[device].address();
        self.faults.as_ref().map_or(Span::ZERO, |faults| faults.stretches(now, address()))
    }

    /// What the devices do to `line`.
    #[must_use]
    pub fn drive(&self, line: &InterruptLine, now: Time) -> Drive {
        let outputs = line.from.iter().filter_map(|&(device, output)| {
            let drive = self.devices.get(device)?.output(now, output);
            Some(match (line.inverted, drive) {
                (false, drive) => drive,
                (true, Drive::High) => Drive::Low,
                (true, _) => Drive::Released,
            })
        });
        match Level::resolve(outputs) {
            Level::Low => Drive::Low,
            Level::High => Drive::High,
            Level::Unknown => Drive::Released,
        }
    }

    /// When an interrupt line may next change by itself.
    #[must_use]
    pub fn next_event(&self, now: Time) -> Time {
        self.devices.iter().map(|device| device.next_event(now)).min().unwrap_or(Time::NEVER)
    }
}

/// The registers of a device, without the protocol by which they are reached.
pub trait RegisterMap: Send {
    /// Reads `register`.
    fn read(&mut self, now: Time, register: u8) -> u8;

    /// Writes `register`.
    fn write(&mut self, now: Time, register: u8, value: u8);

    /// The pointer after an access through `pointer`.
    fn after(&self, pointer: u8) -> u8;

    /// What the device does to the line at its interrupt output number `output`.
    fn output(&self, now: Time, output: usize) -> Drive;

    /// When an interrupt output next changes by itself.
    fn next_event(&self, now: Time) -> Time;

    /// Everything as at power-on.
    fn reset(&mut self);
}

/// The protocol that all our sensors speak: the first byte of a write chooses a register, further bytes go to it and its
/// successors; a read goes on where the pointer is.
#[derive(Debug)]
pub struct Registers<M> {
    address: u8,
    pointer: u8,
    expects_pointer: bool,
    map: M,
}

impl<M: RegisterMap> Registers<M> {
    /// A device at `address` with these registers.
    #[must_use]
    pub fn new(address: u8, map: M) -> Registers<M> {
        Registers { address, pointer: 0, expects_pointer: false, map }
    }
}

impl<M: RegisterMap> I2cDevice for Registers<M> {
    fn address(&self) -> u8 {
        self.address
    }

    fn start(&mut self) {
        self.expects_pointer = true;
    }

    fn write(&mut self, now: Time, byte: u8) -> bool {
        if std::mem::take(&mut self.expects_pointer) {
            self.pointer = byte;
        } else {
            self.map.write(now, self.pointer, byte);
            self.pointer = self.map.after(self.pointer);
        }
        true
    }

    fn read(&mut self, now: Time) -> u8 {
        let value = self.map.read(now, self.pointer);
        self.pointer = self.map.after(self.pointer);
        value
    }

    fn output(&self, now: Time, output: usize) -> Drive {
        self.map.output(now, output)
    }

    fn next_event(&self, now: Time) -> Time {
        self.map.next_event(now)
    }

    fn power_cycle(&mut self) {
        (self.pointer, self.expects_pointer) = (0, false);
        self.map.reset();
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// So many milliseconds after power-on.
    pub fn ms(ms: u64) -> Time {
        Time::ZERO + Span::ms(ms)
    }

    /// Writes `bytes`, the first of which is the register.
    pub fn write(device: &mut dyn I2cDevice, now: Time, bytes: &[u8]) {
        device.start();
        assert!(bytes.iter().all(|&byte| device.write(now, byte)), "acknowledged");
    }

    /// Reads `N` bytes from `register` on.
    pub fn read<const N: usize>(device: &mut dyn I2cDevice, now: Time, register: u8) -> [u8; N] {
        write(device, now, &[register]);
        device.start();
        std::array::from_fn(|_| device.read(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Output(Drive);

    impl I2cDevice for Output {
        fn address(&self) -> u8 {
            0x10
        }
        fn start(&mut self) {}
        fn write(&mut self, _: Time, _: u8) -> bool {
            true
        }
        fn read(&mut self, _: Time) -> u8 {
            0
        }
        fn output(&self, _: Time, _: usize) -> Drive {
            self.0
        }
        fn next_event(&self, _: Time) -> Time {
            Time::NEVER
        }
        fn power_cycle(&mut self) {}
    }

    fn line(outputs: &[Drive], inverted: bool) -> Drive {
        let devices = outputs.iter().map(|&drive| Box::new(Output(drive)) as Box<dyn I2cDevice>).collect();
        let bus = I2cBus { devices, ..I2cBus::default() };
        let from = (0..outputs.len()).map(|device| (device, 0)).collect();
        bus.drive(&InterruptLine { pin: 25, from, inverted }, Time::ZERO)
    }

    #[test]
    fn behind_transistors_any_high_output_pulls_the_line_low() {
        assert_eq!(line(&[Drive::Low, Drive::High], true), Drive::Low);
        assert_eq!(line(&[Drive::Low, Drive::Released], true), Drive::Released);
    }

    #[test]
    fn open_drain_outputs_share_a_line_directly() {
        assert_eq!(line(&[Drive::Released, Drive::Low], false), Drive::Low);
        assert_eq!(line(&[Drive::Released, Drive::Released], false), Drive::Released);
        assert_eq!(line(&[Drive::High], false), Drive::High);
    }
}
