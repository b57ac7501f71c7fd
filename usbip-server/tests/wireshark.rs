//! A capture as Wireshark's own command line sees it. Skipped, by name, where `tshark` is not installed.

use std::fs::File;
use std::io::BufWriter;
use std::net::TcpStream;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use twinboard_sim::pace::ClockMode;
use twinboard_usbip::client::{self, Channel};
use twinboard_usbip::gadget::{Gadget, Loopback};
use twinboard_usbip::pcap::Capture;
use twinboard_usbip::proto::BusId;
use twinboard_usbip::server::Server;
use twinboard_usbip::vhc::Urb;

const FIELDS: [&str; 8] = [
    "usb.urb_type",
    "usb.transfer_type",
    "usb.endpoint_address",
    "usb.device_address",
    "usb.setup.bRequest",
    "usb.idVendor",
    "usb.urb_status",
    "usb.capdata",
];

#[test]
fn wireshark_decodes_a_capture() {
    if Command::new("tshark").arg("--version").output().is_err() {
        eprintln!("skipped: tshark is not installed");
        return;
    }
    let file = std::env::temp_dir().join(format!("twinboard-wireshark-{}.pcapng", std::process::id()));
    let capture = Capture::new(BufWriter::new(File::create(&file).expect("a file"))).expect("written");

    let (sender, events) = mpsc::channel();
    let mut server = Server::new(move |_| {
        let _ = sender.send(());
    });
    let address = server.listen("127.0.0.1:0").expect("loopback");
    let gadget = Gadget::new(Loopback::new("loop"));
    let board = server.export("loop", gadget, ClockMode::Elastic, Some(&capture)).expect("a thread");
    events.recv_timeout(Duration::from_secs(5)).expect("exported");
    let mut stream = TcpStream::connect(address).expect("listens");
    let device = client::import(&mut stream, BusId::new("1-1")).expect("free");
    let mut channel = Channel::new(stream, device.devid());
    for urb in [
        Urb::control_in(0, [0x80, 6, 0, 1, 0, 0, 18, 0]),
        Urb::control_in(0, [0x80, 6, 0, 6, 0, 0, 10, 0]),
        Urb::control_in(0, [0x80, 6, 0, 2, 0, 0, 55, 0]),
        Urb::control_in(0, [0x00, 9, 1, 0, 0, 0, 0, 0]),
        Urb::write(0, 1, [0xca, 0xfe]),
        Urb::read(0, 0x81, 64),
        Urb::write(0, 2, [7]),
    ] {
        channel.transfer(&urb).expect("answered");
    }
    board.stop();
    drop(capture);

    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&file).args(["-T", "fields", "-E", "separator=|"]);
    tshark.args(FIELDS.iter().flat_map(|field| ["-e", field]));
    let output = tshark.output().expect("runs");
    let _ = std::fs::remove_file(&file);
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    // Columns as above; 'S' and 'C', transfer type 2 control, 3 bulk, 1 interrupt; device 2 on bus 1.
    assert_eq!(
        lines,
        [
            "'S'|0x02|0x80|2|6||-115|",
            "'C'|0x02|0x80|2||0x1209|0|",
            "'S'|0x02|0x80|2|6||-115|",
            "'C'|0x02|0x80|2|||-32|",
            "'S'|0x02|0x80|2|6||-115|",
            "'C'|0x02|0x80|2|||0|",
            "'S'|0x02|0x00|2|9||-115|",
            "'C'|0x02|0x00|2|||0|",
            "'S'|0x03|0x01|2|||-115|cafe",
            "'C'|0x03|0x01|2|||0|",
            "'S'|0x03|0x81|2|||-115|",
            "'C'|0x03|0x81|2|||0|cafe",
            "'S'|0x01|0x02|2|||-115|07",
            "'C'|0x01|0x02|2|||0|",
        ],
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
