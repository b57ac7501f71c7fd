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

const ACTIONS: [(&Name, Action); 16] = [
    (b"START_BLACT", Action::StartBootloader),
    (b"ASSERT  ACT", Action::Assert),
    (b"REFRESH ACT", Action::Refresh),
    (b"ERASE   ACT", Action::Erase),
    (b"AUTO_RSTCFG", Action::AutoReset(true)),
    (b"HARD_RSTCFG", Action::AutoReset(false)),
    (b"AUTO_ON CFG", Action::Automation(true)),
    (b"AUTO_OFFCFG", Action::Automation(false)),
    (b"OVFL_ON CFG", Action::Overflow(true)),
    (b"OVFL_OFFCFG", Action::Overflow(false)),
    (b"MSD_ON  CFG", Action::Drive(true)),
    (b"MSD_OFF CFG", Action::Drive(false)),
    (b"COMP_ON CFG", Action::Compatibility(true)),
    (b"COMP_OFFCFG", Action::Compatibility(false)),
    (b"PAGE_ON ACT", Action::PageErase(true)),
    (b"PAGE_OFFACT", Action::PageErase(false)),
];

impl Action {
    /// What a new file called `name` does, if anything.
    #[must_use]
    pub fn of(name: &Name) -> Option<Action> {
        ACTIONS.iter().find(|(file, _)| *file == name).map(|(_, action)| *action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_whole() {
        assert_eq!(Action::of(b"AUTO_OFFCFG"), Some(Action::Automation(false)));
        assert_eq!(Action::of(b"AUTO_OFFTXT"), None);
    }
}
