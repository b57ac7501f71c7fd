//! `DAP_Info` (00): who the probe is and what it can do.
//!
//! Strings are reported with their terminating NUL, which counts; length 0 means "not available".

use super::packet::{PACKET_SIZE, Request, Response};
use crate::daplink::shared::Core;

/// Longest string, its NUL included.
const MAX_STRING: usize = 60;

/// `DAP_FW_VER`: the version of the protocol.
const PROTOCOL_VERSION: &str = "2.1.0";

/// Bit 0 SWD, bit 4 atomic commands, bit 5 test domain timer; no JTAG (1), no SWO (2, 3, 6), no UART (7).
const CAPABILITIES: u8 = 0x31;

/// Hertz. The counter is DWT CYCCNT at 64 MHz, but this is what the firmware says.
const TIMESTAMP_CLOCK: u32 = 100_000_000;

/// Packets that a function's queue holds.
pub const PACKET_COUNT: usize = 8;

/// `DAP_Info`: id in; length and value out.
pub fn info(core: &Core, request: &mut Request<'_>, response: &mut Response<'_>) {
    match request.u8() {
        0x02 => string(response, "DAPLink CMSIS-DAP"),
        0x03 => string(response, &core.serial),
        0x04 => string(response, PROTOCOL_VERSION),
        0x05 => string(response, "NordicSemiconductor"),
        0x06 => string(response, "nRF52833_xxAA"),
        0x07 => string(response, "Micro:bit Educational Foundation"),
        0x08 => string(response, "BBC micro:bit V2"),
        0x09 => string(response, &format!("{:04}", core.config.version)),
        0xf0 => value(response, &[CAPABILITIES]),
        0xf1 => value(response, &TIMESTAMP_CLOCK.to_le_bytes()),
        0xfe => value(response, &[PACKET_COUNT as u8]),
        0xff => value(response, &(PACKET_SIZE as u16).to_le_bytes()),
        // 01 is the vendor, which is empty.
        _ => value(response, &[]),
    }
}

fn value(response: &mut Response<'_>, bytes: &[u8]) {
    response.u8(bytes.len() as u8);
    response.bytes(bytes);
}

fn string(response: &mut Response<'_>, text: &str) {
    let text = &text.as_bytes()[..text.len().min(MAX_STRING - 1)];
    response.u8(text.len() as u8 + 1);
    response.bytes(text);
    response.u8(0);
}
