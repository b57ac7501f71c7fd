//! Bulk-Only Transport 1.0: the thirteen cases (§6.7), invalid wrappers, reset recovery.

use crate::host::{Failure, Host};

const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const WRITE: [u8; 10] = [0x2a, 0, 0, 1, 0xf0, 0, 0, 0, 1, 0];
const TEST_UNIT_READY: [u8; 6] = [0; 6];

fn ready() -> Host {
    let mut host = Host::ready();
    host.wait_for_medium();
    host
}

#[test]
fn case_1_nothing_expected_nothing_done() {
    assert_eq!(ready().scsi_in(0, &TEST_UNIT_READY).1, (0, 0));
}

#[test]
fn cases_2_and_3_the_device_wants_data_that_the_host_does_not_expect() {
    let mut host = ready();
    assert_ne!(host.scsi_in(0, &READ).1.0, 0);
    assert_ne!(host.scsi_out(&[], &WRITE).0, 0);
    assert_eq!(host.scsi_in(0, &TEST_UNIT_READY).1, (0, 0));
}

#[test]
fn cases_4_and_5_the_host_expects_more_than_there_is() {
    let mut host = ready();
    let (data, status) = host.scsi_in(64, &TEST_UNIT_READY);
    assert_eq!((data.len(), status), (0, (1, 64)));
    let (data, status) = host.scsi_in(255, &[0x12, 0, 0, 0, 255, 0]);
    assert_eq!((data.len(), status), (36, (0, 219)));
    let (data, status) = host.scsi_in(1024, &READ);
    assert_eq!((data.len(), status), (0, (1, 1024)));
    let (data, status) = host.scsi_in(100, &[0xff; 6]);
    assert_eq!((data.len(), status), (0, (1, 100)), "an unknown command");
}

#[test]
fn case_6_as_much_as_expected() {
    let mut host = ready();
    let (data, status) = host.scsi_in(512, &READ);
    assert_eq!((data.len(), status), (512, (0, 0)));
    let (data, status) = host.scsi_in(36, &[0x12, 0, 0, 0, 36, 0]);
    assert_eq!(status, (0, 0));
    assert_eq!(&data[8..], b"MBED    VFS             0.1 ");
}

#[test]
fn case_7_the_device_has_more_than_expected() {
    let mut host = ready();
    let (data, status) = host.scsi_in(16, &[0x12, 0, 0, 0, 36, 0]);
    assert_eq!((data.len(), status), (16, (0, 0)));
    let mut read_two = READ;
    read_two[8] = 2;
    assert_ne!(host.scsi_in(512, &read_two).1.0, 0);
}

#[test]
fn cases_8_and_10_the_wrong_direction_is_a_phase_error() {
    let mut host = ready();
    assert_eq!(host.scsi_in(512, &WRITE), (vec![], (2, 512)));
    assert_eq!(host.scsi_out(&[0; 512], &READ), (2, 512));
    assert_eq!(host.scsi_in(512, &READ).1, (0, 0));
}

#[test]
fn cases_9_11_12_and_13_data_to_the_device() {
    let mut host = ready();
    assert_eq!(host.scsi_out(&[0; 64], &TEST_UNIT_READY), (1, 64));
    assert_eq!(host.scsi_out(&[0; 1024], &WRITE), (1, 1024));
    assert_eq!(host.scsi_out(&[0; 512], &WRITE), (0, 0));
    let mut write_two = WRITE;
    write_two[8] = 2;
    assert_ne!(host.scsi_out(&[0; 512], &write_two).0, 0);
    assert_eq!(host.scsi_out(&[0; 512], &WRITE), (0, 0));
}

#[test]
fn an_invalid_wrapper_halts_both_endpoints_until_reset_recovery() {
    for length in [30, 32, 31, 64] {
        let mut host = ready();
        let cbw = host.cbw(0, true, &TEST_UNIT_READY);
        let mut bad = [cbw.to_vec(), vec![0; 33]].concat();
        bad.truncate(length);
        if length == 31 {
            bad[0] = b'X';
        }
        host.bulk_out(2, &bad).expect("taken");
        host.wait(twinboard_sim::time::Span::us(10));
        for _ in 0..2 {
            assert_eq!(host.bulk_in(2, 13), Err(Failure::Stall));
            assert_eq!(host.bulk_out(2, &cbw), Err(Failure::Stall));
            host.clear_halt(0x82);
            host.clear_halt(0x02);
        }
        host.control(0x21, 0xff, 0, 0, &[], 0).expect("Bulk-Only Mass Storage Reset");
        assert_eq!(host.bulk_in(2, 13), Err(Failure::Stall), "still halted until the host says so");
        host.clear_halt(0x82);
        host.clear_halt(0x02);
        assert_eq!(host.scsi_in(512, &READ).1, (0, 0));
    }
}

#[test]
fn a_lun_or_a_command_length_that_cannot_be_is_refused() {
    let mut host = ready();
    for (at, value) in [(13, 1), (14, 0), (14, 17)] {
        let mut cbw = host.cbw(0, true, &TEST_UNIT_READY);
        cbw[at] = value;
        host.bulk_out(2, &cbw).expect("CBW");
        assert_eq!(host.status().0, 1);
    }
}

#[test]
fn capacity_mode_sense_and_prevent() {
    let mut host = ready();
    assert_eq!(host.scsi_in(8, &[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0]).0, [0, 2, 0, 0x7f, 0, 0, 2, 0]);
    assert_eq!(host.scsi_in(192, &[0x1a, 0, 0x3f, 0, 192, 0]), (vec![3, 0, 0, 0], (0, 0)));
    assert_eq!(host.scsi_in(0, &[0x1e, 0, 0, 0, 1, 0]).1.0, 1);
    assert_eq!(host.scsi_in(18, &[3, 0, 0, 0, 18, 0]).0[2], 5);
    assert_eq!(host.scsi_in(0, &[0x1e, 0, 0, 0, 0, 0]).1.0, 0);
}

#[test]
fn an_ejected_medium_is_gone_and_reads_stall() {
    let mut host = ready();
    assert_eq!(host.scsi_in(0, &[0x1b, 0, 0, 0, 2, 0]).1, (0, 0));
    assert_eq!(host.scsi_in(512, &READ), (vec![], (1, 512)));
    let sense = host.scsi_in(18, &[3, 0, 0, 0, 18, 0]).0;
    assert_eq!((sense[2], sense[12]), (2, 0x3a));
    assert_eq!(host.scsi_out(&[0; 512], &WRITE), (1, 512));
}

#[test]
fn blocks_beyond_the_end_stall_but_pass() {
    let mut host = ready();
    let beyond = [0x28, 0, 0, 2, 0, 0x80, 0, 0, 1, 0];
    assert_eq!(host.scsi_in(512, &beyond), (vec![], (0, 512)));
    let mut beyond = beyond;
    beyond[0] = 0x2a;
    assert_eq!(host.scsi_out(&[0; 512], &beyond), (0, 512));
}
