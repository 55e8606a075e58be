//! What of the memory's first contents, and of the table, the functions of the first module can come to.
//!
//! Where each thing of the memory begins and ends, and which others it points to, the linker tells
//! (`--emit-relocs`): its file, from which `wasm-bindgen` and `wasm-opt` have made the module, has all
//! data at the same addresses. A function comes to what its constants and offsets point to, and to
//! what that points to: other things, and functions by their slots of the table. A number in a function
//! that could be an address or a slot is taken for one. A thing that the linker knows by an address outside of it, as where a compiler
//! has an index begin with another number than zero, is taken for needed.

use std::collections::BTreeSet;
use std::ops::Range;

use wasm_encoder::{ConstExpr, DataSection, SectionId};
use wasmparser::{
    BinaryReader, DataKind, DataSectionReader, FunctionBody, KnownCustom, Linking, Operator,
    Parser, Payload, RelocSectionReader, RelocationType, SymbolInfo,
};

use crate::Result;
use crate::module::{Module, wrong};

/// Bytes that go along with what is around them: a segment of their own costs more.
const GAP_MAX: u32 = 8;
/// Bytes at most by which things are apart that lie next to one another.
const PADDING_MAX: u32 = 15;

/// The things in the memory, by their addresses.
#[derive(Default)]
pub struct Things {
    /// Where each begins and ends, in order.
    ranges: Vec<Range<u32>>,
    /// What each points to.
    points_to: Vec<Vec<u32>>,
    /// The slots of the functions that each points to.
    slots: Vec<Vec<u32>>,
    /// Those that are known by addresses outside of them.
    always: Vec<usize>,
}

/// What some functions can come to.
pub struct Reached {
    /// For each thing whether they can come to it.
    things: Vec<bool>,
    /// Slots of the table.
    slots: BTreeSet<u32>,
    /// Nothing is known, so they can come to all of it.
    anything: bool,
}

impl Reached {
    /// Whether they can come to a slot of the table.
    pub fn has_slot(&self, slot: u32) -> bool {
        self.anything || self.slots.contains(&slot)
    }
}

/// A piece of the memory's first contents.
struct Piece<'a> {
    start: u32,
    bytes: &'a [u8],
}

impl Things {
    /// Reads them from the file that the linker wrote. There is nothing in it to go by when it was
    /// linked without `--emit-relocs`.
    pub fn read(linked: &[u8]) -> Result<Things> {
        let mut pieces = Vec::new();
        let mut data_start = 0;
        let mut symbols = Vec::new();
        let mut relocations = Vec::new();
        for payload in Parser::new(0).parse_all(linked) {
            match payload.map_err(wrong)? {
                Payload::DataSection(reader) => {
                    data_start = reader.range().start;
                    pieces = data_pieces(reader)?;
                }
                Payload::CustomSection(section) => match section.as_known() {
                    KnownCustom::Linking(reader) => {
                        for part in reader.subsections() {
                            if let Linking::SymbolTable(map) = part.map_err(wrong)? {
                                for symbol in map {
                                    symbols.push(symbol.map_err(wrong)?);
                                }
                            }
                        }
                    }
                    KnownCustom::Reloc(reader) => relocations.push((section.name(), reader)),
                    _ => {}
                },
                _ => {}
            }
        }
        let addresses: Vec<Option<Range<u32>>> =
            symbols.iter().map(|symbol| address(symbol, &pieces)).collect();
        let mut ranges: Vec<Range<u32>> =
            addresses.iter().flatten().filter(|it| !it.is_empty()).cloned().collect();
        ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        // A thing within another, as two texts of which one is the end of the other, is part of it.
        ranges.dedup_by(|inner, outer| {
            let overlaps = inner.start < outer.end;
            if overlaps {
                outer.end = outer.end.max(inner.end);
            }
            overlaps
        });
        let none = vec![Vec::new(); ranges.len()];
        let mut things =
            Things { points_to: none.clone(), slots: none, ranges, ..Things::default() };
        for (name, reader) in relocations {
            let places = (name == "reloc.DATA").then_some((data_start, pieces.as_slice()));
            things.take(reader, &addresses, linked, places)?;
        }
        Ok(things)
    }

