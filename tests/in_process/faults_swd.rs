//! What goes wrong on the debug wires, as a debugger and a user of the drive see it.

use std::path::Path;

use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::fault::{Lasting, Params, Plan};
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::dap::DapError;

use crate::bench::{built_in, hex, program};
use crate::faults_wires::{BOARDS, adi, always, arm, drop_file, strikes, times};
use crate::images::official;

#[test]
fn broken_debug_wires_leave_a_tool_without_an_acknowledge() {
    // Reference: nobody pulls SWDIO low, or it is low all the time.
    for (point, level, response) in [
        ("swd.swdio-open", None, 0b111),
        ("swd.swclk-open", None, 0b111),
        ("swd.swapped", None, 0b111),
        ("swd.swclk-stuck", Some(false), 0b111),
        ("swd.swdio-stuck", Some(true), 0b111),
        ("swd.swdio-stuck", Some(false), 0b000),
    ] {
        for board in BOARDS {
            let mut host = built_in(board);
            let dpidr = adi(&mut host, board).connect().expect("a target");
            let params = Params { level, ..Params::default() };
            let plan = Plan { lasting: Lasting::For(Span::ms(50)), ..Plan::default() };
            let fault = arm(host.machine(), point, params, plan);
            let error = adi(&mut host, board).read_dp(0).expect_err("nobody is there");
            assert_eq!(error, DapError::Transfer { done: 0, response }, "{point} on {board}");
            assert!(strikes(&fault) > 0);
            host.sleep(Span::ms(50));
            assert_eq!(adi(&mut host, board).connect(), Ok(dpidr), "{point}: the wires are good again");
        }
    }
}

#[test]
fn an_access_port_that_is_busy_for_a_while_is_asked_again_and_one_that_stays_busy_is_an_error() {
    for board in BOARDS {
        let mut host = built_in(board);
        let mut adi = adi(&mut host, board);
        adi.connect().expect("a target");
        adi.write_word(0x2000_0000, 1).expect("RAM");
        // The probe repeats a transfer 150 times, as it was told when it was connected.
        let fault = arm(adi.host().machine(), "swd.wait", Params::default(), times(150));
        assert_eq!(adi.read_word(0x2000_0000), Ok(1), "{board}");
        assert_eq!(strikes(&fault), 150);
        let fault = arm(adi.host().machine(), "swd.wait", Params::default(), times(151));
        // TAR was written; whether that is finished, the probe could not find out.
        assert_eq!(adi.read_word(0x2000_0000), Err(DapError::Transfer { done: 1, response: 2 }), "{board}");
        assert_eq!(strikes(&fault), 151);
        assert_eq!(adi.read_word(0x2000_0000), Ok(1));
    }
}

#[test]
fn a_fault_sets_stickyerr_and_lasts_until_it_is_cleared() {
    for board in BOARDS {
        let mut host = built_in(board);
        let mut adi = adi(&mut host, board);
        adi.connect().expect("a target");
        adi.write_word(0x2000_0000, 1).expect("RAM");
        let fault = arm(adi.host().machine(), "swd.fault", Params::default(), Plan::default());
        // TAR was taken, and then it showed that writing it had failed; after that nothing is taken.
        for done in [1, 0] {
            assert_eq!(adi.read_word(0x2000_0000), Err(DapError::Transfer { done, response: 4 }), "{board}");
            assert_eq!(adi.read_dp(0x4).map(|status| status >> 5 & 1), Ok(1), "STICKYERR");
        }
        adi.clear_errors().expect("ABORT is always taken");
        assert_eq!(adi.read_word(0x2000_0000), Ok(1));
        assert_eq!(strikes(&fault), 1);
    }
}

#[test]
fn a_parity_error_is_the_probes_in_a_read_and_the_targets_in_a_write() {
    for board in BOARDS {
        let mut host = built_in(board);
        let mut adi = adi(&mut host, board);
        adi.connect().expect("a target");
        arm(adi.host().machine(), "swd.parity", Params::default(), Plan::default());
        assert_eq!(adi.read_dp(0), Err(DapError::Transfer { done: 0, response: 8 }), "{board}: protocol error");
        adi.read_dp(0).expect("the target knows nothing of it");
        adi.read_dp(0xC).expect("RDBUFF");
        arm(adi.host().machine(), "swd.parity", Params::default(), Plan::default());
        adi.write_dp(0x8, 0).expect_err("DAP_Transfer reads RDBUFF after a write, and that is not done");
        assert_eq!(adi.read_dp(0x4).map(|status| status >> 7 & 1), Ok(1), "WDATAERR");
    }
}

