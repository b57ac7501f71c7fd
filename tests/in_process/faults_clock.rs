//! Crystals that do not start, and clocks that are fast or slow, as a user's tools see it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::fault;
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::board::{Driver, NetId};
use twinboard_sim::fault::{ArmError, Fault, Lasting, Param, Params, Plan, SharedFault};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::trace::{Sink, TraceHash};
use twinboard_sim::wire::{SerialFrame, Signal};
use twinboard_usbip::host::{Host, UsbError};
use twinboard_usbip::vhc::EnumerateError;

use crate::bench::built_in;
use crate::faults_wires::{
    BOARDS, ECHO_V1, ECHO_V2, adi, always, arm, echo, open, received, say, strikes, times, trace,
};

const OWN_V1: &[u8] = include_bytes!("../../firmware/kl26z/interface.hex");
const OWN_V2_00: &[u8] = include_bytes!("../../firmware/kl27z/interface.hex");
const OWN_V2_2: &[u8] = include_bytes!("../../firmware/nrf52820/interface.hex");

fn no_start(chip: Option<&str>, plan: Plan) -> SharedFault {
    let point = fault::point("clock.no-start").expect("a point");
    let params = Params { chip: chip.map(str::to_owned), ..Params::default() };
    params.check(point).expect("what the point takes");
    SharedFault::new(Fault::new("dead", point, params, plan, 1))
}

/// A board whose emulated interface chip runs our own firmware.
fn emulated(board: &str, image: &[u8]) -> Powered {
    let file = BoardFile::built_in(board).expect("built in");
    let image = Image::parse(Path::new("interface.hex"), image, BlockIds(&[]), 0).expect("an image");
    let interface = Some(InterfaceProgram { image: &image, start: Start::Reset });
    file.power_on(&PowerOn { interface, ..PowerOn::default() }).expect("a board")
}

#[test]
fn an_interface_whose_crystal_does_not_start_is_not_there_for_the_host() {
    // USB needs the crystal, and our firmware waits for it.
    for (board, image) in [("microbit-v1", OWN_V1), ("microbit-v2", OWN_V2_2)] {
        let mut powered = emulated(board, image);
        let fault = no_start(Some("interface"), Plan::default());
        powered.arm(&fault).expect("can be armed");
        let mut host = Host::new(powered);
        let error = host.enumerate().map(drop).expect_err("nobody is there");
        assert!(matches!(error, UsbError::Enumerate(EnumerateError::NotConnected(_))), "{board}: {error}");
        assert_eq!(strikes(&fault), 1);
        host.unplug();
        host.machine().power_cycle();
        host.enumerate().expect("at the next power-on it starts");
    }
}

/// CLOCK of an nRF: TASKS_HFCLKSTART, TASKS_HFCLKSTOP, EVENTS_HFCLKSTARTED, HFCLKSTAT.
const START: u32 = 0x4000_0000;
const STOP: u32 = 0x4000_0004;
const STARTED: u32 = 0x4000_0100;
const STATUS: u32 = 0x4000_040C;

#[test]
fn a_target_whose_crystal_does_not_start_runs_on_and_its_event_never_comes() {
    for board in ["microbit-v2", "microbit-v1"] {
        let mut host = built_in(board);
        let fault = no_start(None, Plan { start: host.now(), ..Plan::default() });
        host.machine().arm(&fault).expect("can be armed");
        for expected in [(0, 1 << 16), (1, 1 << 16 | 1)] {
            let mut adi = host.dap_v1().expect("a probe").adi();
            adi.connect().expect("a target");
            adi.halt().expect("halts");
            adi.write_words(STARTED, &[0]).expect("memory");
            adi.write_words(START, &[1]).expect("memory");
            // Asking again does not help: it is on already.
            adi.write_words(START, &[1]).expect("memory");
            host.sleep(Span::ms(50));
            let mut adi = host.dap_v1().expect("a probe").adi();
            adi.connect().expect("a target");
            let started = adi.read_words(STARTED, 1).expect("memory")[0];
            let status = adi.read_words(STATUS, 1).expect("memory")[0];
            adi.write_words(STOP, &[1]).expect("memory");
            assert_eq!((started, status), expected, "{board}");
        }
        let fault = fault.lock();
        let [evidence] = fault.record().evidence() else { panic!("{:?}", fault.record()) };
        assert_eq!((evidence.place.as_str(), evidence.effect.as_str()), ("crystal oscillator", "did not start"));
    }
}

