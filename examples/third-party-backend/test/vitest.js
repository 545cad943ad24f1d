import { describe, it } from "vitest";
import { testShelf } from "../suite.js";

testShelf(describe, it);
