//! The drive with the flash manager and a target behind it.

use twinboard_sim::time::Span;

use super::volume::SECTOR;
use super::{AfterTick, Drive};
use crate::daplink::config::Settings;
use crate::daplink::flash::FlashManager;
use crate::daplink::testing::{FakeTarget, run};

/// How long a sector takes on a full-speed bus that carries nothing else: nine or ten packets of 64 bytes in a frame.
const SECTOR_ON_THE_BUS: Span = Span::us(420);

/// Intel HEX of a program, 16 bytes in a record as compilers write it.
fn hex(program: &[u8]) -> Vec<u8> {
    let mut records = vec![ihex::Record::ExtendedLinearAddress(0)];
    records.extend(
        program
            .chunks(16)
            .enumerate()
            .map(|(i, value)| ihex::Record::Data { offset: (i * 16) as u16, value: value.to_vec() }),
    );
    records.push(ihex::Record::EndOfFile);
    ihex::create_object_file_representation(&records).expect("valid records").into_bytes()
}

#[test]
fn a_program_is_dropped_at_the_real_boards_rate() {
    const LENGTH: usize = 60 * 1024;
    let program: Vec<u8> = (0..LENGTH).map(|i| (i * 13 % 255) as u8).collect();
    let file = hex(&program);
    let (target, wire) = FakeTarget::default().wired();
    let took = run(wire, Settings::FACTORY, |mut core| async move {
        let (mut drive, mut flash) = (Drive::new(&core, false), FlashManager::default());
        for _ in 0..2 {
            assert_eq!(drive.tick(&mut core, &mut flash).await, AfterTick::GoOn);
        }
        let mut begin = core.clock.now();
        for (i, piece) in file.chunks(SECTOR).enumerate() {
            let mut sector = [0; SECTOR];
            sector[..piece.len()].copy_from_slice(piece);
            core.clock.sleep(SECTOR_ON_THE_BUS).await;
            drive.write(&mut core, &mut flash, 200 + i as u32, &sector).await;
            if i == 0 {
                // Attaching and erasing the chip come once.
                begin = core.clock.now();
            }
        }
        core.clock.now().since(begin)
    });
    assert_eq!(target.lock().flash[..LENGTH], program);
    let rate = LENGTH as f64 / 1000.0 / took.as_secs_f64();
    assert!((28.5..31.5).contains(&rate), "{rate:.1} KB/s");
}
