//! A streaming parser for Intel HEX and Universal Hex, with a buffer of 256 bytes and no more.
//!
//! It takes the file sector by sector and gives pieces of binary data with their addresses. Like the firmware's own it
//! believes much: digits are not validated, only the checksum is; line ends do not matter; unknown records are skipped.
//!
//! A Universal Hex file holds programs for several boards in one. A record of type 0x0A says for which board the
//! following data is; data for others is skipped together with the rest of its sector, and so is every further sector
//! until one begins with a new record (Universal Hex specification, "sections" and "blocks").

/// Data bytes that a record may have here.
const RECORD_DATA: usize = 32;
/// Length, address (2), type and checksum around the data.
const OVERHEAD: usize = 5;
/// Bytes of binary data kept before they must be taken.
pub const BUFFER: usize = 256;

const DATA: u8 = 0x00;
const END_OF_FILE: u8 = 0x01;
const EXTENDED_SEGMENT_ADDRESS: u8 = 0x02;
const EXTENDED_LINEAR_ADDRESS: u8 = 0x04;
const BLOCK_START: u8 = 0x0a;
const CUSTOM_DATA: u8 = 0x0d;

/// Why the parser stopped. In every case but an error, what [`HexParser::take`] gives belongs to the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The input is used up.
    Done,
    /// The next data goes elsewhere, or the buffer is full: take what is there, then go on with the rest.
    Flush,
    /// The end-of-file record.
    EndOfFile,
    /// A checksum is wrong.
    BadChecksum,
}

/// How a version of the firmware reads hex files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HexRules {
    /// It knows Universal Hex files. If not, their records of new types are skipped as all unknown ones are.
    pub universal: bool,
    /// A record is looked at when its line ends, and not with its last digit.
    pub at_line_end: bool,
}

/// The parser.
#[derive(Clone, Debug)]
pub struct HexParser {
    rules: HexRules,
    boards: [u16; 2],
    record: [u8; RECORD_DATA + OVERHEAD],
    /// Bytes of the record so far. A very long record begins anew after 256.
    length: u8,
    high_digit: Option<u8>,
    /// The record is complete; digits until the next ':' do not count.
    complete: bool,
    /// The board that data is for; 0 if the file does not say.
    board: u16,
    skipping: bool,
    /// The last record's data still has to go to the buffer, at a new address.
    waiting: bool,
    next_address: u32,
    buffer_address: u32,
    buffer: [u8; BUFFER],
    filled: usize,
}

impl HexParser {
    /// A parser that takes data for `boards` (a board and its family) and data without a board.
    #[must_use]
    pub fn new(rules: HexRules, boards: [u16; 2]) -> HexParser {
        HexParser {
            rules,
            boards,
            record: [0; RECORD_DATA + OVERHEAD],
            length: 0,
            high_digit: None,
            complete: false,
            board: 0,
            skipping: false,
            waiting: false,
            next_address: 0,
            buffer_address: 0,
            buffer: [0; BUFFER],
            filled: 0,
        }
    }

    /// Begins a sector (or another piece that the host wrote at once). False: it is to be skipped.
    pub fn begin(&mut self, sector: &[u8]) -> bool {
        self.skipping &= sector.first() != Some(&b':');
        !self.skipping
    }

