//! A `naru serve` of a test's own, ended with the test.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process, thread};

/// A running server and a home for its clients.
pub struct Serve {
    child: Child,
    /// An empty folder that goes with the server.
    pub home: PathBuf,
}

impl Serve {
    /// Starts a server on a free port of loopback and waits until it listens.
    pub fn start(options: &[&str]) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let home = env::temp_dir().join(format!("naru-serve-{}-{number}", process::id()));
        fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        let kubeconfig = home.join("kubeconfig");
        let mut child = Command::new(env!("CARGO_BIN_EXE_naru"))
            .args(["serve", "--listen", "127.0.0.1:0", "--kubeconfig"])
            .arg(&kubeconfig)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("naru serve: {error}"))?;
        let output = child.stdout.take().map(BufReader::new);
        let server = Serve { child, home };
        let mut lines = output.ok_or("naru serve has no output")?.lines();
        // The kubeconfig is written before the first line is.
        lines.next().ok_or("naru serve said nothing")?.map_err(|error| error.to_string())?;
        if !kubeconfig.is_file() {
            return Err("naru serve wrote no kubeconfig".to_owned());
        }
        // What it says later is read so that it never waits for a reader.
        thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }

    /// The file that says where the server is and who one is there.
    pub fn kubeconfig(&self) -> PathBuf {
        self.home.join("kubeconfig")
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.home).ok();
    }
}
