//! Doing what a person does.

use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::{Drive, Level};

use super::MAX_MS;
use super::action::{Action, Answer, Info, LedState, PinSetting, PinState, Rows, SerialText};
#[cfg(test)]
use super::look::Happening;
use super::look::{Condition, Listener, NotWaited, View, Waiter, What};
use super::plan::Step;
use super::serial::SerialTap;
use crate::board::parts::{Hold, HoldError};
use crate::board::powered::{Model, NoSuchButton, Powered};
use crate::parts::led;
use crate::parts::world::{Attitude, Gesture};

/// How long the reset button is held.
const RESET: Span = Span::ms(100);
/// What the board's temperature sensors are made for, in degrees Celsius.
const TEMPERATURES: std::ops::RangeInclusive<f64> = -40.0..=105.0;
/// What a battery may have, in millivolts: less than the chips live on, so that one sees what firmware makes of an
/// empty one, up to the most that they stand.
const BATTERIES: std::ops::RangeInclusive<u16> = 1_000..=3_600;
/// The supply, in millivolts: above half of it a wire is high.
const SUPPLY: u16 = 3_300;

/// Why an action was not done.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ActError {
    /// There is no such button.
    #[error(transparent)]
    Button(#[from] NoSuchButton),
    /// There is no such wire.
    #[error("there is no wire {name}; this board has {known}")]
    Pin {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// There is no such gesture.
    #[error(
        "up, down, left, right, face up, face down, shake, freefall, 3g, 6g or 8g was expected as a gesture, not {0}"
    )]
    Gesture(String),
    /// A number is out of range.
    #[error("{what}: {expected} was expected, not {given}")]
    Range {
        /// Which number.
        what: &'static str,
        /// What was expected.
        expected: String,
        /// What was given.
        given: String,
    },
    /// The board lacks something.
    #[error("this board has no {0}")]
    Missing(&'static str),
    /// It cannot be done without power.
    #[error("the board is without power: plug it in, connect a battery, or switch it on")]
    NoPower,
    /// Too much is under way.
    #[error("too many buttons are waiting to be released")]
    TooMany,
}

fn angle(what: &'static str, degrees: f64) -> Result<f64, ActError> {
    // A comparison with NaN is false.
    if degrees.abs() <= 360.0 {
        return Ok(degrees);
    }
    Err(ActError::Range { what, expected: "an angle from -360 to 360 degrees".into(), given: degrees.to_string() })
}

fn milliseconds(ms: u32) -> Result<Span, ActError> {
    if ms <= MAX_MS {
        return Ok(Span::ms(ms.into()));
    }
    Err(ActError::Range { what: "ms", expected: format!("at most {MAX_MS} ms"), given: ms.to_string() })
}

impl Powered {
    /// Does what a person does, now.
    ///
    /// # Errors
    /// [`ActError`]; then nothing was done.
    pub fn act(&mut self, action: &Action) -> Result<Answer, ActError> {
        let now = self.now();
        match action {
            Action::Press { button, ms } => {
                let span = ms.map(milliseconds).transpose()?;
                self.press_for(button, span)?;
            }
            Action::Release { button } => self.press(button, false)?,
            Action::Reset => self.press_for("reset", Some(RESET))?,
            Action::Tilt { right, up } => {
                let (roll, pitch) = (angle("right", *right)?, angle("up", *up)?);
                let mut world = self.world.lock();
                let bearing = world.attitude().bearing;
                world.hold(Attitude { bearing, pitch, roll });
            }
            Action::Gesture { name } => {
                let gesture = Gesture::named(name).ok_or_else(|| ActError::Gesture(name.clone()))?;
                self.world.lock().make(gesture, now);
            }
            Action::Acceleration { x, y, z } => {
                // The sensor's largest range is ±16 g.
                let axes = range("acceleration", [*x, *y, *z], 16_000)?;
                self.world.lock().acceleration = axes;
            }
            Action::Compass { bearing } => {
                let bearing = angle("bearing", *bearing)?;
                self.world.lock().turn(bearing);
            }
            Action::MagneticField { x, y, z } => {
                // ±50 gauss is where the sensor saturates.
                let axes = range("magnetic-field", [*x, *y, *z], 5_000_000)?;
                self.world.lock().magnetic_field = axes;
            }
            Action::Temperature { celsius } => {
                if !TEMPERATURES.contains(celsius) {
                    let expected = "-40 to 105 degrees".into();
                    return Err(ActError::Range { what: "celsius", expected, given: celsius.to_string() });
                }
                self.world.lock().temperature = (celsius * 4.0).round() as i32;
            }
            Action::Light { level } => self.world.lock().light = *level,
            Action::Screen => return self.rows().map(Answer::Screen).ok_or(ActError::Missing("display")),
            Action::Leds => return Ok(Answer::Leds(self.led_states())),
            Action::Pins => return Ok(Answer::Pins(self.pins())),
            Action::Pin { name, set } => self.hold_pin(name, *set)?,
            Action::Serial => return self.serial_text().map(Answer::Serial),
            Action::Send { text, baud } => return self.send(text, *baud).map(Answer::Sent),
            Action::Unplug => self.supply(|supply| supply.cable = false),
            Action::Plug => self.supply(|supply| supply.cable = true),
            Action::Battery { on, mv } => {
                if let Some(mv) = mv
                    && !BATTERIES.contains(mv)
                {
                    let expected = format!("{} to {} mV", BATTERIES.start(), BATTERIES.end());
                    return Err(ActError::Range { what: "mv", expected, given: mv.to_string() });
                }
                self.supply(|supply| {
                    supply.battery = *on;
                    supply.battery_mv = mv.unwrap_or(supply.battery_mv);
                });
            }
            Action::Power { on } => self.supply(|supply| supply.switch = *on),
            Action::Info => return Ok(Answer::Info(Box::new(self.info()))),
        }
        Ok(Answer::Done)
    }

