//! The one stream between the host process and the guest's init, over a virtio serial port.
//!
//! Everything that has to keep its order shares this stream: output, the exit status behind the last output, key
//! presses and signals. A message is a tag byte, a little-endian 32-bit length and that many bytes.
//!
//! Standard input is the one direction in which nobody may block (a signal must be able to overtake unread input), so
//! it is credited: the host keeps at most [`STDIN_WINDOW`] bytes that the guest has not reported as taken.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The most standard-input bytes that may be under way, in bytes.
pub const STDIN_WINDOW: usize = 64 * 1024;

/// The most that is kept of what a shell command printed, in bytes: the end of it.
pub const OUTPUT_LIMIT: usize = 1 << 20;

/// The largest message either side accepts, in bytes: an environment and an argument list fit well.
const MAX_MESSAGE: usize = 8 << 20;

/// What the guest has to know before it can run the command.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The command and its arguments, as bytes: neither need be UTF-8. Empty: commands come later, one after the other,
    /// by [`ToGuest::Shell`].
    pub command: Vec<Vec<u8>>,
    /// The caller's environment.
    pub environment: Vec<(Vec<u8>, Vec<u8>)>,
    /// The caller's working directory.
    pub directory: PathBuf,
    /// Where the writable share appears, the same path as on the host.
    pub out: PathBuf,
    /// Present if the command gets a terminal: its size.
    pub terminal: Option<WindowSize>,
    /// The USB/IP server as the guest reaches it.
    pub usbip: Option<SocketAddr>,
    /// Bus ids to attach, in the order of their ports.
    pub devices: Vec<String>,
}

/// Size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Characters per line.
    pub columns: u16,
}

/// A message from the host process to the guest.
#[derive(Debug, PartialEq, Eq)]
pub enum ToGuest {
    /// The first message.
    Setup(Box<Setup>),
    /// Standard input; empty means that it has ended.
    Stdin(Vec<u8>),
    /// A signal (by its Linux number) for the command.
    Signal(i32),
    /// The terminal was resized.
    Window(WindowSize),
    /// A command for a shell of its own, answered by [`ToHost::Ended`].
    Shell(Vec<u8>),
    /// Waits until the boards are usable, for so many milliseconds at most; answered by [`ToHost::Ended`], 0 if they are.
    Ready(u32),
}

/// A message from the guest to the host process.
#[derive(Debug, PartialEq, Eq)]
pub enum ToHost {
    /// Init runs and waits for its [`Setup`].
    Hello,
    /// The command's standard output.
    Stdout(Vec<u8>),
    /// The command's standard error.
    Stderr(Vec<u8>),
    /// Something the person at the terminal should know.
    Warning(String),
    /// This many bytes of standard input have been handed to the command.
    StdinTaken(u32),
    /// The command ended with this status (128 + n if signal n ended it); the last message.
    Exit(i32),
    /// What was asked for last is done, with this status; behind the set-up: orders are taken now.
    Ended(i32),
}

/// A message that can travel.
pub trait Message: Sized {
    /// Tag and payload.
    fn encode(&self) -> (u8, Vec<u8>);
    /// The reverse; `None` if the tag or the payload makes no sense.
    fn decode(tag: u8, payload: Vec<u8>) -> Option<Self>;
}

impl Message for ToGuest {
    fn encode(&self) -> (u8, Vec<u8>) {
        match self {
            ToGuest::Setup(setup) => (1, serde_json::to_vec(setup).unwrap_or_default()),
            ToGuest::Stdin(bytes) => (2, bytes.clone()),
            ToGuest::Signal(number) => (3, number.to_le_bytes().to_vec()),
            ToGuest::Window(size) => (4, [size.rows.to_le_bytes(), size.columns.to_le_bytes()].concat()),
            ToGuest::Shell(text) => (5, text.clone()),
            ToGuest::Ready(ms) => (6, ms.to_le_bytes().to_vec()),
        }
    }

    fn decode(tag: u8, payload: Vec<u8>) -> Option<Self> {
        Some(match tag {
            1 => ToGuest::Setup(serde_json::from_slice(&payload).ok()?),
            2 => ToGuest::Stdin(payload),
            3 => ToGuest::Signal(i32::from_le_bytes(payload.try_into().ok()?)),
            4 => {
                let [r0, r1, c0, c1]: [u8; 4] = payload.try_into().ok()?;
                ToGuest::Window(WindowSize {
                    rows: u16::from_le_bytes([r0, r1]),
                    columns: u16::from_le_bytes([c0, c1]),
                })
            }
            5 => ToGuest::Shell(payload),
            6 => ToGuest::Ready(u32::from_le_bytes(payload.try_into().ok()?)),
            _ => return None,
        })
    }
}

