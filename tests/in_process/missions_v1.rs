//! The same program on a micro:bit V1 (`missions.elf` of the nRF51822), over HID: what an Armv6-M core offers a debugger.

use object::{Object, ObjectSegment, ObjectSymbol};
use twinboard_models::board::Powered;
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::adi::{Adi, register};

use crate::bench::built_in;

const PROGRAM: &[u8] = include_bytes!("../../firmware/nrf51822/missions.elf");

const DFSR: u32 = 0xE000_ED30;
const DHCSR: u32 = 0xE000_EDF0;
const DEMCR: u32 = 0xE000_EDFC;
const DWT_COMP0: u32 = 0xE000_1020;
const S_HALT: u32 = 1 << 17;
const S_SLEEP: u32 = 1 << 18;
const S_LOCKUP: u32 = 1 << 19;

/// Where the program's `name` is.
fn at(name: &str) -> u32 {
    let elf = object::File::parse(PROGRAM).expect("an ELF file");
    let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(name)).expect("the program has it");
    symbol.address() as u32 & !u32::from(symbol.kind() == object::SymbolKind::Text)
}

/// A board with the program in its flash, running.
fn board() -> Host<Powered> {
    let mut host = built_in("microbit-v1");
    let elf = object::File::parse(PROGRAM).expect("an ELF file");
    let mut flash = Vec::new();
    for segment in elf.segments() {
        let data = segment.data().expect("is in the file");
        let address = segment.address() as u32;
        // The initialised data is loaded behind the code.
        let place = if address >= 0x2000_0000 { at("data_load") } else { address } as usize;
        flash.resize(flash.len().max(place + data.len()), 0xFF);
        flash[place..place + data.len()].copy_from_slice(data);
    }
    host.machine().target().expect("it has one").lock().set_flash(&flash);
    let mut adi = host.dap_v1().expect("a probe").adi();
    assert_eq!(adi.connect(), Ok(0x0bb1_1477));
    adi.reset_and_halt().expect("resets");
    assert_eq!(adi.read_register(register::PC), Ok(at("reset")));
    adi.write_word(DEMCR, 1 << 24).expect("DWTENA");
    adi.run().expect("runs");
    host.sleep(Span::ms(2));
    host
}

/// Attaches again, and sends the program on the mission with that number.
fn send(host: &mut Host<Powered>, mission: u32) -> Adi<'_, Powered> {
    let mut adi = host.dap_v1().expect("a probe").adi();
    adi.connect().expect("connects");
    adi.write_word(DFSR, 0x1F).expect("clears");
    adi.write_word(at("mission"), mission).expect("RAM takes it");
    adi.host().sleep(Span::ms(2));
    adi
}

#[test]
fn a_watchpoint_and_a_hard_fault_stop_a_cortex_m0() {
    let mut host = board();
    let mut adi = host.dap_v1().expect("a probe").adi();
    adi.connect().expect("connects");
    for (register, value) in [(0, at("counter")), (4, 2), (8, 6)] {
        adi.write_word(DWT_COMP0 + register, value).expect("DWT");
    }
    let mut adi = send(&mut host, 1);
    adi.wait_halted(Span::ms(10)).expect("the write of COUNT");
    assert_eq!((adi.read_word(at("counter")), adi.read_word(DFSR)), (Ok(1), Ok(1 << 2)));

    let mut host = board();
    let mut adi = host.dap_v1().expect("a probe").adi();
    adi.connect().expect("connects");
    adi.write_word(DEMCR, 1 << 10).expect("VC_HARDERR");
    let mut adi = send(&mut host, 10);
    adi.wait_halted(Span::ms(10)).expect("the fault of ESCALATE");
    assert_eq!((adi.read_register(register::PC), adi.read_word(DFSR)), (Ok(at("hard_fault")), Ok(1 << 3)));
}

#[test]
fn a_cortex_m0_that_sleeps_or_has_locked_up_halts() {
    for (mission, state) in [(5, S_SLEEP), (6, S_SLEEP), (11, S_LOCKUP)] {
        let mut host = board();
        let mut adi = send(&mut host, mission);
        let all = S_HALT | S_SLEEP | S_LOCKUP;
        assert_eq!(adi.read_word(DHCSR).expect("reads") & all, state, "mission {mission}");
        adi.halt().expect("halts");
        assert_eq!(adi.read_word(DHCSR).expect("reads") & all, S_HALT, "mission {mission}");
    }
}
