//! How long a debugger waits for the board through USB/IP: from DAP_Connect to a halted core that was spinning, and on to a
//! running one that nobody debugs, on the whole micro:bit V2, native and with our own USB/IP client at the other end of a
//! TCP connection. Included are both sockets, the server, host controller, interface firmware, SWD wire and the emulated
//! core; not included are a kernel's USB stack and the tool.
//!
//! `cargo bench --bench attach`. Measured in turns with it, over the same connection: as many commands that reach no target
//! (DAP_Info), and as many messages to a bare echo of the same lengths, which is what the way alone costs. The mean of the
//! quietest tenth of the rounds counts: other work on the computer only ever adds.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use twinboard_models::board::{BoardFile, PowerOn};
use twinboard_models::image::{BlockIds, Image};
use twinboard_sim::pace::ClockMode;
use twinboard_usbip::client::{self, Channel, Reply};
use twinboard_usbip::proto::BusId;
use twinboard_usbip::server::{Event, Server};
use twinboard_usbip::vhc::Urb;

const ROUNDS: usize = 200;
const COMMAND: u8 = 0x05;
const RESPONSE: u8 = 0x85;
/// Bytes of a submit's header, of its answer's, and of what a command and its response have on average.
const HEADER: usize = 48;

const DHCSR: [u8; 4] = 0xE000_EDF0u32.to_le_bytes();
const S_HALT: u32 = 1 << 17;

/// Requests of a DAP_Transfer: access port, read, and bits 3:2 of the address.
const DPIDR: u8 = 0x02;
const ABORT: u8 = 0x00;
const CTRL_STAT: u8 = 0x04;
const SELECT: u8 = 0x08;
const CSW: u8 = 0x01;
const TAR: u8 = 0x05;
const DRW: u8 = 0x0D;
const READ: u8 = 0x02;

/// A vector table and `b .`: a core that spins.
fn spin() -> Image {
    let words = [0x2002_0000u32, 0x41];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(0x40, 0);
    bytes.extend([0xFE, 0xE7]);
    Image::parse(Path::new("spin.bin"), &bytes, BlockIds(&[]), 0).expect("a program")
}

/// DAP_Transfer of writes.
fn writes(of: &[(u8, u32)]) -> Vec<u8> {
    let mut command = vec![0x05, 0, of.len() as u8];
    for (request, value) in of {
        command.push(*request);
        command.extend(value.to_le_bytes());
    }
    command
}

/// The commands of a debugger that attaches, halts the core, lets it run and leaves.
fn session() -> (Vec<Vec<u8>>, usize) {
    let reset = [&[0x12, 51][..], &[0xFF; 7]].concat();
    let dhcsr = |value: u32| [&[0x05, 0, 2, TAR][..], &DHCSR, &[DRW], &value.to_le_bytes()].concat();
    let commands = vec![
        vec![0x02, 1],                                       // DAP_Connect, SWD
        [&[0x11][..], &4_000_000u32.to_le_bytes()].concat(), // DAP_SWJ_Clock
        vec![0x04, 0, 150, 0, 0, 0],                         // DAP_TransferConfigure
        vec![0x13, 0],                                       // DAP_SWD_Configure
        reset.clone(),
        vec![0x12, 16, 0x9E, 0xE7],
        reset,
        vec![0x12, 8, 0],
        vec![0x05, 0, 1, DPIDR],
        writes(&[(ABORT, 0x1E)]),
        writes(&[(SELECT, 0)]),
        writes(&[(CTRL_STAT, 0x5000_0000)]),
        vec![0x05, 0, 1, CTRL_STAT | READ],
        writes(&[(CSW, 0x2300_0012)]),
        dhcsr(0xA05F_0003),
        [&[0x05, 0, 2, TAR][..], &DHCSR, &[DRW | READ]].concat(),
        dhcsr(0xA05F_0001),
        dhcsr(0xA05F_0000),
        vec![0x03],
    ];
    (commands, 15)
}

struct Probe(Channel<TcpStream>);

