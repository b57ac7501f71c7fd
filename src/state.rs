//! `--state DIR`: what the chips keep without power, as plain files: `BOARD-N.CHIP.flash` and `.uicr` are binaries,
//! `BOARD-N.CHIP.toml` has the interface firmware's settings. N counts the boards of a command from 0.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use twinboard_models::board::{Model, Powered};
use twinboard_models::daplink::Settings;

use crate::failure::Failure;

fn file(dir: &Path, specimen: u32, powered: &Powered, chip: &str, ending: &str) -> PathBuf {
    dir.join(format!("{}-{specimen}.{chip}.{ending}", powered.name))
}

/// Gives the chips what `dir` has of them; chips that it knows nothing of stay as delivered.
pub fn load(dir: &Path, specimen: u32, powered: &Powered) -> Result<(), Failure> {
    for (name, model) in &powered.chips {
        let path = |ending: &str| file(dir, specimen, powered, name, ending);
        match model {
            Model::Nrf5(chip) => {
                let mut chip = chip.lock();
                if let Some(bytes) = read(&path("flash"), chip.flash().len())? {
                    chip.set_flash(&bytes);
                }
                if let Some(bytes) = read(&path("uicr"), chip.uicr().len())? {
                    chip.set_uicr(&bytes);
                }
            }
            Model::DapLink(chip) => {
                let path = path("toml");
                let Some(bytes) = read(&path, 4096)? else { continue };
                let settings: Settings = toml::from_slice(&bytes).map_err(|error| {
                    Failure::input(format!("{}: {error}", path.display()), "correct the file or remove it")
                })?;
                chip.lock().settings().change(|kept| *kept = settings);
            }
        }
    }
    Ok(())
}

/// A file of at most `limit` bytes, or nothing if it does not exist.
fn read(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, Failure> {
    let problem = |what: String| Failure::input(format!("{}: {what}", path.display()), "remove the file to start anew");
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(problem(error.to_string())),
        Ok(data) if data.len() > limit as u64 => {
            return Err(problem(format!("has {} bytes, at most {limit} were expected", data.len())));
        }
        Ok(_) => {}
    }
    fs::read(path).map(Some).map_err(|error| problem(error.to_string()))
}

/// Saves what the chips keep without power.
pub fn save(dir: &Path, specimen: u32, powered: &Powered) -> Result<(), Failure> {
    fs::create_dir_all(dir)?;
    for (name, model) in &powered.chips {
        let write = |ending: &str, bytes: &[u8]| -> io::Result<()> {
            // A half-written file must not replace a whole one.
            let path = file(dir, specimen, powered, name, ending);
            let new = path.with_extension(format!("{ending}.new"));
            fs::write(&new, bytes)?;
            fs::rename(new, path)
        };
        match model {
            Model::Nrf5(chip) => {
                let chip = chip.lock();
                write("flash", chip.flash())?;
                write("uicr", chip.uicr())?;
            }
            Model::DapLink(chip) => {
                let settings = chip.lock().settings().settings();
                write("toml", toml::to_string(&settings).map_err(Failure::job)?.as_bytes())?;
            }
        }
    }
    Ok(())
}
