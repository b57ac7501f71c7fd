//! What goes wrong in official firmware on emulated interface chips: the core stands still or trips, bits of its flash are
//! others. What the firmware makes of it is its own.

use std::path::Path;

use twinboard_models::board::{BoardFile, InterfaceProgram, Model, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::fault::{Evidence, Params, Plan, SharedFault};
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;

use crate::bench::{hex, program};
use crate::faults_firmware::{arm, detail, file, make, power_cycle, ready, strikes};
use crate::images::official;
use crate::official_updates::label;

const FULL_0234: &str = "kl26z_bl_if_BL0233_IF0234.hex";
const FULL_0255: &str = "kl27z_bl_0255_if_0255_microbit_full_image.bin";
const IF_0234: &str = "0234_kl26z_microbit_0x8000.hex";
const IF_0241: &str = "0241_kl26z_microbit_0x8000.hex";
const IF_0249: &str = "0249_kl26z_microbit_0x8000.hex";
const IF_0253: &str = "0253_kl26z_microbit_0x8000.hex";
const IF_0255: &str = "0255_kl27z_microbit_0x8000.hex";
const IF_0257: &str = "0257_nrf52820_microbit_if_crc_c782a5ba90_gcc.hex";
const IF_0258: &str = "0258-beta3_kl27z_microbit_if_crc_0004198_gcc.hex";

const V1: &str = "microbit-v1";
const V2_00: &str = "microbit-v2.00";
const V2: &str = "microbit-v2";

/// One of each chip.
const EACH: [(&str, &str); 3] = [(V1, IF_0253), (V2_00, FULL_0255), (V2, IF_0257)];

/// A board under power with the official image `name`; none if it is not there.
fn powered(board: &str, name: &str) -> Option<Powered> {
    let image = Image::parse(Path::new(name), &official(name)?, BlockIds(&[]), 0).expect("an image");
    let start = if [FULL_0234, FULL_0255].contains(&name) { Start::Reset } else { Start::Handover(0x8000) };
    let power = PowerOn { interface: Some(InterfaceProgram { image: &image, start }), ..PowerOn::default() };
    Some(BoardFile::built_in(board).expect("built in").power_on(&power).expect("a board"))
}

fn on(powered: Powered) -> Host<Powered> {
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    ready(&mut host);
    host
}

/// The same on a host; a fault is armed before anything runs.
fn damaged(board: &str, image: &str, point: &str, params: Params) -> Option<(Host<Powered>, SharedFault)> {
    let mut powered = powered(board, image)?;
    let fault = make(point, params, Plan::default());
    powered.arm(&fault).expect("can be armed");
    Some((on(powered), fault))
}

fn first(fault: &SharedFault) -> Evidence {
    fault.lock().record().evidence()[0].clone()
}

/// So many words of the interface chip's flash.
fn words<const N: usize>(host: &mut Host<Powered>, address: usize) -> [u32; N] {
    let flash = interface(host).flash().expect("a flash");
    std::array::from_fn(|n| u32::from_le_bytes(*flash[address + 4 * n..].first_chunk().expect("in the flash")))
}

fn interface(host: &mut Host<Powered>) -> Model {
    let chips = &host.machine().chips;
    chips.iter().find(|(name, _)| name == "interface").expect("an interface chip").1.clone()
}

fn drops(host: &mut Host<Powered>) {
    let copied = host.drive().expect("a drive").copy("a.hex", &hex(&program(1024)), WriteOrder::LinuxFlush);
    assert!(copied.expect("copies").is_success());
}

#[test]
fn a_core_that_stands_still_for_a_second_leaves_usb_to_answer_nak_and_goes_on() {
    for (board, image) in EACH {
        let Some(powered) = powered(board, image) else { continue };
        let mut host = on(powered);
        let params = Params { delay: Some(Span::secs(1)), ..Params::default() };
        let fault = arm(&mut host, "firmware.hang", params, Plan::default());
        let start = host.now();
        host.sleep(Span::ms(1));
        assert_eq!(strikes(&fault), 1);
        host.drive().expect("a drive").inquiry().expect("answers");
        let took = host.now().since(start);
        assert!((Span::ms(1000)..Span::ms(1010)).contains(&took), "{board}: {took:?}");
        assert_eq!(first(&fault).effect, "stands still for 1000000 µs");
        drops(&mut host);
    }
}

#[test]
fn a_core_that_stands_still_for_good_is_back_after_a_reset_or_a_power_cycle() {
    for (board, image) in EACH {
        let Some(powered) = powered(board, image) else { continue };
        let mut host = on(powered);
        let fault = arm(&mut host, "firmware.hang", Params::default(), Plan::default());
        host.sleep(Span::ms(30));
        assert_eq!(first(&fault).effect, "stands still until the next reset");
        host.drive().expect("a drive").inquiry().expect_err("nobody is there");
        power_cycle(&mut host);
        drops(&mut host);
    }
    // The other two chips have no reset input there: firmware makes a GPIO pin of the KL27Z's, the nRF52820's is not enabled.
    let (board, image) = EACH[0];
    let Some(powered) = powered(board, image) else { return };
    let mut host = on(powered);
    arm(&mut host, "firmware.hang", Params::default(), Plan::default());
    host.sleep(Span::ms(30));
    let params = Params { chip: Some("interface".into()), ..Params::default() };
    arm(&mut host, "reset.glitch", params, Plan::default());
    assert!(host.wait_gone(Span::secs(1)), "its USB goes with the reset");
    host.enumerate().expect("comes back");
    ready(&mut host);
    drops(&mut host);
}

#[test]
fn hardfaults_of_official_firmware_are_told_in_assert_txt_after_a_restart() {
    // What 0241 and 0249 name is the file with their main function; from 0251 on the handler has a file of its own.
    let images = [
        (V1, IF_0241, "main.c"),
        (V1, IF_0249, "main.c"),
        (V1, IF_0253, "HardFault_Handler.c"),
        (V2_00, FULL_0255, "HardFault_Handler.c"),
        (V2_00, IF_0258, "HardFault_Handler.c"),
        (V2, IF_0257, "HardFault_Handler.c"),
    ];
    for (board, image, source) in images {
        let Some(powered) = powered(board, image) else { continue };
        let mut host = on(powered);
        assert_eq!(file(&mut host, "ASSERT.TXT"), None);
        let fault = arm(&mut host, "firmware.assert", Params::default(), Plan::default());
        assert!(host.wait_gone(Span::secs(5)), "{image}: restarts");
        host.enumerate().expect("comes back");
        ready(&mut host);
        let text = file(&mut host, "ASSERT.TXT").expect("ASSERT.TXT");
        assert!(text.contains(source) && text.contains("Source: Application"), "{image}: {text}");
        let place = first(&fault).place;
        let pc = place.split("0x").nth(1).expect("an address");
        assert_eq!(text.contains("Hexdumps"), source != "main.c", "{image}: {text}");
        assert!(source == "main.c" || text.contains(pc), "{image}: the PC {pc} is one of the words: {text}");
        assert_eq!(strikes(&fault), 1);
        drops(&mut host);
    }
}

#[test]
fn a_bit_of_the_settings_key_leaves_the_defaults_for_good() {
    let flags = |host: &mut Host<Powered>| {
        ["Auto Reset", "Automation allowed", "Overflow detection", "Incompatible image detection"]
            .map(|key| detail(host, key).expect(key))
    };
    let Some(sound) = powered(V2_00, FULL_0255) else { return };
    assert_eq!(flags(&mut on(sound)), ["1", "0", "0", "1"], "as boards are sold");
    let (mut host, fault) = damaged(V2_00, FULL_0255, "firmware.config", Params::default()).expect("there is one");
    let Evidence { at, place, effect } = first(&fault);
    assert_eq!((at, place.as_str()), (Time::ZERO, "configuration page, 0x0001fc00"));
    assert!(effect.ends_with("was 6b766c64: the key is wrong"), "{effect}");
    for _ in 0..2 {
        assert_eq!(flags(&mut host), ["1", "1", "1", "0"]);
        assert_eq!(words(&mut host, 0x1fc00), [0x6b76_6c64, 0x0101_000a, 0xffff_0001], "it wrote a new page");
        power_cycle(&mut host);
    }
    assert_eq!(strikes(&fault), 1);
}

#[test]
fn a_page_that_firmware_made_itself_is_damaged_at_the_next_start() {
    for (board, image, page) in [(V1, IF_0253, 0x1fc00), (V2, IF_0257, 0x1f000)] {
        // There is no page at the first start, so there is nothing to damage.
        let Some((mut host, fault)) = damaged(board, image, "firmware.config", Params::default()) else { continue };
        assert_eq!(strikes(&fault), 0);
        let sound = words::<3>(&mut host, page);
        assert_eq!(sound[0], 0x6b76_6c64);
        power_cycle(&mut host);
        assert_eq!((strikes(&fault), words::<3>(&mut host, page)), (1, sound), "made anew");
    }
}

#[test]
fn an_image_with_another_crc_runs_all_the_same_and_shows_it() {
    for (board, image) in EACH {
        let params = Params { value: Some(0x1234_abcd), ..Params::default() };
        let Some((mut host, fault)) = damaged(board, image, "firmware.crc", params) else { continue };
        for _ in 0..2 {
            assert_eq!(detail(&mut host, "Interface CRC").as_deref(), Some("0x1234abcd"), "{image}");
            drops(&mut host);
            power_cycle(&mut host);
        }
        assert_eq!(strikes(&fault), 1, "flash stays as it is");
        // What DETAILS.TXT has shown before is the word behind.
        let last = if board == V2 { 0x1effc } else { 0x1fbfc };
        let [stored] = words(&mut host, last);
        let effect = first(&fault).effect;
        assert!(effect.ends_with(&format!("is 0x1234abcd, not {stored:#010x}")), "{effect}");
    }
}

#[test]
fn bootloaders_stay_if_the_vectors_are_gone() {
    for (board, image) in [(V1, FULL_0234), (V2_00, FULL_0255)] {
        let Some((mut host, fault)) = damaged(board, image, "firmware.vectors", Params::default()) else { continue };
        assert_eq!((label(&mut host).as_str(), strikes(&fault)), ("MAINTENANCE", 1), "{image}");
        power_cycle(&mut host);
        assert_eq!(label(&mut host), "MAINTENANCE");
    }
}

#[test]
fn points_that_mean_nothing_for_an_image_are_refused() {
    let refusals = [
        (V1, IF_0234, "firmware.assert", "records as an assertion from 0241 on"),
        (V1, FULL_0234, "firmware.assert", "records as an assertion from 0241 on"),
        (V2_00, IF_0255, "firmware.vectors", "only a bootloader looks at vectors"),
        (V2, IF_0257, "firmware.vectors", "only a bootloader looks at vectors"),
    ];
    for (board, image, point, reason) in refusals {
        let Some(mut powered) = powered(board, image) else { continue };
        let error = powered.arm(&make(point, Params::default(), Plan::default())).expect_err(point);
        assert!(error.to_string().contains(reason), "{image}: {error}");
    }
}

#[test]
fn two_runs_of_emulated_firmware_with_faults_are_the_same() {
    let run = || {
        let (mut host, crc) = damaged(V1, IF_0253, "firmware.crc", Params::default())?;
        let params = Params { delay: Some(Span::ms(77)), ..Params::default() };
        let hang = arm(&mut host, "firmware.hang", params, Plan { skip: 3, ..Plan::default() });
        let assert = arm(&mut host, "firmware.assert", Params::default(), Plan { skip: 200, ..Plan::default() });
        assert!(host.wait_gone(Span::secs(5)), "restarts");
        host.enumerate().expect("comes back");
        ready(&mut host);
        let text = file(&mut host, "ASSERT.TXT").expect("ASSERT.TXT");
        Some((host.now(), text, [crc, hang, assert].map(|fault| first(&fault))))
    };
    assert_eq!(run(), run());
}
