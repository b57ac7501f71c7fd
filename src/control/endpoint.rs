//! Where a control server listens and its clients connect: a Unix-domain socket, or TCP on this machine.

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use socket2::Socket;

/// Where to listen, or to connect to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Endpoint {
    /// A Unix-domain socket at this path.
    Unix(PathBuf),
    /// TCP.
    Tcp(SocketAddr),
}

/// What is wrong with an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// It is no endpoint.
    #[error("{0}: tcp:ADDRESS:PORT was expected, as in tcp:127.0.0.1:3241")]
    Address(String),
    /// It cannot be listened at.
    #[error("cannot listen at {endpoint}: {source}")]
    Listen {
        /// The endpoint.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// Other computers could connect.
    #[error("{0}: an address of this machine's loopback interface was expected; who can connect can use the boards")]
    Public(SocketAddr),
    /// Somebody else listens there.
    #[error("{0}: another twinboard listens there")]
    InUse(String),
    /// Something else is at this path.
    #[error("{0}: there is a file that is no socket")]
    File(String),
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Endpoint, EndpointError> {
        match text.strip_prefix("tcp:") {
            None => Ok(Endpoint::Unix(text.into())),
            Some(address) => address.parse().map(Endpoint::Tcp).map_err(|_| EndpointError::Address(text.into())),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix(path) => write!(f, "{}", path.display()),
            Endpoint::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

impl Endpoint {
    /// Connects to a server.
    ///
    /// # Errors
    /// Those of connecting.
    pub fn connect(&self) -> io::Result<Socket> {
        Ok(match self {
            Endpoint::Unix(path) => OwnedFd::from(UnixStream::connect(path)?).into(),
            Endpoint::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.into()
            }
        })
    }

    /// Listens.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub(super) fn listen(&self) -> Result<Listening, EndpointError> {
        let failed = |source| EndpointError::Listen { endpoint: self.to_string(), source };
        let (listener, place, endpoint) = match self {
            Endpoint::Tcp(address) => {
                if !address.ip().is_loopback() {
                    return Err(EndpointError::Public(*address));
                }
                let listener = TcpListener::bind(address).map_err(failed)?;
                let address = listener.local_addr().map_err(failed)?;
                (Socket::from(listener), None, Endpoint::Tcp(address))
            }
            Endpoint::Unix(path) => {
                make_room(path)?;
                let listener = bind_private(path).map_err(|error| failed(error.into()))?;
                let place = fs::symlink_metadata(path).map_err(failed)?;
                (Socket::from(OwnedFd::from(listener)), Some((path.clone(), place.dev(), place.ino())), self.clone())
            }
        };
        Ok(Listening { listener, place, endpoint, stopped: AtomicBool::new(false) })
    }
}

/// Takes away the socket of a server that has gone without taking leave.
fn make_room(path: &Path) -> Result<(), EndpointError> {
    let name = path.display().to_string();
    let failed = |source| EndpointError::Listen { endpoint: name.clone(), source };
    let what = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed)?,
    };
    if !what.file_type().is_socket() {
        return Err(EndpointError::File(name));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(_) => Err(EndpointError::InUse(name)),
    }
}

/// A listening socket at `path` that only its owner may connect to.
fn bind_private(path: &Path) -> rustix::io::Result<UnixListener> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // Linux gives the file the mode that the socket has when it is bound: there is no moment in which others may connect.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, 16)?;
    Ok(socket.into())
}

/// A socket that listens; its file goes with it.
pub(super) struct Listening {
    listener: Socket,
    /// The file, and its device and inode: somebody may have put another one in its place.
    place: Option<(PathBuf, u64, u64)>,
    endpoint: Endpoint,
    stopped: AtomicBool,
}

impl Listening {
    /// The next client; none if this is to end.
    pub(super) fn accept(&self) -> Option<Socket> {
        loop {
            let accepted = self.listener.accept();
            if self.stopped.load(Ordering::Relaxed) {
                return None;
            }
            match accepted {
                Ok((socket, _)) => {
                    // Lines are short, and their senders wait; a Unix-domain socket knows no such delay.
                    let _ = socket.set_tcp_nodelay(true);
                    return Some(socket);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Out of descriptors, most likely: better later than never.
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
            }
        }
    }

    /// Ends [`Listening::accept`].
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes whoever accepts; if nobody can connect, nobody accepts either.
        let _ = self.endpoint.connect();
        if let Some((path, device, inode)) = &self.place
            && fs::symlink_metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (*device, *inode))
        {
            // Already gone is as good.
            let _ = fs::remove_file(path);
        }
    }

    /// The port of a TCP endpoint.
    pub(super) fn port(&self) -> Option<u16> {
        match self.endpoint {
            Endpoint::Tcp(address) => Some(address.port()),
            Endpoint::Unix(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_socket_is_its_owners_alone_and_goes_with_its_server() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("control");
        let endpoint: Endpoint = path.to_str().expect("text").parse().expect("an endpoint");
        let listening = endpoint.listen().expect("free");
        let mode = fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = endpoint.listen().map(|_| ()).expect_err("somebody listens");
        assert!(matches!(error, EndpointError::InUse(_)), "{error}");
        listening.stop();
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_file_is_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("control");
        drop(UnixListener::bind(&path).expect("free"));
        assert!(path.exists(), "a server that dies leaves its socket");
        let endpoint = Endpoint::Unix(path.clone());
        endpoint.listen().expect("the place is made free").stop();
        fs::write(&path, "precious").expect("writes");
        let error = endpoint.listen().map(|_| ()).expect_err("a file");
        assert!(matches!(error, EndpointError::File(_)), "{error}");
        assert_eq!(fs::read(&path).expect("is there"), b"precious");
    }

    #[test]
    fn only_this_machine_can_connect() {
        let error = Endpoint::from_str("tcp:0.0.0.0:0").expect("an address").listen().map(|_| ()).expect_err("public");
        assert!(matches!(error, EndpointError::Public(_)));
        assert!(Endpoint::from_str("tcp:here").is_err());
    }
}
