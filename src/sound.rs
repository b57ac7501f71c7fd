//! Sound in and out of a board: `--microphone FILE` and `--wav FILE`.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hound::{SampleFormat, WavSpec, WavWriter};
use twinboard_models::parts::sound::Sound;
use twinboard_models::parts::speaker::{RATE, SharedSpeaker};
use twinboard_sim::time::{Span, Time};

use crate::failure::Failure;

/// How often the recording is fetched, in the board's time.
const FETCH: Span = Span::ms(100);

/// A recording of what the speaker plays.
pub struct Recorder {
    speaker: SharedSpeaker,
    path: PathBuf,
    /// None after a failure, which has been told.
    file: Option<WavWriter<BufWriter<File>>>,
    next: Time,
}

impl Recorder {
    /// Records `speaker` from `now` on into the file at `path`.
    pub fn new(speaker: SharedSpeaker, path: &Path, now: Time) -> Result<Recorder, Failure> {
        let spec = WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let file = WavWriter::create(path, spec).map_err(|error| {
            Failure::input(format!("{}: {error}", path.display()), "give a file that can be written")
        })?;
        speaker.record(now);
        Ok(Recorder { speaker, path: path.into(), file: Some(file), next: now + FETCH })
    }

    /// Writes what has been played until `now`, if it is time to.
    pub fn follow(&mut self, now: Time) {
        if now >= self.next {
            self.next = now + FETCH;
            self.fetch(now);
        }
    }

    fn fetch(&mut self, now: Time) {
        let samples = self.speaker.take(now);
        let Some(file) = self.file.as_mut().filter(|_| !samples.is_empty()) else { return };
        // The header is brought up to date each time: whoever kills us has a good file all the same.
        let written = samples.into_iter().try_for_each(|sample| file.write_sample(sample)).and_then(|()| file.flush());
        if let Err(error) = written {
            tracing::error!("{}: {error}; nothing more is recorded", self.path.display());
            self.file = None;
        }
    }

    /// Writes the rest and closes the file.
    pub fn finish(mut self, now: Time) -> Result<(), Failure> {
        self.fetch(now);
        match self.file {
            Some(file) => file.finalize().map_err(|error| Failure::job(format!("{}: {error}", self.path.display()))),
            None => Ok(()),
        }
    }
}

/// Reads a sound for the microphone, which hears it again and again.
pub fn heard(path: &Path) -> Result<Arc<Sound>, Failure> {
    let failure = |error: String| {
        Failure::input(format!("{}: {error}", path.display()), "give a WAV file of at most ten minutes")
    };
    let file = File::open(path).map_err(|error| failure(error.to_string()))?;
    Sound::from_wav(BufReader::new(file), true).map(Arc::new).map_err(|error| failure(error.to_string()))
}
