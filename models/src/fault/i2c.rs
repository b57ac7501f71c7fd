//! `i2c.*`: what goes wrong on a board's I2C bus, whether the sensors on it are spoken to or another chip.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::board::Fate;
use twinboard_sim::fault::{Fault, Param, PointSpec, SharedFault};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{I2cSignal, Signal};

/// For how long SCL is held if nothing is said.
const STRETCH: Span = Span::ms(1);
/// Start condition, eight bits and acknowledge.
const START_CLOCKS: u64 = 10;
/// Eight bits and acknowledge.
const BYTE_CLOCKS: u64 = 9;

/// The family's points. `value` is a 7-bit address; any if not given.
pub static POINTS: &[PointSpec] = &[
    PointSpec {
        name: "i2c.nack",
        what: "SDA stays high where a device acknowledges, which goes on as if the master had heard it; `value` is the \
               device's 7-bit address (default: any)",
        opportunity: "an address or a written byte that a device acknowledges",
        params: &[Param::Value.optional()],
    },
    PointSpec {
        name: "i2c.stretch",
        what: "SCL is held low for `delay` (default 1 ms) after an address or a byte; `value` is the device's 7-bit address \
               (default: any)",
        opportunity: "an address that a device acknowledges, or a byte to or from one",
        params: &[Param::Value.optional(), Param::Delay.optional()],
    },
    PointSpec {
        name: "i2c.flip",
        what: "a bit of a data byte is inverted on its way: number `bit`, the least significant being 0, or any of them; \
               `value` is the device's 7-bit address (default: any)",
        opportunity: "a data byte to or from a device",
        params: &[Param::Value.optional(), Param::Bit.optional()],
    },
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Nack,
    Stretch,
    Flip,
}

/// The faults of one bus; clones are of the same bus.
#[derive(Clone, Debug, Default)]
pub struct I2cFaults(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    faults: Vec<(Kind, SharedFault)>,
    /// Of the transfer between chips that is going on: its address, its clock, and when its byte is over.
    address: u8,
    bit: Span,
    over: Time,
}

impl I2cFaults {
    /// Arms a fault of this family; false if it is none.
    pub fn add(&self, fault: &SharedFault) -> bool {
        let kind = match fault.point().name {
            "i2c.nack" => Kind::Nack,
            "i2c.stretch" => Kind::Stretch,
            "i2c.flip" => Kind::Flip,
            _ => return false,
        };
        self.0.lock().faults.push((kind, fault.clone()));
        true
    }

    /// Whether the master hears that the device at `address` acknowledges, which it does.
    #[must_use]
    pub fn acknowledges(&self, at: Time, address: u8) -> bool {
        self.0.lock().acknowledges(at, address)
    }

    /// A data byte as it arrives.
    #[must_use]
    pub fn carries(&self, at: Time, address: u8, byte: u8) -> u8 {
        self.0.lock().carries(at, address, byte)
    }

    /// For how long SCL is held after an address or a byte.
    #[must_use]
    pub fn stretches(&self, at: Time, address: u8) -> Span {
        self.0.lock().stretches(at, address)
    }

    /// What becomes of a step between chips.
    #[must_use]
    pub fn step(&self, at: Time, step: I2cSignal) -> Fate {
        self.0.lock().step(at, step)
    }
}

impl Inner {
    /// Offers the opportunity to each fault of `kind` on `address` until one strikes.
    fn strike<R>(&self, kind: Kind, address: u8, mut act: impl FnMut(&mut Fault) -> Option<R>) -> Option<R> {
        self.faults.iter().filter(|(other, _)| *other == kind).find_map(|(_, fault)| {
            let mut fault = fault.lock();
            let concerns = fault.params().value.is_none_or(|wanted| wanted == u32::from(address));
            if concerns { act(&mut fault) } else { None }
        })
    }

    fn acknowledges(&self, at: Time, address: u8) -> bool {
        let told = || (place(address), String::from("its acknowledge did not reach the master"));
        self.strike(Kind::Nack, address, |fault| fault.strike(at, |_, _| Some(()), |()| told())).is_none()
    }

    fn carries(&self, at: Time, address: u8, byte: u8) -> u8 {
        let flipped = self.strike(Kind::Flip, address, |fault| {
            fault.strike(
                at,
                |params, dice| {
                    let bit = params.bit.map_or_else(|| dice.below(8), u32::from);
                    (bit < 8).then(|| byte ^ 1 << bit)
                },
                |new| (place(address), format!("{new:#04x} arrived instead of {byte:#04x}")),
            )
        });
        flipped.unwrap_or(byte)
    }

    fn stretches(&self, at: Time, address: u8) -> Span {
        let held = self.strike(Kind::Stretch, address, |fault| {
            fault.strike(
                at,
                |params, _| Some(params.delay.unwrap_or(STRETCH)).filter(|delay| *delay > Span::ZERO),
                |delay| (place(address), format!("SCL was held for {} µs", delay.0 / 1_000_000)),
            )
        });
        held.unwrap_or(Span::ZERO)
    }

    fn step(&mut self, at: Time, step: I2cSignal) -> Fate {
        let changed = match step {
            I2cSignal::Start { address, bit, .. } => {
                (self.address, self.bit, self.over) = (address, bit, at + bit * START_CLOCKS);
                return Fate::Pass;
            }
            I2cSignal::Read => {
                self.over = at + self.bit * BYTE_CLOCKS;
                return Fate::Pass;
            }
            I2cSignal::Write(byte) => {
                self.over = at + self.bit * BYTE_CLOCKS;
                I2cSignal::Write(self.carries(at, self.address, byte))
            }
            I2cSignal::Data(byte) => I2cSignal::Data(self.carries(at, self.address, byte)),
            I2cSignal::Answer(true) => I2cSignal::Answer(self.acknowledges(at, self.address)),
            I2cSignal::Acknowledge(_) | I2cSignal::Stop | I2cSignal::Answer(false) | I2cSignal::Hold => {
                return Fate::Pass;
            }
        };
        // Only the device's answers can be late: the master's clock waits for them.
        if matches!(step, I2cSignal::Answer(_) | I2cSignal::Data(_)) {
            let held = self.stretches(at, self.address);
            if held > Span::ZERO {
                let (now, at) = (Some(Signal::I2c(I2cSignal::Hold)), at.max(self.over) + held);
                return Fate::Postpone { now, at, later: Signal::I2c(changed) };
            }
        }
        if changed == step { Fate::Pass } else { Fate::Change(Signal::I2c(changed)) }
    }
}

fn place(address: u8) -> String {
    format!("I2C address {address:#04x}")
}
