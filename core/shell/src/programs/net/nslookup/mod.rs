//! `nslookup`: three programs of the same name, which images have.

mod bind;
mod busybox;
mod old;

pub use bind::Nslookup;
pub use busybox::Nslookup as BusyboxNslookup;
pub use old::Nslookup as OldNslookup;

use naru_network::dns::{Name, RecordType};
use std::net::IpAddr;

/// What the arguments ask for.
struct Asked {
    /// As it was typed.
    host: String,
    /// The server to ask, if one was typed.
    server: Option<String>,
    /// The name to ask for: of an address, its reverse.
    name: String,
    /// Addresses of either family, if nothing else was typed.
    kinds: Vec<RecordType>,
}

impl Asked {
    /// Reads `[-type=type] name [server]`; `None` without a name.
    fn read(args: &[String]) -> Result<Option<Asked>, String> {
        let mut kinds = Vec::new();
        let mut operands = Vec::new();
        for arg in args.iter().skip(1) {
            let Some(option) = arg.strip_prefix('-') else {
                operands.push(arg.clone());
                continue;
            };
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if matches!(name, "type" | "querytype" | "q" | "query") {
                let kind = RecordType::of_name(&value.to_ascii_uppercase());
                kinds.push(kind.ok_or(format!("invalid query type \"{value}\""))?);
            }
        }
        let mut operands = operands.into_iter();
        let Some(host) = operands.next() else { return Ok(None) };
        let mut name = host.clone();
        if kinds.is_empty() {
            match host.parse::<IpAddr>() {
                Ok(address) => {
                    kinds.push(RecordType::Ptr);
                    name = Name::reverse(address).as_str().to_owned();
                }
                Err(_) => kinds = vec![RecordType::A, RecordType::Aaaa],
            }
        }
        Ok(Some(Asked { host, server: operands.next(), name, kinds }))
    }
}
