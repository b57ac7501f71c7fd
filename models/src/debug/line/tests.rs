use super::*;
use crate::debug::scripted::ScriptedTarget;
use crate::debug::table::NRF52833;

/// A probe that clocks single edges and keeps what it sampled, for tests that count edges.
struct Rig {
    line: SwdLine,
    dp: Dp,
    target: ScriptedTarget,
    edges: u64,
}

const PERIOD: u64 = 1_000;

impl Rig {
    /// Right after power-on.
    fn silent() -> Rig {
        let target = ScriptedTarget::default();
        Rig { line: SwdLine::new(PinProtocols::Swd), dp: Dp::new(&NRF52833), target, edges: 0 }
    }

    /// After a line reset and a read of DPIDR.
    fn connected() -> Rig {
        let mut rig = Rig::silent();
        rig.line_reset(50, 2);
        assert_eq!(rig.read(0xA5), Some(0x2BA0_1477));
        rig
    }

    /// One edge; none is a released line. What the target drives after it.
    fn edge(&mut self, drive: Option<bool>) -> Option<bool> {
        let out = |line: &SwdLine| match line.drive() {
            Drive::High => Some(true),
            Drive::Low => Some(false),
            _ => None,
        };
        let bit = drive.or(out(&self.line)).unwrap_or(true);
        self.edges += 1;
        self.line.clock(Time(self.edges * PERIOD), bit, &mut self.dp, &mut self.target);
        out(&self.line)
    }

    fn send(&mut self, bits: u64, count: u32) {
        for i in 0..count {
            assert_eq!(self.edge(Some(bits >> i & 1 != 0)), None, "the target must not drive now");
        }
    }

    fn line_reset(&mut self, ones: u32, zeros: u32) {
        for _ in 0..ones {
            self.edge(Some(true));
        }
        self.send(0, zeros);
    }

    /// The levels after `count` edges with a released line.
    fn listen(&mut self, count: u32) -> Vec<Option<bool>> {
        (0..count).map(|_| self.edge(None)).collect()
    }

    /// Header and acknowledge with a turnaround of 1; the third acknowledge bit has been clocked.
    fn request(&mut self, header: u8) -> Option<SwdAck> {
        self.send(u64::from(header), 8);
        let ack: Vec<_> = self.listen(3);
        ack.iter().enumerate().try_fold(0, |ack, (i, bit)| bit.map(|bit| ack | u8::from(bit) << i)).map(SwdAck)
    }

    fn read(&mut self, header: u8) -> Option<u32> {
        if self.request(header)? != SwdAck::OK {
            self.listen(2);
            return None;
        }
        let bits = self
            .listen(33)
            .into_iter()
            .enumerate()
            .fold(0u64, |bits, (i, bit)| bits | u64::from(bit.expect("the target drives data")) << i);
        assert_eq!(bits, with_parity(bits as u32), "parity");
        assert_eq!(self.listen(2), [None, None], "released for the turnaround");
        Some(bits as u32)
    }

    fn write(&mut self, header: u8, bits: u64) -> Option<SwdAck> {
        let ack = self.request(header)?;
        assert_eq!(self.listen(2), [None, None], "released for the turnaround");
        if ack == SwdAck::OK {
            self.send(bits, 33);
        }
        Some(ack)
    }
}

#[test]
fn request_bytes_are_those_of_the_standard() {
    // Reference 1.2, request bytes.
    let byte = |ap, read, address| encode(SwdRequest { ap, read, address });
    assert_eq!([0x0, 0x4, 0x8, 0xC].map(|a| byte(false, true, a)), [0xA5, 0x8D, 0x95, 0xBD]);
    assert_eq!([0x0, 0x4, 0x8, 0xC].map(|a| byte(false, false, a)), [0x81, 0xA9, 0xB1, 0x99]);
    assert_eq!([0x0, 0x4, 0x8, 0xC].map(|a| byte(true, true, a)), [0x87, 0xAF, 0xB7, 0x9F]);
    assert_eq!([0x0, 0x4, 0x8, 0xC].map(|a| byte(true, false, a)), [0xA3, 0x8B, 0x93, 0xBB]);
}

#[test]
fn a_transfer_takes_46_edges_with_the_acknowledge_after_edge_9() {
    // Reference 1.2: start is edge 1, ACK0 follows edge 9, RDATA0 edge 12, parity edge 44; the next start is edge 47.
    let mut rig = Rig::connected();
    let start = rig.edges;
    rig.send(0xA5, 8);
    assert_eq!(rig.listen(3), [Some(true), Some(false), Some(false)]);
    assert_eq!(rig.edges - start, 11);
    let data = rig.listen(33);
    let expected: Vec<_> = (0..33).map(|i| Some(with_parity(0x2BA0_1477) >> i & 1 != 0)).collect();
    assert_eq!(data, expected);
    assert_eq!(rig.edges - start, 44);
    assert_eq!(rig.listen(2), [None, None]);
    assert_eq!(rig.read(0xA5), Some(0x2BA0_1477), "the next start bit is edge 47");
    let start = rig.edges;
    assert_eq!(rig.write(0xA9, with_parity(0x5000_0000)), Some(SwdAck::OK));
    assert_eq!(rig.edges - start, 46);
    assert_eq!(rig.read(0x8D), Some(0xF000_0000));
}

