//! Steps that use the host's drivers.

use toml::Spanned;
use twinboard_models::board::control::Action;
use twinboard_sim::time::Span;
use twinboard_usbip::host::copy::{Copied, Orders, WriteOrder};
use twinboard_usbip::host::serial::LineCoding;
use twinboard_usbip::host::volume::Region;

use super::{DropTimes, Failed, Run, expect};
use crate::language::check;
use crate::language::source::{self, Source};
use crate::language::step::{
    CopiedBy, DapExchange, DapInterface, DapStep, DebugStep, DropStep, Expect, Outcome, RegionName, Step,
};
use crate::language::units::{Percent, span_text};

/// How long a board may take to come onto the bus if nothing is said.
const CONNECT_WITHIN: Span = Span::secs(10);
/// How long an interface chip may take to go away after it was given something to start.
const RESTARTS_WITHIN: Span = Span::secs(10);
/// How often the drive is looked at for what may take time.
const LOOK: Span = Span::ms(100);
/// How long the drive may be away before it is looked at.
const READY_WITHIN: Span = Span::secs(10);
/// The baud rate of a port that is opened without one.
const BAUD: u32 = 115_200;

impl Run<'_> {
    /// Does a step that uses a driver; what came of it.
    pub(super) fn driver_step(&mut self, step: &Step) -> Result<Option<String>, Failed> {
        match step {
            Step::Drop(drop) => self.drop_file(drop).map(Some),
            Step::Expect(expect) => self.expect(expect).map(|()| None),
            Step::PowerCut(cut) => {
                self.act(&Action::Power { on: false })?;
                self.host.sleep(cut.span.0);
                self.act(&Action::Power { on: true })?;
                Ok(None)
            }
            Step::Connect(connect) => {
                let within = connect.within.as_ref().map_or(CONNECT_WITHIN, |within| within.as_ref().0);
                self.connect(within)?;
                let device = self.host.device().map_err(|error| Failed::new(error.to_string()))?;
                Ok(Some(device.product.clone()))
            }
            Step::Dap(dap) => self.dap(dap).map(|()| None),
            Step::Debug(action) => self.debug(*action).map(|()| None),
            Step::Gdb(gdb) => super::gdb::exchange(&mut self.host, gdb, self.until).map(|()| None),
            other => Err(Failed::new(format!("{}: not with the in-process host", other.verb()))),
        }
    }

    fn act(&mut self, action: &Action) -> Result<(), Failed> {
        self.host.machine().act(action).map(drop).map_err(|error| Failed::new(error.to_string()))
    }

    /// The board is on the bus and configured; if it is not, it is enumerated.
    pub(super) fn connect(&mut self, within: Span) -> Result<(), Failed> {
        if self.host.is_present() && self.host.device().is_ok() {
            return Ok(());
        }
        self.baud = None;
        let until = self.host.now() + within;
        loop {
            match self.host.enumerate().map(drop) {
                Ok(()) => break,
                Err(error) if self.host.now() >= until => {
                    let message = format!("the board did not come onto the bus within {}: {error}", span_text(within));
                    return Err(Failed::new(message));
                }
                // A host tries again, a little later.
                Err(_) => self.host.sleep(LOOK),
            }
        }
        if std::mem::take(&mut self.fresh) && self.prepared.scenario.hold_reset {
            self.host.machine().release_reset();
        }
        Ok(())
    }

    /// Opens the serial port, with `baud` if it is not open with that already.
    pub(super) fn open_serial(&mut self, baud: Option<u32>) -> Result<(), Failed> {
        self.connect(CONNECT_WITHIN)?;
        let failed = |error: twinboard_usbip::host::UsbError| Failed::new(format!("serial port: {error}"));
        let wanted = baud.or(self.baud).unwrap_or(BAUD);
        let mut serial = self.host.serial().map_err(failed)?;
        if self.baud != Some(wanted) {
            serial.set_line_coding(LineCoding::new(wanted)).map_err(failed)?;
            self.baud = Some(wanted);
        }
        Ok(())
    }

    pub(super) fn send_break(&mut self, length: Span) -> Result<(), Failed> {
        let failed = |error: twinboard_usbip::host::UsbError| Failed::new(format!("break: {error}"));
        self.host.serial().map_err(failed)?.send_break(length).map_err(failed)
    }

    fn drop_source(&self, drop: &DropStep) -> Result<Source, Failed> {
        let mut source = match (&drop.file, &drop.text, &drop.program) {
            (Some(file), ..) => self.prepared.source(file.as_ref()).map_err(|error| Failed::new(error.to_string()))?,
            (_, Some(text), _) => Source { name: String::new(), data: text.as_ref().clone().into_bytes() },
            (.., size) => {
                let size = size.as_ref().map_or(0, |size| size.as_ref().0);
                Source { name: "program.hex".into(), data: source::program(size) }
            }
        };
        if let Some(name) = &drop.name {
            source.name.clone_from(name);
        }
        let place = |part: &Spanned<Percent>| (source.data.len() as f64 * part.as_ref().0 / 100.0) as usize;
        if let Some(from) = drop.flip.as_ref().map(place) {
            let digit = source.data.iter_mut().skip(from).find(|byte| byte.is_ascii_hexdigit());
            let digit = digit.ok_or_else(|| Failed::new("flip: there is no hex digit behind this part of the file"))?;
            *digit = if *digit == b'0' { b'1' } else { b'0' };
        }
        if let Some(end) = drop.cut.as_ref().map(|part| (source.data.len() as f64 * part.as_ref().0 / 100.0) as usize) {
            source.data.truncate(end);
        }
        Ok(source)
    }

    fn drop_file(&mut self, drop: &DropStep) -> Result<String, Failed> {
        let source = self.drop_source(drop)?;
        self.connect(CONNECT_WITHIN)?;
        let orders = match &drop.regions {
            Some(regions) => Orders::Regions(regions.as_ref().iter().map(|&region| region.into()).collect()),
            None => Orders::As(drop.order.into()),
        };
        let part = drop.until.as_ref().map_or(1.0, |until| until.as_ref().0 / 100.0);
        // What is written besides the file's data is a few sectors.
        let limit = if part < 1.0 { (source.data.len() as f64 * part) as u64 } else { u64::MAX };
        let taken = self.host.drive_bytes();
        let shared = self.shared.clone();
        let mut progress = |_, total| shared.lock().dropping = Some((total, taken));
        let copied = self.host.drive().map_err(|error| error.to_string()).and_then(|mut drive| {
            drive
                .copy_ordered(&source.name, &source.data, &orders, limit, &mut progress)
                .map_err(|error| error.to_string())
        });
        let mut shared = self.shared.lock();
        shared.dropping = None;
        let bytes = source.data.len();
        self.dropped = Some(source);
        if let Ok(copied) = &copied {
            shared.last_drop = Some(DropTimes { writing: copied.writing, settling: copied.settling, bytes });
        }
        std::mem::drop(shared);
        self.judge(drop.outcome, copied)
    }

    /// Whether what came of a drop is what must come of it.
    fn judge(&mut self, wanted: Outcome, copied: Result<Copied, String>) -> Result<String, Failed> {
        let (is, told) = match &copied {
            Ok(copied) if copied.fail.is_some() => {
                (Outcome::Fail, format!("FAIL.TXT: {}", copied.fail.as_deref().unwrap_or("").trim_end()))
            }
            Ok(copied) if copied.interrupted.is_some() => {
                (Outcome::Refused, copied.interrupted.as_ref().map(ToString::to_string).unwrap_or_default())
            }
            Ok(copied) if copied.is_success() => {
                let Copied { writing, settling, .. } = copied;
                let writing = crate::report::span_seconds(*writing);
                (
                    Outcome::Success,
                    format!("written in {writing:.3} s, the drive was back {} later", span_text(*settling)),
                )
            }
            Ok(_) => (Outcome::Refused, "the drive did not react to the file".to_string()),
            Err(_) if wanted == Outcome::Restart && self.host.wait_gone(RESTARTS_WITHIN) => {
                (Outcome::Restart, "the interface chip restarted".to_string())
            }
            Err(error) => (Outcome::Refused, error.clone()),
        };
        if wanted == is || wanted == Outcome::Any {
            return Ok(told);
        }
        let wanted = match wanted {
            Outcome::Success => "that the drive takes the file",
            Outcome::Fail => "a FAIL.TXT",
            Outcome::Restart => "that the interface chip restarts with it",
            Outcome::Refused | Outcome::Any => "that the drive refuses it",
        };
        Err(Failed::new(format!("{wanted} was expected; {told}")))
    }

    fn expect(&mut self, wanted: &Expect) -> Result<(), Failed> {
        let within = wanted.within.as_ref().map_or(Span::ZERO, |within| within.as_ref().0);
        let until = self.host.now() + within;
        let image = match wanted.flash.as_ref().map(|flash| flash.as_ref().as_str()) {
            None => None,
            Some("dropped") => {
                let source = self.dropped.as_ref().ok_or_else(|| Failed::new("nothing was dropped"))?;
                Some(self.prepared.target_image(source).map_err(Failed::new)?)
            }
            Some(reference) => {
                let source = self.prepared.source(reference).map_err(|error| Failed::new(error.to_string()))?;
                Some(self.prepared.target_image(&source).map_err(Failed::new)?)
            }
        };
        loop {
            let seen = self.look(wanted, image.as_ref());
            let Err(message) = seen else { return Ok(()) };
            if self.host.now() >= until {
                return Err(Failed::new(message));
            }
            self.host.sleep(LOOK);
        }
    }

    fn look(&mut self, wanted: &Expect, image: Option<&twinboard_models::image::Image>) -> Result<(), String> {
        let watched = super::expect::Watched::new(wanted).map_err(|failed| failed.message)?;
        self.host.beside(|beside| watched.look(beside))?;
        expect::target(self.host.machine(), wanted, image)?;
        let of_drive =
            wanted.fail.is_some() || wanted.file.is_some() || !wanted.details.is_empty() || wanted.drive.is_some();
        if of_drive {
            self.connect(CONNECT_WITHIN).map_err(|failed| failed.message)?;
            let mut drive = self.host.drive().map_err(|error| error.to_string())?;
            drive.wait_ready(READY_WITHIN).map_err(|error| error.to_string())?;
            expect::drive(&mut self.host, wanted)?;
        }
        Ok(())
    }

    /// What a debugger does, over version 2 of CMSIS-DAP if the probe has it.
    fn debug(&mut self, action: DebugStep) -> Result<(), Failed> {
        self.connect(CONNECT_WITHIN)?;
        let failed = |error: &dyn std::fmt::Display| Failed::new(format!("debugger: {error}"));
        let has_v2 = self.host.dap_v2().is_ok();
        let dap = if has_v2 { self.host.dap_v2() } else { self.host.dap_v1() };
        let mut adi = dap.map_err(|error| failed(&error))?.adi();
        if action == DebugStep::Halt {
            adi.connect().map_err(|error| failed(&error))?;
        }
        match action {
            DebugStep::Halt => adi.halt(),
            DebugStep::Run => adi.run(),
            DebugStep::Step => adi.step(),
            DebugStep::Reset => adi.reset_and_run(),
        }
        .map_err(|error| failed(&error))
    }

    fn dap(&mut self, step: &DapStep) -> Result<(), Failed> {
        self.connect(CONNECT_WITHIN)?;
        let failed = |error: twinboard_usbip::host::UsbError| Failed::new(format!("CMSIS-DAP: {error}"));
        for exchange in &step.exchange {
            let mut dap = match step.interface {
                DapInterface::V1 => self.host.dap_v1(),
                DapInterface::V2 => self.host.dap_v2(),
                DapInterface::Web => self.host.dap_web(),
            }
            .map_err(failed)?;
            let bytes = |text: &Spanned<String>| check::hex(text, true).map_err(|error| Failed::new(error.message));
            let request: Vec<u8> = bytes(&exchange.send)?.into_iter().flatten().collect();
            let response = dap.exchange(&request);
            judge_response(exchange, response.map_err(|error| error.to_string()), bytes)?;
        }
        Ok(())
    }
}