impl Message for ToHost {
    fn encode(&self) -> (u8, Vec<u8>) {
        match self {
            ToHost::Hello => (1, Vec::new()),
            ToHost::Stdout(bytes) => (2, bytes.clone()),
            ToHost::Stderr(bytes) => (3, bytes.clone()),
            ToHost::Warning(text) => (4, text.clone().into_bytes()),
            ToHost::StdinTaken(count) => (5, count.to_le_bytes().to_vec()),
            ToHost::Exit(status) => (6, status.to_le_bytes().to_vec()),
            ToHost::Ended(status) => (7, status.to_le_bytes().to_vec()),
        }
    }

    fn decode(tag: u8, payload: Vec<u8>) -> Option<Self> {
        Some(match tag {
            1 => ToHost::Hello,
            2 => ToHost::Stdout(payload),
            3 => ToHost::Stderr(payload),
            4 => ToHost::Warning(String::from_utf8(payload).ok()?),
            5 => ToHost::StdinTaken(u32::from_le_bytes(payload.try_into().ok()?)),
            6 => ToHost::Exit(i32::from_le_bytes(payload.try_into().ok()?)),
            7 => ToHost::Ended(i32::from_le_bytes(payload.try_into().ok()?)),
            _ => return None,
        })
    }
}

/// Sends one message, in a single write so that several threads may share the stream under a lock.
///
/// # Errors
/// Those of the stream.
pub fn send(stream: &mut impl Write, message: &impl Message) -> io::Result<()> {
    let (tag, payload) = message.encode();
    let mut bytes = Vec::with_capacity(payload.len() + 5);
    bytes.push(tag);
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&payload);
    stream.write_all(&bytes)?;
    stream.flush()
}

/// Waits for the next message; `None` if the other side has gone.
///
/// # Errors
/// Those of the stream, and `InvalidData` for a message that makes no sense.
pub fn receive<M: Message>(stream: &mut impl Read) -> io::Result<Option<M>> {
    let mut header = [0; 5];
    match stream.read_exact(&mut header) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let [tag, l0, l1, l2, l3] = header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > MAX_MESSAGE {
        return Err(invalid(format!("a message of {length} bytes")));
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    M::decode(tag, payload).map(Some).ok_or_else(|| invalid(format!("a message with tag {tag} that makes no sense")))
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_setup_survives_arguments_that_are_not_utf8() {
        let setup = ToGuest::Setup(Box::new(Setup {
            command: vec![b"echo".to_vec(), vec![0xff, 0xfe]],
            environment: vec![(b"A".to_vec(), vec![0x80])],
            directory: "/tmp".into(),
            out: "/tmp/out".into(),
            terminal: Some(WindowSize { rows: 24, columns: 80 }),
            usbip: "10.0.2.2:3240".parse().ok(),
            devices: vec!["1-1".into()],
        }));
        let mut wire = Vec::new();
        send(&mut wire, &setup).unwrap();
        assert_eq!(receive::<ToGuest>(&mut wire.as_slice()).unwrap(), Some(setup));
    }

    #[test]
    fn messages_keep_their_order_and_the_end_of_the_stream_is_no_error() {
        let sent =
            [ToHost::Hello, ToHost::Stdout(b"a\n".to_vec()), ToHost::StdinTaken(7), ToHost::Ended(1), ToHost::Exit(3)];
        let mut wire = Vec::new();
        for message in &sent {
            send(&mut wire, message).unwrap();
        }
        let mut wire = wire.as_slice();
        for message in sent {
            assert_eq!(receive(&mut wire).unwrap(), Some(message));
        }
        assert_eq!(receive::<ToHost>(&mut wire).unwrap(), None);
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_is_allocated() {
        let wire = [2, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(receive::<ToHost>(&mut wire.as_slice()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_or_a_message_but_never_a_panic(wire in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = receive::<ToHost>(&mut wire.as_slice());
            let _ = receive::<ToGuest>(&mut wire.as_slice());
        }
    }
}
