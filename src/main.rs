//! `twinboard`: simulated development boards on the USB cable.

mod cli;
mod commands;
mod control;
mod failure;
mod setup;
mod sound;
mod state;
mod vm;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    if vm::guest::is_init() {
        vm::guest::main();
    }
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_env("TWINBOARD_LOG"))
        .with_writer(std::io::stderr)
        .init();
    // Usage errors end in clap, with exit code 2.
    match commands::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
