//! The two front doors, bits and whole transfers, against each other.

use proptest::prelude::*;

use twinboard_sim::fault::{Fault, Lasting, Params, Plan, SharedFault};

use super::*;
use crate::debug::scripted::ScriptedTarget;
use crate::debug::table::{ApTable, NRF51822, NRF52833, PinProtocols};

type Link = SwdLink<ScriptedTarget>;

const TIMING: SwdTiming = SwdTiming { period: Span::ns(100), turnaround: 1, data_phase: false, idle: 0 };
const READ_DPIDR: SwdRequest = SwdRequest { ap: false, read: true, address: 0 };

fn link(table: &DapTable) -> Link {
    SwdLink::new(table, Arc::new(Mutex::new(ScriptedTarget::default())))
}

const ALWAYS: Plan = Plan { start: Time::ZERO, skip: 0, address: None, probability: 1.0, lasting: Lasting::Always };

fn arm(link: &Link, point: &str, params: Params, plan: Plan) -> SharedFault {
    let point = crate::fault::point(point).expect("a point");
    let fault = SharedFault::new(Fault::new("f", point, params, plan, 1));
    assert!(link.faults().add(fault.clone()));
    fault
}

/// Inverts one bit on SWDIO after `skip` more.
fn flip(link: &Link, skip: u64) -> SharedFault {
    let params = Params { rate: Some(1.0), ..Params::default() };
    arm(link, "swd.noise", params, Plan { skip, ..Plan::default() })
}

fn strikes(fault: &SharedFault) -> u64 {
    fault.lock().record().strikes()
}

/// Something a probe does.
#[derive(Clone, Debug)]
enum Action {
    LineReset {
        ones: u32,
        zeros: u32,
    },
    Sequence {
        bits: u64,
        count: u32,
    },
    Release {
        count: u32,
    },
    Transfer {
        request: SwdRequest,
        data: u32,
        timing: SwdTiming,
    },
    /// A transfer whose data is right for the register, so that random drives get somewhere.
    Write {
        ap: bool,
        address: u8,
        data: u32,
    },
    Read {
        ap: bool,
        address: u8,
        count: u32,
    },
    Busy {
        from_now: u64,
        length: u64,
    },
    /// A bit on SWDIO is inverted, this many bits from now.
    Flip {
        skip: u64,
    },
}

fn action() -> impl Strategy<Value = Action> {
    let address = prop::sample::select(vec![0x0u8, 0x4, 0x8, 0xC]);
    let request = (any::<bool>(), any::<bool>(), address.clone()).prop_map(|(ap, read, address)| SwdRequest {
        ap,
        read,
        address,
    });
    let timing = (1u8..=4, any::<bool>(), 0u8..10, 1u64..2_000).prop_map(|(turnaround, data_phase, idle, period)| {
        SwdTiming { period: Span::ns(period), turnaround, data_phase, idle }
    });
    let write = |ap, address, data: BoxedStrategy<u32>| data.prop_map(move |data| Action::Write { ap, address, data });
    prop_oneof![
        2 => (45u32..60, 0u32..10).prop_map(|(ones, zeros)| Action::LineReset { ones, zeros }),
        1 => (any::<u64>(), 0u32..64).prop_map(|(bits, count)| Action::Sequence { bits, count }),
        1 => prop::sample::select(vec![0xE79Eu64, 0xE73C, 0xE3BC, 0xAEAE])
            .prop_map(|bits| Action::Sequence { bits, count: 16 }),
        1 => (1u32..60).prop_map(|count| Action::Release { count }),
        3 => (request, any::<u32>(), timing).prop_map(|(request, data, timing)| {
            Action::Transfer { request, data, timing }
        }),
        2 => write(false, 0x0, Just(0x1E).boxed()),
        2 => write(false, 0x4, prop::sample::select(vec![0, 0x300, 0x5000_0000, 0x5000_0001, 0x5000_0F04]).boxed()),
        2 => write(false, 0x8, prop::sample::select(vec![0, 1, 0x10, 0xF0, 0x0100_0000, 0x0100_00F0, 0x0500_0000]).boxed()),
        2 => write(true, 0x0, prop::sample::select(vec![0x2300_0010, 0x2300_0012, 0x2300_0020, 0x2300_0001]).boxed()),
        2 => write(true, 0x4, prop::sample::select(vec![0x2000_0000, 0x2000_03FE, 0x3E00_0000]).boxed()),
        3 => write(true, 0xC, any::<u32>().boxed()),
        8 => (any::<bool>(), address, 1u32..4).prop_map(|(ap, address, count)| Action::Read { ap, address, count }),
        1 => (0u64..200_000, 0u64..100_000_000).prop_map(|(from_now, length)| Action::Busy { from_now, length }),
        1 => (0u64..100).prop_map(|skip| Action::Flip { skip }),
    ]
}

