//! ROM tables and component identities: how a debugger finds out what a chip has (Arm IHI 0031, "ROM Tables";
//! IHI 0029, "CoreSight identification registers").
//!
//! Every CoreSight component occupies 4 KB of the private peripheral bus. Its last words tell what it is: the
//! Peripheral ID (who made it, which part) at 0xFD0–0xFEC and the Component ID (what class) at 0xFF0–0xFFC, one
//! significant byte per word. A ROM table is a component whose first words are the distances to others. The core
//! serves them all as constants.

/// A component of 4 KB, as a debugger sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Component {
    /// Its first address.
    pub base: u32,
    /// Peripheral ID, PIDR0 in bits [7:0] to PIDR4 in bits [39:32].
    pub pidr: u64,
    /// Component ID, CIDR0 in bits [7:0] to CIDR3 in bits [31:24].
    pub cidr: u32,
    /// Further words, by offset: ROM table entries, DEVARCH, DEVID, DEVTYPE.
    pub words: &'static [(u32, u32)],
}

/// CIDR of a ROM table (class 1).
const ROM_TABLE: u32 = 0xB105_100D;
/// CIDR of a CoreSight debug component (class 9).
const CORESIGHT: u32 = 0xB105_900D;
/// CIDR of a generic IP component (class 14), as the core's own blocks are.
const GENERIC_IP: u32 = 0xB105_E00D;

const DEVID: u32 = 0xFC8;
const DEVTYPE: u32 = 0xFCC;
/// MEMTYPE of a ROM table: bit 0, system memory is visible through the same access port.
const MEMTYPE: u32 = 0xFCC;

/// Entries of the Cortex-M4's ROM table at 0xE00FF000: SCS, DWT, FPB, ITM, TPIU, ETM, end.
const CORTEX_M4_ENTRIES: &[(u32, u32)] = &[
    (0x00, 0xFFF0_F003),
    (0x04, 0xFFF0_2003),
    (0x08, 0xFFF0_3003),
    (0x0C, 0xFFF0_1003),
    (0x10, 0xFFF4_1003),
    (0x14, 0xFFF4_2003),
    (0x18, 0),
    (MEMTYPE, 1),
];

/// The components of the nRF52833, its ROM table first. The last is Nordic's identity at 0xF0000000, which start-up
/// code and flash algorithms read through the core.
pub const NRF52833: &[Component] = &[
    Component { base: 0xE00F_F000, pidr: 0x2_000C_400D, cidr: ROM_TABLE, words: CORTEX_M4_ENTRIES },
    Component { base: 0xE000_E000, pidr: 0x4_000B_B00C, cidr: GENERIC_IP, words: &[] },
    Component { base: 0xE000_1000, pidr: 0x4_003B_B002, cidr: GENERIC_IP, words: &[] },
    Component { base: 0xE000_2000, pidr: 0x4_002B_B003, cidr: GENERIC_IP, words: &[] },
    Component { base: 0xE000_0000, pidr: 0x4_003B_B001, cidr: GENERIC_IP, words: &[] },
    Component { base: 0xE004_0000, pidr: 0x4_000B_B9A1, cidr: CORESIGHT, words: &[(DEVID, 0xCA1), (DEVTYPE, 0x11)] },
    Component { base: 0xE004_1000, pidr: 0x4_000B_B925, cidr: CORESIGHT, words: &[(DEVTYPE, 0x13)] },
    Component { base: 0xF000_0000, pidr: 0x2_000C_400D, cidr: ROM_TABLE, words: &[(0x00, 0), (MEMTYPE, 1)] },
];

/// Entries of the Cortex-M0's ROM table at 0xE00FF000: SCS, DWT, BPU, end.
const CORTEX_M0_ENTRIES: &[(u32, u32)] =
    &[(0x00, 0xFFF0_F003), (0x04, 0xFFF0_2003), (0x08, 0xFFF0_3003), (0x0C, 0), (MEMTYPE, 1)];

