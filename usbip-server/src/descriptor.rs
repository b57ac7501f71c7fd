//! Device, configuration and string descriptors, parsed (USB 2.0 §9.6).
//!
//! The bytes come from a device that may be under development itself, so nothing in them is believed: a record with an
//! impossible length ends the list, and what was read so far counts.

/// Descriptor type DEVICE (USB 2.0 table 9-5).
pub const DEVICE: u8 = 1;
/// Descriptor type CONFIGURATION.
pub const CONFIGURATION: u8 = 2;
/// Descriptor type STRING.
pub const STRING: u8 = 3;
/// Descriptor type INTERFACE.
pub const INTERFACE: u8 = 4;
/// Descriptor type ENDPOINT.
pub const ENDPOINT: u8 = 5;

/// Why bytes are no descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DescriptorError {
    /// Fewer bytes than the descriptor's fixed part.
    #[error("the descriptor has {got} bytes, it needs {needed}")]
    TooShort {
        /// Bytes there are.
        got: usize,
        /// Bytes of the fixed part.
        needed: usize,
    },
    /// bDescriptorType is another one.
    #[error("expected a descriptor of type {expected}, got type {got}")]
    WrongType {
        /// The type asked for.
        expected: u8,
        /// The type found.
        got: u8,
    },
}

/// A device descriptor (USB 2.0 table 9-8), field names as there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "the standard's own names")]
pub struct Device {
    pub bcd_usb: u16,
    pub class: u8,
    pub sub_class: u8,
    pub protocol: u8,
    pub max_packet_size0: u8,
    pub id_vendor: u16,
    pub id_product: u16,
    pub bcd_device: u16,
    pub manufacturer: u8,
    pub product: u8,
    pub serial_number: u8,
    pub num_configurations: u8,
}

fn fixed_part(bytes: &[u8], kind: u8, needed: usize) -> Result<(), DescriptorError> {
    if bytes.len() < needed {
        return Err(DescriptorError::TooShort { got: bytes.len(), needed });
    }
    if bytes[1] != kind {
        return Err(DescriptorError::WrongType { expected: kind, got: bytes[1] });
    }
    Ok(())
}

impl Device {
    /// Parses the 18 bytes.
    ///
    /// # Errors
    /// [`DescriptorError`] if they are fewer, or something else.
    pub fn parse(bytes: &[u8]) -> Result<Device, DescriptorError> {
        fixed_part(bytes, DEVICE, 18)?;
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        Ok(Device {
            bcd_usb: word(2),
            class: bytes[4],
            sub_class: bytes[5],
            protocol: bytes[6],
            max_packet_size0: bytes[7],
            id_vendor: word(8),
            id_product: word(10),
            bcd_device: word(12),
            manufacturer: bytes[14],
            product: bytes[15],
            serial_number: bytes[16],
            num_configurations: bytes[17],
        })
    }
}

/// How an endpoint transfers (USB 2.0 table 9-13, bmAttributes bits 1:0).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum TransferType {
    /// Requests with a SETUP stage.
    Control,
    /// Guaranteed bandwidth, no retries.
    Isochronous,
    /// As much as the bus has left.
    Bulk,
    /// Polled every bInterval frames.
    Interrupt,
}

/// An endpoint descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// bEndpointAddress: number in bits 3:0, bit 7 set for IN.
    pub address: u8,
    /// From bmAttributes.
    pub transfer: TransferType,
    /// wMaxPacketSize, bytes.
    pub max_packet_size: u16,
    /// bInterval, frames.
    pub interval: u8,
}

/// An interface descriptor with what belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    /// bInterfaceNumber.
    pub number: u8,
    /// bAlternateSetting.
    pub alternate: u8,
    /// bInterfaceClass.
    pub class: u8,
    /// bInterfaceSubClass.
    pub sub_class: u8,
    /// bInterfaceProtocol.
    pub protocol: u8,
    /// iInterface.
    pub string: u8,
    /// Its endpoints, in the order of the descriptors.
    pub endpoints: Vec<Endpoint>,
    /// The class descriptors that follow the interface descriptor, raw, one after the other.
    pub class_descriptors: Vec<u8>,
}

impl Interface {
    /// The first endpoint of this type and direction.
    #[must_use]
    pub fn endpoint(&self, transfer: TransferType, is_in: bool) -> Option<&Endpoint> {
        self.endpoints.iter().find(|e| e.transfer == transfer && (e.address & 0x80 != 0) == is_in)
    }
}

/// A configuration descriptor and everything that comes with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Configuration {
    /// bConfigurationValue.
    pub value: u8,
    /// bNumInterfaces, as the descriptor claims.
    pub num_interfaces: u8,
    /// bmAttributes.
    pub attributes: u8,
    /// bMaxPower, in units of 2 mA.
    pub max_power: u8,
    /// All interface descriptors, alternate settings too, in order.
    pub interfaces: Vec<Interface>,
}

