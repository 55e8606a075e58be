//! `rand`, `dgst` and its kin, `base64`, `version`.

use super::options::{Options, usage};
use super::{Done, Io, VERSION};
use crate::batch::Output;
use hmac::{Hmac, Mac};
use md5::Md5;
use naru_pki::{PublicKey, base64 as coding};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Bytes that `rand` gives at most.
const RANDOM_MAX: u64 = 1 << 20;
const DIGESTS: [(&str, &str); 5] = [
    ("md5", "MD5"),
    ("sha1", "SHA1"),
    ("sha256", "SHA2-256"),
    ("sha384", "SHA2-384"),
    ("sha512", "SHA2-512"),
];
const DIGEST_VALUED: [&str; 5] = ["out", "hmac", "sign", "verify", "signature"];
const DIGEST_PLAIN: [&str; 9] =
    ["md5", "sha1", "sha256", "sha384", "sha512", "r", "hex", "binary", "c"];

/// Whether a command is `dgst` or the name of a digest.
pub fn is_digest(name: &str) -> bool {
    name == "dgst" || DIGESTS.iter().any(|(own, _)| *own == name)
}

/// The files that a digest is of.
pub fn files(args: &[String]) -> Vec<String> {
    let options = Options::parse("dgst", args, &DIGEST_VALUED, &DIGEST_PLAIN);
    options.map(|options| options.rest).unwrap_or_default()
}

/// `version [-a]`
pub fn version(args: &[String]) -> Output {
    let mut output = Output::default();
    output.line(VERSION);
    if args.iter().any(|arg| arg == "-a") {
        output.line("platform: debian-amd64");
    }
    output
}

/// `rand [-hex|-base64] [-out file] count`
pub fn rand(io: &mut Io<'_>, args: &[String]) -> Done {
    let options = Options::parse("rand", args, &["out"], &["hex", "base64"])?;
    let Some(count) = options.rest.first() else {
        return Err(Output::failed("rand: Use -help for summary."));
    };
    let bad = || Output::failed(format!("rand: Can't parse \"{count}\" as a number"));
    let count: u64 = count.parse().map_err(|_| bad())?;
    let mut bytes = vec![0; usize::try_from(count.min(RANDOM_MAX)).unwrap_or(0)];
    io.sys.rng().fill(&mut bytes);
    let shown = if options.has("hex") {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        (digits + "\n").into_bytes()
    } else if options.has("base64") {
        wrapped(&bytes, 64).into_bytes()
    } else {
        bytes
    };
    let mut output = Output::default();
    io.write(options.value("out"), &shown, &mut output)?;
    Ok(output)
}

/// In lines of so many letters; all in one where that is 0.
fn wrapped(bytes: &[u8], width: usize) -> String {
    let text = coding::encode(bytes);
    if width == 0 {
        return text;
    }
    let mut lines = String::new();
    for row in text.as_bytes().chunks(width) {
        lines.push_str(&String::from_utf8_lossy(row));
        lines.push('\n');
    }
    lines
}

/// `base64 [-e|-d] [-A] [-in file] [-out file]`, and `enc -base64 …`
pub fn base64(io: &mut Io<'_>, command: &str, args: &[String]) -> Done {
    let plain = ["e", "d", "A", "a", "base64"];
    let options = Options::parse(command, args, &["in", "out"], &plain)?;
    if command == "enc" && !options.has("base64") && !options.has("a") {
        return Err(usage("enc", "Only -base64 is known in this sandbox"));
    }
    let Some(bytes) = io.read(options.value("in")) else {
        let path = options.value("in").unwrap_or_default();
        let why = format!("Can't open \"{path}\" for reading, No such file or directory");
        return Err(Output::failed(why));
    };
    let mut output = Output::default();
    let shown = if options.has("d") {
        let text: String = String::from_utf8_lossy(&bytes).split_whitespace().collect();
        coding::decode(&text).unwrap_or_default()
    } else {
        wrapped(&bytes, if options.has("A") { 0 } else { 64 }).into_bytes()
    };
    io.write(options.value("out"), &shown, &mut output)?;
    Ok(output)
}

fn hash(name: &str, bytes: &[u8]) -> Vec<u8> {
    match name {
        "md5" => Md5::digest(bytes).to_vec(),
        "sha1" => Sha1::digest(bytes).to_vec(),
        "sha384" => Sha384::digest(bytes).to_vec(),
        "sha512" => Sha512::digest(bytes).to_vec(),
        _ => Sha256::digest(bytes).to_vec(),
    }
}

/// `dgst [-sha256] [-r] [-hmac key] [-sign key -out file | -verify key -signature file] [file]...`
pub fn digest(io: &mut Io<'_>, command: &str, args: &[String]) -> Done {
    let options = Options::parse(command, args, &DIGEST_VALUED, &DIGEST_PLAIN)?;
    let given = DIGESTS.iter().find(|(name, _)| options.has(name) || *name == command);
    let (name, title) = given.copied().unwrap_or(("sha256", "SHA2-256"));
    let mut output = Output::default();
    if options.has("sign") || options.has("verify") {
        return signature(io, &options);
    }
    let files: Vec<Option<&str>> = match options.rest.as_slice() {
        [] => vec![None],
        all => all.iter().map(|path| Some(path.as_str())).collect(),
    };
    for path in files {
        let Some(bytes) = io.read(path) else {
            let path = path.unwrap_or_default();
            output.error(format!("Can't open \"{path}\" for reading, No such file or directory"));
            output.code = 1;
            continue;
        };
        let digest = match options.value("hmac") {
            Some(key) => Hmac::<Sha256>::new_from_slice(key.as_bytes())
                .map(|mut mac| {
                    mac.update(&bytes);
                    mac.finalize().into_bytes().to_vec()
                })
                .unwrap_or_default(),
            None => hash(name, &bytes),
        };
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let kind = if options.has("hmac") { "HMAC-" } else { "" };
        let from = path.unwrap_or("stdin");
        if options.has("binary") {
            output.put(&digest);
        } else if options.has("r") {
            output.line(format!("{digits} *{from}"));
        } else {
            output.line(format!("{kind}{title}({from})= {digits}"));
        }
    }
    Ok(output)
}

/// Signs a file by a key, or checks that.
fn signature(io: &mut Io<'_>, options: &Options) -> Done {
    let mut output = Output::default();
    let message = io.read(options.rest.first().map(String::as_str)).unwrap_or_default();
    if let Some(path) = options.value("sign") {
        let signature = io.key(Some(path))?.sign_der(&message);
        io.write(options.value("out"), &signature, &mut output)?;
        return Ok(output);
    }
    let key = options.value("verify").and_then(|path| io.text(Some(path)));
    let key = key.and_then(|text| PublicKey::from_pem(&text).ok());
    let key = key.ok_or_else(|| Output::failed("Could not read public key from file"))?;
    let signature = options.value("signature").and_then(|path| io.read(Some(path)));
    let fits = signature.is_some_and(|signature| key.verify_der(&message, &signature));
    output.line(if fits { "Verified OK" } else { "Verification failure" });
    output.code = i32::from(!fits);
    Ok(output)
}
