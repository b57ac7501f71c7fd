//! The flash manager, its algorithm and the number program on the model of the real target.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::chip::Chip;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::PinId;

use super::*;
use crate::daplink::config::Settings;
use crate::daplink::testing::run;
use crate::debug::link::SwdLink;
use crate::image::{Image, MICROBIT_V2};
use crate::nordic::{NRF52833, Nrf5, Options};
use crate::parts::led_matrix::{LedMatrix, STRAIGHT, SharedLedMatrix};

const DEMO: &[u8] = include_bytes!("../../../../firmware/nrf52833/demo.hex");

/// Writes pieces to a chip; what the manager said, the chip, and how long it took.
fn program(chip: Nrf5, page_erase: bool, pieces: Vec<(u32, Vec<u8>)>) -> (Result<(), Error>, Arc<Mutex<Nrf5>>, Span) {
    let chip = Arc::new(Mutex::new(chip));
    let wire = Box::new(SwdLink::new(NRF52833.dap, chip.clone()));
    let (result, took) = run(wire, Settings::default(), move |mut core| async move {
        core.page_erase = page_erase;
        let mut flash = FlashManager::default();
        let mut result = flash.open(&mut core).await;
        for (address, data) in &pieces {
            if result.is_ok() {
                result = flash.data(&mut core, *address, data).await;
            }
        }
        let closed = flash.close(&mut core).await;
        (result.and(closed), core.clock.now().since(Time::ZERO))
    });
    (result, chip, took)
}

fn blank() -> Nrf5 {
    Nrf5::new(&NRF52833, &Options::default())
}

/// Runs a chip for `span` and gives away its edges.
fn pass(chip: &mut Nrf5, span: Span) {
    let (end, mut out) = (chip.now() + span, Vec::new());
    while chip.now() < end {
        chip.advance(end, &mut out);
        out.clear();
    }
}

#[test]
fn a_program_arrives_in_a_blank_chip() {
    let image = Image::parse(Path::new("demo.hex"), DEMO, MICROBIT_V2, 0).expect("an image");
    let pieces = image.placed();
    let (result, chip, _) = program(blank(), false, pieces.clone());
    assert_eq!(result, Ok(()));
    let chip = chip.lock();
    for (address, bytes) in pieces {
        let start = address as usize;
        assert_eq!(chip.flash()[start..start + bytes.len()], bytes);
    }
}

#[test]
fn the_whole_flash_is_written_within_twelve_seconds_of_the_boards_time() {
    let data: Vec<u8> = (0..0x8_0000u32).map(|i| ((i * 31) >> 3) as u8).collect();
    let (result, chip, took) = program(blank(), false, vec![(0, data.clone())]);
    assert_eq!(result, Ok(()));
    assert!(chip.lock().flash() == data, "what was read back is in flash");
    // 131072 words of 42.5 µs are 5.6 s of it.
    assert!(took > Span::secs(11) && took < Span::secs(15), "{took:?}");
}

#[test]
fn chip_erase_takes_everything_and_page_erase_only_what_is_written() {
    let full = || {
        let mut chip = blank();
        chip.set_flash(&[0; 0x3000]);
        chip.set_uicr(&[0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]);
        chip
    };
    let (result, chip, _) = program(full(), false, vec![(0x1000, vec![1, 2, 3, 4])]);
    assert_eq!(result, Ok(()));
    assert_eq!(chip.lock().flash()[..4], [0xff; 4]);
    assert_eq!(chip.lock().uicr()[4..8], [0xff; 4]);
    let (result, chip, _) = program(full(), true, vec![(0x1000, vec![1, 2, 3, 4])]);
    assert_eq!(result, Ok(()));
    let chip = chip.lock();
    assert_eq!((chip.flash()[0], chip.flash()[0x2000]), (0, 0));
    assert_eq!(chip.flash()[0x1000..0x1005], [1, 2, 3, 4, 0xff]);
    assert_eq!(chip.uicr()[4..8], [1, 2, 3, 4]);
}

#[test]
fn the_uicr_is_programmed_and_its_other_words_stay_blank() {
    let (result, chip, _) = program(blank(), false, vec![(0x1000_1014, vec![0, 0, 7, 0])]);
    assert_eq!(result, Ok(()));
    let chip = chip.lock();
    assert_eq!(chip.uicr()[0x14..0x18], [0, 0, 7, 0]);
    assert!(chip.uicr()[0x18..0x400].iter().all(|byte| *byte == 0xff));
}

#[test]
fn a_protected_chip_ends_in_error_7() {
    let mut uicr = [0xff; 0x20c];
    uicr[0x208..].fill(0);
    let mut chip = blank();
    chip.set_uicr(&uicr);
    let at = chip.now() + Span::us(1);
    chip.power_cycle(at);
    let (result, ..) = program(chip, false, vec![(0, vec![0; 16])]);
    assert_eq!(result, Err(Error::Reset));
}

#[test]
fn the_number_program_scrolls_its_number_over_the_display() {
    let rows = [21, 22, 15, 24, 19].map(PinId);
    let columns = [28, 11, 31, 37, 30].map(PinId);
    let matrix = SharedLedMatrix::new(LedMatrix::new(rows.to_vec(), columns.to_vec(), STRAIGHT));
    let mut chip = blank();
    chip.observe(Box::new(matrix.clone()));
    let chip = Arc::new(Mutex::new(chip));
    let wire = Box::new(SwdLink::new(NRF52833.dap, chip.clone()));
    let result =
        run(
            wire,
            Settings::default(),
            |mut core| async move { FlashManager::default().show_number(&mut core, 507).await },
        );
    assert_eq!(result, Ok(()));
    let mut chip = chip.lock();
    let mut pictures = Vec::new();
    for _ in 0..400 {
        pass(&mut chip, Span::ms(10));
        let picture: String =
            matrix.text(chip.now()).chars().map(|c| if matches!(c, '0' | '\n') { c } else { '#' }).collect();
        pictures.push(picture);
    }
    let digits = [
        "0###0\n0#000\n0###0\n000#0\n0###0\n",
        "0###0\n0#0#0\n0#0#0\n0#0#0\n0###0\n",
        "0###0\n000#0\n000#0\n000#0\n000#0\n",
    ];
    let seen = digits.map(|digit| pictures.iter().position(|picture| picture == digit).expect("the digit is shown"));
    assert!(seen.is_sorted(), "{seen:?}");
}
