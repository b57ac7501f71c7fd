//! What the manual says of the registers and the buffer descriptors, and what the USB specification says of tokens.

use super::*;
use twinboard_sim::bus::Size;
use twinboard_sim::cpu::memory::Kind;

const RAM: u32 = 0x1FFF_F000;
const TABLE: u32 = 0x2000_0200;
const BUFFERS: u32 = 0x2000_1000;

const OWN: u32 = 1 << 7;
const DATA1: u32 = 1 << 6;
const KEEP: u32 = 1 << 5;
const NINC: u32 = 1 << 4;
const DTS: u32 = 1 << 3;
const BDT_STALL: u32 = 1 << 2;

/// EPRXEN, EPTXEN, EPHSHK.
const BOTH: u8 = 0x0D;

struct Bench {
    usb: Usb0,
    memory: Memory,
}

impl Bench {
    /// A controller as a driver leaves it: BDT at `TABLE`, module on, pulled up, endpoint 0 enabled.
    fn new(spec: UsbSpec) -> Bench {
        let mut memory = Memory::default();
        memory.add(Kind::Flash, 0, 0x1000, 0xFF);
        memory.add(Kind::Ram, RAM, 0x4000, 0);
        let mut bench = Bench { usb: Usb0::new(spec), memory };
        bench.usb.vbus(true);
        bench.write(BDTPAGE1, (TABLE >> 8) as u8);
        bench.write(BDTPAGE2, (TABLE >> 16) as u8);
        bench.write(BDTPAGE3, (TABLE >> 24) as u8);
        bench.write(USBCTRL, 0);
        bench.write(CTL, 1);
        bench.write(CONTROL, 0x10);
        bench.write(ENDPT0, BOTH);
        bench
    }

    fn kl26() -> Bench {
        Bench::new(UsbSpec::KL26)
    }

    fn write(&mut self, offset: u32, value: u8) {
        self.usb.write(&mut self.memory, offset, value).expect("a register");
    }

    fn read(&self, offset: u32) -> u8 {
        self.usb.read(offset).expect("a register")
    }

    /// Writes descriptor number `index` of the table; its buffer is number `index` of 64 bytes each.
    fn give(&mut self, index: u32, status: u32, count: u32) {
        self.memory.write(TABLE + 8 * index + 4, Size::Word, buffer(index));
        self.memory.write(TABLE + 8 * index, Size::Word, status | count << 16);
    }

    fn descriptor(&self, index: u32) -> u32 {
        self.memory.read(TABLE + 8 * index, Size::Word).expect("the table")
    }

    fn bytes(&self, index: u32, len: usize) -> &[u8] {
        self.memory.read_bytes(buffer(index), len).expect("the buffer")
    }

    fn setup(&mut self, data: [u8; 8]) -> Handshake {
        self.usb.setup(&mut self.memory, 0, 0, data)
    }

    fn out(&mut self, ep: u8, toggle: bool, data: &[u8]) -> Handshake {
        self.usb.out(&mut self.memory, 0, ep, toggle, data)
    }

    fn in_token(&mut self, ep: u8) -> InReply {
        self.usb.in_token(&mut self.memory, 0, ep, &mut [0; MAX_PACKET])
    }
}

fn buffer(index: u32) -> u32 {
    BUFFERS + 64 * index
}

const REQUEST: [u8; 8] = [0x80, 6, 0, 1, 0, 0, 18, 0];

