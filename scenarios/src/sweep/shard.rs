//! Parts of a sweep for several machines.

use std::fmt;
use std::str::FromStr;

/// One of so many parts. Runs are dealt out like cards, so parts are disjoint, complete, and of one size but for one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    /// Which, from 1.
    part: usize,
    /// Of how many.
    of: usize,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Shard = Shard { part: 1, of: 1 };

    /// Whether run `index` is in it.
    #[must_use]
    pub fn has(self, index: usize) -> bool {
        index % self.of == self.part - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let wrong = || format!("K/N was expected with 1 ≤ K ≤ N, as 2/8, not {text:?}");
        let (part, of) = text.split_once('/').ok_or_else(wrong)?;
        let (part, of) = (part.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
        if part == 0 || part > of { Err(wrong()) } else { Ok(Shard { part, of }) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_run_is_in_exactly_one_part(index in 0usize..10_000, of in 1usize..200) {
            let in_it = (1..=of).filter(|part| Shard { part: *part, of }.has(index)).count();
            prop_assert_eq!(in_it, 1);
        }

        #[test]
        fn what_is_no_part_is_refused(text in "[0-9/x-]{0,6}") {
            if let Ok(shard) = text.parse::<Shard>() {
                prop_assert!(shard.part >= 1 && shard.part <= shard.of);
                // Leading zeros are numbers too.
                prop_assert_eq!(shard.to_string().parse::<Shard>(), Ok(shard));
            }
        }
    }

    #[test]
    fn parts_are_counted_from_one() {
        assert_eq!("2/3".parse(), Ok(Shard { part: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "1", "/", "a/b", "1/0", "-1/2", "1/2/3"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
