//! Those who watch a board: they look every 5 ms of its time, and never hold it up.

use serde::{Deserialize, Serialize};
use twinboard_sim::time::{Span, Time};

use super::action::Rows;
use super::serial::SerialTap;

/// How often a board is looked at.
const PERIOD: Span = Span::ms(5);

/// What may be watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Changes of the display.
    Screen,
    /// What the target sends on its serial port.
    Serial,
    /// What goes wrong with programs.
    Incidents,
}

/// Something that was seen.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Happening {
    /// The display shows this from now on.
    Screen(Rows),
    /// The target sent this.
    Serial(String),
    /// A program went wrong, or did so in another place.
    Incident(String),
    /// The listener was too slow: so many happenings before this one were left out.
    Lost(u64),
}

/// What may be waited for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Condition {
    /// The display shows this: per LED its digit, `#` for any light, `?` for anything.
    Screen(Rows),
    /// The target sends this text, from now on.
    Serial(String),
    /// The board is under power, or is not.
    Powered(bool),
}

/// Who is told what was seen, at the board's time; false if nobody listens any more. Must not block.
pub type Listener = Box<dyn FnMut(Time, Happening) -> bool + Send>;
/// Who is told how waiting ended, at the board's time.
pub type Waiter = Box<dyn FnOnce(Time, bool) + Send>;

/// Too many wait or watch already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("at most {MOST} may watch or wait at the same time")]
pub struct NotWaited;

/// How many may watch or wait.
const MOST: usize = 256;

struct Watch {
    number: u64,
    what: Vec<What>,
    screen: Option<Rows>,
    heard: u64,
    /// The beginning of a character of several bytes, whose rest has not come yet.
    begun: Vec<u8>,
    incidents: usize,
    listener: Listener,
}

struct Waiting {
    number: u64,
    condition: Option<Condition>,
    heard: u64,
    until: Time,
    waiter: Waiter,
}

/// All who watch or wait.
#[derive(Default)]
pub struct Looks {
    watches: Vec<Watch>,
    waiting: Vec<Waiting>,
    next: Option<Time>,
    /// The number that was given out last.
    number: u64,
}

impl std::fmt::Debug for Looks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Looks({} watch, {} wait)", self.watches.len(), self.waiting.len())
    }
}

/// What there is to see at one moment.
pub(in crate::board) struct View<'a> {
    pub now: Time,
    pub screen: Option<Rows>,
    pub serial: Option<&'a SerialTap>,
    pub powered: bool,
    pub incidents: &'a [String],
}

impl Looks {
    /// Begins to watch; the answer is a number for [`Looks::forget`]. What is on the display now is the first that is told.
    pub(in crate::board) fn watch(
        &mut self,
        what: Vec<What>,
        view: &View<'_>,
        listener: Listener,
    ) -> Result<u64, NotWaited> {
        if self.watches.len() + self.waiting.len() >= MOST {
            return Err(NotWaited);
        }
        let heard = view.serial.map_or(0, SerialTap::total);
        let incidents = view.incidents.len();
        self.number += 1;
        let number = self.number;
        self.watches.push(Watch { number, what, screen: None, heard, begun: Vec::new(), incidents, listener });
        self.next = Some(view.now);
        Ok(number)
    }

    /// Begins to wait for `condition`, at the longest for `limit`; without one, for the end of that time. A text counts
    /// from byte `from` on, by default from now on.
    pub(in crate::board) fn wait(
        &mut self,
        condition: Option<Condition>,
        limit: Span,
        from: Option<u64>,
        view: &View<'_>,
        waiter: Waiter,
    ) -> Result<u64, NotWaited> {
        if self.watches.len() + self.waiting.len() >= MOST {
            return Err(NotWaited);
        }
        let heard = from.unwrap_or_else(|| view.serial.map_or(0, SerialTap::total));
        self.number += 1;
        let number = self.number;
        self.waiting.push(Waiting { number, condition, heard, until: view.now + limit, waiter });
        self.next = Some(view.now);
        Ok(number)
    }

    /// Ends watching or waiting; nobody is told.
    pub(in crate::board) fn forget(&mut self, number: u64) {
        self.watches.retain(|watch| watch.number != number);
        self.waiting.retain(|one| one.number != number);
    }

