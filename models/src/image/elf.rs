//! ELF executables: the loadable segments at their physical addresses.

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf};

use super::Segment;

pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Segment>, String> {
    let expected = |error: object::Error| format!("an ELF file for a 32-bit little-endian Arm was expected: {error}");
    let header = elf::FileHeader32::<Endianness>::parse(bytes).map_err(expected)?;
    let endian = header.endian().map_err(expected)?;
    if header.e_machine(endian) != elf::EM_ARM {
        return Err(format!(
            "an ELF file for Arm was expected, this one is for machine {}",
            header.e_machine(endian).0
        ));
    }
    let mut segments = Vec::new();
    for program in header.program_headers(endian, bytes).map_err(expected)? {
        if program.p_type(endian) != elf::PT_LOAD {
            continue;
        }
        let data = program.data(endian, bytes).map_err(|()| "a segment lies outside the file".to_string())?;
        segments.push(Segment { address: program.p_paddr(endian), bytes: data.to_vec() });
    }
    Ok(segments)
}
