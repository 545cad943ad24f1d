/** Limits that hold on every backend; a backend may declare lower ones for sizes. */
export const limits: {
  readonly nesting: number;
  readonly fieldNameBytes: number;
  readonly idBytes: number;
  readonly patternLength: number;
  readonly conditionNesting: number;
} = Object.freeze({
  /** Containers inside each other, the record itself included. */
  nesting: 64,
  /** UTF-8 bytes of one field name. */
  fieldNameBytes: 1024,
  /** UTF-8 bytes of an id. */
  idBytes: 512,
  /** UTF-16 units of a `like` or `regex` pattern. */
  patternLength: 4096,
  /** Conditions inside each other. */
  conditionNesting: 64,
});
