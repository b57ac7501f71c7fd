//! One direction of a USB endpoint: its EasyDMA registers and its buffer in the controller.

use twinboard_sim::usb::MAX_PACKET;

use crate::nordic::peripheral::us;

/// The buffer of an endpoint stands between the bus and EasyDMA: a packet is in it whole, or not at all.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// PTR.
    pub ptr: u32,
    /// MAXCNT, 0 to 64.
    pub maxcnt: u32,
    /// AMOUNT: bytes that EasyDMA moved last.
    pub amount: u32,
    /// The local buffer.
    pub buffer: [u8; MAX_PACKET],
    /// Bytes in the buffer. OUT: SIZE.
    pub len: usize,
    /// IN: the packet waits for the host. OUT: it waits for EasyDMA.
    pub full: bool,
    /// OUT: the next packet is taken.
    pub armed: bool,
    /// OUT: the cycle at which EasyDMA last made room in the buffer.
    pub freed: u64,
    /// The next packet is DATA1.
    pub toggle: bool,
    /// EPSTALL.
    pub stalled: bool,
}

impl Default for Endpoint {
    fn default() -> Endpoint {
        Endpoint {
            ptr: 0,
            maxcnt: 0,
            amount: 0,
            buffer: [0; MAX_PACKET],
            len: 0,
            full: false,
            armed: false,
            freed: 0,
            toggle: false,
            stalled: false,
        }
    }
}

impl Endpoint {
    /// What a bus reset leaves: the registers that the program has set.
    pub fn forget_traffic(&mut self) {
        let Endpoint { ptr, maxcnt, amount, .. } = *self;
        *self = Endpoint { ptr, maxcnt, amount, ..Endpoint::default() };
    }

    /// Whether a packet is in the buffer that would still be on the wire at `now`: the host of this model sends a packet in
    /// no time, one of a real bus takes its time at 12 Mbit/s (sync, PID and CRC are 35 bits).
    #[must_use]
    pub fn is_arriving(&self, now: u64) -> bool {
        self.full && now < self.freed + us(35 + 8 * self.len as u64) / 12
    }

    /// A packet arrives from the bus. False if it is a repetition, which is acknowledged and dropped.
    pub fn take(&mut self, toggle: bool, data: &[u8]) -> bool {
        if toggle != self.toggle {
            return false;
        }
        self.toggle = !toggle;
        self.len = data.len().min(MAX_PACKET);
        self.buffer[..self.len].copy_from_slice(&data[..self.len]);
        (self.full, self.armed) = (true, false);
        true
    }

    /// The packet in the buffer goes to the bus, and the host has acknowledged it; its length and its toggle.
    pub fn give(&mut self, buffer: &mut [u8; MAX_PACKET]) -> (usize, bool) {
        buffer[..self.len].copy_from_slice(&self.buffer[..self.len]);
        self.full = false;
        let toggle = self.toggle;
        self.toggle = !toggle;
        (self.len, toggle)
    }
}
