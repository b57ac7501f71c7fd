//! Tests of the PWM.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{Drive, Edge, PinId, Signal};

use super::super::nrf52833::PWM;
use super::super::peripheral::testing::Bench;
use super::*;
use crate::parts::PinObserver;

const RAM: u32 = 0x2000_0000;
const PIN: u32 = 3;
/// High first.
const HIGH: u16 = 0x8000;

/// Writes down pulses: at, period and high time in cycles.
#[derive(Clone, Default)]
struct Pulses(Arc<Mutex<Vec<(u64, u64, u64)>>>);

impl PinObserver for Pulses {
    fn watches(&self, _: PinId) -> bool {
        true
    }

    fn edge(&mut self, _: &Edge) {}

    fn pulses(&mut self, at: Time, pin: PinId, period: Span, high: Span) {
        assert_eq!(pin, PinId(PIN as u16));
        self.0.lock().push((at.0 / 15_625, period.0 / 15_625, high.0 / 15_625));
    }
}

fn pwm(bench: &mut Bench, registers: &[(u32, u32)], values: &[u16]) -> Pwm {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    bench.memory.write_bytes(RAM, &bytes);
    let mut pwm = Pwm::new(PWM);
    let common = [
        (SEQ_PTR, RAM),
        (SEQ_CNT, values.len() as u32),
        (SEQ_REFRESH, 0),
        (SEQ_REFRESH + SEQ_STRIDE, 0),
        (PSEL_OUT, PIN),
        (ENABLE, 1),
    ];
    for (offset, value) in common.iter().chain(registers) {
        pwm.write(&mut bench.cx(), *offset, *value).expect("a register");
    }
    pwm
}

/// Edges of the pin so far: cycle and level.
fn edges(bench: &mut Bench) -> Vec<(u64, bool)> {
    let edges = bench.pins.edges().drain(..).filter(|edge| edge.pin == PinId(PIN as u16));
    edges.map(|edge| (edge.at.0 / 15_625, edge.signal == Signal::Drive(Drive::High))).collect()
}

#[test]
fn a_long_period_is_driven_edge_by_edge() {
    let mut bench = Bench::default();
    // 1 MHz, 1000 counts: high for 250 µs of 1 ms.
    let mut pwm = pwm(&mut bench, &[(PRESCALER, 4), (COUNTERTOP, 1_000)], &[HIGH | 250]);
    pwm.task(&mut bench.cx(), SEQSTART0);
    bench.run_to(&mut pwm, us(2_100));
    assert_eq!(edges(&mut bench), [0, 250, 1_000, 1_250, 2_000].map(|at| (us(at), at % 1_000 == 0)));
    assert_eq!(pwm.step_due, NEVER, "the last value stays, whoever wants another starts again");
}

#[test]
fn without_bit_15_an_output_is_low_first() {
    let mut bench = Bench::default();
    let mut pwm = pwm(&mut bench, &[(PRESCALER, 4), (COUNTERTOP, 1_000)], &[250]);
    pwm.task(&mut bench.cx(), SEQSTART0);
    bench.run_to(&mut pwm, us(1_300));
    assert_eq!(edges(&mut bench), [(0, false), (us(250), true), (us(1_000), false), (us(1_250), true)]);
}

#[test]
fn up_and_down_the_pulse_is_in_the_middle() {
    let mut bench = Bench::default();
    let mut pwm = pwm(&mut bench, &[(MODE, 1), (PRESCALER, 4), (COUNTERTOP, 1_000)], &[250]);
    pwm.task(&mut bench.cx(), SEQSTART0);
    bench.run_to(&mut pwm, us(2_100));
    assert_eq!(edges(&mut bench), [(0, false), (us(250), true), (us(1_750), false)]);
}

#[test]
fn short_pulses_are_told_with_each_new_value() {
    let mut bench = Bench::default();
    let seen = Pulses::default();
    bench.pins.observe(Box::new(seen.clone()));
    // 44.1 kHz at 16 MHz: 362 counts; each value for two periods.
    let mut pwm = pwm(&mut bench, &[(COUNTERTOP, 362), (SEQ_REFRESH, 1)], &[HIGH | 100, HIGH | 300, HIGH]);
    pwm.task(&mut bench.cx(), SEQSTART0);
    bench.run_to(&mut pwm, 100_000);
    let period = 362 * 4;
    assert_eq!(*seen.0.lock(), [(0, period, 400), (2 * period, period, 1_200), (4 * period, period, 0)]);
}

