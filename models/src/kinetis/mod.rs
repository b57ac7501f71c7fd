//! NXP's Kinetis L family: what the chips have in common, and each chip as a table.
//!
//! A Cortex-M0+ with flash, RAM and a peripheral bridge of 4 KB slots. Three things shape everything else: the clock
//! generator, which firmware leads from one frequency to another ([`clock`] keeps account of time meanwhile); the clock
//! gates, without which a peripheral does not even answer the bus; and pins that belong to whom their multiplexer
//! says. Each peripheral is a register machine in a file of its own that reads like its chapter of the reference
//! manual; the bus, the interrupts and the order of things are the chip's business ([`Kinetis`] is the whole).

mod adc16;
mod boot;
mod bus;
mod capacitor;
mod chip;
mod clock;
mod cop;
mod firmware_faults;
mod flexio;
mod ftfa;
mod gpio;
mod i2c;
mod kl26z;
mod kl27z;
mod low_power;
mod lptmr;
mod lpuart;
mod mcg;
mod mcg_lite;
mod mcm;
mod peripheral;
mod pins;
mod pit;
mod port;
mod rcm;
mod registers;
pub mod rom;
mod rtc;
mod sim;
mod soc;
mod table;
mod tpm;
mod uart;
pub mod usb0;

pub use boot::RomSpec;
pub use chip::Kinetis;
pub use kl26z::KL26Z;
pub use kl27z::KL27Z;
pub use pins::by_name as pin_by_name;
pub use table::{ChipTable, Options};

/// The chips of the family that are modelled.
pub const CHIPS: &[&ChipTable] = &[&KL26Z, &KL27Z];