#[test]
fn native_firmware_has_no_crystal() {
    let mut host = built_in("microbit-v2");
    let error = host.machine().arm(&no_start(Some("interface"), Plan::default())).expect_err("not here");
    assert!(matches!(error, ArmError::NotHere { .. }), "{error}");
}

fn off(ppm: i32, chip: Option<&str>) -> Params {
    Params { ppm: Some(ppm), chip: chip.map(str::to_owned), ..Params::default() }
}

/// A clock that is off from now on.
fn be_off(host: &mut Host<Powered>, ppm: i32, chip: Option<&str>) -> SharedFault {
    let fault = arm(host.machine(), "clock.offset", off(ppm, chip), Plan::default());
    host.sleep(Span::us(100));
    assert_eq!(strikes(&fault), 1);
    fault
}

/// How long something takes whose nominal length is `span`, on a clock that is fast by `ppm`: in picoseconds.
fn with_offset(span: Span, ppm: i32) -> f64 {
    span.0 as f64 * 1e6 / (1e6 + f64::from(ppm))
}

/// What happened on the wires.
#[derive(Default)]
struct Seen(Vec<(Time, NetId, Signal)>);

impl Sink for Seen {
    fn net(&mut self, at: Time, net: NetId, signal: Signal) {
        self.0.push((at, net, signal));
    }
}

impl Seen {
    fn at(host: &mut Host<Powered>) -> Arc<Mutex<Seen>> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        host.machine().board.add_sink(Box::new(seen.clone()));
        seen
    }

    fn characters(&self) -> Vec<SerialFrame> {
        let character =
            |(_, _, signal): &(_, _, _)| if let Signal::Serial(frame) = signal { Some(*frame) } else { None };
        self.0.iter().filter_map(character).collect()
    }

    /// When the level of the wire changed that changed most often.
    fn levels(&self) -> Vec<Time> {
        let mut of_nets = BTreeMap::<NetId, Vec<Time>>::new();
        for (at, net, _) in self.0.iter().filter(|(_, _, signal)| matches!(signal, Signal::Drive(_))) {
            of_nets.entry(*net).or_default().push(*at);
        }
        of_nets.into_values().max_by_key(Vec::len).unwrap_or_default()
    }
}

/// The lengths of a bit at 115 200 baud that interface and target of a board have, in picoseconds. An nRF's is a whole
/// number of periods of 16 MHz, the least that makes its BAUDRATE (0x01D60000 on the nRF52, 0x01D7E000 on the nRF51, over
/// 2^32) not too large; the KL26Z divides its 24 MHz by 16 times 13.
fn bits_of(board: &str) -> (f64, f64) {
    if board == "microbit-v1" {
        (16.0 * 13.0 / 24e6 * 1e12, 138.0 * 62_500.0)
    } else {
        (139.0 * 62_500.0, 139.0 * 62_500.0)
    }
}

/// What comes back of `byte` if the target's clock is fast by `ppm`; none if the target hears more than one character.
fn echoed(board: &str, byte: u8, ppm: i32) -> Option<Vec<u8>> {
    let (interface, target) = bits_of(board);
    let target = target * 1e6 / (1e6 + f64::from(ppm));
    let [(heard, _)] = received(byte, interface / target)[..] else { return None };
    // A V1's interface chip drops characters without a stop bit.
    let back = received(heard, target / interface).into_iter();
    Some(back.filter(|(_, stop)| *stop || board != "microbit-v1").map(|(byte, _)| byte).collect())
}

