//! Expected: printed by `kubectl get -o go-template` v1.33.4, or from Go's own documentation.

use super::*;
use serde_json::json;

fn data() -> Value {
    json!({
        "items": [{"name": "a", "n": 1}, {"name": "b", "n": 2.5}],
        "map": {"x": "1", "y": "2"},
        "text": "hello",
        "secret": "aGVsbG8=",
        "yes": true,
        "big": 1000000,
        "huge": 12345678,
    })
}

#[test]
fn executes() {
    for (template, expected) in [
        ("{{.text}}", "hello"),
        ("{{.none}}", "<no value>"),
        ("{{.none.below}}", "<no value>"),
        ("{{range .items}}{{.name}} {{end}}", "a b "),
        ("{{range $i, $e := .items}}{{$i}}={{$e.name}};{{end}}", "0=a;1=b;"),
        ("{{range $k, $v := .map}}{{$k}}{{$v}}{{end}}", "x1y2"),
        ("{{range .none}}x{{else}}none{{end}}", "none"),
        ("{{if .yes}}y{{else}}n{{end}}", "y"),
        ("{{if .none}}y{{else if eq .text \"hello\"}}e{{else}}n{{end}}", "e"),
        ("{{with .map}}{{.x}}{{end}}", "1"),
        ("{{len .items}}", "2"),
        ("{{(index .items 1).name}}", "b"),
        ("{{index .map \"x\"}}", "1"),
        ("{{printf \"%s-%v\" .text .yes}}", "hello-true"),
        ("{{printf \"%-7s|%5d|%05d\" .text 3 7}}", "hello  |    3|00007"),
        ("{{.secret | base64decode}}", "hello"),
        ("{{base64decode .secret}}", "hello"),
        ("{{.map}}", "map[x:1 y:2]"),
        ("{{.items}}", "[map[n:1 name:a] map[n:2.5 name:b]]"),
        ("{{.big}} {{.huge}}", "1e+06 1.2345678e+07"),
        ("a {{- /* note */ -}} b", "ab"),
        ("{{- \"x\" -}}  y", "xy"),
        ("{{$x := 1}}{{$x}}{{$x = 2}}{{$x}}", "12"),
        ("{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .text}}", "<hello>"),
        ("{{and .yes .text}} {{or .none \"d\"}} {{not .yes}}", "hello d false"),
        ("{{exists . \"map\" \"x\"}} {{exists . \"map\" \"z\"}}", "true false"),
        ("{{range .items}}{{if eq .name \"b\"}}{{break}}{{end}}{{.name}}{{end}}", "a"),
        ("{{html \"<a>\"}} {{urlquery \"a b\"}} {{slice .text 1 3}}", "&lt;a&gt; a+b el"),
        ("{{lt 1 2}} {{ge \"b\" \"a\"}} {{ne .text \"x\"}}", "true true true"),
    ] {
        let parsed = Template::parse("output", template, true).unwrap();
        assert_eq!(parsed.execute(&data()).unwrap(), expected, "{template}");
    }
}

#[test]
fn says_what_is_wrong() {
    for (template, expected) in [
        ("{{.x", "template: output:1: unclosed action"),
        ("{{foo}}", "template: output:1: function \"foo\" not defined"),
        ("{{if .x}}", "template: output:1: unexpected EOF"),
        ("{{end}}", "template: output:1: unexpected {{end}}"),
        ("{{$x}}", "template: output:1: undefined variable \"$x\""),
    ] {
        let why = Template::parse("output", template, true).unwrap_err();
        assert_eq!(why.to_string(), expected);
    }
    for template in
        ["{{.text.below}}", "{{eq .big 1}}", "{{index .items 5}}", "{{range .text}}{{end}}"]
    {
        let parsed = Template::parse("output", template, true).unwrap();
        assert!(parsed.execute(&data()).is_err(), "{template}");
    }
    let strict = Template::parse("output", "{{.none}}", false).unwrap();
    assert!(strict.execute(&data()).is_err());
}
