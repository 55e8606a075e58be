//! Takes the stretches of functions that a trial run never came to out of them, each into a function
//! of its own, so that they need not be in the first module.
//!
//! A region begins somewhere in a frame and ends where the frame does. The function made of it gets
//! the locals that it reads, gives back those that are read later, and says by which way it was left:
//! at its end, by a branch to a frame around it, or by a return.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    BlockType, CodeSection, Function, FunctionSection, Instruction, SectionId, TypeSection,
};
use wasmparser::{FuncToValidate, Operator, ValType, ValidPayload, Validator, ValidatorResources};

use crate::Result;
use crate::body::{Body, Frame, Op, stretches};
use crate::liveness::Liveness;
use crate::module::{Module, wrong};
use crate::write::Writer;

/// A region that is smaller than so many bytes stays where it is.
const SMALLEST: usize = 16;
/// Locals handed in, and handed back, at most.
const HANDED_MAX: usize = 200;

/// A module whose functions have lost what was never run, and which of its functions are called.
pub struct Outlined {
    /// The module. Its new functions come after all that it had.
    pub bytes: Vec<u8>,
    /// For each function that is not imported whether it was called.
    pub called: Vec<bool>,
}

/// Takes out of a module what was never run. `marks` has a byte for each stretch of each function.
pub fn outlined(module: &Module<'_>, bytes: &[u8], marks: &[u8]) -> Result<Outlined> {
    let mut marks = marks.iter().map(|mark| *mark != 0);
    let mut made = Made::default();
    let mut kept = CodeSection::new();
    let mut called = Vec::new();
    let functions = validators(bytes)?;
    if functions.len() != module.bodies.len() {
        return Err("functions and bodies differ in number".to_owned());
    }
    let first_new = module.function_types.len() as u32;
    for (body, function) in module.bodies.iter().zip(functions) {
        let operators: Vec<Operator<'_>> = operators(body)?;
        let stretches = stretches(&operators);
        let run: Vec<bool> = marks.by_ref().take(stretches.len()).collect();
        if run.len() != stretches.len() {
            return Err(format!("fewer marks than stretches of {} functions", module.bodies.len()));
        }
        let is_called = run.first() == Some(&true);
        called.push(is_called);
        let cold = stretches.iter().zip(&run).filter(|(_, run)| !**run).map(|(at, _)| *at);
        let cold: Vec<usize> = cold.collect();
        let read =
            if is_called && !cold.is_empty() { Body::read(module, body, function)? } else { None };
        let Some(read) = read else {
            kept.raw(body.as_bytes());
            continue;
        };
        kept.raw(&without(&read, &cold, &mut made, first_new)?);
    }
    if marks.next().is_some() {
        return Err("more marks than stretches".to_owned());
    }
    called.extend(made.functions.iter().map(|_| false));
    Ok(Outlined { bytes: made.write(module, kept)?, called })
}

/// The functions of a module as they are to be validated, in order.
fn validators(bytes: &[u8]) -> Result<Vec<FuncToValidate<ValidatorResources>>> {
    let mut validator = Validator::new();
    let mut found = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        if let ValidPayload::Func(function, _) =
            validator.payload(&payload.map_err(wrong)?).map_err(wrong)?
        {
            found.push(function);
        }
    }
    Ok(found)
}

/// The instructions of a body.
pub fn operators<'a>(body: &wasmparser::FunctionBody<'a>) -> Result<Vec<Operator<'a>>> {
    let reader = body.get_operators_reader().map_err(wrong)?;
    reader.into_iter().collect::<std::result::Result<_, _>>().map_err(wrong)
}

/// The functions that were made.
#[derive(Default)]
struct Made {
    /// The signatures that are new, and what number each has among these.
    types: BTreeMap<(Vec<String>, Vec<String>), u32>,
    order: Vec<(Vec<ValType>, Vec<ValType>)>,
    /// The signature and the body of each.
    functions: Vec<(u32, Vec<u8>)>,
}

impl Made {
    fn add(&mut self, params: Vec<ValType>, results: Vec<ValType>, body: Vec<u8>) {
        let names = |types: &[ValType]| types.iter().map(ToString::to_string).collect();
        let next = self.order.len() as u32;
        let ty = *self.types.entry((names(&params), names(&results))).or_insert(next);
        if ty == next {
            self.order.push((params, results));
        }
        self.functions.push((ty, body));
    }

