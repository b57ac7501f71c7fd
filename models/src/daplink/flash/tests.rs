use twinboard_sim::debug::{SwdRequest, SwdTiming, SwdTransfer, SwdWire};
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;

use super::algorithm::{NRF51, NRF52};
use super::*;
use crate::daplink::config::Settings;
use crate::daplink::personality::Board;
use crate::daplink::testing::{FakeTarget, run, run_on};
use parking_lot::Mutex;
use std::sync::Arc;

/// Writes pieces to a target; what the manager said, and the target afterwards.
fn program(
    target: FakeTarget,
    settings: Settings,
    page_erase: bool,
    pieces: &'static [(u32, &'static [u8])],
) -> (Result<(), Error>, Arc<Mutex<FakeTarget>>, Span) {
    program_on(Board::MicrobitV2, target, settings, page_erase, pieces)
}

fn program_on(
    board: Board,
    target: FakeTarget,
    settings: Settings,
    page_erase: bool,
    pieces: &'static [(u32, &'static [u8])],
) -> (Result<(), Error>, Arc<Mutex<FakeTarget>>, Span) {
    let (target, wire) = target.wired();
    let (result, end) = run_on(board, wire, settings, |mut core| async move {
        core.page_erase = page_erase;
        let mut flash = FlashManager::default();
        let mut result = flash.open(&mut core).await;
        for (address, data) in pieces {
            if result.is_ok() {
                result = flash.data(&mut core, *address, data).await;
            }
        }
        let closed = flash.close(&mut core).await;
        assert!(!core.flash_busy, "nothing is busy after closing");
        (result.and(closed), core.clock.now())
    });
    (result, target, end.since(Time::ZERO))
}

fn calls(target: &FakeTarget, function: u32) -> Vec<u32> {
    target.calls.iter().filter(|(entry, _)| *entry == function - NRF52.load).map(|(_, first)| *first).collect()
}

const VECTORS: &[u8] = &[0x00, 0x10, 0x00, 0x20, 0x01, 0x02, 0x00, 0x00];

#[test]
fn the_chip_is_erased_once_and_blocks_are_filled_up_with_ff() {
    let (result, target, _) =
        program(FakeTarget::default(), Settings::default(), false, &[(0, VECTORS), (0x1234, b"abc"), (0x1237, b"d")]);
    let target = target.lock();
    assert_eq!(result, Ok(()));
    assert_eq!(calls(&target, NRF52.erase_chip).len(), 1);
    assert_eq!(calls(&target, NRF52.erase_sector), [0u32; 0]);
    assert_eq!(calls(&target, NRF52.program_page), [0, 0x200, 0x1000, 0x1200]);
    assert_eq!(&target.flash[..8], VECTORS);
    assert_eq!(&target.flash[0x1234..0x1239], b"abcd\xff");
    assert!(target.flash[8..0x1234].iter().all(|b| *b == 0xff));
}

#[test]
fn afterwards_the_target_runs_with_debug_power_off() {
    let (_, target, _) = program(FakeTarget::default(), Settings::default(), false, &[(0, VECTORS)]);
    assert!(target.lock().running);
    assert!(!target.lock().powered);
}

#[test]
fn without_auto_reset_the_target_stays_halted() {
    let settings = Settings { auto_reset: false, ..Settings::default() };
    let (_, target, _) = program(FakeTarget::default(), settings, false, &[(0, VECTORS)]);
    assert!(!target.lock().running);
}

#[test]
fn page_erase_erases_each_sector_as_it_is_entered() {
    let (result, target, _) =
        program(FakeTarget::default(), Settings::default(), true, &[(0, VECTORS), (0x2100, b"a"), (0x2400, b"b")]);
    let target = target.lock();
    assert_eq!(result, Ok(()));
    assert_eq!(calls(&target, NRF52.erase_chip), [0u32; 0]);
    assert_eq!(calls(&target, NRF52.erase_sector), [0, 0x2000]);
    assert_eq!(target.flash[0x1000], 0, "the sector between them is untouched");
}

#[test]
fn the_uicr_is_written_in_a_whole_block() {
    let (result, target, _) =
        program(FakeTarget::default(), Settings::default(), false, &[(0x1000_1014, &[0, 0, 7, 0])]);
    assert_eq!(result, Ok(()));
    assert_eq!(target.lock().uicr[0x14..0x18], [0, 0, 7, 0]);
    assert_eq!(calls(&target.lock(), NRF52.program_page), [0x1000_1000, 0x1000_1200]);
}

#[test]
fn a_block_that_was_left_is_written_over_with_ff_and_fails_to_verify() {
    let (result, target, _) =
        program(FakeTarget::default(), Settings::default(), false, &[(0, b"a"), (0x400, b"b"), (1, b"c")]);
    assert_eq!(result, Err(Error::WriteVerify));
    assert_eq!(target.lock().flash[..2], *b"ac");
}

#[test]
fn a_protected_target_cannot_be_reset() {
    let target = FakeTarget { locked: true, ..FakeTarget::default() };
    let (result, target, _) = program(target, Settings::default(), false, &[(0, VECTORS)]);
    assert_eq!(result, Err(Error::Reset));
    assert!(target.lock().calls.is_empty());
}

#[test]
fn a_failing_algorithm_is_reported_by_the_step_that_failed() {
    // The first call is init.
    let target = FakeTarget { result: 1, ..FakeTarget::default() };
    let (result, ..) = program(target, Settings::default(), false, &[(0, VECTORS)]);
    assert_eq!(result, Err(Error::Init));
}

