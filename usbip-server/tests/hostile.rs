//! The server against clients that mean harm, or have lost their minds. Whatever they do: no panic, bounded memory, and
//! everybody else is served.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use twinboard_sim::pace::ClockMode;
use twinboard_usbip::client::{self, Channel};
use twinboard_usbip::gadget::{Gadget, Loopback, SourceSink};
use twinboard_usbip::proto::BusId;
use twinboard_usbip::server::{Event, Exported, Server};
use twinboard_usbip::vhc::Urb;

const IMPORT: [u8; 8] = [0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0];

struct Bench {
    _server: Server,
    echo: Exported<Gadget<Loopback>>,
    source: Exported<Gadget<SourceSink>>,
    address: SocketAddr,
}

/// A server with a loopback device `1-1` and a source and sink `1-2`.
fn bench(mode: ClockMode) -> Bench {
    let (sender, events) = mpsc::channel();
    let mut server = Server::new(move |event| {
        let _ = sender.send(event);
    });
    let address = server.listen("127.0.0.1:0").expect("loopback has a free port");
    let echo = server.export("loop", Gadget::new(Loopback::new("loop")), mode, None).expect("a thread");
    let source = server.export("source", Gadget::new(SourceSink::default()), mode, None).expect("a thread");
    for _ in 0..2 {
        assert!(matches!(events.recv_timeout(Duration::from_secs(30)), Ok(Event::Exported { .. })));
    }
    Bench { _server: server, echo, source, address }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A board that panicked fails the test here.
        self.echo.stop();
        self.source.stop();
    }
}

impl Bench {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_nodelay(true).expect("TCP");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("TCP");
        stream
    }

    /// Imports as soon as the client before is seen to be gone.
    fn import(&self, busid: &str) -> Channel<TcpStream> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let mut stream = self.connect();
            match client::import(&mut stream, BusId::new(busid)) {
                Ok(device) => return Channel::new(stream, device.devid()),
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        }
    }

    /// Both devices are there and answer.
    fn assert_serves(&self) {
        assert_eq!(client::list(&mut self.connect()).expect("a list").len(), 2);
        let mut channel = self.import("1-1");
        let descriptor = channel.transfer(&Urb::control_in(0, [0x80, 6, 0, 1, 0, 0, 18, 0])).expect("answered");
        assert_eq!((descriptor.0, descriptor.1), (0, 18));
    }

    fn request_import(&self, busid: &str) -> TcpStream {
        let mut stream = self.connect();
        let mut request = IMPORT.to_vec();
        request.extend(busid.bytes());
        request.resize(40, 0);
        stream.write_all(&request).expect("sent");
        stream
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    let mut message: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    message.resize(48, 0);
    message
}

/// Either an answer comes or the connection ends; both within the time-out.
fn assert_answered_or_closed(stream: &mut TcpStream, what: &str) {
    let mut answer = [0; 48];
    match stream.read(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{what}: {error}"),
    }
}

#[test]
fn every_field_of_a_submit_and_an_unlink_may_be_at_its_extremes() {
    let bench = bench(ClockMode::Elastic);
    let submit = [1, 7, 0x0001_0002, 1, 0, 0x200, 18, 0, 0, 0, 0x8006_0001, 0x0000_1200];
    let unlink = [2, 8, 0x0001_0002, 0, 0, 7, 0, 0, 0, 0, 0, 0];
    for base in [submit, unlink] {
        for field in 0..base.len() {
            for value in [0, 1, 16, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
                let mut message = base;
                message[field] = value;
                let mut stream = bench.import("1-1").into_stream();
                stream.write_all(&words(&message)).expect("sent");
                // What claims to have data behind it gets some, then the end; what reads more than there is waits.
                stream.write_all(&[0; 48]).expect("sent");
                let _ = stream.shutdown(std::net::Shutdown::Write);
                assert_answered_or_closed(&mut stream, &format!("field {field} = {value:#x}"));
            }
        }
    }
    bench.assert_serves();
}

#[test]
fn a_conversation_may_end_at_any_byte() {
    let bench = bench(ClockMode::Elastic);
    let mut conversation = IMPORT.to_vec();
    conversation.extend(b"1-1");
    conversation.resize(40, 0);
    conversation.extend(words(&[1, 7, 0x0001_0002, 0, 1, 0, 64]));
    conversation.extend([0xaa; 64]);
    conversation.extend(words(&[2, 8, 0x0001_0002, 0, 0, 7]));
    for end in 0..conversation.len() {
        bench.connect().write_all(&conversation[..end]).expect("sent");
    }
    bench.assert_serves();
}

#[test]
fn a_submit_before_an_import_and_an_import_after_it_end_the_connection() {
    let bench = bench(ClockMode::Elastic);
    let mut stream = bench.connect();
    stream.write_all(&words(&[1, 7, 0x0001_0002, 0, 1, 0, 0])).expect("sent");
    assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);

    let mut stream = bench.import("1-1").into_stream();
    stream.write_all(&[&IMPORT[..], &[0; 40]].concat()).expect("sent");
    assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
    bench.assert_serves();
}

#[test]
fn bytes_behind_an_import_that_is_refused_are_not_taken_for_urbs() {
    let bench = bench(ClockMode::Elastic);
    let mut stream = bench.request_import("9-9");
    stream.write_all(&words(&[1, 7, 0, 1, 0, 0, 18])).expect("sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer == [0x01, 0x11, 0x00, 0x03, 0, 0, 0, 4], "{answer:02x?}");
    bench.assert_serves();
}

#[test]
fn a_crowd_that_says_nothing_does_not_block_the_door() {
    let bench = bench(ClockMode::Elastic);
    let crowd: Vec<TcpStream> = (0..150).map(|_| bench.connect()).collect();
    bench.assert_serves();
    drop(crowd);
}

#[test]
fn garbage_ends_the_connection_and_nothing_else() {
    let bench = bench(ClockMode::Elastic);
    let mut state = 1u32;
    for round in 0..200 {
        let mut noise = Vec::new();
        for _ in 0..round {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.push((state >> 24) as u8);
        }
        let mut stream = if round % 2 == 0 { bench.connect() } else { bench.import("1-1").into_stream() };
        let _ = stream.write_all(&noise);
    }
    bench.assert_serves();
}

/// Resident memory of this process, server and client, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
}

#[test]
fn a_reader_that_never_reads_stops_being_served_while_others_are_and_memory_stays_bounded() {
    let bench = bench(ClockMode::Free);
    let mut channel = bench.import("1-2");
    channel.transfer(&Urb::control_in(0, [0x00, 9, 1, 0, 0, 0, 0, 0])).expect("answered");
    let before = resident();
    let mut greedy = channel.into_stream();
    // 512 reads of 1 MiB: their 24 KB fit into a socket's buffers even if nobody takes them.
    for seqnum in 101..613 {
        greedy.write_all(&words(&[1, seqnum, 0x0001_0003, 1, 1, 0x200, 1 << 20])).expect("TCP");
        if seqnum % 64 == 0 {
            bench.assert_serves();
        }
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 96 << 20, "grew by {grown} bytes");
    bench.assert_serves();
    drop(greedy);
    // The device is free again and works.
    let mut channel = bench.import("1-2");
    assert_eq!(channel.transfer(&Urb::control_in(0, [0x80, 6, 0, 1, 0, 0, 18, 0])).expect("answered").1, 18);
}
