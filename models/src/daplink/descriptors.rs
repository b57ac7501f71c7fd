//! What the device says about itself: USB descriptors, WebUSB and Microsoft OS 2.0 platform descriptors.
//!
//! The firmware assembles its configuration at start: with the drive switched off, the mass-storage interface is left
//! out and every later interface moves down by one.

use super::bootloader::Mode;
use super::config::DapLinkConfig;
use super::personality::UsbTable;

/// Vendor request code for Microsoft OS 2.0 descriptors.
pub const MS_OS_VENDOR_CODE: u8 = 0x20;
/// Vendor request code for WebUSB URLs.
pub const WEBUSB_VENDOR_CODE: u8 = 0x21;

/// Endpoint numbers, the same in both directions.
pub mod endpoint {
    /// CMSIS-DAP v1 reports.
    pub const HID: u8 = 1;
    /// The drive.
    pub const MSC: u8 = 2;
    /// Serial port notifications (IN only, never used).
    pub const CDC_NOTIFY: u8 = 3;
    /// Serial port data.
    pub const CDC: u8 = 4;
    /// CMSIS-DAP v2 packets.
    pub const BULK: u8 = 5;
}

/// The report descriptor: one vendor-defined report of 64 bytes each way, a feature report of one byte (HID 1.11 §6.2.2).
pub const HID_REPORT: [u8; 33] = [
    0x06, 0x00, 0xff, // Usage Page (vendor defined)
    0x09, 0x01, // Usage (1)
    0xa1, 0x01, // Collection (Application)
    0x15, 0x00, //   Logical Minimum (0)
    0x26, 0xff, 0x00, //   Logical Maximum (255)
    0x75, 0x08, //   Report Size (8)
    0x95, 0x40, //   Report Count (64)
    0x09, 0x01, //   Usage (1)
    0x81, 0x02, //   Input (data, variable, absolute)
    0x95, 0x40, //   Report Count (64)
    0x09, 0x01, //   Usage (1)
    0x91, 0x02, //   Output
    0x95, 0x01, //   Report Count (1)
    0x09, 0x01, //   Usage (1)
    0xb1, 0x02, //   Feature
    0xc0, // End Collection
];

/// bInterfaceNumber of each function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interfaces {
    /// Mass storage, unless it is switched off.
    pub msc: Option<u8>,
    /// CDC communication, if there is one; CDC data is the one after it.
    pub cdc: Option<u8>,
    /// HID, if there is one.
    pub hid: Option<u8>,
    /// WebUSB, which has no endpoints of its own, if there is one.
    pub webusb: Option<u8>,
    /// CMSIS-DAP v2, if there is such a function.
    pub bulk: Option<u8>,
    /// bNumInterfaces.
    pub count: u8,
}

impl Interfaces {
    fn new(table: &UsbTable, drive_disabled: bool) -> Interfaces {
        let cdc = u8::from(!drive_disabled);
        Interfaces {
            msc: (!drive_disabled).then_some(0),
            cdc: Some(cdc),
            hid: Some(cdc + 2),
            webusb: Some(cdc + 3),
            bulk: table.bulk.map(|_| cdc + 4),
            count: cdc + 4 + u8::from(table.bulk.is_some()),
        }
    }

    /// The bootloader has the drive and nothing else.
    const BOOTLOADER: Interfaces =
        Interfaces { msc: Some(0), cdc: None, hid: None, webusb: None, bulk: None, count: 1 };

    /// Whether wIndex names the mass-storage interface.
    #[must_use]
    pub fn is_msc(&self, index: u16) -> bool {
        self.msc.is_some_and(|number| u16::from(number) == index)
    }

    /// Whether wIndex names one of the two CDC interfaces.
    #[must_use]
    pub fn is_cdc(&self, index: u16) -> bool {
        self.cdc.is_some_and(|cdc| (u16::from(cdc)..=u16::from(cdc) + 1).contains(&index))
    }

    /// Whether wIndex names an interface that takes HID requests: HID itself, or WebUSB, which borrows them.
    #[must_use]
    pub fn is_hid(&self, index: u16) -> bool {
        [self.hid, self.webusb].into_iter().flatten().any(|number| u16::from(number) == index)
    }
}