/// Does `actions`; everything that the probe sampled, with the time at the end.
fn drive(link: &mut Link, actions: &[Action]) -> (Vec<u64>, Time) {
    let mut at = Time(1_000_000);
    let mut seen = Vec::new();
    let mut transfer = |link: &mut Link, at: &mut Time, timing: &SwdTiming, request, data| {
        let (result, span) = link.transfer(*at, timing, request, data);
        seen.push(u64::from(result.ack.0) << 33 | u64::from(result.parity_ok) << 32 | u64::from(result.data));
        *at += span;
    };
    for action in actions {
        match *action {
            Action::LineReset { ones, zeros } => {
                link.write_bits(at, TIMING.period, u64::MAX, ones);
                at += TIMING.period * u64::from(ones);
                link.write_bits(at, TIMING.period, 0, zeros);
                at += TIMING.period * u64::from(zeros);
            }
            Action::Sequence { bits, count } => {
                link.write_bits(at, TIMING.period, bits, count);
                at += TIMING.period * u64::from(count);
            }
            Action::Release { count } => {
                for _ in 0..count {
                    link.clock(at, Drive::Released);
                    at += TIMING.period;
                }
            }
            Action::Transfer { request, data, timing } => transfer(link, &mut at, &timing, request, data),
            Action::Write { ap, address, data } => {
                transfer(link, &mut at, &TIMING, SwdRequest { ap, read: false, address }, data);
            }
            Action::Read { ap, address, count } => {
                for _ in 0..count {
                    transfer(link, &mut at, &TIMING, SwdRequest { ap, read: true, address }, 0);
                }
            }
            Action::Busy { from_now, length } => {
                let from = at + Span::ps(from_now);
                link.target.0.lock().busy = from..from + Span::ps(length);
            }
            Action::Flip { skip } => drop(flip(link, skip)),
        }
    }
    (seen, at)
}

/// A connected and powered link, its memory port ready to use.
fn connected(table: &DapTable) -> Link {
    let mut link = link(table);
    link.target.0.lock().faulty = 0x3E00_0000..0x3F00_0000;
    let write = |ap, address, data| Action::Write { ap, address, data };
    let start = [
        Action::LineReset { ones: 51, zeros: 0 },
        Action::Sequence { bits: 0xE79E, count: 16 },
        Action::LineReset { ones: 51, zeros: 8 },
        Action::Read { ap: false, address: 0, count: 1 },
        write(false, 0x4, 0x5000_0000),
        write(true, 0x0, 0x2300_0012),
        write(true, 0x4, 0x2000_0000),
    ];
    let (seen, _) = drive(&mut link, &start);
    assert!(seen.iter().all(|result| result >> 33 == u64::from(SwdAck::OK.0)));
    link
}

