//! Which devices can be had, as the listener and the boards share it.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::proto::wire::{DeviceRecord, InterfaceRecord, SPEED_FULL, ST_NODEV};
use crate::proto::{BusId, Decoder, answer};
use crate::vhc::Enumerated;

/// The bus all our devices are on.
pub(super) const BUS: u16 = 1;

/// Something worth telling about a server's devices. Shown as a line of text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A device can be imported.
    Exported {
        /// Its name on this server.
        busid: BusId,
        /// idVendor.
        vendor: u16,
        /// idProduct.
        product: u16,
        /// iProduct.
        name: String,
        /// iSerialNumber.
        serial: String,
    },
    /// The device went away: it re-enumerates, or its board was taken off the server.
    Withdrawn(BusId),
    /// A client imported the device.
    Attached(BusId),
    /// The client went away.
    Detached(BusId),
}

impl fmt::Display for Event {
    /// `BUSID VID:PID PRODUCT` for a device that can be imported.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Exported { busid, vendor, product, name, .. } => {
                write!(f, "{busid} {vendor:04x}:{product:04x} {name}")
            }
            Event::Withdrawn(busid) => write!(f, "{busid} went away"),
            Event::Attached(busid) => write!(f, "{busid} attached"),
            Event::Detached(busid) => write!(f, "{busid} detached"),
        }
    }
}

/// A connection that asks for a device, handed over to the device's board.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) socket: OwnedFd,
    pub(super) busid: BusId,
    pub(super) decoder: Decoder,
    /// Bytes that came behind the import.
    pub(super) early: Vec<u8>,
    /// The client waits for an answer to its import; on a private socket it does not.
    pub(super) answered: bool,
}

/// How a board takes imports; gives one back that it cannot take any more.
pub(super) type Door = Arc<dyn Fn(Import) -> Result<(), Box<Import>> + Send + Sync>;

struct Entry {
    record: DeviceRecord,
    interfaces: Vec<InterfaceRecord>,
    door: Door,
}

/// See the module's description.
pub(super) struct Registry {
    entries: Mutex<BTreeMap<BusId, Entry>>,
    next: Mutex<u16>,
    observer: Box<dyn Fn(Event) + Send + Sync>,
}

impl Registry {
    pub(super) fn new(observer: impl Fn(Event) + Send + Sync + 'static) -> Registry {
        Registry { entries: Mutex::default(), next: Mutex::new(1), observer: Box::new(observer) }
    }

    /// A name that no other device of this server has, and a USB address to go with it.
    pub(super) fn new_device(&self) -> (BusId, u8) {
        let mut next = self.next.lock();
        let number = *next;
        *next = next.wrapping_add(1).max(1);
        // Address 1 is the root hub's; 127 is the last. Beyond 126 devices addresses repeat, which hurts nobody:
        // every device has a cable of its own.
        (BusId::new(&format!("{BUS}-{number}")), 2 + ((number - 1) % 126) as u8)
    }

    pub(super) fn export(&self, record: DeviceRecord, found: &Enumerated, door: Door) {
        let interfaces = interface_records(found);
        self.entries.lock().insert(record.busid, Entry { record, interfaces, door });
        (self.observer)(Event::Exported {
            busid: record.busid,
            vendor: found.device.id_vendor,
            product: found.device.id_product,
            name: found.product.clone(),
            serial: found.serial.clone(),
        });
    }

    pub(super) fn withdraw(&self, busid: BusId) {
        if self.entries.lock().remove(&busid).is_some() {
            (self.observer)(Event::Withdrawn(busid));
        }
    }

    pub(super) fn attached(&self, busid: BusId) {
        (self.observer)(Event::Attached(busid));
    }

    pub(super) fn detached(&self, busid: BusId) {
        (self.observer)(Event::Detached(busid));
    }

    /// Writes the answer to a list request.
    pub(super) fn list(&self, out: &mut Vec<u8>) {
        let entries = self.entries.lock();
        answer::devices(out, entries.values().map(|entry| (&entry.record, &entry.interfaces[..])));
    }

    /// Hands an import over to its board. If there is no such device, gives the socket back and the answer to it.
    pub(super) fn import(&self, import: Import) -> Result<(), (OwnedFd, Vec<u8>)> {
        let door = self.entries.lock().get(&import.busid).map(|entry| entry.door.clone());
        let refused = match door {
            Some(door) => match door(import) {
                Ok(()) => return Ok(()),
                Err(import) => import.socket,
            },
            None => import.socket,
        };
        let mut out = Vec::new();
        answer::not_imported(&mut out, ST_NODEV);
        Err((refused, out))
    }
}

/// The record of a device that was found at `busid` with USB address `address`.
pub(super) fn device_record(busid: BusId, address: u8, found: &Enumerated) -> DeviceRecord {
    let mut path = [0; 256];
    let text = format!("/twinboard/usb{BUS}/{busid}");
    let length = text.len().min(255);
    path[..length].copy_from_slice(&text.as_bytes()[..length]);
    let configuration = found.configurations.first();
    DeviceRecord {
        path,
        busid,
        busnum: u32::from(BUS).into(),
        devnum: u32::from(address).into(),
        speed: SPEED_FULL.into(),
        id_vendor: found.device.id_vendor.into(),
        id_product: found.device.id_product.into(),
        bcd_device: found.device.bcd_device.into(),
        device_class: found.device.class,
        device_sub_class: found.device.sub_class,
        device_protocol: found.device.protocol,
        configuration_value: configuration.map_or(0, |c| c.value),
        num_configurations: found.device.num_configurations,
        // As many as interface records follow, or a client would lose its place.
        num_interfaces: interface_records(found).len() as u8,
    }
}

fn interface_records(found: &Enumerated) -> Vec<InterfaceRecord> {
    let interfaces = found.configurations.first().into_iter().flat_map(|c| c.defaults());
    interfaces
        .take(usize::from(u8::MAX))
        .map(|i| InterfaceRecord { class: i.class, sub_class: i.sub_class, protocol: i.protocol, padding: 0 })
        .collect()
}
