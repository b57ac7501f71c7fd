//! Intel HEX, and Universal Hex on top of it.

use ihex::{Reader, ReaderError, Record};

use super::{BlockIds, Segment};

/// What is wrong, and in which line.
#[derive(Debug)]
pub(super) struct LineError {
    pub(super) line: usize,
    pub(super) problem: String,
}

/// Record types that Universal Hex adds (specification, "record types").
mod universal {
    pub(super) const BLOCK_START: u8 = 0x0a;
    pub(super) const BLOCK_END: u8 = 0x0b;
    pub(super) const PADDED: u8 = 0x0c;
    pub(super) const CUSTOM_DATA: u8 = 0x0d;
    pub(super) const OTHER: u8 = 0x0e;
}

pub(super) fn parse(bytes: &[u8], ids: BlockIds) -> Result<Vec<Segment>, LineError> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut base = 0u32;
    let mut wanted = true;
    let mut ended = false;
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let fail = |problem: String| LineError { line: index + 1, problem };
        let line =
            std::str::from_utf8(line).map_err(|_| fail("a hex record was expected, found binary data".into()))?;
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if ended {
            // MakeCode keeps the program's source there, as more records; whoever programs a chip does not look.
            break;
        }
        let (record, kind) = record(line).map_err(fail)?;
        match record {
            Record::Data { offset, value } => match kind {
                universal::BLOCK_START => {
                    let Some(&[high, low]) = value.first_chunk::<2>() else {
                        return Err(fail("a block start with a board id of 2 bytes was expected".into()));
                    };
                    wanted = ids.0.contains(&u16::from_be_bytes([high, low]));
                }
                universal::BLOCK_END | universal::PADDED | universal::OTHER => {}
                _ if !wanted => {}
                _ => {
                    let address = base.wrapping_add(u32::from(offset));
                    match segments.last_mut() {
                        Some(last) if last.address.wrapping_add(last.bytes.len() as u32) == address => {
                            last.bytes.extend_from_slice(&value);
                        }
                        _ => segments.push(Segment { address, bytes: value }),
                    }
                }
            },
            Record::EndOfFile => ended = true,
            Record::ExtendedSegmentAddress(segment) => base = u32::from(segment) << 4,
            Record::ExtendedLinearAddress(upper) => base = u32::from(upper) << 16,
            Record::StartSegmentAddress { .. } | Record::StartLinearAddress(_) => {}
        }
    }
    if ended {
        Ok(segments)
    } else {
        let line = bytes.split(|&byte| byte == b'\n').count();
        Err(LineError { line, problem: "the file ends without an end-of-file record".into() })
    }
}

/// One record and its type byte. A record of a Universal Hex type comes back as a data record.
fn record(line: &str) -> Result<(Record, u8), String> {
    let one = |line: &str| match Reader::new(line).next() {
        Some(Ok(record)) => Ok(record),
        Some(Err(error)) => Err(error),
        None => Err(ReaderError::RecordTooShort),
    };
    match one(line) {
        Ok(record) => Ok((record, 0)),
        Err(ReaderError::UnsupportedRecordType(
            kind @ (universal::BLOCK_START
            | universal::BLOCK_END
            | universal::PADDED
            | universal::CUSTOM_DATA
            | universal::OTHER),
        )) => {
            // The library has checked length, digits and checksum; the same bytes as type 00 need another checksum.
            let digits = line.get(9..line.len().saturating_sub(2)).unwrap_or_default();
            let value = (0..digits.len() / 2)
                .map(|i| u8::from_str_radix(digits.get(2 * i..2 * i + 2).unwrap_or_default(), 16))
                .collect::<Result<Vec<u8>, _>>()
                .map_err(|error| error.to_string())?;
            let offset =
                u16::from_str_radix(line.get(3..7).unwrap_or_default(), 16).map_err(|error| error.to_string())?;
            Ok((Record::Data { offset, value }, kind))
        }
        Err(error) => Err(format!("a hex record was expected: {error}")),
    }
}
