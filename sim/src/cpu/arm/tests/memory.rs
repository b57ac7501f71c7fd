//! Loads, stores, and code that changes.

use super::*;

#[test]
fn unaligned_words_fault_on_armv6m_and_work_on_armv7m() {
    // LDR R0, [R1]
    let mut bench = Bench::v6m(&[0x6808]);
    bench.set(1, RAM + 1);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 3);
    let mut bench = Bench::v7em(&[0x6808]);
    bench.core.memory_mut().write(RAM, Size::Word, 0x4433_2211);
    bench.core.memory_mut().write(RAM + 4, Size::Word, 0x8877_6655);
    bench.set(1, RAM + 1);
    bench.steps(1);
    assert_eq!(bench.r(0), 0x5544_3322);
}

#[test]
fn an_access_to_nothing_is_a_precise_bus_fault() {
    // LDR R0, [R1]
    let mut bench = Bench::v7em(&[0x6808]);
    bench.set(1, 0x4000_0100);
    bench.write(0xE000_ED24, 1 << 17);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 5);
    assert_eq!(bench.read(0xE000_ED28), 0x8200, "PRECISERR, BFARVALID");
    assert_eq!(bench.read(0xE000_ED38), 0x4000_0100);
    assert_eq!(bench.word(bench.r(13) + 24), CODE, "the return address is the load");
}

#[test]
fn stored_code_is_executed_as_stored() {
    // In RAM: STRH R0, [R1]; then R1 points at the next instruction, which was executed before.
    let mut bench = Bench::v6m(&[]);
    bench.place(RAM + 0x100, &[0x8008, 0x2205, 0xE7FC]); // STRH R0, [R1]; MOVS R2, #5; B back
    bench.set(0, 0x2205);
    bench.set(1, RAM + 0x102);
    bench.core.step(&mut bench.device);
    bench.set(15, RAM + 0x100);
    bench.steps(3);
    assert_eq!(bench.r(2), 5);
    bench.set(0, 0x2209); // MOVS R2, #9
    bench.steps(2);
    assert_eq!(bench.r(2), 9);
}

#[test]
fn stores_to_flash_go_to_the_chip() {
    // STR R0, [R1] with R1 in flash: the device has nothing there.
    let mut bench = Bench::v7em(&[0x6008]);
    bench.set(1, 0x800);
    bench.steps(1);
    assert_eq!(bench.r(16) & 0x1FF, 3, "BusFault escalates to HardFault");
    assert_eq!(bench.word(0x800), u32::MAX);
}

#[test]
fn an_alias_shows_the_same_bytes_and_executes_them() {
    let mut memory = Memory::default();
    let ram = memory.add(Kind::Ram, RAM, 0x1000, 0);
    memory.alias(ram, 0x0080_0000);
    memory.add(Kind::Flash, 0, 0x100, 0);
    memory.write(0, Size::Word, RAM + 0x1000);
    memory.write(4, Size::Word, 0x0080_0001);
    let mut bench = Bench { core: Core::new(config::M4F, memory), device: Device::default() };
    bench.place(RAM, &[0x2007, 0xA100]); // MOVS R0, #7; ADR R1, PC + 0
    bench.steps(2);
    assert_eq!((bench.r(0), bench.r(1)), (7, 0x0080_0004));
    bench.place(RAM, &[0x2008]);
    bench.set(15, 0x0080_0000);
    bench.steps(1);
    assert_eq!(bench.r(0), 8);
}

#[test]
fn bit_band_aliases_read_and_write_single_bits() {
    // B3.1.1: bit 5 of the byte at 0x20000010 is at 0x22000000 + 0x10 * 32 + 5 * 4.
    let mut bench = Bench::new(config::M3, &[0x6008, 0x680A]); // STR R0, [R1]; LDR R2, [R1]
    bench.set(0, 1);
    bench.set(1, 0x2200_0000 + 0x10 * 32 + 5 * 4);
    bench.steps(2);
    assert_eq!((bench.word(RAM + 0x10), bench.r(2)), (0x20, 1));
}

