//! What the tests of the target side share: a firmware core in a task, and a target that does what it is told.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_sim::bus::{BusFault, Size};
use twinboard_sim::debug::{DebugTarget, SwdWire};
use twinboard_sim::task::{Task, TaskClock};
use twinboard_sim::time::{Span, Time};

use super::config::{DapLinkConfig, NonVolatile, Settings};
use super::dap::port::SwdPort;
use super::flash::algorithm::{self, Algorithm};
use super::personality::Board;
use super::power::PowerLed;
use super::shared::{Core, Io, Lamp};
use super::storage::{Storage, StorageTable};
use super::swd_host::SwdHost;
use super::uart::Uart;
use crate::debug::link::SwdLink;
use crate::debug::table::{DapTable, NRF51822, NRF52833};
use crate::native::endpoints::UsbDevice;

/// Runs a piece of a micro:bit V2's firmware to its end.
pub fn run<T, F>(wire: Box<dyn SwdWire>, settings: Settings, make: impl FnOnce(Core) -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    run_on(Board::MicrobitV2, wire, settings, make)
}

/// Runs a piece of a board's firmware to its end.
pub fn run_on<T, F>(board: Board, wire: Box<dyn SwdWire>, settings: Settings, make: impl FnOnce(Core) -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let result = Arc::new(Mutex::new(None));
    let slot = result.clone();
    let mut task = Task::new(Time::ZERO, |clock| {
        let future = make(core(board, clock, wire, settings));
        async move { *slot.lock() = Some(future.await) }
    });
    for _ in 0..100_000 {
        task.advance(Time::ZERO + Span::secs(1_000));
        if let Some(result) = result.lock().take() {
            return result;
        }
    }
    panic!("the firmware does not come to an end")
}

fn core(board: Board, clock: TaskClock, wire: Box<dyn SwdWire>, settings: Settings) -> Core {
    let config = DapLinkConfig::of(board);
    let table = config.personality();
    let settings = NonVolatile::with_storage(settings, table.storage.map_or(0, StorageTable::flash));
    let uart = Uart::new(&table.serial.uart, settings.clone());
    Core {
        serial: config.serial(false),
        config: Arc::new(config),
        settings: settings.clone(),
        usb: UsbDevice::new(clock.clone()),
        io: Io::new(clock.clone(), uart.clone()),
        uart,
        swd: SwdHost::new(
            &table.target,
            SwdPort::new(&table.pins, clock.clone(), Arc::new(Mutex::new(wire)), Default::default()),
        ),
        lamp: Lamp::default(),
        page_erase: false,
        page_erase_shown: false,
        flash_busy: false,
        failed_assertion: None,
        storage: table.storage.map(|table| Storage::new(table, &settings)),
        power: Default::default(),
        power_led: PowerLed::new(false),
        usb_state: Default::default(),
        requests: Default::default(),
        clock,
    }
}

/// What a [`FakeTarget`] is.
#[derive(Debug)]
pub struct FakeChip {
    algorithm: &'static Algorithm,
    dap: &'static DapTable,
    /// Sizes of flash, page and RAM.
    flash: usize,
    page: usize,
    ram: usize,
}

static NRF52: FakeChip =
    FakeChip { algorithm: &algorithm::NRF52, dap: &NRF52833, flash: FLASH_SIZE, page: 4096, ram: 0x2_0000 };

static NRF51: FakeChip =
    FakeChip { algorithm: &algorithm::NRF51, dap: &NRF51822, flash: 0x4_0000, page: 1024, ram: 0x4000 };

/// An nRF51822 or nRF52833 as far as flash programming goes: memories, core registers, and the functions of the flash
/// algorithm, which it does by itself when the core is started at their addresses.
#[derive(Debug)]
pub struct FakeTarget {
    pub chip: &'static FakeChip,
    pub flash: Vec<u8>,
    pub uicr: Vec<u8>,
    pub ram: Vec<u8>,
    pub registers: [u32; 17],
    pub dcrdr: u32,
    pub demcr: u32,
    pub debug_enabled: bool,
    pub running: bool,
    /// The core stops here.
    pub stop_at: Time,
    pub powered: bool,
    /// The memory access port is disabled (APPROTECT).
    pub locked: bool,
    /// What the algorithm's functions return.
    pub result: u32,
    /// Bits of the first word of flash that cannot be programmed.
    pub stuck: u8,
    /// Functions that were called: their address in the algorithm and their first argument.
    pub calls: Vec<(u32, u32)>,
    pub resets: u32,
    /// POWER.RESET, and whether the reset pin is low.
    pub reset_enabled: bool,
    pub in_reset: bool,
}

pub const FLASH_SIZE: usize = 0x8_0000;

impl Default for FakeTarget {
    fn default() -> FakeTarget {
        FakeTarget::new(&NRF52)
    }
}

impl FakeTarget {
    /// An nRF51822.
    pub fn nrf51() -> FakeTarget {
        FakeTarget::new(&NRF51)
    }

    fn new(chip: &'static FakeChip) -> FakeTarget {
        FakeTarget {
            chip,
            flash: vec![0; chip.flash],
            uicr: vec![0; 0x1000],
            ram: vec![0; chip.ram],
            registers: [0; 17],
            dcrdr: 0,
            demcr: 0,
            debug_enabled: false,
            running: true,
            stop_at: Time::NEVER,
            powered: false,
            locked: false,
            result: 0,
            stuck: 0,
            calls: Vec::new(),
            resets: 0,
            reset_enabled: false,
            in_reset: false,
        }
    }

