//! A board under power, with the things a person sees and touches.

use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::activity::Activity;
use twinboard_sim::board::{Board, NetId};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::Time;
use twinboard_sim::usb::UsbPort;
use twinboard_sim::wire::{Drive, PinId};

use super::control::{Looks, Plan, SerialTap};
use super::ether::Antenna;
use super::faults::Faults;
use super::leds::BoardLed;
use super::parts::Contact;
use super::relay::Relay;
use super::supply::Supplies;
use super::wild::Wild;
use crate::daplink::DapLink;
use crate::fault::flash::SharedFlashFaults;
use crate::fault::usb::FaultyPort;
use crate::image::interface::InterfaceChip;
use crate::kinetis::Kinetis;
use crate::nordic::Nrf5;
use crate::parts::led::LedOnPin;
use crate::parts::led_matrix::SharedLedMatrix;
use crate::parts::speaker::SharedSpeaker;
use crate::parts::supply::SharedSupply;
use crate::parts::world::SharedWorld;

/// A chip of a board, as what it is.
#[derive(Clone, Debug)]
pub enum Model {
    /// Native DAPLink.
    DapLink(Arc<Mutex<DapLink>>),
    /// A chip of the nRF5 family that runs a program.
    Nrf5(Arc<Mutex<Nrf5>>),
    /// A chip of the Kinetis L family that runs a program.
    Kinetis(Arc<Mutex<Kinetis>>),
}

impl Model {
    /// The contents of its flash, if it has one.
    #[must_use]
    pub fn flash(&self) -> Option<Vec<u8>> {
        match self {
            Model::DapLink(_) => None,
            Model::Nrf5(chip) => Some(chip.lock().flash().to_vec()),
            Model::Kinetis(chip) => Some(chip.lock().flash().to_vec()),
        }
    }

    /// Puts contents into its flash, if it has one.
    pub fn set_flash(&self, contents: &[u8]) {
        match self {
            Model::DapLink(_) => {}
            Model::Nrf5(chip) => chip.lock().set_flash(contents),
            Model::Kinetis(chip) => chip.lock().set_flash(contents),
        }
    }

    /// Adds an LED on one of the chip's pins.
    pub(super) fn observe(&self, end: LedOnPin) {
        match self {
            Model::DapLink(chip) => chip.lock().observe(end),
            Model::Nrf5(chip) => chip.lock().observe(Box::new(end)),
            Model::Kinetis(chip) => chip.lock().observe(Box::new(end)),
        }
    }

    /// The chip is supplied with so many microvolts from now on. (Native firmware is told of the supply as a whole.)
    pub(super) fn set_supply(&self, microvolts: u32) {
        match self {
            Model::DapLink(_) => {}
            Model::Nrf5(chip) => chip.lock().set_supply(microvolts),
            Model::Kinetis(chip) => chip.lock().set_supply(microvolts),
        }
    }

    /// Lets `faults` strike at its flash.
    pub(super) fn set_flash_faults(&self, faults: &SharedFlashFaults) {
        match self {
            Model::DapLink(chip) => chip.lock().settings().set_faults(faults.clone()),
            Model::Nrf5(chip) => chip.lock().set_flash_faults(faults.clone()),
            Model::Kinetis(chip) => chip.lock().set_flash_faults(faults.clone()),
        }
    }

    /// From `at` on, the chip's clock is fast by so many parts per million.
    pub(super) fn set_clock_offset(&self, at: Time, ppm: i32) {
        match self {
            Model::DapLink(chip) => chip.lock().set_clock_offset(at, ppm),
            Model::Nrf5(chip) => chip.lock().set_clock_offset(ppm),
            Model::Kinetis(chip) => chip.lock().set_clock_offset(ppm),
        }
    }

    /// Only these pins can be seen by others.
    pub(super) fn export_pins(&self, pins: &[PinId]) {
        match self {
            Model::DapLink(_) => {}
            Model::Nrf5(chip) => {
                chip.lock().export_pins(pins.iter().fold(0, |mask, pin| mask | 1 << pin.0.min(63)));
            }
            Model::Kinetis(chip) => chip.lock().export_pins(pins.iter().copied()),
        }
    }
}

/// A button: released, the net is as its resistor makes it.
#[derive(Clone, Debug)]
pub(super) struct Button {
    pub(super) name: String,
    pub(super) net: NetId,
    pub(super) released: Drive,
    pub(super) pressed: Drive,
    /// A finger is on it.
    pub(super) pressed_now: bool,
    /// Counts up with every press, so that the end of an earlier one is known for what it is.
    pub(super) press: u64,
}

/// A wire of the board.
#[derive(Clone, Debug)]
pub(super) struct Net {
    pub(super) name: String,
    pub(super) id: NetId,
    /// What is on it besides the chips: a resistor.
    pub(super) released: Drive,
    /// A serial port of an interface chip is on it.
    pub(super) serial: bool,
}

