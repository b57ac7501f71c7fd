//! What a failing run leaves: its report, all wires as VCD, the USB traffic as pcapng, the serial log, the board's state, and
//! the command that repeats it. As runs with the host in this process are deterministic, the run is simply done again with
//! everything recorded. Runs in the virtual machine are not; they are recorded while they run.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use twinboard_models::board::Powered;
use twinboard_scenarios::report::{Report, human};
use twinboard_scenarios::run::outside::OutsideOutcome;
use twinboard_scenarios::run::{Prepared, Settings};
use twinboard_sim::machine::Machine;
use twinboard_sim::trace::{Sink, VcdSink};
use twinboard_usbip::pcap::Capture;

use super::files::Loaded;
use super::machine::Recorded;
use crate::failure::Failure;
use crate::state;

/// The folder of a run below `root`; it is made if it is not there.
pub fn folder(report: &Report, root: &Path) -> Result<PathBuf, Failure> {
    let folder = root.join(format!("{}-{}", report.name.replace(['/', '\\'], "-"), report.seed));
    fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
    Ok(folder)
}

fn unwritable(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::input(format!("{}: {error}", folder.display()), "give a folder that can be written with --evidence")
}

/// Leaves the evidence of `report` in a folder below `root`; which.
pub fn leave(loaded: &Loaded, prepared: &Prepared, report: &Report, root: &Path) -> Result<PathBuf, Failure> {
    let folder = folder(report, root)?;
    let unwritable = |error: std::io::Error| unwritable(&folder, &error);
    let vcd = folder.join("wires.vcd");
    let usb = File::create(folder.join("usb.pcapng")).map_err(unwritable)?;
    let capture = Capture::new(BufWriter::new(usb)).map_err(Failure::job)?;
    let settings = Settings {
        seed: Some(report.seed),
        sink: Some(Box::new(move |board, names| {
            let out = BufWriter::new(File::create(&vcd).ok()?);
            VcdSink::new(out, board, names).ok().map(|sink| Box::new(sink) as Box<dyn Sink>)
        })),
        capture: Some(capture),
        ..Settings::default()
    };
    let again = prepared.run(settings).map_err(|error| Failure::scenario(&loaded.path, &loaded.text, &error))?;
    common(loaded, &folder, report, &again.serial, Some(&again.board))?;
    Ok(folder)
}

/// The same of a run in the virtual machine, with the shell's transcript, the guest's console, and the files that commands
/// wrote to `$TWINBOARD_OUT`. The board is gone behind it.
pub fn keep(loaded: &Loaded, recorded: &mut Recorded, root: &Path) -> Result<PathBuf, Failure> {
    let OutsideOutcome { report, board, serial, transcript } = &mut recorded.outcome;
    let folder = folder(report, root)?;
    // What is recorded of the wires is written to its end when the board goes.
    let board = board.take();
    common(loaded, &folder, report, serial, board.as_ref())?;
    drop(board);
    copy(recorded.folder.path(), &folder).map_err(|error| unwritable(&folder, &error))?;
    let put = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).map_err(|e| unwritable(&folder, &e));
    put("shell.log", transcript.as_bytes())?;
    put("console.log", &recorded.console)?;
    Ok(folder)
}

/// Copies files and folders; what is neither stays behind.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, place) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &place)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}

/// What every run leaves.
fn common(
    loaded: &Loaded,
    folder: &Path,
    report: &Report,
    serial: &[u8],
    board: Option<&Powered>,
) -> Result<(), Failure> {
    let unwritable = |error: std::io::Error| unwritable(folder, &error);
    let put = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).map_err(unwritable);
    put("report.json", serde_json::to_string_pretty(report).map_err(Failure::job)?.as_bytes())?;
    put("report.txt", (human(report, true) + "\n").as_bytes())?;
    put("serial.log", serial)?;
    put("scenario.toml", loaded.text.as_bytes())?;
    let repeat = format!("twinboard scenario run {} --seed {} --verbose\n", loaded.path.display(), report.seed);
    put("repeat.txt", repeat.as_bytes())?;
    let Some(board) = board else { return Ok(()) };
    let state = folder.join("state");
    fs::create_dir_all(&state).map_err(unwritable)?;
    let screen = board.screen().unwrap_or_default();
    let incidents = board.incidents().join("\n");
    let text = format!("time {:?}\n\ndisplay\n{screen}\nprograms gone wrong\n{incidents}\n", board.now());
    fs::write(state.join("board.txt"), text).map_err(unwritable)?;
    state::save(&state, 0, board, None)
}
