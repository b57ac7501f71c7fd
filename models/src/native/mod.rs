//! What native firmware of any interface chip needs: a USB device controller to write it against.
//!
//! Native firmware is an `async` main loop in virtual time ([`twinboard_sim::task`]); beneath it lies hardware, or code
//! that on the real chip runs in interrupts: it takes packets while the main loop is busy, and wakes it when there is
//! something to do.

pub mod chapter9;
pub mod endpoints;
