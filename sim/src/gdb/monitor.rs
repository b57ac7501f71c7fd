//! GDB's `monitor` commands.

/// What a user can type after `monitor`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// `reset`, `reset halt`, `reset init`: reset the chip; the core stands before its first instruction.
    Reset,
    /// `halt`.
    Halt,
}

impl Command {
    /// What to tell a user who typed something else.
    pub const USAGE: &'static str = "monitor reset   reset the chip; the core stands before its first instruction\n\
                                     monitor halt    halt the core\n";

    /// Parses what GDB sent.
    pub fn parse(text: &[u8]) -> Option<Command> {
        let text = String::from_utf8_lossy(text);
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["reset"] | ["reset", "halt" | "init"] => Some(Command::Reset),
            ["halt"] => Some(Command::Halt),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_words() {
        assert_eq!(Command::parse(b"reset"), Some(Command::Reset));
        assert_eq!(Command::parse(b" reset  halt "), Some(Command::Reset));
        assert_eq!(Command::parse(b"halt"), Some(Command::Halt));
        assert_eq!(Command::parse(b"reset run"), None);
        assert_eq!(Command::parse(b"\xFF"), None);
    }
}
