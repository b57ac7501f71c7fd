//! The firmware's own access to the target: attaching, memory, core registers, calls of code in the target's RAM,
//! resets (DAPLink `swd_host.c`, `target_reset_nrf52.c`, `target_reset_nrf51.c`).
//!
//! Everything here becomes SWD transfers on the same wire that a debugger uses. The sequences, their retries and their
//! delays are the original's; each transfer and each delay takes its time.

use thiserror::Error;
use twinboard_sim::debug::SwdRequest;
use twinboard_sim::time::Span;

use super::dap::port::{Ack, SwdPort};
use super::personality::TargetTable;

/// `osDelay(2)`: two ticks of the firmware's operating system.
const TWO_TICKS: Span = Span::ms(20);

/// How often a transfer answered with WAIT is tried again.
const WAIT_RETRIES: u16 = 99;

/// How often S_REGRDY and the power-up acknowledges are read.
const READY_POLLS: u32 = 100;

/// How often S_HALT is read after a call.
const HALT_POLLS: u32 = 1_000_000;

/// Writes and reads cross no boundary of this many bytes with one TAR (`TARGET_AUTO_INCREMENT_PAGE_SIZE`).
const AUTO_INCREMENT: u32 = 1024;

/// Attempts to attach.
const ATTEMPTS: u32 = 4;

const DP_ABORT: u8 = 0x0;
const DP_IDCODE: u8 = 0x0;
const DP_CTRL_STAT: u8 = 0x4;
const DP_SELECT: u8 = 0x8;
const DP_RDBUFF: u8 = 0xc;

const DAPABORT: u32 = 1;
/// STKCMPCLR, STKERRCLR, WDERRCLR, ORUNERRCLR.
const CLEAR_STICKY: u32 = 0x1e;
const CSYSPWRUPREQ: u32 = 1 << 30;
const CDBGPWRUPREQ: u32 = 1 << 28;
const CSYSPWRUPACK: u32 = 1 << 31;
const CDBGPWRUPACK: u32 = 1 << 29;
const MASKLANE: u32 = 0xf << 8;
const STICKYERR: u32 = 1 << 5;
const WDATAERR: u32 = 1 << 7;

const AP_CSW: u32 = 0x00;
const AP_TAR: u32 = 0x04;
const AP_DRW: u32 = 0x0c;
/// Master type debug, privileged data access, single increment.
const CSW_BASE: u32 = 0x2300_0050;
const CSW_SIZE8: u32 = 0;
const CSW_SIZE32: u32 = 2;

/// Nordic's CTRL-AP is access port 1.
const CTRL_AP_RESET: u32 = 0x0100_0000;
const CTRL_AP_IDR: u32 = 0x0100_00fc;
/// The only IDR that the firmware takes for a CTRL-AP.
const CTRL_AP_ID: u32 = 0x0288_0000;

/// nRF51 POWER.RESET.
const POWER_RESET: u32 = 0x4000_0544;

const AIRCR: u32 = 0xe000_ed0c;
const VECTKEY: u32 = 0x05fa_0000;
const PRIGROUP: u32 = 7 << 8;
const SYSRESETREQ: u32 = 1 << 2;
const DHCSR: u32 = 0xe000_edf0;
const DCRSR: u32 = 0xe000_edf4;
const DCRDR: u32 = 0xe000_edf8;
const DEMCR: u32 = 0xe000_edfc;
const DBGKEY: u32 = 0xa05f_0000;
const C_DEBUGEN: u32 = 1;
const C_HALT: u32 = 2;
const C_MASKINTS: u32 = 8;
const S_REGRDY: u32 = 1 << 16;
const S_HALT: u32 = 1 << 17;
const VC_CORERESET: u32 = 1;
/// DCRSR.REGWnR.
const REG_WRITE: u32 = 1 << 16;

/// Core register numbers (DCRSR.REGSEL).
mod register {
    pub const R9: u32 = 9;
    pub const SP: u32 = 13;
    pub const LR: u32 = 14;
    pub const PC: u32 = 15;
    pub const XPSR: u32 = 16;
}

/// xPSR of code that is called: Thumb state, no exception.
const XPSR_THUMB: u32 = 0x0100_0000;

