//! A chip's end of an I2C bus that another chip is the master of: which steps of a transfer concern it, and what it
//! still owes the master.
//!
//! The machine knows the bus and nothing of the peripheral behind it. Every question of the master's (does anybody have
//! this address, do you take this byte, what is your byte) gets one answer, in the instant in which it is heard: the real
//! one, or [`Reply::Hold`], and the real one when the peripheral has it. Meanwhile SCL is held low. What the peripheral's
//! program may see of a byte, it sees when the byte is over: [`Heard`] tells when.

use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::I2cSignal;

/// Start condition, eight bits and acknowledge.
const START_CLOCKS: u64 = 10;
/// Eight bits and acknowledge.
const BYTE_CLOCKS: u64 = 9;

/// What the master does to a slave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// A start or repeated start with an address of this slave's: a question.
    Addressed {
        /// Which one.
        address: u8,
        /// The master wants to read.
        read: bool,
        /// When address and acknowledge are over.
        over: Time,
    },
    /// A repeated start with somebody else's address: the slave is not concerned any more.
    Left,
    /// A byte comes: a question.
    Written {
        /// The byte.
        byte: u8,
        /// When byte and acknowledge are over.
        over: Time,
    },
    /// A byte is clocked: a question.
    Wanted {
        /// When byte and acknowledge are over.
        over: Time,
    },
    /// The master acknowledged the byte that it read, and wants another; or it did not.
    Acknowledged(bool),
    /// A stop condition.
    Stopped,
}

/// What a slave says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// It acknowledges the address or the byte.
    Ack,
    /// It does not.
    Nack,
    /// The byte that the master wants.
    Data(u8),
    /// It holds SCL low until it has said something else.
    Hold,
}

/// The state machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct I2cSlave {
    bit: Span,
    selected: bool,
    /// The master waits for an answer.
    asked: bool,
    /// The slave holds SCL low.
    holding: bool,
}

impl I2cSlave {
    /// A step of a transfer is heard at `at`. `mine` are the addresses that the slave answers to now. None: it does not
    /// concern the slave.
    pub fn hear(&mut self, at: Time, step: I2cSignal, mine: impl FnOnce(u8) -> bool) -> Option<Heard> {
        match step {
            I2cSignal::Start { address, read, bit } => {
                let before = std::mem::replace(&mut self.selected, mine(address));
                (self.bit, self.holding) = (bit, false);
                self.asked = self.selected;
                match (before, self.selected) {
                    (_, true) => Some(Heard::Addressed { address, read, over: at + bit * START_CLOCKS }),
                    (true, false) => Some(Heard::Left),
                    (false, false) => None,
                }
            }
            I2cSignal::Stop => {
                (self.asked, self.holding) = (false, false);
                std::mem::take(&mut self.selected).then_some(Heard::Stopped)
            }
            _ if !self.selected => None,
            I2cSignal::Write(byte) => Some(Heard::Written { byte, over: self.ask(at) }),
            I2cSignal::Read => Some(Heard::Wanted { over: self.ask(at) }),
            I2cSignal::Acknowledge(more) => Some(Heard::Acknowledged(more)),
            I2cSignal::Answer(_) | I2cSignal::Data(_) | I2cSignal::Hold => None,
        }
    }

    fn ask(&mut self, at: Time) -> Time {
        (self.asked, self.holding) = (true, false);
        at + self.bit * BYTE_CLOCKS
    }

    /// Whether the master waits for an answer.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked
    }

    /// Whether the slave has the address of the transfer that is going on.
    #[must_use]
    pub fn is_selected(&self) -> bool {
        self.selected
    }

    /// The slave answers; what it is to send, if it has been asked and did not say that before.
    #[must_use = "the answer is to be sent"]
    pub fn answer(&mut self, reply: Reply) -> Option<I2cSignal> {
        if !self.asked {
            return None;
        }
        let step = match reply {
            Reply::Hold => return (!std::mem::replace(&mut self.holding, true)).then_some(I2cSignal::Hold),
            Reply::Ack => I2cSignal::Answer(true),
            Reply::Nack => I2cSignal::Answer(false),
            Reply::Data(byte) => I2cSignal::Data(byte),
        };
        (self.asked, self.holding) = (false, false);
        Some(step)
    }

    /// The slave is switched off or reset: it lets go of the bus, and of the master if that waits for it.
    #[must_use = "the answer is to be sent"]
    pub fn leave(&mut self) -> Option<I2cSignal> {
        let step = self.holding.then_some(I2cSignal::Answer(false));
        *self = I2cSlave::default();
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIT: Span = Span::ns(2_500);
    const AT: Time = Time(1_000_000);

    fn start(address: u8, read: bool) -> I2cSignal {
        I2cSignal::Start { address, read, bit: BIT }
    }

    fn mine(address: u8) -> bool {
        address == 0x70
    }

    #[test]
    fn only_a_transfer_with_its_own_address_concerns_a_slave() {
        let mut slave = I2cSlave::default();
        assert_eq!(slave.hear(AT, start(0x19, false), mine), None);
        assert_eq!(slave.hear(AT, I2cSignal::Write(1), mine), None);
        assert_eq!(slave.answer(Reply::Ack), None, "nobody asked it");
        assert_eq!(slave.hear(AT, I2cSignal::Stop, mine), None);
        let over = AT + Span::us(25);
        let addressed = Heard::Addressed { address: 0x70, read: true, over };
        assert_eq!(slave.hear(AT, start(0x70, true), mine), Some(addressed), "ten clocks of 400 kHz");
        assert_eq!(slave.answer(Reply::Ack), Some(I2cSignal::Answer(true)));
        assert_eq!(slave.hear(AT, start(0x19, true), mine), Some(Heard::Left));
        assert_eq!(slave.hear(AT, I2cSignal::Read, mine), None);
    }

    #[test]
    fn a_question_is_answered_once_however_often_the_slave_holds_the_clock() {
        let mut slave = I2cSlave::default();
        slave.hear(AT, start(0x70, false), mine);
        assert_eq!(slave.answer(Reply::Hold), Some(I2cSignal::Hold));
        assert_eq!(slave.answer(Reply::Hold), None);
        assert_eq!(slave.answer(Reply::Ack), Some(I2cSignal::Answer(true)));
        assert_eq!(slave.answer(Reply::Ack), None);
        let written = Heard::Written { byte: 0x5A, over: AT + BIT * 9 };
        assert_eq!(slave.hear(AT, I2cSignal::Write(0x5A), mine), Some(written));
        assert_eq!(slave.answer(Reply::Nack), Some(I2cSignal::Answer(false)));
        assert_eq!(slave.hear(AT, I2cSignal::Stop, mine), Some(Heard::Stopped));
    }

    #[test]
    fn a_slave_that_is_reset_lets_go_of_the_clock() {
        let mut slave = I2cSlave::default();
        slave.hear(AT, start(0x70, true), mine);
        assert_eq!(slave.answer(Reply::Ack), Some(I2cSignal::Answer(true)));
        slave.hear(AT, I2cSignal::Read, mine);
        assert_eq!(slave.answer(Reply::Hold), Some(I2cSignal::Hold));
        assert_eq!(slave.leave(), Some(I2cSignal::Answer(false)));
        assert_eq!(slave.leave(), None);
        assert_eq!(slave.answer(Reply::Data(1)), None);
    }
}
