// Relative links of the READMEs and guides: the file must be there, and so must the heading.
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/** `file:line: target` of every link that leads nowhere. */
export function brokenLinks() {
  const documents = [...globSync("*.md"), ...globSync("packages/*/README.md"), ...globSync("docs/*.md")];
  return documents.sort().flatMap((file) =>
    linksOf(file)
      .filter(({ target }) => !leadsSomewhere(file, target))
      .map(({ line, target }) => `${file}:${line}: ${target}`),
  );
}

function linksOf(file) {
  return prose(file).flatMap((text, index) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => ({ target, line: index + 1 }))
      .filter(({ target }) => !/^[a-z]+:/.test(target)),
  );
}

/** The lines of a document, those of code blocks emptied. */
function prose(file) {
  let inside = false;
  return readFileSync(file, "utf8")
    .split("\n")
    .map((text) => {
      const fence = /^\s*```/.test(text);
      if (fence) inside = !inside;
      return fence || inside ? "" : text;
    });
}

function leadsSomewhere(file, target) {
  const [path, anchor] = target.split("#");
  const to = path === "" ? file : normalize(join(dirname(file), decodeURIComponent(path)));
  if (!existsSync(to)) return false;
  return anchor === undefined || (statSync(to).isFile() && anchorsOf(to).has(anchor));
}

/** The anchors of a document's headings, as GitHub makes them. */
function anchorsOf(file) {
  const headings = prose(file).flatMap((text) => /^#+ (.*)$/.exec(text)?.[1] ?? []);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}
