//! TWIM — I2C master with EasyDMA (PS chapter "TWIM").
//!
//! A transfer is an address and then bytes, each in its time on the wire. LASTTX and LASTRX come when the last byte
//! begins; the shorts from them act when it has ended. A start task during a suspension waits for RESUME, and is then a
//! repeated start. The page is shared with SPI, SPIM, SPIS, TWI and TWIS: ENABLE chooses, and those do nothing.

use twinboard_sim::bus::Size;
use twinboard_sim::time::Time;

use super::clock::LfClk;
use super::inert::{Inert, InertSpec};
use super::peripheral::{CYCLE_PS, Cx, Events, NEVER, PCLK16M, Peripheral, Psel, Reset, SHORTS};

const STARTRX: u32 = 0x000;
const STARTTX: u32 = 0x008;
const STOP: u32 = 0x014;
const SUSPEND: u32 = 0x01C;
const RESUME: u32 = 0x020;

const STOPPED: u32 = 1;
const ERROR: u32 = 9;
const SUSPENDED: u32 = 18;
const RXSTARTED: u32 = 19;
const TXSTARTED: u32 = 20;
const LASTRX: u32 = 23;
const LASTTX: u32 = 24;

const ERRORSRC: u32 = 0x4C4;
const ENABLE: u32 = 0x500;
const PSEL_SCL: u32 = 0x508;
const PSEL_SDA: u32 = 0x50C;
const FREQUENCY: u32 = 0x524;
const RXD_PTR: u32 = 0x534;
const RXD_MAXCNT: u32 = 0x538;
const RXD_AMOUNT: u32 = 0x53C;
const TXD_PTR: u32 = 0x544;
const TXD_MAXCNT: u32 = 0x548;
const TXD_AMOUNT: u32 = 0x54C;
const ADDRESS: u32 = 0x588;

const ENABLED_TWIM: u32 = 6;
const ANACK: u32 = 1 << 1;
const DNACK: u32 = 1 << 2;

/// Start condition, address, direction and acknowledge.
const ADDRESS_CLOCKS: u64 = 10;
/// Eight bits and acknowledge.
const BYTE_CLOCKS: u64 = 9;

/// Which way a transfer goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Direction {
    Rx,
    Tx,
}

impl Direction {
    /// STARTED and LAST events, AMOUNT register.
    fn ends(self) -> (u32, u32, u32) {
        match self {
            Direction::Rx => (RXSTARTED, LASTRX, RXD_AMOUNT),
            Direction::Tx => (TXSTARTED, LASTTX, TXD_AMOUNT),
        }
    }

