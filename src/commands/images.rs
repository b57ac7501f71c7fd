//! `twinboard images [DIR] [--json]`: recognises and verifies official images, and says what is missing. With `--check`
//! it runs them: see [`super::check`].
//!
//! DIR is by default `$TWINBOARD_IMAGES`, else `twinboard/images` in the user's cache directory. A file with the name
//! of an official image and other contents makes the command fail; a missing one does not.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;
use twinboard_models::image::known::{Finding, check, folder};

use crate::failure::Failure;

pub fn run(dir: Option<PathBuf>, try_them: bool, as_json: bool) -> Result<ExitCode, Failure> {
    if let Some(dir) = &dir
        && !dir.is_dir()
    {
        return Err(Failure::input(
            format!("{} is not a folder", dir.display()),
            "give the folder that holds the images",
        ));
    }
    let dir = dir.unwrap_or_else(folder);
    if try_them {
        return super::check::run(&dir, as_json);
    }
    let found = check(&dir)?;
    let wrong = found.iter().any(|(_, finding)| matches!(finding, Finding::Different { .. }));
    if as_json {
        let list: Vec<_> = found
            .iter()
            .map(|(known, finding)| {
                let (state, path) = match finding {
                    Finding::Present(path) => ("present", Some(path)),
                    Finding::Different { path, .. } => ("different", Some(path)),
                    Finding::Missing => ("missing", None),
                };
                json!({
                    "file": known.file, "chip": known.chip, "role": known.role, "version": known.version,
                    "sha256": known.sha256, "state": state, "path": path.map(|p| p.display().to_string()),
                })
            })
            .collect();
        println!("{:#}", json!({ "folder": dir.display().to_string(), "images": list }));
    } else {
        println!("{}:", dir.display());
        for (known, finding) in &found {
            let state = match finding {
                Finding::Present(_) => "ok".to_string(),
                Finding::Different { sha256, .. } => format!("NOT the official file (SHA-256 {sha256})"),
                Finding::Missing => format!("missing; published in {} as {}", known.repository, known.path),
            };
            println!("  {:<52} {:<9} {:<21} {state}", known.file, known.chip, known.role);
        }
    }
    Ok(ExitCode::from(u8::from(wrong)))
}
