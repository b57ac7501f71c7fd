//! From the command line's words to boards under power.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use twinboard_models::board::control::{ActError, Action, Answer};
use twinboard_models::board::{
    BUILT_IN, BoardFile, InterfaceProgram, PowerOn, Powered, SharedAir, Station, listed_name,
};
use twinboard_models::image::interface::{Firmware, InterfaceChip, InterfaceFile};
use twinboard_models::image::{BlockIds, Image, ImageError, Start, Symbols};
use twinboard_sim::board::{Driver, SharedChip};
use twinboard_sim::gdb::GdbServer;
use twinboard_sim::machine::Machine;
use twinboard_sim::pace;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::trace::VcdSink;
use twinboard_sim::usb::UsbPort;
use twinboard_usbip::host::beside::{Attendant, Beside};
use twinboard_usbip::pcap::Capture;

use crate::cli::{BoardOptions, ClockMode};
use crate::failure::Failure;
use crate::sound::{self, Recorder};
use crate::state;

/// A board on the desk: under power, with what its user wanted attached.
pub struct Desk {
    /// The board.
    pub powered: Powered,
    /// Where other boards are within earshot.
    station: Option<Station>,
    gdb: Vec<(GdbServer, SharedChip)>,
    state: Option<PathBuf>,
    /// The interface chip's image of the command line.
    given: Option<Image>,
    /// Which board it is, for messages.
    label: String,
    /// Accidents of programs that were told.
    told: usize,
    recorder: Option<Recorder>,
    /// Who acts on the board in its own time.
    attendants: Vec<Box<dyn Attendant<Powered>>>,
    /// Whether a client has the board's device, as far as somebody keeps this up to date.
    present: Arc<AtomicBool>,
    /// Nobody is told of accidents.
    quiet: bool,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("powered", &self.powered).finish_non_exhaustive()
    }
}

impl From<ClockMode> for pace::ClockMode {
    fn from(mode: ClockMode) -> Self {
        match mode {
            ClockMode::Paced => pace::ClockMode::Paced,
            ClockMode::Elastic => pace::ClockMode::Elastic,
            ClockMode::Free => pace::ClockMode::Free,
            ClockMode::Stepped => pace::ClockMode::Stepped,
        }
    }
}

/// Powers every board of `names`; a board that is named twice has two specimens.
pub fn power_on_all(names: &[String], options: &BoardOptions) -> Result<Vec<Desk>, Failure> {
    let boards = names.len();
    let mut desks = (0u32..)
        .zip(names)
        .map(|(specimen, name)| power_on(name, specimen, boards, options))
        .collect::<Result<Vec<_>, _>>()?;
    if boards > 1 {
        let air = SharedAir::default();
        for desk in &mut desks {
            desk.station = Some(air.join());
        }
    }
    Ok(desks)
}

