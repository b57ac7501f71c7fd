//! CMSIS-DAP packets: a request read byte by byte, and a response written byte by byte, neither beyond its packet.
//!
//! The original does not check lengths: a request that ends early is completed by whatever an earlier one left in the
//! buffer, and a response that is too long runs over the next buffer. Here what is missing reads as 0, and what does
//! not fit is dropped.

/// The largest packet, in bytes.
pub const PACKET_SIZE: usize = 64;

/// The bytes of a request that are not consumed yet.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a>(&'a [u8]);

impl<'a> Request<'a> {
    /// All of `bytes`, cut to a packet.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Request<'a> {
        Request(&bytes[..bytes.len().min(PACKET_SIZE)])
    }

    /// The next byte.
    pub fn u8(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// The next two bytes, little endian.
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    /// The next four bytes, little endian.
    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes([self.u8(), self.u8(), self.u8(), self.u8()])
    }

    /// The next `count` bytes, or as many as there are.
    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// The next `count` bits, LSB first, from whole bytes; at most 64.
    pub fn bits(&mut self, count: u32) -> u64 {
        let mut value = [0; 8];
        for (to, from) in value.iter_mut().zip(self.bytes(count.div_ceil(8).min(8) as usize)) {
            *to = *from;
        }
        u64::from_le_bytes(value)
    }
}

/// A response under construction in a packet buffer. Bytes that are not written keep what was there.
#[derive(Debug)]
pub struct Response<'a> {
    packet: &'a mut [u8; PACKET_SIZE],
    length: usize,
}

impl<'a> Response<'a> {
    /// An empty response in `packet`.
    pub fn new(packet: &'a mut [u8; PACKET_SIZE]) -> Response<'a> {
        Response { packet, length: 0 }
    }

    /// Bytes so far.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Bytes that still fit.
    #[must_use]
    pub fn room(&self) -> usize {
        PACKET_SIZE - self.length
    }

    /// Adds a byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    /// Adds four bytes, little endian.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let count = bytes.len().min(self.room());
        self.packet[self.length..self.length + count].copy_from_slice(&bytes[..count]);
        self.length += count;
    }

    /// Leaves room for `count` bytes that are known later; their place.
    pub fn reserve(&mut self, count: usize) -> usize {
        let place = self.length;
        self.length = (self.length + count).min(PACKET_SIZE);
        place
    }

    /// Writes a byte at a place that [`Response::reserve`] gave.
    pub fn set(&mut self, place: usize, value: u8) {
        if let Some(byte) = self.packet[..self.length].get_mut(place) {
            *byte = value;
        }
    }
}
