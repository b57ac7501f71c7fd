//! USBD — universal serial bus device (PS chapter "USBD"), full speed.
//!
//! Between the bus and RAM stand local buffers, one packet for each direction of each endpoint. EasyDMA moves a packet
//! between its buffer and RAM when a task says so; the bus side answers tokens from the buffers alone, with NAK as long
//! as there is nothing to send or no room. Control transfers are the program's, stage by stage; only SET_ADDRESS is the
//! controller's own. The isochronous endpoint 8 has registers and nothing behind them.

mod endpoint;
mod wire;

use twinboard_sim::bus::Size;
use twinboard_sim::usb::MAX_PACKET;

use super::clock::LfClk;
use super::inert::{Inert, InertSpec};
use super::peripheral::{Cx, Events, NEVER, PCLK16M, Peripheral, Reset, SHORTS, index, us};
use endpoint::Endpoint;

/// Endpoints in each direction, besides the isochronous ones.
const ENDPOINTS: usize = 8;

const STARTEPIN: u32 = 0x004;
const STARTEPOUT: u32 = 0x028;
const EP0RCVOUT: u32 = 0x04C;
const EP0STATUS: u32 = 0x050;
const EP0STALL: u32 = 0x054;

const USBRESET: u32 = 0;
const STARTED: u32 = 1;
const ENDEPIN: u32 = 2;
const EP0DATADONE: u32 = 10;
const ENDEPOUT: u32 = 12;
const SOF: u32 = 21;
const USBEVENT: u32 = 22;
const EP0SETUP: u32 = 23;
const EPDATA: u32 = 24;
const EVENTS: u32 = 0x01FF_FFFF;

const EVENTCAUSE: u32 = 0x400;
const HALTED_EPIN: u32 = 0x420;
const HALTED_EPOUT: u32 = 0x444;
const EPSTATUS: u32 = 0x468;
const EPDATASTATUS: u32 = 0x46C;
const USBADDR: u32 = 0x470;
const BMREQUESTTYPE: u32 = 0x480;
const SIZE_EPOUT: u32 = 0x4A0;
const ENABLE: u32 = 0x500;
const USBPULLUP: u32 = 0x504;
const DTOGGLE: u32 = 0x50C;
const EPINEN: u32 = 0x510;
const EPOUTEN: u32 = 0x514;
const EPSTALL: u32 = 0x518;
const FRAMECNTR: u32 = 0x520;
const LOWPOWER: u32 = 0x52C;
const EPIN: u32 = 0x600;
const EPOUT: u32 = 0x700;
const EP_STRIDE: u32 = 0x14;

// EVENTCAUSE
const SUSPEND: u32 = 1 << 8;
const RESUME: u32 = 1 << 9;
const USBWUALLOWED: u32 = 1 << 10;
const READY: u32 = 1 << 11;

// SHORTS
const EP0DATADONE_STARTEPIN0: u32 = 1;
const EP0DATADONE_STARTEPOUT0: u32 = 1 << 1;
const EP0DATADONE_EP0STATUS: u32 = 1 << 2;
const ENDEPOUT0_EP0STATUS: u32 = 1 << 3;
const ENDEPOUT0_EP0RCVOUT: u32 = 1 << 4;

/// What follows EP0DATADONE: short, task.
const DATA_SHORTS: [(u32, u32); 3] =
    [(EP0DATADONE_STARTEPIN0, STARTEPIN), (EP0DATADONE_STARTEPOUT0, STARTEPOUT), (EP0DATADONE_EP0STATUS, EP0STATUS)];
/// What follows ENDEPOUT\[0\]: short, task.
const END_SHORTS: [(u32, u32); 2] = [(ENDEPOUT0_EP0STATUS, EP0STATUS), (ENDEPOUT0_EP0RCVOUT, EP0RCVOUT)];

/// Bit of endpoint `ep` IN in EPDATASTATUS.
fn epdata_in(ep: u8) -> u32 {
    1 << ep
}

/// Bit of endpoint `ep` OUT in EPDATASTATUS and EPSTATUS.
fn epdata_out(ep: u8) -> u32 {
    1 << (16 + u32::from(ep))
}

/// From ENABLE to EVENTCAUSE.READY, in core cycles. The PS gives no figure; drivers expect a few microseconds.
const T_READY: u64 = us(3);
/// EasyDMA: before the first word, and for each word, in core cycles. The PS gives no figure.
const T_DMA: (u64, u64) = (4 * PCLK16M, PCLK16M);

