//! What a hub driver does with a device that has just connected: reset, address, descriptors (USB 2.0 §9.1.2).

use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};

use super::{Completion, Status, Urb, UrbId, Vhc};
use crate::descriptor::{self, Configuration, DescriptorError, Device};

/// How long a device may take for a standard request (USB 2.0 §9.2.6.1).
const REQUEST_TIMEOUT: Span = Span::secs(5);
/// How long a connection must last to count (TATTDB, USB 2.0 §7.1.7.3).
const DEBOUNCE: Span = Span::ms(100);
/// Ids of the helper's own requests; class drivers count from 0.
const HELPER_ID: UrbId = 1 << 63;

/// What enumeration found out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enumerated {
    /// The device descriptor.
    pub device: Device,
    /// All configurations, parsed.
    pub configurations: Vec<Configuration>,
    /// The same as the device sent them.
    pub raw_configurations: Vec<Vec<u8>>,
    /// iManufacturer, in the first language; empty if there is none.
    pub manufacturer: String,
    /// iProduct.
    pub product: String,
    /// iSerialNumber.
    pub serial: String,
}

/// Why a device could not be enumerated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EnumerateError {
    /// Nothing pulled D+ up in time.
    #[error("no device showed itself on the USB socket within {0}")]
    NotConnected(Time),
    /// A standard request was not answered within five seconds.
    #[error("the device did not answer the request {0:02x?}")]
    NoAnswer([u8; 8]),
    /// A standard request ended badly.
    #[error("the request {0:02x?} ended with {1:?}")]
    Refused([u8; 8], Status),
    /// A descriptor is malformed.
    #[error("malformed descriptor")]
    Descriptor(#[from] DescriptorError),
}

impl Vhc {
    /// One control transfer, waited for.
    ///
    /// # Errors
    /// [`EnumerateError::NoAnswer`] after five seconds of the board's time, [`EnumerateError::Refused`] if it ended
    /// with anything but success.
    pub fn request<M: Machine + ?Sized>(
        &mut self,
        machine: &mut M,
        setup: [u8; 8],
        data: &[u8],
    ) -> Result<Completion, EnumerateError> {
        let urb = Urb { buffer: data.to_vec(), ..Urb::control_in(HELPER_ID, setup) };
        self.record_submit(&urb);
        self.submit(urb);
        let completion = self.wait(machine, HELPER_ID, machine.now() + REQUEST_TIMEOUT);
        completion.iter().for_each(|completion| self.record_end(completion));
        match completion {
            Some(completion) if completion.status == Status::Done => Ok(completion),
            Some(completion) => Err(EnumerateError::Refused(setup, completion.status)),
            None => {
                if let Some(urb) = self.cancel(HELPER_ID) {
                    self.record_cancel(&urb);
                }
                Err(EnumerateError::NoAnswer(setup))
            }
        }
    }

    /// GET_DESCRIPTOR for the descriptor `kind`, `index`.
    ///
    /// # Errors
    /// As [`Vhc::request`].
    pub fn descriptor<M: Machine + ?Sized>(
        &mut self,
        machine: &mut M,
        kind: u8,
        index: u8,
        language: u16,
        length: u16,
    ) -> Result<Vec<u8>, EnumerateError> {
        let (language, length) = (language.to_le_bytes(), length.to_le_bytes());
        let setup = [0x80, 0x06, index, kind, language[0], language[1], length[0], length[1]];
        Ok(self.request(machine, setup, &[])?.urb.buffer)
    }

    /// Waits for a device to show itself (at the longest `within`), resets it, gives it `address`, reads its
    /// descriptors. The device is then addressed and not yet configured.
    ///
    /// # Errors
    /// [`EnumerateError`] names the step that failed.
    pub fn enumerate<M: Machine + ?Sized>(
        &mut self,
        machine: &mut M,
        address: u8,
        within: Span,
    ) -> Result<Enumerated, EnumerateError> {
        let deadline = machine.now() + within;
        self.service(machine);
        while !self.connected() {
            if machine.now() >= deadline {
                return Err(EnumerateError::NotConnected(deadline));
            }
            self.run(machine, deadline);
        }
        let settled = machine.now() + DEBOUNCE;
        while machine.now() < settled {
            self.run(machine, settled);
        }
        self.reset(machine, None);
        self.descriptor(machine, descriptor::DEVICE, 0, 0, 64)?;
        self.reset(machine, Some(address));
        let device = Device::parse(&self.descriptor(machine, descriptor::DEVICE, 0, 0, 18)?)?;
        let mut raw_configurations = Vec::new();
        for index in 0..device.num_configurations {
            let head = self.descriptor(machine, descriptor::CONFIGURATION, index, 0, 9)?;
            Configuration::parse(&head)?;
            let total = u16::from_le_bytes([head[2], head[3]]);
            raw_configurations.push(self.descriptor(machine, descriptor::CONFIGURATION, index, 0, total)?);
        }
        let configurations =
            raw_configurations.iter().map(|raw| Configuration::parse(raw)).collect::<Result<Vec<_>, _>>()?;
        Ok(Enumerated {
            device,
            configurations,
            raw_configurations,
            manufacturer: self.string(machine, device.manufacturer)?,
            product: self.string(machine, device.product)?,
            serial: self.string(machine, device.serial_number)?,
        })
    }

    /// The string descriptor `index` in the device's first language; empty if there is none or it is refused.
    ///
    /// # Errors
    /// As [`Vhc::request`], but for a refusal.
    pub fn string<M: Machine + ?Sized>(&mut self, machine: &mut M, index: u8) -> Result<String, EnumerateError> {
        if index == 0 {
            return Ok(String::new());
        }
        let mut read = |index, language| match self.descriptor(machine, descriptor::STRING, index, language, 255) {
            Err(EnumerateError::Refused(_, Status::Stall)) => Ok(Vec::new()),
            other => other,
        };
        let languages = read(0, 0)?;
        let language = languages.get(2..4).map_or(0x0409, |pair| u16::from_le_bytes([pair[0], pair[1]]));
        Ok(descriptor::string(&read(index, language)?).unwrap_or_default())
    }
}
