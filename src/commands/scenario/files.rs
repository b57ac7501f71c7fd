//! Scenario files, from the command line's words.

use std::fs;
use std::path::{Path, PathBuf};

use twinboard_models::image::known;
use twinboard_scenarios::language::MAX_FILE;
use twinboard_scenarios::run::{Places, PrepareError, Prepared};

use crate::failure::Failure;

/// A scenario of the command line.
#[derive(Debug)]
pub struct Loaded {
    /// Its file.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
    /// The scenario with all it needs, or why it is skipped.
    pub prepared: Result<Prepared, String>,
}

/// All scenario files that `names` name: files, and the `.toml` files of folders.
pub fn find(names: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = Vec::new();
    for name in names {
        if !name.is_dir() {
            paths.push(name.clone());
            continue;
        }
        let first = paths.len();
        for entry in fs::read_dir(name)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                paths.push(path);
            }
        }
        if paths.len() == first {
            return Err(Failure::input(format!("there are no scenarios in {}", name.display()), "give .toml files"));
        }
        paths[first..].sort();
    }
    Ok(paths)
}

/// Reads a file.
pub fn read(path: &Path) -> Result<String, Failure> {
    let wrong =
        |what: String| Failure::input(format!("{}: {what}", path.display()), "give a scenario: a TOML file in UTF-8");
    let size = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > MAX_FILE as u64 {
        return Err(wrong(format!("{size} bytes, at most {MAX_FILE} were expected")));
    }
    fs::read_to_string(path).map_err(|error| wrong(error.to_string()))
}

/// A scenario's name if it has none: its file's.
pub fn name(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Reads and prepares a scenario.
pub fn load(path: &Path) -> Result<Loaded, Failure> {
    let text = read(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let images = known::folder();
    let prepared = match Prepared::new(&text, &name(path), Places { folder, images: &images }) {
        Ok(prepared) => Ok(prepared),
        Err(PrepareError::Skipped(why)) => Err(why),
        Err(PrepareError::Wrong(error)) => return Err(Failure::scenario(path, &text, &error)),
    };
    Ok(Loaded { path: path.into(), text, prepared })
}