/// What is not behind the rest of the controller: the isochronous endpoint, and registers without consequences here.
const REGISTERS: InertSpec = InertSpec {
    events: 0,
    registers: &[(0x4C0, 0x4C0), (0x508, 0x508), (0x51C, 0x51C), (0x530, 0x530), (0x6A0, 0x6A8), (0x7A0, 0x7A8)],
    resets: &[(0x4C0, 0x1_0000)],
    set_clear: &[],
};

/// The control transfer on endpoint 0.
#[derive(Clone, Copy, Default, Debug)]
struct Control {
    setup: [u8; 8],
    /// EP0STATUS: the status stage may take place.
    status: bool,
    /// EP0STALL: this transfer is refused.
    stalled: bool,
    /// SET_ADDRESS that waits for its status stage.
    new_address: Option<u8>,
}

impl Control {
    /// Its data go to the host; then the status stage is OUT.
    fn has_data_in(&self) -> bool {
        self.setup[0] & 0x80 != 0 && self.setup[6..] != [0, 0]
    }
}

/// Which local buffer EasyDMA works on: 0 to 7 IN, 8 to 15 OUT.
type Channel = usize;

/// The register machine.
#[derive(Debug)]
pub struct Usbd {
    events: Events,
    rest: Inert,
    shorts: u32,
    eventcause: u32,
    epstatus: u32,
    epdatastatus: u32,
    address: u8,
    enabled: bool,
    pullup: bool,
    /// DTOGGLE: EP and IO of the endpoint whose toggle is read.
    dtoggle: u32,
    epinen: u32,
    epouten: u32,
    lowpower: bool,
    framecntr: u16,
    epin: [Endpoint; ENDPOINTS],
    epout: [Endpoint; ENDPOINTS],
    control: Control,
    /// VBUS is there.
    powered: bool,
    suspended: bool,
    attention: u64,
    /// When EVENTCAUSE.READY comes.
    ready_due: u64,
    /// The transfer that EasyDMA makes, and its end; then those that wait.
    dma: Option<(Channel, u64)>,
    waiting: u32,
    /// Events on their way, and when they arrive.
    pending: u32,
    pending_due: u64,
}

impl Default for Usbd {
    fn default() -> Usbd {
        Usbd {
            events: Events::new(EVENTS),
            rest: Inert::new(REGISTERS),
            shorts: 0,
            eventcause: 0,
            epstatus: 0,
            epdatastatus: 0,
            address: 0,
            enabled: false,
            pullup: false,
            dtoggle: 0,
            epinen: 1,
            epouten: 1,
            lowpower: false,
            framecntr: 0,
            epin: [Endpoint::default(); ENDPOINTS],
            epout: [Endpoint::default(); ENDPOINTS],
            control: Control::default(),
            powered: false,
            suspended: false,
            attention: 0,
            ready_due: NEVER,
            dma: None,
            waiting: 0,
            pending: 0,
            pending_due: NEVER,
        }
    }
}

impl Usbd {
    fn soon(&mut self, now: u64, event: u32) {
        self.pending |= 1 << event;
        self.pending_due = self.pending_due.min(now + PCLK16M);
    }

    fn cause(&mut self, cause: u32) {
        self.eventcause |= cause;
        self.events.raise(USBEVENT);
    }

    /// The controller comes up, once it is enabled and has its power.
    fn power_up(&mut self, now: u64) {
        self.ready_due = if self.powered { now + T_READY } else { NEVER };
    }

    fn set_enable(&mut self, now: u64, enable: bool) {
        if enable == self.enabled {
            return;
        }
        if enable {
            self.enabled = true;
            self.power_up(now);
        } else {
            // Disabled, it forgets everything but what the interrupt controller sees.
            let Usbd { powered, suspended, attention, .. } = *self;
            let events = std::mem::take(&mut self.events);
            *self = Usbd { events, powered, suspended, attention: attention + 1, ..Usbd::default() };
        }
    }

    /// System OFF: nothing of it is left on the bus.
    pub fn power_down(&mut self) {
        self.set_enable(0, false);
    }