#[test]
fn a_busy_flash_holds_up_code_in_flash_only() {
    // STR R0, [R1, #0x18]; NOP
    let mut bench = Bench::v6m(&[0x6188, 0xBF00]);
    bench.set(0, 1000);
    bench.set(1, DEVICE);
    bench.core.run(&mut bench.device, 1);
    bench.core.run(&mut bench.device, 990);
    assert_eq!(bench.r(15), CODE + 2);
    bench.core.run(&mut bench.device, 1001);
    assert_eq!((bench.r(15), bench.core.cycle()), (CODE + 4, 1001));
    // The same from RAM goes on at once.
    let mut bench = Bench::v6m(&[]);
    bench.place(RAM, &[0x6188, 0xBF00]);
    bench.core.step(&mut bench.device);
    bench.set(0, 1000);
    bench.set(1, DEVICE);
    bench.set(15, RAM);
    bench.steps(2);
    assert_eq!(bench.r(15), RAM + 4);
}

/// Code in RAM makes the flash busy for 1000 cycles and counts on; the handler, at `handler`, notes when it begins.
fn interrupted_while_the_flash_is_busy(handler: u32) -> Bench {
    // STR R0, [R1, #0x18]; ADDS R3, #1; B .-2
    let mut bench = Bench::v6m(&[0xBF00]);
    bench.place(RAM, &[0x6188, 0x3301, 0xE7FD]);
    bench.place(handler, &[0x600B, 0x60C8, 0x4770]); // STR R3, [R1]; STR R0, [R1, #12]; BX LR
    bench.core.step(&mut bench.device);
    bench.set(0, 1000);
    bench.set(1, DEVICE);
    bench.set(3, 0);
    bench.set(15, RAM);
    bench.write(0xE000_E100, 1);
    bench
}

#[test]
fn an_exception_whose_vector_is_in_a_busy_flash_waits_for_it() {
    let mut bench = interrupted_while_the_flash_is_busy(CODE + 0x200);
    bench.write(DEVICE + 4, 100);
    let begins = bench.core.cycle();
    for until in (0..4_000).step_by(7) {
        bench.core.run(&mut bench.device, begins + until);
    }
    let (at, count) = bench.device.log[0];
    // One cycle for the store that made it busy, and the handler's first instruction. What was counted is what passed before
    // the interrupt, not the thousand cycles behind it.
    assert_eq!((at, bench.core.incidents().len()), (begins + 1_000, 0), "{:?}", bench.device.log);
    assert!((30..=50).contains(&count), "{count}");
}

#[test]
fn an_exception_whose_vector_is_in_ram_is_taken_while_the_flash_is_busy() {
    let mut bench = interrupted_while_the_flash_is_busy(RAM + 0x100);
    bench.core.memory_mut().write(RAM + 0x200 + 4 * 16, crate::bus::Size::Word, RAM + 0x100 + 1);
    bench.write(0xE000_ED08, RAM + 0x200); // VTOR
    bench.write(DEVICE + 4, 100);
    let begins = bench.core.cycle();
    bench.core.run(&mut bench.device, begins + 4_000);
    assert!(bench.device.log[0].0 < begins + 130, "{:?}", bench.device.log);
}

#[test]
fn exclusive_store_succeeds_once_per_load() {
    // LDREX R0, [R1]; STREX R2, R3, [R1]; STREX R4, R3, [R1]
    let mut bench = Bench::v7em(&[0xE851, 0x0F00, 0xE841, 0x3200, 0xE841, 0x3400]);
    bench.set(1, RAM);
    bench.set(3, 77);
    bench.steps(3);
    assert_eq!((bench.r(2), bench.r(4), bench.word(RAM)), (0, 1, 77));
}

#[test]
fn load_multiple_with_a_fault_keeps_the_base() {
    // LDMIA R0!, {R1, R2} across the end of RAM.
    let mut bench = Bench::v7em(&[0xC806]);
    bench.set(0, RAM + 0x4000 - 4);
    bench.set(1, 0x11);
    bench.steps(1);
    assert_eq!(bench.word(bench.r(13)), RAM + 0x4000 - 4, "R0 as stacked");
    assert_eq!(bench.word(bench.r(13) + 4), 0x11, "R1 as stacked");
}

