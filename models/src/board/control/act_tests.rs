//! What a person does reaches the board, at the board's time.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::board::{BoardFile, PowerOn};
use crate::image::{Image, MICROBIT_V2};

const DEMO: &[u8] = include_bytes!("../../../../firmware/nrf52833/demo.hex");
const GREETING: &str = "Hello from the micro:bit's nRF52833!";

/// A micro:bit V2 with the demo program in its flash.
fn board() -> Powered {
    let image = Image::parse(Path::new("demo.hex"), DEMO, MICROBIT_V2, 0).expect("an image");
    let power = PowerOn { target: Some(&image), ..PowerOn::default() };
    BoardFile::built_in("microbit-v2").expect("built in").power_on(&power).expect("a board")
}

fn pass(board: &mut Powered, ms: u64) {
    let until = board.now() + Span::ms(ms);
    while board.now() < until {
        board.advance(until);
    }
}

fn level(board: &mut Powered, wire: &str) -> String {
    let Ok(Answer::Pins(pins)) = board.act(&Action::Pins) else { panic!("pins were expected") };
    pins.into_iter().find(|pin| pin.name == wire).expect("a wire").level
}

fn serial(board: &mut Powered) -> String {
    let Ok(Answer::Serial(serial)) = board.act(&Action::Serial) else { panic!("text was expected") };
    serial.text
}

fn press(ms: u32) -> Action {
    Action::Press { button: "A".into(), ms: Some(ms) }
}

#[test]
fn a_finger_leaves_the_button_in_time_unless_it_is_another_finger_s() {
    let mut board = board();
    board.act(&press(20)).expect("a button");
    pass(&mut board, 19);
    assert_eq!(level(&mut board, "BUTTON_A"), "low");
    pass(&mut board, 1);
    assert_eq!(level(&mut board, "BUTTON_A"), "high");
    board.act(&press(20)).expect("a button");
    pass(&mut board, 10);
    board.act(&Action::Press { button: "A".into(), ms: None }).expect("a button");
    pass(&mut board, 50);
    assert_eq!(level(&mut board, "BUTTON_A"), "low", "the second press holds");
    board.act(&Action::Release { button: "A".into() }).expect("a button");
    assert_eq!(level(&mut board, "BUTTON_A"), "high");
}

#[test]
fn the_red_led_shows_power_and_dims_on_a_battery() {
    let mut board = board();
    let leds = |board: &mut Powered| match board.act(&Action::Leds) {
        Ok(Answer::Leds(leds)) => leds,
        other => panic!("{other:?}"),
    };
    pass(&mut board, 100);
    let seen = leds(&mut board);
    assert_eq!(seen.iter().map(|led| (led.name.as_str(), led.level)).collect::<Vec<_>>(), [("power", 9), ("USB", 0)]);
    assert_eq!((seen[0].colour.as_str(), seen[0].permille), ("red", 1_000));
    for (mv, good) in [(999, false), (1_000, true), (3_600, true), (3_601, false)] {
        assert_eq!(board.act(&Action::Battery { on: true, mv: Some(mv) }).is_ok(), good, "{mv}");
    }
    board.act(&Action::Unplug).expect("a cable");
    pass(&mut board, 4_000);
    // 15 of 255: ((3 - 0.5) / 9)^2.2 is 0.0597.
    assert_eq!(leds(&mut board)[0].level, 2);
    board.act(&Action::Power { on: false }).expect("a switch");
    pass(&mut board, 100);
    assert_eq!(leds(&mut board)[0].level, 0);
}

#[test]
fn a_planned_release_falls_on_its_very_picosecond() {
    let mut board = board();
    pass(&mut board, 3);
    let at = board.now();
    board.act(&press(7)).expect("a button");
    board.advance(at + Span::ms(100));
    assert_eq!(board.now(), at + Span::ms(7));
}

#[test]
fn text_that_is_sent_comes_back_from_a_program_that_echoes() {
    let mut board = board();
    board.listen();
    pass(&mut board, 300);
    assert!(serial(&mut board).contains(GREETING));
    let sent = board.act(&Action::Send { text: "hi there".into(), baud: None });
    assert_eq!(sent, Ok(Answer::Sent(8)));
    pass(&mut board, 50);
    assert!(serial(&mut board).ends_with("hi there"));
    let refused = board.act(&Action::Send { text: "x".into(), baud: Some(1) });
    assert!(matches!(refused, Err(ActError::Range { what: "baud", .. })));
}

