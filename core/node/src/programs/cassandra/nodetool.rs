//! `nodetool`.

use super::{READ_MAX, TOOL_PORT};
use naru_shell::serve::Dial;
use naru_shell::{Errno, Program, Progress, SocketId, Step, Sys};

/// The program.
#[derive(Clone, Debug, Default)]
pub struct Nodetool {
    state: State,
    asked: String,
    answer: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    New,
    Dialing(Box<Dial>),
    Waiting(SocketId),
}

impl Program for Nodetool {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        loop {
            match std::mem::take(&mut self.state) {
                State::New => {
                    let args = sys.args().to_vec();
                    let word = args.iter().skip(1).find(|arg| !arg.starts_with('-')).cloned();
                    let Some(word) = word else {
                        let text =
                            "usage: nodetool [(-h <host> | --host <host>)] <command> [<args>]\n";
                        let _ = sys.write(1, text.as_bytes());
                        return Step::Exit(0);
                    };
                    self.asked = word;
                    self.state = State::Dialing(Box::new(Dial::new("127.0.0.1", TOOL_PORT)));
                }
                State::Dialing(mut dial) => match dial.poll(sys) {
                    Progress::Waits(until) => {
                        self.state = State::Dialing(dial);
                        return Step::Block { until };
                    }
                    Progress::Done(Ok(socket)) => {
                        let question = format!("{}\n", self.asked);
                        let _ = sys.net().map(|net| net.send(socket, question.as_bytes()));
                        self.state = State::Waiting(socket);
                    }
                    Progress::Done(Err(_)) => {
                        let text = "nodetool: Failed to connect to '127.0.0.1:7199' - ConnectException: \
                                    'Connection refused (Connection refused)'.\n";
                        let _ = sys.write(2, text.as_bytes());
                        return Step::Exit(1);
                    }
                },
                State::Waiting(socket) => {
                    self.state = State::Waiting(socket);
                    match sys.net().map(|net| net.recv(socket, READ_MAX)) {
                        Some(Ok(bytes)) if !bytes.is_empty() => self.answer.extend(bytes),
                        Some(Err(Errno::Again)) => return Step::Block { until: None },
                        _ => {
                            let _ = sys.write(1, &self.answer);
                            let wrong = self.answer.starts_with(b"nodetool: ");
                            return Step::Exit(i32::from(wrong));
                        }
                    }
                }
            }
        }
    }
}
