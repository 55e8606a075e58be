// What the browser keeps of sessions, and files that come and go.
//
// Each tab has a session of its own, named in sessionStorage and held by a lock for as long as the
// tab lives. So two tabs never write the same session, a reload finds its own, and a new tab takes
// up the latest session that no other tab holds.

const SESSIONS_MAX = 12;
const NAME = "naru/session";
/**
 * How long a tab waits for its own session, in milliseconds: a document that is reloaded lets go of it
 * only after the next one has begun. A tab that is the copy of another waits in vain.
 */
const PATIENCE = 1_500;

let name = null;
let database = null;

function open() {
  database ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("naru", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("sessions");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return database;
}

async function sessions(mode, act) {
  const transaction = (await open()).transaction("sessions", mode);
  const request = act(transaction.objectStore("sessions"));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

/**
 * Takes the lock of a session for as long as the tab lives, once it is free, if that is within so many
 * milliseconds; tells whether it was.
 */
function hold(wanted, patience = 0) {
  if (!navigator.locks) return Promise.resolve(true);
  const options = patience ? { signal: AbortSignal.timeout(patience) } : { ifAvailable: true };
  return new Promise((resolve) => {
    navigator.locks.request(`naru/${wanted}`, options, (lock) => {
      resolve(lock !== null);
      // Never settled: the lock goes with the tab.
      return lock ? new Promise(() => {}) : undefined;
    }).catch(() => resolve(false));
  });
}

/** Finds this tab's session: its bytes, or `undefined` when there is none to go on with. */
export async function openKept() {
  try {
    const own = sessionStorage.getItem(NAME);
    const all = (await sessions("readonly", (store) => store.getAllKeys())).sort().reverse();
    for (const wanted of own ? [own] : all) {
      if (await hold(wanted, own ? PATIENCE : 0)) {
        name = wanted;
        sessionStorage.setItem(NAME, name);
        return await sessions("readonly", (store) => store.get(name));
      }
    }
  } catch (error) {
    console.info("naru: this browser keeps nothing", error);
  }
  return undefined;
}

/** Keeps this tab's session. */
export async function keep(bytes) {
  try {
    if (name === null) {
      // Names sort by the time at which they were given.
      name = `${Date.now().toString(36)}-${crypto.randomUUID().slice(0, 8)}`;
      await hold(name);
      sessionStorage.setItem(NAME, name);
      const all = (await sessions("readonly", (store) => store.getAllKeys())).sort();
      for (const old of all.slice(0, Math.max(0, all.length - SESSIONS_MAX + 1))) {
        if (await hold(old)) await sessions("readwrite", (store) => store.delete(old));
      }
    }
    await sessions("readwrite", (store) => store.put(bytes, name));
  } catch {
    // A browser that keeps nothing (a private window) is no reason to disturb anybody.
  }
}

/** From now on this tab has a new session. */
export function startAnew() {
  name = null;
  try {
    sessionStorage.removeItem(NAME);
  } catch {
    // As above.
  }
}

/** Gives a person a file. */
export function download(fileName, bytes, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Asks a person for a file: its bytes, or `undefined`. */
export function upload(accept) {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = accept;
    input.onchange = async () => {
      const [file] = input.files;
      resolve(file && new Uint8Array(await file.arrayBuffer()));
    };
    input.oncancel = () => resolve(undefined);
    input.click();
  });
}
