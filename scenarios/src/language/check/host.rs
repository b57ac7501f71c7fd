//! What each host can do: the one in this process has drivers of its own, Linux in the virtual machine has a shell.

use toml::Spanned;
use twinboard_sim::time::Span;

use super::super::error::ScenarioError;
use super::super::fault::FaultEntry;
use super::super::step::{Expect, Measure, Quantity, Step, WaitStep};
use super::super::{HostKind, Scenario};
use super::limited;
use crate::points;

/// The longest that a shell command may take, on this computer's clock.
const LONGEST_COMMAND: Span = Span::secs(3600);

/// Whether the scenario's host has what a step wants.
///
/// # Errors
/// What it has not.
pub(super) fn step(scenario: &Scenario, place: &Spanned<Step>) -> Result<(), ScenarioError> {
    match (scenario.host, place.as_ref()) {
        (HostKind::InProcess, Step::Shell(_)) => {
            Err(ScenarioError::at(place, "shell: there is a shell only with host = \"vm\""))
        }
        (HostKind::InProcess, _) => Ok(()),
        (HostKind::Vm, step) => in_machine(place, step),
    }
}

fn in_machine(place: &Spanned<Step>, step: &Step) -> Result<(), ScenarioError> {
    let instead = match step {
        Step::Drop(_) => "cp FILE /media/MICROBIT && sync",
        Step::Serial(_) => {
            "with the port in /dev/serial/by-id; do = { send = … } and wait = { serial = … } need no port"
        }
        Step::Dap(_) => "pyocd, openocd or probe-rs",
        Step::Gdb(_) => "gdb-multiarch",
        Step::Debug(_) => "pyocd commander -c halt, or another debugger",
        Step::Expect(wanted) => return expect(wanted),
        Step::Wait(WaitStep { progress: Some(progress), .. }) => {
            let message =
                "progress: with host = \"vm\" no step drops a file; wait for a fault or for what the target sends";
            return Err(ScenarioError::at(progress, message));
        }
        Step::Measure(measure) => return self::measure(place, measure),
        Step::Shell(shell) => {
            if shell.run.as_ref().trim().is_empty() {
                return Err(ScenarioError::at(&shell.run, "run: a shell command was expected"));
            }
            return shell.within.iter().try_for_each(|within| limited("within", within, LONGEST_COMMAND));
        }
        Step::PowerCut(_)
        | Step::Do(_)
        | Step::Connect(_)
        | Step::Wait(_)
        | Step::Sleep(_)
        | Step::Arm(_)
        | Step::Disarm(_)
        | Step::Repeat(_)
        | Step::Parallel(_) => return Ok(()),
    };
    let message = format!("{}: with host = \"vm\" a shell step does that: {instead}", step.verb());
    Err(ScenarioError::at(place, message))
}

/// What is on the drive, Linux knows.
fn expect(wanted: &Expect) -> Result<(), ScenarioError> {
    let Expect { fail, file, details, drive, flash, .. } = wanted;
    let of_drive = [("fail", fail), ("file", file), ("drive", drive)];
    let of_drive = of_drive.into_iter().find_map(|(what, value)| Some((what, value.as_ref()?)));
    if let Some((what, value)) = of_drive.or_else(|| Some(("details", details.values().next()?))) {
        let message =
            format!("{what}: with host = \"vm\" a shell step looks at the drive, below /media, once it is there");
        return Err(ScenarioError::at(value, message));
    }
    match flash.as_ref().filter(|flash| flash.as_ref() == "dropped") {
        Some(flash) => Err(ScenarioError::at(
            flash,
            "flash: with host = \"vm\" no step drops a file; the file's name was expected",
        )),
        None => Ok(()),
    }
}

fn measure(place: &Spanned<Step>, measure: &Measure) -> Result<(), ScenarioError> {
    match measure.what {
        Quantity::Writing | Quantity::Settling | Quantity::Rate => Err(ScenarioError::at(
            place,
            "measure: with host = \"vm\" no step drops a file; time, elapsed or strikes was expected",
        )),
        Quantity::Time | Quantity::Elapsed | Quantity::Strikes => Ok(()),
    }
}

/// Faults of the host in this process cannot strike another one.
///
/// # Errors
/// That it is one.
pub(super) fn fault(scenario: &Scenario, entry: &FaultEntry) -> Result<(), ScenarioError> {
    let hosts = points::point(entry.point.as_ref()).is_some_and(points::is_hosts);
    if scenario.host == HostKind::Vm && hosts {
        let message = format!(
            "{}: this is a fault of the host in this process; with host = \"vm\" Linux is the host",
            entry.point.as_ref()
        );
        return Err(ScenarioError::at(&entry.point, message));
    }
    Ok(())
}

/// Whether a step, or one in it, is done with the host: with its drivers, or with its shell.
pub(super) fn uses(host: HostKind, step: &Spanned<Step>) -> bool {
    match step.as_ref() {
        Step::Drop(_) | Step::Dap(_) | Step::Gdb(_) | Step::Debug(_) | Step::Connect(_) | Step::Shell(_) => true,
        // In the virtual machine the power is cut in the board's own time.
        Step::PowerCut(_) => host == HostKind::InProcess,
        Step::Expect(expect) => {
            expect.fail.is_some()
                || expect.file.is_some()
                || !expect.details.is_empty()
                || expect.drive.is_some()
                || expect.memory.is_some()
                || expect.flash.is_some()
        }
        Step::Repeat(repeat) => repeat.steps.iter().any(|step| uses(host, step)),
        _ => false,
    }
}
