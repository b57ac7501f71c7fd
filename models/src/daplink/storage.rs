//! The data file's storage: the upper half of the interface chip's flash, which the target fills over I2C and a host sees
//! as a file on the drive (daplink storage_common.c).
//!
//! Its first page holds the file's name, size, visibility and encoding window; the rest is the file's contents. Bytes in
//! the encoding window appear on the drive as two hexadecimal digits each, so that binary data can stand in a text.

use twinboard_sim::time::{Span, Time};

use super::config::NonVolatile;
use super::drive::volume::{Name, SECTOR, is_valid_name};
use super::faulty::Row;
use super::shared::Core;

/// The key of a page that holds a configuration.
const KEY: u32 = 0x7363_6667;
/// Bytes of a configuration: key, name, visibility, size, start and end of the encoding window.
const RECORD: usize = 28;
/// Extensions that a file may have; another becomes BIN.
const EXTENSIONS: [&[u8; 3]; 5] = [b"BIN", b"TXT", b"CSV", b"HTM", b"WAV"];

/// The flash behind the storage.
#[derive(Debug)]
pub struct StorageTable {
    /// The address of its first byte.
    pub start: u32,
    /// Bytes that are erased at once.
    pub sector: usize,
    /// Sectors of contents; the configuration has one more, before them.
    pub sectors: usize,
    /// Size of the file as long as nobody has said another.
    pub default_size: u32,
    /// Erasing a sector; the CPU stands still meanwhile.
    pub erase: Span,
    /// Writing a word; likewise.
    pub write_word: Span,
}

/// nRF52820 (product specification, NVMC: t_ERASEPAGE and t_WRITE at most), from 0x20000 on.
pub static NRF52820: StorageTable = StorageTable {
    start: 0x2_0000,
    sector: 4096,
    sectors: 31,
    default_size: 30 * 4096,
    erase: Span::us(87_500),
    write_word: Span::ns(42_500),
};

impl StorageTable {
    /// Bytes of contents.
    #[must_use]
    pub fn size(&self) -> usize {
        self.sector * self.sectors
    }

    /// Bytes of flash, with the configuration.
    #[must_use]
    pub fn flash(&self) -> usize {
        self.size() + self.sector
    }
}

/// What the drive shows of the storage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileConfig {
    /// The file's name, as it stands in a directory.
    pub name: Name,
    /// There is a file.
    pub visible: u8,
    /// Its size in bytes, without what the encoding window adds.
    pub size: u32,
    /// The encoding window: first byte, and first byte behind it.
    pub window: (u32, u32),
}

impl FileConfig {
    fn default_of(table: &StorageTable) -> FileConfig {
        FileConfig { name: *b"DATA    BIN", visible: 0, size: table.default_size, window: (0, 0) }
    }

    fn parse(record: &[u8]) -> Option<FileConfig> {
        let word = |at: usize| record.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        (word(0)? == KEY).then_some(())?;
        let name = record.get(4..15)?.try_into().ok()?;
        Some(FileConfig { name, visible: *record.get(15)?, size: word(16)?, window: (word(20)?, word(24)?) })
    }

    fn record(&self) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        record[..4].copy_from_slice(&KEY.to_le_bytes());
        record[4..15].copy_from_slice(&self.name);
        record[15] = self.visible;
        for (at, word) in [(16, self.size), (20, self.window.0), (24, self.window.1)] {
            record[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        record
    }

    /// Bytes that the window adds to the file.
    fn added(&self) -> u32 {
        self.window.1.wrapping_sub(self.window.0)
    }
}

/// The storage as the firmware has it.
#[derive(Debug)]
pub struct Storage {
    table: &'static StorageTable,
    flash: NonVolatile,
    config: FileConfig,
}

impl Storage {
    /// The storage after a start: with the configuration that was written to flash, if one was.
    #[must_use]
    pub fn new(table: &'static StorageTable, flash: &NonVolatile) -> Storage {
        let config = FileConfig::parse(&flash.storage()).unwrap_or(FileConfig::default_of(table));
        Storage { table, flash: flash.clone(), config }
    }

