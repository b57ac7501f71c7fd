//! Reads what `/sys` knows about USB devices.

use std::fs;
use std::path::{Path, PathBuf};

/// A port of the virtual host controller with a board's socket plugged into it.
pub struct Socket {
    /// The server's name for the device.
    pub bus_id: String,
    /// The device's directory in `/sys`, there while it is plugged in.
    pub device: PathBuf,
}

impl Socket {
    /// Whether the device is configured and its functions that Linux has drivers for are usable: the terminal, HID
    /// and drive nodes exist.
    pub fn ready(&self) -> bool {
        let interfaces = interfaces(&self.device);
        let expected: usize = attribute(&self.device, "bNumInterfaces").parse().unwrap_or(usize::MAX);
        interfaces.len() >= expected && interfaces.iter().all(|interface| usable(interface))
    }

    /// The kernel's names of its drives, as `sda`.
    pub fn disks(&self) -> Vec<String> {
        let disks = interfaces(&self.device).into_iter().flat_map(|interface| disks(&interface));
        disks.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }
}

fn usable(interface: &Path) -> bool {
    let number = |name: &str| u8::from_str_radix(&attribute(interface, name), 16).unwrap_or(0);
    match (number("bInterfaceClass"), number("bInterfaceSubClass")) {
        (0x02, 0x02) => interface.join("tty").exists(),
        (0x03, _) => interface.join("driver").exists(),
        (0x08, _) => !disks(interface).is_empty(),
        _ => true,
    }
}

/// A drive is below `hostN/targetN:0:0/N:0:0:0/block/`.
fn disks(interface: &Path) -> Vec<PathBuf> {
    let mut level = vec![interface.to_owned()];
    for prefix in ["host", "target", "", "block", ""] {
        level = level.iter().flat_map(|directory| children(directory, prefix)).collect();
    }
    level
}

fn children(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|e| e.file_name().to_string_lossy().starts_with(prefix)).map(|e| e.path()).collect()
}

/// The interfaces of a device's configuration: `1-1:1.0` and so on.
fn interfaces(device: &Path) -> Vec<PathBuf> {
    children(device, "").into_iter().filter(|path| path.join("bInterfaceNumber").exists()).collect()
}

/// An attribute without its line end, empty if it is not there.
pub fn attribute(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap_or_default().trim().to_owned()
}

/// The USB device and the interface that a node in `/sys` belongs to.
pub fn parents(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let interface = path.ancestors().find(|p| p.join("bInterfaceNumber").exists())?;
    Some((interface.parent()?.to_owned(), interface.to_owned()))
}

/// Sorts nodes by the bus and the port that they are plugged into: `1-10` comes behind `1-9`.
pub fn port_order(path: &Path) -> (Vec<u32>, PathBuf) {
    let device = path
        .iter()
        .filter_map(|part| part.to_str())
        .find(|part| part.contains('-') && part.starts_with(|c: char| c.is_ascii_digit()) && !part.contains(':'));
    let numbers = device.map(|name| name.split(['-', '.']).filter_map(|n| n.parse().ok()).collect());
    (numbers.unwrap_or_default(), path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_ordered_by_their_ports_as_numbers() {
        let order = |port: &str| port_order(&PathBuf::from(format!("/sys/devices/platform/vhci_hcd.0/usb1/{port}/x")));
        assert!(order("1-9") < order("1-10") && order("1-10") < order("2-1"));
    }

    #[test]
    fn a_drive_is_usable_when_its_disk_is_there() {
        let sys = tempfile::tempdir().unwrap();
        let device = sys.path().join("1-1");
        let interface = device.join("1-1:1.0");
        fs::create_dir_all(&interface).unwrap();
        fs::write(device.join("bNumInterfaces"), " 1\n").unwrap();
        for (name, value) in [("bInterfaceNumber", "00"), ("bInterfaceClass", "08"), ("bInterfaceSubClass", "06")] {
            fs::write(interface.join(name), value).unwrap();
        }
        let socket = Socket { bus_id: "1-1".into(), device };
        assert!(!socket.ready());
        fs::create_dir_all(interface.join("host2/target2:0:0/2:0:0:0/block/sda")).unwrap();
        assert!(socket.ready());
        assert_eq!(socket.disks(), ["sda"]);
    }
}
