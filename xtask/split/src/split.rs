//! Splitting: the functions that were called go into the first module, all others into the rest.
//!
//! The rest shares the memory, the tables and the globals of the first. Where the first calls a
//! function of the rest, or has it in its table, there is a stub: it lets the rest be loaded, which
//! lays its functions into the table, and then calls on by the table. So the two together do what
//! the one did, whatever was called.

use std::collections::{BTreeMap, BTreeSet};

use wasm_encoder::reencode::{Error, Reencode, RoundtripReencoder};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection,
    InstructionSink, SectionId, TableSection, TypeSection, ValType,
};
use wasmparser::{FuncType, FunctionBody, Operator};

use crate::Result;
use crate::data::{self, Reached, Things};
use crate::module::{Module, callees, wrong};
use crate::write::{Writer, copied_exports};

/// The module by which the rest imports what the first exports for it, and the first the loader.
pub const LINK: &str = "naru:split";
/// The function that loads the rest.
pub const LOAD: &str = "load";
/// The global of the first that is set to 1 once the rest is there.
pub const LOADED: &str = "naru:loaded";

/// In how many places at most a function of the rest is called without a stub.
const IN_PLACE_MAX: usize = 2;
/// In how many such places at least functions of one type are called by a function made for it.
const CALLER_MIN: usize = 4;

/// The two modules.
pub struct Halves {
    /// What was called, and the stubs.
    pub first: Vec<u8>,
    /// Everything else.
    pub rest: Vec<u8>,
}

/// Where each function goes.
struct Plan<'m, 'a> {
    module: &'m Module<'a>,
    /// The functions of the first that it had before: see [`by_slot`].
    hot: Vec<u32>,
    /// The functions of the rest.
    cold: BTreeSet<u32>,
    /// The slots of the table through which the first calls functions of the rest.
    slot_of: BTreeMap<u32, u32>,
    /// Functions of the rest for which the first has a stub. Others it calls in so few places that it
    /// does there what a stub would do.
    stubs: Vec<u32>,
    /// By the types of functions that the first calls without a stub: what does so in its place.
    callers: BTreeMap<u32, Caller>,
    /// Signatures that the module does not have.
    new_types: Vec<FuncType>,
    /// Slots of functions of the rest, and whether the first can come to them.
    cold_slots: BTreeMap<u32, (u32, bool)>,
    /// Slots that the table gets besides those it had.
    new_slots: u32,
    /// Functions of the first, or imported by it, that the rest names: in the order that they have in the
    /// first, so that the list is one of rising numbers.
    shared: Vec<u32>,
    /// The number in the first module of the function that calls the loader if need be.
    ensure: u32,
    /// The signature that neither takes nor gives anything.
    plain: u32,
}

/// Splits a module. `called` says for each function that is not imported whether it is needed first,
/// `things` what is in the memory.
pub fn split(module: &Module<'_>, called: &[bool], things: &Things) -> Result<Halves> {
    let hot = module.bodies.iter().zip(called).filter(|(_, called)| **called).map(|(body, _)| body);
    let reached = things.reached(hot)?;
    let plan = Plan::new(module, called, &reached)?;
    let (first, rest) = data::split(module, things, &reached)?;
    Ok(Halves { first: plan.first(&first)?, rest: plan.rest(&rest)? })
}

/// A function of the first: it takes what a function of the rest takes, and that function's slot.
struct Caller {
    number: u32,
    ty: u32,
}

