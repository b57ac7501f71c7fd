//! `twinboard bench [flash]`: measures how long flashing takes, and says where each second went.
//!
//! A program of 64 KB (`--size`) is written to the target of every board, by its native firmware and by every official
//! interface image that the images folder has, in three ways: dropped on the drive as Intel HEX, over CMSIS-DAP v1 (HID),
//! and over CMSIS-DAP v2 (bulk). Time is the board's own, what a real one would take; it is the same in every run. `wall`
//! is what this computer took. A row counts only if the target's flash then is what was written.
//!
//! Exit code 1 if nothing could be measured, or if native firmware or one of the images of `--interface` could not; the
//! table and standard error say which and why.
//!
//! # What is measured
//!
//! *Drag-and-drop*: from the first WRITE of the copy, as Linux' `cp` and `umount` order them, to the end of the last; not
//! the drive's going and coming back afterwards. *CMSIS-DAP*: from DAP_Info to the target's start: connect, reset and halt,
//! download of a routine into RAM, and each page erased, sent and written ([`twinboard_usbip::host::flasher`]). SWCLK is
//! 1 MHz, as pyOCD, OpenOCD and probe-rs set it if nothing else is said; as many commands are on their way as the probe
//! takes; pages are erased one by one; the routine waits for READY; there are two buffers.
//!
//! # Where the time went
//!
//! Every instant belongs to the first of these that it fits, so the parts add up to the whole:
//!
//! | part | the instant belongs to it when |
//! |---|---|
//! | `flash_erase` | the target's flash controller erases |
//! | `flash_program` | it writes a word |
//! | `swd_wire` | SWCLK runs: between two edges of a burst, or within a transfer |
//! | `usb` | a transaction is on the bus |
//! | `interface_cpu` | the interface chip's CPU works. Native firmware: by its calibrated times. Emulated: its core executes, and neither sleeps nor turns in a loop that was found to change nothing; so a wait that is no such loop counts as work |
//! | `usb` | a transfer waits for its turn on the bus: for the next frame, or for an interrupt endpoint's poll |
//! | `host` | no transfer is in flight |
//! | `waiting` | nothing of the above: the device said NAK, and its firmware waits for a timer or for something to happen |
//!
//! The host in this process needs no time of its own, so `host` is nothing unless `host-latency` is set.
//!
//! # What if
//!
//! `--what-if KEY=VALUE`, as often as wanted. A row that a setting does not reach says so (`not reached`).
//!
//! | setting | changes | reaches |
//! |---|---|---|
//! | `swd-clock=HZ` (`4MHz`, `500kHz`) | DAP_SWJ_Clock of the host; DAP_DEFAULT_SWJ_CLOCK of native firmware | CMSIS-DAP; drag-and-drop by native firmware |
//! | `transport=hid` or `bulk` | only this interface carries CMSIS-DAP | CMSIS-DAP |
//! | `packet-count=N` (1 to 8) | commands on their way at once, at most what the probe takes; DAP_PACKET_COUNT of native firmware. Firmware takes the next packet when it is done with the last, so this hides HID's polls and the host's latency, and nothing else | CMSIS-DAP |
//! | `erase=page` or `chip` | page by page, or ERASEALL before the first; drag-and-drop by the vendor command SelectEraseMode | CMSIS-DAP; drag-and-drop from version 0255 on |
//! | `readynext=on` or `off` | the routine in the target's RAM waits for READYNEXT instead of READY | CMSIS-DAP on an nRF52 |
//! | `double-buffering=on` or `off` | the next page is sent while the last one is being written | CMSIS-DAP |
//! | `host-latency=TIME` (`100us`, `1ms`) | a delay before each URB | all |
//!
//! Not there, because it would not be honest: READYNEXT and double buffering in a drag-and-drop. The flash algorithm and
//! the order of work of an official image are its own, and the native firmware's are those of DAPLink.
//!
//! # `twinboard bench compare OLD.json NEW.json`
//!
//! Two reports of `--json`, row by row. Rows belong together by board, firmware and way; where a board and a way have one
//! row left on each side, these two: so two versions are compared by `--firmware 0255 --json old.json` and `--firmware
//! 0258-beta3 --json new.json`, two builds of one's own by `--interface old.hex` and `--interface new.hex`. Exit code 0, whatever the difference; 2 for a file that is no report, with the place.

mod candidates;
mod chart;
mod compare;
mod flash;
mod measure;
mod program;
mod report;
#[cfg(test)]
mod tests;
mod what_if;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::failure::Failure;
use what_if::WhatIf;

/// `bench`, alone or with a command.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BenchOptions {
    #[command(subcommand)]
    command: Option<BenchCommand>,
    #[command(flatten)]
    flash: FlashOptions,
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// Measure flashing (this is what `bench` alone does, too).
    Flash(FlashOptions),
    /// Compare two reports of `bench flash --json`.
    Compare {
        /// The earlier report.
        old: PathBuf,
        /// The later one.
        new: PathBuf,
    },
}

/// What is measured, and where it goes.
#[derive(Clone, Debug, Default, Args)]
pub struct FlashOptions {
    /// Only these boards (default: all built-in ones).
    #[arg(long = "board", value_name = "BOARD")]
    boards: Vec<String>,
    /// Only these firmwares: `native`, or a version as `0257` or `0258-beta3` (default: all).
    #[arg(long = "firmware", value_name = "VERSION")]
    firmwares: Vec<String>,
    /// Measure this interface firmware, on the boards of `--board` or on the one that it says it is for. Native firmware
    /// and official images come beside it if `--firmware` names them.
    #[arg(long = "interface", value_name = "IMAGE")]
    interfaces: Vec<PathBuf>,
    /// Only these ways (default: all).
    #[arg(long = "way", value_name = "WAY")]
    ways: Vec<Way>,
    /// Kilobytes of program, 1 to 240.
    #[arg(long, value_name = "KB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=240))]
    size: u32,
    /// Change something and see what it does: swd-clock, transport, packet-count, erase, readynext, double-buffering,
    /// host-latency.
    #[arg(long = "what-if", value_name = "KEY=VALUE")]
    what_if: Vec<WhatIf>,
    /// The folder of official images; by default $TWINBOARD_IMAGES, else the user's cache.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Write the report as JSON, `-` for standard output instead of the table.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the report as SVG.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
}

/// How a program gets to the target.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub enum Way {
    /// Dropped on the drive.
    Drop,
    /// CMSIS-DAP v1.
    Hid,
    /// CMSIS-DAP v2.
    Bulk,
}

impl Way {
    /// All of them.
    const ALL: [Way; 3] = [Way::Drop, Way::Hid, Way::Bulk];

    /// As reports name it.
    fn name(self) -> &'static str {
        match self {
            Way::Drop => "drag-and-drop",
            Way::Hid => "CMSIS-DAP v1",
            Way::Bulk => "CMSIS-DAP v2",
        }
    }
}

/// Runs `bench`.
pub fn run(options: BenchOptions) -> Result<ExitCode, Failure> {
    match options.command {
        None => flash::run(&options.flash),
        Some(BenchCommand::Flash(options)) => flash::run(&options),
        Some(BenchCommand::Compare { old, new }) => compare::run(&old, &new),
    }
}
