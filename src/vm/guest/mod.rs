//! Init of the guest: the first process that the kernel starts, from the initial root file system.
//!
//! It loads modules, says hello to the host, plugs the boards in, builds the root file system out of the host's tree,
//! waits until the boards are usable, runs the command and reports its status, or runs commands as they come
//! ([`shell`]). From then on it keeps the drives mounted and the names in `/dev` right, and plugs boards in again when
//! they re-enumerate.

mod attach;
mod command;
mod drives;
mod fat;
mod names;
mod network;
mod root;
mod shell;
mod uevent;
mod usb;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::system::{RebootCommand, reboot};

use super::link::{self, Setup, ToGuest, ToHost};
use super::prepare::{LINK_LIST, REST_LIST};
use super::qemu::LINK_PORT;

/// How long the command waits for the boards, at most.
const BOARDS_LIMIT: Duration = Duration::from_secs(20);

/// Whether this process is the guest's init.
pub fn is_init() -> bool {
    std::process::id() == 1 && std::env::args_os().next().is_some_and(|name| name.as_bytes() == b"/init")
}

/// The guest, from its first instruction in user space to power-off.
pub fn main() -> ! {
    if let Err(error) = boot() {
        // The console is the only way out when the link is not there or broke.
        eprintln!("twinboard init: {error}");
    }
    // Nothing to do about a file system that cannot be synchronised: the host reads what has arrived.
    rustix::fs::sync();
    let _ = reboot(RebootCommand::PowerOff);
    std::process::exit(1);
}

fn boot() -> io::Result<()> {
    root::kernel_file_systems()?;
    load_modules(LINK_LIST)?;
    let mut port = open_link()?;
    let host = Host(Arc::new(Mutex::new(port.try_clone()?)));
    host.send(&ToHost::Hello)?;
    let Some(ToGuest::Setup(setup)) = link::receive(&mut port)? else {
        return Err(io::Error::other("the host sent no set-up"));
    };
    if let Err(error) = serve(&setup, port, &host) {
        host.warn(format!("{error}"));
        host.send(&ToHost::Exit(error.status()))?;
    }
    Ok(())
}

/// Everything from the set-up message to the end.
fn serve(setup: &Setup, port: File, host: &Host) -> Result<(), command::Failure> {
    let sockets = settle(setup, host)?;
    if setup.command.is_empty() {
        return Ok(shell::serve(port, setup, &sockets, host)?);
    }
    let status = command::Running::start(setup, host)?.finish(port, host)?;
    drives::unmount_all();
    Ok(host.send(&ToHost::Exit(status))?)
}

/// Plugs the boards in and makes the system that commands see; the boards' sockets.
fn settle(setup: &Setup, host: &Host) -> Result<Vec<usb::Socket>, command::Failure> {
    let events = uevent::Events::open()?;
    load_modules(REST_LIST)?;
    // Nobody else asks drives whether their medium was changed; a quarter of a second is soon enough.
    fs::write("/sys/module/block/parameters/events_dfl_poll_msecs", "250")?;
    network::configure()?;
    let sockets = setup.usbip.map(|server| attach::plug_in(server, &setup.devices, host)).transpose()?;
    root::build(&setup.out)?;
    let sockets = sockets.unwrap_or_default();
    wait_for(&sockets, host);
    let mut drives = drives::Drives::default();
    let mut names = names::Names::default();
    for device in uevent::present() {
        names.apply(&device);
        drives.apply(&device);
    }
    std::thread::Builder::new().name("uevents".into()).spawn(move || {
        for event in events {
            names.apply(&event);
            drives.apply(&event);
        }
    })?;
    Ok(sockets)
}

/// Waits until every board's functions have their drivers and nodes.
fn wait_for(sockets: &[usb::Socket], host: &Host) {
    let limit = Instant::now() + BOARDS_LIMIT;
    for socket in sockets {
        while !socket.ready() {
            if Instant::now() > limit {
                host.warn(format!("{}: not all of its functions came up", socket.bus_id));
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The way back to the host, for all threads.
#[derive(Clone)]
struct Host(Arc<Mutex<File>>);

impl Host {
    fn send(&self, message: &ToHost) -> io::Result<()> {
        link::send(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), message)
    }

    /// Tells the person at the terminal; the console is the second choice.
    fn warn(&self, text: String) {
        if self.send(&ToHost::Warning(text.clone())).is_err() {
            eprintln!("{text}");
        }
    }
}

/// Loads what a list names, one `path parameters` per line.
fn load_modules(list: &str) -> io::Result<()> {
    for line in fs::read_to_string(list)?.lines() {
        let (path, parameters) = line.split_once(' ').unwrap_or((line, ""));
        let parameters = std::ffi::CString::new(parameters).map_err(io::Error::other)?;
        // One module that does not load must not take the others with it; what is really missing shows itself.
        if let Err(error) = rustix::system::finit_module(File::open(path)?, &parameters, 0) {
            let _ = writeln!(io::stderr(), "twinboard init: {path}: {error}");
        }
    }
    Ok(())
}

/// Opens the virtio serial port with our name.
fn open_link() -> io::Result<File> {
    for _ in 0..400 {
        for port in fs::read_dir("/sys/class/virtio-ports").into_iter().flatten().flatten() {
            let name = fs::read_to_string(port.path().join("name")).unwrap_or_default();
            if name.trim_end() == LINK_PORT {
                let node = Path::new("/dev").join(port.file_name());
                return OpenOptions::new().read(true).write(true).open(node);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(io::Error::other("the port to the host did not appear"))
}
