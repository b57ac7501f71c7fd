//! Two boards in one room: MicroPython's `radio` module, with the program's own drivers on both sides.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use twinboard_models::board::{BoardFile, PowerOn, Powered, Room};
use twinboard_models::image::{Image, MICROBIT_V1, MICROBIT_V2};
use twinboard_sim::bus::Size;
use twinboard_sim::debug::DebugTarget;
use twinboard_sim::machine::Machine;
use twinboard_sim::time::{Span, Time};
use twinboard_sim::trace::TraceHash;
use twinboard_sim::usb::UsbPort;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::serial::LineCoding;

use crate::images;

/// A room with a host at each of its sockets.
#[derive(Clone)]
struct Shared(Arc<Mutex<Room>>);

impl Machine for Shared {
    fn now(&self) -> Time {
        self.0.lock().now()
    }

    fn next_event(&self) -> Time {
        self.0.lock().next_event()
    }

    fn advance(&mut self, until: Time) {
        self.0.lock().advance(until);
    }

    fn ports(&self) -> usize {
        self.0.lock().ports()
    }

    fn with_port(&mut self, index: usize, f: &mut dyn FnMut(&mut dyn UsbPort)) {
        self.0.lock().with_port(index, f);
    }
}

/// Boards that run MicroPython, and a terminal at the REPL of each.
struct Class {
    terminals: Vec<Host<Shared>>,
    hashes: Vec<Arc<Mutex<TraceHash>>>,
}

impl Class {
    /// Boards with `settings`, at the raw REPL. None if the image is missing.
    fn new(boards: &[&str], settings: &[&str]) -> Option<Class> {
        let file = images::official(images::MICROPYTHON)?;
        let mut hashes = Vec::new();
        let boards = (0..).zip(boards).map(|(specimen, name)| {
            let mut powered = power_on(name, specimen, &file, settings);
            let hash = Arc::new(Mutex::new(TraceHash::default()));
            powered.board.add_sink(Box::new(hash.clone()));
            hashes.push(hash);
            powered
        });
        let room = Shared(Arc::new(Mutex::new(Room::new(boards.collect()))));
        let sockets = 0..room.ports();
        let terminals = sockets.map(|socket| {
            let mut host = Host::on_socket(room.clone(), socket);
            host.enumerate().expect("enumerates");
            host.serial().expect("a serial port").set_line_coding(LineCoding::new(115_200)).expect("takes it");
            host
        });
        let mut class = Class { terminals: terminals.collect(), hashes };
        for index in 0..class.terminals.len() {
            class.terminals[index].sleep(Span::secs(3));
            class.say(index, b"\x03", b">>> ", Span::secs(5));
            let greeting = class.say(index, b"\x01", b"exit\r\n>", Span::secs(1));
            assert!(greeting.contains("raw REPL"), "{greeting:?}");
            class.run(index, "import radio; radio.on()");
        }
        Some(class)
    }

