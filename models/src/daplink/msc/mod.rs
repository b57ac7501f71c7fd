//! The drive's USB side: Bulk-Only Transport, one 512-byte sector at a time.
//!
//! The target is programmed inside the data phase of a WRITE: the OUT endpoint is armed for the next sector only when
//! the last one is done, so the host sees NAKs while flash is erased or written.

pub mod scsi;
pub mod wrapper;

use super::descriptors::endpoint::MSC;
use super::drive::Drive;
use super::shared::{Core, TargetFlash};
use crate::native::endpoints::{CAPACITY, UsbDevice};
use scsi::{SECTOR, op};
use twinboard_sim::usb::MAX_PACKET;
use wrapper::{Cbw, Csw, Status};

const IN: u8 = 0x80 | MSC;

/// Where a command stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    /// Waiting for a command block wrapper.
    #[default]
    Command,
    /// READ: sectors go out.
    DataIn,
    /// WRITE or VERIFY: sectors come in.
    DataOut,
    /// The last data is on its way; the status follows.
    DataInLast,
    /// The last data was shorter than asked for; a STALL says so, then the status follows.
    DataInLastStall,
    /// The status waits for the host.
    Status,
    /// An invalid wrapper came: both endpoints stay halted until reset recovery (BOT §6.6.1).
    Error,
    /// Bulk-Only reset: what comes next counts only if it is a wrapper.
    Reset,
}

/// The transport's state machine.
#[derive(Debug)]
pub struct Msc {
    stage: Stage,
    cbw: Cbw,
    csw: Csw,
    /// Next block, and bytes that are still to go.
    block: u32,
    left: u32,
    /// VERIFY found no difference so far.
    same: bool,
    buffer: [u8; CAPACITY],
}

impl Default for Msc {
    fn default() -> Self {
        Msc {
            stage: Stage::default(),
            cbw: Cbw::default(),
            csw: Csw::default(),
            block: 0,
            left: 0,
            same: true,
            buffer: [0; CAPACITY],
        }
    }
}

impl Msc {
    /// The device was configured: everything starts anew.
    pub fn configured(&mut self, usb: &UsbDevice) {
        *self = Msc::default();
        usb.arm(MSC, MAX_PACKET);
    }

    /// Bulk-Only Mass Storage Reset (BOT §3.1); the endpoints' halts are cleared by the host afterwards.
    pub fn reset(&mut self, usb: &UsbDevice) {
        self.stage = Stage::Reset;
        usb.flush(MSC);
        usb.arm(MSC, MAX_PACKET);
    }

    /// Whether the endpoints must stay halted.
    #[must_use]
    pub fn stays_halted(&self) -> bool {
        self.stage == Stage::Error
    }

    /// Does what there is to do; false if that was nothing.
    pub async fn poll<F: TargetFlash>(&mut self, core: &mut Core, drive: &mut Drive, flash: &mut F) -> bool {
        let fetching = matches!(self.stage, Stage::DataIn | Stage::DataInLast | Stage::DataInLastStall | Stage::Status);
        if fetching && core.usb.in_free(MSC) {
            self.fetched(core, drive);
            return true;
        }
        let Some(length) = core.usb.take_out(MSC, &mut self.buffer) else { return false };
        self.received(core, drive, flash, length).await;
        true
    }

    /// The host has fetched what was sent.
    fn fetched(&mut self, core: &mut Core, drive: &mut Drive) {
        match self.stage {
            Stage::DataIn => self.send_sector(core, drive),
            Stage::DataInLastStall => {
                core.usb.halt(IN, true);
                self.status(&core.usb);
            }
            Stage::DataInLast => self.status(&core.usb),
            _ => self.stage = Stage::Command,
        }
    }

    /// The host has sent `length` bytes.
    async fn received<F: TargetFlash>(&mut self, core: &mut Core, drive: &mut Drive, flash: &mut F, length: usize) {
        match self.stage {
            Stage::Command => self.command(core, drive, length),
            Stage::Reset => {
                self.stage = Stage::Command;
                if length == Cbw::LENGTH {
                    self.command(core, drive, length);
                }
            }
            Stage::DataOut => self.take_sector(core, drive, flash, length).await,
            // Data that nobody asked for is dropped; the status says how much of it was.
            _ => {}
        }
        let room = if self.stage == Stage::DataOut { SECTOR.min(self.left as usize) } else { MAX_PACKET };
        core.usb.arm(MSC, room);
    }

