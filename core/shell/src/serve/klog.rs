//! Lines as the programs of Kubernetes log them.
//!
//! Upstream: `k8s.io/klog/v2`.

use super::clock;
use crate::Sys;

/// Writes a line that begins with where it is from: `main.go:110] "Version" version="v4.8.0"`.
pub fn line(sys: &mut dyn Sys, level: char, text: &str) {
    let (time, pid) = (clock::format(sys.now(), clock::KLOG), sys.pid());
    // What nobody reads is lost.
    let _ = sys.write(2, format!("{level}{time} {pid:>7} {text}\n").as_bytes());
}

/// Writes what is said at this place of the source.
pub fn log(sys: &mut dyn Sys, level: char, place: &str, text: &str) {
    line(sys, level, &format!("{place}] {text}"));
}
