use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::board::Stop;
use twinboard_sim::fault::{Fault, Params, Plan, SharedFault};

use super::super::peripheral::testing::Bench;
use super::*;
use crate::fault;
use crate::fault::flash::FlashFaults;
use crate::fault::power::Outage;

const SPEC: FlashSpec = super::super::kl26z::FLASH;

/// Writes the command's words, as drivers do, and starts it.
fn launch(bench: &mut Bench, ftfa: &mut Ftfa, words: [u32; 3]) -> u8 {
    bench.write(ftfa, FSTAT, 0x70);
    for (word, offset) in words.into_iter().zip([4, 8, 12]) {
        for (byte, at) in word.to_le_bytes().into_iter().zip(offset..) {
            bench.write(ftfa, at, byte.into());
        }
    }
    bench.write(ftfa, FSTAT, 0x80);
    bench.read(ftfa, FSTAT) as u8
}

fn execute(bench: &mut Bench, ftfa: &mut Ftfa, words: [u32; 3]) -> (u8, Span) {
    let (started, from) = (launch(bench, ftfa, words), bench.now);
    if started & CCIF == 0 {
        let end = ftfa.next();
        bench.run_to(ftfa, end);
    }
    (bench.read(ftfa, FSTAT) as u8, bench.now.since(from))
}

fn bench() -> (Bench, Ftfa) {
    (Bench::default(), Ftfa::new(SPEC))
}

fn word(bench: &Bench, address: u32) -> u32 {
    bench.memory.read(address, Size::Word).expect("flash")
}

#[test]
fn a_longword_is_programmed_as_it_stands_in_the_register_and_takes_its_time() {
    let (mut bench, mut ftfa) = bench();
    assert_eq!(launch(&mut bench, &mut ftfa, [0x0600_8004, 0x1234_5678, 0]), 0, "CCIF is 0");
    assert_eq!(word(&bench, 0x8004), u32::MAX);
    bench.run_to(&mut ftfa, Time::ZERO + SPEC.t_pgm4);
    assert_eq!((bench.read(&mut ftfa, FSTAT) as u8, word(&bench, 0x8004)), (CCIF, 0x1234_5678));
}

#[test]
fn a_command_in_the_second_block_leaves_the_code_in_the_first_readable() {
    let spec = super::super::kl27z::FLASH;
    for (command, held_up) in [
        (0x0901_FC00, true),
        (0x0902_0400, false),
        (0x0602_0400, false),
        (0x0802_0000, false),
        (0x0800_0000, true),
        (0x4400_0000, true),
    ] {
        let (mut bench, mut ftfa) = (Bench::default(), Ftfa::new(spec));
        assert_eq!(launch(&mut bench, &mut ftfa, [command, 0, 0]), 0, "{command:#x} runs");
        assert_eq!(ftfa.busy_until() > bench.now, held_up, "{command:#x}");
    }
}

#[test]
fn programming_only_clears_bits_and_says_so_if_that_was_not_enough() {
    let (mut bench, mut ftfa) = bench();
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0600_0000, 0xFFFF_0000, 0]).0, CCIF);
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0600_0000, 0x00FF_00FF, 0]).0, CCIF | MGSTAT0);
    assert_eq!(word(&bench, 0), 0x00FF_0000);
}

#[test]
fn a_sector_erase_reaches_its_kilobyte_and_read_1s_section_finds_it_erased() {
    let (mut bench, mut ftfa) = bench();
    for address in [0x7FC, 0x800, 0xBFC, 0xC00] {
        bench.memory.write(address, Size::Word, 0);
    }
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0100_0800, 0x0100_0000, 0]).0, CCIF | MGSTAT0);
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0900_0800, 0, 0]), (CCIF, SPEC.t_ersscr));
    assert_eq!([0x7FC, 0x800, 0xBFC, 0xC00].map(|at| word(&bench, at)), [0, u32::MAX, u32::MAX, 0]);
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0100_0800, 0x0100_0000, 0]).0, CCIF);
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0100_0800, 0x0101_0000, 0]).0, CCIF | MGSTAT0, "257 longwords");
}

