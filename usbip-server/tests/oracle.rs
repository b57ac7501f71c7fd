//! Our messages against those of the crate `usbip`, byte for byte.

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use twinboard_usbip::client::{self, Channel};
use twinboard_usbip::proto::wire::{DeviceRecord, InterfaceRecord};
use twinboard_usbip::proto::{BusId, Command, Decoder, answer};
use twinboard_usbip::vhc::Urb;
use usbip::usbip_protocol::{UsbIpCommand, UsbIpHeaderBasic, UsbIpResponse};

fn header(command: u32, seqnum: u32, direction: u32, ep: u32) -> UsbIpHeaderBasic {
    UsbIpHeaderBasic { command, seqnum, devid: 0x0001_0002, direction, ep }
}

/// The base fields of an answer but for the first two, which the kernel ignores and we leave 0.
fn answer_header(command: u32, seqnum: u32) -> UsbIpHeaderBasic {
    UsbIpHeaderBasic { command, seqnum, devid: 0, direction: 0, ep: 0 }
}

fn decode(decoder: &mut Decoder, bytes: &[u8]) -> Command {
    let mut input = bytes;
    let command = decoder.decode(&mut input).expect("understood").expect("complete");
    assert!(input.is_empty(), "all of it was taken");
    command
}

fn urb_phase() -> Decoder {
    let mut decoder = Decoder::new();
    decoder.enter_urb_phase();
    decoder
}

proptest! {
    #[test]
    fn we_understand_their_submits(
        seqnum: u32, is_in: bool, ep in 0u32..16, flags: u32, length in 0u32..3000, start_frame: u32, interval: u32, setup: [u8; 8],
    ) {
        let data = vec![seqnum as u8; if is_in { 0 } else { length as usize }];
        let theirs = UsbIpCommand::UsbIpCmdSubmit {
            header: header(1, seqnum, u32::from(is_in), ep),
            transfer_flags: flags,
            transfer_buffer_length: length,
            start_frame,
            number_of_packets: 0,
            interval,
            setup,
            data: data.clone(),
            iso_packet_descriptor: Vec::new(),
        };
        let Command::Submit(ours) = decode(&mut urb_phase(), &theirs.to_bytes()) else { panic!("a submit") };
        prop_assert_eq!((ours.seqnum, ours.devid, ours.is_in, u32::from(ours.ep)), (seqnum, 0x0001_0002, is_in, ep));
        prop_assert_eq!((ours.flags, ours.length, ours.setup, ours.data), (flags, length, setup, data));
        prop_assert_eq!(ours.refused, None);
    }

    #[test]
    fn we_understand_their_unlinks(seqnum: u32, victim: u32) {
        let theirs = UsbIpCommand::UsbIpCmdUnlink { header: header(2, seqnum, 0, 0), unlink_seqnum: victim };
        prop_assert_eq!(decode(&mut urb_phase(), &theirs.to_bytes()), Command::Unlink { seqnum, victim });
    }

    #[test]
    fn our_answers_are_theirs(seqnum: u32, status in -200i32..=0, data in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut ours = Vec::new();
        answer::submit(&mut ours, seqnum, 0, status, data.len(), &data);
        let theirs = UsbIpResponse::UsbIpRetSubmit {
            // They want the direction of data in the header to let data follow.
            header: UsbIpHeaderBasic { direction: 1, ..answer_header(3, seqnum) },
            status: status as u32,
            actual_length: data.len() as u32,
            start_frame: 0,
            number_of_packets: 0,
            error_count: 0,
            transfer_buffer: data,
            iso_packet_descriptor: Vec::new(),
        };
        let mut theirs = theirs.to_bytes();
        theirs[15] = 0;
        prop_assert_eq!(ours, theirs);

        let mut ours = Vec::new();
        answer::unlink(&mut ours, seqnum, status);
        let theirs = UsbIpResponse::UsbIpRetUnlink { header: answer_header(4, seqnum), status: status as u32 };
        prop_assert_eq!(ours, theirs.to_bytes());
    }
}

#[test]
fn we_understand_their_operations() {
    let list = UsbIpCommand::OpReqDevlist { status: 0 };
    assert_eq!(decode(&mut Decoder::new(), &list.to_bytes()), Command::List);
    let busid = BusId::new("3-7");
    let import = UsbIpCommand::OpReqImport { status: 0, busid: busid.0 };
    assert_eq!(decode(&mut Decoder::new(), &import.to_bytes()), Command::Import(busid));
}

#[derive(Debug)]
struct Nothing;

impl usbip::UsbInterfaceHandler for Nothing {
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

fn their_device() -> usbip::UsbDevice {
    let handler: Box<dyn usbip::UsbInterfaceHandler + Send> = Box::new(Nothing);
    let mut device = usbip::UsbDevice::new(5).with_interface(8, 6, 0x50, None, vec![], Arc::new(Mutex::new(handler)));
    device.path = "/twinboard/usb1/1-4".into();
    device.bus_id = "1-4".into();
    (device.bus_num, device.dev_num, device.speed) = (1, 5, 2);
    (device.vendor_id, device.product_id) = (0x0d28, 0x0204);
    device.device_bcd = 0x1000.into();
    (device.device_class, device.device_subclass, device.device_protocol) = (0xef, 2, 1);
    (device.configuration_value, device.num_configurations) = (1, 1);
    device
}

fn our_record() -> (DeviceRecord, InterfaceRecord) {
    let mut path = [0; 256];
    path[..19].copy_from_slice(b"/twinboard/usb1/1-4");
    let record = DeviceRecord {
        path,
        busid: BusId::new("1-4"),
        busnum: 1.into(),
        devnum: 5.into(),
        speed: 2.into(),
        id_vendor: 0x0d28.into(),
        id_product: 0x0204.into(),
        bcd_device: 0x1000.into(),
        device_class: 0xef,
        device_sub_class: 2,
        device_protocol: 1,
        configuration_value: 1,
        num_configurations: 1,
        num_interfaces: 1,
    };
    (record, InterfaceRecord { class: 8, sub_class: 6, protocol: 0x50, padding: 0 })
}

#[test]
fn our_device_records_are_theirs() {
    let (record, interface) = our_record();
    let mut ours = Vec::new();
    answer::devices(&mut ours, [(&record, &[interface][..])].into_iter());
    assert_eq!(ours, UsbIpResponse::op_rep_devlist(&[their_device()]).to_bytes());
    let mut ours = Vec::new();
    answer::imported(&mut ours, &record);
    assert_eq!(ours, UsbIpResponse::op_rep_import_success(&their_device()).to_bytes());
}

#[test]
fn our_client_lists_imports_and_reads_a_descriptor_from_their_server() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let server = Arc::new(usbip::UsbIpServer::new_simulated(vec![their_device()]));
        runtime.block_on(usbip::server(address, server));
    });
    let connect = || loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    };
    let listed = client::list(&mut connect()).expect("a list");
    assert_eq!((listed.len(), listed[0].device.busid), (1, BusId::new("1-4")));
    let mut stream = connect();
    let device = client::import(&mut stream, BusId::new("1-4")).expect("free");
    assert_eq!(device.devid(), 0x0001_0005);
    let mut channel = Channel::new(stream, device.devid());
    let (status, actual, data) = channel.transfer(&Urb::control_in(0, [0x80, 6, 0, 1, 0, 0, 18, 0])).expect("answered");
    assert_eq!((status, actual, &data[..2]), (0, 18, &[18, 1][..]));
}
