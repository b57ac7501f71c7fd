//! `twinboard vm [--board BOARD]… -- COMMAND…`: runs a command in a small virtual machine with the boards plugged in.
//!
//! The exit status is the command's own, or 128 + n if signal n ended it. The guest sees the host's file system;
//! what the command writes is forgotten at the end, except below `$TWINBOARD_OUT`. `twinboard ctl -` acts on the boards.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::ExitCode;

use super::run::Served;
use crate::cli::BoardOptions;
use crate::failure::Failure;
use crate::vm::{self, VmOptions};

/// Runs `command` with `boards` plugged in.
pub fn run(
    boards: &[String],
    listen: Option<SocketAddr>,
    control: Option<&str>,
    options: &BoardOptions,
    command: Vec<String>,
) -> Result<ExitCode, Failure> {
    let mut served = Served::start(boards, options)?;
    if let Some(listen) = listen {
        served.listen(listen)?;
    }
    served.control_at(control)?;
    let options = VmOptions {
        command: command.into_iter().map(OsString::from).collect(),
        cables: served.cables()?,
        out: vm::output_directory(),
        memory_mib: 1024,
    };
    let status = vm::run(&options).map_err(|error| Failure::Job(error.into()))?;
    served.stop()?;
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(1)))
}
