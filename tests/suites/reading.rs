//! A reader who types the commands of a text as they come.

use super::{COMMAND_LIMIT, LINES_MAX, PAUSE, cluster};
use libtest_mimic::Failed;
use naru_cluster::Cluster;
use naru_tests::CodeBlock;
use regex_lite::Regex;

/// Programs whose lines are commands even where no prompt stands before them.
const PROGRAMS: [&str; 27] = [
    "ab",
    "apt",
    "apt-cache",
    "apt-get",
    "base64",
    "cat",
    "curl",
    "docker",
    "echo",
    "etcdctl",
    "export",
    "gcloud",
    "helm",
    "k",
    "kubeadm",
    "kubectl",
    "kuectl",
    "minikube",
    "mkdir",
    "mv",
    "openssl",
    "scp",
    "ssh",
    "sudo",
    "systemctl",
    "vi",
    "watch",
];

/// What stands for a program in a text that shows how to call it, and is none.
const PLACEHOLDER: &str = r"\{[^}]*\}|<[a-z][a-z ]*>|\[tab\]|^\S+ \.\.\.$";

/// What joining stands for, typed at the learner's own machine.
const JOIN: &str = "for node in node1 node2 node3; do \
    ssh $node $(ssh master kubeadm token create --print-join-command) | tail -1; done";

/// Where the manifest lies that was shown last.
const SHOWN: &str = ".shown.yaml";

/// A command of a text.
pub struct Command {
    text: String,
    /// The pod at whose prompt it is typed.
    pod: Option<String>,
}

/// A learner's terminal and what was read so far.
pub struct Reader {
    cluster: Cluster,
    /// The manifest shown last.
    manifest: Option<String>,
    /// The Dockerfile and the program shown last.
    dockerfile: Option<String>,
    source: Option<String>,
    /// The pod in which a shell was started.
    inside: Option<String>,
    /// The machine at which everything is typed, if it is not the learner's own.
    machine: Option<&'static str>,
    /// The text shows manifests and never says that they are applied.
    applies: bool,
    patterns: Patterns,
}

struct Patterns {
    prompt: Regex,
    pod_prompt: Regex,
    placeholder: Regex,
    generated: Regex,
    normal: Vec<(Regex, &'static str)>,
}

impl Reader {
    pub fn new(profile: &str, applies: bool) -> Result<Self, Failed> {
        Ok(Reader {
            applies,
            cluster: cluster(profile)?,
            manifest: None,
            dockerfile: None,
            source: None,
            inside: None,
            // Who builds a cluster with kubeadm sits at its first machine.
            machine: (profile == "kubeadm").then_some("master"),
            patterns: Patterns::new()?,
        })
    }

    /// The commands of a block. A block of YAML is a manifest to remember.
    pub fn commands(&mut self, blocks: &[CodeBlock], at: usize) -> Vec<Command> {
        let Some(block) = blocks.get(at) else { return Vec::new() };
        let shown = block.text.lines().any(|line| self.is_sure(line));
        match block.language.to_lowercase().as_str() {
            "dockerfile" | "docker" => self.dockerfile = Some(block.text.clone()),
            "js" | "javascript" | "py" => self.source = Some(block.text.clone()),
            _ => {}
        }
        if block.is_yaml() && !shown {
            self.manifest = Some(block.text.clone());
            if self.applies {
                let _ = self.cluster.write_home_file(SHOWN, block.text.as_bytes());
                self.cluster.exec(&format!("kubectl apply -f {SHOWN}"), COMMAND_LIMIT);
                self.cluster.advance(self.cluster.now() + PAUSE, u64::MAX);
            }
            return Vec::new();
        }
        if !matches!(block.language.as_str(), "" | "sh" | "shell" | "bash" | "powershell" | "yaml")
        {
            return Vec::new();
        }
        let mut commands = Vec::new();
        let mut lines = block.text.lines();
        while let Some(line) = lines.next() {
            let Some((mut text, pod)) = self.command(line) else { continue };
            while let Some(begun) = text.strip_suffix('\\') {
                text = format!("{}{}", begun, lines.next().unwrap_or_default().trim_start());
            }
            if let Some((_, word)) = text.split_once("<<") {
                let word: String = word.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
                for line in lines.by_ref() {
                    text.push('\n');
                    text.push_str(line);
                    if line.trim() == word {
                        break;
                    }
                }
            }
            match text.strip_prefix("vi ") {
                Some(file) => self.edit(file, blocks.get(at + 1)),
                None => commands.push(Command { text, pod }),
            }
        }
        commands
    }

