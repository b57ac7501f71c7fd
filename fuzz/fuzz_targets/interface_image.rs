//! Image files for interface chips: build information, checks, and several files put together.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use twinboard_models::image::interface::{CHIPS, Firmware, InterfaceFile};

fuzz_target!(|input: &[u8]| {
    // The first byte says how long the first of two files is, in units of 64 bytes.
    let Some((length, rest)) = input.split_first() else { return };
    let (first, second) = rest.split_at(rest.len().min(usize::from(*length) * 64));
    let files: Vec<_> =
        [first, second].iter().filter_map(|bytes| InterfaceFile::parse(Path::new("image"), bytes).ok()).collect();
    for chip in CHIPS {
        let firmware = Firmware::merge(&files, chip);
        let ends = firmware
            .image
            .segments
            .windows(2)
            .all(|pair| u64::from(pair[0].address) + (pair[0].bytes.len() as u64) < u64::from(pair[1].address));
        assert!(ends, "segments by rising address, neither touching nor overlapping");
    }
});
