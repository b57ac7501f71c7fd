//! The whole micro:bit V1: files through drive, wire and flash algorithm into the target's flash, and the program runs.

use twinboard_models::board::Powered;
use twinboard_models::daplink::Error;
use twinboard_models::daplink::personality::MICROBIT_V1;
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::{Copied, WriteOrder};
use twinboard_usbip::host::serial::LineCoding;

use crate::bench::{built_in, hex, program};

const DEMO: &[u8] = include_bytes!("../../firmware/nrf51822/demo.hex");
const ECHO: &[(u32, &[u8])] = &[
    (9_600, include_bytes!("../../firmware/nrf51822/echo-9600.hex")),
    (115_200, include_bytes!("../../firmware/nrf51822/echo-115200.hex")),
];
const GREETING: &[u8] = b"Hello from the micro:bit's nRF51822!\r\n";

fn drop_file(host: &mut Host<Powered>, name: &str, file: &[u8]) -> Copied {
    host.drive().expect("a drive").copy(name, file, WriteOrder::LinuxFlush).expect("copies")
}

/// The first `length` bytes of the target's flash.
fn flash(host: &mut Host<Powered>, length: usize) -> Vec<u8> {
    host.machine().target().expect("a target").lock().flash()[..length].to_vec()
}

#[test]
fn a_dropped_program_greets_and_echoes() {
    let mut host = built_in("microbit-v1");
    for (baud, file) in ECHO {
        let copied = drop_file(&mut host, "echo.hex", file);
        assert!(copied.is_success(), "{copied:?}");
        let mut serial = host.serial().expect("a serial port");
        serial.set_line_coding(LineCoding::new(*baud)).expect("takes it");
        serial.read().expect("is open");
        // A break resets the target through its SWDIO, so that it greets again. At its end the interface attaches before
        // the last reset, in which time the target may begin to greet.
        serial.send_break(Span::ms(290)).expect("takes it");
        let heard = serial.read_until(b"echo\r\n", Span::secs(2)).expect("is open");
        assert!(heard.ends_with(b"echo\r\n") && heard.len() < 10, "{baud}: {heard:?}");
        let text: Vec<u8> = (0..200u8).collect();
        serial.write(&text, Span::secs(2)).expect("is taken");
        assert_eq!(serial.read_until(&[199], Span::secs(2)).expect("is open"), text, "{baud}");
    }
}

#[test]
fn the_demo_shows_its_heart_and_the_reset_button_starts_it_again() {
    let mut host = built_in("microbit-v1");
    assert!(drop_file(&mut host, "demo.hex", DEMO).is_success());
    let heart = [".#.#.", "#####", "#####", ".###.", "..#.."];
    let lit = |host: &mut Host<Powered>| -> Vec<String> {
        let screen = host.machine().screen().expect("a matrix");
        screen.lines().map(|line| line.chars().map(|c| if c == '0' { '.' } else { '#' }).collect()).collect()
    };
    assert_eq!(lit(&mut host), heart);
    let mut serial = host.serial().expect("a serial port");
    serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
    // What came at the wrong baud rate before.
    serial.read_for(Span::ms(50)).expect("is open");
    serial.close();
    host.machine().press("reset", true).expect("a button");
    host.sleep(Span::ms(300));
    assert_eq!(lit(&mut host), ["....."; 5], "the target is held in reset");
    let mut serial = host.serial().expect("a serial port");
    assert_eq!(serial.read_for(Span::ms(200)), Ok(Vec::new()));
    serial.close();
    host.machine().press("reset", false).expect("a button");
    let mut serial = host.serial().expect("a serial port");
    let heard = serial.read_until(GREETING, Span::secs(1)).expect("is open");
    assert!(heard.ends_with(GREETING), "{:?}", String::from_utf8_lossy(&heard));
    serial.close();
    host.machine().press("A", true).expect("a button");
    let mut serial = host.serial().expect("a serial port");
    let heard = serial.read_until(b"button A\r\n", Span::secs(1)).expect("is open");
    assert!(heard.ends_with(b"button A\r\n"));
    serial.close();
    host.sleep(Span::ms(200));
    assert_eq!(lit(&mut host), heart);
}

#[test]
fn what_is_dropped_is_in_flash_and_the_rest_is_erased() {
    let mut host = built_in("microbit-v1");
    let mut large = program(60_000);
    large[..4].copy_from_slice(&0x2000_4000u32.to_le_bytes());
    assert!(drop_file(&mut host, "large.hex", &hex(&large)).is_success());
    assert!(flash(&mut host, 60_000) == large);
    let small = &large[..1_000];
    assert!(drop_file(&mut host, "small.bin", small).is_success());
    let after = flash(&mut host, 0x4_0000);
    assert_eq!(after[..1_000], *small);
    assert!(after[1_024..].iter().all(|&byte| byte == 0xff));
    assert!(drop_file(&mut host, "ERASE.ACT", b"").fail.is_none());
    assert!(flash(&mut host, 0x4_0000).iter().all(|&byte| byte == 0xff));
}

#[test]
fn addresses_that_go_back_are_an_internal_error_and_an_assertion() {
    let mut host = built_in("microbit-v1");
    // 16 bytes each at 0x400 and 0x000, after 48 bytes from which the firmware learns what it is.
    let line = |address: u16| {
        let sum = (16 + (address >> 8) + (address & 0xff)) as u8;
        format!(":10{address:04X}00{}{:02X}\n", "00".repeat(16), sum.wrapping_neg())
    };
    let file: String = [0x400, 0x410, 0x420, 0x000].map(line).concat() + ":00000001FF\n";
    let copied = drop_file(&mut host, "back.hex", file.as_bytes());
    assert_eq!(copied.fail, Some(MICROBIT_V1.errors.fail_txt(Error::Internal)));
    let assert = host.drive().expect("a drive").read_file("ASSERT.TXT").expect("reads").expect("is there");
    let text = String::from_utf8_lossy(&assert).into_owned();
    assert!(text.contains("flash_manager.c\r\nLine: 131\r\n"), "{text}");
    assert!(flash(&mut host, 0x4_0000).iter().all(|&byte| byte == 0xff), "no error program is written");
}

#[test]
fn a_drop_is_bound_by_the_nrf51s_flash() {
    // No figure of a real board is at hand; the nRF51's flash alone needs 46 µs for a word (reference manual, NVMC).
    let mut host = built_in("microbit-v1");
    let copied = drop_file(&mut host, "app.hex", &hex(&program(60_000)));
    assert!(copied.is_success());
    let least = Span::us(46) * 15_000;
    assert!(copied.writing > least && copied.writing < least * 5, "{:?}", copied.writing);
}
