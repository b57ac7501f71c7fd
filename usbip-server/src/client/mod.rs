//! A USB/IP client in user space: for tests, and for whoever hands a connection to a kernel.
//!
//! ```no_run
//! use twinboard_usbip::client;
//! use twinboard_usbip::proto::BusId;
//! use std::net::TcpStream;
//!
//! let mut server = TcpStream::connect("127.0.0.1:3240")?;
//! let device = client::import(&mut server, BusId::new("1-1"))?;
//! client::vhci::attach(0, &server, device.devid())?;
//! # Ok::<(), client::ClientError>(())
//! ```

mod channel;
pub mod vhci;

use std::io::{self, Read, Write};

pub use channel::{Channel, Reply};
use zerocopy::{FromBytes, IntoBytes};

use crate::proto::BusId;
use crate::proto::wire::{
    DeviceRecord, InterfaceRecord, OP_REP_DEVLIST, OP_REP_IMPORT, OP_REQ_DEVLIST, OP_REQ_IMPORT, OpHeader, ST_DEV_BUSY,
    ST_NODEV, ST_OK, VERSION,
};

/// The most devices a list may have; a server that claims more is not believed.
const MAX_DEVICES: u32 = 1024;

/// What can go wrong at the client's end.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection failed or ended.
    #[error("the connection to the USB/IP server failed")]
    Io(#[from] io::Error),
    /// The server has no such device.
    #[error("the server has no device {0}")]
    NoDevice(BusId),
    /// Somebody else has the device.
    #[error("device {0} is in use")]
    Busy(BusId),
    /// The server refused for another reason.
    #[error("the server refused with status {0}")]
    Refused(u32),
    /// What came is no USB/IP.
    #[error("the server's answer is no USB/IP 1.1.1: {0}")]
    Protocol(&'static str),
}

/// A device in a server's list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The device.
    pub device: DeviceRecord,
    /// Its interfaces.
    pub interfaces: Vec<InterfaceRecord>,
}

/// Asks for the list of devices.
///
/// # Errors
/// [`ClientError`] if the connection fails or the answer cannot be understood.
pub fn list(server: &mut (impl Read + Write)) -> Result<Vec<Listed>, ClientError> {
    server.write_all(OpHeader::new(OP_REQ_DEVLIST, ST_OK).as_bytes())?;
    match reply(server, OP_REP_DEVLIST)? {
        ST_OK => {}
        status => return Err(ClientError::Refused(status)),
    }
    let mut count = [0; 4];
    server.read_exact(&mut count)?;
    let count = u32::from_be_bytes(count);
    if count > MAX_DEVICES {
        return Err(ClientError::Protocol("too many devices"));
    }
    let mut devices = Vec::new();
    for _ in 0..count {
        let device: DeviceRecord = read(server)?;
        let interfaces = (0..device.num_interfaces).map(|_| read(server)).collect::<Result<_, _>>()?;
        devices.push(Listed { device, interfaces });
    }
    Ok(devices)
}

/// Imports a device. The connection then is its URB channel: for a [`Channel`], or for [`vhci::attach`].
///
/// # Errors
/// [`ClientError::Busy`], [`ClientError::NoDevice`], or what else can happen.
pub fn import(server: &mut (impl Read + Write), busid: BusId) -> Result<DeviceRecord, ClientError> {
    let request = [OpHeader::new(OP_REQ_IMPORT, ST_OK).as_bytes(), busid.as_bytes()].concat();
    server.write_all(&request)?;
    match reply(server, OP_REP_IMPORT)? {
        ST_OK => Ok(read(server)?),
        ST_DEV_BUSY => Err(ClientError::Busy(busid)),
        ST_NODEV => Err(ClientError::NoDevice(busid)),
        status => Err(ClientError::Refused(status)),
    }
}

fn reply(server: &mut impl Read, code: u16) -> Result<u32, ClientError> {
    let header: OpHeader = read(server)?;
    match (header.version.get(), header.code.get()) {
        (VERSION, got) if got == code => Ok(header.status.get()),
        (VERSION, _) => Err(ClientError::Protocol("answer to another operation")),
        _ => Err(ClientError::Protocol("version")),
    }
}

/// Reads a message of fixed length.
fn read<T: FromBytes + IntoBytes>(from: &mut impl Read) -> io::Result<T> {
    let mut message = T::new_zeroed();
    from.read_exact(message.as_mut_bytes())?;
    Ok(message)
}
