use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::debug::{SwdTiming, SwdTransfer, SwdWire};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;

use super::*;
use crate::daplink::config::Settings;
use crate::daplink::dap::timing::PinTiming;
use crate::daplink::flash::algorithm::NRF52;
use crate::daplink::personality::Board;
use crate::daplink::testing::{FakeTarget, run, run_on};

/// What went over the wire: bits written, or a transfer with its data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Event {
    Bits(u64, u32),
    Read(bool, u8),
    Write(bool, u8, u32),
}

/// A wire that writes down what goes over it.
struct Tap {
    wire: Box<dyn SwdWire>,
    events: Arc<Mutex<Vec<(Time, Event)>>>,
}

impl SwdWire for Tap {
    fn clock(&mut self, at: Time, swdio: Drive) -> bool {
        self.wire.clock(at, swdio)
    }

    fn write_bits(&mut self, at: Time, period: Span, bits: u64, count: u32) {
        let mask = u64::MAX >> (64 - count);
        self.events.lock().push((at, Event::Bits(bits & mask, count)));
        self.wire.write_bits(at, period, bits, count);
    }

    fn transfer(&mut self, at: Time, timing: &SwdTiming, request: SwdRequest, data: u32) -> (SwdTransfer, Span) {
        let SwdRequest { ap, read, address } = request;
        let event = if read { Event::Read(ap, address) } else { Event::Write(ap, address, data) };
        self.events.lock().push((at, event));
        self.wire.transfer(at, timing, request, data)
    }

    fn reset_pin(&mut self, at: Time, asserted: bool) {
        self.wire.reset_pin(at, asserted);
    }

    fn level(&mut self, swdio: Drive) -> bool {
        self.wire.level(swdio)
    }
}

/// What came of it, the target afterwards, and what went over the wire.
type Outcome = (Vec<Result<()>>, Arc<Mutex<FakeTarget>>, Vec<(Time, Event)>);

/// Brings the target of a micro:bit V2 into states, one after the other.
fn states(target: FakeTarget, states: &'static [TargetState]) -> Outcome {
    states_on(Board::MicrobitV2, target, states)
}

fn states_on(board: Board, target: FakeTarget, states: &'static [TargetState]) -> Outcome {
    let (target, wire) = target.wired();
    let events = Arc::<Mutex<Vec<_>>>::default();
    let tap = Tap { wire, events: events.clone() };
    let results = run_on(board, Box::new(tap), Settings::default(), |mut core| async move {
        let mut results = Vec::new();
        for state in states {
            results.push(core.swd.set_target_state(*state).await);
        }
        results
    });
    let events = events.lock().clone();
    (results, target, events)
}

#[test]
fn attaching_is_two_line_resets_around_the_switch_then_power_up() {
    let (results, _, events) = states(FakeTarget::default(), &[TargetState::Halt]);
    assert_eq!(results, [Ok(())]);
    let ones = (1 << 51) - 1;
    let expected = [
        Event::Bits(ones, 51),
        Event::Bits(0xe79e, 16),
        Event::Bits(ones, 51),
        Event::Bits(0, 8),
        Event::Read(false, DP_IDCODE),
        Event::Write(false, DP_ABORT, 0x1e),
        Event::Write(false, DP_SELECT, 0),
        Event::Write(false, DP_CTRL_STAT, 0x5000_0000),
        Event::Read(false, DP_CTRL_STAT),
        Event::Write(false, DP_CTRL_STAT, 0x5000_0f00),
        Event::Write(true, 0, 0x2300_0052),
        Event::Read(false, DP_RDBUFF),
        Event::Write(true, 4, DHCSR),
        Event::Write(true, 12, 0xa05f_0003),
        Event::Read(false, DP_RDBUFF),
    ];
    let seen: Vec<Event> = events.iter().map(|(_, event)| *event).take(expected.len()).collect();
    assert_eq!(seen, expected);
}

#[test]
fn reset_program_halts_the_target_at_its_reset_vector_20_ms_after_the_reset() {
    let (results, target, events) = states(FakeTarget::default(), &[TargetState::ResetProgram]);
    assert_eq!(results, [Ok(())]);
    let target = target.lock();
    assert_eq!((target.resets, target.running, target.demcr), (1, false, 0));
    let reset = events.iter().position(|(_, e)| *e == Event::Write(true, 12, 0x05fa_0004)).expect("AIRCR is written");
    let (before, after) = (events[reset + 1].0, events[reset + 2].0);
    assert!(after.since(before) >= Span::ms(20) && after.since(before) < Span::ms(21));
}

#[test]
fn reset_run_pulses_the_ctrl_ap_and_powers_debug_down_system_first() {
    let (results, target, events) = states(FakeTarget::default(), &[TargetState::ResetRun]);
    assert_eq!(results, [Ok(())]);
    let target = target.lock();
    assert_eq!((target.resets, target.running, target.powered), (1, true, false));
    let held = events.iter().position(|(_, e)| *e == Event::Write(true, 0, 1)).expect("RESET = 1");
    let released = events.iter().position(|(_, e)| *e == Event::Write(true, 0, 0)).expect("RESET = 0");
    let pulse = events[released].0.since(events[held].0);
    assert!(pulse >= Span::ms(20) && pulse < Span::ms(21), "{pulse:?}");
    let power: Vec<u32> = events[released..]
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Write(false, DP_CTRL_STAT, value) => Some(*value >> 28 & 5),
            _ => None,
        })
        .collect();
    assert_eq!(power, [0b001, 0b000]);
}

