//! What goes wrong at the USB socket, as the host's class drivers see it.

use twinboard_models::board::{BoardFile, PowerOn, Powered};
use twinboard_models::fault;
use twinboard_sim::fault::{Fault, Lasting, Params, Plan, SharedFault};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::host::bot::BotError;
use twinboard_usbip::host::drive::DriveError;
use twinboard_usbip::host::{Host, UsbError};
use twinboard_usbip::vhc::Status;

use crate::bench::built_in;

/// Arms a fault on the drive's endpoint `endpoint`.
fn arm(host: &mut Host<Powered>, name: &str, endpoint: u8, plan: Plan) -> SharedFault {
    let point = fault::point(name).expect("a point");
    let params = Params { endpoint: Some(endpoint), ..Params::default() };
    let start = host.now();
    let fault = SharedFault::new(Fault::new(name, point, params, Plan { start, ..plan }, 1));
    host.machine().arm(&fault).expect("can be armed");
    fault
}

/// A board whose drive is ready, and the addresses of its bulk endpoints: IN, OUT.
fn board() -> (Host<Powered>, u8, u8) {
    let mut host = built_in("microbit-v2");
    host.drive().expect("a drive").wait_ready(Span::secs(5)).expect("a medium");
    let (_, bulk_in, bulk_out) = host.bot().expect("a drive").endpoints();
    (host, bulk_in, bulk_out)
}

fn strikes(fault: &SharedFault) -> u64 {
    fault.lock().record().strikes()
}

#[test]
fn a_naked_packet_is_asked_for_again() {
    let (mut host, bulk_in, bulk_out) = board();
    for endpoint in [bulk_in, bulk_out] {
        let fault = arm(&mut host, "usb.nak", endpoint, Plan { lasting: Lasting::Times(5), ..Plan::default() });
        host.drive().expect("a drive").inquiry().expect("answers");
        assert_eq!(strikes(&fault), 5);
    }
}

#[test]
fn a_device_that_is_busy_for_a_second_is_waited_for() {
    let (mut host, bulk_in, _) = board();
    let fault = arm(&mut host, "usb.nak", bulk_in, Plan { lasting: Lasting::For(Span::secs(1)), ..Plan::default() });
    let start = host.now();
    host.drive().expect("a drive").inquiry().expect("answers");
    let took = host.now().since(start);
    assert!((Span::ms(1000)..Span::ms(1010)).contains(&took), "{took:?}");
    assert!(strikes(&fault) > 1000);
}

#[test]
fn a_stalled_endpoint_is_cleared_and_the_command_done_again() {
    let (mut host, bulk_in, _) = board();
    let fault = arm(&mut host, "usb.stall", bulk_in, Plan::default());
    host.drive().expect("a drive").inquiry().expect_err("halted");
    host.drive().expect("a drive").inquiry().expect("recovered");
    assert_eq!(strikes(&fault), 1);
}

#[test]
fn one_or_two_lost_packets_are_sent_again_and_three_are_an_error() {
    for (times, fails) in [(1, false), (2, false), (3, true)] {
        let (mut host, bulk_in, _) = board();
        arm(&mut host, "usb.missing", bulk_in, Plan { lasting: Lasting::Times(times), ..Plan::default() });
        let answer = host.drive().expect("a drive").inquiry();
        let protocol = UsbError::Transfer { endpoint: bulk_in, status: Status::Protocol };
        assert_eq!(answer.err(), fails.then_some(DriveError::Bot(BotError::Usb(protocol))), "{times}");
        host.drive().expect("a drive").inquiry().expect("answers again");
    }
}

#[test]
fn a_packet_whose_acknowledge_was_lost_is_taken_once() {
    let (mut host, _, bulk_out) = board();
    let fault = arm(&mut host, "usb.lost-ack", bulk_out, Plan { lasting: Lasting::Times(2), ..Plan::default() });
    for _ in 0..2 {
        host.drive().expect("a drive").inquiry().expect("the same command twice would end in a phase error");
    }
    assert_eq!(strikes(&fault), 2);
}

#[test]
fn a_short_packet_ends_a_read_early_and_a_long_one_is_refused() {
    let (mut host, bulk_in, _) = board();
    let fault = arm(&mut host, "usb.short", bulk_in, Plan::default());
    let data = host.drive().expect("a drive").inquiry().expect("answers");
    assert_eq!((data.len(), strikes(&fault)), (18, 1));
    arm(&mut host, "usb.babble", bulk_in, Plan::default());
    let error = host.drive().expect("a drive").inquiry().expect_err("overflows");
    let overflow = UsbError::Transfer { endpoint: bulk_in, status: Status::Overflow };
    assert_eq!(error, DriveError::Bot(BotError::Usb(overflow)));
}

#[test]
fn a_lost_contact_ends_everything_and_the_device_comes_back() {
    let (mut host, bulk_in, _) = board();
    arm(&mut host, "usb.disconnect", bulk_in, Plan::default());
    let start = host.now();
    host.drive().expect("a drive").inquiry().expect_err("the device is gone");
    assert!(!host.is_present());
    host.enumerate().expect("comes back");
    assert!(host.now().since(start) >= Span::ms(500));
    host.drive().expect("a drive").inquiry().expect("answers");
}

#[test]
fn a_device_that_was_reset_behind_the_hosts_back_answers_when_it_is_enumerated_again() {
    let (mut host, bulk_in, _) = board();
    let fault = arm(&mut host, "usb.reset", bulk_in, Plan::default());
    host.drive().expect("a drive").inquiry().expect_err("nobody has this address any more");
    assert_eq!(strikes(&fault), 1);
    host.enumerate().expect("answers");
    host.drive().expect("a drive").inquiry().expect("answers");
}

#[test]
fn evidence_says_when_where_and_what() {
    let (mut host, bulk_in, _) = board();
    let before = host.now();
    let fault = arm(&mut host, "usb.stall", bulk_in, Plan { skip: 1, ..Plan::default() });
    let _ = host.drive().expect("a drive").inquiry();
    let fault = fault.lock();
    let [evidence] = fault.record().evidence() else { panic!("{:?}", fault.record()) };
    assert!(before < evidence.at && evidence.at < before + Span::ms(10));
    assert_eq!(evidence.place, format!("endpoint {} IN", bulk_in & 0xf));
    assert_eq!(evidence.effect, "answered STALL");
}

#[test]
fn faults_that_never_strike_change_nothing() {
    let run = |with: bool| {
        let file = BoardFile::built_in("microbit-v2").expect("built in");
        let mut host = Host::new(file.power_on(&PowerOn::default()).expect("a board"));
        if with {
            let plan = Plan { start: Time::NEVER, ..Plan::default() };
            arm(&mut host, "usb.nak", 0x81, plan);
        }
        host.enumerate().expect("enumerates");
        host.drive().expect("a drive").wait_ready(Span::secs(5)).expect("a medium");
        host.machine().now()
    };
    assert_eq!(run(false), run(true));
}
