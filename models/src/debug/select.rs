//! Which protocol the pins speak. JTAG and SWD share the pins of an SWJ-DP (TMS is SWDIO, TCK is SWCLK); a probe
//! switches by sending bit patterns that mean nothing in the protocol it leaves (Arm IHI 0031, "SWD and JTAG
//! selection mechanism", "Dormant operation").

use super::table::PinProtocols;

/// What the pins speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// JTAG; SWDIO is an input (TMS).
    Jtag,
    /// SWD.
    Swd,
    /// Nothing, until the selection alert.
    Dormant,
}

/// Ones that reset the line.
const LINE_RESET: u32 = 50;
/// Ones that bring JTAG's state machine to Test-Logic-Reset.
const JTAG_RESET: u32 = 5;
/// Ones that come before the selection alert.
const ALERT_ONES: u32 = 8;

/// The sequences, LSB first.
const JTAG_TO_SWD: [u128; 2] = [0xE79E, 0xEDB6];
const SWD_TO_JTAG: [u128; 2] = [0xE73C, 0xAEAE];
const SWD_TO_DORMANT: u128 = 0xE3BC;
const JTAG_TO_DORMANT: u128 = 0x33BB_BBBA;
const SELECTION_ALERT: u128 = 0x19BC_0EA2_E3DD_AFE9_8685_2D95_6209_F392;
/// Activation codes follow the alert: four zeros, then eight bits, or twelve zeros for JTAG.
const ACTIVATE_SWD: u128 = 0x1A0;
const ACTIVATE_JTAG: u128 = 0x0A0;

/// Watches SWDIO for line resets and switching sequences.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selector {
    pins: PinProtocols,
    protocol: Protocol,
    /// Ones in a row, up to now.
    ones: u32,
    capture: Option<Capture>,
}

/// Bits since the zero that ended a run of ones, or since the selection alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Capture {
    /// The ones before; none after a selection alert.
    ones: Option<u32>,
    bits: u128,
    count: u32,
}

impl Selector {
    /// As at power-on.
    #[must_use]
    pub fn new(pins: PinProtocols) -> Selector {
        let protocol = if pins == PinProtocols::Swd { Protocol::Swd } else { Protocol::Jtag };
        Selector { pins, protocol, ones: 0, capture: None }
    }

    /// What the pins speak now.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether SWDIO has been high for a line reset.
    #[must_use]
    pub fn is_line_reset(&self) -> bool {
        self.ones >= LINE_RESET
    }

