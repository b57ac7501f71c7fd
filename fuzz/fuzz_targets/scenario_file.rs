//! Scenario files, up to everything that a run needs: whatever the text, an error with its place or a scenario that can be
//! told in words.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use twinboard_scenarios::explain;
use twinboard_scenarios::language::Scenario;
use twinboard_scenarios::run::{Places, PrepareError, Prepared};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(scenario) = Scenario::parse(text)
        && scenario.check().is_ok()
    {
        assert!(!explain::scenario(&scenario, "fuzzed").is_empty());
    }
    let nowhere = Path::new("/nonexistent");
    if let Err(PrepareError::Wrong(error)) = Prepared::new(text, "fuzzed", Places { folder: nowhere, images: nowhere })
    {
        // A place that is named lies in the text.
        assert!(error.span.as_ref().is_none_or(|span| text.get(span.clone()).is_some()));
    }
});
