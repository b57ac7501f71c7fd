//! What a model was asked for and does not have: counted and shown, never a silent zero.

use std::collections::BTreeMap;

/// The kind of an access that no model covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Access {
    /// A read.
    Read,
    /// A write.
    Write,
}

/// Accesses to things that are not modelled, with how often each happened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// By place (`"nrf52833 SAADC+0x500"`) and kind.
    pub unmodelled: BTreeMap<(String, Access), u64>,
}

impl Report {
    /// Counts `times` more accesses of `kind` to `place`.
    pub fn unmodelled(&mut self, place: impl Into<String>, kind: Access, times: u64) {
        *self.unmodelled.entry((place.into(), kind)).or_default() += times;
    }
}
