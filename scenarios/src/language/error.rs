//! What is wrong with a scenario, and where.

use std::ops::Range;

use toml::Spanned;

/// What is wrong with a scenario file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ScenarioError {
    /// What, and what was expected.
    pub message: String,
    /// Where in the file, in bytes; none if it concerns the file as a whole.
    pub span: Option<Range<usize>>,
}

impl ScenarioError {
    /// `message` about the value at `place`.
    pub fn at<T>(place: &Spanned<T>, message: impl Into<String>) -> ScenarioError {
        ScenarioError { message: message.into(), span: Some(place.span()) }
    }

    /// `message` about the bytes `span`.
    pub fn over(span: Range<usize>, message: impl Into<String>) -> ScenarioError {
        ScenarioError { message: message.into(), span: Some(span) }
    }

    /// `message` about the whole file.
    pub fn anywhere(message: impl Into<String>) -> ScenarioError {
        ScenarioError { message: message.into(), span: None }
    }
}
