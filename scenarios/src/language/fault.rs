//! `[[fault]]`: what is to go wrong, and when.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;
use twinboard_sim::fault::{Lasting, Param, Params, Plan};
use twinboard_sim::time::Time;

use super::error::ScenarioError;
use super::step::WaitStep;
use super::units::{AddressRange, Duration, Percent};

/// A fault of a scenario. `twinboard scenario points` lists the points, with what each takes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FaultEntry {
    /// The name by which steps arm it and reports tell of it; by default its point's.
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
    /// Where something goes wrong, as `usb.nak`.
    #[schemars(with = "String")]
    pub point: Spanned<String>,
    /// Armed from the start (the default), or only by an `arm` step.
    #[serde(default)]
    pub armed: ArmedBy,
    /// Armed only when this event happens, whatever the steps are at.
    #[schemars(with = "Option<FaultEvent>")]
    pub on: Option<Spanned<FaultEvent>>,

    /// Not before this time after power-on (or after it was armed by a step).
    pub at: Option<Duration>,
    /// At the n-th opportunity, from 1.
    #[schemars(with = "Option<u64>")]
    pub count: Option<Spanned<u64>>,
    /// Only at opportunities that concern these addresses.
    #[schemars(with = "Option<AddressRange>")]
    pub address: Option<Spanned<AddressRange>>,
    /// At each opportunity with this probability, above 0 to 1.
    #[schemars(with = "Option<f64>", range(min = 0.0, max = 1.0))]
    pub probability: Option<Spanned<f64>>,

    /// So many times; once if nothing is said.
    #[schemars(with = "Option<u64>", range(min = 1))]
    pub times: Option<Spanned<u64>>,
    /// From the first time on for so long.
    #[serde(rename = "for")]
    #[schemars(with = "Option<Duration>")]
    pub span: Option<Spanned<Duration>>,
    /// For ever.
    #[serde(default)]
    #[schemars(with = "bool")]
    pub always: Option<Spanned<bool>>,

    /// bEndpointAddress: 0x81 is endpoint 1 IN.
    #[schemars(with = "Option<u8>")]
    pub endpoint: Option<Spanned<u8>>,
    /// A number of bytes.
    #[schemars(with = "Option<u32>")]
    pub bytes: Option<Spanned<u32>>,
    /// A bit, 0 to 31.
    #[schemars(with = "Option<u8>", range(max = 31))]
    pub bit: Option<Spanned<u8>>,
    /// A level.
    #[schemars(with = "Option<LevelName>")]
    pub level: Option<Spanned<LevelName>>,
    /// A rate, above 0 to 1.
    #[schemars(with = "Option<f64>", range(min = 0.0, max = 1.0))]
    pub rate: Option<Spanned<f64>>,
    /// A length of time.
    #[schemars(with = "Option<Duration>")]
    pub delay: Option<Spanned<Duration>>,
    /// How many times longer or larger, above 0 to 1 000 000.
    #[schemars(with = "Option<f64>")]
    pub factor: Option<Spanned<f64>>,
    /// Parts per million, −500 000 to 500 000; positive is fast.
    #[schemars(with = "Option<i32>", range(min = -500_000, max = 500_000))]
    pub ppm: Option<Spanned<i32>>,
    /// How often something can be done before it wears out.
    #[schemars(with = "Option<u32>")]
    pub cycles: Option<Spanned<u32>>,
    /// A chip's name in the board file.
    #[schemars(with = "Option<String>")]
    pub chip: Option<Spanned<String>>,
    /// A wire's name in the board file.
    #[schemars(with = "Option<String>")]
    pub wire: Option<Spanned<String>>,
    /// A value, as the point says.
    #[schemars(with = "Option<u32>")]
    pub value: Option<Spanned<u32>>,
}

/// An event that arms a fault, one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FaultEvent {
    /// What the target sends on its serial wire matches this regular expression.
    #[schemars(with = "Option<String>")]
    pub serial: Option<Spanned<String>>,
    /// The display shows this; see `expect`.
    #[schemars(with = "Option<[String; 5]>")]
    pub screen: Option<Spanned<[String; 5]>>,
    /// This part of a drop is written.
    #[schemars(with = "Option<Percent>")]
    pub progress: Option<Spanned<Percent>>,
    /// Another fault has struck.
    #[schemars(with = "Option<String>")]
    pub fault: Option<Spanned<String>>,
    /// The board is under power, or is not.
    #[schemars(with = "Option<bool>")]
    pub powered: Option<Spanned<bool>>,
    /// The board has gone from the bus, or is on it.
    #[schemars(with = "Option<bool>")]
    pub gone: Option<Spanned<bool>>,
}

impl FaultEvent {
    /// The same event as a step waits for it.
    #[must_use]
    pub fn wait(&self) -> WaitStep {
        let FaultEvent { serial, screen, progress, fault, powered, gone } = self.clone();
        WaitStep { serial, screen, progress, fault, powered, gone, within: None }
    }
}