/// All descriptors of a device.
#[derive(Clone, Debug)]
pub struct Descriptors {
    /// The device descriptor.
    pub device: Vec<u8>,
    /// The configuration with all that belongs to it.
    pub configuration: Vec<u8>,
    /// The binary object store.
    pub bos: Vec<u8>,
    /// The Microsoft OS 2.0 descriptor set.
    pub ms_os: Vec<u8>,
    /// The strings, by index; string 0 is the language.
    pub strings: Vec<Vec<u8>>,
    /// The addresses of the endpoints.
    pub endpoints: Vec<u8>,
    /// The interfaces' numbers.
    pub interfaces: Interfaces,
    webusb_urls: WebUsbUrls,
}

impl Descriptors {
    /// The descriptors of `config`, with the drive or without.
    #[must_use]
    pub fn new(config: &DapLinkConfig, serial: &str, drive_disabled: bool) -> Descriptors {
        if config.mode == Mode::Bootloader {
            return Descriptors::of_bootloader(config, serial);
        }
        let table = &config.personality().usb;
        let interfaces = Interfaces::new(table, drive_disabled);
        let ms_os = ms_os(interfaces);
        let configuration = configuration(config, interfaces);
        Descriptors {
            device: device(),
            endpoints: endpoint_addresses(&configuration),
            configuration,
            bos: bos(ms_os.len() as u16),
            ms_os,
            strings: strings(table, serial),
            interfaces,
            webusb_urls: WebUsbUrls::new(config.board_id),
        }
    }

    /// A USB 1.1 drive without anything else.
    fn of_bootloader(config: &DapLinkConfig, serial: &str) -> Descriptors {
        let configuration = configuration(config, Interfaces::BOOTLOADER);
        let mut device = device();
        device[2..7].copy_from_slice(&[0x10, 0x01, 0, 0, 0]);
        Descriptors {
            device,
            endpoints: endpoint_addresses(&configuration),
            configuration,
            bos: Vec::new(),
            ms_os: Vec::new(),
            strings: string_descriptors(&[
                config.personality().usb.manufacturer,
                "DAPLink CMSIS-DAP",
                serial,
                "USB_MSC",
            ]),
            interfaces: Interfaces::BOOTLOADER,
            webusb_urls: WebUsbUrls { memory: Vec::new(), board_id: String::new() },
        }
    }

    /// The HID descriptor, as it stands in the configuration.
    #[must_use]
    pub fn hid(&self) -> &[u8] {
        walk(&self.configuration).find(|d| d[1] == 0x21).unwrap_or(&[])
    }

    /// WebUSB's GET_URL for URL number `index` (1-based).
    pub fn webusb_url(&mut self, index: u8) -> Option<&[u8]> {
        self.webusb_urls.get(index)
    }
}

/// The descriptors that follow each other in `bytes`.
fn walk(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (descriptor, tail) = rest.split_at_checked(usize::from(*rest.first()?))?;
        rest = tail;
        (descriptor.len() >= 2).then_some(descriptor)
    })
}

fn endpoint_addresses(configuration: &[u8]) -> Vec<u8> {
    walk(configuration).filter(|d| d[1] == 5).map(|d| d[2]).collect()
}

fn device() -> Vec<u8> {
    vec![
        18, 1, // bLength, DEVICE
        0x10, 0x02, // bcdUSB 2.10: there is a BOS
        0xef, 0x02, 0x01, // class: interface associations
        64,   // bMaxPacketSize0
        0x28, 0x0d, // idVendor: Arm
        0x04, 0x02, // idProduct: CMSIS-DAP
        0x00, 0x10, // bcdDevice
        1, 2, 3, // iManufacturer, iProduct, iSerialNumber
        1, // bNumConfigurations
    ]
}