#[test]
fn with_a_target_that_is_two_percent_off_everything_is_understood_and_with_seven_percent_not() {
    const TEXT: &[u8] = b"Hello, board! 0123456789";
    for board in BOARDS {
        for (ppm, chip) in [(20_000, None), (-20_000, None), (20_000, Some("interface")), (-20_000, Some("interface"))]
        {
            let mut host = echo(board);
            be_off(&mut host, ppm, chip);
            assert_eq!(say(&mut host, TEXT), TEXT, "{board}: {chip:?} {ppm}");
        }
        for (ppm, chip) in [(70_000, None), (-70_000, None), (70_000, Some("interface")), (-70_000, Some("interface"))]
        {
            let mut host = echo(board);
            let fault = be_off(&mut host, ppm, chip);
            assert_ne!(say(&mut host, TEXT), TEXT, "{board}: {chip:?} {ppm}");
            fault.lock().arm(Time::ZERO, false);
            host.sleep(Span::ms(1));
            assert_eq!(say(&mut host, TEXT), TEXT, "{board}: {chip:?} is right again");
        }
    }
}

#[test]
fn from_where_on_a_character_is_damaged_follows_from_where_the_receiver_samples() {
    // Neighbouring bits of this one differ from each other, and the last one from the stop bit.
    const BYTE: u8 = b'U';
    for board in BOARDS {
        for sign in [1, -1] {
            let damaged = |ppm: &i32| echoed(board, BYTE, sign * ppm) != Some(vec![BYTE]);
            let first = (0..100_000).step_by(100).find(damaged).expect("a limit");
            // Nine and a half bits to the last sample: half a bit in 8.5 to 9.5, and what the dividers differ by.
            assert!((45_000..70_000).contains(&first), "{board}: {}", sign * first);
            for ppm in [first - 400, first + 400] {
                let ppm = sign * ppm;
                let mut host = echo(board);
                be_off(&mut host, ppm, None);
                let expected = echoed(board, BYTE, ppm).expect("one character");
                assert_eq!(say(&mut host, &[BYTE]), expected, "{board}: {ppm} of {first}");
            }
        }
    }
}

#[test]
fn bits_on_the_wire_are_shorter_by_exactly_as_much_as_a_clock_is_fast() {
    for board in BOARDS {
        for ppm in [-100_000, -20_000, 33_333, 100_000] {
            let mut host = echo(board);
            let seen = Seen::at(&mut host);
            let (interface, target) = bits_of(board);
            let of_both = |host: &mut Host<Powered>| {
                seen.lock().0.clear();
                say(host, b"U");
                let bits: Vec<f64> = seen.lock().characters().iter().map(|frame| frame.bit.0 as f64).collect();
                [bits[0], bits[1]]
            };
            let close = |bits: [f64; 2], expected: [f64; 2]| {
                assert!(bits.iter().zip(expected).all(|(bit, other)| (bit - other).abs() <= 1.0), "{board}: {bits:?}");
            };
            let ratio = with_offset(Span::secs(1), ppm) / 1e12;
            let fault = be_off(&mut host, ppm, None);
            close(of_both(&mut host), [interface, target * ratio]);
            fault.lock().arm(Time::ZERO, false);
            be_off(&mut host, ppm, Some("interface"));
            close(of_both(&mut host), [interface * ratio, target]);
        }
    }
}

#[test]
fn emulated_interface_chips_have_their_clocks_off_as_well() {
    let boards =
        [("microbit-v1", OWN_V1, ECHO_V1), ("microbit-v2.00", OWN_V2_00, ECHO_V2), ("microbit-v2", OWN_V2_2, ECHO_V2)];
    for (board, own, target) in boards {
        let mut right = 0.0;
        for ppm in [0, 20_000, -20_000, 70_000, -70_000] {
            let parse = |bytes| Image::parse(Path::new("a.hex"), bytes, BlockIds(&[]), 0).expect("an image");
            let (own, target) = (parse(own), parse(target));
            let interface = Some(InterfaceProgram { image: &own, start: Start::Reset });
            let options = PowerOn { interface, target: Some(&target), ..PowerOn::default() };
            let file = BoardFile::built_in(board).expect("built in");
            let mut host = Host::new(file.power_on(&options).expect("a board"));
            host.enumerate().expect("enumerates");
            open(&mut host);
            if ppm != 0 {
                be_off(&mut host, ppm, Some("interface"));
            }
            let seen = Seen::at(&mut host);
            let understood = say(&mut host, b"Hello, board!") == b"Hello, board!";
            assert_eq!(understood, ppm.abs() < 50_000, "{board} {ppm}");
            let bit = seen.lock().characters()[0].bit.0 as f64;
            match ppm {
                0 => right = bit,
                _ => assert!((bit - with_offset(Span(right as u64), ppm)).abs() <= 1.0, "{board} {ppm}: {bit} {right}"),
            }
            // Its probe bangs the debug wire in its own time, and the target does not mind.
            let dpidr = host.control_in([0xC0, 1, 0, 0, 0, 0, 4, 0]).expect("answers");
            let expected: u32 = if board == "microbit-v1" { 0x0BB1_1477 } else { 0x2BA0_1477 };
            assert_eq!(dpidr, expected.to_le_bytes(), "{board} {ppm}");
        }
    }
}

