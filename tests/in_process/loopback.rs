//! The program that DAPLink's test suite wants in the target: its own words for a session, and the echo at every rate.

use twinboard_sim::time::Span;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::serial::LineCoding;

use crate::bench::built_in;

const PROGRAMS: &[(&str, &[u8])] = &[
    ("microbit-v1", include_bytes!("../../firmware/nrf51822/loopback.hex")),
    ("microbit-v2", include_bytes!("../../firmware/nrf52833/loopback.hex")),
];

#[test]
fn the_loopback_program_changes_its_rate_on_demand_and_echoes_every_byte() {
    for (name, file) in PROGRAMS {
        let mut host = built_in(name);
        let copied = host.drive().expect("a drive").copy("loopback.hex", file, WriteOrder::LinuxFlush);
        assert!(copied.expect("copies").is_success(), "{name}");
        let mut serial = host.serial().expect("a serial port");
        for baud in [9_600, 14_400, 19_200, 28_800, 38_400, 57_600, 115_200] {
            serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
            serial.send_break(Span::ms(250)).expect("takes it");
            assert!(ends_with(&serial.read_until(b"{init}", Span::secs(1)).expect("is open"), b"{init}"), "{name} {baud}");
            // A rate that it does not have is just echoed.
            let commands = format!("{{baud:31250}}{{{{baud:{baud}}}");
            serial.write(commands.as_bytes(), Span::secs(1)).expect("is taken");
            let echo = serial.read_for(Span::ms(100)).expect("is open");
            assert_eq!(String::from_utf8_lossy(&echo), commands, "{name}");
            serial.set_line_coding(LineCoding::new(baud)).expect("takes it");
            assert_eq!(serial.read_until(b"{change}", Span::secs(1)), Ok(b"{change}".to_vec()), "{name} {baud}");
            // In a session everything is data.
            let mut data: Vec<u8> = b"{baud:9600}".to_vec();
            data.extend((0..1_024).map(|n| n as u8));
            serial.write(&data, Span::secs(5)).expect("is taken");
            let mut echo = Vec::new();
            while echo.len() < data.len() {
                let more = serial.read_for(Span::ms(50)).expect("is open");
                if more.is_empty() {
                    break;
                }
                echo.extend(more);
            }
            assert!(echo == data, "{name} {baud}: {} of {} bytes came back", echo.len(), data.len());
        }
    }
}

/// What came before the reset's end may stand in front.
fn ends_with(heard: &[u8], word: &[u8]) -> bool {
    heard.ends_with(word) && heard.len() < 2 * word.len()
}
