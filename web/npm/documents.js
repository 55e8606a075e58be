// JSON that comes in pieces, one document after the other, as `kubectl get --watch -o json` prints it.

/** Takes in pieces of text, and gives out the documents that are whole. */
export class Documents {
  #text = "";
  #depth = 0;
  #inString = false;
  #escaped = false;
  #seen = 0;

  /** The documents that `piece` completes. */
  take(piece) {
    this.#text += piece;
    const whole = [];
    for (; this.#seen < this.#text.length; this.#seen += 1) {
      if (!this.#closes(this.#text[this.#seen])) continue;
      whole.push(JSON.parse(this.#text.slice(0, this.#seen + 1)));
      this.#text = this.#text.slice(this.#seen + 1);
      this.#seen = -1;
    }
    return whole;
  }

  /** Whether a document ends with this letter. */
  #closes(letter) {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (letter === "\\") this.#escaped = true;
      else if (letter === '"') this.#inString = false;
      return false;
    }
    if (letter === '"') this.#inString = true;
    else if (letter === "{" || letter === "[") this.#depth += 1;
    else if (letter === "}" || letter === "]") {
      this.#depth -= 1;
      return this.#depth === 0;
    }
    return false;
  }
}
