//! The host's error recovery on the drive, below the file system.

use twinboard_sim::board::Board;
use twinboard_sim::time::Span;
use twinboard_usbip::host::bot::{Data, command_block_wrapper};
use twinboard_usbip::host::drive::{Drive, DriveError, Medium, Sense};
use twinboard_usbip::host::{Host, UsbError};

use crate::bench::Bench;

const TEST_UNIT_READY: [u8; 6] = [0; 6];

fn ready(host: &mut Host<Board>) -> Drive<'_, Board> {
    let mut drive = host.drive().expect("a drive");
    drive.wait_ready(Span::secs(5)).expect("a medium");
    drive
}

#[test]
fn an_invalid_wrapper_halts_both_endpoints_and_reset_recovery_brings_them_back() {
    // Bulk-Only Transport 1.0, 6.6.1: clearing the halts alone is not enough.
    let mut bench = Bench::new();
    let (_, bulk_in, bulk_out) = bench.host.bot().expect("mass storage").endpoints();
    let mut cbw = command_block_wrapper(1, 0, true, 0, &TEST_UNIT_READY);
    cbw[0] = b'X';
    let within = Span::secs(1);
    bench.host.write(bulk_out, &cbw, within).expect("is taken");
    for _ in 0..2 {
        let stalled = |result: Result<(), UsbError>| result.expect_err("halted").is_stall();
        assert!(stalled(bench.host.read(bulk_in, 13, within).map(drop)));
        assert!(stalled(bench.host.write(bulk_out, &cbw, within)));
        bench.host.clear_halt(bulk_in).expect("clears");
        bench.host.clear_halt(bulk_out).expect("clears");
    }
    bench.host.bot().expect("mass storage").reset_recovery().expect("recovers");
    assert!(ready(&mut bench.host).inquiry().is_ok());
}

#[test]
fn a_command_that_fails_leaves_sense_data_and_the_next_one_works() {
    let mut bench = Bench::new();
    let mut drive = ready(&mut bench.host);
    for data in [Data::None, Data::In(100), Data::Out(&[0; 100])] {
        let refused = drive.scsi(&[0xff, 0, 0, 0, 0, 0], data);
        let sense = Sense { key: 5, asc: 0x20, ascq: 0 };
        assert_eq!(refused, Err(DriveError::Check { command: 0xff, sense }));
        assert_eq!(drive.medium(), Ok(Medium::Present));
    }
}

#[test]
fn an_ejected_medium_is_absent_until_the_board_restarts() {
    let mut bench = Bench::new();
    let mut drive = ready(&mut bench.host);
    drive.scsi(&[0x1b, 0, 0, 0, 0x02, 0], Data::None).expect("ejects");
    assert_eq!(drive.medium(), Ok(Medium::Absent));
    let sense = Sense::NO_MEDIUM;
    assert_eq!(drive.read_sectors(0, 1), Err(DriveError::Check { command: 0x28, sense }));
    assert_eq!(drive.wait_ready(Span::secs(1)), Err(DriveError::NotReady(Span::secs(1))));
    bench.host.machine().power_cycle();
    assert!(bench.host.wait_gone(Span::secs(1)));
    bench.host.enumerate().expect("comes back");
    assert_eq!(ready(&mut bench.host).capacity(), Ok(131_200));
}

#[test]
fn reads_of_every_length_give_the_same_sectors() {
    let mut bench = Bench::new();
    let mut drive = ready(&mut bench.host);
    let whole = drive.read_sectors(0, 240).expect("reads");
    for length in [1, 2, 7, 64] {
        let pieces: Vec<u8> = (0..240 / length)
            .flat_map(|piece| drive.read_sectors((piece * length) as u32, length).expect("reads"))
            .collect();
        assert!(whole.starts_with(&pieces), "{length}");
    }
    assert_eq!(&whole[3..11], b"MSD0S4.1");
}
