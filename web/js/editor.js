// A thin layer between CodeMirror and the page: text in, text out, colours from the stylesheet.

/** An editor inside `host`. `onChange` hears the text; `onSave` that Ctrl-S was pressed. */
export async function openEditor(host, label, onChange, onSave) {
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
      }),
    ],
  });
  const view = new EditorView({ state: state(""), parent: host });
  // Keys scroll it, even where there is nothing to write.
  view.scrollDOM.tabIndex = 0;
  return {
    setText: (text) => view.setState(state(text)),
    focus: () => view.focus(),
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