/// Who arms a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArmedBy {
    /// It is armed when the board gets its power.
    #[default]
    Start,
    /// A step arms it.
    Step,
}

/// A level of a wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LevelName {
    /// Ground.
    Low,
    /// The supply.
    High,
}

impl FaultEntry {
    /// Its name, given or its point's.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.point).as_ref()
    }

    /// When it strikes.
    ///
    /// # Errors
    /// [`ScenarioError`] for what contradicts itself or is out of range.
    pub fn plan(&self) -> Result<Plan, ScenarioError> {
        let skip = match &self.count {
            Some(count) if *count.as_ref() == 0 => {
                return Err(ScenarioError::at(count, "count: 1 or more was expected; 1 is the first opportunity"));
            }
            count => count.as_ref().map_or(0, |count| count.as_ref() - 1),
        };
        let probability = part("probability", self.probability.as_ref())?.unwrap_or(1.0);
        let always = self.always.as_ref().filter(|always| *always.as_ref());
        let lasting = match (&self.times, &self.span, always) {
            (None, None, None) => Lasting::Times(1),
            (Some(times), None, None) if *times.as_ref() == 0 => {
                return Err(ScenarioError::at(times, "times: 1 or more was expected"));
            }
            (Some(times), None, None) => Lasting::Times(*times.as_ref()),
            (None, Some(span), None) => Lasting::For(span.as_ref().0),
            (None, None, Some(_)) => Lasting::Always,
            (_, Some(place), _) => return Err(ScenarioError::at(place, "one of times, for and always was expected")),
            (Some(place), ..) => return Err(ScenarioError::at(place, "one of times, for and always was expected")),
        };
        let start = self.at.map_or(Time::ZERO, |at| Time::ZERO + at.0);
        let address = self.address.as_ref().map(|address| address.as_ref().0.clone());
        Ok(Plan { start, skip, address, probability, lasting })
    }

    /// How it goes wrong.
    ///
    /// # Errors
    /// [`ScenarioError`] for a number that is out of range.
    pub fn params(&self) -> Result<Params, ScenarioError> {
        fn get<T: Clone>(value: &Option<Spanned<T>>) -> Option<T> {
            value.as_ref().map(|value| value.as_ref().clone())
        }
        if let Some(bit) = self.bit.as_ref().filter(|bit| *bit.as_ref() > 31) {
            return Err(ScenarioError::at(bit, "bit: 0 to 31 was expected"));
        }
        if let Some(ppm) = self.ppm.as_ref().filter(|ppm| !(-500_000..=500_000).contains(ppm.as_ref())) {
            return Err(ScenarioError::at(ppm, "ppm: -500000 to 500000 was expected"));
        }
        if let Some(factor) = self.factor.as_ref().filter(|f| !(*f.as_ref() > 0.0 && *f.as_ref() <= 1e6)) {
            return Err(ScenarioError::at(factor, "factor: more than 0 and at most 1000000 was expected"));
        }
        Ok(Params {
            endpoint: get(&self.endpoint),
            bytes: get(&self.bytes),
            bit: get(&self.bit),
            level: self.level.as_ref().map(|level| *level.as_ref() == LevelName::High),
            rate: part("rate", self.rate.as_ref())?,
            delay: self.delay.as_ref().map(|delay| delay.as_ref().0),
            factor: get(&self.factor),
            ppm: get(&self.ppm),
            cycles: get(&self.cycles),
            chip: get(&self.chip),
            wire: get(&self.wire),
            value: get(&self.value),
        })
    }

    /// Where a parameter stands in the file; where the point stands if it is not there.
    #[must_use]
    pub fn place(&self, param: Param) -> std::ops::Range<usize> {
        fn span<T>(value: &Option<Spanned<T>>) -> Option<std::ops::Range<usize>> {
            value.as_ref().map(Spanned::span)
        }
        let place = match param {
            Param::Endpoint => span(&self.endpoint),
            Param::Bytes => span(&self.bytes),
            Param::Bit => span(&self.bit),
            Param::Level => span(&self.level),
            Param::Rate => span(&self.rate),
            Param::Delay => span(&self.delay),
            Param::Factor => span(&self.factor),
            Param::Ppm => span(&self.ppm),
            Param::Cycles => span(&self.cycles),
            Param::Chip => span(&self.chip),
            Param::Wire => span(&self.wire),
            Param::Value => span(&self.value),
        };
        place.unwrap_or_else(|| self.point.span())
    }
}

/// A number above 0 and up to 1.
fn part(name: &str, value: Option<&Spanned<f64>>) -> Result<Option<f64>, ScenarioError> {
    match value {
        Some(value) if !(*value.as_ref() > 0.0 && *value.as_ref() <= 1.0) => {
            Err(ScenarioError::at(value, format!("{name}: more than 0 and at most 1 was expected")))
        }
        value => Ok(value.map(|value| *value.as_ref())),
    }
}
