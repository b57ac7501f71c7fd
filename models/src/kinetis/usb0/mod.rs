//! USB0 — the full-speed USB controller in device mode (KL26 reference manual, chapter "Universal Serial Bus OTG
//! Controller (USBOTG)"; KL27, "Universal Serial Bus Full Speed (USBFS) device").
//!
//! The serial interface engine (SIE) answers tokens from the host by itself, with buffers that software hands it
//! through the buffer descriptor table ([`bdt`]) in RAM: a token whose descriptor the SIE does not own is NAKed. After
//! each token the descriptor goes back to software, STAT tells which it was, and ISTAT.TOKDNE is raised. STAT is the
//! head of a FIFO of four; a fifth token is NAKed. A SETUP stops all other tokens until software has cleared
//! CTL.TXSUSPENDTOKENBUSY, so that it can take back what it had queued.
//!
//! A transaction here happens in one piece: whoever plays the host calls [`Usb0::setup`], [`Usb0::out`] or
//! [`Usb0::in_token`], and registers and RAM are as after the handshake.
//!
//! Software hands a descriptor over with a plain store to RAM, which no register sees. For the host to know when to ask again,
//! the descriptors whose tokens were NAKed are watched ([`Memory::watch`]); the chip calls [`Usb0::memory_changed`].

mod attachment;
pub mod bdt;
pub mod registers;

#[cfg(test)]
mod tests;

use twinboard_sim::cpu::memory::Memory;
use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET};

use bdt::{Descriptor, Pid, Place};
use registers::{ctl, endpt, errstat, istat, otg, otgctl, *};

/// Tokens that the STAT FIFO holds.
const FIFO: usize = 4;
const ENDPOINTS: usize = 16;

/// What distinguishes the controllers of the family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UsbSpec {
    /// It has the OTG and host registers.
    pub otg: bool,
    /// It has the registers for the recovery of its clock from SOF packets.
    pub clock_recovery: bool,
}

impl UsbSpec {
    /// KL26: OTG, clocked from a crystal.
    pub const KL26: UsbSpec = UsbSpec { otg: true, clock_recovery: false };
    /// KL27: device only, clocked from the recovered HIRC.
    pub const KL27: UsbSpec = UsbSpec { otg: false, clock_recovery: true };
}

/// Finished tokens that software has not taken note of yet.
#[derive(Clone, Copy, Default, Debug)]
struct StatFifo {
    tokens: [u8; FIFO],
    len: usize,
    /// What STAT shows when the FIFO is empty.
    last: u8,
}

impl StatFifo {
    fn full(&self) -> bool {
        self.len == FIFO
    }

    fn push(&mut self, stat: u8) {
        if let Some(place) = self.tokens.get_mut(self.len) {
            *place = stat;
            self.len += 1;
        }
    }

    /// Drops the first token.
    fn pop(&mut self) {
        if self.len > 0 {
            self.last = self.tokens[0];
            self.tokens.copy_within(1.., 0);
            self.len -= 1;
        }
    }

    fn stat(&self) -> u8 {
        self.tokens[..self.len].first().copied().unwrap_or(self.last)
    }
}

/// The registers that USBTRC0.USBRESET resets.
#[derive(Clone, Copy, Debug)]
struct Registers {
    otgistat: u8,
    otgicr: u8,
    otgctl: u8,
    istat: u8,
    inten: u8,
    errstat: u8,
    erren: u8,
    ctl: u8,
    tx_suspend: bool,
    addr: u8,
    bdtpage: [u8; 3],
    frame: u16,
    softhld: u8,
    endpt: [u8; ENDPOINTS],
    usbctrl: u8,
    control: u8,
    usbtrc0: u8,
    usbfrmadjust: u8,
    /// The next descriptor is the odd one, for each direction of each endpoint.
    odd: u32,
    fifo: StatFifo,
}

impl Default for Registers {
    fn default() -> Registers {
        Registers {
            otgistat: 0,
            otgicr: 0,
            otgctl: 0,
            istat: 0,
            inten: 0,
            errstat: 0,
            erren: 0,
            ctl: 0,
            tx_suspend: false,
            addr: 0,
            bdtpage: [0; 3],
            frame: 0,
            softhld: 0,
            endpt: [0; ENDPOINTS],
            usbctrl: USBCTRL_SUSP | USBCTRL_PDE,
            control: 0,
            usbtrc0: 0,
            usbfrmadjust: 0,
            odd: 0,
            fifo: StatFifo::default(),
        }
    }
}

