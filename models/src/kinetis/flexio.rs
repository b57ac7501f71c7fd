//! FlexIO — configurable shifters and timers (KL27 reference manual, chapter of that name), as far as PWM on a pin
//! needs them: timers in dual 8-bit counters PWM mode that are always enabled. Everything else is registers.
//!
//! Nobody on the board can follow a PWM of some kHz edge by edge; the pin's watchers are told period and high time
//! when they change.

use twinboard_sim::bus::Size;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::PinId;

use super::clock::Rate;
use super::peripheral::{Cx, Peripheral, Reset, merged};

const VERID: u32 = 0x000;
const PARAM: u32 = 0x004;
const CTRL: u32 = 0x008;
const SHIFTSTAT: u32 = 0x010;
const SHIFTERR: u32 = 0x014;
const TIMSTAT: u32 = 0x018;
const SHIFTSIEN: u32 = 0x020;
const SHIFTEIEN: u32 = 0x024;
const TIMIEN: u32 = 0x028;
const SHIFTSDEN: u32 = 0x030;
const SHIFTCTL: u32 = 0x080;
const SHIFTCFG: u32 = 0x100;
const TIMCTL: u32 = 0x400;
const TIMCFG: u32 = 0x480;
const TIMCMP: u32 = 0x500;
/// There are four of each.
const COUNT: u32 = 4;
const END: u32 = 4 * COUNT;

const CTRL_FLEXEN: u32 = 1;
const CTRL_SWRST: u32 = 1 << 1;
const CTRL_BITS: u32 = 0xC000_0007;
const TIMCTL_BITS: u32 = 0x0FC3_0783;
/// TIMCTL\[TIMOD\] = dual 8-bit counters PWM; TIMCTL\[PINCFG\] = output.
const TIMOD_PWM: u32 = 2;
const PINCFG_OUTPUT: u32 = 3;
const TIMCFG_BITS: u32 = 0x0337_7732;

/// Where FlexIO is on pins.
#[derive(Clone, Copy, Debug)]
pub struct FlexioSpec {
    /// The number of FXIO0_D*n*, the pin, and its PCR\[MUX\].
    pub pins: &'static [(u8, PinId, u8)],
}

/// A PWM signal on a pin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pwm {
    pin: PinId,
    mux: u8,
    clock: Rate,
    high: u32,
    period: u32,
}

/// The register machine.
#[derive(Debug)]
pub struct Flexio {
    spec: FlexioSpec,
    ctrl: u32,
    enables: [u32; 4],
    shiftctl: [u32; 4],
    shiftcfg: [u32; 4],
    timctl: [u32; 4],
    timcfg: [u32; 4],
    timcmp: [u32; 4],
    signals: [Option<Pwm>; 4],
    /// When each signal began.
    since: [Time; 4],
}

fn index(offset: u32, base: u32) -> usize {
    ((offset - base) / 4) as usize & 3
}

impl Flexio {
    /// A FlexIO on these pins.
    #[must_use]
    pub fn new(spec: FlexioSpec) -> Flexio {
        Flexio {
            spec,
            ctrl: 0,
            enables: [0; 4],
            shiftctl: [0; 4],
            shiftcfg: [0; 4],
            timctl: [0; 4],
            timcfg: [0; 4],
            timcmp: [0; 4],
            signals: [None; 4],
            since: [Time::ZERO; 4],
        }
    }

    /// SOPT2\[FLEXIOSRC\].
    fn clock(cx: &Cx<'_>) -> Option<Rate> {
        match cx.sopt2 >> 22 & 3 {
            1 => cx.clocks.sources.fast[0],
            2 => cx.clocks.sources.external,
            3 => cx.clocks.sources.internal,
            _ => None,
        }
    }

