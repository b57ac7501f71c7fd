//! `twinboard flash BOARD FILE`: drops a file on the board's drive, in process.
//!
//! Prints the rate, where the time went, and the drive's verdict. All times are the board's own: what a real one would
//! take. Exit code 1 if the drive shows a FAIL.TXT. With `--hold-reset` the drive is the bootloader's, and the file goes to
//! the interface chip, which restarts with it.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use twinboard_models::daplink::Spent;
use twinboard_models::image::{BlockIds, Image};
use twinboard_sim::machine::Machine;
use twinboard_sim::pace::{HostState, Pace, Step};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::UsbPort;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::{Copied, WriteOrder};
use twinboard_usbip::host::drive::DELAY_USE;

use crate::cli::{BoardOptions, ClockMode};
use crate::failure::Failure;
use crate::setup::{self, Desk};

/// The largest file that is dropped: what the drive says it has room for.
const MAX_FILE: u64 = 64 << 20;

/// How long an interface chip may take to go away after it was given something to start.
const RESTARTS_WITHIN: Span = Span::secs(10);

/// A board whose time follows the wall clock, as its clock mode says.
#[derive(Debug)]
pub struct Timed {
    desk: Desk,
    pace: Pace,
    start: Instant,
}

impl Timed {
    /// `desk`, from now on.
    pub fn new(desk: Desk, mode: ClockMode) -> Timed {
        let pace = Pace::new(mode.into(), desk.now(), Span::ZERO);
        Timed { desk, pace, start: Instant::now() }
    }

    /// The board.
    pub fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// The board, for the end.
    pub fn into_desk(self) -> Desk {
        self.desk
    }
}

impl Machine for Timed {
    fn now(&self) -> Time {
        self.desk.now()
    }

    fn next_event(&self) -> Time {
        self.desk.next_event()
    }

    fn advance(&mut self, until: Time) {
        // The host in this process is always waiting for the board: only `paced` ever sleeps.
        match self.pace.decide(self.desk.now(), self.start.elapsed().into(), HostState::Waiting, until) {
            Step::Run(limit) => self.desk.advance(until.min(limit.max(self.desk.now() + Span::us(1)))),
            Step::Sleep(span) => std::thread::sleep(span.into()),
        }
    }

    fn ports(&self) -> usize {
        self.desk.ports()
    }

    fn plugged(&self, index: usize) -> bool {
        self.desk.plugged(index)
    }

    fn with_port(&mut self, index: usize, f: &mut dyn FnMut(&mut dyn UsbPort)) {
        self.desk.with_port(index, f);
    }
}

/// A file that was dropped.
#[derive(Debug)]
pub struct Dropped {
    /// What came of it.
    pub copied: Copied,
    /// Where native firmware's time went while the file was written; an emulated chip does not say.
    pub spent: Option<Spent>,
    /// How long it took on the wall clock.
    pub wall: Duration,
}

impl Dropped {
    /// The parts of the time, where they are known: waiting for USB, the interface chip, the debug wire, the target's flash.
    fn parts(&self) -> Option<[(&'static str, Span); 4]> {
        let Spent { interface, wire, flash } = self.spent?;
        let usb = self.copied.writing - interface - wire - flash;
        Some([("USB", usb), ("interface", interface), ("wire", wire), ("flash", flash)])
    }

    /// KB of the file per second of the board's time.
    pub fn rate(&self, bytes: usize) -> f64 {
        bytes as f64 / 1000.0 / self.copied.writing.as_secs_f64().max(1e-9)
    }
}

/// Drops `data` as file `name` on the drive of the board behind `host`, with a progress bar where somebody watches.
pub fn drop_file(host: &mut Host<Timed>, name: &str, data: &[u8]) -> Result<Dropped, Failure> {
    let interface = host.machine().desk().powered.daplink().cloned();
    let spent = || interface.as_ref().map(|chip| chip.lock().spent()).unwrap_or_default();
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {bar:32} {bytes}/{total_bytes} {bytes_per_sec}") {
        bar.set_style(style);
    }
    bar.set_message(name.to_string());
    let before = spent();
    let mut after = before;
    let start = Instant::now();
    let copied = host
        .drive()
        .map_err(Failure::job)?
        .copy_watched(name, data, WriteOrder::LinuxUmount, u64::MAX, &mut |written, total| {
            bar.set_length(total);
            bar.set_position(written);
            // What the drive does after the last write (a program that shows a failure, say) is not the copy's time.
            after = spent();
        })
        .map_err(Failure::job)?;
    bar.finish_and_clear();
    let spent = interface.as_ref().map(|_| Spent {
        interface: after.interface - before.interface,
        wire: after.wire - before.wire,
        flash: after.flash - before.flash,
    });
    Ok(Dropped { copied, spent, wall: start.elapsed() })
}

