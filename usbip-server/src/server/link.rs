//! The URB channel of one attached client, without its socket: bytes in, URBs to the host controller, bytes out.
//!
//! The rules that keep Linux's vhci alive: every submit and every unlink gets exactly one answer; after the answer to
//! an unlink that took its victim back, the victim gets none; an answer never has more data than was asked for. What a
//! client may have in flight is bounded, and so is what waits to be read by it.
//!
//! vhci sends submits and unlinks from two queues. A URB that is submitted and unlinked at once (a port that is closed
//! while its data arrive) can therefore be unlinked first and submitted afterwards. What vhci makes of an answer to such
//! an unlink depends on whether it has sent the submit by then: if not, it takes it for "was given back already" and goes
//! on waiting for the submit's answer; if so, it gives the URB back, and an answer to the submit would tear the link
//! down. So the unlink is answered when its submit has come, and the submit is not.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use twinboard_sim::machine::Machine;

use crate::pcap::Tap;
use crate::proto::wire::{NO_PACKETS, URB_ZERO_PACKET};
use crate::proto::{Command, Decoder, ProtocolError, Submit, answer};
use crate::vhc::{Completion, Status, Urb, UrbId, Vhc};

/// Output that waits to be read beyond which nothing new is taken from the client.
const MAX_OUTPUT: usize = 4 << 20;
/// Bytes of all URBs in flight, as usbfs bounds them.
const MAX_BYTES: usize = 16 << 20;
/// URBs in flight.
const MAX_URBS: usize = 4096;
/// The hub driver's way to read the device descriptor right after a bus reset, and nobody else's. The reset itself
/// never reaches a USB/IP server.
const RESET_MARKER: [u8; 8] = [0x80, 0x06, 0x00, 0x01, 0x00, 0x00, 0x40, 0x00];
/// Set in the id of a URB whose submit had [`NO_PACKETS`] for number_of_packets, which the answer repeats.
const NO_PACKETS_MARK: UrbId = 1 << 32;

const EINVAL: i32 = -22;
const ENOMEM: i32 = -12;

/// See the module's description.
#[derive(Debug)]
pub struct Link {
    decoder: Decoder,
    /// The address the device gets back after a bus reset.
    address: u8,
    out: Vec<u8>,
    /// How much of `out` has gone.
    sent: usize,
    urbs: usize,
    bytes: usize,
    /// The submit that came last; their seqnums go up.
    newest: Option<u32>,
    /// Unlinks whose victims have not come yet: victim, and the unlink's own seqnum.
    early: BTreeSet<(u32, u32)>,
}

impl Link {
    /// A link whose decoder is past the import.
    pub fn new(decoder: Decoder, address: u8) -> Link {
        Link { decoder, address, out: Vec::new(), sent: 0, urbs: 0, bytes: 0, newest: None, early: BTreeSet::new() }
    }

    /// Whether more can be taken from the client.
    pub fn is_open(&self) -> bool {
        self.output().len() < MAX_OUTPUT
    }

    /// What waits to be sent.
    pub fn output(&self) -> &[u8] {
        &self.out[self.sent..]
    }

