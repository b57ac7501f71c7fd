//! What can be said of a scenario without running it, beyond what its types say: names that nobody gave, regular
//! expressions that are none, steps that can never be done.

mod host;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use regex::Regex;
use toml::Spanned;
use twinboard_sim::time::Span;

use super::error::ScenarioError;
use super::step::{DropStep, Expect, Measure, SerialStep, Step, WaitStep};
use super::units::Duration;
use super::{HostKind, Scenario};
use crate::points;

/// How much of the board's time a scenario may take, if it does not say.
pub const WITHIN: Span = Span::secs(300);
/// The most that a scenario may give itself.
const LONGEST: Span = Span::secs(3 * 3600);
/// Steps, those in branches and repetitions included.
const MOST_STEPS: usize = 2000;
/// The same with repetitions written out.
const MOST_DONE: u64 = 100_000;
/// Repetitions of repetitions.
const DEEPEST: usize = 4;

impl Scenario {
    /// How much of the board's time it may take.
    #[must_use]
    pub fn limit(&self) -> Span {
        self.within.as_ref().map_or(WITHIN, |within| within.as_ref().0)
    }

    /// Looks for what can never work.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn check(&self) -> Result<(), ScenarioError> {
        if self.learn.as_ref().trim().is_empty() {
            return Err(ScenarioError::at(
                &self.learn,
                "learn: a sentence was expected that says what a reader learns",
            ));
        }
        if let Some(within) = &self.within {
            limited("within", within, LONGEST)?;
        }
        if self.steps.is_empty() {
            return Err(ScenarioError::anywhere("at least one [[step]] was expected"));
        }
        let faults = self.check_faults()?;
        let mut walk = Walk { scenario: self, faults, count: 0, done: 0, dropped: false };
        walk.steps(&self.steps, Around { depth: 0, times: 1, branch: None })?;
        walk.check_use()?;
        walk.check_events()?;
        order::check(&self.steps)
    }

    fn check_faults(&self) -> Result<BTreeMap<&str, FaultUse>, ScenarioError> {
        let mut names = BTreeMap::new();
        for fault in &self.faults {
            let name: &str = fault.point.as_ref();
            let point = points::point(name).ok_or_else(|| ScenarioError::at(&fault.point, points::unknown(name)))?;
            host::fault(self, fault)?;
            fault.plan()?;
            if let Err(wrong) = fault.params()?.check(point) {
                let name = wrong.param.name();
                let message = if wrong.missing {
                    format!("{} needs {name}", point.name)
                } else {
                    format!("{} takes no {name}; it takes {}", point.name, points::taken(point))
                };
                return Err(ScenarioError::over(fault.place(wrong.param), message));
            }
            let place = fault.name.as_ref().unwrap_or(&fault.point).span();
            let by_step = fault.armed == super::fault::ArmedBy::Step;
            let entry = FaultUse { place: place.clone(), by_step, armed: !by_step };
            if names.insert(fault.name(), entry).is_some() {
                let message = format!("there are two faults {}; give them names of their own", fault.name());
                return Err(ScenarioError::over(place, message));
            }
        }
        Ok(names)
    }
}

/// A fault's name, and whether somebody arms it.
#[derive(Debug)]
struct FaultUse {
    place: Range<usize>,
    by_step: bool,
    armed: bool,
}

/// Where in the scenario a step stands.
#[derive(Clone, Copy)]
struct Around {
    depth: usize,
    /// How often the repetitions around it repeat it.
    times: u64,
    /// In a branch; whether a drop runs in another one.
    branch: Option<bool>,
}

struct Walk<'s> {
    scenario: &'s Scenario,
    faults: BTreeMap<&'s str, FaultUse>,
    count: usize,
    /// Steps so far, those that are repeated as often as they are.
    done: u64,
    /// A file was dropped before.
    dropped: bool,
}

