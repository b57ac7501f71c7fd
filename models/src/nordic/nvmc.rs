//! NVMC — non-volatile memory controller (PS chapter "NVMC"): writes and erases flash and UICR, in its own time.
//!
//! Writing can only clear bits, a word at a time; erasing sets a page, or everything. Both must be enabled in CONFIG
//! first. A second word may be handed over while the first is being written (READYNEXT). What an operation does to the
//! memory shows when it ends, so that a reset in between leaves the old contents. Power that is lost in between leaves
//! cells that are neither.

use twinboard_sim::activity::Activity;
use twinboard_sim::bus::Size;
use twinboard_sim::cpu::memory::Memory;

use super::acl::Acl;
use super::clock::LfClk;
use super::hfclk::HfClk;
use super::peripheral::{Cx, Events, NEVER, Peripheral, Reset, us};
use crate::fault::flash::{Begin, SharedFlashFaults, Work};

const READY: u32 = 0x400;
const READYNEXT: u32 = 0x408;
const CONFIG: u32 = 0x504;
/// ERASEPCR1 on the nRF51.
pub const ERASEPAGE: u32 = 0x508;
const ERASEALL: u32 = 0x50C;
pub const ERASEPCR0: u32 = 0x510;
const ERASEUICR: u32 = 0x514;
const ERASEPAGEPARTIAL: u32 = 0x518;
const ERASEPAGEPARTIALCFG: u32 = 0x51C;
const ICACHECNF: u32 = 0x540;
const IHIT: u32 = 0x548;
const IMISS: u32 = 0x54C;

const WEN: u32 = 1;
const EEN: u32 = 2;
const PEEN: u32 = 4;

/// Sizes and times of a chip's flash.
#[derive(Clone, Copy, Debug)]
pub struct FlashSpec {
    /// Bytes of flash, from address 0.
    pub size: u32,
    /// Bytes of a page, a power of two.
    pub page: u32,
    /// Where UICR is.
    pub uicr: u32,
    /// Bytes of UICR.
    pub uicr_size: u32,
    /// t_WRITE: one word, in core cycles.
    pub t_write: u64,
    /// t_ERASEPAGE: one page (and UICR), in core cycles.
    pub t_erasepage: u64,
    /// t_ERASEALL: everything, in core cycles.
    pub t_eraseall: u64,
    /// The core is halted as long as the controller is busy, even if it runs from RAM, and there is no buffer for a
    /// second word, no partial erase and no cache.
    pub halts_core: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    Write {
        address: u32,
        value: u32,
    },
    Erase {
        address: u32,
        len: u32,
    },
    EraseAll,
    /// A slice of a page erase that does not complete it.
    Slice,
}

/// When the controller was at work.
#[derive(Clone, Debug, Default)]
pub struct FlashActivity {
    /// It erased.
    pub erase: Activity,
    /// It wrote words.
    pub program: Activity,
}

/// The register machine.
#[derive(Debug)]
pub struct Nvmc {
    spec: FlashSpec,
    events: Events,
    acl: Acl,
    config: u32,
    partial_cfg: u32,
    /// Time that slices of ERASEPAGEPARTIAL have already spent on a page.
    partial: Option<(u32, u64)>,
    icachecnf: u32,
    /// The running operation and the cycle it ends.
    running: Option<(Operation, u64)>,
    /// The cycle the running operation began.
    began: u64,
    activity: FlashActivity,
    /// Words that wait for the running one, and how long each takes. Beyond the first, the bus would make the writer wait.
    queue: Vec<(Operation, u64)>,
    faults: Option<SharedFlashFaults>,
    /// The chip's time, as the rest of the board sees it.
    pub hfclk: HfClk,
    /// An operation has begun in which power will be lost: the board has to know.
    cut_begun: bool,
}

impl Nvmc {
    /// The controller of a flash of this kind.
    #[must_use]
    pub fn new(spec: FlashSpec) -> Nvmc {
        Nvmc {
            spec,
            events: Events::default(),
            acl: Acl::default(),
            config: 0,
            partial_cfg: 0xA,
            partial: None,
            icachecnf: 0,
            running: None,
            began: 0,
            activity: FlashActivity::default(),
            queue: Vec::with_capacity(4),
            faults: None,
            hfclk: HfClk::default(),
            cut_begun: false,
        }
    }

