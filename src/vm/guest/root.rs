//! The guest's root file system: the host's own tree below an overlay in memory.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::mount::{MountFlags, mount, mount_move};

use super::super::qemu::{HOST_SHARE, OUT_SHARE};

/// Mounts the kernel's own file systems in the initial root.
///
/// # Errors
/// Those of mounting.
pub fn kernel_file_systems() -> io::Result<()> {
    for (kind, at) in [("devtmpfs", "/dev"), ("proc", "/proc"), ("sysfs", "/sys")] {
        match mount(kind, at, kind, MountFlags::empty(), None) {
            // Some kernels mount devtmpfs by themselves.
            Err(rustix::io::Errno::BUSY) => {}
            other => other.map_err(|e| failed(at, e))?,
        }
    }
    Ok(())
}

/// Builds the root, makes it `/` of this process and its children, and mounts the output share at `out`.
///
/// # Errors
/// Those of mounting, with the place.
pub fn build(out: &Path) -> io::Result<()> {
    let at = |place: &'static str| move |e| failed(place, e);
    // Loose caching: the tree does not change for the guest's short life, and every look-up saved is a round trip.
    let host = c"trans=virtio,version=9p2000.L,msize=262144,cache=loose";
    mount(HOST_SHARE, "/host", "9p", MountFlags::RDONLY, host).map_err(at("/host"))?;
    mount("tmpfs", "/upper", "tmpfs", MountFlags::empty(), None).map_err(at("/upper"))?;
    fs::create_dir_all("/upper/files")?;
    fs::create_dir_all("/upper/work")?;
    let layers = c"lowerdir=/host,upperdir=/upper/files,workdir=/upper/work";
    mount("overlay", "/new", "overlay", MountFlags::empty(), layers).map_err(at("/"))?;

    for place in ["dev", "proc", "sys"] {
        let (from, to) = (format!("/{place}"), format!("/new/{place}"));
        fs::create_dir_all(&to)?;
        mount_move(&from, &to).map_err(at("/dev, /proc or /sys"))?;
    }
    rustix::process::chdir("/new")?;
    mount_move(".", "/").map_err(at("/"))?;
    rustix::process::chroot(".")?;
    rustix::process::chdir("/")?;

    fs::create_dir_all("/dev/pts")?;
    fs::create_dir_all("/dev/shm")?;
    mount("devpts", "/dev/pts", "devpts", MountFlags::empty(), c"ptmxmode=0666,mode=0620").map_err(at("/dev/pts"))?;
    mount("tmpfs", "/dev/shm", "tmpfs", MountFlags::empty(), None).map_err(at("/dev/shm"))?;
    for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        symlink(target, Path::new("/dev").join(name))?;
    }
    for place in ["/run", "/media", "/mnt", "/tmp"] {
        fs::create_dir_all(place)?;
    }
    mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), None).map_err(at("/run"))?;
    mount("tmpfs", "/media", "tmpfs", MountFlags::empty(), None).map_err(at("/media"))?;
    // The kernel's debugging files are a convenience: usbmon's text interface lives there.
    let _ = mount("debugfs", "/sys/kernel/debug", "debugfs", MountFlags::empty(), None);
    rustix::system::sethostname(b"twinboard")?;
    resolver()?;
    output_share(out)
}

/// Names are resolved by QEMU's user-mode network, whatever the host does itself.
fn resolver() -> io::Result<()> {
    let path = Path::new("/etc/resolv.conf");
    fs::create_dir_all("/etc")?;
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::write(path, "nameserver 10.0.2.3\n")
}

fn output_share(out: &Path) -> io::Result<()> {
    fs::create_dir_all(out)?;
    // Uncached: a file is on the host when its writer has closed it.
    let options = c"trans=virtio,version=9p2000.L,msize=262144,cache=none";
    mount(OUT_SHARE, out, "9p", MountFlags::empty(), options).map_err(|e| failed("the output directory", e))
}

fn failed(place: &str, error: rustix::io::Errno) -> io::Error {
    let error = io::Error::from(error);
    io::Error::new(error.kind(), format!("mounting {place}: {error}"))
}
