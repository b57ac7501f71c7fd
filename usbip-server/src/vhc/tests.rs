//! The controller against a port that plays back a script and writes down every token, and against whole gadgets.

use std::collections::VecDeque;

use proptest::prelude::*;
use twinboard_sim::time::Span;
use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET};

use super::*;
use crate::gadget::{Gadget, Loopback, SourceSink};

/// What the device says to the next IN token of an endpoint.
enum Say {
    Data(&'static [u8], bool),
    Nak,
    Stall,
    Nothing,
}

/// A port, and the machine around it, that answers IN tokens from a script and acknowledges the rest unless told
/// otherwise. The log has one line per token.
#[derive(Default)]
struct Script {
    now: Time,
    says: VecDeque<Say>,
    handshakes: VecDeque<Handshake>,
    attention: u64,
    gone: bool,
    log: Vec<String>,
    times: Vec<Time>,
    sofs: Vec<(Time, u16)>,
    wake_at: Option<Time>,
}

impl Script {
    fn note(&mut self, at: Time, line: String) {
        self.log.push(line);
        self.times.push(at);
    }
}

impl UsbPort for Script {
    fn attached(&self) -> bool {
        !self.gone
    }
    fn bus_reset(&mut self, at: Time) {
        self.note(at, "reset".into());
    }
    fn vbus(&mut self, _at: Time, _present: bool) {}
    fn suspend(&mut self, _at: Time, _suspended: bool) {}
    fn sof(&mut self, at: Time, frame: u16) {
        self.sofs.push((at, frame));
    }
    fn setup(&mut self, at: Time, address: u8, ep: u8, data: [u8; 8]) -> Handshake {
        self.note(at, format!("setup {address}.{ep} {data:02x?}"));
        self.handshakes.pop_front().unwrap_or(Handshake::Ack)
    }
    fn out(&mut self, at: Time, _address: u8, ep: u8, toggle: bool, data: &[u8]) -> Handshake {
        self.note(at, format!("out {ep} data{} {}", u8::from(toggle), data.len()));
        self.handshakes.pop_front().unwrap_or(Handshake::Ack)
    }
    fn r#in(&mut self, at: Time, _address: u8, ep: u8, buffer: &mut [u8; MAX_PACKET]) -> InReply {
        self.note(at, format!("in {ep}"));
        match self.says.pop_front() {
            Some(Say::Data(data, toggle)) => {
                buffer[..data.len()].copy_from_slice(data);
                InReply::Data { len: data.len(), toggle }
            }
            Some(Say::Stall) => InReply::Stall,
            Some(Say::Nothing) => InReply::Timeout,
            Some(Say::Nak) | None => InReply::Nak,
        }
    }
    fn attention(&self) -> u64 {
        self.attention
    }
}

impl Machine for Script {
    fn now(&self) -> Time {
        self.now
    }
    fn next_event(&self) -> Time {
        self.wake_at.unwrap_or(Time::NEVER)
    }
    fn advance(&mut self, until: Time) {
        let wake = self.wake_at.filter(|&at| at <= until);
        if let Some(at) = wake {
            self.wake_at = None;
            self.attention += 1;
            self.now = self.now.max(at);
        } else {
            self.now = self.now.max(until);
        }
    }
    fn ports(&self) -> usize {
        1
    }
    fn with_port(&mut self, _index: usize, f: &mut dyn FnMut(&mut dyn UsbPort)) {
        f(self);
    }
}

fn ms(ms: u64) -> Time {
    Time::ZERO + Span::ms(ms)
}

/// A controller whose device has been reset and rested, and an empty log.
fn ready(script: &mut Script) -> Vhc {
    let mut vhc = Vhc::new(0);
    vhc.plug(script);
    vhc.reset(script, None);
    vhc.run(script, ms(30));
    script.log.clear();
    script.times.clear();
    vhc
}

fn pass<F: crate::gadget::Function>(vhc: &mut Vhc, gadget: &mut Gadget<F>, span: Span) {
    let until = gadget.now() + span;
    vhc.run(gadget, until);
}

fn finish(vhc: &mut Vhc, script: &mut Script) -> Completion {
    vhc.run(script, script.now + Span::secs(1));
    vhc.pop().expect("the URB ends within a second")
}

