//! `DAP_Info` (00): who the probe is and what it can do.
//!
//! Strings are reported with their terminating NUL, which counts; length 0 means "not available".

use super::packet::{Request, Response};
use crate::daplink::personality::Info;
use crate::daplink::shared::Core;

/// Longest string, its NUL included.
const MAX_STRING: usize = 60;

/// `DAP_Info`: id in; length and value out.
pub fn info(core: &Core, request: &mut Request<'_>, response: &mut Response<'_>) {
    let table = &core.config.personality().dap;
    let id = request.u8();
    match table.info.iter().find(|(known, _)| *known == id) {
        Some((_, Info::Text(text))) => string(response, text),
        Some((_, Info::Serial)) => string(response, &core.serial),
        Some((_, Info::Version)) => string(response, &format!("{:04}", core.config.version)),
        Some((_, Info::Bytes(bytes))) => value(response, bytes),
        Some((_, Info::PacketCount)) => value(response, &[core.config.packets() as u8]),
        None => value(response, &[]),
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
