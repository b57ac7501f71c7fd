//! A USB device controller for native firmware: endpoint buffers, handshakes, toggles, the stages of control transfers.
//!
//! The host's side of it is [`UsbPort`]; the firmware's side is the rest of [`UsbDevice`]. Both are handles on the same
//! controller, which is locked only for the length of one call.
//!
//! An OUT endpoint takes packets only while *armed*, up to the number of bytes it was armed for or until a short packet;
//! then it answers NAK until the firmware has taken them. An IN endpoint answers NAK until the firmware sends something;
//! what is sent may be longer than a packet and is cut into packets here. So bulk data costs the firmware one wake-up per
//! buffer (one disk sector, say) and not one per packet.
//!
//! Endpoint 0 is driven in stages (USB 2.0 §8.5.3): the firmware sees a SETUP, and answers with data, asks for data, or
//! accepts or refuses; packets, ZLPs and the status stage happen here.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::task::TaskClock;
use twinboard_sim::time::Time;
use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET, UsbPort};

/// Bytes that an endpoint's buffer holds.
pub const CAPACITY: usize = 512;

/// Endpoint numbers that the controller has, endpoint 0 included.
pub const ENDPOINTS: usize = 8;

/// A SETUP packet (USB 2.0 table 9-2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Setup {
    /// bmRequestType: direction (bit 7), type (6:5), recipient (4:0).
    pub request_type: u8,
    /// bRequest.
    pub request: u8,
    /// wValue.
    pub value: u16,
    /// wIndex.
    pub index: u16,
    /// wLength.
    pub length: u16,
}

impl Setup {
    /// The packet's fields.
    #[must_use]
    pub fn parse(bytes: [u8; 8]) -> Setup {
        let [request_type, request, v0, v1, i0, i1, l0, l1] = bytes;
        Setup {
            request_type,
            request,
            value: u16::from_le_bytes([v0, v1]),
            index: u16::from_le_bytes([i0, i1]),
            length: u16::from_le_bytes([l0, l1]),
        }
    }

    /// Whether the data stage goes to the host.
    #[must_use]
    pub fn is_in(&self) -> bool {
        self.request_type & 0x80 != 0
    }
}

/// What happened on the bus since the firmware last looked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct BusEvents {
    /// A bus reset.
    pub reset: bool,
    /// VBUS came or went: its new state.
    pub vbus: Option<bool>,
}

/// What waits for the firmware.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Work {
    /// [`UsbDevice::take_events`] has something.
    pub events: bool,
    /// [`UsbDevice::take_setup`] or [`UsbDevice::take_control_data`] has something.
    pub control: bool,
    /// [`UsbDevice::take_out`] has something on the endpoints whose bits are set.
    pub out: u8,
    /// The IN endpoints whose bits are set have nothing (more) to send.
    pub free: u8,
}

/// A buffer of one endpoint in one direction.
#[derive(Debug)]
struct Buffer {
    enabled: bool,
    stalled: bool,
    toggle: bool,
    /// OUT: ready to take packets. IN: holds something to send.
    armed: bool,
    /// OUT: complete, waiting for the firmware.
    full: bool,
    /// OUT: bytes taken so far. IN: bytes sent so far.
    position: usize,
    /// OUT: bytes armed for. IN: bytes to send.
    length: usize,
    data: [u8; CAPACITY],
}

impl Buffer {
    const fn new() -> Buffer {
        Buffer {
            enabled: false,
            stalled: false,
            toggle: false,
            armed: false,
            full: false,
            position: 0,
            length: 0,
            data: [0; CAPACITY],
        }
    }

    fn disable(&mut self) {
        (self.enabled, self.stalled, self.toggle) = (false, false, false);
        self.clear();
    }

    fn clear(&mut self) {
        (self.armed, self.full, self.position, self.length) = (false, false, 0, 0);
    }

    fn arm(&mut self, length: usize) {
        (self.armed, self.full, self.position, self.length) = (true, false, 0, length.min(CAPACITY));
    }

