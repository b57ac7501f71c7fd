//! The GDB server, spoken to over TCP as GDB does, with a Cortex-M4F behind it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use twinboard_sim::bus::{BusFault, Size};
use twinboard_sim::cpu::arm::config::M4F;
use twinboard_sim::cpu::arm::{Core, ResetKind};
use twinboard_sim::cpu::memory::{Kind, Memory};
use twinboard_sim::cpu::{Cpu, Mmio, MmioContext, Stop};
use twinboard_sim::gdb::GdbServer;

/// The first instruction.
const START: u32 = 0x40;
/// The first instruction of the loop.
const LOOP: u32 = START + 6;
/// What the loop writes to and reads from.
const COUNTER: u32 = 0x2000_0000;

/// Counts in R0 and in memory.
const PROGRAM: [u16; 7] = [
    0x2000, // movs r0, #0
    0x2120, // movs r1, #0x20
    0x0609, // lsls r1, r1, #24
    0x3001, // loop: adds r0, #1
    0x6008, // str r0, [r1]
    0x680A, // ldr r2, [r1]
    0xE7FB, // b loop
];

/// A chip without peripherals.
struct Chip {
    core: Core,
}

struct Nothing;

impl Mmio for Nothing {
    fn read(&mut self, _: &mut MmioContext<'_>, address: u32, _: Size) -> Result<u32, BusFault> {
        Err(BusFault { address })
    }
    fn write(&mut self, _: &mut MmioContext<'_>, address: u32, _: Size, _: u32) -> Result<(), BusFault> {
        Err(BusFault { address })
    }
    fn event(&mut self, _: &mut MmioContext<'_>) {}
}

impl Chip {
    fn new() -> Chip {
        let mut memory = Memory::default();
        memory.add(Kind::Flash, 0, 0x1000, 0xFF);
        memory.add(Kind::Ram, COUNTER, 0x1000, 0);
        memory.write(0, Size::Word, COUNTER + 0x1000);
        memory.write(4, Size::Word, START | 1);
        for (address, code) in (START..).step_by(2).zip(PROGRAM) {
            memory.write(address, Size::Half, code.into());
        }
        Chip { core: Core::new(M4F, memory) }
    }

    fn run(&mut self, cycles: u64) {
        let until = self.core.cycle() + cycles;
        while self.core.cycle() < until {
            if self.core.run(&mut Nothing, until) == Stop::Reset {
                self.core.reset(ResetKind::System);
            }
        }
    }
}

/// GDB's end of the socket.
struct Gdb(TcpStream);

impl Gdb {
    fn connect(address: SocketAddr) -> Gdb {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out can be set");
        Gdb(stream)
    }

    fn send(&mut self, packet: &str) {
        let sum = packet.bytes().fold(0u8, u8::wrapping_add);
        self.0.write_all(format!("${packet}#{sum:02x}").as_bytes()).expect("the server reads");
    }

    /// The next packet, acknowledged.
    fn receive(&mut self) -> String {
        let mut byte = [0];
        let mut text = Vec::new();
        while byte[0] != b'$' {
            self.0.read_exact(&mut byte).expect("the server answers");
        }
        loop {
            self.0.read_exact(&mut byte).expect("the packet has an end");
            if byte[0] == b'#' {
                break;
            }
            // Run-length encoding: the last character, and how often more.
            if text.last() == Some(&b'*') {
                text.pop();
                let last = *text.last().expect("something is repeated");
                text.extend(std::iter::repeat_n(last, usize::from(byte[0] - 29)));
            } else {
                text.push(byte[0]);
            }
        }
        self.0.read_exact(&mut [0; 2]).expect("the packet has a checksum");
        self.0.write_all(b"+").expect("the server reads");
        String::from_utf8(text).expect("packets here are text")
    }

