//! What a client sends, to the server: the first byte says how the rest is cut. Both phases; the URB phase with a
//! device behind it, so that what is understood is also done.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twinboard_sim::machine::Machine;
use twinboard_sim::time::Span;
use twinboard_usbip::gadget::{Gadget, Loopback};
use twinboard_usbip::proto::{Command, Decoder};
use twinboard_usbip::server::Link;
use twinboard_usbip::vhc::Vhc;

fuzz_target!(|input: &[u8]| {
    let Some((&cut, bytes)) = input.split_first() else { return };
    let mut decoder = Decoder::new();
    let mut rest = bytes;
    loop {
        match decoder.decode(&mut rest) {
            Ok(Some(Command::Import(_))) => break,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
    decoder.enter_urb_phase();

    let mut gadget = Gadget::new(Loopback::new("fuzz"));
    let mut vhc = Vhc::new(0);
    vhc.plug(&mut gadget);
    vhc.reset(&mut gadget, Some(2));
    let mut link = Link::new(decoder, 2);
    for piece in rest.chunks(usize::from(cut) + 1) {
        if link.receive(piece, &mut vhc, &mut gadget, &mut None).is_err() {
            return;
        }
        let until = gadget.now() + Span::ms(30);
        while gadget.now() < until {
            vhc.run(&mut gadget, until);
            link.collect(&mut vhc, &mut None);
        }
        let sent = link.output().len();
        link.consume(sent);
    }
});
