//! `kubectl apply --server-side`.

mod support;

use support::Machine;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  a: \"1\"\n";

fn machine() -> Machine {
    let mut machine = Machine::new();
    machine.write("/root/map.yml", MAP);
    machine
}

#[test]
fn makes_and_takes_over() {
    let mut machine = machine();
    let apply = "kubectl apply --server-side -f map.yml";
    assert_eq!(machine.ok(apply), "configmap/c serverside-applied\n");
    let managers = "kubectl get cm c --show-managed-fields -o \
        jsonpath='{range .metadata.managedFields[*]}{.manager} {.operation}{\"\\n\"}{end}'";
    assert_eq!(machine.ok(managers), "kubectl Apply\n");
    let patch = "kubectl patch cm c -p '{\"data\":{\"a\":\"2\"}}'";
    assert_eq!(machine.ok(patch), "configmap/c patched\n");
    let refused = machine.fails(apply);
    assert!(
        refused.starts_with(
            "error: Apply failed with 1 conflict: conflict with \"kubectl-patch\" using v1: .data.a\n\
             Please review the fields above--they currently have other managers. Here\n"
        ),
        "{refused}"
    );
    let forced = format!("{apply} --force-conflicts");
    assert_eq!(machine.ok(&forced), "configmap/c serverside-applied\n");
    assert_eq!(machine.ok("kubectl get cm c -o jsonpath={.data.a}"), "1");
}

#[test]
fn takes_over_what_it_applied_by_itself() {
    let mut machine = machine();
    machine.ok("kubectl apply -f map.yml");
    let view = "kubectl apply view-last-applied configmap/c";
    assert!(machine.ok(view).contains("data:\n  a: \"1\"\n"));
    machine.write("/root/map.yml", &MAP.replace("a: \"1\"", "b: \"2\""));
    assert_eq!(
        machine.ok("kubectl apply --server-side -f map.yml"),
        "configmap/c serverside-applied\n"
    );
    let data = machine.ok("kubectl get cm c -o jsonpath={.data}");
    assert_eq!(data, "{\"b\":\"2\"}");
    let managers = machine.ok("kubectl get cm c --show-managed-fields -o \
         jsonpath='{range .metadata.managedFields[*]}{.manager} {.operation}{\"\\n\"}{end}'");
    // The oldest first: kubectl applied once more after it had taken over.
    assert_eq!(managers, "kubectl-last-applied Apply\nkubectl Apply\n");
}

#[test]
fn flags_that_do_not_go_together() {
    let mut machine = machine();
    let table = [
        ("--force-conflicts", "error: --force-conflicts only works with --server-side\n"),
        (
            "--server-side --dry-run=client",
            "error: --dry-run=client doesn't work with --server-side (did you mean \
             --dry-run=server instead?)\n",
        ),
        ("--subresource=status", "error: --subresource can only be specified for --server-side\n"),
    ];
    for (flags, message) in table {
        assert_eq!(machine.fails(&format!("kubectl apply -f map.yml {flags}")), message);
    }
}