impl<'s> Walk<'s> {
    fn steps(&mut self, steps: &'s [Spanned<Step>], around: Around) -> Result<(), ScenarioError> {
        for step in steps {
            self.count += 1;
            if self.count > MOST_STEPS {
                return Err(ScenarioError::at(step, format!("at most {MOST_STEPS} steps were expected")));
            }
            self.done = self.done.saturating_add(around.times);
            if self.done > MOST_DONE {
                let message = format!("at most {MOST_DONE} steps were expected, with those that are repeated");
                return Err(ScenarioError::at(step, message));
            }
            self.step(step, around)?;
        }
        Ok(())
    }

    fn step(&mut self, place: &'s Spanned<Step>, around: Around) -> Result<(), ScenarioError> {
        let step = place.as_ref();
        host::step(self.scenario, place)?;
        match step {
            Step::Drop(drop) => {
                self.dropped = true;
                self.drop_step(place, drop)
            }
            Step::Expect(expect) => self.expect(place, expect),
            Step::Serial(serial) => self.serial(place, serial),
            Step::Wait(wait) => self.wait(place, wait, around),
            Step::Sleep(sleep) => {
                self.within(&sleep.span, "for")?;
                if sleep.because.as_ref().trim().is_empty() {
                    let message = "because: the reason was expected why there is no event to wait for";
                    return Err(ScenarioError::at(&sleep.because, message));
                }
                Ok(())
            }
            Step::Arm(name) | Step::Disarm(name) => {
                let Some(fault) = self.faults.get_mut(name.as_ref().as_str()) else {
                    return Err(ScenarioError::at(name, self.unknown_fault(name.as_ref())));
                };
                fault.armed |= matches!(step, Step::Arm(_));
                Ok(())
            }
            Step::Measure(measure) => self.measure(place, measure),
            Step::Connect(connect) => connect.within.iter().try_for_each(|within| self.within(within, "within")),
            Step::PowerCut(cut) if cut.span.0 == Span::ZERO => {
                Err(ScenarioError::at(place, "for: more than no time was expected"))
            }
            Step::PowerCut(_) | Step::Do(_) | Step::Debug(_) => Ok(()),
            Step::Dap(dap) => {
                if dap.exchange.is_empty() {
                    return Err(ScenarioError::at(place, "exchange: at least one packet was expected"));
                }
                for exchange in &dap.exchange {
                    hex(&exchange.send, false)?;
                    exchange.expect.iter().try_for_each(|expect| hex(expect, true).map(drop))?;
                    if let (true, Some(expect)) = (exchange.silent, &exchange.expect) {
                        return Err(ScenarioError::at(
                            expect,
                            "an answer is expected, and silent says that none comes",
                        ));
                    }
                }
                Ok(())
            }
            Step::Gdb(gdb) => {
                if gdb.exchange.is_empty() {
                    return Err(ScenarioError::at(place, "exchange: at least one packet was expected"));
                }
                gdb.exchange.iter().filter_map(|one| one.expect.as_ref()).try_for_each(|expect| regex(expect).map(drop))
            }
            Step::Shell(shell) => shell.expect.iter().try_for_each(|expect| regex(expect).map(drop)),
            Step::Repeat(repeat) => {
                if !(1..=10_000).contains(repeat.times.as_ref()) {
                    return Err(ScenarioError::at(&repeat.times, "times: 1 to 10000 was expected"));
                }
                self.deeper(place, around)?;
                if repeat.steps.is_empty() {
                    return Err(ScenarioError::at(place, "steps: at least one step was expected"));
                }
                let times = around.times.saturating_mul(u64::from(*repeat.times.as_ref()));
                self.steps(&repeat.steps, Around { depth: around.depth + 1, times, ..around })
            }
            Step::Parallel(parallel) => {
                self.deeper(place, around)?;
                if around.branch.is_some() {
                    return Err(ScenarioError::at(place, "no branches in branches were expected"));
                }
                let branches = parallel.branches.as_ref();
                if branches.len() < 2 || branches.iter().any(Vec::is_empty) {
                    let message = "branches: at least two lists of steps were expected, none of them empty";
                    return Err(ScenarioError::at(&parallel.branches, message));
                }
                let on_host: Vec<_> = branches
                    .iter()
                    .map(|branch| branch.iter().find(|step| host::uses(self.scenario.host, step)))
                    .collect();
                let mut hosts = on_host.iter().flatten();
                if let (Some(_), Some(second)) = (hosts.next(), hosts.next()) {
                    let message = format!(
                        "{}: only one branch may use the host{}; the others act on the board and watch it",
                        second.as_ref().verb(),
                        if self.scenario.host == HostKind::Vm { "'s shell" } else { "'s drivers" }
                    );
                    return Err(ScenarioError::at(second, message));
                }
                for (index, branch) in branches.iter().enumerate() {
                    let others = branches.iter().enumerate().filter(|(other, _)| *other != index);
                    let drops = others.flat_map(|(_, branch)| branch).any(drops);
                    self.steps(branch, Around { depth: around.depth + 1, branch: Some(drops), ..around })?;
                }
                Ok(())
            }
        }
    }