    /// The target and a wire to it.
    pub fn wired(self) -> (Arc<Mutex<FakeTarget>>, Box<dyn SwdWire>) {
        let dap = self.chip.dap;
        let target = Arc::new(Mutex::new(self));
        (target.clone(), Box::new(SwdLink::new(dap, target)))
    }

    fn memory(&mut self, address: u32, length: usize) -> Option<&mut [u8]> {
        let (bytes, base) = match address {
            0..0x1000_0000 => (&mut self.flash, 0),
            0x1000_1000..0x1000_2000 => (&mut self.uicr, 0x1000_1000),
            0x2000_0000..0x3000_0000 => (&mut self.ram, 0x2000_0000),
            _ => return None,
        };
        let offset = (address - base) as usize;
        bytes.get_mut(offset..offset + length)
    }

    fn reset(&mut self) {
        self.resets += 1;
        self.stop_at = Time::NEVER;
        self.running = !(self.debug_enabled && self.demcr & 1 != 0);
    }

    fn bring_to(&mut self, at: Time) {
        if self.running && at >= self.stop_at {
            self.running = false;
            self.registers[0] = self.result;
        }
    }

    /// The core is started in the algorithm.
    fn call(&mut self, at: Time) {
        let [first, size, buffer, ..] = self.registers;
        let entry = self.registers[15];
        let FakeChip { algorithm, page, .. } = self.chip;
        self.calls.push((entry - algorithm.load, first));
        let takes = if entry == algorithm.erase_chip {
            self.flash.fill(0xff);
            self.uicr.fill(0xff);
            Span::ms(173)
        } else if entry == algorithm.erase_sector && first >= 0x1000_1000 {
            self.uicr.fill(0xff);
            Span::ms(87)
        } else if entry == algorithm.erase_sector {
            self.memory(first, *page).expect("a page").fill(0xff);
            Span::ms(87)
        } else if entry == algorithm.program_page {
            let data = self.memory(buffer, size as usize).expect("the buffer").to_vec();
            let stuck = if first == 0 { self.stuck } else { 0 };
            for (cell, byte) in self.memory(first, size as usize).expect("flash").iter_mut().zip(data) {
                *cell &= byte | stuck;
            }
            Span::us(42) * u64::from(size / 4)
        } else if [algorithm.init, algorithm.uninit].contains(&entry) {
            Span::us(1)
        } else {
            panic!("the core was started at {entry:#x}")
        };
        assert_eq!(self.registers[14], algorithm.frame.breakpoint, "the return address is the breakpoint");
        self.running = true;
        self.stop_at = at + takes;
    }
}

impl DebugTarget for FakeTarget {
    fn mem_read(&mut self, at: Time, address: u32, size: Size) -> Result<u32, BusFault> {
        self.bring_to(at);
        let value = match address {
            0xe000_edf0 => u32::from(!self.running) << 17 | 1 << 16 | u32::from(self.debug_enabled),
            0xe000_edf8 => self.dcrdr,
            0xe000_edfc => self.demcr,
            0xe000_ed0c => 0xfa05_0000,
            _ => {
                let bytes = self.memory(address, size.bytes() as usize).ok_or(BusFault { address })?;
                bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
            }
        };
        Ok(value)
    }

    fn mem_write(&mut self, at: Time, address: u32, size: Size, value: u32) -> Result<(), BusFault> {
        self.bring_to(at);
        match address {
            0xe000_edf0 => {
                self.debug_enabled = value & 1 != 0;
                if value & 2 != 0 {
                    self.running = false;
                } else if !self.running && self.debug_enabled {
                    self.call(at);
                }
            }
            0xe000_edf4 if value >> 16 & 1 == 1 => self.registers[(value & 0x1f) as usize] = self.dcrdr,
            0xe000_edf4 => self.dcrdr = self.registers[(value & 0x1f) as usize],
            0xe000_edf8 => self.dcrdr = value,
            0xe000_edfc => self.demcr = value,
            0xe000_ed0c if value & 4 != 0 => self.reset(),
            0x4000_0544 => self.reset_enabled = value & 1 != 0,
            0x2000_0000.. => {
                let bytes = self.memory(address, size.bytes() as usize).ok_or(BusFault { address })?;
                bytes.copy_from_slice(&value.to_le_bytes()[..bytes.len()]);
            }
            _ => return Err(BusFault { address }),
        }
        Ok(())
    }

    fn mem_enabled(&mut self, _: Time) -> bool {
        !self.locked
    }

    fn power_request(&mut self, _: Time, debug: bool, system: bool) {
        self.powered = debug || system;
    }

    fn vendor_read(&mut self, _: Time, _: u8, _: u8) -> u32 {
        0
    }

    fn vendor_write(&mut self, _: Time, _: u8, register: u8, value: u32) {
        if (register, value) == (0, 0) {
            self.reset();
        }
    }

    fn reset_pin(&mut self, _: Time, asserted: bool) {
        if self.in_reset && !asserted {
            self.reset();
        }
        self.in_reset = asserted && self.reset_enabled;
    }
}
