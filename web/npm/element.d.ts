/** `<naru-sandbox>`: a cluster inside any page. Importing the module defines the element. */

import type { ExecResult, KubernetesObject } from "./index.js";

/** A step of the lesson was opened or done. */
export interface StepDetail {
  /** The lesson's folder. */
  lesson: string;
  /** Counted from 0. */
  step: number;
  /** How many there are. */
  steps: number;
  /** It was done; it was opened otherwise. */
  done: boolean;
}

/** Something happened. */
export interface EventDetail {
  /** A command has ended well, or with an error; something was broken; a pod is in trouble; a step. */
  kind: "command" | "failed" | "fault" | "trouble" | "step";
  /** In a few words. */
  text: string;
  /** When, in seconds of the cluster's time. */
  seconds: number;
}

/** What can be heard, without `naru-`, and what is told then. */
export interface SandboxEvents {
  ready: Record<string, never>;
  step: StepDetail;
  event: EventDetail;
  error: { message: string };
}

/** The attributes. Each is a text; those that can be changed later are marked. */
export interface NaruSandboxAttributes {
  /** The folder of a lesson. */
  lesson?: string;
  /** The step that is open at first, counted from 0. */
  step?: string | number;
  /** Without a lesson: the profile of the cluster, `kind` unless said otherwise. */
  profile?: string;
  seed?: string | number;
  /** The address of a manifest that is applied at first. It may stand inside the element too. */
  manifest?: string;
  /** Lines that are typed at first. */
  commands?: string;
  /** The parts that are there: some of `lesson picture terminal time`. */
  show?: string;
  /** The language, `ko` or `en`: that of the page unless said otherwise. Can be changed. */
  lang?: string;
  /** `light` or `dark`: the system's choice unless said otherwise. Can be changed. */
  theme?: string;
  /** How fast time goes by itself. Can be changed. */
  speed?: string | number;
  /** In pixels: 640 unless said otherwise. Can be changed. */
  height?: string | number;
  /** What a screen reader calls it. Can be changed. */
  title?: string;
  /** When it is started: when it comes near the screen unless said otherwise. */
  start?: "visible" | "load" | "click";
  /** All that it needs is kept for a time without a network. */
  offline?: string | boolean;
  /** Where the site lies: beside this module unless said otherwise. */
  home?: string;
}

export class NaruSandbox extends HTMLElement {
  /** Where the site lies, for every element that does not say otherwise. */
  static home: string;

  /** Resolves when the cluster runs, and what the attributes ask for was typed. */
  readonly ready: Promise<void>;
  /** Resolves when all is kept that it needs without a network: see `offline`. */
  readonly kept: Promise<void>;
  readonly started: boolean;

  /** Starts it, if it has not been. */
  start(): void;
  /** Runs a command to its end, as fast as possible. */
  exec(command: string): Promise<ExecResult>;
  /** Types a line into the terminal, where it is seen. */
  type(line: string): Promise<void>;
  /** Applies a manifest, as `kubectl apply -f` does. */
  apply(manifest: string, name?: string): Promise<ExecResult>;
  /** What `kubectl get … -o json` says. */
  get(what: string, ...more: string[]): Promise<KubernetesObject>;
  /** Lets seconds of the cluster's time pass, as fast as possible. */
  advance(seconds: number): Promise<void>;
  /** How fast time goes by itself: times as fast as real time; 0 stands still. */
  speed(factor: number): Promise<void>;
  /** Writes a file of the learner's home directory. */
  write(path: string, content: string | Uint8Array | ArrayBuffer): Promise<void>;
  /** A file of the learner's home directory. */
  read(path: string): Promise<Uint8Array>;
  /** Breaks something, or mends it, in the words of `naru fault`. */
  fault(words: string): Promise<void>;
  /** Opens a step of the lesson, counted from 0. */
  step(step: number): Promise<void>;
  /** The session, to be kept. */
  snapshot(): Promise<Uint8Array>;
  /** Takes up a session that was kept. */
  restore(session: Uint8Array | ArrayBuffer): Promise<void>;
  /** Hears something; what is returned ends that. */
  on<K extends keyof SandboxEvents>(event: K, listener: (detail: SandboxEvents[K]) => void): () => void;
}

/** The events as pages hear them. */
export interface NaruEventMap {
  "naru-ready": CustomEvent<SandboxEvents["ready"]>;
  "naru-step": CustomEvent<StepDetail>;
  "naru-event": CustomEvent<EventDetail>;
  "naru-error": CustomEvent<SandboxEvents["error"]>;
}

declare global {
  interface HTMLElementTagNameMap {
    "naru-sandbox": NaruSandbox;
  }
  interface HTMLElementEventMap extends NaruEventMap {}
  interface DocumentEventMap extends NaruEventMap {}
}
