//! What goes wrong on a board's wires, as a user's tools see it: CMSIS-DAP's answers, FAIL.TXT, serial text, registers.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_models::board::{BoardFile, InterfaceProgram, PowerOn, Powered};
use twinboard_models::fault;
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::fault::{ArmError, Fault, Lasting, Param, Params, Plan, SharedFault};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::trace::TraceHash;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::adi::Adi;
use twinboard_usbip::host::copy::{Copied, WriteOrder};
use twinboard_usbip::host::serial::LineCoding;

use crate::bench::built_in;

pub const ECHO_V1: &[u8] = include_bytes!("../../firmware/nrf51822/echo-115200.hex");
pub const ECHO_V2: &[u8] = include_bytes!("../../firmware/nrf52833/echo-115200.hex");
const OWN_V2_2: &[u8] = include_bytes!("../../firmware/nrf52820/interface.hex");

const SOON: Span = Span::secs(1);
pub const TO_TARGET: &str = "UART_TO_TARGET";
pub const FROM_TARGET: &str = "UART_FROM_TARGET";

pub fn always() -> Plan {
    Plan { lasting: Lasting::Always, ..Plan::default() }
}

pub fn times(times: u64) -> Plan {
    Plan { lasting: Lasting::Times(times), ..Plan::default() }
}

fn on(wire: &str) -> Params {
    Params { wire: Some(wire.into()), ..Params::default() }
}

/// A fault that begins now, armed.
pub fn arm(board: &mut Powered, point: &str, params: Params, plan: Plan) -> SharedFault {
    let point = fault::point(point).expect("a point");
    params.check(point).expect("these parameters");
    let start = plan.start.max(board.now());
    let fault = SharedFault::new(Fault::new("f", point, params, Plan { start, ..plan }, 1));
    board.arm(&fault).expect("can be armed");
    fault
}

pub fn strikes(fault: &SharedFault) -> u64 {
    fault.lock().record().strikes()
}

/// The probe of a V1 speaks version 1 of CMSIS-DAP only.
pub fn adi<'h>(host: &'h mut Host<Powered>, board: &str) -> Adi<'h, Powered> {
    let probe = if board == "microbit-v1" { host.dap_v1() } else { host.dap_v2() };
    probe.expect("a probe").adi()
}

/// A board whose target sends back what it hears.
pub fn echo(board: &str) -> Host<Powered> {
    let program = if board == "microbit-v1" { ECHO_V1 } else { ECHO_V2 };
    let image = Image::parse(Path::new("echo.hex"), program, BlockIds(&[]), 0).expect("an image");
    let file = BoardFile::built_in(board).expect("built in");
    let mut host = Host::new(file.power_on(&PowerOn { target: Some(&image), ..PowerOn::default() }).expect("a board"));
    host.enumerate().expect("enumerates");
    open(&mut host);
    host
}

pub fn open(host: &mut Host<Powered>) {
    let mut serial = host.serial().expect("a serial port");
    serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
    serial.read_for(Span::ms(200)).expect("what was said before");
}

/// What comes back when `text` is sent.
pub fn say(host: &mut Host<Powered>, text: &[u8]) -> Vec<u8> {
    let mut serial = host.serial().expect("a serial port");
    serial.write(text, SOON).expect("is taken");
    serial.read_for(Span::ms(20)).expect("is open")
}

pub fn drop_file(host: &mut Host<Powered>, file: &[u8]) -> Copied {
    host.drive().expect("a drive").copy("a.hex", file, WriteOrder::LinuxFlush).expect("copies")
}

pub const BOARDS: [&str; 2] = ["microbit-v2", "microbit-v1"];

/// The bits of a character, start bit first: 8N1.
fn bits(byte: u8) -> Vec<bool> {
    let data = (0..8).map(|bit| byte >> bit & 1 == 1);
    [false].into_iter().chain(data).chain([true]).collect()
}

