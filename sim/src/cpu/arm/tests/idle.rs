//! Main loops that change nothing until the next event: skipped or not, everything is the same.

use super::*;
use proptest::prelude::*;

const ICSR: u32 = 0xE000_ED04;
const SYST_CSR: u32 = 0xE000_E010;
/// Where the handlers are.
const IRQ_HANDLER: u32 = CODE + 0x200;
const TICK_HANDLER: u32 = CODE + 0x280;
const CALL_HANDLER: u32 = CODE + 0x300;
const SWITCH_HANDLER: u32 = CODE + 0x380;

/// What happens around a program.
#[derive(Clone, Copy, Debug)]
struct Around {
    /// Cycles between two interrupts of the device; 0: none.
    alarm: u32,
    /// SYST_RVR; 0: off.
    tick: u32,
}

/// `main` in an endless loop, with a handler of its own for SVC and for PendSV. In all of them R4 is
/// ICSR.PENDSVSET, R5 the address of ICSR, R6 of RAM, R7 of the device.
fn system(config: CoreConfig, main: &[u16], call: &[u16], switch: &[u16], around: Around) -> Bench {
    let mut bench = Bench::new(config, main);
    let back = -(2 * main.len() as i32 + 4) / 2;
    bench.place(CODE + 2 * main.len() as u32, &[0xE000 | back as u16 & 0x7FF]);
    for (vector, handler) in [(11, CALL_HANDLER), (14, SWITCH_HANDLER), (15, TICK_HANDLER)] {
        bench.core.memory_mut().write(vector * 4, Size::Word, handler + 1);
    }
    let with_return = |code: &[u16]| [code, &[0x4770]].concat();
    // The device's handler acknowledges, both count: str r0, [r7, #12] ; ldr r2, [r6] ; adds r2, #1 ; str r2, [r6]
    bench.place(IRQ_HANDLER, &[0x60F8, 0x6832, 0x3201, 0x6032, 0x4770]);
    bench.place(TICK_HANDLER, &[0x6832, 0x3201, 0x6032, 0x4770]);
    bench.place(CALL_HANDLER, &with_return(call));
    bench.place(SWITCH_HANDLER, &with_return(switch));
    for (register, value) in [(4, 1 << 28), (5, ICSR), (6, RAM), (7, DEVICE)] {
        bench.set(register, value);
    }
    bench.write(0xE000_E100, 1);
    if around.alarm != 0 {
        bench.write(DEVICE + 4, around.alarm);
    }
    if around.tick != 0 {
        bench.write(SYST_CSR + 4, around.tick);
        bench.write(SYST_CSR, 7);
    }
    bench
}

/// A main loop as operating systems have them: it takes a message off a queue in RAM, asks the kernel by SVC for the
/// next, and the kernel puts one there and asks for a task switch, which counts up and down.
///
/// ```text
/// main:   push {r0-r3} ; ldr r1, [r6, #8] ; movs r0, #0 ; str r0, [r6, #8] ; svc #0 ; ldr r3, [r7, #8] ; pop {r0-r3}
/// call:   movs r0, #1 ; str r0, [r6, #8] ; str r4, [r5]
/// switch: ldrb r0, [r6, #12] ; adds r0, #1 ; strb r0, [r6, #12] ; subs r0, #1 ; strb r0, [r6, #12]
/// ```
fn kernel(config: CoreConfig, around: Around) -> Bench {
    let main = [0xB40F, 0x68B1, 0x2000, 0x60B0, 0xDF00, 0x68BB, 0xBC0F];
    let call = [0x2001, 0x60B0, 0x602C];
    let switch = [0x7B30, 0x1C40, 0x7330, 0x1E40, 0x7330];
    system(config, &main, &call, &switch, around)
}

#[test]
fn a_main_loop_with_system_calls_and_task_switches_costs_no_work() {
    // An interrupt each twenty million cycles, a thousand of them; the time that this takes shows if none is skipped.
    let mut bench = kernel(config::M0PLUS, Around { alarm: 20_000_000, tick: 0 });
    bench.core.run(&mut bench.device, 20_000_500_000);
    assert_eq!(bench.word(RAM), 1000);
    assert!(bench.device.reads < 20_000, "{} reads", bench.device.reads);
}

