//! Random programs: straight-line instructions, branches forward, IT blocks, short loops, exclusive pairs.
//!
//! A program is a list of *units*. A unit is what is executed between two comparisons: one instruction, or an IT block
//! with its instructions, because Unicorn cannot be stopped inside one.

use crate::instructions::Profile;
use crate::random::Random;
use crate::state::START;
use crate::template::Template;

/// What is executed between two comparisons.
pub struct Unit {
    /// Address of its first instruction.
    pub address: u32,
    /// Name of what is in it, for reports.
    pub name: String,
    /// Branches from elsewhere may lead here.
    pub entry: bool,
    /// The address after its last instruction, unless it is a branch.
    pub until: Option<u32>,
}

/// Half-words that start at [`START`], and their units.
pub struct Program {
    /// The code.
    pub code: Vec<u16>,
    /// Its units, in the order of their addresses.
    pub units: Vec<Unit>,
    /// The address after the last unit.
    pub end: u32,
}

/// A branch whose target is not known yet.
struct Fixup {
    /// Index into `code`.
    at: usize,
    /// Index of the target unit; past the last one means the end.
    target: usize,
    form: Form,
}

#[derive(Clone, Copy)]
enum Form {
    /// B T1 with a condition.
    Conditional,
    /// B T2.
    Short,
    /// CBZ or CBNZ.
    CompareAndBranch,
    /// BL.
    Link,
    /// B.W T4.
    Long,
    /// B.W T3 with a condition.
    LongConditional,
}

struct Builder<'a> {
    templates: &'a [Template],
    profile: Profile,
    random: &'a mut Random,
    code: Vec<u16>,
    units: Vec<Unit>,
    fixups: Vec<Fixup>,
}

impl Program {
    /// A program of about `length` units.
    pub fn random(templates: &[Template], profile: Profile, length: usize, random: &mut Random) -> Program {
        let mut builder =
            Builder { templates, profile, random, code: Vec::new(), units: Vec::new(), fixups: Vec::new() };
        while builder.units.len() < length {
            builder.unit();
        }
        builder.finish()
    }
}

