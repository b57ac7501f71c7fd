//! The engine of twinboard.
//!
//! A *board* is chips and wires. A *chip* is a thing with pins that time passes through ([`chip::Chip`]); a *wire* is
//! a net with drivers, pulls and a level ([`wire`]); time is a count of picoseconds since power-on ([`time`]). This
//! crate makes time pass, brings what one chip does to the others, and has the CPU cores that chips are built
//! around ([`cpu`]). It knows no chip: those are data and code of `twinboard-models`.

pub mod activity;
pub mod board;
pub mod bus;
pub mod chip;
pub mod cpu;
pub mod debug;
pub mod fault;
pub mod gdb;
pub mod machine;
pub mod pace;
pub mod report;
pub mod task;
pub mod time;
pub mod trace;
pub mod usb;
pub mod wire;
