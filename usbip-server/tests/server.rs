//! The server as a well-behaved client sees it.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;

use twinboard_sim::pace::ClockMode;
use twinboard_usbip::client::{self, Channel, ClientError, Reply};
use twinboard_usbip::gadget::{Gadget, Loopback, SourceSink};
use twinboard_usbip::proto::BusId;
use twinboard_usbip::server::{Event, Exported, Server};
use twinboard_usbip::vhc::Urb;

const SET_CONFIGURATION: [u8; 8] = [0x00, 0x09, 1, 0, 0, 0, 0, 0];
const DEVICE_DESCRIPTOR: [u8; 8] = [0x80, 0x06, 0, 1, 0, 0, 18, 0];
const RESET_MARKER: [u8; 8] = [0x80, 0x06, 0, 1, 0, 0, 64, 0];

struct Bench {
    server: Server,
    address: SocketAddr,
    events: mpsc::Receiver<Event>,
}

impl Bench {
    fn new() -> Bench {
        let (sender, events) = mpsc::channel();
        let mut server = Server::new(move |event| {
            let _ = sender.send(event);
        });
        let address = server.listen("127.0.0.1:0").expect("loopback has a free port");
        Bench { server, address, events }
    }

    fn event(&self) -> Event {
        self.events.recv_timeout(Duration::from_secs(5)).expect("an event within five seconds")
    }

    fn export(&self, name: &str) -> Exported<Gadget<Loopback>> {
        let gadget = Gadget::new(Loopback::new(name));
        let exported = self.server.export(name, gadget, ClockMode::Elastic, None).expect("a thread");
        assert!(matches!(self.event(), Event::Exported { .. }));
        exported
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_nodelay(true).expect("TCP");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("TCP");
        stream
    }

    fn import(&self, busid: &str) -> Result<Channel<TcpStream>, ClientError> {
        let mut stream = self.connect();
        let device = client::import(&mut stream, BusId::new(busid))?;
        Ok(Channel::new(stream, device.devid()))
    }

    fn configured(&self, busid: &str) -> Channel<TcpStream> {
        let mut channel = self.import(busid).expect("can be imported");
        assert_eq!(channel.transfer(&Urb::control_in(0, RESET_MARKER)).expect("answered").1, 18);
        assert_eq!(channel.transfer(&Urb::control_in(0, SET_CONFIGURATION)).expect("answered").0, 0);
        channel
    }
}

#[test]
fn a_list_tells_the_truth_about_every_device_even_while_one_is_attached() {
    let bench = Bench::new();
    let _first = bench.export("first");
    let _second = bench.server.export("zero", Gadget::new(SourceSink::default()), ClockMode::Elastic, None);
    assert_eq!(bench.event().to_string(), "1-2 0525:a4a0 source and sink");
    let _attached = bench.configured("1-1");
    let devices = client::list(&mut bench.connect()).expect("a list");
    let ids: Vec<_> = devices.iter().map(|d| (d.device.busid.to_string(), d.device.id_vendor.get())).collect();
    assert_eq!(ids, [("1-1".into(), 0x1209), ("1-2".into(), 0x0525)]);
    let first = &devices[0];
    assert_eq!((first.device.speed.get(), first.device.num_interfaces, first.interfaces.len()), (2, 2, 2));
    assert_eq!((first.interfaces[0].class, first.device.bcd_device.get()), (0xff, 0x1234));
}

#[test]
fn a_second_import_is_busy_and_an_unknown_device_is_not_there() {
    let bench = Bench::new();
    let _board = bench.export("loop");
    let attached = bench.import("1-1").expect("free");
    assert!(matches!(bench.import("1-1"), Err(ClientError::Busy(_))));
    assert!(matches!(bench.import("7-7"), Err(ClientError::NoDevice(_))));
    drop(attached);
    assert!(matches!(bench.event(), Event::Attached(_)));
    assert!(matches!(bench.event(), Event::Detached(_)));
    bench.import("1-1").expect("free again");
}

#[test]
fn data_come_back_from_a_loopback_device() {
    let bench = Bench::new();
    let _board = bench.export("loop");
    let mut channel = bench.configured("1-1");
    for size in [0usize, 1, 63, 64, 65, 640] {
        let data: Vec<u8> = (0..size).map(|i| i as u8).collect();
        assert_eq!(channel.transfer(&Urb::write(0, 1, data.clone())).expect("answered"), (0, size as u32, vec![]));
        assert_eq!(channel.transfer(&Urb::read(0, 0x81, size)).expect("answered"), (0, size as u32, data));
    }
}