/// What a receiver with bits of length 1 makes of one character whose bits have length `factor`: the bytes, and whether
/// each stop bit was right. It starts at a falling edge, samples the middle of each bit, and looks for the next falling
/// edge from the middle of the stop bit on.
pub fn received(byte: u8, factor: f64) -> Vec<(u8, bool)> {
    let sent = bits(byte);
    let level = |time: f64| time < 0.0 || sent.get((time / factor) as usize).copied().unwrap_or(true);
    let falls: Vec<f64> =
        (0..sent.len()).filter(|&i| !sent[i] && (i == 0 || sent[i - 1])).map(|i| i as f64 * factor).collect();
    let (mut all, mut from) = (Vec::new(), 0.0);
    while let Some(start) = falls.iter().copied().find(|&edge| edge >= from) {
        let byte = (0..8).fold(0, |byte, bit| byte | u8::from(level(start + 1.5 + f64::from(bit))) << bit);
        all.push((byte, level(start + 9.5)));
        from = start + 9.5;
    }
    all
}

#[test]
fn a_sender_with_the_wrong_baud_rate_is_understood_as_arithmetic_says() {
    // The bit times that both ends really have differ by less than one per cent.
    let mut wrong = [0; 2];
    for (board, checks_stop) in [("microbit-v2", false), ("microbit-v1", true)] {
        for factor in [0.93, 0.97, 1.03, 1.08, 1.2, 1.47] {
            let mut host = echo(board);
            let fault = arm(host.machine(), "uart.baud", Params { factor: Some(factor), ..on(FROM_TARGET) }, always());
            for byte in *b"\x00A\xffz\x55\xaa\x80\x7f" {
                let expected = received(byte, factor);
                let exact = [0.99, 1.01].iter().all(|other| received(byte, factor * other) == expected);
                if !exact {
                    continue;
                }
                // A V1's interface chip drops characters without a stop bit.
                let expected: Vec<u8> =
                    expected.iter().filter(|(_, stop)| *stop || !checks_stop).map(|(byte, _)| *byte).collect();
                wrong[usize::from(checks_stop)] += u32::from(expected != [byte]);
                assert_eq!(say(&mut host, &[byte]), expected, "{board}: {byte:#04x} at {factor}");
            }
            assert!(strikes(&fault) > 0);
        }
    }
    assert!(wrong.iter().all(|&wrong| wrong > 10), "{wrong:?}");
}

#[test]
fn a_target_that_is_spoken_to_too_slowly_answers_what_it_heard() {
    for board in BOARDS {
        let mut host = echo(board);
        arm(host.machine(), "uart.baud", Params { factor: Some(1.2), ..on(TO_TARGET) }, always());
        for byte in *b"Az\x55\x80" {
            let heard: Vec<u8> = received(byte, 1.2).iter().map(|(byte, _)| *byte).collect();
            assert_eq!(say(&mut host, &[byte]), heard, "{board}: {byte:#04x}");
        }
    }
}

#[test]
fn a_character_is_lost_or_has_another_bit_on_the_wire_that_was_meant() {
    for board in BOARDS {
        let mut host = echo(board);
        let fault = arm(host.machine(), "uart.drop", on(TO_TARGET), Plan { skip: 2, ..times(2) });
        assert_eq!(say(&mut host, b"abcdef"), b"abef", "{board}");
        assert_eq!(strikes(&fault), 2);
        arm(host.machine(), "uart.flip", Params { bit: Some(2), ..on(FROM_TARGET) }, times(1));
        assert_eq!(say(&mut host, b"abc"), [b'a' ^ 2, b'b', b'c'], "{board}: bit 2 is the second of the data");
        // Each of the six characters passes twice.
        let fault = arm(host.machine(), "uart.drop", Params::default(), Plan { skip: 11, ..times(1) });
        assert_eq!(say(&mut host, b"abcdef"), b"abcde", "{board}: both wires");
        assert_eq!(fault.lock().record().evidence()[0].place, FROM_TARGET);
        arm(host.machine(), "uart.flip", Params { bit: Some(9), ..on(FROM_TARGET) }, times(1));
        // The stop bit: a framing error, which the driver of the V2 does not look at.
        let expected: &[u8] = if board == "microbit-v1" { b"bc" } else { b"abc" };
        assert_eq!(say(&mut host, b"abc"), expected, "{board}");
    }
}

#[test]
fn a_break_is_one_character_of_zeros_with_a_framing_error() {
    for board in BOARDS {
        let mut host = echo(board);
        let params = Params { delay: Some(Span::ms(1)), ..on(FROM_TARGET) };
        let fault = arm(host.machine(), "uart.break", params, times(1));
        // At 115 200 baud a character takes 87 µs and a little: twelve begin within a millisecond.
        let left: &[u8] = if board == "microbit-v1" { b"mnopqrst" } else { b"\0mnopqrst" };
        assert_eq!(say(&mut host, b"abcdefghijklmnopqrst"), left, "{board}");
        assert_eq!(strikes(&fault), 1);
    }
}

