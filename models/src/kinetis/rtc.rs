//! RTC — real-time clock (reference manual, chapter of that name): seconds since whenever software says, an alarm, a pulse each
//! second, and the compensation of a crystal that is a little off.

use twinboard_sim::bus::Size;
use twinboard_sim::time::{Span, Time};

use super::clock::Rate;
use super::peripheral::{Cx, Peripheral, Reset, merged};

const TSR: u32 = 0x00;
const TPR: u32 = 0x04;
const TAR: u32 = 0x08;
const TCR: u32 = 0x0C;
const CR: u32 = 0x10;
const SR: u32 = 0x14;
const LR: u32 = 0x18;
const IER: u32 = 0x1C;

const CR_SWR: u32 = 1;
/// SC2P to SC16P, CLKO, OSCE, WPS, UM, SUP, WPE, SWR.
const CR_BITS: u32 = 0x3F1F;
const SR_TCE: u32 = 1 << 4;
const SR_TAF: u32 = 1 << 2;
const SR_TOF: u32 = 1 << 1;
const SR_TIF: u32 = 1;
const LR_TCL: u32 = 1 << 3;
const LR_CRL: u32 = 1 << 4;
const LR_SRL: u32 = 1 << 5;
const LR_LRL: u32 = 1 << 6;
const IER_TSIE: u32 = 1 << 4;
/// WPON, TSIE, TAIE, TOIE, TIIE.
const IER_BITS: u32 = 0x97;
/// Ticks of a second without compensation: TSR counts when bit 14 of TPR falls.
const SECOND: u32 = 0x8000;

/// The register machine.
#[derive(Debug)]
pub struct Rtc {
    tsr: u32,
    /// Ticks of the present second.
    tpr: u32,
    tar: u32,
    /// CIR and TCR.
    tcr: u32,
    /// CIC and TCV.
    interval: u8,
    compensation: i8,
    cr: u32,
    sr: u32,
    lr: u32,
    ier: u32,
    /// ERCLK32K, while TCE is set.
    clock: Option<Rate>,
    since: Time,
    noted: u64,
    /// The end of the pulse of the seconds interrupt.
    pulse_until: Time,
}

impl Rtc {
    /// An RTC at power-on.
    #[must_use]
    pub fn new() -> Rtc {
        Rtc {
            tsr: 0,
            tpr: 0,
            tar: 0,
            tcr: 0,
            interval: 0,
            compensation: 0,
            cr: 0,
            sr: SR_TIF,
            lr: 0xFF,
            ier: 0x07,
            clock: None,
            since: Time::ZERO,
            noted: 0,
            pulse_until: Time::ZERO,
        }
    }

    fn counts(&self) -> bool {
        self.sr & SR_TCE != 0
    }

    /// Ticks of the present second: its last ones are left out, or there are some more.
    fn length(&self) -> u32 {
        SECOND.wrapping_add_signed(-i32::from(self.compensation))
    }

    /// A second is over.
    fn tick(&mut self) {
        self.tpr = 0;
        if self.tsr == self.tar {
            self.sr |= SR_TAF;
        }
        self.tsr = self.tsr.wrapping_add(1);
        if self.tsr == 0 {
            self.sr |= SR_TOF;
        }
        // CIC and TCV are updated once a second.
        if self.interval == 0 {
            (self.interval, self.compensation) = ((self.tcr >> 8) as u8, self.tcr as i8);
        } else {
            (self.interval, self.compensation) = (self.interval - 1, 0);
        }
    }

    /// Notes what happened until `now`. A counter whose time is invalid or has overflowed stands still.
    fn advance(&mut self, now: Time) {
        let Some(clock) = self.clock else { return };
        let ticks = clock.ticks(now.since(self.since));
        let mut passed = ticks.saturating_sub(self.noted);
        self.noted = ticks;
        while self.sr & (SR_TIF | SR_TOF) == 0 && passed > 0 {
            let left = u64::from(self.length() - self.tpr);
            if passed < left {
                self.tpr += passed as u32;
                break;
            }
            passed -= left;
            self.tick();
        }
    }

    fn restart(&mut self, cx: &Cx<'_>) {
        (self.since, self.noted) = (cx.now, 0);
        self.clock = cx.clocks.erclk32k.filter(|_| self.counts());
    }

    /// When the present second is over.
    fn end_of_second(&self) -> Option<Time> {
        let clock = self.clock.filter(|_| self.sr & (SR_TIF | SR_TOF) == 0)?;
        Some(self.since + clock.span(self.noted + u64::from(self.length() - self.tpr)))
    }

    fn flags(&self) -> u32 {
        self.sr & (SR_TAF | SR_TOF | SR_TIF)
    }
}

