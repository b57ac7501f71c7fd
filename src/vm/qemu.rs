//! Starts QEMU and waits until init answers.
//!
//! KVM is used where it works. There are machines with a `/dev/kvm` on which a guest hangs without a word, so the
//! first start with KVM gets five seconds; if that is not enough, the guest is emulated (TCG), now and in future.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{self, Signal};

use super::VmError;
use super::link::{self, ToHost};
use super::prepare::Prepared;
use super::tsc;

const PROGRAM: &str = "qemu-system-x86_64";

/// Working KVM needs one second.
const KVM_LIMIT: Duration = Duration::from_secs(5);
/// Emulation needs three; a loaded machine may take many times that. One guest in dozens hangs while it boots, on a machine
/// that is loaded, and the next one does not: so there is a second try, with more time.
const TCG_LIMITS: [Duration; 2] = [Duration::from_secs(45), Duration::from_secs(120)];

/// The console's log.
const CONSOLE: &str = "console";

/// Name of the virtio serial port that carries [`link`].
pub const LINK_PORT: &str = "twinboard";
/// 9p share of the host's tree.
pub const HOST_SHARE: &str = "host";
/// 9p share of the output directory.
pub const OUT_SHARE: &str = "out";

/// A guest whose init has said hello. Ends with this value.
pub struct Machine {
    qemu: Child,
    /// The stream of [`link`] messages.
    pub link: UnixStream,
    log: tempfile::TempDir,
}

impl Machine {
    /// The end of what the guest's console and QEMU itself said.
    pub fn last_words(&self) -> String {
        last_words(self.log.path())
    }

    /// What the guest's console said.
    pub fn console(&self) -> Vec<u8> {
        fs::read(self.log.path().join(CONSOLE)).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Already gone is as good as killed.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// What the guest consists of.
pub struct Guest<'a> {
    /// Its kernel and initial root file system.
    pub files: &'a Prepared,
    /// The directory that it may write to.
    pub out: &'a Path,
    /// Its memory in MiB.
    pub memory_mib: u32,
    /// A reading of the time-stamp counter from before, to measure it by.
    pub counter: tsc::Reading,
}

/// How the guest's processor is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Accelerator {
    Kvm,
    Tcg,
}

/// Boots a guest.
///
/// # Errors
/// [`VmError::Qemu`] if there is no QEMU, [`VmError::Stopped`] with the guest's last words if init does not answer.
pub fn start(guest: &Guest<'_>, cache: &Path) -> Result<Machine, VmError> {
    let hopeless = kvm_marker(cache);
    let kvm = !hopeless.exists() && OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
    if kvm {
        match boot(Accelerator::Kvm, guest, KVM_LIMIT) {
            Err(VmError::Stopped { .. }) => {
                // A marker that cannot be written costs the next start its five seconds again.
                let _ = fs::write(&hopeless, "a guest did not boot with KVM on this machine's kernel\n");
            }
            other => return other,
        }
    }
    match boot(Accelerator::Tcg, guest, TCG_LIMITS[0]) {
        Err(error @ VmError::Stopped { .. }) => {
            tracing::warn!("the virtual machine is started once more: {error}");
            boot(Accelerator::Tcg, guest, TCG_LIMITS[1])
        }
        other => other,
    }
}

/// A verdict on KVM holds for one host kernel.
fn kvm_marker(cache: &Path) -> PathBuf {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    cache.join(format!("no-kvm-{}", release.replace('/', "_")))
}

/// Boots a guest whose init has to answer within `limit`.
fn boot(accelerator: Accelerator, guest: &Guest<'_>, limit: Duration) -> Result<Machine, VmError> {
    let failed = |source| VmError::Qemu { program: PROGRAM.into(), source };
    let log = tempfile::Builder::new().prefix("twinboard-vm-").tempdir().map_err(failed)?;
    let (link, guest_end) = UnixStream::pair().map_err(failed)?;
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments(accelerator, guest, log.path()))
        // Huge pages for its table of translated blocks, whose look-ups cost up to half of its time otherwise.
        .env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
        // The link's other end: QEMU finds it as file descriptor 0.
        .stdin(Stdio::from(OwnedFd::from(guest_end)))
        .stdout(Stdio::null())
        .stderr(File::create(log.path().join("qemu")).map_err(failed)?)
        // Out of the terminal's foreground group: Ctrl-C is for the command inside.
        .process_group(0);
    dies_with_us(&mut command);
    let qemu = command.spawn().map_err(failed)?;
    let mut machine = Machine { qemu, link, log };

    machine.link.set_read_timeout(Some(limit))?;
    let what = match link::receive(&mut machine.link) {
        Ok(Some(ToHost::Hello)) => {
            machine.link.set_read_timeout(None)?;
            return Ok(machine);
        }
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => "did not boot in time",
        _ => "stopped while it booted",
    };
    Err(VmError::Stopped { what: what.into(), log: machine.last_words() })
}