    fn deeper(&self, place: &Spanned<Step>, around: Around) -> Result<(), ScenarioError> {
        if around.depth < DEEPEST {
            return Ok(());
        }
        Err(ScenarioError::at(place, format!("at most {DEEPEST} levels of steps in steps were expected")))
    }

    fn drop_step(&self, place: &Spanned<Step>, drop: &DropStep) -> Result<(), ScenarioError> {
        let given = [drop.file.is_some(), drop.text.is_some(), drop.program.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err(ScenarioError::at(place, "drop: one of file, text and program was expected"));
        }
        if let (Some(text), None) = (&drop.text, &drop.name) {
            return Err(ScenarioError::at(text, "name: the file's name on the drive was expected"));
        }
        if let Some(program) = drop.program.as_ref().filter(|size| !(512..=512 << 10).contains(&size.as_ref().0)) {
            return Err(ScenarioError::at(program, "program: 512 B to 512 KiB was expected"));
        }
        if let Some(name) = drop.name.as_ref().filter(|name| name.is_empty() || name.contains(['/', '\\', ':'])) {
            return Err(ScenarioError::at(place, format!("name: a file's name was expected, not {name:?}")));
        }
        if let Some(regions) = drop.regions.as_ref().filter(|regions| regions.as_ref().is_empty()) {
            return Err(ScenarioError::at(regions, "regions: at least one was expected"));
        }
        Ok(())
    }

    fn expect(&self, place: &Spanned<Step>, expect: &Expect) -> Result<(), ScenarioError> {
        let Expect {
            fail,
            file,
            exists,
            contains,
            details,
            drive,
            screen,
            memory,
            words,
            flash,
            present,
            incident,
            ..
        } = expect;
        let says_something = fail.is_some()
            || file.is_some()
            || !details.is_empty()
            || drive.is_some()
            || screen.is_some()
            || memory.is_some()
            || flash.is_some()
            || present.is_some()
            || incident.is_some();
        match (file, exists, contains) {
            (None, Some(place), _) => {
                return Err(ScenarioError::at(place, "exists: the name of a file was expected beside it"));
            }
            (None, _, Some(place)) => {
                return Err(ScenarioError::at(place, "contains: the name of a file was expected beside it"));
            }
            (Some(file), None, None) => {
                return Err(ScenarioError::at(file, "file: exists or contains was expected beside it"));
            }
            (_, Some(no), Some(contains)) if !no.as_ref() => {
                return Err(ScenarioError::at(contains, "contains: a file that does not exist contains nothing"));
            }
            _ => {}
        }
        match (memory, words) {
            (None, Some(words)) => return Err(ScenarioError::at(words, "words: memory was expected beside it")),
            (Some(memory), None) => return Err(ScenarioError::at(memory, "memory: words was expected beside it")),
            (_, Some(words)) if words.as_ref().is_empty() || words.as_ref().len() > 1024 => {
                return Err(ScenarioError::at(words, "words: 1 to 1024 words were expected"));
            }
            _ => {}
        }
        if !says_something {
            return Err(ScenarioError::at(place, "expect: something to expect was expected"));
        }
        for pattern in [fail, contains, incident].into_iter().flatten().chain(details.values()) {
            regex(pattern)?;
        }
        if let Some(drive) = drive.as_ref().filter(|drive| drive.as_ref().is_empty()) {
            return Err(ScenarioError::at(drive, "drive: a label was expected"));
        }
        if let Some(flash) = flash.as_ref().filter(|flash| flash.as_ref() == "dropped" && !self.dropped) {
            return Err(ScenarioError::at(flash, "flash: nothing was dropped before this step"));
        }
        screen.iter().try_for_each(rows)?;
        expect.within.iter().try_for_each(|within| self.within(within, "within"))
    }