    fn load(&mut self, data: &[u8]) {
        let length = data.len().min(CAPACITY);
        self.data[..length].copy_from_slice(&data[..length]);
        self.arm(length);
    }

    /// Takes an OUT packet; true if the buffer is complete with it.
    fn take(&mut self, packet: &[u8]) -> bool {
        let room = self.length - self.position;
        let count = packet.len().min(room);
        self.data[self.position..self.position + count].copy_from_slice(&packet[..count]);
        self.position += count;
        self.toggle = !self.toggle;
        self.full = packet.len() < MAX_PACKET || self.position == self.length;
        self.armed = !self.full;
        self.full
    }

    /// Gives the next IN packet; the buffer is no longer armed with its last one.
    fn give(&mut self, packet: &mut [u8; MAX_PACKET]) -> InReply {
        let count = (self.length - self.position).min(MAX_PACKET);
        packet[..count].copy_from_slice(&self.data[self.position..self.position + count]);
        self.position += count;
        self.armed = self.position < self.length;
        let toggle = self.toggle;
        self.toggle = !toggle;
        InReply::Data { len: count, toggle }
    }
}

/// Where a control transfer stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// No transfer, or the firmware has not answered its SETUP yet.
    Waiting,
    /// Data goes to the host; `zlp`: a zero-length packet must end it, the data being shorter than asked for.
    DataIn { zlp: bool },
    /// Data comes from the host.
    DataOut,
    /// All data is here; the firmware has not accepted it yet.
    DataHere,
    /// The host is to fetch the zero-length packet that says yes.
    StatusIn,
    /// Refused: STALL until the next SETUP.
    Refused,
}

#[derive(Debug)]
struct Controller {
    attached: bool,
    address: u8,
    address_after_status: Option<u8>,
    setup: Option<Setup>,
    asked_for: u16,
    stage: Stage,
    events: BusEvents,
    attention: u64,
    out: [Buffer; ENDPOINTS],
    r#in: [Buffer; ENDPOINTS],
}

impl Controller {
    fn direction(&mut self, address: u8) -> Option<&mut Buffer> {
        let number = usize::from(address & 0x0f);
        let side = if address & 0x80 == 0 { &mut self.out } else { &mut self.r#in };
        side.get_mut(number).filter(|_| number != 0)
    }

    fn control_out(&mut self, toggle: bool, data: &[u8]) -> Handshake {
        match self.stage {
            Stage::Refused => Handshake::Stall,
            // The status stage of an IN transfer; the host may cut the data short with it.
            Stage::DataIn { .. } => {
                self.stage = Stage::Waiting;
                self.r#in[0].clear();
                Handshake::Ack
            }
            Stage::DataOut if toggle == self.out[0].toggle => {
                if self.out[0].take(data) {
                    self.stage = Stage::DataHere;
                }
                Handshake::Ack
            }
            Stage::DataOut => Handshake::Ack,
            Stage::Waiting | Stage::DataHere | Stage::StatusIn => Handshake::Nak,
        }
    }

    fn control_in(&mut self, packet: &mut [u8; MAX_PACKET]) -> InReply {
        match self.stage {
            Stage::Refused => InReply::Stall,
            Stage::DataIn { .. } if self.r#in[0].armed => self.r#in[0].give(packet),
            Stage::DataIn { zlp: true } => {
                self.stage = Stage::DataIn { zlp: false };
                self.r#in[0].give(packet)
            }
            Stage::StatusIn => {
                self.stage = Stage::Waiting;
                if let Some(address) = self.address_after_status.take() {
                    self.address = address;
                }
                InReply::Data { len: 0, toggle: true }
            }
            Stage::DataIn { zlp: false } | Stage::Waiting | Stage::DataOut | Stage::DataHere => InReply::Nak,
        }
    }
}

/// A handle on the controller; clones are the same controller.
#[derive(Clone, Debug)]
pub struct UsbDevice {
    controller: Arc<Mutex<Controller>>,
    clock: TaskClock,
}

impl UsbDevice {
    /// A controller that is not attached yet. Everything the host does is told to `clock`.
    #[must_use]
    pub fn new(clock: TaskClock) -> UsbDevice {
        let controller = Controller {
            attached: false,
            address: 0,
            address_after_status: None,
            setup: None,
            asked_for: 0,
            stage: Stage::Waiting,
            events: BusEvents::default(),
            attention: 0,
            out: [const { Buffer::new() }; ENDPOINTS],
            r#in: [const { Buffer::new() }; ENDPOINTS],
        };
        UsbDevice { controller: Arc::new(Mutex::new(controller)), clock }
    }

