use twinboard_sim::board::Stop;
use twinboard_sim::fault::{Fault, Lasting, Params, Plan};

use super::*;

fn armed(faults: &mut FlashFaults, name: &str, params: Params, plan: Plan) -> SharedFault {
    let point = POINTS.iter().find(|point| point.name == name).expect("a point");
    let fault = SharedFault::new(Fault::new(name, point, params, plan, 7));
    assert!(faults.add(fault.clone()));
    fault
}

fn flash() -> (FlashFaults, Stop) {
    let stop = Stop::default();
    (FlashFaults::new("target", 0x400, Outage::new(stop.clone())), stop)
}

const USUAL: Span = Span::us(40);

#[test]
fn a_word_that_does_not_take_stays_as_it_was_and_the_next_one_takes() {
    let (mut flash, _) = flash();
    let fault = armed(&mut flash, "flash.no-write", Params::default(), Plan::default());
    assert_eq!(flash.written(Time(1), 0, 0x1234, 0x1234), 0x1234);
    assert_eq!(fault.lock().record().strikes(), 0, "nothing would have changed");
    assert_eq!(flash.written(Time(2), 4, u32::MAX, 0x1234), u32::MAX);
    assert_eq!(flash.written(Time(3), 8, u32::MAX, 0x1234), 0x1234);
    let fault = fault.lock();
    let [evidence] = fault.record().evidence() else { panic!("{:?}", fault.record()) };
    assert_eq!(evidence.place, "target flash, 0x00000004");
    assert_eq!(evidence.effect, "stayed ffffffff, 00001234 was written");
}

#[test]
fn a_stuck_bit_shows_after_writes_and_erases_that_want_the_other_level() {
    for (level, after_erase, after_write) in [(false, 0xFFFF_FFF7, 0xFFFF_0000), (true, u32::MAX, 0xFFFF_0008)] {
        let (mut flash, _) = flash();
        let params = Params { bit: Some(3), level: Some(level), ..Params::default() };
        let plan = Plan { address: Some(0x404..0x408), lasting: Lasting::Always, ..Plan::default() };
        armed(&mut flash, "flash.stuck-bit", params, plan);
        let left = flash.erased(Time(1), 0..0x800, |_| 0);
        assert_eq!(left.get(&0x404).copied().unwrap_or(u32::MAX), after_erase);
        assert!(left.len() <= 1, "{left:?}");
        assert_eq!(flash.written(Time(2), 0x404, after_erase, 0xFFFF_0000), after_write);
        assert_eq!(flash.written(Time(3), 0x408, u32::MAX, 0xFFFF_0000), 0xFFFF_0000);
    }
}

#[test]
fn slow_endless_and_refused_operations_are_told_at_their_beginning() {
    let (mut flash, stop) = flash();
    let params = Params { factor: Some(2.5), ..Params::default() };
    armed(&mut flash, "flash.slow", params, Plan { address: Some(0x410..0x414), ..Plan::default() });
    assert_eq!(flash.begins(Time(1), &Work::Word(0x40C), USUAL), Begin::Takes(USUAL));
    assert_eq!(flash.begins(Time(2), &Work::Erase(0x400..0x800), USUAL), Begin::Takes(Span::us(100)));
    armed(&mut flash, "flash.endless", Params::default(), Plan::default());
    assert_eq!(flash.begins(Time(3), &Work::Word(0), USUAL), Begin::Takes(ENDLESS));
    armed(&mut flash, "flash.protect", Params::default(), Plan::default());
    assert_eq!(flash.begins(Time(4), &Work::Word(0), USUAL), Begin::Refused);
    assert_eq!(flash.begins(Time(5), &Work::Word(0), USUAL), Begin::Takes(USUAL));
    assert_eq!(stop.get(), Time::NEVER);
}

#[test]
fn power_is_lost_half_way_and_the_board_is_told_when() {
    let (mut flash, stop) = flash();
    let params = Params { delay: Some(Span::ms(3)), ..Params::default() };
    armed(&mut flash, "flash.power-cut", params, Plan::default());
    let outage = flash.outage.clone();
    assert_eq!(flash.begins(Time(1_000), &Work::Word(0), USUAL), Begin::Cut(USUAL));
    let half = Time(1_000) + Span::us(20);
    assert_eq!((stop.get(), outage.next()), (half, half));
    assert_eq!((outage.due(Time(half.0 - 1)), outage.due(half)), (None, Some(Span::ms(3))));
    assert_eq!((stop.get(), outage.due(Time::NEVER)), (Time::NEVER, None));
    assert!(flash.take_cut().is_some() && flash.take_cut().is_none());
}

#[test]
fn a_page_wears_out_after_so_many_erases_and_keeps_bits_that_were_written() {
    let run = || {
        let (mut flash, _) = flash();
        let params = Params { cycles: Some(3), ..Params::default() };
        let fault = armed(&mut flash, "flash.wear-out", params, Plan { lasting: Lasting::Always, ..Plan::default() });
        let old = |address: u32| if address.is_multiple_of(8) { 0xFFFF_FFFF } else { 0xFFFF_FF00 };
        for _ in 0..3 {
            assert!(flash.erased(Time(1), 0..0x800, old).is_empty());
        }
        assert!(flash.erased(Time(1), 0..0x400, |_| u32::MAX).is_empty(), "there was nothing to erase");
        let left = flash.erased(Time(2), 0..0x400, old);
        assert!(left.iter().all(|(address, word)| address % 8 == 4 && word & 0xFFFF_FF00 == 0xFFFF_FF00), "{left:?}");
        let bits: u32 = left.values().map(|word| word.count_zeros()).sum();
        assert!((1..=8).contains(&bits), "{bits}");
        assert_eq!(fault.lock().record().strikes(), 1);
        left
    };
    assert_eq!(run(), run());
}
