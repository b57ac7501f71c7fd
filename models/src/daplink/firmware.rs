//! The main loop: one task that does everything, one thing after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use twinboard_sim::task::TaskClock;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::MAX_PACKET;
use twinboard_sim::wire::{Drive as PinDrive, Signal};

use super::account::Account;
use super::bootloader::{HELD, InterfaceFlash, Mode, OwnFlash};
use super::button::{Button, Press, Wake};
use super::cdc::Cdc;
use super::config::{DapLinkConfig, NonVolatile};
use super::dap;
use super::dap::packet::PACKET_SIZE;
use super::dap::port::SwdPort;
use super::dap::queue::DapFunction;
use super::dap::vendor::Services;
use super::descriptors::{Descriptors, endpoint};
use super::drive::stream::{Format, Progress, Stream};
use super::drive::{AfterTick, Drive, mount};
use super::error::{self, Error};
use super::i2c;
use super::i2c::comms::{self, UsbState, UserEvent};
use super::msc::Msc;
use super::power::PowerLed;
use super::shared::{Core, Io, Lamp, Requests, SharedWire, TargetFlash, pins};
use super::storage::Storage;
use super::swd_host::{SwdHost, TargetState};
use super::uart::Uart;
use crate::fault::firmware::FirmwareFaults;
use crate::native::chapter9::Standard;
use crate::native::endpoints::{CAPACITY, Setup, UsbDevice};
use crate::parts::supply::SharedSupply;

/// Button and LEDs are looked after every 30 ms; every third time the drive and the USB connection are, too.
const TICK: Span = Span::ms(30);
/// Where the power comes from: a battery and nothing else.
const BATTERY_ALONE: u8 = 2;
const SLOW_TICK: u64 = mount::TICK.0 / TICK.0;

/// A cable whose host has not configured the device after 22 slow ticks is one of a charger.
const CONFIGURE_TIMEOUT: Span = Span::ms(22 * 90);

/// The delay per batch of USB events in USB test mode: one tick of the operating system.
const TEST_MODE_DELAY: Span = Span::ms(10);

/// The report of `UART_Read` (vendor command 3) that brought nothing, which the activity LED does not show.
const EMPTY_UART_READ: [u8; 2] = [0x83, 0];

/// What the chip gives its firmware.
#[derive(Clone)]
pub(super) struct Hardware {
    pub clock: TaskClock,
    pub config: Arc<DapLinkConfig>,
    pub settings: NonVolatile,
    pub usb: UsbDevice,
    pub io: Io,
    pub uart: Uart,
    pub wire: SharedWire,
    pub account: Account,
    pub relay: Relay,
    pub power: SharedSupply,
    pub faults: FirmwareFaults,
}

/// Whether the chip can go on as something else, running what was written into its flash, and whether it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Relay {
    pub possible: bool,
    pub handed_over: Arc<AtomicBool>,
}

/// What a program leaves to the one that follows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Left {
    /// The drive is to be left out.
    drive_disabled: bool,
    /// The bootloader is to stay.
    hold: bool,
    /// What woke the chip, if it was powered down.
    woken: Option<Wake>,
}

/// Runs the bootloader and what it starts, from power-on through every restart.
pub(super) async fn run<F: TargetFlash>(mut hardware: Hardware, make_flash: impl Fn() -> F) {
    let mut left = Left::default();
    loop {
        hardware.faults.damage(hardware.clock.now(), &hardware.settings, &hardware.config);
        if let Some(interface_crc) = hardware.settings.damaged_crc() {
            hardware.config = Arc::new(DapLinkConfig { interface_crc, ..(*hardware.config).clone() });
        }
        let chip = hardware.config.chip();
        let startable = hardware.settings.with_interface(|flash| flash.is_startable(chip));
        // A button that woke the chip does not hold it in the bootloader.
        if left.hold || hardware.io.button() && left.woken.is_none() || !startable {
            let own = Hardware { config: Arc::new(hardware.config.in_bootloader()), ..hardware.clone() };
            let mut bootloader = Firmware::new(&own, OwnFlash, Left::default());
            if left.hold {
                bootloader.connect_at += HELD;
            }
            left = Left { hold: false, ..bootloader.live().await };
            continue;
        }
        if hardware.relay.possible && hardware.settings.with_interface(|flash| *flash != InterfaceFlash::Native) {
            hardware.relay.handed_over.store(true, Ordering::Relaxed);
            std::future::pending::<()>().await;
        }
        let mut firmware = Firmware::new(&hardware, make_flash(), left);
        left = firmware.live().await;
    }
}

