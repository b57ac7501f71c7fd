//! TPM — timer/PWM module (reference manual, chapter of that name): the counter with its overflow, and channels that
//! compare. Captures, outputs on pins and up-down counting are not modelled.

use twinboard_sim::bus::Size;
use twinboard_sim::time::Time;

use super::clock::Rate;
use super::peripheral::{Cx, Peripheral, Reset, merged};

const SC: u32 = 0x00;
const CNT: u32 = 0x04;
const MOD: u32 = 0x08;
const C0SC: u32 = 0x0C;
const C5V: u32 = 0x38;
const STATUS: u32 = 0x50;
const POL: u32 = 0x70;
const CONF: u32 = 0x84;
/// Channels of the largest TPM.
const CHANNELS: usize = 6;

const SC_TOF: u32 = 1 << 7;
const SC_TOIE: u32 = 1 << 6;
const SC_CPWMS: u32 = 1 << 5;
const STATUS_TOF: u32 = 1 << 8;
const CHF: u32 = 1 << 7;
const CHIE: u32 = 1 << 6;
/// MSB, MSA: software compare is 01 with ELS 00.
const CHANNEL_MODE: u32 = 0x3C;
const SOFTWARE_COMPARE: u32 = 1 << 4;
/// CONF\[DOZEEN, DBGMODE\] need no model; triggers do.
const CONF_TRIGGERS: u32 = 0x000F_0300;

/// What distinguishes one TPM from another.
#[derive(Clone, Copy, Debug)]
pub struct TpmSpec {
    /// Channels, at most six.
    pub channels: usize,
    /// POL exists.
    pub pol: bool,
    /// Writable bits of CONF.
    pub conf: u32,
}

impl TpmSpec {
    /// A TPM of the KL26.
    #[must_use]
    pub const fn kl26(channels: usize) -> TpmSpec {
        TpmSpec { channels, pol: false, conf: 0x0F07_02E0 }
    }

    /// A TPM of the KL27, with POL and a choice of triggers.
    #[must_use]
    pub const fn kl27(channels: usize) -> TpmSpec {
        TpmSpec { channels, pol: true, conf: 0x0FCF_03E0 }
    }
}

/// The register machine.
#[derive(Debug)]
pub struct Tpm {
    spec: TpmSpec,
    channels: usize,
    sc: u32,
    modulo: u32,
    /// CnSC and CnV.
    channel: [(u32, u32); CHANNELS],
    pol: u32,
    conf: u32,
    clock: Option<Rate>,
    /// The counter at `since`, from where it counts on if there is a clock.
    count: u32,
    since: Time,
    /// Up to here overflows and matches have been noted.
    noted: u64,
}

impl Tpm {
    /// The TPM that `spec` describes.
    #[must_use]
    pub fn new(spec: TpmSpec) -> Tpm {
        Tpm {
            spec,
            channels: spec.channels.min(CHANNELS),
            sc: 0,
            modulo: 0xFFFF,
            channel: [(0, 0); CHANNELS],
            pol: 0,
            conf: 0,
            clock: None,
            count: 0,
            since: Time::ZERO,
            noted: 0,
        }
    }

    /// SOPT2\[TPMSRC\] behind the prescaler, if SC\[CMOD\] says that it counts.
    fn source(&self, cx: &Cx<'_>) -> Option<Rate> {
        let source = match cx.sopt2 >> 24 & 3 {
            1 => cx.clocks.sources.fast[(cx.sopt2 >> 16 & 1) as usize],
            2 => cx.clocks.sources.external,
            3 => cx.clocks.sources.internal,
            _ => None,
        };
        source.filter(|_| self.sc >> 3 & 3 == 1).map(|rate| rate.divided(1 << (self.sc & 7)))
    }

    fn period(&self) -> u64 {
        u64::from(self.modulo) + 1
    }

    /// Ticks since `since`.
    fn ticks(&self, now: Time) -> u64 {
        self.clock.map_or(0, |clock| clock.ticks(now.since(self.since)))
    }

    fn counter(&self, now: Time) -> u32 {
        ((u64::from(self.count) + self.ticks(now)) % self.period()) as u32
    }

