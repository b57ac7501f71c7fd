//! The debug port, version 1: its registers, its sticky error flags and the posting of access-port transactions
//! (Arm IHI 0031, "DP register descriptions", "Sticky flags and DP error responses").
//!
//! Reads of access ports are *posted*: a read returns the result of the one before and starts the next; RDBUFF fetches
//! the last. Writes are posted too, so that a bus error shows as a FAULT on a later transfer.

use twinboard_sim::debug::{DebugTarget, SwdAck, SwdRequest};
use twinboard_sim::time::Time;

use super::mem_ap::{ApFault, MemAp};
use super::table::{ApTable, DapTable};

/// ABORT.DAPABORT: give up the access port's transaction.
const DAPABORT: u32 = 1 << 0;
/// ABORT's clear bits, with the flag of CTRL/STAT that each clears.
const ABORT_CLEARS: [(u32, u32); 4] = [
    (1 << 1, STICKYCMP),  // STKCMPCLR
    (1 << 2, STICKYERR),  // STKERRCLR
    (1 << 3, WDATAERR),   // WDERRCLR
    (1 << 4, STICKYORUN), // ORUNERRCLR
];

const ORUNDETECT: u32 = 1 << 0;
const STICKYORUN: u32 = 1 << 1;
/// 0 normal, 1 pushed verify, 2 pushed compare.
const TRNMODE: u32 = 0b11 << 2;
const TRNMODE_COMPARE: u32 = 0b10 << 2;
const STICKYCMP: u32 = 1 << 4;
const STICKYERR: u32 = 1 << 5;
const READOK: u32 = 1 << 6;
const WDATAERR: u32 = 1 << 7;
const MASKLANE: u32 = 0xF << 8;
const TRNCNT: u32 = 0xFFF << 12;
const CDBGPWRUPREQ: u32 = 1 << 28;
const CSYSPWRUPREQ: u32 = 1 << 30;
/// Each power-up acknowledge is the bit above its request.
const POWER_REQUESTS: u32 = CDBGPWRUPREQ | CSYSPWRUPREQ;

/// Any of these makes the port answer FAULT.
const STICKY: u32 = STICKYORUN | STICKYCMP | STICKYERR | WDATAERR;

/// WCR.WIREMODE, bits [7:6]: synchronous.
const WIREMODE_SYNC: u32 = 0b01 << 6;

/// What the debug port answers to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The acknowledge.
    pub ack: SwdAck,
    /// The data of a read that is acknowledged with OK.
    pub data: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Ap {
    Mem(MemAp),
    Vendor { idr: u32 },
}

/// An access-port transaction that the bus has not finished.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pending {
    apsel: u8,
    register: u8,
    /// The data of a write; none for a read.
    write: Option<u32>,
}

/// The debug port's registers and the access ports behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dp {
    dpidr: u32,
    minimal: bool,
    aps: Vec<(u8, Ap)>,
    /// CTRL/STAT without the acknowledges.
    ctrl_stat: u32,
    select: u32,
    turnaround: u8,
    /// The result of the last access-port read, until it is fetched.
    rdbuff: u32,
    /// What the last access-port read or RDBUFF returned, for RESEND.
    resend: u32,
    pending: Option<Pending>,
    /// No answer has shown yet that the last access-port transaction is finished.
    unconfirmed: bool,
    /// The next request finds the access port busy (a fault).
    held: bool,
}

impl Dp {
    /// The port as it is at power-on.
    #[must_use]
    pub fn new(table: &DapTable) -> Dp {
        let ap = |&(apsel, ap): &(u8, ApTable)| match ap {
            ApTable::Mem(table) => (apsel, Ap::Mem(MemAp::new(table))),
            ApTable::Vendor { idr } => (apsel, Ap::Vendor { idr }),
        };
        Dp {
            dpidr: table.dpidr,
            minimal: table.is_minimal(),
            aps: table.aps.iter().map(ap).collect(),
            ctrl_stat: 0,
            select: 0,
            turnaround: 1,
            rdbuff: 0,
            resend: 0,
            pending: None,
            unconfirmed: false,
            held: false,
        }
    }

    /// Turnaround in clocks, 1 to 4 (WCR.TURNROUND).
    #[must_use]
    pub fn turnaround(&self) -> u8 {
        self.turnaround
    }

    /// CTRL/STAT.ORUNDETECT: data phases follow WAIT and FAULT too.
    #[must_use]
    pub fn overrun_detect(&self) -> bool {
        self.ctrl_stat & ORUNDETECT != 0
    }

