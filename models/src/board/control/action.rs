//! Actions and their answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::parts::led_matrix::SIZE;

/// Something that a person does with a board.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Presses a button (or touches the logo) and holds it; with `ms`, lets go after so many milliseconds.
    Press {
        /// The button's name in the board file.
        button: String,
        /// How long it is held, in ms of the board's time; for ever if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ms: Option<u32>,
    },
    /// Lets go of a button.
    Release {
        /// The button's name in the board file.
        button: String,
    },
    /// Presses the reset button for 100 ms.
    Reset,
    /// Holds the board so: first the end with the logo goes up, then the right side goes down, from flat on a table.
    Tilt {
        /// Degrees by which the right side goes down; negative: the left side.
        #[serde(default)]
        right: f64,
        /// Degrees by which the end with the logo goes up; negative: down.
        #[serde(default)]
        up: f64,
    },
    /// Makes a gesture as programs name it: `up`, `down`, `left`, `right`, `face up`, `face down`, which stay, and
    /// `shake`, `freefall`, `3g`, `6g`, `8g`, which pass.
    Gesture {
        /// Its name.
        name: String,
    },
    /// Sets what the accelerometer feels at rest, in thousandths of g, until the board is next held in another way.
    Acceleration {
        /// Positive on the right edge.
        x: i32,
        /// Positive with the logo up.
        y: i32,
        /// Negative with the display up.
        z: i32,
    },
    /// Turns the board so that the end with the logo points `bearing` degrees east of north.
    Compass {
        /// Degrees, clockwise from north as seen from above.
        bearing: f64,
    },
    /// Sets the magnetic field, in nanotesla, until the board is next held in another way.
    MagneticField {
        /// To the left.
        x: i32,
        /// To the logo.
        y: i32,
        /// Out of the back.
        z: i32,
    },
    /// Sets the temperature of the air and of the chips.
    Temperature {
        /// Degrees Celsius, −40 to 105; the board keeps quarters of a degree.
        celsius: f64,
    },
    /// Sets the light that falls on the display.
    Light {
        /// From 0 (dark) to 255.
        level: u8,
    },
    /// Looks at the display.
    Screen,
    /// Looks at the LEDs that stand alone.
    Leds,
    /// Measures all wires of the board.
    Pins,
    /// Holds something against a wire of the board.
    Pin {
        /// The wire's name in the board file.
        name: String,
        /// What is held against it.
        set: PinSetting,
    },
    /// Reads what the target has sent on its serial port lately.
    Serial,
    /// Sends text to the target through the interface chip, as if typed into the host's terminal program.
    Send {
        /// The text.
        text: String,
        /// Sets the interface chip's baud rate first, as a terminal program does when it opens the port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        baud: Option<u32>,
    },
    /// Pulls the USB cable out of the board. Without a battery that is also the end of its supply.
    Unplug,
    /// Plugs the USB cable in.
    Plug,
    /// Connects or disconnects a battery pack.
    Battery {
        /// Connects it.
        on: bool,
        /// Its voltage in millivolts, 1000 to 3600, from now on; at first it is 3000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mv: Option<u16>,
    },
    /// Switches all supplies off or on again, whatever is plugged in.
    Power {
        /// On.
        on: bool,
    },
    /// Tells what board it is and how it fares.
    Info,
}

/// What is held against a wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PinSetting {
    /// A wire from the supply.
    High,
    /// A wire from ground.
    Low,
    /// Nothing.
    Released,
    /// A source of so many millivolts.
    Millivolts(u16),
}

/// The answer to an action.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// It is done.
    Done,
    /// What is seen on the display.
    Screen(Rows),
    /// The LEDs that stand alone, in the order of the board file.
    Leds(Vec<LedState>),
    /// The wires, in the order of the board file.
    Pins(Vec<PinState>),
    /// What the target has sent lately.
    Serial(SerialText),
    /// So many bytes of the text were taken; the rest when the interface chip's buffer has room again.
    Sent(usize),
    /// What board it is and how it fares.
    Info(Box<Info>),
    /// What was waited for has happened.
    Met,
    /// The time has passed and what was waited for has not happened.
    NotMet,
    /// Events follow, each with the id of this request.
    Watching,
}

/// The display, top row first: per LED a digit from 0 (dark) to 9.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rows(pub [String; SIZE]);

impl Rows {
    /// The rows of `levels`, each 0 to 9.
    #[must_use]
    pub fn new(levels: [[u8; SIZE]; SIZE]) -> Rows {
        Rows(levels.map(|row| row.iter().map(|level| char::from(b'0' + (*level).min(9))).collect()))
    }
}

/// An LED that stands alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedState {
    /// Its name in the board file.
    pub name: String,
    /// Its colour.
    pub colour: String,
    /// How bright the eye sees it, from 0 (dark) to 9.
    pub level: u8,
    /// The part of the last 61 ms in which it was lit, in thousandths.
    pub permille: u16,
}

/// A wire of the board.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinState {
    /// Its name in the board file.
    pub name: String,
    /// `high`, `low`, or `unknown` if nobody drives it or several fight.
    pub level: String,
}

/// What came over a serial wire.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SerialText {
    /// The last bytes, at most 4096, as text; what is not UTF-8 is replaced.
    pub text: String,
    /// How many bytes there were in all since somebody began to listen.
    pub bytes: u64,
}

/// What board it is and how it fares.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Info {
    /// Short name, from the board file.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// There is power on the board.
    pub powered: bool,
    /// The USB cable is plugged in.
    pub plugged: bool,
    /// A battery is connected.
    pub battery: bool,
    /// The battery's voltage in millivolts, whether it is connected or not.
    #[serde(default)]
    pub battery_mv: u16,
    /// The buttons' names.
    pub buttons: Vec<String>,
    /// The names of those that are held.
    pub pressed: Vec<String>,
    /// What the accelerometer feels now, in thousandths of g, along x, y and z.
    pub acceleration: [i32; 3],
    /// Magnetic field in nanotesla, along x, y and z.
    pub magnetic_field: [i32; 3],
    /// Temperature in degrees Celsius.
    pub celsius: f64,
    /// Light on the display, 0 to 255.
    pub light: u8,
    /// What went wrong with programs, one line each.
    pub incidents: Vec<String>,
    /// What programs asked of the models and these do not have, one line each.
    pub unmodelled: Vec<String>,
}
