//! Configures the network as QEMU's user mode has it, by route netlink messages (rtnetlink(7)).

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

/// The guest's own address, /24.
const ADDRESS: [u8; 4] = [10, 0, 2, 15];
/// The host and the way out.
const GATEWAY: [u8; 4] = [10, 0, 2, 2];

// Message types, flags and attributes of linux/rtnetlink.h, linux/if_link.h and linux/if_addr.h.
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_CREATE: u16 = 0x400;
const IFF_UP: u32 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_GATEWAY: u16 = 5;
const AF_INET: u8 = 2;

/// Brings up loopback and the one Ethernet interface.
///
/// # Errors
/// The kernel's answer, or `NotFound` if there is no interface.
pub fn configure() -> io::Result<()> {
    // NETLINK_ROUTE is protocol 0, the family's default.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    request(&socket, RTM_NEWLINK, &link_up(1))?;
    let interface = ethernet()?;
    request(&socket, RTM_NEWLINK, &link_up(interface))?;
    // struct ifaddrmsg: family, prefix length, flags, scope, index
    let mut address = vec![AF_INET, 24, 0, 0];
    address.extend(interface.to_ne_bytes());
    address.extend(attribute(IFA_LOCAL, ADDRESS));
    request(&socket, RTM_NEWADDR, &address)?;
    // struct rtmsg: family, destination and source length, tos, table main, protocol boot, scope universe, unicast
    let mut route = vec![AF_INET, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
    route.extend(attribute(RTA_GATEWAY, GATEWAY));
    request(&socket, RTM_NEWROUTE, &route)
}

/// struct ifinfomsg: family and type unspecified, index, flags, mask of changed flags.
fn link_up(index: u32) -> Vec<u8> {
    [0, index, IFF_UP, IFF_UP].iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn attribute(kind: u16, value: [u8; 4]) -> impl Iterator<Item = u8> {
    8u16.to_ne_bytes().into_iter().chain(kind.to_ne_bytes()).chain(value)
}

/// Sends a message and waits for the acknowledgement, whose first word behind the header is minus the error.
fn request(socket: &OwnedFd, kind: u16, body: &[u8]) -> io::Result<()> {
    let length = 16 + body.len();
    let mut message = (length as u32).to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    send(socket, &message, SendFlags::empty())?;
    let mut answer = [0; 4096];
    let (_, length) = recv(socket, &mut answer, RecvFlags::empty())?;
    let error = answer[..length].get(16..20).and_then(|b| b.try_into().ok()).map_or(-1, i32::from_ne_bytes);
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-error)) }
}

/// Index of the interface that is not loopback.
fn ethernet() -> io::Result<u32> {
    for entry in fs::read_dir("/sys/class/net")? {
        let entry = entry?;
        if entry.file_name() != "lo" {
            let index = super::usb::attribute(&entry.path(), "ifindex").parse();
            return index.map_err(io::Error::other);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "there is no network interface"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_attribute_has_a_length_that_counts_its_own_header() {
        let bytes: Vec<u8> = attribute(IFA_LOCAL, ADDRESS).collect();
        assert_eq!(bytes, [8u16.to_ne_bytes(), 2u16.to_ne_bytes(), [10, 0], [2, 15]].concat());
    }
}
