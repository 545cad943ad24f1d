import { testFormat, testPacking } from "./variants.js";

testFormat(["records.csv", {}]);
testPacking(["records.csv.gz", {}]);
testPacking(["parts", { format: "csv", partitionBy: "city" }]);

testFormat(["records.parquet", {}]);
testPacking(["records.parquet", { compression: "zstd", rowGroupSize: 100 }]);
testPacking(["parts", { format: "parquet", maxPartBytes: 50_000 }]);