    fn ask(&mut self, packet: &str) -> String {
        self.send(packet);
        self.receive()
    }
}

/// Runs `gdb` against a chip that runs a hundred cycles between two polls; the chip as it is in the end.
fn with_chip(gdb: impl FnOnce(&mut Gdb) + Send) -> Chip {
    /// Set even if the checks in `gdb` fail, so that the loop below ends.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let mut server = GdbServer::bind("127.0.0.1:0").expect("a port is free");
    let address = server.address();
    let done = AtomicBool::new(false);
    let mut chip = Chip::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let _done = Done(&done);
            gdb(&mut Gdb::connect(address));
        });
        let mut drive = |chip: &mut Chip| {
            chip.run(100);
            server.poll(&mut chip.core.attach(&mut Nothing));
        };
        while !done.load(Ordering::Relaxed) {
            drive(&mut chip);
        }
        // GDB has gone: the session's end comes as a last request.
        let deadline = Instant::now() + Duration::from_secs(5);
        while chip.core.attach(&mut Nothing).halted() && Instant::now() < deadline {
            drive(&mut chip);
        }
    });
    chip
}

fn word(hex: &str) -> u32 {
    u32::from_str_radix(hex, 16).unwrap_or_else(|_| panic!("eight digits, not {hex}")).swap_bytes()
}

impl Gdb {
    fn register(&mut self, number: u32) -> u32 {
        word(&self.ask(&format!("p{number:x}")))
    }
}

#[test]
fn description_tells_the_m_profile_with_fpu() {
    with_chip(|gdb| {
        assert!(gdb.ask("qSupported:xmlRegisters=arm").contains("qXfer:features:read+"));
        let xml = gdb.ask("qXfer:features:read:target.xml:0,fff");
        assert!(xml.contains("org.gnu.gdb.arm.m-profile"), "{xml}");
        assert!(xml.contains("basepri") && xml.contains("org.gnu.gdb.arm.vfp"), "{xml}");
    });
}

#[test]
fn connecting_halts_the_core_and_leaving_lets_it_go() {
    let mut chip = with_chip(|gdb| {
        gdb.ask("?");
        let first = gdb.register(0);
        thread::sleep(Duration::from_millis(20));
        assert_eq!(gdb.register(0), first, "R0 counts while the core runs");
    });
    assert!(!chip.core.attach(&mut Nothing).halted());
}

#[test]
fn registers_are_read_and_written_one_by_one_and_all_at_once() {
    with_chip(|gdb| {
        gdb.ask("?");
        assert_eq!(gdb.ask("P3=78563412"), "OK");
        assert_eq!(gdb.register(3), 0x1234_5678);
        // BASEPRI is register 21 of the description; the M4F here has three priority bits.
        assert_eq!(gdb.ask("P15=e0000000"), "OK");
        // d1 is S2 and S3; doubles begin at 23.
        assert_eq!(gdb.ask("P18=efcdab8967452301"), "OK");
        let all = gdb.ask("g");
        let register = |index: usize| word(&all[8 * index..8 * index + 8]);
        assert_eq!(register(3), 0x1234_5678);
        assert_eq!(register(13), COUNTER + 0x1000);
        assert_eq!(register(16) & 1 << 24, 1 << 24, "xPSR.T");
        assert_eq!(register(21), 0xE0);
        assert_eq!((register(25), register(26)), (0x89AB_CDEF, 0x0123_4567));
        assert_eq!(gdb.ask("p99"), "E79");
    });
}

#[test]
fn memory_reads_stop_at_its_end() {
    with_chip(|gdb| {
        gdb.ask("?");
        assert_eq!(gdb.ask("M20000101,5:0102030405"), "OK");
        assert_eq!(gdb.ask("m20000100,7"), "00010203040500");
        assert_eq!(gdb.ask("m40,4"), "00202021");
        assert_eq!(gdb.ask("mfff,8"), "ff");
        assert_eq!(gdb.ask("m50000000,4"), "E79");
        assert_eq!(gdb.ask("M50000000,1:00"), "E79");
    });
}

