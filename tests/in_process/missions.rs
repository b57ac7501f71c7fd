//! Debugging as users do it: a program of many ways to go wrong (`firmware/nrf52833/missions.c`) under a debugger that
//! knows its symbols.

use std::collections::BTreeMap;

use object::{Object, ObjectSegment, ObjectSymbol};
use twinboard_models::nordic::Options;
use twinboard_sim::board::Board;
use twinboard_sim::cpu::arm::State;
use twinboard_sim::time::Span;
use twinboard_usbip::host::adi::{Adi, register};

use crate::bench::MicroBit;

const PROGRAM: &[u8] = include_bytes!("../../firmware/nrf52833/missions.elf");
/// What the program touches to fail (`NOWHERE` in its source).
const NOWHERE: u32 = 0x6800_0000;

const ICSR: u32 = 0xE000_ED04;
const ICSR_PENDSTSET: u32 = 1 << 26;
const CFSR: u32 = 0xE000_ED28;
const HFSR: u32 = 0xE000_ED2C;
const DFSR: u32 = 0xE000_ED30;
const MMFAR: u32 = 0xE000_ED34;
const BFAR: u32 = 0xE000_ED38;
const DHCSR: u32 = 0xE000_EDF0;
const DEMCR: u32 = 0xE000_EDFC;
const VC_HARDERR: u32 = 1 << 10;
const TRCENA: u32 = 1 << 24;
const FP_CTRL: u32 = 0xE000_2000;
const FP_COMP0: u32 = 0xE000_2008;
const DWT_COMP0: u32 = 0xE000_1020;

const C_DEBUGEN: u32 = 0xA05F_0001;
const C_HALT: u32 = 1 << 1;
const C_STEP: u32 = 1 << 2;
const S_HALT: u32 = 1 << 17;
const S_SLEEP: u32 = 1 << 18;
const S_LOCKUP: u32 = 1 << 19;

const DFSR_HALTED: u32 = 1 << 0;
const DFSR_BKPT: u32 = 1 << 1;
const DFSR_DWTTRAP: u32 = 1 << 2;
const DFSR_VCATCH: u32 = 1 << 3;

/// The missions' numbers, in the order of the program's source.
#[derive(Clone, Copy)]
enum Mission {
    Count = 1,
    CountAndTick,
    CountInRam,
    Sleep,
    SleepForEver,
    WaitForEvent,
    LoadFromNowhere,
    StoreToGuarded,
    DivideByZero,
    Escalate,
    LockUp,
    EraseAPage,
    CallTheDebugger,
}

/// Names of the program with their addresses and sizes.
struct Symbols(BTreeMap<String, (u32, u32)>);

impl Symbols {
    fn read() -> Symbols {
        let elf = object::File::parse(PROGRAM).expect("an ELF file");
        let symbols = elf.symbols().filter_map(|symbol| {
            let address = symbol.address() as u32 & !u32::from(symbol.kind() == object::SymbolKind::Text);
            Some((symbol.name().ok()?.to_string(), (address, symbol.size() as u32)))
        });
        Symbols(symbols.collect())
    }

    fn at(&self, name: &str) -> u32 {
        self.0[name].0
    }

    /// The addresses that belong to `name`.
    fn range(&self, name: &str) -> std::ops::Range<u32> {
        let (address, size) = self.0[name];
        address..address + size
    }
}

/// A board with the program in its flash.
fn board() -> MicroBit {
    let elf = object::File::parse(PROGRAM).expect("an ELF file");
    // The initialised data is loaded behind the code.
    let load = Symbols::read();
    let image = elf
        .segments()
        .map(|segment| {
            let data = segment.data().expect("is in the file").to_vec();
            let address = segment.address() as u32;
            (if address >= 0x2000_0000 { load.at("data_load") } else { address }, data)
        })
        .filter(|(_, data)| !data.is_empty())
        .collect();
    MicroBit::new(&Options { image, ..Options::default() })
}

/// Attached by CMSIS-DAP v2 to the running program, without halting it.
fn attached(board: &mut MicroBit) -> Adi<'_, Board> {
    // The program starts.
    board.host.sleep(Span::ms(1));
    let mut adi = board.host.dap_v2().expect("a probe").adi();
    assert_eq!(adi.connect(), Ok(0x2ba0_1477));
    adi.run().expect("C_DEBUGEN");
    adi.write_word(DEMCR, TRCENA).expect("DEMCR");
    adi
}

