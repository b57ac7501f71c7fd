//! The ether between boards: how packets get weaker and lost on their way from one antenna to another.

use twinboard_sim::machine::Machine;
use twinboard_sim::time::Time;

use super::powered::{Model, Powered};
use crate::nordic::Noise;
use crate::parts::air::{Reception, Transmission};

/// Loss over the first metre at 2.4 GHz, in dB.
const FIRST_METRE: f64 = 40.0;
/// Loss over each further tenfold distance, in dB: people, tables and walls are in the way.
const DECADE: f64 = 30.0;
/// Antennas are never closer, in metres.
const CLOSEST: f64 = 0.01;

/// Where a board's antenna is.
#[derive(Clone, Debug)]
pub struct Antenna {
    /// How far the board is from the others in metres; between two boards lies the mean of theirs.
    pub distance: f64,
    /// The part of the packets that arrive damaged, 0 to 1.
    pub loss: f64,
    noise: Noise,
}

impl Antenna {
    /// An antenna `distance` metres from the others where the part `loss` (0 to 1) of all packets is damaged; which
    /// ones, `seed` decides.
    #[must_use]
    pub fn new(distance: f64, loss: f64, seed: u64) -> Antenna {
        Antenna { distance, loss, noise: Noise::new(seed ^ 0x0065_7468_6572) }
    }

    /// What arrives of a transmission from another antenna, `distance` metres from the others.
    pub fn receive(&mut self, distance: f64, mut transmission: Transmission) -> Reception {
        let dbm = i16::from(transmission.dbm) - path_loss((self.distance + distance) / 2.0);
        if self.loss > 0.0 && f64::from(self.noise.next()) < self.loss * f64::from(u32::MAX) {
            // A bit is enough: in the address nobody notices the packet, behind it the CRC is wrong.
            let bit = self.noise.next() % transmission.bits.len().max(1);
            transmission.bits.flip(bit);
        }
        Reception { transmission, dbm }
    }
}

/// Loss over `distance` metres, in dB.
fn path_loss(distance: f64) -> i16 {
    (FIRST_METRE + DECADE * distance.max(CLOSEST).log10()).round() as i16
}

impl Powered {
    /// Takes the packets that the board began to send since the last call; earliest first.
    pub fn take_sent(&mut self, sent: &mut Vec<Transmission>) {
        let first = sent.len();
        for (_, model) in &self.chips {
            if let Model::Nrf5(chip) = model {
                chip.lock().take_sent(sent);
            }
        }
        sent[first..].sort_by_key(|transmission| transmission.start);
    }

    /// A transmission from an antenna `distance` metres from the others arrives. Its start is in the board's time, and
    /// at the latest [`Transmission::SOONEST`] ago.
    pub fn hear(&mut self, distance: f64, transmission: Transmission) {
        if !self.board.is_powered() {
            return;
        }
        let reception = self.antenna.receive(distance, transmission);
        for (_, model) in &self.chips {
            if let Model::Nrf5(chip) = model {
                chip.lock().hear(reception.clone());
            }
        }
    }

    /// Before this time the board begins to send nothing, if nobody touches it.
    #[must_use]
    pub fn silent_until(&self) -> Time {
        let from = self.board.next_event();
        let chips = self.chips.iter().filter_map(|(_, model)| match model {
            Model::Nrf5(chip) => Some(chip.lock().silent_until(from)),
            Model::DapLink(_) | Model::Kinetis(_) => None,
        });
        // From where a clock is fast, it may be sooner.
        let clock = self.faults.next_clock(self.board.now());
        chips.min().unwrap_or(Time::NEVER).min(clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::air::{Bits, Modulation};

    fn packet() -> Transmission {
        let mut bits = Bits::default();
        (0..100).for_each(|n| bits.push(n % 3 == 0));
        let (mhz, modulation) = (2_407, Modulation::Nrf1Mbit);
        Transmission { start: Time::ZERO, mhz, modulation, dbm: 0, preamble: 8, address: 40, bits }
    }

    #[test]
    fn a_packet_gets_weaker_with_the_distance() {
        let strength = |here: f64, there: f64| Antenna::new(here, 0.0, 0).receive(there, packet()).dbm;
        assert_eq!((strength(1.0, 1.0), strength(10.0, 10.0), strength(100.0, 100.0)), (-40, -70, -100));
        assert_eq!(strength(5.0, 15.0), -70, "the mean counts");
        assert_eq!(strength(0.0, 0.0), 20, "at 1 cm");
    }

    #[test]
    fn the_wanted_part_of_the_packets_is_damaged_and_the_seed_says_which() {
        let damaged = |loss: f64, seed: u64| -> Vec<bool> {
            let mut antenna = Antenna::new(1.0, loss, seed);
            (0..1_000).map(|_| antenna.receive(1.0, packet()).transmission != packet()).collect()
        };
        let count = |loss: f64| damaged(loss, 7).iter().filter(|&&damaged| damaged).count();
        assert_eq!((count(0.0), count(1.0)), (0, 1_000));
        assert!((60..140).contains(&count(0.1)), "{}", count(0.1));
        assert_eq!(damaged(0.5, 7), damaged(0.5, 7));
        assert_ne!(damaged(0.5, 7), damaged(0.5, 8));
    }
}
