//! The protocol's side of the channel: what `gdbstub` asks of a target becomes a request to whoever holds the core.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use gdbstub::common::Signal;
use gdbstub::stub::SingleThreadStopReason;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::single_register_access::{SingleRegisterAccess, SingleRegisterAccessOps};
use gdbstub::target::ext::base::singlethread::{
    SingleThreadBase, SingleThreadResume, SingleThreadResumeOps, SingleThreadSingleStep, SingleThreadSingleStepOps,
};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint,
    SwBreakpointOps, WatchKind,
};
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd, MonitorCmdOps, output};
use gdbstub::target::ext::target_description_xml_override::{
    TargetDescriptionXmlOverride, TargetDescriptionXmlOverrideOps,
};
use gdbstub::target::{Target, TargetError, TargetResult};
use gdbstub_arch::arm::ArmBreakpointKind;

use super::arch::{CortexM, RegisterNumber, RegisterSet, WireRegisters, description, places};
use super::monitor::Command;
use super::session::{Halted, Session, read_bytes, read_place, write_bytes, write_place};
use crate::cpu::Cpu;

/// How long a reset may take, in the user's time.
const RESET_LIMIT: Duration = Duration::from_secs(2);

/// Something to be done by whoever holds the core, with the way back for the answer.
pub type Request = Box<dyn FnOnce(&mut dyn Cpu, &mut Session) + Send>;

/// Whoever holds the core went away.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the board is gone")]
pub struct Gone;

/// A core at the other end of a channel, as `gdbstub` sees it.
pub struct Remote {
    requests: Sender<Request>,
    /// Where the notice comes in while the core runs.
    running: Option<Receiver<Halted>>,
    set: RegisterSet,
}

impl Remote {
    /// Begins a session: the core is halted.
    pub fn attach(requests: Sender<Request>) -> Result<Remote, Gone> {
        let mut remote = Remote { requests, running: None, set: RegisterSet { v7: false, fpu: false } };
        remote.set = remote.ask(|cpu, session| session.begin(cpu))?;
        Ok(remote)
    }

    /// Ends a session: what it set is cleared, and the core runs.
    pub fn detach(self) -> Result<(), Gone> {
        self.ask(|cpu, session| session.end(cpu))
    }

    /// Has `f` done by whoever holds the core, and waits for the answer.
    pub fn ask<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut dyn Cpu, &mut Session) -> R + Send + 'static,
    ) -> Result<R, Gone> {
        let (answer, answered) = channel();
        let request: Request = Box::new(move |cpu, session| {
            // If the session is over, nobody needs to know.
            let _ = answer.send(f(cpu, session));
        });
        self.requests.send(request).map_err(|_| Gone)?;
        answered.recv().map_err(|_| Gone)
    }

    /// Lets the core go, and takes note of its next halt.
    fn go(&mut self, step: bool) -> Result<(), Gone> {
        let (notice, running) = channel();
        self.running = Some(running);
        self.ask(move |cpu, session| session.go(cpu, step, notice))
    }

    /// Resets the chip and waits until the core stands before its first instruction.
    fn reset(&mut self) -> Result<&'static str, Gone> {
        let (notice, running) = channel();
        self.ask(move |cpu, session| session.reset(cpu, notice))?;
        match running.recv_timeout(RESET_LIMIT) {
            Ok(_) => Ok("reset, halted before the first instruction\n"),
            Err(RecvTimeoutError::Timeout) => {
                self.interrupt()?;
                Ok("reset, but the first instruction was not reached; halted\n")
            }
            Err(RecvTimeoutError::Disconnected) => Err(Gone),
        }
    }

    /// The reason if the core has halted since it was let go.
    pub fn stopped(&mut self) -> Result<Option<SingleThreadStopReason<u32>>, Gone> {
        let Some(running) = &self.running else { return Ok(None) };
        match running.try_recv() {
            Ok(halted) => {
                self.running = None;
                Ok(Some(stop_reason(halted)))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Gone),
        }
    }

    /// Ctrl-C.
    pub fn interrupt(&mut self) -> Result<SingleThreadStopReason<u32>, Gone> {
        self.running = None;
        self.ask(|cpu, session| session.stop(cpu))?;
        Ok(SingleThreadStopReason::Signal(Signal::SIGINT))
    }

    fn breakpoint(&mut self, address: u32, set: bool) -> TargetResult<bool, Self> {
        self.ask(move |cpu, session| session.breakpoint(cpu, address, set)).map_err(TargetError::Fatal)?;
        Ok(true)
    }

    fn watchpoint(&mut self, address: u32, len: u32, kind: WatchKind, set: bool) -> TargetResult<bool, Self> {
        self.ask(move |cpu, session| session.watchpoint(cpu, address, len, kind, set)).map_err(TargetError::Fatal)?;
        Ok(true)
    }
}

fn stop_reason(halted: Halted) -> SingleThreadStopReason<u32> {
    match halted {
        Halted::Step => SingleThreadStopReason::DoneStep,
        Halted::Watchpoint { address, kind } => SingleThreadStopReason::Watch { tid: (), kind, addr: address },
        Halted::Other => SingleThreadStopReason::Signal(Signal::SIGTRAP),
    }
}

impl Target for Remote {
    type Arch = CortexM;
    type Error = Gone;

