//! Commands against a wire that answers from a script.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;
use twinboard_sim::debug::{SwdAck, SwdRequest, SwdTiming, SwdTransfer, SwdWire};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;

use super::execute;
use super::packet::PACKET_SIZE;
use super::timing::PinTiming;
use super::vendor::Services;
use crate::daplink::cdc::Cdc;
use crate::daplink::config::Settings;
use crate::daplink::shared::Core;
use crate::daplink::testing::run;

/// What went over the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Event {
    /// A request byte as SWD sends it, less start, parity, stop and park: A[3:2], RnW, APnDP. And the data written.
    Transfer(u8, u32),
    /// Bits written, how many.
    Bits(u64, u32),
    Clock(Drive),
}

#[derive(Clone, Default)]
struct Script {
    /// Answers to come; when there are none left, OK and 0.
    answers: Arc<Mutex<VecDeque<(u8, u32)>>>,
    events: Arc<Mutex<Vec<Event>>>,
    timing: Arc<Mutex<Option<SwdTiming>>>,
    bad_parity: bool,
    /// The line when nobody drives it.
    line: bool,
}

impl SwdWire for Script {
    fn clock(&mut self, _: Time, swdio: Drive) -> bool {
        self.events.lock().push(Event::Clock(swdio));
        self.level(swdio)
    }

    fn write_bits(&mut self, _: Time, _: Span, bits: u64, count: u32) {
        self.events.lock().push(Event::Bits(bits, count));
    }

    fn transfer(&mut self, _: Time, timing: &SwdTiming, request: SwdRequest, data: u32) -> (SwdTransfer, Span) {
        let code = request.address | u8::from(request.read) << 1 | u8::from(request.ap);
        self.events.lock().push(Event::Transfer(code, if request.read { 0 } else { data }));
        *self.timing.lock() = Some(*timing);
        let (ack, data) = self.answers.lock().pop_front().unwrap_or((1, 0));
        (SwdTransfer { ack: SwdAck(ack), data, parity_ok: !self.bad_parity }, timing.period * 46)
    }

    fn reset_pin(&mut self, _: Time, _: bool) {}

    fn level(&mut self, swdio: Drive) -> bool {
        match swdio {
            Drive::Low => false,
            Drive::High => true,
            _ => self.line,
        }
    }
}

/// The pins of a micro:bit V2's interface chip.
const PINS: PinTiming = PinTiming::NRF52820;

struct NoDrive(Cdc);

impl Services for NoDrive {
    fn cdc(&mut self) -> &mut Cdc {
        &mut self.0
    }
    fn usb_test_mode(&mut self, _: bool) {}
    async fn stream_open(&mut self, _: &mut Core, kind: u8) -> u8 {
        kind
    }
    async fn stream_write(&mut self, _: &mut Core, data: &[u8]) -> u8 {
        data.len() as u8
    }
    async fn stream_close(&mut self, _: &mut Core) -> u8 {
        0
    }
}

/// The responses to packets, one after the other; and how long they took.
fn session(script: &Script, settings: Settings, packets: Vec<Vec<u8>>) -> (Vec<Vec<u8>>, Span) {
    run(Box::new(script.clone()), settings, |mut core| async move {
        let mut services = NoDrive(Cdc::new(115_200));
        let mut responses = Vec::new();
        for packet in packets {
            let mut response = [0; PACKET_SIZE];
            let length = execute(&mut core, &mut services, &packet, &mut response).await;
            responses.push(response[..length].to_vec());
        }
        (responses, core.clock.now().since(Time::ZERO))
    })
}

/// The response to one packet in connected mode, with these answers on the wire; and what went over the wire.
fn connected(answers: &[(u8, u32)], packet: &[u8]) -> (Vec<u8>, Vec<Event>) {
    let script = Script { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), ..Script::default() };
    let (mut responses, _) = session(&script, Settings::default(), vec![vec![0x02, 1], packet.to_vec()]);
    let events = script.events.lock().clone();
    (responses.pop().expect("a response"), events)
}

fn answer(packet: &[u8]) -> Vec<u8> {
    connected(&[], packet).0
}

const READ_DPIDR: u8 = 0x02;
const READ_CTRL: u8 = 0x06;
const READ_DRW: u8 = 0x0f;
const WRITE_DRW: u8 = 0x0d;
const WRITE_TAR: u8 = 0x05;
const READ_RDBUFF: u8 = 0x0e;
const OK: u8 = 1;
const WAIT: u8 = 2;
const FAULT: u8 = 4;

