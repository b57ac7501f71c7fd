//! The drive: a volume that is computed while it is read, and a programmer behind what is written to it.

pub mod actions;
pub mod hex;
pub mod image;
pub mod mount;
pub mod stream;
pub mod texts;
pub mod transfer;
pub mod volume;

#[cfg(test)]
mod tests;

use super::bootloader::Mode;
use super::error::Error;
use super::msc::scsi::Medium;
use super::shared::{Core, TargetFlash};
use super::storage;
use actions::Action;
use mount::Mount;
use stream::{Format, Progress, Stream};
use transfer::{Sector, Transfer};
use volume::{DirectoryChange, Entry, Name, Place, SECTOR, Volume};

/// A failed assertion of the firmware, kept for ASSERT.TXT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assert {
    /// The source file, as the firmware's build calls it.
    pub file: &'static str,
    /// The line in it.
    pub line: u16,
}

/// A file on the drive, by what is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum File {
    Page,
    Details,
    Fail,
    Assert,
    /// What the target wrote over I2C.
    Data,
}

/// What the firmware has to do after the medium went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AfterTick {
    /// Nothing.
    GoOn,
    /// Restart: into the bootloader, or to come back with the drive or without.
    Restart,
}

/// The drive.
#[derive(Debug)]
pub struct Drive {
    /// Whether there is a medium.
    pub medium: Medium,
    /// The stream to the target; the vendor commands use it too.
    pub stream: Stream,
    volume: Volume,
    files: Vec<File>,
    mount: Mount,
    transfer: Transfer,
    /// The transfer opened the stream and has not closed it.
    streaming: bool,
    fail: Option<Error>,
    assert: Option<Assert>,
    remounts: u32,
    restart: bool,
    /// START_BL.ACT: the bootloader is to stay after the next restart.
    pub hold: bool,
    /// MSD_OFF.CFG: no drive after the next restart.
    pub disabled: bool,
}

impl Drive {
    /// The drive after power-on or a restart; without a medium yet.
    #[must_use]
    pub fn new(core: &Core, disabled: bool) -> Drive {
        let mut drive = Drive {
            medium: Medium::default(),
            stream: Stream::default(),
            volume: Volume::new(&core.config.drive_name),
            files: Vec::new(),
            mount: Mount::default(),
            transfer: Transfer::default(),
            streaming: false,
            fail: None,
            assert: None,
            remounts: 0,
            restart: false,
            hold: false,
            disabled,
        };
        drive.build(core);
        drive
    }

    /// Sectors of the drive.
    #[must_use]
    pub fn sectors(&self) -> u32 {
        Volume::SECTORS
    }

    /// Lays out the volume anew; what was known about a transfer is forgotten.
    fn build(&mut self, core: &Core) {
        self.transfer = Transfer::default();
        self.volume = Volume::new(&core.config.drive_name);
        self.files.clear();
        let fail = self.fail.map(|_| (b"FAIL    TXT", Entry::READ_ONLY, File::Fail));
        let assert = self.assert.map(|_| (b"ASSERT  TXT", 0, File::Assert));
        let page: &Name = match core.config.mode {
            Mode::Interface => b"MICROBITHTM",
            Mode::Bootloader => b"HELP_FAQHTM",
        };
        let always: [(&Name, u8, File); 2] =
            [(page, Entry::READ_ONLY, File::Page), (b"DETAILS TXT", Entry::READ_ONLY, File::Details)];
        for (name, attributes, file) in always.into_iter().chain(fail).chain(assert) {
            let size = self.contents(core, file).len() as u32;
            self.volume.add(name, attributes, size);
            self.files.push(file);
        }
        if let Some(storage) = core.storage.as_ref().filter(|storage| storage.config().visible != 0) {
            self.volume.add(&storage.config().name, Entry::READ_ONLY, storage.file_size());
            self.files.push(File::Data);
        }
    }

