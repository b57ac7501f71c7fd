//! The interface chip's SWD pins, as the firmware uses them, and the settings that go with them (CMSIS-DAP
//! `DAP_Data`).
//!
//! One set of pins and settings serves both the CMSIS-DAP commands and the firmware's own access to the target
//! ([`crate::daplink::swd_host`]): a drag-and-drop or a press of the reset button puts everything a debugger had
//! configured back to the defaults, as on the real board.

use twinboard_sim::debug::{SwdAck, SwdRequest, SwdTiming};
use twinboard_sim::task::TaskClock;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;

use super::timing::{PinTiming, SwjClock};
use crate::daplink::account::Account;
use crate::daplink::personality::PinTable;
use crate::daplink::shared::SharedWire;

/// The answer to an SWD transfer as `DAP_Transfer` reports it: the three acknowledge bits, or [`Ack::ERROR`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack(pub u8);

impl Ack {
    /// Done.
    pub const OK: Ack = Ack(SwdAck::OK.0);
    /// The access port is busy; nothing was done.
    pub const WAIT: Ack = Ack(SwdAck::WAIT.0);
    /// A sticky error is set; nothing was done.
    pub const FAULT: Ack = Ack(SwdAck::FAULT.0);
    /// `DAP_TRANSFER_ERROR`: the read data's parity was wrong.
    pub const ERROR: Ack = Ack(8);
    /// Nobody answered: three times the pull-up.
    pub const NONE: Ack = Ack(SwdAck::NONE.0);
    /// `DAP_TRANSFER_MISMATCH`, or-ed to the acknowledge of a value match that failed.
    pub const MISMATCH: u8 = 16;
}

/// Whether transfer commands reach the wire (`DAP_PORT_DISABLED`, `DAP_PORT_SWD`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DebugPort {
    /// `DAP_Connect` was not given, or `DAP_Disconnect` was.
    #[default]
    Disabled,
    /// Connected in SWD mode.
    Swd,
}

/// What the configuration commands set (CMSIS-DAP `DAP_Data`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The mode that `DAP_Connect` chose.
    pub debug_port: DebugPort,
    /// Speed of SWCLK.
    pub clock: SwjClock,
    /// Turnaround, 1 to 4 clocks.
    pub turnaround: u8,
    /// Clock a data phase on WAIT and FAULT too.
    pub data_phase: bool,
    /// Idle clocks after each transfer.
    pub idle_cycles: u8,
    /// How often a transfer answered with WAIT is tried again.
    pub retry_count: u16,
    /// How often a value match is tried again.
    pub match_retry: u16,
    /// Which bits a value match compares.
    pub match_mask: u32,
}

impl Settings {
    /// What `DAP_Setup` leaves.
    #[must_use]
    pub fn after_setup(timing: &PinTiming) -> Settings {
        Settings {
            debug_port: DebugPort::Disabled,
            clock: timing.default_swj_clock(),
            turnaround: 1,
            data_phase: false,
            idle_cycles: 0,
            retry_count: 100,
            match_retry: 0,
            match_mask: 0,
        }
    }
}

/// The SWD pins of the interface chip.
pub struct SwdPort {
    table: &'static PinTable,
    clock: TaskClock,
    wire: SharedWire,
    pub(in crate::daplink) account: Account,
    /// `DAP_Data`.
    pub settings: Settings,
    /// SWCLK after `DAP_Setup`.
    default_clock: SwjClock,
    /// The pins are outputs (`PORT_SWD_SETUP`) and not high impedance (`PORT_OFF`).
    enabled: bool,
    swclk: bool,
    swdio: bool,
    nreset: bool,
    /// The target is held in reset by SWCLK and SWDIO being low.
    resetting: bool,
}

impl std::fmt::Debug for SwdPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SwdPort")
            .field("settings", &self.settings)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

impl SwdPort {
    /// Pins at `wire`, all of them high impedance, used by the task whose clock is `clock`. Transfers are put down in
    /// `account`.
    #[must_use]
    pub fn new(table: &'static PinTable, clock: TaskClock, wire: SharedWire, account: Account) -> SwdPort {
        SwdPort {
            settings: Settings::after_setup(&table.timing),
            default_clock: table.timing.default_swj_clock(),
            table,
            clock,
            wire,
            account,
            enabled: false,
            swclk: true,
            swdio: true,
            nreset: true,
            resetting: false,
        }
    }

    /// The same with another `DAP_DEFAULT_SWJ_CLOCK`, in hertz; none, or 0, leaves the board's.
    #[must_use]
    pub fn with_default_clock(mut self, hz: Option<u32>) -> SwdPort {
        self.default_clock = hz.and_then(|hz| self.table.timing.swj_clock(hz)).unwrap_or(self.default_clock);
        self.forget_settings();
        self
    }

    /// `DAP_Setup`: all settings of a debugger are lost.
    pub fn forget_settings(&mut self) {
        self.settings = Settings { clock: self.default_clock, ..Settings::after_setup(&self.table.timing) };
    }

