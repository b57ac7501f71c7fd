//! What drivers hand to a host controller and get back.

/// Names a URB; chosen by whoever submits it, unique among those in flight.
pub type UrbId = u64;

/// A USB request block: one transfer of any length to or from one endpoint.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Urb {
    /// Its name.
    pub id: UrbId,
    /// Endpoint address: number in bits 3:0, bit 7 set for IN. For a control transfer the direction is that of
    /// `setup`, and this bit is ignored.
    pub endpoint: u8,
    /// The SETUP packet of a control transfer, as on the wire.
    pub setup: Option<[u8; 8]>,
    /// End an OUT transfer whose length is a multiple of the packet size with a packet of no bytes.
    pub zero_packet: bool,
    /// OUT: the data. IN: where the data goes; whatever is in it is cleared, its capacity is used.
    pub buffer: Vec<u8>,
    /// IN: the most bytes the host takes. Not used for OUT.
    pub length: usize,
}

impl Urb {
    /// A bulk or interrupt read of up to `length` bytes; `endpoint` has bit 7 set.
    #[must_use]
    pub fn read(id: UrbId, endpoint: u8, length: usize) -> Urb {
        Urb { id, endpoint: endpoint | 0x80, length, ..Urb::default() }
    }

    /// A bulk or interrupt write.
    #[must_use]
    pub fn write(id: UrbId, endpoint: u8, data: impl Into<Vec<u8>>) -> Urb {
        Urb { id, endpoint: endpoint & 0x0f, buffer: data.into(), ..Urb::default() }
    }

    /// A control transfer on endpoint 0 that reads wLength bytes or has no data stage.
    #[must_use]
    pub fn control_in(id: UrbId, setup: [u8; 8]) -> Urb {
        let length = usize::from(u16::from_le_bytes([setup[6], setup[7]]));
        Urb { id, setup: Some(setup), length, ..Urb::default() }
    }

    /// A control transfer on endpoint 0 that writes `data`; wLength should say the same length.
    #[must_use]
    pub fn control_out(id: UrbId, setup: [u8; 8], data: impl Into<Vec<u8>>) -> Urb {
        Urb { id, setup: Some(setup), buffer: data.into(), ..Urb::default() }
    }

    /// Whether data flows to the host.
    #[must_use]
    pub fn is_in(&self) -> bool {
        self.setup.map_or(self.endpoint, |setup| setup[0]) & 0x80 != 0
    }
}

/// How a transfer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Status {
    /// All data moved, or the device ended it with a short packet.
    Done,
    /// The endpoint is halted, or the control request was refused.
    Stall,
    /// Three times in a row nobody answered a token.
    Protocol,
    /// The device sent more than fits.
    Overflow,
    /// The device went away, or the bus was reset.
    Shutdown,
}

impl Status {
    /// The Linux error number that stands for it in a URB: 0 or negative.
    #[must_use]
    pub fn errno(self) -> i32 {
        match self {
            Status::Done => 0,
            Status::Stall => -32,
            Status::Protocol => -71,
            Status::Overflow => -75,
            Status::Shutdown => -108,
        }
    }
}

/// A URB that has ended. Every URB that was submitted ends exactly once: here, or as the answer to a cancel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Completion {
    /// The URB; an IN transfer's buffer holds exactly the bytes that came.
    pub urb: Urb,
    /// How it ended.
    pub status: Status,
    /// Bytes of the data stage that moved.
    pub actual: usize,
}
