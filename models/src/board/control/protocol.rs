//! The lines of the control socket: one JSON object each.
//!
//! The server greets with [`Hello`]. Then the client sends [`Request`]s, and each gets exactly one [`Response`], in
//! order. Watches add [`Event`]s in between.

use serde::{Deserialize, Serialize};
use twinboard_sim::time::Time;

use super::MAX_MS;
use super::action::{Action, Answer};
use super::look::{Condition, Happening, What};

/// The protocol's version. It counts up when a client of the version before would be misunderstood; new actions,
/// answers and fields of answers do not count.
pub const VERSION: u32 = 1;

/// The longest line of a client, in bytes without its end.
pub const MAX_LINE: usize = 64 << 10;

/// The server's first line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    #[serde(rename = "twinboard-control")]
    pub version: u32,
    /// The boards, in the order of their numbers.
    pub boards: Vec<BoardName>,
}

/// A board of a server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BoardName {
    /// What requests call it; boards of one kind are told apart by a number behind the name.
    pub name: String,
    /// Name for people.
    pub title: String,
}

/// Names a board of a server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BoardRef {
    /// By its number, from 0.
    Number(usize),
    /// By its name.
    Name(String),
}

/// A line of a client.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    board: Option<BoardRef>,
    #[serde(default, rename = "do", skip_serializing_if = "Option::is_none")]
    action: Option<Action>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wait: Option<Wait>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watch: Option<Vec<What>>,
}

/// What a client asks.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// Comes back with the response.
    pub id: Option<u64>,
    /// Which board; may be left out if there is one.
    pub board: Option<BoardRef>,
    /// What is to be done.
    pub order: Order,
}

/// What is to be done.
#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    /// Do something now.
    Do(Action),
    /// Wait, in the board's time.
    Wait(Wait),
    /// Tell of what happens from now on, until the connection ends.
    Watch(Vec<What>),
}

/// Waiting, in the board's time.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// For what; if not given, for the time alone.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// At the longest for so many milliseconds.
    pub ms: u32,
    /// A text that is waited for may have come before: it counts from this byte on, of those that `serial` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
}

/// A line that is no request.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// What is wrong with it, and what was expected.
    pub message: String,
    /// Where, as a byte of the line from 1; none if it concerns the line as a whole.
    pub column: Option<usize>,
}

impl Request {
    /// Reads a line without its end.
    ///
    /// # Errors
    /// [`RequestError`], with the place.
    pub fn parse(line: &[u8]) -> Result<Request, RequestError> {
        let whole = |message: String| RequestError { message, column: None };
        if line.len() > MAX_LINE {
            return Err(whole(format!("a line of at most {MAX_LINE} bytes was expected")));
        }
        let text = std::str::from_utf8(line).map_err(|error| RequestError {
            message: "UTF-8 was expected".into(),
            column: Some(error.valid_up_to() + 1),
        })?;
        let line: RequestLine = serde_json::from_str(text).map_err(|error| {
            // The place goes into a field of its own.
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or(&message).to_string();
            RequestError { message, column: Some(error.column()) }
        })?;
        let order = match (line.action, line.wait, line.watch) {
            (Some(action), None, None) => Order::Do(action),
            (None, Some(wait), None) => Order::Wait(wait),
            (None, None, Some(watch)) => Order::Watch(watch),
            _ => return Err(whole("one of do, wait and watch was expected".into())),
        };
        if let Order::Wait(Wait { ms, .. }) = order
            && ms > MAX_MS
        {
            return Err(whole(format!("wait: at most {MAX_MS} ms were expected, not {ms}")));
        }
        Ok(Request { id: line.id, board: line.board, order })
    }

    /// The line, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut line = RequestLine { id: self.id, board: self.board.clone(), ..RequestLine::default() };
        match self.order.clone() {
            Order::Do(action) => line.action = Some(action),
            Order::Wait(wait) => line.wait = Some(wait),
            Order::Watch(watch) => line.watch = Some(watch),
        }
        // Strings and numbers; nothing of it can fail to be written.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// Why a request was not done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failed {
    /// What is wrong, and what was expected.
    pub message: String,
    /// Where in the request's line, as a byte from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// The server's line for a request.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Response {
    /// The request's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The board's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// The board's time when it was done, in nanoseconds since power was first applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ns: Option<u64>,
    /// The answer, if it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<Answer>,
    /// Why it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failed>,
}