/// GPIOTE, PPI and TIMER0 of an nRF, as far as a timer toggles a pin with them.
const GPIOTE_CONFIG: u32 = 0x4000_6510;
const GPIOTE_TASKS_OUT: u32 = 0x4000_6000;
const PPI_CHENSET: u32 = 0x4001_F504;
const PPI_CH: u32 = 0x4001_F510;
const TIMER: u32 = 0x4000_8000;
const COMPARE: u32 = TIMER + 0x140;

/// Lets a timer of the target toggle its serial output every `us` microseconds.
fn toggle(host: &mut Host<Powered>, board: &str, us: u32) {
    let pin = if board == "microbit-v1" { 24 } else { 6 };
    let mut adi = adi(host, board);
    adi.connect().expect("a target");
    adi.halt().expect("halts");
    // A task, this pin, toggle, at first high.
    adi.write_words(GPIOTE_CONFIG, &[3 | pin << 8 | 3 << 16 | 1 << 20]).expect("memory");
    adi.write_words(PPI_CH, &[COMPARE, GPIOTE_TASKS_OUT]).expect("memory");
    adi.write_words(PPI_CHENSET, &[1]).expect("memory");
    // BITMODE and PRESCALER: 32 bits at 1 MHz. SHORTS: COMPARE\[0\] clears.
    adi.write_words(TIMER + 0x508, &[3]).expect("memory");
    adi.write_words(TIMER + 0x510, &[4]).expect("memory");
    adi.write_words(TIMER + 0x540, &[us]).expect("memory");
    adi.write_words(TIMER + 0x200, &[1]).expect("memory");
    adi.write_words(TIMER, &[1]).expect("memory");
}

#[test]
fn a_timer_runs_exactly_as_fast_as_the_clock_and_time_does_not_jump_where_that_changes() {
    for board in BOARDS {
        for ppm in [20_000, -33_333] {
            let mut host = built_in(board);
            toggle(&mut host, board, 500);
            let seen = Seen::at(&mut host);
            let start = host.now() + Span::us(20_250);
            let plan = Plan { start, lasting: Lasting::For(Span::ms(100)), ..Plan::default() };
            let fault = arm(host.machine(), "clock.offset", off(ppm, None), plan);
            host.sleep(Span::ms(150));
            // The first is no change: it says what was.
            let times = seen.lock().levels().split_off(1);
            let periods = |from: Time, to: Time| {
                let inside: Vec<Time> = times.iter().copied().filter(|at| *at >= from && *at < to).collect();
                let count = inside.len() - 1;
                (count, inside[count].since(inside[0]).0 as f64 / count as f64)
            };
            let end = start + Span::ms(100);
            let (right, fast) = (with_offset(Span::us(500), 0), with_offset(Span::us(500), ppm));
            assert_eq!(periods(Time::ZERO, start).1, right, "{board}");
            assert_eq!(periods(end, Time::NEVER).1, right, "{board}");
            let (count, period) = periods(start, end);
            assert!(count >= 190 && (period - fast).abs() <= 1.0 / count as f64, "{board}: {period} and not {fast}");
            // The half-periods in which it changes: part of them is as long as usual, part is not.
            let odd: Vec<u64> = times.windows(2).map(|pair| pair[1].since(pair[0]).0).collect();
            let odd: Vec<f64> = odd.into_iter().map(|span| span as f64).collect();
            let between = |span: &&f64| (**span - right).abs() > 1.0 && (**span - fast).abs() > 1.0;
            let odd: Vec<f64> = odd.iter().filter(between).copied().collect();
            assert!(
                odd.len() <= 2 && odd.iter().all(|span| right.min(fast) < *span && *span < right.max(fast)),
                "{odd:?}"
            );
            assert_eq!(strikes(&fault), 1);
        }
    }
}

