//! Board files, up to a board under power: whatever the text, an error or a board.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twinboard_models::board::{BoardFile, PowerOn};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let file = BoardFile::parse(text);
    if let Err(error) = &file {
        // A place that is named lies in the text.
        assert!(error.span.as_ref().is_none_or(|span| text.get(span.clone()).is_some()));
    }
    let Ok(mut file) = file else { return };
    let _ = file.set(text.lines().next().unwrap_or_default());
    let _ = file.power_on(&PowerOn::default());
});
