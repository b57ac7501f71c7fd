//! The parts of a board file that sit on a chip's pins: speaker, microphone, touch pads, and the edge connector.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use twinboard_sim::board::{Builder, NetId, Terminal};
use twinboard_sim::wire::{Drive, Level};

use super::file::{BoardError, BoardFile};
use super::powered::{Model, Powered};
use crate::parts::analog::{LightSensor, Microphone, SUPPLY_UV, TouchPad};
use crate::parts::speaker::SharedSpeaker;
use crate::parts::world::SharedWorld;

/// A speaker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeakerEntry {
    /// The pin that drives it, as `chip.pin`.
    pub pin: Spanned<String>,
}

/// A microphone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MicrophoneEntry {
    /// The pin that its output is on.
    pub output: Spanned<String>,
    /// The pin that powers it while high.
    pub power: Spanned<String>,
}

/// Touch pads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TouchEntry {
    /// The pins that they are on; each wants a net with a pull-up.
    pub pads: Vec<Spanned<String>>,
}

/// A contact of the edge connector.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    name: String,
    net: NetId,
    /// What is on the net besides.
    released: Drive,
    /// The pin behind it.
    end: Terminal,
    hold: Hold,
}

/// What somebody holds against a contact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hold {
    /// Nothing.
    #[default]
    Released,
    /// Ground, or a finger of a hand that touches ground.
    Low,
    /// The supply.
    High,
    /// A source of so many millivolts, at most the supply's 3300.
    Millivolts(u16),
}

/// A contact of the edge connector as one measures it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContactState {
    /// Its name, as printed on the board.
    pub name: String,
    /// Its level.
    pub level: Level,
    /// Its voltage in millivolts; none if nobody makes one.
    pub millivolts: Option<u32>,
    /// What is held against it.
    pub hold: Hold,
}

/// Something cannot be held against a contact.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HoldError {
    /// There is no such contact.
    #[error("there is no contact {name}; this board has {known}")]
    NoSuchContact {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The voltage is too high for the board.
    #[error("at most {most} millivolts were expected, not {given}")]
    TooHigh {
        /// The supply.
        most: u32,
        /// What was asked for.
        given: u16,
    },
}

impl BoardFile {
    /// Puts the parts on their chips' pins; the answer is the speaker.
    pub(super) fn attach_parts(
        &self,
        chips: &[(String, Model)],
        world: &SharedWorld,
        find: impl Fn(&Spanned<String>) -> Result<Terminal, BoardError>,
    ) -> Result<Option<SharedSpeaker>, BoardError> {
        let on_chip = |place: &Spanned<String>| {
            let end = find(place)?;
            match (chips.get(end.chip), u8::try_from(end.pin.0)) {
                (Some((_, Model::Nrf5(chip))), Ok(pin)) => Ok((end, chip, pin)),
                _ => Err(BoardError::at(place, "a pin of a chip that runs a program was expected")),
            }
        };
        if let Some(entry) = &self.microphone {
            let ((output, chip, pin), (power, _, power_pin)) = (on_chip(&entry.output)?, on_chip(&entry.power)?);
            if output.chip != power.chip {
                return Err(BoardError::at(&entry.power, "a pin of the same chip was expected"));
            }
            chip.lock().add_part(Box::new(Microphone { output: pin, power: power_pin, world: world.clone() }));
        }
        for place in self.touch.iter().flat_map(|entry| &entry.pads) {
            let (_, chip, pin) = on_chip(place)?;
            chip.lock().add_part(Box::new(TouchPad { pin }));
        }
        if let Some(entry) = &self.matrix {
            let pins = |places: &[Spanned<String>]| -> Result<Vec<u8>, BoardError> {
                places.iter().map(|place| on_chip(place).map(|(_, _, pin)| pin)).collect()
            };
            let sensor = LightSensor { rows: pins(&entry.rows)?, columns: pins(&entry.columns)?, world: world.clone() };
            if let Some(place) = entry.rows.first() {
                let (_, chip, _) = on_chip(place)?;
                chip.lock().add_part(Box::new(sensor));
            }
        }
        let Some(entry) = &self.speaker else { return Ok(None) };
        let (end, chip, _) = on_chip(&entry.pin)?;
        let speaker = SharedSpeaker::new(end.pin);
        chip.lock().observe(Box::new(speaker.clone()));
        Ok(Some(speaker))
    }

    /// Makes the contacts of the edge connector, and nets for those whose pin has none yet.
    pub(super) fn attach_edge<'a>(
        &'a self,
        builder: &mut Builder,
        nets: &BTreeMap<&'a str, (NetId, Drive)>,
        find: impl Fn(&Spanned<String>) -> Result<Terminal, BoardError>,
    ) -> Result<Vec<Contact>, BoardError> {
        let mut contacts = Vec::new();
        for (name, place) in &self.edge {
            let end = find(place)?;
            let wired = self.nets.iter().find(|net| net.pins.iter().any(|pin| pin.as_ref() == place.as_ref()));
            let (net, released) = match wired.and_then(|net| nets.get(net.name.as_ref() as &str)) {
                Some(&known) => known,
                None if nets.contains_key(name.as_str()) => {
                    return Err(BoardError::at(place, format!("there is a net {name} with other pins already")));
                }
                None => (builder.net(name, &[end], Drive::Released), Drive::Released),
            };
            contacts.push(Contact { name: name.clone(), net, released, end, hold: Hold::Released });
        }
        // P2 before P10.
        contacts.sort_by_key(|contact| (contact.name.len(), contact.name.clone()));
        Ok(contacts)
    }
}

impl Powered {
    /// The contacts of the edge connector, as one measures them now.
    #[must_use]
    pub fn edge(&self) -> Vec<ContactState> {
        let states = self.contacts.iter().map(|contact| {
            let (level, microvolts) = match self.chips.get(contact.end.chip) {
                Some((_, Model::Nrf5(chip))) => chip.lock().measure(contact.end.pin),
                _ => (self.board.level(contact.net), None),
            };
            let millivolts = microvolts.map(|microvolts| microvolts / 1_000);
            ContactState { name: contact.name.clone(), level, millivolts, hold: contact.hold }
        });
        states.collect()
    }

    /// Holds something against a contact of the edge connector from now on.
    ///
    /// # Errors
    /// [`HoldError`]; then nothing is changed.
    pub fn hold(&mut self, name: &str, hold: Hold) -> Result<(), HoldError> {
        let known = || self.contacts.iter().map(|contact| contact.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some(index) = self.contacts.iter().position(|contact| contact.name == name) else {
            return Err(HoldError::NoSuchContact { name: name.into(), known: known() });
        };
        let contact = &mut self.contacts[index];
        let half = SUPPLY_UV / 2_000;
        let drive = match hold {
            Hold::Released => contact.released,
            Hold::Low => Drive::Low,
            Hold::High => Drive::High,
            Hold::Millivolts(mv) if u32::from(mv) > 2 * half => {
                return Err(HoldError::TooHigh { most: 2 * half, given: mv });
            }
            Hold::Millivolts(mv) if u32::from(mv) > half => Drive::High,
            Hold::Millivolts(_) => Drive::Low,
        };
        contact.hold = hold;
        let (net, end) = (contact.net, contact.end);
        if let Some((_, Model::Nrf5(chip))) = self.chips.get(end.chip) {
            let microvolts = if let Hold::Millivolts(mv) = hold { Some(u32::from(mv) * 1_000) } else { None };
            chip.lock().hold(end.pin, microvolts);
        }
        self.board.drive(net, drive);
        Ok(())
    }
}