    /// Presses a button, and plans its release if it is not to be held for ever.
    fn press_for(&mut self, button: &str, span: Option<Span>) -> Result<(), ActError> {
        self.press(button, true)?;
        let (Some(span), Some(index)) = (span, self.buttons.iter().position(|known| known.name == button)) else {
            return Ok(());
        };
        let step = Step::Release { button: index, press: self.buttons[index].press };
        if self.plan.add(self.now() + span, step) {
            return Ok(());
        }
        self.press(button, false)?;
        Err(ActError::TooMany)
    }

    /// Does the planned steps that are due.
    pub(in crate::board) fn follow_plan(&mut self) {
        while let Some(step) = self.plan.due(self.now()) {
            let Step::Release { button, press } = step;
            // Pressed again meanwhile, it belongs to another finger.
            if self.buttons[button].pressed_now && self.buttons[button].press == press {
                let name = self.buttons[button].name.clone();
                // It exists: it was pressed.
                let _ = self.press(&name, false);
            }
        }
    }

    /// The display now; none if the board has none.
    #[must_use]
    pub fn rows(&self) -> Option<Rows> {
        let now = self.now();
        self.matrix.as_ref().map(|matrix| Rows::new(matrix.brightness(now)))
    }

    fn led_states(&self) -> Vec<LedState> {
        let states = self.leds().map(|(name, colour, permille)| LedState {
            name: name.into(),
            colour: colour.into(),
            level: led::level(permille),
            permille,
        });
        states.collect()
    }

    fn pins(&self) -> Vec<PinState> {
        let level = |level: Level| match level {
            Level::High => "high",
            Level::Low => "low",
            Level::Unknown => "unknown",
        };
        // At a contact one measures, which also shows what no other chip sees.
        let contacts = self.edge();
        let contact = |name: &str| contacts.iter().find(|contact| contact.name == name);
        let nets = self.nets.iter().map(|net| {
            let measured = contact(&net.name).map_or_else(|| self.board.level(net.id), |contact| contact.level);
            (&net.name, measured)
        });
        let is_net = |name: &str| self.nets.iter().any(|net| net.name == name);
        let others = contacts.iter().filter(|contact| !is_net(&contact.name));
        nets.chain(others.map(|contact| (&contact.name, contact.level)))
            .map(|(name, measured)| PinState { name: name.clone(), level: level(measured).into() })
            .collect()
    }

    fn hold_pin(&mut self, name: &str, setting: PinSetting) -> Result<(), ActError> {
        let hold = match setting {
            PinSetting::High => Hold::High,
            PinSetting::Low => Hold::Low,
            PinSetting::Released => Hold::Released,
            PinSetting::Millivolts(mv) => Hold::Millivolts(mv),
        };
        match self.hold(name, hold) {
            Ok(()) => return Ok(()),
            Err(HoldError::TooHigh { most, given }) => {
                let expected = format!("0 to {most} mV");
                return Err(ActError::Range { what: "millivolts", expected, given: given.to_string() });
            }
            // A wire inside the board.
            Err(HoldError::NoSuchContact { .. }) => {}
        }
        let Some(net) = self.nets.iter().find(|net| net.name == name) else {
            let known: Vec<_> = self.nets.iter().map(|net| net.name.as_str()).collect();
            return Err(ActError::Pin { name: name.into(), known: known.join(", ") });
        };
        let drive = match setting {
            PinSetting::High => Drive::High,
            PinSetting::Low => Drive::Low,
            PinSetting::Released => net.released,
            PinSetting::Millivolts(mv) if mv > SUPPLY => {
                let expected = format!("0 to {SUPPLY} mV");
                return Err(ActError::Range { what: "millivolts", expected, given: mv.to_string() });
            }
            PinSetting::Millivolts(mv) if mv > SUPPLY / 2 => Drive::High,
            PinSetting::Millivolts(_) => Drive::Low,
        };
        self.board.drive(net.id, drive);
        Ok(())
    }

    /// Begins to listen to the target's serial port, if there is one and nobody does yet.
    pub fn listen(&mut self) {
        if let (None, Some(net)) = (&self.tap, self.serial_net) {
            let tap = SerialTap::new(net);
            self.board.add_sink(Box::new(tap.clone()));
            self.tap = Some(tap);
        }
    }