    /// What timer `n` puts on a pin, if it is in PWM mode and runs.
    fn signal(&self, cx: &Cx<'_>, n: usize) -> Option<Pwm> {
        let (control, config, compare) = (self.timctl[n], self.timcfg[n], self.timcmp[n]);
        let output = control & 3 == TIMOD_PWM && control >> 16 & 3 == PINCFG_OUTPUT;
        // TIMENA: always; TIMDEC: the FlexIO clock.
        if self.ctrl & CTRL_FLEXEN == 0 || !output || config >> 8 & 7 != 0 || config >> 20 & 3 != 0 {
            return None;
        }
        let number = control >> 8 & 7;
        let (_, pin, mux) = *self
            .spec
            .pins
            .iter()
            .find(|(of, pin, mux)| u32::from(*of) == number && cx.pins.mux(*pin) == u32::from(*mux))?;
        let (lower, upper) = ((compare & 0xFF) + 1, (compare >> 8 & 0xFF) + 1);
        // PINPOL swaps the levels.
        let high = if control >> 7 & 1 == 1 { upper } else { lower };
        Some(Pwm { pin, mux, clock: Self::clock(cx)?, high, period: lower + upper })
    }

    /// Tells the pins what changed.
    fn refresh(&mut self, cx: &mut Cx<'_>) {
        for n in 0..self.signals.len() {
            let signal = self.signal(cx, n);
            let old = std::mem::replace(&mut self.signals[n], signal);
            if old == signal {
                continue;
            }
            if let Some(old) = old {
                cx.pins.offer(cx.now, old.pin, old.mux.into(), None);
            }
            if let Some(pwm) = signal {
                self.since[n] = cx.now;
                cx.pins.offer(cx.now, pwm.pin, pwm.mux.into(), Some(2 * pwm.high >= pwm.period));
                let span = |ticks: u32| pwm.clock.span(ticks.into());
                cx.pins.pulse(cx.now, pwm.pin, span(pwm.period), span(pwm.high));
            }
        }
    }
}

