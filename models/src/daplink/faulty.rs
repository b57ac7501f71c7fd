//! Native firmware's own flash while something may go wrong with it (`flash.*` on an interface chip).
//!
//! A row of words or sectors is planned when it begins (how long it takes, how far it comes) and applied to the cells when
//! it ends; or at once, if power is lost meanwhile, for then nobody comes back to do it.

use std::ops::Range;

use twinboard_sim::time::{Span, Time};

use crate::fault::flash::{Begin, SharedFlashFaults, Work};
use crate::nordic::Noise;

/// Words or sectors in a row.
#[derive(Debug)]
pub(super) struct Row {
    faults: SharedFlashFaults,
    start: Time,
    at: u32,
    /// Bytes of each.
    unit: usize,
    /// How many are done completely.
    done: usize,
    /// How long it takes altogether.
    pub takes: Span,
    /// The next one is refused.
    pub refused: bool,
    /// Power is lost half-way through the next one.
    cut: Option<Noise>,
}

impl Row {
    /// `count` words from `at` on, each of which usually takes `usual`.
    pub fn words(faults: &SharedFlashFaults, start: Time, at: u32, count: usize, usual: Span) -> Row {
        Row::plan(faults, start, at..at + 4 * count as u32, 4, usual, |place| Work::Word(place.start))
    }

    /// The sectors of `sector` bytes in `range`, each of which usually takes `usual`.
    pub fn sectors(faults: &SharedFlashFaults, start: Time, range: Range<u32>, sector: u32, usual: Span) -> Row {
        Row::plan(faults, start, range, sector, usual, Work::Erase)
    }

    fn plan(
        faults: &SharedFlashFaults,
        start: Time,
        range: Range<u32>,
        unit: u32,
        usual: Span,
        work: impl Fn(Range<u32>) -> Work,
    ) -> Row {
        let (faults, at) = (faults.clone(), range.start);
        let unit_bytes = unit as usize;
        let mut row =
            Row { faults, start, at, unit: unit_bytes, done: 0, takes: Span::ZERO, refused: false, cut: None };
        for place in range.step_by(unit_bytes) {
            let mut faults = row.faults.lock();
            match faults.begins(start + row.takes, &work(place..place + unit), usual) {
                Begin::Refused => {
                    row.refused = true;
                    break;
                }
                Begin::Takes(span) => row.takes += span,
                Begin::Cut(span) => {
                    row.takes += span;
                    row.cut = faults.take_cut();
                    break;
                }
            }
            row.done += 1;
        }
        row
    }

    /// Power is lost before it ends.
    pub fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    fn end(&self) -> Time {
        self.start + self.takes
    }

    /// Writes `data` into `cells`, which begin where the row does.
    pub fn write(&mut self, cells: &mut [u8], data: &[u8]) {
        let at = self.end();
        for (n, (cells, data)) in cells.chunks_mut(4).zip(data.chunks(4)).enumerate() {
            let (old, wanted) = (word(cells), word(cells) & word(data));
            let new = if n < self.done {
                self.faults.lock().written(at, self.at + 4 * n as u32, old, wanted)
            } else {
                match &mut self.cut {
                    Some(noise) if n == self.done => old & (wanted | noise.next()),
                    _ => return,
                }
            };
            let count = cells.len();
            cells.copy_from_slice(&new.to_le_bytes()[..count]);
        }
    }

    /// Erases the sectors in `cells`, which begin where the row does.
    pub fn erase(&mut self, cells: &mut [u8]) {
        let at = self.end();
        for (n, cells) in cells.chunks_mut(self.unit).enumerate() {
            let start = self.at + (n * self.unit) as u32;
            if n < self.done {
                let old = |address: u32| cells.get((address - start) as usize..).map_or(u32::MAX, word);
                let left = self.faults.lock().erased(at, start..start + cells.len() as u32, old);
                cells.fill(0xff);
                for (address, word) in left {
                    let place = (address - start) as usize;
                    if let Some(place) = cells.get_mut(place..place + 4) {
                        place.copy_from_slice(&word.to_le_bytes());
                    }
                }
            } else {
                match &mut self.cut {
                    Some(noise) if n == self.done => {
                        for cells in cells.chunks_mut(4) {
                            let (count, new) = (cells.len(), word(cells) | noise.next());
                            cells.copy_from_slice(&new.to_le_bytes()[..count]);
                        }
                    }
                    _ => return,
                }
            }
        }
    }
}

/// The word at the beginning of `cells`; what is not there is erased.
fn word(cells: &[u8]) -> u32 {
    let mut bytes = [0xff; 4];
    bytes.iter_mut().zip(cells).for_each(|(byte, cell)| *byte = *cell);
    u32::from_le_bytes(bytes)
}
