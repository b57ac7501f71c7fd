//! CMSIS-DAP commands to a native V2 with its target: the first byte of each says how long it is, and its highest bit
//! whether the answer is read before the next. Whatever was sent, DAP_Info is answered afterwards.

#![no_main]

#[path = "common/board.rs"]
mod board;

use libfuzzer_sys::fuzz_target;
use twinboard_sim::time::Span;

/// DAP_Info's packet count.
const INFO: [u8; 2] = [0x00, 0xFE];
/// DAP_SWJ_Pins: output, select, and 32 bits of wait.
const SWJ_PINS: u8 = 0x10;

fuzz_target!(|input: &[u8]| {
    let mut host = board::enumerated();
    let Some((&web, mut rest)) = input.split_first() else { return };
    let mut dap = match web % 3 {
        0 => host.dap_v2(),
        1 => host.dap_v1(),
        _ => host.dap_web(),
    }
    .expect("CMSIS-DAP");
    // Commands that wait are soon understood: more of the board's time finds no more, and costs.
    let end = dap.host().now() + Span::ms(500);
    while dap.host().now() < end {
        let Some((&length, tail)) = rest.split_first() else { break };
        let (command, tail) = tail.split_at(tail.len().min(usize::from(length & 0x7F) % 65));
        rest = tail;
        if command.is_empty() {
            continue;
        }
        let mut command = command.to_vec();
        // DAP_SWJ_Pins polls for up to 3 s, which costs much and shows no more than 65 ms do.
        if let [SWJ_PINS, _, _, _, _, wait @ ..] = &mut command[..] {
            wait.iter_mut().take(2).for_each(|byte| *byte = 0);
        }
        let _ = if length & 0x80 != 0 { dap.send(&command) } else { dap.exchange(&command).map(drop) };
    }
    // What was queued is worked off, or dropped, in the end; an answer of those may come before the one that is asked for.
    dap.host().sleep(Span::ms(100));
    for _ in 0..512 {
        if dap.exchange(&INFO).is_ok_and(|answer| answer.starts_with(&[0x00, 0x01])) {
            return;
        }
    }
    panic!("DAP_Info is not answered any more");
});
