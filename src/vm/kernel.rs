//! Where the guest's kernel comes from: Linux as Debian ships it, either installed on this machine or fetched as a
//! package (without root) into the cache.
//!
//! `TWINBOARD_VM_KERNEL` names another tree, one that has `boot/vmlinuz-VERSION` and `lib/modules/VERSION`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{VmError, modules};

/// The package that always depends on Debian's newest kernel.
const META_PACKAGE: &str = "linux-image-amd64";

/// A kernel and its modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Release, as `uname -r` gives it.
    pub release: String,
    /// The compressed image.
    pub image: PathBuf,
    /// `lib/modules/RELEASE`.
    pub modules: PathBuf,
}

/// Finds a kernel: the tree that the user named, else one fetched earlier, else an installed one, else a new download.
///
/// # Errors
/// [`VmError::Kernel`] says what to install if there is none and none can be fetched.
pub fn locate(cache: &Path) -> Result<Kernel, VmError> {
    if let Some(tree) = env::var_os("TWINBOARD_VM_KERNEL") {
        let tree = PathBuf::from(tree);
        return newest(&tree).ok_or_else(|| VmError::Kernel {
            what: format!("$TWINBOARD_VM_KERNEL is {}, and no usable kernel is there", tree.display()),
        });
    }
    let fetched = cache.join("kernel");
    match newest(&fetched).or_else(|| newest(Path::new("/"))) {
        Some(kernel) => Ok(kernel),
        None => {
            fetch(&fetched)?;
            newest(&fetched)
                .ok_or_else(|| VmError::Kernel { what: format!("the package {META_PACKAGE} has no usable kernel") })
        }
    }
}

/// The newest kernel below `tree` that can be read and has the modules we need.
fn newest(tree: &Path) -> Option<Kernel> {
    let mut kernels: Vec<Kernel> = fs::read_dir(tree.join("boot"))
        .ok()?
        .filter_map(|entry| {
            let image = entry.ok()?.path();
            let release = image.file_name()?.to_str()?.strip_prefix("vmlinuz-")?.to_owned();
            let modules = tree.join("lib/modules").join(&release);
            Some(Kernel { release, image, modules })
        })
        .filter(|kernel| fs::File::open(&kernel.image).is_ok() && modules::usable(&kernel.modules))
        .collect();
    kernels.sort_by_key(|kernel| version_key(&kernel.release));
    kernels.pop()
}

/// The numbers in a release, so that 6.1.0-56 is newer than 6.1.0-9.
fn version_key(release: &str) -> Vec<u64> {
    release.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// Downloads the newest kernel package and unpacks it to `tree`. The steps are apt's and dpkg's own and need no root.
fn fetch(tree: &Path) -> Result<(), VmError> {
    eprintln!("twinboard: fetching Debian's kernel for the virtual machine (once, about 70 MB)");
    let fail = |what: String| VmError::Kernel { what };
    let depends = output(Command::new("apt-cache").args(["depends", META_PACKAGE])).map_err(fail)?;
    let package = depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"))
        .ok_or_else(|| fail(format!("apt knows no package {META_PACKAGE}")))?;

    fs::create_dir_all(tree).map_err(|e| fail(format!("{} cannot be created: {e}", tree.display())))?;
    let work = tempfile::tempdir_in(tree).map_err(|e| fail(format!("{}: {e}", tree.display())))?;
    output(Command::new("apt-get").args(["-q", "download", package]).current_dir(work.path())).map_err(fail)?;
    let deb = fs::read_dir(work.path())
        .ok()
        .and_then(|mut entries| {
            entries.find_map(|e| e.ok().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "deb")))
        })
        .ok_or_else(|| fail(format!("apt-get download {package} left no package")))?;
    let unpacked = work.path().join("tree");
    output(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&unpacked)).map_err(fail)?;
    // Renamed when complete, modules first: a kernel image without its modules is not usable and so not taken.
    for part in ["lib", "boot"] {
        let (from, to) = (unpacked.join(part), tree.join(part));
        let _ = fs::remove_dir_all(&to);
        fs::rename(&from, &to).map_err(|e| fail(format!("{} cannot be moved into place: {e}", from.display())))?;
    }
    Ok(())
}

/// Runs a program; its standard output, or one sentence on why it failed.
fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{name} cannot be run: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(format!("{name} failed: {}", complaint.lines().last().unwrap_or("without a word")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_kernel_with_its_modules_is_taken() {
        let tree = tempfile::tempdir().unwrap();
        for (release, complete) in [("6.1.0-9-amd64", true), ("6.1.0-56-amd64", true), ("6.12.0-1-amd64", false)] {
            let modules = tree.path().join("lib/modules").join(release);
            fs::create_dir_all(tree.path().join("boot")).unwrap();
            fs::write(tree.path().join("boot").join(format!("vmlinuz-{release}")), b"").unwrap();
            fs::create_dir_all(&modules).unwrap();
            if complete {
                let built_in: String = ["virtio_pci", "virtio_console", "virtio_net", "vhci-hcd", "9p", "overlay"]
                    .map(|name| format!("kernel/{name}.ko\n"))
                    .concat();
                fs::write(modules.join("modules.builtin"), built_in).unwrap();
            }
        }
        assert_eq!(newest(tree.path()).unwrap().release, "6.1.0-56-amd64");
    }
}
