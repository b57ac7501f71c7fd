//! From a scenario to everything that a run needs: board file, images, faults.

use std::path::{Path, PathBuf};

use toml::Spanned;
use twinboard_models::board::{BUILT_IN, BoardFile, InterfaceProgram, PowerOn, Powered, listed_name};
use twinboard_models::image::interface::{Firmware, InterfaceChip, InterfaceFile};
use twinboard_models::image::{Image, Symbols};
use twinboard_sim::board::Driver;
use twinboard_sim::fault::{ArmError, Fault, SharedFault};

use crate::language::fault::ArmedBy;
use crate::language::source::{self, Source, SourceError};
use crate::language::step::Step;
use crate::language::{Scenario, ScenarioError};

/// Why a scenario cannot be run.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PrepareError {
    /// The scenario is wrong.
    #[error(transparent)]
    Wrong(#[from] ScenarioError),
    /// Something that it needs is not on this computer.
    #[error("{0}")]
    Skipped(String),
}

/// Where a scenario looks for files.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The scenario's folder.
    pub folder: &'a Path,
    /// The folder of official images.
    pub images: &'a Path,
}

/// A scenario with everything it needs.
#[derive(Debug)]
pub struct Prepared {
    /// The scenario.
    pub scenario: Scenario,
    /// Its name.
    pub name: String,
    /// Where it looks for files.
    pub folder: PathBuf,
    /// Where official images are.
    pub images: PathBuf,
    board: BoardFile,
    target: Option<Image>,
    interface: Option<Firmware>,
    symbols: Option<(String, Vec<u8>)>,
    /// Where the lines of the file begin.
    lines: Vec<usize>,
}

