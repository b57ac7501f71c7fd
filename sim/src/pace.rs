//! How virtual time relates to the wall clock.
//!
//! [`Pace`] only decides; it reads no clock and does not sleep. Whoever drives a board tells it what both clocks say,
//! and does as it is told: run the board, or sleep.

use std::fmt;
use std::str::FromStr;

use crate::time::{Span, Time};

/// The longest the board runs before the outside world is looked at again.
const SLICE: Span = Span::ms(1);
/// How far the board may fall behind the wall clock before it is worth waking up for.
const TICK: Span = Span::ms(2);
/// A board further behind than this gives up catching up: the computer slept, or is too slow.
const MAX_LAG: Span = Span::ms(100);
/// The longest an elastic board stands still for a host that is behind.
const GRACE: Span = Span::ms(250);

/// See the crate's documentation of time: how virtual time relates to the wall clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum ClockMode {
    /// Virtual time follows the wall clock.
    Paced,
    /// As fast as the computer can while the host waits for the board; with the wall clock while the board waits for
    /// the host, so that the firmware's time-outs do not fire merely because virtual time ran away.
    #[default]
    Elastic,
    /// As fast as the computer can.
    Free,
    /// As `Free`, all chips on one thread.
    Stepped,
}

impl FromStr for ClockMode {
    type Err = UnknownClockMode;
    fn from_str(text: &str) -> Result<ClockMode, UnknownClockMode> {
        Ok(match text {
            "paced" => ClockMode::Paced,
            "elastic" => ClockMode::Elastic,
            "free" => ClockMode::Free,
            "stepped" => ClockMode::Stepped,
            _ => return Err(UnknownClockMode(text.into())),
        })
    }
}

impl fmt::Display for ClockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ClockMode::Paced => "paced",
            ClockMode::Elastic => "elastic",
            ClockMode::Free => "free",
            ClockMode::Stepped => "stepped",
        })
    }
}

/// A clock mode that does not exist.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown clock mode `{0}`: expected paced, elastic, free or stepped")]
pub struct UnknownClockMode(pub String);

/// What a board's hosts are at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum HostState {
    /// None of them waits for the board.
    #[default]
    Idle,
    /// One of them waits for the board.
    Waiting,
    /// One of them has not yet asked for more of what it keeps reading, and what the board says meanwhile may be lost.
    Behind,
}

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Make the board's time pass until then.
    Run(Time),
    /// Let this much of the wall clock pass, less if something happens outside.
    Sleep(Span),
}

/// Virtual time against the wall clock.
#[derive(Clone, Debug)]
pub struct Pace {
    mode: ClockMode,
    /// A moment on both clocks from which on they should run alike.
    origin: (Time, Span),
    slipped: Span,
    /// Since when of the wall clock a host is behind.
    behind_since: Option<Span>,
}

impl Pace {
    /// A pace that starts now, at `now` of the board and `wall` of a monotonic wall clock with any zero.
    #[must_use]
    pub fn new(mode: ClockMode, now: Time, wall: Span) -> Pace {
        Pace { mode, origin: (now, wall), slipped: Span::ZERO, behind_since: None }
    }

    /// The clock mode.
    #[must_use]
    pub fn mode(&self) -> ClockMode {
        self.mode
    }

    /// Wall time that the board did not keep up with, and was let off.
    #[must_use]
    pub fn slipped(&self) -> Span {
        self.slipped
    }

