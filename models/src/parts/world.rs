//! What surrounds a board: what its sensors feel, hear and see.
//!
//! Whoever handles the board (a person at the control socket, a scenario, a test) sets it between two steps of time;
//! the models of sensors read it. Axes are those of the micro:bit's own programs: X to the right, Y towards the edge
//! connector's opposite side, Z out of the face with the LEDs; lying flat with the LEDs up is (0, 0, −1024) there.

use std::sync::Arc;

use parking_lot::Mutex;

/// See the module's documentation.
#[derive(Clone, PartialEq, Debug)]
pub struct World {
    /// Acceleration in thousandths of g, as the board's own programs show it.
    pub acceleration: [i32; 3],
    /// Magnetic field in nanotesla.
    pub magnetic_field: [i32; 3],
    /// Temperature in quarters of a degree Celsius.
    pub temperature: i32,
    /// Light that falls on the board's face, from 0 (dark) to 255.
    pub light: u8,
}

impl Default for World {
    /// Flat on a table at 25 °C, in daylight, in a field of 30 µT northwards (along X) and 40 µT down.
    fn default() -> World {
        World { acceleration: [0, 0, -1_000], magnetic_field: [30_000, 0, -40_000], temperature: 25 * 4, light: 128 }
    }
}

/// A board's surroundings, as all its sensors share them.
pub type SharedWorld = Arc<Mutex<World>>;
