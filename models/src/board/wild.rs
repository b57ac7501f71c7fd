//! Programs that run wild: what people are told, once for each kind of accident at each place.

use std::collections::BTreeSet;

use twinboard_sim::machine::Machine;
use twinboard_sim::report::Incident;
use twinboard_sim::time::{Span, Time};

use super::powered::{Model, Powered};
use crate::image::Symbols;

/// How often the chips are asked.
const PERIOD: Span = Span::ms(1);

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Wild {
    symbols: Option<Symbols>,
    next: Time,
    /// What [`twinboard_sim::board::Board::incidents`] said last.
    count: usize,
    known: BTreeSet<(String, String, u32)>,
    lines: Vec<String>,
}

impl Wild {
    /// What was told so far.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }
}

impl Powered {
    /// Names places in the target's program from now on.
    pub fn set_symbols(&mut self, symbols: Symbols) {
        self.wild.symbols = Some(symbols);
    }

    /// Where the function or variable `name` of the target's program is, if it is known.
    #[must_use]
    pub fn address_of(&self, name: &str) -> Option<u32> {
        self.wild.symbols.as_ref()?.address(name)
    }

    /// Where programs went wrong so far, a line each, in the order in which it was noticed.
    #[must_use]
    pub fn incidents(&self) -> &[String] {
        &self.wild.lines
    }

    /// The same with how often, now.
    #[must_use]
    pub fn incidents_with_times(&self) -> Vec<String> {
        let times = |times| if times == 1 { String::new() } else { format!(" ({times} times)") };
        self.board.report().incidents.iter().map(|one| self.line(one) + &times(one.times)).collect()
    }

    pub(super) fn look_for_incidents(&mut self) {
        if self.now() < self.wild.next {
            return;
        }
        self.wild.next = self.now() + PERIOD;
        let count = self.board.incidents();
        if std::mem::replace(&mut self.wild.count, count) == count {
            return;
        }
        for incident in self.board.report().incidents {
            let key = (incident.chip.clone(), incident.what.clone(), incident.at);
            if !self.wild.known.contains(&key) {
                let line = self.line(&incident);
                self.wild.known.insert(key);
                self.wild.lines.push(line);
            }
        }
    }

    fn line(&self, incident: &Incident) -> String {
        let chip = self.chips.iter().find_map(|(name, model)| match model {
            Model::Nrf5(chip) if *name == incident.chip => Some(chip.lock()),
            _ => None,
        });
        let flash = chip.as_ref().map_or(&[][..], |chip| chip.flash());
        let symbols = self.wild.symbols.as_ref();
        incident.line(|at| symbols?.name(at, |byte| flash.get(byte as usize).copied()))
    }
}
