//! Scenario files that are wrong: each gives one error that says what was expected, and where.

use twinboard_scenarios::run::PrepareError;

use super::prepare;

/// A scenario with other steps.
fn steps(steps: &str) -> String {
    format!("learn = 'x'\nboard = 'microbit-v2'\n{steps}")
}

/// A scenario with a fault.
fn fault(fault: &str) -> String {
    steps(&format!("[[fault]]\n{fault}\n[[step]]\nexpect = {{ present = true }}\n"))
}

/// A scenario with one step.
fn step(step: &str) -> String {
    steps(&format!("[[step]]\n{step}\n"))
}

/// A scenario with one step and Linux as host.
fn in_machine(step: &str) -> String {
    steps(&format!("host = 'vm'\n[[step]]\n{step}\n"))
}

fn cases() -> Vec<(&'static str, String)> {
    vec![
        // The file.
        ("nothing at all", String::new()),
        ("not TOML", "learn = ".into()),
        ("a string without its end", "learn = \"x\nboard = 'microbit-v2'".into()),
        ("a key twice", "learn = 'x'\nlearn = 'y'\nboard = 'microbit-v2'".into()),
        ("an unknown key", steps("colour = 'red'\n[[step]]\ndo = 'reset'\n")),
        ("nothing to learn", "learn = ' '\nboard = 'microbit-v2'\n[[step]]\ndo = 'reset'\n".into()),
        ("no board", "learn = 'x'\n[[step]]\ndo = 'reset'\n".into()),
        ("a board that is a number", "learn = 'x'\nboard = 2\n[[step]]\ndo = 'reset'\n".into()),
        ("an unknown board", "learn = 'x'\nboard = 'microbit-v3'\n[[step]]\ndo = 'reset'\n".into()),
        ("an unknown host", steps("host = 'windows'\n[[step]]\ndo = 'reset'\n")),
        ("a negative seed", steps("seed = -1\n[[step]]\ndo = 'reset'\n")),
        ("a limit without a unit", steps("within = '10'\n[[step]]\ndo = 'reset'\n")),
        ("a limit of no time", steps("within = '0 s'\n[[step]]\ndo = 'reset'\n")),
        ("a limit of a day", steps("within = '1440 min'\n[[step]]\ndo = 'reset'\n")),
        ("a limit of a century", steps("within = '52560000 min'\n[[step]]\ndo = 'reset'\n")),
        ("a setting of no chip", steps("set = { 'nobody.seed' = 1 }\n[[step]]\ndo = 'reset'\n")),
        ("a setting of the wrong type", steps("set = { 'interface.board_id' = 'red' }\n[[step]]\ndo = 'reset'\n")),
        ("no steps", steps("")),
        // Images.
        ("an unknown image", steps("[images]\nflash = 'x'\n[[step]]\ndo = 'reset'\n")),
        ("an image that is not there", steps("[images]\ntarget = 'nowhere.hex'\n[[step]]\ndo = 'reset'\n")),
        ("a built-in that is none", steps("[images]\ntarget = 'builtin:game'\n[[step]]\ndo = 'reset'\n")),
        ("symbols that are none", steps("[images]\nsymbols = 'builtin:demo'\n[[step]]\ndo = 'reset'\n")),
        // Faults.
        ("a fault without a point", fault("times = 1")),
        ("a family that there is not", fault("point = 'coffee.spilt'")),
        ("a point that the family has not", fault("point = 'usb.fire'")),
        ("a parameter that the point does not take", fault("point = 'usb.nak'\nbytes = 3")),
        ("a parameter of the wrong type", fault("point = 'usb.nak'\nendpoint = 'two'")),
        ("an endpoint that is no byte", fault("point = 'usb.nak'\nendpoint = 300")),
        ("a probability above 1", fault("point = 'usb.nak'\nprobability = 1.5")),
        ("a probability of 0", fault("point = 'usb.nak'\nprobability = 0.0")),
        ("the 0th opportunity", fault("point = 'usb.nak'\ncount = 0")),
        ("no times at all", fault("point = 'usb.nak'\ntimes = 0")),
        ("twice and for a while", fault("point = 'usb.nak'\ntimes = 2\nfor = '1 s'")),
        ("twice and for ever", fault("point = 'usb.nak'\ntimes = 2\nalways = true")),
        ("addresses that end before they begin", fault("point = 'usb.nak'\naddress = '0x20..0x10'")),
        ("two faults of one name", fault("point = 'usb.nak'\n[[fault]]\npoint = 'usb.nak'")),
        ("a fault that waits for a step for ever", fault("point = 'usb.nak'\narmed = 'step'")),
        ("a fault that is armed by chance", fault("point = 'usb.nak'\narmed = 'maybe'")),
        ("an event of nothing", fault("point = 'usb.nak'\non = {}")),
        ("two events", fault("point = 'usb.nak'\non = { serial = 'x', gone = true }")),
        ("an event that there is not", fault("point = 'usb.nak'\non = { applause = true }")),
        (
            "an event and a step",
            steps("[[fault]]\npoint = 'usb.nak'\narmed = 'step'\non = { gone = true }\n[[step]]\narm = 'usb.nak'\n"),
        ),
        ("an event with a regular expression that is none", fault("point = 'usb.nak'\non = { serial = '(' }")),
        ("the progress of no drop", fault("point = 'usb.nak'\non = { progress = '50 %' }")),
        ("a fault on a fault that there is not", fault("point = 'usb.nak'\non = { fault = 'usb.stall' }")),
        ("a fault that arms itself", fault("point = 'usb.nak'\non = { fault = 'usb.nak' }")),
        // Steps.
        ("a step without a verb", step("")),
        ("a step with two verbs", step("do = 'reset'\nconnect = {}")),
        ("an unknown verb", step("juggle = 3")),
        ("a drop of nothing", step("drop = {}")),
        ("a drop of two things", step("drop = { file = 'builtin:demo', text = 'x' }")),
        ("a text without a name", step("drop = { text = 'x' }")),
        ("a name with a folder", step("drop = { text = 'x', name = 'a/b.hex' }")),
        ("a file that is not there", step("drop = { file = 'nowhere.hex' }")),
        ("a program that fits nowhere", step("drop = { program = '10 MB' }")),
        ("an unknown system", step("drop = { program = '4 KB', as = 'amiga' }")),
        ("an unknown region", step("drop = { program = '4 KB', regions = ['boot', 'tail'] }")),
        ("no regions", step("drop = { program = '4 KB', regions = [] }")),
        ("more than all of it", step("drop = { program = '4 KB', until = '120 %' }")),
        ("an unknown outcome", step("drop = { program = '4 KB', outcome = 'nice' }")),
        ("an expectation of nothing", step("expect = {}")),
        ("an expectation with nothing but a time", step("expect = { within = '1 s' }")),
        ("contents of no file", step("expect = { contains = 'x' }")),
        ("a file and nothing of it", step("expect = { file = 'DETAILS.TXT' }")),
        ("contents of a file that is not there", step("expect = { file = 'X', exists = false, contains = 'x' }")),
        ("words of no place", step("expect = { words = [1] }")),
        ("a place without words", step("expect = { memory = '0x0' }")),
        ("an address that is none", step("expect = { memory = '0xYZ', words = [1] }")),
        ("a regular expression that is none", step("expect = { fail = '(' }")),
        ("a picture of four rows", step("expect = { screen = ['00000', '00000', '00000', '00000'] }")),
        ("a picture of letters", step("expect = { screen = ['00000', '0000x', '00000', '00000', '00000'] }")),
        ("what was dropped before anything was", step("expect = { flash = 'dropped' }")),
        ("a serial step of nothing", step("serial = {}")),
        ("a baud rate of the thirties", step("serial = { baud = 50 }")),
        ("an answer that takes longer than the scenario", step("serial = { expect = 'x', within = '20 min' }")),
        ("an action that there is not", step("do = 'dance'")),
        ("a button that there is not", step("do = { press = { button = 'C' } }")),
        ("a tilt beyond all bounds", step("do = { tilt = { right = 1000.0, up = 0.0 } }")),
        ("a power cut of no time", step("power-cut = { for = '0 s' }")),
        ("no packets", step("dap.exchange = []")),
        ("half a byte", step("dap.exchange = [{ send = '0' }]")),
        ("an answer in a silence", step("dap.exchange = [{ send = '00', expect = '00', silent = true }]")),
        ("a chip that there is not", step("gdb = { chip = 'moon', exchange = [{ send = '?' }] }")),
        ("a shell without an operating system", step("shell = { run = 'ls' }")),
        ("a drop in the virtual machine", in_machine("drop = { program = '4 KB' }")),
        ("a serial port in the virtual machine", in_machine("serial = { expect = 'x' }")),
        ("packets for a probe in the virtual machine", in_machine("dap.exchange = [{ send = '00 04' }]")),
        ("packets for a debugger in the virtual machine", in_machine("gdb.exchange = [{ send = '?' }]")),
        ("a debugger in the virtual machine", in_machine("debug = 'halt'")),
        ("FAIL.TXT in the virtual machine", in_machine("expect = { fail = 'none' }")),
        ("a file of the drive in the virtual machine", in_machine("expect = { file = 'DETAILS.TXT', exists = true }")),
        ("details in the virtual machine", in_machine("expect = { details = { 'Unique ID' = '99' } }")),
        ("the drive's label in the virtual machine", in_machine("expect = { drive = 'MICROBIT' }")),
        ("what was dropped in the virtual machine", in_machine("expect = { flash = 'dropped' }")),
        ("progress in the virtual machine", in_machine("wait = { progress = '50 %' }")),
        ("the rate of a drop in the virtual machine", in_machine("measure = { name = 'x', what = 'rate' }")),
        ("a command that is none", in_machine("shell = { run = ' ' }")),
        ("a command that takes a day", in_machine("shell = { run = 'true', within = '1440 min' }")),
        ("a command that prints what is no regular expression", in_machine("shell = { run = 'true', expect = '(' }")),
        ("a status that is none", in_machine("shell = { run = 'true', status = 256 }")),
        (
            "a fault of the other host",
            steps("host = 'vm'\n[[fault]]\npoint = 'host.slow'\ndelay = '1 ms'\n[[step]]\nshell = { run = 'true' }\n"),
        ),
        (
            "a fault that waits for a drop in the virtual machine",
            steps(
                "host = 'vm'\n[[fault]]\npoint = 'usb.nak'\non = { progress = '5 %' }\n[[step]]\nshell = { run = 'true' }\n",
            ),
        ),
        ("two branches with a shell", in_machine("parallel.branches = [[{ shell.run = 'true' }], [{ connect = {} }]]")),
        ("a wait for nothing", step("wait = {}")),
        ("a wait for two things", step("wait = { serial = 'x', gone = true }")),
        ("a wait for a fault that there is not", step("wait = { fault = 'usb.nak' }")),
        ("progress of no drop", step("wait = { progress = '50 %' }")),
        ("a sleep without a reason", step("sleep = { for = '1 s' }")),
        ("a sleep for no reason", step("sleep = { for = '1 s', because = '' }")),
        (
            "a sleep longer than the scenario",
            step("sleep = { for = '1 min', because = 'x' }\n[[step]]\nsleep = { for = '10 min', because = 'x' }"),
        ),
        ("an unknown fault that is armed", step("arm = 'wire'")),
        ("a measure of nothing", step("measure = { name = 'x', what = 'mood' }")),
        ("a measure of no drop", step("measure = { name = 'x', what = 'rate' }")),
        ("bounds that exclude each other", step("measure = { name = 'x', what = 'time', min = 2.0, max = 1.0 }")),
        ("no repetition", step("repeat = { times = 0, steps = [{ do = 'reset' }] }")),
        (
            "more repetitions than anybody waits for",
            step("repeat = { times = 10000, steps = [{ repeat = { times = 10000, steps = [{ do = 'reset' }] } }] }"),
        ),
        ("a file that is a folder", step("drop = { file = '..' }")),
        ("a repetition of nothing", step("repeat = { times = 2, steps = [] }")),
        ("one branch", step("parallel.branches = [[{ do = 'reset' }]]")),
        ("an empty branch", step("parallel.branches = [[{ do = 'reset' }], []]")),
        (
            "two branches with drivers",
            step("parallel.branches = [[{ drop = { program = '4 KB' } }], [{ dap.exchange = [{ send = '00 04' }] }]]"),
        ),
        (
            "two branches that look into the flash",
            step("parallel.branches = [[{ drop = { program = '4 KB' } }], [{ expect = { flash = 'builtin:demo' } }]]"),
        ),
        (
            "branches in branches",
            step(
                "parallel.branches = [[{ do = 'reset' }], [{ parallel.branches = [[{ do = 'reset' }], [{ do = 'reset' }]] }]]",
            ),
        ),
        (
            "a wait before its fault is armed",
            steps(
                "[[fault]]\npoint = 'usb.nak'\narmed = 'step'\n[[step]]\nwait = { fault = 'usb.nak' }\n[[step]]\narm = 'usb.nak'\n",
            ),
        ),
        (
            "branches that wait for each other",
            steps(
                "[[fault]]\nname = 'a'\npoint = 'usb.nak'\narmed = 'step'\n\
                 [[fault]]\nname = 'b'\npoint = 'usb.stall'\narmed = 'step'\n[[step]]\nparallel.branches = [\n\
                 [{ wait = { fault = 'a' } }, { arm = 'b' }],\n[{ wait = { fault = 'b' } }, { arm = 'a' }],\n]\n",
            ),
        ),
    ]
}

#[test]
fn every_mistake_has_one_error_with_its_place() {
    let mut text = String::new();
    let cases = cases();
    assert!(cases.len() >= 60);
    for (what, scenario) in cases {
        let error = match prepare("wrong", &scenario) {
            Err(PrepareError::Wrong(error)) => error,
            other => panic!("{what}: {:?}", other.map(|prepared| prepared.name)),
        };
        let place = error.span.clone().map(|span| {
            let line = scenario[..span.start].matches('\n').count() + 1;
            let shown: String = scenario[span].chars().take(60).collect();
            format!("line {line}: {shown:?}")
        });
        text += &format!("{what}\n  {}\n  {}\n", error.message.replace('\n', " "), place.as_deref().unwrap_or("-"));
    }
    insta::assert_snapshot!(text);
}
