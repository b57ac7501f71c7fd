//! `twinboard ctl ENDPOINT COMMAND`: acts on a board that `run` or `vm` serves with `--control ENDPOINT`.
//!
//! ENDPOINT is the path of a control socket or `tcp:ADDRESS:PORT`; `-` stands for `$TWINBOARD_CONTROL`, which `vm` sets
//! for its command. With several boards, `--board` names one, by its name or its number. `--json` prints the server's
//! lines as they are (docs/control.md). Exit code 1 if what was waited for did not happen, or nobody answers; 2 if the
//! board cannot do what was asked.

mod picture;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use twinboard_models::board::control::{
    Action, Answer, BoardRef, Condition, Happening, Info, LedState, Message, Order, PinSetting, Request, Response,
    Rows, Wait, What,
};

use crate::control::Endpoint;
use crate::control::client::Client;
use crate::failure::Failure;

/// Where, which board, and what to do.
#[derive(Debug, Args)]
pub struct CtlOptions {
    /// Path of the control socket, or tcp:ADDRESS:PORT; `-` is $TWINBOARD_CONTROL.
    endpoint: String,
    /// Which board, by name or number, if there are several.
    #[arg(long, global = true)]
    board: Option<String>,
    /// Print the server's lines as they are.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: CtlCommand,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Debug, Subcommand)]
enum CtlCommand {
    /// Press a button and hold it.
    Press {
        /// Its name: A, B, logo, reset.
        button: String,
        /// Let go after so many milliseconds of the board's time.
        #[arg(long)]
        ms: Option<u32>,
    },
    /// Let go of a button.
    Release {
        /// Its name.
        button: String,
    },
    /// Press the reset button shortly.
    Reset,
    /// Hold the board at an angle; without options, flat.
    #[command(allow_negative_numbers = true)]
    Tilt {
        /// Degrees by which the right side goes down.
        #[arg(long, default_value_t = 0.0)]
        right: f64,
        /// Degrees by which the end with the logo goes up.
        #[arg(long, default_value_t = 0.0)]
        up: f64,
    },
    /// Shake the board for a second.
    Shake,
    /// Make a gesture: up, down, left, right, "face up", "face down", freefall, shake, 3g, 6g, 8g.
    Gesture {
        /// Its name.
        name: String,
    },
    /// Set the accelerometer's three axes, in thousandths of g.
    #[command(allow_negative_numbers = true)]
    Acceleration {
        /// Positive on the right edge.
        x: i32,
        /// Positive with the logo up.
        y: i32,
        /// Negative with the display up.
        z: i32,
    },
    /// Point the end with the logo so many degrees east of north.
    #[command(allow_negative_numbers = true)]
    Compass {
        /// Degrees.
        bearing: f64,
    },
    /// Set the magnetic field's three axes, in nanotesla.
    #[command(allow_negative_numbers = true)]
    MagneticField {
        /// To the left.
        x: i32,
        /// To the logo.
        y: i32,
        /// Out of the back.
        z: i32,
    },
    /// Set the temperature, in degrees Celsius.
    #[command(allow_negative_numbers = true)]
    Temperature {
        /// -40 to 105.
        celsius: f64,
    },
    /// Set the light on the display.
    Light {
        /// 0 (dark) to 255.
        level: u8,
    },
    /// Show the display, five rows of five digits, 0 (dark) to 9, and the LEDs beside it.
    Screen {
        /// Write a picture instead.
        #[arg(long, value_name = "FILE")]
        png: Option<PathBuf>,
    },
    /// Show the LEDs beside the display: brightness 0 (dark) to 9, name, colour.
    Leds,
    /// Show all wires, or hold something against one.
    Pins {
        /// The wire.
        #[arg(requires = "setting")]
        name: Option<String>,
        /// high, low, released, or millivolts as in 1500mV.
        setting: Option<String>,
    },
    /// Show what the target sent on its serial port, or send it something.
    Serial {
        /// Go on showing what it sends, until Ctrl-C.
        #[arg(long)]
        follow: bool,
        /// What to do.
        #[command(subcommand)]
        command: Option<SerialCommand>,
    },
    /// Pull the USB cable out of the board.
    Unplug,
    /// Plug it in.
    Plug,
    /// Connect or disconnect a battery.
    Battery {
        /// Connected?
        switch: Switch,
        /// Its voltage in millivolts, 1000 to 3600.
        #[arg(long)]
        mv: Option<u16>,
    },
    /// Switch all supplies off or on.
    Power {
        /// On?
        switch: Switch,
    },
    /// Tell what board it is and how it fares.
    #[command(visible_alias = "state")]
    Info,
    /// Wait until something has happened on the board, or for a time.
    Wait {
        /// At the longest for so many milliseconds of the board's time.
        #[arg(long, default_value_t = 10_000)]
        ms: u32,
        /// For a picture, five rows as in 09090/99999/99999/09990/00900; # is any light, ? is anything.
        #[arg(long, group = "what")]
        screen: Option<String>,
        /// For a text that the target sends.
        #[arg(long, group = "what")]
        serial: Option<String>,
        /// For power on the board, or none.
        #[arg(long, group = "what")]
        powered: Option<Switch>,
    },
    /// Print events, one JSON object a line, until Ctrl-C.
    Watch {
        /// What to watch; everything if nothing is named.
        what: Vec<Watched>,
    },
}

#[derive(Debug, Subcommand)]
enum SerialCommand {
    /// Send text through the interface chip, as if typed into a terminal program.
    Send {
        /// The text; \r, \n, \t, \e, \\ and \xNN stand for what they do in C.
        text: String,
        /// Set the interface chip's baud rate first.
        #[arg(long)]
        baud: Option<u32>,
        /// Then wait for an answer with this text in it.
        #[arg(long, value_name = "TEXT")]
        expect: Option<String>,
        /// At the longest for so many milliseconds of the board's time.
        #[arg(long, default_value_t = 10_000, requires = "expect")]
        ms: u32,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Watched {
    Screen,
    Serial,
    Incidents,
}

impl From<Watched> for What {
    fn from(what: Watched) -> What {
        match what {
            Watched::Screen => What::Screen,
            Watched::Serial => What::Serial,
            Watched::Incidents => What::Incidents,
        }
    }
}

impl Switch {
    fn on(self) -> bool {
        matches!(self, Switch::On)
    }
}

/// A connection, and how its answers are shown.
struct Talk {
    client: Client,
    board: Option<BoardRef>,
    json: bool,
}

impl Talk {
    fn request(&self, order: Order) -> Request {
        Request { id: None, board: self.board.clone(), order }
    }

    /// Has something done; the answer, or what the server says against it.
    fn ask(&mut self, order: Order) -> Result<Answer, Failure> {
        let request = self.request(order);
        let response = self.client.ask(&request).map_err(Failure::job)?;
        if self.json {
            print!("{}", Message::Response(response.clone()).to_line());
        }
        answer(response)
    }

    fn act(&mut self, action: Action) -> Result<Answer, Failure> {
        self.ask(Order::Do(action))
    }
}

fn answer(response: Response) -> Result<Answer, Failure> {
    match (response.ok, response.error) {
        (Some(answer), None) => Ok(answer),
        (_, Some(error)) => Err(Failure::input(error.message, "twinboard help ctl lists what a board can be told")),
        (None, None) => Err(Failure::job("the server's line has neither an answer nor an error")),
    }
}

pub fn run(options: CtlOptions) -> Result<ExitCode, Failure> {
    let CtlOptions { endpoint, board, json, command } = options;
    let endpoint = if endpoint == "-" {
        std::env::var("TWINBOARD_CONTROL").map_err(|_| {
            Failure::input("TWINBOARD_CONTROL is not set", "give the path that `run` or `vm` got with --control")
        })?
    } else {
        endpoint
    };
    let endpoint: Endpoint = endpoint
        .parse()
        .map_err(|error| Failure::input(error, "give the path of a control socket, or tcp:ADDRESS:PORT"))?;
    let board = board.map(|board| board.parse().map_or(BoardRef::Name(board), BoardRef::Number));
    let mut talk = Talk { client: Client::connect(&endpoint).map_err(Failure::job)?, board, json };
    perform(&mut talk, command)
}

fn perform(talk: &mut Talk, command: CtlCommand) -> Result<ExitCode, Failure> {
    let action = match command {
        CtlCommand::Press { button, ms } => Action::Press { button, ms },
        CtlCommand::Release { button } => Action::Release { button },
        CtlCommand::Reset => Action::Reset,
        CtlCommand::Tilt { right, up } => Action::Tilt { right, up },
        CtlCommand::Shake => Action::Gesture { name: "shake".into() },
        CtlCommand::Gesture { name } => Action::Gesture { name },
        CtlCommand::Acceleration { x, y, z } => Action::Acceleration { x, y, z },
        CtlCommand::Compass { bearing } => Action::Compass { bearing },
        CtlCommand::MagneticField { x, y, z } => Action::MagneticField { x, y, z },
        CtlCommand::Temperature { celsius } => Action::Temperature { celsius },
        CtlCommand::Light { level } => Action::Light { level },
        CtlCommand::Unplug => Action::Unplug,
        CtlCommand::Plug => Action::Plug,
        CtlCommand::Battery { switch, mv } => Action::Battery { on: switch.on(), mv },
        CtlCommand::Power { switch } => Action::Power { on: switch.on() },
        CtlCommand::Screen { png: Some(file) } => return save_picture(talk, &file),
        CtlCommand::Screen { png: None } if talk.json => Action::Screen,
        CtlCommand::Screen { png: None } => return screen(talk),
        CtlCommand::Leds => Action::Leds,
        CtlCommand::Pins { name: Some(name), setting: Some(setting) } => {
            Action::Pin { name, set: pin_setting(&setting)? }
        }
        CtlCommand::Pins { .. } => Action::Pins,
        CtlCommand::Serial { command: Some(SerialCommand::Send { text, baud, expect, ms }), .. } => {
            let (text, expected) = (unescape(&text)?, expect.as_deref().map(unescape).transpose()?);
            return send(talk, text, baud, expected, ms);
        }
        CtlCommand::Serial { follow: true, .. } => return watch(talk, vec![What::Serial]),
        CtlCommand::Serial { .. } => Action::Serial,
        CtlCommand::Info => Action::Info,
        CtlCommand::Wait { ms, screen, serial, powered } => {
            let screen = screen.map(|text| picture_of(&text)).transpose()?;
            let condition = screen
                .map(Condition::Screen)
                .or(serial.map(Condition::Serial))
                .or(powered.map(|switch| Condition::Powered(switch.on())));
            let met = talk.ask(Order::Wait(Wait { condition, ms, from: None }))? == Answer::Met;
            return Ok(ExitCode::from(u8::from(!met)));
        }
        CtlCommand::Watch { what } => {
            let what = if what.is_empty() { Watched::value_variants() } else { &what[..] };
            return watch(talk, what.iter().map(|&what| what.into()).collect());
        }
    };
    let answer = talk.act(action)?;
    if !talk.json {
        show(&answer)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(answer: &Answer) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match answer {
        Answer::Screen(rows) => rows.0.iter().try_for_each(|row| writeln!(out, "{row}")),
        Answer::Leds(leds) => leds.iter().try_for_each(|led| writeln!(out, "{}", led_line(led))),
        Answer::Pins(pins) => {
            let width = pins.iter().map(|pin| pin.name.len()).max().unwrap_or(0);
            pins.iter().try_for_each(|pin| writeln!(out, "{:width$}  {}", pin.name, pin.level))
        }
        Answer::Serial(serial) => write!(out, "{}", serial.text),
        Answer::Info(info) => show_info(&mut out, info),
        _ => Ok(()),
    }
}

fn show_info(out: &mut impl Write, info: &Info) -> std::io::Result<()> {
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let list = |list: &[String]| if list.is_empty() { "none".into() } else { list.join(", ") };
    writeln!(out, "{} ({})", info.title, info.name)?;
    writeln!(
        out,
        "  power {}, USB cable {}, battery {}",
        yes(info.powered),
        if info.plugged { "plugged in" } else { "out" },
        if info.battery { format!("{} mV", info.battery_mv) } else { "no".into() }
    )?;
    writeln!(out, "  buttons {}; held: {}", list(&info.buttons), list(&info.pressed))?;
    writeln!(out, "  acceleration {:?} mg, magnetic field {:?} nT", info.acceleration, info.magnetic_field)?;
    writeln!(out, "  {} °C, light {}", info.celsius, info.light)?;
    info.incidents.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    info.unmodelled.iter().try_for_each(|line| writeln!(out, "  not modelled: {line}"))
}

fn led_line(led: &LedState) -> String {
    format!("{} {} ({})", led.level, led.name, led.colour)
}

/// Shows the display, and the other LEDs on its right.
fn screen(talk: &mut Talk) -> Result<ExitCode, Failure> {
    let Answer::Screen(rows) = talk.act(Action::Screen)? else { return Ok(ExitCode::SUCCESS) };
    // A server of an older version knows nothing of them.
    let leds = match talk.act(Action::Leds) {
        Ok(Answer::Leds(leds)) => leds,
        _ => Vec::new(),
    };
    let mut out = std::io::stdout().lock();
    for (n, row) in rows.0.iter().enumerate() {
        match leds.get(n) {
            Some(led) => writeln!(out, "{row}  {}", led_line(led))?,
            None => writeln!(out, "{row}")?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn save_picture(talk: &mut Talk, file: &Path) -> Result<ExitCode, Failure> {
    let wrong =
        |error: String| Failure::input(format!("{}: {error}", file.display()), "give a file that can be written");
    if let Answer::Screen(rows) = talk.act(Action::Screen)? {
        let out = File::create(file).map_err(|error| wrong(error.to_string()))?;
        picture::write(&rows, out).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Sends text, as the interface chip's buffer has room for it, and waits for an answer if one is expected.
fn send(
    talk: &mut Talk,
    mut text: String,
    mut baud: Option<u32>,
    expected: Option<String>,
    ms: u32,
) -> Result<ExitCode, Failure> {
    // What was said before does not count.
    let from = match expected.as_ref().map(|_| talk.act(Action::Serial)).transpose()? {
        Some(Answer::Serial(serial)) => Some(serial.bytes),
        _ => None,
    };
    while !text.is_empty() {
        // The buffer has 511 bytes.
        let end = (0..=text.len().min(256)).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(text.len());
        let Answer::Sent(count) = talk.act(Action::Send { text: text[..end].into(), baud })? else { break };
        // A character is sent whole or again; its beginning alone would come twice.
        let count = (count..=text.len()).find(|&count| text.is_char_boundary(count)).unwrap_or(text.len());
        text.drain(..count);
        baud = None;
        if !text.is_empty() {
            talk.ask(Order::Wait(Wait { condition: None, ms: 10, from: None }))?;
        }
    }
    let Some(expected) = expected else { return Ok(ExitCode::SUCCESS) };
    let wait = Wait { condition: Some(Condition::Serial(expected)), ms, from };
    let met = talk.ask(Order::Wait(wait))? == Answer::Met;
    Ok(ExitCode::from(u8::from(!met)))
}

fn watch(talk: &mut Talk, what: Vec<What>) -> Result<ExitCode, Failure> {
    let text = what == [What::Serial] && !talk.json;
    let request = talk.request(Order::Watch(what));
    answer(talk.client.ask(&request).map_err(Failure::job)?)?;
    let mut out = std::io::stdout().lock();
    loop {
        let Message::Event(event) = talk.client.receive().map_err(Failure::job)? else { continue };
        let written = match &event.event {
            Happening::Serial(part) if text => write!(out, "{part}"),
            _ => write!(out, "{}", Message::Event(event).to_line()),
        };
        match written.and_then(|()| out.flush()) {
            // Nobody wants to hear more.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            other => other?,
        }
    }
}

fn pin_setting(text: &str) -> Result<PinSetting, Failure> {
    Ok(match text {
        "high" => PinSetting::High,
        "low" => PinSetting::Low,
        "released" => PinSetting::Released,
        _ => text.strip_suffix("mV").and_then(|number| number.parse().ok()).map(PinSetting::Millivolts).ok_or_else(
            || Failure::input(format!("{text}: high, low, released or millivolts were expected"), "as in 1500mV"),
        )?,
    })
}

fn picture_of(text: &str) -> Result<Rows, Failure> {
    let rows: Vec<String> = text.split('/').map(String::from).collect();
    let good = |row: &String| row.len() == 5 && row.chars().all(|c| c.is_ascii_digit() || matches!(c, '#' | '?'));
    rows.try_into().ok().filter(|rows: &[String; 5]| rows.iter().all(good)).map(Rows).ok_or_else(|| {
        Failure::input(
            format!("{text}: five rows of five digits, # or ? were expected"),
            "write it as in --screen 0#0#0/#####/#####/0###0/00#00",
        )
    })
}

/// What stands in a text for characters that are hard to type.
fn unescape(text: &str) -> Result<String, Failure> {
    let wrong = |what: &str| {
        Failure::input(format!("\\{what}: \\r, \\n, \\t, \\e, \\\\ or \\xNN was expected"), "as in 'print(1)\\r'")
    };
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match rest.next() {
            Some('r') => '\r',
            Some('n') => '\n',
            Some('t') => '\t',
            Some('e') => '\x1b',
            Some('\\') => '\\',
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                let code = u8::from_str_radix(&digits, 16).ok().filter(|code| digits.len() == 2 && code.is_ascii());
                char::from(code.ok_or_else(|| wrong(&format!("x{digits}")))?)
            }
            other => return Err(wrong(&other.map(String::from).unwrap_or_default())),
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_may_have_escapes() {
        assert_eq!(unescape(r"print('a')\r\x03\\").expect("good"), "print('a')\r\x03\\");
        for wrong in [r"\q", r"\x1", r"\xff", "\\"] {
            assert!(unescape(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pictures_and_pins_are_checked_before_they_are_sent() {
        assert!(picture_of("0#0#0/?????/00000/99999/12345").is_ok());
        assert!(picture_of("00000/00000/00000/00000").is_err());
        assert!(picture_of("00000/00000/00000/00000/0000x").is_err());
        assert_eq!(pin_setting("1500mV").expect("good"), PinSetting::Millivolts(1_500));
        assert!(pin_setting("1.5V").is_err());
    }
}
