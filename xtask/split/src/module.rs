//! A module of WebAssembly as `wasm-opt` leaves it, taken apart as far as splitting needs.

use std::ops::Range;

use wasmparser::{
    ElementItems, ElementKind, ExternalKind, FuncType, FunctionBody, Operator, Parser, Payload,
    TypeRef,
};

use crate::Result;

/// The parts of a module. Sections that are taken over as they are stay bytes.
pub struct Module<'a> {
    bytes: &'a [u8],
    /// Sections by their number in the binary format.
    sections: Vec<(u8, Range<usize>)>,
    /// The signatures.
    pub types: Vec<FuncType>,
    /// What is brought in from outside, in order.
    pub imports: Vec<wasmparser::Import<'a>>,
    /// How many of the imports are functions: those have the lowest numbers.
    pub imported_functions: u32,
    /// The type of each function, the imported ones first.
    pub function_types: Vec<u32>,
    /// The tables.
    pub tables: Vec<wasmparser::TableType>,
    /// The memories.
    pub memories: Vec<wasmparser::MemoryType>,
    /// The globals.
    pub globals: Vec<wasmparser::GlobalType>,
    /// What is handed out.
    pub exports: Vec<wasmparser::Export<'a>>,
    /// Which function is in which slot of the first table.
    pub slots: Vec<(u32, u32)>,
    /// The function that is called when the module is made.
    pub start: Option<u32>,
    /// The bodies of the functions that are not imported.
    pub bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Module<'a> {
    /// Takes a module apart. The error says what is wrong with it, or what this program cannot do.
    pub fn read(bytes: &'a [u8]) -> Result<Module<'a>> {
        let mut module = Module {
            bytes,
            sections: Vec::new(),
            types: Vec::new(),
            imports: Vec::new(),
            imported_functions: 0,
            function_types: Vec::new(),
            tables: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            exports: Vec::new(),
            slots: Vec::new(),
            start: None,
            bodies: Vec::new(),
        };
        for payload in Parser::new(0).parse_all(bytes) {
            module.take(payload.map_err(wrong)?)?;
        }
        Ok(module)
    }

    fn take(&mut self, payload: Payload<'a>) -> Result<()> {
        if let Some(section) = payload.as_section() {
            self.sections.push(section);
        }
        match payload {
            Payload::TypeSection(reader) => {
                self.types = reader
                    .into_iter_err_on_gc_types()
                    .collect::<std::result::Result<_, _>>()
                    .map_err(wrong)?;
            }
            Payload::ImportSection(reader) => {
                for import in reader {
                    self.import(import.map_err(wrong)?)?;
                }
            }
            Payload::FunctionSection(reader) => {
                for ty in reader {
                    self.function_types.push(ty.map_err(wrong)?);
                }
            }
            Payload::TableSection(reader) => {
                for table in reader {
                    self.tables.push(table.map_err(wrong)?.ty);
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader {
                    self.memories.push(memory.map_err(wrong)?);
                }
            }
            Payload::GlobalSection(reader) => {
                for global in reader {
                    self.globals.push(global.map_err(wrong)?.ty);
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    self.exports.push(export.map_err(wrong)?);
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(reader) => {
                for element in reader {
                    self.element(element.map_err(wrong)?)?;
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: wasmparser::Import<'a>) -> Result<()> {
        let TypeRef::Func(ty) = import.ty else {
            return Err(format!("the import {} is no function", import.name));
        };
        self.function_types.push(ty);
        self.imported_functions += 1;
        self.imports.push(import);
        Ok(())
    }

    fn element(&mut self, element: wasmparser::Element<'a>) -> Result<()> {
        let (
            ElementKind::Active { table_index: None | Some(0), offset_expr },
            ElementItems::Functions(functions),
        ) = (element.kind, element.items)
        else {
            return Err("elements of another kind than functions in the first table".to_owned());
        };
        let offset = match offset_expr.get_operators_reader().read().map_err(wrong)? {
            Operator::I32Const { value } => value.cast_unsigned(),
            other => return Err(format!("elements laid at {other:?}")),
        };
        for (slot, function) in (offset..).zip(functions) {
            self.slots.push((slot, function.map_err(wrong)?));
        }
        Ok(())
    }

    /// The bytes of a section, without its head.
    pub fn section(&self, id: wasm_encoder::SectionId) -> Option<&'a [u8]> {
        let (_, range) = self.sections.iter().find(|(number, _)| *number == id as u8)?;
        self.bytes.get(range.clone())
    }

    /// The signature of a function.
    pub fn signature(&self, function: u32) -> Result<&FuncType> {
        let ty = self.type_of(function)?;
        self.types.get(ty as usize).ok_or_else(|| format!("there is no type {ty}"))
    }

    /// The number of a function's signature.
    pub fn type_of(&self, function: u32) -> Result<u32> {
        let ty = self.function_types.get(function as usize).copied();
        ty.ok_or_else(|| format!("there is no function {function}"))
    }

    /// The body of each function with the function's number.
    pub fn numbered_bodies(&self) -> impl Iterator<Item = (u32, &FunctionBody<'a>)> {
        (self.imported_functions..).zip(&self.bodies)
    }

    /// The functions that the page's JavaScript can call.
    pub fn exported_functions(&self) -> impl Iterator<Item = u32> {
        self.exports
            .iter()
            .filter(|export| export.kind == ExternalKind::Func)
            .map(|export| export.index)
    }
}

/// The functions that a body names.
pub fn callees(body: &FunctionBody<'_>) -> Result<Vec<u32>> {
    let mut called = Vec::new();
    for operator in body.get_operators_reader().map_err(wrong)? {
        match operator.map_err(wrong)? {
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                called.push(function_index);
            }
            // They would need declarations in the module that they are in.
            Operator::RefFunc { .. } => return Err("a reference to a function".to_owned()),
            Operator::MemoryInit { .. } | Operator::TableInit { .. } => {
                return Err("an initialisation at run time".to_owned());
            }
            _ => {}
        }
    }
    Ok(called)
}

/// The parser's error as this program's.
pub fn wrong(error: wasmparser::BinaryReaderError) -> String {
    error.to_string()
}
