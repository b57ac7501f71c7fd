//! Sockets as the server uses them: never blocking unless asked to, never raising SIGPIPE.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags};

/// What a receive gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Received {
    /// So many bytes.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// The other side is gone.
    End,
}

/// Takes what has come.
pub(super) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Received {
    receive_with(socket, buffer, RecvFlags::DONTWAIT)
}

/// Waits for something to come, as long as [`set_patience`] said. One system call where `poll` needs two.
pub(super) fn wait_to_receive(socket: &OwnedFd, buffer: &mut [u8]) -> Received {
    receive_with(socket, buffer, RecvFlags::empty())
}

/// How long [`wait_to_receive`] waits on this socket. False if it cannot be told.
pub(super) fn set_patience(socket: &OwnedFd, patience: Duration) -> bool {
    let blocking = rustix::io::ioctl_fionbio(socket, false);
    blocking.and_then(|()| set_socket_timeout(socket, Timeout::Recv, Some(patience))).is_ok()
}

fn receive_with(socket: &OwnedFd, buffer: &mut [u8], flags: RecvFlags) -> Received {
    match rustix::net::recv(socket, buffer, flags) {
        Ok((0, _)) => Received::End,
        Ok((count, _)) => Received::Bytes(count),
        Err(Errno::AGAIN | Errno::INTR) => Received::Nothing,
        Err(_) => Received::End,
    }
}

/// Sends what fits; `None` if the other side is gone.
pub(super) fn send(socket: &OwnedFd, bytes: &[u8]) -> Option<usize> {
    if bytes.is_empty() {
        return Some(0);
    }
    match rustix::net::send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Ok(count) => Some(count),
        Err(Errno::AGAIN | Errno::INTR) => Some(0),
        Err(_) => None,
    }
}