#[test]
fn registers_have_their_reset_values() {
    let usb = Usb0::new(UsbSpec::KL26);
    for (offset, value) in [(PERID, 0x04), (IDCOMP, 0xFB), (REV, 0x33), (ADDINFO, 0x01), (ISTAT, 0), (INTEN, 0)] {
        assert_eq!(usb.read(offset), Some(value), "{offset:#x}");
    }
    assert_eq!(usb.read(USBCTRL), Some(0xC0));
    assert_eq!(usb.read(OBSERVE), Some(0x50));
    assert_eq!(usb.read(USBTRC0), Some(0));
    assert_eq!(usb.read(CLK_RECOVER_CTRL), None, "the KL26 has a crystal");
    let usb = Usb0::new(UsbSpec::KL27);
    assert_eq!(usb.read(CLK_RECOVER_IRC_EN), Some(0x01));
    assert_eq!(usb.read(CLK_RECOVER_INT_EN), Some(0x10));
    assert_eq!(usb.read(OTGCTL), None, "the KL27 is a device only");
}

#[test]
fn d_plus_is_pulled_up_by_control_while_the_module_is_on_and_vbus_is_there() {
    let mut bench = Bench::kl26();
    assert!(bench.usb.attached());
    let attention = bench.usb.attention();
    bench.write(CONTROL, 0);
    assert!(!bench.usb.attached());
    assert_ne!(bench.usb.attention(), attention);
    bench.write(CONTROL, 0x10);
    bench.write(CTL, 0);
    assert!(!bench.usb.attached());
    bench.write(OTGCTL, 0x84);
    assert!(bench.usb.attached(), "OTGEN: the pull-up is what DPHIGH says");
    bench.usb.vbus(false);
    assert!(!bench.usb.attached());
}

#[test]
fn usbreset_clears_itself_and_the_registers_but_not_the_clock_recovery() {
    let mut bench = Bench::new(UsbSpec::KL27);
    bench.write(CLK_RECOVER_CTRL, 0x80);
    bench.write(USBTRC0, 0x80);
    assert_eq!(bench.read(USBTRC0), 0);
    assert_eq!((bench.read(CTL) & 1, bench.read(ENDPT0), bench.read(BDTPAGE1)), (0, 0, 0));
    assert_eq!(bench.read(CLK_RECOVER_CTRL), 0x80);
    assert!(!bench.usb.attached());
}

#[test]
fn a_setup_fills_its_buffer_writes_its_pid_back_and_stops_all_tokens() {
    let mut bench = Bench::kl26();
    // A driver arms the buffer for the DATA1 of a status stage; the DATA0 of a SETUP is taken all the same.
    bench.give(0, OWN | DTS | DATA1, 64);
    bench.give(2, OWN | DTS | DATA1, 18);
    bench.write(INTEN, 0x08);
    assert_eq!(bench.setup(REQUEST), Handshake::Ack);
    assert_eq!(bench.bytes(0, 8), REQUEST);
    assert_eq!(bench.descriptor(0), 0xD << 2 | 8 << 16, "released, DATA0, PID SETUP, 8 bytes");
    assert_eq!((bench.read(ISTAT), bench.read(STAT)), (0x08, 0x00));
    assert!(bench.usb.irq());
    assert_eq!(bench.read(CTL) & 0x20, 0x20);
    assert_eq!(bench.in_token(0), InReply::Nak);
    let attention = bench.usb.attention();
    let ctl = bench.read(CTL);
    bench.write(CTL, ctl & !0x20);
    assert_ne!(bench.usb.attention(), attention, "the IN that was NAKed has its data");
    assert_eq!(bench.in_token(0), InReply::Data { len: 18, toggle: true });
}

#[test]
fn txsuspendtokenbusy_is_not_set_by_software() {
    let mut bench = Bench::kl26();
    bench.write(CTL, 0x21);
    assert_eq!(bench.read(CTL) & 0x20, 0);
}

