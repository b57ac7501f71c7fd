//! What differs between chips on the debug path, as data.

/// A chip's debug port and access ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DapTable {
    /// DPIDR: bits [15:12] version, [16] MIN, [27:20] part, [31:28] revision.
    pub dpidr: u32,
    /// Which protocols the pins can speak.
    pub pins: PinProtocols,
    /// The chip's reset input is SWDIO: both debug wires held low are a reset.
    pub resets_by_wires: bool,
    /// The access ports by APSEL. Selections that are not here read 0 and ignore writes, without a fault.
    pub aps: &'static [(u8, ApTable)],
}

impl DapTable {
    /// MINDP: no pushed operations, no transaction counter (DPIDR bit 16).
    #[must_use]
    pub const fn is_minimal(&self) -> bool {
        self.dpidr & 1 << 16 != 0
    }
}

/// The protocols that a chip's debug pins can speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PinProtocols {
    /// SWD only. Switching sequences are noise that the next line reset ends.
    Swd,
    /// SWJ-DP: JTAG and SWD, in JTAG at power-on.
    Swj,
    /// SWJ-DP that can also be dormant (debug port version 2), in JTAG at power-on.
    SwjDormant,
}

/// One access port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ApTable {
    /// A bus master on the chip's AHB.
    Mem(MemApTable),
    /// The chip vendor's own port; registers other than IDR are the chip's.
    Vendor {
        /// IDR.
        idr: u32,
    },
}

/// A variant of the AHB-AP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemApTable {
    /// IDR. The variant is in bits [7:4].
    pub idr: u32,
    /// BASE: address of the ROM table, with its format and presence bits.
    pub base: u32,
    /// CFG: 0 is little endian, no large data, no long addresses.
    pub cfg: u32,
    /// CSW at power-on, without the read-only DeviceEn (bit 6).
    pub csw_reset: u32,
    /// The bits of CSW that can be written.
    pub csw_writable: u32,
    /// TAR increments within blocks of this many bytes.
    pub wrap: u32,
}

impl MemApTable {
    /// The AHB-AP of Cortex-M3 and M4 (variant 1): packed transfers, MasterType and HPROT[1] writable, TAR wraps at
    /// 4 KB.
    const fn cortex_m3(idr: u32, base: u32) -> MemApTable {
        MemApTable { idr, base, cfg: 0, csw_reset: 0x2300_0000, csw_writable: 0x2200_0033, wrap: 4096 }
    }

    /// The AHB-AP of Cortex-M0 and M0+ (variants 2 and 3): no packed transfers (AddrInc bit 5 absent), HPROT fixed,
    /// TAR wraps at 1 KB.
    const fn cortex_m0(idr: u32, base: u32) -> MemApTable {
        MemApTable { idr, base, cfg: 0, csw_reset: 0x0300_0000, csw_writable: 0x0000_0013, wrap: 1024 }
    }
}

/// nRF52833: Cortex-M4 DAP, Nordic's CTRL-AP as access port 1.
pub const NRF52833: DapTable = DapTable {
    dpidr: 0x2BA0_1477,
    pins: PinProtocols::Swd,
    resets_by_wires: false,
    aps: &[
        (0, ApTable::Mem(MemApTable::cortex_m3(0x2477_0011, 0xE00F_F003))),
        (1, ApTable::Vendor { idr: 0x0288_0000 }),
    ],
};

/// nRF51822: Cortex-M0 DAP, no CTRL-AP.
pub const NRF51822: DapTable = DapTable {
    dpidr: 0x0BB1_1477,
    pins: PinProtocols::Swd,
    resets_by_wires: true,
    aps: &[(0, ApTable::Mem(MemApTable::cortex_m0(0x0477_0021, 0xF000_0003)))],
};
