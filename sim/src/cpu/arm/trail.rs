//! What a program has stored since some moment, word by word: enough to tell whether memory is again what it was.

/// Words that are followed at most.
const WORDS: usize = 384;
/// Places for them, a power of two.
const PLACES: usize = 1024;

#[derive(Clone, Copy, Debug, Default)]
struct Word {
    /// Offset in the arena, a multiple of 4.
    at: u32,
    /// The entry counts only while this is the trail's own.
    generation: u32,
    /// The value before the first store.
    first: u32,
}

/// A hash table of the words that were stored to, with the value that each had at the beginning.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    /// Never grows: nothing is allocated while the core runs.
    places: Box<[Word]>,
    generation: u32,
    used: usize,
    /// Words that are not what they were.
    differing: usize,
}

impl Default for Trail {
    fn default() -> Trail {
        Trail { places: vec![Word::default(); PLACES].into(), generation: 1, used: 0, differing: 0 }
    }
}

impl Trail {
    /// Forgets everything: memory as it is now is what it will be compared with.
    pub fn begin(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.places.fill(Word::default());
            self.generation = 1;
        }
        (self.used, self.differing) = (0, 0);
    }

    /// The word at arena offset `at` was `before` and is `after` now. False if there is no room to follow it.
    pub fn note(&mut self, at: u32, before: u32, after: u32) -> bool {
        let mut place = (at >> 2).wrapping_mul(0x9E37_79B1) as usize >> 8;
        let word = loop {
            let word = &mut self.places[place & (PLACES - 1)];
            if word.generation != self.generation {
                if self.used == WORDS {
                    return false;
                }
                self.used += 1;
                *word = Word { at, generation: self.generation, first: before };
                break *word;
            }
            if word.at == at {
                break *word;
            }
            place += 1;
        };
        match (before == word.first, after == word.first) {
            (true, false) => self.differing += 1,
            (false, true) => self.differing -= 1,
            _ => {}
        }
        true
    }

    /// Whether every word is what it was at the beginning.
    pub fn is_closed(&self) -> bool {
        self.differing == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_full_trail_says_so() {
        let mut trail = Trail::default();
        assert!((0..WORDS as u32).all(|word| trail.note(4 * word, 0, 1)));
        assert!(!trail.note(4 * WORDS as u32, 0, 1));
        assert!(trail.note(0, 1, 0), "a word that is followed already needs no room");
        trail.begin();
        assert!(trail.note(4 * WORDS as u32, 0, 1));
    }

    proptest! {
        #[test]
        fn it_is_closed_when_memory_is_what_it_was(stores in prop::collection::vec((0u32..12, 0u32..3), 0..80)) {
            let mut memory: BTreeMap<u32, u32> = BTreeMap::new();
            let mut trail = Trail::default();
            // Words a table's length apart fall together.
            for (word, value) in stores {
                let at = word * 4 * (PLACES as u32 / 4);
                let before = memory.insert(at, value).unwrap_or(0);
                prop_assert!(trail.note(at, before, value));
                prop_assert_eq!(trail.is_closed(), memory.values().all(|value| *value == 0));
            }
        }
    }
}
