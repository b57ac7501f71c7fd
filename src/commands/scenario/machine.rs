//! Scenarios with `host = "vm"`: a machine boots, the board is served and plugged into it, and shell steps run in it.
//!
//! One after the other, each with a machine of its own: emulation wants a processor for itself, and what one scenario left in
//! its Linux is no business of the next one. Such a run cannot be repeated, so everything is recorded while it runs.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use miette::Diagnostic;
use twinboard_models::board::Powered;
use twinboard_scenarios::report::Report;
use twinboard_scenarios::run::outside::{Act, Outside, OutsideOutcome, Ran};
use twinboard_scenarios::run::{Prepared, Settings};
use twinboard_sim::board::Driver;
use twinboard_sim::trace::{Sink, VcdSink};
use twinboard_usbip::host::beside::Attendant;
use twinboard_usbip::pcap::Capture;
use twinboard_usbip::server::{Event, Exported};

use super::files::Loaded;
use crate::cli::ClockMode;
use crate::commands::run::Served;
use crate::failure::Failure;
use crate::setup::Desk;
use crate::vm::conversation::Conversation;
use crate::vm::{self, Booted, VmError};

/// Memory of the guest in MiB.
const MEMORY_MIB: u32 = 1024;
/// How long a pause is.
const PAUSE: Duration = Duration::from_millis(2);

/// A scenario that was run.
pub struct Recorded {
    /// What it left.
    pub outcome: OutsideOutcome,
    /// What the guest's console said.
    pub console: Vec<u8>,
    /// The folder with `wires.vcd`, `usb.pcapng` and `files`, what commands wrote to `$TWINBOARD_OUT`. It is deleted with this
    /// value.
    pub folder: tempfile::TempDir,
}

/// Linux with the board plugged in.
struct Linux<'a> {
    served: Served,
    conversation: Conversation,
    console: &'a mut Vec<u8>,
    interrupted: &'a AtomicBool,
}

/// Runs a scenario in a machine of its own, until its end or until it is `interrupted`.
pub fn run(
    loaded: &Loaded,
    prepared: &Prepared,
    seed: Option<u64>,
    driver: Driver,
    interrupted: &AtomicBool,
) -> Result<Recorded, Failure> {
    let folder = tempfile::Builder::new().prefix("twinboard-scenario-").tempdir()?;
    let mut console = Vec::new();
    // The machine first: the board's time begins when somebody is there to plug it in.
    let booted = match vm::boot(&folder.path().join("files"), MEMORY_MIB) {
        Ok(booted) => booted,
        Err(error) => {
            let scenario = &prepared.scenario;
            let (board, seed) = (&prepared.board().name, seed.unwrap_or(scenario.seed));
            let report = Report::without_machine(&prepared.name, board, seed, words(&error));
            let outcome = OutsideOutcome { report, board: None, serial: Vec::new(), transcript: String::new() };
            return Ok(Recorded { outcome, console, folder });
        }
    };
    let capture =
        Capture::new(BufWriter::new(File::create(folder.path().join("usb.pcapng"))?)).map_err(Failure::job)?;
    let vcd = folder.path().join("wires.vcd");
    let settings = Settings {
        seed,
        driver,
        sink: Some(Box::new(move |board, names| {
            let out = BufWriter::new(File::create(&vcd).ok()?);
            VcdSink::new(out, board, names).ok().map(|sink| Box::new(sink) as Box<dyn Sink>)
        })),
        ..Settings::default()
    };
    let plug = |powered, attendant: Option<Box<dyn Attendant<Powered>>>| {
        let present = Arc::new(AtomicBool::new(false));
        let mut desk = Desk::of(powered, present.clone());
        if let Some(attendant) = attendant {
            desk.attended_by(attendant);
        }
        Linux::plug(desk, present, booted, &prepared.folder, capture, &mut console, interrupted)
    };
    let outcome =
        prepared.run_outside(settings, plug).map_err(|error| Failure::scenario(&loaded.path, &loaded.text, &error))?;
    Ok(Recorded { outcome, console, folder })
}

/// An error with its reason and what to do about it.
fn words(error: &VmError) -> String {
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        text += &format!(" ({source})");
    }
    if let Some(help) = error.help() {
        text += &format!("\n{help}");
    }
    text
}

fn told(failure: Failure) -> String {
    let (Failure::Job(report) | Failure::Input(report)) = failure;
    report.to_string()
}

impl<'a> Linux<'a> {
    /// Serves a board and plugs it into a machine; commands run in `directory`. Whether Linux has its device is `present`.
    fn plug(
        desk: Desk,
        present: Arc<AtomicBool>,
        booted: Booted,
        directory: &Path,
        capture: Capture,
        console: &'a mut Vec<u8>,
        interrupted: &'a AtomicBool,
    ) -> Result<Linux<'a>, String> {
        let observer = move |event: &Event| match event {
            Event::Attached(_) => present.store(true, Ordering::Relaxed),
            Event::Detached(_) | Event::Withdrawn(_) => present.store(false, Ordering::Relaxed),
            Event::Exported { .. } => {}
        };
        let mut served = Served::desks(vec![desk], ClockMode::Elastic, Some(capture), observer).map_err(told)?;
        let cables = served.cables().map_err(told)?;
        let give_up = || interrupted.load(Ordering::Relaxed);
        let conversation = Conversation::begin(booted, &cables, directory, &give_up).map_err(|error| words(&error))?;
        Ok(Linux { served, conversation, console, interrupted })
    }

    fn board(&self) -> Result<&Exported<Desk>, String> {
        self.served.first().ok_or_else(|| "there is no board".to_string())
    }
}

impl Outside for Linux<'_> {
    fn beside(&mut self, act: Act) -> Result<(), String> {
        self.board()?.with(move |desk| desk.beside(act)).map_err(|stopped| stopped.to_string())
    }

    fn attend(&mut self, attendant: Box<dyn Attendant<Powered>>) -> Result<(), String> {
        self.board()?.with(move |desk| desk.attended_by(attendant)).map_err(|stopped| stopped.to_string())
    }

    fn pause(&mut self) -> Result<(), String> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(VmError::Interrupted.to_string());
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }

    fn shell(&mut self, command: &str, within: Duration) -> Result<Ran, String> {
        let give_up = || self.interrupted.load(Ordering::Relaxed);
        let ran = self.conversation.shell(command, within, &give_up).map_err(|error| words(&error))?;
        Ok(Ran { status: ran.status, output: ran.output })
    }

    fn ready(&mut self, within: Duration) -> Result<bool, String> {
        let give_up = || self.interrupted.load(Ordering::Relaxed);
        self.conversation.ready(within, &give_up).map_err(|error| words(&error))
    }

    fn take_board(&mut self) -> Option<Powered> {
        *self.console = self.conversation.console();
        Some(self.served.first()?.stop()?.powered)
    }
}
