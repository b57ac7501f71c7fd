//! The official images: their names, versions and SHA-256, and where their makers publish them.
//!
//! The images themselves are the user's to download; they are never part of this repository.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// An official image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// File name.
    pub file: &'static str,
    /// The chip it runs on.
    pub chip: &'static str,
    /// `interface`, `bootloader+interface` or `target`.
    pub role: &'static str,
    /// Version, as its makers write it.
    pub version: &'static str,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in lower-case hex digits.
    pub sha256: &'static str,
    /// Where it is published: a public git repository, as owner/name.
    pub repository: &'static str,
    /// The commit of that repository.
    pub commit: &'static str,
    /// The path in that commit.
    pub path: &'static str,
}

/// Where official images are looked for: `$TWINBOARD_IMAGES`, else `twinboard/images` in the user's cache directory.
#[must_use]
pub fn folder() -> PathBuf {
    if let Some(dir) = std::env::var_os("TWINBOARD_IMAGES") {
        return dir.into();
    }
    directories::BaseDirs::new()
        .map_or_else(|| PathBuf::from("images"), |dirs| dirs.cache_dir().join("twinboard").join("images"))
}

/// All official images that twinboard knows.
pub const KNOWN: &[Known] = &[
    Known {
        file: "0234_kl26z_microbit_0x8000.hex",
        chip: "kl26z",
        role: "interface",
        version: "0234",
        bytes: 99_322,
        sha256: "7018d93adb09c6a199dedfa003479bad842cd2ea7e6b2e7727a54c04417f5dd5",
        repository: "microbit-foundation/dev-docs",
        commit: "1c9ec72ee3a2b3fe9463e66ef729a6e5158b7616",
        path: "software/assets/DAPLink-factory-release/0234_kl26z_microbit_0x8000.hex",
    },
    Known {
        file: "kl26z_bl_if_BL0233_IF0234.hex",
        chip: "kl26z",
        role: "bootloader+interface",
        version: "0234",
        bytes: 165_900,
        sha256: "a5ec1960a9e71ef8c8757596ac9a4283d4f2619b045c614f3452add420cf56c9",
        repository: "microbit-foundation/dev-docs",
        commit: "1c9ec72ee3a2b3fe9463e66ef729a6e5158b7616",
        path: "hardware/assets/kl26z_bl_if_BL0233_IF0234.hex.zip (member kl26z_bl_if_BL0233_IF0234.hex)",
    },
    Known {
        file: "0241_kl26z_microbit_0x8000.hex",
        chip: "kl26z",
        role: "interface",
        version: "0241",
        bytes: 267_584,
        sha256: "8f98fd13e08c33a492a55dad676d4d725d8c38a87d7034d08720c4e8d2618bb0",
        repository: "microbit-foundation/dev-docs",
        commit: "1c9ec72ee3a2b3fe9463e66ef729a6e5158b7616",
        path: "software/assets/DAPLink-factory-release/0241_kl26z_microbit_0x8000.hex",
    },
    Known {
        file: "0249_kl26z_microbit_0x8000.hex",
        chip: "kl26z",
        role: "interface",
        version: "0249",
        bytes: 273_668,
        sha256: "aa9c66fd235eca477c1b6a94bdf875ab9b550f9186a2e6a84262fe7259f75530",
        repository: "microbit-foundation/dev-docs",
        commit: "1c9ec72ee3a2b3fe9463e66ef729a6e5158b7616",
        path: "software/assets/DAPLink-factory-release/0249_kl26z_microbit_0x8000.hex",
    },
    Known {
        file: "0253_kl26z_microbit_0x8000.hex",
        chip: "kl26z",
        role: "interface",
        version: "0253",
        bytes: 273_668,
        sha256: "47b00d1a10a455b523b31592aedd1a61c9051854d4b9327aa07a50ffcc57c617",
        repository: "microbit-foundation/dev-docs",
        commit: "1c9ec72ee3a2b3fe9463e66ef729a6e5158b7616",
        path: "software/assets/DAPLink-factory-release/0253_kl26z_microbit_0x8000.hex",
    },
    Known {
        file: "0255_kl27z_microbit_0x8000.hex",
        chip: "kl27z",
        role: "interface",
        version: "0255",
        bytes: 273_668,
        sha256: "195b085a16d6074e18f0454cd35de70b5d76718ed80f492858b5abac58590925",
        repository: "microbit-foundation/dev-docs",
        commit: "1c9ec72ee3a2b3fe9463e66ef729a6e5158b7616",
        path: "software/assets/DAPLink-factory-release/0255_kl27z_microbit_0x8000.hex",
    },
    Known {
        file: "kl27z_bl_0255_if_0255_microbit_full_image.bin",
        chip: "kl27z",
        role: "bootloader+interface",
        version: "0255",
        bytes: 130_064,
        sha256: "b7b9f9d0ac556592150d8132d70f68f4aea34980f73e4473d4334ac4d2764cc1",
        repository: "microbit-foundation/dev-docs",
        commit: "1c9ec72ee3a2b3fe9463e66ef729a6e5158b7616",
        path: "software/assets/DAPLink-factory-release/kl27z_bl_0255_if_0255_microbit_full_image.bin",
    },
    Known {
        file: "0258-beta3_kl27z_microbit_if_crc_0004198_gcc.hex",
        chip: "kl27z",
        role: "interface",
        version: "0258-beta3",
        bytes: 267_584,
        sha256: "d7722617e41cb72bb4ba7810e941dfe81dc37a2cc04a92b8caf4c5bd10ad97e8",
        repository: "microbit-foundation/dev-docs",
        commit: "1c9ec72ee3a2b3fe9463e66ef729a6e5158b7616",
        path: "software/assets/daplink-beta-releases/0258-beta3_kl27z_microbit_if_crc_0004198_gcc.hex",
    },
    Known {
        file: "0256_nrf52820_microbit_if_crc_5dd23001a7_gcc.hex",
        chip: "nrf52820",
        role: "interface",
        version: "0256",
        bytes: 259_136,
        sha256: "b2328055a76d3b6d674ca7c045a3bf0a8910239f38fd8d293f9bc2bcb7ecf8ec",
        repository: "microbit-foundation/dev-docs",
        commit: "1c9ec72ee3a2b3fe9463e66ef729a6e5158b7616",
        path: "software/assets/DAPLink-factory-release/0256_nrf52820_microbit_if_crc_5dd23001a7_gcc.hex",
    },
    Known {
        file: "0257_nrf52820_microbit_if_crc_c782a5ba90_gcc.hex",
        chip: "nrf52820",
        role: "interface",
        version: "0257",
        bytes: 259_136,
        sha256: "db21ffa4d665fbccb05b3184f823506f0e2529d53f1b7556b39cd6fbb9204837",
        repository: "microbit-foundation/dev-docs",
        commit: "1c9ec72ee3a2b3fe9463e66ef729a6e5158b7616",
        path: "software/assets/DAPLink-factory-release/0257_nrf52820_microbit_if_crc_c782a5ba90_gcc.hex",
    },
    Known {
        file: "0258-beta3_nrf52820_microbit_if_crc_0004198_gcc.hex",
        chip: "nrf52820",
        role: "interface",
        version: "0258-beta3",
        bytes: 259_136,
        sha256: "02668f4da8fc724ec7e358cd85a1e8271ff933f1a3c2bbbe78138e906f873b5f",
        repository: "microbit-foundation/dev-docs",
        commit: "1c9ec72ee3a2b3fe9463e66ef729a6e5158b7616",
        path: "software/assets/daplink-beta-releases/0258-beta3_nrf52820_microbit_if_crc_0004198_gcc.hex",
    },
    Known {
        file: "erase-flash.hex",
        chip: "nrf52833",
        role: "target",
        version: "-",
        bytes: 732,
        sha256: "bc9a9564c5310969148f67eee30abcadac415a4690c276f0448ce35c19e461ba",
        repository: "microbit-foundation/dev-docs",
        commit: "1c9ec72ee3a2b3fe9463e66ef729a6e5158b7616",
        path: "software/assets/erase-flash.hex",
    },
];

