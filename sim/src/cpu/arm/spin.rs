//! Finding loops that change nothing.
//!
//! Firmware waits in loops: for a status register, for a flag in RAM that an interrupt's handler sets, or for a message
//! in the main loop of an operating system, with calls into its kernel and task switches in each turn. If after some
//! time everything is what it was (registers, exceptions, every word in memory that was stored to), and nothing was
//! read in between that could change before the next event, then from here on the same happens again and again until
//! that event. Such a core is parked ([`super::parked`]): whole turns pass at once, by arithmetic on the cycle count.
//!
//! How a turn is found: a *mark* is put on the instruction in hand, through the cache of decoded instructions, where it
//! costs the others nothing. When it is executed, the core's state is kept, and stores leave a [`Trail`] from then on.
//! When it is executed again, the states are compared. If that does not come to an end in some time, there is another
//! mark with twice the patience (Brent's way to find a cycle), so that neither a long turn nor a long way into the loop
//! matters.
//!
//! Looking costs time, for stores go a slow way meanwhile. So it is done where waiting is likely, at an instruction
//! that makes a steady read ([`crate::cpu::MmioContext::steady`]) for the second time within a short while; and now and
//! then anywhere, less and less often as long as that brings nothing. A loop that was found once is looked for at the
//! same instruction first.

use super::nvic::Nvic;
use super::op::Op;
use super::parked::{Loop, MARGIN};
use super::registers::Registers;
use super::scb::Scb;
use super::trail::Trail;
use super::vfp::Vfp;
use super::{Core, CoreConfig, State};

/// Cycles before looking again after giving up; twice as many with each failure in a row, up to [`DOUBLINGS`].
const PAUSE: u64 = 2_000;
const DOUBLINGS: u32 = 10;
/// A second read of the same register within so many cycles is polling.
const NEARBY: u64 = 250;
/// The patience with a first mark, in cycles.
const PATIENCE: u64 = 512;
/// Cycles after which an attempt ends, whatever its marks.
const ATTEMPT: u64 = 1 << 14;
/// The same for an attempt because of polling, and how often its pause doubles. A loop that polls is short.
const POLL_ATTEMPT: u64 = 1 << 10;
const POLL_DOUBLINGS: u32 = 6;
/// Disturbances by the program itself after which it ends too.
const RETRIES: u32 = 8;
/// Reads of peripherals that a turn may have.
const READS: usize = 512;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Does not look.
    Off,
    /// Waits for the mark to be executed.
    Marked,
    /// It was; stores leave a trail.
    Watching,
    /// In a known loop.
    Parked,
}

/// What a loop's turn must leave as it found it, memory apart.
#[derive(Clone, Debug)]
struct Start {
    cycle: u64,
    regs: Registers,
    nvic: Nvic,
    scb: Scb,
    vfp: Vfp,
    event: bool,
    exclusive: bool,
}

/// An instruction with a mark on it.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    pc: u32,
    /// Its place in the memory's arena.
    at: u32,
}

#[derive(Debug)]
pub(super) struct Spin {
    phase: Phase,
    mark: Mark,
    start: Box<Start>,
    trail: Trail,
    /// What the turn's reads of peripherals gave.
    pub reads: Vec<u32>,
    /// When to look next; while looking: when the patience with this mark ends.
    next_look: u64,
    patience: u64,
    /// When to look anywhere next.
    next_anywhere: u64,
    attempt_end: u64,
    retries: u32,
    /// Attempts in a row that brought nothing.
    failures: u32,
    /// The attempt is because of polling; such attempts in a row that brought nothing.
    by_polling: bool,
    poll_failures: u32,
    /// Something happened in this turn that forbids to skip the next.
    disturbed: bool,
    /// Somebody polls.
    polling: bool,
    /// Where a steady read was made, and when.
    polled_at: u32,
    polled_cycle: u64,
    /// Not to be looked at because of polling before this cycle.
    paused_until: u64,
    /// The loop found last: where it was, and how long a turn.
    known: Option<(u32, u64)>,
    turn: Loop,
    /// For comparisons: never look.
    pub disabled: bool,
    /// What is executed now has been executed before: nobody looks.
    pub quiet: bool,
}

impl Spin {
    /// Looks from the beginning. Everything is allocated here: nothing is while the core runs.
    pub fn new(config: &CoreConfig) -> Spin {
        let start = Start {
            cycle: 0,
            regs: Registers::default(),
            nvic: Nvic::new(config),
            scb: Scb::default(),
            vfp: Vfp::default(),
            event: false,
            exclusive: false,
        };
        Spin {
            phase: Phase::Off,
            mark: Mark::default(),
            start: Box::new(start),
            trail: Trail::default(),
            reads: Vec::with_capacity(READS),
            next_look: 0,
            patience: PATIENCE,
            next_anywhere: 0,
            attempt_end: 0,
            retries: 0,
            failures: 0,
            by_polling: false,
            poll_failures: 0,
            disturbed: false,
            polling: false,
            polled_at: 0,
            polled_cycle: 0,
            paused_until: 0,
            known: None,
            turn: Loop { since: 0, turn: 1 },
            disabled: false,
            quiet: false,
        }
    }

