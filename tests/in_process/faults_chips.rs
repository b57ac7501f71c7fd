//! What goes wrong in chips, as a user's tools see it: flash that does not take, power that goes, resets that nobody asked
//! for.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_models::board::{BoardFile, InterfaceProgram, Model, PowerOn, Powered};
use twinboard_models::fault;
use twinboard_models::image::interface::{InterfaceChip, KL26Z, NRF52820};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::board::Driver;
use twinboard_sim::bus::Size;
use twinboard_sim::chip::Chip;
use twinboard_sim::fault::{ArmError, Fault, Lasting, Param, Params, Plan, SharedFault};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::trace::TraceHash;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::{Copied, WriteOrder};

use crate::bench::{built_in, hex, program};
use crate::maintenance::{image, label, maintenance, written};

/// POWER.RESETREAS.
const RESETREAS: u32 = 0x4000_0400;

fn make(name: &str, params: Params, plan: Plan, seed: u64) -> SharedFault {
    let point = fault::point(name).expect("a point");
    params.check(point).expect("what the point takes");
    SharedFault::new(Fault::new(name, point, params, plan, seed))
}

/// Arms a fault from now on.
fn arm(host: &mut Host<Powered>, name: &str, params: Params, plan: Plan) -> SharedFault {
    let start = plan.start.max(host.now());
    let fault = make(name, params, Plan { start, ..plan }, 1);
    host.machine().arm(&fault).expect("can be armed");
    fault
}

fn strikes(fault: &SharedFault) -> u64 {
    fault.lock().record().strikes()
}

fn ready(host: &mut Host<Powered>) {
    host.drive().expect("a drive").wait_ready(Span::secs(5)).expect("a medium");
}

fn board(name: &str) -> Host<Powered> {
    let mut host = built_in(name);
    ready(&mut host);
    host
}

/// A board with a program in its target.
fn with_program(name: &str, program: &[u8]) -> Host<Powered> {
    let file = BoardFile::built_in(name).expect("built in");
    let target = Image::parse(Path::new("program.hex"), program, BlockIds(&[]), 0).expect("an image");
    let mut host = Host::new(file.power_on(&PowerOn { target: Some(&target), ..PowerOn::default() }).expect("a board"));
    host.enumerate().expect("enumerates");
    host
}

/// A board whose interface verifies what it writes.
fn verifying(name: &str) -> Host<Powered> {
    let mut file = BoardFile::built_in(name).expect("built in");
    file.set("interface.settings={auto_reset=true,automation_allowed=true}").expect("a setting");
    let mut host = Host::new(file.power_on(&PowerOn::default()).expect("a board"));
    host.enumerate().expect("enumerates");
    ready(&mut host);
    host
}

fn drop_file(host: &mut Host<Powered>, file: &[u8]) -> Copied {
    host.drive().expect("a drive").copy("program.hex", file, WriteOrder::LinuxFlush).expect("copies")
}

/// What a debugger reads at `address`.
fn read(host: &mut Host<Powered>, address: u32, words: usize) -> Vec<u32> {
    let mut adi = host.dap_v2().expect("a probe").adi();
    adi.connect().expect("a target");
    adi.read_words(address, words).expect("memory")
}