    /// Whether no switching sequence is under way, so that packets can be taken as wholes.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.capture.is_none()
    }

    /// A whole packet passed whose last bits were `ones` ones.
    pub fn skip_packet(&mut self, ones: u32) {
        self.ones = ones;
    }

    /// One bit, as sampled at the rising edge. True if the protocol changed.
    pub fn clock(&mut self, bit: bool) -> bool {
        let before = self.protocol;
        if self.pins != PinProtocols::Swd {
            self.watch(bit);
        }
        self.ones = if bit { self.ones.saturating_add(1) } else { 0 };
        self.protocol != before
    }

    fn watch(&mut self, bit: bool) {
        // The alert itself has up to seven ones in a row.
        let ones = match self.protocol {
            Protocol::Jtag => JTAG_RESET,
            Protocol::Swd => LINE_RESET,
            Protocol::Dormant => ALERT_ONES,
        };
        if !bit && self.ones >= ones {
            self.capture = Some(Capture { ones: Some(self.ones), bits: 0, count: 0 });
        }
        let Some(mut capture) = self.capture else { return };
        capture.bits |= u128::from(bit) << capture.count;
        capture.count += 1;
        self.capture = Some(capture);
        let next = match capture.ones {
            Some(ones) => self.sequence(ones, capture),
            None => Self::activation(capture),
        };
        if let Some(protocol) = next {
            self.protocol = protocol;
            self.capture = None;
        }
        if self.capture.is_some_and(|c| c.count == u128::BITS) {
            self.capture = None;
        }
    }

    /// The protocol that a sequence after `ones` ones selects.
    fn sequence(&mut self, ones: u32, capture: Capture) -> Option<Protocol> {
        let dormant = self.pins == PinProtocols::SwjDormant;
        match (self.protocol, capture.count, capture.bits) {
            (Protocol::Jtag, 16, bits) if ones >= LINE_RESET && JTAG_TO_SWD.contains(&bits) => Some(Protocol::Swd),
            (Protocol::Jtag, 31, JTAG_TO_DORMANT) if dormant => Some(Protocol::Dormant),
            (Protocol::Swd, 16, bits) if SWD_TO_JTAG.contains(&bits) => Some(Protocol::Jtag),
            (Protocol::Swd, 16, SWD_TO_DORMANT) if dormant => Some(Protocol::Dormant),
            (Protocol::Dormant, 128, SELECTION_ALERT) => {
                self.capture = Some(Capture { ones: None, bits: 0, count: 0 });
                None
            }
            (Protocol::Jtag, 31, _) | (Protocol::Swd, 16, _) => {
                self.capture = None;
                None
            }
            _ => None,
        }
    }

    /// The protocol that an activation code selects.
    fn activation(capture: Capture) -> Option<Protocol> {
        match (capture.count, capture.bits) {
            (12, ACTIVATE_SWD) => Some(Protocol::Swd),
            (12, ACTIVATE_JTAG) | (16, 0) => Some(Protocol::Jtag),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pins(Selector);

    impl Pins {
        fn new(pins: PinProtocols) -> Pins {
            Pins(Selector::new(pins))
        }

        fn ones(&mut self, count: u32) -> &mut Pins {
            for _ in 0..count {
                self.0.clock(true);
            }
            self
        }

        fn bits(&mut self, value: u128, count: u32) -> &mut Pins {
            for i in 0..count {
                self.0.clock(value >> i & 1 != 0);
            }
            self
        }

        fn speak(&self) -> Protocol {
            self.0.protocol()
        }
    }

    #[test]
    fn both_jtag_to_swd_sequences_switch_after_a_line_reset() {
        // Reference 1.5.
        for sequence in [0xE79E, 0xEDB6] {
            let mut pins = Pins::new(PinProtocols::Swj);
            assert_eq!(pins.speak(), Protocol::Jtag);
            pins.ones(49).bits(sequence, 16);
            assert_eq!(pins.speak(), Protocol::Jtag, "49 ones are too few");
            pins.ones(51).bits(sequence, 16);
            assert_eq!(pins.speak(), Protocol::Swd);
        }
    }

    #[test]
    fn openocds_farewell_switches_back_to_jtag_and_its_greeting_to_swd() {
        // Reference 1.5 and 10.8.
        let mut pins = Pins::new(PinProtocols::Swj);
        pins.ones(56).bits(0xE79E, 16).ones(56).bits(0, 8);
        assert_eq!(pins.speak(), Protocol::Swd);
        pins.ones(56).bits(0xE73C, 16).ones(8);
        assert_eq!(pins.speak(), Protocol::Jtag);
        pins.ones(56).bits(0xE79E, 16).ones(56);
        assert_eq!(pins.speak(), Protocol::Swd);
    }

    #[test]
    fn a_dormant_port_wakes_by_alert_and_activation_only() {
        // Reference 1.5, dormant sequences.
        for (activation, bits, protocol) in
            [(0x1A0, 12, Protocol::Swd), (0x0A0, 12, Protocol::Jtag), (0, 16, Protocol::Jtag)]
        {
            let mut pins = Pins::new(PinProtocols::SwjDormant);
            pins.ones(5).bits(0x33BB_BBBA, 39);
            assert_eq!(pins.speak(), Protocol::Dormant, "pyOCD sends eight zeros more");
            pins.ones(56).bits(0xE79E, 16);
            assert_eq!(pins.speak(), Protocol::Dormant);
            pins.ones(8).bits(SELECTION_ALERT, 128).bits(activation, bits);
            assert_eq!(pins.speak(), protocol);
        }
    }

    #[test]
    fn swd_goes_dormant_after_a_line_reset_where_the_port_can() {
        for (pins, expected) in [(PinProtocols::SwjDormant, Protocol::Dormant), (PinProtocols::Swj, Protocol::Swd)] {
            let mut pins = Pins::new(pins);
            pins.ones(50).bits(0xE79E, 16);
            pins.ones(50).bits(0xE3BC, 16);
            assert_eq!(pins.speak(), expected);
        }
    }

    #[test]
    fn pins_that_speak_only_swd_take_every_sequence_as_noise() {
        let mut pins = Pins::new(PinProtocols::Swd);
        pins.ones(50).bits(0xE73C, 16).ones(8).bits(SELECTION_ALERT, 128);
        assert_eq!(pins.speak(), Protocol::Swd);
        assert!(pins.0.is_quiet());
    }
}
