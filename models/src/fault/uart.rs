//! `uart.*`: what goes wrong with characters on a serial line.
//!
//! A character is a waveform ([`SerialFrame`]), and the damage is done to that; what a receiver makes of it is arithmetic.

use twinboard_sim::board::Fate;
use twinboard_sim::fault::{Param, PointSpec, SharedFault};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{SerialFrame, Signal};

/// How long a break lasts if nothing is said.
const BREAK: Span = Span::ms(10);

const CHARACTER: &str = "a character that begins on the wire";
const WIRE: &[twinboard_sim::fault::ParamUse] = &[Param::Wire.optional()];

/// The family's points.
pub static POINTS: &[PointSpec] = &[
    PointSpec {
        name: "uart.baud",
        what: "a character's bits are `factor` times as long as the sender's baud rate says, and the next one begins when \
               it is over",
        opportunity: CHARACTER,
        params: &[Param::Wire.optional(), Param::Factor.needed()],
    },
    PointSpec { name: "uart.drop", what: "a character is lost", opportunity: CHARACTER, params: WIRE },
    PointSpec {
        name: "uart.flip",
        what: "a bit of a character is inverted: number `bit`, the start bit being 0, or any of them",
        opportunity: CHARACTER,
        params: &[Param::Wire.optional(), Param::Bit.optional()],
    },
    PointSpec {
        name: "uart.break",
        what: "the line is low for `delay` (default 10 ms) from the start of a character on, which is lost as are those \
               that begin meanwhile",
        opportunity: CHARACTER,
        params: &[Param::Wire.optional(), Param::Delay.optional()],
    },
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Baud,
    Drop,
    Flip,
    Break,
}

/// The family's faults on one wire, and what they have done that lasts.
#[derive(Debug, Default)]
pub(super) struct Characters {
    faults: Vec<(Kind, SharedFault)>,
    /// A character that takes longer than its sender thinks is over then.
    busy_until: Time,
    /// The line is held low until then.
    low_until: Time,
}

impl Characters {
    /// Takes a fault of this family; false if it is none.
    pub(super) fn add(&mut self, fault: &SharedFault) -> bool {
        let kind = match fault.point().name {
            "uart.baud" => Kind::Baud,
            "uart.drop" => Kind::Drop,
            "uart.flip" => Kind::Flip,
            "uart.break" => Kind::Break,
            _ => return false,
        };
        self.faults.push((kind, fault.clone()));
        true
    }

    /// What becomes of a character that begins at `at`.
    pub(super) fn character(&mut self, at: Time, frame: SerialFrame, wire: &str) -> Fate {
        if at < self.low_until {
            return Fate::Drop;
        }
        let start = at.max(self.busy_until);
        let (mut heard, mut longer) = (frame, start > at);
        for (kind, fault) in &self.faults {
            let mut fault = fault.lock();
            match kind {
                Kind::Baud => {
                    let scaled = fault.strike(
                        at,
                        |params, _| scaled(heard.bit, params.factor).filter(|bit| *bit != heard.bit),
                        |bit| (wire.into(), format!("a bit took {} ns instead of {}", ns(*bit), ns(heard.bit))),
                    );
                    longer |= scaled.is_some_and(|bit| bit > heard.bit);
                    heard.bit = scaled.unwrap_or(heard.bit);
                }
                Kind::Drop => {
                    let told = || (wire.into(), format!("a character was lost (bits {})", Bits(heard)));
                    if fault.strike(at, |_, _| Some(()), |()| told()).is_some() {
                        return Fate::Drop;
                    }
                }
                Kind::Flip => {
                    let flipped = fault.strike(
                        at,
                        |params, dice| {
                            let bit = params.bit.unwrap_or_else(|| dice.below(heard.count.into()) as u8);
                            let bits = heard.bits ^ 1u16.checked_shl(bit.into())?;
                            (bit < heard.count).then_some(SerialFrame { bits, ..heard })
                        },
                        |new| {
                            (wire.into(), format!("a character's bits were {} instead of {}", Bits(*new), Bits(heard)))
                        },
                    );
                    heard = flipped.unwrap_or(heard);
                }
                Kind::Break => {
                    let low = fault.strike(
                        at,
                        |params, _| Some(params.delay.unwrap_or(BREAK)),
                        |delay| (wire.into(), format!("low for {} µs", delay.0 / 1_000_000)),
                    );
                    if let Some(delay) = low {
                        heard = SerialFrame { bit: delay, bits: 0, count: 1 };
                        self.low_until = start + delay;
                    }
                }
            }
        }
        if longer {
            self.busy_until = start + heard.duration();
        }
        let signal = Signal::Serial(heard);
        match start > at {
            true => Fate::Postpone { now: None, at: start, later: signal },
            false if heard == frame => Fate::Pass,
            false => Fate::Change(signal),
        }
    }
}

