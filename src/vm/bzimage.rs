//! Takes the uncompressed kernel out of a distribution's `vmlinuz`.
//!
//! A bzImage is a small real-mode part (`setup_sects` sectors), then a decompressor that carries the kernel proper as
//! its payload (Documentation/arch/x86/boot.rst, fields `payload_offset` and `payload_length`). Under emulation that
//! decompressor runs for three seconds; doing its work here once and starting the ELF file directly, by its PVH entry
//! point, halves the time a guest needs to boot.

use std::io::{self, Read};

/// Offset of the setup header's `setup_sects` byte.
const SETUP_SECTS: usize = 0x1f1;
/// Offset of the magic `HdrS`.
const HEADER: usize = 0x202;
/// Offset of `payload_offset`, relative to the protected-mode part; `payload_length` follows it.
const PAYLOAD_OFFSET: usize = 0x248;

/// The kernel's ELF image, if `image` is a bzImage with a payload compressed in a way we know (gzip, xz, zstd).
///
/// # Errors
/// `InvalidData` says what was found instead.
pub fn kernel(image: &[u8]) -> io::Result<Vec<u8>> {
    if image.get(HEADER..HEADER + 4) != Some(b"HdrS") {
        return Err(invalid("it is no bzImage (magic HdrS missing)"));
    }
    let sectors = match image.get(SETUP_SECTS) {
        Some(0) | None => 4,
        Some(&n) => usize::from(n),
    };
    let start = word(image, PAYLOAD_OFFSET)? + (sectors + 1) * 512;
    let length = word(image, PAYLOAD_OFFSET + 4)?;
    let payload = start
        .checked_add(length)
        .and_then(|end| image.get(start..end))
        .ok_or_else(|| invalid("its payload lies outside the file"))?;
    let kernel = unpack(payload)?;
    if !kernel.starts_with(b"\x7fELF") {
        return Err(invalid("its payload is no ELF file"));
    }
    Ok(kernel)
}

/// Decompresses a stream by its magic number; bytes behind the stream are ignored, as kernel payloads have some.
///
/// # Errors
/// `InvalidData` for an unknown magic, and whatever the decompressor says.
pub fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    match bytes {
        [0x1f, 0x8b, ..] => flate2::bufread::GzDecoder::new(bytes).read_to_end(&mut out)?,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => lzma_rust2::XzReader::new(bytes, false).read_to_end(&mut out)?,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            ruzstd::decoding::StreamingDecoder::new(bytes).map_err(io::Error::other)?.read_to_end(&mut out)?
        }
        _ => return Err(invalid("its compression is neither gzip, xz nor zstd")),
    };
    Ok(out)
}

fn word(image: &[u8], at: usize) -> io::Result<usize> {
    let bytes = image.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
    bytes.map(|b| u32::from_le_bytes(b) as usize).ok_or_else(|| invalid("its setup header is cut off"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn bzimage(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 1024];
        image[SETUP_SECTS] = 1;
        image[HEADER..HEADER + 4].copy_from_slice(b"HdrS");
        image[PAYLOAD_OFFSET..PAYLOAD_OFFSET + 4].copy_from_slice(&16u32.to_le_bytes());
        image[PAYLOAD_OFFSET + 4..PAYLOAD_OFFSET + 8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        image.extend([0xcc; 16]);
        image.extend(payload);
        image.extend([0xcc; 8]);
        image
    }

    #[test]
    fn the_payload_is_found_by_the_setup_header_and_unpacked() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(b"\x7fELF and so on").unwrap();
        assert_eq!(kernel(&bzimage(&gz.finish().unwrap())).unwrap(), b"\x7fELF and so on");
    }

    #[test]
    fn what_is_no_kernel_is_refused_with_the_reason() {
        let reason = |image: &[u8]| kernel(image).unwrap_err().to_string();
        assert!(reason(b"#!/bin/sh").contains("HdrS"));
        assert!(reason(&bzimage(b"BZh9")).contains("compression"));
        let mut cut = bzimage(&[0x1f; 64]);
        cut.truncate(1050);
        assert!(reason(&cut).contains("outside"));
    }
}