/// Why the target could not be reached or did not do what it was to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum HostError {
    /// A transfer was not acknowledged.
    #[error("the target answered an SWD transfer with {:#05b}", .0.0)]
    Ack(Ack),
    /// A status bit did not come in time.
    #[error("the target did not become ready")]
    NotReady,
    /// CTRL/STAT shows an error after a core was started.
    #[error("a sticky error is set in CTRL/STAT ({0:#010x})")]
    Sticky(u32),
    /// A function in the target's RAM returned something other than 0.
    #[error("the function in the target's RAM returned {0:#x}")]
    Returned(u32),
}

type Result<T> = std::result::Result<T, HostError>;

/// By which way a target is reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetLine {
    /// Nordic's CTRL-AP, or AIRCR if the target has none.
    CtrlAp,
    /// nRF51: its nRESET is SWDIO, which resets when POWER.RESET allows it and both SWD lines are low.
    Swdio,
}

/// What the target is to be (`target_state_t`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetState {
    /// Held in reset.
    ResetHold,
    /// Reset and halted before its first instruction.
    ResetProgram,
    /// Reset and running, debug power off, SWD pins off.
    ResetRun,
    /// Core debug switched off.
    NoDebug,
    /// Attached, core debug switched on, running.
    Debug,
    /// Halted where it is.
    Halt,
    /// Core debug switched off, SWD pins off.
    Run,
}

/// Where code in the target's RAM finds its surroundings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallFrame {
    /// Return address (LR): a BKPT instruction, bit 0 set.
    pub breakpoint: u32,
    /// R9.
    pub static_base: u32,
    /// SP.
    pub stack_pointer: u32,
}

/// The target behind the SWD pins.
#[derive(Debug)]
pub struct SwdHost {
    /// The pins, which a debugger uses too.
    pub port: SwdPort,
    table: &'static TargetTable,
    /// DP SELECT, as last written here.
    select: Option<u32>,
    /// CSW, as last written here.
    csw: Option<u32>,
}

impl SwdHost {
    /// A target that was not accessed yet.
    #[must_use]
    pub fn new(table: &'static TargetTable, port: SwdPort) -> SwdHost {
        SwdHost { port, table, select: None, csw: None }
    }

    /// `swd_init`: all settings of a debugger are lost.
    fn init(&mut self) {
        self.port.forget_settings();
        self.port.setup();
    }

    /// `swd_off`: the pins are high impedance.
    pub fn off(&mut self) {
        self.port.off();
    }

    async fn transfer(&mut self, request: SwdRequest, data: u32) -> Result<u32> {
        let (ack, data) = self.port.transfer_retry(request, data, WAIT_RETRIES).await;
        if ack == Ack::OK { Ok(data) } else { Err(HostError::Ack(ack)) }
    }

    async fn read_dp(&mut self, address: u8) -> Result<u32> {
        self.transfer(SwdRequest { ap: false, read: true, address }, 0).await
    }

    async fn write_dp(&mut self, address: u8, value: u32) -> Result<()> {
        self.transfer(SwdRequest { ap: false, read: false, address }, value).await.map(drop)
    }

    async fn select(&mut self, select: u32) -> Result<()> {
        if self.select != Some(select) {
            self.write_dp(DP_SELECT, select).await?;
            self.select = Some(select);
        }
        Ok(())
    }

    /// Reads AP register `address`: the access port in bits 31:24, the register in 7:0.
    async fn read_ap(&mut self, address: u32) -> Result<u32> {
        let request = SwdRequest { ap: true, read: true, address: (address & 0xc) as u8 };
        self.select(address & 0xff00_00f0).await?;
        // The first read is posted; its acknowledge is not looked at.
        let _ = self.transfer(request, 0).await;
        self.transfer(request, 0).await
    }

    /// Writes AP register `address`, numbered as in [`SwdHost::read_ap`], and waits until it is written.
    async fn write_ap(&mut self, address: u32, value: u32) -> Result<()> {
        self.select(address & 0xff00_00f0).await?;
        if address == AP_CSW {
            if self.csw == Some(value) {
                return Ok(());
            }
            self.csw = Some(value);
        }
        self.post_ap(address, value).await?;
        self.read_dp(DP_RDBUFF).await.map(drop)
    }

    async fn post_ap(&mut self, address: u32, value: u32) -> Result<()> {
        self.transfer(SwdRequest { ap: true, read: false, address: (address & 0xc) as u8 }, value).await.map(drop)
    }

    async fn post_read(&mut self) -> Result<u32> {
        self.transfer(SwdRequest { ap: true, read: true, address: AP_DRW as u8 }, 0).await
    }

