//! Steps that act on the board and watch it, and need no driver of the host: they are begun, and asked again at the board's
//! time until they are done, also while a driver is busy.

use regex::bytes::Regex;
use toml::Spanned;
use twinboard_models::board::Powered;
use twinboard_models::board::control::{Action, Answer};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::host::beside::Beside;

use super::expect::{self, Watched};
use super::{Failed, Shared};
use crate::language::step::{Measure, Quantity, SerialStep, Step, WaitStep};
use crate::language::units::span_text;
use crate::report::{seconds, span_seconds};

/// How often the board is looked at.
pub(super) const LOOK: Span = Span::ms(1);
/// How long an event may take if nothing is said.
const WAIT_WITHIN: Span = Span::secs(10);
/// The same for an answer on the serial port.
const SERIAL_WITHIN: Span = Span::secs(5);
/// How much of what came instead of what was expected is told, in bytes.
const TOLD: usize = 200;

/// The board and the host's open ports.
pub(super) type Around<'a, 'b> = &'a mut Beside<'b, Powered>;

/// A step that was begun.
pub(super) enum Doing {
    /// It is done already.
    Done(Option<String>),
    /// Until this time.
    Sleep(Time),
    /// Without power until this time.
    Dark(Time),
    /// Something must become so.
    Watch { what: Watched, until: Time, within: Span },
    /// An event must happen.
    Wait { event: Event, until: Time, what: String },
    /// Something must come from the serial port, or must not.
    Serial { expect: Option<Regex>, never: Option<Regex>, until: Time, within: Span },
}

/// Something that is waited for.
pub(super) enum Event {
    /// The target's serial wire; bytes from this one on count.
    Serial(Regex, u64),
    Screen([String; 5]),
    Progress(f64),
    Fault(String),
    Powered(bool),
    Gone(bool),
}

/// How a step fares.
pub(super) enum Poll {
    /// It is done; what came of it.
    Done(Option<String>),
    /// It is to be asked again at this time.
    Later(Time),
}

/// Whether a step needs no driver.
pub(super) fn is_beside(step: &Step) -> bool {
    match step {
        Step::Do(_)
        | Step::Serial(_)
        | Step::Wait(_)
        | Step::Sleep(_)
        | Step::Arm(_)
        | Step::Disarm(_)
        | Step::Measure(_) => true,
        Step::Expect(expect) => Watched::covers(expect),
        _ => false,
    }
}

/// The same for a step with steps in it.
pub(super) fn is_beside_deep(step: &Spanned<Step>) -> bool {
    match step.as_ref() {
        Step::Repeat(repeat) => repeat.steps.iter().all(is_beside_deep),
        one => is_beside(one),
    }
}

/// Some if the step, or one in it, needs the serial port; with the baud rate, if it says one.
pub(super) fn serial_baud(step: &Spanned<Step>) -> Option<Option<u32>> {
    match step.as_ref() {
        Step::Serial(serial) => Some(serial.baud.as_ref().map(|baud| *baud.as_ref())),
        Step::Repeat(repeat) => repeat.steps.iter().find_map(serial_baud),
        _ => None,
    }
}

impl Doing {
    /// Begins a step.
    pub(super) fn begin(step: &Step, beside: Around<'_, '_>, shared: &mut Shared) -> Result<Doing, Failed> {
        let now = beside.machine.now();
        match step {
            Step::Do(action) => act(action, beside).map(Doing::Done),
            Step::Sleep(sleep) => Ok(Doing::Sleep(now + sleep.span.as_ref().0)),
            Step::PowerCut(cut) => {
                act(&Action::Power { on: false }, beside)?;
                Ok(Doing::Dark(now + cut.span.0))
            }
            Step::Arm(name) => arm(name, true, now, shared),
            Step::Disarm(name) => arm(name, false, now, shared),
            Step::Measure(measure) => self::measure(measure, now, shared).map(Doing::Done),
            Step::Expect(expect) => {
                let within = expect.within.as_ref().map_or(Span::ZERO, |within| within.as_ref().0);
                Ok(Doing::Watch { what: Watched::new(expect)?, until: now + within, within })
            }
            Step::Wait(wait) => {
                let within = wait.within.as_ref().map_or(WAIT_WITHIN, |within| within.as_ref().0);
                let what = crate::explain::event(wait);
                let what = format!("{what}: not within {}", span_text(within));
                Ok(Doing::Wait { event: Event::of(wait, beside.machine.heard_total())?, until: now + within, what })
            }
            Step::Serial(serial) => begin_serial(serial, beside, now),
            other => Err(Failed::new(format!("{}: not beside a driver", other.verb()))),
        }
    }