    /// The tick (after `since`, and after those noted) at which the counter next becomes `value`; 0 is an overflow.
    fn next_tick(&self, value: u32) -> Option<u64> {
        let (count, period) = (u64::from(self.count), self.period());
        let value = u64::from(value);
        if self.clock.is_none() || value >= period {
            return None;
        }
        let first = (value + period - count % period) % period;
        let first = if first == 0 { period } else { first };
        let after = self.noted + 1;
        Some(if first >= after { first } else { first + (after - first).div_ceil(period) * period })
    }

    fn compares(&self, n: usize) -> bool {
        self.channel[n].0 & CHANNEL_MODE == SOFTWARE_COMPARE
    }

    /// Notes what happened until `now`.
    fn advance(&mut self, now: Time) {
        let ticks = self.ticks(now);
        if self.next_tick(0).is_some_and(|tick| tick <= ticks) {
            self.sc |= SC_TOF;
        }
        for n in 0..self.channels {
            if self.compares(n) && self.next_tick(self.channel[n].1).is_some_and(|tick| tick <= ticks) {
                self.channel[n].0 |= CHF;
            }
        }
        self.noted = self.noted.max(ticks);
    }

    /// Begins to count anew, from `count`, with the clock and the modulo of now.
    fn restart(&mut self, cx: &Cx<'_>, count: u32) {
        (self.count, self.since, self.noted) = (count, cx.now, 0);
        self.clock = self.source(cx);
    }

    fn flags(&self) -> u32 {
        let channels = (0..self.channels).filter(|n| self.channel[*n].0 & CHF != 0).fold(0, |mask, n| mask | 1 << n);
        channels | if self.sc & SC_TOF != 0 { STATUS_TOF } else { 0 }
    }

    /// CnSC or CnV: the channel, and whether it is CnV.
    fn place(&self, offset: u32) -> Option<(usize, bool)> {
        let n = (offset.checked_sub(C0SC)? / 8) as usize;
        (offset <= C5V && n < self.channels).then_some((n, offset & 4 == 0))
    }
}

impl Peripheral for Tpm {
    fn width(&self) -> Size {
        Size::Word
    }

    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        self.advance(cx.now);
        Some(match offset {
            SC => self.sc,
            CNT => self.counter(cx.now),
            MOD => self.modulo,
            STATUS => self.flags(),
            POL if self.spec.pol => self.pol,
            CONF => self.conf,
            _ => match self.place(offset)? {
                (n, false) => self.channel[n].0,
                (n, true) => self.channel[n].1,
            },
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, lanes: u32) -> Option<()> {
        self.advance(cx.now);
        let value = value & lanes;
        let count = self.counter(cx.now);
        let mut known = true;
        match offset {
            SC => {
                let tof = self.sc & !value & SC_TOF;
                self.sc = merged(self.sc, value, lanes & 0x17F) & !SC_TOF | tof;
                self.restart(cx, count);
                known = self.sc & SC_CPWMS == 0 && self.sc >> 3 & 3 < 2;
            }
            CNT => self.restart(cx, 0),
            MOD => {
                self.modulo = merged(self.modulo, value, lanes & 0xFFFF);
                self.restart(cx, if u64::from(count) < self.period() { count } else { 0 });
            }
            STATUS => {
                for n in 0..self.channels {
                    self.channel[n].0 &= !((value >> n & 1) << 7);
                }
                if value & STATUS_TOF != 0 {
                    self.sc &= !SC_TOF;
                }
            }
            POL if self.spec.pol => self.pol = merged(self.pol, value, lanes & 0x3F),
            CONF => {
                self.conf = merged(self.conf, value, lanes & self.spec.conf);
                known = self.conf & CONF_TRIGGERS == 0;
            }
            _ => {
                let (n, is_value) = self.place(offset)?;
                let (control, compare) = &mut self.channel[n];
                if is_value {
                    *compare = merged(*compare, value, lanes & 0xFFFF);
                } else {
                    let flag = *control & !value & CHF;
                    *control = merged(*control, value, lanes & 0x7D) & !CHF | flag;
                    known = matches!(*control & CHANNEL_MODE, 0 | SOFTWARE_COMPARE);
                }
            }
        }
        known.then_some(())
    }

    fn reset(&mut self, cx: &mut Cx<'_>, _: Reset) {
        *self = Tpm { since: cx.now, ..Tpm::new(self.spec) };
    }

    fn irq(&self) -> bool {
        self.sc & (SC_TOF | SC_TOIE) == SC_TOF | SC_TOIE
            || self.channel.iter().any(|(control, _)| control & (CHF | CHIE) == CHF | CHIE)
    }

    /// Only what can interrupt is an event; everything else is computed when somebody looks.
    fn next(&self) -> Time {
        let Some(clock) = self.clock else { return Time::NEVER };
        let overflow = self.next_tick(0).filter(|_| self.sc & (SC_TOF | SC_TOIE) == SC_TOIE);
        let matches = (0..self.channels).filter(|n| self.channel[*n].0 & (CHF | CHIE) == CHIE && self.compares(*n));
        let first = matches.filter_map(|n| self.next_tick(self.channel[n].1)).chain(overflow).min();
        first.map_or(Time::NEVER, |tick| self.since + clock.span(tick))
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.advance(cx.now);
    }

    fn reclocked(&mut self, cx: &mut Cx<'_>) {
        self.advance(cx.now);
        let count = self.counter(cx.now);
        self.restart(cx, count);
    }
}

#[cfg(test)]
mod tests {
    use twinboard_sim::time::Span;

