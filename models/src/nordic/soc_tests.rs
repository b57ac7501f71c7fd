//! Tests of what the chip adds to its peripherals: the bus, the PPI, the order of things.

use twinboard_sim::cpu::memory::Kind;
use twinboard_sim::cpu::{Mmio, MmioContext};
use twinboard_sim::time::Span;
use twinboard_sim::wire::PinId;

use super::super::nrf52833::NRF52833;
use super::super::peripheral::us;
use super::*;
use twinboard_sim::wire::Drive;

const TIMER0: u32 = 0x4000_8000;
const GPIOTE_PAGE: u32 = 0x4000_6000;
const PPI_PAGE: u32 = 0x4001_F000;
const NVMC_PAGE: u32 = 0x4001_E000;
const EGU0: u32 = 0x4001_4000;

/// A bus master without a core.
struct Master {
    soc: Soc,
    memory: Memory,
    cycle: u64,
    irq: IrqLines,
    deadline: u64,
    stall: u64,
    steady: bool,
    flash_busy_until: u64,
    reset: bool,
}

impl Master {
    fn new() -> Master {
        let mut memory = Memory::default();
        memory.add(Kind::Flash, 0, NRF52833.flash.size, 0xFF);
        memory.add(Kind::Flash, NRF52833.flash.uicr, NRF52833.flash.uicr_size, 0xFF);
        memory.add(Kind::Ram, 0x2000_0000, NRF52833.ram, 0);
        Master {
            soc: Soc::new(&NRF52833, &Options::default()),
            memory,
            cycle: 0,
            irq: IrqLines::default(),
            deadline: u64::MAX,
            stall: 0,
            steady: false,
            flash_busy_until: 0,
            reset: false,
        }
    }

