//! A hex file as it is dropped on the drive; the first byte says how it is cut into pieces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twinboard_models::daplink::drive::hex::{BUFFER, HexParser, Step};

fuzz_target!(|input: &[u8]| {
    let Some((&size, file)) = input.split_first() else { return };
    let mut parser = HexParser::new([0x9906, 0x9903]);
    let mut total = 0;
    for sector in file.chunks(usize::from(size) + 1) {
        if !parser.begin(sector) {
            continue;
        }
        let mut rest = sector;
        loop {
            let step = parser.parse(&mut rest);
            let (_, data) = parser.take();
            assert!(data.len() <= BUFFER);
            total += data.len();
            match step {
                Step::Flush => {}
                Step::Done => break,
                Step::EndOfFile | Step::BadChecksum | Step::TooLong => return,
            }
        }
    }
    assert!(total <= file.len() / 2);
});