/// Sends the running program on a mission and gives it time to get there.
fn send(adi: &mut Adi<'_, Board>, symbols: &Symbols, mission: Mission) {
    adi.write_word(DFSR, 0x1F).expect("clears");
    adi.write_word(symbols.at("mission"), mission as u32).expect("RAM takes it");
    adi.host().sleep(Span::ms(1));
}

fn word(adi: &mut Adi<'_, Board>, address: u32) -> u32 {
    adi.read_word(address).expect("reads")
}

fn pc(adi: &mut Adi<'_, Board>) -> u32 {
    adi.read_register(register::PC).expect("reads")
}

fn halted(adi: &mut Adi<'_, Board>) {
    adi.wait_halted(Span::ms(100)).expect("halts");
}

/// One step in which interrupts may be taken.
fn step_into(adi: &mut Adi<'_, Board>) {
    adi.write_word(DHCSR, C_DEBUGEN | C_HALT).expect("C_MASKINTS off");
    adi.write_word(DHCSR, C_DEBUGEN | C_STEP).expect("steps");
    halted(adi);
}

/// Breaks before the instruction at `address`, which is in flash or in its place below 0x2000_0000.
fn set_breakpoint(adi: &mut Adi<'_, Board>, address: u32) {
    let half = if address & 2 == 0 { 0b01 } else { 0b10 };
    adi.write_word(FP_CTRL, 0b11).expect("FP_CTRL");
    adi.write_word(FP_COMP0, half << 30 | address & !3 | 1).expect("FP_COMP0");
}

fn clear_breakpoint(adi: &mut Adi<'_, Board>) {
    adi.write_word(FP_COMP0, 0).expect("FP_COMP0");
}

/// Sets comparator `index` of the watchpoint unit to exactly `comp`.
fn set_comparator(adi: &mut Adi<'_, Board>, index: u32, comp: u32, mask: u32, function: u32) {
    for (register, value) in [(0, comp), (4, mask), (8, function)] {
        adi.write_word(DWT_COMP0 + 0x10 * index + register, value).expect("DWT");
    }
}

/// Where the first instruction `code` is in `function`.
fn find(adi: &mut Adi<'_, Board>, symbols: &Symbols, function: &str, code: u16) -> u32 {
    let range = symbols.range(function);
    let half = |adi: &mut Adi<'_, Board>, at: u32| (word(adi, at & !3) >> (8 * (at & 2))) as u16;
    range.step_by(2).find(|&at| half(adi, at) == code).expect("the instruction is there")
}

#[test]
fn a_step_with_masked_interrupts_stays_in_the_program_and_one_without_enters_the_handler() {
    let symbols = Symbols::read();
    let mut board = board();
    let mut adi = attached(&mut board);
    send(&mut adi, &symbols, Mission::CountAndTick);
    let running = word(&mut adi, symbols.at("ticks"));
    assert!(running > 10, "64 MHz are 32 ticks in a millisecond");
    adi.halt().expect("halts");
    while !symbols.range("count").contains(&pc(&mut adi)) {
        step_into(&mut adi);
    }
    adi.write_word(ICSR, ICSR_PENDSTSET).expect("pends SysTick");
    for _ in 0..20 {
        adi.step().expect("steps");
        assert!(symbols.range("count").contains(&pc(&mut adi)));
    }
    let interrupted = pc(&mut adi);
    let ticks = word(&mut adi, symbols.at("ticks"));
    step_into(&mut adi);
    assert_eq!(pc(&mut adi), symbols.at("systick"), "the handler's first instruction is next");
    assert_eq!(adi.read_register(register::XPSR).expect("reads") & 0x1FF, 15);
    let sp = adi.read_register(register::SP).expect("reads");
    assert_eq!(word(&mut adi, sp + 24), interrupted, "the stacked PC");
    assert_eq!(adi.read_register(register::LR), Ok(0xFFFF_FFF9));
    // Through the handler and back out of it, step by step.
    let mut steps = 0;
    while symbols.range("systick").contains(&pc(&mut adi)) {
        adi.step().expect("steps");
        steps += 1;
        assert!(steps < 20, "the handler ends");
    }
    assert_eq!((pc(&mut adi), word(&mut adi, symbols.at("ticks"))), (interrupted, ticks + 1));
}

