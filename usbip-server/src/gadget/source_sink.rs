//! Gadget zero: what Linux's `usbtest` driver binds to.

use twinboard_sim::usb::MAX_PACKET;

use super::{Descriptors, Function};

/// Vendor request of `usbtest`: keep the data.
const CONTROL_WRITE: u8 = 0x5b;
/// Vendor request of `usbtest`: give back what was kept.
const CONTROL_READ: u8 = 0x5c;

/// A vendor device 0525:a4a0 with a bulk source of zeros (IN 1), a bulk sink (OUT 1) and a control write and read-back.
#[derive(Clone, Debug, Default)]
pub struct SourceSink {
    /// Bytes that came to the sink.
    pub received: u64,
    kept: Vec<u8>,
}

impl Function for SourceSink {
    fn descriptors(&self) -> Descriptors {
        Descriptors {
            device: vec![18, 1, 0x00, 0x02, 0xff, 0, 0, 64, 0x25, 0x05, 0xa0, 0xa4, 0x10, 0x01, 1, 2, 3, 1],
            configuration: vec![
                9, 2, 32, 0, 1, 1, 0, 0x80, 50, // configuration 1
                9, 4, 0, 0, 2, 0xff, 0, 0, 0, 7, 5, 0x01, 2, 64, 0, 0, 7, 5, 0x81, 2, 64, 0, 0,
            ],
            strings: vec!["twinboard".into(), "source and sink".into(), "0".into()],
        }
    }

    fn control_in(&mut self, setup: [u8; 8]) -> Option<Vec<u8>> {
        (setup[..2] == [0xc0, CONTROL_READ]).then(|| self.kept.clone())
    }

    fn control_out(&mut self, setup: [u8; 8], data: &[u8]) -> bool {
        let known = setup[..2] == [0x40, CONTROL_WRITE];
        if known {
            data.clone_into(&mut self.kept);
        }
        known
    }

    fn out(&mut self, _ep: u8, data: &[u8]) -> bool {
        self.received += data.len() as u64;
        true
    }

    fn r#in(&mut self, _ep: u8, buffer: &mut [u8; MAX_PACKET]) -> Option<usize> {
        buffer.fill(0);
        Some(MAX_PACKET)
    }
}