    /// Lets `faults` strike here.
    pub fn set_faults(&mut self, faults: SharedFlashFaults) {
        self.faults = Some(faults);
    }

    /// Whether an operation has begun since the last call in which power will be lost.
    pub fn take_cut_begun(&mut self) -> bool {
        std::mem::take(&mut self.cut_begun)
    }

    /// The same, for whoever only wants to know.
    #[must_use]
    pub fn cut_begun(&self) -> bool {
        self.cut_begun
    }

    /// Power is lost: of a running operation some bits have come through, as `noise` decides.
    pub fn cut_off(&mut self, memory: &mut Memory, mut noise: impl FnMut() -> u32) {
        let cut = self.faults.as_ref().and_then(|faults| faults.lock().take_cut());
        let Some((operation, _)) = self.running.take() else { return };
        self.queue.clear();
        let mut own = cut;
        let mut noise = || own.as_mut().map_or_else(&mut noise, |own| own.next());
        if let Operation::Write { address, value } = operation {
            let old = memory.read(address, Size::Word).unwrap_or(u32::MAX);
            memory.write(address, Size::Word, old & (value | noise()));
        }
        for (start, len) in self.erased_by(operation) {
            for address in (start..start + len).step_by(4) {
                let old = memory.read(address, Size::Word).unwrap_or(u32::MAX);
                memory.write(address, Size::Word, old | noise());
            }
        }
    }

    /// What `operation` erases: addresses and lengths.
    fn erased_by(&self, operation: Operation) -> impl Iterator<Item = (u32, u32)> + use<> {
        let all = [(0, self.spec.size), (self.spec.uicr, self.spec.uicr_size)];
        let stretches = match operation {
            Operation::Erase { address, len } => [Some((address, len)), None],
            Operation::EraseAll => all.map(Some),
            Operation::Write { .. } | Operation::Slice => [None; 2],
        };
        stretches.into_iter().flatten()
    }

    /// How long `operation` takes that begins at cycle `start` and usually takes `usual`; none if it is refused.
    fn takes(&mut self, start: u64, operation: Operation, usual: u64) -> Option<u64> {
        let Some(faults) = &self.faults else { return Some(usual) };
        let work = match operation {
            Operation::Write { address, .. } => Work::Word(address),
            Operation::Erase { address, len } => Work::Erase(address..address + len),
            Operation::EraseAll => Work::Erase(0..self.spec.size),
            Operation::Slice => return Some(usual),
        };
        let at = self.hfclk.time(start);
        match faults.lock().begins(at, &work, self.hfclk.span(usual)) {
            Begin::Refused => None,
            Begin::Takes(span) => Some(self.hfclk.cycles(span)),
            Begin::Cut(span) => {
                self.cut_begun = true;
                Some(self.hfclk.cycles(span))
            }
        }
    }

    /// When it was at work, without what it is at now.
    #[must_use]
    pub fn activity(&self) -> &FlashActivity {
        &self.activity
    }

    /// The running operation has ended, or was cut off.
    fn note(&self, now: u64) {
        let Some((operation, end)) = self.running else { return };
        let record = match operation {
            Operation::Write { .. } => &self.activity.program,
            Operation::Erase { .. } | Operation::EraseAll | Operation::Slice => &self.activity.erase,
        };
        record.note(self.hfclk.time(self.began), self.hfclk.time(end.min(now)));
    }

    /// The cycle at which the controller is idle again; `now` or earlier if it is.
    #[must_use]
    pub fn busy_until(&self) -> u64 {
        self.running.map_or(0, |(_, end)| end + self.queue.iter().map(|(_, time)| time).sum::<u64>())
    }

    /// READYNEXT: a further word is taken without making the writer wait.
    #[must_use]
    pub fn ready_next(&self) -> bool {
        match self.running {
            None => true,
            Some(_) if self.spec.halts_core => false,
            Some((operation, _)) => matches!(operation, Operation::Write { .. }) && self.queue.is_empty(),
        }
    }

