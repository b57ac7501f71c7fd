//! Tests of TWIM.

use twinboard_sim::wire::{PinId, Signal};

use super::super::hfclk::HfClk;
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

/// A chip on the wires as the master's tests need it: what it says to each step, and when.
struct Chip {
    /// The steps that the master did, and when.
    heard: Vec<(u64, I2cSignal)>,
    /// Answers on their way.
    answers: Vec<(u64, I2cSignal)>,
    /// How long an answer takes over the wires and back.
    delay: u64,
}

impl Chip {
    fn new() -> Chip {
        Chip { heard: Vec::new(), answers: Vec::new(), delay: us(20) }
    }

    /// Lets the master run until `until`; `reply` says what the chip answers to a step.
    fn run(
        &mut self,
        bench: &mut Bench,
        twim: &mut Twim,
        until: u64,
        mut reply: impl FnMut(I2cSignal) -> Vec<(u64, I2cSignal)>,
    ) {
        loop {
            for edge in bench.pins.edges().drain(..) {
                if let Signal::I2c(step) = edge.signal {
                    let now = HfClk::default().cycle(edge.at);
                    assert_eq!(edge.pin, PinId(16), "SDA");
                    self.heard.push((now, step));
                    let delay = self.delay;
                    self.answers.extend(reply(step).into_iter().map(|(later, step)| (now + delay + later, step)));
                }
            }
            self.answers.sort_by_key(|answer| answer.0);
            let answer = self.answers.first().map_or(NEVER, |answer| answer.0);
            let next = twim.next(&bench.lfclk).min(answer);
            if next > until {
                break;
            }
            bench.now = bench.now.max(next);
            // Edges come first.
            if answer <= bench.now {
                let (_, step) = self.answers.remove(0);
                twim.i2c(&mut bench.cx(), 16, step);
            } else {
                twim.run(&mut bench.cx());
            }
        }
        bench.now = until;
    }

    fn steps(&self) -> Vec<I2cSignal> {
        self.heard.iter().map(|heard| heard.1).collect()
    }
}

