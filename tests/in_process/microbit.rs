//! The whole micro:bit: files through drive, wire and flash algorithm into the target's flash, and the program runs.

use twinboard_models::daplink::Error;
use twinboard_models::nordic::Options;
use twinboard_sim::time::Span;
use twinboard_usbip::host::serial::LineCoding;

use crate::bench::{MicroBit, hex, program};

const ECHO: &[(u32, &[u8])] = &[
    (9_600, include_bytes!("../../firmware/nrf52833/echo-9600.hex")),
    (115_200, include_bytes!("../../firmware/nrf52833/echo-115200.hex")),
    (1_000_000, include_bytes!("../../firmware/nrf52833/echo-1000000.hex")),
];

#[test]
fn a_dropped_program_runs_greets_and_echoes_at_every_baud_rate() {
    let mut board = MicroBit::new(&Options::default());
    for (baud, file) in ECHO {
        let copied = board.drop_file("echo.hex", file);
        assert!(copied.is_success(), "{copied:?}");
        let mut serial = board.host.serial().expect("a serial port");
        serial.set_line_coding(LineCoding::new(*baud)).expect("takes it");
        serial.read().expect("is open");
        // A break resets the target, so that it greets again.
        serial.send_break(Span::ms(290)).expect("takes it");
        assert_eq!(serial.read_until(b"echo\r\n", Span::secs(2)).expect("is open"), b"echo\r\n", "{baud}");
        let text: Vec<u8> = (0..200u8).collect();
        serial.write(&text, Span::secs(2)).expect("is taken");
        assert_eq!(serial.read_until(&[199], Span::secs(2)).expect("is open"), text, "{baud}");
    }
}

#[test]
fn what_is_dropped_is_in_flash_and_the_rest_is_erased() {
    let mut board = MicroBit::new(&Options::default());
    let large = program(60_000);
    assert!(board.drop_file("large.hex", &hex(&large)).is_success());
    assert!(board.flash(60_000) == large);
    let small = program(1_000);
    assert!(board.drop_file("small.bin", &small).is_success());
    let flash = board.flash(0x8_0000);
    assert_eq!(flash[..1_000], small);
    assert!(flash[1_024..].iter().all(|&byte| byte == 0xff));
}

#[test]
fn a_failed_drop_leaves_a_program_that_shows_the_error() {
    // The number is 500 and the code, behind the mark 0xFACEC0DE.
    let mut board = MicroBit::new(&Options::default());
    let mut file = hex(&program(2_000));
    file[200] = if file[200] == b'0' { b'1' } else { b'0' };
    let copied = board.drop_file("app.hex", &file);
    assert_eq!(copied.fail, Some(Error::HexChecksum.fail_txt()));
    let flash = board.flash(4_096);
    let mark = flash.windows(4).position(|window| window == 0xface_c0de_u32.to_le_bytes()).expect("the mark");
    assert_eq!(u16::from_le_bytes([flash[mark + 4], flash[mark + 5]]), 521);
    assert!(board.drop_file("good.hex", &hex(&program(3_000))).is_success());
}

#[test]
fn a_locked_target_cannot_be_programmed_and_says_so() {
    // daplink.md, section 6.2: this firmware never unlocks; UICR.APPROTECT = 0 locks.
    let locked = Options { image: vec![(0x1000_1208, vec![0, 0, 0, 0])], ..Options::default() };
    let mut board = MicroBit::new(&locked);
    let copied = board.drop_file("app.hex", &hex(&program(1_000)));
    assert_eq!(copied.fail, Some(Error::Reset.fail_txt()));
    assert!(board.flash(0x8_0000).iter().all(|&byte| byte == 0xff));
}
