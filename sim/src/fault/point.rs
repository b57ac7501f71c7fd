//! The places where something can go wrong, and what has to be said about it.

use crate::time::Span;

/// A place where something can go wrong.
#[derive(PartialEq, Eq, Debug)]
pub struct PointSpec {
    /// Its name: family and fault, as `usb.nak`.
    pub name: &'static str,
    /// What goes wrong, as one sentence without its full stop.
    pub what: &'static str,
    /// What is an opportunity for it: what `count` counts and `probability` is asked for.
    pub opportunity: &'static str,
    /// The parameters it takes.
    pub params: &'static [ParamUse],
}

/// A parameter that a point takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParamUse {
    /// Which.
    pub param: Param,
    /// It must be given.
    pub needed: bool,
}

impl Param {
    /// A point cannot do without it.
    #[must_use]
    pub const fn needed(self) -> ParamUse {
        ParamUse { param: self, needed: true }
    }

    /// A point takes it, and has a default.
    #[must_use]
    pub const fn optional(self) -> ParamUse {
        ParamUse { param: self, needed: false }
    }
}

/// Names of parameters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Param {
    /// [`Params::endpoint`].
    Endpoint,
    /// [`Params::bytes`].
    Bytes,
    /// [`Params::bit`].
    Bit,
    /// [`Params::level`].
    Level,
    /// [`Params::rate`].
    Rate,
    /// [`Params::delay`].
    Delay,
    /// [`Params::factor`].
    Factor,
    /// [`Params::ppm`].
    Ppm,
    /// [`Params::cycles`].
    Cycles,
    /// [`Params::chip`].
    Chip,
    /// [`Params::wire`].
    Wire,
    /// [`Params::value`].
    Value,
}

impl Param {
    /// All of them.
    pub const ALL: [Param; 12] = [
        Param::Endpoint,
        Param::Bytes,
        Param::Bit,
        Param::Level,
        Param::Rate,
        Param::Delay,
        Param::Factor,
        Param::Ppm,
        Param::Cycles,
        Param::Chip,
        Param::Wire,
        Param::Value,
    ];

    /// Its name in a scenario.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Param::Endpoint => "endpoint",
            Param::Bytes => "bytes",
            Param::Bit => "bit",
            Param::Level => "level",
            Param::Rate => "rate",
            Param::Delay => "delay",
            Param::Factor => "factor",
            Param::Ppm => "ppm",
            Param::Cycles => "cycles",
            Param::Chip => "chip",
            Param::Wire => "wire",
            Param::Value => "value",
        }
    }
}

/// How something goes wrong. Which of it counts, the point says.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Params {
    /// bEndpointAddress (bit 7: IN); any endpoint if not given.
    pub endpoint: Option<u8>,
    /// A number of bytes.
    pub bytes: Option<u32>,
    /// A bit, 0 to 31.
    pub bit: Option<u8>,
    /// A level: high or low.
    pub level: Option<bool>,
    /// A rate, 0 to 1: of bits, of characters.
    pub rate: Option<f64>,
    /// A length of time.
    pub delay: Option<Span>,
    /// How many times longer or larger, above 0.
    pub factor: Option<f64>,
    /// Parts per million, −500 000 to 500 000; positive is fast.
    pub ppm: Option<i32>,
    /// How often something can be done before it wears out.
    pub cycles: Option<u32>,
    /// A chip's name in the board file.
    pub chip: Option<String>,
    /// A wire's name in the board file.
    pub wire: Option<String>,
    /// A value, as the point says.
    pub value: Option<u32>,
}

/// A parameter that a point needs and does not have, or has and does not take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongParam {
    /// Which.
    pub param: Param,
    /// It is missing; else it is one too many.
    pub missing: bool,
}

impl Params {
    /// Whether `param` is given.
    #[must_use]
    pub fn has(&self, param: Param) -> bool {
        match param {
            Param::Endpoint => self.endpoint.is_some(),
            Param::Bytes => self.bytes.is_some(),
            Param::Bit => self.bit.is_some(),
            Param::Level => self.level.is_some(),
            Param::Rate => self.rate.is_some(),
            Param::Delay => self.delay.is_some(),
            Param::Factor => self.factor.is_some(),
            Param::Ppm => self.ppm.is_some(),
            Param::Cycles => self.cycles.is_some(),
            Param::Chip => self.chip.is_some(),
            Param::Wire => self.wire.is_some(),
            Param::Value => self.value.is_some(),
        }
    }

    /// Whether these are what `point` takes.
    ///
    /// # Errors
    /// The first parameter that is missing or too many.
    pub fn check(&self, point: &PointSpec) -> Result<(), WrongParam> {
        for param in Param::ALL {
            let wanted = point.params.iter().find(|taken| taken.param == param);
            match (self.has(param), wanted) {
                (true, None) => return Err(WrongParam { param, missing: false }),
                (false, Some(ParamUse { needed: true, .. })) => return Err(WrongParam { param, missing: true }),
                _ => {}
            }
        }
        Ok(())
    }
}