    /// Changes something that the host is to look at.
    fn change<T>(&self, f: impl FnOnce(&mut Controller) -> T) -> T {
        let mut controller = self.controller.lock();
        controller.attention += 1;
        f(&mut controller)
    }

    /// Switches the pull-up on D+.
    pub fn attach(&self, attached: bool) {
        self.change(|c| c.attached = attached);
    }

    /// Whether the pull-up on D+ is on.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.controller.lock().attached
    }

    /// All that waits for the firmware, at one glance.
    #[must_use]
    pub fn work(&self) -> Work {
        let c = self.controller.lock();
        let mut work = Work {
            events: c.events != BusEvents::default(),
            control: c.setup.is_some() || c.stage == Stage::DataHere,
            ..Work::default()
        };
        for number in 1..ENDPOINTS {
            work.out |= u8::from(c.out[number].full) << number;
            work.free |= u8::from(!c.r#in[number].armed) << number;
        }
        work
    }

    /// What happened on the bus since the last call.
    #[must_use]
    pub fn take_events(&self) -> BusEvents {
        std::mem::take(&mut self.controller.lock().events)
    }

    /// Enables the endpoints of a configuration (`0x81` is endpoint 1 IN) and disables all others; all halts are
    /// cleared and all toggles are DATA0 again (USB 2.0 §9.1.1.5).
    pub fn configure(&self, endpoints: &[u8]) {
        self.change(|c| {
            for number in 1..ENDPOINTS {
                c.out[number].disable();
                c.r#in[number].disable();
            }
            for &address in endpoints {
                if let Some(buffer) = c.direction(address) {
                    buffer.enabled = true;
                }
            }
        });
    }

    /// Makes endpoint `address` answer STALL, or lets it work again, starting with DATA0.
    pub fn halt(&self, address: u8, halted: bool) {
        self.change(|c| {
            if let Some(buffer) = c.direction(address) {
                buffer.stalled = halted;
                if !halted {
                    buffer.toggle = false;
                }
            }
        });
    }

    /// Whether endpoint `address` answers STALL.
    #[must_use]
    pub fn halted(&self, address: u8) -> bool {
        self.controller.lock().direction(address).is_some_and(|b| b.stalled)
    }

    /// Lets OUT endpoint `number` take up to `length` bytes (at most [`CAPACITY`]), or less if a short packet comes.
    pub fn arm(&self, number: u8, length: usize) {
        self.change(|c| {
            if let Some(buffer) = c.direction(number & 0x0f) {
                buffer.arm(length);
            }
        });
    }

    /// What OUT endpoint `number` took since it was armed, once that is complete. The endpoint answers NAK until it
    /// is armed again.
    #[must_use]
    pub fn take_out(&self, number: u8, buffer: &mut [u8; CAPACITY]) -> Option<usize> {
        let mut controller = self.controller.lock();
        let out = controller.direction(number & 0x0f).filter(|b| b.full)?;
        let length = out.position;
        buffer[..length].copy_from_slice(&out.data[..length]);
        out.clear();
        Some(length)
    }

    /// Sends `data` (at most [`CAPACITY`] bytes; none at all is a zero-length packet) on IN endpoint `number`, in
    /// packets of 64 bytes, replacing what may still wait there.
    pub fn send(&self, number: u8, data: &[u8]) {
        self.change(|c| {
            if let Some(buffer) = c.direction(number | 0x80) {
                buffer.load(data);
            }
        });
    }

    /// Whether the host has fetched all that was sent on IN endpoint `number`.
    #[must_use]
    pub fn in_free(&self, number: u8) -> bool {
        self.controller.lock().direction(number | 0x80).is_some_and(|b| !b.armed)
    }

    /// Drops what waits in both buffers of endpoint `number`; halts and toggles stay.
    pub fn flush(&self, number: u8) {
        self.change(|c| {
            for address in [number & 0x0f, number | 0x80] {
                if let Some(buffer) = c.direction(address) {
                    buffer.clear();
                }
            }
        });
    }

    /// The SETUP packet that came, if one did. A newer one ends the transfer before it.
    #[must_use]
    pub fn take_setup(&self) -> Option<Setup> {
        self.controller.lock().setup.take()
    }

    /// Answers the request that was taken last, unless the host has given up on it and sent a newer one.
    fn answer(&self, f: impl FnOnce(&mut Controller)) {
        self.change(|c| {
            if c.setup.is_none() {
                f(c);
            }
        });
    }

    /// Answers an IN request with `data`, cut to what the host asked for.
    pub fn control_send(&self, data: &[u8]) {
        self.answer(|c| {
            let asked_for = usize::from(c.asked_for);
            if asked_for == 0 {
                c.stage = Stage::StatusIn;
                return;
            }
            let data = &data[..data.len().min(asked_for).min(CAPACITY)];
            c.r#in[0].load(data);
            c.r#in[0].armed = !data.is_empty();
            c.stage = Stage::DataIn { zlp: data.len() < asked_for && data.len().is_multiple_of(MAX_PACKET) };
        });
    }

    /// Asks for the data stage of an OUT request (at most [`CAPACITY`] bytes of it are kept).
    pub fn control_receive(&self) {
        self.answer(|c| {
            let length = usize::from(c.asked_for);
            c.out[0].arm(length);
            c.stage = Stage::DataOut;
        });
    }

    /// The data of an OUT request, once it is complete; accept or refuse it then.
    #[must_use]
    pub fn take_control_data(&self, buffer: &mut [u8; CAPACITY]) -> Option<usize> {
        let mut controller = self.controller.lock();
        if controller.stage != Stage::DataHere || !controller.out[0].full {
            return None;
        }
        let length = controller.out[0].position;
        buffer[..length].copy_from_slice(&controller.out[0].data[..length]);
        controller.out[0].clear();
        Some(length)
    }

    /// Accepts a request without an IN data stage.
    pub fn control_accept(&self) {
        self.answer(|c| c.stage = Stage::StatusIn);
    }

    /// Accepts SET_ADDRESS: the address counts after the status stage (USB 2.0 §9.4.6).
    pub fn control_accept_address(&self, address: u8) {
        self.answer(|c| {
            c.address_after_status = Some(address);
            c.stage = Stage::StatusIn;
        });
    }

    /// Refuses a request.
    pub fn control_refuse(&self) {
        self.answer(|c| c.stage = Stage::Refused);
    }
}

impl UsbPort for UsbDevice {
    fn attached(&self) -> bool {
        self.controller.lock().attached
    }

