//! Two radios, each on its bench, and an ether between them.

use super::super::hfclk::HfClk;
use super::super::peripheral::testing::Bench;
use super::*;
use crate::parts::air::Reception;
use twinboard_sim::time::Time;

const PACKET: u32 = 0x2000_0100;

struct Station {
    bench: Bench,
    radio: Radio,
}

impl Station {
    /// As the micro:bit's radio drivers configure it.
    fn new(spec: &'static RadioSpec) -> Station {
        let mut station = Station { bench: Bench::default(), radio: Radio::new(spec, 1) };
        for (register, value) in [
            (FREQUENCY, 7),
            (MODE, 0),
            (BASE0, 0x7562_6974),
            (PREFIX0, 1),
            (TXADDRESS, 0),
            (RXADDRESSES, 1),
            (PCNF0, 8),
            (PCNF1, 0x0204_0000 | 32),
            (CRCCNF, 2),
            (CRCINIT, 0xFFFF),
            (CRCPOLY, 0x1_1021),
            (DATAWHITEIV, 0x18),
            (PACKETPTR, PACKET),
        ] {
            station.set(register, value);
        }
        station
    }

    fn set(&mut self, register: u32, value: u32) {
        self.radio.write(&mut self.bench.cx(), register, value).expect("a register");
    }

    fn get(&mut self, register: u32) -> u32 {
        self.radio.read(&mut self.bench.cx(), register).expect("a register")
    }

    fn task(&mut self, task: u32) {
        self.radio.task(&mut self.bench.cx(), task).expect("a task");
    }

    /// The cycle at which the event comes.
    fn wait(&mut self, event: u32) -> u64 {
        self.bench.wait(&mut self.radio, event, us(10_000)).expect("the event comes")
    }

    fn is_set(&mut self, event: u32) -> bool {
        self.radio.events.is_set(event)
    }

    fn clear(&mut self, event: u32) {
        self.radio.events.write(0x100 + 4 * event, 0);
    }

    fn ram(&self, len: usize) -> &[u8] {
        self.bench.memory.read_bytes(PACKET, len).expect("RAM")
    }

    /// Listens from 200 us on.
    fn listen(&mut self) {
        self.set(SHORTS, short::READY_START | short::ADDRESS_RSSISTART);
        self.task(task::RXEN);
        self.bench.run_to(&mut self.radio, us(200));
        assert_eq!(self.get(STATE), State::Rx as u32);
    }

    /// Sends `packet`, which begins at 200 us: what is on air.
    fn send(&mut self, packet: &[u8]) -> Transmission {
        self.bench.memory.write_bytes(PACKET, packet);
        self.task(task::TXEN);
        self.bench.run_to(&mut self.radio, us(200));
        assert_eq!(self.get(STATE), State::TxIdle as u32);
        self.task(task::START);
        self.radio.take_sent().next().expect("a packet")
    }

    fn hear(&mut self, transmission: Transmission, dbm: i16) {
        self.radio.hear(HfClk::default(), Reception { transmission, dbm });
    }
}

const HELLO: &[u8] = b"\x08\x01\x01\x01hello";

#[test]
fn a_packet_of_the_microbit_comes_across_with_its_strength() {
    for (sender, receiver) in [(&NRF52833, &NRF52833), (&NRF51, &NRF52833), (&NRF52833, &NRF51)] {
        let (mut a, mut b) = (Station::new(sender), Station::new(receiver));
        b.listen();
        let packet = a.send(HELLO);
        b.hear(packet, -57);
        // 1 + 5 bytes of preamble and address at 1 Mbit/s, then LENGTH and payload, then the CRC.
        assert_eq!(b.wait(event::ADDRESS), us(200 + 48));
        assert_eq!(b.ram(9), [0; 9], "nothing has come yet");
        assert_eq!(b.wait(event::PAYLOAD), us(200 + 48 + 72));
        assert_eq!(b.ram(9), HELLO);
        assert_eq!(b.wait(event::END), us(200 + 48 + 72 + 16));
        assert_eq!((b.get(CRCSTATUS), b.get(RXMATCH), b.get(RSSISAMPLE)), (1, 0, 57));
        assert_eq!(b.get(STATE), State::RxIdle as u32);
        assert_eq!((a.wait(event::ADDRESS), a.wait(event::END)), (us(248), us(336)), "the sender's events");
    }
}