    /// Whether a prompt that can be nothing else stands before the line.
    fn is_sure(&self, line: &str) -> bool {
        let prompt = self.patterns.prompt.find(line);
        prompt.is_some_and(|found| !matches!(found.as_str().trim(), "#" | ">" | ""))
    }

    fn command(&self, line: &str) -> Option<(String, Option<String>)> {
        if let Some(found) = self.patterns.pod_prompt.captures(line) {
            let text = found.get(2).map_or("", |text| text.as_str()).trim();
            return (!text.is_empty()).then(|| (text.to_owned(), Some(String::new())));
        }
        let prompt = self.patterns.prompt.find(line);
        let text = line.get(prompt.map_or(0, |found| found.end())..).unwrap_or_default().trim();
        let program = text.split_whitespace().next()?;
        // What stands after `#` or `>` may be a remark or the end of an output as well.
        if text.starts_with("kubeadm join") {
            // The token stands for one that is not told; all three machines join.
            return Some((JOIN.to_owned(), None));
        }
        let is_command = if self.is_sure(line) {
            program.starts_with(|c: char| c.is_ascii_alphabetic())
        } else {
            let remark = prompt.is_some() && text.contains(|c| ('가'..='힣').contains(&c));
            PROGRAMS.contains(&program)
                && !line.starts_with("  ")
                && !text.contains("   ")
                && !remark
        };
        if !is_command || self.patterns.placeholder.is_match(text) {
            return None;
        }
        // A remark is no part of it.
        let text = text.split(" #").next().unwrap_or(text).trim_end();
        Some((text.to_owned(), None))
    }

    fn edit(&mut self, file: &str, next: Option<&CodeBlock>) {
        if let Some(next) = next.filter(|next| next.is_yaml()) {
            let text = next.text.clone();
            self.lay(file.trim(), &text);
        }
    }

    /// Types a command: what was typed in the end, and what came of it.
    pub fn answer(&mut self, command: &Command) -> Result<(String, String), Failed> {
        let text = self.with_pods_of_here(&command.text);
        self.lay_files(&text);
        self.lay_context(&text);
        let typed = match (&command.pod, &self.inside) {
            (Some(_), Some(pod)) => {
                format!("kubectl exec {pod} -- sh -c '{}'", text.replace('\'', "'\\''"))
            }
            _ => text.replacen("k ", "kubectl ", usize::from(text.starts_with("k "))),
        };
        let typed = match self.machine {
            Some(machine) if typed != JOIN => {
                format!("ssh {machine} '{}'", typed.replace('\'', "'\\''"))
            }
            _ => typed,
        };
        let result = self.cluster.exec(&typed, COMMAND_LIMIT);
        self.cluster.advance(self.cluster.now() + PAUSE, u64::MAX);
        self.note_shell(&typed);
        let mut answer = String::new();
        if result.code != 0 {
            answer.push_str(&format!("? {}\n", result.code));
        }
        let mut lines = result.stdout.lines().chain(result.stderr.lines());
        for line in lines.by_ref().take(LINES_MAX) {
            answer.push_str(&self.patterns.normalize(line));
            answer.push('\n');
        }
        if lines.next().is_some() {
            answer.push_str("...\n");
        }
        Ok((typed, answer))
    }

    /// Remembers the pod in which a shell was started.
    fn note_shell(&mut self, typed: &str) {
        let words: Vec<&str> = typed.split_whitespace().collect();
        let starts_shell = words.last().is_some_and(|word| word.ends_with("sh") || *word == "-il");
        if !starts_shell || !typed.contains("kubectl") {
            return;
        }
        let after = words.iter().position(|word| matches!(*word, "exec" | "run"));
        let name = words
            .iter()
            .skip(after.map_or(usize::MAX, |at| at + 1))
            .find(|word| !word.starts_with('-'));
        self.inside = name.map(|name| (*name).to_owned());
    }

    /// Lays the manifest shown last where a command looks for a file that is not there.
    fn lay_files(&mut self, text: &str) {
        let Some(manifest) = self.manifest.clone() else { return };
        let mut words = text.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let file = match word {
                "-f" | "--filename" => words.peek().copied(),
                word => word.strip_prefix("--filename=").or(word.strip_prefix("-f=")),
            };
            let Some(file) = file.filter(|file| !file.starts_with('-') && !file.contains("://"))
            else {
                continue;
            };
            if !text.starts_with('k') {
                continue;
            }
            // A text changes a file and applies it again: what was shown last is meant.
            self.lay(file, &manifest);
        }
    }

