//! The fault points of boards: what can be made to go wrong in chips, on wires and at the USB socket.
//!
//! One file per family. Each has the table of its points ([`PointSpec`]) and what stands at the place where it goes wrong.
//! [`crate::board::Powered::arm`] finds the place on a board. The host's own bad manners are in the in-process host.

pub mod clock;
pub mod firmware;
pub(crate) mod firmware_core;
pub mod firmware_image;
pub mod flash;
pub mod i2c;
pub mod net;
pub mod power;
pub mod swd;
pub mod uart;
pub mod usb;
pub mod wire;

use twinboard_sim::fault::PointSpec;

/// All points that boards offer, family by family.
pub fn points() -> impl Iterator<Item = &'static PointSpec> {
    [
        usb::POINTS,
        flash::POINTS,
        power::POINTS,
        swd::POINTS,
        wire::POINTS,
        uart::POINTS,
        i2c::POINTS,
        firmware::POINTS,
        clock::POINTS,
    ]
    .into_iter()
    .flatten()
}

/// The point called `name`.
#[must_use]
pub fn point(name: &str) -> Option<&'static PointSpec> {
    points().find(|point| point.name == name)
}
