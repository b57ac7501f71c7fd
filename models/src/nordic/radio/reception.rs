//! The receiving half: what arrives at the antenna, which packet the radio locks on to, and what it makes of it.

use super::super::hfclk::HfClk;
use super::format::{Address, Decoded, Format};
use super::registers::*;
use super::{Current, Cx, Moment, NEVER, Radio, State, Transmission, cycles};
use crate::parts::air::{Modulation, Reception};

/// Strength of the noise on every channel, in dBm.
const NOISE_FLOOR: i16 = -100;
/// A signal disturbs another one on its channel unless it is weaker by so many dB.
const CO_CHANNEL_REJECTION: i16 = 9;
/// Bits of a device address behind the header.
const DEVICE_ADDRESS: u32 = 48;
/// TxAdd, the kind of the sender's address, in S0.
const TXADD: u8 = 1 << 6;

/// A transmission at the antenna, from its start to its end.
#[derive(Debug)]
pub(super) struct Heard {
    reception: Reception,
    start: u64,
    end: u64,
    /// When it is noticed; NEVER when that was.
    due: u64,
}

/// The packet that the radio has locked on to.
#[derive(Debug)]
pub(super) struct Incoming {
    reception: Reception,
    format: Format,
    address: Address,
    decoded: Decoded,
}

impl Radio {
    /// A transmission arrives at the antenna of a chip whose time is `hfclk`.
    pub fn hear(&mut self, hfclk: HfClk, reception: Reception) {
        let (from, to) = (reception.transmission.start, reception.transmission.end());
        let soonest = from + Transmission::SOONEST;
        let (start, end) = (hfclk.cycle(from), hfclk.cycle(to));
        self.heard.retain(|other| other.due != NEVER || other.end > start);
        if self.heard.len() < super::MOST_HEARD {
            self.heard.push(Heard { reception, start, end, due: hfclk.cycle(soonest) });
            self.plan_heard();
        }
    }

    fn plan_heard(&mut self) {
        let due = self.heard.iter().map(|heard| heard.due).min().unwrap_or(NEVER);
        self.plan(Moment::Heard, due);
    }

    /// Notices what is due.
    pub(super) fn listen(&mut self, cx: &mut Cx<'_>) {
        for index in 0..self.heard.len() {
            if self.heard[index].due <= cx.now {
                self.notice(cx, index);
            }
        }
        self.heard.retain(|heard| heard.due != NEVER || heard.end > cx.now);
        self.plan_heard();
    }

    fn notice(&mut self, cx: &mut Cx<'_>, index: usize) {
        let modulation = self.modulation();
        let heard = &self.heard[index];
        let on_air = &heard.reception.transmission;
        let bits = Format::address(&self.registers, modulation, 0).bits;
        let address_at = heard.start + cycles(on_air.modulation.span(on_air.preamble, bits, bits));
        if address_at > cx.now {
            self.heard[index].due = address_at;
            return;
        }
        let dbm = heard.reception.dbm;
        let address_began = heard.start + cycles(on_air.modulation.span(on_air.preamble, bits, 0));
        let listens = self.state == State::Rx
            && self.listening.1 <= address_began
            && on_air.mhz == self.mhz()
            && modulation.hears(on_air.modulation)
            && dbm >= self.sensitivity(on_air.modulation);
        self.heard[index].due = NEVER;
        if self.incoming.is_some() {
            self.disturb(cx.now, index);
        } else if listens && !self.is_jammed(cx.now, index) {
            let enabled = self.registers.get(RXADDRESSES);
            let matched = (0..8).filter(|n| enabled >> n & 1 == 1).find_map(|n| {
                let address = Format::address(&self.registers, modulation, n);
                address.begins(&self.heard[index].reception.transmission.bits).then_some((n, address))
            });
            if let Some((n, address)) = matched {
                self.registers.set(RXMATCH, n);
                self.lock_on(cx, index, address);
            }
        }
    }

    /// Whether other signals on the channel cover this one.
    fn is_jammed(&self, now: u64, index: usize) -> bool {
        let this = &self.heard[index].reception;
        self.heard.iter().enumerate().any(|(n, other)| {
            n != index
                && other.due == NEVER
                && other.end > now
                && other.reception.transmission.mhz == this.transmission.mhz
                && other.reception.dbm > this.dbm - CO_CHANNEL_REJECTION
        })
    }

