//! SWD commands: `DAP_SWD_Configure` (13), `DAP_SWD_Sequence` (1D).

use super::OK;
use super::packet::{Request, Response};
use super::port::SwdPort;

/// `DAP_SWD_Configure`: turnaround in bits 1:0 (clocks less one), data phase on WAIT and FAULT in bit 2.
pub fn configure(port: &mut SwdPort, request: &mut Request<'_>, response: &mut Response<'_>) {
    let configuration = request.u8();
    port.settings.turnaround = (configuration & 3) + 1;
    port.settings.data_phase = configuration & 4 != 0;
    response.u8(OK);
}

/// `DAP_SWD_Sequence`: runs of 1 to 64 (given as 0) bits; bit 7 of a run's first byte is its direction, 1 in.
pub async fn sequence(port: &mut SwdPort, request: &mut Request<'_>, response: &mut Response<'_>) {
    response.u8(OK);
    for _ in 0..request.u8() {
        let run = request.u8();
        let count = match run & 0x3f {
            0 => 64,
            count => u32::from(count),
        };
        if run & 0x80 != 0 {
            let bits = port.read_bits(count).await;
            response.bytes(&bits.to_le_bytes()[..count.div_ceil(8) as usize]);
        } else {
            port.write_bits(request.bits(count), count).await;
        }
    }
}