    fn bus_reset(&mut self, _: Time) {
        let mut c = self.controller.lock();
        for number in 0..ENDPOINTS {
            c.out[number].disable();
            c.r#in[number].disable();
        }
        (c.address, c.address_after_status, c.setup, c.stage) = (0, None, None, Stage::Waiting);
        c.events.reset = true;
        c.attention += 1;
        self.clock.notify();
    }

    fn vbus(&mut self, _: Time, present: bool) {
        self.controller.lock().events.vbus = Some(present);
        self.clock.notify();
    }

    fn suspend(&mut self, _: Time, _: bool) {}

    fn sof(&mut self, _: Time, _: u16) {}

    fn setup(&mut self, _: Time, address: u8, ep: u8, data: [u8; 8]) -> Handshake {
        let mut c = self.controller.lock();
        if !c.attached || address != c.address || ep != 0 {
            return Handshake::Timeout;
        }
        let setup = Setup::parse(data);
        c.setup = Some(setup);
        c.asked_for = setup.length;
        c.stage = Stage::Waiting;
        c.address_after_status = None;
        c.out[0].clear();
        c.r#in[0].clear();
        // The data stage begins with DATA1 (USB 2.0 §8.5.3).
        (c.out[0].toggle, c.r#in[0].toggle) = (true, true);
        self.clock.notify();
        Handshake::Ack
    }

    fn out(&mut self, _: Time, address: u8, ep: u8, toggle: bool, data: &[u8]) -> Handshake {
        let mut c = self.controller.lock();
        if !c.attached || address != c.address || data.len() > MAX_PACKET {
            return Handshake::Timeout;
        }
        if ep == 0 {
            let handshake = c.control_out(toggle, data);
            if c.stage == Stage::DataHere {
                self.clock.notify();
            }
            return handshake;
        }
        let Some(buffer) = c.direction(ep & 0x0f).filter(|b| b.enabled) else { return Handshake::Timeout };
        if buffer.stalled {
            Handshake::Stall
        } else if toggle != buffer.toggle {
            // A repetition: the host missed the handshake (USB 2.0 §8.6.4).
            Handshake::Ack
        } else if !buffer.armed {
            Handshake::Nak
        } else {
            if buffer.take(data) {
                self.clock.notify();
            }
            Handshake::Ack
        }
    }

    fn r#in(&mut self, _: Time, address: u8, ep: u8, packet: &mut [u8; MAX_PACKET]) -> InReply {
        let mut c = self.controller.lock();
        if !c.attached || address != c.address {
            return InReply::Timeout;
        }
        if ep == 0 {
            return c.control_in(packet);
        }
        let Some(buffer) = c.direction(ep | 0x80).filter(|b| b.enabled) else { return InReply::Timeout };
        if buffer.stalled {
            InReply::Stall
        } else if buffer.armed {
            let reply = buffer.give(packet);
            if !buffer.armed {
                self.clock.notify();
            }
            reply
        } else {
            InReply::Nak
        }
    }