fn swj(table: &DapTable) -> DapTable {
    DapTable { pins: PinProtocols::SwjDormant, ..*table }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whole transfers and clocked bits sample the same, take the same time, reach the target at the same times, and
    /// leave the same state behind, from any state the line can be in.
    #[test]
    fn whole_transfers_do_what_the_clocked_bits_do(
        actions in prop::collection::vec(action(), 1..60),
        start_connected in any::<bool>(),
        chip in 0usize..4,
    ) {
        let table = [NRF52833, NRF51822, swj(&NRF52833), swj(&NRF51822)][chip];
        let make = || if start_connected { connected(&table) } else { link(&table) };
        let (mut whole, mut bits) = (make(), make());
        bits.observe(Box::new(|_| {}));
        prop_assert_eq!(drive(&mut whole, &actions), drive(&mut bits, &actions));
        prop_assert_eq!(&whole.line, &bits.line);
        prop_assert_eq!(&whole.dp, &bits.dp);
        prop_assert_eq!(&*whole.target.0.lock(), &*bits.target.0.lock());
    }

    /// A line reset brings back a target from any state.
    #[test]
    fn a_line_reset_recovers_from_anything(actions in prop::collection::vec(action(), 0..40)) {
        let mut link = connected(&NRF52833);
        let (_, at) = drive(&mut link, &actions);
        link.faults().clear();
        let mut timing = TIMING;
        timing.turnaround = link.dp.turnaround();
        // Out of whatever the target drives first: a data phase and two turnarounds.
        for i in 0..64 {
            link.clock(at + TIMING.period * i, Drive::Released);
        }
        let at = at + TIMING.period * 64;
        link.write_bits(at, TIMING.period, u64::MAX, 50);
        link.write_bits(at + TIMING.period * 50, TIMING.period, 0, 2);
        let (result, _) = link.transfer(at + TIMING.period * 52, &timing, READ_DPIDR, 0);
        prop_assert_eq!(result, SwdTransfer { ack: SwdAck::OK, data: 0x2BA0_1477, parity_ok: true });
    }

    /// No sequence of edges whatever makes the target panic or hang.
    #[test]
    fn random_edges_are_survived(edges in prop::collection::vec(0u8..8, 0..2_000)) {
        let mut link = connected(&swj(&NRF52833));
        for (i, edge) in edges.into_iter().enumerate() {
            let drive = match edge { 0 => Drive::Released, 1..=3 => Drive::Low, _ => Drive::High };
            link.clock(Time(1_000_000_000 + 1_000 * i as u64), drive);
        }
    }
}

#[test]
fn the_bus_is_reached_at_the_edge_where_silicon_reaches_it() {
    use crate::debug::scripted::Event;
    // A read starts when the acknowledge is decided (edge 9), a write at its parity bit (edge 46).
    let mut link = connected(&NRF52833);
    link.target.0.lock().events.clear();
    let at = Time(5_000_000_000);
    let drw = |read| SwdRequest { ap: true, read, address: 0xC };
    let (_, busy) = link.transfer(at, &TIMING, drw(false), 7);
    assert_eq!(busy, TIMING.period * 46);
    link.transfer(at + busy, &TIMING, drw(true), 0);
    let size = Size::Word;
    assert_eq!(
        link.target.0.lock().events,
        [
            Event::Write { at: at + TIMING.period * 45, address: 0x2000_0000, size, value: 7 },
            Event::Read { at: at + TIMING.period * (46 + 8), address: 0x2000_0004, size },
        ]
    );
}

#[test]
fn broken_wires_read_as_the_probe_would_see_them() {
    // Reference 1.6.
    for (point, level, ack) in [
        ("swd.swdio-open", None, SwdAck::NONE),
        ("swd.swclk-open", None, SwdAck::NONE),
        ("swd.swapped", None, SwdAck::NONE),
        ("swd.swdio-stuck", Some(true), SwdAck::NONE),
        ("swd.swdio-stuck", Some(false), SwdAck(0)),
        ("swd.swclk-stuck", Some(true), SwdAck::NONE),
        ("swd.swclk-stuck", Some(false), SwdAck::NONE),
    ] {
        let mut link = connected(&NRF52833);
        let params = Params { level, ..Params::default() };
        let fault = arm(&link, point, params, ALWAYS);
        let (result, _) = link.transfer(Time(9_000_000_000), &TIMING, READ_DPIDR, 0);
        assert_eq!(result.ack, ack, "{point}");
        assert!(strikes(&fault) > 0, "{point} fired");
    }
}

