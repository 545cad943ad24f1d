/**
 * Who may write: plain writes side by side, or one change that reads before it writes. So that an emulated change never
 * undoes what another call of this store wrote in between.
 */
export class Turns {
  #shared = new Set<Promise<unknown>>();
  #exclusive: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Beside other shared work; after exclusive work that came before. */
  shared<R>(work: () => Promise<R>): Promise<R> {
    const begun = this.#waiting === 0 ? work() : this.#exclusive.then(work);
    this.#shared.add(begun);
    const done = (): boolean => this.#shared.delete(begun);
    begun.then(done, done);
    return begun;
  }

  /** Alone: after all that came before, before all that comes after. */
  exclusive<R>(work: () => Promise<R>): Promise<R> {
    this.#waiting++;
    const before = [this.#exclusive, ...this.#shared];
    const begun = Promise.allSettled(before).then(work);
    const done = (): void => {
      this.#waiting--;
    };
    // a failure is its caller's business; who comes next only waits for the end
    this.#exclusive = begun.then(done, done);
    return begun;
  }
}
