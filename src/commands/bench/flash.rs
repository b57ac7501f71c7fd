//! `bench flash`: its rows, one after the other.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use twinboard_models::board::BoardFile;
use twinboard_models::image::interface::Firmware;

use super::candidates::{candidates, file_name};
use super::measure::{Subject, measure};
use super::report::{Report, Row, table};
use super::what_if::{Conditions, Reach, WhatIf};
use super::{FlashOptions, Way, chart};
use crate::commands::check;
use crate::failure::Failure;

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
    let failures = failures(&report, &options.interfaces);
    for row in &failures {
        let reason = row.reason.as_deref().unwrap_or("no reason is known");
        eprintln!("twinboard: not measured: {}: {reason}", row.label());
    }
    Ok(ExitCode::from(u8::from(!failures.is_empty())))
}

/// Rows without a result that make the benchmark fail: all if there is no result at all, else those of native firmware and
/// of the images `own`. What cannot be measured of official images is only in the table.
fn failures<'a>(report: &'a Report, own: &[PathBuf]) -> Vec<&'a Row> {
    let own: Vec<_> = own.iter().map(|path| file_name(path)).collect();
    let nothing = report.rows.iter().all(|row| row.measured.is_none());
    let counts = |row: &&Row| nothing || row.image.as_ref().is_none_or(|image| own.contains(image));
    report.rows.iter().filter(|row| row.measured.is_none()).filter(counts).collect()
}

/// Measures every row that `options` ask for.
pub fn measure_all(options: &FlashOptions) -> Result<Report, Failure> {
    let (candidates, missing_images) = candidates(options)?;
    let bytes = options.size as usize * 1024;
    let mut rows = Vec::new();
    for candidate in &candidates {
        let file = BoardFile::built_in(candidate.board)
            .ok_or_else(|| Failure::job(format!("there is no board {}", candidate.board)))?;
        let loaded = candidate.image.as_ref().map(|path| load(&file, path)).transpose();
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
                image: candidate.image.as_ref().map(|path| file_name(path)),
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

fn load(file: &BoardFile, image: &Path) -> Result<Firmware, String> {
    let chip =
        file.emulated_interface().ok_or_else(|| format!("{} has no interface chip that could run it", file.name))?;
    check::load(chip.model.as_ref(), image)
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
