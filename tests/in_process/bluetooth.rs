//! Programs with a SoftDevice inside: S110 on the V1, S113 on the V2. They boot, enable it, and advertise.

use std::collections::BTreeMap;
use std::path::Path;

use twinboard_models::board::{BoardFile, PowerOn};
use twinboard_models::image::{Image, MICROBIT_V1, MICROBIT_V2};
use twinboard_models::parts::air::{Modulation, Transmission};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};

use crate::images;

/// Access address of advertising (Bluetooth core specification, volume 6 part B, 2.1.2).
const ADVERTISING: u32 = 0x8E89_BED6;
/// The advertising channels 37, 38 and 39, in MHz.
const CHANNELS: [u16; 3] = [2402, 2426, 2480];

/// How long buttons are held for pairing mode: until the display is full.
const HELD: Span = Span::secs(6);

/// What a board sends within `span` of power-on, its buttons A and B held down for the first 6 s or not.
fn sent(board: &str, file: &str, span: Span, held: bool) -> Option<Vec<Transmission>> {
    let image = images::official(file)?;
    let ids = if board == "microbit-v1" { MICROBIT_V1 } else { MICROBIT_V2 };
    let image = Image::parse(Path::new(file), &image, ids, 0).expect("an image");
    let power = PowerOn { target: Some(&image), ..PowerOn::default() };
    let mut powered = BoardFile::built_in(board).expect("built in").power_on(&power).expect("a board");
    let mut sent = Vec::new();
    for (end, pressed) in [(Time::ZERO, held), (Time::ZERO + HELD.min(span), false), (Time::ZERO + span, false)] {
        while powered.now() < end {
            powered.advance(end);
            powered.take_sent(&mut sent);
        }
        for button in ["A", "B"] {
            powered.press(button, pressed).expect("a button");
        }
    }
    Some(sent)
}

fn access_address(transmission: &Transmission) -> u32 {
    (0..32).fold(0, |address, n| address | u32::from(transmission.bits.get(n) == Some(true)) << n)
}

/// Checks that it advertises on all three channels, one after the other, every `interval` (in ms) and up to 10 ms more,
/// until the end.
fn advertises(board: &str, file: &str, interval: u64, held: bool) {
    let span = Span::secs(if held { 10 } else { 4 });
    let Some(sent) = sent(board, file, span, held) else { return };
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
    let events = &starts[&CHANNELS[0]];
    assert!(events.len() > 5, "{file}");
    // 4.4.2.2: the interval, and up to 10 ms at random. The clock may be that of a 32.768 kHz timer.
    let allowed = Span::ms(interval) - Span::us(100)..=Span::ms(interval + 10) + Span::us(100);
    for pair in events.windows(2).skip(1) {
        let apart = pair[1].since(pair[0]);
        assert!(allowed.contains(&apart), "{file}: {apart:?} apart");
    }
    let last = events.last().expect("not empty");
    assert!((Time::ZERO + span).since(*last) < Span::ms(2 * interval), "{file}: it stopped at {last:?}");
}

#[test]
fn s113_advertises_on_the_v2() {
    advertises("microbit-v2", "kaspersmicrobit--microbit-bluetooth-uart-no-pairing.hex", 50, false);
    advertises("microbit-v2", "ml-trainer--microbit-data-collection-no-pairing-v2.hex", 50, false);
}

#[test]
fn who_holds_both_buttons_puts_a_board_into_pairing_mode() {
    // With pairing demanded, and nobody paired yet, these programs advertise in pairing mode only.
    advertises("microbit-v2", "dev-docs--BLE_All_Services_CODAL_0-2-40-ABDLIMTU-P.hex", 200, true);
    advertises("microbit-v1", "dev-docs--BLE_All_Services_DAL_2-1-1-No-DFU.hex", 200, true);
}

#[test]
fn s110_advertises_on_the_v1() {
    advertises("microbit-v1", "kaspersmicrobit--microbit-bluetooth-uart-no-pairing.hex", 50, false);
    advertises("microbit-v1", "ml-trainer--microbit-data-collection-no-pairing-v1.hex", 50, false);
}
