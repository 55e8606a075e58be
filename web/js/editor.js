// A thin layer between CodeMirror and the page: text in, text out, colours from the stylesheet; and
// what the API's schemas say of the text (schema.js, which comes with CodeMirror).

/** After so many milliseconds without a letter the text is looked through. */
const CHECK_AFTER_MS = 250;

/** `KIND.FIELD.FIELD` of a place in a text of manifests; "" where there is none. */
export function fieldAt(text, offset) {
  const start = text.lastIndexOf("\n---", offset) + 1;
  const end = text.indexOf("\n---", offset);
  const manifest = text.slice(start, end < 0 ? undefined : end);
  const kind = manifest.match(/^kind: *([A-Za-z]+)/m)?.[1];
  if (!kind) return "";
  const lines = text.slice(start, text.indexOf("\n", offset) < 0 ? undefined : text.indexOf("\n", offset)).split("\n");
  const path = [];
  let indent = Infinity;
  for (const line of lines.reverse()) {
    const found = line.match(/^((?:[ -] *)*)([A-Za-z][A-Za-z0-9]*):(?: |$)/);
    if (!found || found[1].length >= indent) continue;
    indent = found[1].length;
    path.unshift(found[2]);
    if (indent === 0) break;
  }
  return [kind.toLowerCase(), ...path].join(".");
}

/**
 * An editor inside `host`; with `manifests`, of manifests, else of any YAML. `onChange` hears the text; `onSave` that Ctrl-S was pressed; `onMove` that
 * the cursor is elsewhere.
 */
export async function openEditor(host, label, manifests, onChange, onSave, onMove) {
  const {
    basicSetup, EditorView, keymap, EditorState, indentWithTab, HighlightStyle, hoverTooltip, indentUnit,
    syntaxHighlighting, setDiagnostics, yaml, tags, fieldMeaning, loadSchemas, optionsAt, problemsOf,
  } = await import(new URL("codemirror.js", document.baseURI));

  const colours = HighlightStyle.define([
    { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--code-key)" },
    { tag: [tags.string, tags.content], color: "var(--ink)" },
    { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: "var(--code-literal)" },
    { tag: tags.comment, color: "var(--ink-soft)", fontStyle: "italic" },
    { tag: [tags.punctuation, tags.separator, tags.meta], color: "var(--ink-soft)" },
  ]);
  const look = EditorView.theme({
    "&": { height: "100%", color: "var(--ink)", backgroundColor: "var(--paper-raised)" },
    ".cm-content": { fontFamily: "var(--font-code)", fontSize: "13px", caretColor: "var(--accent)" },
    ".cm-gutters": { fontFamily: "var(--font-code)", fontSize: "12px", backgroundColor: "var(--paper-sunk)", color: "var(--ink-soft)", border: "0" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--accent-soft)" },
    "&.cm-focused": { outline: "none" },
    ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": { backgroundColor: "var(--water-deep) !important" },
    ".cm-cursor": { borderLeftColor: "var(--accent)" },
    ".cm-tooltip": { backgroundColor: "var(--paper-raised)", color: "var(--ink)", border: "1px solid var(--line-strong)", borderRadius: "8px", maxWidth: "min(460px, 90vw)" },
    ".cm-tooltip-autocomplete ul li": { padding: "3px 8px !important" },
    ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent) !important", color: "var(--accent-ink) !important" },
    ".cm-completionDetail": { color: "inherit", opacity: "0.85", fontStyle: "normal" },
    ".cm-completionInfo": { whiteSpace: "pre-wrap", fontSize: "12px", lineHeight: "1.5", maxHeight: "220px", overflowY: "auto" },
    ".cm-field-meaning": { padding: "8px 12px", fontSize: "12px", lineHeight: "1.5", maxHeight: "220px", overflowY: "auto" },
    ".cm-field-meaning p": { margin: "4px 0 0" },
  });
  let schemas = null;
  /** What a field means, as one points at it. */
  const meaning = hoverTooltip((view, position) => {
    const found = schemas && fieldMeaning(schemas, view.state.doc.toString(), position);
    if (!found) return null;
    const create = () => {
      const dom = document.createElement("div");
      dom.className = "cm-field-meaning";
      const head = document.createElement("code");
      head.textContent = `${found.name} <${found.type}>`;
      const text = document.createElement("p");
      text.textContent = found.text;
      dom.append(head, text);
      return { dom };
    };
    return { pos: found.from, end: found.to, above: true, create };
  });
  const complete = async (context) => {
    schemas = await loadSchemas();
    return schemas && optionsAt(schemas, context.state.doc.toString(), context.pos);
  };
  const save = { key: "Mod-s", preventDefault: true, run: () => { onSave(); return true; } };
  const state = (text) => EditorState.create({
    doc: text,
    extensions: [
      basicSetup, yaml(), look, syntaxHighlighting(colours), indentUnit.of("  "),
      // What is not YAML of Kubernetes is not completed.
      manifests ? [meaning, EditorState.languageData.of(() => [{ autocomplete: complete }])] : [],
      // Escape, then Tab, leads out of the editor: CodeMirror's own way for keyboards.
      keymap.of([save, indentWithTab]),
      EditorView.contentAttributes.of({ "aria-label": label }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) {
          onChange(update.state.doc.toString());
          check();
        }
        if (update.selectionSet || update.docChanged) onMove();
      }),
    ],
  });
  const view = new EditorView({ state: state(""), parent: host });
  /** What the cluster says of a line: counted from 1, and the words. */
  let said = { line: 0, message: "" };
  /** Marks what the schemas and the cluster find wrong. */
  function show() {
    const { doc } = view.state;
    const diagnostics = schemas ? problemsOf(schemas, doc.toString()).map((it) => ({ ...it, severity: "error" })) : [];
    if (said.line > 0 && said.line <= doc.lines) {
      const { from, to } = doc.line(said.line);
      diagnostics.push({ from, to, severity: "error", message: said.message });
    }
    view.dispatch(setDiagnostics(view.state, diagnostics));
  }
  let timer = 0;
  function check() {
    clearTimeout(timer);
    if (manifests) timer = setTimeout(show, CHECK_AFTER_MS);
  }
  if (manifests) {
    loadSchemas().then((found) => {
      schemas = found;
      show();
    });
  }
  // Keys scroll it, even where there is nothing to write.
  view.scrollDOM.tabIndex = 0;
  return {
    setText: (text) => {
      view.setState(state(text));
      check();
    },
    focus: () => view.focus(),
    /** The field at the cursor, as `kubectl explain` is asked for it: `deployment.spec.replicas`. */
    field: () => fieldAt(view.state.doc.toString(), view.state.selection.main.head),
    /** Marks a line (counted from 1; 0 marks none) with a message. */
    mark: (line, message) => {
      said = { line, message };
      show();
    },
    /** Goes to a line, counted from 1. */
    goTo: (line) => {
      if (line < 1 || line > view.state.doc.lines) return;
      view.dispatch({ selection: { anchor: view.state.doc.line(line).from }, scrollIntoView: true });
      view.focus();
    },
  };
}
