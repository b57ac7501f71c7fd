//! `firmware.*`: interface firmware stands still, trips over an assertion of its own, or finds its flash damaged.
//!
//! Two of the points are at the top of native firmware's main loop. The others are damage to the interface chip's flash which
//! the chip finds at a start (power-on or restart), before its bootloader decides what to start. Damage stays, as in a flash:
//! a fault that strikes once is found at every later start.
//!
//! Here is what becomes of native firmware. Firmware that runs as an image is met on its chip: what stops or trips the core is
//! in `fault::firmware_core` and `board::firmware_faults`, what changes bits of its flash in [`super::firmware_image`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use twinboard_sim::fault::{Dice, Param, Params, PointSpec, SharedFault};
use twinboard_sim::time::{Span, Time};

use crate::daplink::{DapLinkConfig, InterfaceFlash, NonVolatile, Settings};

/// What an erased byte of flash is.
const ERASED: u8 = 0xff;

const TURN: &str = "native firmware: a turn of the main loop, at least every 30 ms while nothing else takes longer; an image: \
                    the planned time, then every millisecond in which its core executes (firmware.assert: its main \
                    program, and the chip is on the USB)";
const START: &str = "a start of the interface chip";

/// The family's points.
pub static POINTS: &[PointSpec] = &[
    PointSpec {
        name: "firmware.hang",
        what: "the interface's main loop (of an image: the whole core) stands still for `delay` (default: until the next \
               reset)",
        opportunity: TURN,
        params: &[Param::Delay.optional()],
    },
    PointSpec {
        name: "firmware.assert",
        what: "an assertion of the interface firmware fails (of an image: its core takes a HardFault), which ASSERT.TXT tells",
        opportunity: TURN,
        params: &[],
    },
    PointSpec {
        name: "firmware.config",
        what: "the key of the interface's configuration page is wrong (of an image: by one bit), so that all settings are the \
               defaults",
        opportunity: START,
        params: &[],
    },
    PointSpec {
        name: "firmware.crc",
        what: "the interface's image is damaged where nobody needs it: its CRC is `value` (default: by chance)",
        opportunity: START,
        params: &[Param::Value.optional()],
    },
    PointSpec {
        name: "firmware.vectors",
        what: "the initial stack pointer and the reset vector of the interface's image, which its bootloader looks at, are \
               erased",
        opportunity: START,
        params: &[],
    },
];

/// How long something stands still, in words.
pub(crate) fn stands_still(span: Option<Span>) -> String {
    let long = span.map_or("until the next reset".into(), |span| format!("for {} µs", span.0 / 1_000_000));
    format!("stands still {long}")
}

/// What is armed on a chip with native firmware. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct FirmwareFaults {
    /// Anything is.
    any: Arc<AtomicBool>,
    faults: Arc<Mutex<Vec<SharedFault>>>,
}

impl FirmwareFaults {
    /// Arms a fault of this family.
    pub fn add(&self, fault: SharedFault) {
        self.faults.lock().push(fault);
        self.any.store(true, Ordering::Relaxed);
    }

    /// Whether anything is armed.
    #[must_use]
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// The first that `strike` makes of the faults on `point`.
    fn first<R>(&self, point: &str, mut strike: impl FnMut(&SharedFault) -> Option<R>) -> Option<R> {
        let faults = self.faults.lock();
        faults.iter().filter(|fault| fault.point().name == point).find_map(&mut strike)
    }

    /// The main loop turns at `at`: for how long it stands still; [`Span`] of none for ever.
    #[must_use]
    pub fn hang(&self, at: Time) -> Option<Option<Span>> {
        let tell = |span: &Option<Span>| ("main loop".into(), stands_still(*span));
        self.first("firmware.hang", |fault| {
            fault.lock().strike(at, |params, _| (params.delay != Some(Span::ZERO)).then_some(params.delay), tell)
        })
    }

    /// The main loop turns at `at`, and no assertion has failed yet if `fresh`: whether one does.
    #[must_use]
    pub fn asserts(&self, at: Time, fresh: bool) -> bool {
        let tell = |(): &()| ("main loop".into(), "an assertion failed".into());
        self.first("firmware.assert", |fault| fault.lock().strike(at, |_, _| fresh.then_some(()), tell)).is_some()
    }

    /// The chip called `config` starts at `at`: does to its flash what was done to it.
    pub(crate) fn damage(&self, at: Time, flash: &NonVolatile, config: &DapLinkConfig) {
        self.first("firmware.config", |fault| {
            let changes = flash.settings() != Settings::default();
            let tell = |(): &()| ("configuration page".into(), "all settings are the defaults".into());
            fault.lock().strike(at, |_, _| changes.then_some(()), tell)?;
            flash.change(|settings| *settings = Settings::default());
            Some(())
        });
        self.first("firmware.crc", |fault| {
            let native = flash.with_interface(|flash| *flash == InterfaceFlash::Native);
            let crc = flash.damaged_crc().unwrap_or(config.interface_crc);
            let tell = |new: &u32| ("interface image".into(), format!("its CRC is {new:#010x}, not {crc:#010x}"));
            let act = |params: &Params, dice: &mut Dice| {
                let new = params.value.unwrap_or_else(|| dice.bits());
                (native && new != crc).then_some(new)
            };
            flash.set_damaged_crc(fault.lock().strike(at, act, tell)?);
            Some(())
        });
        self.first("firmware.vectors", |fault| {
            let chip = config.chip();
            let starts = flash.with_interface(|flash| flash.is_startable(chip));
            let tell = |(): &()| ("interface image".into(), "its first eight bytes are erased".into());
            fault.lock().strike(at, |_, _| starts.then_some(()), tell)?;
            flash.with_interface(|flash| match flash {
                InterfaceFlash::Native => *flash = InterfaceFlash::Written(vec![ERASED; chip.interface.len()]),
                InterfaceFlash::Written(bytes) => bytes.iter_mut().take(8).for_each(|byte| *byte = ERASED),
            });
            Some(())
        });
    }
}
