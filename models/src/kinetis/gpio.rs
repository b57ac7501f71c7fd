//! GPIO — general-purpose input/output, and FGPIO, the same registers on the core's own port (reference manual, chapter
//! "General-Purpose Input/Output").
//!
//! Firmware bangs bits through these registers, so they go past the peripheral bridge's general way.

use twinboard_sim::time::Time;

use super::peripheral::merged;
use super::pins::{PORTS, Pins};

/// Bytes that the registers of one port occupy.
const STRIDE: u32 = 0x40;
const PDOR: u32 = 0x00;
const PSOR: u32 = 0x04;
const PCOR: u32 = 0x08;
const PTOR: u32 = 0x0C;
const PDIR: u32 = 0x10;
const PDDR: u32 = 0x14;

fn place(offset: u32) -> Option<(usize, u32)> {
    let port = (offset / STRIDE) as usize;
    (port < PORTS).then_some((port, offset % STRIDE))
}

/// Reads the register at `offset`.
#[inline]
pub fn read(pins: &mut Pins, now: impl FnOnce() -> Time, offset: u32) -> Option<u32> {
    let (port, register) = place(offset)?;
    Some(match register {
        PDOR => pins.ports[port].pdor,
        PSOR | PCOR | PTOR => 0,
        PDIR => pins.inputs(now, port),
        PDDR => pins.ports[port].pddr,
        _ => return None,
    })
}

/// Writes the bits in `lanes` of the register at `offset`. `now` is asked only if a net notices.
#[inline]
pub fn write(pins: &mut Pins, now: impl FnOnce() -> Time, offset: u32, value: u32, lanes: u32) -> Option<()> {
    let (port, register) = place(offset)?;
    let state = &mut pins.ports[port];
    let value = value & lanes;
    let (pdor, pddr) = (state.pdor, state.pddr);
    match register {
        PDOR => state.pdor = merged(pdor, value, lanes),
        PSOR => state.pdor = pdor | value,
        PCOR => state.pdor = pdor & !value,
        PTOR => state.pdor = pdor ^ value,
        PDIR => {}
        PDDR => state.pddr = merged(pddr, value, lanes),
        _ => return None,
    }
    let changed = (state.pdor ^ pdor) & state.pddr | (state.pddr ^ pddr);
    let noticed = pins.noticed(port, changed);
    if noticed != 0 {
        pins.update(now(), port, noticed);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use twinboard_sim::wire::{Drive, Edge, PinId, Signal};

    use super::*;

    #[test]
    fn set_clear_and_toggle_change_the_output_register_and_only_outputs_leave_the_chip() {
        let mut pins = Pins::new([u32::MAX; PORTS]);
        pins.ports[3].pcr[4] = 1 << 8;
        pins.configured(Time::ZERO, 3, 1 << 4);
        let base = 3 * STRIDE;
        let mut at = 0;
        let mut put = |pins: &mut Pins, register, value| {
            at += 1;
            write(pins, || Time(at), base + register, value, u32::MAX)
        };
        put(&mut pins, PSOR, 0x30);
        put(&mut pins, PCOR, 0x20);
        assert!(!pins.has_edges(), "an input");
        put(&mut pins, PDDR, 0x10);
        put(&mut pins, PTOR, 0x11);
        assert_eq!(read(&mut pins, || Time::ZERO, base + PDOR), Some(0x01));
        let edge = |at, drive| Edge { at: Time(at), pin: PinId(100), signal: Signal::Drive(drive) };
        assert_eq!(*pins.edges(), [edge(3, Drive::High), edge(4, Drive::Low)]);
        assert_eq!(put(&mut pins, 0x18, 0), None);
    }

    #[test]
    fn a_byte_write_reaches_its_lane_alone() {
        let mut pins = Pins::new([u32::MAX; PORTS]);
        write(&mut pins, || Time::ZERO, PDOR, 0xFFFF_FFFF, u32::MAX);
        write(&mut pins, || Time::ZERO, PDOR, 0x0000_3400, 0x0000_FF00);
        assert_eq!(read(&mut pins, || Time::ZERO, PDOR), Some(0xFFFF_34FF));
    }
}
