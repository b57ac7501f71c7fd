//! `[[step]]`: what happens, in order. Each step is a table with one key, its verb.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;
use twinboard_models::board::control::Action;

use super::units::{Duration, Percent, Place, Size};

/// A step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Copies a file onto the board's drive, as an operating system does, and waits for the drive's verdict.
    Drop(Box<DropStep>),
    /// Something must be so; what is said of the board may take until `within`.
    Expect(Box<Expect>),
    /// Talks to the target through the board's serial port.
    Serial(SerialStep),
    /// Does what a person does: press, tilt, reset, unplug, plug, …: the actions of `twinboard ctl`.
    Do(Action),
    /// Takes the power away and gives it back.
    PowerCut(PowerCut),
    /// Waits for the board to be on the bus, and enumerates it.
    Connect(Connect),
    /// Exchanges packets with the board's CMSIS-DAP probe.
    Dap(DapStep),
    /// Exchanges packets of GDB's remote serial protocol with the core of a chip.
    Gdb(GdbStep),
    /// A debugger takes hold of the target's core through the probe, or lets it go.
    Debug(DebugStep),
    /// Runs a shell command in the virtual machine (`host = "vm"`).
    Shell(ShellStep),
    /// Waits for an event.
    Wait(WaitStep),
    /// Lets time pass for no other reason than the one that is given.
    Sleep(SleepStep),
    /// Arms a fault.
    #[schemars(with = "String")]
    Arm(Spanned<String>),
    /// Disarms a fault.
    #[schemars(with = "String")]
    Disarm(Spanned<String>),
    /// Puts a number into the report, and may judge it.
    Measure(Measure),
    /// Does steps again and again.
    Repeat(Repeat),
    /// Does several lists of steps at the same time.
    Parallel(Parallel),
}

impl Step {
    /// Its verb.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Step::Drop(_) => "drop",
            Step::Expect(_) => "expect",
            Step::Serial(_) => "serial",
            Step::Do(_) => "do",
            Step::PowerCut(_) => "power-cut",
            Step::Connect(_) => "connect",
            Step::Dap(_) => "dap",
            Step::Gdb(_) => "gdb",
            Step::Debug(_) => "debug",
            Step::Shell(_) => "shell",
            Step::Wait(_) => "wait",
            Step::Sleep(_) => "sleep",
            Step::Arm(_) => "arm",
            Step::Disarm(_) => "disarm",
            Step::Measure(_) => "measure",
            Step::Repeat(_) => "repeat",
            Step::Parallel(_) => "parallel",
        }
    }
}

/// A file that is dropped. One of `file`, `text` and `program` says what is in it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DropStep {
    /// A file: a path from the scenario's folder, or `builtin:NAME`.
    #[schemars(with = "Option<String>")]
    pub file: Option<Spanned<String>>,
    /// These characters.
    #[schemars(with = "Option<String>")]
    pub text: Option<Spanned<String>>,
    /// A program for the target of so many bytes, as Intel HEX: a vector table, then a pattern; it loops.
    #[schemars(with = "Option<Size>")]
    pub program: Option<Spanned<Size>>,
    /// The file ends after this part of it.
    #[schemars(with = "Option<Percent>")]
    pub cut: Option<Spanned<Percent>>,
    /// The first hex digit behind this part of the file is another one.
    #[schemars(with = "Option<Percent>")]
    pub flip: Option<Spanned<Percent>>,
    /// Its name on the drive; by default the file's.
    pub name: Option<String>,
    /// Who copies, and so in which order the sectors are written.
    #[serde(default, rename = "as")]
    pub order: CopiedBy,
    /// The sectors in this order instead: regions of the file system, each as often as it is written.
    #[schemars(with = "Option<Vec<RegionName>>")]
    pub regions: Option<Spanned<Vec<RegionName>>>,
    /// The copy is interrupted when this part of it is written.
    #[schemars(with = "Option<Percent>")]
    pub until: Option<Spanned<Percent>>,
    /// What must come of it: `success`, `fail` (a FAIL.TXT), `restart` (the interface chip goes away with it), `refused` (a
    /// write failed) or `any`.
    #[serde(default)]
    pub outcome: Outcome,
}

/// What must come of a file that is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The drive takes it.
    #[default]
    Success,
    /// The drive shows a FAIL.TXT.
    Fail,
    /// The interface chip goes away, to start what it was given.
    Restart,
    /// A write fails, or the drive does not come back.
    Refused,
    /// Later steps say.
    Any,
}

