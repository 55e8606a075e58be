//! `naru run`: a script through the learner's terminal; `naru why`: what has come of it.

use clap::Args;
use naru_cluster::{Cluster, JobOutput, Profile};
use naru_sim::Time;
use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Scripts are small; a larger file is surely not one.
const SCRIPT_BYTES_MAX: u64 = 1024 * 1024;

/// Arguments of `naru run`.
#[derive(Args)]
pub struct Run {
    /// The cluster to start with: a name, or a file that describes it.
    #[arg(long, default_value = "kind")]
    profile: String,
    /// Decides everything that is left to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the digest of the store's whole history to standard error at the end.
    #[arg(long)]
    digest: bool,
    /// Virtual seconds after which the script is stopped.
    #[arg(long, default_value_t = 7 * 24 * 3600)]
    limit: u64,
    /// The script, or `-` for standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
}

impl Run {
    /// Runs the script; the exit code is the script's.
    pub fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let mut cluster = self.start()?;
        let code = self.play(&mut cluster, &self.read()?)?;
        self.end(&cluster);
        Ok(code)
    }

    fn end(&self, cluster: &Cluster) {
        if self.digest {
            eprintln!("{}", cluster.store_digest());
        }
    }

    fn start(&self) -> Result<Cluster, Box<dyn Error>> {
        let mut cluster = Cluster::of(self.profile()?, self.seed, Time::ZERO)?;
        cluster.carry_openapi(crate::openapi::schemas);
        if self.digest {
            cluster.keep_digest();
        }
        Ok(cluster)
    }

    /// Lets the terminal do a script, and prints what it prints.
    fn play(&self, cluster: &mut Cluster, script: &str) -> Result<ExitCode, Box<dyn Error>> {
        let job = cluster.start_script(script);
        let end = cluster.now() + Duration::from_secs(self.limit);
        loop {
            let more = cluster.advance_job(job, end);
            let output = cluster.poll(job);
            print(&output)?;
            if let Some(code) = output.code {
                return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
            }
            if !more {
                return Err(format!("stopped after {} virtual seconds", self.limit).into());
            }
        }
    }

    fn profile(&self) -> Result<Profile, Box<dyn Error>> {
        if let Some(profile) = Profile::by_name(&self.profile) {
            return Ok(profile);
        }
        let known = Profile::NAMES.join(", ");
        let text = std::fs::read_to_string(&self.profile).map_err(|error| {
            format!("unknown profile {:?}; known are: {known}; as a file: {error}", self.profile)
        })?;
        Ok(Profile::read(&text).map_err(|error| format!("{}: {error}", self.profile))?)
    }

    fn read(&self) -> Result<String, Box<dyn Error>> {
        let mut text = String::new();
        let name = self.file.display();
        let read = if self.file.as_os_str() == "-" {
            io::stdin().take(SCRIPT_BYTES_MAX + 1).read_to_string(&mut text)
        } else {
            std::fs::File::open(&self.file)
                .and_then(|file| file.take(SCRIPT_BYTES_MAX + 1).read_to_string(&mut text))
        };
        let bytes = read.map_err(|error| format!("{name}: {error}"))?;
        if bytes as u64 > SCRIPT_BYTES_MAX {
            return Err(format!("{name}: larger than {SCRIPT_BYTES_MAX} bytes").into());
        }
        Ok(text)
    }
}

/// Arguments of `naru why`.
#[derive(Args)]
pub struct Why {
    /// The object: `pod/web`.
    object: String,
    /// Its namespace.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    #[command(flatten)]
    run: Run,
}

impl Why {
    /// Runs the script, and has the terminal explain the object at its end.
    pub fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let language = env::var("LANG").unwrap_or_default();
        let words = [&language, &self.object, &self.namespace];
        if let Some(word) = words.into_iter().find(|word| !word.chars().all(is_plain)) {
            return Err(format!("{word:?}: neither an object nor a namespace").into());
        }
        let mut cluster = self.run.start()?;
        self.run.play(&mut cluster, &self.run.read()?)?;
        let (object, namespace) = (&self.object, &self.namespace);
        let language = if language.is_empty() { language } else { format!("LANG={language} ") };
        let line = format!("{language}naru why {object} -n {namespace}");
        let code = self.run.play(&mut cluster, &line)?;
        self.run.end(&cluster);
        Ok(code)
    }
}

/// Whether a shell takes the character for itself.
fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_./:@".contains(character)
}

fn print(output: &JobOutput) -> io::Result<()> {
    io::stdout().write_all(&output.stdout)?;
    io::stdout().flush()?;
    io::stderr().write_all(&output.stderr)
}
