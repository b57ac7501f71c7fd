//! Faults on a board: which points it offers, and where each is armed.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::board::Stop;
use twinboard_sim::fault::{ArmError, Param, SharedFault};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};

use super::powered::{Model, Powered};
use super::wire_faults::OnWires;
use crate::fault::clock::{MOST_OFF, Offsets};
use crate::fault::flash::{FlashFaults, SharedFlashFaults};
use crate::fault::power::{Blow, Outage, Timed};
use crate::fault::usb::UsbFaults;

/// Everything that is armed on a board.
#[derive(Debug)]
pub(super) struct Faults {
    /// At the USB socket.
    pub(super) usb: UsbFaults,
    /// On nets, buses and the debug wires.
    pub(super) wires: OnWires,
    /// In flashes: the chips' indices, and what is armed there.
    flash: Vec<(usize, SharedFlashFaults)>,
    /// By time alone.
    timed: Vec<Timed>,
    /// On the cores of emulated interface chips, by time alone.
    pub(super) cores: Vec<Timed>,
    /// Clocks that are off.
    clocks: Offsets,
    /// What takes the power away.
    outage: Outage,
    /// When power comes back, and whether it had only sagged.
    back: Option<(Time, bool)>,
    /// Reset inputs that are low, by their chips' indices, and until when.
    pulses: Vec<(Time, usize)>,
}

impl Faults {
    /// None on a board that stops at `stop` and has these `wires`.
    pub(super) fn new(stop: Stop, wires: OnWires) -> Faults {
        Faults {
            usb: UsbFaults::default(),
            wires,
            flash: Vec::new(),
            timed: Vec::new(),
            cores: Vec::new(),
            clocks: Offsets::default(),
            outage: Outage::new(stop),
            back: None,
            pulses: Vec::new(),
        }
    }

    /// When time alone changes something; `now`, if it has already.
    pub(super) fn next(&self, now: Time) -> Time {
        let timed = self.timed.iter().chain(&self.cores).map(Timed::next);
        let pulses = self.pulses.iter().map(|(end, _)| *end);
        let back = self.back.map(|(at, _)| at);
        let others = self.usb.next().min(self.outage.next()).min(self.wires.next(now)).min(self.clocks.next(now));
        timed.chain(pulses).chain(back).min().unwrap_or(Time::NEVER).min(others)
    }

    /// When a chip's clock changes its frequency; `now`, if it is to do so now.
    pub(super) fn next_clock(&self, now: Time) -> Time {
        self.clocks.next(now)
    }
}

impl Powered {
    /// Does what faults do by time alone.
    pub(super) fn pass_faults(&mut self) {
        let now = self.board.now();
        self.faults.usb.pass(now);
        self.faults.wires.pass(&mut self.board);
        let powered = self.board.is_powered();
        let Powered { board, chips, relay, faults, .. } = self;
        faults.clocks.pass(now, powered, |index, ppm| {
            let (name, model) = &chips[index];
            // Brought to the board's time.
            let _ = board.chip(name);
            match (model, &*relay) {
                (Model::DapLink(_), Some(relay)) => relay.lock().set_clock_offset(now, ppm),
                _ => model.set_clock_offset(now, ppm),
            }
        });
        if let Some((_, sagged)) = self.faults.back.take_if(|(at, _)| *at <= now) {
            self.supply(|supply| supply.failed = false);
            if sagged {
                self.sag(false);
            }
        }
        while let Some(index) = self.faults.pulses.iter().position(|(end, _)| *end <= now) {
            let (_, chip) = self.faults.pulses.swap_remove(index);
            self.pull_reset(chip, false);
        }
        if let Some(away) = self.faults.outage.due(now) {
            self.lose_power(away, false);
        }
        for index in 0..self.faults.timed.len() {
            let powered = self.board.is_powered();
            let mut timed = self.faults.timed[index].clone();
            let blow = timed.pass(now, powered, |blow| match blow {
                Blow::Glitch(chip, _) => self.has_reset_input(*chip),
                _ => true,
            });
            self.faults.timed[index] = timed;
            match blow {
                Some(Blow::Cut(away)) => self.lose_power(away, false),
                Some(Blow::BrownOut(away)) => self.lose_power(away, true),
                Some(Blow::Glitch(chip, span)) => {
                    self.pull_reset(chip, true);
                    self.faults.pulses.push((now + span, chip));
                }
                None => {}
            }
        }
        self.pass_firmware_faults();
    }

    /// The board has no power (or, `sagging`, too little) for so long.
    fn lose_power(&mut self, away: Span, sagging: bool) {
        if !self.board.is_powered() {
            return;
        }
        self.faults.pulses.clear();
        if sagging {
            self.sag(true);
        }
        self.supply(|supply| supply.failed = true);
        self.faults.back = Some((self.board.now() + away, sagging));
    }

    /// The chips have enough voltage to keep what is in their RAM, and not enough to run; or that is over.
    fn sag(&self, sagging: bool) {
        for (_, model) in &self.chips {
            if let Model::Kinetis(chip) = model {
                chip.lock().set_sagging(sagging);
            }
        }
    }

    /// Whether a pulse on the reset input of the chip number `index` would reset it.
    fn has_reset_input(&self, index: usize) -> bool {
        match self.chips.get(index) {
            Some((_, Model::Nrf5(chip))) => chip.lock().has_reset_pin(),
            Some(_) => true,
            None => false,
        }
    }

