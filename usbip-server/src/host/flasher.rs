//! Programming the flash of a Nordic target over CMSIS-DAP, as pyOCD, OpenOCD and probe-rs do it.
//!
//! The host halts the core, downloads a small routine into RAM, and then, page by page: erases it by NVMC's registers,
//! fills a buffer in RAM by block writes, sets the core's registers, and lets the routine write the buffer's words. With
//! two buffers the next page is filled while the routine still writes the one before. Commands are packed into packets as
//! tightly as they go, and up to the probe's packet count are on their way at once.
//!
//! The routine is our own; it takes R0 = address in flash, R1 = the buffer, R2 = the number of words, R3 = the register
//! that says when the next word may come (READY or READYNEXT), R5 = READY:
//!
//! ```text
//! loop: ldr r4, [r1]
//!       str r4, [r0]
//!       adds r1, #4
//!       adds r0, #4
//! wait: ldr r4, [r3]
//!       cmp r4, #0
//!       beq wait
//!       subs r2, #1
//!       bne loop
//! end:  ldr r4, [r5]
//!       cmp r4, #0
//!       beq end
//!       bkpt #0
//! ```

use twinboard_sim::machine::Machine;
use twinboard_sim::time::Span;

use super::adi::{Adi, BLOCK_WORDS, C_DEBUGEN, DBGKEY, DCRDR, DCRSR, DHCSR, S_HALT, S_REGRDY, TAR_WRAP, register};
use super::dap::{Dap, DapError, short};

const ROUTINE: [u32; 7] = [
    0x6004_680C, // ldr r4, [r1]; str r4, [r0]
    0x3004_3104, // adds r1, #4; adds r0, #4
    0x2C00_681C, // ldr r4, [r3]; cmp r4, #0
    0x3A01_D0FC, // beq wait; subs r2, #1
    0x682C_D1F6, // bne loop; ldr r4, [r5]
    0xD0FC_2C00, // cmp r4, #0; beq end
    0xBE00_BE00, // bkpt #0
];

const RAM: u32 = 0x2000_0000;
/// The first buffer; the second follows.
const BUFFERS: u32 = RAM + 0x400;

const READY: u32 = 0x4001_E400;
const READYNEXT: u32 = 0x4001_E408;
const CONFIG: u32 = 0x4001_E504;
/// ERASEPCR1 on the nRF51.
const ERASEPAGE: u32 = 0x4001_E508;
const ERASEALL: u32 = 0x4001_E50C;
const WEN: u32 = 1;
const EEN: u32 = 2;

/// Requests of DAP_Transfer: bit 0 AP, bit 1 read, bits 3:2 the register.
const WRITE_TAR: u8 = 0x05;
const WRITE_DRW: u8 = 0x0d;
const READ_DRW: u8 = 0x0f;
const DAP_TRANSFER: u8 = 0x05;
const DAP_TRANSFER_BLOCK: u8 = 0x06;
/// Bytes of a packet.
const PACKET: usize = 64;
/// XPSR.T: Thumb state.
const THUMB: u32 = 0x0100_0000;
/// The longest that an erase or a page may take.
const WITHIN: Span = Span::secs(5);

/// How the flash is erased.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Erase {
    /// Each page before it is written.
    Pages,
    /// Everything, UICR too, before the first page.
    Chip,
}

/// How to program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strategy {
    /// SWCLK, in hertz.
    pub clock: u32,
    /// Commands on their way at once; never more than the probe says that it can take. None: as many as that.
    pub packet_count: Option<usize>,
    /// What is erased when.
    pub erase: Erase,
    /// The routine hands the next word over as soon as NVMC's buffer is free (READYNEXT), not when the last one is
    /// written (READY). The nRF51 has no such register.
    pub ready_next: bool,
    /// The next page is sent while the last one is being written.
    pub double_buffering: bool,
    /// Bytes of a page: a power of two, 1024 on the nRF51, 4096 on the nRF52.
    pub page: u32,
}

/// Commands, as tightly in packets as they go.
#[derive(Debug, Default)]
struct Packets {
    packets: Vec<Vec<u8>>,
    /// Bytes of the last packet's answer.
    answer: usize,
}

impl Packets {
    /// A single transfer, with what is written or without.
    fn transfer(&mut self, request: u8, data: Option<u32>) {
        let (bytes, back) = if data.is_some() { (5, 0) } else { (1, 4) };
        let fits = |packet: &Vec<u8>, answer: usize| {
            packet[0] == DAP_TRANSFER && packet.len() + bytes <= PACKET && answer + back <= PACKET
        };
        if !self.packets.last().is_some_and(|packet| fits(packet, self.answer)) {
            self.packets.push(vec![DAP_TRANSFER, 0, 0]);
            self.answer = 3;
        }
        if let Some(packet) = self.packets.last_mut() {
            packet[2] += 1;
            packet.push(request);
            packet.extend(data.into_iter().flat_map(u32::to_le_bytes));
            self.answer += back;
        }
    }

