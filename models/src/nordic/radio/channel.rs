//! Energy detection and clear channel assessment for IEEE 802.15.4 (PS "RADIO", "IEEE 802.15.4 operation").

use super::registers::*;
use super::{Cx, Moment, PCLK16M, Peripheral, Radio, State, us};

/// Eight symbols of 16 us: aCcaTime, and one turn of energy detection.
const ASSESSMENT: u64 = us(128);
/// EDSAMPLE 0 is this strength, in dBm (ED_RSSIOFFS).
const ED_RSSIOFFS: i16 = -93;

impl Radio {
    pub(super) fn channel_task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        let receives = matches!(self.state, State::Rx | State::RxIdle);
        match offset {
            task::EDSTART if receives => {
                let turns = u64::from(self.registers.get(EDCNT) & 0x1F_FFFF) + 1;
                self.plan(Moment::Energy, cx.now + turns * ASSESSMENT);
            }
            task::CCASTART if receives => self.plan(Moment::Channel, cx.now + ASSESSMENT),
            task::EDSTOP => {
                self.cancel(&[Moment::Energy]);
                self.plan(Moment::EnergyStopped, cx.now + PCLK16M);
            }
            task::CCASTOP => {
                self.cancel(&[Moment::Channel]);
                self.plan(Moment::ChannelStopped, cx.now + PCLK16M);
            }
            task::EDSTART | task::CCASTART => {}
            _ => return None,
        }
        Some(())
    }

    fn energy(&self, now: u64) -> u32 {
        (self.strength(now) - ED_RSSIOFFS).clamp(0, 127) as u32
    }

    pub(super) fn energy_detected(&mut self, cx: &mut Cx<'_>) {
        self.registers.set(EDSAMPLE, self.energy(cx.now));
        self.raise(event::EDEND);
        if self.short(short::EDEND_DISABLE) {
            self.task(cx, task::DISABLE);
        }
    }

    pub(super) fn channel_assessed(&mut self, cx: &mut Cx<'_>) {
        if self.energy(cx.now) > self.registers.get(CCACTRL) >> 8 & 0xFF {
            self.raise(event::CCABUSY);
            if self.short(short::CCABUSY_DISABLE) {
                self.task(cx, task::DISABLE);
            }
            return;
        }
        self.raise(event::CCAIDLE);
        if self.short(short::CCAIDLE_STOP) {
            self.task(cx, task::STOP);
        }
        if self.short(short::CCAIDLE_TXEN) && self.state != State::Disabled {
            // Receiving gives way to sending.
            self.abandon();
            self.state = State::RxIdle;
            self.task(cx, task::TXEN);
        }
    }
}