    /// Whether stores leave a trail.
    #[inline(always)]
    pub fn watching(&self) -> bool {
        self.phase == Phase::Watching
    }

    /// Whether a mark waits to be executed.
    #[inline(always)]
    pub fn looks(&self) -> bool {
        matches!(self.phase, Phase::Marked | Phase::Watching)
    }

    #[inline(always)]
    pub fn is_parked(&self) -> bool {
        self.phase == Phase::Parked
    }

    /// When the core is to ask whether to look.
    #[inline]
    pub fn next_look(&self) -> u64 {
        if self.disabled || self.quiet { u64::MAX } else { self.next_look }
    }

    /// The core sleeps for so many cycles. That is no time in which it may have got into a loop: looking waits as long.
    pub fn sleep(&mut self, cycles: u64) {
        if self.phase == Phase::Off {
            for moment in [&mut self.next_look, &mut self.next_anywhere, &mut self.paused_until] {
                *moment = moment.saturating_add(cycles);
            }
        }
    }

    /// Whether the instruction at arena offset `at` has the mark.
    #[inline]
    pub fn marks(&self, at: u32) -> bool {
        matches!(self.phase, Phase::Marked | Phase::Watching) && self.mark.at == at
    }

    /// Leaves the known loop.
    pub fn leave(&mut self) -> Option<Loop> {
        (self.phase == Phase::Parked).then(|| {
            self.phase = Phase::Off;
            self.turn
        })
    }

    /// Notes what a read of a peripheral gave; false if there is no room.
    #[inline]
    pub fn note_read(&mut self, value: u32) -> bool {
        let room = self.reads.len() < READS;
        if room {
            self.reads.push(value);
        }
        room
    }

    /// Notes a store; see [`Trail::note`].
    #[inline]
    pub fn note_store(&mut self, at: u32, before: u32, after: u32) -> bool {
        // What disturbed the turn may have stored as well.
        self.disturbed || self.trail.note(at, before, after)
    }
}

impl Core {
    /// The turn in hand is not like the next: an event, an access that has an effect, a fault.
    #[inline(always)]
    pub(super) fn disturb(&mut self) {
        if self.spin.watching() {
            self.spin.disturbed = true;
            self.attend();
        }
    }

    /// The same, by the program itself.
    #[inline(always)]
    pub(super) fn disturb_itself(&mut self) {
        if self.spin.watching() {
            self.spin.retries = self.spin.retries.saturating_sub(1);
            self.disturb();
        }
    }

    /// A steady read happened.
    #[inline(always)]
    pub(super) fn saw_steady_read(&mut self, value: u32) {
        if self.spin.watching() {
            if !self.spin.note_read(value) {
                self.disturb_itself();
            }
            return;
        }
        let spin = &mut self.spin;
        if spin.phase != Phase::Off || spin.disabled || spin.quiet || self.cycle < spin.paused_until {
            return;
        }
        if self.pc == spin.polled_at && self.cycle - spin.polled_cycle < NEARBY {
            spin.polling = true;
            self.attend();
        } else if self.cycle - spin.polled_cycle >= NEARBY {
            (spin.polled_at, spin.polled_cycle) = (self.pc, self.cycle);
        }
    }

    /// The core has executed instructions for a while, and is between two.
    #[inline]
    pub(super) fn look_around(&mut self) {
        let spin = &self.spin;
        if self.cycle >= spin.next_look() || spin.disturbed || spin.polling {
            self.look();
        }
    }

    #[cold]
    fn look(&mut self) {
        let polling = std::mem::take(&mut self.spin.polling);
        let disturbed = std::mem::take(&mut self.spin.disturbed);
        if self.spin.disabled || self.spin.quiet {
            return;
        }
        let now = self.cycle;
        match self.spin.phase {
            Phase::Off if self.state != State::Running => {}
            Phase::Off if polling || now >= self.spin.next_look => {
                self.spin.by_polling = polling && now < self.spin.next_look;
                self.spin.attempt_end = now + if self.spin.by_polling { POLL_ATTEMPT } else { ATTEMPT };
                self.spin.retries = RETRIES;
                self.put_mark(self.pc, PATIENCE);
            }
            Phase::Marked | Phase::Watching if now >= self.spin.attempt_end || self.spin.retries == 0 => self.give_up(),
            Phase::Watching if disturbed => match self.spin.known {
                Some((pc, turn)) => self.put_mark(pc, expected(turn)),
                None => self.put_mark(self.pc, self.spin.patience),
            },
            Phase::Marked | Phase::Watching if now >= self.spin.next_look => {
                // The loop known from before is not there any more.
                self.spin.known = None;
                self.put_mark(self.pc, self.spin.patience * 2);
            }
            _ => {}
        }
    }

    /// Whether nobody wants to see what the core does one by one.
    fn may_look(&self) -> bool {
        self.state == State::Running
            && self.data_windows_may_open()
            && !self.dwt.watches_instructions()
            && !self.debug.stepping
    }