/// The server's line for something that was watched.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// The id of the request that watches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The board's name.
    pub board: String,
    /// The board's time when it was seen, in nanoseconds.
    pub time_ns: u64,
    /// What was seen.
    pub event: Happening,
}

/// A line of the server.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Message {
    /// The first one.
    Hello(Hello),
    /// Something that was watched.
    Event(Event),
    /// The response to a request.
    Response(Response),
}

impl Message {
    /// The line, with its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        // As with requests, nothing can fail.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// A board's time as lines have it.
#[must_use]
pub fn nanoseconds(time: Time) -> u64 {
    time.0 / 1_000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(line: &str) -> (String, Option<usize>) {
        let error = Request::parse(line.as_bytes()).expect_err("is no request");
        (error.message, error.column)
    }

    #[test]
    fn requests_read_as_documented() {
        let request = Request::parse(br#"{"id":7,"board":0,"do":{"press":{"button":"A","ms":200}}}"#).expect("valid");
        let press = Action::Press { button: "A".into(), ms: Some(200) };
        assert_eq!(request, Request { id: Some(7), board: Some(BoardRef::Number(0)), order: Order::Do(press) });
        let request = Request::parse(br#"{"do":{"battery":{"on":true}}}"#).expect("valid");
        assert_eq!(request.order, Order::Do(Action::Battery { on: true, mv: None }));
        let request = Request::parse(br#"{"do":"screen"}"#).expect("valid");
        assert_eq!(request.order, Order::Do(Action::Screen));
        let request = Request::parse(br#"{"board":"x","wait":{"for":{"serial":">>> "},"ms":5000}}"#).expect("valid");
        assert_eq!(
            request.order,
            Order::Wait(Wait { condition: Some(Condition::Serial(">>> ".into())), ms: 5000, from: None })
        );
        let request = Request::parse(br#"{"watch":["screen","serial"]}"#).expect("valid");
        assert_eq!(request.order, Order::Watch(vec![What::Screen, What::Serial]));
    }

    #[test]
    fn mistakes_are_told_with_place_and_expectation() {
        assert_eq!(error(r#"{"do":"jump"}"#).1, Some(12));
        assert!(error(r#"{"do":"jump"}"#).0.starts_with("unknown variant `jump`, expected one of `press`, "));
        assert_eq!(error(r#"{"do":{"press":{"button":"A","mss":1}}}"#).1, Some(34));
        assert_eq!(error("{}").0, "one of do, wait and watch was expected");
        assert_eq!(error(r#"{"do":"screen","watch":["screen"]}"#).0, "one of do, wait and watch was expected");
        assert_eq!(error(r#"{"wait":{"ms":3600001}}"#).0, "wait: at most 3600000 ms were expected, not 3600001");
        assert_eq!(error(r#"{"do":{"light":{"level":256}}}"#).0, "invalid value: integer `256`, expected u8");
        assert!(Request::parse(b"{\"do\":\"\xff\"}").is_err_and(|error| error.column == Some(8)));
        assert!(Request::parse(&vec![b' '; MAX_LINE + 1]).is_err());
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_and_never_a_panic(line: Vec<u8>, text in r#"\{"(do|wait|watch)":[\{\["a-z:0-9\.eE\-,]*"#) {
            let _ = Request::parse(&line);
            let _ = Request::parse(text.as_bytes());
        }

        #[test]
        fn what_is_written_reads_back(id: Option<u64>, ms in 0..MAX_MS, text: String, right in -720..720) {
            for order in [
                Order::Do(Action::Send { text: text.clone(), baud: None }),
                Order::Do(Action::Tilt { right: f64::from(right) / 4.0, up: 0.0 }),
                Order::Do(Action::Power { on: true }),
                Order::Wait(Wait { condition: Some(Condition::Serial(text.clone())), ms, from: id }),
                Order::Watch(vec![What::Incidents]),
            ] {
                let request = Request { id, board: Some(BoardRef::Name(text.clone())), order };
                prop_assert_eq!(Request::parse(request.to_line().as_bytes()), Ok(request));
            }
        }
    }
}
