//! Commands for the pins: `DAP_SWJ_Pins` (10), `DAP_SWJ_Clock` (11), `DAP_SWJ_Sequence` (12).

use super::packet::{Request, Response};
use super::port::SwdPort;
use super::{ERROR, OK};

const SWCLK: u8 = 0;
const SWDIO: u8 = 1;
const NRESET: u8 = 7;
/// TDI and nTRST do not exist: writing them does nothing, and they read 0.
const ABSENT: [u8; 2] = [2, 5];

/// Longest wait of `DAP_SWJ_Pins`, in microseconds.
const MAX_WAIT: u32 = 3_000_000;

/// One turn of the loop that waits for the pins, in cycles.
const POLL: u64 = 32;

/// `DAP_SWJ_Pins`: output values, which pins to set, microseconds to wait for them to follow. Answers with the pins.
///
/// The comparison is the original's, which takes all of the output byte from the pin's bit up, and a microsecond as
/// 100 cycles where an nRF52820 makes 64: a wait for a pin that has any other bit above it lasts to its end. Without a
/// timer the pins are looked at once.
pub async fn pins(port: &mut SwdPort, timer: bool, request: &mut Request<'_>, response: &mut Response<'_>) {
    let (value, select, wait) = (request.u8(), request.u8(), request.u32());
    let selected = |pin: u8| select >> pin & 1 == 1;
    if selected(SWCLK) {
        port.set_swclk(value & 1 == 1).await;
    }
    if selected(SWDIO) {
        port.set_swdio(value >> SWDIO & 1 == 1);
    }
    if selected(NRESET) {
        port.set_nreset(value >> NRESET & 1 == 1);
    }
    let timing = port.table().timing;
    let turns = if timer { u64::from(wait.min(MAX_WAIT)) * 100 } else { u64::from(wait.min(1)) };
    let deadline = port.now() + timing.cycles(turns);
    while wait != 0 && port.now() < deadline {
        let follows = |pin: u8, level: bool| !selected(pin) || value >> pin == u8::from(level);
        if follows(SWCLK, port.swclk())
            && follows(SWDIO, port.swdio())
            && follows(NRESET, port.nreset())
            && ABSENT.iter().all(|&pin| follows(pin, false))
        {
            break;
        }
        port.sleep(timing.cycles(POLL)).await;
    }
    let levels = [(SWCLK, port.swclk()), (SWDIO, port.swdio()), (NRESET, port.nreset())];
    response.u8(levels.into_iter().fold(0, |byte, (pin, level)| byte | u8::from(level) << pin));
}

/// `DAP_SWJ_Clock`, in hertz; 0 is an error.
pub fn clock(port: &mut SwdPort, request: &mut Request<'_>, response: &mut Response<'_>) {
    match port.table().timing.swj_clock(request.u32()) {
        Some(clock) => {
            port.settings.clock = clock;
            response.u8(OK);
        }
        None => response.u8(ERROR),
    }
}

/// `DAP_SWJ_Sequence`: 1 to 256 (given as 0) bits to clock out.
pub async fn sequence(port: &mut SwdPort, request: &mut Request<'_>, response: &mut Response<'_>) {
    let mut count = match request.u8() {
        0 => 256,
        count => u32::from(count),
    };
    while count > 0 {
        let chunk = count.min(64);
        port.write_bits(request.bits(chunk), chunk).await;
        count -= chunk;
    }
    response.u8(OK);
}