    fn serial(&self, place: &Spanned<Step>, serial: &SerialStep) -> Result<(), ScenarioError> {
        let SerialStep { baud, send, expect, never, line_break, within } = serial;
        if baud.is_none() && send.is_none() && expect.is_none() && never.is_none() && line_break.is_none() {
            return Err(ScenarioError::at(place, "serial: one of baud, send, expect, never and break was expected"));
        }
        if let Some(baud) = baud.as_ref().filter(|baud| !(300..=4_000_000).contains(baud.as_ref())) {
            return Err(ScenarioError::at(baud, "baud: 300 to 4000000 was expected"));
        }
        expect.iter().chain(never).try_for_each(|pattern| regex(pattern).map(drop))?;
        within.iter().chain(line_break).try_for_each(|within| self.within(within, "within"))
    }

    fn wait(&self, place: &Spanned<Step>, wait: &WaitStep, around: Around) -> Result<(), ScenarioError> {
        let message = "wait: one of serial, screen, progress, fault, powered and gone was expected";
        self.event(wait, || ScenarioError::at(place, message))?;
        let WaitStep { progress, within, .. } = wait;
        if let Some(progress) = progress.as_ref().filter(|_| around.branch != Some(true)) {
            return Err(ScenarioError::at(progress, "progress: no other branch drops a file at the same time"));
        }
        within.iter().try_for_each(|within| self.within(within, "within"))
    }

    /// An event is one thing, and one that can be.
    fn event(&self, event: &WaitStep, not_one: impl FnOnce() -> ScenarioError) -> Result<(), ScenarioError> {
        let WaitStep { serial, screen, progress, fault, powered, gone, .. } = event;
        let given = [
            serial.is_some(),
            screen.is_some(),
            progress.is_some(),
            fault.is_some(),
            powered.is_some(),
            gone.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err(not_one());
        }
        serial.iter().try_for_each(|pattern| regex(pattern).map(drop))?;
        screen.iter().try_for_each(rows)?;
        match fault.as_ref().filter(|name| !self.faults.contains_key(name.as_ref().as_str())) {
            Some(fault) => Err(ScenarioError::at(fault, self.unknown_fault(fault.as_ref()))),
            None => Ok(()),
        }
    }

    /// The events that arm faults.
    fn check_events(&self) -> Result<(), ScenarioError> {
        for entry in &self.scenario.faults {
            let Some(on) = &entry.on else { continue };
            if entry.armed == super::fault::ArmedBy::Step {
                return Err(ScenarioError::at(on, "on: an event or a step arms a fault, not both"));
            }
            let message = "on: one of serial, screen, progress, fault, powered and gone was expected";
            let event = on.as_ref().wait();
            self.event(&event, || ScenarioError::at(on, message))?;
            if let Some(fault) = event.fault.as_ref().filter(|fault| fault.as_ref() == entry.name()) {
                return Err(ScenarioError::at(fault, "fault: another fault was expected, not the one that it arms"));
            }
            if let Some(progress) = event.progress.as_ref().filter(|_| !self.dropped) {
                return Err(ScenarioError::at(progress, "progress: no step drops a file"));
            }
        }
        Ok(())
    }