    fn contents(&self, core: &Core, file: File) -> String {
        match file {
            File::Page => texts::microbit_htm(&core.config),
            File::Details => texts::details_txt(
                &core.config,
                &texts::Details {
                    serial: &core.serial,
                    settings: core.settings.settings(),
                    page_erase: core.page_erase_shown,
                    remounts: self.remounts,
                    interface: match core.config.mode {
                        Mode::Interface => Some((core.config.version.into(), core.config.interface_crc)),
                        Mode::Bootloader => core.settings.with_interface(|flash| flash.version(&core.config)),
                    },
                },
            ),
            File::Fail => self.fail.map(|error| core.config.personality().errors.fail_txt(error)).unwrap_or_default(),
            File::Assert => {
                self.assert.as_ref().map(|assert| texts::assert_txt(assert, core.config.mode)).unwrap_or_default()
            }
            File::Data => String::new(),
        }
    }

    /// Mounts the drive again, as soon as the host is quiet.
    pub fn remount(&mut self) {
        self.mount.remount();
    }

    /// Reads sector `lba`.
    pub fn read(&mut self, core: &mut Core, lba: u32, sector: &mut [u8; SECTOR]) {
        core.lamp.blink();
        let Place::File(number, offset) = self.volume.place(lba) else {
            self.volume.read(lba, sector);
            return;
        };
        if let (File::Data, Some(storage)) = (self.files[number], &core.storage) {
            return storage.file_sector(offset, sector);
        }
        sector.fill(0);
        let contents = self.contents(core, self.files[number]);
        let rest = contents.as_bytes().get(offset as usize * SECTOR..).unwrap_or(&[]);
        let count = rest.len().min(SECTOR);
        sector[..count].copy_from_slice(&rest[..count]);
    }

    /// Takes sector `lba`; returns when the target has what was in it.
    pub async fn write<F: TargetFlash>(&mut self, core: &mut Core, flash: &mut F, lba: u32, sector: &[u8; SECTOR]) {
        self.mount.busy();
        if self.transfer.state() == transfer::State::Finished {
            return;
        }
        core.lamp.blink();
        if let Place::Directory(index) = self.volume.place(lba) {
            for change in self.volume.write_directory(index, sector) {
                self.directory_changed(core, flash, &change).await;
            }
        }
        // Every sector may hold the file, whatever it is for; the original does not exclude its own.
        if self.transfer.state() != transfer::State::Finished {
            self.data(core, flash, lba, sector).await;
        }
    }

    /// 90 ms have passed.
    pub async fn tick<F: TargetFlash>(&mut self, core: &mut Core, flash: &mut F) -> AfterTick {
        if let Some(assert) = core.failed_assertion.take() {
            self.assertion_failed(assert);
        }
        let Some((left, entered)) = self.mount.tick(self.transfer.patience()) else { return AfterTick::GoOn };
        if left == mount::State::Connected {
            if self.transfer.state() != transfer::State::Finished {
                let result = self.transfer.time_out();
                self.finish(core, flash, result).await;
            }
            // The bootloader goes on to what it has programmed, and to what was there if nothing was.
            if self.restart || core.config.mode == Mode::Bootloader && self.fail.is_none() {
                return AfterTick::Restart;
            }
            self.remounts += 1;
        }
        self.medium.ready = entered == mount::State::Connected;
        if self.medium.ready {
            self.build(core);
            let table = core.config.personality();
            if let Some(error) = self.fail
                && table.flash.shows_errors
                && core.config.mode == Mode::Interface
            {
                // The display shows 500 + code; if even that fails, there is nobody left to tell.
                let _ = flash.show_number(core, 500 + u16::from(table.errors.code(error))).await;
            }
        }
        AfterTick::GoOn
    }

    async fn directory_changed<F: TargetFlash>(&mut self, core: &mut Core, flash: &mut F, change: &DirectoryChange) {
        if core.io.button() || core.settings.settings().automation_allowed {
            if change.is_creation() {
                self.act(core, flash, &change.new.name()).await;
            } else if change.is_deletion() && change.old.name() == *b"ASSERT  TXT" {
                self.assert = None;
                self.mount.remount();
            }
        }
        if self.transfer.state() == transfer::State::Finished {
            return;
        }
        let format = format_of(&change.new.name());
        if self.transfer.is_file(change.slot) {
            let result = self.transfer.file_info(change.slot, &change.new, format);
            self.update(core, flash, result).await;
        }
        if self.transfer.state() == transfer::State::Finished {
            return;
        }
        // macOS keeps its notes about a file in a hidden one with the same extension.
        let is_hidden = change.new.attributes() & Entry::HIDDEN != 0;
        if change.is_creation() && format.is_some() && !is_hidden {
            let result = self.transfer.file_info(change.slot, &change.new, format);
            self.update(core, flash, result).await;
        } else if change.is_deletion() && self.transfer.is_file(change.slot) && self.transfer.deleted() {
            self.mount.abort_remount();
        }
    }

