//! PORT — port control and interrupts (reference manual, chapter of that name): who has each pin, its pull resistor,
//! and interrupts on its level.

use twinboard_sim::time::Time;

use super::peripheral::merged;
use super::pins::{PORTS, Pins, bits};

const PCR_END: u32 = 0x80;
const GPCLR: u32 = 0x80;
const GPCHR: u32 = 0x84;
const ISFR: u32 = 0xA0;

/// PCR\[PS, PE, SRE, PFE, DSE, MUX, IRQC\].
const PCR_BITS: u32 = 0x000F_0757;
/// What GPCLR and GPCHR reach.
const PCR_LOW: u32 = 0x0000_FFFF;
const ISF: u32 = 1 << 24;

/// PCR\[IRQC\] with an interrupt.
const LOGIC_0: u32 = 8;
const RISING: u32 = 9;
const FALLING: u32 = 10;
const EITHER: u32 = 11;
const LOGIC_1: u32 = 12;

/// PCR after reset of the pins that then have a function (KL26 and KL27 alike): SWD_CLK, SWD_DIO, NMI_b, RESET_b.
const RESETS: [(usize, usize, u32); 4] = [(0, 0, 0x702), (0, 3, 0x703), (0, 4, 0x703), (0, 20, 0x703)];

/// Reads the register of `port` at `offset`.
pub fn read(pins: &Pins, port: usize, offset: u32) -> Option<u32> {
    let state = &pins.ports[port];
    Some(match offset {
        0..PCR_END => {
            let pin = (offset / 4) as usize;
            state.pcr[pin] | if state.isf >> pin & 1 == 1 { ISF } else { 0 }
        }
        GPCLR | GPCHR => 0,
        ISFR => state.isf,
        _ => return None,
    })
}

/// Writes the bits in `lanes` of the register of `port` at `offset`.
pub fn write(pins: &mut Pins, now: Time, port: usize, offset: u32, value: u32, lanes: u32) -> Option<()> {
    let state = &mut pins.ports[port];
    let mut changed = 0;
    match offset {
        0..PCR_END => {
            let pin = offset / 4;
            if state.fitted >> pin & 1 == 1 {
                let pcr = &mut state.pcr[pin as usize];
                *pcr = merged(*pcr, value, lanes & PCR_BITS);
                changed = 1 << pin;
            }
            if value & lanes & ISF != 0 {
                state.isf &= !(1 << pin);
            }
        }
        GPCLR | GPCHR => {
            let first = if offset == GPCLR { 0 } else { 16 };
            changed = (value >> 16) << first & state.fitted;
            for pin in bits(changed) {
                let pcr = &mut state.pcr[pin as usize];
                *pcr = merged(*pcr, value, PCR_LOW & PCR_BITS);
            }
        }
        ISFR => state.isf &= !(value & lanes),
        _ => return None,
    }
    pins.configured(now, port, changed);
    sense_levels(pins, port);
    Some(())
}

/// Whether `port` asks for an interrupt.
#[must_use]
pub fn irq(pins: &Pins, port: usize) -> bool {
    let state = &pins.ports[port];
    state.isf != 0 && bits(state.isf).any(|pin| state.pcr[pin as usize] >> 16 & 0xF >= LOGIC_0)
}

/// The levels of the pins in `changed` changed.
pub fn levels_changed(pins: &mut Pins, port: usize, changed: u32) {
    let state = &mut pins.ports[port];
    for pin in bits(changed & state.digital) {
        let high = state.levels >> pin & 1 == 1;
        match state.pcr[pin as usize] >> 16 & 0xF {
            EITHER => state.isf |= 1 << pin,
            RISING if high => state.isf |= 1 << pin,
            FALLING if !high => state.isf |= 1 << pin,
            _ => {}
        }
    }
    sense_levels(pins, port);
}

/// An interrupt on a level comes again as long as the level is there.
fn sense_levels(pins: &mut Pins, port: usize) {
    let state = &mut pins.ports[port];
    for pin in bits(state.digital) {
        let high = state.levels >> pin & 1 == 1;
        match state.pcr[pin as usize] >> 16 & 0xF {
            LOGIC_0 if !high => state.isf |= 1 << pin,
            LOGIC_1 if high => state.isf |= 1 << pin,
            _ => {}
        }
    }
}

/// Reset values for all ports, and for their GPIO registers.
pub fn reset(pins: &mut Pins, now: Time) {
    for port in 0..PORTS {
        let state = &mut pins.ports[port];
        (state.pcr, state.pdor, state.pddr, state.isf) = ([0; 32], 0, 0, 0);
        for (_, pin, pcr) in RESETS.iter().filter(|(of, ..)| *of == port) {
            state.pcr[*pin] = *pcr;
        }
        pins.configured(now, port, u32::MAX);
        pins.take_changed(port);
    }
}

#[cfg(test)]
mod tests {
    use twinboard_sim::wire::{Drive, PinId};

    use super::*;

    fn bench(pcr: u32) -> Pins {
        let mut pins = Pins::new([u32::MAX; PORTS]);
        reset(&mut pins, Time::ZERO);
        write(&mut pins, Time::ZERO, 2, 4 * 4, pcr, u32::MAX).expect("PCR4");
        pins
    }

    fn level(pins: &mut Pins, drive: Drive) -> bool {
        pins.outside(PinId(2 * 32 + 4), drive);
        let changed = pins.take_changed(2);
        levels_changed(pins, 2, changed);
        irq(pins, 2)
    }

    #[test]
    fn an_edge_sets_isf_until_a_1_is_written_to_it() {
        let mut pins = bench(0x000A_0100);
        assert!(!level(&mut pins, Drive::High), "a rising edge");
        assert!(level(&mut pins, Drive::Low));
        assert_eq!(read(&pins, 2, 0x10), Some(0x010A_0100));
        assert_eq!(read(&pins, 2, ISFR), Some(0x10));
        write(&mut pins, Time::ZERO, 2, 0x10, 0x010A_0100, u32::MAX).expect("PCR4");
        assert!(!irq(&pins, 2));
    }

    #[test]
    fn a_level_that_persists_interrupts_again() {
        let mut pins = bench(0x0008_0103);
        assert!(!irq(&pins, 2), "its own pull-up");
        assert!(level(&mut pins, Drive::Low));
        write(&mut pins, Time::ZERO, 2, ISFR, 0x10, u32::MAX).expect("ISFR");
        assert!(irq(&pins, 2));
        level(&mut pins, Drive::Released);
        write(&mut pins, Time::ZERO, 2, ISFR, 0x10, u32::MAX).expect("ISFR");
        assert!(!irq(&pins, 2));
    }

    #[test]
    fn the_global_registers_write_the_lower_half_of_many_pins() {
        let mut pins = bench(0x000A_0000);
        write(&mut pins, Time::ZERO, 2, GPCLR, 0x0018_0103, u32::MAX).expect("GPCLR");
        assert_eq!([0x0C, 0x10, 0x14].map(|at| read(&pins, 2, at)), [Some(0x103), Some(0x000A_0103), Some(0)]);
        write(&mut pins, Time::ZERO, 2, GPCHR, 0x8000_0100, u32::MAX).expect("GPCHR");
        assert_eq!(read(&pins, 2, 0x7C), Some(0x100));
    }

    #[test]
    fn the_pins_of_the_debug_port_nmi_and_reset_have_their_functions_after_reset() {
        let pins = bench(0);
        assert_eq!([0x00, 0x0C, 0x10, 0x50].map(|at| read(&pins, 0, at)), [0x702, 0x703, 0x703, 0x703].map(Some));
    }
}
