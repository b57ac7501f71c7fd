//! COMP — comparator (PS chapter "COMP"), single-ended: an input against a part of a reference.
//!
//! The voltage is looked at when the comparator starts and at each SAMPLE, not in between. Differential mode is not
//! modelled: it reads below. Nor is LPCOMP, which shares the page on some chips.

use super::clock::LfClk;
use super::inert::{Inert, InertSpec};
use super::peripheral::{Cx, Events, NEVER, Peripheral, Reset, SHORTS, us};

const START: u32 = 0x000;
const STOP: u32 = 0x004;
const SAMPLE: u32 = 0x008;

const READY: u32 = 0;
const DOWN: u32 = 1;
const UP: u32 = 2;
const CROSS: u32 = 3;

const READY_SAMPLE: u32 = 1;
/// READY_STOP, DOWN_STOP, UP_STOP, CROSS_STOP: event, short.
const STOPS: [(u32, u32); 4] = [(READY, 1 << 1), (DOWN, 1 << 2), (UP, 1 << 3), (CROSS, 1 << 4)];

const RESULT: u32 = 0x400;
const ENABLE: u32 = 0x500;
const PSEL: u32 = 0x504;
const REFSEL: u32 = 0x508;
const TH: u32 = 0x530;
const MODE: u32 = 0x534;

const ENABLED: u32 = 2;
const DIFFERENTIAL: u32 = 1 << 8;

/// t_START: the comparator.
const T_START: u64 = us(3);
/// t_INT_REF,START: an internal reference, typically.
const T_INT_REF: u64 = us(50);

/// Pins of AIN0 to AIN6.
const AIN: [u8; 7] = [2, 3, 4, 5, 28, 29, 30];

/// A chip's comparator.
#[derive(Clone, Copy, Debug)]
pub struct CompSpec {
    /// The registers of its page.
    pub registers: InertSpec,
    /// The pin that PSEL = 7 selects; none: a fifth of VDDH.
    pub seventh: Option<u8>,
}

/// The register machine.
#[derive(Debug)]
pub struct Comp {
    seventh: Option<u8>,
    registers: Inert,
    running: bool,
    ready_due: u64,
    above: bool,
}

impl Comp {
    /// A comparator on a page with these registers.
    #[must_use]
    pub fn new(spec: CompSpec) -> Comp {
        Comp {
            seventh: spec.seventh,
            registers: Inert::new(spec.registers),
            running: false,
            ready_due: NEVER,
            above: false,
        }
    }

    /// The reference in microvolts, and whether it is made inside.
    fn reference(&self, cx: &Cx<'_>) -> (u64, bool) {
        match self.registers.get(REFSEL) & 7 {
            0 => (1_200_000, true),
            1 => (1_800_000, true),
            2 => (2_400_000, true),
            // VDD, and an external reference, which boards have not.
            _ => (cx.pins.vdd().into(), false),
        }
    }

    fn input(&self, cx: &Cx<'_>) -> u64 {
        match AIN.get((self.registers.get(PSEL) & 7) as usize).copied().or(self.seventh) {
            Some(pin) => cx.pins.voltage(cx.now, pin).unwrap_or(0).into(),
            None => u64::from(cx.pins.vddh()) / 5,
        }
    }

    /// Looks at the voltage: above VUP it is up, below VDOWN down, in between it stays.
    fn sample(&mut self, cx: &mut Cx<'_>) {
        let (input, (reference, _)) = (self.input(cx), self.reference(cx));
        let th = self.registers.get(TH);
        let threshold = |field: u32| reference * u64::from((field & 0x3F) + 1) / 64;
        let was = self.above;
        if self.registers.get(MODE) & DIFFERENTIAL != 0 || input < threshold(th) {
            self.above = false;
        } else if input > threshold(th >> 8) {
            self.above = true;
        }
        self.registers.set(RESULT, self.above.into());
        if was != self.above {
            self.happened(1 << CROSS | 1 << if self.above { UP } else { DOWN });
        }
    }

    fn happened(&mut self, events: u32) {
        self.registers.raise(events);
        let shorts = self.registers.get(SHORTS);
        if STOPS.iter().any(|&(event, short)| events >> event & 1 == 1 && shorts & short != 0) {
            self.running = false;
        }
    }
}