/// `bit`, `factor` times as long.
fn scaled(bit: Span, factor: Option<f64>) -> Option<Span> {
    let picoseconds = (bit.0 as f64 * factor?).round();
    (1.0..1e15).contains(&picoseconds).then(|| Span::ps(picoseconds as u64))
}

/// Nanoseconds, for people.
fn ns(span: Span) -> String {
    format!("{}.{:03}", span.0 / 1_000, span.0 % 1_000)
}

/// A character's bits in the order sent.
struct Bits(SerialFrame);

impl std::fmt::Display for Bits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (0..self.0.count.min(16)).try_for_each(|bit| write!(f, "{}", self.0.bits >> bit & 1))
    }
}

#[cfg(test)]
mod tests {
    use twinboard_sim::fault::{Fault, Lasting, Params, Plan};

    use super::*;

    const BIT: Span = Span::us(10);
    const FRAME: SerialFrame = SerialFrame { bit: BIT, bits: 1 << 9 | 0x41 << 1, count: 10 };

    fn us(us: u64) -> Time {
        Time::ZERO + Span::us(us)
    }

    /// A wire with one fault, which strikes at every opportunity.
    fn wire(point: &str, params: Params) -> (Characters, SharedFault) {
        let point = crate::fault::point(point).expect("a point");
        let plan = Plan { lasting: Lasting::Always, ..Plan::default() };
        let fault = SharedFault::new(Fault::new("f", point, params, plan, 1));
        let mut wire = Characters::default();
        assert!(wire.add(&fault));
        (wire, fault)
    }

    #[test]
    fn characters_of_a_slow_sender_follow_each_other_without_overlapping() {
        let (mut wire, fault) = wire("uart.baud", Params { factor: Some(1.5), ..Params::default() });
        let slow = Signal::Serial(SerialFrame { bit: Span::us(15), ..FRAME });
        assert_eq!(wire.character(us(0), FRAME, "W"), Fate::Change(slow));
        assert_eq!(wire.character(us(100), FRAME, "W"), Fate::Postpone { now: None, at: us(150), later: slow });
        assert_eq!(wire.character(us(200), FRAME, "W"), Fate::Postpone { now: None, at: us(300), later: slow });
        assert_eq!(wire.character(us(450), FRAME, "W"), Fate::Change(slow), "there was a pause");
        let fault = fault.lock();
        assert_eq!(fault.record().evidence()[0].effect, "a bit took 15000.000 ns instead of 10000.000");
    }

    #[test]
    fn a_factor_of_1_changes_nothing_and_strikes_never() {
        let (mut wire, fault) = wire("uart.baud", Params { factor: Some(1.0), ..Params::default() });
        assert_eq!(wire.character(us(0), FRAME, "W"), Fate::Pass);
        assert_eq!(fault.lock().record().strikes(), 0);
    }

    #[test]
    fn a_bit_that_the_character_does_not_have_cannot_be_inverted() {
        for (bit, struck) in [(0, 1), (9, 1), (10, 0), (31, 0)] {
            let (mut wire, fault) = wire("uart.flip", Params { bit: Some(bit), ..Params::default() });
            let fate = wire.character(us(0), FRAME, "W");
            assert_eq!(fault.lock().record().strikes(), struck, "{bit}");
            assert_eq!(fate == Fate::Pass, struck == 0);
        }
        let (mut wire, fault) = wire("uart.flip", Params::default());
        for i in 0..100 {
            let Fate::Change(Signal::Serial(heard)) = wire.character(us(i * 100), FRAME, "W") else { panic!("passed") };
            assert_eq!(((heard.bits ^ FRAME.bits).count_ones(), heard.count), (1, 10));
        }
        assert_eq!(fault.lock().record().evidence().len(), 32);
    }

    #[test]
    fn a_break_swallows_the_characters_that_begin_in_it() {
        let (mut wire, _) = wire("uart.break", Params { delay: Some(Span::us(250)), ..Params::default() });
        let low = SerialFrame { bit: Span::us(250), bits: 0, count: 1 };
        assert_eq!(wire.character(us(0), FRAME, "W"), Fate::Change(Signal::Serial(low)));
        assert_eq!(wire.character(us(100), FRAME, "W"), Fate::Drop);
        assert_eq!(wire.character(us(249), FRAME, "W"), Fate::Drop);
        assert_eq!(wire.character(us(250), FRAME, "W"), Fate::Change(Signal::Serial(low)), "the next opportunity");
    }
}
