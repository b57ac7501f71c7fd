//! Faults that an event arms: each kind of event, before and after it.

use twinboard_scenarios::explain;
use twinboard_scenarios::report::{Report, Verdict, human};
use twinboard_scenarios::run::Settings;

use super::prepare;

/// Runs a scenario that must pass.
fn passes(text: &str) -> Report {
    let report = prepare("event", text).expect("a scenario").run(Settings::default()).expect("runs").report;
    assert_eq!(report.verdict, Verdict::Pass, "{}", human(&report, true));
    report
}

fn with_echo(fault: &str, steps: &str) -> String {
    format!(
        "learn = 'x'\nboard = 'microbit-v2'\nimages = {{ target = 'builtin:echo-115200' }}\n[[fault]]\n{fault}\n{steps}"
    )
}

#[test]
fn a_fault_that_waits_for_what_the_target_sends_strikes_after_it_and_not_before() {
    let fault = "point = 'uart.drop'\nwire = 'UART_TO_TARGET'\non = { serial = 'go!' }";
    let text = with_echo(
        fault,
        "[[step]]\nserial = { baud = 115200, send = 'abcdef', expect = '^abcdef' }\n\
         [[step]]\nserial = { send = 'go!', expect = '^go!' }\n\
         [[step]]\nsleep = { for = '5 ms', because = 'events are looked for every millisecond' }\n\
         [[step]]\nserial = { send = 'abcdef', expect = '^bcdef' }\n",
    );
    let report = passes(&text);
    assert_eq!(report.faults[0].strikes, 1);
}

#[test]
fn a_fault_that_waits_for_an_event_that_never_happens_never_strikes() {
    let fault = "point = 'uart.drop'\nwire = 'UART_TO_TARGET'\non = { serial = 'nobody sends this' }";
    let text = with_echo(fault, "[[step]]\nserial = { baud = 115200, send = 'abcdef', expect = '^abcdef' }\n");
    let report = prepare("event", &text).expect("a scenario").run(Settings::default()).expect("runs").report;
    assert_eq!(report.reason.expect("a reason").message, "the fault uart.drop (uart.drop) never struck");
}

#[test]
fn the_progress_of_a_drop_arms_a_fault_in_its_middle() {
    let drop = |part: &str| {
        let text = format!(
            "learn = 'x'\nboard = 'microbit-v2'\n[[fault]]\npoint = 'usb.nak'\nendpoint = 0x02\nfor = '1 s'\n\
             on = {{ progress = '{part}' }}\n[[step]]\ndrop = {{ program = '20 KB', as = 'linux-direct' }}\n"
        );
        let report = passes(&text);
        report.faults[0].evidence[0].at
    };
    let (early, late) = (drop("10 %"), drop("90 %"));
    assert!(early + 0.2 < late, "{early} s, {late} s");
}

#[test]
fn a_fault_arms_another_one_and_so_does_the_boards_going() {
    let text = with_echo(
        // Bit 1 is the first one behind the start bit: it makes an a a backtick.
        "point = 'uart.drop'\nwire = 'UART_TO_TARGET'\ncount = 3\n[[fault]]\nname = 'second'\npoint = 'uart.flip'\n\
         wire = 'UART_TO_TARGET'\nbit = 1\non = { fault = 'uart.drop' }\n[[fault]]\nname = 'third'\n\
         point = 'uart.drop'\nwire = 'UART_TO_TARGET'\non = { gone = true }",
        "[[step]]\nserial = { baud = 115200, send = 'abcdef', expect = '^abdef' }\n\
         [[step]]\nsleep = { for = '5 ms', because = 'events are looked for every millisecond' }\n\
         [[step]]\nserial = { send = 'abcdef', expect = '^`bcdef' }\n\
         [[step]]\npower-cut = { for = '200 ms' }\n\
         [[step]]\nserial = { baud = 115200, send = 'abcdef', expect = '^bcdef' }\n",
    );
    let report = passes(&text);
    assert_eq!(report.faults.iter().map(|fault| fault.strikes).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn events_arm_faults_also_beside_branches() {
    let text = with_echo(
        "point = 'uart.drop'\nwire = 'UART_TO_TARGET'\non = { serial = 'go!' }",
        "[[step]]\nparallel.branches = [\n\
         [{ serial = { baud = 115200, send = 'go!', expect = '^go!' } }, { sleep = { for = '5 ms', because = 'x' } },\n\
          { serial = { send = 'abcdef', expect = '^bcdef' } }],\n\
         [{ wait = { fault = 'uart.drop' } }],\n]\n",
    );
    passes(&text);
}

#[test]
fn an_explanation_names_the_event() {
    let text = with_echo(
        "point = 'uart.drop'\nwire = 'UART_TO_TARGET'\non = { serial = 'go!' }",
        "[[step]]\nserial = { send = 'x' }\n",
    );
    let scenario = twinboard_scenarios::language::Scenario::parse(&text).expect("a scenario");
    let words = explain::scenario(&scenario, "event");
    assert!(words.contains("once the target sends \"go!\""), "{words}");
}
