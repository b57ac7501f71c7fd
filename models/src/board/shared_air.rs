//! The ether between boards that have a clock each: every one is driven by its own host on its own thread.
//!
//! Their times are not comparable, so a packet arrives in its receiver's present. Packets of one sender that follow
//! each other closely keep their distance. What arrives when depends on how the hosts drive their boards; who wants
//! the same every time uses a [`super::room::Room`].

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};

use super::powered::Powered;
use crate::parts::air::Transmission;

/// Packets of one sender that are closer than this keep their distance.
const CLOSE: Span = Span::ms(20);
/// No packet is put off longer than this.
const PATIENCE: Span = Span::ms(50);
/// The most packets that wait for a board; the oldest are lost.
const MOST_WAITING: usize = 64;

#[derive(Debug)]
struct Letter {
    from: usize,
    distance: f64,
    transmission: Transmission,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct SharedAir {
    inboxes: Arc<Mutex<Vec<Vec<Letter>>>>,
}

impl SharedAir {
    /// A place for one more board.
    #[must_use]
    pub fn join(&self) -> Station {
        let mut inboxes = self.inboxes.lock();
        inboxes.push(Vec::new());
        Station { index: inboxes.len() - 1, air: self.clone(), last: Vec::new(), sent: Vec::new(), letters: Vec::new() }
    }
}

/// A board's place in the ether.
#[derive(Debug)]
pub struct Station {
    air: SharedAir,
    index: usize,
    /// By sender: when its last packet began, in its time and in ours.
    last: Vec<Option<(Time, Time)>>,
    sent: Vec<Transmission>,
    letters: Vec<Letter>,
}

impl Station {
    /// Makes the board's time pass until `until` or until a socket asks for attention; before, it hears what came,
    /// and afterwards the others hear what it sent.
    pub fn advance(&mut self, board: &mut Powered, until: Time) {
        std::mem::swap(&mut self.letters, &mut self.air.inboxes.lock()[self.index]);
        for Letter { from, distance, mut transmission } in self.letters.drain(..) {
            if self.last.len() <= from {
                self.last.resize(from + 1, None);
            }
            let (theirs, now) = (transmission.start, board.now());
            transmission.start = arrival(now, theirs, self.last[from]);
            self.last[from] = Some((theirs, transmission.start));
            board.hear(distance, transmission);
        }
        board.advance(until);
        board.take_sent(&mut self.sent);
        if self.sent.is_empty() {
            return;
        }
        let mut inboxes = self.air.inboxes.lock();
        for transmission in self.sent.drain(..) {
            for (_, inbox) in inboxes.iter_mut().enumerate().filter(|(to, _)| *to != self.index) {
                if inbox.len() == MOST_WAITING {
                    inbox.remove(0);
                }
                let distance = board.antenna.distance;
                inbox.push(Letter { from: self.index, distance, transmission: transmission.clone() });
            }
        }
    }
}

/// When a packet that began at `theirs` of its sender's time begins here.
fn arrival(now: Time, theirs: Time, last: Option<(Time, Time)>) -> Time {
    match last {
        Some((before, here)) if theirs >= before && theirs.since(before) < CLOSE => {
            (here + theirs.since(before)).max(now).min(now + PATIENCE)
        }
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Time {
        Time::ZERO + Span::ms(ms)
    }

    #[test]
    fn a_packet_arrives_in_the_present_and_those_behind_it_keep_their_distance() {
        assert_eq!(arrival(ms(500), ms(7), None), ms(500));
        assert_eq!(arrival(ms(500), ms(9), Some((ms(7), ms(500)))), ms(502));
        assert_eq!(arrival(ms(510), ms(9), Some((ms(7), ms(500)))), ms(510), "not in the past");
        assert_eq!(arrival(ms(510), ms(900), Some((ms(7), ms(500)))), ms(510), "long ago");
        assert_eq!(arrival(ms(510), ms(26), Some((ms(7), ms(600)))), ms(560), "a sender whose clock runs faster");
    }
}
