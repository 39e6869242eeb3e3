// node node.mjs FOLDER PACKAGE: answer each line on stdin with a line of JSON and the bytes of its tensors, on stdout.
//
// FOLDER: the folder with the npm packages. PACKAGE: the one that is loaded.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import { Session } from "./session.mjs";

console.log = console.info = console.debug = console.error; // stdout is for answers
const [folder, name] = process.argv.slice(2);
const session = new Session(createRequire(`${folder}/`)(name), process.hrtime.bigint);

for await (const line of createInterface({ input: process.stdin })) {
  const [header, parts] = await session.answer(line);
  // Not written to the file descriptor itself: the threads of WebAssembly make the pipe one that does not block.
  for (const part of [`${header}\n`, ...parts]) await new Promise((sent) => process.stdout.write(part, sent));
}
process.exit(); // the threads of WebAssembly would go on
