use twinboard_sim::time::Time;

use super::*;
use crate::debug::scripted::{Event, ScriptedTarget};
use crate::debug::table::{NRF51822, NRF52833};

const AT: Time = Time(1_000);

/// A powered-up port with AP 0 selected for 32-bit accesses with single increment.
struct Rig {
    dp: Dp,
    target: ScriptedTarget,
}

fn dp(read: bool, address: u8) -> SwdRequest {
    SwdRequest { ap: false, read, address }
}

fn ap(read: bool, address: u8) -> SwdRequest {
    SwdRequest { ap: true, read, address }
}

impl Rig {
    fn unpowered(table: &DapTable) -> Rig {
        Rig { dp: Dp::new(table), target: ScriptedTarget::default() }
    }

    fn new() -> Rig {
        let mut rig = Rig::unpowered(&NRF52833);
        assert_eq!(rig.write(dp(false, 0x4), 0x5000_0000), SwdAck::OK);
        assert_eq!(rig.write(ap(false, 0x0), 0x2300_0012), SwdAck::OK);
        rig
    }

    fn read(&mut self, request: SwdRequest) -> Result<u32, SwdAck> {
        let answer = self.dp.request(AT, request, &mut self.target);
        if answer.ack == SwdAck::OK { Ok(answer.data) } else { Err(answer.ack) }
    }

    fn write(&mut self, request: SwdRequest, data: u32) -> SwdAck {
        let answer = self.dp.request(AT, request, &mut self.target);
        if answer.ack == SwdAck::OK {
            self.dp.write(AT, request, data, &mut self.target);
        }
        answer.ack
    }

    /// Makes the next AP access fault, and does it.
    fn fault(&mut self) {
        self.target.faulty = 0x3E00_0000..0x3F00_0000;
        assert_eq!(self.write(ap(false, 0x4), 0x3E00_0000), SwdAck::OK);
        assert_eq!(self.write(ap(false, 0xC), 1), SwdAck::OK, "a bus error shows later");
    }

    fn ctrl_stat(&mut self) -> u32 {
        self.read(dp(true, 0x4)).expect("CTRL/STAT always reads")
    }
}

#[test]
fn dpidr_tells_chip_and_version() {
    // Reference 2.1.
    assert_eq!(Rig::unpowered(&NRF52833).read(dp(true, 0)), Ok(0x2BA0_1477));
    assert_eq!(Rig::unpowered(&NRF51822).read(dp(true, 0)), Ok(0x0BB1_1477));
}

#[test]
fn power_up_acknowledges_follow_their_requests_both_ways() {
    // Reference 2.2, power-up: firmware polls for the acknowledges to rise, and to fall one by one.
    let mut rig = Rig::unpowered(&NRF52833);
    let mut at_rest = Vec::new();
    for (value, status) in [(0x5000_0000, 0xF000_0000), (0x1000_0000, 0x3000_0000), (0, 0)] {
        rig.write(dp(false, 0x4), value);
        at_rest.push(rig.ctrl_stat() == status);
    }
    assert_eq!(at_rest, [true; 3]);
    let power = |debug, system| Event::Power { at: AT, debug, system };
    assert_eq!(rig.target.events, [power(true, true), power(true, false), power(false, false)]);
}

#[test]
fn a_minimal_port_has_no_pushed_operations() {
    // Reference 2.2, CTRL/STAT: MINDP ignores TRNMODE, MASKLANE and TRNCNT.
    for (table, stored) in [(&NRF51822, 0), (&NRF52833, 0x0012_3F04)] {
        let mut rig = Rig::unpowered(table);
        rig.write(dp(false, 0x4), 0x0012_3F04);
        assert_eq!(rig.ctrl_stat(), stored);
    }
}

#[test]
fn an_access_port_read_returns_the_result_of_the_one_before() {
    // Reference 2.3, posting.
    let mut rig = Rig::new();
    for (i, word) in [0x1111, 0x2222, 0x3333].into_iter().enumerate() {
        rig.target.poke(0x2000_0000 + 4 * i as u32, word);
    }
    rig.write(ap(false, 0x4), 0x2000_0000);
    rig.read(ap(true, 0xC)).expect("the first is posted");
    assert_eq!(rig.read(ap(true, 0xC)), Ok(0x1111));
    assert_eq!(rig.read(ap(true, 0xC)), Ok(0x2222));
    assert_eq!(rig.read(dp(true, 0xC)), Ok(0x3333));
    assert_eq!(rig.read(dp(true, 0x8)), Ok(0x3333), "RESEND repeats without an access");
    assert_eq!(rig.target.events.iter().filter(|e| matches!(e, Event::Read { .. })).count(), 3);
}

