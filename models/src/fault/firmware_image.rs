//! `firmware.*` on an emulated interface chip: bits of its flash that are others when it starts.
//!
//! Here firmware has bytes, so damage is what it is on silicon: cells that lost their charge, or took some. Who notices, and
//! what comes of it, is the image's own business. Whether a point means anything for an image is looked up in the image
//! ([`Contents`]): a bootloader that looks at vectors, settings under DAPLink's key, a handler that records a HardFault.

use twinboard_sim::fault::{Dice, Params, SharedFault};
use twinboard_sim::time::Time;

use crate::image::interface::{BOOTLOADER_END, BuildInfo, InterfaceChip, SETTINGS_KEY};

/// What a word of erased flash is.
const ERASED: u32 = u32::MAX;

/// The first version whose HardFault handler records an assertion, as a decimal number.
const RECORDS_FAULTS: u32 = 241;

/// What an interface chip has in its flash.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    chip: &'static InterfaceChip,
    flash: &'a [u8],
}

/// What is armed on the flash of an emulated interface chip.
#[derive(Debug)]
pub(crate) struct ImageFaults {
    chip: &'static InterfaceChip,
    faults: Vec<SharedFault>,
}

impl ImageFaults {
    /// Nothing yet, on the chip `chip`.
    pub(crate) fn new(chip: &'static InterfaceChip) -> ImageFaults {
        ImageFaults { chip, faults: Vec::new() }
    }

    /// Arms a fault of this family.
    pub(crate) fn add(&mut self, fault: SharedFault) {
        self.faults.push(fault);
    }

    /// The chip starts at `at` with this flash: the next change of it, if there is one more.
    pub(crate) fn damage(&self, at: Time, flash: &[u8]) -> Option<Change> {
        self.faults.iter().find_map(|fault| Contents::new(self.chip, flash).damage(at, fault))
    }
}

/// A change of the flash: words from an address on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The address of the first word.
    pub address: u32,
    /// What they are now.
    pub words: Vec<u32>,
}

impl Change {
    /// The same as bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

impl Contents<'_> {
    /// `flash`, from address 0, is what the chip `chip` has.
    #[must_use]
    pub fn new<'a>(chip: &'static InterfaceChip, flash: &'a [u8]) -> Contents<'a> {
        Contents { chip, flash }
    }

