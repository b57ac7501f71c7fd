//! How long the interface chip's CPU takes, in virtual time. Flash and SWD times come from their own models; these are
//! the rest, calibrated so that a drag-and-drop runs at the real board's rate of about 30 KB of program per second.

use twinboard_sim::time::Span;

/// Parsing one character of a hex file: about fifty instructions of code that is compiled for size.
pub const HEX_CHARACTER: Span = Span::ns(800);

/// Receiving a sector of an image beside its time on the bus: for each of its eight packets an interrupt, an event to
/// the main thread, and two copies.
pub const IMAGE_SECTOR: Span = Span::us(1870);