impl Default for Rtc {
    fn default() -> Rtc {
        Rtc::new()
    }
}

impl Peripheral for Rtc {
    fn width(&self) -> Size {
        Size::Word
    }

    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        self.advance(cx.now);
        // TSR and TPR read as 0 while the time is invalid or has overflowed.
        let valid = self.sr & (SR_TIF | SR_TOF) == 0;
        Some(match offset {
            TSR => {
                if valid {
                    self.tsr
                } else {
                    0
                }
            }
            TPR => {
                if valid {
                    self.tpr.min(SECOND - 1)
                } else {
                    0
                }
            }
            TAR => self.tar,
            TCR => u32::from(self.interval) << 24 | u32::from(self.compensation as u8) << 16 | self.tcr,
            CR => self.cr,
            SR => self.sr,
            LR => self.lr,
            IER => self.ier,
            _ => return None,
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, lanes: u32) -> Option<()> {
        self.advance(cx.now);
        let locked = |lock| self.lr & lock == 0;
        match offset {
            // Read-only while the counter is on.
            TSR if !self.counts() => {
                self.tsr = merged(self.tsr, value, lanes);
                self.sr &= !(SR_TIF | SR_TOF);
            }
            TPR if !self.counts() => self.tpr = merged(self.tpr, value, lanes & 0x7FFF),
            TSR | TPR => {}
            TAR => {
                self.tar = merged(self.tar, value, lanes);
                self.sr &= !SR_TAF;
            }
            TCR if locked(LR_TCL) => {}
            TCR => self.tcr = merged(self.tcr, value, lanes & 0xFFFF),
            CR if locked(LR_CRL) => {}
            CR if value & lanes & CR_SWR != 0 => {
                // As power-on, but for this bit, which software clears itself.
                *self = Rtc { cr: CR_SWR, since: cx.now, ..Rtc::new() };
            }
            CR => self.cr = merged(self.cr, value, lanes & CR_BITS),
            SR if locked(LR_SRL) => {}
            SR => {
                self.sr = merged(self.sr, value, lanes & SR_TCE);
                self.restart(cx);
            }
            LR if locked(LR_LRL) => {}
            LR => self.lr = self.lr & value & 0x78 | self.lr & !0x78 | self.lr & !lanes,
            IER => self.ier = merged(self.ier, value, lanes & IER_BITS),
            _ => return None,
        }
        Some(())
    }

    /// Power-on resets it, and nothing else but CR\[SWR\].
    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset) {
        if reset == Reset::PowerOn {
            *self = Rtc { since: cx.now, ..Rtc::new() };
        }
    }

    fn irq(&self) -> bool {
        self.flags() & self.ier != 0
    }

    /// The seconds interrupt is a pulse that nobody has to clear.
    fn second_irq(&self) -> bool {
        self.pulse_until != Time::ZERO
    }

    fn next(&self) -> Time {
        if self.second_irq() {
            return self.pulse_until;
        }
        // Alarm and overflow come at the end of a second too.
        let awaited = self.ier & IER_TSIE != 0 || self.ier & (SR_TAF | SR_TOF) & !self.sr != 0;
        self.end_of_second().filter(|_| awaited).unwrap_or(Time::NEVER)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        let before = self.tsr;
        self.advance(cx.now);
        let over = self.second_irq() && self.pulse_until <= cx.now;
        if self.tsr != before && self.ier & IER_TSIE != 0 {
            let tick = self.clock.map_or(Span(1), |clock| clock.span(1));
            self.pulse_until = cx.now + tick;
        } else if over {
            self.pulse_until = Time::ZERO;
        }
    }

    fn steady(&self, offset: u32) -> bool {
        matches!(offset, TAR | CR | LR | IER)
    }

