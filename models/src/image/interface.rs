//! Images for interface chips: what they say about themselves, and whether that fits the chip.
//!
//! DAPLink keeps its bootloader in the first 32 KiB of the interface chip's flash and the interface firmware behind it.
//! Each begins with a vector table into which the build writes what the image is: at 0x1C a word that makes the first
//! eight sum to zero, at 0x20 a build key, at 0x24 the interface chip's id, at 0x28 the version, at 0x34 (from 0254 on) a
//! pointer to the board's data; the last word of the image is its CRC-32 (DAPLink `daplink.h`, `post_build_script.py`).
//! Builds come with all of it (`_if_crc`), as they were linked, without sum and CRC (`_if`), or with sum, key, id and
//! version set to zero for old bootloaders (`_legacy_0x8000`); firmware of other makers has none.
//!
//! Nothing here is refused: what is odd becomes a list of [`Problem`]s, and a user may run the image all the same.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{BlockIds, Image, ImageError, Segment, Start, known};

/// What is known about the memory of an interface chip, and how DAPLink divides it.
#[derive(Debug, PartialEq, Eq)]
pub struct InterfaceChip {
    /// The model's name in board files.
    pub model: &'static str,
    /// The chip's name for people.
    pub title: &'static str,
    /// The id that images for it carry.
    pub hic_id: u32,
    /// Its flash.
    pub flash: Range<u32>,
    /// Where the interface firmware is; the bootloader is below, the settings are above.
    pub interface: Range<u32>,
    /// Its RAM.
    pub ram: Range<u32>,
    /// Bytes that are erased at once.
    pub sector: u32,
}

/// The end of the bootloader.
pub const BOOTLOADER_END: u32 = 0x8000;

/// What DAPLink writes at the beginning of its page of settings, which begins where the interface's image ends
/// (`settings_rom.c`).
pub const SETTINGS_KEY: u32 = 0x6b76_6c64;

/// Bytes of the interface chip's flash that belong to DAPLink; what a V2 has above is its data file.
pub const FIRMWARE_END: u32 = 0x2_0000;

/// micro:bit V1 (DAPLink `kl26z/daplink_addr.h`).
pub static KL26Z: InterfaceChip = InterfaceChip {
    model: "kl26z",
    title: "KL26Z",
    hic_id: 0x9796_9901,
    flash: 0..0x2_0000,
    interface: 0x8000..0x1_fc00,
    ram: 0x1fff_f000..0x2000_3000,
    sector: 0x400,
};

/// micro:bit V2.00 (DAPLink `kl27z/daplink_addr.h`).
pub static KL27Z: InterfaceChip = InterfaceChip {
    model: "kl27z",
    title: "KL27Z",
    hic_id: 0x9796_990b,
    flash: 0..0x4_0000,
    interface: 0x8000..0x1_fc00,
    ram: 0x1fff_e000..0x2000_6000,
    sector: 0x400,
};

/// micro:bit V2.2 (DAPLink `nrf52820/daplink_addr.h`).
pub static NRF52820: InterfaceChip = InterfaceChip {
    model: "nrf52820",
    title: "nRF52820",
    hic_id: 0x6e05_2820,
    flash: 0..0x4_0000,
    interface: 0x8000..0x1_f000,
    ram: 0x2000_0000..0x2000_8000,
    sector: 0x1000,
};

/// micro:bit V2.2 of the limited run: the same image runs on both chips.
pub static NRF52833: InterfaceChip = InterfaceChip {
    model: "nrf52833",
    title: "nRF52833",
    hic_id: 0x6e05_2820,
    flash: 0..0x8_0000,
    interface: 0x8000..0x1_f000,
    ram: 0x2000_0000..0x2002_0000,
    sector: 0x1000,
};

/// All interface chips.
pub static CHIPS: &[&InterfaceChip] = &[&KL26Z, &KL27Z, &NRF52820, &NRF52833];

impl InterfaceChip {
    /// The chip that board files call `model`.
    #[must_use]
    pub fn of(model: &str) -> Option<&'static InterfaceChip> {
        CHIPS.iter().copied().find(|chip| chip.model == model)
    }

    /// The chip whose images carry this id.
    #[must_use]
    pub fn with_id(hic_id: u32) -> Option<&'static InterfaceChip> {
        CHIPS.iter().copied().find(|chip| chip.hic_id == hic_id)
    }
}