fn configuration(config: &DapLinkConfig, interfaces: Interfaces) -> Vec<u8> {
    let mut d = vec![9, 2, 0, 0, interfaces.count, 1, 0, 0x80, (config.max_power_ma / 2) as u8];
    let mut interface = |number: u8, endpoints: u8, class: [u8; 3], string: u8, more: &[&[u8]]| {
        d.extend([9, 4, number, 0, endpoints, class[0], class[1], class[2], string]);
        for part in more {
            d.extend(*part);
        }
    };
    let bulk = |address: u8| [7, 5, address, 2, 64, 0, 0];
    let interrupt = |address: u8, size: u8, interval: u8| [7, 5, address, 3, size, 0, interval];
    use endpoint::{BULK, CDC, CDC_NOTIFY, HID, MSC};

    if let Some(number) = interfaces.msc {
        let text = if interfaces.cdc.is_some() { 8 } else { 4 };
        interface(number, 2, [0x08, 0x06, 0x50], text, &[&bulk(0x80 | MSC), &bulk(MSC)]);
    }
    let (Some(comm), Some(hid), Some(webusb)) = (interfaces.cdc, interfaces.hid, interfaces.webusb) else {
        return sized(d);
    };
    let data = comm + 1;
    let association = [8, 11, comm, 2, 0x02, 0x02, 0x01, 4];
    let communication: [&[u8]; 5] = [
        &[5, 0x24, 0x00, 0x10, 0x01], // Header: CDC 1.10
        &[5, 0x24, 0x01, 0x03, 0x02], // Call Management: data interface 2, also when it is another one
        &[4, 0x24, 0x02, 0x06],       // Abstract Control Management: line coding and state, break
        &[5, 0x24, 0x06, comm, data], // Union
        &interrupt(0x80 | CDC_NOTIFY, 16, 32),
    ];
    // The association stands before the interface it begins with.
    interface(comm, 1, [0x02, 0x02, 0x01], 4, &communication);
    interface(data, 2, [0x0a, 0x00, 0x00], 5, &[&bulk(CDC), &bulk(0x80 | CDC)]);
    let report = HID_REPORT.len() as u8;
    interface(
        hid,
        2,
        [0x03, 0x00, 0x00],
        6,
        &[&[9, 0x21, 0x00, 0x01, 0, 1, 0x22, report, 0], &interrupt(0x80 | HID, 64, 1), &interrupt(HID, 64, 1)],
    );
    interface(webusb, 0, [0xff, 0x03, 0x00], 7, &[]);
    if let Some(number) = interfaces.bulk {
        interface(number, 2, [0xff, 0x00, 0x00], 9, &[&bulk(BULK), &bulk(0x80 | BULK)]);
    }

    let before_cdc = 9 + if interfaces.msc.is_some() { 23 } else { 0 };
    d.splice(before_cdc..before_cdc, association);
    sized(d)
}

/// A configuration with its wTotalLength.
fn sized(mut d: Vec<u8>) -> Vec<u8> {
    let total = (d.len() as u16).to_le_bytes();
    d[2..4].copy_from_slice(&total);
    d
}

fn strings(table: &UsbTable, serial: &str) -> Vec<Vec<u8>> {
    let texts = [
        table.manufacturer,
        table.product,
        serial,
        "mbed Serial Port",
        "mbed Serial Port",
        table.hid,
        "WebUSB: CMSIS-DAP",
        "USB_MSC",
    ];
    string_descriptors(&texts.into_iter().chain(table.bulk).collect::<Vec<_>>())
}

fn string_descriptors(texts: &[&str]) -> Vec<Vec<u8>> {
    let mut all = vec![vec![4, 3, 0x09, 0x04]];
    all.extend(texts.iter().map(|text| {
        let mut descriptor = vec![0, 3];
        descriptor.extend(utf16(text));
        descriptor[0] = descriptor.len() as u8;
        descriptor
    }));
    all
}

fn utf16(text: &str) -> impl Iterator<Item = u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes)
}

