//! `gdb` steps: packets of GDB's remote serial protocol for the core of a chip, as `--gdb` serves it.
//!
//! The stub is the real one, behind a socket of this machine. The board's time stands still while a packet is answered, and
//! goes on in fixed slices after one that lets the core run, until the core has halted. So the answers come at the same
//! board's time in every run, however long this computer takes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use twinboard_models::board::Powered;
use twinboard_sim::gdb::GdbServer;
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::host::Host;

use super::Failed;
use super::doing::pattern;
use crate::language::step::GdbStep;

/// How much of the board's time passes between two looks at a core that runs.
const SLICE: Span = Span::us(100);
/// How long the stub may take to answer, on this computer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Exchanges the packets of `step`, at the longest until `until`.
pub(super) fn exchange(host: &mut Host<Powered>, step: &GdbStep, until: Time) -> Result<(), Failed> {
    let name = step.chip.as_ref().map_or("target", |chip| chip.as_ref());
    let failed = |what: &dyn std::fmt::Display| Failed::new(format!("gdb: {what}"));
    let chip = host.machine().board.chip(name).ok_or_else(|| failed(&format!("there is no chip {name}")))?;
    let mut server = GdbServer::bind("127.0.0.1:0").map_err(|error| failed(&error))?;
    let mut gdb = TcpStream::connect(server.address()).map_err(|error| failed(&error))?;
    gdb.set_nodelay(true)
        .and_then(|()| gdb.set_read_timeout(Some(Duration::from_millis(1))))
        .map_err(|error| failed(&error))?;
    let mut poll = |chip: &twinboard_sim::board::SharedChip| {
        let mut halted = false;
        chip.lock().with_cpu(&mut |cpu| {
            server.poll(cpu);
            halted = cpu.halted();
        });
        halted
    };
    for exchange in &step.exchange {
        let packet = exchange.send.as_str();
        let checksum = packet.bytes().fold(0u8, u8::wrapping_add);
        write!(gdb, "${packet}#{checksum:02x}").map_err(|error| failed(&error))?;
        let runs = packet.starts_with(['c', 's', 'C', 'S']) || packet.starts_with("vCont;");
        let mut answer = Vec::new();
        let start = Instant::now();
        // Whether the core was seen running after a packet that lets it run.
        let mut running = false;
        let answer = loop {
            let halted = poll(&chip);
            running |= !halted;
            if runs && running && !halted {
                if host.now() >= until {
                    return Err(failed(&format!("{packet}: the core did not halt")));
                }
                let next = host.now() + SLICE;
                host.sleep(next.since(host.now()));
                continue;
            }
            let mut bytes = [0; 4096];
            match gdb.read(&mut bytes) {
                Ok(0) => return Err(failed(&"the stub went away")),
                Ok(count) => answer.extend_from_slice(&bytes[..count]),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                Err(error) => return Err(failed(&error)),
            }
            if let Some(answer) = packet_of(&answer) {
                break answer;
            }
            if start.elapsed() > PATIENCE {
                return Err(failed(&format!("{packet}: no answer")));
            }
        };
        gdb.write_all(b"+").map_err(|error| failed(&error))?;
        if let Some(regex) = pattern(exchange.expect.as_ref())?
            && !regex.is_match(answer.as_bytes())
        {
            return Err(failed(&format!("{packet}: {:?} was expected, {answer:?} came", regex.as_str())));
        }
    }
    // GDB goes: the core runs on.
    drop(gdb);
    let start = Instant::now();
    while poll(&chip) && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// The contents of the packet in `bytes`, if it is whole.
fn packet_of(bytes: &[u8]) -> Option<String> {
    let start = bytes.iter().position(|&byte| byte == b'$')? + 1;
    let end = start + bytes.get(start..)?.iter().position(|&byte| byte == b'#')?;
    bytes.get(end + 2)?;
    Some(String::from_utf8_lossy(bytes.get(start..end)?).into_owned())
}