#[test]
fn stuck_bits_are_noticed_only_when_automation_is_allowed() {
    let stuck = || FakeTarget { stuck: 0x10, ..FakeTarget::default() };
    let (result, ..) = program(stuck(), Settings::default(), false, &[(0, VECTORS)]);
    assert_eq!(result, Err(Error::WriteVerify));
    let settings = Settings { automation_allowed: false, ..Settings::default() };
    let (result, ..) = program(stuck(), settings, false, &[(0, VECTORS)]);
    assert_eq!(result, Ok(()));
}

/// SWDIO with nobody at the other end.
struct NoTarget;

impl SwdWire for NoTarget {
    fn clock(&mut self, _: Time, swdio: Drive) -> bool {
        swdio != Drive::Low
    }

    fn transfer(&mut self, _: Time, timing: &SwdTiming, _: SwdRequest, _: u32) -> (SwdTransfer, Span) {
        let transfer = SwdTransfer { ack: twinboard_sim::debug::SwdAck::NONE, data: u32::MAX, parity_ok: true };
        (transfer, timing.period * 46)
    }

    fn reset_pin(&mut self, _: Time, _: bool) {}

    fn level(&mut self, swdio: Drive) -> bool {
        swdio != Drive::Low
    }
}

#[test]
fn an_absent_target_is_tried_four_times_and_reset_in_between() {
    let (result, end) = run(Box::new(NoTarget), Settings::default(), |mut core| async move {
        let result = FlashManager::default().open(&mut core).await;
        (result, core.clock.now().since(Time::ZERO))
    });
    assert_eq!(result, Err(Error::Reset));
    assert!(end > Span::ms(120) && end < Span::ms(140), "three resets of 2 × 20 ms: {end:?}");
}

#[test]
fn the_number_program_carries_its_number_behind_the_mark() {
    let (target, wire) = FakeTarget::default().wired();
    let result =
        run(
            wire,
            Settings::default(),
            |mut core| async move { FlashManager::default().show_number(&mut core, 507).await },
        );
    assert_eq!(result, Ok(()));
    let target = target.lock();
    let mark = target.flash.windows(4).position(|w| w == NUMBER_MARK).expect("the mark");
    assert_eq!(target.flash[mark + 4..mark + 6], 507u16.to_le_bytes());
    let [_, _, _, _, r0, r1, r2, r3] = *target.flash.first_chunk().expect("vectors");
    assert!((u32::from_le_bytes([r0, r1, r2, r3]) as usize) < ERROR_SCROLL.len(), "the reset vector is in the program");
}

#[test]
fn the_algorithm_fits_below_its_static_base() {
    assert!(NRF52.blob.len() <= 0x150);
    assert!(NRF52.load + NRF52.blob.len() as u32 <= NRF52.frame.static_base);
}

#[test]
fn programming_512_bytes_takes_about_17_ms_less_usb_and_parsing() {
    static DATA: [(u32, &[u8]); 1] = [(0, &[0x5a; 0x4000])];
    let (_, _, short) = program(FakeTarget::default(), Settings::default(), false, &[(0, &[0x5a])]);
    let (_, _, long) = program(FakeTarget::default(), Settings::default(), false, &DATA);
    let chunk = Span((long.0 - short.0) / 30);
    assert!(chunk > Span::ms(12) && chunk < Span::ms(14), "{chunk:?}");
}

#[test]
fn an_nrf51s_algorithm_is_initialized_before_and_after_the_erase_and_never_ended() {
    let pieces = &[(0, VECTORS), (0x4_0000 - 4, b"last"), (0x1000_10c0, b"uicr")];
    let target = FakeTarget::nrf51();
    let (result, target, _) = program_on(Board::MicrobitV1, target, Settings::default(), false, pieces);
    let target = target.lock();
    assert_eq!(result, Ok(()));
    let expected = [
        (NRF51.init, 0),
        (NRF51.erase_chip, 0),
        (NRF51.init, 0),
        (NRF51.program_page, 0),
        (NRF51.program_page, 0x200),
        (NRF51.program_page, 0x3_fc00),
        (NRF51.program_page, 0x3_fe00),
        (NRF51.program_page, 0x1000_1000),
        (NRF51.program_page, 0x1000_1200),
    ];
    assert_eq!(target.calls, expected.map(|(entry, first)| (entry - NRF51.load, first)));
    assert_eq!((&target.flash[..8], &target.flash[0x4_0000 - 4..]), (VECTORS, &b"last"[..]));
    assert_eq!(&target.uicr[0xc0..0xc5], b"uicr\xff");
    // Erased and halted twice by AIRCR, then let run by its pin.
    assert_eq!((target.resets, target.running), (3, true));
}

#[test]
fn version_0253_refuses_addresses_that_go_back_and_verifies_with_an_older_error() {
    let pieces = &[(0x400, VECTORS), (0x3ff, b"x")];
    let target = FakeTarget::nrf51();
    let (result, target, _) = program_on(Board::MicrobitV1, target, Settings::default(), false, pieces);
    assert_eq!(result, Err(Error::Internal));
    assert_eq!(calls(&target.lock(), NRF51.program_page), [0u32; 0], "what was in the buffer is lost");
    let stuck = FakeTarget { stuck: 0x10, ..FakeTarget::nrf51() };
    let (result, ..) = program_on(Board::MicrobitV1, stuck, Settings::default(), false, &[(0, VECTORS)]);
    assert_eq!(result, Err(Error::Write));
}
