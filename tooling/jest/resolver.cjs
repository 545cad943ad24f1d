const { existsSync } = require("node:fs");
const { resolve } = require("node:path");

/** Sources name each other as `./x.js`, which is what Node will see; under Jest that file is still `./x.ts`. */
module.exports = (request, options) => {
  if (/^\.{1,2}\/.*\.js$/.test(request)) {
    const source = resolve(options.basedir, request.replace(/\.js$/, ".ts"));
    if (existsSync(source)) return source;
  }
  return options.defaultResolver(request, options);
};
