//! What is compared: a core's registers, and the two memories that both engines have.

use std::fmt::Write;

use crate::instructions::Profile;
use crate::random::Random;

/// Where programs lie, with room on both sides for literals.
pub const CODE: u32 = 0x0000_0000;
/// Length of the code memory.
pub const CODE_LEN: u32 = 0x4000;
/// Where a program or a single instruction starts.
pub const START: u32 = CODE + 0x2000;
/// Where loads and stores go.
pub const DATA: u32 = 0x2000_0000;
/// Length of the data memory.
pub const DATA_LEN: u32 = 0x1_0000;

/// The register that register-offset loads and stores use as offset: a small multiple of four.
pub const INDEX: usize = 5;
/// The registers that point into the data memory; templates never make them a destination.
pub const POINTERS: [usize; 3] = [6, 11, 13];

/// The bits of the APSR that exist: N, Z, C, V; Q on ARMv7-M; GE with the DSP extension.
pub fn apsr(profile: Profile) -> u32 {
    match profile {
        Profile::V6M => 0xF000_0000,
        Profile::V7M => 0xF800_0000,
        Profile::V7EMF => 0xF80F_0000,
    }
}

/// Registers as a program sees them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// R0 to R15; the PC with bit 0 clear.
    pub r: [u32; 16],
    /// N, Z, C, V, Q, GE at their places.
    pub apsr: u32,
    /// FPSCR, zero without an FPU.
    pub fpscr: u32,
    /// S0 to S31, zero without an FPU.
    pub s: [u32; 32],
}

impl State {
    /// A random state at `START`, with pointers where loads and stores may go.
    pub fn random(random: &mut Random, profile: Profile) -> State {
        let mut state = State { r: [0; 16], apsr: 0, fpscr: 0, s: [0; 32] };
        state.r = std::array::from_fn(|_| random.word());
        for pointer in POINTERS {
            state.r[pointer] = DATA + DATA_LEN / 2 + (random.below(64) * 4);
        }
        state.r[INDEX] = random.below(16) * 4;
        state.r[15] = START;
        state.apsr = random.next() & apsr(profile);
        if profile == Profile::V7EMF {
            state.fpscr = random.fpscr();
            state.s = std::array::from_fn(|_| random.single());
        }
        state
    }

    /// The differences to `other`, one per line; empty if there are none.
    pub fn differences(&self, other: &State) -> String {
        let mut text = String::new();
        let mut line = |name: String, ours: u32, theirs: u32| {
            if ours != theirs {
                writeln!(text, "    {name}: ours {ours:#010x}, Unicorn {theirs:#010x}").expect("strings take all");
            }
        };
        for (i, (ours, theirs)) in self.r.iter().zip(other.r).enumerate() {
            line(format!("r{i}"), *ours, theirs);
        }
        line("apsr".into(), self.apsr, other.apsr);
        line("fpscr".into(), self.fpscr, other.fpscr);
        for (i, (ours, theirs)) in self.s.iter().zip(other.s).enumerate() {
            line(format!("s{i}"), *ours, theirs);
        }
        text
    }
}
