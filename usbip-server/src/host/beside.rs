//! Acting beside the host's drivers, at the board's time: while a driver waits for the board, somebody else may press a
//! button, watch the display, or type into the terminal program.

use std::collections::VecDeque;
use std::fmt;

use twinboard_sim::machine::Machine;
use twinboard_sim::time::Time;

use super::{Host, endpoint};
use crate::descriptor::TransferType;
use crate::vhc::Urb;

/// What somebody beside the drivers can reach.
#[derive(Debug)]
pub struct Beside<'a, M> {
    /// The board.
    pub machine: &'a mut M,
    /// Whether the device that was enumerated is still there.
    pub present: bool,
    /// What has arrived at the serial port and nobody has read; none if the port is not open.
    pub received: Option<&'a mut VecDeque<u8>>,
    /// Bytes that the device's drive took so far, commands included.
    pub drive_bytes: u64,
    /// What is to be sent to the serial port, if it is open.
    pub outgoing: &'a mut Vec<u8>,
}

/// Somebody who acts beside the drivers. Enumeration is not interrupted.
pub trait Attendant<M>: Send {
    /// When it is to be asked next. It moves on with every call of [`Attendant::attend`].
    fn next(&self) -> Time;

    /// The time has come.
    fn attend(&mut self, beside: &mut Beside<'_, M>);
}

/// Who attends, if anybody does.
pub(super) struct Attending<M>(Option<Box<dyn Attendant<M>>>);

impl<M> Default for Attending<M> {
    fn default() -> Self {
        Attending(None)
    }
}

impl<M> fmt::Debug for Attending<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "somebody" } else { "nobody" })
    }
}

impl<M: Machine> Host<M> {
    /// From now on `attendant` acts beside the drivers; nobody, if none. The answer is who did so far.
    pub fn attended_by(&mut self, attendant: Option<Box<dyn Attendant<M>>>) -> Option<Box<dyn Attendant<M>>> {
        std::mem::replace(&mut self.attending.0, attendant)
    }

    /// Does something beside the drivers, now.
    pub fn beside<R>(&mut self, act: impl FnOnce(&mut Beside<'_, M>) -> R) -> R {
        let mut outgoing = Vec::new();
        let present = self.is_present();
        let drive_bytes = self.drive_bytes();
        let received = self.serial.as_mut().map(|serial| serial.received());
        let result =
            act(&mut Beside { machine: &mut self.machine, present, received, drive_bytes, outgoing: &mut outgoing });
        if let Some(endpoint) = self.serial.as_ref().map(|serial| serial.data_out())
            && !outgoing.is_empty()
        {
            // Nobody waits for its end; a device that is busy takes it later.
            let id = self.submit(Urb::write(0, endpoint, outgoing));
            self.unattended.push(id);
        }
        result
    }

    /// Bytes that the device's drive took so far, commands included; 0 if there is none.
    #[must_use]
    pub fn drive_bytes(&self) -> u64 {
        let drive = self.interface(|i| (i.class, i.protocol) == (0x08, 0x50), "mass-storage interface");
        drive.and_then(|i| endpoint(i, TransferType::Bulk, false)).map_or(0, |end| self.vhc.taken(end.address))
    }

    /// Makes time pass until `until`, or until a URB has ended, the device came or went, or somebody had to be asked.
    pub fn turn(&mut self, until: Time) {
        let wake = self.attending.0.as_ref().map_or(Time::NEVER, |attendant| attendant.next());
        self.vhc.run(&mut self.machine, until.min(wake));
        self.collect();
        if self.now() < wake {
            return;
        }
        if let Some(mut attendant) = self.attending.0.take() {
            self.beside(|beside| attendant.attend(beside));
            self.attending.0 = Some(attendant);
        }
    }
}
