//! From a scenario and one choice of the matrix to the text of another scenario.
//!
//! The text stays as it is, so that a report's line is the line of the file: the board's name is replaced where it stands,
//! and images and faults are put behind the end.

use toml::Table;

use crate::language::{Scenario, ScenarioError};

/// What the matrix says of one cell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice<'m> {
    /// The board instead of the scenario's.
    pub board: Option<&'m str>,
    /// What `[images]` says.
    pub images: Option<&'m Table>,
    /// More faults.
    pub faults: &'m [Table],
}

/// `text` with what is chosen.
///
/// # Errors
/// [`ScenarioError`] in `text`: it is no scenario, or has images although the matrix has some.
pub fn compose(text: &str, choice: Choice<'_>) -> Result<String, ScenarioError> {
    let scenario = Scenario::parse(text)?;
    let mut whole = text.to_string();
    if let Some(board) = choice.board {
        whole.replace_range(scenario.board.span(), &toml::Value::from(board).to_string());
    }
    if !whole.ends_with('\n') {
        whole.push('\n');
    }
    if let Some(images) = choice.images.filter(|images| !images.is_empty()) {
        let table: Table = toml::from_str(text)
            .map_err(|error| ScenarioError { message: error.message().to_string(), span: error.span() })?;
        if table.contains_key("images") {
            let message = "images: the matrix has images, so none were expected here";
            let place = scenario.images.first_place();
            return Err(
                place.map_or_else(|| ScenarioError::anywhere(message), |span| ScenarioError::over(span, message))
            );
        }
        whole.push_str(&section("[images]", images));
    }
    for fault in choice.faults {
        whole.push_str(&section("[[fault]]", fault));
    }
    Ok(whole)
}

/// Values only, each on its line: what a fault or images consist of. A table among them is written in line.
fn section(head: &str, table: &Table) -> String {
    let lines = table.iter().map(|(key, value)| format!("{} = {value}\n", toml_key(key)));
    format!("\n{head}\n{}", lines.collect::<String>())
}

fn toml_key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if bare { key.into() } else { toml::Value::from(key).to_string() }
}

/// A fingerprint of a scenario's text: results of another text are not those of this one. FNV-1a, 64 bits.
#[must_use]
pub fn fingerprint(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "learn = \"x\"\nboard = 'microbit-v2' # which\n\n[[step]]\ndrop = { program = \"1 KB\" }\n";

    #[test]
    fn the_lines_of_the_scenario_stay_where_they_are() {
        let images: Table = toml::from_str("target = 'builtin:demo'").expect("a table");
        let fault: Table = toml::from_str("point = 'usb.nak'\nendpoint = 2\nfor = '2 s'").expect("a table");
        let choice = Choice { board: Some("a \"b\""), images: Some(&images), faults: std::slice::from_ref(&fault) };
        let text = compose(BASE, choice).expect("is composed");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "board = 'a \"b\"' # which");
        assert_eq!(lines[4], BASE.lines().nth(4).expect("five lines"));
        let scenario = Scenario::parse(&text).expect("is a scenario");
        assert_eq!(scenario.board.as_ref(), "a \"b\"");
        assert_eq!(scenario.images.target.map(toml::Spanned::into_inner).as_deref(), Some("builtin:demo"));
        assert_eq!(scenario.faults.len(), 1);
    }

    #[test]
    fn images_in_both_places_are_refused_where_they_stand() {
        let text = format!("{BASE}\n[images]\ntarget = 'builtin:demo'\n");
        let images: Table = toml::from_str("target = 'builtin:loopback'").expect("a table");
        let error = compose(&text, Choice { images: Some(&images), ..Choice::default() }).expect_err("twice");
        assert_eq!(&text[error.span.expect("has a place")], "'builtin:demo'");
    }

    #[test]
    fn the_fingerprint_is_fnv_1a() {
        // http://www.isthe.com/chongo/tech/comp/fnv/, test vectors of 64 bits.
        assert_eq!(fingerprint(""), "cbf29ce484222325");
        assert_eq!(fingerprint("foobar"), "85944171f73967e8");
    }
}
