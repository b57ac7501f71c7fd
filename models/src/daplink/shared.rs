//! What all parts of the firmware share, and the joints between them.
//!
//! DAPLink is one main loop: USB events, disk sectors, debug commands and timers follow each other and never overlap.
//! So do the parts here: one task owns them all and hands `&mut Core` on. What takes time awaits [`Core::clock`];
//! meanwhile endpoint buffers fill and then answer NAK, as on the real board.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::debug::SwdWire;
use twinboard_sim::task::TaskClock;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{Drive, Edge, PinId, Signal};

use super::config::{DapLinkConfig, NonVolatile};
use super::drive::Assert;
use super::error::Error;
use super::i2c::I2cPort;
use super::i2c::comms::UsbState;
use super::power::PowerLed;
use super::storage::Storage;
use super::swd_host::{SwdHost, TargetState};
use super::uart::{Format, StopBits, Uart};
use crate::native::endpoints::UsbDevice;
use crate::parts::PinObserver;
use crate::parts::led::LedOnPin;
use crate::parts::supply::SharedSupply;

/// The baud rate of a serial port that nobody has opened (the line coding at power-on).
const DEFAULT_BAUD: u32 = 115_200;

/// The PWM of the nRF52820's build: 2550 turns of 8 µs.
const PWM_PERIOD: Span = Span::us(20_400);

/// The LEDs on a chip's pins, which outlive a power cycle.
pub type Leds = Arc<Mutex<Vec<LedOnPin>>>;

/// The pins that the firmware uses, numbered as those of the nRF52820 on a micro:bit V2.2 in its GPIO port P0. The pins of
/// other interface chips go by the same names; their numbers are seen nowhere.
pub mod pins {
    use twinboard_sim::wire::PinId;

    /// Reset button, low while pressed.
    pub const RESET_BUTTON: PinId = PinId(6);
    /// Serial data from the target.
    pub const UART_RX: PinId = PinId(8);
    /// Pulled low, open drain, when the target is to fetch a response over I2C.
    pub const COMBINED_SENSOR_INT: PinId = PinId(16);
    /// Clock and data of the internal I2C bus.
    pub const I2C_SCL: PinId = PinId(28);
    /// See [`I2C_SCL`].
    pub const I2C_SDA: PinId = PinId(30);
    /// Activity LED.
    pub const LED: PinId = PinId(14);
    /// Red power LED.
    pub const POWER_LED: PinId = PinId(15);
    /// Serial data to the target.
    pub const UART_TX: PinId = PinId(29);
}

/// The probe's end of the SWD wire, which outlives a power cycle of the firmware that uses it.
pub type SharedWire = Arc<Mutex<Box<dyn SwdWire>>>;

#[derive(Debug, Default)]
struct Pins {
    out: Vec<Edge>,
    /// What each pin that is driven by PWM was told last, of 255.
    duty: Option<(PinId, u8)>,
    button: bool,
}

/// The chip's pins, shared between the chip and its firmware.
#[derive(Clone, Debug)]
pub struct Io {
    pins: Arc<Mutex<Pins>>,
    uart: Uart,
    clock: TaskClock,
    leds: Leds,
    /// The secondary on the internal I2C bus.
    pub i2c: I2cPort,
}

impl Io {
    /// Pins at rest.
    #[must_use]
    pub fn new(clock: TaskClock, uart: Uart) -> Io {
        Io { pins: Arc::default(), uart, clock, leds: Leds::default(), i2c: I2cPort::default() }
    }

    /// The UART.
    #[must_use]
    pub fn uart(&self) -> &Uart {
        &self.uart
    }

    /// The same pins with these LEDs on them.
    pub(super) fn with_leds(self, leds: Leds) -> Io {
        Io { leds, ..self }
    }

    /// Drives a pin, or starts a serial character on it, now.
    pub fn send(&self, pin: PinId, signal: Signal) {
        let edge = Edge { at: self.clock.now(), pin, signal };
        self.leds.lock().iter_mut().filter(|led| led.watches(edge.pin)).for_each(|led| led.edge(&edge));
        self.pins.lock().out.push(edge);
    }

    /// Drives a pin high or low, now.
    pub fn set(&self, pin: PinId, high: bool) {
        self.send(pin, Signal::Drive(if high { Drive::High } else { Drive::Low }));
    }