#[test]
fn a_refused_request_is_epipe_with_no_data_and_the_next_one_works() {
    let bench = Bench::new();
    let _board = bench.export("loop");
    let mut channel = bench.configured("1-1");
    let qualifier = Urb::control_in(0, [0x80, 6, 0, 6, 0, 0, 10, 0]);
    for _ in 0..3 {
        assert_eq!(channel.transfer(&qualifier).expect("answered"), (-32, 0, vec![]));
    }
    assert_eq!(channel.transfer(&Urb::control_in(0, DEVICE_DESCRIPTOR)).expect("answered").1, 18);
}

#[test]
fn a_read_waits_without_hindering_others_and_can_be_taken_back() {
    let bench = Bench::new();
    let _board = bench.export("loop");
    let mut channel = bench.configured("1-1");
    let waiting = channel.submit(&Urb::read(0, 0x82, 64)).expect("sent");
    assert_eq!(channel.transfer(&Urb::write(0, 1, [1, 2])).expect("answered").0, 0);
    let unlink = channel.unlink(waiting).expect("sent");
    assert_eq!(channel.receive().expect("answered"), Reply::Unlink { seqnum: unlink, status: -104 });
    // It is gone: what comes now waits for the next read, and a second unlink finds nothing.
    let unlink = channel.unlink(waiting).expect("sent");
    assert_eq!(channel.receive().expect("answered"), Reply::Unlink { seqnum: unlink, status: 0 });
    assert_eq!(channel.transfer(&Urb::write(0, 2, [7])).expect("answered").0, 0);
    assert_eq!(channel.transfer(&Urb::read(0, 0x82, 64)).expect("answered"), (0, 1, vec![7]));
}

#[test]
fn reading_64_bytes_of_the_device_descriptor_resets_the_bus() {
    let bench = Bench::new();
    let board = bench.export("loop");
    let mut channel = bench.configured("1-1");
    assert_eq!(board.with(|gadget| gadget.configuration()), Ok(1));
    let waiting = channel.submit(&Urb::read(0, 0x81, 64)).expect("sent");
    let marker = channel.submit(&Urb::control_in(0, RESET_MARKER)).expect("sent");
    let replies = [channel.receive().expect("answered"), channel.receive().expect("answered")];
    assert!(matches!(replies[0], Reply::Submit { seqnum, status: -108, .. } if seqnum == waiting));
    assert!(matches!(replies[1], Reply::Submit { seqnum, status: 0, actual: 18, .. } if seqnum == marker));
    assert_eq!(board.with(|gadget| gadget.configuration()), Ok(0));
}

#[test]
fn a_device_that_re_enumerates_ends_its_clients_connection_and_is_served_again_under_its_name() {
    let bench = Bench::new();
    let board = bench.export("loop");
    let mut channel = bench.configured("1-1");
    assert!(matches!(bench.event(), Event::Attached(_)));
    board.with(|gadget| gadget.show(false)).expect("runs");
    assert_eq!(bench.event(), Event::Detached(BusId::new("1-1")));
    assert_eq!(bench.event(), Event::Withdrawn(BusId::new("1-1")));
    assert!(matches!(channel.receive(), Err(ClientError::Io(_))));
    assert!(client::list(&mut bench.connect()).expect("a list").is_empty());
    board.with(|gadget| gadget.show(true)).expect("runs");
    assert!(matches!(bench.event(), Event::Exported { .. }));
    bench.configured("1-1");
}

#[test]
fn a_private_socket_is_an_urb_channel_from_the_start() {
    let server = Server::new(|_| {});
    let board = server.export("loop", Gadget::new(Loopback::new("loop")), ClockMode::Elastic, None).expect("a thread");
    // The board enumerates before it looks at its mail for the first time it can be attached; wait for that.
    while board.with(|gadget| gadget.notify()).is_ok() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_read_timeout(Some(Duration::from_secs(5))).expect("a stream");
        board.attach(0, theirs.into()).expect("runs");
        let mut channel = Channel::new(ours, 0);
        if let Ok((status, actual, _)) = channel.transfer(&Urb::control_in(0, DEVICE_DESCRIPTOR)) {
            assert_eq!((status, actual), (0, 18));
            break;
        }
    }
}

#[test]
fn a_stopped_board_gives_its_machine_back() {
    let bench = Bench::new();
    let board = bench.export("loop");
    let mut channel = bench.configured("1-1");
    channel.transfer(&Urb::write(0, 1, [5; 10])).expect("answered");
    let machine = board.stop().expect("runs until now");
    assert_eq!(machine.function.name, "loop");
    assert!(board.stop().is_none());
    assert!(board.with(|_| ()).is_err());
    assert!(matches!(bench.import("1-1"), Err(ClientError::NoDevice(_))));
}
