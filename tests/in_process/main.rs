//! Boards driven by the in-process host, from enumeration to a program in the target's flash.

mod bad_files;
mod bench;
mod bluetooth;
mod chaos;
mod chapter9;
mod copies;
mod debugger;
mod determinism;
mod drops_on_v1;
mod emulated_v1;
mod identity;
mod images;
mod interface;
mod microbit;
mod microbit_v1;
mod micropython;
mod missions;
mod missions_v1;
mod people;
mod programs;
mod radio;
mod repl;
mod serial;
mod storage;
mod surroundings;
mod target;