#[test]
fn program_check_compares_with_fccob8_to_b_at_user_or_factory_margin() {
    let (mut bench, mut ftfa) = bench();
    bench.memory.write(0x1000, Size::Word, 0xCAFE_F00D);
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0200_1000, 0x0100_0000, 0xCAFE_F00D]).0, CCIF);
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0200_1000, 0x0200_0000, 0xCAFE_F00C]).0, CCIF | MGSTAT0);
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0200_1000, 0, 0xCAFE_F00D]).0, CCIF | ACCERR, "no such margin");
}

#[test]
fn wrong_addresses_and_codes_are_access_errors_that_keep_the_next_command_from_starting() {
    let (mut bench, mut ftfa) = bench();
    for first in [0x0602_0000, 0x0600_0002, 0x0902_0000, 0x0702_0000, 0x4900_0000] {
        assert_eq!(execute(&mut bench, &mut ftfa, [first, 0, 0]).0, CCIF | ACCERR, "{first:#x}");
    }
    bench.write(&mut ftfa, FSTAT, 0x80);
    assert_eq!(ftfa.next(), Time::NEVER);
}

#[test]
fn protected_regions_of_a_32nd_refuse_and_protection_only_grows() {
    let mut bench = Bench::default();
    bench.memory.write(0x408, Size::Word, 0xFFFF_FFFE);
    let mut ftfa = Ftfa::new(SPEC);
    ftfa.reset(&mut bench.cx(), Reset::PowerOn);
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0600_0FFC, 0, 0]).0, CCIF | FPVIOL);
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0600_1000, 0, 0]).0, CCIF);
    assert_eq!(execute(&mut bench, &mut ftfa, [0x4400_0000, 0, 0]).0, CCIF | FPVIOL, "erase all blocks");
    bench.write(&mut ftfa, FPROT, 0xFD);
    assert_eq!(bench.read(&mut ftfa, FPROT), 0xFC);
}

#[test]
fn once_programmed_words_are_read_by_index_and_by_address() {
    let (mut bench, mut ftfa) = bench();
    assert_eq!(execute(&mut bench, &mut ftfa, [0x430F_0000, 0x0102_0304, 0]).0, CCIF);
    assert_eq!(execute(&mut bench, &mut ftfa, [0x430F_0000, 0, 0]).0, CCIF | ACCERR, "it is not erased any more");
    ftfa.reset(&mut bench.cx(), Reset::PowerOn);
    for command in [[0x410F_0000, 0, 0], [0x0300_00FC, 0, 0]] {
        assert_eq!(execute(&mut bench, &mut ftfa, command).0, CCIF);
        assert_eq!(ftfa.word(4), 0x0102_0304);
    }
    assert_eq!(execute(&mut bench, &mut ftfa, [0x4110_0000, 0, 0]).0, CCIF | ACCERR);
}

#[test]
fn the_backdoor_key_opens_a_secure_chip_and_a_wrong_one_closes_the_door_until_reset() {
    let mut bench = Bench::default();
    for (word, at) in [(u32::from_le_bytes(*b"MICR"), 0x400), (u32::from_le_bytes(*b"OBIT"), 0x404)] {
        bench.memory.write(at, Size::Word, word);
    }
    bench.memory.write(CONFIG_FSEC, Size::Byte, 0xBC);
    let key = [0x4500_0000, u32::from_le_bytes(*b"MICR"), u32::from_le_bytes(*b"OBIT")];
    let mut ftfa = Ftfa::new(SPEC);
    ftfa.reset(&mut bench.cx(), Reset::PowerOn);
    assert_eq!(bench.read(&mut ftfa, FSEC) & 3, 0);
    assert_eq!(execute(&mut bench, &mut ftfa, [key[0], key[1], 0]).0, CCIF | ACCERR);
    assert_eq!(execute(&mut bench, &mut ftfa, key).0, CCIF | ACCERR);
    ftfa.reset(&mut bench.cx(), Reset::Pin);
    assert_eq!(execute(&mut bench, &mut ftfa, key).0, CCIF);
    assert_eq!(bench.read(&mut ftfa, FSEC) & 3, u32::from(UNSECURE));
}

