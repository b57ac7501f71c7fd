//! A listener on a serial wire.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::board::NetId;
use twinboard_sim::time::Time;
use twinboard_sim::trace::Sink;
use twinboard_sim::wire::Signal;

use super::action::SerialText;

/// Bytes that are kept.
const KEPT: usize = 4_096;

#[derive(Debug)]
struct Heard {
    net: NetId,
    bytes: VecDeque<u8>,
    total: u64,
}

/// Hears the characters on one wire, at whatever baud rate they are sent: start bit, eight bits, and what follows
/// (parity, stop bits) is not looked at. Clones are the same listener.
#[derive(Clone, Debug)]
pub struct SerialTap(Arc<Mutex<Heard>>);

impl SerialTap {
    /// A listener on `net`, to be added to the board's sinks.
    #[must_use]
    pub fn new(net: NetId) -> SerialTap {
        SerialTap(Arc::new(Mutex::new(Heard { net, bytes: VecDeque::with_capacity(KEPT), total: 0 })))
    }

    /// How many bytes were heard so far.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.lock().total
    }

    /// What was heard lately.
    #[must_use]
    pub fn text(&self) -> SerialText {
        let heard = self.0.lock();
        let bytes: Vec<u8> = heard.bytes.iter().copied().collect();
        SerialText { text: String::from_utf8_lossy(&bytes).into_owned(), bytes: heard.total }
    }

    /// The bytes behind the first `from`, as far as they are still kept.
    pub(super) fn since(&self, from: u64) -> Vec<u8> {
        let heard = self.0.lock();
        let wanted = usize::try_from(heard.total.saturating_sub(from)).unwrap_or(KEPT).min(heard.bytes.len());
        heard.bytes.iter().skip(heard.bytes.len() - wanted).copied().collect()
    }
}

impl Sink for SerialTap {
    fn net(&mut self, _: Time, net: NetId, signal: Signal) {
        let mut heard = self.0.lock();
        let Signal::Serial(frame) = signal else { return };
        if net != heard.net {
            return;
        }
        if heard.bytes.len() == KEPT {
            heard.bytes.pop_front();
        }
        heard.bytes.push_back((frame.bits >> 1) as u8);
        heard.total += 1;
    }
}