fn text(id: u8) -> String {
    let response = answer(&[0x00, id]);
    assert_eq!(usize::from(response[1]) + 2, response.len());
    String::from_utf8(response[2..].to_vec()).expect("text")
}

#[test]
fn info_strings_count_their_nul() {
    assert_eq!(answer(&[0x00, 0x01]), [0x00, 0], "the vendor is empty");
    assert_eq!(text(0x02), "DAPLink CMSIS-DAP\0");
    assert_eq!(text(0x03).len(), 49);
    assert_eq!(text(0x04), "2.1.0\0");
    assert_eq!(text(0x05), "NordicSemiconductor\0");
    assert_eq!(text(0x06), "nRF52833_xxAA\0");
    assert_eq!(text(0x07), "Micro:bit Educational Foundation\0");
    assert_eq!(text(0x08), "BBC micro:bit V2\0");
    assert_eq!(text(0x09), "0257\0");
}

#[test]
fn info_numbers_are_those_of_an_nrf52820_interface() {
    assert_eq!(answer(&[0x00, 0xf0]), [0x00, 1, 0x31]);
    assert_eq!(answer(&[0x00, 0xf1]), [0x00, 4, 0x00, 0xe1, 0xf5, 0x05], "100 MHz");
    assert_eq!(answer(&[0x00, 0xfd]), [0x00, 0], "no SWO buffer");
    assert_eq!(answer(&[0x00, 0xfe]), [0x00, 1, 8]);
    assert_eq!(answer(&[0x00, 0xff]), [0x00, 2, 64, 0]);
}

#[test]
fn unknown_commands_are_answered_with_ff_alone() {
    for command in [0x07, 0x0b, 0x17, 0x1c, 0x1f, 0x22, 0x7e, 0xa0, 0xfe, 0xff] {
        assert_eq!(answer(&[command, 0, 0]), [0xff], "{command:#x}");
    }
}

#[test]
fn jtag_commands_answer_with_an_error_status() {
    assert_eq!(answer(&[0x14, 1, 8, 0]), [0x14, 0xff]);
    assert_eq!(answer(&[0x15, 1, 4]), [0x15, 0xff]);
    assert_eq!(answer(&[0x16, 0]), [0x16, 0xff]);
}

#[test]
fn connect_0_is_swd_and_jtag_is_refused() {
    assert_eq!(answer(&[0x02, 0]), [0x02, 1]);
    assert_eq!(answer(&[0x02, 1]), [0x02, 1]);
    assert_eq!(answer(&[0x02, 2]), [0x02, 0]);
}

#[test]
fn after_disconnect_transfers_are_answered_but_reach_nobody() {
    let script = Script::default();
    let packets = vec![
        vec![0x02, 1],
        vec![0x03],
        vec![0x05, 0, 1, READ_DPIDR],
        vec![0x06, 0, 1, 0, READ_DRW],
        vec![0x08, 0, 0x1e, 0, 0, 0],
        vec![0x12, 8, 0xff],
    ];
    let (responses, _) = session(&script, Settings::default(), packets);
    assert_eq!(responses[1], [0x03, 0]);
    assert_eq!(responses[2], [0x05, 0, 0]);
    assert_eq!(responses[3], [0x06, 0, 0, 0]);
    assert_eq!(responses[4], [0x08, 0xff]);
    assert_eq!(responses[5], [0x12, 0]);
    assert_eq!(*script.events.lock(), []);
}

#[test]
fn reset_target_says_that_it_does_nothing() {
    assert_eq!(answer(&[0x0a]), [0x0a, 0, 0]);
}

#[test]
fn a_dp_read_is_not_posted() {
    let (response, events) = connected(&[(OK, 0x2ba0_1477)], &[0x05, 0, 1, READ_DPIDR]);
    assert_eq!(response, [0x05, 1, OK, 0x77, 0x14, 0xa0, 0x2b]);
    assert_eq!(events, [Event::Transfer(READ_DPIDR, 0)]);
}

#[test]
fn ap_reads_are_posted_and_the_last_is_fetched_with_rdbuff() {
    let answers = [(OK, 0xdead), (OK, 0x11), (OK, 0x22)];
    let (response, events) = connected(&answers, &[0x05, 0, 2, READ_DRW, READ_DRW]);
    assert_eq!(response, [0x05, 2, OK, 0x11, 0, 0, 0, 0x22, 0, 0, 0]);
    let codes = [READ_DRW, READ_DRW, READ_RDBUFF];
    assert_eq!(events, codes.map(|code| Event::Transfer(code, 0)));
}