/// What a chip says that acknowledges everything and gives these bytes.
fn willing(bytes: &[u8]) -> impl FnMut(I2cSignal) -> Vec<(u64, I2cSignal)> + '_ {
    let mut bytes = bytes.iter().copied();
    move |step| match step {
        I2cSignal::Start { .. } | I2cSignal::Write(_) => vec![(0, I2cSignal::Answer(true))],
        I2cSignal::Read => bytes.next().map(|byte| (0, I2cSignal::Data(byte))).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// A master of 400 kHz that is set up to write two bytes to address 0x70 and to read three.
fn towards_a_chip(bench: &mut Bench) -> Twim {
    let mut twim = enabled(bench);
    for (offset, value) in [(ADDRESS, 0x70), (TXD_MAXCNT, 2), (RXD_MAXCNT, 3)] {
        twim.write(&mut bench.cx(), offset, value).expect("a register");
    }
    bench.memory.write_bytes(RAM, &[0x10, 0x03]);
    twim
}

const BIT: Span = Span::ns(2_500);

#[test]
fn a_chip_that_answers_over_the_wires_is_written_at_the_full_rate() {
    let mut bench = Bench::default();
    let mut twim = towards_a_chip(&mut bench);
    let mut chip = Chip::new();
    twim.write(&mut bench.cx(), SHORTS, 1 << 9); // LASTTX_STOP
    twim.task(&mut bench.cx(), STARTTX);
    chip.run(&mut bench, &mut twim, us(1_000), willing(&[]));
    let start = I2cSignal::Start { address: 0x70, read: false, bit: BIT };
    let steps = [start, I2cSignal::Write(0x10), I2cSignal::Write(0x03), I2cSignal::Stop];
    assert_eq!(chip.steps(), steps);
    // Ten clocks of 2.5 us and twice nine, whatever the wires' latency.
    assert_eq!(chip.heard.last().map(|heard| heard.0), Some(us(70)));
    assert!(twim.events().is_set(STOPPED) && !twim.events().is_set(ERROR));
    assert_eq!(twim.registers.get(TXD_AMOUNT), 2);
}

#[test]
fn all_bytes_but_the_last_are_acknowledged() {
    let mut bench = Bench::default();
    let mut twim = towards_a_chip(&mut bench);
    let mut chip = Chip::new();
    twim.write(&mut bench.cx(), SHORTS, 1 << 12); // LASTRX_STOP
    twim.task(&mut bench.cx(), STARTRX);
    chip.run(&mut bench, &mut twim, us(1_000), willing(&[0x20, 0x39, 0x5A]));
    let (more, last) = (I2cSignal::Acknowledge(true), I2cSignal::Acknowledge(false));
    let read = I2cSignal::Read;
    let start = I2cSignal::Start { address: 0x70, read: true, bit: BIT };
    assert_eq!(chip.steps(), [start, read, more, read, more, read, last, I2cSignal::Stop]);
    let bytes: Vec<_> = (0..3).map(|n| bench.memory.read(RAM + 0x100 + n, Size::Byte)).collect();
    assert_eq!(bytes, [Some(0x20), Some(0x39), Some(0x5A)]);
}

#[test]
fn a_slave_that_holds_the_clock_is_waited_for() {
    let mut bench = Bench::default();
    let mut twim = towards_a_chip(&mut bench);
    let mut chip = Chip::new();
    twim.write(&mut bench.cx(), SHORTS, 1 << 9);
    twim.task(&mut bench.cx(), STARTTX);
    let held = |step| match step {
        I2cSignal::Write(0x10) => vec![(0, I2cSignal::Hold), (us(500), I2cSignal::Answer(true))],
        I2cSignal::Start { .. } | I2cSignal::Write(_) => vec![(0, I2cSignal::Answer(true))],
        _ => Vec::new(),
    };
    chip.run(&mut bench, &mut twim, us(400), held);
    assert_eq!(chip.heard.len(), 2, "the second byte waits");
    twim.task(&mut bench.cx(), STOP);
    chip.run(&mut bench, &mut twim, us(1_000), held);
    // The first byte began at 25 us; the answer came 20 us of wires and 500 us later. A stop waits for it, too.
    assert_eq!(chip.heard.last(), Some(&(us(545), I2cSignal::Stop)));
    assert_eq!(twim.registers.get(TXD_AMOUNT), 1);
}

#[test]
fn disabling_the_master_ends_a_transfer_whose_slave_never_lets_go_of_the_clock() {
    let mut bench = Bench::default();
    let mut twim = towards_a_chip(&mut bench);
    let mut chip = Chip::new();
    twim.task(&mut bench.cx(), STARTTX);
    let stuck = |step| if step == I2cSignal::Stop { Vec::new() } else { vec![(0, I2cSignal::Hold)] };
    chip.run(&mut bench, &mut twim, us(100_000), stuck);
    assert!(!twim.events().is_set(ERROR), "the chapter knows no time-out");
    twim.write(&mut bench.cx(), ENABLE, 0);
    twim.write(&mut bench.cx(), ENABLE, ENABLED_TWIM);
    twim.write(&mut bench.cx(), SHORTS, 1 << 9);
    twim.task(&mut bench.cx(), STARTTX);
    chip.run(&mut bench, &mut twim, us(200_000), willing(&[]));
    assert!(twim.events().is_set(STOPPED));
    assert_eq!(twim.registers.get(TXD_AMOUNT), 2);
}

#[test]
fn a_byte_that_is_refused_or_not_answered_is_dnack_and_one_that_nobody_sends_is_all_ones() {
    for answer in [vec![(0, I2cSignal::Answer(false))], vec![]] {
        let mut bench = Bench::default();
        let mut twim = towards_a_chip(&mut bench);
        let mut chip = Chip::new();
        twim.task(&mut bench.cx(), STARTTX);
        let reply = |step| match step {
            I2cSignal::Start { .. } => vec![(0, I2cSignal::Answer(true))],
            I2cSignal::Write(_) => answer.clone(),
            _ => Vec::new(),
        };
        chip.run(&mut bench, &mut twim, us(1_000), reply);
        assert!(twim.events().is_set(ERROR));
        assert_eq!(twim.read(&mut bench.cx(), ERRORSRC), Some(DNACK));
        assert_eq!(twim.registers.get(TXD_AMOUNT), 1);
    }
    let mut bench = Bench::default();
    let mut twim = towards_a_chip(&mut bench);
    let mut chip = Chip::new();
    twim.write(&mut bench.cx(), SHORTS, 1 << 12);
    twim.task(&mut bench.cx(), STARTRX);
    chip.run(&mut bench, &mut twim, us(1_000), willing(&[0x11]));
    assert_eq!(bench.memory.read(RAM + 0x100, Size::Byte), Some(0x11));
    assert_eq!(bench.memory.read(RAM + 0x101, Size::Byte), Some(0xFF));
}

#[test]
fn a_transfer_to_a_sensor_stays_inside_but_ends_the_one_before() {
    let mut bench = Bench::default();
    let mut twim = towards_a_chip(&mut bench);
    let mut chip = Chip::new();
    twim.task(&mut bench.cx(), STARTTX);
    chip.run(&mut bench, &mut twim, us(1_000), willing(&[]));
    assert_eq!(chip.heard.len(), 3, "no stop was asked for");
    twim.write(&mut bench.cx(), ADDRESS, 0x19);
    twim.write(&mut bench.cx(), SHORTS, 1 << 9);
    bench.memory.write_bytes(RAM, &[0x20, 0x57]);
    twim.task(&mut bench.cx(), STARTTX);
    chip.run(&mut bench, &mut twim, us(2_000), willing(&[]));
    assert!(twim.events().is_set(STOPPED));
    assert_eq!(chip.steps()[3..], [I2cSignal::Start { address: 0x19, read: false, bit: BIT }]);
}
