/** Every case of vector stores, in the order in which they run. */
import type { VectorCapabilities } from "../../vector/spi.js";
import type { SuiteSize } from "../differential.js";
import { abortCases } from "./abort.js";
import { badInputCases } from "./bad-input.js";
import { capabilityCases } from "./capabilities.js";
import type { VectorCase } from "./case.js";
import { concurrencyCases } from "./concurrency.js";
import { differentialCases } from "./differential.js";
import { explainCases } from "./explain.js";
import { fileCases } from "./files.js";
import { filterCases } from "./filters.js";
import { hostileCases } from "./hostile.js";
import { lifecycleCases } from "./lifecycle.js";
import { metadataCases } from "./metadata.js";
import { scopeCases } from "./scopes.js";
import { searchCases } from "./search.js";
import { streamCases } from "./streams.js";
import { writeCases } from "./writes.js";

export function allVectorCases(capabilities: VectorCapabilities, size: SuiteSize): readonly VectorCase[] {
  return [
    ...capabilityCases,
    ...writeCases,
    ...metadataCases,
    ...searchCases,
    ...filterCases,
    ...scopeCases,
    ...streamCases,
    ...badInputCases,
    ...hostileCases,
    ...explainCases,
    ...lifecycleCases,
    ...fileCases,
    ...abortCases,
    ...concurrencyCases,
    ...differentialCases(capabilities, size),
  ];
}
