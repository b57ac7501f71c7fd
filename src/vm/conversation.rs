//! Several commands for one machine: each has a shell of its own in the guest, a time, and an answer.

use std::env;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::SIGKILL;

use super::link::{self, ToGuest, ToHost};
use super::qemu::Machine;
use super::{Booted, Cables, VmError, setup};

/// From booted to a system with its boards; a loaded machine may take many times what is usual.
const SETTLES_WITHIN: Duration = Duration::from_secs(120);
/// How long a command that was killed may take to say what it printed.
const DIES_WITHIN: Duration = Duration::from_secs(5);
/// How often whoever waits is asked whether to go on.
const LOOK: Duration = Duration::from_millis(50);

/// A machine that takes commands. Ends with this value.
pub struct Conversation {
    machine: Machine,
    link: UnixStream,
    heard: mpsc::Receiver<ToHost>,
}

/// What came of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ran {
    /// Its status, 128 + n if signal n ended it; none if it did not end in its time and was killed.
    pub status: Option<i32>,
    /// What it printed to standard output and error, in its order; of more than a mebibyte the end.
    pub output: Vec<u8>,
}

/// Whether to give up waiting.
pub type GiveUp<'a> = &'a dyn Fn() -> bool;

impl Conversation {
    /// Plugs boards in and waits until they are usable. Commands run in `directory`.
    ///
    /// # Errors
    /// [`VmError`].
    pub fn begin(
        booted: Booted,
        cables: &Cables,
        directory: &Path,
        give_up: GiveUp<'_>,
    ) -> Result<Conversation, VmError> {
        let Booted { machine, out } = booted;
        let mut setup = setup(Vec::new(), cables, directory.canonicalize()?, out);
        // So that commands can say `"$TWINBOARD" ctl - …`.
        setup.environment.push((b"TWINBOARD".to_vec(), env::current_exe()?.into_os_string().into_vec()));
        let mut reader = io::BufReader::new(machine.link.try_clone()?);
        let (sender, heard) = mpsc::channel();
        thread::Builder::new().name("vm-link".into()).spawn(move || {
            while let Ok(Some(message)) = link::receive(&mut reader) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        })?;
        let link = machine.link.try_clone()?;
        let mut conversation = Conversation { machine, link, heard };
        conversation.send(&ToGuest::Setup(Box::new(setup)))?;
        match conversation.answer(SETTLES_WITHIN, give_up)?.status {
            Some(_) => Ok(conversation),
            None => Err(conversation.stopped("did not get ready in time")),
        }
    }

    /// Runs a command; it is killed if it takes longer than `within`.
    ///
    /// # Errors
    /// [`VmError`].
    pub fn shell(&mut self, command: &str, within: Duration, give_up: GiveUp<'_>) -> Result<Ran, VmError> {
        self.send(&ToGuest::Shell(command.into()))?;
        let ran = self.answer(within, give_up)?;
        if ran.status.is_some() {
            return Ok(ran);
        }
        self.send(&ToGuest::Signal(SIGKILL))?;
        Ok(Ran { status: None, ..self.answer(DIES_WITHIN, give_up)? })
    }

    /// Waits until all functions of the boards are usable and their drives mounted; whether they are by the end of `within`.
    ///
    /// # Errors
    /// [`VmError`].
    pub fn ready(&mut self, within: Duration, give_up: GiveUp<'_>) -> Result<bool, VmError> {
        self.send(&ToGuest::Ready(u32::try_from(within.as_millis()).unwrap_or(u32::MAX)))?;
        Ok(self.answer(within + DIES_WITHIN, give_up)?.status == Some(0))
    }

    /// What the guest's console said so far.
    pub fn console(&self) -> Vec<u8> {
        self.machine.console()
    }

    /// Waits for the end of what was asked for last.
    fn answer(&mut self, within: Duration, give_up: GiveUp<'_>) -> Result<Ran, VmError> {
        let limit = Instant::now() + within;
        let mut output = Vec::new();
        loop {
            if give_up() {
                return Err(VmError::Interrupted);
            }
            let rest = limit.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(rest.min(LOOK)) {
                Ok(ToHost::Stdout(bytes) | ToHost::Stderr(bytes)) => output.extend(bytes),
                Ok(ToHost::Warning(text)) => eprintln!("twinboard: {text}"),
                Ok(ToHost::Ended(status)) => return Ok(Ran { status: Some(status), output }),
                Ok(ToHost::Exit(status)) => {
                    return Err(VmError::Deaf { what: format!("gave up with status {status}") });
                }
                Ok(ToHost::Hello | ToHost::StdinTaken(_)) => {}
                Err(RecvTimeoutError::Timeout) if rest.is_zero() => return Ok(Ran { status: None, output }),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.stopped("stopped")),
            }
        }
    }

    fn send(&mut self, message: &ToGuest) -> Result<(), VmError> {
        link::send(&mut self.link, message).map_err(|_| self.stopped("stopped"))
    }

    fn stopped(&self, what: &str) -> VmError {
        VmError::Stopped { what: what.into(), log: self.machine.last_words() }
    }
}
