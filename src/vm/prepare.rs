//! Makes what QEMU starts: an uncompressed kernel and an initial root file system.
//!
//! The part that depends on the kernel alone (the ELF image, an archive of modules) is kept in the cache. The part
//! with the guest's init is made afresh every time: it is this very program with its loader and libraries, cut down to
//! what gets loaded.

use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use object::Endianness;
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use sha2::{Digest, Sha256};

use super::cpio::Archive;
use super::kernel::Kernel;
use super::modules::{self, Module};
use super::{VmError, bzimage};

/// Counted up whenever the modules or their archive's layout change.
const LAYOUT: u32 = 1;

/// Where the guest finds the list of modules that it loads before it can talk to the host.
pub const LINK_LIST: &str = "/modules/link";
/// Where the guest finds the list of the other modules.
pub const REST_LIST: &str = "/modules/rest";

/// The files for QEMU. The initial root file system is deleted with this value.
pub struct Prepared {
    /// For `-kernel`.
    pub kernel: PathBuf,
    /// For `-initrd`.
    pub initrd: tempfile::NamedTempFile,
}

/// Prepares `kernel` and an initial root file system with this program as init.
///
/// # Errors
/// [`VmError::Prepare`] with the file that cannot be read, unpacked or written.
pub fn prepare(kernel: &Kernel, cache: &Path) -> Result<Prepared, VmError> {
    let cached = cache.join("prepared").join(key(kernel)?);
    if !cached.join("modules.cpio").exists() {
        fill(kernel, &cached)?;
    }
    let modules = cached.join("modules.cpio");
    let modules = fs::read(&modules).map_err(VmError::prepare(&modules))?;
    let init = init_archive()?;
    let mut initrd = tempfile::Builder::new()
        .prefix("twinboard-initrd-")
        .tempfile()
        .map_err(VmError::prepare(Path::new("the temporary directory")))?;
    let written = initrd.write_all(&modules).and_then(|()| initrd.write_all(&init));
    written.map_err(VmError::prepare(initrd.path()))?;
    Ok(Prepared { kernel: cached.join("vmlinux"), initrd })
}

/// Names a kernel image by what it is: its release, size and time, and our layout.
fn key(kernel: &Kernel) -> Result<String, VmError> {
    let meta = fs::metadata(&kernel.image).map_err(VmError::prepare(&kernel.image))?;
    let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let mut hash = Sha256::new();
    hash.update(kernel.image.as_os_str().as_bytes());
    hash.update(meta.len().to_le_bytes());
    hash.update(modified.as_nanos().to_le_bytes());
    hash.update(LAYOUT.to_le_bytes());
    let digest: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{digest}", kernel.release))
}

/// Writes the kernel and the modules; the directory appears under its name when it is complete.
fn fill(kernel: &Kernel, cached: &Path) -> Result<(), VmError> {
    let parent = cached.parent().unwrap_or(cached);
    fs::create_dir_all(parent).map_err(VmError::prepare(parent))?;
    let work = tempfile::tempdir_in(parent).map_err(VmError::prepare(parent))?;

    let image = fs::read(&kernel.image).map_err(VmError::prepare(&kernel.image))?;
    // A kernel we cannot unpack can still unpack itself: slower, but it boots.
    let image = bzimage::kernel(&image).unwrap_or(image);
    let plan = modules::plan(&kernel.modules).map_err(VmError::prepare(&kernel.modules))?;
    let mut archive = Archive::default();
    add_modules(&mut archive, LINK_LIST, &plan.link);
    add_modules(&mut archive, REST_LIST, &plan.rest);

    let write = |name: &str, bytes: &[u8]| {
        let path = work.path().join(name);
        fs::write(&path, bytes).map_err(VmError::prepare(&path))
    };
    write("vmlinux", &image)?;
    write("modules.cpio", &archive.finish())?;
    match fs::rename(work.path(), cached) {
        // Another process was faster; its result is the same.
        Err(_) if cached.join("modules.cpio").exists() => Ok(()),
        other => other.map_err(VmError::prepare(cached)),
    }
}

/// The list has a line per module, its path and its parameters, in loading order.
fn add_modules(archive: &mut Archive, list: &str, modules: &[Module]) {
    let mut lines = String::new();
    for module in modules {
        let path = format!("/modules/{}.ko", module.name);
        archive.file(path.trim_start_matches('/'), 0o644, &module.image);
        lines += &format!("{path} {}\n", module.parameters);
    }
    archive.file(list.trim_start_matches('/'), 0o644, lines.as_bytes());
}

