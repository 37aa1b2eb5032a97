// The entry of the viewer page.

import { begin } from "./viewer.js";

begin();
