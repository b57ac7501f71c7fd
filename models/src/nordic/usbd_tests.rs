//! What the product specification says of the USB device controller, one statement after the other.

use super::super::peripheral::testing::Bench;
use super::*;
use twinboard_sim::usb::{Handshake, InReply};

const RAM: u32 = 0x2000_0000;
const GET_DESCRIPTOR: [u8; 8] = [0x80, 6, 0, 1, 0, 0, 18, 0];
const SET_LINE_CODING: [u8; 8] = [0x21, 0x20, 0, 0, 1, 0, 7, 0];
const SET_CONFIGURATION: [u8; 8] = [0, 9, 1, 0, 0, 0, 0, 0];

/// A controller on the bus, with endpoints 1 and 2 in both directions.
fn on_the_bus(bench: &mut Bench) -> Usbd {
    let mut usbd = Usbd::default();
    usbd.vbus(0, true);
    write(bench, &mut usbd, &[(ENABLE, 1)]);
    bench.wait(&mut usbd, USBEVENT, us(100)).expect("READY");
    write(bench, &mut usbd, &[(EVENTCAUSE, READY), (USBPULLUP, 1), (EPINEN, 7), (EPOUTEN, 7)]);
    usbd.bus_reset();
    usbd.events.reset();
    usbd
}

fn write(bench: &mut Bench, usbd: &mut Usbd, registers: &[(u32, u32)]) {
    for &(offset, value) in registers {
        usbd.write(&mut bench.cx(), offset, value).expect("a register");
    }
}

fn read(bench: &mut Bench, usbd: &mut Usbd, offset: u32) -> u32 {
    usbd.read(&mut bench.cx(), offset).expect("a register")
}

fn event(usbd: &mut Usbd, n: u32) -> bool {
    let set = usbd.events.is_set(n);
    usbd.events.write(0x100 + 4 * n, 0);
    set
}

/// Puts `bytes` into the buffer of an IN endpoint.
fn send(bench: &mut Bench, usbd: &mut Usbd, ep: u32, bytes: &[u8]) {
    bench.memory.write_bytes(RAM, bytes);
    write(bench, usbd, &[(EPIN + EP_STRIDE * ep, RAM), (EPIN + EP_STRIDE * ep + 4, bytes.len() as u32)]);
    usbd.task(&mut bench.cx(), STARTEPIN + 4 * ep).expect("a task");
    let limit = bench.now + us(100);
    bench.wait(usbd, ENDEPIN + ep, limit).expect("ENDEPIN");
    usbd.events.write(0x100 + 4 * (ENDEPIN + ep), 0);
}

/// Moves the packet of an OUT endpoint to RAM.
fn fetch(bench: &mut Bench, usbd: &mut Usbd, ep: u32, maxcnt: u32) -> Vec<u8> {
    write(bench, usbd, &[(EPOUT + EP_STRIDE * ep, RAM + 0x100), (EPOUT + EP_STRIDE * ep + 4, maxcnt)]);
    usbd.task(&mut bench.cx(), STARTEPOUT + 4 * ep).expect("a task");
    let limit = bench.now + us(100);
    bench.wait(usbd, ENDEPOUT + ep, limit).expect("ENDEPOUT");
    usbd.events.write(0x100 + 4 * (ENDEPOUT + ep), 0);
    let amount = read(bench, usbd, EPOUT + EP_STRIDE * ep + 8) as usize;
    bench.memory.read_bytes(RAM + 0x100, amount).expect("RAM").to_vec()
}

#[test]
fn the_controller_is_ready_a_while_after_it_is_enabled_and_only_with_vbus() {
    let (mut bench, mut usbd) = (Bench::default(), Usbd::default());
    write(&mut bench, &mut usbd, &[(ENABLE, 1), (USBPULLUP, 1)]);
    assert!(bench.wait(&mut usbd, USBEVENT, us(1_000)).is_none());
    assert!(!usbd.attached(), "nobody to show itself to");
    usbd.vbus(bench.now, true);
    assert!(!event(&mut usbd, USBEVENT), "not at once");
    let limit = bench.now + us(1_000);
    bench.wait(&mut usbd, USBEVENT, limit).expect("comes up");
    assert_eq!(read(&mut bench, &mut usbd, EVENTCAUSE), READY);
    write(&mut bench, &mut usbd, &[(EVENTCAUSE, 0)]);
    assert_eq!(read(&mut bench, &mut usbd, EVENTCAUSE), READY, "cleared by writing 1");
    write(&mut bench, &mut usbd, &[(EVENTCAUSE, READY)]);
    assert_eq!(read(&mut bench, &mut usbd, EVENTCAUSE), 0);
    assert!(usbd.attached());
    let before = usbd.attention();
    write(&mut bench, &mut usbd, &[(USBPULLUP, 0)]);
    assert!(!usbd.attached() && usbd.attention() != before);
}

