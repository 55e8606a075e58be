//! Making keys (`genrsa`, `genpkey`, `ecparam -genkey`) and turning them round (`rsa`, `pkey`, `ec`).

use super::options::Options;
use super::{Done, Io, text};
use crate::batch::Output;
use naru_pki::{KeyKind, PrivateKey, PublicKey, RSA_BITS};

/// The size of an RSA key where none is given.
const BITS: usize = 2048;

/// `genrsa [-out file] [-traditional] [bits]`
pub fn genrsa(io: &mut Io<'_>, args: &[String]) -> Done {
    let options =
        Options::parse("genrsa", args, &["out"], &["traditional", "verbose", "3", "F4", "f4"])?;
    let bits = match options.rest.first() {
        None => BITS,
        Some(text) => text
            .parse()
            .map_err(|_| Output::failed(format!("genrsa: Can't parse \"{text}\" as a number")))?,
    };
    let key = rsa(io, bits).map_err(|_| Output::failed("Error setting RSA length"))?;
    let pem = if options.has("traditional") { key.to_traditional_pem() } else { key.to_pem() };
    let mut output = Output::default();
    io.write(options.value("out"), pem.as_bytes(), &mut output)?;
    Ok(output)
}

fn rsa(io: &mut Io<'_>, bits: usize) -> Result<PrivateKey, naru_pki::PkiError> {
    PrivateKey::generate_rsa(io.sys.rng(), bits)
}

/// `rsa:2048`, `ec`: what `req -newkey` makes.
pub fn by_name(io: &mut Io<'_>, name: &str, pkeyopt: &[&str]) -> Result<PrivateKey, String> {
    let unknown = || format!("req: Unknown algorithm {name}");
    match name.split_once(':').unwrap_or((name, "")) {
        ("rsa", bits) => {
            let wanted = pkeyopt.iter().find_map(|option| option.strip_prefix("rsa_keygen_bits:"));
            let bits = wanted.unwrap_or(if bits.is_empty() { "2048" } else { bits });
            let bits = bits.parse().unwrap_or(0);
            rsa(io, bits).map_err(|_| {
                let (least, most) = (RSA_BITS.start(), RSA_BITS.end());
                format!("Private key length must be between {least} and {most} bits, not {bits}")
            })
        }
        ("ec", _) => Ok(PrivateKey::generate(io.sys.rng())),
        _ => Err(unknown()),
    }
}

/// `genpkey -algorithm RSA|EC [-pkeyopt name:value]... [-out file]`
pub fn genpkey(io: &mut Io<'_>, args: &[String]) -> Done {
    let valued = ["algorithm", "pkeyopt", "out", "outform"];
    let options = Options::parse("genpkey", args, &valued, &["text", "quiet"])?;
    let Some(algorithm) = options.value("algorithm") else {
        let mut output = Output::failed("genpkey: Use -help for summary.");
        output.code = 1;
        return Err(output);
    };
    let pkeyopt: Vec<&str> = options.values("pkeyopt").collect();
    let key = match algorithm.to_ascii_uppercase().as_str() {
        "RSA" => by_name(io, "rsa", &pkeyopt),
        "EC" => match curve(&pkeyopt) {
            Some(_) => Ok(PrivateKey::generate(io.sys.rng())),
            None => Err("genpkey: Error generating key".to_owned()),
        },
        _ => Err(format!("Error initializing {algorithm} context")),
    };
    let key = key.map_err(Output::failed)?;
    let mut output = Output::default();
    if matches!(key.kind(), KeyKind::Rsa(_)) {
        output.put_error(progress(io));
    }
    io.write(options.value("out"), key.to_pkcs8_pem().as_bytes(), &mut output)?;
    if options.has("text") {
        output.put(text::private_key(&key));
    }
    Ok(output)
}

/// The one curve that is known here, by either of its names.
fn curve(pkeyopt: &[&str]) -> Option<()> {
    let named = pkeyopt.iter().find_map(|option| option.strip_prefix("ec_paramgen_curve:"))?;
    is_curve(named).then_some(())
}

fn is_curve(name: &str) -> bool {
    ["P-256", "prime256v1", "secp256r1"].contains(&name)
}