    fn with<R>(&mut self, f: impl FnOnce(&mut Soc, &mut MmioContext<'_>) -> R) -> R {
        let mut cx = MmioContext {
            cycle: self.cycle,
            memory: &mut self.memory,
            irq: &mut self.irq,
            deadline: &mut self.deadline,
            stall: &mut self.stall,
            steady: &mut self.steady,
            yield_now: &mut false,
            reset: &mut self.reset,
            send_event: &mut false,
            flash_busy_until: &mut self.flash_busy_until,
            debugger: false,
        };
        f(&mut self.soc, &mut cx)
    }

    fn read(&mut self, address: u32) -> u32 {
        self.steady = false;
        self.with(|soc, cx| soc.read(cx, address, Size::Word)).expect("no bus error")
    }

    fn write(&mut self, address: u32, value: u32) {
        self.with(|soc, cx| soc.write(cx, address, Size::Word, value)).expect("no bus error");
    }

    /// Runs events as a sleeping core would, until `until`.
    fn sleep_until(&mut self, until: u64) {
        while self.deadline <= until {
            self.cycle = self.cycle.max(self.deadline);
            self.with(|soc, cx| soc.event(cx));
        }
        self.cycle = until;
    }

    fn report(&self) -> Report {
        let mut report = Report::default();
        self.soc.report(&mut report);
        report
    }
}

#[test]
fn a_ppi_channel_triggers_its_task_one_peripheral_clock_after_the_event() {
    let mut master = Master::new();
    master.write(GPIOTE_PAGE + 0x510, 0x0001_1C03); // channel 0: task on P0.28, set, initially low
    master.write(PPI_PAGE + 0x510, TIMER0 + 0x140);
    master.write(PPI_PAGE + 0x514, GPIOTE_PAGE + 0x030);
    master.write(PPI_PAGE + 0x504, 1);
    master.write(TIMER0 + 0x540, 100);
    master.soc.pins.edges().clear();
    master.write(TIMER0, 1);
    master.sleep_until(us(200));
    let edges: Vec<_> = master.soc.pins.edges().iter().map(|e| (e.at, e.pin, e.signal)).collect();
    let at = Time::ZERO + Span::us(100) + Span::ps(PCLK16M * 15_625);
    assert_eq!(edges, [(at, PinId(28), Signal::Drive(Drive::High))]);
}

#[test]
fn a_loop_of_events_and_tasks_takes_time_and_does_not_hang_the_chip() {
    let mut master = Master::new();
    for (channel, (event, task)) in [(0, 1), (1, 0)].into_iter().enumerate() {
        master.write(PPI_PAGE + 0x510 + 8 * channel as u32, EGU0 + 0x100 + 4 * event);
        master.write(PPI_PAGE + 0x514 + 8 * channel as u32, EGU0 + 4 * task);
    }
    master.write(PPI_PAGE + 0x504, 0b11);
    master.write(EGU0, 1);
    master.sleep_until(1_000);
    assert_eq!(master.read(EGU0 + 0x104), 1);
    assert!(master.deadline > 1_000);
}

#[test]
fn an_interrupt_line_follows_events_and_inten_of_its_peripheral() {
    let mut master = Master::new();
    master.write(EGU0 + 0x304, 1);
    master.write(EGU0, 1);
    assert_eq!(master.irq.levels, 0);
    master.sleep_until(10);
    assert_eq!(master.irq.levels, 1 << 20);
    master.write(EGU0 + 0x100, 0);
    assert_eq!(master.irq.levels, 0);
}

#[test]
fn absent_pages_read_0_and_are_counted_and_the_rest_of_the_bus_faults() {
    let mut master = Master::new();
    assert_eq!(master.read(0x4003_0000), 0);
    master.write(0x4000_8ABC, 5);
    master.write(0x4000_8ABC, 5);
    let report = master.report();
    assert_eq!(report.unmodelled[&("nrf52833 no peripheral+0x000".into(), Access::Read)], 1);
    assert_eq!(report.unmodelled[&("nrf52833 TIMER0+0xabc".into(), Access::Write)], 2);
    assert!(master.with(|soc, cx| soc.read(cx, 0x3E00_0000, Size::Word)).is_err());
    assert!(master.with(|soc, cx| soc.write(cx, 0x4008_0000, Size::Word, 0)).is_err());
}

#[test]
fn undocumented_registers_that_official_code_uses_keep_what_is_written() {
    let mut master = Master::new();
    master.write(0x4006_EC00, 0x9375);
    assert_eq!(master.read(0x4006_EC00), 0x9375);
    assert_eq!(master.report(), Report::default());
}

#[test]
fn a_store_to_flash_makes_the_flash_busy_and_the_word_appears_when_it_is_done() {
    let mut master = Master::new();
    master.write(NVMC_PAGE + 0x504, 1);
    master.write(0x1000, 0x1234_5678);
    assert_eq!((master.flash_busy_until, master.stall), (2_720, 0));
    assert_eq!(master.read(NVMC_PAGE + 0x400), 0);
    assert!(master.steady && master.deadline == 2_720);
    master.sleep_until(2_720);
    assert_eq!(master.read(NVMC_PAGE + 0x400), 1);
    assert_eq!(master.memory.read(0x1000, Size::Word), Some(0x1234_5678));
}

#[test]
fn a_third_word_waits_for_the_buffer() {
    let mut master = Master::new();
    master.write(NVMC_PAGE + 0x504, 1);
    for n in 0..3 {
        master.write(0x1000 + 4 * n, n);
    }
    assert_eq!(master.stall, 2_720);
}

#[test]
fn a_button_that_is_sensed_raises_port_when_its_time_has_come() {
    let mut master = Master::new();
    master.write(GPIO + 0x700 + 4 * 14, 0x0003_000C); // pull-up, sense low
    master.write(GPIOTE_PAGE + 0x304, 1 << 31);
    let at = Time::ZERO + Span::us(50);
    master.soc.receive(Edge { at, pin: PinId(14), signal: Signal::Drive(Drive::Low) });
    master.deadline = master.soc.next_event();
    master.sleep_until(us(50) - 1);
    assert_eq!((master.irq.levels, master.read(GPIO + 0x510) >> 14 & 1), (0, 1));
    master.sleep_until(us(50));
    assert_eq!((master.irq.levels, master.read(GPIO + 0x510) >> 14 & 1), (1 << 6, 0));
    assert_eq!(master.read(GPIO + 0x520), 1 << 14, "LATCH");
}

#[test]
fn the_reset_pin_is_one_only_after_uicr_says_so_twice() {
    let mut master = Master::new();
    let low = |us| Edge { at: Time::ZERO + Span::us(us), pin: PinId(18), signal: Signal::Drive(Drive::Low) };
    master.soc.receive(low(1));
    master.deadline = master.soc.next_event();
    master.sleep_until(us(2));
    assert_eq!(master.soc.request, None);
    for offset in UICR_PSELRESET {
        master.memory.write(NRF52833.flash.uicr + offset, Size::Word, 18);
    }
    master.with(|soc, cx| soc.reset(cx, Reset::Soft));
    master.soc.receive(low(3));
    master.deadline = master.soc.next_event();
    master.sleep_until(us(4));
    assert_eq!(master.soc.request, Some(Request::ResetPin(true)));
    assert!(master.reset);
}

#[test]
fn byte_accesses_reach_the_byte_of_a_register() {
    let mut master = Master::new();
    master.write(TIMER0 + 0x540, 0x1122_3344);
    assert_eq!(master.with(|soc, cx| soc.read(cx, TIMER0 + 0x542, Size::Byte)), Ok(0x22));
}

/// CODAL's timer for the SAADC: every 91 ticks of 16 MHz a COMPARE\[0\] that clears it and, through PPI channel 1,
/// triggers SAMPLE. It starts at cycle 0; the converter is enabled but not started.
fn sampling_timer() -> Master {
    const TIMER2: u32 = 0x4000_A000;
    let mut master = Master::new();
    let registers = [
        (SAADC + 0x500, 1),           // ENABLE
        (SAADC + 0x510, 1),           // CH[0].PSELP
        (SAADC + 0x518, 0),           // CH[0].CONFIG: TACQ 3 µs
        (SAADC + 0x62C, 0x2000_0000), // RESULT.PTR
        (SAADC + 0x630, 1),           // RESULT.MAXCNT
        (TIMER2 + 0x508, 3),          // BITMODE
        (TIMER2 + 0x510, 0),          // PRESCALER
        (TIMER2 + 0x540, 91),         // CC[0]
        (TIMER2 + 0x200, 1),          // SHORTS
        (PPI_PAGE + 0x518, TIMER2 + 0x140),
        (PPI_PAGE + 0x51C, SAADC + 0x004),
        (PPI_PAGE + 0x504, 1 << 1), // CHENSET
        (TIMER2, 1),                // START
    ];
    for (address, value) in registers {
        master.write(address, value);
    }
    master
}

const SAADC: u32 = 0x4000_7000;

#[test]
fn an_event_that_only_triggers_ignored_tasks_is_not_waited_for() {
    let master = sampling_timer();
    assert_eq!(master.soc.next_event(), NEVER);
}

#[test]
fn a_channel_that_was_left_out_loses_no_event_when_its_task_matters_again() {
    // 91 ticks are 364 cycles, the PPI takes 4, a conversion 5 µs.
    for start in 1..=1100 {
        let first = (1..).map(|turn| 364 * turn + PCLK16M).find(|&at| at > start).expect("a turn");
        let end = first + us(5);
        let mut master = sampling_timer();
        master.cycle = start;
        master.write(SAADC, 1);
        master.cycle = end - 1;
        assert_eq!(master.read(SAADC + 0x104), 0, "END before its time, for a START at cycle {start}");
        master.cycle = end;
        assert_eq!(master.read(SAADC + 0x104), 1, "no END in time, for a START at cycle {start}");
    }
}