/// Powers the board called `name`, a built-in one or a file. It is number `specimen` of so many `boards`.
pub fn power_on(name: &str, specimen: u32, boards: usize, options: &BoardOptions) -> Result<Desk, Failure> {
    let several = boards > 1;
    let (path, text) = find(name)?;
    let mut file = BoardFile::parse(&text).map_err(|error| Failure::board(&path, &text, &error))?;
    for assignment in &options.settings {
        file.set(assignment)
            .map_err(|error| Failure::input(error, "write it as in --set interface.board_id=0x9905"))?;
    }
    let image = of_board("--interface", &options.interface, specimen, boards)?;
    let given = interface_firmware(&file, image, options)?;
    // What a bootloader was programmed into runs it, also when nothing more is said.
    let kept = match (&given, &options.state) {
        (None, Some(dir)) => state::bootloader(dir, specimen, &file)?,
        _ => None,
    };
    let kept = kept.map(|image| Firmware { image, start: Start::Reset, problems: Vec::new() });
    let firmware = given.as_ref().or(kept.as_ref());
    let ids = file.block_ids();
    let target_file = of_board("--target", &options.target, specimen, boards)?;
    let target = target_file.map(|path| load_target(path, ids)).transpose()?;
    let power = PowerOn {
        driver: Driver::Stepped,
        specimen,
        target: target.as_ref(),
        interface: firmware.map(|firmware| InterfaceProgram { image: &firmware.image, start: firmware.start }),
        watch_wires: options.vcd.is_some(),
    };
    let mut powered = file.power_on(&power).map_err(|error| Failure::board(&path, &text, &error))?;
    if let Some(dir) = &options.state {
        state::load(dir, specimen, &powered, given.as_ref().map(|firmware| &firmware.image))?;
    }
    if let Some(vcd) = &options.vcd {
        let vcd = numbered(vcd, specimen, several);
        let out = BufWriter::new(create(&vcd)?);
        let sink = VcdSink::new(out, &powered.name, &powered.board.net_names())?;
        powered.board.add_sink(Box::new(sink));
    }
    if let Some(symbols) = symbols(options.symbols.as_deref(), target_file)? {
        powered.set_symbols(symbols);
    }
    let label = if several { format!("{name} {specimen}: ") } else { String::new() };
    let recorder = match (&options.wav, powered.speaker.clone()) {
        (Some(path), Some(speaker)) => Some(Recorder::new(speaker, &numbered(path, specimen, several), powered.now())?),
        (Some(_), None) => {
            return Err(Failure::input(format!("--wav: {} has no speaker", powered.name), "leave out --wav"));
        }
        (None, _) => None,
    };
    if let Some(path) = &options.microphone {
        powered.world.lock().hear(Some(sound::heard(path)?), powered.now());
    }
    let mut gdb = Vec::new();
    for request in &options.gdb {
        gdb.push(debugger(request, &mut powered)?);
    }
    if options.hold_reset {
        powered.press("reset", true).map_err(|error| Failure::input(error, "leave out --hold-reset"))?;
    }
    let state = options.state.clone();
    let given = given.map(|given| given.image);
    Ok(Desk { gdb, state, given, recorder, label, quiet: false, ..Desk::of(powered, Arc::default()) })
}

/// Where USB traffic is recorded, if it is.
pub fn capture(options: &BoardOptions) -> Result<Option<Capture>, Failure> {
    let Some(path) = &options.pcap else { return Ok(None) };
    Ok(Some(Capture::new(BufWriter::new(create(path)?)).map_err(Failure::job)?))
}

/// A board's description: its path for messages, and its text.
fn find(name: &str) -> Result<(PathBuf, String), Failure> {
    let listed = listed_name(name);
    if let Some((name, text)) = BUILT_IN.iter().find(|(known, _)| *known == listed) {
        return Ok((PathBuf::from(format!("{name}.toml")), (*text).to_string()));
    }
    let path = Path::new(name);
    if !path.is_file() {
        let known: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        return Err(Failure::input(
            format!("there is no board {name}"),
            format!("give a built-in board ({}) or the path of a board file", known.join(", ")),
        ));
    }
    let size = fs::metadata(path)?.len();
    if size > twinboard_models::board::file::MAX_FILE as u64 {
        return Err(Failure::input(format!("{name} has {size} bytes"), "a board file is a short TOML file"));
    }
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::input(format!("{name}: {error}"), "a board file is a TOML file in UTF-8"))?;
    Ok((path.into(), text))
}

fn load_target(path: &Path, ids: BlockIds) -> Result<Image, Failure> {
    Image::load(path, ids, 0).map_err(|error| wrong_image(error, "this board's target"))
}

fn wrong_image(error: ImageError, whose: &str) -> Failure {
    let help = match &error {
        ImageError::Read { .. } => "give the path of an image file".to_string(),
        ImageError::Line { .. } => {
            "an Intel HEX or Universal Hex file consists of lines that start with a colon".into()
        }
        ImageError::File { .. } => format!("give an Intel HEX, Universal Hex, ELF or binary file for {whose}"),
    };
    Failure::input(error, help)
}

/// Which of an option's images is for board number `specimen`: the only one, or the one at its place.
fn of_board<'a>(
    option: &str,
    images: &'a [PathBuf],
    specimen: u32,
    boards: usize,
) -> Result<Option<&'a Path>, Failure> {
    match images {
        [] => Ok(None),
        [image] => Ok(Some(image)),
        _ if images.len() == boards => Ok(images.get(specimen as usize).map(PathBuf::as_path)),
        _ => Err(Failure::input(
            format!("{option}: {} images for {boards} board{}", images.len(), if boards == 1 { "" } else { "s" }),
            "give one image for all boards, or as many as there are boards, in their order",
        )),
    }
}