    /// Takes in what points to data.
    fn take(
        &mut self,
        reader: RelocSectionReader<'_>,
        addresses: &[Option<Range<u32>>],
        linked: &[u8],
        places: Option<(usize, &[Piece<'_>])>,
    ) -> Result<()> {
        for entry in reader.entries() {
            let entry = entry.map_err(wrong)?;
            use RelocationType::{MemoryAddrI32, MemoryAddrLeb, MemoryAddrSleb, TableIndexI32};
            let place = places.and_then(|(start, pieces)| {
                let bytes = linked.get(start + entry.offset as usize..)?;
                let from = pieces.iter().find_map(|piece| piece.address_of(bytes.as_ptr()))?;
                Some((self.at(from)?, bytes))
            });
            if let (TableIndexI32, Some((thing, bytes))) = (entry.ty, place) {
                let slot = bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
                self.slots.get_mut(thing).into_iter().for_each(|it| it.extend(slot));
            }
            if !matches!(entry.ty, MemoryAddrI32 | MemoryAddrLeb | MemoryAddrSleb) {
                continue;
            }
            let symbol = addresses.get(entry.index as usize).cloned().flatten();
            let Some(symbol) = symbol else { continue };
            let to = i64::from(symbol.start) + entry.addend;
            if to < i64::from(symbol.start) || to > i64::from(symbol.end) {
                self.always.extend(self.at(symbol.start));
            }
            if let (Some((thing, _)), Ok(to)) = (place, u32::try_from(to)) {
                self.points_to.get_mut(thing).into_iter().for_each(|it| it.push(to));
            }
        }
        Ok(())
    }

    /// The thing at an address.
    fn at(&self, address: u32) -> Option<usize> {
        let before = self.ranges.partition_point(|range| range.start <= address);
        let thing = before.checked_sub(1)?;
        self.ranges.get(thing)?.contains(&address).then_some(thing)
    }

    /// The things that an address may mean: also the one that ends there.
    fn meant_by(&self, address: u32) -> impl Iterator<Item = usize> {
        [self.at(address), address.checked_sub(1).and_then(|it| self.at(it))].into_iter().flatten()
    }

    /// What the functions can come to.
    pub fn reached<'b, 'a: 'b>(
        &self,
        functions: impl Iterator<Item = &'b FunctionBody<'a>>,
    ) -> Result<Reached> {
        let mut things = vec![false; self.ranges.len()];
        let mut slots = BTreeSet::new();
        let mut todo = self.always.clone();
        let first = self.ranges.first().map_or(0, |range| range.start);
        for body in functions {
            for operator in body.get_operators_reader().map_err(wrong)? {
                for address in numbers(&operator.map_err(wrong)?).into_iter().flatten() {
                    // Below the data there is the stack, and slots are no more than that has bytes.
                    slots.extend((address < first).then_some(address));
                    todo.extend(self.meant_by(address));
                }
            }
        }
        while let Some(thing) = todo.pop() {
            let Some(known) = things.get_mut(thing) else { continue };
            if !std::mem::replace(known, true) {
                let to = self.points_to.get(thing).into_iter().flatten();
                todo.extend(to.flat_map(|to| self.meant_by(*to)));
                slots.extend(self.slots.get(thing).into_iter().flatten());
            }
        }
        Ok(Reached { things, slots, anything: self.ranges.is_empty() })
    }

    /// Things that are not reached, those that lie next to one another as one. Between them there is
    /// nothing but what makes them begin at even addresses.
    fn runs(&self, reached: &Reached) -> Vec<Range<u32>> {
        let mut runs: Vec<Range<u32>> = Vec::new();
        let mut goes_on = false;
        for (range, reached) in self.ranges.iter().zip(&reached.things) {
            match runs.last_mut() {
                _ if *reached => {}
                Some(run) if goes_on && range.start <= run.end + PADDING_MAX => run.end = range.end,
                _ => runs.push(range.clone()),
            }
            goes_on = !reached;
        }
        runs
    }
}

/// Splits the memory's first contents: what was reached, and the rest.
pub fn split(
    module: &Module<'_>,
    things: &Things,
    reached: &Reached,
) -> Result<(DataSection, DataSection)> {
    let Some(bytes) = module.section(SectionId::Data) else {
        return Ok(Default::default());
    };
    let pieces = data_pieces(DataSectionReader::new(BinaryReader::new(bytes, 0)).map_err(wrong)?)?;
    let cold = things.runs(reached);
    let (mut first, mut rest) = (DataSection::new(), DataSection::new());
    for piece in &pieces {
        let mut done = piece.start;
        for run in &cold {
            let (from, to) = (run.start.max(done), run.end.min(piece.end()));
            if from + GAP_MAX < to {
                piece.add(&mut first, done..from);
                piece.add(&mut rest, from..to);
                done = to;
            }
        }
        piece.add(&mut first, done..piece.end());
    }
    Ok((first, rest))
}

impl Piece<'_> {
    /// The address in the memory of what lies here among the bytes of a file.
    fn address_of(&self, place: *const u8) -> Option<u32> {
        let range = self.bytes.as_ptr_range();
        let inside = range.contains(&place);
        inside.then(|| self.start + (place as usize - range.start as usize) as u32)
    }

