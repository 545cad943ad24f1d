/** A client that tells what it was asked for. */
import type { S3Client } from "@aws-sdk/client-s3";
import { rawClient } from "./server.js";

export interface Asked {
  readonly command: string;
  readonly key: string;
  /** Of a ranged read. */
  readonly bytes: number | undefined;
}

export function counted(): { readonly client: S3Client; take(): Asked[] } {
  const client = rawClient();
  let asked: Asked[] = [];
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        const { Key = "", Range } = args.input as { Key?: string; Range?: string };
        const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(Range ?? "") ?? [];
        const bytes = from === undefined ? undefined : Number(to) - Number(from) + 1;
        asked.push({ command: String(commandName).replace("Command", ""), key: Key, bytes });
        return next(args);
      },
    { step: "initialize" },
  );
  return {
    client,
    take() {
      const taken = asked;
      asked = [];
      return taken;
    },
  };
}
