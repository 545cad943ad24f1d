/**
 * `@dataknobs/cli`: the command `dataknobs`, also as a function.
 */
export { exitCodes } from "./exit.js";
export { main, type Streams } from "./main.js";
