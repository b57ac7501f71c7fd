//! A host inside this process: class drivers over the virtual host controller, all in the board's own time.
//!
//! It does what an operating system does when a board is plugged in: enumerates it, mounts its drive and copies files
//! to it, opens its serial port, talks CMSIS-DAP to its probe. It is the engine of `twinboard flash`, of `demo`, of
//! scenarios and of the in-process tests. Every wait has a limit in virtual time, and nothing depends on the wall
//! clock, so the same calls on the same board always give the same answers.
//!
//! ```text
//! Host ── drive()  ─► Drive   SCSI over bulk-only transport; Volume: FAT; WriteOrder: how an OS copies
//!      ── serial() ─► Serial  CDC ACM
//!      ── dap_v1(), dap_v2(), dap_web() ─► Dap ── adi() ─► Adi: debug port, memory, core
//! ```
//!
//! A driver borrows the host for as long as it is used. What must outlive that (serial data that arrives meanwhile)
//! is kept by the host.

pub mod adi;
pub mod beside;
pub mod bot;
pub mod copy;
pub mod dap;
pub mod drive;
pub mod faults;
pub mod flasher;
pub mod orders;
pub mod serial;
pub mod volume;

use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};

use crate::descriptor::{Endpoint, Interface, TransferType};
use crate::pcap::Capture;
use crate::vhc::{BusActivity, Completion, EnumerateError, Enumerated, Status, Urb, UrbId, Vhc};

/// How long a device may take to show itself.
const CONNECT_WITHIN: Span = Span::secs(5);
/// How long a control transfer may take (USB 2.0 §9.2.6.1).
const CONTROL_WITHIN: Span = Span::secs(5);