    /// The flash behind it.
    #[must_use]
    pub fn table(&self) -> &'static StorageTable {
        self.table
    }

    /// What the drive is to show.
    #[must_use]
    pub fn config(&self) -> &FileConfig {
        &self.config
    }

    /// Changes the size; false if the storage has less.
    pub fn set_size(&mut self, size: u32) -> bool {
        let fits = size as usize <= self.table.size();
        if fits {
            self.config.size = size;
        }
        fits
    }

    /// Changes the name; false if it is not one in 8.3 form. An extension that is not allowed becomes BIN.
    pub fn set_name(&mut self, name: &Name) -> bool {
        let valid = is_valid_name(name);
        if valid {
            self.config.name = *name;
            if !EXTENSIONS.iter().any(|extension| name[8..] == extension[..]) {
                self.config.name[8..].copy_from_slice(b"BIN");
            }
        }
        valid
    }

    /// Shows the file or hides it.
    pub fn set_visible(&mut self, visible: u8) {
        self.config.visible = u8::from(visible != 0);
    }

    /// Changes the encoding window; false if it ends before it starts.
    pub fn set_window(&mut self, start: u32, end: u32) -> bool {
        let valid = start <= end;
        if valid {
            self.config.window = (start, end);
        }
        valid
    }

    /// Size of the file on the drive.
    #[must_use]
    pub fn file_size(&self) -> u32 {
        self.config.size.wrapping_add(self.config.added())
    }

    /// Copies contents from `at` on; what is behind the end reads as zero. False if `at` itself is.
    pub fn read(&self, at: usize, bytes: &mut [u8]) -> bool {
        let flash = self.flash.storage();
        bytes.fill(0);
        if at >= self.table.size() {
            return false;
        }
        let from = self.table.sector + at;
        let count = bytes.len().min(flash.len().saturating_sub(from));
        bytes[..count].copy_from_slice(&flash[from..from + count]);
        true
    }

    /// Sector number `number` of the file, as the drive shows it. Half bytes in the window are chosen by where they stand
    /// in the sector, as the original does.
    pub fn file_sector(&self, number: u32, sector: &mut [u8; SECTOR]) {
        let flash = self.flash.storage();
        let (start, added) = (u64::from(self.config.window.0), u64::from(self.config.added()));
        let contents = |at: u64| {
            let at = usize::try_from(at).ok().filter(|at| *at < self.table.size());
            at.and_then(|at| flash.get(self.table.sector + at)).copied().unwrap_or(0)
        };
        let first = u64::from(number) * SECTOR as u64;
        for (i, byte) in (0..).zip(sector) {
            let at = first + i;
            *byte = if at < start {
                contents(at)
            } else if at < start + 2 * added {
                let both = contents((at + start) / 2);
                b"0123456789ABCDEF"[usize::from(if i % 2 == 0 { both >> 4 } else { both & 0xF })]
            } else {
                contents(at - added)
            };
        }
    }

    /// Does something to the flash from `at` on.
    fn cells(&self, at: usize, length: usize, f: impl FnOnce(&mut [u8])) {
        if let Some(cells) = self.flash.storage().get_mut(at..).and_then(|rest| rest.get_mut(..length)) {
            f(cells);
        }
    }

    /// Clears the bits that `words` have clear, from `now` on; bytes of an incomplete word are left out. How long it takes.
    fn program(&self, now: Time, at: usize, bytes: &[u8]) -> Span {
        let words = bytes.len() / 4;
        let bytes = &bytes[..words * 4];
        let Some(faults) = self.flash.faults() else {
            self.cells(at, bytes.len(), |cells| cells.iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte));
            return self.table.write_word * words as u64;
        };
        let mut row = Row::words(&faults, now, self.table.start + at as u32, words, self.table.write_word);
        self.cells(at, bytes.len(), |cells| row.write(cells, bytes));
        row.takes
    }
}

