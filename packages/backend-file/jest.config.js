import { preset } from "../../tooling/jest/preset.js";

// several tests start processes, which takes long on a busy machine
export default { ...preset, testTimeout: 60_000 };
