//! Which locals are still read after an instruction.

use wasmparser::Operator;

use crate::body::Body;

/// Bits of a word.
const WORD: usize = u64::BITS as usize;

/// For each instruction of a body the locals whose values before it may be read later.
pub struct Liveness {
    words: usize,
    bits: Vec<u64>,
}

impl Liveness {
    /// Looks a body through, from its end, until nothing is new.
    pub fn of(body: &Body<'_>) -> Liveness {
        let words = body.locals.len().div_ceil(WORD).max(1);
        let mut liveness = Liveness { words, bits: vec![0; words * (body.ops.len() + 1)] };
        while liveness.pass(body) {}
        liveness
    }

    /// Whether a local is read at an instruction or later.
    pub fn is_live(&self, op: usize, local: u32) -> bool {
        let local = local as usize;
        let word = self.bits.get(op * self.words + local / WORD).copied().unwrap_or(0);
        word >> (local % WORD) & 1 == 1
    }

    /// Returns whether something at the beginning of a loop is new, by which more may become so.
    fn pass(&mut self, body: &Body<'_>) -> bool {
        let mut again = false;
        let mut live = vec![0; self.words];
        for (index, op) in body.ops.iter().enumerate().rev() {
            live.fill(0);
            let label = |depth| {
                let frame = body.label(op.frame, depth)?;
                body.frames.get(frame).map(|frame| frame.target)
            };
            match &op.operator {
                Operator::Return | Operator::Unreachable => {}
                Operator::Br { relative_depth } => self.add(&mut live, label(*relative_depth)),
                Operator::BrIf { relative_depth } => {
                    self.add(&mut live, label(*relative_depth));
                    self.add(&mut live, Some(index + 1));
                }
                Operator::BrTable { targets } => {
                    let depths = targets.targets().flatten().chain([targets.default()]);
                    depths.for_each(|depth| self.add(&mut live, label(depth)));
                }
                Operator::If { .. } => {
                    self.add(&mut live, Some(index + 1));
                    let arm = op.opened.and_then(|it| body.frames.get(it));
                    // Behind the `else`, or at the `end`.
                    self.add(
                        &mut live,
                        arm.map(|arm| arm.end + usize::from(arm.end != arm.target)),
                    );
                }
                // Reached from the arm before.
                Operator::Else => {
                    let arm = op.opened.and_then(|it| body.frames.get(it));
                    self.add(&mut live, arm.map(|arm| arm.end));
                }
                _ => self.add(&mut live, Some(index + 1)),
            }
            match op.operator {
                Operator::LocalGet { local_index } => set(&mut live, local_index, true),
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    set(&mut live, local_index, false);
                }
                _ => {}
            }
            let at = index * self.words..(index + 1) * self.words;
            let Some(known) = self.bits.get_mut(at) else { continue };
            again |= matches!(op.operator, Operator::Loop { .. }) && known != live.as_slice();
            known.copy_from_slice(&live);
        }
        again
    }

    fn add(&self, live: &mut [u64], op: Option<usize>) {
        let Some(op) = op else { return };
        let known = self.bits.get(op * self.words..(op + 1) * self.words).unwrap_or_default();
        live.iter_mut().zip(known).for_each(|(word, more)| *word |= more);
    }
}

fn set(live: &mut [u64], local: u32, is_live: bool) {
    let local = local as usize;
    let bit = 1 << (local % WORD);
    if let Some(word) = live.get_mut(local / WORD) {
        *word = if is_live { *word | bit } else { *word & !bit };
    }
}
