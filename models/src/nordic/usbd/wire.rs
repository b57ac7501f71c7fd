//! What the controller answers to tokens on the bus (PS "USBD", sections "Control transfers" and "Bulk and interrupt
//! transactions").

use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET};

use super::{
    DATA_SHORTS, ENDPOINTS, EP0DATADONE, EP0SETUP, EPDATA, RESUME, SOF, SUSPEND, USBRESET, Usbd, epdata_in, epdata_out,
};

/// SET_ADDRESS in a SETUP packet: bmRequestType and bRequest.
const SET_ADDRESS: [u8; 2] = [0x00, 0x05];

impl Usbd {
    /// Whether D+ is pulled up.
    #[must_use]
    pub fn attached(&self) -> bool {
        self.powered && self.enabled && self.pullup
    }

    /// How often something changed that the host may want to hear of; see `UsbPort::attention`.
    #[must_use]
    pub fn attention(&self) -> u64 {
        self.attention
    }

    /// VBUS comes or goes: the controller has its power from there.
    pub fn vbus(&mut self, now: u64, present: bool) {
        if self.powered != present {
            self.powered = present;
            self.forget_traffic();
            if self.enabled {
                self.power_up(now);
            }
            self.attention += 1;
        }
    }

    /// The host resets the bus.
    pub fn bus_reset(&mut self) {
        if self.attached() {
            self.forget_traffic();
            self.events.raise(USBRESET);
        }
    }

    fn forget_traffic(&mut self) {
        self.address = 0;
        self.control = super::Control::default();
        self.epdatastatus = 0;
        self.epin.iter_mut().chain(&mut self.epout).for_each(|endpoint| endpoint.forget_traffic());
    }

    /// The bus falls idle for 3 ms, or is resumed.
    pub fn suspend(&mut self, suspended: bool) {
        if self.attached() {
            self.suspended = suspended;
            self.cause(if suspended { SUSPEND } else { RESUME });
        }
    }

    /// Start of frame.
    pub fn sof(&mut self, frame: u16) {
        if self.attached() {
            self.framecntr = frame & 0x7FF;
            self.events.raise(SOF);
        }
    }

    fn is_for_us(&self, address: u8, ep: u8, enabled: u32) -> bool {
        self.attached() && address == self.address && usize::from(ep) < ENDPOINTS && enabled >> ep & 1 == 1
    }

    /// SETUP. It is taken at any time and ends whatever control transfer there was.
    pub fn setup(&mut self, address: u8, ep: u8, data: [u8; 8]) -> Handshake {
        if ep != 0 || !self.is_for_us(address, ep, self.epouten) {
            return Handshake::Timeout;
        }
        let new_address = (data[..2] == SET_ADDRESS).then_some(data[2] & 0x7F);
        self.control = super::Control { setup: data, new_address, ..super::Control::default() };
        for endpoint in [&mut self.epin[0], &mut self.epout[0]] {
            (endpoint.full, endpoint.armed, endpoint.toggle) = (false, false, true);
        }
        self.events.raise(EP0SETUP);
        Handshake::Ack
    }

    /// OUT.
    pub fn out(&mut self, now: u64, address: u8, ep: u8, toggle: bool, data: &[u8]) -> Handshake {
        if !self.is_for_us(address, ep, self.epouten) {
            return Handshake::Timeout;
        }
        if ep == 0 {
            return self.control_out(now, toggle, data);
        }
        let endpoint = &mut self.epout[usize::from(ep)];
        if endpoint.stalled {
            return Handshake::Stall;
        }
        if !endpoint.armed {
            return Handshake::Nak;
        }
        if endpoint.take(toggle, data) {
            self.epdatastatus |= epdata_out(ep);
            self.events.raise(EPDATA);
        }
        Handshake::Ack
    }

    /// IN.
    pub fn r#in(&mut self, now: u64, address: u8, ep: u8, buffer: &mut [u8; MAX_PACKET]) -> InReply {
        if !self.is_for_us(address, ep, self.epinen) {
            return InReply::Timeout;
        }
        if ep == 0 {
            return self.control_in(now, buffer);
        }
        let endpoint = &mut self.epin[usize::from(ep)];
        if endpoint.stalled {
            return InReply::Stall;
        }
        if !endpoint.full {
            return InReply::Nak;
        }
        let (len, toggle) = endpoint.give(buffer);
        self.epdatastatus |= epdata_in(ep);
        self.events.raise(EPDATA);
        InReply::Data { len, toggle }
    }

    fn control_out(&mut self, now: u64, toggle: bool, data: &[u8]) -> Handshake {
        let endpoint = &mut self.epout[0];
        if self.control.stalled || endpoint.stalled {
            return Handshake::Stall;
        }
        if self.control.has_data_in() {
            // Status stage. A program may have let the endpoint take data instead of calling the status stage by name.
            if !self.control.status && !endpoint.armed {
                return Handshake::Nak;
            }
            endpoint.armed = false;
            self.control.status = false;
            return Handshake::Ack;
        }
        if !endpoint.armed {
            return Handshake::Nak;
        }
        if endpoint.take(toggle, data) {
            self.data_done(now);
        }
        Handshake::Ack
    }

    fn control_in(&mut self, now: u64, buffer: &mut [u8; MAX_PACKET]) -> InReply {
        let endpoint = &mut self.epin[0];
        if self.control.stalled || endpoint.stalled {
            return InReply::Stall;
        }
        if self.control.has_data_in() {
            if !endpoint.full {
                return InReply::Nak;
            }
            let (len, toggle) = endpoint.give(buffer);
            self.data_done(now);
            return InReply::Data { len, toggle };
        }
        // Status stage; the controller itself completes SET_ADDRESS.
        if !self.control.status && self.control.new_address.is_none() {
            return InReply::Nak;
        }
        self.control.status = false;
        if let Some(address) = self.control.new_address.take() {
            self.address = address;
        }
        InReply::Data { len: 0, toggle: true }
    }

    /// A packet of a control transfer's data stage was acknowledged.
    fn data_done(&mut self, now: u64) {
        self.events.raise(EP0DATADONE);
        for (short, task) in DATA_SHORTS {
            if self.shorts & short != 0 {
                self.trigger(now, task);
            }
        }
    }
}
