//! What a board costs that nobody uses, served in real time with two reads in flight: `cargo bench --bench idle`.
//! Included is everything of this process: server, host controller, a fake device that only ever answers NAK.

use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use twinboard_sim::pace::ClockMode;
use twinboard_usbip::client::Channel;
use twinboard_usbip::gadget::{Gadget, Loopback};
use twinboard_usbip::server::Server;
use twinboard_usbip::vhc::Urb;

/// Processor time of this process so far, in ticks of 10 ms (fields utime and stime of proc(5)).
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let behind_the_name = stat.rsplit(')').next().expect("a name in brackets");
    behind_the_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// How long the idle board is watched.
const WATCHED: Duration = Duration::from_secs(10);

fn main() {
    let (sender, events) = mpsc::channel();
    let server = Server::new(move |_| {
        let _ = sender.send(());
    });
    let powered = Instant::now();
    let board = server.export("idle", Gadget::new(Loopback::new("idle")), ClockMode::Elastic, None).expect("a thread");
    events.recv_timeout(Duration::from_secs(5)).expect("exported");
    println!("power-on to enumerated: {:?}", powered.elapsed());
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    board.attach(0, theirs.into()).expect("runs");
    let mut channel = Channel::new(ours, 0);
    channel.transfer(&Urb::control_in(0, [0x00, 9, 1, 0, 0, 0, 0, 0])).expect("answered");
    channel.queue(&Urb::read(0, 0x81, 64));
    channel.submit(&Urb::read(0, 0x82, 64)).expect("sent");

    let (before, begin) = (ticks(), board.with(|gadget| gadget.configuration()));
    assert_eq!(begin, Ok(1));
    std::thread::sleep(WATCHED);
    let used = Duration::from_millis(10 * (ticks() - before));
    println!("an idle board: {:.1} % of one core", 100.0 * used.as_secs_f64() / WATCHED.as_secs_f64());
    board.stop();
}