#[test]
fn a_board_whose_cable_is_pulled_is_dark_and_silent_and_starts_anew_when_it_is_back() {
    let mut board = board();
    board.listen();
    pass(&mut board, 300);
    let lit = |board: &Powered| board.rows().expect("a display").0.concat().chars().any(|led| led != '0');
    assert!(lit(&board) && board.plugged(0));
    board.act(&Action::Unplug).expect("a cable");
    assert!(!board.plugged(0));
    let before = serial(&mut board).matches(GREETING).count();
    let at = board.now();
    pass(&mut board, 5_000);
    assert_eq!(board.now(), at + Span::secs(5), "time goes on");
    assert!(!lit(&board));
    assert_eq!(board.act(&Action::Send { text: "x".into(), baud: None }), Err(ActError::NoPower));
    board.act(&Action::Plug).expect("a cable");
    pass(&mut board, 300);
    assert!(lit(&board) && board.plugged(0));
    assert_eq!(serial(&mut board).matches(GREETING).count(), before + 1);
}

#[test]
fn a_battery_keeps_the_program_running_without_the_cable() {
    let mut board = board();
    board.act(&Action::Battery { on: true, mv: None }).expect("a battery");
    board.act(&Action::Unplug).expect("a cable");
    let Ok(Answer::Info(info)) = board.act(&Action::Info) else { panic!("infos were expected") };
    assert!((info.powered, info.plugged, info.battery) == (true, false, true) && !board.plugged(0));
    board.act(&Action::Power { on: false }).expect("a switch");
    let Ok(Answer::Info(info)) = board.act(&Action::Info) else { panic!("infos were expected") };
    assert!(!info.powered);
}

#[test]
fn watching_tells_every_new_picture_and_the_program_s_words_at_the_board_s_time() {
    let mut board = board();
    let seen: Arc<Mutex<Vec<(Time, Happening)>>> = Arc::default();
    let notes = seen.clone();
    let listener: Listener = Box::new(move |at, what| {
        notes.lock().push((at, what));
        true
    });
    let number = board.watch(vec![What::Screen, What::Serial], listener).expect("few watch");
    pass(&mut board, 500);
    let told = std::mem::take(&mut *seen.lock());
    let said: String = told
        .iter()
        .filter_map(|(_, what)| if let Happening::Serial(text) = what { Some(text.as_str()) } else { None })
        .collect();
    assert!(said.contains(GREETING), "{said}");
    assert!(told.iter().filter(|(_, what)| matches!(what, Happening::Screen(_))).count() > 2);
    assert!(told.iter().all(|(at, _)| at.0 % Span::ms(5).0 == 0), "it looks every 5 ms");
    board.forget(number);
    pass(&mut board, 500);
    assert!(seen.lock().is_empty());
}

#[test]
fn waiting_ends_when_it_happens_or_when_the_time_is_over() {
    let mut board = board();
    let ended: Arc<Mutex<Vec<(Time, bool)>>> = Arc::default();
    let waiter = |ended: &Arc<Mutex<Vec<(Time, bool)>>>| {
        let ended = ended.clone();
        Box::new(move |at, met| ended.lock().push((at, met)))
    };
    let greeting = Condition::Serial("nRF52833!".into());
    board.wait(Some(greeting), Span::secs(2), None, waiter(&ended)).expect("few wait");
    pass(&mut board, 400);
    assert!(matches!(ended.lock()[..], [(at, true)] if at < Time::ZERO + Span::ms(400)));
    board.wait(Some(Condition::Powered(false)), Span::ms(33), None, waiter(&ended)).expect("few wait");
    let begun = board.now();
    pass(&mut board, 100);
    assert_eq!(ended.lock()[1], (begun + Span::ms(33), false));
}

#[test]
fn watching_does_not_change_what_happens() {
    let run = |watched: bool| {
        let mut board = board();
        let hash = Arc::new(Mutex::new(twinboard_sim::trace::TraceHash::default()));
        board.board.add_sink(Box::new(hash.clone()));
        if watched {
            board.watch(vec![What::Screen, What::Serial, What::Incidents], Box::new(|_, _| true)).expect("few watch");
        }
        board.act(&press(30)).expect("a button");
        pass(&mut board, 300);
        let hash = *hash.lock();
        (hash, board.rows())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn what_cannot_be_done_is_told_with_what_can() {
    let mut board = board();
    let mut error = |action: Action| board.act(&action).expect_err("cannot be done").to_string();
    let button = Action::Press { button: "C".into(), ms: None };
    assert_eq!(error(button), "there is no button C; this board has A, B, logo, reset");
    assert!(
        error(Action::Pin { name: "X".into(), set: PinSetting::Low })
            .starts_with("there is no wire X; this board has UART_TO_TARGET, ")
    );
    assert_eq!(
        error(Action::Tilt { right: f64::NAN, up: 0.0 }),
        "right: an angle from -360 to 360 degrees was expected, not NaN"
    );
    assert_eq!(error(Action::Temperature { celsius: 300.0 }), "celsius: -40 to 105 degrees was expected, not 300");
    assert_eq!(error(press(4_000_000)), "ms: at most 3600000 ms was expected, not 4000000");
    assert!(error(Action::Gesture { name: "wave".into() }).ends_with("was expected as a gesture, not wave"));
}
