//! What a person does with a board under power, and sees of it, as data.
//!
//! [`Action`] is one thing that a person does: press a button, tilt the board, pull the cable, look at the display.
//! [`Powered::act`](super::Powered::act) does it, between two advances of the board, at the board's time. The same
//! types are the words of the control socket's [`Request`]s, of `twinboard ctl`, and of whatever else handles a board
//! on behalf of a person: they read and write as JSON (`docs/control.md` shows all of them).
//!
//! What takes time goes on in the board's time: the finger that leaves a button again, the hand that shakes the board. So the same actions at the same times give the same run, whoever sends them.

mod act;
mod action;
mod look;
mod plan;
mod protocol;
mod serial;

pub use act::ActError;
pub use action::{Action, Answer, Info, LedState, PinSetting, PinState, Rows, SerialText};
pub use look::{Condition, Happening, Listener, Looks, NotWaited, What};
pub use plan::Plan;
pub use protocol::{
    BoardName, BoardRef, Event, Failed, Hello, MAX_LINE, Message, Order, Request, RequestError, Response, VERSION,
    Wait, nanoseconds,
};
pub use serial::SerialTap;

/// The longest time that a request may name, in milliseconds of the board's time: an hour.
pub const MAX_MS: u32 = 3_600_000;
