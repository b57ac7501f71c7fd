//! Command block wrappers to a native V2's drive. Each begins with five bytes: what is odd about it, the length that it
//! announces (16 bits, in steps of 64), how much data really follows, and the command block's length. Whatever was sent, the
//! drive answers INQUIRY after a reset recovery.

#![no_main]

#[path = "common/board.rs"]
mod board;

use libfuzzer_sys::fuzz_target;
use twinboard_models::board::Powered;
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::bot::{Data, command_block_wrapper};

const SHORT: Span = Span::ms(5);

fn send(host: &mut Host<Powered>, odd: u8, length: u32, real: usize, command: &[u8], tag: u32) {
    let Ok(bot) = host.bot() else { return };
    let (_, bulk_in, bulk_out) = bot.endpoints();
    let mut wrapper = command_block_wrapper(tag, length, odd & 1 != 0, odd >> 1 & 1, command).to_vec();
    if odd & 4 != 0 {
        wrapper.truncate(command.len());
    }
    let _ = host.write(bulk_out, &wrapper, SHORT);
    if odd & 1 == 0 {
        let _ = host.write(bulk_out, &vec![odd; real], SHORT);
    } else {
        let _ = host.read(bulk_in, real, SHORT);
    }
    if odd & 8 == 0 {
        let _ = host.read(bulk_in, 13, SHORT);
    }
    if odd & 16 != 0 {
        let _ = host.clear_halt(bulk_in);
        let _ = host.clear_halt(bulk_out);
    }
}

fuzz_target!(|input: &[u8]| {
    let mut host = board::enumerated();
    let mut rest = input;
    for tag in 0..64 {
        let Some((&[odd, low, high, real, count], tail)) = rest.split_first_chunk::<5>() else { break };
        let (command, tail) = tail.split_at(tail.len().min(usize::from(count) % 17));
        rest = tail;
        let length = u32::from(u16::from_le_bytes([low, high])) * 64;
        send(&mut host, odd, length, usize::from(real) * 64, command, tag);
    }
    // A command may have taken the board off the bus for a while (a reset, another mode).
    if !host.is_present() {
        host.sleep(Span::secs(3));
        host.enumerate().expect("enumerates again");
    }
    let mut bot = host.bot().expect("a drive");
    bot.reset_recovery().expect("recovers");
    // The first command may tell of what happened meanwhile.
    let mut inquiry = || bot.command(&[0x12, 0, 0, 0, 36, 0], Data::In(36)).map(|outcome| outcome.data.len());
    let first = inquiry();
    assert!(matches!(first, Ok(36)) || matches!(inquiry(), Ok(36)), "{first:?}");
});
