//! What people are told about a run: what a model was asked for and does not have (counted and shown, never a silent
//! zero), and where programs ran wild.

use std::collections::BTreeMap;

use crate::time::Time;

/// The kind of an access that no model covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Access {
    /// A read.
    Read,
    /// A write.
    Write,
}

/// A kind of accident of a program at one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Incident {
    /// The chip's name on its board.
    pub chip: String,
    /// What came of it (`"HardFault"`).
    pub what: String,
    /// The instruction's address.
    pub at: u32,
    /// Why (`"write to 0x60000000, where nothing answers"`); may be empty.
    pub why: String,
    /// Where the program came from, if the instruction's address does not tell.
    pub from: Option<u32>,
    /// When it happened for the first time.
    pub first: Time,
    /// How often it happened.
    pub times: u64,
}

impl Incident {
    /// The incident in one line, without how often. `name` knows the names of places in this chip's program.
    #[must_use]
    pub fn line(&self, name: impl Fn(u32) -> Option<String>) -> String {
        let place = |at: u32| match name(at) {
            Some(name) => format!("{at:#010x} in {name}"),
            None => format!("{at:#010x}"),
        };
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        let from = self.from.map(|from| format!(", from {}", place(from & !1))).unwrap_or_default();
        format!("{}: {} at {}{why}{from}", self.chip, self.what, place(self.at))
    }
}

/// See the module's documentation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// By place (`"nrf52833 SAADC+0x500"`) and kind.
    pub unmodelled: BTreeMap<(String, Access), u64>,
    /// Where programs ran wild, by chip and in the order of the first times.
    pub incidents: Vec<Incident>,
}

impl Report {
    /// Counts `times` more accesses of `kind` to `place`.
    pub fn unmodelled(&mut self, place: impl Into<String>, kind: Access, times: u64) {
        *self.unmodelled.entry((place.into(), kind)).or_default() += times;
    }
}
