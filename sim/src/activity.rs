//! What was busy when, and whose share of a stretch of time that makes.
//!
//! A model that can be the slow part of something (a wire, a flash controller, a CPU) has an [`Activity`] and notes the
//! spans in which it was at work. Nothing is kept, and next to nothing done, until somebody records it. Afterwards
//! [`shares`] divides a stretch of time among several such records, so that the shares and the rest are the whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::time::{Span, Time};

/// From a time until before another.
pub type Stretch = (Time, Time);

#[derive(Debug, Default)]
struct Inner {
    recording: AtomicBool,
    spans: Mutex<Vec<Stretch>>,
}

/// The record of one thing's work. Clones are the same record.
#[derive(Clone, Debug, Default)]
pub struct Activity(Arc<Inner>);

impl Activity {
    /// From now on what is noted is kept, or is not any more; what was kept is forgotten.
    pub fn record(&self, on: bool) {
        self.0.spans.lock().clear();
        self.0.recording.store(on, Ordering::Relaxed);
    }

    /// Whether what is noted is kept.
    #[inline]
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.0.recording.load(Ordering::Relaxed)
    }

    /// It was, or will be, at work from `from` until before `to`. The order of the notes does not matter.
    #[inline]
    pub fn note(&self, from: Time, to: Time) {
        if self.is_recorded() && from < to {
            push(&mut self.0.spans.lock(), from, to);
        }
    }

    /// What was noted since the last call, in the order in which it was.
    #[must_use]
    pub fn take(&self) -> Vec<Stretch> {
        std::mem::take(&mut self.0.spans.lock())
    }
}

/// Adds a stretch; one that continues the last one prolongs it.
pub fn push(spans: &mut Vec<Stretch>, from: Time, to: Time) {
    match spans.last_mut() {
        Some((_, end)) if *end == from => *end = to,
        _ => spans.push((from, to)),
    }
}

/// Divides the time from `from` until `to` among the records of `layers`. Where several are at work at once, the time is
/// the first one's. The answer has one share per layer; what is missing to the whole belongs to none.
#[must_use]
pub fn shares<const N: usize>(from: Time, to: Time, layers: [Vec<Stretch>; N]) -> [Span; N] {
    let mut shares = [Span::ZERO; N];
    let mut taken: Vec<Stretch> = Vec::new();
    for (share, layer) in shares.iter_mut().zip(layers) {
        let before = length(&taken);
        taken.extend(layer.into_iter().map(|(a, b)| (a.max(from), b.min(to))).filter(|(a, b)| a < b));
        taken = union(taken);
        *share = length(&taken) - before;
    }
    shares
}

/// What is not in `spans`, from `from` until `to`.
#[must_use]
pub fn gaps(from: Time, to: Time, spans: Vec<Stretch>) -> Vec<Stretch> {
    let mut gaps = Vec::new();
    let mut at = from;
    for (start, end) in union(spans) {
        if at < start.min(to) {
            gaps.push((at, start.min(to)));
        }
        at = at.max(end);
    }
    if at < to {
        gaps.push((at, to));
    }
    gaps
}

/// The same stretches in order, without overlaps.
fn union(mut spans: Vec<Stretch>) -> Vec<Stretch> {
    spans.sort_unstable();
    let mut merged: Vec<Stretch> = Vec::with_capacity(spans.len());
    for (start, end) in spans {
        match merged.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// How long stretches without overlaps last together.
fn length(spans: &[Stretch]) -> Span {
    spans.iter().fold(Span::ZERO, |sum, (start, end)| sum + end.since(*start))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(spans: &[(u64, u64)]) -> Vec<Stretch> {
        spans.iter().map(|&(a, b)| (Time(a), Time(b))).collect()
    }

    #[test]
    fn time_that_several_claim_is_the_first_ones() {
        let layers = [at(&[(10, 20), (15, 30)]), at(&[(25, 40), (0, 5)]), at(&[(0, 100)])];
        assert_eq!(shares(Time(2), Time(50), layers), [Span(20), Span(13), Span(15)]);
    }

    #[test]
    fn gaps_and_stretches_make_the_whole() {
        assert_eq!(gaps(Time(0), Time(50), at(&[(30, 60), (10, 20)])), at(&[(0, 10), (20, 30)]));
        assert_eq!(gaps(Time(5), Time(50), at(&[(0, 10), (20, 40)])), at(&[(10, 20), (40, 50)]));
        assert_eq!(gaps(Time(5), Time(9), Vec::new()), at(&[(5, 9)]));
    }

    #[test]
    fn nothing_is_kept_unless_it_is_recorded() {
        let activity = Activity::default();
        activity.note(Time(1), Time(2));
        assert_eq!(activity.take(), []);
        activity.record(true);
        activity.note(Time(1), Time(2));
        activity.clone().note(Time(2), Time(4));
        activity.note(Time(5), Time(5));
        assert_eq!(activity.take(), at(&[(1, 4)]));
        activity.record(false);
        activity.note(Time(6), Time(7));
        assert_eq!(activity.take(), []);
    }

    proptest! {
        /// Against the plain way: each unit of time by itself.
        #[test]
        fn shares_are_what_counting_every_unit_of_time_gives(
            layers in prop::array::uniform3(prop::collection::vec((0u64..60, 0u64..60), 0..8)),
            window in (0u64..60, 0u64..60),
        ) {
            let (from, to) = (window.0.min(window.1), window.0.max(window.1));
            let mut expected = [Span::ZERO; 3];
            for unit in from..to {
                let holds = |layer: &Vec<(u64, u64)>| layer.iter().any(|&(a, b)| a <= unit && unit < b);
                if let Some(first) = layers.iter().position(holds) {
                    expected[first] += Span(1);
                }
            }
            prop_assert_eq!(shares(Time(from), Time(to), layers.map(|layer| at(&layer))), expected);
        }
    }
}
