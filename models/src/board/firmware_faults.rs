//! `firmware.*` on a board: in native firmware, or on the emulated chip that runs an image in its place.

use twinboard_sim::fault::{ArmError, Dice, Params, SharedFault};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};

use super::powered::{Model, Powered};
use crate::fault::firmware::stands_still;
use crate::fault::firmware_core::FirmwareCore;
use crate::fault::firmware_image::Contents;
use crate::fault::power::Timed;

impl Model {
    /// Runs `f` on an emulated chip.
    fn with_firmware<T>(&self, f: impl FnOnce(&mut dyn FirmwareCore) -> T) -> Option<T> {
        match self {
            Model::DapLink(_) => None,
            Model::Nrf5(chip) => Some(f(&mut *chip.lock())),
            Model::Kinetis(chip) => Some(f(&mut *chip.lock())),
        }
    }
}

impl Powered {
    pub(super) fn arm_firmware(&mut self, fault: &SharedFault) -> Result<(), ArmError> {
        let point = fault.point().name;
        let missing = |reason: String| ArmError::NotHere { point: point.into(), reason };
        let native = self.chips.iter().find_map(|(_, model)| match model {
            Model::DapLink(chip) => Some(chip),
            _ => None,
        });
        if let Some(chip) = native {
            chip.lock().firmware_faults().add(fault.clone());
            return Ok(());
        }
        let Some((index, layout)) = self.emulated else {
            return Err(missing("no chip of it runs interface firmware".into()));
        };
        let model = &self.chips[index].1;
        let flash = model.flash().unwrap_or_default();
        if let Some(reason) = Contents::new(layout, &flash).refuses(point) {
            return Err(missing(reason));
        }
        if matches!(point, "firmware.hang" | "firmware.assert") {
            self.faults.cores.push(Timed::new(fault.clone(), index, self.board.now()));
        } else {
            model.with_firmware(|chip| chip.arm_image(layout, fault));
        }
        Ok(())
    }

    /// Does what faults do to the cores of emulated interface chips.
    pub(super) fn pass_firmware_faults(&mut self) {
        let now = self.board.now();
        let powered = self.board.is_powered();
        let Powered { board, chips, faults, .. } = self;
        for timed in &mut faults.cores {
            let Some((fault, index)) = timed.opportunity(now, powered) else { continue };
            let (name, model) = &chips[index];
            // Brought to the board's time.
            let _ = board.chip(name);
            let mut fault = fault.lock();
            let place = |pc: u32| format!("core of {name}, at {pc:#010x}");
            if fault.point().name == "firmware.hang" {
                let Some(pc) = model.with_firmware(|chip| chip.executes_at()).flatten() else { continue };
                let tell = |span: &Option<Span>| (place(pc), stands_still(*span));
                let act = |params: &Params, _: &mut Dice| (params.delay != Some(Span::ZERO)).then_some(params.delay);
                if let Some(span) = fault.strike(now, act, tell) {
                    let until = span.map_or(Time::NEVER, |span| now + span);
                    model.with_firmware(|chip| chip.stall(until));
                }
            } else if let Some(pc) = model.with_firmware(|chip| chip.trips_at()).flatten() {
                let effect = "EPSR.T became 0: HardFault instead of the next instruction";
                if fault.strike(now, |_, _| Some(()), |()| (place(pc), effect.into())).is_some() {
                    model.with_firmware(|chip| chip.trip());
                }
            }
        }
    }
}