const GET: [u8; 8] = [0x80, 6, 0, 1, 0, 0, 18, 0];

#[test]
fn a_control_read_has_a_setup_a_data_and_a_status_stage_in_the_other_direction() {
    let mut script = Script { says: [Say::Data(&[7; 18], true)].into(), ..Script::default() };
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::control_in(1, GET));
    let done = finish(&mut vhc, &mut script);
    assert_eq!((done.status, done.actual, &done.urb.buffer[..]), (Status::Done, 18, &[7; 18][..]));
    assert_eq!(script.log, ["setup 0.0 [80, 06, 00, 01, 00, 00, 12, 00]", "in 0", "out 0 data1 0"]);
}

#[test]
fn a_control_write_sends_data1_first_and_reads_its_status() {
    let mut script = Script { says: [Say::Data(&[], true)].into(), ..Script::default() };
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::control_out(1, [0x40, 1, 0, 0, 0, 0, 70, 0], [9; 70]));
    let done = finish(&mut vhc, &mut script);
    assert_eq!((done.status, done.actual), (Status::Done, 70));
    assert_eq!(script.log[1..], ["out 0 data1 64", "out 0 data0 6", "in 0"]);
}

#[test]
fn a_refused_control_request_ends_with_epipe_and_the_next_one_works() {
    let mut script = Script { says: [Say::Stall, Say::Data(&[1], true)].into(), ..Script::default() };
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::control_in(1, GET));
    vhc.submit(Urb::control_in(2, GET));
    assert_eq!(finish(&mut vhc, &mut script).status.errno(), -32);
    assert_eq!(finish(&mut vhc, &mut script).status, Status::Done);
}

#[test]
fn an_in_transfer_ends_at_the_first_short_packet() {
    let says = [Say::Data(&[1; 64], false), Say::Data(&[2; 3], true), Say::Data(&[3; 64], false)];
    let mut script = Script { says: says.into(), ..Script::default() };
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::read(1, 0x81, 1000));
    let done = finish(&mut vhc, &mut script);
    assert_eq!((done.actual, script.log.len()), (67, 2));
}

#[test]
fn an_in_transfer_of_whole_packets_ends_when_its_buffer_is_full() {
    let says = [Say::Data(&[1; 64], false), Say::Data(&[2; 64], true)];
    let mut script = Script { says: says.into(), ..Script::default() };
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::read(1, 0x81, 128));
    assert_eq!(finish(&mut vhc, &mut script).actual, 128);
}

#[test]
fn more_data_than_asked_for_is_an_overflow() {
    let mut script = Script { says: [Say::Data(&[1; 64], false)].into(), ..Script::default() };
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::read(1, 0x81, 13));
    let done = finish(&mut vhc, &mut script);
    assert_eq!((done.status, done.actual), (Status::Overflow, 0));
}

#[test]
fn a_packet_with_the_wrong_toggle_is_taken_for_a_repetition_and_dropped() {
    let says = [Say::Data(&[1; 5], true), Say::Data(&[2; 5], false)];
    let mut script = Script { says: says.into(), ..Script::default() };
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::read(1, 0x81, 64));
    assert_eq!(finish(&mut vhc, &mut script).urb.buffer, [2; 5]);
}

#[test]
fn an_out_transfer_alternates_toggles_across_transfers_and_appends_an_empty_packet_only_when_asked() {
    let mut script = Script::default();
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::write(1, 2, [0; 128]));
    vhc.submit(Urb { zero_packet: true, ..Urb::write(2, 2, [0; 64]) });
    vhc.submit(Urb { zero_packet: true, ..Urb::write(3, 2, [0; 63]) });
    vhc.submit(Urb::write(4, 2, []));
    let actual: Vec<usize> = (0..4).map(|_| finish(&mut vhc, &mut script).actual).collect();
    assert_eq!(actual, [128, 64, 63, 0]);
    assert_eq!(
        script.log,
        ["out 2 data0 64", "out 2 data1 64", "out 2 data0 64", "out 2 data1 0", "out 2 data0 63", "out 2 data1 0"]
    );
}

