//! The boot loader in the KL27Z's ROM on a micro:bit V2.00, whose TP1 a person grounds.

use std::path::Path;

use twinboard_models::board::control::{Action, PinSetting};
use twinboard_models::board::{BoardFile, InterfaceProgram, Model, PowerOn, Powered};
use twinboard_models::image::{BlockIds, Image, Start};
use twinboard_sim::cpu::arm::Register;
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;

const OWN: &[u8] = include_bytes!("../../firmware/kl27z/interface.bin");
const OWN_ID: (u16, u16) = (0x1209, 0x0001);
const ROM_ID: (u16, u16) = (0x15A2, 0x0073);

const SOON: Span = Span::secs(5);

fn board(settings: &[&str], flash: Option<&[u8]>) -> Host<Powered> {
    let mut file = BoardFile::built_in("microbit-v2.00").expect("built in");
    for setting in settings {
        file.set(setting).expect("a setting");
    }
    let image = flash.map(|flash| Image::parse(Path::new("flash.bin"), flash, BlockIds(&[]), 0).expect("an image"));
    let interface = image.as_ref().map(|image| InterfaceProgram { image, start: Start::Reset });
    let mut host = Host::new(file.power_on(&PowerOn { interface, ..PowerOn::default() }).expect("a board"));
    host.enumerate().expect("enumerates");
    host
}

fn id(host: &Host<Powered>) -> (u16, u16) {
    let device = &host.device().expect("enumerated").device;
    (device.id_vendor, device.id_product)
}

/// Off the supply and back, as a person who pulls the cable does it.
fn replug(host: &mut Host<Powered>) {
    host.unplug();
    host.machine().power_cycle();
    host.enumerate().expect("enumerates");
}

fn tp1(host: &mut Host<Powered>, set: PinSetting) {
    host.machine().act(&Action::Pin { name: "BOOTCFG0".into(), set }).expect("a wire");
}

/// Sends a command packet.
fn command(host: &mut Host<Powered>, tag: u8, parameters: &[u32]) {
    let mut packet = vec![1, 0, 4 + 4 * parameters.len() as u8, 0, tag, 0, 0, parameters.len() as u8];
    packet.extend(parameters.iter().flat_map(|word| word.to_le_bytes()));
    host.write(2, &packet, SOON).expect("takes a command");
}

/// The next frame: report and payload.
fn receive(host: &mut Host<Powered>) -> (u8, Vec<u8>) {
    let frame = host.read(0x81, 36, SOON).expect("a frame");
    assert_eq!(frame.len(), 36);
    (frame[0], frame[4..4 + usize::from(frame[2])].to_vec())
}

/// The status of a generic response to `tag`.
fn response(host: &mut Host<Powered>, tag: u8) -> u32 {
    let (report, packet) = receive(host);
    assert_eq!((report, packet[0], packet[8]), (3, 0xA0, tag), "{packet:?}");
    u32::from_le_bytes([packet[4], packet[5], packet[6], packet[7]])
}

fn status(host: &mut Host<Powered>, tag: u8, parameters: &[u32]) -> u32 {
    command(host, tag, parameters);
    response(host, tag)
}

fn write(host: &mut Host<Powered>, start: u32, data: &[u8]) -> u32 {
    assert_eq!(status(host, 4, &[start, data.len() as u32]), 0);
    for piece in data.chunks(32) {
        let mut frame = vec![2, 0, piece.len() as u8, 0];
        frame.extend_from_slice(piece);
        host.write(2, &frame, SOON).expect("takes data");
    }
    response(host, 4)
}

fn read(host: &mut Host<Powered>, start: u32, count: u32) -> Vec<u8> {
    command(host, 3, &[start, count]);
    let (_, head) = receive(host);
    assert_eq!(head[..8], [0xA3, 1, 0, 2, 0, 0, 0, 0]);
    let mut data = Vec::new();
    loop {
        match receive(host) {
            (4, piece) => data.extend(piece),
            _ => return data,
        }
    }
}

#[test]
fn a_grounded_tp1_starts_the_boot_loader_of_an_erased_chip() {
    let mut host = board(&["tp1=ground"], None);
    assert_eq!(id(&host), ROM_ID);
    assert_eq!(host.device().expect("enumerated").product, "Kinetis Bootloader");
    let all = read(&mut host, 0x3C0, 0x60);
    assert!(all.iter().enumerate().all(|(at, &byte)| byte == if at == 0x4C { 0xFE } else { 0xFF }), "{all:?}");
}

#[test]
fn without_it_the_native_firmware_runs_as_before() {
    assert_eq!(id(&board(&["tp1=open"], None)), (0x0D28, 0x0204));
}

#[test]
fn an_image_is_written_and_a_reset_starts_it_once_tp1_is_free() {
    let mut host = board(&["tp1=ground"], None);
    assert_eq!(status(&mut host, 0x0D, &[]), 0, "FlashEraseAllUnsecure");
    replug(&mut host);
    // What an erased chip of this kind has in FSEC.
    assert_eq!(read(&mut host, 0x40C, 1), [0xFE]);
    assert_eq!(write(&mut host, 0, OWN), 0);
    assert_eq!(read(&mut host, 0, OWN.len() as u32), OWN);
    tp1(&mut host, PinSetting::Released);
    assert_eq!(status(&mut host, 0x0B, &[]), 0, "Reset");
    assert!(host.wait_gone(Span::secs(1)));
    host.enumerate().expect("enumerates");
    assert_eq!(id(&host), OWN_ID);
    // And grounded again, whatever is in flash.
    tp1(&mut host, PinSetting::Low);
    replug(&mut host);
    assert_eq!(id(&host), ROM_ID);
}