    async fn read_sized(&mut self, address: u32, size: u32) -> Result<u32> {
        self.write_ap(AP_CSW, CSW_BASE | size).await?;
        self.post_ap(AP_TAR, address).await?;
        self.post_read().await?;
        self.read_dp(DP_RDBUFF).await
    }

    async fn write_sized(&mut self, address: u32, size: u32, value: u32) -> Result<()> {
        self.write_ap(AP_CSW, CSW_BASE | size).await?;
        self.post_ap(AP_TAR, address).await?;
        self.post_ap(AP_DRW, value).await?;
        self.read_dp(DP_RDBUFF).await.map(drop)
    }

    /// Reads an aligned word.
    ///
    /// # Errors
    /// [`HostError::Ack`] if the target does not acknowledge.
    pub async fn read_word(&mut self, address: u32) -> Result<u32> {
        self.read_sized(address, CSW_SIZE32).await
    }

    /// Writes an aligned word.
    ///
    /// # Errors
    /// [`HostError::Ack`] if the target does not acknowledge.
    pub async fn write_word(&mut self, address: u32, value: u32) -> Result<()> {
        self.write_sized(address, CSW_SIZE32, value).await
    }

    /// Reads memory at any address.
    ///
    /// # Errors
    /// [`HostError::Ack`] if the target does not acknowledge.
    pub async fn read_memory(&mut self, mut address: u32, data: &mut [u8]) -> Result<()> {
        let mut rest = data;
        while !rest.is_empty() {
            let step = step(address, rest.len());
            let (piece, after) = rest.split_at_mut(step);
            if step == 1 {
                let word = self.read_sized(address, CSW_SIZE8).await?;
                piece[0] = (word >> (8 * (address & 3))) as u8;
            } else {
                self.read_words(address, piece).await?;
            }
            address = address.wrapping_add(step as u32);
            rest = after;
        }
        Ok(())
    }

    async fn read_words(&mut self, address: u32, data: &mut [u8]) -> Result<()> {
        self.write_ap(AP_CSW, CSW_BASE | CSW_SIZE32).await?;
        self.post_ap(AP_TAR, address).await?;
        self.post_read().await?;
        let words = data.len() / 4;
        for (i, word) in data.chunks_exact_mut(4).enumerate() {
            let value = if i + 1 < words { self.post_read().await? } else { self.read_dp(DP_RDBUFF).await? };
            word.copy_from_slice(&value.to_le_bytes());
        }
        Ok(())
    }

    /// Writes memory at any address.
    ///
    /// # Errors
    /// [`HostError::Ack`] if the target does not acknowledge.
    pub async fn write_memory(&mut self, mut address: u32, data: &[u8]) -> Result<()> {
        let mut rest = data;
        while let Some(&first) = rest.first() {
            let step = step(address, rest.len());
            let (piece, after) = rest.split_at(step);
            if step == 1 {
                self.write_sized(address, CSW_SIZE8, u32::from(first) << (8 * (address & 3))).await?;
            } else {
                self.write_words(address, piece).await?;
            }
            address = address.wrapping_add(step as u32);
            rest = after;
        }
        Ok(())
    }

    async fn write_words(&mut self, address: u32, data: &[u8]) -> Result<()> {
        self.write_ap(AP_CSW, CSW_BASE | CSW_SIZE32).await?;
        self.post_ap(AP_TAR, address).await?;
        for word in data.as_chunks().0 {
            self.post_ap(AP_DRW, u32::from_le_bytes(*word)).await?;
        }
        self.read_dp(DP_RDBUFF).await.map(drop)
    }

    async fn read_core_register(&mut self, number: u32) -> Result<u32> {
        self.write_word(DCRSR, number).await?;
        self.poll(S_REGRDY, READY_POLLS).await?;
        self.read_word(DCRDR).await
    }

    async fn write_core_register(&mut self, number: u32, value: u32) -> Result<()> {
        self.write_word(DCRDR, value).await?;
        self.write_word(DCRSR, number | REG_WRITE).await?;
        self.poll(S_REGRDY, READY_POLLS).await
    }

    /// Reads DHCSR until `bit` is set.
    async fn poll(&mut self, bit: u32, limit: u32) -> Result<()> {
        for _ in 0..limit {
            if self.read_word(DHCSR).await? & bit != 0 {
                return Ok(());
            }
        }
        Err(HostError::NotReady)
    }

    /// Waits for S_HALT as long as it takes.
    async fn until_halted(&mut self) -> Result<()> {
        while self.read_word(DHCSR).await? & S_HALT == 0 {}
        Ok(())
    }