#[test]
fn a_breakpoint_ends_continue_before_its_instruction() {
    with_chip(|gdb| {
        gdb.ask("?");
        assert_eq!(gdb.ask(&format!("Z1,{:x},2", LOOP + 2)), "OK");
        assert_eq!(gdb.ask("vCont;c")[..3], *"S05");
        assert_eq!(gdb.register(15), LOOP + 2);
        // GDB steps over its breakpoints without them.
        let count = gdb.register(0);
        assert_eq!(gdb.ask(&format!("z1,{:x},2", LOOP + 2)), "OK");
        assert_eq!(gdb.ask("vCont;s:1")[..3], *"S05");
        assert_eq!(gdb.ask(&format!("Z1,{:x},2", LOOP + 2)), "OK");
        assert_eq!(gdb.ask("vCont;c")[..3], *"S05");
        assert_eq!((gdb.register(15), gdb.register(0)), (LOOP + 2, count + 1));
    });
}

#[test]
fn breakpoints_go_with_the_session() {
    let mut chip = with_chip(|gdb| {
        gdb.ask("?");
        assert_eq!(gdb.ask(&format!("Z0,{LOOP:x},2")), "OK");
    });
    chip.run(1000);
    assert!(!chip.core.attach(&mut Nothing).halted());
}

#[test]
fn a_step_is_one_instruction() {
    with_chip(|gdb| {
        gdb.ask("?");
        assert_eq!(gdb.ask(&format!("Z1,{LOOP:x},2")), "OK");
        gdb.ask("vCont;c");
        assert_eq!(gdb.ask(&format!("z1,{LOOP:x},2")), "OK");
        let before = gdb.register(0);
        assert_eq!(gdb.ask("vCont;s:1")[..3], *"S05");
        assert_eq!((gdb.register(15), gdb.register(0)), (LOOP + 2, before + 1));
    });
}

#[test]
fn watchpoints_tell_what_was_accessed() {
    with_chip(|gdb| {
        gdb.ask("?");
        assert_eq!(gdb.ask(&format!("Z2,{COUNTER:x},4")), "OK");
        assert!(gdb.ask("vCont;c").contains("watch:20000000;"));
        assert_eq!(gdb.register(15), LOOP + 4, "past the store");
        assert_eq!(gdb.ask(&format!("z2,{COUNTER:x},4")), "OK");
        assert_eq!(gdb.ask(&format!("Z3,{COUNTER:x},1")), "OK");
        assert!(gdb.ask("vCont;c").contains("rwatch:20000000;"));
        assert_eq!(gdb.register(15), LOOP + 6, "past the load");
    });
}

#[test]
fn ctrl_c_ends_continue() {
    with_chip(|gdb| {
        gdb.ask("?");
        gdb.send("vCont;c");
        thread::sleep(Duration::from_millis(20));
        gdb.0.write_all(&[3]).expect("the server reads");
        assert_eq!(gdb.receive()[..3], *"S02");
        let first = gdb.register(0);
        assert_eq!(gdb.register(0), first);
    });
}

#[test]
fn monitor_reset_stands_before_the_first_instruction() {
    with_chip(|gdb| {
        gdb.ask("?");
        let hex: String = "reset halt".bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut answer = gdb.ask(&format!("qRcmd,{hex}"));
        while answer.starts_with('O') && answer != "OK" {
            answer = gdb.receive();
        }
        assert_eq!(answer, "OK");
        assert_eq!((gdb.register(15), gdb.register(0)), (START, 0));
        // The halt was for the reset only.
        assert_eq!(gdb.ask(&format!("Z1,{LOOP:x},2")), "OK");
        assert_eq!(gdb.ask("vCont;c")[..3], *"S05");
        assert_eq!(gdb.register(15), LOOP);
    });
}

#[test]
fn closing_the_server_ends_a_session_that_waits() {
    let server = GdbServer::bind("127.0.0.1:0").expect("a port is free");
    let mut gdb = Gdb::connect(server.address());
    gdb.send("?");
    // Nobody polls; dropping must not hang, and the socket closes.
    drop(server);
    let mut rest = Vec::new();
    // A reset instead of an end of file is as good.
    let _ = gdb.0.read_to_end(&mut rest);
    assert!(!rest.contains(&b'T'), "no stop reason without a core");
}
