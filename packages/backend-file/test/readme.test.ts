import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";

const folder = dirname(dirname(fileURLToPath(import.meta.url)));
const examples = [...readFileSync(`${folder}/README.md`, "utf8").matchAll(/```ts\n(.*?)```/gs)].map(
  ([, code]) => code as string,
);

test("the README has examples", () => expect(examples.length).toBeGreaterThan(1));

test.each(examples.map((code, index) => [index + 1, code] as const))("README example %i runs", (_, code) => {
  execFileSync(process.execPath, ["--input-type=module", "-e", code], { cwd: folder, stdio: "pipe" });
});
