//! The other end of the control socket, for `twinboard ctl`.

use std::io::{self, BufRead, BufReader, Write};

use socket2::Socket;
use twinboard_models::board::control::{Hello, Message, Request, Response, VERSION};

use super::Endpoint;

/// The longest line of a server that is believed, in bytes.
const MAX_LINE: u64 = 4 << 20;

/// Why a server cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there, or the connection broke.
    #[error("{endpoint}: {source}")]
    Connection {
        /// Where.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// It is no control server.
    #[error("{endpoint}: a control server's line was expected, not {line}")]
    Line {
        /// Where.
        endpoint: String,
        /// What came.
        line: String,
    },
    /// It speaks another version.
    #[error("{endpoint} speaks version {version} of the protocol, this is version {VERSION}")]
    Version {
        /// Where.
        endpoint: String,
        /// Its version.
        version: u32,
    },
    /// It turned us away.
    #[error("{endpoint}: {reason}")]
    TurnedAway {
        /// Where.
        endpoint: String,
        /// Why.
        reason: String,
    },
}

/// A connection to a control server.
pub struct Client {
    endpoint: String,
    input: BufReader<Socket>,
    output: Socket,
    /// What the server said first.
    pub hello: Hello,
}

impl Client {
    /// Connects to the server at `endpoint`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect(endpoint: &Endpoint) -> Result<Client, ClientError> {
        let name = endpoint.to_string();
        let failed = |source| ClientError::Connection { endpoint: name.clone(), source };
        let output = endpoint.connect().map_err(failed)?;
        let input = BufReader::new(output.try_clone().map_err(failed)?);
        let hello = Hello { version: VERSION, boards: Vec::new() };
        let mut client = Client { endpoint: name, input, output, hello };
        match client.receive()? {
            Message::Hello(hello) if hello.version == VERSION => client.hello = hello,
            Message::Hello(Hello { version, .. }) => {
                return Err(ClientError::Version { endpoint: client.endpoint, version });
            }
            Message::Response(Response { error: Some(error), .. }) => {
                return Err(ClientError::TurnedAway { endpoint: client.endpoint, reason: error.message });
            }
            other => {
                let line = other.to_line().trim_end().to_string();
                return Err(ClientError::Line { endpoint: client.endpoint, line });
            }
        }
        Ok(client)
    }

    /// Sends a request and waits for its response. Events that come before it are left out.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn ask(&mut self, request: &Request) -> Result<Response, ClientError> {
        let line = request.to_line() + "\n";
        self.output
            .write_all(line.as_bytes())
            .map_err(|source| ClientError::Connection { endpoint: self.endpoint.clone(), source })?;
        loop {
            if let Message::Response(response) = self.receive()? {
                return Ok(response);
            }
        }
    }

    /// The server's next line.
    ///
    /// # Errors
    /// [`ClientError`]; also if the server has ended.
    pub fn receive(&mut self) -> Result<Message, ClientError> {
        let mut line = String::new();
        let failed = |source| ClientError::Connection { endpoint: self.endpoint.clone(), source };
        let count = io::Read::take(&mut self.input, MAX_LINE).read_line(&mut line).map_err(failed)?;
        if count == 0 {
            return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, "the server has ended")));
        }
        serde_json::from_str(&line).map_err(|_| ClientError::Line {
            endpoint: self.endpoint.clone(),
            line: line.chars().take(80).collect::<String>().trim_end().to_string(),
        })
    }
}
