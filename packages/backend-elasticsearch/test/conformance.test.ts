import { elasticsearch } from "@dataknobs/backend-elasticsearch";
import { testBackend } from "@dataknobs/core/conformance";
import { afterAll, describe, it } from "@jest/globals";
import { again, borrowed, giveBack } from "./pool.js";
import { removeAll, serverUrl } from "./server.js";

serverUrl();
afterAll(removeAll);

testBackend({
  describe,
  it,
  open: borrowed,
  reopen: again,
  dispose: giveBack,
  capabilities: elasticsearch().capabilities,
  timeout: 120_000,
});
