//! What the family's peripherals have in common: registers of 8 or 32 bits behind a slot of the peripheral bridge, an
//! interrupt line, and the chip around them.

use twinboard_sim::bus::Size;
use twinboard_sim::cpu::memory::Memory;
use twinboard_sim::fault::SharedFault;
use twinboard_sim::time::Time;
use twinboard_sim::wire::{I2cSignal, PinId, SerialFrame};

use super::clock::{Clocks, Sources};
use super::pins::Pins;
use super::usb0::Usb0;

/// Why the chip is reset (reference manual, chapters "Reset and Boot" and "Reset Control Module").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// Power-on.
    PowerOn,
    /// The low-voltage detect: the supply was too low to run, but RAM was kept.
    LowVoltage,
    /// RESET_b.
    Pin,
    /// The COP ran out.
    Watchdog,
    /// AIRCR.SYSRESETREQ.
    Software,
    /// The core locked up.
    Lockup,
    /// A wake-up from VLLS.
    Wakeup,
}

impl Reset {
    /// Whether the supply was the reason: that resets everything but RAM, which only [`Reset::PowerOn`] does.
    #[must_use]
    pub fn is_of_supply(self) -> bool {
        matches!(self, Reset::PowerOn | Reset::LowVoltage)
    }
}

/// What a peripheral asks of the chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// Reset the chip.
    Reset(Reset),
    /// VLLS: switch everything off until a reset for a wake-up.
    PowerDown,
    /// A function that the boot loader in ROM had called is back.
    ReturnToRom,
}

/// What a peripheral sees of the chip while something happens to it.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The time of what happens.
    pub now: Time,
    /// The memories.
    pub memory: &'a mut Memory,
    /// The pins.
    pub pins: &'a mut Pins,
    /// The clocks.
    pub clocks: &'a Clocks,
    /// SIM_SOPT2, in which clock sources of peripherals are chosen.
    pub sopt2: u32,
    /// What is asked of the chip; the first one counts.
    pub request: &'a mut Option<Request>,
}

impl Cx<'_> {
    /// Asks for something that happens after this instruction.
    pub fn ask(&mut self, request: Request) {
        self.request.get_or_insert(request);
    }
}

/// A register machine behind one slot of the peripheral bridge.
///
/// `None` means "no such register": the owner counts the access and reads it as 0.
pub trait Peripheral: Send {
    /// How wide its registers are: [`Size::Byte`] or [`Size::Word`]. A wider access is one to each register in turn,
    /// lowest address first; a narrower one is to some lanes of a register.
    fn width(&self) -> Size;

