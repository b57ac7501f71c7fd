//! Boards: files that say which chips there are and how they are wired, and the boards built from them.

mod activity;
mod build;
pub mod control;
mod ether;
mod faults;
pub mod file;
mod firmware_faults;
pub mod i2c;
mod interface;
mod leds;
mod parts;
mod powered;
mod relay;
mod room;
mod shared_air;
mod supply;
mod wild;
mod wire_faults;

pub use activity::BoardActivity;
pub use build::PowerOn;
pub use ether::Antenna;
pub use file::{BoardError, BoardFile};
pub use interface::InterfaceProgram;
pub use parts::{ContactState, Hold, HoldError, MicrophoneEntry, SpeakerEntry, TouchEntry};
pub use powered::{Model, NoSuchButton, Powered};
pub use relay::Relay;
pub use room::Room;
pub use shared_air::{SharedAir, Station};

/// The boards that come with twinboard: name and file.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("microbit-v1", include_str!("../../boards/microbit-v1.toml")),
    ("microbit-v2.00", include_str!("../../boards/microbit-v2.00.toml")),
    ("microbit-v2", include_str!("../../boards/microbit-v2.toml")),
    ("microbit-v2.2-nrf52833", include_str!("../../boards/microbit-v2.2-nrf52833.toml")),
];

/// Other names of built-in boards, and what they are listed as.
pub const ALSO: &[(&str, &str)] = &[("microbit-v2.2", "microbit-v2")];

/// The name that the built-in board called `name` is listed as; `name` itself if it has no other.
#[must_use]
pub fn listed_name(name: &str) -> &str {
    ALSO.iter().find(|(other, _)| *other == name).map_or(name, |(_, listed)| listed)
}

impl BoardFile {
    /// The built-in board called `name`, by whichever of its names; `None` if there is none.
    ///
    /// # Panics
    /// Never: the tests parse all built-in files.
    #[must_use]
    pub fn built_in(name: &str) -> Option<BoardFile> {
        let name = listed_name(name);
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(BoardFile::parse(text).expect("built-in board files are valid"))
    }
}
