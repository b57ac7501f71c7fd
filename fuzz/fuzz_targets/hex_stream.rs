//! A hex file as it is dropped on the drive; the first two bytes say how it is cut into pieces and which version of the
//! firmware reads it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twinboard_models::daplink::drive::hex::{BUFFER, HexParser, HexRules, Step};

fuzz_target!(|input: &[u8]| {
    let Some((&[size, version], file)) = input.split_first_chunk() else { return };
    let rules = HexRules { universal: version & 1 != 0, at_line_end: version & 2 != 0 };
    let mut parser = HexParser::new(rules, [0x9906, 0x9903]);
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
                Step::EndOfFile | Step::BadChecksum => return,
            }
        }
    }
    // A record that is looked at when its line ends may be cut short: what is missing counts as zeros.
    let lines = file.iter().filter(|&&byte| matches!(byte, b'\r' | b'\n')).count();
    assert!(total <= if rules.at_line_end { 255 * lines } else { file.len() / 2 });
});