#[test]
fn a_setup_that_finds_no_buffer_or_no_control_endpoint_is_not_answered() {
    let mut bench = Bench::kl26();
    assert_eq!(bench.setup(REQUEST), Handshake::Timeout);
    bench.give(0, OWN | DTS, 64);
    bench.write(ENDPT0, BOTH | 0x10);
    assert_eq!(bench.setup(REQUEST), Handshake::Timeout, "EPCTLDIS");
    bench.write(ENDPT0, 0x05);
    assert_eq!(bench.setup(REQUEST), Handshake::Timeout, "no EPRXEN");
    bench.write(ENDPT0, BOTH);
    assert_eq!(bench.usb.setup(&mut bench.memory, 5, 0, REQUEST), Handshake::Timeout, "another's address");
    bench.write(ADDR, 5);
    assert_eq!(bench.usb.setup(&mut bench.memory, 5, 0, REQUEST), Handshake::Ack);
}

#[test]
fn a_packet_without_a_buffer_is_naked_until_software_gives_one() {
    let mut bench = Bench::kl26();
    bench.write(ENDPT0 + 8, BOTH);
    assert_eq!(bench.out(2, false, b"hello"), Handshake::Nak);
    let attention = bench.usb.attention();
    bench.memory.take_watched_store();
    // Stores elsewhere in the table, and to the buffer, are nobody's business.
    bench.give(16, 0, 0);
    bench.memory.write(buffer(8), Size::Word, 0);
    assert!(!bench.memory.take_watched_store());
    bench.give(8, OWN | DTS, 64);
    assert!(bench.memory.take_watched_store());
    bench.usb.memory_changed(&mut bench.memory);
    assert_eq!(bench.usb.attention(), attention + 1);
    assert_eq!(bench.out(2, false, b"hello"), Handshake::Ack);
    assert_eq!(bench.bytes(8, 5), b"hello");
    assert_eq!(bench.descriptor(8), 1 << 2 | 5 << 16);
    assert_eq!(bench.read(STAT), 2 << 4);
}

#[test]
fn a_store_that_changes_nothing_for_the_host_calls_for_no_attention() {
    let mut bench = Bench::kl26();
    assert_eq!(bench.in_token(0), InReply::Nak);
    let attention = bench.usb.attention();
    bench.give(2, 0, 64);
    bench.usb.memory_changed(&mut bench.memory);
    assert_eq!(bench.usb.attention(), attention);
}

#[test]
fn descriptors_alternate_between_even_and_odd_for_each_direction() {
    let mut bench = Bench::kl26();
    for index in 0..4 {
        bench.give(index, OWN, 64);
    }
    assert_eq!(bench.out(0, false, &[1]), Handshake::Ack);
    assert_eq!(bench.out(0, true, &[2]), Handshake::Ack);
    assert!(matches!(bench.in_token(0), InReply::Data { .. }));
    assert_eq!((bench.bytes(0, 1), bench.bytes(1, 1)), (&[1][..], &[2][..]));
    let mut stats = Vec::new();
    while bench.read(ISTAT) & 0x08 != 0 {
        stats.push(bench.read(STAT));
        bench.write(ISTAT, 0x08);
    }
    assert_eq!(stats, [0x00, 0x04, 0x08]);
    // ODDRST: even again.
    bench.give(2, OWN, 1);
    bench.give(3, 0, 0);
    let ctl = bench.read(CTL);
    bench.write(CTL, ctl | 0x02);
    bench.write(CTL, ctl & !0x02);
    assert!(matches!(bench.in_token(0), InReply::Data { len: 1, .. }));
}

#[test]
fn with_oddrst_held_only_even_descriptors_are_used() {
    let mut bench = Bench::kl26();
    bench.write(CTL, 0x03);
    for _ in 0..3 {
        bench.give(2, OWN, 4);
        bench.give(3, OWN, 9);
        assert!(matches!(bench.in_token(0), InReply::Data { len: 4, .. }));
        bench.write(ISTAT, 0x08);
    }
    assert_eq!(bench.in_token(0), InReply::Nak, "the odd one is still there and not taken");
}

