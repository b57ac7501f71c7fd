//! The response queues of the USB functions that carry CMSIS-DAP.
//!
//! Each function has a few packet buffers, eight on a micro:bit V2. A command is executed straight into a free one; the response waits there
//! until the host fetches it. HID and endpoint 0 share one such function, the bulk endpoints have another.

use super::packet::PACKET_SIZE;

/// A response to be sent: its packet and how many bytes of it count.
pub type Packet = ([u8; PACKET_SIZE], usize);

/// More responses wait than the function has buffers for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("as many responses as there are buffers wait to be fetched")]
pub struct QueueFull;

/// The most packets that a function's queue can hold.
pub const MAX_PACKETS: usize = 8;

/// A function's queue, and what its IN endpoint holds.
#[derive(Debug)]
pub struct DapFunction {
    /// How many buffers are used.
    packets: usize,
    /// Buffers keep what was in them: a HID report is sent whole, with the rest of an older response behind the newer.
    buffers: [[u8; PACKET_SIZE]; MAX_PACKETS],
    lengths: [usize; MAX_PACKETS],
    first: usize,
    count: usize,
    /// The IN endpoint holds nothing that the host has not fetched.
    endpoint_idle: bool,
    /// The report that GET_REPORT returns when no response waits.
    in_report: [u8; PACKET_SIZE],
}

impl DapFunction {
    /// An empty queue for `packets` responses, at most [`MAX_PACKETS`].
    #[must_use]
    pub fn new(packets: usize) -> DapFunction {
        DapFunction {
            packets: packets.min(MAX_PACKETS),
            buffers: [[0; PACKET_SIZE]; MAX_PACKETS],
            lengths: [0; MAX_PACKETS],
            first: 0,
            count: 0,
            endpoint_idle: true,
            in_report: [0; PACKET_SIZE],
        }
    }

    /// Whether a HID report is `DAP_TransferAbort`, which is neither queued nor answered. Commands are executed one at
    /// a time, so there is none to abort.
    #[must_use]
    pub fn is_abort(report: &[u8]) -> bool {
        report.first() == Some(&0x07)
    }

    /// The buffer for the next response; commit it with [`DapFunction::respond`].
    ///
    /// # Errors
    /// [`QueueFull`] if the host has not fetched enough. Over HID that is an assertion of the firmware (ASSERT.TXT),
    /// over bulk the command is dropped.
    pub fn buffer(&mut self) -> Result<&mut [u8; PACKET_SIZE], QueueFull> {
        if self.count == self.packets {
            return Err(QueueFull);
        }
        Ok(&mut self.buffers[(self.first + self.count) % MAX_PACKETS])
    }

    /// The buffer now holds a response of `length` bytes. What is to be put into the IN endpoint, if that is idle.
    pub fn respond(&mut self, length: usize) -> Option<Packet> {
        self.lengths[(self.first + self.count) % MAX_PACKETS] = length.min(PACKET_SIZE);
        self.count = (self.count + 1).min(self.packets);
        if self.endpoint_idle { self.sent() } else { None }
    }

    /// The host has fetched what was in the IN endpoint. What is to be put there next.
    pub fn sent(&mut self) -> Option<Packet> {
        let next = self.take();
        self.endpoint_idle = next.is_none();
        next
    }

    /// GET_REPORT: the next response if one waits, else the report that was last sent.
    pub fn get_report(&mut self) -> [u8; PACKET_SIZE] {
        self.take();
        self.in_report
    }

    fn take(&mut self) -> Option<Packet> {
        if self.count == 0 {
            return None;
        }
        let (packet, length) = (self.buffers[self.first], self.lengths[self.first]);
        self.first = (self.first + 1) % MAX_PACKETS;
        self.count -= 1;
        self.in_report = packet;
        Some((packet, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respond(function: &mut DapFunction, byte: u8) -> Option<Packet> {
        function.buffer().expect("a buffer")[0] = byte;
        function.respond(1)
    }

    #[test]
    fn the_first_response_goes_to_the_endpoint_and_the_others_follow_in_order() {
        let mut function = DapFunction::new(MAX_PACKETS);
        assert_eq!(respond(&mut function, 1).map(|(p, n)| (p[0], n)), Some((1, 1)));
        assert_eq!(respond(&mut function, 2), None);
        assert_eq!(respond(&mut function, 3), None);
        assert_eq!(function.sent().map(|(p, _)| p[0]), Some(2));
        assert_eq!(function.sent().map(|(p, _)| p[0]), Some(3));
        assert_eq!(function.sent(), None);
        assert_eq!(respond(&mut function, 4).map(|(p, _)| p[0]), Some(4));
    }

    #[test]
    fn eight_responses_wait_beside_the_one_at_the_endpoint_and_no_more() {
        let mut function = DapFunction::new(MAX_PACKETS);
        for i in 0..9 {
            respond(&mut function, i);
        }
        assert_eq!(function.buffer(), Err(QueueFull));
        function.sent();
        assert!(function.buffer().is_ok());
    }

    #[test]
    fn a_short_queue_gives_every_response_once_and_in_order() {
        // A micro:bit V1 has five buffers; the host keeps them filled.
        let mut function = DapFunction::new(5);
        let mut fetched = Vec::new();
        for i in 0..40 {
            fetched.extend(respond(&mut function, i).map(|(p, _)| p[0]));
            if i >= 5 {
                fetched.extend(function.sent().map(|(p, _)| p[0]));
            }
        }
        assert_eq!(function.buffer().err(), None);
        let expected: Vec<u8> = (0..fetched.len() as u8).collect();
        assert_eq!(fetched, expected);
        assert!(fetched.len() > 30);
    }

    #[test]
    fn get_report_repeats_the_last_report_when_nothing_waits() {
        let mut function = DapFunction::new(MAX_PACKETS);
        respond(&mut function, 1);
        assert_eq!(function.get_report()[0], 1);
        respond(&mut function, 2);
        assert_eq!(function.get_report()[0], 2);
        assert_eq!(function.get_report()[0], 2);
    }
}