#[test]
fn three_unanswered_tokens_are_a_protocol_error_and_two_are_not() {
    let says = [Say::Nothing, Say::Nothing, Say::Data(&[1], false), Say::Nothing, Say::Nothing, Say::Nothing];
    let mut script = Script { says: says.into(), ..Script::default() };
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::read(1, 0x81, 64));
    vhc.submit(Urb::read(2, 0x81, 64));
    assert_eq!(finish(&mut vhc, &mut script).status, Status::Done);
    assert_eq!(finish(&mut vhc, &mut script).status.errno(), -71);
}

#[test]
fn a_nak_is_retried_when_the_device_says_that_something_changed_and_not_before() {
    let mut script = Script { says: [Say::Nak, Say::Data(&[1], false)].into(), ..Script::default() };
    let mut vhc = ready(&mut script);
    script.wake_at = Some(script.now + Span::us(7_300));
    let wake_at = script.now + Span::us(7_300);
    vhc.submit(Urb::read(1, 0x81, 64));
    assert_eq!(finish(&mut vhc, &mut script).status, Status::Done);
    let [first, second] = script.times[..] else { panic!("two tokens") };
    assert!(first < wake_at && second >= wake_at && second < wake_at + Span::us(100));
}

#[test]
fn an_interrupt_endpoint_is_asked_once_in_its_interval() {
    let mut gadget = Gadget::new(Loopback::new("loop"));
    let mut vhc = Vhc::new(0);
    vhc.plug(&mut gadget);
    vhc.enumerate(&mut gadget, 1, Span::secs(1)).expect("enumerates");
    vhc.request(&mut gadget, [0, 9, 1, 0, 0, 0, 0, 0], &[]).expect("configures");
    // bInterval is 1 for OUT and 4 for IN: eight packets go in within eight frames and come back one every four.
    for id in 0..8 {
        vhc.submit(Urb::write(id, 2, [id as u8]));
        vhc.submit(Urb::read(100 + id, 0x82, 64));
    }
    let start = gadget.now();
    let mut ends = Vec::new();
    while vhc.busy() {
        vhc.run(&mut gadget, start + Span::ms(100));
        while let Some(done) = vhc.pop() {
            ends.push((done.urb.id, vhc.now().0 / bus::FRAME.0));
        }
    }
    let frames = |ids: std::ops::Range<u64>| -> Vec<u64> {
        ends.iter().filter(|(id, _)| ids.contains(id)).map(|&(_, frame)| frame).collect()
    };
    assert!(frames(0..8).windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert!(frames(100..108).windows(2).all(|pair| pair[1] == pair[0] + 4));
}

#[test]
fn a_start_of_frame_is_sent_every_millisecond_with_an_eleven_bit_number() {
    let mut script = Script { now: ms(2040), ..Script::default() };
    let mut vhc = Vhc::new(0);
    vhc.plug(&mut script);
    vhc.reset(&mut script, None);
    vhc.run(&mut script, ms(2060));
    let expected: Vec<(Time, u16)> = (2050..=2060).map(|n| (ms(n), (n & 0x7ff) as u16)).collect();
    assert_eq!(script.sofs, expected);
}

#[test]
fn nineteen_bulk_packets_fit_into_one_frame() {
    let mut script = Script::default();
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::write(1, 1, vec![0; 64 * 60]));
    finish(&mut vhc, &mut script);
    let in_frame = |n: u64| script.times.iter().filter(|at| at.0 / bus::FRAME.0 == n).count();
    assert_eq!((in_frame(31), in_frame(32)), (19, 19));
}

#[test]
fn an_in_transfer_is_done_when_its_last_packet_begins_and_the_bus_is_busy_until_its_end() {
    let says = [Say::Data(&[1; 64], false), Say::Data(&[], true)];
    let mut script = Script { says: says.into(), ..Script::default() };
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::read(1, 0x81, 64));
    vhc.submit(Urb::read(2, 0x81, 64));
    finish(&mut vhc, &mut script);
    let first = script.now;
    finish(&mut vhc, &mut script);
    assert_eq!(script.times[0], first);
    assert_eq!(script.times[1], first + bus::in_tail(64) + bus::IN_LEAD);
}

