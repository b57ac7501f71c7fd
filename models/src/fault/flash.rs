//! `flash.*`: what goes wrong when a chip's flash is written or erased.
//!
//! A flash controller asks its [`FlashFaults`] twice: when an operation begins ([`FlashFaults::begins`]: is it refused, how
//! long does it take) and when it ends (what is in the cells then). The cells are what a fault changes, so everybody
//! who looks at them sees the same: the program, a debugger, the next power-on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::fault::{Dice, Param, ParamUse, PointSpec, SharedFault};
use twinboard_sim::time::{Span, Time};

use super::power::{AWAY, Outage};
use crate::nordic::Noise;

/// How long an operation takes that never ends: 53 days, which no run of a board sees.
const ENDLESS: Span = Span(1 << 62);

/// How many bits a worn-out page may keep.
const WORN_BITS: u32 = 8;

const CHIP: ParamUse = Param::Chip.optional();
const ANY_OPERATION: &str = "a word is written, or a page or more is erased";

/// The family's points.
pub static POINTS: &[PointSpec] = &[
    PointSpec {
        name: "flash.no-write",
        what: "a word of the flash of `chip` (default: the target) stays as it was when it is written",
        opportunity: "a word is written",
        params: &[CHIP],
    },
    PointSpec {
        name: "flash.stuck-bit",
        what: "bit `bit` of a word of the flash of `chip` (default: the target) is `level` after a write or an erase",
        opportunity: "a word is written, or erased with its page",
        params: &[CHIP, Param::Bit.needed(), Param::Level.needed()],
    },
    PointSpec {
        name: "flash.slow",
        what: "writing or erasing the flash of `chip` (default: the target) takes `factor` times as long",
        opportunity: ANY_OPERATION,
        params: &[CHIP, Param::Factor.needed()],
    },
    PointSpec {
        name: "flash.endless",
        what: "writing or erasing the flash of `chip` (default: the target) never ends: its controller stays busy",
        opportunity: ANY_OPERATION,
        params: &[CHIP],
    },
    PointSpec {
        name: "flash.protect",
        what: "the flash controller of `chip` (default: the target) refuses to write or erase, as if the place were \
               protected: NVMC ignores it, FTFA sets FPVIOL, native firmware reports an error",
        opportunity: ANY_OPERATION,
        params: &[CHIP],
    },
    PointSpec {
        name: "flash.wear-out",
        what: "an erase of a page of the flash of `chip` (default: the target) leaves one to eight bits 0 once the page \
               has been erased `cycles` times since the fault was armed",
        opportunity: "a page is erased, by itself or with others",
        params: &[CHIP, Param::Cycles.needed()],
    },
    PointSpec {
        name: "flash.power-cut",
        what: "power is lost half-way through writing or erasing the flash of `chip` (default: the target), which leaves \
               its cells somewhere in between; the board is without power for `delay` (default 500 ms)",
        opportunity: ANY_OPERATION,
        params: &[CHIP, Param::Delay.optional()],
    },
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    NoWrite,
    StuckBit,
    Slow,
    Endless,
    Protect,
    WearOut,
    PowerCut,
}

impl Kind {
    fn of(point: &PointSpec) -> Option<Kind> {
        Some(match point.name {
            "flash.no-write" => Kind::NoWrite,
            "flash.stuck-bit" => Kind::StuckBit,
            "flash.slow" => Kind::Slow,
            "flash.endless" => Kind::Endless,
            "flash.protect" => Kind::Protect,
            "flash.wear-out" => Kind::WearOut,
            "flash.power-cut" => Kind::PowerCut,
            _ => return None,
        })
    }
}

/// What a flash controller is about to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Work {
    /// Writes a word.
    Word(u32),
    /// Erases a stretch of whole pages.
    Erase(Range<u32>),
}

impl Work {
    fn stretch(&self) -> Range<u32> {
        match self {
            Work::Word(address) => *address..address.saturating_add(4),
            Work::Erase(range) => range.clone(),
        }
    }