#[test]
fn stat_holds_four_tokens_and_the_fifth_is_naked() {
    let mut bench = Bench::kl26();
    for ep in 1..6 {
        bench.write(ENDPT0 + 4 * ep, BOTH);
        bench.give(4 * ep, OWN, 64);
    }
    for ep in 1..5 {
        assert_eq!(bench.out(ep, false, &[]), Handshake::Ack);
    }
    assert_eq!(bench.out(5, false, &[]), Handshake::Nak);
    let attention = bench.usb.attention();
    assert_eq!(bench.read(STAT), 0x10);
    bench.write(ISTAT, 0x08);
    assert_eq!((bench.read(ISTAT) & 0x08, bench.read(STAT)), (0x08, 0x20), "TOKDNE is raised again at once");
    assert_ne!(bench.usb.attention(), attention);
    assert_eq!(bench.out(5, false, &[]), Handshake::Ack);
    for stat in [0x30, 0x40, 0x50] {
        bench.write(ISTAT, 0x08);
        assert_eq!(bench.read(STAT), stat);
    }
    bench.write(ISTAT, 0x08);
    assert_eq!(bench.read(ISTAT) & 0x08, 0);
}

#[test]
fn a_repeated_packet_is_acknowledged_and_dropped_if_dts_says_so() {
    let mut bench = Bench::kl26();
    bench.give(0, OWN | DTS | DATA1, 64);
    assert_eq!(bench.out(0, false, &[7]), Handshake::Ack);
    assert_eq!((bench.descriptor(0) & OWN, bench.read(ISTAT)), (OWN, 0));
    assert_eq!(bench.out(0, true, &[8]), Handshake::Ack);
    assert_eq!(bench.descriptor(0), DATA1 | 1 << 2 | 1 << 16);
    // Without DTS any toggle will do.
    bench.give(1, OWN | DATA1, 64);
    assert_eq!(bench.out(0, false, &[9]), Handshake::Ack);
    assert_eq!(bench.bytes(1, 1), [9]);
}

#[test]
fn epstall_answers_stall_in_both_directions_until_it_is_cleared() {
    let mut bench = Bench::kl26();
    bench.write(ENDPT0 + 8, BOTH | 0x02);
    bench.give(8, OWN, 64);
    assert_eq!(bench.out(2, false, &[]), Handshake::Stall);
    assert_eq!(bench.in_token(2), InReply::Stall, "even without a buffer");
    assert_eq!(bench.read(ISTAT), 0x80);
    bench.write(ISTAT, 0x80);
    bench.write(ENDPT0 + 8, BOTH);
    assert_eq!(bench.out(2, false, &[]), Handshake::Ack);
}

#[test]
fn a_setup_ends_the_stall_of_a_control_endpoint() {
    let mut bench = Bench::kl26();
    bench.write(ENDPT0, BOTH | 0x02);
    bench.give(0, OWN | DTS, 64);
    assert_eq!(bench.in_token(0), InReply::Stall);
    assert_eq!(bench.setup(REQUEST), Handshake::Ack);
    assert_eq!(bench.read(ENDPT0), BOTH);
}

#[test]
fn bdt_stall_stalls_one_direction_and_leaves_the_descriptor() {
    let mut bench = Bench::kl26();
    bench.give(2, OWN | BDT_STALL, 3);
    let before = bench.descriptor(2);
    assert_eq!(bench.in_token(0), InReply::Stall);
    assert_eq!((bench.descriptor(2), bench.read(ISTAT)), (before, 0x80));
    assert_eq!(bench.out(0, false, &[]), Handshake::Nak);
}

#[test]
fn a_packet_larger_than_its_buffer_is_cut_and_is_a_dma_error() {
    let mut bench = Bench::kl26();
    bench.write(ERREN, 0xFF);
    bench.give(0, OWN, 4);
    assert_eq!(bench.out(0, false, b"too long"), Handshake::Ack);
    assert_eq!(bench.descriptor(0) >> 16, 4);
    assert_eq!(bench.bytes(0, 5), b"too \0");
    assert_eq!((bench.read(ERRSTAT), bench.read(ISTAT)), (0x20, 0x0A));
    bench.write(ERRSTAT, 0x20);
    bench.write(ISTAT, 0x02);
    assert_eq!((bench.read(ERRSTAT), bench.read(ISTAT)), (0, 0x08));
}

