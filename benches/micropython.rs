//! MicroPython on the whole board (interface firmware, host controller and target), clock free: how much faster than
//! the board's own time. A row per board and thing that it does.
//!
//! `cargo bench --bench micropython [FILTER]`. The image is not part of the repository; `tests/setup.sh` fetches it.

#[path = "../tests/in_process/images.rs"]
mod images;
#[path = "../tests/in_process/micropython.rs"]
mod micropython;

use micropython::{BOARDS, image, power_on};
use rustix::time::{ClockId, clock_gettime};
use twinboard_models::board::Powered;
use twinboard_sim::board::Driver;
use twinboard_sim::time::Span;
use twinboard_usbip::host::Host;
use twinboard_usbip::host::copy::WriteOrder;
use twinboard_usbip::host::serial::LineCoding;

/// Records, lists, strings, calls and arithmetic, in the manner of pystone.
const PYSTONE: &str = "\
class Record:
 def __init__(self, next, kind, value):
  self.next = next
  self.kind = kind
  self.value = value
 def copy(self):
  return Record(self.next, self.kind, self.value)
def identity(a, b):
 return a if a == b else b
def array(a, b, i, v):
 a[i] = v
 a[i + 1] = a[i]
 for k in range(i, i + 2):
  b[k % 5][k % 5] = i
 b[i % 5][(i - 1) % 5] += 1
def turn(n):
 first = Record(None, 0, 1)
 a = [0] * 20
 b = [[0] * 5 for k in range(5)]
 text = 'PROGRAM, 1ST'
 for i in range(n):
  second = first.copy()
  second.next = None
  second.value = i * 3 % 7
  first.next = second
  array(a, b, i % 17, i)
  if identity(text[i % 12], 'R') == 'R':
   text = 'PROGRAM, 2ND'
  first.kind = (first.kind + second.value) & 255
 return first.kind
while True:
 turn(200)
";

/// Enumerates the board, opens its port, and waits for the REPL's prompt.
fn connect(powered: Powered) -> Host<Powered> {
    let mut host = Host::new(powered);
    host.enumerate().expect("enumerates");
    let mut serial = host.serial().expect("a serial port");
    serial.set_line_coding(LineCoding::new(115_200)).expect("takes it");
    // The banner may have come before anybody listened: Enter makes another prompt.
    let mut said = serial.read_until(b">>> ", Span::secs(3)).expect("is open");
    if said.is_empty() {
        serial.write(b"\r", Span::secs(1)).expect("is taken");
        said = serial.read_until(b">>> ", Span::secs(1)).expect("is open");
    }
    let said = String::from_utf8_lossy(&said);
    assert!(said.ends_with(">>> "), "{said:?}");
    host
}

/// Types `line` and gives what comes back up to the next prompt.
fn say(host: &mut Host<Powered>, line: &str, within: Span) -> String {
    let mut serial = host.serial().expect("a serial port");
    serial.write(format!("{line}\r").as_bytes(), Span::secs(1)).expect("is taken");
    String::from_utf8_lossy(&serial.read_until(b"\n>>> ", within).expect("is open")).into_owned()
}

/// Gives `script` to the REPL's paste mode, which runs it.
fn paste(host: &mut Host<Powered>, script: &str) {
    let mut serial = host.serial().expect("a serial port");
    serial.write(b"\x05", Span::secs(1)).expect("is taken");
    let mode = serial.read_until(b"=== ", Span::secs(1)).expect("is open");
    assert!(mode.ends_with(b"=== "), "{}", String::from_utf8_lossy(&mode));
    for line in script.lines() {
        // The target's receive buffer is small; a person's terminal waits for the echo as well.
        serial.write(format!("{line}\r").as_bytes(), Span::secs(1)).expect("is taken");
        serial.read_until(b"=== ", Span::secs(2)).expect("is open");
    }
    serial.write(b"\x04", Span::secs(1)).expect("is taken");
}

/// Processor time of this process, in seconds: other work on the computer does not count.
fn processor() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Lets the board run for `span`, three times; the fastest of them, as a ratio to the board's own time.
fn ratio(host: &mut Host<Powered>, span: Span) -> f64 {
    let run = |_| {
        let start = processor();
        host.sleep(span);
        processor() - start
    };
    span.as_secs_f64() / (0..3).map(run).fold(f64::INFINITY, f64::min)
}

fn main() {
    let filter: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| filter.is_empty() || filter.iter().any(|f| name.contains(f.as_str()));
    println!("{:<32}{:>16}", "MicroPython", "× real time");
    for &board in BOARDS {
        let (Some(file), Some(image)) = (images::official(images::MICROPYTHON), image(board)) else { continue };
        let show = |what: &str, ratio: f64| println!("{:<32}{ratio:>16.1}", format!("{} {what}", board.name));
        if wanted("boot") {
            let start = processor();
            let host = connect(power_on(board, &image, Driver::Stepped, false));
            let seconds = host.now().0 as f64 / 1e12;
            show("boots to its prompt", seconds / (processor() - start));
        }
        if wanted("drop") {
            let mut host = Host::new(power_on(board, &image, Driver::Stepped, false));
            host.enumerate().expect("enumerates");
            let (start, virtual_start) = (processor(), host.now());
            let drive = host.drive().expect("a drive").copy("micropython.hex", &file, WriteOrder::LinuxUmount);
            assert!(drive.expect("a copy").is_success());
            let (took, virtual_took) = (processor() - start, Span(host.now().0 - virtual_start.0).as_secs_f64());
            show("drop of the Universal Hex", virtual_took / took);
            println!("  {} bytes in {took:.2} s; in the board's own time {virtual_took:.1} s", file.len());
        }
        let mut host = connect(power_on(board, &image, Driver::Stepped, false));
        if wanted("idle") {
            host.sleep(Span::ms(100));
            show("idle at its prompt", ratio(&mut host, Span::secs(10)));
        }
        if wanted("sleeping") {
            say(&mut host, "from microbit import *", Span::secs(1));
            let mut serial = host.serial().expect("a serial port");
            serial.write(b"sleep(100000)\r", Span::secs(1)).expect("is taken");
            host.sleep(Span::ms(100));
            show("sleeping", ratio(&mut host, Span::secs(10)));
            host.serial().expect("a serial port").write(b"\x03", Span::secs(1)).expect("is taken");
            host.sleep(Span::ms(100));
        }
        if wanted("computing") {
            paste(&mut host, PYSTONE);
            host.sleep(Span::ms(100));
            let computing = ratio(&mut host, Span::secs(5));
            // Only a script that was still running can be interrupted.
            let mut serial = host.serial().expect("a serial port");
            serial.write(b"\x03", Span::secs(1)).expect("is taken");
            let said = serial.read_until(b"KeyboardInterrupt", Span::secs(1)).expect("is open");
            if said.ends_with(b"KeyboardInterrupt") {
                show("computing", computing);
            } else {
                println!("{} did not run the script: {:?}", board.name, String::from_utf8_lossy(&said));
            }
        }
    }
}
