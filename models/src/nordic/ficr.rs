//! FICR — factory information configuration registers (PS chapter "FICR"): who this specimen is. Read-only.

use super::rng::Noise;
use super::table::{BuildCode, ChipTable, Options, Series};

/// Where FICR is.
pub const FICR: u32 = 0x1000_0000;
/// Bytes of FICR.
pub const FICR_SIZE: u32 = 0x1000;

const DEVICEID: u32 = 0x060;
const ER: u32 = 0x080;
const IR: u32 = 0x090;
const DEVICEADDRTYPE: u32 = 0x0A0;
const DEVICEADDR: u32 = 0x0A4;
const INFO_VARIANT: u32 = 0x104;
/// Revision of the silicon, as start-up code reads it.
const REVISION: u32 = 0x134;
const TEMP_A0: u32 = 0x404;

/// TEMP.A0–A5, B0–B5, T0–T4 of a typical specimen: the reset values of the TEMP peripheral.
const TEMP: [u32; 17] =
    [0x326, 0x348, 0x3AA, 0x40E, 0x4BD, 0x5A3, 0x3FEF, 0x3FBE, 0x3FBE, 0x12, 0x124, 0x27C, 0xE2, 0, 0x19, 0x3C, 0x50];

/// The words of FICR that are not erased: offset, value.
#[must_use]
pub fn words(table: &ChipTable, options: &Options) -> Vec<(u32, u32)> {
    let mut noise = Noise::new(options.device_id);
    let mut words = table.ficr.to_vec();
    words.push((DEVICEID, options.device_id as u32));
    words.push((DEVICEID + 4, (options.device_id >> 32) as u32));
    words.extend((0..4).map(|n| (ER + 4 * n, noise.next())));
    words.extend((0..4).map(|n| (IR + 4 * n, noise.next())));
    words.push((DEVICEADDRTYPE, 0xFFFF_FFFF)); // random
    words.push((DEVICEADDR, noise.next()));
    words.push((DEVICEADDR + 4, noise.next() | 0xFFFF_0000));
    if table.series == Series::Nrf52 {
        words.push((INFO_VARIANT, options.build.variant()));
        words.push((REVISION, u32::from(options.build == BuildCode::Aab0)));
        words.extend(TEMP.iter().enumerate().map(|(n, &word)| (TEMP_A0 + 4 * n as u32, word)));
    }
    words
}
