// Run in an empty folder with the installed tarballs: throws where the package does not work.
import assert from "node:assert/strict";
import { bigintKey, jsonPathLiteral, render, sql } from "@dataknobs/sql";

const name = "x'; DROP TABLE records; --";
const statement = render(sql`SELECT * FROM records WHERE name = ${name} AND age > ${30}`, (position) => `$${position}`);
assert.deepEqual(statement, { text: "SELECT * FROM records WHERE name = $1 AND age > $2", params: [name, 30] });
assert.equal(jsonPathLiteral(["it's"]), `'$."it''s"'`);
assert.ok(bigintKey("-10") < bigintKey("-9") && bigintKey("9") < bigintKey("10"));
