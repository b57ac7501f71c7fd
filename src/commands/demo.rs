//! `twinboard demo`: powers a micro:bit V2, drops an embedded program on its drive through the in-process host, and
//! shows progress, rate, serial output and the LED matrix. No root, no kernel module, no download.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::serial::LineCoding;

use super::flash::{Timed, drop_file};
use crate::cli::{BoardOptions, ClockMode};
use crate::failure::Failure;
use crate::setup;

/// The program: greets and echoes at 115200 baud, and moves a picture over the display.
const PROGRAM: &[u8] = include_bytes!("../../firmware/nrf52833/demo.hex");
/// How long the program is watched, in pictures of 40 ms.
const PICTURES: u32 = 75;
const PICTURE: Span = Span::ms(40);
/// What is said to the program.
const WORDS: &[u8] = b"hello, board\r\n";

pub fn run() -> Result<ExitCode, Failure> {
    let desk = setup::power_on("microbit-v2", 0, 1, &BoardOptions::default())?;
    println!("{} is under power.", desk.powered.title);
    let mut host = Host::new(Timed::new(desk, ClockMode::Free));
    let device = host.enumerate().map_err(Failure::job)?;
    println!(
        "USB: {:04x}:{:04x} {}, serial number {}",
        device.device.id_vendor, device.device.id_product, device.product, device.serial
    );
    let mut drive = host.drive().map_err(Failure::job)?;
    if let Some(details) = drive.read_file("DETAILS.TXT").map_err(Failure::job)? {
        let details = String::from_utf8_lossy(&details).into_owned();
        println!("drive MICROBIT, DETAILS.TXT:");
        for line in details.lines().filter(|line| !line.starts_with('#')).take(3) {
            println!("  {line}");
        }
    }

    println!("dropping demo.hex ({} bytes) on the drive", PROGRAM.len());
    let mut serial = host.serial().map_err(Failure::job)?;
    serial.set_line_coding(LineCoding::new(115_200)).map_err(Failure::job)?;
    serial.set_control_lines(true, true).map_err(Failure::job)?;
    serial.read().map_err(Failure::job)?;
    let dropped = drop_file(&mut host, "demo.hex", PROGRAM)?;
    println!(
        "  {:.2} s of the board's time, {:.1} KB/s of file; {:.3} s on this computer",
        dropped.copied.writing.as_secs_f64(),
        dropped.rate(PROGRAM.len()),
        dropped.wall.as_secs_f64()
    );
    if let Some(fail) = &dropped.copied.fail {
        return Err(Failure::job(format!("the drive shows FAIL.TXT: {fail}")));
    }

    // The program runs since the drop; what it said meanwhile is in the host's buffer.
    let mut serial = host.serial().map_err(Failure::job)?;
    let greeting = serial.read_for(Span::ms(200)).map_err(Failure::job)?;
    serial.write(WORDS, Span::secs(1)).map_err(Failure::job)?;
    let answer = serial.read_until(WORDS, Span::secs(2)).map_err(Failure::job)?;
    serial.close();
    println!("serial port, 115200 baud:");
    for line in String::from_utf8_lossy(&greeting).lines().filter(|line| !line.is_empty()) {
        println!("  board: {line}");
    }
    println!("  we:    {}", String::from_utf8_lossy(WORDS).trim_end());
    println!("  board: {}", String::from_utf8_lossy(&answer).trim_end());
    if !answer.ends_with(WORDS) {
        return Err(Failure::job("the program did not echo what it was told"));
    }
    watch(&mut host)?;
    println!("Plug it into your own Linux: ./twinboard run microbit-v2 (see README.md)");
    Ok(ExitCode::SUCCESS)
}

/// Shows the LED matrix: moving on a terminal, a few pictures side by side elsewhere.
fn watch(host: &mut Host<Timed>) -> Result<(), Failure> {
    println!("LED matrix:");
    let moving = std::io::stdout().is_terminal();
    let mut strip: Vec<String> = vec![String::new(); 5];
    let mut out = std::io::stdout().lock();
    for picture in 0..PICTURES {
        host.sleep(PICTURE);
        let Some(screen) = host.machine().desk().powered.screen() else { return Ok(()) };
        if moving {
            std::thread::sleep(PICTURE.into());
            if picture > 0 {
                write!(out, "\x1b[5A")?;
            }
            for line in screen.lines() {
                writeln!(out, "  {}", lamps(line))?;
            }
        } else if picture % 12 == 0 {
            for (row, line) in strip.iter_mut().zip(screen.lines()) {
                row.push_str("  ");
                row.push_str(&lamps(line));
            }
        }
    }
    if !moving {
        for row in strip {
            writeln!(out, "{row}")?;
        }
    }
    Ok(())
}

/// A row of lamps, darker and brighter.
fn lamps(levels: &str) -> String {
    levels
        .chars()
        .map(|level| match level {
            '0' => "· ",
            '1'..='3' => "░ ",
            '4'..='6' => "▒ ",
            _ => "█ ",
        })
        .collect()
}