#[test]
fn over_an_open_wire_nothing_is_heard_and_a_stuck_one_stays_where_it_is() {
    for board in BOARDS {
        let mut host = echo(board);
        let plan = Plan { lasting: Lasting::For(Span::ms(100)), ..Plan::default() };
        let open = arm(host.machine(), "wire.open", on(TO_TARGET), plan);
        assert_eq!(say(&mut host, b"abc"), b"", "{board}");
        assert!(strikes(&open) >= 3);
        host.sleep(Span::ms(100));
        assert_eq!(say(&mut host, b"abc"), b"abc", "{board}");
        let stuck = arm(host.machine(), "wire.stuck", Params { level: Some(true), ..on(FROM_TARGET) }, always());
        assert_eq!(say(&mut host, b"abc"), b"", "{board}");
        assert_eq!(strikes(&stuck), 3, "it is high between the characters anyway");
    }
}

const GPIO_IN: u32 = 0x5000_0510;
const GPIO_PIN_CNF: u32 = 0x5000_0700;
/// Input, connected, pulled up.
const INPUT_PULL_UP: u32 = 3 << 2;

#[test]
fn a_button_on_a_broken_wire_is_not_felt_and_one_on_a_shorted_wire_seems_pressed() {
    for (board, pin) in [("microbit-v2", 14), ("microbit-v1", 17)] {
        let mut host = built_in(board);
        let mut adi = adi(&mut host, board);
        adi.connect().expect("a target");
        adi.write_word(GPIO_PIN_CNF + 4 * pin, INPUT_PULL_UP).expect("a register");
        let level = |adi: &mut Adi<'_, Powered>| {
            adi.host().sleep(Span::ms(1));
            adi.read_word(GPIO_IN).expect("a register") >> pin & 1
        };
        assert_eq!(level(&mut adi), 1, "{board}");
        let plan = Plan { lasting: Lasting::For(Span::ms(20)), ..Plan::default() };
        let open = arm(adi.host().machine(), "wire.open", on("BUTTON_A"), plan.clone());
        assert_eq!(strikes(&open), 0, "nobody drives it");
        adi.host().machine().press("A", true).expect("a button");
        assert_eq!((level(&mut adi), strikes(&open)), (1, 1), "{board}");
        adi.host().sleep(Span::ms(20));
        assert_eq!(level(&mut adi), 0, "the contact is back");
        adi.host().machine().press("A", false).expect("a button");
        assert_eq!(level(&mut adi), 1);
        let stuck = arm(adi.host().machine(), "wire.stuck", Params { level: Some(false), ..on("BUTTON_A") }, plan);
        assert_eq!((level(&mut adi), strikes(&stuck)), (0, 1), "{board}: at once");
        assert_eq!(stuck.lock().record().evidence()[0].effect, "low instead of high");
        adi.host().sleep(Span::ms(20));
        assert_eq!(level(&mut adi), 1, "{board}");
    }
}

/// The registers of TWIM0 of an nRF52833, which the debugger uses in the program's place.
mod twim {
    pub const STARTRX: u32 = 0x4000_3000;
    pub const STARTTX: u32 = 0x4000_3008;
    pub const STOP: u32 = 0x4000_3014;
    pub const STOPPED: u32 = 0x4000_3104;
    pub const ERRORSRC: u32 = 0x4000_34C4;
    pub const ENABLE: u32 = 0x4000_3500;
    pub const PSEL_SCL: u32 = 0x4000_3508;
    pub const PSEL_SDA: u32 = 0x4000_350C;
    pub const FREQUENCY: u32 = 0x4000_3524;
    pub const RXD_PTR: u32 = 0x4000_3534;
    pub const RXD_MAXCNT: u32 = 0x4000_3538;
    pub const TXD_PTR: u32 = 0x4000_3544;
    pub const TXD_MAXCNT: u32 = 0x4000_3548;
    pub const ADDRESS: u32 = 0x4000_3588;
    pub const SHORTS: u32 = 0x4000_3200;
    pub const LASTTX_STOP: u32 = 1 << 9;
    pub const LASTRX_STOP: u32 = 1 << 12;
    pub const K100: u32 = 0x0198_0000;
    pub const ANACK: u32 = 1 << 1;
    pub const DNACK: u32 = 1 << 2;
}

