export { preset as default } from "../../tooling/jest/preset.js";
