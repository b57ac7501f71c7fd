//! A debugger's small layer over CMSIS-DAP: debug port, access ports, memory, and the core of a Cortex-M (Arm Debug
//! Interface, IHI 0031; Armv7-M, chapter C1).

use twinboard_sim::machine::Machine;
use twinboard_sim::time::Span;

use super::Host;
use super::dap::{Dap, DapError, short};

/// SWCLK if nothing else is said, hertz.
const CLOCK: u32 = 4_000_000;
/// Words that TAR can be relied on to step through, in bytes (the smallest wrap of all variants).
pub(super) const TAR_WRAP: u32 = 1024;
/// Words in one DAP_TransferBlock of a 64-byte packet: five bytes go before those of a write.
pub(super) const BLOCK_WORDS: usize = 14;
/// CSW for the hosts' usual rights: 32, 16 or 8 bits by Size, AddrInc single.
const CSW: u32 = 0x2300_0010;

pub(super) const DHCSR: u32 = 0xE000_EDF0;
pub(super) const DCRSR: u32 = 0xE000_EDF4;
pub(super) const DCRDR: u32 = 0xE000_EDF8;
const DEMCR: u32 = 0xE000_EDFC;
const AIRCR: u32 = 0xE000_ED0C;
pub(super) const DBGKEY: u32 = 0xA05F_0000;
pub(super) const C_DEBUGEN: u32 = 1 << 0;
const C_HALT: u32 = 1 << 1;
const C_STEP: u32 = 1 << 2;
const C_MASKINTS: u32 = 1 << 3;
pub(super) const S_REGRDY: u32 = 1 << 16;
pub(super) const S_HALT: u32 = 1 << 17;
const VC_CORERESET: u32 = 1 << 0;
const SYSRESETREQ: u32 = 0x05FA_0004;

/// How long the core may take to halt, or a register to be transferred.
const CORE_WITHIN: Span = Span::ms(500);

/// DCRSR numbers of core registers; R0 to R12 are 0 to 12.
pub mod register {
    /// The current stack pointer.
    pub const SP: u8 = 13;
    /// The link register.
    pub const LR: u8 = 14;
    /// The address of the next instruction.
    pub const PC: u8 = 15;
    /// The program status register.
    pub const XPSR: u8 = 16;
}

/// A function to be called on a halted core, as flash algorithms are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    /// Address of the function.
    pub entry: u32,
    /// R0 to R3.
    pub arguments: [u32; 4],
    /// R9.
    pub static_base: u32,
    /// SP.
    pub stack: u32,
    /// Where it returns to: the address of a BKPT.
    pub breakpoint: u32,
}

/// A target behind a probe.
#[derive(Debug)]
pub struct Adi<'h, M> {
    dap: Dap<'h, M>,
    select: Option<u32>,
    csw: Option<u32>,
}

impl<'h, M: Machine> Dap<'h, M> {
    /// The target behind this probe.
    #[must_use]
    pub fn adi(self) -> Adi<'h, M> {
        Adi { dap: self, select: None, csw: None }
    }
}

