import { replaceBroken } from "./common.js";

replaceBroken();
