//! A speaker on a pin, as a recorder hears it.
//!
//! The membrane follows the pin's voltage with its inertia: pulses that are shorter than a sample are averaged over it,
//! and what does not change is not heard. So a tone sounds the same whether a program makes it from pulses of varying
//! length or by switching the pin, and a pin that rests is silent.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{Drive, Edge, PinId, Signal};

use super::PinObserver;

/// Samples per second of a recording.
pub const RATE: u32 = 44_100;
/// A longer silence is shortened to this many samples: one second.
pub const LONGEST_SILENCE: u64 = RATE as u64;

/// The pin's mean level while it is high all the time.
const FULL: i64 = 1 << 16;
/// What does not change is forgotten with a time constant of so many samples (2 to the power of this): 14 Hz.
const DECAY: u32 = 9;
const PS_PER_SECOND: u128 = 1_000_000_000_000;

/// The speaker and its recording, from the first sound on.
#[derive(Debug)]
pub struct Speaker {
    pin: PinId,
    recording: bool,
    /// Mean level of the pin now, 0 to [`FULL`].
    level: i64,
    /// Everything until here (ps) has been heard.
    since: u64,
    /// The sample that is being filled, and the level summed over its time so far.
    sample: u64,
    sum: i128,
    /// The last sample's level, and what was heard of it.
    last: i64,
    heard: i64,
    /// Silent samples since the last sound.
    silence: u64,
    samples: Vec<i16>,
    begun: bool,
}

impl Speaker {
    /// A speaker on `pin`.
    #[must_use]
    pub fn new(pin: PinId) -> Speaker {
        Speaker {
            pin,
            recording: false,
            level: 0,
            since: 0,
            sample: 0,
            sum: 0,
            last: 0,
            heard: 0,
            silence: 0,
            samples: Vec::new(),
            begun: false,
        }
    }

    /// When sample `n` begins, in ps.
    fn start_of(n: u64) -> u64 {
        (u128::from(n) * PS_PER_SECOND / u128::from(RATE)) as u64
    }

    fn set(&mut self, at: Time, level: i64) {
        if self.recording {
            self.pass(at.0);
        }
        self.level = level;
    }

    /// Hears everything until `until` (ps).
    fn pass(&mut self, until: u64) {
        while self.since < until {
            let end = Speaker::start_of(self.sample + 1);
            let stop = end.min(until);
            self.sum += i128::from(self.level) * i128::from(stop - self.since);
            self.since = stop;
            if stop == end {
                let length = end - Speaker::start_of(self.sample);
                let mean = (std::mem::take(&mut self.sum) / i128::from(length)) as i64;
                self.sample += 1;
                self.hear(mean);
                self.skip(until);
            }
        }
    }

    /// While nothing is heard and nothing changes, samples need only be counted.
    fn skip(&mut self, until: u64) {
        if self.heard != 0 || self.last != self.level {
            return;
        }
        let present = (u128::from(until) * u128::from(RATE) / PS_PER_SECOND) as u64;
        if present > self.sample + 1 {
            self.silence += present - 1 - self.sample;
            self.sample = present - 1;
            self.since = Speaker::start_of(self.sample);
        }
    }

    fn hear(&mut self, mean: i64) {
        self.heard += mean - std::mem::replace(&mut self.last, mean);
        // Towards zero, so that it gets there.
        self.heard -= (self.heard >> DECAY) + i64::from(self.heard > 0);
        let sample = (self.heard / 2).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        if sample == 0 {
            self.silence += 1;
            return;
        }
        let silence = std::mem::take(&mut self.silence);
        if std::mem::replace(&mut self.begun, true) {
            self.samples.extend((0..silence.min(LONGEST_SILENCE)).map(|_| 0));
        }
        self.samples.push(sample);
    }
}

/// A speaker that a chip's thread feeds and others record. Clones are the same speaker.
#[derive(Clone, Debug)]
pub struct SharedSpeaker(Arc<Mutex<Speaker>>);

impl SharedSpeaker {
    /// A speaker on `pin`.
    #[must_use]
    pub fn new(pin: PinId) -> SharedSpeaker {
        SharedSpeaker(Arc::new(Mutex::new(Speaker::new(pin))))
    }

    /// Records from `now` on.
    pub fn record(&self, now: Time) {
        let mut speaker = self.0.lock();
        speaker.recording = true;
        speaker.sample = (u128::from(now.0) * u128::from(RATE) / PS_PER_SECOND) as u64;
        (speaker.since, speaker.sum) = (Speaker::start_of(speaker.sample), 0);
        (speaker.last, speaker.heard) = (speaker.level, 0);
    }

    /// The recording until `now`, as far as it has not been taken before: samples at [`RATE`], from the first sound on; a
    /// silence is not there before the sound that ends it, and never longer than [`LONGEST_SILENCE`].
    #[must_use]
    pub fn take(&self, now: Time) -> Vec<i16> {
        let mut speaker = self.0.lock();
        if speaker.recording {
            speaker.pass(now.0);
        }
        std::mem::take(&mut speaker.samples)
    }
}