    /// Decides what to do at `now` of the board and `wall` of the wall clock. `wanted` is when the board is wanted to
    /// be ready for something that must not be late (a transaction on its bus), if that is known.
    ///
    /// An elastic board stands still for a while for a host that is behind: a computer that has other things to do for a
    /// moment is not to cost it what it reads.
    pub fn decide(&mut self, now: Time, wall: Span, host: HostState, wanted: Time) -> Step {
        if matches!(self.mode, ClockMode::Free | ClockMode::Stepped) {
            return Step::Run(now + SLICE);
        }
        let mut due = self.origin.0 + (wall - self.origin.1);
        if self.mode == ClockMode::Elastic && host == HostState::Behind {
            if wall - *self.behind_since.get_or_insert(wall) < GRACE {
                self.slipped += due.since(now);
                self.origin = (now, wall);
                return Step::Sleep(TICK);
            }
        } else {
            self.behind_since = None;
        }
        if self.mode == ClockMode::Elastic && now > due {
            // The board ran ahead while the host was waiting. It keeps the lead; real time goes on from here.
            self.origin = (now, wall);
            due = now;
        }
        let lag = due.since(now);
        if lag > MAX_LAG {
            self.slipped += lag;
            self.origin = (now, wall);
            due = now;
        }
        // Not before that is it worth running: the wall clock never stands still, and a board that follows its every
        // step never sleeps.
        let worthwhile = wanted.max(now).min(now + TICK);
        if self.mode == ClockMode::Elastic && host == HostState::Waiting {
            Step::Run(now + SLICE)
        } else if worthwhile <= due && now < due {
            Step::Run(due.min(now + SLICE))
        } else {
            Step::Sleep(worthwhile.since(due))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(5_000_000_000);

    fn ms(ms: u64) -> Span {
        Span::ms(ms)
    }

    /// Obeys a pace for `wall` of wall time; running costs `cost` of wall time per millisecond of the board's.
    fn obey(pace: &mut Pace, now: &mut Time, from: Span, to: Span, cost: Span, host: HostState) {
        let mut wall = from;
        while wall < to {
            match pace.decide(*now, wall, host, Time::NEVER) {
                Step::Run(until) => {
                    wall += cost * until.since(*now).0 / ms(1).0;
                    *now = until;
                }
                Step::Sleep(span) => wall += span,
            }
        }
    }

    #[test]
    fn paced_time_follows_the_wall_clock_whether_the_host_waits_or_not() {
        for host in [HostState::Idle, HostState::Waiting, HostState::Behind] {
            let (mut pace, mut now) = (Pace::new(ClockMode::Paced, START, ms(70)), START);
            obey(&mut pace, &mut now, ms(70), ms(1070), Span::us(10), host);
            let passed = now.since(START);
            assert!(passed > ms(995) && passed <= ms(1000), "{passed:?}");
        }
    }

    #[test]
    fn elastic_time_is_real_time_while_the_board_waits_for_the_host() {
        let (mut pace, mut now) = (Pace::new(ClockMode::Elastic, START, ms(0)), START);
        obey(&mut pace, &mut now, ms(0), ms(1000), Span::us(10), HostState::Idle);
        assert!(now.since(START) > ms(995) && now.since(START) <= ms(1000));
    }

    #[test]
    fn elastic_time_runs_ahead_while_the_host_waits_and_keeps_the_lead() {
        let (mut pace, mut now) = (Pace::new(ClockMode::Elastic, START, ms(0)), START);
        obey(&mut pace, &mut now, ms(0), ms(10), Span::us(10), HostState::Waiting);
        assert!(now.since(START) >= ms(999), "ten milliseconds at a hundredfold speed");
        let ahead = now;
        obey(&mut pace, &mut now, ms(10), ms(110), Span::us(10), HostState::Idle);
        assert!(now.since(ahead) > ms(95) && now.since(ahead) <= ms(100), "{:?}", now.since(ahead));
    }

    #[test]
    fn short_waits_of_the_host_do_not_cost_the_board_real_time() {
        let (mut pace, mut now) = (Pace::new(ClockMode::Elastic, START, ms(0)), START);
        for n in 0..200 {
            // Half a millisecond goes by until the host asks; the answer takes 60 µs of the board's time.
            let wall = Span::us(500) * (n + 1);
            let _ = pace.decide(now, wall, HostState::Waiting, Time::NEVER);
            now += Span::us(60);
            while let Step::Run(until) = pace.decide(now, wall, HostState::Idle, Time::NEVER) {
                now = until;
            }
        }
        assert!(now.since(START) >= ms(99), "{:?}", now.since(START));
    }

    #[test]
    fn elastic_time_stands_still_for_a_host_that_is_behind_but_not_for_ever() {
        let (mut pace, mut now) = (Pace::new(ClockMode::Elastic, START, ms(0)), START);
        // The board's thread has not run for 80 ms, nor has the host: that is not caught up with.
        obey(&mut pace, &mut now, ms(80), ms(200), Span::us(10), HostState::Behind);
        assert_eq!(now, START);
        obey(&mut pace, &mut now, ms(200), ms(201), Span::us(10), HostState::Idle);
        assert!(now.since(START) <= ms(1), "{:?}", now.since(START));
        let before = now;
        obey(&mut pace, &mut now, ms(201), ms(1201), Span::us(10), HostState::Behind);
        let passed = now.since(before);
        assert!(passed > ms(745) && passed <= ms(750), "{passed:?}");
    }

    #[test]
    fn free_and_stepped_never_sleep() {
        for mode in [ClockMode::Free, ClockMode::Stepped] {
            assert_eq!(
                Pace::new(mode, START, ms(0)).decide(START, ms(0), HostState::Idle, Time::NEVER),
                Step::Run(START + SLICE)
            );
        }
    }

    #[test]
    fn a_board_that_is_far_behind_does_not_race_to_catch_up() {
        let mut pace = Pace::new(ClockMode::Paced, START, ms(0));
        assert_eq!(pace.decide(START, ms(60_000), HostState::Idle, Time::NEVER), Step::Sleep(TICK));
        assert_eq!(pace.slipped(), ms(60_000));
    }

    #[test]
    fn a_sleep_ends_when_the_board_is_wanted() {
        let mut pace = Pace::new(ClockMode::Paced, START, ms(0));
        assert_eq!(pace.decide(START, ms(0), HostState::Idle, START + Span::us(50)), Step::Sleep(Span::us(50)));
        assert_eq!(
            pace.decide(START, Span::us(50), HostState::Idle, START + Span::us(50)),
            Step::Run(START + Span::us(50))
        );
    }

    #[test]
    fn a_board_that_has_caught_up_sleeps_although_the_wall_clock_went_on_a_little() {
        let mut pace = Pace::new(ClockMode::Paced, START, ms(0));
        assert_eq!(pace.decide(START, Span::us(300), HostState::Idle, Time::NEVER), Step::Sleep(TICK - Span::us(300)));
        assert_eq!(pace.decide(START, TICK, HostState::Idle, Time::NEVER), Step::Run(START + SLICE));
    }

    #[test]
    fn modes_have_names() {
        for mode in [ClockMode::Paced, ClockMode::Elastic, ClockMode::Free, ClockMode::Stepped] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!("fast".parse::<ClockMode>(), Err(UnknownClockMode("fast".into())));
    }
}
