import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);

/** The Jest configuration that every package shares: ES modules, TypeScript through swc, no type checking. */
export const preset = {
  testEnvironment: "node",
  // a busy machine is slow, and no test asserts a time
  testTimeout: 60_000,
  testMatch: ["**/test/**/*.test.ts"],
  extensionsToTreatAsEsm: [".ts"],
  resolver: fileURLToPath(new URL("resolver.cjs", import.meta.url)),
  transform: {
    "\\.ts$": [
      require.resolve("@swc/jest"),
      {
        swcrc: false,
        jsc: { target: "es2023", parser: { syntax: "typescript" } },
        module: { type: "es6" },
        sourceMaps: "inline",
      },
    ],
  },
};