    /// A read of the whole register at `offset`.
    fn read(&mut self, cx: &mut Cx<'_>, offset: u32) -> Option<u32>;

    /// A write of those bits of the register at `offset` that are set in `lanes`. All others of `value` are 0.
    fn write(&mut self, cx: &mut Cx<'_>, offset: u32, value: u32, lanes: u32) -> Option<()>;

    /// Back to the reset values, as far as this reset goes.
    fn reset(&mut self, cx: &mut Cx<'_>, reset: Reset);

    /// The level of the interrupt line.
    fn irq(&self) -> bool {
        false
    }

    /// The level of its second interrupt line, where it has one.
    fn second_irq(&self) -> bool {
        false
    }

    /// When the peripheral next does something that others could notice.
    fn next(&self) -> Time {
        Time::NEVER
    }

    /// Does what is due at `cx.now`.
    fn run(&mut self, _cx: &mut Cx<'_>) {}

    /// Whether the value of this register cannot change before [`Peripheral::next`], nor by being read.
    fn steady(&self, _offset: u32) -> bool {
        false
    }

    /// What it gives as the clock generator, if it is one.
    fn sources(&self) -> Option<Sources> {
        None
    }

    /// Arms a fault on the crystal oscillator. Whether there is one here.
    fn arm_clock(&mut self, _fault: &SharedFault) -> bool {
        false
    }

    /// The frequencies changed to what `cx.clocks` says.
    fn reclocked(&mut self, _cx: &mut Cx<'_>) {}

    /// The core was halted by its debugger, or goes on.
    fn core_halted(&mut self, _cx: &mut Cx<'_>, _halted: bool) {}

    /// The core begins to sleep with SCR\[SLEEPDEEP\] set.
    fn sleeps_deeply(&mut self, _cx: &mut Cx<'_>) {}

    /// The chip is powered down: what it was asked to do in [`Peripheral::sleeps_deeply`].
    fn powers_down(&mut self, _cx: &mut Cx<'_>) {}

    /// The USB controller, if it is one.
    fn usb(&self) -> Option<&Usb0> {
        None
    }

    /// The same, to be changed.
    fn usb_mut(&mut self) -> Option<&mut Usb0> {
        None
    }

    /// The levels of the pins in `changed` (pins of port `port`) changed.
    fn levels_changed(&mut self, _cx: &mut Cx<'_>, _port: usize, _changed: u32) {}

    /// A step of a transfer on an I2C bus is heard on the net of `pin`.
    fn i2c(&mut self, _cx: &mut Cx<'_>, _pin: PinId, _step: I2cSignal) {}

    /// It is the RCM.
    fn rcm(&mut self) -> Option<&mut super::rcm::Rcm> {
        None
    }

    /// A character starts on the net of `pin` at `start`.
    fn serial(&mut self, _cx: &mut Cx<'_>, _pin: PinId, _start: Time, _frame: SerialFrame) {}
}

/// `old` with the bits in `lanes` taken from `new`.
#[must_use]
pub fn merged(old: u32, new: u32, lanes: u32) -> u32 {
    old & !lanes | new & lanes
}

#[cfg(test)]
pub(crate) mod testing {
    use twinboard_sim::cpu::memory::Kind;

    use super::super::clock::Rate;
    use super::*;

    /// Surroundings for the test of one peripheral: a core at 48 MHz, a bus at 24 MHz, 128 KB of erased flash.
    pub struct Bench {
        pub now: Time,
        pub memory: Memory,
        pub pins: Pins,
        pub clocks: Clocks,
        pub sopt2: u32,
        pub request: Option<Request>,
    }

    impl Default for Bench {
        fn default() -> Bench {
            let mut memory = Memory::default();
            memory.add(Kind::Flash, 0, 0x2_0000, 0xFF);
            memory.add(Kind::Ram, 0x1FFF_F000, 0x4000, 0);
            let fast = Rate::hz(48_000_000);
            let sources = Sources { out: fast, fast: [Some(fast), Some(fast)], internal: None, external: None };
            Bench {
                now: Time::ZERO,
                memory,
                pins: Pins::new([u32::MAX; 5]),
                clocks: Clocks { sources, core: fast, bus: fast.divided(2), erclk32k: None },
                sopt2: 0,
                request: None,
            }
        }
    }

    impl Bench {
        pub fn cx(&mut self) -> Cx<'_> {
            Cx {
                now: self.now,
                memory: &mut self.memory,
                pins: &mut self.pins,
                clocks: &self.clocks,
                sopt2: self.sopt2,
                request: &mut self.request,
            }
        }

        /// Lets the peripheral run until `until`, event by event.
        pub fn run_to(&mut self, device: &mut dyn Peripheral, until: Time) {
            while device.next() <= until {
                self.now = self.now.max(device.next());
                device.run(&mut self.cx());
            }
            self.now = until;
        }

        pub fn read(&mut self, device: &mut dyn Peripheral, offset: u32) -> u32 {
            device.read(&mut self.cx(), offset).expect("a register")
        }

        pub fn write(&mut self, device: &mut dyn Peripheral, offset: u32, value: u32) {
            let lanes = if device.width() == Size::Byte { 0xFF } else { u32::MAX };
            device.write(&mut self.cx(), offset, value, lanes).expect("a register");
        }
    }
}
