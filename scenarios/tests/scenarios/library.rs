//! The scenarios that ship pass, and are the same however they are run.

use twinboard_scenarios::language::HostKind;
use twinboard_scenarios::report::{Verdict, human};
use twinboard_scenarios::run::{PrepareError, Settings};
use twinboard_sim::board::Driver;

use super::{everywhere, prepare, texts};

#[test]
fn every_scenario_of_the_library_passes_and_says_what_one_learns() {
    let texts = texts();
    assert!(texts.len() >= 40, "there are {}", texts.len());
    let results = everywhere(&texts, |(name, text)| {
        assert!(text.starts_with("# "), "{name}: a head was expected that says what it is about");
        match prepare(name, text) {
            Ok(prepared) if prepared.scenario.host == HostKind::Vm => {
                println!("{name}: left out: its host is Linux in the virtual machine; tests/vm/scenarios.rs runs it");
                Ok(())
            }
            Ok(prepared) => {
                let report = prepared.run(Settings::default()).expect("can be powered").report;
                (report.verdict == Verdict::Pass).then_some(()).ok_or_else(|| human(&report, true))
            }
            Err(PrepareError::Skipped(why)) => {
                println!("{name}: skipped: {why}");
                Ok(())
            }
            Err(PrepareError::Wrong(error)) => Err(format!("{name}: {error} at {:?}", error.span)),
        }
    });
    let failures: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn a_scenario_is_the_same_stepped_and_threaded_and_every_time() {
    let names =
        ["unplug-at-85-percent", "usb-lost-acknowledge", "order-macos-finder-v1", "typing-while-the-target-is-halted"];
    let texts: Vec<_> = texts().into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect();
    assert_eq!(texts.len(), names.len());
    everywhere(&texts, |(name, text)| {
        let prepared = prepare(name, text).expect("a scenario");
        let run = |driver| {
            let report = prepared.run(Settings { driver, ..Settings::default() }).expect("can be powered").report;
            assert!(report.trace_hash.is_some());
            report.without_wall_time()
        };
        let stepped = run(Driver::Stepped);
        assert_eq!(stepped, run(Driver::Threaded), "{name}");
        assert_eq!(stepped, run(Driver::Stepped), "{name}");
    });
}

#[test]
fn a_scenario_whose_host_is_the_virtual_machine_is_not_run_in_process() {
    let text = "learn = 'x'\nboard = 'microbit-v2'\nhost = 'vm'\nstep = [{ shell.run = 'true' }]\n";
    let error = prepare("vm", text).expect("a scenario").run(Settings::default()).expect_err("another host");
    assert!(error.message.contains("only `scenario run` runs this scenario"), "{error}");
}

#[test]
fn another_seed_gives_another_run_where_chance_decides() {
    let text = r#"
        learn = "chance"
        board = "microbit-v2"
        fault = [{ point = "usb.nak", endpoint = 0x02, probability = 0.2, times = 50 }]
        step = [{ drop = { program = "4 KB" } }]
    "#;
    let prepared = prepare("chance", text).expect("a scenario");
    let strikes = |seed| {
        let report = prepared.run(Settings { seed: Some(seed), ..Settings::default() }).expect("runs").report;
        assert_eq!(report.verdict, Verdict::Pass, "{}", human(&report, true));
        report.faults
    };
    assert_eq!(strikes(1), strikes(1));
    assert_ne!(strikes(1), strikes(2));
}

#[test]
fn a_fault_that_never_strikes_fails_its_scenario() {
    let text = r#"
        learn = "nothing"
        board = "microbit-v2"
        fault = [{ point = "usb.nak", endpoint = 0x0f }]
        step = [{ expect = { fail = "none" } }]
    "#;
    let report = prepare("never", text).expect("a scenario").run(Settings::default()).expect("runs").report;
    assert_eq!(report.verdict, Verdict::Fail);
    let reason = report.reason.expect("a reason");
    assert_eq!((reason.message.as_str(), reason.line), ("the fault usb.nak (usb.nak) never struck", Some(4)));
}
