//! The 5×5 LED picture of the micro:bit, as the eye sees it.
//!
//! The LEDs sit in a matrix, which on V2 is the picture and on V1 has three rows and nine columns. An LED is lit while
//! its row is driven high and its column is driven low. The program lights one row after the other,
//! each for a few milliseconds, and sets the brightness of an LED by how long its column is low in that time. The eye
//! sees the average. So does this part: it adds up for each LED how long it was lit in the last moments, three whole
//! turns of the display drivers: 50 ms on V2 (60 Hz), 54 ms on V1 (three rows of 6 ms).

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::time::Time;
use twinboard_sim::wire::{Drive, Edge, PinId, Signal};

use super::PinObserver;

/// Lines of the picture, and LEDs in each.
pub const SIZE: usize = 5;
/// The most rows, and columns, of a matrix.
pub const MAX_LINES: usize = 16;

/// For each LED of the picture, by line and place in it, its row and column in the matrix, from 0.
pub type Picture = [[(u8, u8); SIZE]; SIZE];

/// The picture of a matrix whose rows are the lines.
pub const STRAIGHT: Picture = {
    let mut picture = [[(0, 0); SIZE]; SIZE];
    let mut n = 0;
    while n < SIZE * SIZE {
        picture[n / SIZE][n % SIZE] = ((n / SIZE) as u8, (n % SIZE) as u8);
        n += 1;
    }
    picture
};

/// Picoseconds in a bin, over which lit time is added up.
const BIN: u64 = 1_000_000_000;
/// The longest window that can be averaged over, in bins.
pub const MAX_WINDOW: u64 = 200;
/// The window that is averaged over unless the board says otherwise, in bins.
pub const WINDOW: u64 = 50;

/// Lit time, in millionths of the most that one row of all can have, from which an LED is seen as brightness 1, 2, … 9:
/// ((n − ½) / 9)^2.2, as the eye's response is about the 2.2nd root of the light.
const THRESHOLDS: [u64; 9] = [1_733, 19_412, 59_722, 125_203, 217_638, 338_426, 488_737, 669_578, 881_836];

/// What the eye sees of an LED that was lit for `lit` of `full`: 0 (dark) to 9.
pub(super) fn seen(lit: u64, full: u64) -> u8 {
    THRESHOLDS.iter().filter(|&&threshold| lit * 1_000_000 >= threshold * full).count() as u8
}

/// The matrix, fed with what the pins do.
#[derive(Debug)]
pub struct LedMatrix {
    rows: Vec<PinId>,
    columns: Vec<PinId>,
    picture: Picture,
    rows_high: u16,
    columns_low: u16,
    /// Lit time is added up until here, in ps.
    since: u64,
    /// Picoseconds lit, by bin, line and place.
    lit: Vec<[[u32; SIZE]; SIZE]>,
}

impl LedMatrix {
    /// A dark matrix on these pins, at most [`MAX_LINES`] rows and columns.
    #[must_use]
    pub fn new(rows: Vec<PinId>, columns: Vec<PinId>, picture: Picture) -> LedMatrix {
        LedMatrix {
            rows,
            columns,
            picture,
            rows_high: 0,
            columns_low: 0,
            since: 0,
            lit: vec![[[0; SIZE]; SIZE]; WINDOW as usize + 1],
        }
    }

    /// The same matrix, seen by an eye that averages over `window` milliseconds (at most [`MAX_WINDOW`]).
    #[must_use]
    pub fn averaged_over(self, window: u64) -> LedMatrix {
        let window = window.clamp(1, MAX_WINDOW);
        LedMatrix { lit: vec![[[0; SIZE]; SIZE]; window as usize + 1], ..self }
    }

    /// Bins: the window, and the one that is being filled.
    fn bins(&self) -> u64 {
        self.lit.len() as u64
    }

    /// A pin did something; pins that are not the matrix's are ignored.
    pub fn edge(&mut self, edge: &Edge) {
        let Signal::Drive(drive) = edge.signal else { return };
        let set = |mask: &mut u16, n: usize, on: bool| *mask = *mask & !(1 << n) | u16::from(on) << n;
        if let Some(row) = self.rows.iter().position(|pin| *pin == edge.pin) {
            self.pass(edge.at);
            set(&mut self.rows_high, row, drive == Drive::High);
        } else if let Some(column) = self.columns.iter().position(|pin| *pin == edge.pin) {
            self.pass(edge.at);
            set(&mut self.columns_low, column, drive == Drive::Low);
        }
    }

    /// The power goes away: all pins are released.
    pub fn power_off(&mut self, at: Time) {
        self.pass(at);
        (self.rows_high, self.columns_low) = (0, 0);
    }

