//! The boot loader from its host's side, transaction by transaction.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::usb::{Handshake, InReply, MAX_PACKET};

use super::config::peripheral;
use super::frame::FRAME;
use super::testing::TestChip;
use super::{End, Rom};

/// The image of a delivered board as far as this program looks at it: configuration area, key, FPROT, FSEC, FOPT.
fn delivered() -> TestChip {
    let mut image = vec![0xFF; 0x1_0000];
    image[..8].copy_from_slice(&[0x00, 0x0A, 0x00, 0x20, 0x85, 0x01, 0, 0]);
    image[0x3C0..0x3C4].copy_from_slice(b"kcfg");
    image[0x3D0] = 0x10;
    image[0x400..0x408].copy_from_slice(b"MICROBIT");
    image[0x408..0x410].copy_from_slice(&[0xF0, 0xFF, 0xFF, 0xFF, 0xBE, 0x39, 0xFF, 0xFF]);
    TestChip::with(&image)
}

struct Host {
    rom: Rom,
    chip: TestChip,
    now: Time,
    toggles: [bool; 2],
    end: Option<End>,
}

impl Host {
    fn new(chip: TestChip) -> Host {
        let rom = Rom::new(Time::ZERO, 1, &chip);
        let mut host = Host { rom, chip, now: Time::ZERO, toggles: [false; 2], end: None };
        host.wait(Span::ms(20));
        assert!(host.rom.usb().attached());
        host.rom.usb().bus_reset(host.now);
        host.control([0x00, 9, 1, 0, 0, 0, 0, 0]);
        host
    }

    fn wait(&mut self, span: Span) {
        self.now += span;
        if let Some((_, end)) = self.rom.advance(self.now, &mut self.chip) {
            self.end = Some(end);
        }
    }