    fn command(&mut self, core: &mut Core, drive: &mut Drive, length: usize) {
        let Some(cbw) = self.buffer.get(..length).and_then(Cbw::parse) else {
            core.usb.halt(IN, true);
            core.usb.halt(MSC, true);
            self.stage = Stage::Error;
            return;
        };
        self.cbw = cbw;
        let failed_before = self.csw.status != Status::Passed;
        (self.csw.tag, self.csw.residue) = (cbw.tag, cbw.length);
        if !cbw.is_meaningful() {
            return self.finish(&core.usb, Status::Failed);
        }
        let command = &cbw.command;
        match command[0] {
            op::TEST_UNIT_READY if cbw.length != 0 => self.finish(&core.usb, Status::Failed),
            op::TEST_UNIT_READY => {
                if self.medium(&core.usb, drive) {
                    self.finish(&core.usb, Status::Passed);
                }
            }
            op::REQUEST_SENSE => {
                if self.wants_data(&core.usb) {
                    self.send(&core.usb, &drive.medium.sense(failed_before), false);
                }
            }
            op::INQUIRY => {
                if self.wants_data(&core.usb) {
                    self.send(&core.usb, &scsi::inquiry(), false);
                }
            }
            op::START_STOP_UNIT if command[3] == 0 => {
                drive.medium.ready = command[4] & 1 != 0;
                self.finish(&core.usb, Status::Passed);
            }
            op::PREVENT_ALLOW_MEDIUM_REMOVAL if command[4] & 1 == 0 => self.finish(&core.usb, Status::Passed),
            op::MODE_SENSE_6 => self.send_of_medium(&core.usb, drive, &[3, 0, 0, 0]),
            op::MODE_SENSE_10 => self.send_of_medium(&core.usb, drive, &[0, 6, 0, 0, 0, 0, 0, 0]),
            op::READ_CAPACITY_10 => {
                if self.wants_data(&core.usb) && self.medium(&core.usb, drive) {
                    self.send(&core.usb, &scsi::capacity(drive.sectors()), false);
                }
            }
            op::READ_FORMAT_CAPACITIES => {
                self.send_of_medium(&core.usb, drive, &scsi::format_capacities(drive.sectors()));
            }
            op::SYNCHRONIZE_CACHE_10 | op::SYNCHRONIZE_CACHE_16 => self.finish(&core.usb, Status::Passed),
            op::ATA_PASS_THROUGH_12 => self.send_and_fail(&core.usb, &[0x02, 0x02]),
            op::SERVICE_ACTION_IN_16 => {
                let mut data = [0; 32];
                data[0] = 0x20;
                self.send_and_fail(&core.usb, &data);
            }
            op::READ_10 | op::READ_12 => {
                if self.transfer(&core.usb, true) {
                    self.stage = Stage::DataIn;
                    self.send_sector(core, drive);
                }
            }
            // Without BYTCHK there is nothing to compare.
            op::VERIFY_10 if command[1] & 0x02 == 0 => self.finish(&core.usb, Status::Passed),
            op::WRITE_10 | op::WRITE_12 | op::VERIFY_10 => {
                if self.medium(&core.usb, drive) && self.transfer(&core.usb, false) {
                    self.same = true;
                    self.expect_sector(&core.usb, drive);
                }
            }
            _ => self.finish(&core.usb, Status::Failed),
        }
    }

    /// Checks for a medium; without one the command fails.
    fn medium(&mut self, usb: &UsbDevice, drive: &mut Drive) -> bool {
        let ready = drive.medium.check();
        if !ready {
            self.finish(usb, Status::Failed);
        }
        ready
    }

    /// Checks that the host expects data; without that the command ends in a phase error.
    fn wants_data(&mut self, usb: &UsbDevice) -> bool {
        let wants = self.cbw.length != 0 && self.cbw.is_in;
        if !wants {
            self.finish(usb, Status::PhaseError);
        }
        wants
    }

