//! `twinboard run BOARD…`: powers boards and serves them by USB/IP until Ctrl-C.
//!
//! Prints one line per device, `BUSID VID:PID PRODUCT`, then `ready`. With `--json` each line is an object. Attach with
//! the system's own `usbip attach -r 127.0.0.1 -b BUSID`.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::json;
use twinboard_models::board::control::BoardName;
use twinboard_usbip::pcap::Capture;
use twinboard_usbip::server::{Event, Exported, Server};

use crate::cli::{BoardOptions, ClockMode};
use crate::control::{Boards, ControlServer, Endpoint};
use crate::failure::Failure;
use crate::setup::{self, Desk};
use crate::vm::Cables;

/// How long a board may take until it shows itself on USB, in wall time.
const SHOWS_ITSELF_WITHIN: Duration = Duration::from_secs(30);

/// Boards that are served.
pub struct Served {
    server: Server,
    boards: Vec<(BoardName, Arc<Exported<Desk>>)>,
    control: Vec<ControlServer>,
    /// Closed last, when everything has been recorded.
    _capture: Option<Capture>,
    /// The devices, in the order of the boards: bus id and what is printed of it.
    pub devices: Vec<(String, Event)>,
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("devices", &self.devices).finish_non_exhaustive()
    }
}

impl Served {
    /// Powers boards and waits until each has shown itself on USB.
    pub fn start(names: &[String], options: &BoardOptions) -> Result<Served, Failure> {
        let capture = setup::capture(options)?;
        let mode = options.clock.unwrap_or(ClockMode::Elastic);
        Served::desks(setup::power_on_all(names, options)?, mode, capture, |_| {})
    }

    /// Serves boards under power and waits until each has shown itself on USB. `observer` hears of their devices, on
    /// the threads where it happens.
    pub fn desks(
        desks: Vec<Desk>,
        mode: ClockMode,
        capture: Option<Capture>,
        observer: impl Fn(&Event) + Send + Sync + 'static,
    ) -> Result<Served, Failure> {
        let (sender, events) = mpsc::channel();
        let server = Server::new(move |event| {
            observer(&event);
            // Nobody listens any more once all boards are there.
            let _ = sender.send(event);
        });
        let mode = mode.into();
        let mut boards = Vec::new();
        let mut expected = Vec::new();
        for desk in desks {
            let name = desk.powered.name.clone();
            let title = desk.powered.title.clone();
            let exported = server.export(&name, desk, mode, capture.as_ref())?;
            expected.extend(exported.busids().iter().map(ToString::to_string));
            boards.push((BoardName { name, title }, Arc::new(exported)));
        }
        let mut served = Served { server, boards, control: Vec::new(), _capture: capture, devices: Vec::new() };
        while served.devices.len() < expected.len() {
            let event = events
                .recv_timeout(SHOWS_ITSELF_WITHIN)
                .map_err(|_| Failure::job("a board did not show itself on USB"))?;
            if let Event::Exported { busid, .. } = &event
                && !served.devices.iter().any(|(known, _)| *known == busid.to_string())
            {
                served.devices.push((busid.to_string(), event));
            }
        }
        for (_, board) in &served.boards {
            // The reset button was held (`--hold-reset`) until the firmware had made up its mind.
            board.with(|desk| desk.powered.release_reset()).map_err(Failure::job)?;
        }
        served.devices.sort_by_key(|(busid, _)| expected.iter().position(|known| known == busid));
        Ok(served)
    }

    /// Listens for USB/IP clients; the answer is where.
    pub fn listen(&mut self, address: SocketAddr) -> Result<SocketAddr, Failure> {
        self.server
            .listen(address)
            .map_err(|error| Failure::input(format!("cannot listen at {address}: {error}"), "choose another --listen"))
    }

    /// Listens for `twinboard ctl` and others that act on the boards; the answer is the port, if it is TCP.
    pub fn control(&mut self, endpoint: &Endpoint) -> Result<Option<u16>, Failure> {
        for (_, board) in &self.boards {
            // What the targets say from now on can be read.
            board.with(|desk| desk.powered.listen()).map_err(Failure::job)?;
        }
        let server = ControlServer::start(endpoint, Boards::new(self.boards.iter().cloned()))
            .map_err(|error| Failure::input(error, "choose another --control"))?;
        let port = server.port();
        self.control.push(server);
        Ok(port)
    }

    /// The same at what the user gave with `--control`, if anything.
    pub fn control_at(&mut self, endpoint: Option<&str>) -> Result<(), Failure> {
        let Some(endpoint) = endpoint else { return Ok(()) };
        let endpoint = endpoint.parse().map_err(|error| Failure::input(error, "give a path, or tcp:127.0.0.1:PORT"))?;
        self.control(&endpoint).map(|_| ())
    }

    /// What a virtual machine needs to reach the boards.
    pub fn cables(&mut self) -> Result<Cables, Failure> {
        // The guest's network ends at this machine's loopback interface. A Unix-domain socket does not reach through the
        // guest's view of the host's files.
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let address = self.listen(here)?;
        let control = self.control(&Endpoint::Tcp(here))?;
        let busids: Vec<String> = self.devices.iter().map(|(busid, _)| busid.clone()).collect();
        Ok(Cables { usbip: (!busids.is_empty()).then_some((address.port(), busids)), control })
    }

    /// The first board, if there is any.
    pub fn first(&self) -> Option<&Exported<Desk>> {
        self.boards.first().map(|(_, board)| &**board)
    }

    /// Switches the boards off.
    pub fn stop(mut self) -> Result<(), Failure> {
        self.control.clear();
        for (specimen, (_, board)) in (0..).zip(&self.boards) {
            if let Some(desk) = board.stop() {
                desk.put_away(specimen)?;
            }
        }
        Ok(())
    }
}

impl Drop for Served {
    /// Ends the boards' threads, also where something went wrong.
    fn drop(&mut self) {
        self.control.clear();
        for (_, board) in &self.boards {
            board.stop();
        }
    }
}

pub fn run(
    boards: &[String],
    listen: SocketAddr,
    control: Option<&str>,
    options: &BoardOptions,
) -> Result<ExitCode, Failure> {
    let (sender, interrupted) = mpsc::channel();
    ctrlc::set_handler(move || {
        // A second Ctrl-C finds nobody waiting; the boards are being switched off.
        let _ = sender.send(());
    })
    .map_err(Failure::job)?;
    let mut served = Served::start(boards, options)?;
    let address = served.listen(listen)?;
    served.control_at(control)?;
    let mut out = std::io::stdout().lock();
    for (_, event) in &served.devices {
        if options.json { writeln!(out, "{}", device_json(event))? } else { writeln!(out, "{event}")? }
    }
    if options.json {
        writeln!(out, "{}", json!({ "ready": address.to_string() }))?
    } else {
        writeln!(out, "ready")?
    }
    out.flush()?;
    // The sender lives in the handler, for as long as the process.
    let _ = interrupted.recv();
    served.stop()?;
    Ok(ExitCode::SUCCESS)
}

fn device_json(event: &Event) -> serde_json::Value {
    match event {
        Event::Exported { busid, vendor, product, name, serial } => json!({
            "busid": busid.to_string(), "vendor": format!("{vendor:04x}"), "product": format!("{product:04x}"),
            "name": name, "serial": serial,
        }),
        other => json!({ "event": other.to_string() }),
    }
}