impl<'m, 'a> Plan<'m, 'a> {
    fn new(module: &'m Module<'a>, called: &[bool], reached: &Reached) -> Result<Self> {
        if called.len() != module.bodies.len() {
            return Err(format!("{} marks for {} functions", called.len(), module.bodies.len()));
        }
        let numbers = module.imported_functions..;
        let (hot, cold): (Vec<_>, Vec<_>) = numbers.zip(called).partition(|(_, called)| **called);
        let hot = by_slot(module, hot.into_iter().map(|(function, _)| function));
        let cold: BTreeSet<u32> = cold.into_iter().map(|(function, _)| function).collect();

        let mut named: BTreeSet<u32> = module.exported_functions().chain(module.start).collect();
        let mut called_in: BTreeMap<u32, usize> = BTreeMap::new();
        let mut shared = BTreeSet::new();
        for (function, body) in module.numbered_bodies() {
            let called = callees(body)?;
            match cold.contains(&function) {
                false => called.into_iter().for_each(|it| *called_in.entry(it).or_default() += 1),
                true => shared.extend(called.into_iter().filter(|it| !cold.contains(it))),
            }
        }
        let in_order = (0..module.imported_functions).chain(hot.iter().copied());
        let shared = in_order.filter(|function| shared.contains(function)).collect();
        let cold_slots: BTreeMap<u32, (u32, bool)> = module
            .slots
            .iter()
            .filter(|(_, function)| cold.contains(function))
            .map(|(slot, function)| (*slot, (*function, reached.has_slot(*slot))))
            .collect();
        let table = module.tables.first().ok_or("there is no table")?;
        let mut free = u32::try_from(table.initial).map_err(|error| error.to_string())?;
        let mut slot_of: BTreeMap<u32, u32> =
            cold_slots.iter().map(|(slot, (function, _))| (*function, *slot)).collect();
        let many = called_in.iter().filter(|(_, places)| **places > IN_PLACE_MAX);
        named.extend(many.map(|(function, _)| *function));
        named.extend(cold_slots.values().filter(|(_, reached)| *reached).map(|(it, _)| *it));
        let stubs: BTreeSet<u32> = named.intersection(&cold).copied().collect();
        for function in named.iter().chain(called_in.keys()).filter(|it| cold.contains(it)) {
            slot_of.entry(*function).or_insert_with(|| {
                free += 1;
                free - 1
            });
        }
        let new_slots = free - table.initial as u32;
        let ensure = module.imported_functions + 1 + hot.len() as u32;
        let mut in_place: BTreeMap<u32, usize> = BTreeMap::new();
        for (function, places) in called_in {
            if cold.contains(&function) && !named.contains(&function) {
                *in_place.entry(module.type_of(function)?).or_default() += places;
            }
        }
        in_place.retain(|_, places| *places >= CALLER_MIN);
        let mut plan = Plan {
            module,
            hot,
            cold,
            slot_of,
            stubs: by_slot(module, stubs.into_iter()),
            callers: BTreeMap::new(),
            new_types: Vec::new(),
            cold_slots,
            new_slots,
            shared,
            ensure,
            plain: 0,
        };
        plan.plain = plan.number_of_type(FuncType::new([], []));
        for (ty, number) in in_place.into_keys().zip(ensure + 1 + plan.stubs.len() as u32..) {
            let signature = module.types.get(ty as usize).ok_or("a function without a type")?;
            let params = signature.params().iter().copied().chain([wasmparser::ValType::I32]);
            let signature = FuncType::new(params, signature.results().iter().copied());
            let taking_slot = plan.number_of_type(signature);
            plan.callers.insert(ty, Caller { number, ty: taking_slot });
        }
        Ok(plan)
    }

    /// The number of a signature, which may be new.
    fn number_of_type(&mut self, signature: FuncType) -> u32 {
        let mut all = self.module.types.iter().chain(&self.new_types);
        let known = all.position(|ty| *ty == signature);
        known.unwrap_or_else(|| {
            self.new_types.push(signature);
            self.module.types.len() + self.new_types.len() - 1
        }) as u32
    }

    /// The functions of the first module that it had before, in its order.
    fn hot(&self) -> impl Iterator<Item = (u32, &FunctionBody<'a>)> {
        let first = self.module.imported_functions;
        let body = move |function: u32| self.module.bodies.get((function - first) as usize);
        self.hot.iter().filter_map(move |function| Some((*function, body(*function)?)))
    }

    /// The functions of the rest, in order.
    fn cold(&self) -> impl Iterator<Item = (u32, &FunctionBody<'a>)> {
        self.module.numbered_bodies().filter(|(function, _)| self.cold.contains(function))
    }

