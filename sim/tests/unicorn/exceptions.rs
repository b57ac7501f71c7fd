//! Entry to an exception and return from it, from random states.
//!
//! Unicorn has no NVIC: at SVC it calls a hook and at an undefined instruction it gives up, with the registers as the
//! instruction left them, and stacks nothing. So these registers are the oracle: the frame that our core stacks must
//! hold them, in the manual's order (ARM DDI 0403E, B1.5.6, B1.5.7), and when a handler that spoils everything it may
//! spoil has returned, all of them must be back.

use crate::instructions::Profile;
use crate::oracle::Oracle;
use crate::random::Random;
use crate::state::{CODE, DATA, START, State};
use crate::subject::Subject;

/// Where the handler lies.
const HANDLER: u32 = CODE + 0x1000;
/// Exception numbers whose vectors lead to the handler.
const HARD_FAULT: u32 = 3;
const SV_CALL: u32 = 11;
/// xPSR: T, and the bit that tells of a word left out to align the frame.
const THUMB: u32 = 1 << 24;
const ALIGNED: u32 = 1 << 9;

/// The instruction that is executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cause {
    /// `SVC #n`: returns behind itself.
    Call(u16),
    /// `UDF #n`: a HardFault while UsageFault is not enabled; returns to itself.
    Undefined(u16),
}

/// MOVS to R0 to R3, MOV R12.
const SPOIL: [u16; 5] = [0x2011, 0x2122, 0x2233, 0x2344, 0x4684];
/// LDR R0, \[SP, #24\]; ADDS R0, #2; STR R0, \[SP, #24\]: the return address becomes that of the next instruction.
const PASS_OVER: [u16; 3] = [0x9806, 0x3002, 0x9006];
const BX_LR: u16 = 0x4770;

/// A handler; with `floats` it spoils S0 to S15 (VMOV Sn, R0) and FPSCR (VMSR) too.
fn handler(cause: Cause, floats: bool) -> Vec<u16> {
    let mut code = SPOIL.to_vec();
    if floats {
        code.extend((0..16).flat_map(|n| [0xEE00 | n >> 1, 0x0A10 | (n & 1) << 7]));
        code.extend([0xEEE1, 0x0A10]);
    }
    if let Cause::Undefined(_) = cause {
        code.extend(PASS_OVER);
    }
    code.push(BX_LR);
    code
}

/// Takes `amount` exceptions on both engines.
///
/// # Panics
/// If they differ; the message says where.
pub fn compare(profile: Profile, amount: u64, seed: u64) {
    let mut random = Random(seed);
    let (mut ours, mut theirs) = (Subject::new(profile), Oracle::new(profile));
    theirs.stop_at_exceptions();
    for exception in [HARD_FAULT, SV_CALL] {
        ours.write(CODE + 4 * exception, &(HANDLER | 1).to_le_bytes());
    }
    for _ in 0..amount {
        let number = (random.next() & 0xFF) as u16;
        let cause = if random.below(2) == 0 { Cause::Call(number) } else { Cause::Undefined(number) };
        let floats = profile == Profile::V7EMF && random.below(2) == 0;
        let context = profile == Profile::V7EMF && random.below(3) > 0;
        let start = State::random(&mut random, profile);
        let place = format!("{profile:?}, {cause:?}, context {context}, handler uses it {floats}, from {start:x?}");
        let opcode = match cause {
            Cause::Call(n) => 0xDF00 | n,
            Cause::Undefined(n) => 0xDE00 | n,
        };
        ours.write(START, &opcode.to_le_bytes());
        theirs.write(START, &opcode.to_le_bytes());
        let code: Vec<u8> = handler(cause, floats).into_iter().flat_map(u16::to_le_bytes).collect();
        ours.write(HANDLER, &code);
        ours.set(&start);
        ours.set_floating_point_context(context);
        theirs.set(&start);

        // An exception stops Unicorn; only what it makes of an undefined instruction is an error.
        let stopped = theirs.step();
        assert_eq!(stopped.is_err(), matches!(cause, Cause::Undefined(_)), "{place}: {stopped:?}");
        let mut expected = theirs.get();
        ours.step_to(HANDLER);
        let entered = ours.get();
        check_frame(&ours, &entered, &expected, context, &place);
        if context {
            // The space for S0 to S15 and FPSCR is filled when the handler needs these registers, and not before (B1.5.7).
            let space = entered.r[13] + 32;
            let marks = [0xA5; 17 * 4];
            ours.write(space, &marks);
            ours.step_to(HANDLER + 2 * SPOIL.len() as u32);
            assert_eq!(ours.read(space, 17 * 4), marks, "{place}: stored before anybody needs it");
            if floats {
                ours.step();
                let mut expected = expected.s[..16].to_vec();
                expected.push(theirs.get().fpscr);
                assert_eq!(words(&ours, space, 17), expected, "{place}: S0 to S15 and FPSCR");
            }
        }

        ours.step_to(START + 2);
        if let Cause::Undefined(_) = cause {
            expected.r[15] += 2;
        }
        if floats && !context {
            // There was nothing to keep (FPCA was 0).
            expected.s[..16].copy_from_slice(&ours.get().s[..16]);
            expected.fpscr = ours.get().fpscr;
        }
        let differences = ours.get().differences(&expected);
        assert!(differences.is_empty(), "{place}: after the return\n{differences}");
    }
    println!("{profile:?}: {amount} exceptions without a difference");
}

/// The frame that entry to the exception has made of what Unicorn has in its registers.
fn check_frame(ours: &Subject, entered: &State, theirs: &State, context: bool, place: &str) {
    let (before, frame) = (theirs.r[13], entered.r[13]);
    // STKALIGN is 1 (fixed on ARMv6-M, at reset on the Cortex-M3 and M4): the frame begins at a multiple of 8.
    let length = if context { 26 * 4 } else { 8 * 4 };
    assert_eq!(frame, (before - length) & !7, "{place}: where the frame begins");
    assert_eq!(entered.r[14], if context { 0xFFFF_FFE9 } else { 0xFFFF_FFF9 }, "{place}: EXC_RETURN (B1.5.8)");
    let aligned = if before & 4 == 0 { 0 } else { ALIGNED };
    let expected = [
        theirs.r[0],
        theirs.r[1],
        theirs.r[2],
        theirs.r[3],
        theirs.r[12],
        theirs.r[14],
        theirs.r[15],
        theirs.apsr | THUMB | aligned,
    ];
    assert_eq!(words(ours, frame, 8), expected, "{place}: R0 to R3, R12, LR, the return address, xPSR");
    if context {
        assert_eq!(entered.s, theirs.s, "{place}: S0 to S31 stay in their registers");
    }
    assert!(frame > DATA, "{place}: the frame is in memory");
}

fn words(subject: &Subject, address: u32, count: u32) -> Vec<u32> {
    let bytes = subject.read(address, 4 * count);
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
}
