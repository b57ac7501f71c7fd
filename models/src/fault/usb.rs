//! `usb.*`: what goes wrong between the board's USB socket and the host.
//!
//! A [`FaultyPort`] stands between the socket and the host's controller. Packets are its opportunities: every token that
//! the host sends to the device after it was addressed, except starts of frames.

use std::fmt;

use twinboard_sim::fault::{Param, PointSpec, SharedFault};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET, UsbPort};

/// A NAK that is the fault's, not the device's, is asked again after this time: hosts ask in every microframe or frame.
const RETRY: Span = Span::us(50);
/// How long a broken connection stays broken if nothing is said.
const AWAY: Span = Span::ms(500);

const ANY_ENDPOINT: &[twinboard_sim::fault::ParamUse] = &[Param::Endpoint.optional()];

/// The family's points.
pub static POINTS: &[PointSpec] = &[
    PointSpec {
        name: "usb.nak",
        what: "the device answers NAK, as if it were busy",
        opportunity: "an IN or OUT packet",
        params: ANY_ENDPOINT,
    },
    PointSpec {
        name: "usb.stall",
        what: "the device answers STALL",
        opportunity: "an IN or OUT packet",
        params: ANY_ENDPOINT,
    },
    PointSpec {
        name: "usb.missing",
        what: "a packet is lost on its way to the device, which does not answer",
        opportunity: "a SETUP, IN or OUT packet",
        params: ANY_ENDPOINT,
    },
    PointSpec {
        name: "usb.lost-ack",
        what: "the device's handshake is lost on its way to the host, which sends the packet again",
        opportunity: "an OUT packet that the device acknowledges",
        params: ANY_ENDPOINT,
    },
    PointSpec {
        name: "usb.short",
        what: "the device sends a packet that ends early, after `bytes` bytes (default: half of them)",
        opportunity: "an IN packet with data",
        params: &[Param::Endpoint.optional(), Param::Bytes.optional()],
    },
    PointSpec {
        name: "usb.babble",
        what: "the device sends more than the endpoint's packets may hold",
        opportunity: "an IN packet with data",
        params: ANY_ENDPOINT,
    },
    PointSpec {
        name: "usb.disconnect",
        what: "the data lines lose contact for `delay` (default 500 ms); the board keeps its power",
        opportunity: "a SETUP, IN or OUT packet",
        params: &[Param::Endpoint.optional(), Param::Delay.optional()],
    },
    PointSpec {
        name: "usb.reset",
        what: "the device sees a bus reset that the host knows nothing of",
        opportunity: "a SETUP, IN or OUT packet",
        params: ANY_ENDPOINT,
    },
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Nak,
    Stall,
    Missing,
    LostAck,
    Short,
    Babble,
    Disconnect,
    Reset,
}

impl Kind {
    fn of(point: &PointSpec) -> Option<Kind> {
        Some(match point.name {
            "usb.nak" => Kind::Nak,
            "usb.stall" => Kind::Stall,
            "usb.missing" => Kind::Missing,
            "usb.lost-ack" => Kind::LostAck,
            "usb.short" => Kind::Short,
            "usb.babble" => Kind::Babble,
            "usb.disconnect" => Kind::Disconnect,
            "usb.reset" => Kind::Reset,
            _ => return None,
        })
    }
}

/// The faults of one socket, and what they have done that lasts.
#[derive(Debug, Default)]
pub struct UsbFaults {
    faults: Vec<(Kind, SharedFault)>,
    /// Added to the port's attention count.
    notices: u64,
    /// The host is to ask again at this time.
    retry: Option<Time>,
    /// There is no contact until then.
    away: Option<Time>,
}

impl UsbFaults {
    /// Arms a fault of this family; false if it is none.
    pub fn add(&mut self, fault: SharedFault) -> bool {
        let Some(kind) = Kind::of(fault.point()) else { return false };
        self.faults.push((kind, fault));
        true
    }

    /// Nothing can go wrong here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// When time alone changes something.
    #[must_use]
    pub fn next(&self) -> Time {
        self.retry.into_iter().chain(self.away).min().unwrap_or(Time::NEVER)
    }

    /// It is `now`.
    pub fn pass(&mut self, now: Time) {
        for due in [&mut self.retry, &mut self.away] {
            if due.is_some_and(|at| at <= now) {
                *due = None;
                self.notices += 1;
            }
        }
    }

    /// The first fault of these kinds that strikes at a packet to or from `endpoint`.
    fn strikes(&self, at: Time, endpoint: u8, kinds: &[Kind], effect: impl Fn(Kind) -> String) -> Option<Kind> {
        self.faults.iter().filter(|(kind, _)| kinds.contains(kind)).find_map(|(kind, fault)| {
            let mut fault = fault.lock();
            if fault.params().endpoint.is_some_and(|wanted| wanted != endpoint) {
                return None;
            }
            fault.strike(at, |_, _| Some(*kind), |kind| (Endpoint(endpoint).to_string(), effect(*kind)))
        })
    }

    fn delay(&self, kind: Kind) -> Span {
        let fault = self.faults.iter().find(|(other, _)| *other == kind);
        fault.and_then(|(_, fault)| fault.lock().params().delay).unwrap_or(AWAY)
    }
}

