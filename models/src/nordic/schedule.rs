//! Who acts first: a tournament over the times at which the peripherals are due.

use super::peripheral::NEVER;

/// Slots there can be; a power of two.
const SLOTS: usize = 64;

/// The time at which each slot is due. The first is known at once, a change costs one comparison per round.
#[derive(Debug)]
pub struct Schedule {
    due: [u64; SLOTS],
    /// The winner of each match: those of the first round from `SLOTS / 2` on, of the last one at 1.
    winners: [u8; SLOTS],
}

impl Default for Schedule {
    fn default() -> Schedule {
        let mut schedule = Schedule { due: [NEVER; SLOTS], winners: [0; SLOTS] };
        for game in (1..SLOTS).rev() {
            schedule.play(game);
        }
        schedule
    }
}

impl Schedule {
    fn player(&self, place: usize) -> u8 {
        if place >= SLOTS { (place - SLOTS) as u8 } else { self.winners[place] }
    }

    fn play(&mut self, game: usize) {
        let (left, right) = (self.player(2 * game), self.player(2 * game + 1));
        let earlier = self.due[usize::from(right)] < self.due[usize::from(left)];
        self.winners[game] = if earlier { right } else { left };
    }

    /// `slot` (below 64) is due at `due`, or [`NEVER`].
    pub fn set(&mut self, slot: usize, due: u64) {
        if std::mem::replace(&mut self.due[slot], due) == due {
            return;
        }
        let mut game = (SLOTS + slot) / 2;
        while game > 0 {
            self.play(game);
            game /= 2;
        }
    }

    /// When `slot` (below 64) is due.
    #[must_use]
    pub fn get(&self, slot: usize) -> u64 {
        self.due[slot]
    }

    /// The time of the slot that is due first, and that slot; the lowest of several.
    #[must_use]
    pub fn first(&self) -> (u64, usize) {
        let slot = usize::from(self.winners[1]);
        (self.due[slot], slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_is_the_lowest_slot_of_the_earliest(changes in prop::collection::vec((0..SLOTS, 0u64..9), 1..200)) {
            let (mut schedule, mut plain) = (Schedule::default(), [NEVER; SLOTS]);
            for (slot, due) in changes {
                let due = if due == 8 { NEVER } else { due };
                schedule.set(slot, due);
                plain[slot] = due;
                let earliest = *plain.iter().min().expect("not empty");
                prop_assert_eq!(schedule.first().0, earliest);
                if earliest != NEVER {
                    prop_assert_eq!(schedule.first().1, plain.iter().position(|&due| due == earliest).expect("there"));
                }
            }
        }
    }
}
