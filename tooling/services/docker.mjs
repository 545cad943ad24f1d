// A server as a container of docker/compose.yaml. Each set of servers is a compose project of its own.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { freePort } from "./ports.mjs";
import { canRun, run } from "./process.mjs";
import { logOf, servicesHome, writeState } from "./state.mjs";

const file = fileURLToPath(new URL("../../docker/compose.yaml", import.meta.url));

let found;

/** A running engine and the compose plugin. `DATAKNOBS_SERVICES=native` or `=docker` decides instead. */
export function hasDocker() {
  const wanted = process.env.DATAKNOBS_SERVICES;
  if (wanted !== undefined) return wanted === "docker";
  found ??= canRun("docker", ["info"]) && canRun("docker", ["compose", "version"]);
  return found;
}

function project() {
  return `dataknobs-${createHash("sha256").update(servicesHome()).digest("hex").slice(0, 8)}`;
}

function compose(server, state, args, signal) {
  const env = {
    ...process.env,
    ...(state.port && { [`DATAKNOBS_${server.name.toUpperCase()}_PORT`]: String(state.port) }),
    ...(state.secret && { DATAKNOBS_SERVICES_SECRET: state.secret }),
  };
  return run("docker", ["compose", "--project-name", project(), "--file", file, ...args], { env, signal });
}

export function isUp(server) {
  const filters = [`label=com.docker.compose.project=${project()}`, `label=com.docker.compose.service=${server.name}`];
  const asked = spawnSync("docker", ["ps", "--quiet", ...filters.flatMap((filter) => ["--filter", filter])], {
    encoding: "utf8",
  });
  return asked.status === 0 && asked.stdout.trim() !== "";
}

/** Where the log of a running server is. */
export function log(server) {
  return `docker logs ${project()}-${server.name}-1`;
}

/** Fetches the image where it is not there. */
export async function install(server, signal) {
  await compose(server, {}, ["pull", "--quiet", "--policy", "missing", server.name], signal);
}

export async function launch(server, state, signal) {
  const place = { ...state, port: await freePort(state.port), home: `${project()}_${server.name}` };
  const started = writeState(server.name, { ...place, url: server.url(place) });
  await compose(server, place, ["up", "--detach", "--no-deps", server.name], signal);
  return started;
}

export async function untilReady(server, state, signal) {
  const limit = String(server.seconds);
  try {
    await compose(
      server,
      state,
      ["up", "--detach", "--no-deps", "--wait", "--wait-timeout", limit, server.name],
      signal,
    );
  } catch (error) {
    const log = await compose(server, state, ["logs", "--tail", "20", server.name]);
    throw new Error(`${server.name} is not ready after ${limit} s.\n${error.message}\n${log}`, { cause: error });
  }
}

export async function stop(server, state) {
  writeFileSync(logOf(server.name), await compose(server, state, ["logs", "--no-color", server.name]));
  await compose(server, state, ["stop", server.name]);
}

export async function discard(server, state) {
  await compose(server, state, ["rm", "--force", "--stop", server.name]);
  await run("docker", ["volume", "rm", "--force", state.home]);
}