/// ADDS R0, #1, and back to it.
const COUNT: u32 = 0xE7FD_3001;

#[test]
fn a_core_runs_exactly_as_fast_as_its_clock() {
    for board in BOARDS {
        // How far it counts in 200 ms; what starting and halting it takes is in both of its terms.
        let counts = |ppm: i32| {
            let mut host = built_in(board);
            if ppm != 0 {
                be_off(&mut host, ppm, None);
            }
            let mut counts_in = |span: Span| {
                let mut probe = adi(&mut host, board);
                probe.connect().expect("a target");
                probe.halt().expect("halts");
                probe.write_words(0x2000_0000, &[COUNT]).expect("memory");
                probe.write_register(0, 0).expect("halted");
                probe.write_register(15, 0x2000_0000).expect("halted");
                probe.run().expect("runs");
                host.sleep(span);
                let mut probe = adi(&mut host, board);
                probe.halt().expect("halts");
                f64::from(probe.read_register(0).expect("halted"))
            };
            counts_in(Span::ms(300)) - counts_in(Span::ms(100))
        };
        let right = counts(0);
        // ARMv6-M's Cortex-M0: one cycle and three (its Technical Reference Manual, 3.3).
        assert!(board != "microbit-v1" || (right / (0.2 * 16e6 / 4.0) - 1.0).abs() < 1e-4, "{right}");
        for ppm in [20_000, -100_000] {
            // The host looks for answers once in a while, so the two halts may be some microseconds off.
            let ratio = counts(ppm) / right;
            assert!((ratio - 1.0 - f64::from(ppm) / 1e6).abs() < 1e-4, "{board}: {ratio}");
        }
    }
}

#[test]
fn a_debugger_does_not_mind_a_target_whose_clock_is_off() {
    for board in BOARDS {
        for ppm in [-100_000, 100_000] {
            let mut host = echo(board);
            be_off(&mut host, ppm, None);
            let mut adi = adi(&mut host, board);
            adi.connect().expect("a target");
            adi.halt().expect("halts");
            adi.write_words(0x2000_0100, &[1, 2, 3]).expect("memory");
            assert_eq!(adi.read_words(0x2000_0100, 3).expect("memory"), [1, 2, 3], "{board}");
            let before = adi.read_register(15).expect("a PC");
            adi.step().expect("steps");
            assert_ne!(adi.read_register(15).expect("a PC"), before, "{board}");
            adi.reset_and_run().expect("runs");
        }
    }
}

#[test]
fn the_screen_is_right_after_a_minute_with_a_clock_that_is_off() {
    let demos: [(&str, &[u8]); 2] = [
        ("microbit-v2", include_bytes!("../../firmware/nrf52833/demo.hex")),
        ("microbit-v1", include_bytes!("../../firmware/nrf51822/demo.hex")),
    ];
    for (board, demo) in demos {
        let image = Image::parse(Path::new("demo.hex"), demo, BlockIds(&[]), 0).expect("an image");
        let file = BoardFile::built_in(board).expect("built in");
        let mut powered = file.power_on(&PowerOn { target: Some(&image), ..PowerOn::default() }).expect("a board");
        arm(&mut powered, "clock.offset", off(20_000, None), Plan::default());
        powered.advance(Time::ZERO + Span::secs(60));
        // The heart beats.
        let mut looks = BTreeSet::new();
        for look in 1..=40 {
            powered.advance(Time::ZERO + Span::secs(60) + Span::ms(50) * look);
            let screen = powered.screen().expect("a matrix");
            looks.insert(screen.replace(|level: char| ('1'..='9').contains(&level), "#"));
        }
        let heart = "0#0#0
#####
#####
0###0
00#00
";
        let dark = "00000
"
        .repeat(5);
        assert_eq!(looks, BTreeSet::from([heart.to_string(), dark]), "{board}");
    }
}

