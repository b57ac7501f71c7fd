//! What goes wrong in the interface's own firmware, as a user's tools see it.

use std::path::Path;

use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::daplink::Settings;
use twinboard_models::fault;
use twinboard_models::image::interface::{KL26Z, NRF52820, Role};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::fault::{ArmError, Fault, Lasting, Params, Plan, SharedFault};
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;

use crate::bench::{built_in, hex, program};
use crate::maintenance::{image, label, written};

const BOARDS: [&str; 2] = ["microbit-v2", "microbit-v1"];

pub fn make(name: &str, params: Params, plan: Plan) -> SharedFault {
    let point = fault::point(name).expect("a point");
    params.check(point).expect("what the point takes");
    SharedFault::new(Fault::new(name, point, params, plan, 1))
}

/// A board on which a fault is armed before it runs.
fn damaged(board: &str, name: &str, params: Params, plan: Plan) -> (Host<Powered>, SharedFault) {
    let file = BoardFile::built_in(board).expect("built in");
    let mut powered = file.power_on(&PowerOn::default()).expect("a board");
    let fault = make(name, params, plan);
    powered.arm(&fault).expect("can be armed");
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    ready(&mut host);
    (host, fault)
}

/// Arms a fault from now on.
pub fn arm(host: &mut Host<Powered>, name: &str, params: Params, plan: Plan) -> SharedFault {
    let fault = make(name, params, Plan { start: host.now(), ..plan });
    host.machine().arm(&fault).expect("can be armed");
    fault
}

pub fn ready(host: &mut Host<Powered>) {
    host.drive().expect("a drive").wait_ready(Span::secs(5)).expect("a medium");
}

pub fn power_cycle(host: &mut Host<Powered>) {
    host.unplug();
    host.machine().power_cycle();
    host.enumerate().expect("comes back");
    ready(host);
}

pub fn file(host: &mut Host<Powered>, name: &str) -> Option<String> {
    let bytes = host.drive().expect("a drive").read_file(name).expect("a drive");
    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The value of a line of DETAILS.TXT.
pub fn detail(host: &mut Host<Powered>, key: &str) -> Option<String> {
    let text = file(host, "DETAILS.TXT").expect("DETAILS.TXT");
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).map(str::to_owned)
}

pub fn strikes(fault: &SharedFault) -> u64 {
    fault.lock().record().strikes()
}

#[test]
fn a_main_loop_that_stands_still_for_a_second_is_waited_for() {
    for board in BOARDS {
        let mut host = built_in(board);
        ready(&mut host);
        let params = Params { delay: Some(Span::secs(1)), ..Params::default() };
        let fault = arm(&mut host, "firmware.hang", params, Plan::default());
        let start = host.now();
        // It hangs at its next turn: with this command, or at the next tick of 30 ms.
        host.drive().expect("a drive").inquiry().expect("answers");
        host.sleep(Span::ms(30));
        host.drive().expect("a drive").inquiry().expect("answers");
        let took = host.now().since(start);
        assert!((Span::ms(1000)..Span::ms(1070)).contains(&took), "{board}: {took:?}");
        assert_eq!(strikes(&fault), 1);
    }
}

#[test]
fn firmware_that_hangs_for_ever_is_back_after_a_power_cycle() {
    let mut host = built_in("microbit-v2");
    ready(&mut host);
    let fault = arm(&mut host, "firmware.hang", Params::default(), Plan::default());
    host.sleep(Span::ms(30));
    assert_eq!(strikes(&fault), 1);
    host.drive().expect("a drive").inquiry().expect_err("nobody is there");
    power_cycle(&mut host);
    host.drive().expect("a drive").inquiry().expect("answers");
    assert_eq!(fault.lock().record().evidence()[0].effect, "stands still until the next reset");
}

#[test]
fn a_failed_assertion_is_told_in_assert_txt_and_disturbs_nothing_else() {
    for board in BOARDS {
        let mut host = built_in(board);
        ready(&mut host);
        assert_eq!(file(&mut host, "ASSERT.TXT"), None);
        let plan = Plan { lasting: Lasting::Always, ..Plan::default() };
        let fault = arm(&mut host, "firmware.assert", Params::default(), plan);
        assert!(host.drive().expect("a drive").wait_changed(Span::secs(5)).expect("a drive"), "it is mounted again");
        ready(&mut host);
        let text = file(&mut host, "ASSERT.TXT").expect("ASSERT.TXT");
        assert!(text.contains("vfs_user.c"), "{text}");
        assert_eq!(strikes(&fault), 1, "the first one counts until the file is deleted");
        let copied = host.drive().expect("a drive").copy("a.hex", &hex(&program(1024)), WriteOrder::LinuxFlush);
        assert!(copied.expect("copies").is_success());
    }
}