#[test]
fn load_multiple_is_one_moment_to_the_bus() {
    // STM R0!, {R1, R2} to the device: its first word keeps a log, the second starts the alarm.
    let mut bench = Bench::v6m(&[0xC006, 0x6003]); // then STR R3, [R0]
    bench.set(0, DEVICE);
    bench.set(2, 100);
    bench.steps(1);
    assert_eq!(bench.device.log, [(0, 0)]);
    assert_eq!(bench.device.alarm, 100, "counted from the instruction's first cycle");
    assert_eq!(bench.core.cycle(), 3);
}

#[test]
fn a_store_to_nothing_is_a_precise_bus_fault() {
    let mut bench = Bench::v7em(&[0x6008]);
    bench.set(1, 0x4000_0100);
    bench.steps(1);
    assert_eq!(bench.read(0xE000_ED28), 0x8200, "PRECISERR, BFARVALID");
}

#[test]
fn code_is_not_fetched_from_peripherals() {
    // BX R0 to an address in the external RAM region where no memory is.
    let mut bench = Bench::v7em(&[0x4700]);
    bench.set(0, 0x6000_0001);
    bench.steps(2);
    assert_eq!(bench.read(0xE000_ED28), 0x100, "IBUSERR");
    // The peripheral region is execute-never.
    let mut bench = Bench::v7em(&[0x4700]);
    bench.set(0, DEVICE | 1);
    bench.steps(2);
    assert_eq!(bench.read(0xE000_ED28), 0x1, "IACCVIOL");
}

#[test]
fn the_words_of_a_component_without_a_function_read_as_zero_and_ignore_writes() {
    // IHI 0029: reserved words of a component's 4 KB are RAZ/WI. Debuggers read ROM tables in blocks, past the end.
    let mut bench = Bench::new(CoreConfig { ppb: &[(0xE00F_F000, 0xFFF0_F003)], ..config::M4F }, &[0x6008]);
    bench.set(1, 0xE00F_F01C);
    bench.steps(1);
    assert_eq!(bench.read(0xE000_ED28), 0, "no fault");
    assert_eq!((bench.read(0xE00F_F000), bench.read(0xE00F_F01C)), (0xFFF0_F003, 0));
}

#[test]
fn a_store_to_watched_memory_is_told_after_the_instruction() {
    // STRB R0, [R1]; STR R0, [R1, #4]; STR R0, [R1, #8]; ADDS R0, #1; B back
    for config in [config::M0PLUS, config::M4F] {
        let mut bench = Bench::new(config, &[0x7008, 0x6048, 0x6088, 0x3001, 0xE7FA]);
        bench.set(0, 0x88);
        bench.set(1, RAM + 0x100);
        // The windows of the fast path are open.
        bench.core.run(&mut bench.device, 40);
        bench.core.memory_mut().watch(RAM + 0x104, 4);
        assert_eq!(bench.device.told, [0; 0]);
        let mut stored = Vec::new();
        while stored.len() < 3 {
            let at = bench.r(15);
            bench.steps(1);
            if at == CODE + 2 {
                stored.push(bench.core.cycle());
            }
        }
        bench.core.step(&mut bench.device);
        assert_eq!(bench.device.told, stored);
        // Running at once tells the same as running instruction by instruction; the debug port's stores count too.
        bench.device.told.clear();
        bench.core.memory_mut().watch(RAM + 0x200, 0x200);
        bench.core.run(&mut bench.device, 1_000);
        assert_eq!(bench.device.told, [0; 0], "others are watched now");
        bench.write(RAM + 0x3FC, 1);
        bench.steps(1);
        assert_eq!(bench.device.told.len(), 1);
    }
}

#[test]
fn running_at_once_tells_of_watched_stores_when_single_steps_do() {
    // STRB R0, [R1]; ADDS R0, #1; B back
    let program = [0x7008, 0x3001, 0xE7FC];
    let run = |slices: &[u64]| {
        let mut bench = Bench::v6m(&program);
        bench.set(1, RAM + 0x104);
        bench.core.memory_mut().watch(RAM + 0x104, 1);
        for until in slices {
            bench.core.run(&mut bench.device, *until);
        }
        bench.device.told
    };
    let steps: Vec<u64> = (1..=500).collect();
    let told = run(&[500]);
    assert!(told.len() > 50);
    assert_eq!(told, run(&steps));
}
