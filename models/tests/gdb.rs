//! A real GDB at an nRF52833: what `--gdb target=ADDRESS` gives.

use std::process::{Command, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_models::nordic::{NRF52833, Nrf5, Options};
use twinboard_sim::board::{Board, Builder, Driver};
use twinboard_sim::gdb::GdbServer;
use twinboard_sim::machine::Machine;
use twinboard_sim::time::Span;

/// Vector table, then a program that counts in R0 and at 0x20000000.
const PROGRAM: [u16; 13] = [
    0x2000, 0x2002, // initial SP
    0x0009, 0x0000, // reset
    0x2000, // 8: movs r0, #0
    0x2120, // a: movs r1, #0x20
    0x0609, // c: lsls r1, r1, #24
    0x3001, // e: adds r0, #1
    0xF000, 0xF801, // 10: bl 16
    0xE7FB, // 14: b e
    0x6008, // 16: str r0, [r1]
    0x4770, // 18: bx lr
];

fn board() -> Board {
    let image = PROGRAM.iter().flat_map(|half| half.to_le_bytes()).collect();
    let options = Options { image: vec![(0, image)], ..Options::default() };
    let mut builder = Builder::default();
    builder.chip("target", Arc::new(Mutex::new(Nrf5::new(&NRF52833, &options))), None, None);
    builder.power_on(Driver::Stepped)
}

/// What GDB prints when it is given `commands` with a board to connect to; `None` if there is no GDB for Arm here.
fn gdb(commands: &[&str]) -> Option<String> {
    let mut board = board();
    let mut server = GdbServer::bind("127.0.0.1:0").expect("a port is free");
    let address = server.address();
    let mut command = Command::new("gdb-multiarch");
    command.args(["-nx", "-batch", "-ex", "set pagination off", "-ex", &format!("target remote {address}")]);
    for text in commands {
        command.args(["-ex", text]);
    }
    let mut child = match command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("SKIPPED: gdb-multiarch: {error}");
            return None;
        }
    };
    while child.try_wait().expect("GDB is a child").is_none() {
        let until = board.now() + Span::ms(1);
        board.advance(until);
        let chip = board.chip("target").expect("the board has a target");
        chip.lock().with_cpu(&mut |cpu| server.poll(cpu));
    }
    let output = child.wait_with_output().expect("GDB is a child");
    Some(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn gdb_breaks_steps_watches_and_resets() {
    let Some(text) = gdb(&[
        "break *0x16",
        "continue",
        "info registers pc lr xpsr",
        "delete",
        "set $count = $r0",
        "watch *(int *)0x20000000",
        "continue",
        "print *(int *)0x20000000 == $count",
        "delete",
        "stepi",
        "x/i $pc",
        "print/x $fpscr",
        "set var $d3 = 1.5",
        "print $d3",
        "monitor reset halt",
        "maintenance flush register-cache",
        "print/x $pc",
        "print/x $sp",
    ]) else {
        return;
    };
    for expected in [
        "Breakpoint 1, 0x00000016 in ?? ()",
        "lr             0x15",
        "Hardware watchpoint 2: *(int *)0x20000000",
        "= 1\n",
        "=> 0xe:",
        "= 1.5",
        "reset, halted",
        "= 0x8\n",
        "= 0x20022000",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
}