    /// Puts the mark on the instruction at `pc`.
    fn put_mark(&mut self, pc: u32, patience: u64) {
        self.remove_mark();
        let at = self.memory.window(pc).and_then(|window| window.offset(pc));
        let Some(at) = at.filter(|_| self.may_look()) else { return self.give_up() };
        self.spin.phase = Phase::Marked;
        self.spin.mark = Mark { pc, at };
        self.spin.patience = patience;
        self.spin.next_look = self.cycle + patience;
        self.memory.set_slot(at, Op::BREAK.0);
    }

    /// Takes the mark away, if there is one.
    fn remove_mark(&mut self) {
        if matches!(self.spin.phase, Phase::Marked | Phase::Watching) {
            self.memory.clear_slot(self.spin.mark.at);
            self.restore_entry(self.spin.mark.at);
        }
        self.spin.phase = Phase::Off;
    }

    /// Looks again only later.
    fn give_up(&mut self) {
        self.remove_mark();
        let spin = &mut self.spin;
        spin.known = None;
        spin.paused_until = self.cycle + (PAUSE << spin.poll_failures);
        if spin.by_polling {
            spin.poll_failures = (spin.poll_failures + 1).min(POLL_DOUBLINGS);
            spin.next_look = spin.next_anywhere.max(self.cycle + 1);
        } else {
            spin.next_look = self.cycle + (PAUSE << spin.failures);
            spin.next_anywhere = spin.next_look;
            spin.failures = (spin.failures + 1).min(DOUBLINGS);
        }
    }

    /// Ends every attempt: somebody else is interested in the core.
    pub(super) fn stop_looking(&mut self) {
        self.unpark();
        self.remove_mark();
        self.spin.next_look = self.cycle + PAUSE;
    }

    /// After a known loop was left, waits for it to be reached again.
    pub(super) fn wait_for_loop(&mut self, turn: u64) {
        let Some((pc, _)) = self.spin.known else { return };
        self.spin.by_polling = false;
        self.spin.attempt_end = self.cycle + ATTEMPT;
        self.spin.retries = RETRIES;
        self.put_mark(pc, expected(turn));
    }

    /// The instruction at the PC is about to be executed. True if the core was parked instead.
    #[inline]
    pub(super) fn at_mark(&mut self, at: u32) -> bool {
        self.spin.marks(at) && self.pc == self.spin.mark.pc && self.regs.itstate == 0 && self.compare()
    }

    #[cold]
    fn compare(&mut self) -> bool {
        if self.spin.phase == Phase::Marked {
            self.start_turn();
            return false;
        }
        let start = &self.spin.start;
        let turn = self.cycle - start.cycle;
        if self.spin.disturbed {
            return false;
        }
        if !self.spin.trail.is_closed() || !self.is_as(start) {
            // A mark inside a loop within the turn is passed several times; but past the whole turn it was another one.
            if self.spin.known.is_some_and(|(_, known)| turn >= known) {
                self.start_turn();
            }
            return false;
        }
        self.spin.known = Some((self.pc, turn));
        (self.spin.failures, self.spin.poll_failures) = (0, 0);
        if self.next_change() <= self.cycle + turn + MARGIN {
            // Not worth it before the next event.
            self.start_turn();
            return false;
        }
        self.remove_mark();
        self.spin.phase = Phase::Parked;
        self.spin.turn = Loop { since: self.cycle, turn };
        self.attend();
        true
    }

    /// A turn begins: everything is compared with what it is now.
    fn start_turn(&mut self) {
        if !self.may_look() {
            return self.give_up();
        }
        let Core { regs, nvic, scb, vfp, cycle, event, exclusive, spin, .. } = self;
        let start = &mut *spin.start;
        start.regs.clone_from(regs);
        start.nvic.clone_from(nvic);
        start.scb.clone_from(scb);
        start.vfp.clone_from(vfp);
        (start.cycle, start.event, start.exclusive) = (*cycle, *event, *exclusive);
        spin.phase = Phase::Watching;
        spin.disturbed = false;
        spin.next_look = self.cycle + spin.patience;
        spin.reads.clear();
        spin.trail.begin();
        self.fast.stores = crate::cpu::memory::Window::EMPTY;
    }

    /// Whether everything but memory is as at a turn's start.
    fn is_as(&self, start: &Start) -> bool {
        start.regs.same(&self.regs)
            && start.nvic == self.nvic
            && start.scb == self.scb
            && (start.event, start.exclusive) == (self.event, self.exclusive)
            && (!self.config.fpu || start.vfp == self.vfp)
    }

    /// Switches the skipping of waiting loops, and with it the translation of hot code ([`super::jit`]), which are on unless switched off. Results are the same either way.
    pub fn set_spin_skipping(&mut self, on: bool) {
        self.stop_looking();
        self.spin.disabled = !on;
        self.set_translating(on);
    }
}

/// The patience with a mark in a loop whose turns take `turn` cycles.
fn expected(turn: u64) -> u64 {
    turn + turn / 4 + PATIENCE
}