#[test]
fn a_held_target_does_not_run_until_it_is_released() {
    let (results, target, _) = states(FakeTarget::default(), &[TargetState::ResetHold]);
    assert_eq!(results, [Ok(())]);
    assert_eq!(target.lock().resets, 0, "the CTRL-AP resets on release");
    let (_, target, _) = states(FakeTarget::default(), &[TargetState::ResetHold, TargetState::ResetRun]);
    assert_eq!(target.lock().resets, 1);
}

#[test]
fn an_nrf51_is_reset_by_20_ms_of_both_lines_low_after_its_reset_register_allows_it() {
    let (results, target, events) = states_on(Board::MicrobitV1, FakeTarget::nrf51(), &[TargetState::ResetRun]);
    assert_eq!(results, [Ok(())]);
    let target = target.lock();
    assert_eq!((target.resets, target.in_reset, target.running), (1, false, true));
    assert!(target.powered, "0253 leaves debug power on");
    let allowed = events.iter().position(|(_, e)| *e == Event::Write(true, AP_TAR as u8, 0x4000_0544));
    assert_eq!(events[allowed.expect("TAR is written") + 2].1, Event::Write(true, AP_DRW as u8, 1));
    let last = events.last().expect("events").0;
    assert!(last < Time::ZERO + Span::ms(20), "nothing is clocked while the lines are low");
}

#[test]
fn an_nrf51_stays_in_reset_while_it_is_held_and_clocks_end_that() {
    let (results, target, _) = states_on(Board::MicrobitV1, FakeTarget::nrf51(), &[TargetState::ResetHold]);
    assert_eq!(results, [Ok(())]);
    assert!(target.lock().in_reset);
    let (_, target, _) =
        states_on(Board::MicrobitV1, FakeTarget::nrf51(), &[TargetState::ResetHold, TargetState::Halt]);
    let target = target.lock();
    assert_eq!((target.in_reset, target.resets), (false, 1));
}

#[test]
fn halting_and_running_leave_the_target_unreset() {
    let (results, target, _) = states(FakeTarget::default(), &[TargetState::Halt]);
    assert_eq!((results, target.lock().running), (vec![Ok(())], false));
    let (results, target, _) =
        states(FakeTarget::default(), &[TargetState::Debug, TargetState::NoDebug, TargetState::Run]);
    assert_eq!(results, [Ok(()); 3]);
    let target = target.lock();
    assert_eq!((target.running, target.resets), (true, 0));
}

#[test]
fn a_protected_target_faults_and_is_reset_once_before_giving_up() {
    let target = FakeTarget { locked: true, ..FakeTarget::default() };
    let (results, target, _) = states(target, &[TargetState::ResetProgram]);
    assert_eq!(results, [Err(HostError::Ack(Ack::FAULT))]);
    assert_eq!(target.lock().resets, 1);
}

#[test]
fn a_debuggers_settings_are_lost_when_the_firmware_touches_the_target() {
    let (_, wire) = FakeTarget::default().wired();
    let settings = run(wire, Settings::default(), |mut core| async move {
        core.swd.port.settings.turnaround = 2;
        core.swd.port.settings.idle_cycles = 8;
        core.swd.set_target_state(TargetState::Halt).await.map(|()| core.swd.port.settings)
    });
    assert_eq!(settings, Ok(super::super::dap::port::Settings::after_setup(&PinTiming::NRF52820)));
}

#[test]
fn memory_is_read_and_written_at_any_address_across_1_kib_boundaries() {
    let (_, wire) = FakeTarget::default().wired();
    let data: Vec<u8> = (0..2_100).map(|i| i as u8).collect();
    let expected = data.clone();
    let read = run(wire, Settings::default(), |mut core| async move {
        core.swd.set_target_state(TargetState::Halt).await?;
        core.swd.write_memory(0x2000_03f1, &data).await?;
        let mut read = vec![0; data.len()];
        core.swd.read_memory(0x2000_03f1, &mut read).await?;
        Ok::<_, HostError>(read)
    });
    assert_eq!(read, Ok(expected));
}

#[test]
fn pieces_are_bytes_until_aligned_then_words_up_to_the_boundary() {
    assert_eq!(step(1, 100), 1);
    assert_eq!(step(0, 3), 1);
    assert_eq!(step(0, 7), 4);
    assert_eq!(step(0x3f8, 100), 8);
    assert_eq!(step(0x400, 5_000), 1024);
}

#[test]
fn a_call_returns_what_the_function_returned_unless_0() {
    let call = |result| {
        let (_, wire) = FakeTarget { result, ..FakeTarget::default() }.wired();
        run(wire, Settings::default(), |mut core| async move {
            core.swd.set_target_state(TargetState::ResetProgram).await?;
            core.swd.call(&NRF52.frame, NRF52.init, [0, 0, 1, 0]).await
        })
    };
    assert_eq!(call(0), Ok(()));
    assert_eq!(call(0xdead), Err(HostError::Returned(0xdead)));
}