    fn say(&mut self, index: usize, words: &[u8], until: &[u8], within: Span) -> String {
        let mut serial = self.terminals[index].serial().expect("a serial port");
        serial.write(words, Span::secs(1)).expect("is taken");
        let heard = serial.read_until(until, within).expect("is open");
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// What `code` prints on board `index`.
    fn run(&mut self, index: usize, code: &str) -> String {
        let heard = self.say(index, format!("{code}\x04").as_bytes(), b"\x04>", Span::secs(5));
        let parts: Vec<_> = heard.split('\x04').collect();
        match parts[..] {
            [out, "", ">"] if out.starts_with("OK") => out[2..].trim_end().to_string(),
            _ => panic!("{code} on board {index}: {heard:?}"),
        }
    }
}

fn power_on(name: &str, specimen: u32, universal_hex: &[u8], settings: &[&str]) -> Powered {
    let mut file = BoardFile::built_in(name).expect("built in");
    for setting in settings {
        file.set(setting).expect("a setting");
    }
    let ids = if name == "microbit-v1" { MICROBIT_V1 } else { MICROBIT_V2 };
    let image = Image::parse(Path::new(images::MICROPYTHON), universal_hex, ids, 0).expect("an image");
    file.power_on(&PowerOn { specimen, target: Some(&image), ..PowerOn::default() }).expect("can be built")
}

/// Both ways, with other groups and channels, and the strength.
fn converse(class: &mut Class) -> String {
    let mut told = String::new();
    for (from, to) in [(0, 1), (1, 0)] {
        class.run(from, "radio.send('hello')");
        assert_eq!(class.run(to, "print(radio.receive())"), "hello", "{from} to {to}");
        assert_eq!(class.run(to, "print(radio.receive())"), "None", "once");
        class.run(from, "radio.send_bytes(bytes(range(29)))");
        assert_eq!(class.run(to, "print(radio.receive_bytes() == bytes(range(29)))"), "True");
    }
    for (elsewhere, back) in [("group=5", "group=0"), ("channel=20", "channel=7"), ("address=1", "address=0x75626974")]
    {
        class.run(1, &format!("radio.config({elsewhere})"));
        class.run(0, "radio.send('hello')");
        assert_eq!(class.run(1, "print(radio.receive())"), "None", "{elsewhere}");
        class.run(1, &format!("radio.config({back})"));
    }
    class.run(0, "radio.send('strong')");
    told += &class.run(1, "print(radio.receive_full()[:2])");
    told
}

#[test]
fn two_boards_with_micropython_talk_by_radio_and_do_so_the_same_way_twice() {
    let mut traces = Vec::new();
    for _ in 0..2 {
        let Some(mut class) = Class::new(&["microbit-v2"; 2], &["target.radio_distance=10"]) else { return };
        // 0 dBm less 70 dB over 10 m; MicroPython's frames have three bytes of its own before the text.
        let full = converse(&mut class);
        assert!(full.contains("-70") && full.contains("strong"), "{full}");
        let hashes: Vec<_> = class.hashes.iter().map(|hash| *hash.lock()).collect();
        assert!(hashes.iter().all(|hash| hash.edges() > 100));
        traces.push((hashes, class.terminals[0].now()));
    }
    assert_eq!(traces[0], traces[1]);
}

#[test]
fn both_generations_understand_each_other() {
    let Some(mut class) = Class::new(&["microbit-v1", "microbit-v2"], &[]) else { return };
    for (from, to) in [(0, 1), (1, 0)] {
        class.run(from, "radio.send('hello')");
        assert_eq!(class.run(to, "print(radio.receive())"), "hello", "{from} to {to}");
    }
    class.run(0, "radio.config(group=9)");
    class.run(1, "radio.send('hello')");
    assert_eq!(class.run(0, "print(radio.receive())"), "None", "another group");
}

#[test]
fn the_set_part_of_the_packets_is_lost() {
    for (loss, few, many) in [("0.0", 20, 20), ("0.5", 4, 16), ("1.0", 0, 0)] {
        let loss = format!("target.radio_loss={loss}");
        let Some(mut class) = Class::new(&["microbit-v2"; 2], &[&loss]) else { return };
        class.run(1, "radio.config(queue=30)");
        class.run(0, "for i in range(20): radio.send(str(i))");
        class.run(1, "n = 0\nwhile radio.receive(): n += 1\n");
        let heard: u32 = class.run(1, "print(n)").parse().expect("a number");
        assert!((few..=many).contains(&heard), "{loss}: {heard}");
    }
}

#[test]
fn boards_that_are_too_far_apart_hear_nothing() {
    let Some(mut class) = Class::new(&["microbit-v2"; 2], &["target.radio_distance=200"]) else { return };
    class.run(0, "radio.send('hello')");
    assert_eq!(class.run(1, "print(radio.receive())"), "None");
}

/// Boards that run images, within earshot.
fn programs(boards: &[(&str, &str)]) -> Option<Room> {
    let boards =
        (0..).zip(boards).map(|(specimen, (name, file))| Some(power_on(name, specimen, &images::official(file)?, &[])));
    Some(Room::new(boards.collect::<Option<_>>()?))
}

fn run_to(room: &mut Room, end: Time) {
    while room.now() < end {
        room.advance(end);
    }
}

fn ram(board: &Powered) -> Vec<u32> {
    let mut chip = board.target().expect("a target").lock();
    let (now, len) = (board.now(), chip.table().ram);
    let words = (0..len / 4).map(|n| chip.mem_read(now, 0x2000_0000 + 4 * n, Size::Word).expect("RAM"));
    words.collect()
}

const REMOTE: &str = "ml-trainer--radio-remote-v0.2.1.hex";
const BRIDGE: &str = "ml-trainer--radio-bridge-v0.2.1.hex";

#[test]
fn it_does_not_matter_how_the_time_of_a_room_is_cut() {
    let end = Time::ZERO + Span::ms(1_500);
    let mut seen = Vec::new();
    for slice in [Span::secs(9), Span::us(10_001), Span::us(37)] {
        let Some(mut room) = programs(&[("microbit-v2", REMOTE), ("microbit-v2", BRIDGE)]) else { return };
        while room.now() < end {
            room.advance((room.now() + slice).min(end));
        }
        seen.push(room.boards().iter().map(ram).collect::<Vec<_>>());
    }
    assert!(seen[0] == seen[1] && seen[0] == seen[2]);
    // They are not deaf: without the remote, the bridge's memory is another.
    let Some(mut alone) = programs(&[("microbit-v2", BRIDGE)]) else { return };
    run_to(&mut alone, end);
    assert!(ram(&alone.boards()[0]) != seen[0][1]);
}

#[test]
fn a_makecode_receiver_shows_the_numbers_that_a_makecode_sender_sends() {
    // Two programs of other people's: one sends the number 4 all the time, the other shows numbers.
    let files =
        ["iMicroBit--microbit-Remote-Control-Micro-bot-Send.hex", "iMicroBit--chibibit-Temperature-receiver.hex"];
    let four = "00990\n09090\n90090\n99999\n00090\n";
    let screen_after = |boards: &[(&str, &str)]| {
        let mut room = programs(boards)?;
        run_to(&mut room, Time::ZERO + Span::secs(3));
        room.boards().last().and_then(Powered::screen)
    };
    let Some(screen) = screen_after(&[("microbit-v1", files[0]), ("microbit-v1", files[1])]) else { return };
    assert_eq!(screen, four);
    assert_ne!(screen_after(&[("microbit-v1", files[1])]).as_deref(), Some(four), "without a sender");
}
