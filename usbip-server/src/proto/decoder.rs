//! The server's ear: bytes in, commands out.

use zerocopy::{FromBytes, KnownLayout};

use super::wire::{
    BusId, CMD_SUBMIT, CMD_UNLINK, CmdSubmit, CmdUnlink, ISO_DESCRIPTOR, NO_PACKETS, OP_REQ_DEVLIST, OP_REQ_IMPORT,
    OpHeader, URB_MESSAGE, VERSION,
};

/// The most bytes of OUT data that are taken; the kernel's mass storage sends 120 KiB at most.
pub const MAX_OUT: u64 = 1 << 20;
/// The most isochronous packets of one URB, as the kernel's own server has it.
const MAX_ISO_PACKETS: u32 = 1024;
/// Spare buffers kept for the next submits, and the largest worth keeping.
const SPARE_BUFFERS: usize = 32;
const SPARE_CAPACITY: usize = 128 << 10;

const EINVAL: i32 = -22;
const ENOMEM: i32 = -12;

/// A message that a client sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// List the devices.
    List,
    /// Import this device. The decoder stops here until [`Decoder::enter_urb_phase`].
    Import(BusId),
    /// Submit a URB.
    Submit(Submit),
    /// Take a URB back.
    Unlink {
        /// Of the unlink itself.
        seqnum: u32,
        /// Of the submit to take back.
        victim: u32,
    },
}

/// A CMD_SUBMIT with its data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submit {
    /// Sequence number, to be given back in the answer.
    pub seqnum: u32,
    /// The device, as busnum << 16 | devnum.
    pub devid: u32,
    /// Data flows to the host.
    pub is_in: bool,
    /// Endpoint number, 0 to 15.
    pub ep: u8,
    /// transfer_flags.
    pub flags: u32,
    /// transfer_buffer_length.
    pub length: u32,
    /// To be given back in the answer.
    pub number_of_packets: u32,
    /// The SETUP packet, of use on control endpoints only.
    pub setup: [u8; 8],
    /// OUT data.
    pub data: Vec<u8>,
    /// The submit makes no sense or asks for too much: answer with this error number. Its data was thrown away.
    pub refused: Option<i32>,
}

/// Why a connection must be closed: what follows cannot be understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProtocolError {
    /// Not the protocol's version.
    #[error("USB/IP version {0:#06x}, expected 0x0111")]
    Version(u16),
    /// Neither list nor import.
    #[error("unknown USB/IP operation {0:#06x}")]
    Operation(u16),
    /// Neither submit nor unlink.
    #[error("unknown USB/IP command {0:#010x}")]
    Command(u32),
    /// A length that no client means.
    #[error("URB of {0} bytes")]
    Length(u32),
    /// More isochronous packets than the protocol's other servers take.
    #[error("URB of {0} isochronous packets")]
    IsoPackets(u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Operation,
    Import,
    /// Import was asked for; what follows depends on the answer.
    Waiting,
    Urbs,
}

/// See the module's description. Pure: owns no socket.
#[derive(Debug)]
pub struct Decoder {
    phase: Phase,
    /// A message's fixed part as far as it came.
    head: [u8; URB_MESSAGE],
    have: usize,
    /// A submit whose data is on its way, and how much of it (data, then what is thrown away) is missing.
    body: Option<(Submit, u64, u64)>,
    spare: Vec<Vec<u8>>,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder { phase: Phase::Operation, head: [0; URB_MESSAGE], have: 0, body: None, spare: Vec::new() }
    }
}

impl Decoder {
    /// At the beginning of a connection.
    #[must_use]
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// The import was granted (or, on a private socket, none is needed): submits and unlinks follow.
    pub fn enter_urb_phase(&mut self) {
        self.phase = Phase::Urbs;
        self.have = 0;
    }