    /// How many bytes the target has sent on its serial wire since somebody began to listen.
    #[must_use]
    pub fn heard_total(&self) -> u64 {
        self.tap.as_ref().map_or(0, SerialTap::total)
    }

    /// What it has sent behind the first `from` bytes, as far as it is still kept (4096 bytes).
    #[must_use]
    pub fn heard_since(&self, from: u64) -> Vec<u8> {
        self.tap.as_ref().map_or_else(Vec::new, |tap| tap.since(from))
    }

    fn serial_text(&mut self) -> Result<SerialText, ActError> {
        self.listen();
        self.tap.as_ref().map(SerialTap::text).ok_or(ActError::Missing("serial port"))
    }

    fn send(&mut self, text: &str, baud: Option<u32>) -> Result<usize, ActError> {
        if !self.board.is_powered() {
            return Err(ActError::NoPower);
        }
        let is_daplink = |(name, model): &(String, Model)| matches!(model, Model::DapLink(_)).then(|| name.clone());
        let name = self.chips.iter().find_map(is_daplink);
        // Brought to the board's time: what it sends begins now.
        name.and_then(|name| self.board.chip(&name));
        let chip = self.daplink().ok_or(ActError::Missing("interface chip with a serial port"))?;
        chip.lock().host_sends(text.as_bytes(), baud).ok_or_else(|| ActError::Range {
            what: "baud",
            expected: "a baud rate of the interface chip, such as 9600, 115200 or 1000000,".into(),
            given: baud.unwrap_or_default().to_string(),
        })
    }

    fn info(&self) -> Info {
        let world = self.world.lock();
        let buttons = self.buttons.iter();
        Info {
            name: self.name.clone(),
            title: self.title.clone(),
            powered: self.board.is_powered(),
            plugged: self.supplies.cable,
            battery: self.supplies.battery,
            battery_mv: self.supplies.battery_mv,
            buttons: buttons.clone().map(|button| button.name.clone()).collect(),
            pressed: buttons.filter(|button| button.pressed_now).map(|button| button.name.clone()).collect(),
            acceleration: world.acceleration_at(self.now()),
            magnetic_field: world.magnetic_field,
            celsius: f64::from(world.temperature) / 4.0,
            light: world.light,
            incidents: self.incidents_with_times(),
            unmodelled: self
                .board
                .report()
                .unmodelled
                .iter()
                .map(|((place, kind), times)| format!("{place}, {kind:?} × {times}"))
                .collect(),
        }
    }

    /// Tells `listener` of what happens from now on; the answer is a number for [`Powered::forget`].
    ///
    /// # Errors
    /// [`NotWaited`] if too many listen already.
    pub fn watch(&mut self, what: Vec<What>, listener: Listener) -> Result<u64, NotWaited> {
        self.listen();
        self.with_looks(|looks, view| looks.watch(what, view, listener))
    }

    /// Tells `waiter` when `condition` is met (true) or `limit` has passed (false; true if there is no condition). A
    /// text counts from byte `from` of the serial port on, by default from now on. The answer is a number for
    /// [`Powered::forget`].
    ///
    /// # Errors
    /// [`NotWaited`] if too many wait already.
    pub fn wait(
        &mut self,
        condition: Option<Condition>,
        limit: Span,
        from: Option<u64>,
        waiter: Waiter,
    ) -> Result<u64, NotWaited> {
        self.listen();
        self.with_looks(|looks, view| looks.wait(condition, limit, from, view, waiter))
    }

    /// Ends a watch or a wait; nobody is told.
    pub fn forget(&mut self, number: u64) {
        self.looks.forget(number);
    }

    pub(in crate::board) fn look(&mut self) {
        self.with_looks(|looks, view| looks.look(view));
    }

    fn with_looks<R>(&mut self, f: impl FnOnce(&mut super::Looks, &View<'_>) -> R) -> R {
        let mut looks = std::mem::take(&mut self.looks);
        let view = View {
            now: self.now(),
            screen: self.rows(),
            serial: self.tap.as_ref(),
            powered: self.board.is_powered(),
            incidents: self.wild.lines(),
        };
        let result = f(&mut looks, &view);
        self.looks = looks;
        result
    }

    /// When a person's plans or somebody who looks on want the board to stop for a moment.
    pub(in crate::board) fn next_stop(&self) -> Time {
        self.plan.next().min(self.looks.next()).min(self.faults.next(self.now()))
    }
}

fn range(what: &'static str, axes: [i32; 3], most: i32) -> Result<[i32; 3], ActError> {
    match axes.into_iter().find(|axis| !(-most..=most).contains(axis)) {
        None => Ok(axes),
        Some(axis) => {
            let expected = format!("{} to {most}", -most);
            Err(ActError::Range { what, expected, given: axis.to_string() })
        }
    }
}

#[cfg(test)]
#[path = "act_tests.rs"]
mod tests;