impl Peripheral for Comp {
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        self.registers.read(cx, offset)
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        if offset == RESULT {
            return Some(());
        }
        self.registers.write(cx, offset, value)
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        match offset {
            START if self.registers.get(ENABLE) == ENABLED => {
                self.running = true;
                self.above = false;
                self.ready_due = cx.now + T_START + if self.reference(cx).1 { T_INT_REF } else { 0 };
            }
            STOP => (self.running, self.ready_due) = (false, NEVER),
            SAMPLE if self.running && self.ready_due == NEVER => self.sample(cx),
            START | SAMPLE if matches!(self.registers.get(ENABLE), 0 | ENABLED) => {}
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        self.registers.events()
    }

    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset) {
        self.registers.reset(cx, reset);
        (self.running, self.ready_due, self.above) = (false, NEVER, false);
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.ready_due
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.ready_due = NEVER;
        self.sample(cx);
        self.happened(1 << READY);
        if self.running && self.registers.get(SHORTS) & READY_SAMPLE != 0 {
            self.sample(cx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::nrf52820::COMP;
    use super::super::peripheral::testing::Bench;
    use super::*;

    fn started(bench: &mut Bench, psel: u32, refsel: u32, th: u32) -> Comp {
        let mut comp = Comp::new(COMP);
        for (offset, value) in [(PSEL, psel), (REFSEL, refsel), (TH, th | th << 8), (ENABLE, ENABLED)] {
            comp.write(&mut bench.cx(), offset, value).expect("a register");
        }
        comp.task(&mut bench.cx(), START).expect("a task");
        comp
    }

    #[test]
    fn the_comparator_is_ready_when_its_reference_is() {
        let mut bench = Bench::default();
        let mut comp = started(&mut bench, 1, 0, 10);
        assert_eq!(bench.wait(&mut comp, READY, us(1_000)), Some(us(53)));
        let mut bench = Bench::default();
        let mut comp = started(&mut bench, 1, 4, 10);
        assert_eq!(bench.wait(&mut comp, READY, us(1_000)), Some(us(3)), "VDD is there already");
    }

    #[test]
    fn a_search_over_the_thresholds_finds_the_voltage() {
        let mut bench = Bench::default();
        bench.pins.hold(3, Some(600_000));
        let above = (0..64).filter(|&th| {
            let mut comp = started(&mut bench, 1, 0, th);
            let limit = bench.now + us(100);
            bench.wait(&mut comp, READY, limit).expect("ready");
            comp.task(&mut bench.cx(), SAMPLE);
            comp.read(&mut bench.cx(), RESULT) == Some(1)
        });
        // Half of 1.2 V: (TH + 1) / 64 below it up to TH = 30.
        assert_eq!(above.last(), Some(30));
    }

    #[test]
    fn the_last_input_is_a_pin_or_a_fifth_of_vddh_as_the_chip_has_it() {
        let mut bench = Bench::default();
        bench.pins.set_vddh(5_000_000);
        // 1 V against 1.2 V × 52 / 64 = 0.975 V.
        let mut comp = started(&mut bench, 7, 0, 51);
        bench.wait(&mut comp, READY, us(100)).expect("ready");
        assert_eq!(comp.read(&mut bench.cx(), RESULT), Some(1));
        comp.seventh = Some(31);
        comp.task(&mut bench.cx(), SAMPLE).expect("a task");
        assert_eq!(comp.read(&mut bench.cx(), RESULT), Some(0), "nobody makes a voltage there");
    }

    #[test]
    fn a_crossing_raises_its_events_once_and_may_stop_the_comparator() {
        let mut bench = Bench::default();
        bench.pins.hold(3, Some(600_000));
        let mut comp = started(&mut bench, 1, 0, 20);
        comp.write(&mut bench.cx(), SHORTS, 1 << 3).expect("SHORTS"); // UP_STOP
        bench.wait(&mut comp, READY, us(100)).expect("ready");
        assert!(comp.events().is_set(UP) && comp.events().is_set(CROSS) && !comp.events().is_set(DOWN));
        bench.pins.hold(3, Some(0));
        comp.task(&mut bench.cx(), SAMPLE);
        assert_eq!(comp.read(&mut bench.cx(), RESULT), Some(1), "it stands still");
    }
}
