//! The interface chip as the board sees it: pins, a USB socket, and time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use twinboard_sim::activity::Activity;
use twinboard_sim::chip::Chip;
use twinboard_sim::debug::SwdWire;
use twinboard_sim::report::Report;
use twinboard_sim::task::Task;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::UsbPort;
use twinboard_sim::wire::Edge;

use super::account::{Account, Spent};
use super::config::{DapLinkConfig, NonVolatile};
use super::firmware::{self, Hardware, Relay};
use super::flash::FlashManager;
use super::shared::{Io, Leds, SharedWire, TargetFlash};
use super::storage::StorageTable;
use super::uart::Uart;
use crate::fault::firmware::FirmwareFaults;
use crate::native::endpoints::UsbDevice;
use crate::parts::led::LedOnPin;
use crate::parts::supply::SharedSupply;

/// The shortest character that the UART can send: 7 bits at 1 Mbaud.
const LOOKAHEAD: Span = Span::us(7);

/// Makes the task of a chip that begins anew, with a clock that is fast by so many parts per million; kept for the next time.
type Boot = Box<dyn Fn(Time, i32) -> (Task, UsbDevice, Io) + Send>;

/// An interface chip that runs DAPLink natively. Its pins are [`super::pins`].
pub struct DapLink {
    boot: Boot,
    wire: SharedWire,
    task: Task,
    usb: UsbDevice,
    io: Io,
    account: Account,
    power: SharedSupply,
    faults: FirmwareFaults,
    settings: NonVolatile,
    relay: Relay,
    /// The LEDs on its pins.
    leds: Leds,
    /// Edges on their way to the chip's pins, in the order of their times.
    incoming: Vec<Edge>,
    sector: u32,
    /// By how many parts per million its clock is fast.
    ppm: i32,
}

impl DapLink {
    /// A chip with this identity, powered on at time 0, at its end of the SWD wire `wire`.
    #[must_use]
    pub fn new(config: DapLinkConfig, wire: Box<dyn SwdWire>) -> DapLink {
        DapLink::with_flash(config, wire, FlashManager::default)
    }

    /// The same for a chip that somebody takes the place of when its bootloader starts an image that it has written: see
    /// [`DapLink::hands_over`].
    #[must_use]
    pub fn relayed(config: DapLinkConfig, wire: SharedWire) -> DapLink {
        let relay = Relay { possible: true, ..Relay::default() };
        DapLink::build(config, wire, FlashManager::default, relay)
    }