#[test]
fn nothing_is_answered_before_the_first_line_reset() {
    let mut rig = Rig::silent();
    assert_eq!(rig.request(0xA5), None);
    rig.send(0, 1);
    rig.line_reset(49, 8);
    assert_eq!(rig.request(0xA5), None, "49 ones are too few");
    rig.line_reset(50, 2);
    assert_eq!(rig.read(0xA5), Some(0x2BA0_1477));
}

#[test]
fn after_a_line_reset_two_zeros_and_a_read_of_dpidr_must_come_first() {
    // Reference 1.4, line reset.
    let mut rig = Rig::connected();
    rig.line_reset(56, 1);
    assert_eq!(rig.request(0xA5), None, "one zero is too few");
    for header in [0x8D, 0xB1, 0x9F] {
        rig.line_reset(51, 8);
        assert_eq!(rig.request(header), None);
        assert_eq!(rig.request(0xA5), None, "that was a protocol error");
    }
    rig.line_reset(51, 8);
    assert_eq!(rig.read(0xA5), Some(0x2BA0_1477));
    assert!(rig.read(0x8D).is_some());
}

#[test]
fn a_target_takes_the_switching_sequence_of_every_host() {
    // Reference 1.5: 51 ones, 0xE79E, 51 ones, zeros (pyOCD 8, probe-rs 3); OpenOCD 56 and 8.
    for (ones, zeros) in [(51, 8), (51, 3), (56, 8)] {
        let mut rig = Rig::silent();
        rig.line_reset(ones, 0);
        rig.send(0xE79E, 16);
        rig.line_reset(ones, zeros);
        assert_eq!(rig.read(0xA5), Some(0x2BA0_1477));
    }
}

#[test]
fn a_malformed_request_silences_the_target_until_a_line_reset() {
    // Reference 1.4: parity, stop, park.
    for header in [0x85, 0xE5, 0x25] {
        let mut rig = Rig::connected();
        assert_eq!(rig.request(header), None);
        rig.listen(34);
        assert_eq!(rig.request(0xA5), None);
        rig.line_reset(50, 2);
        assert_eq!(rig.read(0xA5), Some(0x2BA0_1477));
    }
}

#[test]
fn idle_clocks_between_packets_may_be_any_number() {
    let mut rig = Rig::connected();
    for idle in [0, 1, 8, 1000] {
        for _ in 0..idle {
            rig.send(0, 1);
        }
        assert_eq!(rig.read(0xA5), Some(0x2BA0_1477));
    }
}

#[test]
fn wrong_parity_of_written_data_makes_later_transfers_fault() {
    // Reference 1.4.
    let mut rig = Rig::connected();
    assert_eq!(rig.write(0xB1, with_parity(0) ^ 1 << 32), Some(SwdAck::OK));
    assert_eq!(rig.write(0xB1, with_parity(0)), Some(SwdAck::FAULT));
    assert_eq!(rig.read(0x8D).map(|status| status & 0x80), Some(0x80), "WDATAERR");
    assert_eq!(rig.write(0x81, with_parity(0x1E)), Some(SwdAck::OK));
    assert_eq!(rig.write(0xB1, with_parity(0)), Some(SwdAck::OK));
}

#[test]
fn with_overrun_detection_a_fault_is_followed_by_a_data_phase() {
    // Reference 1.3.
    for (header, name) in [(0xB1, "write"), (0xBD, "read")] {
        let mut rig = Rig::connected();
        rig.write(0xA9, with_parity(1));
        rig.write(0xB1, with_parity(0) ^ 1 << 32);
        assert_eq!(rig.request(header), Some(SwdAck::FAULT));
        assert_eq!(rig.listen(2 + 33), [None; 35], "{name}");
        assert_eq!(rig.read(0xA5), Some(0x2BA0_1477));
        assert_eq!(rig.read(0x8D).map(|status| status & 2), Some(2), "STICKYORUN");
    }
}

#[test]
fn the_turnaround_can_be_four_clocks() {
    // Reference 2.2, DLCR.TURNROUND.
    let mut rig = Rig::connected();
    rig.write(0xB1, with_parity(1));
    rig.write(0xA9, with_parity(0x300));
    rig.send(0xA5, 8);
    assert_eq!(rig.listen(3), [None; 3]);
    assert_eq!(rig.listen(3), [Some(true), Some(false), Some(false)]);
    let bits =
        rig.listen(33).into_iter().enumerate().fold(0, |bits, (i, bit)| bits | u64::from(bit == Some(true)) << i);
    assert_eq!(bits as u32, 0x2BA0_1477);
    assert_eq!(rig.listen(5), [None; 5]);
    rig.send(0x81, 8);
    assert_eq!(rig.listen(6), [None, None, None, Some(true), Some(false), Some(false)]);
}
