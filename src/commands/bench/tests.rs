//! The benchmark's promises: the parts are the whole, runs are alike, every setting moves what it says.

use twinboard_sim::time::Span;

use super::report::{Measured, Parts, Report, Row};
use super::{FlashOptions, Way, chart, compare, flash};

/// Native firmware only, 16 KB.
fn options(board: &str, ways: &[Way], what_if: &[&str]) -> FlashOptions {
    FlashOptions {
        boards: vec![board.into()],
        firmwares: vec!["native".into()],
        ways: ways.to_vec(),
        size: 16,
        what_if: what_if.iter().map(|setting| setting.parse().expect("a setting")).collect(),
        ..FlashOptions::default()
    }
}

fn report(board: &str, ways: &[Way], what_if: &[&str]) -> Report {
    flash::measure_all(&options(board, ways, what_if)).expect("measures")
}

/// The one row of a board and a way.
fn measured(board: &str, way: Way, what_if: &[&str]) -> Measured {
    let report = report(board, &[way], what_if);
    assert_eq!(report.rows.len(), 1);
    report.rows[0].measured.unwrap_or_else(|| panic!("{:?}", report.rows[0].reason))
}

fn sum(parts: &Parts) -> Span {
    parts.list().into_iter().fold(Span::ZERO, |sum, part| sum + part)
}

#[test]
fn the_parts_add_up_and_two_runs_are_alike() {
    for board in ["microbit-v1", "microbit-v2"] {
        let (first, second) = (report(board, &[], &[]), report(board, &[], &[]));
        assert_eq!(first.rows.len(), if board == "microbit-v1" { 2 } else { 3 });
        for (row, again) in first.rows.iter().zip(&second.rows) {
            let one = row.measured.unwrap_or_else(|| panic!("{}: {:?}", row.label(), row.reason));
            let other = again.measured.expect("measured again");
            assert_eq!(sum(&one.parts), one.total, "{}", row.label());
            assert_eq!((one.total, one.parts), (other.total, other.parts), "{}", row.label());
        }
    }
}

#[test]
fn flash_times_are_the_manuals() {
    // nRF52833 product specification, NVMC: t_ERASEPAGE 87.5 ms for each of 4 pages, t_ERASEALL 173 ms, t_WRITE 42.5 µs
    // for each of 4096 words.
    let pages = measured("microbit-v2", Way::Bulk, &["erase=page"]).parts;
    assert_eq!(pages.flash_erase, Span::us(4 * 87_500));
    assert_eq!(pages.flash_program, Span::ns(4096 * 42_500));
    assert_eq!(measured("microbit-v2", Way::Bulk, &["erase=chip"]).parts.flash_erase, Span::ms(173));
}

#[test]
fn a_faster_swd_clock_shortens_the_wire_of_debuggers_and_of_the_firmware_itself() {
    for way in Way::ALL {
        let slow = measured("microbit-v2", way, &["swd-clock=1MHz"]);
        let fast = measured("microbit-v2", way, &["swd-clock=8MHz"]);
        assert!(fast.parts.swd_wire * 2 < slow.parts.swd_wire, "{way:?}");
        // HID carries one packet in a millisecond; the wire is done with it before, slow or fast.
        assert!(fast.total < slow.total || way == Way::Hid && fast.total == slow.total, "{way:?}");
    }
}

#[test]
fn bulk_is_faster_than_hid_because_of_usb() {
    let hid = report("microbit-v2", &[], &["transport=hid"]);
    let bulk = report("microbit-v2", &[], &["transport=bulk"]);
    let ways = |report: &Report| report.rows.iter().map(|row| row.way.clone()).collect::<Vec<_>>();
    assert_eq!(ways(&hid), ["drag-and-drop", "CMSIS-DAP v1"]);
    assert_eq!(ways(&bulk), ["drag-and-drop", "CMSIS-DAP v2"]);
    let [hid, bulk] = [hid, bulk].map(|report| report.rows[1].measured.expect("measured"));
    assert!(bulk.total < hid.total && bulk.parts.usb < hid.parts.usb);
}

#[test]
fn more_packets_on_their_way_hide_the_polls_of_hid_and_the_hosts_latency_in_bulk() {
    // Firmware takes the next packet when it is done with the last one, so bulk gains nothing from a host without latency.
    for (way, others) in [(Way::Hid, &[][..]), (Way::Bulk, &["host-latency=300us"])] {
        let total = |count: &'static str| measured("microbit-v2", way, &[&[count], others].concat()).total;
        let totals = ["packet-count=1", "packet-count=2", "packet-count=8"].map(total);
        assert!(totals[0] > totals[1] && totals[1] >= totals[2], "{way:?}: {totals:?}");
    }
}

#[test]
fn chip_erase_beats_page_erase_when_there_are_pages_enough() {
    for way in Way::ALL {
        let pages = measured("microbit-v2", way, &["erase=page"]);
        let chip = measured("microbit-v2", way, &["erase=chip"]);
        assert!(chip.parts.flash_erase < pages.parts.flash_erase, "{way:?}");
        assert!(chip.total < pages.total, "{way:?}");
    }
}

