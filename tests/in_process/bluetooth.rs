//! Programs with a SoftDevice inside: S110 on the V1, S113 on the V2. They boot, enable it, and advertise.

use std::collections::BTreeMap;
use std::path::Path;

use twinboard_models::board::{BUILT_IN, BoardFile, PowerOn};
use twinboard_models::image::{Image, MICROBIT_V1, MICROBIT_V2};
use twinboard_models::parts::air::{Modulation, Transmission};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};

use crate::images;

/// Access address of advertising (Bluetooth core specification, volume 6 part B, 2.1.2).
const ADVERTISING: u32 = 0x8E89_BED6;
/// The advertising channels 37, 38 and 39, in MHz.
const CHANNELS: [u16; 3] = [2402, 2426, 2480];

/// What a board sends within `span` of power-on.
fn sent(board: &str, file: &str, span: Span) -> Option<Vec<Transmission>> {
    let image = images::official(file)?;
    let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == board).expect("built in");
    let ids = if board == "microbit-v1" { MICROBIT_V1 } else { MICROBIT_V2 };
    let image = Image::parse(Path::new(file), &image, ids, 0).expect("an image");
    let power = PowerOn { target: Some(&image), ..PowerOn::default() };
    let mut powered = BoardFile::parse(text).and_then(|file| file.power_on(&power)).expect("a board");
    let (mut sent, end) = (Vec::new(), Time::ZERO + span);
    while powered.now() < end {
        powered.advance(end);
        powered.take_sent(&mut sent);
    }
    Some(sent)
}

fn access_address(transmission: &Transmission) -> u32 {
    (0..32).fold(0, |address, n| address | u32::from(transmission.bits.get(n) == Some(true)) << n)
}

/// Checks that it advertises on all three channels, one after the other, at an interval that Bluetooth allows, until
/// the end.
fn advertises(board: &str, file: &str) {
    let span = Span::secs(4);
    let Some(sent) = sent(board, file, span) else { return };
    let mut starts: BTreeMap<u16, Vec<Time>> = BTreeMap::new();
    for transmission in &sent {
        assert_eq!(access_address(transmission), ADVERTISING, "{file}");
        assert_eq!(transmission.modulation, Modulation::Ble1Mbit);
        // Header, address, up to 31 bytes, CRC: volume 6 part B, 2.3.
        let length = transmission.end().since(transmission.start);
        assert!((Span::us(8 * (1 + 4 + 2 + 6 + 3))..=Span::us(8 * (1 + 4 + 2 + 6 + 31 + 3))).contains(&length));
        starts.entry(transmission.mhz).or_default().push(transmission.start);
    }
    assert_eq!(starts.keys().copied().collect::<Vec<_>>(), CHANNELS, "{file}");
    for order in sent.chunks_exact(3) {
        assert_eq!([order[0].mhz, order[1].mhz, order[2].mhz], CHANNELS, "{file}");
        // 4.4.2.3: within an event, packets begin at most 10 ms apart.
        assert!(order.windows(2).all(|pair| pair[1].start.since(pair[0].start) <= Span::ms(10)), "{file}");
    }
    for starts in starts.values() {
        assert!(starts.len() > 2, "{file}");
        // 4.4.2.2: 20 ms to 10.24 s, and up to 10 ms at random.
        assert!(starts.windows(2).all(|pair| pair[1].since(pair[0]) >= Span::ms(20)), "{file}");
        let last = starts.last().expect("not empty");
        assert!((Time::ZERO + span).since(*last) < Span::secs(2), "{file}: it stopped at {last:?}");
    }
}

#[test]
fn s113_advertises_on_the_v2() {
    for file in [
        "kaspersmicrobit--microbit-bluetooth-uart-no-pairing.hex",
        "ml-trainer--microbit-data-collection-no-pairing-v2.hex",
    ] {
        advertises("microbit-v2", file);
    }
}

#[test]
fn s110_advertises_on_the_v1() {
    advertises("microbit-v1", "kaspersmicrobit--microbit-bluetooth-uart-no-pairing.hex");
}
