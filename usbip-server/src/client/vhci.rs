//! Linux's own USB/IP client, vhci-hcd: a root hub whose ports are plugged by writing to a file.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

use crate::proto::wire::SPEED_FULL;

const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";

/// A port of the hub as the `status` file has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    /// Its number.
    pub number: u32,
    /// Nothing is attached.
    pub free: bool,
    /// Name of the device in sysfs (`1-1`), if one is attached.
    pub busid: String,
}

/// Attaches a stream socket whose import succeeded to port `port` (0 is the first one for full speed). The kernel
/// keeps the socket; the caller may close its own descriptor. Needs root and the module `vhci-hcd`.
///
/// # Errors
/// If there is no such controller, no right to use it, or the port is not free (EBUSY).
pub fn attach(port: u32, socket: &impl AsFd, devid: u32) -> io::Result<()> {
    let line = format!("{port} {} {devid} {SPEED_FULL}", socket.as_fd().as_raw_fd());
    fs::write(PathBuf::from(CONTROLLER).join("attach"), line)
}

/// Unplugs port `port`.
///
/// # Errors
/// As [`attach`].
pub fn detach(port: u32) -> io::Result<()> {
    fs::write(PathBuf::from(CONTROLLER).join("detach"), port.to_string())
}

/// The ports of the first controller that take full-speed devices.
///
/// # Errors
/// If there is no such controller.
pub fn ports() -> io::Result<Vec<Port>> {
    Ok(parse_ports(&fs::read_to_string(PathBuf::from(CONTROLLER).join("status"))?))
}

/// State of a port that is free, in the `status` file.
const FREE: &str = "004";

fn parse_ports(status: &str) -> Vec<Port> {
    let lines = status.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let high_speed = lines.filter(|columns| columns.first() == Some(&"hs"));
    high_speed
        .filter_map(|columns| {
            let [_, number, state, _, _, _, busid] = columns[..] else { return None };
            Some(Port { number: number.parse().ok()?, free: state == FREE, busid: busid.into() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_file_tells_which_ports_are_free() {
        let status = "hub port sta spd dev      sockfd local_busid\n\
                      hs  0000 006 002 00010002 000003 1-1\n\
                      hs  0001 004 000 00000000 000000 0-0\n\
                      ss  0008 004 000 00000000 000000 0-0\n";
        let ports = parse_ports(status);
        assert_eq!(ports.iter().map(|port| (port.number, port.free)).collect::<Vec<_>>(), [(0, false), (1, true)]);
        assert_eq!(ports[0].busid, "1-1");
    }
}
