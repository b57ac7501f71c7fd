//! Nordic Semiconductor's nRF5 family: what the chips have in common, and each chip as a table.
//!
//! The peripherals talk in *tasks* (something to do), *events* (something has happened) and *shorts* between them; the
//! PPI joins events and tasks of different peripherals without the CPU ([`Nrf5`] is the whole). Each peripheral is
//! a register machine in a file of its own that reads like its chapter of the product specification ("PS" in the
//! comments); the bus, the interrupts and the order of things are the chip's business.

mod aar;
mod acl;
mod adc;
mod approtect;
mod bus;
mod ccm;
mod ccm_aar;
mod chip;
mod clock;
mod comp;
mod ctrl_ap;
mod ecb;
mod egu;
mod ficr;
mod firmware_faults;
mod gpio;
mod gpiote;
mod hfclk;
mod inert;
pub(crate) mod line;
mod mpu;
mod nrf51822;
mod nrf52820;
mod nrf52833;
mod nvmc;
mod peripheral;
pub(crate) mod pins;
mod power;
mod power_clock;
mod ppi;
mod pwm;
mod radio;
mod rbpconf;
mod rng;
mod rtc;
mod saadc;
mod schedule;
mod soc;
mod spi;
mod spi_twi;
mod table;
mod temp;
mod timer;
mod twi;
mod twi_page;
mod twim;
mod twis;
mod uarte;
mod usb_port;
mod usbd;
mod wdt;
mod wiring;

pub use chip::Nrf5;
pub use clock::Crystals;
pub use nrf51822::NRF51822;
pub use nrf52820::NRF52820;
pub use nrf52833::NRF52833;
pub use nvmc::FlashActivity;
pub(crate) use rng::Noise;
pub use table::{BuildCode, ChipTable, Options};

/// The chips of the family that are modelled.
pub const CHIPS: &[&ChipTable] = &[&NRF52833, &NRF51822, &NRF52820];