    fn attention(&self) -> u64 {
        self.controller.lock().attention
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Time = Time::ZERO;

    fn device() -> UsbDevice {
        let device = UsbDevice::new(TaskClock::default());
        device.attach(true);
        device.configure(&[0x02, 0x82]);
        device
    }

    fn packet(device: &mut UsbDevice, ep: u8) -> Option<(Vec<u8>, bool)> {
        let mut packet = [0; MAX_PACKET];
        match device.r#in(T, 0, ep, &mut packet) {
            InReply::Data { len, toggle } => Some((packet[..len].to_vec(), toggle)),
            _ => None,
        }
    }

    #[test]
    fn an_out_endpoint_takes_packets_up_to_what_it_was_armed_for_and_then_naks() {
        let mut device = device();
        assert_eq!(device.out(T, 0, 2, false, &[1; 64]), Handshake::Nak);
        device.arm(2, 128);
        let before = device.attention();
        assert_eq!(device.out(T, 0, 2, false, &[1; 64]), Handshake::Ack);
        assert_eq!(device.take_out(2, &mut [0; CAPACITY]), None);
        assert_eq!(device.out(T, 0, 2, true, &[2; 64]), Handshake::Ack);
        assert_eq!(device.out(T, 0, 2, false, &[3; 64]), Handshake::Nak, "full");
        assert_eq!(device.attention(), before, "nothing changed for the host");
        let mut buffer = [0; CAPACITY];
        assert_eq!(device.take_out(2, &mut buffer), Some(128));
        assert_eq!((buffer[63], buffer[64]), (1, 2));
        device.arm(2, 64);
        assert_ne!(device.attention(), before);
        assert_eq!(device.out(T, 0, 2, false, &[3; 10]), Handshake::Ack);
        assert_eq!(device.take_out(2, &mut buffer), Some(10), "a short packet completes a buffer");
    }

