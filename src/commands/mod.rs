//! The commands, one file each. A file's documentation is the command's manual page.

pub mod bench;
mod boards;
mod check;
pub mod ctl;
mod demo;
mod flash;
mod images;
pub mod run;
pub mod scenario;
mod vm;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::failure::Failure;

/// Runs a command; the answer is the exit code.
pub fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Boards { json } => boards::run(json),
        Command::Images { dir, check, json } => images::run(dir, check, json),
        Command::Demo => demo::run(),
        Command::Flash { board, file, options } => flash::run(&board, &file, &options),
        Command::Run { boards, listen, control, options } => run::run(&boards, listen, control.as_deref(), &options),
        Command::Vm { boards, listen, control, options, command } => {
            vm::run(&boards, listen, control.as_deref(), &options, command)
        }
        Command::Bench(options) => bench::run(options),
        Command::Scenario(command) => scenario::run(command),
        Command::Ctl(options) => ctl::run(options),
    }
}
