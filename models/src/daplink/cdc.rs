//! The serial port (CDC-ACM, PSTN120): line coding, control lines, break, and the bytes between the host and the UART.
//!
//! Bytes for the host are collected in a buffer of one packet. Sending starts with a start of frame and then goes on
//! as fast as the host fetches; a transfer that ends with a full packet is ended by an empty one. Bytes from the host
//! go packet by packet: the next one is acknowledged when the last has gone to the UART's buffer.
//!
//! With some versions of the firmware any change of the control lines clears the buffers. A break resets the target: SEND_BREAK with a duration holds it
//! in reset, SEND_BREAK with 0 lets it run; neither while the target is being programmed.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::MAX_PACKET;

use super::descriptors::endpoint;
use super::shared::Core;
use super::swd_host::TargetState;
use super::uart::{Format, StopBits};
use crate::native::endpoints::CAPACITY;

/// Between two starts of frame.
const FRAME: u64 = Span::ms(1).0;

/// The payload of SET_LINE_CODING and GET_LINE_CODING (PSTN120 §6.3.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineCoding {
    /// dwDTERate, bits per second.
    pub baud: u32,
    /// bCharFormat: 0 one stop bit, 1 one and a half, 2 two.
    pub stop_bits: u8,
    /// bParityType: 0 none, 1 odd, 2 even, 3 mark, 4 space.
    pub parity: u8,
    /// bDataBits.
    pub data_bits: u8,
}

impl LineCoding {
    /// `baud`, 8 data bits, no parity, one stop bit.
    #[must_use]
    pub fn of(baud: u32) -> LineCoding {
        LineCoding { baud, stop_bits: 0, parity: 0, data_bits: 8 }
    }

    /// Length of the payload.
    pub const LENGTH: usize = 7;

    /// Parses the payload; none if it is too short.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<LineCoding> {
        let [b0, b1, b2, b3, stop_bits, parity, data_bits] = *bytes.first_chunk()?;
        Some(LineCoding { baud: u32::from_le_bytes([b0, b1, b2, b3]), stop_bits, parity, data_bits })
    }

    /// The payload.
    #[must_use]
    pub fn to_bytes(self) -> [u8; LineCoding::LENGTH] {
        let [b0, b1, b2, b3] = self.baud.to_le_bytes();
        [b0, b1, b2, b3, self.stop_bits, self.parity, self.data_bits]
    }

    fn format(self) -> Format {
        let stop_bits = match self.stop_bits {
            1 => StopBits::OneAndAHalf,
            2 => StopBits::Two,
            _ => StopBits::One,
        };
        let data_bits = if matches!(self.data_bits, 5..=7) { self.data_bits } else { 8 };
        let parity = if matches!(self.parity, 1 | 2) { self.parity } else { 0 };
        Format { baud: self.baud, data_bits, parity, stop_bits }
    }
}

/// Where the IN endpoint stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sending {
    /// Nothing on its way; sending begins with the next start of frame.
    Idle,
    /// A packet of this length is at the endpoint.
    Packet(usize),
}

/// The serial port's USB side.
#[derive(Debug)]
pub struct Cdc {
    coding: LineCoding,
    control_lines: u16,
    /// For the host.
    to_host: [u8; MAX_PACKET],
    to_host_len: usize,
    sending: Sending,
    /// When the bytes in `to_host` began to wait for a start of frame.
    start_of_frame: Time,
    /// From the host: a packet, and how much of it has gone to the UART.
    from_host: [u8; CAPACITY],
    from_host_len: usize,
    from_host_done: usize,
    /// The target is to be reset by the main loop.
    reset_wanted: bool,
}

impl Cdc {
    /// A port at `baud`.
    #[must_use]
    pub fn new(baud: u32) -> Cdc {
        Cdc {
            coding: LineCoding::of(baud),
            control_lines: 0,
            to_host: [0; MAX_PACKET],
            to_host_len: 0,
            sending: Sending::Idle,
            start_of_frame: Time::NEVER,
            from_host: [0; CAPACITY],
            from_host_len: 0,
            from_host_done: 0,
            reset_wanted: false,
        }
    }

