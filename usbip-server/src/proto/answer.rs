//! What the server says. Each function appends one message to the connection's output.

use zerocopy::IntoBytes;

use super::wire::{
    DeviceRecord, InterfaceRecord, OP_REP_DEVLIST, OP_REP_IMPORT, OpHeader, RET_SUBMIT, RET_UNLINK, RetSubmit,
    RetUnlink, ST_OK, UrbHeader,
};

/// The status of an unlink whose victim was still queued: −ECONNRESET.
pub const UNLINKED: i32 = -104;

/// OP_REP_DEVLIST.
pub fn devices<'a>(
    out: &mut Vec<u8>,
    devices: impl ExactSizeIterator<Item = (&'a DeviceRecord, &'a [InterfaceRecord])>,
) {
    out.extend_from_slice(OpHeader::new(OP_REP_DEVLIST, ST_OK).as_bytes());
    out.extend_from_slice(&(devices.len() as u32).to_be_bytes());
    for (device, interfaces) in devices {
        out.extend_from_slice(device.as_bytes());
        out.extend_from_slice(interfaces.as_bytes());
    }
}

/// OP_REP_IMPORT of an import that succeeds.
pub fn imported(out: &mut Vec<u8>, device: &DeviceRecord) {
    out.extend_from_slice(OpHeader::new(OP_REP_IMPORT, ST_OK).as_bytes());
    out.extend_from_slice(device.as_bytes());
}

/// OP_REP_IMPORT of one that does not: no device record, and a status other than 0.
pub fn not_imported(out: &mut Vec<u8>, status: u32) {
    out.extend_from_slice(OpHeader::new(OP_REP_IMPORT, status).as_bytes());
}

/// RET_SUBMIT. `number_of_packets` is as the submit had it. `data` is what an IN transfer read; `actual` its length, or
/// for OUT how much was sent.
pub fn submit(out: &mut Vec<u8>, seqnum: u32, number_of_packets: u32, status: i32, actual: usize, data: &[u8]) {
    let message = RetSubmit {
        header: UrbHeader { command: RET_SUBMIT.into(), seqnum: seqnum.into(), ..UrbHeader::default() },
        status: (status as u32).into(),
        actual_length: (actual as u32).into(),
        number_of_packets: number_of_packets.into(),
        ..RetSubmit::default()
    };
    out.extend_from_slice(message.as_bytes());
    out.extend_from_slice(data);
}

/// RET_UNLINK: [`UNLINKED`] if the submit was taken back (and gets no other answer), 0 if it was answered before.
pub fn unlink(out: &mut Vec<u8>, seqnum: u32, status: i32) {
    let message = RetUnlink {
        header: UrbHeader { command: RET_UNLINK.into(), seqnum: seqnum.into(), ..UrbHeader::default() },
        status: (status as u32).into(),
        ..RetUnlink::default()
    };
    out.extend_from_slice(message.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_submit_is_48_bytes_and_the_data() {
        let mut out = Vec::new();
        submit(&mut out, 0x0102, 0, -32, 0, &[]);
        submit(&mut out, 9, u32::MAX, 0, 2, &[0xaa, 0xbb]);
        let (stalled, read) = out.split_at(48);
        assert_eq!(stalled[..8], [0, 0, 0, 3, 0, 0, 1, 2]);
        assert_eq!(stalled[20..36], [0xff, 0xff, 0xff, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(read[32..36], [0xff; 4]);
        assert_eq!((&read[24..28], &read[48..]), (&[0, 0, 0, 2][..], &[0xaa, 0xbb][..]));
    }

    #[test]
    fn a_refused_import_has_no_device_record() {
        let mut out = Vec::new();
        not_imported(&mut out, 4);
        assert_eq!(out, [0x01, 0x11, 0x00, 0x03, 0, 0, 0, 4]);
    }
}
