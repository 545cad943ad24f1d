/** Every case, in the order in which they run. */
import type { Capabilities } from "../backend/spi.js";
import { abortCases } from "./abort.js";
import { aggregateCases } from "./aggregate.js";
import { badInputCases } from "./bad-input.js";
import { batchCases } from "./batches.js";
import { bucketCases } from "./buckets.js";
import { bufferedCases } from "./buffered.js";
import { capabilityCases } from "./capabilities.js";
import type { Case } from "./case.js";
import { concurrencyCases } from "./concurrency.js";
import { conditionCases } from "./conditions.js";
import { differentialCases, type SuiteSize } from "./differential.js";
import { explainCases } from "./explain.js";
import { fulltextCases } from "./fulltext.js";
import { hostileCases } from "./hostile.js";
import { hybridCases, hybridDifferentialCases } from "./hybrid.js";
import { idCases } from "./ids.js";
import { indexCases } from "./indexes.js";
import { lifecycleCases } from "./lifecycle.js";
import { nearestCases } from "./nearest.js";
import { nearestBadInputCases } from "./nearest-bad-input.js";
import { nearestDifferentialCases } from "./nearest-random.js";
import { orderCases } from "./order.js";
import { pagingCases } from "./paging.js";
import { pathCases } from "./paths.js";
import { patternCases } from "./patterns.js";
import { projectionCases } from "./projection.js";
import { schemaCases } from "./schema.js";
import { streamingCases } from "./streaming.js";
import { transactionCases } from "./transactions.js";
import { uniqueCases } from "./unique.js";
import { valueCases } from "./values.js";
import { versionCases } from "./versions.js";
import { whereWriteCases } from "./where-writes.js";
import { writeCases } from "./writes.js";

export function allCases(
  size: SuiteSize,
  capabilities: Capabilities,
  onCoverage: ((table: string) => void) | undefined,
): readonly Case[] {
  return [
    ...capabilityCases,
    ...valueCases,
    ...idCases,
    ...pathCases,
    ...conditionCases,
    ...patternCases,
    ...orderCases,
    ...pagingCases,
    ...projectionCases,
    ...writeCases,
    ...versionCases,
    ...batchCases,
    ...whereWriteCases,
    ...uniqueCases,
    ...transactionCases,
    ...bufferedCases,
    ...fulltextCases,
    ...nearestCases,
    ...nearestBadInputCases,
    ...hybridCases,
    ...aggregateCases,
    ...bucketCases,
    ...streamingCases,
    ...badInputCases,
    ...hostileCases,
    ...lifecycleCases,
    ...abortCases,
    ...concurrencyCases,
    ...explainCases,
    ...indexCases,
    ...schemaCases,
    ...nearestDifferentialCases(size),
    ...hybridDifferentialCases(size),
    ...differentialCases(size, capabilities, onCoverage),
  ];
}
