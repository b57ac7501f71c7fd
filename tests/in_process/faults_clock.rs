//! Crystals that do not start, as a user's tools see it.

use std::path::Path;

use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::fault;
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::fault::{ArmError, Fault, Params, Plan, SharedFault};
use twinboard_sim::time::Span;
use twinboard_usbip::host::{Host, UsbError};
use twinboard_usbip::vhc::EnumerateError;

use crate::bench::built_in;

fn no_start(chip: Option<&str>, plan: Plan) -> SharedFault {
    let point = fault::point("clock.no-start").expect("a point");
    let params = Params { chip: chip.map(str::to_owned), ..Params::default() };
    params.check(point).expect("what the point takes");
    SharedFault::new(Fault::new("dead", point, params, plan, 1))
}

fn strikes(fault: &SharedFault) -> u64 {
    fault.lock().record().strikes()
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
    let images: [(&str, &[u8]); 2] = [
        ("microbit-v1", include_bytes!("../../firmware/kl26z/interface.hex")),
        ("microbit-v2", include_bytes!("../../firmware/nrf52820/interface.hex")),
    ];
    for (board, image) in images {
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