/// The firmware between two restarts.
pub(super) struct Firmware<F> {
    pub(super) core: Core,
    pub(super) descriptors: Descriptors,
    pub(super) standard: Standard,
    pub(super) msc: Msc,
    pub(super) cdc: Cdc,
    pub(super) hid: DapFunction,
    bulk: DapFunction,
    drive: Drive,
    flash: F,
    /// The OUT request whose data has not come yet.
    pub(super) awaiting_data: Option<Setup>,
    pub(super) idle_rate: u8,
    pub(super) feature: u8,
    test_mode: bool,
    button: Button,
    /// Why the chip came out of power down; until the target is told.
    woken: Option<Wake>,
    /// When the pull-up on D+ is to be switched on.
    connect_at: Time,
    /// The activity LED's pin is driven.
    lamp_on: bool,
    faults: FirmwareFaults,
    packet: [u8; CAPACITY],
}

impl<F: TargetFlash> Firmware<F> {
    fn new(hardware: &Hardware, flash: F, left: Left) -> Firmware<F> {
        let Hardware { clock, config, settings, usb, io, uart, wire, account, power, .. } = hardware.clone();
        let Left { drive_disabled, woken, .. } = left;
        let serial = config.serial(drive_disabled);
        let table = config.personality();
        let core = Core {
            swd: SwdHost::new(
                &table.target,
                SwdPort::new(&table.pins, clock.clone(), wire, account).with_default_clock(config.swj_clock),
            ),
            serial,
            usb,
            io,
            uart,
            lamp: Lamp::default(),
            page_erase: false,
            page_erase_shown: false,
            flash_busy: false,
            failed_assertion: None,
            storage: table
                .storage
                .filter(|_| config.mode == Mode::Interface)
                .map(|table| Storage::new(table, &settings)),
            power_led: PowerLed::new(power.source() == BATTERY_ALONE),
            power,
            usb_state: UsbState::Disconnected,
            requests: Requests::default(),
            settings,
            clock,
            config,
        };
        Firmware {
            descriptors: Descriptors::new(&core.config, &core.serial, drive_disabled),
            standard: Standard::default(),
            msc: Msc::default(),
            cdc: Cdc::new(table.serial.baud),
            hid: DapFunction::new(core.config.packets()),
            bulk: DapFunction::new(core.config.packets()),
            drive: Drive::new(&core, drive_disabled),
            flash,
            awaiting_data: None,
            idle_rate: 0,
            feature: 0,
            test_mode: false,
            // A press that woke the chip counts, as long as it lasts.
            button: Button::default(),
            woken,
            connect_at: core.clock.now() + core.config.connect_delay(),
            lamp_on: false,
            faults: hardware.faults.clone(),
            packet: [0; CAPACITY],
            core,
        }
    }

    fn in_bootloader(&self) -> bool {
        self.core.config.mode == Mode::Bootloader
    }

    /// The main loop, until a restart.
    async fn live(&mut self) -> Left {
        self.core.usb.attach(false);
        self.core.io.pwm(pins::POWER_LED, self.core.power_led.duty());
        self.core.io.switch_i2c(self.core.storage.is_some());
        self.light_lamp();
        let clock = self.core.clock.clone();
        let (mut ticks, mut next_tick) = (0, clock.now() + TICK);
        loop {
            if self.faults.any() {
                self.go_wrong().await;
            }
            while clock.now() >= next_tick {
                if self.tick().await {
                    self.core.usb.attach(false);
                    return Left { woken: Some(self.core.sleep().await), ..Left::default() };
                }
                if ticks % SLOW_TICK == 0 && self.slow_tick().await == AfterTick::Restart {
                    self.core.usb.attach(false);
                    self.core.io.switch_i2c(false);
                    return Left { drive_disabled: self.drive.disabled, hold: self.drive.hold, woken: None };
                }
                ticks += 1;
                next_tick += TICK;
            }
            let mut busy = self.usb_events().await;
            busy |= i2c::execute(&mut self.core).await;
            // The bootloader has no serial port.
            let next_cdc = if self.in_bootloader() { Time::NEVER } else { self.cdc.poll(&mut self.core) };
            if self.cdc.take_reset() {
                self.target(TargetState::ResetRun).await;
            }
            if !busy {
                clock.notified_until(next_tick.min(next_cdc)).await;
            }
        }
    }

    /// What `firmware.*` does at the top of the main loop.
    async fn go_wrong(&mut self) {
        let now = self.core.clock.now();
        match self.faults.hang(now) {
            Some(Some(span)) => self.core.work(span).await,
            Some(None) => std::future::pending().await,
            None => {}
        }
        let fresh = !self.in_bootloader() && !self.drive.has_assert();
        if self.faults.asserts(now, fresh) {
            self.drive.assertion_failed(self.core.config.personality().drive.test_assert);
        }
    }