    /// Asks how it fares.
    pub(super) fn poll(&mut self, beside: Around<'_, '_>, shared: &mut Shared) -> Result<Poll, Failed> {
        let now = beside.machine.now();
        let (until, failure) = match self {
            Doing::Done(outcome) => return Ok(Poll::Done(outcome.take())),
            Doing::Sleep(until) if now >= *until => return Ok(Poll::Done(None)),
            Doing::Dark(until) if now >= *until => return act(&Action::Power { on: true }, beside).map(Poll::Done),
            Doing::Sleep(until) | Doing::Dark(until) => return Ok(Poll::Later(*until)),
            Doing::Watch { what, until, within } => match what.look(beside) {
                Ok(()) => return Ok(Poll::Done(None)),
                Err(seen) if *within == Span::ZERO => return Err(Failed::new(seen)),
                Err(seen) => (*until, format!("{seen}, also after {}", span_text(*within))),
            },
            Doing::Wait { event, until, what } => {
                if event.has_happened(beside, shared) {
                    return Ok(Poll::Done(None));
                }
                (*until, what.clone())
            }
            Doing::Serial { expect, never, until, within } => {
                return poll_serial(expect.as_ref(), never.as_ref(), (now, *until, *within), beside, shared);
            }
        };
        if now >= until { Err(Failed::new(failure)) } else { Ok(Poll::Later(until.min(now + LOOK))) }
    }
}

fn act(action: &Action, beside: Around<'_, '_>) -> Result<Option<String>, Failed> {
    match beside.machine.act(action) {
        Ok(Answer::Done) => Ok(None),
        // Strings and numbers; nothing of it can fail to be written.
        Ok(answer) => Ok(serde_json::to_string(&answer).ok()),
        Err(error) => Err(Failed::new(error.to_string())),
    }
}

fn arm(name: &Spanned<String>, armed: bool, now: Time, shared: &Shared) -> Result<Doing, Failed> {
    let fault =
        shared.fault(name.as_ref()).ok_or_else(|| Failed::new(format!("there is no fault {}", name.as_ref())))?;
    fault.lock().arm(now, armed);
    Ok(Doing::Done(None))
}

fn begin_serial(serial: &SerialStep, beside: Around<'_, '_>, now: Time) -> Result<Doing, Failed> {
    if let Some(text) = &serial.send {
        if beside.received.is_none() {
            return Err(Failed::new("the serial port is not open any more"));
        }
        beside.outgoing.extend(text.bytes());
    }
    let within = serial.within.as_ref().map_or(SERIAL_WITHIN, |within| within.as_ref().0);
    let (expect, never) = (pattern(serial.expect.as_ref())?, pattern(serial.never.as_ref())?);
    if expect.is_none() && never.is_none() {
        return Ok(Doing::Done(None));
    }
    Ok(Doing::Serial { expect, never, until: now + within, within })
}

/// A regular expression over bytes.
pub(super) fn pattern(text: Option<&Spanned<String>>) -> Result<Option<Regex>, Failed> {
    let compile = |text: &Spanned<String>| {
        regex::bytes::RegexBuilder::new(text.as_ref())
            .size_limit(1 << 20)
            .build()
            .map_err(|error| Failed::new(error.to_string()))
    };
    text.map(compile).transpose()
}