    /// The brightness of each LED at `at`, 0 (dark) to 9, by line and place.
    pub fn brightness(&mut self, at: Time) -> [[u8; SIZE]; SIZE] {
        self.pass(at);
        let filling = (self.since / BIN % self.bins()) as usize;
        let full = (self.bins() - 1) * BIN / self.rows.len().max(1) as u64;
        std::array::from_fn(|row| {
            std::array::from_fn(|column| {
                let bins = self.lit.iter().enumerate().filter(|(bin, _)| *bin != filling);
                let lit: u64 = bins.map(|(_, leds)| u64::from(leds[row][column])).sum();
                seen(lit, full)
            })
        })
    }

    /// The picture at `at`: five lines of five digits.
    pub fn text(&mut self, at: Time) -> String {
        let line = |row: [u8; SIZE]| row.map(|level| char::from(b'0' + level)).iter().collect::<String>() + "\n";
        self.brightness(at).map(line).concat()
    }

    /// Adds up lit time until `at`. The bin of the present is always clean from its beginning.
    fn pass(&mut self, at: Time) {
        let (until, bins) = (at.0, self.bins());
        if until.saturating_sub(self.since) > bins * BIN {
            // What is older than the window does not matter any more.
            self.since = until - bins * BIN;
            self.lit[(self.since / BIN % bins) as usize] = [[0; SIZE]; SIZE];
        }
        while self.since < until {
            let bin = self.since / BIN;
            let end = until.min((bin + 1) * BIN);
            let span = (end - self.since) as u32;
            if self.rows_high != 0 && self.columns_low != 0 {
                let leds = self.lit[(bin % bins) as usize].iter_mut().flatten();
                for (led, (row, column)) in leds.zip(self.picture.iter().flatten()) {
                    *led += span * u32::from(self.rows_high >> row & self.columns_low >> column & 1);
                }
            }
            if end == (bin + 1) * BIN {
                self.lit[((bin + 1) % bins) as usize] = [[0; SIZE]; SIZE];
            }
            self.since = end;
        }
    }
}

/// A matrix that a chip's thread feeds and others look at. Clones are the same matrix.
#[derive(Clone, Debug)]
pub struct SharedLedMatrix(Arc<Mutex<LedMatrix>>);

impl SharedLedMatrix {
    /// Shares `matrix`.
    #[must_use]
    pub fn new(matrix: LedMatrix) -> SharedLedMatrix {
        SharedLedMatrix(Arc::new(Mutex::new(matrix)))
    }

    /// The brightness of each LED at `at`; see [`LedMatrix::brightness`].
    #[must_use]
    pub fn brightness(&self, at: Time) -> [[u8; SIZE]; SIZE] {
        self.0.lock().brightness(at)
    }

    /// The picture at `at`; see [`LedMatrix::text`].
    #[must_use]
    pub fn text(&self, at: Time) -> String {
        self.0.lock().text(at)
    }

    /// The power goes away; see [`LedMatrix::power_off`].
    pub fn power_off(&self, at: Time) {
        self.0.lock().power_off(at);
    }
}

impl PinObserver for SharedLedMatrix {
    fn watches(&self, pin: PinId) -> bool {
        let matrix = self.0.lock();
        matrix.rows.contains(&pin) || matrix.columns.contains(&pin)
    }