#[test]
fn a_damaged_configuration_page_leaves_the_defaults_for_good() {
    let params = Params::default;
    let (mut host, fault) = damaged("microbit-v2", "firmware.config", params(), Plan::default());
    let flags = |host: &mut Host<Powered>| {
        ["Auto Reset", "Automation allowed", "Overflow detection", "Incompatible image detection"]
            .map(|key| detail(host, key).expect(key))
    };
    assert_eq!(strikes(&fault), 1);
    // The compiled defaults of 0253 and later; boards are sold with 1, 0, 0, 1.
    assert_eq!(flags(&mut host), ["1", "1", "1", "0"]);
    power_cycle(&mut host);
    assert_eq!(flags(&mut host), ["1", "1", "1", "0"]);
    let defaults = || Plan { start: Time::ZERO, ..Plan::default() };
    host.machine().daplink().expect("native").lock().settings().change(|settings| *settings = Settings::FACTORY);
    let again = make("firmware.config", params(), defaults());
    host.machine().arm(&again).expect("can be armed");
    assert_eq!(strikes(&again), 0, "it is found at a start");
    power_cycle(&mut host);
    assert_eq!((strikes(&again), flags(&mut host)[1].as_str()), (1, "1"));
}

#[test]
fn an_image_with_another_crc_runs_all_the_same_and_says_so() {
    for board in BOARDS {
        let params = Params { value: Some(0x1234_abcd), ..Params::default() };
        let (mut host, fault) = damaged(board, "firmware.crc", params, Plan::default());
        for _ in 0..2 {
            assert_eq!(detail(&mut host, "Interface CRC").as_deref(), Some("0x1234abcd"), "{board}");
            let copied = host.drive().expect("a drive").copy("a.hex", &hex(&program(1024)), WriteOrder::LinuxFlush);
            assert!(copied.expect("copies").is_success());
            power_cycle(&mut host);
        }
        assert_eq!(strikes(&fault), 1, "flash stays as it is");
    }
}

#[test]
fn without_vectors_the_bootloader_stays_until_an_image_is_dropped() {
    for (board, chip) in [("microbit-v1", &KL26Z), ("microbit-v2", &NRF52820)] {
        let (mut host, fault) = damaged(board, "firmware.vectors", Params::default(), Plan::default());
        assert_eq!((label(&mut host).as_str(), strikes(&fault)), ("MAINTENANCE", 1));
        power_cycle(&mut host);
        assert_eq!(label(&mut host), "MAINTENANCE");
        let image = image(chip, Role::Interface);
        let _ = host.drive().expect("a drive").copy("IF.BIN", &image, WriteOrder::LinuxUmount);
        assert_eq!(written(&mut host, chip).as_ref(), Some(&image), "{board}");
    }
}

#[test]
fn firmware_of_another_kind_can_be_stopped_and_has_nothing_of_daplinks() {
    let file = BoardFile::built_in("microbit-v1").expect("built in");
    let image = include_bytes!("../../firmware/kl26z/interface.hex");
    let image = Image::parse(Path::new("interface.hex"), image, BlockIds(&[]), 0).expect("an image");
    let interface = Some(InterfaceProgram { image: &image, start: Start::Reset });
    let mut powered = file.power_on(&PowerOn { interface, ..PowerOn::default() }).expect("a board");
    let mut arm = |point| powered.arm(&make(point, Params::default(), Plan::default()));
    arm("firmware.hang").expect("any core can stand still");
    let reasons = [
        ("firmware.assert", "the build information of its image names no such version"),
        ("firmware.config", "its image does not know 0x6b766c64"),
        ("firmware.crc", "there is no interface firmware at 0x8000 of its KL26Z"),
        ("firmware.vectors", "only a bootloader looks at vectors"),
    ];
    for (point, expected) in reasons {
        let ArmError::NotHere { point: name, reason } = arm(point).expect_err("not here") else { panic!("{point}") };
        assert!(name == point && reason.contains(expected), "{reason}");
    }
}

#[test]
fn faults_that_never_strike_change_nothing() {
    let run = |with: bool| {
        let mut host = built_in("microbit-v2");
        if with {
            for point in fault::firmware::POINTS {
                let fault = make(point.name, Params::default(), Plan { start: Time::NEVER, ..Plan::default() });
                host.machine().arm(&fault).expect("can be armed");
            }
        }
        ready(&mut host);
        power_cycle(&mut host);
        (host.now(), file(&mut host, "DETAILS.TXT"))
    };
    assert_eq!(run(false), run(true));
}