    /// Lays the Dockerfile shown last, and the program that it copies, where an image is built.
    fn lay_context(&mut self, text: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (["docker", "build", .., folder], Some(dockerfile)) =
            (words.as_slice(), self.dockerfile.clone())
        else {
            return;
        };
        let copied = dockerfile.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let copies = matches!(words.next(), Some("COPY" | "ADD"));
            words.next().filter(|_| copies).map(str::to_owned)
        });
        let source = self.source.clone().unwrap_or_default();
        for file in copied.collect::<Vec<String>>() {
            self.lay(&format!("{folder}/{}", file.trim_start_matches("./")), &source);
        }
        self.lay(&format!("{folder}/Dockerfile"), &dockerfile);
    }

    /// Writes a file where everything is typed.
    fn lay(&mut self, file: &str, text: &str) {
        let _ = self.cluster.write_home_file(SHOWN, text.as_bytes());
        let copy = match self.machine {
            Some(machine) => format!("ssh {machine} 'cat > {file}' < {SHOWN}"),
            None => format!("sudo mkdir -p $(dirname {file}); sudo cp {SHOWN} {file}"),
        };
        self.cluster.exec(&copy, COMMAND_LIMIT);
    }

    /// The command with names of pods that are here, where it has those of the text's own cluster.
    fn with_pods_of_here(&mut self, text: &str) -> String {
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let pods = self.cluster.objects("v1", "Pod", "default", "");
        for word in &mut words {
            let (before, name) =
                word.rsplit_once('/').map_or(("", word.as_str()), |(kind, name)| (kind, name));
            let Some(found) = self.patterns.generated.captures(name) else { continue };
            let owner = found.get(1).map_or("", |owner| owner.as_str());
            let here =
                pods.iter().map(|pod| pod.meta().name.clone().unwrap_or_default()).find(|pod| {
                    pod.strip_prefix(owner).is_some_and(|rest| rest.starts_with('-'))
                        && pod.len() > owner.len() + 5
                });
            if let Some(here) = here {
                *word = if before.is_empty() { here } else { format!("{before}/{here}") };
            }
        }
        // The texts are of Windows and of a Mac too.
        words.join(" ").replace(".\\", "")
    }
}

impl Patterns {
    fn new() -> Result<Self, Failed> {
        Ok(Patterns {
            prompt: Regex::new(
                r"^\s*(?:\$|[#>]|PS [A-Z]:[^>]*>|[A-Z]:\\[^>]*>|[a-z]+@\S+ \S+ %|root@[^:]*:\S*#)\s*",
            )?,
            pod_prompt: Regex::new(
                r"^\s*\$?\s*(root@[a-z0-9-]+|debug|/ |bash-[0-9.]+):?\S*#\s*(.*)$",
            )?,
            placeholder: Regex::new(PLACEHOLDER)?,
            generated: Regex::new(r"^([a-z][a-z0-9-]*?)(?:-[a-z0-9]{8,10})?-[a-z0-9]{5}$")?,
            normal: vec![
                (Regex::new(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")?, "TOKEN"),
                (Regex::new(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b")?, "0.0.0.0"),
                (
                    Regex::new(
                        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
                    )?,
                    "UID",
                ),
                (Regex::new(r"\b[0-9a-f]{12,64}\b")?, "HEX"),
                (
                    Regex::new(r"-[bcdf0-9]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b")?,
                    "-HASH-xxxxx",
                ),
                (Regex::new(r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b")?, "-xxxxx"),
                (Regex::new(r"\b(?:\d+[dhms])+\b")?, "AGE"),
                (Regex::new(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,0-9]*")?, "TIME"),
                (Regex::new(r"\b\d\d:\d\d:\d\d\b")?, "TIME"),
                (Regex::new(r"\w{3}, \d\d \w{3} \d{4}")?, "DAY"),
                (Regex::new(r"\b3\d{4}\b")?, "30000"),
                (Regex::new(r"[A-Za-z0-9+/=_-]{60,}(\.[A-Za-z0-9_-]+)*")?, "LONG"),
                (Regex::new(r"\s+$")?, ""),
                (Regex::new(r"(\S)  +")?, "$1  "),
            ],
        })
    }

    fn normalize(&self, line: &str) -> String {
        self.normal.iter().fold(line.to_owned(), |line, (pattern, with)| {
            pattern.replace_all(&line, *with).into_owned()
        })
    }
}
