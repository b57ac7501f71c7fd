//! The chip around its core: what is on the bus, and the order in which things happen.
//!
//! What is due at the same time happens in a fixed order: edges from outside, then the peripherals in the order of their
//! places.

use std::collections::{BTreeMap, VecDeque};

use twinboard_sim::cpu::IrqLines;
use twinboard_sim::cpu::memory::Memory;
use twinboard_sim::report::{Access, Report};
use twinboard_sim::time::Time;
use twinboard_sim::wire::{Edge, Signal};

use super::clock::{Clocks, CycleClock, Rate, Sources};
use super::ftfa::Ftfa;
use super::mcm::Mcm;
use super::peripheral::{Cx, Peripheral, Request, Reset};
use super::pins::{MUX_GPIO, PORTS, Pins};
use super::port;
use super::rcm::Rcm;
use super::sim::Sim;
use super::table::{ChipTable, Gate, Options};
use super::usb0::Usb0;

/// First address of the peripheral bridge, where slot 0 is.
pub(super) const BRIDGE: u32 = 0x4000_0000;
pub(super) const SLOT: u32 = 0x1000;
pub(super) const SLOTS: usize = 128;
const FTFA_SLOT: u8 = 32;
const FTFA_GATE: Gate = (6, 0);
const SIM_LOW_SLOT: u8 = 71;
const SIM_SLOT: u8 = 72;
const PORT_SLOT: u8 = 73;
/// SCGC5 bit of port A; the others follow.
const PORT_GATE: u8 = 9;

/// Places of the peripherals that the chip itself has dealings with; those of the table follow.
pub(super) const SIM: usize = 0;
pub(super) const FTFA: usize = 1;
const OTHERS: usize = 2;

/// What answers in a slot of the bridge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answers {
    /// Nobody: a bus error.
    Nobody,
    /// The peripheral in this place.
    Place(usize),
    /// A PORT.
    Port(usize),
    /// Something without a model: the index in the table's list.
    Unmodelled(usize),
}

/// All that is on the core's bus besides memory.
pub struct Soc {
    pub(super) table: &'static ChipTable,
    /// Cycles and time.
    pub clock: CycleClock,
    /// The pins.
    pub pins: Pins,
    /// The flash controller.
    pub ftfa: Ftfa,
    /// What a peripheral asks of the chip.
    pub request: Option<Request>,
    pub(super) sim: Sim,
    pub(super) mcm: Mcm,
    pub(super) others: Vec<Box<dyn Peripheral>>,
    /// The index of the USB controller in `others`.
    usb: Option<usize>,
    /// What the generator gives, if it is right.
    sources: Sources,
    /// By how many parts per million it is fast.
    ppm: i32,
    clocks: Clocks,
    /// By slot of the bridge: who answers, and its clock gate.
    pub(super) slots: [(Answers, Option<Gate>); SLOTS],
    /// Next event by place.
    due: Vec<Time>,
    /// Nothing happens by itself before this time, which is this cycle.
    pub(super) earliest: Time,
    pub(super) due_cycle: u64,
    /// Edges from outside that have not happened yet, in order.
    incoming: VecDeque<(Time, Edge)>,
    unmodelled: BTreeMap<(u32, Access), u64>,
}