/// Why something on the bus did not work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UsbError {
    /// [`Host::enumerate`] was not called, or the device went away since.
    #[error("no device is enumerated")]
    NotEnumerated,
    /// The device lacks an interface or endpoint.
    #[error("the device has no {0}")]
    Missing(&'static str),
    /// A transfer took longer than its limit; it was cancelled.
    #[error("endpoint {endpoint:#04x} did not finish a transfer within {limit:?}")]
    Timeout {
        /// The endpoint's address.
        endpoint: u8,
        /// The limit.
        limit: Span,
    },
    /// A transfer ended badly.
    #[error("a transfer on endpoint {endpoint:#04x} ended with {status:?}")]
    Transfer {
        /// The endpoint's address.
        endpoint: u8,
        /// How.
        status: Status,
    },
    /// Enumeration failed.
    #[error("enumeration failed: {0}")]
    Enumerate(#[from] EnumerateError),
}

impl UsbError {
    /// Whether the endpoint is halted, or the request was refused.
    #[must_use]
    pub fn is_stall(&self) -> bool {
        matches!(self, UsbError::Transfer { status: Status::Stall, .. })
    }
}

/// A host with one board on its cable.
#[derive(Debug)]
pub struct Host<M> {
    machine: M,
    vhc: Vhc,
    device: Option<Enumerated>,
    /// Which connection `device` was enumerated on.
    connection: u64,
    plugged: bool,
    last_address: u8,
    last_id: UrbId,
    /// URBs that ended while another one was waited for.
    ended: Vec<Completion>,
    /// The tag of the last bulk-only command.
    tag: u32,
    serial: Option<serial::Reader>,
    attending: beside::Attending<M>,
    /// URBs in flight whose end nobody waits for.
    unattended: Vec<UrbId>,
    faults: faults::HostFaults,
    latency: Span,
}

impl<M: Machine> Host<M> {
    /// A host, the cable plugged into socket 0 of `machine`.
    #[must_use]
    pub fn new(machine: M) -> Host<M> {
        Host::on_socket(machine, 0)
    }

    /// A host, the cable plugged into socket `socket` (0-based) of `machine`.
    #[must_use]
    pub fn on_socket(machine: M, socket: usize) -> Host<M> {
        Host {
            machine,
            vhc: Vhc::new(socket),
            device: None,
            connection: 0,
            plugged: false,
            last_address: 0,
            last_id: 0,
            ended: Vec::new(),
            tag: 0,
            serial: None,
            attending: beside::Attending::default(),
            unattended: Vec::new(),
            faults: faults::HostFaults::default(),
            latency: Span::ZERO,
        }
    }

    /// From now on all URBs are written to `capture`, as those of device 1 on bus 1, 2 after it was enumerated again, and
    /// so on.
    pub fn record(&mut self, capture: &Capture) {
        self.vhc.record(Some(capture.tap(1, self.last_address)));
    }

    /// From now on every URB of a driver is submitted so long after the driver wants it: what an operating system and its
    /// user's tool need between two transfers. Nothing at first.
    pub fn set_latency(&mut self, latency: Span) {
        self.latency = latency;
    }

    /// From now on keeps what the bus is at, or does not any more.
    pub fn record_activity(&mut self, on: bool) {
        self.vhc.record_activity(on);
    }

    /// What the bus was at since the last call.
    pub fn take_activity(&mut self) -> BusActivity {
        self.vhc.take_activity()
    }

    /// The board.
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Pulls the cable out and hands the board back.
    pub fn into_machine(mut self) -> M {
        self.vhc.unplug(&mut self.machine);
        self.machine
    }

    /// The board's time.
    pub fn now(&self) -> Time {
        self.machine.now()
    }

    /// Plugs the cable in if need be, waits for the device, and brings it to its first configuration.
    ///
    /// # Errors
    /// [`UsbError::Enumerate`] names the step that failed.
    pub fn enumerate(&mut self) -> Result<&Enumerated, UsbError> {
        if !self.plugged {
            self.vhc.plug(&mut self.machine);
            self.plugged = true;
        }
        self.forget_device();
        self.last_address = self.last_address % 127 + 1;
        self.vhc.record_address(self.last_address);
        let device = self.vhc.enumerate(&mut self.machine, self.last_address, CONNECT_WITHIN)?;
        self.connection = self.vhc.connections();
        let value = device.configurations.first().map_or(1, |configuration| configuration.value);
        self.control_out([0x00, 0x09, value, 0, 0, 0, 0, 0], &[])?;
        Ok(self.device.insert(device))
    }

    /// Pulls the cable.
    pub fn unplug(&mut self) {
        self.vhc.unplug(&mut self.machine);
        self.plugged = false;
        self.forget_device();
    }

    /// What [`Host::enumerate`] found, as long as the device has not gone away.
    ///
    /// # Errors
    /// [`UsbError::NotEnumerated`].
    pub fn device(&self) -> Result<&Enumerated, UsbError> {
        self.device.as_ref().filter(|_| self.is_present()).ok_or(UsbError::NotEnumerated)
    }

    /// Whether the device that was enumerated is still there, without a disconnect in between.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.vhc.connected() && self.vhc.connections() == self.connection
    }

    /// Lets `span` pass.
    pub fn sleep(&mut self, span: Span) {
        let until = self.now() + span;
        while self.now() < until {
            self.turn(until);
        }
    }

    /// Waits until the device has gone away, at the longest for `within`. Whether it has.
    pub fn wait_gone(&mut self, within: Span) -> bool {
        let until = self.now() + within;
        while self.is_present() && self.now() < until {
            self.turn(until);
        }
        !self.is_present()
    }

    /// Does a URB (its id is chosen here), and waits for its end.
    ///
    /// # Errors
    /// [`UsbError::Timeout`] after `within`; [`UsbError::Transfer`] if it ended with anything but success.
    pub fn transfer(&mut self, urb: Urb, within: Span) -> Result<Completion, UsbError> {
        let endpoint = urb.endpoint;
        let id = self.start(urb);
        self.finish(id, endpoint, within)
    }

    /// Submits a URB of a driver, after the host's latency and what makes it slow.
    fn start(&mut self, urb: Urb) -> UrbId {
        let slow = self.faults.wait_before(self.now(), urb.endpoint).unwrap_or(Span::ZERO);
        if self.latency + slow > Span::ZERO {
            self.sleep(self.latency + slow);
        }
        self.submit(urb)
    }

    /// Waits for the end of the URB `id` on `endpoint`, as [`Host::transfer`] does.
    fn finish(&mut self, id: UrbId, endpoint: u8, within: Span) -> Result<Completion, UsbError> {
        let (start, until) = (self.now(), self.now() + within);
        let mut patience = self.faults.patience(start, endpoint, None);
        loop {
            self.collect();
            if let Some(place) = self.ended.iter().position(|completion| completion.urb.id == id) {
                let completion = self.ended.swap_remove(place);
                return match completion.status {
                    Status::Done => Ok(completion),
                    status => Err(UsbError::Transfer { endpoint, status }),
                };
            }
            if self.now() >= until {
                self.cancel(id);
                return Err(UsbError::Timeout { endpoint, limit: within });
            }
            if let Some(limit) = patience.filter(|limit| self.now() >= start + *limit) {
                if self.faults.gives_up(self.now(), endpoint, limit) {
                    self.cancel(id);
                    return Err(UsbError::Timeout { endpoint, limit });
                }
                patience = self.faults.patience(self.now(), endpoint, Some(limit));
            }
            self.turn(patience.map_or(until, |limit| until.min(start + limit)));
        }
    }

    /// A control transfer that reads, or has no data stage.
    ///
    /// # Errors
    /// As [`Host::transfer`], after five seconds.
    pub fn control_in(&mut self, setup: [u8; 8]) -> Result<Vec<u8>, UsbError> {
        Ok(self.transfer(Urb::control_in(0, setup), CONTROL_WITHIN)?.urb.buffer)
    }

    /// A control transfer that writes `data`, whose length is put into wLength.
    ///
    /// # Errors
    /// As [`Host::transfer`], after five seconds.
    pub fn control_out(&mut self, mut setup: [u8; 8], data: &[u8]) -> Result<(), UsbError> {
        let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
        setup[6..].copy_from_slice(&length.to_le_bytes());
        self.transfer(Urb::control_out(0, setup, data), CONTROL_WITHIN).map(drop)
    }

    /// CLEAR_FEATURE(ENDPOINT_HALT).
    ///
    /// # Errors
    /// As [`Host::transfer`].
    pub fn clear_halt(&mut self, endpoint: u8) -> Result<(), UsbError> {
        self.control_out([0x02, 0x01, 0, 0, endpoint, 0, 0, 0], &[])
    }

    /// A bulk or interrupt read of up to `length` bytes.
    ///
    /// # Errors
    /// As [`Host::transfer`].
    pub fn read(&mut self, endpoint: u8, length: usize, within: Span) -> Result<Vec<u8>, UsbError> {
        Ok(self.transfer(Urb::read(0, endpoint, length), within)?.urb.buffer)
    }

    /// A bulk or interrupt write.
    ///
    /// # Errors
    /// As [`Host::transfer`].
    pub fn write(&mut self, endpoint: u8, data: &[u8], within: Span) -> Result<(), UsbError> {
        self.transfer(Urb::write(0, endpoint, data), within).map(drop)
    }

    /// Queues a URB under a fresh id.
    fn submit(&mut self, urb: Urb) -> UrbId {
        self.last_id += 1;
        let urb = Urb { id: self.last_id, ..urb };
        self.vhc.record_submit(&urb);
        self.vhc.submit(urb);
        self.last_id
    }

    /// Takes a URB back.
    fn cancel(&mut self, id: UrbId) {
        if let Some(urb) = self.vhc.cancel(id) {
            self.vhc.record_cancel(&urb);
        }
    }

    /// Takes in the URBs that have ended.
    fn collect(&mut self) {
        while let Some(completion) = self.vhc.pop() {
            self.vhc.record_end(&completion);
            if let Some(place) = self.unattended.iter().position(|&id| id == completion.urb.id) {
                self.unattended.swap_remove(place);
                continue;
            }
            match &mut self.serial {
                Some(serial) if serial.owns(completion.urb.id) => {
                    if let Some(again) = serial.take(completion) {
                        let id = self.submit(again);
                        self.serial.iter_mut().for_each(|serial| serial.submitted(id));
                    }
                }
                _ => self.ended.push(completion),
            }
        }
    }

    fn forget_device(&mut self) {
        self.device = None;
        self.serial = None;
        self.vhc.cancel_all();
        self.ended.clear();
        self.unattended.clear();
    }

    /// The first interface, in its first setting, that `wanted` accepts.
    fn interface(&self, wanted: impl Fn(&Interface) -> bool, name: &'static str) -> Result<&Interface, UsbError> {
        let configuration = self.device()?.configurations.first().ok_or(UsbError::Missing(name))?;
        configuration.defaults().find(|interface| wanted(interface)).ok_or(UsbError::Missing(name))
    }
}

/// The address of an interface's endpoint.
fn endpoint(interface: &Interface, transfer: TransferType, is_in: bool) -> Result<&Endpoint, UsbError> {
    let name = if is_in { "IN endpoint where one belongs" } else { "OUT endpoint where one belongs" };
    interface.endpoint(transfer, is_in).ok_or(UsbError::Missing(name))
}
