//! Official images, where they are.

use twinboard_models::image::known;

/// MicroPython for both micro:bits as one Universal Hex, out of the Python package `uflash`; `tests/setup.sh` puts it
/// there.
pub const MICROPYTHON: &str = "micropython-uflash-2.0.0.hex";

/// The contents of an image in the folder of official images or below its `extra`. If it is not there, says so: the
/// test that wants it is skipped.
pub fn official(name: &str) -> Option<Vec<u8>> {
    let folder = known::folder();
    let found = [folder.join(name), folder.join("extra").join(name)].iter().find_map(|path| std::fs::read(path).ok());
    if found.is_none() {
        println!("skipped: {name} is not in {}", folder.display());
    }
    found
}
