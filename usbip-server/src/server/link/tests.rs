//! The rules of submits and unlinks, on a link without a socket.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use twinboard_sim::time::Span;

use super::*;
use crate::client::{Channel, Reply};
use crate::gadget::{Gadget, Loopback};

/// The client's end of a link without a socket: what it writes is kept until somebody hands it to the link, what
/// it reads is what the link put out.
#[derive(Default)]
struct Wire {
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    read: usize,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.to_client.len() - self.read);
        buffer[..count].copy_from_slice(&self.to_client[self.read..][..count]);
        self.read += count;
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to_server.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sebastiano Vigna's splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

struct Bench {
    gadget: Gadget<Loopback>,
    vhc: Vhc,
    link: Link,
    channel: Channel<Wire>,
}

impl Bench {
    fn new() -> Bench {
        let mut gadget = Gadget::new(Loopback::new("loop"));
        let mut vhc = Vhc::new(0);
        vhc.plug(&mut gadget);
        vhc.enumerate(&mut gadget, 2, Span::secs(1)).expect("enumerates");
        vhc.request(&mut gadget, [0, 9, 1, 0, 0, 0, 0, 0], &[]).expect("configures");
        let (link, channel) = Bench::connect();
        Bench { gadget, vhc, link, channel }
    }

    fn connect() -> (Link, Channel<Wire>) {
        let mut decoder = Decoder::new();
        decoder.enter_urb_phase();
        (Link::new(decoder, 2), Channel::new(Wire::default(), 0x10002))
    }

    /// The first `count` bytes that the client wrote reach the server.
    fn deliver(&mut self, count: usize) {
        let wire = self.channel.stream_mut();
        let bytes: Vec<u8> = wire.to_server.drain(..count.min(wire.to_server.len())).collect();
        self.link.receive(&bytes, &mut self.vhc, &mut self.gadget, &mut None).expect("all of it makes sense");
    }

    fn run(&mut self, span: Span) {
        let until = self.gadget.now() + span;
        self.vhc.run(&mut self.gadget, until);
        self.link.collect(&mut self.vhc, &mut None);
    }

    /// Everything the server has said since the last time.
    fn replies(&mut self) -> Vec<Reply> {
        let count = self.link.output().len();
        let wire = self.channel.stream_mut();
        wire.to_client = self.link.output().to_vec();
        wire.read = 0;
        self.link.consume(count);
        let mut replies = Vec::new();
        while self.channel.stream_mut().read < count {
            replies.push(self.channel.receive().expect("whole messages"));
        }
        replies
    }
}

fn any_urb(random: &mut Random) -> Urb {
    let size = random.below(200) as usize;
    match random.below(6) {
        0 => Urb::write(0, 1, vec![1; size]),
        1 => Urb::read(0, 0x81, size),
        2 => Urb::write(0, 2, vec![2; size.min(64)]),
        3 => Urb::read(0, 0x82, size),
        4 => Urb::control_in(0, [0x80, 6, 0, 1, 0, 0, 18, 0]),
        _ => Urb::control_in(0, [0x80, 6, 0, 6, 0, 0, 10, 0]),
    }
}

/// The model: what is answered how often, and in which order.
#[test]
fn every_submit_and_unlink_has_exactly_one_answer_in_a_hundred_thousand_races() {
    let random = &mut Random(20);
    let mut bench = Bench::new();
    let mut races = [0u32; 2];
    for _ in 0..100_000 {
        (bench.link, bench.channel) = Bench::connect();
        let mut submits = Vec::new();
        let mut unlinks = BTreeMap::new();
        let mut replies = Vec::new();
        for _ in 0..2 + random.below(6) {
            match random.below(5) {
                0 | 1 => {
                    let urb = any_urb(random);
                    submits.push(bench.channel.submit(&urb).expect("memory"));
                }
                2 if !submits.is_empty() => {
                    let victim = submits[random.below(submits.len() as u64) as usize];
                    let seqnum = bench.channel.unlink(victim).expect("memory");
                    unlinks.insert(seqnum, victim);
                }
                3 => {
                    let count = random.below(150) as usize;
                    bench.deliver(count);
                }
                _ => bench.run(Span::us(random.below(150))),
            }
            replies.extend(bench.replies());
        }
        for &victim in &submits {
            unlinks.insert(bench.channel.unlink(victim).expect("memory"), victim);
        }
        bench.deliver(usize::MAX);
        replies.extend(bench.replies());

        let (mut answered, mut taken_back) = (BTreeSet::new(), BTreeSet::new());
        for reply in replies {
            match reply {
                Reply::Submit { seqnum, .. } => {
                    assert!(answered.insert(seqnum), "a second answer to submit {seqnum}");
                    assert!(!taken_back.contains(&seqnum), "an answer to {seqnum} after it was taken back");
                }
                Reply::Unlink { seqnum, status } => {
                    let victim = unlinks.remove(&seqnum).expect("one answer to each unlink");
                    let known = answered.contains(&victim) || taken_back.contains(&victim);
                    assert_eq!(status, if known { 0 } else { -104 }, "unlink of {victim}");
                    races[usize::from(known)] += 1;
                    taken_back.insert(victim);
                }
            }
        }
        assert!(unlinks.is_empty(), "unlinks without an answer: {unlinks:?}");
        assert!(submits.iter().all(|seqnum| answered.contains(seqnum) || taken_back.contains(seqnum)));
        assert!(!bench.vhc.busy() && bench.link.urbs == 0 && bench.link.bytes == 0);
    }
    assert!(races.iter().all(|&count| count > 40_000), "both outcomes are frequent: {races:?}");
}