/// Erases a sector of flash: the CPU stands still, and so does what an interrupt would do for the I2C bus.
async fn erase(core: &mut Core, at: usize) {
    let Some(storage) = &core.storage else { return };
    let (span, sector) = (storage.table.erase, storage.table.sector);
    let mut row = storage.flash.faults().map(|faults| {
        let start = storage.table.start + at as u32;
        Row::sectors(&faults, core.clock.now(), start..start + sector as u32, sector as u32, span)
    });
    if let Some(row) = row.as_mut().filter(|row| row.is_cut()) {
        storage.cells(at, sector, |cells| row.erase(cells));
    }
    core.io.stall_i2c(true);
    core.work(row.as_ref().map_or(span, |row| row.takes)).await;
    if let Some(storage) = &core.storage {
        storage.cells(at, sector, |cells| match &mut row {
            None => cells.fill(0xFF),
            Some(row) if row.is_cut() => {}
            Some(row) => row.erase(cells),
        });
    }
    core.io.stall_i2c(false);
}

/// Writes contents; false if they do not fit.
pub async fn write(core: &mut Core, at: u32, bytes: &[u8]) -> bool {
    let Some(storage) = &core.storage else { return false };
    if at as usize + bytes.len() > storage.table.size() {
        return false;
    }
    let takes = storage.program(core.clock.now(), storage.table.sector + at as usize, bytes);
    core.work(takes).await;
    true
}

/// Erases the sectors from the one that begins at `first` to the one that begins at `last`; false if they do not begin
/// there, or are none of the storage's.
pub async fn erase_range(core: &mut Core, first: u32, last: u32) -> bool {
    let Some(storage) = &core.storage else { return false };
    let (sector, size) = (storage.table.sector, storage.table.size());
    let (first, last) = (first as usize, last as usize);
    if !first.is_multiple_of(sector) || !last.is_multiple_of(sector) || first > last || last >= size {
        return false;
    }
    for at in (first..=last).step_by(sector) {
        erase(core, sector + at).await;
    }
    true
}

/// Writes the configuration to flash, if another is there.
pub async fn commit(core: &mut Core) {
    let Some(storage) = &core.storage else { return };
    let record = storage.config.record();
    if storage.flash.storage().get(..RECORD) == Some(&record) {
        return;
    }
    erase(core, 0).await;
    if let Some(storage) = &core.storage {
        let takes = storage.program(core.clock.now(), 0, &record);
        core.work(takes).await;
    }
}

/// Erases the configuration, and goes back to the defaults.
pub async fn forget(core: &mut Core) {
    erase(core, 0).await;
    if let Some(storage) = &mut core.storage {
        storage.config = FileConfig::default_of(storage.table);
    }
}

