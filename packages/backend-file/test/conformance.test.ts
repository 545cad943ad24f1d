import { testFormat, testPacking } from "./variants.js";

testFormat(["records.jsonl", {}]);
testPacking(["records.jsonl.gz", {}]);
testPacking(["parts", { format: "jsonl", partitionBy: "city" }]);

testFormat(["records.json", {}]);
testPacking(["records.json.gz", {}]);
testPacking(["parts", { format: "json", compression: "gzip", maxPartBytes: 50_000 }]);