fn poll_serial(
    expect: Option<&Regex>,
    never: Option<&Regex>,
    (now, until, within): (Time, Time, Span),
    beside: Around<'_, '_>,
    shared: &mut Shared,
) -> Result<Poll, Failed> {
    let present = beside.present;
    let Some(received) = beside.received.as_mut().filter(|_| present) else {
        return Err(Failed::new("the serial port is not there any more"));
    };
    let text = &*received.make_contiguous();
    if let Some(found) = never.and_then(|never| never.find(text)) {
        return Err(Failed::new(format!("the serial port said {:?}", String::from_utf8_lossy(found.as_bytes()))));
    }
    if let Some(found) = expect.and_then(|expect| expect.find(text)) {
        let end = found.end();
        let outcome = String::from_utf8_lossy(found.as_bytes()).into_owned();
        shared.serial.extend(received.drain(..end));
        return Ok(Poll::Done(Some(format!("{outcome:?}"))));
    }
    if now < until {
        return Ok(Poll::Later(until.min(now + LOOK)));
    }
    if expect.is_none() {
        return Ok(Poll::Done(None));
    }
    let came = &text[text.len().saturating_sub(TOLD)..];
    let pattern = expect.map_or("", Regex::as_str);
    let came = match came {
        [] => "nothing came".to_string(),
        came => format!("{:?} came", String::from_utf8_lossy(came)),
    };
    Err(Failed::new(format!("serial: {pattern:?} was expected within {}; {came}", span_text(within))))
}

fn measure(measure: &Measure, now: Time, shared: &mut Shared) -> Result<Option<String>, Failed> {
    let drop = shared.last_drop;
    let needs = |value: Option<f64>| value.ok_or_else(|| Failed::new("nothing was dropped that took its time"));
    let (value, unit) = match measure.what {
        Quantity::Writing => (needs(drop.map(|drop| span_seconds(drop.writing)))?, "s"),
        Quantity::Settling => (needs(drop.map(|drop| span_seconds(drop.settling)))?, "s"),
        Quantity::Rate => {
            let rate = |drop: super::DropTimes| drop.bytes as f64 / 1000.0 / span_seconds(drop.writing).max(1e-9);
            (needs(drop.map(rate))?, "KB/s")
        }
        Quantity::Time => (seconds(now), "s"),
        Quantity::Elapsed => {
            let lap = std::mem::replace(&mut shared.lap, now);
            (span_seconds(now.since(lap)), "s")
        }
        Quantity::Strikes => {
            (shared.faults.iter().map(|fault| fault.lock().record().strikes()).sum::<u64>() as f64, "strikes")
        }
    };
    let name: &str = measure.name.as_ref();
    shared.measure(name, value, unit);
    if let Some(min) = measure.min.filter(|min| value < *min) {
        return Err(Failed::new(format!("{name}: at least {min} {unit} was expected, it is {value:.6} {unit}")));
    }
    if let Some(max) = measure.max.filter(|max| value > *max) {
        return Err(Failed::new(format!("{name}: at most {max} {unit} was expected, it is {value:.6} {unit}")));
    }
    Ok(Some(format!("{value:.6} {unit}")))
}

impl Event {
    /// The event that `wait` is for; of what the target sends, the bytes from `heard` on count.
    pub(super) fn of(wait: &WaitStep, heard: u64) -> Result<Event, Failed> {
        let WaitStep { serial, screen, progress, fault, powered, gone, .. } = wait;
        if let Some(regex) = pattern(serial.as_ref())? {
            return Ok(Event::Serial(regex, heard));
        }
        let event = screen.as_ref().map(|rows| Event::Screen(rows.as_ref().clone()));
        let event = event.or_else(|| progress.as_ref().map(|part| Event::Progress(part.as_ref().0 / 100.0)));
        let event = event.or_else(|| fault.as_ref().map(|name| Event::Fault(name.as_ref().clone())));
        let event = event.or_else(|| powered.as_ref().map(|on| Event::Powered(*on.as_ref())));
        let event = event.or_else(|| gone.as_ref().map(|gone| Event::Gone(*gone.as_ref())));
        event.ok_or_else(|| Failed::new("wait: nothing to wait for"))
    }

    pub(super) fn has_happened(&self, beside: Around<'_, '_>, shared: &Shared) -> bool {
        match self {
            Event::Serial(regex, from) => regex.is_match(&beside.machine.heard_since(*from)),
            Event::Screen(rows) => beside.machine.rows().is_some_and(|seen| expect::shows(&seen.0, rows)),
            Event::Progress(part) => shared
                .dropping
                .is_some_and(|(total, before)| beside.drive_bytes.saturating_sub(before) as f64 >= total as f64 * part),
            Event::Fault(name) => shared.fault(name).is_some_and(|fault| fault.lock().record().strikes() > 0),
            Event::Powered(on) => beside.machine.board.is_powered() == *on,
            Event::Gone(gone) => beside.present != *gone,
        }
    }
}
