//! What the interface firmware does to its target, seen from the cable: serial port, breaks, debug commands, erase modes.

use twinboard_models::daplink::flash::algorithm::NRF52;
use twinboard_models::daplink::{DapLinkConfig, Settings};
use twinboard_models::nordic::Options;
use twinboard_sim::time::Span;
use twinboard_usbip::host::adi::{Call, register};
use twinboard_usbip::host::serial::LineCoding;

use crate::bench::{MicroBit, program};

const ECHO_9600: &[u8] = include_bytes!("../../firmware/nrf52833/echo-9600.hex");
const ECHO_115200: &[u8] = include_bytes!("../../firmware/nrf52833/echo-115200.hex");
const DEMO: &[u8] = include_bytes!("../../firmware/nrf52833/demo.hex");
const GREETING: &[u8] = b"Hello from the micro:bit's nRF52833!\r\n";

/// WFI; branch back to it.
const WAIT_FOR_EVER: [u8; 4] = [0x30, 0xbf, 0xfd, 0xe7];

#[test]
fn half_a_megabyte_is_programmed_and_read_back() {
    let mut board = MicroBit::new(&Options::default());
    let mut file = program(500_000);
    file[0x100..0x104].copy_from_slice(&WAIT_FOR_EVER);
    let copied = board.drop_file("app.bin", &file);
    assert!(copied.is_success(), "{copied:?}");
    assert!(board.flash(file.len()) == file);
}

#[test]
fn a_break_resets_the_target_which_greets_again() {
    let mut board = MicroBit::new(&Options::default());
    assert!(board.drop_file("demo.hex", DEMO).is_success());
    let mut serial = board.host.serial().expect("a serial port");
    serial.read_for(Span::ms(500)).expect("what was said before");
    assert_eq!(serial.read_for(Span::ms(500)), Ok(Vec::new()), "it has nothing more to say");
    serial.send_break(Span::ms(250)).expect("breaks");
    let said = serial.read_until(GREETING, Span::secs(1)).expect("reads");
    assert!(said.ends_with(GREETING), "{:?}", String::from_utf8_lossy(&said));
}

#[test]
fn while_the_break_lasts_the_target_is_held_in_reset() {
    let mut board = MicroBit::new(&Options::default());
    assert!(board.drop_file("echo.hex", ECHO_115200).is_success());
    let mut serial = board.host.serial().expect("a serial port");
    serial.read_for(Span::ms(200)).expect("what was said before");
    let interface = 1;
    board.host.control_out([0x21, 0x23, 0xff, 0xff, interface, 0, 0, 0], &[]).expect("SEND_BREAK");
    let mut serial = board.host.serial().expect("a serial port");
    serial.write(b"anybody?", Span::secs(1)).expect("sends");
    assert_eq!(serial.read_for(Span::ms(200)), Ok(Vec::new()));
}

#[test]
fn at_another_baud_rate_the_echo_is_something_else() {
    let mut board = MicroBit::new(&Options::default());
    assert!(board.drop_file("echo.hex", ECHO_9600).is_success());
    let mut serial = board.host.serial().expect("a serial port");
    serial.set_line_coding(LineCoding::new(19_200)).expect("takes it");
    serial.write(b"hello", Span::secs(1)).expect("sends");
    let answer = serial.read_for(Span::ms(500)).expect("reads");
    assert!(!answer.is_empty(), "something comes back");
    assert!(!answer.windows(5).any(|window| window == b"hello"), "{answer:?}");
}

#[test]
fn bytes_that_nobody_fetches_overflow_with_a_mark() {
    // The boards are sold with overflow detection switched off.
    let config = DapLinkConfig { settings: Settings::default(), ..DapLinkConfig::default() };
    let mut board = MicroBit::configured(&Options::default(), config);
    assert!(board.drop_file("echo.hex", ECHO_115200).is_success());
    board.host.serial().expect("a serial port").close();
    // What was read ahead takes the first bytes; then the endpoint, its buffer and the ring fill.
    let mut dap = board.host.dap_v2().expect("a probe");
    for _ in 0..200 {
        let mut write = vec![0x84, 60];
        write.extend([b'x'; 60]);
        assert_eq!(dap.command(&write), Ok(vec![1]));
        dap.host().sleep(Span::ms(6));
    }
    dap.host().sleep(Span::ms(200));
    let mut received = Vec::new();
    loop {
        let answer = dap.command(&[0x83]).expect("UART_Read");
        let [count, data @ ..] = &answer[..] else { panic!("no count") };
        if *count == 0 {
            break;
        }
        received.extend_from_slice(&data[..usize::from(*count)]);
    }
    assert!(received.ends_with(b"x<DAPLink:Overflow>\n"), "{:?}", String::from_utf8_lossy(&received));
    assert_eq!(received.len(), 511);
}

