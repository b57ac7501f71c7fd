//! Which firmware is measured on which board.

use std::path::{Path, PathBuf};

use twinboard_models::board::{BUILT_IN, listed_name};
use twinboard_models::image::interface::{InterfaceChip, InterfaceFile, Role};
use twinboard_models::image::known::{self, Finding};

use super::FlashOptions;
use crate::commands::check;
use crate::failure::Failure;

/// A firmware on a board.
pub struct Candidate {
    /// The board's name.
    pub board: &'static str,
    /// `native`, the version of an official image, or the name of another one's file.
    pub name: String,
    /// 257 for 0257; 0 for an image that does not say.
    pub version: u32,
    /// What the interface chip runs; none is native firmware.
    pub image: Option<PathBuf>,
}

/// Versions of the native firmware of a board.
fn native_version(board: &str) -> u32 {
    if board == "microbit-v1" { 253 } else { 257 }
}

/// A path's last part, for people.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The boards and firmwares that are asked for and are there, and the official images that are not there.
pub fn candidates(options: &FlashOptions) -> Result<(Vec<Candidate>, Vec<String>), Failure> {
    let names = || BUILT_IN.iter().map(|(name, _)| *name);
    let mut boards = Vec::new();
    for board in options.boards.iter().map(|name| listed_name(name)) {
        boards.push(names().find(|name| *name == board).ok_or_else(|| {
            let known: Vec<_> = names().collect();
            Failure::input(format!("there is no built-in board {board}"), format!("give {}", known.join(", ")))
        })?);
    }
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for image in &options.interfaces {
        found.extend(own(image, &boards)?);
    }
    // Who gives images of their own wants these, and others only if they are named.
    if options.interfaces.is_empty() || !options.firmwares.is_empty() {
        official(options, &boards, &mut found, &mut missing)?;
    }
    if found.is_empty() {
        let help = "give native, or the version of an image that is in the folder (see `twinboard images`)";
        return Err(Failure::input(format!("there is no firmware {}", options.firmwares.join(", ")), help));
    }
    Ok((found, missing))
}

/// An image of `--interface`, on `boards` or on the one that it is for.
fn own(image: &Path, boards: &[&'static str]) -> Result<Vec<Candidate>, Failure> {
    let file = InterfaceFile::load(image).map_err(|error| Failure::input(error, "give an interface chip's image"))?;
    let info = file.info(Role::Interface);
    let boards = if boards.is_empty() {
        let chip = info.as_ref().and_then(|info| InterfaceChip::with_id(info.hic_id));
        let board = chip.and_then(|chip| check::board_of(chip.model)).ok_or_else(|| {
            Failure::input(format!("{}: it does not say for which chip it is", image.display()), "add --board")
        })?;
        vec![board]
    } else {
        boards.to_vec()
    };
    // Without the build key, the place of the version holds anything.
    let version = info.filter(|info| info.key.is_some()).map_or(0, |info| info.version);
    let candidate = |board| Candidate { board, name: file_name(image), version, image: Some(image.into()) };
    Ok(boards.into_iter().map(candidate).collect())
}

/// Native firmware and official images.
fn official(
    options: &FlashOptions,
    boards: &[&'static str],
    found: &mut Vec<Candidate>,
    missing: &mut Vec<String>,
) -> Result<(), Failure> {
    let wants_firmware = |name: &str| options.firmwares.is_empty() || options.firmwares.iter().any(|f| f == name);
    let images = if let Some(dir) = options.images.as_ref().filter(|dir| !dir.is_dir()) {
        return Err(Failure::input(
            format!("{} is not a folder", dir.display()),
            "give the folder that holds the images",
        ));
    } else {
        known::check(&options.images.clone().unwrap_or_else(known::folder))?
    };
    for board in BUILT_IN.iter().map(|(name, _)| *name).filter(|name| boards.is_empty() || boards.contains(name)) {
        if wants_firmware("native") {
            found.push(Candidate { board, name: "native".into(), version: native_version(board), image: None });
        }
        for (known, finding) in &images {
            if known.role != "interface" || check::board_of(known.chip) != Some(board) || !wants_firmware(known.version)
            {
                continue;
            }
            match finding {
                Finding::Present(path) => found.push(Candidate {
                    board,
                    name: known.version.into(),
                    version: check::number(known.version),
                    image: Some(path.clone()),
                }),
                Finding::Different { .. } => {
                    missing.push(format!("{} (there is another file of that name)", known.file))
                }
                Finding::Missing => missing.push(known.file.into()),
            }
        }
    }
    Ok(())
}