    /// A line reset: SELECT.DPBANKSEL becomes 0, all else keeps its value.
    pub fn line_reset(&mut self) {
        self.select &= !0xF;
    }

    /// The line saw a malformed request.
    pub fn protocol_error(&mut self) {
        self.overrun();
    }

    /// Whether a request at `at` would be done, and is one that WAIT or FAULT can be the answer to.
    pub fn can_refuse<T>(&mut self, at: Time, request: SwdRequest, target: &mut T) -> bool
    where
        T: DebugTarget + ?Sized,
    {
        self.finish(at, target);
        !self.is_always_answered(request) && self.refusal().is_none()
    }

    /// Whether the last access-port transaction may still be going on, for all that the host can know.
    #[must_use]
    pub fn is_unconfirmed(&self) -> bool {
        self.unconfirmed
    }

    /// The next request that WAIT can be the answer to finds the access port busy.
    pub fn hold_once(&mut self) {
        self.held = true;
    }

    /// The bus answered an access port's transaction with an error.
    pub fn bus_error(&mut self) {
        self.set(STICKYERR, true);
    }

    /// Decides on a request. A read happens here; a write that is acknowledged happens in [`Dp::write`].
    pub fn request<T>(&mut self, at: Time, request: SwdRequest, target: &mut T) -> Answer
    where
        T: DebugTarget + ?Sized,
    {
        let result = self.decide(at, request, target);
        if request.read && (request.ap || request.address == 0xC) {
            // READOK tells about AP and RDBUFF reads only.
            self.set(READOK, result.is_ok());
        }
        match result {
            Ok(data) => Answer { ack: SwdAck::OK, data },
            Err(ack) => {
                self.overrun();
                Answer { ack, data: 0 }
            }
        }
    }

    /// The data of an acknowledged write arrived, with the right parity.
    pub fn write<T>(&mut self, at: Time, request: SwdRequest, data: u32, target: &mut T)
    where
        T: DebugTarget + ?Sized,
    {
        if request.ap {
            self.start(at, Pending { write: Some(data), ..self.selected(request) }, target);
            return;
        }
        match (request.address, self.select & 0xF) {
            (0x0, _) => self.write_abort(data),
            (0x4, 0) => self.write_ctrl_stat(at, data, target),
            (0x4, 1) => self.turnaround = (data >> 8 & 0b11) as u8 + 1,
            (0x8, _) => self.select = data,
            _ => {}
        }
    }

    /// The data of an acknowledged write arrived, with the wrong parity: it is dropped.
    pub fn write_parity_error(&mut self) {
        self.set(WDATAERR, true);
    }

    fn decide<T>(&mut self, at: Time, request: SwdRequest, target: &mut T) -> Result<u32, SwdAck>
    where
        T: DebugTarget + ?Sized,
    {
        self.finish(at, target);
        let SwdRequest { ap, read, address } = request;
        if self.is_always_answered(request) {
            return Ok(match (read, address) {
                (true, 0x0) => self.dpidr,
                (true, _) => self.read_ctrl_stat(),
                (false, _) => 0,
            });
        }
        let refusal = self.refusal();
        self.held = false;
        if let Some(ack) = refusal {
            return Err(ack);
        }
        self.unconfirmed = false;
        match (ap, read, address) {
            (_, false, _) => Ok(0),
            (true, true, _) => {
                self.resend = self.rdbuff;
                self.start(at, self.selected(request), target);
                Ok(self.resend)
            }
            (false, true, 0x4) if self.select & 0xF == 1 => Ok(u32::from(self.turnaround - 1) << 8 | WIREMODE_SYNC),
            (false, true, 0x8) => Ok(self.resend),
            (false, true, 0xC) => {
                self.resend = std::mem::take(&mut self.rdbuff);
                Ok(self.resend)
            }
            (false, true, _) => Ok(0),
        }
    }

    /// Reads of DPIDR and CTRL/STAT and writes of ABORT are answered whatever happened before: with them a host finds out
    /// and recovers.
    fn is_always_answered(&self, request: SwdRequest) -> bool {
        match request {
            SwdRequest { ap: false, read: true, address: 0x4 } => self.select & 0xF == 0,
            SwdRequest { ap: false, address: 0x0, .. } => true,
            _ => false,
        }
    }

    /// Why any other request is not done now.
    fn refusal(&self) -> Option<SwdAck> {
        if self.ctrl_stat & STICKY != 0 {
            return Some(SwdAck::FAULT);
        }
        (self.pending.is_some() || self.held).then_some(SwdAck::WAIT)
    }