fn judge_response(
    exchange: &DapExchange,
    response: Result<Vec<u8>, String>,
    bytes: impl Fn(&Spanned<String>) -> Result<Vec<Option<u8>>, Failed>,
) -> Result<(), Failed> {
    let text = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let send = exchange.send.as_ref();
    match (response, exchange.silent) {
        (Ok(_), false) if exchange.expect.is_none() => Ok(()),
        (Ok(response), false) => {
            let Some(wanted) = &exchange.expect else { return Ok(()) };
            let pattern = bytes(wanted)?;
            let begins = response.len() >= pattern.len()
                && pattern.iter().zip(&response).all(|(wanted, byte)| wanted.is_none_or(|wanted| wanted == *byte));
            if begins {
                return Ok(());
            }
            let seen = text(&response[..response.len().min(pattern.len().max(8))]);
            Err(Failed::new(format!("{send}: {} was expected, {seen} came", wanted.as_ref())))
        }
        (Err(_), true) => Ok(()),
        (Ok(response), true) => Err(Failed::new(format!(
            "{send}: no response was expected, {} came",
            text(&response[..response.len().min(8)])
        ))),
        (Err(error), false) => Err(Failed::new(format!("{send}: {error}"))),
    }
}

impl From<CopiedBy> for WriteOrder {
    fn from(who: CopiedBy) -> WriteOrder {
        match who {
            CopiedBy::LinuxUmount => WriteOrder::LinuxUmount,
            CopiedBy::LinuxSync => WriteOrder::LinuxSync,
            CopiedBy::LinuxFlush => WriteOrder::LinuxFlush,
            CopiedBy::LinuxSyncMount => WriteOrder::LinuxSyncMount,
            CopiedBy::LinuxFsync => WriteOrder::LinuxFsync,
            CopiedBy::LinuxDirect => WriteOrder::LinuxDirect,
            CopiedBy::MacOs => WriteOrder::MacOs,
            CopiedBy::MacOsVenturaFinder => WriteOrder::MacOsVenturaFinder,
            CopiedBy::MacOsVentura => WriteOrder::MacOsVentura,
            CopiedBy::MacOsSequoia => WriteOrder::MacOsSequoia,
            CopiedBy::Windows => WriteOrder::Windows,
            CopiedBy::WindowsIndexer => WriteOrder::WindowsIndexer,
            CopiedBy::Thonny => WriteOrder::Thonny,
        }
    }
}

impl From<RegionName> for Region {
    fn from(name: RegionName) -> Region {
        match name {
            RegionName::Boot => Region::Boot,
            RegionName::Fat1 => Region::Fat(0),
            RegionName::Fat2 => Region::Fat(1),
            RegionName::Root => Region::Root,
            RegionName::Data => Region::Data,
        }
    }
}
