//! Action and configuration files: creating a file of such a name in the root directory does something.
//!
//! They count only when automation is allowed or the reset button is held. All but ASSERT.ACT mount the drive again.

use super::volume::Name;

/// What a magic file does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// START_BL.ACT: restart into the bootloader.
    StartBootloader,
    /// ASSERT.ACT: an assertion fails, for testing.
    Assert,
    /// REFRESH.ACT: nothing but the remount.
    Refresh,
    /// ERASE.ACT: erase the target.
    Erase,
    /// AUTO_RST.CFG and HARD_RST.CFG: reset the target after programming, or do not.
    AutoReset(bool),
    /// AUTO_ON.CFG and AUTO_OFF.CFG.
    Automation(bool),
    /// OVFL_ON.CFG and OVFL_OFF.CFG.
    Overflow(bool),
    /// MSD_ON.CFG and MSD_OFF.CFG: the drive is there, or not, after the next restart.
    Drive(bool),
    /// COMP_ON.CFG and COMP_OFF.CFG: refuse incompatible images.
    Compatibility(bool),
    /// PAGE_ON.ACT and PAGE_OFF.ACT: what DETAILS.TXT says about page erasing.
    PageErase(bool),
}

/// The name of a file, and what its creation does.
pub type ActionFile = (&'static Name, Action);

impl Action {
    /// What a new file called `name` does by `actions`, if anything.
    #[must_use]
    pub fn of(name: &Name, actions: &[ActionFile]) -> Option<Action> {
        actions.iter().find(|(file, _)| *file == name).map(|(_, action)| *action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daplink::personality::{MICROBIT_V1, MICROBIT_V2};

    #[test]
    fn names_are_matched_whole() {
        let actions = MICROBIT_V2.drive.actions;
        assert_eq!(Action::of(b"AUTO_OFFCFG", actions), Some(Action::Automation(false)));
        assert_eq!(Action::of(b"AUTO_OFFTXT", actions), None);
    }

    #[test]
    fn version_0253_has_no_files_for_what_came_later() {
        let actions = MICROBIT_V1.drive.actions;
        assert_eq!(Action::of(b"ERASE   ACT", actions), Some(Action::Erase));
        for name in [b"MSD_OFF CFG", b"COMP_ON CFG", b"PAGE_ON ACT"] {
            assert_eq!(Action::of(name, actions), None);
        }
    }
}
