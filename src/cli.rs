//! What the command line looks like. It is a contract: scripts are written against it.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::commands::bench::BenchOptions;
use crate::commands::ctl::CtlOptions;
use crate::commands::scenario::ScenarioCommand;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Simulates whole development boards: interface MCU, target MCU and the wires between them, behind a real USB device.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the built-in boards.
    Boards {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Power a micro:bit V2, drop a program on its drive and show what it does.
    Demo,
    /// Power boards and serve them by USB/IP until Ctrl-C.
    Run {
        /// Boards: built-in names or board files.
        #[arg(required = true)]
        boards: Vec<String>,
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:3240")]
        listen: SocketAddr,
        /// Let `twinboard ctl` act on the boards through this socket: a path, or tcp:127.0.0.1:PORT.
        #[arg(long, value_name = "PATH")]
        control: Option<String>,
        /// The boards' options.
        #[command(flatten)]
        options: BoardOptions,
    },
    /// Run a command in a small virtual machine with the boards plugged in.
    Vm {
        /// Boards to plug in: built-in names or board files.
        #[arg(long = "board", value_name = "BOARD")]
        boards: Vec<String>,
        /// Where to listen; by default only the virtual machine reaches the boards.
        #[arg(long)]
        listen: Option<SocketAddr>,
        /// Let `twinboard ctl` on this machine act on the boards, too: a path, or tcp:127.0.0.1:PORT. The command
        /// itself always can, through $TWINBOARD_CONTROL.
        #[arg(long, value_name = "PATH")]
        control: Option<String>,
        /// The boards' options.
        #[command(flatten)]
        options: BoardOptions,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Drop a file on a board's drive, in process, and show where the time went.
    Flash {
        /// A built-in name or a board file.
        board: String,
        /// The file to drop.
        file: PathBuf,
        /// The board's options.
        #[command(flatten)]
        options: BoardOptions,
    },
    /// Make boards misbehave on purpose, and judge what comes of it.
    #[command(subcommand)]
    Scenario(ScenarioCommand),
    /// Measure how long flashing takes on every board and firmware, and where each second goes.
    Bench(BenchOptions),
    /// Act on a board that runs: press, tilt, unplug, look at its display.
    Ctl(CtlOptions),
    /// Recognise and verify official images.
    Images {
        /// The folder; by default $TWINBOARD_IMAGES, else the user's cache.
        dir: Option<PathBuf>,
        /// Run every interface image and show what works, as a table.
        #[arg(long)]
        check: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Options that `run`, `vm` and `flash` share.
#[derive(Clone, Debug, Default, Args)]
pub struct BoardOptions {
    /// How virtual time relates to the wall clock. Default: elastic for run and vm, free for flash.
    #[arg(long, value_name = "MODE")]
    pub clock: Option<ClockMode>,
    /// Interface firmware image to run instead of the native firmware. Given once, every board runs it; given once for
    /// each board, each runs its own, in the boards' order.
    #[arg(long, value_name = "IMAGE")]
    pub interface: Vec<PathBuf>,
    /// Bootloader image of the interface MCU.
    #[arg(long, value_name = "IMAGE")]
    pub bootloader: Option<PathBuf>,
    /// Run interface MCU images that do not fit the chip, or are damaged, all the same.
    #[arg(long)]
    pub force: bool,
    /// Image in the target's flash at power-on. Once for all boards or once for each, as --interface.
    #[arg(long, value_name = "IMAGE")]
    pub target: Vec<PathBuf>,
    /// ELF file of the target's program: names of functions for messages. Those of --target count without.
    #[arg(long, value_name = "ELF")]
    pub symbols: Option<PathBuf>,
    /// Power on with the reset button held.
    #[arg(long)]
    pub hold_reset: bool,
    /// Record all wires.
    #[arg(long, value_name = "FILE")]
    pub vcd: Option<PathBuf>,
    /// Record what the speaker plays, from the first sound on.
    #[arg(long, value_name = "FILE")]
    pub wav: Option<PathBuf>,
    /// Play a WAV file to the microphone, again and again.
    #[arg(long, value_name = "FILE")]
    pub microphone: Option<PathBuf>,
    /// Record all USB traffic as pcapng.
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// Serve GDB's remote protocol for a chip.
    #[arg(long, value_name = "CHIP=ADDR")]
    pub gdb: Vec<String>,
    /// Keep flash contents in this folder.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Override a setting of the board file.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Results as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Clock modes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ClockMode {
    /// Virtual time follows the wall clock.
    Paced,
    /// Fast while the host waits for the board, real time while the board waits for the host.
    Elastic,
    /// As fast as the machine can.
    Free,
    /// As free, on one thread.
    Stepped,
}
