//! A program that asks the owner of its machine, and says what it is answered.

use naru_shell::{Answer, Errno, Fd, Program, Step, Sys};

/// A fresh instance of the program.
pub fn program() -> Box<dyn Program> {
    Box::new(Asking::default())
}

#[derive(Clone, Debug, Default)]
struct Asking {
    question: Option<u64>,
    answer: Option<Answer>,
}

impl Program for Asking {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.answer.is_none() {
            self.answer = self.ask(sys);
        }
        let Some(answer) = &mut self.answer else { return Step::Block { until: None } };
        for (fd, text) in [(1, &mut answer.stdout), (2, &mut answer.stderr)] {
            match write(sys, fd, text) {
                Ok(()) | Err(Errno::BadFd) => {}
                Err(Errno::Again) => return Step::Block { until: None },
                Err(_) => return Step::Exit(1),
            }
        }
        Step::Exit(answer.code)
    }
}

impl Asking {
    fn ask(&mut self, sys: &mut dyn Sys) -> Option<Answer> {
        let (argv, env) = (sys.args().to_vec(), sys.env().clone());
        let Some(outside) = sys.outside() else {
            let stderr = "nobody is there to do this\n".to_owned();
            return Some(Answer { stderr, code: 1, ..Answer::default() });
        };
        let question = *self.question.get_or_insert_with(|| outside.ask(argv, env));
        outside.answer(question)
    }
}

/// Writes as much as is taken; what is left stays.
fn write(sys: &mut dyn Sys, fd: Fd, text: &mut String) -> Result<(), Errno> {
    while !text.is_empty() {
        let taken = sys.write(fd, text.as_bytes())?;
        let rest = text.as_bytes().get(taken..).unwrap_or_default();
        // A write may end within a character; what is sent next begins with the rest of it.
        match std::str::from_utf8(rest) {
            Ok(rest) => *text = rest.to_owned(),
            Err(_) => *text = String::from_utf8_lossy(rest).into_owned(),
        }
        if taken == 0 {
            return Err(Errno::Again);
        }
    }
    Ok(())
}
