//! Whether what a server shows leads up to somebody who is trusted, told step by step.
//!
//! Upstream: `verify_callback` in OpenSSL's `apps/lib/s_cb.c`, `X509_verify_cert` in `crypto/x509/x509_vfy.c`.

use super::{Wanted, subject};
use crate::batch::Output;
use crate::openssl::{text, verify};
use naru_pki::Certificate;
use naru_pki::tls::matches_name;

/// Certificates of a chain at most.
const DEPTH_MAX: usize = 10;

/// A number of OpenSSL's and its words.
pub type Problem = (u32, &'static str);

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// From the server's own certificate up.
    chain: Vec<Certificate>,
    /// The steps: how far up, and what is wrong there.
    steps: Vec<(usize, Option<Problem>)>,
    /// What is said at the end.
    pub problem: Option<Problem>,
}

/// Judges what a server has shown; no further than to what is wrong, if nothing may be.
pub fn judge(shown: &[Certificate], wanted: &Wanted, now: u64) -> Judged {
    let mut judged = judge_all(shown, wanted, now);
    let first = judged.steps.iter().position(|(_, problem)| problem.is_some());
    if let (true, Some(first)) = (wanted.must_verify, first) {
        judged.steps.truncate(first + 1);
        judged.problem = judged.steps.get(first).and_then(|(_, problem)| *problem);
    }
    judged
}

fn judge_all(shown: &[Certificate], wanted: &Wanted, now: u64) -> Judged {
    let Some(leaf) = shown.first() else { return Judged::default() };
    let (chain, trusted) = climb(leaf, shown, &wanted.roots, now);
    let top = chain.len() - 1;
    let own = chain.last().is_some_and(|last| verify::signed(last, last, now));
    let mut judged = Judged { chain, ..Judged::default() };
    let mut walk = top;
    match (trusted, own) {
        (true, _) => {}
        (false, true) if top == 0 => judged.refuse(0, (18, "self-signed certificate")),
        (false, true) => judged.refuse(top, (19, "self-signed certificate in certificate chain")),
        (false, false) => {
            judged.refuse(top, (20, "unable to get local issuer certificate"));
            match top {
                0 => judged.refuse(0, (21, "unable to verify the first certificate")),
                _ => walk = top - 1,
            }
        }
    }
    let name = wanted.hostname.as_deref();
    if name.is_some_and(|name| !leaf.dns_names().iter().any(|own| matches_name(own, name))) {
        judged.refuse(0, (62, "hostname mismatch"));
    }
    for depth in (0..=walk).rev() {
        if let Some(problem) = judged.chain.get(depth).and_then(|it| untimely(it, now)) {
            judged.refuse(depth, problem);
        }
        judged.steps.push((depth, None));
    }
    judged
}

/// From a certificate up, as far as issuers are known; and whether the last is trusted.
fn climb(
    leaf: &Certificate,
    shown: &[Certificate],
    roots: &[Certificate],
    now: u64,
) -> (Vec<Certificate>, bool) {
    let mut chain = vec![leaf.clone()];
    let mut current = leaf;
    while chain.len() < DEPTH_MAX {
        if roots.contains(current) {
            return (chain, true);
        }
        if verify::signed(current, current, now) {
            break;
        }
        if let Some(root) = roots.iter().find(|root| verify::signed(current, root, now)) {
            chain.push(root.clone());
            return (chain, true);
        }
        let Some(next) = shown.iter().skip(1).find(|other| verify::signed(current, other, now))
        else {
            break;
        };
        chain.push(next.clone());
        current = next;
    }
    (chain, false)
}

fn untimely(certificate: &Certificate, now: u64) -> Option<Problem> {
    match now {
        now if now < certificate.not_before() => Some((9, "certificate is not yet valid")),
        now if now > certificate.not_after() => Some((10, "certificate has expired")),
        _ => None,
    }
}

impl Judged {
    fn refuse(&mut self, depth: usize, problem: Problem) {
        self.steps.push((depth, Some(problem)));
        self.problem = Some(problem);
    }

    /// Tells the steps; `-brief` and `-verify_quiet` only those that found something.
    pub fn tell(&self, wanted: &Wanted, output: &mut Output) {
        let mut last = None;
        for (depth, problem) in &self.steps {
            let Some(certificate) = self.chain.get(*depth) else { continue };
            if wanted.brief && problem.is_none() {
                continue;
            }
            output.error(format!("depth={depth} {}", subject(certificate)));
            if let Some((number, why)) = problem {
                output.error(format!("verify error:num={number}:{why}"));
                last = *problem;
            }
            let validity = &certificate.0.tbs_certificate.validity;
            match last {
                Some((9, _)) => {
                    output.error(format!("notBefore={}", text::date(&validity.not_before)))
                }
                Some((10, _)) => {
                    output.error(format!("notAfter={}", text::date(&validity.not_after)))
                }
                _ => {}
            }
            if problem.is_some() && wanted.must_verify {
                return;
            }
            output.error("verify return:1");
        }
    }

    /// `0 (ok)`, or what is wrong.
    pub fn code(&self) -> (u32, &'static str) {
        self.problem.unwrap_or((0, "ok"))
    }
}