/// Who copies a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CopiedBy {
    /// Linux, `cp` and `umount`.
    #[default]
    LinuxUmount,
    /// Linux, `cp` and `sync`.
    LinuxSync,
    /// Linux, mounted with `-o flush`, as desktops do.
    LinuxFlush,
    /// Linux, mounted with `-o sync`.
    LinuxSyncMount,
    /// Linux, `dd conv=fsync`.
    LinuxFsync,
    /// Linux, `dd oflag=direct`.
    LinuxDirect,
    /// macOS up to 12.
    #[serde(rename = "macos")]
    MacOs,
    /// Finder of macOS 13.0: writes the file's attributes into a companion file, reads them back, and gives up without them.
    #[serde(rename = "macos-ventura-finder")]
    MacOsVenturaFinder,
    /// `cp` of macOS 13: several threads write 1 MiB each.
    #[serde(rename = "macos-ventura")]
    MacOsVentura,
    /// macOS 15: after its metadata the file does not lie in one piece.
    #[serde(rename = "macos-sequoia")]
    MacOsSequoia,
    /// Windows.
    Windows,
    /// Windows, whose search indexer makes its files half-way.
    WindowsIndexer,
    /// Thonny on Linux: `fsync` after every 8 KiB.
    Thonny,
}

/// A region of the drive's file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RegionName {
    /// The boot sector.
    Boot,
    /// The first file allocation table.
    Fat1,
    /// The second one.
    Fat2,
    /// The root directory.
    Root,
    /// The file's contents.
    Data,
}

/// What must be so. Everything that is given must hold.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// FAIL.TXT matches this regular expression; `none`: there is none.
    #[schemars(with = "Option<String>")]
    pub fail: Option<Spanned<String>>,
    /// This file of the drive …
    #[schemars(with = "Option<String>")]
    pub file: Option<Spanned<String>>,
    /// … is there, or is not; …
    #[schemars(with = "Option<bool>")]
    pub exists: Option<Spanned<bool>>,
    /// … and matches this regular expression.
    #[schemars(with = "Option<String>")]
    pub contains: Option<Spanned<String>>,
    /// Lines of DETAILS.TXT: what stands behind the label matches the regular expression.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub details: BTreeMap<String, Spanned<String>>,
    /// The drive's label, MICROBIT or MAINTENANCE.
    #[schemars(with = "Option<String>")]
    pub drive: Option<Spanned<String>>,
    /// The display: five rows; per LED its digit, `#` for any light, `?` for anything.
    #[schemars(with = "Option<[String; 5]>")]
    pub screen: Option<Spanned<[String; 5]>>,
    /// This place of the target's memory …
    #[schemars(with = "Option<Place>")]
    pub memory: Option<Spanned<Place>>,
    /// … holds these words.
    #[schemars(with = "Option<Vec<u32>>")]
    pub words: Option<Spanned<Vec<u32>>>,
    /// The target's flash holds this program: a path, or `builtin:NAME`; `dropped`: that of the last drop.
    #[schemars(with = "Option<String>")]
    pub flash: Option<Spanned<String>>,
    /// The board is on the bus, or is not.
    #[schemars(with = "Option<bool>")]
    pub present: Option<Spanned<bool>>,
    /// A program went wrong, and the line that tells of it matches this regular expression; `none`: none did.
    #[schemars(with = "Option<String>")]
    pub incident: Option<Spanned<String>>,
    /// It may take so long until it is so.
    #[schemars(with = "Option<Duration>")]
    pub within: Option<Spanned<Duration>>,
}

/// A conversation on the serial port.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SerialStep {
    /// Opens the port with this baud rate, 8N1, if it is not open with it.
    #[schemars(with = "Option<u32>")]
    pub baud: Option<Spanned<u32>>,
    /// What is sent.
    pub send: Option<String>,
    /// A regular expression that what comes must match; what came up to the end of the match is used up.
    #[schemars(with = "Option<String>")]
    pub expect: Option<Spanned<String>>,
    /// Nothing that matches this may come within the time.
    #[schemars(with = "Option<String>")]
    pub never: Option<Spanned<String>>,
    /// A break of this length is sent.
    #[serde(rename = "break")]
    #[schemars(with = "Option<Duration>")]
    pub line_break: Option<Spanned<Duration>>,
    /// How long the answer may take; 5 s if nothing is said.
    #[schemars(with = "Option<Duration>")]
    pub within: Option<Spanned<Duration>>,
}

/// A power cut.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PowerCut {
    /// How long the board is without power.
    #[serde(rename = "for")]
    pub span: Duration,
}

/// Coming onto the bus.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Connect {
    /// How long it may take; 10 s if nothing is said.
    #[schemars(with = "Option<Duration>")]
    pub within: Option<Spanned<Duration>>,
}

/// Packets for the probe.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DapStep {
    /// Which of the probe's interfaces.
    #[serde(default)]
    pub interface: DapInterface,
    /// Requests and what must come back, one after the other.
    pub exchange: Vec<DapExchange>,
}