/// An archive with this program as `/init`, and the loader and libraries that it runs with at their own paths.
fn init_archive() -> Result<Vec<u8>, VmError> {
    let mut archive = Archive::default();
    for directory in ["dev", "proc", "sys", "new", "host", "upper"] {
        archive.directory(directory);
    }
    let own = Path::new("/proc/self/exe");
    let program = fs::read(own).map_err(VmError::prepare(own))?;
    archive.file("init", 0o755, loadable(&program));

    let maps = fs::read_to_string("/proc/self/maps").map_err(VmError::prepare(Path::new("/proc/self/maps")))?;
    let exe = fs::read_link(own).map_err(VmError::prepare(own))?;
    for library in mapped_files(&maps).filter(|path| *path != exe) {
        let bytes = fs::read(library).map_err(VmError::prepare(library))?;
        let path = library.to_string_lossy();
        archive.file(path.trim_start_matches('/'), 0o755, loadable(&bytes));
    }
    if let Some(loader) = interpreter(&program) {
        let bytes = fs::read(&loader).map_err(VmError::prepare(&loader))?;
        archive.file(loader.to_string_lossy().trim_start_matches('/'), 0o755, loadable(&bytes));
    }
    Ok(archive.finish())
}

/// The files that a process has mapped as code, each once.
fn mapped_files(maps: &str) -> impl Iterator<Item = &Path> {
    let mut seen = std::collections::BTreeSet::new();
    maps.lines()
        .filter(|line| line.split(' ').nth(1).is_some_and(|permissions| permissions.contains('x')))
        .filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])))
        .filter(move |path| seen.insert(path.to_owned()))
}

/// An ELF file up to the end of its last loaded segment: no symbols, no debug information.
fn loadable(file: &[u8]) -> &[u8] {
    let end = || -> object::Result<u64> {
        let header = FileHeader64::<Endianness>::parse(file)?;
        let endian = header.endian()?;
        let segments = header.program_headers(endian, file)?;
        let loaded = segments.iter().filter(|segment| segment.p_type(endian) == PT_LOAD);
        Ok(loaded.map(|s| s.p_offset(endian).saturating_add(s.p_filesz(endian))).max().unwrap_or(u64::MAX))
    };
    let end = end().ok().and_then(|end| usize::try_from(end).ok()).unwrap_or(file.len());
    file.get(..end).unwrap_or(file)
}

/// The path of the dynamic loader that an ELF program asks for.
fn interpreter(program: &[u8]) -> Option<PathBuf> {
    let header = FileHeader64::<Endianness>::parse(program).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, program).ok()?;
    let path = segments.iter().find_map(|segment| segment.interpreter(endian, program).ok().flatten())?;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(path)))
}

/// The directory that keeps kernels and what was made of them; it is made if it is not there.
///
/// # Errors
/// Those of creating a directory.
pub fn cache_directory() -> io::Result<PathBuf> {
    let base = directories::BaseDirs::new().map_or_else(std::env::temp_dir, |dirs| dirs.cache_dir().to_owned());
    let cache = base.join("twinboard").join("vm");
    fs::create_dir_all(&cache)?;
    Ok(cache)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_program_is_cut_to_what_gets_loaded_and_names_its_loader() {
        let program = fs::read("/proc/self/exe").unwrap();
        let cut = loadable(&program);
        assert!(cut.len() < program.len() && cut.starts_with(b"\x7fELF"));
        assert!(interpreter(cut).is_none_or(|loader| loader.exists()));
    }

    #[test]
    fn mapped_code_is_listed_once_per_file() {
        let maps = "1-2 r--p 0 fe:00 5 /lib/libc.so.6\n2-3 r-xp 0 fe:00 5 /lib/libc.so.6\n\
                    3-4 r-xp 0 fe:00 5 /lib/libc.so.6\n5-6 r-xp 0 00:00 0 [vdso]\n7-8 r--p 0 fe:00 6 /etc/locale\n";
        assert_eq!(mapped_files(maps).collect::<Vec<_>>(), [Path::new("/lib/libc.so.6")]);
    }
}