    /// Handles what came over USB; false if that was nothing.
    async fn usb_events(&mut self) -> bool {
        let work = self.core.usb.work();
        let mut busy = work.events || work.control;
        if self.test_mode && (busy || work.out != 0) {
            self.core.work(TEST_MODE_DELAY).await;
        }
        // Before anything below can send on these endpoints.
        if work.free >> endpoint::HID & 1 == 1
            && let Some((packet, _)) = self.hid.sent()
        {
            self.core.usb.send(endpoint::HID, &packet);
        }
        if work.free >> endpoint::BULK & 1 == 1
            && let Some((packet, length)) = self.bulk.sent()
        {
            self.core.usb.send(endpoint::BULK, &packet[..length]);
        }
        if work.events {
            self.bus_events();
        }
        if work.control {
            self.control().await;
        }
        busy |= self.msc.poll(&mut self.core, &mut self.drive, &mut self.flash).await;
        if let Some(length) = self.core.usb.take_out(endpoint::HID, &mut self.packet) {
            let report = self.packet;
            if length > 0 && !DapFunction::is_abort(&report) {
                self.hid_command(&report[..length]).await;
            }
            self.core.usb.arm(endpoint::HID, PACKET_SIZE);
            busy = true;
        }
        if let Some(length) = self.core.usb.take_out(endpoint::BULK, &mut self.packet) {
            self.bulk_command(length).await;
            self.core.usb.arm(endpoint::BULK, PACKET_SIZE);
            busy = true;
        }
        busy
    }

    fn bus_events(&mut self) {
        let events = self.core.usb.take_events();
        if events.reset {
            self.standard.reset();
            self.configured(false);
            if !self.in_bootloader() {
                self.cdc.bus_reset(&mut self.core);
            }
        }
        match events.vbus {
            Some(false) => {
                self.core.usb.attach(false);
                self.standard.reset();
                self.connect_at = Time::NEVER;
            }
            Some(true) if self.connect_at == Time::NEVER => {
                self.connect_at = self.core.clock.now() + self.core.config.connect_delay();
            }
            _ => {}
        }
    }

    /// SET_CONFIGURATION or a bus reset: all functions start anew.
    pub(super) fn configured(&mut self, configured: bool) {
        let packets = self.core.config.packets();
        (self.hid, self.bulk) = (DapFunction::new(packets), DapFunction::new(packets));
        self.msc = Msc::default();
        if configured {
            self.msc.configured(&self.core.usb);
            if self.descriptors.interfaces.cdc.is_some() {
                self.cdc.configured(&mut self.core);
            }
            if self.descriptors.interfaces.hid.is_some() {
                self.core.usb.arm(endpoint::HID, MAX_PACKET);
            }
            if self.descriptors.interfaces.bulk.is_some() {
                self.core.usb.arm(endpoint::BULK, MAX_PACKET);
            }
        }
    }

    /// Executes a command that came over HID or endpoint 0. The response goes to the interrupt endpoint if that has
    /// nothing to send, wherever the command came from.
    pub(super) async fn hid_command(&mut self, report: &[u8]) {
        let Firmware { core, cdc, drive, flash, test_mode, hid, .. } = self;
        let Ok(response) = hid.buffer() else {
            drive.assertion_failed(core.config.personality().dap.hid_overflow);
            return;
        };
        let mut services = Behind { cdc, stream: &mut drive.stream, flash, test_mode };
        let length = dap::execute(core, &mut services, report, response).await;
        if response[..2] != EMPTY_UART_READ {
            core.lamp.blink();
        }
        if let Some((packet, _)) = hid.respond(length) {
            core.usb.send(endpoint::HID, &packet);
        }
    }

    /// Executes a command that came over the bulk endpoints; it is dropped if too many responses wait.
    async fn bulk_command(&mut self, length: usize) {
        let Firmware { core, cdc, drive, flash, test_mode, bulk, packet, .. } = self;
        let Ok(response) = bulk.buffer() else { return };
        let mut services = Behind { cdc, stream: &mut drive.stream, flash, test_mode };
        let length = dap::execute(core, &mut services, &packet[..length], response).await;
        if let Some((packet, length)) = bulk.respond(length) {
            core.usb.send(endpoint::BULK, &packet[..length]);
        }
    }

