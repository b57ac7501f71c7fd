//! The boot loader's commands and data phases, without their transport.
//!
//! Frames go in by [`Loader::frame`] while it is [`Loader::ready`], and come out by [`Loader::next_frame`]. What the
//! flash controller has to do takes its time: [`Loader::busy_until`] says how long, [`Loader::resume`] goes on then. A
//! job is a row of commands of the controller, so a power cut leaves what the finished ones did and nothing of the
//! others.

use twinboard_sim::time::Time;

use super::chip::{FlashCommand, FlashFault, Layout, RomChip};
use super::frame::{InFrame, OutFrame, PAYLOAD};
use super::packet::{Command, Packet, Response};
use super::property::Properties;
use super::status::Status;

const WRITE_MEMORY: u8 = 0x04;
const READ_MEMORY: u8 = 0x03;

/// The boot loader is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leave {
    /// The chip is reset.
    Reset,
    /// A program gets the core.
    Execute {
        /// Where it starts.
        address: u32,
        /// R0.
        argument: u32,
        /// SP.
        stack: u32,
    },
    /// A function is called: the boot loader goes on when it returns.
    Call {
        /// Where it starts.
        address: u32,
        /// R0.
        argument: u32,
    },
}

/// Which data phase is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// None.
    Command,
    /// The host sends `left` bytes more, for `at`.
    Write { at: u32, left: u32 },
    /// The host sends so many bytes more that nobody wants.
    Drain { left: u32 },
    /// `left` bytes more go to the host, from `at`.
    Read { at: u32, left: u32 },
}

/// A row of flash commands.
#[derive(Clone, Copy, Debug)]
enum Job {
    /// One command, which is launched already.
    Single,
    /// The sectors from `at`.
    Erase { at: u32, left: u32 },
    /// The pattern from `at`.
    Fill { at: u32, left: u32, pattern: u32 },
    /// A frame of a write's data phase.
    Program { at: u32, data: [u8; PAYLOAD], next: usize, len: usize },
}

impl Job {
    /// The next command of the row.
    fn next(&mut self, sector: u32) -> Option<FlashCommand> {
        match self {
            Job::Single | Job::Erase { left: 0, .. } | Job::Fill { left: 0, .. } => None,
            Job::Erase { at, left } => {
                let address = *at;
                (*at, *left) = (*at + sector, left.saturating_sub(sector));
                Some(FlashCommand::EraseSector { address })
            }
            Job::Fill { at, left, pattern } => {
                // A short tail is erased flash.
                let keep = if *left < 4 { u32::MAX << (8 * *left) } else { 0 };
                let command = FlashCommand::ProgramLongword { address: *at, value: *pattern | keep };
                (*at, *left) = (*at + 4, left.saturating_sub(4));
                Some(command)
            }
            Job::Program { at, data, next, len } => {
                let piece = data.get(*next..*len).filter(|piece| !piece.is_empty())?;
                let mut word = [0xFF; 4];
                for (place, &byte) in word.iter_mut().zip(piece) {
                    *place = byte;
                }
                let command = FlashCommand::ProgramLongword { address: *at, value: u32::from_le_bytes(word) };
                (*at, *next) = (*at + 4, *next + 4);
                Some(command)
            }
        }
    }
}

/// A flash command on its way.
#[derive(Clone, Copy, Debug)]
struct Doing {
    job: Job,
    command: FlashCommand,
    ends: Time,
    /// The tag of the command that it belongs to.
    tag: u8,
}

/// The state of the protocol.
#[derive(Debug)]
pub struct Loader {
    properties: Properties,
    phase: Phase,
    doing: Option<Doing>,
    /// A response that the host has not fetched.
    response: Option<Response>,
    /// What happens once it has.
    leave: Option<Leave>,
    /// Frames and packets that made no sense.
    garbled: u64,
}

impl Default for Loader {
    fn default() -> Loader {
        Loader {
            properties: Properties::default(),
            phase: Phase::Command,
            doing: None,
            response: None,
            leave: None,
            garbled: 0,
        }
    }
}