#[test]
fn a_posted_read_is_fetched_before_anything_else_is_done() {
    let answers = [(OK, 0), (OK, 0x11), (OK, 0x22)];
    let (response, events) = connected(&answers, &[0x05, 0, 2, READ_DRW, READ_CTRL]);
    assert_eq!(response, [0x05, 2, OK, 0x11, 0, 0, 0, 0x22, 0, 0, 0]);
    assert_eq!(events, [READ_DRW, READ_RDBUFF, READ_CTRL].map(|code| Event::Transfer(code, 0)));
}

#[test]
fn the_fate_of_the_last_write_is_in_the_same_response() {
    let (response, events) = connected(&[(OK, 0), (FAULT, 0)], &[0x05, 0, 1, WRITE_DRW, 1, 2, 3, 4]);
    assert_eq!(response, [0x05, 1, FAULT]);
    assert_eq!(events, [Event::Transfer(WRITE_DRW, 0x0403_0201), Event::Transfer(READ_RDBUFF, 0)]);
}

#[test]
fn a_fault_ends_the_packet_and_reports_how_many_were_done() {
    let answers = [(OK, 0), (FAULT, 0)];
    let packet = [0x05, 0, 3, WRITE_TAR, 0, 0, 0, 0, WRITE_DRW, 0, 0, 0, 0, READ_CTRL];
    let (response, events) = connected(&answers, &packet);
    assert_eq!(response, [0x05, 1, FAULT]);
    assert_eq!(events.len(), 2);
}

#[test]
fn wait_is_tried_again_as_often_as_configured() {
    let script = Script { answers: Arc::new(Mutex::new([(WAIT, 0); 200].into())), ..Script::default() };
    let packets =
        vec![vec![0x02, 1], vec![0x05, 0, 1, READ_CTRL], vec![0x04, 0, 3, 0, 0, 0], vec![0x05, 0, 1, READ_CTRL]];
    let (responses, _) = session(&script, Settings::default(), packets);
    assert_eq!(responses[1], [0x05, 0, WAIT]);
    assert_eq!(responses[3], [0x05, 0, WAIT]);
    assert_eq!(script.events.lock().len(), 101 + 4, "the default is 100 retries");
}

#[test]
fn a_value_match_is_repeated_under_the_mask_until_it_matches() {
    let script = Script::default();
    let packets = vec![
        vec![0x02, 1],
        vec![0x04, 0, 0, 0, 5, 0],
        vec![0x05, 0, 2, 0x20, 0xf0, 0, 0, 0, READ_CTRL | 0x10, 0x30, 0, 0, 0],
    ];
    script.answers.lock().extend([(OK, 0x11), (OK, 0x21), (OK, 0x3f)]);
    let (responses, _) = session(&script, Settings::default(), packets);
    assert_eq!(responses[2], [0x05, 2, OK]);
    assert_eq!(script.events.lock().len(), 3, "the mask does not go over the wire");
}

#[test]
fn a_value_match_that_never_comes_is_a_mismatch() {
    let (response, _) = connected(&[(OK, 1)], &[0x05, 0, 2, 0x20, 1, 0, 0, 0, READ_CTRL | 0x10, 0, 0, 0, 0]);
    assert_eq!(response, [0x05, 1, OK | 0x10]);
}

#[test]
fn bad_parity_is_a_protocol_error_without_an_acknowledge() {
    let script = Script { bad_parity: true, ..Script::default() };
    let (responses, _) = session(&script, Settings::default(), vec![vec![0x02, 1], vec![0x05, 0, 1, READ_CTRL]]);
    assert_eq!(responses[1], [0x05, 0, 8]);
}

#[test]
fn nobody_is_reported_as_the_three_bits_of_the_pull_up() {
    assert_eq!(connected(&[(7, 0)], &[0x05, 0, 1, READ_DPIDR]).0, [0x05, 0, 7]);
}

