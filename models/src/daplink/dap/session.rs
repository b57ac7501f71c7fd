//! General commands: `DAP_HostStatus` (01), `DAP_Connect` (02), `DAP_Disconnect` (03), `DAP_Delay` (09),
//! `DAP_ResetTarget` (0A).

use super::packet::{Request, Response};
use super::port::{DebugPort, SwdPort};
use super::{ERROR, OK};

/// `DAP_HostStatus`: which lamp, on or off. The board has neither; only the number of the lamp is checked.
pub fn host_status(request: &mut Request<'_>, response: &mut Response<'_>) {
    let lamp = request.u8();
    request.u8();
    response.u8(if lamp <= 1 { OK } else { ERROR });
}

/// `DAP_Connect`: 1 is SWD, 0 the default port, which is SWD too. Answers with the port, 0 if there is no such.
pub fn connect(port: &mut SwdPort, request: &mut Request<'_>, response: &mut Response<'_>) {
    const SWD: u8 = 1;
    if matches!(request.u8(), 0 | SWD) {
        port.settings.debug_port = DebugPort::Swd;
        port.setup();
        response.u8(SWD);
    } else {
        response.u8(0);
    }
}

/// `DAP_Disconnect`: the pins become high impedance.
pub fn disconnect(port: &mut SwdPort, response: &mut Response<'_>) {
    port.settings.debug_port = DebugPort::Disabled;
    port.off();
    response.u8(OK);
}

/// `DAP_Delay`, in microseconds.
pub async fn delay(port: &mut SwdPort, request: &mut Request<'_>, response: &mut Response<'_>) {
    port.sleep(port.table().timing.delay(request.u16())).await;
    response.u8(OK);
}

/// `DAP_ResetTarget`: done, and 0: "no device specific reset". It does not reset the target.
pub fn reset_target(response: &mut Response<'_>) {
    response.bytes(&[OK, 0]);
}
