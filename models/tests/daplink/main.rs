//! The native DAPLink from the host's end of the USB cable, packet by packet.

mod bulk_only;
mod chapter9;
mod drag_and_drop;
mod host;
mod hostile;
mod internal_bus;
mod microbit_v1;
mod volume;