    /// The output, for what is said before the first answer.
    pub fn output_mut(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// The first `count` bytes of the output have gone.
    pub fn consume(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.out.len() {
            self.out.clear();
            self.out.shrink_to(MAX_OUTPUT);
            self.sent = 0;
        } else if self.sent > MAX_OUTPUT {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Takes bytes from the client.
    ///
    /// # Errors
    /// [`ProtocolError`]: the connection must be closed.
    pub fn receive<M: Machine + ?Sized>(
        &mut self,
        mut input: &[u8],
        vhc: &mut Vhc,
        machine: &mut M,
        tap: &mut Option<Tap>,
    ) -> Result<(), ProtocolError> {
        while let Some(command) = self.decoder.decode(&mut input)? {
            match command {
                Command::Submit(submit) => self.submit(submit, vhc, machine, tap),
                Command::Unlink { seqnum, victim } => self.unlink(seqnum, victim, vhc, tap),
                // Operations belong to the time before the import; the decoder no longer knows them.
                Command::List | Command::Import(_) => {}
            }
        }
        Ok(())
    }

    /// Answers every URB that has ended.
    pub fn collect(&mut self, vhc: &mut Vhc, tap: &mut Option<Tap>) {
        while let Some(done) = vhc.pop() {
            self.answer(done, vhc, tap);
        }
    }

    fn submit<M: Machine + ?Sized>(&mut self, submit: Submit, vhc: &mut Vhc, machine: &mut M, tap: &mut Option<Tap>) {
        if submit.ep == 0 && submit.setup == RESET_MARKER {
            vhc.reset(machine, Some(self.address));
            self.collect(vhc, tap);
        }
        let (seqnum, packets) = (submit.seqnum, submit.number_of_packets);
        self.newest = Some(seqnum);
        if self.was_unlinked(seqnum) {
            self.decoder.recycle(submit.data);
            return;
        }
        match self.urb(submit) {
            Ok(urb) => {
                if let Some(tap) = tap {
                    tap.submitted(vhc, &urb);
                }
                self.urbs += 1;
                self.bytes += urb.length;
                vhc.submit(urb);
                self.collect(vhc, tap);
            }
            Err(errno) => answer::submit(&mut self.out, seqnum, packets, errno, 0, &[]),
        }
    }

    fn urb(&mut self, submit: Submit) -> Result<Urb, i32> {
        if let Some(errno) = submit.refused {
            return Err(errno);
        }
        let length = usize::try_from(submit.length).map_err(|_| EINVAL)?;
        if self.urbs >= MAX_URBS || self.bytes + length > MAX_BYTES {
            return Err(ENOMEM);
        }
        let setup = (submit.ep == 0).then_some(submit.setup);
        // A control transfer's direction is that of its request; data the other way makes no sense.
        if setup.is_some_and(|setup| length > 0 && (setup[0] & 0x80 != 0) != submit.is_in) {
            return Err(EINVAL);
        }
        let mark = if submit.number_of_packets == NO_PACKETS { NO_PACKETS_MARK } else { 0 };
        Ok(Urb {
            id: UrbId::from(submit.seqnum) | mark,
            endpoint: submit.ep | if submit.is_in { 0x80 } else { 0 },
            setup,
            zero_packet: submit.flags & URB_ZERO_PACKET != 0,
            buffer: submit.data,
            length,
        })
    }

    fn unlink(&mut self, seqnum: u32, victim: u32, vhc: &mut Vhc, tap: &mut Option<Tap>) {
        // What has ended is answered first, so that "not found" below means "answered before".
        self.collect(vhc, tap);
        if self.is_to_come(victim) && self.early.len() < MAX_URBS {
            self.early.insert((victim, seqnum));
            return;
        }
        let victim = UrbId::from(victim);
        let status = match vhc.cancel(victim).or_else(|| vhc.cancel(victim | NO_PACKETS_MARK)) {
            Some(urb) => {
                if let Some(tap) = tap {
                    tap.ended(vhc, &urb, answer::UNLINKED, 0);
                }
                self.release(urb);
                answer::UNLINKED
            }
            None => 0,
        };
        answer::unlink(&mut self.out, seqnum, status);
    }

    /// Answers the unlinks that waited for the submit `seqnum`, which has come, and those whose victims never will: a
    /// later one has come. Whether `seqnum` was taken back.
    fn was_unlinked(&mut self, seqnum: u32) -> bool {
        let mut taken_back = false;
        while let Some((victim, unlink)) = self.early.iter().copied().find(|(victim, _)| !self.is_to_come(*victim)) {
            self.early.remove(&(victim, unlink));
            let is_first = victim == seqnum && !std::mem::replace(&mut taken_back, true);
            answer::unlink(&mut self.out, unlink, if is_first { answer::UNLINKED } else { 0 });
        }
        taken_back
    }

    /// Whether a submit has a later seqnum than all that have come.
    fn is_to_come(&self, seqnum: u32) -> bool {
        self.newest.is_none_or(|newest| (seqnum.wrapping_sub(newest) as i32) > 0)
    }

    fn answer(&mut self, done: Completion, vhc: &Vhc, tap: &mut Option<Tap>) {
        let Completion { urb, status, actual } = done;
        let packets = if urb.id & NO_PACKETS_MARK != 0 { NO_PACKETS } else { 0 };
        let good = status == Status::Done;
        let actual = if good { actual } else { 0 };
        let data = if good && urb.is_in() { &urb.buffer[..] } else { &[] };
        answer::submit(&mut self.out, urb.id as u32, packets, status.errno(), actual, data);
        if let Some(tap) = tap {
            tap.ended(vhc, &urb, status.errno(), actual);
        }
        self.release(urb);
    }

    fn release(&mut self, urb: Urb) {
        self.urbs = self.urbs.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(urb.length);
        self.decoder.recycle(urb.buffer);
    }
}
