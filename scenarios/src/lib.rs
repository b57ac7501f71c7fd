//! Scenarios: boards that misbehave on purpose, and what firmware and tools make of it.
//!
//! A scenario is one TOML file ([`language`]): a board with its settings and images, faults, and steps with what must come
//! of them. The runner ([`run`]) powers the board, plays the host, and writes down what happened ([`report`]): a verdict,
//! an evidence for every fault that struck, the numbers that were measured, and a fingerprint of everything that happened
//! on the board's wires. The same file with the same seed gives the same report on every machine.
//!
//! A fault is a claim about the world, and a claim needs a proof: a scenario whose fault never struck fails.

pub mod explain;
pub mod language;
pub mod minimise;
pub mod points;
pub mod report;
pub mod run;
pub mod sweep;