#[test]
fn a_control_read_goes_through_setup_data_and_status_stage() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    let mut buffer = [0; MAX_PACKET];
    assert_eq!(usbd.setup(0, 0, GET_DESCRIPTOR), Handshake::Ack);
    assert!(event(&mut usbd, EP0SETUP));
    let setup: Vec<u32> = (0..8).map(|n| read(&mut bench, &mut usbd, BMREQUESTTYPE + 4 * n)).collect();
    assert_eq!(setup, GET_DESCRIPTOR.map(u32::from));
    assert_eq!(usbd.r#in(0, 0, 0, &mut buffer), InReply::Nak, "nothing to send yet");
    send(&mut bench, &mut usbd, 0, &[18, 1, 2]);
    assert_eq!(usbd.r#in(0, 0, 0, &mut buffer), InReply::Data { len: 3, toggle: true });
    assert_eq!(buffer[..3], [18, 1, 2]);
    assert!(event(&mut usbd, EP0DATADONE));
    assert_eq!(usbd.out(0, 0, 0, true, &[]), Handshake::Nak, "the program does not allow the status stage yet");
    usbd.task(&mut bench.cx(), EP0STATUS);
    assert_eq!(usbd.out(0, 0, 0, true, &[]), Handshake::Ack);
    assert!(!event(&mut usbd, EP0DATADONE), "the status stage is no data");
}

#[test]
fn a_control_write_takes_each_packet_when_the_program_asks_for_it() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    let mut buffer = [0; MAX_PACKET];
    usbd.setup(0, 0, SET_LINE_CODING);
    assert_eq!(usbd.out(0, 0, 0, true, &[1; 7]), Handshake::Nak);
    usbd.task(&mut bench.cx(), EP0RCVOUT);
    assert_eq!(usbd.out(0, 0, 0, true, &[1; 7]), Handshake::Ack);
    assert!(event(&mut usbd, EP0DATADONE));
    assert_eq!(read(&mut bench, &mut usbd, SIZE_EPOUT), 7);
    assert_eq!(fetch(&mut bench, &mut usbd, 0, 64), [1; 7]);
    assert_eq!(usbd.r#in(0, 0, 0, &mut buffer), InReply::Nak);
    usbd.task(&mut bench.cx(), EP0STATUS);
    assert_eq!(usbd.r#in(0, 0, 0, &mut buffer), InReply::Data { len: 0, toggle: true });
}

#[test]
fn the_shorts_make_a_control_write_go_on_by_itself() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    write(&mut bench, &mut usbd, &[(SHORTS, EP0DATADONE_STARTEPOUT0 | ENDEPOUT0_EP0STATUS)]);
    write(&mut bench, &mut usbd, &[(EPOUT, RAM), (EPOUT + 4, 64)]);
    usbd.setup(0, 0, SET_LINE_CODING);
    usbd.task(&mut bench.cx(), EP0RCVOUT);
    usbd.out(bench.now, 0, 0, true, &[9; 7]);
    let limit = bench.now + us(100);
    bench.wait(&mut usbd, ENDEPOUT, limit).expect("moves by itself");
    assert_eq!(bench.memory.read_bytes(RAM, 7), Some(&[9; 7][..]));
    let mut buffer = [0; MAX_PACKET];
    assert_eq!(usbd.r#in(0, 0, 0, &mut buffer), InReply::Data { len: 0, toggle: true });
}

#[test]
fn a_stalled_control_transfer_ends_with_the_next_setup() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    let mut buffer = [0; MAX_PACKET];
    usbd.setup(0, 0, GET_DESCRIPTOR);
    usbd.task(&mut bench.cx(), EP0STALL);
    assert_eq!(usbd.r#in(0, 0, 0, &mut buffer), InReply::Stall);
    assert_eq!(usbd.setup(0, 0, SET_CONFIGURATION), Handshake::Ack);
    assert_eq!(usbd.r#in(0, 0, 0, &mut buffer), InReply::Nak);
    usbd.task(&mut bench.cx(), EP0STATUS);
    assert_eq!(usbd.r#in(0, 0, 0, &mut buffer), InReply::Data { len: 0, toggle: true });
}

#[test]
fn the_controller_completes_set_address_and_then_answers_only_there() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    let mut buffer = [0; MAX_PACKET];
    usbd.setup(0, 0, [0, 5, 42, 0, 0, 0, 0, 0]);
    assert_eq!(read(&mut bench, &mut usbd, USBADDR), 0, "not before the status stage");
    assert_eq!(usbd.r#in(0, 0, 0, &mut buffer), InReply::Data { len: 0, toggle: true });
    assert_eq!(read(&mut bench, &mut usbd, USBADDR), 42);
    assert_eq!(usbd.setup(0, 0, GET_DESCRIPTOR), Handshake::Timeout);
    assert_eq!(usbd.setup(42, 0, GET_DESCRIPTOR), Handshake::Ack);
    usbd.bus_reset();
    assert_eq!(read(&mut bench, &mut usbd, USBADDR), 0);
}

#[test]
fn a_bulk_in_packet_waits_in_its_buffer_for_the_host_and_alternates_its_toggle() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    let mut buffer = [0; MAX_PACKET];
    assert_eq!(usbd.r#in(0, 0, 1, &mut buffer), InReply::Nak);
    let before = usbd.attention();
    for toggle in [false, true, false] {
        send(&mut bench, &mut usbd, 1, &[7; 64]);
        assert_eq!(usbd.r#in(0, 0, 1, &mut buffer), InReply::Data { len: 64, toggle });
        assert!(event(&mut usbd, EPDATA));
        assert_eq!(read(&mut bench, &mut usbd, EPDATASTATUS), epdata_in(1));
        write(&mut bench, &mut usbd, &[(EPDATASTATUS, epdata_in(1))]);
        assert_eq!(usbd.r#in(0, 0, 1, &mut buffer), InReply::Nak);
    }
    assert_ne!(usbd.attention(), before, "the host is told to ask again");
}

#[test]
fn a_bulk_out_packet_is_taken_once_the_endpoint_is_armed_and_again_after_easydma() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    assert_eq!(usbd.out(0, 0, 2, false, b"one"), Handshake::Nak);
    write(&mut bench, &mut usbd, &[(SIZE_EPOUT + 8, 0)]);
    assert_eq!(usbd.out(0, 0, 2, false, b"one"), Handshake::Ack);
    assert!(event(&mut usbd, EPDATA));
    assert_eq!(read(&mut bench, &mut usbd, EPDATASTATUS), epdata_out(2));
    assert_eq!(usbd.out(0, 0, 2, true, b"two"), Handshake::Nak, "the buffer is full");
    assert_eq!(fetch(&mut bench, &mut usbd, 2, 4), b"one");
    assert_eq!(usbd.out(0, 0, 2, false, b"one"), Handshake::Ack, "a repetition");
    assert!(!event(&mut usbd, EPDATA), "is dropped");
    assert_eq!(usbd.out(0, 0, 2, true, b"two"), Handshake::Ack);
    assert_eq!(fetch(&mut bench, &mut usbd, 2, 64), b"two");
}

/// Drivers write SIZE right after EasyDMA has made room. The host of this model may have sent the next packet in between; on
/// a real bus it would still be on the wire (64 bytes take 46 µs).
#[test]
fn arming_an_endpoint_loses_a_packet_that_waits_but_none_that_has_just_come() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    write(&mut bench, &mut usbd, &[(SIZE_EPOUT + 8, 0)]);
    assert_eq!(usbd.out(0, 0, 2, false, &[1; 64]), Handshake::Ack);
    fetch(&mut bench, &mut usbd, 2, 64);
    assert_eq!(usbd.out(0, 0, 2, true, &[2; 64]), Handshake::Ack);
    write(&mut bench, &mut usbd, &[(SIZE_EPOUT + 8, 0)]);
    assert_eq!(usbd.out(0, 0, 2, false, &[3; 64]), Handshake::Nak, "the second packet is in the buffer");
    assert_eq!(fetch(&mut bench, &mut usbd, 2, 64), [2; 64]);
    assert_eq!(usbd.out(0, 0, 2, false, &[3; 64]), Handshake::Ack);
    bench.now += us(50);
    write(&mut bench, &mut usbd, &[(SIZE_EPOUT + 8, 0)]);
    assert_eq!(usbd.out(0, 0, 2, true, &[4; 64]), Handshake::Ack, "the third one is lost");
}

#[test]
fn easydma_takes_time_and_makes_one_transfer_after_the_other() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    write(&mut bench, &mut usbd, &[(EPIN + EP_STRIDE + 4, 64), (EPIN + 2 * EP_STRIDE + 4, 64)]);
    let start = bench.now;
    for ep in [1, 2] {
        usbd.task(&mut bench.cx(), STARTEPIN + 4 * ep);
    }
    assert!(!usbd.events.is_set(ENDEPIN + 1), "never inside the task write");
    let first = bench.wait(&mut usbd, ENDEPIN + 1, us(1_000)).expect("ends");
    assert!(usbd.events.is_set(STARTED) && !usbd.events.is_set(ENDEPIN + 2));
    let second = bench.wait(&mut usbd, ENDEPIN + 2, us(1_000)).expect("ends");
    assert_eq!(second - first, first - start);
    assert_eq!(read(&mut bench, &mut usbd, EPSTATUS), 0b110);
}

#[test]
fn a_halted_endpoint_stalls_until_it_is_unstalled_and_says_so() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    let mut buffer = [0; MAX_PACKET];
    write(&mut bench, &mut usbd, &[(EPSTALL, 1 << 8 | 1 << 7 | 1), (EPSTALL, 1 << 8 | 2)]);
    assert_eq!(usbd.r#in(0, 0, 1, &mut buffer), InReply::Stall);
    assert_eq!(usbd.out(0, 0, 2, false, &[]), Handshake::Stall);
    assert_eq!(read(&mut bench, &mut usbd, HALTED_EPIN + 4), 1);
    assert_eq!(read(&mut bench, &mut usbd, HALTED_EPOUT + 8), 1);
    write(&mut bench, &mut usbd, &[(EPSTALL, 1 << 7 | 1)]);
    assert_eq!(usbd.r#in(0, 0, 1, &mut buffer), InReply::Nak);
}

#[test]
fn dtoggle_selects_an_endpoint_and_sets_its_next_toggle() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    let mut buffer = [0; MAX_PACKET];
    write(&mut bench, &mut usbd, &[(DTOGGLE, 2 << 8 | 1 << 7 | 1)]);
    send(&mut bench, &mut usbd, 1, &[1]);
    assert_eq!(usbd.r#in(0, 0, 1, &mut buffer), InReply::Data { len: 1, toggle: true });
    write(&mut bench, &mut usbd, &[(DTOGGLE, 1 << 7 | 1)]);
    assert_eq!(read(&mut bench, &mut usbd, DTOGGLE), 1 << 8 | 1 << 7 | 1, "DATA0 is next");
}

#[test]
fn an_endpoint_that_is_not_enabled_does_not_answer() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    assert_eq!(usbd.r#in(0, 0, 3, &mut [0; MAX_PACKET]), InReply::Timeout);
    assert_eq!(usbd.out(0, 0, 3, false, &[]), Handshake::Timeout);
    assert_eq!(usbd.out(0, 0, 15, false, &[]), Handshake::Timeout);
}

#[test]
fn suspend_and_resume_are_causes_of_usbevent() {
    let mut bench = Bench::default();
    let mut usbd = on_the_bus(&mut bench);
    usbd.suspend(true);
    assert!(event(&mut usbd, USBEVENT));
    assert_eq!(read(&mut bench, &mut usbd, EVENTCAUSE), SUSPEND);
    usbd.suspend(false);
    assert!(event(&mut usbd, USBEVENT));
    assert_eq!(read(&mut bench, &mut usbd, EVENTCAUSE), SUSPEND | RESUME);
    usbd.sof(0x7FF);
    assert!(event(&mut usbd, SOF));
    assert_eq!(read(&mut bench, &mut usbd, FRAMECNTR), 0x7FF);
}