/// The register machine.
#[derive(Clone, Debug)]
pub struct Usb0 {
    spec: UsbSpec,
    r: Registers,
    clk_recover_ctrl: u8,
    clk_recover_irc_en: u8,
    clk_recover_int_en: u8,
    /// VBUS is there: the transceiver and its pull-up have power.
    vbus: bool,
    suspended: bool,
    /// Directions of endpoints whose last token was NAKed.
    nakked: u32,
    attention: u64,
}

impl Usb0 {
    /// A controller at power-on, without VBUS.
    #[must_use]
    pub fn new(spec: UsbSpec) -> Usb0 {
        Usb0 {
            spec,
            r: Registers::default(),
            clk_recover_ctrl: 0,
            clk_recover_irc_en: 1,
            clk_recover_int_en: 1 << 4,
            vbus: false,
            suspended: false,
            nakked: 0,
            attention: 0,
        }
    }

    /// Reset values, at a reset of the chip. What the cable does stays.
    pub fn reset(&mut self) {
        let Usb0 { spec, vbus, attention, .. } = *self;
        *self = Usb0 { vbus, attention: attention + 1, ..Usb0::new(spec) };
    }

    /// The interrupt line.
    #[must_use]
    pub fn irq(&self) -> bool {
        self.r.istat & self.r.inten != 0
            || self.r.usbtrc0 & USBTRC0_USB_RESUME_INT != 0
            || self.r.otgistat & self.r.otgicr != 0
    }

    /// Whether D+ is pulled up.
    #[must_use]
    pub fn attached(&self) -> bool {
        self.vbus && self.pull_up()
    }

    /// Counts up whenever an endpoint that answered NAK may answer otherwise, or [`Usb0::attached`] changed.
    #[must_use]
    pub fn attention(&self) -> u64 {
        self.attention
    }

    fn pull_up(&self) -> bool {
        if self.r.otgctl & otgctl::OTGEN != 0 {
            return self.r.otgctl & otgctl::DPHIGH != 0;
        }
        self.enabled() && self.r.control & CONTROL_DPPULLUPNONOTG != 0
    }

    /// USBENSOFEN, and in device mode.
    fn enabled(&self) -> bool {
        self.r.ctl & (ctl::USBENSOFEN | ctl::HOSTMODEEN) == ctl::USBENSOFEN
    }

    fn raise(&mut self, flag: u8) {
        self.r.istat |= flag;
    }

    fn error(&mut self, flag: u8) {
        self.r.errstat |= flag;
        if self.r.errstat & self.r.erren != 0 {
            self.raise(istat::ERROR);
        }
    }

    // --- software's side ---

    /// Reads the register at `offset`; `None` if there is none.
    #[must_use]
    pub fn read(&self, offset: u32) -> Option<u8> {
        let r = &self.r;
        Some(match offset {
            PERID => 0x04,
            IDCOMP => 0xFB,
            REV => 0x33,
            // IEHOST: it can be a host.
            ADDINFO => u8::from(self.spec.otg),
            OTGISTAT if self.spec.otg => r.otgistat,
            OTGICR if self.spec.otg => r.otgicr,
            OTGSTAT if self.spec.otg => {
                otg::ID | otg::LINESTATESTABLE | if self.vbus { otg::SESS_VLD } else { otg::BSESSEND }
            }
            OTGCTL if self.spec.otg => r.otgctl,
            ISTAT => r.istat,
            INTEN => r.inten,
            ERRSTAT => r.errstat,
            ERREN => r.erren,
            STAT => r.fifo.stat(),
            CTL => {
                let lines = if self.attached() { ctl::JSTATE } else { ctl::SE0 };
                lines | r.ctl | if r.tx_suspend { ctl::TXSUSPENDTOKENBUSY } else { 0 }
            }
            ADDR => r.addr,
            BDTPAGE1 => r.bdtpage[0],
            BDTPAGE2 => r.bdtpage[1],
            BDTPAGE3 => r.bdtpage[2],
            FRMNUML => r.frame as u8,
            FRMNUMH => (r.frame >> 8) as u8,
            SOFTHLD if self.spec.otg => r.softhld,
            ENDPT0..=ENDPT15 if offset & 3 == 0 => r.endpt[(offset - ENDPT0) as usize / 4],
            USBCTRL => r.usbctrl,
            OBSERVE => {
                let pull_up = if self.pull_up() { OBSERVE_DPPU } else { 0 };
                pull_up | if r.usbctrl & USBCTRL_PDE != 0 { OBSERVE_DPPD | OBSERVE_DMPD } else { 0 }
            }
            CONTROL => r.control,
            USBTRC0 => r.usbtrc0,
            USBFRMADJUST => r.usbfrmadjust,
            CLK_RECOVER_CTRL if self.spec.clock_recovery => self.clk_recover_ctrl,
            CLK_RECOVER_IRC_EN if self.spec.clock_recovery => self.clk_recover_irc_en,
            CLK_RECOVER_INT_EN if self.spec.clock_recovery => self.clk_recover_int_en,
            CLK_RECOVER_INT_STATUS if self.spec.clock_recovery => 0,
            _ => return None,
        })
    }

