//! Quantities as people write them: `10 ms`, `85 %`, `20 KB`, `0x2000..0x3000`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use twinboard_sim::time::Span;

/// The longest time that a scenario may name: one day.
const LONGEST: f64 = 86_400.0;
/// The largest file that a scenario may name, in bytes: what a drive says it has room for.
const LARGEST: f64 = 64.0 * 1024.0 * 1024.0;

/// Declares a quantity that is written as a string.
macro_rules! quantity {
    ($name:ident, $expected:literal, $example:literal, $pattern:literal, $parse:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        let parse: fn(&str) -> Option<$name> = $parse;
                        parse(text.trim()).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    "description": $expected,
                    "examples": [$example],
                })
            }
        }
    };
}

/// A length of the board's time, as `250 us`, `10 ms`, `2.5 s` or `2 min`; at most a day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Duration(pub Span);

quantity!(
    Duration,
    "a length of time as 250 us, 10 ms, 2.5 s or 2 min, at most a day",
    "10 ms",
    r"^\s*[0-9]+(\.[0-9]+)?\s*(ns|us|µs|ms|s|min)\s*$",
    |text| {
        let (number, unit) = split(text)?;
        let unit = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "min" => 60.0,
            _ => return None,
        };
        let seconds = number * unit;
        // Rounded to the picosecond, so that 0.1 ms is what it says.
        (seconds <= LONGEST).then(|| Duration(Span::ps((seconds * 1e12).round() as u64)))
    }
);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_span(self.0, f)
    }
}

fn write_span(span: Span, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let seconds = span.as_secs_f64();
    let (number, unit) = match seconds {
        _ if seconds >= 1.0 || span == Span::ZERO => (seconds, "s"),
        _ if seconds >= 1e-3 => (seconds * 1e3, "ms"),
        _ if seconds >= 1e-6 => (seconds * 1e6, "us"),
        _ => (seconds * 1e9, "ns"),
    };
    let text = format!("{number:.3}");
    write!(f, "{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A part of a whole, as `85 %`; 0 to 100.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Percent(pub f64);

quantity!(Percent, "a part as 85 %, from 0 % to 100 %", "85 %", r"^\s*[0-9]+(\.[0-9]+)?\s*%\s*$", |text| match split(
    text
)? {
    (number, "%") if number <= 100.0 => Some(Percent(number)),
    _ => None,
});

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// A number of bytes, as `500 B`, `20 KB` (1000 bytes) or `8 KiB` (1024); at most 64 MiB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size(pub usize);

quantity!(
    Size,
    "a number of bytes as 500 B, 20 KB or 8 KiB, at most 64 MiB",
    "20 KB",
    r"^\s*[0-9]+(\.[0-9]+)?\s*(B|KB|KiB|MB|MiB)\s*$",
    |text| {
        let (number, unit) = split(text)?;
        let unit = match unit {
            "B" => 1.0,
            "KB" => 1e3,
            "KiB" => 1024.0,
            "MB" => 1e6,
            "MiB" => 1024.0 * 1024.0,
            _ => return None,
        };
        let bytes = (number * unit).round();
        (bytes <= LARGEST).then_some(Size(bytes as usize))
    }
);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1024 && bytes.is_multiple_of(1024) => write!(f, "{} KiB", bytes / 1024),
            bytes if bytes >= 1000 && bytes.is_multiple_of(1000) => write!(f, "{} KB", bytes / 1000),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// A range of addresses, as `0x2000..0x3000` (without its end) or `0x2000` (one word).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddressRange(pub Range<u32>);

quantity!(
    AddressRange,
    "addresses as 0x2000..0x3000, or one as 0x2000",
    "0x2000..0x3000",
    r"^\s*0x[0-9a-fA-F_]+(\s*\.\.\s*0x[0-9a-fA-F_]+)?\s*$",
    |text| {
        let (start, end) = match text.split_once("..") {
            Some((start, end)) => (address(start)?, address(end)?),
            None => {
                let start = address(text)?;
                (start, start.checked_add(4)?)
            }
        };
        (start < end).then_some(AddressRange(start..end))
    }
);

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} to {:#x}", self.0.start, self.0.end - 1)
    }
}

/// A place in the target's memory: an address as `0x20000000`, or the name of a symbol of the ELF file in `images`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// By its address.
    Address(u32),
    /// By its name.
    Symbol(String),
}

quantity!(Place, "an address as 0x20000000, or a symbol's name", "0x20000000", r"^\s*\S+\s*$", |text| {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return address(text).map(Place::Address);
    }
    (!text.is_empty() && !text.contains(char::is_whitespace)).then(|| Place::Symbol(text.into()))
});

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Address(address) => write!(f, "{address:#010x}"),
            Place::Symbol(name) => f.write_str(name),
        }
    }
}

/// A number that is not negative, and what stands behind it.
fn split(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim()))
}

fn address(text: &str) -> Option<u32> {
    let digits = text.trim().strip_prefix("0x")?.replace('_', "");
    u32::from_str_radix(&digits, 16).ok()
}

/// A length of time, for people.
#[must_use]
pub fn span_text(span: Span) -> String {
    Duration(span).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
        #[derive(serde::Deserialize)]
        struct One<T> {
            it: T,
        }
        toml::from_str::<One<T>>(&format!("it = '{text}'")).ok().map(|one| one.it)
    }

    #[test]
    fn times_have_units() {
        let cases =
            [("250 us", Span::us(250)), ("10ms", Span::ms(10)), ("2.5 s", Span::ms(2500)), ("2 min", Span::secs(120))];
        for (text, span) in cases {
            assert_eq!(read::<Duration>(text), Some(Duration(span)), "{text}");
        }
        for wrong in ["10", "ms", "-1 s", "1 h", "1e9 s", "86401 s", "", "1..2 s"] {
            assert_eq!(read::<Duration>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        let text = |span| Duration(span).to_string();
        assert_eq!([text(Span::ms(1500)), text(Span::us(20)), text(Span::ZERO)], ["1.5 s", "20 us", "0 s"]);
    }

    #[test]
    fn sizes_parts_and_addresses_are_read() {
        assert_eq!(read("20 KB"), Some(Size(20_000)));
        assert_eq!(read("8 KiB"), Some(Size(8192)));
        assert_eq!(read::<Size>("1 GB"), None);
        assert_eq!(read("85 %"), Some(Percent(85.0)));
        assert_eq!(read::<Percent>("101 %"), None);
        assert_eq!(read("0x2000..0x3000"), Some(AddressRange(0x2000..0x3000)));
        assert_eq!(read("0x2000"), Some(AddressRange(0x2000..0x2004)));
        assert_eq!(read::<AddressRange>("0x3000..0x2000"), None);
        assert_eq!(read("0x2000_0000"), Some(Place::Address(0x2000_0000)));
        assert_eq!(read("main"), Some(Place::Symbol("main".into())));
        assert_eq!(read::<Place>("0xZZ"), None);
    }
}
