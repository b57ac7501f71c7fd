//! A real GDB on the interface MCU, while the host talks to what that runs: what `--gdb interface=ADDRESS` gives.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::gdb::GdbServer;
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::UsbPort;
use twinboard_usbip::host::Host;

use crate::images::official;

const IF_0257: &str = "0257_nrf52820_microbit_if_crc_c782a5ba90_gcc.hex";
const INTERFACE: u32 = 0x8000;
/// USBD's exception number: interrupt 39.
const USBD: u32 = 16 + 39;

/// A board with a debugger on its interface chip.
struct Debugged {
    powered: Powered,
    server: GdbServer,
}

impl Debugged {
    /// How often GDB is listened to.
    const SLICE: Span = Span::us(500);
}

impl Machine for Debugged {
    fn now(&self) -> Time {
        self.powered.now()
    }

    fn next_event(&self) -> Time {
        self.powered.next_event().min(self.now() + Debugged::SLICE)
    }

    fn advance(&mut self, until: Time) {
        self.powered.advance(until.min(self.now() + Debugged::SLICE));
        let chip = self.powered.board.chip("interface").expect("an interface chip");
        let mut halted = false;
        chip.lock().with_cpu(&mut |cpu| {
            self.server.poll(cpu);
            halted = cpu.halted();
        });
        // As with `--clock paced`: a host's patience is not over before a person's.
        if halted {
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    fn ports(&self) -> usize {
        self.powered.ports()
    }

    fn plugged(&self, index: usize) -> bool {
        self.powered.plugged(index)
    }

    fn with_port(&mut self, index: usize, f: &mut dyn FnMut(&mut dyn UsbPort)) {
        self.powered.with_port(index, f);
    }
}

/// A GDB that stops in the handler at `handler`, looks around for two seconds, and goes. None if there is none for Arm.
fn gdb(server: &GdbServer, handler: u32) -> Option<Child> {
    let mut command = Command::new("gdb-multiarch");
    command.args(["-nx", "-batch", "-ex", "set pagination off"]);
    for text in [
        &format!("target remote {}", server.address()),
        &format!("break *{handler:#x}"),
        "continue",
        "printf \"exception %d\\n\", $xpsr & 0x1ff",
        "printf \"pull-up %d\\n\", *(int *)0x40027504",
        "shell sleep 2",
        "delete",
        "stepi",
        "detach",
    ] {
        command.args(["-ex", text]);
    }
    match command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => Some(child),
        Err(error) => {
            eprintln!("skipped: gdb-multiarch: {error}");
            None
        }
    }
}

#[test]
fn gdb_stops_official_firmware_in_its_usb_interrupt_while_the_host_waits_and_lets_it_go_on() {
    let Some(file) = official(IF_0257) else { return };
    let image = Image::parse(Path::new(IF_0257), &file, BlockIds(&[]), INTERFACE).expect("an image");
    let vectors = image.segments.iter().find(|part| part.address == INTERFACE).expect("its vectors");
    let at = USBD as usize * 4;
    let vector = vectors.bytes[at..at + 4].iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
    let interface = Some(InterfaceProgram { image: &image, start: Start::Handover(INTERFACE) });
    let board = BoardFile::built_in("microbit-v2").expect("built in");
    let powered = board.power_on(&PowerOn { interface, ..PowerOn::default() }).expect("a board");
    let server = GdbServer::bind("127.0.0.1:0").expect("a port is free");
    let mut host = Host::new(Debugged { powered, server });
    host.enumerate().expect("enumerates");
    let mut drive = host.drive().expect("a drive");
    drive.wait_ready(Span::secs(5)).expect("a medium");
    let boot = drive.read_sectors(0, 1).expect("reads");

    let Some(mut child) = gdb(&host.machine().server, vector & !1) else { return };
    let mut longest = Span::ZERO;
    while child.try_wait().expect("GDB is a child").is_none() {
        let before = host.now();
        assert_eq!(host.drive().expect("a drive").read_sectors(0, 1).expect("reads"), boot);
        longest = longest.max(host.now().since(before));
    }
    let output = child.wait_with_output().expect("GDB is a child");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    for expected in ["Breakpoint 1, ", "exception 55\n", "pull-up 1\n", "detached"] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
    // The host's request waited for as long as GDB looked; one takes a millisecond otherwise.
    assert!(longest > Span::ms(500), "{longest:?}");
    assert_eq!(host.drive().expect("a drive").read_sectors(0, 1).expect("reads"), boot);
}
