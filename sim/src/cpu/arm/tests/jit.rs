//! Code translated or not, everything is the same.

use super::*;
use proptest::prelude::*;

/// In the middle of the RAM that programs play with.
const DATA: u32 = RAM + 0x400;
/// Bytes there that are compared.
const SEEN: u32 = 0x800;

/// `movs r6, #0x20 ; lsls r6, r6, #24 ; movs r7, #0x40 ; lsls r7, r7, #4 ; adds r6, r6, r7`: R6 is [`DATA`].
const HEAD: [u16; 5] = [0x2620, 0x0636, 0x2740, 0x013F, 0x19F6];

/// Goes on after the instruction that faulted or that was interrupted, and acknowledges the interrupt.
///
/// `ldr r0, [sp, #24] ; adds r0, #2 ; str r0, [sp, #24] ; movs r1, #0x40 ; lsls r1, r1, #24 ; str r0, [r1, #12] ; bx lr`
const HANDLER: [u16; 7] = [0x9806, 0x3002, 0x9006, 0x2140, 0x0609, 0x60C8, 0x4770];

/// One instruction, as half-words.
fn instruction() -> impl Strategy<Value = Vec<u16>> {
    let wide = |first: std::ops::RangeInclusive<u16>| (first, any::<u16>()).prop_map(|(a, b)| vec![a, b]);
    let low = 0u16..8;
    prop_oneof![
        // Shifts, additions, immediates; register forms; high registers.
        6 => (0u16..0x4000).prop_map(|half| vec![half]),
        3 => (0x4000u16..0x4400).prop_map(|half| vec![half]),
        1 => (0x4400u16..0x4700).prop_map(|half| vec![half]),
        // A comparison and a branch, forward over a few instructions.
        3 => (0x2800u16..0x3000, 0u16..14, 0u16..6).prop_map(|(compare, condition, over)| {
            vec![compare, 0xD000 | condition << 8 | over]
        }),
        1 => (0u16..14, 0u16..6).prop_map(|(condition, over)| vec![0xD000 | condition << 8 | over]),
        1 => (any::<bool>(), low.clone(), 0u16..6).prop_map(|(not, n, over)| {
            vec![0xB100 | u16::from(not) << 11 | over << 3 | n]
        }),
        1 => (0u16..5).prop_map(|over| vec![0xE000 | over]),
        // Loads and stores with R6 as the base, and with any.
        6 => (0x6000u16..0x9000, low.clone()).prop_map(|(half, t)| vec![half & !0x3F | 6 << 3 | t]),
        1 => (0x5000u16..0x6000).prop_map(|half| vec![half]),
        1 => (0x4800u16..0x5000).prop_map(|half| vec![half]),
        1 => (0x9000u16..0xB000).prop_map(|half| vec![half & !0x0700 | half & 0x0300]),
        // PUSH and POP of the same, STM and LDM.
        2 => (1u16..0x100).prop_map(|list| vec![0xB400 | list, 0xBC00 | list]),
        2 => (any::<bool>(), 1u16..0x40).prop_map(|(load, list)| vec![0xC600 | u16::from(load) << 11 | list]),
        1 => (0xB200u16..0xB300).prop_map(|half| vec![half]),
        1 => (0xBA00u16..0xBB00).prop_map(|half| vec![half]),
        // IT and what follows.
        3 => (0u16..14, 1u16..16, prop::collection::vec(0u16..0x4400, 4)).prop_map(|(condition, mask, mut body)| {
            body.truncate(4 - mask.trailing_zeros() as usize);
            body.insert(0, 0xBF00 | condition << 4 | mask);
            body
        }),
        // Wide: data processing, loads and stores.
        4 => wide(0xEA00..=0xEBFF),
        4 => wide(0xF000..=0xF3FF).prop_map(|halves| vec![halves[0], halves[1] & 0x7FFF]),
        2 => (0xF880u16..0xF8FF, any::<u16>()).prop_map(|(a, b)| vec![a & !0xF | 6, b & 0x73FF]),
        2 => (0xF800u16..0xF87F, any::<u16>()).prop_map(|(a, b)| vec![a & !0xF | 6, b & 0x7FFF]),
        2 => (0xF900u16..0xF9BF, any::<u16>()).prop_map(|(a, b)| vec![a & !0xF | 6, b & 0x73FF]),
        2 => (0xE840u16..0xE9FF, any::<u16>()).prop_map(|(a, b)| vec![a & !0xF | 6, b & 0x773F]),
        // The PC is UNPREDICTABLE in these.
        2 => (0xFA00u16..=0xFBFF, any::<u16>(), any::<bool>()).prop_map(|(a, b, three)| {
            vec![a & !8, b & 0x77F7 | if three { 0xF000 } else { 0 }]
        }),
        // A bus access, steady or not; and some of them in an IT block.
        1 => any::<u16>().prop_map(|which| vec![0x2140, 0x0609, bus_access(which)]),
        1 => (0u16..14, 1u16..16, any::<[u16; 4]>()).prop_map(|(condition, mask, which)| {
            let body = which.into_iter().take(4 - mask.trailing_zeros() as usize).map(bus_access);
            [0x2140, 0x0609, 0xBF00 | condition << 4 | mask].into_iter().chain(body).collect()
        }),
    ]
}

/// A load or store of R0 at the device, which is at R1.
fn bus_access(which: u16) -> u16 {
    [0x6808, 0x6888, 0x6008, 0x61C8][usize::from(which & 3)]
}