    /// Takes bytes from the front of `input` up to the end of a command, and says which. `None`: more bytes are needed
    /// (or, after [`Command::Import`], a decision).
    ///
    /// # Errors
    /// [`ProtocolError`]: the connection is of no more use.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Command>, ProtocolError> {
        loop {
            if self.body.is_some() {
                return Ok(self.take_body(input).map(Command::Submit));
            }
            let needed = match self.phase {
                Phase::Operation => size_of::<OpHeader>(),
                Phase::Import => size_of::<BusId>(),
                Phase::Urbs => URB_MESSAGE,
                Phase::Waiting => return Ok(None),
            };
            let part = (needed - self.have).min(input.len());
            let (taken, rest) = input.split_at(part);
            self.head[self.have..self.have + part].copy_from_slice(taken);
            self.have += part;
            *input = rest;
            if self.have < needed {
                return Ok(None);
            }
            self.have = 0;
            match self.phase {
                Phase::Operation => {
                    if self.operation()? == OP_REQ_DEVLIST {
                        return Ok(Some(Command::List));
                    }
                    self.phase = Phase::Import;
                }
                Phase::Import | Phase::Waiting => {
                    self.phase = Phase::Waiting;
                    return Ok(Some(Command::Import(self.message())));
                }
                Phase::Urbs => {
                    if let Some(unlink) = self.urb_message()? {
                        return Ok(Some(unlink));
                    }
                }
            }
        }
    }

    /// Gives a buffer back for the next submit.
    pub fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS && buffer.capacity() <= SPARE_CAPACITY {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// The fixed part as a message; it has been checked to be there.
    fn message<T: FromBytes + KnownLayout>(&self) -> T {
        T::read_from_prefix(&self.head).expect("no message is longer than the longest").0
    }

    fn operation(&self) -> Result<u16, ProtocolError> {
        let header: OpHeader = self.message();
        match (header.version.get(), header.code.get()) {
            (VERSION, code @ (OP_REQ_DEVLIST | OP_REQ_IMPORT)) => Ok(code),
            (VERSION, code) => Err(ProtocolError::Operation(code)),
            (version, _) => Err(ProtocolError::Version(version)),
        }
    }

    /// An unlink is complete; a submit may have data behind it.
    fn urb_message(&mut self) -> Result<Option<Command>, ProtocolError> {
        let message: CmdSubmit = self.message();
        match message.header.command.get() {
            CMD_SUBMIT => {
                self.begin_submit(&message)?;
                Ok(None)
            }
            CMD_UNLINK => {
                let unlink: CmdUnlink = self.message();
                let (seqnum, victim) = (unlink.header.seqnum.get(), unlink.unlink_seqnum.get());
                Ok(Some(Command::Unlink { seqnum, victim }))
            }
            other => Err(ProtocolError::Command(other)),
        }
    }

    fn begin_submit(&mut self, message: &CmdSubmit) -> Result<(), ProtocolError> {
        let (length, packets) = (message.transfer_buffer_length.get(), message.number_of_packets.get());
        let (direction, ep) = (message.header.direction.get(), message.header.ep.get());
        let is_in = direction != 0;
        let iso_packets = if packets == NO_PACKETS { 0 } else { packets };
        if i32::try_from(length).is_err() {
            return Err(ProtocolError::Length(length));
        }
        if iso_packets > MAX_ISO_PACKETS {
            return Err(ProtocolError::IsoPackets(iso_packets));
        }
        let out_data = if is_in { 0 } else { u64::from(length) };
        let refused = if direction > 1 || ep > 15 || iso_packets > 0 {
            Some(EINVAL)
        } else if out_data > MAX_OUT {
            Some(ENOMEM)
        } else {
            None
        };
        let iso_data = u64::from(iso_packets) * ISO_DESCRIPTOR;
        let (wanted, thrown_away) = if refused.is_some() { (0, out_data + iso_data) } else { (out_data, 0) };
        let submit = Submit {
            seqnum: message.header.seqnum.get(),
            devid: message.header.devid.get(),
            is_in,
            ep: (ep & 0x0f) as u8,
            flags: message.transfer_flags.get(),
            length,
            number_of_packets: packets,
            setup: message.setup,
            data: self.spare.pop().unwrap_or_default(),
            refused,
        };
        self.body = Some((submit, wanted, thrown_away));
        Ok(())
    }

    fn take_body(&mut self, input: &mut &[u8]) -> Option<Submit> {
        let (submit, wanted, thrown_away) = self.body.as_mut()?;
        let mut take = |missing: &mut u64| {
            let part = usize::try_from(*missing).unwrap_or(usize::MAX).min(input.len());
            let (taken, rest) = input.split_at(part);
            *input = rest;
            *missing -= part as u64;
            taken
        };
        submit.data.extend_from_slice(take(wanted));
        take(thrown_away);
        if *wanted + *thrown_away > 0 {
            return None;
        }
        self.body.take().map(|(submit, ..)| submit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerocopy::IntoBytes;

    use super::super::wire::UrbHeader;
    use super::*;

    fn submit(seqnum: u32, direction: u32, ep: u32, length: u32, packets: u32) -> CmdSubmit {
        CmdSubmit {
            header: UrbHeader {
                command: CMD_SUBMIT.into(),
                seqnum: seqnum.into(),
                devid: 0x10002.into(),
                direction: direction.into(),
                ep: ep.into(),
            },
            transfer_buffer_length: length.into(),
            number_of_packets: packets.into(),
            ..CmdSubmit::default()
        }
    }

    fn in_urb_phase() -> Decoder {
        let mut decoder = Decoder::new();
        decoder.enter_urb_phase();
        decoder
    }

    fn all(decoder: &mut Decoder, mut input: &[u8]) -> Result<Vec<Command>, ProtocolError> {
        let mut commands = Vec::new();
        while let Some(command) = decoder.decode(&mut input)? {
            commands.push(command);
        }
        Ok(commands)
    }

    #[test]
    fn an_operation_is_eight_bytes_and_an_import_has_a_bus_id_behind_it() {
        let mut decoder = Decoder::new();
        let bytes =
            [&[0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0, 0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0, b'1', b'-', b'1'], &[0; 29][..]];
        let commands = all(&mut decoder, &bytes.concat()).expect("understood");
        assert_eq!(commands, [Command::List, Command::Import(BusId::new("1-1"))]);
    }

    #[test]
    fn nothing_is_understood_between_an_import_and_the_decision_about_it() {
        let mut decoder = Decoder::new();
        let import = [&[0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0], &[0; 32][..]].concat();
        let mut input = &[&import, submit(1, 1, 1, 0, 0).as_bytes()].concat()[..];
        assert!(matches!(decoder.decode(&mut input), Ok(Some(Command::Import(_)))));
        assert_eq!(decoder.decode(&mut input), Ok(None));
        decoder.enter_urb_phase();
        assert!(matches!(decoder.decode(&mut input), Ok(Some(Command::Submit(_)))));
    }

    #[test]
    fn a_submit_before_an_import_is_no_operation() {
        let bytes = submit(1, 0, 1, 0, 0);
        assert_eq!(all(&mut Decoder::new(), bytes.as_bytes()), Err(ProtocolError::Version(0)));
    }

    #[test]
    fn unknown_commands_and_lengths_end_the_connection() {
        let mut unknown = submit(1, 0, 1, 0, 0);
        unknown.header.command = RET_LIKE.into();
        assert_eq!(all(&mut in_urb_phase(), unknown.as_bytes()), Err(ProtocolError::Command(RET_LIKE)));
        let huge = submit(1, 0, 1, 0x8000_0000, 0);
        assert_eq!(all(&mut in_urb_phase(), huge.as_bytes()), Err(ProtocolError::Length(0x8000_0000)));
        let iso = submit(1, 1, 1, 0, 1025);
        assert_eq!(all(&mut in_urb_phase(), iso.as_bytes()), Err(ProtocolError::IsoPackets(1025)));
    }
    const RET_LIKE: u32 = 0x0000_0003;

    #[test]
    fn what_cannot_be_served_is_refused_politely_and_the_next_command_is_found() {
        for (bad, behind, error) in [
            (submit(7, 0, 16, 5, 0), 5, EINVAL),
            (submit(7, 2, 1, 5, 0), 0, EINVAL),
            (submit(7, 0, 1, 5, 3), 5 + 48, EINVAL),
            (submit(7, 1, 1, 5, 3), 48, EINVAL),
            (submit(7, 0, 1, 1 << 20 | 1, 0), (1 << 20) + 1, ENOMEM),
        ] {
            let bytes = [bad.as_bytes(), &vec![0xaa; behind], submit(8, 1, 1, 0, NO_PACKETS).as_bytes()].concat();
            let commands = all(&mut in_urb_phase(), &bytes).expect("understood");
            let [Command::Submit(first), Command::Submit(second)] = &commands[..] else { panic!("{commands:?}") };
            assert_eq!((first.seqnum, first.refused, first.data.len()), (7, Some(error), 0));
            assert_eq!((second.seqnum, second.refused), (8, None));
        }
    }

    #[test]
    fn no_memory_is_set_aside_for_data_that_has_not_come() {
        let mut decoder = in_urb_phase();
        let mut input = submit(1, 0, 1, 1 << 20, 0).as_bytes().to_vec();
        input.extend([1; 10]);
        assert_eq!(decoder.decode(&mut &input[..]), Ok(None));
        assert!(decoder.body.as_ref().is_some_and(|(submit, ..)| submit.data.capacity() < 1024));
    }

    fn message() -> impl Strategy<Value = Vec<u8>> {
        let submit = (any::<u32>(), 0u32..3, 0u32..18, 0u32..300, 0u32..3).prop_map(
            |(seqnum, direction, ep, length, packets)| {
                let data = if direction == 0 { length as usize } else { 0 } + 16 * packets as usize;
                [submit(seqnum, direction, ep, length, packets).as_bytes(), &vec![seqnum as u8; data]].concat()
            },
        );
        let unlink = any::<[u32; 2]>().prop_map(|[seqnum, victim]| {
            let header = UrbHeader { command: CMD_UNLINK.into(), seqnum: seqnum.into(), ..UrbHeader::default() };
            CmdUnlink { header, unlink_seqnum: victim.into(), padding: [0; 24] }.as_bytes().to_vec()
        });
        prop_oneof![3 => submit, 1 => unlink]
    }

    proptest! {
        #[test]
        fn commands_do_not_depend_on_how_the_bytes_are_cut(
            messages in proptest::collection::vec(message(), 1..8),
            cuts in proptest::collection::vec(1usize..90, 1..20),
        ) {
            let bytes = messages.concat();
            let whole = all(&mut in_urb_phase(), &bytes).expect("all messages are understood");
            prop_assert_eq!(whole.len(), messages.len());
            let (mut decoder, mut pieces, mut rest) = (in_urb_phase(), Vec::new(), &bytes[..]);
            for cut in cuts.iter().cycle() {
                let (piece, more) = rest.split_at((*cut).min(rest.len()));
                pieces.extend(all(&mut decoder, piece).expect("all messages are understood"));
                rest = more;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(whole, pieces);
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), urbs: bool) {
            let mut decoder = if urbs { in_urb_phase() } else { Decoder::new() };
            let _ = all(&mut decoder, &bytes);
        }
    }
}
