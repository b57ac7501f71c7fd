//! Sounds for the microphone: whatever the bytes, an error or a sound that can be played.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use twinboard_models::parts::sound::Sound;
use twinboard_sim::time::Span;

fuzz_target!(|input: &[u8]| {
    if let Ok(sound) = Sound::from_wav(Cursor::new(input), input.len() % 2 == 0) {
        let _ = (sound.at(Span(0)), sound.at(sound.duration()), sound.at(Span(u64::MAX)));
    }
});