#[test]
fn a_breakpoint_in_flash_stops_every_time() {
    let symbols = Symbols::read();
    let mut board = board();
    let mut adi = attached(&mut board);
    set_breakpoint(&mut adi, symbols.at("systick"));
    send(&mut adi, &symbols, Mission::CountAndTick);
    for ticks in 0..3 {
        halted(&mut adi);
        assert_eq!((pc(&mut adi), word(&mut adi, symbols.at("ticks"))), (symbols.at("systick"), ticks));
        assert_eq!(word(&mut adi, DFSR), DFSR_BKPT);
        clear_breakpoint(&mut adi);
        adi.step().expect("steps off it");
        set_breakpoint(&mut adi, symbols.at("systick"));
        adi.write_word(DFSR, 0x1F).expect("clears");
        adi.run().expect("runs");
    }
}

#[test]
fn a_breakpoint_instruction_in_ram_is_planted_and_removed_under_a_running_program() {
    let symbols = Symbols::read();
    let mut board = board();
    let mut adi = attached(&mut board);
    send(&mut adi, &symbols, Mission::CountInRam);
    assert!(word(&mut adi, symbols.at("counter")) > 1_000);
    adi.halt().expect("halts");
    let place = pc(&mut adi);
    assert!(symbols.range("count_in_ram").contains(&place));
    // Half of a word, as a debugger plants it: the core has decoded the instruction long ago.
    let original = [0, 1].map(|byte| adi.read_byte(place + byte).expect("reads"));
    for round in 0..3 {
        adi.write_byte(place, 0x00).expect("plants");
        adi.write_byte(place + 1, 0xBE).expect("plants");
        adi.write_word(DFSR, 0x1F).expect("clears");
        adi.run().expect("runs");
        halted(&mut adi);
        assert_eq!((pc(&mut adi), word(&mut adi, DFSR)), (place, DFSR_BKPT), "round {round}");
        for (byte, value) in (0..).zip(original) {
            adi.write_byte(place + byte, value).expect("removes");
        }
        adi.step().expect("steps");
        assert_ne!(pc(&mut adi), place);
    }
    let before = word(&mut adi, symbols.at("counter"));
    adi.run().expect("runs");
    adi.host().sleep(Span::ms(1));
    assert!(word(&mut adi, symbols.at("counter")) > before + 1_000);
}

#[test]
fn watchpoints_tell_reads_from_writes() {
    let symbols = Symbols::read();
    let counter = symbols.at("counter");
    // FUNCTION: 5 read, 6 write, 7 both. `counter++` loads, then stores; the core stops behind the access.
    for (function, first_is_load) in [(5, true), (6, false), (7, true)] {
        let mut board = board();
        let mut adi = attached(&mut board);
        set_comparator(&mut adi, 0, counter, 2, function);
        send(&mut adi, &symbols, Mission::Count);
        halted(&mut adi);
        assert_eq!(word(&mut adi, DFSR), DFSR_DWTTRAP);
        assert_eq!(word(&mut adi, counter), u32::from(!first_is_load), "FUNCTION {function}");
        let matched = word(&mut adi, DWT_COMP0 + 8);
        assert_eq!(matched, 1 << 24 | function, "MATCHED");
        // The next one of the same kind is a whole round away, of both kinds half a round.
        adi.run().expect("runs");
        halted(&mut adi);
        assert_eq!(word(&mut adi, counter), if function == 6 { 2 } else { 1 }, "FUNCTION {function}");
    }
}