impl Loader {
    /// A frame can be taken.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.doing.is_none() && self.leave.is_none()
    }

    /// When the flash controller is through with what it does, if it does anything.
    #[must_use]
    pub fn busy_until(&self) -> Option<Time> {
        self.doing.map(|doing| doing.ends)
    }

    /// How many frames were dropped because they made no sense.
    #[must_use]
    pub fn garbled(&self) -> u64 {
        self.garbled
    }

    /// The host starts anew: a bus reset.
    pub fn reset(&mut self) {
        // What the flash controller does, it does to the end.
        let (doing, garbled) = (self.doing, self.garbled);
        *self = Loader { properties: self.properties, doing, garbled, ..Loader::default() };
    }

    /// A report came from the host.
    pub fn frame(&mut self, now: Time, report: &[u8], chip: &mut dyn RomChip) {
        match OutFrame::parse(report) {
            Ok(OutFrame::Command(packet)) => match Packet::parse(packet) {
                Ok(packet) => self.packet(now, &packet, chip),
                Err(_) => self.garbled += 1,
            },
            Ok(OutFrame::Data(data)) => self.data(now, data, chip),
            Err(_) => self.garbled += 1,
        }
    }

    /// Something waits to be sent.
    #[must_use]
    pub fn has_frame(&self) -> bool {
        self.response.is_some() || matches!(self.phase, Phase::Read { .. }) && self.doing.is_none()
    }

    /// What goes to the host next: a response, then the data that it announced, then how that ended.
    pub fn next_frame(&mut self, chip: &dyn RomChip) -> Option<InFrame> {
        if let Some(response) = self.response.take() {
            return Some(InFrame::response(response.bytes()));
        }
        let Phase::Read { at, left } = self.phase else { return None };
        let mut buffer = [0; PAYLOAD];
        let piece = &mut buffer[..PAYLOAD.min(left as usize)];
        chip.read(at, piece);
        let count = piece.len() as u32;
        self.phase = Phase::Read { at: at.wrapping_add(count), left: left - count };
        if left == count {
            self.phase = Phase::Command;
            self.answer(Status::Success, READ_MEMORY);
        }
        Some(InFrame::data(piece))
    }

    /// The host has fetched everything: is the boot loader left now?
    pub fn take_leave(&mut self) -> Option<Leave> {
        if self.response.is_some() { None } else { self.leave.take() }
    }

    /// A function that was called has returned.
    pub fn returned(&mut self, tag: u8) {
        self.answer(Status::Success, tag);
    }

    fn answer(&mut self, status: Status, tag: u8) {
        self.response = Some(Response::generic(status, tag));
    }

    /// A command. It ends a data phase that is on: the host has lost interest in it.
    fn packet(&mut self, now: Time, packet: &Packet, chip: &mut dyn RomChip) {
        self.phase = Phase::Command;
        let command = match packet.command() {
            Ok(command) => command,
            Err(status) => return self.answer(status, packet.tag),
        };
        if chip.secured() && !command.allowed_when_secured() {
            return self.answer(Status::SecurityViolation, packet.tag);
        }
        if let Err(status) = self.execute(now, command, packet.tag, chip) {
            self.answer(status, packet.tag);
        }
    }

    fn execute(&mut self, now: Time, command: Command, tag: u8, chip: &mut dyn RomChip) -> Result<(), Status> {
        let Layout { flash, sector, .. } = chip.layout();
        match command {
            Command::FlashEraseAll => self.single(now, FlashCommand::EraseAllBlocks, tag, chip),
            Command::FlashEraseAllUnsecure => self.single(now, FlashCommand::EraseAllBlocksUnsecure, tag, chip),
            Command::FlashSecurityDisable { .. } if !chip.secured() => self.answer(Status::Success, tag),
            Command::FlashSecurityDisable { key } => {
                self.single(now, FlashCommand::VerifyBackdoorKey { key }, tag, chip);
            }
            Command::FlashEraseRegion { start, length } => {
                if !start.is_multiple_of(sector) || !length.is_multiple_of(sector) {
                    return Err(Status::FlashAlignmentError);
                }
                if u64::from(start) + u64::from(length) > u64::from(flash) {
                    return Err(Status::FlashAddressError);
                }
                self.start(now, Job::Erase { at: start, left: length }, tag, chip);
            }
            Command::ReadMemory { start, count } => {
                region(chip, start, count)?;
                self.response = Some(Response::read_memory(Status::Success, count));
                if count > 0 {
                    self.phase = Phase::Read { at: start, left: count };
                }
            }
            Command::WriteMemory { start, count } => {
                self.writable(chip, start, count)?;
                self.answer(Status::Success, tag);
                if count > 0 {
                    self.phase = Phase::Write { at: start, left: count };
                }
            }
            Command::FillMemory { start, length, pattern } => match self.writable(chip, start, length)? {
                Region::Flash => self.start(now, Job::Fill { at: start, left: length, pattern }, tag, chip),
                Region::Ram => {
                    let bytes = pattern.to_le_bytes();
                    for (address, &byte) in (start..start + length).zip(bytes.iter().cycle()) {
                        chip.write_ram(address, &[byte]);
                    }
                    self.answer(Status::Success, tag);
                }
            },
            Command::GetProperty { tag: property } => {
                self.response = Some(match self.properties.get(property, chip) {
                    Ok(value) => Response::get_property(Status::Success, value.words()),
                    Err(status) => Response::get_property(status, &[]),
                });
            }
            Command::SetProperty { tag: property, value } => {
                self.properties.set(property, value, chip)?;
                self.answer(Status::Success, tag);
            }
            Command::Execute { address, argument, stack } => {
                region(chip, address & !1, 2)?;
                self.answer(Status::Success, tag);
                self.leave = Some(Leave::Execute { address, argument, stack });
            }
            // Its answer comes when the function has returned.
            Command::Call { address, argument } => {
                region(chip, address & !1, 2)?;
                self.leave = Some(Leave::Call { address, argument });
            }
            Command::Reset => {
                self.answer(Status::Success, tag);
                self.leave = Some(Leave::Reset);
            }
        }
        Ok(())
    }

    /// Whether memory may be written: what kind it is.
    fn writable(&self, chip: &dyn RomChip, start: u32, length: u32) -> Result<Region, Status> {
        let Layout { ram, ram_reserved, .. } = chip.layout();
        let region = region(chip, start, length)?;
        match region {
            Region::Flash if !start.is_multiple_of(4) => Err(Status::FlashAlignmentError),
            Region::Ram if self.properties.validate_regions && start < ram + ram_reserved => {
                Err(Status::MemoryRangeInvalid)
            }
            region => Ok(region),
        }
    }

    /// A piece of a data phase.
    fn data(&mut self, now: Time, data: &[u8], chip: &mut dyn RomChip) {
        let count = data.len() as u32;
        match self.phase {
            Phase::Write { .. } if data.is_empty() => {
                self.phase = Phase::Command;
                self.answer(Status::AbortDataPhase, WRITE_MEMORY);
            }
            Phase::Write { at, left } => {
                // More than was announced does not count.
                let data = &data[..data.len().min(left as usize)];
                let count = data.len() as u32;
                self.phase = Phase::Write { at: at.wrapping_add(count), left: left - count };
                if at < chip.layout().flash {
                    let mut frame = [0xFF; PAYLOAD];
                    frame[..data.len()].copy_from_slice(data);
                    self.start(now, Job::Program { at, data: frame, next: 0, len: data.len() }, WRITE_MEMORY, chip);
                } else if chip.write_ram(at, data) {
                    self.job_ended(Ok(()), WRITE_MEMORY);
                } else {
                    self.job_ended(Err(Status::MemoryRangeInvalid), WRITE_MEMORY);
                }
            }
            Phase::Drain { left } => {
                let left = left.saturating_sub(count);
                self.phase = if left == 0 || count == 0 { Phase::Command } else { Phase::Drain { left } };
            }
            Phase::Command | Phase::Read { .. } => self.garbled += 1,
        }
    }

    fn single(&mut self, now: Time, command: FlashCommand, tag: u8, chip: &mut dyn RomChip) {
        self.launch(now, Job::Single, command, tag, chip);
    }

    fn start(&mut self, now: Time, mut job: Job, tag: u8, chip: &mut dyn RomChip) {
        if let Job::Program { at, .. } = job
            && !at.is_multiple_of(4)
        {
            return self.job_ended(Err(Status::FlashAlignmentError), tag);
        }
        match job.next(chip.layout().sector) {
            Some(command) => self.launch(now, job, command, tag, chip),
            None => self.job_ended(Ok(()), tag),
        }
    }

    fn launch(&mut self, now: Time, job: Job, command: FlashCommand, tag: u8, chip: &mut dyn RomChip) {
        match chip.launch(command) {
            Ok(time) => self.doing = Some(Doing { job, command, ends: now + time, tag }),
            Err(fault) => self.job_ended(Err(status_of(fault)), tag),
        }
    }

    /// The flash controller's time is over.
    pub fn resume(&mut self, chip: &mut dyn RomChip) {
        let Some(Doing { mut job, command, ends, tag }) = self.doing.take() else { return };
        let verifies = self.properties.verify_writes;
        let result = chip.complete(command).map_err(|fault| match (fault, command) {
            // Who verifies what is written finds out why.
            (FlashFault::Command, FlashCommand::ProgramLongword { .. }) if verifies => Status::MemoryCumulativeWrite,
            _ => status_of(fault),
        });
        match (result, job.next(chip.layout().sector)) {
            (Ok(()), Some(command)) => self.launch(ends, job, command, tag, chip),
            (result, _) => self.job_ended(result, tag),
        }
    }

    /// A job is done. A data phase goes on with its next frame, or ends: with the error, whose rest of data nobody wants.
    fn job_ended(&mut self, result: Result<(), Status>, tag: u8) {
        let Phase::Write { left, .. } = self.phase else {
            return self.answer(result.err().unwrap_or(Status::Success), tag);
        };
        match result {
            Ok(()) if left > 0 => {}
            Ok(()) => {
                self.phase = Phase::Command;
                self.answer(Status::Success, tag);
            }
            Err(status) => {
                self.phase = if left > 0 { Phase::Drain { left } } else { Phase::Command };
                self.answer(status, tag);
            }
        }
    }
}

/// What memory a range is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Region {
    Flash,
    Ram,
}

fn region(chip: &dyn RomChip, start: u32, count: u32) -> Result<Region, Status> {
    let Layout { flash, ram, ram_size, .. } = chip.layout();
    let end = u64::from(start) + u64::from(count);
    if end <= u64::from(flash) {
        Ok(Region::Flash)
    } else if start >= ram && end <= u64::from(ram) + u64::from(ram_size) {
        Ok(Region::Ram)
    } else {
        Err(Status::MemoryRangeInvalid)
    }
}

fn status_of(fault: FlashFault) -> Status {
    match fault {
        FlashFault::Access => Status::FlashAccessError,
        FlashFault::Protection => Status::FlashProtectionViolation,
        FlashFault::Command => Status::FlashCommandFailure,
    }
}