/// An endpoint by its address, for people.
struct Endpoint(u8);

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.0 & 0x80 != 0 { "IN" } else { "OUT" };
        write!(f, "endpoint {} {direction}", self.0 & 0xf)
    }
}

/// A device's socket with faults on it.
pub struct FaultyPort<'a> {
    port: &'a mut dyn UsbPort,
    faults: &'a mut UsbFaults,
}

impl fmt::Debug for FaultyPort<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyPort").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl<'a> FaultyPort<'a> {
    /// `port` with `faults`.
    pub fn new(port: &'a mut dyn UsbPort, faults: &'a mut UsbFaults) -> FaultyPort<'a> {
        FaultyPort { port, faults }
    }

    /// What happens to a packet before the device hears of it; none if it goes through.
    fn before(&mut self, at: Time, endpoint: u8, kinds: &[Kind]) -> Option<Kind> {
        if self.faults.away.is_some_and(|until| at < until) {
            return Some(Kind::Missing);
        }
        let effect = |kind| {
            String::from(match kind {
                Kind::Nak => "answered NAK",
                Kind::Stall => "answered STALL",
                Kind::Disconnect => "the data lines lost contact",
                Kind::Reset => "the device saw a bus reset",
                _ => "the packet was lost",
            })
        };
        let kind = self.faults.strikes(at, endpoint, kinds, effect)?;
        match kind {
            Kind::Nak => self.faults.retry = Some(at + RETRY),
            Kind::Disconnect => {
                self.faults.away = Some(at + self.faults.delay(kind));
                self.faults.notices += 1;
            }
            Kind::Reset => self.port.bus_reset(at),
            _ => {}
        }
        Some(kind)
    }
}

impl UsbPort for FaultyPort<'_> {
    fn attached(&self) -> bool {
        self.faults.away.is_none() && self.port.attached()
    }

    fn bus_reset(&mut self, at: Time) {
        self.port.bus_reset(at);
    }

    fn vbus(&mut self, at: Time, present: bool) {
        self.port.vbus(at, present);
    }

    fn suspend(&mut self, at: Time, suspended: bool) {
        self.port.suspend(at, suspended);
    }

    fn sof(&mut self, at: Time, frame: u16) {
        if self.faults.away.is_none() {
            self.port.sof(at, frame);
        }
    }

    fn setup(&mut self, at: Time, address: u8, ep: u8, data: [u8; 8]) -> Handshake {
        match self.before(at, ep, &[Kind::Missing, Kind::Disconnect, Kind::Reset]) {
            Some(_) => Handshake::Timeout,
            None => self.port.setup(at, address, ep, data),
        }
    }

    fn out(&mut self, at: Time, address: u8, ep: u8, toggle: bool, data: &[u8]) -> Handshake {
        let kinds = [Kind::Nak, Kind::Stall, Kind::Missing, Kind::Disconnect, Kind::Reset];
        match self.before(at, ep, &kinds) {
            Some(Kind::Nak) => return Handshake::Nak,
            Some(Kind::Stall) => return Handshake::Stall,
            Some(_) => return Handshake::Timeout,
            None => {}
        }
        let handshake = self.port.out(at, address, ep, toggle, data);
        let effect = |_| format!("the acknowledge of {} bytes was lost", data.len());
        if handshake == Handshake::Ack && self.faults.strikes(at, ep, &[Kind::LostAck], effect).is_some() {
            return Handshake::Timeout;
        }
        handshake
    }

    fn r#in(&mut self, at: Time, address: u8, ep: u8, buffer: &mut [u8; MAX_PACKET]) -> InReply {
        let endpoint = ep | 0x80;
        let kinds = [Kind::Nak, Kind::Stall, Kind::Missing, Kind::Disconnect, Kind::Reset];
        match self.before(at, endpoint, &kinds) {
            Some(Kind::Nak) => return InReply::Nak,
            Some(Kind::Stall) => return InReply::Stall,
            Some(_) => return InReply::Timeout,
            None => {}
        }
        let reply = self.port.r#in(at, address, ep, buffer);
        let InReply::Data { len, toggle } = reply else { return reply };
        if len == 0 {
            return reply;
        }
        self.shortened(at, endpoint, len, toggle)
    }

    fn attention(&self) -> u64 {
        self.port.attention() + self.faults.notices
    }
}

impl FaultyPort<'_> {
    /// What becomes of an IN packet of `len` bytes.
    fn shortened(&mut self, at: Time, endpoint: u8, len: usize, toggle: bool) -> InReply {
        let short = |bytes: Option<u32>| bytes.map_or(len / 2, |bytes| (bytes as usize).min(len));
        for (kind, fault) in &self.faults.faults {
            let mut fault = fault.lock();
            if fault.params().endpoint.is_some_and(|wanted| wanted != endpoint) {
                continue;
            }
            let place = || Endpoint(endpoint).to_string();
            let new = match kind {
                Kind::Short => fault.strike(
                    at,
                    |params, _| Some(short(params.bytes)).filter(|&left| left < len),
                    |left| (place(), format!("{left} of {len} bytes arrived")),
                ),
                Kind::Babble => fault.strike(
                    at,
                    |_, _| Some(MAX_PACKET + 1),
                    |sent| (place(), format!("{sent} bytes were sent instead of {len}")),
                ),
                _ => None,
            };
            if let Some(len) = new {
                return InReply::Data { len, toggle };
            }
        }
        InReply::Data { len, toggle }
    }
}
