//! The host's end of the conversation: the caller's terminal, signals and pipes on one side, the guest on the other.

use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;

use super::VmError;
use super::link::{self, STDIN_WINDOW, Setup, ToGuest, ToHost, WindowSize};
use super::qemu::Machine;

/// After that many requests to end, the machine is stopped even if the command does not react.
const PATIENCE: u32 = 3;

/// The size of the caller's terminal, if the command should get one: if input and output both are.
pub fn terminal_size() -> Option<WindowSize> {
    (io::stdin().is_terminal() && io::stdout().is_terminal()).then(window_size)
}

fn window_size() -> WindowSize {
    tcgetwinsize(io::stdout())
        .map(|size| WindowSize { rows: size.ws_row, columns: size.ws_col })
        .unwrap_or(WindowSize { rows: 24, columns: 80 })
}

/// Runs the command that `setup` names; its exit status.
///
/// # Errors
/// [`VmError::Stopped`] if the guest ends before the command, [`VmError::Link`] if the caller's side fails.
pub fn run(machine: Machine, setup: Setup) -> Result<i32, VmError> {
    let _raw = setup.terminal.is_some().then(RawTerminal::enter).transpose()?;
    let guest = Arc::new(Guest { link: Mutex::new(machine.link.try_clone()?), credit: Credit::default() });
    guest.send(&ToGuest::Setup(Box::new(setup)))?;
    forward_signals(Arc::clone(&guest))?;
    forward_input(Arc::clone(&guest))?;

    let mut link = io::BufReader::new(machine.link.try_clone()?);
    loop {
        match link::receive(&mut link) {
            Ok(Some(ToHost::Stdout(bytes))) => deliver(&guest, &mut io::stdout().lock(), &bytes)?,
            Ok(Some(ToHost::Stderr(bytes))) => deliver(&guest, &mut io::stderr().lock(), &bytes)?,
            Ok(Some(ToHost::Warning(text))) => eprintln!("twinboard: {text}"),
            Ok(Some(ToHost::StdinTaken(count))) => guest.credit.give_back(count as usize),
            Ok(Some(ToHost::Exit(status))) => return Ok(status),
            Ok(Some(ToHost::Hello | ToHost::Ended(_))) => {}
            Ok(None) | Err(_) => {
                let what = "stopped before the command ended".into();
                return Err(VmError::Stopped { what, log: machine.last_words() });
            }
        }
    }
}

/// Writes the command's output. If nobody reads it any more, the command is told as it would be at home.
fn deliver(guest: &Guest, to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    match to.write_all(bytes).and_then(|()| to.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => guest.send(&ToGuest::Signal(SIGPIPE)),
        other => other,
    }
}

/// The sending half of the link, shared by the threads that have something to say.
struct Guest {
    link: Mutex<UnixStream>,
    credit: Credit,
}

impl Guest {
    fn send(&self, message: &ToGuest) -> io::Result<()> {
        link::send(&mut *self.link.lock().unwrap_or_else(PoisonError::into_inner), message)
    }
}

/// How many bytes of standard input are under way.
#[derive(Default)]
struct Credit {
    used: Mutex<usize>,
    changed: Condvar,
}

impl Credit {
    /// Waits until something may be sent; how much.
    fn available(&self) -> usize {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let used = self.changed.wait_while(used, |used| *used >= STDIN_WINDOW).unwrap_or_else(PoisonError::into_inner);
        STDIN_WINDOW - *used
    }

    fn take(&self, count: usize) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) += count;
    }

    fn give_back(&self, count: usize) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(count);
        self.changed.notify_one();
    }
}

fn forward_input(guest: Arc<Guest>) -> io::Result<()> {
    thread::Builder::new().name("vm-input".into()).spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let room = guest.credit.available().min(buffer.len());
            // An error on input is its end, as for any program.
            let count = io::stdin().read(&mut buffer[..room]).unwrap_or(0);
            guest.credit.take(count);
            if guest.send(&ToGuest::Stdin(buffer[..count].to_vec())).is_err() || count == 0 {
                return;
            }
        }
    })?;
    Ok(())
}

fn forward_signals(guest: Arc<Guest>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGWINCH])?;
    thread::Builder::new().name("vm-signals".into()).spawn(move || {
        let mut requests = 0;
        for signal in signals.forever() {
            let message = match signal {
                SIGWINCH => ToGuest::Window(window_size()),
                _ => {
                    requests += 1;
                    ToGuest::Signal(signal)
                }
            };
            if guest.send(&message).is_err() || requests >= PATIENCE {
                // The guest sees the end of the link and powers off; the main thread sees the end of the guest.
                let link = guest.link.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = link.shutdown(std::net::Shutdown::Both);
                return;
            }
        }
    })?;
    Ok(())
}

/// The caller's terminal in raw mode: every key goes to the guest's terminal, which gives them their meaning.
struct RawTerminal(Termios);

impl RawTerminal {
    fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(RawTerminal(before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // Without the terminal there is nothing to restore.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_stops_at_the_window_until_the_guest_has_taken_some() {
        let credit = Arc::new(Credit::default());
        credit.take(STDIN_WINDOW - 10);
        assert_eq!(credit.available(), 10);
        credit.take(10);
        let waiter = Arc::clone(&credit);
        let waiting = thread::spawn(move || waiter.available());
        credit.give_back(100);
        assert_eq!(waiting.join().unwrap(), 100);
    }
}
