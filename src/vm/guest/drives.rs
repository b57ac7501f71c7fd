//! Mounts drives at `/media/LABEL` and keeps them mounted while their media come and go.
//!
//! The kernel tells about a changed medium once and then not again until the drive has been opened, and a drive's size
//! in `/sys` is not right before that either. So every event leads to an attempt to read the volume, and a drive
//! without a medium is no error.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::uevent::{Action, Event};
use super::{fat, usb};

/// Data on its way to a drive gets that long when the guest ends.
const UNMOUNT_LIMIT: Duration = Duration::from_secs(60);

/// The drives and where they are mounted.
#[derive(Default)]
pub struct Drives {
    /// Mount points by device node.
    mounted: BTreeMap<PathBuf, PathBuf>,
    /// Which socket and volume has a mount point; kept when the drive goes, so that it comes back to the same place.
    taken: BTreeMap<PathBuf, Owner>,
}

/// A place that a drive can come back to: the socket's numbers and the kernel's name for the unit or partition.
type Owner = (Vec<u32>, String);

impl Drives {
    /// Mounts, mounts again or unmounts the event's drive.
    pub fn apply(&mut self, event: &Event) {
        if event.property("SUBSYSTEM") != "block" || usb::parents(&event.path).is_none() && event.action == Action::Add
        {
            return;
        }
        let node = event.node();
        match event.action {
            Action::Add if self.mounted.contains_key(&node) => {}
            Action::Add => self.mount(event, &node),
            Action::Change if event.property("DISK_MEDIA_CHANGE") == "1" => {
                self.unmount(&node);
                self.mount(event, &node);
            }
            Action::Change => {}
            Action::Remove => self.unmount(&node),
        }
    }

    fn mount(&mut self, event: &Event, node: &Path) {
        let Ok(volume) = File::open(node).and_then(|mut node| fat::read(&mut node)) else { return };
        let place = self.place(&volume, event);
        // `flush`: what is written goes to the board when its file is closed, not half a minute later.
        let options = c"flush";
        let mounted = fs::create_dir_all(&place).map_err(|e| e.to_string()).and_then(|()| {
            let attempt = mount(node, &place, "vfat", MountFlags::empty(), options);
            // A write-protected medium.
            let attempt = attempt.or_else(|_| mount(node, &place, "vfat", MountFlags::RDONLY, options));
            attempt.map_err(|e| e.to_string())
        });
        match mounted {
            Ok(()) => drop(self.mounted.insert(node.to_owned(), place)),
            Err(error) => eprintln!("{} is not mounted: {error}", node.display()),
        }
    }

    fn unmount(&mut self, node: &Path) {
        if let Some(place) = self.mounted.remove(node) {
            // Detached: whoever still has a file open there keeps it, and gets the errors.
            let _ = unmount(&place, UnmountFlags::DETACH);
            let _ = fs::remove_dir(&place);
        }
    }

    /// `/media/LABEL`, with a number behind it if another drive has that.
    fn place(&mut self, volume: &fat::Volume, event: &Event) -> PathBuf {
        let label = match volume.label.replace('/', "_") {
            label if matches!(label.as_str(), "" | "." | "..") => volume.serial.clone(),
            label => label,
        };
        let socket = usb::port_order(&event.path).0;
        let unit = event.path.ancestors().find_map(|p| p.file_name()?.to_str()?.rsplit_once(':').map(|(_, unit)| unit));
        let owner = (socket, format!("{}-{}", unit.unwrap_or_default(), event.property("PARTN")));
        let candidates = std::iter::once(label.clone()).chain((1..).map(|number| format!("{label}{number}")));
        let free = candidates
            .map(|name| Path::new("/media").join(name))
            .find(|place| self.taken.get(place).is_none_or(|other| *other == owner))
            .unwrap_or_else(|| PathBuf::from("/media"));
        self.taken.insert(free.clone(), owner);
        free
    }
}

/// Unmounts all drives properly, so that what was written arrives; gives up on drives that do not take it.
pub fn unmount_all() {
    let (done, finished) = mpsc::channel();
    let worker = thread::Builder::new().name("unmount".into()).spawn(move || {
        rustix::fs::sync();
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        for place in mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|p| p.starts_with("/media/")) {
            if let Ok(place) = CString::new(place.replace("\\040", " ")) {
                let _ = unmount(place, UnmountFlags::empty());
            }
        }
        let _ = done.send(());
    });
    if worker.is_ok() && finished.recv_timeout(UNMOUNT_LIMIT).is_err() {
        eprintln!("a drive did not take its data in time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(port: &str) -> Event {
        let path =
            format!("/sys/devices/platform/vhci_hcd.0/usb1/{port}/{port}:1.0/host2/target2:0:0/2:0:0:0/block/sda");
        Event { action: Action::Add, path: path.into(), properties: BTreeMap::new() }
    }

    #[test]
    fn drives_with_the_same_label_get_places_of_their_own_and_come_back_to_them() {
        let mut drives = Drives::default();
        let volume = fat::Volume { label: "MICROBIT".into(), serial: "2702-1974".into() };
        let mut place = |port| drives.place(&volume, &disk(port));
        assert_eq!(place("1-1"), Path::new("/media/MICROBIT"));
        assert_eq!(place("1-2"), Path::new("/media/MICROBIT1"));
        assert_eq!(place("1-1"), Path::new("/media/MICROBIT"));
        assert_eq!(place("1-2"), Path::new("/media/MICROBIT1"));
    }

    #[test]
    fn a_volume_without_a_usable_label_is_named_by_its_serial_number() {
        let volume = fat::Volume { label: "..".into(), serial: "2702-1974".into() };
        assert_eq!(Drives::default().place(&volume, &disk("1-1")), Path::new("/media/2702-1974"));
    }
}
