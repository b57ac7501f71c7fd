//! Plugs the boards' sockets into the virtual host controller and keeps them plugged in.
//!
//! A device that re-enumerates closes its connection; vhci then drops the device and frees the port, and the new one
//! is attached to the same port. Linux thus sees what it sees on a desk: one socket, a device that goes and comes.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use twinboard_usbip::client::{self, ClientError};
use twinboard_usbip::proto::BusId;

use super::Host;
use super::usb::Socket;

const CONTROLLERS: &str = "/sys/devices/platform";
/// Between two attempts to get a device that is not (yet, or not any more) exported.
const RETRY: Duration = Duration::from_millis(20);
/// Silent attempts at the start before the user hears why it takes so long: two seconds. A device that was there before
/// and stays away longer was unplugged, most likely; from then on it is asked for less often.
const PATIENCE: u32 = 100;
/// Between two attempts to get a device that was unplugged.
const RARE_RETRY: Duration = Duration::from_millis(200);

/// A port of a controller's high-speed hub, which serves low, full and high speed.
#[derive(Clone)]
struct Port {
    /// The number to write to `attach`.
    number: u32,
    /// The controller's directory with its `status` file.
    status: PathBuf,
    /// The directory that a device on this port gets.
    device: PathBuf,
}

/// Attaches the devices with these bus ids, each to a port of its own, and from then on again whenever they go.
///
/// # Errors
/// `NotFound` if there is no virtual host controller or it has too few ports.
pub fn plug_in(server: SocketAddr, bus_ids: &[String], host: &Host) -> io::Result<Vec<Socket>> {
    let ports = ports()?;
    if ports.len() < bus_ids.len() {
        let what = format!("{} sockets are too many for {} virtual ports", bus_ids.len(), ports.len());
        return Err(io::Error::new(io::ErrorKind::NotFound, what));
    }
    let mut sockets = Vec::new();
    for (bus_id, port) in bus_ids.iter().zip(ports) {
        sockets.push(Socket { bus_id: bus_id.clone(), device: port.device.clone() });
        let (bus_id, host) = (bus_id.clone(), host.clone());
        thread::Builder::new()
            .name(format!("socket {bus_id}"))
            .spawn(move || supervise(server, &bus_id, &port, &host))?;
    }
    Ok(sockets)
}

fn supervise(server: SocketAddr, bus_id: &str, port: &Port, host: &Host) {
    let mut failures = 0;
    let mut was_there = false;
    loop {
        match attach(server, bus_id, port) {
            Ok(connection) => {
                failures = 0;
                was_there = true;
                wait_for_end(&connection);
                drop(connection);
                port.wait_until_free();
            }
            Err(error) => {
                failures += 1;
                if failures == PATIENCE && !was_there {
                    host.warn(format!("{bus_id} cannot be plugged in: {error}"));
                }
                thread::sleep(if failures < PATIENCE { RETRY } else { RARE_RETRY });
            }
        }
    }
}

/// Imports the device and hands the connection to the kernel; our own handle on it tells us when it ends.
fn attach(server: SocketAddr, bus_id: &str, port: &Port) -> Result<TcpStream, ClientError> {
    let mut connection = TcpStream::connect(server)?;
    connection.set_nodelay(true)?;
    let device = client::import(&mut connection, BusId::new(bus_id))?;
    client::vhci::attach(port.number, &connection, device.devid())?;
    Ok(connection)
}

/// Returns when the other side has closed. The kernel reads what comes; we only look at the end.
fn wait_for_end(connection: &TcpStream) {
    loop {
        let mut fds = [PollFd::new(connection, PollFlags::RDHUP)];
        match poll(&mut fds, None) {
            Ok(_) if fds[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR) => return,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

impl Port {
    /// A port is free about a millisecond after its connection has ended.
    fn wait_until_free(&self) {
        for _ in 0..1000 {
            let status = fs::read_to_string(&self.status).unwrap_or_default();
            if rows(&status).any(|(number, state)| number == self.number && state == FREE) && !self.device.exists() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// `sta` of a port without a device (`VDEV_ST_NULL`).
const FREE: u32 = 4;

/// Number and state of the high-speed ports in a `status` file: `hs  0000 004 000 …`.
fn rows(status: &str) -> impl Iterator<Item = (u32, u32)> {
    status.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        (fields.next()? == "hs").then_some(())?;
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

/// All high-speed ports of all controllers in order.
fn ports() -> io::Result<Vec<Port>> {
    let mut ports = Vec::new();
    for controller in 0.. {
        let name = format!("vhci_hcd.{controller}");
        // The first controller's directory shows the states of all: status, status.1, status.2.
        let first = Path::new(CONTROLLERS).join("vhci_hcd.0");
        let status = first.join(if controller == 0 { "status".into() } else { format!("status.{controller}") });
        let Ok(text) = fs::read_to_string(&status) else { break };
        let Some((bus, directory)) = root_hub(&Path::new(CONTROLLERS).join(name)) else { break };
        for (row, (number, _)) in rows(&text).enumerate() {
            let device = directory.join(format!("{bus}-{}", row + 1));
            ports.push(Port { number, status: status.clone(), device });
        }
    }
    if ports.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is no virtual host controller (vhci_hcd)"));
    }
    Ok(ports)
}

/// Bus number and directory of a controller's first root hub, the high-speed one.
fn root_hub(controller: &Path) -> Option<(u32, PathBuf)> {
    fs::read_dir(controller)
        .ok()?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let bus = path.file_name()?.to_str()?.strip_prefix("usb")?.parse().ok()?;
            Some((bus, path))
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_file_lists_the_high_speed_ports() {
        let status = "hub port sta spd dev      sockfd local_busid\nhs  0000 004 000 00000000 000000 0-0\n\
                      hs  0001 006 002 00010001 000003 1-1\nss  0015 004 000 00000000 000000 0-0\n";
        assert_eq!(rows(status).collect::<Vec<_>>(), [(0, 4), (1, 6)]);
    }
}
