//! Small USB devices without a chip: something to test a host with, and to plug in where no board is needed.
//!
//! [`Gadget`] is the part that is the same in every device: standard requests, address, configuration, halts and data
//! toggles (USB 2.0 chapter 9). What a device is for is its [`Function`]: [`Loopback`] gives back what it gets,
//! [`SourceSink`] is the device that Linux's `usbtest` driver knows as "gadget zero".

mod control;
mod loopback;
mod source_sink;

use twinboard_sim::machine::Machine;
use twinboard_sim::time::Time;
use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET, UsbPort};

use control::{Control, Request};
pub use loopback::Loopback;
pub use source_sink::SourceSink;

/// What a gadget tells about itself.
#[derive(Clone, Debug, Default)]
pub struct Descriptors {
    /// The device descriptor.
    pub device: Vec<u8>,
    /// The configuration descriptor with everything behind it.
    pub configuration: Vec<u8>,
    /// String descriptors 1, 2, ….
    pub strings: Vec<String>,
}

/// What a gadget is for.
pub trait Function: Send {
    /// Its descriptors.
    fn descriptors(&self) -> Descriptors;

    /// A class or vendor request that reads; `None` refuses it.
    fn control_in(&mut self, _setup: [u8; 8]) -> Option<Vec<u8>> {
        None
    }

    /// A class or vendor request that writes, or has no data; false refuses it.
    fn control_out(&mut self, _setup: [u8; 8], _data: &[u8]) -> bool {
        false
    }

    /// A packet for endpoint `ep`; false if there is no room for it yet.
    fn out(&mut self, ep: u8, data: &[u8]) -> bool;

    /// The next packet of endpoint `ep`, put into `buffer`; `None` if there is none yet.
    fn r#in(&mut self, ep: u8, buffer: &mut [u8; MAX_PACKET]) -> Option<usize>;

    /// Bus reset or SET_CONFIGURATION: start afresh.
    fn reset(&mut self) {}
}

/// A device around a [`Function`]; at once the port and, alone on its board, the machine.
#[derive(Debug)]
pub struct Gadget<F> {
    /// What it is for.
    pub function: F,
    now: Time,
    attached: bool,
    attention: u64,
    control: Control,
    /// Data toggles by endpoint number, OUT in the low half and IN in the high half.
    toggles: u32,
    halted: u32,
}

fn bit(ep: u8, is_in: bool) -> u32 {
    1 << (u32::from(ep & 0x0f) + 16 * u32::from(is_in))
}

impl<F: Function> Gadget<F> {
    /// A gadget that shows itself as soon as it is plugged in.
    pub fn new(function: F) -> Gadget<F> {
        let control = Control::new(function.descriptors());
        Gadget { function, now: Time::ZERO, attached: false, attention: 0, control, toggles: 0, halted: 0 }
    }

    /// Lets go of D+, or pulls it up again.
    pub fn show(&mut self, attached: bool) {
        self.attached = attached;
        self.attention += 1;
    }

    /// Says that an endpoint which answered NAK may answer otherwise.
    pub fn notify(&mut self) {
        self.attention += 1;
    }

    /// Halts an endpoint (address with bit 7 for IN), as a device does to refuse data.
    pub fn halt(&mut self, endpoint: u8) {
        self.halted |= bit(endpoint, endpoint & 0x80 != 0);
        self.attention += 1;
    }

    /// The configuration in force, 0 if none.
    #[must_use]
    pub fn configuration(&self) -> u8 {
        self.control.configuration
    }

    fn is_for_us(&self, address: u8) -> bool {
        self.attached && address == self.control.address
    }

    fn reset(&mut self) {
        (self.toggles, self.halted) = (0, 0);
        self.function.reset();
    }

    fn act(&mut self, request: Request) -> bool {
        match request {
            Request::Configured | Request::InterfaceSet => {
                self.reset();
                true
            }
            Request::Halt(endpoint, halt) => {
                let mask = bit(endpoint, endpoint & 0x80 != 0);
                self.toggles &= !mask;
                self.halted = if halt { self.halted | mask } else { self.halted & !mask };
                true
            }
            Request::Nothing => true,
            Request::Refused => false,
        }
    }
}

impl<F: Function> UsbPort for Gadget<F> {
    fn attached(&self) -> bool {
        self.attached
    }

    fn bus_reset(&mut self, _at: Time) {
        self.control.reset();
        self.reset();
    }

    fn vbus(&mut self, _at: Time, present: bool) {
        self.show(present);
    }

    fn suspend(&mut self, _at: Time, _suspended: bool) {}

    fn sof(&mut self, _at: Time, _frame: u16) {}

    fn setup(&mut self, _at: Time, address: u8, ep: u8, data: [u8; 8]) -> Handshake {
        if !self.is_for_us(address) || ep != 0 {
            return Handshake::Timeout;
        }
        let halted = self.halted;
        let function = &mut self.function;
        self.control.setup(
            data,
            |endpoint| halted & bit(endpoint, endpoint & 0x80 != 0) != 0,
            |setup| function.control_in(setup),
        );
        Handshake::Ack
    }

    fn out(&mut self, _at: Time, address: u8, ep: u8, toggle: bool, data: &[u8]) -> Handshake {
        if !self.is_for_us(address) {
            return Handshake::Timeout;
        }
        if ep == 0 {
            return self.control.out(data);
        }
        let mask = bit(ep, false);
        if self.halted & mask != 0 {
            return Handshake::Stall;
        }
        if toggle != (self.toggles & mask != 0) {
            return Handshake::Ack;
        }
        if !self.function.out(ep, data) {
            return Handshake::Nak;
        }
        self.toggles ^= mask;
        self.attention += 1;
        Handshake::Ack
    }

    fn r#in(&mut self, _at: Time, address: u8, ep: u8, buffer: &mut [u8; MAX_PACKET]) -> InReply {
        if !self.is_for_us(address) {
            return InReply::Timeout;
        }
        if ep == 0 {
            if let Some((setup, data)) = self.control.status_in() {
                let request = self.control.request(setup, data.len());
                let refused = if request == Request::Refused {
                    !self.function.control_out(setup, &data)
                } else {
                    !self.act(request)
                };
                return self.control.status_sent(refused);
            }
            return self.control.r#in(buffer);
        }
        let mask = bit(ep, true);
        if self.halted & mask != 0 {
            return InReply::Stall;
        }
        let Some(len) = self.function.r#in(ep, buffer) else { return InReply::Nak };
        let toggle = self.toggles & mask != 0;
        self.toggles ^= mask;
        self.attention += 1;
        InReply::Data { len, toggle }
    }

    fn attention(&self) -> u64 {
        self.attention
    }
}

impl<F: Function> Machine for Gadget<F> {
    fn now(&self) -> Time {
        self.now
    }

    fn next_event(&self) -> Time {
        Time::NEVER
    }

    fn advance(&mut self, until: Time) {
        self.now = self.now.max(until);
    }

    fn ports(&self) -> usize {
        1
    }

    fn with_port(&mut self, _index: usize, f: &mut dyn FnMut(&mut dyn UsbPort)) {
        f(self);
    }
}