/// Bytes of a vector table with build information.
const TABLE: usize = 0x40;

const BUILD_KEY_INTERFACE: u32 = 0x9b93_9e8f;
const BUILD_KEY_BOOTLOADER: u32 = 0x9b93_9d93;

/// What an image is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The bootloader.
    Bootloader,
    /// The interface firmware.
    Interface,
}

impl Role {
    /// Where its vector table is.
    #[must_use]
    pub fn base(self) -> u32 {
        match self {
            Role::Bootloader => 0,
            Role::Interface => BOOTLOADER_END,
        }
    }

    fn region(self, chip: &InterfaceChip) -> Range<u32> {
        match self {
            Role::Bootloader => 0..BOOTLOADER_END,
            Role::Interface => chip.interface.clone(),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Bootloader => "bootloader",
            Role::Interface => "interface firmware",
        })
    }
}

/// What an image's vector table says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BuildInfo {
    /// The first words: stack pointer, reset, NMI, hard fault.
    pub vectors: [u32; 4],
    /// The sum of the first eight words; zero in a finished build.
    pub sum: u32,
    /// The word at 0x1C that makes it so; zero where the build was not finished.
    pub sum_word: u32,
    /// What the image says it is; none if it does not.
    pub key: Option<Role>,
    /// The interface chip's id; zero if there is no build information.
    pub hic_id: u32,
    /// The version as a decimal number: 253 is 0253. Zero if there is no build information.
    pub version: u32,
    /// Where the board's data are, for 0254 and later.
    pub board_info: Option<u32>,
}

impl BuildInfo {
    /// Reads the vector table `table`; none if that is too short or erased flash.
    #[must_use]
    pub fn parse(table: &[u8]) -> Option<BuildInfo> {
        let (words, _) = table.get(..TABLE)?.as_chunks::<4>();
        let mut table = [0; TABLE / 4];
        for (word, bytes) in table.iter_mut().zip(words) {
            *word = u32::from_le_bytes(*bytes);
        }
        if table[..4].iter().all(|&word| word == u32::MAX) {
            return None;
        }
        let key = match table[8] {
            BUILD_KEY_BOOTLOADER => Some(Role::Bootloader),
            BUILD_KEY_INTERFACE => Some(Role::Interface),
            _ => None,
        };
        let is_known = key.is_some();
        Some(BuildInfo {
            vectors: [table[0], table[1], table[2], table[3]],
            sum: table[..8].iter().fold(0, |sum, &word| sum.wrapping_add(word)),
            sum_word: table[7],
            key,
            hic_id: if is_known { table[9] } else { 0 },
            version: if is_known { table[10] } else { 0 },
            board_info: Some(table[13]).filter(|&pointer| is_known && table[10] >= 254 && pointer != 0),
        })
    }

    /// Whether the vectors are those of a program in `region` with a stack in `ram`; the bounds count on both sides, as
    /// the bootloader has it.
    #[must_use]
    pub fn is_plausible(&self, region: &Range<u32>, ram: &Range<u32>) -> bool {
        let [stack, handlers @ ..] = self.vectors;
        (ram.start..=ram.end).contains(&stack)
            && handlers.iter().all(|handler| (region.start..=region.end).contains(handler))
    }
}

/// What is wrong with an image, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The address in the chip's flash, if the problem has a place.
    pub address: Option<u32>,
    /// What is wrong and what was expected.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if let Some(address) = self.address {
            write!(f, "at {address:#010x}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// An image file for an interface chip.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterfaceFile {
    /// The file.
    pub path: PathBuf,
    /// Its contents at their places.
    pub image: Image,
    /// The chip that it is an official image for, known by its digest.
    official: Option<&'static str>,
}

impl InterfaceFile {
    /// Reads an image file. A binary without addresses goes to where its vectors point: to 0 with a bootloader, else to
    /// where interface firmware is.
    ///
    /// # Errors
    /// [`ImageError`], with the place in the file.
    pub fn load(path: &Path) -> Result<InterfaceFile, ImageError> {
        InterfaceFile::parse(path, &super::read(path)?)
    }

