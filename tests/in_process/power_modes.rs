//! Reset button, LEDs, battery, and the ways to sleep, of official interface firmware and of the native one, as the
//! target sees them over I2C (`firmware/nrf52833/power.c`) and as a person sees them.

use std::path::Path;

use twinboard_models::board::control::{Action, Answer};
use twinboard_models::board::{BoardFile, InterfaceProgram, Model, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, MICROBIT_V2, Start};
use twinboard_sim::bus::Size;
use twinboard_sim::chip::Chip;
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;

use crate::images::official;

/// Interface firmware and its board.
struct Firmware {
    board: &'static str,
    /// None: native.
    image: Option<&'static str>,
    start: Start,
    /// Thousandths of a battery's voltage that it finds 3 ms after it has switched its divider on.
    finds: u32,
}

const HANDOVER: Start = Start::Handover(0x8000);

/// 1 − e^−(3 ms / 3 ms) and 1 − e^−(3 ms / 1 ms): the time constants of the boards' dividers.
const NRF_FINDS: u32 = 632;
const KL27_FINDS: u32 = 950;

const NATIVE: Firmware = Firmware { board: "microbit-v2", image: None, start: HANDOVER, finds: 1_000 };
const NRF_0256: Firmware = nrf52820("0256_nrf52820_microbit_if_crc_5dd23001a7_gcc.hex");
const NRF_0257: Firmware = nrf52820("0257_nrf52820_microbit_if_crc_c782a5ba90_gcc.hex");
const NRF_0258: Firmware = nrf52820("0258-beta3_nrf52820_microbit_if_crc_0004198_gcc.hex");
/// The same image on the other chip that it is made for.
const NRF52833_0257: Firmware = Firmware { board: "microbit-v2.2-nrf52833", ..NRF_0257 };
const KL27_0255: Firmware = Firmware {
    board: "microbit-v2.00",
    image: Some("kl27z_bl_0255_if_0255_microbit_full_image.bin"),
    start: Start::Reset,
    finds: KL27_FINDS,
};
const KL27_0258: Firmware = Firmware {
    board: "microbit-v2.00",
    image: Some("0258-beta3_kl27z_microbit_if_crc_0004198_gcc.hex"),
    start: HANDOVER,
    finds: KL27_FINDS,
};

const ALL: [Firmware; 7] = [NATIVE, NRF_0256, NRF_0257, NRF_0258, NRF52833_0257, KL27_0255, KL27_0258];

const fn nrf52820(image: &'static str) -> Firmware {
    Firmware { board: "microbit-v2", image: Some(image), start: HANDOVER, finds: NRF_FINDS }
}

const POWER: &[u8] = include_bytes!("../../firmware/nrf52833/power.hex");

/// A board with this firmware and `power.c`, with nobody at the other end of its cable yet. None, with the reason said, if
/// there is no such image.
fn board(firmware: &Firmware) -> Option<Host<Powered>> {
    let target = Image::parse(Path::new("power.hex"), POWER, MICROBIT_V2, 0).expect("an image");
    let image = match firmware.image {
        Some(name) => Some(Image::parse(Path::new(name), &official(name)?, BlockIds(&[]), 0).expect("an image")),
        None => None,
    };
    let interface = image.as_ref().map(|image| InterfaceProgram { image, start: firmware.start });
    let options = PowerOn { interface, target: Some(&target), ..PowerOn::default() };
    let file = BoardFile::built_in(firmware.board).expect("built in");
    let mut host = Host::new(file.power_on(&options).expect("a board"));
    host.machine().listen();
    Some(host)
}

fn act(host: &mut Host<Powered>, action: &Action) -> Answer {
    host.machine().act(action).expect("the board can do it")
}

/// All that the target has said.
fn said(host: &mut Host<Powered>) -> String {
    let Answer::Serial(serial) = act(host, &Action::Serial) else { panic!("text was expected") };
    serial.text
}

/// What the target says of its power when somebody asks by button A: source, USB, battery and input in millivolts.
fn ask(host: &mut Host<Powered>) -> [u32; 4] {
    let before = said(host).len();
    act(host, &Action::Press { button: "A".into(), ms: Some(50) });
    host.sleep(Span::ms(300));
    numbers(&said(host)[before..])
}

/// The numbers of the last line that tells of power.
fn numbers(text: &str) -> [u32; 4] {
    let line = text.lines().rfind(|line| line.starts_with("power ")).unwrap_or_else(|| panic!("{text:?}"));
    let numbers = line.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
    numbers.collect::<Vec<u32>>().try_into().expect("four numbers")
}

/// The thousandths that the red LED is lit.
fn red(host: &mut Host<Powered>) -> u16 {
    led(host, "power")
}

/// The thousandths that the activity LED is lit.
fn orange(host: &mut Host<Powered>) -> u16 {
    led(host, "USB")
}

