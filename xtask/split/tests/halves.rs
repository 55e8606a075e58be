//! The two halves of a module do what the module did, and the second is loaded when it is needed.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasm_encoder::{CustomSection, LinkingSection, Section, SymbolTable};

/// `run(0)` stays in what is called first; `run(1)` calls a function of the rest, `run(2)` one that
/// only the table has, and which calls one that the rest has for itself, back into the first, and out.
const MODULE: &str = r#"
(module
  (import "out" "add" (func $add (param i32 i32) (result i32)))
  (type $binary (func (param i32 i64) (result i64)))
  (memory (export "memory") 1)
  (global $sum (mut i32) (i32.const 100))
  (table 3 3 funcref)
  (elem (i32.const 1) func $hot $cold_in_table)
  (data (i32.const 8) "\07")
  (func $hot (type $binary) (i64.add (local.get 1) (i64.extend_i32_u (local.get 0))))
  (func $cold (type $binary)
    (global.set $sum (i32.add (global.get $sum) (i32.const 1)))
    (i64.mul (local.get 1) (i64.load8_u (i32.const 8))))
  (func $cold_in_table (type $binary)
    (call_indirect (type $binary) (local.get 0) (call $inner (local.get 1)) (i32.const 1)))
  (func $inner (param i64) (result i64)
    (i64.extend_i32_s (call $add (i32.wrap_i64 (local.get 0)) (global.get $sum))))
  (func (export "never") (result i32) (global.get $sum))
  (func (export "run") (param $what i32) (result i64)
    (if (result i64) (i32.eqz (local.get $what))
      (then (call $hot (i32.const 1) (i64.const 2)))
      (else (if (result i64) (i32.eq (local.get $what) (i32.const 1))
        (then (call $cold (i32.const 1) (i64.const 6)))
        (else (call_indirect (type $binary) (local.get $what) (i64.const 5) (i32.const 2))))))))
"#;

/// Marks by a trial run, splits, and runs both ways. Prints one line for each call.
const SCRIPT: &str = r#"
import { readFileSync, writeFileSync } from "node:fs";
const [step, dir] = process.argv.slice(1);
const read = (name) => new WebAssembly.Module(readFileSync(`${dir}/${name}`));
const out = { out: { add: (a, b) => a + b } };
if (step === "trial") {
  const { exports } = new WebAssembly.Instance(read("marked.wasm"), out);
  exports.run(0);
  const { memory, naru_marks, naru_marks_count } = exports;
  writeFileSync(`${dir}/marks`, new Uint8Array(memory.buffer, naru_marks.value, naru_marks_count.value));
} else {
  const whole = new WebAssembly.Instance(read("whole.wasm"), out).exports;
  let loads = 0;
  const load = () => {
    loads += 1;
    new WebAssembly.Instance(read("rest.wasm"), { "naru:split": first });
    first["naru:loaded"].value = 1;
  };
  const first = new WebAssembly.Instance(read("first.wasm"), { ...out, "naru:split": { load } }).exports;
  for (const call of [(it) => it.run(0), (it) => it.run(1), (it) => it.run(2), (it) => it.never()]) {
    const [expected, found] = [call(whole), call(first)];
    console.log(expected === found ? "same" : `${expected} became ${found}`, loads);
  }
}
"#;

fn node(script: &str, step: &str, dir: &Path) -> String {
    let output = Command::new("node")
        .args(["--input-type=module", "--eval", script, "--", step])
        .arg(dir)
        .output()
        .expect("Node.js is needed, as it is to build the site");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn split(args: &[&str], dir: &Path) {
    let status =
        Command::new(env!("CARGO_BIN_EXE_naru-split")).args(args).current_dir(dir).status();
    assert!(status.unwrap().success());
}

fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir).unwrap();
    dir
}