pub fn run(board: &str, file: &Path, options: &BoardOptions) -> Result<ExitCode, Failure> {
    let wrong =
        |what: String| Failure::input(format!("{}: {what}", file.display()), "give a file to drop on the drive");
    let size = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
    if size > MAX_FILE {
        return Err(wrong(format!("has {size} bytes, the drive has room for {MAX_FILE}")));
    }
    let data = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if options.pcap.is_some() {
        return Err(Failure::input(
            "--pcap records a host's traffic; flash is done in process",
            "use it with `run` or `vm`",
        ));
    }

    let desk = setup::power_on(board, 0, 1, options)?;
    let ids = desk.powered.target().map_or(BlockIds(&[]), |chip| chip.lock().table().block_ids);
    let mut host = Host::new(Timed::new(desk, options.clock.unwrap_or(ClockMode::Free)));
    host.enumerate().map_err(Failure::job)?;
    // The reset button was held (`--hold-reset`) until the firmware had made up its mind.
    host.machine().desk().powered.release_reset();
    host.sleep(DELAY_USE);
    let dropped = match drop_file(&mut host, &name, &data) {
        // The drive of a bootloader shows no verdict: the interface chip starts what it was given.
        Err(_) if host.wait_gone(RESTARTS_WITHIN) => {
            restarted(&mut host, &name, options)?;
            host.into_machine().into_desk().put_away(0)?;
            return Ok(ExitCode::SUCCESS);
        }
        dropped => dropped?,
    };
    let details = details(&mut host)?;
    // A file that is no image at all programs nothing that could be counted.
    let program = Image::parse(file, &data, ids, 0).map_or(0, |image| image.len());
    let success = dropped.copied.is_success();
    if options.json {
        println!("{:#}", as_json(&name, data.len(), program, &dropped));
    } else {
        print_report(&name, data.len(), program, &dropped, &details);
    }
    host.into_machine().into_desk().put_away(0)?;
    Ok(ExitCode::from(u8::from(!success)))
}

/// DETAILS.TXT.
fn details(host: &mut Host<Timed>) -> Result<String, Failure> {
    let mut drive = host.drive().map_err(Failure::job)?;
    drive.wait_ready(RESTARTS_WITHIN).map_err(Failure::job)?;
    let text = drive.read_file("DETAILS.TXT").map_err(Failure::job)?;
    Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default())
}

/// The interface chip went away with the file and is something else now: says what.
fn restarted(host: &mut Host<Timed>, name: &str, options: &BoardOptions) -> Result<(), Failure> {
    host.enumerate().map_err(|error| Failure::job(format!("{name}: the interface chip restarted: {error}")))?;
    let details = details(host)?;
    if options.json {
        println!("{:#}", json!({ "file": name, "restarted": true, "success": true, "details": details }));
        return Ok(());
    }
    println!("{name}: the interface chip restarted");
    let shown = ["Daplink Mode", "Interface Version", "Bootloader Version", "Unique ID"];
    for line in details.lines().filter(|line| shown.iter().any(|label| line.starts_with(label))) {
        println!("  {line}");
    }
    Ok(())
}

fn print_report(name: &str, bytes: usize, program: usize, dropped: &Dropped, details: &str) {
    let Dropped { copied, wall, .. } = dropped;
    println!(
        "{name}: {bytes} bytes in {:.3} s of the board's time ({:.3} s on this computer)",
        copied.writing.as_secs_f64(),
        wall.as_secs_f64()
    );
    println!("  {:.1} KB/s of program, {:.1} KB/s of file", dropped.rate(program), dropped.rate(bytes));
    let whole = copied.writing.as_secs_f64().max(1e-9);
    for (what, span) in dropped.parts().into_iter().flatten() {
        let share = span.as_secs_f64() / whole;
        println!(
            "  {what:<10} {:>8.3} s  {:>5.1} %  {}",
            span.as_secs_f64(),
            share * 100.0,
            "#".repeat((share * 40.0).round() as usize)
        );
    }
    println!("  the drive was back {:.1} s after the last write", copied.settling.as_secs_f64());
    match (&copied.fail, &copied.interrupted) {
        (Some(fail), _) => println!("FAIL.TXT:\n  {}", fail.trim_end().replace("\r\n", "\n  ")),
        (None, Some(error)) => println!("the drive refused a write: {error}"),
        (None, None) => println!("the drive took it"),
    }
    for line in details.lines().filter(|line| line.starts_with("Interface Version") || line.starts_with("Unique ID")) {
        println!("  {line}");
    }
}

fn as_json(name: &str, bytes: usize, program: usize, dropped: &Dropped) -> serde_json::Value {
    let Dropped { copied, wall, .. } = dropped;
    let mut report = json!({
        "file": name,
        "bytes": bytes,
        "seconds": copied.writing.as_secs_f64(),
        "wall_seconds": wall.as_secs_f64(),
        "program_bytes": program,
        "kb_per_second": dropped.rate(program),
        "file_kb_per_second": dropped.rate(bytes),
        "settling_seconds": copied.settling.as_secs_f64(),
        "success": copied.is_success(),
        "fail": copied.fail,
        "interrupted": copied.interrupted.as_ref().map(ToString::to_string),
    });
    for (what, span) in dropped.parts().into_iter().flatten() {
        report[format!("{}_seconds", what.to_lowercase())] = json!(span.as_secs_f64());
    }
    report
}