    fn words(&self) -> String {
        match self {
            Work::Word(address) => format!("writing {address:#010x}"),
            Work::Erase(range) => format!("erasing {:#010x} to {:#010x}", range.start, range.end.saturating_sub(1)),
        }
    }
}

/// What becomes of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// Nothing: it is refused as protection refuses it.
    Refused,
    /// It takes this long.
    Takes(Span),
    /// It would take this long, but the board loses its power half-way.
    Cut(Span),
}

/// The faults of one chip's flash, and what they have done that lasts.
#[derive(Debug)]
pub struct FlashFaults {
    /// The chip's name in the board file.
    chip: String,
    /// Bytes that are erased at once.
    page: u32,
    outage: Outage,
    faults: Vec<(Kind, SharedFault)>,
    /// How often each page was erased, if somebody counts.
    erased: BTreeMap<u32, u32>,
    /// What decides which cells an operation had reached when power was lost.
    cut: Option<Noise>,
}

/// The faults of a flash as its controller and the board share them.
pub type SharedFlashFaults = Arc<Mutex<FlashFaults>>;

impl FlashFaults {
    /// None yet, for the flash of the chip called `chip` with pages of `page` bytes; `outage` takes the board's power away.
    #[must_use]
    pub fn new(chip: &str, page: u32, outage: Outage) -> FlashFaults {
        FlashFaults { chip: chip.into(), page, outage, faults: Vec::new(), erased: BTreeMap::new(), cut: None }
    }

    /// Arms a fault of this family; false if it is none.
    pub fn add(&mut self, fault: SharedFault) -> bool {
        let Some(kind) = Kind::of(fault.point()) else { return false };
        self.faults.push((kind, fault));
        true
    }

    /// `work`, which takes `usual`, is about to begin at `at`.
    pub fn begins(&mut self, at: Time, work: &Work, usual: Span) -> Begin {
        let refused = self.strikes(at, work, Kind::Protect, |_, _| Some(()), |()| "was refused".into());
        if refused.is_some() {
            return Begin::Refused;
        }
        let endless = self.strikes(at, work, Kind::Endless, |_, _| Some(ENDLESS), |_| "never ends".into());
        if let Some(span) = endless {
            return Begin::Takes(span);
        }
        let slow = |factor: f64| (usual.0 as f64 * factor).round().min(ENDLESS.0 as f64) as u64;
        let span = self.strikes(
            at,
            work,
            Kind::Slow,
            |fault, _| fault.factor.map(|factor| Span(slow(factor))).filter(|span| *span != usual),
            |span| format!("takes {} µs instead of {} µs", span.0 / 1_000_000, usual.0 / 1_000_000),
        );
        let span = span.unwrap_or(usual);
        let half = Span(span.0 / 2);
        let cut = self.strikes(
            at,
            work,
            Kind::PowerCut,
            |fault, dice| Some((fault.delay.unwrap_or(AWAY), u64::from(dice.bits()) << 32 | u64::from(dice.bits()))),
            |_| format!("was cut off after {} µs: the board lost its power", half.0 / 1_000_000),
        );
        let Some((away, seed)) = cut else { return Begin::Takes(span) };
        self.cut = Some(Noise::new(seed));
        self.outage.begin(at + half, away);
        Begin::Cut(span)
    }

    /// The first fault of `kind` that strikes at `work`.
    fn strikes<R>(
        &self,
        at: Time,
        work: &Work,
        kind: Kind,
        act: impl Fn(&twinboard_sim::fault::Params, &mut Dice) -> Option<R>,
        effect: impl Fn(&R) -> String,
    ) -> Option<R> {
        self.faults.iter().filter(|(other, _)| *other == kind).find_map(|(_, fault)| {
            let tell = |result: &R| (format!("{} flash", self.chip), format!("{} {}", work.words(), effect(result)));
            fault.lock().strike_in(at, Some(work.stretch()), &act, tell)
        })
    }