/// What the interface chip is to run instead of native firmware, if anything. What is odd about it is an error, unless
/// it is to be run all the same.
fn interface_firmware(
    file: &BoardFile,
    image: Option<&Path>,
    options: &BoardOptions,
) -> Result<Option<Firmware>, Failure> {
    let paths: Vec<_> = options.bootloader.as_deref().into_iter().chain(image).collect();
    let Some(first) = paths.first() else { return Ok(None) };
    let Some(entry) = file.emulated_interface() else {
        return Err(Failure::input(
            format!("{}: {} has no interface chip that could run an image", first.display(), file.name),
            "leave out --interface and --bootloader, or say in the board file which chip it is ([chip.emulated])",
        ));
    };
    let model: &str = entry.model.as_ref();
    let chip = InterfaceChip::of(model).ok_or_else(|| {
        Failure::input(format!("{}: {model} is no interface chip", file.name), "give a board with another one")
    })?;
    let mut files = Vec::new();
    for path in paths {
        files.push(InterfaceFile::load(path).map_err(|error| wrong_image(error, "this board's interface chip"))?);
    }
    let firmware = Firmware::merge(&files, chip);
    if firmware.problems.is_empty() {
        return Ok(Some(firmware));
    }
    let problems: Vec<_> = firmware.problems.iter().map(ToString::to_string).collect();
    if options.force {
        for problem in problems {
            eprintln!("twinboard: {problem}");
        }
        return Ok(Some(firmware));
    }
    Err(Failure::input(problems.join("\n"), "give an image for this board; --force runs it as it is, as silicon would"))
}

/// The names of functions: of the file of `--symbols`, else of the target's image if that has any.
fn symbols(given: Option<&Path>, target: Option<&Path>) -> Result<Option<Symbols>, Failure> {
    if let Some(path) = given {
        let symbols =
            Symbols::load(path).map_err(|error| Failure::input(error, "give the target program's ELF file"))?;
        return Ok(Some(symbols));
    }
    let symbols = target.and_then(|path| Symbols::load(path).ok());
    Ok(symbols.filter(|symbols| !symbols.is_empty()))
}

/// `CHIP=ADDR` of `--gdb`.
fn debugger(request: &str, powered: &mut Powered) -> Result<(GdbServer, SharedChip), Failure> {
    let help = "write it as in --gdb target=127.0.0.1:2331";
    let (name, address) = request
        .split_once('=')
        .ok_or_else(|| Failure::input(format!("--gdb: CHIP=ADDR was expected, not {request}"), help))?;
    let chip = powered
        .board
        .chip(name)
        .filter(|chip| chip.lock().with_cpu(&mut |_| {}))
        .ok_or_else(|| Failure::input(format!("--gdb: there is no chip {name} that runs a program"), help))?;
    let server = GdbServer::bind(address).map_err(|error| Failure::input(format!("--gdb {request}: {error}"), help))?;
    Ok((server, chip))
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path)
        .map_err(|error| Failure::input(format!("{}: {error}", path.display()), "give a file that can be written"))
}

