//! A tiny host: control, bulk and disk transfers over [`UsbPort`], and an interface chip whose flash manager only
//! writes down what it was told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use twinboard_models::daplink::{Core, DapLink, DapLinkConfig, Error, Settings, TargetFlash, pins};
use twinboard_models::debug::open::open_wire;
use twinboard_models::parts::led::{Led, SharedLed};
use twinboard_sim::chip::Chip;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET};
use twinboard_sim::wire::{Drive, Edge, Signal};

/// What the flash manager was told.
#[derive(Debug, Default)]
pub struct Target {
    pub memory: BTreeMap<u32, u8>,
    pub opened: usize,
    pub closed: usize,
    pub erased: usize,
    pub shown: Vec<u16>,
    /// The answer to the next `open`.
    pub fail_open: Option<Error>,
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Target>>);

/// How long the recorder takes for a piece of data: as long as flash would, roughly.
const WRITE_TIME: Span = Span::ms(5);

impl TargetFlash for Recorder {
    async fn open(&mut self, _: &mut Core) -> Result<(), Error> {
        let mut target = self.0.lock().expect("target");
        target.opened += 1;
        target.fail_open.map_or(Ok(()), Err)
    }
    async fn data(&mut self, core: &mut Core, address: u32, data: &[u8]) -> Result<(), Error> {
        core.work(WRITE_TIME).await;
        self.0.lock().expect("target").memory.extend((address..).zip(data.iter().copied()));
        Ok(())
    }
    async fn close(&mut self, _: &mut Core) -> Result<(), Error> {
        self.0.lock().expect("target").closed += 1;
        Ok(())
    }
    async fn erase_chip(&mut self, _: &mut Core) -> Result<(), Error> {
        self.0.lock().expect("target").erased += 1;
        Ok(())
    }
    async fn show_number(&mut self, _: &mut Core, number: u16) -> Result<(), Error> {
        self.0.lock().expect("target").shown.push(number);
        Ok(())
    }
}

/// How a transfer can fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    Stall,
    /// NAK for 40 s, or nobody there.
    Silence,
}

/// A command's status: bCSWStatus and dCSWDataResidue.
pub type Status = (u8, u32);

pub struct Host {
    pub chip: DapLink,
    pub target: Arc<Mutex<Target>>,
    pub now: Time,
    pub address: u8,
    toggles: [bool; 32],
    tag: u32,
    /// What the chip did to its pins.
    pub edges: Vec<Edge>,
    /// Time passes in slices of at most this.
    pub slice: Span,
    /// The red LED.
    pub power_led: SharedLed,
}

const PATIENCE: Span = Span::secs(40);

impl Host {
    /// A board that was just plugged in.
    pub fn plug(config: DapLinkConfig) -> Host {
        let recorder = Recorder::default();
        let target = recorder.0.clone();
        let mut chip = DapLink::with_flash(config, open_wire(), move || recorder.clone());
        let power_led = SharedLed::new(Led::new(true));
        chip.observe(power_led.on(pins::POWER_LED));
        Host {
            chip,
            target,
            now: Time::ZERO,
            address: 0,
            toggles: [false; 32],
            tag: 1,
            edges: Vec::new(),
            slice: Span::secs(3600),
            power_led,
        }
    }

    /// A board that is plugged in and configured, with automation allowed.
    pub fn ready() -> Host {
        let mut host = Host::plug(DapLinkConfig { settings: Settings::default(), ..DapLinkConfig::default() });
        host.enumerate();
        host
    }

    pub fn enumerate(&mut self) {
        while !self.port().attached() {
            self.wait(Span::ms(10));
        }
        let now = self.now;
        self.port().bus_reset(now);
        (self.address, self.toggles) = (0, [false; 32]);
        self.control(0x00, 5, 7, 0, &[], 0).expect("SET_ADDRESS");
        self.address = 7;
        self.control(0x00, 9, 1, 0, &[], 0).expect("SET_CONFIGURATION");
    }

    pub fn port(&mut self) -> &mut dyn twinboard_sim::usb::UsbPort {
        self.chip.usb().expect("a USB socket")
    }

    pub fn wait(&mut self, span: Span) {
        self.now += span;
        while self.chip.now() < self.now {
            let until = self.now.min(self.chip.now() + self.slice);
            self.chip.advance(until, &mut self.edges);
        }
    }

