//! A native V2 on its USB cable, whose target costs nothing.

use std::path::Path;
use std::sync::LazyLock;

use twinboard_models::board::{BoardFile, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image};
use twinboard_usbip::host::Host;

/// Stack pointer, reset vector, `WFI`, and back to it: an erased target would cost most of the time, locking up.
const SLEEPER: &[u8] = b"\x00\x00\x02\x20\x09\x00\x00\x00\x30\xBF\xFD\xE7";

static TARGET: LazyLock<Image> =
    LazyLock::new(|| Image::parse(Path::new("sleeper.bin"), SLEEPER, BlockIds(&[]), 0).expect("a program"));

static BOARD: LazyLock<BoardFile> = LazyLock::new(|| BoardFile::built_in("microbit-v2").expect("built in"));

/// Such a board, enumerated.
pub fn enumerated() -> Host<Powered> {
    let power = PowerOn { target: Some(&TARGET), ..PowerOn::default() };
    let mut host = Host::new(BOARD.power_on(&power).expect("a board"));
    host.enumerate().expect("enumerates");
    host
}
