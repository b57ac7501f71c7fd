//! The CMSIS-DAP command processor.
//!
//! CMSIS-DAP is how a debugger on a PC clocks SWD over USB: packets of up to 64 bytes, each a command and its
//! arguments, each answered by a packet that begins with the same command byte. Three USB functions carry them: HID
//! reports (version 1), HID class requests on endpoint 0 (WebUSB) and a pair of bulk endpoints (version 2). They have
//! their own queues ([`queue`]) and share everything else, as requests are executed one at a time in the firmware's
//! main loop.
//!
//! One file per group of commands, as in the CMSIS-DAP manual's chapters; [`execute`] is `DAP_ExecuteCommand`.
//!
//! | file | commands |
//! |---|---|
//! | [`info`] | 00 |
//! | [`session`] | 01 HostStatus, 02 Connect, 03 Disconnect, 09 Delay, 0A ResetTarget |
//! | [`swj`] | 10 SWJ_Pins, 11 SWJ_Clock, 12 SWJ_Sequence |
//! | [`swd`] | 13 SWD_Configure, 1D SWD_Sequence |
//! | [`jtag`] | 14–16: not compiled in |
//! | [`transfer`] | 04 TransferConfigure, 05 Transfer, 06 TransferBlock, 08 WriteABORT |
//! | [`vendor`] | 80–9F DAPLink's own |
//!
//! `DAP_TransferAbort` (07) has no case here: over HID it is taken out of the stream before it gets this far
//! ([`queue::DapFunction::is_abort`]), over bulk it is an unknown command. As nothing else runs while a command is
//! executed, it never interrupts one.

pub mod info;
pub mod jtag;
pub mod packet;
pub mod port;
pub mod queue;
pub mod session;
pub mod swd;
pub mod swj;
pub mod timing;
pub mod transfer;
pub mod vendor;

#[cfg(test)]
mod tests;

use packet::{PACKET_SIZE, Request, Response};
pub use vendor::Services;

use super::shared::Core;

/// The status byte of a command that was done (`DAP_OK`).
pub const OK: u8 = 0x00;
/// The status byte of a command that failed (`DAP_ERROR`), and the answer to an unknown command (`ID_DAP_Invalid`).
pub const ERROR: u8 = 0xff;

/// `DAP_ExecuteCommands`: several commands in one packet.
const EXECUTE_COMMANDS: u8 = 0x7f;

/// Executes the command or commands in `request`; the response goes to `packet`, and its length is returned. Bytes of
/// `packet` beyond it stay.
pub async fn execute<S: Services>(
    core: &mut Core,
    services: &mut S,
    request: &[u8],
    packet: &mut [u8; PACKET_SIZE],
) -> usize {
    let (mut request, mut response) = (Request::new(request), Response::new(packet));
    let first = request.u8();
    if first == EXECUTE_COMMANDS {
        response.u8(EXECUTE_COMMANDS);
        let count = request.u8();
        response.u8(count);
        for _ in 0..count {
            let command = request.u8();
            process(core, services, command, &mut request, &mut response).await;
        }
    } else {
        process(core, services, first, &mut request, &mut response).await;
    }
    response.length()
}

/// `DAP_ProcessCommand`: one command whose first byte was `command`.
async fn process<S: Services>(
    core: &mut Core,
    services: &mut S,
    command: u8,
    request: &mut Request<'_>,
    response: &mut Response<'_>,
) {
    if vendor::COMMANDS.contains(&command) {
        return vendor::process(core, services, command, request, response).await;
    }
    let echo = response.reserve(1);
    response.set(echo, command);
    let table = &core.config.personality().dap;
    let port = &mut core.swd.port;
    match command {
        0x00 => info::info(core, request, response),
        0x01 => session::host_status(request, response),
        0x02 => session::connect(port, request, response),
        0x03 => session::disconnect(port, response),
        0x04 => transfer::configure(port, request, response),
        0x05 => transfer::transfer(port, table.timestamps, request, response).await,
        0x06 => transfer::transfer_block(port, request, response).await,
        0x08 => transfer::write_abort(port, request, response).await,
        0x09 => session::delay(port, request, response).await,
        0x0a => session::reset_target(response),
        0x10 => swj::pins(port, table.timestamps, request, response).await,
        0x11 => swj::clock(port, request, response),
        0x12 => swj::sequence(port, request, response).await,
        0x13 => swd::configure(port, request, response),
        0x14 => jtag::sequence(request, response),
        0x15 => jtag::configure(request, response),
        0x16 => jtag::idcode(request, response),
        0x1d if table.swd_sequence => swd::sequence(port, request, response).await,
        // SWO (17–1C), UART (1F–23), TransferAbort (07), QueueCommands (7E), extended vendor commands (A0–FE).
        _ => response.set(echo, ERROR),
    }
}
