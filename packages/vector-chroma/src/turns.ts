/** Changes that read before they write, each alone with the keys that it changes. */
export class KeyTurns {
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #watches = new Set<Set<string>>();

  /** What the work gives, and the keys that were being changed at any time meanwhile. */
  async beside<R>(work: () => Promise<R>): Promise<{ readonly result: R; readonly changed: ReadonlySet<string> }> {
    const changed = new Set(this.#last.keys());
    this.#watches.add(changed);
    try {
      return { result: await work(), changed };
    } finally {
      this.#watches.delete(changed);
    }
  }

  /** Runs the work after all earlier work on any of these keys. */
  async run<R>(keys: readonly string[], work: () => Promise<R>): Promise<R> {
    const before = new Set<Promise<unknown>>();
    for (const key of keys) {
      const last = this.#last.get(key);
      if (last !== undefined) before.add(last);
    }
    const begun = before.size === 0 ? work() : Promise.all(before).then(work);
    // a failure is its caller's business; who comes next only waits for the end
    const end = begun.then(
      () => undefined,
      () => undefined,
    );
    for (const key of keys) {
      this.#last.set(key, end);
      for (const changed of this.#watches) changed.add(key);
    }
    try {
      return await begun;
    } finally {
      for (const key of keys) if (this.#last.get(key) === end) this.#last.delete(key);
    }
  }
}