    /// Parses the contents of an image file; `path` is for the errors.
    ///
    /// # Errors
    /// [`ImageError`], with the place in the file.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<InterfaceFile, ImageError> {
        let image = Image::parse(path, bytes, BlockIds(&[]), base_of(bytes))?;
        Ok(InterfaceFile { path: path.into(), image, official: known::chip_of(bytes) })
    }

    /// What is at the place of `role`, if anything.
    #[must_use]
    pub fn info(&self, role: Role) -> Option<BuildInfo> {
        BuildInfo::parse(self.at(role.base())?)
    }

    /// The bytes from `address` on, if there are any.
    fn at(&self, address: u32) -> Option<&[u8]> {
        at(&self.image, address)
    }

    /// What is odd about the file on `chip`.
    #[must_use]
    pub fn problems(&self, chip: &InterfaceChip) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut say = |address: Option<u32>, text: String| {
            found.push(Problem { file: self.path.clone(), address, text });
        };
        for Segment { address, bytes } in &self.image.segments {
            let end = u64::from(*address) + bytes.len() as u64;
            if *address < chip.flash.start || end > u64::from(chip.flash.end) {
                let (start, last) = (chip.flash.start, chip.flash.end - 1);
                say(Some(*address), format!("the flash of the {} goes from {start:#x} to {last:#x}", chip.title));
            }
        }
        if let Some(model) = self.official.filter(|model| !is_same_family(model, chip)) {
            let title = InterfaceChip::of(model).map_or(model, |other| other.title);
            say(None, format!("this is an official image for the {title}, the board has a {}", chip.title));
        }
        let roles: Vec<_> =
            [Role::Bootloader, Role::Interface].into_iter().filter_map(|role| Some((role, self.info(role)?))).collect();
        if roles.is_empty() {
            say(
                None,
                format!(
                    "a vector table at 0x0 (bootloader or full image) or at {BOOTLOADER_END:#x} (interface) was expected"
                ),
            );
        }
        for (role, info) in roles {
            self.check(role, &info, chip, &mut say);
        }
        found
    }

    /// Checks what is at the place of `role`.
    fn check(&self, role: Role, info: &BuildInfo, chip: &InterfaceChip, say: &mut impl FnMut(Option<u32>, String)) {
        let base = role.base();
        let place = |offset: u32| Some(base + offset);
        let region = role.region(chip);
        let [stack, handlers @ ..] = info.vectors;
        // A stack that begins at the end of the RAM is as usual as one inside of it.
        if !(chip.ram.start..=chip.ram.end).contains(&stack) || stack % 4 != 0 {
            let (start, end) = (chip.ram.start, chip.ram.end);
            let text = format!(
                "stack pointer {stack:#010x}: an address in the {}'s RAM ({start:#x} to {end:#x}) was expected",
                chip.title
            );
            say(place(0), text);
        }
        for (offset, name, handler) in [(4, "reset", 0), (8, "NMI", 1), (12, "hard fault", 2)] {
            let vector = handlers[handler];
            if !region.contains(&vector) || vector & 1 == 0 {
                let (start, end) = (region.start, region.end);
                let text =
                    format!("{name} vector {vector:#010x}: an odd address in {start:#x} to {end:#x} was expected");
                say(place(offset), text);
            }
        }
        let Some(key) = info.key else { return };
        if key != role {
            say(place(0x20), format!("the build key of a {key}, where the {role} belongs"));
        }
        if info.hic_id != chip.hic_id {
            let whose = InterfaceChip::with_id(info.hic_id).map_or("another chip", |other| other.title);
            let (id, expected) = (info.hic_id, chip.hic_id);
            let text =
                format!("the image is for {whose} (HIC id {id:08x}), the board has a {} ({expected:08x})", chip.title);
            say(place(0x24), text);
        }
        // As it was linked: sum and CRC were never put in.
        if info.sum_word == 0 {
            return;
        }
        if info.sum != 0 {
            say(place(0x1c), format!("the first eight words sum to {:#010x}, zero was expected", info.sum));
        }
        if let Some((address, stored, computed)) = self.crc(&region).filter(|(_, stored, computed)| stored != computed)
        {
            say(Some(address), format!("CRC-32 {stored:#010x}: that of the {role} is {computed:#010x}"));
        }
    }

    /// The CRC-32 at the end of what is in `region`: where, what stands there and what it should be.
    fn crc(&self, region: &Range<u32>) -> Option<(u32, u32, u32)> {
        let bytes = self.at(region.start)?;
        let bytes = &bytes[..bytes.len().min(region.len())];
        let (contents, stored) = bytes.split_last_chunk::<4>()?;
        let address = region.start + contents.len() as u32;
        Some((address, u32::from_le_bytes(*stored), crc32fast::hash(contents)))
    }
}