    /// Writes the register at `offset`; `None` if there is none, or if what is asked for is host mode.
    pub fn write(&mut self, memory: &mut Memory, offset: u32, value: u8) -> Option<()> {
        let attached = self.attached();
        let known = self.write_register(offset, value);
        if attached != self.attached() {
            self.attention += 1;
        }
        self.recheck(memory);
        known
    }

    fn write_register(&mut self, offset: u32, value: u8) -> Option<()> {
        let r = &mut self.r;
        match offset {
            PERID | IDCOMP | REV | ADDINFO | STAT | OBSERVE | FRMNUML | FRMNUMH => {}
            OTGISTAT if self.spec.otg => r.otgistat &= !value,
            OTGICR if self.spec.otg => r.otgicr = value & 0xED,
            OTGSTAT if self.spec.otg => {}
            OTGCTL if self.spec.otg => r.otgctl = value & 0xB4,
            ISTAT => self.clear_flags(value),
            INTEN => r.inten = value,
            ERRSTAT => r.errstat &= !value,
            ERREN => r.erren = value,
            CTL => self.write_ctl(value)?,
            ADDR => r.addr = value,
            BDTPAGE1 => r.bdtpage[0] = value & 0xFE,
            BDTPAGE2 => r.bdtpage[1] = value,
            BDTPAGE3 => r.bdtpage[2] = value,
            SOFTHLD if self.spec.otg => r.softhld = value,
            ENDPT0..=ENDPT15 if offset & 3 == 0 => r.endpt[(offset - ENDPT0) as usize / 4] = value & 0xDF,
            USBCTRL => r.usbctrl = value & (USBCTRL_SUSP | USBCTRL_PDE),
            CONTROL => r.control = value & CONTROL_DPPULLUPNONOTG,
            USBTRC0 if value & USBTRC0_USBRESET != 0 => self.r = Registers::default(),
            USBTRC0 => {
                // The asynchronous resume interrupt ends when it is no longer enabled.
                let flag = if value & USBTRC0_USBRESMEN != 0 { r.usbtrc0 & USBTRC0_USB_RESUME_INT } else { 0 };
                r.usbtrc0 = value & USBTRC0_STORED | flag;
            }
            USBFRMADJUST => r.usbfrmadjust = value,
            CLK_RECOVER_CTRL if self.spec.clock_recovery => self.clk_recover_ctrl = value & 0xE0,
            CLK_RECOVER_IRC_EN if self.spec.clock_recovery => self.clk_recover_irc_en = value & 3,
            CLK_RECOVER_INT_EN if self.spec.clock_recovery => self.clk_recover_int_en = value & 1 << 4,
            CLK_RECOVER_INT_STATUS if self.spec.clock_recovery => {}
            _ => return None,
        }
        Some(())
    }

    /// ISTAT: ones clear. Clearing TOKDNE goes to the next token, which raises it at once.
    fn clear_flags(&mut self, ones: u8) {
        let done = self.r.istat & ones & istat::TOKDNE != 0;
        self.r.istat &= !ones;
        if done {
            self.r.fifo.pop();
            if self.r.fifo.len > 0 {
                self.raise(istat::TOKDNE);
            }
        }
    }