    fn end(&self) -> u32 {
        self.start + self.bytes.len() as u32
    }

    /// Writes a part of it, unless it is what the memory is anyway.
    fn add(&self, section: &mut DataSection, part: Range<u32>) {
        let range = (part.start - self.start) as usize..(part.end - self.start) as usize;
        let bytes = self.bytes.get(range).unwrap_or_default();
        if bytes.iter().any(|byte| *byte != 0) {
            let offset = ConstExpr::i32_const(part.start.cast_signed());
            section.active(0, &offset, bytes.iter().copied());
        }
    }
}

/// The numbers of an operator that may be addresses. Two that are written together, as a text's address
/// and its length, are made one of 64 bits by `wasm-opt`.
fn numbers(operator: &Operator<'_>) -> [Option<u32>; 2] {
    match operator {
        Operator::I32Const { value } => [Some(value.cast_unsigned()), None],
        Operator::I64Const { value } => {
            let value = value.cast_unsigned();
            [u32::try_from(value & u64::from(u32::MAX)).ok(), u32::try_from(value >> 32).ok()]
        }
        other => [offset(other), None],
    }
}

/// The address that a load or store begins to count from.
fn offset(operator: &Operator<'_>) -> Option<u32> {
    macro_rules! offsets {
        ($($name:ident)*) => {
            match operator {
                $(Operator::$name { memarg } => u32::try_from(memarg.offset).ok(),)*
                _ => None,
            }
        };
    }
    offsets!(I32Load I64Load F32Load F64Load I32Load8S I32Load8U I32Load16S I32Load16U I64Load8S
        I64Load8U I64Load16S I64Load16U I64Load32S I64Load32U I32Store I64Store F32Store F64Store
        I32Store8 I32Store16 I64Store8 I64Store16 I64Store32)
}

fn data_pieces(reader: DataSectionReader<'_>) -> Result<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    for segment in reader {
        let segment = segment.map_err(wrong)?;
        let DataKind::Active { memory_index: 0, offset_expr } = segment.kind else {
            return Err("data of another kind than what is in the memory at first".to_owned());
        };
        let Operator::I32Const { value } =
            offset_expr.get_operators_reader().read().map_err(wrong)?
        else {
            return Err("data that is laid at no fixed address".to_owned());
        };
        pieces.push(Piece { start: value.cast_unsigned(), bytes: segment.data });
    }
    Ok(pieces)
}

fn address(symbol: &SymbolInfo<'_>, pieces: &[Piece<'_>]) -> Option<Range<u32>> {
    let SymbolInfo::Data { symbol: Some(symbol), .. } = symbol else { return None };
    let start = pieces.get(symbol.index as usize)?.start + symbol.offset;
    Some(start..start + symbol.size)
}
