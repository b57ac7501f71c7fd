//! A micro:bit, and a bench: the native interface chip on a cable, with a target that is memory and nothing else, and a flash manager
//! that only writes down what it is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_models::board::{BoardFile, PowerOn, Powered};
use twinboard_models::daplink::{Core, DapLink, DapLinkConfig, Error, TargetFlash, pins};
use twinboard_models::debug::link::SwdLink;
use twinboard_models::nordic::{NRF52833, Nrf5, Options};
use twinboard_sim::board::{Board, Builder, Driver, Promise, PromisingWire, terminal};
use twinboard_sim::bus::{BusFault, Size};
use twinboard_sim::debug::DebugTarget;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::wire::Drive;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::{Copied, WriteOrder};

/// RAM at 0x20000000, ROM-table words, bus errors everywhere else.
#[derive(Default)]
pub struct Memory {
    pub words: BTreeMap<u32, u32>,
}

const RAM: std::ops::Range<u32> = 0x2000_0000..0x2002_0000;

impl DebugTarget for Memory {
    fn mem_read(&mut self, _: Time, address: u32, size: Size) -> Result<u32, BusFault> {
        if !RAM.contains(&address) {
            return Err(BusFault { address });
        }
        let word = self.words.get(&(address & !3)).copied().unwrap_or(0);
        Ok(word >> (8 * (address & 3)) & u32::MAX >> (32 - 8 * size.bytes()))
    }

    fn mem_write(&mut self, _: Time, address: u32, size: Size, value: u32) -> Result<(), BusFault> {
        if !RAM.contains(&address) {
            return Err(BusFault { address });
        }
        let (lane, mask) = (8 * (address & 3), u32::MAX >> (32 - 8 * size.bytes()));
        let word = self.words.entry(address & !3).or_default();
        *word = *word & !(mask << lane) | (value & mask) << lane;
        Ok(())
    }

    fn mem_enabled(&mut self, _: Time) -> bool {
        true
    }

    fn power_request(&mut self, _: Time, _: bool, _: bool) {}

    fn vendor_read(&mut self, _: Time, _: u8, _: u8) -> u32 {
        0
    }

    fn vendor_write(&mut self, _: Time, _: u8, _: u8, _: u32) {}

    fn reset_pin(&mut self, _: Time, _: bool) {}
}

/// The flash manager's notes: what was written where.
pub type Notes = Arc<Mutex<BTreeMap<u32, u8>>>;

struct NoteTaker(Notes);

impl TargetFlash for NoteTaker {
    async fn open(&mut self, _: &mut Core) -> Result<(), Error> {
        self.0.lock().clear();
        Ok(())
    }

    async fn data(&mut self, core: &mut Core, address: u32, data: &[u8]) -> Result<(), Error> {
        core.work(Span::ms(5)).await;
        self.0.lock().extend((address..).zip(data.iter().copied()));
        Ok(())
    }

    async fn close(&mut self, _: &mut Core) -> Result<(), Error> {
        Ok(())
    }

    async fn erase_chip(&mut self, _: &mut Core) -> Result<(), Error> {
        self.0.lock().clear();
        Ok(())
    }

    async fn show_number(&mut self, _: &mut Core, _: u16) -> Result<(), Error> {
        Ok(())
    }
}

/// What stands on the bench.
pub struct Bench {
    pub host: Host<Board>,
    pub flash: Notes,
    pub target: Arc<Mutex<Memory>>,
}

impl Bench {
    /// The board is enumerated.
    pub fn new() -> Bench {
        let target = Arc::new(Mutex::new(Memory::default()));
        let flash = Notes::default();
        let wire = Box::new(SwdLink::new(NRF52833.dap, target.clone()));
        let notes = flash.clone();
        let chip = DapLink::with_flash(DapLinkConfig::default(), wire, move || NoteTaker(notes.clone()));
        let mut board = Builder::default();
        board.chip("interface", Arc::new(Mutex::new(chip)), None, None);
        let mut host = Host::new(board.power_on(Driver::Stepped));
        host.enumerate().expect("enumerates");
        Bench { host, flash, target }
    }

