//! Who is next on the bus (USB 2.0 §5.5.4, §5.7.4, §5.8.4): interrupt endpoints when it is their turn in a frame, then
//! control and bulk endpoints one after the other, as long as the frame has room.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::UsbPort;

use super::pipe::Verdict;
use super::{Status, Vhc, bits, bus};
use crate::descriptor::TransferType;

impl Vhc {
    pub(super) fn start_frame(&mut self, port: &mut dyn UsbPort) {
        let frame = self.now.0 / bus::FRAME.0;
        port.sof(self.now, (frame & 0x7ff) as u16);
        self.next_sof = next_frame(self.now + Span::ps(1));
        self.bus_free = self.bus_free.max(self.now + bus::SOF);
        self.frame_full = false;
        self.due = 0;
        for index in bits(self.periodic & self.pending) {
            let pipe = &mut self.pipes[index];
            if pipe.next_poll <= frame {
                // An endpoint that would answer NAK again has had its turn; only the token is left out.
                if self.waiting & 1 << index == 0 {
                    self.due |= 1 << index;
                }
                pipe.next_poll = frame + pipe.interval;
            }
        }
    }

    /// Pipes that could have a transaction now, interrupt ones only if it is their turn.
    pub(super) fn runnable(&self) -> u32 {
        let served = if self.addressing { 1 } else { u32::MAX };
        self.pending & !self.waiting & served & (self.due | !self.periodic)
    }

    /// Puts the next token on the bus, if there is one and the frame has room for its transaction.
    pub(super) fn choose(&mut self) {
        let runnable = self.runnable();
        if runnable == 0 || self.frame_full {
            return;
        }
        let periodic = runnable & self.due;
        let index = if periodic != 0 {
            periodic.trailing_zeros()
        } else {
            let after_turn = u32::MAX.checked_shl(self.turn + 1).unwrap_or(0);
            let next = if runnable & after_turn != 0 { runnable & after_turn } else { runnable };
            next.trailing_zeros()
        };
        let start = self.now.max(self.bus_free).max(self.quiet_until);
        let (lead, whole) = self.pipes[index as usize].next_duration();
        if start + whole > self.next_sof {
            self.frame_full = true;
        } else {
            self.chosen = Some((index as usize, start + lead));
        }
    }

    pub(super) fn transact(&mut self, port: &mut dyn UsbPort, index: usize) {
        let bit = 1 << index;
        let (lead, _) = self.pipes[index].next_duration();
        let (verdict, tail) = self.pipes[index].transact(port, self.now, self.address);
        self.bus_free = self.now + tail;
        if let Some(log) = &mut self.log {
            log.transaction(self.now, lead, tail);
        }
        if self.periodic & bit == 0 {
            self.turn = index as u32;
        }
        self.due &= !bit;
        match verdict {
            Verdict::Moved => {}
            Verdict::Waiting => self.waiting |= bit,
            Verdict::Ended(status) => {
                self.end(index, status);
                if status == Status::Stall && self.pipes[index].kind != TransferType::Control {
                    self.pipes[index].halted = true;
                    while !self.pipes[index].queue.is_empty() {
                        self.end(index, Status::Stall);
                    }
                }
            }
        }
    }
}

/// The first frame boundary at or after `at`.
pub(super) fn next_frame(at: Time) -> Time {
    Time(at.0.saturating_add(bus::FRAME.0 - 1) / bus::FRAME.0 * bus::FRAME.0)
}