    fn write(&mut self, address: u32, value: u32) {
        self.transfer(WRITE_TAR, Some(address));
        self.transfer(WRITE_DRW, Some(value));
    }

    fn read(&mut self, address: u32) {
        self.transfer(WRITE_TAR, Some(address));
        self.transfer(READ_DRW, None);
    }

    /// Words to memory, TAR set once per stretch that it can step through.
    fn words(&mut self, address: u32, words: &[u32]) {
        let mut done = 0;
        while done < words.len() {
            let at = address + 4 * done as u32;
            let stretch = words.len() - done;
            let stretch = &words[done..done + stretch.min(((TAR_WRAP - at % TAR_WRAP) / 4) as usize)];
            self.transfer(WRITE_TAR, Some(at));
            for block in stretch.chunks(BLOCK_WORDS) {
                let mut packet = vec![DAP_TRANSFER_BLOCK, 0, block.len() as u8, 0, WRITE_DRW];
                packet.extend(block.iter().flat_map(|word| word.to_le_bytes()));
                self.packets.push(packet);
            }
            done += stretch.len();
        }
    }

    /// A core register; S_REGRDY is read afterwards.
    fn register(&mut self, number: u8, value: u32) {
        self.write(DCRDR, value);
        self.write(DCRSR, 1 << 16 | u32::from(number));
        self.read(DHCSR);
    }
}

/// A target that is being programmed.
struct Flasher<'h, M> {
    adi: Adi<'h, M>,
    strategy: Strategy,
    depth: usize,
}

/// Programs `data` to flash from address 0 on, and starts the target. `data` is filled with 0xFF to whole pages.
///
/// # Errors
/// [`DapError`] names what failed.
pub fn program<M: Machine>(dap: Dap<'_, M>, strategy: &Strategy, data: &[u8]) -> Result<(), DapError> {
    let mut flasher = Flasher { adi: dap.adi(), strategy: *strategy, depth: 1 };
    let offered = flasher.adi.dap().info_number(0xfe)?.max(1) as usize;
    flasher.depth = strategy.packet_count.map_or(offered, |wanted| wanted.clamp(1, offered));
    flasher.adi.connect_at(strategy.clock)?;
    flasher.adi.reset_and_halt()?;
    flasher.prepare()?;
    let page = strategy.page.max(4) as usize;
    let mut last: Option<u32> = None;
    for (number, bytes) in data.chunks(page).enumerate() {
        let address = number as u32 * strategy.page;
        let buffer = BUFFERS + if strategy.double_buffering { (number as u32 & 1) * strategy.page } else { 0 };
        let mut whole = bytes.to_vec();
        whole.resize(page, 0xff);
        let (words, _) = whole.as_chunks::<4>();
        let words: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        if !strategy.double_buffering {
            flasher.wait_written(last.take())?;
        }
        flasher.fill(buffer, &words)?;
        flasher.wait_written(last.take())?;
        if strategy.erase == Erase::Pages {
            flasher.erase(ERASEPAGE, address)?;
        }
        flasher.start(address, buffer, words.len() as u32)?;
        last = Some(address);
    }
    flasher.wait_written(last)?;
    flasher.adi.write_word(CONFIG, 0)?;
    flasher.adi.reset_and_run()?;
    flasher.adi.disconnect()
}

