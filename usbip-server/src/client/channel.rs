//! The URB channel of an imported device.

use std::collections::HashMap;
use std::io::{Read, Write};

use zerocopy::IntoBytes;

use super::{ClientError, read};
use crate::proto::MAX_OUT;
use crate::proto::wire::{
    CMD_SUBMIT, CMD_UNLINK, CmdSubmit, CmdUnlink, RET_SUBMIT, RET_UNLINK, RetSubmit, URB_DIR_IN, URB_ZERO_PACKET,
    UrbHeader,
};
use crate::vhc::Urb;

/// An answer of the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// How a submit ended.
    Submit {
        /// Its sequence number.
        seqnum: u32,
        /// 0, or a negative Linux error number.
        status: i32,
        /// Bytes that moved.
        actual: u32,
        /// What was read.
        data: Vec<u8>,
    },
    /// How an unlink ended.
    Unlink {
        /// The unlink's own sequence number.
        seqnum: u32,
        /// −104 if its victim was taken back, 0 if that had been answered before.
        status: i32,
    },
}

/// Submits and unlinks over any stream, and collects the answers.
#[derive(Debug)]
pub struct Channel<S> {
    stream: S,
    devid: u32,
    seqnum: u32,
    /// Room for the data of each read in flight.
    reads: HashMap<u32, u32>,
    out: Vec<u8>,
}

impl<S: Read + Write> Channel<S> {
    /// A channel over a stream whose import succeeded.
    pub fn new(stream: S, devid: u32) -> Channel<S> {
        Channel { stream, devid, seqnum: 0, reads: HashMap::new(), out: Vec::new() }
    }

    /// The stream.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Gives the stream back.
    pub fn into_stream(self) -> S {
        self.stream
    }

    fn header(&mut self, command: u32) -> UrbHeader {
        self.seqnum = self.seqnum.wrapping_add(1);
        UrbHeader {
            command: command.into(),
            seqnum: self.seqnum.into(),
            devid: self.devid.into(),
            ..UrbHeader::default()
        }
    }

    /// Queues a submit of this URB (its id does not matter) until [`Channel::flush`]; the answer is its sequence
    /// number.
    pub fn queue(&mut self, urb: &Urb) -> u32 {
        let is_in = urb.is_in();
        let length = if is_in { urb.length } else { urb.buffer.len() };
        let mut header = self.header(CMD_SUBMIT);
        header.direction = u32::from(is_in).into();
        header.ep = u32::from(urb.endpoint & 0x0f).into();
        let mut flags = if is_in { URB_DIR_IN } else { 0 };
        if urb.zero_packet {
            flags |= URB_ZERO_PACKET;
        }
        let message = CmdSubmit {
            header,
            transfer_flags: flags.into(),
            transfer_buffer_length: (length as u32).into(),
            setup: urb.setup.unwrap_or_default(),
            ..CmdSubmit::default()
        };
        self.out.extend_from_slice(message.as_bytes());
        if is_in {
            self.reads.insert(self.seqnum, length as u32);
        } else {
            self.out.extend_from_slice(&urb.buffer);
        }
        self.seqnum
    }

    /// Sends what is queued.
    ///
    /// # Errors
    /// If the stream fails.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    /// Submits a URB and says its sequence number.
    ///
    /// # Errors
    /// If the stream fails.
    pub fn submit(&mut self, urb: &Urb) -> Result<u32, ClientError> {
        let seqnum = self.queue(urb);
        self.flush()?;
        Ok(seqnum)
    }

    /// Asks for a submit back and says the sequence number of the unlink.
    ///
    /// # Errors
    /// If the stream fails.
    pub fn unlink(&mut self, victim: u32) -> Result<u32, ClientError> {
        let header = self.header(CMD_UNLINK);
        let message = CmdUnlink { header, unlink_seqnum: victim.into(), padding: [0; 24] };
        self.out.extend_from_slice(message.as_bytes());
        self.flush()?;
        Ok(self.seqnum)
    }

    /// Waits for the next answer.
    ///
    /// # Errors
    /// If the stream fails or ends, or the answer makes no sense.
    pub fn receive(&mut self) -> Result<Reply, ClientError> {
        // All four messages have the same length and the same first words.
        let message: RetSubmit = read(&mut self.stream)?;
        let (seqnum, status) = (message.header.seqnum.get(), message.status.get() as i32);
        match message.header.command.get() {
            RET_SUBMIT => {
                let actual = message.actual_length.get();
                let room = self.reads.remove(&seqnum);
                let mut data = Vec::new();
                if let Some(room) = room {
                    if actual > room || u64::from(actual) > 16 * MAX_OUT {
                        return Err(ClientError::Protocol("more data than asked for"));
                    }
                    data.resize(actual as usize, 0);
                    self.stream.read_exact(&mut data)?;
                }
                Ok(Reply::Submit { seqnum, status, actual, data })
            }
            RET_UNLINK => Ok(Reply::Unlink { seqnum, status }),
            _ => Err(ClientError::Protocol("unknown answer")),
        }
    }

    /// Submits a URB and waits for its answer: status, bytes moved, data read. Others in flight must not be.
    ///
    /// # Errors
    /// If the stream fails, or something else is answered.
    pub fn transfer(&mut self, urb: &Urb) -> Result<(i32, u32, Vec<u8>), ClientError> {
        let sent = self.submit(urb)?;
        match self.receive()? {
            Reply::Submit { seqnum, status, actual, data } if seqnum == sent => Ok((status, actual, data)),
            _ => Err(ClientError::Protocol("answer to something else")),
        }
    }
}
