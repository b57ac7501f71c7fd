//! The secondary as a master sees it: transfers step by step, and the main loop in between.

use twinboard_sim::time::Time;
use twinboard_sim::wire::{Drive, Edge, Signal};

use super::comms::UserEvent;
use super::*;
use crate::daplink::config::Settings;
use crate::daplink::shared::pins;
use crate::daplink::testing::{FakeTarget, run};

const COMMS: u8 = 0x70;
const FLASH: u8 = 0x72;
/// A response that is not ready.
const BUSY_PATTERN: [u8; 3] = [0x20, 0x39, 0x00];

fn step(core: &Core, step: I2cSignal) -> Option<I2cSignal> {
    core.io.i2c.hear(core.clock.now(), step).0
}

/// Sends bytes; how many were acknowledged, and whether the address was.
fn send(core: &Core, address: u8, bytes: &[u8]) -> (bool, usize) {
    let start = I2cSignal::Start { address, read: false, bit: Span::ns(2_500) };
    if step(core, start) != Some(I2cSignal::Answer(true)) {
        return (false, 0);
    }
    let taken = bytes.iter().take_while(|byte| step(core, I2cSignal::Write(**byte)) == Some(I2cSignal::Answer(true)));
    let taken = taken.count();
    step(core, I2cSignal::Stop);
    (true, taken)
}

/// Reads bytes; the line is let go of when that is over.
fn fetch<const N: usize>(core: &Core, address: u8) -> [u8; N] {
    let start = I2cSignal::Start { address, read: true, bit: Span::ns(2_500) };
    assert_eq!(step(core, start), Some(I2cSignal::Answer(true)));
    let bytes = std::array::from_fn(|_| match step(core, I2cSignal::Read) {
        Some(I2cSignal::Data(byte)) => byte,
        other => panic!("a byte was expected, not {other:?}"),
    });
    step(core, I2cSignal::Acknowledge(false));
    step(core, I2cSignal::Stop);
    bytes
}

/// A command and its response.
async fn transact<const N: usize>(core: &mut Core, address: u8, command: &[u8]) -> [u8; N] {
    assert_eq!(send(core, address, command), (true, command.len()));
    assert!(execute(core).await, "a command");
    fetch(core, address)
}

/// What the chip last did to COMBINED_SENSOR_INT.
fn line(core: &Core, edges: &mut Vec<Edge>) -> Option<Drive> {
    core.io.take_edges(core.clock.now(), edges);
    let of_line = edges.iter().rev().find(|edge| edge.pin == pins::COMBINED_SENSOR_INT)?;
    if let Signal::Drive(drive) = of_line.signal { Some(drive) } else { None }
}

fn with_core<T, F>(make: impl FnOnce(Core) -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (_, wire) = FakeTarget::default().wired();
    run(wire, Settings::FACTORY, |core| {
        let _ = core.io.i2c.switch(true);
        make(core)
    })
}

#[test]
fn only_its_two_addresses_answer_and_only_while_it_is_on() {
    with_core(|core| async move {
        for address in 0..0x80 {
            let answers = matches!(address, COMMS | FLASH);
            assert_eq!(send(&core, address, &[]), (answers, 0), "{address:#x}");
        }
        let _ = core.io.i2c.switch(false);
        assert_eq!(send(&core, COMMS, &[0]), (false, 0));
    });
}

#[test]
fn properties_are_read_little_endian_and_in_their_size() {
    with_core(|mut core| async move {
        assert_eq!(transact(&mut core, COMMS, &[0x10, 1]).await, [0x11, 1, 2, 0x06, 0x99, 0]);
        assert_eq!(transact(&mut core, COMMS, &[0x10, 2]).await, [0x11, 2, 2, 2, 0, 0]);
        assert_eq!(transact(&mut core, COMMS, &[0x10, 3]).await, [0x11, 3, 2, 0x01, 0x01, 0], "257");
        assert_eq!(transact(&mut core, COMMS, &[0x10, 4]).await, [0x11, 4, 1, 1, 0], "USB");
        core.power.set(false, 3_000_000);
        assert_eq!(transact(&mut core, COMMS, &[0x10, 4]).await, [0x11, 4, 1, 2, 0], "battery");
        let volts: [u8; 11] = transact(&mut core, COMMS, &[0x10, 5]).await;
        assert_eq!(volts[..3], [0x11, 5, 8]);
        assert_eq!(volts[3..7], 3_000_000u32.to_le_bytes());
        assert_eq!(volts[7..], 2_750_000u32.to_le_bytes(), "what is left of it behind diode and regulator");
        core.usb_state = comms::UsbState::Connected;
        assert_eq!(transact(&mut core, COMMS, &[0x10, 6]).await, [0x11, 6, 1, 2]);
    });
}

