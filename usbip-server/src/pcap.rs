//! Captures of URB traffic as Wireshark reads them: pcapng with link type LINUX_USB_MMAPPED (220), that is, each URB
//! twice, as submitted and as completed, behind the header of Linux's usbmon (`Documentation/usb/usbmon.rst`).
//!
//! Times are the board's, so that two runs of the same input give the same file.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::{DataLink, Endianness, PcapError};
use twinboard_sim::time::{Span, Time};
use zerocopy::byteorder::little_endian::{I32, I64, U16, U32, U64};
use zerocopy::{Immutable, IntoBytes};

use crate::descriptor::TransferType;
use crate::vhc::{Urb, Vhc};

/// Status of a URB that was just submitted: −EINPROGRESS.
const IN_PROGRESS: i32 = -115;
/// transfer_flags of a read.
const DIR_IN: u32 = 0x200;

/// usbmon's packet header, 64 bytes.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct UsbmonHeader {
    id: U64,
    /// `S` or `C`.
    event: u8,
    /// 0 isochronous, 1 interrupt, 2 control, 3 bulk.
    transfer_type: u8,
    endpoint: u8,
    device: u8,
    bus: U16,
    /// 0: `setup` is there.
    flag_setup: u8,
    /// 0: there are data; `<` and `>`: there are none because they flow the other way.
    flag_data: u8,
    seconds: I64,
    microseconds: I32,
    status: I32,
    length: U32,
    captured: U32,
    setup: [u8; 8],
    interval: I32,
    start_frame: I32,
    transfer_flags: U32,
    iso_descriptors: U32,
}

type Writer = PcapNgWriter<Box<dyn Write + Send>>;

/// A capture file that any number of devices write to.
#[derive(Clone)]
pub struct Capture(Arc<Mutex<Option<Writer>>>);

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Capture")
    }
}

impl Capture {
    /// Begins a capture.
    ///
    /// # Errors
    /// What writing gives.
    pub fn new(out: impl Write + Send + 'static) -> Result<Capture, PcapError> {
        let out: Box<dyn Write + Send> = Box::new(out);
        let mut writer = PcapNgWriter::with_endianness(out, Endianness::Little)?;
        writer.write_pcapng_block(InterfaceDescriptionBlock {
            linktype: DataLink::USB_LINUX_MMAPPED,
            snaplen: 0,
            // Times in nanoseconds.
            options: vec![InterfaceDescriptionOption::IfTsResol(9)],
        })?;
        Ok(Capture(Arc::new(Mutex::new(Some(writer)))))
    }

    /// A tap for the device with address `device` on bus `bus`.
    #[must_use]
    pub fn tap(&self, bus: u16, device: u8) -> Tap {
        Tap { capture: self.clone(), bus, device, packet: Vec::new() }
    }
}

/// What one device's traffic is written through.
#[derive(Debug)]
pub struct Tap {
    capture: Capture,
    bus: u16,
    device: u8,
    packet: Vec<u8>,
}

impl Tap {
    /// The device has another address from now on.
    pub fn set_device(&mut self, device: u8) {
        self.device = device;
    }

    /// A URB is about to be submitted.
    pub fn submitted(&mut self, vhc: &Vhc, urb: &Urb) {
        let data = if urb.is_in() { &[] } else { &urb.buffer[..] };
        self.write(vhc, urb, b'S', IN_PROGRESS, urb.length.max(data.len()), data);
    }

    /// A URB has ended with this error number and so many bytes moved.
    pub fn ended(&mut self, vhc: &Vhc, urb: &Urb, status: i32, actual: usize) {
        let data = if urb.is_in() { &urb.buffer[..actual.min(urb.buffer.len())] } else { &[] };
        self.write(vhc, urb, b'C', status, actual, data);
    }