    /// What the flash manager was given, from address 0 on.
    pub fn programmed(&self) -> Vec<u8> {
        self.flash.lock().values().copied().collect()
    }
}

/// A micro:bit V2: interface chip, target chip, and the wires between them.
pub struct MicroBit {
    pub host: Host<Board>,
    pub target: Arc<Mutex<Nrf5>>,
}

impl MicroBit {
    /// The board is enumerated, its target as `options` say.
    pub fn new(options: &Options) -> MicroBit {
        MicroBit::driven(options, Driver::Stepped)
    }

    /// The same with the chips run by `driver`.
    pub fn driven(options: &Options, driver: Driver) -> MicroBit {
        MicroBit::built(options, DapLinkConfig::default(), driver)
    }

    /// The same with another interface chip.
    pub fn configured(options: &Options, config: DapLinkConfig) -> MicroBit {
        MicroBit::built(options, config, Driver::Stepped)
    }

    fn built(options: &Options, config: DapLinkConfig, driver: Driver) -> MicroBit {
        let target = Arc::new(Mutex::new(Nrf5::new(&NRF52833, options)));
        let promise = Promise::default();
        let wire = SwdLink::new(NRF52833.dap, target.clone());
        let wire = PromisingWire::new(Box::new(wire), promise.clone());
        let interface = DapLink::new(config, Box::new(wire));
        let mut board = Builder::default();
        let interface = board.chip("interface", Arc::new(Mutex::new(interface)), Some(promise), None);
        let chip = board.chip("target", target.clone(), None, Some(interface));
        board.net("TO_TARGET", &[terminal(interface, pins::UART_TX.0), terminal(chip, 32 + 8)], Drive::PullUp);
        board.net("FROM_TARGET", &[terminal(chip, 6), terminal(interface, pins::UART_RX.0)], Drive::PullUp);
        let mut host = Host::new(board.power_on(driver));
        host.enumerate().expect("enumerates");
        MicroBit { host, target }
    }

    /// Drops a file as a desktop does.
    pub fn drop_file(&mut self, name: &str, file: &[u8]) -> Copied {
        self.host.drive().expect("a drive").copy(name, file, WriteOrder::LinuxFlush).expect("copies")
    }

    /// The first `length` bytes of the target's flash.
    pub fn flash(&self, length: usize) -> Vec<u8> {
        self.target.lock().flash()[..length].to_vec()
    }
}

/// A built-in board, enumerated.
pub fn built_in(name: &str) -> Host<Powered> {
    let file = BoardFile::built_in(name).expect("built in");
    let mut host = Host::new(file.power_on(&PowerOn::default()).expect("a board"));
    host.enumerate().expect("enumerates");
    host
}

/// A program of `length` bytes with a vector table that DAPLink believes.
pub fn program(length: usize) -> Vec<u8> {
    let mut program: Vec<u8> = (0..length).map(|i| (i * 7 % 251) as u8).collect();
    for (slot, word) in program.chunks_exact_mut(4).zip([0x2002_0000u32, 0x101, 0x103, 0x105]) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    program
}

/// `program` as Intel HEX from address 0, at most 64 KB.
pub fn hex(program: &[u8]) -> Vec<u8> {
    let mut text = String::from(":020000040000FA\n");
    for (i, data) in program.chunks(16).enumerate() {
        let address = (i * 16) as u16;
        let head = [data.len() as u8, (address >> 8) as u8, address as u8, 0];
        let bytes: Vec<u8> = head.iter().chain(data).copied().collect();
        let checksum = bytes.iter().fold(0u8, |sum, &byte| sum.wrapping_sub(byte));
        text.push(':');
        bytes.iter().chain([&checksum]).for_each(|byte| text.push_str(&format!("{byte:02X}")));
        text.push('\n');
    }
    (text + ":00000001FF\n").into_bytes()
}
