//! Value change dump (IEEE 1364-2005, clause 18) of all nets, for GTKWave and its like.

use std::collections::BTreeMap;
use std::io::{self, Write};

use vcd::{IdCode, TimescaleUnit, Value, Writer};

use crate::board::NetId;
use crate::time::Time;
use crate::trace::Sink;
use crate::wire::{Drive, Signal};

/// Writes a VCD file while the board runs. Time unit: 1 ps.
///
/// A serial character is announced when it starts, so its later edges wait in a queue until time has passed them.
pub struct VcdSink<W: Write + Send> {
    writer: Writer<W>,
    codes: Vec<IdCode>,
    /// Edges of characters that are still under way, by time.
    ahead: BTreeMap<(Time, usize), bool>,
    stamped: Option<Time>,
    error: Option<io::Error>,
}

impl<W: Write + Send> std::fmt::Debug for VcdSink<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VcdSink").field("nets", &self.codes.len()).field("error", &self.error).finish_non_exhaustive()
    }
}

impl<W: Write + Send> VcdSink<W> {
    /// A dump of the nets called `names`, in the order of their [`NetId`]s, into `out`.
    ///
    /// # Errors
    /// What writing the header gives.
    pub fn new(out: W, board: &str, names: &[String]) -> io::Result<VcdSink<W>> {
        let mut writer = Writer::new(out);
        writer.timescale(1, TimescaleUnit::PS)?;
        writer.add_module(&identifier(board))?;
        let codes = names.iter().map(|name| writer.add_wire(1, &identifier(name))).collect::<io::Result<_>>()?;
        writer.upscope()?;
        writer.enddefinitions()?;
        Ok(VcdSink { writer, codes, ahead: BTreeMap::new(), stamped: None, error: None })
    }

    /// Writes what is still waiting and flushes.
    ///
    /// # Errors
    /// The first error of any write since the start.
    pub fn finish(&mut self) -> io::Result<()> {
        self.catch_up(Time::NEVER);
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        self.writer.flush()
    }

    fn catch_up(&mut self, to: Time) {
        while let Some(entry) = self.ahead.first_entry() {
            let (at, net) = *entry.key();
            if at >= to {
                break;
            }
            let bit = entry.remove();
            self.change(at, net, if bit { Value::V1 } else { Value::V0 });
        }
    }

    fn change(&mut self, at: Time, net: usize, value: Value) {
        let Some(&code) = self.codes.get(net) else { return };
        let mut write = || {
            if self.stamped != Some(at) {
                self.writer.timestamp(at.0)?;
                self.stamped = Some(at);
            }
            self.writer.change_scalar(code, value)
        };
        if let Err(error) = write() {
            self.error.get_or_insert(error);
        }
    }
}

impl<W: Write + Send> Sink for VcdSink<W> {
    fn net(&mut self, at: Time, net: NetId, signal: Signal) {
        self.catch_up(at);
        match signal {
            Signal::Drive(drive) => {
                let value = match drive {
                    Drive::High => Value::V1,
                    Drive::Low => Value::V0,
                    _ => Value::Z,
                };
                self.change(at, net.0, value);
            }
            Signal::Serial(frame) => {
                let mut level = true;
                for i in 0..=u64::from(frame.count) {
                    let bit = frame.level_at(frame.bit * i);
                    if bit != level {
                        self.ahead.insert((at + frame.bit * i, net.0), bit);
                        level = bit;
                    }
                }
            }
            // Whole bytes, whose bits are not followed.
            Signal::I2c(_) => {}
        }
    }
}

impl<W: Write + Send> Drop for VcdSink<W> {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::warn!(%error, "the VCD file is incomplete");
        }
    }
}

/// VCD names end at white space.
fn identifier(name: &str) -> String {
    name.chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;
    use crate::wire::SerialFrame;

    #[test]
    fn a_character_becomes_the_edges_of_its_bits() {
        let mut out = Vec::new();
        let mut sink = VcdSink::new(&mut out, "board", &["TX".into()]).expect("header");
        // 'U' = 0x55: start 0, then 1 0 1 0 1 0 1 0, stop 1: an edge at every bit.
        let frame = SerialFrame { bit: Span::us(10), bits: 0x55 << 1 | 1 << 9, count: 10 };
        sink.net(Time::ZERO + Span::us(100), NetId(0), Signal::Serial(frame));
        drop(sink);
        let commands: Vec<_> = vcd::Parser::new(&out[..]).collect::<Result<_, _>>().expect("a valid VCD file");
        let stamps: Vec<u64> = commands
            .iter()
            .filter_map(|c| if let vcd::Command::Timestamp(t) = c { Some(t / 1_000_000) } else { None })
            .collect();
        assert_eq!(stamps, [100, 110, 120, 130, 140, 150, 160, 170, 180, 190]);
    }
}