    /// Shorts from LASTTX or LASTRX: to a start in the other direction, to SUSPEND, to STOP.
    fn shorts(self) -> [u32; 3] {
        match self {
            Direction::Tx => [1 << 7, 1 << 8, 1 << 9],
            Direction::Rx => [1 << 10, 1 << 11, 1 << 12],
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Transfer {
    direction: Direction,
    ptr: u32,
    maxcnt: u32,
    amount: u32,
    /// The device that acknowledged the address.
    device: Option<usize>,
}

/// The register machine.
#[derive(Debug)]
pub struct Twim {
    registers: Inert,
    transfer: Option<Transfer>,
    /// A transfer that waits for RESUME.
    waiting: Option<Transfer>,
    suspended: bool,
    stopping: bool,
    suspending: bool,
    /// End of the byte on the wire.
    byte_due: u64,
    /// Events on their way, and when they arrive.
    pending: u32,
    pending_due: u64,
}

impl Twim {
    /// A master on a page with these registers.
    #[must_use]
    pub fn new(spec: InertSpec) -> Twim {
        Twim {
            registers: Inert::new(spec),
            transfer: None,
            waiting: None,
            suspended: false,
            stopping: false,
            suspending: false,
            byte_due: NEVER,
            pending: 0,
            pending_due: NEVER,
        }
    }

    fn soon(&mut self, now: u64, event: u32) {
        self.pending |= 1 << event;
        self.pending_due = self.pending_due.min(now + PCLK16M);
    }

    /// Core cycles of one clock on the bus. FREQUENCY is a fraction of 16 MHz over 2^32.
    fn clock(&self) -> u64 {
        (1 << 32) / u64::from(self.registers.get(FREQUENCY).max(1)) * PCLK16M
    }

    /// Whether this master's pins are those of the board's bus.
    fn is_on(&self, cx: &Cx<'_>) -> bool {
        let pin = |offset| Psel(self.registers.get(offset)).pin();
        cx.i2c.pins.is_some() && pin(PSEL_SCL).zip(pin(PSEL_SDA)) == cx.i2c.pins
    }

    fn start(&mut self, now: u64, direction: Direction) {
        let (ptr, maxcnt) = match direction {
            Direction::Rx => (RXD_PTR, RXD_MAXCNT),
            Direction::Tx => (TXD_PTR, TXD_MAXCNT),
        };
        let (ptr, maxcnt) = (self.registers.get(ptr), self.registers.get(maxcnt) & 0xFFFF);
        let transfer = Transfer { direction, ptr, maxcnt, amount: 0, device: None };
        if self.suspended {
            self.waiting = Some(transfer);
        } else {
            self.begin(now, transfer);
        }
    }

    fn begin(&mut self, now: u64, transfer: Transfer) {
        let (started, _, amount) = transfer.direction.ends();
        self.registers.set(amount, 0);
        self.soon(now, started);
        self.transfer = Some(transfer);
        self.byte_due = now + ADDRESS_CLOCKS * self.clock();
    }

    fn fail(&mut self, reason: u32) {
        self.transfer = None;
        self.registers.set(ERRORSRC, self.registers.get(ERRORSRC) | reason);
        self.events().raise(ERROR);
    }

    /// A byte, or the address, is over on the wire.
    fn byte_done(&mut self, cx: &mut Cx<'_>) {
        let Some(mut transfer) = self.transfer else { return };
        let time = Time(cx.now * CYCLE_PS);
        match transfer.device {
            None => {
                let address = (self.registers.get(ADDRESS) & 0x7F) as u8;
                let found = if self.is_on(cx) { cx.i2c.find(address) } else { None };
                let Some(device) = found else { return self.fail(ANACK) };
                cx.i2c.devices[device].start();
                transfer.device = Some(device);
            }
            Some(device) => {
                let (device, at) = (&mut cx.i2c.devices[device], transfer.ptr.wrapping_add(transfer.amount));
                transfer.amount += 1;
                self.registers.set(transfer.direction.ends().2, transfer.amount);
                match transfer.direction {
                    Direction::Rx => {
                        cx.memory.write(at, Size::Byte, device.read(time).into());
                    }
                    Direction::Tx => {
                        let byte = cx.memory.read(at, Size::Byte).unwrap_or(0) as u8;
                        if !device.write(time, byte) {
                            return self.fail(DNACK);
                        }
                    }
                }
            }
        }
        self.transfer = Some(transfer);
        self.go_on(cx.now);
    }

    /// Between two bytes: what has been asked for meanwhile, or the next byte.
    fn go_on(&mut self, now: u64) {
        let Some(transfer) = self.transfer else { return };
        let left = transfer.maxcnt - transfer.amount;
        let (_, last, _) = transfer.direction.ends();
        if std::mem::take(&mut self.stopping) {
            self.stop(now);
        } else if std::mem::take(&mut self.suspending) {
            self.suspended = true;
            self.soon(now, SUSPENDED);
        } else if left > 0 {
            if left == 1 {
                self.events().raise(last);
            }
            self.byte_due = now + BYTE_CLOCKS * self.clock();
        } else {
            if transfer.maxcnt == 0 {
                self.events().raise(last);
            }
            self.finished(now, transfer.direction);
        }
    }

    /// All bytes are over: the shorts decide what follows; without one the bus waits.
    fn finished(&mut self, now: u64, direction: Direction) {
        self.transfer = None;
        let shorts = self.registers.get(SHORTS);
        let [start, suspend, stop] = direction.shorts().map(|short| shorts & short != 0);
        if suspend {
            self.suspended = true;
            self.soon(now, SUSPENDED);
        }
        if stop {
            self.stop(now);
        } else if start {
            self.start(now, if direction == Direction::Tx { Direction::Rx } else { Direction::Tx });
        }
    }

    fn stop(&mut self, now: u64) {
        (self.transfer, self.waiting, self.suspended, self.byte_due) = (None, None, false, NEVER);
        self.soon(now, STOPPED);
    }

    fn resume(&mut self, now: u64) {
        if std::mem::take(&mut self.suspended) {
            match self.waiting.take() {
                Some(transfer) => self.begin(now, transfer),
                None => self.go_on(now),
            }
        }
    }
}

impl Peripheral for Twim {
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32> {
        self.registers.read(cx, offset)
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        if offset == ERRORSRC {
            self.registers.set(ERRORSRC, self.registers.get(ERRORSRC) & !value);
            return Some(());
        }
        self.registers.write(cx, offset, value)
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        if self.registers.get(ENABLE) != ENABLED_TWIM {
            return None;
        }
        let busy = self.byte_due != NEVER;
        match offset {
            STARTRX => self.start(cx.now, Direction::Rx),
            STARTTX => self.start(cx.now, Direction::Tx),
            STOP if busy => self.stopping = true,
            STOP => self.stop(cx.now),
            SUSPEND if busy => self.suspending = true,
            SUSPEND => {
                self.suspended = true;
                self.soon(cx.now, SUSPENDED);
            }
            RESUME => self.resume(cx.now),
            _ => return None,
        }
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        self.registers.events()
    }

    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset) {
        self.registers.reset(cx, reset);
        (self.transfer, self.waiting) = (None, None);
        (self.suspended, self.stopping, self.suspending) = (false, false, false);
        (self.byte_due, self.pending, self.pending_due) = (NEVER, 0, NEVER);
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.pending_due.min(self.byte_due)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.pending_due <= cx.now {
            self.pending_due = NEVER;
            let events = std::mem::take(&mut self.pending);
            self.events().raise_all(events);
        }
        if self.byte_due <= cx.now {
            self.byte_due = NEVER;
            self.byte_done(cx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::nrf52833::SERIAL;
    use super::super::peripheral::testing::Bench;
    use super::super::peripheral::us;
    use super::*;
    use crate::parts::lsm303agr::Accelerometer;
    use crate::parts::world::SharedWorld;

    const RAM: u32 = 0x2000_0000;

    fn enabled(bench: &mut Bench) -> Twim {
        bench.i2c.pins = Some((8, 16));
        bench.i2c.devices = vec![Box::new(Accelerometer::device(SharedWorld::default()))];
        let mut twim = Twim::new(SERIAL);
        let registers = [
            (ENABLE, ENABLED_TWIM),
            (FREQUENCY, 0x0640_0000), // 400 kHz
            (PSEL_SCL, 8),
            (PSEL_SDA, 16),
            (ADDRESS, 0x19),
            (TXD_PTR, RAM),
            (TXD_MAXCNT, 1),
            (RXD_PTR, RAM + 0x100),
            (RXD_MAXCNT, 1),
        ];
        for (offset, value) in registers {
            twim.write(&mut bench.cx(), offset, value).expect("a register");
        }
        bench.memory.write_bytes(RAM, &[0x0F]); // WHO_AM_I
        twim
    }

    fn wait(bench: &mut Bench, twim: &mut Twim, event: u32) -> u64 {
        let limit = bench.now + us(1_000);
        bench.wait(twim, event, limit).expect("an event")
    }

    #[test]
    fn an_address_that_nobody_has_ends_with_anack_when_it_has_been_sent() {
        let mut bench = Bench::default();
        let mut twim = enabled(&mut bench);
        twim.write(&mut bench.cx(), ADDRESS, 0x70);
        twim.task(&mut bench.cx(), STARTTX);
        let at = wait(&mut bench, &mut twim, ERROR);
        assert!(at >= us(24) && at <= us(26), "ten clocks of 400 kHz");
        assert!(twim.events().is_set(TXSTARTED));
        assert_eq!(twim.read(&mut bench.cx(), ERRORSRC), Some(ANACK));
        twim.write(&mut bench.cx(), ERRORSRC, ANACK);
        assert_eq!(twim.read(&mut bench.cx(), ERRORSRC), Some(0));
        twim.task(&mut bench.cx(), RESUME);
        twim.task(&mut bench.cx(), STOP);
        assert!(!twim.events().is_set(STOPPED), "never inside the task write");
        wait(&mut bench, &mut twim, STOPPED);
    }

    #[test]
    fn a_master_on_other_pins_finds_nobody() {
        let mut bench = Bench::default();
        let mut twim = enabled(&mut bench);
        twim.write(&mut bench.cx(), PSEL_SCL, 26);
        twim.task(&mut bench.cx(), STARTTX);
        wait(&mut bench, &mut twim, ERROR);
    }

    #[test]
    fn the_shorts_make_a_register_read_of_one_task() {
        let mut bench = Bench::default();
        let mut twim = enabled(&mut bench);
        twim.write(&mut bench.cx(), SHORTS, 1 << 7 | 1 << 12); // LASTTX_STARTRX, LASTRX_STOP
        twim.task(&mut bench.cx(), STARTTX);
        let at = wait(&mut bench, &mut twim, STOPPED);
        assert_eq!(bench.memory.read(RAM + 0x100, Size::Byte), Some(0x33));
        // Two addresses of ten clocks and two bytes of nine, at 2.5 µs.
        assert!(at.abs_diff(us(95)) < us(1), "{at}");
        assert_eq!((twim.registers.get(TXD_AMOUNT), twim.registers.get(RXD_AMOUNT)), (1, 1));
    }

    #[test]
    fn a_start_during_suspension_is_a_repeated_start_after_resume() {
        let mut bench = Bench::default();
        let mut twim = enabled(&mut bench);
        twim.write(&mut bench.cx(), SHORTS, 1 << 8); // LASTTX_SUSPEND
        twim.task(&mut bench.cx(), STARTTX);
        wait(&mut bench, &mut twim, SUSPENDED);
        twim.write(&mut bench.cx(), SHORTS, 1 << 12); // LASTRX_STOP
        twim.task(&mut bench.cx(), STARTRX);
        assert_eq!(bench.wait(&mut twim, RXSTARTED, us(10_000)), None);
        twim.task(&mut bench.cx(), RESUME);
        wait(&mut bench, &mut twim, STOPPED);
        assert_eq!(bench.memory.read(RAM + 0x100, Size::Byte), Some(0x33));
    }

    #[test]
    fn a_stop_lets_the_byte_on_the_wire_finish() {
        let mut bench = Bench::default();
        let mut twim = enabled(&mut bench);
        twim.write(&mut bench.cx(), RXD_MAXCNT, 6);
        twim.task(&mut bench.cx(), STARTRX);
        bench.run_to(&mut twim, us(30)); // in the first byte
        twim.task(&mut bench.cx(), STOP);
        wait(&mut bench, &mut twim, STOPPED);
        assert_eq!(twim.registers.get(RXD_AMOUNT), 1);
    }

    #[test]
    fn the_page_does_nothing_in_its_other_personalities() {
        let mut bench = Bench::default();
        let mut twim = enabled(&mut bench);
        twim.write(&mut bench.cx(), ENABLE, 7); // SPIM
        assert_eq!(twim.task(&mut bench.cx(), 0x010), None);
    }
}
