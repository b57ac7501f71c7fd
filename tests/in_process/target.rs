//! The target under a debugger: halt, step, breakpoints, watchpoints, flash functions, protection.

use twinboard_models::nordic::Options;
use twinboard_sim::board::{Board, Driver};
use twinboard_sim::time::Span;
use twinboard_usbip::host::adi::{Adi, Call, register};
use twinboard_usbip::host::dap::DapError;

use crate::bench::MicroBit;

const CODE: u32 = 0x2000_0100;
const DATA: u32 = 0x2000_0800;
const DFSR: u32 = 0xE000_ED30;
const DFSR_BKPT: u32 = 1 << 1;
const DFSR_DWTTRAP: u32 = 1 << 2;

/// `adds r0, #1; str r0, [r1]; b .-4`
const COUNT: [u32; 2] = [0x6008_3001, 0xBF00_E7FC];

/// Connected by CMSIS-DAP v2, the core halted.
fn halted(board: &mut MicroBit) -> Adi<'_, Board> {
    let mut adi = board.host.dap_v2().expect("a probe").adi();
    assert_eq!(adi.connect(), Ok(0x2ba0_1477));
    adi.halt().expect("halts");
    adi
}

/// The counting program in RAM, ready to run.
fn counting(adi: &mut Adi<'_, Board>, code: u32) {
    adi.write_words(CODE, &COUNT).expect("RAM takes it");
    adi.write_register(0, 0).expect("is written");
    adi.write_register(1, DATA).expect("is written");
    adi.write_register(register::XPSR, 0x0100_0000).expect("is written");
    adi.write_register(register::PC, code).expect("is written");
    adi.write_word(DFSR, 0x1F).expect("clears");
}

#[test]
fn every_core_register_takes_a_value_and_gives_it_back() {
    let mut board = MicroBit::new(&Options::default());
    let mut adi = halted(&mut board);
    for number in (0..=12).chain([register::LR]) {
        for bit in 0..32 {
            adi.write_register(number, 1 << bit).expect("is written");
            assert_eq!(adi.read_register(number), Ok(1 << bit));
        }
    }
}

#[test]
fn memory_is_read_while_the_core_runs() {
    let mut board = MicroBit::new(&Options::default());
    let mut adi = halted(&mut board);
    counting(&mut adi, CODE);
    adi.run().expect("runs");
    let mut last = 0;
    for _ in 0..10 {
        let count = adi.read_word(DATA).expect("RAM reads");
        assert!(count > last, "the core made progress");
        last = count;
    }
    adi.halt().expect("halts");
    let count = adi.read_word(DATA).expect("RAM reads");
    adi.host().sleep(Span::ms(5));
    assert_eq!(adi.read_word(DATA), Ok(count), "a halted core does not");
}

#[test]
fn a_step_is_one_instruction() {
    let mut board = MicroBit::new(&Options::default());
    let mut adi = halted(&mut board);
    counting(&mut adi, CODE);
    for pc in [2, 4, 0, 2, 4, 0] {
        adi.step().expect("steps");
        assert_eq!(adi.read_register(register::PC), Ok(CODE + pc));
    }
    assert_eq!(adi.read_register(0), Ok(2));
}

#[test]
fn breakpoints_halt_in_the_code_alias_of_ram_and_before_the_instruction() {
    let mut board = MicroBit::new(&Options::default());
    let mut adi = halted(&mut board);
    let alias = 0x0080_0000 + (CODE - 0x2000_0000);
    counting(&mut adi, alias);
    assert_eq!(adi.read_words(alias, 2).expect("reads"), COUNT, "the same bytes at both addresses");
    adi.write_word(0xE000_2000, 0b11).expect("FP_CTRL");
    // FP_COMP0: the upper halfword, that is `str`.
    adi.write_word(0xE000_2008, 1 | alias | 0b10 << 30).expect("FP_COMP0");
    for count in 1..=3 {
        adi.run().expect("runs");
        adi.wait_halted(Span::ms(100)).expect("hits");
        assert_eq!((adi.read_register(register::PC), adi.read_register(0)), (Ok(alias + 2), Ok(count)));
        assert_eq!(adi.read_word(DFSR).expect("reads") & DFSR_BKPT, DFSR_BKPT);
        // A debugger steps off the breakpoint without it.
        adi.write_word(0xE000_2008, 0).expect("FP_COMP0");
        adi.step().expect("steps");
        adi.write_word(0xE000_2008, 1 | alias | 0b10 << 30).expect("FP_COMP0");
    }
}

#[test]
fn a_watchpoint_halts_when_its_word_is_written() {
    let mut board = MicroBit::new(&Options::default());
    let mut adi = halted(&mut board);
    counting(&mut adi, CODE);
    adi.write_word(0xE000_EDFC, 1 << 24).expect("DEMCR.TRCENA");
    for (address, value) in [(0xE000_1020, DATA), (0xE000_1024, 2), (0xE000_1028, 6)] {
        adi.write_word(address, value).expect("DWT comparator 0");
    }
    adi.run().expect("runs");
    adi.wait_halted(Span::ms(100)).expect("hits");
    assert_eq!(adi.read_word(DFSR).expect("reads") & DFSR_DWTTRAP, DFSR_DWTTRAP);
    assert_eq!(adi.read_word(DATA), Ok(1));
}