/// A board file come to life.
#[derive(Debug)]
pub struct Powered {
    /// Short name, from the board file.
    pub name: String,
    /// Name for people, from the board file.
    pub title: String,
    /// The chips and wires.
    pub board: Board,
    /// The chips by name.
    pub chips: Vec<(String, Model)>,
    /// What the board's sensors feel; set it between two advances.
    pub world: SharedWorld,
    /// Where the board's antenna is.
    pub antenna: Antenna,
    /// The speaker, to be recorded.
    pub speaker: Option<SharedSpeaker>,
    /// The interface chip that may go on as an emulated one.
    pub relay: Option<Arc<Mutex<Relay>>>,
    /// Which chip is the target.
    pub(super) target: Option<usize>,
    /// Which chip is the interface chip, if it is emulated from the start, and how DAPLink divides its flash.
    pub(super) emulated: Option<(usize, &'static InterfaceChip)>,
    pub(super) contacts: Vec<Contact>,
    pub(super) buttons: Vec<Button>,
    pub(super) matrix: Option<SharedLedMatrix>,
    pub(super) nets: Vec<Net>,
    /// The wire on which the interface chip hears the target's serial port.
    pub(super) serial_net: Option<NetId>,
    pub(super) tap: Option<SerialTap>,
    pub(super) supplies: Supplies,
    /// The voltages that come of it.
    pub(super) supply: SharedSupply,
    /// A battery's voltage reaches the chips by way of a regulator, as on a micro:bit V2.
    pub(super) regulated: bool,
    pub(super) leds: Vec<BoardLed>,
    pub(super) plan: Plan,
    pub(super) looks: Looks,
    pub(super) wild: Wild,
    pub(super) faults: Faults,
    /// When a debug wire was clocked.
    pub(super) swd_activity: Activity,
}

/// There is no such button.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no button {name}; this board has {known}")]
pub struct NoSuchButton {
    name: String,
    known: String,
}

impl Powered {
    /// Presses (and holds) or releases a button.
    ///
    /// # Errors
    /// [`NoSuchButton`].
    pub fn press(&mut self, name: &str, pressed: bool) -> Result<(), NoSuchButton> {
        let Some(button) = self.buttons.iter_mut().find(|button| button.name == name) else {
            let known: Vec<_> = self.buttons.iter().map(|button| button.name.as_str()).collect();
            return Err(NoSuchButton { name: name.into(), known: known.join(", ") });
        };
        button.pressed_now = pressed;
        button.press += u64::from(pressed);
        self.board.drive(button.net, if pressed { button.pressed } else { button.released });
        Ok(())
    }

    /// Lets go of the reset button, if it was held and there is one.
    pub fn release_reset(&mut self) {
        // A board without the button has nothing to let go of.
        let _ = self.press("reset", false);
    }

    /// The picture on the LED matrix now: lines of digits from 0 (dark) to 9. None if the board has no matrix.
    #[must_use]
    pub fn screen(&self) -> Option<String> {
        let now = self.board.now();
        self.matrix.as_ref().map(|matrix| matrix.text(now))
    }

    /// Takes the board off its supply and puts it back.
    pub fn power_cycle(&mut self) {
        self.board.power_cycle();
        self.darken();
    }

    /// The display's lamps go out with the power.
    pub(super) fn darken(&mut self) {
        if let Some(matrix) = &self.matrix {
            matrix.power_off(self.board.now());
        }
        self.darken_leds(self.board.now());
    }

    /// The native DAPLink of the board, if it has one that has not made room for the emulated chip.
    #[must_use]
    pub fn daplink(&self) -> Option<&Arc<Mutex<DapLink>>> {
        let chip =
            self.chips.iter().find_map(|(_, model)| if let Model::DapLink(chip) = model { Some(chip) } else { None });
        chip.filter(|chip| !chip.lock().hands_over())
    }

    /// The target chip of the board, if it has one.
    #[must_use]
    pub fn target(&self) -> Option<&Arc<Mutex<Nrf5>>> {
        let (_, model) = self.chips.get(self.target?)?;
        if let Model::Nrf5(chip) = model { Some(chip) } else { None }
    }
}

impl Machine for Powered {
    fn now(&self) -> Time {
        self.board.now()
    }

    fn next_event(&self) -> Time {
        self.board.next_event().min(self.next_stop()).max(self.now())
    }

    fn advance(&mut self, until: Time) {
        self.board.advance(until.min(self.next_stop().max(self.now())));
        if self.plan.next() <= self.now() {
            self.follow_plan();
        }
        if self.faults.next(self.now()) <= self.now() {
            self.pass_faults();
        }
        self.look_for_incidents();
        if self.looks.next() <= self.now() {
            self.look();
        }
    }

    fn ports(&self) -> usize {
        self.board.ports()
    }

    fn plugged(&self, index: usize) -> bool {
        self.supplies.usb() && self.board.plugged(index)
    }

    fn with_port(&mut self, index: usize, f: &mut dyn FnMut(&mut dyn UsbPort)) {
        let Powered { board, faults, .. } = self;
        if faults.usb.is_empty() || index != 0 {
            return board.with_port(index, f);
        }
        board.with_port(index, &mut |port| f(&mut FaultyPort::new(port, &mut faults.usb)));
    }
}
