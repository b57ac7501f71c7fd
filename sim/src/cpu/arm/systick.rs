//! The system timer (ARMv7-M ARM B3.3). It is not counted: its value follows from the cycle at which it is zero next.

/// SYST_CSR.
mod csr {
    pub const ENABLE: u32 = 1 << 0;
    pub const TICKINT: u32 = 1 << 1;
    pub const CLKSOURCE: u32 = 1 << 2;
    pub const COUNTFLAG: u32 = 1 << 16;
}

#[derive(Clone, Debug, Default)]
pub(super) struct SysTick {
    control: u32,
    reload: u32,
    count_flag: bool,
    /// While counting: the cycle at which the value is 0 next.
    zero_at: u64,
    /// While not counting: the value.
    value: u32,
    /// The core is in debug state, where the timer stands still.
    frozen: bool,
}

impl SysTick {
    fn counts(&self) -> bool {
        self.control & csr::ENABLE != 0 && !self.frozen
    }

    fn period(&self) -> u64 {
        u64::from(self.reload) + 1
    }

    /// The cycle at which [`SysTick::pass`] has an interrupt to tell of, `u64::MAX` if there will be none.
    pub fn next_event(&self) -> u64 {
        // A timer that reloads 0 stands still (B3.3.1).
        if self.counts() && self.control & csr::TICKINT != 0 && (self.reload != 0 || self.value != 0) {
            self.zero_at
        } else {
            u64::MAX
        }
    }

    /// Brings the timer to `cycle`; true if it passed zero with TICKINT set.
    pub fn pass(&mut self, cycle: u64) -> bool {
        if !self.counts() || cycle < self.zero_at {
            return false;
        }
        if self.reload == 0 {
            // Counts down what was there, then stays at zero.
            let ran = std::mem::take(&mut self.value) != 0;
            self.count_flag |= ran;
            self.zero_at = u64::MAX;
            return ran && self.control & csr::TICKINT != 0;
        }
        let periods = (cycle - self.zero_at) / self.period() + 1;
        self.zero_at += periods * self.period();
        self.count_flag = true;
        self.control & csr::TICKINT != 0
    }

    /// SYST_CVR at `cycle`.
    fn current(&self, cycle: u64) -> u32 {
        if !self.counts() {
            return self.value;
        }
        if self.zero_at == u64::MAX {
            return 0;
        }
        let left = self.zero_at.saturating_sub(cycle);
        // One whole period to go: this is the cycle of the zero itself.
        if left >= self.period() { 0 } else { left as u32 }
    }

    /// Begins or ends counting from `value` at `cycle`.
    fn restart(&mut self, cycle: u64, value: u32) {
        self.value = value;
        self.zero_at = cycle + if value == 0 { self.period() } else { u64::from(value) };
    }

    /// Debug state begins or ends.
    pub fn set_frozen(&mut self, frozen: bool, cycle: u64) {
        if frozen != self.frozen {
            self.pass(cycle);
            let value = self.current(cycle);
            self.frozen = frozen;
            self.restart(cycle, value);
        }
    }

    /// Reads the register at `offset` from 0xE000E010. COUNTFLAG is cleared by the core's read only.
    pub fn read(&mut self, offset: u32, cycle: u64, debugger: bool) -> u32 {
        self.pass(cycle);
        match offset {
            0x0 => {
                let flag = if self.count_flag { csr::COUNTFLAG } else { 0 };
                self.count_flag &= debugger;
                self.control | flag
            }
            0x4 => self.reload,
            0x8 => self.current(cycle),
            // NOREF: there is no reference clock.
            _ => 1 << 31,
        }
    }

    /// Writes the register at `offset` from 0xE000E010.
    pub fn write(&mut self, offset: u32, value: u32, cycle: u64) {
        self.pass(cycle);
        match offset {
            0x0 => {
                let current = self.current(cycle);
                let was = self.counts();
                self.control = value & (csr::ENABLE | csr::TICKINT | csr::CLKSOURCE);
                if was != self.counts() {
                    self.restart(cycle, current);
                }
            }
            0x4 => {
                let current = self.current(cycle);
                self.reload = value & 0xFF_FFFF;
                // What is being counted down goes on; only at zero the new value is taken.
                if current == 0 {
                    self.restart(cycle, 0);
                }
            }
            0x8 => {
                self.count_flag = false;
                self.restart(cycle, 0);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSR: u32 = 0;
    const RVR: u32 = 4;
    const CVR: u32 = 8;

    fn started(reload: u32) -> SysTick {
        let mut timer = SysTick::default();
        timer.write(RVR, reload, 0);
        timer.write(CVR, 0, 0);
        timer.write(CSR, 7, 100);
        timer
    }

    #[test]
    fn the_first_period_begins_with_a_reload() {
        // B3.3.1: enabled at 0, it loads SYST_RVR on the next clock.
        let mut timer = started(9);
        assert_eq!(timer.read(CVR, 100, false), 0);
        assert_eq!(timer.read(CVR, 101, false), 9);
        assert_eq!(timer.read(CVR, 109, false), 1);
        assert_eq!(timer.next_event(), 110);
        assert!(!timer.pass(109));
        assert!(timer.pass(110));
        assert_eq!(timer.next_event(), 120);
    }

    #[test]
    fn countflag_tells_of_a_zero_once() {
        let mut timer = started(9);
        assert_eq!(timer.read(CSR, 109, false) >> 16, 0);
        assert_eq!(timer.read(CSR, 113, true) >> 16, 1, "a debugger's read leaves it");
        assert_eq!(timer.read(CSR, 113, false) >> 16, 1);
        assert_eq!(timer.read(CSR, 114, false) >> 16, 0);
    }

    #[test]
    fn a_write_to_the_value_clears_it() {
        let mut timer = started(9);
        timer.write(CVR, 1234, 104);
        assert_eq!(timer.read(CVR, 104, false), 0);
        assert_eq!(timer.next_event(), 114);
    }

    #[test]
    fn it_stands_still_in_debug_state() {
        let mut timer = started(9);
        timer.set_frozen(true, 105);
        assert_eq!(timer.next_event(), u64::MAX);
        assert_eq!(timer.read(CVR, 1000, true), 5);
        timer.set_frozen(false, 1000);
        assert_eq!(timer.next_event(), 1005);
    }

    #[test]
    fn the_reference_clock_is_the_core_clock() {
        let mut timer = SysTick::default();
        timer.write(RVR, 9, 0);
        timer.write(CSR, 1, 0);
        assert_eq!(timer.read(CVR, 4, false), 6, "CLKSOURCE is 0");
        assert_eq!(timer.read(0xC, 0, false) >> 31, 1, "NOREF");
    }
}
