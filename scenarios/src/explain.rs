//! A scenario in words: what will happen, without running it.

use std::fmt::Write as _;

use toml::Spanned;
use twinboard_sim::fault::{Lasting, Plan};
use twinboard_sim::time::Time;

use crate::language::fault::{ArmedBy, FaultEntry};
use crate::language::step::{DebugStep, DropStep, Expect, Outcome, Quantity, SerialStep, ShellStep, Step, WaitStep};
use crate::language::units::span_text;
use crate::language::{HostKind, Scenario};
use crate::points;

/// The whole scenario.
#[must_use]
pub fn scenario(scenario: &Scenario, name: &str) -> String {
    let mut text = format!("{name}: {}\n\n", scenario.learn.as_ref().trim());
    // Writing into a string does not fail.
    let _ = write!(text, "A {} gets its power", scenario.board.as_ref());
    if scenario.hold_reset {
        text.push_str(" with the reset button held");
    }
    for (what, image) in [
        ("its target's flash holds", &scenario.images.target),
        ("its interface chip is emulated and runs", &scenario.images.interface),
        ("with the bootloader", &scenario.images.bootloader),
    ] {
        if let Some(image) = image {
            let _ = write!(text, "; {what} {}", image.as_ref());
        }
    }
    for (key, value) in &scenario.set {
        let _ = write!(text, "; {key} is {}", value.as_ref());
    }
    let host = match scenario.host {
        HostKind::InProcess => "the in-process host",
        HostKind::Vm => "Linux in the virtual machine",
    };
    let _ = writeln!(text, ". Its cable goes to {host}.");
    if !scenario.faults.is_empty() {
        text.push_str("\nWhat goes wrong:\n");
        for entry in &scenario.faults {
            let _ = writeln!(text, "- {}: {}", entry.name(), fault(entry));
        }
    }
    text.push_str("\nWhat happens:\n");
    steps(&mut text, &scenario.steps, 0);
    let faults = if scenario.faults.is_empty() { "" } else { ", and if every fault has struck" };
    let limit = span_text(scenario.limit());
    let _ = write!(text, "\nIt passes if all of this comes about within {limit} of the board's time{faults}.");
    if scenario.host == HostKind::Vm {
        text.push_str(
            " Linux is not deterministic, so no two runs are the same, and reports have no fingerprint of the trace.",
        );
    }
    text
}

fn steps(text: &mut String, list: &[Spanned<Step>], depth: usize) {
    for (index, one) in list.iter().enumerate() {
        let indent = "   ".repeat(depth);
        let lines = step(one.as_ref()).replace('\n', &format!("\n{indent}   "));
        let _ = writeln!(text, "{indent}{}. {lines}", index + 1);
        match one.as_ref() {
            Step::Repeat(repeat) => steps(text, &repeat.steps, depth + 1),
            Step::Parallel(parallel) => {
                for (number, branch) in parallel.branches.as_ref().iter().enumerate() {
                    let _ = writeln!(text, "{indent}   branch {}:", number + 1);
                    steps(text, branch, depth + 2);
                }
            }
            _ => {}
        }
    }
}

/// A fault in words.
#[must_use]
pub fn fault(entry: &FaultEntry) -> String {
    let name: &str = entry.point.as_ref();
    let what = points::point(name).map_or(name, |point| point.what);
    let opportunity = points::point(name).map_or("an opportunity", |point| point.opportunity);
    let mut text = what.to_string();
    if let (Ok(plan), Ok(params)) = (entry.plan(), entry.params()) {
        let given = [
            params.wire.map(|wire| format!("on {wire}")),
            params.chip.map(|chip| format!("in {chip}")),
            params.endpoint.map(|endpoint| format!("at endpoint {endpoint:#04x}")),
            params.level.map(|level| format!("at {}", if level { "high" } else { "low" })),
            params.bit.map(|bit| format!("bit {bit}")),
            params.bytes.map(|bytes| format!("{bytes} bytes")),
            params.rate.map(|rate| format!("rate {rate}")),
            params.delay.map(|delay| format!("for {} each", span_text(delay))),
            params.factor.map(|factor| format!("{factor} times")),
            params.ppm.map(|ppm| format!("{ppm} ppm")),
            params.cycles.map(|cycles| format!("after {cycles} cycles")),
            params.value.map(|value| format!("value {value:#x}")),
        ];
        for given in given.into_iter().flatten() {
            let _ = write!(text, ", {given}");
        }
        text.push_str("; ");
        text.push_str(&when(&plan, opportunity));
    }
    if entry.armed == ArmedBy::Step {
        text.push_str(", once a step has armed it");
    }
    if let Some(event) = &entry.on {
        let _ = write!(text, ", once {}", self::event(&event.as_ref().wait()));
    }
    text
}