impl Prepared {
    /// Reads a scenario, gets everything that it needs, and tries whether its faults can be armed. `name` is its name if it
    /// has none.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub fn new(text: &str, name: &str, places: Places<'_>) -> Result<Prepared, PrepareError> {
        let scenario = Scenario::parse(text)?;
        scenario.check()?;
        let board = board(&scenario, places)?;
        let target = match &scenario.images.target {
            Some(place) => Some(image(place, places, &board)?),
            None => None,
        };
        let interface = interface(&scenario, places, &board)?;
        let symbols = match &scenario.images.symbols {
            Some(place) => {
                let Source { name, data } = load(place, places)?;
                Symbols::parse(Path::new(&name), &data).map_err(|error| ScenarioError::at(place, error.to_string()))?;
                Some((name, data))
            }
            None => None,
        };
        let given = scenario.name.as_ref().map(|name| name.as_ref().clone());
        let prepared = Prepared {
            name: given.unwrap_or_else(|| name.into()),
            folder: places.folder.into(),
            images: places.images.into(),
            scenario,
            board,
            target,
            interface,
            symbols,
            lines: std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect(),
        };
        prepared.try_files(&prepared.scenario.steps)?;
        let (mut powered, _) = prepared.power_on(Driver::Stepped, false, 0)?;
        prepared.try_steps(&mut powered, &prepared.scenario.steps)?;
        Ok(prepared)
    }

    /// The board under power, its faults armed or waiting for a step. `seed` decides what chance decides.
    ///
    /// # Errors
    /// [`ScenarioError`] for a board that cannot be built and a fault that does not fit it.
    pub fn power_on(
        &self,
        driver: Driver,
        watch_wires: bool,
        seed: u64,
    ) -> Result<(Powered, Vec<SharedFault>), ScenarioError> {
        let power = PowerOn {
            driver,
            target: self.target.as_ref(),
            interface: self
                .interface
                .as_ref()
                .map(|firmware| InterfaceProgram { image: &firmware.image, start: firmware.start }),
            watch_wires,
            ..PowerOn::default()
        };
        let board = &self.scenario.board;
        let mut powered = self.board.power_on(&power).map_err(|error| ScenarioError::at(board, error.to_string()))?;
        if let Some((name, data)) = &self.symbols
            && let Ok(symbols) = Symbols::parse(Path::new(name), data)
        {
            powered.set_symbols(symbols);
        }
        let faults = self.arm(&mut powered, seed)?;
        if self.scenario.hold_reset {
            powered.press("reset", true).map_err(|error| ScenarioError::at(board, error.to_string()))?;
        }
        Ok((powered, faults))
    }

    fn arm(&self, powered: &mut Powered, seed: u64) -> Result<Vec<SharedFault>, ScenarioError> {
        let mut faults = Vec::new();
        for entry in &self.scenario.faults {
            let name: &str = entry.point.as_ref();
            let Some(point) = crate::points::point(name) else {
                return Err(ScenarioError::at(&entry.point, crate::points::unknown(name)));
            };
            let mut fault = Fault::new(entry.name(), point, entry.params()?, entry.plan()?, seed);
            if entry.armed == ArmedBy::Step || entry.on.is_some() {
                fault.arm(twinboard_sim::time::Time::ZERO, false);
            }
            let fault = SharedFault::new(fault);
            if !crate::points::is_hosts(point) {
                powered.arm(&fault).map_err(|error| match &error {
                    ArmError::NotHere { .. } => ScenarioError::at(&entry.point, error.to_string()),
                    ArmError::Param { param, .. } => ScenarioError::over(entry.place(*param), error.to_string()),
                })?;
            }
            faults.push(fault);
        }
        Ok(faults)
    }

    /// Whether the files of the steps are there.
    fn try_files(&self, steps: &[Spanned<Step>]) -> Result<(), PrepareError> {
        let places = Places { folder: &self.folder, images: &self.images };
        for step in steps {
            match step.as_ref() {
                Step::Drop(drop) => {
                    if let Some(file) = &drop.file {
                        load(file, places)?;
                    }
                }
                Step::Expect(expect) => {
                    if let Some(flash) = expect.flash.as_ref().filter(|flash| flash.as_ref() != "dropped") {
                        image(flash, places, &self.board)?;
                    }
                }
                Step::Repeat(repeat) => self.try_files(&repeat.steps)?,
                Step::Parallel(parallel) => {
                    parallel.branches.as_ref().iter().try_for_each(|branch| self.try_files(branch))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the board has what the steps act on: what a person does is done to a board that is thrown away.
    fn try_steps(&self, powered: &mut Powered, steps: &[Spanned<Step>]) -> Result<(), ScenarioError> {
        for step in steps {
            match step.as_ref() {
                Step::Do(action) => {
                    powered.act(action).map_err(|error| ScenarioError::at(step, error.to_string()))?;
                }
                Step::Gdb(gdb) => {
                    if let Some(chip) = &gdb.chip
                        && !powered.chips.iter().any(|(name, _)| name == chip.as_ref())
                    {
                        let known: Vec<_> = powered.chips.iter().map(|(name, _)| name.as_str()).collect();
                        let message =
                            format!("there is no chip {}; this board has {}", chip.as_ref(), known.join(", "));
                        return Err(ScenarioError::at(chip, message));
                    }
                }
                Step::Expect(expect) => {
                    if let (Some(screen), None) = (&expect.screen, powered.screen()) {
                        return Err(ScenarioError::at(screen, "screen: this board has no display"));
                    }
                    if let (Some(memory), None) = (&expect.memory, powered.target()) {
                        return Err(ScenarioError::at(memory, "memory: this board has no target"));
                    }
                }
                Step::Repeat(repeat) => self.try_steps(powered, &repeat.steps)?,
                Step::Parallel(parallel) => {
                    for branch in parallel.branches.as_ref() {
                        self.try_steps(powered, branch)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A file of the scenario.
    ///
    /// # Errors
    /// [`SourceError`]; the files of steps were there when the scenario was prepared.
    pub fn source(&self, reference: &str) -> Result<Source, SourceError> {
        source::load(reference, &self.folder, &self.images)
    }

    /// An image for the board's target.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn target_image(&self, source: &Source) -> Result<Image, String> {
        Image::parse(Path::new(&source.name), &source.data, self.board.block_ids(), 0)
            .map_err(|error| error.to_string())
    }

    /// The line of the file, from 1, that the byte `offset` is in.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|&start| start <= offset)
    }

    /// The board's file.
    #[must_use]
    pub fn board(&self) -> &BoardFile {
        &self.board
    }
}

fn load(place: &Spanned<String>, places: Places<'_>) -> Result<Source, PrepareError> {
    source::load(place.as_ref(), places.folder, places.images).map_err(|error| match error {
        SourceError::NotHere(_) => PrepareError::Skipped(error.to_string()),
        SourceError::Wrong(message) => ScenarioError::at(place, message).into(),
    })
}

fn image(place: &Spanned<String>, places: Places<'_>, board: &BoardFile) -> Result<Image, PrepareError> {
    let Source { name, data } = load(place, places)?;
    let image = Image::parse(Path::new(&name), &data, board.block_ids(), 0);
    Ok(image.map_err(|error| ScenarioError::at(place, error.to_string()))?)
}

fn board(scenario: &Scenario, places: Places<'_>) -> Result<BoardFile, ScenarioError> {
    let place = &scenario.board;
    let name: &str = place.as_ref();
    let listed = listed_name(name);
    let text = match BUILT_IN.iter().find(|(known, _)| *known == listed) {
        Some((_, text)) => (*text).to_string(),
        None => {
            let path = places.folder.join(name);
            let known: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            if !path.is_file() {
                let message = format!("there is no board {name}; there are {}, and board files", known.join(", "));
                return Err(ScenarioError::at(place, message));
            }
            let Source { data, .. } = source::load(name, places.folder, places.images)
                .map_err(|error| ScenarioError::at(place, error.to_string()))?;
            String::from_utf8(data).map_err(|_| ScenarioError::at(place, format!("{name}: UTF-8 was expected")))?
        }
    };
    let mut board = BoardFile::parse(&text).map_err(|error| ScenarioError::at(place, format!("{name}: {error}")))?;
    for (key, value) in &scenario.set {
        board
            .set(&format!("{key}={}", value.as_ref()))
            .map_err(|error| ScenarioError::at(value, format!("{key}: {error}")))?;
    }
    Ok(board)
}

/// What the interface chip is to run instead of native firmware, if anything.
fn interface(scenario: &Scenario, places: Places<'_>, board: &BoardFile) -> Result<Option<Firmware>, PrepareError> {
    let images = &scenario.images;
    let files: Vec<_> = images.bootloader.iter().chain(&images.interface).collect();
    let Some(&first) = files.first() else { return Ok(None) };
    let chip = board.emulated_interface().and_then(|entry| InterfaceChip::of(entry.model.as_ref()));
    let Some(chip) = chip else {
        let message = format!("{} has no interface chip that could run an image", board.name);
        return Err(ScenarioError::at(first, message).into());
    };
    let mut parsed = Vec::new();
    for &place in &files {
        let Source { name, data } = load(place, places)?;
        let file = InterfaceFile::parse(Path::new(&name), &data);
        parsed.push(file.map_err(|error| ScenarioError::at(place, error.to_string()))?);
    }
    let firmware = Firmware::merge(&parsed, chip);
    if let (Some(problem), false) = (firmware.problems.first(), images.force) {
        return Err(ScenarioError::at(first, format!("{problem}; force = true runs it as it is")).into());
    }
    Ok(Some(firmware))
}