impl<M: Machine> Flasher<'_, M> {
    /// The routine, and what stays in the core's registers; everything erased, if that is done at once.
    fn prepare(&mut self) -> Result<(), DapError> {
        // CSW as the block writes need it.
        self.adi.read_word(DHCSR)?;
        let ready = if self.strategy.ready_next { READYNEXT } else { READY };
        let mut packets = Packets::default();
        packets.words(RAM, &ROUTINE);
        packets.register(3, ready);
        packets.register(5, READY);
        packets.register(register::XPSR, THUMB);
        self.execute(packets)?;
        if self.strategy.erase == Erase::Chip {
            self.erase(ERASEALL, 1)?;
        }
        Ok(())
    }

    fn fill(&mut self, buffer: u32, words: &[u32]) -> Result<(), DapError> {
        let mut packets = Packets::default();
        packets.words(buffer, words);
        self.execute(packets).map(drop)
    }

    /// Erases, and enables writing.
    fn erase(&mut self, task: u32, value: u32) -> Result<(), DapError> {
        let mut packets = Packets::default();
        packets.write(CONFIG, EEN);
        packets.write(task, value);
        self.execute(packets)?;
        self.poll("erase its flash", READY, 1)?;
        Ok(())
    }

    /// Lets the routine write a page.
    fn start(&mut self, address: u32, buffer: u32, words: u32) -> Result<(), DapError> {
        let mut packets = Packets::default();
        packets.write(CONFIG, WEN);
        packets.register(0, address);
        packets.register(1, buffer);
        packets.register(2, words);
        packets.register(register::PC, RAM);
        for word in self.execute(packets)? {
            if word & S_REGRDY == 0 {
                return Err(DapError::Timeout { what: "transfer a core register", limit: Span::ZERO });
            }
        }
        let mut packets = Packets::default();
        packets.write(DHCSR, DBGKEY | C_DEBUGEN);
        self.execute(packets).map(drop)
    }

    /// Waits until the routine has written its page, if it is at one.
    fn wait_written(&mut self, page: Option<u32>) -> Result<(), DapError> {
        if page.is_some() { self.poll("write a page", DHCSR, S_HALT) } else { Ok(()) }
    }

    /// Reads the word at `address` until one of the bits `mask` is set.
    fn poll(&mut self, what: &'static str, address: u32, mask: u32) -> Result<(), DapError> {
        let until = self.adi.host().now() + WITHIN;
        loop {
            let mut packets = Packets::default();
            packets.read(address);
            if self.execute(packets)?.iter().any(|word| word & mask != 0) {
                return Ok(());
            }
            if self.adi.host().now() >= until {
                return Err(DapError::Timeout { what, limit: WITHIN });
            }
        }
    }

    /// Sends the packets. The answer is the words that were read.
    fn execute(&mut self, packets: Packets) -> Result<Vec<u32>, DapError> {
        let answers = self.adi.dap().pipeline(&packets.packets, self.depth)?;
        let mut read = Vec::new();
        for (packet, answer) in packets.packets.iter().zip(&answers) {
            let (done, response, data) = match (packet[0], answer.as_slice()) {
                (DAP_TRANSFER, [DAP_TRANSFER, done, response, data @ ..]) => (u16::from(*done), *response, data),
                (DAP_TRANSFER_BLOCK, [DAP_TRANSFER_BLOCK, low, high, response, data @ ..]) => {
                    (u16::from_le_bytes([*low, *high]), *response, data)
                }
                _ => return Err(short(packet, answer)),
            };
            if done != u16::from(packet[2]) || response != 1 {
                return Err(DapError::Transfer { done: done.into(), response });
            }
            if packet[0] == DAP_TRANSFER {
                let reads = reads_in(packet);
                let words = data.as_chunks::<4>().0;
                read.extend(words.iter().take(reads).map(|word| u32::from_le_bytes(*word)));
                if words.len() < reads {
                    return Err(short(packet, answer));
                }
            }
        }
        Ok(read)
    }
}

/// How many words the answer to a DAP_Transfer of [`Packets`] has.
fn reads_in(packet: &[u8]) -> usize {
    let (mut at, mut reads) = (3, 0);
    while let Some(request) = packet.get(at) {
        let is_read = request & 2 != 0;
        reads += usize::from(is_read);
        at += if is_read { 1 } else { 5 };
    }
    reads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_full_and_neither_they_nor_their_answers_exceed_64_bytes() {
        let mut packets = Packets::default();
        for number in 0..6 {
            packets.register(number, 0x1234_5678);
        }
        // 30 writes of 5 bytes and 6 reads of 1 byte, with 3 bytes before those of each packet.
        assert_eq!(packets.packets.len(), 3);
        assert_eq!(packets.packets.iter().map(|packet| reads_in(packet)).sum::<usize>(), 6);
        assert!(packets.packets.iter().all(|packet| packet.len() <= PACKET));
        let mut packets = Packets::default();
        (0..40).for_each(|_| packets.transfer(READ_DRW, None));
        assert_eq!(packets.packets.iter().map(|packet| packet[2]).collect::<Vec<_>>(), [15, 15, 10]);
    }

    #[test]
    fn words_go_in_blocks_of_14_with_an_address_per_kilobyte() {
        let mut packets = Packets::default();
        packets.words(RAM + 0x200, &[7; 256]);
        let blocks = packets.packets.iter().filter(|packet| packet[0] == DAP_TRANSFER_BLOCK);
        assert_eq!(blocks.map(|packet| usize::from(packet[2])).sum::<usize>(), 256);
        let addresses = packets.packets.iter().filter(|packet| packet[0] == DAP_TRANSFER);
        let expected = [vec![5, 0, 1, 5, 0, 2, 0, 0x20], vec![5, 0, 1, 5, 0, 4, 0, 0x20]];
        assert_eq!(addresses.cloned().collect::<Vec<_>>(), expected);
    }
}
