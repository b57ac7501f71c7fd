//! Judging what is expected of the board and of its drive.

use regex::bytes::Regex;
use twinboard_models::board::Powered;
use twinboard_models::image::Image;
use twinboard_sim::bus::Size;
use twinboard_sim::debug::DebugTarget;
use twinboard_sim::machine::Machine;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::drive::DriveError;
use twinboard_usbip::host::volume::Volume;

use super::Failed;
use super::doing::{Around, pattern};
use crate::language::step::Expect;
use crate::language::units::Place;

/// What can be seen of a board without a driver.
pub(super) struct Watched {
    screen: Option<[String; 5]>,
    present: Option<bool>,
    incident: Option<String>,
    pattern: Option<Regex>,
}

impl Watched {
    /// Whether nothing else is expected.
    pub(super) fn covers(expect: &Expect) -> bool {
        expect.fail.is_none()
            && expect.file.is_none()
            && expect.details.is_empty()
            && expect.drive.is_none()
            && expect.memory.is_none()
            && expect.flash.is_none()
    }

    pub(super) fn new(expect: &Expect) -> Result<Watched, Failed> {
        Ok(Watched {
            screen: expect.screen.as_ref().map(|rows| rows.as_ref().clone()),
            present: expect.present.as_ref().map(|present| *present.as_ref()),
            incident: expect.incident.as_ref().map(|incident| incident.as_ref().clone()),
            pattern: pattern(expect.incident.as_ref())?,
        })
    }

    /// Whether it is so; if not, what is.
    pub(super) fn look(&self, beside: Around<'_, '_>) -> Result<(), String> {
        let present = beside.present;
        if let Some(wanted) = self.present.filter(|wanted| *wanted != present) {
            let (wanted, is) = if wanted { ("on", "gone from") } else { ("gone from", "on") };
            return Err(format!("the board was expected to be {wanted} the bus, it is {is} it"));
        }
        let board = &*beside.machine;
        if let Some(wanted) = &self.screen {
            let seen = board.rows().map(|rows| rows.0).unwrap_or_default();
            if !shows(&seen, wanted) {
                return Err(format!("the display shows {}, {} was expected", seen.join("/"), wanted.join("/")));
            }
        }
        match (&self.pattern, self.incident.as_deref(), board.incidents()) {
            (None, ..) => Ok(()),
            (Some(_), Some("none"), []) => Ok(()),
            (Some(_), Some("none"), [first, ..]) => Err(format!("a program went wrong: {first}")),
            (Some(pattern), _, lines) if lines.iter().any(|line| pattern.is_match(line.as_bytes())) => Ok(()),
            (Some(pattern), _, lines) => {
                Err(format!("incident {:?} was expected, there are {lines:?}", pattern.as_str()))
            }
        }
    }
}

/// Whether a display shows what is wanted: `#` is any light, `?` is anything.
pub(super) fn shows(seen: &[String; 5], wanted: &[String; 5]) -> bool {
    seen.iter().zip(wanted).all(|(seen, wanted)| {
        seen.len() == wanted.len()
            && seen.bytes().zip(wanted.bytes()).all(|(seen, wanted)| match wanted {
                b'?' => true,
                b'#' => seen != b'0',
                digit => seen == digit,
            })
    })
}