    /// Sets up a READ, WRITE or VERIFY. The host must expect exactly the blocks that it asks for, in the command's
    /// direction.
    fn transfer(&mut self, usb: &UsbDevice, is_in: bool) -> bool {
        let (block, blocks) = scsi::extent(&self.cbw.command);
        let length = u64::from(blocks) * SECTOR as u64;
        if length != u64::from(self.cbw.length) || length == 0 {
            self.finish(usb, Status::Failed);
            false
        } else if is_in != self.cbw.is_in {
            self.finish(usb, Status::PhaseError);
            false
        } else {
            (self.block, self.left) = (block, self.cbw.length);
            true
        }
    }

    /// Sends the data of a command, which may be less than the host asked for. With `trim`, the host's expectation is
    /// lowered to what there is: no STALL, no residue.
    fn send(&mut self, usb: &UsbDevice, data: &[u8], trim: bool) {
        let length = data.len() as u32;
        if trim && self.csw.residue > length {
            (self.cbw.length, self.csw.residue) = (length, length);
        }
        let count = length.min(self.cbw.length);
        self.stage = if length >= self.cbw.length { Stage::DataInLast } else { Stage::DataInLastStall };
        usb.send(MSC, &data[..count as usize]);
        self.csw.residue -= count;
        self.csw.status = Status::Passed;
    }

    fn send_of_medium(&mut self, usb: &UsbDevice, drive: &mut Drive, data: &[u8]) {
        if self.wants_data(usb) && self.medium(usb, drive) {
            self.send(usb, data, true);
        }
    }

    /// Sends data and fails: a polite no to commands that are meant for other devices.
    fn send_and_fail(&mut self, usb: &UsbDevice, data: &[u8]) {
        if self.wants_data(usb) {
            self.send(usb, data, true);
            self.csw.status = Status::Failed;
        }
    }

    /// The next sector of a READ.
    fn send_sector(&mut self, core: &mut Core, drive: &mut Drive) {
        if self.block >= drive.sectors() {
            return self.finish(&core.usb, Status::Passed);
        }
        if !self.medium(&core.usb, drive) {
            return;
        }
        drive.read(core, self.block, &mut self.buffer);
        core.usb.send(MSC, &self.buffer);
        self.block += 1;
        self.left -= SECTOR as u32;
        self.csw.residue -= SECTOR as u32;
        if self.left == 0 {
            self.stage = Stage::DataInLast;
            self.csw.status = Status::Passed;
        }
    }

    /// Waits for the next sector of a WRITE or VERIFY.
    fn expect_sector(&mut self, usb: &UsbDevice, drive: &Drive) {
        if self.block < drive.sectors() {
            self.stage = Stage::DataOut;
        } else {
            self.finish(usb, Status::Passed);
        }
    }

    /// A sector of a WRITE or VERIFY.
    async fn take_sector<F: TargetFlash>(&mut self, core: &mut Core, drive: &mut Drive, flash: &mut F, length: usize) {
        let last = self.left as usize <= length;
        if !drive.medium.check() {
            self.csw.status = Status::Failed;
            if !last {
                core.usb.halt(MSC, true);
            }
            return self.status(&core.usb);
        }
        if self.cbw.command[0] == op::VERIFY_10 {
            let mut stored = [0; SECTOR];
            drive.read(core, self.block, &mut stored);
            self.same &= stored[..length] == self.buffer[..length];
        } else {
            drive.write(core, flash, self.block, &self.buffer).await;
        }
        self.block += 1;
        self.left = self.left.saturating_sub(length as u32);
        self.csw.residue = self.csw.residue.saturating_sub(length as u32);
        if last {
            self.finish(&core.usb, if self.same { Status::Passed } else { Status::Failed });
        } else {
            self.expect_sector(&core.usb, drive);
        }
    }

    /// Ends a command. If data is still expected, the endpoint on which the host waits for it answers STALL.
    fn finish(&mut self, usb: &UsbDevice, status: Status) {
        if self.csw.residue != 0 {
            usb.halt(if self.cbw.is_in { IN } else { MSC }, true);
        }
        self.csw.status = status;
        self.status(usb);
    }

    fn status(&mut self, usb: &UsbDevice) {
        self.stage = Stage::Status;
        usb.send(MSC, &self.csw.bytes());
    }
}
