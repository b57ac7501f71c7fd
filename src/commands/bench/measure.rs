//! One row: a board with a firmware, and one way to its target's flash.

use std::time::Instant;

use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::image::interface::Firmware;
use twinboard_sim::activity::shares;
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::drive::DELAY_USE;
use twinboard_usbip::host::flasher::{self, Erase};

use super::Way;
use super::program;
use super::report::{Measured, Parts};
use super::what_if::Conditions;

/// What is measured.
pub struct Subject<'a> {
    /// The board's file.
    pub file: &'a BoardFile,
    /// What its interface chip runs; none is native firmware.
    pub firmware: Option<&'a Firmware>,
    /// How the program gets there.
    pub way: Way,
    /// Bytes of program.
    pub bytes: usize,
}

/// From when until when it was measured.
type Window = (Time, Time);

/// Measures `subject`; the answer is why not, if it could not be.
pub fn measure(subject: &Subject<'_>, conditions: &Conditions) -> Result<Measured, String> {
    let mut file = subject.file.clone();
    if subject.firmware.is_none() {
        let clock = conditions.own_clock.map(|hz| format!("interface.swj_clock={hz}"));
        let count = conditions.packet_count.map(|count| format!("interface.packet_count={count}"));
        for assignment in clock.iter().chain(&count) {
            file.set(assignment).map_err(|error| error.to_string())?;
        }
    }
    let interface = subject.firmware.map(|firmware| InterfaceProgram { image: &firmware.image, start: firmware.start });
    let powered = file.power_on(&PowerOn { interface, ..PowerOn::default() }).map_err(|error| error.to_string())?;
    let table = powered.target().ok_or("the board has no target")?.lock().table();
    let program = program::program(subject.bytes, table.name != "nrf51822");
    let page = table.flash.page;

    let began = Instant::now();
    let mut host = Host::new(powered);
    host.enumerate().map_err(|error| error.to_string())?;
    // As Linux does; 0234 forgets what comes earlier.
    host.sleep(DELAY_USE);
    host.drive().map_err(|error| error.to_string())?.wait_ready(Span::secs(10)).map_err(|error| error.to_string())?;
    if subject.way == Way::Drop
        && let Some(erase) = conditions.drop_erase
    {
        select_erase_mode(&mut host, erase)?;
    }
    let recorded_from = host.now();
    host.machine().record_activity(true);
    host.record_activity(true);
    host.set_latency(conditions.host_latency);
    let window = match subject.way {
        Way::Drop => drop_on_drive(&mut host, &program)?,
        Way::Hid | Way::Bulk => {
            let strategy = flasher::Strategy { page, ..conditions.strategy };
            over_dap(&mut host, subject.way, &strategy, &program)?
        }
    };
    let parts = parts(&mut host, recorded_from, window);
    let wall = began.elapsed();
    let target = host.machine().target().ok_or("the board has no target")?.lock();
    if let Some(at) = target.flash().iter().zip(&program).position(|(is, should)| is != should) {
        return Err(format!("the target's flash is not what was written, from {at:#010x} on"));
    }
    Ok(Measured { total: window.1.since(window.0), parts, wall_seconds: wall.as_secs_f64() })
}

/// DAPLink's vendor command SelectEraseMode.
fn select_erase_mode(host: &mut Host<Powered>, erase: Erase) -> Result<(), String> {
    let mut dap = host.dap_v1().map_err(|error| error.to_string())?;
    dap.status_command(&[0x8d, u8::from(erase == Erase::Pages)]).map_err(|error| error.to_string())
}

fn drop_on_drive(host: &mut Host<Powered>, program: &[u8]) -> Result<Window, String> {
    let hex = program::hex(program);
    let mut drive = host.drive().map_err(|error| error.to_string())?;
    let copied = drive.copy("bench.hex", &hex, WriteOrder::LinuxUmount).map_err(|error| error.to_string())?;
    match (copied.fail, copied.interrupted) {
        (Some(fail), _) => Err(fail.trim().replace("\r\n", "; ")),
        (None, Some(error)) => Err(error.to_string()),
        (None, None) => Ok((copied.start, copied.start + copied.writing)),
    }
}

fn over_dap(
    host: &mut Host<Powered>,
    way: Way,
    strategy: &flasher::Strategy,
    program: &[u8],
) -> Result<Window, String> {
    let start = host.now();
    let dap = if way == Way::Hid { host.dap_v1() } else { host.dap_v2() };
    let dap = dap.map_err(|error| error.to_string())?;
    flasher::program(dap, strategy, program).map_err(|error| error.to_string())?;
    Ok((start, host.now()))
}

/// Whose each instant was; see the command's documentation.
fn parts(host: &mut Host<Powered>, recorded_from: Time, (from, to): Window) -> Parts {
    let bus = host.take_activity();
    let board = host.machine().take_activity(recorded_from);
    let layers = [
        board.flash_erase,
        board.flash_program,
        board.swd_wire,
        bus.transactions,
        board.interface_cpu,
        bus.turns,
        bus.idle,
    ];
    let [flash_erase, flash_program, swd_wire, transactions, interface_cpu, turns, host] = shares(from, to, layers);
    let usb = transactions + turns;
    let known = host + usb + interface_cpu + swd_wire + flash_erase + flash_program;
    let waiting = to.since(from) - known;
    Parts { host, usb, interface_cpu, swd_wire, flash_erase, flash_program, waiting }
}
