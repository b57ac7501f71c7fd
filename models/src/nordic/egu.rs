//! EGU — event generator unit (PS chapter "EGU"): sixteen tasks, each of which raises an event. Software interrupts.

use super::clock::LfClk;
use super::peripheral::{Cx, Events, NEVER, PCLK16M, Peripheral, Reset, index};

/// The register machine.
#[derive(Debug)]
pub struct Egu {
    events: Events,
    triggered: u32,
    due: u64,
}

impl Default for Egu {
    fn default() -> Egu {
        Egu { events: Events::new(0xFFFF), triggered: 0, due: NEVER }
    }
}

impl Peripheral for Egu {
    fn read(&mut self, _: &mut Cx<'_>, _: u32) -> Option<u32> {
        None
    }

    fn write(&mut self, _: &mut Cx<'_>, _: u32, _: u32) -> Option<()> {
        None
    }

    fn task(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<()> {
        self.triggered |= 1 << index(offset, 0, 4, 16)?;
        self.due = self.due.min(cx.now + PCLK16M);
        Some(())
    }

    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: Reset) {
        self.events.reset();
        (self.triggered, self.due) = (0, NEVER);
    }

    fn next(&self, _: &LfClk) -> u64 {
        self.due
    }

    fn run(&mut self, _: &mut Cx<'_>) {
        self.due = NEVER;
        self.events.raise_all(std::mem::take(&mut self.triggered));
    }
}

#[cfg(test)]
mod tests {
    use super::super::peripheral::testing::Bench;
    use super::*;

    #[test]
    fn a_trigger_raises_its_event_one_peripheral_clock_later() {
        let (mut bench, mut egu) = (Bench::default(), Egu::default());
        egu.task(&mut bench.cx(), 4 * 15);
        assert!(!egu.events.is_set(15), "never inside the task write");
        assert_eq!(bench.wait(&mut egu, 15, NEVER - 1), Some(PCLK16M));
        assert_eq!(egu.task(&mut bench.cx(), 4 * 16), None);
    }
}
