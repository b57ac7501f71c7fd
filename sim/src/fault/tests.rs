use super::*;
use crate::time::Span;

static POINT: PointSpec = PointSpec {
    name: "test.point",
    what: "something goes wrong",
    opportunity: "a call",
    params: &[Param::Bit.needed(), Param::Level.optional()],
};

fn fault(plan: Plan) -> Fault {
    Fault::new("f", &POINT, Params::default(), plan, 7)
}

/// At which of the opportunities at 0, 1, 2, … µs it strikes.
fn strikes(fault: &mut Fault, opportunities: u64) -> Vec<u64> {
    let told = |_: &()| (String::from("here"), String::from("this"));
    (0..opportunities).filter(|&us| fault.strike(Time::ZERO + Span::us(us), |_, _| Some(()), told).is_some()).collect()
}

#[test]
fn a_fault_strikes_once_unless_more_is_said() {
    assert_eq!(strikes(&mut fault(Plan::default()), 5), [0]);
    let plan = Plan { skip: 2, lasting: Lasting::Times(2), ..Plan::default() };
    assert_eq!(strikes(&mut fault(plan), 9), [2, 3]);
    let start = Time::ZERO + Span::us(3);
    assert_eq!(strikes(&mut fault(Plan { start, ..Plan::default() }), 9), [3]);
    let plan = Plan { start, skip: 1, lasting: Lasting::For(Span::us(3)), ..Plan::default() };
    assert_eq!(strikes(&mut fault(plan), 9), [4, 5, 6]);
    assert_eq!(strikes(&mut fault(Plan { lasting: Lasting::Always, ..Plan::default() }), 3), [0, 1, 2]);
}

#[test]
fn what_changes_nothing_is_no_strike_and_leaves_no_evidence() {
    let mut fault = fault(Plan::default());
    let told = |_: &()| (String::from("here"), String::from("this"));
    assert!(fault.strike(Time(1), |_, _| None, told).is_none());
    assert_eq!(fault.record().strikes(), 0);
    assert!(fault.strike(Time(2), |_, _| Some(()), told).is_some());
    let evidence = Evidence { at: Time(2), place: "here".into(), effect: "this".into() };
    assert_eq!(fault.record().evidence(), [evidence]);
}

#[test]
fn an_address_range_lets_other_addresses_go_by_uncounted() {
    let mut fault = fault(Plan { address: Some(0x100..0x200), skip: 1, ..Plan::default() });
    let mut at = |address| {
        let told = |_: &()| (String::new(), String::new());
        fault.strike_at(Time(5), Some(address), |_, _| Some(()), told).is_some()
    };
    assert_eq!([0x50, 0x100, 0x200, 0x1ff].map(&mut at), [false, false, false, true]);
}

#[test]
fn chance_is_what_the_seed_and_the_name_say() {
    let plan = Plan { probability: 0.25, lasting: Lasting::Always, ..Plan::default() };
    let run = |name, seed| strikes(&mut Fault::new(name, &POINT, Params::default(), plan.clone(), seed), 4000);
    assert_eq!(run("a", 1), run("a", 1));
    assert_ne!(run("a", 1), run("a", 2));
    assert_ne!(run("a", 1), run("b", 1));
    // The standard deviation is 27.
    assert!((850..1150).contains(&run("a", 1).len()), "{}", run("a", 1).len());
}

#[test]
fn a_disarmed_fault_is_quiet_and_an_armed_one_counts_from_then() {
    let mut fault = fault(Plan::default());
    fault.arm(Time::ZERO, false);
    assert_eq!(strikes(&mut fault, 5), []);
    fault.arm(Time::ZERO + Span::us(3), true);
    assert_eq!(fault.next(Time::ZERO), Time::ZERO + Span::us(3));
    assert_eq!(strikes(&mut fault, 5), [3]);
    assert_eq!(fault.next(Time::ZERO + Span::us(4)), Time::NEVER);
}

#[test]
fn parameters_are_those_that_the_point_takes() {
    let bit = Params { bit: Some(3), ..Params::default() };
    assert_eq!(bit.check(&POINT), Ok(()));
    assert_eq!(Params::default().check(&POINT), Err(WrongParam { param: Param::Bit, missing: true }));
    let more = Params { ppm: Some(1), ..bit };
    assert_eq!(more.check(&POINT), Err(WrongParam { param: Param::Ppm, missing: false }));
}

#[test]
fn no_more_than_32_strikes_are_described_but_all_are_counted() {
    let mut fault = fault(Plan { lasting: Lasting::Always, ..Plan::default() });
    strikes(&mut fault, 100);
    assert_eq!((fault.record().strikes(), fault.record().evidence().len()), (100, 32));
    assert_eq!(fault.record().last(), Some(Time::ZERO + Span::us(99)));
}

#[test]
fn an_opportunity_whose_difference_shows_later_counts_when_it_does() {
    let start = Time::ZERO + Span::us(2);
    let mut fault = fault(Plan { start, skip: 1, lasting: Lasting::Times(1), ..Plan::default() });
    let at = |us| Time::ZERO + Span::us(us);
    assert!(!fault.may_strike(at(0), at(1)) && fault.may_strike(at(0), at(2)));
    assert_eq!([1, 2, 3, 4].map(|us| fault.takes(at(us), None)), [false, false, true, true]);
    assert_eq!(fault.record().strikes(), 0);
    fault.struck(at(4), || (String::from("here"), String::from("this")));
    assert_eq!((fault.record().strikes(), fault.takes(at(5), None)), (1, false));
    assert!(!fault.may_strike(at(5), at(9)));
}