fn bos(ms_os_length: u16) -> Vec<u8> {
    let mut d = vec![5, 15, 57, 0, 2];
    // Platform capability WebUSB (WebUSB §4.1).
    d.extend([24, 16, 5, 0]);
    d.extend([0x38, 0xb6, 0x08, 0x34, 0xa9, 0x09, 0xa0, 0x47, 0x8b, 0xfd, 0xa0, 0x76, 0x88, 0x15, 0xb6, 0x65]);
    d.extend([0x00, 0x01, WEBUSB_VENDOR_CODE, 0]); // version 1.00, no landing page
    // Platform capability Microsoft OS 2.0.
    d.extend([28, 16, 5, 0]);
    d.extend([0xdf, 0x60, 0xdd, 0xd8, 0x89, 0x45, 0xc7, 0x4c, 0x9c, 0xd2, 0x65, 0x9d, 0x9e, 0x64, 0x8a, 0x9f]);
    d.extend([0x00, 0x00, 0x03, 0x06]); // Windows 8.1 and later
    d.extend(ms_os_length.to_le_bytes());
    d.extend([MS_OS_VENDOR_CODE, 0]); // no alternate enumeration
    d
}

/// The descriptor set that binds WinUSB to the vendor interfaces: a header, then a function subset for each with a
/// compatible id and the GUID that programs look for.
fn ms_os(interfaces: Interfaces) -> Vec<u8> {
    let webusb = interfaces.webusb.map(|number| (number, "{92CE6462-9C77-46FE-933B-31CB9C5AA3B9}"));
    let bulk = interfaces.bulk.map(|number| (number, "{CDB3B5AD-293B-4663-AA36-1AAE46463776}"));
    let mut d = vec![10, 0, 0x00, 0x00, 0x00, 0x00, 0x03, 0x06, 0, 0];
    for (interface, guid) in [webusb, bulk].into_iter().flatten() {
        d.extend([8, 0, 0x02, 0x00, interface, 0, 160, 0]); // function subset header
        d.extend([20, 0, 0x03, 0x00]); // compatible id
        d.extend(*b"WINUSB\0\0\0\0\0\0\0\0\0\0");
        d.extend([132, 0, 0x04, 0x00, 0x07, 0x00]); // registry property, REG_MULTI_SZ
        d.extend([42, 0]);
        d.extend(utf16("DeviceInterfaceGUIDs\0"));
        d.extend([80, 0]);
        d.extend(utf16(guid));
        d.extend([0; 4]);
    }
    let total = (d.len() as u16).to_le_bytes();
    d[8..10].copy_from_slice(&total);
    d
}

/// WebUSB URL descriptors as they lie in the firmware's memory.
///
/// The board id is appended by `strcat` on every request, into room left for one. Its NUL, and from the second request
/// on the id itself, fall onto the descriptor behind; the length byte in front stays.
#[derive(Clone, Debug)]
struct WebUsbUrls {
    memory: Vec<u8>,
    board_id: String,
}

impl WebUsbUrls {
    fn new(board_id: u16) -> WebUsbUrls {
        let mut memory = Vec::new();
        for url in ["os.mbed.com/webusb/landing-page/?bid=", "os.mbed.com/"] {
            memory.extend([3 + url.len() as u8 + 4, 3, 1]);
            memory.extend(url.bytes());
            memory.extend([0; 4]);
        }
        memory.extend([0; 64]);
        WebUsbUrls { memory, board_id: format!("{board_id:04x}") }
    }