#[test]
fn radios_that_are_configured_differently_do_not_understand_each_other() {
    // What the receiver has, and whether it sees a packet with a bad CRC (or none at all).
    for (register, value, sees) in [
        (FREQUENCY, 8, false),
        (MODE, 1, false),
        (MODE, 3, false),
        (BASE0, 0x7562_6975, false),
        (PREFIX0, 2, false),
        (RXADDRESSES, 0, false),
        (PCNF1, 0x0203_0020, false), // BALEN
        (DATAWHITEIV, 0x19, true),
        (PCNF1, 0x0004_0020, true), // no whitening
        (PCNF1, 0x0304_0020, true), // big endian
        (PCNF1, 0x0204_0004, true), // MAXLEN
        (PCNF0, 0x108, true),       // S0
        (CRCINIT, 0xFFFE, true),
        (CRCPOLY, 0x1_1023, true),
        (CRCCNF, 3, true),
        (CRCCNF, 0x102, true), // SKIPADDR
    ] {
        let (mut a, mut b) = (Station::new(&NRF52833), Station::new(&NRF52833));
        b.set(register, value);
        b.listen();
        let packet = a.send(HELLO);
        b.hear(packet, -50);
        b.bench.run_to(&mut b.radio, us(5_000));
        assert_eq!((b.is_set(event::END), b.is_set(event::CRCERROR)), (sees, sees), "{register:#x} = {value:#x}");
        assert_eq!(b.get(CRCSTATUS), 0);
    }
}

#[test]
fn a_logical_address_is_matched_by_base_and_prefix() {
    let (mut a, mut b) = (Station::new(&NRF52833), Station::new(&NRF52833));
    a.set(BASE1, 0x1234_5678);
    a.set(PREFIX1, 0xAB00);
    a.set(TXADDRESS, 5);
    b.set(BASE1, 0x1234_5678);
    b.set(PREFIX1, 0xAB00);
    b.set(RXADDRESSES, 0b0010_0001);
    b.listen();
    let packet = a.send(HELLO);
    b.hear(packet, -50);
    b.wait(event::END);
    assert_eq!((b.get(RXMATCH), b.get(CRCSTATUS)), (5, 1));
}

#[test]
fn who_begins_to_listen_in_the_middle_hears_nothing_and_so_does_who_is_too_far_away() {
    let mut a = Station::new(&NRF52833);
    let packet = a.send(HELLO);
    for (rxen, dbm, hears) in [(0, -50, true), (75, -50, false), (0, -96, true), (0, -97, false)] {
        let mut b = Station::new(&NRF52833);
        b.bench.run_to(&mut b.radio, us(rxen));
        b.set(SHORTS, short::READY_START);
        b.task(task::RXEN);
        b.hear(packet.clone(), dbm);
        b.bench.run_to(&mut b.radio, us(1_000));
        assert_eq!(b.is_set(event::END), hears, "RXEN at {rxen} us, {dbm} dBm");
    }
}

#[test]
fn ramp_up_takes_140_us_or_40_us_and_a_task_never_ends_in_its_own_write() {
    for (spec, modecnf0, expected) in [(&NRF52833, 0x200, 140), (&NRF52833, 0x201, 40), (&NRF51, 0, 140)] {
        let mut a = Station::new(spec);
        if spec.fast_ramp_up.is_some() {
            a.set(MODECNF0, modecnf0);
        }
        a.task(task::TXEN);
        assert!(!a.is_set(event::READY));
        assert_eq!((a.get(STATE), a.wait(event::READY)), (State::TxRu as u32, us(expected)));
        a.task(task::DISABLE);
        assert!(!a.is_set(event::DISABLED));
        assert_eq!(a.get(STATE), State::TxDisable as u32);
        assert_eq!(a.wait(event::DISABLED), us(expected) + spec.tx_disable);
        a.clear(event::DISABLED);
        a.task(task::DISABLE);
        assert!(!a.is_set(event::DISABLED));
        a.wait(event::DISABLED);
    }
}

#[test]
fn shorts_turn_an_advertiser_round_and_tifs_keeps_the_distance() {
    let mut a = Station::new(&NRF51);
    a.set(TIFS, 150);
    a.set(SHORTS, short::READY_START | short::END_DISABLE | short::DISABLED_RXEN);
    a.task(task::TXEN);
    let end = a.wait(event::END);
    assert_eq!(end, us(140 + 48 + 8 + 16), "an empty packet");
    a.clear(event::READY);
    assert_eq!(a.wait(event::READY), end + us(150));
    assert_eq!(a.get(STATE), State::Rx as u32);
}

#[test]
fn the_bit_counter_counts_behind_the_address_and_can_be_set_again() {
    let (mut a, mut b) = (Station::new(&NRF51), Station::new(&NRF51));
    b.listen();
    b.set(SHORTS, short::ADDRESS_BCSTART);
    b.set(BCC, 24);
    let packet = a.send(HELLO);
    b.hear(packet, -50);
    assert_eq!(b.wait(event::BCMATCH), us(248 + 24));
    assert_eq!(b.ram(4), [8, 1, 1, 0], "LENGTH and two bytes");
    b.clear(event::BCMATCH);
    b.set(BCC, 40);
    assert_eq!(b.wait(event::BCMATCH), us(248 + 40));
    b.clear(event::BCMATCH);
    b.set(BCC, 100);
    b.wait(event::END);
    assert!(!b.is_set(event::BCMATCH), "the packet ended before");
}

