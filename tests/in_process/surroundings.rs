//! What MicroPython, unmodified, feels, hears, sees and plays on a board whose surroundings are set.

use std::sync::Arc;

use twinboard_models::board::{BoardFile, Hold, PowerOn, Powered};
use twinboard_models::parts::sound::Sound;
use twinboard_models::parts::speaker::{RATE, share_of_tone};
use twinboard_models::parts::world::{Attitude, Gesture};
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::host::Host;
use twinboard_usbip::host::serial::LineCoding;

use crate::micropython::{self, BOARDS, Board};

const V2: Board = BOARDS[0];
const V1: Board = BOARDS[1];

/// MicroPython on a micro:bit, at its prompt.
struct Program {
    host: Host<Powered>,
}

impl Program {
    /// On a V2. None if the image is missing, which is told.
    fn start() -> Option<Program> {
        Program::on(V2, &[])
    }

    /// On `board` with these settings.
    fn on(board: Board, settings: &[&str]) -> Option<Program> {
        let image = micropython::image(board)?;
        let mut file = BoardFile::built_in(board.name).expect("built in");
        for setting in settings {
            file.set(setting).expect("is one of the file's");
        }
        let powered = file.power_on(&PowerOn { target: Some(&image), ..PowerOn::default() }).expect("can be built");
        let mut host = Host::new(powered);
        host.enumerate().expect("enumerates");
        let mut serial = host.serial().expect("a serial port");
        serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
        serial.read_until(b">>> ", Span::secs(5)).expect("is open");
        // The banner may have come before anybody listened: Enter makes another prompt.
        serial.write(b"\r", Span::secs(1)).expect("is taken");
        serial.read_until(b"\n>>> ", Span::secs(1)).expect("is open");
        let mut program = Program { host };
        program.does("from microbit import *");
        Some(program)
    }

    /// What the REPL prints for `line`, without the echo and the prompt.
    fn says(&mut self, line: &str) -> String {
        let mut serial = self.host.serial().expect("a serial port");
        serial.write(format!("{line}\r").as_bytes(), Span::secs(1)).expect("is taken");
        let said = serial.read_until(b"\n>>> ", Span::secs(10)).expect("is open");
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines.len() >= 2 && lines[lines.len() - 1] == ">>> ", "{line}: {said:?}");
        lines[1..lines.len() - 1].join("\n")
    }

    /// Has `line` done, which prints nothing.
    fn does(&mut self, line: &str) {
        assert_eq!(self.says(line), "", "{line}");
    }

    /// The number that `line` prints.
    fn number(&mut self, line: &str) -> i32 {
        let said = self.says(line);
        said.parse().unwrap_or_else(|_| panic!("{line}: {said}"))
    }

    fn now(&self) -> Time {
        self.host.now()
    }

    fn board(&mut self) -> &mut Powered {
        self.host.machine()
    }

    fn make(&mut self, gesture: Gesture) {
        let now = self.now();
        self.board().world.lock().make(gesture, now);
    }

    /// Lets a tone of 500 Hz and this amplitude sound; 0 is silence.
    fn sound(&mut self, amplitude: f64) {
        let wave = |n| (amplitude * (std::f64::consts::TAU * f64::from(n) / 88.2).sin()) as i16;
        let sound = Sound::new(44_100, (0..44_100).map(wave).collect(), true);
        let now = self.now();
        self.board().world.lock().hear(Some(Arc::new(sound)), now);
    }
}

#[test]
fn the_accelerometer_shows_how_the_board_is_held_and_what_is_done_with_it() {
    let Some(mut program) = Program::start() else { return };
    // In its units 1 g is 1024.
    let poses = [
        (Gesture::FaceUp, "(0, 0, -1024)\n'face up'"),
        (Gesture::Left, "(-1024, 0, 0)\n'left'"),
        (Gesture::Right, "(1024, 0, 0)\n'right'"),
        (Gesture::Up, "(0, 1024, 0)\n'up'"),
        (Gesture::Down, "(0, -1024, 0)\n'down'"),
        (Gesture::FaceDown, "(0, 0, 1024)\n'face down'"),
    ];
    for (gesture, expected) in poses {
        program.make(gesture);
        program.does("sleep(200)");
        assert_eq!(program.says("accelerometer.get_values();accelerometer.current_gesture()"), expected);
    }
    for (gesture, name) in [(Gesture::Shake, "shake"), (Gesture::FreeFall, "freefall")] {
        let question = format!("accelerometer.was_gesture('{name}')");
        assert_eq!(program.says(&question), "False");
        program.make(gesture);
        program.does("sleep(900)");
        assert_eq!(program.says(&question), "True", "{name}");
    }
}

