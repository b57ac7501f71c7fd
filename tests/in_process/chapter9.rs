//! USB 2.0 chapter 9 as a host sees it (the list of usbip.md, section 11).

use crate::bench::Bench;

const DEVICE: u8 = 1;
const CONFIGURATION: u8 = 2;
const STRING: u8 = 3;
const BOS: u8 = 15;
const UNKNOWN: u8 = 0x42;

fn get_descriptor(kind: u8, index: u8, length: u16) -> [u8; 8] {
    let [low, high] = length.to_le_bytes();
    [0x80, 6, index, kind, 0, 0, low, high]
}

#[test]
fn descriptors_come_in_whatever_length_is_asked_for() {
    let mut bench = Bench::new();
    for (kind, total) in [(DEVICE, 18), (CONFIGURATION, 162), (BOS, 57), (STRING, 4)] {
        let whole = bench.host.control_in(get_descriptor(kind, 0, 1_000)).expect("answers");
        assert_eq!(whole.len(), total);
        for length in [1, 8, 9, 64, 128] {
            let part = bench.host.control_in(get_descriptor(kind, 0, length)).expect("answers");
            assert_eq!(part, whole[..total.min(usize::from(length))], "{kind} {length}");
        }
    }
}

#[test]
fn an_unknown_descriptor_is_refused_and_the_device_lives_on() {
    let mut bench = Bench::new();
    for setup in [get_descriptor(UNKNOWN, 0, 64), get_descriptor(STRING, 200, 64), [0x80, 0xfe, 0, 0, 0, 0, 4, 0]] {
        assert!(bench.host.control_in(setup).expect_err("refused").is_stall());
        assert_eq!(bench.host.control_in(get_descriptor(DEVICE, 0, 18)).expect("lives").len(), 18);
    }
}

#[test]
fn every_endpoint_can_be_halted_asked_and_released() {
    let mut bench = Bench::new();
    let interfaces = &bench.host.device().expect("enumerated").configurations[0].interfaces;
    let endpoints: Vec<u8> = interfaces.iter().flat_map(|i| &i.endpoints).map(|e| e.address).collect();
    assert_eq!(endpoints.len(), 9);
    for endpoint in endpoints {
        let get_status = [0x82, 0, 0, 0, endpoint, 0, 2, 0];
        assert_eq!(bench.host.control_in(get_status), Ok(vec![0, 0]));
        bench.host.control_out([0x02, 3, 0, 0, endpoint, 0, 0, 0], &[]).expect("SET_FEATURE");
        assert_eq!(bench.host.control_in(get_status), Ok(vec![1, 0]));
        bench.host.clear_halt(endpoint).expect("CLEAR_FEATURE");
        assert_eq!(bench.host.control_in(get_status), Ok(vec![0, 0]));
    }
}

#[test]
fn the_configuration_can_be_left_and_entered_again() {
    let mut bench = Bench::new();
    let get_configuration = [0x80, 8, 0, 0, 0, 0, 1, 0];
    for value in [0, 1, 0, 1] {
        bench.host.control_out([0x00, 9, value, 0, 0, 0, 0, 0], &[]).expect("SET_CONFIGURATION");
        assert_eq!(bench.host.control_in(get_configuration), Ok(vec![value]));
    }
    assert!(bench.host.drive().expect("a drive").inquiry().is_ok());
}

#[test]
fn the_board_enumerates_150_times_and_always_the_same() {
    let mut bench = Bench::new();
    let first = bench.host.device().expect("enumerated").clone();
    for _ in 0..150 {
        assert_eq!(bench.host.enumerate().expect("enumerates"), &first);
    }
}

#[test]
fn webusb_and_microsofts_descriptors_are_found_from_the_bos() {
    // daplink.md, section 1.5.
    let mut bench = Bench::new();
    let bos = bench.host.control_in(get_descriptor(BOS, 0, 57)).expect("answers");
    assert_eq!((bos[4], u16::from_le_bytes([bos[2], bos[3]])), (2, 57));
    let (webusb, microsoft) = (&bos[5..29], &bos[29..57]);
    assert_eq!(webusb[4..8], [0x38, 0xb6, 0x08, 0x34]);
    let (vendor_code, set_length) = (microsoft[26], u16::from_le_bytes([microsoft[24], microsoft[25]]));
    assert_eq!((webusb[22], vendor_code, set_length), (0x21, 0x20, 330));
    let [low, high] = set_length.to_le_bytes();
    let set = bench.host.control_in([0xc0, vendor_code, 0, 0, 7, 0, low, high]).expect("answers");
    assert_eq!(set.len(), 330);
    let url = bench.host.control_in([0xc0, webusb[22], 1, 0, 2, 0, 255, 0]).expect("answers");
    assert_eq!(&url[3..], b"os.mbed.com/webusb/landing-page/?bid=9906");
}

#[test]
fn the_hid_interface_has_its_report_descriptor_and_takes_set_idle() {
    let mut bench = Bench::new();
    let report = bench.host.control_in([0x81, 6, 0, 0x22, 3, 0, 255, 0]).expect("answers");
    assert_eq!(report.len(), 33);
    assert_eq!(report[..3], [0x06, 0x00, 0xff], "vendor usage page");
    bench.host.control_out([0x21, 0x0a, 0, 0, 3, 0, 0, 0], &[]).expect("SET_IDLE");
    assert_eq!(bench.host.control_in([0xa1, 0x02, 0, 0, 3, 0, 1, 0]), Ok(vec![0]));
}