#[test]
fn readynext_saves_the_routines_own_instructions_between_two_words() {
    // One buffer, so that the routine's time is not hidden behind the next page's transfer; a fast wire, so that the
    // host soon sees that it is done.
    let ready = measured("microbit-v2", Way::Bulk, &["swd-clock=16MHz", "double-buffering=off", "readynext=off"]);
    let next = measured("microbit-v2", Way::Bulk, &["swd-clock=16MHz", "double-buffering=off", "readynext=on"]);
    assert!(next.total < ready.total, "{:?} {:?}", next.total, ready.total);
    assert_eq!(next.parts.flash_program, ready.parts.flash_program);
}

#[test]
fn two_buffers_hide_the_transfer_behind_the_programming() {
    for board in ["microbit-v1", "microbit-v2"] {
        let one = measured(board, Way::Hid, &["double-buffering=off"]);
        let two = measured(board, Way::Hid, &["double-buffering=on"]);
        assert!(two.total < one.total, "{board}");
    }
}

#[test]
fn a_slow_host_shows_as_host() {
    for way in Way::ALL {
        let quick = measured("microbit-v2", way, &[]);
        let slow = measured("microbit-v2", way, &["host-latency=500us"]);
        assert_eq!(quick.parts.host, Span::ZERO, "{way:?}");
        assert!(slow.total > quick.total && slow.parts.host > Span::ms(1), "{way:?}: {:?}", slow.parts);
    }
}

#[test]
fn rows_say_which_settings_do_not_reach_them() {
    let settings = ["readynext=on", "erase=page", "double-buffering=off", "packet-count=2", "host-latency=1us"];
    let v1 = report("microbit-v1", &[Way::Drop, Way::Hid], &settings);
    assert_eq!(v1.rows[0].not_reached, ["readynext=on", "erase=page", "double-buffering=off", "packet-count=2"]);
    assert_eq!(v1.rows[1].not_reached, ["readynext=on"]);
}

#[test]
fn settings_that_make_no_sense_are_refused_with_what_was_expected() {
    for (text, expected) in [
        ("swd-clock", "KEY=VALUE"),
        ("swd-clock=0", "10 kHz to 50 MHz"),
        ("swd-clock=99999999999MHz", "10 kHz to 50 MHz"),
        ("transport=smoke", "hid or bulk"),
        ("packet-count=9", "1 to 8"),
        ("erase=twice", "page or chip"),
        ("readynext=yes", "on or off"),
        ("host-latency=1", "100us or 1ms"),
        ("colour=red", "swd-clock, transport"),
    ] {
        let error = text.parse::<super::what_if::WhatIf>().expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

fn row(firmware: &str, way: Way, seconds: u64) -> Row {
    let parts = Parts { usb: Span::secs(1), swd_wire: Span::secs(seconds - 1), ..Parts::default() };
    Row {
        board: "microbit-v2".into(),
        firmware: firmware.into(),
        image: None,
        way: way.name().into(),
        measured: Some(Measured { total: Span::secs(seconds), parts, wall_seconds: 0.5 }),
        reason: None,
        not_reached: Vec::new(),
    }
}

fn of(rows: Vec<Row>) -> Report {
    Report { twinboard: "1".into(), program_bytes: 1024, what_if: vec![], rows, missing_images: vec![] }
}

#[test]
fn a_comparison_pairs_equal_rows_and_two_versions_of_one_board() {
    let old = of(vec![row("native", Way::Drop, 4), row("0255", Way::Hid, 10), row("0255", Way::Bulk, 3)]);
    let new = of(vec![row("0257", Way::Hid, 8), row("native", Way::Drop, 5)]);
    let text = compare::compare(&old, &new);
    let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0].join(" "), "microbit-v2 native drag-and-drop 4.000 5.000 +25.0% SWD wire +1.000 s");
    assert_eq!(lines[1].join(" "), "microbit-v2 0255 -> 0257 CMSIS-DAP v1 10.000 8.000 -20.0% SWD wire -2.000 s");
    assert_eq!(lines[2].join(" "), "only in the old report: microbit-v2 0255 CMSIS-DAP v2");
}

#[test]
fn a_report_survives_json_and_a_damaged_one_is_refused() {
    let report = of(vec![row("native", Way::Drop, 4)]);
    let text = serde_json::to_string(&report).expect("serialises");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("parses"), report);
    for damaged in [text.replace("\"seconds\":4.0", "\"seconds\":-4.0"), text.replace("\"usb\"", "\"usd\"")] {
        assert_ne!(damaged, text);
        assert!(serde_json::from_str::<Report>(&damaged).is_err());
    }
}

#[test]
fn the_chart_has_a_bar_for_each_part_that_took_time() {
    let report = of(vec![row("native", Way::Drop, 4), row("native", Way::Bulk, 2)]);
    let svg = chart::svg(&report).expect("draws");
    // The background, seven of the legend, and two rows of two parts.
    assert_eq!(svg.matches("<rect").count(), 1 + 7 + 4);
    assert!(svg.contains("microbit-v2 native drag-and-drop") && svg.contains("4.00 s"));
}
