//! What surrounds a board: how it is held, and what its sensors feel, hear and see.
//!
//! Whoever handles the board (a person at the control socket, a scenario, a test) sets it between two steps of time; the
//! models of sensors read it, each at its own time. What changes over time (a gesture, a sound) is a function of virtual
//! time from the moment it begins.
//!
//! **Axes** are those in which the board's own programs show their readings. Seen from the face with the LEDs, X points to
//! the left, Y up to the logo, Z out of the back. Acceleration is what an accelerometer feels, which at rest is the push
//! of the table, against gravity: face up on a table it is (0, 0, −1000), tilted right x becomes positive, with the logo
//! up y becomes positive. A magnetic field that points to the logo is y, so that a compass shows 0°.

use std::f64::consts::PI;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::time::{Span, Time};

use super::sound::Sound;

/// Three axes; see the module's documentation.
pub type Axes = [i32; 3];

/// The earth's field in central Europe, in nanotesla: its horizontal part, and the part that points down.
pub const EARTH_FIELD: (i32, i32) = (20_000, 44_000);

/// How a board is held, in degrees.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Attitude {
    /// Clockwise from magnetic north to where the logo points.
    pub bearing: f64,
    /// The logo's end is lifted: 90 is upright, with the logo up.
    pub pitch: f64,
    /// The right edge is lowered: 90 is upright on the right edge, 180 is face down.
    pub roll: f64,
}

impl Attitude {
    /// What an accelerometer feels at rest, in thousandths of g.
    #[must_use]
    pub fn acceleration(self) -> Axes {
        let (pitch, roll) = (self.pitch.to_radians(), self.roll.to_radians());
        let push = [pitch.cos() * roll.sin(), pitch.sin(), -pitch.cos() * roll.cos()];
        push.map(|part| (1_000.0 * part).round() as i32)
    }

    /// The magnetic field, in nanotesla, where it is `horizontal` and `down`.
    #[must_use]
    pub fn field(self, horizontal: i32, down: i32) -> Axes {
        let [yaw, pitch, roll] = [self.bearing, self.pitch, self.roll].map(f64::to_radians);
        let (horizontal, down) = (f64::from(horizontal), f64::from(down));
        let left = horizontal * (roll.cos() * yaw.sin() - roll.sin() * pitch.sin() * yaw.cos())
            - down * roll.sin() * pitch.cos();
        let logo = horizontal * pitch.cos() * yaw.cos() - down * pitch.sin();
        let back = horizontal * (roll.cos() * pitch.sin() * yaw.cos() + roll.sin() * yaw.sin())
            + down * roll.cos() * pitch.cos();
        [left, logo, back].map(|part| part.round() as i32)
    }
}

/// What one does to a board so that its program sees a gesture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gesture {
    /// Held upright, the logo up.
    Up,
    /// Held upright, the logo down.
    Down,
    /// Held on its left edge.
    Left,
    /// Held on its right edge.
    Right,
    /// Laid down, the LEDs up.
    FaceUp,
    /// Laid down, the LEDs down.
    FaceDown,
    /// Dropped: it falls for half a second.
    FreeFall,
    /// Shaken from left to right, five times in a second, with 2 g.
    Shake,
    /// Knocked: a tenth of a second with so many thousandths of g more than at rest, along Z.
    Knock(u16),
}

impl Gesture {
    /// The gesture as programs name it: `up`, `down`, `left`, `right`, `face up`, `face down`, `freefall`, `shake`, `3g`,
    /// `6g` or `8g`.
    #[must_use]
    pub fn named(name: &str) -> Option<Gesture> {
        Some(match name {
            "up" => Gesture::Up,
            "down" => Gesture::Down,
            "left" => Gesture::Left,
            "right" => Gesture::Right,
            "face up" => Gesture::FaceUp,
            "face down" => Gesture::FaceDown,
            "freefall" => Gesture::FreeFall,
            "shake" => Gesture::Shake,
            "3g" => Gesture::Knock(3_500),
            "6g" => Gesture::Knock(6_500),
            "8g" => Gesture::Knock(9_000),
            _ => return None,
        })
    }