/// Erases everything (ERASE.ACT).
pub async fn wipe(core: &mut Core) {
    let Some(storage) = &core.storage else { return };
    let last = (storage.table.size() - storage.table.sector) as u32;
    forget(core).await;
    erase_range(core, 0, last).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daplink::config::Settings;

    fn storage() -> Storage {
        Storage::new(&NRF52820, &NonVolatile::with_storage(Settings::FACTORY, NRF52820.flash()))
    }

    fn file(storage: &Storage, from: u32, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in from / 512..=(from + count as u32) / 512 {
            let mut sector = [0; SECTOR];
            storage.file_sector(number, &mut sector);
            bytes.extend(sector);
        }
        let skip = from as usize % 512;
        bytes[skip..skip + count].to_vec()
    }

    #[test]
    fn bytes_in_the_encoding_window_appear_as_two_digits_and_move_what_follows() {
        let mut storage = storage();
        let text = b"<html>\x00\x9A\xFF\x10</html>";
        let (head, tail) = text.split_at(6);
        let padded: Vec<u8> = head.iter().copied().chain([b' '; 2]).chain(tail.iter().copied()).chain([0xFF]).collect();
        storage.program(Time::ZERO, NRF52820.sector, &padded);
        assert!(storage.set_window(8, 12) && storage.set_size(20));
        assert_eq!(storage.file_size(), 24);
        assert_eq!(file(&storage, 0, 24), b"<html>  009AFF10</html>\xFF");
    }

    #[test]
    fn the_window_goes_on_over_the_ends_of_sectors() {
        let mut storage = storage();
        let contents: Vec<u8> = (0..2048u32).map(|i| (i * 7) as u8).collect();
        storage.program(Time::ZERO, NRF52820.sector, &contents);
        assert!(storage.set_window(256, 1024));
        let digits: String = contents[256..1024].iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(file(&storage, 256, 1536), digits.as_bytes());
        assert_eq!(file(&storage, 256 + 1536, 512), contents[1024..1536]);
    }

    #[test]
    fn a_configuration_survives_in_flash_and_only_one_with_the_key_counts() {
        let mut storage = storage();
        assert_eq!(*storage.config(), FileConfig::default_of(&NRF52820));
        assert!(storage.set_name(b"MY_DATA HTM"));
        storage.set_visible(7);
        storage.program(Time::ZERO, 0, &storage.config.record());
        let again = Storage::new(&NRF52820, &storage.flash);
        assert_eq!((again.config().name, again.config().visible), (*b"MY_DATA HTM", 1));
        storage.program(Time::ZERO, 0, &[0; 4]);
        assert_eq!(*Storage::new(&NRF52820, &storage.flash).config(), FileConfig::default_of(&NRF52820));
    }

    #[test]
    fn names_are_in_8_3_form_and_other_extensions_become_bin() {
        let mut storage = storage();
        assert!(!storage.set_name(b"my_data htm"));
        assert!(!storage.set_name(b"A/B     HTM"));
        assert!(storage.set_name(b"RUN     EXE"));
        assert_eq!(storage.config().name, *b"RUN     BIN");
    }

    #[test]
    fn what_lies_behind_the_storage_is_zero() {
        let mut storage = storage();
        assert!(!storage.set_size(NRF52820.size() as u32 + 1));
        assert!(!storage.set_window(2, 1));
        assert!(storage.set_window(5, u32::MAX));
        assert_eq!(file(&storage, 4, 2), b"\xFFF");
        let mut sector = [1; SECTOR];
        storage.file_sector(1_000_000, &mut sector);
        assert_eq!(sector[0], b'0', "the window goes on, the storage does not");
        storage.file_sector(u32::MAX, &mut sector);
        assert_eq!(sector[0], 0);
    }

    #[test]
    fn a_word_of_the_storage_may_not_take() {
        use crate::fault::flash::FlashFaults;
        use crate::fault::power::Outage;
        use twinboard_sim::fault::{Fault, Params, Plan, SharedFault};
        let storage = storage();
        let outage = Outage::new(twinboard_sim::board::Stop::default());
        let mut faults = FlashFaults::new("interface", NRF52820.sector as u32, outage);
        let point = crate::fault::point("flash.no-write").expect("a point");
        // The storage's second sector is the first of its contents.
        let plan = Plan { address: Some(0x2_1004..0x2_1008), ..Plan::default() };
        faults.add(SharedFault::new(Fault::new("word", point, Params::default(), plan, 1)));
        storage.flash.set_faults(std::sync::Arc::new(parking_lot::Mutex::new(faults)));
        let span = storage.program(Time::ZERO, NRF52820.sector, &[0x55; 16]);
        assert_eq!(span, NRF52820.write_word * 4);
        let mut found = [0; 16];
        assert!(storage.read(0, &mut found));
        assert_eq!(
            found,
            [0x55, 0x55, 0x55, 0x55, 0xFF, 0xFF, 0xFF, 0xFF, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55]
        );
    }
}
