//! Properties of the board, at address 0x70: which firmware this is, where the power comes from, what to do with it.
//!
//! | command | bytes | response |
//! |---|---|---|
//! | read | `10 property` | `11 property size data…` |
//! | write | `12 property size data…` | `13 property` |
//!
//! An error is `20 code`. Events of the board come as the response to a read of property 9 that nobody asked for.

use super::{Command, ERROR, PROTOCOL_VERSION};
use crate::daplink::shared::Core;

/// Where it is on the bus.
pub const ADDRESS: u8 = 0x70;

/// A write that wakes the chip and does nothing else.
pub const NOP: u8 = 0x00;
const READ: u8 = 0x10;
const READ_RESPONSE: u8 = 0x11;
const WRITE: u8 = 0x12;
const WRITE_RESPONSE: u8 = 0x13;

const BOARD: u8 = 1;
const PROTOCOL: u8 = 2;
const FIRMWARE: u8 = 3;
const POWER_SOURCE: u8 = 4;
const VOLTAGES: u8 = 5;
const USB_STATE: u8 = 6;
const POWER_MODE: u8 = 7;
const LED_IN_SLEEP: u8 = 8;
const USER_EVENT: u8 = 9;
const AUTOMATIC_SLEEP: u8 = 10;

/// The only power mode that can be asked for: off.
const POWER_DOWN: u8 = 8;

/// Bytes of a response, whatever is in it.
const RESPONSE: usize = 11;

/// Why a command is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    UnknownCommand = 0x32,
    CommandNotAllowed = 0x33,
    UnknownProperty = 0x34,
    WrongSize = 0x35,
    ReadNotAllowed = 0x36,
    WriteNotAllowed = 0x37,
    WriteFailed = 0x38,
}

/// The state of the USB connection, as property 6 tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UsbState {
    /// No cable, or a charger.
    #[default]
    Disconnected = 0,
    /// The pull-up is about to be switched on.
    Connecting = 1,
    /// A host has configured the device.
    Connected = 2,
    /// The pull-up is on, no host has configured the device yet.
    Checking = 3,
}

/// What the target is told without having asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserEvent {
    /// The chip woke up because a USB cable was plugged in.
    UsbInserted = 2,
    /// The reset button was held for more than 2.4 s.
    LongPress = 3,
}

/// Executes a command.
pub(super) fn execute(core: &mut Core, command: &Command) {
    let [id, property, size, first, ..] = command.bytes;
    let result = match id {
        READ => read(core, property),
        READ_RESPONSE => Err(Refusal::CommandNotAllowed),
        WRITE => write(core, property, size, first),
        // Responses: nothing is done, but the line is pulled all the same.
        WRITE_RESPONSE | ERROR => Ok([0; RESPONSE]),
        _ => Err(Refusal::UnknownCommand),
    };
    let response = result.unwrap_or_else(|refusal| {
        let mut response = [0; RESPONSE];
        // A refused read has the property's number overwritten by the code.
        (response[0], response[1]) = (ERROR, refusal as u8);
        response
    });
    core.io.i2c.respond(|buffer| buffer.fill(0, &response));
    core.io.interrupt_target(true);
}

/// Tells the target of an event.
pub fn tell(core: &Core, event: UserEvent) {
    core.io.interrupt_target(false);
    core.io.i2c.respond(|buffer| buffer.fill(0, &reading(USER_EVENT, &[event as u8])));
    core.io.interrupt_target(true);
}

/// The response to a read.
fn reading(property: u8, data: &[u8]) -> [u8; RESPONSE] {
    let mut response = [0; RESPONSE];
    (response[0], response[1], response[2]) = (READ_RESPONSE, property, data.len() as u8);
    response[3..3 + data.len()].copy_from_slice(data);
    response
}

fn read(core: &Core, property: u8) -> Result<[u8; RESPONSE], Refusal> {
    let mut voltages = [0; 8];
    voltages[..4].copy_from_slice(&core.power.battery_uv().to_le_bytes());
    voltages[4..].copy_from_slice(&core.power.input_uv().to_le_bytes());
    Ok(match property {
        BOARD => reading(property, &core.config.board_id.to_le_bytes()),
        PROTOCOL => reading(property, &PROTOCOL_VERSION.to_le_bytes()),
        FIRMWARE => reading(property, &core.config.version.to_le_bytes()),
        POWER_SOURCE => reading(property, &[core.power.source()]),
        VOLTAGES => reading(property, &voltages),
        USB_STATE => reading(property, &[core.usb_state as u8]),
        POWER_MODE => return Err(Refusal::ReadNotAllowed),
        _ => return Err(Refusal::UnknownProperty),
    })
}

fn write(core: &mut Core, property: u8, size: u8, value: u8) -> Result<[u8; RESPONSE], Refusal> {
    match property {
        BOARD..=USB_STATE => return Err(Refusal::WriteNotAllowed),
        POWER_MODE | LED_IN_SLEEP | AUTOMATIC_SLEEP if size != 1 => return Err(Refusal::WrongSize),
        POWER_MODE if value == POWER_DOWN => core.requests.power_down = true,
        POWER_MODE => return Err(Refusal::WriteFailed),
        LED_IN_SLEEP => core.requests.dark_asleep = value == 0,
        // The native firmware never falls asleep by itself.
        AUTOMATIC_SLEEP => {}
        _ => return Err(Refusal::UnknownProperty),
    }
    let mut response = [0; RESPONSE];
    (response[0], response[1]) = (WRITE_RESPONSE, property);
    Ok(response)
}
