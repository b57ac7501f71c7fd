//! Images: bytes for a chip's flash, with the addresses they go to.
//!
//! People hand firmware around as Intel HEX, as Universal Hex (one file for several boards), as ELF, and as raw
//! binaries. Here such a file is read whole and turned into segments. (The interface firmware's own, streaming parser
//! is another thing: it sees 512 bytes at a time and has its original's quirks.)

mod elf;
mod hex;
pub mod interface;
#[cfg(test)]
mod interface_tests;
pub mod known;
mod symbols;

use std::fmt;
use std::path::{Path, PathBuf};

pub use symbols::Symbols;

/// Bytes that belong at one place.
#[derive(Clone, PartialEq, Eq)]
pub struct Segment {
    /// Where the first byte goes.
    pub address: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}+{:#x}", self.address, self.bytes.len())
    }
}

/// A firmware image.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Image {
    /// The image's parts, by rising address, neither touching nor overlapping.
    pub segments: Vec<Segment>,
}

/// How a chip begins to run its image.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Start {
    /// As at every reset: from the vectors at the start of its flash.
    #[default]
    Reset,
    /// At every reset as a bootloader would leave the chip that has nothing but handed over: VTOR here, stack pointer and
    /// program counter from the two words that stand here, everything else as reset leaves it.
    Handover(u32),
}

/// Which part of a Universal Hex file is wanted: the block ids of a board.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockIds(pub &'static [u16]);

/// micro:bit V1: nRF51822.
pub const MICROBIT_V1: BlockIds = BlockIds(&[0x9900, 0x9901]);
/// micro:bit V2: nRF52833.
pub const MICROBIT_V2: BlockIds = BlockIds(&[0x9903, 0x9904, 0x9905, 0x9906]);

/// What is wrong with an image file, and where.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of a hex file is wrong.
    #[error("{}: line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it and what was expected.
        problem: String,
    },
    /// The file as a whole is wrong.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what was expected.
        problem: String,
    },
}

/// The largest image file that is read, in bytes. A Universal Hex of two full chips has less than 4 MB.
pub const MAX_FILE: u64 = 64 << 20;

impl Image {
    /// The image's parts as a chip takes them: address, bytes.
    #[must_use]
    pub fn placed(&self) -> Vec<(u32, Vec<u8>)> {
        self.segments.iter().map(|segment| (segment.address, segment.bytes.clone())).collect()
    }

    /// Reads an image file. The format follows from the contents: ELF by its magic, hex by its first `:`, anything
    /// else is a binary for `binary_base`.
    ///
    /// # Errors
    /// [`ImageError`], with the place in the file.
    pub fn load(path: &Path, ids: BlockIds, binary_base: u32) -> Result<Image, ImageError> {
        Image::parse(path, &read(path)?, ids, binary_base)
    }

    /// Parses the contents of an image file; `path` is for the errors.
    ///
    /// # Errors
    /// [`ImageError`], with the place in the file.
    pub fn parse(path: &Path, bytes: &[u8], ids: BlockIds, binary_base: u32) -> Result<Image, ImageError> {
        let file = |problem: String| ImageError::File { path: path.into(), problem };
        let segments = if bytes.starts_with(b"\x7fELF") {
            elf::parse(bytes).map_err(file)?
        } else if bytes.first() == Some(&b':') {
            hex::parse(bytes, ids).map_err(|e| ImageError::Line {
                path: path.into(),
                line: e.line,
                problem: e.problem,
            })?
        } else {
            vec![Segment { address: binary_base, bytes: bytes.to_vec() }]
        };
        let image = Image::from_segments(segments).map_err(file)?;
        if image.segments.is_empty() {
            return Err(file("holds no data for this chip".into()));
        }
        Ok(image)
    }

    /// Sorts and joins segments.
    fn from_segments(mut segments: Vec<Segment>) -> Result<Image, String> {
        segments.retain(|segment| !segment.bytes.is_empty());
        segments.sort_by_key(|segment| segment.address);
        let mut joined: Vec<Segment> = Vec::new();
        for segment in segments {
            match joined.last_mut() {
                Some(last) => {
                    let end = u64::from(last.address) + last.bytes.len() as u64;
                    if u64::from(segment.address) < end {
                        return Err(format!("data for address {:#010x} comes twice", segment.address));
                    }
                    if u64::from(segment.address) == end {
                        last.bytes.extend_from_slice(&segment.bytes);
                    } else {
                        joined.push(segment);
                    }
                }
                None => joined.push(segment),
            }
        }
        Ok(Image { segments: joined })
    }

    /// How many bytes the image holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes.len()).sum()
    }

    /// Whether the image holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }
}

/// The contents of an image file.
fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    let read = |source| ImageError::Read { path: path.into(), source };
    let size = std::fs::metadata(path).map_err(read)?.len();
    if size > MAX_FILE {
        let problem = format!("has {size} bytes; an image of at most {MAX_FILE} bytes was expected");
        return Err(ImageError::File { path: path.into(), problem });
    }
    std::fs::read(path).map_err(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Image, ImageError> {
        Image::parse(Path::new("x.hex"), text.as_bytes(), MICROBIT_V2, 0)
    }

    #[test]
    fn records_join_to_segments() {
        let image = parse(":020000040000FA\n:04000000DEADBEEFC4\n:0400040001020304EE\n:01001000559B\n:00000001FF\n");
        let error = image.expect_err("the fourth record's checksum is wrong").to_string();
        assert!(error.starts_with("x.hex: line 4: "), "{error}");
        let image = parse(":020000040000FA\r\n:04000000DEADBEEFC4\r\n:0400040001020304EE\r\n:00000001FF\r\n");
        let image = image.expect("valid");
        assert_eq!(image.segments, [Segment { address: 0, bytes: vec![0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4] }]);
    }

    #[test]
    fn a_universal_hex_gives_the_part_of_the_wanted_board() {
        // Universal Hex specification: 0A block start with the board id, 00/0D data, 0B block end.
        let text =
            ":020000040000FA\n:0400000A9900C0DEBB\n:0100000011EE\n:0400000A9903C0DEB8\n:0100000D22D0\n:00000001FF\n";
        assert_eq!(parse(text).expect("V2").segments, [Segment { address: 0, bytes: vec![0x22] }]);
        let v1 = Image::parse(Path::new("x.hex"), text.as_bytes(), MICROBIT_V1, 0).expect("V1");
        assert_eq!(v1.segments, [Segment { address: 0, bytes: vec![0x11] }]);
    }

    #[test]
    fn what_follows_the_end_of_file_record_is_ignored() {
        // MakeCode appends the program's source as further records.
        let image = parse(":0100000011EE\n:00000001FF\n\n:020000042000DA\n:0100000022DD\nsource\n").expect("valid");
        assert_eq!(image.segments, [Segment { address: 0, bytes: vec![0x11] }]);
        assert!(parse(":0100000011EE\n").expect_err("no end").to_string().contains("end-of-file"));
    }

    #[test]
    fn data_that_comes_twice_is_refused() {
        let error = parse(":0100000011EE\n:0100000022DD\n:00000001FF\n").expect_err("twice").to_string();
        assert_eq!(error, "x.hex: data for address 0x00000000 comes twice");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, kind in 0..3) {
            let mut file = match kind { 0 => b":".to_vec(), 1 => b"\x7fELF\x01\x01\x01".to_vec(), _ => Vec::new() };
            file.extend(bytes);
            let _ = Image::parse(Path::new("x"), &file, MICROBIT_V2, 0);
        }
    }
}
