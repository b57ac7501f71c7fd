//! The tools that a user would use, by their ordinary packages, with boards in the virtual machine.
//!
//! The cases are shell functions in `tests/vm/`; each test here is one boot of the machine and runs the cases of one
//! file, because booting costs more than most cases. `tests/vm/setup.sh` installs the tools.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use twinboard_models::image::known::{self, Finding};
use twinboard_sim::pace::ClockMode;
use twinboard_usbip::gadget::{Gadget, SourceSink};
use twinboard_usbip::server::Server;

#[path = "../scenarios/tests/scenarios/faultless.rs"]
mod faultless;
#[path = "vm/scenarios.rs"]
mod scenarios;

/// As many machines at a time as tests run, each with a processor of its own to emulate, but for tests that load a
/// computer so much with one that nothing may run beside it.
static MACHINES: RwLock<()> = RwLock::new(());

/// Held while a machine runs beside others.
fn beside_others() -> RwLockReadGuard<'static, ()> {
    MACHINES.read().unwrap_or_else(PoisonError::into_inner)
}

/// Held while a machine runs alone.
fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINES.write().unwrap_or_else(PoisonError::into_inner)
}

/// The longest that a boot with all its cases may take, in seconds.
const LIMIT: &str = "900";

/// Boots with `boards` and runs the cases of `tests/vm/FILE.sh` in the guest.
fn run(boards: &[&str], file: &str) {
    run_command(machine(boards, &[], file), file);
}