    /// A task that EasyDMA has nothing to wait for.
    fn trigger(&mut self, now: u64, task: u32) -> Option<()> {
        match task {
            EP0RCVOUT => self.arm(now, 0),
            EP0STATUS => {
                self.control.status = true;
                self.attention += 1;
            }
            EP0STALL => {
                self.control.stalled = true;
                self.attention += 1;
            }
            _ => {
                let inward = || index(task, STARTEPIN, 4, ENDPOINTS as u32);
                let outward = || index(task, STARTEPOUT, 4, ENDPOINTS as u32).map(|n| n + ENDPOINTS);
                let channel = inward().or_else(outward)?;
                self.waiting |= 1 << channel;
                self.next_transfer(now);
            }
        }
        Some(())
    }

    /// Endpoint `ep` OUT takes the next packet; one that waits is lost.
    fn arm(&mut self, now: u64, ep: usize) {
        let endpoint = &mut self.epout[ep];
        // Drivers do this right after EasyDMA has made room: what has come since then is not lost on a real bus.
        if endpoint.is_arriving(now) {
            return;
        }
        (endpoint.full, endpoint.armed, endpoint.len) = (false, true, 0);
        self.attention += 1;
    }

    /// EasyDMA begins with the first transfer that waits, if it is idle.
    fn next_transfer(&mut self, now: u64) {
        if self.dma.is_some() || self.waiting == 0 || !self.enabled {
            return;
        }
        let channel = self.waiting.trailing_zeros() as usize;
        self.waiting &= self.waiting - 1;
        let (endpoint, bit) = if channel < ENDPOINTS {
            (&self.epin[channel], 1 << channel)
        } else {
            (&self.epout[channel - ENDPOINTS], epdata_out((channel - ENDPOINTS) as u8))
        };
        let words = u64::from(endpoint.maxcnt.div_ceil(4));
        self.epstatus |= bit;
        self.soon(now, STARTED);
        self.dma = Some((channel, now + T_DMA.0 + T_DMA.1 * words));
    }

    /// EasyDMA has moved a packet.
    fn transferred(&mut self, cx: &mut Cx<'_>, channel: Channel) {
        self.attention += 1;
        if channel < ENDPOINTS {
            let endpoint = &mut self.epin[channel];
            let len = (endpoint.maxcnt as usize).min(MAX_PACKET);
            for (at, byte) in (endpoint.ptr..).zip(&mut endpoint.buffer[..len]) {
                *byte = cx.memory.read(at, Size::Byte).unwrap_or(0) as u8;
            }
            (endpoint.len, endpoint.amount, endpoint.full) = (len, len as u32, true);
            self.events.raise(ENDEPIN + channel as u32);
            return;
        }
        let ep = channel - ENDPOINTS;
        let endpoint = &mut self.epout[ep];
        let len = (endpoint.maxcnt as usize).min(endpoint.len);
        for (at, &byte) in (endpoint.ptr..).zip(&endpoint.buffer[..len]) {
            cx.memory.write(at, Size::Byte, byte.into());
        }
        endpoint.amount = len as u32;
        // The buffer is free again. Endpoint 0 waits for EP0RCVOUT all the same.
        endpoint.armed |= endpoint.full && ep != 0;
        (endpoint.full, endpoint.freed) = (false, cx.now);
        self.events.raise(ENDEPOUT + ep as u32);
        if ep == 0 {
            for (short, task) in END_SHORTS {
                if self.shorts & short != 0 {
                    self.trigger(cx.now, task);
                }
            }
        }
    }

    fn endpoint(&mut self, select: u32) -> &mut Endpoint {
        let n = (select & 7) as usize;
        if select & 0x80 != 0 { &mut self.epin[n] } else { &mut self.epout[n] }
    }

    fn set_dtoggle(&mut self, value: u32) {
        self.dtoggle = value & 0x87;
        match value >> 8 & 3 {
            1 => self.endpoint(value).toggle = false,
            2 => self.endpoint(value).toggle = true,
            _ => {}
        }
    }

    /// PTR, MAXCNT and AMOUNT of an endpoint: the endpoint, and which of the three.
    fn dma_register(&mut self, offset: u32) -> Option<(&mut Endpoint, u32)> {
        let (endpoints, base) = if offset < EPOUT { (&mut self.epin, EPIN) } else { (&mut self.epout, EPOUT) };
        let n = (offset.checked_sub(base)? / EP_STRIDE) as usize;
        Some((endpoints.get_mut(n)?, (offset - base) % EP_STRIDE))
    }
}