    /// Whether ASSERT.TXT tells of an assertion that failed.
    #[must_use]
    pub fn has_assert(&self) -> bool {
        self.assert.is_some()
    }

    /// An assertion of the firmware failed; the first one counts until ASSERT.TXT is deleted.
    pub fn assertion_failed(&mut self, assert: Assert) {
        if self.assert.is_none() {
            self.assert = Some(assert);
            self.mount.remount();
        }
    }

    async fn act<F: TargetFlash>(&mut self, core: &mut Core, flash: &mut F, name: &Name) {
        let personality = core.config.personality();
        let table = &personality.drive;
        let actions = match core.config.mode {
            Mode::Interface => table.actions,
            Mode::Bootloader => personality.bootloader.actions,
        };
        let Some(action) = Action::of(name, actions) else { return };
        match action {
            Action::StartBootloader => (self.restart, self.hold) = (true, true),
            Action::Assert => return self.assertion_failed(table.test_assert),
            Action::Refresh => {}
            Action::Erase => {
                storage::wipe(core).await;
                // The original does not look at the result either.
                let _ = flash.erase_chip(core).await;
            }
            Action::AutoReset(on) => core.settings.change(|s| s.auto_reset = on),
            Action::Automation(on) => core.settings.change(|s| s.automation_allowed = on),
            Action::Overflow(on) => core.settings.change(|s| s.overflow_detect = on),
            Action::Drive(on) => {
                self.disabled = !on;
                self.restart |= !on;
            }
            Action::Compatibility(on) => core.settings.change(|s| s.detect_incompatible = on),
            Action::PageErase(on) => core.page_erase_shown = on,
        }
        self.mount.remount();
    }

    /// A sector of what may be file data.
    async fn data<F: TargetFlash>(&mut self, core: &mut Core, flash: &mut F, lba: u32, sector: &[u8; SECTOR]) {
        if !self.transfer.started() {
            let Some(format) = Format::detect(sector, &core.config) else { return };
            let mut result = self.transfer.stream_begins(lba, format);
            if result.is_ok() {
                result = self.stream.open(&core.config, format);
                self.streaming = result.is_ok();
            }
            let failed = result.is_err();
            self.update(core, flash, result).await;
            if failed {
                return;
            }
        }
        let bytes = SECTOR as u32;
        match self.transfer.sector(lba, bytes) {
            Sector::Ignored => {}
            Sector::AfterEnd => self.update(core, flash, Ok(())).await,
            Sector::Stream => {
                core.work(core.config.personality().timing.image_sector).await;
                let mut result = self.stream.write(core, flash, sector).await;
                if let Ok(progress) = result {
                    self.transfer.stream_took(bytes, progress != Progress::Continue, progress == Progress::Ended);
                }
                if result == Ok(Progress::Ended) {
                    self.streaming = false;
                    result = self.stream.close(core, flash).await.map(|()| Progress::Ended);
                }
                self.update(core, flash, result.map(drop)).await;
            }
        }
    }

    /// Judges the transfer anew, and asks for a remount: the host should see what came of it.
    async fn update<F: TargetFlash>(&mut self, core: &mut Core, flash: &mut F, result: Result<(), Error>) {
        match result {
            Ok(()) => self.transfer.update(),
            Err(_) => self.transfer.fail(),
        }
        if self.transfer.state() == transfer::State::Finished {
            self.finish(core, flash, result).await;
        }
        self.mount.remount();
    }

    /// Closes the stream if it is still open, and keeps the verdict.
    async fn finish<F: TargetFlash>(&mut self, core: &mut Core, flash: &mut F, mut result: Result<(), Error>) {
        if std::mem::take(&mut self.streaming) {
            let closed = self.stream.close(core, flash).await;
            result = result.and(closed);
        }
        self.fail = result.err();
    }
}

/// The kind of file that a name's extension promises.
fn format_of(name: &Name) -> Option<Format> {
    match &name[8..] {
        b"HEX" => Some(Format::Hex),
        b"BIN" => Some(Format::Binary),
        _ => None,
    }
}
