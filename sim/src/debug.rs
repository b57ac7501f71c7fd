//! The debug path's two contracts: the wire a probe clocks, and the inside of a chip that an access port reaches.
//!
//! SWD is clocked by the probe, so whoever clocks it advances the target's debug port inline, on its own thread. The
//! target's core is brought to the same instant only when an access really touches its bus.

use crate::bus::{BusFault, Size};
use crate::time::{Span, Time};
use crate::wire::Drive;

/// The inside of a chip as its access ports see it. Every call first brings the chip to `at`.
pub trait DebugTarget: Send {
    /// Reads memory or a memory-mapped register with a debugger's rights (AHB-AP). The value is right-aligned.
    ///
    /// # Errors
    /// [`BusFault`] where the bus answers with an error.
    fn mem_read(&mut self, at: Time, address: u32, size: Size) -> Result<u32, BusFault>;

    /// Writes as [`DebugTarget::mem_read`] reads.
    ///
    /// # Errors
    /// [`BusFault`] where the bus answers with an error.
    fn mem_write(&mut self, at: Time, address: u32, size: Size, value: u32) -> Result<(), BusFault>;

    /// Whether the bus can finish an access to `address` that begins at `at`. While it cannot (flash that is busy stalls
    /// its bus), the debug port answers WAIT.
    fn mem_ready(&mut self, at: Time, address: u32) -> bool {
        let _ = (at, address);
        true
    }

    /// Whether the memory access port is enabled (CSW.DeviceEn); false on a chip with its access port protection on.
    fn mem_enabled(&mut self, at: Time) -> bool;

    /// CDBGPWRUPREQ and CSYSPWRUPREQ changed. Acknowledges follow the requests.
    fn power_request(&mut self, at: Time, debug: bool, system: bool);

    /// Reads register `register` (0x00–0xFC) of the vendor's own access port `ap`.
    fn vendor_read(&mut self, at: Time, ap: u8, register: u8) -> u32;

    /// Writes register `register` (0x00–0xFC) of the vendor's own access port `ap`.
    fn vendor_write(&mut self, at: Time, ap: u8, register: u8, value: u32);

    /// The chip's reset pin as the probe drives it. Chips without one ignore it.
    fn reset_pin(&mut self, at: Time, asserted: bool);

    /// The chip's supply dips so far that its brown-out detector resets it. What only remembers ignores it; the debug port
    /// is the wire's.
    fn brown_out(&mut self, at: Time) {
        let _ = at;
    }
}

/// An SWD request: which register is read or written (Arm IHI 0031, "SWD protocol operation").
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct SwdRequest {
    /// APnDP: an access port's register, not the debug port's.
    pub ap: bool,
    /// RnW: read.
    pub read: bool,
    /// A[3:2] of the register, as a byte address: 0x0, 0x4, 0x8 or 0xC.
    pub address: u8,
}

/// The three acknowledge bits as the probe sampled them, first bit in bit 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct SwdAck(pub u8);

impl SwdAck {
    /// The transfer goes on.
    pub const OK: SwdAck = SwdAck(0b001);
    /// The access port is busy; nothing was done.
    pub const WAIT: SwdAck = SwdAck(0b010);
    /// A sticky error is set; nothing was done.
    pub const FAULT: SwdAck = SwdAck(0b100);
    /// Nobody answered; the pull-up was read.
    pub const NONE: SwdAck = SwdAck(0b111);
}

/// What came of one transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct SwdTransfer {
    /// The acknowledge.
    pub ack: SwdAck,
    /// The data of a read that was acknowledged.
    pub data: u32,
    /// Whether the data's parity bit was right (true for writes).
    pub parity_ok: bool,
}

/// How the probe clocks the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct SwdTiming {
    /// Length of one SWCLK period.
    pub period: Span,
    /// Turnaround, 1 to 4 clocks.
    pub turnaround: u8,
    /// Clock a data phase on WAIT and FAULT too.
    pub data_phase: bool,
    /// Idle clocks with SWDIO low after each transfer.
    pub idle: u8,
}

/// The probe's end of the SWD wire. Bit level and transfer level are two front doors of one state machine, and may be
/// mixed freely; a property test holds that they are the same.
pub trait SwdWire: Send {
    /// One rising edge of SWCLK at `at`, while the probe does `swdio` to the data line. The answer is what the line
    /// is after the edge, that is what the probe samples before the next one, if it keeps driving the same.
    fn clock(&mut self, at: Time, swdio: Drive) -> bool;

    /// `count` rising edges (at most 64), the first at `at`, with the bits of `bits` driven LSB first.
    fn write_bits(&mut self, at: Time, period: Span, bits: u64, count: u32) {
        for i in 0..count.min(64) {
            let drive = if bits >> i & 1 == 1 { Drive::High } else { Drive::Low };
            self.clock(at + period * u64::from(i), drive);
        }
    }

    /// One whole transfer, first edge at `at`, exactly as the clocked bits would do it. The answer is what the probe
    /// sampled, and how long the wire was busy.
    fn transfer(&mut self, at: Time, timing: &SwdTiming, request: SwdRequest, data: u32) -> (SwdTransfer, Span);

    /// The probe's reset output changes.
    fn reset_pin(&mut self, at: Time, asserted: bool);

    /// The supply that probe and target share was cut and came back: the target's debug port starts anew.
    fn power_cycle(&mut self) {}

    /// What the probe would sample now without a clock.
    fn level(&mut self, swdio: Drive) -> bool;
}