    /// Presses or releases the reset button.
    pub fn button(&mut self, pressed: bool) {
        let signal = Signal::Drive(if pressed { Drive::Low } else { Drive::High });
        self.chip.receive(Edge { at: self.now, pin: pins::RESET_BUTTON, signal });
    }

    /// Repeats a transaction while it is NAKed; time passes until the chip calls for attention.
    fn persist<T>(&mut self, mut transaction: impl FnMut(&mut Host) -> Option<T>) -> Option<T> {
        let deadline = self.now + PATIENCE;
        loop {
            self.wait(Span::us(1));
            if let Some(result) = transaction(self) {
                return Some(result);
            }
            let attention = self.port().attention();
            while self.port().attention() == attention {
                if self.now >= deadline {
                    return None;
                }
                let next = self.chip.next_event();
                self.wait(next.since(self.now).max(Span::us(1)));
            }
        }
    }

    pub fn try_in(&mut self, ep: u8) -> InReply {
        let (now, address) = (self.now, self.address);
        self.port().r#in(now, address, ep, &mut [0; MAX_PACKET])
    }

    fn in_packet(&mut self, ep: u8) -> Result<Vec<u8>, Failure> {
        let reply = self.persist(|host| {
            let (now, address, mut packet) = (host.now, host.address, [0; MAX_PACKET]);
            match host.port().r#in(now, address, ep, &mut packet) {
                InReply::Data { len, toggle } => Some(Ok((packet[..len].to_vec(), toggle))),
                InReply::Stall => Some(Err(Failure::Stall)),
                InReply::Timeout => Some(Err(Failure::Silence)),
                InReply::Nak => None,
            }
        });
        let (packet, toggle) = reply.unwrap_or(Err(Failure::Silence))?;
        let expected = &mut self.toggles[16 + usize::from(ep)];
        assert_eq!(toggle, *expected, "data toggle of endpoint {ep} IN");
        *expected = !*expected;
        Ok(packet)
    }

    fn out_packet(&mut self, ep: u8, data: &[u8]) -> Result<(), Failure> {
        let toggle = self.toggles[usize::from(ep)];
        let handshake = self.persist(|host| {
            let (now, address) = (host.now, host.address);
            match host.port().out(now, address, ep, toggle, data) {
                Handshake::Ack => Some(Ok(())),
                Handshake::Stall => Some(Err(Failure::Stall)),
                Handshake::Timeout => Some(Err(Failure::Silence)),
                Handshake::Nak => None,
            }
        });
        handshake.unwrap_or(Err(Failure::Silence))?;
        self.toggles[usize::from(ep)] = !toggle;
        Ok(())
    }

    /// A control transfer; `length` counts for IN requests.
    pub fn control(
        &mut self,
        request_type: u8,
        request: u8,
        value: u16,
        index: u16,
        data: &[u8],
        length: u16,
    ) -> Result<Vec<u8>, Failure> {
        let is_in = request_type & 0x80 != 0;
        let length = if is_in { length } else { data.len() as u16 };
        let (v, i, l) = (value.to_le_bytes(), index.to_le_bytes(), length.to_le_bytes());
        let (now, address) = (self.now, self.address);
        let setup = [request_type, request, v[0], v[1], i[0], i[1], l[0], l[1]];
        assert_eq!(self.port().setup(now, address, 0, setup), Handshake::Ack);
        (self.toggles[0], self.toggles[16]) = (true, true);
        let mut answer = Vec::new();
        if is_in && length > 0 {
            while answer.len() < usize::from(length) {
                let packet = self.in_packet(0)?;
                let short = packet.len() < MAX_PACKET;
                answer.extend(packet);
                if short {
                    break;
                }
            }
            self.toggles[0] = true;
            self.out_packet(0, &[])?;
        } else {
            for packet in data.chunks(MAX_PACKET) {
                self.out_packet(0, packet)?;
            }
            self.toggles[16] = true;
            assert_eq!(self.in_packet(0)?, [0u8; 0]);
        }
        Ok(answer)
    }

    pub fn clear_halt(&mut self, address: u8) {
        self.control(0x02, 1, 0, u16::from(address), &[], 0).expect("CLEAR_FEATURE");
        self.toggles[usize::from(address & 0x0f) + if address & 0x80 != 0 { 16 } else { 0 }] = false;
    }

    pub fn bulk_out(&mut self, ep: u8, data: &[u8]) -> Result<(), Failure> {
        data.chunks(MAX_PACKET).try_for_each(|packet| self.out_packet(ep, packet))
    }

    /// Up to `length` bytes, or until a short packet.
    pub fn bulk_in(&mut self, ep: u8, length: usize) -> Result<Vec<u8>, Failure> {
        let mut data = Vec::new();
        while data.len() < length {
            let packet = self.in_packet(ep)?;
            let short = packet.len() < MAX_PACKET;
            data.extend(packet);
            if short {
                break;
            }
        }
        Ok(data)
    }

    pub fn cbw(&mut self, length: u32, is_in: bool, command: &[u8]) -> [u8; 31] {
        self.tag += 1;
        let mut cbw = [0; 31];
        cbw[..4].copy_from_slice(b"USBC");
        cbw[4..8].copy_from_slice(&self.tag.to_le_bytes());
        cbw[8..12].copy_from_slice(&length.to_le_bytes());
        cbw[12] = if is_in { 0x80 } else { 0 };
        cbw[14] = command.len() as u8;
        cbw[15..15 + command.len()].copy_from_slice(command);
        cbw
    }

    /// Reads a status wrapper, clearing a halt that stands before it as BOT §6.7.2 says.
    pub fn status(&mut self) -> Status {
        let csw = match self.bulk_in(2, 13) {
            Err(Failure::Stall) => {
                self.clear_halt(0x82);
                self.bulk_in(2, 13)
            }
            other => other,
        };
        let csw = csw.expect("a status wrapper");
        assert_eq!((csw.len(), &csw[..4]), (13, &b"USBS"[..]));
        assert_eq!(csw[4..8], self.tag.to_le_bytes());
        (csw[12], u32::from_le_bytes([csw[8], csw[9], csw[10], csw[11]]))
    }

    /// A command with data to the host; what came before a STALL counts.
    pub fn scsi_in(&mut self, length: u32, command: &[u8]) -> (Vec<u8>, Status) {
        let cbw = self.cbw(length, true, command);
        self.bulk_out(2, &cbw).expect("CBW");
        let mut data = Vec::new();
        while data.len() < length as usize {
            match self.in_packet(2) {
                Ok(packet) => {
                    let short = packet.len() < MAX_PACKET;
                    data.extend(packet);
                    if short {
                        break;
                    }
                }
                Err(Failure::Stall) => {
                    self.clear_halt(0x82);
                    break;
                }
                Err(Failure::Silence) => panic!("silence in the data stage"),
            }
        }
        (data, self.status())
    }

    /// A command with data to the device.
    pub fn scsi_out(&mut self, data: &[u8], command: &[u8]) -> Status {
        let cbw = self.cbw(data.len() as u32, false, command);
        self.bulk_out(2, &cbw).expect("CBW");
        if self.bulk_out(2, data) == Err(Failure::Stall) {
            self.clear_halt(0x02);
        }
        self.status()
    }

    /// READ (10) of one sector.
    pub fn read(&mut self, lba: u32) -> Vec<u8> {
        let l = lba.to_be_bytes();
        let (data, status) = self.scsi_in(512, &[0x28, 0, l[0], l[1], l[2], l[3], 0, 0, 1, 0]);
        assert_eq!(status, (0, 0), "READ {lba}");
        data
    }

    /// WRITE (10).
    pub fn write(&mut self, lba: u32, data: &[u8]) -> Status {
        let (l, n) = (lba.to_be_bytes(), ((data.len() / 512) as u16).to_be_bytes());
        self.scsi_out(data, &[0x2a, 0, l[0], l[1], l[2], l[3], 0, n[0], n[1], 0])
    }

    /// TEST UNIT READY until it passes; how long that took.
    pub fn wait_for_medium(&mut self) -> Span {
        let start = self.now;
        while self.scsi_in(0, &[0; 6]).1.0 != 0 {
            self.wait(Span::ms(10));
            assert!(self.now.since(start) < Span::secs(60), "the medium does not come");
        }
        self.now.since(start)
    }

    /// TEST UNIT READY until it fails.
    pub fn wait_for_no_medium(&mut self) -> Span {
        let start = self.now;
        while self.scsi_in(0, &[0; 6]).1.0 == 0 {
            self.wait(Span::ms(10));
            assert!(self.now.since(start) < Span::secs(60), "the medium does not go");
        }
        self.now.since(start)
    }
}