    #[test]
    fn a_repeated_packet_is_acknowledged_and_dropped() {
        let mut device = device();
        device.arm(2, 128);
        assert_eq!(device.out(T, 0, 2, false, &[1; 64]), Handshake::Ack);
        assert_eq!(device.out(T, 0, 2, false, &[1; 64]), Handshake::Ack);
        assert_eq!(device.out(T, 0, 2, true, &[]), Handshake::Ack);
        assert_eq!(device.take_out(2, &mut [0; CAPACITY]), Some(64));
    }

    #[test]
    fn what_is_sent_goes_out_in_packets_with_alternating_toggles() {
        let mut device = device();
        assert_eq!(device.r#in(T, 0, 2, &mut [0; MAX_PACKET]), InReply::Nak);
        device.send(2, &[7; 100]);
        assert!(!device.in_free(2));
        assert_eq!(packet(&mut device, 2), Some((vec![7; 64], false)));
        assert_eq!(packet(&mut device, 2), Some((vec![7; 36], true)));
        assert!(device.in_free(2));
        device.send(2, &[]);
        assert_eq!(packet(&mut device, 2), Some((vec![], false)));
    }

    #[test]
    fn a_halted_endpoint_keeps_its_buffer_and_starts_with_data0_again() {
        let mut device = device();
        device.send(2, &[1; 65]);
        assert_eq!(packet(&mut device, 2).map(|p| p.1), Some(false));
        device.halt(0x82, true);
        assert_eq!(device.r#in(T, 0, 2, &mut [0; MAX_PACKET]), InReply::Stall);
        device.halt(0x82, false);
        assert_eq!(packet(&mut device, 2), Some((vec![1], false)));
    }

    #[test]
    fn data_shorter_than_asked_for_and_a_multiple_of_64_ends_with_an_empty_packet() {
        let mut device = device();
        device.setup(T, 0, 0, [0x80, 6, 0, 1, 0, 0, 255, 0]);
        assert_eq!(device.take_setup().map(|s| s.length), Some(255));
        assert_eq!(device.r#in(T, 0, 0, &mut [0; MAX_PACKET]), InReply::Nak, "not answered yet");
        device.control_send(&[5; 128]);
        assert_eq!(packet(&mut device, 0), Some((vec![5; 64], true)));
        assert_eq!(packet(&mut device, 0), Some((vec![5; 64], false)));
        assert_eq!(packet(&mut device, 0), Some((vec![], true)));
        assert_eq!(device.out(T, 0, 0, true, &[]), Handshake::Ack);
    }

    #[test]
    fn an_in_request_for_nothing_ends_with_an_in_status() {
        let mut device = device();
        device.setup(T, 0, 0, [0x80, 6, 0, 1, 0, 0, 0, 0]);
        let _ = device.take_setup();
        device.control_send(&[5; 18]);
        assert_eq!(packet(&mut device, 0), Some((vec![], true)));
    }

    #[test]
    fn an_answer_that_comes_after_a_newer_setup_is_dropped() {
        let mut device = device();
        device.setup(T, 0, 0, [0x21, 0x23, 1, 0, 1, 0, 0, 0]);
        let _ = device.take_setup();
        device.setup(T, 0, 0, [0x80, 0, 0, 0, 0, 0, 2, 0]);
        device.control_accept();
        assert_eq!(device.r#in(T, 0, 0, &mut [0; MAX_PACKET]), InReply::Nak);
    }

    #[test]
    fn a_bus_reset_forgets_address_and_configuration() {
        let mut device = device();
        device.setup(T, 0, 0, [0x00, 5, 9, 0, 0, 0, 0, 0]);
        let _ = device.take_setup();
        device.control_accept_address(9);
        assert!(packet(&mut device, 0).is_some());
        assert_eq!(device.out(T, 9, 2, false, &[]), Handshake::Nak);
        device.bus_reset(T);
        assert_eq!(device.out(T, 9, 2, false, &[]), Handshake::Timeout);
        assert_eq!(device.out(T, 0, 2, false, &[]), Handshake::Timeout, "not configured");
        assert!(device.take_events().reset);
    }
}
