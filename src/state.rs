//! `--state DIR`: what the chips keep without power, as plain files: `BOARD-N.CHIP.flash` and `.uicr` are binaries,
//! `BOARD-N.CHIP.toml` has the native interface firmware's settings and `.storage` what the target wrote for the drive.
//! N counts the boards of a command from 0.
//!
//! The interface chip's flash is there if it runs an image, or was given one in MAINTENANCE mode. An image of the command
//! line is written over it if it is another one than the last time (`.image` has its digest), as a programmer would do it;
//! else what the firmware did to its flash since then counts: updates, settings, data.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use twinboard_models::board::{BoardFile, Model, Powered};
use twinboard_models::daplink::Settings;
use twinboard_models::image::interface::{BOOTLOADER_END, BuildInfo, InterfaceChip};
use twinboard_models::image::{Image, Segment};

use crate::failure::Failure;

fn file(dir: &Path, specimen: u32, powered: &Powered, chip: &str, ending: &str) -> PathBuf {
    dir.join(format!("{}-{specimen}.{chip}.{ending}", powered.name))
}

/// The flash of the interface chip of `board` as `dir` has it, if there is a bootloader in it: then the chip runs it,
/// with or without an image on the command line.
pub fn bootloader(dir: &Path, specimen: u32, board: &BoardFile) -> Result<Option<Image>, Failure> {
    let entry =
        board.chips.iter().find_map(|entry| Some((entry, InterfaceChip::of(entry.emulated.as_ref()?.model.as_ref())?)));
    let Some((entry, chip)) = entry else { return Ok(None) };
    let path = dir.join(format!("{}-{specimen}.{}.flash", board.name, entry.name.as_ref()));
    let Some(bytes) = read(&path, chip.flash.len())? else { return Ok(None) };
    let starts = BuildInfo::parse(&bytes).is_some_and(|info| info.is_plausible(&(0..BOOTLOADER_END), &chip.ram));
    Ok(starts.then(|| Image { segments: vec![Segment { address: 0, bytes }] }))
}

/// A digest of an image.
fn digest(image: &Image) -> String {
    let mut hasher = Sha256::new();
    for segment in &image.segments {
        hasher.update(segment.address.to_le_bytes());
        hasher.update((segment.bytes.len() as u64).to_le_bytes());
        hasher.update(&segment.bytes);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Programs `image` into `flash`.
fn program(flash: &mut [u8], image: &Image) {
    for segment in &image.segments {
        let place = flash.get_mut(segment.address as usize..).unwrap_or_default();
        for (slot, byte) in place.iter_mut().zip(&segment.bytes) {
            *slot = *byte;
        }
    }
}

/// Whether `model` is the board's target.
fn is_target(powered: &Powered, model: &Model) -> bool {
    matches!((model, powered.target()), (Model::Nrf5(chip), Some(target)) if Arc::ptr_eq(chip, target))
}

/// Gives the chips what `dir` has of them; chips that it knows nothing of stay as delivered. `given` is the interface
/// chip's image of the command line.
pub fn load(dir: &Path, specimen: u32, powered: &Powered, given: Option<&Image>) -> Result<(), Failure> {
    for (name, model) in &powered.chips {
        let path = |ending: &str| file(dir, specimen, powered, name, ending);
        if let Some(size) = model.flash().map(|flash| flash.len())
            && let Some(mut bytes) = read(&path("flash"), size)?
        {
            bytes.resize(size, 0xff);
            if let Some(image) = given.filter(|_| !is_target(powered, model))
                && read(&path("image"), 4096)?.is_none_or(|last| last != digest(image).as_bytes())
            {
                program(&mut bytes, image);
            }
            model.set_flash(&bytes);
        }
        match model {
            Model::Nrf5(chip) => {
                let mut chip = chip.lock();
                if let Some(bytes) = read(&path("uicr"), chip.uicr().len())? {
                    chip.set_uicr(&bytes);
                }
            }
            Model::Kinetis(_) => {}
            Model::DapLink(chip) => {
                if let Some(relay) = &powered.relay
                    && let Some(bytes) = read(&path("flash"), 1 << 20)?
                {
                    relay.lock().set_flash(&bytes);
                }
                let storage = path("storage");
                let size = chip.lock().settings().storage().len();
                if let Some(bytes) = read(&storage, size)? {
                    chip.lock().settings().set_storage(&bytes);
                }
                let path = path("toml");
                let Some(bytes) = read(&path, 4096)? else { continue };
                let settings: Settings = toml::from_slice(&bytes).map_err(|error| {
                    Failure::input(format!("{}: {error}", path.display()), "correct the file or remove it")
                })?;
                chip.lock().settings().change(|kept| *kept = settings);
            }
        }
    }
    Ok(())
}

/// A file of at most `limit` bytes, or nothing if it does not exist.
fn read(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, Failure> {
    let problem = |what: String| Failure::input(format!("{}: {what}", path.display()), "remove the file to start anew");
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(problem(error.to_string())),
        Ok(data) if data.len() > limit as u64 => {
            return Err(problem(format!("has {} bytes, at most {limit} were expected", data.len())));
        }
        Ok(_) => {}
    }
    fs::read(path).map(Some).map_err(|error| problem(error.to_string()))
}

/// Saves what the chips keep without power. `given` is the interface chip's image of the command line.
pub fn save(dir: &Path, specimen: u32, powered: &Powered, given: Option<&Image>) -> Result<(), Failure> {
    fs::create_dir_all(dir)?;
    for (name, model) in &powered.chips {
        let write = |ending: &str, bytes: &[u8]| -> io::Result<()> {
            // A half-written file must not replace a whole one.
            let path = file(dir, specimen, powered, name, ending);
            let new = path.with_extension(format!("{ending}.new"));
            fs::write(&new, bytes)?;
            fs::rename(new, path)
        };
        if let Some(flash) = model.flash() {
            write("flash", &flash)?;
            if let Some(image) = given.filter(|_| !is_target(powered, model)) {
                write("image", digest(image).as_bytes())?;
            }
        }
        match model {
            Model::Nrf5(chip) => write("uicr", chip.lock().uicr())?,
            Model::Kinetis(_) => {}
            Model::DapLink(chip) => {
                if let Some(flash) = powered.relay.as_ref().and_then(|relay| relay.lock().flash()) {
                    write("flash", &flash)?;
                }
                let settings = chip.lock().settings().settings();
                write("toml", toml::to_string(&settings).map_err(Failure::job)?.as_bytes())?;
                let storage = chip.lock().settings().storage().to_vec();
                if !storage.is_empty() {
                    write("storage", &storage)?;
                }
            }
        }
    }
    Ok(())
}
