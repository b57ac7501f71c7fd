//! Sound as a WAV file has it: samples at a fixed rate.

use std::io::{Read, Seek};

use hound::{SampleFormat, WavReader};
use twinboard_sim::time::Span;

/// The longest sound, in samples of one channel: ten minutes at 48 kHz.
pub const MAX_SAMPLES: u32 = 48_000 * 600;
/// The highest sample rate in hertz.
pub const MAX_RATE: u32 = 192_000;

/// A piece of sound in one channel.
#[derive(Clone, PartialEq, Debug)]
pub struct Sound {
    rate: u32,
    samples: Vec<i16>,
    looped: bool,
}

/// Why a file is no sound.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// It is not a WAV file, or ends too early.
    #[error("a WAV file was expected: {0}")]
    Wav(#[from] hound::Error),
    /// It is a WAV file of another kind.
    #[error("{0}")]
    Kind(String),
}

impl Sound {
    /// `samples` at `rate` hertz (1 to [`MAX_RATE`]), played once or again and again.
    #[must_use]
    pub fn new(rate: u32, samples: Vec<i16>, looped: bool) -> Sound {
        Sound { rate: rate.clamp(1, MAX_RATE), samples, looped }
    }

    /// Reads a WAV file: PCM of 8 to 32 bits or float, any number of channels, which are averaged.
    ///
    /// # Errors
    /// [`SoundError`].
    pub fn from_wav(input: impl Read + Seek, looped: bool) -> Result<Sound, SoundError> {
        let mut reader = WavReader::new(input)?;
        let spec = reader.spec();
        let kind = |message: String| Err(SoundError::Kind(message));
        if !(1..=MAX_RATE).contains(&spec.sample_rate) {
            return kind(format!("a sample rate of 1 to {MAX_RATE} Hz was expected, not {}", spec.sample_rate));
        }
        if spec.channels == 0 || !(1..=32).contains(&spec.bits_per_sample) {
            return kind("samples of 8 to 32 bits in at least one channel were expected".into());
        }
        // `duration` is what the file says of itself: a bound for reading, and no reason to allocate.
        if reader.duration() > MAX_SAMPLES {
            return kind(format!("at most {MAX_SAMPLES} samples were expected, there are {}", reader.duration()));
        }
        let mut mono = Mono { channels: spec.channels, filled: 0, sum: 0, samples: Vec::new() };
        match spec.sample_format {
            SampleFormat::Float => {
                for sample in reader.samples::<f32>() {
                    mono.push((sample?.clamp(-1.0, 1.0) * 32_767.0) as i32);
                }
            }
            SampleFormat::Int => {
                let bits = u32::from(spec.bits_per_sample);
                for sample in reader.samples::<i32>() {
                    let sample = i64::from(sample?);
                    mono.push((if bits > 16 { sample >> (bits - 16) } else { sample << (16 - bits) }) as i32);
                }
            }
        }
        if mono.samples.is_empty() {
            return kind("at least one sample was expected".into());
        }
        Ok(Sound { rate: spec.sample_rate, samples: mono.samples, looped })
    }

    /// The sample that is played so long after the beginning; 0 after the end.
    #[must_use]
    pub fn at(&self, elapsed: Span) -> i16 {
        let index = u128::from(elapsed.0) * u128::from(self.rate) / 1_000_000_000_000;
        let length = self.samples.len().max(1) as u128;
        let index = if self.looped { index % length } else { index };
        usize::try_from(index).ok().and_then(|index| self.samples.get(index)).copied().unwrap_or(0)
    }

    /// How long it is.
    #[must_use]
    pub fn duration(&self) -> Span {
        Span((self.samples.len() as u64).saturating_mul(1_000_000_000_000 / u64::from(self.rate)))
    }
}

/// Averages interleaved channels.
struct Mono {
    channels: u16,
    filled: u16,
    sum: i64,
    samples: Vec<i16>,
}

impl Mono {
    fn push(&mut self, sample: i32) {
        self.sum += i64::from(sample);
        self.filled += 1;
        if self.filled == self.channels {
            let mean = self.sum / i64::from(self.channels);
            self.samples.push(mean.clamp(i16::MIN.into(), i16::MAX.into()) as i16);
            (self.filled, self.sum) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::{WavSpec, WavWriter};
    use std::io::Cursor;

    fn wav(spec: WavSpec, samples: &[i32]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).expect("a header");
        samples.iter().for_each(|&sample| writer.write_sample(sample).expect("writes"));
        writer.finalize().expect("ends");
        bytes.into_inner()
    }

    const SPEC: WavSpec =
        WavSpec { channels: 1, sample_rate: 8_000, bits_per_sample: 16, sample_format: SampleFormat::Int };

    fn us(us: u64) -> Span {
        Span::us(us)
    }

    #[test]
    fn samples_are_played_in_their_time_once_or_again_and_again() {
        let bytes = wav(SPEC, &[100, -200, 300]);
        let once = Sound::from_wav(Cursor::new(&bytes), false).expect("a sound");
        let sequence = |sound: &Sound| [0, 124, 125, 250, 375, 500].map(|at| sound.at(us(at)));
        assert_eq!(sequence(&once), [100, 100, -200, 300, 0, 0]);
        let looped = Sound::from_wav(Cursor::new(&bytes), true).expect("a sound");
        assert_eq!(sequence(&looped), [100, 100, -200, 300, 100, -200]);
        assert_eq!(once.duration(), us(375));
    }

    #[test]
    fn channels_are_averaged_and_widths_scaled() {
        let stereo = wav(WavSpec { channels: 2, ..SPEC }, &[100, 300]);
        assert_eq!(Sound::from_wav(Cursor::new(stereo), false).expect("a sound").at(us(0)), 200);
        let narrow = wav(WavSpec { bits_per_sample: 8, ..SPEC }, &[-128]);
        assert_eq!(Sound::from_wav(Cursor::new(narrow), false).expect("a sound").at(us(0)), i16::MIN);
        let wide = wav(WavSpec { bits_per_sample: 24, ..SPEC }, &[0x7F_FFFF]);
        assert_eq!(Sound::from_wav(Cursor::new(wide), false).expect("a sound").at(us(0)), i16::MAX);
    }

    #[test]
    fn files_that_are_cut_or_empty_or_something_else_are_errors() {
        let bytes = wav(SPEC, &[1, 2, 3]);
        for length in 0..bytes.len() {
            let cut = Sound::from_wav(Cursor::new(&bytes[..length]), false);
            assert!(cut.is_err(), "{length} bytes");
        }
        assert!(Sound::from_wav(Cursor::new(wav(SPEC, &[])), false).is_err());
        assert!(Sound::from_wav(Cursor::new(b"RIFX"), false).is_err());
    }
}