#[test]
fn halves_do_what_the_whole_did() {
    let dir = folder("halves");
    fs::write(dir.join("whole.wasm"), wat::parse_str(MODULE).unwrap()).unwrap();
    split(&["mark", "whole.wasm", "marked.wasm"], &dir);
    node(SCRIPT, "trial", &dir);
    // Of `run` also the arm that was taken, and what comes behind the `if`.
    assert_eq!(fs::read(dir.join("marks")).unwrap(), [1, 0, 0, 0, 0, 1, 1, 0, 0, 0]);
    split(&["split", "whole.wasm", "whole.wasm", "marks", "first.wasm", "rest.wasm"], &dir);
    assert_eq!(node(SCRIPT, "run", &dir), "same 0\nsame 1\nsame 1\nsame 1\n");
}

/// Leaves its blocks, its loop and its arms in every way there is; `WORK` stands for so many
/// instructions that a region is worth it.
const WINDING: &str = r#"
(module
  (memory (export "memory") 1)
  (table 1 funcref)
  (func $helper (param i64) (result i64) (i64.mul (local.get 0) (i64.const 31)))
  (func (export "run") (param $n i32) (result i64)
    (local $sum i64) (local $fuel i32) (local $f f64)
    (local.set $fuel (i32.const 9))
    (local.set $f (f64.const 1.5))
    (block $out (result i64)
      (loop $again
        (local.set $fuel (i32.sub (local.get $fuel) (i32.const 1)))
        (if (i32.eqz (local.get $fuel)) (then WORK (return (local.get $sum))))
        (block $three
          (block $two
            (block $one
              (br_table $one $two $three (i32.rem_u (local.get $n) (i32.const 4))))
            WORK
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.and (local.get $n) (i32.const 4)))
            WORK
            (br $out (i64.add (local.get $sum) (i64.const 5))))
          WORK
          (if (i32.and (local.get $n) (i32.const 8)) (then WORK (return (i64.const 77))))
          (local.set $f (f64.mul (local.get $f) (f64.const 1.25)))
          (local.set $n (i32.add (local.get $n) (i32.const 2)))
          (br $again))
        WORK
        (local.set $sum
          (if (result i64) (i32.and (local.get $n) (i32.const 16))
            (then WORK (call $helper (local.get $sum)))
            (else WORK
              (drop (br_if $out (local.get $sum) (i32.gt_u (local.get $n) (i32.const 50))))
              (i64.trunc_f64_s (local.get $f)))))
        (block $done
          (block $more (br_table $more $again $done (i32.and (local.get $n) (i32.const 3))))
          WORK
          (br_if $done (i64.eqz (local.get $sum)))
          WORK
          (local.set $n (i32.shr_u (local.get $n) (i32.const 1)))
          (br $again)))
      WORK
      (local.get $sum))
    WORK
    (i64.add (local.get $sum))
    (i64.xor (i64.load (i32.const 0)))))
"#;

const WORK: &str = "(local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 1234567890123)) \
    (i64.extend_i32_u (local.get $n)))) (i64.store (i32.const 0) (i64.xor (local.get $sum) \
    (i64.mul (i64.load (i32.const 0)) (i64.const 987654321987))))";

/// Prints how many marks a marked module sets.
const COUNT: &str = r#"
import { readFileSync } from "node:fs";
const marked = new WebAssembly.Module(readFileSync(`${process.argv[2]}/marked.wasm`));
console.log(new WebAssembly.Instance(marked).exports.naru_marks_count.value);
"#;

/// Runs what was split by many sets of marks, and tells which do something else than the whole.
const MANY: &str = r#"
import { readFileSync } from "node:fs";
const [count, dir] = process.argv.slice(1);
const read = (name) => new WebAssembly.Module(readFileSync(`${dir}/${name}`));
const results = ({ run }) => Array.from({ length: 64 }, (_, n) => run(n)).join();
const expected = results(new WebAssembly.Instance(read("whole.wasm")).exports);
let loaded = 0;
for (let number = 0; number < Number(count); number += 1) {
  const load = () => {
    new WebAssembly.Instance(read(`rest${number}.wasm`), { "naru:split": first });
    first["naru:loaded"].value = 1;
    loaded += 1;
  };
  const first = new WebAssembly.Instance(read(`first${number}.wasm`), { "naru:split": { load } }).exports;
  if (results(first) !== expected) console.log(`by the marks ${number} the halves do something else`);
}
console.log(loaded);
"#;