#[test]
fn functions_are_called_as_flash_algorithms_are() {
    let mut board = MicroBit::new(&Options::default());
    let mut adi = halted(&mut board);
    // BKPT; `adds r0, r0, r1; bx lr`
    adi.write_words(CODE, &[0xBE00_BE00, 0x4770_1840]).expect("RAM takes it");
    for (a, b) in [(1u32, 2), (u32::MAX, 1), (0x1234_5678, 0x1111_1111)] {
        let call =
            Call { entry: CODE + 4, arguments: [a, b, 0, 0], static_base: DATA, stack: 0x2000_1000, breakpoint: CODE };
        assert_eq!(adi.call(&call, Span::ms(100)), Ok(a.wrapping_add(b)));
        assert_eq!(adi.read_register(register::PC), Ok(CODE));
    }
}

#[test]
fn flash_is_written_through_the_controller_at_silicons_pace() {
    // nrf-target.md: a page takes about 85 ms to erase, a word about 41 us to write.
    const NVMC: u32 = 0x4001_E000;
    let mut board = MicroBit::new(&Options::default());
    let mut adi = halted(&mut board);
    adi.write_word(NVMC + 0x504, 1).expect("CONFIG = WEN");
    adi.write_word(0x1000, 0x1234_5678).expect("writes");
    let wait = |adi: &mut Adi<'_, Board>| {
        let start = adi.host().now();
        while adi.read_word(NVMC + 0x400).expect("READY") == 0 {}
        adi.host().now().since(start)
    };
    wait(&mut adi);
    assert_eq!(adi.read_word(0x1000), Ok(0x1234_5678));
    adi.write_word(NVMC + 0x504, 2).expect("CONFIG = EEN");
    adi.write_word(NVMC + 0x508, 0x1000).expect("ERASEPAGE");
    let took = wait(&mut adi);
    assert!((Span::ms(80)..Span::ms(95)).contains(&took), "{took:?}");
    assert_eq!(adi.read_word(0x1000), Ok(0xFFFF_FFFF));
}

#[test]
fn a_locked_target_is_recovered_through_ctrl_ap() {
    // swd-coresight.md, 3.3: CSW.DeviceEn is 0, data access faults, ERASEALL unlocks.
    let image = vec![(0x1000_1208, vec![0, 0, 0, 0]), (0, vec![0x55; 64])];
    let mut board = MicroBit::new(&Options { image, ..Options::default() });
    let mut adi = board.host.dap_v2().expect("a probe").adi();
    adi.connect().expect("connects");
    assert_eq!(adi.read_ap(1, 0x0c), Ok(0), "APPROTECTSTATUS: protected");
    assert_eq!(adi.read_ap(0, 0x00).expect("CSW reads") & 1 << 6, 0, "DeviceEn");
    assert_eq!(adi.read_ap(0, 0xfc), Ok(0x2477_0011), "the port still identifies itself");
    assert!(matches!(adi.read_word(0), Err(DapError::Transfer { .. })));
    adi.clear_errors().expect("clears");
    adi.write_ap(1, 0x04, 1).expect("ERASEALL");
    let start = adi.host().now();
    while adi.read_ap(1, 0x08).expect("ERASEALLSTATUS") != 0 {}
    let took = adi.host().now().since(start);
    assert!((Span::ms(100)..Span::ms(300)).contains(&took), "{took:?}");
    adi.write_ap(1, 0x00, 1).expect("RESET");
    adi.write_ap(1, 0x00, 0).expect("RESET");
    adi.write_ap(1, 0x04, 0).expect("ERASEALL");
    assert_eq!(adi.read_ap(1, 0x0c), Ok(1), "open");
    assert_eq!(adi.read_word(0), Ok(0xFFFF_FFFF));
}

#[test]
fn the_debug_port_starts_anew_with_the_boards_power() {
    let mut board = MicroBit::new(&Options::default());
    halted(&mut board);
    board.host.machine().power_cycle();
    assert!(board.host.wait_gone(Span::secs(1)));
    board.host.enumerate().expect("comes back");
    let mut adi = board.host.dap_v2().expect("a probe").adi();
    let nobody = DapError::Transfer { done: 0, response: 0b111 };
    // DAP_Connect without a line reset: a debug port that just got power does not answer.
    adi.dap().status_command(&[0x13, 0]).expect("DAP_SWD_Configure");
    assert_eq!(adi.dap().command(&[0x02, 1]).expect("DAP_Connect")[0], 1);
    assert_eq!(adi.read_dp(0), Err(nobody));
    assert_eq!(adi.connect(), Ok(0x2ba0_1477));
}

#[test]
fn chips_on_threads_and_on_one_thread_do_the_same_at_the_same_times() {
    let run = |driver| {
        let mut board = MicroBit::driven(&Options::default(), driver);
        let mut adi = halted(&mut board);
        counting(&mut adi, CODE);
        adi.run().expect("runs");
        // The core runs, and the probe reads what it counts.
        let counts: Vec<u32> = (0..5).map(|_| adi.read_word(DATA).expect("RAM reads")).collect();
        adi.halt().expect("halts");
        (counts, adi.read_register(0), adi.host().now())
    };
    assert_eq!(run(Driver::Stepped), run(Driver::Threaded));
}