impl Peripheral for Usbd {
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        let count = ENDPOINTS as u32;
        if let Some(n) = index(offset, HALTED_EPIN, 4, count) {
            return Some(self.epin[n].stalled.into());
        }
        if let Some(n) = index(offset, HALTED_EPOUT, 4, count) {
            return Some(self.epout[n].stalled.into());
        }
        if let Some(n) = index(offset, SIZE_EPOUT, 4, count) {
            return Some(self.epout[n].len as u32);
        }
        if let Some(n) = index(offset, BMREQUESTTYPE, 4, 8) {
            return Some(self.control.setup[n].into());
        }
        if let Some((endpoint, register)) = self.dma_register(offset) {
            return match register {
                0 => Some(endpoint.ptr),
                4 => Some(endpoint.maxcnt),
                8 => Some(endpoint.amount),
                _ => None,
            };
        }
        Some(match offset {
            SHORTS => self.shorts,
            EVENTCAUSE => self.eventcause,
            EPSTATUS => self.epstatus,
            EPDATASTATUS => self.epdatastatus,
            USBADDR => self.address.into(),
            ENABLE => self.enabled.into(),
            USBPULLUP => self.pullup.into(),
            DTOGGLE => {
                let toggle = self.endpoint(self.dtoggle).toggle;
                self.dtoggle | if toggle { 2 << 8 } else { 1 << 8 }
            }
            EPINEN => self.epinen,
            EPOUTEN => self.epouten,
            EPSTALL => 0,
            FRAMECNTR => self.framecntr.into(),
            LOWPOWER => self.lowpower.into(),
            _ => return self.rest.read(cx, offset),
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        if let Some(n) = index(offset, SIZE_EPOUT, 4, ENDPOINTS as u32) {
            self.arm(cx.now, n);
            return Some(());
        }
        if let Some((endpoint, register)) = self.dma_register(offset) {
            match register {
                0 => endpoint.ptr = value,
                4 => endpoint.maxcnt = value & 0x7F,
                8 => {}
                _ => return None,
            }
            return Some(());
        }
        match offset {
            SHORTS => self.shorts = value & 0x1F,
            EVENTCAUSE => self.eventcause &= !value,
            EPSTATUS => self.epstatus &= !value,
            EPDATASTATUS => self.epdatastatus &= !value,
            ENABLE => self.set_enable(cx.now, value & 1 == 1),
            USBPULLUP => {
                self.pullup = value & 1 == 1;
                self.attention += 1;
            }
            DTOGGLE => self.set_dtoggle(value),
            EPINEN => self.epinen = value & 0x1FF,
            EPOUTEN => self.epouten = value & 0x1FF,
            EPSTALL => {
                self.endpoint(value).stalled = value >> 8 & 1 == 1;
                self.attention += 1;
            }
            LOWPOWER => {
                let was = std::mem::replace(&mut self.lowpower, value & 1 == 1);
                if was && !self.lowpower {
                    self.cause(USBWUALLOWED);
                }
            }
            USBADDR | FRAMECNTR | HALTED_EPIN..EPSTATUS | BMREQUESTTYPE..SIZE_EPOUT => {}
            _ => return self.rest.write(cx, offset, value),
        }
        Some(())
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        self.trigger(cx.now, offset)
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    /// VBUS stays.
    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        let Usbd { powered, attention, .. } = *self;
        let mut events = std::mem::take(&mut self.events);
        events.reset();
        *self = Usbd { events, powered, attention: attention + 1, ..Usbd::default() };
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.ready_due.min(self.pending_due).min(self.dma.map_or(NEVER, |(_, end)| end))
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.pending_due <= cx.now {
            self.pending_due = NEVER;
            let events = std::mem::take(&mut self.pending);
            self.events.raise_all(events);
        }
        if self.ready_due <= cx.now {
            self.ready_due = NEVER;
            self.cause(READY);
            self.attention += 1;
        }
        if let Some((channel, _)) = self.dma.filter(|&(_, end)| end <= cx.now) {
            self.dma = None;
            self.transferred(cx, channel);
            self.next_transfer(cx.now);
        }
    }

    fn usbd(&mut self) -> Option<&mut Usbd> {
        Some(self)
    }

    fn usbd_ref(&self) -> Option<&Usbd> {
        Some(self)
    }
}

#[cfg(test)]
#[path = "usbd_tests.rs"]
mod tests;
