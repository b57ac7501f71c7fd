//! JTAG commands: `DAP_JTAG_Sequence` (14), `DAP_JTAG_Configure` (15), `DAP_JTAG_IDCODE` (16). The firmware is built
//! without JTAG: they consume their arguments, which matters in `DAP_ExecuteCommands`, and fail.

use super::ERROR;
use super::packet::{Request, Response};

/// `DAP_JTAG_Sequence`.
pub fn sequence(request: &mut Request<'_>, response: &mut Response<'_>) {
    for _ in 0..request.u8() {
        let count = match request.u8() & 0x3f {
            0 => 64,
            count => usize::from(count),
        };
        request.bytes(count.div_ceil(8));
    }
    response.u8(ERROR);
}

/// `DAP_JTAG_Configure`.
pub fn configure(request: &mut Request<'_>, response: &mut Response<'_>) {
    let devices = request.u8();
    request.bytes(usize::from(devices));
    response.u8(ERROR);
}

/// `DAP_JTAG_IDCODE`.
pub fn idcode(request: &mut Request<'_>, response: &mut Response<'_>) {
    request.u8();
    response.u8(ERROR);
}
