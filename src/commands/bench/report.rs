//! The report: rows as a table and as JSON.

use std::fmt::Write;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twinboard_sim::time::Span;

/// Picoseconds in a second.
const SECOND: f64 = 1e12;

/// Where the time of a row went. The parts add up to the whole; the command's documentation says what each is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    #[serde(with = "seconds")]
    pub host: Span,
    #[serde(with = "seconds")]
    pub usb: Span,
    #[serde(with = "seconds")]
    pub interface_cpu: Span,
    #[serde(with = "seconds")]
    pub swd_wire: Span,
    #[serde(with = "seconds")]
    pub flash_erase: Span,
    #[serde(with = "seconds")]
    pub flash_program: Span,
    #[serde(with = "seconds")]
    pub waiting: Span,
}

impl Parts {
    /// Their names, in order.
    pub const NAMES: [&'static str; 7] =
        ["host", "USB", "interface CPU", "SWD wire", "flash erase", "flash program", "waiting"];

    /// In the order of the names.
    pub fn list(&self) -> [Span; 7] {
        let Parts { host, usb, interface_cpu, swd_wire, flash_erase, flash_program, waiting } = *self;
        [host, usb, interface_cpu, swd_wire, flash_erase, flash_program, waiting]
    }
}

/// A measurement.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The board's own time.
    #[serde(rename = "seconds", with = "seconds")]
    pub total: Span,
    /// Where it went.
    pub parts: Parts,
    /// What this computer took, from power-on, in seconds.
    pub wall_seconds: f64,
}

/// A row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The board's name.
    pub board: String,
    /// `native`, or the version of the image.
    pub firmware: String,
    /// The image's file name; none for native firmware.
    pub image: Option<String>,
    /// How the program got there.
    pub way: String,
    /// What came out; none if it could not be measured.
    pub measured: Option<Measured>,
    /// Why not.
    pub reason: Option<String>,
    /// Settings of `--what-if` that change nothing here.
    pub not_reached: Vec<String>,
}

impl Row {
    /// KB of program per second.
    fn rate(&self, bytes: u64) -> Option<f64> {
        self.measured.map(|measured| bytes as f64 / 1000.0 / measured.total.as_secs_f64().max(1e-9))
    }

    /// What it is, for people.
    pub fn label(&self) -> String {
        format!("{} {} {}", self.board, self.firmware, self.way)
    }
}

/// The whole.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Version of twinboard.
    pub twinboard: String,
    /// Bytes of program.
    pub program_bytes: u64,
    /// The settings of `--what-if`.
    pub what_if: Vec<String>,
    /// What was measured, or could not be.
    pub rows: Vec<Row>,
    /// Official images that are not in the folder.
    pub missing_images: Vec<String>,
}

mod seconds {
    use super::{Deserialize, Deserializer, SECOND, Serializer, Span};

    pub fn serialize<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(span.0 as f64 / SECOND)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        if !(0.0..1e6).contains(&seconds) {
            return Err(serde::de::Error::custom(format!("a time in seconds, from 0 on, was expected, not {seconds}")));
        }
        Ok(Span((seconds * SECOND).round() as u64))
    }
}

/// The table for people.
pub fn table(report: &Report) -> String {
    let mut text = format!(
        "{} KB of program; seconds of the board's own time{}\n",
        report.program_bytes / 1024,
        if report.what_if.is_empty() { String::new() } else { format!("; what if {}", report.what_if.join(", ")) }
    );
    let firmware_width = report.rows.iter().map(|row| row.firmware.len()).max().unwrap_or(0).max("firmware".len());
    let board_width = report.rows.iter().map(|row| row.board.len()).max().unwrap_or(0).max("board".len());
    let head = format!("{:<board_width$} {:<firmware_width$} {:<13}", "board", "firmware", "way");
    let _ = write!(text, "{head} {:>8} {:>6}", "total", "KB/s");
    for name in Parts::NAMES {
        let _ = write!(text, " {:>w$}", name, w = name.len().max(7));
    }
    text += &format!(" {:>7}\n", "wall");
    let mut notes = String::new();
    for row in &report.rows {
        let _ = write!(text, "{:<board_width$} {:<firmware_width$} {:<13}", row.board, row.firmware, row.way);
        match (&row.measured, row.rate(report.program_bytes)) {
            (Some(measured), Some(rate)) => {
                let _ = write!(text, " {:>8.3} {rate:>6.1}", measured.total.as_secs_f64());
                for (name, part) in Parts::NAMES.iter().zip(measured.parts.list()) {
                    let _ = write!(text, " {:>w$.3}", part.as_secs_f64(), w = name.len().max(7));
                }
                text += &format!(" {:>7.2}\n", measured.wall_seconds);
            }
            _ => text += "  not measured\n",
        }
        if let Some(reason) = &row.reason {
            notes += &format!("- {}: {reason}\n", row.label());
        }
        if !row.not_reached.is_empty() {
            notes += &format!("- {}: not reached by {}\n", row.label(), row.not_reached.join(", "));
        }
    }
    for image in &report.missing_images {
        notes += &format!("- missing: {image}\n");
    }
    if notes.is_empty() { text } else { format!("{text}\n{notes}") }
}
