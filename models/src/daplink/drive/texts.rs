//! The contents of the files on the drive.

use std::fmt::Write;

use super::Assert;
use crate::daplink::bootloader::Mode;
use crate::daplink::config::{DapLinkConfig, Settings};

/// MICROBIT.HTM or HELP_FAQ.HTM: a page that leads on.
#[must_use]
pub fn microbit_htm(config: &DapLinkConfig) -> String {
    let lines = [
        "<!doctype html>",
        "<!-- mbed Platform Website and Authentication Shortcut -->",
        "<html>",
        "<head>",
        "<meta charset=\"utf-8\">",
        "<title>mbed Website Shortcut</title>",
        "</head>",
        "<body>",
        "<script>",
        &format!("window.location.replace(\"{}\");", config.target_url()),
        "</script>",
        "</body>",
        "</html>",
        "",
    ];
    lines.join("\r\n")
}

/// A line of DETAILS.TXT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each is the line of that name")]
pub enum Detail {
    BuildId,
    UniqueId,
    HicId,
    AutoReset,
    Automation,
    Overflow,
    Compatibility,
    PageErase,
    Mode,
    OwnVersion,
    OtherVersion,
    GitSha,
    LocalMods,
    UsbInterfaces,
    BootloaderCrc,
    InterfaceCrc,
    RemountCount,
    Url,
}

/// What DETAILS.TXT shows beside the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Details<'a> {
    /// The serial number.
    pub serial: &'a str,
    /// The persistent settings.
    pub settings: Settings,
    /// The flag that PAGE_ON.ACT sets.
    pub page_erase: bool,
    /// How often the drive was mounted again.
    pub remounts: u32,
    /// Version and CRC of the interface firmware, if there is one.
    pub interface: Option<(u32, u32)>,
}

/// DETAILS.TXT.
#[must_use]
pub fn details_txt(config: &DapLinkConfig, details: &Details<'_>) -> String {
    let table = config.personality();
    let lines = match config.mode {
        Mode::Interface => table.drive.details,
        Mode::Bootloader => table.bootloader.details,
    };
    let in_bootloader = config.mode == Mode::Bootloader;
    let mut text = format!("{}\r\n", table.drive.banner);
    let mut line = |label: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{label}: {value}\r\n");
    };
    let flag = |set: bool| if set { "1" } else { "0" };
    for detail in lines {
        match detail {
            Detail::BuildId => line("Build ID", &config.build_id),
            Detail::UniqueId => line("Unique ID", details.serial),
            Detail::HicId => line("HIC ID", &format!("{:08x}", config.hic_id)),
            Detail::AutoReset => line("Auto Reset", flag(details.settings.auto_reset)),
            Detail::Automation => line("Automation allowed", flag(details.settings.automation_allowed)),
            Detail::Overflow => line("Overflow detection", flag(details.settings.overflow_detect)),
            Detail::Compatibility => line("Incompatible image detection", flag(details.settings.detect_incompatible)),
            Detail::PageErase => line("Page erasing", flag(details.page_erase)),
            Detail::Mode => line("Daplink Mode", if in_bootloader { "Bootloader" } else { "Interface" }),
            Detail::OwnVersion if in_bootloader => line("Bootloader Version", &format!("{:04}", config.version)),
            Detail::OwnVersion => line("Interface Version", &format!("{:04}", config.version)),
            Detail::OtherVersion if in_bootloader => {
                if let Some((version, _)) = details.interface {
                    line("Interface Version", &format!("{version:04}"));
                }
            }
            Detail::OtherVersion => {
                if let Some(version) = config.bootloader_version {
                    line("Bootloader Version", &format!("{version:04}"));
                }
            }
            Detail::GitSha => line("Git SHA", &config.git_sha),
            Detail::LocalMods => line("Local Mods", "0"),
            Detail::UsbInterfaces if in_bootloader => line("USB Interfaces", "MSD"),
            Detail::UsbInterfaces => line("USB Interfaces", "MSD, CDC, HID, WebUSB"),
            Detail::BootloaderCrc => {
                if config.bootloader_version.is_some() {
                    line("Bootloader CRC", &format!("0x{:08x}", config.bootloader_crc));
                }
            }
            Detail::InterfaceCrc => {
                if let Some((_, crc)) = details.interface {
                    line("Interface CRC", &format!("0x{crc:08x}"));
                }
            }
            Detail::RemountCount => line("Remount count", &details.remounts.to_string()),
            Detail::Url => line("URL", &config.target_url()),
        }
    }
    text
}

/// ASSERT.TXT.
#[must_use]
pub fn assert_txt(assert: &Assert, mode: Mode) -> String {
    let source = match mode {
        Mode::Interface => "Application",
        Mode::Bootloader => "Bootloader",
    };
    format!("Assert\r\nFile: {}\r\nLine: {}\r\nSource: {source}\r\n", assert.file, assert.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_in_the_order_of_0256_to_0258() {
        let config = DapLinkConfig::default();
        let serial = config.serial(false);
        let interface = Some((257, config.interface_crc));
        let details = Details { serial: &serial, settings: config.settings, page_erase: false, remounts: 3, interface };
        let text = details_txt(&config, &details);
        let labels: Vec<&str> = text.lines().filter_map(|line| line.split_once(": ")).map(|(l, _)| l).collect();
        assert_eq!(
            labels,
            [
                "Build ID",
                "Unique ID",
                "HIC ID",
                "Auto Reset",
                "Automation allowed",
                "Overflow detection",
                "Incompatible image detection",
                "Page erasing",
                "Daplink Mode",
                "Interface Version",
                "Bootloader Version",
                "Git SHA",
                "Local Mods",
                "USB Interfaces",
                "Bootloader CRC",
                "Interface CRC",
                "Remount count",
                "URL"
            ]
        );
        assert!(text.contains("Build ID: v0257-gc782a5ba (gcc)\r\n"));
        assert!(text.ends_with("Remount count: 3\r\nURL: https://microbit.org/device/?id=9906&v=0257\r\n"));
    }
}