    /// A control transfer with an IN data stage or none.
    fn control(&mut self, setup: [u8; 8]) -> Option<Vec<u8>> {
        assert_eq!(self.rom.usb().setup(self.now, 0, 0, setup), Handshake::Ack);
        self.wait(Span::us(100));
        let mut data = Vec::new();
        let mut packet = [0; MAX_PACKET];
        loop {
            match self.rom.usb().r#in(self.now, 0, 0, &mut packet) {
                InReply::Data { len, .. } => {
                    data.extend_from_slice(&packet[..len]);
                    if len < MAX_PACKET {
                        break;
                    }
                }
                InReply::Stall => return None,
                other => panic!("{other:?}"),
            }
        }
        if setup[0] & 0x80 != 0 {
            assert_eq!(self.rom.usb().out(self.now, 0, 0, true, &[]), Handshake::Ack);
        }
        self.wait(Span::us(100));
        Some(data)
    }

    fn send(&mut self, report: u8, payload: &[u8]) {
        let mut frame = vec![report, 0, payload.len() as u8, 0];
        frame.extend_from_slice(payload);
        for _ in 0..100_000 {
            match self.rom.usb().out(self.now, 0, 2, self.toggles[1], &frame) {
                Handshake::Ack => {
                    self.toggles[1] ^= true;
                    return self.wait(Span::us(10));
                }
                Handshake::Nak => self.wait(Span::us(10)),
                other => panic!("{other:?}"),
            }
        }
        panic!("it takes no more");
    }

    /// The next frame: report and payload; none if nothing comes within 5 s.
    fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut packet = [0; MAX_PACKET];
        for _ in 0..500_000 {
            match self.rom.usb().r#in(self.now, 0, 1, &mut packet) {
                InReply::Data { len, toggle } => {
                    assert_eq!((len, toggle), (FRAME, self.toggles[0]));
                    self.toggles[0] ^= true;
                    self.wait(Span::us(10));
                    assert_eq!(packet[1], 0);
                    let length = usize::from(u16::from_le_bytes([packet[2], packet[3]]));
                    return Some((packet[0], packet[4..4 + length].to_vec()));
                }
                InReply::Nak => self.wait(Span::us(10)),
                other => panic!("{other:?}"),
            }
        }
        None
    }

    fn command(&mut self, tag: u8, parameters: &[u32]) {
        let mut packet = vec![tag, u8::from(tag == 4), 0, parameters.len() as u8];
        packet.extend(parameters.iter().flat_map(|word| word.to_le_bytes()));
        self.send(1, &packet);
    }

    /// A response: its tag and words.
    fn response(&mut self) -> (u8, Vec<u32>) {
        let (report, packet) = self.receive().expect("a response");
        assert_eq!(report, 3);
        let words: Vec<_> = packet[4..].as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        assert_eq!(words.len(), usize::from(packet[3]));
        (packet[0], words)
    }

    /// The status that a command without data ends with.
    fn status(&mut self, tag: u8, parameters: &[u32]) -> u32 {
        self.command(tag, parameters);
        let (kind, words) = self.response();
        assert_eq!((kind, words[1]), (0xA0, u32::from(tag)));
        words[0]
    }

    fn write(&mut self, start: u32, data: &[u8]) -> u32 {
        match self.status(4, &[start, data.len() as u32, 0]) {
            0 => {}
            status => return status,
        }
        for piece in data.chunks(32) {
            self.send(2, piece);
        }
        let (kind, words) = self.response();
        assert_eq!((kind, words[1]), (0xA0, 4));
        words[0]
    }

    fn read(&mut self, start: u32, count: u32) -> Result<Vec<u8>, u32> {
        self.command(3, &[start, count, 0]);
        match self.response() {
            (0xA3, words) => assert_eq!(words, [0, count]),
            (0xA0, words) => return Err(words[0]),
            other => panic!("{other:?}"),
        }
        let mut data = Vec::new();
        loop {
            match self.receive().expect("data or a response") {
                (4, piece) => data.extend(piece),
                (3, packet) => {
                    assert_eq!(packet, [0xA0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0]);
                    return Ok(data);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn it_says_who_it_is() {
    let mut host = Host::new(delivered());
    let device = host.control([0x80, 6, 0, 1, 0, 0, 18, 0]).expect("a device descriptor");
    assert_eq!(device, [18, 1, 0, 2, 0, 0, 0, 64, 0xA2, 0x15, 0x73, 0, 2, 0, 1, 2, 0, 1]);
    let configuration = host.control([0x80, 6, 0, 2, 0, 0, 255, 0]).expect("a configuration");
    assert_eq!(configuration.len(), usize::from(configuration[2]));
    let report = host.control([0x81, 6, 0, 0x22, 0, 0, 255, 0]).expect("a report descriptor");
    assert_eq!(report.len(), usize::from(configuration[25]));
    let product = host.control([0x80, 6, 2, 3, 9, 4, 255, 0]).expect("a string");
    let text: Vec<_> = product[2..].as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    assert_eq!(String::from_utf16(&text).expect("text"), "Kinetis Bootloader");
    assert!(host.control([0x21, 0x0A, 0, 0, 0, 0, 0, 0]).is_some(), "SET_IDLE");
    assert!(host.control([0xC0, 1, 0, 0, 0, 0, 8, 0]).is_none(), "a vendor request");
}

#[test]
fn the_area_can_change_its_ids() {
    let mut chip = delivered();
    chip.put(0x3D4, &[0x34, 0x12, 0x78, 0x56]);
    let device = Host::new(chip).control([0x80, 6, 0, 1, 0, 0, 18, 0]).expect("a device descriptor");
    assert_eq!(device[8..12], [0x34, 0x12, 0x78, 0x56]);
}

#[test]
fn properties_are_told() {
    let mut host = Host::new(delivered());
    for (property, value) in [(1, 0x4B01_0000), (4, 0x4_0000), (5, 0x400), (11, 32), (14, 0x1FFF_E000), (17, 0)] {
        host.command(7, &[property, 0]);
        assert_eq!(host.response(), (0xA7, vec![0, value]), "{property}");
    }
    host.command(7, &[18]);
    assert_eq!(host.response(), (0xA7, vec![10300]));
    assert_eq!(host.status(0x0C, &[10, 2]), 10302);
    assert_eq!(host.status(0x0C, &[4, 2]), 10301);
}

#[test]
fn a_delivered_board_keeps_its_bootloader_and_can_be_read() {
    let mut host = Host::new(delivered());
    assert_eq!(host.status(1, &[]), 104, "FlashEraseAll");
    assert_eq!(host.write(0, &[0; 256]), 104);
    assert_eq!(host.status(2, &[0x7C00, 0x400]), 104);
    assert_eq!(host.read(0x400, 16).expect("reads")[..8], *b"MICROBIT");
    assert_eq!(host.status(2, &[0x8000, 0x800]), 0, "behind the protected part");
}

#[test]
fn everything_is_erased_unsecured_written_and_read_back() {
    let mut host = Host::new(delivered());
    let image: Vec<u8> = (0..5_003u32).map(|i| ((i * 7) >> 3) as u8).collect();
    assert_eq!(host.status(0x0D, &[]), 0);
    let all = host.read(0, 0x4_0000).expect("reads");
    assert!(all.iter().enumerate().all(|(at, &byte)| byte == if at == 0x40C { 0xFE } else { 0xFF }));
    assert_eq!(host.write(0, &image), 104, "FPROT stays until the reset");
    // Unplugged and plugged in again.
    let mut chip = host.chip;
    chip.reset();
    let mut host = Host::new(chip);
    let mut image = image;
    image[0x40C] = 0xFE;
    assert_eq!(host.write(0, &image), 0);
    let mut padded = image.clone();
    padded.push(0xFF);
    assert_eq!(host.read(0, 5_004).expect("reads"), padded);
}

#[test]
fn flash_takes_its_time() {
    let mut host = Host::new(TestChip::blank());
    let start = host.now;
    assert_eq!(host.write(0x1000, &[0; 1024]), 0);
    assert!(host.now >= start + Span::us(65 * 256), "256 long-words");
    let start = host.now;
    assert_eq!(host.status(2, &[0x1000, 0x1000]), 0);
    assert!(host.now >= start + Span::ms(14 * 4), "4 sectors");
}

#[test]
fn what_was_not_erased_is_told() {
    let mut host = Host::new(TestChip::blank());
    assert_eq!(host.write(0x1000, &[0xF0; 8]), 0);
    assert_eq!(host.write(0x1000, &[0x0F; 64]), 10203);
    assert_eq!(host.read(0x1000, 8), Ok(vec![0, 0, 0, 0, 0xF0, 0xF0, 0xF0, 0xF0]), "it stops at the first one");
    assert_eq!(host.status(0x0C, &[10, 0]), 0, "VerifyWrites off");
    assert_eq!(host.write(0x1008, &[0; 8]), 0);
    assert_eq!(host.write(0x1008, &[0x0F; 8]), 105);
}

#[test]
fn memory_ranges_and_alignment_are_checked() {
    let mut host = Host::new(TestChip::blank());
    assert_eq!(host.write(2, &[0; 4]), 101);
    assert_eq!(host.write(0x3_FFFC, &[0; 8]), 10200);
    assert_eq!(host.write(0x4_0000, &[0; 4]), 10200);
    assert_eq!(host.read(0xFFFF_FFFC, 8), Err(10200));
    assert_eq!(host.status(2, &[0x200, 0x400]), 101);
    assert_eq!(host.status(2, &[0x400, 0x200]), 101);
    assert_eq!(host.status(2, &[0x4_0000, 0x400]), 102);
    assert_eq!(host.status(9, &[0x5_0000, 0, 0x2000_0000]), 10200);
}

#[test]
fn ram_is_written_except_where_the_boot_loader_lives() {
    let mut host = Host::new(TestChip::blank());
    assert_eq!(host.write(0x2000_0001, b"anything"), 0);
    assert_eq!(host.read(0x2000_0001, 8), Ok(b"anything".to_vec()));
    assert_eq!(host.write(0x1FFF_E000, b"anything"), 10200);
    assert_eq!(host.status(0x0C, &[13, 0]), 0, "ValidateRegions off");
    assert_eq!(host.write(0x1FFF_E000, b"anything"), 0);
    assert_eq!(host.status(5, &[0x2000_0000, 6, 0x4433_2211]), 0);
    assert_eq!(host.read(0x2000_0000, 6), Ok(vec![0x11, 0x22, 0x33, 0x44, 0x11, 0x22]));
}

#[test]
fn flash_is_filled() {
    let mut host = Host::new(TestChip::blank());
    assert_eq!(host.status(5, &[0x800, 10, 0x4433_2211]), 0);
    let expected = [0x11, 0x22, 0x33, 0x44, 0x11, 0x22, 0x33, 0x44, 0x11, 0x22, 0xFF, 0xFF];
    assert_eq!(host.read(0x800, 12), Ok(expected.to_vec()));
}

#[test]
fn a_secured_chip_only_tells_its_properties_and_opens() {
    let mut chip = delivered();
    chip.fsec = 0xBC; // secured, key enabled
    let mut host = Host::new(chip);
    for (tag, parameters) in [(1, &[][..]), (2, &[0x8000, 0x400]), (4, &[0, 4]), (5, &[0, 4, 0]), (9, &[0, 0, 0])] {
        assert_eq!(host.status(tag, parameters), 10001, "{tag}");
    }
    assert_eq!(host.read(0, 4), Err(10001));
    host.command(7, &[17]);
    assert_eq!(host.response(), (0xA7, vec![0, 1]));
    assert_eq!(host.status(6, &[0, 0]), 103, "a wrong key");
    let key = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
    assert_eq!(host.status(6, &[key(b"MICR"), key(b"OBIT")]), 0);
    assert_eq!(host.read(0x400, 4), Ok(b"MICR".to_vec()));
    let mut chip = delivered();
    chip.fsec = 0xBC;
    let mut host = Host::new(chip);
    assert_eq!(host.status(0x0D, &[]), 0);
    assert_eq!(host.read(0x40C, 1), Ok(vec![0xFE]));
}

#[test]
fn unknown_commands_are_refused_by_number() {
    let mut host = Host::new(TestChip::blank());
    for tag in [0x08, 0x0E, 0x0F, 0x10, 0x11, 0x42] {
        assert_eq!(host.status(tag, &[]), 10000);
    }
}

#[test]
fn an_empty_frame_ends_a_write() {
    let mut host = Host::new(TestChip::blank());
    assert_eq!(host.status(4, &[0, 64]), 0);
    host.send(2, &[0; 32]);
    host.send(2, &[]);
    assert_eq!(host.response(), (0xA0, vec![10002, 4]));
    assert_eq!(host.read(0, 1), Ok(vec![0]), "what had come is programmed");
    assert_eq!(host.read(32, 1), Ok(vec![0xFF]));
}

#[test]
fn after_a_failure_the_rest_of_the_data_is_dropped() {
    let mut host = Host::new(delivered());
    assert_eq!(host.write(0x7FE0, &[0; 128]), 104);
    assert_eq!(host.read(0x8000, 1), Ok(vec![0xFF]), "nothing of the part that could be written");
    assert_eq!(host.write(0x2000_0000, &[1, 2, 3]), 0, "and the next command is heard");
}

#[test]
fn a_bus_reset_ends_what_was_begun() {
    let mut host = Host::new(TestChip::blank());
    assert_eq!(host.status(4, &[0, 64]), 0);
    host.rom.usb().bus_reset(host.now);
    host.wait(Span::ms(1));
    host.toggles = [false; 2];
    host.control([0x00, 9, 1, 0, 0, 0, 0, 0]);
    host.send(2, &[0; 32]);
    assert_eq!(host.rom.garbled(), 1);
    assert_eq!(host.read(0, 1), Ok(vec![0xFF]));
}

#[test]
fn reset_answers_first_and_then_leaves() {
    let mut host = Host::new(TestChip::blank());
    host.command(0x0B, &[]);
    host.wait(Span::ms(50));
    assert_eq!(host.end, None, "the host has not heard of it");
    assert_eq!(host.response(), (0xA0, vec![0, 0x0B]));
    host.wait(Span::ms(1));
    assert_eq!(host.end, Some(End::Reset));
}

#[test]
fn execute_and_call_hand_the_core_over() {
    let mut host = Host::new(delivered());
    assert_eq!(host.status(9, &[0x8001, 7, 0x2000_4000]), 0);
    host.wait(Span::ms(1));
    assert_eq!(host.end, Some(End::Start { address: 0x8001, argument: 7, stack: 0x2000_4000 }));
    let mut host = Host::new(delivered());
    host.command(0x0A, &[0x2000_0001, 5]);
    host.wait(Span::ms(1));
    assert_eq!(host.end, Some(End::Call { address: 0x2000_0001, argument: 5 }));
    let now = host.now;
    host.rom.returned(now);
    assert_eq!(host.response(), (0xA0, vec![0, 0x0A]));
}

#[test]
fn without_a_host_a_valid_image_starts_after_the_time_out() {
    let mut chip = delivered();
    let mut rom = Rom::new(Time::ZERO, 2, &chip);
    let before = Time::ZERO + Span::ms(4_999);
    assert_eq!(rom.advance(before, &mut chip), None);
    let start = End::Start { address: 0x185, argument: 0, stack: 0x2000_0A00 };
    assert_eq!(rom.advance(Time::NEVER, &mut chip), Some((Time::ZERO + Span::secs(5), start)));
}

#[test]
fn traffic_on_another_peripheral_takes_an_erased_chip_from_the_usb() {
    let mut chip = TestChip::blank();
    let mut rom = Rom::new(Time::ZERO, 2, &chip);
    rom.traffic(peripheral::LPUART);
    assert_eq!(rom.advance(Time::ZERO + Span::secs(10), &mut chip), None);
    assert!(!rom.usb().attached());
    // The micro:bit's image listens to USB alone, and so does one that its host has configured.
    let mut host = Host::new(delivered());
    host.rom.traffic(peripheral::LPUART);
    host.wait(Span::ms(1));
    assert!(host.rom.usb().attached());
    let mut host = Host::new(TestChip::blank());
    host.rom.traffic(peripheral::LPUART);
    assert!(host.rom.usb().attached());
}

#[test]
fn slices_of_time_change_nothing() {
    let run = |slice: Span| {
        let mut host = Host::new(TestChip::blank());
        host.command(2, &[0, 0x2000]);
        let start = host.now;
        while host.now < start + Span::ms(200) {
            host.wait(slice);
        }
        (host.chip.commands, host.rom.next_event())
    };
    assert_eq!(run(Span::ms(1)), run(Span::ms(100)));
}