#[test]
fn a_clock_that_changes_leaves_the_same_trace_threaded_and_stepped() {
    use Driver::{Stepped, Threaded};
    let start = Time::ZERO + Span::ms(700);
    let for_a_while = Plan { start, lasting: Lasting::For(Span::ms(333)), ..Plan::default() };
    let faults = [
        ("clock.offset", off(20_011, None), for_a_while),
        ("clock.offset", off(-777, None), always()),
        ("clock.offset", off(-13_000, Some("interface")), times(1)),
    ];
    let first = trace(Stepped, &faults, 1);
    assert_eq!(first.2, [1, 1, 1]);
    assert_eq!(first, trace(Threaded, &faults, 1));
    assert_ne!(first.0, trace(Stepped, &[], 1).0);
    // Both chips emulated.
    let run = |driver, faulty: bool| {
        let parse = |bytes| Image::parse(Path::new("a.hex"), bytes, BlockIds(&[]), 0).expect("an image");
        let (own, target) = (parse(OWN_V2_2), parse(ECHO_V2));
        let interface = Some(InterfaceProgram { image: &own, start: Start::Reset });
        let options = PowerOn { interface, target: Some(&target), driver, watch_wires: true, ..PowerOn::default() };
        let mut powered = BoardFile::built_in("microbit-v2").expect("built in").power_on(&options).expect("a board");
        let hash = Arc::new(Mutex::new(TraceHash::default()));
        powered.board.add_sink(Box::new(hash.clone()));
        if faulty {
            arm(&mut powered, "clock.offset", off(20_011, None), Plan::default());
            arm(&mut powered, "clock.offset", off(-9_999, Some("interface")), Plan::default());
        }
        let mut host = Host::new(powered);
        host.enumerate().expect("enumerates");
        open(&mut host);
        let heard = say(&mut host, b"Hello, both");
        let hash = *hash.lock();
        (hash, heard, host.now())
    };
    let first = run(Stepped, true);
    assert_eq!(first.1, b"Hello, both");
    assert_eq!(first, run(Threaded, true));
    assert_ne!(first.0, run(Stepped, false).0);
}

#[test]
fn it_tells_when_the_clock_went_wrong_and_by_how_much_and_nothing_where_nothing_did() {
    let mut host = built_in("microbit-v2");
    let start = host.now() + Span::ms(5);
    let plan = Plan { start, ..Plan::default() };
    let slow = arm(host.machine(), "clock.offset", off(-50_000, Some("interface")), plan.clone());
    let right = arm(host.machine(), "clock.offset", off(0, None), plan);
    host.sleep(Span::ms(20));
    let slow = slow.lock();
    let [evidence] = slow.record().evidence() else { panic!("{:?}", slow.record()) };
    assert_eq!((evidence.at, evidence.place.as_str()), (start, "clock of interface"));
    assert_eq!(evidence.effect, "50000 ppm slow: what it takes for a second lasts 1052631 µs");
    assert_eq!(strikes(&right), 0, "no ppm are no fault");
}

#[test]
fn a_clock_cannot_be_off_by_more_than_any_oscillator() {
    let mut host = built_in("microbit-v1");
    let point = fault::point("clock.offset").expect("a point");
    for ppm in [100_001, -100_001, i32::MIN] {
        let fault = SharedFault::new(Fault::new("f", point, off(ppm, None), Plan::default(), 1));
        let error = host.machine().arm(&fault).expect_err("too much");
        let expected =
            format!("a ppm of -100000 to 100000 was expected, not {ppm}: no oscillator of such a chip is further off");
        assert!(
            matches!(&error, ArmError::Param { param: Param::Ppm, message, .. } if *message == expected),
            "{error}"
        );
    }
}
