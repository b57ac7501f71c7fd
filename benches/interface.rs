//! Official interface firmware on its emulated chip, clock free: how much faster than the board's own time. A row per
//! image and number of boards while it waits in its main loop beside a target that runs MicroPython, and one per image
//! for a drop of MicroPython's Universal Hex on its drive, where the emulated chip bangs every edge of the SWD wire.
//!
//! `cargo bench --bench interface [FILTER]`. The images are not part of the repository; `tests/setup.sh` says where they
//! are to be.

#[path = "../tests/in_process/images.rs"]
mod images;
#[allow(dead_code, reason = "tests use the rest of it")]
#[path = "../tests/in_process/micropython.rs"]
mod micropython;

use std::path::Path;

use rustix::time::{ClockId, clock_gettime};
use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;

/// An image, the board it is for, the MicroPython board whose target that has, and where a bootloader would hand over.
const IMAGES: &[(&str, &str, usize, u32)] = &[
    ("0253_kl26z_microbit_0x8000.hex", "microbit-v1", 1, 0x8000),
    ("0255_kl27z_microbit_0x8000.hex", "microbit-v2.00", 0, 0x8000),
    ("0258-beta3_kl27z_microbit_if_crc_0004198_gcc.hex", "microbit-v2.00", 0, 0x8000),
    ("0257_nrf52820_microbit_if_crc_c782a5ba90_gcc.hex", "microbit-v2.2", 0, 0x8000),
];

/// Processor time of this process, in seconds: other work on the computer does not count.
fn processor() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A board that has booted; None, with the reason said, if something for it is missing.
fn board(name: &str, on: &str, target: usize, start: u32, skipping: bool) -> Option<Host<Powered>> {
    let python = micropython::image(micropython::BOARDS[target])?;
    let image = Image::parse(Path::new(name), &images::official(name)?, BlockIds(&[]), start).ok()?;
    let interface = Some(InterfaceProgram { image: &image, start: Start::Handover(start) });
    let file = BoardFile::built_in(on)?;
    let power = PowerOn { interface, target: Some(&python), ..PowerOn::default() };
    let mut powered = file.power_on(&power).map_err(|error| println!("{name}: {error}")).ok()?;
    for chip in ["interface", "target"].iter().filter_map(|name| powered.board.chip(name)) {
        chip.lock().with_cpu(&mut |cpu| cpu.set_spin_skipping(skipping));
    }
    let mut host = Host::new(powered);
    host.enumerate().map_err(|error| println!("{name}: {error:?}")).ok()?;
    host.sleep(Span::secs(2));
    Some(host)
}

/// Drops the Universal Hex on the drive of a board of `name`.
fn drop_on_drive(name: &str, mut host: Host<Powered>) {
    let Some(file) = images::official(images::MICROPYTHON) else { return };
    let (began, virtual_began) = (processor(), host.now());
    let copied = host.drive().expect("a drive").copy("micropython.hex", &file, WriteOrder::LinuxUmount);
    assert!(copied.expect("a copy").is_success());
    let (took, virtual_took) = (processor() - began, host.now().since(virtual_began).as_secs_f64());
    let ratio = virtual_took / took;
    println!("{name:<52}{:>8}{ratio:>16.1}  (drop: {took:.1} s; in the board's own time {virtual_took:.1} s)", 1);
}

fn main() {
    let filter: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    println!("{:<52}{:>8}{:>16}", "Interface image", "boards", "× real time");
    for (name, on, target, start) in IMAGES {
        if !filter.is_empty() && !filter.iter().any(|wanted| name.contains(wanted.as_str())) {
            continue;
        }
        for (boards, skipping) in [(1, true), (3, true), (1, false)] {
            let hosts: Option<Vec<_>> = (0..boards).map(|_| board(name, on, *target, *start, skipping)).collect();
            let Some(mut hosts) = hosts else { break };
            let span = if skipping { Span::secs(10) } else { Span::secs(2) };
            let began = processor();
            hosts.iter_mut().for_each(|host| host.sleep(span));
            let ratio = span.as_secs_f64() / (processor() - began);
            let note = if skipping { "" } else { "  (every turn executed)" };
            println!("{name:<52}{boards:>8}{ratio:>16.1}{note}");
        }
        if let Some(host) = board(name, on, *target, *start, true) {
            drop_on_drive(name, host);
        }
    }
}