#[test]
fn a_bus_error_faults_later_transfers_until_abort_clears_it() {
    // Reference 1.3 and 2.3.
    let mut rig = Rig::new();
    rig.fault();
    for request in [dp(false, 0x8), dp(false, 0x4), ap(false, 0xC)] {
        assert_eq!(rig.write(request, 0), SwdAck::FAULT);
    }
    assert_eq!(rig.read(dp(true, 0xC)), Err(SwdAck::FAULT));
    assert_eq!(rig.read(dp(true, 0x0)), Ok(0x2BA0_1477), "DPIDR never faults");
    assert_eq!(rig.ctrl_stat() & STICKY, STICKYERR);
    assert_eq!(rig.write(dp(false, 0x0), 1 << 1), SwdAck::OK, "another flag's clear bit does not help");
    assert_eq!(rig.read(dp(true, 0xC)), Err(SwdAck::FAULT));
    assert_eq!(rig.write(dp(false, 0x0), 0x1E), SwdAck::OK);
    assert!(rig.read(dp(true, 0xC)).is_ok());
}

#[test]
fn writing_a_one_to_stickyerr_does_not_clear_it() {
    // Reference 2.2, CTRL/STAT bit 5: that is JTAG's way.
    let mut rig = Rig::new();
    rig.fault();
    rig.write(dp(false, 0x4), 0x5000_0020);
    assert_eq!(rig.ctrl_stat() & STICKY, STICKYERR);
}

#[test]
fn an_unpowered_access_port_sets_stickyerr() {
    // Reference 2.2.
    let mut rig = Rig::unpowered(&NRF52833);
    assert!(rig.read(ap(true, 0xC)).is_ok());
    assert_eq!(rig.read(dp(true, 0xC)), Err(SwdAck::FAULT));
    assert!(rig.target.events.is_empty());
}

#[test]
fn an_absent_access_port_reads_0_and_does_not_fault() {
    // Reference 3.1.
    let mut rig = Rig::new();
    rig.write(dp(false, 0x8), 0x0500_00F0);
    assert!(rig.read(ap(true, 0xC)).is_ok());
    assert_eq!(rig.read(dp(true, 0xC)), Ok(0));
}

#[test]
fn nordics_ctrl_ap_answers_with_its_idr_and_hands_the_rest_to_the_chip() {
    // Reference 3.3.
    let mut rig = Rig::new();
    rig.write(dp(false, 0x8), 0x0100_00F0);
    rig.read(ap(true, 0xC)).expect("posted");
    assert_eq!(rig.read(dp(true, 0xC)), Ok(0x0288_0000));
    rig.write(dp(false, 0x8), 0x0100_0000);
    rig.write(ap(false, 0x4), 1);
    rig.read(ap(true, 0xC)).expect("posted");
    assert_eq!(rig.read(dp(true, 0xC)), Ok(0x10C), "the scripted target's answer");
    assert!(rig.target.events.contains(&Event::VendorWrite { at: AT, ap: 1, register: 4, value: 1 }));
}

#[test]
fn a_stalled_bus_answers_wait_and_then_does_the_access_once() {
    // Reference 1.3: on WAIT nothing is done; DPIDR, CTRL/STAT and ABORT never wait.
    let mut rig = Rig::new();
    rig.write(ap(false, 0x4), 0x2000_0000);
    rig.target.busy = Time::ZERO..Time(5_000);
    assert_eq!(rig.write(ap(false, 0xC), 0xAA), SwdAck::OK, "writes are posted");
    assert_eq!(rig.write(ap(false, 0xC), 0xBB), SwdAck::WAIT);
    assert_eq!(rig.read(dp(true, 0xC)), Err(SwdAck::WAIT));
    assert!(rig.read(dp(true, 0x0)).is_ok());
    assert_eq!(rig.ctrl_stat() & STICKY, 0);
    rig.target.busy = Time::ZERO..Time::ZERO;
    assert!(rig.read(dp(true, 0xC)).is_ok());
    assert_eq!((rig.target.peek(0x2000_0000), rig.target.peek(0x2000_0004)), (0xAA, 0));
}

