//! Where files of a scenario come from.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Programs that ship with twinboard, by name.
pub const BUILT_IN: &[(&str, &str, &[u8])] = &[
    ("demo", "demo.hex", include_bytes!("../../../firmware/nrf52833/demo.hex")),
    ("loopback", "loopback.hex", include_bytes!("../../../firmware/nrf52833/loopback.hex")),
    ("echo-9600", "echo-9600.hex", include_bytes!("../../../firmware/nrf52833/echo-9600.hex")),
    ("echo-115200", "echo-115200.hex", include_bytes!("../../../firmware/nrf52833/echo-115200.hex")),
    ("echo-1000000", "echo-1000000.hex", include_bytes!("../../../firmware/nrf52833/echo-1000000.hex")),
    ("datalog", "datalog.hex", include_bytes!("../../../firmware/nrf52833/datalog.hex")),
    ("v1-demo", "demo.hex", include_bytes!("../../../firmware/nrf51822/demo.hex")),
    ("v1-loopback", "loopback.hex", include_bytes!("../../../firmware/nrf51822/loopback.hex")),
    ("v1-echo-9600", "echo-9600.hex", include_bytes!("../../../firmware/nrf51822/echo-9600.hex")),
    ("v1-echo-115200", "echo-115200.hex", include_bytes!("../../../firmware/nrf51822/echo-115200.hex")),
    ("kl26z-interface", "interface.hex", include_bytes!("../../../firmware/kl26z/interface.hex")),
    ("kl27z-interface", "interface.hex", include_bytes!("../../../firmware/kl27z/interface.hex")),
    ("nrf52820-interface", "interface.hex", include_bytes!("../../../firmware/nrf52820/interface.hex")),
];

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// A file of a scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Its name, with its extension.
    pub name: String,
    /// What is in it.
    pub data: Vec<u8>,
}

/// Why a file is not there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SourceError {
    /// It is an official image that this computer does not have: the scenario is skipped.
    #[error("the official image {0} is not in the images' folder")]
    NotHere(String),
    /// It cannot be read.
    #[error("{0}")]
    Wrong(String),
}

/// The file that `reference` names, from a scenario in `folder`; official images come from `images`.
///
/// # Errors
/// [`SourceError`].
pub fn load(reference: &str, folder: &Path, images: &Path) -> Result<Source, SourceError> {
    let wrong = |message: String| SourceError::Wrong(message);
    if let Some(name) = reference.strip_prefix("builtin:") {
        let found = BUILT_IN.iter().find(|(known, ..)| *known == name);
        let (_, file, data) = found.ok_or_else(|| {
            let known: Vec<_> = BUILT_IN.iter().map(|(name, ..)| *name).collect();
            wrong(format!("there is no built-in program {name}; there are {}", known.join(", ")))
        })?;
        return Ok(Source { name: (*file).into(), data: data.to_vec() });
    }
    let path = match reference.strip_prefix("official:") {
        Some(name) => {
            let path = official(name, images).ok_or_else(|| SourceError::NotHere(name.into()))?;
            if !path.is_file() {
                return Err(SourceError::NotHere(name.into()));
            }
            path
        }
        None => folder.join(reference),
    };
    let metadata = fs::metadata(&path).map_err(|error| wrong(format!("{reference}: {error}")))?;
    // A device would never end.
    if !metadata.is_file() {
        return Err(wrong(format!("{reference}: a file was expected")));
    }
    let size = metadata.len();
    if size > MAX_FILE {
        return Err(wrong(format!("{reference}: {size} bytes, at most {MAX_FILE} were expected")));
    }
    let data = fs::read(&path).map_err(|error| wrong(format!("{reference}: {error}")))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Source { name, data })
}

/// The path of an official image; none if the name leads out of the folder.
fn official(name: &str, images: &Path) -> Option<PathBuf> {
    let plain = !name.is_empty() && !name.contains(['/', '\\']) && name != "..";
    plain.then(|| images.join(name))
}

/// A program of `size` bytes (at least 512, a multiple of 4) as Intel HEX from address 0: a vector table that DAPLink
/// believes, a loop, and a pattern that depends on the place, so that no two pages are equal.
#[must_use]
pub fn program(size: usize) -> Vec<u8> {
    let size = size.max(512) & !3;
    let mut bytes: Vec<u8> =
        (0..size / 4).flat_map(|word| (word as u32).wrapping_mul(0x9e37_79b1).to_le_bytes()).collect();
    // Stack at the end of the smallest RAM, then Reset to every other vector at a branch to itself behind the table.
    let vectors = std::iter::once(0x2000_4000u32).chain(std::iter::repeat_n(0x101, 63));
    for (slot, word) in bytes.chunks_exact_mut(4).zip(vectors) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    bytes[0x100..0x102].copy_from_slice(&[0xfe, 0xe7]);
    intel_hex(&bytes)
}

fn intel_hex(bytes: &[u8]) -> Vec<u8> {
    let mut text = String::with_capacity(bytes.len() * 3);
    let mut record = |address: u16, kind: u8, data: &[u8]| {
        let [high, low] = address.to_be_bytes();
        let head = [data.len() as u8, high, low, kind];
        let sum = head.iter().chain(data).fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        text.push(':');
        for byte in head.iter().chain(data).chain([&sum.wrapping_neg()]) {
            let _ = write!(text, "{byte:02X}");
        }
        text.push_str("\r\n");
    };
    for (index, piece) in bytes.chunks(16).enumerate() {
        let address = index * 16;
        if address.is_multiple_of(0x1_0000) {
            record(0, 4, &((address >> 16) as u16).to_be_bytes());
        }
        record(address as u16, 0, piece);
    }
    record(0, 1, &[]);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_program_is_an_intel_hex_file_of_the_size_asked_for() {
        let text = program(70_000);
        let text = std::str::from_utf8(&text).expect("ASCII");
        assert!(text.ends_with(":00000001FF\r\n"));
        let data: usize =
            text.lines().filter(|line| line.get(7..9) == Some("00")).map(|line| (line.len() - 11) / 2).sum();
        assert_eq!(data, 70_000);
        assert!(text.contains(":020000040001F9\r\n"), "the second 64 KiB need an extended address");
    }

    #[test]
    fn official_images_are_missing_and_others_are_wrong() {
        let folder = Path::new("nowhere");
        assert_eq!(load("official:x.hex", folder, folder), Err(SourceError::NotHere("x.hex".into())));
        assert_eq!(load("official:../x.hex", folder, folder), Err(SourceError::NotHere("../x.hex".into())));
        assert!(matches!(load("x.hex", folder, folder), Err(SourceError::Wrong(_))));
        assert!(matches!(load("builtin:none", folder, folder), Err(SourceError::Wrong(_))));
        assert_eq!(load("builtin:demo", folder, folder).map(|source| source.name), Ok("demo.hex".into()));
    }
}