fn program() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(instruction(), 1..24).prop_map(|instructions| {
        let mut code: Vec<u16> = HEAD.into();
        code.extend(instructions.into_iter().flatten());
        // Whatever the last one is, there is something after it: NOPs, and back to the beginning.
        code.extend([0xBF00; 8]);
        let back = -(code.len() as i32) - 2;
        code.push(0xE000 | (back & 0x7FF) as u16);
        code
    })
}

fn bench(config: CoreConfig, code: &[u16], period: u32, registers: &[u32]) -> Bench {
    let mut bench = Bench::new(config, code);
    bench.place(CODE + 0x200, &HANDLER);
    for word in 0..SEEN / 4 {
        bench.write(DATA - SEEN / 2 + 4 * word, word.wrapping_mul(0x9E37_79B1));
    }
    for (index, value) in (0u8..).zip(registers) {
        bench.set(index, *value);
    }
    bench.write(0xE000_E100, 1);
    if period != 0 {
        bench.write(DEVICE + 4, period);
    }
    bench
}

fn snapshot(bench: &Bench) -> (u64, Vec<u32>, Vec<u32>, u64) {
    let registers = (0..=20).map(|index| bench.r(index)).collect();
    let words = (0..0x4000 / 4).map(|word| bench.word(RAM + 4 * word)).collect();
    (bench.core.cycle(), registers, words, bench.device.reads)
}

fn config(kind: u8) -> CoreConfig {
    match kind {
        0 => config::M0PLUS,
        1 => config::M0,
        _ => config::M4F,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases * 4))]

    #[test]
    fn translated_code_does_exactly_what_the_interpreter_does(
        code in program(), kind in 0u8..4, period in prop_oneof![Just(0u32), 100u32..3_000],
        registers in prop::collection::vec(prop_oneof![any::<u32>(), 0u32..64, RAM..RAM + 0x1000], 13),
        cuts in prop::collection::vec(1u64..8_000, 1..12), hot in prop_oneof![Just(1u16), 1u16..40],
    ) {
        let mut translating = bench(config(kind), &code, period, &registers);
        let mut patient = bench(config(kind), &code, period, &registers);
        translating.core.jit.hot = hot;
        patient.core.set_translating(false);
        let mut until = translating.core.cycle();
        for cut in cuts {
            until += cut;
            translating.core.run(&mut translating.device, until);
            patient.core.run(&mut patient.device, until);
            let (one, other) = (snapshot(&translating), snapshot(&patient));
            prop_assert_eq!((one.0, one.1, one.3), (other.0, other.1, other.3));
            let differs = one.2.iter().zip(&other.2).position(|(a, b)| a != b);
            prop_assert_eq!(differs, None, "word of RAM");
        }
        prop_assert_eq!(patient.core.jit.executed, 0);
    }
}

/// `adds r7, #1 ; ldr r0, [r6] ; adds r0, r0, r7 ; str r0, [r6] ; lsls r1, r0, #3 ; b` back to the beginning.
const LOOP: [u16; 6] = [0x3701, 0x6830, 0x19C0, 0x6030, 0x00C1, 0xE7F9];
/// Of it: the `adds` at the third place.
const ADDS: u32 = CODE + 4;

/// The loop, with an interrupt every `period` cycles whose handler only acknowledges it.
fn looping(config: CoreConfig, period: u32) -> Bench {
    let mut bench = bench(config, &LOOP, period, &[0, 0, 0, 0, 0, 0, DATA]);
    bench.place(CODE + 0x200, &HANDLER[3..]);
    bench
}

#[test]
fn hot_code_is_translated() {
    for kind in 0..3 {
        for period in [0, 5_000] {
            let mut bench = looping(config(kind), period);
            bench.core.run(&mut bench.device, 10_000_000);
            let executed = bench.core.jit.executed;
            assert!(executed > 9_000_000, "{executed} of ten million cycles");
        }
    }
}

#[test]
fn a_core_that_is_stepped_executes_nothing_that_is_translated() {
    let mut bench = looping(config::M4F, 0);
    bench.core.run(&mut bench.device, 100_000);
    let before = bench.core.jit.executed;
    assert_ne!(before, 0);
    bench.steps(1_000);
    assert_eq!(bench.core.jit.executed, before);
}

#[test]
fn a_hot_core_stops_at_a_breakpoint_in_the_middle_of_a_block() {
    let mut bench = looping(config::M4F, 0);
    bench.core.run(&mut bench.device, 100_000);
    assert_ne!(bench.core.jit.executed, 0);
    bench.core.breakpoints.push(ADDS);
    bench.core.breakpoints_changed();
    assert_eq!(bench.core.run(&mut bench.device, 200_000), crate::cpu::Stop::Halted);
    assert_eq!(bench.r(15), ADDS);
}

proptest! {
    #[test]
    fn blocks_are_given_up_when_flash_changes(until in 60_000u64..200_000, kind in 0u8..3, instruction in 0u16..0x4000) {
        let mut translating = looping(config(kind), 2_000);
        let mut patient = looping(config(kind), 2_000);
        patient.core.set_translating(false);
        for bench in [&mut translating, &mut patient] {
            bench.core.run(&mut bench.device, until);
            bench.place(ADDS, &[instruction]);
        }
        prop_assert_ne!(translating.core.jit.executed, 0);
        for bench in [&mut translating, &mut patient] {
            bench.core.run(&mut bench.device, 2 * until);
        }
        prop_assert_eq!(snapshot(&translating), snapshot(&patient));
    }
}