fn when(plan: &Plan, opportunity: &str) -> String {
    let Plan { start, skip, address, probability, lasting } = plan;
    let mut text = match lasting {
        Lasting::Times(1) => "once".to_string(),
        Lasting::Times(times) => format!("{times} times"),
        Lasting::For(span) => format!("for {}", span_text(*span)),
        Lasting::Always => "for ever".to_string(),
    };
    let _ = match skip {
        0 => write!(text, " from the first opportunity on ({opportunity})"),
        skip => write!(text, " from opportunity {} on ({opportunity})", skip + 1),
    };
    if *start > Time::ZERO {
        let _ = write!(text, ", not before {}", span_text(start.since(Time::ZERO)));
    }
    if let Some(address) = address {
        let _ = write!(text, ", at addresses {:#x} to {:#x}", address.start, address.end - 1);
    }
    if *probability < 1.0 {
        let _ = write!(text, ", each with probability {probability}");
    }
    text
}

/// A step in words.
#[must_use]
pub fn step(step: &Step) -> String {
    match step {
        Step::Drop(drop) => dropped(drop),
        Step::Expect(wanted) => expected(wanted),
        Step::Serial(serial) => conversation(serial),
        // Strings and numbers; nothing of it can fail to be written.
        Step::Do(action) => format!("do {}", serde_json::to_string(action).unwrap_or_default()),
        Step::PowerCut(cut) => format!("cut the power for {}", span_text(cut.span.0)),
        Step::Connect(_) => "wait for the board to be on the bus".into(),
        Step::Dap(dap) => {
            let requests: Vec<_> = dap.exchange.iter().map(|one| one.send.as_ref().as_str()).collect();
            format!("send CMSIS-DAP requests: {}", requests.join("; "))
        }
        Step::Gdb(gdb) => {
            let packets: Vec<_> = gdb.exchange.iter().map(|one| one.send.as_str()).collect();
            format!("send GDB packets: {}", packets.join("; "))
        }
        Step::Debug(action) => match action {
            DebugStep::Halt => "a debugger halts the target".into(),
            DebugStep::Run => "the debugger lets the target run".into(),
            DebugStep::Step => "the debugger executes one instruction".into(),
            DebugStep::Reset => "the debugger resets the target".into(),
        },
        Step::Shell(shell) => judged_command(shell),
        Step::Wait(wait) => format!("wait until {}", event(wait)),
        Step::Sleep(sleep) => {
            format!("let {} pass, because {}", span_text(sleep.span.as_ref().0), sleep.because.as_ref())
        }
        Step::Arm(name) => format!("arm {}", name.as_ref()),
        Step::Disarm(name) => format!("disarm {}", name.as_ref()),
        Step::Measure(measure) => {
            let what = match measure.what {
                Quantity::Writing => "how long the writing took",
                Quantity::Settling => "how long the drive then took",
                Quantity::Rate => "the rate of the writing",
                Quantity::Time => "the board's time",
                Quantity::Elapsed => "the time since the last such measurement",
                Quantity::Strikes => "how often faults struck",
            };
            let min = measure.min.map(|min| format!(", at least {min}")).unwrap_or_default();
            let max = measure.max.map(|max| format!(", at most {max}")).unwrap_or_default();
            format!("measure {what} as {:?}{min}{max}", measure.name.as_ref())
        }
        Step::Repeat(repeat) => format!("{} times", repeat.times.as_ref()),
        Step::Parallel(_) => "at the same time".into(),
    }
}

fn dropped(drop: &DropStep) -> String {
    let what = match (&drop.file, &drop.text, &drop.program) {
        (Some(file), ..) => file.as_ref().clone(),
        (_, Some(text), _) => format!("{:?}", text.as_ref()),
        (.., Some(size)) => format!("a program of {}", size.as_ref()),
        _ => "nothing".into(),
    };
    let name = drop.name.as_ref().map(|name| format!(" as {name}")).unwrap_or_default();
    let order = match &drop.regions {
        Some(_) => "in a given order".to_string(),
        None => format!("as {:?} does", drop.order),
    };
    let until = drop.until.as_ref().map(|until| format!(", up to {}", until.as_ref())).unwrap_or_default();
    let outcome = match drop.outcome {
        Outcome::Success => "the drive takes it",
        Outcome::Fail => "the drive shows a FAIL.TXT",
        Outcome::Restart => "the interface chip restarts with it",
        Outcome::Refused => "the drive refuses it",
        Outcome::Any => "whatever comes of it",
    };
    format!("drop {what}{name} {order}{until}: {outcome}")
}