const RAM: u32 = 0x2000_0000;
/// The accelerometer of the LSM303AGR, and its WHO_AM_I_A (register 0x0F reads 0x33).
const ACCELEROMETER: u32 = 0x19;
const WHO_AM_I: (u32, u32) = (0x0F, 0x33);

fn i2c_board() -> Host<Powered> {
    let mut host = built_in("microbit-v2");
    let mut adi = adi(&mut host, "microbit-v2");
    adi.connect().expect("a target");
    adi.halt().expect("halts");
    for (register, value) in [
        (GPIO_PIN_CNF + 4 * 8, INPUT_PULL_UP),
        (GPIO_PIN_CNF + 4 * 16, INPUT_PULL_UP),
        (twim::PSEL_SCL, 8),
        (twim::PSEL_SDA, 16),
        (twim::FREQUENCY, twim::K100),
        (twim::TXD_PTR, RAM),
        (twim::RXD_PTR, RAM + 4),
        (twim::RXD_MAXCNT, 1),
        (twim::TXD_MAXCNT, 1),
        (twim::SHORTS, twim::LASTTX_STOP | twim::LASTRX_STOP),
        (twim::ENABLE, 6),
    ] {
        adi.write_word(register, value).expect("a register");
    }
    host
}

/// A transfer of one byte: ERRORSRC, and how long it was until STOPPED, to a millisecond.
fn transfer(adi: &mut Adi<'_, Powered>, address: u32, task: u32) -> (u32, Span) {
    let start = adi.host().now();
    adi.write_word(twim::ADDRESS, address).expect("a register");
    adi.write_word(twim::STOPPED, 0).expect("a register");
    adi.write_word(task, 1).expect("a register");
    loop {
        adi.host().sleep(Span::us(500));
        let error = adi.read_word(twim::ERRORSRC).expect("a register");
        if error != 0 {
            adi.write_word(twim::ERRORSRC, error).expect("a register");
            adi.write_word(twim::STOP, 1).expect("a register");
        }
        if error != 0 || adi.read_word(twim::STOPPED).expect("a register") != 0 {
            return (error, adi.host().now().since(start));
        }
    }
}

/// Reads a register of a device: ERRORSRC of write and read, and the byte.
fn read_register(adi: &mut Adi<'_, Powered>, address: u32, register: u32) -> (u32, u32, u32) {
    adi.write_words(RAM, &[register, 0]).expect("RAM");
    let (written, _) = transfer(adi, address, twim::STARTTX);
    let (read, _) = if written == 0 { transfer(adi, address, twim::STARTRX) } else { (0, Span::ZERO) };
    (written, read, adi.read_word(RAM + 4).expect("RAM") & 0xFF)
}

#[test]
fn a_sensor_that_is_not_heard_does_not_answer_and_others_do() {
    let mut host = i2c_board();
    let mut adi = adi(&mut host, "microbit-v2");
    let (register, value) = WHO_AM_I;
    assert_eq!(read_register(&mut adi, ACCELEROMETER, register), (0, 0, value));
    let params = Params { value: Some(ACCELEROMETER), ..Params::default() };
    let fault = arm(adi.host().machine(), "i2c.nack", params.clone(), times(1));
    assert_eq!(read_register(&mut adi, 0x1E, 0x4F), (0, 0, 0x40), "the magnetometer's WHO_AM_I_M");
    assert_eq!(read_register(&mut adi, ACCELEROMETER, register).0, twim::ANACK);
    assert_eq!(read_register(&mut adi, ACCELEROMETER, register), (0, 0, value));
    let second = arm(adi.host().machine(), "i2c.nack", params, Plan { skip: 1, ..times(1) });
    assert_eq!(read_register(&mut adi, ACCELEROMETER, register).0, twim::DNACK, "the byte after the address");
    assert_eq!([strikes(&fault), strikes(&second)], [1, 1]);
    let fault = second.lock();
    let evidence = &fault.record().evidence()[0];
    assert_eq!(
        (evidence.place.as_str(), evidence.effect.as_str()),
        ("I2C address 0x19", "its acknowledge did not reach the master",)
    );
}

