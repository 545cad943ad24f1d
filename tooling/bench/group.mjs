// The process of one group: `node --expose-gc group.mjs <name> <settings as JSON>`.
import { Bench } from "./harness.mjs";

const [name, json] = process.argv.slice(2);
const { rows, rounds } = JSON.parse(json ?? '{"rows":100000,"rounds":9}');
const { default: measure } = await import(`./groups/${name}.mjs`);
const report = process.send === undefined ? (row) => console.log(row) : (row) => process.send(row);

await measure(new Bench({ group: name, rounds, report }), { rows });
process.disconnect?.();
