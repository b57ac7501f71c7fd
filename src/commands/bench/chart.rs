//! The chart: a bar per row, its parts side by side.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::report::{Measured, Parts, Report, Row};
use crate::failure::Failure;

const WIDTH: u32 = 960;
/// Where the bars begin, and how long the longest is.
const LEFT: i32 = 320;
const LENGTH: f64 = 570.0;
const TOP: i32 = 70;
const ROW: i32 = 22;
/// Room between two boards.
const GAP: i32 = 10;

/// The parts' colours, in their order; told apart also by people who see no red or no green.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 0, 0),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(200, 200, 200),
];

/// Draws `report` to `path`.
pub fn draw(report: &Report, path: &Path) -> Result<(), Failure> {
    let svg = svg(report).map_err(Failure::job)?;
    std::fs::write(path, svg)
        .map_err(|error| Failure::input(format!("{}: {error}", path.display()), "give a file that can be written"))
}

/// The chart as SVG.
pub fn svg(report: &Report) -> Result<String, String> {
    let mut svg = String::new();
    draw_on(report, &mut svg).map_err(|error| error.to_string())?;
    Ok(svg)
}

fn draw_on(report: &Report, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let rows: Vec<(&Row, Measured)> = report.rows.iter().filter_map(|row| Some((row, row.measured?))).collect();
    let mut places = Vec::new();
    let mut y = TOP;
    for (index, (row, _)) in rows.iter().enumerate() {
        if index > 0 && rows[index - 1].0.board != row.board {
            y += GAP;
        }
        places.push(y);
        y += ROW;
    }
    let longest = rows.iter().map(|(_, measured)| measured.total.as_secs_f64()).fold(1e-9, f64::max);
    let area = SVGBackend::with_string(svg, (WIDTH, (y + 15) as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let text = |size: i32, horizontal: HPos| {
        TextStyle::from(("sans-serif", size).into_font()).color(&BLACK).pos(Pos::new(horizontal, VPos::Center))
    };
    let settings =
        if report.what_if.is_empty() { String::new() } else { format!(", what if {}", report.what_if.join(", ")) };
    let title = format!(
        "Where the time goes: {} KB of program to the target's flash, in the board's own time{settings}",
        report.program_bytes / 1024
    );
    area.draw_text(&title, &text(15, HPos::Left), (10, 18))?;
    let mut x = 10;
    for (name, colour) in Parts::NAMES.iter().zip(COLOURS) {
        area.draw(&Rectangle::new([(x, 38), (x + 12, 50)], colour.filled()))?;
        area.draw_text(name, &text(13, HPos::Left), (x + 17, 44))?;
        x += 40 + 8 * name.len() as i32;
    }
    for ((row, measured), y) in rows.into_iter().zip(places) {
        let middle = y + ROW / 2;
        area.draw_text(&row.label(), &text(13, HPos::Right), (LEFT - 8, middle))?;
        let at = |seconds: f64| LEFT + (seconds / longest * LENGTH).round() as i32;
        let mut from = 0.0;
        for (part, colour) in measured.parts.list().into_iter().zip(COLOURS) {
            let to = from + part.as_secs_f64();
            if at(from) < at(to) {
                area.draw(&Rectangle::new([(at(from), y + 3), (at(to), y + ROW - 3)], colour.filled()))?;
            }
            from = to;
        }
        let label = format!("{:.2} s", measured.total.as_secs_f64());
        area.draw_text(&label, &text(13, HPos::Left), (at(from) + 6, middle))?;
    }
    area.present()?;
    Ok(())
}