fn expected(wanted: &Expect) -> String {
    let mut parts = Vec::new();
    if let Some(fail) = &wanted.fail {
        parts.push(format!("FAIL.TXT: {:?}", fail.as_ref()));
    }
    if let Some(file) = &wanted.file {
        let how = match (&wanted.contains, &wanted.exists) {
            (Some(text), _) => format!("contains {:?}", text.as_ref()),
            (_, Some(exists)) if !exists.as_ref() => "is not there".into(),
            _ => "is there".into(),
        };
        parts.push(format!("{} {how}", file.as_ref()));
    }
    for (label, value) in &wanted.details {
        parts.push(format!("DETAILS.TXT: {label} is {:?}", value.as_ref()));
    }
    if let Some(drive) = &wanted.drive {
        parts.push(format!("the drive is {}", drive.as_ref()));
    }
    if let Some(screen) = &wanted.screen {
        parts.push(format!("the display shows {}", screen.as_ref().join("/")));
    }
    if let (Some(place), Some(words)) = (&wanted.memory, &wanted.words) {
        let words: Vec<_> = words.as_ref().iter().map(|word| format!("{word:#010x}")).collect();
        parts.push(format!("{} holds {}", place.as_ref(), words.join(", ")));
    }
    if let Some(flash) = &wanted.flash {
        parts.push(format!("the target's flash holds {}", flash.as_ref()));
    }
    if let Some(present) = &wanted.present {
        parts.push(format!("the board is {} the bus", if *present.as_ref() { "on" } else { "gone from" }));
    }
    if let Some(incident) = &wanted.incident {
        parts.push(format!("programs gone wrong: {:?}", incident.as_ref()));
    }
    let within = wanted.within.as_ref().map(|within| format!(", within {}", span_text(within.as_ref().0)));
    format!("expect that {}{}", parts.join(" and "), within.unwrap_or_default())
}

/// A shell command in words, without what must come of it.
#[must_use]
pub fn command(shell: &ShellStep) -> String {
    format!("run in the virtual machine: {}", shell.run.as_ref().trim())
}

fn judged_command(shell: &ShellStep) -> String {
    let mut text = command(shell);
    let mut then = String::new();
    if shell.status != 0 {
        let _ = write!(then, ", it ends with status {}", shell.status);
    }
    if let Some(expect) = &shell.expect {
        let _ = write!(then, ", it prints {:?}", expect.as_ref());
    }
    if let Some(within) = &shell.within {
        let _ = write!(then, ", within {} of this computer's time", span_text(within.as_ref().0));
    }
    if text.contains('\n') && !then.is_empty() {
        // Behind several lines it has one of its own.
        then.replace_range(..2, "\n");
    }
    text.push_str(&then);
    text
}

fn conversation(serial: &SerialStep) -> String {
    let mut parts = Vec::new();
    if let Some(baud) = &serial.baud {
        parts.push(format!("at {} baud", baud.as_ref()));
    }
    if let Some(length) = &serial.line_break {
        parts.push(format!("send a break of {}", span_text(length.as_ref().0)));
    }
    if let Some(text) = &serial.send {
        parts.push(format!("send {text:?}"));
    }
    if let Some(expect) = &serial.expect {
        parts.push(format!("expect {:?}", expect.as_ref()));
    }
    if let Some(never) = &serial.never {
        parts.push(format!("hear nothing like {:?}", never.as_ref()));
    }
    format!("serial port: {}", parts.join(", "))
}

/// An event in words.
#[must_use]
pub fn event(wait: &WaitStep) -> String {
    let WaitStep { serial, screen, progress, fault, powered, gone, .. } = wait;
    let texts = [
        serial.as_ref().map(|serial| format!("the target sends {:?}", serial.as_ref())),
        screen.as_ref().map(|screen| format!("the display shows {}", screen.as_ref().join("/"))),
        progress.as_ref().map(|part| format!("{} of the drop is written", part.as_ref())),
        fault.as_ref().map(|fault| format!("the fault {} has struck", fault.as_ref())),
        powered.as_ref().map(|on| format!("the board is {} power", if *on.as_ref() { "under" } else { "without" })),
        gone.as_ref().map(|gone| format!("the board is {} the bus", if *gone.as_ref() { "gone from" } else { "on" })),
    ];
    texts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
