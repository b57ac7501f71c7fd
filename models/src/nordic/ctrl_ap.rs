//! CTRL-AP — Nordic's control access port (PS chapter "CTRL-AP"): resets and erases the chip even while the memory access
//! port is closed.

/// The access port's number (APSEL).
pub const CTRL_AP: u8 = 1;

const RESET: u8 = 0x00;
const ERASEALL: u8 = 0x04;
const ERASEALLSTATUS: u8 = 0x08;
const APPROTECTSTATUS: u8 = 0x0C;
const IDR: u8 = 0xFC;

/// What a write to the port asks of the chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Hold the chip in reset.
    Hold,
    /// Let go: a soft reset.
    Release,
    /// Erase flash, UICR and RAM.
    EraseAll,
}

/// What the port shows of the chip.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// ERASEALL is at work.
    pub erasing: bool,
    /// The memory access port is open.
    pub open: bool,
}

/// The register machine.
#[derive(Debug, Default)]
pub struct CtrlAp {
    reset: bool,
}

impl CtrlAp {
    /// Reads a register.
    #[must_use]
    pub fn read(&self, register: u8, status: Status) -> u32 {
        match register {
            RESET => self.reset.into(),
            ERASEALLSTATUS => status.erasing.into(),
            APPROTECTSTATUS => status.open.into(),
            IDR => 0x0288_0000,
            _ => 0,
        }
    }

    /// Writes a register. RESET acts on its edges.
    pub fn write(&mut self, register: u8, value: u32) -> Option<Command> {
        let set = value & 1 == 1;
        match register {
            RESET => {
                let was = std::mem::replace(&mut self.reset, set);
                match (was, set) {
                    (false, true) => Some(Command::Hold),
                    (true, false) => Some(Command::Release),
                    _ => None,
                }
            }
            ERASEALL if set => Some(Command::EraseAll),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reset_acts_on_its_edges_and_eraseall_on_writing_1() {
        let mut ap = CtrlAp::default();
        let commands = [(RESET, 0), (RESET, 1), (RESET, 1), (RESET, 0), (ERASEALL, 0), (ERASEALL, 1)]
            .map(|(register, value)| ap.write(register, value));
        assert_eq!(commands, [None, Some(Command::Hold), None, Some(Command::Release), None, Some(Command::EraseAll)]);
    }

    #[test]
    fn status_registers_read_1_for_busy_and_for_open() {
        let ap = CtrlAp::default();
        let status = Status { erasing: true, open: false };
        assert_eq!([ERASEALLSTATUS, APPROTECTSTATUS, IDR, 0x10].map(|r| ap.read(r, status)), [1, 0, 0x0288_0000, 0]);
    }
}
