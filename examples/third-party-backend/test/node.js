import { describe, it } from "node:test";
import { testShelf } from "../suite.js";

testShelf(describe, it);