    /// Calls the function at `entry` in the halted target and waits until it returns 0
    /// (`swd_flash_syscall_exec`).
    ///
    /// # Errors
    /// [`HostError::Returned`] if it returns something else, others if it cannot be started or does not return.
    pub async fn call(&mut self, frame: &CallFrame, entry: u32, arguments: [u32; 4]) -> Result<()> {
        self.select(0).await?;
        for (number, value) in (0..).zip(arguments) {
            self.write_core_register(number, value).await?;
        }
        self.write_core_register(register::R9, frame.static_base).await?;
        self.write_core_register(register::SP, frame.stack_pointer).await?;
        self.write_core_register(register::LR, frame.breakpoint).await?;
        self.write_core_register(register::PC, entry).await?;
        self.write_core_register(register::XPSR, XPSR_THUMB).await?;
        self.write_word(DHCSR, DBGKEY | C_DEBUGEN | C_MASKINTS | C_HALT).await?;
        self.write_word(DHCSR, DBGKEY | C_DEBUGEN | C_MASKINTS).await?;
        let status = self.read_dp(DP_CTRL_STAT).await?;
        if status & (STICKYERR | WDATAERR) != 0 {
            return Err(HostError::Sticky(status));
        }
        let (start, before) = (self.port.now(), self.port.account.spent());
        let halted = self.poll(S_HALT, HALT_POLLS).await;
        self.port.account.flash(before, start, self.port.now());
        halted?;
        let result = self.read_core_register(0).await?;
        self.write_word(DHCSR, DBGKEY | C_DEBUGEN | C_HALT).await?;
        if result == 0 { Ok(()) } else { Err(HostError::Returned(result)) }
    }

    /// Line reset, JTAG-to-SWD, line reset, idle, IDCODE (`JTAG2SWD`).
    async fn jtag_to_swd(&mut self) -> Result<()> {
        self.port.write_bits(u64::MAX, 51).await;
        self.port.write_bits(0xe79e, 16).await;
        self.port.write_bits(u64::MAX, 51).await;
        self.port.write_bits(0, 8).await;
        self.read_dp(DP_IDCODE).await.map(drop)
    }

    /// One attempt to attach and to power up the target's debug logic.
    async fn attach_once(&mut self) -> Result<()> {
        self.init();
        self.jtag_to_swd().await?;
        self.write_dp(DP_ABORT, CLEAR_STICKY).await?;
        self.select(0).await?;
        self.write_dp(DP_CTRL_STAT, CSYSPWRUPREQ | CDBGPWRUPREQ).await?;
        let mut powered = false;
        for _ in 0..READY_POLLS {
            let status = self.read_dp(DP_CTRL_STAT).await?;
            powered = status & CSYSPWRUPACK != 0 && status & CDBGPWRUPACK != 0;
            if powered {
                break;
            }
        }
        if !powered {
            return Err(HostError::NotReady);
        }
        self.write_dp(DP_CTRL_STAT, CSYSPWRUPREQ | CDBGPWRUPREQ | MASKLANE).await?;
        self.select(0).await
    }

    /// Attaches (`swd_init_debug`): four attempts, between which the target is reset.
    async fn attach(&mut self) -> Result<()> {
        (self.select, self.csw) = (None, None);
        let mut result = self.attach_once().await;
        for _ in 1..ATTEMPTS {
            if result.is_ok() {
                break;
            }
            // Whether any of this reaches a target that does not answer is not looked at.
            let _ = self.write_dp(DP_ABORT, DAPABORT).await;
            (self.select, self.csw) = (None, None);
            let _ = self.attach_once().await;
            let _ = self.assert_reset().await;
            self.port.sleep(TWO_TICKS).await;
            let _ = self.release_reset().await;
            self.port.sleep(TWO_TICKS).await;
            result = self.attach_once().await;
        }
        result
    }

    /// Resets an attached target.
    async fn assert_reset(&mut self) -> Result<()> {
        let reset = self.table.reset;
        match reset {
            ResetLine::CtrlAp if self.read_ap(CTRL_AP_IDR).await == Ok(CTRL_AP_ID) => {
                self.write_ap(CTRL_AP_RESET, 1).await
            }
            ResetLine::CtrlAp => self.write_memory(AIRCR, &(VECTKEY | SYSRESETREQ).to_le_bytes()).await,
            ResetLine::Swdio => {
                // Whatever size of access is selected: the bit is in the lowest byte.
                self.write_ap(AP_TAR, POWER_RESET).await?;
                self.write_ap(AP_DRW, 1).await?;
                self.port.set_swclk(false).await;
                self.port.set_swdio(false);
                Ok(())
            }
        }
    }