/// `FILE`, or `FILE` with the board's number before its ending where there are several boards.
fn numbered(path: &Path, specimen: u32, several: bool) -> PathBuf {
    if !several {
        return path.into();
    }
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{specimen}"));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

impl Desk {
    /// A board with nothing attached, of whose accidents nobody is told. `present` says whether a client has its device.
    pub fn of(powered: Powered, present: Arc<AtomicBool>) -> Desk {
        Desk {
            powered,
            station: None,
            gdb: Vec::new(),
            state: None,
            given: None,
            label: String::new(),
            told: 0,
            recorder: None,
            attendants: Vec::new(),
            present,
            quiet: true,
        }
    }

    /// From now on `attendant` acts on the board, too, until it never wants to be asked again.
    pub fn attended_by(&mut self, attendant: Box<dyn Attendant<Powered>>) {
        self.attendants.push(attendant);
    }

    /// Does something with the board, now.
    pub fn beside<R>(&mut self, act: impl FnOnce(&mut Beside<'_, Powered>) -> R) -> R {
        let present = self.present.load(Ordering::Relaxed);
        let mut outgoing = Vec::new();
        act(&mut Beside {
            machine: &mut self.powered,
            present,
            received: None,
            drive_bytes: 0,
            outgoing: &mut outgoing,
        })
    }

    /// Asks the attendants whose time has come.
    fn attend(&mut self) {
        if self.attendants.is_empty() {
            return;
        }
        let mut attendants = std::mem::take(&mut self.attendants);
        for attendant in &mut attendants {
            if attendant.next() <= self.powered.now() {
                self.beside(|beside| attendant.attend(beside));
            }
        }
        attendants.retain(|attendant| attendant.next() != Time::NEVER);
        self.attendants = attendants;
    }

    /// When an attendant wants to be asked next.
    fn next_attendant(&self) -> Time {
        self.attendants.iter().map(|attendant| attendant.next()).min().unwrap_or(Time::NEVER)
    }

    /// What happens at the end: flash contents are saved if they shall survive, and what the models were asked for
    /// and do not have is told.
    pub fn put_away(mut self, specimen: u32) -> Result<(), Failure> {
        if let Some(recorder) = self.recorder.take() {
            recorder.finish(self.powered.now())?;
        }
        for line in self.powered.incidents_with_times().iter().filter(|line| line.ends_with(" times)")) {
            eprintln!("twinboard: {}{line}", self.label);
        }
        let report = self.powered.board.report();
        for ((place, kind), times) in &report.unmodelled {
            tracing::warn!("not modelled: {place}, {kind:?} × {times}");
        }
        match &self.state {
            Some(dir) => state::save(dir, specimen, &self.powered, self.given.as_ref()),
            None => Ok(()),
        }
    }

    /// Makes the board's time pass, with other boards within earshot or not.
    fn let_pass(&mut self, until: Time) {
        match &mut self.station {
            Some(station) => station.advance(&mut self.powered, until),
            None => self.powered.advance(until),
        }
        let now = self.powered.now();
        if let Some(recorder) = &mut self.recorder {
            recorder.follow(now);
        }
    }

    /// Does what a person does, now.
    ///
    /// # Errors
    /// [`ActError`]; then nothing was done.
    pub fn act(&mut self, action: &Action) -> Result<Answer, ActError> {
        self.powered.act(action)
    }

    /// Tells what went wrong with programs since the last time.
    fn tell_incidents(&mut self) {
        if self.quiet {
            return;
        }
        let incidents = self.powered.incidents();
        for line in &incidents[self.told..] {
            eprintln!("twinboard: {}{line}", self.label);
        }
        self.told = incidents.len();
    }

    /// While somebody debugs, the board looks up this often.
    const DEBUG_SLICE: Span = Span::us(500);
}

impl Machine for Desk {
    fn now(&self) -> Time {
        self.powered.now()
    }

    fn next_event(&self) -> Time {
        let next = self.powered.next_event().min(self.next_attendant());
        if self.gdb.is_empty() { next } else { next.min(self.now() + Desk::DEBUG_SLICE) }
    }

    fn advance(&mut self, until: Time) {
        self.attend();
        let until = until.min(self.next_attendant()).max(self.now());
        if self.gdb.is_empty() {
            self.let_pass(until);
            self.tell_incidents();
            return;
        }
        self.let_pass(until.min(self.now() + Desk::DEBUG_SLICE));
        self.tell_incidents();
        for (server, chip) in &mut self.gdb {
            chip.lock().with_cpu(&mut |cpu| server.poll(cpu));
        }
    }

    fn ports(&self) -> usize {
        self.powered.ports()
    }

    fn plugged(&self, index: usize) -> bool {
        self.powered.plugged(index)
    }

    fn with_port(&mut self, index: usize, f: &mut dyn FnMut(&mut dyn UsbPort)) {
        self.powered.with_port(index, f);
    }
}
