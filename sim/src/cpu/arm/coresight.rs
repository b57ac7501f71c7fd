//! The identification block at the end of every CoreSight component's page (Arm IHI 0029, B2 "component and peripheral
//! ID registers"; ARM DDI 0403E, appendix on CoreSight identification).
//!
//! Debuggers find a core by walking from the ROM table to components and reading who they are; each of these
//! registers holds one byte.

/// Who a component is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Identity {
    /// PIDR, 40 bits: PIDR0 is the lowest byte, PIDR4 the highest.
    pub peripheral: u64,
    /// CIDR: CIDR0 is the lowest byte.
    pub component: u32,
}

impl Identity {
    /// CIDR of a component of class 0xE, generic IP: what SCS, DWT, FPB and ITM are.
    pub const GENERIC_IP: u32 = 0xB105_E00D;

    /// The identity of one of Arm's core debug components.
    #[must_use]
    pub const fn core_debug(peripheral: u64) -> Identity {
        Identity { peripheral, component: Identity::GENERIC_IP }
    }

    /// The register at `offset` (0xFD0 to 0xFFC) of the component's page; zero elsewhere.
    #[must_use]
    pub fn read(&self, offset: u32) -> u32 {
        let byte = |value: u64, index: u32| (value >> (8 * index)) as u32 & 0xFF;
        match offset & !3 {
            register @ 0xFD0..=0xFDC => byte(self.peripheral, 4 + (register - 0xFD0) / 4),
            register @ 0xFE0..=0xFEC => byte(self.peripheral, (register - 0xFE0) / 4),
            register @ 0xFF0..=0xFFC => byte(self.component.into(), (register - 0xFF0) / 4),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_register_holds_one_byte() {
        let fpb = Identity::core_debug(0x4_002B_B003);
        let page: Vec<u32> = (0xFD0..0x1000).step_by(4).map(|offset| fpb.read(offset)).collect();
        // PIDR4..7, PIDR0..3, CIDR0..3.
        assert_eq!(page, [4, 0, 0, 0, 0x03, 0xB0, 0x2B, 0, 0x0D, 0xE0, 0x05, 0xB1]);
    }
}