    /// Pulls the reset input of the chip number `index` low, or lets it go.
    fn pull_reset(&mut self, index: usize, low: bool) {
        let Some((name, model)) = self.chips.get(index) else { return };
        let now = self.board.now();
        // Brought to the board's time.
        let _ = self.board.chip(name);
        match (model, &self.relay) {
            (Model::Nrf5(chip), _) => chip.lock().drive_reset_pin(low),
            (Model::Kinetis(chip), _) => chip.lock().drive_reset_pin(now, low),
            (Model::DapLink(_), Some(relay)) => relay.lock().pull_reset(now, low),
            (Model::DapLink(chip), None) => chip.lock().restart(now),
        }
    }

    /// Arms a fault on this board.
    ///
    /// # Errors
    /// [`ArmError`] if the board has no such point, or a parameter does not fit it.
    pub fn arm(&mut self, fault: &SharedFault) -> Result<(), ArmError> {
        if let Some(done) = self.arm_on_wires(fault) {
            return done;
        }
        let point = fault.point();
        let missing = |reason: &str| ArmError::NotHere { point: point.name.into(), reason: reason.into() };
        let family = point.name.split_once('.').map_or(point.name, |(family, _)| family);
        match family {
            "usb" if self.ports() > 0 => {
                self.faults.usb.add(fault.clone());
                Ok(())
            }
            "usb" => Err(missing("it has no USB socket")),
            "flash" => self.arm_flash(fault),
            "power" | "reset" => {
                let chip = if family == "reset" { self.concerned(fault)? } else { 0 };
                self.faults.timed.push(Timed::new(fault.clone(), chip, self.board.now()));
                Ok(())
            }
            "clock" => self.arm_clock(fault),
            "firmware" => self.arm_firmware(fault),
            _ => Err(missing("it belongs to something that is not on it")),
        }
    }

    /// The index of the chip that a fault is armed on: the one it names, else the target.
    fn concerned(&self, fault: &SharedFault) -> Result<usize, ArmError> {
        let point = fault.point().name;
        let known = || self.chips.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let Some(wanted) = fault.lock().params().chip.clone() else {
            let reason = || format!("it has no target; its chips are {}", known());
            return self.target.ok_or_else(|| ArmError::NotHere { point: point.into(), reason: reason() });
        };
        self.chips.iter().position(|(name, _)| *name == wanted).ok_or_else(|| ArmError::Param {
            point: point.into(),
            param: Param::Chip,
            message: format!("there is no chip {wanted}; this board has {}", known()),
        })
    }

    fn arm_clock(&mut self, fault: &SharedFault) -> Result<(), ArmError> {
        let index = self.concerned(fault)?;
        let (name, model) = &self.chips[index];
        if fault.point().name == "clock.offset" {
            let ppm = fault.lock().params().ppm.unwrap_or(0);
            if !(-MOST_OFF..=MOST_OFF).contains(&ppm) {
                let reason = "no oscillator of such a chip is further off";
                let message = format!("a ppm of -{MOST_OFF} to {MOST_OFF} was expected, not {ppm}: {reason}");
                return Err(ArmError::Param { point: fault.point().name.into(), param: Param::Ppm, message });
            }
            self.faults.clocks.add(fault.clone(), index, name, self.board.now());
            return Ok(());
        }
        let armed = match model {
            Model::Nrf5(chip) => {
                chip.lock().arm_clock(fault);
                true
            }
            Model::Kinetis(chip) => chip.lock().arm_clock(fault),
            Model::DapLink(_) => false,
        };
        let reason = || format!("its chip {name} runs native firmware or has no crystal");
        let missing = || ArmError::NotHere { point: fault.point().name.into(), reason: reason() };
        armed.then_some(()).ok_or_else(missing)
    }

    fn arm_flash(&mut self, fault: &SharedFault) -> Result<(), ArmError> {
        let index = self.concerned(fault)?;
        let wrong = |param, message: String| ArmError::Param { point: fault.point().name.into(), param, message };
        let params = fault.lock().params().clone();
        if let Some(factor) = params.factor
            && !(factor > 0.0 && factor <= 1e6)
        {
            return Err(wrong(Param::Factor, format!("more than 0 and at most 1000000 was expected, not {factor}")));
        }
        if let Some(bit) = params.bit.filter(|bit| *bit > 31) {
            return Err(wrong(Param::Bit, format!("0 to 31 was expected, not {bit}")));
        }
        let shared = match self.faults.flash.iter().find(|(chip, _)| *chip == index) {
            Some((_, shared)) => shared.clone(),
            None => {
                let (name, model) = &self.chips[index];
                let page = match model {
                    Model::Nrf5(chip) => chip.lock().table().flash.page,
                    Model::Kinetis(chip) => chip.lock().table().flash.sector,
                    Model::DapLink(chip) => chip.lock().flash_sector(),
                };
                let shared = Arc::new(Mutex::new(FlashFaults::new(name, page, self.faults.outage.clone())));
                match (model, &self.relay) {
                    (Model::DapLink(_), Some(relay)) => relay.lock().set_flash_faults(&shared),
                    _ => model.set_flash_faults(&shared),
                }
                self.faults.flash.push((index, shared.clone()));
                shared
            }
        };
        shared.lock().add(fault.clone());
        Ok(())
    }
}