#[test]
fn what_fprot_protects_stays() {
    let mut image = OWN.to_vec();
    image[0x408] = 0xF0;
    let mut host = board(&["tp1=ground"], Some(&image));
    assert_eq!(status(&mut host, 1, &[]), 104, "FlashEraseAll");
    assert_eq!(write(&mut host, 0, &[0; 64]), 104);
    assert_eq!(status(&mut host, 2, &[0x7C00, 0x400]), 104);
    assert_eq!(write(&mut host, 0x8000, b"free"), 0);
    assert_eq!(read(&mut host, 0, image.len() as u32), image);
    assert_eq!(status(&mut host, 0x0D, &[]), 0, "FlashEraseAllUnsecure");
    assert_eq!(read(&mut host, 0x3FC, 32)[..16], [0xFF; 16]);
}

#[test]
fn a_secured_chip_opens_with_its_key_or_by_losing_everything() {
    let mut image = OWN.to_vec();
    image[0x400..0x408].copy_from_slice(b"MICROBIT");
    image[0x40C] = 0x80 | 0x30; // SEC 00, key enabled
    let mut host = board(&["tp1=ground"], Some(&image));
    assert_eq!(status(&mut host, 3, &[0, 4]), 10001);
    assert_eq!(status(&mut host, 6, &[0x5243_494D, 0x5449_424F]), 0, "the key");
    assert_eq!(read(&mut host, 0x400, 8), b"MICROBIT");
    replug(&mut host);
    assert_eq!(status(&mut host, 3, &[0, 4]), 10001);
    assert_eq!(status(&mut host, 6, &[1, 2]), 103);
    assert_eq!(status(&mut host, 0x0D, &[]), 0);
    assert_eq!(read(&mut host, 0x400, 8), [0xFF; 8]);
}

#[test]
fn a_program_is_executed_with_its_argument() {
    let mut host = board(&["tp1=ground"], Some(OWN));
    let vectors: Vec<u32> = OWN[..8].as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    assert_eq!(status(&mut host, 9, &[vectors[1], 0, vectors[0]]), 0, "Execute");
    assert!(host.wait_gone(Span::secs(1)));
    host.enumerate().expect("enumerates");
    assert_eq!(id(&host), OWN_ID);
}

#[test]
fn an_image_that_boots_from_rom_starts_after_five_seconds_without_a_host() {
    let mut image = OWN.to_vec();
    image[0x40D] = 0xBB; // BOOTSRC_SEL 10
    let file = BoardFile::built_in("microbit-v2.00").expect("built in");
    let image = Image::parse(Path::new("flash.bin"), &image, BlockIds(&[]), 0).expect("an image");
    let interface = Some(InterfaceProgram { image: &image, start: Start::Reset });
    let powered = file.power_on(&PowerOn { interface, ..PowerOn::default() }).expect("a board");
    let mut host = Host::new(powered);
    host.sleep(Span::ms(5_100));
    host.enumerate().expect("enumerates");
    assert_eq!(id(&host), OWN_ID);
}

#[test]
fn call_runs_a_function_and_answers_when_it_is_back() {
    let mut host = board(&["tp1=ground"], None);
    // ldr r1, =0x20000100 ; str r0, [r1] ; bx lr
    let function = [0x01, 0x49, 0x08, 0x60, 0x70, 0x47, 0x00, 0xBF, 0x00, 0x01, 0x00, 0x20];
    assert_eq!(write(&mut host, 0x2000_0000, &function), 0);
    assert_eq!(status(&mut host, 0x0A, &[0x2000_0001, 0x1234_5678]), 0, "Call");
    assert_eq!(read(&mut host, 0x2000_0100, 4), 0x1234_5678_u32.to_le_bytes());
    assert_eq!(status(&mut host, 0x0A, &[0x2000_0001, 42]), 0, "once more");
    assert_eq!(read(&mut host, 0x2000_0100, 4), [42, 0, 0, 0]);
}

#[test]
fn execute_gives_the_core_an_address_an_argument_and_a_stack_for_good() {
    let mut host = board(&["tp1=ground"], None);
    assert_eq!(write(&mut host, 0x2000_0000, &[0xFE, 0xE7]), 0); // b .
    assert_eq!(status(&mut host, 0x09, &[0x2000_0001, 7, 0x2000_3000]), 0, "Execute");
    assert!(host.wait_gone(Span::secs(1)));
    let (_, chip) = host.machine().chips.iter().find(|(name, _)| name == "interface").expect("there is one");
    let Model::Kinetis(chip) = chip else { panic!("an emulated chip") };
    let mut chip = chip.lock();
    let core = chip.core();
    let registers = [0, 13, 15].map(|number| core.register(Register(number)));
    assert_eq!(registers, [7, 0x2000_3000, 0x2000_0000]);
}
