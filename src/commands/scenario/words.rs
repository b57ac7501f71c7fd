//! `scenario explain`, `new`, `points` and `schema`: what can be said without running anything.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use twinboard_scenarios::language::Scenario;
use twinboard_scenarios::report::Report;
use twinboard_scenarios::sweep::matrix::Matrix;
use twinboard_scenarios::sweep::results::Entry;
use twinboard_scenarios::{explain as words, points as all_points};

use super::{SchemaOf, files};
use crate::failure::Failure;

/// What each scenario will do.
pub fn explain(names: &[PathBuf]) -> Result<ExitCode, Failure> {
    for path in files::find(names)? {
        let text = files::read(&path)?;
        let wrong = |error| Failure::scenario(&path, &text, &error);
        let scenario = Scenario::parse(&text).map_err(wrong)?;
        scenario.check().map_err(wrong)?;
        let name = scenario.name.as_ref().map_or_else(|| files::name(&path), |name| name.as_ref().clone());
        println!("{}\n", words::scenario(&scenario, &name));
    }
    Ok(ExitCode::SUCCESS)
}

/// A scenario to begin with.
pub fn new(path: &Path, board: &str) -> Result<ExitCode, Failure> {
    let text = format!(
        r#"# {name}: what happens here, and why one wants to know.
# `twinboard scenario explain` says in words what it does, `twinboard scenario points` what can be made to go wrong.

learn = "A drive that is busy for two seconds in the middle of a copy is waited for, and nothing is lost."
board = "{board}"

[[fault]]
point = "usb.nak"
endpoint = 0x02
count = 200
for = "2 s"

[[step]]
drop = {{ program = "20 KB" }}

[[step]]
expect = {{ fail = "none", flash = "dropped" }}
"#,
        name = files::name(path)
    );
    let wrong = |error: std::io::Error| {
        Failure::input(format!("{}: {error}", path.display()), "give the name of a file that is not there yet")
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(wrong)?;
    file.write_all(text.as_bytes())?;
    println!("{}: run it with `twinboard scenario run {0}`", path.display());
    Ok(ExitCode::SUCCESS)
}

/// What can be made to go wrong.
pub fn points(json: bool) -> Result<ExitCode, Failure> {
    if json {
        let points: Vec<_> = all_points::all()
            .map(|point| {
                let params: Vec<_> = point
                    .params
                    .iter()
                    .map(|taken| json!({ "name": taken.param.name(), "needed": taken.needed }))
                    .collect();
                json!({ "name": point.name, "what": point.what, "opportunity": point.opportunity, "params": params })
            })
            .collect();
        println!("{:#}", json!(points));
        return Ok(ExitCode::SUCCESS);
    }
    for point in all_points::all() {
        println!("{:<20} {}", point.name, point.what);
        println!("{:<20}   opportunity: {}; takes {}", "", point.opportunity, all_points::taken(point));
    }
    Ok(ExitCode::SUCCESS)
}

/// A JSON Schema.
pub fn schema(of: SchemaOf) -> Result<ExitCode, Failure> {
    let schema = match of {
        SchemaOf::Scenario => Scenario::schema(),
        SchemaOf::Report => Report::schema(),
        SchemaOf::Matrix => Matrix::schema(),
        SchemaOf::Result => Entry::schema(),
    };
    println!("{}", serde_json::to_string_pretty(&schema).map_err(Failure::job)?);
    Ok(ExitCode::SUCCESS)
}
