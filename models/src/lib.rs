//! Chips, peripherals, debug ports, native interface firmware and boards.

pub mod board;
pub mod daplink;
pub mod debug;
pub mod fault;
pub mod image;
pub mod kinetis;
pub mod native;
pub mod nordic;
pub mod parts;
