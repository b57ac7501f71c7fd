//! NXP's Kinetis L family: KL26Z and KL27Z.

pub mod rom;
pub mod usb0;