#[test]
fn a_watchpoint_on_a_value_waits_for_it() {
    // DWT_FUNCTION1: DATAVMATCH, DATAVSIZE word, both links to comparator 0, which says where (ARM DDI 0403E, C1.8).
    let symbols = Symbols::read();
    let mut board = board();
    let mut adi = attached(&mut board);
    set_comparator(&mut adi, 0, symbols.at("counter"), 0, 0);
    set_comparator(&mut adi, 1, 12_345, 0, 1 << 8 | 2 << 10 | 6);
    send(&mut adi, &symbols, Mission::Count);
    halted(&mut adi);
    assert_eq!((word(&mut adi, symbols.at("counter")), word(&mut adi, DFSR)), (12_345, DFSR_DWTTRAP));
    // The same value at another place does not count.
    set_comparator(&mut adi, 0, symbols.at("woken"), 0, 0);
    adi.write_word(symbols.at("counter"), 12_000).expect("writes");
    let mut at = register_holding(&mut adi, 12_345);
    at.retain(|&number| number != register::PC);
    for number in at {
        adi.write_register(number, 12_000).expect("writes");
    }
    adi.run().expect("runs");
    adi.host().sleep(Span::ms(2));
    assert_eq!(adi.is_halted(), Ok(false));
    assert!(word(&mut adi, symbols.at("counter")) > 12_345);
}

/// Which of R0 to R12 hold `value`.
fn register_holding(adi: &mut Adi<'_, Board>, value: u32) -> Vec<u8> {
    (0..=12).filter(|&number| adi.read_register(number) == Ok(value)).collect()
}

#[test]
fn vector_catch_stops_at_the_hard_fault_handler_with_everything_to_look_at() {
    let symbols = Symbols::read();
    let mut board = board();
    let mut adi = attached(&mut board);
    adi.write_word(DEMCR, TRCENA | VC_HARDERR).expect("DEMCR");
    send(&mut adi, &symbols, Mission::Escalate);
    halted(&mut adi);
    assert_eq!((pc(&mut adi), word(&mut adi, DFSR)), (symbols.at("hard_fault"), DFSR_VCATCH));
    assert_eq!(adi.read_register(register::XPSR).expect("reads") & 0x1FF, 3);
    assert_eq!(word(&mut adi, HFSR), 1 << 30, "FORCED");
    let frame = fault_frame(&mut adi);
    assert!(symbols.range("load").contains(&frame.pc), "{:#x}", frame.pc);
    assert!(symbols.range("main").contains(&frame.lr), "{:#x}", frame.lr);
}

/// What an exception's entry left on the stack.
struct Frame {
    lr: u32,
    pc: u32,
}

/// The frame that EXC_RETURN in LR points at.
fn fault_frame(adi: &mut Adi<'_, Board>) -> Frame {
    let exc_return = adi.read_register(register::LR).expect("reads");
    assert_eq!(exc_return, 0xFFFF_FFF9, "Thread mode, main stack, no floating point");
    let sp = adi.read_register(register::SP).expect("reads");
    Frame { lr: word(adi, sp + 20), pc: word(adi, sp + 24) }
}

#[test]
fn fault_registers_tell_what_happened_where() {
    // ARM DDI 0403E, B3.2.15: MMARVALID | DACCVIOL, BFARVALID | PRECISERR, DIVBYZERO.
    let symbols = Symbols::read();
    let guarded = symbols.at("guarded");
    let cases = [
        (Mission::LoadFromNowhere, "bus_fault", 5, 0x8200, Some((BFAR, NOWHERE)), "load"),
        (Mission::StoreToGuarded, "mem_manage", 4, 0x82, Some((MMFAR, guarded + 4)), "store_to_guarded"),
        (Mission::DivideByZero, "usage_fault", 6, 1 << 25, None, "divide"),
    ];
    for (mission, handler, exception, cfsr, address, culprit) in cases {
        let mut board = board();
        let mut adi = attached(&mut board);
        set_breakpoint(&mut adi, symbols.at(handler));
        send(&mut adi, &symbols, mission);
        halted(&mut adi);
        assert_eq!(pc(&mut adi), symbols.at(handler));
        assert_eq!(adi.read_register(register::XPSR).expect("reads") & 0x1FF, exception);
        assert_eq!((word(&mut adi, CFSR), word(&mut adi, HFSR)), (cfsr, 0), "{culprit}");
        if let Some((register, value)) = address {
            assert_eq!(word(&mut adi, register), value, "{culprit}");
        }
        let frame = fault_frame(&mut adi);
        assert!(symbols.range(culprit).contains(&frame.pc), "{culprit}: {:#x}", frame.pc);
        // The debugger clears what it has seen by writing ones.
        adi.write_word(CFSR, cfsr).expect("clears");
        assert_eq!(word(&mut adi, CFSR), 0);
    }
}