#[test]
fn endpoints_in_flight_take_turns() {
    let mut script = Script::default();
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::write(1, 1, [0; 128]));
    vhc.submit(Urb::write(2, 2, [0; 128]));
    vhc.submit(Urb::write(3, 3, [0; 128]));
    for _ in 0..3 {
        finish(&mut vhc, &mut script);
    }
    let order: Vec<&str> = script.log.iter().map(|line| &line[..5]).collect();
    assert_eq!(order, ["out 1", "out 2", "out 3", "out 1", "out 2", "out 3"]);
}

#[test]
fn a_stall_ends_everything_queued_until_the_halt_is_cleared_and_then_data0_is_next() {
    let mut script = Script::default();
    let mut vhc = ready(&mut script);
    script.handshakes = [Handshake::Ack, Handshake::Stall].into();
    for id in 1..=3 {
        vhc.submit(Urb::write(id, 2, [0]));
    }
    let ends: Vec<(u64, i32)> =
        (0..3).map(|_| finish(&mut vhc, &mut script)).map(|done| (done.urb.id, done.status.errno())).collect();
    assert_eq!(ends, [(1, 0), (2, -32), (3, -32)]);
    vhc.submit(Urb::write(4, 2, [0]));
    assert_eq!(vhc.pop().map(|done| done.status), Some(Status::Stall));
    script.says = [Say::Data(&[], true)].into();
    vhc.submit(Urb::control_in(5, [0x02, 1, 0, 0, 0x02, 0, 0, 0]));
    assert_eq!(finish(&mut vhc, &mut script).status, Status::Done);
    vhc.submit(Urb::write(6, 2, [0]));
    assert_eq!(finish(&mut vhc, &mut script).status, Status::Done);
    assert_eq!(script.log.last().map(String::as_str), Some("out 2 data0 1"));
}

#[test]
fn a_reset_with_an_address_replays_set_address_before_anything_else() {
    let mut script = Script { says: [Say::Data(&[], true), Say::Data(&[7; 18], true)].into(), ..Script::default() };
    let mut vhc = Vhc::new(0);
    vhc.plug(&mut script);
    vhc.reset(&mut script, Some(5));
    vhc.submit(Urb::write(2, 1, [0]));
    vhc.submit(Urb::control_in(1, GET));
    finish(&mut vhc, &mut script);
    finish(&mut vhc, &mut script);
    assert_eq!(script.log[..3], ["reset", "setup 0.0 [00, 05, 05, 00, 00, 00, 00, 00]", "in 0"]);
    assert!(script.log[3..].contains(&"setup 5.0 [80, 06, 00, 01, 00, 00, 12, 00]".to_string()));
    assert!(script.times[1] >= script.times[0] + Span::ms(20), "reset and recovery take 20 ms");
    assert!(script.times[3] >= script.times[2] + Span::ms(2), "a new address takes 2 ms");
}

#[test]
fn a_device_that_goes_away_ends_every_transfer() {
    let mut script = Script::default();
    let mut vhc = ready(&mut script);
    vhc.submit(Urb::read(1, 0x81, 64));
    script.gone = true;
    script.attention += 1;
    assert_eq!(finish(&mut vhc, &mut script).status.errno(), -108);
    assert!(!vhc.connected());
    vhc.submit(Urb::read(2, 0x81, 64));
    assert_eq!(vhc.pop().map(|done| done.status), Some(Status::Shutdown));
}

#[test]
fn the_host_waits_for_answers_and_not_for_news() {
    let mut gadget = Gadget::new(Loopback::new("loop"));
    let mut vhc = Vhc::new(0);
    vhc.plug(&mut gadget);
    vhc.enumerate(&mut gadget, 1, Span::secs(1)).expect("enumerates");
    vhc.request(&mut gadget, [0, 9, 1, 0, 0, 0, 0, 0], &[]).expect("configures");
    vhc.submit(Urb::read(1, 0x81, 64));
    pass(&mut vhc, &mut gadget, Span::ms(2));
    assert_eq!(vhc.host_state(), HostState::Idle, "a lone read");
    vhc.submit(Urb::write(2, 2, [1]));
    assert_eq!(vhc.host_state(), HostState::Waiting, "a write that is not done");
    let until = gadget.now() + Span::ms(5);
    let written = vhc.wait(&mut gadget, 2, until).expect("written");
    assert_eq!(written.status, Status::Done);
    assert_eq!(vhc.host_state(), HostState::Idle, "the write went to the other function");
    vhc.submit(Urb::read(3, 0x82, 64));
    assert_eq!(vhc.host_state(), HostState::Waiting, "a read that follows a write");
    let until = gadget.now() + Span::ms(9);
    vhc.wait(&mut gadget, 3, until).expect("answered");
    vhc.submit(Urb::read(4, 0x82, 64));
    assert_eq!(vhc.host_state(), HostState::Idle, "that write has its answer");
}

