//! A module that notes which stretches of its functions are run.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, GlobalSection, GlobalType, MemArg, MemorySection,
    MemoryType, SectionId, ValType,
};

use crate::Result;
use crate::body::stretches;
use crate::module::{Module, wrong};
use crate::outline::operators;
use crate::write::{Writer, copied_exports};

/// The global that says where the marks begin in the memory.
pub const MARKS: &str = "naru_marks";
/// The global that says how many there are: one byte a stretch, function by function.
pub const COUNT: &str = "naru_marks_count";
/// Bytes of a page of memory.
const PAGE: u64 = 65_536;

/// The same module, in which every stretch of a function sets its byte when it is run. The bytes lie
/// above what the module's memory was at first, where its allocator, which grows the memory, never
/// comes.
pub fn marked(module: &Module<'_>) -> Result<Vec<u8>> {
    let [memory] = module.memories.as_slice() else {
        return Err("another number of memories than one".to_owned());
    };
    let base = memory.initial * PAGE;
    let (code, count) = marking_code(module, base)?;
    let (Ok(base), Ok(count_i32)) = (i32::try_from(base), i32::try_from(count)) else {
        return Err("the memory is too large".to_owned());
    };

    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: memory.initial + count.div_ceil(PAGE),
        maximum: None,
        memory64: memory.memory64,
        shared: memory.shared,
        page_size_log2: None,
    });
    let mut globals = GlobalSection::new();
    if let Some(bytes) = module.section(SectionId::Global) {
        let reader = wasmparser::GlobalSectionReader::new(wasmparser::BinaryReader::new(bytes, 0));
        let reader = reader.map_err(crate::module::wrong)?;
        RoundtripReencoder
            .parse_global_section(&mut globals, reader)
            .map_err(|error| error.to_string())?;
    }
    let mut exports = copied_exports(module, Ok)?;
    for (name, value) in [(MARKS, base), (COUNT, count_i32)] {
        exports.export(name, ExportKind::Global, globals.len());
        let ty = GlobalType { val_type: ValType::I32, mutable: false, shared: false };
        globals.global(ty, &ConstExpr::i32_const(value));
    }

    let mut writer = Writer::new(module);
    writer.copy(SectionId::Type).copy(SectionId::Import).copy(SectionId::Function);
    writer.copy(SectionId::Table).section(&memories).section(&globals).section(&exports);
    writer.copy(SectionId::Start).copy(SectionId::Element).copy(SectionId::DataCount);
    writer.section(&code).copy(SectionId::Data);
    Ok(writer.finish())
}

/// The functions, and how many bytes they set.
fn marking_code(module: &Module<'_>, base: u64) -> Result<(CodeSection, u64)> {
    let mut code = CodeSection::new();
    let mut next = base;
    for body in &module.bodies {
        let mut function = RoundtripReencoder
            .new_function_with_parsed_locals(body)
            .map_err(|error| error.to_string())?;
        let operators = operators(body)?;
        let mut places = Vec::new();
        let mut reader = body.get_operators_reader().map_err(wrong)?;
        while !reader.eof() {
            let (_, at) = reader.read_with_offset().map_err(wrong)?;
            places.push(at - body.range().start);
        }
        let mut bytes = body.as_bytes().iter().copied();
        let mut copied = 0;
        for stretch in stretches(&operators) {
            let at = places.get(stretch).copied().unwrap_or_default();
            if copied == 0 {
                // The locals are written already.
                bytes.by_ref().take(at).for_each(drop);
            } else {
                function.raw(bytes.by_ref().take(at - copied));
            }
            copied = at;
            let byte = MemArg { offset: next, align: 0, memory_index: 0 };
            function.instructions().i32_const(0).i32_const(1).i32_store8(byte);
            next += 1;
        }
        function.raw(bytes);
        code.function(&function);
    }
    Ok((code, next - base))
}
