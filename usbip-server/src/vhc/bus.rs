//! How long things take on a full-speed bus (USB 2.0 §5.8.4 table 5-9, §7.1.19, §8.4).
//!
//! A bit lasts 1/12 µs. A transaction is a token (SYNC, PID, address and CRC: 4 bytes), a data packet (SYNC, PID,
//! CRC16: 4 bytes and the data), a handshake (2 bytes) and 3 bytes of gaps: 13 bytes beside the data, of which 19 with
//! 64 bytes of data fit into a frame of 1500 bytes. Bit stuffing is left out.

use twinboard_sim::time::Span;

/// The length of `bytes` on the wire.
pub const fn bytes(bytes: u64) -> Span {
    Span::ps(bytes * 2_000_000 / 3)
}

/// From one start of frame to the next.
pub const FRAME: Span = Span::ms(1);
/// The SOF packet and the gap behind it.
pub const SOF: Span = bytes(6);
/// From the start of an IN token to the device's answer.
pub const IN_LEAD: Span = bytes(5);
/// A handshake and the gap behind it.
pub const HANDSHAKE: Span = bytes(3);

/// From the start of a SETUP or OUT token to the end of its data packet.
pub const fn out_lead(len: usize) -> Span {
    bytes(10 + len as u64)
}

/// From the start of the device's data packet to the end of the transaction.
pub const fn in_tail(len: usize) -> Span {
    bytes(8 + len as u64)
}

/// Reset signalling: at least 10 ms at a root port (TDRST, USB 2.0 §7.1.7.5).
pub const RESET: Span = Span::ms(10);
/// What a device may take to recover from a reset (TRSTRCY, USB 2.0 §7.1.7.5).
pub const RESET_RECOVERY: Span = Span::ms(10);
/// What a device may take to take on its new address (USB 2.0 §9.2.6.3).
pub const ADDRESS_RECOVERY: Span = Span::ms(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nineteen_bulk_packets_fit_into_a_frame_as_in_table_5_9() {
        let packet = out_lead(64) + HANDSHAKE;
        assert_eq!(packet, IN_LEAD + in_tail(64));
        assert!(SOF + packet * 19 <= FRAME);
        assert!(SOF + packet * 20 > FRAME);
    }
}