    fn read_ctrl_stat(&self) -> u32 {
        self.ctrl_stat | (self.ctrl_stat & POWER_REQUESTS) << 1
    }

    fn write_ctrl_stat<T>(&mut self, at: Time, value: u32, target: &mut T)
    where
        T: DebugTarget + ?Sized,
    {
        let mut writable = ORUNDETECT | POWER_REQUESTS;
        if !self.minimal {
            writable |= TRNMODE | MASKLANE | TRNCNT;
        }
        let before = self.ctrl_stat;
        self.ctrl_stat = before & !writable | value & writable;
        if (before ^ self.ctrl_stat) & POWER_REQUESTS != 0 {
            target.power_request(at, self.ctrl_stat & CDBGPWRUPREQ != 0, self.ctrl_stat & CSYSPWRUPREQ != 0);
        }
    }

    fn write_abort(&mut self, value: u32) {
        if value & DAPABORT != 0 {
            self.pending = None;
        }
        for (clear, flag) in ABORT_CLEARS {
            if value & clear != 0 {
                self.set(flag, false);
            }
        }
    }

    fn selected(&self, request: SwdRequest) -> Pending {
        let register = (self.select & 0xF0) as u8 | request.address;
        Pending { apsel: (self.select >> 24) as u8, register, write: None }
    }

    /// Starts an access-port transaction, and finishes it unless the bus is busy.
    fn start<T: DebugTarget + ?Sized>(&mut self, at: Time, transaction: Pending, target: &mut T) {
        self.pending = Some(transaction);
        self.unconfirmed = true;
        self.finish(at, target);
    }

    /// Finishes the pending transaction if the bus is ready.
    fn finish<T: DebugTarget + ?Sized>(&mut self, at: Time, target: &mut T) {
        let Some(transaction) = self.pending else { return };
        let powered = self.ctrl_stat & CDBGPWRUPREQ != 0;
        let ap = self.aps.iter_mut().find(|(apsel, _)| *apsel == transaction.apsel).map(|(_, ap)| ap);
        if let (true, Some(Ap::Mem(mem))) = (powered, &ap)
            && let Some(address) = mem.bus_address(transaction.register)
            && !target.mem_ready(at, address)
        {
            return;
        }
        self.pending = None;
        let result = match ap {
            _ if !powered => Err(ApFault),
            None => Ok(0),
            Some(Ap::Vendor { idr }) => Ok(vendor_access(at, transaction, *idr, target)),
            Some(Ap::Mem(mem)) => match transaction.write {
                None => mem.read(at, transaction.register, target),
                Some(data) if self.ctrl_stat & TRNMODE != 0 && mem.bus_address(transaction.register).is_some() => {
                    let read = mem.read(at, transaction.register, target);
                    read.inspect(|actual| self.ctrl_stat |= pushed_flag(self.ctrl_stat, actual ^ data))
                }
                Some(data) => mem.write(at, transaction.register, data, target).map(|()| 0),
            },
        };
        match result {
            Ok(data) if transaction.write.is_none() => self.rdbuff = data,
            Ok(_) => {}
            Err(ApFault) => self.set(STICKYERR, true),
        }
    }

    fn overrun(&mut self) {
        if self.overrun_detect() {
            self.set(STICKYORUN, true);
        }
    }

    fn set(&mut self, flag: u32, value: bool) {
        if value { self.ctrl_stat |= flag } else { self.ctrl_stat &= !flag }
    }
}

/// STICKYCMP, if a pushed operation sets it: a pushed verify on a mismatch, a pushed compare on a match, in the bytes
/// that CTRL/STAT.MASKLANE selects.
fn pushed_flag(ctrl_stat: u32, difference: u32) -> u32 {
    let lanes = (0..4).filter(|lane| ctrl_stat >> (8 + lane) & 1 != 0);
    let mask = lanes.fold(0, |mask, lane| mask | 0xFF << (8 * lane));
    let equal = difference & mask == 0;
    if equal == (ctrl_stat & TRNMODE == TRNMODE_COMPARE) { STICKYCMP } else { 0 }
}

fn vendor_access<T: DebugTarget + ?Sized>(at: Time, transaction: Pending, idr: u32, target: &mut T) -> u32 {
    let Pending { apsel, register, write } = transaction;
    match (register, write) {
        (0xFC, None) => idr,
        (0xFC, Some(_)) => 0,
        (_, None) => target.vendor_read(at, apsel, register),
        (_, Some(value)) => {
            target.vendor_write(at, apsel, register, value);
            0
        }
    }
}

#[cfg(test)]
mod tests;
