// A thin layer between xterm.js and the page: bytes in, bytes out, colours from the stylesheet.

const encoder = new TextEncoder();

/** The colours of xterm.js and the custom properties of the stylesheet that say them. */
const COLOURS = {
  background: "--term-background", foreground: "--term-text", cursor: "--term-cursor",
  cursorAccent: "--term-background", selectionBackground: "--term-selection",
  black: "--term-black", red: "--term-red", green: "--term-green", yellow: "--term-yellow",
  blue: "--term-blue", magenta: "--term-magenta", cyan: "--term-cyan", white: "--term-white",
  brightBlack: "--term-bright-black", brightRed: "--term-bright-red",
  brightGreen: "--term-bright-green", brightYellow: "--term-bright-yellow",
  brightBlue: "--term-bright-blue", brightMagenta: "--term-bright-magenta",
  brightCyan: "--term-bright-cyan", brightWhite: "--term-bright-white",
};

/**
 * A terminal inside `host`. `onData` gets what is typed as bytes; `onResize` columns and rows. Words
 * of which `isName` says that they name something can be clicked at, which `onName` hears of.
 */
export async function openTerminal(host, onData, onResize, isName, onName) {
  const { Terminal, FitAddon, Unicode11Addon } = await import(new URL("xterm.js", document.baseURI));
  const terminal = new Terminal({
    allowProposedApi: true,
    cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    fontFamily: getComputedStyle(host).getPropertyValue("--font-code"),
    fontSize: 13,
    lineHeight: 1.25,
    scrollback: 5000,
    minimumContrastRatio: 4.5,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.loadAddon(new Unicode11Addon());
  terminal.unicode.activeVersion = "11";
  terminal.open(host);

  terminal.onData((text) => onData(encoder.encode(text)));
  terminal.onBinary((text) => onData(Uint8Array.from(text, (c) => c.charCodeAt(0))));
  terminal.onResize(({ cols, rows }) => onResize(cols, rows));
  terminal.registerLinkProvider({ provideLinks: (row, give) => give(linksIn(terminal, row, isName, onName)) });
  terminal.attachCustomKeyEventHandler((event) => handleKey(terminal, event));

  const refit = () => {
    if (host.clientWidth > 0 && host.clientHeight > 0) fit.fit();
  };
  const observer = new ResizeObserver(refit);
  observer.observe(host);

  const handle = {
    write: (bytes) => terminal.write(bytes),
    clear: () => terminal.reset(),
    focus: () => terminal.focus(),
    setScreenReader: (on) => { terminal.options.screenReaderMode = on; },
    setFontSize: (pixels) => { terminal.options.fontSize = pixels; refit(); },
    /** Reads the colours anew: the stylesheet has others by day than by night. */
    refreshTheme: () => {
      const style = getComputedStyle(host);
      terminal.options.theme = Object.fromEntries(
        Object.entries(COLOURS).map(([name, property]) => [name, colour(style, property)]),
      );
    },
    /** The text on the screen and above it: for tests and for people who save it. */
    text: () => {
      const buffer = terminal.buffer.active;
      const lines = [];
      for (let i = 0; i < buffer.length; i += 1) {
        const line = buffer.getLine(i);
        const text = line?.translateToString(true) ?? "";
        if (line?.isWrapped && lines.length > 0) lines[lines.length - 1] += text;
        else lines.push(text);
      }
      return lines.join("\n").trimEnd();
    },
  };
  handle.refreshTheme();
  refit();
  onResize(terminal.cols, terminal.rows);
  return handle;
}

/** The names in a row of the screen: in `pod/web-0` and in tables. */
function linksIn(terminal, row, isName, onName) {
  const text = terminal.buffer.active.getLine(row - 1)?.translateToString(true) ?? "";
  const links = [];
  for (const { 0: word, index } of text.matchAll(/[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/g)) {
    if (word.length < 2 || !isName(word)) continue;
    links.push({
      text: word,
      range: { start: { x: index + 1, y: row }, end: { x: index + word.length, y: row } },
      activate: () => onName(word),
    });
  }
  return links;
}

/** Returns whether xterm.js shall have the key. */
function handleKey(terminal, event) {
  // The page's own way from part to part, which must not end in here.
  if (event.key === "F6") return false;
  if (event.type !== "keydown" || !event.ctrlKey || event.altKey || event.metaKey) return true;
  const key = event.key.toLowerCase();
  if (key === "c" && terminal.hasSelection()) {
    navigator.clipboard?.writeText(terminal.getSelection());
    terminal.clearSelection();
    event.preventDefault();
    return false;
  }
  // The browser pastes by itself; xterm.js hears of it.
  return key !== "v";
}

/** A custom property as a colour that xterm.js can read: it knows no `light-dark()`. */
function colour(style, property) {
  const probe = document.createElement("span");
  probe.style.color = `var(${property})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
