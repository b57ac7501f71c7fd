//! CMSIS-DAP, the host's side: a command goes out, an answer comes back (CMSIS-DAP 2.1, "Commands").
//!
//! The same commands travel three ways: in HID reports of fixed length (version 1), in bulk packets of exact length
//! (version 2), and in HID reports over endpoint 0, which is how a browser reaches a probe by WebUSB.

use std::collections::VecDeque;

use twinboard_sim::machine::Machine;
use twinboard_sim::time::Span;

use super::{Host, UsbError, endpoint};
use crate::descriptor::TransferType;
use crate::vhc::Urb;

/// How long a probe may take to answer (pyOCD's limit).
const ANSWER_WITHIN: Span = Span::secs(10);
/// The length of a HID report, and the most that one answer of version 2 has: a whole packet ends no transfer.
const PACKET: usize = 64;

/// Why a command did not do what it should.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DapError {
    /// The bus.
    #[error(transparent)]
    Usb(#[from] UsbError),
    /// The answer's first byte is not the command's, or it is too short.
    #[error("the probe answered command {command:#04x} with {answer:02x?}")]
    Answer {
        /// The command.
        command: u8,
        /// The answer's first bytes.
        answer: Vec<u8>,
    },
    /// A transfer was not acknowledged with OK.
    #[error("transfer {done} of a DAP_Transfer ended with response {response:#04x}")]
    Transfer {
        /// Transfers that went well before.
        done: usize,
        /// The response byte: bits 2:0 acknowledge, bit 3 protocol error, bit 4 mismatch.
        response: u8,
    },
    /// The target did not do something in time.
    #[error("the target did not {what} within {limit:?}")]
    Timeout {
        /// What.
        what: &'static str,
        /// The limit.
        limit: Span,
    },
}

#[derive(Clone, Copy, Debug)]
enum Way {
    /// Interrupt endpoints: OUT, IN.
    Hid { output: u8, input: u8 },
    /// Bulk endpoints: OUT, IN.
    Bulk { output: u8, input: u8 },
    /// SET_PACKET and GET_PACKET to this interface.
    Control { interface: u8 },
}

/// A probe's command channel.
#[derive(Debug)]
pub struct Dap<'h, M> {
    pub(super) host: &'h mut Host<M>,
    way: Way,
}

impl<M: Machine> Host<M> {
    /// CMSIS-DAP version 1: the HID interface.
    ///
    /// # Errors
    /// [`UsbError`] if there is none.
    pub fn dap_v1(&mut self) -> Result<Dap<'_, M>, UsbError> {
        let hid = self.interface(|i| i.class == 0x03, "HID interface")?;
        let output = endpoint(hid, TransferType::Interrupt, false)?.address;
        let input = endpoint(hid, TransferType::Interrupt, true)?.address;
        Ok(Dap { host: self, way: Way::Hid { output, input } })
    }

    /// CMSIS-DAP version 2: the vendor-specific interface with two bulk endpoints.
    ///
    /// # Errors
    /// [`UsbError`] if there is none.
    pub fn dap_v2(&mut self) -> Result<Dap<'_, M>, UsbError> {
        let bulk = self.interface(|i| i.class == 0xff && i.endpoints.len() >= 2, "CMSIS-DAP v2 interface")?;
        let output = endpoint(bulk, TransferType::Bulk, false)?.address;
        let input = endpoint(bulk, TransferType::Bulk, true)?.address;
        Ok(Dap { host: self, way: Way::Bulk { output, input } })
    }

    /// CMSIS-DAP over endpoint 0: the vendor-specific interface without endpoints.
    ///
    /// # Errors
    /// [`UsbError`] if there is none.
    pub fn dap_web(&mut self) -> Result<Dap<'_, M>, UsbError> {
        let web = self.interface(|i| i.class == 0xff && i.endpoints.is_empty(), "WebUSB interface")?;
        let interface = web.number;
        Ok(Dap { host: self, way: Way::Control { interface } })
    }
}