#[test]
fn every_revision_of_v1_shows_how_it_is_held_with_its_own_sensors() {
    for fitted in ["mma8653", "lsm303agr", "fxos8700"] {
        let Some(mut program) = Program::on(V1, &[&format!("internal.fitted={fitted}")]) else { return };
        let poses = [
            (Gesture::FaceUp, [0, 0, -1_024]),
            (Gesture::Left, [-1_024, 0, 0]),
            (Gesture::Up, [0, 1_024, 0]),
            (Gesture::FaceDown, [0, 0, 1_024]),
        ];
        for (gesture, expected) in poses {
            program.make(gesture);
            program.does("sleep(200)");
            let values = program.says("accelerometer.get_values()");
            assert_eq!(values, format!("({}, {}, {})", expected[0], expected[1], expected[2]), "{fitted}");
        }
    }
}

#[test]
fn light_voltages_and_temperature_of_a_v1_are_what_they_are() {
    let Some(mut program) = Program::on(V1, &[]) else { return };
    program.board().world.lock().temperature = 31 * 4;
    assert_eq!(program.number("temperature()"), 31);
    for light in [0, 60, 128, 255u8] {
        program.board().world.lock().light = light;
        program.does("sleep(100)");
        let level = program.number("display.read_light_level()");
        assert!(level.abs_diff(light.into()) <= 3, "{light}: {level}");
    }
    for millivolts in [0, 1_100, 3_300u16] {
        program.board().hold("P1", Hold::Millivolts(millivolts)).expect("there is one");
        let reading = program.number("pin1.read_analog()");
        assert!(reading.abs_diff(i32::from(millivolts) * 1_023 / 3_300) <= 1, "{millivolts} mV: {reading}");
    }
}

#[test]
fn a_v1_plays_on_p0() {
    let Some(mut program) = Program::on(V1, &[]) else { return };
    program.does("import music");
    let now = program.now();
    let speaker = program.board().speaker.clone().expect("there is one");
    speaker.record(now);
    program.does("music.pitch(440, 500)");
    let samples = speaker.take(program.now());
    assert!(samples.len() > 20_000, "{} samples", samples.len());
    let measured = frequency(&samples[..20_000]);
    assert!((measured / 440.0 - 1.0).abs() < 0.005, "{measured} Hz");
}

#[test]
fn light_and_temperature_are_what_they_are() {
    let Some(mut program) = Program::start() else { return };
    // The first call switches the measurement on.
    program.says("display.read_light_level()");
    for light in [0, 1, 77, 128, 200, 255u8] {
        program.board().world.lock().light = light;
        program.does("sleep(100)");
        let level = program.number("display.read_light_level()");
        assert!(level.abs_diff(light.into()) <= 1, "{light}: {level}");
    }
    assert_eq!(program.number("temperature()"), 25);
    program.board().world.lock().temperature = -10 * 4;
    // CODAL measures once a second.
    program.does("sleep(1200)");
    assert_eq!(program.number("temperature()"), -10);
}

#[test]
fn fingers_are_felt_on_the_logo_and_on_the_rings() {
    let Some(mut program) = Program::start() else { return };
    program.does("pin1.set_touch_mode(pin1.CAPACITIVE)");
    // The calibration of a capacitive pad.
    program.does("sleep(200)");
    let all = "sleep(100);pin_logo.is_touched(),pin0.is_touched(),pin1.is_touched()";
    let check = |program: &mut Program, expected: [bool; 3]| {
        let expected = expected.map(|touched| if touched { "True" } else { "False" });
        assert_eq!(program.says(all), format!("({})", expected.join(", ")));
    };
    check(&mut program, [false; 3]);
    program.board().press("logo", true).expect("there is one");
    check(&mut program, [true, false, false]);
    program.board().press("logo", false).expect("there is one");
    for (pad, expected) in [("P0", [false, true, false]), ("P1", [false, false, true])] {
        program.board().hold(pad, Hold::Low).expect("there is one");
        check(&mut program, expected);
        program.board().hold(pad, Hold::Released).expect("there is one");
        check(&mut program, [false; 3]);
    }
}

#[test]
fn pins_have_voltages_and_levels_in_both_directions() {
    let Some(mut program) = Program::start() else { return };
    for millivolts in [0, 500, 1_650, 3_300u16] {
        program.board().hold("P2", Hold::Millivolts(millivolts)).expect("there is one");
        program.does("sleep(10)");
        let reading = program.number("pin2.read_analog()");
        let expected = i32::from(millivolts) * 1_023 / 3_300;
        assert!(reading.abs_diff(expected) <= 1, "{millivolts} mV: {reading}");
    }
    for (hold, reading) in [(Hold::High, 1), (Hold::Low, 0), (Hold::Millivolts(2_000), 1), (Hold::Released, 0)] {
        program.board().hold("P8", hold).expect("there is one");
        assert_eq!(program.number("pin8.read_digital()"), reading, "{hold:?}, pulled down by default");
    }
    let ring = "pin1.read_digital()";
    assert_eq!(program.number(ring), 0, "the ring's 10 MΩ lose against the chip's pull-down");
    for (value, millivolts) in [(1, 3_300), (0, 0)] {
        program.does(&format!("pin16.write_digital({value})"));
        let state = program.board().edge().into_iter().find(|contact| contact.name == "P16").expect("there is one");
        assert_eq!((state.level.bit(), state.millivolts), (value == 1, Some(millivolts)));
    }
}