#[test]
fn what_is_not_allowed_has_its_error_code() {
    with_core(|mut core| async move {
        let cases: [(&[u8], u8); 12] = [
            (&[0x10, 7], 0x36),
            (&[0x10, 8], 0x34),
            (&[0x10, 9], 0x34),
            (&[0x10, 99], 0x34),
            (&[0x11, 1], 0x33),
            (&[0x12, 1, 2, 0, 0], 0x37),
            (&[0x12, 6, 1, 0], 0x37),
            (&[0x12, 7, 2, 8, 8], 0x35),
            (&[0x12, 7, 1, 7], 0x38),
            (&[0x12, 8, 0], 0x35),
            (&[0x12, 9, 1, 0], 0x34),
            (&[0x55], 0x32),
        ];
        for (command, code) in cases {
            assert_eq!(transact(&mut core, COMMS, command).await, [0x20, code, 0], "{command:02x?}");
        }
        assert!(!core.requests.power_down);
        assert_eq!(transact(&mut core, COMMS, &[0x12, 7, 1, 8]).await, [0x13, 7, 0]);
        assert!(core.requests.power_down);
        assert_eq!(transact(&mut core, COMMS, &[0x12, 10, 1, 0]).await, [0x13, 10, 0]);
    });
}

#[test]
fn the_line_is_low_from_the_response_until_it_has_been_read() {
    with_core(|mut core| async move {
        let mut edges = Vec::new();
        send(&core, COMMS, &[0x10, 4]);
        assert_eq!(fetch(&core, COMMS), BUSY_PATTERN);
        assert_ne!(line(&core, &mut edges), Some(Drive::Low));
        assert!(execute(&mut core).await, "a read in between does not drop the command");
        assert_eq!(line(&core, &mut edges), Some(Drive::Low));
        assert_eq!(fetch(&core, COMMS), [0x11, 4, 1, 1]);
        assert_eq!(core.io.i2c.take_line(), Some(false));
        assert_eq!(fetch(&core, COMMS), BUSY_PATTERN);
        assert!(!execute(&mut core).await);
    });
}

#[test]
fn a_nop_and_an_empty_write_are_no_commands() {
    with_core(|mut core| async move {
        assert_eq!(send(&core, COMMS, &[0, 0, 0]), (true, 3));
        assert_eq!(send(&core, COMMS, &[]), (true, 0));
        assert!(!execute(&mut core).await);
    });
}

#[test]
fn an_event_is_a_response_that_nobody_asked_for() {
    with_core(|core| async move {
        let mut edges = Vec::new();
        comms::tell(&core, UserEvent::LongPress);
        assert_eq!(line(&core, &mut edges), Some(Drive::Low));
        assert_eq!(fetch(&core, COMMS), [0x11, 9, 1, 3]);
    });
}

#[test]
fn the_files_configuration_is_written_and_read_big_endian() {
    with_core(|mut core| async move {
        let file = *b"\x01MY_DATA HTM";
        assert_eq!(transact(&mut core, FLASH, &[1]).await, *b"\x01DATA    BIN");
        assert_eq!(transact(&mut core, FLASH, &file).await, file);
        assert_eq!(transact(&mut core, FLASH, &[1]).await, file);
        assert_eq!(transact(&mut core, FLASH, &[2]).await, [2, 0, 1, 0xE0, 0], "120 KiB");
        assert_eq!(transact(&mut core, FLASH, &[2, 0, 0, 0x12, 0x34]).await, [2, 0, 0, 0x12, 0x34]);
        assert_eq!(transact(&mut core, FLASH, &[2, 0, 2, 0, 0]).await, [0x20]);
        assert_eq!(transact(&mut core, FLASH, &[3]).await, [3, 0]);
        assert_eq!(transact(&mut core, FLASH, &[3, 1]).await, [3, 1]);
        assert_eq!(transact(&mut core, FLASH, &[6]).await, [6, 31]);
        assert_eq!(transact(&mut core, FLASH, &[7]).await, [7, 0x10, 0]);
        let window = [9, 0, 0, 8, 0, 0, 1, 0xC0, 0];
        assert_eq!(transact(&mut core, FLASH, &window).await, window);
        assert_eq!(transact(&mut core, FLASH, &[9]).await, window);
        assert_eq!(transact::<1>(&mut core, FLASH, &[9, 0, 0, 0, 2, 0, 0, 0, 1]).await, [0x20]);
        assert_eq!(transact(&mut core, FLASH, &[8]).await, [8, 0x39]);
        assert!(core.requests.remount);
    });
}