impl Soc {
    /// The peripherals of a chip.
    #[must_use]
    pub fn new(table: &'static ChipTable, options: &Options) -> Soc {
        let mut slots = [(Answers::Nobody, None); SLOTS];
        let mut answer = |slot: u8, who, gate| slots[usize::from(slot) % SLOTS] = (who, gate);
        for (index, (_, slot, gate)) in table.unmodelled.iter().enumerate() {
            answer(*slot, Answers::Unmodelled(index), *gate);
        }
        answer(FTFA_SLOT, Answers::Place(FTFA), Some(FTFA_GATE));
        answer(SIM_LOW_SLOT, Answers::Place(SIM), None);
        answer(SIM_SLOT, Answers::Place(SIM), None);
        for port in 0..PORTS {
            let n = port as u8;
            answer(PORT_SLOT + n, Answers::Port(port), Some((5, PORT_GATE + n)));
        }
        for (index, entry) in table.peripherals.iter().enumerate() {
            answer(entry.slot, Answers::Place(OTHERS + index), entry.gate);
        }
        let others: Vec<_> = table.peripherals.iter().map(|entry| entry.kind.build(options)).collect();
        let idle = Rate::LPO;
        let sources = Sources { out: idle, fast: [None; 2], internal: None, external: None };
        Soc {
            table,
            clock: CycleClock::new(idle),
            pins: Pins::new(table.ports),
            ftfa: Ftfa::new(table.flash),
            request: None,
            sim: Sim::new(table.sim, options.unique_id),
            mcm: Mcm::default(),
            due: vec![Time::NEVER; OTHERS + others.len()],
            usb: others.iter().position(|device| device.usb().is_some()),
            others,
            sources,
            ppm: 0,
            clocks: Clocks { sources, core: idle, bus: idle, erclk32k: None },
            slots,
            earliest: Time::ZERO,
            due_cycle: 0,
            incoming: VecDeque::with_capacity(16),
            unmodelled: BTreeMap::new(),
        }
    }

    /// Nothing happens by itself before this time.
    #[must_use]
    pub fn next_event(&self) -> Time {
        self.earliest
    }

    /// Something happens to the net of a pin; it takes effect when the chip comes to its time.
    pub fn receive(&mut self, edge: Edge) {
        let place = self.incoming.partition_point(|(at, _)| *at <= edge.at);
        self.incoming.insert(place, (edge.at, edge));
        self.hurry();
    }

    /// The USB controller, if the chip has one.
    #[must_use]
    pub fn usb(&self) -> Option<&Usb0> {
        self.others[self.usb?].usb()
    }

    /// The same, to be changed.
    pub fn usb_mut(&mut self) -> Option<&mut Usb0> {
        self.others[self.usb?].usb_mut()
    }

    /// The host did something to the USB controller, or the core stored to RAM that it watches: its interrupt.
    pub(super) fn settle_usb(&mut self, cycle: u64, memory: &mut Memory, irq: &mut IrqLines) {
        if let Some(index) = self.usb {
            self.settle(OTHERS + index, cycle, memory, irq);
        }
    }

    /// The core begins to sleep with SCR\[SLEEPDEEP\] set.
    pub fn sleeps_deeply(&mut self, now: Time, memory: &mut Memory) {
        for place in OTHERS..OTHERS + self.others.len() {
            let (device, mut cx) = self.place(place, now, memory);
            device.sleeps_deeply(&mut cx);
        }
        if self.request == Some(Request::PowerDown) {
            for place in OTHERS..OTHERS + self.others.len() {
                let (device, mut cx) = self.place(place, now, memory);
                device.powers_down(&mut cx);
            }
        }
    }

    /// The RCM.
    pub fn rcm(&mut self) -> Option<&mut Rcm> {
        self.others.iter_mut().find_map(|device| device.rcm())
    }

    /// Stops the COP, or starts it as a reset does.
    pub fn run_cop(&mut self, now: Time, runs: bool) {
        self.sim.run_cop(now, self.clocks.bus, runs);
        self.due[SIM] = self.sim.next();
        self.hurry();
    }

    /// Whether RESET_b is held low: the pin has its function and a low level.
    #[must_use]
    pub fn held_in_reset(&self) -> bool {
        let pin = self.table.reset_pin;
        self.pins.mux(pin) > MUX_GPIO && !self.pins.level(pin)
    }

