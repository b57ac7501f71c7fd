//! USB 2.0 chapter 9 and the class requests on endpoint 0.

use crate::host::{Failure, Host};
use twinboard_models::daplink::DapLinkConfig;
use twinboard_sim::time::Span;
use twinboard_sim::usb::{Handshake, InReply};

#[test]
fn the_pull_up_comes_with_the_eleventh_slow_tick() {
    let mut host = Host::plug(DapLinkConfig::default());
    host.wait(Span::ms(929));
    assert!(!host.port().attached());
    host.wait(Span::ms(2));
    assert!(host.port().attached());
}

#[test]
fn the_address_counts_after_the_status_stage() {
    let mut host = Host::ready();
    host.control(0x00, 5, 9, 0, &[], 0).expect("SET_ADDRESS, status stage at the old address");
    let now = host.now;
    assert_eq!(host.port().setup(now, 7, 0, [0; 8]), Handshake::Timeout, "the old address is dead");
    host.address = 9;
    assert_eq!(host.control(0x80, 8, 0, 0, &[], 1), Ok(vec![1]));
}

#[test]
fn descriptors_are_cut_to_what_was_asked_for() {
    let mut host = Host::ready();
    assert_eq!(host.control(0x80, 6, 0x0100, 0, &[], 8).expect("device").len(), 8);
    let config = host.control(0x80, 6, 0x0200, 0, &[], 255).expect("configuration");
    assert_eq!((config.len(), config[2]), (162, 162));
    assert_eq!(host.control(0x80, 6, 0x0f00, 0, &[], 57).expect("BOS").len(), 57);
    assert_eq!(host.control(0xc0, 0x20, 0, 7, &[], 330).expect("MS OS 2.0").len(), 330);
    assert_eq!(host.control(0x81, 6, 0x2200, 3, &[], 255).expect("HID report").len(), 33);
    assert_eq!(host.control(0x81, 6, 0x2200, 4, &[], 255).expect("by the WebUSB interface").len(), 33);
    let serial = host.control(0x80, 6, 0x0303, 0x0409, &[], 255).expect("serial");
    assert_eq!(serial.len(), 98);
}

#[test]
fn what_does_not_exist_is_refused_and_the_device_lives_on() {
    let mut host = Host::ready();
    let refused = [
        (0x80, 6, 0x0600, 0, 10), // DEVICE_QUALIFIER: no high speed
        (0x80, 6, 0x4200, 0, 10), // unknown descriptor
        (0x80, 6, 0x030a, 0, 10), // no string 10
        (0x80, 6, 0x0201, 0, 9),  // no second configuration
        (0x81, 6, 0x2200, 0, 33), // no HID descriptor of the drive
        (0x82, 0, 0, 0x86, 2),    // no endpoint 6
        (0xa1, 0xfe, 1, 0, 1),    // GET_MAX_LUN with a value
        (0xa1, 0xfe, 0, 0, 2),    // GET_MAX_LUN with a wrong length
        (0xc0, 0x77, 0, 0, 4),    // unknown vendor request
    ];
    for (kind, request, value, index, length) in refused {
        let answer = host.control(kind, request, value, index, &[], length);
        assert_eq!(answer, Err(Failure::Stall), "{kind:#x} {request:#x} {value:#x}");
    }
    assert_eq!(host.control(0x80, 0, 0, 0, &[], 2), Ok(vec![0, 0]));
}

#[test]
fn every_endpoint_can_be_halted_and_released() {
    let mut host = Host::ready();
    for address in [0x82u8, 0x02, 0x83, 0x04, 0x84, 0x81, 0x01, 0x05, 0x85] {
        let index = u16::from(address);
        host.control(0x02, 3, 0, index, &[], 0).expect("SET_FEATURE");
        assert_eq!(host.control(0x82, 0, 0, index, &[], 2), Ok(vec![1, 0]));
        let answer =
            if address & 0x80 != 0 { host.bulk_in(address & 0x0f, 64).map(drop) } else { host.bulk_out(address, &[0]) };
        assert_eq!(answer, Err(Failure::Stall));
        host.clear_halt(address);
        assert_eq!(host.control(0x82, 0, 0, index, &[], 2), Ok(vec![0, 0]));
    }
}