#[test]
fn the_timestamp_bit_adds_the_cycle_counter_before_the_data() {
    let (response, _) = connected(&[(OK, 0x55)], &[0x05, 0, 1, READ_CTRL | 0x80]);
    assert_eq!(response.len(), 3 + 4 + 4);
    assert_eq!(response[7..], [0x55, 0, 0, 0]);
    let stamp = u32::from_le_bytes([response[3], response[4], response[5], response[6]]);
    let transfer = PINS.default_swj_clock().period() * 46 + PINS.transfer_overhead();
    assert_eq!(stamp, PINS.timestamp(Time::ZERO + transfer));
}

#[test]
fn a_block_read_posts_once_and_ends_with_rdbuff() {
    let answers = [(OK, 0xdead), (OK, 1), (OK, 2), (OK, 3)];
    let (response, events) = connected(&answers, &[0x06, 0, 3, 0, READ_DRW]);
    assert_eq!(response, [0x06, 3, 0, OK, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
    assert_eq!(events, [READ_DRW, READ_DRW, READ_DRW, READ_RDBUFF].map(|code| Event::Transfer(code, 0)));
}

#[test]
fn a_block_write_is_checked_at_its_end() {
    let (response, events) = connected(&[], &[0x06, 0, 2, 0, WRITE_DRW, 1, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(response, [0x06, 2, 0, OK]);
    let expected = [Event::Transfer(WRITE_DRW, 1), Event::Transfer(WRITE_DRW, 2), Event::Transfer(READ_RDBUFF, 0)];
    assert_eq!(events, expected);
}

#[test]
fn configuration_reaches_the_wire() {
    let script = Script::default();
    let packets = vec![
        vec![0x02, 1],
        vec![0x11, 0x40, 0x42, 0x0f, 0],
        vec![0x13, 0x06],
        vec![0x04, 9, 0, 0, 0, 0],
        vec![0x05, 0, 1, READ_CTRL],
    ];
    session(&script, Settings::default(), packets);
    let timing = script.timing.lock().expect("a transfer");
    let period = PINS.swj_clock(1_000_000).expect("a clock").period();
    assert_eq!(timing, SwdTiming { period, turnaround: 3, data_phase: true, idle: 9 });
}

#[test]
fn a_clock_of_0_hz_is_an_error() {
    assert_eq!(answer(&[0x11, 0, 0, 0, 0]), [0x11, 0xff]);
}

#[test]
fn a_sequence_of_0_bits_is_256() {
    let mut packet = vec![0x12, 0];
    packet.extend([0xaa; 32]);
    let (response, events) = connected(&[], &packet);
    assert_eq!(response, [0x12, 0]);
    assert_eq!(events, [Event::Bits(0xaaaa_aaaa_aaaa_aaaa, 64); 4]);
}

#[test]
fn an_swd_sequence_reads_what_is_on_the_line_before_each_edge() {
    let script = Script { line: true, ..Script::default() };
    let packet = vec![0x1d, 3, 8, 0x99, 0x80 | 5, 33, 1, 2, 3, 4, 1];
    let (responses, _) = session(&script, Settings::default(), vec![vec![0x02, 1], packet]);
    assert_eq!(responses[1], [0x1d, 0, 0x1f]);
    let events = script.events.lock();
    assert_eq!(events[0], Event::Bits(0x99, 8));
    assert_eq!(events[1..6], [Event::Clock(Drive::Released); 5]);
    assert_eq!(events[6], Event::Bits(0x1_0403_0201, 33));
}

#[test]
fn the_pins_read_back_and_nreset_is_always_0() {
    assert_eq!(answer(&[0x10, 0x80, 0x80, 0, 0, 0, 0]), [0x10, 0x03]);
    assert_eq!(answer(&[0x10, 0x00, 0x02, 0, 0, 0, 0]), [0x10, 0x01]);
}

#[test]
fn waiting_for_nreset_to_rise_lasts_its_whole_time() {
    let script = Script::default();
    let packets = vec![vec![0x02, 1], vec![0x10, 0x80, 0x80, 0xe8, 3, 0, 0]];
    let (_, took) = session(&script, Settings::default(), packets);
    // 1000 µs are counted as 100 cycles each, at 64 MHz.
    assert!(took >= Span::us(1_562) && took < Span::us(1_564), "{took:?}");
}

#[test]
fn swclk_set_by_hand_clocks_the_target_on_its_rising_edge() {
    let script = Script::default();
    let pins = |value| vec![0x10, value, 0x03, 0, 0, 0, 0];
    session(&script, Settings::default(), vec![vec![0x02, 1], pins(0x02), pins(0x03), pins(0x00), pins(0x01)]);
    assert_eq!(*script.events.lock(), [Event::Clock(Drive::High), Event::Clock(Drive::Low)]);
}

#[test]
fn several_commands_in_a_packet_are_answered_in_one() {
    let packet = [0x7f, 3, 0x00, 0xf0, 0x0a, 0x02, 1];
    assert_eq!(answer(&packet), [0x7f, 3, 0x00, 1, 0x31, 0x0a, 0, 0, 0x02, 1]);
}

#[test]
fn a_packet_of_packets_within_a_packet_is_unknown() {
    assert_eq!(answer(&[0x7f, 1, 0x7f]), [0x7f, 1, 0xff]);
}

#[test]
fn vendor_commands_echo_their_number() {
    assert_eq!(answer(&[0x80])[..2], [0x80, 48]);
    assert_eq!(answer(&[0x80]).len(), 50);
    assert_eq!(answer(&[0x81]), [0x81, 0x00, 0xc2, 0x01, 0x00, 0, 0, 8, 0], "115200 8N1 and a byte too many");
    assert_eq!(answer(&[0x82, 0x80, 0x25, 0, 0]), [0x82, 1]);
    assert_eq!(answer(&[0x83]), [0x83, 0]);
    assert_eq!(answer(&[0x84, 2, b'h', b'i']), [0x84, 1]);
    assert_eq!(answer(&[0x85]), [0x85]);
    assert_eq!(answer(&[0x88, 1]), [0x88, 1]);
    assert_eq!(answer(&[0x88, 2]), [0x88, 0]);
    assert_eq!(answer(&[0x89]), [0x89, 1]);
    assert_eq!(answer(&[0x8a, 1]), [0x8a, 1]);
    assert_eq!(answer(&[0x8c, 3, 1, 2, 3]), [0x8c, 3]);
    assert_eq!(answer(&[0x8b]), [0x8b, 0]);
    assert_eq!(answer(&[0x8d, 1]), [0x8d, 0]);
    assert_eq!(answer(&[0x9f]), [0x9f]);
}

#[test]
fn reset_if_no_auto_reset_touches_the_target_only_then() {
    for (auto_reset, touched) in [(true, false), (false, true)] {
        let script = Script::default();
        session(&script, Settings { auto_reset, ..Settings::default() }, vec![vec![0x89]]);
        assert_eq!(!script.events.lock().is_empty(), touched);
    }
}

#[test]
fn uart_write_and_read_share_the_bridge() {
    let response = run(Box::new(Script::default()), Settings::default(), |mut core| async move {
        let mut services = NoDrive(Cdc::new(115_200));
        services.0.bus_reset(&mut core);
        let mut response = [0; PACKET_SIZE];
        execute(&mut core, &mut services, &[0x84, 2, b'h', b'i'], &mut response).await;
        // What is sent is played back to the receiver.
        let mut out = Vec::new();
        core.clock.sleep(Span::ms(1)).await;
        core.uart.advance(core.clock.now(), &mut out);
        for edge in out {
            if let twinboard_sim::wire::Signal::Serial(frame) = edge.signal {
                core.uart.receive(edge.at, frame);
            }
        }
        let length = execute(&mut core, &mut services, &[0x83], &mut response).await;
        response[..length].to_vec()
    });
    assert_eq!(response, [0x83, 2, b'h', b'i']);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_packet_makes_it_panic_and_no_response_is_longer_than_a_packet(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..6),
        answers in prop::collection::vec((0u8..8, any::<u32>()), 0..40),
    ) {
        let script = Script { answers: Arc::new(Mutex::new(answers.into())), ..Script::default() };
        let mut session_packets = vec![vec![0x02, 1]];
        session_packets.extend(packets);
        let (responses, _) = session(&script, Settings::default(), session_packets);
        prop_assert!(responses.iter().all(|response| (1..=PACKET_SIZE).contains(&response.len())));
    }

    #[test]
    fn a_packet_cut_short_is_answered_as_if_filled_up_with_zeros(
        packet in prop::collection::vec(any::<u8>(), 1..PACKET_SIZE),
        command in prop::sample::select(vec![0x00u8, 0x01, 0x04, 0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x1d, 0x14]),
    ) {
        let mut packet = packet;
        packet[0] = command;
        let mut padded = packet.clone();
        padded.resize(PACKET_SIZE, 0);
        prop_assert_eq!(answer(&packet), answer(&padded));
    }
}