#[test]
fn a_debugger_halts_steps_and_resets_over_hid_and_over_bulk() {
    for version in [1, 2] {
        let mut board = MicroBit::new(&Options::default());
        assert!(board.drop_file("demo.hex", DEMO).is_success());
        let dap = if version == 1 { board.host.dap_v1() } else { board.host.dap_v2() };
        let mut adi = dap.expect("a probe").adi();
        assert_eq!(adi.connect(), Ok(0x2ba0_1477));
        adi.reset_and_halt().expect("halts");
        let (stack, entry) = (adi.read_word(0).expect("flash"), adi.read_word(4).expect("flash"));
        assert_eq!(adi.read_register(register::SP), Ok(stack));
        assert_eq!(adi.read_register(register::PC), Ok(entry & !1));
        adi.step().expect("steps");
        assert_ne!(adi.read_register(register::PC), Ok(entry & !1));
        adi.reset_and_run().expect("runs");
        adi.disconnect().expect("disconnects");
        let mut serial = board.host.serial().expect("a serial port");
        let said = serial.read_until(GREETING, Span::secs(1)).expect("reads");
        assert!(said.ends_with(GREETING), "{version}: {:?}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn a_debuggers_flash_algorithm_runs_in_ram_and_programs_flash() {
    let mut board = MicroBit::new(&Options::default());
    let mut adi = board.host.dap_v2().expect("a probe").adi();
    adi.connect().expect("connects");
    adi.reset_and_halt().expect("halts");
    let blob: Vec<u32> = NRF52.blob.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    adi.write_words(NRF52.load, &blob).expect("downloads");
    let call = |entry, arguments| Call {
        entry,
        arguments,
        static_base: NRF52.frame.static_base,
        stack: NRF52.frame.stack_pointer,
        breakpoint: NRF52.load,
    };
    assert_eq!(adi.call(&call(NRF52.erase_sector, [0x3000, 0, 0, 0]), Span::secs(1)), Ok(0));
    let words: Vec<u32> = (0..128).map(|i| i * 0x0101_0101).collect();
    adi.write_words(NRF52.buffer, &words).expect("downloads");
    let program = call(NRF52.program_page, [0x3000, 512, NRF52.buffer, 0]);
    assert_eq!(adi.call(&program, Span::secs(1)), Ok(0));
    assert_eq!(adi.read_words(0x3000, 128).expect("flash"), words);
}

#[test]
fn a_drop_while_a_debugger_is_connected_takes_its_settings_away() {
    let mut board = MicroBit::new(&Options::default());
    let mut adi = board.host.dap_v2().expect("a probe").adi();
    adi.connect().expect("connects");
    assert!(board.drop_file("echo.hex", ECHO_115200).is_success());
    // DAP_Transfer of a disconnected probe: nothing done, no acknowledge.
    let mut dap = board.host.dap_v2().expect("a probe");
    assert_eq!(dap.command(&[0x05, 0, 1, 0x02]), Ok(vec![0, 0]));
}

#[test]
fn page_erase_by_vendor_command_keeps_the_rest_of_the_flash() {
    let mut board = MicroBit::new(&Options { image: vec![(0x4_0000, vec![1, 2, 3, 4])], ..Options::default() });
    board.host.dap_v2().expect("a probe").status_command(&[0x8d, 1]).expect("SelectEraseMode");
    assert!(board.drop_file("echo.hex", ECHO_115200).is_success());
    assert_eq!(board.flash(0x4_0004)[0x4_0000..], [1, 2, 3, 4]);
    board.host.dap_v2().expect("a probe").status_command(&[0x8d, 0]).expect("SelectEraseMode");
    assert!(board.drop_file("echo.hex", ECHO_115200).is_success());
    assert_eq!(board.flash(0x4_0004)[0x4_0000..], [0xff; 4]);
}

#[test]
fn the_vendor_stream_programs_a_file_without_the_drive() {
    let mut board = MicroBit::new(&Options::default());
    let mut dap = board.host.dap_web().expect("a probe");
    assert_eq!(dap.command(&[0x8a, 1]).map(|a| a[0]), Ok(0), "MSD_Open");
    let mut last = 0;
    for piece in ECHO_115200.chunks(62) {
        let mut write = vec![0x8c, piece.len() as u8];
        write.extend_from_slice(piece);
        last = dap.command(&write).expect("MSD_Write")[0];
        assert!([0, 19, 20].contains(&last), "{last}");
    }
    assert_eq!(last, 19, "the end record ends the stream");
    assert_eq!(dap.command(&[0x8b]).map(|a| a[0]), Ok(0), "MSD_Close");
    let mut serial = board.host.serial().expect("a serial port");
    serial.write(b"echo?", Span::secs(1)).expect("sends");
    let answer = serial.read_until(b"echo?", Span::secs(1)).expect("reads");
    assert!(answer.ends_with(b"echo?"), "{answer:?}");
}
