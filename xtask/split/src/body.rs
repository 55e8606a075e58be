//! The body of a function, with what is known at each of its instructions.

use wasmparser::{
    BlockType, FuncToValidate, FuncValidatorAllocations, FunctionBody, Operator, ValType,
    ValidatorResources,
};

use crate::Result;
use crate::module::{Module, wrong};

/// An instruction.
pub struct Op<'a> {
    /// What it does.
    pub operator: Operator<'a>,
    /// Where its bytes begin in the body.
    pub at: usize,
    /// Values on the stack before it.
    pub height: usize,
    /// Whether it can be reached at all.
    pub reachable: bool,
    /// The frame it stands in; what closes a frame stands outside of it.
    pub frame: usize,
    /// The frame that it opens.
    pub opened: Option<usize>,
}

/// A body, a block, a loop, or an arm of an `if`.
pub struct Frame {
    /// The frame around it.
    pub parent: Option<usize>,
    /// The `end` or `else` by which it ends.
    pub end: usize,
    /// Where a branch to it leads: an `end`, or the `loop` itself.
    pub target: usize,
    /// What a branch to it brings along.
    pub label: Vec<ValType>,
    /// What is left on the stack at its end.
    pub results: Vec<ValType>,
    /// Values on the stack when it begins.
    pub height: usize,
}

/// A body. Its first frame is the body itself.
pub struct Body<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// How many of its locals are parameters.
    pub params: usize,
    /// The types of its parameters and locals.
    pub locals: Vec<ValType>,
    /// Its instructions.
    pub ops: Vec<Op<'a>>,
    /// Its frames.
    pub frames: Vec<Frame>,
}

impl<'a> Body<'a> {
    /// Reads a body. `None` if it has what this program does not deal with: blocks with parameters.
    pub fn read(
        module: &Module<'a>,
        body: &FunctionBody<'a>,
        function: FuncToValidate<ValidatorResources>,
    ) -> Result<Option<Body<'a>>> {
        let mut validator = function.into_validator(FuncValidatorAllocations::default());
        let mut reader = body.get_binary_reader();
        validator.read_locals(&mut reader).map_err(wrong)?;
        let locals = (0..validator.len_locals()).filter_map(|it| validator.get_local_type(it));
        let signature = module.signature(validator.index())?;
        let results = signature.results().to_vec();
        let mut read = Body {
            bytes: body.as_bytes(),
            params: signature.params().len(),
            locals: locals.collect(),
            ops: Vec::new(),
            frames: vec![Frame {
                parent: None,
                end: 0,
                target: 0,
                label: results.clone(),
                results,
                height: 0,
            }],
        };
        let mut open = vec![Open { frame: 0, by: None, arm_before: None }];
        let mut reader = body.get_operators_reader().map_err(wrong)?;
        while !reader.eof() {
            let (operator, offset) = reader.read_with_offset().map_err(wrong)?;
            let at = offset - body.range().start;
            let before = validator.get_control_frame(0).is_some_and(|frame| !frame.unreachable);
            let height = validator.operand_stack_height() as usize;
            validator.op(offset, &operator).map_err(wrong)?;
            let index = read.ops.len();
            let closes = matches!(operator, Operator::End | Operator::Else);
            let closed = if closes { open.pop() } else { None };
            if let Some(closed) = closed {
                read.close(closed, index, operator == Operator::Else);
            }
            let frame = open.last().map_or(0, |it| it.frame);
            let opens = match operator {
                Operator::Block { .. } | Operator::If { .. } | Operator::Else => Some(false),
                Operator::Loop { .. } => Some(true),
                _ => None,
            };
            let opened = opens.map(|_| read.frames.len());
            read.ops.push(Op { operator, at, height, reachable: before, frame, opened });
            let (Some(is_loop), Some(control)) = (opens, validator.get_control_frame(0)) else {
                continue;
            };
            let Some(results) = results_of(module, control.block_type) else { return Ok(None) };
            open.push(Open {
                frame: read.frames.len(),
                by: is_loop.then_some(index),
                arm_before: closed.map(|it| it.frame),
            });
            read.frames.push(Frame {
                parent: Some(frame),
                end: 0,
                target: 0,
                label: if is_loop { Vec::new() } else { results.clone() },
                results,
                height: control.height,
            });
        }
        Ok(Some(read))
    }

    /// Notes where a frame ends, and where branches to it lead.
    fn close(&mut self, closed: Open, end: usize, is_else: bool) {
        if let Some(frame) = self.frames.get_mut(closed.frame) {
            frame.end = end;
            frame.target = closed.by.unwrap_or(end);
        }
        // A branch in the arm before leads behind both.
        if let Some(arm) =
            closed.arm_before.filter(|_| !is_else).and_then(|it| self.frames.get_mut(it))
        {
            arm.target = end;
        }
    }

    /// The frame to which a branch in `frame` leads.
    pub fn label(&self, frame: usize, depth: u32) -> Option<usize> {
        let mut at = frame;
        for _ in 0..depth {
            at = self.frames.get(at)?.parent?;
        }
        Some(at)
    }

    /// How many frames are left by a branch from `frame` to `outer`.
    pub fn depth(&self, frame: usize, outer: usize) -> Option<u32> {
        let mut at = frame;
        for depth in 0.. {
            if at == outer {
                return Some(depth);
            }
            at = self.frames.get(at)?.parent?;
        }
        None
    }
}

/// A frame that has not ended yet.
#[derive(Clone, Copy)]
struct Open {
    frame: usize,
    /// The `loop` to which branches lead.
    by: Option<usize>,
    /// The other arm of the `if`, which has ended.
    arm_before: Option<usize>,
}

fn results_of(module: &Module<'_>, ty: BlockType) -> Option<Vec<ValType>> {
    match ty {
        BlockType::Empty => Some(Vec::new()),
        BlockType::Type(ty) => Some(vec![ty]),
        BlockType::FuncType(index) => {
            let ty = module.types.get(index as usize)?;
            ty.params().is_empty().then(|| ty.results().to_vec())
        }
    }
}

/// The instructions with which a stretch of a body begins that is run from there on or not at all,
/// up to the next branch or frame. The first is always the body's first.
pub fn stretches<'o, 'a: 'o>(ops: impl IntoIterator<Item = &'o Operator<'a>>) -> Vec<usize> {
    use Operator::{BrIf, Else, End, If, Loop};
    let mut found = vec![0];
    let mut begins = false;
    for (index, op) in ops.into_iter().enumerate() {
        if begins && !matches!(op, End | Else) {
            found.push(index);
        }
        begins = matches!(op, BrIf { .. } | Else | End | If { .. } | Loop { .. });
    }
    found
}
