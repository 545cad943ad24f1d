import { S3Client, PutObjectCommand, GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
const c = new S3Client({ endpoint: "http://127.0.0.1:7071", region: "us-east-1", forcePathStyle: true, credentials: { accessKeyId: "testkey", secretAccessKey: "testsecret" } });
const run = async (n, f) => { const s = performance.now(), u = process.cpuUsage(); let i = 0; await Promise.all(Array.from({ length: 32 }, async () => { while (i < n) await f(i++); })); const d = process.cpuUsage(u); console.log((performance.now() - s).toFixed(0), "cpu", ((d.user + d.system) / 1000).toFixed(0)); };
const p = "raw" + Date.now();
await run(1000, (i) => c.send(new PutObjectCommand({ Bucket: "bench", Key: `${p}/${i}`, Body: `{"a":${i}}` })));
await run(1000, (i) => c.send(new PutObjectCommand({ Bucket: "bench", Key: `${p}/${i}b`, Body: `{"a":${i}}` , IfNoneMatch: "*"})));
await run(1000, async (i) => (await c.send(new GetObjectCommand({ Bucket: "bench", Key: `${p}/${i}` }))).Body.transformToString());
await run(20, async (i) => (await c.send(new ListObjectsV2Command({ Bucket: "bench", Prefix: `${p}/` }))));