#[test]
fn dapabort_gives_up_a_stalled_access() {
    let mut rig = Rig::new();
    rig.target.busy = Time::ZERO..Time(5_000);
    rig.write(ap(false, 0xC), 0xAA);
    assert_eq!(rig.read(dp(true, 0xC)), Err(SwdAck::WAIT));
    assert_eq!(rig.write(dp(false, 0x0), DAPABORT), SwdAck::OK);
    assert!(rig.read(dp(true, 0xC)).is_ok());
    assert_eq!(rig.target.peek(0), 0);
}

#[test]
fn a_parity_error_in_written_data_drops_it_and_faults() {
    // Reference 1.4.
    let mut rig = Rig::new();
    assert_eq!(rig.dp.request(AT, dp(false, 0x8), &mut rig.target).ack, SwdAck::OK);
    rig.dp.write_parity_error();
    assert_eq!(rig.ctrl_stat() & STICKY, WDATAERR);
    assert_eq!(rig.read(dp(true, 0xC)), Err(SwdAck::FAULT));
    rig.write(dp(false, 0x0), 1 << 3);
    assert!(rig.read(dp(true, 0xC)).is_ok());
}

#[test]
fn with_overrun_detection_whatever_is_not_ok_sets_stickyorun() {
    // Reference 1.3.
    let mut rig = Rig::new();
    rig.write(dp(false, 0x4), 0x5000_0001);
    rig.target.busy = Time::ZERO..Time(5_000);
    rig.write(ap(false, 0xC), 0xAA);
    assert_eq!(rig.read(dp(true, 0xC)), Err(SwdAck::WAIT));
    assert_eq!(rig.ctrl_stat() & STICKY, STICKYORUN);
    rig.write(dp(false, 0x0), 1 << 4);
    rig.dp.protocol_error();
    assert_eq!(rig.ctrl_stat() & STICKY, STICKYORUN);
}

#[test]
fn readok_tells_how_the_last_posted_read_went() {
    // Reference 2.2, CTRL/STAT bit 6.
    let mut rig = Rig::new();
    assert_eq!(rig.ctrl_stat() & READOK, 0);
    rig.read(dp(true, 0xC)).expect("reads");
    assert_eq!(rig.ctrl_stat() & READOK, READOK);
    rig.fault();
    assert!(rig.read(dp(true, 0xC)).is_err());
    assert_eq!(rig.ctrl_stat() & READOK, 0);
}

#[test]
fn the_turnaround_is_in_bank_1_of_address_4_and_a_line_reset_selects_bank_0() {
    // Reference 2.2, DLCR/WCR; 1.4, line reset.
    let mut rig = Rig::new();
    rig.write(dp(false, 0x8), 0x1);
    rig.write(dp(false, 0x4), 0x300);
    assert_eq!(rig.dp.turnaround(), 4);
    assert_eq!(rig.read(dp(true, 0x4)).expect("WCR reads") & 0x300, 0x300);
    rig.dp.line_reset();
    assert_eq!(rig.ctrl_stat() >> 28, 0xF);
    assert_eq!(rig.dp.turnaround(), 4);
}

#[test]
fn pushed_operations_compare_the_selected_byte_lanes() {
    // Arm IHI 0031, "Pushed-compare and pushed-verify operations".
    let flag = |trnmode: u32, lanes: u32, data| {
        let mut rig = Rig::new();
        rig.target.poke(0x2000_0000, 0x1122_3344);
        rig.write(ap(false, 0x4), 0x2000_0000);
        rig.write(dp(false, 0x4), 0x5000_0000 | lanes << 8 | trnmode << 2);
        rig.write(ap(false, 0xC), data);
        assert_eq!(rig.target.peek(0x2000_0000), 0x1122_3344, "nothing is written");
        rig.ctrl_stat() & STICKYCMP != 0
    };
    assert!(!flag(1, 0xF, 0x1122_3344));
    assert!(flag(1, 0xF, 0x1122_3345));
    assert!(!flag(1, 0xE, 0x1122_3345));
    assert!(flag(2, 0xF, 0x1122_3344));
    assert!(!flag(2, 0xF, 0x1122_3345));
}
