//! Faults on a board's wires: the debug wires, nets, serial lines, the I2C bus.

use twinboard_sim::board::{Board, NetId};
use twinboard_sim::fault::{ArmError, Param, SharedFault};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::Time;

use super::powered::{Model, Net, Powered};
use crate::debug::fault::WireFaults;
use crate::fault::i2c::I2cFaults;
use crate::fault::net::NetFaults;

/// What is armed on nets and buses.
#[derive(Debug, Default)]
pub(super) struct OnWires {
    /// The debug wires that end at a chip.
    pub(super) debug: Vec<WireFaults>,
    /// The I2C buses: index of the master, and SDA if chips speak on it.
    pub(super) buses: Vec<(usize, Option<NetId>)>,
    nets: Vec<(NetId, NetFaults)>,
    i2c: Option<I2cFaults>,
}

impl OnWires {
    /// When time alone changes something; `now`, if it has already.
    pub(super) fn next(&self, now: Time) -> Time {
        self.nets.iter().map(|(_, net)| net.next(now)).min().unwrap_or(Time::NEVER)
    }

    /// Time has come to where something changes.
    pub(super) fn pass(&self, board: &mut Board) {
        let now = board.now();
        for (id, net) in &self.nets {
            if net.next(now) <= now {
                board.look_at(*id);
            }
        }
    }

    /// The faults of `net`.
    fn on(&mut self, board: &mut Board, net: &Net) -> NetFaults {
        if let Some((_, faults)) = self.nets.iter().find(|(id, _)| *id == net.id) {
            return faults.clone();
        }
        let faults = NetFaults::new(&net.name);
        board.tamper(net.id, Box::new(faults.clone()));
        self.nets.push((net.id, faults.clone()));
        faults
    }
}

impl Powered {
    /// Arms a fault of a family on wires; none if it is of another.
    pub(super) fn arm_on_wires(&mut self, fault: &SharedFault) -> Option<Result<(), ArmError>> {
        let family = fault.point().name.split_once('.').map(|(family, _)| family);
        let done = match family {
            Some("swd") => self.arm_swd(fault),
            Some("wire" | "uart") => self.arm_nets(fault),
            Some("i2c") => self.arm_i2c(fault),
            _ => return None,
        };
        Some(done)
    }

    fn arm_swd(&mut self, fault: &SharedFault) -> Result<(), ArmError> {
        let rate = fault.lock().params().rate.filter(|rate| !(0.0..=1.0).contains(rate));
        if let Some(rate) = rate {
            return Err(wrong(fault, Param::Rate, format!("a rate of 0 to 1 was expected, not {rate}")));
        }
        if self.faults.wires.debug.is_empty() {
            return Err(missing(fault, "it has no debug wires with a chip at their end"));
        }
        for wires in &self.faults.wires.debug {
            wires.add(fault.clone());
        }
        Ok(())
    }

    fn arm_nets(&mut self, fault: &SharedFault) -> Result<(), ArmError> {
        let params = fault.lock().params().clone();
        if let Some(factor) = params.factor.filter(|factor| !(0.001..=1000.0).contains(factor)) {
            let message = format!("a factor of 0.001 to 1000 was expected, not {factor}");
            return Err(wrong(fault, Param::Factor, message));
        }
        if let Some(bit) = params.bit.filter(|bit| *bit > 15) {
            return Err(wrong(fault, Param::Bit, format!("a bit of a character, 0 to 15, was expected, not {bit}")));
        }
        let chosen: Vec<Net> = match &params.wire {
            Some(name) => self.nets.iter().filter(|net| net.name == *name).cloned().collect(),
            None => self.nets.iter().filter(|net| net.serial).cloned().collect(),
        };
        if chosen.is_empty() {
            let Some(name) = params.wire else { return Err(missing(fault, "it has no serial lines")) };
            let known: Vec<_> = self.nets.iter().map(|net| net.name.as_str()).collect();
            let message = format!("there is no wire {name}; this board has {}", known.join(", "));
            return Err(wrong(fault, Param::Wire, message));
        }
        for net in &chosen {
            self.faults.wires.on(&mut self.board, net).add(fault);
        }
        Ok(())
    }

    fn arm_i2c(&mut self, fault: &SharedFault) -> Result<(), ArmError> {
        let params = fault.lock().params().clone();
        if let Some(value) = params.value.filter(|value| *value > 0x7F) {
            let message = format!("a 7-bit address, 0 to 0x7f, was expected, not {value:#x}");
            return Err(wrong(fault, Param::Value, message));
        }
        if let Some(bit) = params.bit.filter(|bit| *bit > 7) {
            return Err(wrong(fault, Param::Bit, format!("a bit of a byte, 0 to 7, was expected, not {bit}")));
        }
        if self.faults.wires.buses.is_empty() {
            return Err(missing(fault, "it has no I2C bus"));
        }
        let first = self.faults.wires.i2c.is_none();
        let faults = self.faults.wires.i2c.get_or_insert_default().clone();
        faults.add(fault);
        if !first {
            return Ok(());
        }
        for (master, sda) in self.faults.wires.buses.clone() {
            if let Some((_, Model::Nrf5(chip))) = self.chips.get(master) {
                chip.lock().set_i2c_faults(faults.clone());
            }
            if let Some(net) = self.nets.iter().find(|net| Some(net.id) == sda) {
                self.faults.wires.on(&mut self.board, net).carry(faults.clone());
            }
        }
        Ok(())
    }
}

fn missing(fault: &SharedFault, reason: &str) -> ArmError {
    ArmError::NotHere { point: fault.point().name.into(), reason: reason.into() }
}

fn wrong(fault: &SharedFault, param: Param, message: String) -> ArmError {
    ArmError::Param { point: fault.point().name.into(), param, message }
}
