//! MicroPython on a micro:bit.
//!
//! The image is not part of this repository; see [`images`].

use std::path::Path;

use twinboard_models::board::{BoardFile, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, MICROBIT_V1, MICROBIT_V2};
use twinboard_sim::board::Driver;

use super::images;

/// A board that MicroPython runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Board {
    /// Name of the board file.
    pub name: &'static str,
    /// Its half of the Universal Hex.
    pub ids: BlockIds,
}

/// The boards that have both a board file and a half of the Universal Hex.
pub const BOARDS: &[Board] =
    &[Board { name: "microbit-v2", ids: MICROBIT_V2 }, Board { name: "microbit-v1", ids: MICROBIT_V1 }];

/// The board's half of the Universal Hex, if it is there.
pub fn image(board: Board) -> Option<Image> {
    let bytes = images::official(images::MICROPYTHON)?;
    Some(Image::parse(Path::new(images::MICROPYTHON), &bytes, board.ids, 0).expect("a Universal Hex with both halves"))
}

/// A board under power with `image` in its target's flash, before its first instruction.
pub fn power_on(board: Board, image: &Image, driver: Driver, watch_wires: bool) -> Powered {
    let file = BoardFile::built_in(board.name).expect("built in");
    file.power_on(&PowerOn { driver, target: Some(image), watch_wires, ..PowerOn::default() }).expect("can be built")
}
