//! Lines of a control client, up to a board that does what they say: whatever the line, an error or an answer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twinboard_models::board::control::{Order, Request};
use twinboard_models::board::{BUILT_IN, BoardFile, PowerOn};
use twinboard_sim::machine::Machine;
use twinboard_sim::time::Span;

fuzz_target!(|input: &[u8]| {
    let requests = input.split(|&byte| byte == b'\n').take(16).filter_map(|line| match Request::parse(line) {
        Ok(request) => {
            assert_eq!(Request::parse(request.to_line().as_bytes()).as_ref(), Ok(&request));
            Some(request)
        }
        Err(error) => {
            assert!(error.column.is_none_or(|column| column <= line.len() + 1));
            None
        }
    });
    let mut requests = requests.peekable();
    if requests.peek().is_none() {
        return;
    }
    let (_, text) = BUILT_IN[0];
    let mut board = BoardFile::parse(text).and_then(|file| file.power_on(&PowerOn::default())).expect("built in");
    for request in requests {
        let before = board.now();
        match request.order {
            Order::Do(action) => drop(board.act(&action)),
            Order::Wait(wait) => {
                let _ = board.wait(wait.condition, Span::ms(wait.ms.into()), wait.from, Box::new(|_, _| {}));
            }
            Order::Watch(what) => drop(board.watch(what, Box::new(|_, _| true))),
        }
        assert_eq!(board.now(), before);
        board.advance(before + Span::us(200));
    }
});