    fn measure(&self, place: &Spanned<Step>, measure: &Measure) -> Result<(), ScenarioError> {
        use super::step::Quantity::{Rate, Settling, Writing};
        if measure.name.as_ref().is_empty() {
            return Err(ScenarioError::at(&measure.name, "name: a name was expected"));
        }
        if matches!(measure.what, Writing | Settling | Rate) && !self.dropped {
            return Err(ScenarioError::at(place, "measure: nothing was dropped before this step"));
        }
        if let (Some(min), Some(max)) = (measure.min, measure.max)
            && min > max
        {
            return Err(ScenarioError::at(place, format!("measure: no number is at least {min} and at most {max}")));
        }
        Ok(())
    }

    fn within(&self, place: &Spanned<Duration>, what: &str) -> Result<(), ScenarioError> {
        limited(what, place, self.scenario.limit())
    }

    fn unknown_fault(&self, name: &str) -> String {
        let known: BTreeSet<_> = self.faults.keys().copied().collect();
        let known: Vec<_> = known.into_iter().collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        format!("there is no fault {name}; this scenario has {known}")
    }

    /// A fault that waits for a step must have one.
    fn check_use(&self) -> Result<(), ScenarioError> {
        match self.faults.iter().find(|(_, fault)| fault.by_step && !fault.armed) {
            None => Ok(()),
            Some((name, fault)) => {
                let message = format!("no step arms {name}: arm = \"{name}\" was expected in one");
                Err(ScenarioError::over(fault.place.clone(), message))
            }
        }
    }
}

fn drops(step: &Spanned<Step>) -> bool {
    match step.as_ref() {
        Step::Drop(_) => true,
        Step::Repeat(repeat) => repeat.steps.iter().any(drops),
        _ => false,
    }
}

/// A time above zero and up to `most`.
fn limited(what: &str, place: &Spanned<Duration>, most: Span) -> Result<(), ScenarioError> {
    let span = place.as_ref().0;
    if span > Span::ZERO && span <= most {
        return Ok(());
    }
    Err(ScenarioError::at(place, format!("{what}: more than no time and at most {} was expected", Duration(most))))
}

/// The rows of a display.
fn rows(place: &Spanned<[String; 5]>) -> Result<(), ScenarioError> {
    let fits =
        |row: &String| row.len() == 5 && row.bytes().all(|led| led.is_ascii_digit() || led == b'#' || led == b'?');
    if place.as_ref().iter().all(fits) {
        return Ok(());
    }
    Err(ScenarioError::at(place, "screen: five rows of five digits, # or ? were expected"))
}

/// A regular expression.
///
/// # Errors
/// What is wrong with it.
pub fn regex(pattern: &Spanned<String>) -> Result<Regex, ScenarioError> {
    regex::RegexBuilder::new(pattern.as_ref()).size_limit(1 << 20).build().map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or("").trim_start_matches("error: ");
        ScenarioError::at(pattern, format!("a regular expression was expected: {last}"))
    })
}

/// Bytes in hex; none where `??` stands.
///
/// # Errors
/// What is wrong with it.
pub fn hex(text: &Spanned<String>, wildcards: bool) -> Result<Vec<Option<u8>>, ScenarioError> {
    let wrong = || {
        let more = if wildcards { " or ??" } else { "" };
        ScenarioError::at(text, format!("1 to 64 bytes of two hex digits{more} were expected, as 00 fe"))
    };
    let bytes = text.as_ref().split_ascii_whitespace().map(|byte| match byte {
        "??" if wildcards => Ok(None),
        _ if byte.len() == 2 => u8::from_str_radix(byte, 16).map(Some).map_err(|_| wrong()),
        _ => Err(wrong()),
    });
    let bytes = bytes.collect::<Result<Vec<_>, _>>()?;
    if (1..=64).contains(&bytes.len()) { Ok(bytes) } else { Err(wrong()) }
}