#[test]
fn it_is_skipped_in_short_slices_too() {
    // Ten microseconds each of a core at 48 MHz, which is about four turns.
    let mut bench = kernel(config::M0PLUS, Around { alarm: 0, tick: 479_999 });
    for until in (0..480_000_000).step_by(480) {
        bench.core.run_or_park(&mut bench.device, until);
    }
    bench.core.unpark();
    assert_eq!(bench.word(RAM), 999);
    assert!(bench.device.reads < 20_000, "{} reads", bench.device.reads);
}

#[test]
fn a_parked_core_tells_how_long_nothing_will_happen() {
    let mut bench = kernel(config::M0PLUS, Around { alarm: 1_000_000, tick: 0 });
    bench.core.run_or_park(&mut bench.device, 100_000);
    assert_eq!(bench.core.cycle(), 100_000);
    assert!((900_000..1_000_000).contains(&bench.core.quiet_until()), "{}", bench.core.quiet_until());
    bench.core.set_irq(3, true);
    assert_eq!(bench.core.quiet_until(), bench.core.cycle(), "it has been disturbed");
}

#[test]
fn waiting_for_a_busy_flash_costs_no_work_and_ends_in_time() {
    // In RAM, while the flash is busy: ldr r0, [r7, #8] ; cmp r0, #0 ; beq back ; ldr r1, [r6] ; ldr r3, [r2] ; b back
    let run = |skipping: bool, cycles: u64| {
        let mut bench = Bench::v6m(&[]);
        bench.core.set_spin_skipping(skipping);
        bench.core.run(&mut bench.device, 1);
        bench.place(RAM + 0x100, &[0x68B8, 0x2800, 0xD0FC, 0x6831, 0x6813, 0xE7F9]);
        for (register, value) in [(2, CODE + 0x100), (6, RAM), (7, DEVICE), (15, RAM + 0x100)] {
            bench.set(register, value);
        }
        bench.write(DEVICE + 8, cycles as u32 / 2);
        bench.write(DEVICE + 0x18, cycles as u32);
        bench.core.run(&mut bench.device, 2 * cycles);
        (bench.core.cycle(), bench.r(15), bench.r(3), bench.device.reads)
    };
    for cycles in [1_000, 4_321, 50_001] {
        let (skipping, patient) = (run(true, cycles), run(false, cycles));
        assert_eq!((skipping.0, skipping.1, skipping.2), (patient.0, patient.1, patient.2));
    }
    let long = run(true, 400_000_000);
    assert_eq!(long.2, u32::MAX, "erased flash was read");
    assert!(long.3 < 20_000, "{} reads", long.3);
}

#[test]
fn writes_without_an_effect_do_not_keep_a_loop_from_being_skipped() {
    // str r0, [r7, #0x1C] ; ldr r3, [r7, #8]
    let mut bench = system(config::M0PLUS, &[0x61F8, 0x68BB], &[], &[], Around { alarm: 20_000_000, tick: 0 });
    bench.core.run(&mut bench.device, 20_000_500_000);
    assert_eq!(bench.word(RAM), 1000);
    assert!(bench.device.reads < 20_000, "{} reads", bench.device.reads);
}

/// One or more instructions of 16 bits, by three choices.
fn snippet(what: u8, x: u16, y: u16) -> Vec<u16> {
    let (d, m, offset) = (x & 3, y & 3, 1 + (x >> 2) % 12);
    match what {
        // movs, ands, eors, uxtb, lsrs
        0 => vec![0x2000 | d << 8 | y & 0xFF],
        1 => vec![0x4000 | m << 3 | d],
        2 => vec![0x4040 | m << 3 | d],
        3 => vec![0xB2C0 | m << 3 | d],
        4 => vec![0x0840 | m << 3 | d],
        // Stores and loads of all sizes.
        5 => vec![0x6030 | offset << 6 | d],
        6 => vec![0x7030 | offset << 6 | d],
        7 => vec![0x8030 | offset << 6 | d],
        8 => vec![0x6830 | offset << 6 | d],
        9 => vec![0x7830 | offset << 6 | d],
        10 => vec![0x8830 | offset << 6 | d],
        // push, something, pop
        11 => vec![0xB40F, 0x2000 | d << 8 | y & 0xFF, 0xBC0F],
        // A steady read.
        12 | 13 => vec![0x68B8 | d],
        // movs r3, #x ; subs r3, #1 ; str r3, [r6, #..] ; cmp r3, #0 ; bne
        14 => vec![0x2301 | x & 7, 0x3B01, 0x6033 | offset << 6, 0x2B00, 0xD1FB],
        // cpsid, a store, cpsie
        15 => vec![0xB672, 0x6030 | offset << 6 | d, 0xB662],
        // Pends PendSV.
        16 => vec![0x602C],
        // ldr from ICSR, sev, nop
        17 => vec![0x6828 | d],
        18 => vec![0xBF40],
        // An add, without which nothing counts.
        19 => vec![0x3000 | d << 8 | y & 1],
        // A steady write.
        20 => vec![0x61F8 | d],
        _ => vec![0xBF00],
    }
}