#[test]
fn a_bit_of_a_sensors_byte_is_inverted_and_a_held_clock_takes_its_time() {
    let mut host = i2c_board();
    let mut adi = adi(&mut host, "microbit-v2");
    let (register, value) = WHO_AM_I;
    // The first data byte is the register's number, the second what it reads.
    let params = Params { bit: Some(4), ..Params::default() };
    arm(adi.host().machine(), "i2c.flip", params, Plan { skip: 1, ..times(1) });
    assert_eq!(read_register(&mut adi, ACCELEROMETER, register), (0, 0, value ^ 0x10));
    let delay = Span::ms(40);
    arm(adi.host().machine(), "i2c.stretch", Params { delay: Some(delay), ..Params::default() }, times(2));
    let (error, took) = transfer(&mut adi, ACCELEROMETER, twim::STARTTX);
    assert_eq!(error, 0);
    assert!((Span::ms(80)..Span::ms(90)).contains(&took), "address and byte: {took:?}");
    assert_eq!(transfer(&mut adi, ACCELEROMETER, twim::STARTTX).0, 0);
}

#[test]
fn the_interface_chip_on_the_internal_bus_is_subject_to_the_same_faults() {
    const INTERFACE: u32 = 0x70;
    let mut host = i2c_board();
    let mut adi = adi(&mut host, "microbit-v2");
    adi.write_words(RAM, &[0x0B, 0]).expect("RAM");
    assert_eq!(transfer(&mut adi, INTERFACE, twim::STARTTX).0, 0, "it is there");
    let params = Params { value: Some(INTERFACE), ..Params::default() };
    let nack = arm(adi.host().machine(), "i2c.nack", params.clone(), times(1));
    assert_eq!(transfer(&mut adi, INTERFACE, twim::STARTTX).0, twim::ANACK);
    assert_eq!(transfer(&mut adi, INTERFACE, twim::STARTTX).0, 0);
    let delay = Some(Span::ms(40));
    let stretch = arm(adi.host().machine(), "i2c.stretch", Params { delay, ..params }, times(1));
    let (error, took) = transfer(&mut adi, INTERFACE, twim::STARTTX);
    assert_eq!(error, 0);
    assert!((Span::ms(40)..Span::ms(50)).contains(&took), "{took:?}");
    let open = arm(adi.host().machine(), "wire.open", on("INTERNAL_SDA"), always());
    assert_eq!(transfer(&mut adi, INTERFACE, twim::STARTTX).0, twim::ANACK);
    assert_eq!([strikes(&nack), strikes(&stretch)], [1, 1]);
    assert!(strikes(&open) > 0);
}

/// The registers of TWI0 of an nRF51822.
#[test]
fn a_sensor_of_a_v1_is_not_heard_either() {
    const TWI: u32 = 0x4000_3000;
    let mut host = built_in("microbit-v1");
    let mut adi = adi(&mut host, "microbit-v1");
    adi.connect().expect("a target");
    adi.halt().expect("halts");
    let setup = [(0x508, 0), (0x50C, 30), (0x524, 0x0198_0000), (0x500, 5), (0x588, 0x1D)];
    for (offset, value) in setup {
        adi.write_word(TWI + offset, value).expect("a register");
    }
    let write = |adi: &mut Adi<'_, Powered>| {
        adi.write_word(TWI + 0x51C, 0x0D).expect("TXD");
        adi.write_word(TWI + 0x008, 1).expect("STARTTX");
        adi.host().sleep(Span::ms(1));
        let error = adi.read_word(TWI + 0x4C4).expect("ERRORSRC");
        adi.write_word(TWI + 0x4C4, error).expect("ERRORSRC");
        let sent = adi.read_word(TWI + 0x11C).expect("TXDSENT");
        adi.write_word(TWI + 0x11C, 0).expect("TXDSENT");
        adi.write_word(TWI + 0x014, 1).expect("STOP");
        (error, sent)
    };
    assert_eq!(write(&mut adi), (0, 1), "the MMA8653 takes a register's number");
    let fault = arm(adi.host().machine(), "i2c.nack", Params::default(), times(1));
    assert_eq!(write(&mut adi), (2, 0), "ANACK");
    arm(adi.host().machine(), "i2c.stretch", Params { delay: Some(Span::ms(40)), ..Params::default() }, times(1));
    assert_eq!(write(&mut adi), (0, 0), "not over yet");
    adi.host().sleep(Span::ms(40));
    assert_eq!((write(&mut adi), strikes(&fault)), ((0, 1), 1));
}