    fn reclocked(&mut self, cx: &mut Cx<'_>) {
        self.advance(cx.now);
        self.restart(cx);
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    fn after(ms: u64) -> Time {
        Time::ZERO + Span::ms(ms)
    }

    /// A clock with a crystal of 32768 Hz that begins at `seconds`.
    fn started(seconds: u32) -> (Bench, Rtc) {
        let (mut bench, mut rtc) = (Bench::default(), Rtc::new());
        bench.clocks.erclk32k = Some(Rate::hz(32_768));
        bench.write(&mut rtc, TSR, seconds);
        bench.write(&mut rtc, IER, 0);
        bench.write(&mut rtc, SR, SR_TCE);
        (bench, rtc)
    }

    #[test]
    fn the_time_is_invalid_until_it_has_been_set() {
        let (mut bench, mut rtc) = (Bench::default(), Rtc::new());
        bench.clocks.erclk32k = Some(Rate::hz(32_768));
        assert_eq!((bench.read(&mut rtc, SR), bench.read(&mut rtc, IER), rtc.irq()), (SR_TIF, 7, true));
        bench.write(&mut rtc, SR, SR_TCE);
        bench.run_to(&mut rtc, after(5_000));
        assert_eq!(bench.read(&mut rtc, TSR), 0, "it does not count");
        bench.write(&mut rtc, SR, 0);
        bench.write(&mut rtc, TSR, 100);
        assert_eq!((bench.read(&mut rtc, SR), rtc.irq()), (0, false));
        bench.write(&mut rtc, SR, SR_TCE);
        bench.run_to(&mut rtc, after(8_500));
        assert_eq!((bench.read(&mut rtc, TSR), bench.read(&mut rtc, TPR)), (103, 0x4000));
        // A running counter is not written.
        bench.write(&mut rtc, TSR, 7);
        assert_eq!(bench.read(&mut rtc, TSR), 103);
    }

    #[test]
    fn the_alarm_comes_when_the_second_of_tar_is_over_and_goes_with_a_write_to_tar() {
        let (mut bench, mut rtc) = started(10);
        bench.write(&mut rtc, TAR, 12);
        bench.write(&mut rtc, IER, 1 << 2);
        bench.run_to(&mut rtc, after(2_999));
        assert!(!rtc.irq());
        bench.run_to(&mut rtc, after(3_000));
        assert_eq!((rtc.irq(), bench.read(&mut rtc, TSR)), (true, 13));
        bench.write(&mut rtc, TAR, 0);
        assert!(!rtc.irq());
    }

    #[test]
    fn the_seconds_interrupt_is_a_pulse_each_second() {
        let (mut bench, mut rtc) = started(0);
        bench.write(&mut rtc, IER, IER_TSIE);
        for second in 1..4 {
            bench.run_to(&mut rtc, after(1_000 * second - 1));
            assert!(!rtc.second_irq(), "{second}");
            bench.run_to(&mut rtc, after(1_000 * second));
            assert!(rtc.second_irq(), "{second}");
            bench.run_to(&mut rtc, after(1_000 * second + 1));
            assert!(!rtc.second_irq(), "{second}");
        }
    }

    #[test]
    fn compensation_shortens_one_second_in_each_interval() {
        let (mut bench, mut rtc) = started(0);
        // Every second of the seconds (CIR 1) has 127 ticks less. What is written counts from the end of the present one.
        bench.write(&mut rtc, TCR, 1 << 8 | 127);
        bench.run_to(&mut rtc, after(1_000));
        assert_eq!(bench.read(&mut rtc, TCR), 1 << 24 | 127 << 16 | 1 << 8 | 127);
        bench.run_to(&mut rtc, after(10_000));
        // Ten seconds, of which the second, fourth and so on were shorter by 127 / 32768 s.
        assert_eq!((bench.read(&mut rtc, TSR), bench.read(&mut rtc, TPR)), (10, 5 * 127));
        // -128: 32896 ticks, for the nine seconds behind the first one.
        let (mut bench, mut rtc) = started(0);
        bench.write(&mut rtc, TCR, 0x80);
        bench.run_to(&mut rtc, after(11_000));
        assert_eq!((bench.read(&mut rtc, TSR), bench.read(&mut rtc, TPR)), (10, 0x8000 - 9 * 128));
    }

    #[test]
    fn an_overflow_stops_the_counter() {
        let (mut bench, mut rtc) = started(u32::MAX);
        bench.write(&mut rtc, IER, 1 << 1);
        bench.run_to(&mut rtc, after(3_000));
        assert_eq!((rtc.irq(), bench.read(&mut rtc, SR), bench.read(&mut rtc, TSR)), (true, SR_TCE | SR_TOF, 0));
    }

    #[test]
    fn a_locked_register_is_kept_until_a_software_reset() {
        let (mut bench, mut rtc) = started(5);
        bench.write(&mut rtc, LR, 0xFF & !LR_TCL);
        bench.write(&mut rtc, TCR, 9);
        assert_eq!(bench.read(&mut rtc, TCR) & 0xFFFF, 0);
        bench.write(&mut rtc, LR, 0xFF);
        assert_eq!(bench.read(&mut rtc, LR), 0xF7, "a lock is not taken back");
        rtc.reset(&mut bench.cx(), Reset::Software);
        assert_eq!(bench.read(&mut rtc, LR), 0xF7);
        bench.write(&mut rtc, CR, CR_SWR);
        assert_eq!(
            (bench.read(&mut rtc, LR), bench.read(&mut rtc, SR), bench.read(&mut rtc, CR)),
            (0xFF, SR_TIF, CR_SWR)
        );
        bench.write(&mut rtc, CR, 0);
        assert_eq!(bench.read(&mut rtc, CR), 0);
    }
}