    /// A bus reset: everything is as after power-on, the line coding too.
    pub fn bus_reset(&mut self, core: &mut Core) {
        let reset_wanted = self.reset_wanted;
        let baud = core.config.personality().serial.baud;
        *self = Cdc { reset_wanted, ..Cdc::new(baud) };
        core.uart.clear(core.clock.now());
        self.set_line_coding(core, LineCoding::of(baud));
    }

    /// The device was configured: the OUT endpoint takes its first packet.
    pub fn configured(&mut self, core: &mut Core) {
        (self.to_host_len, self.sending) = (0, Sending::Idle);
        (self.from_host_len, self.from_host_done) = (0, 0);
        core.usb.arm(endpoint::CDC, MAX_PACKET);
    }

    /// GET_LINE_CODING. What was refused is reported all the same.
    #[must_use]
    pub fn line_coding(&self) -> LineCoding {
        self.coding
    }

    /// SET_LINE_CODING; false if the UART cannot do that, and the request is to be refused.
    pub fn set_line_coding(&mut self, core: &mut Core, coding: LineCoding) -> bool {
        self.coding = coding;
        core.uart.configure(core.clock.now(), coding.format())
    }

    /// SET_CONTROL_LINE_STATE: DTR in bit 0, RTS in bit 1.
    pub fn set_control_line_state(&mut self, core: &mut Core, lines: u16) {
        if lines != self.control_lines {
            self.control_lines = lines;
            if core.config.personality().serial.control_lines_clear {
                core.uart.clear(core.clock.now());
            }
        }
    }

    /// SEND_BREAK of `duration` milliseconds.
    pub async fn send_break(&mut self, core: &mut Core, duration: u16) {
        if duration == 0 {
            self.end_break(core);
        } else if !core.flash_busy {
            // The request has no way to report a target that does not answer.
            let _ = core.swd.set_target_state(TargetState::ResetHold).await;
        }
    }

    /// SEND_BREAK of 0: the main loop is to reset the target.
    pub fn end_break(&mut self, core: &Core) {
        self.reset_wanted |= !core.flash_busy;
    }

    /// Whether the main loop is to reset the target; asks only once.
    pub fn take_reset(&mut self) -> bool {
        std::mem::take(&mut self.reset_wanted)
    }

    /// One turn of the main loop (`cdc_process_event`). The time at which to call again, unless the host or the RX pin
    /// does something before.
    pub fn poll(&mut self, core: &mut Core) -> Time {
        self.collect(core);
        self.send(core);
        self.take(core);
        let start =
            if self.sending == Sending::Idle && self.to_host_len > 0 { self.start_of_frame } else { Time::NEVER };
        start.min(core.uart.next_event())
    }

    /// UART to buffer.
    fn collect(&mut self, core: &mut Core) {
        let now = core.clock.now();
        let count = core.uart.read(now, &mut self.to_host[self.to_host_len..]);
        if count > 0 {
            if self.to_host_len == 0 {
                self.start_of_frame = Time((now.0 / FRAME + 1) * FRAME);
            }
            self.to_host_len += count;
            core.lamp.blink();
        }
    }

    /// Buffer to host.
    fn send(&mut self, core: &mut Core) {
        match self.sending {
            Sending::Packet(_) if !core.usb.in_free(endpoint::CDC) => return,
            Sending::Packet(length) if self.to_host_len == 0 && length < MAX_PACKET => {
                self.sending = Sending::Idle;
                return;
            }
            Sending::Idle if self.to_host_len == 0 || core.clock.now() < self.start_of_frame => return,
            Sending::Packet(_) | Sending::Idle => {}
        }
        core.usb.send(endpoint::CDC, &self.to_host[..self.to_host_len]);
        self.sending = Sending::Packet(self.to_host_len);
        self.to_host_len = 0;
    }