#[test]
fn one_flipped_bit_in_a_request_costs_one_answer_and_a_line_reset() {
    // Reference 1.6.
    let mut link = connected(&NRF52833);
    let fault = flip(&link, 2);
    let results = [
        Action::Read { ap: false, address: 0, count: 2 },
        Action::LineReset { ones: 50, zeros: 2 },
        Action::Read { ap: false, address: 0, count: 1 },
    ];
    let (seen, _) = drive(&mut link, &results);
    let acks: Vec<u64> = seen.iter().map(|result| result >> 33).collect();
    assert_eq!(acks, [7, 7, 1]);
    assert_eq!(strikes(&fault), 1);
}

#[test]
fn an_observer_sees_a_transfer_as_edges() {
    let mut link = connected(&NRF52833);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    link.observe(Box::new(move |levels| log.lock().push(levels)));
    let at = Time(9_000_000_000);
    link.transfer(at, &TIMING, READ_DPIDR, 0);
    let seen = seen.lock();
    let rising: Vec<&SwdLevels> = seen.iter().filter(|levels| levels.swclk).collect();
    assert_eq!(rising.len(), 46);
    assert_eq!((rising[0].at, rising[1].at), (at, at + TIMING.period));
    assert_eq!(seen[0], SwdLevels { at: Time(at.0 - 50_000), swclk: false, swdio: true, reset: false });
    assert!(seen.is_sorted_by_key(|levels| levels.at));
}

#[test]
fn a_power_cycle_starts_the_debug_port_anew() {
    let mut link = connected(&NRF52833);
    link.power_cycle();
    let (result, _) = link.transfer(Time(9_000_000_000), &TIMING, READ_DPIDR, 0);
    assert_eq!(result.ack, SwdAck::NONE);
    assert!(NRF52833.aps.iter().any(|(_, ap)| matches!(ap, ApTable::Vendor { .. })));
}

const CTRL_STAT: SwdRequest = SwdRequest { ap: false, read: true, address: 4 };
const RDBUFF: SwdRequest = SwdRequest { ap: false, read: true, address: 0xC };
const DRW_WRITE: SwdRequest = SwdRequest { ap: true, read: false, address: 0xC };
const ABORT: SwdRequest = SwdRequest { ap: false, read: false, address: 0 };

/// Does transfers one after the other, from `at` on.
fn transfers(link: &mut Link, requests: &[(SwdRequest, u32)]) -> Vec<SwdTransfer> {
    let mut at = Time(9_000_000_000);
    let transfer = |&(request, data): &(SwdRequest, u32)| {
        let (result, busy) = link.transfer(at, &TIMING, request, data);
        at += busy;
        result
    };
    requests.iter().map(transfer).collect()
}

fn acks(results: &[SwdTransfer]) -> Vec<SwdAck> {
    results.iter().map(|result| result.ack).collect()
}

#[test]
fn an_access_port_is_found_busy_only_after_an_access_and_only_by_requests_that_may_wait() {
    let mut link = connected(&NRF52833);
    let fault = arm(&link, "swd.wait", Params::default(), Plan { lasting: Lasting::Times(3), ..Plan::default() });
    // The last access of `connected` is not confirmed yet.
    let requests =
        [(READ_DPIDR, 0), (CTRL_STAT, 0), (RDBUFF, 0), (DRW_WRITE, 7), (ABORT, 0x1E), (DRW_WRITE, 8), (DRW_WRITE, 9)];
    use SwdAck as A;
    let expected = [A::OK, A::OK, A::WAIT, A::WAIT, A::OK, A::WAIT, A::OK];
    assert_eq!(acks(&transfers(&mut link, &requests)), expected);
    assert_eq!(link.target.0.lock().peek(0x2000_0000), 9);
    assert_eq!(strikes(&fault), 3);
    let mut link = connected(&NRF52833);
    transfers(&mut link, &[(RDBUFF, 0)]);
    let fault = arm(&link, "swd.wait", Params::default(), Plan { lasting: Lasting::Always, ..Plan::default() });
    assert_eq!(acks(&transfers(&mut link, &[(RDBUFF, 0), (DRW_WRITE, 7), (RDBUFF, 0)])), [A::OK, A::OK, A::WAIT]);
    assert_eq!(strikes(&fault), 1);
}