    /// What the pins are.
    #[must_use]
    pub fn table(&self) -> &'static PinTable {
        self.table
    }

    /// The firmware's time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Lets `span` of the firmware's time pass.
    pub async fn sleep(&self, span: Span) {
        self.clock.sleep(span).await;
    }

    /// `PORT_SWD_SETUP`: the pins are outputs, and high.
    pub fn setup(&mut self) {
        (self.enabled, self.swclk, self.swdio, self.nreset) = (true, true, true, true);
        self.look_for_reset();
    }

    /// `PORT_OFF`: the pins are high impedance.
    pub fn off(&mut self) {
        self.enabled = false;
        self.look_for_reset();
    }

    /// The levels of the pins have changed: a target that is reset through them sees that.
    fn look_for_reset(&mut self) {
        let resetting = self.table.reset_on_swdio && self.enabled && !self.swclk && !self.swdio;
        if resetting != self.resetting {
            self.resetting = resetting;
            self.wire.lock().reset_pin(self.clock.now(), resetting);
        }
    }

    /// The pins are about to be clocked, which leaves SWCLK high.
    fn clocked(&mut self) {
        self.swclk = true;
        self.look_for_reset();
    }

    /// One transfer (`SWD_Transfer`). The data is that of a read, else what was given.
    pub async fn transfer(&mut self, request: SwdRequest, data: u32) -> (Ack, u32) {
        let timing = SwdTiming {
            period: self.settings.clock.period(),
            turnaround: self.settings.turnaround,
            data_phase: self.settings.data_phase,
            idle: self.settings.idle_cycles,
        };
        if !self.enabled {
            // Without SWCLK nobody answers; the firmware clocks request, turnarounds, acknowledge and data all the same.
            self.clock.sleep(timing.period * u64::from(8 + 3 + 33 + 2 * timing.turnaround)).await;
            return (Ack::NONE, data);
        }
        self.clocked();
        let now = self.clock.now();
        let (transfer, bits) = self.wire.lock().transfer(now, &timing, request, data);
        let overhead = self.table.timing.transfer_overhead();
        self.account.wire(now, bits, overhead);
        self.clock.sleep(bits + overhead).await;
        self.swdio = true;
        if transfer.ack == SwdAck::OK && request.read {
            return (if transfer.parity_ok { Ack::OK } else { Ack::ERROR }, transfer.data);
        }
        (Ack(transfer.ack.0), data)
    }

    /// Transfers again while the answer is WAIT, `retries` times at most.
    pub async fn transfer_retry(&mut self, request: SwdRequest, data: u32, retries: u16) -> (Ack, u32) {
        let mut answer = self.transfer(request, data).await;
        for _ in 0..retries {
            if answer.0 != Ack::WAIT {
                break;
            }
            answer = self.transfer(request, data).await;
        }
        answer
    }

    /// Clocks out `count` bits of `bits` (at most 64), LSB first (`SWJ_Sequence`).
    pub async fn write_bits(&mut self, bits: u64, count: u32) {
        let (period, count) = (self.settings.clock.period(), count.min(64));
        if self.enabled && count > 0 {
            self.clocked();
            self.wire.lock().write_bits(self.clock.now(), period, bits, count);
            self.swdio = bits >> (count - 1) & 1 == 1;
        }
        self.clock.sleep(period * u64::from(count)).await;
    }

    /// Clocks in `count` bits (at most 64), LSB first, with SWDIO released.
    pub async fn read_bits(&mut self, count: u32) -> u64 {
        let period = self.settings.clock.period();
        let mut bits = 0;
        for bit in 0..count.min(64) {
            bits |= u64::from(self.wire.lock().level(Drive::Released)) << bit;
            if self.enabled {
                self.wire.lock().clock(self.clock.now(), Drive::Released);
            }
            self.clock.sleep(period).await;
        }
        bits
    }

    /// Sets SWCLK; a rising edge clocks the target.
    pub async fn set_swclk(&mut self, level: bool) {
        if self.enabled && level && !self.swclk {
            let drive = self.swdio_drive();
            self.wire.lock().clock(self.clock.now(), drive);
        }
        self.swclk = level;
        self.look_for_reset();
        self.clock.sleep(self.table.timing.cycles(2)).await;
    }

    /// Sets SWDIO.
    pub fn set_swdio(&mut self, level: bool) {
        self.swdio = level;
        self.look_for_reset();
    }

    /// Sets nRESET, if there is such a pin. It leads nowhere.
    pub fn set_nreset(&mut self, level: bool) {
        self.nreset = level;
    }

    /// nRESET as it is read: pulled up while it is no output, and low where there is no such pin.
    #[must_use]
    pub fn nreset(&self) -> bool {
        self.table.nreset && (self.nreset || !self.enabled)
    }

    /// SWCLK as the firmware reads it: its own output register.
    #[must_use]
    pub fn swclk(&self) -> bool {
        self.swclk
    }

    /// SWDIO as it is on the wire.
    pub fn swdio(&mut self) -> bool {
        let drive = self.swdio_drive();
        self.wire.lock().level(drive)
    }

    fn swdio_drive(&self) -> Drive {
        match (self.enabled, self.swdio) {
            (false, _) => Drive::Released,
            (true, false) => Drive::Low,
            (true, true) => Drive::High,
        }
    }
}