impl Configuration {
    /// Parses a configuration descriptor with the interface, endpoint and class descriptors behind it.
    ///
    /// # Errors
    /// [`DescriptorError`] if the first nine bytes are no configuration descriptor.
    pub fn parse(bytes: &[u8]) -> Result<Configuration, DescriptorError> {
        fixed_part(bytes, CONFIGURATION, 9)?;
        let total = usize::from(u16::from_le_bytes([bytes[2], bytes[3]])).min(bytes.len());
        let mut configuration = Configuration {
            num_interfaces: bytes[4],
            value: bytes[5],
            attributes: bytes[7],
            max_power: bytes[8],
            interfaces: Vec::new(),
        };
        for record in Records(bytes.get(usize::from(bytes[0])..total).unwrap_or_default()) {
            match (record[1], configuration.interfaces.last_mut()) {
                (INTERFACE, _) if record.len() >= 9 => configuration.interfaces.push(Interface {
                    number: record[2],
                    alternate: record[3],
                    class: record[5],
                    sub_class: record[6],
                    protocol: record[7],
                    string: record[8],
                    endpoints: Vec::new(),
                    class_descriptors: Vec::new(),
                }),
                (ENDPOINT, Some(interface)) if record.len() >= 7 => interface.endpoints.push(Endpoint {
                    address: record[2],
                    transfer: match record[3] & 3 {
                        0 => TransferType::Control,
                        1 => TransferType::Isochronous,
                        2 => TransferType::Bulk,
                        _ => TransferType::Interrupt,
                    },
                    max_packet_size: u16::from_le_bytes([record[4], record[5]]) & 0x7ff,
                    interval: record[6],
                }),
                (kind, Some(interface)) if kind >= 0x20 => interface.class_descriptors.extend_from_slice(record),
                _ => {}
            }
        }
        Ok(configuration)
    }

    /// The interfaces in their first setting, as they are after SET_CONFIGURATION.
    pub fn defaults(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces.iter().filter(|i| i.alternate == 0)
    }
}

/// Splits bytes into descriptors, each at least two bytes long; ends at the first impossible length.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a>(pub &'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(*self.0.first()?);
        if length < 2 || length > self.0.len() {
            return None;
        }
        let (record, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(record)
    }
}

/// The text of a string descriptor; what is no UTF-16 becomes the replacement character.
///
/// # Errors
/// [`DescriptorError`] if the bytes are no string descriptor.
pub fn string(bytes: &[u8]) -> Result<String, DescriptorError> {
    fixed_part(bytes, STRING, 2)?;
    let end = usize::from(bytes[0]).clamp(2, bytes.len());
    let units = bytes[2..end].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    Ok(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A mass-storage interface and a HID interface, written out by hand after USB 2.0 §9.6 and HID 1.11 §6.2.1.
    const TWO_INTERFACES: &[u8] = &[
        9, 2, 57, 0, 2, 1, 0, 0x80, 250, // configuration 1, 500 mA
        9, 4, 0, 0, 2, 8, 6, 0x50, 4, // interface 0: mass storage, SCSI, bulk only
        7, 5, 0x81, 2, 64, 0, 0, // bulk IN
        7, 5, 0x02, 2, 64, 0, 0, // bulk OUT
        9, 4, 1, 0, 1, 3, 0, 0, 5, // interface 1: HID
        9, 0x21, 0, 1, 0, 1, 0x22, 33, 0, // HID descriptor
        7, 5, 0x83, 3, 64, 0, 1, // interrupt IN, every frame
    ];

    #[test]
    fn a_configuration_has_its_interfaces_endpoints_and_class_descriptors() {
        let configuration = Configuration::parse(TWO_INTERFACES).expect("valid");
        assert_eq!((configuration.value, configuration.max_power), (1, 250));
        let [storage, hid] = &configuration.interfaces[..] else { panic!("two interfaces") };
        assert_eq!((storage.class, storage.protocol, storage.endpoints.len()), (8, 0x50, 2));
        assert_eq!(storage.endpoint(TransferType::Bulk, false).map(|e| e.address), Some(0x02));
        assert_eq!(hid.class_descriptors, [9, 0x21, 0, 1, 0, 1, 0x22, 33, 0]);
        assert_eq!(hid.endpoint(TransferType::Interrupt, true).map(|e| (e.address, e.interval)), Some((0x83, 1)));
    }

    #[test]
    fn a_string_is_utf_16() {
        assert_eq!(string(&[8, 3, b'B', 0, 0xb5, 0, b'C', 0]).expect("valid"), "BµC");
        assert_eq!(string(&[4, 2, b'B', 0]), Err(DescriptorError::WrongType { expected: 3, got: 2 }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Device::parse(&bytes);
            let _ = Configuration::parse(&bytes);
            let _ = string(&bytes);
        }

        #[test]
        fn a_damaged_configuration_never_yields_more_interfaces_than_fit(at in 0usize..57, value: u8) {
            let mut bytes = TWO_INTERFACES.to_vec();
            bytes[at] = value;
            if let Ok(configuration) = Configuration::parse(&bytes) {
                prop_assert!(configuration.interfaces.len() <= 57 / 9);
            }
        }
    }
}