#[test]
fn a_command_that_is_cut_off_leaves_cells_in_between() {
    let (mut bench, mut ftfa) = bench();
    launch(&mut bench, &mut ftfa, [0x0600_0000, 0, 0]);
    ftfa.cut_off(&mut bench.memory, || 0xFFFF_0000);
    assert_eq!(word(&bench, 0), 0xFFFF_0000, "half of the bits were not yet cleared");
    ftfa.reset(&mut bench.cx(), Reset::PowerOn);
    launch(&mut bench, &mut ftfa, [0x0900_0000, 0, 0]);
    ftfa.cut_off(&mut bench.memory, || 0x0000_00FF);
    assert_eq!((word(&bench, 0), word(&bench, 0x3FC)), (0xFFFF_00FF, u32::MAX));
}

/// An FTFA with the fault `name` at its first opportunity.
fn faulty(name: &str, params: Params) -> (Bench, Ftfa) {
    let (bench, mut ftfa) = bench();
    let mut faults = FlashFaults::new("interface", SPEC.sector, Outage::new(Stop::default()));
    let point = fault::point(name).expect("a point");
    faults.add(SharedFault::new(Fault::new("fault", point, params, Plan::default(), 1)));
    ftfa.set_faults(Arc::new(Mutex::new(faults)));
    (bench, ftfa)
}

#[test]
fn what_a_fault_protects_is_refused_with_fpviol_and_nothing_begins() {
    for command in [0x0600_0800, 0x0900_0800, 0x4400_0000] {
        let (mut bench, mut ftfa) = faulty("flash.protect", Params::default());
        assert_eq!(launch(&mut bench, &mut ftfa, [command, 0, 0]), CCIF | FPVIOL, "{command:#x}");
        assert_eq!(word(&bench, 0x800), u32::MAX);
        // The second time, nothing is in its way.
        assert_eq!(execute(&mut bench, &mut ftfa, [command, 0, 0]).0, CCIF, "{command:#x}");
    }
}

#[test]
fn cells_that_do_not_follow_are_found_by_the_commands_own_verification() {
    let (mut bench, mut ftfa) = faulty("flash.no-write", Params::default());
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0600_0800, 0x1234, 0]).0, CCIF | MGSTAT0);
    assert_eq!(word(&bench, 0x800), u32::MAX);
    let params = Params { bit: Some(0), level: Some(false), ..Params::default() };
    let (mut bench, mut ftfa) = faulty("flash.stuck-bit", params);
    assert_eq!(execute(&mut bench, &mut ftfa, [0x0900_0800, 0, 0]).0, CCIF | MGSTAT0);
    assert_eq!((word(&bench, 0x800), word(&bench, 0x804)), (0xFFFF_FFFE, u32::MAX));
}

#[test]
fn a_slow_command_takes_longer_and_an_endless_one_leaves_ccif_0() {
    let params = Params { factor: Some(3.0), ..Params::default() };
    let (mut bench, mut ftfa) = faulty("flash.slow", params);
    let (_, span) = execute(&mut bench, &mut ftfa, [0x0900_0800, 0, 0]);
    assert_eq!(span, SPEC.t_ersscr * 3);
    let (mut bench, mut ftfa) = faulty("flash.endless", Params::default());
    assert_eq!(launch(&mut bench, &mut ftfa, [0x0900_0800, 0, 0]), 0);
    bench.run_to(&mut ftfa, Time::ZERO + Span::secs(3600));
    assert_eq!(bench.read(&mut ftfa, FSTAT), 0);
    ftfa.reset(&mut bench.cx(), Reset::Pin);
    assert_eq!(bench.read(&mut ftfa, FSTAT) as u8, CCIF, "a reset ends it");
}

#[test]
fn ccif_interrupts_if_ccie_is_set() {
    let (mut bench, mut ftfa) = bench();
    assert!(!ftfa.irq());
    bench.write(&mut ftfa, FCNFG, 0x80);
    assert!(ftfa.irq());
    launch(&mut bench, &mut ftfa, [0x0900_0000, 0, 0]);
    assert!(!ftfa.irq());
}