impl<'h, M: Machine> Adi<'h, M> {
    /// The probe.
    pub fn dap(&mut self) -> &mut Dap<'h, M> {
        &mut self.dap
    }

    /// The host, to let time pass.
    pub fn host(&mut self) -> &mut Host<M> {
        self.dap.host
    }

    /// Connects by SWD and powers the debug port up. The answer is DPIDR.
    ///
    /// # Errors
    /// [`DapError`] names what failed.
    pub fn connect(&mut self) -> Result<u32, DapError> {
        self.connect_at(CLOCK)
    }

    /// As [`Adi::connect`], with an SWCLK of `hz` hertz.
    ///
    /// # Errors
    /// [`DapError`] names what failed.
    pub fn connect_at(&mut self, hz: u32) -> Result<u32, DapError> {
        let connected = self.dap.command(&[0x02, 1])?;
        if connected.first() != Some(&1) {
            return Err(short(&[0x02], &connected));
        }
        let [a, b, c, d] = hz.to_le_bytes();
        self.dap.status_command(&[0x11, a, b, c, d])?;
        self.dap.status_command(&[0x04, 0, 150, 0, 0, 0])?;
        self.dap.status_command(&[0x13, 0])?;
        self.line_reset()?;
        self.dap.status_command(&[0x12, 16, 0x9e, 0xe7])?;
        self.line_reset()?;
        self.dap.status_command(&[0x12, 8, 0])?;
        let dpidr = self.read_dp(0x0)?;
        self.write_dp(0x0, 0x1e)?;
        self.write_dp(0x8, 0)?;
        (self.select, self.csw) = (Some(0), None);
        self.write_dp(0x4, 0x5000_0000)?;
        self.poll("power up its debug port", |adi| Ok(adi.read_dp(0x4)? >> 28 == 0xf))?;
        Ok(dpidr)
    }

    /// DAP_Disconnect.
    ///
    /// # Errors
    /// [`DapError`] if the probe refuses.
    pub fn disconnect(&mut self) -> Result<(), DapError> {
        self.dap.status_command(&[0x03])
    }

    fn line_reset(&mut self) -> Result<(), DapError> {
        self.dap.status_command(&[0x12, 51, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
    }

    /// Reads DP register `address` (0x0, 0x4, 0x8, 0xC).
    ///
    /// # Errors
    /// [`DapError::Transfer`] if it was not acknowledged.
    pub fn read_dp(&mut self, address: u8) -> Result<u32, DapError> {
        self.transfer(address & 0xc | 0b10, None)
    }

    /// Writes DP register `address`.
    ///
    /// # Errors
    /// As [`Adi::read_dp`].
    pub fn write_dp(&mut self, address: u8, value: u32) -> Result<(), DapError> {
        self.transfer(address & 0xc, Some(value)).map(drop)
    }

    /// Reads register `register` of access port `ap`.
    ///
    /// # Errors
    /// As [`Adi::read_dp`].
    pub fn read_ap(&mut self, ap: u8, register: u8) -> Result<u32, DapError> {
        self.select(ap, register)?;
        self.transfer(register & 0xc | 0b11, None)
    }

    /// Writes register `register` of access port `ap`.
    ///
    /// # Errors
    /// As [`Adi::read_dp`].
    pub fn write_ap(&mut self, ap: u8, register: u8, value: u32) -> Result<(), DapError> {
        self.select(ap, register)?;
        self.transfer(register & 0xc | 0b01, Some(value)).map(drop)
    }

    /// Clears the sticky errors, as after a [`DapError::Transfer`].
    ///
    /// # Errors
    /// As [`Adi::read_dp`].
    pub fn clear_errors(&mut self) -> Result<(), DapError> {
        (self.select, self.csw) = (None, None);
        self.write_dp(0x0, 0x1e)
    }

    fn select(&mut self, ap: u8, register: u8) -> Result<(), DapError> {
        let select = u32::from(ap) << 24 | u32::from(register & 0xf0);
        if self.select != Some(select) {
            self.write_dp(0x8, select)?;
            self.select = Some(select);
        }
        Ok(())
    }

    /// One transfer by DAP_Transfer.
    fn transfer(&mut self, request: u8, data: Option<u32>) -> Result<u32, DapError> {
        let mut command = vec![0x05, 0, 1, request];
        command.extend(data.into_iter().flat_map(u32::to_le_bytes));
        let answer = self.dap.command(&command)?;
        match answer[..] {
            [1, 1, a, b, c, d, ..] if data.is_none() => Ok(u32::from_le_bytes([a, b, c, d])),
            [1, 1, ..] if data.is_some() => Ok(0),
            [done, response, ..] => Err(DapError::Transfer { done: done.into(), response }),
            _ => Err(short(&command, &answer)),
        }
    }

    /// Reads `count` words from `address`, which must be a multiple of 4.
    ///
    /// # Errors
    /// [`DapError::Transfer`] if the bus answered with an error.
    pub fn read_words(&mut self, address: u32, count: usize) -> Result<Vec<u32>, DapError> {
        let mut words = Vec::with_capacity(count);
        while words.len() < count {
            let at = address + 4 * words.len() as u32;
            let block = block_at(at, count - words.len());
            self.set_address(2, at)?;
            let answer = self.dap.command(&[0x06, 0, block as u8, 0, 0x0f])?;
            let data = block_data(&answer, block)?;
            if data.len() < 4 * block {
                return Err(short(&[0x06], &answer));
            }
            words.extend(data.chunks_exact(4).take(block).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]])));
        }
        Ok(words)
    }

    /// Writes `words` from `address` on, which must be a multiple of 4.
    ///
    /// # Errors
    /// [`DapError::Transfer`] if the bus answered with an error.
    pub fn write_words(&mut self, address: u32, words: &[u32]) -> Result<(), DapError> {
        let mut done = 0;
        while done < words.len() {
            let at = address + 4 * done as u32;
            let block = block_at(at, words.len() - done);
            self.set_address(2, at)?;
            let mut command = vec![0x06, 0, block as u8, 0, 0x0d];
            command.extend(words[done..done + block].iter().flat_map(|word| word.to_le_bytes()));
            block_data(&self.dap.command(&command)?, block)?;
            done += block;
        }
        Ok(())
    }

    /// Reads one word.
    ///
    /// # Errors
    /// As [`Adi::read_words`].
    pub fn read_word(&mut self, address: u32) -> Result<u32, DapError> {
        self.set_address(2, address)?;
        self.read_ap(0, 0x0c)
    }

    /// Writes one word.
    ///
    /// # Errors
    /// As [`Adi::read_words`].
    pub fn write_word(&mut self, address: u32, value: u32) -> Result<(), DapError> {
        self.set_address(2, address)?;
        self.write_ap(0, 0x0c, value)
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// As [`Adi::read_words`].
    pub fn read_byte(&mut self, address: u32) -> Result<u8, DapError> {
        self.set_address(0, address)?;
        Ok((self.read_ap(0, 0x0c)? >> (8 * (address & 3))) as u8)
    }

    /// Writes one byte.
    ///
    /// # Errors
    /// As [`Adi::read_words`].
    pub fn write_byte(&mut self, address: u32, value: u8) -> Result<(), DapError> {
        self.set_address(0, address)?;
        self.write_ap(0, 0x0c, u32::from(value) << (8 * (address & 3)))
    }

    /// Sets CSW.Size and TAR.
    fn set_address(&mut self, size: u32, address: u32) -> Result<(), DapError> {
        if self.csw != Some(CSW | size) {
            self.write_ap(0, 0x00, CSW | size)?;
            self.csw = Some(CSW | size);
        }
        self.write_ap(0, 0x04, address)
    }

    /// Halts the core.
    ///
    /// # Errors
    /// [`DapError::Timeout`] if it does not halt.
    pub fn halt(&mut self) -> Result<(), DapError> {
        self.write_word(DHCSR, DBGKEY | C_DEBUGEN | C_HALT)?;
        self.wait_halted(CORE_WITHIN)
    }

    /// Lets the core run.
    ///
    /// # Errors
    /// [`DapError`] if the target does not answer.
    pub fn run(&mut self) -> Result<(), DapError> {
        self.write_word(DHCSR, DBGKEY | C_DEBUGEN)
    }

    /// Does one instruction, without interrupts.
    ///
    /// # Errors
    /// [`DapError::Timeout`] if the core does not halt afterwards.
    pub fn step(&mut self) -> Result<(), DapError> {
        self.write_word(DHCSR, DBGKEY | C_DEBUGEN | C_MASKINTS | C_HALT)?;
        self.write_word(DHCSR, DBGKEY | C_DEBUGEN | C_MASKINTS | C_STEP)?;
        self.wait_halted(CORE_WITHIN)
    }

    /// Whether the core is halted.
    ///
    /// # Errors
    /// [`DapError`] if the target does not answer.
    pub fn is_halted(&mut self) -> Result<bool, DapError> {
        Ok(self.read_word(DHCSR)? & S_HALT != 0)
    }

    /// Waits for the core to halt.
    ///
    /// # Errors
    /// [`DapError::Timeout`] if it does not within `limit`.
    pub fn wait_halted(&mut self, limit: Span) -> Result<(), DapError> {
        self.poll_for("halt", limit, Adi::is_halted)
    }

    /// Resets the target and halts it before its first instruction.
    ///
    /// # Errors
    /// [`DapError::Timeout`] if it does not halt.
    pub fn reset_and_halt(&mut self) -> Result<(), DapError> {
        self.halt()?;
        self.write_word(DEMCR, VC_CORERESET)?;
        self.write_word(AIRCR, SYSRESETREQ)?;
        self.wait_halted(CORE_WITHIN)?;
        self.write_word(DEMCR, 0)
    }

    /// Resets the target and lets it run, without a debugger.
    ///
    /// # Errors
    /// [`DapError`] if the target does not answer.
    pub fn reset_and_run(&mut self) -> Result<(), DapError> {
        self.write_word(DEMCR, 0)?;
        self.write_word(DHCSR, DBGKEY)?;
        self.write_word(AIRCR, SYSRESETREQ)
    }

    /// Reads core register `number` (see [`register`]).
    ///
    /// # Errors
    /// [`DapError::Timeout`] if the core does not transfer it.
    pub fn read_register(&mut self, number: u8) -> Result<u32, DapError> {
        self.write_word(DCRSR, u32::from(number))?;
        self.register_ready()?;
        self.read_word(DCRDR)
    }

    /// Writes core register `number`.
    ///
    /// # Errors
    /// As [`Adi::read_register`].
    pub fn write_register(&mut self, number: u8, value: u32) -> Result<(), DapError> {
        self.write_word(DCRDR, value)?;
        self.write_word(DCRSR, 1 << 16 | u32::from(number))?;
        self.register_ready()
    }

    /// Calls a function on the halted core and waits for its return. The answer is R0.
    ///
    /// # Errors
    /// [`DapError::Timeout`] if it does not return within `limit`.
    pub fn call(&mut self, call: &Call, limit: Span) -> Result<u32, DapError> {
        for (number, argument) in (0..).zip(call.arguments) {
            self.write_register(number, argument)?;
        }
        self.write_register(9, call.static_base)?;
        self.write_register(register::SP, call.stack)?;
        self.write_register(register::LR, call.breakpoint | 1)?;
        self.write_register(register::PC, call.entry | 1)?;
        self.write_register(register::XPSR, 0x0100_0000)?;
        self.run()?;
        self.poll_for("return from a function", limit, Adi::is_halted)?;
        self.read_register(0)
    }

    fn register_ready(&mut self) -> Result<(), DapError> {
        self.poll("transfer a core register", |adi| Ok(adi.read_word(DHCSR)? & S_REGRDY != 0))
    }

    fn poll(
        &mut self,
        what: &'static str,
        done: impl FnMut(&mut Self) -> Result<bool, DapError>,
    ) -> Result<(), DapError> {
        self.poll_for(what, CORE_WITHIN, done)
    }

    fn poll_for(
        &mut self,
        what: &'static str,
        limit: Span,
        mut done: impl FnMut(&mut Self) -> Result<bool, DapError>,
    ) -> Result<(), DapError> {
        let until = self.dap.host.now() + limit;
        while !done(self)? {
            if self.dap.host.now() >= until {
                return Err(DapError::Timeout { what, limit });
            }
        }
        Ok(())
    }
}

/// How many words from `address` on fit into one block: to the end of TAR's range, and of a packet.
fn block_at(address: u32, words: usize) -> usize {
    let to_wrap = (TAR_WRAP - address % TAR_WRAP) / 4;
    words.min(BLOCK_WORDS).min(to_wrap as usize)
}

/// The data of a DAP_TransferBlock's answer, if all of it was done.
fn block_data(answer: &[u8], words: usize) -> Result<&[u8], DapError> {
    let [low, high, response, data @ ..] = answer else { return Err(short(&[0x06], answer)) };
    let done = usize::from(u16::from_le_bytes([*low, *high]));
    if done == words && *response == 1 { Ok(data) } else { Err(DapError::Transfer { done, response: *response }) }
}
