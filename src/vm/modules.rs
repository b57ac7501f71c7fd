//! Which kernel modules the guest needs, and in which order they load.
//!
//! A package's `lib/modules/VERSION` has no `modules.dep` before it is installed, so the order comes from the modules
//! themselves: each names what it depends on in its `.modinfo` section, as `depends=a,b,c`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSection};

use super::bzimage;

/// Needed before the guest can talk to the host.
const LINK: &[&str] = &["virtio_pci", "virtio_console"];

/// The USB host controller and the class drivers that boards bind to, the network and the file systems.
const REST: &[(&str, &str)] = &[
    ("virtio_net", ""),
    ("vhci_hcd", ""),
    // A real drive needs a second to settle; ours does not.
    ("usb_storage", "delay_use=0"),
    ("sd_mod", ""),
    ("cdc_acm", ""),
    ("usbhid", ""),
    ("hid_generic", ""),
    ("9pnet_virtio", ""),
    ("9p", ""),
    ("overlay", ""),
    ("vfat", ""),
    ("nls_cp437", ""),
    ("nls_ascii", ""),
    ("nls_utf8", ""),
    ("usbtest", ""),
    ("usbmon", ""),
];

/// Without these there is no point in starting; the others may be built into the kernel or be missing.
const ESSENTIAL: &[&str] = &["virtio_pci", "virtio_console", "virtio_net", "vhci_hcd", "9p", "overlay"];

/// A module ready to be loaded.
pub struct Module {
    /// Name with underscores, as the kernel lists it.
    pub name: String,
    /// Parameters, as on a kernel command line.
    pub parameters: &'static str,
    /// The uncompressed `.ko` file.
    pub image: Vec<u8>,
}

/// The modules in loading order: first those for the link to the host, then the rest.
pub struct Plan {
    /// Loaded first.
    pub link: Vec<Module>,
    /// Loaded once the host is there.
    pub rest: Vec<Module>,
}

/// Collects the modules of a `lib/modules/VERSION` directory.
///
/// # Errors
/// `NotFound` names a module that is neither there nor built into the kernel; others are of reading and unpacking.
pub fn plan(directory: &Path) -> io::Result<Plan> {
    let mut collector = Collector { index: index(directory)?, built_in: built_in(directory), done: BTreeSet::new() };
    let mut link = Vec::new();
    for name in LINK {
        collector.add(name, "", &mut link)?;
    }
    let mut rest = Vec::new();
    for (name, parameters) in REST {
        collector.add(name, parameters, &mut rest)?;
    }
    Ok(Plan { link, rest })
}

/// Whether a `lib/modules/VERSION` directory has what a guest cannot do without.
pub fn usable(directory: &Path) -> bool {
    let Ok(index) = index(directory) else { return false };
    let built_in = built_in(directory);
    ESSENTIAL.iter().all(|name| index.contains_key(*name) || built_in.contains(*name))
}

struct Collector {
    index: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
    done: BTreeSet<String>,
}

impl Collector {
    /// Appends a module behind everything that it depends on.
    fn add(&mut self, name: &str, parameters: &'static str, to: &mut Vec<Module>) -> io::Result<()> {
        if self.built_in.contains(name) || !self.done.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(path) = self.index.get(name) else {
            if ESSENTIAL.contains(&name) {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("module {name} is missing")));
            }
            return Ok(());
        };
        let file = fs::read(path)?;
        let image = if file.starts_with(b"\x7fELF") { file } else { bzimage::unpack(&file)? };
        for dependency in dependencies(&image) {
            self.add(&dependency, "", to)?;
        }
        to.push(Module { name: name.to_owned(), parameters, image });
        Ok(())
    }
}

/// Every module file below `directory` by its name.
fn index(directory: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            } else if let Some(name) = module_name(&entry.file_name().to_string_lossy()) {
                found.insert(name, entry.path());
            }
        }
    }
    Ok(found)
}

fn built_in(directory: &Path) -> BTreeSet<String> {
    let list = fs::read_to_string(directory.join("modules.builtin")).unwrap_or_default();
    list.lines().filter_map(|line| module_name(line.rsplit('/').next()?)).collect()
}

/// `usb-storage.ko.xz` is the module `usb_storage`.
fn module_name(file: &str) -> Option<String> {
    let (stem, suffix) = file.split_once(".ko")?;
    matches!(suffix, "" | ".xz" | ".zst" | ".gz").then(|| stem.replace('-', "_"))
}

fn dependencies(module: &[u8]) -> Vec<String> {
    let info = object::File::parse(module)
        .ok()
        .and_then(|file| Some(file.section_by_name(".modinfo")?.data().ok()?.to_vec()))
        .unwrap_or_default();
    info.split(|&byte| byte == 0)
        .filter_map(|field| std::str::from_utf8(field).ok()?.strip_prefix("depends="))
        .flat_map(|list| list.split(','))
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_files_are_known_by_the_kernel_s_own_names() {
        assert_eq!(module_name("usb-storage.ko.xz").as_deref(), Some("usb_storage"));
        assert_eq!(module_name("9p.ko").as_deref(), Some("9p"));
        assert_eq!(module_name("modules.order"), None);
        assert_eq!(module_name("x.kobject"), None);
    }

    #[test]
    fn a_tree_without_the_virtual_host_controller_is_not_usable() {
        let tree = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(tree.path().join(name), b"").unwrap();
        for name in ["virtio_pci.ko", "virtio_console.ko", "virtio_net.ko", "9p.ko.xz"] {
            write(name);
        }
        fs::write(tree.path().join("modules.builtin"), "kernel/fs/overlayfs/overlay.ko\n").unwrap();
        assert!(!usable(tree.path()));
        write("vhci-hcd.ko");
        assert!(usable(tree.path()));
    }
}