#[test]
fn whatever_was_marked_the_halves_do_the_same() {
    const SETS: usize = 60;
    let dir = folder("many");
    fs::write(dir.join("whole.wasm"), wat::parse_str(WINDING.replace("WORK", WORK)).unwrap())
        .unwrap();
    split(&["mark", "whole.wasm", "marked.wasm"], &dir);
    let stretches: usize = node(COUNT, "", &dir).trim().parse().unwrap();
    let mut random: u64 = 42;
    for number in 0..SETS {
        let mut marks: Vec<u8> = (0..stretches)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // From few marks to many.
                u8::from((random >> 33) as usize % SETS < number)
            })
            .collect();
        // The function itself is in the first, or there is nothing to be taken out of it.
        marks[1] = 1;
        fs::write(dir.join("marks"), &marks).unwrap();
        let [first, rest] = ["first", "rest"].map(|half| format!("{half}{number}.wasm"));
        split(&["split", "whole.wasm", "whole.wasm", "marks", &first, &rest], &dir);
    }
    // At least where nothing but the beginning was marked there is something to load.
    let printed = node(MANY, &SETS.to_string(), &dir);
    let loaded: usize = printed.trim().parse().expect(&printed);
    assert!(loaded > SETS / 2, "{printed}");
}

/// `run(0)` reads a list that points to one text, and a text whose address is one number with its length;
/// `run(1)`, which is not run at first, another text.
const TEXTS: &str = r#"
(module
  (memory (export "memory") 1)
  (table 1 funcref)
  (data (i32.const 1024) "\10\04\00\00____________hot text here...text with lengthcold text here..other cold text.")
  (func $cold (result i64) (i64.load (i32.const 1072)))
  (func (export "run") (param i32) (result i64)
    (if (result i64) (local.get 0)
      (then (call $cold))
      (else (i64.add
        (i64.load (i32.wrap_i64 (i64.const 0x9_0000_0420)))
        (i64.load (i32.load (i32.const 1024))))))))
"#;

/// The same as the linker has it: it tells of five things, the first of which points to the second.
fn with_what_the_linker_tells(mut module: Vec<u8>) -> Vec<u8> {
    let mut symbols = SymbolTable::new();
    for (place, name) in ["list", "hot", "pair", "cold", "other"].into_iter().enumerate() {
        let definition =
            wasm_encoder::DataSymbolDefinition { index: 0, offset: 16 * place as u32, size: 16 };
        symbols.data(0, name, Some(definition));
    }
    let mut linking = LinkingSection::new();
    linking.symbol_table(&symbols);
    linking.append_to(&mut module);
    // An address of the memory as 32 bits, behind the 7 bytes that say where the data lies, of the
    // second symbol.
    let data = [4, 1, 5, 7, 1, 0];
    CustomSection { name: "reloc.DATA".into(), data: data.as_slice().into() }
        .append_to(&mut module);
    module
}

#[test]
fn what_only_the_rest_reads_comes_with_it() {
    let dir = folder("texts");
    let whole = wat::parse_str(TEXTS).unwrap();
    fs::write(dir.join("whole.wasm"), &whole).unwrap();
    fs::write(dir.join("linked.wasm"), with_what_the_linker_tells(whole)).unwrap();
    split(&["mark", "whole.wasm", "marked.wasm"], &dir);
    fs::write(dir.join("marks"), [0, 1, 0, 1]).unwrap();
    split(&["split", "whole.wasm", "linked.wasm", "marks", "first0.wasm", "rest0.wasm"], &dir);
    let has = |name: &str, text: &str| {
        let bytes = fs::read(dir.join(name)).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    for (text, half) in [
        ("hot text", "first0.wasm"),
        ("cold text", "rest0.wasm"),
        ("other", "rest0.wasm"),
        ("with length", "first0.wasm"),
    ] {
        for name in ["first0.wasm", "rest0.wasm"] {
            assert_eq!(has(name, text), name == half, "{text} in {name}");
        }
    }
    assert_eq!(node(MANY, "1", &dir), "1\n");
}
