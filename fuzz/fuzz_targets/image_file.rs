//! Image files of every format: Intel HEX, Universal Hex, ELF, binary.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use twinboard_models::image::{Image, MICROBIT_V2};

fuzz_target!(|input: &[u8]| {
    if let Ok(image) = Image::parse(Path::new("image"), input, MICROBIT_V2, 0) {
        let ends = image
            .segments
            .windows(2)
            .all(|pair| u64::from(pair[0].address) + (pair[0].bytes.len() as u64) < u64::from(pair[1].address));
        assert!(ends, "segments by rising address, neither touching nor overlapping");
    }
});
