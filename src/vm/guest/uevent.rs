//! Kernel events about devices (`kobject_uevent`), and the same facts about devices that are there already.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netlink, recv, socket_with};

/// What happened to a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It appeared, or was there from the start.
    Add,
    /// It changed, a drive's medium for example.
    Change,
    /// It went.
    Remove,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub action: Action,
    /// The device's directory in `/sys`.
    pub path: PathBuf,
    /// `SUBSYSTEM`, `DEVNAME`, `DEVTYPE` and the like.
    pub properties: BTreeMap<String, String>,
}

impl Event {
    /// A property, empty if it is not there.
    pub fn property(&self, name: &str) -> &str {
        self.properties.get(name).map_or("", String::as_str)
    }

    /// `sda1`, `ttyACM0`: the node below `/dev`.
    pub fn node(&self) -> PathBuf {
        Path::new("/dev").join(self.property("DEVNAME"))
    }

    /// Reads a datagram: `add@/devices/…`, then `NAME=value` fields, each with a NUL behind it.
    fn parse(datagram: &[u8]) -> Option<Event> {
        let mut fields = datagram.split(|&byte| byte == 0).map(String::from_utf8_lossy);
        let head = fields.next()?;
        let (action, path) = head.split_once('@')?;
        let action = match action {
            "add" => Action::Add,
            "change" => Action::Change,
            "remove" => Action::Remove,
            _ => return None,
        };
        let properties = fields
            .filter_map(|field| field.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
            .collect();
        Some(Event { action, path: Path::new("/sys").join(path.trim_start_matches('/')), properties })
    }
}

/// The stream of events from the moment it was opened.
pub struct Events(OwnedFd);

impl Events {
    /// Subscribes to the kernel's own events.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn open() -> io::Result<Events> {
        let protocol = Some(netlink::KOBJECT_UEVENT);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, protocol)?;
        // Many devices come at once while the command's start keeps us from reading.
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 4 << 20)?;
        bind(&socket, &netlink::SocketAddrNetlink::new(0, 1))?;
        Ok(Events(socket))
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let mut buffer = [0; 8192];
        loop {
            match recv(&self.0, &mut buffer, RecvFlags::empty()) {
                Ok((_, length)) => match Event::parse(&buffer[..length]) {
                    Some(event) => return Some(event),
                    None => continue,
                },
                // An overrun loses events but not the socket.
                Err(rustix::io::Errno::INTR | rustix::io::Errno::NOBUFS) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Block and terminal devices that are there now, as `add` events in the order of their USB ports.
pub fn present() -> Vec<Event> {
    let mut found: Vec<Event> = ["block", "tty"]
        .iter()
        .flat_map(|class| fs::read_dir(Path::new("/sys/class").join(class)).into_iter().flatten().flatten())
        .filter_map(|entry| {
            let path = entry.path().canonicalize().ok()?;
            let uevent = fs::read_to_string(path.join("uevent")).ok()?;
            let mut properties: BTreeMap<String, String> = uevent
                .lines()
                .filter_map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
                .collect();
            let subsystem = path.join("subsystem").canonicalize().ok()?;
            properties.insert("SUBSYSTEM".into(), subsystem.file_name()?.to_string_lossy().into_owned());
            Some(Event { action: Action::Add, path, properties })
        })
        .collect();
    found.sort_by_cached_key(|event| super::usb::port_order(&event.path));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_names_the_action_the_device_and_its_properties() {
        let datagram = b"change@/devices/x/block/sda\0ACTION=change\0SUBSYSTEM=block\0DEVNAME=sda\0\
                         DEVTYPE=disk\0DISK_MEDIA_CHANGE=1\0";
        let event = Event::parse(datagram).unwrap();
        assert_eq!((event.action, event.path.as_path()), (Action::Change, Path::new("/sys/devices/x/block/sda")));
        assert_eq!((event.property("DISK_MEDIA_CHANGE"), event.property("SEQNUM")), ("1", ""));
        assert_eq!(event.node(), Path::new("/dev/sda"));
    }

    #[test]
    fn udev_s_own_messages_and_other_actions_are_no_events() {
        assert_eq!(Event::parse(b"libudev\0\xfe\xed\xca\xfe"), None);
        assert_eq!(Event::parse(b"bind@/devices/x\0"), None);
    }
}
