//! A debugger on an emulated core: the GDB remote serial protocol over TCP.
//!
//! GDB connects to a [`GdbServer`], which knows nothing of the chip. Whoever makes the board's time pass calls
//! [`GdbServer::poll`] with the core between two slices; what GDB wants (registers, memory, breakpoints, go, stop) is
//! done there and then. So no other thread ever touches the chip, and time goes on for the rest of the board while
//! the core is halted.
//!
//! The protocol itself is the `gdbstub` crate's, on a thread of its own: its requests come over a channel (`remote`)
//! and are done in `poll`, on what there is of a session on the core's side (`session`).
//!
//! Breakpoints and watchpoints are the core's own ([`crate::cpu::Cpu`]), as many as one likes: nothing is written into
//! the program, and the chip's breakpoint unit is left to the chip's debug port. Flash is programmed by the chip's own
//! means only, so GDB's `load` works for programs in RAM.

mod arch;
mod monitor;
mod remote;
mod server;
mod session;

pub use server::GdbServer;
