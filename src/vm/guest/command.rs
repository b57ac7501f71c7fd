//! The command: its pipes or its terminal, its signals and its end.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, setsid};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use thiserror::Error;

use super::super::link::{self, Setup, ToGuest, ToHost, WindowSize};
use super::Host;

/// Why the command does not run.
#[derive(Debug, Error)]
pub enum Failure {
    /// The guest is not as it should be.
    #[error("the virtual machine: {0}")]
    Guest(#[from] io::Error),
    /// The command itself cannot be started.
    #[error("{}: {error}", name.to_string_lossy())]
    Command {
        /// Its name.
        name: OsString,
        /// The reason.
        error: io::Error,
    },
}

impl Failure {
    /// The exit status by the convention of shells and `env`.
    pub fn status(&self) -> i32 {
        match self {
            Failure::Guest(_) => 125,
            Failure::Command { error, .. } if error.kind() == io::ErrorKind::NotFound => 127,
            Failure::Command { .. } => 126,
        }
    }
}

/// The running command.
pub struct Running {
    /// Also its process group.
    process: Pid,
    input: mpsc::Sender<Vec<u8>>,
    terminal: Option<File>,
    outputs: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts the command that `setup` names.
    ///
    /// # Errors
    /// [`Failure`], with the status to report.
    pub fn start(setup: &Setup, host: &Host) -> Result<Running, Failure> {
        let mut parts = setup.command.iter().map(|part| OsStr::from_bytes(part));
        let name = parts.next().unwrap_or_else(|| OsStr::new("sh"));
        let failed = |error| Failure::Command { name: name.to_owned(), error };
        enter(setup)?;
        let mut command = Command::new(name);
        command.args(parts).env_clear().envs(environment(setup));
        match setup.terminal {
            Some(size) => Self::on_terminal(command, size, host).map_err(failed),
            None => Self::on_pipes(command, host).map_err(failed),
        }
    }

    fn on_pipes(mut command: Command, host: &Host) -> io::Result<Running> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().map(|pipe| forward(pipe, ToHost::Stdout, host)).transpose()?;
        let stderr = child.stderr.take().map(|pipe| forward(pipe, ToHost::Stderr, host)).transpose()?;
        let pipe = child.stdin.take().map(|pipe| File::from(OwnedFd::from(pipe)));
        Ok(Running {
            process: Pid::from_child(&child),
            input: feed(pipe, host)?,
            terminal: None,
            outputs: stdout.into_iter().chain(stderr).collect(),
        })
    }

    fn on_terminal(mut command: Command, size: WindowSize, host: &Host) -> io::Result<Running> {
        let control = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        unlockpt(&control)?;
        let name = ptsname(&control, Vec::new())?;
        let terminal = OpenOptions::new().read(true).write(true).open(OsStr::from_bytes(name.as_bytes()))?;
        let control = File::from(control);
        resize(&control, size);
        command.stdin(terminal.try_clone()?).stdout(terminal.try_clone()?).stderr(terminal);
        let adopt_terminal = || {
            setsid()?;
            rustix::process::ioctl_tiocsctty(io::stdin())?;
            Ok(())
        };
        // SAFETY: between fork and exec the closure makes two system calls and nothing else: it neither allocates nor
        // takes a lock that another thread could hold.
        unsafe { command.pre_exec(adopt_terminal) };
        let child = command.spawn()?;
        // Our copies of the terminal must go, or its end would never show.
        drop(command);
        Ok(Running {
            process: Pid::from_child(&child),
            input: feed(Some(control.try_clone()?), host)?,
            outputs: vec![forward(control.try_clone()?, ToHost::Stdout, host)?],
            terminal: Some(control),
        })
    }

    /// Serves the command until it ends, then ends everything it left behind; its exit status.
    ///
    /// # Errors
    /// Those of waiting and of starting the thread that listens to the host.
    pub fn finish(self, port: File, host: &Host) -> io::Result<i32> {
        let (process, terminal, input) = (self.process, self.terminal, self.input);
        thread::Builder::new().name("host".into()).spawn(move || {
            listen(port, process, terminal.as_ref(), &input);
            // The host is gone: nobody is left to work for.
            let _ = rustix::system::reboot(rustix::system::RebootCommand::PowerOff);
        })?;
        let status = reap(process)?;
        // To init, "group 1" is minus one to kill(2): every process but itself. What they wrote is still in the pipes.
        let _ = kill_process_group(Pid::INIT, Signal::KILL);
        for output in self.outputs {
            if output.join().is_err() {
                host.warn("some of the command's output is lost".into());
            }
        }
        Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
    }
}

/// Goes to the caller's working directory.
///
/// # Errors
/// That it is not there, with its name.
pub fn enter(setup: &Setup) -> io::Result<()> {
    std::env::set_current_dir(&setup.directory)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", setup.directory.display())))
}

/// The caller's environment.
pub fn environment(setup: &Setup) -> impl Iterator<Item = (OsString, OsString)> {
    setup.environment.iter().map(|(name, value)| (OsString::from_vec(name.clone()), OsString::from_vec(value.clone())))
}

/// Waits for the command's end; collects orphans meanwhile, as is init's duty.
///
/// # Errors
/// Those of waiting.
pub fn reap(process: Pid) -> io::Result<ExitStatus> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((ended, status))) if ended == process => return Ok(ExitStatus::from_raw(status.as_raw())),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Does what the host says until it goes away.
fn listen(mut port: File, process: Pid, terminal: Option<&File>, input: &mpsc::Sender<Vec<u8>>) {
    while let Ok(Some(message)) = link::receive(&mut port) {
        match message {
            // The feeding thread lives as long as this end of its channel.
            ToGuest::Stdin(bytes) => drop(input.send(bytes)),
            ToGuest::Signal(number) => {
                if let Some(signal) = Signal::from_named_raw(number) {
                    // A command that has just ended needs no signal.
                    let _ = kill_process_group(process, signal);
                }
            }
            ToGuest::Window(size) => {
                if let Some(terminal) = terminal {
                    resize(terminal, size);
                }
            }
            ToGuest::Setup(_) | ToGuest::Shell(_) | ToGuest::Ready(_) => {}
        }
    }
}

fn resize(terminal: &File, size: WindowSize) {
    // A terminal that keeps its size still works.
    let _ = tcsetwinsize(terminal, Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 });
}

/// Copies what the command writes to the host until all writers have closed.
fn forward(
    mut from: impl Read + Send + 'static,
    wrap: fn(Vec<u8>) -> ToHost,
    host: &Host,
) -> io::Result<JoinHandle<()>> {
    let host = host.clone();
    thread::Builder::new().name("output".into()).spawn(move || {
        let mut buffer = [0; 16 * 1024];
        loop {
            match from.read(&mut buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // A terminal whose last user has closed it reads as an I/O error.
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    if host.send(&wrap(buffer[..count].to_vec())).is_err() {
                        return;
                    }
                }
            }
        }
    })
}

/// Hands standard input to the command in a thread of its own: a command that does not read must not delay signals.
fn feed(to: Option<File>, host: &Host) -> io::Result<mpsc::Sender<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel::<Vec<u8>>();
    let host = host.clone();
    thread::Builder::new().name("input".into()).spawn(move || {
        let mut to = to;
        for bytes in receiver {
            // Empty is the end of the input. A command that has closed its input loses the rest, as with any pipe.
            if bytes.is_empty() || to.as_mut().is_some_and(|to| to.write_all(&bytes).is_err()) {
                to = None;
            }
            if host.send(&ToHost::StdinTaken(bytes.len() as u32)).is_err() {
                return;
            }
        }
    })?;
    Ok(sender)
}
