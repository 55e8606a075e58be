//! Putting a module together.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{ExportSection, RawSection, Section, SectionId};
use wasmparser::ExternalKind;

use crate::Result;
use crate::module::Module;

/// A module that is written section by section, some of them taken over from another.
pub struct Writer<'m, 'a> {
    from: &'m Module<'a>,
    written: wasm_encoder::Module,
}

impl<'m, 'a> Writer<'m, 'a> {
    /// A module without sections yet.
    pub fn new(from: &'m Module<'a>) -> Self {
        Writer { from, written: wasm_encoder::Module::new() }
    }

    /// Takes over a section as it is, if there is one.
    pub fn copy(&mut self, id: SectionId) -> &mut Self {
        if let Some(data) = self.from.section(id) {
            self.written.section(&RawSection { id: id as u8, data });
        }
        self
    }

    /// Writes a section.
    pub fn section(&mut self, section: &impl Section) -> &mut Self {
        self.written.section(section);
        self
    }

    /// The module's bytes.
    pub fn finish(self) -> Vec<u8> {
        self.written.finish()
    }
}

/// What the module hands out, its functions numbered anew.
pub fn copied_exports(
    module: &Module<'_>,
    number: impl Fn(u32) -> Result<u32>,
) -> Result<ExportSection> {
    let mut exports = ExportSection::new();
    for export in &module.exports {
        let kind =
            RoundtripReencoder.export_kind(export.kind).map_err(|error| error.to_string())?;
        let index = match export.kind {
            ExternalKind::Func => number(export.index)?,
            _ => export.index,
        };
        exports.export(export.name, kind, index);
    }
    Ok(exports)
}