#[test]
fn a_target_that_browns_out_in_a_transfer_has_to_be_connected_again() {
    for board in BOARDS {
        let mut host = built_in(board);
        let mut adi = adi(&mut host, board);
        let dpidr = adi.connect().expect("a target");
        adi.write_word(0x2000_0000, 0x1234_5678).expect("RAM");
        let fault = arm(adi.host().machine(), "swd.target-reset", Params::default(), Plan::default());
        // Fifteen bits of DPIDR, and then the pull-up, of which the parity happens to be right.
        assert_eq!(adi.read_dp(0), Ok(dpidr & 0x7FFF | 0xFFFF_8000), "{board}");
        assert_eq!(adi.read_dp(0), Err(DapError::Transfer { done: 0, response: 7 }), "{board}");
        assert_eq!(adi.connect(), Ok(dpidr));
        assert_ne!(adi.read_word(0x2000_0000), Ok(0x1234_5678), "RAM has lost its contents");
        assert_eq!(strikes(&fault), 1);
    }
}

/// Drops a program of 20 KB while a fault is armed, from the start or after so many edges of SWCLK.
fn dropped(board: &str, point: &str, params: Params, skip: u64) -> (Option<String>, u64) {
    let mut host = built_in(board);
    let fault = arm(host.machine(), point, params, Plan { skip, ..always() });
    let copied = drop_file(&mut host, &hex(&program(20_000)));
    (copied.fail, strikes(&fault))
}

#[test]
fn a_drop_over_broken_debug_wires_says_which_step_failed() {
    let low = || Params { level: Some(false), ..Params::default() };
    for board in BOARDS {
        for (point, params) in [("swd.swdio-open", Params::default()), ("swd.swdio-stuck", low())] {
            let (fail, strikes) = dropped(board, point, params, 0);
            let fail = fail.expect("fails");
            // 0253 has words of its own.
            assert!(fail.contains("to reset/halt the target MCU") && strikes > 0, "{board} {point}: {fail}");
        }
        // The flash algorithm is in the target, and erasing has begun.
        let (fail, strikes) = dropped(board, "swd.swclk-open", Params::default(), 400_000);
        let fail = fail.expect("fails");
        let later = ["lash algorithm", "download the flash data"];
        assert!(later.iter().any(|text| fail.contains(text)) && strikes > 0, "{board}: {fail}");
    }
}

#[test]
fn a_drop_bears_a_few_waits_and_not_a_storm_of_faults() {
    for board in BOARDS {
        let mut host = built_in(board);
        // The firmware tries 99 times more; erasing makes it wait, too.
        let fault = arm(host.machine(), "swd.wait", Params::default(), Plan { skip: 5_000, ..times(50) });
        let copied = drop_file(&mut host, &hex(&program(20_000)));
        assert!(copied.is_success() && strikes(&fault) == 50, "{board}: {copied:?}");
        let (fail, strikes) = dropped(board, "swd.fault", Params::default(), 0);
        assert!(fail.is_some() && strikes > 0, "{board}");
    }
}

/// Official firmware, where it is, with its target.
fn with_official(f: impl Fn(&str, Host<Powered>)) {
    const START: u32 = 0x8000;
    for (board, name) in [
        ("microbit-v1", "0253_kl26z_microbit_0x8000.hex"),
        ("microbit-v2", "0257_nrf52820_microbit_if_crc_c782a5ba90_gcc.hex"),
    ] {
        let Some(contents) = official(name) else { continue };
        let image = Image::parse(Path::new(name), &contents, BlockIds(&[]), START).expect("an image");
        let interface = Some(InterfaceProgram { image: &image, start: Start::Handover(START) });
        let file = BoardFile::built_in(board).expect("built in");
        let mut host = Host::new(file.power_on(&PowerOn { interface, ..PowerOn::default() }).expect("a board"));
        host.enumerate().expect("enumerates");
        f(board, host);
    }
}

#[test]
fn native_and_official_firmware_tell_of_a_parity_error_in_the_middle_of_a_drop() {
    let check = |board: &str, mut host: Host<Powered>| {
        // By then the flash algorithm is in the target.
        let fault = arm(host.machine(), "swd.parity", Params::default(), Plan { skip: 4_000, ..times(1) });
        let fail = drop_file(&mut host, &hex(&program(20_000))).fail.expect("fails");
        let later = ["lash algorithm", "download the flash data"];
        assert!(later.iter().any(|text| fail.contains(text)) && strikes(&fault) == 1, "{board}: {fail}");
        assert!(drop_file(&mut host, &hex(&program(2_000))).is_success(), "{board}: the wires are good again");
    };
    with_official(check);
    BOARDS.iter().for_each(|board| check(board, built_in(board)));
}

#[test]
fn official_firmware_restarts_when_its_target_is_not_there() {
    with_official(|board, mut host| {
        let fault = arm(host.machine(), "swd.swdio-open", Params::default(), always());
        let copied = host.drive().expect("a drive").copy("a.hex", &hex(&program(2_000)), WriteOrder::LinuxFlush);
        assert!(copied.is_err() && strikes(&fault) > 0, "{board}: {copied:?}");
        host.enumerate().expect("comes back");
        let mut drive = host.drive().expect("a drive");
        drive.wait_ready(Span::secs(10)).expect("a medium");
        let text = drive.read_file("ASSERT.TXT").expect("reads").expect("is there");
        assert!(text.starts_with(b"Assert\r\nFile: "), "{board}");
    });
}