#[test]
fn a_buffer_outside_of_memory_is_a_dma_error_that_erren_can_hide() {
    let mut bench = Bench::kl26();
    bench.give(0, OWN, 64);
    bench.memory.write(TABLE + 4, Size::Word, 0x5000_0000);
    bench.out(0, false, &[1]);
    assert_eq!((bench.read(ERRSTAT), bench.read(ISTAT)), (0x20, 0x08));
}

#[test]
fn keep_leaves_the_descriptor_with_the_sie_and_tells_nobody() {
    let mut bench = Bench::kl26();
    bench.write(CTL, 0x03);
    bench.give(0, OWN | KEEP | NINC, 64);
    let before = bench.descriptor(0);
    assert_eq!(bench.out(0, false, &[1, 2, 3]), Handshake::Ack);
    assert_eq!((bench.descriptor(0), bench.read(ISTAT)), (before, 0));
    assert_eq!(bench.bytes(0, 3), [3, 0, 0], "NINC: all bytes went to one address");
}

#[test]
fn nothing_is_answered_by_a_disabled_endpoint_or_module_or_transceiver() {
    let mut bench = Bench::kl26();
    assert_eq!(bench.out(1, false, &[]), Handshake::Timeout);
    assert_eq!(bench.in_token(1), InReply::Timeout);
    bench.write(USBCTRL, 0x80);
    assert_eq!(bench.in_token(0), InReply::Timeout, "SUSP");
    bench.write(USBCTRL, 0);
    assert_eq!(bench.in_token(0), InReply::Nak);
    bench.write(CTL, 0);
    assert_eq!(bench.in_token(0), InReply::Timeout, "USBENSOFEN");
}

#[test]
fn a_bus_reset_clears_the_address_and_raises_usbrst() {
    let mut bench = Bench::kl26();
    bench.write(ADDR, 0x12);
    bench.usb.bus_reset();
    assert_eq!((bench.read(ADDR), bench.read(ISTAT)), (0, 0x01));
    assert_eq!(bench.in_token(0), InReply::Nak);
}

#[test]
fn idle_raises_sleep_and_its_end_raises_resume_once() {
    let mut bench = Bench::new(UsbSpec::KL27);
    bench.write(USBTRC0, 0x60);
    bench.usb.suspend(false);
    assert_eq!(bench.read(ISTAT), 0);
    bench.usb.suspend(true);
    assert_eq!(bench.read(ISTAT), 0x10);
    bench.write(ISTAT, 0x10);
    bench.usb.suspend(false);
    assert_eq!(bench.read(ISTAT), 0x20);
    assert_eq!(bench.read(USBTRC0), 0x61, "USBRESMEN makes it an asynchronous interrupt too");
    assert!(bench.usb.irq());
    bench.write(USBTRC0, 0x40);
    assert!(!bench.usb.irq());
}

#[test]
fn each_start_of_frame_raises_softok_and_counts() {
    let mut bench = Bench::kl26();
    bench.usb.sof(0x5A7);
    assert_eq!((bench.read(FRMNUML), bench.read(FRMNUMH), bench.read(ISTAT)), (0xA7, 0x05, 0x04));
    assert!(!bench.usb.irq());
    bench.write(INTEN, 0x04);
    assert!(bench.usb.irq());
    bench.write(ISTAT, 0x04);
    assert!(!bench.usb.irq());
}

#[test]
fn host_mode_is_refused_openly() {
    let mut bench = Bench::kl26();
    assert_eq!(bench.usb.write(&mut bench.memory, CTL, 0x08), None);
    assert_eq!(bench.usb.write(&mut bench.memory, TOKEN, 0x90), None);
}