#[test]
fn a_debugger_that_only_looks_disturbs_nothing() {
    // Two boards on the same mission. At one of them a debugger attaches and reads; the other is left alone.
    let symbols = Symbols::read();
    let look = |looking: bool| {
        let mut board = board();
        let mut adi = attached(&mut board);
        send(&mut adi, &symbols, Mission::CountAndTick);
        let end = adi.host().now() + Span::ms(50);
        let mut looks = 0;
        while looking && adi.host().now() + Span::ms(5) < end {
            let counter = word(&mut adi, symbols.at("counter"));
            assert_eq!(word(&mut adi, DHCSR) & (S_HALT | S_SLEEP | S_LOCKUP), 0);
            adi.read_words(0x1000_0000, 16).expect("FICR reads");
            adi.read_words(0x2000_0000, 64).expect("RAM reads");
            looks += 1;
            assert!(counter > 0);
        }
        let rest = end.since(adi.host().now());
        adi.host().sleep(rest);
        let mut target = board.target.lock();
        let core = target.core();
        let registers: Vec<u32> = (0..=16).map(|n| core.register(twinboard_sim::cpu::arm::Register(n))).collect();
        let ram = core.memory().read_bytes(0x2000_0000, 0x2_0000).expect("RAM").to_vec();
        (looks > 0, core.cycle(), registers, ram)
    };
    let (looked, cycle, registers, ram) = look(true);
    assert!(looked);
    let alone = look(false);
    assert_eq!((cycle, registers), (alone.1, alone.2));
    assert!(ram == alone.3, "RAM is the same");
}

#[test]
fn a_step_over_wfi_does_not_sleep() {
    const WFI: u16 = 0xBF30;
    let symbols = Symbols::read();
    let mut board = board();
    let mut adi = attached(&mut board);
    let wfi = find(&mut adi, &symbols, "sleep", WFI);
    set_breakpoint(&mut adi, wfi);
    send(&mut adi, &symbols, Mission::SleepForEver);
    halted(&mut adi);
    assert_eq!(pc(&mut adi), wfi);
    clear_breakpoint(&mut adi);
    adi.write_word(DFSR, 0x1F).expect("clears");
    adi.step().expect("steps, with nothing there to wake the core");
    assert_eq!((pc(&mut adi), word(&mut adi, DFSR)), (wfi + 2, DFSR_HALTED));
    assert_eq!(word(&mut adi, DHCSR) & (S_HALT | S_SLEEP), S_HALT);
}

#[test]
fn a_sleeping_core_is_seen_asleep_and_halts_behind_its_sleep() {
    let symbols = Symbols::read();
    for (mission, function, code) in
        [(Mission::SleepForEver, "sleep", 0xBF30), (Mission::WaitForEvent, "wait_for_event", 0xBF20)]
    {
        let mut board = board();
        let mut adi = attached(&mut board);
        send(&mut adi, &symbols, mission);
        assert_eq!(word(&mut adi, DHCSR) & (S_HALT | S_SLEEP), S_SLEEP, "{function}");
        assert_ne!(board.target.lock().core().state(), State::Running);
        let mut adi = board.host.dap_v2().expect("a probe").adi();
        adi.connect().expect("connects");
        let woken = word(&mut adi, symbols.at("woken"));
        adi.halt().expect("halts");
        assert_eq!(word(&mut adi, DHCSR) & (S_HALT | S_SLEEP), S_HALT, "{function}");
        let behind = find(&mut adi, &symbols, function, code) + 2;
        assert_eq!(pc(&mut adi), behind, "{function}");
        // The program goes on as if something had woken it, and sleeps again.
        adi.run().expect("runs");
        adi.host().sleep(Span::ms(1));
        assert_eq!(word(&mut adi, symbols.at("woken")), woken + 1, "{function}");
        assert_eq!(word(&mut adi, DHCSR) & S_SLEEP, S_SLEEP, "{function}");
    }
}

#[test]
fn a_program_that_sleeps_between_ticks_can_be_halted_and_goes_on() {
    let symbols = Symbols::read();
    let mut board = board();
    let mut adi = attached(&mut board);
    send(&mut adi, &symbols, Mission::Sleep);
    for _ in 0..5 {
        let woken = word(&mut adi, symbols.at("woken"));
        adi.halt().expect("halts");
        adi.host().sleep(Span::ms(2));
        adi.run().expect("runs");
        adi.host().sleep(Span::ms(1));
        assert!(word(&mut adi, symbols.at("woken")) > woken + 10);
    }
}