    /// Parses from the start of `input` on, and moves that start past what was used.
    pub fn parse(&mut self, input: &mut &[u8]) -> Step {
        if std::mem::take(&mut self.waiting) {
            self.keep_data();
        }
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            match byte {
                b'\r' | b'\n' if self.rules.at_line_end => {
                    if !std::mem::replace(&mut self.complete, true)
                        && let Some(step) = self.check()
                    {
                        return step;
                    }
                }
                b'\r' | b'\n' => {}
                b':' => {
                    (self.length, self.high_digit, self.complete) = (0, None, false);
                    self.record = [0; RECORD_DATA + OVERHEAD];
                }
                _ if self.complete => {}
                digit => {
                    if let Some(step) = self.digit(digit) {
                        return step;
                    }
                    if self.skipping {
                        break;
                    }
                }
            }
        }
        Step::Done
    }

    /// The data gathered so far and its address; the buffer is empty then.
    pub fn take(&mut self) -> (u32, &[u8]) {
        let count = std::mem::take(&mut self.filled);
        (self.buffer_address, &self.buffer[..count])
    }

    fn digit(&mut self, digit: u8) -> Option<Step> {
        let nibble = if digit & 0x10 != 0 { digit & 0x0f } else { (digit & 0x0f).wrapping_add(9) };
        let Some(high) = self.high_digit.take() else {
            self.high_digit = Some(nibble);
            return None;
        };
        // What a record has too much is lost.
        if let Some(slot) = self.record.get_mut(usize::from(self.length)) {
            *slot = high << 4 | nibble & 0x0f;
        }
        self.length = self.length.wrapping_add(1);
        if self.rules.at_line_end || usize::from(self.length) < usize::from(self.record[0]) + OVERHEAD {
            return None;
        }
        self.complete = true;
        self.check()
    }

    /// Looks at the record that has been read.
    fn check(&mut self) -> Option<Step> {
        // Of a record that is too long the checksum is lost too.
        let Some(record) = self.record.get(..usize::from(self.record[0]) + OVERHEAD) else {
            return Some(Step::BadChecksum);
        };
        let sum = record.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
        if sum != 0 {
            return Some(Step::BadChecksum);
        }
        self.record()
    }

    /// Acts on a complete record.
    fn record(&mut self) -> Option<Step> {
        let value = u16::from_be_bytes([self.record[4], self.record[5]]);
        match self.record[3] {
            kind @ (DATA | CUSTOM_DATA) if kind == DATA || self.rules.universal => {
                if self.board != 0 && !self.boards.contains(&self.board) {
                    self.skipping = true;
                    return None;
                }
                let fits = self.filled + usize::from(self.record[0]) <= BUFFER;
                if self.filled != 0 && (self.record_address() != self.next_address || !fits) {
                    self.waiting = true;
                    return Some(Step::Flush);
                }
                self.keep_data();
                None
            }
            END_OF_FILE => Some(Step::EndOfFile),
            BLOCK_START if self.rules.universal => {
                self.board = value;
                None
            }
            kind @ (EXTENDED_SEGMENT_ADDRESS | EXTENDED_LINEAR_ADDRESS) => {
                let shift = if kind == EXTENDED_LINEAR_ADDRESS { 16 } else { 4 };
                self.next_address = u32::from(value) << shift;
                (self.filled != 0).then_some(Step::Flush)
            }
            _ => None,
        }
    }

    /// A record's address: its own 16 bits below the upper half of where the data before it ended.
    fn record_address(&self) -> u32 {
        self.next_address & 0xffff_0000 | u32::from(u16::from_be_bytes([self.record[1], self.record[2]]))
    }

    fn keep_data(&mut self) {
        let address = self.record_address();
        let data = &self.record[4..4 + usize::from(self.record[0])];
        if self.filled == 0 {
            self.buffer_address = address;
        }
        self.buffer[self.filled..self.filled + data.len()].copy_from_slice(data);
        self.filled += data.len();
        self.next_address = address.wrapping_add(data.len() as u32);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    const BOARDS: [u16; 2] = [0x9906, 0x9903];
    const RULES: HexRules = HexRules { universal: true, at_line_end: false };
    const OLD_RULES: HexRules = HexRules { universal: false, at_line_end: true };

    type Memory = BTreeMap<u32, u8>;

    /// Feeds a file in pieces of `size` bytes, as the drive does with sectors.
    fn parse(file: &[u8], size: usize) -> (Step, Memory) {
        parse_by(RULES, file, size)
    }

    fn parse_by(rules: HexRules, file: &[u8], size: usize) -> (Step, Memory) {
        let mut parser = HexParser::new(rules, BOARDS);
        let mut memory = Memory::new();
        for sector in file.chunks(size) {
            if !parser.begin(sector) {
                continue;
            }
            let mut input = sector;
            loop {
                let step = parser.parse(&mut input);
                let (address, data) = parser.take();
                memory.extend(data.iter().enumerate().map(|(i, &b)| (address.wrapping_add(i as u32), b)));
                match step {
                    Step::Flush => {}
                    Step::Done => break,
                    last => return (last, memory),
                }
            }
        }
        (Step::Done, memory)
    }

    fn record(kind: u8, address: u16, data: &[u8]) -> String {
        let mut bytes = vec![data.len() as u8, (address >> 8) as u8, address as u8, kind];
        bytes.extend(data);
        let sum = bytes.iter().fold(0u8, |sum, &b| sum.wrapping_add(b));
        bytes.push(sum.wrapping_neg());
        let digits: String = bytes.iter().map(|b| format!("{b:02X}")).collect();
        format!(":{digits}\n")
    }

    #[test]
    fn segments_and_linear_bases_replace_the_address() {
        let file = record(4, 0, &[0x10, 0x00])
            + &record(0, 0x1000, &[1, 2])
            + &record(2, 0, &[0x10, 0x00])
            + &record(0, 4, &[3])
            + &record(1, 0, &[]);
        let (step, memory) = parse(file.as_bytes(), 512);
        assert_eq!(step, Step::EndOfFile);
        assert_eq!(memory, Memory::from([(0x1000_1000, 1), (0x1000_1001, 2), (0x1_0004, 3)]));
    }

    #[test]
    fn a_wrong_checksum_stops_and_so_does_a_record_of_33_bytes_whose_checksum_is_lost() {
        let mut file = record(0, 0, &[1, 2, 3]);
        file.replace_range(9..11, "FF");
        assert_eq!(parse(file.as_bytes(), 512).0, Step::BadChecksum);
        for rules in [RULES, OLD_RULES] {
            assert_eq!(parse_by(rules, record(0, 0, &[1; 33]).as_bytes(), 512).0, Step::BadChecksum);
            // After 256 bytes it begins anew, here with a record of no data: all official versions take that.
            let endless = format!(":FF000000{}\n", "00".repeat(256));
            assert_eq!(parse_by(rules, endless.as_bytes(), 512), (Step::Done, Memory::new()));
        }
        assert_eq!(parse(record(0, 0, &[7; 32]).as_bytes(), 512).1.len(), 32);
    }

    #[test]
    fn a_universal_hex_gives_the_part_for_this_board_only() {
        // Two sections of one sector each, filled with padding records (type 0x0C), as the specification recommends.
        let section = |board: u16, kind: u8, byte: u8| {
            let mut text = record(4, 0, &[0, 0]) + &record(0x0a, 0, &[(board >> 8) as u8, board as u8, 0xc0, 0xde]);
            text += &record(kind, 0, &[byte; 16]);
            while text.len() + 44 <= 512 {
                text += &record(0x0c, 0, &[0xff; 16]);
            }
            text += &"\n".repeat(512 - text.len());
            text
        };
        let file = section(0x9900, 0, 0x11) + &section(0x9903, 0x0d, 0x22) + &record(1, 0, &[]);
        for (rules, expected) in [(RULES, 0x22), (OLD_RULES, 0x11)] {
            let (step, memory) = parse_by(rules, file.as_bytes(), 512);
            assert_eq!(step, Step::EndOfFile);
            assert_eq!(memory.into_values().collect::<Vec<_>>(), [expected; 16]);
        }
    }

    #[test]
    fn version_0253_looks_at_a_record_when_its_line_ends() {
        let file = record(0, 0, &[1, 2]) + &record(1, 0, &[]);
        assert_eq!(parse_by(OLD_RULES, file.as_bytes(), 512).0, Step::EndOfFile);
        assert_eq!(parse_by(OLD_RULES, file.trim_end().as_bytes(), 512).0, Step::Done, "the last line has no end");
        assert_eq!(parse(file.trim_end().as_bytes(), 512).0, Step::EndOfFile);
        let cut = file.replacen("02", "03", 1);
        assert_eq!(parse_by(OLD_RULES, cut.as_bytes(), 512).0, Step::BadChecksum);
    }

    #[test]
    fn sectors_of_a_foreign_section_are_skipped_until_one_begins_with_a_record() {
        let foreign = record(0x0a, 0, &[0x99, 0x00, 0xc0, 0xde]) + &record(0, 0, &[1; 16]);
        let mut file = foreign + &"0".repeat(512);
        file.truncate(600);
        file += &record(0, 0, &[2; 16]);
        assert_eq!(parse(file.as_bytes(), 512).1, Memory::new());
    }

    proptest! {
        #[test]
        fn any_file_of_the_ihex_crate_comes_out_whole_however_it_is_split(
            pieces in prop::collection::vec((0u16..0x10, any::<u16>(), prop::collection::vec(any::<u8>(), 1..32)), 1..40),
            size in 1usize..700,
        ) {
            let mut records = Vec::new();
            let mut expected = Memory::new();
            for (high, offset, value) in pieces {
                // A record does not run over the end of its 64 KiB.
                let offset = offset.min(u16::MAX - 32);
                records.push(ihex::Record::ExtendedLinearAddress(high));
                records.push(ihex::Record::Data { offset, value: value.clone() });
                let base = u32::from(high) << 16 | u32::from(offset);
                expected.extend((base..).zip(value));
            }
            records.push(ihex::Record::EndOfFile);
            let file = ihex::create_object_file_representation(&records).expect("valid records");
            for rules in [RULES, OLD_RULES] {
                let (step, memory) = parse_by(rules, file.as_bytes(), size);
                prop_assert_eq!(step, Step::EndOfFile);
                prop_assert_eq!(&memory, &expected);
            }
        }

        #[test]
        fn garbage_never_panics_and_never_gives_more_than_it_was(
            garbage in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b":0123456789ABCDEF\r\n"[..])], 0..4000),
            size in 1usize..700,
        ) {
            for rules in [RULES, OLD_RULES] {
                let (_, memory) = parse_by(rules, &garbage, size);
                prop_assert!(memory.len() <= garbage.len() / 2 + RECORD_DATA);
            }
        }
    }
}
