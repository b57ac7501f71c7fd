//! A host with bad manners: what the board makes of it, and what the host's user sees.

use twinboard_models::board::Powered;
use twinboard_models::fault as board_fault;
use twinboard_sim::fault::{ArmError, Fault, Lasting, Params, Plan, SharedFault};
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::host::bot::BotError;
use twinboard_usbip::host::copy::{Copied, WriteOrder};
use twinboard_usbip::host::drive::DriveError;
use twinboard_usbip::host::{Host, UsbError, faults};

use crate::bench::{built_in, hex, program};

fn make(name: &str, params: Params, plan: Plan) -> SharedFault {
    let point = faults::point(name).expect("a point");
    params.check(point).expect("what the point takes");
    SharedFault::new(Fault::new(name, point, params, plan, 1))
}

fn arm(host: &mut Host<Powered>, name: &str, params: Params, plan: Plan) -> SharedFault {
    let fault = make(name, params, plan);
    host.arm(&fault).expect("can be armed");
    fault
}

/// A board whose drive is ready, and its bulk IN endpoint.
fn board() -> (Host<Powered>, u8) {
    let mut host = built_in("microbit-v2");
    host.drive().expect("a drive").wait_ready(Span::secs(5)).expect("a medium");
    let (_, bulk_in, _) = host.bot().expect("a drive").endpoints();
    (host, bulk_in)
}

/// The device takes no part in anything on `endpoint` for so long.
fn busy(host: &mut Host<Powered>, endpoint: u8, span: Span) {
    let params = Params { endpoint: Some(endpoint), ..Params::default() };
    let plan = Plan { start: host.now(), lasting: Lasting::For(span), ..Plan::default() };
    let point = board_fault::point("usb.nak").expect("a point");
    let fault = SharedFault::new(Fault::new("busy", point, params, plan, 1));
    host.machine().arm(&fault).expect("can be armed");
}

fn strikes(fault: &SharedFault) -> u64 {
    fault.lock().record().strikes()
}

/// `dd oflag=direct` writes data in pieces of 4 KB.
fn drop_in_pieces(host: &mut Host<Powered>, file: &[u8]) -> Copied {
    host.drive().expect("a drive").copy("program.hex", file, WriteOrder::LinuxDirect).expect("copies")
}

fn delay(span: Span) -> Params {
    Params { delay: Some(span), ..Params::default() }
}

#[test]
fn a_slow_host_makes_a_command_longer_by_its_delay_for_each_of_three_transfers() {
    let took = |host: &mut Host<Powered>| {
        let start = host.now();
        host.drive().expect("a drive").inquiry().expect("answers");
        host.now().since(start)
    };
    let (mut host, _) = board();
    let normal = took(&mut host);
    let fault = arm(&mut host, "host.slow", delay(Span::ms(10)), Plan { lasting: Lasting::Always, ..Plan::default() });
    let slow = took(&mut host);
    assert!((Span::ms(30)..Span::ms(33)).contains(&slow) && normal < Span::ms(3), "{normal:?}, {slow:?}");
    assert_eq!(strikes(&fault), 3, "command, data, status");
    let fault = fault.lock();
    assert_eq!(fault.record().evidence()[0].effect, "a URB was submitted 10000 µs late");
}

#[test]
fn a_host_that_gives_up_sees_a_time_out_and_the_drive_recovers() {
    let (mut host, bulk_in) = board();
    let fault = arm(&mut host, "host.give-up", delay(Span::ms(100)), Plan::default());
    host.drive().expect("a drive").inquiry().expect("what is done in time is left alone");
    assert_eq!(strikes(&fault), 0);
    busy(&mut host, bulk_in, Span::ms(300));
    let start = host.now();
    let error = host.drive().expect("a drive").inquiry().expect_err("was cancelled");
    let timeout = UsbError::Timeout { endpoint: bulk_in, limit: Span::ms(100) };
    assert_eq!((error, strikes(&fault)), (DriveError::Bot(BotError::Usb(timeout)), 1));
    assert!((Span::ms(100)..Span::ms(110)).contains(&host.now().since(start)));
    host.drive().expect("a drive").inquiry().expect("answers after the recovery");
}

