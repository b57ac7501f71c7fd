//! How long the interface chip's CPU takes, in virtual time. Flash and SWD times come from their own models; these are
//! the rest.

use twinboard_sim::time::Span;

/// What the CPU of an interface chip takes its time for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuTiming {
    /// Parsing one character of a hex file: about fifty instructions of code that is compiled for size.
    pub hex_character: Span,
    /// Receiving a sector of an image beside its time on the bus: for each of its eight packets an interrupt, an event
    /// to the main thread, and two copies.
    pub image_sector: Span,
}

impl CpuTiming {
    /// The nRF52820 of a micro:bit V2.2, calibrated so that a drag-and-drop runs at the real board's rate of about
    /// 30 KB of program per second.
    pub const NRF52820: CpuTiming = CpuTiming { hex_character: Span::ns(800), image_sector: Span::us(1870) };

    /// The KL26Z of a micro:bit V1: the same work at 48 MHz.
    pub const KL26: CpuTiming = CpuTiming { hex_character: Span::ns(1067), image_sector: Span::us(2493) };
}