    fn write(&self, module: &Module<'_>, mut code: CodeSection) -> Result<Vec<u8>> {
        let mut types = TypeSection::new();
        for ty in &module.types {
            let ty = RoundtripReencoder.func_type(ty.clone()).map_err(|it| it.to_string())?;
            types.ty().func_type(&ty);
        }
        let first_new = types.len();
        for (params, results) in &self.order {
            types.ty().function(encoded(params)?, encoded(results)?);
        }
        let mut functions = FunctionSection::new();
        for (function, _) in module.numbered_bodies() {
            functions.function(module.type_of(function)?);
        }
        for (ty, body) in &self.functions {
            functions.function(first_new + ty);
            code.raw(body);
        }
        let mut writer = Writer::new(module);
        writer.section(&types).copy(SectionId::Import).section(&functions);
        for section in [
            SectionId::Table,
            SectionId::Memory,
            SectionId::Global,
            SectionId::Export,
            SectionId::Start,
            SectionId::Element,
            SectionId::DataCount,
        ] {
            writer.copy(section);
        }
        writer.section(&code).copy(SectionId::Data);
        Ok(writer.finish())
    }
}

/// A way out of a region.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exit {
    /// By its end.
    End,
    /// By a branch to a frame around it.
    Label(usize),
    /// By a return.
    Return,
}

/// A part of a body that becomes a function of its own.
struct Region<'b, 'a> {
    body: &'b Body<'a>,
    /// Its first instruction, and the `end` or `else` behind it.
    start: usize,
    end: usize,
    frame: usize,
    /// The first is [`Exit::End`], if its end can be reached.
    exits: Vec<Exit>,
    /// Locals handed in, and handed back.
    takes: Vec<u32>,
    gives: Vec<u32>,
    /// Its own locals besides those that are handed in.
    scratch: Vec<u32>,
    /// What is handed back besides: values on the stack.
    slots: Vec<ValType>,
}

/// The body without its regions, which are made functions.
fn without(body: &Body<'_>, cold: &[usize], made: &mut Made, first_new: u32) -> Result<Vec<u8>> {
    let liveness = Liveness::of(body);
    let mut regions: Vec<Region<'_, '_>> = Vec::new();
    for at in cold {
        if regions.last().is_none_or(|region| region.end <= *at) {
            regions.extend(Region::find(body, &liveness, *at));
        }
    }
    if regions.is_empty() {
        return Ok(body.bytes.to_vec());
    }
    // What is handed back lands in locals of their own, which regions share.
    let mut temporaries = Temporaries { first: body.locals.len() as u32, types: Vec::new() };
    let mut code = Function::new([]);
    let mut copied = body.ops.first().map_or(0, |op| op.at);
    for region in &regions {
        code.raw(body.bytes.get(copied..region.first_byte()).unwrap_or_default().iter().copied());
        let function = first_new + made.functions.len() as u32;
        region.call(&mut code, function, &mut temporaries)?;
        let (params, results) = region.signature();
        made.add(params, results, region.function()?);
        copied = region.last_byte();
    }
    code.raw(body.bytes.get(copied..).unwrap_or_default().iter().copied());
    let locals = body.locals.iter().skip(body.params).chain(&temporaries.types).copied();
    let mut whole = Function::new_with_locals_types(encoded(&locals.collect::<Vec<_>>())?);
    let code = code.into_raw_body();
    // Without the list of locals, of which there were none.
    whole.raw(code.into_iter().skip(1));
    Ok(whole.into_raw_body())
}

struct Temporaries {
    first: u32,
    types: Vec<ValType>,
}

impl Temporaries {
    /// A local for each of these values, no two the same.
    fn of(&mut self, types: &[ValType]) -> Vec<u32> {
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        let mut place = |ty: &ValType| {
            let mut known = self.types.iter().enumerate();
            let free = known.find(|(at, it)| *it == ty && !taken.contains(at)).map(|(at, _)| at);
            let at = free.unwrap_or(self.types.len());
            if at == self.types.len() {
                self.types.push(*ty);
            }
            taken.insert(at);
            self.first + at as u32
        };
        types.iter().map(&mut place).collect()
    }
}