    /// Drives a pin by PWM, high for `duty` of 255, from now on. Nobody follows a PWM edge by edge: the pin has the level
    /// that it has longer, and the LEDs on it are told period and high time.
    pub fn pwm(&self, pin: PinId, duty: u8) {
        let before = self.pins.lock().duty.replace((pin, duty));
        if before == Some((pin, duty)) {
            return;
        }
        let high = duty > 127;
        if before.is_none_or(|(of, before)| of != pin || (before > 127) != high) {
            self.set(pin, high);
        }
        let (at, span) = (self.clock.now(), Span(PWM_PERIOD.0 / 255 * u64::from(duty)));
        self.leds
            .lock()
            .iter_mut()
            .filter(|led| led.watches(pin))
            .for_each(|led| led.pulses(at, pin, PWM_PERIOD, span));
    }

    /// Pulls COMBINED_SENSOR_INT low, or lets it go.
    pub fn interrupt_target(&self, pull: bool) {
        self.send(pins::COMBINED_SENSOR_INT, Signal::Drive(if pull { Drive::Low } else { Drive::Released }));
    }

    /// Switches the I2C secondary on or off.
    pub fn switch_i2c(&self, on: bool) {
        if let Some(step) = self.i2c.switch(on) {
            self.send(pins::I2C_SDA, Signal::I2c(step));
        }
    }

    /// The CPU stands still, so that nothing on the I2C bus is answered, or goes on.
    pub fn stall_i2c(&self, stalled: bool) {
        if let Some(step) = self.i2c.stall(stalled) {
            self.send(pins::I2C_SDA, Signal::I2c(step));
        }
    }

    /// Whether the reset button is held.
    #[must_use]
    pub fn button(&self) -> bool {
        self.pins.lock().button
    }

    /// The reset button is held, or not.
    pub(super) fn set_button(&self, held: bool) {
        self.pins.lock().button = held;
    }

    /// Something happened to a pin's net; the chip calls it when its time has come.
    pub(super) fn receive(&self, edge: Edge) {
        let mut pins = self.pins.lock();
        match (edge.pin, edge.signal) {
            (pins::UART_RX, Signal::Serial(frame)) => self.uart.receive(edge.at, frame),
            (pins::RESET_BUTTON, Signal::Drive(drive)) => pins.button = drive == Drive::Low,
            (pins::I2C_SDA, Signal::I2c(step)) => {
                let (answer, command) = self.i2c.hear(edge.at, step);
                if let Some(step) = answer {
                    pins.out.push(Edge { signal: Signal::I2c(step), ..edge });
                }
                if let Some(pull) = self.i2c.take_line() {
                    let drive = if pull { Drive::Low } else { Drive::Released };
                    let pin = pins::COMBINED_SENSOR_INT;
                    pins.out.push(Edge { at: edge.at, pin, signal: Signal::Drive(drive) });
                }
                if !command {
                    return;
                }
            }
            _ => return,
        }
        self.clock.notify();
    }

    /// See [`super::DapLink::host_sends`].
    pub(super) fn host_sends(&self, bytes: &[u8], baud: Option<u32>) -> Option<usize> {
        let now = self.clock.now();
        if baud.is_some() || !self.uart.is_configured() {
            let baud = baud.unwrap_or(DEFAULT_BAUD);
            let format = Format { baud, data_bits: 8, parity: 0, stop_bits: StopBits::One };
            if !self.uart.can(format) {
                return None;
            }
            self.uart.configure(now, format);
        }
        Some(self.uart.write(now, bytes))
    }

    /// When the UART's interrupt does something by itself, whatever the firmware's task does. The chip must not
    /// advance past it without calling [`Io::take_edges`].
    pub(super) fn next_event(&self) -> Time {
        self.uart.next_event()
    }

    /// The edges that the firmware and the UART put out until `now`, since the last call.
    pub(super) fn take_edges(&self, now: Time, out: &mut Vec<Edge>) {
        out.append(&mut self.pins.lock().out);
        self.uart.advance(now, out);
    }
}

/// The activity LED: dark for one 30 ms tick after something happened, then lit again.
#[derive(Debug, Default)]
pub struct Lamp {
    blink: bool,
    dark: bool,
    /// It has blinked once.
    pub(super) used: bool,
}

impl Lamp {
    /// Something happened.
    pub fn blink(&mut self) {
        self.blink = true;
    }