/// Whether the drive is as expected; if not, how it is.
pub(super) fn drive(host: &mut Host<Powered>, expect: &Expect) -> Result<(), String> {
    let wants_drive = expect.fail.is_some() || expect.file.is_some() || !expect.details.is_empty();
    if !wants_drive && expect.drive.is_none() {
        return Ok(());
    }
    let read = |error: DriveError| format!("the drive cannot be read: {error}");
    let mut drive = host.drive().map_err(|error| format!("there is no drive: {error}"))?;
    let volume = Volume::mount(&mut drive).map_err(read)?;
    if let Some(wanted) = &expect.drive {
        let label = volume.label().map_err(read)?.unwrap_or_default();
        if label.trim_matches(['\0', ' ']) != wanted.as_ref() {
            return Err(format!("the drive {} was expected, it is {label}", wanted.as_ref()));
        }
    }
    let file = |name: &str| volume.read_file(name).map_err(read);
    if let Some(wanted) = &expect.fail {
        let text = file("FAIL.TXT")?;
        if wanted.as_ref() == "none" {
            if let Some(text) = text {
                return Err(format!("no FAIL.TXT was expected, it says {:?}", lossy(&text)));
            }
        } else {
            matches("FAIL.TXT", text.as_deref(), wanted)?;
        }
    }
    if let Some(name) = &expect.file {
        let contents = file(name.as_ref())?;
        let exists = expect.exists.as_ref().map(|exists| *exists.as_ref());
        match (exists, &contents) {
            (Some(true), None) => return Err(format!("the file {} was expected, it is not there", name.as_ref())),
            (Some(false), Some(_)) => return Err(format!("no file {} was expected, it is there", name.as_ref())),
            _ => {}
        }
        if let Some(wanted) = &expect.contains {
            matches(name.as_ref(), contents.as_deref(), wanted)?;
        }
    }
    if expect.details.is_empty() {
        return Ok(());
    }
    let text = file("DETAILS.TXT")?.ok_or("there is no DETAILS.TXT")?;
    let text = String::from_utf8_lossy(&text);
    for (label, wanted) in &expect.details {
        let line = text.lines().find_map(|line| line.strip_prefix(label.as_str())?.strip_prefix(':'));
        matches(label, line.map(|value| value.trim().as_bytes()), wanted)?;
    }
    Ok(())
}

fn matches(what: &str, seen: Option<&[u8]>, wanted: &toml::Spanned<String>) -> Result<(), String> {
    let Some(seen) = seen else {
        return Err(format!("{what} was expected to match {:?}, there is none", wanted.as_ref()));
    };
    let regex = pattern(Some(wanted)).map_err(|failed| failed.message)?;
    if regex.is_some_and(|regex| regex.is_match(seen)) {
        return Ok(());
    }
    Err(format!("{what} was expected to match {:?}, it is {:?}", wanted.as_ref(), lossy(seen)))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned()
}

/// Whether the target's memory and flash are as expected. `image` is what its flash is to hold.
pub(super) fn target(board: &mut Powered, expect: &Expect, image: Option<&Image>) -> Result<(), String> {
    let now = board.now();
    let Some(chip) = board.target().cloned() else {
        return if expect.memory.is_some() || expect.flash.is_some() {
            Err("there is no target".into())
        } else {
            Ok(())
        };
    };
    if let (Some(place), Some(words)) = (&expect.memory, &expect.words) {
        let address = match place.as_ref() {
            Place::Address(address) => *address,
            Place::Symbol(name) => board
                .address_of(name)
                .ok_or_else(|| format!("there is no symbol {name} in the file of images.symbols"))?,
        };
        for (index, wanted) in (0u32..).zip(words.as_ref()) {
            let at = address.wrapping_add(4 * index);
            match chip.lock().mem_read(now, at, Size::Word) {
                Ok(word) if word == *wanted => {}
                Ok(word) => return Err(format!("{wanted:#010x} was expected at {at:#010x}, there is {word:#010x}")),
                Err(_) => return Err(format!("{at:#010x} cannot be read")),
            }
        }
    }
    if let Some(image) = image {
        let chip = chip.lock();
        let flash = chip.flash();
        for (base, data) in image.placed() {
            for (at, byte) in (base..).zip(&data) {
                // What goes elsewhere (UICR) is not in the flash.
                let Some(there) = flash.get(at as usize) else { continue };
                if there != byte {
                    return Err(format!("{byte:#04x} was expected in the flash at {at:#x}, there is {there:#04x}"));
                }
            }
        }
    }
    Ok(())
}
