//! `apt-get`, `apk`, `yum`, `pip` and `npm`, as far as Dockerfiles and lessons need them: packages
//! whose programs the sandbox has are installed, others are not found.

use naru_shell::{Program, Step, Sys, standard_program_names};
use std::time::Duration;

/// What a package brings: the files and the programs that they stand for.
const PACKAGES: &[(&str, &[(&str, &str)])] = &[
    ("curl", &[("/usr/bin/curl", "curl")]),
    ("wget", &[("/usr/bin/wget", "wget")]),
    ("vim", &[("/usr/bin/vim", "vim"), ("/usr/bin/vi", "vi")]),
    ("procps", &[("/usr/bin/ps", "ps"), ("/usr/bin/watch", "watch"), ("/usr/bin/top", "top")]),
    ("iputils-ping", &[("/usr/bin/ping", "ping")]),
    ("iputils", &[("/usr/bin/ping", "ping")]),
    ("iproute2", &[("/usr/sbin/ip", "ip"), ("/usr/bin/ss", "ss")]),
    ("net-tools", &[("/usr/bin/netstat", "netstat"), ("/usr/sbin/ifconfig", "ifconfig")]),
    ("dnsutils", &[("/usr/bin/dig", "dig"), ("/usr/bin/nslookup", "nslookup")]),
    ("bind-utils", &[("/usr/bin/dig", "dig"), ("/usr/bin/nslookup", "nslookup")]),
    ("bind-tools", &[("/usr/bin/dig", "dig"), ("/usr/bin/nslookup", "nslookup")]),
    ("netcat-openbsd", &[("/usr/bin/nc", "nc")]),
    ("netcat", &[("/usr/bin/nc", "nc")]),
    ("bash", &[("/bin/bash", "bash")]),
    ("fortune", &[("/usr/games/fortune", "fortune")]),
    ("fortune-mod", &[("/usr/games/fortune", "fortune")]),
    ("apache2-utils", &[("/usr/bin/ab", "ab")]),
    ("httpd-tools", &[("/usr/bin/ab", "ab")]),
    ("stress", &[("/usr/bin/stress", "stress")]),
    (
        "amqp-tools",
        &[
            ("/usr/bin/amqp-consume", "amqp-consume"),
            ("/usr/bin/amqp-declare-queue", "amqp-declare-queue"),
            ("/usr/bin/amqp-delete-queue", "amqp-delete-queue"),
            ("/usr/bin/amqp-get", "amqp-get"),
            ("/usr/bin/amqp-publish", "amqp-publish"),
        ],
    ),
    ("python3", &[("/usr/bin/python3", "python")]),
    ("python", &[("/usr/bin/python", "python")]),
    ("redis-tools", &[("/usr/bin/redis-cli", "redis-cli")]),
    ("default-mysql-client", &[("/usr/bin/mysql", "mysql")]),
    ("mysql-client", &[("/usr/bin/mysql", "mysql")]),
    ("postgresql-client", &[("/usr/bin/psql", "psql")]),
    // What every machine of the sandbox has from the start.
    ("kubelet", &[]),
    ("kubeadm", &[]),
    ("kubectl", &[]),
    ("kubernetes-cni", &[]),
    ("apt-transport-https", &[]),
    ("gnupg-agent", &[]),
    ("software-properties-common", &[]),
    ("ca-certificates", &[]),
    ("tzdata", &[]),
];
/// Libraries of languages, which are there as far as the sandbox's description of a program asks.
const LIBRARIES: &[&str] =
    &["flask", "django", "fastapi", "uvicorn", "gunicorn", "requests", "pip", "redis", "express"];

/// The program.
#[derive(Clone, Debug, Default)]
pub struct PackageManager {
    /// The command line, where it is not the process's own: `python -m pip`.
    args: Option<Vec<String>>,
    /// What is to be said, and with which code it ends.
    said: Option<(String, String, i32)>,
    until: Option<naru_sim::Time>,
}

impl Program for PackageManager {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.said.is_none() {
            let args = self.args.clone().unwrap_or_else(|| sys.args().to_vec());
            let (done, time) = run(sys, &args);
            self.said = Some(done);
            self.until = Some(sys.now() + time);
        }
        if self.until.is_some_and(|at| sys.now() < at) {
            return Step::Block { until: self.until };
        }
        let Some((stdout, stderr, code)) = self.said.take() else { return Step::Exit(1) };
        let _ = sys.write(1, stdout.as_bytes());
        let _ = sys.write(2, stderr.as_bytes());
        Step::Exit(code)
    }
}

type Done = (String, String, i32);

impl PackageManager {
    /// One that does this command line.
    pub fn of(args: Vec<String>) -> Self {
        PackageManager { args: Some(args), ..PackageManager::default() }
    }
}