    use super::super::peripheral::testing::Bench;
    use super::*;

    fn bench() -> (Bench, Tpm) {
        (Bench { sopt2: 1 << 24, ..Bench::default() }, Tpm::new(TpmSpec::kl27(6)))
    }

    #[test]
    fn the_counter_overflows_one_tick_after_mod_and_interrupts() {
        let (mut bench, mut tpm) = bench();
        // 48 MHz / 4, 12 ticks.
        bench.write(&mut tpm, MOD, 11);
        bench.write(&mut tpm, SC, SC_TOIE | 1 << 3 | 2);
        bench.run_to(&mut tpm, Time(999_999));
        assert_eq!((tpm.irq(), bench.read(&mut tpm, CNT)), (false, 11));
        bench.run_to(&mut tpm, Time(1_000_000));
        assert_eq!((tpm.irq(), bench.read(&mut tpm, CNT), bench.read(&mut tpm, STATUS)), (true, 0, STATUS_TOF));
        // TOF is cleared by writing 1 to it; the timer counts on.
        bench.write(&mut tpm, SC, SC_TOF | SC_TOIE | 1 << 3 | 2);
        assert!(!tpm.irq());
        bench.run_to(&mut tpm, Time(2_000_000));
        assert!(tpm.irq());
    }

    #[test]
    fn a_counter_without_cmod_or_clock_stands_still_where_it_is() {
        let (mut bench, mut tpm) = bench();
        bench.write(&mut tpm, SC, 1 << 3);
        bench.run_to(&mut tpm, Time::ZERO + Span::us(10));
        bench.write(&mut tpm, SC, 0);
        bench.run_to(&mut tpm, Time::ZERO + Span::us(20));
        assert_eq!(bench.read(&mut tpm, CNT), 480);
        bench.write(&mut tpm, CNT, 77);
        assert_eq!(bench.read(&mut tpm, CNT), 0, "any write clears");
    }

    #[test]
    fn a_software_compare_raises_chf_each_time_round() {
        let (mut bench, mut tpm) = bench();
        bench.write(&mut tpm, MOD, 47);
        bench.write(&mut tpm, C0SC + 8, CHIE | SOFTWARE_COMPARE);
        bench.write(&mut tpm, C0SC + 12, 24);
        bench.write(&mut tpm, SC, 1 << 3);
        for round in 0..3 {
            bench.run_to(&mut tpm, Time(500_000 + 1_000_000 * round));
            assert_eq!(bench.read(&mut tpm, STATUS) & 2, 2);
            bench.write(&mut tpm, STATUS, 2);
            assert!(!tpm.irq());
        }
    }

    #[test]
    fn outputs_and_captures_are_not_taken_silently() {
        let (mut bench, mut tpm) = bench();
        assert_eq!(tpm.write(&mut bench.cx(), C0SC, 0x28, u32::MAX), None);
        assert_eq!(tpm.read(&mut bench.cx(), 0x3C), None);
        assert_eq!(Tpm::new(TpmSpec::kl26(6)).read(&mut bench.cx(), POL), None, "the KL26 has no POL");
    }
}