#[test]
fn number_of_packets_comes_back_as_it_was() {
    let mut bench = Bench::new();
    for (packets, seqnum) in [(0u32, 1u32), (NO_PACKETS, 2)] {
        bench.channel.submit(&Urb::control_in(0, [0x80, 6, 0, 1, 0, 0, 18, 0])).expect("memory");
        bench.channel.stream_mut().to_server[32..36].copy_from_slice(&packets.to_be_bytes());
        bench.deliver(usize::MAX);
        bench.run(Span::ms(5));
        assert_eq!(bench.link.output()[32..36], packets.to_be_bytes());
        assert!(
            matches!(bench.replies()[..], [Reply::Submit { seqnum: got, status: 0, actual: 18, .. }] if got == seqnum)
        );
    }
}

#[test]
fn more_in_flight_than_the_bound_is_refused_with_enomem() {
    let mut bench = Bench::new();
    for _ in 0..MAX_URBS + 10 {
        bench.channel.submit(&Urb::read(0, 0x81, 0)).expect("memory");
    }
    bench.deliver(usize::MAX);
    let refused = bench.replies();
    assert_eq!(refused.len(), 10);
    assert!(refused.iter().all(|reply| matches!(reply, Reply::Submit { status: -12, .. })));
}

#[test]
fn more_bytes_in_flight_than_the_bound_are_refused_with_enomem() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.channel.submit(&Urb::read(0, 0x81, MAX_BYTES / 2)).expect("memory");
    }
    bench.deliver(usize::MAX);
    assert!(matches!(bench.replies()[..], [Reply::Submit { seqnum: 3, status: -12, .. }]));
}

#[test]
fn a_control_transfer_whose_data_flow_against_its_request_is_refused() {
    let mut bench = Bench::new();
    let mut urb = Urb::write(0, 0, [0; 8]);
    urb.setup = Some([0x00, 9, 1, 0, 0, 0, 8, 0]);
    bench.channel.queue(&urb);
    // The same, but its request claims to read.
    urb.setup = Some([0x00, 9, 1, 0, 0, 0, 8, 0]);
    bench.channel.submit(&urb).expect("memory");
    bench.channel.stream_mut().to_server[48 + 8 + 40] = 0x80;
    bench.deliver(usize::MAX);
    assert!(matches!(bench.replies()[..], [Reply::Submit { seqnum: 2, status: -22, .. }]));
}

/// vhci sends submits and unlinks from two queues, and may take the unlink first. Linux gives the URB back when the
/// unlink's answer comes behind the submit, and has nobody left then to wait for the submit's.
#[test]
fn an_unlink_that_overtook_its_submit_is_answered_behind_it_and_the_submit_is_not() {
    let mut bench = Bench::new();
    bench.channel.submit(&Urb::read(0, 0x82, 64)).expect("memory");
    let victim = bench.channel.submit(&Urb::read(0, 0x82, 64)).expect("memory");
    let seqnum = bench.channel.unlink(victim).expect("memory");
    let again = bench.channel.unlink(victim).expect("memory");
    let wire = &mut bench.channel.stream_mut().to_server;
    assert_eq!(wire.len(), 4 * 48, "a read's submit is a header");
    wire[48..].rotate_left(48);
    bench.deliver(3 * 48);
    assert!(bench.replies().is_empty(), "vhci may not have sent the submit yet");
    bench.deliver(usize::MAX);
    let replies = bench.replies();
    assert!(
        matches!(replies[..], [Reply::Unlink { seqnum: a, status: -104 }, Reply::Unlink { seqnum: b, status: 0 }]
            if (a, b) == (seqnum, again)),
        "{replies:?}"
    );
    bench.run(Span::ms(5));
    assert!(bench.replies().is_empty());
    assert!(bench.link.urbs == 1 && bench.link.early.is_empty());
}

#[test]
fn an_unlink_of_what_never_comes_is_answered_when_a_later_submit_shows_that() {
    let mut bench = Bench::new();
    let seqnum = bench.channel.unlink(7).expect("memory");
    bench.deliver(usize::MAX);
    assert!(bench.replies().is_empty());
    // Numbers 2 to 6 come, and then 20.
    for _ in 2..=6 {
        bench.channel.submit(&Urb::read(0, 0x82, 64)).expect("memory");
    }
    bench.deliver(usize::MAX);
    assert!(bench.replies().is_empty());
    bench.channel.submit(&Urb::read(0, 0x82, 64)).expect("memory");
    bench.channel.stream_mut().to_server[4..8].copy_from_slice(&20u32.to_be_bytes());
    bench.deliver(usize::MAX);
    assert!(matches!(bench.replies()[..], [Reply::Unlink { seqnum: got, status: 0 }] if got == seqnum));
    assert!(bench.link.urbs == 6 && bench.link.early.is_empty());
}