#[test]
fn a_failed_access_shows_as_fault_until_abort_clears_it() {
    let mut link = connected(&NRF52833);
    let fault = arm(&link, "swd.fault", Params::default(), Plan { skip: 1, ..Plan::default() });
    let requests = [(RDBUFF, 0), (DRW_WRITE, 7), (RDBUFF, 0), (RDBUFF, 0), (CTRL_STAT, 0), (ABORT, 0x1E), (RDBUFF, 0)];
    let results = transfers(&mut link, &requests);
    use SwdAck as A;
    assert_eq!(acks(&results), [A::OK, A::OK, A::FAULT, A::FAULT, A::OK, A::OK, A::OK]);
    assert_eq!(results[4].data & 1 << 5, 1 << 5, "STICKYERR");
    assert_eq!(strikes(&fault), 1);
}

#[test]
fn a_wrong_parity_bit_is_noticed_by_whoever_takes_the_data() {
    let mut link = connected(&NRF52833);
    let fault = arm(&link, "swd.parity", Params::default(), Plan::default());
    let results = transfers(&mut link, &[(CTRL_STAT, 0), (CTRL_STAT, 0)]);
    assert_eq!(results[0], SwdTransfer { parity_ok: false, ..results[1] });
    assert_eq!((results[1].parity_ok, strikes(&fault)), (true, 1));
    let mut link = connected(&NRF52833);
    let fault = arm(&link, "swd.parity", Params::default(), Plan::default());
    let results = transfers(&mut link, &[(DRW_WRITE, 7), (RDBUFF, 0), (CTRL_STAT, 0)]);
    assert_eq!(acks(&results), [SwdAck::OK, SwdAck::FAULT, SwdAck::OK]);
    assert_eq!(results[2].data & 1 << 7, 1 << 7, "WDATAERR");
    assert_eq!((link.target.0.lock().peek(0x2000_0000), strikes(&fault)), (0, 1), "not written");
}

#[test]
fn a_target_that_is_reset_in_a_transfer_is_silent_until_a_line_reset() {
    let mut link = connected(&NRF52833);
    let fault = arm(&link, "swd.target-reset", Params::default(), Plan::default());
    let results = transfers(&mut link, &[(READ_DPIDR, 0), (READ_DPIDR, 0)]);
    // Fifteen bits came through; after them the pull-up is read.
    assert_eq!(results[0].data, 0xFFFF_8000 | 0x1477);
    assert_eq!((results[1].ack, strikes(&fault)), (SwdAck::NONE, 1));
    let again = [Action::LineReset { ones: 51, zeros: 8 }, Action::Read { ap: false, address: 4, count: 1 }];
    let (seen, _) = drive(&mut link, &again);
    assert_eq!(seen[0] >> 33, 7, "DPIDR first");
    let again = [
        Action::LineReset { ones: 51, zeros: 8 },
        Action::Read { ap: false, address: 0, count: 1 },
        Action::Read { ap: false, address: 4, count: 1 },
    ];
    let (seen, _) = drive(&mut link, &again);
    assert_eq!(seen, [1 << 33 | 1 << 32 | 0x2BA0_1477, 1 << 33 | 1 << 32], "CTRL/STAT is as at power-on");
}

