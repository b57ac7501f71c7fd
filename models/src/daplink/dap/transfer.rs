//! Transfer commands: `DAP_TransferConfigure` (04), `DAP_Transfer` (05), `DAP_TransferBlock` (06), `DAP_WriteABORT`
//! (08).
//!
//! A read of an access port is posted: the wire gives the result of the read before it (Arm IHI 0031, "AP access").
//! A debugger does not see that: the firmware issues the read, and fetches its result with the next AP read, or with
//! RDBUFF if something else follows. After the last write it reads RDBUFF too, so that a bus error of that write is
//! in the same response.

use twinboard_sim::debug::SwdRequest;

use super::packet::{Request, Response};
use super::port::{Ack, DebugPort, SwdPort};
use super::{ERROR, OK};

const RDBUFF: SwdRequest = SwdRequest { ap: false, read: true, address: 0xc };
const WRITE_ABORT: SwdRequest = SwdRequest { ap: false, read: false, address: 0x0 };

/// The first byte of one transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Transfer {
    register: SwdRequest,
    /// Bit 4 of a read: repeat until the value, under the mask, is the one that follows.
    match_value: bool,
    /// Bit 5 of a write: the data is the mask; nothing goes over the wire.
    match_mask: bool,
    /// Bit 7: the response has the time of the transfer.
    timestamp: bool,
}

impl Transfer {
    fn parse(byte: u8) -> Transfer {
        let read = byte & 0x02 != 0;
        Transfer {
            register: SwdRequest { ap: byte & 0x01 != 0, read, address: byte & 0x0c },
            match_value: read && byte & 0x10 != 0,
            match_mask: !read && byte & 0x20 != 0,
            timestamp: byte & 0x80 != 0,
        }
    }

    /// Whether the data of the read before it may come with it.
    fn fetches_posted(self) -> bool {
        self.register.ap && self.register.read && !self.match_value
    }

    /// Whether four bytes of the request belong to it.
    fn has_data(self) -> bool {
        !self.register.read || self.match_value
    }
}

/// `DAP_TransferConfigure`: idle cycles, WAIT retries, match retries.
pub fn configure(port: &mut SwdPort, request: &mut Request<'_>, response: &mut Response<'_>) {
    port.settings.idle_cycles = request.u8();
    port.settings.retry_count = request.u16();
    port.settings.match_retry = request.u16();
    response.u8(OK);
}

/// `DAP_WriteABORT`: the value for DP ABORT.
pub async fn write_abort(port: &mut SwdPort, request: &mut Request<'_>, response: &mut Response<'_>) {
    request.u8();
    let value = request.u32();
    if port.settings.debug_port == DebugPort::Disabled {
        return response.u8(ERROR);
    }
    port.transfer(WRITE_ABORT, value).await;
    response.u8(OK);
}

/// `DAP_Transfer`: up to 255 reads and writes of registers. Answers with how many were done, the last acknowledge,
/// and what was read.
pub async fn transfer(port: &mut SwdPort, stamps: bool, request: &mut Request<'_>, response: &mut Response<'_>) {
    request.u8();
    let count = request.u8();
    let done_at = response.reserve(2);
    if port.settings.debug_port == DebugPort::Disabled {
        skip(request, count);
        response.set(done_at, 0);
        return response.set(done_at + 1, 0);
    }
    let mut run = Run { port, stamps, request, response, posted: false, unchecked_write: false };
    let (mut done, mut status) = (0, 0);
    for _ in 0..count {
        let transfer = Transfer::parse(run.request.u8());
        status = run.one(transfer).await;
        if status != Ack::OK.0 {
            break;
        }
        done += 1;
    }
    if status == Ack::OK.0 {
        status = run.finish().await;
    }
    // Those after a transfer that failed are canceled. The original counts the failed one among them, so that it
    // consumes one more than there are; one notices that only within `DAP_ExecuteCommands`.
    skip(request, count - done);
    response.set(done_at, done);
    response.set(done_at + 1, status);
}

fn skip(request: &mut Request<'_>, count: u8) {
    for _ in 0..count {
        if Transfer::parse(request.u8()).has_data() {
            request.u32();
        }
    }
}

/// A `DAP_Transfer` under way.
struct Run<'a, 'q, 'r> {
    port: &'a mut SwdPort,
    /// There is a timer for time stamps.
    stamps: bool,
    request: &'a mut Request<'q>,
    response: &'a mut Response<'r>,
    /// An AP read's result is still to be fetched.
    posted: bool,
    /// The last transfer was a write.
    unchecked_write: bool,
}