/// What a folder has of an official image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The very file, here.
    Present(PathBuf),
    /// A file of that name with other contents.
    Different {
        /// The file.
        path: PathBuf,
        /// Its SHA-256.
        sha256: String,
    },
    /// Nothing.
    Missing,
}

/// Looks for every official image among the files of `folder` (not below it), by contents first and by name second.
///
/// # Errors
/// What reading the folder or a file in it gives. A folder that does not exist holds nothing.
pub fn check(folder: &Path) -> io::Result<Vec<(Known, Finding)>> {
    let mut files = Vec::new();
    match fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries {
                let path = entry?.path();
                let size = fs::metadata(&path)?;
                // Only a file of the right size can be an official image, so only those are read.
                let named = |known: &Known| path.file_name().is_some_and(|name| name == known.file);
                if size.is_file() && KNOWN.iter().any(|known| known.bytes == size.len() || named(known)) {
                    files.push((sha256(&path)?, path));
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    files.sort();
    let find = |known: &Known| {
        if let Some((_, path)) = files.iter().find(|(sum, _)| sum == known.sha256) {
            return Finding::Present(path.clone());
        }
        files
            .iter()
            .find(|(_, path)| path.file_name().is_some_and(|name| name == known.file))
            .map_or(Finding::Missing, |(sum, path)| Finding::Different { path: path.clone(), sha256: sum.clone() })
    };
    Ok(KNOWN.iter().map(|known| (*known, find(known))).collect())
}

/// SHA-256 of a file, in lower-case hex digits.
fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut fs::File::open(path)?, &mut hasher)?;
    Ok(digits(hasher))
}

fn digits(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The chip that a file with these contents is an official image for, if it is one.
pub(super) fn chip_of(bytes: &[u8]) -> Option<&'static str> {
    let mut candidates = KNOWN.iter().filter(|known| known.bytes == bytes.len() as u64).peekable();
    // Digests take their time.
    candidates.peek()?;
    let sum = digits(Sha256::new_with_prefix(bytes));
    candidates.find(|known| known.sha256 == sum).map(|known| known.chip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_folder_misses_every_image() {
        let found = check(Path::new("no/such/folder")).expect("not an error");
        assert_eq!(found.len(), KNOWN.len());
        assert!(found.iter().all(|(_, finding)| *finding == Finding::Missing));
    }

    #[test]
    fn every_known_image_has_a_name_and_a_digest_of_its_own() {
        for (index, known) in KNOWN.iter().enumerate() {
            assert!(known.sha256.len() == 64 && known.sha256.bytes().all(|b| b.is_ascii_hexdigit()), "{}", known.file);
            assert!(KNOWN[..index].iter().all(|other| other.sha256 != known.sha256 && other.file != known.file));
        }
    }
}