impl Builder<'_> {
    fn address(&self) -> u32 {
        START + 2 * self.code.len() as u32
    }

    fn begin(&mut self, name: &str) {
        let address = self.address();
        self.units.push(Unit { address, name: name.into(), entry: true, until: None });
    }

    /// Begins a unit that must only be reached from the one before it.
    fn go_on(&mut self, name: &str) {
        self.begin(name);
        if let Some(unit) = self.units.last_mut() {
            unit.entry = false;
        }
    }

    fn emit(&mut self, code: u32, wide: bool) {
        if wide {
            self.code.push((code >> 16) as u16);
        }
        self.code.push(code as u16);
    }

    fn unit(&mut self) {
        let v7 = self.profile >= Profile::V7M;
        match self.random.below(40) {
            0 => {
                let condition = self.random.below(14);
                self.branch("B T1", 0xD000 | condition << 8, false, Form::Conditional);
            }
            1 => self.branch("B T2", 0xE000, false, Form::Short),
            2 => self.branch("BL", 0xF000_D000, true, Form::Link),
            3 => self.indirect_branch(),
            4 => self.counted_loop(),
            5 if v7 => {
                let register = self.random.below(8);
                let code = 0xB100 | self.random.below(2) << 11 | register;
                self.branch("CBZ, CBNZ", code, false, Form::CompareAndBranch);
            }
            6 if v7 => self.branch("B T4", 0xF000_9000, true, Form::Long),
            7 if v7 => {
                let condition = self.random.below(14);
                self.branch("B T3", 0xF000_8000 | condition << 22, true, Form::LongConditional);
            }
            8 | 9 if v7 => self.it_block(),
            10 if v7 => self.exclusive_pair(),
            11 if v7 => self.table_branch(),
            12 => self.computed_branch(),
            _ => self.plain(),
        }
    }

    fn plain(&mut self) {
        let template = self.random.pick(self.templates);
        let code = template.instance(self.random);
        self.begin(template.name);
        self.emit(code, template.wide);
        self.goes_on();
    }

    /// The last unit ends where the code now ends.
    fn goes_on(&mut self) {
        let until = self.address();
        if let Some(unit) = self.units.last_mut() {
            unit.until = Some(until);
        }
    }

    fn branch(&mut self, name: &str, code: u32, wide: bool, form: Form) {
        self.begin(name);
        let target = self.units.len() + self.random.below(4) as usize;
        self.fixups.push(Fixup { at: self.code.len(), target, form });
        self.emit(code, wide);
    }

    /// ADR, set bit 0, and one of the ways to put a register into the PC; one or two instructions are skipped.
    fn indirect_branch(&mut self) {
        if !self.address().is_multiple_of(4) {
            self.nop("NOP");
        }
        let kinds = if self.profile >= Profile::V7M { 5 } else { 4 };
        let kind = self.random.below(kinds);
        let register = self.random.below(4);
        // ADR's base is its own address + 4. By the stack the target is four bytes farther.
        let words = if kind < 3 { 1 } else { 2 };
        self.begin("ADR");
        self.emit(0xA000 | register << 8 | words, false);
        self.go_on("ADD (immediate) T2");
        self.emit(0x3001 | register << 8, false);
        match kind {
            0 | 1 => {
                self.go_on("BX, BLX");
                self.emit(0x4700 | kind << 7 | register << 3, false);
            }
            2 => {
                self.go_on("MOV (register) T1 to the PC");
                self.emit(0x4687 | register << 3, false);
            }
            _ => {
                self.go_on("PUSH");
                self.emit(0xB400 | 1 << register, false);
                self.go_on("POP or LDR (immediate) T4 to the PC");
                if kind == 3 {
                    self.emit(0xBD00, false);
                    self.nop("skipped");
                } else {
                    self.emit(0xF85D_FB04, true);
                }
            }
        }
        self.nop("skipped");
    }

    fn counted_loop(&mut self) {
        self.begin("MOV (immediate) T1");
        let count = 1 + self.random.below(3);
        self.emit(0x2400 | count, false);
        let body = self.code.len();
        self.go_on("SUB (immediate) T2");
        self.emit(0x3C01, false);
        self.go_on("B T1 backwards");
        let offset = body as i32 - (self.code.len() as i32 + 2);
        self.emit(0xD100 | offset as u32 & 0xFF, false);
    }

    /// IT with one to four instructions.
    fn it_block(&mut self) {
        let first_condition = self.random.below(14);
        let count = 1 + self.random.below(4);
        // The mask: then/else bits of the others, then a one.
        let mut mask = 0;
        for slot in 1..count {
            mask |= self.random.below(2) << (4 - slot);
        }
        mask |= 1 << (4 - count);
        self.begin("IT");
        let mut name = String::from("IT");
        self.emit(0xBF00 | first_condition << 4 | mask, false);
        for _ in 0..count {
            let template = self.random.pick(self.templates);
            let code = template.instance(self.random);
            name.push_str(" / ");
            name.push_str(template.name);
            self.emit(code, template.wide);
        }
        self.goes_on();
        if let Some(unit) = self.units.last_mut() {
            unit.name = name;
        }
    }

    fn exclusive_pair(&mut self) {
        let (status, data, loaded) = *self.random.pick(&[(0u32, 1u32, 2u32), (3, 0, 4), (7, 2, 0)]);
        let offset = self.random.below(16);
        let (load, store) = match self.random.below(3) {
            0 => (0xE856_0F00 | loaded << 12 | offset, 0xE846_0000 | data << 12 | status << 8 | offset),
            1 => (0xE8D6_0F4F | loaded << 12, 0xE8C6_0F40 | data << 12 | status),
            _ => (0xE8D6_0F5F | loaded << 12, 0xE8C6_0F50 | data << 12 | status),
        };
        self.begin("LDREX, LDREXB, LDREXH");
        self.emit(load, true);
        self.go_on("STREX, STREXB, STREXH");
        self.emit(store, true);
    }

    /// TBB or TBH [PC, R4] with a table of two entries that lead behind it.
    fn table_branch(&mut self) {
        self.begin("MOV (immediate) T1");
        let index = self.random.below(2);
        self.emit(0x2400 | index, false);
        self.go_on("TBB, TBH");
        // Entries count half-words from the table on.
        if self.random.below(2) == 0 {
            self.emit(0xE8DF_F004, true);
            self.emit(0x0201, false);
        } else {
            self.emit(0xE8DF_F014, true);
            self.emit(2, false);
            self.emit(3, false);
        }
        for _ in 0..2 {
            self.nop("behind a table");
        }
    }

    /// ADD PC, Rm, the heart of a compiler's table branch on ARMv6-M; at either alignment, one or two instructions are skipped.
    fn computed_branch(&mut self) {
        let (register, distance) = (self.random.below(4), self.random.below(2) * 2);
        self.begin("MOV (immediate) T1");
        self.emit(0x2000 | register << 8 | distance, false);
        self.go_on("ADD (register) T2 to the PC");
        self.emit(0x4487 | register << 3, false);
        for _ in 0..2 {
            self.nop("skipped");
        }
    }

    fn nop(&mut self, name: &str) {
        self.begin(name);
        self.emit(0xBF00, false);
    }

    fn finish(mut self) -> Program {
        // So that a CBZ before it reaches the end.
        self.nop("the last one");
        let end = self.address();
        // B to itself: where a run without steps comes to rest.
        self.emit(0xE7FE, false);
        for fixup in std::mem::take(&mut self.fixups) {
            let pc = START + 2 * fixup.at as u32 + 4;
            // CBZ cannot reach the instruction after itself.
            let nearest = if matches!(fixup.form, Form::CompareAndBranch) { pc } else { 0 };
            let mut targets = self.units[fixup.target.min(self.units.len())..].iter();
            let target = targets.find(|unit| unit.entry && unit.address >= nearest).map_or(end, |unit| unit.address);
            let offset = target.wrapping_sub(pc);
            let halves = offset >> 1;
            let code = &mut self.code[fixup.at..];
            match fixup.form {
                Form::Conditional => code[0] |= halves as u16 & 0xFF,
                Form::Short => code[0] |= halves as u16 & 0x7FF,
                Form::CompareAndBranch => code[0] |= (halves as u16 & 0x1F) << 3 | (halves as u16 >> 5 & 1) << 9,
                // These are four bytes long, so the offset is not negative. I1 = I2 = S = 0 makes J1 = J2 = 1.
                Form::Link | Form::Long => {
                    code[0] |= (halves >> 11 & 0x3FF) as u16;
                    code[1] |= 0x2800 | halves as u16 & 0x7FF;
                }
                Form::LongConditional => {
                    code[0] |= (halves >> 11 & 0x3F) as u16;
                    code[1] |= halves as u16 & 0x7FF;
                }
            }
        }
        Program { code: self.code, units: self.units, end }
    }
}