impl<M: Machine> Dap<'_, M> {
    /// The host, to let time pass.
    pub fn host(&mut self) -> &mut Host<M> {
        self.host
    }

    /// Sends `command` and gives back the probe's answer, whatever it is. By HID it is a whole report.
    ///
    /// # Errors
    /// [`UsbError`] if the bus fails or the probe does not answer within ten seconds.
    pub fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, UsbError> {
        self.send(command)?;
        self.receive()
    }

    /// Sends `command` and does not wait for an answer.
    ///
    /// # Errors
    /// [`UsbError`] if the bus fails.
    pub fn send(&mut self, command: &[u8]) -> Result<(), UsbError> {
        match self.way {
            Way::Bulk { output, .. } => self.host.write(output, command, ANSWER_WITHIN),
            Way::Hid { output, .. } => self.host.write(output, &report(command), ANSWER_WITHIN),
            Way::Control { interface } => {
                self.host.control_out([0x21, 0x09, 0, 2, interface, 0, 0, 0], &report(command))
            }
        }
    }

    /// Receives an answer.
    ///
    /// # Errors
    /// [`UsbError`] if the bus fails or the probe does not answer within ten seconds.
    pub fn receive(&mut self) -> Result<Vec<u8>, UsbError> {
        match self.way {
            Way::Bulk { input, .. } | Way::Hid { input, .. } => self.host.read(input, PACKET, ANSWER_WITHIN),
            Way::Control { interface } => self.host.control_in([0xa1, 0x01, 0, 1, interface, 0, PACKET as u8, 0]),
        }
    }

    /// Sends all `commands` and gives back their answers, in order. Up to `depth` (at least 1) are on their way at once;
    /// the probe can take as many as DAP_Info's packet count says. Over endpoint 0 it is one at a time.
    ///
    /// # Errors
    /// [`UsbError`] if the bus fails or the probe does not answer one within ten seconds.
    pub fn pipeline(&mut self, commands: &[Vec<u8>], depth: usize) -> Result<Vec<Vec<u8>>, UsbError> {
        let (output, input) = match self.way {
            Way::Bulk { output, input } | Way::Hid { output, input } => (output, input),
            Way::Control { .. } => return commands.iter().map(|command| self.exchange(command)).collect(),
        };
        let is_hid = matches!(self.way, Way::Hid { .. });
        let mut answers = Vec::with_capacity(commands.len());
        let mut flying = VecDeque::new();
        let mut next = commands.iter();
        loop {
            while flying.len() < depth.max(1)
                && let Some(command) = next.next()
            {
                let data = if is_hid { report(command) } else { command.clone() };
                let sent = self.host.start(Urb::write(0, output, data));
                flying.push_back((sent, self.host.submit(Urb::read(0, input, PACKET))));
            }
            let Some((sent, received)) = flying.pop_front() else { return Ok(answers) };
            self.host.finish(sent, output, ANSWER_WITHIN)?;
            answers.push(self.host.finish(received, input, ANSWER_WITHIN)?.urb.buffer);
        }
    }

    /// Sends `command` and gives back what follows the command's number in the answer.
    ///
    /// # Errors
    /// [`DapError::Answer`] if the answer belongs to another command.
    pub fn command(&mut self, command: &[u8]) -> Result<Vec<u8>, DapError> {
        let number = command.first().copied().unwrap_or(0);
        let mut answer = self.exchange(command)?;
        if answer.first() != Some(&number) {
            answer.truncate(8);
            return Err(DapError::Answer { command: number, answer });
        }
        Ok(answer.split_off(1))
    }

    /// Sends `command`, whose answer is one status byte, 0 for DAP_OK.
    ///
    /// # Errors
    /// [`DapError::Answer`] if it is not DAP_OK.
    pub fn status_command(&mut self, command: &[u8]) -> Result<(), DapError> {
        let answer = self.command(command)?;
        match answer.first() {
            Some(0) => Ok(()),
            _ => Err(short(command, &answer)),
        }
    }

    /// DAP_Info: the string with this number, without its terminating zero.
    ///
    /// # Errors
    /// [`DapError::Answer`] if the length does not fit.
    pub fn info_string(&mut self, id: u8) -> Result<String, DapError> {
        let answer = self.command(&[0x00, id])?;
        let length = usize::from(answer.first().copied().unwrap_or(0));
        let text = answer.get(1..1 + length).ok_or_else(|| short(&[0], &answer))?;
        Ok(String::from_utf8_lossy(text).trim_end_matches('\0').to_string())
    }

    /// DAP_Info: the number with this id, one to four bytes long.
    ///
    /// # Errors
    /// [`DapError::Answer`] if the length does not fit.
    pub fn info_number(&mut self, id: u8) -> Result<u32, DapError> {
        let answer = self.command(&[0x00, id])?;
        let length = usize::from(answer.first().copied().unwrap_or(0));
        let bytes = answer.get(1..1 + length.min(4)).ok_or_else(|| short(&[0], &answer))?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }
}

fn report(command: &[u8]) -> Vec<u8> {
    let mut report = command.to_vec();
    report.resize(PACKET, 0);
    report
}

/// The error for an answer that does not fit `command`.
pub(super) fn short(command: &[u8], answer: &[u8]) -> DapError {
    let answer = answer.iter().take(8).copied().collect();
    DapError::Answer { command: command.first().copied().unwrap_or(0), answer }
}