    /// A word that was `old` has been written, and should be `wanted` now: what it is.
    pub fn written(&mut self, at: Time, address: u32, old: u32, wanted: u32) -> u32 {
        let mut word = wanted;
        for (kind, fault) in &self.faults {
            let place = || format!("{} flash, {address:#010x}", self.chip);
            let new = match kind {
                Kind::NoWrite => fault.lock().strike_at(
                    at,
                    Some(address),
                    |_, _| (word != old).then_some(old),
                    |old| (place(), format!("stayed {old:08x}, {wanted:08x} was written")),
                ),
                Kind::StuckBit => stuck(fault, at, address, word, place),
                _ => None,
            };
            word = new.unwrap_or(word);
        }
        word
    }

    /// The stretch `range` is erased; `old` has what was in it before. The answer is what is not erased afterwards:
    /// addresses and words.
    pub fn erased(&mut self, at: Time, range: Range<u32>, old: impl Fn(u32) -> u32) -> BTreeMap<u32, u32> {
        let mut left = BTreeMap::new();
        let page = self.page.max(4);
        if self.faults.iter().any(|(kind, _)| *kind == Kind::WearOut) {
            for start in range.clone().step_by(page as usize) {
                let times = self.erased.entry(start).or_default();
                *times = times.saturating_add(1);
            }
        }
        for (kind, fault) in &self.faults {
            match kind {
                Kind::WearOut => {
                    for start in range.clone().step_by(page as usize) {
                        let cells = start..start.saturating_add(page);
                        let times = self.erased.get(&start).copied().unwrap_or(0);
                        let kept = fault.lock().strike_in(
                            at,
                            Some(cells.clone()),
                            |params, dice| {
                                let worn = times > params.cycles.unwrap_or(0);
                                Some(worn.then(|| worn_bits(&cells, dice, &old))?).filter(|kept| !kept.is_empty())
                            },
                            |kept| {
                                let place = format!("{} flash, page {start:#010x}", self.chip);
                                (place, format!("{} bits stayed 0 at erase number {times}", kept.len()))
                            },
                        );
                        for (address, mask) in kept.into_iter().flatten() {
                            *left.entry(address).or_insert(u32::MAX) &= !mask;
                        }
                    }
                }
                Kind::StuckBit => {
                    for address in range.clone().step_by(4) {
                        let word = left.get(&address).copied().unwrap_or(u32::MAX);
                        let place = || format!("{} flash, {address:#010x}", self.chip);
                        if let Some(word) = stuck(fault, at, address, word, place) {
                            left.insert(address, word);
                        }
                    }
                }
                _ => {}
            }
        }
        left
    }

    /// What decides which cells had been reached when power was lost, if a fault took it away.
    pub(crate) fn take_cut(&mut self) -> Option<Noise> {
        self.cut.take()
    }
}

/// What `word` is if one of its bits is stuck and should be another.
fn stuck(fault: &SharedFault, at: Time, address: u32, word: u32, place: impl Fn() -> String) -> Option<u32> {
    fault.lock().strike_at(
        at,
        Some(address),
        |params, _| {
            let (bit, level) = (u32::from(params.bit?) & 31, params.level?);
            Some(word & !(1 << bit) | u32::from(level) << bit).filter(|stuck| *stuck != word)
        },
        |stuck| (place(), format!("is {stuck:08x}, should be {word:08x}")),
    )
}

/// Some bits of a page that were 0: address and mask of each.
fn worn_bits(cells: &Range<u32>, dice: &mut Dice, old: &impl Fn(u32) -> u32) -> Vec<(u32, u32)> {
    let words = (cells.end - cells.start) / 4;
    let wanted = 1 + dice.below(WORN_BITS);
    let mut kept: Vec<(u32, u32)> = Vec::new();
    for _ in 0..wanted {
        let (first, turn) = (dice.below(words), dice.below(32));
        let written =
            (0..words).map(|n| cells.start + (first + n) % words * 4).find(|address| old(*address) != u32::MAX);
        let Some(address) = written else { break };
        let zero = !old(address).rotate_right(turn);
        let bit = (1u32 << zero.trailing_zeros()).rotate_left(turn);
        if !kept.contains(&(address, bit)) {
            kept.push((address, bit));
        }
    }
    kept
}

#[cfg(test)]
#[path = "flash_tests.rs"]
mod tests;
