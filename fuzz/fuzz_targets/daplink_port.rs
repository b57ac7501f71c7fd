//! USB tokens to a native board: four bytes say which, the rest of a packet follows.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twinboard_models::daplink::{DapLink, DapLinkConfig};
use twinboard_models::debug::open::open_wire;
use twinboard_sim::chip::Chip;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::{Handshake, MAX_PACKET};

struct Board {
    chip: DapLink,
    now: Time,
}

impl Board {
    fn wait(&mut self, span: Span) {
        self.now += span;
        let mut edges = Vec::new();
        while self.chip.now() < self.now {
            self.chip.advance(self.now, &mut edges);
        }
    }

    /// Configures the device as a host does.
    fn configure(&mut self) {
        let now = self.now;
        let Some(port) = self.chip.usb() else { return };
        port.bus_reset(now);
        let handshake = port.setup(now, 0, 0, [0x00, 9, 1, 0, 0, 0, 0, 0]);
        assert_eq!(handshake, Handshake::Ack);
        self.wait(Span::ms(1));
        if let Some(port) = self.chip.usb() {
            let _ = port.r#in(self.now, 0, 0, &mut [0; MAX_PACKET]);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut board = Board { chip: DapLink::new(DapLinkConfig::default(), open_wire()), now: Time::ZERO };
    board.wait(Span::ms(1_100));
    board.configure();
    let mut toggles = [false; 8];
    let mut rest = input;
    while let Some((&[kind, endpoint, length, wait], tail)) = rest.split_first_chunk::<4>() {
        let (data, tail) = tail.split_at(tail.len().min(usize::from(length) % (MAX_PACKET + 1)));
        rest = tail;
        board.wait(Span::us(u64::from(wait) * u64::from(wait)));
        let (now, endpoint) = (board.now, endpoint % 8);
        let Some(port) = board.chip.usb() else { return };
        match kind % 8 {
            0 => {
                if let Some(setup) = data.first_chunk() {
                    let _ = port.setup(now, 0, endpoint, *setup);
                }
            }
            1..=3 => {
                let toggle = &mut toggles[usize::from(endpoint)];
                if port.out(now, 0, endpoint, *toggle, data) == Handshake::Ack {
                    *toggle = !*toggle;
                }
            }
            4..=6 => {
                let _ = port.r#in(now, 0, endpoint, &mut [0; MAX_PACKET]);
            }
            _ => {
                board.configure();
                toggles = [false; 8];
            }
        }
    }
});