impl<'b, 'a> Region<'b, 'a> {
    /// The largest region from an instruction that was not run to the end of its frame, if it is
    /// worth it.
    fn find(body: &'b Body<'a>, liveness: &Liveness, at: usize) -> Option<Region<'b, 'a>> {
        let frame_number = body.ops.get(at)?.frame;
        let frame = body.frames.get(frame_number)?;
        let starts = |op: &Op<'_>| {
            let closes = matches!(op.operator, Operator::End | Operator::Else);
            !closes && op.frame == frame_number && op.reachable && op.height == frame.height
        };
        let start = (at..frame.end).find(|it| body.ops.get(*it).is_some_and(starts))?;
        let mut region = Region {
            body,
            start,
            end: frame.end,
            frame: frame_number,
            exits: Vec::new(),
            takes: Vec::new(),
            gives: Vec::new(),
            scratch: Vec::new(),
            slots: Vec::new(),
        };
        region.exits = region.find_exits()?;
        region.hand_over(liveness);
        for exit in &region.exits {
            let types = region.types(*exit);
            if types.len() > 1 {
                return None;
            }
            // No exit brings more than one value, so one of each type is enough.
            if let Some(ty) = types.first().filter(|ty| !region.slots.contains(ty)) {
                region.slots.push(*ty);
            }
        }
        let handed = region.takes.len() + region.gives.len();
        // About as many bytes as the call takes; a fifth more must be saved by it.
        let call = 10 + 2 * handed + 8 * region.exits.len();
        let size = region.last_byte().checked_sub(region.first_byte())?;
        (size >= SMALLEST.max(call * 6 / 5) && handed <= HANDED_MAX).then_some(region)
    }

    fn find_exits(&self) -> Option<Vec<Exit>> {
        let mut exits = BTreeSet::new();
        if self.body.ops.get(self.end)?.reachable {
            exits.insert(Exit::End);
        }
        for op in self.ops() {
            let mut label = |depth| -> Option<()> {
                exits.extend(self.leads_out(op.frame, depth)?.map(Exit::Label));
                Some(())
            };
            match &op.operator {
                Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                    label(*relative_depth)?;
                }
                Operator::BrTable { targets } => {
                    for depth in targets.targets() {
                        label(depth.ok()?)?;
                    }
                    label(targets.default())?;
                }
                Operator::Return => {
                    exits.insert(Exit::Return);
                }
                // They have ways of their own.
                Operator::ReturnCall { .. }
                | Operator::ReturnCallIndirect { .. }
                | Operator::TryTable { .. }
                | Operator::Throw { .. } => return None,
                _ => {}
            }
        }
        Some(exits.into_iter().collect())
    }

    /// The frame around the region to which a branch leads, if it leads out of it. The outer `None` is
    /// a branch to nowhere.
    fn leads_out(&self, from: usize, depth: u32) -> Option<Option<usize>> {
        let inside = self.body.depth(from, self.frame)?;
        if depth < inside {
            return Some(None);
        }
        self.body.label(from, depth).map(Some)
    }

    /// Finds out which locals are handed in and back.
    fn hand_over(&mut self, liveness: &Liveness) {
        let (mut read, mut written) = (BTreeSet::new(), BTreeSet::new());
        for op in self.ops() {
            match op.operator {
                Operator::LocalGet { local_index } => read.insert(local_index),
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    written.insert(local_index)
                }
                _ => false,
            };
        }
        let behind: Vec<usize> =
            self.exits.iter().filter_map(|exit| self.leads_to(*exit)).collect();
        let wanted = |local: &u32| behind.iter().any(|op| liveness.is_live(*op, *local));
        self.gives = written.iter().copied().filter(wanted).collect();
        let used = |local: &u32| read.contains(local) || self.gives.contains(local);
        let all = read.union(&written);
        let (takes, scratch) = all.partition(|it| used(it) && liveness.is_live(self.start, **it));
        (self.takes, self.scratch) = (takes, scratch);
    }

    /// The instruction at which the body goes on.
    fn leads_to(&self, exit: Exit) -> Option<usize> {
        match exit {
            Exit::End => Some(self.end),
            Exit::Label(frame) => self.body.frames.get(frame).map(|frame| frame.target),
            Exit::Return => None,
        }
    }

    /// What is on the stack by a way out.
    fn types(&self, exit: Exit) -> &'b [ValType] {
        let frame = |at: usize| self.body.frames.get(at);
        let types = match exit {
            Exit::End => frame(self.frame).map(|it: &Frame| &it.results),
            Exit::Label(at) => frame(at).map(|it| &it.label),
            Exit::Return => frame(0).map(|it| &it.results),
        };
        types.map_or(&[], Vec::as_slice)
    }

    fn ops(&self) -> &'b [Op<'a>] {
        self.body.ops.get(self.start..self.end).unwrap_or_default()
    }

    fn first_byte(&self) -> usize {
        self.body.ops.get(self.start).map_or(0, |op| op.at)
    }

    fn last_byte(&self) -> usize {
        self.body.ops.get(self.end).map_or(0, |op| op.at)
    }

    fn signature(&self) -> (Vec<ValType>, Vec<ValType>) {
        let ty = |local: &u32| self.body.locals.get(*local as usize).copied();
        let params = self.takes.iter().filter_map(ty).collect();
        (params, self.handed_back())
    }

    /// The locals that are given back, the values, and the number of the way out.
    fn handed_back(&self) -> Vec<ValType> {
        let ty = |local: &u32| self.body.locals.get(*local as usize).copied();
        let gives = self.given().iter().filter_map(ty).chain(self.slots.iter().copied());
        gives.chain((self.exits.len() > 1).then_some(ValType::I32)).collect()
    }

    /// The locals that are given back: none where there is no way out.
    fn given(&self) -> &[u32] {
        if self.exits.is_empty() { &[] } else { &self.gives }
    }

    /// Which of the slots a way out brings something in.
    fn slot(&self, exit: Exit) -> Option<usize> {
        let ty = self.types(exit).first()?;
        self.slots.iter().position(|it| it == ty)
    }

    /// Writes in its place that the region is called.
    fn call(
        &self,
        code: &mut Function,
        function: u32,
        temporaries: &mut Temporaries,
    ) -> Result<()> {
        let mut code = code.instructions();
        for local in &self.takes {
            code.local_get(*local);
        }
        code.call(function);
        let several = self.exits.len() > 1;
        let mut types = self.slots.clone();
        types.extend(several.then_some(ValType::I32));
        let places = temporaries.of(&types);
        for place in places.iter().rev() {
            code.local_set(*place);
        }
        for local in self.given().iter().rev() {
            code.local_set(*local);
        }
        let way = places.last().copied().unwrap_or_default();
        let place = |exit| self.slot(exit).and_then(|slot| places.get(slot)).copied();
        // The last is left: who has come by no other has come by it.
        let mut ways: Vec<(usize, Exit)> = self.exits.iter().copied().enumerate().rev().collect();
        let last = ways.pop();
        for (number, exit) in ways {
            code.local_get(way);
            // There is no need to compare where there are two: 0 and 1.
            if self.exits.len() > 2 {
                code.i32_const(number as i32).i32_eq();
            }
            code.if_(BlockType::Empty);
            if let Some(place) = place(exit) {
                code.local_get(place);
            }
            self.leave(&mut code, exit, 1)?;
            code.end();
        }
        let Some((_, last)) = last else {
            code.unreachable();
            return Ok(());
        };
        if let Some(place) = place(last) {
            code.local_get(place);
        }
        self.leave(&mut code, last, 0)
    }

    fn leave(
        &self,
        code: &mut wasm_encoder::InstructionSink<'_>,
        exit: Exit,
        deep: u32,
    ) -> Result<()> {
        match exit {
            Exit::End => {}
            Exit::Label(frame) => {
                let depth = self.body.depth(self.frame, frame).ok_or("a branch to nowhere")?;
                code.br(depth + deep);
            }
            Exit::Return => {
                code.return_();
            }
        }
        Ok(())
    }

    /// The body of the function that is made of the region: within a block for each way out but its
    /// end, and one around all.
    fn function(&self) -> Result<Vec<u8>> {
        let ways: Vec<(usize, Exit)> = self.exits.iter().copied().enumerate().collect();
        let branches: Vec<(usize, Exit)> =
            ways.iter().copied().filter(|(_, exit)| *exit != Exit::End).collect();
        let locals: Vec<u32> = self.takes.iter().chain(&self.scratch).copied().collect();
        let ty = |local: &u32| self.body.locals.get(*local as usize).copied();
        let mut own: Vec<ValType> = self.scratch.iter().filter_map(ty).collect();
        own.extend(self.slots.iter().copied().chain([ValType::I32]));
        let places = Places {
            numbers: locals.iter().copied().zip(0..).collect(),
            slots: locals.len() as u32,
            way: (locals.len() + self.slots.len()) as u32,
        };
        let mut function = Function::new_with_locals_types(encoded(&own)?);
        function.instructions().block(BlockType::Empty);
        for (_, exit) in branches.iter().rev() {
            let ty = match encoded(self.types(*exit))?.as_slice() {
                [] => BlockType::Empty,
                [ty, ..] => BlockType::Result(*ty),
            };
            function.instructions().block(ty);
        }
        self.inner(&mut function, &branches, &places)?;
        if self.exits.first() == Some(&Exit::End) {
            self.note(&mut function, (0, Exit::End), &places);
            function.instructions().br(branches.len() as u32);
        } else {
            function.instructions().unreachable();
        }
        for (deep, branch) in (0..branches.len() as u32).rev().zip(&branches) {
            function.instructions().end();
            self.note(&mut function, *branch, &places);
            function.instructions().br(deep);
        }
        let mut code = function.instructions();
        code.end();
        if self.exits.is_empty() {
            code.unreachable();
        }
        for local in self.given() {
            code.local_get(places.number(*local)?);
        }
        for slot in 0..self.slots.len() as u32 {
            code.local_get(places.slots + slot);
        }
        if self.exits.len() > 1 {
            code.local_get(places.way);
        }
        code.end();
        Ok(function.into_raw_body())
    }

    /// Puts away what is on the stack, and notes the way out.
    fn note(&self, function: &mut Function, (number, exit): (usize, Exit), places: &Places) {
        let mut code = function.instructions();
        if let Some(slot) = self.slot(exit) {
            code.local_set(places.slots + slot as u32);
        }
        if number > 0 {
            code.i32_const(number as i32).local_set(places.way);
        }
    }

    /// Writes the region's instructions, with its locals and branches numbered anew.
    fn inner(&self, to: &mut Function, branches: &[(usize, Exit)], places: &Places) -> Result<()> {
        let ends = self.ops().iter().skip(1).map(|op| op.at).chain([self.last_byte()]);
        for (op, end) in self.ops().iter().zip(ends) {
            let depth = |depth: u32| -> Result<u32> {
                let nowhere = || "a branch to nowhere".to_owned();
                let Some(frame) = self.leads_out(op.frame, depth).ok_or_else(nowhere)? else {
                    return Ok(depth);
                };
                let inside = self.body.depth(op.frame, self.frame).ok_or_else(nowhere)?;
                let way = branches.iter().position(|(_, exit)| *exit == Exit::Label(frame));
                Ok(inside + way.ok_or_else(nowhere)? as u32)
            };
            let instruction = match &op.operator {
                Operator::LocalGet { local_index } => {
                    Instruction::LocalGet(places.number(*local_index)?)
                }
                Operator::LocalSet { local_index } => {
                    Instruction::LocalSet(places.number(*local_index)?)
                }
                Operator::LocalTee { local_index } => {
                    Instruction::LocalTee(places.number(*local_index)?)
                }
                Operator::Br { relative_depth } => Instruction::Br(depth(*relative_depth)?),
                Operator::BrIf { relative_depth } => Instruction::BrIf(depth(*relative_depth)?),
                Operator::BrTable { targets } => {
                    let all: Vec<u32> = targets
                        .targets()
                        .map(|target| depth(target.map_err(wrong)?))
                        .collect::<Result<_>>()?;
                    Instruction::BrTable(Cow::Owned(all), depth(targets.default())?)
                }
                Operator::Return => {
                    let way = branches.iter().position(|(_, exit)| *exit == Exit::Return);
                    let way = way.ok_or("a return to nowhere")? as u32;
                    let inside =
                        self.body.depth(op.frame, self.frame).ok_or("a return to nowhere")?;
                    Instruction::Br(inside + way)
                }
                _ => {
                    to.raw(self.body.bytes.get(op.at..end).unwrap_or_default().iter().copied());
                    continue;
                }
            };
            to.instruction(&instruction);
        }
        Ok(())
    }
}

/// Where things are in the function that is made of a region.
struct Places {
    numbers: BTreeMap<u32, u32>,
    slots: u32,
    way: u32,
}

impl Places {
    fn number(&self, local: u32) -> Result<u32> {
        self.numbers.get(&local).copied().ok_or_else(|| format!("local {local} has no place"))
    }
}

fn encoded(types: &[ValType]) -> Result<Vec<wasm_encoder::ValType>> {
    let ty = |ty: &ValType| RoundtripReencoder.val_type(*ty).map_err(|error| error.to_string());
    types.iter().map(ty).collect()
}
