//! Which events the PPI waits for.
//!
//! An event that drives an enabled channel has to be scheduled, whether or not the CPU wants to know of it. That is
//! much work for nothing where the channel's tasks would do nothing: CODAL leaves a timer running that triggers a
//! SAADC, mostly a disabled one, 176 000 times a second. Such a channel is left out, until one of its tasks might do
//! something ([`Peripheral::ignores`]). An event that is on its way through the channel then is made up for.
//!
//! [`Peripheral::ignores`]: super::peripheral::Peripheral::ignores

use twinboard_sim::cpu::memory::Memory;

use super::peripheral::{EVENTS, PCLK16M};
use super::soc::{APB, EVENTS_END, PAGE, PAGES, Soc};

/// A task at the end of an enabled channel.
struct End {
    slot: usize,
    offset: u32,
    /// It would do nothing.
    ignored: bool,
}

/// What [`Soc`] knows of its enabled channels.
#[derive(Default)]
pub(super) struct Wiring {
    ends: Vec<End>,
    /// The slots of `ends`, as a mask.
    slots: u64,
    /// Channels that are left out, and the addresses of their events.
    left_out: Vec<(u32, u32)>,
}

/// Page number and event number of the event register at `address`.
fn event_at(address: u32) -> Option<(usize, u32)> {
    let (page, offset) = ((address.wrapping_sub(APB) / PAGE) as usize, address & (PAGE - 1));
    (page < PAGES && (EVENTS..EVENTS_END).contains(&offset)).then(|| (page, (offset - EVENTS) / 4))
}

impl Soc {
    /// Tells every peripheral which of its events are waited for by an enabled PPI channel.
    pub(super) fn rewire(&mut self, now: u64, memory: &mut Memory) {
        let old = std::mem::take(&mut self.wiring.left_out);
        let mut wired = [0u32; PAGES];
        self.wiring.ends.clear();
        self.wiring.slots = 0;
        for channel in self.ppi.enabled() {
            let event = self.ppi.event(channel);
            let Some((page, n)) = event_at(event) else { continue };
            if self.leave_out(channel, now, memory) {
                self.wiring.left_out.push((channel, event));
            } else {
                wired[page] |= 1 << n;
            }
        }
        let overdue: Vec<usize> = (0..self.places.len()).filter(|&slot| self.due.get(slot) <= now).collect();
        for slot in 0..self.places.len() {
            let mask = wired[usize::from(self.places[slot].id)];
            let (device, mut cx) = self.slot(slot, now, memory);
            device.sync(&mut cx);
            device.events().set_wired(mask);
        }
        for left_out in old {
            if !self.wiring.left_out.contains(&left_out) {
                self.make_up_for(left_out, now, memory);
            }
        }
        self.refresh_all();
        // What these do now they may have done already; the PPI and the CPU have not seen it yet.
        for slot in overdue {
            self.due.set(slot, now);
            self.earliest = self.earliest.min(now);
        }
    }

    /// Whether nothing is lost if `channel` does not hear of its event.
    fn leave_out(&mut self, channel: u32, now: u64, memory: &mut Memory) -> bool {
        let mut ignored = true;
        for task in self.ppi.tasks(channel) {
            let Some(slot) = self.page(task) else { continue };
            let end = End { slot, offset: task & (PAGE - 1), ignored: self.ignores(slot, task, now, memory) };
            ignored &= end.ignored;
            self.wiring.slots |= 1 << slot;
            self.wiring.ends.push(end);
        }
        ignored && self.last_raised(self.ppi.event(channel), now, memory).is_some()
    }

    fn ignores(&mut self, slot: usize, task: u32, now: u64, memory: &mut Memory) -> bool {
        self.slot(slot, now, memory).0.ignores(task & (PAGE - 1))
    }

    /// The cycle at which the event at `address` last happened, if its peripheral keeps account of that.
    fn last_raised(&mut self, address: u32, now: u64, memory: &mut Memory) -> Option<u64> {
        let ((_, n), slot) = (event_at(address)?, self.page(address)?);
        self.slot(slot, now, memory).0.last_raised(n)
    }

    /// A channel was left out, and is not any more: if its event happened just now, its tasks follow.
    fn make_up_for(&mut self, (channel, event): (u32, u32), now: u64, memory: &mut Memory) {
        if let Some(at) = self.last_raised(event, now, memory).filter(|&last| last > 0).map(|last| last + PCLK16M)
            && at > now
        {
            let place = self.firing.partition_point(|firing| firing.0 < at);
            match self.firing.get_mut(place) {
                Some((same, channels)) if *same == at => *channels |= 1 << channel,
                _ => self.firing.insert(place, (at, 1 << channel)),
            }
        }
    }

    /// Something happened to the peripheral in `slot`. Whether it now ignores a task that it did not, or the other way
    /// round.
    pub(super) fn heeds_otherwise(&mut self, slot: usize, now: u64, memory: &mut Memory) -> bool {
        if self.wiring.slots >> slot & 1 == 0 {
            return false;
        }
        let ends = std::mem::take(&mut self.wiring.ends);
        let changed =
            ends.iter().any(|end| end.slot == slot && self.ignores(slot, end.offset, now, memory) != end.ignored);
        self.wiring.ends = ends;
        changed
    }
}
