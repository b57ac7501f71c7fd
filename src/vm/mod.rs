//! Runs a command inside a small virtual machine that has a real Linux USB stack and the boards plugged into it.
//!
//! QEMU boots Debian's own kernel with this very program as init ([`guest`]). The guest's root file system is the
//! host's own tree, read-only, under an overlay that forgets everything at the end; only what is written below the
//! output directory comes back. Boards are served by USB/IP from the host process and reach the guest's `vhci_hcd`
//! through QEMU's user-mode network. Neither root nor a kernel module is needed on the host.
//!
//! ```text
//! host process ── USB/IP server ◄── 10.0.2.2 ──┐
//!      │                                       │ guest
//!      └── link (virtio serial) ──► init ──► vhci_hcd, mounts, names, COMMAND
//! ```
//!
//! A start goes through [`kernel`] (where the kernel comes from), [`prepare`] (the files for QEMU), [`qemu`] (start,
//! KVM or emulation) and [`session`] (terminal, signals, output), which talks over [`link`] to the [`guest`]. A scenario
//! has several commands for one machine: then a [`conversation`] takes the session's place.

pub mod conversation;
pub mod guest;

mod bzimage;
mod cpio;
mod kernel;
mod link;
mod modules;
mod prepare;
mod qemu;
mod session;
mod tsc;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

/// What to run, and with which boards.
#[derive(Debug, Clone)]
pub struct VmOptions {
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// What is plugged in.
    pub cables: Cables,
    /// The directory that the guest may write to; see [`output_directory`].
    pub out: PathBuf,
    /// The guest's memory in MiB; files that the command writes outside `out` live in it as well.
    pub memory_mib: u32,
}

/// What reaches into the guest.
#[derive(Debug, Clone, Default)]
pub struct Cables {
    /// The port of a USB/IP server on this machine's loopback interface, and the bus ids to plug in, in this order.
    pub usbip: Option<(u16, Vec<String>)>,
    /// The port of a control server on this machine's loopback interface, which commands find in `$TWINBOARD_CONTROL`.
    pub control: Option<u16>,
}

/// A machine that has booted and waits for its boards and its commands. Ends with this value.
pub struct Booted {
    machine: qemu::Machine,
    /// The directory that the guest may write to, made whole.
    out: PathBuf,
}

/// Why no command ran in a virtual machine.
#[derive(Debug, Error, Diagnostic)]
pub enum VmError {
    /// No QEMU, or one that cannot be run.
    #[error("the virtual machine cannot start: {program} cannot be run")]
    #[diagnostic(help("install QEMU for x86-64: `apt-get install qemu-system-x86`"))]
    Qemu {
        /// The program that was tried.
        program: String,
        /// Why it did not run.
        source: io::Error,
    },
    /// No kernel for the guest.
    #[error("there is no Linux kernel for the virtual machine: {what}")]
    #[diagnostic(help(
        "on Debian run `apt-get update` and try again (the package linux-image-amd64 is fetched without root), or \
         install that package; elsewhere unpack it and set TWINBOARD_VM_KERNEL to the directory with boot/ and lib/"
    ))]
    Kernel {
        /// What was looked for and not found.
        what: String,
    },
    /// A file for the guest cannot be read or made.
    #[error("the virtual machine cannot be prepared: {}", path.display())]
    Prepare {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The guest did not come up, or stopped before its command ended.
    #[error("the virtual machine {what}")]
    #[diagnostic(help("its last words:\n{log}"))]
    Stopped {
        /// What it did, or did not.
        what: String,
        /// The end of the guest's console and of QEMU's complaints.
        log: String,
    },
    /// The guest does not take commands.
    #[error("the virtual machine {what}")]
    Deaf {
        /// What it did instead.
        what: String,
    },
    /// Whoever waited does not want to any more.
    #[error("interrupted")]
    Interrupted,
    /// The conversation with the guest broke.
    #[error("the virtual machine cannot be talked to")]
    Link(#[from] io::Error),
    /// The guest is made for x86-64 and runs this very program.
    #[error("the virtual machine runs on x86-64 machines only")]
    #[diagnostic(help("use `twinboard run` and attach the boards with the system's own `usbip`"))]
    Machine,
}

impl VmError {
    fn prepare(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| VmError::Prepare { path, source }
    }
}

/// Runs the command to its end. The status is the command's own, or 128 + n if signal n ended it.
///
/// Standard input, output and error are the command's; if both input and output are a terminal, it gets one too.
///
/// # Errors
/// [`VmError`], if the command could not be run or the guest stopped before its end.
pub fn run(options: &VmOptions) -> Result<i32, VmError> {
    let new = !options.out.exists();
    let Booted { machine, out } = boot(&options.out, options.memory_mib)?;
    let command = options.command.iter().map(|part| part.clone().into_vec()).collect();
    let mut setup = setup(command, &options.cables, env::current_dir()?, out.clone());
    setup.terminal = session::terminal_size();
    let status = session::run(machine, setup);
    if new {
        // Stays if there is something in it.
        let _ = fs::remove_dir(out);
    }
    status
}

/// Boots a machine whose guest may write to `out`, which is made if it is not there, and has so much memory in MiB.
///
/// # Errors
/// [`VmError`].
pub fn boot(out: &Path, memory_mib: u32) -> Result<Booted, VmError> {
    if !cfg!(target_arch = "x86_64") {
        return Err(VmError::Machine);
    }
    let counter = tsc::Reading::now();
    let cache = prepare::cache_directory().map_err(VmError::prepare(Path::new("the cache directory")))?;
    fs::create_dir_all(out).map_err(VmError::prepare(out))?;
    let out = out.canonicalize().map_err(VmError::prepare(out))?;
    let kernel = kernel::locate(&cache)?;
    let files = prepare::prepare(&kernel, &cache)?;
    let machine = qemu::start(&qemu::Guest { files: &files, out: &out, memory_mib, counter }, &cache)?;
    Ok(Booted { machine, out })
}

/// Where the guest's files go: `$TWINBOARD_OUT`, by default `twinboard-out` in the working directory.
pub fn output_directory() -> PathBuf {
    env::var_os("TWINBOARD_OUT").map_or_else(|| PathBuf::from("twinboard-out"), PathBuf::from)
}

fn setup(command: Vec<Vec<u8>>, cables: &Cables, directory: PathBuf, out: PathBuf) -> link::Setup {
    let mut environment: Vec<(Vec<u8>, Vec<u8>)> = env::vars_os()
        .filter(|(name, _)| name != "TWINBOARD_OUT" && name != "TWINBOARD_CONTROL")
        .map(|(name, value)| (name.into_vec(), value.into_vec()))
        .collect();
    environment.push((b"TWINBOARD_OUT".to_vec(), out.clone().into_os_string().into_vec()));
    if let Some(port) = cables.control {
        let endpoint = format!("tcp:{}", SocketAddr::from((HOST_SEEN_BY_GUEST, port)));
        environment.push((b"TWINBOARD_CONTROL".to_vec(), endpoint.into_bytes()));
    }
    let (usbip, devices) = match &cables.usbip {
        Some((port, devices)) => (Some(SocketAddr::from((HOST_SEEN_BY_GUEST, *port))), devices.clone()),
        None => (None, Vec::new()),
    };
    link::Setup { command, environment, directory, out, terminal: None, usbip, devices }
}

/// QEMU's user-mode network shows the host's loopback interface under this address.
const HOST_SEEN_BY_GUEST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