#[test]
fn parameters_that_do_not_fit_the_board_are_named_with_what_there_is() {
    let mut host = built_in("microbit-v1");
    let mut refused = |point: &str, params: Params| {
        let point = fault::point(point).expect("a point");
        let fault = SharedFault::new(Fault::new("f", point, params, Plan::default(), 1));
        host.machine().arm(&fault).expect_err("does not fit")
    };
    let ArmError::Param { param: Param::Wire, message, .. } = refused("wire.open", on("INTERNAL_SDA")) else {
        panic!("another error")
    };
    assert!(message.starts_with("there is no wire INTERNAL_SDA; this board has UART_TO_TARGET, UART_FROM_TARGET, "));
    for (point, params, expected) in [
        (
            "swd.noise",
            Params { rate: Some(1.5), ..Params::default() },
            "swd.noise: a rate of 0 to 1 was expected, not 1.5",
        ),
        (
            "uart.baud",
            Params { factor: Some(0.0), ..Params::default() },
            "uart.baud: a factor of 0.001 to 1000 was expected, not 0",
        ),
        (
            "uart.flip",
            Params { bit: Some(16), ..Params::default() },
            "uart.flip: a bit of a character, 0 to 15, was expected, not 16",
        ),
        (
            "i2c.nack",
            Params { value: Some(0x80), ..Params::default() },
            "i2c.nack: a 7-bit address, 0 to 0x7f, was expected, not 0x80",
        ),
        (
            "i2c.flip",
            Params { bit: Some(8), ..Params::default() },
            "i2c.flip: a bit of a byte, 0 to 7, was expected, not 8",
        ),
    ] {
        assert_eq!(refused(point, params).to_string(), expected);
    }
    let alone = "name='x'\ntitle='X'\n[[chip]]\nname='i'\nmodel='daplink'\n";
    let mut board = BoardFile::parse(alone).and_then(|file| file.power_on(&PowerOn::default())).expect("a board");
    for (point, reason) in [
        ("swd.swdio-open", "it has no debug wires with a chip at their end"),
        ("uart.drop", "it has no serial lines"),
        ("i2c.nack", "it has no I2C bus"),
    ] {
        let spec = fault::point(point).expect("a point");
        let fault = SharedFault::new(Fault::new("f", spec, Params::default(), Plan::default(), 1));
        let expected = ArmError::NotHere { point: point.into(), reason: reason.into() };
        assert_eq!(board.arm(&fault), Err(expected));
    }
}

/// Every point of wires, and that of a clock that is off, with parameters that it takes.
fn all_points() -> Vec<(&'static str, Params)> {
    let families = ["swd.", "wire.", "uart.", "i2c.", "clock.offset"];
    let points = fault::points().filter(|point| families.iter().any(|family| point.name.starts_with(family)));
    let params = |needed: &[twinboard_sim::fault::ParamUse]| {
        let has = |param| needed.iter().any(|taken| taken.needed && taken.param == param);
        Params {
            wire: has(Param::Wire).then(|| TO_TARGET.into()),
            level: has(Param::Level).then_some(false),
            rate: has(Param::Rate).then_some(0.5),
            factor: has(Param::Factor).then_some(2.0),
            ppm: has(Param::Ppm).then_some(20_000),
            ..Params::default()
        }
    };
    points.map(|point| (point.name, params(point.params))).collect()
}

/// Drops a program, says something, and gives back the trace of all wires.
pub fn trace(
    driver: twinboard_sim::board::Driver,
    faults: &[(&str, Params, Plan)],
    seed: u64,
) -> (TraceHash, Time, Vec<u64>) {
    let file = BoardFile::built_in("microbit-v2").expect("built in");
    let mut powered = file.power_on(&PowerOn { driver, watch_wires: true, ..PowerOn::default() }).expect("a board");
    let hash = Arc::new(Mutex::new(TraceHash::default()));
    powered.board.add_sink(Box::new(hash.clone()));
    let faults: Vec<SharedFault> = faults
        .iter()
        .map(|(name, params, plan)| {
            let point = fault::point(name).expect("a point");
            let fault = SharedFault::new(Fault::new(name, point, params.clone(), plan.clone(), seed));
            powered.arm(&fault).expect(name);
            fault
        })
        .collect();
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    drop_file(&mut host, ECHO_V2);
    open(&mut host);
    say(&mut host, b"Hello, wires");
    let hash = *hash.lock();
    (hash, host.now(), faults.iter().map(strikes).collect())
}