#[test]
fn the_microphone_tells_loud_from_quiet() {
    let Some(mut program) = Program::start() else { return };
    program.says("microphone.sound_level()");
    let mut levels = Vec::new();
    for amplitude in [0.0, 1_000.0, 8_000.0, 32_000.0] {
        program.sound(amplitude);
        program.does("sleep(300)");
        levels.push(program.number("microphone.sound_level()"));
    }
    assert!(levels.is_sorted() && levels[0] < 10 && levels[3] > 150, "{levels:?}");
    assert_eq!(program.says("microphone.current_event()"), "SoundEvent('loud')");
    program.sound(0.0);
    program.does("sleep(500)");
    assert_eq!(program.says("microphone.current_event()"), "SoundEvent('quiet')");
}

/// Frequency from the zero crossings of the middle half of a tone.
fn frequency(samples: &[i16]) -> f64 {
    let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
    let rising: Vec<usize> = (1..middle.len()).filter(|&i| middle[i - 1] < 0 && middle[i] >= 0).collect();
    let (first, last) = (rising[0], rising[rising.len() - 1]);
    (rising.len() - 1) as f64 * f64::from(RATE) / (last - first) as f64
}

#[test]
fn the_speaker_plays_the_tones_that_the_program_asks_for() {
    let Some(mut program) = Program::start() else { return };
    program.does("import music");
    let now = program.now();
    let speaker = program.board().speaker.clone().expect("there is one");
    speaker.record(now);
    program.does("sleep(1000)");
    assert!(speaker.take(program.now()).is_empty(), "silence before the first sound");
    // CODAL's 44.1 kHz are 16 MHz / 362, a quarter of a percent too fast.
    for (line, expected) in [("music.pitch(440, 500)", 440.0), ("music.play(['c5:4'])", 523.25)] {
        program.does(line);
        let samples = speaker.take(program.now());
        assert!(samples.len() > 20_000, "{line}: {} samples", samples.len());
        let measured = frequency(&samples[..20_000]);
        assert!((measured / expected - 1.0).abs() < 0.005, "{line}: {measured} Hz");
        let middle = &samples[5_000..15_000];
        let shares = [1.0, 0.8, 1.3].map(|factor| share_of_tone(middle, measured * factor));
        assert!(shares[0] > 0.5 && shares[1] < 0.02 && shares[2] < 0.02, "{line}: {shares:?}");
    }
}

#[test]
fn the_compass_is_calibrated_by_its_game_and_then_points_north() {
    let Some(mut program) = Program::start() else { return };
    assert_eq!(program.says("compass.is_calibrated()"), "False");
    // Each pixel of the display is reached by tilting; 1 g is 1024 and the steps are at 200 and 680.
    let mut serial = program.host.serial().expect("a serial port");
    serial.write(b"compass.calibrate()\r", Span::secs(1)).expect("is taken");
    serial.close();
    program.host.sleep(Span::secs(2));
    let tilts = [-0.68, -0.4, 0.0, 0.4, 0.68f64];
    for y in tilts {
        for x in tilts {
            let pitch = y.asin();
            let attitude =
                Attitude { bearing: 30.0, pitch: pitch.to_degrees(), roll: (x / pitch.cos()).asin().to_degrees() };
            program.board().world.lock().hold(attitude);
            program.host.sleep(Span::ms(400));
        }
    }
    program.board().world.lock().hold(Attitude::default());
    let mut serial = program.host.serial().expect("a serial port");
    let said = serial.read_until(b"\n>>> ", Span::secs(60)).expect("is open");
    assert!(said.ends_with(b">>> "), "the game is over: {:?}", String::from_utf8_lossy(&said));
    assert_eq!(program.says("compass.is_calibrated()"), "True");
    for bearing in [0, 60, 90, 180, 270, 330] {
        for (pitch, roll) in [(0.0, 0.0), (20.0, 0.0), (0.0, -25.0)] {
            program.board().world.lock().hold(Attitude { bearing: f64::from(bearing), pitch, roll });
            program.does("sleep(300)");
            let heading = program.number("compass.heading()");
            let off = (heading - bearing + 540).rem_euclid(360) - 180;
            assert!(off.abs() <= 10, "{bearing} at pitch {pitch}, roll {roll}: {heading}");
        }
    }
    let strength = program.number("compass.get_field_strength()");
    assert!(strength.abs_diff(48_332) < 3_000, "{strength} nT");
}
