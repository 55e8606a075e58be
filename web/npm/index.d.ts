/** A Kubernetes cluster (v1.33) for scripts, in a browser or in Node. */

/** What a command has printed, and its exit code. */
export interface ExecResult {
  stdout: string;
  stderr: string;
  code: number;
}

/** How a new cluster is to be. */
export interface StartOptions {
  /** What it is made of: `kind` (three nodes) unless said otherwise; see `naru run --help`. */
  profile?: string;
  /** The same seed and the same calls give the same history. 1 unless said otherwise. */
  seed?: number;
  /** The language of the learner's machine: `en_US.UTF-8` unless said otherwise. */
  locale?: string;
}

/** Which objects are meant. */
export interface Selection {
  namespace?: string;
  /** Labels: `app=web`. */
  selector?: string;
  allNamespaces?: boolean;
}

/** An object as the API server gives it. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name?: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    [field: string]: unknown;
  };
  [field: string]: any;
}

/** What a watch tells. */
export interface WatchEvent<T = KubernetesObject> {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  object: T;
}

/** Something that was asked of the API server. */
export interface Change {
  id: number;
  /** When, in microseconds of the cluster's time. */
  micros: number;
  /** Who: `kubelet/worker`, `kube-scheduler`. */
  actor: string;
  verb: "create" | "update" | "patch" | "delete";
  /** `pods/default/web` */
  subject: string;
}

/** What can be heard, and what is told then. */
export interface ClusterEvents {
  /** Kubernetes' own events, as they are written. */
  event: WatchEvent;
  /** Everything that changes an object. */
  change: Change;
  /** The cluster's time, now and then while it goes on. */
  time: { seconds: number };
}

/**
 * A cluster that runs in a worker of its own. Its time goes on only while a command runs, by
 * {@link Cluster.advance}, or by itself after {@link Cluster.speed}.
 */
export class Cluster {
  private constructor(token: unknown);

  /** Starts a cluster. */
  static start(options?: StartOptions): Promise<Cluster>;
  /** Brings back what {@link Cluster.snapshot} gave, or a session file of the page. */
  static restore(session: Uint8Array | ArrayBuffer): Promise<Cluster>;

  /**
   * Runs a command line of the learner's terminal to its end. A command that takes longer than
   * `timeout` seconds of the cluster's time (an hour unless said otherwise) has exit code 124.
   */
  exec(command: string, options?: { timeout?: number }): Promise<ExecResult>;
  /** Applies a manifest, as `kubectl apply -f` does. */
  apply(manifest: string): Promise<ExecResult>;
  /** An object, or a list of objects: what `kubectl get … -o json` says. It rejects with its error. */
  get(what: string, options?: Selection & { name?: string }): Promise<KubernetesObject>;
  /**
   * Objects as they are and as they change, for as long as somebody listens. Time has to go on for
   * something to be told.
   */
  watch(what: string, options?: Selection): AsyncIterableIterator<WatchEvent>;
  /** Lets seconds of the cluster's time pass, as fast as possible. Resolves to its time in seconds. */
  advance(seconds: number): Promise<number>;
  /** How fast time goes by itself: times as fast as the wall's; 0, as at first, stands still. */
  speed(factor: number): Promise<void>;
  /** The cluster's time in seconds. */
  now(): Promise<number>;
  /** Writes a file of the learner's home directory. */
  write(path: string, content: string | Uint8Array | ArrayBuffer): Promise<void>;
  /** A file of the learner's home directory. */
  read(path: string): Promise<Uint8Array>;
  /** Breaks something, or mends it, in the words of `naru fault`: `stop node/worker`. */
  fault(words: string): Promise<void>;
  /** The session, to be kept: everything follows from it. */
  snapshot(): Promise<Uint8Array>;
  /** The digest of the whole history of the store. */
  digest(): Promise<string>;
  /** Hears something; what is returned ends that. */
  on<K extends keyof ClusterEvents>(event: K, listener: (detail: ClusterEvents[K]) => void): () => void;
  /** Ends the cluster and its worker. */
  close(): Promise<void>;
}