fn run(sys: &mut dyn Sys, args: &[String]) -> (Done, Duration) {
    let path = args.first().cloned().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    let words: Vec<String> =
        args.iter().skip(1).filter(|arg| !arg.starts_with('-')).cloned().collect();
    let (verb, packages) = match words.split_first() {
        Some((verb, packages)) => (verb.as_str(), packages.to_vec()),
        None => ("", Vec::new()),
    };
    let long = Duration::from_millis(1_500) + Duration::from_millis(900) * packages.len() as u32;
    match (name.as_str(), verb) {
        ("apt-get" | "apt", "update") => (apt_update(), Duration::from_millis(2_700)),
        ("apt-get" | "apt", "install") => (apt_install(sys, &packages), long),
        ("apt-get" | "apt", "clean" | "autoremove" | "upgrade") => (said(""), Duration::ZERO),
        ("apt-get" | "apt", verb) => {
            (refused(format!("E: Invalid operation {verb}\n"), 100), Duration::ZERO)
        }
        ("apk", "add") => (apk_add(sys, &packages), long),
        ("apk", "update") => (said("OK: 25397 distinct packages available\n"), long),
        ("yum" | "dnf" | "microdnf", "install") => (yum_install(sys, &packages), long),
        ("yum" | "dnf" | "microdnf", "update" | "clean" | "makecache") => {
            (said("Complete!\n"), long)
        }
        ("pip" | "pip3", "install") => (pip_install(args, &packages), long),
        ("npm", "install" | "i" | "ci") => {
            (said("\nup to date, audited 1 package in 1s\n\nfound 0 vulnerabilities\n"), long)
        }
        (name, verb) => {
            let why = format!("{name}: the sandbox has no `{name} {verb}`\n");
            (refused(why, 1), Duration::ZERO)
        }
    }
}

fn said(text: &str) -> Done {
    (text.to_owned(), String::new(), 0)
}

fn refused(text: String, code: i32) -> Done {
    (String::new(), text, code)
}

fn find(package: &str) -> Option<&'static [(&'static str, &'static str)]> {
    PACKAGES.iter().find(|(name, _)| *name == package).map(|(_, files)| *files)
}

/// Lays a package's files down. The error is a system call's.
fn install(sys: &mut dyn Sys, files: &[(&str, &str)]) -> Result<(), String> {
    for (path, program) in files {
        let own = ["fortune", "python", "redis-cli", "stress", "mysql", "psql"];
        let tool = program.starts_with("amqp-");
        if !own.contains(program) && !tool && !standard_program_names().any(|name| name == *program)
        {
            continue;
        }
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let fs = sys.fs();
        let done = fs.mkdir_all(folder).and_then(|()| fs.install(path, program));
        done.map_err(|errno| format!("unable to create '{path}': {errno}"))?;
    }
    Ok(())
}

fn apt_update() -> Done {
    said(
        "Get:1 http://deb.debian.org/debian bookworm InRelease [151 kB]\n\
         Get:2 http://deb.debian.org/debian bookworm/main amd64 Packages [8793 kB]\n\
         Fetched 8944 kB in 2s (4019 kB/s)\n\
         Reading package lists...\n",
    )
}

fn apt_install(sys: &mut dyn Sys, packages: &[String]) -> Done {
    let mut text =
        "Reading package lists...\nBuilding dependency tree...\nReading state information...\n"
            .to_owned();
    if let Some(unknown) = packages.iter().find(|name| find(name).is_none()) {
        return (text, format!("E: Unable to locate package {unknown}\n"), 100);
    }
    if sys.uid() != 0 {
        let why = "E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission \
                   denied)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), \
                   are you root?\n";
        return (String::new(), why.to_owned(), 100);
    }
    text.push_str(&format!(
        "The following NEW packages will be installed:\n  {}\n0 upgraded, {} newly installed, 0 to \
         remove and 0 not upgraded.\n",
        packages.join(" "),
        packages.len()
    ));
    for package in packages {
        if let Err(why) = install(sys, find(package).unwrap_or_default()) {
            return (text, format!("dpkg: error processing package {package}: {why}\n"), 100);
        }
        text.push_str(&format!("Setting up {package} ...\n"));
    }
    said(&text)
}

fn apk_add(sys: &mut dyn Sys, packages: &[String]) -> Done {
    if let Some(unknown) = packages.iter().find(|name| find(name).is_none()) {
        let text = format!(
            "ERROR: unable to select packages:\n  {unknown} (no such package):\n    required by: \
             world[{unknown}]\n"
        );
        return refused(text, 1);
    }
    let mut text = String::new();
    for (index, package) in packages.iter().enumerate() {
        if let Err(why) = install(sys, find(package).unwrap_or_default()) {
            return (text, format!("ERROR: {package}: {why}\n"), 1);
        }
        text.push_str(&format!("({}/{}) Installing {package}\n", index + 1, packages.len()));
    }
    text.push_str("OK: 12 MiB in 24 packages\n");
    said(&text)
}

fn yum_install(sys: &mut dyn Sys, packages: &[String]) -> Done {
    let mut text = String::new();
    for package in packages {
        let Some(files) = find(package) else {
            text.push_str(&format!("No package {package} available.\n"));
            return (text, "Error: Nothing to do\n".to_owned(), 1);
        };
        if let Err(why) = install(sys, files) {
            return (text, format!("Error: {package}: {why}\n"), 1);
        }
    }
    text.push_str(&format!("\nInstalled:\n  {}\n\nComplete!\n", packages.join(" ")));
    said(&text)
}

fn pip_install(args: &[String], packages: &[String]) -> Done {
    if args.iter().any(|arg| arg == "-r") {
        return said("Successfully installed what requirements.txt names\n");
    }
    let name = |package: &String| {
        package.split(['=', '<', '>', '~', '[']).next().unwrap_or_default().to_lowercase()
    };
    if let Some(unknown) = packages.iter().find(|it| !LIBRARIES.contains(&name(it).as_str())) {
        let text = format!(
            "ERROR: Could not find a version that satisfies the requirement {unknown} (from \
             versions: none)\nERROR: No matching distribution found for {unknown}\n"
        );
        return refused(text, 1);
    }
    let lines = packages.iter().map(|package| format!("Collecting {package}\n"));
    said(&format!("{}Successfully installed {}\n", lines.collect::<String>(), packages.join(" ")))
}