    fn edge(&mut self, edge: &Edge) {
        self.0.lock().edge(edge);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROWS: [PinId; 5] = [PinId(21), PinId(22), PinId(15), PinId(24), PinId(19)];
    const COLUMNS: [PinId; 5] = [PinId(28), PinId(11), PinId(31), PinId(37), PinId(30)];

    fn matrix() -> LedMatrix {
        LedMatrix::new(ROWS.to_vec(), COLUMNS.to_vec(), STRAIGHT)
    }

    fn put(matrix: &mut LedMatrix, us: u64, pin: PinId, drive: Drive) {
        matrix.edge(&Edge { at: Time(us * 1_000_000), pin, signal: Signal::Drive(drive) });
    }

    fn ms(ms: u64) -> Time {
        Time(ms * BIN)
    }

    /// Shows `picture` (percent of a row's strobe of 3333 µs) as the micro:bit's display driver does, from `start` ms on.
    fn strobe(matrix: &mut LedMatrix, picture: [[u64; 5]; 5], strobes: u64) {
        for n in 0..strobes {
            let (start, row) = (n * 10_000 / 3, (n % 5) as usize);
            put(matrix, start, ROWS[(row + 4) % 5], Drive::Low);
            put(matrix, start, ROWS[row], Drive::High);
            let mut edges: Vec<_> = (0..5).map(|c| (start + 3_333 * picture[row][c] / 100, COLUMNS[c])).collect();
            edges.sort_unstable();
            for (column, &percent) in picture[row].iter().enumerate() {
                put(matrix, start, COLUMNS[column], if percent > 0 { Drive::Low } else { Drive::High });
            }
            for (at, pin) in edges {
                put(matrix, at, pin, Drive::High);
            }
        }
    }

    #[test]
    fn a_full_strobe_is_9_and_none_is_0() {
        let mut matrix = matrix();
        let heart = ["01010", "11111", "11111", "01110", "00100"];
        let picture = heart.map(|row| std::array::from_fn(|c| if row.as_bytes()[c] == b'1' { 100 } else { 0 }));
        strobe(&mut matrix, picture, 60);
        assert_eq!(matrix.text(ms(199)), "09090\n99999\n99999\n09990\n00900\n");
    }

    #[test]
    fn the_eye_sees_27_percent_of_a_strobe_as_half_bright() {
        let mut matrix = matrix();
        strobe(&mut matrix, [[27; 5]; 5], 60);
        assert_eq!(matrix.brightness(ms(199)), [[5; 5]; 5]);
    }

    #[test]
    fn a_picture_may_be_scattered_over_the_matrix_and_a_row_of_two_may_be_lit_half_the_time() {
        let mut picture = STRAIGHT;
        (picture[0][0], picture[4][4]) = ((1, 8), (0, 0));
        let columns: Vec<_> = (20..29).map(PinId).collect();
        let mut matrix = LedMatrix::new(vec![PinId(1), PinId(2)], columns, picture);
        put(&mut matrix, 0, PinId(28), Drive::Low);
        for start in (0..100_000).step_by(10_000) {
            put(&mut matrix, start, PinId(2), Drive::High);
            put(&mut matrix, start + 5_000, PinId(2), Drive::Low);
        }
        assert_eq!(matrix.text(ms(100)), "90000\n00000\n00000\n00000\n00000\n");
    }

    #[test]
    fn a_window_of_three_turns_sees_the_same_from_every_moment() {
        let mut matrix = matrix().averaged_over(54);
        put(&mut matrix, 0, COLUMNS[0], Drive::Low);
        let mut seen = Vec::new();
        for turn in 0..20 {
            put(&mut matrix, 18_000 * turn, ROWS[0], Drive::High);
            put(&mut matrix, 18_000 * turn + 3_600, ROWS[0], Drive::Low);
            seen.extend((1..14).map(|n| matrix.brightness(ms(18 * turn + 4 + n))[0][0]));
        }
        assert!(seen[3 * 13..].iter().all(|&level| level == 9), "{seen:?}");
    }

    #[test]
    fn a_lamp_needs_both_a_high_row_and_a_low_column() {
        let mut matrix = matrix();
        put(&mut matrix, 0, ROWS[2], Drive::High);
        put(&mut matrix, 0, COLUMNS[1], Drive::Low);
        put(&mut matrix, 0, COLUMNS[0], Drive::PullDown);
        assert_eq!(matrix.text(ms(60)), "00000\n00000\n09000\n00000\n00000\n");
        put(&mut matrix, 60_000, ROWS[2], Drive::Released);
        assert_eq!(matrix.text(ms(111)), "00000\n".repeat(5));
    }

    #[test]
    fn what_was_lit_longer_ago_than_the_window_is_dark_even_if_nothing_happened_since() {
        let mut matrix = matrix();
        put(&mut matrix, 0, ROWS[0], Drive::High);
        put(&mut matrix, 0, COLUMNS[0], Drive::Low);
        matrix.power_off(ms(30));
        assert_eq!(matrix.brightness(ms(60))[0][0], 9);
        assert_eq!(matrix.brightness(ms(5_000))[0][0], 0);
    }

    proptest! {
        #[test]
        fn looking_in_between_does_not_change_the_picture(
            changes in prop::collection::vec((0u64..200_000, 0usize..10, any::<bool>()), 0..60),
            looks in prop::collection::vec(0u64..200_000, 0..20),
        ) {
            let mut changes = changes;
            changes.sort_unstable();
            let (mut watched, mut alone) = (matrix(), matrix());
            let mut looks: Vec<u64> = looks;
            looks.sort_unstable();
            let mut looks = looks.into_iter().peekable();
            for (us, pin, high) in changes {
                while let Some(look) = looks.next_if(|&look| look <= us) {
                    watched.brightness(Time(look * 1_000_000));
                }
                let pin = if pin < 5 { ROWS[pin] } else { COLUMNS[pin - 5] };
                let drive = if high { Drive::High } else { Drive::Low };
                put(&mut watched, us, pin, drive);
                put(&mut alone, us, pin, drive);
            }
            prop_assert_eq!(watched.brightness(ms(210)), alone.brightness(ms(210)));
        }
    }
}
