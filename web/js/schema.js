// What the API's schemas say of a manifest that is being written: which fields there may be, what
// they mean, and which of those that are there the API server would refuse.

/** Goes through the lines of YAML in block style, and knows within which fields it is. */
class Walker {
  stack = [];
  document = 0;
  /** The column of the field whose block of text is being passed; -1 outside of one. */
  block = -1;

  /** Takes the dashes of a line that begin items. Returns the column after them. */
  dashes(line, column) {
    let at = column;
    for (let found; (found = line.slice(at).match(/^-(?: +|$)/)); at += found[0].length) {
      while (this.stack.length > 0) {
        const last = this.stack.at(-1);
        if (last.column < at || (last.column === at && last.name !== "[]")) break;
        this.stack.pop();
      }
      this.stack.push({ column: at, name: "[]" });
    }
    return at;
  }

  /** Leaves the fields that do not contain what begins at a column. */
  leave(column) {
    while (this.stack.length > 0 && this.stack.at(-1).column >= column) this.stack.pop();
  }

  /** Takes a line. Returns its field, if it has one. */
  line(line) {
    if (line.startsWith("---")) {
      this.stack = [];
      this.document += 1;
      this.block = -1;
      return null;
    }
    const text = line.trim();
    const indent = line.length - line.trimStart().length;
    if (text === "" || text.startsWith("#")) return null;
    if (this.block >= 0) {
      if (indent > this.block) return null;
      this.block = -1;
    }
    const column = this.dashes(line, indent);
    if (/^[|>][+-]?\d*\s*$/.test(line.slice(column)) && column > indent) {
      this.block = indent;
      return null;
    }
    const found = line.slice(column).match(/^("?)([\w./-]+)\1:(?:( +)(.*))?$/);
    if (!found) return null;
    this.leave(column);
    const [, quote, name, space = "", rest = ""] = found;
    this.stack.push({ column, name });
    const value = rest.replace(/(^| )#.*$/, "").trim();
    if (/^[|>][+-]?\d*$/.test(value)) this.block = column;
    const valueAt = column + 2 * quote.length + name.length + 1 + space.length;
    return { document: this.document, name, column, path: this.stack.map((it) => it.name), value, valueAt };
  }
}

/** The fields of a text: each with its document, its path, its place and its value. */
export function fieldsOf(text) {
  const walker = new Walker();
  const fields = [];
  let offset = 0;
  for (const line of text.split("\n")) {
    const field = walker.line(line);
    if (field) {
      const from = offset + field.column;
      fields.push({ ...field, from, to: from + field.name.length, valueFrom: offset + field.valueAt });
    }
    offset += line.length + 1;
  }
  return fields;
}

/** The kind of each document of a text: its `apiVersion` and `kind`. */
function kindsOf(fields) {
  const kinds = [];
  for (const { document, path, value } of fields) {
    kinds[document] ??= {};
    if (path.length === 1 && (path[0] === "apiVersion" || path[0] === "kind")) {
      kinds[document][path[0]] = value.replaceAll(/["']/g, "");
    }
  }
  return kinds;
}

/** Follows references to what they refer to, and keeps the description that stands beside one. */
function resolve(schemas, schema) {
  let found = schema;
  let description = schema?.description;
  for (let i = 0; found && i < 8; i += 1) {
    const reference = found.$ref ?? found.allOf?.[0]?.$ref;
    if (!reference) break;
    found = schemas[reference.split("/").at(-1)];
    description ??= found?.description;
  }
  return found && { ...found, description };
}

/** The schema of a kind. */
function ofKind(schemas, { apiVersion = "", kind = "" } = {}) {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["core", apiVersion];
  const end = `.${group.split(".")[0]}.${version}.${kind}`;
  const name = Object.keys(schemas).find((it) => it.endsWith(end));
  return name ? schemas[name] : undefined;
}

/** The schema at a path below a kind; nothing where it is not known. */
export function schemaAt(schemas, kind, path) {
  let schema = resolve(schemas, ofKind(schemas, kind));
  for (const name of path) {
    if (!schema) return undefined;
    const next = name === "[]" ? schema.items : schema.properties?.[name] ?? schema.additionalProperties;
    schema = resolve(schemas, typeof next === "object" ? next : undefined);
  }
  return schema;
}

/** What a value is, as `kubectl explain` writes it: `integer`, `[]Object`. */
export function typeOf(schemas, schema) {
  if (!schema) return "";
  if (schema["x-kubernetes-int-or-string"]) return "IntOrString";
  if (schema.type === "array") return `[]${typeOf(schemas, resolve(schemas, schema.items))}`;
  if (schema.additionalProperties) return `map[string]${typeOf(schemas, resolve(schemas, schema.additionalProperties))}`;
  if (schema.properties) return "Object";
  return schema.type ?? "Object";
}

/** What is wrong with a text: fields that there are not, and values of another type. */
export function problemsOf(schemas, text) {
  const fields = fieldsOf(text);
  const kinds = kindsOf(fields);
  const problems = [];
  for (const { document, path, from, to, name, value, valueFrom } of fields) {
    const parent = schemaAt(schemas, kinds[document], path.slice(0, -1));
    if (!parent?.properties) continue;
    const schema = resolve(schemas, parent.properties[name]);
    if (!schema) {
      const said = path.map((it, i) => (it === "[]" ? "[]" : `${i > 0 ? "." : ""}${it}`)).join("");
      problems.push({ from, to, message: `unknown field "${said.replaceAll("[]", "[0]")}"` });
      continue;
    }
    const bad = value !== "" && !fits(schema, value);
    if (bad) problems.push({ from: valueFrom, to: valueFrom + value.length, message: `${name} <${typeOf(schemas, schema)}>` });
  }
  return problems;
}

/** Whether a value on one line may be of a type. What is written in several is not looked at. */
function fits(schema, value) {
  if (schema["x-kubernetes-int-or-string"] || /^[|>&*!{[]/.test(value)) return true;
  const quoted = /^["']/.test(value);
  switch (schema.type) {
    case "integer": return !quoted && /^[-+]?\d+$/.test(value);
    case "boolean": return !quoted && /^(true|false)$/.test(value);
    case "string": return quoted || !/^([-+]?\d+(\.\d+)?|true|false)$/.test(value);
    default: return schema.properties === undefined && schema.type !== "array" || /^(null|~)$/.test(value);
  }
}

/** Where one writes: within which fields, whether a field's name or its value, and what there is. */
export function placeAt(text, offset) {
  const walker = new Walker();
  const lines = text.slice(0, offset).split("\n");
  const line = lines.pop();
  for (const before of lines) walker.line(before);
  if (walker.block >= 0 && line.length - line.trimStart().length > walker.block) return null;
  const indent = line.length - line.trimStart().length;
  const column = walker.dashes(line, indent);
  const rest = line.slice(column);
  const { document } = walker;
  const value = rest.match(/^"?([\w./-]+)"?: +(\S*)$/);
  walker.leave(column);
  const path = walker.stack.map((it) => it.name);
  if (value) return { document, path: [...path, value[1]], value: value[2] };
  if (!/^[\w./-]*$/.test(rest)) return null;
  return { document, path, column, name: rest };
}

/** What can be written at a place: CodeMirror's options. */
export function optionsAt(schemas, text, offset) {
  const place = placeAt(text, offset);
  if (!place) return null;
  const fields = fieldsOf(text);
  const kind = kindsOf(fields)[place.document] ?? {};
  if (place.value !== undefined) return valueOptions(schemas, kind, place, offset);
  const schema = schemaAt(schemas, kind, place.path);
  const top = place.path.length === 0;
  const properties = schema?.properties ?? (top ? { apiVersion: {}, kind: {}, metadata: {} } : null);
  if (!properties) return null;
  const required = schema?.required ?? [];
  const options = Object.entries(properties).map(([name, of]) => {
    const found = resolve(schemas, of) ?? {};
    const type = typeOf(schemas, found);
    const deeper = type === "Object" || type.startsWith("map") || type.startsWith("[]");
    return {
      label: name,
      type: "property",
      detail: `<${type}>`,
      info: (found.description ?? "").slice(0, 600),
      apply: deeper ? `${name}:` : `${name}: `,
      boost: top ? 10 - ["apiVersion", "kind", "metadata", "spec"].indexOf(name) * 2 : required.includes(name) ? 5 : 0,
    };
  });
  return { from: offset - place.name.length, options, validFor: /^[\w./-]*$/ };
}

function valueOptions(schemas, kind, { path, value }, offset) {
  const from = offset - value.length;
  const labels = (all) => ({ from, options: all.map((label) => ({ label, type: "constant" })), validFor: /^\S*$/ });
  if (path.length === 1 && path[0] === "kind") {
    const names = Object.keys(schemas).filter((name) => schemas[name].properties?.apiVersion && schemas[name].properties?.metadata);
    return labels([...new Set(names.map((name) => name.split(".").at(-1)))].sort());
  }
  if (path.length === 1 && path[0] === "apiVersion") {
    const names = Object.keys(schemas).filter((name) => name.endsWith(`.${kind.kind ?? ""}`));
    const known = names.map(versionOf).filter((it) => it !== null);
    return labels(known.length > 0 ? known : ["v1", "apps/v1", "batch/v1", "networking.k8s.io/v1"]);
  }
  const schema = schemaAt(schemas, kind, path);
  if (schema?.type === "boolean") return labels(["true", "false"]);
  // The names of constants stand in the description: `One of Always, Never, IfNotPresent.`
  const said = schema?.description?.match(/\b(?:one of|can be|Must be|Supports|Supported|may be)\b[^.]*/i)?.[0] ?? "";
  const constants = [...new Set(said.match(/\b[A-Z][A-Za-z]*[a-z][A-Za-z]*\b|\b(?:TCP|UDP|SCTP|HTTP|HTTPS)\b/g) ?? [])]
    .filter((word) => !/^(One|Can|Must|Supports|Supported|May|Defaults|If|The|More)$/.test(word));
  return constants.length > 1 ? labels(constants) : null;
}

/** `apps/v1` of `io.k8s.api.apps.v1.Deployment`. */
function versionOf(name) {
  const [group, version] = name.split(".").slice(-3);
  const full = { networking: "networking.k8s.io", rbac: "rbac.authorization.k8s.io", storage: "storage.k8s.io",
    scheduling: "scheduling.k8s.io", discovery: "discovery.k8s.io", coordination: "coordination.k8s.io",
    apiextensions: "apiextensions.k8s.io", certificates: "certificates.k8s.io", node: "node.k8s.io",
    admissionregistration: "admissionregistration.k8s.io", flowcontrol: "flowcontrol.apiserver.k8s.io" }[group] ?? group;
  return group === "core" ? version : group === "meta" ? null : `${full}/${version}`;
}

/** The field at a place, and what it means; nothing where there is none. */
export function fieldMeaning(schemas, text, offset) {
  const fields = fieldsOf(text);
  const field = fields.find(({ from, to }) => from <= offset && offset <= to);
  if (!field) return null;
  const schema = schemaAt(schemas, kindsOf(fields)[field.document], field.path);
  if (!schema) return null;
  return { from: field.from, to: field.to, name: field.name, type: typeOf(schemas, schema), text: schema.description ?? "" };
}

let loading;

/** The schemas, fetched when they are first wanted; nothing where they cannot be had. */
export function loadSchemas() {
  loading ??= fetch(new URL("openapi.json", document.baseURI))
    .then((answer) => (answer.ok ? answer.json() : null))
    .catch(() => null);
  return loading;
}
