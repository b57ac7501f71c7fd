//! A Cortex-M as GDB knows it: its registers, their order on the wire, and the description that GDB asks for.
//!
//! GDB numbers the registers in the order of the description (GDB manual, "ARM Features").

use std::fmt::Write;
use std::num::NonZeroUsize;

use gdbstub::arch::{Arch, RegId, Registers};
use gdbstub_arch::arm::ArmBreakpointKind;

/// What registers a core has besides R0 to R15 and xPSR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegisterSet {
    /// BASEPRI and FAULTMASK: ARMv7-M.
    pub v7: bool,
    /// S0 to S31 and FPSCR.
    pub fpu: bool,
}

/// R0 to R15.
const CORE: usize = 16;
/// MSP, PSP, PRIMASK, CONTROL of ARMv6-M; BASEPRI and FAULTMASK follow on ARMv7-M.
const SYSTEM_NAMES: [&str; 6] = ["msp", "psp", "primask", "control", "basepri", "faultmask"];
const DOUBLES: usize = 16;

/// DCRSR.REGSEL.
mod regsel {
    pub const XPSR: u8 = 16;
    pub const MSP: u8 = 17;
    pub const PSP: u8 = 18;
    /// CONTROL, FAULTMASK, BASEPRI, PRIMASK, from the highest byte to the lowest.
    pub const SPECIAL: u8 = 20;
    pub const FPSCR: u8 = 0x21;
    pub const S0: u8 = 0x40;
}

/// Where a register of the description is in the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// All of REGSEL's register.
    Whole(u8),
    /// A byte of CONTROL|FAULTMASK|BASEPRI|PRIMASK: how far it is shifted.
    SpecialByte(u32),
    /// Two singles that are a double.
    Pair(u8),
}

impl Place {
    /// REGSEL of the register that holds it (the first of a pair).
    pub fn register(self) -> u8 {
        match self {
            Place::Whole(register) | Place::Pair(register) => register,
            Place::SpecialByte(_) => regsel::SPECIAL,
        }
    }

    /// Width on the wire, in bytes.
    pub fn bytes(self) -> usize {
        if matches!(self, Place::Pair(_)) { 8 } else { 4 }
    }
}

/// The places of all registers of the description, in its order.
pub fn places(set: RegisterSet) -> Vec<Place> {
    let mut places: Vec<Place> = (0..CORE as u8).map(Place::Whole).collect();
    places.push(Place::Whole(regsel::XPSR));
    places.extend([Place::Whole(regsel::MSP), Place::Whole(regsel::PSP)]);
    places.extend([Place::SpecialByte(0), Place::SpecialByte(24)]);
    if set.v7 {
        places.extend([Place::SpecialByte(8), Place::SpecialByte(16)]);
    }
    if set.fpu {
        places.extend((0..DOUBLES as u8).map(|i| Place::Pair(regsel::S0 + 2 * i)));
        places.push(Place::Whole(regsel::FPSCR));
    }
    places
}

/// The target description.
pub fn description(set: RegisterSet) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">\
         <architecture>arm</architecture><feature name=\"org.gnu.gdb.arm.m-profile\">",
    );
    let mut register = |text: &str| xml.write_fmt(format_args!("<reg {text}/>")).expect("strings take all");
    for i in 0..13 {
        register(&format!("name=\"r{i}\" bitsize=\"32\""));
    }
    register("name=\"sp\" bitsize=\"32\" type=\"data_ptr\"");
    register("name=\"lr\" bitsize=\"32\"");
    register("name=\"pc\" bitsize=\"32\" type=\"code_ptr\"");
    register("name=\"xpsr\" bitsize=\"32\"");
    xml.push_str("</feature><feature name=\"org.gnu.gdb.arm.m-system\">");
    let mut register = |text: &str| xml.write_fmt(format_args!("<reg {text}/>")).expect("strings take all");
    for (i, name) in SYSTEM_NAMES[..if set.v7 { 6 } else { 4 }].iter().enumerate() {
        let kind = if i < 2 { "data_ptr" } else { "int" };
        register(&format!("name=\"{name}\" bitsize=\"32\" type=\"{kind}\""));
    }
    xml.push_str("</feature>");
    if set.fpu {
        xml.push_str("<feature name=\"org.gnu.gdb.arm.vfp\">");
        for i in 0..DOUBLES {
            xml.push_str(&format!("<reg name=\"d{i}\" bitsize=\"64\" type=\"ieee_double\"/>"));
        }
        xml.push_str("<reg name=\"fpscr\" bitsize=\"32\" type=\"int\" group=\"float\"/></feature>");
    }
    xml.push_str("</target>");
    xml
}

/// All registers as they go over the wire.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WireRegisters(pub Vec<u8>);

impl Registers for WireRegisters {
    type ProgramCounter = u32;

    fn pc(&self) -> u32 {
        self.0.get(60..64).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        self.0.iter().for_each(|byte| write_byte(Some(*byte)));
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.0 = bytes.to_vec();
        Ok(())
    }
}

/// A register's number in the description.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegisterNumber(pub usize);

impl RegId for RegisterNumber {
    fn from_raw_id(id: usize) -> Option<(Self, Option<NonZeroUsize>)> {
        Some((RegisterNumber(id), None))
    }

    fn to_raw_id(&self) -> Option<usize> {
        Some(self.0)
    }
}

/// The Cortex-M profile, whose registers depend on the core.
#[derive(Debug)]
pub enum CortexM {}

impl Arch for CortexM {
    type Usize = u32;
    type Registers = WireRegisters;
    type BreakpointKind = ArmBreakpointKind;
    type RegId = RegisterNumber;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn description_and_places_agree() {
        for (v7, fpu) in [(false, false), (true, false), (true, true)] {
            let set = RegisterSet { v7, fpu };
            let xml = description(set);
            let widths: Vec<usize> = xml
                .split("bitsize=\"")
                .skip(1)
                .map(|rest| rest.split('"').next().and_then(|bits| bits.parse::<usize>().ok()).expect("a number") / 8)
                .collect();
            assert_eq!(widths, places(set).into_iter().map(Place::bytes).collect::<Vec<_>>());
        }
    }
}
