//! Scenarios with an operating system as host, and a stand-in for it: what is done beside it does not need a real one.

use std::time::Duration;

use twinboard_models::board::Powered;
use twinboard_scenarios::report::{Report, Verdict, human};
use twinboard_scenarios::run::Settings;
use twinboard_scenarios::run::outside::{Act, Outside, Ran};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_usbip::host::beside::{Attendant, Beside};

use super::prepare;

/// A computer that does nothing with the board. A command takes 10 ms of the board's time and prints itself.
struct StandIn {
    board: Powered,
    attendants: Vec<Box<dyn Attendant<Powered>>>,
    present: bool,
}

impl StandIn {
    fn with(&mut self, act: impl FnOnce(&mut Beside<'_, Powered>)) {
        let (present, mut outgoing) = (self.present, Vec::new());
        act(&mut Beside { machine: &mut self.board, present, received: None, drive_bytes: 0, outgoing: &mut outgoing });
    }

    /// Time passes, and whoever wants to be asked is asked at his time.
    fn pass(&mut self, span: Span) {
        let until = self.board.now() + span;
        while self.board.now() < until {
            let mut attendants = std::mem::take(&mut self.attendants);
            let now = self.board.now();
            for attendant in attendants.iter_mut().filter(|attendant| attendant.next() <= now) {
                self.with(|beside| attendant.attend(beside));
            }
            attendants.retain(|attendant| attendant.next() != Time::NEVER);
            let next = attendants.iter().map(|attendant| attendant.next()).min().unwrap_or(Time::NEVER);
            self.attendants = attendants;
            self.board.advance(until.min(next.max(self.board.now() + Span::us(1))));
        }
    }
}

impl Outside for StandIn {
    fn beside(&mut self, act: Act) -> Result<(), String> {
        self.with(act);
        Ok(())
    }

    fn attend(&mut self, attendant: Box<dyn Attendant<Powered>>) -> Result<(), String> {
        self.attendants.push(attendant);
        Ok(())
    }

    fn pause(&mut self) -> Result<(), String> {
        self.pass(Span::ms(1));
        Ok(())
    }

    fn shell(&mut self, command: &str, _: Duration) -> Result<Ran, String> {
        self.present = command != "go";
        self.pass(Span::ms(10));
        Ok(Ran { status: Some(0), output: command.into() })
    }

    fn ready(&mut self, _: Duration) -> Result<bool, String> {
        Ok(true)
    }

    fn take_board(&mut self) -> Option<Powered> {
        None
    }
}

fn run(faults: &str, steps: &str) -> Report {
    let text = format!("learn = 'x'\nboard = 'microbit-v2'\nhost = 'vm'\n{faults}\n{steps}");
    let prepared = prepare("outside", &text).expect("a scenario");
    let plug = |board, attendant: Option<Box<dyn Attendant<Powered>>>| {
        Ok(StandIn { board, attendants: attendant.into_iter().collect(), present: false })
    };
    prepared.run_outside(Settings::default(), plug).expect("runs").report
}

#[test]
fn events_arm_faults_beside_an_operating_system_in_the_boards_own_time() {
    // The device comes with the command.
    let faults = "[[fault]]\nname = 'first'\npoint = 'reset.glitch'\nchip = 'interface'\non = { gone = false }\ncount = 3\n\
                  [[fault]]\nname = 'second'\npoint = 'power.cut'\ndelay = '2 ms'\non = { fault = 'first' }\n\
                  [[fault]]\nname = 'third'\npoint = 'reset.glitch'\nchip = 'interface'\non = { powered = false }\n";
    let report = run(faults, "[[step]]\nsleep = { for = '20 ms', because = 'x' }\n[[step]]\nshell.run = 'come'\n");
    assert_eq!(report.verdict, Verdict::Pass, "{}", human(&report, true));
    let at: Vec<_> = report.faults.iter().map(|fault| fault.evidence[0].at).collect();
    let [first, second, third] = at[..] else { panic!("{at:?}") };
    // Events are looked for every millisecond, and what is beside an event counts from there.
    assert!((0.022..0.0235).contains(&first), "{at:?}");
    assert!(first <= second && second < first + 0.0015, "{at:?}");
    assert!((second + 0.002..second + 0.0035).contains(&third), "with the power back: {at:?}");
}

#[test]
fn events_that_do_not_happen_beside_an_operating_system_arm_nothing() {
    // The device is not there from the beginning, which is no event.
    let fault = "[[fault]]\npoint = 'reset.glitch'\nchip = 'interface'\non = { gone = true }\n";
    let report = run(fault, "[[step]]\nshell.run = 'go'\n");
    assert_eq!(report.reason.expect("a reason").message, "the fault reset.glitch (reset.glitch) never struck");
    let report = run(fault, "[[step]]\nshell.run = 'come'\n[[step]]\nshell.run = 'go'\n");
    assert_eq!(report.verdict, Verdict::Pass, "{}", human(&report, true));
}

#[test]
fn events_arm_faults_also_beside_branches_and_commands() {
    let fault = "[[fault]]\npoint = 'reset.glitch'\nchip = 'interface'\non = { powered = false }\n";
    let steps = "[[step]]\nparallel.branches = [[{ shell.run = 'come' }], [{ power-cut = { for = '3 ms' } }]]\n\
                 [[step]]\nwait = { fault = 'reset.glitch' }\n";
    let report = run(fault, steps);
    assert_eq!(report.verdict, Verdict::Pass, "{}", human(&report, true));
}
