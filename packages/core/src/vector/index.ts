/**
 * `@dataknobs/core/vector`: what a vector store implements, and the reference semantics that it may build on.
 */
export {
  defineVectorBackend,
  registerVectorBackend,
  type VectorBackendDefinition,
  type VectorBackendFactory,
  vectorBackendNames,
} from "./define.js";
export { vectorBackendOf } from "./field-store.js";
export { type LoadedFile, loadFile, type SaveRequest, type Section, saveFile } from "./file/file.js";
export { toLittleEndian } from "./file/format.js";
export { type SavedShape, SavedStore } from "./file/saved-store.js";
export { lowerFilter, matchingCompiler, type RowMatcher, rowMatcherOf } from "./filter.js";
export { dots, type Kernel, squares } from "./kernels.js";
export { matrixOf } from "./matrix.js";
export { distanceOf, dotOf, type Metric, metrics, normOf, scoreOf } from "./metric.js";
export { compareHits, NearestRows } from "./nearest-rows.js";
export * from "./spi.js";
