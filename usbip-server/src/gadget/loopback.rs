//! A device that gives back on bulk IN 1 what it gets on bulk OUT 1, and on interrupt IN 2 what it gets on interrupt
//! OUT 2, packet by packet.

use std::collections::VecDeque;

use twinboard_sim::usb::MAX_PACKET;

use super::{Descriptors, Function};

/// Packets an endpoint pair holds before it answers NAK.
const DEPTH: usize = 16;

/// See the module's description. Two interfaces of vendor class, 1209:0001.
#[derive(Debug, Default)]
pub struct Loopback {
    /// iProduct, so that several can be told apart.
    pub name: String,
    packets: [VecDeque<Vec<u8>>; 2],
}

impl Loopback {
    /// A loopback device with this product string.
    pub fn new(name: impl Into<String>) -> Loopback {
        Loopback { name: name.into(), packets: Default::default() }
    }

    fn queue(&mut self, ep: u8) -> Option<&mut VecDeque<Vec<u8>>> {
        self.packets.get_mut(usize::from(ep).checked_sub(1)?)
    }
}

impl Function for Loopback {
    fn descriptors(&self) -> Descriptors {
        Descriptors {
            device: vec![18, 1, 0x00, 0x02, 0xff, 0, 0, 64, 0x09, 0x12, 0x01, 0x00, 0x34, 0x12, 1, 2, 3, 1],
            configuration: vec![
                9, 2, 55, 0, 2, 1, 0, 0x80, 50, // configuration 1
                9, 4, 0, 0, 2, 0xff, 0, 0, 0, 7, 5, 0x01, 2, 64, 0, 0, 7, 5, 0x81, 2, 64, 0, 0, // bulk pair
                9, 4, 1, 0, 2, 0xff, 0, 0, 0, 7, 5, 0x02, 3, 64, 0, 1, 7, 5, 0x82, 3, 64, 0, 4, // interrupt pair
            ],
            strings: vec!["twinboard".into(), self.name.clone(), "000000000001".into()],
        }
    }

    fn out(&mut self, ep: u8, data: &[u8]) -> bool {
        match self.queue(ep) {
            Some(queue) if queue.len() < DEPTH => {
                queue.push_back(data.to_vec());
                true
            }
            _ => false,
        }
    }

    fn r#in(&mut self, ep: u8, buffer: &mut [u8; MAX_PACKET]) -> Option<usize> {
        let packet = self.queue(ep)?.pop_front()?;
        let slot = buffer.get_mut(..packet.len())?;
        slot.copy_from_slice(&packet);
        Some(packet.len())
    }

    fn reset(&mut self) {
        self.packets.iter_mut().for_each(VecDeque::clear);
    }
}
