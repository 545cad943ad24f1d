// The records of the bench on better-sqlite3 without a library: the same columns, pragmas and record shape, prepared
// statements, one transaction for a batch.
import Database from "better-sqlite3";

export class HandWritten {
  #db;
  #insert;
  #get;
  #byCity;
  #byAge;
  #all;
  #versions = 0;

  constructor(path, { index } = {}) {
    const db = new Database(path);
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = NORMAL");
    db.exec(
      "CREATE TABLE records (id TEXT PRIMARY KEY NOT NULL, data TEXT NOT NULL, metadata TEXT, created_at TEXT, " +
        "updated_at TEXT, version TEXT, types TEXT, metadata_types TEXT, keys TEXT, metadata_keys TEXT)",
    );
    if (index !== undefined) db.exec(`CREATE INDEX by_${index} ON records (json_extract(data, '$.${index}'))`);
    const select = "SELECT id, data, metadata, version, created_at, updated_at FROM records";
    this.#db = db;
    this.#insert = db.prepare(
      "INSERT INTO records (id, data, metadata, created_at, updated_at, version) VALUES (?, ?, ?, ?, ?, ?)",
    );
    this.#get = db.prepare(`${select} WHERE id = ?`);
    this.#byCity = db.prepare(`${select} WHERE json_extract(data, '$.city') = ?`);
    this.#byAge = db.prepare(`${select} WHERE json_extract(data, '$.age') >= ? AND json_extract(data, '$.active') = 1`);
    this.#all = db.prepare(select);
  }

  /** The records as they were stored. */
  insertMany(inputs) {
    const insertAll = this.#db.transaction(() =>
      inputs.map(({ id, data }) => {
        const now = new Date();
        const at = now.toISOString();
        const version = `v${this.#versions++}`;
        this.#insert.run(id, JSON.stringify(data), "{}", at, at, version);
        return { id, data: { ...data }, metadata: {}, version, createdAt: now, updatedAt: now };
      }),
    );
    return insertAll.immediate();
  }

  get(id) {
    const row = this.#get.get(id);
    return row === undefined ? undefined : recordOf(row);
  }

  inCity(city) {
    return this.#byCity.all(city).map(recordOf);
  }

  activeFrom(age) {
    return this.#byAge.all(age).map(recordOf);
  }

  *all() {
    for (const row of this.#all.iterate()) yield recordOf(row);
  }

  close() {
    this.#db.close();
  }

  [Symbol.dispose]() {
    this.close();
  }
}

function recordOf({ id, data, metadata, version, created_at, updated_at }) {
  return {
    id,
    data: JSON.parse(data),
    metadata: JSON.parse(metadata),
    version,
    createdAt: new Date(created_at),
    updatedAt: new Date(updated_at),
  };
}