/// Makes the kernel kill the command when this process ends, however it ends: one that is killed drops nothing, and a
/// guest that does not look at its link would run on.
///
/// The kernel watches the thread that spawns, not the process: it must be one that stays.
fn dies_with_us(command: &mut Command) {
    let parent = process::getpid();
    let in_child = move || {
        process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // A parent that was gone before the call above sends no signal any more.
        if process::getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    // SAFETY: between fork and exec only what is async-signal-safe may be called. The closure makes two system calls by
    // rustix, which keeps no state of its own; it allocates nothing, takes no lock, and its errors are plain numbers.
    unsafe { command.pre_exec(in_child) };
}

fn arguments(accelerator: Accelerator, guest: &Guest<'_>, log: &Path) -> Vec<String> {
    let path = |path: &Path| path.to_string_lossy().replace(',', ",,");
    let (accel, cpu, clock) = match accelerator {
        Accelerator::Kvm => ("kvm", "host", String::new()),
        Accelerator::Tcg => ("tcg", "max", format!(" tsc_early_khz={}", guest.counter.kilohertz())),
    };
    let share = |tag: &str, path: &str, options: &str| {
        [
            "-fsdev".to_owned(),
            format!("local,id={tag},path={path},security_model=none,multidevs=remap{options}"),
            "-device".to_owned(),
            format!("virtio-9p-pci,fsdev={tag},mount_tag={tag}"),
        ]
    };
    let plain = |list: &[&str]| -> Vec<String> { list.iter().map(ToString::to_string).collect() };
    let mut arguments = plain(&["-nodefaults", "-no-user-config", "-machine", "q35", "-display", "none", "-no-reboot"]);
    arguments.extend(plain(&["-accel", accel, "-cpu", cpu, "-smp", "1", "-m", &guest.memory_mib.to_string()]));
    arguments.extend(plain(&["-kernel", &guest.files.kernel.to_string_lossy()]));
    arguments.extend(plain(&["-initrd", &guest.files.initrd.path().to_string_lossy()]));
    arguments.extend(plain(&["-append", &format!("{KERNEL_COMMAND_LINE}{clock}")]));
    arguments.extend(plain(&["-chardev", &format!("file,id=console,path={}", path(&log.join(CONSOLE)))]));
    arguments.extend(plain(&["-serial", "chardev:console"]));
    arguments.extend(plain(&["-chardev", "socket,id=link,fd=0", "-device", "virtio-serial-pci"]));
    arguments.extend(plain(&["-device", &format!("virtserialport,chardev=link,name={LINK_PORT}")]));
    arguments.extend(plain(&["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="]));
    arguments.extend(share(HOST_SHARE, "/", ",readonly=on"));
    arguments.extend(share(OUT_SHARE, &path(guest.out), ""));
    arguments
}

/// `preempt=full`: with one processor, a busy loop in the kernel (usbtest's unlink retries) must not starve vhci's
/// receiving thread.
const KERNEL_COMMAND_LINE: &str = "console=ttyS0 quiet loglevel=3 panic=-1 nokaslr mitigations=off preempt=full \
     tsc=reliable no_timer_check random.trust_cpu=on audit=0";

/// The last lines of both logs in `directory`.
fn last_words(directory: &Path) -> String {
    let mut words = String::new();
    for name in ["qemu", CONSOLE] {
        let text = fs::read(directory.join(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        for line in &lines[lines.len().saturating_sub(12)..] {
            words += &format!("  {name}: {line}\n");
        }
    }
    if words.is_empty() { "  nothing at all".into() } else { words }
}