fn led(host: &mut Host<Powered>, wanted: &str) -> u16 {
    host.machine().leds().find(|(name, ..)| *name == wanted).expect("an LED").2
}

fn reset_button(host: &mut Host<Powered>, pressed: bool) {
    host.machine().press("reset", pressed).expect("a button");
}

/// What the red LED does in so many steps of 10 ms.
fn watch_red(host: &mut Host<Powered>, steps: usize) -> Vec<u16> {
    let mut seen = Vec::new();
    for _ in 0..steps {
        host.sleep(Span::ms(10));
        seen.push(red(host));
    }
    seen
}

/// Runs `f` on a board of each firmware that is there.
fn each(f: impl Fn(&Firmware, &mut Host<Powered>, &str)) {
    for firmware in ALL {
        if let Some(mut host) = board(&firmware) {
            f(&firmware, &mut host, &format!("{} {}", firmware.board, firmware.image.unwrap_or("native")));
        }
    }
}

/// A battery of so many millivolts instead of a cable, and time to notice it.
fn on_battery(host: &mut Host<Powered>, mv: u16) {
    act(host, &Action::Battery { on: true, mv: Some(mv) });
    act(host, &Action::Unplug);
    host.sleep(Span::secs(1));
}

/// Has the target's program ask for power down, by a press of 3 s.
fn power_down(host: &mut Host<Powered>, name: &str) {
    let before = said(host).len();
    reset_button(host, true);
    host.sleep(Span::secs(3));
    reset_button(host, false);
    host.sleep(Span::ms(1_500));
    assert_eq!(said(host)[before..], *"event 3\r\ngood night\r\n", "{name}");
}

/// Whether the interface chip is in System OFF or VLLS0.
fn is_off(host: &mut Host<Powered>) -> bool {
    match &host.machine().chips[0].1 {
        Model::DapLink(_) => true,
        Model::Nrf5(chip) => chip.lock().is_off(),
        Model::Kinetis(chip) => chip.lock().is_off(),
    }
}

/// A word or byte of the interface chip's memory.
fn peek(host: &mut Host<Powered>, address: u32, size: Size) -> Option<u32> {
    let mut value = None;
    let mut read = |chip: &mut dyn Chip| {
        chip.with_cpu(&mut |cpu| value = cpu.read_memory(address, size).ok());
    };
    match &host.machine().chips[0].1 {
        Model::DapLink(_) => {}
        Model::Nrf5(chip) => read(&mut *chip.lock()),
        Model::Kinetis(chip) => read(&mut *chip.lock()),
    }
    value
}

/// Why the chip was reset last: RESETREAS.OFF and VBUS of the nRF52, RCM_SRS0.WAKEUP of the KL27.
fn assert_woken(host: &mut Host<Powered>, by_cable: bool, name: &str) {
    match host.machine().chips[0].1 {
        Model::DapLink(_) => {}
        Model::Nrf5(_) => {
            let reasons = peek(host, 0x4000_0400, Size::Word).expect("RESETREAS");
            // An nRF52833 resets itself at its first start, when it has given the NFC pins to GPIO.
            let reasons = reasons & !(1 << 2);
            assert_eq!(reasons, if by_cable { 1 << 20 } else { 1 << 16 }, "{name}");
        }
        Model::Kinetis(_) => assert_eq!(peek(host, 0x4007_F000, Size::Byte), Some(1), "{name}"),
    }
}

/// daplink.md, 7.3 and 7.4.
#[test]
fn a_short_press_resets_the_target_and_the_red_led_is_dark_for_150_ms() {
    each(|_, host, name| {
        host.enumerate().expect("enumerates");
        host.sleep(Span::secs(2));
        assert_eq!(red(host), 1_000, "{name}");
        assert_eq!(numbers(&said(host))[0], 1, "{name}: USB");
        let before = said(host).len();
        reset_button(host, true);
        host.sleep(Span::ms(150));
        assert!((300..700).contains(&red(host)), "{name}: {}, 200 of 255 at first, 123 after gamma", red(host));
        host.sleep(Span::ms(100));
        assert_eq!(said(host).len(), before, "{name}: the target is halted");
        reset_button(host, false);
        let seen = watch_red(host, 80);
        assert_eq!(seen[79], 1_000, "{name}");
        // The eye sees what was in the last 61 ms: that much less of darkness.
        let dark = seen.iter().filter(|permille| **permille == 0).count();
        assert!((6..=13).contains(&dark), "{name}: {seen:?}");
        assert_eq!(numbers(&said(host)[before..])[..2], [1, 2], "{name}: it has started again, and there is a host");
    });
}