    /// The cycle at which the bus is free again for the core: when the last word that was stored has left it for the
    /// one-deep buffer, or at the end of everything.
    #[must_use]
    pub fn accepted_at(&self) -> u64 {
        match (self.running, self.queue.len()) {
            _ if self.spec.halts_core => self.busy_until(),
            (Some((_, end)), n @ 2..) => end + self.queue[..n - 2].iter().map(|(_, time)| time).sum::<u64>(),
            _ => 0,
        }
    }

    /// A store to flash or UICR. Only whole words can be written; false is a bus error.
    #[must_use]
    pub fn store(&mut self, now: u64, address: u32, size: Size, value: u32) -> bool {
        if self.config & 7 != WEN {
            return true;
        }
        if size != Size::Word || !address.is_multiple_of(4) {
            return false;
        }
        if self.range_of(address).is_some() {
            let operation = Operation::Write { address, value };
            let start = self.busy_until().max(now);
            if let Some(time) = self.takes(start, operation, self.spec.t_write) {
                match self.running {
                    None => (self.running, self.began) = (Some((operation, now + time)), now),
                    Some(_) => self.queue.push((operation, time)),
                }
            }
        }
        true
    }

    /// Starts to erase flash and UICR, whatever CONFIG says (CTRL-AP.ERASEALL).
    pub fn erase_all(&mut self, now: u64) {
        self.queue.clear();
        self.note(now);
        let time = self.takes(now, Operation::EraseAll, self.spec.t_eraseall);
        // What protects from the program does not protect from CTRL-AP, and whoever waits for it must see an end.
        self.running = Some((Operation::EraseAll, now + time.unwrap_or(self.spec.t_eraseall)));
        self.began = now;
    }

    /// Whether ACL keeps the word at `address` from being written or erased.
    #[must_use]
    pub fn protects(&self, address: u32) -> bool {
        self.acl.protects(address)
    }

    /// The page or UICR that `address` is in, as address and length.
    fn range_of(&self, address: u32) -> Option<(u32, u32)> {
        let FlashSpec { size, page, uicr, uicr_size, .. } = self.spec;
        if address < size {
            Some((address & !(page - 1), page))
        } else {
            (address.wrapping_sub(uicr) < uicr_size).then_some((uicr, uicr_size))
        }
    }

    fn start(&mut self, now: u64, operation: Operation, time: u64) {
        if self.running.is_none()
            && let Some(time) = self.takes(now, operation, time)
        {
            self.running = Some((operation, now + time));
            self.began = now;
        }
    }

    fn erase(&mut self, now: u64, address: u32) {
        if self.config & 7 == EEN
            && let Some((address, len)) = self.range_of(address)
        {
            self.start(now, Operation::Erase { address, len }, self.spec.t_erasepage);
        }
    }

    /// Slices add up; the page is erased with the one that completes t_ERASEPAGE.
    fn erase_slice(&mut self, now: u64, address: u32) {
        let Some((page, len)) = self.range_of(address).filter(|_| self.config & 7 == PEEN && self.running.is_none())
        else {
            return;
        };
        let slice = us(1_000) * u64::from(self.partial_cfg);
        let spent = self.partial.filter(|&(p, _)| p == page).map_or(0, |(_, spent)| spent) + slice;
        if spent >= self.spec.t_erasepage {
            self.partial = None;
            self.start(now, Operation::Erase { address: page, len }, slice);
        } else {
            self.partial = Some((page, spent));
            self.start(now, Operation::Slice, slice);
        }
    }

    fn finish(&mut self, memory: &mut Memory, operation: Operation, end: u64) {
        let at = self.hfclk.time(end);
        if let Operation::Write { address, value } = operation {
            let old = memory.read(address, Size::Word).unwrap_or(0);
            let word = match &self.faults {
                None => old & value,
                Some(faults) => faults.lock().written(at, address, old, old & value),
            };
            memory.write(address, Size::Word, word);
        }
        for (address, len) in self.erased_by(operation) {
            let left = self.faults.as_ref().map(|faults| {
                let old = |address| memory.read(address, Size::Word).unwrap_or(u32::MAX);
                faults.lock().erased(at, address..address + len, old)
            });
            fill(memory, address, len);
            for (address, word) in left.into_iter().flatten() {
                memory.write(address, Size::Word, word);
            }
        }
    }
}

