//! A powered board as the host's side of the cable drives it.

use crate::time::Time;
use crate::usb::UsbPort;

/// A board under power. Whoever holds it makes time pass: a USB host controller, a test, a scenario.
pub trait Machine: Send {
    /// The board's time: every chip has been brought here.
    fn now(&self) -> Time;

    /// The earliest time at which anything happens if nobody touches the board; [`Machine::now`] while a core runs.
    fn next_event(&self) -> Time;

    /// Makes time pass until `until`, or returns early when a USB port's attention count changed, at that time.
    /// Never returns with `now()` before the time at which it was called.
    fn advance(&mut self, until: Time);

    /// How many USB sockets the board has.
    fn ports(&self) -> usize;

    /// Whether a cable is in USB socket `index` and there is power on it, as far as the board's side decides: a person
    /// who pulls the cable out makes it false. The host's side looks after every advance.
    fn plugged(&self, index: usize) -> bool {
        let _ = index;
        true
    }

    /// Runs `f` on USB socket `index` (0-based), at [`Machine::now`].
    ///
    /// # Panics
    /// If there is no such socket.
    fn with_port(&mut self, index: usize, f: &mut dyn FnMut(&mut dyn UsbPort));
}