impl Run<'_, '_, '_> {
    async fn access(&mut self, register: SwdRequest, data: u32) -> (u8, u32) {
        let retries = self.port.settings.retry_count;
        let (ack, data) = self.port.transfer_retry(register, data, retries).await;
        (ack.0, data)
    }

    /// One transfer; its acknowledge.
    async fn one(&mut self, transfer: Transfer) -> u8 {
        if self.posted {
            let next = transfer.fetches_posted();
            let (status, value) = self.access(if next { transfer.register } else { RDBUFF }, 0).await;
            self.posted = next && status == Ack::OK.0;
            if status != Ack::OK.0 {
                return status;
            }
            self.response.u32(value);
            if self.posted {
                self.stamp(transfer);
                return status;
            }
        }
        let data = if transfer.has_data() { self.request.u32() } else { 0 };
        let status = if transfer.match_value {
            self.match_value(transfer.register, data).await
        } else if transfer.match_mask {
            self.port.settings.match_mask = data;
            return Ack::OK.0;
        } else {
            self.plain(transfer, data).await
        };
        self.unchecked_write = !transfer.register.read;
        status
    }

    /// A read or write without a posted read before it.
    async fn plain(&mut self, transfer: Transfer, data: u32) -> u8 {
        let (status, value) = self.access(transfer.register, data).await;
        if status == Ack::OK.0 {
            self.stamp(transfer);
            match transfer.register {
                SwdRequest { read: true, ap: true, .. } => self.posted = true,
                SwdRequest { read: true, ap: false, .. } => self.response.u32(value),
                SwdRequest { read: false, .. } => {}
            }
        }
        status
    }

    async fn match_value(&mut self, register: SwdRequest, expected: u32) -> u8 {
        if register.ap {
            let (status, _) = self.access(register, 0).await;
            if status != Ack::OK.0 {
                return status;
            }
        }
        let mask = self.port.settings.match_mask;
        let mut retries = self.port.settings.match_retry;
        loop {
            let (status, value) = self.access(register, 0).await;
            let mismatch = if value & mask == expected { 0 } else { Ack::MISMATCH };
            if status != Ack::OK.0 || mismatch == 0 || retries == 0 {
                return status | mismatch;
            }
            retries -= 1;
        }
    }

    /// After the last transfer: the result of a posted read, or the fate of a write.
    async fn finish(&mut self) -> u8 {
        if !self.posted && !self.unchecked_write {
            return Ack::OK.0;
        }
        let (status, value) = self.access(RDBUFF, 0).await;
        if self.posted && status == Ack::OK.0 {
            self.response.u32(value);
        }
        status
    }

    fn stamp(&mut self, transfer: Transfer) {
        if self.stamps && transfer.timestamp {
            self.response.u32(self.port.table().timing.timestamp(self.port.now()));
        }
    }
}

/// `DAP_TransferBlock`: one register, read or written up to 65535 times.
pub async fn transfer_block(port: &mut SwdPort, request: &mut Request<'_>, response: &mut Response<'_>) {
    request.u8();
    let count = request.u16();
    let transfer = Transfer::parse(request.u8());
    let done_at = response.reserve(3);
    let (done, status) = if port.settings.debug_port == DebugPort::Disabled {
        if !transfer.register.read {
            request.bytes(usize::from(count) * 4);
        }
        (0, 0)
    } else if count == 0 {
        (0, 0)
    } else if transfer.register.read {
        read_block(port, transfer.register, count, response).await
    } else {
        write_block(port, transfer.register, count, request).await
    };
    let [low, high] = done.to_le_bytes();
    response.set(done_at, low);
    response.set(done_at + 1, high);
    response.set(done_at + 2, status);
}

async fn read_block(port: &mut SwdPort, register: SwdRequest, count: u16, response: &mut Response<'_>) -> (u16, u8) {
    let retries = port.settings.retry_count;
    if register.ap {
        let (ack, _) = port.transfer_retry(register, 0, retries).await;
        if ack != Ack::OK {
            return (0, ack.0);
        }
    }
    for done in 0..count {
        let last = register.ap && done + 1 == count;
        let (ack, value) = port.transfer_retry(if last { RDBUFF } else { register }, 0, retries).await;
        if ack != Ack::OK {
            return (done, ack.0);
        }
        response.u32(value);
    }
    (count, Ack::OK.0)
}

async fn write_block(port: &mut SwdPort, register: SwdRequest, count: u16, request: &mut Request<'_>) -> (u16, u8) {
    let retries = port.settings.retry_count;
    for done in 0..count {
        let (ack, _) = port.transfer_retry(register, request.u32(), retries).await;
        if ack != Ack::OK {
            request.bytes(usize::from(count - done - 1) * 4);
            return (done, ack.0);
        }
    }
    let (ack, _) = port.transfer_retry(RDBUFF, 0, retries).await;
    (count, ack.0)
}
