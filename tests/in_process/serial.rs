//! The serial port's requests.

use twinboard_sim::time::Span;
use twinboard_usbip::host::serial::LineCoding;

use crate::bench::Bench;

#[test]
fn the_line_coding_persists_and_breaks_and_control_lines_are_taken() {
    let mut bench = Bench::new();
    let mut serial = bench.host.serial().expect("a serial port");
    for baud in [9_600, 115_200, 1_000_000] {
        serial.set_line_coding(LineCoding::new(baud)).expect("takes it");
        assert_eq!(serial.line_coding().expect("tells it"), LineCoding::new(baud));
    }
    serial.set_control_lines(false, true).expect("takes it");
    serial.send_break(Span::ms(290)).expect("takes it");
    assert_eq!(serial.read_for(Span::ms(100)), Ok(Vec::new()), "nothing is connected");
    serial.close();
}

#[test]
fn bytes_to_a_target_that_does_not_listen_are_still_taken() {
    let mut bench = Bench::new();
    let mut serial = bench.host.serial().expect("a serial port");
    serial.write(&[0x55; 3_000], Span::secs(2)).expect("the UART sends them out");
}
