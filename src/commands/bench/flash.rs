//! `bench flash`: which rows there are, and their measuring.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use twinboard_models::board::{BUILT_IN, BoardFile, listed_name};
use twinboard_models::image::interface::Firmware;
use twinboard_models::image::known::{self, Finding, Known};

use super::measure::{Subject, measure};
use super::report::{Report, Row, table};
use super::what_if::{Conditions, Reach, WhatIf};
use super::{FlashOptions, Way, chart};
use crate::commands::check;
use crate::failure::Failure;

/// Versions of the native firmware of a board.
fn native_version(board: &str) -> u32 {
    if board == "microbit-v1" { 253 } else { 257 }
}

/// A firmware on a board.
struct Candidate {
    board: &'static str,
    /// `native`, or a version.
    name: String,
    version: u32,
    image: Option<(Known, PathBuf)>,
}

pub fn run(options: &FlashOptions) -> Result<ExitCode, Failure> {
    let report = measure_all(options)?;
    if let Some(path) = &options.chart {
        chart::draw(&report, path)?;
    }
    let json = || serde_json::to_string_pretty(&report).map(|text| text + "\n").map_err(Failure::job);
    match options.json.as_deref() {
        Some(path) if path == Path::new("-") => print!("{}", json()?),
        path => {
            if let Some(path) = path {
                std::fs::write(path, json()?).map_err(|error| {
                    Failure::input(format!("{}: {error}", path.display()), "give a file that can be written")
                })?;
            }
            print!("{}", table(&report));
        }
    }
    let failed = report.rows.iter().any(|row| row.measured.is_none() && row.image.is_none());
    Ok(ExitCode::from(u8::from(failed || report.rows.iter().all(|row| row.measured.is_none()))))
}

/// Measures every row that `options` ask for.
pub fn measure_all(options: &FlashOptions) -> Result<Report, Failure> {
    let (candidates, missing_images) = candidates(options)?;
    let bytes = options.size as usize * 1024;
    let mut rows = Vec::new();
    for candidate in &candidates {
        let file = BoardFile::built_in(candidate.board)
            .ok_or_else(|| Failure::job(format!("there is no board {}", candidate.board)))?;
        let loaded = candidate.image.as_ref().map(|(known, path)| check::load(known.chip, path)).transpose();
        for way in ways(options, candidate.version) {
            let reach = Reach {
                way,
                native: candidate.image.is_none(),
                version: candidate.version,
                nrf52: candidate.board != "microbit-v1",
            };
            let subject = |firmware| Subject { file: &file, firmware, way, bytes };
            let (reaching, unreached): (Vec<WhatIf>, Vec<WhatIf>) =
                options.what_if.iter().partition(|setting| setting.reaches(&reach));
            let conditions = Conditions::of(&reaching);
            let result = match &loaded {
                Ok(firmware) => measure(&subject(firmware.as_ref() as Option<&Firmware>), &conditions),
                Err(reason) => Err(reason.clone()),
            };
            let (measured, reason) =
                result.map_or_else(|reason| (None, Some(reason)), |measured| (Some(measured), None));
            rows.push(Row {
                board: candidate.board.into(),
                firmware: candidate.name.clone(),
                image: candidate.image.as_ref().map(|(known, _)| known.file.into()),
                way: way.name().into(),
                measured,
                reason,
                not_reached: unreached.iter().map(ToString::to_string).collect(),
            });
            eprintln!("twinboard: {}", rows.last().map(Row::label).unwrap_or_default());
        }
    }
    Ok(Report {
        twinboard: env!("CARGO_PKG_VERSION").into(),
        program_bytes: bytes as u64,
        what_if: options.what_if.iter().map(ToString::to_string).collect(),
        rows,
        missing_images,
    })
}

/// The ways that a version has and that are asked for. 0254 is the first with CMSIS-DAP v2.
fn ways(options: &FlashOptions, version: u32) -> impl Iterator<Item = Way> {
    let transport = options.what_if.iter().rev().find_map(|setting| match setting {
        WhatIf::Transport(way) => Some(*way),
        _ => None,
    });
    Way::ALL.into_iter().filter(move |way| {
        let wanted = options.ways.is_empty() || options.ways.contains(way);
        let carries = *way == Way::Drop || transport.is_none_or(|transport| transport == *way);
        wanted && carries && (*way != Way::Bulk || version >= 254)
    })
}

/// The boards and firmwares that are asked for and are there, and the images that are not there.
fn candidates(options: &FlashOptions) -> Result<(Vec<Candidate>, Vec<String>), Failure> {
    let names = || BUILT_IN.iter().map(|(name, _)| *name);
    let boards: Vec<&str> = options.boards.iter().map(|name| listed_name(name)).collect();
    if let Some(unknown) = boards.iter().find(|board| !names().any(|name| name == **board)) {
        let known: Vec<_> = names().collect();
        return Err(Failure::input(
            format!("there is no built-in board {unknown}"),
            format!("give {}", known.join(", ")),
        ));
    }
    let wants_firmware = |name: &str| options.firmwares.is_empty() || options.firmwares.iter().any(|f| f == name);
    let images = if let Some(dir) = options.images.as_ref().filter(|dir| !dir.is_dir()) {
        return Err(Failure::input(
            format!("{} is not a folder", dir.display()),
            "give the folder that holds the images",
        ));
    } else {
        known::check(&options.images.clone().unwrap_or_else(known::folder))?
    };
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for board in names().filter(|name| boards.is_empty() || boards.contains(name)) {
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
                    image: Some((*known, path.clone())),
                }),
                Finding::Different { .. } => {
                    missing.push(format!("{} (there is another file of that name)", known.file))
                }
                Finding::Missing => missing.push(known.file.into()),
            }
        }
    }
    if found.is_empty() {
        let help = "give native, or the version of an image that is in the folder (see `twinboard images`)";
        return Err(Failure::input(format!("there is no firmware {}", options.firmwares.join(", ")), help));
    }
    Ok((found, missing))
}