    /// Host to UART.
    fn take(&mut self, core: &mut Core) {
        let now = core.clock.now();
        if self.from_host_done == self.from_host_len {
            let Some(length) = core.usb.take_out(endpoint::CDC, &mut self.from_host) else { return };
            (self.from_host_len, self.from_host_done) = (length, 0);
        }
        let written = core.uart.write(now, &self.from_host[self.from_host_done..self.from_host_len]);
        self.from_host_done += written;
        if written > 0 {
            core.lamp.blink();
        }
        if self.from_host_done == self.from_host_len {
            core.usb.arm(endpoint::CDC, MAX_PACKET);
        }
    }
}

#[cfg(test)]
mod tests {
    use twinboard_sim::usb::{Handshake, InReply, UsbPort};
    use twinboard_sim::wire::{SerialFrame, Signal};

    use super::super::config::Settings;
    use super::super::testing::{FakeTarget, run};
    use super::*;

    /// A configured port in a firmware that does nothing else; the host's end of the cable is in the test's hands.
    struct Rig {
        core: Core,
        cdc: Cdc,
        out_toggle: bool,
    }

    fn with_rig<T: Send + 'static, F: Future<Output = T> + Send + 'static>(test: impl FnOnce(Rig) -> F) -> T {
        run(FakeTarget::default().wired().1, Settings::default(), |mut core| {
            let mut cdc = Cdc::new(115_200);
            cdc.bus_reset(&mut core);
            core.usb.attach(true);
            core.usb.configure(&[0x04, 0x84]);
            cdc.configured(&mut core);
            test(Rig { core, cdc, out_toggle: false })
        })
    }

    impl Rig {
        /// Runs the main loop for `span`.
        async fn pass(&mut self, span: Span) {
            let end = self.core.clock.now() + span;
            while self.core.clock.now() < end {
                let next = self.cdc.poll(&mut self.core);
                self.core.clock.sleep_until(next.min(end)).await;
            }
            self.cdc.poll(&mut self.core);
        }

        /// Bytes arrive on the RX pin without a pause.
        async fn receive(&mut self, bytes: &[u8]) {
            let bit = Span::ps(139 * 62_500);
            for byte in bytes {
                let frame = SerialFrame { bit, bits: 1 << 9 | u16::from(*byte) << 1, count: 10 };
                self.core.uart.receive(self.core.clock.now(), frame);
                self.pass(frame.duration()).await;
            }
        }

        fn host_in(&mut self) -> Option<Vec<u8>> {
            let mut packet = [0; MAX_PACKET];
            match self.core.usb.r#in(self.core.clock.now(), 0, endpoint::CDC, &mut packet) {
                InReply::Data { len, .. } => Some(packet[..len].to_vec()),
                _ => None,
            }
        }

        fn host_out(&mut self, data: &[u8]) -> bool {
            let now = self.core.clock.now();
            let ack = self.core.usb.out(now, 0, endpoint::CDC, self.out_toggle, data) == Handshake::Ack;
            self.out_toggle ^= ack;
            ack
        }

