//! CMSIS-DAP on all three ways, down to the target's bus.

use twinboard_usbip::host::dap::DapError;

use crate::bench::Bench;

#[test]
fn all_three_ways_answer_the_same() {
    let mut bench = Bench::new();
    let mut answers = Vec::new();
    for way in 0..3 {
        let mut dap = match way {
            0 => bench.host.dap_v1(),
            1 => bench.host.dap_v2(),
            _ => bench.host.dap_web(),
        }
        .expect("is there");
        answers.push((
            dap.info_string(4).expect("firmware version"),
            dap.info_string(6).expect("device name"),
            dap.info_number(0xff).expect("packet size"),
            dap.info_number(0xfe).expect("packet count"),
        ));
    }
    // daplink.md, section 2: 0257 on an nRF52820.
    let expected = ("2.1.0".to_string(), "nRF52833_xxAA".to_string(), 64, 8);
    assert_eq!(answers, [expected.clone(), expected.clone(), expected]);
}

#[test]
fn memory_is_read_and_written_through_probe_wire_and_access_port() {
    for version in [1, 2] {
        let mut bench = Bench::new();
        let dap = if version == 1 { bench.host.dap_v1() } else { bench.host.dap_v2() };
        let mut adi = dap.expect("a probe").adi();
        assert_eq!(adi.connect(), Ok(0x2ba0_1477));
        assert_eq!(adi.read_ap(1, 0xfc), Ok(0x0288_0000), "Nordic's CTRL-AP");
        assert_eq!(adi.read_ap(2, 0xfc), Ok(0), "no third access port");
        let words: Vec<u32> = (0..1_000u32).map(|i| i.wrapping_mul(0x9e37_79b9)).collect();
        adi.write_words(0x2000_0f00, &words).expect("RAM takes it");
        assert_eq!(adi.read_words(0x2000_0f00, words.len()).expect("RAM gives it back"), words);
        adi.write_byte(0x2000_0f02, 0xa5).expect("RAM takes it");
        assert_eq!(adi.read_word(0x2000_0f00), Ok(0x00a5_0000));
        assert_eq!(adi.read_byte(0x2000_0f02), Ok(0xa5));
        assert_eq!(bench.target.lock().words[&0x2000_0f04], words[1]);
    }
}

#[test]
fn a_bus_error_is_reported_as_a_fault_and_can_be_cleared() {
    let mut bench = Bench::new();
    let mut adi = bench.host.dap_v2().expect("a probe").adi();
    adi.connect().expect("connects");
    for _ in 0..2 {
        // The fault of a posted write belongs to the same response: the firmware looks once more.
        let fault = DapError::Transfer { done: 1, response: 0b100 };
        assert_eq!(adi.write_word(0x3e00_0000, 1), Err(fault));
        adi.clear_errors().expect("clears");
        adi.write_word(0x2000_0000, 7).expect("RAM takes it");
        assert_eq!(adi.read_word(0x2000_0000), Ok(7));
    }
}