    fn write(&mut self, vhc: &Vhc, urb: &Urb, event: u8, status: i32, length: usize, data: &[u8]) {
        let at = vhc.now();
        let (transfer, interval) = vhc.endpoint(urb);
        let micros = at.as_micros();
        let is_in = urb.is_in();
        let no_data = if is_in { b'<' } else { b'>' };
        let header = UsbmonHeader {
            id: urb.id.into(),
            event,
            transfer_type: match transfer {
                TransferType::Isochronous => 0,
                TransferType::Interrupt => 1,
                TransferType::Control => 2,
                TransferType::Bulk => 3,
            },
            endpoint: urb.endpoint & 0x0f | if is_in { 0x80 } else { 0 },
            device: self.device,
            bus: self.bus.into(),
            flag_setup: if event == b'S' && urb.setup.is_some() { 0 } else { b'-' },
            flag_data: if data.is_empty() { no_data } else { 0 },
            seconds: I64::new((micros / 1_000_000) as i64),
            microseconds: I32::new((micros % 1_000_000) as i32),
            status: status.into(),
            length: (length as u32).into(),
            captured: (data.len() as u32).into(),
            setup: if event == b'S' { urb.setup.unwrap_or_default() } else { [0; 8] },
            interval: I32::new(if transfer == TransferType::Interrupt { interval as i32 } else { 0 }),
            start_frame: 0.into(),
            transfer_flags: if is_in { DIR_IN } else { 0 }.into(),
            iso_descriptors: 0.into(),
        };
        self.packet.clear();
        self.packet.extend_from_slice(header.as_bytes());
        self.packet.extend_from_slice(data);
        self.flush(at);
    }

    fn flush(&self, at: Time) {
        let mut capture = self.capture.0.lock();
        let Some(writer) = capture.as_mut() else { return };
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from(Span::ps(at.0)),
            original_len: self.packet.len() as u32,
            data: Cow::Borrowed(&self.packet),
            options: Vec::new(),
        };
        if let Err(error) = writer.write_pcapng_block(block) {
            tracing::warn!(%error, "the USB capture ends here");
            *capture = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use pcap_file::pcapng::{Block, PcapNgReader};

    use super::*;
    use crate::gadget::{Gadget, SourceSink};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The offsets below are those of `struct mon_bin_hdr` in usbmon.rst.
    #[test]
    fn a_control_read_is_two_packets_with_usbmon_headers() {
        let file = Shared::default();
        let mut tap = Capture::new(file.clone()).expect("memory can be written").tap(1, 5);
        let mut gadget = Gadget::new(SourceSink::default());
        let mut vhc = Vhc::new(0);
        vhc.plug(&mut gadget);
        vhc.enumerate(&mut gadget, 5, Span::secs(1)).expect("enumerates");
        let urb = Urb::control_in(9, [0x80, 6, 0, 1, 0, 0, 18, 0]);
        tap.submitted(&vhc, &urb);
        let done = vhc.request(&mut gadget, [0x80, 6, 0, 1, 0, 0, 18, 0], &[]).expect("has a descriptor");
        tap.ended(&vhc, &Urb { id: 9, ..done.urb }, 0, 18);

        let bytes = file.0.lock().clone();
        let mut reader = PcapNgReader::new(&bytes[..]).expect("a pcapng file");
        let mut packets = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.expect("a good block") {
                packets.push(packet.data.into_owned());
            }
        }
        let [submit, complete] = &packets[..] else { panic!("two packets") };
        assert_eq!((submit.len(), complete.len()), (64, 64 + 18));
        assert_eq!((submit[8], submit[9], submit[10], submit[11]), (b'S', 2, 0x80, 5));
        assert_eq!((submit[14], submit[15], &submit[40..48]), (0, b'<', &[0x80, 6, 0, 1, 0, 0, 18, 0][..]));
        assert_eq!((complete[8], complete[14], complete[15]), (b'C', b'-', 0));
        assert_eq!((complete[28..36].to_vec(), complete[36]), (vec![0, 0, 0, 0, 18, 0, 0, 0], 18));
        assert_eq!(&complete[64..68], &[18, 1, 0x00, 0x02]);
    }
}