#[test]
fn a_device_address_is_matched_in_the_first_48_bits_of_the_payload() {
    // As Bluetooth's packets: S0 with TxAdd, LENGTH of 8 bits.
    for (dap, txadd, expected) in
        [(0x0605, 1, event::DEVMATCH), (0x0606, 1, event::DEVMISS), (0x0605, 0, event::DEVMISS)]
    {
        let (mut a, mut b) = (Station::new(&NRF52833), Station::new(&NRF52833));
        a.set(PCNF0, 0x108);
        b.set(PCNF0, 0x108);
        b.set(DAB + 8, 0x0403_0201);
        b.set(DAP + 8, dap);
        b.set(DACNF, 1 << 2 | txadd << 10);
        b.listen();
        let packet = a.send(b"\x40\x07\x01\x02\x03\x04\x05\x06\x07");
        b.hear(packet, -50);
        assert_eq!(b.wait(expected), us(248 + 16 + 48));
        b.wait(event::END);
        assert_eq!(b.is_set(event::DEVMATCH), expected == event::DEVMATCH);
        assert_eq!(b.get(DAI), if expected == event::DEVMATCH { 2 } else { 0 });
    }
}

#[test]
fn a_second_packet_on_the_channel_damages_the_first_unless_it_is_much_weaker() {
    for (other, survives) in [(-50, false), (-60, true)] {
        let (mut a, mut b) = (Station::new(&NRF52833), Station::new(&NRF52833));
        b.listen();
        let packet = a.send(HELLO);
        let mut second = packet.clone();
        second.start = Time::ZERO + Span::us(250);
        b.hear(packet, -50);
        b.hear(second, other);
        b.wait(event::END);
        assert_eq!(b.get(CRCSTATUS) == 1, survives, "{other} dBm");
    }
}

#[test]
fn a_packet_longer_than_maxlen_is_cut_by_its_sender() {
    let (mut a, mut b) = (Station::new(&NRF52833), Station::new(&NRF52833));
    a.set(PCNF1, 0x0204_0000 | 3);
    b.set(PCNF1, 0x0204_0000 | 3);
    b.listen();
    let packet = a.send(b"\x05abcde");
    b.hear(packet, -50);
    b.wait(event::END);
    assert_eq!((b.get(CRCSTATUS), b.ram(6)), (1, &b"\x05abc\0\0"[..]));
}

#[test]
fn a_reset_while_it_works_gives_the_reset_values() {
    let mut a = Station::new(&NRF51);
    a.task(task::TXEN);
    a.radio.reset(&mut a.bench.cx(), Reset::Soft);
    assert_eq!(a.radio.next(&LfClk::default()), NEVER);
    assert_eq!((a.get(STATE), a.get(FREQUENCY), a.get(DATAWHITEIV), a.get(BASE0)), (0, 2, 0x40, 0));
}

#[test]
fn ieee_802_15_4_frames_start_behind_their_length_and_the_channel_is_assessed() {
    let ieee = |station: &mut Station| {
        for (register, value) in [
            (MODE, 15),
            (PCNF0, 8 | 2 << 24 | 1 << 26), // 32 bits of zeros, LENGTH counts the CRC
            (PCNF1, 127),
            (CRCCNF, 2 | 2 << 8),
            (CRCINIT, 0),
        ] {
            station.set(register, value);
        }
    };
    let (mut a, mut b) = (Station::new(&NRF52833), Station::new(&NRF52833));
    ieee(&mut a);
    ieee(&mut b);
    b.listen();
    let packet = a.send(b"\x05abc");
    b.hear(packet, -50);
    // Four bytes of preamble, SFD, length: 192 us at 250 kbit/s.
    assert_eq!(b.wait(event::FRAMESTART), us(200 + 192));
    b.task(task::CCASTART);
    assert_eq!(b.wait(event::END), us(200 + 192 + 5 * 32));
    assert_eq!((b.get(CRCSTATUS), b.ram(4)), (1, &b"\x05abc"[..]));
    assert!(b.is_set(event::CCABUSY) && !b.is_set(event::CCAIDLE));
    b.task(task::CCASTART);
    b.wait(event::CCAIDLE);
}

#[test]
fn a_radio_says_how_long_it_will_be_silent() {
    let mut a = Station::new(&NRF52833);
    assert_eq!(a.radio.silent_until(us(5)), us(45), "it could have fast ramp-up");
    a.task(task::TXEN);
    assert_eq!(a.radio.silent_until(us(5)), us(140));
    a.wait(event::READY);
    assert_eq!(a.radio.silent_until(us(500)), us(500));
}
