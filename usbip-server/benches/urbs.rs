//! What a 64-byte OUT URB costs, from a client's write to its read of the answer.
//!
//! Measured over the same sockets, in turns, so that the ratios mean something on a busy computer: a bare echo thread
//! (reads a submit of 48 + 64 bytes, writes 48 bytes: the floor), this server with a sink behind the whole host
//! controller, and the server of the crate `usbip`. One client thread keeps `depth` URBs in flight. The import is not
//! included; the kernel's side of a real client is not either.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use twinboard_sim::pace::ClockMode;
use twinboard_usbip::client::{self, Channel};
use twinboard_usbip::gadget::{Gadget, SourceSink};
use twinboard_usbip::proto::BusId;
use twinboard_usbip::server::{Exported, Server};
use twinboard_usbip::vhc::Urb;

const ROUNDS: usize = 100;
const URBS_PER_ROUND: usize = 200;
/// The other server is slow enough at depth 4 that fewer must do.
const SLOW_URBS_PER_ROUND: usize = 20;
const SUBMIT: usize = 48 + 64;
const ANSWER: usize = 48;

/// A stream that both kinds of socket are.
trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One server as the client sees it.
struct Candidate {
    name: &'static str,
    stream: Box<dyn Stream>,
    seqnum: u32,
    urbs: usize,
    times: Vec<Duration>,
    worst: Duration,
}

impl Candidate {
    fn new(name: &'static str, stream: impl Stream + 'static, urbs: usize) -> Candidate {
        Candidate { name, stream: Box::new(stream), seqnum: 1000, urbs, times: Vec::new(), worst: Duration::ZERO }
    }

    fn submit(&mut self) {
        self.seqnum += 1;
        let mut message = [0; SUBMIT];
        for (place, word) in [1, self.seqnum, 0x0001_0002, 0, 1, 0, 64].into_iter().enumerate() {
            message[4 * place..][..4].copy_from_slice(&word.to_be_bytes());
        }
        self.stream.write_all(&message).expect("the server takes it");
    }

    /// One round; notes its mean time per URB, and the longest wait for an answer.
    fn round(&mut self, depth: usize) {
        let start = Instant::now();
        for _ in 0..depth {
            self.submit();
        }
        let mut answer = [0; ANSWER];
        for done in 0..self.urbs {
            let asked = Instant::now();
            self.stream.read_exact(&mut answer).expect("the server answers");
            self.worst = self.worst.max(asked.elapsed());
            if done + depth < self.urbs {
                self.submit();
            }
        }
        self.times.push(start.elapsed() / self.urbs as u32);
    }

    /// The mean of the quietest tenth of the rounds: other work on the computer only ever adds.
    fn typical(&mut self) -> Duration {
        self.times.sort();
        let quiet = &self.times[..self.times.len().div_ceil(10)];
        quiet.iter().sum::<Duration>() / quiet.len() as u32
    }
}

fn compare(title: &str, depth: usize, candidates: &mut [Candidate]) {
    for _ in 0..ROUNDS {
        candidates.iter_mut().for_each(|candidate| candidate.round(depth));
    }
    println!("{title}, depth {depth}");
    let floor = candidates[0].typical();
    for candidate in candidates {
        let typical = candidate.typical();
        let ratio = typical.as_secs_f64() / floor.as_secs_f64();
        println!(
            "  {:24} {:8.2} µs/URB  {ratio:7.3} × floor  worst {:9.1} µs",
            candidate.name,
            typical.as_secs_f64() * 1e6,
            candidate.worst.as_secs_f64() * 1e6
        );
    }
}

fn echo(mut stream: impl Stream + 'static) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut have = 0;
        while let Ok(count @ 1..) = stream.read(&mut buffer[have..]) {
            have += count;
            let whole = have / SUBMIT;
            if stream.write_all(&buffer[..whole * ANSWER]).is_err() {
                break;
            }
            buffer.copy_within(whole * SUBMIT..have, 0);
            have -= whole * SUBMIT;
        }
    });
}

fn tcp_echo() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("listens");
    let (server, _) = listener.accept().expect("connected");
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("TCP");
    }
    echo(server);
    client
}

fn unix_echo() -> UnixStream {
    let (client, server) = UnixStream::pair().expect("a pair");
    echo(server);
    client
}

fn configure<S: Read + Write>(stream: S, devid: u32) -> S {
    let mut channel = Channel::new(stream, devid);
    for setup in [[0x80, 0x06, 0, 1, 0, 0, 64, 0], [0x00, 0x09, 1, 0, 0, 0, 0, 0]] {
        assert_eq!(channel.transfer(&Urb::control_in(0, setup)).expect("answered").0, 0);
    }
    channel.into_stream()
}

struct Ours {
    _server: Server,
    board: Exported<Gadget<SourceSink>>,
    address: SocketAddr,
}

fn ours() -> Ours {
    let (ready, exported) = std::sync::mpsc::channel();
    let mut server = Server::new(move |_| {
        let _ = ready.send(());
    });
    let address = server.listen("127.0.0.1:0").expect("loopback");
    let board = server.export("sink", Gadget::new(SourceSink::default()), ClockMode::Elastic, None).expect("a thread");
    exported.recv().expect("enumerated");
    Ours { _server: server, board, address }
}

impl Ours {
    fn tcp(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("listens");
        stream.set_nodelay(true).expect("TCP");
        let device = client::import(&mut stream, BusId::new("1-1")).expect("free");
        configure(stream, device.devid())
    }

    fn unix(&self) -> UnixStream {
        let (client, server) = UnixStream::pair().expect("a pair");
        self.board.attach(0, server.into()).expect("runs");
        configure(client, 0)
    }
}

#[derive(Debug)]
struct Sink;

impl usbip::UsbInterfaceHandler for Sink {
    fn get_class_specific_descriptor(&self) -> Vec<u8> {
        Vec::new()
    }
    fn handle_urb(
        &mut self,
        _interface: &usbip::UsbInterface,
        _ep: usbip::UsbEndpoint,
        _length: u32,
        _setup: usbip::SetupPacket,
        _request: &[u8],
    ) -> std::io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

fn theirs() -> TcpStream {
    let handler: Box<dyn usbip::UsbInterfaceHandler + Send> = Box::new(Sink);
    let endpoint = usbip::UsbEndpoint { address: 1, attributes: 2, max_packet_size: 64, interval: 0 };
    let device =
        usbip::UsbDevice::new(0).with_interface(0xff, 0, 0, None, vec![endpoint], Arc::new(Mutex::new(handler)));
    let server = Arc::new(usbip::UsbIpServer::new_simulated(vec![device]));
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(usbip::server(address, server));
    });
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    stream.set_nodelay(true).expect("TCP");
    client::import(&mut stream, BusId::new("0-0-0")).expect("free");
    stream
}

fn main() {
    for depth in [1, 4] {
        let ours = ours();
        let fast = URBS_PER_ROUND;
        let slow = if depth == 1 { fast } else { SLOW_URBS_PER_ROUND };
        let mut tcp = [
            Candidate::new("bare echo", tcp_echo(), fast),
            Candidate::new("twinboard", ours.tcp(), fast),
            Candidate::new("crate usbip", theirs(), slow),
        ];
        compare("TCP", depth, &mut tcp);
        drop(tcp);
        // The device has one client at a time; the first one's end has to be seen first.
        std::thread::sleep(Duration::from_millis(50));
        let mut unix = [Candidate::new("bare echo", unix_echo(), fast), Candidate::new("twinboard", ours.unix(), fast)];
        compare("AF_UNIX", depth, &mut unix);
    }
}
