//! A host that sends anything: the device never panics, and enumerates again afterwards.

use crate::host::Host;
use proptest::prelude::*;
use twinboard_sim::time::Span;
use twinboard_sim::usb::MAX_PACKET;

#[derive(Clone, Debug)]
enum Act {
    Setup([u8; 8]),
    Out(u8, bool, Vec<u8>),
    In(u8),
    Wait(u64),
    Reset,
    Vbus(bool),
    Button(bool),
}

/// Requests near the real ones: random bytes rarely are.
fn setup() -> impl Strategy<Value = [u8; 8]> {
    let kinds = prop::sample::select(vec![0x00u8, 0x01, 0x02, 0x21, 0x40, 0x80, 0x81, 0x82, 0xa1, 0xc0, 0xff]);
    let requests = prop_oneof![0u8..12, 0x20u8..0x24, 0xfeu8..=0xff, any::<u8>()];
    (kinds, requests, any::<u8>(), 0u8..35, 0u8..8, any::<u8>(), any::<u8>(), 0u8..3)
        .prop_map(|(kind, request, v0, v1, i0, i1, l0, l1)| [kind, request, v0, v1, i0, i1 & 0x8f, l0, l1])
}

/// Packets that look like command wrappers, reports and sectors of files.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let cbw =
        (any::<u32>(), any::<bool>(), prop::array::uniform16(any::<u8>())).prop_map(|(length, is_in, command)| {
            let mut cbw = b"USBCtag!".to_vec();
            cbw.extend((length & 0xffff).to_le_bytes());
            cbw.extend([if is_in { 0x80 } else { 0 }, 0, 16]);
            cbw.extend(command);
            cbw[15] = [0x00, 0x03, 0x12, 0x1b, 0x25, 0x28, 0x2a, 0x2f][usize::from(cbw[15] & 7)];
            cbw
        });
    prop_oneof![cbw, prop::collection::vec(any::<u8>(), 0..=MAX_PACKET), Just(b":020000040000FA\n".repeat(4))]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => setup().prop_map(Act::Setup),
        8 => (0u8..8, any::<bool>(), packet()).prop_map(|(ep, toggle, data)| Act::Out(ep, toggle, data)),
        8 => (0u8..8).prop_map(Act::In),
        4 => (1u64..200_000).prop_map(Act::Wait),
        1 => Just(Act::Reset),
        1 => any::<bool>().prop_map(Act::Vbus),
        1 => any::<bool>().prop_map(Act::Button),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_a_host_does_the_next_one_finds_a_working_board(acts in prop::collection::vec(act(), 1..120)) {
        let mut host = Host::ready();
        host.wait_for_medium();
        for act in acts {
            let (now, address) = (host.now, host.address);
            match act {
                Act::Setup(setup) => drop(host.port().setup(now, address, 0, setup)),
                Act::Out(ep, toggle, data) => drop(host.port().out(now, address, ep, toggle, &data)),
                Act::In(ep) => {
                    let _ = host.try_in(ep);
                }
                Act::Wait(us) => host.wait(Span::us(us)),
                Act::Reset => host.port().bus_reset(now),
                Act::Vbus(present) => host.port().vbus(now, present),
                Act::Button(pressed) => host.button(pressed),
            }
        }
        let now = host.now;
        host.port().vbus(now, true);
        host.button(false);
        host.wait(Span::secs(25));
        host.enumerate();
        let (data, status) = host.scsi_in(36, &[0x12, 0, 0, 0, 36, 0]);
        prop_assert_eq!((data.len(), status), (36, (0, 0)));
    }
}
