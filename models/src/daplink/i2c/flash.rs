//! The data file's storage, at address 0x72. Numbers are big-endian.
//!
//! | command | bytes | without data | response |
//! |---|---|---|---|
//! | 01 name | 11 bytes, 8.3 | reads | the same |
//! | 02 size | 4 bytes | reads | the same |
//! | 03 visible | 1 byte | reads | the same |
//! | 04 commit, 05 forget the configuration | – | | `04`, `05` |
//! | 06 sectors, 07 bytes of a sector | – | | 1 byte, 2 bytes |
//! | 08 mount the drive again | – | | `08` |
//! | 09 encoding window | start, end: 4 bytes each | reads | the same |
//! | 0A read | address (3 bytes), length (4) | | the command and the data |
//! | 0B write | address (3), length (4), data | | the same |
//! | 0C erase | address (3), pad, last address (3) | | `0C` |
//!
//! An error is `20`. Since the handlers see sizes modulo 256, a write of more than 247 bytes is one.

use super::{BUFFER, Command, ERROR, Response};
use crate::daplink::shared::Core;
use crate::daplink::storage::{self, Storage};

/// Where it is on the bus.
pub const ADDRESS: u8 = 0x72;

const NAME: u8 = 0x01;
const SIZE: u8 = 0x02;
const VISIBLE: u8 = 0x03;
const COMMIT: u8 = 0x04;
const FORGET: u8 = 0x05;
const SECTORS: u8 = 0x06;
const SECTOR_SIZE: u8 = 0x07;
const REMOUNT: u8 = 0x08;
const WINDOW: u8 = 0x09;
const READ: u8 = 0x0A;
const WRITE: u8 = 0x0B;
const ERASE: u8 = 0x0C;

/// Bytes of a read or write command before the data.
const HEADER: usize = 8;

/// Three bytes, as addresses are sent.
fn address(bytes: &[u8; BUFFER], at: usize) -> u32 {
    u32::from_be_bytes([0, bytes[at], bytes[at + 1], bytes[at + 2]])
}

fn word(bytes: &[u8; BUFFER], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Executes a command.
pub(super) async fn execute(core: &mut Core, command: &Command) {
    let Command { bytes, size, .. } = command;
    let size = *size;
    let done = match bytes[0] {
        WRITE => {
            let length = word(bytes, 4);
            let data = bytes.get(HEADER..HEADER + length as usize);
            match data.filter(|_| u32::from(size) == length.wrapping_add(HEADER as u32)) {
                Some(data) => storage::write(core, address(bytes, 1), data).await,
                None => false,
            }
        }
        ERASE => storage::erase_range(core, address(bytes, 1), address(bytes, 5)).await,
        COMMIT => {
            storage::commit(core).await;
            true
        }
        FORGET => {
            storage::forget(core).await;
            true
        }
        REMOUNT => {
            core.requests.remount = true;
            true
        }
        _ => match &mut core.storage {
            Some(storage) => configure(storage, bytes, size),
            None => false,
        },
    };
    let Some(storage) = &core.storage else { return };
    core.io.i2c.respond(|response| if done { respond(response, storage, command) } else { response.head(ERROR) });
    core.io.interrupt_target(true);
}

/// A command about the configuration, or one that only reads: whether it is a good one.
fn configure(storage: &mut Storage, bytes: &[u8; BUFFER], size: u8) -> bool {
    match (bytes[0], size) {
        (NAME | SIZE | VISIBLE | WINDOW, 1) | (SECTORS | SECTOR_SIZE, _) => true,
        (NAME, 12) => bytes[1..12].try_into().is_ok_and(|name| storage.set_name(name)),
        (SIZE, 5) => storage.set_size(word(bytes, 1)),
        (VISIBLE, 2) => {
            storage.set_visible(bytes[1]);
            true
        }
        (WINDOW, 9) => storage.set_window(word(bytes, 1), word(bytes, 5)),
        (READ, _) => (address(bytes, 1) as usize) < storage.table().size(),
        _ => false,
    }
}

/// The response to a command that was executed.
fn respond(response: &mut Response, storage: &Storage, command: &Command) {
    let Command { bytes, size, .. } = command;
    let (id, config) = (bytes[0], storage.config());
    let reads = *size == 1;
    match id {
        WRITE => response.fill(0, &bytes[..usize::from(*size)]),
        READ => {
            response.fill(0, &bytes[..HEADER]);
            let mut data = [0; BUFFER - HEADER];
            if let Some(data) = data.get_mut(..word(bytes, 4) as usize) {
                storage.read(address(bytes, 1) as usize, data);
                response.fill(HEADER, data);
            }
        }
        _ => {
            response.head(id);
            match id {
                NAME if reads => response.fill(1, &config.name),
                SIZE if reads => response.fill(1, &config.size.to_be_bytes()),
                VISIBLE if reads => response.fill(1, &[config.visible]),
                WINDOW if reads => {
                    response.fill(1, &config.window.0.to_be_bytes());
                    response.fill(5, &config.window.1.to_be_bytes());
                }
                // What was written comes back as it came.
                NAME | SIZE | VISIBLE | WINDOW => response.fill(1, &bytes[1..usize::from(*size)]),
                SECTORS => response.fill(1, &[storage.table().sectors as u8]),
                SECTOR_SIZE => response.fill(1, &(storage.table().sector as u16).to_be_bytes()),
                _ => {}
            }
        }
    }
}
