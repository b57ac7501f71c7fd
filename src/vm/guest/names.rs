//! Keeps the stable names in `/dev` that udev's rules give: `/dev/serial/by-id`, `/dev/disk/by-id`, `/dev/disk/by-label`
//! and `/dev/disk/by-uuid`.
//!
//! Not every host tree has udev in it, and starting it costs half a second, so the names are always made here.
//! Rules followed: 60-serial.rules, 60-persistent-storage.rules and the builtin `usb_id` of systemd 252.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::uevent::{Action, Event};
use super::{fat, usb};

/// The names given so far, by the device's directory in `/sys`.
#[derive(Default)]
pub struct Names(BTreeMap<PathBuf, Vec<PathBuf>>);

impl Names {
    /// Brings the names of the event's device up to date.
    pub fn apply(&mut self, event: &Event) {
        for link in self.0.remove(&event.path).unwrap_or_default() {
            if fs::read_link(&link).is_ok_and(|target| target == event.node()) {
                // Gone already is as good.
                let _ = fs::remove_file(link);
            }
        }
        if event.action == Action::Remove {
            return;
        }
        let links = links(event);
        for link in &links {
            let _ = link.parent().map(fs::create_dir_all);
            // The newest device of a name has it, as with udev.
            let _ = fs::remove_file(link);
            let _ = symlink(event.node(), link);
        }
        if !links.is_empty() {
            self.0.insert(event.path.clone(), links);
        }
    }
}

fn links(event: &Event) -> Vec<PathBuf> {
    let Some((device, interface)) = usb::parents(&event.path) else { return Vec::new() };
    let serial = usb::attribute(&device, "serial");
    match event.property("SUBSYSTEM") {
        "tty" => {
            let [vendor, product] = ["manufacturer", "product"].map(|name| usb::attribute(&device, name));
            let number = usb::attribute(&interface, "bInterfaceNumber");
            vec![Path::new("/dev/serial/by-id").join(format!("{}-if{number}", id(&[&vendor, &product, &serial])))]
        }
        "block" => {
            let mut links: Vec<PathBuf> = storage_id(event, &serial).into_iter().collect();
            if let Ok(volume) = File::open(event.node()).and_then(|mut node| fat::read(&mut node)) {
                if !volume.label.is_empty() {
                    links.push(Path::new("/dev/disk/by-label").join(encoded(&volume.label)));
                }
                links.push(Path::new("/dev/disk/by-uuid").join(volume.serial));
            }
            links
        }
        _ => Vec::new(),
    }
}

/// A drive is named by what it answers to INQUIRY, its device's serial number and its logical unit.
fn storage_id(event: &Event, serial: &str) -> Option<PathBuf> {
    // …/host2/target2:0:0/2:0:0:0/block/sda[/sda1]
    let scsi = event.path.ancestors().find(|path| path.join("scsi_level").exists())?;
    let [vendor, model] = ["vendor", "model"].map(|name| usb::attribute(scsi, name));
    let address: Vec<&str> = scsi.file_name()?.to_str()?.split(':').collect();
    let [_, _, target, unit] = address.as_slice() else { return None };
    let partition = match event.property("PARTN") {
        "" => String::new(),
        number => format!("-part{number}"),
    };
    let id = id(&[&vendor, &model, serial]);
    Some(Path::new("/dev/disk/by-id").join(format!("{id}-{target}:{unit}{partition}")))
}

/// `usb-` and the parts that are not empty.
fn id(parts: &[&str]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| plain(part)).filter(|part| !part.is_empty()).collect();
    format!("usb-{}", parts.join("_"))
}

/// A string of the device as part of a file name: white space becomes one `_`, and so does each special character.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let keep = |c: char| c.is_alphanumeric() || "#+-.:=@_".contains(c);
    words.join("_").chars().map(|c| if keep(c) { c } else { '_' }).collect()
}

/// A label as a file name: special characters as `\xNN`.
fn encoded(label: &str) -> String {
    label
        .chars()
        .map(
            |c| {
                if c.is_alphanumeric() || "#+-.:=@_".contains(c) {
                    c.to_string()
                } else {
                    format!("\\x{:02x}", c as u32)
                }
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_port_is_named_by_the_device_s_strings() {
        let sys = tempfile::tempdir().unwrap();
        let device = sys.path().join("1-1");
        let tty = device.join("1-1:1.1/tty/ttyACM0");
        fs::create_dir_all(&tty).unwrap();
        fs::write(device.join("1-1:1.1/bInterfaceNumber"), "01\n").unwrap();
        for (name, value) in [("manufacturer", "Arm"), ("product", "BBC micro:bit  CMSIS-DAP"), ("serial", "9906\n")] {
            fs::write(device.join(name), value).unwrap();
        }
        let properties = [("SUBSYSTEM", "tty"), ("DEVNAME", "ttyACM0")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let event = Event { action: Action::Add, path: tty, properties: properties.into() };
        assert_eq!(links(&event), [Path::new("/dev/serial/by-id/usb-Arm_BBC_micro:bit_CMSIS-DAP_9906-if01")]);
    }

    #[test]
    fn a_drive_is_named_by_inquiry_serial_and_unit() {
        let sys = tempfile::tempdir().unwrap();
        let scsi = sys.path().join("1-1/1-1:1.0/host2/target2:0:0/2:0:0:0");
        fs::create_dir_all(scsi.join("block/sda/sda1")).unwrap();
        for (name, value) in [("vendor", "MBED    "), ("model", "VFS             "), ("scsi_level", "3")] {
            fs::write(scsi.join(name), value).unwrap();
        }
        let properties = [("PARTN".to_owned(), "1".to_owned())].into();
        let event = Event { action: Action::Add, path: scsi.join("block/sda/sda1"), properties };
        let link = storage_id(&event, "9906").unwrap();
        assert_eq!(link, Path::new("/dev/disk/by-id/usb-MBED_VFS_9906-0:0-part1"));
    }

    #[test]
    fn labels_keep_what_a_file_name_can_hold() {
        assert_eq!(encoded("MY DISK/1"), "MY\\x20DISK\\x2f1");
    }
}
