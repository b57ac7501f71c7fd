//! What a server sends, to the client: a list, an import, and answers to submits.

#![no_main]

use std::io::{self, Read, Write};

use libfuzzer_sys::fuzz_target;
use twinboard_usbip::client::{self, Channel};
use twinboard_usbip::proto::BusId;
use twinboard_usbip::vhc::Urb;

/// A server that says what it says, whatever it is told.
struct Deaf<'a>(&'a [u8]);

impl Read for Deaf<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Deaf<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let _ = client::list(&mut Deaf(input));
    let mut server = Deaf(input);
    let Ok(device) = client::import(&mut server, BusId::new("1-1")) else { return };
    let mut channel = Channel::new(server, device.devid());
    for id in 0..8 {
        channel.queue(&Urb::read(id, 0x81, 512));
    }
    while channel.receive().is_ok() {}
});
