// The records of the bench on postgres.js without a library: the same columns and record shape, lists for a batch, one
// transaction around them, a cursor for all.
const columns = ["id", "data", "metadata", "version", "created_at", "updated_at"];
const chunk = 5000;

export class HandWritten {
  #sql;
  #table;
  #versions = 0;

  constructor(sql, table) {
    this.#sql = sql;
    this.#table = table;
  }

  static async make(sql, schemaName, name, { index } = {}) {
    const table = sql(`${schemaName}.${name}`);
    await sql`
      CREATE TABLE ${table} (id text COLLATE "C" PRIMARY KEY, data jsonb NOT NULL, metadata jsonb,
        created_at timestamptz, updated_at timestamptz, version text NOT NULL)`;
    if (index !== undefined) await sql.unsafe(`CREATE INDEX ON ${schemaName}.${name} ((data ->> '${index}'))`);
    return new HandWritten(sql, table);
  }

  /** The records as they were stored. */
  async insertMany(inputs) {
    const records = inputs.map(({ id, data }) => {
      const now = new Date();
      const version = `v${this.#versions++}`;
      return { id, data: { ...data }, metadata: {}, version, createdAt: now, updatedAt: now };
    });
    await this.#sql.begin(async (sql) => {
      for (let start = 0; start < records.length; start += chunk) {
        const part = records.slice(start, start + chunk);
        const [ids, datas, versions, times] = [
          part.map(({ id }) => id),
          part.map(({ data }) => JSON.stringify(data)),
          part.map(({ version }) => version),
          part.map(({ createdAt }) => createdAt.toISOString()),
        ];
        await sql`
          INSERT INTO ${this.#table} (id, data, metadata, version, created_at, updated_at)
          SELECT id, data::jsonb, '{}', version, at, at
          FROM unnest(${ids}::text[], ${datas}::text[], ${versions}::text[], ${times}::timestamptz[]) AS v (id, data, version, at)`;
      }
    });
    return records;
  }

  async get(id) {
    const [row] = await this.#sql`SELECT ${this.#sql(columns)} FROM ${this.#table} WHERE id = ${id}`;
    return row && recordOf(row);
  }

  async inCity(city) {
    const rows = await this.#sql`SELECT ${this.#sql(columns)} FROM ${this.#table} WHERE data ->> 'city' = ${city}`;
    return rows.map(recordOf);
  }

  async activeFrom(age) {
    const rows = await this.#sql`
      SELECT ${this.#sql(columns)} FROM ${this.#table}
      WHERE (data ->> 'age')::float8 >= ${age} AND (data ->> 'active')::boolean`;
    return rows.map(recordOf);
  }

  async *batches() {
    for await (const rows of this.#sql`SELECT ${this.#sql(columns)} FROM ${this.#table}`.cursor(1000)) {
      yield rows.map(recordOf);
    }
  }
}

function recordOf({ id, data, metadata, version, created_at, updated_at }) {
  return { id, data, metadata, version, createdAt: created_at, updatedAt: updated_at };
}