/// The same from what is not like that: reads and writes of the device, WFI and WFE.
fn eventful(what: u8, d: u16) -> Vec<u16> {
    match what {
        0 => vec![0x6838 | d & 3],
        1 => vec![0x6038 | d & 3],
        2 => vec![0xBF30],
        3 => vec![0xBF20],
        // Makes what is steady at DEVICE + 8 busy.
        _ => vec![0x2001, 0x60B8],
    }
}

fn body() -> impl Strategy<Value = Vec<u16>> {
    let calm = (0u8..22, any::<u16>(), any::<u16>()).prop_map(|(what, x, y)| snippet(what, x, y));
    prop::collection::vec(calm, 0..8).prop_map(|parts| parts.concat())
}

fn main_body() -> impl Strategy<Value = Vec<u16>> {
    let calm = (0u8..22, any::<u16>(), any::<u16>()).prop_map(|(what, x, y)| snippet(what, x, y));
    let part = prop_oneof![
        30 => calm,
        6 => Just(vec![0xDF00]),
        1 => (0u8..5, any::<u16>()).prop_map(|(what, d)| eventful(what, d)),
    ];
    prop::collection::vec(part, 1..12).prop_map(|parts| parts.concat())
}

fn around() -> impl Strategy<Value = Around> {
    let alarm = prop_oneof![Just(0u32), 60u32..3_000, 3_000u32..60_000];
    let tick = prop_oneof![Just(0u32), 100u32..20_000];
    (alarm, tick).prop_map(|(alarm, tick)| Around { alarm, tick })
}

type Snapshot = (u64, Vec<u32>, Vec<(u64, u32)>, Vec<(u32, u32)>, u32);

fn snapshot(bench: &mut Bench) -> Snapshot {
    bench.core.unpark();
    let registers = (0..=20).map(|index| bench.r(index)).collect();
    let words = (RAM..RAM + 0x4000).step_by(4).map(|at| (at, bench.word(at)));
    let ram = words.filter(|(_, word)| *word != 0).collect();
    let icsr = bench.read(ICSR);
    (bench.core.cycle(), registers, bench.device.log.clone(), ram, icsr)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn skipping_of_any_loop_is_exact(
        main in main_body(), call in body(), switch in body(), around in around(),
        cuts in prop::collection::vec((1u64..9_000, 0u8..8), 1..20), v7: bool,
    ) {
        let config = if v7 { config::M4F } else { config::M0PLUS };
        let mut skipping = system(config, &main, &call, &switch, around);
        let mut patient = system(config, &main, &call, &switch, around);
        patient.core.set_spin_skipping(false);
        let mut until = 0;
        for (cut, then) in cuts {
            until += cut;
            // The chip may have to do with the core between two slices, or not.
            while skipping.core.cycle() < until {
                skipping.core.run_or_park(&mut skipping.device, until);
            }
            while patient.core.cycle() < until {
                patient.core.run(&mut patient.device, until);
            }
            for bench in [&mut skipping, &mut patient] {
                match then {
                    0 => bench.core.set_irq(0, true),
                    1 => bench.core.with_context(|cx| *cx.send_event = true),
                    2 => {
                        bench.core.memory_mut().write(RAM + 4, Size::Byte, cut as u32);
                    }
                    3 => bench.set(2, cut as u32),
                    _ => {}
                }
            }
            if then >= 6 {
                prop_assert_eq!(snapshot(&mut skipping), snapshot(&mut patient));
            }
        }
        prop_assert_eq!(snapshot(&mut skipping), snapshot(&mut patient));
    }
}