#[test]
fn noise_inverts_bits_at_its_rate_and_none_at_rate_0() {
    for (rate, expected) in [(0.0, 0..1), (0.01, 240..420), (1.0, 32_000..33_001)] {
        let mut link = connected(&NRF52833);
        let params = Params { rate: Some(rate), ..Params::default() };
        let fault = arm(&link, "swd.noise", params, ALWAYS);
        // 33 000 bits that the probe drives; the standard deviation at 1 % is 18.
        for i in 0..1_000 {
            link.write_bits(Time(9_000_000_000 + i * 3_300_000), TIMING.period, 0, 33);
        }
        assert!(expected.contains(&strikes(&fault)), "{rate}: {}", strikes(&fault));
    }
}

#[test]
fn wires_that_are_broken_keep_a_reset_away_from_a_target_whose_reset_they_are() {
    use crate::debug::scripted::Event;
    for (table, point, level, arrives) in [
        (NRF51822, "swd.swdio-open", None, false),
        (NRF51822, "swd.swclk-stuck", Some(true), false),
        (NRF51822, "swd.swclk-stuck", Some(false), true),
        (NRF52833, "swd.swdio-open", None, true),
    ] {
        let mut link = connected(&table);
        let fault = arm(&link, point, Params { level, ..Params::default() }, ALWAYS);
        let before = strikes(&fault);
        let at = Time(9_000_000_000);
        link.reset_pin(at, true);
        let arrived = link.target.0.lock().events.contains(&Event::Reset { at, asserted: true });
        assert_eq!((arrived, strikes(&fault) - before), (arrives, u64::from(!arrives)), "{point} {level:?}");
    }
}

#[test]
fn evidence_of_a_wire_says_who_read_what() {
    let mut link = connected(&NRF52833);
    let fault = arm(&link, "swd.swdio-stuck", Params { level: Some(false), ..Params::default() }, Plan::default());
    let at = Time(9_000_000_000);
    link.transfer(at, &TIMING, READ_DPIDR, 0);
    let fault = fault.lock();
    let [evidence] = fault.record().evidence() else { panic!("{:?}", fault.record()) };
    assert_eq!((evidence.at, evidence.place.as_str()), (at, "SWDIO"));
    assert_eq!(evidence.effect, "the target read 0 instead of 1", "the start bit");
}

#[test]
fn faults_that_cannot_strike_leave_whole_transfers_whole() {
    let mut link = connected(&NRF52833);
    let at = Time(9_000_000_000);
    let start = at + Span::ms(1);
    for plan in [Plan { start, ..ALWAYS }, Plan { lasting: Lasting::Times(0), ..Plan::default() }] {
        arm(&link, "swd.swdio-open", Params::default(), plan);
    }
    assert!(link.faults().any().expect("armed").is_quiet(at, at + Span::us(50)));
    assert!(!link.faults().any().expect("armed").is_quiet(at, start));
    let (result, _) = link.transfer(at, &TIMING, READ_DPIDR, 0);
    assert_eq!(result, SwdTransfer { ack: SwdAck::OK, data: 0x2BA0_1477, parity_ok: true });
}

#[test]
fn edges_of_one_burst_are_the_wires_and_pauses_are_not() {
    let mut link = link(&NRF52833);
    let activity = Activity::default();
    link.note_in(activity.clone());
    link.clock(Time(0), Drive::High);
    assert_eq!(activity.take(), []);
    activity.record(true);
    let us = |at: u64| Time(at * 1_000_000);
    // Two bursts at different speeds, with a turnaround of three clocks in the first, and a lone edge between.
    for at in [1_000, 1_001, 1_002, 1_005, 1_006, 1_050, 2_000, 2_010, 2_020] {
        link.clock(us(at), Drive::High);
    }
    // 1050 is too far from 1006 to be its burst's.
    assert_eq!(activity.take(), [(us(1_000), us(1_006)), (us(2_000), us(2_020))]);
    let (_, busy) = link.transfer(us(3_000), &TIMING, READ_DPIDR, 0);
    let noted = activity.take();
    assert_eq!((noted.first().map(|s| s.0), noted.last().map(|s| s.1)), (Some(us(3_000)), Some(us(3_000) + busy)));
}