/// The bytes of `image` from `address` on, if there are any.
#[must_use]
pub fn at(image: &Image, address: u32) -> Option<&[u8]> {
    image.segments.iter().find_map(|segment| segment.bytes.get(address.checked_sub(segment.address)? as usize..))
}

/// The nRF52820 and the nRF52833 run the same images.
fn is_same_family(model: &str, chip: &InterfaceChip) -> bool {
    InterfaceChip::of(model).is_none_or(|other| other.hic_id == chip.hic_id)
}

/// Where a binary without addresses belongs.
fn base_of(bytes: &[u8]) -> u32 {
    let Some(info) = BuildInfo::parse(bytes) else { return 0 };
    let reset = info.vectors[1];
    if (BOOTLOADER_END..FIRMWARE_END).contains(&reset) { legacy_base(bytes).unwrap_or(BOOTLOADER_END) } else { 0 }
}

/// A build for bootloaders that start the interface at 0x5000 has a copy of the vector table there, and the whole image
/// behind it.
fn legacy_base(bytes: &[u8]) -> Option<u32> {
    const LEGACY: u32 = 0x5000;
    let image = bytes.get((BOOTLOADER_END - LEGACY) as usize..)?;
    let copy = bytes.get(..TABLE)? == image.get(..TABLE)?;
    (copy && bytes[TABLE..(BOOTLOADER_END - LEGACY) as usize].iter().all(|&byte| byte == 0xff)).then_some(LEGACY)
}

/// Several files for one chip, as they lie in its flash together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Firmware {
    /// The contents of the flash.
    pub image: Image,
    /// Where the chip begins.
    pub start: Start,
    /// What is odd about it.
    pub problems: Vec<Problem>,
}

impl Firmware {
    /// Puts `files` together for `chip`. Where two of them have data, the first one's counts, and it is a problem.
    #[must_use]
    pub fn merge(files: &[InterfaceFile], chip: &InterfaceChip) -> Firmware {
        let mut problems = Vec::new();
        let mut flash: Vec<(&Path, &Segment)> = Vec::new();
        let mut pieces: Vec<Segment> = Vec::new();
        for file in files {
            problems.extend(file.problems(chip));
            for segment in &file.image.segments {
                let clash = flash.iter().find(|(_, other)| overlap(other, segment).is_some());
                if let Some((path, other)) = clash {
                    let text = format!("{} has data there, too", path.display());
                    problems.push(Problem { file: file.path.clone(), address: overlap(other, segment), text });
                }
            }
            for segment in &file.image.segments {
                pieces.extend(without(segment, &flash));
                flash.push((&file.path, segment));
            }
        }
        // They do not overlap any more.
        let image = Image::from_segments(pieces).unwrap_or_default();
        let has_bootloader = at(&image, 0).and_then(BuildInfo::parse).is_some();
        let start = if has_bootloader { Start::Reset } else { Start::Handover(BOOTLOADER_END) };
        Firmware { image, start, problems }
    }
}

/// The first address that both have.
fn overlap(a: &Segment, b: &Segment) -> Option<u32> {
    let first = a.address.max(b.address);
    let ends = |segment: &Segment| u64::from(segment.address) + segment.bytes.len() as u64;
    (u64::from(first) < ends(a).min(ends(b))).then_some(first)
}

/// What of `segment` lies outside of `taken`.
fn without(segment: &Segment, taken: &[(&Path, &Segment)]) -> Vec<Segment> {
    let mut pieces = vec![segment.clone()];
    for (_, other) in taken {
        let (start, end) = (u64::from(other.address), u64::from(other.address) + other.bytes.len() as u64);
        let outside = |piece: Segment| {
            let from = u64::from(piece.address);
            let length = piece.bytes.len() as u64;
            let before = start.saturating_sub(from).min(length) as usize;
            let behind = end.saturating_sub(from).min(length) as usize;
            let head = Segment { address: piece.address, bytes: piece.bytes[..before].to_vec() };
            let tail = piece.bytes[behind.max(before)..].to_vec();
            let tail = Segment { address: (from + length - tail.len() as u64) as u32, bytes: tail };
            [head, tail]
        };
        pieces = pieces.into_iter().flat_map(outside).filter(|piece| !piece.bytes.is_empty()).collect();
    }
    pieces
}
