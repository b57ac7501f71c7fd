//! Instruction encodings as the manual draws them, with letters where registers and numbers go.
//!
//! | letter | means |
//! |---|---|
//! | `d` `t` | a destination (3 or 4 bits): neither a pointer, the index, SP nor PC |
//! | `e` `u` | another destination, different from `d` and `t` |
//! | `n` `m` `a` | a source: neither SP nor PC |
//! | `h` | a source of 3 bits that stands for R8 to R14 |
//! | `b` | the base of a load or store: one of the pointers |
//! | `p` | a list of 8 low registers to load |
//! | `q` | a list of 8 low registers to store, without the base |
//! | `l` | a list of 13 registers to load or store with any base, at least two |
//! | any other | random bits |
//!
//! One letter, wherever its bits lie, is one field, most significant bit first.

use crate::random::Random;
use crate::state::{INDEX, POINTERS};

/// An instruction with some of its bits open.
pub struct Template {
    /// The mnemonic, for reports.
    pub name: &'static str,
    /// 32-bit encoding.
    pub wide: bool,
    fixed: u32,
    fields: Vec<(char, Vec<u32>)>,
    accept: fn(u32) -> bool,
}

/// A list of general registers without those that must keep their values.
fn loadable(list: u32) -> u32 {
    POINTERS.iter().fold(list & !(1 << INDEX), |list, pointer| list & !(1 << pointer))
}

impl Template {
    /// Parses `pattern` (16 or 32 characters besides blanks). Encodings that `accept` refuses are not generated.
    pub fn new(name: &'static str, pattern: &str, accept: fn(u32) -> bool) -> Template {
        let letters: Vec<char> = pattern.chars().filter(|c| *c != ' ').collect();
        let width = letters.len() as u32;
        assert!(width == 16 || width == 32, "{name}: {width} bits");
        let mut fixed = 0;
        let mut fields: Vec<(char, Vec<u32>)> = Vec::new();
        for (place, letter) in letters.into_iter().enumerate() {
            let bit = width - 1 - place as u32;
            match letter {
                '0' => {}
                '1' => fixed |= 1 << bit,
                _ => match fields.iter_mut().find(|(known, _)| *known == letter) {
                    Some((_, bits)) => bits.push(bit),
                    None => fields.push((letter, vec![bit])),
                },
            }
        }
        Template { name, wide: width == 32, fixed, fields, accept }
    }

    /// A random instruction of this form; 32-bit ones with the first half-word on top.
    pub fn instance(&self, random: &mut Random) -> u32 {
        loop {
            let mut code = self.fixed;
            let mut destination = None;
            for (letter, bits) in &self.fields {
                let value = loop {
                    let value = random.below(1 << bits.len());
                    if fits(*letter, bits.len(), value, destination) {
                        break value;
                    }
                };
                if matches!(letter, 'd' | 't') {
                    destination = Some(value);
                }
                for (place, bit) in bits.iter().rev().enumerate() {
                    code |= (value >> place & 1) << bit;
                }
            }
            if (self.accept)(code) {
                return code;
            }
        }
    }
}

fn fits(letter: char, width: usize, value: u32, destination: Option<u32>) -> bool {
    let pointer = POINTERS.contains(&(value as usize));
    let writable = value != 15 && !pointer && value as usize != INDEX;
    match letter {
        'd' | 't' => writable,
        'e' | 'u' => writable && destination != Some(value),
        'n' | 'm' | 'a' => width == 3 || value < 13 || value == 14,
        'h' => value < 7,
        'b' => pointer,
        'p' => value != 0 && loadable(value) == value,
        'q' => value != 0 && value & 1 << 6 == 0,
        'l' => loadable(value) == value && value.count_ones() >= 2,
        _ => true,
    }
}