/// The dots and pluses that pass while primes are looked for, a line a prime.
pub fn progress(io: &mut Io<'_>) -> String {
    let mut text = String::new();
    for _ in 0..2 {
        for _ in 0..20 + io.sys.rng().below(40) {
            text.push_str(if io.sys.rng().below(3) == 0 { "+" } else { ".." });
        }
        text.push_str(&"+".repeat(65));
        text.push('\n');
    }
    text
}

/// `ecparam -name prime256v1 -genkey -noout [-out file]`
pub fn ecparam(io: &mut Io<'_>, args: &[String]) -> Done {
    let options = Options::parse("ecparam", args, &["name", "out", "in"], &["genkey", "noout"])?;
    let name = options.value("name").unwrap_or_default();
    if !is_curve(name) {
        return Err(Output::failed(format!("unknown curve name ({name})")));
    }
    let mut output = Output::default();
    let mut pem = String::new();
    if !options.has("noout") {
        // The number of the curve, 1.2.840.10045.3.1.7.
        let curve = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
        pem.push_str(&naru_pki::pem::encode("EC PARAMETERS", &curve));
    }
    if options.has("genkey") {
        pem.push_str(&PrivateKey::generate(io.sys.rng()).to_pem());
    }
    io.write(options.value("out"), pem.as_bytes(), &mut output)?;
    Ok(output)
}

const VALUED: [&str; 5] = ["in", "out", "inform", "outform", "passin"];
const PLAIN: [&str; 7] = ["pubin", "pubout", "text", "noout", "modulus", "check", "traditional"];

/// Whether standard input is read.
pub fn reads(args: &[String]) -> bool {
    Options::parse("pkey", args, &VALUED, &PLAIN).is_ok_and(|options| !options.has("in"))
}

/// `rsa`, `pkey` and `ec`: `[-in file] [-pubin] [-pubout] [-text] [-noout] [-modulus] [-check]`
pub fn convert(io: &mut Io<'_>, command: &str, args: &[String]) -> Done {
    let options = Options::parse(command, args, &VALUED, &PLAIN)?;
    let mut output = Output::default();
    let (private, public) = load(io, &options)?;
    if options.has("text") {
        output.put(match &private {
            Some(key) => text::private_key(key),
            None => text::public_key(&public, 0),
        });
    }
    if options.has("modulus") {
        output.line(modulus(&public));
    }
    if options.has("check") {
        output.line(if command == "rsa" { "RSA key ok" } else { "Key is valid" });
    }
    if options.has("noout") {
        return Ok(output);
    }
    if command != "pkey" {
        output.error(if command == "rsa" { "writing RSA key" } else { "writing EC key" });
    }
    let pem = match &private {
        Some(key) if !options.has("pubout") => match options.has("traditional") {
            true => key.to_traditional_pem(),
            false if command == "ec" => key.to_traditional_pem(),
            false => key.to_pkcs8_pem(),
        },
        _ => public.to_pem(),
    };
    io.write(options.value("out"), pem.as_bytes(), &mut output)?;
    Ok(output)
}

fn load(io: &mut Io<'_>, options: &Options) -> Result<(Option<PrivateKey>, PublicKey), Output> {
    let path = options.value("in");
    if !options.has("pubin") {
        let key = io.key(path)?;
        let public = key.public();
        return Ok((Some(key), public));
    }
    let text = io.text(path).unwrap_or_default();
    let public = PublicKey::from_pem(&text).map_err(|_| {
        let from = path.unwrap_or("<stdin>");
        let mut output = Output::failed(format!("Could not read public key from {from}"));
        output.error("unable to load Public Key");
        output
    })?;
    Ok((None, public))
}

/// `Modulus=…`, as `x509`, `req` and `rsa` print it.
pub fn modulus(key: &PublicKey) -> String {
    match key.rsa_numbers() {
        Some(numbers) => {
            let digits = numbers.modulus.iter().map(|byte| format!("{byte:02X}"));
            format!("Modulus={}", digits.collect::<String>())
        }
        None => "Modulus=No modulus for this public key type".to_owned(),
    }
}