#[test]
fn faults_that_never_strike_leave_the_trace_as_it_is() {
    use twinboard_sim::board::Driver::Stepped;
    let (good, end, _) = trace(Stepped, &[], 1);
    assert!(good.edges() > 100_000);
    let points = all_points();
    assert_eq!(points.len(), 20);
    // One begins too late; the other has every opportunity, and no luck.
    for plan in [Plan { start: Time::NEVER, ..Plan::default() }, Plan { probability: 0.0, ..always() }] {
        let faults: Vec<_> = points.iter().map(|(name, params)| (*name, params.clone(), plan.clone())).collect();
        assert_eq!(trace(Stepped, &faults, 1), (good, end, vec![0; faults.len()]));
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_threaded_and_stepped_and_another_seed_another() {
    use twinboard_sim::board::Driver::{Stepped, Threaded};
    let unlikely = |probability| Plan { probability, ..always() };
    let noise = Params { rate: Some(2e-6), ..Params::default() };
    let slow = Params { factor: Some(1.5), ..Params::default() };
    let faults = [
        ("swd.noise", noise, always()),
        ("swd.wait", Params::default(), unlikely(0.01)),
        ("uart.flip", Params::default(), unlikely(0.3)),
        ("uart.baud", slow, unlikely(0.3)),
    ];
    let first = trace(Stepped, &faults, 1);
    assert!(first.2[1] > 0 && first.2[2] > 0, "{:?}", first.2);
    assert_eq!(first, trace(Stepped, &faults, 1));
    assert_eq!(first, trace(Threaded, &faults, 1));
    assert_ne!(first.0, trace(Stepped, &faults, 2).0);
}

/// The nRF52820 with our own interface firmware, which bangs SWD and drives a UART register by register.
#[test]
fn an_emulated_interface_chip_meets_the_same_wires() {
    let image = Image::parse(Path::new("interface.hex"), OWN_V2_2, BlockIds(&[]), 0).expect("an image");
    let target = Image::parse(Path::new("echo.hex"), ECHO_V2, BlockIds(&[]), 0).expect("an image");
    let interface = Some(InterfaceProgram { image: &image, start: Start::Reset });
    let options = PowerOn { interface, target: Some(&target), ..PowerOn::default() };
    let file = BoardFile::built_in("microbit-v2").expect("built in");
    let mut host = Host::new(file.power_on(&options).expect("a board"));
    host.enumerate().expect("enumerates");
    let dpidr = |host: &mut Host<Powered>| host.control_in([0xC0, 1, 0, 0, 0, 0, 4, 0]).ok();
    let good = Some(0x2BA0_1477u32.to_le_bytes().to_vec());
    assert_eq!(dpidr(&mut host), good);
    let low = Params { level: Some(false), ..Params::default() };
    let broken = [
        ("swd.swdio-open", Params::default()),
        ("swd.swclk-open", Params::default()),
        ("swd.swdio-stuck", low),
        ("swd.swapped", Params::default()),
        ("swd.parity", Params::default()),
        ("swd.target-reset", Params::default()),
        ("swd.noise", Params { rate: Some(0.2), ..Params::default() }),
    ];
    for (point, params) in broken {
        // Half a millisecond is enough for the request, and the next one is after it.
        let plan = Plan { lasting: Lasting::For(Span::us(500)), ..Plan::default() };
        let fault = arm(host.machine(), point, params, plan);
        // Of the pull-up after fifteen bits the parity happens to be right.
        let cut = (point == "swd.target-reset").then(|| 0xFFFF_9477u32.to_le_bytes().to_vec());
        assert_eq!(dpidr(&mut host), cut, "{point}");
        assert!(strikes(&fault) > 0, "{point}");
        host.sleep(Span::ms(1));
        assert_eq!(dpidr(&mut host), good, "after {point}");
    }
    open(&mut host);
    arm(host.machine(), "uart.drop", on(TO_TARGET), Plan { skip: 1, ..times(1) });
    arm(host.machine(), "uart.flip", Params { bit: Some(1), ..on(FROM_TARGET) }, times(1));
    assert_eq!(say(&mut host, b"abc"), [b'a' ^ 1, b'c']);
}
