// What web/build.mjs bundles into codemirror.js: the editor, loaded when it is first wanted.
export { basicSetup } from "codemirror";
export { EditorView, hoverTooltip, keymap } from "@codemirror/view";
export { Compartment, EditorState } from "@codemirror/state";
export { indentWithTab } from "@codemirror/commands";
export { HighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
export { setDiagnostics } from "@codemirror/lint";
export { yaml } from "@codemirror/lang-yaml";
export { tags } from "@lezer/highlight";
export { fieldMeaning, loadSchemas, optionsAt, problemsOf } from "./schema.js";