fn fill(memory: &mut Memory, address: u32, len: u32) {
    const ERASED: [u8; 0x1000] = [0xFF; 0x1000];
    for at in (address..address + len).step_by(ERASED.len()) {
        memory.write_bytes(at, &ERASED[..ERASED.len().min((address + len - at) as usize)]);
    }
}

impl Peripheral for Nvmc {
    fn read(&mut self, _: &mut Cx<'_>, offset: u32) -> Option<u32> {
        Some(match offset {
            READY => self.running.is_none().into(),
            CONFIG => self.config,
            ERASEPAGE | ERASEALL | ERASEPCR0 | ERASEUICR => 0,
            _ if self.spec.halts_core => return None,
            READYNEXT => self.ready_next().into(),
            ERASEPAGEPARTIALCFG => self.partial_cfg,
            ICACHECNF => self.icachecnf,
            ERASEPAGEPARTIAL | IHIT | IMISS => 0,
            _ => return self.acl.read(offset),
        })
    }

    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32) -> Option<()> {
        match offset {
            CONFIG => self.config = value & if self.spec.halts_core { 3 } else { 7 },
            ERASEPAGE | ERASEPCR0 => self.erase(cx.now, value),
            ERASEALL if value & 1 == 1 && self.config & 7 == EEN && !self.acl.protects_anything() => {
                self.start(cx.now, Operation::EraseAll, self.spec.t_eraseall);
            }
            ERASEUICR if value & 1 == 1 => self.erase(cx.now, self.spec.uicr),
            READY | ERASEALL | ERASEUICR => {}
            _ if self.spec.halts_core => return None,
            ERASEPAGEPARTIAL => self.erase_slice(cx.now, value),
            ERASEPAGEPARTIALCFG => self.partial_cfg = value & 0x7F,
            ICACHECNF => self.icachecnf = value & 0x101,
            READYNEXT | IHIT | IMISS => {}
            _ => return self.acl.write(offset, value),
        }
        Some(())
    }

    fn task(&mut self, _: &mut Cx<'_>, _: u32) -> Option<()> {
        None
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, cx: &mut Cx<'_>, _: Reset) {
        self.note(cx.now);
        *self = Nvmc {
            faults: self.faults.take(),
            cut_begun: self.cut_begun,
            activity: self.activity.clone(),
            ..Nvmc::new(self.spec)
        };
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.running.map_or(NEVER, |(_, end)| end)
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if let Some((operation, end)) = self.running.filter(|&(_, end)| end <= cx.now) {
            self.note(end);
            self.began = end;
            self.finish(cx.memory, operation, end);
            self.running = (!self.queue.is_empty()).then(|| {
                let (next, time) = self.queue.remove(0);
                (next, end + time)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    const SPEC: FlashSpec = FlashSpec {
        size: 0x8_0000,
        page: 0x1000,
        uicr: 0x1000_1000,
        uicr_size: 0x1000,
        t_write: 2_720,
        t_erasepage: us(87_500),
        t_eraseall: us(173_000),
        halts_core: false,
    };

    fn ready(bench: &mut Bench, nvmc: &mut Nvmc) -> u32 {
        nvmc.read(&mut bench.cx(), READY).expect("READY")
    }

    fn write_word(bench: &mut Bench, nvmc: &mut Nvmc, address: u32, value: u32) {
        nvmc.write(&mut bench.cx(), CONFIG, WEN);
        assert!(nvmc.store(bench.now, address, Size::Word, value));
        let end = nvmc.busy_until();
        bench.run_to(nvmc, end);
    }

    #[test]
    fn writing_only_clears_bits_and_takes_its_time_even_if_nothing_changes() {
        let (mut bench, mut nvmc) = (Bench::default(), Nvmc::new(SPEC));
        write_word(&mut bench, &mut nvmc, 0x100, 0xFFFF_00FF);
        assert_eq!(bench.now, SPEC.t_write);
        write_word(&mut bench, &mut nvmc, 0x100, 0xFFFF_FFF0);
        assert_eq!(bench.memory.read(0x100, Size::Word), Some(0xFFFF_00F0));
        write_word(&mut bench, &mut nvmc, 0x100, 0xFFFF_FFFF);
        assert_eq!(bench.now, 3 * SPEC.t_write);
    }

    #[test]
    fn without_wen_a_store_does_nothing_and_a_byte_store_with_it_is_a_bus_error() {
        let (mut bench, mut nvmc) = (Bench::default(), Nvmc::new(SPEC));
        assert!(nvmc.store(0, 0x100, Size::Word, 0));
        assert_eq!(ready(&mut bench, &mut nvmc), 1);
        nvmc.write(&mut bench.cx(), CONFIG, WEN);
        assert!(!nvmc.store(0, 0x100, Size::Byte, 0));
        assert!(!nvmc.store(0, 0x102, Size::Half, 0));
    }

    #[test]
    fn a_page_erase_sets_its_page_when_it_ends_87_5_ms_later() {
        let (mut bench, mut nvmc) = (Bench::default(), Nvmc::new(SPEC));
        for address in [0xFFC, 0x1000, 0x1FFC, 0x2000] {
            bench.memory.write(address, Size::Word, 0);
        }
        nvmc.write(&mut bench.cx(), CONFIG, EEN);
        nvmc.write(&mut bench.cx(), ERASEPAGE, 0x1000);
        assert_eq!(nvmc.busy_until(), us(87_500));
        bench.run_to(&mut nvmc, us(87_500) - 1);
        assert_eq!((ready(&mut bench, &mut nvmc), bench.memory.read(0x1000, Size::Word)), (0, Some(0)));
        bench.run_to(&mut nvmc, us(87_500));
        let words = [0xFFC, 0x1000, 0x1FFC, 0x2000].map(|at| bench.memory.read(at, Size::Word));
        assert_eq!(words, [Some(0), Some(u32::MAX), Some(u32::MAX), Some(0)]);
        assert_eq!(ready(&mut bench, &mut nvmc), 1);
    }

    #[test]
    fn erase_tasks_without_een_are_ignored() {
        let (mut bench, mut nvmc) = (Bench::default(), Nvmc::new(SPEC));
        for offset in [ERASEPAGE, ERASEALL, ERASEUICR, ERASEPAGEPARTIAL] {
            nvmc.write(&mut bench.cx(), offset, 1);
            assert_eq!(ready(&mut bench, &mut nvmc), 1, "{offset:#x}");
        }
    }

    #[test]
    fn a_second_word_is_taken_while_the_first_is_written_and_readynext_says_when() {
        let (mut bench, mut nvmc) = (Bench::default(), Nvmc::new(SPEC));
        nvmc.write(&mut bench.cx(), CONFIG, WEN);
        assert!(nvmc.store(0, 0x100, Size::Word, 1));
        assert_eq!(nvmc.read(&mut bench.cx(), READYNEXT), Some(1));
        assert!(nvmc.store(0, 0x104, Size::Word, 2));
        assert_eq!(nvmc.read(&mut bench.cx(), READYNEXT), Some(0));
        bench.run_to(&mut nvmc, SPEC.t_write);
        assert_eq!(nvmc.read(&mut bench.cx(), READYNEXT), Some(1));
        assert_eq!(ready(&mut bench, &mut nvmc), 0);
        bench.run_to(&mut nvmc, 2 * SPEC.t_write);
        assert_eq!(ready(&mut bench, &mut nvmc), 1);
        assert_eq!(bench.memory.read(0x104, Size::Word), Some(2));
    }

    #[test]
    fn partial_erases_add_up_to_a_page_erase() {
        let (mut bench, mut nvmc) = (Bench::default(), Nvmc::new(SPEC));
        bench.memory.write(0x3000, Size::Word, 0);
        nvmc.write(&mut bench.cx(), CONFIG, PEEN);
        for slice in 1..=9 {
            assert_eq!(bench.memory.read(0x3000, Size::Word), Some(0), "before slice {slice} of 10 ms");
            nvmc.write(&mut bench.cx(), ERASEPAGEPARTIAL, 0x3000);
            let end = bench.now + us(10_000);
            assert_eq!(nvmc.busy_until(), end);
            bench.run_to(&mut nvmc, end);
        }
        assert_eq!(bench.memory.read(0x3000, Size::Word), Some(u32::MAX));
    }

    #[test]
    fn its_record_has_every_erase_and_every_word_and_a_reset_ends_what_is_at_work() {
        let (mut bench, mut nvmc) = (Bench::default(), Nvmc::new(SPEC));
        let activity = nvmc.activity().clone();
        activity.erase.record(true);
        activity.program.record(true);
        let at = |cycle| HfClk::default().time(cycle);
        nvmc.write(&mut bench.cx(), CONFIG, WEN);
        for address in [0x100, 0x104, 0x108] {
            assert!(nvmc.store(0, address, Size::Word, 0));
        }
        bench.run_to(&mut nvmc, 3 * SPEC.t_write);
        assert_eq!(activity.program.take(), [(at(0), at(3 * SPEC.t_write))]);
        let start = bench.now;
        nvmc.write(&mut bench.cx(), CONFIG, EEN);
        nvmc.write(&mut bench.cx(), ERASEPAGE, 0x1000);
        bench.run_to(&mut nvmc, start + us(40_000));
        nvmc.reset(&mut bench.cx(), Reset::Soft);
        assert_eq!(activity.erase.take(), [(at(start), at(start + us(40_000)))]);
        assert_eq!(activity.program.take(), []);
    }

    #[test]
    fn a_reset_in_the_middle_leaves_the_old_contents() {
        let (mut bench, mut nvmc) = (Bench::default(), Nvmc::new(SPEC));
        bench.memory.write(0, Size::Word, 7);
        nvmc.write(&mut bench.cx(), CONFIG, EEN);
        nvmc.write(&mut bench.cx(), ERASEALL, 1);
        nvmc.reset(&mut bench.cx(), Reset::Soft);
        bench.run_to(&mut nvmc, us(200_000));
        assert_eq!(bench.memory.read(0, Size::Word), Some(7));
    }

    #[test]
    fn power_lost_in_the_middle_leaves_cells_in_between() {
        let (mut bench, mut nvmc) = (Bench::default(), Nvmc::new(SPEC));
        nvmc.write(&mut bench.cx(), CONFIG, WEN);
        assert!(nvmc.store(0, 0x100, Size::Word, 0x0000_FFFF));
        assert!(nvmc.store(0, 0x104, Size::Word, 0));
        nvmc.cut_off(&mut bench.memory, || 0xFF00_00FF);
        let words = [0x100, 0x104].map(|at| bench.memory.read(at, Size::Word));
        assert_eq!(words, [Some(0xFF00_FFFF), Some(u32::MAX)], "the word in the buffer was not begun");
        nvmc.write(&mut bench.cx(), CONFIG, EEN);
        bench.memory.write(0x100, Size::Word, 0);
        nvmc.write(&mut bench.cx(), ERASEPAGE, 0);
        nvmc.cut_off(&mut bench.memory, || 0xFF00_00FF);
        assert_eq!(bench.memory.read(0x100, Size::Word), Some(0xFF00_00FF));
        assert_eq!(ready(&mut bench, &mut nvmc), 1);
    }

    #[test]
    fn a_slow_word_makes_the_writer_of_the_third_wait_longer() {
        use crate::fault::flash::FlashFaults;
        use crate::fault::power::Outage;
        use std::sync::Arc;
        use twinboard_sim::fault::{Fault, Params, Plan, SharedFault};
        let (mut bench, mut nvmc) = (Bench::default(), Nvmc::new(SPEC));
        let mut faults = FlashFaults::new("target", SPEC.page, Outage::new(twinboard_sim::board::Stop::default()));
        let point = crate::fault::point("flash.slow").expect("a point");
        let params = Params { factor: Some(2.0), ..Params::default() };
        faults.add(SharedFault::new(Fault::new("slow", point, params, Plan::default(), 1)));
        nvmc.set_faults(Arc::new(parking_lot::Mutex::new(faults)));
        nvmc.write(&mut bench.cx(), CONFIG, WEN);
        for address in [0x100, 0x104, 0x108] {
            assert!(nvmc.store(0, address, Size::Word, 0));
        }
        // It is taken when the first is done, and the second leaves the buffer.
        assert_eq!((nvmc.accepted_at(), nvmc.busy_until()), (SPEC.t_write * 2, SPEC.t_write * 4));
        bench.run_to(&mut nvmc, SPEC.t_write * 2 - 1);
        assert_eq!(bench.memory.read(0x100, Size::Word), Some(u32::MAX));
        bench.run_to(&mut nvmc, SPEC.t_write * 4);
        assert_eq!(ready(&mut bench, &mut nvmc), 1);
    }
}