#[test]
fn patience_that_the_plan_restores_is_not_lost() {
    let (mut host, bulk_in) = board();
    let fault = arm(&mut host, "host.give-up", delay(Span::ms(100)), Plan { skip: 1, ..Plan::default() });
    busy(&mut host, bulk_in, Span::ms(300));
    host.drive().expect("a drive").inquiry().expect("the first opportunity goes by");
    assert_eq!(strikes(&fault), 0);
}

#[test]
fn a_piece_of_data_that_is_never_sent_ends_in_a_fail_txt() {
    // The sectors behind a gap are not taken for parts of the file, and what comes before it is no whole file.
    let (mut host, _) = board();
    let file = hex(&program(16 * 1024));
    let fault = arm(&mut host, "host.drop-write", Params::default(), Plan { skip: 3, ..Plan::default() });
    let copied = drop_in_pieces(&mut host, &file);
    assert_eq!((copied.interrupted.clone(), strikes(&fault)), (None, 1), "the host notices nothing");
    let fail = copied.fail.expect("a FAIL.TXT");
    assert!(fail.contains("The transfer timed out"), "{fail}");
    assert!(drop_in_pieces(&mut host, &file).is_success(), "the next one arrives");
}

#[test]
fn data_that_changes_places_leaves_a_gap_that_the_drive_waits_at() {
    // What comes before its turn is no part of the file, and does not come again.
    let (mut host, _) = board();
    let file = hex(&program(16 * 1024));
    let fault = arm(&mut host, "host.reorder", Params::default(), Plan { skip: 3, ..Plan::default() });
    let fail = drop_in_pieces(&mut host, &file).fail.expect("a FAIL.TXT");
    assert!(fail.contains("The transfer timed out"), "{fail}");
    assert_eq!(strikes(&fault), 1);
}

#[test]
fn tables_and_directory_may_change_places() {
    let (mut host, _) = board();
    // `cp` to a drive mounted with `-o flush`: the boot sector, data, both tables, the directory.
    let fault = arm(&mut host, "host.reorder", Params::default(), Plan { skip: 3, ..Plan::default() });
    let file = hex(&program(4 * 1024));
    let copied = host.drive().expect("a drive").copy("program.hex", &file, WriteOrder::LinuxFlush).expect("copies");
    assert!(copied.is_success(), "{copied:?}");
    let fault = fault.lock();
    let [evidence] = fault.record().evidence() else { panic!("{:?}", fault.record()) };
    let named =
        evidence.place.starts_with("WRITE of blocks ") && evidence.effect.starts_with("was sent after the WRITE");
    assert!(named, "{evidence:?}");
}

#[test]
fn a_plan_may_name_the_blocks() {
    let (mut host, _) = board();
    let plan = Plan { address: Some(0..1), lasting: Lasting::Always, ..Plan::default() };
    let fault = arm(&mut host, "host.drop-write", Params::default(), plan);
    assert!(drop_in_pieces(&mut host, &hex(&program(4096))).is_success(), "the dirty flag of the boot sector");
    let fault = fault.lock();
    assert!(fault.record().strikes() > 0);
    assert!(fault.record().evidence().iter().all(|evidence| evidence.place == "WRITE of blocks 0 to 0"));
}

#[test]
fn what_is_not_the_hosts_is_refused_and_what_never_strikes_changes_nothing() {
    let (mut host, _) = board();
    let point = board_fault::point("usb.nak").expect("a point");
    let fault = SharedFault::new(Fault::new("nak", point, Params::default(), Plan::default(), 1));
    assert!(matches!(host.arm(&fault), Err(ArmError::NotHere { .. })));
    let run = |with: bool| {
        let (mut host, _) = board();
        if with {
            for point in faults::POINTS {
                let params = if point.params.is_empty() { Params::default() } else { delay(Span::ms(5)) };
                arm(&mut host, point.name, params, Plan { start: Time::NEVER, ..Plan::default() });
            }
        }
        assert!(drop_in_pieces(&mut host, &hex(&program(4096))).is_success());
        host.now()
    };
    assert_eq!(run(false), run(true));
}