/// The components of the nRF51822 (revision 3), Nordic's ROM table first: it leads to that of the Cortex-M0.
pub const NRF51822: &[Component] = &[
    Component {
        base: 0xF000_0000,
        pidr: 0x2_007C_4001,
        cidr: ROM_TABLE,
        words: &[(0x00, 0xF00F_F003), (0x04, 0), (MEMTYPE, 1)],
    },
    Component { base: 0xE00F_F000, pidr: 0x4_000B_B471, cidr: ROM_TABLE, words: CORTEX_M0_ENTRIES },
    Component { base: 0xE000_E000, pidr: 0x4_000B_B008, cidr: GENERIC_IP, words: &[] },
    Component { base: 0xE000_1000, pidr: 0x4_000B_B00A, cidr: GENERIC_IP, words: &[] },
    Component { base: 0xE000_2000, pidr: 0x4_000B_B00B, cidr: GENERIC_IP, words: &[] },
];

/// The constant words of `components`, as pairs of address and value in ascending order of address.
#[must_use]
pub fn words(components: &[Component]) -> Vec<(u32, u32)> {
    let mut words: Vec<(u32, u32)> = components.iter().flat_map(component_words).collect();
    words.sort_unstable();
    words
}

fn component_words(component: &Component) -> impl Iterator<Item = (u32, u32)> {
    let Component { base, pidr, cidr, words } = *component;
    // PIDR4 to PIDR7 lie below PIDR0 to PIDR3.
    let pidr = (0..8).map(move |i| (base + 0xFD0 + 4 * ((i + 4) % 8), (pidr >> (8 * i)) as u32 & 0xFF));
    let cidr = (0..4).map(move |i| (base + 0xFF0 + 4 * i, cidr >> (8 * i) & 0xFF));
    words.iter().map(move |&(offset, value)| (base + offset, value)).chain(pidr).chain(cidr)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(words: &[(u32, u32)], address: u32) -> u32 {
        words.iter().find(|w| w.0 == address).expect("the word exists").1
    }

    #[test]
    fn nordics_identity_is_where_start_up_code_looks_for_it() {
        // Reference 4.3: part 0x00D in 0xF0000FE0 and 0xF0000FE4[3:0]; designer 0x244 is continuation 2, id 0x44.
        let words = words(NRF52833);
        for base in [0xE00F_F000, 0xF000_0000] {
            assert_eq!(word(&words, base + 0xFE0), 0x0D);
            assert_eq!(word(&words, base + 0xFE4), 0x40);
            assert_eq!(word(&words, base + 0xFE8) & 0xF, 0xC, "JEDEC bit and id[6:4]");
            assert_eq!(word(&words, base + 0xFD0), 2);
        }
    }

    #[test]
    fn every_entry_of_a_rom_table_leads_to_a_component_with_an_identity() {
        for components in [NRF52833, NRF51822] {
            let words = words(components);
            for table in components.iter().filter(|c| c.cidr == ROM_TABLE) {
                for &(_, entry) in table.words.iter().filter(|w| w.0 < 0xF00 && w.1 != 0) {
                    assert_eq!(entry & 3, 3, "present, 32-bit format");
                    let base = table.base.wrapping_add(entry & 0xFFFF_F000);
                    let preamble: Vec<u32> = (0..4).map(|i| word(&words, base + 0xFF0 + 4 * i)).collect();
                    assert_eq!([preamble[0], preamble[2], preamble[3]], [0x0D, 0x05, 0xB1]);
                }
            }
        }
    }

    #[test]
    fn the_scs_of_a_cortex_m4_identifies_itself() {
        // Reference 4.2: PIDR 4000BB00C.
        let words = words(NRF52833);
        let pidr: Vec<u32> = (0..8).map(|i| word(&words, 0xE000_EFD0 + 4 * i)).collect();
        assert_eq!(pidr, [4, 0, 0, 0, 0x0C, 0xB0, 0x0B, 0]);
    }
}