impl Probe {
    /// A command, and its response.
    fn ask(&mut self, command: &[u8]) -> Vec<u8> {
        self.0.queue(&Urb::write(0, COMMAND, command));
        let read = self.0.queue(&Urb::read(0, RESPONSE, 64));
        self.0.flush().expect("the server is there");
        let mut response = Vec::new();
        for _ in 0..2 {
            match self.0.receive().expect("the server answers") {
                Reply::Submit { seqnum, status: 0, data, .. } => {
                    if seqnum == read {
                        response = data;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        response
    }

    fn attach(&mut self, commands: &[Vec<u8>], halted: usize) {
        for (place, command) in commands.iter().enumerate() {
            let response = self.ask(command);
            assert_eq!(response.first(), command.first());
            if command[0] == 0x05 {
                assert_eq!(response.get(1..3), Some(&[command[2], 1][..]), "command {place}: {response:02x?}");
            }
            if place == halted {
                let dhcsr = u32::from_le_bytes(response[3..7].try_into().expect("a word"));
                assert!(dhcsr & S_HALT != 0, "DHCSR {dhcsr:#010x}");
            }
        }
    }
}

/// What one round of something cost, again and again.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn add(&mut self, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        self.0.push(start.elapsed());
    }

    fn typical(&mut self) -> Duration {
        self.0.sort();
        let quiet = &self.0[..self.0.len().div_ceil(10)];
        quiet.iter().sum::<Duration>() / quiet.len() as u32
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn echo() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("listens");
    let (mut server, _) = listener.accept().expect("connected");
    client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).expect("TCP");
    thread::spawn(move || {
        let mut buffer = [0; 2 * HEADER + 64];
        while server.read_exact(&mut buffer).is_ok() && server.write_all(&buffer).is_ok() {}
    });
    client
}

fn main() {
    let (sender, events) = mpsc::channel();
    let mut server = Server::new(move |event| {
        let _ = sender.send(event);
    });
    let address = server.listen("127.0.0.1:0").expect("loopback");
    let file = BoardFile::built_in("microbit-v2").expect("built in");
    let image = spin();
    let board = file.power_on(&PowerOn { target: Some(&image), ..PowerOn::default() }).expect("a board");
    let exported = server.export("microbit-v2", board, ClockMode::Elastic, None).expect("a thread");
    while !matches!(events.recv_timeout(Duration::from_secs(10)).expect("shows itself"), Event::Exported { .. }) {}
    let mut stream = TcpStream::connect(address).expect("listens");
    stream.set_nodelay(true).expect("TCP");
    let device = client::import(&mut stream, BusId::new("1-1")).expect("is there");
    let mut channel = Channel::new(stream, device.devid());
    for setup in [[0x80, 0x06, 0, 1, 0, 0, 64, 0], [0x00, 0x09, 1, 0, 0, 0, 0, 0]] {
        assert_eq!(channel.transfer(&Urb::control_in(0, setup)).expect("answered").0, 0);
    }
    let mut probe = Probe(channel);
    let mut echo = echo();
    let (commands, halted) = session();
    let [mut attach, mut info, mut floor] = [(); 3].map(|()| Times::default());
    for _ in 0..ROUNDS {
        attach.add(|| probe.attach(&commands, halted));
        info.add(|| {
            for _ in &commands {
                assert_eq!(probe.ask(&[0x00, 0xFF]), [0x00, 2, 64, 0]);
            }
        });
        floor.add(|| {
            let mut message = [0; 2 * HEADER + 64];
            for _ in &commands {
                echo.write_all(&message).and_then(|()| echo.read_exact(&mut message)).expect("the echo answers");
            }
        });
    }
    println!("{} commands, over TCP on the loopback interface", commands.len());
    let bare = floor.typical();
    let all = [
        ("attach to halt, core spinning", &mut attach),
        ("commands without a target", &mut info),
        ("a bare echo", &mut floor),
    ];
    for (name, times) in all {
        let (typical, worst) = (times.typical(), times.0.last().copied().unwrap_or_default());
        let ratio = typical.as_secs_f64() / bare.as_secs_f64();
        println!("  {name:32} {:7.3} ms  {ratio:5.2} × the echo  worst {:7.3} ms", ms(typical), ms(worst));
    }
    exported.stop();
}