/// The interfaces of a CMSIS-DAP probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DapInterface {
    /// Version 2, bulk endpoints.
    #[default]
    V2,
    /// Version 1, HID reports.
    V1,
    /// WebUSB, control requests.
    Web,
}

/// A request and its response.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DapExchange {
    /// The request's bytes in hex, as `00 04`.
    #[schemars(with = "String")]
    pub send: Spanned<String>,
    /// How the response begins, in hex; `??` is any byte.
    #[schemars(with = "Option<String>")]
    pub expect: Option<Spanned<String>>,
    /// No response comes.
    #[serde(default)]
    pub silent: bool,
}

/// Packets for a debugger's stub.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GdbStep {
    /// The chip; the target if nothing is said.
    #[schemars(with = "Option<String>")]
    pub chip: Option<Spanned<String>>,
    /// Packets without `$` and checksum, and a regular expression for each answer.
    pub exchange: Vec<GdbExchange>,
}

/// A packet and its answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GdbExchange {
    /// The packet, as `m20000000,4`.
    pub send: String,
    /// A regular expression for the answer.
    #[schemars(with = "Option<String>")]
    pub expect: Option<Spanned<String>>,
}

/// What a debugger does with the target's core.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DebugStep {
    /// Connects and halts it.
    Halt,
    /// Lets it go on.
    Run,
    /// Executes one instruction.
    Step,
    /// Resets the chip (SYSRESETREQ) and lets it run.
    Reset,
}

/// A command in the virtual machine.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ShellStep {
    /// What `sh -e` is given: the first command of it that fails ends it. It begins in the scenario's folder.
    #[schemars(with = "String")]
    pub run: Spanned<String>,
    /// A regular expression for what it prints (standard output and error).
    #[schemars(with = "Option<String>")]
    pub expect: Option<Spanned<String>>,
    /// Its exit status; 0 if nothing is said.
    #[serde(default)]
    pub status: u8,
    /// How long it may take, on this computer's clock and not in the board's time; 60 s if nothing is said, at most an hour.
    #[schemars(with = "Option<Duration>")]
    pub within: Option<Spanned<Duration>>,
}

/// An event, one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WaitStep {
    /// What the target sends on its serial wire from now on matches this regular expression.
    #[schemars(with = "Option<String>")]
    pub serial: Option<Spanned<String>>,
    /// The display shows this; see `expect`.
    #[schemars(with = "Option<[String; 5]>")]
    pub screen: Option<Spanned<[String; 5]>>,
    /// This part of the running drop is written.
    #[schemars(with = "Option<Percent>")]
    pub progress: Option<Spanned<Percent>>,
    /// This fault has struck.
    #[schemars(with = "Option<String>")]
    pub fault: Option<Spanned<String>>,
    /// The board is under power, or is not.
    #[schemars(with = "Option<bool>")]
    pub powered: Option<Spanned<bool>>,
    /// The board has gone from the bus.
    #[schemars(with = "Option<bool>")]
    pub gone: Option<Spanned<bool>>,
    /// How long it may take; 10 s if nothing is said.
    #[schemars(with = "Option<Duration>")]
    pub within: Option<Spanned<Duration>>,
}

/// A bare sleep.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SleepStep {
    /// For how long.
    #[serde(rename = "for")]
    #[schemars(with = "Duration")]
    pub span: Spanned<Duration>,
    /// Why there is no event to wait for.
    #[schemars(with = "String")]
    pub because: Spanned<String>,
}

/// A number for the report.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Measure {
    /// Its name in the report.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// What is measured.
    pub what: Quantity,
    /// It must be at least this.
    pub min: Option<f64>,
    /// It must be at most this.
    pub max: Option<f64>,
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Seconds that the last drop's writes took.
    Writing,
    /// Seconds from the last write of the last drop to the drive's verdict.
    Settling,
    /// Kilobytes of the dropped file per second of writing.
    Rate,
    /// Seconds of the board's time since power-on.
    Time,
    /// Seconds of the board's time since the last `measure` of this kind, or since power-on.
    Elapsed,
    /// Strikes of all faults so far.
    Strikes,
}

/// Repeated steps.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Repeat {
    /// How often, 1 to 10 000.
    #[schemars(with = "u32", range(min = 1, max = 10_000))]
    pub times: Spanned<u32>,
    /// What.
    #[schemars(with = "Vec<Step>")]
    pub steps: Vec<Spanned<Step>>,
}

/// Branches. One of them may use the host's drivers (drop, dap, …) or its shell; the others act on the board and watch it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parallel {
    /// Lists of steps.
    #[schemars(with = "Vec<Vec<Step>>")]
    pub branches: Spanned<Vec<Vec<Spanned<Step>>>>,
}