    fn write_ctl(&mut self, value: u8) -> Option<()> {
        let r = &mut self.r;
        let enabling = value & !r.ctl & ctl::USBENSOFEN != 0;
        if value & ctl::ODDRST != 0 || enabling {
            r.odd = 0;
        }
        r.ctl = value & ctl::STORED;
        r.tx_suspend &= value & ctl::TXSUSPENDTOKENBUSY != 0;
        (value & ctl::HOSTMODEEN == 0).then_some(())
    }

    // --- the host's side ---

    /// VBUS comes or goes.
    pub fn vbus(&mut self, present: bool) {
        if present != self.vbus {
            self.vbus = present;
            self.attention += 1;
            if self.spec.otg {
                self.r.otgistat |= otg::SESSVLDCHG | otg::LINE_STATE_CHG;
            }
        }
    }

    /// SE0 for more than 2.5 µs.
    pub fn bus_reset(&mut self) {
        self.suspended = false;
        if self.enabled() {
            self.r.addr = 0;
            self.raise(istat::USBRST);
            self.nakked = 0;
            self.attention += 1;
        }
    }

    /// The bus has been idle for 3 ms, or is resumed.
    pub fn suspend(&mut self, suspended: bool) {
        if std::mem::replace(&mut self.suspended, suspended) == suspended {
            return;
        }
        if self.enabled() {
            self.raise(if suspended { istat::SLEEP } else { istat::RESUME });
        }
        if !suspended && self.r.usbtrc0 & USBTRC0_USBRESMEN != 0 {
            self.r.usbtrc0 |= USBTRC0_USB_RESUME_INT;
        }
    }

    /// Start of frame `frame` (11 bits).
    pub fn sof(&mut self, frame: u16) {
        if self.enabled() && self.vbus && self.r.usbctrl & USBCTRL_SUSP == 0 {
            self.r.frame = frame & 0x7FF;
            self.raise(istat::SOFTOK);
        }
    }

    /// SETUP token with its DATA0 packet. One that finds no buffer, or the SIE stopped, is not answered.
    pub fn setup(&mut self, memory: &mut Memory, address: u8, ep: u8, data: [u8; 8]) -> Handshake {
        let needed = endpt::EPRXEN | endpt::EPTXEN;
        let Some(control) = self.endpoint(address, ep) else { return Handshake::Timeout };
        if control & (needed | endpt::EPCTLDIS) != needed || self.stopped() {
            return Handshake::Timeout;
        }
        let (place, descriptor) = self.descriptor(memory, ep, false);
        if !descriptor.owned() {
            return Handshake::Timeout;
        }
        // Neither the expected toggle nor a STALL stands in the way of a SETUP, which ends the latter (USB 2.0 §8.5.3.4).
        self.r.endpt[usize::from(ep & 15)] &= !endpt::EPSTALL;
        self.r.tx_suspend = true;
        self.receive(memory, place, descriptor, Pid::Setup, false, &data);
        Handshake::Ack
    }

    /// OUT token with a packet of at most 64 bytes; `toggle` is DATA1.
    pub fn out(&mut self, memory: &mut Memory, address: u8, ep: u8, toggle: bool, data: &[u8]) -> Handshake {
        let Some(control) = self.endpoint(address, ep).filter(|c| c & endpt::EPRXEN != 0) else {
            return Handshake::Timeout;
        };
        let (place, descriptor) = self.descriptor(memory, ep, false);
        let answer = if self.naks(place, descriptor) {
            self.note_nak(memory, place);
            Handshake::Nak
        } else if self.stalls(place, descriptor) {
            self.raise(istat::STALL);
            Handshake::Stall
        } else if descriptor.refuses(toggle) {
            Handshake::Ack
        } else {
            self.receive(memory, place, descriptor, Pid::Out, toggle, data);
            Handshake::Ack
        };
        if control & endpt::EPHSHK == 0 { Handshake::Timeout } else { answer }
    }