    fn get(&mut self, index: u8) -> Option<&[u8]> {
        let mut start = 0;
        for _ in 1..index {
            start += usize::from(*self.memory.get(start)?);
        }
        let length = usize::from(*self.memory.get(start)?);
        if index == 0 || length == 0 {
            return None;
        }
        let end = start + 3 + self.memory.get(start + 3..)?.iter().position(|&byte| byte == 0)?;
        for (slot, byte) in self.memory[end..].iter_mut().zip(self.board_id.bytes().chain([0])) {
            *slot = byte;
        }
        self.memory.get(start..start + length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daplink::Board;

    fn descriptors(drive_disabled: bool) -> Descriptors {
        let config = DapLinkConfig::default();
        Descriptors::new(&config, &config.serial(drive_disabled), drive_disabled)
    }

    #[test]
    fn the_configuration_has_162_bytes_and_six_interfaces_in_order() {
        let d = descriptors(false);
        assert_eq!(d.configuration.len(), 162);
        assert_eq!(&d.configuration[..9], [9, 2, 162, 0, 6, 1, 0, 0x80, 0xfa]);
        let interfaces: Vec<_> = walk(&d.configuration).filter(|i| i[1] == 4).map(|i| (i[2], i[5], i[8])).collect();
        assert_eq!(interfaces, [(0, 8, 8), (1, 2, 4), (2, 10, 5), (3, 3, 6), (4, 255, 7), (5, 255, 9)]);
        assert_eq!(d.endpoints, [0x82, 0x02, 0x83, 0x04, 0x84, 0x81, 0x01, 0x05, 0x85]);
        let types: Vec<_> = walk(&d.configuration).map(|i| i[1]).take(5).collect();
        assert_eq!(types, [2, 4, 5, 5, 11], "the association comes right after mass storage");
    }

    #[test]
    fn version_0253_has_139_bytes_and_no_bulk_interface() {
        let config = DapLinkConfig::of(Board::MicrobitV1);
        let d = Descriptors::new(&config, &config.serial(false), false);
        assert_eq!(d.configuration[..9], [9, 2, 139, 0, 5, 1, 0, 0x80, 0xfa]);
        assert_eq!(d.endpoints, [0x82, 0x02, 0x83, 0x04, 0x84, 0x81, 0x01]);
        assert_eq!((d.bos.len(), &d.bos[53..55], d.ms_os.len(), d.ms_os[14]), (57, &[170, 0][..], 170, 4));
        assert_eq!(&d.ms_os[8..10], [170, 0]);
        assert_eq!(d.strings.len(), 9);
        let product: Vec<u16> = d.strings[2][2..].as_chunks().0.iter().map(|b| u16::from_le_bytes(*b)).collect();
        assert_eq!(String::from_utf16_lossy(&product), "\"BBC micro:bit CMSIS-DAP\"");
    }

    #[test]
    fn without_the_drive_every_interface_moves_down_but_call_management_still_says_two() {
        let d = descriptors(true);
        assert_eq!(d.configuration.len(), 162 - 23);
        assert_eq!(d.configuration[4], 5);
        assert_eq!(d.interfaces.cdc, Some(0));
        let call_management = walk(&d.configuration).find(|i| i[1..3] == [0x24, 1]);
        assert_eq!(call_management, Some(&[5, 0x24, 1, 3, 2][..]));
        assert_eq!((d.ms_os[14], d.ms_os[174]), (3, 4));
    }

    #[test]
    fn the_bootloader_is_a_usb_1_1_drive_of_32_bytes() {
        let config = DapLinkConfig::default().in_bootloader();
        let d = Descriptors::new(&config, &config.serial(false), false);
        assert_eq!(d.device[..8], [18, 1, 0x10, 0x01, 0, 0, 0, 64]);
        let expected = [9, 2, 32, 0, 1, 1, 0, 0x80, 0xfa, 9, 4, 0, 0, 2, 8, 6, 0x50, 4];
        assert_eq!(d.configuration[..18], expected);
        assert_eq!((d.configuration.len(), &d.endpoints[..]), (32, &[0x82, 0x02][..]));
        assert_eq!((d.strings.len(), d.bos.len(), d.ms_os.len()), (5, 0, 0));
    }

    #[test]
    fn sizes_are_those_that_the_headers_say() {
        let d = descriptors(false);
        assert_eq!((d.device.len(), d.bos.len(), d.ms_os.len(), d.hid().len()), (18, 57, 330, 9));
        assert_eq!((d.ms_os[14], d.ms_os[174]), (4, 5));
        assert_eq!(d.strings[3].len(), 2 + 2 * 48);
    }

    #[test]
    fn a_webusb_url_gets_the_board_id_and_the_strcat_eats_the_next_descriptor() {
        let mut d = descriptors(false);
        assert_eq!(d.webusb_url(0), None);
        assert_eq!(d.webusb_url(2), Some(&b"\x13\x03\x01os.mbed.com/9906"[..]));
        assert_eq!(d.webusb_url(1), Some(&b"\x2c\x03\x01os.mbed.com/webusb/landing-page/?bid=9906"[..]));
        assert_eq!(d.webusb_url(2), None, "the NUL of URL 1 has become the length of URL 2");
        assert_eq!(d.webusb_url(1).map(<[u8]>::len), Some(44));
    }
}
