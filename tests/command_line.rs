//! The command line as a script sees it: exit codes and what is said.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use twinboard_models::image::interface::{InterfaceChip, KL26Z, KL27Z, Role};

/// Runs twinboard; its exit code, what it wrote to standard output and what to standard error.
fn twinboard(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_twinboard")).args(arguments).output().expect("twinboard runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

/// Error reports are wrapped to the width of a terminal.
fn unwrapped(text: &str) -> String {
    text.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A finished build that loops for ever, as a file.
fn image(folder: &TempDir, name: &str, chip: &InterfaceChip, role: Role) -> PathBuf {
    let key = if role == Role::Interface { 0x9b93_9e8f } else { 0x9b93_9d93 };
    let base = role.base();
    let mut words = [chip.ram.end, base + 0x41, base + 0x41, base + 0x41, 0, 0, 0, 0, key, chip.hic_id, 999];
    words[7] = words[..7].iter().fold(0u32, |sum, word| sum.wrapping_sub(*word));
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(0x40, 0);
    // A branch to itself, and a fill word.
    bytes.extend([0xfe, 0xe7, 0x00, 0xbf]);
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Something to drop that need not be good: the commands here end before.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/firmware/nrf51822/demo.hex");

#[test]
fn an_image_for_another_chip_is_refused_before_power_on_with_code_2() {
    let folder = TempDir::new().expect("a folder");
    let interface = image(&folder, "kl27.bin", &KL27Z, Role::Interface);
    let (code, out, said) = twinboard(&["flash", "microbit-v1", FILE, "--interface", text(&interface)]);
    assert_eq!((code, out.as_str()), (2, ""));
    let said = unwrapped(&said);
    assert!(said.contains("at 0x00008024: the image is for KL27Z (HIC id 9796990b), the board has a KL26Z"), "{said}");
    assert!(said.contains("--force runs it as it is"), "{said}");
}

#[test]
fn with_force_what_is_wrong_is_said_and_the_image_runs() {
    let folder = TempDir::new().expect("a folder");
    let interface = image(&folder, "kl27.bin", &KL27Z, Role::Interface);
    let (_, _, said) = twinboard(&["flash", "microbit-v1", FILE, "--force", "--interface", text(&interface)]);
    assert!(said.contains("kl27.bin: at 0x00008024: the image is for KL27Z"), "{said}");
    assert!(!said.contains("--force runs"), "{said}");
}

#[test]
fn two_images_with_data_at_one_place_are_both_named() {
    let folder = TempDir::new().expect("a folder");
    let first = image(&folder, "one.bin", &KL26Z, Role::Interface);
    let second = image(&folder, "two.bin", &KL26Z, Role::Interface);
    let options = ["--bootloader", text(&first), "--interface", text(&second)];
    let (code, _, said) = twinboard(&[&["flash", "microbit-v1", FILE][..], &options[..]].concat());
    assert_eq!(code, 2);
    let said = unwrapped(&said);
    assert!(said.contains("two.bin: at 0x00008000:") && said.contains("one.bin has data there"), "{said}");
}

#[test]
fn images_that_are_neither_one_for_all_boards_nor_one_for_each_end_with_code_2() {
    let (code, _, said) = twinboard(&["flash", "microbit-v1", FILE, "--interface", FILE, "--interface", FILE]);
    assert!(code == 2 && unwrapped(&said).contains("--interface: 2 images for 1 board help: give one"), "{said}");
    let images = ["--target", FILE, "--target", FILE];
    let (code, _, said) = twinboard(&[&["run", "microbit-v1", "microbit-v1", "microbit-v1"][..], &images[..]].concat());
    assert!(code == 2 && unwrapped(&said).contains("--target: 2 images for 3 boards"), "{said}");
}

#[test]
fn a_file_that_is_not_there_and_a_board_without_an_interface_chip_end_with_code_2() {
    let folder = TempDir::new().expect("a folder");
    let (code, _, said) = twinboard(&["flash", "microbit-v1", FILE, "--interface", "/no/such/image.hex"]);
    assert!(code == 2 && said.contains("/no/such/image.hex"), "{said}");
    let board = folder.path().join("board.toml");
    std::fs::write(&board, "name='x'\ntitle='X'\n[[chip]]\nname='i'\nmodel='daplink'\n").expect("a file");
    let interface = image(&folder, "kl26.bin", &KL26Z, Role::Interface);
    let (code, _, said) = twinboard(&["flash", text(&board), FILE, "--interface", text(&interface)]);
    assert_eq!(code, 2);
    assert!(unwrapped(&said).contains("x has no interface chip that could run an image"), "{said}");
}

#[test]
fn all_boards_are_listed_and_the_v2_has_two_names() {
    let (code, out, _) = twinboard(&["boards"]);
    assert_eq!(code, 0);
    let names: Vec<_> = out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["microbit-v1", "microbit-v2.00", "microbit-v2", "microbit-v2.2-nrf52833"]);
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/firmware/nrf52833/demo.hex");
    for name in ["microbit-v2", "microbit-v2.2"] {
        let (code, out, said) = twinboard(&["flash", name, demo]);
        assert!(code == 0 && out.contains("Unique ID: 99063602"), "{out}{said}");
    }
    let (code, out, said) = twinboard(&["flash", "microbit-v2.00", demo]);
    assert!(code == 0 && out.contains("Unique ID: 99043602") && out.contains("9796990b"), "{out}{said}");
}

#[test]
fn an_image_dropped_in_maintenance_mode_stays_with_state_until_its_file_is_removed() {
    let known = twinboard_models::image::known::folder();
    let file = known.join("0256_nrf52820_microbit_if_crc_5dd23001a7_gcc.hex");
    if !file.is_file() {
        println!("skipped: {} is not there", file.display());
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let state = ["--state", text(folder.path())];
    let (code, out, said) =
        twinboard(&[&["flash", "microbit-v2", text(&file), "--hold-reset"][..], &state[..]].concat());
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("the interface chip restarted\n") && out.contains("Interface Version: 0256"), "{out}");
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/firmware/nrf52833/demo.hex");
    let again = || twinboard(&[&["flash", "microbit-v2", demo][..], &state[..]].concat());
    let (code, out, said) = again();
    assert!(code == 0 && out.contains("Interface Version: 0256"), "{out}{said}");
    std::fs::remove_file(folder.path().join("microbit-v2-0.interface.flash")).expect("it was kept");
    let (code, out, said) = again();
    assert!(code == 0 && out.contains("Interface Version: 0257"), "the native one is back: {out}{said}");
}

#[test]
fn settings_of_emulated_firmware_stay_with_state_and_a_new_image_is_written_over_the_old_one() {
    let known = twinboard_models::image::known::folder();
    let image = |name: &str| known.join(name);
    let (old, new) = (
        image("0256_nrf52820_microbit_if_crc_5dd23001a7_gcc.hex"),
        image("0258-beta3_nrf52820_microbit_if_crc_0004198_gcc.hex"),
    );
    if !old.is_file() || !new.is_file() {
        println!("skipped: {} or {} is not there", old.display(), new.display());
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let action = folder.path().join("HARD_RST.CFG");
    std::fs::write(&action, "x").expect("a file");
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/firmware/nrf52833/demo.hex");
    let run = |image: &Path, file: &str| {
        let options = ["--state", text(folder.path()), "--interface", text(image)];
        twinboard(&[&["flash", "microbit-v2", file][..], &options[..]].concat())
    };
    let (code, out, said) = run(&old, text(&action));
    assert_eq!(code, 0, "{out}{said}");
    for (image, version) in [(&old, "0256"), (&new, "0258")] {
        let (code, out, said) = run(image, demo);
        assert!(code == 0 && out.contains(&format!("Interface Version: {version}")), "{out}{said}");
        let flash = std::fs::read(folder.path().join("microbit-v2-0.interface.flash")).expect("it was kept");
        // The settings page: key, size, auto-reset off.
        assert_eq!(flash[0x1f000..0x1f007], [0x64, 0x6c, 0x76, 0x6b, 10, 0, 0], "{version}");
    }
}

#[test]
fn a_damaged_benchmark_report_is_refused_with_its_place_and_code_2() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("old.json");
    let report = "{\n  \"twinboard\": \"0.1.0\",\n  \"program_bytes\": \"many\"\n}\n";
    std::fs::write(&path, report).expect("a file");
    let (code, out, said) = twinboard(&["bench", "compare", text(&path), text(&path)]);
    assert_eq!((code, out.as_str()), (2, ""));
    let said = unwrapped(&said);
    assert!(said.contains("old.json") && said.contains("expected u64 at line 3 column 25"), "{said}");
    let (code, _, said) = twinboard(&["bench", "compare", "no/such.json", "no/such.json"]);
    assert_eq!(code, 2);
    assert!(unwrapped(&said).contains("no/such.json"), "{said}");
}

#[test]
fn a_benchmark_of_what_is_not_there_or_cannot_be_set_is_refused_with_code_2() {
    for (arguments, expected) in [
        (&["bench", "--board", "arduino"][..], "there is no built-in board arduino"),
        (&["bench", "--firmware", "0001"], "there is no firmware 0001"),
        (&["bench", "flash", "--what-if", "packet-count=0"], "1 to 8 was expected, not 0"),
        (&["bench", "--size", "0"], "1..=240"),
        (&["bench", "--interface", "no/such.hex"], "no/such.hex"),
        (&["bench", "--interface", FILE], "it does not say for which chip it is"),
    ] {
        let (code, out, said) = twinboard(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(unwrapped(&said).contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn a_benchmark_measures_an_image_of_ones_own_and_says_why_it_cannot() {
    let folder = TempDir::new().expect("a folder");
    let interface = image(&folder, "mine.bin", &KL27Z, Role::Interface);
    let (code, out, _) = twinboard(&["bench", "--interface", text(&interface), "--size", "1", "--way", "drop"]);
    // It loops for ever.
    assert_eq!(code, 1);
    assert!(out.contains("- microbit-v2.00 mine.bin drag-and-drop: "), "{out}");
}

#[test]
fn a_benchmark_fails_if_one_of_several_images_or_native_firmware_could_not_be_measured() {
    let folder = TempDir::new().expect("a folder");
    let interface = image(&folder, "mine.bin", &KL27Z, Role::Interface);
    let rest = ["--board", "microbit-v2.00", "--firmware", "native", "--size", "1", "--way", "drop"];
    // Native firmware is measured, the image loops for ever.
    let (code, out, said) = twinboard(&[&["bench", "--interface", text(&interface)], &rest[..]].concat());
    assert_eq!(code, 1, "{said}");
    assert!(out.contains("native") && out.contains("- microbit-v2.00 mine.bin drag-and-drop: "), "{out}");
    assert!(said.contains("twinboard: not measured: microbit-v2.00 mine.bin drag-and-drop: "), "{said}");
    assert!(!said.contains("not measured: microbit-v2.00 native"), "{said}");
    let (code, _, said) = twinboard(&[&["bench"], &rest[..]].concat());
    assert!(code == 0 && !said.contains("not measured"), "{said}");
}

#[test]
fn a_benchmark_writes_a_report_that_compares_as_equal_to_itself_and_a_chart() {
    let folder = TempDir::new().expect("a folder");
    let (json, svg) = (folder.path().join("report.json"), folder.path().join("chart.svg"));
    let arguments = ["bench", "--board", "microbit-v2", "--firmware", "native", "--way", "bulk", "--size", "8"];
    let (code, out, said) = twinboard(&[&arguments[..], &["--json", text(&json), "--chart", text(&svg)]].concat());
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("microbit-v2") && out.contains("CMSIS-DAP v2"), "{out}");
    assert!(std::fs::read_to_string(&svg).expect("a chart").starts_with("<svg"));
    let (code, out, _) = twinboard(&["bench", "compare", text(&json), text(&json)]);
    assert_eq!(code, 0);
    assert!(out.lines().nth(1).is_some_and(|line| line.trim_end().ends_with("+0.0%")), "{out}");
}

/// A scenario of the library whose host is Linux in the virtual machine.
const IN_MACHINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/library/vm-copy-succeeds-drop-fails.toml");

#[test]
fn a_scenario_whose_machine_cannot_start_fails_with_what_is_missing() {
    let folder = TempDir::new().expect("a folder");
    let (junit, evidence) = (folder.path().join("junit.xml"), folder.path().join("evidence"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_twinboard"));
    // Without a PATH there is no QEMU, and nothing that would fetch a kernel.
    command.env("PATH", "").args([
        "scenario",
        "run",
        IN_MACHINE,
        "--junit",
        text(&junit),
        "--evidence",
        text(&evidence),
    ]);
    let output = command.output().expect("twinboard runs");
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.starts_with("FAIL  vm-copy-succeeds-drop-fails"), "{out}");
    assert!(out.contains("virtual machine") && out.contains("0 passed, 1 failed, 0 skipped"), "{out}");
    let junit = std::fs::read_to_string(&junit).expect("a report");
    assert!(junit.contains("failures=\"1\"") && junit.contains("virtual machine"), "{junit}");
    assert!(!evidence.exists(), "nothing ran");
}

#[test]
fn a_scenario_in_the_virtual_machine_is_explained_and_neither_minimised_nor_swept() {
    let (code, out, _) = twinboard(&["scenario", "explain", IN_MACHINE]);
    assert_eq!(code, 0);
    assert!(out.contains("Its cable goes to Linux in the virtual machine."), "{out}");
    assert!(out.contains("run in the virtual machine: cp ") && out.contains("it prints \"type: target\""), "{out}");
    assert!(out.contains("no two runs are the same"), "{out}");
    let (code, _, said) = twinboard(&["scenario", "minimise", IN_MACHINE]);
    assert_eq!(code, 2);
    assert!(unwrapped(&said).contains("no two runs are the same; only `scenario run` runs this scenario"), "{said}");
    let folder = TempDir::new().expect("a folder");
    let matrix = folder.path().join("matrix.toml");
    std::fs::write(&matrix, format!("scenarios = [{IN_MACHINE:?}]\n")).expect("a file");
    let (code, _, said) = twinboard(&["scenario", "sweep", text(&matrix), "--list"]);
    assert_eq!(code, 2);
    assert!(unwrapped(&said).contains("host: scenarios of a sweep run in process"), "{said}");
}

/// What `scenario run` tells of some scenarios of the library, but for how long they took here.
fn reports(jobs: &str) -> serde_json::Value {
    let library = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/library");
    // Faults by count, by event and by chance; two boards; branches; an emulated interface chip.
    let names = [
        "usb-lost-acknowledge",
        "firmware-hangs",
        "swd-noise",
        "order-windows-explorer-v1",
        "unplug-at-85-percent",
        "clock-crystal-does-not-start",
    ];
    let files: Vec<String> = names.iter().map(|name| format!("{library}/{name}.toml")).collect();
    let mut arguments = vec!["scenario", "run", "--json", "--jobs", jobs];
    arguments.extend(files.iter().map(String::as_str));
    let (code, out, said) = twinboard(&arguments);
    assert_eq!(code, 0, "{said}");
    let mut reports: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let list = reports.as_array_mut().expect("a list");
    assert_eq!(list.len(), names.len());
    for report in list {
        assert_eq!(report["verdict"], "pass");
        assert_eq!(report["trace_hash"].as_str().expect("a fingerprint").len(), 16);
        report.as_object_mut().expect("a report").remove("wall_time").expect("a time");
    }
    reports
}

#[test]
fn the_same_scenarios_give_the_same_reports_in_two_processes_and_with_one_job_or_two() {
    let first = reports("1");
    assert_eq!(first, reports("1"), "another process");
    assert_eq!(first, reports("2"), "two jobs");
}