    /// Pitch and roll of a gesture that is a way to hold the board.
    fn pose(self) -> Option<(f64, f64)> {
        Some(match self {
            Gesture::Up => (90.0, 0.0),
            Gesture::Down => (-90.0, 0.0),
            Gesture::Left => (0.0, -90.0),
            Gesture::Right => (0.0, 90.0),
            Gesture::FaceUp => (0.0, 0.0),
            Gesture::FaceDown => (0.0, 180.0),
            Gesture::FreeFall | Gesture::Shake | Gesture::Knock(_) => return None,
        })
    }

    /// How long a gesture that is a movement takes.
    fn duration(self) -> Span {
        match self {
            Gesture::FreeFall => Span::ms(500),
            Gesture::Shake => Span::ms(1_000),
            Gesture::Knock(_) => Span::ms(100),
            _ => Span(0),
        }
    }

    /// What is felt so long after the beginning of the movement, where `rest` is felt at rest.
    fn acceleration(self, rest: Axes, elapsed: Span) -> Axes {
        match self {
            _ if elapsed >= self.duration() => rest,
            Gesture::FreeFall => [0; 3],
            Gesture::Knock(force) => [rest[0], rest[1], rest[2] - i32::from(force)],
            Gesture::Shake => {
                // A triangle between ±2 g with a period of 200 ms.
                let phase = (elapsed.0 % Span::ms(200).0 / 1_000_000_000) as i32;
                let swing = if phase < 100 { 50 - phase } else { phase - 150 };
                [rest[0] + 40 * swing, rest[1], rest[2]]
            }
            _ => rest,
        }
    }
}

/// See the module's documentation.
#[derive(Clone, PartialEq, Debug)]
pub struct World {
    /// Acceleration at rest in thousandths of g; [`World::acceleration_at`] has movements in it.
    pub acceleration: Axes,
    /// Magnetic field in nanotesla.
    pub magnetic_field: Axes,
    /// Temperature in quarters of a degree Celsius.
    pub temperature: i32,
    /// Light that falls on the board's face, from 0 (dark) to 255.
    pub light: u8,
    /// What the microphone hears, and since when.
    sound: Option<(Arc<Sound>, Time)>,
    attitude: Attitude,
    movement: Option<(Gesture, Time)>,
}

impl Default for World {
    /// Flat on a table at 25 °C with the logo to the north, in daylight and silence.
    fn default() -> World {
        let mut world = World {
            acceleration: [0; 3],
            magnetic_field: [0; 3],
            temperature: 25 * 4,
            light: 128,
            sound: None,
            attitude: Attitude::default(),
            movement: None,
        };
        world.hold(Attitude::default());
        world
    }
}

impl World {
    /// How the board is held, as [`World::hold`] was told last.
    #[must_use]
    pub fn attitude(&self) -> Attitude {
        self.attitude
    }

    /// Holds the board so, at rest: sets [`World::acceleration`] and, in the earth's field, [`World::magnetic_field`].
    pub fn hold(&mut self, attitude: Attitude) {
        let (horizontal, down) = EARTH_FIELD;
        self.attitude = attitude;
        self.acceleration = attitude.acceleration();
        self.magnetic_field = attitude.field(horizontal, down);
    }

    /// Turns the board so that its logo points `bearing` degrees clockwise from magnetic north.
    pub fn turn(&mut self, bearing: f64) {
        self.hold(Attitude { bearing, ..self.attitude });
    }

    /// Makes a gesture that begins at `now`. A pose stays; after a movement the board is at rest as before.
    pub fn make(&mut self, gesture: Gesture, now: Time) {
        match gesture.pose() {
            Some((pitch, roll)) => self.hold(Attitude { pitch, roll, ..self.attitude }),
            None => self.movement = Some((gesture, now)),
        }
    }

    /// What an accelerometer feels at `now`, in thousandths of g.
    #[must_use]
    pub fn acceleration_at(&self, now: Time) -> Axes {
        match self.movement {
            Some((gesture, since)) if now >= since => gesture.acceleration(self.acceleration, now.since(since)),
            _ => self.acceleration,
        }
    }

