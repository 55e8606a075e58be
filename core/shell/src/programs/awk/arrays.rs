//! Which parameters of functions are arrays. awk has no declarations: a parameter is one if the body
//! uses it so, or hands it to a function that does.

use super::ast::{Block, Builtin, Expr, Place, Script, Statement, Var};

/// Marks the array parameters of every function.
pub fn infer(script: &mut Script) {
    loop {
        let known: Vec<Vec<bool>> =
            script.functions.iter().map(|function| function.arrays.clone()).collect();
        let mut changed = false;
        for function in &mut script.functions {
            let mut walk = Walk { known: &known, found: vec![false; function.parameters] };
            walk.block(&function.body);
            changed |= walk.found != function.arrays;
            function.arrays = walk.found;
        }
        if !changed {
            return;
        }
    }
}

struct Walk<'a> {
    known: &'a [Vec<bool>],
    found: Vec<bool>,
}

impl Walk<'_> {
    fn array(&mut self, var: Var) {
        if let Var::Local(local) = var
            && let Some(found) = self.found.get_mut(local)
        {
            *found = true;
        }
    }

    fn place(&mut self, place: &Place) {
        match place {
            Place::Var(_) => {}
            Place::Field(index) => self.expr(index),
            Place::Element(var, index) => {
                self.array(*var);
                self.all(index);
            }
        }
    }

    fn all(&mut self, list: &[Expr]) {
        list.iter().for_each(|expr| self.expr(expr));
    }

    fn block(&mut self, block: &Block) {
        block.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Expr(expr) => self.expr(expr),
            Statement::Print(list, redirect) | Statement::Printf(list, redirect) => {
                self.all(list);
                redirect.iter().for_each(|redirect| self.expr(&redirect.to));
            }
            Statement::If(condition, yes, no) => {
                self.expr(condition);
                self.block(yes);
                self.block(no);
            }
            Statement::While(condition, body, after) => {
                self.expr(condition);
                self.block(body);
                after.iter().for_each(|after| self.statement(after));
            }
            Statement::DoWhile(body, condition) => {
                self.block(body);
                self.expr(condition);
            }
            Statement::ForIn(place, array, body) => {
                self.place(place);
                self.array(*array);
                self.block(body);
            }
            Statement::Block(block) => self.block(block),
            Statement::Exit(value) | Statement::Return(value) => {
                value.iter().for_each(|value| self.expr(value));
            }
            Statement::Delete(array, index) => {
                self.array(*array);
                index.iter().for_each(|index| self.all(index));
            }
            Statement::Next | Statement::NextFile | Statement::Break | Statement::Continue => {}
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Number(_) | Expr::Text(_) | Expr::Regex(_) => {}
            Expr::Get(place) | Expr::Step(place, ..) => self.place(place),
            Expr::Assign(place, _, value) => {
                self.place(place);
                self.expr(value);
            }
            Expr::Binary(_, left, right)
            | Expr::And(left, right)
            | Expr::Or(left, right)
            | Expr::Matches(left, right, _) => {
                self.expr(left);
                self.expr(right);
            }
            Expr::Not(value) | Expr::Negate(value) | Expr::Plus(value) | Expr::Group(value) => {
                self.expr(value);
            }
            Expr::Choose(condition, yes, no) => {
                [condition, yes, no].into_iter().for_each(|expr| self.expr(expr));
            }
            Expr::In(index, array) => {
                self.all(index);
                self.array(*array);
            }
            Expr::Builtin(builtin, arguments) => {
                if *builtin == Builtin::Split
                    && let Some(Expr::Get(Place::Var(array))) = arguments.get(1)
                {
                    self.array(*array);
                }
                self.all(arguments);
            }
            Expr::Call(function, arguments) => {
                let arrays = self.known.get(*function).cloned().unwrap_or_default();
                for (argument, is_array) in arguments.iter().zip(arrays) {
                    if is_array && let Expr::Get(Place::Var(var)) = argument {
                        self.array(*var);
                    }
                }
                self.all(arguments);
            }
        }
    }
}