    /// The first module's functions: imported ones, the loader, those called, `ensure`, stubs.
    fn numbers_in_first(&self) -> BTreeMap<u32, u32> {
        let imported = 0..self.module.imported_functions;
        imported
            .clone()
            .zip(imported)
            .chain(self.hot().map(|(function, _)| function).zip(self.load() + 1..))
            .chain(self.stubs.iter().copied().zip(self.ensure + 1..))
            .collect()
    }

    /// The number of the loader in the first module.
    fn load(&self) -> u32 {
        self.module.imported_functions
    }

    fn types(&self) -> Result<TypeSection> {
        let mut types = TypeSection::new();
        for ty in self.module.types.iter().chain(&self.new_types) {
            let ty = RoundtripReencoder.func_type(ty.clone()).map_err(text)?;
            types.ty().func_type(&ty);
        }
        Ok(types)
    }

    fn first(&self, data: &DataSection) -> Result<Vec<u8>> {
        let numbers = self.numbers_in_first();
        let number = |function: u32| number_of(&numbers, function);
        let loaded = self.module.globals.len() as u32;

        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        for (function, body) in self.hot() {
            functions.function(self.module.type_of(function)?);
            code.function(&self.body_in_first(body, &numbers)?);
        }
        functions.function(self.plain);
        code.function(&ensure(loaded, self.load()));
        for function in &self.stubs {
            functions.function(self.module.type_of(*function)?);
            code.function(&self.stub(*function)?);
        }
        for (ty, caller) in &self.callers {
            functions.function(caller.ty);
            code.function(&self.caller(*ty)?);
        }

        let mut exports = copied_exports(self.module, number)?;
        self.export_to_rest(&mut exports, number)?;
        exports.export(LOADED, ExportKind::Global, loaded);

        let mut writer = Writer::new(self.module);
        writer.section(&self.types()?).section(&self.imports_of_first()?);
        writer.section(&functions).section(&self.tables()?).copy(SectionId::Memory);
        writer.section(&self.globals()?).section(&exports);
        if let Some(start) = self.module.start {
            writer.section(&wasm_encoder::StartSection { function_index: number(start)? });
        }
        // Where the first cannot come to, there is nothing before the rest is.
        let unreached = |slot: &u32| self.cold_slots.get(slot).is_some_and(|(_, reached)| !reached);
        let slots = self.module.slots.iter().copied().filter(|(slot, _)| !unreached(slot));
        writer.section(&elements(slots, number)?);
        writer.section(&code).section(data);
        Ok(writer.finish())
    }

    /// A function of the first module with its calls numbered anew.
    fn body_in_first(
        &self,
        body: &FunctionBody<'_>,
        numbers: &BTreeMap<u32, u32>,
    ) -> Result<Function> {
        let mut renumber = Renumber(numbers);
        let mut function = renumber.new_function_with_parsed_locals(body).map_err(text)?;
        for operator in body.get_operators_reader().map_err(wrong)? {
            let operator = operator.map_err(wrong)?;
            match operator {
                Operator::Call { function_index: called } if !numbers.contains_key(&called) => {
                    let mut code = function.instructions();
                    match self.callers.get(&self.module.type_of(called)?) {
                        Some(caller) => {
                            code.i32_const(self.slot(called)?).call(caller.number);
                        }
                        None => self.call_by_slot(&mut code, called, 0)?,
                    }
                }
                operator => {
                    function.instruction(&renumber.instruction(operator).map_err(text)?);
                }
            }
        }
        Ok(function)
    }

    fn imports_of_first(&self) -> Result<ImportSection> {
        let mut imports = ImportSection::new();
        for import in &self.module.imports {
            let ty = RoundtripReencoder.entity_type(import.ty).map_err(text)?;
            imports.import(import.module, import.name, ty);
        }
        imports.import(LINK, LOAD, EntityType::Function(self.plain));
        Ok(imports)
    }

    fn tables(&self) -> Result<TableSection> {
        let mut tables = TableSection::new();
        for (index, table) in self.module.tables.iter().enumerate() {
            let mut ty = RoundtripReencoder.table_type(*table).map_err(text)?;
            if index == 0 {
                ty.minimum += u64::from(self.new_slots);
                ty.maximum = ty.maximum.map(|most| most + u64::from(self.new_slots));
            }
            tables.table(ty);
        }
        Ok(tables)
    }