#[test]
fn a_host_that_is_behind_with_reading_a_serial_port_does_not_wait_for_the_board() {
    const CDC_DATA: u8 = 0x0a;
    let mut script = Script { says: [Say::Data(b"a", false)].into(), ..Script::default() };
    let mut vhc = ready(&mut script);
    vhc.pipes[pipe_index(0x81)].function = Some((1, CDC_DATA));
    vhc.submit(Urb::write(1, 2, [1]));
    assert_eq!(vhc.host_state(), HostState::Waiting, "nobody reads");
    vhc.submit(Urb::read(2, 0x81, 64));
    let read = vhc.wait(&mut script, 2, ms(40)).expect("read");
    assert_eq!(read.actual, 1);
    vhc.submit(Urb::write(3, 3, [1]));
    assert_eq!(vhc.host_state(), HostState::Behind, "the reader has not asked for more");
    vhc.submit(Urb::read(4, 0x81, 64));
    assert_eq!(vhc.host_state(), HostState::Waiting, "it has");
    vhc.cancel(4).expect("nothing came");
    assert_eq!(vhc.host_state(), HostState::Waiting, "it has closed the port");
}

#[test]
fn a_gadget_enumerates_with_its_descriptors_and_strings() {
    let mut gadget = Gadget::new(SourceSink::default());
    let mut vhc = Vhc::new(0);
    vhc.plug(&mut gadget);
    let found = vhc.enumerate(&mut gadget, 7, Span::secs(1)).expect("enumerates");
    assert_eq!((found.device.id_vendor, found.device.id_product), (0x0525, 0xa4a0));
    assert_eq!((found.product.as_str(), found.serial.as_str()), ("source and sink", "0"));
    assert_eq!(found.configurations[0].interfaces[0].endpoints.len(), 2);
    assert_eq!(vhc.address(), 7);
}

proptest! {
    /// Whatever is submitted and cancelled when, each URB ends exactly once: as a completion or as a cancel's answer.
    #[test]
    fn every_urb_ends_exactly_once(steps in proptest::collection::vec((0u8..6, any::<u8>(), 0usize..200), 1..80)) {
        let mut gadget = Gadget::new(Loopback::new("loop"));
        let mut vhc = Vhc::new(0);
        vhc.plug(&mut gadget);
        vhc.enumerate(&mut gadget, 1, Span::secs(1)).expect("enumerates");
        vhc.request(&mut gadget, [0, 9, 1, 0, 0, 0, 0, 0], &[]).expect("configures");
        let mut ended = std::collections::BTreeMap::new();
        let mut submitted = 0;
        for (kind, choice, size) in steps {
            match kind {
                0 => {
                    vhc.submit(Urb::write(submitted, 1 + choice % 2, vec![0; size]));
                    submitted += 1;
                }
                1 => {
                    vhc.submit(Urb::read(submitted, 0x81 + choice % 2, size));
                    submitted += 1;
                }
                2 => {
                    vhc.submit(Urb::control_in(submitted, GET));
                    submitted += 1;
                }
                3 => {
                    let id = u64::from(choice) % submitted.max(1);
                    if vhc.cancel(id).is_some() {
                        *ended.entry(id).or_insert(0) += 1;
                    }
                }
                4 if choice < 16 => gadget.halt(0x81 + choice % 2),
                _ => pass(&mut vhc, &mut gadget, Span::us(10 * size as u64)),
            }
            while let Some(done) = vhc.pop() {
                *ended.entry(done.urb.id).or_insert(0) += 1;
            }
        }
        vhc.unplug(&mut gadget);
        while let Some(done) = vhc.pop() {
            *ended.entry(done.urb.id).or_insert(0) += 1;
        }
        prop_assert_eq!(ended.len() as u64, submitted);
        prop_assert!(ended.values().all(|&times| times == 1));
    }
}
