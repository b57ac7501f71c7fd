//! What a device says about itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twinboard_usbip::descriptor::{self, Configuration, Device};

fuzz_target!(|input: &[u8]| {
    let _ = Device::parse(input);
    let _ = descriptor::string(input);
    if let Ok(configuration) = Configuration::parse(input) {
        assert!(configuration.interfaces.len() <= input.len() / 9);
    }
});
