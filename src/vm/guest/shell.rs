//! Shell commands that come from the host one after the other, for scenarios.
//!
//! Each has a shell of its own. What it prints goes to a file: a program that it leaves behind in the background may hold
//! that open for as long as it likes, and nobody waits for it.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::super::link::{self, OUTPUT_LIMIT, Setup, ToGuest, ToHost};
use super::Host;
use super::command::{enter, environment, reap};
use super::usb::Socket;

/// Between two looks whether the boards are usable.
const LOOK: Duration = Duration::from_millis(10);

/// The process group of the command that runs.
type Group = Arc<Mutex<Option<Pid>>>;

/// What the host wants.
enum Order {
    Shell(Vec<u8>),
    Ready(Duration),
}

/// Takes orders until the host goes away.
///
/// # Errors
/// Those of the link, and of the thread that listens to the host.
pub fn serve(port: File, setup: &Setup, sockets: &[Socket], host: &Host) -> io::Result<()> {
    enter(setup)?;
    let group = Group::default();
    let (sender, orders) = mpsc::channel();
    let its_group = Arc::clone(&group);
    thread::Builder::new().name("host".into()).spawn(move || {
        listen(port, &sender, &its_group);
        // The host is gone: nobody is left to work for.
        let _ = rustix::system::reboot(rustix::system::RebootCommand::PowerOff);
    })?;
    host.send(&ToHost::Ended(0))?;
    for (number, order) in orders.into_iter().enumerate() {
        let status = match order {
            Order::Ready(within) => i32::from(!ready(sockets, within)),
            Order::Shell(text) => run(&text, number, setup, &group, host).unwrap_or_else(|error| {
                host.warn(format!("sh: {error}"));
                126
            }),
        };
        host.send(&ToHost::Ended(status))?;
    }
    Ok(())
}

fn listen(mut port: File, orders: &mpsc::Sender<Order>, group: &Group) {
    while let Ok(Some(message)) = link::receive(&mut port) {
        match message {
            // The receiving end lives as long as this process.
            ToGuest::Shell(text) => drop(orders.send(Order::Shell(text))),
            ToGuest::Ready(ms) => drop(orders.send(Order::Ready(Duration::from_millis(ms.into())))),
            ToGuest::Signal(number) => {
                let group = *group.lock().unwrap_or_else(PoisonError::into_inner);
                if let (Some(group), Some(signal)) = (group, Signal::from_named_raw(number)) {
                    // A command that has just ended needs no signal.
                    let _ = kill_process_group(group, signal);
                }
            }
            ToGuest::Setup(_) | ToGuest::Stdin(_) | ToGuest::Window(_) => {}
        }
    }
}

/// Runs a command to its end and sends what it printed; its status.
fn run(text: &[u8], number: usize, setup: &Setup, group: &Group, host: &Host) -> io::Result<i32> {
    let path = format!("/run/twinboard-shell-{number}");
    let output = OpenOptions::new().read(true).append(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    let mut command = Command::new("/bin/sh");
    command.arg("-ec").arg(OsStr::from_bytes(text)).env_clear().envs(environment(setup));
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?).process_group(0);
    let process = Pid::from_child(&command.spawn()?);
    let set = |running| *group.lock().unwrap_or_else(PoisonError::into_inner) = running;
    set(Some(process));
    let status = reap(process);
    set(None);
    host.send(&ToHost::Stdout(end_of(&output)?))?;
    let status = status?;
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}

/// The last of what a file holds, as much as is judged.
fn end_of(file: &File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let count = length.min(OUTPUT_LIMIT as u64);
    let mut bytes = vec![0; count as usize];
    file.read_exact_at(&mut bytes, length - count)?;
    Ok(bytes)
}

/// Waits until all functions of the boards are usable and their drives mounted; whether they are.
fn ready(sockets: &[Socket], within: Duration) -> bool {
    let limit = Instant::now() + within;
    loop {
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mounted = |disk: &String| mounts.lines().any(|line| line.starts_with(&format!("/dev/{disk}")));
        if sockets.iter().all(|socket| socket.ready() && socket.disks().iter().all(mounted)) {
            return true;
        }
        if Instant::now() >= limit {
            return false;
        }
        thread::sleep(LOOK);
    }
}
