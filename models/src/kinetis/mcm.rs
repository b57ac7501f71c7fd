//! MCM — miscellaneous control module (reference manual, chapter of that name): the crossbar's configuration and the
//! flash's cache, both of which are registers and nothing else here.

use super::peripheral::merged;

/// First address.
pub const MCM: u32 = 0xF000_3000;

/// PLASC (lower half) and PLAMC: what is connected to the crossbar.
const PLASC: u32 = 0x08;
const PLACR: u32 = 0x0C;
const CPO: u32 = 0x40;
const CONNECTED: u32 = 0x000D_0007;
/// PLACR\[ESFC, DFCS, EFDS, DFCC, DFCIC, DFCDA, ARB\]; CFCC reads 0.
const PLACR_BITS: u32 = 0x0001_FA00;

/// The register machine.
#[derive(Clone, Copy, Default, Debug)]
pub struct Mcm {
    placr: u32,
    cpo: u32,
}

impl Mcm {
    /// Reads a register.
    #[must_use]
    pub fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            PLASC => CONNECTED,
            PLACR => self.placr,
            CPO => self.cpo,
            _ => return None,
        })
    }

    /// Writes the bits in `lanes` of a register.
    pub fn write(&mut self, offset: u32, value: u32, lanes: u32) -> Option<()> {
        match offset {
            PLASC => {}
            PLACR => self.placr = merged(self.placr, value, lanes & PLACR_BITS),
            // CPOREQ and CPOWOI; CPOACK follows CPOREQ.
            CPO => {
                self.cpo = merged(self.cpo, value, lanes & 0b101);
                self.cpo |= (self.cpo & 1) << 1;
            }
            _ => return None,
        }
        Some(())
    }
}