    fn lock_on(&mut self, cx: &mut Cx<'_>, index: usize, address: Address) {
        let format = self.format();
        let Heard { reception, start, .. } = &self.heard[index];
        let on_air = &reception.transmission;
        let decoded = format.decode(address, &on_air.bits, || self.noise.next() & 1 == 1);
        let current = Current {
            start: *start,
            modulation: on_air.modulation,
            preamble: on_air.preamble,
            layout: decoded.layout,
            pointer: self.listening.0,
        };
        self.incoming = Some(Box::new(Incoming { reception: reception.clone(), format, address, decoded }));
        self.current = Some(current);
        self.proceed(&current);
        if self.registers.get(DACNF) & 0xFF != 0 && current.layout.payload - current.layout.header >= DEVICE_ADDRESS {
            self.plan(Moment::DeviceAddress, current.at(current.layout.header + DEVICE_ADDRESS));
        }
        self.address(cx);
    }

    /// From now on another signal covers the packet that is being received.
    fn disturb(&mut self, now: u64, index: usize) {
        let other = &self.heard[index].reception;
        let (Some(incoming), Some(current)) = (&mut self.incoming, &self.current) else { return };
        let transmission = &mut incoming.reception.transmission;
        if other.transmission.mhz != transmission.mhz || other.dbm <= incoming.reception.dbm - CO_CHANNEL_REJECTION {
            return;
        }
        // The radio has taken the bits up to now.
        let bits = transmission.bits.len();
        let first = (0..bits).find(|&bit| current.at(bit) > now).unwrap_or(bits);
        for bit in first..bits {
            if self.noise.next() & 1 == 1 {
                transmission.bits.flip(bit);
            }
        }
        let layout = incoming.decoded.layout;
        let again = incoming.format.decode(incoming.address, &transmission.bits, || false);
        // LENGTH has been believed if it came before.
        if again.layout == layout {
            incoming.decoded = again;
        } else {
            incoming.decoded.crc_ok = false;
        }
    }

    /// Writes to RAM what has been received so far.
    pub(super) fn store(&mut self, cx: &mut Cx<'_>) {
        let (Some(incoming), Some(current)) = (&self.incoming, &self.current) else { return };
        let Incoming { format, decoded, .. } = &**incoming;
        let last = (current.layout.address..=current.layout.payload).rev().find(|&bit| current.at(bit) <= cx.now);
        let bytes = format.stored(&current.layout, &decoded.packet, last.unwrap_or(0));
        for (byte, address) in decoded.packet.ram[..bytes].iter().zip(current.pointer..) {
            cx.memory.write_bytes(address, &[*byte]);
        }
    }

    /// The end of a packet: its CRC.
    pub(super) fn judge(&mut self) {
        let Some(incoming) = &self.incoming else { return };
        let (crc, ok) = (incoming.decoded.crc, incoming.decoded.crc_ok);
        self.registers.set(RXCRC, crc);
        self.registers.set(CRCSTATUS, u32::from(ok));
        self.raise(if ok { event::CRCOK } else { event::CRCERROR });
    }

    /// Device address match (PS "Device address match"): the first 48 bits of the payload and TxAdd.
    pub(super) fn match_device(&mut self) {
        let Some(incoming) = &self.incoming else { return };
        let packet = &incoming.decoded.packet;
        let Some(received) = packet.ram.get(packet.header..packet.header + 6) else { return };
        let (dacnf, random) = (self.registers.get(DACNF), packet.ram[0] & TXADD != 0);
        let matched = (0..8).filter(|n| dacnf >> n & 1 == 1).find(|&n| {
            let (base, prefix) = (self.registers.get(DAB + 4 * n), self.registers.get(DAP + 4 * n) as u16);
            received[..4] == base.to_le_bytes()
                && received[4..] == prefix.to_le_bytes()
                && (dacnf >> (8 + n) & 1 == 1) == random
        });
        match matched {
            Some(n) => {
                self.registers.set(DAI, n);
                self.raise(event::DEVMATCH);
            }
            None => self.raise(event::DEVMISS),
        }
    }

    /// Strength of what is on the channel, in dBm.
    pub(super) fn strength(&self, now: u64) -> i16 {
        let mhz = self.mhz();
        let heard = self
            .heard
            .iter()
            .filter(|heard| heard.due == NEVER && heard.end > now && heard.reception.transmission.mhz == mhz);
        heard.map(|heard| heard.reception.dbm).fold(NOISE_FLOOR, i16::max)
    }

    /// The weakest signal that is received, in dBm (PS "Receiver operation").
    fn sensitivity(&self, modulation: Modulation) -> i16 {
        self.spec.sensitivity
            + match modulation {
                Modulation::Nrf1Mbit | Modulation::Ble1Mbit => 0,
                Modulation::Nrf2Mbit | Modulation::Ble2Mbit => 3,
                Modulation::Nrf250Kbit | Modulation::BleLr500Kbit => -3,
                Modulation::Ieee802154 => -4,
                Modulation::BleLr125Kbit => -8,
            }
    }
}