    fn globals(&self) -> Result<GlobalSection> {
        let mut globals = GlobalSection::new();
        if let Some(bytes) = self.module.section(SectionId::Global) {
            let reader = wasmparser::BinaryReader::new(bytes, 0);
            let reader = wasmparser::GlobalSectionReader::new(reader).map_err(wrong)?;
            RoundtripReencoder.parse_global_section(&mut globals, reader).map_err(text)?;
        }
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(ty, &ConstExpr::i32_const(0));
        Ok(globals)
    }

    /// Lets the rest be there, then calls on.
    fn stub(&self, function: u32) -> Result<Function> {
        let mut stub = Function::new([]);
        let parameters = self.module.signature(function)?.params().len() as u32;
        self.call_by_slot(&mut stub.instructions(), function, parameters)?;
        stub.instructions().end();
        Ok(stub)
    }

    /// Lets the rest be there, then calls a function of it with what is on the stack and so many
    /// parameters.
    fn call_by_slot(
        &self,
        code: &mut InstructionSink<'_>,
        function: u32,
        parameters: u32,
    ) -> Result<()> {
        code.call(self.ensure);
        for parameter in 0..parameters {
            code.local_get(parameter);
        }
        code.i32_const(self.slot(function)?).call_indirect(0, self.module.type_of(function)?);
        Ok(())
    }

    fn slot(&self, function: u32) -> Result<i32> {
        let slot = self.slot_of.get(&function).map(|slot| slot.cast_signed());
        slot.ok_or_else(|| format!("function {function} has no slot"))
    }

    /// What calls functions of a type by their slots.
    fn caller(&self, ty: u32) -> Result<Function> {
        let signature = self.module.types.get(ty as usize).ok_or("a function without a type")?;
        let parameters = signature.params().len() as u32;
        let mut caller = Function::new([]);
        let mut code = caller.instructions();
        code.call(self.ensure);
        // The last is the slot.
        for parameter in 0..=parameters {
            code.local_get(parameter);
        }
        code.call_indirect(0, ty).end();
        Ok(caller)
    }

    /// What the rest shares with the first, under short names, in the order of its imports.
    fn links(&self) -> impl Iterator<Item = (ExportKind, u32)> {
        let [tables, memories, globals] =
            [self.module.tables.len(), self.module.memories.len(), self.module.globals.len()]
                .map(|count| 0..count as u32);
        let functions = self.shared.iter().map(|function| (ExportKind::Func, *function));
        functions
            .chain(tables.map(|index| (ExportKind::Table, index)))
            .chain(memories.map(|index| (ExportKind::Memory, index)))
            .chain(globals.map(|index| (ExportKind::Global, index)))
    }

    fn export_to_rest(
        &self,
        exports: &mut ExportSection,
        number: impl Fn(u32) -> Result<u32>,
    ) -> Result<()> {
        for (place, (kind, index)) in self.links().enumerate() {
            let index = if kind == ExportKind::Func { number(index)? } else { index };
            exports.export(&link_name(place), kind, index);
        }
        Ok(())
    }

    fn rest(&self, data: &DataSection) -> Result<Vec<u8>> {
        let mut imports = ImportSection::new();
        for (place, (kind, index)) in self.links().enumerate() {
            imports.import(LINK, &link_name(place), self.entity(kind, index)?);
        }
        let order = self.shared.iter().chain(&self.cold);
        let numbers: BTreeMap<u32, u32> = order.copied().zip(0..).collect();
        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        for (function, body) in self.cold() {
            functions.function(self.module.type_of(function)?);
            renumbered(&mut code, body, &numbers)?;
        }
        let cold = self.cold_slots.iter().map(|(slot, (function, _))| (*slot, *function));
        let mut slots: BTreeMap<u32, u32> = cold.collect();
        slots.extend(self.slot_of.iter().map(|(function, slot)| (*slot, *function)));
        let elements = elements(slots.into_iter(), |function| number_of(&numbers, function))?;

        let mut writer = Writer::new(self.module);
        writer.section(&self.types()?).section(&imports).section(&functions);
        writer.section(&elements).section(&code).section(data);
        Ok(writer.finish())
    }

