//! The interface chip as the target meets it on the internal I2C bus: properties, events of the reset button, and power
//! down.

use twinboard_models::daplink::{DapLinkConfig, pins};
use twinboard_sim::chip::Chip;
use twinboard_sim::time::Span;
use twinboard_sim::wire::{Drive, Edge, I2cSignal, Signal};

use crate::host::Host;

const BIT: Span = Span::ns(2_500);
const COMMS: u8 = 0x70;

/// One step of a transfer, and what the chip answers while a byte is on the wire.
fn step(host: &mut Host, step: I2cSignal) -> Option<I2cSignal> {
    let before = host.edges.len();
    host.chip.receive(Edge { at: host.now, pin: pins::I2C_SDA, signal: Signal::I2c(step) });
    host.wait(Span::us(25));
    host.edges[before..].iter().find_map(|edge| match edge.signal {
        Signal::I2c(step) => {
            assert_eq!(edge.pin, pins::I2C_SDA);
            Some(step)
        }
        _ => None,
    })
}

/// Writes a command; false if nobody is there.
fn write(host: &mut Host, bytes: &[u8]) -> bool {
    let start = I2cSignal::Start { address: COMMS, read: false, bit: BIT };
    let there = step(host, start) == Some(I2cSignal::Answer(true));
    if there {
        for &byte in bytes {
            assert_eq!(step(host, I2cSignal::Write(byte)), Some(I2cSignal::Answer(true)));
        }
    }
    step(host, I2cSignal::Stop);
    there
}

fn read<const N: usize>(host: &mut Host) -> [u8; N] {
    let start = I2cSignal::Start { address: COMMS, read: true, bit: BIT };
    assert_eq!(step(host, start), Some(I2cSignal::Answer(true)));
    let bytes = std::array::from_fn(|n| {
        let Some(I2cSignal::Data(byte)) = step(host, I2cSignal::Read) else { panic!("no byte") };
        step(host, I2cSignal::Acknowledge(n + 1 < N));
        byte
    });
    step(host, I2cSignal::Stop);
    bytes
}

/// Whether the chip pulls COMBINED_SENSOR_INT low.
fn called(host: &Host) -> bool {
    let last = host.edges.iter().rev().find(|edge| edge.pin == pins::COMBINED_SENSOR_INT);
    last.is_some_and(|edge| edge.signal == Signal::Drive(Drive::Low))
}

/// What the chip last did to the red LED.
fn led(host: &Host) -> bool {
    host.power_led.permille(host.now) > 0
}

/// Asks for the state of the USB connection.
fn usb_state(host: &mut Host) -> u8 {
    assert!(write(host, &[0x10, 6]));
    host.wait(Span::ms(1));
    assert!(called(host));
    let [0x11, 6, 1, state] = read(host) else { panic!("no state") };
    assert!(!called(host));
    state
}

#[test]
fn the_target_is_told_how_far_the_usb_connection_has_come() {
    let mut host = Host::plug(DapLinkConfig::default());
    host.wait(Span::ms(100));
    assert_eq!(usb_state(&mut host), 1, "connecting");
    host.wait(Span::ms(1_000));
    assert_eq!(usb_state(&mut host), 3, "no host has configured the device yet");
    host.wait(Span::ms(2_000));
    assert_eq!(usb_state(&mut host), 0, "a charger");
    let mut host = Host::ready();
    host.wait(Span::ms(30));
    assert_eq!(usb_state(&mut host), 2, "connected");
}

#[test]
fn the_reset_button_calls_the_target_after_2_4_seconds_and_not_before() {
    for (held, long) in [(2_300, false), (2_600, true)] {
        let mut host = Host::ready();
        host.button(true);
        host.wait(Span::ms(held));
        assert!(!called(&host));
        host.button(false);
        // There is no target here: the firmware tries to reset it for a while.
        host.wait(Span::secs(1));
        assert_eq!(called(&host), long, "{held} ms");
        if long {
            assert_eq!(read(&mut host), [0x11, 9, 1, 3]);
            assert!(!called(&host));
        }
    }
}

#[test]
fn with_a_host_power_down_is_standby_and_the_red_led_blinks_until_a_reset() {
    let mut host = Host::ready();
    host.wait(Span::ms(30));
    assert!(write(&mut host, &[0x12, 7, 1, 8]));
    host.wait(Span::ms(1));
    assert_eq!(read(&mut host), [0x13, 7]);
    host.wait(Span::ms(100));
    assert!(led(&host));
    host.wait(Span::ms(300));
    assert!(!led(&host));
    assert_eq!(usb_state(&mut host), 2, "nothing else changes");
    host.button(true);
    host.wait(Span::ms(60));
    host.button(false);
    host.wait(Span::secs(1));
    for _ in 0..20 {
        host.wait(Span::ms(50));
        assert_eq!(host.power_led.permille(host.now), 1_000);
    }
}

#[test]
fn a_board_that_is_told_to_power_down_sleeps_until_its_button_is_pressed() {
    let mut host = Host::plug(DapLinkConfig::default());
    host.chip.supplied(false, 3_000_000);
    host.wait(Span::ms(500));
    // The red LED is to be dark.
    assert!(write(&mut host, &[0x12, 8, 1, 0]));
    host.wait(Span::ms(1));
    assert!(write(&mut host, &[0x12, 7, 1, 8]));
    host.wait(Span::ms(100));
    assert!(!led(&host));
    assert!(!write(&mut host, &[0x10, 1]), "nobody is on the bus");
    host.wait(Span::secs(10));
    assert!(!write(&mut host, &[0x10, 1]));
    host.button(true);
    host.wait(Span::ms(60));
    host.button(false);
    host.wait(Span::secs(1));
    assert!(led(&host));
    assert!(write(&mut host, &[0x10, 1]));
    host.wait(Span::ms(1));
    assert_eq!(read(&mut host), [0x11, 1, 2, 0x06, 0x99]);
}

#[test]
fn a_cable_wakes_a_board_that_is_powered_down_and_the_target_is_told() {
    let mut host = Host::plug(DapLinkConfig::default());
    host.chip.supplied(false, 3_000_000);
    host.wait(Span::ms(500));
    assert!(write(&mut host, &[0x12, 7, 1, 8]));
    host.wait(Span::ms(100));
    host.chip.supplied(true, 3_000_000);
    host.wait(Span::ms(100));
    assert!(called(&host));
    assert_eq!(read(&mut host), [0x11, 9, 1, 2]);
    host.enumerate();
}

#[test]
fn slices_of_time_do_not_change_what_the_target_sees() {
    let seen = |slice| {
        let mut host = Host::plug(DapLinkConfig::default());
        host.slice = slice;
        host.wait(Span::ms(200));
        usb_state(&mut host);
        host.button(true);
        host.wait(Span::ms(2_700));
        host.button(false);
        host.wait(Span::secs(1));
        let _: [u8; 4] = read(&mut host);
        host.edges
    };
    let whole = seen(Span::secs(1));
    assert!(whole.iter().filter(|edge| edge.pin == pins::I2C_SDA).count() > 10);
    assert_eq!(whole, seen(Span::us(7)));
}
