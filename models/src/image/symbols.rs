//! Names of functions, from an ELF file's symbol table.

use std::collections::BTreeMap;
use std::path::Path;

use object::read::elf::ElfFile32;
use object::{Endianness, Object, ObjectSymbol, SymbolKind};

use super::{BlockIds, Image, ImageError, MAX_FILE};

/// A function.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Function {
    address: u32,
    /// In bytes; 0 if the file does not tell.
    size: u32,
    name: String,
}

/// Where a program's functions are. It knows the program's code, too, so that it keeps silent about another program.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Symbols {
    /// By rising address.
    functions: Vec<Function>,
    /// Functions and variables by name.
    places: BTreeMap<String, u32>,
    image: Image,
}

/// A function whose size is unknown reaches no further than this, in bytes.
const LONGEST: u32 = 0x1_0000;

impl Symbols {
    /// Reads the symbols of an ELF file.
    ///
    /// # Errors
    /// [`ImageError`]; also if it is no ELF file.
    pub fn load(path: &Path) -> Result<Symbols, ImageError> {
        let read = |source| ImageError::Read { path: path.into(), source };
        let size = std::fs::metadata(path).map_err(read)?.len();
        if size > MAX_FILE {
            let problem = format!("has {size} bytes; an ELF file of at most {MAX_FILE} bytes was expected");
            return Err(ImageError::File { path: path.into(), problem });
        }
        Symbols::parse(path, &std::fs::read(path).map_err(read)?)
    }

    /// Reads the symbols from the contents of an ELF file; `path` is for the errors.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Symbols, ImageError> {
        let image = Image::parse(path, bytes, BlockIds(&[]), 0)?;
        let file = ElfFile32::<Endianness>::parse(bytes).map_err(|error| ImageError::File {
            path: path.into(),
            problem: format!("an ELF file with symbols was expected: {error}"),
        })?;
        let mut functions: Vec<Function> = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
            .filter_map(|symbol| {
                let name = symbol.name().ok().filter(|name| !name.is_empty() && !name.starts_with('$'))?;
                // Bit 0 says that it is Thumb code.
                let address = u32::try_from(symbol.address()).ok()? & !1;
                Some(Function { address, size: u32::try_from(symbol.size()).ok()?, name: demangled(name) })
            })
            .collect();
        let places = file.symbols().filter(|symbol| symbol.is_definition()).filter_map(|symbol| {
            let wanted = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data | SymbolKind::Unknown);
            let name = symbol.name().ok().filter(|name| wanted && !name.is_empty() && !name.starts_with('$'))?;
            let address = u32::try_from(symbol.address()).ok()?;
            Some((demangled(name), if symbol.kind() == SymbolKind::Text { address & !1 } else { address }))
        });
        let places = places.collect();
        // Of several names for one place the one with a size comes last, and is found.
        functions.sort_by(|a, b| (a.address, a.size, &b.name).cmp(&(b.address, b.size, &a.name)));
        Ok(Symbols { functions, places, image })
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// The function that `address` is in, as `name+0x12`. `memory` gives a byte of the chip's flash: where it is not
    /// the file's, another program is there, and the answer is none.
    #[must_use]
    pub fn name(&self, address: u32, memory: impl Fn(u32) -> Option<u8>) -> Option<String> {
        let address = address & !1;
        let after = self.functions.partition_point(|function| function.address <= address);
        let function = self.functions.get(after.checked_sub(1)?)?;
        let offset = address - function.address;
        let next = self.functions.get(after).map_or(LONGEST, |next| next.address - function.address);
        let size = if function.size == 0 { next.min(LONGEST) } else { function.size };
        // Where execution goes on behind a last call is still this function's.
        if offset > size {
            return None;
        }
        let same = |at: u32| self.byte(at).is_some_and(|byte| memory(at) == Some(byte));
        if !(function.address..function.address + size.max(2)).take(64).all(same) {
            return None;
        }
        Some(if offset == 0 { function.name.clone() } else { format!("{}+{offset:#x}", function.name) })
    }

    /// Where the function or variable called `name` is; static ones of the same name are taken for one.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<u32> {
        self.places.get(name).copied()
    }

    fn byte(&self, address: u32) -> Option<u8> {
        let segments = &self.image.segments;
        let segment = &segments[segments.partition_point(|segment| segment.address <= address).checked_sub(1)?];
        segment.bytes.get((address - segment.address) as usize).copied()
    }
}

/// A name as its programmer wrote it.
fn demangled(name: &str) -> String {
    if let Ok(name) = rustc_demangle::try_demangle(name) {
        return format!("{name:#}");
    }
    let parsed = cpp_demangle::Symbol::new(name).ok();
    parsed.and_then(|symbol| symbol.demangle().ok()).unwrap_or_else(|| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBUGGEE: &[u8] = include_bytes!("../../../firmware/nrf52833/debuggee.elf");

    fn symbols() -> Symbols {
        Symbols::parse(Path::new("debuggee.elf"), DEBUGGEE).expect("an ELF file")
    }

    #[test]
    fn an_address_is_told_as_function_and_offset() {
        let symbols = symbols();
        let own = |address| symbols.byte(address);
        let main = symbols.functions.iter().find(|function| function.name == "main").expect("a main").clone();
        assert_eq!(symbols.name(main.address, own).as_deref(), Some("main"));
        assert_eq!(symbols.name(main.address | 1, own).as_deref(), Some("main"));
        assert_eq!(symbols.name(main.address + 4, own).as_deref(), Some("main+0x4"));
        assert_eq!(symbols.name(0x6000_0000, own), None);
    }

    #[test]
    fn another_program_s_code_has_no_names() {
        let symbols = symbols();
        let main = symbols.functions.iter().find(|function| function.name == "main").expect("a main").address;
        assert_eq!(symbols.name(main, |_| Some(0xff)), None);
        assert_eq!(symbols.name(main, |_| None), None);
    }

    #[test]
    fn names_of_cpp_and_rust_are_as_written() {
        assert_eq!(demangled("_ZN8MicroBit4initEv"), "MicroBit::init()");
        assert_eq!(demangled("_ZN4core9panicking5panic17h0123456789abcdefE"), "core::panicking::panic");
        assert_eq!(demangled("HardFault_Handler"), "HardFault_Handler");
    }

    #[test]
    fn what_is_no_elf_file_is_refused() {
        assert!(Symbols::parse(Path::new("x.hex"), b":00000001FF\n").is_err());
        assert!(Symbols::parse(Path::new("x"), &DEBUGGEE[..200]).is_err());
    }
}