    /// The type of something that the rest imports.
    fn entity(&self, kind: ExportKind, index: u32) -> Result<EntityType> {
        let missing = || format!("there is no {kind:?} {index}");
        let at = index as usize;
        let ty = match kind {
            ExportKind::Func => return Ok(EntityType::Function(self.module.type_of(index)?)),
            ExportKind::Table => {
                let mut table = *self.module.tables.get(at).ok_or_else(missing)?;
                table.maximum = table.maximum.map(|most| match index {
                    0 => most + u64::from(self.new_slots),
                    _ => most,
                });
                wasmparser::TypeRef::Table(table)
            }
            ExportKind::Memory => {
                wasmparser::TypeRef::Memory(*self.module.memories.get(at).ok_or_else(missing)?)
            }
            ExportKind::Global => {
                wasmparser::TypeRef::Global(*self.module.globals.get(at).ok_or_else(missing)?)
            }
            ExportKind::Tag => return Err(missing()),
        };
        RoundtripReencoder.entity_type(ty).map_err(text)
    }
}

/// Calls the loader unless it has been called.
fn ensure(loaded: u32, load: u32) -> Function {
    let mut ensure = Function::new([]);
    let mut code = ensure.instructions();
    code.global_get(loaded).i32_eqz().if_(BlockType::Empty).call(load).end().end();
    ensure
}

/// Functions in the order of their slots in the table, then those without: so that the table, which names
/// thousands, is a list in which each is one more than the one before. Those without go by their size:
/// the small ones are alike, and what is alike is packed smaller side by side.
fn by_slot(module: &Module<'_>, functions: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut slots = BTreeMap::new();
    for (slot, function) in &module.slots {
        slots.entry(*function).or_insert(*slot);
    }
    let mut functions: Vec<u32> = functions.collect();
    let slot = |function: &u32| slots.get(function).copied().unwrap_or(u32::MAX);
    let body = |function: &u32| {
        let at = function.checked_sub(module.imported_functions)?;
        module.bodies.get(at as usize)
    };
    let size = |function: &u32| body(function).map_or(0, |body| body.as_bytes().len());
    functions.sort_by_key(|function| (slot(function), size(function), *function));
    functions
}

/// Elements for slots, which are in order; neighbours make one segment.
fn elements(
    slots: impl Iterator<Item = (u32, u32)>,
    number: impl Fn(u32) -> Result<u32>,
) -> Result<ElementSection> {
    let mut segments: Vec<(u32, Vec<u32>)> = Vec::new();
    for (slot, function) in slots {
        let function = number(function)?;
        match segments.last_mut() {
            Some((start, functions)) if *start + functions.len() as u32 == slot => {
                functions.push(function);
            }
            _ => segments.push((slot, vec![function])),
        }
    }
    let mut section = ElementSection::new();
    for (start, functions) in segments {
        let offset = ConstExpr::i32_const(start.cast_signed());
        section.active(None, &offset, Elements::Functions(functions.into()));
    }
    Ok(section)
}

fn number_of(numbers: &BTreeMap<u32, u32>, function: u32) -> Result<u32> {
    numbers.get(&function).copied().ok_or_else(|| format!("function {function} has no place"))
}

/// Writes a body whose functions are numbered anew.
fn renumbered(
    code: &mut CodeSection,
    body: &FunctionBody<'_>,
    numbers: &BTreeMap<u32, u32>,
) -> Result<()> {
    Renumber(numbers).parse_function_body(code, body.clone()).map_err(text)
}

struct Renumber<'n>(&'n BTreeMap<u32, u32>);

impl Reencode for Renumber<'_> {
    type Error = String;

    fn function_index(&mut self, function: u32) -> std::result::Result<u32, Error<String>> {
        number_of(self.0, function).map_err(Error::UserError)
    }
}

/// A short name that no export of wasm-bindgen has.
fn link_name(place: usize) -> String {
    format!("{place}")
}

fn text<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}