/// The same through a probe that has only HID.
fn read_v1(host: &mut Host<Powered>, address: u32, words: usize) -> Vec<u32> {
    let mut adi = host.dap_v1().expect("a probe").adi();
    adi.connect().expect("a target");
    adi.read_words(address, words).expect("memory")
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

fn at(address: u32) -> Plan {
    Plan { address: Some(address..address + 4), ..Plan::default() }
}

#[test]
fn a_word_that_does_not_take_is_missing_in_the_targets_flash() {
    let mut host = board("microbit-v2");
    let fault = arm(&mut host, "flash.no-write", Params::default(), at(0x404));
    let program = program(4096);
    assert!(drop_file(&mut host, &hex(&program)).is_success(), "nobody looks: boards are sold without verification");
    let mut expected = words(&program);
    expected[0x404 / 4] = u32::MAX;
    assert_eq!(read(&mut host, 0, 1024), expected);
    assert_eq!(strikes(&fault), 1);
}

#[test]
fn firmware_that_verifies_tells_of_a_word_that_did_not_take() {
    // DAPLink 0253 has no error of its own for it.
    for (name, words) in [("microbit-v2", "write verify command FAILURE"), ("microbit-v1", "write command FAILURE")] {
        let mut host = verifying(name);
        arm(&mut host, "flash.no-write", Params::default(), at(0x404));
        let fail = drop_file(&mut host, &hex(&program(4096))).fail.expect("a FAIL.TXT");
        assert!(fail.contains(words), "{fail}");
    }
}

#[test]
fn a_bit_that_is_stuck_is_stuck_whatever_is_written() {
    for (bit, level) in [(5, true), (5, false)] {
        let mut host = board("microbit-v2");
        let params = Params { bit: Some(bit), level: Some(level), ..Params::default() };
        let plan = Plan { lasting: Lasting::Always, address: Some(0x100..0x200), ..Plan::default() };
        arm(&mut host, "flash.stuck-bit", params, plan);
        let program = program(1024);
        assert!(drop_file(&mut host, &hex(&program)).is_success());
        let mut expected = words(&program);
        for word in &mut expected[0x100 / 4..0x200 / 4] {
            *word = *word & !(1 << bit) | u32::from(level) << bit;
        }
        assert_eq!(read(&mut host, 0, 256), expected);
    }
}

/// How long a drop took.
fn took(host: &mut Host<Powered>, file: &[u8]) -> u64 {
    let copied = drop_file(host, file);
    assert!(copied.is_success(), "{copied:?}");
    (copied.writing.0 + copied.settling.0) / 1_000_000_000
}

#[test]
fn flash_that_is_erased_slowly_makes_a_drop_longer_by_just_that() {
    let file = hex(&program(1024));
    let usual = took(&mut board("microbit-v2"), &file);
    let mut host = board("microbit-v2");
    let params = Params { factor: Some(6.0), ..Params::default() };
    // The drive's own rhythm is 90 ms, so it takes a while to tell.
    let fault = arm(&mut host, "flash.slow", params, Plan::default());
    let slow = took(&mut host, &file);
    // t_ERASEALL of the nRF52833 is 173 ms.
    assert!((slow - usual).abs_diff(5 * 173) <= 100, "{slow} ms instead of {usual} ms");
    assert_eq!(strikes(&fault), 1);
    let fault = fault.lock();
    let effect = &fault.record().evidence()[0].effect;
    assert_eq!(effect, "erasing 0x00000000 to 0x0007ffff takes 1038000 µs instead of 173000 µs");
}

#[test]
fn what_is_protected_keeps_what_it_has() {
    let mut host = board("microbit-v2");
    let fault = arm(&mut host, "flash.protect", Params::default(), Plan { lasting: Lasting::Times(2), ..at(0x200) });
    let program = program(1024);
    // The first is the erase of everything, which a blank chip does not need.
    assert!(drop_file(&mut host, &hex(&program)).is_success());
    let mut expected = words(&program);
    expected[0x200 / 4] = u32::MAX;
    assert_eq!(read(&mut host, 0, 256), expected);
    let effects: Vec<_> = fault.lock().record().evidence().iter().map(|e| e.effect.clone()).collect();
    assert_eq!(effects, ["erasing 0x00000000 to 0x0007ffff was refused", "writing 0x00000200 was refused"]);
}

#[test]
fn an_erase_that_never_ends_outlasts_the_hosts_patience() {
    let mut host = board("microbit-v2");
    let fault = arm(&mut host, "flash.endless", Params::default(), Plan::default());
    let start = host.now();
    let file = hex(&program(1024));
    let copied = host.drive().expect("a drive").copy("program.hex", &file, WriteOrder::LinuxFlush);
    assert!(!copied.is_ok_and(|copied| copied.is_success()));
    // Linux waits 30 s for a command.
    assert!(host.now().since(start) >= Span::secs(30), "{:?}", host.now().since(start));
    assert_eq!(strikes(&fault), 1);
    // NVMC.READY.
    let target = host.machine().target().expect("a target").clone();
    let mut is_ready = None;
    target.lock().with_cpu(&mut |cpu| is_ready = cpu.read_memory(0x4001_E400, Size::Word).ok());
    assert_eq!(is_ready, Some(0));
}

#[test]
fn a_page_that_is_worn_out_shows_what_was_in_it_before() {
    let mut host = board("microbit-v2");
    let params = Params { cycles: Some(1), ..Params::default() };
    // The first page is erased often, and written with zeros first, then with ones.
    let plan = Plan { lasting: Lasting::Always, address: Some(0..0x1000), ..Plan::default() };
    let fault = arm(&mut host, "flash.wear-out", params, plan);
    let mut zeros = program(4096);
    zeros[512..].fill(0);
    let copied = drop_file(&mut host, &hex(&zeros));
    assert!(copied.is_success(), "{copied:?}");
    assert_eq!((read(&mut host, 0, 1024), strikes(&fault)), (words(&zeros), 0));
    let mut ones = zeros.clone();
    ones[..512].copy_from_slice(&program(512));
    ones[512..].fill(0xff);
    assert!(drop_file(&mut host, &hex(&ones)).is_success());
    // A bit of the first 512 bytes may have been kept, but they are written with what they had.
    let found = read(&mut host, 512, 1024 - 128);
    let left: u32 = found.iter().map(|word| word.count_zeros()).sum();
    assert!((1..=8).contains(&left), "{left}");
    assert_eq!(strikes(&fault), 1);
    assert!(fault.lock().record().evidence()[0].effect.ends_with("bits stayed 0 at erase number 2"));
}

/// A drop that loses its power at the fault, and what is in the first kilobyte of the flash then.
fn cut(driver: Driver, address: u32, seed: u64) -> (TraceHash, Time, Vec<u8>) {
    let file = BoardFile::built_in("microbit-v2").expect("built in");
    let options = PowerOn { driver, watch_wires: true, ..PowerOn::default() };
    let mut powered = file.power_on(&options).expect("a board");
    let hash = Arc::new(Mutex::new(TraceHash::default()));
    powered.board.add_sink(Box::new(hash.clone()));
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    ready(&mut host);
    // The first opportunity at every address is the erase of everything.
    let plan = Plan { start: host.now(), skip: 1, ..at(address) };
    let fault = make("flash.power-cut", Params::default(), plan, seed);
    host.machine().arm(&fault).expect("can be armed");
    let copied = host.drive().expect("a drive").copy("program.hex", &hex(&program(2048)), WriteOrder::LinuxFlush);
    copied.expect_err("the board is gone");
    assert!(!host.is_present());
    let lost = host.now();
    let begun = fault.lock().record().evidence()[0].at;
    // Half of t_WRITE, 42.5 µs, and the time until the host's next packet.
    assert!((Span::us(21)..Span::ms(1)).contains(&lost.since(begun)), "{:?}", lost.since(begun));
    host.enumerate().expect("comes back");
    let back = host.now().since(begun);
    assert!((Span::ms(1_400)..Span::ms(1_700)).contains(&back), "500 ms without power, then the start: {back:?}");
    let flash = host.machine().target().expect("a target").lock().flash()[..2048].to_vec();
    let hash = *hash.lock();
    (hash, host.now(), flash)
}

#[test]
fn power_lost_in_a_write_leaves_a_word_in_between_and_what_is_behind_it_erased() {
    let (.., flash) = cut(Driver::Stepped, 0x404, 1);
    let (found, wanted) = (words(&flash), words(&program(2048)));
    assert_eq!(found[..0x404 / 4], wanted[..0x404 / 4]);
    let half = found[0x404 / 4];
    assert_eq!(half & wanted[0x404 / 4], wanted[0x404 / 4], "only bits that were to be 0 can be");
    assert!(half != u32::MAX && half != wanted[0x404 / 4], "{half:08x}");
    assert!(found[0x408 / 4..].iter().all(|word| *word == u32::MAX));
}

#[test]
fn the_same_seed_leaves_the_same_bits_and_the_same_trace_threaded_and_stepped() {
    let first = cut(Driver::Stepped, 0x404, 1);
    assert_eq!(first, cut(Driver::Stepped, 0x404, 1));
    assert_eq!(first, cut(Driver::Threaded, 0x404, 1));
    assert_ne!(first.2, cut(Driver::Stepped, 0x404, 2).2);
}

#[test]
fn power_lost_in_an_erase_leaves_cells_in_between() {
    let mut host = board("microbit-v2");
    let zeros = vec![0; 0x4000];
    host.machine().target().expect("a target").lock().set_flash(&zeros);
    arm(&mut host, "flash.power-cut", Params { delay: Some(Span::ms(20)), ..Params::default() }, Plan::default());
    let copied = host.drive().expect("a drive").copy("program.hex", &hex(&program(1024)), WriteOrder::LinuxFlush);
    copied.expect_err("the board is gone");
    host.enumerate().expect("comes back");
    let found = read(&mut host, 0, 0x1000);
    let erased: u32 = found.iter().map(|word| word.count_ones()).sum();
    // Half of 131072 bits; the standard deviation is 181.
    assert!(erased.abs_diff(65_536) < 1_500, "{erased}");
}

#[test]
fn faults_that_never_strike_change_nothing() {
    let run = |with: bool| {
        let file = BoardFile::built_in("microbit-v2").expect("built in");
        let options = PowerOn { watch_wires: true, ..PowerOn::default() };
        let mut powered = file.power_on(&options).expect("a board");
        let hash = Arc::new(Mutex::new(TraceHash::default()));
        powered.board.add_sink(Box::new(hash.clone()));
        if with {
            for point in fault::flash::POINTS.iter().chain(fault::power::POINTS) {
                let takes = |param| point.params.iter().any(|taken| taken.param == param);
                for chip in ["target", "interface"] {
                    let params = Params {
                        chip: takes(Param::Chip).then(|| chip.into()),
                        bit: takes(Param::Bit).then_some(1),
                        level: takes(Param::Level).then_some(true),
                        factor: takes(Param::Factor).then_some(2.0),
                        cycles: takes(Param::Cycles).then_some(1),
                        ..Params::default()
                    };
                    let fault = make(point.name, params, Plan { start: Time::NEVER, ..Plan::default() }, 1);
                    powered.arm(&fault).expect("can be armed");
                }
            }
        }
        let mut host = Host::new(powered);
        host.enumerate().expect("enumerates");
        assert!(drop_file(&mut host, &hex(&program(2048))).is_success());
        let hash = *hash.lock();
        (hash, host.now())
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn what_does_not_fit_the_board_is_named() {
    let mut host = board("microbit-v2");
    let mut fails = |name, params| {
        let fault = make(name, params, Plan::default(), 1);
        host.machine().arm(&fault).expect_err("does not fit").to_string()
    };
    let chip = Params { chip: Some("modem".into()), ..Params::default() };
    let message = fails("flash.no-write", chip.clone());
    assert_eq!(message, "flash.no-write: there is no chip modem; this board has interface, target");
    assert_eq!(fails("reset.glitch", chip), "reset.glitch: there is no chip modem; this board has interface, target");
    let message = fails("flash.slow", Params { factor: Some(0.0), ..Params::default() });
    assert_eq!(message, "flash.slow: more than 0 and at most 1000000 was expected, not 0");
    let message = fails("flash.stuck-bit", Params { bit: Some(32), level: Some(true), ..Params::default() });
    assert_eq!(message, "flash.stuck-bit: 0 to 31 was expected, not 32");
    let bench = "name='x'\ntitle='X'\n[[chip]]\nname='i'\nmodel='daplink'\n";
    let mut alone = BoardFile::parse(bench).and_then(|file| file.power_on(&PowerOn::default())).expect("a board");
    let fault = make("flash.no-write", Params::default(), Plan::default(), 1);
    let error = alone.arm(&fault).expect_err("nothing there");
    let reason = "it has no target; its chips are i".into();
    assert_eq!(error, ArmError::NotHere { point: "flash.no-write".into(), reason });
}

fn on_interface() -> Params {
    Params { chip: Some("interface".into()), ..Params::default() }
}

fn drop_image(host: &mut Host<Powered>, chip: &InterfaceChip) -> Option<Copied> {
    let image = image(chip, twinboard_models::image::interface::Role::Interface);
    host.drive().expect("a drive").copy("IF.BIN", &image, WriteOrder::LinuxUmount).ok()
}

#[test]
fn the_bootloader_tells_of_flash_that_refuses() {
    for (name, chip) in [("microbit-v1", &KL26Z), ("microbit-v2", &NRF52820)] {
        for (address, words) in [(0x8000, "mass erase failed"), (0x9004, "write failed")] {
            let mut host = maintenance(name);
            // Each sector is erased before its words are written.
            let skip = u64::from(address != 0x8000);
            arm(&mut host, "flash.protect", on_interface(), Plan { skip, ..at(address) });
            let copied = drop_image(&mut host, chip).expect("the drive comes back");
            let fail = copied.fail.expect("a FAIL.TXT");
            assert!(fail.contains(words), "{name}: {fail}");
            assert_eq!(label(&mut host), "MAINTENANCE");
        }
    }
}

#[test]
fn without_its_first_vector_an_image_is_not_started() {
    let mut host = maintenance("microbit-v1");
    arm(&mut host, "flash.no-write", on_interface(), at(0x8000));
    drop_image(&mut host, &KL26Z);
    host.enumerate().expect("comes back");
    assert_eq!(label(&mut host), "MAINTENANCE");
    let flash = words(&written(&mut host, &KL26Z).expect("was written"));
    let image = words(&image(&KL26Z, twinboard_models::image::interface::Role::Interface));
    assert_eq!(flash[0], u32::MAX);
    assert_eq!(flash[1..], image[1..]);
}

#[test]
fn power_lost_while_the_bootloader_erases_leaves_it_in_charge() {
    for (name, chip) in [("microbit-v1", &KL26Z), ("microbit-v2", &NRF52820)] {
        let mut host = maintenance(name);
        let fault = arm(&mut host, "flash.power-cut", on_interface(), at(0xA000));
        assert!(drop_image(&mut host, chip).is_none(), "the board is gone");
        assert_eq!(strikes(&fault), 1);
        host.enumerate().expect("comes back without a finger on the button");
        assert_eq!(label(&mut host), "MAINTENANCE");
        let flash = written(&mut host, chip).expect("was erased");
        assert!(flash[..0x2000].iter().all(|byte| *byte == 0xff));
    }
}

#[test]
fn a_power_cut_stops_the_board_at_the_planned_time_and_it_comes_back() {
    // A target with a program, for a blank one locks up again and again.
    let mut host = with_program("microbit-v2", include_bytes!("../../firmware/nrf52833/echo-115200.hex"));
    let start = host.now() + Span::us(12_345);
    let params = Params { delay: Some(Span::ms(70)), ..Params::default() };
    arm(&mut host, "power.cut", params, Plan { start, ..Plan::default() });
    assert!(host.wait_gone(Span::secs(1)));
    assert_eq!(host.now(), start);
    let machine = host.machine();
    while !machine.board.is_powered() {
        machine.advance(Time::NEVER);
    }
    assert_eq!(machine.now().since(start), Span::ms(70));
    host.enumerate().expect("comes back");
    assert_eq!(read(&mut host, RESETREAS, 1), [0], "power-on leaves no reason");
}

#[test]
fn power_may_be_cut_again_and_again() {
    let mut host = board("microbit-v2");
    let params = Params { delay: Some(Span::ms(5)), ..Params::default() };
    let plan = Plan { skip: 10, lasting: Lasting::Times(3), ..Plan::default() };
    let fault = arm(&mut host, "power.cut", params, plan);
    host.sleep(Span::ms(100));
    let ends: Vec<_> = fault.lock().record().evidence().iter().map(|e| e.at).collect();
    assert_eq!(ends.len(), 3);
    // The millisecond after power is back, the next one is due.
    assert_eq!((ends[1].since(ends[0]), ends[2].since(ends[1])), (Span::ms(5), Span::ms(5)));
}

/// The target's RESETREAS, as the chip's own program would read it.
fn reasons(host: &mut Host<Powered>) -> u32 {
    let target = host.machine().target().expect("a target").clone();
    let mut reasons = None;
    target.lock().with_cpu(&mut |cpu| reasons = cpu.read_memory(RESETREAS, Size::Word).ok());
    reasons.expect("a register")
}

#[test]
fn a_glitch_on_the_reset_pin_resets_a_target_whose_uicr_makes_it_one() {
    let mut host = board("microbit-v2");
    let fault = arm(&mut host, "reset.glitch", Params::default(), Plan::default());
    host.sleep(Span::ms(10));
    assert_eq!((strikes(&fault), reasons(&mut host) & 1), (0, 0), "UICR.PSELRESET is empty");
    // PSELRESET[0] and [1]: P0.18.
    let mut uicr = vec![0xff; 0x208];
    uicr[0x200..].copy_from_slice(&[18, 0, 0, 0, 18, 0, 0, 0]);
    let target = host.machine().target().expect("a target").clone();
    target.lock().set_uicr(&uicr);
    host.machine().power_cycle();
    host.sleep(Span::ms(10));
    assert_eq!((strikes(&fault), reasons(&mut host) & 1), (1, 1));
}

#[test]
fn a_glitch_on_the_nrf51s_swdio_resets_it() {
    let mut host = board("microbit-v1");
    assert_eq!(reasons(&mut host) & 1, 0);
    let fault = arm(&mut host, "reset.glitch", Params::default(), Plan::default());
    host.sleep(Span::ms(10));
    assert_eq!((strikes(&fault), reasons(&mut host) & 1), (1, 1));
}

#[test]
fn a_glitch_on_the_interfaces_reset_leaves_the_target_alone() {
    let mut host = board("microbit-v2");
    assert!(drop_file(&mut host, &hex(&program(1024))).is_success());
    let target = host.machine().target().expect("a target").clone();
    target.lock().with_cpu(&mut |cpu| cpu.write_memory(0x2000_4000, Size::Word, 0x1234_5678).expect("RAM"));
    let before = reasons(&mut host);
    arm(&mut host, "reset.glitch", on_interface(), Plan::default());
    assert!(host.wait_gone(Span::secs(1)));
    host.enumerate().expect("comes back");
    assert_eq!(reasons(&mut host), before);
    let mut word = None;
    target.lock().with_cpu(&mut |cpu| word = cpu.read_memory(0x2000_4000, Size::Word).ok());
    assert_eq!(word, Some(0x1234_5678));
}

/// A micro:bit V1 with our own interface firmware on its emulated KL26Z.
fn emulated_v1() -> Host<Powered> {
    let file = BoardFile::built_in("microbit-v1").expect("built in");
    let image = include_bytes!("../../firmware/kl26z/interface.hex");
    let image = Image::parse(Path::new("interface.hex"), image, BlockIds(&[]), 0).expect("an image");
    let interface = Some(InterfaceProgram { image: &image, start: Start::Reset });
    let mut host = Host::new(file.power_on(&PowerOn { interface, ..PowerOn::default() }).expect("a board"));
    host.enumerate().expect("enumerates");
    host
}

/// Looks at memory of the emulated KL26Z.
fn kinetis_memory(host: &mut Host<Powered>, address: u32, size: Size) -> u32 {
    let Some((_, Model::Kinetis(chip))) = host.machine().chips.first() else { panic!("an emulated chip") };
    let mut word = None;
    chip.lock().with_cpu(&mut |cpu| word = cpu.read_memory(address, size).ok());
    word.expect("memory")
}

/// RCM_SRS0.
const SRS0: u32 = 0x4007_F000;
/// A word of RAM that the firmware does not use.
const SPARE: u32 = 0x2000_1000;

#[test]
fn a_kinetis_tells_a_power_cut_from_a_brown_out_and_from_its_reset_pin() {
    // KL26 Sub-Family Reference Manual, RCM_SRS0: POR and LVD, LVD alone, PIN. RAM lasts through all but the first.
    for (name, reason, kept) in
        [("power.cut", 0x82, false), ("power.brown-out", 0x02, true), ("reset.glitch", 0x40, true)]
    {
        let mut host = emulated_v1();
        let Some((_, Model::Kinetis(chip))) = host.machine().chips.first() else { panic!("an emulated chip") };
        chip.lock().with_cpu(&mut |cpu| cpu.write_memory(SPARE, Size::Word, 0x1234_5678).expect("RAM"));
        let params = if name == "reset.glitch" { on_interface() } else { Params::default() };
        let fault = arm(&mut host, name, params, Plan::default());
        assert!(host.wait_gone(Span::secs(1)), "{name}");
        host.enumerate().expect("comes back");
        assert_eq!(strikes(&fault), 1);
        assert_eq!(kinetis_memory(&mut host, SRS0, Size::Byte), reason, "{name}");
        assert_eq!(kinetis_memory(&mut host, SPARE, Size::Word) == 0x1234_5678, kept, "{name}");
    }
}

#[test]
fn a_brown_out_leaves_a_target_as_power_on_does() {
    let mut host = with_program("microbit-v1", include_bytes!("../../firmware/nrf51822/echo-115200.hex"));
    host.machine().target().expect("a target").lock().with_cpu(&mut |cpu| {
        cpu.write_memory(0x2000_2000, Size::Word, 0x1234_5678).expect("RAM");
    });
    arm(&mut host, "power.brown-out", Params::default(), Plan::default());
    assert!(host.wait_gone(Span::secs(1)));
    host.enumerate().expect("comes back");
    // nRF51 Series Reference Manual, POWER: no bit of RESETREAS is set; the contents of RAM are not defined.
    assert_eq!(reasons(&mut host), 0);
    assert_ne!(read_v1(&mut host, 0x2000_2000, 1), [0x1234_5678]);
}