#[test]
fn contents_are_erased_written_and_read_and_a_write_takes_247_bytes_at_most() {
    with_core(|mut core| async move {
        let before = core.clock.now();
        assert_eq!(transact(&mut core, FLASH, &[0x0C, 0, 0, 0, 0, 0, 0x20, 0]).await, [0x0C, 0x39]);
        let took = core.clock.now().since(before);
        assert!(took >= Span::ms(3 * 85), "three pages: {took:?}");
        let mut command = vec![0x0B, 0, 0x1F, 0xF8, 0, 0, 0, 244];
        command.extend((0..244u8).map(|i| i ^ 0x5A));
        let echo: [u8; 252] = transact(&mut core, FLASH, &command).await;
        assert_eq!(echo[..], command);
        let read: [u8; 252] = transact(&mut core, FLASH, &[0x0A, 0, 0x1F, 0xF8, 0, 0, 0, 244]).await;
        assert_eq!((&read[..8], &read[8..]), (&[0x0A, 0, 0x1F, 0xF8, 0, 0, 0, 244][..], &command[8..]));
        let mut long = vec![0x0B, 0, 0, 0, 0, 0, 0, 248];
        long.extend([0; 248]);
        assert_eq!(transact::<1>(&mut core, FLASH, &long).await, [0x20]);
        assert_eq!(transact::<9>(&mut core, FLASH, &[0x0A, 0, 0, 0, 0, 0, 0, 1]).await[8], 0xFF, "nothing was written");
        for bad in [[0x0C, 0, 0, 1, 0, 0, 0x10, 0], [0x0C, 0, 0x10, 0, 0, 0, 0, 0], [0x0C, 0, 0, 0, 0, 1, 0xF0, 0]] {
            assert_eq!(transact::<1>(&mut core, FLASH, &bad).await, [0x20], "{bad:02x?}");
        }
    });
}

#[test]
fn while_a_page_is_erased_the_bus_waits() {
    with_core(|core| async move {
        let start = I2cSignal::Start { address: COMMS, read: true, bit: Span::ns(2_500) };
        assert_eq!(core.io.i2c.stall(true), None);
        assert_eq!(step(&core, start), Some(I2cSignal::Hold));
        assert_eq!(core.io.i2c.stall(false), Some(I2cSignal::Answer(true)));
        assert_eq!(step(&core, I2cSignal::Read), Some(I2cSignal::Data(0x20)));
    });
}

#[test]
fn what_a_master_sends_does_no_harm() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};
    let transfers = prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 1..30);
    TestRunner::new(Config::with_cases(60))
        .run(&transfers, |transfers| {
            with_core(|mut core| async move {
                for (comms, bytes) in transfers {
                    let address = if comms { COMMS } else { FLASH };
                    send(&core, address, &bytes);
                    execute(&mut core).await;
                    let _: [u8; 40] = fetch(&core, address);
                }
                let mut sector = [0; 512];
                let storage = core.storage.as_ref().expect("a micro:bit V2");
                for number in [0, 1, 240, u32::MAX] {
                    storage.file_sector(number, &mut sector);
                }
                let mut drive = crate::daplink::drive::Drive::new(&core, false);
                for lba in [0, 1, 131, 133, 149, 157, 100_000, 131_199] {
                    drive.read(&mut core, lba, &mut sector);
                }
            });
            Ok(())
        })
        .expect("no panic");
}

#[test]
fn a_transfer_of_more_than_the_buffer_is_refused_at_its_end() {
    with_core(|core| async move {
        assert_eq!(send(&core, FLASH, &[0x5A; 1100]), (true, BUFFER));
        assert_eq!(Time::ZERO, core.clock.now(), "nothing was executed");
    });
}
