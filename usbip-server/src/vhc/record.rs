//! Writing down what goes by, for drivers in this process; those of USB/IP clients have their own tap.

use super::{Completion, Urb, Vhc};
use crate::pcap::Tap;
use crate::proto::answer;

impl Vhc {
    /// From now on the URBs that [`Host`](crate::host::Host) and [`Vhc::request`] submit are written to `tap`; to none, if
    /// none, which costs nothing.
    pub fn record(&mut self, tap: Option<Tap>) {
        self.tap = tap.map(Box::new);
    }

    /// The device's address in the capture.
    pub(crate) fn record_address(&mut self, address: u8) {
        self.tap.iter_mut().for_each(|tap| tap.set_device(address));
    }

    pub(crate) fn record_submit(&mut self, urb: &Urb) {
        if let Some(mut tap) = self.tap.take() {
            tap.submitted(self, urb);
            self.tap = Some(tap);
        }
    }

    pub(crate) fn record_end(&mut self, completion: &Completion) {
        if let Some(mut tap) = self.tap.take() {
            tap.ended(self, &completion.urb, completion.status.errno(), completion.actual);
            self.tap = Some(tap);
        }
    }

    pub(crate) fn record_cancel(&mut self, urb: &Urb) {
        if let Some(mut tap) = self.tap.take() {
            tap.ended(self, urb, answer::UNLINKED, 0);
            self.tap = Some(tap);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use pcap_file::pcapng::{Block, PcapNgReader};
    use twinboard_sim::time::Span;

    use crate::gadget::{Gadget, SourceSink};
    use crate::host::Host;
    use crate::pcap::Capture;

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

    /// Offsets are those of `struct mon_bin_hdr` in usbmon.rst: id 0, type 8, devnum 11, status 28, setup 40.
    #[test]
    fn all_that_the_host_submits_is_recorded_from_enumeration_to_cancel() {
        let file = Shared::default();
        let mut host = Host::new(Gadget::new(SourceSink::default()));
        host.record(&Capture::new(file.clone()).expect("memory can be written"));
        host.enumerate().expect("enumerates");
        host.control_in([0x80, 6, 0, 1, 0, 0, 18, 0]).expect("has a descriptor");
        // Nobody answers on an endpoint that the device does not have.
        host.read(0x8f, 8, Span::ms(5)).expect_err("there is no such endpoint");

        let bytes = file.0.lock().clone();
        let mut reader = PcapNgReader::new(&bytes[..]).expect("a pcapng file");
        let mut open: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let (mut requests, mut statuses) = (Vec::new(), Vec::new());
        while let Some(block) = reader.next_block() {
            let Block::EnhancedPacket(packet) = block.expect("a good block") else { continue };
            let header = packet.data.into_owned();
            let id = u64::from_le_bytes(header[..8].try_into().expect("eight bytes"));
            assert_eq!(header[11], 1, "the first address that the host gives");
            match header[8] {
                b'S' => {
                    requests.push(header[40..48].to_vec());
                    assert_eq!(open.insert(id, header), None, "an id is in flight once");
                }
                b'C' => {
                    open.remove(&id).expect("was submitted");
                    statuses.push(i32::from_le_bytes(header[28..32].try_into().expect("four bytes")));
                }
                other => panic!("event {other:#x}"),
            }
        }
        assert!(open.is_empty(), "every URB ends");
        assert_eq!(requests[0], [0x80, 6, 0, 1, 0, 0, 64, 0], "enumeration begins with the device descriptor");
        assert!(requests.contains(&vec![0x00, 9, 1, 0, 0, 0, 0, 0]), "SET_CONFIGURATION");
        let (last, before) = statuses.split_last().expect("there were some");
        assert!(before.iter().all(|&status| status == 0) && *last != 0, "{statuses:?}");
    }
}