#[test]
fn an_unconfigured_device_answers_only_on_endpoint_0() {
    let mut host = Host::ready();
    host.control(0x00, 9, 0, 0, &[], 0).expect("SET_CONFIGURATION(0)");
    assert_eq!(host.try_in(2), InReply::Timeout);
    assert_eq!(host.control(0x80, 8, 0, 0, &[], 1), Ok(vec![0]));
    assert_eq!(host.control(0x81, 10, 0, 0, &[], 1), Err(Failure::Stall));
    assert_eq!(host.control(0x00, 9, 2, 0, &[], 0), Err(Failure::Stall));
    host.control(0x00, 9, 1, 0, &[], 0).expect("SET_CONFIGURATION(1)");
    assert_eq!(host.control(0x81, 10, 0, 5, &[], 1), Ok(vec![0]));
    assert_eq!(host.try_in(2), InReply::Nak);
}

#[test]
fn a_board_enumerates_a_hundred_times() {
    let mut host = Host::ready();
    for _ in 0..100 {
        host.enumerate();
        assert_eq!(host.control(0x80, 6, 0x0100, 0, &[], 18).expect("device").len(), 18);
    }
}

#[test]
fn webusb_requests_use_the_hid_requests_of_their_own_interface() {
    let mut host = Host::ready();
    // DAP_Info: packet count.
    host.control(0x21, 9, 0x0200, 4, &[0x00, 0xfe], 0).expect("SET_REPORT");
    let report = host.control(0xa1, 1, 0x0100, 4, &[], 64).expect("GET_REPORT");
    assert_eq!((report.len(), &report[..3]), (64, &[0x00, 1, 8][..]));
    // The response was armed on the interrupt endpoint as well.
    assert_eq!(host.bulk_in(1, 64).expect("a report")[..3], [0x00, 1, 8]);
    assert_eq!(host.try_in(1), InReply::Nak);
}

#[test]
fn responses_that_nobody_fetches_from_the_interrupt_endpoint_wait_for_get_report() {
    let mut host = Host::ready();
    // DAP_Info: capabilities, packet count, packet size.
    for (id, answer) in [(0xf0, [0x00, 1, 0x31]), (0xfe, [0x00, 1, 8]), (0xff, [0x00, 2, 64])] {
        host.control(0x21, 9, 0x0200, 4, &[0x00, id], 0).expect("SET_REPORT");
        let report = host.control(0xa1, 1, 0x0100, 4, &[], 64).expect("GET_REPORT");
        assert_eq!(report[..3], answer);
    }
    assert_eq!(host.bulk_in(1, 64).expect("the first report")[..3], [0x00, 1, 0x31]);
    assert_eq!(host.try_in(1), InReply::Nak);
}

#[test]
fn line_coding_is_kept_and_an_impossible_one_refused() {
    let mut host = Host::ready();
    let coding = [0x80, 0x25, 0, 0, 0, 0, 8];
    host.control(0x21, 0x20, 0, 1, &coding, 0).expect("9600 8N1");
    assert_eq!(host.control(0xa1, 0x21, 0, 1, &[], 7), Ok(coding.to_vec()));
    host.control(0x21, 0x22, 3, 1, &[], 0).expect("DTR and RTS");
    assert_eq!(host.control(0x21, 0x20, 0, 1, &[1, 0, 0, 0, 0, 0, 8], 0), Err(Failure::Stall));
    assert_eq!(host.control(0x21, 0x20, 0, 1, &[1, 2], 0), Err(Failure::Stall));
}