    async fn release_reset(&mut self) -> Result<()> {
        let reset = self.table.reset;
        match reset {
            ResetLine::CtrlAp if self.read_ap(CTRL_AP_IDR).await == Ok(CTRL_AP_ID) => {
                self.write_ap(CTRL_AP_RESET, 0).await
            }
            ResetLine::CtrlAp => Ok(()),
            ResetLine::Swdio => {
                self.port.set_swclk(true).await;
                self.port.set_swdio(true);
                Ok(())
            }
        }
    }

    /// Attaches and holds the target in reset; what fails is not looked at.
    async fn hold_reset(&mut self) {
        let _ = self.attach().await;
        let _ = self.assert_reset().await;
    }

    /// A reset pulse; what fails is not looked at.
    async fn pulse_reset(&mut self) {
        self.hold_reset().await;
        self.port.sleep(TWO_TICKS).await;
        let _ = self.release_reset().await;
        self.port.sleep(TWO_TICKS).await;
    }

    /// Brings the target into a state (`swd_set_target_state_sw`).
    ///
    /// # Errors
    /// Any [`HostError`]; the target is then in no particular state.
    pub async fn set_target_state(&mut self, state: TargetState) -> Result<()> {
        if state != TargetState::Run {
            self.init();
        }
        match state {
            TargetState::ResetHold => {
                self.hold_reset().await;
                Ok(())
            }
            TargetState::ResetRun => {
                self.pulse_reset().await;
                if self.table.drops_power {
                    self.power_down().await?;
                }
                self.off();
                Ok(())
            }
            TargetState::ResetProgram => self.reset_and_halt().await,
            TargetState::NoDebug => self.write_word(DHCSR, DBGKEY).await,
            TargetState::Debug => {
                self.jtag_to_swd().await?;
                self.write_dp(DP_ABORT, CLEAR_STICKY).await?;
                self.select(0).await?;
                self.write_dp(DP_CTRL_STAT, CSYSPWRUPREQ | CDBGPWRUPREQ).await?;
                self.write_word(DHCSR, DBGKEY | C_DEBUGEN).await
            }
            TargetState::Halt => {
                self.attach().await?;
                self.write_word(DHCSR, DBGKEY | C_DEBUGEN | C_HALT).await?;
                self.until_halted().await
            }
            TargetState::Run => {
                self.write_word(DHCSR, DBGKEY).await?;
                self.off();
                Ok(())
            }
        }
    }

    /// Drops the power requests, system first, each until it is acknowledged.
    async fn power_down(&mut self) -> Result<()> {
        for (request, acknowledge) in [(CSYSPWRUPREQ, CSYSPWRUPACK), (CDBGPWRUPREQ, CDBGPWRUPACK)] {
            let status = self.read_dp(DP_CTRL_STAT).await?;
            self.write_dp(DP_CTRL_STAT, status & !request).await?;
            while self.read_dp(DP_CTRL_STAT).await? & acknowledge != 0 {}
        }
        Ok(())
    }

    async fn reset_and_halt(&mut self) -> Result<()> {
        self.attach().await?;
        if self.write_word(DHCSR, DBGKEY | C_DEBUGEN | C_HALT).await.is_err() {
            self.pulse_reset().await;
            self.write_word(DHCSR, DBGKEY | C_DEBUGEN | C_HALT).await?;
        }
        self.until_halted().await?;
        self.write_word(DEMCR, VC_CORERESET).await?;
        let priority_group = self.read_word(AIRCR).await? & PRIGROUP;
        self.write_word(AIRCR, VECTKEY | priority_group | SYSRESETREQ).await?;
        self.port.sleep(TWO_TICKS).await;
        self.until_halted().await?;
        self.write_word(DEMCR, 0).await
    }
}

/// How many bytes go in one piece: single bytes until the address is aligned, then words up to the next boundary of
/// the automatic increment, then single bytes again.
fn step(address: u32, length: usize) -> usize {
    if !address.is_multiple_of(4) || length < 4 {
        return 1;
    }
    let to_boundary = (AUTO_INCREMENT - address % AUTO_INCREMENT) as usize;
    to_boundary.min(length & !3)
}

#[cfg(test)]
mod tests;