        fn sent(&mut self) -> Vec<u8> {
            let mut out = Vec::new();
            self.core.uart.advance(self.core.clock.now(), &mut out);
            out.iter()
                .filter_map(|edge| match edge.signal {
                    Signal::Serial(frame) => Some((frame.bits >> 1) as u8),
                    Signal::Drive(_) | Signal::I2c(_) => None,
                })
                .collect()
        }
    }

    #[test]
    fn the_line_coding_is_115200_8n1_after_every_bus_reset() {
        let codings = with_rig(|mut rig| async move {
            let first = rig.cdc.line_coding();
            let other = LineCoding { baud: 9_600, ..first };
            assert!(rig.cdc.set_line_coding(&mut rig.core, other));
            assert_eq!(rig.cdc.line_coding(), other);
            rig.cdc.bus_reset(&mut rig.core);
            [first, rig.cdc.line_coding()]
        });
        assert_eq!(codings, [LineCoding::of(115_200); 2]);
    }

    #[test]
    fn a_baud_rate_that_the_driver_does_not_know_is_refused() {
        let refused =
            with_rig(|mut rig| async move { rig.cdc.set_line_coding(&mut rig.core, LineCoding::of(128_000)) });
        assert!(!refused);
    }

    #[test]
    fn received_bytes_wait_for_a_start_of_frame_and_leave_together() {
        let (before, after) = with_rig(|mut rig| async move {
            rig.receive(b"abc").await;
            let before = rig.host_in();
            rig.pass(Span::ms(1)).await;
            (before, rig.host_in())
        });
        assert_eq!((before, after), (None, Some(b"abc".to_vec())));
    }

    #[test]
    fn a_full_packet_at_the_end_is_followed_by_an_empty_one() {
        let packets = with_rig(|mut rig| async move {
            // The host does not fetch: the first packet waits at the endpoint, the rest in the buffer.
            rig.receive(&[b'a'; 64]).await;
            rig.pass(Span::ms(2)).await;
            let mut packets = Vec::new();
            for _ in 0..4 {
                packets.extend(rig.host_in());
                rig.pass(Span::us(100)).await;
            }
            packets
        });
        let lengths: Vec<usize> = packets.iter().map(Vec::len).collect();
        assert_eq!(lengths.iter().sum::<usize>(), 64);
        assert!(lengths.last() != Some(&64), "{lengths:?}");
    }

    #[test]
    fn bytes_from_the_host_go_to_the_target() {
        let sent = with_rig(|mut rig| async move {
            assert!(rig.host_out(b"hello"));
            rig.pass(Span::ms(2)).await;
            rig.sent()
        });
        assert_eq!(sent, b"hello");
    }

    #[test]
    fn the_host_is_held_off_while_the_send_buffer_is_full() {
        let (taken, held_off, later) = with_rig(|mut rig| async move {
            let mut taken = 0;
            while rig.host_out(&[0x55; 64]) {
                taken += 64;
                rig.cdc.poll(&mut rig.core);
            }
            let held_off = !rig.host_out(&[0x55; 64]);
            rig.pass(Span::ms(10)).await;
            (taken, held_off, rig.host_out(&[0x55; 64]))
        });
        assert_eq!(taken, 576, "eight packets in the buffer of 511 and one half gone, and one at the endpoint");
        assert!(held_off && later);
    }

    #[test]
    fn a_change_of_dtr_clears_the_buffers() {
        let sent = with_rig(|mut rig| async move {
            rig.host_out(b"hello");
            rig.cdc.poll(&mut rig.core);
            rig.cdc.set_control_line_state(&mut rig.core, 1);
            rig.pass(Span::ms(2)).await;
            let first = rig.sent();
            rig.host_out(b"hi");
            rig.cdc.poll(&mut rig.core);
            rig.cdc.set_control_line_state(&mut rig.core, 1);
            rig.pass(Span::ms(2)).await;
            (first, rig.sent())
        });
        assert_eq!(sent, (b"h".to_vec(), b"hi".to_vec()), "the character on its way is not lost");
    }

    #[test]
    fn a_break_of_0_asks_the_main_loop_for_a_reset_once() {
        let asked = with_rig(|mut rig| async move {
            rig.cdc.send_break(&mut rig.core, 0).await;
            [rig.cdc.take_reset(), rig.cdc.take_reset()]
        });
        assert_eq!(asked, [true, false]);
    }

    #[test]
    fn while_the_target_is_programmed_a_break_does_nothing() {
        let asked = with_rig(|mut rig| async move {
            rig.core.flash_busy = true;
            let before = rig.core.clock.now();
            rig.cdc.send_break(&mut rig.core, 500).await;
            rig.cdc.send_break(&mut rig.core, 0).await;
            (rig.cdc.take_reset(), rig.core.clock.now() == before)
        });
        assert_eq!(asked, (false, true));
    }
}