#[test]
fn the_decoder_deals_the_values_out_to_the_outputs() {
    for (load, expected) in [(0, [1, 1, 1, 1]), (1, [1, 1, 2, 2]), (2, [1, 2, 3, 4])] {
        let mut bench = Bench::default();
        let mut pwm = pwm(&mut bench, &[(DECODER, load)], &[1, 2, 3, 4]);
        pwm.task(&mut bench.cx(), SEQSTART0);
        assert_eq!(pwm.values, expected, "LOAD {load}");
    }
    let mut bench = Bench::default();
    let mut pwm = pwm(&mut bench, &[(DECODER, WAVEFORM)], &[1, 2, 3, 500]);
    pwm.task(&mut bench.cx(), SEQSTART0);
    assert_eq!((pwm.values[..3].to_vec(), pwm.top), (vec![1, 2, 3], 500), "the fourth value is COUNTERTOP");
}

#[test]
fn sequences_are_played_in_turn_and_start_again_by_short() {
    let mut bench = Bench::default();
    // As CODAL's mixer: LOOP = 1, LOOPSDONE_SEQSTART0.
    let second = [
        (COUNTERTOP, 160), // 10 µs
        (LOOP, 1),
        (SHORTS, LOOPSDONE_SEQSTART0),
        (SEQ_PTR + SEQ_STRIDE, RAM + 4),
        (SEQ_CNT, 2),
        (SEQ_CNT + SEQ_STRIDE, 2),
    ];
    let mut pwm = pwm(&mut bench, &second, &[1, 2, 3, 4]);
    pwm.task(&mut bench.cx(), SEQSTART0);
    let mut seen = Vec::new();
    for n in 0..6 {
        bench.run_to(&mut pwm, us(10 * n + 5));
        seen.push(pwm.values[0]);
    }
    assert_eq!(seen, [1, 2, 3, 4, 1, 2]);
    assert!([SEQEND0, SEQEND0 + 1, LOOPSDONE].into_iter().all(|event| pwm.events().is_set(event)));
}

#[test]
fn a_new_buffer_is_taken_at_the_next_start_of_its_sequence() {
    let mut bench = Bench::default();
    let registers = [(COUNTERTOP, 160), (LOOP, 2), (SEQ_PTR + SEQ_STRIDE, RAM), (SEQ_CNT + SEQ_STRIDE, 1)];
    let mut pwm = pwm(&mut bench, &registers, &[7]);
    bench.memory.write_bytes(RAM + 0x100, &[9, 0]);
    pwm.task(&mut bench.cx(), SEQSTART0);
    pwm.write(&mut bench.cx(), SEQ_PTR, RAM + 0x100);
    bench.run_to(&mut pwm, us(5));
    assert_eq!(pwm.values[0], 7);
    bench.run_to(&mut pwm, us(25));
    assert_eq!(pwm.values[0], 9);
}

#[test]
fn stop_waits_for_the_end_of_the_period_and_gives_the_pins_back() {
    let mut bench = Bench::default();
    let mut pwm = pwm(&mut bench, &[(PRESCALER, 4), (COUNTERTOP, 1_000)], &[HIGH | 250]);
    pwm.task(&mut bench.cx(), SEQSTART0);
    bench.run_to(&mut pwm, us(1_100));
    assert_eq!(bench.pins.taken(PIN as u8), Some(true));
    pwm.task(&mut bench.cx(), STOP);
    assert!(!pwm.events().is_set(STOPPED));
    assert_eq!(bench.wait(&mut pwm, STOPPED, us(3_000)), Some(us(2_000) + PCLK16M));
    assert_eq!(bench.pins.taken(PIN as u8), None);
}

#[test]
fn seqend_can_stop_it_by_short() {
    let mut bench = Bench::default();
    let mut pwm = pwm(&mut bench, &[(COUNTERTOP, 160), (SHORTS, SEQEND0_STOP)], &[1, 2]);
    pwm.task(&mut bench.cx(), SEQSTART0);
    assert_eq!(bench.wait(&mut pwm, STOPPED, us(100)), Some(us(20) + PCLK16M));
}

#[test]
fn the_end_of_a_period_is_an_event_for_who_wants_it() {
    let mut bench = Bench::default();
    let mut pwm = pwm(&mut bench, &[(COUNTERTOP, 160)], &[80]);
    pwm.task(&mut bench.cx(), SEQSTART0);
    bench.run_to(&mut pwm, us(100));
    assert!(!pwm.events().is_set(PWMPERIODEND), "nobody asked");
    pwm.events().write(0x304, 1 << PWMPERIODEND);
    pwm.sync(&mut bench.cx());
    assert_eq!(bench.wait(&mut pwm, PWMPERIODEND, us(200)), Some(us(110)));
}

#[test]
fn in_next_step_mode_values_wait_for_their_task() {
    let mut bench = Bench::default();
    let mut pwm = pwm(&mut bench, &[(COUNTERTOP, 160), (DECODER, 1 << 8)], &[1, 2]);
    pwm.task(&mut bench.cx(), SEQSTART0);
    bench.run_to(&mut pwm, us(500));
    assert_eq!(pwm.values[0], 1);
    pwm.task(&mut bench.cx(), NEXTSTEP);
    assert_eq!(pwm.values[0], 2);
}
