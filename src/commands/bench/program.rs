//! The program that is written: a target can run it, and firmware believes it.

/// WFI, and back to it.
const SLEEP: [u8; 4] = [0x30, 0xbf, 0xfd, 0xe7];
/// Where that is.
const ENTRY: usize = 0x100;

/// `bytes` (at least 1 KB) of program: vectors, a loop that sleeps, and words that are no two alike.
pub fn program(bytes: usize, nrf52: bool) -> Vec<u8> {
    let mut words = Vec::with_capacity(bytes / 4);
    let mut state = 0x7477_6e62_u32;
    words.resize_with(bytes / 4, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state
    });
    let stack = if nrf52 { 0x2002_0000 } else { 0x2000_4000 };
    for (slot, word) in words.iter_mut().take(16).enumerate() {
        // A Cortex-M0 has no memory management, bus and usage fault: firmware tells its images by that.
        let reserved = matches!(slot, 7..=10 | 13) || !nrf52 && matches!(slot, 4..=6 | 12);
        *word = match slot {
            0 => stack,
            _ if reserved => 0,
            _ => ENTRY as u32 | 1,
        };
    }
    let mut program: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    program[ENTRY..ENTRY + SLEEP.len()].copy_from_slice(&SLEEP);
    program
}

/// `program` as Intel HEX from address 0.
pub fn hex(program: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(program.len() * 3);
    let mut line = |kind: u8, address: u16, data: &[u8]| {
        let [high, low] = address.to_be_bytes();
        let head = [data.len() as u8, high, low, kind];
        let bytes: Vec<u8> = head.iter().chain(data).copied().collect();
        let checksum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
        text.push(b':');
        bytes.iter().chain([&checksum]).for_each(|byte| text.extend(format!("{byte:02X}").bytes()));
        text.push(b'\n');
    };
    for (bank, data) in (0u16..).zip(program.chunks(0x1_0000)) {
        line(4, 0, &bank.to_be_bytes());
        for (at, data) in (0u16..).zip(data.chunks(16)) {
            line(0, at * 16, data);
        }
    }
    line(1, 0, &[]);
    text
}
