// A thin layer between CodeMirror and the page: text in, text out, colours from the stylesheet.

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
 * An editor inside `host`. `onChange` hears the text; `onSave` that Ctrl-S was pressed; `onMove` that
 * the cursor is elsewhere.
 */
export async function openEditor(host, label, onChange, onSave, onMove) {
  const {
    basicSetup, EditorView, keymap, EditorState, indentWithTab, HighlightStyle, indentUnit,
    syntaxHighlighting, setDiagnostics, yaml, tags,
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
    ".cm-tooltip": { backgroundColor: "var(--paper-raised)", border: "1px solid var(--line)" },
  });
  const save = { key: "Mod-s", preventDefault: true, run: () => { onSave(); return true; } };
  const state = (text) => EditorState.create({
    doc: text,
    extensions: [
      basicSetup, yaml(), look, syntaxHighlighting(colours), indentUnit.of("  "),
      // Escape, then Tab, leads out of the editor: CodeMirror's own way for keyboards.
      keymap.of([save, indentWithTab]),
      EditorView.contentAttributes.of({ "aria-label": label }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) onChange(update.state.doc.toString());
        if (update.selectionSet || update.docChanged) onMove();
      }),
    ],
  });
  const view = new EditorView({ state: state(""), parent: host });
  // Keys scroll it, even where there is nothing to write.
  view.scrollDOM.tabIndex = 0;
  return {
    setText: (text) => view.setState(state(text)),
    focus: () => view.focus(),
    /** The field at the cursor, as `kubectl explain` is asked for it: `deployment.spec.replicas`. */
    field: () => fieldAt(view.state.doc.toString(), view.state.selection.main.head),
    /** Marks a line (counted from 1; 0 marks none) with a message. */
    mark: (line, message) => {
      const diagnostics = [];
      if (line > 0 && line <= view.state.doc.lines) {
        const { from, to } = view.state.doc.line(line);
        diagnostics.push({ from, to, severity: "error", message });
      }
      view.dispatch(setDiagnostics(view.state, diagnostics));
    },
  };
}
