//! A debug target for tests: memory that remembers every access with its time, and can fault, be busy or be locked.

use std::collections::BTreeMap;
use std::ops::Range;

use twinboard_sim::bus::{BusFault, Size};
use twinboard_sim::debug::DebugTarget;
use twinboard_sim::time::Time;

/// What reached the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    Read { at: Time, address: u32, size: Size },
    Write { at: Time, address: u32, size: Size, value: u32 },
    Power { at: Time, debug: bool, system: bool },
    VendorRead { at: Time, ap: u8, register: u8 },
    VendorWrite { at: Time, ap: u8, register: u8, value: u32 },
    Reset { at: Time, asserted: bool },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptedTarget {
    words: BTreeMap<u32, u32>,
    /// Addresses that answer with a bus error.
    pub faulty: Range<u32>,
    /// Times at which the bus stalls.
    pub busy: Range<Time>,
    pub enabled: bool,
    pub events: Vec<Event>,
}

impl Default for ScriptedTarget {
    fn default() -> Self {
        ScriptedTarget {
            words: BTreeMap::new(),
            faulty: 0..0,
            busy: Time::ZERO..Time::ZERO,
            enabled: true,
            events: Vec::new(),
        }
    }
}

impl ScriptedTarget {
    pub fn peek(&self, address: u32) -> u32 {
        self.words.get(&(address & !3)).copied().unwrap_or(0)
    }

    pub fn poke(&mut self, address: u32, value: u32) {
        self.words.insert(address & !3, value);
    }
}

impl DebugTarget for ScriptedTarget {
    fn mem_read(&mut self, at: Time, address: u32, size: Size) -> Result<u32, BusFault> {
        self.events.push(Event::Read { at, address, size });
        if self.faulty.contains(&address) {
            return Err(BusFault { address });
        }
        Ok(self.peek(address) >> (8 * (address & 3)) & u32::MAX >> (32 - 8 * size.bytes()))
    }

    fn mem_write(&mut self, at: Time, address: u32, size: Size, value: u32) -> Result<(), BusFault> {
        self.events.push(Event::Write { at, address, size, value });
        if self.faulty.contains(&address) {
            return Err(BusFault { address });
        }
        let (lane, mask) = (8 * (address & 3), u32::MAX >> (32 - 8 * size.bytes()));
        self.poke(address, self.peek(address) & !(mask << lane) | (value & mask) << lane);
        Ok(())
    }

    fn mem_ready(&mut self, at: Time, _: u32) -> bool {
        !self.busy.contains(&at)
    }

    fn mem_enabled(&mut self, _: Time) -> bool {
        self.enabled
    }

    fn power_request(&mut self, at: Time, debug: bool, system: bool) {
        self.events.push(Event::Power { at, debug, system });
    }

    fn vendor_read(&mut self, at: Time, ap: u8, register: u8) -> u32 {
        self.events.push(Event::VendorRead { at, ap, register });
        u32::from(ap) << 8 | u32::from(register)
    }

    fn vendor_write(&mut self, at: Time, ap: u8, register: u8, value: u32) {
        self.events.push(Event::VendorWrite { at, ap, register, value });
    }

    fn reset_pin(&mut self, at: Time, asserted: bool) {
        self.events.push(Event::Reset { at, asserted });
    }
}