    /// One tick of 30 ms; the LED's new level if it changes.
    pub(super) fn tick(&mut self) -> Option<bool> {
        if !self.blink {
            return None;
        }
        self.used = true;
        self.dark = !self.dark;
        self.blink = self.dark;
        Some(!self.dark)
    }
}

/// What the target asked for over I2C and the main loop has not done yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Requests {
    /// Mount the drive again.
    pub remount: bool,
    /// Power down.
    pub power_down: bool,
    /// The red LED is to be dark when the chip is off.
    pub dark_asleep: bool,
}

/// What all parts of the firmware share.
pub struct Core {
    /// The firmware's time.
    pub clock: TaskClock,
    /// What it is.
    pub config: Arc<DapLinkConfig>,
    /// Its persistent settings.
    pub settings: NonVolatile,
    /// Its serial number.
    pub serial: String,
    /// The USB device controller.
    pub usb: UsbDevice,
    /// The pins.
    pub io: Io,
    /// The UART to the target.
    pub uart: Uart,
    /// The target, and the SWD pins to it.
    pub swd: SwdHost,
    /// The activity LED.
    pub lamp: Lamp,
    /// Erase pages as they are entered, instead of the whole chip at once (vendor command 0x8D).
    pub page_erase: bool,
    /// The flag of PAGE_ON.ACT, which only DETAILS.TXT shows.
    pub page_erase_shown: bool,
    /// A transfer to the target's flash is open: reset button and UART break are ignored.
    pub flash_busy: bool,
    /// An assertion that failed outside the drive, which is to tell of it.
    pub failed_assertion: Option<Assert>,
    /// The data file's storage, on boards that have one.
    pub storage: Option<Storage>,
    /// Where the power comes from.
    pub power: SharedSupply,
    /// The red LED.
    pub power_led: PowerLed,
    /// The USB connection as the target is told of it.
    pub usb_state: UsbState,
    /// What the target asked for.
    pub requests: Requests,
}

impl Core {
    /// Lets the firmware work for `span`.
    pub async fn work(&self, span: Span) {
        self.swd.port.account.interface(self.clock.now(), span);
        self.clock.sleep(span).await;
    }

    /// Brings the target into a state; one that does not answer stays as it is. When it is to run, what it asked for over
    /// I2C is forgotten.
    pub async fn set_target_state(&mut self, state: TargetState) {
        if state == TargetState::ResetRun {
            self.io.i2c.clear();
            self.awake();
        }
        let _ = self.swd.set_target_state(state).await;
    }

    /// A file has been programmed: what the target's last program asked for over I2C is forgotten.
    pub fn stream_closed(&mut self) {
        self.awake();
        self.io.i2c.clear();
        self.io.interrupt_target(false);
    }

    /// Out of standby.
    fn awake(&mut self) {
        self.requests = Requests { remount: self.requests.remount, ..Requests::default() };
        self.power_led.awake();
    }
}

/// The flash manager as the drive and the vendor commands see it: a stream of bytes to the target's flash. Erasing,
/// blocks of 1 KiB, verification and the flash algorithm are its business (daplink flash_manager.c).
pub trait TargetFlash: Send {
    /// Gets hold of the target, loads the flash algorithm and, unless [`Core::page_erase`], erases the chip. Verifies
    /// what it writes when automation is allowed.
    fn open(&mut self, core: &mut Core) -> impl Future<Output = Result<(), Error>> + Send;

    /// Writes `data` to `address` on; pieces may come in any order.
    fn data(&mut self, core: &mut Core, address: u32, data: &[u8]) -> impl Future<Output = Result<(), Error>> + Send;

    /// Writes what is still buffered and lets the target run ([`super::config::Settings::auto_reset`]) or leaves it
    /// halted. To be called once after [`TargetFlash::open`], also if that or [`TargetFlash::data`] failed.
    fn close(&mut self, core: &mut Core) -> impl Future<Output = Result<(), Error>> + Send;

    /// Erases the whole target (ERASE.ACT).
    fn erase_chip(&mut self, core: &mut Core) -> impl Future<Output = Result<(), Error>> + Send;

    /// Programs the small program that scrolls `number` over the target's display.
    fn show_number(&mut self, core: &mut Core, number: u16) -> impl Future<Output = Result<(), Error>> + Send;
}
