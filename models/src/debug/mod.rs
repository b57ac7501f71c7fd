//! The debug path: `SWD line → DP → AP → bus`, each its own type, as in the silicon.
//!
//! A debugger reaches a chip over two wires. SWCLK comes from the probe; SWDIO is driven by whoever's turn it is. On
//! this line the target's *serial wire debug port* takes requests of eight bits: which of four registers, of the
//! debug port itself (DP) or of an access port behind it (AP), to be read or written. The target answers with three
//! acknowledge bits, then 32 data bits and a parity bit go one way or the other. A *memory access port* is a bus
//! master: its registers CSW, TAR and DRW read and write the chip's memory, and with it the core's debug registers.
//!
//! | type | is | Arm IHI 0031 |
//! |---|---|---|
//! | [`select::Selector`] | which protocol the pins speak: JTAG, SWD or dormant | "SWJ-DP", "Dormant operation" |
//! | [`line::SwdLine`] | packets, turnarounds, acknowledge, line reset | "SWD protocol operation" |
//! | [`dp::Dp`] | the debug port's registers, sticky errors, posted reads | "DP register descriptions" |
//! | [`mem_ap::MemAp`] | an AHB-AP: size, byte lanes, auto-increment | "The Memory Access Port" |
//! | [`table::DapTable`] | a chip's identities and variants, as data | |
//! | [`rom_table`] | the constant words by which a debugger finds a chip's components | "ROM Tables" |
//! | [`link::SwdLink`] | the probe's end of the wire, [`twinboard_sim::debug::SwdWire`] | |
//!
//! The first four are pure register machines: whoever clocks them hands them the time and the
//! [`twinboard_sim::debug::DebugTarget`] they reach.

pub mod dp;
pub mod fault;
pub mod line;
pub mod link;
pub mod mem_ap;
pub mod open;
pub mod rom_table;
pub mod select;
pub mod table;

#[cfg(test)]
mod scripted;