impl PinObserver for SharedSpeaker {
    fn watches(&self, pin: PinId) -> bool {
        pin == self.0.lock().pin
    }

    fn edge(&mut self, edge: &Edge) {
        if let Signal::Drive(drive) = edge.signal {
            // Whoever lets go of the pin leaves the membrane at rest, where the low level is.
            self.0.lock().set(edge.at, if drive == Drive::High { FULL } else { 0 });
        }
    }

    fn pulses(&mut self, at: Time, _: PinId, period: Span, high: Span) {
        let mean = i128::from(high.0) * i128::from(FULL) / i128::from(period.0.max(1));
        self.0.lock().set(at, mean.clamp(0, FULL.into()) as i64);
    }
}

/// How much of `frequency` (hertz) there is in `samples` at [`RATE`]: its part of the whole power, 0 to 1 (Goertzel's
/// algorithm).
#[must_use]
pub fn share_of_tone(samples: &[i16], frequency: f64) -> f64 {
    let omega = std::f64::consts::TAU * frequency / f64::from(RATE);
    let (mut one, mut two, mut power) = (0.0, 0.0, 0.0);
    for &sample in samples {
        let sample = f64::from(sample);
        (one, two) = (sample + 2.0 * omega.cos() * one - two, one);
        power += sample * sample;
    }
    let tone = one * one + two * two - 2.0 * omega.cos() * one * two;
    if power == 0.0 { 0.0 } else { 2.0 * tone / (power * samples.len() as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: PinId = PinId(0);

    fn us(us: u64) -> Time {
        Time::ZERO + Span::us(us)
    }

    fn edge(speaker: &mut SharedSpeaker, at: Time, high: bool) {
        let signal = Signal::Drive(if high { Drive::High } else { Drive::Low });
        speaker.edge(&Edge { at, pin: PIN, signal });
    }

    fn recording() -> SharedSpeaker {
        let speaker = SharedSpeaker::new(PIN);
        speaker.record(Time::ZERO);
        speaker
    }

    #[test]
    fn a_pin_that_is_switched_sounds_with_the_frequency_of_its_switching() {
        let mut speaker = recording();
        // 1 kHz for 100 ms.
        for n in 0..200 {
            edge(&mut speaker, us(500 * n), n % 2 == 0);
        }
        let samples = speaker.take(us(100_000));
        assert!(samples.len().abs_diff(4_410) < 25, "{}", samples.len());
        // A square wave has 8/π² of its power in its first harmonic.
        assert!((share_of_tone(&samples, 1_000.0) - 0.81).abs() < 0.06);
        assert!(share_of_tone(&samples, 700.0) < 0.01);
    }

    #[test]
    fn pulses_of_varying_length_sound_as_their_mean_does() {
        let mut speaker = recording();
        // A sine of 440 Hz in pulses of 22.6 µs.
        let period = Span::ns(22_625);
        for n in 0..10_000u64 {
            let at = Time(period.0 * n);
            let phase = at.0 as f64 / 1e12 * 440.0 * std::f64::consts::TAU;
            let high = Span((period.0 as f64 * (0.5 + 0.4 * phase.sin())) as u64);
            speaker.pulses(at, PIN, period, high);
        }
        let samples = speaker.take(us(226_000));
        // The first samples are the membrane's way to the mean.
        assert!(share_of_tone(&samples[4_410..], 440.0) > 0.95);
    }

    #[test]
    fn what_does_not_change_is_silent_and_takes_no_room() {
        let mut speaker = recording();
        edge(&mut speaker, us(0), true);
        let click = speaker.take(us(3_600_000_000)).len();
        assert!(click > 100 && click < 44_100, "{click}");
        assert!(speaker.take(us(7_200_000_000)).is_empty());
    }

    #[test]
    fn silence_is_kept_between_sounds_up_to_a_second() {
        for (pause_ms, silence) in [(300, 13_230), (60_000, 44_100)] {
            let mut speaker = recording();
            edge(&mut speaker, us(0), true);
            edge(&mut speaker, us(1_000), false);
            let click = speaker.take(us(250_000)).len();
            edge(&mut speaker, us(1_000 + pause_ms * 1_000), true);
            edge(&mut speaker, us(2_000 + pause_ms * 1_000), false);
            let rest = speaker.take(us(250_000 + pause_ms * 1_000));
            // The short pause counts from the beginning of the first click, the long one is what is left of it.
            let expected = if pause_ms > 1_000 { silence + click } else { silence };
            assert!(rest.len().abs_diff(expected) < 60, "{click} and {}", rest.len());
        }
    }

    #[test]
    fn other_pins_are_not_heard() {
        assert!(recording().watches(PIN));
        assert!(!recording().watches(PinId(3)));
    }
}
