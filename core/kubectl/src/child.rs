//! Other programs that kubectl starts: an editor, `diff`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/util/editor/editor.go`.

use crate::context::Context;
use crate::failure::{Failure, Result};
use naru_shell::{Errno, Pid};

/// Where files lie that are made for another program.
const TMP: &str = "/tmp";

/// Starts a program that uses kubectl's own terminal.
pub fn spawn(cx: &mut Context<'_>, argv: Vec<String>) -> std::result::Result<Pid, Errno> {
    let env = cx.sys.env().clone();
    cx.sys.spawn(argv, env, &[(0, 0), (1, 1), (2, 2)])
}

/// The exit code of a child; `None` while it runs.
pub fn ended(cx: &mut Context<'_>, child: Pid) -> Option<i32> {
    match cx.sys.wait(child) {
        Err(Errno::Again) => None,
        Ok(code) => Some(code),
        Err(_) => Some(1),
    }
}

/// A path in `/tmp` that nothing has yet: `/tmp/kubectl-edit-2345.yaml`.
///
/// Upstream: `os.CreateTemp`.
pub fn temporary(cx: &mut Context<'_>, prefix: &str, suffix: &str) -> String {
    loop {
        let number = cx.sys.rng().below(u64::from(u32::MAX));
        let path = format!("{TMP}/{prefix}{number}{suffix}");
        if !cx.sys.fs().exists(&path) {
            return path;
        }
    }
}

/// Writes a file and the folders above it.
pub fn write(cx: &mut Context<'_>, path: &str, text: &str) -> Result<()> {
    write_bytes(cx, path, text.as_bytes())
}

/// Writes a file and the folders above it.
pub fn write_bytes(cx: &mut Context<'_>, path: &str, bytes: &[u8]) -> Result<()> {
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
    let fs = cx.sys.fs();
    let written = fs.mkdir_all(&folder).and_then(|()| fs.write(path, bytes));
    written.map_err(|errno| {
        Failure::Message(format!("open {path}: {}", errno.to_string().to_lowercase()))
    })
}

/// The editor that the environment names, or `vi`. One whose line has quotes is left to the shell.
///
/// Upstream: `defaultEnvEditor`.
pub fn editor(cx: &mut Context<'_>) -> Vec<String> {
    let env = cx.sys.env();
    let named = ["KUBE_EDITOR", "EDITOR"]
        .into_iter()
        .find_map(|name| env.get(name).filter(|editor| !editor.is_empty()).cloned());
    let editor = named.unwrap_or_else(|| "vi".to_owned());
    if !editor.contains(' ') || !editor.contains(['"', '\'', '\\']) {
        return editor.split(' ').map(str::to_owned).collect();
    }
    let shell = env.get("SHELL").cloned().unwrap_or_else(|| "/bin/bash".to_owned());
    vec![shell, "-c".to_owned(), editor]
}

/// Starts the editor on a file.
pub fn edit(cx: &mut Context<'_>, path: &str) -> Result<Pid> {
    let mut argv = editor(cx);
    let shown = argv.join(" ");
    if argv.get(1).is_some_and(|flag| flag == "-c") {
        if let Some(line) = argv.get_mut(2) {
            line.push_str(&format!(" {}", naru_api::gofmt::quote(path)));
        }
    } else {
        argv.push(path.to_owned());
    }
    spawn(cx, argv).map_err(|_| {
        let shown = naru_api::gofmt::quote(&shown);
        Failure::Message(format!("unable to launch the editor {shown}"))
    })
}