    /// When the board is to be looked at next.
    pub(in crate::board) fn next(&self) -> Time {
        self.next.unwrap_or(Time::NEVER)
    }

    /// Looks at the board.
    pub(in crate::board) fn look(&mut self, view: &View<'_>) {
        self.watches.retain_mut(|watch| watch.look(view));
        let (ended, going_on) =
            std::mem::take(&mut self.waiting).into_iter().partition::<Vec<_>, _>(|one| one.ends(view));
        self.waiting = going_on;
        for one in ended {
            let met = one.is_met(view);
            (one.waiter)(view.now, met);
        }
        let next = view.now + PERIOD;
        let until = self.waiting.iter().map(|one| one.until).min().unwrap_or(Time::NEVER);
        self.next =
            (!self.watches.is_empty() || !self.waiting.is_empty()).then(|| next.min(until.max(view.now + Span::us(1))));
    }
}

impl Watch {
    fn look(&mut self, view: &View<'_>) -> bool {
        let Watch { what, screen, heard, begun, incidents, listener, .. } = self;
        what.iter().all(|what| match what {
            What::Screen if view.screen != *screen => {
                screen.clone_from(&view.screen);
                view.screen.clone().is_none_or(|rows| listener(view.now, Happening::Screen(rows)))
            }
            What::Serial => {
                let Some(tap) = view.serial.filter(|tap| tap.total() != *heard) else { return true };
                begun.extend(tap.since(*heard));
                *heard = tap.total();
                let text = take_text(begun);
                text.is_empty() || listener(view.now, Happening::Serial(text))
            }
            What::Incidents => {
                let new = view.incidents.get(*incidents..).unwrap_or_default();
                *incidents = view.incidents.len();
                new.iter().all(|line| listener(view.now, Happening::Incident(line.clone())))
            }
            What::Screen => true,
        })
    }
}

/// Takes all whole characters; the beginning of one at the end stays.
fn take_text(bytes: &mut Vec<u8>) -> String {
    let whole = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        // A wrong byte further ahead: what follows it need not wait for anything.
        _ => bytes.len(),
    };
    let text = String::from_utf8_lossy(&bytes[..whole]).into_owned();
    bytes.drain(..whole);
    text
}

impl Waiting {
    fn ends(&self, view: &View<'_>) -> bool {
        view.now >= self.until || (self.condition.is_some() && self.is_met(view))
    }

    fn is_met(&self, view: &View<'_>) -> bool {
        match &self.condition {
            None => true,
            Some(Condition::Screen(wanted)) => view.screen.as_ref().is_some_and(|seen| shows(seen, wanted)),
            Some(Condition::Serial(text)) => view.serial.is_some_and(|tap| {
                let heard = tap.since(self.heard);
                text.is_empty() || heard.windows(text.len()).any(|window| window == text.as_bytes())
            }),
            Some(Condition::Powered(on)) => view.powered == *on,
        }
    }
}

/// Whether the display shows what is wanted.
fn shows(seen: &Rows, wanted: &Rows) -> bool {
    seen.0.iter().zip(&wanted.0).all(|(seen, wanted)| {
        seen.len() == wanted.len()
            && seen.chars().zip(wanted.chars()).all(|(seen, wanted)| match wanted {
                '?' => true,
                '#' => seen != '0',
                digit => seen == digit,
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_of_several_bytes_is_told_whole() {
        let mut bytes = "grün".as_bytes()[..3].to_vec();
        assert_eq!(take_text(&mut bytes), "gr");
        bytes.extend(&"grün".as_bytes()[3..]);
        assert_eq!(take_text(&mut bytes), "ün");
        assert_eq!((take_text(&mut vec![b'a', 0xff, b'b']), bytes.len()), ("a\u{fffd}b".to_string(), 0));
    }

    #[test]
    fn a_wanted_picture_may_leave_things_open() {
        let rows = |rows: [&str; 5]| Rows(rows.map(String::from));
        let seen = rows(["09050", "00000", "00000", "00000", "00009"]);
        assert!(shows(&seen, &rows(["0#0#0", "?????", "00000", "00000", "00009"])));
        assert!(!shows(&seen, &rows(["0#0#0", "?????", "00000", "00000", "#0009"])));
        assert!(!shows(&seen, &rows(["0#0#", "?????", "00000", "00000", "00009"])));
    }
}
