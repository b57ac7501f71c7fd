//! What a board's parts were at while something took its time: where the seconds of a flash go.

use twinboard_sim::activity::{Stretch, gaps};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::Time;

use super::powered::{Model, Powered};

/// When the parts of a board were at work. Stretches may overlap, also within one list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BoardActivity {
    /// The target's flash controller erased.
    pub flash_erase: Vec<Stretch>,
    /// It wrote words.
    pub flash_program: Vec<Stretch>,
    /// The debug wire was clocked: from the first to the last edge of each burst of edges.
    pub swd_wire: Vec<Stretch>,
    /// The interface chip's CPU worked. Native firmware: on a file's bytes, and on SWD transfers beside their bits. An
    /// emulated chip: its core neither slept nor waited in a loop that was found to change nothing.
    pub interface_cpu: Vec<Stretch>,
}

impl Powered {
    /// From now on keeps what the parts are at, or does not any more. It costs memory: some ten bytes per word of flash.
    pub fn record_activity(&mut self, on: bool) {
        self.swd_activity.record(on);
        if let Some(target) = self.target() {
            let target = target.lock();
            target.flash_activity().erase.record(on);
            target.flash_activity().program.record(on);
        }
        for (index, (_, model)) in self.chips.iter().enumerate() {
            match model {
                Model::DapLink(chip) => chip.lock().busy().record(on),
                Model::Kinetis(chip) => chip.lock().record_idle(on),
                Model::Nrf5(chip) if self.target != Some(index) => chip.lock().record_idle(on),
                Model::Nrf5(_) => {}
            }
        }
    }

    /// What the parts were at from `from`, when the recording began or later, until now.
    pub fn take_activity(&mut self, from: Time) -> BoardActivity {
        let now = self.now();
        let mut activity = BoardActivity { swd_wire: self.swd_activity.take(), ..BoardActivity::default() };
        if let Some(target) = self.target() {
            let target = target.lock();
            activity.flash_erase = target.flash_activity().erase.take();
            activity.flash_program = target.flash_activity().program.take();
        }
        for (index, (_, model)) in self.chips.iter().enumerate() {
            let busy = match model {
                Model::DapLink(chip) => chip.lock().busy().take(),
                Model::Kinetis(chip) => gaps(from, now, chip.lock().take_idle()),
                Model::Nrf5(chip) if self.target != Some(index) => gaps(from, now, chip.lock().take_idle()),
                Model::Nrf5(_) => continue,
            };
            activity.interface_cpu.extend(busy);
        }
        activity
    }
}
