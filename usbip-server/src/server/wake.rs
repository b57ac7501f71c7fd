//! A mailbox whose owner sleeps in `poll`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, unbounded};
use rustix::event::{EventfdFlags, eventfd};

/// The sending half; clones send to the same mailbox.
#[derive(Debug)]
pub(super) struct Mailer<T> {
    messages: Sender<T>,
    bell: Arc<OwnedFd>,
}

impl<T> Clone for Mailer<T> {
    fn clone(&self) -> Self {
        Mailer { messages: self.messages.clone(), bell: self.bell.clone() }
    }
}

/// The receiving half.
#[derive(Debug)]
pub(super) struct Mailbox<T> {
    messages: Receiver<T>,
    bell: Arc<OwnedFd>,
}

/// A mailbox.
pub(super) fn mailbox<T>() -> io::Result<(Mailer<T>, Mailbox<T>)> {
    let bell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
    let (sender, receiver) = unbounded();
    Ok((Mailer { messages: sender, bell: bell.clone() }, Mailbox { messages: receiver, bell }))
}

impl<T> Mailer<T> {
    /// Sends a message and wakes the owner; gives it back if the owner is gone.
    pub(super) fn send(&self, message: T) -> Result<(), T> {
        self.messages.send(message).map_err(|refused| refused.0)?;
        // The only error is a counter at its limit, and then the bell rings anyway.
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        Ok(())
    }
}

impl<T> Mailbox<T> {
    /// What to poll for readability.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Silences the bell; call it before looking for messages, so that none is missed.
    pub(super) fn silence(&self) {
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
    }

    /// The next message.
    pub(super) fn next(&self) -> Option<T> {
        self.messages.try_recv().ok()
    }
}