impl Peripheral for Flexio {
    fn width(&self) -> Size {
        Size::Word
    }

    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(match offset {
            VERID => 0x0100_0000,
            PARAM => 0x1008_0404,
            CTRL => self.ctrl,
            SHIFTSTAT | SHIFTERR | TIMSTAT => 0,
            SHIFTSIEN => self.enables[0],
            SHIFTEIEN => self.enables[1],
            TIMIEN => self.enables[2],
            SHIFTSDEN => self.enables[3],
            SHIFTCTL..=0x8C => self.shiftctl[index(offset, SHIFTCTL)],
            SHIFTCFG..=0x10C => self.shiftcfg[index(offset, SHIFTCFG)],
            TIMCTL..=0x40C => self.timctl[index(offset, TIMCTL)],
            TIMCFG..=0x48C => self.timcfg[index(offset, TIMCFG)],
            TIMCMP..=0x50C => self.timcmp[index(offset, TIMCMP)],
            _ => return None,
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, lanes: u32) -> Option<()> {
        let keep = |old: &mut u32, bits: u32| *old = merged(*old, value, lanes & bits);
        let mut known = true;
        match offset {
            VERID | PARAM | SHIFTSTAT | SHIFTERR | TIMSTAT => {}
            CTRL => {
                keep(&mut self.ctrl, CTRL_BITS);
                if self.ctrl & CTRL_SWRST != 0 {
                    *self =
                        Flexio { ctrl: self.ctrl, signals: self.signals, since: self.since, ..Flexio::new(self.spec) };
                }
            }
            SHIFTSIEN => keep(&mut self.enables[0], 0xF),
            SHIFTEIEN => keep(&mut self.enables[1], 0xF),
            TIMIEN => keep(&mut self.enables[2], 0xF),
            SHIFTSDEN => keep(&mut self.enables[3], 0xF),
            _ if (SHIFTCTL..SHIFTCTL + END).contains(&offset) => {
                let kept = &mut self.shiftctl[index(offset, SHIFTCTL)];
                keep(kept, 0x0383_0787);
                // No shifter shifts.
                known = *kept & 7 == 0;
            }
            _ if (SHIFTCFG..SHIFTCFG + END).contains(&offset) => {
                keep(&mut self.shiftcfg[index(offset, SHIFTCFG)], 0x133)
            }
            _ if (TIMCTL..TIMCTL + END).contains(&offset) => {
                let kept = &mut self.timctl[index(offset, TIMCTL)];
                keep(kept, TIMCTL_BITS);
                known = matches!(*kept & 3, 0 | TIMOD_PWM);
            }
            _ if (TIMCFG..TIMCFG + END).contains(&offset) => keep(&mut self.timcfg[index(offset, TIMCFG)], TIMCFG_BITS),
            _ if (TIMCMP..TIMCMP + END).contains(&offset) => keep(&mut self.timcmp[index(offset, TIMCMP)], 0xFFFF),
            _ => return None,
        }
        self.refresh(cx);
        known.then_some(())
    }

    fn reset(&mut self, cx: &mut Cx<'_>, _: Reset) {
        *self = Flexio::new(self.spec);
        // Also what a pin kept in VLLS.
        for (_, pin, mux) in self.spec.pins {
            cx.pins.offer(cx.now, *pin, (*mux).into(), None);
        }
    }

    fn steady(&self, _: u32) -> bool {
        true
    }

    /// In VLLS the timers have no power, and a pin keeps the level that it had at that instant.
    fn powers_down(&mut self, cx: &mut Cx<'_>) {
        for (signal, since) in self.signals.iter_mut().zip(self.since) {
            let Some(pwm) = signal.take() else { continue };
            let span = |ticks: u32| pwm.clock.span(ticks.into());
            let (period, high) = (span(pwm.period), span(pwm.high));
            let is_high = cx.now.since(since).0 % period.0.max(1) < high.0;
            cx.pins.offer(cx.now, pwm.pin, pwm.mux.into(), Some(is_high));
            cx.pins.pulse(cx.now, pwm.pin, period, if is_high { period } else { Span::ZERO });
        }
    }

    fn reclocked(&mut self, cx: &mut Cx<'_>) {
        self.refresh(cx);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use twinboard_sim::wire::Edge;

    use super::super::peripheral::testing::Bench;
    use super::*;
    use crate::parts::PinObserver;

    const PTD7: PinId = PinId(103);
    const SPEC: FlexioSpec = FlexioSpec { pins: &[(7, PTD7, 6)] };

    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<(Span, Span)>>>);

    impl PinObserver for Seen {
        fn watches(&self, _: PinId) -> bool {
            true
        }

        fn edge(&mut self, _: &Edge) {}

        fn pulses(&mut self, _: Time, _: PinId, period: Span, high: Span) {
            self.0.lock().expect("no panic").push((period, high));
        }
    }

    #[test]
    fn a_timer_in_pwm_mode_drives_its_pin_with_the_two_compare_values() {
        let (mut bench, mut flexio, seen) = (Bench::default(), Flexio::new(SPEC), Seen::default());
        bench.pins.observe(Box::new(seen.clone()));
        bench.clocks.sources.internal = Some(Rate::hz(8_000_000));
        bench.sopt2 = 3 << 22;
        bench.pins.ports[3].pcr[7] = 6 << 8;
        bench.pins.configured(Time::ZERO, 3, 1 << 7);
        bench.write(&mut flexio, CTRL, 1);
        // High for 64 of 256 ticks of 125 ns.
        bench.write(&mut flexio, TIMCMP, 191 << 8 | 63);
        bench.write(&mut flexio, TIMCTL, 0x01C3_0702);
        assert_eq!(*seen.0.lock().expect("no panic"), [(Span::us(32), Span::us(8))]);
        bench.write(&mut flexio, TIMCMP, 127 << 8 | 127);
        assert_eq!(seen.0.lock().expect("no panic")[1..], [(Span::us(32), Span::us(16))]);
    }

    #[test]
    fn a_software_reset_leaves_only_ctrl() {
        let (mut bench, mut flexio) = (Bench::default(), Flexio::new(SPEC));
        bench.write(&mut flexio, TIMCMP + 4, 0x1234);
        bench.write(&mut flexio, CTRL, 2);
        assert_eq!((bench.read(&mut flexio, TIMCMP + 4), bench.read(&mut flexio, CTRL)), (0, 2));
        bench.write(&mut flexio, CTRL, 0);
        assert_eq!(bench.read(&mut flexio, PARAM), 0x1008_0404);
    }

    #[test]
    fn shifters_and_other_timer_modes_are_not_taken_silently() {
        let (mut bench, mut flexio) = (Bench::default(), Flexio::new(SPEC));
        assert_eq!(flexio.write(&mut bench.cx(), SHIFTCTL, 2, u32::MAX), None);
        assert_eq!(flexio.write(&mut bench.cx(), TIMCTL, 1, u32::MAX), None);
    }
}
