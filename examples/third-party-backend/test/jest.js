import { describe, it } from "@jest/globals";
import { testShelf } from "../suite.js";

testShelf(describe, it);