    fn word(&self, address: u32) -> Option<u32> {
        let bytes = self.flash.get(address as usize..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }

    /// Whether there are vectors at `base`.
    fn has_vectors(&self, base: u32) -> bool {
        [self.word(base), self.word(base + 4)].iter().all(|word| word.is_some_and(|word| word != ERASED))
    }

    /// What the vector table at `base` says.
    fn info(&self, base: u32) -> Option<BuildInfo> {
        BuildInfo::parse(self.flash.get(base as usize..)?)
    }

    /// Bytes of which the firmware's CRC-32 is taken: all but the last word of its place.
    fn summed(&self) -> Option<&[u8]> {
        let place = self.chip.interface.start as usize..self.chip.interface.end as usize - 4;
        self.flash.get(place)
    }

    /// The last word that the CRC is taken of, if nothing is there.
    fn spare(&self) -> Option<u32> {
        let address = self.chip.interface.end - 8;
        (self.word(address)? == ERASED).then_some(address)
    }

    /// Why the point `point` would mean nothing for this firmware; none if it does mean something.
    #[must_use]
    pub fn refuses(&self, point: &str) -> Option<String> {
        let (title, base) = (self.chip.title, BOOTLOADER_END);
        let (bootloader, interface) = (self.has_vectors(0), self.has_vectors(base));
        if !bootloader && !interface {
            return Some(format!("the flash of its {title} is blank, so there is no firmware"));
        }
        match point {
            "firmware.assert" => {
                let info = self.info(if interface { base } else { 0 });
                let records = info.is_some_and(|info| info.key.is_some() && info.version >= RECORDS_FAULTS);
                (!records).then(|| {
                    "an emulated core can only be made to take a HardFault, which DAPLink records as an assertion from \
                     0241 on, and the build information of its image names no such version"
                        .into()
                })
            }
            "firmware.config" => {
                let place = &self.flash[..self.flash.len().min(self.chip.interface.end as usize)];
                let keeps = place.as_chunks().0.iter().any(|word| u32::from_le_bytes(*word) == SETTINGS_KEY);
                (!keeps).then(|| format!("its image does not know {SETTINGS_KEY:#010x}, the key of DAPLink's settings"))
            }
            "firmware.crc" if !interface => Some(format!("there is no interface firmware at {base:#x} of its {title}")),
            "firmware.crc" => self.spare().is_none().then(|| {
                let address = self.chip.interface.end - 8;
                format!("its image has something at {address:#010x}, so there is no word that nobody needs")
            }),
            "firmware.vectors" if !(bootloader && interface) => Some(format!(
                "only a bootloader looks at vectors, and the flash of its {title} does not have both a bootloader at 0x0 and \
                 firmware at {base:#x}"
            )),
            _ => None,
        }
    }

    /// The chip starts at `at`: what `fault` changes in its flash.
    #[must_use]
    pub fn damage(&self, at: Time, fault: &SharedFault) -> Option<Change> {
        match fault.point().name {
            "firmware.config" => self.other_key(at, fault),
            "firmware.crc" => self.other_crc(at, fault),
            "firmware.vectors" => self.no_vectors(at, fault),
            _ => None,
        }
    }

    /// A cell of the settings' key lost its charge, and reads as 1.
    fn other_key(&self, at: Time, fault: &SharedFault) -> Option<Change> {
        let address = self.chip.interface.end;
        let there = self.word(address) == Some(SETTINGS_KEY);
        let act = |_: &Params, dice: &mut Dice| {
            let zeros: Vec<_> = (0..32).filter(|bit| SETTINGS_KEY >> bit & 1 == 0).collect();
            let bit = zeros.get(dice.below(zeros.len() as u32) as usize)?;
            there.then_some(SETTINGS_KEY | 1 << bit)
        };
        let tell = |word: &u32| {
            let place = format!("configuration page, {address:#010x}");
            (place, format!("is {word:08x}, was {SETTINGS_KEY:08x}: the key is wrong"))
        };
        let word = fault.lock().strike(at, act, tell)?;
        Some(Change { address, words: vec![word] })
    }

    /// The last word before the CRC, which nobody needs, makes it another one.
    fn other_crc(&self, at: Time, fault: &SharedFault) -> Option<Change> {
        let (address, summed) = (self.spare()?, self.summed()?);
        let last = address + 3;
        let (rest, _) = summed.split_last_chunk::<4>()?;
        let crc = crc32fast::hash(summed);
        let act = |params: &Params, dice: &mut Dice| {
            let wanted = params.value.unwrap_or_else(|| dice.bits());
            let word = word_for_crc(rest, wanted);
            (wanted != crc && self.has_vectors(self.chip.interface.start)).then_some((word, wanted))
        };
        let tell = |(word, new): &(u32, u32)| {
            let start = self.chip.interface.start;
            let what = format!("the CRC of {start:#010x} to {last:#010x} is {new:#010x}, not {crc:#010x}");
            (format!("interface image, {address:#010x}"), format!("is {word:08x}, was {ERASED:08x}: {what}"))
        };
        let (word, _) = fault.lock().strike(at, act, tell)?;
        Some(Change { address, words: vec![word] })
    }

    /// The initial stack pointer and the reset vector are erased.
    fn no_vectors(&self, at: Time, fault: &SharedFault) -> Option<Change> {
        let address = self.chip.interface.start;
        let (stack, reset) = (self.word(address)?, self.word(address + 4)?);
        let there = (stack, reset) != (ERASED, ERASED);
        let tell = |(): &()| {
            let place = format!("interface image, {address:#010x}");
            (place, format!("its first two words are erased, were {stack:08x} and {reset:08x}"))
        };
        fault.lock().strike(at, |_, _| there.then_some(()), tell)?;
        Some(Change { address, words: vec![ERASED; 2] })
    }
}

/// The word behind `rest` that makes the CRC-32 of both `wanted`.
fn word_for_crc(rest: &[u8], wanted: u32) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    // Four bytes of input reach the register only by being added to it, so the register is run backwards from what it is to
    // be in the end, and what it was before is taken off.
    let before = !crc32fast::hash(rest);
    let back = |register: u32, _| match register >> 31 {
        0 => register << 1,
        _ => (register ^ POLYNOMIAL) << 1 | 1,
    };
    before ^ (0..32).fold(!wanted, back)
}

#[cfg(test)]
#[path = "firmware_image_tests.rs"]
mod tests;