    /// IN token; the packet goes to `buffer`, and the host acknowledges it.
    pub fn in_token(&mut self, memory: &mut Memory, address: u8, ep: u8, buffer: &mut [u8; MAX_PACKET]) -> InReply {
        let Some(control) = self.endpoint(address, ep).filter(|c| c & endpt::EPTXEN != 0) else {
            return InReply::Timeout;
        };
        let shakes_hands = control & endpt::EPHSHK != 0;
        let (place, descriptor) = self.descriptor(memory, ep, true);
        if self.naks(place, descriptor) {
            self.note_nak(memory, place);
            return if shakes_hands { InReply::Nak } else { InReply::Timeout };
        }
        if self.stalls(place, descriptor) {
            self.raise(istat::STALL);
            return if shakes_hands { InReply::Stall } else { InReply::Timeout };
        }
        let len = descriptor.count().min(MAX_PACKET);
        if !descriptor.fetch(memory, &mut buffer[..len]) {
            self.error(errstat::DMAERR);
        }
        let toggle = descriptor.data1();
        self.finish(memory, place, descriptor, Pid::In, toggle, len);
        InReply::Data { len, toggle }
    }

    /// Watched bytes in RAM were written: a descriptor may have been handed over.
    pub fn memory_changed(&mut self, memory: &mut Memory) {
        self.recheck(memory);
    }

    /// ENDPT of an endpoint, if tokens to `address` get so far.
    fn endpoint(&self, address: u8, ep: u8) -> Option<u8> {
        let listens = self.enabled() && self.attached() && self.r.usbctrl & USBCTRL_SUSP == 0;
        (listens && address == self.r.addr & 0x7F).then(|| self.r.endpt[usize::from(ep & 15)])
    }

    /// No token is taken at all.
    fn stopped(&self) -> bool {
        self.r.tx_suspend || self.r.fifo.full()
    }

    fn naks(&self, place: Place, descriptor: Descriptor) -> bool {
        self.stopped() || (self.r.endpt[usize::from(place.endpoint)] & endpt::EPSTALL == 0 && !descriptor.owned())
    }

    fn stalls(&self, place: Place, descriptor: Descriptor) -> bool {
        self.r.endpt[usize::from(place.endpoint)] & endpt::EPSTALL != 0 || descriptor.stalls()
    }

    fn table(&self) -> u32 {
        let [low, middle, high] = self.r.bdtpage.map(u32::from);
        high << 24 | middle << 16 | low << 8
    }

    /// The descriptor that the next token uses.
    fn descriptor(&self, memory: &Memory, ep: u8, tx: bool) -> (Place, Descriptor) {
        let mut place = Place { endpoint: ep & 15, tx, odd: false };
        place.odd = self.r.ctl & ctl::ODDRST == 0 && self.r.odd >> place.direction() & 1 == 1;
        (place, Descriptor::read(memory, place.address(self.table())))
    }

    fn receive(
        &mut self,
        memory: &mut Memory,
        place: Place,
        descriptor: Descriptor,
        pid: Pid,
        toggle: bool,
        data: &[u8],
    ) {
        let (count, found) = descriptor.fill(memory, data);
        if count < data.len() || !found {
            self.error(errstat::DMAERR);
        }
        self.finish(memory, place, descriptor, pid, toggle, count);
    }

    fn finish(
        &mut self,
        memory: &mut Memory,
        place: Place,
        descriptor: Descriptor,
        pid: Pid,
        toggle: bool,
        count: usize,
    ) {
        self.nakked &= !(1 << place.direction());
        descriptor.give_back(memory, pid, toggle, count);
        if !descriptor.keeps() {
            self.r.fifo.push(place.stat());
            self.raise(istat::TOKDNE);
        }
        if self.r.ctl & ctl::ODDRST == 0 {
            self.r.odd ^= 1 << place.direction();
        }
    }

    /// Remembers that a token was NAKed, and watches what would make the answer another.
    fn note_nak(&mut self, memory: &mut Memory, place: Place) {
        self.nakked |= 1 << place.direction();
        let pair = 2 * bdt::SIZE;
        let (first, last) = (self.nakked.trailing_zeros(), 31 - self.nakked.leading_zeros());
        memory.watch(self.table() + first * pair, (last - first + 1) * pair);
    }

    /// Calls for attention if a token that was NAKed would be answered otherwise now.
    fn recheck(&mut self, memory: &Memory) {
        let mut rest = self.nakked;
        while rest != 0 {
            let direction = rest.trailing_zeros();
            rest &= rest - 1;
            let (place, descriptor) = self.descriptor(memory, (direction >> 1) as u8, direction & 1 == 1);
            if !self.naks(place, descriptor) {
                self.nakked &= !(1 << direction);
                self.attention += 1;
            }
        }
    }
}