    /// Plays `sound` to the microphone from `now` on; `None` is silence.
    pub fn hear(&mut self, sound: Option<Arc<Sound>>, now: Time) {
        self.sound = sound.map(|sound| (sound, now));
    }

    /// The sound at `now`, from −32768 to 32767; 0 is silence.
    #[must_use]
    pub fn sound_at(&self, now: Time) -> i16 {
        match &self.sound {
            Some((sound, since)) if now >= *since => sound.at(now.since(*since)),
            _ => 0,
        }
    }
}

/// A board's surroundings, as all its sensors share them.
pub type SharedWorld = Arc<Mutex<World>>;

/// The angle from magnetic north to the logo of a board that lies flat in this field, in degrees from 0 to 360.
#[must_use]
pub fn bearing_of(field: Axes) -> f64 {
    let degrees = f64::from(field[0]).atan2(f64::from(field[1])) * 180.0 / PI;
    if degrees < 0.0 { degrees + 360.0 } else { degrees }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::ms(ms)
    }

    #[test]
    fn poses_push_along_the_axes_that_programs_name_them_by() {
        let mut world = World::default();
        let poses = [
            (Gesture::FaceUp, [0, 0, -1_000]),
            (Gesture::FaceDown, [0, 0, 1_000]),
            (Gesture::Left, [-1_000, 0, 0]),
            (Gesture::Right, [1_000, 0, 0]),
            (Gesture::Up, [0, 1_000, 0]),
            (Gesture::Down, [0, -1_000, 0]),
        ];
        for (gesture, acceleration) in poses {
            world.make(gesture, at(0));
            assert_eq!(world.acceleration_at(at(1)), acceleration, "{gesture:?}");
        }
    }

    #[test]
    fn the_horizontal_field_turns_against_the_board() {
        let mut world = World::default();
        for bearing in [0.0, 45.0, 90.0, 180.0, 300.0] {
            world.turn(bearing);
            assert!((bearing_of(world.magnetic_field) - bearing).abs() < 0.1, "{bearing}");
            assert_eq!(world.magnetic_field[2], EARTH_FIELD.1, "face up, down is out of the back");
        }
    }

    #[test]
    fn the_fields_strength_and_its_angle_to_gravity_are_the_same_however_the_board_is_held() {
        let (horizontal, down) = EARTH_FIELD;
        let strength = f64::from(horizontal).hypot(f64::from(down));
        for (bearing, pitch, roll) in [(10.0, 20.0, 30.0), (200.0, -70.0, 110.0), (359.0, 90.0, -45.0)] {
            let attitude = Attitude { bearing, pitch, roll };
            let [field, push] = [attitude.field(horizontal, down), attitude.acceleration()].map(|v| v.map(f64::from));
            let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
            assert!((dot(field, field).sqrt() - strength).abs() < 2.0);
            // The push of the hand is 1 g upwards, the field points down.
            assert!((dot(field, push) / 1_000.0 + f64::from(down)).abs() < 60.0, "{attitude:?}");
        }
    }

    #[test]
    fn a_shake_swings_by_2_g_and_ends_at_rest() {
        let mut world = World::default();
        world.make(Gesture::Shake, at(1_000));
        assert_eq!(world.acceleration_at(at(999)), [0, 0, -1_000]);
        let swings: Vec<_> = [0, 50, 100, 150, 200].map(|ms| world.acceleration_at(at(1_000 + ms))[0]).into();
        assert_eq!(swings, [2_000, 0, -2_000, 0, 2_000]);
        assert_eq!(world.acceleration_at(at(2_000)), [0, 0, -1_000]);
    }

    #[test]
    fn a_board_that_falls_feels_nothing_for_half_a_second() {
        let mut world = World::default();
        world.make(Gesture::FreeFall, at(10));
        assert_eq!((world.acceleration_at(at(10)), world.acceleration_at(at(509))), ([0; 3], [0; 3]));
        assert_eq!(world.acceleration_at(at(510)), [0, 0, -1_000]);
    }
}
