//! Clients, good and bad, of a board that runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use twinboard_sim::pace::ClockMode;
use twinboard_usbip::server::Server;

use super::*;
use crate::cli::BoardOptions;
use crate::setup;

/// A control server with `count` boards behind it.
struct Bench {
    control: Option<ControlServer>,
    path: PathBuf,
    _dir: tempfile::TempDir,
    boards: Vec<(BoardName, Arc<Exported<Desk>>)>,
}

impl Bench {
    fn new(count: usize) -> Bench {
        let server = Server::new(|_| {});
        let names = vec!["microbit-v2".to_string(); count];
        let boards: Vec<_> = setup::power_on_all(&names, &BoardOptions::default())
            .expect("built in")
            .into_iter()
            .map(|desk| {
                let name = BoardName { name: desk.powered.name.clone(), title: desk.powered.title.clone() };
                (name, Arc::new(server.export("board", desk, ClockMode::Elastic, None).expect("a thread")))
            })
            .collect();
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("control");
        let endpoint = Endpoint::Unix(path.clone());
        let control = ControlServer::start(&endpoint, Boards::new(boards.iter().cloned())).expect("free");
        Bench { control: Some(control), path, _dir: dir, boards }
    }

    fn client(&self) -> Client {
        Client::new(&self.path)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.control = None;
        for (_, board) in &self.boards {
            board.stop();
        }
    }
}

struct Client {
    input: BufReader<UnixStream>,
    output: UnixStream,
    hello: Value,
}

impl Client {
    fn new(path: &Path) -> Client {
        let output = UnixStream::connect(path).expect("somebody listens");
        output.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        let input = BufReader::new(output.try_clone().expect("a descriptor"));
        let mut client = Client { input, output, hello: Value::Null };
        client.hello = client.receive();
        client
    }

    fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.input.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }

    fn send(&mut self, line: &[u8]) {
        self.output.write_all(line).and_then(|()| self.output.write_all(b"\n")).expect("is taken");
    }

    fn ask(&mut self, line: &str) -> Value {
        self.send(line.as_bytes());
        self.receive()
    }
}

#[test]
fn a_request_is_answered_with_its_number_the_board_and_its_time() {
    let bench = Bench::new(1);
    let mut client = bench.client();
    assert_eq!(client.hello["twinboard-control"], 1);
    assert_eq!(client.hello["boards"][0]["name"], "microbit-v2");
    let first = client.ask(r#"{"id":7,"do":{"press":{"button":"A"}}}"#);
    assert_eq!((&first["id"], &first["board"], &first["ok"]), (&7.into(), &"microbit-v2".into(), &"done".into()));
    let info = client.ask(r#"{"do":"info"}"#);
    assert_eq!(info["ok"]["info"]["pressed"][0], "A");
    assert!(info["time_ns"].as_u64() >= first["time_ns"].as_u64());
    let waited = client.ask(r#"{"wait":{"ms":20}}"#);
    assert!(waited["time_ns"].as_u64() >= info["time_ns"].as_u64().map(|time| time + 20_000_000), "{waited}");
}

#[test]
fn boards_of_one_kind_have_names_of_their_own() {
    let bench = Bench::new(2);
    let mut client = bench.client();
    assert_eq!(client.hello["boards"][1]["name"], "microbit-v2-1");
    let expected = "the name or number of a board was expected: 0 = microbit-v2-0, 1 = microbit-v2-1";
    assert_eq!(client.ask(r#"{"do":"screen"}"#)["error"]["message"], expected);
    assert_eq!(client.ask(r#"{"board":"microbit-v2-1","do":"unplug"}"#)["ok"], "done");
    assert_eq!(client.ask(r#"{"board":0,"do":"info"}"#)["ok"]["info"]["powered"], true);
    assert_eq!(client.ask(r#"{"board":1,"do":"info"}"#)["ok"]["info"]["powered"], false);
    let unknown = "there is no board 2: 0 = microbit-v2-0, 1 = microbit-v2-1";
    assert_eq!(client.ask(r#"{"board":2,"do":"info"}"#)["error"]["message"], unknown);
}

#[test]
fn nonsense_is_refused_line_by_line_and_the_client_may_go_on() {
    let bench = Bench::new(1);
    let mut client = bench.client();
    for nonsense in [&b"{"[..], b"\xff\xfe", b"[]", b"{\"do\":{\"screen\":1}}", &vec![b'x'; 1 << 20]] {
        client.send(nonsense);
        let answer = client.receive();
        assert!(answer["error"]["message"].is_string() && answer.get("ok").is_none(), "{answer}");
    }
    assert_eq!(client.ask(r#"{"do":"info"}"#)["ok"]["info"]["name"], "microbit-v2");
}

#[test]
fn clients_that_do_not_read_or_leave_in_the_middle_hold_nobody_up() {
    let bench = Bench::new(1);
    // Watches everything and reads nothing.
    let mut deaf = bench.client();
    deaf.send(br#"{"watch":["screen","serial","incidents"]}"#);
    // Asks for more than it will ever fetch.
    let mut greedy = bench.client();
    greedy.output.set_nonblocking(true).expect("a socket");
    for _ in 0..10_000 {
        if greedy.output.write(b"{\"do\":\"info\"}\n").is_err() {
            break;
        }
    }
    for line in [&b"{\"wait\":{\"ms\":3600000}}\n"[..], b"{\"do\":", b"{\"watch\":[\"screen\"]}\n"] {
        let mut leaving = bench.client();
        leaving.output.write_all(line).expect("is taken");
    }
    let mut client = bench.client();
    for _ in 0..20 {
        assert_eq!(client.ask(r#"{"wait":{"ms":5}}"#)["ok"], "met");
    }
}

#[test]
fn events_come_after_the_response_to_their_request_with_its_number() {
    let bench = Bench::new(1);
    let mut client = bench.client();
    assert_eq!(client.ask(r#"{"id":3,"do":"screen"}"#)["id"], 3);
    // Enough of them at once that the threads of the board and of its clients meet in any order.
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                let mut client = bench.client();
                for id in 0..20 {
                    client.send(format!(r#"{{"id":{id},"watch":["screen"]}}"#).as_bytes());
                    let of_this_one = |line: &Value| line["id"] == id;
                    let first = std::iter::repeat_with(|| client.receive()).find(of_this_one).expect("it never ends");
                    assert_eq!(first["ok"], "watching", "{first}");
                    let second = std::iter::repeat_with(|| client.receive()).find(of_this_one).expect("it never ends");
                    assert!(second["event"]["screen"][0].is_string(), "{second}");
                }
            });
        }
    });
}

#[test]
fn the_end_of_the_server_is_the_end_of_every_connection() {
    let mut bench = Bench::new(1);
    let mut client = bench.client();
    bench.control = None;
    assert!(!bench.path.exists());
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = client.input.read_to_end(&mut rest);
    assert_eq!(rest, b"");
}

#[test]
fn a_board_that_has_stopped_says_so() {
    let bench = Bench::new(1);
    let mut client = bench.client();
    bench.boards[0].1.stop();
    assert_eq!(client.ask(r#"{"do":"info"}"#)["error"]["message"], "the board has stopped");
}