#[test]
fn a_long_press_fades_the_red_led_and_with_a_host_standby_blinks_until_a_reset() {
    each(|_, host, name| {
        host.enumerate().expect("enumerates");
        host.sleep(Span::secs(2));
        reset_button(host, true);
        let mut seen = Vec::new();
        for _ in 0..10 {
            host.sleep(Span::ms(500));
            seen.push(red(host));
        }
        // The brightness goes from 200 to 80 of 255 in 2.4 s and stays until 3.6 s; the PWM gets its cube.
        let expected = |brightness: u32| brightness.pow(3) * 1_000 / 255u32.pow(3);
        for (at, brightness) in [(1, 150), (5, 80), (6, 80)] {
            let wanted = expected(brightness);
            assert!(u32::from(seen[at]).abs_diff(wanted) <= wanted / 10 + 5, "{name}: {seen:?}, {wanted} at {at}");
        }
        assert!(seen[9] <= 5, "{name}: {seen:?}");
        let before = said(host).len();
        reset_button(host, false);
        host.sleep(Span::ms(1_000));
        assert_eq!(said(host)[before..], *"event 3\r\ngood night\r\n", "{name}");
        let blinks = watch_red(host, 140);
        assert!(blinks.contains(&0) && blinks.iter().any(|permille| *permille > 900), "{name}: {blinks:?}");
        assert!(!is_off(host) || host.machine().daplink().is_some(), "{name}");
        act(host, &Action::Press { button: "reset".into(), ms: Some(100) });
        host.sleep(Span::ms(1_000));
        assert_eq!(watch_red(host, 20), [1_000; 20], "{name}");
        assert_eq!(numbers(&said(host)[before..])[..2], [1, 2], "{name}");
    });
}

#[test]
fn on_a_battery_the_red_led_is_dim_and_the_target_is_told_of_its_voltage() {
    each(|firmware, host, name| {
        host.enumerate().expect("enumerates");
        let _ = host.drive().expect("a drive").read_file("DETAILS.TXT");
        host.sleep(Span::secs(1));
        assert_eq!((red(host), orange(host)), (1_000, 1_000), "{name}");
        act(host, &Action::Battery { on: true, mv: Some(2_700) });
        assert_eq!(ask(host)[..2], [3, 2], "{name}: both, and a host");
        act(host, &Action::Unplug);
        host.sleep(Span::secs(1));
        for mv in [2_700, 3_300] {
            act(host, &Action::Battery { on: true, mv: Some(mv) });
            let [source, usb, battery, input] = ask(host);
            assert_eq!((source, usb), (2, 0), "{name}");
            // The nRF52820 compares: steps of 1.2 V / 64 behind a divider of 4.
            let wanted = u32::from(mv) * firmware.finds / 1_000;
            assert!(battery.abs_diff(wanted) <= 80, "{name}: {battery} mV instead of {wanted} mV");
            let left = u32::from(mv) - 250;
            // Five times steps of 1.2 V / 64, and the firmware rounds down twice.
            assert!(left - input.min(left) <= 190 && input <= left + 10, "{name}: {input} mV instead of {left} mV");
        }
        host.sleep(Span::ms(200));
        // 100 of 255, after gamma 15 of 255.
        assert!(red(host).abs_diff(59) <= 2, "{name}: {}", red(host));
        assert_eq!(orange(host), 0, "{name}");
        act(host, &Action::Plug);
        host.enumerate().expect("enumerates");
        host.sleep(Span::secs(1));
        assert_eq!(red(host), 1_000, "{name}");
        assert_eq!(ask(host)[..2], [3, 2], "{name}");
    });
}

#[test]
fn a_board_on_a_battery_powers_down_and_its_button_wakes_it() {
    each(|_, host, name| {
        host.enumerate().expect("enumerates");
        on_battery(host, 3_000);
        assert!(!is_off(host) || host.machine().daplink().is_some(), "{name}");
        power_down(host, name);
        assert!(is_off(host), "{name}");
        let before = said(host).len();
        act(host, &Action::Press { button: "A".into(), ms: Some(50) });
        host.sleep(Span::secs(1));
        assert!(is_off(host) && said(host).len() == before, "{name}");
        act(host, &Action::Press { button: "reset".into(), ms: Some(100) });
        host.sleep(Span::ms(1_500));
        assert_eq!(numbers(&said(host)[before..])[0], 2, "{name}");
        assert_woken(host, false, name);
        assert!(red(host).abs_diff(59) <= 2, "{name}: {}", red(host));
    });
}

#[test]
fn a_cable_wakes_a_board_that_is_powered_down() {
    each(|_, host, name| {
        host.enumerate().expect("enumerates");
        on_battery(host, 3_000);
        power_down(host, name);
        let before = said(host).len();
        act(host, &Action::Plug);
        host.enumerate().expect("enumerates");
        host.sleep(Span::secs(1));
        let said = said(host)[before..].to_string();
        assert!(said.starts_with("event 2\r\n"), "{name}: {said:?}");
        assert_woken(host, true, name);
        assert_eq!(red(host), 1_000, "{name}");
    });
}