    fn base_ops(&mut self) -> BaseOps<'_, CortexM, Gone> {
        BaseOps::SingleThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    fn support_target_description_xml_override(&mut self) -> Option<TargetDescriptionXmlOverrideOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadBase for Remote {
    fn read_registers(&mut self, registers: &mut WireRegisters) -> TargetResult<(), Self> {
        let places = places(self.set);
        registers.0 = self
            .ask(move |cpu, _| {
                let mut bytes = Vec::new();
                for place in places {
                    read_place(cpu, place, &mut bytes);
                }
                bytes
            })
            .map_err(TargetError::Fatal)?;
        Ok(())
    }

    fn write_registers(&mut self, registers: &WireRegisters) -> TargetResult<(), Self> {
        let (places, bytes) = (places(self.set), registers.0.clone());
        self.ask(move |cpu, _| {
            let mut rest = bytes.as_slice();
            for place in places {
                let (field, others) = rest.split_at(place.bytes().min(rest.len()));
                write_place(cpu, place, field);
                rest = others;
            }
        })
        .map_err(TargetError::Fatal)
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, (), Self>> {
        Some(self)
    }

    fn read_addrs(&mut self, start: u32, data: &mut [u8]) -> TargetResult<usize, Self> {
        let len = data.len();
        let bytes = self.ask(move |cpu, _| read_bytes(cpu, start, len)).map_err(TargetError::Fatal)?;
        if bytes.is_empty() && len > 0 {
            return Err(TargetError::NonFatal);
        }
        data[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn write_addrs(&mut self, start: u32, data: &[u8]) -> TargetResult<(), Self> {
        let bytes = data.to_vec();
        let done = self.ask(move |cpu, _| write_bytes(cpu, start, &bytes)).map_err(TargetError::Fatal)?;
        if done { Ok(()) } else { Err(TargetError::NonFatal) }
    }

    fn support_resume(&mut self) -> Option<SingleThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl SingleRegisterAccess<()> for Remote {
    fn read_register(&mut self, (): (), number: RegisterNumber, buffer: &mut [u8]) -> TargetResult<usize, Self> {
        let place = places(self.set).get(number.0).copied().ok_or(TargetError::NonFatal)?;
        let bytes = self
            .ask(move |cpu, _| {
                let mut bytes = Vec::new();
                read_place(cpu, place, &mut bytes);
                bytes
            })
            .map_err(TargetError::Fatal)?;
        let target = buffer.get_mut(..bytes.len()).ok_or(TargetError::NonFatal)?;
        target.copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn write_register(&mut self, (): (), number: RegisterNumber, value: &[u8]) -> TargetResult<(), Self> {
        let place = places(self.set).get(number.0).copied().ok_or(TargetError::NonFatal)?;
        let bytes = value.to_vec();
        self.ask(move |cpu, _| write_place(cpu, place, &bytes)).map_err(TargetError::Fatal)
    }
}

impl SingleThreadResume for Remote {
    fn resume(&mut self, _signal: Option<Signal>) -> Result<(), Gone> {
        self.go(false)
    }

    fn support_single_step(&mut self) -> Option<SingleThreadSingleStepOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadSingleStep for Remote {
    fn step(&mut self, _signal: Option<Signal>) -> Result<(), Gone> {
        self.go(true)
    }
}

impl Breakpoints for Remote {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

/// Software breakpoints are as good as hardware ones here: nothing is written into the program.
impl SwBreakpoint for Remote {
    fn add_sw_breakpoint(&mut self, address: u32, _kind: ArmBreakpointKind) -> TargetResult<bool, Self> {
        self.breakpoint(address, true)
    }

    fn remove_sw_breakpoint(&mut self, address: u32, _kind: ArmBreakpointKind) -> TargetResult<bool, Self> {
        self.breakpoint(address, false)
    }
}

impl HwBreakpoint for Remote {
    fn add_hw_breakpoint(&mut self, address: u32, _kind: ArmBreakpointKind) -> TargetResult<bool, Self> {
        self.breakpoint(address, true)
    }

    fn remove_hw_breakpoint(&mut self, address: u32, _kind: ArmBreakpointKind) -> TargetResult<bool, Self> {
        self.breakpoint(address, false)
    }
}

impl HwWatchpoint for Remote {
    fn add_hw_watchpoint(&mut self, address: u32, len: u32, kind: WatchKind) -> TargetResult<bool, Self> {
        self.watchpoint(address, len, kind, true)
    }

    fn remove_hw_watchpoint(&mut self, address: u32, len: u32, kind: WatchKind) -> TargetResult<bool, Self> {
        self.watchpoint(address, len, kind, false)
    }
}

impl MonitorCmd for Remote {
    fn handle_monitor_cmd(&mut self, command: &[u8], mut out: ConsoleOutput<'_>) -> Result<(), Gone> {
        let answer = match Command::parse(command) {
            Some(Command::Reset) => self.reset()?,
            // GDB stops the core before it sends anything.
            Some(Command::Halt) => "halted\n",
            None => Command::USAGE,
        };
        output!(out, "{answer}");
        Ok(())
    }
}

impl TargetDescriptionXmlOverride for Remote {
    fn target_description_xml(
        &self,
        _annex: &[u8],
        offset: u64,
        length: usize,
        buffer: &mut [u8],
    ) -> TargetResult<usize, Self> {
        let xml = description(self.set);
        let rest = usize::try_from(offset).ok().and_then(|offset| xml.as_bytes().get(offset..)).unwrap_or_default();
        let len = rest.len().min(length).min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}
