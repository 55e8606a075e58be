// Starts wasm that comes in two files: what is run at first, and the rest (see xtask/split). The rest
// is loaded when it is asked for, or when something of it is called.

const LINK = "naru:split";
const LOADED = "naru:loaded";
const { instantiate } = WebAssembly;

/** Loads and compiles a file. */
const compileHere = (url, options) => WebAssembly.compileStreaming(fetch(url, options));

/**
 * Starts the wasm of `glue`, a module of wasm-bindgen, once it is loaded. Resolves to what the first
 * file exports, and a function that loads the rest. Both are compiled by `compile`; `ahead`, the rest
 * is there from the start, if it can be had.
 */
export async function startHalves(glue, wasm, rest, compile = compileHere, ahead = false) {
  let first;
  let restModule = null;
  // The glue knows nothing of the two files.
  WebAssembly.instantiate = async (module, imports) => {
    const instance = await instantiate(module, { ...imports, [LINK]: { load: () => join(restModule ?? loadNow(rest)) } });
    first = instance.exports;
    return instance;
  };
  let module;
  let start;
  [{ default: start }, module, restModule] = await Promise.all([
    glue,
    compile(wasm),
    ahead ? compile(rest).catch(() => null) : null,
  ]);
  await start({ module_or_path: module });
  WebAssembly.instantiate = instantiate;

  /** Lays the functions of the rest into the table of the first. */
  function join(module) {
    if (first[LOADED].value) return;
    new WebAssembly.Instance(module, { [LINK]: first });
    first[LOADED].value = 1;
  }

  async function loadRest() {
    // Not split when it was built in a hurry.
    if (!(LOADED in first) || first[LOADED].value) return;
    try {
      join(await compile(rest, { priority: "low" }));
    } catch (error) {
      // It will be asked for again when it is needed.
      console.info("naru: the rest of the wasm is not here yet", error);
    }
  }
  return { first, loadRest };
}

/** The rest, waited for: called by the wasm when it needs it now. */
function loadNow(rest) {
  const request = new XMLHttpRequest();
  request.open("GET", rest, false);
  // A document, other than a worker, may not wait for bytes, but for a text of which each letter is one.
  const asText = "document" in globalThis;
  if (asText) request.overrideMimeType("text/plain; charset=x-user-defined");
  else request.responseType = "arraybuffer";
  request.send();
  if (request.status !== 200) throw new Error(`${rest.pathname}: ${request.status} ${request.statusText}`);
  return new WebAssembly.Module(asText ? bytesOf(request.responseText) : request.response);
}

function bytesOf(text) {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}