    /// Every 30 ms: reset button, LEDs, and what the target asked for over I2C.
    /// Whether the chip is to be powered down.
    async fn tick(&mut self) -> bool {
        // In the bootloader the button does nothing: it knows no target.
        if !self.core.flash_busy && !self.in_bootloader() {
            match self.button.tick(self.core.io.button()) {
                Some(Press::Began) => {
                    self.target(self.core.config.personality().target.button).await;
                    self.core.power_led.hold(None);
                }
                Some(Press::Lasts(ticks)) => self.core.power_led.hold(Some(ticks)),
                Some(Press::Ended { long }) => {
                    self.target(TargetState::ResetRun).await;
                    self.core.power_led.release(long);
                    if long && self.core.storage.is_some() {
                        comms::tell(&self.core, UserEvent::LongPress);
                    }
                }
                None => {}
            }
        }
        self.update_usb_state();
        if self.woken.take() == Some(Wake::Usb) {
            comms::tell(&self.core, UserEvent::UsbInserted);
        }
        if std::mem::take(&mut self.core.requests.remount) {
            self.drive.remount();
        }
        if std::mem::take(&mut self.core.requests.power_down) {
            match self.core.usb_state {
                UsbState::Connected => self.core.power_led.stand_by(),
                UsbState::Disconnected => return true,
                // Whether there is a host is not known yet.
                UsbState::Connecting | UsbState::Checking => self.core.requests.power_down = true,
            }
        }
        let duty = self.core.power_led.tick(self.core.usb_state);
        self.core.io.pwm(pins::POWER_LED, duty);
        if let Some(lit) = self.core.lamp.tick()
            && self.lamp_on
        {
            self.core.io.set(pins::LED, lit == self.core.config.personality().lamp.lit);
        }
        false
    }

    /// What the target may be told of the USB connection.
    fn update_usb_state(&mut self) {
        let now = self.core.clock.now();
        self.core.usb_state = if self.standard.configured() {
            UsbState::Connected
        } else if !self.core.power.usb() || self.connect_at == Time::NEVER {
            UsbState::Disconnected
        } else if !self.core.usb.is_attached() {
            UsbState::Connecting
        } else if now.since(self.connect_at) < CONFIGURE_TIMEOUT {
            UsbState::Checking
        } else {
            UsbState::Disconnected
        };
    }

    /// Lights the activity LED when its pin becomes an output, and leaves it when it is none any more.
    fn light_lamp(&mut self) {
        let table = &self.core.config.personality().lamp;
        let on = !table.needs_host || self.in_bootloader() || self.standard.configured();
        if self.lamp_on != on {
            self.lamp_on = on;
            // On a micro:bit V2 it stays dark until something has happened.
            let lit = (!table.needs_host || self.in_bootloader() || self.core.lamp.used) == table.lit;
            let drive = match (on, lit) {
                (false, _) => PinDrive::Released,
                (true, false) => PinDrive::Low,
                (true, true) => PinDrive::High,
            };
            self.core.io.send(pins::LED, Signal::Drive(drive));
        }
    }

    /// Every 90 ms: drive and USB connection.
    async fn slow_tick(&mut self) -> AfterTick {
        let after = self.drive.tick(&mut self.core, &mut self.flash).await;
        if self.core.clock.now() >= self.connect_at && !self.core.usb.is_attached() {
            self.core.usb.attach(true);
        }
        self.light_lamp();
        after
    }

    /// Brings the target into a state; a target that does not answer stays as it is.
    async fn target(&mut self, state: TargetState) {
        self.core.set_target_state(state).await;
    }
}

/// What DAPLink's own commands reach.
struct Behind<'a, F> {
    cdc: &'a mut Cdc,
    stream: &'a mut Stream,
    flash: &'a mut F,
    test_mode: &'a mut bool,
}

fn code(core: &Core, result: Result<(), Error>) -> u8 {
    result.map_or_else(|error| core.config.personality().errors.code(error), |()| error::SUCCESS)
}

impl<F: TargetFlash> Services for Behind<'_, F> {
    fn cdc(&mut self) -> &mut Cdc {
        self.cdc
    }

    fn usb_test_mode(&mut self, on: bool) {
        *self.test_mode = on;
    }

    async fn stream_open(&mut self, core: &mut Core, kind: u8) -> u8 {
        let format = match kind {
            0 => Format::Binary,
            1 => Format::Hex,
            _ => return code(core, Err(Error::Internal)),
        };
        code(core, self.stream.open(&core.config, format))
    }

    async fn stream_write(&mut self, core: &mut Core, data: &[u8]) -> u8 {
        let written = self.stream.write(core, self.flash, data).await;
        let errors = &core.config.personality().errors;
        match written {
            Ok(Progress::Continue) => error::SUCCESS,
            Ok(Progress::MayEnd) => errors.shift(error::SUCCESS_DONE_OR_CONTINUE),
            Ok(Progress::Ended) => errors.shift(error::SUCCESS_DONE),
            Err(error) => errors.code(error),
        }
    }

    async fn stream_close(&mut self, core: &mut Core) -> u8 {
        let closed = self.stream.close(core, self.flash).await;
        code(core, closed)
    }
}