    /// The peripheral in `place`, and what it sees of the chip.
    pub(super) fn place<'a>(
        &'a mut self,
        place: usize,
        now: Time,
        memory: &'a mut Memory,
    ) -> (&'a mut dyn Peripheral, Cx<'a>) {
        let cx = Cx {
            now,
            memory,
            pins: &mut self.pins,
            clocks: &self.clocks,
            sopt2: self.sim.sopt2(),
            request: &mut self.request,
        };
        let device: &mut dyn Peripheral = match place {
            SIM => &mut self.sim,
            FTFA => &mut self.ftfa,
            _ => &mut *self.others[place - OTHERS],
        };
        (device, cx)
    }

    fn irq_of(&self, place: usize) -> Option<u8> {
        match place {
            SIM => None,
            FTFA => Some(self.table.flash_irq),
            _ => self.table.peripherals[place - OTHERS].irq,
        }
    }

    fn second_irq_of(&self, place: usize) -> Option<u8> {
        self.table.peripherals.get(place.checked_sub(OTHERS)?)?.second_irq
    }

    /// After anything happened to the peripheral in `place`: its interrupt, its next event, the clocks.
    pub(super) fn settle(&mut self, place: usize, cycle: u64, memory: &mut Memory, irq: &mut IrqLines) {
        let number = self.irq_of(place);
        let device: &dyn Peripheral = match place {
            SIM => &self.sim,
            FTFA => &self.ftfa,
            _ => &*self.others[place - OTHERS],
        };
        if let Some(number) = number {
            irq.set(number, device.irq());
        }
        if let Some(number) = self.second_irq_of(place) {
            irq.set(number, device.second_irq());
        }
        let sources = device.sources();
        self.due[place] = device.next();
        if place == SIM || sources.is_some() {
            self.sources = sources.unwrap_or(self.sources);
            self.reclock(cycle, memory);
        }
        self.hurry();
    }

    /// From `cycle` on, all that the clock generator makes is faster by so many parts per million.
    pub(super) fn set_clock_offset(&mut self, ppm: i32, cycle: u64, memory: &mut Memory) {
        self.ppm = ppm;
        self.reclock(cycle, memory);
        self.hurry();
    }

    /// The frequencies may have changed: from `cycle` on they are what generator and dividers say.
    fn reclock(&mut self, cycle: u64, memory: &mut Memory) {
        let clocks = self.sim.clocks(self.sources).offset(self.ppm);
        if clocks == self.clocks {
            return;
        }
        self.clocks = clocks;
        self.clock.change(cycle, clocks.core);
        let now = self.clock.time(cycle);
        for place in OTHERS..OTHERS + self.others.len() {
            let (device, mut cx) = self.place(place, now, memory);
            device.reclocked(&mut cx);
            self.due[place] = device.next();
        }
    }

    /// Finds the time of the first event anew.
    pub(super) fn hurry(&mut self) {
        let edge = self.incoming.front().map_or(Time::NEVER, |(at, _)| *at);
        self.earliest = self.due.iter().copied().min().unwrap_or(Time::NEVER).min(edge).min(self.pins.reset_due());
        self.due_cycle = self.clock.cycle_at(self.earliest);
    }

    /// Levels of pins changed: tells those who look at pins.
    pub(super) fn pins_settle(&mut self, cycle: u64, memory: &mut Memory, irq: &mut IrqLines) {
        let now = self.clock.time(cycle);
        for index in 0..PORTS {
            let changed = self.pins.take_changed(index);
            if changed == 0 {
                continue;
            }
            port::levels_changed(&mut self.pins, index, changed);
            for place in OTHERS..OTHERS + self.others.len() {
                let (device, mut cx) = self.place(place, now, memory);
                device.levels_changed(&mut cx, index, changed);
                self.settle(place, cycle, memory, irq);
            }
        }
        self.port_irqs(irq);
    }

    /// The interrupts of the ports, which some of them share.
    pub(super) fn port_irqs(&self, irq: &mut IrqLines) {
        for number in self.table.port_irqs.iter().flatten() {
            let asks = |(port, of): (usize, &Option<u8>)| *of == Some(*number) && port::irq(&self.pins, port);
            irq.set(*number, self.table.port_irqs.iter().enumerate().any(asks));
        }
    }

    fn incoming_edge(&mut self, cycle: u64, edge: Edge, memory: &mut Memory, irq: &mut IrqLines) {
        match edge.signal {
            Signal::Drive(drive) => {
                self.pins.outside(edge.pin, drive);
                if edge.pin == self.table.reset_pin && self.held_in_reset() {
                    self.request.get_or_insert(Request::Reset(Reset::Pin));
                }
            }
            Signal::I2c(step) => {
                let now = self.clock.time(cycle);
                for place in OTHERS..OTHERS + self.others.len() {
                    let (device, mut cx) = self.place(place, now, memory);
                    device.i2c(&mut cx, edge.pin, step);
                    self.settle(place, cycle, memory, irq);
                }
            }
            Signal::Serial(frame) => {
                self.pins.outside_serial(edge.pin, edge.at, frame);
                let now = self.clock.time(cycle);
                for place in OTHERS..OTHERS + self.others.len() {
                    let (device, mut cx) = self.place(place, now, memory);
                    device.serial(&mut cx, edge.pin, edge.at, frame);
                    self.settle(place, cycle, memory, irq);
                }
            }
        }
    }

    /// Does everything that is due at `cycle`, in order.
    pub(super) fn run_until(&mut self, cycle: u64, memory: &mut Memory, irq: &mut IrqLines) {
        while self.due_cycle <= cycle {
            let now = self.clock.time(cycle);
            if self.incoming.front().is_some_and(|(at, _)| *at <= now)
                && let Some((_, edge)) = self.incoming.pop_front()
            {
                self.incoming_edge(cycle, edge, memory, irq);
            } else if !self.pins.reset_target(now)
                && let Some(place) = first_due(&self.due, now)
            {
                let (device, mut cx) = self.place(place, now, memory);
                device.run(&mut cx);
                self.settle(place, cycle, memory, irq);
            }
            if self.pins.has_changed() {
                self.pins_settle(cycle, memory, irq);
            }
            self.hurry();
        }
    }

    /// The core was halted by its debugger, or goes on.
    pub fn core_halted(&mut self, now: Time, memory: &mut Memory, halted: bool) {
        for place in 0..self.due.len() {
            let (device, mut cx) = self.place(place, now, memory);
            device.core_halted(&mut cx, halted);
            self.due[place] = device.next();
        }
        self.hurry();
    }

    /// Resets everything that `reset` reaches, except the core and the memories. Time goes on.
    pub(super) fn reset_peripherals(&mut self, cycle: u64, memory: &mut Memory, irq: &mut IrqLines, reset: Reset) {
        let now = self.clock.time(cycle);
        self.request = None;
        self.mcm = Mcm::default();
        port::reset(&mut self.pins, now);
        for place in 0..self.due.len() {
            let (device, mut cx) = self.place(place, now, memory);
            device.reset(&mut cx, reset);
        }
        *irq = IrqLines::default();
        for place in 0..self.due.len() {
            self.settle(place, cycle, memory, irq);
        }
    }

    /// The supply came back at `now`: what came from outside is over, what is on its way never comes.
    pub fn power_cycle(&mut self) {
        self.incoming.clear();
        self.pins.power_cycle();
    }

    /// Counts an access that no model covers.
    pub(super) fn count(&mut self, address: u32, access: Access) {
        *self.unmodelled.entry((address, access)).or_default() += 1;
    }

    fn name(&self, address: u32) -> String {
        let slot = address.wrapping_sub(BRIDGE) / SLOT;
        let name = match self.slots.get(slot as usize).map_or(Answers::Nobody, |(who, _)| *who) {
            Answers::Place(SIM) => "SIM",
            Answers::Place(FTFA) => "FTFA",
            Answers::Place(place) => self.table.peripherals[place - OTHERS].name,
            Answers::Port(port) => return format!("PORT{}+{:#05x}", (b'A' + port as u8) as char, address & (SLOT - 1)),
            Answers::Unmodelled(index) => self.table.unmodelled[index].0,
            Answers::Nobody => return format!("{address:#010x}"),
        };
        format!("{name}+{:#05x}", address & (SLOT - 1))
    }

    /// Adds what was accessed and is not modelled.
    pub fn report(&self, report: &mut Report) {
        for (&(address, access), &times) in &self.unmodelled {
            report.unmodelled(format!("{} {}", self.table.name, self.name(address)), access, times);
        }
    }
}

/// The place that is due first by `now`; the lowest of several.
fn first_due(due: &[Time], now: Time) -> Option<usize> {
    let (place, at) = due.iter().enumerate().min_by_key(|(_, at)| **at)?;
    (*at <= now).then_some(place)
}