    /// The same with another flash manager, which `make_flash` makes anew at every start.
    #[must_use]
    pub fn with_flash<F: TargetFlash + 'static>(
        config: DapLinkConfig,
        wire: Box<dyn SwdWire>,
        make_flash: impl Fn() -> F + Clone + Send + 'static,
    ) -> DapLink {
        DapLink::build(config, Arc::new(Mutex::new(wire)), make_flash, Relay::default())
    }

    fn build<F: TargetFlash + 'static>(
        config: DapLinkConfig,
        wire: SharedWire,
        make_flash: impl Fn() -> F + Clone + Send + 'static,
        relay: Relay,
    ) -> DapLink {
        let storage = config.personality().storage.map_or(0, StorageTable::flash);
        let settings = NonVolatile::with_storage(config.settings, storage);
        let sector = config.chip().sector;
        let power = SharedSupply::default();
        let its_power = power.clone();
        let faults = FirmwareFaults::default();
        let its_faults = faults.clone();
        let config = Arc::new(config);
        let (account, leds) = (Account::default(), Leds::default());
        let its_leds = leds.clone();
        let (its_account, its_settings, its_relay) = (account.clone(), settings.clone(), relay.clone());
        let its_wire = wire.clone();
        let boot: Boot = Box::new(move |at, ppm| {
            its_relay.handed_over.store(false, Ordering::Relaxed);
            let mut handles = None;
            let task = Task::new(at, |clock| {
                let usb = UsbDevice::new(clock.clone());
                let uart = Uart::new(&config.personality().serial.uart, settings.clone());
                uart.set_clock_offset(at, ppm);
                let io = Io::new(clock.clone(), uart.clone()).with_leds(its_leds.clone());
                handles = Some((usb.clone(), io.clone()));
                let hardware = Hardware {
                    clock,
                    config: config.clone(),
                    settings: settings.clone(),
                    usb,
                    io,
                    uart,
                    wire: wire.clone(),
                    account: its_account.clone(),
                    relay: its_relay.clone(),
                    power: its_power.clone(),
                    faults: its_faults.clone(),
                };
                firmware::run(hardware, make_flash.clone())
            });
            let (usb, io) = handles.expect("Task::new calls its closure");
            (task, usb, io)
        });
        its_wire.lock().power_cycle();
        let (task, usb, io) = boot(Time::ZERO, 0);
        DapLink {
            boot,
            wire: its_wire,
            task,
            usb,
            io,
            account,
            power,
            faults,
            settings: its_settings,
            relay,
            leds,
            incoming: Vec::new(),
            sector,
            ppm: 0,
        }
    }

    /// Whether the bootloader has started what was written into the chip's flash: from now on, until the next power-on,
    /// the chip is what that image makes of it.
    #[must_use]
    pub fn hands_over(&self) -> bool {
        self.relay.handed_over.load(Ordering::Relaxed)
    }

    /// Where the firmware's time went since power-on.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.account.spent()
    }

    /// When the chip's CPU was at work.
    #[must_use]
    pub fn busy(&self) -> &Activity {
        self.account.busy()
    }

    /// Takes bytes for the target as if they had come from the host's terminal program; how many, as the UART's buffer
    /// has room. `baud` is what that program sets when it opens the port; without it the port stays as it is, or is set
    /// to 115200 baud if nobody has opened it yet. None if the UART cannot do this baud rate.
    pub fn host_sends(&mut self, bytes: &[u8], baud: Option<u32>) -> Option<usize> {
        self.io.host_sends(bytes, baud)
    }

    /// Where the board's power comes from: whether there is a USB cable, and the battery's voltage in microvolts, 0 if
    /// there is none. At first there is a cable alone.
    pub fn supplied(&mut self, usb: bool, battery_uv: u32) {
        self.power.set(usb, battery_uv);
        self.task.clock().notify();
    }

    /// An LED is on one of its pins.
    pub fn observe(&mut self, led: LedOnPin) {
        self.leds.lock().push(led);
    }

    /// The chip's reset input gets a pulse that ends at `at`: the firmware begins anew.
    pub fn restart(&mut self, at: Time) {
        let button = self.io.button();
        (self.task, self.usb, self.io) = (self.boot)(at, self.ppm);
        self.io.set_button(button);
    }

    /// From `at` on, the chip's clock is fast by so many parts per million. All that tells is its serial port.
    pub fn set_clock_offset(&mut self, at: Time, ppm: i32) {
        self.ppm = ppm;
        self.io.uart().set_clock_offset(at, ppm);
        self.task.clock().notify();
    }

    /// What can go wrong with its firmware.
    #[must_use]
    pub fn firmware_faults(&self) -> &FirmwareFaults {
        &self.faults
    }

    /// Bytes of the chip's flash that are erased at once.
    #[must_use]
    pub fn flash_sector(&self) -> u32 {
        self.sector
    }

    /// What the chip keeps without power.
    #[must_use]
    pub fn settings(&self) -> &NonVolatile {
        &self.settings
    }
}

impl std::fmt::Debug for DapLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DapLink").field("task", &self.task).finish_non_exhaustive()
    }
}

impl Chip for DapLink {
    fn now(&self) -> Time {
        self.task.clock().now()
    }

    fn next_event(&self) -> Time {
        let edge = self.incoming.first().map_or(Time::NEVER, |edge| edge.at);
        self.task.next_event().min(self.io.next_event()).min(edge).max(self.now())
    }

    fn lookahead(&self) -> Span {
        LOOKAHEAD
    }

    fn advance(&mut self, until: Time, out: &mut Vec<Edge>) {
        loop {
            // Edges and the UART's interrupt act at their own times, between the steps of the main loop.
            let step = self.next_event().max(self.now()).min(until);
            while self.incoming.first().is_some_and(|edge| edge.at <= step) {
                let edge = self.incoming.remove(0);
                self.io.receive(edge);
            }
            self.task.advance(step);
            let before = out.len();
            self.io.take_edges(step, out);
            if out.len() > before || step >= until {
                return;
            }
        }
    }

    fn receive(&mut self, edge: Edge) {
        let at = self.incoming.partition_point(|other| other.at <= edge.at);
        self.incoming.insert(at, edge);
    }

    fn usb(&mut self) -> Option<&mut dyn UsbPort> {
        Some(&mut self.usb)
    }

    fn power_cycle(&mut self, at: Time) {
        self.wire.lock().power_cycle();
        (self.task, self.usb, self.io) = (self.boot)(at, self.ppm);
        self.incoming.clear();
    }

    fn report(&self, _: &mut Report) {}
}