fn machine(boards: &[&str], options: &[&str], file: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", LIMIT, env!("CARGO_BIN_EXE_twinboard"), "vm"]);
    for board in boards {
        command.args(["--board", board]);
    }
    command.args(options);
    command.args(["--", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vm/run.sh"), file]);
    command
}

/// Runs the machine beside others; see [`judge`].
fn run_command(command: Command, label: &str) {
    let _machine = beside_others();
    judge(command, label);
}

/// Runs the machine; every case must be fine. Logs go to a folder called after `label`.
fn judge(mut command: Command, label: &str) {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("vm-{label}"));
    command
        .env("TWINBOARD_OUT", &out)
        .env("TWINBOARD", env!("CARGO_BIN_EXE_twinboard"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("the machine starts");
    let mut cases = 0;
    let mut failed = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let line = line.expect("output is text");
        println!("{line}");
        let verdict = line.split(' ').next();
        cases += usize::from(matches!(verdict, Some("ok" | "FAILED" | "skipped")));
        if verdict == Some("FAILED") {
            failed.push(line);
        }
    }
    let status = child.wait().expect("it was started");
    assert!(failed.is_empty(), "{}; the logs are in {}", failed.join("; "), out.display());
    assert!(status.success() && cases > 0, "the machine ended with {status} after {cases} cases");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn the_machine_is_like_home() {
    run(&[], "machine");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn a_machine_does_not_outlive_the_process_that_started_it() {
    let _machine = beside_others();
    let mut command = Command::new(env!("CARGO_BIN_EXE_twinboard"));
    command.args(["vm", "--", "sh", "-c", "echo up; sleep 400"]);
    command.env("TWINBOARD_OUT", Path::new(env!("CARGO_TARGET_TMPDIR")).join("vm-killed"));
    let mut twinboard = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the machine starts");
    let mut line = String::new();
    BufReader::new(twinboard.stdout.take().expect("it is piped")).read_line(&mut line).expect("output is text");
    assert_eq!(line, "up\n");
    let children = format!("/proc/{0}/task/{0}/children", twinboard.id());
    let qemu = fs::read_to_string(children).expect("Linux tells").trim().to_string();
    let send = |signal: &str, process: &str| {
        assert!(Command::new("kill").args([signal, process]).status().expect("kill runs").success());
    };
    // So that it cannot notice by itself that nobody is at the other end of its link.
    send("-STOP", &qemu);
    twinboard.kill().expect("it runs");
    twinboard.wait().expect("it was started");
    // What is dead and was not waited for is a zombie, in state Z.
    let lives = || fs::read_to_string(format!("/proc/{qemu}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    let deadline = Instant::now() + Duration::from_secs(5);
    while lives() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
    if lives() {
        send("-KILL", &qemu);
        panic!("the machine runs on");
    }
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn linux_s_own_usb_tests_pass() {
    let mut server = Server::new(|_| {});
    let address = server.listen("127.0.0.1:0").expect("loopback has a free port");
    let gadget = Gadget::new(SourceSink::default());
    let _exported = server.export("zero", gadget, ClockMode::Elastic, None).expect("a thread");
    let mut command = machine(&[], &[], "usbtest");
    command.env("GADGET_PORT", address.port().to_string());
    run_command(command, "usbtest");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn a_microbit_v2_enumerates_as_the_original() {
    run(&["microbit-v2"], "usb");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn files_are_dropped_on_the_drive_and_the_programs_talk() {
    let capture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("drive.pcapng");
    let path = capture.to_str().expect("cargo's directories are text");
    run_command(machine(&["microbit-v2"], &["--pcap", path], "drive"), "drive");
    // Wireshark knows the traffic for what it is, and finds nothing wrong with it.
    assert!(frames(&capture, "scsi.inquiry.vendor_id") + frames(&capture, "scsi_sbc.opcode == 0x2a") > 0);
    assert!(frames(&capture, "usb.bDescriptorType == 2") > 0);
    assert_eq!(frames(&capture, "_ws.malformed"), 0);
}

/// How many packets of a capture match a display filter of Wireshark's.
fn frames(capture: &Path, filter: &str) -> usize {
    let output = Command::new("tshark").arg("-r").arg(capture).args(["-Y", filter]).output().expect("tshark runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.iter().filter(|&&byte| byte == b'\n').count()
}

/// The path of MicroPython's Universal Hex, which `tests/setup.sh` fetches.
fn micropython() -> Option<String> {
    let image = known::folder().join("micropython-uflash-2.0.0.hex");
    image.is_file().then(|| image.to_str().expect("the folder's name is text").to_string())
}

/// MicroPython by the tools that its users have, with a loud tone at the microphone and the speaker recorded.
fn micropython_on(board: &str, label: &str) {
    let Some(image) = micropython() else { return println!("skipped {label}: its image is missing") };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (heard, played) = (folder.join(format!("{label}-heard.wav")), folder.join(format!("{label}-played.wav")));
    write_tone(&heard, 1_000.0);
    let path = |path: &Path| path.to_str().expect("cargo's directories are text").to_string();
    let (heard, wav) = (path(&heard), path(&played));
    let mut options = vec!["--wav", &wav, "--target", &image];
    if board == "microbit-v2" {
        options.extend(["--microphone", &heard]);
    }
    run_command(machine(&[board], &options, "micropython"), label);
    let mut played = hound::WavReader::open(&played).expect("the speaker was recorded");
    let rate = f64::from(played.spec().sample_rate);
    let samples: Vec<_> = played.samples::<i16>().map(|sample| f64::from(sample.expect("whole samples"))).collect();
    let tones: Vec<_> = samples.chunks_exact(rate as usize / 5).map(|part| frequency(part, rate)).collect();
    let right = |tone: &&f64| (**tone / 440.0 - 1.0).abs() < 0.005;
    assert!(tones.iter().filter(right).count() >= 1, "440 Hz were played, recorded were {tones:?}");
}

/// One second of a tone, nearly as loud as can be.
fn write_tone(path: &Path, frequency: f64) {
    const RATE: u32 = 16_000;
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(path, spec).expect("a file");
    for n in 0..RATE {
        let phase = f64::from(n) * frequency / f64::from(RATE) * std::f64::consts::TAU;
        file.write_sample((phase.sin() * 32_000.0) as i16).expect("is written");
    }
    file.finalize().expect("is written");
}

/// Frequency of a tone in hertz, from the times at which it rises through its mean; 0 for silence.
fn frequency(samples: &[f64], rate: f64) -> f64 {
    let mean = samples.iter().sum::<f64>() / samples.len() as f64;
    let rising: Vec<_> = (1..samples.len()).filter(|&n| samples[n - 1] < mean && samples[n] >= mean).collect();
    match rising[..] {
        [first, .., last] => (rising.len() - 1) as f64 * rate / (last - first) as f64,
        _ => 0.0,
    }
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn micropython_is_flashed_and_talked_to_on_v1() {
    micropython_on("microbit-v1", "micropython-v1");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn micropython_is_flashed_and_talked_to_on_v2() {
    micropython_on("microbit-v2", "micropython-v2");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn pyocd_flashes_and_debugs() {
    run(&["microbit-v2"], "pyocd");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn openocd_flashes_and_debugs() {
    run(&["microbit-v2"], "openocd");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn a_person_acts_on_a_board() {
    run(&["microbit-v2"], "control");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn programs_that_go_wrong_are_debugged() {
    run(&["microbit-v2"], "missions");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn protected_chips_are_recovered() {
    run_command(machine(&["microbit-v2"], &["--set", "target.build_code=AAB0"], "protect"), "protect");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn probe_rs_flashes_and_debugs() {
    run(&["microbit-v2"], "probe-rs");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn blhost_writes_the_kl27z_by_its_boot_loader_in_rom() {
    run_command(machine(&["microbit-v2.00"], &["--set", "tp1=ground"], "blhost"), "blhost");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn our_own_interface_firmware_is_a_device_of_its_own() {
    let boards = ["microbit-v1", "microbit-v2.00", "microbit-v2"];
    let image = |path: &str| format!(concat!(env!("CARGO_MANIFEST_DIR"), "/firmware/{}"), path);
    let mut options = Vec::new();
    for (chip, target) in [("kl26z", "nrf51822"), ("kl27z", "nrf52833"), ("nrf52820", "nrf52833")] {
        options.extend(["--interface".to_string(), image(&format!("{chip}/interface.hex"))]);
        options.extend(["--target".to_string(), image(&format!("{target}/echo-115200.hex"))]);
    }
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    run_command(machine(&boards, &options, "own"), "own");
}

/// Official interface firmware, all versions of a board's chips at once. What is not there the cases skip by name.
fn official(boards: &[(&str, &str)], file: &str) {
    let found = known::check(&known::folder()).expect("the folder can be read");
    let (mut names, mut sockets, mut images) = (Vec::new(), Vec::new(), Vec::new());
    for (known, finding) in &found {
        let Finding::Present(path) = finding else { continue };
        let Some((_, board)) = boards.iter().find(|(chip, _)| *chip == known.chip) else { continue };
        if known.role.contains("interface") {
            names.push(known.file);
            sockets.push(*board);
            images.push(path.to_str().expect("the folder's name is text"));
        }
    }
    let options: Vec<_> = images.iter().flat_map(|image| ["--interface", image]).collect();
    let mut command = machine(&sockets, &options, file);
    command.env("OFFICIAL", names.join(" "));
    run_command(command, file);
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn official_firmware_of_a_v1_is_used_as_on_silicon() {
    official(&[("kl26z", "microbit-v1")], "official-v1");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn official_firmware_of_a_v2_is_used_as_on_silicon() {
    official(&[("kl27z", "microbit-v2.00"), ("nrf52820", "microbit-v2")], "official-v2");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn three_boards_work_at_once() {
    let _machine = alone();
    judge(machine(&["microbit-v2"; 3], &[], "many"), "many");
}

#[test]
#[ignore = "boots a virtual machine; ./test runs it"]
fn two_boards_hear_each_other() {
    let Some(image) = micropython() else { return println!("skipped radio: its image is missing") };
    run_command(machine(&["microbit-v2"; 2], &["--target", &image], "radio"), "radio");
}