#[test]
fn a_locked_up_core_says_so_halts_and_is_reset() {
    // With a debugger there, lockup does not reset the chip (nrf-target.md, 4).
    let symbols = Symbols::read();
    let mut board = board();
    let mut adi = attached(&mut board);
    send(&mut adi, &symbols, Mission::LockUp);
    assert_eq!(word(&mut adi, DHCSR) & (S_HALT | S_LOCKUP), S_LOCKUP);
    adi.halt().expect("halts");
    assert_eq!(word(&mut adi, DHCSR) & (S_HALT | S_LOCKUP), S_HALT);
    assert_eq!(pc(&mut adi), 0xFFFF_FFFE);
    assert_eq!(adi.read_register(register::XPSR).expect("reads") & 0x1FF, 3);
    adi.reset_and_halt().expect("resets");
    assert_eq!(pc(&mut adi), symbols.at("reset"));
    adi.run().expect("runs");
    adi.host().sleep(Span::ms(1));
    send(&mut adi, &symbols, Mission::Count);
    assert!(word(&mut adi, symbols.at("counter")) > 1_000, "it works again");
}

#[test]
fn a_core_that_waits_for_an_erase_halts_and_the_erase_goes_on() {
    const SCRATCH_PAGE: u32 = 0x1_0000;
    const NVMC_READY: u32 = 0x4001_E400;
    let symbols = Symbols::read();
    let mut board = board();
    let mut adi = attached(&mut board);
    adi.halt().expect("halts");
    // Something to erase: NVMC.CONFIG = WEN, a word.
    adi.write_word(0x4001_E504, 1).expect("CONFIG");
    adi.write_word(SCRATCH_PAGE, 0).expect("writes");
    adi.host().sleep(Span::ms(1));
    adi.write_word(0x4001_E504, 0).expect("CONFIG");
    assert_eq!(word(&mut adi, SCRATCH_PAGE), 0);
    adi.run().expect("runs");
    send(&mut adi, &symbols, Mission::EraseAPage);
    assert_eq!(word(&mut adi, NVMC_READY) & 1, 0, "at work");
    adi.halt().expect("halts");
    assert!(symbols.range("main").contains(&pc(&mut adi)) || symbols.range("erase_a_page").contains(&pc(&mut adi)));
    assert_eq!(word(&mut adi, symbols.at("erased")), 0);
    adi.run().expect("runs");
    adi.host().sleep(Span::ms(100));
    assert_eq!((word(&mut adi, NVMC_READY) & 1, word(&mut adi, SCRATCH_PAGE)), (1, u32::MAX));
    assert_eq!(word(&mut adi, symbols.at("erased")), 1);
}

#[test]
fn semihosting_calls_halt_with_their_arguments_and_take_the_answer() {
    let symbols = Symbols::read();
    let mut board = board();
    let mut adi = attached(&mut board);
    send(&mut adi, &symbols, Mission::CallTheDebugger);
    let mut calls = Vec::new();
    for _ in 0..2 {
        halted(&mut adi);
        let at = pc(&mut adi);
        assert_eq!(word(&mut adi, at & !3) >> (8 * (at & 2)) & 0xFFFF, 0xBEAB, "BKPT 0xAB");
        let arguments = [0, 1].map(|number| adi.read_register(number).expect("reads"));
        calls.push(arguments);
        adi.write_register(0, 0).expect("the answer");
        adi.write_register(register::PC, at + 2).expect("behind it");
        adi.run().expect("runs");
    }
    let [[4, text], exit] = calls[..] else { panic!("{calls:x?}") };
    let bytes: Vec<u8> = (0..22).map(|i| adi.read_byte(text + i).expect("reads")).collect();
    assert_eq!(bytes, b"the target says hello\n");
    assert_eq!(exit, [0x18, 0x20026]);
    adi.host().sleep(Span::ms(1));
    assert_eq!(word(&mut adi, symbols.at("mission")), 0, "the program waits for the next mission");
}
