//! `naru lesson play`: a lesson in a plain terminal.

use super::elsewhere::Elsewhere;
use super::library;
use clap::{Args, ValueEnum};
use naru_cluster::Cluster;
use naru_lesson::{Lesson, Scene, StepText, Text};
use std::error::Error;
use std::io::{self, BufRead, Lines, StdinLock, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Virtual time that one command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(3600);

const HELP: &str = "\
Type commands; they run in the sandbox. An empty line types the step's next command.
  :hint   the next hint          :solution  what does the step
  :check  what holds by now      :wait      let virtual time pass
  :next   go on anyway           :quit      stop";

/// Arguments of `naru lesson play`.
#[derive(Args)]
pub struct Play {
    /// The lesson: its folder's name, or how that begins.
    name: String,
    /// Where lessons are.
    #[arg(long, default_value = "lessons")]
    lessons: PathBuf,
    /// The language.
    #[arg(long, value_enum, default_value = "ko")]
    lang: Language,
    /// Play it on the cluster of this context of your kubeconfig, not in the sandbox. Lessons
    /// create and delete things in the namespace `default`: take a cluster for learning.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Where the lesson's files go then.
    #[arg(long, value_name = "FOLDER", default_value = "naru-lesson-home", requires = "context")]
    home: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Language {
    Ko,
    En,
}

impl Language {
    fn of(self, text: &Text) -> &str {
        match self {
            Language::Ko => &text.ko,
            Language::En => &text.en,
        }
    }
}

impl Play {
    /// Plays it to its end, or until nothing more is typed.
    pub fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let source = library::named(&self.lessons, &self.name)?;
        let lesson = Lesson::parse(&source.yaml)?;
        let mut scene = self.scene(&lesson)?;
        lesson.prepare(scene.as_mut()).map_err(|problem| problem.text)?;
        let mut session = Session { lesson: &lesson, language: self.lang, scene };
        let mut input = io::stdin().lock().lines();
        session.say(&format!(
            "# {}\n\n{}\n\n{HELP}",
            self.lang.of(&lesson.title),
            self.lang.of(&lesson.summary)
        ))?;
        for index in 0..lesson.steps.len() {
            if !session.step(index, &mut input)? {
                return Ok(ExitCode::FAILURE);
            }
        }
        for text in &lesson.learned {
            session.say(&format!("* {}", self.lang.of(text)))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn scene(&self, lesson: &Lesson) -> Result<Box<dyn Scene>, Box<dyn Error>> {
        if let Some(context) = &self.context {
            return Ok(Box::new(Elsewhere::new(context, &self.home)?));
        }
        let mut cluster = Cluster::new(&lesson.profile, lesson.seed)?;
        cluster.carry_openapi(crate::openapi::schemas);
        Ok(Box::new(cluster))
    }
}

struct Session<'a> {
    lesson: &'a Lesson,
    language: Language,
    scene: Box<dyn Scene>,
}

impl Session<'_> {
    /// Whether the step came to its end.
    fn step(&mut self, index: usize, input: &mut Lines<StdinLock<'_>>) -> io::Result<bool> {
        let Some(step) = self.lesson.steps.get(index) else { return Ok(true) };
        let language = self.language;
        let all = self.lesson.steps.len();
        self.say(&format!(
            "\n## {}/{all} {}\n\n{}",
            index + 1,
            language.of(&step.title),
            language.of(&step.text)
        ))?;
        let mut commands = step.commands.iter();
        let mut hints = step.hints.iter();
        for command in &step.commands {
            self.say(&format!("    $ {}", command.replace('\n', "\n      ")))?;
        }
        loop {
            print!("$ ");
            io::stdout().flush()?;
            let Some(line) = input.next().transpose()? else { return Ok(false) };
            match line.trim() {
                ":quit" => return Ok(false),
                ":next" => return Ok(true),
                ":hint" => match hints.next() {
                    Some(hint) => self.say(language.of(hint))?,
                    None => self.say("-")?,
                },
                ":solution" => {
                    for command in
                        if step.solution.is_empty() { &step.commands } else { &step.solution }
                    {
                        self.say(&format!("    $ {command}"))?;
                    }
                }
                ":check" => self.tell(index, step)?,
                ":wait" => self.wait(index, step),
                ":help" => self.say(HELP)?,
                "" => match commands.next() {
                    Some(command) => {
                        self.say(command)?;
                        self.type_in(command)?;
                    }
                    None => self.wait(index, step),
                },
                _ => {
                    let command = whole(line, input)?;
                    self.type_in(&command)?;
                }
            }
            let typed_all = commands.len() == 0;
            if typed_all {
                self.wait(index, step);
            }
            let hold = self.lesson.check(index, self.scene.as_mut());
            if !hold.contains(&false) && (typed_all || !hold.is_empty()) {
                self.tell(index, step)?;
                return Ok(true);
            }
        }
    }

    fn type_in(&mut self, command: &str) -> io::Result<()> {
        let result = self.scene.exec(command, COMMAND_LIMIT);
        print!("{}", result.stdout);
        io::stdout().flush()?;
        eprint!("{}", result.stderr);
        Ok(())
    }

    /// Lets time pass until the checks hold, as long as the step may take.
    fn wait(&mut self, index: usize, step: &StepText) {
        let end = self.scene.elapsed() + step.wait.0;
        while self.lesson.check(index, self.scene.as_mut()).contains(&false)
            && self.scene.elapsed() < end
        {
            self.scene.pass(Duration::from_secs(1));
        }
    }

    fn tell(&mut self, index: usize, step: &StepText) -> io::Result<()> {
        let hold = self.lesson.check(index, self.scene.as_mut());
        for (check, holds) in step.checks.iter().zip(hold) {
            let mark = if holds { "✓" } else { "·" };
            self.say(&format!("{mark} {}", self.language.of(&check.says)))?;
        }
        Ok(())
    }

    fn say(&self, text: &str) -> io::Result<()> {
        // What varies is for the comparison only.
        writeln!(io::stdout(), "{}", text.trim_end().replace("[..]", "…"))
    }
}

/// A command with the lines of its here-document, if it has one.
fn whole(line: String, input: &mut Lines<StdinLock<'_>>) -> io::Result<String> {
    let Some((_, mark)) = line.split_once("<<") else { return Ok(line) };
    let mark = mark.trim_start_matches('-').split_whitespace().next().unwrap_or_default();
    let mark = mark.trim_matches(['\'', '"']).to_owned();
    let mut command = line;
    while !mark.is_empty() {
        let Some(next) = input.next().transpose()? else { break };
        command.push('\n');
        command.push_str(&next);
        if next.trim() == mark {
            break;
        }
    }
    Ok(command)
}
