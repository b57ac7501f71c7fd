//! DAPLink's own commands (80–9F): the serial port and the drive without their USB functions, as WebUSB pages use them.
//!
//! A response begins with the command byte. Commands that are not listed here answer with that byte alone.

use std::future::Future;
use std::ops::RangeInclusive;

use super::OK;
use super::packet::{Request, Response};
use crate::daplink::cdc::{Cdc, LineCoding};
use crate::daplink::shared::Core;
use crate::daplink::swd_host::TargetState;

/// The commands of this file.
pub const COMMANDS: RangeInclusive<u8> = 0x80..=0x9f;

/// Most bytes that UART_Read returns.
const UART_READ_MAX: usize = 62;

/// What DAPLink's commands reach beside the target.
pub trait Services: Send {
    /// The serial port.
    fn cdc(&mut self) -> &mut Cdc;

    /// SetUSBTestMode: wait a 10 ms tick before each batch of USB events.
    fn usb_test_mode(&mut self, on: bool);

    /// Begins a transfer to the target as the drive would do it; `kind` 0 is a .bin, 1 a .hex. Answers with an error
    /// code ([`crate::daplink::error`]), as the next two do.
    fn stream_open(&mut self, core: &mut Core, kind: u8) -> impl Future<Output = u8> + Send;

    /// Goes on with the transfer.
    fn stream_write(&mut self, core: &mut Core, data: &[u8]) -> impl Future<Output = u8> + Send;

    /// Ends the transfer.
    fn stream_close(&mut self, core: &mut Core) -> impl Future<Output = u8> + Send;
}

/// `DAP_ProcessVendorCommand`.
pub async fn process<S: Services>(
    core: &mut Core,
    services: &mut S,
    command: u8,
    request: &mut Request<'_>,
    response: &mut Response<'_>,
) {
    response.u8(command);
    match command {
        0x80 => {
            response.u8(core.serial.len() as u8);
            response.bytes(core.serial.as_bytes());
        }
        0x81 => {
            response.bytes(&services.cdc().line_coding().to_bytes());
            // The original counts one byte more than it writes.
            response.reserve(1);
        }
        0x82 => {
            let baud = request.u32();
            let cdc = services.cdc();
            let coding = LineCoding { baud, ..cdc.line_coding() };
            cdc.set_line_coding(core, coding);
            cdc.end_break(core);
            response.u8(1);
        }
        0x83 => uart_read(core, response),
        0x84 => {
            let count = request.u8();
            core.uart.write(core.clock.now(), request.bytes(usize::from(count)));
            core.lamp.blink();
            response.u8(1);
        }
        0x88 => {
            let on = request.u8();
            if on <= 1 {
                services.usb_test_mode(on == 1);
            }
            response.u8(u8::from(on <= 1));
        }
        0x89 => {
            if !core.settings.settings().auto_reset {
                // The answer is the same whether that worked or not.
                core.set_target_state(TargetState::ResetRun).await;
            }
            response.u8(1);
        }
        0x8a => {
            let kind = request.u8();
            response.u8(services.stream_open(core, kind).await);
        }
        0x8b => response.u8(services.stream_close(core).await),
        0x8c => {
            let count = request.u8();
            core.lamp.blink();
            response.u8(services.stream_write(core, request.bytes(usize::from(count))).await);
        }
        0x8d if core.config.personality().dap.erase_mode => {
            core.page_erase = request.u8() != 0;
            response.u8(OK);
        }
        _ => {}
    }
}

fn uart_read(core: &mut Core, response: &mut Response<'_>) {
    let mut data = [0; UART_READ_MAX];
    let count = core.uart.read(core.clock.now(), &mut data);
    if count > 0 {
        core.lamp.blink();
    }
    response.u8(count as u8);
    response.bytes(&data[..count]);
}
